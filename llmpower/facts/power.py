"""Rated and idle power of an accelerator, and the one rule for both where no source gives them."""

import functools
import statistics

from llmpower.facts.catalog import Fact, records

# The accelerator whose rating stands in for one that nobody published.
_LIKE = "h100-sxm"


def power(machine, quantity):
    """Power of an accelerator, as a `Fact`. [W]

    machine: record of the accelerator.
    quantity: ``"tdp_w"`` or ``"idle_w"``.

    Where no source gives the rating, the largest power of the whole computer stands in, else the rating of an H100,
    with the least and the most of all ratings as its range.  Where no source gives the idle power, the rating times
    the middle of the shares that other accelerators draw idle stands in, with the least and the most of those shares
    as its range.  What stands in has the kind ``estimate``; the power of the whole computer keeps its own.
    """
    if quantity in machine.facts:
        return machine[quantity]
    if quantity == "tdp_w":
        return machine.facts.get("system_max_w") or _estimate(machine, quantity, *_ratings_w())
    rating_w = power(machine, "tdp_w").value
    return _estimate(machine, quantity, *(share * rating_w for share in _idle_shares()))


def _estimate(machine, quantity, low, value, high):
    told = {"tdp_w": "rating of an H100; ends are the least and the most of all ratings"}.get(
        quantity,
        "middle of the shares of the rating that other accelerators draw idle; ends are the least and the most",
    )
    return Fact(
        machine.entity,
        quantity,
        value,
        low,
        high,
        "W",
        "estimate",
        "",
        "data/accelerators.csv",
        "",
        told,
        f"{value:.3g} W",
    )


def _single():
    """Accelerators, without whole systems."""
    return [one for one in records("accelerators.csv").values() if one.category != "system"]


@functools.cache
def _ratings_w():
    ratings = [one.tdp_w for one in _single() if one.get("tdp_w")]
    return min(ratings), records("accelerators.csv")[_LIKE].tdp_w, max(ratings)


@functools.cache
def _idle_shares():
    shares = [one.idle_w / one.tdp_w for one in _single() if one.get("idle_w") and one.get("tdp_w")]
    return min(shares), statistics.median(shares), max(shares)
