"""Energy, time and memory of one decode step.

A decode step produces one token for each of the B sequences in the batch.
"""

from llmpower.formulas.elementwise import maximum, minimum


def expert_share(n_experts, n_experts_per_token, batch):
    """Share of a layer's routed experts that a step of `batch` tokens touches. [1]

    n_experts: above zero.
    n_experts_per_token: at most `n_experts`.
    expert_share: expected distinct experts over all experts, 0 to 1.
    Own derivation: one token misses a given expert with probability 1 - k/E, and B independent tokens miss it with the
    B-th power of that. Left out: correlation between tokens and uneven popularity of experts, both of which touch fewer
    experts, so an upper bound.
    >>> expert_share(8, 2, 1)
    0.25
    >>> expert_share(8, 2, 2)
    0.4375
    """
    return 1 - (1 - n_experts_per_token / n_experts) ** batch


def params_touched(params_shared, params_routed, expert_share):
    """Parameters a step multiplies with. [1]

    params_shared: attention, dense layers, shared experts, output projection; not an input embedding only looked up.
    params_touched: with the share of a batch of one, the active parameters of a token.
    Own derivation. Left out: looked-up rows of the input embedding, a few kilobytes a token, so slightly low.
    >>> params_touched(1.0e9, 8.0e9, 0.25)
    3000000000.0
    """
    return params_shared + expert_share * params_routed


def weight_bytes(params_shared, params_routed, expert_share, shared_bytes_per_param, routed_bytes_per_param):
    """Bytes of weights that a step reads or, with an expert share of one, that memory holds. [B]

    params_shared: for what memory holds, the input embedding as well.
    Own derivation. Left out: looked-up rows of the input embedding, alignment, tables of the runtime, so slightly low.
    >>> weight_bytes(70.0e9, 0.0, 0.0, 2.0, 2.0)
    140000000000.0
    """
    return params_shared * shared_bytes_per_param + expert_share * params_routed * routed_bytes_per_param


def kv_values_gqa(n_kv_heads, head_dim):
    """Values a token leaves behind in one attention layer: keys and values. [1]

    n_kv_heads: all heads in multi-head attention, fewer in grouped-query attention.
    Own derivation from the layout of [ainslie2023gqa]_: a key and a value for each head kept. Left out: nothing.
    >>> kv_values_gqa(8, 128)
    2048
    """
    return 2 * n_kv_heads * head_dim


def kv_values_mla(mla_latent, mla_rope):
    """Values a token leaves behind in one layer of multi-head latent attention. [1]

    Own derivation from the layout of [deepseek2024v3]_: a compressed vector and a positional key. Left out: nothing.
    >>> kv_values_mla(512, 64)
    576
    """
    return mla_latent + mla_rope


def kv_positions(context_tokens, n_full_layers, n_window_layers, window_tokens):
    """Token positions a new token attends to, summed over the attention layers. [1]

    Own derivation. Left out: blocks that some runtimes read or keep beyond the window, so a lower bound for those.
    >>> kv_positions(1000, 2, 10, 100)
    3000
    """
    return n_full_layers * context_tokens + n_window_layers * minimum(context_tokens, window_tokens)


def kv_cache_bytes(kv_values, kv_positions, kv_bytes_per_value, state_values, state_bytes_per_value):
    """Bytes that one sequence keeps in memory between two steps. [B]

    kv_positions: those kept.
    state_values: summed over the layers; zero without such layers.
    Own derivation. Left out: unused parts of cache blocks, which add to it.
    >>> kv_cache_bytes(2048, 80 * 32768, 2, 0, 4)
    10737418240
    """
    return kv_values * kv_positions * kv_bytes_per_value + state_values * state_bytes_per_value


def kv_traffic_bytes(kv_cache_bytes, state_values, state_bytes_per_value):
    """Bytes of cache that one sequence moves in a step. [B]

    state_values: read and written back.
    Own derivation. Left out: writing the new token's keys and values, one part in `context_tokens`, so slightly low.
    >>> kv_traffic_bytes(100.0, 10.0, 2.0)
    120.0
    """
    return kv_cache_bytes + state_values * state_bytes_per_value


def linear_flop(params_active, flop_per_mac):
    """Arithmetic of all matrix products with weights, for one token. [FLOP]

    Own derivation; [kaplan2020scaling]_ counts two per parameter, too. Left out: normalisation, activations, sampling,
    well under one percent, so slightly low.
    >>> linear_flop(70.0e9, 2)
    140000000000.0
    """
    return flop_per_mac * params_active


