"""How measured watts divide: what always flows, what follows bytes, what follows operations."""

import functools
from dataclasses import dataclass

import numpy as np
import pandas

from llmpower.estimate import expect
from llmpower.evidence import fit
from llmpower.evidence.exam import SIXTEEN_BITS, measured_points, run_counts
from llmpower.facts.catalog import accelerator as known
from llmpower.facts.power import power
from llmpower.facts.runs import seen_in_fit
from llmpower.formulas import decode, serving
from llmpower.ranges import Range
from llmpower.step import bare, constants, metered
from llmpower.step.work import work

# Machines with published runs whose watts were metered.
METERED = tuple(sorted(seen_in_fit("accelerator", metered=True)))
_TERA = 1e12
# Above this share of the rating a board may have slowed down, so its watts no longer follow its work.
_FREE_SHARE = 0.95


@functools.cache
def priced():
    """Runs in 16 bit of the fitted accelerators that drew nearly the rating, at the prices that we measured.

    A table with `accelerator`, and of one board `power_w`, which the others add up to: `static_w` as the estimator has
    it, `bytes_w`, `operations_w` and `rest_w`. [W]
    """
    parts, (per_byte, per_flop) = [], constants.constants()["measured"]
    wide = np.isin(fit.metered_runs().columns["weight_format"].astype(str), SIXTEEN_BITS)
    for name in METERED:
        machine, (watts, bytes_per_s, flop_per_s, _) = known(name), _boards(name)
        on = fit.metered_runs().columns["accelerator"] == name
        rows = on & wide & (watts > _FREE_SHARE * machine.tdp_w)
        columns = {
            "accelerator": name,
            "power_w": watts[rows],
            "static_w": constants.for_machine(machine)[0].static_tdp_share * machine.tdp_w,
            "bytes_w": decode.movement_energy_j(bytes_per_s[rows], per_byte),
            "operations_w": decode.compute_energy_j(flop_per_s[rows], per_flop),
        }
        parts.append(pandas.DataFrame(columns))
    table = pandas.concat(parts, ignore_index=True)
    table["rest_w"] = table["power_w"] - table[["static_w", "bytes_w", "operations_w"]].sum(axis=1)
    return table


def operation_j(accelerator):
    """What an operation of a large product adds by the estimator, on a machine with a measured one. [J/FLOP]"""
    unit = known(accelerator)
    found, _ = constants.for_machine(unit)
    times = (found.compute_tdp_share, 1 / unit.reached_bf16_flop_per_s)
    times += (found.operation_tdp_share, 1 / unit.dense_bf16_flop_per_s)
    return serving.arithmetic_energy_j(1, unit.tdp_w, *times)


@dataclass(frozen=True)
class Reading:
    """One way to divide measured watts: so much always, so much for a byte, so much for an operation."""

    name: str
    n_runs: int
    static_w: float
    j_per_byte: float
    j_per_flop: float
    static_share: float
    error: float


@functools.cache
def _boards(accelerator):
    """Boards below the power plateau: watts, bytes and operations per second, and masks of runs by name."""
    runs = fit.metered_runs()
    (n_bytes, n_flop), c = run_counts(runs), runs.columns
    steps = c["tokens_per_s"] / c["batch"] / c["n_accelerators"]
    watts = c["power_w"] / c["n_accelerators"]
    free = (c["accelerator"] == accelerator) & (watts < _FREE_SHARE * known(accelerator).tdp_w)
    sets = {
        "all runs": free,
        "weights in 16 bits": np.isin(c["weight_format"].astype(str), SIXTEEN_BITS),
        "dense networks": ~runs.moe,
        "dense, no recurrent layers": ~runs.moe & (runs.net.recurrent == 0),
        "mixtures of experts": runs.moe,
        "one accelerator": c["n_accelerators"] == 1,
        "batch up to 64": c["batch"] <= 64,
    }
    return watts, n_bytes * steps, n_flop * steps, {name: np.flatnonzero(free & mask) for name, mask in sets.items()}


@functools.cache
def reading(accelerator, name, static_w=None):
    """Watts of one board against bytes and operations per second, fitted to some runs.

    accelerator: name of one that constants were fitted to.
    name: which of its runs, such as ``"dense networks"``; only those below the power plateau count.
    static_w: held at this value instead of fitted. [W]
    Least squares with no price below zero and no static power below idle. `static_share` is of the median draw, `error`
    the median of absolute residuals over the watts. [1]
    """
    watts, *_, sets = _boards(accelerator)
    rows = sets[name]
    values, columns = _divide(accelerator, rows, static_w)
    error = np.median(np.abs(columns @ values / watts[rows] - 1))
    always, per_byte, per_flop = map(float, values / [1, _TERA, _TERA])
    return Reading(name, len(rows), always, per_byte, per_flop, always / float(np.median(watts[rows])), float(error))


def _divide(accelerator, rows, static_w=None):
    """Static watts and prices of a tera of bytes and operations that meet the watts of some rows best; the columns."""
    from scipy.optimize import lsq_linear

    watts, bytes_per_s, flop_per_s, _ = _boards(accelerator)
    # The last two in tera, so that columns are of one size.
    columns = np.stack([np.ones(len(rows)), bytes_per_s[rows] / _TERA, flop_per_s[rows] / _TERA], axis=1)
    least = np.array([power(known(accelerator), "idle_w").value, 0.0, 0.0])
    values = np.array([static_w or np.nan, np.nan, np.nan])
    free = np.isnan(values)
    rest = watts[rows] - columns[:, ~free] @ values[~free]
    values[free] = lsq_linear(columns[:, free], rest, bounds=(least[free], np.inf)).x
    return values, columns


