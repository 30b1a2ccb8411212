"""Executes chapters with papermill, each in a process of its own, and collects the numbers they showed."""

import concurrent.futures
import importlib.util
import json
import os
import pathlib
import re
import shutil
import signal
import subprocess
import sys
import time

import nbformat

from llmpower.book import files, follow, fresh, watch
from llmpower.book.files import PACKAGE, ChapterError, read_notebook, write_json
from llmpower.book.parameters import used, used_table
from llmpower.book.records import shown

# Saving the whole notebook after each cell takes longer than most cells.
_SETTINGS = {
    "kernel_name": "python3", "start_timeout": 300, "progress_bar": False, "request_save_on_cell_execute": False,
    # A cell that never ends holds nobody up for ever. [s]
    "execution_timeout": 900,
}  # fmt: skip
# Processes that `python` has started and that have not ended.
_RUNNING = set()
# How often a kernel may be started for a chapter.
_STARTS = 3
# How often chapters run again because what they read changed while they ran.
_ROUNDS = 3
# Asked of the kernel when a chapter is through, to know when it must run again.
_TRACE = """import json, sys
from llmpower.facts.tables import tables_read
from llmpower.book import report, watch
report.finish({folder!r})
print(json.dumps([sorted(name for name in sys.modules if name.partition(".")[0] == "llmpower"),
                  sorted(tables_read), watch.files()]))"""


def _dress(notebook, path, values):
    """Give the executed chapter what a page needs besides: the parameters used."""
    text = f"## Parameters used\n\n{used_table(path, values)}"
    notebook.cells.append(nbformat.v4.new_markdown_cell(text, id="parameters-used"))


def execute(path, values, folder, begun=None):
    """Execute a chapter and store it with its numbers; what is stored is whole or not there.

    values: checked parameters that differ from the defaults.
    folder: where ``executed.ipynb``, ``results.json``, ``run-time.json`` and ``inputs.json`` go.
    begun: hashes of what could become its inputs, from `fresh.before`; taken now if not given.

    ChapterError if a cell fails, warns or leaves no picture of its figure; `fresh.Moved` if an input changed meanwhile.
    """
    path, folder = pathlib.Path(path), pathlib.Path(folder)
    begun = begun or fresh.before(path)
    _look_at_titles(path)
    with fresh.own_work(folder.parent, ".running-") as place:
        work = place / "stored"
        work.mkdir()
        startup = place / "profile_default" / "startup"
        startup.mkdir(parents=True)
        startup.joinpath("watch.py").write_text(watch.START, encoding="utf-8")
        os.environ["IPYTHONDIR"] = str(place)
        os.environ[follow.ASKED] = json.dumps([str(path.resolve()), used(path, values)])
        executed = _papermill(path, values, place)
        if not (left := executed.cells.pop().outputs):
            raise ChapterError(f"{path.stem} did not end: one of its cells left Python")
        modules, tables, read = json.loads(left[0].text)
        write_json(work / "run-time.json", {"run_s": executed.metadata.papermill.duration})
        _clean(executed)
        _look_at(path, executed)
        results = {"chapter": path.stem, "parameters": used(path, values), "numbers": shown(executed)}
        _dress(executed, path, values)
        nbformat.write(executed, work / "executed.ipynb")
        write_json(work / "results.json", results)
        os.replace(place / follow.FILE, work / follow.FILE)
        # This process dresses the page, outside the kernel.
        here = [module for module in sys.modules if module.partition(".")[0] == "llmpower"]
        inputs = fresh.run_inputs(path, sorted({*modules, *here, __spec__.name}), tables, begun, read)
        write_json(work / "inputs.json", inputs | fresh.results(work))
        shutil.rmtree(folder, ignore_errors=True)
        os.replace(work, folder)


def _look_at_titles(path):
    """ChapterError if a title holds a computed number, which lists of contents cannot show."""
    for number, cell in enumerate(read_notebook(path).cells, start=1):
        title = re.search(r"^# .*\{glue:.*", cell.source, re.MULTILINE) if cell.cell_type == "markdown" else None
        if title:
            raise ChapterError(
                f"{path.stem}: cell {number}: a title holds no computed number, but this does: {title[0]}"
            )


