"""What a measure saves: of a part, of the step, and per operation of other machines."""

from llmpower.formulas.elementwise import minimum


def effective_efficiency(layer_one_factor, layer_two_factor, layer_three_factor):
    """Gain of all layers as the article multiplies them. [1]

    Line 232 of [plasmon2026power]_. Left out: each layer acts on a part of the bill, so no bound either way.
    >>> effective_efficiency(1.25, 16, 1)
    20.0
    """
    return layer_one_factor * layer_two_factor * layer_three_factor


def total_saved_share(affected_share, saved_share):
    """Share of a bill saved by a measure that acts on a part of it. [1]

    saved_share: of that part.
    The law of [amdahl1967validity]_ for energy. Left out: a longer or shorter step, which moves static energy.
    >>> total_saved_share(0.5, 0.75)
    0.375
    """
    return affected_share * saved_share


def saving_limit(affected_share):
    """Factor by which a bill shrinks when one part becomes free and the step takes as long as before. [1]

    affected_share: it becomes free.
    The law of [amdahl1967validity]_, written for energy. Left out: as in `total_saved_share`. Where the free part set
    the time, static energy falls with it and the bill shrinks by more.
    >>> saving_limit(0.75)
    4.0
    """
    return 1 / (1 - affected_share)


def same_part_excess(affected_share, first_factor, second_factor):
    """What two measures on one part leave beyond the product of their single effects. [1]

    affected_share: both act on it.
    same_part_excess: a share of the bill.
    Own derivation: with a the share, 1 - a + a r1 r2 less the product of 1 - a + a r1 and 1 - a + a r2. Left out:
    measures on different parts, for which the product is too large instead, by the product of both savings.
    >>> same_part_excess(0.5, 0.0, 0.0)
    0.25
    """
    return affected_share * (1 - affected_share) * (1 - first_factor) * (1 - second_factor)


def static_energy_j(static_w, step_time_s):
    """Energy that flows during a step whatever the work. [J]

    Own derivation. With n accelerators the power is n times as large and the time n times as short, so their number
    cancels. Left out: time beyond the lower bound, so low.
    >>> static_energy_j(70.0, 0.04)
    2.8
    """
    return static_w * step_time_s


def whole_energy_j(movement_energy_j, compute_energy_j, static_energy_j):
    """Energy of a step with all its parts. [J]

    Own derivation. Left out: links between accelerators and everything outside the accelerator, so low.
    >>> whole_energy_j(9.0, 0.5, 2.5)
    12.0
    """
    return movement_energy_j + compute_energy_j + static_energy_j


def remaining_share(energy_with_j, energy_without_j):
    """What measures leave of a bill. [1]

    remaining_share: above one where they cost more.
    Own derivation. Left out: nothing.
    >>> remaining_share(3.0, 12.0)
    0.25
    """
    return energy_with_j / energy_without_j


def touched_share(params_shared, params_routed, expert_share):
    """Share of the multiplied weights that a step of a mixture touches. [1]

    touched_share: over all parameters that are multiplied with.
    Own derivation. Left out: the router, far below one percent.
    >>> touched_share(1.0e9, 7.0e9, 0.25)
    0.34375
    """
    return (params_shared + expert_share * params_routed) / (params_shared + params_routed)


def weight_traffic_share(touched_share, quantized_bytes_per_param, bytes_per_param):
    """What mixture and quantization together leave of the weight traffic. [1]

    weight_traffic_share: a ratio of bytes.
    Own derivation. Here the factors do multiply, since both act on the same bytes and on nothing else. Left out: the
    cache, arithmetic, static energy.
    >>> weight_traffic_share(0.25, 0.5, 2.0)
    0.0625
    """
    return touched_share * quantized_bytes_per_param / bytes_per_param


def equivalent_params(params_total, remaining_share):
    """Parameters of a dense network at full width with the same traffic. [1]

    remaining_share: of its traffic.
    Own derivation. Left out: memory capacity, which the measures do not reduce alike, and arithmetic.
    >>> equivalent_params(70.0e9, 0.0625)
    4375000000.0
    """
    return params_total * remaining_share


def feed_forward_params(n_layers, d_model, d_ff):
    """Parameters of gated feed-forward layers. [1]

    feed_forward_params: three matrices a layer.
    Own derivation for gated layers, as in all dense networks here except the hybrids. Left out: biases.
    >>> feed_forward_params(2, 10, 40)
    2400
    """
    return 3 * n_layers * d_model * d_ff


def sparse_kv_bytes(context_tokens, selected_tokens, n_full_layers, index_bytes, kv_values, kv_bytes_per_value):
    """Cache that sparse attention reads per sequence in layers that see the whole context. [B]

    Own derivation, for an index that looks at every token and a fixed number of selected ones. Left out: memory bursts
    that a scattered read wastes, so low.
    >>> sparse_kv_bytes(8192, 2048, 1, 128, 576, 2)
    3407872
    """
    return n_full_layers * (
        context_tokens * index_bytes + minimum(context_tokens, selected_tokens) * kv_values * kv_bytes_per_value
    )


