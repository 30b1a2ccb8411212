"""The estimator on runs it never saw: held-out predictions, other laboratories, repeats, runs under the power roof.

What takes minutes is read from ``data/predictions.csv`` and ``data/studies.csv``, which `write_predictions` makes
again; everything else is computed when it is asked for.
"""

import concurrent.futures
import copy
import functools
import itertools
import math
from types import SimpleNamespace
from typing import NamedTuple

import numpy as np
import pandas

from llmpower.evidence import fit, joule
from llmpower.facts import catalog, tables
from llmpower.facts.runs import FITTED, SERVERS, server
from llmpower.formulas import decode, efficiency, of, serving
from llmpower.formulas.elementwise import minimum, positive
from llmpower.step import bare, constants, own, served
from llmpower.step.case import case
from llmpower.step.roof import ceilings, has_roof, rates, roof
from llmpower.step.spill import deliver
from llmpower.step.work import work
from llmpower.trace import columnwise

FAMILIES = {
    "llama": "Llama", "qwen3": "Qwen3", "nemotron": "Nemotron", "gpt": "gpt-oss", "deepseek": "DeepSeek",
    "gemma": "Gemma", "mistral": "Mistral",
}  # fmt: skip
SIXTEEN_BITS = ("bf16", "fp16")
PROMPT_SHARES = (0.2, 0.55, 1.0)
# What our own power runs measured and the estimator holds, fitted to the published runs instead.
FREED = {"bytes fitted": bare.PRICES, "static power and bytes fitted": ("static_tdp_share", *bare.PRICES)}
# Settings of the fit and what else they are tried at; `fit.fit` takes them. A loss of ten is plain least squares.
VARIED = {
    "loss_scale": (0.025, 0.1, 10.0), "time_weight": (1.0, 2.0), "prior_weight": (0.02, 0.5),
    "runs_exponent": (0.0, -0.5), "bounds_factor": (2.0,), "tolerance": (1e-3, 1e-7),
    "reached_bandwidth_share": (0.85, 1.0), "overlap": (0.6, 0.8), "expert_overlap_share": (0.0, 0.4),
    "plateau_tdp_share": (0.95, 1.0), "prompt_layer_time_s": (0.0, 3e-4),
}  # fmt: skip
# Errors of mixtures of experts spread wider than those of dense networks, by about this factor.
WIDER = 1.2
# Laboratories with many runs count for more in a range than those with few, by the root of their number.
_LABORATORIES = -0.5
_ENDS = (0.1, 0.9)
# With these constants the energy of arithmetic counts its operations.
_OPERATIONS_ONLY = {"operation_tdp_share": 1, "compute_tdp_share": 0, "plateau_tdp_share": math.inf}
# Two runs of one set-up may differ this much in context and still count as a repeat.
_SAME_CONTEXT = 0.2


def family(model):
    """Name of the family a model belongs to, such as ``"Llama"``."""
    return FAMILIES.get(model.partition("-")[0], model)


_SHOWN = (
    "id", "source", "published_model", "model", "weight_format", "accelerator", "n_accelerators", "software", "task",
    "batch", "max_batch", "expert_parallel", "anomaly", "tokens_per_s", "j_per_token", "power_w", "prompt_tokens",
    "output_tokens",
)  # fmt: skip


def _frame(runs):
    """The columns of some runs, with what a reader wants to sort them by."""
    c = runs.columns
    frame = pandas.DataFrame({name: c[name] for name in _SHOWN})
    frame["family"], frame["architecture"] = [family(name) for name in c["model"]], runs.architecture
    frame["server"], frame["moe"] = runs.server, runs.moe
    frame["kind"] = np.where(runs.moe, "mixture of experts", "dense")
    frame["hybrid"] = runs.net.recurrent > 0
    return frame


@functools.cache
def _predictions():
    return tables.numbers("predictions.csv")


@functools.cache
def held_out(what="architecture", metered=True):
    """Measured runs beside predictions whose constants never saw them.

    what: one of `constants.HELD_OUT`, without which the constants behind a prediction were fitted: with ``"family"`` no
        run of its family was fitted, with ``"kind"`` none of its kind, dense or mixture.
    metered: those of the laboratory that metered joules, else all.
    A table with a run a row, those marked ``anomaly`` included: what was measured, `predicted_j_per_token`,
    `predicted_tokens_per_s`, and `energy_error` and `speed_error`, predicted over measured less one.
    """
    predicted = _predictions().items()
    found = pandas.DataFrame([{"id": id, **numbers} for (id, held_out), numbers in predicted if held_out == what])
    table = _frame(fit.serving_runs(anomalies=True)).merge(found, on="id", validate="1:1")
    if metered:
        table = table[table["j_per_token"].notna()].reset_index(drop=True)
    return _with_errors(table)


