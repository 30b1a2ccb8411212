"""The estimator's constants: read, scaled to other machines, and fitted to measured runs.

A constant means the same for every network; only `layer_time_s` has a value for
each fitted accelerator.  `llmpower calibrate` fits them again and writes
``data/calibration.csv`` and ``data/accuracy.csv``.
"""

import concurrent.futures
import datetime
import functools
import math
from types import SimpleNamespace

import numpy as np

from llmpower.facts import catalog, tables
from llmpower.facts.quantities import quantities
from llmpower.facts.runs import measurements
from llmpower.step import served

# One network under several names is held out as one.
ARCHITECTURES = {"llama-3.3-70b": "llama-3.1-70b", "qwen3-coder-30b-a3b": "qwen3-30b-a3b"}
PER_ACCELERATOR = "layer_time_s"
TERMS = (
    "layer_time_s", "sequence_time_s", "sum_time_s", "block_scaling_time_s", "expert_flop_share",
    "expert_prompt_flop_share", "recurrent_prompt_factor", "imbalance", "padding_rows", "static_tdp_share",
    "compute_tdp_share", "weight_energy_j_per_byte", "cache_energy_j_per_byte", "operation_tdp_share",
)  # fmt: skip
# What a constant is when its term is left out; a name: the same as that constant.
LEFT_OUT = {
    "sequence_time_s": 0.0, "sum_time_s": 0.0, "block_scaling_time_s": 0.0, "expert_flop_share": "dense_flop_share",
    "expert_prompt_flop_share": "expert_flop_share", "recurrent_prompt_factor": 1.0, "imbalance": 0.0,
    "padding_rows": 0.0, "compute_tdp_share": 0.0, "cache_energy_j_per_byte": "weight_energy_j_per_byte",
    "operation_tdp_share": 0.0,
}  # fmt: skip
ALWAYS = ("layer_time_s", "static_tdp_share", "weight_energy_j_per_byte")
# Soft loss beyond 5 %: runs that a stalled host slowed down should not steer physics.
LOSS_SCALE, PRIOR_WEIGHT, TIME_WEIGHT = 0.05, 0.1, 1.25
PERCENT = 100


@functools.cache
def table():
    """Facts of ``data/calibration.csv`` by entity and quantity."""
    return {(fact.entity, fact.quantity): fact for fact in catalog.facts("calibration.csv")}


@functools.cache
def fixed():
    """Constants that are set, not fitted, by name."""
    found = {quantity: fact.value for (entity, quantity), fact in table().items() if entity == "set"}
    return found | {"link_energy_j_per_byte": catalog.energy_constant("nvlink-4").energy_j_per_byte}


def fitted_accelerators():
    """Names of the accelerators that have fitted constants of their own."""
    return tuple(
        entity for entity, quantity in table() if quantity == PER_ACCELERATOR and entity not in ("set", "fitted")
    )


def _reached(peak, reached, share):
    return np.where(np.isnan(reached), peak * share, reached)


@functools.cache
def constants(accelerator):
    """The estimator's constants for an accelerator.

    Parameters
    ----------
    accelerator : str
        Catalog name.

    Returns
    -------
    constants : namespace
        Values by the names of the table of quantities.
    kind : str
        ``"fitted"``; or ``"scaled"``: the mean gap per layer of the fitted
        machines, and energy per byte with the memory device of this machine.
    """
    shared = {quantity: fact.value for (entity, quantity), fact in table().items() if entity == "fitted"}
    ours = fitted_accelerators()
    if accelerator in ours:
        return SimpleNamespace(**fixed(), **shared, layer_time_s=table()[accelerator, PER_ACCELERATOR].value), "fitted"
    unit = catalog.accelerator(accelerator)
    gaps = [table()[name, PER_ACCELERATOR].value for name in ours]
    known = [catalog.accelerator(name) for name in ours]
    more = device_energy_j_per_byte(unit) - _mean([device_energy_j_per_byte(other) for other in known])
    for name in ("weight_energy_j_per_byte", "cache_energy_j_per_byte"):
        shared[name] += more
    return SimpleNamespace(**fixed(), **shared, layer_time_s=_mean(gaps)), "scaled"


