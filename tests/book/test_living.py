"""Pages that follow their controls, from disk and without a network: what moves is what a run would print."""

import csv
import json
import math
import pathlib
import re
import shlex
import urllib.parse

import axe_playwright_python
import nbformat
import pytest

from llmpower.book import files, follow
from llmpower.book import living as pages
from llmpower.book.records import tied
from tests.book.browser import DESKTOP, NEEDS_CHROMIUM, PHONE, SMALL_PHONE, Reader, tell
from tests.chapters.reading import read

pytestmark = NEEDS_CHROMIUM
AXE = (pathlib.Path(axe_playwright_python.__file__).parent / "axe.min.js").read_text(encoding="utf-8")
# Chapter -> one state that is not the printed one.
STATES = {
    "index": {"model": "qwen3-32b", "prompt_tokens": 2000, "output_tokens": 300, "weight_format": "fp8"},
    "decode-breakdown": {"batch": 64, "model": "qwen3-32b", "context_tokens": 2000, "software": "sglang"},
    "datacenter-scale": {"queries_per_day": 3e9, "model": "llama-3.1-8b", "pue": 1.4, "batch": 48, "rack_kw": 60},
    "dennard-collapse": {"scale_factor": 1.3, "generations": 6, "temperature_k": 310, "cooling_ratio": 3},
    "model-against-measurement": {"accelerator": "h200-sxm", "batch": 8},
    "tdp-escalator": {
        "power_budget_w": 5e6,
        "first_accelerator": "m2-ultra",
        "last_accelerator": "mi300x",
        "metric": "fp8",
    },
    "three-layer-mitigations": {"batch": 32, "model": "qwen3-32b", "context_tokens": 4000, "quantized_format": "int4"},
    "tokens-per-watt": {"batch": 4, "context_tokens": 3000, "battery_wh": 80, "power_cap_w": 300, "idle_hours": 3},
    "what-if": {
        "model": "llama-3.1-8b",
        "queries_per_day": 3e7,
        "tokens_per_s_per_user": 40,
        "software": "vllm",
        "memory_share": 0.8,
        "most_first_token_s": 0.1,
    },
}
HOSTILE = [
    "batch=1e999", "batch=-5", "batch=NaN", "batch=Infinity", "batch=1.5.2", "batch=0x10", "batch=", "batch=1;2",
    "batch=<img src=x onerror=alert(1)>", "model=__proto__", "constructor=1", "__proto__=1", "toString=1",
    "model=<script>alert(1)</script>", "%E0%A4%A", "model=%E0%A4%A&batch=%", "x" * 100_000, "=" * 500,
    "batch=" + "9" * 5000, "model=" + "a" * 5000, "~" * 300, "batch=javascript:alert(1)",
]  # fmt: skip


# Words of the article, without the controls and what stands only on a page that moves.
WORDS = """() => {
  const article = document.querySelector(".bd-article").cloneNode(true);
  const added = ".living, .living-with, .living-equation, .living-compare, .moving, .told, .off, script, style";
  for (const one of article.querySelectorAll(added)) one.remove();
  return article.textContent.replace(/\\s+/g, " ");
}"""
# What is marked, what the controls say, and what stands in the address.
SEEN = """() => ({
  marked: [".moved", ".turned", ".stale"].map(kind => document.querySelectorAll(`.bd-article ${kind}`).length),
  told: document.querySelector(".living output").textContent,
  command: document.querySelector(".living-command").textContent,
  hash: location.hash, open: document.querySelector(".living").open,
})"""
BEGUN = "() => document.querySelector('.living-command')?.textContent"
# What each figure that moves says, by its name, once all are drawn.
LABELS = """() => Object.fromEntries([...document.querySelectorAll(".moving")].map(one =>
  [one.closest("figure").id, one.getAttribute("aria-label")]))"""
DRAWN = "count => document.querySelectorAll('.moving[aria-label]').length === count"
# Values of the controls, by parameter, as they stand there.
VALUES = """() => Object.fromEntries([...document.querySelectorAll(".living-controls [id]")].map(one =>
  [one.id.slice(7), one.matches("select") ? one.selectedOptions[0].textContent : one.value]))"""