def _with_errors(table):
    table["energy_error"] = table["predicted_j_per_token"] / table["j_per_token"] - 1
    table["speed_error"] = table["predicted_tokens_per_s"] / table["tokens_per_s"] - 1
    return table


def other_runs():
    """Runs of other networks, machines and laboratories, predicted with the constants as they stand.

    A table as `held_out`; `lacks` says what the source leaves open, `energy_reach` and `speed_reach` how far from the
    prediction the measurement lies, in logarithms, when the end of the estimator's range on that side lies at 1. [1]
    """
    parts = []
    elsewhere = fit.Runs(keep=lambda c: np.array([id.startswith("argonne") for id in c["id"]]))
    for runs in (fit.Runs("validation.csv"), elsewhere):
        table = _frame(runs)
        table["lacks"] = runs.columns.get("lacks", "")
        time, energy = runs.predict(_as_they_stand())
        table["predicted_tokens_per_s"] = table["batch"] / time
        table["predicted_j_per_token"] = energy / table["batch"]
        table = _with_errors(table)
        records = [
            (catalog.model(a), catalog.accelerator(b), catalog.number_format(c), d if d in SERVERS else None)
            for a, b, c, d in zip(table["model"], table["accelerator"], table["weight_format"], table["server"])
        ]
        missing = [constants.unknown(*one) for one in records]
        spans = [constants.exam_errors(one, bool(moe)) for one, moe in zip(missing, runs.moe)]
        for error, quantity in (("energy_error", "j_per_token"), ("speed_error", "tokens_per_s")):
            low, high = (np.log([one[quantity][end] for one in spans]) for end in ("low_ratio", "high_ratio"))
            apart = -np.log1p(table[error])
            table[error.replace("error", "reach")] = apart / np.where(apart > 0, high, low)
        parts.append(table)
    return pandas.concat(parts, ignore_index=True)


def _as_they_stand():
    """Fitted constants as `fit.Runs.predict` takes them."""
    found, _ = constants.for_machine(catalog.accelerator(bare.FITTED))
    each = {name: {one: constants.software_values(one)[name] for one in SERVERS} for name in constants.PER_SOFTWARE}
    return {**vars(found), **each}


def _apart():
    """Runs that no constant saw: those of the laboratory of the fitted runs, and those of others."""
    table = other_runs()
    ours = table["id"].str.startswith("mlenergy")
    return table[ours], table[~ours]


def covered(column="speed_reach"):
    """Share of runs that no constant saw whose measurement lies in the estimator's range.

    Two shares: of other networks in the laboratory of the fitted runs, and of other laboratories. [1]
    """
    return tuple(float((some[column] <= 1).mean()) for some in _apart())


def held_elsewhere(table, column, by):
    """Share of runs inside the span of eight in ten runs of all other groups; by: what makes a group. [1]"""
    inside = []
    for _, some in table.groupby(by):
        low, high = fit.ends(table[column].drop(some.index))
        inside.append((1 / (1 + some[column])).between(low, high))
    return float(pandas.concat(inside).mean())


def by_network(table, column="energy_error"):
    """Mean over networks of each one's mean absolute error, so that every network counts once. [1]"""
    return float(table[column].abs().groupby(table["architecture"]).mean().mean())


def drawn_median(table, column="energy_error", draws=500, seed=0):
    """5th and 95th percentile of the median absolute error when networks are drawn at random with replacement. [1]"""
    groups = [some.abs().to_numpy() for _, some in table.groupby("architecture")[column]]
    picks = np.random.default_rng(seed).integers(len(groups), size=(draws, len(groups)))
    return np.percentile([np.median(np.concatenate([groups[place] for place in pick])) for pick in picks], [5, 95])


def batch_slopes(table):
    """Change of the logarithm of J per token with that of the batch, from one limit of a set-up to the next. [1]

    A limit that was run twice counts as the mean of both.
    """
    slopes = []
    set_up = ["published_model", "weight_format", "accelerator", "n_accelerators", "expert_parallel", "task"]
    for _, some in table.groupby(set_up, dropna=False):
        batch, energy = np.log(some.groupby("max_batch")[["batch", "j_per_token"]].mean().to_numpy()).T
        slopes.extend(np.diff(energy) / np.diff(batch))
    return np.array(slopes)


