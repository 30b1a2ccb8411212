"""The estimator against measurements: held-out predictions, the power roof, and what the runs leave open.

What takes minutes is read from ``data/predictions.csv`` and ``data/studies.csv``,
which `write` makes again; everything else is computed when it is asked for.
"""

import functools
import itertools
import math
from dataclasses import dataclass
from types import SimpleNamespace

import numpy as np
import pandas

from llmpower.arguments import ParameterError
from llmpower.estimate import _spans, estimate
from llmpower.evidence import fit
from llmpower.facts import catalog, tables
from llmpower.formulas import decode, serving
from llmpower.ranges import Range
from llmpower.step import served
from llmpower.step.bound import constants

FAMILIES = {
    "llama": "Llama", "qwen3": "Qwen3", "nemotron": "Nemotron", "gpt": "gpt-oss", "deepseek": "DeepSeek", "gemma": "Gemma",
    "mistral": "Mistral",
}  # fmt: skip
SIXTEEN_BITS = ("bf16", "fp16")
# Few terms that do most of the work; `layer_time_s` counts once for each fitted accelerator.
LADDER = (
    fit.ALWAYS,
    (*fit.ALWAYS, "sequence_time_s", "expert_flop_share", "imbalance", "compute_tdp_share"),
    (
        *fit.ALWAYS,
        "sequence_time_s",
        "expert_flop_share",
        "imbalance",
        "compute_tdp_share",
        "block_scaling_time_s",
        "sum_time_s",
    ),
)
TERA = 1e12
PROMPT_SHARES = (0.2, 0.55, 1.0)
# Above this share of the rating a board may have slowed down, so its watts no longer follow its work.
_FREE_SHARE = 0.95
# Two runs of one set-up may differ this much in context and still count as a repeat.
_SAME_CONTEXT = 0.2


def family(model):
    """Name of the family a model belongs to, such as ``"Llama"``."""
    return FAMILIES.get(model.partition("-")[0], model)


def _frame(runs):
    """The columns of some runs, with what a reader wants to sort them by."""
    c = runs.columns
    names = (
        "id",
        "published_model",
        "model",
        "weight_format",
        "accelerator",
        "n_accelerators",
        "software",
        "task",
        "batch",
        "anomaly",
    )
    frame = pandas.DataFrame({name: c[name] for name in (*names, "tokens_per_s", "j_per_token")})
    frame["power_w"] = c["power_w"]
    frame["family"], frame["architecture"] = [family(name) for name in c["model"]], runs.architecture
    frame["kind"] = np.where(runs.moe, "mixture of experts", "dense")
    return frame


@functools.cache
def held_out(what="architecture"):
    """Measured runs beside predictions whose constants never saw them.

    Parameters
    ----------
    what : {"architecture", "accelerator"}
        What the constants behind a prediction were fitted without.

    Returns
    -------
    table : pandas.DataFrame
        A run a row, those marked ``anomaly`` included: what was measured, `predicted_j_per_token`,
        `predicted_tokens_per_s`, and `energy_error` and `speed_error`, predicted over measured less one.
    """
    found = pandas.DataFrame([cells.row for cells in tables.rows("predictions.csv")])
    found = found[found["held_out"] == what].astype({"predicted_j_per_token": float, "predicted_tokens_per_s": float})
    table = _frame(fit.serving_runs(anomalies=True)).merge(found.drop(columns="held_out"), on="id", validate="1:1")
    return _with_errors(table)


def _with_errors(table):
    table["energy_error"] = table["predicted_j_per_token"] / table["j_per_token"] - 1
    table["speed_error"] = table["predicted_tokens_per_s"] / table["tokens_per_s"] - 1
    return table


@functools.cache
def studies():
    """Rows of ``data/studies.csv``: (study, runs, quantity) -> errors by column, held out by architecture."""
    return fit.errors_by_split("studies.csv")