# Everything that shows, as the page has it, against what the program says: places, branches, and what needs a run.
WRONG = """([state, outputs, waits, moved]) => {
  const texts = livingPage.texts(state), wrong = [], all = one => [...document.querySelectorAll(one)];
  const tied = text => text.replace(/(?<=\\d) (?=[^\\d(])(?!to )/g, "\\u00a0");
  let seen = 0;
  outputs.forEach((how, at) => {
    for (const one of all(`.k${at}`)) {
      seen++;
      if (one.textContent !== tied(texts[at])) wrong.push(`k${at}: ${one.textContent}, not ${texts[at]}`);
    }
    for (const [end, holds] of [[1, texts[at]], [0, !texts[at]]]) for (const one of all(`.c${at}-${end}`)) {
      if (how === "case" && one.classList.contains("off") === holds) wrong.push(`c${at}-${end} is the wrong branch`);
      if (how === "case" && !holds && one.checkVisibility()) wrong.push(`c${at}-${end} is seen`);
    }
  });
  waits.forEach((names, at) => {
    for (const one of all(`.w${at}, .tag_w${at}`))
      if (one.classList.contains("stale") !== names.some(name => moved.includes(name))) wrong.push(`w${at}`);
  });
  return { texts, wrong, seen };
}"""


def address(site, chapter):
    return ((site / "index.html") if chapter == "index" else site / "chapters" / f"{chapter}.html").as_uri()


def hashed(state):
    return "#~" + urllib.parse.urlencode(
        {name: f"{value:.15g}" if isinstance(value, float) else value for name, value in state.items()}
    )


class Living(Reader):
    """A reader of a page that moves."""

    def begin(self, url):
        """Open a page and, by the keyboard, its controls; returns the words of the article before."""
        self.open(url)
        words = self.page.evaluate(WORDS)
        self.page.locator(".living > summary").focus()
        self.page.keyboard.press("Enter")
        self.page.wait_for_function(BEGUN)
        return words

    def go(self, hash):
        """Follow a link to a state of this page."""
        before = self.page.evaluate("location.hash")
        self.page.evaluate("hash => { location.hash = hash; }", hash)
        # The page follows a link when the event comes; the command stands for all of it.
        self.page.evaluate("() => new Promise(done => setTimeout(done, 30))")
        return before

    def seen(self):
        return self.page.evaluate(SEEN)

    def words(self):
        return self.page.evaluate(WORDS)

    def press(self, *keys):
        for key in keys:
            self.page.keyboard.press(key)


@pytest.fixture(scope="module")
def left(built):
    """What the run of each chapter left for its page."""
    return {name: files.read_json(folder / follow.FILE) for name, folder in built[1].items()}


@pytest.fixture(scope="module")
def living(browser):
    """Somebody who moves numbers."""
    reader = Living(browser)
    reader.page.on("dialog", lambda dialog: (reader.wrong.append(f"dialog {dialog.message}"), dialog.dismiss()))
    yield reader
    reader.context.close()


@pytest.fixture(scope="module", params=STATES)
def chapter(request):
    return request.param


def clean(reader, site):
    """What went wrong, and what was asked of anything but files of the site."""
    return reader.wrong + [url for url in reader.asked if not url.startswith((site.as_uri(), "data:", "blob:"))]


def test_every_page_with_controls_is_tried(left):
    assert {name for name, one in left.items() if one["page"]["inputs"]} == set(STATES)


def moved_by_keyboard(living, name, row, known):
    """What is wrong with a control that is moved by keys alone; known: those that were moved before."""
    page, id = living.page, f"#living-{name}"
    default = page.evaluate(VALUES)[name]

    def changed():
        now = page.evaluate(VALUES)[name]
        return now if now != default else None

    page.locator(row).first.focus()
    if row == id and page.locator(id).evaluate("one => one.matches('select')"):
        place, last = page.locator(id).evaluate("one => [one.selectedIndex, one.length - 1]")
        living.press("ArrowDown" if place < last else "ArrowUp")
    elif row == id:
        typed = page.locator(id).evaluate(
            """one => one.type === "text" ? `${one.value},x` : String([1.5, 0.5, 2].map(by => by * one.value)
              .find(value => value >= +one.min && value <= +one.max && value !== +one.value
              && Number.isInteger(value) >= Number.isInteger(+one.value)
            ) ?? [one.min, one.max].find(end => end !== one.value))"""
        )
        living.press("Control+a")
        page.keyboard.type(typed)
        living.press("Enter")
    else:
        at, most = page.locator(row).evaluate("one => [Number(one.value), Number(one.max)]")
        for _ in range(60):
            living.press("ArrowRight" if at < most else "ArrowLeft")
            if changed():
                break
    value, seen = changed(), living.seen()
    asked = urllib.parse.parse_qs(seen["hash"][2:], keep_blank_values=True)
    given = dict(one.split("=", 1) for one in shlex.split(seen["command"])[4::2])
    if value is None or not set(asked) == set(given) == known | {name} or asked[name] != [given[name]]:
        yield f"{name}: {default} became {value}, {seen['hash']}, {seen['command']}"