def format_pairs(table, narrow="fp8", wide="bf16"):
    """Pairs of runs that differ in weight format only; `measured` and `predicted` J per token, narrow over wide. [1]"""
    same = ["architecture", "accelerator", "n_accelerators", "expert_parallel", "task", "max_batch"]
    of = {name: table[table["weight_format"] == name] for name in (narrow, wide)}
    pairs = of[narrow].merge(of[wide], on=same, suffixes=("", "_wide"))
    pairs["measured"] = pairs["j_per_token"] / pairs["j_per_token_wide"]
    pairs["predicted"] = pairs["predicted_j_per_token"] / pairs["predicted_j_per_token_wide"]
    return pairs


def contradicts(table, times=2):
    """Whether each run contradicts a neighbour, judged by measured speeds alone.

    It does if the same set-up is slower on memory of more bandwidth, or if a step takes so many times as long as one
    of the same network on the same boards in another task. A mask comes back.
    """
    rated = {name: catalog.accelerator(name).memory_bandwidth_bytes_per_s for name in set(table["accelerator"])}
    table = table.assign(rated=table["accelerator"].map(rated), step_s=table["batch"] / table["tokens_per_s"])
    same = ["weight_format", "n_accelerators", "max_batch"]
    machines = table.merge(table, on=[*same, "published_model", "task"])
    slower = (machines["rated_x"] > machines["rated_y"]) & (machines["tokens_per_s_x"] < machines["tokens_per_s_y"])
    tasks = table.merge(table, on=[*same, "architecture", "accelerator"])
    longer = (tasks["task_x"] != tasks["task_y"]) & (tasks["step_s_x"] > times * tasks["step_s_y"])
    return table["id"].isin({*machines["id_x"][slower], *tasks["id_x"][longer]})


def worked(id):
    """One fitted run, taken apart with the constants as they stand.

    A namespace: `net`, `unit`, `constants` and `point` as `served.step` takes them, its arguments `n`, `batch`,
    `context`, `prompt` and `output`; `plain`, a `Step` that takes in no prompt, with its bytes and the times that they
    and its operations would take alone; `whole`, the mean one; and the measured `time_s` and `energy_j` of a step.
    """
    runs = fit.Runs(keep=lambda c: np.array([one == id for one in c["id"]]))
    c, [(_, [software], net, unit, (*run, point))] = runs.columns, runs.parts()
    net, unit, point = (_alone(space) for space in (net, unit, point))
    n, batch, context, prompt, output = (float(column[0]) for column in run)
    found, _ = constants.for_machine(catalog.accelerator(c["accelerator"][0]), software)
    plain, whole = (served.step(net, unit, found, n, batch, context, q, output, point) for q in (0, prompt))
    time = batch / c["tokens_per_s"][0]
    counted = {"weight_bytes": plain.weights_j / found.weight_energy_j_per_byte}
    counted |= {
        "cache_bytes": plain.kv_j / found.cache_energy_j_per_byte,
        "weight_time_s": plain.memory_time_s - plain.cache_time_s,
    }
    counted |= {"link_bytes": plain.interconnect_j / found.link_energy_j_per_byte / n}
    # Where an operation is all that arithmetic is charged for, its energy is the rating for the time at the peak rate.
    priced = SimpleNamespace(**{**vars(found), **_OPERATIONS_ONLY})
    ideal = served.step(net, unit, priced, n, batch, context, 0, output, point).compute_j
    counted |= {"ideal_time_s": ideal / serving.board_power_w(n, 1, unit.tdp_w)}
    measured = {"time_s": time, "energy_j": decode.energy_j(c["power_w"][0], time)}
    asked = {"n": n, "batch": batch, "context": context, "prompt": prompt, "output": output}
    steps = {"net": net, "unit": unit, "constants": found, "point": point, "plain": plain, "whole": whole}
    return SimpleNamespace(**steps, **asked, **counted, **measured)


def _alone(space):
    """A namespace of the arrays of one run as one of numbers; what is no number stays."""
    return SimpleNamespace(**{k: np.ravel(v)[0] for k, v in vars(space).items()})


def repeats():
    """Pairs of runs that should agree: one network, set-up, task and batch, measured twice.

    A table with `first`, `second`, and the relative differences of `tokens_per_s`, `power_w` and `j_per_token`. [1]
    """
    runs = fit.metered_runs()
    c, groups, rows = runs.columns, {}, []
    compared = ("tokens_per_s", "power_w", "j_per_token")
    same = ("weight_format", "accelerator", "n_accelerators", "expert_parallel", "task", "max_batch")
    for place in range(len(runs)):
        groups.setdefault((runs.architecture[place], *(c[name][place] for name in same)), []).append(place)
    for i, j in (pair for group in groups.values() for pair in itertools.combinations(group, 2)):
        if abs(runs.context[i] / runs.context[j] - 1) < _SAME_CONTEXT:
            apart = (abs(math.log(c[name][i] / c[name][j])) for name in compared)
            rows.append((c["id"][i], c["id"][j], *apart))
    return pandas.DataFrame(rows, columns=["first", "second", *compared])