def attention_flop(n_heads, score_width, value_width, kv_positions, flop_per_mac):
    """Arithmetic of attention scores and weighted values, for one token. [FLOP]

    score_width: the head width, or for latent attention the latent plus the positional width.
    value_width: the head width, or for latent attention the latent width.
    Own derivation: scores and values each take one product per head, position and width. Latent attention is counted in
    its absorbed form. Left out: the softmax, about one operation in `head_dim`, so slightly low.
    >>> attention_flop(64, 128, 128, 80 * 32768, 2)
    85899345920
    """
    return flop_per_mac * n_heads * (score_width + value_width) * kv_positions


def step_bytes(weight_bytes, batch, kv_traffic_bytes):
    """Bytes that a step moves: the weights once, a cache for every sequence. [B]

    Own derivation. Left out: activations and traffic between accelerators, which add to it.
    >>> step_bytes(100.0, 4, 5.0)
    120.0
    """
    return weight_bytes + batch * kv_traffic_bytes


def step_flop(batch, linear_flop, attention_flop):
    """Operations of a step: each sequence brings its own. [FLOP]

    Own derivation. Left out: sampling, well under one percent, so slightly low.
    >>> step_flop(4, 10.0, 5.0)
    60.0
    """
    return batch * (linear_flop + attention_flop)


def movement_energy_j(n_bytes, energy_j_per_byte):
    """Energy to move data from memory to where it is used. [J]

    energy_j_per_byte: along the path that is counted.
    Own derivation. Left out: memory power that does not follow traffic (refresh, idle interface): low at low traffic.
    >>> movement_energy_j(140e9, 160e-12)
    22.4
    """
    return n_bytes * energy_j_per_byte


def compute_energy_j(n_flop, energy_j_per_flop):
    """Energy of arithmetic. [J]

    energy_j_per_flop: at the precision used.
    Own derivation. Left out: instruction and register traffic, as far as the constant does not contain it.
    >>> compute_energy_j(140e9, 0.3e-12)
    0.042
    """
    return n_flop * energy_j_per_flop


def movement_share(weight_energy_j, kv_energy_j, compute_energy_j):
    """Share of dynamic energy that moves data. [1]

    movement_share: movement over movement plus arithmetic, 0 to 1.
    Own derivation. Left out: everything that is neither, above all power that flows regardless of work; so this is a
    share of *dynamic* energy, not of the power a meter shows.
    >>> movement_share(3.0, 1.0, 4.0)
    0.5
    """
    return (weight_energy_j + kv_energy_j) / (weight_energy_j + kv_energy_j + compute_energy_j)


def break_even_batch(weight_energy_j, kv_sequence_energy_j, compute_sequence_energy_j):
    """Batch at which moving data and computing cost the same. [1]

    weight_energy_j: once, for the whole step.
    break_even_batch: negative when a cache costs more than its arithmetic: then movement dominates at every batch.
    Own derivation: E_W + B E_KV = B E_C solved for B. Valid for dense models; with experts E_W itself grows with B.
    Left out: as in `movement_share`.
    >>> break_even_batch(10.0, 1.0, 2.0)
    10.0
    """
    return weight_energy_j / (compute_sequence_energy_j - kv_sequence_energy_j)


def memory_time_s(n_bytes, n_accelerators, memory_bandwidth_bytes_per_s):
    """Shortest time to move data through the memory interfaces. [s]

    n_bytes: by all accelerators together.
    memory_bandwidth_bytes_per_s: the rating of one.
    Own derivation. Left out: achieved bandwidth below the rating and uneven shares, so a lower bound.
    >>> memory_time_s(140e9, 1, 3.35e12)
    0.0417910447761194
    """
    return n_bytes / (n_accelerators * memory_bandwidth_bytes_per_s)


def compute_time_s(n_flop, n_accelerators, dense_flop_per_s):
    """Shortest time for an amount of arithmetic. [s]

    n_flop: of all accelerators together.
    dense_flop_per_s: the rating of one.
    Own derivation. Left out: achieved rates below the rating, so a lower bound.
    >>> compute_time_s(1.0e12, 2, 1.0e15)
    0.0005
    """
    return n_flop / (n_accelerators * dense_flop_per_s)


def step_time_s(memory_time_s, compute_time_s):
    """Shortest time of a step when movement and arithmetic overlap fully. [s]

    The roofline of [williams2009roofline]_ as a time. Left out: launch, synchronisation and links, so a lower bound.
    >>> step_time_s(0.04, 0.001)
    0.04
    """
    return maximum(memory_time_s, compute_time_s)


def tokens_per_s(batch, step_time_s):
    """Tokens per second of all sequences together. [1/s]

    tokens_per_s: an upper bound if the time is a lower bound.
    Own derivation. Left out: prefill, which takes time from decoding.
    >>> tokens_per_s(32, 0.04)
    800.0
    """
    return batch / step_time_s