def _look_at(path, executed):
    """ChapterError if a chapter ran through and yet is not fit to be published."""
    for cell in executed.cells:
        outputs = cell.get("outputs", [])
        if warned := [output.text.strip() for output in outputs if output.get("name") == "stderr"]:
            raise ChapterError(f"{path.stem} printed a warning: {warned[0]}")
        figure = cell.metadata.get("mystnb", {}).get("figure")
        if figure and not any(kind.startswith("image/") for output in outputs for kind in output.get("data", {})):
            raise ChapterError(f"{path.stem} ran, but left no picture of its figure {figure.get('name')}")


def _papermill(path, values, work):
    """The executed notebook with one cell more, which tells what the kernel had loaded and read."""
    # It takes a second to load; asking for help should not wait for it.
    import papermill
    from nbclient.exceptions import CellTimeoutError, DeadKernelError

    notebook = read_notebook(path)
    notebook.cells.append(nbformat.v4.new_code_cell(_TRACE.format(folder=str(work)), id="trace"))
    nbformat.write(notebook, work / path.name)
    try:
        # A helper module and tables that lie beside the chapter are found.
        asked = (work / path.name, work / "out.ipynb", values), {"cwd": path.parent, **_SETTINGS}
        _begun(path, lambda: papermill.execute_notebook(*asked[0], **asked[1]))
    except DeadKernelError:
        why = "killed, out of memory, or a cell ended it"
        raise ChapterError(f"{path.stem} did not end: its kernel died ({why})") from None
    except CellTimeoutError:
        most = _SETTINGS["execution_timeout"] // 60
        raise ChapterError(f"{path.stem} did not end: a cell took more than {most} minutes") from None
    except papermill.PapermillExecutionError as error:
        # Counted in the author's notebook, without the cell that papermill adds for changed parameters.
        cell = f"cell {error.cell_index + 1 - bool(values)}"
        first = error.source.strip().splitlines()[0] if error.source.strip() else ""
        raise ChapterError(f"{path.stem} failed in {cell} (`{first}`): {error.ename}: {error.evalue}") from None
    return nbformat.read(work / "out.ipynb", as_version=4)


def _begun(path, execute):
    """Execute; a kernel that dies before it answers has run nothing, since another program took its port: once more."""
    for left in reversed(range(_STARTS)):
        try:
            return execute()
        except RuntimeError as error:
            if "before replying" not in str(error):
                raise
            if not left:
                raise ChapterError(f"{path.stem} did not begin: its kernel died {_STARTS} times, {error}") from None


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


def execute_stale(book, values, cache, jobs=None, say=print, force=False):
    """Execute the chapters whose inputs changed, side by side; returns chapter -> folder of its run.

    values: checked parameters of every chapter that is meant.
    cache: where runs are kept.
    jobs: how many at once; the number of cores if not given.
    say: receives a line of progress at a time.
    force: execute them all, changed or not.

    ChapterError names every chapter that failed, its cell and its error.
    What changes while chapters run is followed: they run again, so that all of them have seen the same.
    """
    notebooks = {name: path for name, path in files.chapters(book).items() if name in values}
    folders = {name: cache / name / fresh.hashed(values[name])[:12] for name in notebooks}
    for left in cache.glob("*/.running-*"):
        fresh.remove_left(left)
    rounds = 0
    while stale := {
        name: why or ["asked"]
        for name, path in notebooks.items()
        if (why := fresh.outdated(path, folders[name])) or force and not rounds
    }:
        if rounds == _ROUNDS:
            changing = "what they read changed each time while they ran; run the command again when it rests"
            raise ChapterError(f"not up to date after {rounds} rounds: {', '.join(stale)}: {changing}")
        rounds += 1
        # The longest first, so that none is left to run alone at the end.
        longest = sorted(stale, key=lambda name: -notebooks[name].stat().st_size)
        workers = min(jobs or os.cpu_count() or 1, len(stale))
        names, why = ", ".join(longest), _why(stale.values(), rounds > 1)
        say(f"executing {len(stale)} of {len(notebooks)} chapters, {workers} at a time{why}: {names}")
        _execute_all({name: (notebooks[name], values[name], folders[name]) for name in longest}, workers, say)
    if not rounds:
        say(f"executing: nothing to do, {len(notebooks)} chapters are up to date")
    return folders