def run_counts(runs):
    """Bytes moved and operations of a mean step of each run, as the forecast counts them. [B], [FLOP]"""
    n_bytes, n_flop = np.empty(len(runs)), np.empty(len(runs))
    # With a joule for each byte, and the rating for operations at the peak rate, energies are counts.
    some, _ = constants.for_machine(catalog.accelerator(bare.FITTED))
    prices = {"weight_energy_j_per_byte": 1, "cache_energy_j_per_byte": 1}
    unit_prices = SimpleNamespace(**{**vars(some), **prices, **_OPERATIONS_ONLY})
    for place, _, net, unit, run in runs.parts():
        step = served.step(net, unit, unit_prices, *run)
        n_bytes[place] = step.weights_j + step.kv_j
        n_flop[place] = step.compute_j * unit.dense_bf16_flop_per_s / unit.tdp_w
    return n_bytes, n_flop


@functools.cache
def roof_runs():
    """Measured runs of dense networks in 16 bit, where they stand under the roof.

    A table with the columns of `held_out`, and `intensity` [FLOP/B], `flop_per_s` of one accelerator [FLOP/s],
    `least_intensity`, `least_flop_per_s` and `most_flop_per_s`: had no chat prompt been computed, or every one; and
    reached over the roof [1]: `over_low`, `over_central`, `over_high` with dear, typical and cheap constants,
    `over_least` with typical ones and no chat prompt computed; `power_binds`: whether power is the lowest of the
    three ceilings there.
    """
    roofed = {name for name in catalog.names("accelerator") if has_roof(catalog.accelerator(name))}

    def keep(c):
        wide = [name in SIXTEEN_BITS for name in c["weight_format"]]
        return np.array(wide) & np.isin(c["accelerator"], list(roofed)) & (c["output_tokens_per_prompt"] > 0)

    parts = []
    for name in ("measurements.csv", "validation.csv"):
        runs = fit.Runs(name, keep=keep)
        table = _frame(runs)
        counted = {"least_": _with_prompt_share(runs, 0), "most_": _with_prompt_share(runs, 1), "": runs}
        for prefix, some in counted.items():
            n_bytes, n_flop = run_counts(some)
            table[f"{prefix}intensity"] = n_flop / n_bytes
            table[f"{prefix}flop_per_s"] = n_flop * table["tokens_per_s"] / table["batch"] / table["n_accelerators"]
        parts.append(table[~runs.moe])
    table = pandas.concat(parts, ignore_index=True)
    for accelerator, some in table.groupby("accelerator"):
        machine = catalog.accelerator(accelerator)
        found, least = (roof(machine, some[name].to_numpy()) for name in ("intensity", "least_intensity"))
        power = found.power
        table.loc[some.index, "power_binds"] = power.central < (1 - 1e-9) * np.minimum(found.bandwidth, found.compute)
        for end in ("low", "central", "high"):
            table.loc[some.index, f"over_{end}"] = some["flop_per_s"] / getattr(power, end)
        table.loc[some.index, "over_least"] = some["least_flop_per_s"] / least.power.central
    return table.astype({"power_binds": bool})


class Standing(NamedTuple):
    """Where runs stand under the power roof at some prices: columns; yes is 1, no is 0.

    `over`: reached over the roof; `least`: had no chat prompt been computed; `excess`: above it by so much more than
    repeats differ; `sure`, `unsure`: whether it is that far above it even without chat prompts, or only with them;
    `unsure_least`: `least` of an unsure one; `binds`: whether power is the lowest ceiling there, and `binding_over`:
    `over` if so. [1]
    """

    over: np.ndarray
    least: np.ndarray
    excess: np.ndarray
    sure: np.ndarray
    unsure: np.ndarray
    unsure_least: np.ndarray
    binds: np.ndarray
    binding_over: np.ndarray

    def of(self, mask):
        """One of some runs: how many, and the greatest."""
        counted = ("sure", "unsure", "binds")
        some = {name: getattr(self, name)[mask] for name in self._fields}
        return Standing(**{name: one.sum() if name in counted else one.max(initial=0.0) for name, one in some.items()})


def standing(per_byte, per_flop, slack):
    """`Standing` of all of `roof_runs`, in their order.

    per_byte, per_flop: prices that a page may trace. [J/B], [J/FLOP]
    slack: reached over the roof that repeated runs explain. [1]
    """
    table = roof_runs()
    known = {name: rates(catalog.accelerator(name)) for name in set(table["accelerator"])}
    columns = [table[name].to_numpy() for name in ("flop_per_s", "intensity", "least_flop_per_s", "least_intensity")]
    allowed = np.array([known[name] for name in table["accelerator"]]).T
    return _standing([*columns, *allowed], per_byte, per_flop, slack)


