r"""Gain in performance, split into efficiency and power.

A gain is a ratio, last machine over first.
Every function is pure: no check, no rounding, no default for a measured input.
Names, symbols, units and ranges of all arguments stand in ``data/quantities.csv``.
"""

from llmpower.formulas.elementwise import exp, log


def power_gain(first_tdp_w, last_tdp_w):
    r"""Factor by which the rated power of one machine rose.

    Parameters
    ----------
    first_tdp_w : float
        Thermal design power of the first machine. [W]
    last_tdp_w : float
        Thermal design power of the last machine. [W]

    Returns
    -------
    power_gain : float
        Last over first; below 1 if the power fell. [1]

    Notes
    -----
    Own derivation. Left out: what the machines draw at work, which is at most
    the rating and often far less.

    Examples
    --------
    >>> power_gain(200.0, 500.0)
    2.5
    """
    return last_tdp_w / first_tdp_w


def flop_gain(first_flop_per_s, last_flop_per_s):
    r"""Factor by which the peak rate of arithmetic rose.

    Parameters
    ----------
    first_flop_per_s : float
        Dense peak rate of the first machine. [FLOP/s]
    last_flop_per_s : float
        Dense peak rate of the last machine. [FLOP/s]

    Returns
    -------
    flop_gain : float
        Last over first. [1]

    Notes
    -----
    Own derivation. Left out: the format of the numbers. A ratio of rates in
    two formats mixes a gain with a change of definition, and comes out higher.

    Examples
    --------
    >>> flop_gain(100.0e12, 250.0e12)
    2.5
    """
    return last_flop_per_s / first_flop_per_s


def bandwidth_gain(first_bandwidth_bytes_per_s, last_bandwidth_bytes_per_s):
    r"""Factor by which the memory bandwidth rose.

    Parameters
    ----------
    first_bandwidth_bytes_per_s : float
        Rated memory bandwidth of the first machine. [B/s]
    last_bandwidth_bytes_per_s : float
        Rated memory bandwidth of the last machine. [B/s]

    Returns
    -------
    bandwidth_gain : float
        Last over first. [1]

    Notes
    -----
    Own derivation. Left out: the share of the rating that programs reach,
    near nine tenths on most machines, so the ratio hardly moves.

    Examples
    --------
    >>> bandwidth_gain(1.0e12, 4.0e12)
    4.0
    """
    return last_bandwidth_bytes_per_s / first_bandwidth_bytes_per_s


def efficiency_gain(performance_gain, power_gain):
    r"""Factor by which performance per watt rose.

    Parameters
    ----------
    performance_gain : float
        Factor by which performance rose, however it is counted. [1]
    power_gain : float
        Factor by which power rose. [1]

    Returns
    -------
    efficiency_gain : float
        Gain that is left after dividing by the power. [1]

    Notes
    -----
    Own derivation: performance is efficiency times power. Left out: that
    efficiency depends on power; a chip run slower does more per watt.

    Examples
    --------
    >>> efficiency_gain(20.0, 4.0)
    5.0
    """
    return performance_gain / power_gain


def efficiency_share(efficiency_gain, power_gain):
    r"""Share of the growth that efficiency explains, in logarithms.

    Parameters
    ----------
    efficiency_gain : float
        Factor by which performance per watt rose. [1]
    power_gain : float
        Factor by which power rose, not the inverse of the former. [1]

    Returns
    -------
    efficiency_share : float
        Below 0 or above 1 if one of the factors is below 1. [1]

    Notes
    -----
    Own derivation: factors multiply, so their logarithms add, and this share
    and that of the power sum to one in whatever order they are taken. Left
    out: cause. More power may be what made the efficient design affordable.

    Examples
    --------
    >>> round(efficiency_share(8.0, 2.0), 12)
    0.75
    """
    return log(efficiency_gain) / (log(efficiency_gain) + log(power_gain))


def quotient_share(part_gain, performance_gain):
    r"""One factor over the whole gain: a quotient of multipliers, not a share.

    Parameters
    ----------
    part_gain : float
        One of the factors. [1]
    performance_gain : float
        Product of all factors. [1]

    Returns
    -------
    quotient_share : float
        Quotient; those of all factors do not sum to one. [1]

    Notes
    -----
    Own derivation; the reading under which the article's division gives its
    percentage. Left out: any meaning. It is here to be refuted.

    Examples
    --------
    >>> quotient_share(5.0, 20.0)
    0.25
    """
    return part_gain / performance_gain


