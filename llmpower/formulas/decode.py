r"""Energy, time and memory of one decode step.

A decode step produces one token for each of the B sequences in the batch.
Every function is pure: no check, no rounding, no default for a measured input.
Names, symbols, units and ranges of all arguments stand in ``data/quantities.csv``.
"""

from llmpower.formulas.elementwise import maximum, minimum


def expert_share(n_experts, n_experts_per_token, batch):
    r"""Share of a layer's routed experts that a step of `batch` tokens touches.

    Parameters
    ----------
    n_experts : float
        Routed experts per layer, above zero. [1]
    n_experts_per_token : float
        Experts each token is sent to, at most `n_experts`. [1]
    batch : float
        Sequences decoded together. [1]

    Returns
    -------
    expert_share : float
        Expected distinct experts over all experts, 0 to 1. [1]

    Notes
    -----
    Own derivation: one token misses a given expert with probability
    1 - k/E, and B independent tokens miss it with the B-th power of that.
    Left out: correlation between tokens and uneven popularity of experts,
    both of which touch fewer experts, so this is an upper bound.

    Examples
    --------
    >>> expert_share(8, 2, 1)
    0.25
    >>> expert_share(8, 2, 2)
    0.4375
    """
    return 1 - (1 - n_experts_per_token / n_experts) ** batch


def params_touched(params_shared, params_routed, expert_share):
    r"""Parameters a step multiplies with.

    Parameters
    ----------
    params_shared : float
        Parameters every token uses: attention, dense layers, shared experts,
        output projection; not an input embedding that is only looked up. [1]
    params_routed : float
        Parameters of all routed experts; zero for a dense model. [1]
    expert_share : float
        Share of the routed experts touched, 0 to 1. [1]

    Returns
    -------
    params_touched : float
        Parameters read by the step. With the share of a batch of one these
        are the active parameters of a token. [1]

    Notes
    -----
    Own derivation. Left out: the rows of the input embedding that are looked
    up, a few kilobytes a token, so the result is slightly low.

    Examples
    --------
    >>> params_touched(1.0e9, 8.0e9, 0.25)
    3000000000.0
    """
    return params_shared + expert_share * params_routed


def weight_bytes(params_shared, params_routed, expert_share, shared_bytes_per_param, routed_bytes_per_param):
    r"""Bytes of weights that a step reads.

    Parameters
    ----------
    params_shared : float
        Parameters outside the routed experts. [1]
    params_routed : float
        Parameters of all routed experts; zero for a dense model. [1]
    expert_share : float
        Share of the routed experts touched, 0 to 1. [1]
    shared_bytes_per_param : float
        Width of a weight outside the routed experts. [B]
    routed_bytes_per_param : float
        Width of a weight inside them. [B]

    Returns
    -------
    weight_bytes : float
        Decimal bytes. [B]

    Notes
    -----
    Own derivation. Left out: the rows of the input embedding that are looked
    up, and tables of the runtime, so the result is slightly low.

    Examples
    --------
    >>> weight_bytes(70.0e9, 0.0, 0.0, 2.0, 2.0)
    140000000000.0
    """
    return params_shared * shared_bytes_per_param + expert_share * params_routed * routed_bytes_per_param


def stored_weight_bytes(params_total, params_routed, shared_bytes_per_param, routed_bytes_per_param):
    r"""Bytes of weights that memory holds.

    Parameters
    ----------
    params_total : float
        All parameters, the input embedding included. [1]
    params_routed : float
        Those of the routed experts; zero for a dense model. [1]
    shared_bytes_per_param : float
        Width of a weight outside the routed experts. [B]
    routed_bytes_per_param : float
        Width of a weight inside them. [B]

    Returns
    -------
    stored_weight_bytes : float
        Decimal bytes. [B]

    Notes
    -----
    Own derivation. Left out: alignment and tables of the runtime, which add to it.

    Examples
    --------
    >>> stored_weight_bytes(70.0e9, 0.0, 2.0, 2.0)
    140000000000.0
    """
    return (params_total - params_routed) * shared_bytes_per_param + params_routed * routed_bytes_per_param


