"""Decks of slides: from disk, without a network, in a frame of 16 to 9; what is on them, in their notes, and moves."""

import pathlib
import re
import shutil

import nbformat
import pytest
from bs4 import BeautifulSoup

from llmpower.book import files, slides
from tests.book.browser import NEEDS_CHROMIUM, Reader, tell
from tests.book.small import CHAPTER
from tests.conftest import BOOK

CHAPTERS = {name: path for name, path in files.chapters(BOOK).items() if path.parent != BOOK}
# A calculator: it has no exercises and no words to take away.
SHORT = "what-if"
# To a question of the quiz; 14 GB at 2.04 TB/s take 6.86 ms.
ANSWERS = {"read-once": "<p>It is 6.86 ms.</p>"}
# On every slide: what sticks out of its frame, or lies under the button or the arrows; letters that are too small.
LOOK = """() => {
  const found = [], frame = () => Reveal.getCurrentSlide().getBoundingClientRect();
  Reveal.getSlides().forEach((slide, number) => {
    Reveal.slide(number);
    const { left, right, top, bottom, width } = frame(), edge = 30 * width / 1280;
    const tell = what => found.push(`slide ${number + 1}: ${what}`);
    if (slide.scrollHeight > 720 || slide.scrollWidth > 1280) tell("is too full");
    const parts = ":scope > :not(aside), .body :is(table, figure, img, mjx-container, li)";
    for (const one of slide.querySelectorAll(parts)) {
      const box = one.getBoundingClientRect();
      const across = Math.max(left + edge - box.left, box.right - right + edge);
      if (Math.max(across, top + edge / 2 - box.top, box.bottom - bottom + edge) > 0)
        tell(`${one.tagName} sticks out: ${one.textContent.slice(0, 40)}`);
      if (one.matches("li, p, table") && parseFloat(getComputedStyle(one).fontSize) < 15)
        tell(`${getComputedStyle(one).fontSize}: ${one.textContent.slice(0, 40)}`);
    }
    const picture = slide.querySelector("img")?.getBoundingClientRect();
    if (picture?.height < 400) tell("a small figure");
    if (slide.querySelector("mjx-merror")) tell("a formula is not typeset");
  });
  return found;
}"""


@pytest.fixture(scope="module")
def deck(built, tmp_path_factory):
    """Makes the deck of a chapter beside a link to the book's own site, once; returns its file."""
    index, folders = built
    folder, made = tmp_path_factory.mktemp("decks"), {}

    def make(name):
        if name not in made:
            (folder / name).mkdir()
            (folder / name / "html").symlink_to(index.parent)
            page = CHAPTERS[name].relative_to(BOOK).with_suffix(".html").as_posix()
            run = folders[name] / "executed.ipynb"
            made[name], _ = slides.write(folder / name / "html", page, run, folder / name, ANSWERS)
        return made[name]

    return make


def read(path):
    return BeautifulSoup(path.read_text(encoding="utf-8"), "html.parser")


def shown(path):
    """Text of the slides, without notes."""
    soup = read(path)
    for one in soup.select("aside, .off, script, style"):
        one.decompose()
    return " ".join(soup.body.get_text(" ").split())


def opened(browser, path, **more):
    reader = Reader(browser, **{"viewport": {"width": 1280, "height": 720}, **more})
    reader.open(path.as_uri())
    reader.page.wait_for_function("() => window.Reveal?.isReady()")
    return reader


@NEEDS_CHROMIUM
@pytest.mark.parametrize("name", CHAPTERS)
def test_a_deck_opens_from_disk_and_every_slide_fits(browser, deck, name):
    for size in ((1280, 720), (1920, 1080)) if name == "decode-breakdown" else ((1280, 720),):
        reader = opened(browser, deck(name), viewport=dict(zip(("width", "height"), size)))
        found = reader.page.evaluate(LOOK)
        asked = [one for one in reader.asked if not one.startswith(("file:", "data:", "blob:"))]
        reader.context.close()
        tell([*reader.wrong, *asked, *found])