def test_controls_begin_at_the_printed_numbers_and_come_back_to_them(living, site, chapter, left):
    inputs, wrong, known = left[chapter]["page"]["inputs"], [], set()
    before = living.begin(address(site, chapter))
    begun = living.seen()
    assert begun["marked"] == [0, 0, 0] and begun["hash"] == "" and begun["open"]
    assert begun["told"] == "These are the numbers as printed." and begun["command"] == f"llmpower run {chapter}"
    assert living.words() == before
    for name in inputs:
        rows = [f"#living-{name}"]
        if living.page.locator(rows[0]).evaluate("one => one.type === 'number'"):
            rows.append(f"div:has(> span > #living-{name}) > input[type=range]")
        for row in rows:
            wrong += moved_by_keyboard(living, name, row, known)
            known.add(name)
    living.page.get_by_role("button", name="reset").click()
    assert living.seen() == begun and living.words() == before
    tell(wrong + clean(living, site))


def placed(page, state):
    """A state as the program takes it: of a choice the place among its options."""
    inputs = page["inputs"]
    return {
        name: inputs[name]["options"].index(one) if "options" in inputs[name] else one for name, one in state.items()
    }


class Stale(Exception):
    """A text needs a run."""


def filled(text, texts, waits, moved):
    """A text of what a run left for its page, as the page fills it."""

    def span(found):
        inner, kinds = found[1], found[2]
        if place := re.match(r"\.k(\d+)", kinds):
            return texts[int(place[1])]
        if branch := re.match(r"\.c(\d+)-(\d)", kinds):
            return inner if texts[int(branch[1])] == (branch[2] == "1") else ""
        if moved & set(waits[int(re.search(r"\.w(\d+)", kinds)[1])]):
            raise Stale
        return inner

    if block := re.match(r"::::::\{div\} waits w(\d+)\n(.*)\n::::::$", text, re.DOTALL):
        if moved & set(waits[int(block[1])]):
            raise Stale
        text = block[2]
    while (once := re.sub(r"\[([^\[\]]*)\]\{(\.[^}]*)\}", span, text)) != text:
        text = once
    return lean(text)


def lean(text):
    """A text without what only makes its source look neat; a cell that is empty in a run is a dash on the page."""
    text = re.sub(r"\s+", " ", re.sub(r"[\\`]", "", text.replace("\N{NO-BREAK SPACE}", " "))).strip()
    return re.sub(r"\| ?–( \(–\))?(?=\|)", "|", re.sub(r"[-: ]+\|", "|", text))


# Where sentences turn round, and where nothing fits.
OTHERS = [
    ("decode-breakdown", {"batch": 256, "context_tokens": 500}),
    ("decode-breakdown", {"model": "deepseek-v3", "batch": 1_000_000, "n_accelerators": 8}),
    ("decode-breakdown", {"accelerator": "m1-pro", "model": "llama-3.1-8b"}),
    ("dennard-collapse", {"generations": 1, "rule": "fixed_voltage_rising"}),
    ("what-if", {"batch": 32, "n_accelerators": 4, "power_cap_w": 400, "host_power_w": 900, "context_tokens": 3000}),
]


