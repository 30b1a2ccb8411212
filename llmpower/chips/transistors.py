"""Joins facts and formulas: transistors shrunk under a rule, and what real processors did.

A rule is a pair of exponents in ``data/scaling.csv``; processors stand in
``data/cpus.csv``.
"""

import re
from dataclasses import dataclass

import numpy as np

from llmpower.facts.catalog import records
from llmpower.formulas import dennard, of
from llmpower.trace import Options


@dataclass(frozen=True)
class Shrink:
    """A shrink of all lengths; voltage and clock follow powers of it, and every transistor works.

    Each quantity stands over the same before the shrink. [1]
    """

    total_scale: float
    voltage_exponent: float
    clock_exponent: float

    voltage, clock = of(dennard.voltage_ratio), of(dennard.clock_ratio)
    capacitance, density = of(dennard.capacitance_ratio), of(dennard.density_ratio)
    switch_energy = of(dennard.switch_energy_ratio, capacitance_ratio="capacitance", voltage_ratio="voltage")
    circuit_power = of(dennard.circuit_power_ratio, switch_energy_ratio="switch_energy", clock_ratio="clock")
    power_density = of(dennard.power_density_ratio, density_ratio="density", circuit_power_ratio="circuit_power")


def rules():
    """Rules of ``data/scaling.csv`` by name, in the order of the file."""
    return Options(
        (name, one) for name, one in records("scaling.csv").items() if one.get("voltage_exponent") is not None
    )


def shrink_by(rule, total_scale):
    """A shrink under a named rule.

    >>> shrink_by("constant_field", 2.0).power_density
    1.0
    """
    record = rules()[rule]
    return Shrink(total_scale, record.voltage_exponent, record.clock_exponent)


def power_w(processor):
    """Rated power of a processor; that of the smallest ones stands under another name."""
    return processor.get("tdp_w", processor.get("power_w"))


def cycle_energy_j(processor):
    """Energy of a processor per transistor and clock cycle."""
    return dennard.cycle_energy_j(power_w(processor), processor.transistors, processor.clock_hz)


def w_per_mm2(processor):
    """Rated power over area of a processor."""
    return dennard.chip_w_per_mm2(power_w(processor), processor.die_area_mm2)


def ratios(first, last):
    """Quantities of a last processor over those of a first, by name; the voltage is None without a source. [1]"""
    before, after = _quantities(first), _quantities(last)
    changed = {name: value and value / before[name] for name, value in after.items()}
    return {"total_scale": 1 / (last.node_nm / first.node_nm), **changed}


def heat_exponent(processors):
    """Power of the shrink that power per area follows over several processors, by least squares of logarithms. [1]"""
    sizes, heats = zip(*((one.node_nm, w_per_mm2(one)) for one in processors))
    return -np.polyfit(np.log(sizes), np.log(heats), 1)[0]


def named_size(process):
    """Length in the name of a process. [m]

    >>> named_size("TSMC 4NP")
    4e-09
    """
    return float(re.search(r"\d+", process)[0]) * 1e-9


def _quantities(processor):
    return {
        "density": dennard.transistors_per_mm2(processor.transistors, processor.die_area_mm2),
        "voltage": processor.get("supply_v"),
        "clock": processor.clock_hz,
        "cycle_energy": cycle_energy_j(processor),
        "circuit_power": dennard.chip_w_per_transistor(power_w(processor), processor.transistors),
        "power_density": w_per_mm2(processor),
    }


def thermal_voltage(temperature_k):
    """Thermal voltage. [V]"""
    si = records("scaling.csv")["si"]
    return dennard.thermal_voltage_v(si.boltzmann_j_per_k, temperature_k, si.elementary_charge_c)


def swing(temperature_k, body_factor):
    """Gate voltage per decade of current. [V]

    >>> round(swing(300, 1), 5)
    0.05953
    """
    return dennard.subthreshold_swing_v(body_factor, thermal_voltage(temperature_k), 10)


def leakage(total_scale, threshold_v, body_factor, temperature_k):
    """Leakage when Dennard's rule is followed, over that at the start: the threshold falls with the supply. [1]

    Returns the current of a transistor and the power per area.
    """
    shrunk = shrink_by("constant_field", total_scale)
    drop = dennard.threshold_drop_v(threshold_v, shrunk.voltage)
    growth = dennard.leakage_growth(drop, body_factor, thermal_voltage(temperature_k))
    return growth, dennard.leakage_density_ratio(shrunk.density, growth, shrunk.voltage)
