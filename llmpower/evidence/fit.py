"""The estimator's constants, fitted to measured runs: `calibrate` writes ``data/calibration.csv``."""

import concurrent.futures
import datetime
import itertools
import math
from types import SimpleNamespace

import numpy as np

from llmpower.facts import catalog, tables
from llmpower.facts.quantities import quantities
from llmpower.facts.runs import FITTED, in_fit, measurements, server
from llmpower.facts.stand_ins import completed
from llmpower.step import constants, served
from llmpower.step.case import usual as usual_fact
from llmpower.step.constants import PER_SOFTWARE, TERMS
from llmpower.step.point import usual
from llmpower.step.work import network

# One network under several names is held out as one.
ARCHITECTURES = {"llama-3.3-70b": "llama-3.1-70b", "qwen3-coder-30b-a3b": "qwen3-30b-a3b"}
# What a constant is when its term is left out; a name: the same as that constant.
LEFT_OUT = {
    "sequence_time_s": 0.0, "sum_time_s": 0.0, "block_scaling_time_s": 0.0, "served_flop_share": 1.0,
    "expert_flop_share": "dense_flop_share", "expert_prompt_flop_share": "expert_flop_share",
    "recurrent_prompt_factor": 1.0, "imbalance": 0.0, "padding_rows": 0.0, "compute_tdp_share": 0.0,
    "operation_tdp_share": 0.0,
}  # fmt: skip
# Constants of a server that are not fitted: no run of it needs them, so its kernels are taken to hide this work.
BY_HAND = {("block_scaling_time_s", "sglang"): 0.0, ("block_scaling_time_s", "trtllm"): 0.0}
# Soft loss beyond 5 %: runs that a stalled host slowed down should not steer physics.
LOSS_SCALE, PRIOR_WEIGHT, TIME_WEIGHT = 0.05, 0.1, 1.25
# Set-ups and laboratories with many runs count for more than those with few, but less than in proportion.
RUNS_EXPONENT = -0.25
# Weight of a server's gaps being like those of the others.
SERVERS_ALIKE = 0.7
# Relative change at which a fit ends, and steps after which it ends anyway.
TOLERANCE, MOST_STEPS = 1e-5, 80
# Where a range begins at nothing, a fit begins here: a microsecond or a millionth.
LEAST = 1e-6
PERCENT = 100


def _stack(rows):
    return SimpleNamespace(**{name: np.array([float(getattr(row, name)) for row in rows]) for name in vars(rows[0])})


def _joined(tables):
    """Columns of several tables as one, texts as objects; what a table does not have is empty, caches are in 16 bit."""
    names, found = dict.fromkeys(itertools.chain(*tables)), {}
    for name in names:
        empty = (
            "bf16" if name == "kv_format" else "" if any(isinstance(one.get(name), list) for one in tables) else np.nan
        )
        parts = [one.get(name, [empty] * len(one["id"])) for one in tables]
        found[name] = np.array(list(itertools.chain(*parts)), object if isinstance(empty, str) else float)
    return found if "kv_format" in found else found | {"kv_format": np.array(["bf16"] * len(found["id"]), object)}


def _take(space, rows):
    return SimpleNamespace(**{name: value[rows] for name, value in vars(space).items()})


