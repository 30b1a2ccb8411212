"""What our own power runs say a board draws, part by part: each keeps one thing busy (``data/power_runs.csv``).

Everything is worked out from the rows when it is asked for.
"""

import functools
from dataclasses import dataclass

import numpy as np

from llmpower.facts.catalog import records
from llmpower.facts.runs import power_runs
from llmpower.formulas import meter
from llmpower.formulas.elementwise import interpolate
from llmpower.ranges import Range

CLOCKS_UP = "idle, context made"
CONTENTS = ("zeros", "bf16 normal", "random bits")
# Below this traffic a stream also pays for units that it wakes.
FULL_STREAM_BYTES_PER_S = 0.5e12
# Student's t: a mean lies within so many standard errors nineteen times in twenty, by degrees of freedom.
_STUDENT_95 = {1: 12.706, 2: 4.303, 3: 3.182, 4: 2.776, 5: 2.571, 6: 2.447, 7: 2.365, 8: 2.306}
# A mean power this near the rating was held there by the board.
_AT_THE_LIMIT = 0.9


@functools.cache
def boards():
    """The first board of each accelerator whose memory was swept: name of the accelerator -> name of the board."""
    found = {}
    for run in power_runs():
        if run.kind == "memory":
            found.setdefault(run.accelerator, run.board)
    return found


@functools.cache
def runs(board, kind, what=""):
    """Power runs of a board by kind, whose description contains some words."""
    return tuple(run for run in power_runs() if (run.board, run.kind) == (board, kind) and what in run.what)


def one(board, kind, what=""):
    """The only power run of a board of that kind and description."""
    (found,) = runs(board, kind, what)
    return found


def highest_clock(board):
    """Highest clock of the multiprocessors that any run of a board had. [MHz]"""
    return max(run.sm_clock_mhz for run in power_runs() if run.board == board)


