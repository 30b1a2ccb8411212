"""The estimator's constants, fitted to measured runs: `calibrate` writes ``data/calibration.csv``, ``accuracy.csv``."""

import concurrent.futures
import datetime
import math
from statistics import geometric_mean
from types import SimpleNamespace

import numpy as np

from llmpower.facts import catalog, tables
from llmpower.facts.quantities import quantities
from llmpower.facts.runs import measurements
from llmpower.step import constants, served
from llmpower.step.constants import EXAMS, PER_ACCELERATOR, TERMS
from llmpower.step.work import network

# One network under several names is held out as one.
ARCHITECTURES = {"llama-3.3-70b": "llama-3.1-70b", "qwen3-coder-30b-a3b": "qwen3-30b-a3b"}
# What a constant is when its term is left out; a name: the same as that constant.
LEFT_OUT = {
    "sequence_time_s": 0.0, "sum_time_s": 0.0, "block_scaling_time_s": 0.0, "expert_flop_share": "dense_flop_share",
    "expert_prompt_flop_share": "expert_flop_share", "recurrent_prompt_factor": 1.0, "imbalance": 0.0,
    "padding_rows": 0.0, "compute_tdp_share": 0.0, "operation_tdp_share": 0.0,
}  # fmt: skip
ALWAYS = ("layer_time_s",)
# Soft loss beyond 5 %: runs that a stalled host slowed down should not steer physics.
LOSS_SCALE, PRIOR_WEIGHT, TIME_WEIGHT = 0.05, 0.1, 1.25
# Architectures with many runs count for more than those with few, but less than in proportion.
RUNS_EXPONENT = -0.125
# Relative change at which a fit ends, and steps after which it ends anyway.
TOLERANCE, MOST_STEPS = 1e-5, 80
# Share by which a term must lower the held-out error to be taken.
LEAST_GAIN = 0.01
PERCENT = 100


def _stack(rows):
    return SimpleNamespace(**{name: np.array([float(getattr(row, name)) for row in rows]) for name in vars(rows[0])})


def _take(space, rows):
    return SimpleNamespace(**{name: value[rows] for name, value in vars(space).items()})


class Runs:
    """Measured runs as arrays that the forecast takes.

    table: ``"measurements.csv"`` or ``"validation.csv"``.
    keep: Takes the columns, returns a mask of the runs to keep.
    """

    def __init__(self, table="measurements.csv", keep=None):
        columns = measurements(table)
        kept = slice(None) if keep is None else keep(columns)
        # Texts come as lists, numbers as arrays.
        types = {name: object if isinstance(values, list) else float for name, values in columns.items()}
        self.columns = c = {name: np.array(values, types[name])[kept] for name, values in columns.items()}
        formats = [catalog.number_format(name) for name in c["weight_format"]]
        machines = [catalog.accelerator(name) for name in c["accelerator"]]
        wide, fixed = catalog.number_format("bf16"), constants.fixed()
        self.net = _stack([network(catalog.model(name), one, wide) for name, one in zip(c["model"], formats)])
        self.unit = _stack([served.machine(*pair) for pair in zip(machines, formats)])
        reached, likely = self.unit.reached_bf16_flop_per_s, self.unit.dense_bf16_flop_per_s * fixed["dense_flop_share"]
        self.unit.reached_bf16_flop_per_s = np.where(np.isnan(reached), likely, reached)
        # One accelerator needs no link to others, of which the catalog may know none.
        self.unit.link_bytes_per_s = np.where(c["n_accelerators"] > 1, self.unit.link_bytes_per_s, np.inf)
        self.moe = self.net.n_experts > 0
        self.architecture = np.array([ARCHITECTURES.get(name, name) for name in c["model"]])
        self.spread = served.normal_maxima(np.maximum(1, np.nan_to_num(c["expert_parallel"], nan=1)))
        # A recurrent state cannot be found in a cache of prompts, so those networks compute every prompt.
        found = (c["task"] == "lm-arena-chat") & (self.net.recurrent == 0)
        self.prompt = c["prompt_tokens"] * np.where(found, fixed["computed_prompt_share"], 1.0)
        self.context = c["prompt_tokens"] + c["window_context_tokens"]
        self.output = c["output_tokens_per_prompt"]

    def __len__(self):
        return len(self.moe)

    def rows(self, chosen=None):
        """Places of the chosen runs, or of all."""
        return np.arange(len(self)) if chosen is None else np.asarray(chosen)

    def parts(self, chosen=None):
        """The chosen runs as `served.step` takes them, without and with experts: places among the chosen, arguments."""
        chosen, c, found = self.rows(chosen), self.columns, []
        for moe in (False, True):
            place = np.flatnonzero(self.moe[chosen] == moe)
            rows = chosen[place]
            if len(rows):
                net, unit = _take(self.net, rows), _take(self.unit, rows)
                net.moe, machines = moe, c["accelerator"][rows]
                columns = (c["n_accelerators"], c["batch"], self.context, self.prompt, self.output, self.spread)
                found.append((place, machines, net, unit, tuple(column[rows] for column in columns)))
        return found

    def predict(self, values, parts=None):
        """Time [s] and energy [J] of a step of each run of the parts, given constants by name."""
        parts = self.parts() if parts is None else parts
        count = sum(len(place) for place, *_ in parts)
        time, energy = np.empty(count), np.empty(count)
        for place, machines, net, unit, run in parts:
            own = SimpleNamespace(**{**values, PER_ACCELERATOR: _gap(machines, values[PER_ACCELERATOR])})
            found = served.step(net, unit, own, *run)
            time[place], energy[place] = found.time_s, found.energy_j
        return time, energy

    def errors(self, values, chosen=None):
        """Predicted over measured, less one: J per token and tokens per second."""
        chosen = self.rows(chosen)
        time, energy = self.predict(values, self.parts(chosen))
        batch, joules, rate = (self.columns[name][chosen] for name in ("batch", "j_per_token", "tokens_per_s"))
        return energy / batch / joules - 1, batch / time / rate - 1


