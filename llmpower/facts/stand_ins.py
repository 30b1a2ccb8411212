"""What stands in where nobody says how quickly a machine multiplies, what it is rated at, or what its memory reaches.

Each is the middle of what is known of machines alike; its ends hold eight in ten of them.
"""

import functools
import statistics

from llmpower.facts.catalog import Fact, Record, records
from llmpower.facts.power import power
from llmpower.trace import by_choice

_PEAK, _RATED, _REACHED = "dense_bf16_flop_per_s", "memory_bandwidth_bytes_per_s", "reached_bytes_per_s"
STAND_IN = (_PEAK, "tdp_w", _REACHED)
# Fewer machines of a category than these say nothing of another one.
_FEW = 3


@by_choice
@functools.cache
def completed(machine):
    """A machine, a record, with an estimate of what an estimate of its speed and power needs; what it has, it keeps.

    >>> from llmpower.facts.catalog import accelerator
    >>> completed(accelerator("m3-ultra")).tdp_w, completed(accelerator("h100-sxm")) is accelerator("h100-sxm")
    (270.0, True)
    """
    found = {quantity: make(machine) for quantity, make in _MAKERS.items() if quantity not in machine.facts}
    found = {quantity: one for quantity, one in found.items() if one}
    if machine.category == "system" or not found:
        return machine
    told = (*machine.get("assumed", ()), *(fact.note for fact in found.values()))
    if machine.entity in records("accelerators.csv"):
        told += (f"what you know of it may be typed behind its name: '{machine.entity},{next(iter(found))}=...'",)
    assumed = Fact(machine.entity, "assumed", told, None, None, "text", "estimate", "", "", "", "", "")
    return Record(machine.entity, type(machine.facts)(machine.entity, {**machine.facts, **found, "assumed": assumed}))


@by_choice
@functools.cache
def at_end(machine, quantity, end):
    """A completed machine with a stand-in at its low or high end, 0 or 2; the same record where it is a fact."""
    fact = machine.facts.get(quantity)
    if fact is None or fact.kind != "estimate" or fact.source:
        return machine
    found = {**machine.facts, quantity: _estimate(machine, quantity, [fact.ends[end]] * 3, fact.unit, fact.note)}
    return Record(machine.entity, type(machine.facts)(machine.entity, found))


def _estimate(machine, quantity, ends, unit, note):
    low, value, high = ends
    printed = f"{value:.3g} {unit}"
    return Fact(machine.entity, quantity, value, low, high, unit, "estimate", "", "", "", note, printed)


def _single():
    return [one for one in records("accelerators.csv").values() if one.category != "system"]


@functools.cache
def _ratios(over, under, category):
    """Quotient of two quantities among machines of a category, or of all where few are known: low, middle, high."""

    def of(machines):
        return sorted(one.value(over) / one.value(under) for one in machines if one.get(over) and one.get(under))

    alike = of(one for one in _single() if one.category == category)
    found = alike if len(alike) >= _FEW else of(_single())
    low, *_, high = statistics.quantiles(found, n=10, method="inclusive")
    return low, statistics.median_low(found), high


def _peak(machine):
    ends = _ratios(_PEAK, _RATED, machine.category)
    low, middle, high = ends
    note = f"no 16-bit rate given: taken as {middle:.0f} operations a byte of bandwidth, the middle of machines alike"
    note += f", {low:.0f} to {high:.0f}, which the range spans; prompts and large batches hang on that"
    return _estimate(machine, _PEAK, [end * machine.value(_RATED) for end in ends], "FLOP/s", note)


def _rating(machine):
    found = power(machine, "tdp_w")
    if found.quantity == "system_max_w":
        # The accelerator is a part of its computer.
        low = _ratios("tdp_w", "system_max_w", "")[0] * found.value
        note = f"no rating given: the {found.value:,.0f} W of its whole computer stand in, of which the chip has"
        note += f" {low:,.0f} W or more, which the range spans"
        return _estimate(machine, "tdp_w", [low, found.value, found.value], "W", note)
    note = f"no rating given: taken as {found.value:,.0f} W by its bandwidth, as machines alike, {found.low:,.0f} to"
    note += f" {found.high:,.0f} W, which the range spans"
    return _estimate(machine, "tdp_w", found.ends, "W", note)


def _reached(machine):
    """Only where processor and accelerator share a memory, or nobody says: other boards reach what the fit has."""
    shared = str(machine.get("memory_type", "")).startswith("LPDDR") or machine.category in ("soc", "own")
    if not shared:
        return None
    ends = _ratios(_REACHED, _RATED, machine.category)
    low, middle, high = (100 * end for end in ends)
    note = f"no measurement of what its memory reaches: taken as {middle:.0f} % of the rated bandwidth, the middle of"
    note += f" machines alike, {low:.0f} to {high:.0f} %, which the range spans"
    return _estimate(machine, _REACHED, [end * machine.value(_RATED) for end in ends], "B/s", note)


_MAKERS = {_PEAK: _peak, "tdp_w": _rating, _REACHED: _reached}
