"""The reference edition: committed notebooks with their outputs, images stripped but for the one of the README."""

import datetime
import os
import platform

import nbformat

from llmpower.book import fresh, records, run
from llmpower.book.changes import moved
from llmpower.book.files import RUN_TIMES, BookError, chapters, json_text, read_json, read_notebook, replace

# The first figure of the front page, which the README shows.
PICTURE = "pages/finding.svg"


def pictures(notebook):
    """Drawings that an executed chapter left, in its order."""
    outputs = (output for cell in notebook.cells for output in cell.get("outputs", []))
    return [output.data["image/svg+xml"] for output in outputs if "image/svg+xml" in output.get("data", {})]


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

    BookError if somebody saved a notebook meanwhile: what was saved stays, and nothing is written.
    """
    notebooks = chapters(book)
    begun = {name: fresh.digest(path) for name, path in notebooks.items()}
    made = {"date": datetime.date.today().isoformat(), "python": platform.python_version(), "cores": os.cpu_count()}
    with fresh.own_work(book / "_build", ".renewing-") as cache:
        folders = run.execute_stale(book, {name: {} for name in notebooks}, cache, jobs, say)
        run_s = {name: round(read_json(folder / "run-time.json")["run_s"], 1) for name, folder in folders.items()}
        written, told = {book / RUN_TIMES: json_text({**made, "run_s": run_s})}, []
        for name, path in notebooks.items():
            before = read_notebook(path)
            after = nbformat.read(folders[name] / "executed.ipynb", as_version=4)
            if path.parent == book and (drawn := pictures(after)):
                written[book / PICTURE] = drawn[0]
            _strip(after)
            lines = moved(records.shown(before), records.shown(after))
            written[path] = nbformat.writes(after) + "\n"
            told.append(f"{name}: {len(lines)} numbers moved" if lines else f"{name}: no number moved")
            for number, old, new in lines:
                told.append(f"  {number}: {old['text'] if old else 'not there'} -> {new['text'] if new else 'gone'}")
        if saved := [name for name, path in notebooks.items() if fresh.digest(path) != begun[name]]:
            raise BookError(f"{', '.join(saved)}: saved while it was renewed; nothing was written, renew again")
        replace(written)
    say("\n".join(told))


def pytest_collectstart(collector):
    """As a plug-in of pytest, named in ``pyproject.toml``: nbval compares no pictures, since an edition keeps none."""
    if hasattr(collector, "skip_compare"):
        collector.skip_compare += ("image/svg+xml",)
