r"""Scaling of transistors: voltage, energy, power, leakage and what must stay dark.

A ratio compares a quantity after the shrink with the same before it.
Every function is pure: no check, no rounding, no default for a measured input.
Names, symbols, units and ranges of all arguments stand in ``data/quantities.csv``.
"""

from llmpower.formulas.elementwise import exp, log, minimum


def total_scale(scale_factor, generations):
    r"""Shrink of all lengths over several generations.

    Parameters
    ----------
    scale_factor : float
        Shrink of all lengths in one generation, above one. [1]
    generations : float
        Generations; fractions of one are allowed. [1]

    Returns
    -------
    total_scale : float
        Shrink. [1]

    Notes
    -----
    Own derivation. Left out: generations whose names shrank more than their
    lengths, as all have since about 2010, so a shrink taken from names is high.

    Examples
    --------
    >>> total_scale(1.5, 2)
    2.25
    """
    return scale_factor**generations


def capacitance_ratio(total_scale):
    r"""Capacitance of a transistor: area over thickness, all three scaled.

    Parameters
    ----------
    total_scale : float
        Shrink of all lengths, above one. [1]

    Returns
    -------
    capacitance_ratio : float
        Ratio. [1]

    Notes
    -----
    Table of [dennard1974design]_, as restated by [wikipedia2025dennard]_. Left
    out: wires, whose capacitance per length does not fall, so the result is low.

    Examples
    --------
    >>> capacitance_ratio(2.0)
    0.5
    """
    return 1 / total_scale


def density_ratio(total_scale):
    r"""Transistors per area when length and width shrink alike.

    Parameters
    ----------
    total_scale : float
        Shrink of all lengths, above one. [1]

    Returns
    -------
    density_ratio : float
        Ratio. [1]

    Notes
    -----
    Table of [dennard1974design]_, as restated by [wikipedia2025dennard]_. Left
    out: layouts that do not shrink with the transistor, so the result is high.

    Examples
    --------
    >>> density_ratio(2.0)
    4.0
    """
    return total_scale**2


def voltage_ratio(total_scale, voltage_exponent):
    r"""Supply voltage under a rule.

    Parameters
    ----------
    total_scale : float
        Shrink of all lengths, above one. [1]
    voltage_exponent : float
        Power of the shrink that the supply voltage follows: -1 with Dennard, 0
        where it stands still. [1]

    Returns
    -------
    voltage_ratio : float
        Ratio. [1]

    Notes
    -----
    Own derivation; exponent -1 is the rule of [dennard1974design]_. Left out:
    the voltages of industry standards, which move in steps.

    Examples
    --------
    >>> voltage_ratio(2.0, -1)
    0.5
    >>> voltage_ratio(2.0, 0)
    1.0
    """
    return total_scale**voltage_exponent


def clock_ratio(total_scale, clock_exponent):
    r"""Clock under a rule.

    Parameters
    ----------
    total_scale : float
        Shrink of all lengths, above one. [1]
    clock_exponent : float
        Power of the shrink that the clock follows: 1 with Dennard, 0 where it
        stands still. [1]

    Returns
    -------
    clock_ratio : float
        Ratio. [1]

    Notes
    -----
    Own derivation; exponent 1 is the rule of [dennard1974design]_. Left out:
    pipelining, which raised real clocks beyond any rule of the transistor.

    Examples
    --------
    >>> clock_ratio(2.0, 1)
    2.0
    >>> clock_ratio(2.0, 0)
    1.0
    """
    return total_scale**clock_exponent


def switch_energy_ratio(capacitance_ratio, voltage_ratio):
    r"""Energy to charge and discharge a transistor once.

    Parameters
    ----------
    capacitance_ratio : float
        Capacitance of a transistor over that at the start. [1]
    voltage_ratio : float
        Supply voltage over that at the start. [1]

    Returns
    -------
    switch_energy_ratio : float
        Ratio. [1]

    Notes
    -----
    Own derivation from E = C V^2. Left out: short-circuit current while both
    transistors of a gate conduct, so the result is slightly low.

    Examples
    --------
    >>> switch_energy_ratio(0.5, 0.5)
    0.125
    """
    return capacitance_ratio * voltage_ratio**2


