"""Hand calculations of llmpower.formulas.escalator."""

# Formula -> arguments with units of everyday size, and the result worked out by hand.
CASES = {
    # The article, line 47: 300 W -> 1000 W.
    "power_gain": ({"first_tdp_w": "300 W", "last_tdp_w": "1 kW"}, "3.33333333333 1"),
    # V100 and B200 at 16 bit: 2250 / 125.
    "flop_gain": ({"first_flop_per_s": "125 TFLOP/s", "last_flop_per_s": "2250 TFLOP/s"}, "18 1"),
    # 8000 / 900 = 80 / 9.
    "bandwidth_gain": (
        {"first_bandwidth_bytes_per_s": "900 GB/s", "last_bandwidth_bytes_per_s": "8 TB/s"},
        "8.88888888889 1",
    ),
    # 18 / 2.5.
    "efficiency_gain": ({"performance_gain": 18, "power_gain": 2.5}, "7.2 1"),
    # ln 8 / (ln 8 + ln 2) = 3/4.
    "efficiency_share": ({"efficiency_gain": 8, "power_gain": 2}, "0.75 1"),
    # The article's division: 6 / 30.
    "quotient_share": ({"part_gain": 6, "performance_gain": 30}, "0.2 1"),
    # (6 - 1) / (20 - 1) = 5 / 19.
    "step_share": ({"part_gain": 6, "performance_gain": 20}, "0.263157894737 1"),
    # Fourfold in two years is twofold a year.
    "annual_growth": ({"gain": 4, "n_years": 2}, "1 1"),
    "peak_flop_per_j": ({"dense_flop_per_s": "2250 TFLOP/s", "tdp_w": "1 kW"}, "2.25 TFLOP/J"),
    "peak_bytes_per_j": ({"memory_bandwidth_bytes_per_s": "900 GB/s", "tdp_w": "300 W"}, "3 GB/J"),
    # A megawatt and the H100: 1e6 / 700.
    "budget_accelerators": ({"power_budget_w": "1 MW", "tdp_w": "700 W"}, "1428.57142857 1"),
    "budget_flop_per_s": ({"power_budget_w": "1 MW", "peak_flop_per_j": "2.25 TFLOP/J"}, "2.25e6 TFLOP/s"),
    "budget_bytes_per_s": ({"power_budget_w": "1 MW", "peak_bytes_per_j": "8 GB/J"}, "8000 TB/s"),
    # Half the energy a token, twice the tokens a joule.
    "token_gain": ({"first_energy_per_token_j": "373.142 mJ", "last_energy_per_token_j": "0.186571 J"}, "2 1"),
    # Four boards of 700 W drawing 1.4 kW are half used.
    "rating_use": ({"power_w": "1.4 kW", "n_accelerators": 4, "tdp_w": "0.7 kW"}, "0.5 1"),
}