def _gap(machines, gaps):
    """Gap per layer of each machine; the mean of the others for one that was not fitted."""
    found = np.full(len(machines), geometric_mean(list(gaps.values())))
    for name, gap in gaps.items():
        found[machines == name] = gap
    return found


def serving_runs(anomalies=False):
    """The runs constants are fitted to: one laboratory, one software, and none that contradicts its neighbours."""

    def keep(c):
        ours = [name.startswith("mlenergy") for name in c["id"]]
        return np.array(ours) & np.array([anomalies or not mark for mark in c["anomaly"]])

    return Runs(keep=keep)


def _unpack(names, accelerators, logs, held=()):
    """Constants by name from the logarithms that are fitted; terms left out are set to their neutral value."""
    logs = list(map(float, np.exp(logs)))
    gaps = dict(zip(accelerators, logs))
    shared = zip([name for name in names if name != PER_ACCELERATOR], logs[len(accelerators) :])
    values = constants.fixed() | {PER_ACCELERATOR: gaps} | dict(shared) | dict(held)
    for name, neutral in LEFT_OUT.items():
        if name not in values:
            values[name] = values[neutral] if isinstance(neutral, str) else neutral
    return values


def fit(
    runs, chosen=None, names=TERMS, start=None, tolerance=TOLERANCE, loss_scale=LOSS_SCALE, prior_weight=PRIOR_WEIGHT,
    time_weight=TIME_WEIGHT, runs_exponent=RUNS_EXPONENT, bounds_factor=1, **held,
):  # fmt: skip
    """Constants that fit measured runs best, time and energy together.

    chosen: which of the runs; all if not given.
    names: terms to fit; the others are left out of the model.
    start: constants of an earlier fit to begin with.
    tolerance: relative change at which the fit ends. [1]
    bounds_factor: how much further out the bounds of every constant are put. [1]
    held: values of constants that are not fitted, other than those of `constants.fixed`.
    Constants by name come back; `layer_time_s` by accelerator.
    """
    from scipy.optimize import least_squares

    chosen, c = runs.rows(chosen), runs.columns
    accelerators = sorted(set(c["accelerator"][chosen]))
    others = [name for name in names if name != PER_ACCELERATOR]
    known = [quantities()[name] for name in [PER_ACCELERATOR] * len(accelerators) + others]
    low, high = (np.log([getattr(quantity, end) for quantity in known]) for end in ("low", "high"))
    low, high = low - math.log(bounds_factor), high + math.log(bounds_factor)
    middle = first = (low + high) / 2
    if start is not None:
        near = [start["layer_time_s"].get(name) for name in accelerators] + [start[name] for name in others]
        first = np.array([math.log(value) if value else mid for value, mid in zip(near, middle)])
        first = np.clip(first, low + 1e-6, high - 1e-6)
    time = np.log(c["batch"][chosen] / c["tokens_per_s"][chosen])
    energy = np.log(c["j_per_token"][chosen] * c["batch"][chosen])
    _, place, count = np.unique(runs.architecture[chosen], return_inverse=True, return_counts=True)
    weight = count[place] ** float(runs_exponent)
    weight = weight / np.sqrt((weight**2).mean())
    parts = runs.parts(chosen)

    def residuals(logs):
        t, e = runs.predict(_unpack(names, accelerators, logs, held), parts)
        apart = time_weight * weight * (np.log(t) - time), weight * (np.log(e) - energy)
        return np.concatenate([*apart, prior_weight * (logs - middle)])

    loss = {"loss": "soft_l1", "f_scale": loss_scale, "ftol": tolerance, "xtol": tolerance, "max_nfev": MOST_STEPS}
    found = least_squares(residuals, first, bounds=(low, high), **loss)
    return _unpack(names, accelerators, found.x, held)