def circuit_power_ratio(switch_energy_ratio, clock_ratio):
    r"""Power of a transistor that switches as often per cycle as before.

    Parameters
    ----------
    switch_energy_ratio : float
        Energy per switch over that at the start. [1]
    clock_ratio : float
        Clock over that at the start. [1]

    Returns
    -------
    circuit_power_ratio : float
        Ratio. [1]

    Notes
    -----
    Own derivation. Left out: changes of activity, such as more memory on a
    chip, which lower it; and leakage, which raises it.

    Examples
    --------
    >>> circuit_power_ratio(0.125, 2.0)
    0.25
    """
    return switch_energy_ratio * clock_ratio


def power_density_ratio(density_ratio, circuit_power_ratio):
    r"""Power per area when every transistor works.

    Parameters
    ----------
    density_ratio : float
        Transistors per area over those at the start. [1]
    circuit_power_ratio : float
        Power of a transistor over that at the start. [1]

    Returns
    -------
    power_density_ratio : float
        Ratio. [1]

    Notes
    -----
    Own derivation; with Dennard's exponents it is one, the rule of
    [dennard1974design]_. Left out: as for the power of a transistor.

    Examples
    --------
    >>> power_density_ratio(4.0, 0.25)
    1.0
    """
    return density_ratio * circuit_power_ratio


def dark_share(cooling_ratio, power_density_ratio):
    r"""Share of a chip that must stay dark at a fixed power budget.

    Parameters
    ----------
    cooling_ratio : float
        Heat that can be removed per area over that at the start. [1]
    power_density_ratio : float
        Power per area over that at the start, all transistors at work. [1]

    Returns
    -------
    dark_share : float
        Share, 0 to 1. [1]

    Notes
    -----
    Own derivation: the budget lights 1/r of what could be lit. Left out: dim
    silicon, which runs all of it more slowly instead, so this is an upper bound.

    Examples
    --------
    >>> dark_share(1, 2.0)
    0.5
    >>> dark_share(1, 0.5)
    0
    """
    return 1 - minimum(1, cooling_ratio / power_density_ratio)


def cycle_energy_j(power_w, transistors, clock_hz):
    r"""Energy that a chip spends per transistor and clock cycle.

    Parameters
    ----------
    power_w : float
        Power of the chip. [W]
    transistors : float
        Transistors on it. [1]
    clock_hz : float
        Clock. [Hz]

    Returns
    -------
    cycle_energy_j : float
        Energy. [J]

    Notes
    -----
    Own derivation. Left out: nothing; activity and leakage are inside.

    Examples
    --------
    >>> cycle_energy_j(100.0, 100e6, 1e9)
    1e-15
    """
    return power_w / (transistors * clock_hz)


def switched_capacitance_f(cycle_energy_j, supply_v):
    r"""Capacitance that would explain an energy per cycle.

    Parameters
    ----------
    cycle_energy_j : float
        Energy per transistor and clock cycle. [J]
    supply_v : float
        Supply voltage. [V]

    Returns
    -------
    switched_capacitance_f : float
        Capacitance times the share of cycles in which it switches. [F]

    Notes
    -----
    Own derivation from E = C V^2. Left out: leakage, which is counted as
    switching here, so the result is an upper bound.

    Examples
    --------
    >>> switched_capacitance_f(1e-15, 1.0)
    1e-15
    """
    return cycle_energy_j / supply_v**2


def switch_energy_j(switched_capacitance_f, supply_v):
    r"""Energy drawn from the supply to switch a capacitance.

    Parameters
    ----------
    switched_capacitance_f : float
        Capacitance that a transistor switches per clock cycle on average. [F]
    supply_v : float
        Supply voltage. [V]

    Returns
    -------
    switch_energy_j : float
        Energy; half is lost in charging, half in discharging. [J]

    Notes
    -----
    Own derivation from E = C V^2. Left out: short-circuit current, so the
    result is slightly low.

    Examples
    --------
    >>> switch_energy_j(1e-15, 2.0)
    4e-15
    """
    return switched_capacitance_f * supply_v**2