def _why(reasons, again):
    """Why chapters run, in words, of what changed for each; nothing where all run for the first time."""
    told = {
        "code": "their code",
        "packages": "requirements.lock",
        "style": "the style of figures",
        "text": "their text",
    }
    named = dict.fromkeys(name for one in reasons for name in one if name not in ("no run", "asked"))
    words = [told.get(name, name.partition(":")[2] or name) for name in named] or ["what they read"] * again
    shown = ", ".join([*words[:3], *([f"{len(words) - 3} more"] if len(words) > 3 else [])])
    return f", since {shown} changed" + " meanwhile" * again if words else ""


def _execute_all(chapters, workers, say):
    """Execute chapters side by side; ChapterError with all failures, when all have ended."""
    failures, begun = [], time.monotonic()
    with concurrent.futures.ThreadPoolExecutor(workers) as pool:
        waiting = {pool.submit(_execute_apart, *chapter): name for name, chapter in chapters.items()}
        try:
            for number, future in enumerate(concurrent.futures.as_completed(waiting), start=1):
                state, told = future.result()
                ended = f"{state} after {time.monotonic() - begun:.0f} s" + (f": {told}" if state == "in vain" else "")
                say(f"  [{number}/{len(chapters)}] {waiting[future]} {ended}")
                failures += [told] if state == "failed" else []
        except KeyboardInterrupt:
            # The running chapters got the signal, too, and end by themselves.
            pool.shutdown(wait=True, cancel_futures=True)
            raise
    if failures:
        raise ChapterError("\n".join(failures))


def _execute_apart(path, values, folder):
    """Execute in a process of its own; returns "done", "in vain" or "failed", and what it told."""
    begun = fresh.before(path)
    job = {"path": str(path.resolve()), "values": values, "folder": str(folder.resolve()), "begun": begun}
    with fresh.own_work(folder.parent, ".running-") as place:
        done = python(place, "-m", "llmpower.book.run", json.dumps(job))
    if done.returncode == 0:
        return "done", ""
    # What fails while an author saves may well run now.
    if done.returncode == fresh.Moved.exit_code or fresh.before(path) != begun:
        return "in vain", done.stdout.strip()
    told = done.stdout.strip() or "\n".join(done.stderr.strip().splitlines()[-3:])
    return "failed", told or f"{path.stem} stopped with code {done.returncode}"


def python(place, *arguments):
    """Run another Python with this package, as its kernels do; returns the finished process and what it told.

    place: an empty folder, in which it works.

    It imports nothing from where the caller happens to be, and knows none of the caller's own settings: Python's,
    IPython's start-up files, the style and the backend of the figures.
    """
    own = {name: value for name, value in os.environ.items() if not name.startswith(("PYTHON", "IPYTHON"))}
    figures = pathlib.Path(importlib.util.find_spec("matplotlib").origin).parent
    own |= {
        "PYTHONPATH": str(PACKAGE.parent), "PYTHONSAFEPATH": "1", "PYTHONUTF8": "1",
        # What follows the order of a set is then the same in every build.
        "PYTHONHASHSEED": "0",
        "IPYTHONDIR": str(place), "MPLBACKEND": "module://matplotlib_inline.backend_inline",
        "MATPLOTLIBRC": str(figures / "mpl-data" / "matplotlibrc"), "JUPYTER_PATH": "",
    }  # fmt: skip
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "encoding": "utf-8", "errors": "replace"}
    command = [sys.executable, *arguments]
    with subprocess.Popen(command, cwd=place, env=own, **pipes) as running:
        _RUNNING.add(running)
        try:
            told = running.communicate()
        finally:
            _RUNNING.discard(running)
    return subprocess.CompletedProcess(command, running.returncode, *told)


def stop():
    """Let the processes of `python` end, which a signal to this one alone does not reach."""
    for running in list(_RUNNING):
        running.terminate()


if __name__ == "__main__":
    # Being ended cleans up as Ctrl-C does, which what runs in the background may ignore.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        execute(**json.loads(sys.argv[1]))
    except ChapterError as error:
        # On standard output: the kernel's own log goes to the other one.
        print(error)
        sys.exit(error.exit_code)