def readings(accelerator, static_w=None):
    """A `reading` of each set of runs, with static power fitted or held."""
    return [reading(accelerator, name, static_w) for name in _boards(accelerator)[-1]]


@dataclass(frozen=True)
class Metered:
    """What our own power runs say of the three terms of a reading, and by what two meters may differ."""

    static_w: Range
    j_per_byte: Range
    j_per_flop: Range
    slack: float

    def allows(self, name, value):
        """Whether a value of one of the three lies between its ends, a meter's gain further at most."""
        ends = getattr(self, name)
        return ends.low / (1 + self.slack) <= value <= ends.high * (1 + self.slack)


def metered_terms(accelerator):
    """`Metered` of the first board of an accelerator that was measured part by part.

    Static power: from clocks up and nothing running to the upper end of the sweep without traffic. A byte: from what
    one adds to a full stream of bf16 to the upper end for caches in decode steps. An operation: of a large product.
    """
    board, held = metered.board(accelerator), bare.held(known(accelerator))
    static = [board.tdp_w * getattr(held["static_tdp_share"], end) for end in ("low", "central", "high")]
    byte = Range(board.marginal_byte_j["bf16 normal"], held[bare.PRICES[0]].central, held[bare.PRICES[1]].high)
    slack = measured_points()["nvml"].gain_error
    return Metered(Range(*static), byte, board.flop_j["bf16"], slack)


def surviving(accelerator):
    """Names of the readings that, with static power held at the measured one, price a byte as our power runs do."""
    found = metered_terms(accelerator)
    return [
        one.name for one in readings(accelerator, found.static_w.central) if found.allows("j_per_byte", one.j_per_byte)
    ]


def deciles(accelerator, name):
    """First and ninth decile of bytes and of operations per second of one board in some runs. [B/s], [FLOP/s]"""
    _, bytes_per_s, flop_per_s, sets = _boards(accelerator)
    return [np.percentile(values[sets[name]], [10, 90]) for values in (bytes_per_s, flop_per_s)]


def divided(case):
    """Watts of one board in a case, by the estimator's constants and by every reading.

    A row a way: its name, and watts that always flow, that follow bytes, that follow operations; the constants first.
    """
    own = case.accelerator.entity
    rows = [("the estimator", *_estimated(case))]
    for like in [own] if own in METERED else METERED:
        named = "" if like == own else f", {like}"
        rows += [(one.name + named, *_read(case, like, one)) for one in readings(like)]
    return rows


def _estimated(case, **changed):
    """Watts of one board that always flow, that follow bytes, that follow operations, by the estimator."""
    step = expect(case).vary(**changed).step
    parts = (step.static_j, step.weights_j + step.kv_j + step.interconnect_j, step.compute_j)
    return [decode.power_w(part, step.time_s) / case.n_accelerators for part in parts]


def _read(case, like, one):
    """The same by a reading of the runs of an accelerator like this one, in shares of the rating."""
    unit, other, counted = case.accelerator, known(like), work(case)
    rating = serving.board_power_w(1, 1 / other.tdp_w, unit.tdp_w)
    per_flop = one.j_per_flop * rating * other.dense_bf16_flop_per_s / unit.dense_bf16_flop_per_s
    moved = decode.movement_energy_j(counted.read_bytes, one.j_per_byte)
    worked = decode.compute_energy_j(counted.step_flop, per_flop)
    rest = [decode.power_w(part, expect(case).step.time_s) / case.n_accelerators for part in (moved, worked)]
    return [one.static_w * rating, *rest]


def _shares(ways):
    """Three `Range` of shares from watts by part, a way a row, the first of which is central."""
    columns = zip(*([part / sum(parts) for part in parts] for parts in ways))
    return tuple(Range(min(shares), shares[0], max(shares)) for shares in columns)


def measured_parts(case):
    """Shares of measured board power that always flow, that move data, and that multiply: three `Range`. [1]

    case: one that fits, on an accelerator with what `estimate` needs.
    Central by the fitted constants; the ends by those of the `readings` that put least and most into the part; where
    this accelerator has none, by those of all others, in shares of the rating.

    >>> from llmpower.step.case import case
    >>> found = case("llama-3.1-70b", "h100-sxm", n_accelerators=4, context_tokens=4096)
    >>> static, movement, compute = measured_parts(found)
    >>> round(static.central + movement.central + compute.central, 9), 0 < movement.low < movement.high < 1
    (1.0, True)
    """
    return _shares([parts for _, *parts in divided(case)])


def held_ways(case, end="central", like="h100-sxm"):
    """Rows as `divided` has them, by the `surviving` readings with static power held at an end of what was measured.

    end: ``"low"``, ``"central"`` or ``"high"``.
    like: the accelerator that was measured.
    """
    static_w = getattr(metered_terms(like).static_w, end)
    return [(name, *_read(case, like, reading(like, name, static_w))) for name in surviving(like)]


def narrowed_parts(case):
    """Shares as `measured_parts` has them, with what our own power runs measured.

    Central by the estimator; the ends by it and by `held_ways`, with static power and the prices of a byte at the ends
    of what was measured.
    """
    ends, ways = bare.held(case.accelerator), [_estimated(case)]
    for one, other in (("low", "high"), ("high", "low")):
        varied = {name: getattr(ends[name], other) for name in bare.PRICES}
        ways.append(_estimated(case, static_tdp_share=getattr(ends["static_tdp_share"], one), **varied))
    return _shares([*ways, *(parts for end in ("low", "central", "high") for _, *parts in held_ways(case, end))])
