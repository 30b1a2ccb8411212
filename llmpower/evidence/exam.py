"""The estimator on runs it never saw: held-out predictions, other laboratories, repeats, runs under the power roof.

What takes minutes is read from ``data/predictions.csv`` and ``data/studies.csv``, which `write_predictions` makes
again; everything else is computed when it is asked for.
"""

import copy
import functools
import itertools
import math
from types import SimpleNamespace

import numpy as np
import pandas

from llmpower.evidence import fit, joule
from llmpower.facts import catalog, tables
from llmpower.formulas import decode, efficiency, of, serving
from llmpower.step import constants, served
from llmpower.step.case import case
from llmpower.step.roof import has_roof, roof
from llmpower.step.spill import deliver
from llmpower.step.work import work

FAMILIES = {
    "llama": "Llama", "qwen3": "Qwen3", "nemotron": "Nemotron", "gpt": "gpt-oss", "deepseek": "DeepSeek",
    "gemma": "Gemma", "mistral": "Mistral",
}  # fmt: skip
SIXTEEN_BITS = ("bf16", "fp16")
# Few terms that do most of the work; `layer_time_s` counts once for each fitted accelerator.
_USEFUL = ("sequence_time_s", "expert_flop_share", "imbalance", "compute_tdp_share")
LADDER = (fit.ALWAYS, (*fit.ALWAYS, *_USEFUL), (*fit.ALWAYS, *_USEFUL, "block_scaling_time_s", "sum_time_s"))
PROMPT_SHARES = (0.2, 0.55, 1.0)
# Two runs of one set-up may differ this much in context and still count as a repeat.
_SAME_CONTEXT = 0.2


def family(model):
    """Name of the family a model belongs to, such as ``"Llama"``."""
    return FAMILIES.get(model.partition("-")[0], model)


_SHOWN = (
    "id", "published_model", "model", "weight_format", "accelerator", "n_accelerators", "software", "task", "batch",
    "anomaly", "tokens_per_s", "j_per_token", "power_w",
)  # fmt: skip


def _frame(runs):
    """The columns of some runs, with what a reader wants to sort them by."""
    c = runs.columns
    frame = pandas.DataFrame({name: c[name] for name in _SHOWN})
    frame["family"], frame["architecture"] = [family(name) for name in c["model"]], runs.architecture
    frame["kind"] = np.where(runs.moe, "mixture of experts", "dense")
    return frame


@functools.cache
def held_out(what="architecture"):
    """Measured runs beside predictions whose constants never saw them.

    what: ``"architecture"`` or ``"accelerator"``, without which the constants behind a prediction were fitted.
    A table with a run a row, those marked ``anomaly`` included: what was measured, `predicted_j_per_token`,
    `predicted_tokens_per_s`, and `energy_error` and `speed_error`, predicted over measured less one.
    """
    predicted = tables.numbers("predictions.csv").items()
    found = pandas.DataFrame([{"id": id, **numbers} for (id, held_out), numbers in predicted if held_out == what])
    table = _frame(fit.serving_runs(anomalies=True)).merge(found, on="id", validate="1:1")
    return _with_errors(table)


def _with_errors(table):
    table["energy_error"] = table["predicted_j_per_token"] / table["j_per_token"] - 1
    table["speed_error"] = table["predicted_tokens_per_s"] / table["tokens_per_s"] - 1
    return table


def other_runs():
    """Runs of other networks, machines and laboratories, predicted with the constants as they stand.

    A table as `held_out`; `lacks` says what the source leaves open, `energy_inside` and `speed_inside` whether the
    measurement lies in the range that the estimator gives.
    """
    parts = []
    elsewhere = fit.Runs(keep=lambda c: np.array([id.startswith("argonne") for id in c["id"]]))
    for runs in (fit.Runs("validation.csv"), elsewhere):
        table = _frame(runs)
        table["lacks"] = runs.columns.get("lacks", "")
        for accelerator in set(table["accelerator"]):
            place = np.flatnonzero(table["accelerator"] == accelerator)
            found, _ = constants.for_machine(catalog.accelerator(accelerator))
            values = {**vars(found), "layer_time_s": {accelerator: found.layer_time_s}}
            time, energy = runs.predict(values, runs.parts(place))
            table.loc[place, "predicted_tokens_per_s"] = table.loc[place, "batch"] / time
            table.loc[place, "predicted_j_per_token"] = energy / table.loc[place, "batch"]
        table = _with_errors(table)
        kinds = [constants.for_machine(catalog.accelerator(name))[1] for name in table["accelerator"]]
        spans = [constants.exam_errors(kind, moe) for kind, moe in zip(kinds, runs.moe)]
        for error, quantity in (("energy_error", "j_per_token"), ("speed_error", "tokens_per_s")):
            ends = [np.array([one[quantity][end] for one in spans]) for end in ("low_ratio", "high_ratio")]
            table[error.replace("error", "inside")] = (1 / (1 + table[error])).between(*ends)
        parts.append(table)
    return pandas.concat(parts, ignore_index=True)


