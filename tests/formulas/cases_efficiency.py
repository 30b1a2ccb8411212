"""Hand calculations of llmpower.formulas.efficiency."""

# Formula -> arguments with units of everyday size, and the result worked out by hand.
CASES = {
    # The ledger: 1,486.67 tokens/s at 1,794.22 W; 5 tokens/s at 0.01 kW here.
    "tokens_per_j": ({"tokens_per_s": "5 1/s", "power_w": "0.01 kW"}, "0.5 1/J"),
    # 140 GB at 0.0343 tokens a joule.
    "bytes_read_per_j": ({"bytes_per_token": "140 GB", "tokens_per_j": "0.0343 1/J"}, "4.802 GB/J"),
    "params_used_per_j": ({"params_active": 70e9, "tokens_per_j": "0.02 1/J"}, "1.4e9 1/J"),
    # 1.25 over 24/700.
    "efficiency_ratio": (
        {"tokens_per_j": "1.25 1/J", "reference_tokens_per_j": "0.0342857142857 1/J"},
        "36.4583333333333 1",
    ),
    # 36.4583 x 3.4 / 140 = 0.885: the reference is 1.13 times better per byte.
    "byte_efficiency_ratio": (
        {"efficiency_ratio": 36.4583333333333, "bytes_per_token": "3.4 GB", "reference_bytes_per_token": "140 GB"},
        "0.885416666666666 1",
    ),
    # 8 of 20 GB.
    "resident_share": ({"memory_needed_bytes": "20 GB", "memory_bytes": "8000 MB"}, "0.4 1"),
    "resident_bytes": ({"n_bytes": "20 GB", "resident_share": 0.4}, "8 GB"),
    "host_bytes": ({"n_bytes": "20 GB", "resident_bytes": "8000 MB"}, "12 GB"),
    # 8/256 s + 11.85/76.8 s = 31.25 ms + 154.296875 ms.
    "split_time_s": (
        {
            "resident_bytes": "8 GB",
            "host_bytes": "11.85 GB",
            "memory_bandwidth_bytes_per_s": "256 GB/s",
            "host_bandwidth_bytes_per_s": "0.0768 TB/s",
        },
        "185.546875 ms",
    ),
    # 2 J and 70 W for 10 ms.
    "least_energy_j": ({"energy_j": "2000 mJ", "idle_w": "70 W", "step_time_s": "10 ms"}, "2.7 J"),
    "most_tokens_per_j": ({"batch": 32, "least_energy_j": "4000 mJ"}, "8 1/J"),
    # 1 J may not be spent faster than 25 W.
    "capped_time_s": (
        {"step_time_s": "10 ms", "energy_j": "1000 mJ", "power_cap_w": "35 W", "static_w": "0.01 kW"},
        "40 ms",
    ),
    # 15 W over 272 GB/s = 2,176 Gbit/s: 6.893 pJ a bit.
    "implied_energy_j_per_byte": (
        {"power_w": "15 W", "memory_bandwidth_bytes_per_s": "272 GB/s"},
        "6.89338235294118 pJ/bit",
    ),
    # 60 Wh at 40 W: an hour and a half.
    "battery_time_s": ({"battery_energy_j": "216 kJ", "power_w": "40 W"}, "1.5 h"),
    "energy_tokens": ({"energy_j": "216 kJ", "tokens_per_j": "1.25 1/J"}, "270000 1"),
    "answer_energy_j": ({"answer_tokens": 500, "tokens_per_j": "1.25 1/J"}, "0.4 kJ"),
    # 50 x 3.4 / 256.
    "bandwidth_share": (
        {"tokens_per_s": "50 1/s", "bytes_per_token": "3.4 GB", "memory_bandwidth_bytes_per_s": "256 GB/s"},
        "0.6640625 1",
    ),
}
