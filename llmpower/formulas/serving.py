"""Formulas of a step of serving software, as it is measured: not a bound, an expectation.

The bound of `decode` says how fast a step can be; these say how long it takes
and what the boards draw meanwhile, with constants fitted to measurements.
"""

from llmpower.formulas.elementwise import maximum, minimum, sqrt


def prompts_per_step(batch, output_tokens):
    r"""Prompts that begin, on average, in each step of a steady service.

    Parameters
    ----------
    batch : float
        Sequences decoded together. [1]
    output_tokens : float
        Output tokens per prompt. [1]

    Returns
    -------
    prompts_per_step : float
        Prompts. [1]

    Notes
    -----
    Own derivation: as many begin as end. Left out: a batch that fills or drains.

    Examples
    --------
    >>> prompts_per_step(64, 640)
    0.1
    """
    return batch / output_tokens


def prompt_step_share(prompts_per_step):
    r"""Share of the steps that carry a prompt.

    Parameters
    ----------
    prompts_per_step : float
        Prompts that begin in each step, on average. [1]

    Returns
    -------
    prompt_step_share : float
        Share of the steps. [1]

    Notes
    -----
    Own derivation. Left out: two prompts that begin in the same step by chance,
    and prompts so long that they are read in several steps.

    Examples
    --------
    >>> prompt_step_share(0.25)
    0.25
    """
    return minimum(prompts_per_step, 1)


def mixed_step_tokens(batch, prompts_per_step, prompt_tokens):
    r"""Tokens that go through the network in a step that carries a prompt.

    Parameters
    ----------
    batch : float
        Sequences decoded together, a token each. [1]
    prompts_per_step : float
        Prompts that begin in each step, on average. [1]
    prompt_tokens : float
        Tokens of a prompt that must be computed. [1]

    Returns
    -------
    mixed_step_tokens : float
        Tokens. [1]

    Notes
    -----
    Own derivation. Left out: the limit that serving software sets to the tokens
    of a step.

    Examples
    --------
    >>> mixed_step_tokens(64, 0.1, 500)
    564
    """
    return batch + maximum(prompts_per_step, 1) * prompt_tokens


def average_step(prompt_step_share, plain_step, mixed_step):
    r"""Mean over steps with and without a prompt, of a time, a traffic or any pure count.

    Parameters
    ----------
    prompt_step_share : float
        Share of the steps that carry a prompt. [1]
    plain_step : float
        What a step without a prompt takes. [1]
    mixed_step : float
        What a step with one takes. [1]

    Returns
    -------
    average_step : float
        The mean. [1]

    Notes
    -----
    Own derivation. Left out: that steps of one kind differ among themselves.

    Examples
    --------
    >>> average_step(0.25, 10.0, 30.0)
    15.0
    """
    return (1 - prompt_step_share) * plain_step + prompt_step_share * mixed_step


def rows_per_expert(tokens, n_experts, n_experts_per_token, expert_share):
    r"""Tokens that each touched expert works on.

    Parameters
    ----------
    tokens : float
        Tokens in the step. [1]
    n_experts : float
        Routed experts per layer. [1]
    n_experts_per_token : float
        Routed experts each token is sent to. [1]
    expert_share : float
        Share of the experts that the step touches. [1]

    Returns
    -------
    rows_per_expert : float
        Rows of the product. [1]

    Notes
    -----
    Own derivation. Left out: experts that are more popular than others.

    Examples
    --------
    >>> rows_per_expert(64, 128, 8, 1.0)
    4.0
    """
    return tokens * n_experts_per_token / (n_experts * expert_share)


def busiest_share(imbalance, normal_maximum, n_accelerators, n_experts, expert_share):
    r"""Work of the busiest accelerator over the mean when whole experts are spread over accelerators.

    Parameters
    ----------
    imbalance : float
        Relative spread of the work of one expert. [1]
    normal_maximum : float
        Expected largest of as many standard normal numbers as accelerators
        hold experts; 0 when every expert is cut over all of them. [1]
    n_accelerators : float
        Accelerators. [1]
    n_experts : float
        Routed experts per layer. [1]
    expert_share : float
        Share of the experts that the step touches. [1]

    Returns
    -------
    busiest_share : float
        Ratio, at least 1. [1]

    Notes
    -----
    Own derivation: an accelerator holds :math:`s_B E / n` touched experts, whose
    mean work spreads with the root of their number. Left out: popular experts
    that fall together, and copies of popular experts.

    Examples
    --------
    >>> busiest_share(1.0, 1.5, 8, 128, 1.0)
    1.375
    """
    return 1 + imbalance * normal_maximum * sqrt(n_accelerators / (n_experts * expert_share))