def covered(column="speed_inside"):
    """Share of runs that no constant saw whose measurement lies in the estimator's range.

    Two shares: of other networks in the laboratory of the fitted runs, and of other laboratories. [1]
    """
    table = other_runs()
    ours = table["id"].str.startswith("mlenergy")
    return float(table[ours][column].mean()), float(table[~ours][column].mean())


def repeats():
    """Pairs of runs that should agree: one network, set-up, task and batch, measured twice.

    A table with `first`, `second`, and the relative differences of `tokens_per_s`, `power_w` and `j_per_token`. [1]
    """
    runs = fit.serving_runs()
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
    some, _ = constants.for_machine(catalog.accelerator(next(iter(constants.gaps()))))
    prices = {"weight_energy_j_per_byte": 1, "cache_energy_j_per_byte": 1, "operation_tdp_share": 1}
    unit_prices = SimpleNamespace(**{**vars(some), **prices, "compute_tdp_share": 0, "plateau_tdp_share": math.inf})
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
        runs = fit.Runs(name, keep)
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


def _with_prompt_share(runs, share):
    """Runs whose chat prompts were computed to another share than the constants say."""
    other, more = copy.copy(runs), share / constants.fixed()["computed_prompt_share"]
    other.prompt = runs.prompt * np.where(runs.prompt < runs.columns["prompt_tokens"], more, 1.0)
    return other


def without_constants():
    """Errors of a prediction that fits nothing: the bound of the datasheet on time, and the rating all that time.

    Predicted over measured less one, of J per token and of tokens per second, of the runs that constants are fitted to.
    """
    runs = fit.serving_runs()
    (n_bytes, n_flop), c, unit = run_counts(runs), runs.columns, runs.unit
    n = c["n_accelerators"]
    memory = decode.memory_time_s(n_bytes, n, unit.memory_bandwidth_bytes_per_s)
    time = np.maximum(memory, decode.compute_time_s(n_flop, n, unit.dense_bf16_flop_per_s))
    energy = decode.energy_j(serving.board_power_w(n, 1, unit.tdp_w), time)
    return energy / c["batch"] / c["j_per_token"] - 1, decode.tokens_per_s(c["batch"], time) / c["tokens_per_s"] - 1


def seen():
    """Errors of the constants as they stand, on the very runs they were fitted to: energy, speed."""
    gaps = {name: gap.value for name, gap in constants.gaps().items()}
    found, _ = constants.for_machine(catalog.accelerator(next(iter(gaps))))
    return fit.serving_runs().errors({**vars(found), "layer_time_s": gaps})


def predict_held_out(kind):
    """Rows of ``data/predictions.csv`` with whole groups of a kind held out, ``"architecture"`` or ``"accelerator"``.

    Runs marked ``anomaly`` are predicted but never fitted.
    """
    runs = fit.serving_runs(anomalies=True)
    groups = runs.architecture if kind == "architecture" else runs.columns["accelerator"].astype(str)
    clean = np.array([not mark for mark in runs.columns["anomaly"]])
    time, energy, batch = np.empty(len(runs)), np.empty(len(runs)), runs.columns["batch"]
    for group in np.unique(groups):
        out, rest = np.flatnonzero(groups == group), np.flatnonzero((groups != group) & clean)
        time[out], energy[out] = runs.predict(fit.fit(runs, rest), runs.parts(out))
    predicted = zip(runs.columns["id"], energy / batch, batch / time)
    return [[id, kind, f"{j_per_token:.6g}", f"{rate:.6g}"] for id, j_per_token, rate in predicted]


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
        """`Delivery` of the same set-up."""
        return deliver(self._case, math.inf)

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


def write_predictions(say=print):
    """Make ``data/predictions.csv`` and ``data/studies.csv`` again; takes minutes, and tells `say` about it."""
    say("predictions with architectures and accelerators held out")
    tables.write("predictions.csv", [*predict_held_out("architecture"), *predict_held_out("accelerator")])
    runs, rows = fit.serving_runs(), []
    more = len(constants.gaps()) - 1
    tried = [(f"{len(names) + more} constants", runs, names) for names in LADDER]
    tried += [(f"prompt share {share}", _with_prompt_share(runs, share), fit.TERMS) for share in PROMPT_SHARES]
    tried.append(("anomalies fitted", fit.serving_runs(anomalies=True), fit.TERMS))
    for label, some, names in tried:
        say(f"held out: {label}")
        energy, speed, _ = fit.held_out_errors(some, names=names)
        rows += fit.accuracy_rows(label, some, energy, speed)
    rows += joule.accuracy_rows()
    tables.write("studies.csv", rows)
    held_out.cache_clear(), constants.errors.cache_clear()