def kv_values_gqa(n_kv_heads, head_dim):
    r"""Values a token leaves behind in one attention layer: keys and values.

    Parameters
    ----------
    n_kv_heads : float
        Key-value heads: all heads in multi-head attention, fewer in
        grouped-query attention. [1]
    head_dim : float
        Width of a head. [1]

    Returns
    -------
    kv_values_gqa : float
        Values per token and layer. [1]

    Notes
    -----
    Own derivation from the layout of [ainslie2023gqa]_: a key and a value for
    each head kept. Left out: nothing.

    Examples
    --------
    >>> kv_values_gqa(8, 128)
    2048
    """
    return 2 * n_kv_heads * head_dim


def kv_values_mla(mla_latent, mla_rope):
    r"""Values a token leaves behind in one layer of multi-head latent attention.

    Parameters
    ----------
    mla_latent : float
        Width of the compressed key-value vector. [1]
    mla_rope : float
        Width of the decoupled positional key. [1]

    Returns
    -------
    kv_values_mla : float
        Values per token and layer. [1]

    Notes
    -----
    Own derivation from the layout of [deepseek2024v3]_: one compressed vector
    and one positional key. Left out: nothing.

    Examples
    --------
    >>> kv_values_mla(512, 64)
    576
    """
    return mla_latent + mla_rope


def kv_positions(context_tokens, n_full_layers, n_window_layers, window_tokens):
    r"""Token positions a new token attends to, summed over the attention layers.

    Parameters
    ----------
    context_tokens : float
        Tokens behind the new one. [1]
    n_full_layers : float
        Attention layers that see all of them. [1]
    n_window_layers : float
        Attention layers that see a window. [1]
    window_tokens : float
        Width of that window. [1]

    Returns
    -------
    kv_positions : float
        Positions, layers times tokens. [1]

    Notes
    -----
    Own derivation. Left out: runtimes that read or keep whole windows' worth
    of blocks beyond the window, so the result is a lower bound for those.

    Examples
    --------
    >>> kv_positions(1000, 2, 10, 100)
    3000
    """
    return n_full_layers * context_tokens + n_window_layers * minimum(context_tokens, window_tokens)


def kv_cache_bytes(kv_values, kv_positions, kv_bytes_per_value, state_values, state_bytes_per_value):
    r"""Bytes that one sequence keeps in memory between two steps.

    Parameters
    ----------
    kv_values : float
        Values per token and attention layer. [1]
    kv_positions : float
        Positions kept, summed over the attention layers. [1]
    kv_bytes_per_value : float
        Width of a cached value. [B]
    state_values : float
        Values of recurrent state per sequence, summed over the layers; zero
        without such layers. [1]
    state_bytes_per_value : float
        Width of a value of the state. [B]

    Returns
    -------
    kv_cache_bytes : float
        Bytes per sequence. [B]

    Notes
    -----
    Own derivation. Left out: unused parts of cache blocks, which add to it.

    Examples
    --------
    >>> kv_cache_bytes(2048, 80 * 32768, 2, 0, 4)
    10737418240
    """
    return kv_values * kv_positions * kv_bytes_per_value + state_values * state_bytes_per_value


def kv_traffic_bytes(kv_cache_bytes, state_values, state_bytes_per_value):
    r"""Bytes of cache that one sequence moves in a step.

    Parameters
    ----------
    kv_cache_bytes : float
        Bytes the sequence keeps. [B]
    state_values : float
        Values of recurrent state, read and written back. [1]
    state_bytes_per_value : float
        Width of a value of the state. [B]

    Returns
    -------
    kv_traffic_bytes : float
        Bytes read, and state written, per sequence and step. [B]

    Notes
    -----
    Own derivation. Left out: writing the new token's keys and values, one
    part in `context_tokens`, so the result is slightly low.

    Examples
    --------
    >>> kv_traffic_bytes(100.0, 10.0, 2.0)
    120.0
    """
    return kv_cache_bytes + state_values * state_bytes_per_value


