"""What a measure saves: of a part, of the step, and per operation of other machines."""

from llmpower.formulas.elementwise import minimum


def effective_efficiency(layer_one_factor, layer_two_factor, layer_three_factor):
    r"""Gain of all layers as the article multiplies them.

    Parameters
    ----------
    layer_one_factor : float
        Gain of the chip. [1]
    layer_two_factor : float
        Gain of the network. [1]
    layer_three_factor : float
        Gain of another kind of machine. [1]

    Returns
    -------
    effective_efficiency : float
        Product of the three. [1]

    Notes
    -----
    Line 232 of [plasmon2026power]_. Left out: that each layer acts on a part
    of the bill only, so the product is neither an upper nor a lower bound.

    Examples
    --------
    >>> effective_efficiency(1.25, 16, 1)
    20.0
    """
    return layer_one_factor * layer_two_factor * layer_three_factor


def total_saved_share(affected_share, saved_share):
    r"""Share of a bill saved by a measure that acts on a part of it.

    Parameters
    ----------
    affected_share : float
        Share of the bill that the measure acts on. [1]
    saved_share : float
        Share of that part which it saves. [1]

    Returns
    -------
    total_saved_share : float
        Share of the whole bill. [1]

    Notes
    -----
    The law of [amdahl1967validity]_, written for energy. Left out: that a
    measure may lengthen or shorten the step, which moves static energy.

    Examples
    --------
    >>> total_saved_share(0.5, 0.75)
    0.375
    """
    return affected_share * saved_share


def saving_limit(affected_share):
    r"""Factor by which a bill shrinks when one part becomes free and the step takes as long as before.

    Parameters
    ----------
    affected_share : float
        Share of the bill that becomes free. [1]

    Returns
    -------
    saving_limit : float
        Factor. [1]

    Notes
    -----
    The law of [amdahl1967validity]_, written for energy. Left out: as in
    `total_saved_share`. Where the free part set the time, static energy falls
    with it and the bill shrinks by more.

    Examples
    --------
    >>> saving_limit(0.75)
    4.0
    """
    return 1 / (1 - affected_share)


def same_part_excess(affected_share, first_factor, second_factor):
    r"""What two measures on one part leave beyond the product of their single effects.

    Parameters
    ----------
    affected_share : float
        Share of the bill that both act on. [1]
    first_factor : float
        What the first leaves of that part. [1]
    second_factor : float
        What the second leaves of that part. [1]

    Returns
    -------
    same_part_excess : float
        Share of the bill. [1]

    Notes
    -----
    Own derivation: with a the share, 1 - a + a r1 r2 less the product of
    1 - a + a r1 and 1 - a + a r2. Left out: measures on different parts, for
    which the product is too large instead, by the product of both savings.

    Examples
    --------
    >>> same_part_excess(0.5, 0.0, 0.0)
    0.25
    """
    return affected_share * (1 - affected_share) * (1 - first_factor) * (1 - second_factor)


def static_energy_j(static_w, step_time_s):
    r"""Energy that flows during a step whatever the work.

    Parameters
    ----------
    static_w : float
        Power that flows whatever the work. [W]
    step_time_s : float
        Time of the step. [s]

    Returns
    -------
    static_energy_j : float
        Energy. [J]

    Notes
    -----
    Own derivation. With n accelerators the power is n times as large and the
    time n times as short, so their number cancels. Left out: time beyond the
    lower bound, so the result is low.

    Examples
    --------
    >>> static_energy_j(70.0, 0.04)
    2.8
    """
    return static_w * step_time_s


def whole_energy_j(movement_energy_j, compute_energy_j, static_energy_j):
    r"""Energy of a step with all its parts.

    Parameters
    ----------
    movement_energy_j : float
        Energy of moving data. [J]
    compute_energy_j : float
        Energy of arithmetic. [J]
    static_energy_j : float
        Energy that flows whatever the work. [J]

    Returns
    -------
    whole_energy_j : float
        Energy. [J]

    Notes
    -----
    Own derivation. Left out: links between accelerators and everything
    outside the accelerator, so the result is low.

    Examples
    --------
    >>> whole_energy_j(9.0, 0.5, 2.5)
    12.0
    """
    return movement_energy_j + compute_energy_j + static_energy_j


