"""Scaling of transistors: voltage, energy, power, leakage and what must stay dark.

A ratio compares a quantity after the shrink with the same before it; a shrink is a number above one.
"""

from llmpower.formulas.elementwise import exp, log, minimum


def total_scale(scale_factor, generations):
    """Shrink of all lengths over several generations. [1]

    generations: fractions of one are allowed.
    Own derivation. Left out: generations whose names shrank more than their lengths, as all have since about 2010, so a
    shrink taken from names is high.
    >>> total_scale(1.5, 2)
    2.25
    """
    return scale_factor**generations


def capacitance_ratio(total_scale):
    """Capacitance of a transistor: area over thickness, all three scaled. [1]

    Table of [dennard1974design]_ in [wikipedia2025dennard]_. Left out: wires, whose capacitance per length stays: low.
    >>> capacitance_ratio(2.0)
    0.5
    """
    return 1 / total_scale


def density_ratio(total_scale):
    """Transistors per area when length and width shrink alike. [1]

    Table of [dennard1974design]_ in [wikipedia2025dennard]_. Left out: layouts that do not shrink alike, so high.
    >>> density_ratio(2.0)
    4.0
    """
    return total_scale**2


def voltage_ratio(total_scale, voltage_exponent):
    """Supply voltage under a rule. [1]

    voltage_exponent: -1 with Dennard, 0 where it stands still.
    Own derivation; exponent -1 is the rule of [dennard1974design]_. Left out: standard voltages, which move in steps.
    >>> voltage_ratio(2.0, -1)
    0.5
    >>> voltage_ratio(2.0, 0)
    1.0
    """
    return total_scale**voltage_exponent


def clock_ratio(total_scale, clock_exponent):
    """Clock under a rule. [1]

    clock_exponent: 1 with Dennard, 0 where it stands still.
    Own derivation; exponent 1 is the rule of [dennard1974design]_. Left out: pipelining, which raised real clocks
    beyond any rule of the transistor.
    >>> clock_ratio(2.0, 1)
    2.0
    >>> clock_ratio(2.0, 0)
    1.0
    """
    return total_scale**clock_exponent


def switch_energy_ratio(capacitance_ratio, voltage_ratio):
    """Energy to charge and discharge a transistor once. [1]

    Own derivation: E = C V^2. Left out: short-circuit current while both transistors of a gate conduct: slightly low.
    >>> switch_energy_ratio(0.5, 0.5)
    0.125
    """
    return capacitance_ratio * voltage_ratio**2


def circuit_power_ratio(switch_energy_ratio, clock_ratio):
    """Power of a transistor that switches as often per cycle as before. [1]

    Own derivation. Left out: changes of activity, such as more memory, which lower it; and leakage, which raises it.
    >>> circuit_power_ratio(0.125, 2.0)
    0.25
    """
    return switch_energy_ratio * clock_ratio


def power_density_ratio(density_ratio, circuit_power_ratio):
    """Power per area when every transistor works. [1]

    Own derivation; it is one by the rule of [dennard1974design]_. Left out: as for the power of a transistor.
    >>> power_density_ratio(4.0, 0.25)
    1.0
    """
    return density_ratio * circuit_power_ratio


def dark_share(cooling_ratio, power_density_ratio):
    """Share of a chip that must stay dark at a fixed power budget. [1]

    power_density_ratio: all transistors at work.
    dark_share: 0 to 1.
    Own derivation: the budget lights 1/r of what could be lit. Left out: dim silicon, which runs all of it more slowly
    instead, so an upper bound.
    >>> dark_share(1, 2.0)
    0.5
    >>> dark_share(1, 0.5)
    0
    """
    return 1 - minimum(1, cooling_ratio / power_density_ratio)


def cycle_energy_j(power_w, transistors, clock_hz):
    """Energy that a chip spends per transistor and clock cycle. [J]

    Own derivation. Left out: nothing; activity and leakage are inside.
    >>> cycle_energy_j(100.0, 100e6, 1e9)
    1e-15
    """
    return power_w / (transistors * clock_hz)


def switched_capacitance_f(cycle_energy_j, supply_v):
    """Capacitance that would explain an energy per cycle. [F]

    switched_capacitance_f: times the share of cycles in which it switches.
    Own derivation: E = C V^2. Left out: leakage, which is counted as switching here, so an upper bound.
    >>> switched_capacitance_f(1e-15, 1.0)
    1e-15
    """
    return cycle_energy_j / supply_v**2


def switch_energy_j(switched_capacitance_f, supply_v):
    """Energy drawn from the supply to switch a capacitance. [J]

    switch_energy_j: half is lost in charging, half in discharging.
    Own derivation from E = C V^2. Left out: short-circuit current, so slightly low.
    >>> switch_energy_j(1e-15, 2.0)
    4e-15
    """
    return switched_capacitance_f * supply_v**2