def linear_flop(params_active, flop_per_mac):
    r"""Arithmetic of all matrix products with weights, for one token.

    Parameters
    ----------
    params_active : float
        Parameters the token is multiplied with. [1]
    flop_per_mac : float
        Operations counted per multiply-and-add; by convention two. [FLOP]

    Returns
    -------
    linear_flop : float
        Operations per token. [FLOP]

    Notes
    -----
    Own derivation; [kaplan2020scaling]_ counts two per parameter, too. Left out:
    normalisation, activations, sampling, well under one percent, so slightly low.

    Examples
    --------
    >>> linear_flop(70.0e9, 2)
    140000000000.0
    """
    return flop_per_mac * params_active


def attention_flop(n_heads, score_width, value_width, kv_positions, flop_per_mac):
    r"""Arithmetic of attention scores and weighted values, for one token.

    Parameters
    ----------
    n_heads : float
        Query heads. [1]
    score_width : float
        Products per head and position for the score: the head width, or for
        latent attention the latent plus the positional width. [1]
    value_width : float
        Products per head and position for the value: the head width, or for
        latent attention the latent width. [1]
    kv_positions : float
        Positions attended, summed over the attention layers. [1]
    flop_per_mac : float
        Operations counted per multiply-and-add; by convention two. [FLOP]

    Returns
    -------
    attention_flop : float
        Operations per token. [FLOP]

    Notes
    -----
    Own derivation: scores and values each take one product per head, position
    and width. Latent attention is counted in its absorbed form. Left out: the
    softmax, about one operation in `head_dim`, so slightly low.

    Examples
    --------
    >>> attention_flop(64, 128, 128, 80 * 32768, 2)
    85899345920
    """
    return flop_per_mac * n_heads * (score_width + value_width) * kv_positions


def step_bytes(weight_bytes, batch, kv_traffic_bytes):
    r"""Bytes that a step moves: the weights once, a cache for every sequence.

    Parameters
    ----------
    weight_bytes : float
        Weights read. [B]
    batch : float
        Sequences decoded together. [1]
    kv_traffic_bytes : float
        Cache that one sequence moves. [B]

    Returns
    -------
    step_bytes : float
        Bytes. [B]

    Notes
    -----
    Own derivation. Left out: activations and traffic between accelerators,
    which add to it.

    Examples
    --------
    >>> step_bytes(100.0, 4, 5.0)
    120.0
    """
    return weight_bytes + batch * kv_traffic_bytes


def step_flop(batch, linear_flop, attention_flop):
    r"""Operations of a step: each sequence brings its own.

    Parameters
    ----------
    batch : float
        Sequences decoded together. [1]
    linear_flop : float
        Arithmetic with weights per token. [FLOP]
    attention_flop : float
        Arithmetic of attention per token. [FLOP]

    Returns
    -------
    step_flop : float
        Operations. [FLOP]

    Notes
    -----
    Own derivation. Left out: sampling, well under one percent, so slightly low.

    Examples
    --------
    >>> step_flop(4, 10.0, 5.0)
    60.0
    """
    return batch * (linear_flop + attention_flop)


def movement_energy_j(n_bytes, energy_j_per_byte):
    r"""Energy to move data from memory to where it is used.

    Parameters
    ----------
    n_bytes : float
        Bytes moved. [B]
    energy_j_per_byte : float
        Energy per byte along the path that is counted. [J/B]

    Returns
    -------
    movement_energy_j : float
        Energy. [J]

    Notes
    -----
    Own derivation. Left out: the part of memory power that does not follow
    traffic (refresh, idle interface), so the result is low at low traffic.

    Examples
    --------
    >>> movement_energy_j(140e9, 160e-12)
    22.4
    """
    return n_bytes * energy_j_per_byte


