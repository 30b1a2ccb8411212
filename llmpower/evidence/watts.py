"""How measured watts divide: what always flows, what follows bytes, what follows operations."""

import functools
from dataclasses import dataclass

import numpy as np
import pandas

from llmpower.estimate import expect
from llmpower.evidence import fit
from llmpower.evidence.exam import SIXTEEN_BITS, run_counts
from llmpower.facts.catalog import accelerator as known
from llmpower.facts.power import power
from llmpower.formulas import decode, serving
from llmpower.ranges import Range
from llmpower.step import constants
from llmpower.step.work import work

_TERA = 1e12
# Above this share of the rating a board may have slowed down, so its watts no longer follow its work.
_FREE_SHARE = 0.95


@functools.cache
def priced():
    """Runs in 16 bit of the fitted accelerators that drew nearly the rating, at the typical constants.

    A table with `accelerator`, and of one board `power_w`, which the others add up to: `idle_w`, `bytes_w`,
    `operations_w` and `rest_w`. [W]
    """
    parts, (per_byte, per_flop) = [], constants.constants()["typical"]
    wide = np.isin(fit.serving_runs().columns["weight_format"].astype(str), SIXTEEN_BITS)
    for name in constants.gaps():
        machine, (watts, bytes_per_s, flop_per_s, _) = known(name), _boards(name)
        on = fit.serving_runs().columns["accelerator"] == name
        rows = on & wide & (watts > _FREE_SHARE * machine.tdp_w)
        columns = {
            "accelerator": name,
            "power_w": watts[rows],
            "idle_w": power(machine, "idle_w").value,
            "bytes_w": decode.movement_energy_j(bytes_per_s[rows], per_byte),
            "operations_w": decode.compute_energy_j(flop_per_s[rows], per_flop),
        }
        parts.append(pandas.DataFrame(columns))
    table = pandas.concat(parts, ignore_index=True)
    table["rest_w"] = table["power_w"] - table[["idle_w", "bytes_w", "operations_w"]].sum(axis=1)
    return table


@dataclass(frozen=True)
class Product:
    """What a large matrix product costs: a bound from a measured speed, constants, and our forecast."""

    reached_flop_per_s: float
    bound_j_per_flop: float
    uncapped_j_per_flop: float
    capped_j_per_flop: float
    arithmetic_j_per_flop: float


def product(accelerator):
    """Energy of an operation in a large matrix product.

    accelerator: name of one with a measured `reached_bf16_flop_per_s`.
    Rating over measured speed, which the operation cannot exceed; the forecast's sum of static, arithmetic and
    operation terms; that sum below the plateau; and what of it arithmetic adds.
    """
    unit = known(accelerator)
    found, _ = constants.for_machine(unit)
    time = 1 / unit.reached_bf16_flop_per_s
    ideal = 1 / unit.dense_bf16_flop_per_s
    adds = serving.arithmetic_energy_j(1, unit.tdp_w, found.compute_tdp_share, time, found.operation_tdp_share, ideal)
    most = unit.tdp_w * time
    total = adds + found.static_tdp_share * most
    return Product(unit.reached_bf16_flop_per_s, most, total, min(total, found.plateau_tdp_share * most), adds)


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
    runs = fit.serving_runs()
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
def reading(accelerator, name, j_per_byte=None):
    """Watts of one board against bytes and operations per second, fitted to some runs.

    accelerator: name of one that constants were fitted to.
    name: which of its runs, such as ``"dense networks"``; only those below the power plateau count.
    j_per_byte: held at this value instead of fitted. [J/B]
    Least squares with no price below zero and no static power below idle. `static_share` is of the median draw, `error`
    the median of absolute residuals over the watts. [1]
    """
    watts, *_, sets = _boards(accelerator)
    rows = sets[name]
    values, columns = _divide(accelerator, rows, j_per_byte)
    error = np.median(np.abs(columns @ values / watts[rows] - 1))
    always, per_byte, per_flop = map(float, values / [1, _TERA, _TERA])
    return Reading(name, len(rows), always, per_byte, per_flop, always / float(np.median(watts[rows])), float(error))


def _divide(accelerator, rows, j_per_byte=None):
    """Static watts and prices of a tera of bytes and operations that meet the watts of some rows best; the columns."""
    from scipy.optimize import lsq_linear

    watts, bytes_per_s, flop_per_s, _ = _boards(accelerator)
    # The last two in tera, so that columns are of one size.
    columns = np.stack([np.ones(len(rows)), bytes_per_s[rows] / _TERA, flop_per_s[rows] / _TERA], axis=1)
    least = np.array([power(known(accelerator), "idle_w").value, 0.0, 0.0])
    values = np.array([np.nan, (j_per_byte or np.nan) * _TERA, np.nan])
    free = np.isnan(values)
    rest = watts[rows] - columns[:, ~free] @ values[~free]
    values[free] = lsq_linear(columns[:, free], rest, bounds=(least[free], np.inf)).x
    return values, columns


@functools.cache
def drawn(accelerator, draws=300, seed=0):
    """Static power by each set of runs, when its networks are drawn at random with replacement.

    Name of the `reading` -> `Range` of 5th percentile, the reading itself, and 95th percentile. [W]
    """
    random, architecture, found = np.random.default_rng(seed), fit.serving_runs().architecture, {}
    for name, rows in _boards(accelerator)[-1].items():
        groups, found_w = [rows[architecture[rows] == group] for group in np.unique(architecture[rows])], []
        for _ in range(draws):
            some = [groups[place] for place in random.integers(len(groups), size=len(groups))]
            found_w.append(_divide(accelerator, np.concatenate(some))[0][0])
        low, high = np.percentile(found_w, [5, 95])
        found[name] = Range(float(low), reading(accelerator, name).static_w, float(high))
    return found


def readings(accelerator):
    """A `reading` of each set of runs."""
    return [reading(accelerator, name) for name in _boards(accelerator)[-1]]


def deciles(accelerator, name):
    """First and ninth decile of bytes and of operations per second of one board in some runs. [B/s], [FLOP/s]"""
    _, bytes_per_s, flop_per_s, sets = _boards(accelerator)
    return [np.percentile(values[sets[name]], [10, 90]) for values in (bytes_per_s, flop_per_s)]


def divided(case):
    """Watts of one board in a case, by the fitted constants and by every reading.

    A row a way: its name, and watts that always flow, that follow bytes, that follow operations; the constants first.
    """
    unit, step, counted = case.accelerator, expect(case).step, work(case)
    _, kind = constants.for_machine(unit)

    def watts(energy_j):
        return decode.power_w(energy_j, step.time_s) / case.n_accelerators

    moving_j = step.weights_j + step.kv_j + step.interconnect_j
    rows = [("the estimator", watts(step.static_j), watts(moving_j), watts(step.compute_j))]
    for like in [unit.entity] if kind == "fitted" else constants.gaps():
        other = known(like)
        rating = serving.board_power_w(1, 1 / other.tdp_w, unit.tdp_w)
        per_flop = rating * other.dense_bf16_flop_per_s / unit.dense_bf16_flop_per_s
        for one in readings(like):
            moved = decode.movement_energy_j(counted.read_bytes, one.j_per_byte)
            worked = decode.compute_energy_j(counted.step_flop, one.j_per_flop * per_flop)
            name = one.name if kind == "fitted" else f"{one.name}, {like}"
            rows.append((name, one.static_w * rating, watts(moved), watts(worked)))
    return rows


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
    columns = zip(*([part / sum(parts) for part in parts] for _, *parts in divided(case)))
    return tuple(Range(min(shares), shares[0], max(shares)) for shares in columns)
