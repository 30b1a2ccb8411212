"""Formulas of a step of serving software, as it is measured: not a bound, an expectation.

The bound of `decode` says how fast a step can be; these say how long it takes
and what the boards draw meanwhile, with constants fitted to measurements.
"""

from llmpower.formulas.elementwise import exp, log, maximum, minimum, sqrt


def tokens_written(batch, accepted_tokens):
    """Output tokens of a step. [1]

    Own derivation: each sequence writes one, and those of its drafts that the network accepts (leviathan2023drafts).
    Left out: drafts accepted past the end of an answer.
    >>> tokens_written(64, 1.5)
    160.0
    """
    return batch * (1 + accepted_tokens)


def tokens_tried(batch, draft_tokens):
    """Tokens that a step sends through the network for all sequences, drafts included. [1]

    Own derivation: a step checks all drafts of a sequence at once. Left out: trees of drafts.
    >>> tokens_tried(64, 3)
    256
    """
    return batch * (1 + draft_tokens)


def drafting_share(draft_tokens, n_layers, params_head, params_shared):
    """Weights that drafting reads in a step over those of a pass of the network. [1]

    Own derivation: a draft takes a layer more of the network and its output layer, as where drafting is trained in.
    Left out: small networks of their own for drafts, which cost more, and output layers over fewer words, which cost
    less.
    >>> drafting_share(4, 50, 5e8, 1e10)
    0.28
    """
    return draft_tokens * (1 / n_layers + params_head / params_shared)


def prompts_per_step(tokens_written, output_tokens):
    """Prompts that begin, on average, in each step of a steady service. [1]

    Own derivation: as many begin as end. Left out: a batch that fills or drains.
    >>> prompts_per_step(64, 640)
    0.1
    """
    return tokens_written / output_tokens


def prompt_passes(prompt_tokens, step_tokens, max_step_tokens):
    """Steps that reading a prompt takes. [1]

    step_tokens: tokens of the step that are no prompt.
    prompt_passes: at least 1, and as many as a step's limit makes of a long prompt.
    Own derivation. Left out: whole numbers, so it is the mean over prompts of many lengths.
    >>> prompt_passes(6000, 1000, 4000)
    2.0
    """
    return maximum(prompt_tokens / (max_step_tokens - step_tokens), 1)


def admitted_batch(max_step_tokens, draft_tokens, accepted_tokens, computed_prompt_tokens, output_tokens):
    """Sequences for which a limit of tokens leaves room in every step, with the prompts of those that follow. [1]

    Own derivation: each sends its tokens and, as often as an answer ends, a prompt. Left out: a service that waits for
    its users instead of its limit.
    >>> admitted_batch(64, 0, 0, 4096, 512)
    7.111111111111111
    """
    return max_step_tokens / (1 + draft_tokens + (1 + accepted_tokens) * computed_prompt_tokens / output_tokens)


def prompt_step_share(prompts_per_step, prompt_passes):
    """Share of the steps that carry a prompt or a part of one. [1]

    Own derivation. Left out: prompts that begin together by chance.
    >>> prompt_step_share(0.25, 2)
    0.5
    """
    return minimum(prompts_per_step * prompt_passes, 1)


def mixed_step_tokens(step_tokens, prompts_per_step, prompt_passes, prompt_tokens):
    """Tokens that go through the network in a step that carries a prompt. [1]

    step_tokens: tokens of the step that are no prompt.
    Own derivation. Left out: the limit of a step where prompts begin faster than it takes them in, so that they queue.
    >>> mixed_step_tokens(64, 0.1, 1, 500)
    564.0
    """
    return step_tokens + maximum(1 / prompt_passes, prompts_per_step) * prompt_tokens


def average_step(prompt_step_share, plain_step, mixed_step):
    """Mean over steps with and without a prompt, of a time, a traffic or any pure count. [1]

    Own derivation. Left out: that steps of one kind differ among themselves.
    >>> average_step(0.25, 10.0, 30.0)
    15.0
    """
    return (1 - prompt_step_share) * plain_step + prompt_step_share * mixed_step


def first_token_s(prompt_passes, prompt_step_share, plain_time_s, serving_time_s):
    """Time from the first step that reads a prompt to its first token. [s]

    plain_time_s: of a step without a prompt.
    serving_time_s: mean over steps with and without one.
    Own derivation: `average_step` solved for the step with a prompt, once for each pass. Left out: waiting for a place.
    >>> round(first_token_s(2, 0.25, 0.010, 0.015), 3)
    0.06
    """
    return prompt_passes * (plain_time_s + (serving_time_s - plain_time_s) / prompt_step_share)


def differing_tokens(tokens, expert_overlap_share):
    """Tokens that choose their experts by themselves. [1]

    Own derivation: the others choose as one of these does. Left out: layers that differ in this.
    >>> differing_tokens(101, 0.25)
    76.0
    """
    return 1 + (tokens - 1) * (1 - expert_overlap_share)


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