# One board is one object, which a choice of boards keeps whole.
@dataclass(frozen=True, eq=False)
class Board:
    """Watts of one board and what a byte and an operation cost on it, part by part; `board` finds it by name."""

    accelerator: str
    name: str
    tdp_w: float

    @functools.cached_property
    def idle_w(self):
        """No program, clocks down. [W]"""
        return one(self.name, "idle", "no context").power_w

    @functools.cached_property
    def clocks_up_w(self):
        """A program made and nothing running; the ends are all boards of this accelerator. [W]"""
        kin = [run.power_w for run in power_runs() if (run.accelerator, run.what) == (self.accelerator, CLOCKS_UP)]
        return Range(min(kin), one(self.name, "idle", CLOCKS_UP).power_w, max(kin))

    @functools.cached_property
    def sweep_w(self):
        """The traffic sweep without traffic: start of a line through the full streams; ends: nineteen in twenty. [W]"""
        return self._start(run for run in self.streams if run.memory_bytes_per_s > FULL_STREAM_BYTES_PER_S)

    @functools.cached_property
    def free_sweep_w(self):
        """The same without streams that the board held at its limit. [W]"""
        full = (run for run in self.streams if run.memory_bytes_per_s > FULL_STREAM_BYTES_PER_S)
        return self._start(run for run in full if not run.throttled)

    def _start(self, streams):
        full = list(streams)
        rate, watts = (np.array([getattr(run, name) for run in full]) for name in ("memory_bytes_per_s", "power_w"))
        slope, start = map(float, np.polyfit(rate, watts, 1))
        apart, free = watts - start - slope * rate, len(full) - 2
        around = ((rate - rate.mean()) ** 2).sum()
        error = float(np.sqrt((apart @ apart) / free * (1 / len(full) + rate.mean() ** 2 / around)))
        return Range(start - _STUDENT_95[free] * error, start, start + _STUDENT_95[free] * error)

    @property
    def static_w(self):
        """Two readings of what flows whatever the work: clocks up, which is central too, and the sweep's start. [W]"""
        return Range(self.clocks_up_w.central, self.clocks_up_w.central, self.sweep_w.central)

    @functools.cached_property
    def unpacking_w(self):
        """What integer arithmetic on all multiprocessors draws beyond clocks up, as unpacking weights takes. [W]"""
        return one(self.name, "integer").power_w - self.clocks_up_w.central

    @property
    def streams(self):
        """Runs that read random bits from memory, the fullest first."""
        return runs(self.name, "memory", "random bits")

    @functools.cached_property
    def full_streams(self):
        """Runs that read memory at the full rate, by content."""
        return {content: one(self.name, "memory", f"{content}, 1056") for content in CONTENTS}

    def _price(self, run, static_w):
        return meter.added_energy_j_per_byte(run.power_w, static_w, run.memory_bytes_per_s)

    @functools.cached_property
    def byte_j(self):
        """A byte from memory at the full rate above clocks up, by content: the kernel that reads it included. [J/B]"""
        return {content: self._price(run, self.clocks_up_w.central) for content, run in self.full_streams.items()}

    @functools.cached_property
    def marginal_byte_j(self):
        """The same above the sweep's start, by content. [J/B]"""
        return {content: self._price(run, self.sweep_w.central) for content, run in self.full_streams.items()}

    def _at(self, memory_bytes_per_s, price):
        known = sorted((run.memory_bytes_per_s, price(run)) for run in self.streams)
        return interpolate(memory_bytes_per_s, *zip(*known))

    def byte_j_at(self, memory_bytes_per_s):
        """A byte of random bits above clocks up at some traffic, between the rates of the sweep. [J/B]"""
        return self._at(memory_bytes_per_s, lambda run: self._price(run, self.clocks_up_w.central))

    def chip_byte_j_at(self, memory_bytes_per_s):
        """The same on the memory's own figure. [J/B]"""
        return self._at(memory_bytes_per_s, self._chip_price)

    def _chip_price(self, run):
        up = one(self.name, "idle", CLOCKS_UP)
        return meter.added_energy_j_per_byte(run.memory_power_w, up.memory_power_w, run.memory_bytes_per_s)

    @functools.cached_property
    def chip_byte_j(self):
        """A byte of bf16 on the memory's own figure, which hardly moves near the full rate. [J/B]"""
        return self._chip_price(self.full_streams["bf16 normal"])

    @functools.cached_property
    def l2_byte_j(self):
        """A byte of random bits from the second-level cache; ends: over its rates. [J/B]"""
        up, some = self.clocks_up_w.central, runs(self.name, "l2")
        prices = [meter.added_energy_j_per_byte(run.power_w, up, run.l2_bytes_per_s) for run in some]
        return Range(min(prices), prices[0], max(prices))

    def _flop_price(self, run):
        return meter.added_energy_j_per_flop(run.power_w, self.clocks_up_w.central, run.flop_per_s)

    @functools.cached_property
    def _bf16(self):
        """Prices of an operation in bf16 at the highest clock, sorted; the run at the power limit; its clock."""
        some, top = runs(self.name, "product", "bf16 product 8192, normal"), highest_clock(self.name)
        (slow,) = (run for run in some if run.sm_clock_mhz < top)
        return sorted(self._flop_price(run) for run in some if run.sm_clock_mhz == top), slow, slow.sm_clock_mhz / top

    @functools.cached_property
    def clock_slope(self):
        """Share of the price of an operation that goes with the whole clock. [1]"""
        prices, slow, ratio = self._bf16
        return (1 - self._flop_price(slow) / prices[len(prices) // 2]) / (1 - ratio)

    def _at_full_clock(self, run):
        ratio = run.sm_clock_mhz / highest_clock(self.name)
        return self._flop_price(run) / meter.clocked_energy_j_per_flop(1.0, self.clock_slope, ratio)

    @functools.cached_property
    def flop_j(self):
        """An operation of a large product at the highest clock, by format; low: at the power limit. [J/FLOP]"""
        prices, slow, _ = self._bf16
        fp8 = one(self.name, "product", "fp8")
        full = self._at_full_clock(fp8)
        wide = Range(self._flop_price(slow), prices[len(prices) // 2], prices[-1])
        return {"bf16": wide, "fp8": Range(self._flop_price(fp8), full, full)}

    @functools.cached_property
    def zero_flop_j(self):
        """An operation on zeros at the highest clock. [J/FLOP]"""
        return self._at_full_clock(one(self.name, "product", "zeros"))

    @property
    def limited_share(self):
        """Price of an operation on a board held at its power limit over that at its highest clock. [1]"""
        return self.flop_j["bf16"].low / self.flop_j["bf16"].central

    @property
    def limited_byte_share(self):
        """The same of a byte, of which only the part on the chip feels the voltage. [1]"""
        return 1 - (1 - self.limited_share) * self.l2_byte_j.central / self.byte_j["random bits"]

    @functools.cached_property
    def product_flop_per_s(self):
        """Rate of large products by format, at the power limit. [FLOP/s]"""
        return {"bf16": self._bf16[1].flop_per_s, "fp8": one(self.name, "product", "fp8").flop_per_s}

    @property
    def stream_bytes_per_s(self):
        """Rate at which bf16 is read. [B/s]"""
        return self.full_streams["bf16 normal"].memory_bytes_per_s

    @functools.cached_property
    def plateau_w(self):
        """Median draw of the runs that the board held at its limit, but for those of steps that are predicted. [W]"""
        held = [run for run in power_runs() if run.board == self.name and run.throttled and run.kind != "decode"]
        return float(np.median([run.power_w for run in held if run.power_w > _AT_THE_LIMIT * self.tdp_w]))


@functools.cache
def board(accelerator):
    """What was measured on the first board of an accelerator, by its name, as a `Board`; None where none was."""
    if accelerator in boards():
        return Board(accelerator, boards()[accelerator], records("accelerators.csv")[accelerator].tdp_w)
    return None
