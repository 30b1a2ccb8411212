"""Hand calculations of llmpower.formulas.decode."""

# Formula -> arguments with units of everyday size, and the result worked out by hand.
CASES = {
    # One of 4 pairs is missed with 3/4 x 3/4: 1 - 9/16.
    "expert_share": ({"n_experts": 8, "n_experts_per_token": 2, "batch": 2}, "0.4375 1"),
    # Mixtral: 1.6e9 shared and a quarter of 45.1e9.
    "params_touched": ({"params_shared": 1.6e9, "params_routed": 45.1e9, "expert_share": 0.25}, "12.875e9 1"),
    "weight_bytes": (
        {
            "params_shared": 30e9,
            "params_routed": 80e9,
            "expert_share": 0.25,
            "shared_bytes_per_param": "16 bit",
            "routed_bytes_per_param": "4 bit",
        },
        # 60 GB and a quarter of 40 GB.
        "70 GB",
    ),
    "step_bytes": ({"weight_bytes": "140 GB", "batch": 4, "kv_traffic_bytes": "10000 MB"}, "180 GB"),
    "step_flop": ({"batch": 4, "linear_flop": "140 GFLOP", "attention_flop": "10 GFLOP"}, "0.6 TFLOP"),
    # H100, 16 bit: 2 x 989 / (2 x 3.35) = 295.2.
    "ridge_batch": (
        {
            "bytes_per_param": "16 bit",
            "dense_flop_per_s": "989 TFLOP/s",
            "flop_per_mac": "2 FLOP",
            "memory_bandwidth_bytes_per_s": "3.35 TB/s",
        },
        "295.223880597 1",
    ),
    "kv_values_gqa": ({"n_kv_heads": 8, "head_dim": 128}, "2048 1"),
    "kv_values_mla": ({"mla_latent": 512, "mla_rope": 64}, "576 1"),
    # 12 full layers see 1000 tokens, 12 window layers 128: 12000 + 1536.
    "kv_positions": (
        {"context_tokens": 1000, "n_full_layers": 12, "n_window_layers": 12, "window_tokens": 128},
        "13536 1",
    ),
    # The ledger of the article: 2 x 80 x 8 x 128 x 2 x 32768 = 10.737 GB.
    "kv_cache_bytes": (
        # and 65.536e6 values of state at 4 bytes: 0.262144 GB more.
        {
            "kv_values": 2048,
            "kv_positions": 80 * 32768,
            "kv_bytes_per_value": "16 bit",
            "state_values": 65.536e6,
            "state_bytes_per_value": "32 bit",
        },
        "10.99956224 GB",
    ),
    "kv_traffic_bytes": ({"kv_cache_bytes": "1 GB", "state_values": 1e9, "state_bytes_per_value": "8 bit"}, "2 GB"),
    "linear_flop": ({"params_active": 70e9, "flop_per_mac": "2 FLOP"}, "140 GFLOP"),
    # 4 x 80 x 64 x 128 x 32768 = 85.9 GFLOP, as the ledger has it.
    "attention_flop": (
        {"n_heads": 64, "score_width": 128, "value_width": 128, "kv_positions": 80 * 32768, "flop_per_mac": "2 FLOP"},
        "85.89934592 GFLOP",
    ),
    # 140 GB are 1120 Gbit; times 20 pJ.
    "movement_energy_j": ({"n_bytes": "140 GB", "energy_j_per_byte": "20 pJ/bit"}, "22.4 J"),
    "compute_energy_j": ({"n_flop": "140 GFLOP", "energy_j_per_flop": "0.3 pJ/FLOP"}, "42 mJ"),
    "movement_share": ({"weight_energy_j": "3 J", "kv_energy_j": "1000 mJ", "compute_energy_j": "1 J"}, "0.8 1"),
    "break_even_batch": (
        {"weight_energy_j": "10 J", "kv_sequence_energy_j": "50 mJ", "compute_sequence_energy_j": "100 mJ"},
        "200 1",
    ),
    # 140 GB at 3.35 TB/s.
    "memory_time_s": (
        {"n_bytes": "140 GB", "n_accelerators": 1, "memory_bandwidth_bytes_per_s": "3.35 TB/s"},
        "41.7910447761 ms",
    ),
    "compute_time_s": ({"n_flop": "989 GFLOP", "n_accelerators": 2, "dense_flop_per_s": "989 TFLOP/s"}, "0.5 ms"),
    "step_time_s": ({"memory_time_s": "40 ms", "compute_time_s": "0.1 s"}, "100 ms"),
    "tokens_per_s": ({"batch": 32, "step_time_s": "40 ms"}, "800 1/s"),
    "power_w": ({"energy_j": "22.4 J", "time_s": "40 ms"}, "0.56 kW"),
    # 4.8 TB/s are 38.4 Tbit/s; times 20 pJ.
    "memory_power_w": ({"memory_bandwidth_bytes_per_s": "4.8 TB/s", "energy_j_per_byte": "20 pJ/bit"}, "768 W"),
    "energy_per_token_j": ({"energy_j": "64 J", "batch": 32}, "2 J"),
    # 1.68 kW for 25 ms.
    "energy_j": ({"power_w": "1.68 kW", "time_s": "25 ms"}, "42 J"),
    "memory_needed_bytes": ({"stored_weight_bytes": "140 GB", "kv_cache_bytes": "10 GB", "batch": 2}, "160 GB"),
    # Nine tenths of twice 80 GB.
    "usable_bytes": ({"n_accelerators": 2, "memory_bytes": "80 GB", "memory_share": 0.9}, "144 GB"),
    "memory_fill": ({"memory_needed_bytes": "160 GB", "usable_bytes": "80 GB"}, "2 1"),
    # Ledger, section 4: 8 x 20 / 0.3.
    "break_even_batch_weights": (
        {
            "bytes_per_param": "16 bit",
            "flop_per_mac": "2 FLOP",
            "energy_j_per_byte": "20 pJ/bit",
            "energy_j_per_flop": "0.3 pJ/FLOP",
        },
        "533.333333333 1",
    ),
    # JEDEC: 2048 pins at 8 Gbit/s are 2.048 TB/s.
    "stack_bandwidth_bytes_per_s": ({"interface_bits": 2048, "pin_rate_bytes_per_s": "8 Gbit/s"}, "2.048 TB/s"),
    # 16 dies of 32 Gbit (binary) are 64 GiB.
    "stack_bytes": ({"dies_per_stack": 16, "die_bytes": "32 Gibit"}, "64 GiB"),
}
