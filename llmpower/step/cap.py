"""A step under a power cap: the cap becomes a clock, the clock becomes speed and energy."""

from types import SimpleNamespace

from llmpower.formulas import decode, meter, serving
from llmpower.formulas.elementwise import maximum, minimum, positive
from llmpower.trace import shared

# Halvings of the span of clocks, which then is finer than a clock of one MHz.
_HALVINGS = 12
# From here on a clock is lower than the highest one, and not by rounding.
_SLOWER = 1e-9
_RATES = ("product_flop_per_s", "expert_peak", "drawing_peak", "block_peak")
_TIMES = ("layer_time_s", "block_scaling_time_s")
_VALUE_TIMES = ("unpacking_s", "expert_unpacking_s", "cache_unpacking_s")


@shared
def capped(step, power_cap_w, net, unit, constants, n_accelerators, *run):
    """A step as `step` gives it, with boards that may draw no more than a cap; takes what that takes besides.

    power_cap_w: of each accelerator. [W]
    Boards lower their clock until they draw less, down to their lowest one, at which they draw what they draw.
    """
    free = step(net, unit, constants, n_accelerators, *run)
    cut, free_w = free.energy_j / free.uncapped_j, decode.power_w(free.energy_j, free.time_s)
    most_w = n_accelerators * power_cap_w

    def at(ratio):
        found = step(net, *clocked(unit, constants, ratio), n_accelerators, *run)
        kept = {name: cut * getattr(found, name) for name in found._fields if name.endswith("_j")}
        energy = cut * found.uncapped_j
        return found._replace(**kept | {"energy_j": energy, "uncapped_j": found.uncapped_j})

    def watts(ratio):
        found = at(ratio)
        return decode.power_w(found.energy_j, found.time_s)

    low = constants.least_clock_share + 0.0 * free.time_s
    span = 1 - low
    for _ in range(_HALVINGS):
        span = span / 2
        drawn = watts(low + span)
        # One step up where that leaves room below the cap, none where it does not.
        low = low + span * _within(most_w - drawn, 1e-9 * drawn)
    # A straight line over what is left.
    below = watts(low)
    ratio = low + span * _within(most_w - below, watts(low + span) - below)
    # Boards that draw less anyway keep their clock, whatever rounding made of it.
    ratio = positive(free_w - most_w, ratio, 1.0)
    found = at(ratio)
    # Boards that the cap holds would draw more in this time.
    held = _within(1 - ratio, _SLOWER) * (free_w - decode.power_w(found.energy_j, found.time_s))
    return found._replace(uncapped_j=found.uncapped_j + held * found.time_s)


def _within(part, whole):
    """A part over a whole, kept between nothing and all of it."""
    return minimum(maximum(part / whole, 0.0), 1.0)


def clocked(unit, constants, ratio):
    """Rates and constants at a clock, over the one that boards have without a cap."""
    c, u = SimpleNamespace(**vars(constants)), SimpleNamespace(**vars(unit))
    for name in _RATES:
        setattr(u, name, ratio * getattr(u, name))
    for name in _TIMES:
        setattr(c, name, getattr(c, name) / ratio)
    for name in _VALUE_TIMES:
        setattr(u, name, getattr(u, name) / ratio)
    price = meter.clocked_energy_j_per_flop(1.0, c.clock_slope, maximum(ratio, c.voltage_clock_share))
    c.reached_bandwidth_share = c.reached_bandwidth_share * serving.clocked_bandwidth_share(
        ratio, c.bandwidth_clock_share
    )
    # A power while arithmetic runs is spread over its longer time; a price of an operation is not.
    c.compute_tdp_share, c.operation_tdp_share = ratio * price * c.compute_tdp_share, price * c.operation_tdp_share
    # Multiprocessors that widen values are as busy as before.
    c.unpacking_tdp_share = ratio * price * c.unpacking_tdp_share
    moved = serving.clocked_byte_share(price, c.chip_byte_share)
    c.weight_energy_j_per_byte, c.cache_energy_j_per_byte = (
        moved * one for one in (c.weight_energy_j_per_byte, c.cache_energy_j_per_byte)
    )
    for name in ("static_tdp_share", "waiting_tdp_share"):
        setattr(c, name, serving.clocked_static_share(getattr(c, name), c.idle_tdp_share, ratio, price))
    c.plateau_tdp_share = float("inf")
    return u, c
