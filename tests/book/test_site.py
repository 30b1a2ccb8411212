"""The published pages, as files; test_browser.py opens them."""

import functools
import html
import re

import nbformat
import pytest

from llmpower.book import files, pages, records, run
from llmpower.book.scenario import ask
from tests.conftest import BOOK

PAGES = files.contents(BOOK)


def page(site, name):
    return (site / f"{name}.html").read_text(encoding="utf-8")


def body(text):
    """The article of a page as words, without code."""
    article = re.search(r"<article.*?</article>", text, re.DOTALL).group()
    article = re.sub(r"<(pre|script|style|code)\b.*?</\1>", " ", article, flags=re.DOTALL)
    return html.unescape(re.sub(r"<[^>]+>", "", article))


@functools.cache
def runs():
    """Folders of the runs that the site was made from."""
    return run.execute_stale(BOOK, ask(BOOK).values, BOOK / "_build" / "runs", say=lambda line: None)


def title(name):
    if name in pages.GENERATED:
        source = pages.page(name, BOOK, runs())
    elif (path := files.page_file(BOOK, name)).suffix == ".md":
        source = path.read_text(encoding="utf-8")
    else:
        cells = nbformat.read(BOOK / f"{name}.ipynb", as_version=4).cells
        source = "\n".join(cell.source for cell in cells if cell.cell_type == "markdown")
    return re.search(r"^# (.+)$", source, re.MULTILINE).group(1)


@pytest.mark.parametrize("name", PAGES)
def test_every_page_of_the_contents_exists_with_its_title(site, name):
    heading = re.search(r"<article.*?<h1>(.*?)<a class=\"headerlink\"", page(site, name), re.DOTALL).group(1)
    assert html.unescape(re.sub(r"<[^>]+>", "", heading)) == title(name).replace("'", "’")


@pytest.mark.parametrize("name", PAGES)
def test_no_traceback_raw_role_or_path_in_a_page(site, name):
    text = page(site, name)
    assert str(BOOK) not in text
    assert not re.search(r"(?<![\w/])/(?:home|root|tmp|work|Users)/\w", text)
    assert "Traceback (most recent call last)" not in text
    words = body(text)
    for raw in (
        r"\{[a-z:]+\}`",
        r"\]\(",
        r"```",
        r"\$[A-Za-z]_",
        r"\bNone\b(?! (?:of|is|belongs) )",
        r"\bnan\b",
        r"<IPython",
        r"Unknown (role|directive)",
    ):
        found = re.search(raw, words)
        assert not found, f"{raw} in {words[max(0, found.start() - 60) : found.end() + 60]!r}"


def test_every_number_shown_reaches_a_page(site):
    everything = " ".join(" ".join(body(page(site, name)).split()) for name in PAGES)
    for name, path in files.chapters(BOOK).items():
        sources = "\n".join(cell.source for cell in nbformat.read(path, as_version=4).cells)
        numbers = records.shown(nbformat.read(path, as_version=4))
        assert numbers
        # A number that only another branch of the prose uses need not be on the page.
        always = [key for key in numbers if sources.count(f"`{key}`") and "report.say" not in _cell_using(path, key)]
        # The page what-if says all of its numbers in sentences that turn round.
        assert always or name == "what-if", name
        for key in always:
            assert " ".join(numbers[key]["text"].split()) in everything, f"{name}: {key}"


def _cell_using(path, key):
    cells = nbformat.read(path, as_version=4).cells
    return next((cell.source for cell in cells if f"{{glue:text}}`{key}`" in cell.source), "")


@pytest.mark.parametrize("name", PAGES)
def test_a_shared_link_shows_title_description_and_card(site, name):
    head = page(site, name).partition("</head>")[0]
    tags = dict(re.findall(r'<meta (?:property|name)="([\w:]+)" content="([^"]*)"', head))
    assert html.unescape(tags["og:title"]) == title(name).replace("'", "’")
    assert tags["og:site_name"] == "The power wall"
    assert len(tags["description"]) >= 40
    assert tags["og:image:alt"]
    # The first bytes of a PNG file hold its size.
    card = (site / tags["og:image"]).read_bytes()
    assert card[:8] == b"\x89PNG\r\n\x1a\n" and (int.from_bytes(card[16:20]), int.from_bytes(card[20:24])) == (
        1200,
        630,
    )
    icon = re.search(r'<link rel="icon" href="([^"?]+)', head).group(1)
    assert ((site / f"{name}.html").parent / icon).is_file()


def test_pictures_are_lines_without_date(site):
    pictures = re.findall(r'<img[^>]*\bsrc="([^"]+)"', "".join(page(site, name) for name in PAGES))
    assert len(pictures) >= 22
    for picture in pictures:
        text = (site / "_images" / picture.rpartition("/")[2]).read_text(encoding="utf-8")
        assert text.lstrip().startswith("<?xml") and "<dc:date>" not in text
        assert "<text" not in text
