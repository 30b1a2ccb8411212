"""Runs a chapter for every combination of a grid, on this machine or on a cluster, and keeps what each of them showed.

A run is known by what it depends on: the chapter, the package, the facts, the lock file, Python and its parameters.
What one run left is a file; a sweep that was stopped goes on with those that are missing, and a run that failed is
kept with its error.  Dask hands out the runs; each of its workers has a process that has loaded what the chapter needs,
and a fork of that process does the run (`llmpower.book.warm`).
"""

import contextlib
import itertools
import json
import logging
import pathlib
import queue
import tempfile
import time

from distributed import Client, LocalCluster, WorkerPlugin, as_completed, get_worker

from llmpower.arguments import ParameterError
from llmpower.book import files, fresh, parameters, run, warm
from llmpower.sweep import grid, store, summary
from llmpower.text import text

# Tasks that the scheduler holds at a time for each worker, and at least.
_AHEAD, _AT_LEAST = 4, 200
# [s] between two lines of progress, at least; and share of the whole.
_TELL_S, _TELL_SHARE = 2, 0.02
# Runs of a sweep.
_MOST = 1_000_000
# What of the package is loaded when a chapter asks for it, if any does.
_NOT_LOADED = ("llmpower.book", "llmpower.sweep", "llmpower.cli", "llmpower.__main__")
_NUMBERS = ("int", "float")


class Stopped(RuntimeError):
    """A sweep could not go on; what it has is kept."""

    exit_code = 1


class _Runner(WorkerPlugin):
    """What a worker has to run one chapter: the chapter, what lies beside it, and processes for it."""

    def __init__(self, name, beside, chapter, code, book):
        self.name, self.beside, self.chapter, self.code, self.book = name, beside, chapter, code, book

    def setup(self, worker):
        """Lay out the chapter; RuntimeError if this worker's package is another one."""
        if self.code != _code():
            raise RuntimeError(f"{worker.address} has another llmpower, or other facts")
        self.open = contextlib.ExitStack()
        place = pathlib.Path(self.open.enter_context(tempfile.TemporaryDirectory(ignore_cleanup_errors=True)))
        self.path, self.free = place / "chapters" / self.chapter, queue.SimpleQueue()
        self.path.parent.mkdir()
        for name, content in self.beside.items():
            (self.path.parent / name).write_bytes(content)

    def teardown(self, worker):
        """End the processes."""
        self.open.close()

    def run(self, values):
        """Exit code and text of `run.numbers`."""
        return self._called("numbers", path=str(self.path), values=values)

    def publish(self, values, address, key):
        """Exit code and text of `run.page`, whose page goes to the folder of the sweep."""
        with tempfile.TemporaryDirectory() as out:
            given = {"book": self.book, "chapter": self.path.stem, "values": values, "out": out}
            code, told = self._called("page", **given)
            if code == 0:
                store.Store(address).put(pathlib.Path(out) / "html", f"{store.PAGES}/{key}")
        return code, told

    def _called(self, function, **arguments):
        try:
            process = self.free.get_nowait()
        except queue.Empty:
            process = self.open.enter_context(run.process(_modules()))
        code, told = process.call(function, **arguments)
        self.free.put(process)
        return code, told or f"{self.path.stem} did not end: {warm.DIED}"


def _modules():
    """Modules of the package that chapters load, and the slowest of what they read."""
    names = (name.removeprefix("module:") for name in fresh.package() if name.startswith("module:"))
    return [name for name in names if not name.startswith(_NOT_LOADED)] + [
        "llmpower.book.report",
        "llmpower.facts.runs:measurements",
    ]


def _code():
    """Hash of the package and its facts."""
    return fresh.hashed(fresh.package())


def _task(name, way, *arguments):
    return getattr(get_worker().plugins[name], way)(*arguments)


@contextlib.contextmanager
def cluster(scheduler=None, jobs=None):
    """A client of a Dask scheduler, of the one at an address or of one that lives as long as this."""
    # What matters of it is told here.
    for name in ("distributed", "distributed.client", "distributed.core", "asyncio", "tornado.application"):
        logging.getLogger(name).setLevel(logging.CRITICAL)
    with contextlib.ExitStack() as opened:
        if scheduler is None:
            # For this computer only, and no page to watch.
            settings = {"host": "127.0.0.1", "dashboard_address": None, "threads_per_worker": 1}
            settings["scheduler_kwargs"] = {"dashboard_address": "127.0.0.1:0"}
            scheduler = opened.enter_context(LocalCluster(n_workers=jobs, **settings))
        try:
            client = opened.enter_context(Client(scheduler, timeout="20s"))
            client.wait_for_workers(1, timeout=60)
        except (OSError, TimeoutError, ValueError) as error:
            told = str(error).splitlines()[0] if str(error) else "no answer"
            raise ParameterError(
                [f"scheduler: got {scheduler}; {told}; allowed is a running one, tcp://host:port"]
            ) from None
        yield client