@pytest.mark.parametrize("name", CHAPTERS)
def test_a_deck_has_what_a_lecture_needs(deck, site, name):
    soup, page = read(deck(name)), read(site / "chapters" / f"{name}.html")
    sections = soup.select(".slides > section")
    assert (8 if name == SHORT else 12) <= len(sections) <= 30
    kinds = [one["class"][0] for one in sections]
    assert kinds[0] == "title" and page.h1.get_text().rstrip("#") == sections[0].h1.get_text()
    figures = {one["id"] for one in page.select("article figure[id]")}
    assert {one["id"] for one in soup.select("section figure")} == figures
    assert all(len(one.select("tbody tr")) <= 8 for one in soup.select("section table"))
    exercises = [one.p.get_text() for one in page.select(".exercise")]
    # A long one takes two slides.
    asked = list(dict.fromkeys(one.h2.get_text() for one in soup.select("section.exercise")))
    assert len(asked) == len(exercises) and kinds.count("exercise") <= 2 * len(exercises)
    assert all(one in told for one, told in zip(asked, exercises))
    if name != SHORT:
        assert kinds[1] == "list" and "What to take away" in [one.get_text() for one in soup.select("h2")]


@pytest.mark.parametrize("name", CHAPTERS)
def test_prose_is_in_the_notes_and_solutions_are_nowhere(deck, site, name):
    text, soup, page = (
        deck(name).read_text(encoding="utf-8"),
        read(deck(name)),
        read(site / "chapters" / f"{name}.html"),
    )
    words = lambda one: re.sub(r"\W|\d", "", one)  # noqa: E731
    for one in soup.select(".off"):
        one.decompose()
    whole, notes = words(read(deck(name)).get_text()), words("".join(one.get_text() for one in soup.select("aside")))
    for one in page.select(".solution p"):
        if len(one.get_text()) > 40:
            assert words(one.get_text()) not in whole
    assert not re.search("Parameters used|Solution to|Show the code|downloads/", text)
    left = ".solution, .exercise, form, .admonition, table, figure, .off, .cell_input, details"
    left += ", #further-reading, #downloads, #exercises"
    for one in page.select(left):
        one.decompose()
    prose = [one for one in page.select("article p") if not one.select(".math, .off, a") and len(one.get_text()) > 60]
    tell(f"not in the notes: {one.get_text()[:80]}" for one in prose if words(one.get_text()) not in notes)


@pytest.mark.parametrize("name", CHAPTERS)
def test_sentences_on_slides_are_whole_and_few(deck, name):
    for section in read(deck(name)).select(".slides > section"):
        for one in section.select("aside, .off"):
            one.decompose()
        for one in section.select("p.lead"):
            text = " ".join(one.get_text().split())
            assert len(text.split()) <= 45 and re.search(r"[.?!”)]$", text), text
            assert not re.match(r"(It|That|This|These|Its|They|So|Here|But|And)\b", text), text
        if section["class"][0] == "text":
            assert len(section.get_text().split()) <= 75


@NEEDS_CHROMIUM
def test_a_moved_control_moves_a_number_and_a_figure(browser, deck):
    reader = opened(browser, deck("decode-breakdown"))
    page = reader.page
    places = page.evaluate("Reveal.getSlides().map(one => one.querySelector('figure')?.id)")
    page.evaluate(f"Reveal.slide({places.index('fig-shares')})")
    page.keyboard.press("m")
    page.wait_for_selector(".present .moving svg")
    lines = "() => [...document.querySelectorAll('#fig-shares svg path')].map(one => one.getAttribute('d')).join()"
    before, here = page.evaluate(lines), page.evaluate("Reveal.getIndices().h")
    field = page.locator("#living-context_tokens")
    field.fill("2000")
    field.press("Enter")
    # Two operations each for the score and the value: 80 layers, 64 query heads, 128 numbers a head (its config.json).
    attention = 4 * 80 * 64 * 128 * 2000 / 1e9
    page.wait_for_function(f"() => document.body.textContent.includes('{attention:.2f}\\u00a0GFLOP in attention')")
    page.wait_for_function(f"before => ({lines})() !== before", arg=before)
    # Keys belong to the controls until they are left, then to the deck.
    field.press("ArrowRight")
    assert page.evaluate("Reveal.getIndices().h") == here
    field.press("Escape")
    assert not page.evaluate("document.querySelector('details.living').open || Reveal.isOverview()")
    page.keyboard.press("ArrowRight")
    assert page.evaluate("Reveal.getIndices().h") == here + 1
    page.keyboard.press("d")
    assert page.evaluate("document.documentElement.dataset.theme") == "dark"
    with reader.context.expect_page() as speaker:
        page.keyboard.press("s")
    speaker.value.wait_for_function(
        "() => document.querySelector('.speaker-controls-notes .value')?.innerText.length > 40"
    )
    assert reader.wrong == []
    reader.context.close()