def compute_energy_j(n_flop, energy_j_per_flop):
    r"""Energy of arithmetic.

    Parameters
    ----------
    n_flop : float
        Operations. [FLOP]
    energy_j_per_flop : float
        Energy per operation at the precision used. [J/FLOP]

    Returns
    -------
    compute_energy_j : float
        Energy. [J]

    Notes
    -----
    Own derivation. Left out: instruction and register traffic, as far as the
    constant does not contain it.

    Examples
    --------
    >>> compute_energy_j(140e9, 0.3e-12)
    0.042
    """
    return n_flop * energy_j_per_flop


def movement_share(weight_energy_j, kv_energy_j, compute_energy_j):
    r"""Share of dynamic energy that moves data.

    Parameters
    ----------
    weight_energy_j : float
        Energy of reading weights. [J]
    kv_energy_j : float
        Energy of reading the cache. [J]
    compute_energy_j : float
        Energy of arithmetic. [J]

    Returns
    -------
    movement_share : float
        Movement over movement plus arithmetic, 0 to 1. [1]

    Notes
    -----
    Own derivation. Left out: everything that is neither, above all power that
    flows regardless of work; so this is a share of *dynamic* energy, not of
    the power a meter shows.

    Examples
    --------
    >>> movement_share(3.0, 1.0, 4.0)
    0.5
    """
    return (weight_energy_j + kv_energy_j) / (weight_energy_j + kv_energy_j + compute_energy_j)


def break_even_batch(weight_energy_j, kv_sequence_energy_j, compute_sequence_energy_j):
    r"""Batch at which moving data and computing cost the same.

    Parameters
    ----------
    weight_energy_j : float
        Energy of reading the weights once, for the whole step. [J]
    kv_sequence_energy_j : float
        Energy of reading one sequence's cache. [J]
    compute_sequence_energy_j : float
        Energy of one sequence's arithmetic. [J]

    Returns
    -------
    break_even_batch : float
        Sequences. Negative when the cache of a sequence costs more than its
        arithmetic: then movement dominates at every batch. [1]

    Notes
    -----
    Own derivation: E_W + B E_KV = B E_C solved for B. Valid for dense models;
    with experts E_W itself grows with B. Left out: as in `movement_share`.

    Examples
    --------
    >>> break_even_batch(10.0, 1.0, 2.0)
    10.0
    """
    return weight_energy_j / (compute_sequence_energy_j - kv_sequence_energy_j)


def memory_time_s(n_bytes, n_accelerators, memory_bandwidth_bytes_per_s):
    r"""Shortest time to move data through the memory interfaces.

    Parameters
    ----------
    n_bytes : float
        Bytes moved by all accelerators together. [B]
    n_accelerators : float
        Accelerators that share the work evenly. [1]
    memory_bandwidth_bytes_per_s : float
        Rated bandwidth of one. [B/s]

    Returns
    -------
    memory_time_s : float
        Time. [s]

    Notes
    -----
    Own derivation. Left out: achieved bandwidth below the rating and uneven
    shares, so this is a lower bound.

    Examples
    --------
    >>> memory_time_s(140e9, 1, 3.35e12)
    0.0417910447761194
    """
    return n_bytes / (n_accelerators * memory_bandwidth_bytes_per_s)


def compute_time_s(n_flop, n_accelerators, dense_flop_per_s):
    r"""Shortest time for an amount of arithmetic.

    Parameters
    ----------
    n_flop : float
        Operations of all accelerators together. [FLOP]
    n_accelerators : float
        Accelerators that share the work evenly. [1]
    dense_flop_per_s : float
        Rated dense peak of one, at the precision used. [FLOP/s]

    Returns
    -------
    compute_time_s : float
        Time. [s]

    Notes
    -----
    Own derivation. Left out: achieved rates below the rating, so this is a
    lower bound.

    Examples
    --------
    >>> compute_time_s(1.0e12, 2, 1.0e15)
    0.0005
    """
    return n_flop / (n_accelerators * dense_flop_per_s)