def intervals(accelerator, constants):
    """Low and high ends of the fitted constants of an accelerator, by name.

    Parameters
    ----------
    accelerator : str
        Catalog name.
    constants : namespace
        Its constants; one that was scaled takes its interval along.

    Returns
    -------
    intervals : dict
        Name -> (low, high); those without a range are left out. A gap per layer
        of a machine that was not fitted spans those of the machines that were.
    """
    found = {quantity: fact for (entity, quantity), fact in table().items() if entity in ("fitted", accelerator)}
    ends = {
        name: tuple(getattr(constants, name) * end / fact.value for end in (fact.low, fact.high))
        for name, fact in found.items()
        if fact.low is not None and fact.high is not None
    }
    if PER_ACCELERATOR not in found:
        gaps = [table()[name, PER_ACCELERATOR] for name in fitted_accelerators()]
        ends[PER_ACCELERATOR] = min(gap.low or gap.value for gap in gaps), max(gap.high or gap.value for gap in gaps)
    return ends


def _mean(values):
    return math.exp(sum(map(math.log, values)) / len(values))


def device_energy_j_per_byte(unit):
    """Energy of the memory device alone, by its type; that of HBM3 where the type is not known. [J/B]"""
    names = catalog.names("energy constant")
    name = f"{str(unit.get('memory_type', 'HBM3')).lower()}-device"
    return catalog.energy_constant(name if name in names else "hbm3-device").energy_j_per_byte


def _stack(rows):
    return SimpleNamespace(**{name: np.array([float(getattr(row, name)) for row in rows]) for name in vars(rows[0])})


def _take(space, rows):
    return SimpleNamespace(**{name: value[rows] for name, value in vars(space).items()})


class Runs:
    """Measured runs as arrays that the forecast takes.

    Parameters
    ----------
    table : str
        ``"measurements.csv"`` or ``"validation.csv"``.
    keep : callable, optional
        Takes the columns, returns a mask of the runs to keep.
    """

    def __init__(self, table="measurements.csv", keep=None):
        columns = measurements(table)
        chosen = np.arange(len(columns["id"]))
        if keep is not None:
            chosen = chosen[keep(columns)]
        self.columns = {
            name: np.array(values, dtype=object if isinstance(values, list) else float)[chosen]
            for name, values in columns.items()
        }
        c = self.columns
        nets = [served.network(*pair, "bf16") for pair in zip(c["model"], c["weight_format"])]
        units = [served.machine(*pair) for pair in zip(c["accelerator"], c["weight_format"])]
        self.net, self.unit = _stack(nets), _stack(units)
        self.unit.reached = _reached(self.unit.peak, self.unit.reached, fixed()["dense_flop_share"])
        self.moe = self.net.n_experts > 0
        self.architecture = np.array([ARCHITECTURES.get(name, name) for name in c["model"]])
        self.spread = np.array(
            [served.normal_maximum(max(1, int(n))) for n in np.nan_to_num(c["expert_parallel"], nan=1)]
        )
        # A recurrent state cannot be found in a cache of prompts, so those networks compute every prompt.
        found = (c["task"] == "lm-arena-chat") & (self.net.recurrent == 0)
        self.prompt = c["prompt_tokens"] * np.where(found, fixed()["computed_prompt_share"], 1.0)
        self.context = c["prompt_tokens"] + c["window_context_tokens"]
        self.output = c["output_tokens_per_prompt"]

    def __len__(self):
        return len(self.moe)

    def parts(self, chosen=None):
        """The chosen runs as the forecast takes them, without and with experts: (places among the chosen, arguments)."""
        chosen, c = np.arange(len(self)) if chosen is None else np.asarray(chosen), self.columns
        found = []
        for moe in (False, True):
            place = np.flatnonzero(self.moe[chosen] == moe)
            rows = chosen[place]
            if len(rows):
                net, unit = _take(self.net, rows), _take(self.unit, rows)
                net.moe = moe
                run = (
                    c["n_accelerators"][rows],
                    c["batch"][rows],
                    self.context[rows],
                    self.prompt[rows],
                    self.output[rows],
                    self.spread[rows],
                )
                found.append((place, c["accelerator"][rows], net, unit, run))
        return found

    def predict(self, values, parts=None):
        """Time [s] and energy [J] of a step of each run of the parts, given constants by name."""
        parts = self.parts() if parts is None else parts
        count = sum(len(place) for place, *_ in parts)
        time, energy = np.empty(count), np.empty(count)
        gaps = values["layer_time_s"]
        for place, machines, net, unit, run in parts:
            own = SimpleNamespace(**values)
            own.layer_time_s = _gap(machines, gaps)
            found = served.step(net, unit, own, *run)
            time[place], energy[place] = found.time_s, found.energy_j
        return time, energy

    def errors(self, values, chosen=None):
        """Predicted over measured, less one: J per token and tokens per second."""
        chosen = np.arange(len(self)) if chosen is None else np.asarray(chosen)
        time, energy = self.predict(values, self.parts(chosen))
        batch = self.columns["batch"][chosen]
        return energy / batch / self.columns["j_per_token"][chosen] - 1, batch / time / self.columns["tokens_per_s"][
            chosen
        ] - 1