def expert_flop(params_routed, flop_per_mac, expert_share, rows_per_expert, padding_rows):
    r"""Operations of the routed experts in a step, filling-up included.

    Parameters
    ----------
    params_routed : float
        Parameters of all routed experts. [1]
    flop_per_mac : float
        Operations counted for a multiply-and-add. [FLOP]
    expert_share : float
        Share of the experts that the step touches. [1]
    rows_per_expert : float
        Tokens that each touched expert works on. [1]
    padding_rows : float
        Rows of nothing computed beside them. [1]

    Returns
    -------
    expert_flop : float
        Operations of all tokens together. [FLOP]

    Notes
    -----
    Own derivation. Left out: that rows are filled up to whole tiles, of which
    `padding_rows` is a mean.

    Examples
    --------
    >>> expert_flop(100, 2, 0.5, 4, 1)
    500.0
    """
    return flop_per_mac * params_routed * expert_share * (rows_per_expert + padding_rows)


def phase_time_s(memory_time_s, compute_time_s, overlap):
    r"""Time of a phase in which movement and arithmetic overlap in part.

    Parameters
    ----------
    memory_time_s : float
        Time to move its data. [s]
    compute_time_s : float
        Time for its arithmetic. [s]
    overlap : float
        0: one after the other; 1: as much overlap as this form has. [1]

    Returns
    -------
    phase_time_s : float
        Time, between the larger of the two and their sum. [s]

    Notes
    -----
    Own derivation: a smooth form without a kink, exact where one of the two
    vanishes. Left out: what decides the overlap, such as the size of a tile.

    Examples
    --------
    >>> phase_time_s(2.0, 2.0, 1.0)
    3.0
    """
    return memory_time_s + compute_time_s - overlap * memory_time_s * compute_time_s / (memory_time_s + compute_time_s)


def cache_copies(n_accelerators, n_kv_heads):
    r"""How often each cached value is kept when heads are shared out until there are none left.

    Parameters
    ----------
    n_accelerators : float
        Accelerators. [1]
    n_kv_heads : float
        Key-value heads; 1 for a latent cache, which every accelerator keeps whole. [1]

    Returns
    -------
    cache_copies : float
        Copies, at least 1. [1]

    Notes
    -----
    Own derivation. Left out: numbers of accelerators that do not divide the
    heads, and sequences that are spread instead of heads.

    Examples
    --------
    >>> cache_copies(16, 8)
    2.0
    """
    return maximum(n_accelerators / n_kv_heads, 1)


def allreduce_bytes(n_layers, tokens, d_model, activation_bytes_per_value):
    r"""Bytes that each accelerator sends in a step so that all hold the same sums.

    Parameters
    ----------
    n_layers : float
        Blocks of the network, two sums each. [1]
    tokens : float
        Tokens in the step. [1]
    d_model : float
        Width of the residual stream. [1]
    activation_bytes_per_value : float
        Width of a value that travels. [B]

    Returns
    -------
    allreduce_bytes : float
        Bytes out of one accelerator; as many come in. [B]

    Notes
    -----
    Own derivation: the sum is formed in the switch, so each value goes out once
    and comes back once. Left out: rings without such a switch, which send up to
    twice as much, and pipelines.

    Examples
    --------
    >>> allreduce_bytes(32, 100, 4096, 2)
    52428800
    """
    return 2 * n_layers * tokens * d_model * activation_bytes_per_value


def link_time_s(n_layers, allreduce_time_s, allreduce_bytes, link_bytes_per_s):
    r"""Time in which accelerators wait for each other's sums.

    Parameters
    ----------
    n_layers : float
        Blocks of the network, two sums each. [1]
    allreduce_time_s : float
        Time of one sum of next to nothing. [s]
    allreduce_bytes : float
        Bytes that each accelerator sends in the step. [B]
    link_bytes_per_s : float
        Bandwidth to the others, one direction. [B/s]

    Returns
    -------
    link_time_s : float
        Time per step. [s]

    Notes
    -----
    Own derivation. Left out: sums that hide behind arithmetic, and several servers.

    Examples
    --------
    >>> link_time_s(50, 10e-6, 1e9, 500e9)
    0.003
    """
    return 2 * n_layers * allreduce_time_s + allreduce_bytes / link_bytes_per_s


