"""Books of several scenarios side by side: each a site of its own, and a page of what differs between them."""

import pathlib

from llmpower.arguments import ParameterError
from llmpower.book import build, files, fresh
from llmpower.book.scenario import ask

_PAGE = "index.html"


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
    """What the page of differences is filled with: titles, and by chapter parameters and numbers that are not alike."""
    ran = {
        name: {chapter: files.read_json(folder / "results.json") for chapter, folder in by_chapter.items()}
        for name, by_chapter in folders.items()
    }
    chapters = []
    for chapter, path in files.chapters(book).items():
        results = [one[chapter] for one in ran.values()]
        parameters = _unlike([{key: str(value) for key, value in one["parameters"].items()} for one in results])
        numbers = _unlike([{key: value["text"] for key, value in one["numbers"].items()} for one in results])
        if parameters or numbers:
            address = path.relative_to(book).with_suffix(".html").as_posix()
            chapters.append((chapter, address, parameters, numbers))
    titles = {name: scenario.title or name for name, scenario in asked.items()}
    return {"titles": titles, "chapters": chapters}


def _unlike(tables):
    """Rows of a name and its texts, of the names whose texts are not the same in all tables."""
    names = dict.fromkeys(name for table in tables for name in table)
    rows = [(name, [table.get(name, "") for table in tables]) for name in names]
    return [row for row in rows if len(set(row[1])) > 1]
