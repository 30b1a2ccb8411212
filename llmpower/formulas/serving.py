"""Formulas of a step of serving software, as it is measured: not a bound, an expectation.

The bound of `decode` says how fast a step can be; these say how long it takes
and what the boards draw meanwhile, with constants fitted to measurements.
"""

from llmpower.formulas.elementwise import maximum, minimum, sqrt


def prompts_per_step(batch, output_tokens):
    """Prompts that begin, on average, in each step of a steady service. [1]

    Own derivation: as many begin as end. Left out: a batch that fills or drains.
    >>> prompts_per_step(64, 640)
    0.1
    """
    return batch / output_tokens


def prompt_step_share(prompts_per_step):
    """Share of the steps that carry a prompt. [1]

    Own derivation. Left out: prompts that begin together by chance, and long ones that take several steps.
    >>> prompt_step_share(0.25)
    0.25
    """
    return minimum(prompts_per_step, 1)


def mixed_step_tokens(batch, prompts_per_step, prompt_tokens):
    """Tokens that go through the network in a step that carries a prompt. [1]

    batch: a token each.
    Own derivation. Left out: the limit that serving software sets to the tokens of a step.
    >>> mixed_step_tokens(64, 0.1, 500)
    564
    """
    return batch + maximum(prompts_per_step, 1) * prompt_tokens


def average_step(prompt_step_share, plain_step, mixed_step):
    """Mean over steps with and without a prompt, of a time, a traffic or any pure count. [1]

    Own derivation. Left out: that steps of one kind differ among themselves.
    >>> average_step(0.25, 10.0, 30.0)
    15.0
    """
    return (1 - prompt_step_share) * plain_step + prompt_step_share * mixed_step


def rows_per_expert(tokens, n_experts, n_experts_per_token, expert_share):
    """Tokens that each touched expert works on. [1]

    Own derivation. Left out: experts that are more popular than others.
    >>> rows_per_expert(64, 128, 8, 1.0)
    4.0
    """
    return tokens * n_experts_per_token / (n_experts * expert_share)


def busiest_share(imbalance, normal_maximum, n_accelerators, n_experts, expert_share):
    """Work of the busiest accelerator over the mean when whole experts are spread over accelerators. [1]

    normal_maximum: one for each accelerator that holds experts; 0 when every expert is cut over all of them.
    busiest_share: at least 1.
    Own derivation: an accelerator holds :math:`s_B E / n` touched experts, whose mean work spreads with the root of
    their number. Left out: popular experts that fall together, and copies of popular experts.
    >>> busiest_share(1.0, 1.5, 8, 128, 1.0)
    1.375
    """
    return 1 + imbalance * normal_maximum * sqrt(n_accelerators / (n_experts * expert_share))


def expert_flop(params_routed, flop_per_mac, expert_share, rows_per_expert, padding_rows):
    """Operations of the routed experts in a step, filling-up included. [FLOP]

    Own derivation. Left out: that rows are filled up to whole tiles, of which `padding_rows` is a mean.
    >>> expert_flop(100, 2, 0.5, 4, 1)
    500.0
    """
    return flop_per_mac * params_routed * expert_share * (rows_per_expert + padding_rows)


def phase_time_s(memory_time_s, compute_time_s, overlap):
    """Time of a phase in which movement and arithmetic overlap in part. [s]

    overlap: 0: one after the other; 1: as much overlap as this form has.
    phase_time_s: between the larger of the two and their sum.
    Own derivation: a smooth form without a kink, exact where one of the two vanishes. Left out: what decides the
    overlap, such as the size of a tile.
    >>> phase_time_s(2.0, 2.0, 1.0)
    3.0
    """
    return memory_time_s + compute_time_s - overlap * memory_time_s * compute_time_s / (memory_time_s + compute_time_s)


def cache_copies(n_accelerators, n_kv_heads):
    """How often each cached value is kept when heads are shared out until there are none left. [1]

    n_kv_heads: 1 for a latent cache, which every accelerator keeps whole.
    cache_copies: at least 1.
    Own derivation. Left out: accelerators that do not divide the heads, and sequences spread instead of heads.
    >>> cache_copies(16, 8)
    2.0
    """
    return maximum(n_accelerators / n_kv_heads, 1)


def allreduce_bytes(n_layers, tokens, d_model, activation_bytes_per_value):
    """Bytes that each accelerator sends in a step so that all hold the same sums. [B]

    n_layers: two sums each.
    allreduce_bytes: as many come in.
    Own derivation: the sum is formed in the switch, so each value goes out once and comes back once. Left out: rings
    without such a switch, which send up to twice as much, and pipelines.
    >>> allreduce_bytes(32, 100, 4096, 2)
    52428800
    """
    return 2 * n_layers * tokens * d_model * activation_bytes_per_value


def link_time_s(n_layers, allreduce_time_s, allreduce_bytes, link_bytes_per_s):
    """Time in which accelerators wait for each other's sums. [s]

    n_layers: two sums each.
    Own derivation. Left out: sums that hide behind arithmetic, and several servers.
    >>> link_time_s(50, 10e-6, 1e9, 500e9)
    0.003
    """
    return 2 * n_layers * allreduce_time_s + allreduce_bytes / link_bytes_per_s


