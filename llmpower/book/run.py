"""Executes chapters with papermill, each in a process of its own, and collects the numbers they showed."""

import concurrent.futures
import contextlib
import json
import math
import os
import pathlib
import queue
import re
import shutil
import subprocess
import sys
import tempfile
import time

import nbformat

from llmpower.arguments import hint
from llmpower.book import files, follow, fresh, warm, watch
from llmpower.book.files import ChapterError, read_notebook, write_json
from llmpower.book.parameters import used, used_table
from llmpower.book.records import NUMBERS, entries, in_si, shown

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
        os.environ[follow.ASKED] = json.dumps([str(path.resolve()), used(path, values)])
        executed = _papermill(path, values, place)
        modules, tables, read = _traced(path, executed)
        write_json(work / "run-time.json", {"run_s": executed.metadata.papermill.duration})
        _clean(executed)
        _look_at(path, executed)
        _look_at_figures(path, executed)
        results = {"chapter": path.stem, "parameters": used(path, values), "numbers": in_si(shown(executed))}
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


def numbers(path, values):
    """Execute a chapter for its numbers alone, in a process that ends with it: no figure is drawn, nothing is stored.

    values: checked parameters that differ from the defaults.

    Returns JSON: ``parameters`` by name; ``numbers`` by name, as ``results.json`` has them; ``files`` that it read
    beside the facts -> their hashes. ChapterError as of `execute`.
    """
    import matplotlib.pyplot as plt

    plt.show = lambda *ignored, **settings: plt.close("all")
    path = pathlib.Path(path)
    with tempfile.TemporaryDirectory() as place:
        executed = _papermill(path, values, pathlib.Path(place))
        read = fresh.others(path, _traced(path, executed)[2])
    _look_at(path, executed)
    return json.dumps({"parameters": used(path, values), "numbers": in_si(shown(executed)), "files": read})


def _traced(path, executed):
    """What the last cell of an executed chapter tells: modules, tables and other files; the cell goes."""
    if not (left := executed.cells.pop().outputs):
        raise ChapterError(f"{path.stem} did not end: one of its cells left Python")
    return json.loads(left[0].text)


def _look_at_titles(path):
    """ChapterError if there is no title, or one holds a computed number, which lists of contents cannot show."""
    cells = read_notebook(path).cells
    if not re.search(r"^# \S", cells[0].source if cells and cells[0].cell_type == "markdown" else "", re.MULTILINE):
        raise ChapterError(f"{path.stem}: cell 1 should be text with a title, such as `# What my class draws`")
    for number, cell in enumerate(cells, start=1):
        title = re.search(r"^# .*\{glue:.*", cell.source, re.MULTILINE) if cell.cell_type == "markdown" else None
        if title:
            raise ChapterError(
                f"{path.stem}: cell {number}: a title holds no computed number, but this does: {title[0]}"
            )


def _look_at(path, executed):
    """ChapterError if a chapter ran through and yet is not what it says."""
    names = [name for name, _, _ in entries(executed.cells, NUMBERS)]
    if twice := sorted({name for name in names if names.count(name) > 1}):
        raise ChapterError(f"{path.stem} shows two numbers of one name: {', '.join(twice)}")
    outputs = [output for cell in executed.cells for output in cell.get("outputs", [])]
    if warned := [output.text.strip() for output in outputs if output.get("name") == "stderr"]:
        raise ChapterError(f"{path.stem} printed a warning: {warned[0]}")


def _look_at_figures(path, executed):
    """ChapterError if a chapter left no picture of a figure."""
    for cell in executed.cells:
        outputs, figure = cell.get("outputs", []), cell.metadata.get("mystnb", {}).get("figure")
        if figure and not any(kind.startswith("image/") for output in outputs for kind in output.get("data", {})):
            raise ChapterError(f"{path.stem} ran, but left no picture of its figure {figure.get('name')}")


def look_at_names(path, folder):
    """ChapterError if a chapter's text names a number that neither its stored run nor its page knows."""
    known = files.read_json(folder / "results.json")["numbers"].keys() | files.read_json(folder / follow.FILE)["glue"]
    for number, cell in enumerate(read_notebook(path).cells, start=1):
        for name in re.findall(r"\{glue:text\}`([\w-]+)`", cell.source) if cell.cell_type == "markdown" else ():
            if name not in known:
                near = hint(name, known)
                raise ChapterError(f"{path.stem}: cell {number} names {name}, which nothing shows; {near}".rstrip("; "))


