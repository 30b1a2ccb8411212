"""Units that sources print and people type, and the SI units behind them."""

# Unit as a source prints it -> SI unit of the quantity, factor.
UNITS = {
    "1": ("1", 1), "year": ("year", 1), "W": ("W", 1), "J": ("J", 1), "s": ("s", 1),
    "B": ("B", 1), "kB": ("B", 1e3), "MB": ("B", 1e6), "GB": ("B", 1e9), "GiB": ("B", 2**30), "bit": ("B", 1 / 8),
    "Gbit": ("B", 2**27), "Gb/s": ("B/s", 1e9 / 8), "GB/s": ("B/s", 1e9), "TB/s": ("B/s", 1e12),
    "mJ": ("J", 1e-3), "FLOP": ("FLOP", 1), "GFLOP": ("FLOP", 1e9), "TFLOP/s": ("FLOP/s", 1e12),
    "pJ/bit": ("J/B", 8e-12), "pJ/B": ("J/B", 1e-12), "pJ/FLOP": ("J/FLOP", 1e-12),
    "mm2": ("mm2", 1), "text": ("text", None),
    "kW": ("W", 1e3), "MW": ("W", 1e6), "GW": ("W", 1e9), "V": ("V", 1), "MHz": ("Hz", 1e6), "nm": ("m", 1e-9),
    "pJ": ("J", 1e-12), "uJ": ("J", 1e-6), "Wh": ("J", 3.6e3), "kWh": ("J", 3.6e6), "GWh": ("J", 3.6e12),
    "us": ("s", 1e-6), "ms": ("s", 1e-3), "h": ("s", 3600),
    "1/day": ("1/s", 1 / 86400), "g": ("kg", 1e-3), "t": ("kg", 1e3),
    "mL": ("m3", 1e-6), "L/kWh": ("m3/J", 1e-3 / 3.6e6), "g/kWh": ("kg/J", 1e-3 / 3.6e6),
    "lb/kWh": ("kg/J", 0.45359237 / 3.6e6), "usd/kWh": ("usd/J", 1 / 3.6e6), "cent/kWh": ("usd/J", 0.01 / 3.6e6),
    "tokens/s": ("1/s", 1), "tokens/J": ("1/J", 1), "W/mm2": ("W/mm2", 1),
    "K": ("K", 1), "J/K": ("J/K", 1), "C": ("C", 1),
    "A": ("A", 1), "F": ("F", 1), "B/J": ("B/J", 1), "FLOP/J": ("FLOP/J", 1), "1/J": ("1/J", 1), "1/mm2": ("1/mm2", 1),
    "usd": ("usd", 1), "usd/h": ("usd/s", 1 / 3600),
}  # fmt: skip


def to_si(value, unit):
    """A number in a unit that people type, in the SI unit.

    >>> to_si(60, "Wh")
    216000.0
    """
    return value * float(UNITS[unit][1])


def in_unit(value, unit):
    """The way back: an SI number in a unit that people type.

    >>> round(in_unit(160e-12, "pJ/bit"), 3)
    20.0
    """
    return value / UNITS[unit][1]
