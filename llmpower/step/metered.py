"""What our own power runs say that a board draws, part by part: each run keeps one thing busy (``data/power_runs.csv``).

Everything is worked out from the rows when it is asked for; nothing is stored, so nothing can be stale.
"""

import functools
from dataclasses import dataclass

import numpy as np

from llmpower.facts.catalog import records
from llmpower.facts.runs import power_runs
from llmpower.formulas import meter
from llmpower.ranges import Range

# The first board of each kind was measured part by part; a slower stream pays for units that wake, not for bytes.
FULL_STREAM_BYTES_PER_S = 0.5e12
# Student's t: a mean lies within so many standard errors nineteen times in twenty, by degrees of freedom.
_STUDENT_95 = {1: 12.706, 2: 4.303, 3: 3.182, 4: 2.776, 5: 2.571, 6: 2.447, 7: 2.365, 8: 2.306}


@functools.cache
def boards():
    """The first board of each accelerator whose memory was swept: name of the accelerator -> name of the board."""
    found = {}
    for run in power_runs():
        if run.kind == "memory":
            found.setdefault(run.accelerator, run.board)
    return found


def runs(board, kind, what=""):
    """Power runs of a board by kind, whose description contains some words."""
    return [run for run in power_runs() if (run.board, run.kind) == (board, kind) and what in run.what]


def _one(board, kind, what):
    (found,) = runs(board, kind, what)
    return found


@dataclass(frozen=True)
class Board:
    """Watts and prices of one board; each `Range` says in `metered.board` what its ends are."""

    accelerator: str
    name: str
    tdp_w: float
    idle_w: float
    clocks_up_w: Range
    sweep_w: Range
    integer_w: float
    stream_bytes_per_s: float
    byte_j: dict
    memory_byte_j: float
    l2_byte_j: Range
    marginal_byte_j: dict
    thin: tuple
    flop_j: dict
    clock_slope: float
    limited_share: float
    zero_flop_j: float
    product_flop_per_s: dict
    plateau_w: float

    @property
    def static_w(self):
        """Two readings of what flows whatever the work: clocks up and nothing running; the sweep without traffic. [W]"""
        return Range(self.clocks_up_w.central, self.clocks_up_w.central, self.sweep_w.central)

    @property
    def unpacking_w(self):
        """What all multiprocessors draw in integer arithmetic, beyond clocks up: what unpacking weights takes. [W]"""
        return self.integer_w - self.clocks_up_w.central

    def energy_j_per_byte(self, memory_bytes_per_s):
        """Price of a byte of random bits above clocks up at some traffic, between the rates that were swept. [J/B]"""
        rates, prices = zip(*sorted(self.thin))
        return float(np.interp(memory_bytes_per_s, rates, prices))