@pytest.mark.parametrize(("chapter", "state"), [*STATES.items(), *OTHERS])
def test_what_follows_is_what_a_run_prints(living, site, chapter, state, left):
    own = left[chapter]
    page, run = own["page"], read(chapter, **state)
    living.open(address(site, chapter) + hashed(state))
    living.page.wait_for_function(BEGUN)
    living.page.wait_for_function(DRAWN, arg=len(page["figures"]))
    outputs = [how for how, *_ in page["outputs"]]
    found = living.page.evaluate(WRONG, [placed(page, state), outputs, page["waits"], [*state]])
    assert shlex.split(living.seen()["command"])[4::2] == [
        f"{name}={state[name]:.15g}" if isinstance(state[name], float) else f"{name}={state[name]}"
        for name in page["inputs"] if name in state
    ]  # fmt: skip
    wrong, texts, moved, compared = found["wrong"], found["texts"], set(state), 0
    for name, text in own["glue"].items():
        try:
            shown = filled(text, texts, page["waits"], moved) if isinstance(text, str) else None
        except Stale:
            continue
        # Sentences that a run leaves out stand hidden on the page; there it shows nothing, or says zero.
        if shown is None or name not in run.texts or "–" in shown and run.texts[name] == "0":
            continue
        compared += 1
        wrong += [] if shown == lean(run.texts.get(name, "")) else [f"{name}: {shown}, a run: {run.texts.get(name)}"]
    for number, cell in own["cells"].items():
        prints = run.prints[int(number)]
        try:
            shown = [filled(text, texts, page["waits"], moved) for text in cell["prints"].values()]
        except Stale:
            continue
        compared += 1
        # A print of which nothing is left is none.
        if " ".join(filter(None, shown)) != " ".join(
            lean(prints[int(at)]) for at in cell["prints"] if int(at) < len(prints)
        ):
            wrong.append(f"cell {number}: {shown}, a run: {prints}")
    assert compared > 0
    labels, figures = living.page.evaluate(LABELS), page["figures"]
    for name, said in labels.items():
        if "alt" in figures[name] and not moved & set(figures[name]["kept"]):
            wrong += (
                [] if said.startswith(run.alts[name] + " Moves with") else [f"{name}: {said}, a run: {run.alts[name]}"]
            )
        elif not said.startswith("This figure has moved: "):
            wrong.append(f"{name}: {said}, but nobody knows")
    assert set(labels) == set(figures)
    # A link that is followed on the page does what one from outside does.
    words, seen = living.words(), living.seen()
    living.go("#~")
    assert living.seen()["marked"] == [0, 0, 0] and (living.words() != words) is any(seen["marked"][:2])
    living.go(hashed(state))
    assert living.words() == words and living.seen()["marked"] == seen["marked"] != [0, 0, 0]
    tell(wrong + clean(living, site))


def test_sentences_turn_round_and_what_cannot_be_is_a_dash(living, site):
    living.begin(address(site, "decode-breakdown"))
    before = living.words()
    for state, shown in (OTHERS[0][1], ""), (OTHERS[1][1], "–"):
        living.go(hashed(state))
        turned = living.seen()["marked"][1]
        assert turned > 0 and living.words() != before
        assert not living.page.evaluate(
            "() => [...document.querySelectorAll('.off')].some(one => one.checkVisibility())"
        )
        assert living.words().count(" – ") > before.count(" – ") if shown else True


def unharmed(living):
    """What a link has put into the page that is no text."""
    return living.page.evaluate(
        """() => [...document.querySelectorAll("img[src='x'], [onerror], script:not([src]):not([type])")]
          .filter(one => one.outerHTML.includes("alert")).map(one => one.outerHTML)"""
    )


def test_hostile_links_do_nothing(living, site):
    url = address(site, "decode-breakdown")
    before = living.begin(url)
    wrong = []
    for link in HOSTILE:
        living.go(f"#~{link}")
        seen = living.seen()
        if seen["marked"] != [0, 0, 0] or seen["command"] != "llmpower run decode-breakdown" or unharmed(living):
            wrong.append(f"{link[:60]}: {seen['command'][:100]}, {seen['marked']}, {unharmed(living)}")
    assert living.words() == before
    wrong += clean(living, site)
    for link in HOSTILE[8], HOSTILE[14], HOSTILE[16]:
        living.open(f"{url}#~{link}")
        living.page.wait_for_function(BEGUN)
        wrong += clean(living, site) + unharmed(living)
        assert living.words() == before and living.seen()["command"] == "llmpower run decode-breakdown"
    tell(wrong)


