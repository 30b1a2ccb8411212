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
    # 80 x 50 us = 4 ms; 100 x 30 us = 3 ms; 10 x 100 us = 1 ms.
    "overhead_time_s": (
        {
            "n_layers": 80,
            "layer_time_s": "50 us",
            "batch": 100,
            "sequence_time_s": "30 us",
            "n_moe_layers": 10,
            "block_scaling_time_s": "100 us",
        },
        "8 ms",
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
}
