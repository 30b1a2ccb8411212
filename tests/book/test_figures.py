"""Figures that move, in the browser, from disk and without a network: they follow the rows and fill the picture."""

import csv
import io
import json
import pathlib
import random
import re
import shutil

import axe_playwright_python
import numpy as np
import pytest
from matplotlib import image

from llmpower.book import living
from llmpower.figures import moving
from tests.book.browser import NEEDS_CHROMIUM, PHONE, tell
from tests.conftest import BOOK
from tests.figures.test_moving import FIGURES

pytestmark = NEEDS_CHROMIUM
AXE = (pathlib.Path(axe_playwright_python.__file__).parent / "axe.min.js").read_text(encoding="utf-8")
PARTS = ("weights", "cache", "arithmetic", "static")
RATIO = 0.7
_PAGE = """<!doctype html>
<html lang="en" data-theme="light"><head><meta charset="utf-8"><title>Figures</title>
<meta name="viewport" content="width=device-width">
<link rel="stylesheet" href="book.css"><link rel="stylesheet" href="living.css">
<style>body { margin: 0; background: var(--pst-color-background); } main { max-width: 37rem; padding: 1rem; }</style>
<script src="living/figures.js"></script></head>
<body class="bd-content"><main class="bd-article"><h1>Figures</h1>FIGURES</main>
<script>
const SPECS = SPECIFICATIONS, handles = {};
async function change(name, rows) {
  await livingFigures.ready();
  if (handles[name]) return livingFigures.update(handles[name], rows);
  handles[name] = livingFigures.draw(document.getElementById(name), SPECS[name], rows);
  return handles[name].view.runAsync();
}
</script></body></html>
"""
_FIGURE = """<div class="cell_output"><figure id="{name}"><img alt="What {name} say." src="picture.svg">
<figcaption>Caption of {name}</figcaption></figure></div>"""
_WORDS = """name => {
  const moving = document.getElementById(name).querySelector(".moving"), whole = moving.getBoundingClientRect();
  const words = [...moving.querySelectorAll("text")].filter(word => word.textContent && +getComputedStyle(word).opacity)
    .map(word => ({ text: word.textContent, box: word.getBoundingClientRect() }));
  const out = ({ box }) => Math.max(whole.left - box.left, box.right - whole.right, whole.top - box.top,
    box.bottom - whole.bottom) > 1;
  const over = ({ box: a }, { box: b }) => Math.min(a.right, b.right) - Math.max(a.left, b.left) > 1
    && Math.min(a.bottom, b.bottom) - Math.max(a.top, b.top) > 3;
  return [
    ...words.filter(out).map(word => `${word.text} is cut`),
    ...words.flatMap((one, place) => words.slice(place + 1).filter(other => over(one, other))
      .map(other => `${one.text} lies on ${other.text}`)),
    ...(document.documentElement.scrollWidth > innerWidth ? ["the page is too wide"] : []),
  ];
}"""
_PICTURE = (
    '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 100 {}"><rect width="100" height="100" fill="#ddd"/></svg>'
)


def curves(scale):
    powers = zip(PARTS, (2, 0.1, 0.02, 1.5), (1, 0, 0, 0.8))
    return [
        {"part": part, "batch": batch, "energy_j": scale * first / batch**power}
        for part, first, power in powers
        for batch in (1, 2, 4, 8, 16, 32, 64, 128, 256)
    ]


def banded(scale):
    ends = [{**row, "low_j": 0.7 * row["energy_j"], "high_j": 1.3 * row["energy_j"]} for row in curves(scale)]
    return [*ends, {"batch": 32, "energy_j": 0.2 * scale, "mine": True}]


def measured(scale):
    dice = random.Random(1)
    runs = [
        (family, 10 ** dice.uniform(-2, 1), dice.uniform(0.8, 1.2)) for family in ("Llama", "Qwen3") for _ in range(20)
    ]
    return [
        {
            "family": family,
            "name": f"{family} {place}",
            "measured_j": x,
            "energy_j": x * off * scale,
            "batch": 2 ** (place % 9),
        }
        for place, (family, x, off) in enumerate(runs)
    ]


def shares(scale):
    cases = (("batch 1, as metered", 0.5 * scale), ("batch 32", 0.3 * scale), ("batch 256", 0.2 * scale))
    return [
        {"case": case, "part": part, "share": first if part == "weights" else (1 - first) / 3}
        for case, first in cases
        for part in PARTS
    ]


def crossed(scale):
    tails = [{"low_b": row["batch"] / 2, "low_j": 0.8 * row["energy_j"]} for row in measured(scale)]
    marks = [{"shown": True, "over": place % 2 == 0} for place in range(len(tails))]
    return curves(scale) + [row | tail | mark for row, tail, mark in zip(measured(scale), tails, marks)]


