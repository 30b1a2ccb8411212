"""Books of several scenarios side by side: each a site of its own, and a page of what differs between them."""

import pathlib
import re

import nbformat

from llmpower.arguments import ParameterError
from llmpower.book import build, files, fresh, records
from llmpower.book.parameters import parameters
from llmpower.book.scenario import ask
from llmpower.book.take_home import plain_markdown

_PAGE = "index.html"
# What a chapter wants to be remembered.
_HEADLINE = re.compile(r"\{admonition\} What to take away\n.*?\n(- .*?)\n```", re.DOTALL)


def publish(book, scenarios, out=None, jobs=None, say=print, force=False):
    """Publish the book once for each scenario file, and beside them a page that compares; returns that page.

    out: a folder for all of them; by default ``_build/scenarios`` of the book. Each has the name of its file.

    All files are checked before anything is executed.
    """
    paths = {pathlib.Path(one).stem: one for one in scenarios}
    if len(paths) < len(scenarios):
        raise ParameterError([f"file: got {', '.join(map(str, scenarios))}; allowed are files of different names"])
    asked = {name: ask(book, path) for name, path in paths.items()}
    out = fresh.own_folder(book / "_build" / "scenarios" if out is None else out, _PAGE)
    folders = {}
    for name, scenario in asked.items():
        say(f"{name}: {scenario.title or 'no title'}")
        _, folders[name] = build.build(book, out / name, scenario, jobs, say, force=force)
    text = files.filled("templates/beside.html.j2", **_differences(book, asked, folders))
    files.replace({out / _PAGE: text})
    return out / _PAGE


def _differences(book, asked, folders):
    """What the page of differences is filled with: titles, and of each chapter what is not alike.

    That is its parameters, what it wants to be remembered, and all that it says with numbers, as rows of a text each.
    """
    chapters = []
    for chapter, path in files.chapters(book).items():
        ran = [by_chapter[chapter] for by_chapter in folders.values()]
        notebooks = [nbformat.read(folder / "executed.ipynb", as_version=4) for folder in ran]
        labels = {name: f"{one.quantity.help} [{one.unit}]" for name, one in parameters(path).items()}
        values = [files.read_json(folder / "results.json")["parameters"] for folder in ran]
        given = _unlike([{labels[name]: str(value) for name, value in one.items()} for one in values])
        said = [_said(one) for one in notebooks]
        headline, rest = (_unlike([one[part] for one in said]) for part in (0, 1))
        if given or headline or rest:
            title = re.search(r"^# (.+)$", records.markdown(notebooks[0]), re.MULTILINE)[1]
            address = path.relative_to(book).with_suffix(".html").as_posix()
            chapters.append((title, address, given, headline, rest))
    titles = {name: scenario.title or name for name, scenario in asked.items()}
    return {"titles": titles, "chapters": chapters}


def _said(notebook):
    """Sentences and rows of tables in which an executed chapter has numbers, by what they hold: headline, and others.

    Up to its exercises; a sentence that this run leaves out is not there.
    """
    known = {
        "glue": {name: one["text"] for name, one in records.shown(notebook).items()},
        "cite": {},
        "ref": {},
        "eq": {},
    }
    headline, rest = {}, {}
    # A page without words to take away begins with what matters.
    begins = not _HEADLINE.search(records.markdown(notebook))
    for cell in notebook.cells:
        if cell.cell_type == "markdown" and ("## Exercises" in cell.source or cell.get("id") == "parameters-used"):
            break
        for text in [cell.source] if cell.cell_type == "markdown" else records.printed(cell):
            found = _HEADLINE.search(text)
            into = headline if found or begins and not headline else rest
            for key, line in (*_sentences(found[1] if found else text), *_rows(text)):
                while key in headline or key in rest:
                    key = (*key, "again")
                into[key] = _plain(line, known)
    return headline, rest


def _sentences(text):
    """Sentences with numbers: the names in it, and itself."""
    for one in re.split(r"(?<=[.?!]) |(?<!:)\n", text):
        if (names := re.findall(r"\{glue:text\}`([\w-]+)`", one)) and not one.startswith("|"):
            yield tuple(names), one.removeprefix("- ")


def _rows(text):
    """Rows of a table: its head and the first cell, and all of it as a line."""
    head, *rows = [
        [cell.strip() for cell in one.split("|")[1:-1]] for one in text.split("\n") if one.startswith("|")
    ] or [[]]
    for label, *cells in rows[1:]:
        several = [f"{name} {cell}" for name, cell in zip(head[1:], cells)] if len(cells) > 1 else cells
        # A head may hold numbers of the run.
        yield (*(re.sub(r"\d\S*", "#", name) for name in head), label), f"{label}: {'; '.join(several)}"


def _plain(text, known):
    """A line of a page without its marks."""
    return re.sub(r"\[([^\]]*)\]\([^)]*\)|\\(?=\W)", r"\1", plain_markdown(text, known)).replace("**", "").strip("> ")


def _unlike(tables):
    """Rows of a name and its texts, of the names whose texts are not the same in all tables."""
    names = dict.fromkeys(name for table in tables for name in table)
    rows = [(name, [table.get(name, "–") for table in tables]) for name in names]
    return [row for row in rows if len(set(row[1])) > 1]