def remaining_share(energy_with_j, energy_without_j):
    r"""What measures leave of a bill.

    Parameters
    ----------
    energy_with_j : float
        Energy with the measures. [J]
    energy_without_j : float
        Energy without them. [J]

    Returns
    -------
    remaining_share : float
        Ratio; above one where they cost more. [1]

    Notes
    -----
    Own derivation. Left out: nothing.

    Examples
    --------
    >>> remaining_share(3.0, 12.0)
    0.25
    """
    return energy_with_j / energy_without_j


def touched_share(params_shared, params_routed, expert_share):
    r"""Share of the multiplied weights that a step of a mixture touches.

    Parameters
    ----------
    params_shared : float
        Parameters that every token uses. [1]
    params_routed : float
        Parameters of the routed experts. [1]
    expert_share : float
        Share of those experts that the step touches. [1]

    Returns
    -------
    touched_share : float
        Over all parameters that are multiplied with. [1]

    Notes
    -----
    Own derivation. Left out: the router, far below one percent.

    Examples
    --------
    >>> touched_share(1.0e9, 7.0e9, 0.25)
    0.34375
    """
    return (params_shared + expert_share * params_routed) / (params_shared + params_routed)


def weight_traffic_share(touched_share, quantized_bytes_per_param, bytes_per_param):
    r"""What mixture and quantization together leave of the weight traffic.

    Parameters
    ----------
    touched_share : float
        Share of the weights that the step touches. [1]
    quantized_bytes_per_param : float
        Width of a quantized weight. [B]
    bytes_per_param : float
        Width of a weight before. [B]

    Returns
    -------
    weight_traffic_share : float
        Ratio of bytes. [1]

    Notes
    -----
    Own derivation. Here the factors do multiply, since both act on the same
    bytes and on nothing else. Left out: the cache, arithmetic, static energy.

    Examples
    --------
    >>> weight_traffic_share(0.25, 0.5, 2.0)
    0.0625
    """
    return touched_share * quantized_bytes_per_param / bytes_per_param


def equivalent_params(params_total, remaining_share):
    r"""Parameters of a dense network at full width with the same traffic.

    Parameters
    ----------
    params_total : float
        Parameters of the network. [1]
    remaining_share : float
        What the measures leave of its traffic. [1]

    Returns
    -------
    equivalent_params : float
        Parameters. [1]

    Notes
    -----
    Own derivation. Left out: memory capacity, which the measures do not
    reduce alike, and arithmetic.

    Examples
    --------
    >>> equivalent_params(70.0e9, 0.0625)
    4375000000.0
    """
    return params_total * remaining_share


def feed_forward_params(n_layers, d_model, d_ff):
    r"""Parameters of gated feed-forward layers.

    Parameters
    ----------
    n_layers : float
        Blocks of the network. [1]
    d_model : float
        Width of the residual stream. [1]
    d_ff : float
        Inner width of the layer. [1]

    Returns
    -------
    feed_forward_params : float
        Parameters, three matrices a layer. [1]

    Notes
    -----
    Own derivation for gated layers, which all dense networks of this book
    have except the hybrids. Left out: biases.

    Examples
    --------
    >>> feed_forward_params(2, 10, 40)
    2400
    """
    return 3 * n_layers * d_model * d_ff


def sparse_kv_bytes(context_tokens, selected_tokens, n_full_layers, index_bytes, kv_values, kv_bytes_per_value):
    r"""Cache that sparse attention reads per sequence in layers that see the whole context.

    Parameters
    ----------
    context_tokens : float
        Tokens behind the new one. [1]
    selected_tokens : float
        Tokens that are then read in full. [1]
    n_full_layers : float
        Attention layers that see the whole context. [1]
    index_bytes : float
        Bytes that the index reads per token and layer. [B]
    kv_values : float
        Values per token and attention layer. [1]
    kv_bytes_per_value : float
        Width of a cached value. [B]

    Returns
    -------
    sparse_kv_bytes : float
        Bytes per sequence and step. [B]

    Notes
    -----
    Own derivation, for an index that looks at every token and a fixed number
    of selected ones. Left out: memory bursts that a scattered read wastes, so
    the result is low.

    Examples
    --------
    >>> sparse_kv_bytes(8192, 2048, 1, 128, 576, 2)
    3407872
    """
    return n_full_layers * (
        context_tokens * index_bytes + minimum(context_tokens, selected_tokens) * kv_values * kv_bytes_per_value
    )