def between_share(n_accelerators, accelerators_per_server):
    """Share of what is sent that leaves the server. [1]

    Own derivation: everyone sends to everyone alike. Left out: what copies of popular experts save.
    >>> between_share(16, 8)
    0.5
    """
    return 1 - minimum(accelerators_per_server / n_accelerators, 1)


def passed_share(n_accelerators, accelerators_per_server):
    """Share of the passes from stage to stage that leave a server. [1]

    Own derivation: stages that follow one another stand side by side. Left out: servers that are not full.
    >>> passed_share(9, 3)
    0.25
    """
    return maximum(n_accelerators / accelerators_per_server - 1, 0) / maximum(n_accelerators - 1, 1)


def summed_share(between_share, accelerators_per_server):
    """Bytes that an accelerator sends between servers over those inside one, when a sum is formed inside first. [1]

    Own derivation: each then holds its part of the sum and passes it round the servers, out and back. Left out:
    switches between servers that add.
    >>> summed_share(0.5, 8)
    0.125
    """
    return 2 * between_share / accelerators_per_server


def link_time_s(exchanges, allreduce_time_s, link_bytes, link_bytes_per_s, network_bytes, network_bytes_per_s):
    """Time in which accelerators wait for each other's data. [s]

    exchanges: two a layer for sums over all accelerators, or for tokens on their way to experts and back.
    Own derivation. Left out: transfers that hide behind arithmetic.
    >>> link_time_s(100, 10e-6, 1e9, 500e9, 1e8, 50e9)
    0.005
    """
    return exchanges * allreduce_time_s + link_bytes / link_bytes_per_s + network_bytes / network_bytes_per_s


def reached_bytes_per_s(reached_bandwidth_share, memory_bandwidth_bytes_per_s):
    """Rate at which a step reads memory. [B/s]

    Own derivation. Left out: small kernels, which read more slowly.
    >>> reached_bytes_per_s(0.5, 3e12)
    1500000000000.0
    """
    return reached_bandwidth_share * memory_bandwidth_bytes_per_s


def unpacking_time_s(packed_values, unpacking_instructions, flop_per_mac, n_accelerators, vector_flop_per_s):
    """Time that software takes to widen stored values before they are multiplied. [s]

    vector_flop_per_s: a multiply and an add take the place of one instruction.
    Own derivation. Left out: instructions that have units of their own, or that run at half of this rate; values that
    are widened again for each tile of a large batch.
    >>> unpacking_time_s(1e9, 2.5, 2, 1, 20e12)
    0.00025
    """
    return packed_values * unpacking_instructions * flop_per_mac / (n_accelerators * vector_flop_per_s)


def unpacking_energy_j(n_accelerators, tdp_w, unpacking_tdp_share, unpacking_time_s):
    """Energy of multiprocessors that widen stored values. [J]

    unpacking_time_s: in which they do so, whether they read at the same time or not.
    Own derivation. Left out: that they draw less where reading leaves them idle.
    >>> unpacking_energy_j(2, 700, 0.2, 0.01)
    2.8
    """
    return board_power_w(n_accelerators, unpacking_tdp_share, tdp_w) * unpacking_time_s


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


def overhead_time_s(n_layers, layer_time_s, block_layers, block_scaling_time_s, prompt_gaps_s):
    """Time of a step in which the boards neither move data nor multiply at their limit. [s]

    overhead_time_s: gaps between kernels and kernels too small to fill the machine, per step.
    Own derivation. Left out: what the host adds.
    >>> overhead_time_s(50, 60e-6, 0, 1e-4, 0.001)
    0.004
    """
    return n_layers * layer_time_s + block_layers * block_scaling_time_s + prompt_gaps_s


def host_time_s(host_step_time_s, n_layers, host_layer_time_s):
    """Time in which the host prepares and starts a step, beside the boards' work on the last. [s]

    host_layer_time_s: nothing where the kernels of a step were captured as one graph.
    Own derivation. Left out: hosts shared with other work.
    >>> host_time_s(0.002, 32, 0.001)
    0.034
    """
    return host_step_time_s + n_layers * host_layer_time_s


def prompt_gaps_s(prompt_step_share, n_moe_layers, prompt_layer_time_s):
    """Time lost since steps with a prompt do not follow the sequence of kernels captured for the others. [s]

    Own derivation. Left out: networks without experts, where the loss is not told from the work on the prompt.
    >>> prompt_gaps_s(0.5, 50, 2e-4)
    0.005
    """
    return prompt_step_share * n_moe_layers * prompt_layer_time_s


def device_time_s(dense_time_s, expert_time_s, cache_time_s, link_time_s, overhead_time_s):
    """Time of a step on the boards: its phases follow one another. [s]

    Own derivation. Left out: phases of two half batches that overlap.
    >>> device_time_s(0.01, 0.0, 0.004, 0.001, 0.005)
    0.02
    """
    return dense_time_s + expert_time_s + cache_time_s + link_time_s + overhead_time_s


