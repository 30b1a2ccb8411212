"""The built site as its readers meet it: in a browser, without a network."""

import collections
import contextlib
import gzip
import io
import os
import pathlib
import threading
import urllib.parse

import axe_playwright_python
import numpy
import pytest
from PIL import Image

from tests.book.browser import CHROMIUM, Quiet, chromium, pages, serve, settle

pytestmark = pytest.mark.skipif(
    not CHROMIUM and not os.environ.get("CI"),
    reason="THE SITE WAS NOT TESTED IN A BROWSER: install Chromium (Debian: chromium) or name it in CHROMIUM",
)
DESKTOP, PHONE, SMALL_PHONE, PAPER = 1280, 375, 320, 718  # the last one: A4 at 96 dots an inch, margins of 1 cm
AXE = (pathlib.Path(axe_playwright_python.__file__).parent / "axe.min.js").read_text(encoding="utf-8")
FRONT, CHAPTER = "index.html", "chapters/decode-breakdown.html"

# What a page says of itself; the pages of a table of contents have no formula, no table or no picture.
FACTS = """() => {
  const all = selector => [...document.querySelectorAll(selector)];
  const shown = element => element.checkVisibility({ visibilityProperty: true });
  return {
    language: document.documentElement.lang,
    headings: all("h1, h2, h3, h4, h5, h6").filter(shown).map(one => [Number(one.tagName[1]), one.innerText]),
    formulas: all(".math").length,
    typeset: all("mjx-container").length,
    spoken: all("mjx-container > mjx-assistive-mml > math").length,
    unreadable: all("mjx-merror, [data-mjx-error], mjx-mtext[style*=red]").map(one => one.outerHTML.slice(0, 200)),
    fonts: [...document.fonts].map(font => [font.family, font.status]),
    pictures: all("img").map(one => [one.src, one.getAttribute("alt"), one.complete && one.naturalWidth > 0]),
    headless: all("table").filter(one => !one.querySelector("th")).map(one => one.innerText.slice(0, 60)),
    undirected: all("th:not([scope])").map(one => one.innerText),
    links: all("[href], [src]").map(one => one.href?.animVal ?? one.href ?? one.src),
    ids: all("[id]").map(one => one.id),
    moving: all("*").filter(one => ["", "::before", "::after"].some(part => {
      const style = getComputedStyle(one, part);
      const times = [style.transitionDuration, style.animationDuration];
      return times.some(time => parseFloat(time) > 0) || style.scrollBehavior === "smooth";
    })).map(one => one.outerHTML.slice(0, 80)),
  };
}"""

# Everything folded away comes into sight.
UNFOLD = """() => {
  document.querySelectorAll("details").forEach(one => { one.open = true; });
  document.querySelectorAll("button.toggle-button-hidden").forEach(one => one.click());
}"""

# What sticks out of the window, or out of a box that cuts it off or that the keyboard cannot scroll.
CLIPPED = """() => {
  const found = [];
  const wide = document.scrollingElement.scrollWidth;
  if (wide > innerWidth) found.push(`the page is ${wide} wide`);
  const kinds = "table, pre, img, figure, mjx-container, .math, p, li, h1, h2, h3";
  for (const one of document.querySelectorAll(`main :is(${kinds})`)) {
    if (!one.checkVisibility({ visibilityProperty: true })) continue;
    const tell = what => found.push(`${what}: ${one.tagName} ${one.innerText?.slice(0, 50)}`);
    let right = one.getBoundingClientRect().right;
    for (let box = one; box && box !== document.body; box = box.parentElement) {
      const style = getComputedStyle(box), edge = box.getBoundingClientRect().right;
      const hidden = box.scrollWidth > box.clientWidth + 1;
      if (style.overflowX === "visible" || style.display === "inline") continue;
      if (["auto", "scroll"].includes(style.overflowX)) {
        const reached = box.tabIndex >= 0 || box.querySelector("a[href], [tabindex='0']");
        if (hidden && !reached) tell("out of the keyboard's reach");
      } else if (right > edge + 1 || box === one && hidden) tell("cut off");
      right = Math.min(right, edge);
    }
    if (right > innerWidth + 1) tell("outside the window");
  }
  return [...new Set(found)];
}"""

