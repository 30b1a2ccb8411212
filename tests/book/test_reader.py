"""The built site as its readers use it: from disk, by keyboard, in both themes, searching, for the first time."""

import contextlib
import io
import threading

import numpy
import pytest
from PIL import Image

from llmpower.book import weight
from tests.book.browser import CHAPTER, FRONT, NEEDS_CHROMIUM, Quiet, Reader, pages, serve, settle, tell

pytestmark = NEEDS_CHROMIUM


def test_the_reader_hears_of_a_missing_file_but_not_of_a_page_left_early(reader, tmp_path):
    page = '<!doctype html><link rel="icon" href="data:,"><img src="gone.png"><script>fetch("slow.txt")</script>'
    (tmp_path / "page.html").write_text(page, encoding="utf-8")
    left = threading.Event()

    class Slow(Quiet):
        def do_GET(self):
            if self.path == "/slow.txt":
                left.wait(60)
            super().do_GET()

        def copyfile(self, source, outputfile):
            with contextlib.suppress(ConnectionError):
                super().copyfile(source, outputfile)

    with serve(tmp_path, Slow) as address:
        cut = []
        reader.page.on("requestfailed", lambda request: cut.append(request.url))
        reader.open(f"{address}/page.html")
        reader.page.goto("about:blank")
        left.set()
    assert cut == [f"{address}/slow.txt"]
    assert [line for line in reader.wrong if "404" in line] == reader.wrong != []
    reader.open((tmp_path / "page.html").as_uri())
    assert f"failed: {(tmp_path / 'gone.png').as_uri()}, net::ERR_FILE_NOT_FOUND" in reader.wrong


def test_the_site_opens_from_disk(browser, site):
    reader, wrong = Reader(browser), []
    for name in pages(site):
        reader.open((site / name).as_uri())
        wrong += [f"{name}: {line}" for line in reader.wrong]
        wrong += [f"{name}: {url}" for url in reader.asked if not url.startswith((site.as_uri(), "data:", "blob:"))]
        written = (site / name).read_text(encoding="utf-8").count('class="math ')
        typeset = reader.page.locator("mjx-container").count()
        wrong += [] if typeset == written else [f"{name}: {typeset} formulas typeset, {written} in the file"]
    reader.context.close()
    tell(wrong)


def test_the_site_and_its_pages_are_light(browser, site):
    loaded = {name: weight.loaded(browser, site / name) for name in pages(site)}
    assert all(files > 10 for files, _, _ in loaded.values())
    tell(weight.too_heavy(weight.kinds(site), loaded))


def test_what_weighs_too_much_is_told():
    kinds = {".html": (9, 15_000_000), ".ipynb": (3, 7_000_001)}
    loaded = {"a.html": (9, 2_200_000, 700_000), "b.html": (9, 2_200_001, 700_001)}
    assert weight.too_heavy(kinds, loaded) == [
        "the site: 22,000,001 bytes, 22,000,000 are allowed",
        "b.html: 2,200,001 bytes, 2,200,000 are allowed",
        "b.html, packed: 700,001 bytes, 700,000 are allowed",
    ]


@pytest.mark.parametrize("place", ["served", "from disk"])
def test_search_finds_the_cache(reader, site, address, place):
    start = f"{address}/{FRONT}" if place == "served" else (site / FRONT).as_uri()
    reader.open(start)
    reader.page.keyboard.press("Control+k")
    reader.page.keyboard.type("KV cache")
    reader.page.keyboard.press("Enter")
    reader.page.wait_for_url("**/search.html?q=KV+cache**")
    hit = reader.page.locator("#search-results li a", has_text="Decode:").first
    # By the keyboard: results that still come in would move it away under a mouse.
    hit.press("Enter")
    reader.page.wait_for_url("**/chapters/decode-breakdown.html*")
    settle(reader.page)
    assert not reader.wrong
    assert not [url for url in reader.asked if not url.startswith((start.rpartition("/")[0], "data:"))]


# What has the focus, and whether one sees that it does.
FOCUS = """() => {
  const one = document.activeElement;
  if (!one || one === document.body) return null;
  const look = () => ["", "::after"].map(part => {
    const style = getComputedStyle(one, part);
    return [style.outlineStyle, style.outlineWidth, style.boxShadow, style.borderColor, style.backgroundColor].join();
  }).join();
  one.dataset.reached = "";
  const focused = look(), box = one.getBoundingClientRect();
  const seen = one.checkVisibility({ visibilityProperty: true, opacityProperty: true });
  one.blur();
  const inside = box.right > 0 && box.left < innerWidth && box.bottom > 0 && box.top < innerHeight;
  return [one.outerHTML.slice(0, 100), seen && inside && box.width > 0, focused !== look()];
}"""