def dynamic_power_w(transistors, switch_energy_j, clock_hz):
    r"""Power of switching.

    Parameters
    ----------
    transistors : float
        Transistors on it. [1]
    switch_energy_j : float
        Energy per transistor and clock cycle that goes into switching. [J]
    clock_hz : float
        Clock. [Hz]

    Returns
    -------
    dynamic_power_w : float
        Power. [W]

    Notes
    -----
    Own derivation. Left out: leakage.

    Examples
    --------
    >>> dynamic_power_w(100e6, 1e-15, 1e9)
    100.0
    """
    return transistors * switch_energy_j * clock_hz


def leakage_power_w(transistors, off_current_a, supply_v):
    r"""Power of currents through transistors that are off.

    Parameters
    ----------
    transistors : float
        Transistors on it. [1]
    off_current_a : float
        Current through a transistor that is off, averaged over all of them. [A]
    supply_v : float
        Supply voltage. [V]

    Returns
    -------
    leakage_power_w : float
        Power. [W]

    Notes
    -----
    Own derivation. Left out: that only about half of the transistors are off,
    and fewer where two in series are, so the result is high by two or more;
    and currents through the gate, which add to it.

    Examples
    --------
    >>> leakage_power_w(100e6, 1e-9, 1.0)
    0.1
    """
    return transistors * off_current_a * supply_v


def thermal_voltage_v(boltzmann_j_per_k, temperature_k, elementary_charge_c):
    r"""Thermal energy of a charge, as a voltage.

    Parameters
    ----------
    boltzmann_j_per_k : float
        Boltzmann constant. [J/K]
    temperature_k : float
        Temperature of the transistors. [K]
    elementary_charge_c : float
        Elementary charge. [C]

    Returns
    -------
    thermal_voltage_v : float
        Voltage. [V]

    Notes
    -----
    Own derivation from the definition. Left out: nothing.

    Examples
    --------
    >>> thermal_voltage_v(1.380649e-23, 300, 1.602176634e-19)
    0.025851999786435535
    """
    return boltzmann_j_per_k * temperature_k / elementary_charge_c


def subthreshold_swing_v(body_factor, thermal_voltage_v, current_factor):
    r"""Gate voltage that changes the current of a closed transistor by a factor.

    Parameters
    ----------
    body_factor : float
        Gate voltage per voltage at the channel, at least one. [1]
    thermal_voltage_v : float
        Thermal voltage. [V]
    current_factor : float
        Factor between the two currents; ten for a decade. [1]

    Returns
    -------
    subthreshold_swing_v : float
        Voltage; with a body factor of one the floor. [V]

    Notes
    -----
    [cheung2010sixty]_ on the floor of 60 mV a decade at 300 K; own derivation
    of the form with any factor. Left out: leakage that does not pass the
    channel, and short channels, both of which ask for more voltage.

    Examples
    --------
    >>> round(subthreshold_swing_v(1, 0.025852, 10), 4)
    0.0595
    """
    return body_factor * thermal_voltage_v * log(current_factor)


def leakage_ratio(threshold_v, body_factor, thermal_voltage_v):
    r"""Current through a transistor that is off, over that at its threshold.

    Parameters
    ----------
    threshold_v : float
        Threshold voltage. [V]
    body_factor : float
        Gate voltage per voltage at the channel, at least one. [1]
    thermal_voltage_v : float
        Thermal voltage. [V]

    Returns
    -------
    leakage_ratio : float
        Ratio. [1]

    Notes
    -----
    Own derivation: carriers above a barrier follow Boltzmann's distribution.
    Left out: as for the swing, so the result is a lower bound.

    Examples
    --------
    >>> leakage_ratio(0.0, 1.0, 0.025)
    1.0
    """
    return exp(-threshold_v / (body_factor * thermal_voltage_v))


def threshold_drop_v(threshold_v, voltage_ratio):
    r"""Fall of a threshold that keeps its place below the supply.

    Parameters
    ----------
    threshold_v : float
        Threshold voltage. [V]
    voltage_ratio : float
        Supply voltage over that at the start. [1]

    Returns
    -------
    threshold_drop_v : float
        Voltage. [V]

    Notes
    -----
    Own derivation: Dennard scales the threshold with the supply. Left out:
    nothing.

    Examples
    --------
    >>> threshold_drop_v(0.4, 0.75)
    0.1
    """
    return threshold_v * (1 - voltage_ratio)