@functools.cache
def board(accelerator):
    """What was measured on the first board of an accelerator, by its name; None where none was.

    `clocks_up_w`: a program made, nothing running; ends: all boards of this kind. `sweep_w`: the traffic sweep
    extrapolated to none, by a line through the streams above half a terabyte a second; ends: 95 % of that line.
    `byte_j`: above clocks up at the full rate, by content; `marginal_byte_j`: the slope of that line, and for other
    contents what their one stream adds to its start. `memory_byte_j`: of it on the memory's own figure. `thin`: rates and
    prices of all streams of random bits. `l2_byte_j`: by the second-level cache, ends: over its rates. `flop_j`: by format,
    at the highest clock, ends: all clocks and rests. `limited_share`: price of an operation at the power limit over that. `zero_flop_j`: on zeros, at the highest clock.
    """
    if accelerator not in boards():
        return None
    name = boards()[accelerator]
    made = "idle, context made"
    clocks_up = _one(name, "idle", made)
    kin = [run.power_w for run in power_runs() if run.accelerator == accelerator and run.what == made]
    up = clocks_up.power_w
    line, ends = _sweep(runs(name, "memory", "random bits"))
    full = {content: _one(name, "memory", f"{content}, 1056") for content in ("zeros", "bf16 normal", "random bits")}
    price = lambda run: meter.added_energy_j_per_byte(run.power_w, up, run.memory_bytes_per_s)
    marginal = {
        content: meter.added_energy_j_per_byte(run.power_w, line[0], run.memory_bytes_per_s)
        for content, run in full.items()
    }
    most = full["bf16 normal"]
    own = (most.memory_power_w - clocks_up.memory_power_w) / most.memory_bytes_per_s
    l2 = [(run.power_w - up) / run.l2_bytes_per_s for run in runs(name, "l2")]
    slope, flop_j, zeros = _products(name, up)
    tdp_w = records("accelerators.csv")[accelerator].tdp_w
    capped = [run.power_w for run in power_runs() if run.board == name and run.throttled and run.power_w > 0.9 * tdp_w]
    return Board(
        accelerator=accelerator,
        name=name,
        tdp_w=tdp_w,
        idle_w=_one(name, "idle", "idle, no context").power_w,
        clocks_up_w=Range(min(kin), up, max(kin)),
        sweep_w=Range(ends[0], line[0], ends[1]),
        integer_w=_one(name, "integer", "").power_w,
        stream_bytes_per_s=most.memory_bytes_per_s,
        byte_j={content: price(run) for content, run in full.items()},
        memory_byte_j=own,
        l2_byte_j=Range(min(l2), l2[0], max(l2)),
        marginal_byte_j=marginal,
        thin=tuple((run.memory_bytes_per_s, price(run)) for run in runs(name, "memory", "random bits")),
        flop_j=flop_j,
        clock_slope=slope,
        limited_share=flop_j["bf16"].low / flop_j["bf16"].central,
        zero_flop_j=zeros,
        product_flop_per_s={
            "bf16": _one(name, "product", "rest 0").flop_per_s,
            "fp8": _one(name, "product", "fp8").flop_per_s,
        },
        plateau_w=float(np.median(capped)),
    )


def _sweep(streams):
    """Start and slope of a line through the watts of full streams over their traffic; 95 % ends of the start. [W]"""
    full = [run for run in streams if run.memory_bytes_per_s > FULL_STREAM_BYTES_PER_S]
    rate = np.array([run.memory_bytes_per_s for run in full])
    watts = np.array([run.power_w for run in full])
    slope, start = np.polyfit(rate, watts, 1)
    apart = watts - start - slope * rate
    spread = np.sqrt((apart**2).sum() / (len(full) - 2))
    mean = rate.mean()
    error = spread * np.sqrt(1 / len(full) + mean**2 / ((rate - mean) ** 2).sum())
    start, reach = float(start), _STUDENT_95[len(full) - 2] * float(error)
    return (start, float(slope)), (start - reach, start + reach)


def _products(name, up_w):
    """Slope of the price of an operation over the clock; prices by format at the highest clock; price on zeros."""
    price = lambda run: meter.added_energy_j_per_flop(run.power_w, up_w, run.flop_per_s)
    ratio = lambda run, top: run.sm_clock_mhz / top
    bf16 = runs(name, "product", "bf16 product 8192, normal")
    top = max(run.sm_clock_mhz for run in bf16)
    (slow,) = (run for run in bf16 if run.sm_clock_mhz < top)
    at_top = sorted(price(run) for run in bf16 if run.sm_clock_mhz == top)
    middle = at_top[len(at_top) // 2]
    slope = (1 - price(slow) / middle) / (1 - ratio(slow, top))
    at_full = lambda run: price(run) / meter.clocked_energy_j_per_flop(1.0, slope, ratio(run, top))
    fp8, zeros = _one(name, "product", "fp8"), _one(name, "product", "bf16 product 8192, zeros")
    found = {"bf16": Range(price(slow), middle, at_top[-1]), "fp8": Range(price(fp8), at_full(fp8), at_full(fp8))}
    return slope, found, at_full(zeros)