@pytest.mark.parametrize(
    "text", ["<img src=x onerror=alert(1)>", "'; rm -rf $HOME; echo '", "a b\\ \"c\" `id` $(id) 'd'", "é" * 5000]
)
def test_texts_of_a_link_stay_texts(living, site, text):
    living.begin(address(site, "tokens-per-watt"))
    living.go(hashed({"devices": text}))
    command, kept = living.seen()["command"], text[:200]
    assert shlex.split(command) == ["llmpower", "run", "tokens-per-watt", "-p", f"devices={kept}"]
    assert living.page.locator("#living-devices").input_value() == kept
    tell(unharmed(living) + clean(living, site))


TABLE = (
    "() => [...document.querySelectorAll('.living-compare tr')].map(row => [...row.cells].map(one => one.textContent))"
)


def default(page, name):
    """What a control has at first."""
    one = page["inputs"][name]
    return one["options"][one["value"]] if "options" in one else one["value"]


def test_states_are_kept_side_by_side(living, browser, site, left):
    url, states = address(site, "what-if"), [{"queries_per_day": 2e6}, {"model": "llama-3.1-8b"}, {"pue": 1.5}]
    living.begin(url)
    assert living.page.evaluate(TABLE) == []
    page, alone = left["what-if"]["page"], []
    for state in states:
        texts = living.page.evaluate("state => livingPage.texts(state)", placed(page, state))
        alone.append(tuple(tied(texts[place]) for _, place in page["compared"]))
    keep = living.page.get_by_role("button", name="keep", exact=True)
    for number, state in enumerate(states):
        # A control keeps what was kept; a link would bring its own, and reset drops it.
        before = {name: default(page, name) for name in states[number - 1]} if number else {}
        for name, value in {**before, **state}.items():
            field = living.page.locator(f"#living-{name}")
            if field.evaluate("one => one.matches('select')"):
                field.select_option(label=value)
            else:
                field.fill(f"{value:.15g}")
                field.press("Enter")
        if number < 2:
            keep.click()
    table = living.page.evaluate(TABLE)
    known = page["inputs"]
    # As people read them: what is meant, and the number with its unit.
    day, net = f"{known['queries_per_day']['label']}: 2,000,000 1/day", f"{known['model']['label']}: llama-3.1-8b"
    assert [tied(one) for one in table[0]] == ["", tied(day), tied(net), "now"]
    assert [row[0] for row in table[1:]] == [label for label, _ in page["compared"]]
    columns = list(zip(*([row[1:] for row in table[1:]])))
    assert columns == alone, "each column is what its state shows alone"
    link = "#~pue=1.5~queries_per_day=2000000~model=llama-3.1-8b"
    other = Living(browser)
    other.open(url + link)
    other.page.wait_for_function(BEGUN)
    assert other.page.evaluate(TABLE) == table
    other.go(link + "~batch=3~model=qwen3-32b")
    assert other.page.evaluate(TABLE) == table, "two are kept, and no more"
    tell(clean(other, site) + clean(living, site))
    other.context.close()


def spelled(page, value, unit):
    """A number of an equation as its page has it, without spaces."""
    scaled = page.evaluate("unit => unit in livingNumbers.scales", unit)
    unit = unit if scaled else unit.replace("2", "²").replace("3", "³").replace("usd", "USD")
    if scaled or value == 0 or 1e-3 <= abs(value) < 1e7 or not math.isfinite(value):
        return "".join(page.evaluate("([value, unit]) => livingNumbers.text(value, unit)", [value, unit]).split())
    digits, exponent = f"{value:.2e}".split("e")
    return f"{digits}×10{int(exponent)}{unit.removeprefix('1') if unit == '1' else unit}".replace("-", "−")


@pytest.mark.parametrize("name", sorted(STATES.keys() - {"index", "what-if"}))
def test_equations_show_the_numbers_of_the_state(name, living, site, left):
    own, state = left[name], STATES[name]
    given, inputs = own["page"]["equations"], own["page"]["inputs"]
    living.begin(address(site, name))
    buttons = living.page.locator(".living-with")
    labels = buttons.evaluate_all("all => all.map(one => one.previousElementSibling.id.replace('equation-', ''))")
    assert sorted(labels) == sorted(given) and len(labels) > 5
    buttons.evaluate_all("all => all.forEach(one => one.click())")
    for link in "#~", hashed(state):
        living.go(link)
        living.page.evaluate("() => MathJax.typesetPromise([document.createElement('p')]).then(() => null)")
        moved = {one: inputs[one]["options"].index(to) if "options" in inputs[one] else to for one, to in state.items()}
        values = {one: what["value"] for one, what in inputs.items()} | (moved if link != "#~" else {})
        found = living.page.evaluate(f"state => {{ {own['program']} return compute(state); }}", values)
        assert living.page.locator(".living-equation mjx-merror").count() == 0
        for label, words in zip(labels, living.page.locator(".living-equation mjx-assistive-mml").all_text_contents()):
            words = "".join(words.split())
            printed = [
                spelled(living.page, found[at] if isinstance(at, int) else at[0], unit)
                for at, unit in (*given[label]["terms"], given[label]["result"])
            ]
            assert all(one in words for one in printed), (label, words, printed)
            assert words.split("=")[-1] == printed[-1], (label, words)
    tell(clean(living, site))


