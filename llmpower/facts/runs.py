"""Measured runs of ``data/``: published ones as columns, our own on a board and some at the wall one by one.

And pairs of runs that one thing tells apart.
"""

import functools
import itertools
from collections import defaultdict
from types import SimpleNamespace

import numpy as np

from llmpower.facts import catalog
from llmpower.facts.quantities import quantities
from llmpower.facts.tables import rows

_TEXT = (
    "id", "source", "published_model", "model", "weight_format", "accelerator", "software", "task", "anomaly", "where",
    "verified", "lacks", "kv_format",
)  # fmt: skip
# What a source may leave open; all but the prompt is above zero.
_OPEN = ("n_requests", "output_tokens_per_prompt", "power_w", "j_per_token", "median_itl_ms")
# And what the public speed runs do: no window was metered, and some name no limit or no length.
_OPEN_PUBLIC = (*_OPEN, "max_batch", "output_tokens", "window_context_tokens")


def measurements(table="measurements.csv"):
    """Measured runs, a column a name: lists of text, arrays of numbers with NaN where the source has none.

    table: ``"measurements.csv"``, ``"validation.csv"`` for the runs no constant was fitted to, or
        ``"server_runs.csv"`` for public speed runs of servers, which `measured` leaves out.
    A number that is none is a `FactError`.

    >>> runs = measurements()
    >>> round(float(runs["j_per_token"][runs["id"].index("mlenergy_v3-0010")]), 3)
    6.028
    """
    return {name: values.copy() for name, values in _columns(tuple(rows(table))).items()}


@functools.cache
def _columns(lines):
    columns = {}
    for name in lines[0].row:
        if name in _TEXT:
            columns[name] = [cells.date(name) if name == "verified" else cells.plain(name) for cells in lines]
        else:
            numbers = (_number(cells, name) for cells in lines)
            columns[name] = np.array([np.nan if one is None else one for one in numbers])
    return columns


def _number(cells, name):
    value = cells.number(name, empty=name in (_OPEN_PUBLIC if cells.table == "server_runs.csv" else _OPEN))
    if value is not None and value <= 0 and (value, name) != (0, "prompt_tokens"):
        raise cells.wrong(name, "a number above zero")
    return quantities()[name].checked(cells, name, value) if name in quantities() else value


# Tables of runs that constants are fitted to; the energies of the first were metered.
FITTED = ("measurements.csv", "server_runs.csv")
# Servers with runs behind their constants; words of a software that name it, in the order they are looked for.
SERVERS = ("vllm", "sglang", "trtllm")
_SERVERS = (
    ("sglang", "sglang"), ("trt", "trtllm"), ("tensorrt", "trtllm"), ("llama.cpp", "llama.cpp"), ("vllm", "vllm"),
)  # fmt: skip


def in_fit(software, anomaly):
    """Whether constants are fitted to a run of `FITTED`: a server of today, and no neighbour it contradicts."""
    return not anomaly and "2024" not in software and server(software) in SERVERS


def server(software):
    """The server that runs name in their own words, such as ``"vllm-0.11.1"``.

    >>> server("trtllm 1.0.0rc3"), server("tensorrt-llm-2024")
    ('trtllm', 'trtllm')
    """
    low = software.lower()
    return next((name for word, name in _SERVERS if word in low), low)


def seen_in_fit(column, metered=False):
    """Values of a text column among the runs that constants are fitted to; `metered`: those whose energy was."""
    return frozenset(value for (value,) in seen_together(column, metered=metered))


@functools.cache
def seen_together(*columns, metered=False):
    """What these runs have in several text columns, a tuple each."""
    tables = FITTED[:1] if metered else FITTED
    return frozenset(
        tuple(cells.row[column] for column in columns)
        for name in tables
        for cells in rows(name)
        if in_fit(cells.row["software"], cells.row["anomaly"])
    )


@functools.cache
def measured():
    """All rows of both tables, a namespace each: the runs in a fit and those kept out of it.

    >>> sum(run.accelerator == "mi300x" for run in measured())
    3
    """
    tables = (measurements(name) for name in ("measurements.csv", "validation.csv"))
    return [SimpleNamespace(**dict(zip(columns, row))) for columns in tables for row in zip(*columns.values())]


def pairs(runs, differs, same):
    """Pairs of runs that agree in the columns `same` and have neighbouring values in the column `differs`.

    runs: namespaces, such as `measured` or `power_runs` gives. The smaller value comes first.

    >>> llama = [run for run in measured() if run.source == "dai2024gpubench" and run.model == "llama-3-70b"]
    >>> [one.accelerator for one, _ in pairs(llama, "weight_format", ["accelerator", "n_accelerators"])]
    ['m2-ultra']
    """
    groups = defaultdict(lambda: defaultdict(list))
    for run in runs:
        groups[tuple(getattr(run, name) for name in same)][getattr(run, differs)].append(run)
    neighbours = ((group[a], group[b]) for group in groups.values() for a, b in itertools.pairwise(sorted(group)))
    return [pair for ends in neighbours for pair in itertools.product(*ends)]


_POWER_TEXT = ("id", "board", "accelerator", "driver", "software", "kind", "what", "weight_format")
POWER_KINDS = tuple("idle clocks_up integer memory l2 product decode prefill eager waiting rows reading".split())


@functools.cache
def power_runs():
    """Our own power runs, in the order they were made: a namespace each, with None for what a run does not have.

    Watts are of one board, rates per second; `throttled` says whether the board was held at its power limit meanwhile.

    >>> [run.power_w for run in power_runs() if run.id == "h100-26"]
    [404.03]
    """
    return [_power_run(cells) for cells in rows("power_runs.csv")]


def _power_run(cells):
    run = SimpleNamespace(**{name: cells.plain(name) for name in _POWER_TEXT}, date=cells.date("date"))
    cells.one_of("kind", POWER_KINDS, "what was kept busy")
    cells.one_of("accelerator", catalog.names("accelerator"), "a name of data/accelerators.csv")
    run.throttled = cells.one_of("throttled", ("yes", "no"), "yes or no") == "yes"
    for name in cells.row.keys() - vars(run).keys():
        value = cells.number(name, empty=name != "power_w")
        if value is not None and value <= 0:
            raise cells.wrong(name, "a number above zero")
        setattr(run, name, value)
    return run


_WALL_TEXT = ("id", "source", "computer", "graphics", "model", "weight_format", "file", "where", "note")
WALL_KINDS = ("card", "shared", "cpu")


@functools.cache
def wall_runs():
    """Single requests on whole computers, watts at the wall: a namespace each.

    A run has a `model` of the catalog, stored in `weight_format`, or a `file` of ``data/measured_points.csv``.

    >>> [run.power_w for run in wall_runs() if run.id == "geerling-0001"]
    [464.2]
    """
    return [_wall_run(cells) for cells in rows("wall_runs.csv")]


def _wall_run(cells):
    run = SimpleNamespace(**{name: cells.plain(name) for name in _WALL_TEXT}, verified=cells.date("verified"))
    run.runs_on = cells.one_of("runs_on", WALL_KINDS, "what runs the model")
    for name in ("tokens_per_s", "power_w"):
        value = cells.number(name)
        if value <= 0:
            raise cells.wrong(name, "a number above zero")
        setattr(run, name, value)
    return run