def leakage_growth(threshold_drop_v, body_factor, thermal_voltage_v):
    r"""Growth of the leakage current when the threshold falls.

    Parameters
    ----------
    threshold_drop_v : float
        Fall of the threshold voltage. [V]
    body_factor : float
        Gate voltage per voltage at the channel, at least one. [1]
    thermal_voltage_v : float
        Thermal voltage. [V]

    Returns
    -------
    leakage_growth : float
        Current over that at the start. [1]

    Notes
    -----
    Own derivation, as for `leakage_ratio`. Left out: the swing gets worse as
    channels get shorter, so this is a lower bound.

    Examples
    --------
    >>> leakage_growth(0.0, 1.0, 0.025)
    1.0
    """
    return exp(threshold_drop_v / (body_factor * thermal_voltage_v))


def leakage_density_ratio(density_ratio, leakage_growth, voltage_ratio):
    r"""Growth of leakage power per area.

    Parameters
    ----------
    density_ratio : float
        Transistors per area over those at the start. [1]
    leakage_growth : float
        Leakage current of a transistor over that at the start. [1]
    voltage_ratio : float
        Supply voltage over that at the start. [1]

    Returns
    -------
    leakage_density_ratio : float
        Leakage power per area over that at the start. [1]

    Notes
    -----
    Own derivation. Left out: the current at the threshold itself, taken as
    the same for every transistor of the same shape.

    Examples
    --------
    >>> leakage_density_ratio(2.0, 10.0, 0.5)
    10.0
    """
    return density_ratio * leakage_growth * voltage_ratio


def chip_w_per_mm2(power_w, die_area_mm2):
    r"""Power per area of a chip.

    Parameters
    ----------
    power_w : float
        Power of the chip. [W]
    die_area_mm2 : float
        Area of the chip. [mm2]

    Returns
    -------
    chip_w_per_mm2 : float
        Power per area. [W/mm2]

    Notes
    -----
    Own derivation. Left out: hot spots, which exceed the mean several times.

    Examples
    --------
    >>> chip_w_per_mm2(100.0, 200.0)
    0.5
    """
    return power_w / die_area_mm2


def chip_w_per_transistor(power_w, transistors):
    r"""Power per transistor of a chip.

    Parameters
    ----------
    power_w : float
        Power of the chip. [W]
    transistors : float
        Transistors on it. [1]

    Returns
    -------
    chip_w_per_transistor : float
        Power. [W]

    Notes
    -----
    Own derivation. Left out: that most transistors of a chip are idle memory.

    Examples
    --------
    >>> chip_w_per_transistor(100.0, 1e9)
    1e-07
    """
    return power_w / transistors


def transistors_per_mm2(transistors, die_area_mm2):
    r"""Transistors per area of a chip.

    Parameters
    ----------
    transistors : float
        Transistors on it. [1]
    die_area_mm2 : float
        Area of the chip. [mm2]

    Returns
    -------
    transistors_per_mm2 : float
        Transistors per area. [1/mm2]

    Notes
    -----
    Own derivation. Left out: nothing.

    Examples
    --------
    >>> transistors_per_mm2(1e9, 100.0)
    10000000.0
    """
    return transistors / die_area_mm2


def observed_exponent(change_ratio, total_scale):
    r"""Power of the shrink that a real quantity followed.

    Parameters
    ----------
    change_ratio : float
        A quantity at the end over the same at the start, above zero. [1]
    total_scale : float
        Shrink of all lengths, above one. [1]

    Returns
    -------
    observed_exponent : float
        Exponent. [1]

    Notes
    -----
    Own derivation. Left out: what happened between the two ends.

    Examples
    --------
    >>> observed_exponent(1.0, 2.0)
    0.0
    """
    return log(change_ratio) / log(total_scale)


def generations_between(total_scale, scale_factor):
    r"""Generations that a shrink takes.

    Parameters
    ----------
    total_scale : float
        Shrink of all lengths, above one. [1]
    scale_factor : float
        Shrink of all lengths in one generation, above one. [1]

    Returns
    -------
    generations_between : float
        Generations, not whole. [1]

    Notes
    -----
    Own derivation. Left out: nothing.

    Examples
    --------
    >>> generations_between(1.0, 2.0)
    0.0
    """
    return log(total_scale) / log(scale_factor)
