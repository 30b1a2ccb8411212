"""Books of several scenarios side by side: each a site of its own, and a page of what differs between them."""

import pathlib
import re

import nbformat

from llmpower.arguments import ParameterError
from llmpower.book import build, files, fresh, records
from llmpower.book.parameters import parameters
from llmpower.book.scenario import ask
from llmpower.book.take_home import plain_markdown

_PAGE, _BOX = "index.html", "\N{WHITE SQUARE}"
# What a chapter wants to be remembered; of one without, what it prints first.
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

    That is its parameters, its headline sentences, and all its numbers, as rows of a label and a text a scenario.
    """
    chapters = []
    for chapter, path in files.chapters(book).items():
        ran = [by_chapter[chapter] for by_chapter in folders.values()]
        results = [files.read_json(folder / "results.json") for folder in ran]
        notebooks = [nbformat.read(folder / "executed.ipynb", as_version=4) for folder in ran]
        labels = {name: f"{one.quantity.help} [{one.unit}]" for name, one in parameters(path).items()}
        given = _unlike([{labels[name]: str(value) for name, value in one["parameters"].items()} for one in results])
        sentences = _unlike([dict(enumerate(_headline(one))) for one in notebooks])
        numbers = _unlike([{name: value["text"] for name, value in one["numbers"].items()} for one in results])
        numbers = [(_sentence(notebooks[0], name), texts) for name, texts in numbers]
        if given or numbers:
            title = re.search(r"^# (.+)$", records.markdown(notebooks[0]), re.MULTILINE)[1]
            address = path.relative_to(book).with_suffix(".html").as_posix()
            chapters.append((title, address, given, sentences, numbers))
    titles = {name: scenario.title or name for name, scenario in asked.items()}
    return {"titles": titles, "chapters": chapters}


def _headline(notebook):
    """Sentences of an executed chapter that matter most, with their numbers."""
    shown = {name: one["text"] for name, one in records.shown(notebook).items()}
    known = {"glue": shown, "cite": {}, "ref": {}, "eq": {}}
    told = [text for cell in notebook.cells if cell.cell_type == "code" for text in records.printed(cell)]
    if not any("{glue:text}" in text for text in told):
        return []
    found = next(filter(None, map(_HEADLINE.search, told)), None)
    text = found[1] if found else next(text for text in told if "{glue:text}" in text)
    return [_plain(line.removeprefix("- "), known) for line in text.split("\n")]


def _sentence(notebook, name):
    """The sentence in which a chapter names a number first, with an empty box in its place; else its name."""
    sentences = re.split(r"(?<=[.?!]) |(?<!:)\n", records.markdown(notebook))
    found = next((one for one in sentences if f"{{glue:text}}`{name}`" in one), None)
    if found is None:
        return name
    others = re.sub(r"\{glue:text\}`([\w-]+)`", lambda one: _BOX if one[1] == name else "…", found)
    return _plain(others, {"glue": {}, "cite": {}, "ref": {}, "eq": {}}).strip("|- ")


def _plain(text, known):
    """A line of a page without its marks."""
    return re.sub(r"\[([^\]]*)\]\([^)]*\)|\\(?=\W)", r"\1", plain_markdown(text, known)).replace("**", "").strip("> ")


def _unlike(tables):
    """Rows of a name and its texts, of the names whose texts are not the same in all tables."""
    names = dict.fromkeys(name for table in tables for name in table)
    rows = [(name, [table.get(name, "") for table in tables]) for name in names]
    return [row for row in rows if len(set(row[1])) > 1]
