"""Hand calculations of llmpower.formulas.serving."""

# Formula -> arguments with units of everyday size, and the result worked out by hand.
CASES = {
    # 64 sequences that write 640 tokens each: one ends every tenth step.
    "prompts_per_step": ({"batch": 64, "output_tokens": 640}, "0.1 1"),
    # Two prompts a step: every step has one.
    "prompt_step_share": ({"prompts_per_step": 2}, "1 1"),
    # 128 decoded, and 2 x 500 of prompts.
    "mixed_step_tokens": ({"batch": 128, "prompts_per_step": 2, "prompt_tokens": 500}, "1128 1"),
    # 3/4 of 8 and 1/4 of 16.
    "average_step": ({"prompt_step_share": 0.25, "plain_step": 8, "mixed_step": 16}, "10 1"),
    # 32 x 8 pairs over 64 experts.
    "rows_per_expert": ({"tokens": 32, "n_experts": 128, "n_experts_per_token": 8, "expert_share": 0.5}, "4 1"),
    # sqrt(8 / 32) = 1/2; 1 + 2 x 1.5 / 2.
    "busiest_share": (
        {"imbalance": 2, "normal_maximum": 1.5, "n_accelerators": 8, "n_experts": 64, "expert_share": 0.5},
        "2.5 1",
    ),
    # 2 x 10e9 x 1/2 x (3 + 1).
    "expert_flop": (
        {"params_routed": 10e9, "flop_per_mac": "2 FLOP", "expert_share": 0.5, "rows_per_expert": 3, "padding_rows": 1},
        "40 GFLOP",
    ),
    # 10 + 30 - 0.8 x 300 / 40 = 34 ms.
    "phase_time_s": ({"memory_time_s": "10 ms", "compute_time_s": "0.03 s", "overlap": 0.8}, "34 ms"),
    # Sixteen share eight heads: two keep each.
    "cache_copies": ({"n_accelerators": 16, "n_kv_heads": 8}, "2 1"),
    # 2 x 80 x 100 x 8192 x 2 B = 262.144 MB.
    "allreduce_bytes": (
        {"n_layers": 80, "tokens": 100, "d_model": 8192, "activation_bytes_per_value": "16 bit"},
        "262.144 MB",
    ),
    # 2 x 80 x 10 us = 1.6 ms, and 450 MB at 450 GB/s: 1 ms.
    "link_time_s": (
        {"n_layers": 80, "allreduce_time_s": "10 us", "allreduce_bytes": "450 MB", "link_bytes_per_s": "450 GB/s"},
        "2.6 ms",
    ),
    # 80 x 50 us = 4 ms; 100 x 30 us = 3 ms; 10 x 100 us = 1 ms; and 2 ms of prompts.
    "overhead_time_s": (
        {
            "n_layers": 80,
            "layer_time_s": "50 us",
            "batch": 100,
            "sequence_time_s": "30 us",
            "block_layers": 10,
            "block_scaling_time_s": "100 us",
            "prompt_gaps_s": "2 ms",
        },
        "10 ms",
    ),
    # Every fifth step loses 60 x 150 us = 9 ms.
    "prompt_gaps_s": ({"prompt_step_share": 0.2, "n_moe_layers": 60, "prompt_layer_time_s": "150 us"}, "1.8 ms"),
    "serving_time_s": (
        {
            "dense_time_s": "10 ms",
            "expert_time_s": "5 ms",
            "cache_time_s": "4 ms",
            "link_time_s": "2 ms",
            "overhead_time_s": "1000 us",
        },
        "22 ms",
    ),
    # 8 x 0.3 x 700 W.
    "board_power_w": ({"n_accelerators": 8, "tdp_share": 0.3, "tdp_w": "700 W"}, "1.68 kW"),
    # Nine tenths of 4 TB/s.
    "reached_bytes_per_s": ({"reached_bandwidth_share": 0.9, "memory_bandwidth_bytes_per_s": "4 TB/s"}, "3.6 TB/s"),
    # 64 x 500 MB = 32 GB, over 4 x 2 TB/s.
    "cache_time_s": (
        {"batch": 64, "kv_traffic_bytes": "500 MB", "n_accelerators": 4, "reached_bytes_per_s": "2 TB/s"},
        "4 ms",
    ),
    # 1 TFLOP at a tenth of 2 PFLOP/s: 5 ms; 3 TFLOP at a quarter: 6 ms; 8 TFLOP at 4 PFLOP/s: 2 ms.
    "expert_compute_time_s": (
        {
            "expert_flop": "1 TFLOP",
            "expert_flop_share": 0.1,
            "prompt_expert_flop": "3 TFLOP",
            "expert_prompt_flop_share": 0.25,
            "n_accelerators": 2,
            "dense_flop_per_s": "1000 TFLOP/s",
            "block_flop": "8 TFLOP",
            "block_flop_per_s": "2000 TFLOP/s",
        },
        "13 ms",
    ),
    # 4 x 700 W x (0.5 x 10 ms + 0.2 x 5 ms) = 2,800 W x 6 ms.
    "arithmetic_energy_j": (
        {
            "n_accelerators": 4,
            "tdp_w": "700 W",
            "compute_tdp_share": 0.5,
            "busy_time_s": "10 ms",
            "operation_tdp_share": 0.2,
            "ideal_time_s": "5 ms",
        },
        "16.8 J",
    ),
    "uncapped_energy_j": (
        {
            "static_energy_j": "8 J",
            "weight_energy_j": "5 J",
            "kv_energy_j": "3 J",
            "arithmetic_energy_j": "2 J",
            "link_energy_j": "1 J",
        },
        "19 J",
    ),
    # 0.9 x 1 kW x 20 ms = 18 J, less than 19 J.
    "serving_energy_j": (
        {
            "uncapped_energy_j": "19 J",
            "n_accelerators": 1,
            "plateau_tdp_share": 0.9,
            "tdp_w": "1000 W",
            "serving_time_s": "20 ms",
        },
        "18 J",
    ),
}
