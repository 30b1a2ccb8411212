"""Where one joule of a board goes: runs and cases divided by parts that were measured apart, and what is left over."""

import functools
from dataclasses import dataclass, replace

import numpy as np
import pandas

from llmpower.estimate import expect
from llmpower.evidence import fit
from llmpower.facts.runs import power_runs
from llmpower.formulas import decode, meter
from llmpower.formulas.elementwise import maximum, minimum
from llmpower.ranges import Range
from llmpower.step import bare, metered
from llmpower.step.case import case as make_case
from llmpower.step.constants import BARE_EXAM
from llmpower.step.point import usual
from llmpower.step.work import work
from llmpower.trace import by_choice

PARTS = ("flows anyway", "memory chips", "way to the chip", "on the chip", "arithmetic", "not assigned")
MOVES = "moves data"
_METERED = ("power_w", "j_per_token", "tokens_per_s")
_SHOWN = ("id", "board", "what", "weight_format", "batch", "context_tokens", *_METERED)


@dataclass(frozen=True)
class Division:
    """Watts of one board by part, `Range` by the names of `PARTS`, and all of it. [W]

    Central values are parts measured apart, so that with what is not assigned they sum to the whole. Ends are other
    readings of the same runs: what flows anyway ends at the sweep of traffic without traffic; a byte costs at least
    what it adds to that, at most what it costs at this rate; arithmetic costs at least what zeros do, at most all that
    flows and bytes leave over. What flows and what a byte costs are read together, the larger with the smaller.
    """

    power_w: float
    parts: dict
    moving_w: Range

    def share(self, name):
        """Share of a part, or of all that moves data by the name ``"moves data"``. [1]"""
        part = self.moving_w if name == MOVES else self.parts[name]
        return Range(*(end / self.power_w for end in (part.low, part.central, part.high)))


def divide(board, power_w, memory_bytes_per_s, operations_w, zero_operations_w, memory_power_w=None):
    """`Division` of a power by the parts of a `metered.Board`.

    memory_bytes_per_s, operations_w, zero_operations_w: traffic; arithmetic at the prices of content and of zeros.
    memory_power_w: what the memory's own figure rose by, where it was read.

    Where traffic and arithmetic come to more than is left of the power, they cost less: a board that is held at its
    limit lowers its voltage, down to what a large product showed there; what is still too much shrinks in proportion.
    """
    price, static, l2 = board.byte_j["bf16 normal"], board.static_w, board.l2_byte_j
    rate, work_w, zeros_w = _held(board, power_w - static.central, memory_bytes_per_s, operations_w, zero_operations_w)
    alike = price / board.byte_j["random bits"]
    low, high = board.marginal_byte_j["bf16 normal"], maximum(price, alike * board.byte_j_at(memory_bytes_per_s))
    read = [board.chip_byte_j * rate, board.chip_byte_j_at(memory_bytes_per_s) * rate]
    read += [] if memory_power_w is None else [memory_power_w]
    chips = Range(_least(read), read[0], _most(read))
    inward = Range(alike * l2.low * rate, l2.central * rate, l2.high * rate)
    way = (low * rate - chips.high - inward.high, price * rate - chips.central - inward.central)
    # What flows and what a byte costs are read together: a dearer floor goes with a cheaper byte.
    pairs = ((static.central, price), (static.central, high), (static.high, low))
    left = [power_w - floor - one * rate for floor, one in pairs]
    found = {
        "flows anyway": static,
        "memory chips": chips,
        "way to the chip": Range(maximum(0.0, way[0]), way[1], high * rate - chips.low - inward.low),
        "on the chip": inward,
        "arithmetic": Range(minimum(zeros_w, work_w), work_w, _most([work_w, *left])),
        "not assigned": Range(maximum(0.0, _least(left) - work_w), left[0] - work_w, _most(left) - zeros_w),
    }
    return Division(power_w, found, Range(low * rate, price * rate, high * rate))


_least, _most = functools.partial(functools.reduce, minimum), functools.partial(functools.reduce, maximum)


def _held(board, left_w, memory_bytes_per_s, operations_w, zero_operations_w):
    """Traffic, and power of arithmetic, as they weigh in so many watts on a board that may be held at its limit."""
    moved_w = board.byte_j["bf16 normal"] * memory_bytes_per_s
    spared = (1 - board.limited_byte_share) * moved_w, (1 - board.limited_share) * operations_w
    slowed = minimum(1.0, maximum(0.0, (moved_w + operations_w - left_w) / sum(spared)))
    byte, work = 1 - slowed * (1 - board.limited_byte_share), 1 - slowed * (1 - board.limited_share)
    less = minimum(1.0, left_w / (byte * moved_w + work * operations_w))
    return less * byte * memory_bytes_per_s, less * work * operations_w, less * work * zero_operations_w