def step_share(part_gain, performance_gain):
    r"""Share of the growth that a factor explains if it is applied first and growth is added up.

    Parameters
    ----------
    part_gain : float
        One of the factors. [1]
    performance_gain : float
        Product of all factors, not 1. [1]

    Returns
    -------
    step_share : float
        What the factor alone adds, over what all add together. [1]

    Notes
    -----
    Own derivation. Left out: the growth that only both factors together give,
    which goes to whichever is applied last, so the share is low for this one.

    Examples
    --------
    >>> step_share(5.0, 21.0)
    0.2
    """
    return (part_gain - 1) / (performance_gain - 1)


def annual_growth(gain, n_years):
    r"""Compound growth a year.

    Parameters
    ----------
    gain : float
        Factor over the whole time. [1]
    n_years : float
        Years between first and last. [1]

    Returns
    -------
    annual_growth : float
        Growth a year, 0.1 for ten percent. [1]

    Notes
    -----
    Own derivation. Left out: that machines come in steps; two points say
    nothing of the years between them.

    Examples
    --------
    >>> round(annual_growth(4.0, 2.0), 12)
    1.0
    """
    return exp(log(gain) / n_years) - 1


def board_w_per_transistor(tdp_w, transistors):
    r"""Rated power of a board over the transistors of its processor.

    Parameters
    ----------
    tdp_w : float
        Thermal design power. [W]
    transistors : float
        Transistors of the processor, all dies together. [1]

    Returns
    -------
    board_w_per_transistor : float
        Watts per transistor. [W]

    Notes
    -----
    Own derivation. Left out: the memory stacks and converters, which share the
    rating and not the transistor count, so the result is high.

    Examples
    --------
    >>> board_w_per_transistor(100.0, 50.0e9)
    2e-09
    """
    return tdp_w / transistors


def board_w_per_mm2(tdp_w, die_area_mm2):
    r"""Rated power of a board over the area of its processor.

    Parameters
    ----------
    tdp_w : float
        Thermal design power. [W]
    die_area_mm2 : float
        Area of all dies of the processor together. [mm2]

    Returns
    -------
    board_w_per_mm2 : float
        Power density. [W/mm2]

    Notes
    -----
    Own derivation. Left out: the memory stacks, which share the rating and
    spread the heat, so the result is high; hot spots, which it hides.

    Examples
    --------
    >>> board_w_per_mm2(400.0, 800.0)
    0.5
    """
    return tdp_w / die_area_mm2


def peak_flop_per_j(dense_flop_per_s, tdp_w):
    r"""Peak arithmetic per joule of rated power: FLOP/s per watt.

    Parameters
    ----------
    dense_flop_per_s : float
        Dense peak rate at the precision used. [FLOP/s]
    tdp_w : float
        Thermal design power. [W]

    Returns
    -------
    peak_flop_per_j : float
        Operations per joule. [FLOP/J]

    Notes
    -----
    Own derivation. Left out: that no program reaches the peak, and few draw
    the rating; measured efficiency is another number.

    Examples
    --------
    >>> peak_flop_per_j(400.0e12, 400.0)
    1000000000000.0
    """
    return dense_flop_per_s / tdp_w


def peak_bytes_per_j(memory_bandwidth_bytes_per_s, tdp_w):
    r"""Memory traffic per joule of rated power: bandwidth per watt.

    Parameters
    ----------
    memory_bandwidth_bytes_per_s : float
        Rated memory bandwidth. [B/s]
    tdp_w : float
        Thermal design power. [W]

    Returns
    -------
    peak_bytes_per_j : float
        Bytes per joule. [B/J]

    Notes
    -----
    Own derivation. Left out: that a board at full bandwidth draws less than
    its rating, so the result is low for decoding.

    Examples
    --------
    >>> peak_bytes_per_j(2.0e12, 400.0)
    5000000000.0
    """
    return memory_bandwidth_bytes_per_s / tdp_w


