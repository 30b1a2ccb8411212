"""Low, central and high of a result."""

import functools
import math
from dataclasses import dataclass

from llmpower.trace import by_choice

# A normal number exceeds its mean by more than so many standard deviations once in twenty.
_NORMAL_95 = 1.6448536269514722


@dataclass(frozen=True)
class Range:
    """Three values of one result; the ends are those of sourced constants.

    The central value may lie outside the ends when a reader, or the article,
    picks a constant that no source supports; the text says so then.
    """

    low: float
    central: float
    high: float

    @property
    def supported(self):
        """Whether the central value lies between the ends."""
        return self.low <= self.central <= self.high


def over(function, sets, central):
    """Evaluate a result for several sets of inputs.

    function: Takes one set, returns a number.
    sets: Sets of inputs by name; those named low, typical, measured and high span the range.
    central: Name of the set whose result is central.

    Returns: Ends are the smallest and largest result of those sets.

    >>> over(lambda x: 1 / x, {"low": 1.0, "typical": 2.0, "high": 4.0}, "typical")
    Range(low=0.25, central=0.5, high=1.0)
    """
    # Here, since a chapter that asks for no range need not load all formulas.
    from llmpower.formulas.elementwise import maximum, minimum

    found = {name: function(one) for name, one in sets.items()}
    ends = [found[name] for name in ("low", "typical", "measured", "high") if name in sets]
    middle = by_choice(found.__getitem__)(central)
    return Range(functools.reduce(minimum, ends), middle, functools.reduce(maximum, ends))


def tornado(function, central, ends):
    """Evaluate a result with one input at a time at its low and its high end.

    function: Takes the inputs as keywords, returns a number.
    central: All inputs.
    ends: Name of an input -> (low, high).

    Returns: Name, result at the low end, result at the high end; the widest first.

    >>> tornado(lambda a, b: a + 10 * b, {"a": 1, "b": 1}, {"a": (0, 3), "b": (0, 2)})
    [('b', 1, 21), ('a', 10, 13)]
    """
    bars = [(name, *(function(**{**central, name: end}) for end in pair)) for name, pair in ends.items()]
    return sorted(bars, key=lambda bar: -abs(bar[2] - bar[1]))


def monte_carlo(function, central, ends, draws=1_000_000, seed=0):
    """Evaluate a result with all uncertain inputs drawn at once.

    Each input is drawn by itself, so errors that go together are not seen to:
    its logarithm is normal on either side of the central value, with the ends
    as its 5th and 95th percentile.

    function: Takes the inputs as keywords, returns a number, or an array for arrays; called once with all draws.
    central: All inputs.
    ends: Name of an uncertain input -> (low, high); positive.
    draws, seed: How many, and what makes them the same each time.

    Returns: 5th percentile, result of the central values, 95th percentile.

    >>> found = monte_carlo(lambda a, b: a * b, {"a": 2.0, "b": 3.0}, {"a": (1.0, 4.0)}, draws=100_000)
    >>> round(found.low, 1), found.central, round(found.high, 1)
    (3.0, 6.0, 12.0)
    """
    import numpy as np

    random = np.random.default_rng(seed)
    drawn = {}
    for name, (low, high) in ends.items():
        normal = random.standard_normal(draws)
        sides = np.where(normal < 0, math.log(central[name] / low), math.log(high / central[name]))
        drawn[name] = central[name] * np.exp(sides / _NORMAL_95 * normal)
    low, high = np.percentile(function(**{**central, **drawn}), [5, 95])
    return Range(float(low), float(function(**central)), float(high))


def elasticities(estimate, quantity="j_per_token"):
    """By how many per cent a result changes for one per cent of each input, from the formula itself.

    estimate: Of one run, not of arrays.
    quantity: one of "j_per_token", "tokens_per_s", "power_w", "step_s"; Result.

    Returns: Input -> d ln result / d ln input, all else held, the context too; the largest first. Inputs that do
    nothing are left out.
    """
    from llmpower.symbolic import elasticity

    # A cap is met by halving a span of clocks, which has no formula to differentiate, and a measurement has a kink.
    plain = math.isinf(estimate.case.power_cap_w) and not estimate.own
    slope = elasticity if plain else _difference
    found = {
        name: slope(lambda x, name=name: getattr(estimate.vary(**{name: x}), quantity), name, value)
        for name, value in estimate.inputs.items()
        if 0 < value < math.inf
    }
    return dict(sorted(((name, value) for name, value in found.items() if value), key=lambda pair: -abs(pair[1])))


def _difference(function, name, value, change=1e-3):
    """The same from two values a little apart."""
    low, high = (math.log(function(value * (1 + end))) for end in (-change, change))
    return (high - low) / math.log((1 + change) / (1 - change))
