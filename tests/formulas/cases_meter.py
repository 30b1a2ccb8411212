"""Hand calculations of llmpower.formulas.meter."""

# Formula -> arguments with units of everyday size, and the result worked out by hand.
CASES = {
    # (700 - 100) W over 4 TB/s.
    "added_energy_j_per_byte": ({"power_w": "0.7 kW", "static_w": "100 W", "memory_bytes_per_s": "4 TB/s"}, "150 pJ/B"),
    # (600 - 100) W over 500 TFLOP/s.
    "added_energy_j_per_flop": ({"power_w": "600 W", "static_w": "0.1 kW", "flop_per_s": "500 TFLOP/s"}, "1 pJ/FLOP"),
    # A quarter slower at 0.6: 15 % less.
    "clocked_energy_j_per_flop": (
        {"added_energy_j_per_flop": "1 pJ/FLOP", "clock_slope": 0.6, "clock_ratio": 0.75},
        "0.85 pJ/FLOP",
    ),
    # 100 + 120 x 2 + 1 x 50 W.
    "metered_power_w": (
        {
            "static_w": "100 W",
            "added_energy_j_per_byte": "120 pJ/B",
            "memory_bytes_per_s": "2 TB/s",
            "added_energy_j_per_flop": "1 pJ/FLOP",
            "flop_per_s": "50 TFLOP/s",
        },
        "390 W",
    ),
    # 4 rows in a tile of 64.
    "tile_padding_rows": ({"tile_rows": 64, "rows_per_expert": 4}, "60 1"),
    # 32 x 50 us = 1.6 ms; with 5, 1.4 and 1 ms.
    "bare_time_s": (
        {
            "n_layers": 32,
            "layer_time_s": "50 us",
            "product_time_s": "5 ms",
            "cache_time_s": "1.4 ms",
            "link_time_s": "1 ms",
        },
        "9 ms",
    ),
    # A quarter of 32,768.
    "computed_prompt_tokens": ({"prompt_tokens": 32768, "cached_prompt_share": 0.75}, "8192 1"),
    # From 500 to 1,000.
    "prompt_context_tokens": ({"prompt_tokens": 1000, "cached_prompt_share": 0.5}, "750 1"),
    # 500 tokens of 16 mJ are 8 J; 500 of 100 mJ are 50 J.
    "request_energy_j": ({"prompt_energy_j": "8 J", "output_tokens": 500, "energy_per_token_j": "100 mJ"}, "58 J"),
}