ROWS = {
    "lines": banded,
    "roofs": lambda scale: curves(scale) + measured(scale),
    "crossed": crossed,
    "bars": curves,
    "areas": curves,
    "shares": shares,
    "points": measured,
}


@pytest.fixture(scope="module")
def page_of_figures(tmp_path_factory):
    """Address of a page with a picture for each figure."""
    folder = tmp_path_factory.mktemp("figures")
    for name in ("book.css", "favicon.svg"):
        shutil.copyfile(BOOK / "_static" / name, folder / name)
    shutil.copyfile(BOOK / "llmpower" / "book" / "scripts" / "living.css", folder / "living.css")
    living.scripts(folder / "living")
    shutil.copyfile(living.vega(folder), folder / "living" / "vega.js")
    (folder / "picture.svg").write_text(_PICTURE.format(100 * RATIO))
    specs = json.dumps({name: moving.compiled(spec) for name, spec in FIGURES.items()})
    body = "\n".join(_FIGURE.format(name=name) for name in FIGURES)
    (folder / "page.html").write_text(
        _PAGE.replace("FIGURES", body, 1).replace("SPECIFICATIONS", specs), encoding="utf-8"
    )
    return (folder / "page.html").as_uri()


@pytest.fixture
def figures(reader, page_of_figures):
    """The page, before anybody has moved a control."""
    reader.open(page_of_figures)
    return reader


def change(reader, name, scale):
    """Hand a figure its rows, as a control does."""
    reader.page.evaluate("([name, rows]) => change(name, rows).then(() => null)", [name, ROWS[name](scale)])


def marks(reader, name):
    """What is drawn in a figure: outlines and words."""
    script = """name => [...document.getElementById(name).querySelectorAll(".moving svg :is(path, text)")]
        .map(mark => mark.textContent + mark.getAttribute("d") + mark.getAttribute("transform"))"""
    return reader.page.evaluate(script, name)


def box(reader, name, inside):
    return reader.page.evaluate(
        """([name, inside]) => {
        const { x, y, width, height } = document.getElementById(name).querySelector(inside).getBoundingClientRect();
        return [x, y, width, height]; }""",
        [name, inside],
    )


@pytest.mark.parametrize("name", FIGURES)
def test_a_figure_takes_the_place_of_its_picture_and_follows_the_rows(figures, name):
    before = box(figures, name, "img")
    assert not figures.page.locator(".moving").count() and not any("vega" in url for url in figures.asked)
    change(figures, name, 1)
    assert box(figures, name, ".moving svg") == pytest.approx(before, abs=1)
    first = marks(figures, name)
    change(figures, name, 0.6)
    assert marks(figures, name) != first
    change(figures, name, 1)
    assert marks(figures, name) == first
    # From disk: the page, two style sheets, two scripts, and the pictures; nothing else.
    assert not figures.wrong and {url.split(":")[0] for url in figures.asked} == {"file"}
    label = figures.page.get_attribute(f"[id='{name}'] .moving", "aria-label")
    assert label.startswith(f"What {name} say. Moves with the controls.")


@pytest.mark.parametrize("name", FIGURES)
@pytest.mark.parametrize("width", (1280, PHONE))
def test_no_word_of_a_figure_is_cut_or_lies_on_another_one(figures, name, width):
    figures.width(width)
    change(figures, name, 1)
    change(figures, name, 1000 if name not in ("shares", "points") else 0.7)
    tell(figures.page.evaluate(_WORDS, name))


def test_a_pointer_is_told_what_a_mark_stands_for(figures):
    change(figures, "lines", 1)
    figures.page.hover("#lines .layer_2_marks path >> nth=0", force=True)
    title = figures.page.get_attribute("#lines .moving", "title")
    assert "energy per output token (J): " in title and "batch: sequences decoded together: " in title


def test_points_are_explored_with_the_keyboard(figures):
    rows = sorted(ROWS["points"](1), key=lambda row: row["measured_j"])
    change(figures, "points", 1)
    told = figures.page.locator("#points output")
    figures.page.focus("#points .moving")
    assert told.text_content() == ""
    for key, row in (("ArrowRight", rows[0]), ("ArrowRight", rows[1]), ("ArrowLeft", rows[0]), ("ArrowLeft", rows[0])):
        figures.page.keyboard.press(key)
        network, energy = told.text_content().split("\n")
        assert network == f"network: {row['name']}"
        assert float(energy.removeprefix("measured (J): ")) == pytest.approx(row["measured_j"], rel=0.005)
    highest = max(rows, key=lambda row: row["energy_j"])
    for _ in rows:
        figures.page.keyboard.press("ArrowUp")
    assert f"network: {highest['name']}\n" in told.text_content()
    change(figures, "points", 0.9)
    assert f"network: {highest['name']}\n" in told.text_content()
    figures.page.keyboard.press("Escape")
    assert told.text_content() == "" and not figures.wrong