# What paper should not show, or cannot: a sheet does not scroll.
ON_PAPER = """() => {
  const found = [];
  const shown = one => one.checkVisibility({ visibilityProperty: true });
  const seen = selector => [...document.querySelectorAll(selector)].filter(shown);
  const frame = "nav:not(#jb-print-toc nav), .bd-sidebar-primary, .bd-header-article, #pst-skip-link";
  const controls = ".copybtn, .toggle-button, .prev-next-footer";
  for (const one of seen(`${frame}, ${controls}`)) found.push(`still there: ${one.outerHTML.slice(0, 80)}`);
  for (const one of seen("main :is(table, pre, img, figure, mjx-container, .math)")) {
    const inner = one.matches("pre, div.math") ? one.scrollWidth - one.clientWidth : 0;
    const missing = Math.max(one.getBoundingClientRect().right - innerWidth, inner);
    if (missing > 1) found.push(`cut off by ${missing}: ${one.tagName} ${one.innerText?.slice(0, 50)}`);
  }
  for (const one of document.querySelectorAll(".solution.toggle-hidden")) found.push(`still folded: ${one.id}`);
  return found;
}"""

# What axe finds.  Themes differ in colours, and in nothing else, so all other rules run once a width.  The colours of an
# article do not depend on the width, so they are looked at once a theme; those around it, at every width.
AUDIT = """async ([others, article]) => {
  const colours = ["color-contrast", "link-in-text-block"];
  const off = Object.fromEntries(colours.map(rule => [rule, { enabled: false }]));
  const audit = async (where, options) =>
    (await axe.run(where, { resultTypes: ["violations"], selectors: false, preload: false, ...options })).violations;
  return [
    ...await audit(article ? document : { exclude: [["article"]] }, { runOnly: colours }),
    ...(others ? await audit(document, { rules: off }) : []),
  ];
}"""

# Rows, entries, paragraphs, words of code and formulas are made alike: of each kind in one place ten stay, since all
# would take minutes.
THIN = """() => {
  const seen = new Map();
  for (const one of document.querySelectorAll("tr, li, p, .citation, pre span, mjx-container")) {
    const place = one.matches("mjx-container") ? document.body : one.parentElement;
    if (!seen.has(place)) seen.set(place, {});
    const kinds = seen.get(place), kind = one.tagName + one.className;
    kinds[kind] = (kinds[kind] ?? 0) + 1;
    if (kinds[kind] > 10) one.remove();
  }
}"""


@pytest.fixture(scope="module")
def browser():
    """One browser for all tests."""
    assert CHROMIUM, "CI is set, but there is no Chromium"
    with chromium() as browser:
        yield browser


@pytest.fixture(scope="module")
def address(site):
    """Of a web server that holds the site."""
    with serve(site) as address:
        yield address


class Reader:
    """A page of the browser that remembers what went wrong and what was asked for."""

    def __init__(self, browser, **more):
        self.context = browser.new_context(
            **{"viewport": {"width": DESKTOP, "height": 900}, "reduced_motion": "reduce", **more}
        )
        self.page = self.context.new_page()
        self.wrong, self.asked = [], []
        self.page.on(
            "console", lambda message: message.type in ("warning", "error") and self.wrong.append(message.text)
        )
        self.page.on("pageerror", lambda error: self.wrong.append(str(error)))
        self.page.on("requestfailed", self.failed)
        self.page.on("request", lambda request: self.asked.append(request.url))

    def failed(self, request):
        """Remember a request that went wrong; one that ended because its page was left is no fault of the site."""
        if request.failure != "net::ERR_ABORTED":
            self.wrong.append(f"failed: {request.url}, {request.failure}")

    def open(self, url):
        """Load a page; what was remembered starts anew."""
        self.wrong.clear(), self.asked.clear()
        self.page.goto(url)
        settle(self.page)

    def width(self, pixels):
        """Change the width, as turning a phone does; the theme looks again after 0.3 s."""
        self.page.set_viewport_size({"width": pixels, "height": 800})
        self.page.wait_for_timeout(450)

    def theme(self, name):
        """Show the light or the dark colours."""
        self.page.evaluate(
            "name => { document.documentElement.dataset.theme = document.documentElement.dataset.mode = name; }", name
        )


@pytest.fixture
def reader(browser):
    """A reader who has never been here."""
    reader = Reader(browser)
    yield reader
    reader.context.close()


@pytest.fixture(scope="module")
def visits(browser, site, address):
    """What was seen on every page, each opened once: on a screen, on paper, on phones, by axe."""
    reader, seen = Reader(browser), {}
    for name in pages(site):
        reader.open(f"{address}/{name}")
        facts = seen[name] = reader.page.evaluate(FACTS)
        facts["paper"] = on_paper(reader)
        reader.page.evaluate(UNFOLD)
        for pixels in (SMALL_PHONE, PHONE):
            reader.width(pixels)
            facts[pixels] = reader.page.evaluate(CLIPPED)
        facts |= {"wrong": list(reader.wrong), "asked": list(reader.asked)}
        # The last, since it takes things away.
        facts["axe"] = audited(reader)
    reader.context.close()
    return seen


