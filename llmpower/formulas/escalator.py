"""Gain in performance, split into efficiency and power.

A gain is a ratio, last machine over first.
"""

from llmpower.formulas.elementwise import exp, log


def power_gain(first_tdp_w, last_tdp_w):
    """Factor by which the rated power of one machine rose. [1]

    power_gain: last over first; below one if the power fell.
    Own derivation. Left out: what the machines draw at work, which is at most the rating and often far less.
    >>> power_gain(200.0, 500.0)
    2.5
    """
    return last_tdp_w / first_tdp_w


def flop_gain(first_flop_per_s, last_flop_per_s):
    """Factor by which the peak rate of arithmetic rose. [1]

    flop_gain: last over first, of dense peaks.
    Own derivation. Left out: the format of the numbers. A ratio of rates in two formats mixes a gain with a change of
    definition, and comes out higher.
    >>> flop_gain(100.0e12, 250.0e12)
    2.5
    """
    return last_flop_per_s / first_flop_per_s


def bandwidth_gain(first_bandwidth_bytes_per_s, last_bandwidth_bytes_per_s):
    """Factor by which the memory bandwidth rose. [1]

    bandwidth_gain: last over first, of ratings.
    Own derivation. Left out: the share of the rating that is reached, nine tenths on most, so the ratio hardly moves.
    >>> bandwidth_gain(1.0e12, 4.0e12)
    4.0
    """
    return last_bandwidth_bytes_per_s / first_bandwidth_bytes_per_s


def efficiency_gain(performance_gain, power_gain):
    """Factor by which performance per watt rose. [1]

    efficiency_gain: what is left after dividing by the power.
    Own derivation: performance is efficiency times power. Left out: a chip run slower does more per watt.
    >>> efficiency_gain(20.0, 4.0)
    5.0
    """
    return performance_gain / power_gain


def efficiency_share(efficiency_gain, power_gain):
    """Share of the growth that efficiency explains, in logarithms. [1]

    power_gain: not the inverse of `efficiency_gain`.
    efficiency_share: below 0 or above 1 if one of the factors is below 1.
    Own derivation: factors multiply, so their logarithms add, and this share and that of the power sum to one in
    whatever order they are taken. Left out: cause. More power may be what made the efficient design affordable.
    >>> round(efficiency_share(8.0, 2.0), 12)
    0.75
    """
    return log(efficiency_gain) / (log(efficiency_gain) + log(power_gain))


def quotient_share(part_gain, performance_gain):
    """One factor over the whole gain: a quotient of multipliers, not a share. [1]

    performance_gain: the product of all factors.
    quotient_share: those of all factors do not sum to one.
    Own derivation: how the article's division gives its percentage, here to be refuted. Left out: any meaning.
    >>> quotient_share(5.0, 20.0)
    0.25
    """
    return part_gain / performance_gain


def step_share(part_gain, performance_gain):
    """Share of the growth that a factor explains if it is applied first and growth is added up. [1]

    performance_gain: the product of all factors, not 1.
    step_share: what the factor alone adds, over what all add together.
    Own derivation. Left out: the growth that only both factors together give, which goes to whichever is applied last,
    so the share is low for this one.
    >>> step_share(5.0, 21.0)
    0.2
    """
    return (part_gain - 1) / (performance_gain - 1)


def annual_growth(gain, n_years):
    """Compound growth a year. [1]

    gain: over the whole time.
    annual_growth: 0.1 for ten percent.
    Own derivation. Left out: that machines come in steps; two points say nothing of the years between them.
    >>> round(annual_growth(4.0, 2.0), 12)
    1.0
    """
    return exp(log(gain) / n_years) - 1


def peak_flop_per_j(dense_flop_per_s, tdp_w):
    """Peak arithmetic per joule of rated power: FLOP/s per watt. [FLOP/J]

    Own derivation. Left out: no program reaches the peak, and few draw the rating; measured efficiency is another.
    >>> peak_flop_per_j(400.0e12, 400.0)
    1000000000000.0
    """
    return dense_flop_per_s / tdp_w


def peak_bytes_per_j(memory_bandwidth_bytes_per_s, tdp_w):
    """Memory traffic per joule of rated power: bandwidth per watt. [B/J]

    Own derivation. Left out: that a board at full bandwidth draws less than its rating, so low for decoding.
    >>> peak_bytes_per_j(2.0e12, 400.0)
    5000000000.0
    """
    return memory_bandwidth_bytes_per_s / tdp_w


def budget_accelerators(power_budget_w, tdp_w):
    """Machines that a power budget feeds, not rounded. [1]

    tdp_w: of one.
    budget_accelerators: whole ones are counted where names and numbers meet.
    Own derivation. Left out: processors, networks and cooling, which take power as well, so a site feeds fewer.
    >>> budget_accelerators(1.0e6, 500.0)
    2000.0
    """
    return power_budget_w / tdp_w


def budget_flop_per_s(power_budget_w, peak_flop_per_j):
    """Peak arithmetic that a power budget buys. [FLOP/s]

    budget_flop_per_s: of all machines together.
    Own derivation: the rating of one machine cancels. Left out: whole machines, hosts, networks, cooling, so high.
    >>> budget_flop_per_s(1.0e6, 2.0e12)
    2e+18
    """
    return power_budget_w * peak_flop_per_j


def budget_bytes_per_s(power_budget_w, peak_bytes_per_j):
    """Memory bandwidth that a power budget buys. [B/s]

    budget_bytes_per_s: of all machines together.
    Own derivation: the rating of one machine cancels. Left out: whole machines, hosts, networks, cooling, so high.
    >>> budget_bytes_per_s(1.0e6, 8.0e9)
    8000000000000000.0
    """
    return power_budget_w * peak_bytes_per_j


def token_gain(first_energy_per_token_j, last_energy_per_token_j):
    """Factor by which measured tokens per joule rose. [1]

    last_energy_per_token_j: for the same task.
    token_gain: last over first.
    Own derivation. Left out: differences of software and of the number of boards, which move the ratio either way.
    >>> token_gain(3.0, 2.0)
    1.5
    """
    return first_energy_per_token_j / last_energy_per_token_j


def rating_use(power_w, n_accelerators, tdp_w):
    """Share of the rated power that boards draw. [1]

    power_w: of all boards together.
    tdp_w: of one.
    Own derivation. Left out: peaks shorter than the meter sees; a laptop's maker may rate lower, which raises it.
    >>> rating_use(1400.0, 4, 700.0)
    0.5
    """
    return power_w / (n_accelerators * tdp_w)