@columnwise
def _standing(flop_per_s, intensity, least_flop_per_s, least_intensity, bandwidth, compute, left_w, *numbers):
    *prices, slack = numbers
    allowed, least_allowed = (
        ceilings(one, bandwidth, compute, left_w, *prices) for one in (intensity, least_intensity)
    )
    over, least = flop_per_s / allowed.all, least_flop_per_s / least_allowed.all
    excess = over - slack
    sure, unsure = (positive(excess, positive(least - 1, *one), 0.0) for one in ((1.0, 0.0), (0.0, 1.0)))
    binds = positive((1 - 1e-9) * minimum(allowed.bandwidth, allowed.compute) - allowed.all, 1.0, 0.0)
    unsure_least, binding_over = positive(unsure, least, 0.0), positive(binds, over, 0.0)
    return Standing(over, least, excess, sure, unsure, unsure_least, binds, binding_over)


def _with_prompt_share(runs, share):
    """Runs whose chat prompts were computed to another share than the constants say."""
    other, more = copy.copy(runs), share / constants.fixed()["computed_prompt_share"]
    other.prompt = runs.prompt * np.where(runs.prompt < runs.columns["prompt_tokens"], more, 1.0)
    return other


def _recurrent_found(runs):
    """Runs whose chat prompts were partly found in a cache, those of recurrent networks as well."""
    other, found = copy.copy(runs), (runs.columns["task"] == "lm-arena-chat") & (runs.net.recurrent > 0)
    other.prompt = runs.prompt * np.where(found, constants.fixed()["computed_prompt_share"], 1.0)
    return other


def without_constants():
    """Errors of a prediction that fits nothing: the bound of the datasheet on time, and the rating all that time.

    Predicted over measured less one, of J per token and of tokens per second, of all runs of the fitted laboratory.
    """
    runs = fit.metered_runs(anomalies=True)
    (n_bytes, n_flop), c, unit = run_counts(runs), runs.columns, runs.unit
    n = c["n_accelerators"]
    memory = decode.memory_time_s(n_bytes, n, unit.memory_bandwidth_bytes_per_s)
    time = np.maximum(memory, decode.compute_time_s(n_flop, n, unit.dense_bf16_flop_per_s))
    energy = decode.energy_j(serving.board_power_w(n, 1, unit.tdp_w), time)
    return energy / c["batch"] / c["j_per_token"] - 1, decode.tokens_per_s(c["batch"], time) / c["tokens_per_s"] - 1


def seen():
    """Errors of the constants as they stand, on the very runs they were fitted to and on marked ones: energy, speed."""
    return fit.metered_runs(anomalies=True).errors(_as_they_stand())


def folds(*labels):
    """Places held out together and places left to fit, a pair for each group of runs.

    labels: of each run, such as its task; with two, a group has both in common, and what is left has neither.
    """
    labels = np.array([list(label) for label in labels], dtype=str)
    for group in np.unique(labels, axis=1).T:
        same = labels == group[:, None]
        yield np.flatnonzero(same.all(axis=0)), np.flatnonzero(~same.any(axis=0))


def predict_held_out(what):
    """Rows of ``data/predictions.csv`` for one of `constants.HELD_OUT`.

    Runs marked ``anomaly`` are predicted but never fitted.
    """
    runs = fit.serving_runs(anomalies=True)
    frame, clean = _frame(runs), runs.columns["anomaly"] == ""
    pairs = [(out, rest[clean[rest]]) for out, rest in folds(*(frame[name] for name in what.split(" and ")))]
    time, energy, batch = np.empty(len(runs)), np.empty(len(runs)), runs.columns["batch"]
    with concurrent.futures.ProcessPoolExecutor() as pool:
        found = pool.map(fit.fit, [runs] * len(pairs), [rest for _, rest in pairs])
        for (out, _), values in zip(pairs, found):
            time[out], energy[out] = runs.predict(values, runs.parts(out))
    predicted = zip(runs.columns["id"], energy / batch, batch / time)
    return [[id, what, f"{j_per_token:.6g}", f"{rate:.6g}"] for id, j_per_token, rate in predicted]