def on_paper(reader):
    """What is wrong with the page when it is printed."""
    reader.page.emulate_media(media="print")
    reader.page.evaluate("() => dispatchEvent(new Event('beforeprint'))")
    reader.page.set_viewport_size({"width": PAPER, "height": 800})
    found = reader.page.evaluate(ON_PAPER)
    reader.page.evaluate("() => dispatchEvent(new Event('afterprint'))")
    reader.page.emulate_media(media="screen")
    return found


def audited(reader):
    """What axe finds serious, in both themes at the width of a phone and of a desk."""
    found = []
    reader.page.evaluate(f"() => {{ {AXE}; }}")
    reader.page.evaluate(THIN)
    for pixels in (PHONE, DESKTOP):
        if reader.page.viewport_size["width"] != pixels:
            reader.width(pixels)
        for theme in ("light", "dark"):
            reader.theme(theme)
            for one in reader.page.evaluate(AUDIT, [theme == "light", pixels == DESKTOP]):
                if one["impact"] in ("serious", "critical"):
                    nodes = "; ".join(node["html"][:100] for node in one["nodes"][:3])
                    found.append(f"{theme}, {pixels}: {one['id']} ({len(one['nodes'])}): {nodes}")
    return found


def tell(problems):
    """Fail with all problems, one a line."""
    if problems := list(problems):
        pytest.fail("\n".join(problems), pytrace=False)


def check(visits, problems):
    """Fail with all problems of all pages."""
    tell(f"{name}: {problem}" for name, facts in visits.items() for problem in problems(name, facts))


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


def test_every_page_is_visited(visits):
    assert {FRONT, CHAPTER, "search.html", "sources.html", "bibliography.html"} <= set(visits)
    assert sum(facts["formulas"] for facts in visits.values()) > 500
    assert sum(len(facts["pictures"]) for facts in visits.values()) > 15


def test_no_page_asks_for_anything_outside(visits, address):
    check(
        visits,
        lambda name, facts: [url for url in facts["asked"] if not url.startswith((f"{address}/", "data:", "blob:"))],
    )


def test_no_page_complains_in_the_console(visits):
    check(visits, lambda name, facts: facts["wrong"])


def test_the_site_opens_from_disk(browser, site, visits):
    reader, wrong = Reader(browser), []
    for name in visits:
        reader.open((site / name).as_uri())
        wrong += [f"{name}: {line}" for line in reader.wrong]
        wrong += [f"{name}: {url}" for url in reader.asked if not url.startswith((site.as_uri(), "data:", "blob:"))]
        typeset = reader.page.locator("mjx-container").count()
        if typeset != visits[name]["typeset"]:
            wrong.append(f"{name}: {typeset} formulas, {visits[name]['typeset']} from a server")
    reader.context.close()
    tell(wrong)


def test_every_formula_is_typeset_in_its_font(visits, site):
    def problems(name, facts):
        written = (site / name).read_text(encoding="utf-8").count('class="math ')
        if not written == facts["formulas"] == facts["typeset"] == facts["spoken"]:
            yield f"{written} formulas in the file, {facts['typeset']} typeset, {facts['spoken']} for screen readers"
        yield from facts["unreadable"]
        if written and not any(family.startswith("MJXTEX") and state == "loaded" for family, state in facts["fonts"]):
            yield "no font of MathJax is loaded"
        yield from (family for family, state in facts["fonts"] if state == "error")

    check(visits, problems)


def test_links_and_anchors_inside_the_site_resolve(visits, site, address):
    def problems(name, facts):
        for link in filter(None, facts["links"]):
            url = urllib.parse.urlsplit(link)
            if not link.startswith(f"{address}/"):
                continue
            target = urllib.parse.unquote(url.path).lstrip("/") or FRONT
            anchor = urllib.parse.unquote(url.fragment)
            if not (site / target).is_file():
                yield f"no file: {link}"
            elif anchor and target in visits and anchor not in visits[target]["ids"]:
                yield f"no anchor: {link}"

    check(visits, problems)


def test_pictures_tell_their_finding_and_are_there(visits):
    def problems(name, facts):
        for source, alt, there in facts["pictures"]:
            if not there:
                yield f"not shown: {source}"
            if alt is None or not 20 <= len(alt) <= 250 or alt.endswith((".png", ".svg")) or "_images" in alt:
                yield f"alternative text: {alt!r}"

    check(visits, problems)