def overhead_time_s(n_layers, layer_time_s, batch, sequence_time_s, n_moe_layers, block_scaling_time_s):
    r"""Time of a step in which neither data nor arithmetic is the limit.

    Parameters
    ----------
    n_layers : float
        Blocks of the network. [1]
    layer_time_s : float
        Gaps between kernels and kernels too small to fill the machine, per block. [s]
    batch : float
        Sequences decoded together. [1]
    sequence_time_s : float
        Sampling and bookkeeping per sequence. [s]
    n_moe_layers : float
        Layers with routed experts in block-scaled 8 bit; 0 for other formats. [1]
    block_scaling_time_s : float
        Scaling of activations per such layer. [s]

    Returns
    -------
    overhead_time_s : float
        Time per step. [s]

    Notes
    -----
    Own derivation. Left out: host processors that cannot keep up, which makes
    small networks on fast accelerators slower than this.

    Examples
    --------
    >>> overhead_time_s(50, 60e-6, 100, 40e-6, 0, 1e-4)
    0.007
    """
    return n_layers * layer_time_s + batch * sequence_time_s + n_moe_layers * block_scaling_time_s


def prompt_gaps_s(prompt_step_share, n_moe_layers, prompt_layer_time_s):
    r"""Time lost because steps with a prompt do not follow the sequence of kernels that was captured for the others.

    Parameters
    ----------
    prompt_step_share : float
        Share of the steps that carry a prompt. [1]
    n_moe_layers : float
        Layers with routed experts. [1]
    prompt_layer_time_s : float
        Time lost in each of them. [s]

    Returns
    -------
    prompt_gaps_s : float
        Time per step, on average. [s]

    Notes
    -----
    Own derivation. Left out: networks without experts, where the loss is not
    told from the work on the prompt.

    Examples
    --------
    >>> prompt_gaps_s(0.5, 50, 2e-4)
    0.005
    """
    return prompt_step_share * n_moe_layers * prompt_layer_time_s


def serving_time_s(dense_time_s, expert_time_s, cache_time_s, link_time_s, overhead_time_s):
    r"""Time of a step: its phases follow one another.

    Parameters
    ----------
    dense_time_s : float
        Products with the weights that every token uses. [s]
    expert_time_s : float
        Products with routed experts. [s]
    cache_time_s : float
        Attention over the caches. [s]
    link_time_s : float
        Waiting for sums over accelerators. [s]
    overhead_time_s : float
        Gaps, sampling and bookkeeping. [s]

    Returns
    -------
    serving_time_s : float
        Time. [s]

    Notes
    -----
    Own derivation. Left out: phases of two half batches that overlap.

    Examples
    --------
    >>> serving_time_s(0.01, 0.0, 0.004, 0.001, 0.005)
    0.02
    """
    return dense_time_s + expert_time_s + cache_time_s + link_time_s + overhead_time_s


def board_power_w(n_accelerators, tdp_share, tdp_w):
    r"""Power that flows at a given share of the rating of all boards.

    Parameters
    ----------
    n_accelerators : float
        Boards. [1]
    tdp_share : float
        Share of the rating. [1]
    tdp_w : float
        Rating of one. [W]

    Returns
    -------
    board_power_w : float
        Power of all together. [W]

    Notes
    -----
    Own derivation. Left out: boards of unequal draw.

    Examples
    --------
    >>> board_power_w(8, 0.5, 700)
    2800.0
    """
    return n_accelerators * tdp_share * tdp_w


def power_energy_j(board_power_w, time_s):
    r"""Energy of a power that flows for a time.

    Parameters
    ----------
    board_power_w : float
        Power. [W]
    time_s : float
        How long it flows. [s]

    Returns
    -------
    power_energy_j : float
        Energy. [J]

    Notes
    -----
    Own derivation. Left out: changes of the power within that time.

    Examples
    --------
    >>> power_energy_j(200.0, 0.02)
    4.0
    """
    return board_power_w * time_s


def roof_time_s(step_time_s, dynamic_energy_j, n_accelerators, tdp_w, static_w):
    r"""Time of a step that may draw no more than the rating: the power roof.

    Parameters
    ----------
    step_time_s : float
        Shortest time from bandwidth and arithmetic alone. [s]
    dynamic_energy_j : float
        Energy of the step beside what flows anyway. [J]
    n_accelerators : float
        Boards that share it. [1]
    tdp_w : float
        Rating of one. [W]
    static_w : float
        Power of one that flows whatever the work; below the rating. [W]

    Returns
    -------
    roof_time_s : float
        Time. [s]

    Notes
    -----
    The power cap of the energy roofline [choi2012roofline]_, for several boards.
    Left out: slower clocks also lower the energy of an operation, so the
    time is overestimated.

    Examples
    --------
    >>> roof_time_s(0.01, 12.0, 1, 700, 100)
    0.02
    """
    return maximum(step_time_s, dynamic_energy_j / (n_accelerators * (tdp_w - static_w)))