def other_runs():
    """Runs of other networks, machines and laboratories, predicted with the constants as they stand.

    Returns
    -------
    table : pandas.DataFrame
        As `held_out`; `lacks` says what the source leaves open, `energy_inside` and `speed_inside` whether the
        measurement lies in the range that the estimator gives.
    """
    parts = []
    for name, keep in (
        ("validation.csv", None),
        ("measurements.csv", lambda c: np.array([id.startswith("argonne") for id in c["id"]])),
    ):
        runs = fit.Runs(name, keep)
        table = _frame(runs)
        table["lacks"] = runs.columns.get("lacks", "")
        for accelerator in set(table["accelerator"]):
            place = np.flatnonzero(table["accelerator"] == accelerator)
            found, _ = fit.constants(accelerator)
            values = {**vars(found), "layer_time_s": {accelerator: found.layer_time_s}}
            time, energy = runs.predict(values, runs.parts(place))
            table.loc[place, "predicted_tokens_per_s"] = table.loc[place, "batch"] / time
            table.loc[place, "predicted_j_per_token"] = energy / table.loc[place, "batch"]
        table = _with_errors(table)
        for error, quantity in (("energy_error", "j_per_token"), ("speed_error", "tokens_per_s")):
            spans = [
                _spans(fit.constants(name)[1], kind != "dense")[quantity]
                for name, kind in zip(table["accelerator"], table["kind"])
            ]
            ends = [np.array([one[end] for one in spans]) for end in ("low_ratio", "high_ratio")]
            table[error.replace("error", "inside")] = (1 / (1 + table[error])).between(*ends)
        parts.append(table)
    return pandas.concat(parts, ignore_index=True)


def covered(column="speed_inside"):
    """Share of runs that no constant saw whose measurement lies in the estimator's range.

    Parameters
    ----------
    column : {"speed_inside", "energy_inside"}
        Of which quantity.

    Returns
    -------
    networks, laboratories : float
        Of other networks in the laboratory of the fitted runs, and of other laboratories. [1]
    """
    table = other_runs()
    ours = table["id"].str.startswith("mlenergy")
    return float(table[ours][column].mean()), float(table[~ours][column].mean())


def repeats():
    """Pairs of runs that should agree: one network, set-up, task and batch, measured twice.

    Returns
    -------
    pairs : pandas.DataFrame
        Columns `first`, `second`, and the relative differences of `tokens_per_s`, `power_w` and `j_per_token`. [1]
    """
    runs = fit.serving_runs()
    c, groups, rows = runs.columns, {}, []
    same = ("weight_format", "accelerator", "n_accelerators", "expert_parallel", "task", "max_batch")
    for place in range(len(runs)):
        groups.setdefault((runs.architecture[place], *(c[name][place] for name in same)), []).append(place)
    for i, j in (pair for group in groups.values() for pair in itertools.combinations(group, 2)):
        if abs(runs.context[i] / runs.context[j] - 1) < _SAME_CONTEXT:
            rows.append(
                (
                    c["id"][i],
                    c["id"][j],
                    *(abs(math.log(c[name][i] / c[name][j])) for name in ("tokens_per_s", "power_w", "j_per_token")),
                )
            )
    return pandas.DataFrame(rows, columns=["first", "second", "tokens_per_s", "power_w", "j_per_token"])


def counts(runs):
    """Bytes moved and operations of a mean step of each run, as the forecast counts them. [B], [FLOP]"""
    n_bytes, n_flop = np.empty(len(runs)), np.empty(len(runs))
    # With a joule for each byte, and the rating for operations at the peak rate, energies are counts.
    some, _ = fit.constants(fit.fitted_accelerators()[0])
    prices = {
        "weight_energy_j_per_byte": 1,
        "cache_energy_j_per_byte": 1,
        "operation_tdp_share": 1,
        "compute_tdp_share": 0,
    }
    unit_prices = SimpleNamespace(**{**vars(some), **prices, "plateau_tdp_share": math.inf})
    for place, _, net, unit, run in runs.parts():
        step = served.step(net, unit, unit_prices, *run)
        n_bytes[place], n_flop[place] = step.weights_j + step.kv_j, step.compute_j * unit.peak / unit.tdp
    return n_bytes, n_flop


@dataclass(frozen=True)
class Roof:
    """Operations per second of one accelerator that bandwidth, arithmetic and power allow. [FLOP/s]"""

    bandwidth: np.ndarray
    compute: np.ndarray
    power: Range