class Measured(catalog.Record):
    """A published run: what decoded where, how fast, at which power."""

    source = property(lambda self: self["tokens_per_s"].source, doc="Key of the source of the speed.")
    tokens_per_j = of(efficiency.tokens_per_j)

    @property
    def bytes_per_token(self):
        """Bytes read per output token: counted, or the printed file where the format is not in the catalog. [B]"""
        return self.get("weight_bytes") or work(self._case).read_bytes / self.batch

    @property
    def delivery(self):
        """`Delivery` of the same set-up, as if memory sufficed."""
        return deliver(self._case)

    @property
    def _case(self):
        run = {name: getattr(self, name) for name in ("n_accelerators", "batch", "context_tokens")}
        return case(self.network, self.machine, **run, weight_format=self.stored_format)


@functools.cache
def measured_points():
    """Everything in ``data/measured_points.csv`` by entity: `Measured` for runs, records for single facts beside them.

    >>> round(measured_points()["mlenergy-70b-h100x4-batch-32"].tokens_per_j, 2)
    0.83
    """
    found = catalog.records("measured_points.csv").values()
    return {one.entity: Measured(one.entity, one.facts) if one.get("tokens_per_s") else one for one in found}


def _tried(runs, settings):
    """Errors of energy and speed with architectures held out, under other settings."""
    return fit.held_out_errors(runs, runs.architecture, **settings)


def reach(table, end, column="speed_error"):
    """What a prediction is multiplied with at an end of a range, from the errors of a table of runs. [1]

    end: 0 for the low one, 1 for the high one. The ends span eight runs in ten of a dense network; those of mixtures
    lie `WIDER` apart, in logarithms.
    """
    table = table[table[column].notna()]
    apart = -np.log1p(table[column]) / np.where(table["moe"], WIDER, 1.0)
    weight = table.groupby("source")["id"].transform("size").to_numpy(float) ** _LABORATORIES
    order = np.argsort(apart.to_numpy())
    place = np.cumsum(weight[order]) - weight[order] / 2
    return float(np.interp(_ENDS[end], place / weight.sum(), apart.to_numpy()[order]))


@functools.cache
def held(what):
    """Runs beside the ranges that stand for them, made without their group, from constants and errors alike.

    what: one of `constants.HELD_OUT`. The table of `held_out` without marked runs, with `low` and `high`, what the
    predicted speed is multiplied with, and `inside`, whether the measured one lies there.
    """
    table = held_out(what, metered=False)
    table = table[table["anomaly"] == ""].reset_index(drop=True)
    wide = np.where(table["moe"], WIDER, 1.0)
    for group in table[what].unique():
        ours = table[what] == group
        for place, (name, outer) in enumerate((("low", min), ("high", max))):
            table.loc[ours, name] = np.exp(wide[ours] * outer(reach(table[~ours], place), 0.0))
    measured = 1 / (1 + table["speed_error"])
    return table.assign(inside=(measured >= table["low"]) & (measured <= table["high"]))


def by_kind(what, column):
    """Errors of the speed of runs that were left out with their like, by a column of the table of `held`.

    Columns: `n`, `ratio` of predicted and measured (median), `middle`, `mean` and `most` errors (median, mean, ninth
    decile), `inside`, the share of runs in their ranges, and `width`, the median of high over low. [1]
    """

    def row(some):
        middle, mean, most = (one / fit.PERCENT for one in fit.summary(some["speed_error"]))
        width = (some["high"] / some["low"]).median()
        found = {"n": len(some), "ratio": 1 + some["speed_error"].median(), "middle": middle, "mean": mean}
        return pandas.Series(found | {"most": most, "inside": some["inside"].mean(), "width": width})

    return held(what).groupby(column).apply(row, include_groups=False)


# Boards that are compared under the same server, network, format, layout and lengths.
PAIRS = (("b200", "h200-sxm"), ("h200-sxm", "h100-sxm"), ("b200", "h100-sxm"))


def board_pairs(what="source"):
    """Ratio of the speeds of two boards at the same load, measured and predicted, a pair a row. [1]

    The batch of a run of the faster board lies among those of the other's, whose speeds are interpolated in
    logarithms; answers of one task count as equally long if their means are within a fifth.
    Columns `boards`, `source`, `server`, `network`, `batch`, `measured`, `predicted`.
    """
    table, found = held(what), []
    same = ["source", "server", "model", "weight_format", "n_accelerators", "expert_parallel", "task", "prompt_tokens"]
    table = table.fillna({"expert_parallel": 1})
    groups = {key: some.sort_values("batch") for key, some in table.groupby([*same, "accelerator"])}
    for fast, slow in PAIRS:
        for key, some in groups.items():
            others = groups.get((*key[:-1], slow))
            if key[-1] != fast or others is None:
                continue
            for _, run in some.iterrows():
                other = others[(others["output_tokens"] / run["output_tokens"] - 1).abs() < _SAME_CONTEXT]
                if not other["batch"].min() <= run["batch"] <= other["batch"].max():
                    continue
                at = [np.interp(np.log(run["batch"]), np.log(other["batch"]), np.log(other[name])) for name in _SPEEDS]
                ratios = [run[name] / math.exp(one) for name, one in zip(_SPEEDS, at)]
                found.append((f"{fast} over {slow}", *run[["source", "server", "model", "batch"]], *ratios))
    columns = ["boards", "source", "server", "network", "batch", "measured", "predicted"]
    return pandas.DataFrame(found, columns=columns)


