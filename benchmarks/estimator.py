"""How fast the estimator is, and how far it is from measurements: ``.venv/bin/python -m benchmarks.estimator``.

``--write`` puts the tables into ``README.md``.  Wall-clock seconds need a quiet machine; processor seconds do not, so
goals are of these.  A missed goal ends it with an error.
"""

import argparse
import datetime
import os
import platform
import statistics
import subprocess
import sys
import time

import numpy as np

import llmpower
from benchmarks.build import write
from llmpower import ranges
from llmpower.evidence import exam, fit
from llmpower.step import constants

_HEADING = "## The estimator"
_ACCELERATORS = ("h100-sxm", "h200-sxm", "b200", "a100-sxm-80gb")
_FORMATS = ("bf16", "int8", "int4", "q8_0")
_SIDE = 250  # batches, and contexts: 4 x 4 x 250 x 250 is a million points
_RUN = {"prompt_tokens": 500, "output_tokens": 500}
_ONE = {
    "model": "llama-3.1-70b",
    "accelerator": "h100-sxm",
    "n_accelerators": 4,
    "batch": 64,
    "software": "vllm",
    **_RUN,
}


def results(found):
    """The three numbers of an estimate."""
    return found.j_per_token, found.tokens_per_s, found.power_w


def timed(function):
    """Wall-clock and processor seconds of a call."""
    wall, processor = time.perf_counter(), time.process_time()
    function()
    return time.perf_counter() - wall, time.process_time() - processor


def points(shape):
    """Batches and contexts: every pair, or as many points without order."""
    if shape == "grid":
        return np.linspace(1, 256, _SIDE)[:, None], np.linspace(500, 4000, _SIDE)
    random = np.random.default_rng(0)
    return random.uniform(1, 256, _SIDE**2), random.uniform(500, 4000, _SIDE**2)


def sweep(model, shape):
    """A million points of batch x context x accelerator x format."""
    batch, context = points(shape)
    for accelerator in _ACCELERATORS:
        for weight_format in _FORMATS:
            results(
                llmpower.estimate(
                    model, accelerator, 8, batch, context_tokens=context, weight_format=weight_format, **_RUN
                )
            )


def loop(count):
    """So many of the same points one by one."""
    batch, context = points("list")
    for b, c in zip(batch[:count], context[:count]):
        results(llmpower.estimate("llama-3.1-70b", "h100-sxm", 8, float(b), context_tokens=float(c), **_RUN))


def fresh(statement):
    """Wall-clock and processor seconds of a statement in a new process."""
    clocks = "time.perf_counter(), time.process_time()"
    code = f"import time; begun = {clocks}; {statement}; print(*(b - a for a, b in zip(begun, ({clocks}))))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    return tuple(map(float, done.stdout.split()))


def speed(rounds):
    """What was timed: name with unit, wall-clock and processor times of each round in it, goal of the latter if any."""
    million = len(_ACCELERATORS) * len(_FORMATS) * _SIDE**2
    one = llmpower.estimate(**_ONE)
    again, found = 200, []

    def each():
        for _ in range(again):
            results(llmpower.estimate(**_ONE))

    ends = {name: (0.9 * one.inputs[name], 1.1 * one.inputs[name]) for name in constants.TERMS}

    def draw():
        ranges.monte_carlo(lambda **inputs: one.vary(**inputs).j_per_token, one.inputs, ends)

    def add(name, time, unit_s=1.0, goal=None):
        found.append((name, [tuple(seconds / unit_s for seconds in time()) for _ in range(rounds)], goal))

    def repeat(function, *given):
        function(*given)
        return lambda: timed(lambda: function(*given))

    for model in ("llama-3.1-70b", "qwen3-235b-a22b"):
        for shape in ("grid", "list"):
            name = f"sweep of {million:,} points, {model}, {shape} [us/point]"
            add(name, repeat(sweep, model, shape), million * 1e-6, 2)
    add("the same points one by one [us/point]", repeat(loop, again), again * 1e-6)
    add("one estimate [us]", repeat(each), again * 1e-6, 60)
    add("`import llmpower` in a new process [s]", lambda: fresh("import llmpower"), goal=0.1)
    first = "import llmpower; llmpower.estimate('llama-3.1-70b', 'h100-sxm', 4)"
    add("that and a first estimate, which loads NumPy and the facts [s]", lambda: fresh(first))
    add(f"1,000,000 draws of {len(ends)} constants [s]", repeat(draw))
    add("all elasticities of one run [s]", repeat(ranges.elasticities, one))
    return found


