"""Hand calculations of llmpower.formulas.serving."""

# Formula -> arguments with units of everyday size, and the result worked out by hand.
CASES = {
    # 40 sequences that get three drafts accepted in four steps: 40 x 1.75.
    "tokens_written": ({"batch": 40, "accepted_tokens": 0.75}, "70 1"),
    # 40 sequences with three drafts each: 40 x 4.
    "tokens_tried": ({"batch": 40, "draft_tokens": 3}, "160 1"),
    # 64 tokens a step for answers of 640: one ends every tenth step.
    "prompts_per_step": ({"tokens_written": 64, "output_tokens": 640}, "0.1 1"),
    # 8,192 less 192 leave room for 8,000 of 12,000.
    "prompt_passes": ({"prompt_tokens": 12000, "step_tokens": 192, "max_step_tokens": 8192}, "1.5 1"),
    # One prompt in four steps, each read in three.
    "prompt_step_share": ({"prompts_per_step": 0.25, "prompt_passes": 3}, "0.75 1"),
    # 128 decoded, and half of a prompt of 6,000, since a prompt takes two steps.
    "mixed_step_tokens": (
        {"step_tokens": 128, "prompts_per_step": 0.1, "prompt_passes": 2, "prompt_tokens": 6000},
        "3128 1",
    ),
    # 3/4 of 8 and 1/4 of 16.
    "average_step": ({"prompt_step_share": 0.25, "plain_step": 8, "mixed_step": 16}, "10 1"),
    # A quarter of the steps takes 12 ms more than the others, which makes 3 ms on average; a prompt takes two of them.
    "first_token_s": (
        {"prompt_passes": 2, "prompt_step_share": 0.25, "plain_time_s": "8 ms", "serving_time_s": "11 ms"},
        "40 ms",
    ),
    # One, and three quarters of the other 64.
    "differing_tokens": ({"tokens": 65, "expert_overlap_share": 0.25}, "49 1"),
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
    # Four servers of eight: three quarters are elsewhere.
    "between_share": ({"n_accelerators": 32, "accelerators_per_server": 8}, "0.75 1"),
    # 31 passes, of which three go from one server to the next: 3 / 31.
    "passed_share": ({"n_accelerators": 32, "accelerators_per_server": 8}, "0.0967741935483871 1"),
    # An eighth of the sum, three quarters of it out and as much back: 2 x 3/4 / 8.
    "summed_share": ({"between_share": 0.75, "accelerators_per_server": 8}, "0.1875 1"),
    # 160 x 10 us = 1.6 ms, 450 MB at 450 GB/s: 1 ms, and 20 MB at 50 GB/s: 0.4 ms.
    "link_time_s": (
        {
            "exchanges": 160,
            "allreduce_time_s": "10 us",
            "link_bytes": "450 MB",
            "link_bytes_per_s": "450 GB/s",
            "network_bytes": "20 MB",
            "network_bytes_per_s": "50 GB/s",
        },
        "3 ms",
    ),
    # 80 x 50 us = 4 ms; 10 x 100 us = 1 ms; and 2 ms of prompts.
    "overhead_time_s": (
        {
            "n_layers": 80,
            "layer_time_s": "50 us",
            "block_layers": 10,
            "block_scaling_time_s": "100 us",
            "prompt_gaps_s": "2 ms",
        },
        "7 ms",
    ),
    # 2 ms, and 32 x 0.5 ms.
    "host_time_s": ({"host_step_time_s": "2 ms", "n_layers": 32, "host_layer_time_s": "500 us"}, "18 ms"),
    # Every fifth step loses 60 x 150 us = 9 ms.
    "prompt_gaps_s": ({"prompt_step_share": 0.2, "n_moe_layers": 60, "prompt_layer_time_s": "150 us"}, "1.8 ms"),
    "device_time_s": (
        {
            "dense_time_s": "10 ms",
            "expert_time_s": "5 ms",
            "cache_time_s": "4 ms",
            "link_time_s": "2 ms",
            "overhead_time_s": "1000 us",
        },
        "22 ms",
    ),
    # The host's 30 ms are longer than the boards' 22; and 100 x 40 us.
    "serving_time_s": (
        {"device_time_s": "22 ms", "host_time_s": "30 ms", "batch": 100, "sequence_time_s": "40 us"},
        "34 ms",
    ),
    # 16 in each of 16 queues: sqrt(16 / 256) = 1/4; 1 + 1.5 x 0.4 / 4.
    "busiest_queue": ({"normal_maximum": 1.5, "length_spread": 0.4, "n_accelerators": 16, "batch": 256}, "1.15 1"),
    # Ages from 0 to 1,200 spread by 1,200 / sqrt(12) = 346.4101615 around a mean context of 500.
    "length_spread": ({"output_tokens": 1200, "context_tokens": 500}, "0.692820323027551 1"),
    # Of 640 tokens 40 are on each of 16; 40 x 8 x 15/16 = 300 vectors of 7,168 x 2 B go out in each of 60 layers, and
    # back: 2 x 60 x 300 x 14,336 B.
    "dispatch_bytes": (
        {
            "n_moe_layers": 60,
            "tokens": 640,
            "d_model": 7168,
            "activation_bytes_per_value": "16 bit",
            "n_experts_per_token": 8,
            "n_accelerators": 16,
        },
        "516.096 MB",
    ),
    # 8 x 0.3 x 700 W.
    "board_power_w": ({"n_accelerators": 8, "tdp_share": 0.3, "tdp_w": "700 W"}, "1.68 kW"),
    # Nine tenths of 4 TB/s.
    "reached_bytes_per_s": ({"reached_bandwidth_share": 0.9, "memory_bandwidth_bytes_per_s": "4 TB/s"}, "3.6 TB/s"),
    # 8 billion values at 2.5 instructions are 20 G of them; 4 x 20 TFLOP/s are 4 x 10 T a second.
    "unpacking_time_s": (
        {
            "packed_values": 8e9,
            "unpacking_instructions": 2.5,
            "flop_per_mac": "2 FLOP",
            "n_accelerators": 4,
            "vector_flop_per_s": "20 TFLOP/s",
        },
        "500 us",
    ),
    # 2 x 0.25 x 400 W for 10 ms.
    "unpacking_energy_j": (
        {"n_accelerators": 2, "tdp_w": "400 W", "unpacking_tdp_share": 0.25, "unpacking_time_s": "10 ms"},
        "2 J",
    ),
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
    # 4 x 700 W x (0.25 x 10 ms + 0.15 x the 4 ms that remain of 14) = 2,800 W x 3.1 ms.
    "static_energy_j": (
        {
            "n_accelerators": 4,
            "tdp_w": "700 W",
            "static_tdp_share": 0.25,
            "serving_time_s": "14 ms",
            "waiting_tdp_share": 0.15,
            "device_time_s": "10 ms",
        },
        "8.68 J",
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
    # 1,000 over 1 + 1 + 2 x 400 / 200 = 6.
    "admitted_batch": (
        {
            "max_step_tokens": 1000,
            "draft_tokens": 1,
            "accepted_tokens": 1,
            "computed_prompt_tokens": 400,
            "output_tokens": 200,
        },
        "166.66666666666666 1",
    ),
    # Three drafts, each a fortieth of the weights for a layer and a twentieth for the output layer: 3 x 0.075.
    "drafting_share": ({"draft_tokens": 3, "n_layers": 40, "params_head": 5e8, "params_shared": 1e10}, "0.225 1"),
    # At 0.45 of the clock, three quarters of the 0.6 from which memory is the limit.
    "clocked_bandwidth_share": ({"clock_ratio": 0.45, "bandwidth_clock_share": 0.6}, "0.75 1"),
    # Four tenths feel the voltage: 0.6 + 0.4 x 0.7.
    "clocked_byte_share": ({"clocked_price": 0.7, "chip_byte_share": 0.4}, "0.88 1"),
    # 0.1 stays; 0.15 x 0.6 x 0.8 = 0.072.
    "clocked_static_share": (
        {"static_tdp_share": 0.25, "idle_tdp_share": 0.1, "clock_ratio": 0.6, "clocked_price": 0.8},
        "0.172 1",
    ),
    # 16 times fewer sequences, half is left at 4 times: a quarter; the fourth root of 0.4096 is 0.8.
    "carried_ratio": ({"measured_ratio": 0.4096, "batch": 2, "measured_batch": 32, "half_kept_ratio": 4}, "0.8 1"),
}