def index_flop(context_tokens, n_full_layers, index_heads, index_width, flop_per_mac):
    """Arithmetic of the index that chooses the tokens, for one new token. [FLOP]

    Own derivation: one score per head and token. Left out: sorting the scores, and an index that computes at 8 bit.
    >>> index_flop(1000, 2, 4, 8, 2)
    128000
    """
    return flop_per_mac * index_heads * index_width * context_tokens * n_full_layers


def logic_energy_j_per_byte(memory_energy_j_per_byte, device_energy_j_per_byte, saved_share):
    """Energy per byte after the logic outside the memory chips improved. [J/B]

    memory_energy_j_per_byte: along the whole path.
    device_energy_j_per_byte: stays as it is.
    saved_share: of the rest.
    Own derivation. Left out: interfaces and long wires improve less than logic, so low, and the saving high.
    >>> logic_energy_j_per_byte(90e-12, 30e-12, 0.5) * 1e12
    60.0
    """
    return device_energy_j_per_byte + (memory_energy_j_per_byte - device_energy_j_per_byte) * (1 - saved_share)


def reduced_energy_j_per_flop(energy_j_per_flop, saved_share):
    """Energy per operation after the logic improved. [J/FLOP]

    Own derivation. Left out: on-chip memories, which shrink less than logic, so low.
    >>> reduced_energy_j_per_flop(0.5e-12, 0.2) * 1e12
    0.4
    """
    return energy_j_per_flop * (1 - saved_share)


def clock_saved_share(clock_gain_share):
    """Power saved at the old clock when a gain of clock is given back as voltage. [1]

    clock_saved_share: a share of the switching energy.
    Own derivation: clock taken as proportional to voltage and energy as its square. Left out: the threshold voltage,
    near which less can be given back, so high.
    >>> clock_saved_share(1)
    0.75
    """
    return 1 - 1 / (1 + clock_gain_share) ** 2


def bank_energy_j_per_byte(activation_energy_j_per_byte, on_die_energy_j_per_byte):
    """Energy per byte that computing inside the memory leaves. [J/B]

    Own derivation from the parts of [oconnor2017finegrained]_. Arithmetic beside a bank saves some of the second part:
    then the result is high. Left out: that logic made in a memory process costs more, which makes it low.
    >>> bank_energy_j_per_byte(10e-12, 18e-12) * 1e12
    28.0
    """
    return activation_energy_j_per_byte + on_die_energy_j_per_byte


def reread_batch(memory_energy_j_per_byte, bank_energy_j_per_byte):
    """Batch up to which reading inside the memory, once per sequence, pays. [1]

    memory_energy_j_per_byte: one read that the whole batch shares.
    bank_energy_j_per_byte: once per sequence.
    Own derivation, for units beside the banks that hold one input vector. Left out: several, which move it up.
    >>> reread_batch(90e-12, 30e-12)
    3.0
    """
    return memory_energy_j_per_byte / bank_energy_j_per_byte


def power_energy_j_per_op(power_w, dense_flop_per_s):
    """Energy per operation of a machine at its full rate. [J/FLOP]

    Own derivation. Left out: partial use, at which an operation costs more.
    >>> power_energy_j_per_op(100.0, 1e14) * 1e12
    1.0
    """
    return power_w / dense_flop_per_s


def system_energy_j_per_op(core_energy_j_per_op, conversion_energy_j_per_op):
    """Energy per operation of an optical or analog machine. [J/FLOP]

    core_energy_j_per_op: light or current in the core itself.
    conversion_energy_j_per_op: to and from the core, steering included.
    Own derivation. Left out: memory that feeds the machine, so it is low.
    >>> system_energy_j_per_op(0.25e-12, 1.25e-12) * 1e12
    1.5
    """
    return core_energy_j_per_op + conversion_energy_j_per_op


def conversion_energy_j_per_op(conversion_energy_j, input_slices, weight_slices, products_per_conversion, flop_per_mac):
    """Energy of reading out an analog array, per operation. [J/FLOP]

    Own derivation for arrays as in [shafiee2016isaac]_. Left out: converters at inputs and the array itself, so low.
    >>> conversion_energy_j_per_op(2e-12, 1, 8, 128, 2) * 1e12
    0.0625
    """
    return conversion_energy_j * input_slices * weight_slices / (products_per_conversion * flop_per_mac)


def chips_needed(params_total, weights_per_chip):
    """Chips that hold all weights of a network. [1]

    chips_needed: whole ones are counted at the border.
    Own derivation. Left out: spare devices, so low.
    >>> chips_needed(45.0e6, 9.0e6)
    5.0
    """
    return params_total / weights_per_chip