def dynamic_power_w(transistors, switch_energy_j, clock_hz):
    """Power of switching. [W]

    switch_energy_j: per transistor and clock cycle.
    Own derivation. Left out: leakage.
    >>> dynamic_power_w(100e6, 1e-15, 1e9)
    100.0
    """
    return transistors * switch_energy_j * clock_hz


def leakage_power_w(transistors, off_current_a, supply_v):
    """Power of currents through transistors that are off. [W]

    off_current_a: averaged over all transistors.
    Own derivation. Left out: that only about half of the transistors are off, and fewer where two in series are, so
    high by two or more; and currents through the gate, which add to it.
    >>> leakage_power_w(100e6, 1e-9, 1.0)
    0.1
    """
    return transistors * off_current_a * supply_v


def thermal_voltage_v(boltzmann_j_per_k, temperature_k, elementary_charge_c):
    """Thermal energy of a charge, as a voltage. [V]

    Own derivation from the definition. Left out: nothing.
    >>> thermal_voltage_v(1.380649e-23, 300, 1.602176634e-19)
    0.025851999786435535
    """
    return boltzmann_j_per_k * temperature_k / elementary_charge_c


def subthreshold_swing_v(body_factor, thermal_voltage_v, current_factor):
    """Gate voltage that changes the current of a closed transistor by a factor. [V]

    current_factor: ten for a decade.
    subthreshold_swing_v: with a body factor of one, the floor.
    [cheung2010sixty]_ on the floor of 60 mV a decade at 300 K; own derivation of the form with any factor. Left out:
    leakage that does not pass the channel, and short channels, both of which ask for more voltage.
    >>> round(subthreshold_swing_v(1, 0.025852, 10), 4)
    0.0595
    """
    return body_factor * thermal_voltage_v * log(current_factor)


def leakage_ratio(threshold_v, body_factor, thermal_voltage_v):
    """Current through a transistor that is off, over that at its threshold. [1]

    Own derivation: carriers above a barrier follow Boltzmann. Left out: as for the swing, so a lower bound.
    >>> leakage_ratio(0.0, 1.0, 0.025)
    1.0
    """
    return exp(-threshold_v / (body_factor * thermal_voltage_v))


def threshold_drop_v(threshold_v, voltage_ratio):
    """Fall of a threshold that keeps its place below the supply. [V]

    Own derivation: Dennard scales the threshold with the supply. Left out: nothing.
    >>> threshold_drop_v(0.4, 0.75)
    0.1
    """
    return threshold_v * (1 - voltage_ratio)


def leakage_growth(threshold_drop_v, body_factor, thermal_voltage_v):
    """Growth of the leakage current when the threshold falls. [1]

    Own derivation, as for `leakage_ratio`. Left out: the swing gets worse in short channels, so a lower bound.
    >>> leakage_growth(0.0, 1.0, 0.025)
    1.0
    """
    return exp(threshold_drop_v / (body_factor * thermal_voltage_v))


def leakage_density_ratio(density_ratio, leakage_growth, voltage_ratio):
    """Growth of leakage power per area. [1]

    Own derivation. Left out: the current at threshold, taken as the same for all transistors of the same shape.
    >>> leakage_density_ratio(2.0, 10.0, 0.5)
    10.0
    """
    return density_ratio * leakage_growth * voltage_ratio


def chip_w_per_mm2(power_w, die_area_mm2):
    """Power per area of a chip. [W/mm2]

    die_area_mm2: all dies of a processor together.
    Own derivation. Left out: hot spots, several times the mean; memory and regulators, which share a board's power but
    not the area, so an upper bound for its die.
    >>> chip_w_per_mm2(100.0, 200.0)
    0.5
    """
    return power_w / die_area_mm2


def chip_w_per_transistor(power_w, transistors):
    """Power per transistor of a chip. [W]

    transistors: of all dies of a processor together.
    Own derivation. Left out: that most transistors of a chip are idle memory; memory and regulators of a board, which
    share its power but not the count, so high for its chip.
    >>> chip_w_per_transistor(100.0, 1e9)
    1e-07
    """
    return power_w / transistors


def transistors_per_mm2(transistors, die_area_mm2):
    """Transistors per area of a chip. [1/mm2]

    Own derivation. Left out: nothing.
    >>> transistors_per_mm2(1e9, 100.0)
    10000000.0
    """
    return transistors / die_area_mm2


def observed_exponent(change_ratio, total_scale):
    """Power of the shrink that a real quantity followed. [1]

    change_ratio: above zero.
    observed_exponent: of a shrink over that of one generation, the generations it took.
    Own derivation. Left out: what happened between the two ends.
    >>> observed_exponent(1.0, 2.0)
    0.0
    """
    return log(change_ratio) / log(total_scale)