def _rates(run):
    """Bytes a second of a run, of its weights where nobody counted, and the price of an operation at its clock."""
    prices, _ = bare.constants_of(run)
    rate = run.memory_bytes_per_s or work(bare.case_of(run)).weight_read_bytes * run.steps_per_s
    return rate, _clocked(run, metered.board(run.accelerator), prices.flop_energy_j_per_flop)


def of_run(run):
    """`Division` of a decode or prompt run without a server, at its own clock."""
    board, up = metered.board(run.accelerator), metered.one(run.board, "idle", metered.CLOCKS_UP)
    rate, price = _rates(run)
    operations_w = decode.power_w(decode.compute_energy_j(run.flop_per_s, price), 1.0)
    zeros = board.zero_flop_j / board.flop_j["bf16"].central
    return divide(board, run.power_w, rate, operations_w, zeros * operations_w, run.memory_power_w - up.memory_power_w)


def apart_w(run):
    """Sum of the parts of a run, each measured apart: clocks up, a byte at the full rate, an operation. [W]"""
    board, (rate, price) = metered.board(run.accelerator), _rates(run)
    static, byte = board.clocks_up_w.central, board.byte_j["bf16 normal"]
    return meter.metered_power_w(static, byte, rate, price, run.flop_per_s)


def of_case(case):
    """`Division` of one board's watts in a case, as `estimate` predicts them without a server.

    The prices are those of the board of its accelerator, or of the fitted one.
    """
    case = replace(case, software="bare")
    found = expect(case)
    step, prices, n = found.step, found.inputs, case.n_accelerators
    board = _board(case.accelerator)
    kept = step.energy_j / step.uncapped_j
    n_bytes = sum(getattr(step, name) / prices[price] for name, price in zip(("weights_j", "kv_j"), bare.PRICES)) / kept
    watts = decode.power_w(step.energy_j, step.time_s) / n
    operations_w = decode.power_w(step.compute_j / kept, step.time_s) / n
    zeros = board.zero_flop_j / board.flop_j["bf16"].central
    return divide(board, watts, n_bytes / step.time_s / n, operations_w, zeros * operations_w)


@by_choice
def _board(machine):
    """The measured board of an accelerator, or the fitted one."""
    return metered.board(machine.entity) or metered.board(bare.FITTED)


def _step(run):
    """What a run's step does, by the fitted prices: a `Step` without its limits on power."""
    found = expect(bare.case_of(run))
    step = found.step
    if run.kind == "prefill":
        _, net, unit, constants, n, *_ = found.form
        step = bare.prompt(net, unit, constants, n, run.batch * run.context_tokens, usual())
    kept = step.energy_j / step.uncapped_j
    return step._replace(**{name: getattr(step, name) / kept for name in ("weights_j", "kv_j", "compute_j")})


def _clocked(run, board, compute_j):
    """Energy of operations at the clock of a run. [J]"""
    ratio = run.sm_clock_mhz / metered.highest_clock(run.board)
    return meter.clocked_energy_j_per_flop(compute_j, board.clock_slope, ratio)


def kind_of(run):
    """What a run of a step is an example of, in words."""
    if run.kind == "prefill":
        return "prompts, bf16"
    if run.repeat_rest:
        return "dense, bf16, with rests"
    net = "mixture of experts" if bare.model_of(run).n_experts else "dense"
    return f"{net}, {run.weight_format}"


def step_runs(accelerator=bare.FITTED):
    """Runs of steps without a server on every board of an accelerator."""
    return [run for run in power_runs() if run.accelerator == accelerator and bare.model_of(run)]


def priced_w(run):
    """Power of a run's step from parts, at its own speed. [W]

    The decode kernels' own prices of a byte, operations at the clock, tiles filled up with rows of nothing; the board's
    draw without traffic while it works and with clocks up while it rests; and, where weights have to be unpacked, what
    all multiprocessors draw in integer arithmetic, beyond clocks up.
    """
    board, step, up = metered.board(bare.FITTED), _step(run), metered.board(bare.FITTED).clocks_up_w.central
    # What the run takes beyond its step; spins last less than they were asked to.
    rest = max(0.0, 1 - step.time_s * run.steps_per_s) if run.repeat_rest else 0.0
    static = up if run.kind == "prefill" else board.sweep_w.central * (1 - rest) + up * rest
    # Unpacking lasts as long as the run's step, not as long as the predicted one.
    unpacking = board.unpacking_w if run.weight_format == "int4" else 0.0
    operations = _clocked(run, board, step.compute_j - unpacking * step.time_s)
    return static + unpacking + (step.weights_j + step.kv_j + operations) * run.steps_per_s


