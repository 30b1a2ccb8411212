"""Hand calculations of llmpower.formulas.dennard."""

# Formula -> arguments with units of everyday size, and the result worked out by hand.
CASES = {
    # 1.5 x 1.5 x 1.5.
    "total_scale": ({"scale_factor": 1.5, "generations": 3}, "3.375 1"),
    "capacitance_ratio": ({"total_scale": 4}, "0.25 1"),
    "density_ratio": ({"total_scale": 1.5}, "2.25 1"),
    "voltage_ratio": ({"total_scale": 4, "voltage_exponent": -0.5}, "0.5 1"),
    "clock_ratio": ({"total_scale": 4, "clock_exponent": 0.5}, "2 1"),
    # Dennard at K = 2: half the capacitance, half the voltage, an eighth of the energy.
    "switch_energy_ratio": ({"capacitance_ratio": 0.5, "voltage_ratio": 0.5}, "0.125 1"),
    "circuit_power_ratio": ({"switch_energy_ratio": 0.125, "clock_ratio": 2}, "0.25 1"),
    "power_density_ratio": ({"density_ratio": 4, "circuit_power_ratio": 0.25}, "1 1"),
    # A budget of 1.5 lights three eighths of what would draw four.
    "dark_share": ({"cooling_ratio": 1.5, "power_density_ratio": 4}, "0.625 1"),
    # Pentium 4 670: 115 / (1.69e8 x 3.8e9) = 115 / 6.422e17.
    "cycle_energy_j": ({"power_w": "115 W", "transistors": 169e6, "clock_hz": "3.8 GHz"}, "0.17907194020554344 fJ"),
    # 0.18 fJ over 1.5 V squared.
    "switched_capacitance_f": ({"cycle_energy_j": "0.18 fJ", "supply_v": "1500 mV"}, "0.08 fF"),
    "switch_energy_j": ({"switched_capacitance_f": "0.08 fF", "supply_v": "1500 mV"}, "0.18 fJ"),
    # 1e8 x 1e-15 J x 2e9 / s.
    "dynamic_power_w": ({"transistors": 1e8, "switch_energy_j": "1 fJ", "clock_hz": "2 GHz"}, "0.2 kW"),
    # 1.69e8 x 1 nA = 0.169 A, at 1.5 V.
    "leakage_power_w": ({"transistors": 169e6, "off_current_a": "1 nA", "supply_v": "1.5 V"}, "253.5 mW"),
    # 1.380649e-23 x 300 / 1.602176634e-19 = 4.141947e-21 / 1.602176634e-19.
    "thermal_voltage_v": (
        {"boltzmann_j_per_k": "1.380649e-23 J/K", "temperature_k": "300 K", "elementary_charge_c": "1.602176634e-19 C"},
        "25.85199978643554 mV",
    ),
    # 1.5 x 25 mV x 2.302585092994046.
    "subthreshold_swing_v": (
        {"body_factor": 1.5, "thermal_voltage_v": "25 mV", "current_factor": 10},
        "86.34694098727671 mV",
    ),
    # exp(-350 / (2 x 25)) = exp(-7).
    "leakage_ratio": (
        {"threshold_v": "0.35 V", "body_factor": 2, "thermal_voltage_v": "25 mV"},
        "9.118819655545162e-4 1",
    ),
    "threshold_drop_v": ({"threshold_v": "0.4 V", "voltage_ratio": 0.75}, "100 mV"),
    # exp(100 / (2 x 25)) = exp(2).
    "leakage_growth": (
        {"threshold_drop_v": "0.1 V", "body_factor": 2, "thermal_voltage_v": "25 mV"},
        "7.38905609893065 1",
    ),
    "leakage_density_ratio": ({"density_ratio": 2, "leakage_growth": 10, "voltage_ratio": 0.5}, "10 1"),
    # 115 W over 135 mm2, in units of W per mm2.
    "chip_w_per_mm2": ({"power_w": "115000 mW", "die_area_mm2": "135 mm2"}, "0.851851851851852 W/mm2"),
    # 1000 W over 208e9.
    "chip_w_per_transistor": ({"power_w": "1 kW", "transistors": 208e9}, "4.807692307692308 nW"),
    # 169e6 / 135.
    "transistors_per_mm2": ({"transistors": 169e6, "die_area_mm2": "135 mm2"}, "1251851.8518518518 1/mm2"),
    # 64 = 4^3.
    "observed_exponent": ({"change_ratio": 64, "total_scale": 4}, "3 1"),
}