def test_open_controls_leave_the_page_its_half_and_keep_in_sight_what_can_be_done(living, site):
    page = living.page
    for width, height in ((1280, 900), (PHONE, 667)):
        page.set_viewport_size({"width": width, "height": height})
        living.begin(address(site, "what-if"))
        living.go(hashed(STATES["what-if"]))
        for end in (0, 1e6):
            page.evaluate("end => document.querySelector('.living-controls').scrollTo(0, end)", end)
            panel, told, buttons, command, controls = page.evaluate(IN_SIGHT)
            order = height / 2 < panel < min(told, buttons) < max(told, buttons) < command < controls < height - 60
            assert order, (width, end, panel, told, buttons, command, controls)
    # By the keyboard what can be done comes first, then the controls in the order in which they stand.
    page.locator(".living > summary").focus()
    reached = []
    for _ in range(7):
        living.press("Tab")
        reached.append(page.evaluate("document.activeElement.id || document.activeElement.textContent"))
    command = living.seen()["command"]
    assert reached == ["reset", "keep", "copy link", "copy command", command, "living-model", "living-accelerator"]
    page.set_viewport_size({"width": DESKTOP, "height": 900})


# From top to bottom: the panel, its status, its buttons, the command, and the list of controls.
IN_SIGHT = """() => ["", " output", " button", "-command", "-controls"].map(one =>
  document.querySelector(`.living${one}`).getBoundingClientRect().top)"""
LINK = """name => { const { href, download, textContent, ariaLabel } =
  document.querySelector(`#${name} .figure-data`); return { href, download, textContent, ariaLabel }; }"""


def table_of(living, name):
    """What a reader gets of the data behind a figure: the name of the file, and its rows."""
    with living.page.expect_download() as waited:
        living.page.locator(f"#{name} .figure-data").click()
    file = waited.value
    with open(file.path(), encoding="utf-8", newline="") as text:
        return file.suggested_filename, list(csv.reader(text))


def test_the_data_behind_a_figure_move_with_it(living, site, left):
    name, figure = "fig-shares", left["decode-breakdown"]["page"]["figures"]["fig-shares"]
    living.begin(address(site, "decode-breakdown"))
    living.page.wait_for_function(DRAWN, arg=3)
    before = living.page.evaluate(LINK, name)
    assert before["href"].endswith(f"/downloads/decode-breakdown.{name}.csv") and before["textContent"] == "data (CSV)"
    living.go(hashed({"batch": 64, "context_tokens": 4096}))
    moved = living.page.evaluate(LINK, name)
    assert moved["textContent"] == "data (CSV), as moved" and moved["ariaLabel"] == f"{before['ariaLabel']}, as moved"
    file, (heads, *rows) = table_of(living, name)
    assert file == f"decode-breakdown.{name}.moved.csv" and heads == figure["heads"]
    assert heads[1:3] == ["batch: sequences decoded together", "share of dynamic energy that moves data [1]"]
    assert len(rows) == len(figure["rows"]) and {len(row) for row in rows} == {len(heads)}
    run = read("decode-breakdown", batch=64, context_tokens=4096)
    (own,) = (row for row in rows if row[heads.index("mine")] == "true")
    assert own[:2] == ["", "64"] and float(own[2]) == pytest.approx(run.numbers["share"], rel=1e-9)
    living.page.get_by_role("button", name="reset").click()
    assert living.page.evaluate(LINK, name) == before
    tell(clean(living, site))