def step_time_s(memory_time_s, compute_time_s):
    r"""Shortest time of a step when movement and arithmetic overlap fully.

    Parameters
    ----------
    memory_time_s : float
        Time for the data. [s]
    compute_time_s : float
        Time for the arithmetic. [s]

    Returns
    -------
    step_time_s : float
        Time. [s]

    Notes
    -----
    The roofline model of [williams2009roofline]_, written as time. Left
    out: launch, synchronisation and links, so this is a lower bound.

    Examples
    --------
    >>> step_time_s(0.04, 0.001)
    0.04
    """
    return maximum(memory_time_s, compute_time_s)


def tokens_per_s(batch, step_time_s):
    r"""Tokens per second of all sequences together.

    Parameters
    ----------
    batch : float
        Sequences decoded together. [1]
    step_time_s : float
        Time of a step. [s]

    Returns
    -------
    tokens_per_s : float
        Rate; an upper bound if the time is a lower bound. [1/s]

    Notes
    -----
    Own derivation. Left out: prefill, which takes time from decoding.

    Examples
    --------
    >>> tokens_per_s(32, 0.04)
    800.0
    """
    return batch / step_time_s


def power_w(energy_j, time_s):
    r"""Mean power of an amount of energy spent in a time.

    Parameters
    ----------
    energy_j : float
        Energy. [J]
    time_s : float
        Time. [s]

    Returns
    -------
    power_w : float
        Mean power. [W]

    Notes
    -----
    Definition of power. Own derivation. Left out: nothing.

    Examples
    --------
    >>> power_w(22.4, 0.04)
    560.0
    """
    return energy_j / time_s


def memory_power_w(memory_bandwidth_bytes_per_s, energy_j_per_byte):
    r"""Power that moving data takes when the memory runs at its rated bandwidth.

    Parameters
    ----------
    memory_bandwidth_bytes_per_s : float
        Rated bandwidth. [B/s]
    energy_j_per_byte : float
        Energy per byte along the path that is counted. [J/B]

    Returns
    -------
    memory_power_w : float
        Power. [W]

    Notes
    -----
    Own derivation. A constant that gives more than the board's rating cannot
    be the cost of memory alone. Left out: power that does not follow traffic.

    Examples
    --------
    >>> memory_power_w(4.8e12, 160e-12)
    768.0
    """
    return memory_bandwidth_bytes_per_s * energy_j_per_byte


def energy_per_token_j(energy_j, batch):
    r"""Energy of a step divided among its tokens.

    Parameters
    ----------
    energy_j : float
        Energy of the step. [J]
    batch : float
        Sequences, each of which receives one token. [1]

    Returns
    -------
    energy_per_token_j : float
        Energy per output token. [J]

    Notes
    -----
    Own derivation. Left out: the prompt, which is paid for before decoding.

    Examples
    --------
    >>> energy_per_token_j(64.0, 32)
    2.0
    """
    return energy_j / batch


def memory_needed_bytes(stored_weight_bytes, kv_cache_bytes, batch):
    r"""Memory that weights and all caches occupy.

    Parameters
    ----------
    stored_weight_bytes : float
        Stored weights, input embedding included. [B]
    kv_cache_bytes : float
        Cache of one sequence. [B]
    batch : float
        Sequences. [1]

    Returns
    -------
    memory_needed_bytes : float
        Bytes over all accelerators. [B]

    Notes
    -----
    Own derivation. Left out: activations, communication buffers and the
    runtime itself, some gigabytes per accelerator, so this is a lower bound.

    Examples
    --------
    >>> memory_needed_bytes(140.0, 10.0, 2)
    160.0
    """
    return stored_weight_bytes + batch * kv_cache_bytes