def _gap(machines, gaps):
    """Gap per layer of each machine; the mean of the others for one that was not fitted."""
    found = np.full(len(machines), _mean(list(gaps.values())))
    for name, gap in gaps.items():
        found[machines == name] = gap
    return found


def serving_runs(anomalies=False):
    """The runs constants are fitted to: one laboratory, one software, and none that contradicts its neighbours."""
    return Runs(
        keep=lambda c: np.array(
            [name.startswith("mlenergy") and (anomalies or not mark) for name, mark in zip(c["id"], c["anomaly"])]
        )
    )


def _unpack(names, accelerators, logs):
    """Constants by name from the logarithms that are fitted; terms left out are set to their neutral value."""
    logs = list(map(float, np.exp(logs)))
    gaps = dict(zip(accelerators, logs))
    values = (
        fixed()
        | {"layer_time_s": gaps}
        | dict(zip([n for n in names if n != PER_ACCELERATOR], logs[len(accelerators) :]))
    )
    for name, neutral in LEFT_OUT.items():
        if name not in values:
            values[name] = values[neutral] if isinstance(neutral, str) else neutral
    return values


def fit(runs, chosen=None, names=TERMS, start=None, tolerance=1e-5):
    """Constants that fit measured runs best, time and energy together.

    Parameters
    ----------
    runs : Runs
        Measured runs.
    chosen : array of int, optional
        Which of them.
    names : sequence of str
        Terms to fit; the others are left out of the model.
    start : dict, optional
        Constants of an earlier fit to begin with.
    tolerance : float
        Relative change at which the fit ends. [1]

    Returns
    -------
    values : dict
        Constants by name; `layer_time_s` by accelerator.
    """
    from scipy.optimize import least_squares

    chosen = np.arange(len(runs)) if chosen is None else np.asarray(chosen)
    c = runs.columns
    accelerators = sorted(set(c["accelerator"][chosen]))
    others = [name for name in names if name != PER_ACCELERATOR]
    known = [quantities()[name] for name in [PER_ACCELERATOR] * len(accelerators) + others]
    low, high = (np.log([getattr(quantity, end) for quantity in known]) for end in ("low", "high"))
    middle = (low + high) / 2
    first = middle.copy()
    if start is not None:
        near = [start["layer_time_s"].get(name) for name in accelerators] + [start[name] for name in others]
        first = np.array([math.log(value) if value else mid for value, mid in zip(near, middle)])
        first = np.clip(first, low + 1e-6, high - 1e-6)
    time = np.log(c["batch"][chosen] / c["tokens_per_s"][chosen])
    energy = np.log(c["j_per_token"][chosen] * c["batch"][chosen])
    # Architectures with many runs count for more than those with few, but less than in proportion.
    _, place, count = np.unique(runs.architecture[chosen], return_inverse=True, return_counts=True)
    weight = count[place] ** -0.125
    weight = weight / np.sqrt((weight**2).mean())

    parts = runs.parts(chosen)

    def residuals(logs):
        t, e = runs.predict(_unpack(names, accelerators, logs), parts)
        return np.concatenate(
            [TIME_WEIGHT * weight * (np.log(t) - time), weight * (np.log(e) - energy), PRIOR_WEIGHT * (logs - middle)]
        )

    found = least_squares(
        residuals,
        first,
        bounds=(low, high),
        loss="soft_l1",
        f_scale=LOSS_SCALE,
        ftol=tolerance,
        xtol=tolerance,
        max_nfev=80,
    )
    return _unpack(names, accelerators, found.x)