class Runs:
    """Measured runs as arrays that the forecast takes.

    names: tables of runs, one or several.
    keep: Takes the columns, returns a mask of the runs to keep.
    """

    def __init__(self, *names, keep=None):
        tables = [measurements(name) for name in names or FITTED[:1]]
        columns = _joined(tables)
        kept = slice(None) if keep is None else keep(columns)
        self.columns = c = {name: values[kept] for name, values in columns.items()}
        machines = [completed(catalog.accelerator(name)) for name in c["accelerator"]]
        weights, caches = ([catalog.number_format(name) for name in c[kind]] for kind in ("weight_format", "kv_format"))
        networks = zip(c["model"], weights, caches)
        self.net = _stack([network(catalog.model(name), *formats) for name, *formats in networks])
        self.unit = _stack([served.machine(*pair) for pair in zip(machines, weights)])
        unpacking = np.array([served.cache_unpacking(*pair) for pair in zip(machines, caches)]).reshape(-1, 2)
        self.unit.cache_unpacking_s, self.unit.cache_unpacking_draws = unpacking.T
        # One accelerator needs no link to others, of which the catalog may know none.
        self.unit.link_bytes_per_s = np.where(c["n_accelerators"] > 1, self.unit.link_bytes_per_s, np.inf)
        share = constants.fixed()["reached_bandwidth_share"]
        self.unit.bandwidth_ratio = np.array([constants.bandwidth_share(one) / share for one in machines])
        self.moe = self.net.moe > 0
        self.architecture = np.array([ARCHITECTURES.get(name, name) for name in c["model"]])
        self.server = np.array([server(name) for name in c["software"]])
        self.spread = served.normal_maxima(np.maximum(1, np.nan_to_num(c["expert_parallel"], nan=1)))
        # A recurrent state cannot be found in a cache of prompts, so those networks compute every prompt.
        found = (c["task"] == "lm-arena-chat") & (self.net.recurrent == 0)
        self.prompt = c["prompt_tokens"] * np.where(found, constants.fixed()["computed_prompt_share"], 1.0)
        generated = np.where(
            np.isnan(c["window_context_tokens"]), c["stationary_context_tokens"], c["window_context_tokens"]
        )
        self.context = c["prompt_tokens"] + generated
        # Without a length of answers prompts count as read already.
        self.output = np.nan_to_num(c["output_tokens_per_prompt"], nan=np.inf)

    def __len__(self):
        return len(self.moe)

    def rows(self, chosen=None):
        """Places of the chosen runs, or of all."""
        return np.arange(len(self)) if chosen is None else np.asarray(chosen)

    def parts(self, chosen=None):
        """The chosen runs as `served.step` takes them, without and with experts: places among the chosen, arguments.

        Between network, rates and numbers of the runs stand the names of their servers, by which constants go.
        """
        chosen, c, found = self.rows(chosen), self.columns, []
        for moe in (False, True):
            place = np.flatnonzero(self.moe[chosen] == moe)
            rows = chosen[place]
            if len(rows):
                net, unit = _take(self.net, rows), _take(self.unit, rows)
                net.moe = moe
                columns = (c["n_accelerators"], c["batch"], self.context, self.prompt, self.output)
                limit = np.maximum(usual_fact("max_step_tokens"), 2 * c["batch"][rows])
                operating = usual(spread=self.spread[rows], max_step_tokens=limit)
                found.append((place, self.server[rows], net, unit, (*(one[rows] for one in columns), operating)))
        return found

    def predict(self, values, parts=None):
        """Time [s] and energy [J] of a step of each run of the parts, given constants by name."""
        parts = self.parts() if parts is None else parts
        count = sum(len(place) for place, *_ in parts)
        time, energy = np.empty(count), np.empty(count)
        for place, servers, net, unit, run in parts:
            found = step_of(values, servers, net, unit, run)
            time[place], energy[place] = found.time_s, found.energy_j
        return time, energy

    def errors(self, values, chosen=None):
        """Predicted over measured, less one: J per token, NaN where no watts were metered, and tokens per second."""
        chosen = self.rows(chosen)
        time, energy = self.predict(values, self.parts(chosen))
        batch, joules, rate = (self.columns[name][chosen] for name in ("batch", "j_per_token", "tokens_per_s"))
        return energy / batch / joules - 1, batch / time / rate - 1


def step_of(values, servers, net, unit, run):
    """The steps of a part of `Runs.parts`, a `served.Step`, given constants by name."""
    own = {name: _by_server(servers, values[name]) for name in PER_SOFTWARE}
    own["reached_bandwidth_share"] = values["reached_bandwidth_share"] * unit.bandwidth_ratio
    return served.step(net, unit, SimpleNamespace(**{**values, **own}), *run)


def _by_server(servers, values):
    """A constant of each run's server; the mean of all for a server that was not fitted."""
    found = np.full(len(servers), sum(values.values()) / len(values))
    for name, value in values.items():
        found[servers == name] = value
    return found


def serving_runs(anomalies=False, tables=FITTED):
    """The runs constants are fitted to: servers of today, and none that contradicts its neighbours unless asked for."""

    def keep(c):
        return np.array([in_fit(one, mark and not anomalies) for one, mark in zip(c["software"], c["anomaly"])])

    return Runs(*tables, keep=keep)


def metered_runs(anomalies=False):
    """Those of `serving_runs` whose energy was metered, all by one laboratory."""
    return serving_runs(anomalies, FITTED[:1])