@pytest.mark.parametrize("width", (1280, PHONE))
def test_points_are_explored_with_a_pointer(figures, width):
    figures.width(width)
    change(figures, "points", 1)
    dots = figures.page.locator("#points .explored_marks path")
    name = dots.nth(5).evaluate("dot => dot.__data__.datum.name")
    dots.nth(5).hover(force=True)
    assert f"network: {name}\n" in figures.page.locator("#points output").text_content()


def test_what_is_told_of_a_point_is_text(figures):
    rows = [{**row, "name": "<img src=x onerror=alert(1)>"} for row in ROWS["points"](1)]
    figures.page.evaluate("rows => change('points', rows).then(() => null)", rows)
    figures.page.focus("#points .moving")
    figures.page.keyboard.press("ArrowRight")
    assert "network: <img src=x" in figures.page.locator("#points output").text_content()
    assert figures.page.locator("#points img").count() == 1 and not figures.wrong


def test_rows_become_a_table_that_any_software_reads(figures):
    text = figures.page.evaluate(
        """() => livingFigures.table([{ a: 'x, "y"', b: NaN }, { a: null, b: 0.1 }, { b: true }], ["a", "b"],
                                    ["a, of a kind", "b [J]"])"""
    )
    assert list(csv.reader(io.StringIO(text, newline=""))) == [
        ["a, of a kind", "b [J]"], ['x, "y"', ""], ["", "0.1"], ["", "true"]
    ]  # fmt: skip


def test_a_figure_says_what_it_is_told_and_what_its_picture_said_again(figures):
    change(figures, "lines", 1)
    update = "words => livingFigures.update(handles.lines, handles.lines.rows, words).then(() => null)"
    for words, said in ("It fell.", "It fell."), ("", "What lines say."):
        figures.page.evaluate(update, words)
        label = figures.page.get_attribute("#lines .moving", "aria-label")
        assert label == f"{said} Moves with the controls."


def pixels(reader, name):
    """The darkest and the lightest value of a figure's grey, as seen."""
    seen = image.imread(io.BytesIO(reader.page.locator(f"[id='{name}'] .moving").screenshot()), format="png")
    grey = np.dot(seen[..., :3], (0.2126, 0.7152, 0.0722))
    return float(np.median(grey)), float(grey.min()), float(grey.max())


def test_a_dark_page_shows_a_figure_in_the_dark(figures):
    change(figures, "lines", 1)
    ground, darkest, _ = pixels(figures, "lines")
    assert ground > 0.9 and darkest < 0.3
    figures.theme("dark")
    ground, _, lightest = pixels(figures, "lines")
    assert ground < 0.2 and lightest > 0.7


def test_paper_shows_the_picture(figures):
    change(figures, "points", 1)
    shown = lambda: [figures.page.locator(f"#points {inside}").is_visible() for inside in ("img", ".moving", "output")]  # noqa: E731
    figures.page.focus("#points .moving")
    figures.page.keyboard.press("ArrowRight")
    assert shown() == [False, True, True]
    figures.page.emulate_media(media="print")
    assert shown() == [True, False, False]


def test_the_script_keeps_its_names_to_itself(figures):
    change(figures, "lines", 1)
    script = """() => {
        const bare = document.body.appendChild(document.createElement("iframe")).contentWindow;
        return Object.keys(window).filter(name => !(name in bare)); }"""
    assert set(figures.page.evaluate(script)) <= {"vega", "livingFigures", "change", "0"}


def test_axe_finds_nothing_serious(figures):
    for name in FIGURES:
        change(figures, name, 1)
    figures.page.evaluate(AXE)
    found = figures.page.evaluate("() => axe.run(document, { resultTypes: ['violations'] })")["violations"]
    tell(f"{one['id']}: {one['nodes'][0]['html']}" for one in found if one["impact"] in ("serious", "critical"))


def test_the_script_is_bundled_once(tmp_path, monkeypatch):
    monkeypatch.setattr(living.vl_convert, "javascript_bundle", lambda wanted: "made")
    path = living.vega(tmp_path)
    monkeypatch.setattr(living.vl_convert, "javascript_bundle", None)
    assert living.vega(tmp_path) == path and "made" in path.read_text()


def test_the_site_has_the_script_and_no_page_loads_it_at_once(small_copy):
    site = small_copy.folder / "_build" / "html"
    later = site / "_static" / "living"
    assert (later / "vega.js").stat().st_size > 500_000 and (later / "vega.txt").is_file()
    for page in site.rglob("*.html"):
        scripts = re.findall(r'<script src="([^"?]*)', page.read_text(encoding="utf-8"))
        assert any(script.endswith("_static/living.js") for script in scripts) or page.parent != site
        assert not any("/living/" in script for script in scripts)