def reached_bytes_per_s(reached_bandwidth_share, memory_bandwidth_bytes_per_s):
    """Rate at which a step reads memory. [B/s]

    Own derivation. Left out: small kernels, which read more slowly.
    >>> reached_bytes_per_s(0.5, 3e12)
    1500000000000.0
    """
    return reached_bandwidth_share * memory_bandwidth_bytes_per_s


def cache_time_s(batch, kv_traffic_bytes, n_accelerators, reached_bytes_per_s):
    """Time of attention over the caches of all sequences. [s]

    Own derivation. Left out: its arithmetic, which hides behind the reading, and sequences of unequal length.
    >>> cache_time_s(32, 1e9, 4, 2e12)
    0.004
    """
    return batch * kv_traffic_bytes / (n_accelerators * reached_bytes_per_s)


def expert_compute_time_s(
    expert_flop, expert_flop_share, prompt_expert_flop, expert_prompt_flop_share, n_accelerators, dense_flop_per_s,
    block_flop, block_flop_per_s,
):  # fmt: skip
    """Time of the arithmetic of routed experts when all accelerators have equal work. [s]

    Own derivation. Left out: that the rate reached grows with the rows of an expert.
    >>> expert_compute_time_s(1e12, 0.25, 2e12, 0.5, 2, 1e15, 4e12, 2e15)
    0.005
    """
    products = expert_flop / expert_flop_share + prompt_expert_flop / expert_prompt_flop_share
    return products / (n_accelerators * dense_flop_per_s) + block_flop / (n_accelerators * block_flop_per_s)


def overhead_time_s(
    n_layers, layer_time_s, batch, sequence_time_s, block_layers, block_scaling_time_s, prompt_gaps_s
):  # fmt: skip
    """Time of a step in which neither data nor arithmetic is the limit. [s]

    overhead_time_s: gaps, sampling and bookkeeping, per step.
    Own derivation. Left out: hosts that cannot keep up, so low for small networks on fast accelerators.
    >>> overhead_time_s(50, 60e-6, 100, 40e-6, 0, 1e-4, 0.001)
    0.008
    """
    return n_layers * layer_time_s + batch * sequence_time_s + block_layers * block_scaling_time_s + prompt_gaps_s


def prompt_gaps_s(prompt_step_share, n_moe_layers, prompt_layer_time_s):
    """Time lost since steps with a prompt do not follow the sequence of kernels captured for the others. [s]

    Own derivation. Left out: networks without experts, where the loss is not told from the work on the prompt.
    >>> prompt_gaps_s(0.5, 50, 2e-4)
    0.005
    """
    return prompt_step_share * n_moe_layers * prompt_layer_time_s


def serving_time_s(dense_time_s, expert_time_s, cache_time_s, link_time_s, overhead_time_s):
    """Time of a step: its phases follow one another. [s]

    Own derivation. Left out: phases of two half batches that overlap.
    >>> serving_time_s(0.01, 0.0, 0.004, 0.001, 0.005)
    0.02
    """
    return dense_time_s + expert_time_s + cache_time_s + link_time_s + overhead_time_s


def board_power_w(n_accelerators, tdp_share, tdp_w):
    """Power that flows at a given share of the rating of all boards. [W]

    tdp_w: of one.
    Own derivation. Left out: boards of unequal draw.
    >>> board_power_w(8, 0.5, 700)
    2800.0
    """
    return n_accelerators * tdp_share * tdp_w


def arithmetic_energy_j(n_accelerators, tdp_w, compute_tdp_share, busy_time_s, operation_tdp_share, ideal_time_s):
    """Energy that arithmetic adds to a step. [J]

    Own derivation: a power while it runs, and a price for each operation. Left out: formats narrower than 16 bits,
    whose operations cost less.
    >>> arithmetic_energy_j(2, 700, 1.0, 0.005, 0.2, 0.0025)
    7.7
    """
    return n_accelerators * tdp_w * (compute_tdp_share * busy_time_s + operation_tdp_share * ideal_time_s)


def uncapped_energy_j(static_energy_j, weight_energy_j, kv_energy_j, arithmetic_energy_j, link_energy_j):
    """Energy of a step before the boards limit themselves. [J]

    Own derivation. Left out: hosts, fans and conversion.
    >>> uncapped_energy_j(4, 3, 2, 1, 0)
    10
    """
    return static_energy_j + weight_energy_j + kv_energy_j + arithmetic_energy_j + link_energy_j


def serving_energy_j(uncapped_energy_j, n_accelerators, plateau_tdp_share, tdp_w, serving_time_s):
    """Energy of a step. [J]

    serving_energy_j: measured times contain the slower clocks of boards at their limit, so time is not stretched.
    Own derivation. Left out: the lower voltage of slower clocks.
    >>> serving_energy_j(100.0, 1, 0.5, 800, 0.2)
    80.0
    """
    return minimum(uncapped_energy_j, n_accelerators * plateau_tdp_share * tdp_w * serving_time_s)
