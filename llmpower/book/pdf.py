"""Prints the whole book as a PDF: one page of HTML, through a browser without a window; no TeX."""

import os
import re
import shutil
import subprocess
import tempfile

import nbformat

from llmpower.arguments import ParameterError
from llmpower.book.files import BookError, filled
from llmpower.book.records import glued

_NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome", "msedge")
_UNFINISHED = "not yet typeset"


def browser():
    """Chromium or one of its kin; ParameterError with what to install if there is none."""
    named = os.environ.get("CHROMIUM")
    found = next(filter(None, map(shutil.which, [named] if named else _NAMES)), None)
    if found is None:
        where = f"CHROMIUM names {named}, which cannot be run" if named else f"none of {', '.join(_NAMES)} can be found"
        hint = "on Debian or Ubuntu `apt install chromium`, elsewhere set CHROMIUM to the program"
        raise ParameterError([f"--pdf needs Chromium or Chrome, but {where}; {hint}"])
    return found


def stage_for_paper(stage):
    """Leave out of a copy of the staged book what only a screen can use: hidden code, and an appendix of many rows."""
    for path in stage.rglob("*.ipynb"):
        notebook = nbformat.read(path, as_version=4)
        for cell in notebook.cells:
            # The contents stand in front.
            cell.source = re.sub(r"```\{tableofcontents\}\n```\n?", "", cell.source)
            cell.metadata["tags"] = [tag.replace("hide-input", "remove-input") for tag in cell.metadata.get("tags", [])]
        nbformat.write(glued(notebook), path)
    sources = stage / "sources.md"
    if sources.is_file():
        summary = sources.read_text(encoding="utf-8").partition("\n## ")[0]
        more = "The rows themselves stand in the site and in the folder `data/` of the book."
        sources.write_text(f"{summary}\n\n{more}\n", encoding="utf-8")


def write(site, target, title, lines):
    """Print a site of one page; the file is whole or not there.

    site: folder with ``index.html`` as Sphinx's builder ``singlehtml`` makes it.
    title: for the title page and the foot of the others.
    lines: what the title page says besides.
    """
    contents, article = _contents(_article((site / "index.html").read_text(encoding="utf-8")))
    page, printed = site / "print.html", site / "print.pdf"
    words = {"unfinished": _UNFINISHED, "title": title, "lines": lines, "contents": contents, "article": article}
    page.write_text(filled("print.html", **words), encoding="utf-8")
    # The page is our own, and in containers there is no sandbox.
    quiet = "--headless --disable-gpu --no-first-run --no-sandbox --disable-background-networking"
    printing = "--no-pdf-header-footer --generate-pdf-document-outline --virtual-time-budget=120000"
    with tempfile.TemporaryDirectory() as profile:
        files = [f"--user-data-dir={profile}", f"--print-to-pdf={printed}", page.as_uri()]
        command = [browser(), *quiet.split(), *printing.split(), *files]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
    made = printed.read_bytes() if printed.is_file() else b""
    if not made.rstrip().endswith(b"%%EOF") or _UNFINISHED.encode() in made:
        raise BookError("Chromium could not print the PDF:\n" + "\n".join(done.stderr.strip().splitlines()[-5:]))
    # The same book gives the same bytes; a date of the same length keeps the file's own index right.
    target.write_bytes(re.sub(rb"D:\d{14}", b"D:20000101000000", made))


def _article(page):
    """What a page of Sphinx says, without what only a screen needs, and with links that hold on one page."""
    article = re.search(r"<article.*</article>", page, re.DOTALL).group()
    article = re.sub(r'<script.*?</script>|<a class="headerlink".*?</a>', "", article, flags=re.DOTALL)
    # Sphinx numbers the marks of each document anew; those of the bibliography are the ones that others link to.
    article = re.sub(r'href="index\.html#(id\d+)"', r'href="#source-\1"', article)
    article = re.sub(r'(<div class="citation" id=")(id\d+")', r"\1source-\2", article)
    return article.replace('href="index.html#', 'href="#')


def _contents(article):
    """Links to chapters and sections, and the article with a mark at each; what many chapters have is left out."""
    headings = re.compile(r"<h([23])>(.*?)</h\1>", re.DOTALL)
    texts, chapters = [text for _, text in headings.findall(article)], article.find('<span id="document-')
    entries = []

    def mark(found):
        depth = int(found[1]) - 1 if found.start() > chapters else int(found[1])
        if depth > 2 or depth == 2 and texts.count(found[2]) > 1:
            return found[0]
        name, kind = f"contents-{len(entries)}", "chapter" if depth == 1 else "section"
        entries.append(f'<li class="{kind}"><a href="#{name}">{found[2]}</a></li>')
        return f'<span id="{name}"></span>{found[0]}'

    marked = headings.sub(mark, article)
    return "".join(entries), marked