def held_out(runs, kind="architectures", names=TERMS, choose=False, say=lambda line: None):
    """Errors when every run is predicted by constants fitted without its group.

    Parameters
    ----------
    runs : Runs
        Measured runs.
    kind : {"architectures", "accelerators"}
        What is held out as a whole. A held-out accelerator has no gap per layer
        of its own and takes that of the others.
    names : sequence of str
        Terms of the model.
    choose : bool
        Choose the terms again inside each fold, without the group held out.
    say : callable
        Takes a line of progress.

    Returns
    -------
    energy, speed : array
        Predicted over measured less one, of J per token and tokens per second.
    chosen : dict
        Group -> names of the terms.
    """
    folds = runs.architecture if kind == "architectures" else runs.columns["accelerator"].astype(str)
    energy, speed, chosen = np.empty(len(runs)), np.empty(len(runs)), {}
    groups = np.unique(folds)
    rests = [np.flatnonzero(folds != group) for group in groups]
    with concurrent.futures.ProcessPoolExecutor() as pool:
        terms = pool.map(choose_terms, [runs] * len(groups), rests) if choose else [names] * len(groups)
        for number, (group, rest, these) in enumerate(zip(groups, rests, terms), 1):
            out = np.flatnonzero(folds == group)
            energy[out], speed[out] = runs.errors(fit(runs, rest, these), out)
            chosen[str(group)] = these
            if choose:
                say(f"[{number}/{len(groups)}] without {group}: {len(these)} terms")
    return energy, speed, chosen


def _score(runs, names, chosen, start):
    """Mean absolute log error of time and energy, every architecture of `chosen` held out in turn, and the fits."""
    total, found = 0.0, {}
    for group in np.unique(runs.architecture[chosen]):
        out, rest = (chosen[(runs.architecture[chosen] == group) == held] for held in (True, False))
        found[group] = fit(runs, rest, names, start.get(group), tolerance=1e-3)
        energy, speed = runs.errors(found[group], out)
        total += np.abs(np.log1p(energy)).sum() + np.abs(np.log1p(speed)).sum()
    return total / (2 * len(chosen)), found


def choose_terms(runs, chosen, least_gain=0.01):
    """Terms that pay for themselves on the given runs, the most useful first.

    Parameters
    ----------
    runs : Runs
        Measured runs.
    chosen : array of int
        Which of them may be looked at.
    least_gain : float
        Share by which a term must lower the held-out error to be taken. [1]

    Returns
    -------
    names : tuple of str
        Terms.
    """
    names = ALWAYS
    best, start = _score(runs, names, chosen, {})
    while left := [name for name in TERMS if name not in names]:
        tried = {name: _score(runs, (*names, name), chosen, start) for name in left}
        name = min(tried, key=lambda one: tried[one][0])
        if tried[name][0] > (1 - least_gain) * best:
            break
        names, (best, start) = (*names, name), tried[name]
    return names


def spread(runs, draws=200, seed=0, say=lambda line: None):
    """Constants of fits to architectures drawn with replacement: 5th and 95th percentile by name."""
    random, groups = np.random.default_rng(seed), np.unique(runs.architecture)
    found = []
    for number in range(draws):
        rows = np.concatenate(
            [np.flatnonzero(runs.architecture == group) for group in random.choice(groups, len(groups))]
        )
        if len(set(runs.columns["accelerator"][rows])) == len(set(runs.columns["accelerator"])):
            found.append(_flat(fit(runs, rows)))
        if (number + 1) % 50 == 0:
            say(f"[{number + 1}/{draws}] fits to architectures drawn at random")
    return {name: np.percentile([one[name] for one in found], [5, 95]) for name in found[0]}


def _flat(values):
    gaps = {f"{name}:{PER_ACCELERATOR}": gap for name, gap in values["layer_time_s"].items()}
    return gaps | {name: values[name] for name in TERMS if name != PER_ACCELERATOR}


def summary(errors):
    """Median, mean and 90th percentile of absolute errors. [%]"""
    size = PERCENT * np.abs(errors)
    return float(np.median(size)), float(np.mean(size)), float(np.percentile(size, 90))


# The exam whose spread is the range of an estimate: by whether its machine was fitted.
EXAMS = {"fitted": "architectures, terms chosen in each fold", "scaled": "accelerators"}
_ACCURACY = "split,runs,quantity,n,median_pct,mean_pct,p90_pct,low_ratio,high_ratio".split(",")