def index_flop(context_tokens, n_full_layers, index_heads, index_width, flop_per_mac):
    r"""Arithmetic of the index that chooses the tokens, for one new token.

    Parameters
    ----------
    context_tokens : float
        Tokens behind the new one. [1]
    n_full_layers : float
        Attention layers that see the whole context. [1]
    index_heads : float
        Heads of the index. [1]
    index_width : float
        Width of an index head. [1]
    flop_per_mac : float
        Operations counted per multiply-and-add; by convention two. [FLOP]

    Returns
    -------
    index_flop : float
        Operations per token. [FLOP]

    Notes
    -----
    Own derivation: one score per head and token. Left out: sorting the
    scores, and that the index may compute at eight bit.

    Examples
    --------
    >>> index_flop(1000, 2, 4, 8, 2)
    128000
    """
    return flop_per_mac * index_heads * index_width * context_tokens * n_full_layers


def logic_energy_j_per_byte(memory_energy_j_per_byte, device_energy_j_per_byte, saved_share):
    r"""Energy per byte after the logic outside the memory chips improved.

    Parameters
    ----------
    memory_energy_j_per_byte : float
        Energy per byte along the whole path. [J/B]
    device_energy_j_per_byte : float
        Its part inside the memory chips, which stays. [J/B]
    saved_share : float
        Share of the rest that is saved. [1]

    Returns
    -------
    logic_energy_j_per_byte : float
        Energy per byte. [J/B]

    Notes
    -----
    Own derivation. Left out: that interfaces and long wires improve less than
    logic does, so the result is low and the saving high.

    Examples
    --------
    >>> logic_energy_j_per_byte(90e-12, 30e-12, 0.5) * 1e12
    60.0
    """
    return device_energy_j_per_byte + (memory_energy_j_per_byte - device_energy_j_per_byte) * (1 - saved_share)


def reduced_energy_j_per_flop(energy_j_per_flop, saved_share):
    r"""Energy per operation after the logic improved.

    Parameters
    ----------
    energy_j_per_flop : float
        Energy per operation before. [J/FLOP]
    saved_share : float
        Share that is saved. [1]

    Returns
    -------
    reduced_energy_j_per_flop : float
        Energy per operation. [J/FLOP]

    Notes
    -----
    Own derivation. Left out: on-chip memories, which shrink less than logic,
    so the result is low.

    Examples
    --------
    >>> reduced_energy_j_per_flop(0.5e-12, 0.2) * 1e12
    0.4
    """
    return energy_j_per_flop * (1 - saved_share)


def clock_saved_share(clock_gain_share):
    r"""Power saved at the old clock when a gain of clock is given back as voltage.

    Parameters
    ----------
    clock_gain_share : float
        Gain of clock rate at equal voltage. [1]

    Returns
    -------
    clock_saved_share : float
        Share of the switching energy. [1]

    Notes
    -----
    Own derivation: clock taken as proportional to voltage and energy as its
    square. Left out: the threshold voltage, near which less can be given back,
    so the result is high.

    Examples
    --------
    >>> clock_saved_share(1)
    0.75
    """
    return 1 - 1 / (1 + clock_gain_share) ** 2


def bank_energy_j_per_byte(activation_energy_j_per_byte, on_die_energy_j_per_byte):
    r"""Energy per byte that computing inside the memory leaves.

    Parameters
    ----------
    activation_energy_j_per_byte : float
        Energy per byte of opening a row. [J/B]
    on_die_energy_j_per_byte : float
        Energy per byte of moving data across the memory chip. [J/B]

    Returns
    -------
    bank_energy_j_per_byte : float
        Energy per byte. [J/B]

    Notes
    -----
    Own derivation from the parts of [oconnor2017finegrained]_. Arithmetic
    beside a bank saves some of the second part: then the result is high. Left
    out: that logic made in a memory process costs more, which makes it low.

    Examples
    --------
    >>> bank_energy_j_per_byte(10e-12, 18e-12) * 1e12
    28.0
    """
    return activation_energy_j_per_byte + on_die_energy_j_per_byte