def idle_w(accelerator):
    """Power of an idle accelerator, or that of others where nobody published it. [W]"""
    return catalog.accelerator(accelerator).get("idle_w") or catalog.energy_constant("gpu-constant-power").power_w


def has_roof(accelerator):
    """Whether the catalog knows the rates and the rating that a power roof takes."""
    found = catalog.accelerator(accelerator)
    return all(found.get(name) for name in ("memory_bandwidth_bytes_per_s", "dense_bf16_flop_per_s", "tdp_w"))


def roof(accelerator, intensity):
    """The three ceilings of an accelerator, from its datasheet and sourced constants alone.

    Parameters
    ----------
    accelerator : str
        Name, with a rating and a dense 16-bit peak.
    intensity : array
        Operations per byte moved. [FLOP/B]

    Returns
    -------
    roof : Roof
        `power` has the roof with dear, typical and cheap bytes and operations.

    Examples
    --------
    Power cannot lift a roof.

    >>> found = roof("h100-sxm", np.array([1.0, 300.0]))
    >>> bool((found.power.high <= np.minimum(found.bandwidth, found.compute) * (1 + 1e-9)).all())
    True
    """
    unit, sets = catalog.accelerator(accelerator), constants()
    memory = decode.memory_time_s(1.0, 1, unit.memory_bandwidth_bytes_per_s)
    arithmetic = decode.compute_time_s(intensity, 1, unit.dense_bf16_flop_per_s)
    ends = [[pick(sets[name][kind] for name in ("low", "typical", "high")) for kind in (0, 1)] for pick in (max, min)]

    def capped(pair):
        energy = decode.movement_energy_j(1.0, pair[0]) + decode.compute_energy_j(intensity, pair[1])
        return intensity / serving.roof_time_s(
            decode.step_time_s(memory, arithmetic), energy, 1, unit.tdp_w, idle_w(accelerator)
        )

    power = Range(capped(ends[0]), capped(sets["typical"]), capped(ends[1]))
    return Roof(intensity / memory, intensity / arithmetic, power)


def power_binds_from(accelerator):
    """Operations per byte from which power holds an accelerator below its old ceilings, by the typical constants. [FLOP/B]

    Parameters
    ----------
    accelerator : str
        Name of one that `has_roof`.

    Returns
    -------
    intensity : float
        Infinite if it never does.

    Examples
    --------
    700 - 69 W over 3.35 TB/s leave 188.4 pJ for a byte and what is done with it: (188.4 - 93.44) / 0.52.

    >>> round(power_binds_from("h100-sxm"), 1)
    182.5
    """
    unit, (per_byte, per_flop) = catalog.accelerator(accelerator), constants()["typical"]
    left = (unit.tdp_w - idle_w(accelerator)) / unit.memory_bandwidth_bytes_per_s - per_byte
    corner = unit.dense_bf16_flop_per_s / unit.memory_bandwidth_bytes_per_s
    # Behind the corner fewer bytes flow, so power that has not bound there never does.
    return max(0.0, left / per_flop) if left / per_flop < corner else math.inf


@functools.cache
def roof_runs():
    """Measured runs of dense networks in 16 bit, where they stand under the roof.

    Returns
    -------
    table : pandas.DataFrame
        Columns as in `held_out`, and `intensity` [FLOP/B], `flop_per_s` of one accelerator [FLOP/s],
        `least_intensity`, `least_flop_per_s` and `most_flop_per_s`: had no chat prompt been computed, or every one;
        and reached over the roof [1]: `over_low`, `over_central`, `over_high` with dear, typical and cheap
        constants, `over_least` with typical ones and no chat prompt computed; `power_binds`: whether power
        is the lowest of the three ceilings there.
    """
    known = set(catalog.names("accelerator"))
    parts = []
    for name in ("measurements.csv", "validation.csv"):
        keep = lambda c: np.array(
            [
                a in known and has_roof(a) and f in SIXTEEN_BITS and o > 0
                for a, f, o in zip(c["accelerator"], c["weight_format"], c["output_tokens_per_prompt"])
            ]
        )
        runs = fit.Runs(name, keep)
        table = _frame(runs)
        for prefix, some in (
            ("least_", _with_prompt_share(runs, 0)),
            ("most_", _with_prompt_share(runs, 1)),
            ("", runs),
        ):
            n_bytes, n_flop = counts(some)
            table[f"{prefix}intensity"] = n_flop / n_bytes
            table[f"{prefix}flop_per_s"] = n_flop * table["tokens_per_s"] / table["batch"] / table["n_accelerators"]
        parts.append(table[~runs.moe])
    table = pandas.concat(parts, ignore_index=True)
    for accelerator, some in table.groupby("accelerator"):
        found = roof(accelerator, some["intensity"].to_numpy())
        power = found.power
        table.loc[some.index, "power_binds"] = power.central < (1 - 1e-9) * np.minimum(found.bandwidth, found.compute)
        for end in ("low", "central", "high"):
            table.loc[some.index, f"over_{end}"] = some["flop_per_s"] / getattr(power, end)
        table.loc[some.index, "over_least"] = (
            some["least_flop_per_s"] / roof(accelerator, some["least_intensity"].to_numpy()).power.central
        )
    return table.astype({"power_binds": bool})