def _accuracy(split, label, mask, energy, speed):
    for quantity, errors in (("j_per_token", energy[mask]), ("tokens_per_s", speed[mask])):
        # Measured over predicted: what a prediction is multiplied with to span eight runs in ten.
        low, high = np.percentile(1 / (1 + errors), [10, 90])
        middle = [f"{value:.1f}" for value in summary(errors)]
        yield [split, label, quantity, len(errors), *middle, f"{low:.3f}", f"{high:.3f}"]


def validate(runs, say=lambda line: None):
    """Rows of the accuracy table: whole architectures and accelerators held out.

    Parameters
    ----------
    runs : Runs
        Runs to fit and to hold out.
    say : callable
        Takes a line of progress.

    Returns
    -------
    rows : list of list
        Columns split, runs, quantity, n, median, mean and 90th percentile of
        the absolute error [%], 10th and 90th percentile of measured over predicted.
    """
    rows = []
    for split, choose in (("architectures", False), (EXAMS["fitted"], True), ("accelerators", False)):
        say(f"held out: {split}")
        energy, speed, _ = held_out(runs, split.partition(",")[0], choose=choose, say=say)
        for label, mask in (("all", runs.moe | True), ("dense", ~runs.moe), ("moe", runs.moe)):
            rows += _accuracy(split, label, mask, energy, speed)
    return rows


_MEANING = {
    "layer_time_s": "gap per block", "sequence_time_s": "sampling and bookkeeping of a sequence",
    "sum_time_s": "one small sum over the accelerators", "block_scaling_time_s": "block-scaled 8-bit experts",
    "expert_flop_share": "experts on decoded tokens", "expert_prompt_flop_share": "experts on prompts",
    "recurrent_prompt_factor": "prompts through recurrent layers", "imbalance": "uneven experts",
    "padding_rows": "rows of nothing for each expert", "static_tdp_share": "flows whatever the work",
    "compute_tdp_share": "while arithmetic runs", "weight_energy_j_per_byte": "board energy, weights",
    "cache_energy_j_per_byte": "board energy, caches with attention", "operation_tdp_share": "operations at the peak rate",
}  # fmt: skip
_PRINTED = {"s": ("us", 1e-6), "J/B": ("pJ/bit", 8e-12), "J/FLOP": ("pJ/FLOP", 1e-12), "1": ("1", 1)}


def calibrate(say=print, today=None):
    """Fit the constants, check them, and write ``data/calibration.csv`` and ``data/accuracy.csv``.

    Parameters
    ----------
    say : callable
        Takes a line of progress.
    today : datetime.date, optional
        Date of the fit.

    Returns
    -------
    accuracy : list of list
        Rows of the accuracy table.
    """
    today, runs = today or datetime.date.today(), serving_runs()
    say(f"fitting {len(_flat(fit(runs)))} constants to {len(runs)} runs of {len(set(runs.architecture))} architectures")
    values, ends = _flat(fit(runs)), spread(runs, say=say)
    accuracy = validate(runs, say)
    old = [cells.row for cells in tables.rows("calibration.csv")]
    lines = [list(old[0]), *[list(row.values()) for row in old if row["entity"] == "set"]]
    for key, value in values.items():
        entity, _, name = key.rpartition(":")
        unit, factor = _PRINTED[quantities()[name].unit]
        cells = [f"{number / factor:.4g}" for number in (value, min(ends[key][0], value), max(ends[key][1], value))]
        where = f"llmpower calibrate, {today}: {len(runs)} runs; low and high: 5 and 95 % of fits to architectures drawn at random"
        # Nobody can have seen it in the source: it is worked out here.
        lines.append([entity or "fitted", name, *cells, unit, "derived", "mlenergy2025", where, "", _MEANING[name]])
    tables.write("calibration.csv", lines)
    tables.write("accuracy.csv", [_ACCURACY, *accuracy])
    for clear in (table, constants, accuracy_table):
        clear.cache_clear()
    return accuracy


@functools.cache
def accuracy_table():
    """Rows of ``data/accuracy.csv``: (split, runs, quantity) -> numbers by column."""
    return errors_by_split("accuracy.csv")


def errors_by_split(table):
    """Rows of a table of errors: (split, runs, quantity) -> numbers by column."""
    return {
        tuple(cells.row[name] for name in _ACCURACY[:3]): {name: cells.number(name) for name in _ACCURACY[3:]}
        for cells in tables.rows(table, _ACCURACY)
    }