def reread_batch(memory_energy_j_per_byte, bank_energy_j_per_byte):
    r"""Batch up to which reading inside the memory, once per sequence, pays.

    Parameters
    ----------
    memory_energy_j_per_byte : float
        Energy per byte of one read that the whole batch shares. [J/B]
    bank_energy_j_per_byte : float
        Energy per byte of a read inside the memory, once per sequence. [J/B]

    Returns
    -------
    reread_batch : float
        Sequences. [1]

    Notes
    -----
    Own derivation, for units beside the banks that hold one input vector at a
    time. Left out: units that keep several, which move it up.

    Examples
    --------
    >>> reread_batch(90e-12, 30e-12)
    3.0
    """
    return memory_energy_j_per_byte / bank_energy_j_per_byte


def power_energy_j_per_op(power_w, dense_flop_per_s):
    r"""Energy per operation of a machine at its full rate.

    Parameters
    ----------
    power_w : float
        Power. [W]
    dense_flop_per_s : float
        Operations per second. [FLOP/s]

    Returns
    -------
    power_energy_j_per_op : float
        Energy per operation. [J/FLOP]

    Notes
    -----
    Own derivation. Left out: partial use, at which an operation costs more.

    Examples
    --------
    >>> power_energy_j_per_op(100.0, 1e14) * 1e12
    1.0
    """
    return power_w / dense_flop_per_s


def system_energy_j_per_op(core_energy_j_per_op, conversion_energy_j_per_op):
    r"""Energy per operation of an optical or analog machine.

    Parameters
    ----------
    core_energy_j_per_op : float
        Light or current in the core itself. [J/FLOP]
    conversion_energy_j_per_op : float
        Converting to and from it, driving and steering it. [J/FLOP]

    Returns
    -------
    system_energy_j_per_op : float
        Energy per operation. [J/FLOP]

    Notes
    -----
    Own derivation. Left out: memory that feeds the machine, so it is low.

    Examples
    --------
    >>> system_energy_j_per_op(0.25e-12, 1.25e-12) * 1e12
    1.5
    """
    return core_energy_j_per_op + conversion_energy_j_per_op


def conversion_energy_j_per_op(conversion_energy_j, input_slices, weight_slices, products_per_conversion, flop_per_mac):
    r"""Energy of reading out an analog array, per operation.

    Parameters
    ----------
    conversion_energy_j : float
        Energy of one conversion. [J]
    input_slices : float
        Pieces into which an input is cut. [1]
    weight_slices : float
        Pieces into which a weight is cut. [1]
    products_per_conversion : float
        Products that one conversion reads together. [1]
    flop_per_mac : float
        Operations counted per multiply-and-add; by convention two. [FLOP]

    Returns
    -------
    conversion_energy_j_per_op : float
        Energy per operation. [J/FLOP]

    Notes
    -----
    Own derivation for arrays like that of [shafiee2016isaac]_. Left out:
    converters at the inputs and the array itself, so the result is low.

    Examples
    --------
    >>> conversion_energy_j_per_op(2e-12, 1, 8, 128, 2) * 1e12
    0.0625
    """
    return conversion_energy_j * input_slices * weight_slices / (products_per_conversion * flop_per_mac)


def chips_needed(params_total, weights_per_chip):
    r"""Chips that hold all weights of a network.

    Parameters
    ----------
    params_total : float
        Parameters of the network. [1]
    weights_per_chip : float
        Weights that one chip holds. [1]

    Returns
    -------
    chips_needed : float
        Chips; whole ones are counted at the border. [1]

    Notes
    -----
    Own derivation. Left out: spare devices, so the result is low.

    Examples
    --------
    >>> chips_needed(45.0e6, 9.0e6)
    5.0
    """
    return params_total / weights_per_chip