@functools.cache
def priced():
    """Runs in 16 bit of the fitted accelerators that drew nearly the rating, at the typical constants.

    Returns
    -------
    table : pandas.DataFrame
        `accelerator`, and of one board `power_w`, `idle_w`, `bytes_w`, `operations_w` [W] and `explained`, the last
        three over the first [1].
    """
    parts, (per_byte, per_flop) = [], constants()["typical"]
    wide = np.isin(fit.serving_runs().columns["weight_format"].astype(str), SIXTEEN_BITS)
    for accelerator in fit.fitted_accelerators():
        watts, bytes_per_s, flop_per_s, _ = _boards(accelerator)
        on = fit.serving_runs().columns["accelerator"] == accelerator
        rows = on & wide & (watts > _FREE_SHARE * catalog.accelerator(accelerator).tdp_w)
        parts.append(
            pandas.DataFrame(
                {
                    "accelerator": accelerator,
                    "power_w": watts[rows],
                    "idle_w": idle_w(accelerator),
                    "bytes_w": bytes_per_s[rows] * per_byte,
                    "operations_w": flop_per_s[rows] * per_flop,
                }
            )
        )
    table = pandas.concat(parts, ignore_index=True)
    table["explained"] = table[["idle_w", "bytes_w", "operations_w"]].sum(axis=1) / table["power_w"]
    return table


@dataclass(frozen=True)
class Product:
    """What a large matrix product costs: a bound from a measured speed, constants, and our forecast."""

    reached_flop_per_s: float
    bound_j_per_flop: float
    uncapped_j_per_flop: float
    capped_j_per_flop: float