def _papermill(path, values, work):
    """The executed notebook with one cell more, which tells what the kernel had loaded and read."""
    # It takes a second to load; asking for help should not wait for it.
    import papermill
    from nbclient.exceptions import CellTimeoutError, DeadKernelError

    startup = work / "profile_default" / "startup"
    startup.mkdir(parents=True)
    startup.joinpath("watch.py").write_text(watch.START, encoding="utf-8")
    os.environ["IPYTHONDIR"] = str(work)
    notebook = read_notebook(path)
    notebook.cells.append(nbformat.v4.new_code_cell(_TRACE.format(folder=str(work)), id="trace"))
    nbformat.write(notebook, work / path.name)
    try:
        # A helper module and tables that lie beside the chapter are found.
        settings = {"cwd": path.parent, "engine_name": warm.engine() if warm.forked else None, **_SETTINGS}
        asked = (work / path.name, work / "out.ipynb", values), settings
        _begun(path, lambda: papermill.execute_notebook(*asked[0], **asked[1]))
    except DeadKernelError:
        raise ChapterError(f"{path.stem} did not end: {warm.DIED}") from None
    except (CellTimeoutError, papermill.PapermillExecutionError) as error:
        if getattr(error, "ename", "CellTimeout") == "CellTimeout":
            most = _SETTINGS["execution_timeout"] // 60
            raise ChapterError(f"{path.stem} did not end: a cell took more than {most} minutes") from None
        # Counted in the author's notebook, without the cell that papermill adds for changed parameters.
        cell = f"cell {error.cell_index + 1 - bool(values)}"
        lines = error.source.splitlines() or [""]
        # The cell stands first in the trace of an error, with an arrow at its line; of syntax it is the last number.
        trace = re.sub(r"\x1b\[[0-9;]*m", "", "\n".join(error.traceback))
        at = re.search(r"^-+> (\d+) ", trace, re.MULTILINE) or re.search(r"line (\d+)\n", trace)
        line = int(at[1]) if at and int(at[1]) <= len(lines) else 1
        where = f"{cell}, line {line} (`{lines[line - 1].strip()}`)"
        raise ChapterError(f"{path.stem} failed in {where}: {error.ename}: {error.evalue}") from None
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
    times = book / files.RUN_TIMES
    rounds, usual = 0, files.read_json(times)["run_s"] if times.exists() else {}
    while stale := {
        name: why or ["asked"]
        for name, path in notebooks.items()
        if (why := fresh.outdated(path, folders[name])) or force and not rounds
    }:
        if rounds == _ROUNDS:
            changing = "what they read changed each time while they ran; run the command again when it rests"
            raise ChapterError(f"not up to date after {rounds} rounds: {', '.join(stale)}: {changing}")
        rounds += 1
        # The longest first, so that none is left to run alone at the end; who is new is taken for long.
        longest = sorted(stale, key=lambda name: -usual.get(name, math.inf))
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
    with contextlib.ExitStack() as places, concurrent.futures.ThreadPoolExecutor(workers) as pool:
        places.callback(pool.shutdown)
        free, loaded = _processes(places, workers, next(iter(chapters.values()))[0])
        waiting = {pool.submit(_execute_apart, *chapter, free, loaded): name for name, chapter in chapters.items()}
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


def _processes(places, number, path):
    """Processes for chapters, not at work, and hashes of the modules that they have loaded, taken before."""
    free = queue.SimpleQueue()
    loaded = {name: held for name, held in fresh.before(path).items() if warm.FORKS and name.startswith("module:")}
    for _ in range(number):
        free.put(places.enter_context(process()))
    return free, loaded


@contextlib.contextmanager
def process(also=()):
    """A process for jobs one after the other, whose ``call`` takes the name of one of `jobs.JOBS` and its arguments.

    It has loaded what chapters need, and other modules besides; where there is no fork, each job starts one.
    """
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as place:
        if not warm.FORKS:
            yield _Cold(place)
            return
        one = warm.Warm(place, also)
        _RUNNING.add(one)
        try:
            yield one
        finally:
            _RUNNING.discard(one)
            one.close()


class _Cold:
    """Does each job in a process that begins with it."""

    def __init__(self, place):
        self.place = place

    def call(self, function, **arguments):
        """As `warm.Warm.call`."""
        done = python(self.place, "-m", "llmpower.book.jobs", function, json.dumps(arguments))
        text = done.stdout.strip() or "\n".join(done.stderr.strip().splitlines()[-3:])
        return done.returncode, text


def _execute_apart(path, values, folder, free, loaded):
    """Execute in a process of its own; returns "done", "in vain" or "failed", and what it told.

    free: processes for it that are not at work; loaded: hashes of what they may have loaded, when they began.
    """
    begun, one = fresh.before(path) | loaded, free.get()
    folder = str(folder.resolve())
    code, text = one.call("execute", path=str(path.resolve()), values=values, folder=folder, begun=begun)
    free.put(one)
    if code == 0:
        return "done", ""
    # What fails while an author saves may well run now.
    in_vain = code == fresh.Moved.exit_code or fresh.before(path) | loaded != begun
    return "in vain" if in_vain else "failed", text or f"{path.stem} did not end: {warm.DIED}"


def python(place, *arguments):
    """Run another Python, as `started`; returns the finished process and what it told."""
    with started(place, *arguments) as running:
        return ended(running)


@contextlib.contextmanager
def started(place, *arguments):
    """Another Python, as `warm.environment` says, which does not outlive the context.

    place: an empty folder, in which it works.
    """
    pipes = dict.fromkeys(("stdin", "stdout", "stderr"), subprocess.PIPE) | {"encoding": "utf-8", "errors": "replace"}
    command = [sys.executable, *arguments]
    with subprocess.Popen(command, cwd=place, env=warm.environment(place), **pipes) as running:
        _RUNNING.add(running)
        try:
            yield running
        finally:
            _RUNNING.discard(running)
            running.kill()


def ended(running, asked=None):
    """Ask a Python that is `started`, and wait for its end; returns the finished process and what it told."""
    told = running.communicate(asked)
    return subprocess.CompletedProcess(running.args, running.returncode, *told)


def stop():
    """Let the processes of `python` end, which a signal to this one alone does not reach."""
    for running in list(_RUNNING):
        running.terminate()
