"""Rated and idle power of an accelerator, and the one rule for both where no source gives them."""

import functools
import statistics

from llmpower.facts.catalog import Fact, records

# The accelerator whose rating stands in for one that nobody published.
_LIKE = "h100-sxm"
_DATA_CENTRE = ("datacenter", "system")


def power(machine, quantity):
    """Power of an accelerator, as a `Fact`. [W]

    machine: record of the accelerator.
    quantity: ``"tdp_w"`` or ``"idle_w"``.

    Where no source gives the rating, the largest power of the whole computer stands in, which is a fact of its own,
    else the rating of an H100, with the least and the most of all ratings as its range.  Where no source gives the idle
    power, the rating times the middle of the shares that others of its sort draw idle stands in, with the least and the
    most of those shares as its range; sorts are accelerators for data centres, and all others.  Both have the kind
    ``estimate``.
    """
    if quantity in machine.facts:
        return machine[quantity]
    if quantity == "tdp_w":
        whole = machine.facts.get("system_max_w")
        return whole or _estimate(machine, quantity, _ratings_w(), "rating of an H100; ends are those of all ratings")
    rating_w, shares = power(machine, "tdp_w").value, _idle_shares(machine.category in _DATA_CENTRE)
    middle = "middle of the shares of the rating that others of its sort draw idle; ends are the least and the most"
    return _estimate(machine, quantity, [share * rating_w for share in shares], middle)


def _estimate(machine, quantity, ends, note):
    low, value, high = ends
    place, printed = "data/accelerators.csv", f"{value:.3g} W"
    return Fact(machine.entity, quantity, value, low, high, "W", "estimate", "", place, "", note, printed)


def _single():
    """Accelerators, without whole systems."""
    return [one for one in records("accelerators.csv").values() if one.category != "system"]


@functools.cache
def _ratings_w():
    ratings = [one.tdp_w for one in _single() if one.get("tdp_w")]
    return min(ratings), records("accelerators.csv")[_LIKE].tdp_w, max(ratings)


@functools.cache
def _idle_shares(data_centre):
    known = [one for one in _single() if one.get("idle_w") and one.get("tdp_w")]
    shares = [one.idle_w / one.tdp_w for one in known if (one.category in _DATA_CENTRE) == data_centre]
    return min(shares), statistics.median(shares), max(shares)