_SPEEDS = ("tokens_per_s", "predicted_tokens_per_s")


def _accuracy():
    """Rows of ``data/accuracy.csv``: errors with groups held out, and the ends of the ranges made of them.

    One laboratory metered joules, so another is taken to move them by as much as its speeds.
    """
    exams = {**constants.EXAMS, "architecture": "architecture"}
    tables_of = {name: held_out(what, metered=False) for name, what in exams.items()} | {constants.SEEN: _fitted()}
    for name, table in tables_of.items():
        for label, some in ((name, table[table["anomaly"] == ""]), (name + constants.MARKED_TOO, table)):
            rows = list(fit.accuracy_rows(label, some["moe"].to_numpy(), some["energy_error"], some["speed_error"]))
            for row in rows:
                row[-2:] = (f"{one:.3f}" for one in _ends(row[1], row[2], some, held_out("family")))
            yield from rows
    errors = _desktop()
    # Nobody metered these alone, so a joule is taken to miss by as much as a second.
    for quantity, some in (("tokens_per_s", errors), ("j_per_token", -errors / (1 + errors))):
        yield fit.accuracy_row("llama.cpp", "all", quantity, some)
    yield from _carried_rows()


_SET_UP = (
    "source", "server", "software", "published_model", "weight_format", "accelerator", "n_accelerators",
    "expert_parallel", "task", "prompt_tokens",
)  # fmt: skip


def carried(what="source"):
    """Pairs of runs of one set-up at two batches: errors at the second where the first was measured.

    what: one of `constants.HELD_OUT`, without which the constants behind both predictions were fitted.
    A row is a pair, or a run with itself (`same`): `id`, `moe`, `apart`, how many times larger one batch is, and, for
    each of `own.SPEED`, `POWER` and `BOTH`, the errors of energy, speed and power, predicted over measured less one,
    in columns such as ``"power measured, j_per_token"``. [1]
    """
    table = held_out(what, metered=False)
    table = table[table["anomaly"] == ""].fillna({"expert_parallel": 1})
    table = table.merge(_static_shares(), on="id")
    pairs = table.merge(table, on=_SET_UP, suffixes=("", "_known"))
    pairs = pairs[(pairs["output_tokens"] / pairs["output_tokens_known"] - 1).abs() < _SAME_CONTEXT]
    apart = np.maximum(pairs["batch"] / pairs["batch_known"], pairs["batch_known"] / pairs["batch"])
    # What the first run says of the second: time and energy of a step, measured over predicted.
    time, energy = 1 + pairs["speed_error_known"], 1 / (1 + pairs["energy_error_known"])
    longer, more, power = (
        serving.carried_ratio(one, pairs["batch"], pairs["batch_known"], own.half_kept_ratio())
        for one in (time, energy, energy / time)
    )
    work = {own.SPEED: 1 + pairs["static"] * (longer - 1), own.POWER: power, own.BOTH: more}
    found = pairs[["id", "moe", "source"]].assign(apart=apart, same=pairs["id"] == pairs["id_known"])
    for kind, joules in work.items():
        energy, speed = joules * (1 + pairs["energy_error"]), (1 + pairs["speed_error"])
        speed = speed / (1 if kind == own.POWER else longer)
        for name, ratio in (("j_per_token", energy), ("tokens_per_s", speed), ("power_w", energy * speed)):
            found[f"{kind}, {name}"] = ratio - 1
    return found


def _static_shares():
    """Share of a step's energy that flows whatever the work, of each run by the constants as they stand. [1]"""
    runs, values = fit.serving_runs(anomalies=True), _as_they_stand()
    found = np.empty(len(runs))
    for place, servers, net, unit, run in runs.parts():
        one = fit.step_of(values, servers, net, unit, run)
        found[place] = one.static_j / one.energy_j
    return pandas.DataFrame({"id": runs.columns["id"], "static": found})