PAGE = """<article><section><h1>Title</h1><p>What is it?</p>
<section><h2>First <em>part</em></h2><p>Watts add up. They must.</p>
<div class="cell {tags}"><table><thead><tr><th>a</th></tr></thead><tbody>{rows}</tbody></table></div></section>
<section><h2>Second part</h2><p>Bytes are read once.</p><div class="solution"><p>Secret.</p></div></section>
</section></article>"""


def made(tags="", rows="<tr><td>1</td></tr>", marked=()):
    soup = BeautifulSoup(PAGE.format(tags=tags, rows=rows), "html.parser")
    return slides.slides(soup.article, dict(marked), {})


def test_an_author_may_say_what_becomes_a_slide():
    many = "<tr><td>1</td></tr>" * 30
    assert [one.kind for one in made()] == ["title", "table", "text"]
    assert [one.kind for one in made("tag_slide-skip")] == ["title", "text", "text"]
    assert [one.kind for one in made(rows=many)] == ["title", "text", "text"]
    assert [one.kind for one in made("tag_slide-slide", many)] == ["title", *4 * ["table"], "text"]
    assert [one.kind for one in made(marked={"Secondpart": "skip"})] == ["title", "table"]
    assert "Bytes are read once." not in "".join(made(marked={"Secondpart": "skip"})[-1].notes)
    assert "Bytes are read once." in "".join(made(marked={"Secondpart": "notes"})[-1].notes)


def test_the_command_makes_a_deck_of_one_chapter(small_copy):
    path = small_copy.folder / CHAPTER
    notebook = nbformat.read(path, as_version=4)
    notebook.cells[4].metadata["slideshow"] = {"slide_type": "skip"}
    text = path.read_text(encoding="utf-8")
    served = files.last_site(small_copy.folder)
    told = small_copy.built("slides", "board", "-p", "batch=5")
    deck = pathlib.Path(re.search(r"^slides +(.+)$", told, re.MULTILINE)[1])
    assert deck == small_copy.folder / "_build" / "slides" / "board" / "slides.html"
    assert "fig-board" in deck.read_text(encoding="utf-8") and "700" in shown(deck) and "5 run in a" in shown(deck)
    assert not re.search(r'(?:src|href)="(?:https?:|/|\.\.)', deck.read_text(encoding="utf-8"))
    assert files.last_site(small_copy.folder) == served
    # All that it names lies in its folder, which may be carried away.
    names = re.findall(r'(?:src|href)="([^"#?]+)', deck.read_text(encoding="utf-8"))
    assert names and all((deck.parent / name).is_file() for name in names)
    try:
        nbformat.write(notebook, path)
        assert "fig-board" not in (small_copy.built("slides", "board"), deck.read_text(encoding="utf-8"))[1]
    finally:
        path.write_text(text, encoding="utf-8")
        shutil.rmtree(small_copy.folder / "_build" / "slides")


@pytest.mark.parametrize(
    "words, problem",
    [
        ("slides bord", "no chapter is called 'bord'"),
        ("slides index", "is the first page"),
        ("slides board -p bach=3", "bach"),
    ],
)
def test_what_cannot_be_had_is_told(small_copy, words, problem):
    done = small_copy.llmpower(*words.split())
    assert done.returncode == 2 and problem in done.stderr and len(done.stderr.splitlines()) == 1


def test_the_quiz_is_asked_and_its_answer_is_in_the_notes_alone(deck):
    soup = read(deck("decode-breakdown"))
    asked = soup.select("section.quiz")
    assert len(asked) == 5 and "14 GB" in asked[0].get_text()
    notes = [one.select_one("aside").get_text() for one in asked]
    assert "6.86 ms" in notes[0]
    for one in asked:
        one.select_one("aside").decompose()
    assert "6.86" not in asked[0].get_text()
    choices = [one.get_text() for one in asked[4].select("li")]
    assert [one[:2] for one in choices] == ["A:", "B:", "C:", "D:"]