def closure(accelerator=bare.FITTED):
    """Runs of steps against sums of parts, a run a row, by the first board's constants.

    `apart_w`: parts measured apart, nothing fitted; `priced_w`: with the form improved; `predicted_power_w`,
    `predicted_j_per_token` and `predicted_tokens_per_s`: by `estimate` without a server, speed included.
    """
    rows = []
    for run in step_runs(accelerator):
        found = expect(bare.case_of(run))
        row = {name: getattr(run, name) for name in _SHOWN} | {"kind": kind_of(run)}
        row |= {"apart_w": apart_w(run), "priced_w": priced_w(run)}
        # A rest is no input of an estimate.
        if run.kind == "decode" and not run.repeat_rest:
            row |= {f"predicted_{name}": getattr(found, name) for name in _METERED}
        rows.append(row)
    return pandas.DataFrame(rows)


def held_out(by):
    """Errors of bare steps of the fitted board when each batch, or each format, is left out of the fit.

    by: ``"batch"`` or ``"weight_format"``. Predicted over measured less one, a run a row: `power_w`, `j_per_token`,
    `tokens_per_s`.
    """
    runs = bare.dense_runs()
    rows = []
    for value in sorted({getattr(run, by) for run in runs}):
        constants = bare.fitted([run for run in runs if getattr(run, by) != value])
        for run in (run for run in runs if getattr(run, by) == value):
            names = ("layer_time_s", *bare.PRICES)
            found = expect(bare.case_of(run)).vary(**{name: getattr(constants, name) for name in names})
            errors = {name: getattr(found, name) / getattr(run, name) - 1 for name in _METERED}
            rows.append({"id": run.id, by: value, **errors})
    return pandas.DataFrame(rows)


def accuracy_rows():
    """Rows of a table of errors: dense steps by `held_out`, mixtures as `closure` predicts them from those."""
    dense = pandas.concat([held_out("batch"), held_out("weight_format")])
    table = closure()
    mixed = table[table["kind"].str.startswith("mixture")]
    for quantity in ("j_per_token", "tokens_per_s"):
        errors = {
            "dense": dense[quantity].to_numpy(),
            "moe": (mixed[f"predicted_{quantity}"] / mixed[quantity] - 1).to_numpy(),
        }
        errors["all"] = np.concatenate([errors["dense"], errors["moe"]])
        for label in ("all", "dense", "moe"):
            yield fit.accuracy_row(BARE_EXAM, label, quantity, errors[label])


def software_adds(models=("llama-3.1-8b", "llama-3-8b"), accelerator=bare.FITTED):
    """Energy per token of runs under some software over that of a bare board, a run a row.

    models: names of one network. Batch, context, prompts and format are made equal: each run is compared with what a
    bare board is predicted to take for them. Columns `software`, `batch`, `j_per_token`, `bare_j_per_token`, `times`
    [1]; a run that would not fit beside its caches is left out.
    """

    def keep(c):
        alike = [name in models for name in c["model"]] & (np.array(c["accelerator"]) == accelerator)
        return alike & (c["n_accelerators"] == 1) & np.isfinite(c["j_per_token"])

    runs, names = fit.Runs(keep=keep), ("software", "batch", "j_per_token")
    lengths = zip(runs.prompt, runs.output, runs.context)
    rows = [(*one, *some) for one, some in zip(zip(*(runs.columns[name] for name in names)), lengths)]
    plain = [run for run in power_runs() if "8B bf16" in run.what and "plain" in run.what]
    rows += [("transformers", run.batch, run.j_per_token, 0.0, None, run.context_tokens) for run in plain]
    found = []
    for software, batch, measured, *lengths in rows:
        named = dict(zip(("prompt_tokens", "output_tokens", "context_tokens"), lengths))
        least = expect(make_case(models[0], accelerator, batch=float(batch), software="bare", **named)).j_per_token
        found.append((software, float(batch), measured, least, measured / least))
    return pandas.DataFrame(found, columns=[*names, "bare_j_per_token", "times"]).dropna(ignore_index=True)