def product(accelerator):
    """Energy of an operation in a large matrix product.

    Parameters
    ----------
    accelerator : str
        Name of one with a measured `reached_bf16_flop_per_s`.

    Returns
    -------
    product : Product
        Rating over measured speed, which the operation cannot exceed; the forecast's sum of static, arithmetic
        and operation terms; and that sum below the plateau.
    """
    unit, (found, _) = catalog.accelerator(accelerator), fit.constants(accelerator)
    time = 1 / unit.reached_bf16_flop_per_s
    ideal = found.operation_tdp_share * unit.tdp_w / unit.dense_bf16_flop_per_s
    total = ideal + (found.static_tdp_share + found.compute_tdp_share) * unit.tdp_w * time
    return Product(
        unit.reached_bf16_flop_per_s, unit.tdp_w * time, total, min(total, found.plateau_tdp_share * unit.tdp_w * time)
    )


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
    (n_bytes, n_flop), c = counts(runs), runs.columns
    steps = c["tokens_per_s"] / c["batch"] / c["n_accelerators"]
    watts = c["power_w"] / c["n_accelerators"]
    free = (c["accelerator"] == accelerator) & (watts < _FREE_SHARE * catalog.accelerator(accelerator).tdp_w)
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

    Parameters
    ----------
    accelerator : str
        One of those that constants were fitted to.
    name : str
        Which of its runs, such as ``"dense networks"``; only those below the power plateau.
    j_per_byte : float, optional
        Held at this value instead of fitted. [J/B]

    Returns
    -------
    reading : Reading
        Least squares with no price below zero and no static power below idle. `static_share` is of the
        median draw, `error` the median of absolute residuals over the watts. [1]
    """
    watts, *_, sets = _boards(accelerator)
    rows = sets[name]
    values, columns = _divide(accelerator, rows, j_per_byte)
    error = np.median(np.abs(columns @ values / watts[rows] - 1))
    always, per_byte, per_flop = map(float, values / [1, TERA, TERA])
    return Reading(name, len(rows), always, per_byte, per_flop, always / float(np.median(watts[rows])), float(error))


def _divide(accelerator, rows, j_per_byte=None):
    """Static watts and prices of a tera of bytes and of operations that meet the watts of some rows best, and the columns."""
    from scipy.optimize import lsq_linear

    watts, bytes_per_s, flop_per_s, _ = _boards(accelerator)
    # In tera, so that the columns are of one size.
    columns = np.stack([np.ones(len(rows)), bytes_per_s[rows] / TERA, flop_per_s[rows] / TERA], axis=1)
    least = np.array([idle_w(accelerator), 0.0, 0.0])
    values = np.array([np.nan, (j_per_byte or np.nan) * TERA, np.nan])
    free = np.isnan(values)
    values[free] = lsq_linear(
        columns[:, free], watts[rows] - columns[:, ~free] @ values[~free], bounds=(least[free], np.inf)
    ).x
    return values, columns


@functools.cache
def drawn(accelerator, draws=300, seed=0):
    """Static power by each set of runs, when its networks are drawn at random with replacement.

    Parameters
    ----------
    accelerator : str
        One of those that constants were fitted to.
    draws : int
        How often.
    seed : int
        Of the draws.

    Returns
    -------
    ends : dict
        Name of the `reading` -> 5th percentile, the reading itself, and 95th percentile. `Range` [W]
    """
    random, architecture, found = np.random.default_rng(seed), fit.serving_runs().architecture, {}
    for name, rows in _boards(accelerator)[-1].items():
        groups = [rows[architecture[rows] == group] for group in np.unique(architecture[rows])]
        chosen = [
            np.concatenate([groups[place] for place in random.integers(len(groups), size=len(groups))])
            for _ in range(draws)
        ]
        low, high = np.percentile([_divide(accelerator, some)[0][0] for some in chosen], [5, 95])
        found[name] = Range(float(low), reading(accelerator, name).static_w, float(high))
    return found


def alone(accelerator, least_runs=6):
    """Static power that single networks ask for when nothing bounds it, not even zero. [W]

    Parameters
    ----------
    accelerator : str
        One of those that constants were fitted to.
    least_runs : int
        Fewer runs of a network say nothing.

    Returns
    -------
    static_w : dict
        By architecture; unconstrained least squares of the three terms.
    """
    watts, bytes_per_s, flop_per_s, sets = _boards(accelerator)
    rows, architecture, found = sets["all runs"], fit.serving_runs().architecture, {}
    for group in np.unique(architecture[rows]):
        some = rows[architecture[rows] == group]
        if len(some) >= least_runs:
            columns = np.stack([np.ones(len(some)), bytes_per_s[some] / TERA, flop_per_s[some] / TERA], axis=1)
            found[str(group)] = float(np.linalg.lstsq(columns, watts[some], rcond=None)[0][0])
    return found


def readings(accelerator):
    """A `reading` of each set of runs.

    Parameters
    ----------
    accelerator : str
        One of those that constants were fitted to.

    Returns
    -------
    readings : list of Reading
    """
    return [reading(accelerator, name) for name in _boards(accelerator)[-1]]


def deciles(accelerator, name):
    """First and ninth decile of bytes and of operations per second of one board in some runs. [B/s], [FLOP/s]"""
    _, bytes_per_s, flop_per_s, sets = _boards(accelerator)
    return [np.percentile(values[sets[name]], [10, 90]) for values in (bytes_per_s, flop_per_s)]


def divided(model, accelerator, n_accelerators, batch, context_tokens, weight_format="bf16", kv_format=None):
    """Watts of one board in a case, by the fitted constants and by every reading.

    Parameters
    ----------
    model, accelerator, n_accelerators, batch, context_tokens, weight_format, kv_format
        As for `measured_parts`.

    Returns
    -------
    rows : list of tuple
        Name, and watts that always flow, that follow bytes, that follow operations; the fitted constants first. [W]
    """
    run = {"context_tokens": context_tokens, "weight_format": weight_format, "kv_format": kv_format}
    found = estimate(model, accelerator, n_accelerators, batch, **run)
    unit, (fitted, kind), step = catalog.accelerator(accelerator), fit.constants(accelerator), found.step
    power = lambda energy: decode.power_w(energy, step.time_s) / n_accelerators
    rows = [
        (
            "the estimator",
            power(step.static_j),
            power(step.weights_j + step.kv_j + step.interconnect_j),
            power(step.compute_j),
        )
    ]
    # Energies over their prices are counts, also where the plateau cut them.
    n_bytes = (
        (step.weights_j / fitted.weight_energy_j_per_byte + step.kv_j / fitted.cache_energy_j_per_byte)
        * step.uncapped_j
        / step.energy_j
    )
    n_flop = _step_flop(model, batch, context_tokens)
    for like in [accelerator] if kind == "fitted" else fit.fitted_accelerators():
        other = catalog.accelerator(like)
        rating = serving.board_power_w(1, 1 / other.tdp_w, unit.tdp_w)
        per_flop = rating * other.dense_bf16_flop_per_s / unit.dense_bf16_flop_per_s
        for one in readings(like):
            moved, worked = (
                decode.movement_energy_j(n_bytes, one.j_per_byte),
                decode.compute_energy_j(n_flop, one.j_per_flop * per_flop),
            )
            name = one.name if kind == "fitted" else f"{one.name}, {like}"
            rows.append((name, one.static_w * rating, power(moved), power(worked)))
    return rows


def measured_parts(model, accelerator, n_accelerators, batch, context_tokens, weight_format="bf16", kv_format=None):
    """Shares of measured board power that always flow, that move data, and that multiply.

    Parameters
    ----------
    model, accelerator : str
        Names; the accelerator with what `estimate` needs.
    n_accelerators, batch, context_tokens : float
        The case; it must fit. [1]
    weight_format, kv_format : str
        Formats of the weights and of the cache.

    Returns
    -------
    static, movement, compute : Range
        Central by the fitted constants; the ends by those of the `readings` that put least and most into the part;
        where this accelerator has none, by those of all others, in shares of the rating. [1]

    Examples
    --------
    >>> static, movement, compute = measured_parts("llama-3.1-70b", "h100-sxm", 4, 1, 4096)
    >>> round(static.central + movement.central + compute.central, 9)
    1.0
    """
    rows = divided(model, accelerator, n_accelerators, batch, context_tokens, weight_format, kv_format)
    columns = zip(*([part / sum(parts) for part in parts] for _, *parts in rows))
    return tuple(Range(min(shares), shares[0], max(shares)) for shares in columns)


def measured_share(model, accelerator, n_accelerators, batch, context_tokens, weight_format="bf16", kv_format=None):
    """Share of measured board power that moving data takes.

    Parameters
    ----------
    model, accelerator, n_accelerators, batch, context_tokens, weight_format, kv_format
        As for `measured_parts`.

    Returns
    -------
    share : Range
        Movement, as `measured_parts` divides power. [1]

    Examples
    --------
    >>> share = measured_share("llama-3.1-70b", "h100-sxm", 4, 1, 4096)
    >>> 0 < share.low < share.central < share.high < 1
    True
    """
    return measured_parts(model, accelerator, n_accelerators, batch, context_tokens, weight_format, kv_format)[1]


def _step_flop(model, batch, context_tokens):
    from llmpower.step.bound import counts as of_step

    one = of_step(model, batch, context_tokens)
    return decode.step_flop(batch, one.linear_flop, one.attention_flop)


def enough(model, accelerator, n_accelerators, batch, context_tokens, weight_format="bf16", kv_format=None):
    """Fewest accelerators, from a given number on, that hold a case.

    Parameters
    ----------
    model, accelerator, n_accelerators, batch, context_tokens, weight_format, kv_format
        As for `measured_parts`.

    Returns
    -------
    count : int or None
        None if a thousand more would not do, or if the catalog lacks what `estimate` needs.
    """
    run = {"context_tokens": context_tokens, "weight_format": weight_format, "kv_format": kv_format}
    # The given number first and alone, since one accelerator needs no link that others would need.
    for more in (1, 1000):
        tried = np.arange(n_accelerators, n_accelerators + more)
        try:
            fits = estimate(model, accelerator, tried, batch, **run).fits
        except ParameterError:
            return None
        if fits.any():
            return int(tried[np.argmax(fits)])
    return None


def _with_prompt_share(runs, share):
    """Runs whose chat prompts were computed to another share than the constants say."""
    other = fit.Runs.__new__(fit.Runs)
    vars(other).update(vars(runs))
    other.prompt = runs.prompt * np.where(
        runs.prompt < runs.columns["prompt_tokens"], share / fit.fixed()["computed_prompt_share"], 1.0
    )
    return other


def without_constants():
    """Errors of a prediction that fits nothing: the bound of the datasheet on time, and the rating all that time.

    Returns
    -------
    energy, speed : array
        Predicted over measured less one, of J per token and tokens per second, of the runs that constants are fitted to.
    """
    runs = fit.serving_runs()
    (n_bytes, n_flop), c, unit = counts(runs), runs.columns, runs.unit
    n = c["n_accelerators"]
    time = np.maximum(decode.memory_time_s(n_bytes, n, unit.bandwidth), decode.compute_time_s(n_flop, n, unit.peak))
    energy = decode.energy_j(serving.board_power_w(n, 1, unit.tdp), time)
    return energy / c["batch"] / c["j_per_token"] - 1, decode.tokens_per_s(c["batch"], time) / c["tokens_per_s"] - 1


def seen():
    """Errors of the constants as they stand, on the very runs they were fitted to: energy, speed."""
    found = [vars(fit.constants(name)[0]) for name in fit.fitted_accelerators()]
    gaps = {name: one["layer_time_s"] for name, one in zip(fit.fitted_accelerators(), found)}
    return fit.serving_runs().errors({**found[0], "layer_time_s": gaps})


def predict_held_out(kind):
    """Rows of ``data/predictions.csv`` with whole groups held out, the runs marked ``anomaly`` predicted but never fitted.

    Parameters
    ----------
    kind : {"architecture", "accelerator"}
        What is held out.
    """
    runs = fit.serving_runs(anomalies=True)
    groups = runs.architecture if kind == "architecture" else runs.columns["accelerator"].astype(str)
    clean = np.array([not mark for mark in runs.columns["anomaly"]])
    rows = {}
    for group in np.unique(groups):
        out = np.flatnonzero(groups == group)
        time, energy = runs.predict(fit.fit(runs, np.flatnonzero((groups != group) & clean)), runs.parts(out))
        for place, t, e in zip(out, time, energy):
            batch = runs.columns["batch"][place]
            rows[place] = [runs.columns["id"][place], kind, f"{e / batch:.6g}", f"{batch / t:.6g}"]
    return [rows[place] for place in sorted(rows)]


def write(say=print):
    """Make ``data/predictions.csv`` and ``data/studies.csv`` again; takes some minutes.

    Parameters
    ----------
    say : callable
        Takes a line of progress.
    """
    say("predictions with architectures and accelerators held out")
    rows = [*predict_held_out("architecture"), *predict_held_out("accelerator")]
    tables.write("predictions.csv", [["id", "held_out", "predicted_j_per_token", "predicted_tokens_per_s"], *rows])
    runs, rows = fit.serving_runs(), []
    number = lambda names: len(names) + len(fit.fitted_accelerators()) - 1
    tried = [(f"{number(names)} constants", runs, names) for names in LADDER]
    tried += [(f"prompt share {share}", _with_prompt_share(runs, share), fit.TERMS) for share in PROMPT_SHARES]
    tried.append(("anomalies fitted", fit.serving_runs(anomalies=True), fit.TERMS))
    for label, some, names in tried:
        say(f"held out: {label}")
        energy, speed, _ = fit.held_out(some, names=names)
        for kind, mask in (("all", some.moe | True), ("dense", ~some.moe), ("moe", some.moe)):
            rows += fit._accuracy(label, kind, mask, energy, speed)
    tables.write("studies.csv", [fit._ACCURACY, *rows])
    held_out.cache_clear(), studies.cache_clear()