def _carried_rows():
    """Rows of ``data/accuracy.csv`` for measurements of one's own, by what was measured and how far away.

    Speeds are those of left-out laboratories; one laboratory metered joules, so those are of left-out families.
    """
    tables_of, least = (
        {name: carried("source" if name == "tokens_per_s" else "family") for name in own.MEASURES[own.BOTH]},
        0.0,
    )
    for most, band in own.BANDS.items():
        for kind, quantities in own.NARROWS.items():
            for quantity in quantities:
                table = tables_of[quantity]
                some = table[(table["apart"] > least) & (table["apart"] <= most)]
                # At its own batch only a repeat tells how sure a measured value is; what was not measured, the run.
                own_run = not least and quantity not in own.MEASURES[kind]
                errors = some[some["same"] == own_run]
                groups = [("all", errors)]
                if least:
                    groups += [("dense", errors[~errors["moe"]]), ("moe", errors[errors["moe"]])]
                for group, these in groups:
                    yield fit.accuracy_row(f"{kind}, {band}", group, quantity, these[f"{kind}, {quantity}"].to_numpy())
        least = most


def _desktop():
    """Errors of the speed of runs under llama.cpp with its constants, which were set by hand."""

    def keep(c):
        rated = [bool(_rated(name)) for name in c["accelerator"]]
        return np.array([server(one) == "llama.cpp" for one in c["software"]]) & np.array(rated)

    runs = fit.Runs(*FITTED, keep=keep)
    by_hand = constants.software_values("llama.cpp")
    each = {name: {"llama.cpp": by_hand[name]} for name in constants.PER_SOFTWARE}
    return runs.errors({**_as_they_stand(), **by_hand, **each})[1]


def _rated(accelerator):
    """Rate of an accelerator for 16-bit products, where the catalog knows both. [FLOP/s]"""
    known = accelerator in catalog.names("accelerator")
    return known and catalog.accelerator(accelerator).get("dense_bf16_flop_per_s")


def _fitted():
    """Runs of all laboratories beside what constants give that were fitted to them, as `held_out` has them."""
    runs = fit.serving_runs(anomalies=True)
    energy, speed = runs.errors(_as_they_stand())
    return _frame(runs).assign(energy_error=energy, speed_error=speed)


def _ends(group, quantity, table, metered):
    wide = WIDER if group == "moe" else 1.0
    speed = [reach(table, place) for place in (0, 1)]
    if quantity == "tokens_per_s":
        return [math.exp(wide * one) for one in speed]
    clean = metered[metered["anomaly"] == ""]
    own = [(reach(clean, place, "energy_error"), reach(clean, place)) for place in (0, 1)]
    found = []
    # A slower run costs more, so the low end of speed goes with the high end of energy.
    for (energy, seen), other in zip(own, (speed[1], speed[0])):
        more = max(0.0, other**2 - seen**2)
        found.append(math.exp(wide * math.copysign(math.sqrt(energy**2 + more), energy)))
    return found


def write_predictions(say=print):
    """Make ``data/predictions.csv``, ``accuracy.csv`` and ``studies.csv`` again; takes minutes, and tells `say`."""
    predicted = []
    for what in constants.HELD_OUT:
        say(f"predicted without: {what}")
        predicted += predict_held_out(what)
    tables.write("predictions.csv", predicted)
    held_out.cache_clear(), held.cache_clear()
    tables.write("accuracy.csv", list(_accuracy()))
    constants.errors.cache_clear(), constants.exam_errors.cache_clear()
    runs, rows = fit.serving_runs(), []
    tried = [(f"prompt share {share}", _with_prompt_share(runs, share), {}) for share in PROMPT_SHARES]
    tried += [("prompts of recurrent networks found too", _recurrent_found(runs), {})]
    tried += [("anomalies fitted", fit.serving_runs(anomalies=True), {})]
    tried += [("the metered laboratory alone", fit.metered_runs(), {})]
    tried += [(label, runs, {"names": (*fit.TERMS, *names)}) for label, names in FREED.items()]
    tried += [(f"{name} {value:g}", runs, {name: value}) for name, values in VARIED.items() for value in values]
    labels, some, settings = zip(*tried)
    with concurrent.futures.ProcessPoolExecutor() as pool:
        for label, these, (energy, speed) in zip(labels, some, pool.map(_tried, some, settings)):
            say(f"held out: {label}")
            metered = np.isfinite(energy)
            rows += fit.accuracy_rows(label, these.moe[metered], energy[metered], speed[metered])
    others, errors = _apart()[1], {"j_per_token": "energy_error", "tokens_per_s": "speed_error"}
    rows += [fit.accuracy_row(constants.OTHERS, "all", name, others[error]) for name, error in errors.items()]
    rows += joule.accuracy_rows()
    tables.write("studies.csv", rows)
    constants.errors.cache_clear(), constants.exam_errors.cache_clear()
