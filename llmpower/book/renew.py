"""The reference edition: committed notebooks with their outputs, images stripped."""

import datetime
import os
import pathlib
import platform
import tempfile

import nbformat

from llmpower.book import records, run
from llmpower.book.changes import moved
from llmpower.book.files import chapters, read_json, write_json
from llmpower.book.pages import RUN_TIMES


def _strip(notebook):
    """Drop what belongs to a run and not to the source: pictures, the tables behind them, the parameters used."""
    notebook.cells = [cell for cell in notebook.cells if cell.id != "parameters-used"]
    for output in (output for cell in notebook.cells for output in cell.get("outputs", [])):
        output.get("metadata", {}).pop(records.FIGURES, None)
        for kind in ("image/png", "image/svg+xml", "image/jpeg"):
            output.get("data", {}).pop(kind, None)
            output.get("metadata", {}).pop(kind, None)


def renew(book, jobs=None, say=print):
    """Execute the chapters with their defaults and store the outputs in place; if one fails, no notebook is changed.

    jobs: chapters executed at once.
    say: receives a line of progress at a time, then the numbers that moved.
    """
    notebooks = chapters(book)
    made = {"date": datetime.date.today().isoformat(), "python": platform.python_version(), "cores": os.cpu_count()}
    with tempfile.TemporaryDirectory() as cache:
        folders = run.execute_stale(book, {name: {} for name in notebooks}, pathlib.Path(cache), jobs, say)
        run_s = {name: round(read_json(folder / "run-time.json")["run_s"], 1) for name, folder in folders.items()}
        write_json(book / RUN_TIMES, {**made, "run_s": run_s})
        for name, path in notebooks.items():
            before = nbformat.read(path, as_version=4)
            after = nbformat.read(folders[name] / "executed.ipynb", as_version=4)
            _strip(after)
            lines = moved(records.shown(before), records.shown(after))
            nbformat.write(after, path)
            say(f"{name}: {len(lines)} numbers moved" if lines else f"{name}: no number moved")
            for number, old, new in lines:
                say(f"  {number}: {old['text'] if old else 'not there'} -> {new['text'] if new else 'gone'}")