MISSED = """() => [...document.querySelectorAll("a[href], button, input:not([type=hidden]), summary, [tabindex='0']")]
  .filter(one => one.checkVisibility({ visibilityProperty: true }) && !one.disabled && !("reached" in one.dataset))
  // Of choices Tab reaches one, and the arrows the others: `test_each_choice_is_judged` takes them.
  .filter(one => one.type !== "radio" || !document.querySelector(`[name="${one.name}"][data-reached]`))
  .map(one => one.outerHTML.slice(0, 100))"""


@pytest.mark.parametrize("name", [FRONT, CHAPTER])
def test_the_keyboard_reaches_everything_in_sight(reader, address, name):
    reader.open(f"{address}/{name}")
    # What a first touch adds is there before the keyboard sets out.
    if name == CHAPTER:
        reader.page.locator("details.living > summary").hover()
        reader.page.wait_for_selector(".living-with", state="attached")
    reader.page.mouse.move(0, 0)
    wrong = []
    for _ in range(2000):
        reader.page.keyboard.press("Tab")
        focus = reader.page.evaluate(FOCUS)
        if focus is None:
            break
        what, seen, marked = focus
        wrong += [] if seen else [f"out of sight: {what}"]
        wrong += [] if marked else [f"focus not marked: {what}"]
    wrong += [f"not reached: {what}" for what in reader.page.evaluate(MISSED)]
    tell(wrong)


def test_the_first_tab_leads_past_the_navigation(reader, address):
    reader.open(f"{address}/{CHAPTER}")
    reader.page.keyboard.press("Tab")
    assert reader.page.evaluate("() => document.activeElement.innerText") == "Skip to main content"
    reader.page.keyboard.press("Enter")
    reader.page.keyboard.press("Tab")
    assert reader.page.evaluate("() => document.querySelector('#main-content').contains(document.activeElement)")


@pytest.mark.parametrize(
    "fold, content", [("details.hide > summary", "details.hide pre"), (".solution .toggle-button", ".solution section")]
)
def test_what_is_folded_away_opens_from_the_keyboard(reader, address, fold, content):
    reader.open(f"{address}/{CHAPTER}")
    hidden = reader.page.locator(content).first
    assert not hidden.is_visible()
    reader.page.locator(fold).first.focus()
    reader.page.keyboard.press("Enter")
    assert hidden.is_visible()


def luminance(color):
    """Relative luminance of red, green and blue from 0 to 255, as WCAG 2 defines it."""
    part = numpy.asarray(color) / 255
    return numpy.where(part <= 0.04045, part / 12.92, ((part + 0.055) / 1.055) ** 2.4) @ [0.2126, 0.7152, 0.0722]


def test_both_themes_last_and_keep_figures_legible(reader, address):
    reader.open(f"{address}/{CHAPTER}")
    shades = {}
    for _ in range(3):
        reader.page.locator(".theme-switch-button:visible").first.click()
        mode = reader.page.evaluate("() => document.documentElement.dataset.mode")
        for name in (FRONT, CHAPTER):
            reader.open(f"{address}/{name}")
            assert reader.page.evaluate("() => document.documentElement.dataset.mode") == mode, name
        background = reader.page.evaluate(
            "() => getComputedStyle(document.body).backgroundColor.match(/[0-9.]+/g).slice(0, 3).map(Number)"
        )
        shades[mode] = luminance(background)
        for picture in reader.page.locator("main figure img").all():
            pixels = numpy.asarray(Image.open(io.BytesIO(picture.screenshot())).convert("RGB")).reshape(-1, 3)
            colors, counts = numpy.unique(pixels, axis=0, return_counts=True)
            ground, others = luminance(colors[counts.argmax()]), luminance(colors)
            contrast = (numpy.maximum(ground, others) + 0.05) / (numpy.minimum(ground, others) + 0.05)
            # Letters are thin: a hundredth of the picture must stand out from its ground.
            assert counts[contrast >= 4.5].sum() > 0.01 * counts.sum(), mode
    assert set(shades) == {"auto", "light", "dark"}
    assert shades["light"] > 0.8 and shades["dark"] < 0.05