def _medians(times):
    return [statistics.median(column) for column in zip(*times)]


def table(found):
    """Table of what `speed` found: least and median wall clock, median processor."""
    rows = ["| what | least | median | processor | goal of it |", "|:--|--:|--:|--:|--:|"]
    for name, times, goal in found:
        wall, processor = _medians(times)
        rows.append(f"| {name} | {min(times)[0]:,.3g} | {wall:,.3g} | {processor:,.3g} | {goal or ''} |")
    return "\n".join(rows)


def missed(found):
    """A line for each goal that `speed` found missed."""
    medians = [(name, _medians(times)[1], goal) for name, times, goal in found if goal]
    return [f"goal missed: {name} takes {taken:,.3g}, not {goal}" for name, taken, goal in medians if taken > goal]


def accuracy():
    """Tables of errors: held out, and never fitted."""
    table = constants.errors()
    rows = ["| held out | runs | number | J/token | tokens/s |", "|:--|:--|--:|--:|--:|"]
    for split, kind in dict.fromkeys((split, kind) for split, kind, _ in table):
        pair = [table[split, kind, quantity] for quantity in ("j_per_token", "tokens_per_s")]
        errors = " | ".join(f"{one['median_pct']} / {one['mean_pct']} / {one['p90_pct']}" for one in pair)
        rows.append(f"| {split} | {kind} | {pair[0]['n']:.0f} | {errors} |")
    columns = "number | J/token | tokens/s | number with marked runs | J/token | tokens/s"
    rows += ["", f"| never fitted, by machine and software | {columns} |", "|:--|--:|--:|--:|--:|--:|--:|"]
    for (accelerator, software), group in exam.other_runs().groupby(["accelerator", "software"], sort=False):
        cells = [f"{accelerator}, {software}"]
        for some in (group[group["anomaly"] == ""], group):
            errors = (fit.summary(some[name]) for name in ("energy_error", "speed_error"))
            cells += [f"{len(some)}", *(" / ".join(f"{value:.1f}" for value in three) for three in errors)]
        rows.append(f"| {' | '.join(cells)} |")
    return "\n".join(rows)


def sensitivity():
    """Table of elasticities of one run."""
    one = llmpower.estimate(**_ONE)
    energy, speeds = (ranges.elasticities(one, quantity) for quantity in ("j_per_token", "tokens_per_s"))
    rows = ["| input | J/token | tokens/s |", "|:--|--:|--:|"]
    return "\n".join(
        rows + [f"| {name} | {value:+.3f} | {speeds.get(name, 0):+.3f} |" for name, value in energy.items()]
    )


def main():
    """Print the tables, and what missed its goal."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=5, metavar="N", help="default 5")
    parser.add_argument("--write", action="store_true", help="put the tables into benchmarks/README.md")
    arguments = parser.parse_args()
    load = os.getloadavg()[0]
    found = speed(arguments.rounds)
    software = f"Python {platform.python_version()}, NumPy {np.__version__}"
    loads = f"load {load:.1f} before and {os.getloadavg()[0]:.1f} after"
    machine = f"{_ONE['model']} on {_ONE['n_accelerators']} x {_ONE['accelerator']}"
    run = f"batch {_ONE['batch']}, {_RUN['prompt_tokens']} tokens in and {_RUN['output_tokens']} out"
    text = f"""{table(found)}

{datetime.date.today()}, {software}, {os.cpu_count()} cores, {arguments.rounds} rounds; {loads}.
Grid: every batch with every context; list: as many points in no order.
2 us of processor a point are a million points in a second of two cores.

Absolute error, median / mean / 90th percentile [%], {datetime.date.today()}:

{accuracy()}

Change in % for 1 % more of an input, from the formula: {machine}, {run}.

{sensitivity()}"""
    print(text)
    if arguments.write:
        write(text, _HEADING, "python -m benchmarks.estimator --write")
    sys.exit("\n".join(missed(found)) or None)


if __name__ == "__main__":
    main()