def budget_accelerators(power_budget_w, tdp_w):
    r"""Machines that a power budget feeds, not rounded.

    Parameters
    ----------
    power_budget_w : float
        Power for the accelerators alone. [W]
    tdp_w : float
        Thermal design power of one. [W]

    Returns
    -------
    budget_accelerators : float
        Machines; whole ones are counted where names and numbers meet. [1]

    Notes
    -----
    Own derivation. Left out: processors, networks and cooling, which take
    power from the same site, so a site feeds fewer.

    Examples
    --------
    >>> budget_accelerators(1.0e6, 500.0)
    2000.0
    """
    return power_budget_w / tdp_w


def budget_flop_per_s(power_budget_w, peak_flop_per_j):
    r"""Peak arithmetic that a power budget buys.

    Parameters
    ----------
    power_budget_w : float
        Power for the accelerators alone. [W]
    peak_flop_per_j : float
        Peak operations per joule of one machine. [FLOP/J]

    Returns
    -------
    budget_flop_per_s : float
        Peak rate of all machines together. [FLOP/s]

    Notes
    -----
    Own derivation: the rating of a single machine cancels. Left out: whole
    machines, hosts, networks and cooling, so the result is high.

    Examples
    --------
    >>> budget_flop_per_s(1.0e6, 2.0e12)
    2e+18
    """
    return power_budget_w * peak_flop_per_j


def budget_bytes_per_s(power_budget_w, peak_bytes_per_j):
    r"""Memory bandwidth that a power budget buys.

    Parameters
    ----------
    power_budget_w : float
        Power for the accelerators alone. [W]
    peak_bytes_per_j : float
        Bytes per joule of one machine. [B/J]

    Returns
    -------
    budget_bytes_per_s : float
        Bandwidth of all machines together. [B/s]

    Notes
    -----
    Own derivation: the rating of a single machine cancels. Left out: whole
    machines, hosts, networks and cooling, so the result is high.

    Examples
    --------
    >>> budget_bytes_per_s(1.0e6, 8.0e9)
    8000000000000000.0
    """
    return power_budget_w * peak_bytes_per_j


def token_gain(first_energy_per_token_j, last_energy_per_token_j):
    r"""Factor by which measured tokens per joule rose.

    Parameters
    ----------
    first_energy_per_token_j : float
        Energy per output token on the first machine. [J]
    last_energy_per_token_j : float
        Energy per output token on the last machine, for the same task. [J]

    Returns
    -------
    token_gain : float
        Tokens per joule, last over first. [1]

    Notes
    -----
    Own derivation. Left out: differences of software and of the number of
    boards, which move the ratio either way.

    Examples
    --------
    >>> token_gain(3.0, 2.0)
    1.5
    """
    return first_energy_per_token_j / last_energy_per_token_j


def implied_power_gain(performance_gain, efficiency_gain):
    r"""Factor that power must have risen by, if the two others are right.

    Parameters
    ----------
    performance_gain : float
        Factor by which performance rose. [1]
    efficiency_gain : float
        Factor by which performance per watt rose. [1]

    Returns
    -------
    implied_power_gain : float
        Gain that is left after dividing by the efficiency. [1]

    Notes
    -----
    Own derivation. Left out: whether any such machine exists.

    Examples
    --------
    >>> implied_power_gain(30.0, 6.0)
    5.0
    """
    return performance_gain / efficiency_gain


def implied_tdp_w(first_tdp_w, power_gain):
    r"""Rated power of a machine whose power rose by a given factor.

    Parameters
    ----------
    first_tdp_w : float
        Rated power before. [W]
    power_gain : float
        Factor. [1]

    Returns
    -------
    implied_tdp_w : float
        Rated power after. [W]

    Notes
    -----
    Own derivation. Left out: whether such a machine can be cooled.

    Examples
    --------
    >>> implied_tdp_w(300.0, 5.0)
    1500.0
    """
    return first_tdp_w * power_gain


def rating_use(power_w, n_accelerators, tdp_w):
    r"""Share of the rated power that boards draw.

    Parameters
    ----------
    power_w : float
        Mean power of all boards together. [W]
    n_accelerators : float
        Boards. [1]
    tdp_w : float
        Thermal design power of one. [W]

    Returns
    -------
    rating_use : float
        Drawn over rated. [1]

    Notes
    -----
    Own derivation. Left out: peaks shorter than the meter sees.

    Examples
    --------
    >>> rating_use(1400.0, 4, 700.0)
    0.5
    """
    return power_w / (n_accelerators * tdp_w)