def serving_time_s(device_time_s, host_time_s, batch, sequence_time_s):
    """Time of a step: the longer of the boards' work and the host's, then what waits for its tokens. [s]

    sequence_time_s: sampling and bookkeeping, in which the boards wait.
    Own derivation. Left out: servers that schedule a step ahead and so hide a part of the bookkeeping.
    >>> serving_time_s(0.02, 0.004, 100, 40e-6)
    0.024
    """
    return maximum(device_time_s, host_time_s) + batch * sequence_time_s


def busiest_queue(normal_maximum, length_spread, n_accelerators, batch):
    """Work of the busiest accelerator over the mean when each has sequences of its own. [1]

    normal_maximum: of as many numbers as there are queues.
    Own derivation: each queue holds as many sequences, whose caches differ in length, so their sum spreads with the
    root of their number. Left out: routers that know the lengths.
    >>> busiest_queue(1.5, 0.5, 16, 64)
    1.375
    """
    return 1 + normal_maximum * length_spread * sqrt(n_accelerators / batch)


def length_spread(output_tokens, context_tokens):
    """Relative spread of the contexts of running requests. [1]

    Own derivation: answers of one length, begun at any time, so that their ages are even between 0 and the end. Left
    out: answers and prompts of unequal length, so low.
    >>> length_spread(1200, 866.0254037844386)
    0.4
    """
    return output_tokens / (2 * sqrt(3) * context_tokens)


def dispatch_bytes(n_moe_layers, tokens, d_model, activation_bytes_per_value, n_experts_per_token, n_accelerators):
    """Bytes that each accelerator sends in a step so that tokens meet their experts and come back. [B]

    Own derivation: each token's vector goes out to as many accelerators as it has experts, or to all, and back. Left
    out: groups of experts that keep a token inside a server, and vectors sent in 8 bit.
    >>> dispatch_bytes(10, 64, 1000, 2, 8, 32)
    620000.0
    """
    reached = minimum(n_experts_per_token, n_accelerators) * (n_accelerators - 1) / n_accelerators
    return 2 * n_moe_layers * (tokens / n_accelerators) * reached * d_model * activation_bytes_per_value


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


def static_energy_j(
    n_accelerators, tdp_w, static_tdp_share, serving_time_s, waiting_tdp_share, device_time_s
):  # fmt: skip
    """Energy that flows in a step whatever the work. [J]

    waiting_tdp_share: flows while the boards wait for the host, clocks up and nothing running.
    Own derivation. Left out: clocks that fall in long waits.
    >>> static_energy_j(2, 700, 0.2, 0.03, 0.15, 0.02)
    7.7
    """
    waits = serving_time_s - device_time_s
    return n_accelerators * tdp_w * (static_tdp_share * device_time_s + waiting_tdp_share * waits)


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


def clocked_bandwidth_share(clock_ratio, bandwidth_clock_share):
    """Bandwidth at a lower clock over that at the highest. [1]

    clock_ratio: over the highest clock.
    bandwidth_clock_share: from here on multiprocessors ask for less than memory can give.
    Own derivation. Left out: that the bend is smooth.
    >>> clocked_bandwidth_share(0.3, 0.6)
    0.5
    """
    return minimum(clock_ratio / bandwidth_clock_share, 1)


def clocked_byte_share(clocked_price, chip_byte_share):
    """Energy of a byte at a lower clock over that at the highest. [1]

    Own derivation: the part on the chip feels the voltage, the memory's own does not. Left out: memory clocks that
    some boards lower as well.
    >>> clocked_byte_share(0.8, 0.5)
    0.9
    """
    return 1 - chip_byte_share * (1 - clocked_price)


def carried_ratio(measured_ratio, batch, measured_batch, half_kept_ratio):
    """What a measurement at one batch multiplies a prediction at another one with. [1]

    measured_ratio: measured over predicted, at `measured_batch`.
    half_kept_ratio: where a batch is so many times larger or smaller, half of the logarithm of that ratio is left.
    Own derivation: what binds a step changes with the batch, and with it what a prediction errs by. Left out: that some
    errors, such as those of the bandwidth reached, stay.
    >>> carried_ratio(0.81, 8, 8, 4), carried_ratio(0.81, 2, 8, 4)
    (0.81, 0.9)
    """
    apart = log(maximum(batch / measured_batch, measured_batch / batch))
    return exp(log(measured_ratio) * exp(-log(2) * apart / log(half_kept_ratio)))


def clocked_static_share(static_tdp_share, idle_tdp_share, clock_ratio, clocked_price):
    """Power that flows whatever the work at a lower clock, over the rating. [1]

    clock_ratio: over the highest clock.
    Own derivation: what an idle board draws stays, the rest goes with the clock and its voltage. Left out: leakage,
    which falls with the voltage too.
    >>> clocked_static_share(0.2, 0.1, 0.5, 0.8)
    0.14
    """
    return idle_tdp_share + (static_tdp_share - idle_tdp_share) * clock_ratio * clocked_price
