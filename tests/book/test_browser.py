"""Every page of the built site, opened once: on a screen, on paper, on phones, by axe; without a network."""

import pathlib
import re
import urllib.parse

import axe_playwright_python
import pydata_sphinx_theme
import pytest
from fontTools.ttLib import TTFont

from llmpower.book import lighter
from tests.book.browser import CHAPTER, DESKTOP, FRONT, NEEDS_CHROMIUM, PAPER, PHONE, SMALL_PHONE, Reader, pages, tell

pytestmark = NEEDS_CHROMIUM
AXE = (pathlib.Path(axe_playwright_python.__file__).parent / "axe.min.js").read_text(encoding="utf-8")


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
    classes: [...new Set(all("[class]").flatMap(one => [...one.classList]))],
    icons: all("*").flatMap(one => ["::before", "::after"].map(part => {
      const style = getComputedStyle(one, part), box = one.getBoundingClientRect();
      const size = shown(one) ? Math.min(box.width, box.height) : 1;
      return [style.content.replaceAll('"', ""), style.fontFamily.split('"')[1], style.fontWeight, size];
    })).filter(icon => icon[0] !== "none" && icon[1]?.startsWith("Font Awesome")),
    signless: all(".fa-solid, .fa-regular, .fa-brands").map(one => [one.outerHTML, getComputedStyle(one, "::before")])
      .filter(([_, style]) => style.content === "none").map(([words, _]) => words),
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


# What axe finds.  Themes differ in colours, and in nothing else, so all other rules run once a width.  The
# colours of an article do not depend on the width, so they are looked at once a theme; those around it, at every width.
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


# Rows, entries, paragraphs, words of code and formulas are made alike: of each kind in one place ten stay, of formulas
# three, since all would take minutes.
THIN = """() => {
  const seen = new Map();
  for (const one of document.querySelectorAll("tr, li, p, .citation, pre span, mjx-container")) {
    const place = one.matches("mjx-container") ? document.body : one.parentElement;
    if (!seen.has(place)) seen.set(place, {});
    const kinds = seen.get(place), kind = one.tagName + one.className;
    kinds[kind] = (kinds[kind] ?? 0) + 1;
    if (kinds[kind] > (one.matches("mjx-container") ? 3 : 10)) one.remove();
  }
}"""


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


def check(visits, problems):
    """Fail with all problems of all pages."""
    tell(f"{name}: {problem}" for name, facts in visits.items() for problem in problems(name, facts))


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


def test_every_icon_has_a_size_and_a_sign_of_its_typeface(visits, site):
    faces = {("Free", "900"): "fa-solid-900", ("Free", "400"): "fa-regular-400", ("Brands", "400"): "fa-brands-400"}
    folder = site / "_static" / "vendor" / "fontawesome" / "webfonts"
    signs = {key: TTFont(folder / f"{name}.woff").getBestCmap() for key, name in faces.items()}

    def problems(name, facts):
        yield from facts["signless"]
        for sign, family, weight, size in facts["icons"]:
            if not size or ord(sign) not in signs[family.split()[-1], weight]:
                yield f"U+{ord(sign):04X} of {family}, {weight}, is {size} high"

    check(visits, problems)
    assert len({icon[0] for facts in visits.values() for icon in facts["icons"]}) >= 10


def test_no_rule_was_taken_from_a_class_that_a_script_gives(visits, site):
    used, static = lighter.names(lighter.needed_files(site)), pathlib.Path(pydata_sphinx_theme.__file__).parent
    whole = next(static.rglob("pydata-sphinx-theme.css")).read_text(encoding="utf-8")
    styled = set(re.findall(r"\.([A-Za-z][\w-]*)", whole))
    check(
        visits, lambda name, facts: [one for one in styled & set(facts["classes"]) if not lighter.is_named(one, used)]
    )


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