def held_out_errors(
    runs, kind="architectures", names=TERMS, choose=False, say=lambda line: None, fitted=None, least_gain=LEAST_GAIN,
    **settings,
):  # fmt: skip
    """Errors when every run is predicted by constants fitted without its group.

    kind: ``"architectures"`` or ``"accelerators"``, held out as a whole; a held-out accelerator has no gap per layer of
    its own and takes that of the others.
    choose: choose the terms again inside each fold, without the group held out.
    fitted: which runs may be fitted, as a mask; the others are predicted only.
    settings: of `fit`.
    Predicted over measured less one come back, of J per token and of tokens per second; and the terms of each group.
    """
    folds = runs.architecture if kind == "architectures" else runs.columns["accelerator"].astype(str)
    energy, speed, chosen = np.empty(len(runs)), np.empty(len(runs)), {}
    groups = np.unique(folds)
    rests = [np.flatnonzero((folds != group) & (True if fitted is None else fitted)) for group in groups]
    with concurrent.futures.ProcessPoolExecutor() as pool:
        chooser = (choose_terms, [runs] * len(groups), rests, [least_gain] * len(groups))
        terms = pool.map(*chooser) if choose else [names] * len(groups)
        for number, (group, rest, these) in enumerate(zip(groups, rests, terms), 1):
            out = np.flatnonzero(folds == group)
            energy[out], speed[out] = runs.errors(fit(runs, rest, these, **settings), out)
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


def choose_terms(runs, chosen, least_gain=LEAST_GAIN):
    """Terms that pay for themselves on the chosen runs, the most useful first."""
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
        drawn = random.choice(groups, len(groups))
        rows = np.concatenate([np.flatnonzero(runs.architecture == group) for group in drawn])
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


def accuracy_rows(split, runs, energy, speed, kept=True):
    """Rows of a table of errors, from predicted over measured less one: of all runs, of dense networks, of mixtures."""
    for label, mask in (("all", runs.moe | True), ("dense", ~runs.moe), ("moe", runs.moe)):
        for quantity, errors in (("j_per_token", energy), ("tokens_per_s", speed)):
            yield accuracy_row(split, label, quantity, errors[mask & kept])


def ends(errors):
    """What a prediction is multiplied with to span eight runs in ten: 10 and 90 % of measured over predicted. [1]"""
    return tuple(float(end) for end in np.percentile(1 / (1 + errors), [10, 90]))


def accuracy_row(split, label, quantity, errors):
    """A row of a table of errors, from predicted over measured less one."""
    low, high = ends(errors)
    middle = [f"{value:.1f}" for value in summary(errors)]
    return [split, label, quantity, len(errors), *middle, f"{low:.3f}", f"{high:.3f}"]


def validate(say=lambda line: None):
    """Rows of the accuracy table: whole architectures and accelerators held out.

    Columns split, runs, quantity, n, median, mean and 90th percentile of the absolute error [%], 10th and 90th
    percentile of measured over predicted; every split again with the marked runs, which are predicted, never fitted.
    """
    rows, runs = [], serving_runs(anomalies=True)
    clean = runs.columns["anomaly"] == ""
    for split, choose in (("architectures", False), (EXAMS["fitted"], True), ("accelerators", False)):
        say(f"held out: {split}")
        energy, speed, _ = held_out_errors(runs, split.partition(",")[0], choose=choose, say=say, fitted=clean)
        for label, kept in ((split, clean), (split + constants.MARKED_TOO, True)):
            rows += accuracy_rows(label, runs, energy, speed, kept)
    return rows


_PRINTED = {"s": ("us", 1e-6), "J/B": ("pJ/bit", 8e-12), "J/FLOP": ("pJ/FLOP", 1e-12), "1": ("1", 1)}


def calibrate(say=print, today=None):
    """Fit the constants, check them, and write ``data/calibration.csv`` and ``accuracy.csv``, whose rows come back."""
    today, runs = today or datetime.date.today(), serving_runs()
    values = _flat(fit(runs))
    say(f"fitted {len(values)} constants to {len(runs)} runs of {len(set(runs.architecture))} architectures")
    spans = spread(runs, say=say)
    accuracy = validate(say)
    old = [cells.row for cells in tables.rows("calibration.csv")]
    lines = [list(row.values()) for row in old if row["entity"] == "set"]
    notes = dict.fromkeys(TERMS, "") | {row["quantity"]: row["note"] for row in old}
    for key, value in values.items():
        entity, _, name = key.rpartition(":")
        unit, factor = _PRINTED[quantities()[name].unit]
        cells = [f"{number / factor:.4g}" for number in (value, min(spans[key][0], value), max(spans[key][1], value))]
        drawn = "low and high: 5 and 95 % of fits to architectures drawn at random"
        where = f"llmpower calibrate, {today}: {len(runs)} runs; {drawn}"
        # Nobody can have seen it in the source: it is worked out here.
        lines.append([entity or "fitted", name, *cells, unit, "derived", "mlenergy2025", where, "", notes[name]])
    tables.write("calibration.csv", lines)
    tables.write("accuracy.csv", accuracy)
    stale = [catalog.facts, catalog.records, constants.fixed, constants.gaps]
    for one in [*stale, constants.for_machine, constants.errors]:
        one.cache_clear()
    return accuracy
