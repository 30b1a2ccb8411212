"""Hand calculations of llmpower.formulas.mitigations."""

# Formula -> arguments with units of everyday size, and the result worked out by hand.
CASES = {
    "effective_efficiency": ({"layer_one_factor": 1.25, "layer_two_factor": 16, "layer_three_factor": 2}, "40 1"),
    # A quarter of the bill, two fifths of it saved.
    "total_saved_share": ({"affected_share": 0.25, "saved_share": 0.4}, "0.1 1"),
    # Three fifths free: two fifths stay.
    "saving_limit": ({"affected_share": 0.6}, "2.5 1"),
    # 0.8 of the bill, each to a half: 0.2 + 0.8/4 = 0.4; alone 0.6 each, product 0.36; apart by 0.04.
    "same_part_excess": ({"affected_share": 0.8, "first_factor": 0.5, "second_factor": 0.5}, "0.04 1"),
    "static_energy_j": ({"static_w": "0.07 kW", "step_time_s": "40 ms"}, "2.8 J"),
    "whole_energy_j": (
        {"movement_energy_j": "9 J", "compute_energy_j": "500 mJ", "static_energy_j": "2.5 J"},
        "12 J",
    ),
    "remaining_share": ({"energy_with_j": "750 mJ", "energy_without_j": "3 J"}, "0.25 1"),
    # Mixtral: (1.4745 + 45.0972/4) / (1.4745 + 45.0972) = 12.7488/46.5717 = 0.27375.
    "touched_share": (
        {"params_shared": 1.4745e9, "params_routed": 45.0972e9, "expert_share": 0.25},
        "0.27374564381 1",
    ),
    # 0.276 x 4.85/16, as the ledger has it.
    "weight_traffic_share": (
        {"touched_share": 0.276, "quantized_bytes_per_param": "4.85 bit", "bytes_per_param": "16 bit"},
        "0.0836625 1",
    ),
    # The article's 70B over 16.
    "equivalent_params": ({"params_total": 70e9, "remaining_share": 0.0625}, "4.375e9 1"),
    # Llama-3.1-70B: 3 x 80 x 8192 x 28672.
    "feed_forward_params": ({"n_layers": 80, "d_model": 8192, "d_ff": 28672}, "56371445760 1"),
    # 131072 x 128 B + 2048 x 576 x 2 B = 16777216 + 2359296 B.
    "sparse_kv_bytes": (
        {"context_tokens": 131072, "selected_tokens": 2048, "n_full_layers": 1, "index_bytes": "1024 bit",
         "kv_values": 576, "kv_bytes_per_value": "16 bit"},
        "19.136512 MB",
    ),
    # 2 x 64 x 128 x 1000 x 61 = 999.424 MFLOP.
    "index_flop": (
        {"context_tokens": 1000, "n_full_layers": 61, "index_heads": 64, "index_width": 128, "flop_per_mac": "2 FLOP"},
        "0.999424 GFLOP",
    ),
    # 3.92 + 7.76 x 0.725 = 9.546 pJ/bit.
    "logic_energy_j_per_byte": (
        {"memory_energy_j_per_byte": "11.68 pJ/bit", "device_energy_j_per_byte": "3.92 pJ/bit", "saved_share": 0.275},
        "9.546 pJ/bit",
    ),
    "reduced_energy_j_per_flop": ({"energy_j_per_flop": "0.52 pJ/FLOP", "saved_share": 0.25}, "0.39 pJ/FLOP"),
    # 1 - 1/1.1236.
    "clock_saved_share": ({"clock_gain_share": 0.06}, "0.110003559986 1"),
    "bank_energy_j_per_byte": (
        {"activation_energy_j_per_byte": "1.21 pJ/bit", "on_die_energy_j_per_byte": "2.24 pJ/bit"},
        "3.45 pJ/bit",
    ),
    "reread_batch": ({"memory_energy_j_per_byte": "13.8 pJ/bit", "bank_energy_j_per_byte": "3.45 pJ/bit"}, "4 1"),
    # 78.6 W at 65.5 Tera-operations a second.
    "power_energy_j_per_op": ({"power_w": "78.6 W", "dense_flop_per_s": "65.5 TFLOP/s"}, "1.2 pJ/FLOP"),
    "system_energy_j_per_op": (
        {"core_energy_j_per_op": "25 fJ/FLOP", "conversion_energy_j_per_op": "1.2 pJ/FLOP"},
        "1.225 pJ/FLOP",
    ),
    # 64 conversions of 2 pJ for 128 multiply-and-adds.
    "conversion_energy_j_per_op": (
        {"conversion_energy_j": "2 pJ", "input_slices": 8, "weight_slices": 8, "products_per_conversion": 128,
         "flop_per_mac": "2 FLOP"},
        "0.5 pJ/FLOP",
    ),
    # 45e9 weights on chips of 9 million.
    "chips_needed": ({"params_total": 45e9, "weights_per_chip": 9e6}, "5000 1"),
}  # fmt: skip
