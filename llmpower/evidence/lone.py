"""Every measured run at batch 1 whose power is known: what it reads per joule, and inside which boundary."""

import functools

import numpy as np
import pandas

from llmpower.evidence import exam
from llmpower.facts import catalog
from llmpower.facts.runs import measured, power_runs, wall_runs
from llmpower.formulas import efficiency
from llmpower.step import bare
from llmpower.step.bound import counts
from llmpower.step.case import case
from llmpower.step.work import work

# What the runs without a server ran on: captured graphs, or a library that starts every kernel by itself.
GRAPHS, EAGER = "captured graphs, no server", "transformers, eager"
# The network of the library's runs; the other one that it ran is not in the catalog.
_LIBRARY = "decode 8B bf16", "llama-3.1-8b"


def _published():
    """Batch 1 in the tables of measured runs."""
    for run in measured():
        if run.batch <= 1 and np.isfinite(run.power_w):
            context = run.prompt_tokens + run.stationary_context_tokens
            several = {"n_accelerators": int(run.n_accelerators), "weight_format": run.weight_format}
            asked = case(run.model, run.accelerator, context_tokens=context, **several)
            named = (run.id, "board", run.accelerator, run.model, run.software, run.source)
            yield *named, work(asked).read_bytes, run.tokens_per_s, run.power_w


def _points():
    """Runs that stand as single facts; those of a source that has a table are in it already."""
    for id, one in exam.measured_points().items():
        if one.get("batch") == 1 and not id.startswith(("argonne", "geerling")):
            boundary = "not stated" if one.power_boundary == "not stated" else "board"
            named = (id, boundary, one.machine, one.network, "", one.source)
            yield *named, one.bytes_per_token, one.tokens_per_s, one.power_w


def _ours():
    """Our own power runs."""
    for run in power_runs():
        library = run.what.startswith(_LIBRARY[0]) and "plain" in run.what
        if run.kind == "decode" and run.batch == 1 and (library or bare.model_of(run)):
            plain = case(_LIBRARY[1], run.accelerator, context_tokens=run.context_tokens)
            asked = plain if library else bare.case_of(run)
            read = run.memory_bytes_per_s / run.steps_per_s if run.memory_bytes_per_s else work(asked).read_bytes
            named = (run.id, "board", run.accelerator, asked.model.entity, EAGER if library else GRAPHS)
            yield *named, "llmpower2026power", read, run.tokens_per_s, run.power_w


def _one_token(model, weight_format):
    """Weights that one token reads; of a mixture the experts that it takes. [B]"""
    return counts(model, 1, 0, weight_format).weight_read_bytes


def _at_the_wall():
    """Whole computers, without their short caches."""
    files = exam.measured_points()
    for run in wall_runs():
        read = files[run.file].weight_bytes if run.file else _one_token(run.model, run.weight_format)
        machine = " + ".join(filter(None, (run.computer, run.graphics)))
        named = (run.id, "wall", machine, run.model or run.file, run.runs_on, run.source)
        yield *named, read, run.tokens_per_s, run.power_w


@functools.cache
def lone():
    """A run a row: `id`, `boundary` (board, wall, not stated), `machine`, `network`, `software`, `source`,
    `bytes_per_token` [B], `tokens_per_s` [1/s], `power_w` [W], `tokens_per_j` [1/J], `read_per_j` [B/J] and `kind`.

    The kind of a board is its category in the catalog; that of a computer is what runs the model: card, shared
    (processor and graphics on one memory) or cpu.
    """
    columns = "id boundary machine network software source bytes_per_token tokens_per_s power_w".split()
    table = pandas.DataFrame([*_published(), *_points(), *_ours(), *_at_the_wall()], columns=columns)
    table["tokens_per_j"] = efficiency.tokens_per_j(table["tokens_per_s"], table["power_w"])
    table["read_per_j"] = efficiency.bytes_read_per_j(table["bytes_per_token"], table["tokens_per_j"])
    walls = {run.id: run.runs_on for run in wall_runs()}
    boards = {name: catalog.accelerator(name).category for name in catalog.names("accelerator")}
    boards |= {name: "shared" for name, category in boards.items() if category == "soc"}
    table["kind"] = [walls.get(id) or boards[machine] for id, machine in zip(table["id"], table["machine"])]
    return table


def spread(values):
    """Ninetieth over tenth percentile. [1]"""
    low, high = np.percentile(values, (10, 90))
    return efficiency.efficiency_ratio(high, low)


def carriers():
    """Runs of one graphics card and model in a desktop computer and on a Raspberry Pi, a pair a row.

    `tokens_per_j` and `power_w` of the first, those of the second with ``_pi``.
    """
    runs = [vars(run) for run in wall_runs() if run.graphics]
    runs = pandas.DataFrame(runs)[["computer", "graphics", "model", "file", "tokens_per_s", "power_w"]]
    runs["tokens_per_j"] = efficiency.tokens_per_j(runs["tokens_per_s"], runs["power_w"])
    desk, pi = (runs[runs["computer"].str.startswith(start)] for start in ("Intel 265K", "Pi "))
    return desk.merge(pi, on=["graphics", "model", "file"], suffixes=("", "_pi"))


def two_sizes(large="deepseek-r1-14b-q4-k-m-file", small="llama-3.2-3b-q4-k-m-file"):
    """Two networks on the same part of one computer of the list, a pair a row; the small one's end in `_small`."""
    wall = lone()[lone()["boundary"] == "wall"]
    wall = wall.assign(bytes_per_s=wall["bytes_per_token"] * wall["tokens_per_s"])
    large, small = (wall[wall["network"] == name] for name in (large, small))
    return large.merge(small, on=["machine", "kind"], suffixes=("", "_small"))


def batching():
    """Energy per token at batch 1 over that at the largest batch, a published set-up of one machine a row.

    `machine`, `network`, `software`, the largest `batch` and the `gain`. [1]
    """
    same, found = ["model", "accelerator", "software"], []
    runs = pandas.DataFrame(map(vars, measured()))[[*same, "batch", "j_per_token"]].dropna()
    for names, some in runs.groupby(same):
        some = some.sort_values("batch")
        if some["batch"].iloc[0] <= 1:
            gain = efficiency.efficiency_ratio(some["j_per_token"].iloc[0], some["j_per_token"].iloc[-1])
            found.append((*names, some["batch"].iloc[-1], gain))
    return pandas.DataFrame(found, columns=["network", "machine", "software", "batch", "gain"])


def power_by_size(accelerator="h100-sxm", max_batch=8):
    """Served dense networks in 16 bit on one accelerator at one batch: `model`, `params`, `power_w` [W], `task`.

    Networks with a recurrent state are left out.
    """
    runs = pandas.concat([exam.held_out(), exam.other_runs()])
    runs = runs[(runs["accelerator"] == accelerator) & (runs["n_accelerators"] == 1) & (runs["max_batch"] == max_batch)]
    runs = runs[(runs["kind"] == "dense") & ~runs["hybrid"] & (runs["anomaly"] == "")]
    runs = runs[runs["weight_format"].isin(exam.SIXTEEN_BITS) & runs["id"].str.startswith("mlenergy")]
    params = [catalog.model(name).params_shared for name in runs["model"]]
    return runs.assign(params=params)[["model", "params", "power_w", "task"]].sort_values("params", ignore_index=True)
