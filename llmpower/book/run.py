"""Executes chapters with papermill, each in a process of its own, and collects the numbers they showed."""

import concurrent.futures
import json
import os
import pathlib
import shutil
import subprocess
import sys
import tempfile
import time

import nbformat

from llmpower.book import files, fresh
from llmpower.book.files import PACKAGE, ChapterError, read_notebook, write_json
from llmpower.book.parameters import used, used_table
from llmpower.book.records import shown

# Saving the whole notebook after each cell takes longer than most cells.
_SETTINGS = {
    "kernel_name": "python3", "start_timeout": 300, "progress_bar": False, "request_save_on_cell_execute": False,
}  # fmt: skip
# Asked of the kernel when a chapter is through, to know when it must run again.
_TRACE = """import json, sys
from llmpower.facts.tables import tables_read
print(json.dumps([sorted(name for name in sys.modules if name.partition(".")[0] == "llmpower"),
                  sorted(tables_read)]))"""


def _dress(notebook, path, values):
    """Give the executed chapter what a page needs besides: the parameters used."""
    text = f"## Parameters used\n\n{used_table(path, values)}"
    notebook.cells.append(nbformat.v4.new_markdown_cell(text, id="parameters-used"))


def execute(path, values, folder):
    """Execute a chapter and store it with its numbers; what is stored is whole or not there.

    values: checked parameters that differ from the defaults.
    folder: where ``executed.ipynb``, ``results.json``, ``run-time.json`` and ``inputs.json`` go.
    """
    path, folder = pathlib.Path(path), pathlib.Path(folder)
    folder.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=folder.parent, prefix=".running-") as name:
        work = pathlib.Path(name) / "stored"
        work.mkdir()
        executed = _papermill(path, values, pathlib.Path(name))
        modules, tables = json.loads(executed.cells.pop().outputs[0].text)
        write_json(work / "run-time.json", {"run_s": executed.metadata.papermill.duration})
        _clean(executed)
        for cell in executed.cells:
            if any(output.get("name") == "stderr" for output in cell.get("outputs", [])):
                raise ChapterError(f"{path.stem} printed a warning: {cell.outputs[0].text.strip()}")
        results = {"chapter": path.stem, "parameters": used(path, values), "numbers": shown(executed)}
        _dress(executed, path, values)
        nbformat.write(executed, work / "executed.ipynb")
        write_json(work / "results.json", results)
        # This process dresses the page, outside the kernel.
        here = [module for module in sys.modules if module.partition(".")[0] == "llmpower"]
        modules = sorted({*modules, *here, __spec__.name})
        write_json(work / "inputs.json", fresh.run_inputs(path, modules, tables, work))
        shutil.rmtree(folder, ignore_errors=True)
        os.replace(work, folder)


def _papermill(path, values, work):
    """The executed notebook with one cell more, which tells what the kernel had loaded and read."""
    # It takes a second to load; asking for help should not wait for it.
    import papermill

    notebook = read_notebook(path)
    notebook.cells.append(nbformat.v4.new_code_cell(_TRACE, id="trace"))
    nbformat.write(notebook, work / path.name)
    try:
        papermill.execute_notebook(work / path.name, work / "out.ipynb", values, cwd=work, **_SETTINGS)
    except papermill.PapermillExecutionError as error:
        # Counted in the author's notebook, without the cell that papermill adds for changed parameters.
        cell = f"cell {error.cell_index + 1 - bool(values)}"
        first = error.source.strip().splitlines()[0] if error.source.strip() else ""
        raise ChapterError(f"{path.stem} failed in {cell} (`{first}`): {error.ename}: {error.evalue}") from None
    return nbformat.read(work / "out.ipynb", as_version=4)


def _clean(notebook):
    """Drop what differs from run to run, times, paths and counters of the machine; hide what papermill added."""
    notebook.metadata.pop("papermill", None)
    notebook.metadata.get("language_info", {}).pop("version", None)
    for cell in notebook.cells:
        for key in ("papermill", "execution", "ExecuteTime"):
            cell.metadata.pop(key, None)
        if "injected-parameters" in cell.metadata.get("tags", []):
            cell["id"] = "injected-parameters"
            # The reader's values hide with the defaults; the table at the end shows both.
            cell.metadata.tags.append("remove-cell")


def execute_stale(book, values, cache, jobs=None, say=print):
    """Execute the chapters whose inputs changed, side by side; returns chapter -> folder of its run.

    values: checked parameters of every chapter.
    cache: where runs are kept.
    jobs: how many at once; the number of cores if not given.
    say: receives a line of progress at a time.

    ChapterError names every chapter that failed, its cell and its error.
    """
    notebooks = files.chapters(book)
    folders = {name: cache / name / fresh.hashed(values[name])[:12] for name in notebooks}
    stale = [name for name in notebooks if not fresh.run_is_fresh(notebooks[name], folders[name])]
    # The longest first, so that none is left to run alone at the end.
    stale.sort(key=lambda name: -notebooks[name].stat().st_size)
    if not stale:
        say(f"executing: nothing to do, {len(notebooks)} chapters are up to date")
        return folders
    jobs = min(jobs or os.cpu_count() or 1, len(stale))
    say(f"executing {len(stale)} of {len(notebooks)} chapters, {jobs} at a time")
    failures, begun = [], time.monotonic()
    with concurrent.futures.ThreadPoolExecutor(jobs) as pool:
        waiting = {pool.submit(_execute_apart, notebooks[name], values[name], folders[name]): name for name in stale}
        try:
            for number, future in enumerate(concurrent.futures.as_completed(waiting), start=1):
                failures += future.result()
                state = "failed" if future.result() else "done"
                say(f"  [{number}/{len(stale)}] {waiting[future]} {state} after {time.monotonic() - begun:.0f} s")
        except KeyboardInterrupt:
            # The running chapters got the signal, too, and end by themselves.
            pool.shutdown(wait=True, cancel_futures=True)
            raise
    if failures:
        raise ChapterError("\n".join(failures))
    return folders


def _execute_apart(path, values, folder):
    """Execute in a process of its own; returns what went wrong, in a list that is empty if nothing did."""
    job = json.dumps({"path": str(path), "values": values, "folder": str(folder)})
    done = python("-m", "llmpower.book.run", job)
    if done.returncode == 0:
        return []
    told = done.stdout.strip() or "\n".join(done.stderr.strip().splitlines()[-3:])
    return [told or f"{path.stem} stopped with code {done.returncode}"]


def python(*arguments):
    """Run another Python with this package, as its kernels do; returns the finished process and what it told."""
    # What follows the order of a set is then the same in every build.
    environment = {**os.environ, "PYTHONPATH": str(PACKAGE.parent), "PYTHONHASHSEED": "0"}
    return subprocess.run([sys.executable, *arguments], capture_output=True, text=True, env=environment, check=False)


if __name__ == "__main__":
    try:
        execute(**json.loads(sys.argv[1]))
    except ChapterError as error:
        # On standard output: the kernel's own log goes to the other one.
        print(error)
        sys.exit(1)