def _keys(names, servers):
    """Constants that are fitted, each a name and a server, None where it is one for all."""
    each = [(name, one) for name in PER_SOFTWARE if name in names for one in servers]
    return [key for key in each if key not in BY_HAND] + [(name, None) for name in names if name not in PER_SOFTWARE]


def _unpack(keys, logs, held=()):
    """Constants by name from the logarithms that are fitted; terms left out are set to their neutral value.

    Those of `PER_SOFTWARE` are by server.
    """
    found = dict(zip(keys, map(float, np.exp(logs))))
    values = constants.fixed() | {name: value for (name, one), value in found.items() if one is None} | dict(held)
    for name in PER_SOFTWARE:
        values[name] = {one: value for (which, one), value in {**BY_HAND, **found}.items() if which == name}
        values[name] = values[name] or {"": LEFT_OUT[name]}
    for name, neutral in LEFT_OUT.items():
        if name not in values:
            values[name] = values[neutral] if isinstance(neutral, str) else neutral
    return values


def fit(
    runs, chosen=None, names=TERMS, tolerance=TOLERANCE, loss_scale=LOSS_SCALE, prior_weight=PRIOR_WEIGHT,
    time_weight=TIME_WEIGHT, runs_exponent=RUNS_EXPONENT, bounds_factor=1, **held,
):  # fmt: skip
    """Constants that fit measured runs best, time and, where it was metered, energy together.

    chosen: which of the runs; all if not given.
    names: terms to fit; the others are left out of the model.
    tolerance: relative change at which the fit ends. [1]
    bounds_factor: how much further out the bounds of every constant are put. [1]
    held: values of constants that are not fitted, other than those of `constants.fixed`.
    Constants by name come back; those of `PER_SOFTWARE` by server.
    """
    from scipy.optimize import least_squares

    chosen, c = runs.rows(chosen), runs.columns
    keys = _keys(names, sorted(set(map(str, runs.server[chosen]))))
    bounds = [[getattr(quantities()[name], end) or LEAST for name, _ in keys] for end in ("low", "high")]
    low, high = map(np.log, bounds)
    low, high = low - math.log(bounds_factor), high + math.log(bounds_factor)
    middle = (low + high) / 2
    time = np.log(c["batch"][chosen] / c["tokens_per_s"][chosen])
    energy = np.log(c["j_per_token"][chosen] * c["batch"][chosen])
    metered, weight = np.isfinite(energy), _weights(runs, chosen, runs_exponent)
    parts = runs.parts(chosen)
    layers = [place for place, (name, _) in enumerate(keys) if name == "layer_time_s"]

    def residuals(logs):
        t, e = runs.predict(_unpack(keys, logs, held), parts)
        apart = time_weight * weight * (np.log(t) - time), (weight * (np.log(e) - energy))[metered]
        alike = SERVERS_ALIKE * (logs[layers] - logs[layers].mean())
        return np.concatenate([*apart, prior_weight * (logs - middle), alike])

    loss = {"loss": "soft_l1", "f_scale": loss_scale, "ftol": tolerance, "xtol": tolerance, "max_nfev": MOST_STEPS}
    found = least_squares(residuals, middle, bounds=(low, high), **loss)
    return _unpack(keys, found.x, held)


def _weights(runs, chosen, exponent):
    """Weight of each chosen run: set-ups and laboratories count for more with their runs, less than in proportion."""
    c, weight = runs.columns, np.ones(len(chosen))
    set_up = np.array([c["source"][chosen], runs.server[chosen], c["accelerator"][chosen], runs.architecture[chosen]])
    for labels in (set_up.astype(str), set_up[:1].astype(str)):
        _, place, count = np.unique(labels, axis=1, return_inverse=True, return_counts=True)
        weight = weight * count[np.ravel(place)] ** float(exponent)
    return weight / np.sqrt((weight**2).mean())


def held_out_errors(runs, labels, fitted=None, **settings):
    """Errors when every run is predicted by constants fitted without its group.

    labels: of each run, such as its architecture.
    fitted: which runs may be fitted, as a mask; the others are predicted only.
    settings: of `fit`.
    Predicted over measured less one come back, of J per token, NaN where it was not metered, and of tokens per second.
    """
    energy, speed, groups = np.empty(len(runs)), np.empty(len(runs)), np.unique(labels)
    for group in groups:
        out, may = labels == group, True if fitted is None else fitted
        values = fit(runs, np.flatnonzero(~out & may), **settings)
        energy[out], speed[out] = runs.errors(values, np.flatnonzero(out))
    return energy, speed