def power_w(energy_j, time_s):
    """Mean power of an amount of energy spent in a time. [W]

    Definition of power. Own derivation. Left out: nothing.
    >>> power_w(22.4, 0.04)
    560.0
    """
    return energy_j / time_s


def energy_j(power_w, time_s):
    """Energy of a power that flows for a time. [J]

    Own derivation: `power_w` turned round. Left out: changes within that time, such as growth or deeper sleep.
    >>> energy_j(200.0, 0.02)
    4.0
    """
    return power_w * time_s


def memory_power_w(memory_bandwidth_bytes_per_s, energy_j_per_byte):
    """Power that moving data takes when the memory runs at its rated bandwidth. [W]

    energy_j_per_byte: along the path that is counted.
    Own derivation. A constant that gives more than the board's rating cannot be the cost of memory alone. Left out:
    power that does not follow traffic.
    >>> memory_power_w(4.8e12, 160e-12)
    768.0
    """
    return memory_bandwidth_bytes_per_s * energy_j_per_byte


def energy_per_token_j(energy_j, batch):
    """Energy of a step divided among its tokens. [J]

    batch: each receives one token.
    Own derivation. Left out: the prompt, which is paid for before decoding.
    >>> energy_per_token_j(64.0, 32)
    2.0
    """
    return energy_j / batch


def memory_needed_bytes(stored_weight_bytes, kv_cache_bytes, batch):
    """Memory that weights and all caches occupy. [B]

    stored_weight_bytes: input embedding included.
    Own derivation. Left out: activations, buffers and the runtime, some GB per accelerator, so a lower bound.
    >>> memory_needed_bytes(140.0, 10.0, 2)
    160.0
    """
    return stored_weight_bytes + batch * kv_cache_bytes


def usable_bytes(n_accelerators, memory_bytes, memory_share):
    """Memory that weights and caches may take. [B]

    memory_bytes: of one, as its maker prints it.
    memory_share: servers keep the rest back for activations, captured graphs and the runtime (GPU memory utilization).
    Own derivation. Left out: that a board may hold up to 7 % more than is printed, and that what is kept back hardly
    depends on the size of the memory.
    >>> usable_bytes(2, 80.0, 0.75)
    120.0
    """
    return n_accelerators * memory_share * memory_bytes


def memory_fill(memory_needed_bytes, usable_bytes):
    """Need over what may be used; above one it does not fit. [1]

    memory_fill: for one accelerator, its ceiling is how many would do.
    Own derivation. Left out: sharding limits such as a number of heads that the number of accelerators must divide,
    which ask for more.
    >>> memory_fill(160.0, 80.0)
    2.0
    """
    return memory_needed_bytes / usable_bytes


def break_even_batch_weights(bytes_per_param, flop_per_mac, energy_j_per_byte, energy_j_per_flop):
    """Break-even batch of a dense model when the cache is left out. [1]

    break_even_batch_weights: the size of the model cancels.
    Own derivation: N b e_B = B f N e_F solved for B. Left out: the cache, which moves it up, in the end to infinity.
    >>> break_even_batch_weights(2, 2, 160e-12, 0.3e-12)
    533.3333333333334
    """
    return bytes_per_param * energy_j_per_byte / (flop_per_mac * energy_j_per_flop)


def ridge_batch(bytes_per_param, dense_flop_per_s, flop_per_mac, memory_bandwidth_bytes_per_s):
    """Batch at which reading weights and multiplying with them take the same time. [1]

    ridge_batch: the size of a dense model cancels.
    Own derivation: N b / beta = B f N / phi solved for B, the ridge point of [williams2009roofline]_ as a batch. Left
    out: the cache, which moves it up.
    >>> ridge_batch(2, 1000.0, 2, 10.0)
    100.0
    """
    return bytes_per_param * dense_flop_per_s / (flop_per_mac * memory_bandwidth_bytes_per_s)


def stack_bandwidth_bytes_per_s(interface_bits, pin_rate_bytes_per_s):
    """Peak bandwidth of one memory stack. [B/s]

    Own derivation. Left out: refresh and turnarounds, so an upper bound.
    >>> stack_bandwidth_bytes_per_s(2048, 1e9)
    2048000000000.0
    """
    return interface_bits * pin_rate_bytes_per_s


def stack_bytes(dies_per_stack, die_bytes):
    """Capacity of one memory stack. [B]

    Own derivation. Left out: spare rows and error correction, which hold no data.
    >>> stack_bytes(16, 4e9)
    64000000000.0
    """
    return dies_per_stack * die_bytes
