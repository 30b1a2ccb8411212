"""Joins catalog and formulas: transistors shrunk under a rule, and what real processors did.

A rule is a pair of exponents in ``data/scaling.csv``; processors stand in
``data/cpus.csv``.  Nothing here is fitted.
"""

import functools
from dataclasses import dataclass

from llmpower.facts import catalog
from llmpower.formulas import dennard

# By convention a swing is given per factor of ten in current.
DECADE = 10


@dataclass(frozen=True)
class Scaled:
    """Quantities after a shrink, each over the same before it. [1]"""

    total_scale: float
    voltage: float
    clock: float

    @property
    def capacitance(self):
        """Capacitance of a transistor."""
        return dennard.capacitance_ratio(self.total_scale)

    @property
    def density(self):
        """Transistors per area."""
        return dennard.density_ratio(self.total_scale)

    @property
    def switch_energy(self):
        """Energy per switch."""
        return dennard.switch_energy_ratio(self.capacitance, self.voltage)

    @property
    def circuit_power(self):
        """Power of a transistor."""
        return dennard.circuit_power_ratio(self.switch_energy, self.clock)

    @property
    def power_density(self):
        """Power per area, every transistor at work."""
        return dennard.power_density_ratio(self.density, self.circuit_power)


@functools.cache
def facts():
    """Constants, rules and projections of ``data/scaling.csv`` by entity."""
    return catalog.records("scaling.csv")


@functools.cache
def processors():
    """Processors of ``data/cpus.csv`` by entity, in the order of the file."""
    return catalog.records("cpus.csv")


def rules():
    """Names of the rules, in the order of ``data/scaling.csv``."""
    return [entity for entity, record in facts().items() if record.get("voltage_exponent") is not None]


def under(total_scale, voltage_exponent, clock_exponent):
    """A shrink whose voltage and clock follow powers of it.

    Parameters
    ----------
    total_scale : float or array
        Shrink of all lengths. [1]
    voltage_exponent, clock_exponent : float
        The powers. [1]

    Returns
    -------
    scaled : Scaled
    """
    voltage = dennard.voltage_ratio(total_scale, voltage_exponent)
    return Scaled(total_scale, voltage, dennard.clock_ratio(total_scale, clock_exponent))


def by_rule(rule, total_scale):
    """A shrink under a named rule.

    Parameters
    ----------
    rule : str
        Name of a rule, such as ``"constant_field"``.
    total_scale : float or array
        Shrink of all lengths. [1]

    Returns
    -------
    scaled : Scaled

    Examples
    --------
    >>> by_rule("constant_field", 2.0).power_density
    1.0
    """
    record = facts()[rule]
    return under(total_scale, record.voltage_exponent, record.clock_exponent)


def power(processor):
    """Rated power of a processor; that of the smallest ones stands under another name. [W]"""
    return processor.get("tdp_w", processor.get("power_w"))


def cycle_energy(processor):
    """Energy of a processor per transistor and clock cycle. [J]"""
    return dennard.cycle_energy_j(power(processor), processor.transistors, processor.clock_hz)


def w_per_mm2(processor):
    """Rated power over area of a processor. [W/mm2]"""
    return dennard.chip_w_per_mm2(power(processor), processor.die_area_mm2)


def changes(first, last):
    """What changed between two processors: each quantity over that of the first.

    Parameters
    ----------
    first, last : str
        Names of processors.

    Returns
    -------
    changes : dict
        ``total_scale``, ``density``, ``voltage`` (None without a source),
        ``clock``, ``cycle_energy``, ``circuit_power`` and ``power_density``. [1]
    """
    start, end = processors()[first], processors()[last]

    def ratio(pick):
        return pick(end) / pick(start)

    return {
        "total_scale": 1 / ratio(lambda cpu: cpu.node_nm),
        "density": ratio(lambda cpu: dennard.transistors_per_mm2(cpu.transistors, cpu.die_area_mm2)),
        "voltage": ratio(lambda cpu: cpu.supply_v) if end.get("supply_v") else None,
        "clock": ratio(lambda cpu: cpu.clock_hz),
        "cycle_energy": ratio(cycle_energy),
        "circuit_power": ratio(lambda cpu: dennard.chip_w_per_transistor(power(cpu), cpu.transistors)),
        "power_density": ratio(w_per_mm2),
    }


def thermal_voltage(temperature_k):
    """Thermal voltage at a temperature. [V]"""
    si = facts()["si"]
    return dennard.thermal_voltage_v(si.boltzmann_j_per_k, temperature_k, si.elementary_charge_c)


def swing(temperature_k, body_factor):
    """Gate voltage per decade of current. [V]

    Examples
    --------
    >>> round(swing(300, 1), 5)
    0.05953
    """
    return dennard.subthreshold_swing_v(body_factor, thermal_voltage(temperature_k), DECADE)


def leakage(total_scale, threshold_v, body_factor, temperature_k):
    """Leakage when Dennard's rule is followed: the threshold falls with the supply.

    Parameters
    ----------
    total_scale : float or array
        Shrink of all lengths. [1]
    threshold_v : float
        Threshold at the start. [V]
    body_factor : float
        Gate voltage per voltage at the channel. [1]
    temperature_k : float
        Temperature. [K]

    Returns
    -------
    growth, density : float or array
        Leakage current of a transistor, and leakage power per area, over
        those at the start. [1]
    """
    scaled = by_rule("constant_field", total_scale)
    drop = dennard.threshold_drop_v(threshold_v, scaled.voltage)
    growth = dennard.leakage_growth(drop, body_factor, thermal_voltage(temperature_k))
    return growth, dennard.leakage_density_ratio(scaled.density, growth, scaled.voltage)
