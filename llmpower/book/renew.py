"""The reference edition: committed notebooks with their outputs, images stripped."""

import datetime
import json
import os
import pathlib
import platform
import tempfile

import nbformat

from llmpower.book import run
from llmpower.book.appendices import RUN_TIMES
from llmpower.book.build import chapters, execute
from llmpower.book.changes import moved

_IMAGES = ("image/png", "image/svg+xml", "image/jpeg")


def strip_images(notebook):
    """Drop pictures, and the tables behind them, from outputs; the published pages make their own."""
    for cell in notebook.cells:
        for output in cell.get("outputs", []):
            output.get("metadata", {}).get("scrapbook", {}).pop("csv", None)
            for kind in _IMAGES:
                output.get("data", {}).pop(kind, None)
                output.get("metadata", {}).pop(kind, None)
    return notebook


def _record(path, folders):
    """Store how long the chapters took, for the status page."""
    times = {
        name: json.loads((folder / "run-time.json").read_text(encoding="utf-8"))["run_s"]
        for name, folder in folders.items()
    }
    edition = {
        "date": datetime.date.today().isoformat(),
        "python": platform.python_version(),
        "cores": os.cpu_count(),
        "run_s": {name: round(time, 1) for name, time in times.items()},
    }
    path.write_text(json.dumps(edition, indent=1) + "\n", encoding="utf-8")


def renew(book, jobs=None, say=print):
    """Execute the chapters with their defaults and store the outputs in place.

    Parameters
    ----------
    book : pathlib.Path
        The book.
    jobs : int, optional
        Chapters executed at once.
    say : callable
        Receives a line of progress at a time, then the numbers that moved.

    Raises
    ------
    ChapterError
        If a chapter fails; no notebook is changed then.
    """
    notebooks = chapters(book)
    with tempfile.TemporaryDirectory() as cache:
        folders = execute(book, {name: {} for name in notebooks}, pathlib.Path(cache), jobs, say)
        _record(book / RUN_TIMES, folders)
        for name, path in notebooks.items():
            before = nbformat.read(path, as_version=4)
            after = strip_images(nbformat.read(folders[name] / "executed.ipynb", as_version=4))
            # The appended table of parameters belongs to a run, not to the source.
            after.cells = [cell for cell in after.cells if cell.id != "parameters-used"]
            lines = moved(run.shown(before), run.shown(after))
            nbformat.write(after, path)
            say(f"{name}: {len(lines)} numbers moved" if lines else f"{name}: no number moved")
            for number, old, new in lines:
                say(f"  {number}: {old['text'] if old else 'not there'} -> {new['text'] if new else 'gone'}")
