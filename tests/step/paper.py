"""Made-up networks, a board and constants of round numbers, so that a step can be worked out on paper."""

import math
from types import SimpleNamespace

# A billion weights, a tenth of them in the output layer; ten layers, each with 2 x 2 heads x 100 values of cache.
DENSE = SimpleNamespace(
    n_layers=10, n_moe_layers=0, d_model=1000, n_heads=10, n_experts=0, n_experts_per_token=0, params_total=1e9,
    params_shared=1e9, params_routed=0, params_head=1e8, n_full_layers=10, n_window_layers=0, window_tokens=0,
    state_values=0, state_bytes=0, moe=False, shared_bytes=2.0, routed_bytes=2.0, kv_bytes=2.0, kv_heads=2,
    score_width=100, value_width=100, kv_values=400, recurrent=0.0, block_rows=0, block_layers=0,
    embedding_bytes=2.0, unpacked_shared=0.0, unpacked_routed=0.0,
)  # fmt: skip
# The same with 16 experts of half a billion weights, of which a token takes two.
MIXED = SimpleNamespace(**vars(DENSE) | {"n_experts": 16, "n_experts_per_token": 2, "params_routed": 8e9, "moe": True})
UNIT = SimpleNamespace(
    memory_bandwidth_bytes_per_s=1e12, dense_bf16_flop_per_s=2e14, product_flop_per_s=1e14, link_bytes_per_s=1e11,
    tdp_w=1000.0, expert_peak=2e14, drawing_peak=2e14, block_peak=2e14, unpacking_s=0.0, unpacking_draws=0.0,
    expert_unpacking_s=0.0, expert_unpacking_draws=0.0, cache_unpacking_s=0.0, cache_unpacking_draws=0.0,
)  # fmt: skip
# Of a server, whose phases do not overlap and whose clock feels half of its voltage.
SERVED = SimpleNamespace(
    reached_bandwidth_share=0.8, served_flop_share=0.5, overlap=0.0, layer_time_s=100e-6, block_scaling_time_s=0.0,
    sequence_time_s=10e-6, sum_time_s=10e-6, host_step_time_s=1e-3, host_layer_time_s=0.0, prompt_layer_time_s=50e-6,
    recurrent_prompt_factor=1.0, expert_overlap_share=0.0, imbalance=0.0, padding_rows=0.0, expert_flop_share=0.25,
    expert_prompt_flop_share=0.5, weight_energy_j_per_byte=100e-12, cache_energy_j_per_byte=150e-12,
    link_energy_j_per_byte=10e-12, compute_tdp_share=0.5, operation_tdp_share=0.2, static_tdp_share=0.1,
    waiting_tdp_share=0.05, plateau_tdp_share=math.inf, bandwidth_clock_share=0.6, voltage_clock_share=0.5,
    least_clock_share=0.1, idle_tdp_share=0.04, clock_slope=0.5, chip_byte_share=0.5, unpacking_tdp_share=0.2,
)  # fmt: skip


def changed(namespace, **values):
    """A copy of a namespace with other values for some names."""
    return SimpleNamespace(**vars(namespace) | values)
