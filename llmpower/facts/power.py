"""Rated and idle power of an accelerator, and the one rule for both where no source gives them."""

import functools
import statistics

from llmpower.facts.catalog import Fact, records
from llmpower.trace import by_choice

_DATA_CENTRE = ("datacenter", "system")


def rating(machine):
    """Rated power, else the largest power of the whole computer, else None; no estimate stands in here. [W]"""
    return machine.get("tdp_w") or machine.get("system_max_w")


@by_choice
def power(machine, quantity):
    """Power of an accelerator, as a `Fact`. [W]

    machine, quantity: record of the accelerator, and ``"tdp_w"`` or ``"idle_w"``.

    Sorts are accelerators for data centres, and all others.  Where no source gives the rating, the largest power of the
    whole computer stands in, which is a fact of its own, else its bandwidth times the middle of what others of its
    category are rated at for each byte a second, with the least and the most of that as its range.  Where no source
    gives the idle power, the rating times the middle of the shares that others of its sort draw idle stands in, with
    the least and the most of those shares as its range, of the least and the most of the ratings where that is an
    estimate too.  Both have the kind ``estimate``.
    """
    if quantity in machine.facts:
        return machine[quantity]
    data_centre = machine.category in _DATA_CENTRE
    if quantity == "tdp_w":
        middle = "by the middle, least and most that others of its sort are rated at for each byte a second"
        ends = [one * machine.memory_bandwidth_bytes_per_s for one in _ratings_j_per_byte(machine.category)]
        return machine.facts.get("system_max_w") or _estimate(machine, quantity, ends, middle)
    rated = power(machine, "tdp_w")
    # Limits that can be set on a board are no uncertainty of its rating.
    ratings_w = rated.ends if rated.kind == "estimate" else [rated.value] * 3
    ends = [share * watts for share, watts in zip(_idle_shares(data_centre), ratings_w)]
    middle = "by the middle, least and most share of the rating that others of its sort draw idle"
    guess = "" if rated.source else ", of a rating that is such an estimate, too"
    return _estimate(machine, quantity, ends, middle + guess)


def _estimate(machine, quantity, ends, note):
    low, value, high = ends
    place, printed = "data/accelerators.csv", f"{value:.3g} W"
    return Fact(machine.entity, quantity, value, low, high, "W", "estimate", "", place, "", note, printed)


def _alike(data_centre):
    """Accelerators of a sort, without whole systems."""
    single = (one for one in records("accelerators.csv").values() if one.category != "system")
    return [one for one in single if (one.category in _DATA_CENTRE) == data_centre]


@functools.cache
def _ratings_j_per_byte(category):
    """Least, middle and most rating over bandwidth of a category, or of its sort where few are known. [J/B]"""
    alike = [one for one in _alike(category in _DATA_CENTRE) if rating(one)]
    same = [one for one in alike if one.category == category]
    found = [rating(one) / one.memory_bandwidth_bytes_per_s for one in (same if len(same) > 2 else alike)]
    return min(found), statistics.median_low(found), max(found)


@functools.cache
def _idle_shares(data_centre):
    shares = [one.idle_w / one.tdp_w for one in _alike(data_centre) if one.get("idle_w") and one.get("tdp_w")]
    return min(shares), statistics.median(shares), max(shares)
