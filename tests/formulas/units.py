"""Units for tests: pint with information and computation as dimensions of their own.

Stock pint counts bit and byte as pure numbers, so it would not notice a factor of eight.
"""

import pint

registry = pint.UnitRegistry(None)
for line in (
    "second = [time] = s",
    "metre = [length] = m",
    "mm2 = 1e-6 * metre ** 2",
    "kilogram = [mass] = kg",
    "kelvin = [temperature] = K",
    "volt = joule / coulomb = V",
    "coulomb = [charge] = C",
    "joule = kilogram * metre ** 2 / second ** 2 = J",
    "watt = joule / second = W",
    "hour = 3600 * second = h",
    "year = 31557600 * second",
    "hertz = 1 / second = Hz",
    "byte = [information] = B",
    "bit = byte / 8",
    "flop = [computation] = FLOP",
    "usd = [money]",
    "farad = coulomb / volt = F",
    "ampere = coulomb / second = A",
    "giga- = 1e9 = G-",
    "tera- = 1e12 = T-",
    "mega- = 1e6 = M-",
    "kilo- = 1e3 = k-",
    "milli- = 1e-3 = m-",
    "centi- = 1e-2 = c-",
    "micro- = 1e-6 = u-",
    "nano- = 1e-9 = n-",
    "pico- = 1e-12 = p-",
    "femto- = 1e-15 = f-",
    "gibi- = 1073741824 = Gi-",
):
    registry.define(line)

# SI unit of the table of quantities -> pint.
SI = {
    "1": "dimensionless",
    "": "dimensionless",
    "mm2": "1e-6 metre**2",
    "m2": "metre**2",
    "m3": "metre**3",
    "m3/J": "metre**3 / joule",
}


def quantity(text):
    """A number with a unit, such as "20 pJ/bit"; a bare number stays one."""
    if isinstance(text, (int, float)):
        return text
    number, _, unit = text.partition(" ")
    return registry.Quantity(float(number), unit)


def si(value, unit):
    """Magnitude of a value in the SI unit of the table; fails if the dimension differs."""
    if isinstance(value, (int, float)):
        assert unit in ("1", ""), f"a pure number where {unit} is expected"
        return float(value)
    if unit == "mm2":
        return value.to("metre**2").magnitude * 1e6
    return value.to(SI.get(unit, unit)).magnitude