AUDIT = """async () => {
  const marked = [...document.querySelectorAll(".moved, .turned")].filter(one => one.checkVisibility());
  const include = [document.querySelector(".living"), ...marked.slice(0, 20)];
  const { violations } = await axe.run({ include }, { resultTypes: ["violations"], preload: false });
  return violations.filter(one => ["serious", "critical"].includes(one.impact))
    .map(one => `${one.id}: ${one.nodes.slice(0, 3).map(node => node.html.slice(0, 120)).join("; ")}`);
}"""
MOTION = """() => [...document.querySelectorAll(":is(.living, .moving), :is(.living, .moving) *, .moved, .stale")]
  .filter(one => {
  const style = getComputedStyle(one);
  return [style.transitionDuration, style.animationDuration].some(time => parseFloat(time) > 0);
}).map(one => one.outerHTML.slice(0, 80))"""
PAPER = """() => {
  const all = selector => [...document.querySelectorAll(selector)], seen = one => one.checkVisibility();
  const controls = ".living, .living-with, .living-equation, .living-compare, .moving, .told";
  return {
    controls: all(controls).filter(seen).map(one => one.className),
    pictures: all(".bd-article figure img").filter(one => !seen(one)).map(one => one.src),
  };
}"""


def test_the_controls_fit_every_screen_theme_and_sheet(living, site, chapter):
    before, wrong, page = living.begin(address(site, chapter)), [], living.page
    wrong += [f"moves: {one}" for one in page.evaluate(MOTION)]
    page.emulate_media(media="print")
    wrong += [f"on paper: {one}" for one in page.evaluate(PAPER).items() if one[1]]
    assert living.words() == before
    page.emulate_media(media="screen")
    living.go(hashed(STATES[chapter]))
    page.wait_for_timeout(100)
    page.emulate_media(media="print")
    wrong += [f"moved, on paper: {one}" for one in page.evaluate(PAPER).items() if one[1]]
    page.emulate_media(media="screen")
    page.evaluate(f"() => {{ {AXE}; }}")
    for pixels in (SMALL_PHONE, PHONE, DESKTOP):
        living.width(pixels)
        wide = page.evaluate("document.scrollingElement.scrollWidth")
        wrong += [f"{pixels}: {wide} wide"] if wide > pixels else []
        # Controls are made alike on all pages, and those of these two are of all kinds.
        audited = pixels != SMALL_PHONE and chapter in ("decode-breakdown", "tokens-per-watt")
        for theme in ("light", "dark") if audited else ():
            living.theme(theme)
            wrong += [f"{theme}, {pixels}: {one}" for one in page.evaluate(AUDIT)]
    wrong += [f"moves: {one}" for one in page.evaluate(MOTION)]
    tell(wrong + clean(living, site))


def test_without_scripts_a_page_is_whole(browser, living, site, left):
    bare = Living(browser, java_script_enabled=False)
    for chapter in STATES:
        bare.page.goto(address(site, chapter))
        assert not bare.page.locator(".living").is_visible()
        living.page.goto(address(site, chapter))
        texts = [
            reader.page.locator(".bd-article :is(p:not(.admonition-title), td)").all_text_contents()
            for reader in (bare, living)
        ]
        plain, moving = ([one for one in some if "\\(" not in one] for some in texts)
        assert len(plain) > 5 and set(plain) <= set(texts[1]), chapter
    bare.context.close()


def test_a_branch_that_the_run_did_not_take_may_name_what_it_did_not_show(tmp_path):
    told = "[with {glue:text}`there`]{.c1-1 .off}[without {glue:text}`later`, {glue:text}`nowhere`]{.c1-0}"
    cells = {"1": {"prints": {"0": told}, "waits": None}}
    left = {"glue": {"there": "[5]{.k0}", "later": {"waits": 0}}, "cells": cells, "used": {}}
    files.replace({tmp_path / follow.FILE: json.dumps(left | {"page": {"inputs": {}, "figures": {}}})})
    printed = nbformat.v4.new_output("display_data", {"text/markdown": "without"})
    cell = nbformat.v4.new_code_cell("", execution_count=1, outputs=[printed])
    pages.dress(nbformat.v4.new_notebook(cells=[cell]), "any", tmp_path)
    # A key that nobody has stays for the check of the site.
    wanted = "[with [5]{.k0}]{.c1-1 .off}[without [–]{.waits .w0}, {glue:text}`nowhere`]{.c1-0}"
    assert printed.data["text/markdown"] == wanted