def memory_fill(memory_needed_bytes, n_accelerators, memory_bytes):
    r"""Need over capacity; above one it does not fit.

    Parameters
    ----------
    memory_needed_bytes : float
        Need over all accelerators. [B]
    n_accelerators : float
        Accelerators that share the data evenly. [1]
    memory_bytes : float
        Capacity of one. [B]

    Returns
    -------
    memory_fill : float
        Ratio; for one accelerator its ceiling is how many would do. [1]

    Notes
    -----
    Own derivation. Left out: sharding limits such as a number of heads that
    the number of accelerators must divide, which ask for more.

    Examples
    --------
    >>> memory_fill(160.0, 1, 80.0)
    2.0
    """
    return memory_needed_bytes / (n_accelerators * memory_bytes)


def break_even_batch_weights(bytes_per_param, flop_per_mac, energy_j_per_byte, energy_j_per_flop):
    r"""Break-even batch of a dense model when the cache is left out.

    Parameters
    ----------
    bytes_per_param : float
        Width of a weight. [B]
    flop_per_mac : float
        Operations counted per multiply-and-add; by convention two. [FLOP]
    energy_j_per_byte : float
        Energy per byte moved. [J/B]
    energy_j_per_flop : float
        Energy per operation. [J/FLOP]

    Returns
    -------
    break_even_batch_weights : float
        Sequences; the size of the model cancels. [1]

    Notes
    -----
    Own derivation: N b e_B = B f N e_F solved for B. Left out: the cache,
    which moves the break-even up, in the end to infinity.

    Examples
    --------
    >>> break_even_batch_weights(2, 2, 160e-12, 0.3e-12)
    533.3333333333334
    """
    return bytes_per_param * energy_j_per_byte / (flop_per_mac * energy_j_per_flop)


def ridge_batch(bytes_per_param, dense_flop_per_s, flop_per_mac, memory_bandwidth_bytes_per_s):
    r"""Batch at which reading weights and multiplying with them take the same time.

    Parameters
    ----------
    bytes_per_param : float
        Width of a weight. [B]
    dense_flop_per_s : float
        Rated dense peak, at the precision used. [FLOP/s]
    flop_per_mac : float
        Operations counted per multiply-and-add; by convention two. [FLOP]
    memory_bandwidth_bytes_per_s : float
        Rated bandwidth. [B/s]

    Returns
    -------
    ridge_batch : float
        Sequences; the size of a dense model cancels. [1]

    Notes
    -----
    Own derivation: N b / beta = B f N / phi solved for B, the ridge point of
    [williams2009roofline]_ as a batch. Left out: the cache, which moves it up.

    Examples
    --------
    >>> ridge_batch(2, 1000.0, 2, 10.0)
    100.0
    """
    return bytes_per_param * dense_flop_per_s / (flop_per_mac * memory_bandwidth_bytes_per_s)


def stack_bandwidth_bytes_per_s(interface_bits, pin_rate_bytes_per_s):
    r"""Peak bandwidth of one memory stack.

    Parameters
    ----------
    interface_bits : float
        Data pins. [1]
    pin_rate_bytes_per_s : float
        Data rate of a pin. [B/s]

    Returns
    -------
    stack_bandwidth_bytes_per_s : float
        Bandwidth. [B/s]

    Notes
    -----
    Own derivation. Left out: refresh and turnarounds, so this is an upper bound.

    Examples
    --------
    >>> stack_bandwidth_bytes_per_s(2048, 1e9)
    2048000000000.0
    """
    return interface_bits * pin_rate_bytes_per_s


def stack_bytes(dies_per_stack, die_bytes):
    r"""Capacity of one memory stack.

    Parameters
    ----------
    dies_per_stack : float
        Memory dies in the stack. [1]
    die_bytes : float
        Capacity of a die. [B]

    Returns
    -------
    stack_bytes : float
        Capacity. [B]

    Notes
    -----
    Own derivation. Left out: spare rows and error correction, which hold no data.

    Examples
    --------
    >>> stack_bytes(16, 4e9)
    64000000000.0
    """
    return dies_per_stack * die_bytes
