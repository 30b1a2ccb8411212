"""One measurement of one's own: what it makes of a prediction, at its batch and at others, and how sure that is.

Times of a step are multiplied by predicted over measured speed, energies by what the measured power says.  The further
another batch lies from the measured one, the less of that is kept, as runs show of which two batches were measured.
"""

import functools
from dataclasses import dataclass

from llmpower.facts.catalog import records
from llmpower.formulas import decode, serving
from llmpower.formulas.elementwise import exp, log, maximum, minimum, positive, sqrt
from llmpower.step import constants

# What may be measured, and how the exams of it begin.
SPEED, POWER, BOTH = "speed measured", "power measured", "speed and power measured"
# What each says itself, and what it makes surer.
MEASURES = {SPEED: ("tokens_per_s",), POWER: ("power_w",), BOTH: ("j_per_token", "tokens_per_s", "power_w")}
NARROWS = {SPEED: ("j_per_token", "tokens_per_s"), POWER: ("j_per_token", "power_w"), BOTH: MEASURES[BOTH]}
# How many times larger or smaller another batch may be -> how the exams of it end; beyond, the usual exams stand.
BANDS = {1.25: "at this batch", 2.5: "up to 2.5 times the batch", 10: "up to 10 times the batch"}
_AT = BANDS[1.25]


@dataclass(frozen=True)
class Own:
    """A measurement against its prediction: measured over predicted time and energy of a step, and where. [1]

    `energy_ratio` is None where no power was measured: then the power that flows whatever the work goes on for the
    measured time, and the rest of the energy stays.
    """

    kind: str
    time_ratio: float
    energy_ratio: float | None
    batch: float

    def times(self, batch):
        """What the time of a step at a batch is multiplied with. [1]"""
        return _carried(self.time_ratio, batch, self.batch)

    def applied(self, step, batch):
        """A step of a batch, a `served.Step`, as the measurement corrects it."""
        longer = self.times(batch)
        found = {name: longer * one for name, one in step._asdict().items() if name.endswith("_s")}
        joules = {name: one for name, one in step._asdict().items() if name.endswith("_j")}
        if self.energy_ratio is None:
            cut = step.energy_j / step.uncapped_j
            static = longer * step.static_j
            total = step.energy_j + static - step.static_j
            return step._replace(**found, static_j=static, energy_j=total, uncapped_j=total / cut)
        more = _carried(self.energy_ratio, batch, self.batch)
        return step._replace(**found, **{name: more * one for name, one in joules.items()})

    def spans(self, usual, batch, moe):
        """Errors at a batch, by quantity as those of an exam: what the measurement leaves of the usual ones."""
        apart = maximum(batch / self.batch, self.batch / batch)
        if "power_w" in NARROWS[self.kind]:
            usual = usual | {"power_w": usual["j_per_token"]}
        found = dict(usual)
        for quantity in NARROWS[self.kind]:
            plain = usual[quantity]
            for most in sorted(BANDS, reverse=True):
                row = errors(self.kind, BANDS[most], "moe" if moe else "dense", quantity)
                if quantity not in MEASURES[self.kind]:
                    row = _doubted(row, plain, moe)
                # What is known more of a case makes nothing less sure.
                ends = {
                    end: inner(row[end], plain[end]) for end, inner in (("low_ratio", maximum), ("high_ratio", minimum))
                }
                nearer = {end: positive(apart - most, found[quantity][end], one) for end, one in ends.items()}
                found[quantity] = positive(_largest(apart) - most, found[quantity], row) | nearer
        return found


def _doubted(row, plain, moe):
    """Errors of what was not measured, with the doubts of a case beyond those of an unknown laboratory."""
    seen, found = constants.exam_errors(frozenset(), moe)["j_per_token"], dict(row)
    for end, sign in (("low_ratio", -1), ("high_ratio", 1)):
        more = maximum(log(plain[end]) ** 2 - log(seen[end]) ** 2, 0.0)
        found[end] = exp(sign * sqrt(log(row[end]) ** 2 + more))
    return found


def _largest(number):
    return number.max() if hasattr(number, "max") else number


def _carried(ratio, batch, measured_batch):
    return serving.carried_ratio(ratio, batch, measured_batch, half_kept_ratio())


@functools.cache
def half_kept_ratio():
    """How many times larger or smaller a batch is where half of a correction is left. [1]"""
    return records("calibration.csv")["measured"].half_kept_ratio


def errors(kind, band, group, quantity):
    """A row of ``data/accuracy.csv``: errors at batches in a band of runs of which another batch was known."""
    row = constants.errors()[f"{kind}, {band}", "all" if band == _AT else group, quantity]
    return row | {end: outer(row[end], 1.0) for end, outer in (("low_ratio", min), ("high_ratio", max))}


def measured(step, written, batch, measured_tokens_per_s, measured_power_w):
    """`Own` of a measurement; `step` is what is predicted there, `written` what it writes. [1], [1], [1/s], [W]"""
    time_s = step.time_s if measured_tokens_per_s is None else written / measured_tokens_per_s
    kind = BOTH if None not in (measured_tokens_per_s, measured_power_w) else POWER
    energy = None
    if measured_power_w is None:
        kind = SPEED
    else:
        energy = decode.energy_j(measured_power_w, time_s) / step.energy_j
    return Own(kind, time_s / step.time_s, energy, batch)