def spread(runs, draws=200, seed=0, say=lambda line: None):
    """Constants of fits to set-ups drawn with replacement: 5th and 95th percentile by name and server.

    A set-up is a laboratory and an architecture.
    """
    random = np.random.default_rng(seed)
    labels = np.array([f"{one}/{two}" for one, two in zip(runs.columns["source"], runs.architecture)])
    groups, drawn, found = np.unique(labels), [], []
    while len(drawn) < draws:
        rows = np.concatenate([np.flatnonzero(labels == group) for group in random.choice(groups, len(groups))])
        if set(runs.server[rows]) == set(runs.server):
            drawn.append(rows)
    with concurrent.futures.ProcessPoolExecutor() as pool:
        for number, values in enumerate(pool.map(fit, [runs] * draws, drawn), 1):
            found.append(_flat(values))
            if number % 50 == 0:
                say(f"[{number}/{draws}] fits to set-ups drawn at random")
    return {name: np.percentile([one[name] for one in found], [5, 95]) for name in found[0]}


def _flat(values):
    """Fitted constants by server, ``"fitted"`` for those of all, and name."""
    each = {(one, name): value for name in PER_SOFTWARE for one, value in values[name].items()}
    return each | {("fitted", name): values[name] for name in constants.SHARED}


def summary(errors):
    """Median, mean and 90th percentile of absolute errors. [%]"""
    size = PERCENT * np.abs(errors)
    return float(np.median(size)), float(np.mean(size)), float(np.percentile(size, 90))


def ends(errors):
    """What a prediction is multiplied with to span eight runs in ten: 10 and 90 % of measured over predicted. [1]"""
    return tuple(float(end) for end in np.percentile(1 / (1 + errors), [10, 90]))


def accuracy_row(split, label, quantity, errors):
    """A row of a table of errors, from predicted over measured less one; what was not measured is left out."""
    errors = errors[np.isfinite(errors)]
    low, high = ends(errors)
    middle = [f"{value:.1f}" for value in summary(errors)]
    return [split, label, quantity, len(errors), *middle, f"{low:.3f}", f"{high:.3f}"]


def accuracy_rows(split, moe, energy, speed):
    """Rows of a table of errors of all runs, of dense networks, of mixtures; moe: mask of these."""
    for label, mask in (("all", moe | True), ("dense", ~moe), ("moe", moe)):
        for quantity, errors in (("j_per_token", energy), ("tokens_per_s", speed)):
            yield accuracy_row(split, label, quantity, errors[mask])


_PRINTED = {"s": ("us", 1e-6), "J/B": ("pJ/bit", 8e-12), "J/FLOP": ("pJ/FLOP", 1e-12), "1": ("1", 1)}


def calibrate(say=print, today=None):
    """Fit the constants and write ``data/calibration.csv``; those set by hand stay as they are."""
    today, runs = today or datetime.date.today(), serving_runs()
    values = _flat(fit(runs))
    networks = len(set(runs.architecture))
    say(f"fitted {len(values) - len(BY_HAND)} constants to {len(runs)} runs of {networks} architectures")
    spans = spread(runs, say=say)
    old = [cells.row for cells in tables.rows("calibration.csv")]
    lines = [list(row.values()) for row in old if row["kind"] == "convention"]
    notes = {(row["entity"], row["quantity"]): row["note"] for row in old}
    sources = ";".join(sorted(set(runs.columns["source"])))
    for key, value in values.items():
        entity, name = key
        if (name, entity) in BY_HAND:
            continue
        unit, factor = _PRINTED[quantities()[name].unit]
        cells = [f"{number / factor:.4g}" for number in (value, min(spans[key][0], value), max(spans[key][1], value))]
        drawn = "low and high: 5 and 95 % of fits to laboratories and architectures drawn at random"
        where = f"llmpower calibrate, {today}: {len(runs)} runs; {drawn}"
        # Nobody can have seen it in the source: it is worked out here.
        lines.append([entity, name, *cells, unit, "derived", sources, where, "", notes.get(key, "")])
    tables.write("calibration.csv", lines)
    stale = [catalog.facts, catalog.records, constants.fixed, constants.software_values, constants.calibrated]
    for one in [*stale, constants.for_machine, constants.errors, constants.exam_errors]:
        one.cache_clear()