def test_language_and_headings_are_in_order(visits):
    def problems(name, facts):
        if facts["language"] != "en":
            yield f"language {facts['language']!r}"
        levels = [level for level, _ in facts["headings"]]
        if levels.count(1) != 1:
            yield f"{levels.count(1)} main headings"
        for (before, _), (after, words) in zip(facts["headings"], facts["headings"][1:]):
            if after > before + 1:
                yield f"heading {words!r} skips a level"

    check(visits, problems)


def test_tables_have_heads_that_say_which_way_they_point(visits):
    check(visits, lambda name, facts: facts["headless"] + facts["undirected"])


def test_nothing_moves_for_readers_who_asked_for_that(visits):
    check(visits, lambda name, facts: facts["moving"])


@pytest.mark.parametrize("pixels", [PHONE, SMALL_PHONE])
def test_nothing_is_cut_off_on_a_phone(visits, pixels):
    check(visits, lambda name, facts: facts[pixels])


def test_no_serious_problem_for_assistive_software(visits):
    check(visits, lambda name, facts: facts["axe"])


def test_axe_sees_what_it_should(reader, tmp_path):
    """Of a page with known faults it tells each, in the theme and at the width where it stands."""
    (tmp_path / "page.html").write_text(
        """<!doctype html><html lang="en"><title>Faults</title><link rel="icon" href="data:,">
        <style>[data-theme=dark] p { color: #777; background: #666; } a { color: #000; text-decoration: none; }</style>
        <main><h1>Faults</h1><p>Grey words on grey ground.</p><button></button></main>""",
        encoding="utf-8",
    )
    reader.open((tmp_path / "page.html").as_uri())
    found = {line.partition(" (")[0] for line in audited(reader)}
    assert found == {
        *(f"dark, {pixels}: color-contrast" for pixels in (PHONE, DESKTOP)),
        *(f"light, {pixels}: button-name" for pixels in (PHONE, DESKTOP)),
    }


def test_the_print_view_has_no_navigation_and_loses_nothing(visits):
    check(visits, lambda name, facts: facts["paper"])


LIMIT_BYTES = 2_000_000
TEXT = (".html", ".css", ".js", ".json", ".svg", ".ipynb", ".md", ".csv", ".txt")


class Host(Quiet):
    """A server that compresses text, as a static host does."""

    def do_GET(self):
        """Send a file, compressed if it is text."""
        path = pathlib.Path(self.translate_path(self.path))
        if not path.name.endswith(TEXT) or not path.is_file():
            return super().do_GET()
        content = gzip.compress(path.read_bytes())
        self.send_response(200)
        self.send_header("Content-Type", self.guess_type(str(path)))
        self.send_header("Content-Encoding", "gzip")
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)


def first_visit(browser, url):
    """Bytes that a page and all it asks for transfer into an empty cache, heads included: address -> bytes."""
    context, requests = browser.new_context(viewport={"width": DESKTOP, "height": 900}), []
    page = context.new_page()
    page.on("requestfinished", lambda request: requests.append(request))
    page.goto(url)
    settle(page)
    # Pictures may wait until somebody scrolls to them.
    page.evaluate("() => document.querySelectorAll('img').forEach(one => { one.loading = 'eager'; })")
    page.wait_for_load_state("networkidle")
    found = collections.Counter()
    for request in requests:
        sizes = request.sizes()
        found[urllib.parse.urlsplit(request.url).path] += sizes["responseHeadersSize"] + sizes["responseBodySize"]
    context.close()
    return found


def test_a_first_visit_is_light(browser, site):
    """With ``-s`` it prints the table of ``benchmarks/README.md``."""
    names, heavy = [FRONT, *(name for name in pages(site) if name.startswith("chapters/"))], []
    print("\n| page | transferred (kB) | files | the largest (kB) |\n|:--|--:|--:|:--|")
    with serve(site, Host) as address:
        for name in names:
            visit = first_visit(browser, f"{address}/{name}")
            largest = (f"{path.rpartition('/')[2][-24:]} {size / 1e3:.0f}" for path, size in visit.most_common(3))
            print(f"| {name} | {visit.total() / 1e3:,.0f} | {len(visit)} | {', '.join(largest)} |")
            heavy += [f"{name}: {visit.total():,} bytes"] if visit.total() > LIMIT_BYTES else []
    tell(heavy)


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
  .map(one => one.outerHTML.slice(0, 100))"""


@pytest.mark.parametrize("name", [FRONT, CHAPTER])
def test_the_keyboard_reaches_everything_in_sight(reader, address, name):
    reader.open(f"{address}/{name}")
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