def each(client, todo, task, say=print):
    """Do tasks on a cluster and yield each as it is done: key, and its result or the exception it ended with.

    todo: key -> arguments of the task, of those that are to be done.

    A result is let go at once: of tasks whose worker dies only those are done again whose result is not here yet.
    """
    left, waiting, begun, told_s, told = iter(todo.items()), {}, time.monotonic(), 0.0, 0

    def submit(number):
        for key, arguments in itertools.islice(left, number):
            future = client.submit(task, *arguments, key=f"{key}-{begun}", pure=False)
            waiting[future.key] = key
            yield future

    ahead = max(_AT_LEAST, _AHEAD * len(client.scheduler_info(n_workers=-1)["workers"]))
    done = as_completed(submit(ahead), raise_errors=False)
    for number, future in enumerate(done, start=1):
        if future.status not in ("finished", "error"):
            raise Stopped("the scheduler is gone; what was done is kept, and the same command goes on with the rest")
        result = future.result() if future.status == "finished" else future.exception()
        key = waiting.pop(future.key)
        future.release()
        done.update(list(submit(1)))
        yield key, result
        now = time.monotonic() - begun
        if number == len(todo) or now - told_s > _TELL_S and number - told >= _TELL_SHARE * len(todo):
            told_s, told, rest_s = now, number, now / number * (len(todo) - number)
            say(f"  [{number}/{len(todo)}] after {now:.0f} s" + (f", {text(rest_s, 's')} left" if rest_s else ""))


def sweep(book, chapter, out, asked, scheduler=None, jobs=None, pages=False, say=print, force=False):
    """Run a chapter for every combination; returns how many runs failed.

    out: folder of the sweep, or its address on a file system of fsspec.
    asked: ``grid``, ``together``, ``fixed`` and ``file`` of `grid.read`.
    scheduler: address of a Dask scheduler; without it one is started, with so many ``jobs`` or one for each core.
    pages: publish the page of each run, too.
    force: run also what is there.

    ParameterError if what is asked cannot be, `Stopped` if the cluster is gone.
    """
    path = files.chapter(book, chapter)
    known = parameters.parameters(path)
    combinations = grid.read(
        lambda lists: parameters.each(path, lists), {name: one.quantity for name, one in known.items()}, **asked
    )
    place = store.Store(out)
    if len(combinations) > _MOST:
        most = f"allowed are up to {_MOST:,} runs, and --model-only takes more"
        raise ParameterError([f"grid: got {len(combinations):,} combinations, {combinations.sizes}; {most}"])
    place.open(path.stem)
    base = fresh.hashed({name: one for name, one in fresh.before(path).items() if name != "text"})
    keys = {}
    for at in range(len(combinations)):
        values = {name: one for name, one in combinations[at].items() if one != known[name].default}
        keys[fresh.hashed([base, values])[:16]] = values
    there = set() if force else {*_whole(place, path, keys, pages)}
    todo = {key: values for key, values in keys.items() if key not in there}
    say(f"{len(keys):,} runs of {path.stem}, {len(todo):,} to do: {combinations.sizes}")
    if todo:
        _do(place, path, book, todo, pages, scheduler, jobs, say)
    numeric = {name: one.quantity.type in _NUMBERS for name, one in known.items()}
    records = lambda: (json.loads(place.read(_file(key))) for key in keys)  # noqa: E731
    failed = store.write_results(place, records(), numeric)
    defaults, page = {name: one.default for name, one in known.items()}, f"chapters/{path.stem}.html"
    page_of = lambda record: f"{store.PAGES}/{record['run']}/{page}" if pages else ""  # noqa: E731
    summary.write(place, path.stem, records(), combinations, defaults, summary.order(path), page_of)
    axes = [{name: list(values) for name, values in axis.items()} for axis in combinations.axes]
    place.close({"of": path.stem, "fixed": combinations.fixed, "axes": axes})
    return failed


def _file(key):
    return f"{store.RUNS}/{key}.json"


def _whole(place, path, keys, pages):
    """Keys of runs that ended, read what still lies beside the chapter, and have their page if it is wanted."""
    named, published, now = set(place.names(store.RUNS)), set(place.names(store.PAGES)) if pages else (), {}
    for key in keys:
        if f"{key}.json" in named:
            record = json.loads(place.read(_file(key)))
            read = record.get("files", {})
            now |= {name: fresh.digest(path.parent / name) for name in read.keys() - now.keys()}
            if "again" not in record and all(now[name] == held for name, held in read.items()):
                if not pages or "error" in record or key in published:
                    yield key


def _do(place, path, book, todo, pages, scheduler, jobs, say):
    """Do what is missing, and write down each as it is done."""
    beside = [one for one in path.parent.iterdir() if one.is_file() and (one == path or one.suffix != ".ipynb")]
    name = f"llmpower-{fresh.hashed([path.stem, time.time()])[:8]}"
    content = {one.name: one.read_bytes() for one in beside}
    with cluster(scheduler, jobs) as client:
        try:
            client.register_plugin(_Runner(name, content, path.name, _code(), str(book)), name=name)
            way = "publish" if pages else "run"
            tasks = {key: (name, way, values, *([place.address, key] if pages else [])) for key, values in todo.items()}
            for key, result in each(client, tasks, _task, say):
                code, told = (-1, f"its worker died: {result}") if isinstance(result, BaseException) else result
                record = {"run": key, "parameters": todo[key]}
                # What is no fault of the chapter is tried again by the next sweep.
                record |= json.loads(told) if code == 0 else {"error": told} | ({"again": True} if code < 0 else {})
                place.write(_file(key), json.dumps(record).encode())
        finally:
            with contextlib.suppress(Exception):
                client.unregister_worker_plugin(name)
