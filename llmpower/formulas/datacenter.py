"""From questions to boards, from boards to a building, from a building to a bill.

Numbers are SI: rates per second, energies in joules, prices in dollars per joule.
"""


def output_tokens_per_s(queries_per_s, output_tokens_per_query):
    r"""Tokens a service writes per second.

    Parameters
    ----------
    queries_per_s : float
        Queries answered per second. [1/s]
    output_tokens_per_query : float
        Tokens written for a query. [1]

    Returns
    -------
    output_tokens_per_s : float
        Rate, mean over the day. [1/s]

    Notes
    -----
    Own derivation. Left out: answers thrown away or written twice, so the
    result is low.

    Examples
    --------
    >>> output_tokens_per_s(1000.0, 500)
    500000.0
    """
    return queries_per_s * output_tokens_per_query


def mean_context_tokens(prompt_tokens_per_query, output_tokens_per_query):
    r"""Tokens behind a new one, mean over an answer.

    Parameters
    ----------
    prompt_tokens_per_query : float
        Tokens read before the first is written. [1]
    output_tokens_per_query : float
        Tokens written for a query. [1]

    Returns
    -------
    mean_context_tokens : float
        Mean context of a running query. [1]

    Notes
    -----
    Own derivation: an answer grows from nothing to its full length. Left out:
    that lengths differ, which raises the mean, since long answers run longer.

    Examples
    --------
    >>> mean_context_tokens(500, 500)
    750.0
    """
    return prompt_tokens_per_query + output_tokens_per_query / 2


def prefill_tokens_per_s(dense_flop_per_s, prompt_flop_per_token):
    r"""Fastest an accelerator can read prompts.

    Parameters
    ----------
    dense_flop_per_s : float
        Rated dense peak of one accelerator. [FLOP/s]
    prompt_flop_per_token : float
        Arithmetic per token of the prompt. [FLOP]

    Returns
    -------
    prefill_tokens_per_s : float
        Rate of one accelerator, an upper bound. [1/s]

    Notes
    -----
    Own derivation: reading a prompt is bound by arithmetic. Left out: achieved
    rates below the rating, and prompts answered from a cache, which cost less.

    Examples
    --------
    >>> prefill_tokens_per_s(1.0e15, 1.0e11)
    10000.0
    """
    return dense_flop_per_s / prompt_flop_per_token


def served_tokens_per_s(prompt_tokens_per_query, output_tokens_per_query, prefill_tokens_per_s, decode_tokens_per_s):
    r"""Tokens an accelerator writes per second when it also has to read the prompts.

    Parameters
    ----------
    prompt_tokens_per_query : float
        Tokens read before the first is written. [1]
    output_tokens_per_query : float
        Tokens written for a query. [1]
    prefill_tokens_per_s : float
        Tokens of prompt one accelerator reads per second. [1/s]
    decode_tokens_per_s : float
        Tokens one accelerator writes per second while it does nothing else. [1/s]

    Returns
    -------
    served_tokens_per_s : float
        Rate of one accelerator. [1/s]

    Notes
    -----
    Own derivation: the times of reading and writing add up. Left out: steps
    that do both at once and so hide a part of the shorter one.

    Examples
    --------
    >>> served_tokens_per_s(500, 500, 10000.0, 2500.0)
    2000.0
    """
    reading_s, writing_s = prompt_tokens_per_query / prefill_tokens_per_s, output_tokens_per_query / decode_tokens_per_s
    return output_tokens_per_query / (reading_s + writing_s)


def accelerators_needed(output_tokens_per_s, peak_to_average, served_tokens_per_s, max_load):
    r"""Accelerators that a service must install for its busiest hour.

    Parameters
    ----------
    output_tokens_per_s : float
        Tokens the service writes per second, mean over the day. [1/s]
    peak_to_average : float
        Highest over mean load. [1]
    served_tokens_per_s : float
        Tokens one accelerator writes per second, prompts included in the time. [1/s]
    max_load : float
        Share of its rate at which an accelerator may run at the peak. [1]

    Returns
    -------
    accelerators_needed : float
        Accelerators, not yet whole ones. [1]

    Notes
    -----
    Own derivation. Left out: spares for repair and for other sites, so low.

    Examples
    --------
    >>> accelerators_needed(600000.0, 1.5, 1000.0, 0.5)
    1800.0
    """
    return output_tokens_per_s * peak_to_average / (served_tokens_per_s * max_load)


def busy_share(output_tokens_per_s, n_accelerators, served_tokens_per_s):
    r"""Share of the time in which an installed accelerator works.

    Parameters
    ----------
    output_tokens_per_s : float
        Tokens the service writes per second, mean over the day. [1/s]
    n_accelerators : float
        Accelerators installed. [1]
    served_tokens_per_s : float
        Tokens one accelerator writes per second, prompts included in the time. [1/s]

    Returns
    -------
    busy_share : float
        Share, 0 to 1, mean over the day. [1]

    Notes
    -----
    Own derivation. Left out: work at part speed, which takes more time and
    more energy per token.

    Examples
    --------
    >>> busy_share(600000.0, 1800, 1000.0)
    0.3333333333333333
    """
    return output_tokens_per_s / (n_accelerators * served_tokens_per_s)


def host_power_w(host_share, accelerators_per_server, tdp_w):
    r"""Power of a server that is not its accelerators'.

    Parameters
    ----------
    host_share : float
        Share of a server's rating that is not its accelerators'. [1]
    accelerators_per_server : float
        Accelerators in a server. [1]
    tdp_w : float
        Rated power of one accelerator. [W]

    Returns
    -------
    host_power_w : float
        Processors, memory, network, fans and conversion. [W]

    Notes
    -----
    Own derivation: a share s of the whole is s / (1 - s) of the rest. Left
    out: nothing, but ratings are upper bounds of what is drawn.

    Examples
    --------
    >>> host_power_w(0.5, 8, 700.0)
    5600.0
    """
    return host_share * accelerators_per_server * tdp_w / (1 - host_share)


def server_rated_w(accelerators_per_server, tdp_w, host_power_w):
    r"""Power a server must be provided with.

    Parameters
    ----------
    accelerators_per_server : float
        Accelerators in a server. [1]
    tdp_w : float
        Rated power of one accelerator. [W]
    host_power_w : float
        Rated power of a server without its accelerators. [W]

    Returns
    -------
    server_rated_w : float
        Sum of the ratings. [W]

    Notes
    -----
    Own derivation. Left out: short peaks above the rating.

    Examples
    --------
    >>> server_rated_w(8, 700.0, 4600.0)
    10200.0
    """
    return accelerators_per_server * tdp_w + host_power_w


def server_mean_w(accelerators_per_server, busy_share, busy_w, idle_w, host_mean_w):
    r"""Power a server draws, mean over the day.

    Parameters
    ----------
    accelerators_per_server : float
        Accelerators in a server. [1]
    busy_share : float
        Share of the time in which an accelerator works, 0 to 1. [1]
    busy_w : float
        Power of an accelerator at work. [W]
    idle_w : float
        Power of an idle accelerator. [W]
    host_mean_w : float
        Mean power of a server without its accelerators. [W]

    Returns
    -------
    server_mean_w : float
        Mean power. [W]

    Notes
    -----
    Own derivation. Left out: the host's own idling; it is taken to draw its
    power at work all day, so the result is high at a low load.

    Examples
    --------
    >>> server_mean_w(8, 0.5, 560.0, 70.0, 3680.0)
    6200.0
    """
    return accelerators_per_server * (busy_share * busy_w + (1 - busy_share) * idle_w) + host_mean_w


def it_power_w(n_servers, server_power_w):
    r"""Power of the computing equipment.

    Parameters
    ----------
    n_servers : float
        Servers. [1]
    server_power_w : float
        Power of one server. [W]

    Returns
    -------
    it_power_w : float
        Power of all servers. [W]

    Notes
    -----
    Own derivation. Left out: storage and switches between the servers, so low.

    Examples
    --------
    >>> it_power_w(483, 10200.0)
    4926600.0
    """
    return n_servers * server_power_w


def facility_power_w(it_power_w, pue):
    r"""Power of the whole site.

    Parameters
    ----------
    it_power_w : float
        Power of all servers. [W]
    pue : float
        Power of the site over power of its computing equipment. [1]

    Returns
    -------
    facility_power_w : float
        Power at the meter. [W]

    Notes
    -----
    Definition of power usage effectiveness. Own derivation. Left out: that the
    ratio rises at part load, so low for a site that is half empty.

    Examples
    --------
    >>> facility_power_w(4.0e6, 1.5)
    6000000.0
    """
    return it_power_w * pue


def service_energy_j(facility_power_w, time_s):
    r"""Energy of a service in a time.

    Parameters
    ----------
    facility_power_w : float
        Power of the site. [W]
    time_s : float
        Time. [s]

    Returns
    -------
    service_energy_j : float
        Energy at the meter. [J]

    Notes
    -----
    Own derivation. Left out: growth during that time.

    Examples
    --------
    >>> service_energy_j(4.0e6, 100.0)
    400000000.0
    """
    return facility_power_w * time_s


def electricity_cost_usd(energy_j, electricity_price_usd_per_j):
    r"""Cost of electric energy.

    Parameters
    ----------
    energy_j : float
        Electric energy. [J]
    electricity_price_usd_per_j : float
        Price of electricity. [usd/J]

    Returns
    -------
    electricity_cost_usd : float
        Cost. [usd]

    Notes
    -----
    Own derivation. Left out: charges for connection and peak power, machines,
    buildings and people.

    Examples
    --------
    >>> electricity_cost_usd(3.6e6, 2.5e-8)
    0.09
    """
    return energy_j * electricity_price_usd_per_j


def emitted_carbon_kg(energy_j, carbon_kg_per_j):
    r"""Carbon dioxide of electric energy.

    Parameters
    ----------
    energy_j : float
        Electric energy. [J]
    carbon_kg_per_j : float
        Carbon dioxide emitted per electric energy. [kg/J]

    Returns
    -------
    emitted_carbon_kg : float
        Mass of carbon dioxide. [kg]

    Notes
    -----
    Own derivation. Left out: making the machines and the building, so low.

    Examples
    --------
    >>> emitted_carbon_kg(3.6e6, 1.0e-7)
    0.36
    """
    return energy_j * carbon_kg_per_j


def used_water_m3(it_energy_j, site_water_m3_per_j, energy_j, grid_water_m3_per_j):
    r"""Water of a site and of the electricity it uses.

    Parameters
    ----------
    it_energy_j : float
        Energy of the computing equipment. [J]
    site_water_m3_per_j : float
        Water used on site per energy of the computing equipment. [m3/J]
    energy_j : float
        Electric energy. [J]
    grid_water_m3_per_j : float
        Water used to generate the electricity. [m3/J]

    Returns
    -------
    used_water_m3 : float
        Volume of water. [m3]

    Notes
    -----
    Own derivation; on site water is counted per energy of the computing
    equipment by its definition, the grid's per energy at the meter. Left
    out: making the chips.

    Examples
    --------
    >>> used_water_m3(3.6e6, 1.0e-9, 7.2e6, 2.0e-9)
    0.018
    """
    return it_energy_j * site_water_m3_per_j + energy_j * grid_water_m3_per_j


def n_households(energy_j, household_energy_j):
    r"""Households that use as much electricity.

    Parameters
    ----------
    energy_j : float
        Electric energy. [J]
    household_energy_j : float
        Electricity a household uses in the same time. [J]

    Returns
    -------
    n_households : float
        Households. [1]

    Notes
    -----
    Own derivation. Left out: heat and fuel that households buy otherwise.

    Examples
    --------
    >>> n_households(35.0e12, 35.0e9)
    1000.0
    """
    return energy_j / household_energy_j


def energy_per_query_j(facility_power_w, queries_per_s):
    r"""Energy of a service divided among its queries.

    Parameters
    ----------
    facility_power_w : float
        Power of the site. [W]
    queries_per_s : float
        Queries answered per second. [1/s]

    Returns
    -------
    energy_per_query_j : float
        Energy per query at the meter. [J]

    Notes
    -----
    Own derivation. Left out: that a long query costs more than a short one.

    Examples
    --------
    >>> energy_per_query_j(5.0e5, 1000.0)
    500.0
    """
    return facility_power_w / queries_per_s


def tokens_cost_usd(tokens_priced, query_energy_j, electricity_price_usd_per_j, output_tokens_per_query):
    r"""Electricity cost of a number of output tokens.

    Parameters
    ----------
    tokens_priced : float
        Tokens the price is for. [1]
    query_energy_j : float
        Energy per query. [J]
    electricity_price_usd_per_j : float
        Price of electricity. [usd/J]
    output_tokens_per_query : float
        Tokens written for a query. [1]

    Returns
    -------
    tokens_cost_usd : float
        Cost. [usd]

    Notes
    -----
    Own derivation; the prompt is paid for by the output. Left out: everything
    but electricity.

    Examples
    --------
    >>> tokens_cost_usd(1000, 900.0, 2.5e-8, 500)
    4.5e-05
    """
    return tokens_priced * query_energy_j * electricity_price_usd_per_j / output_tokens_per_query


def training_over_service(training_energy_j, energy_j):
    r"""Training against answering.

    Parameters
    ----------
    training_energy_j : float
        Energy of training a network. [J]
    energy_j : float
        Electric energy. [J]

    Returns
    -------
    training_over_service : float
        Ratio; above one, training used more. [1]

    Notes
    -----
    Own derivation. Left out: trial runs and later training.

    Examples
    --------
    >>> training_over_service(42.0, 35.0)
    1.2
    """
    return training_energy_j / energy_j


def training_payback_s(training_energy_j, facility_power_w):
    r"""Time until answering has used as much energy as training.

    Parameters
    ----------
    training_energy_j : float
        Energy of training a network. [J]
    facility_power_w : float
        Power of the site. [W]

    Returns
    -------
    training_payback_s : float
        Time. [s]

    Notes
    -----
    Own derivation. Left out: that the boundaries of the two often differ.

    Examples
    --------
    >>> training_payback_s(4.0e12, 2.0e6)
    2000000.0
    """
    return training_energy_j / facility_power_w


def servers_by_power(it_power_w, server_power_w):
    r"""Servers that a rack or a site can feed.

    Parameters
    ----------
    it_power_w : float
        Power of all servers. [W]
    server_power_w : float
        Power of one server. [W]

    Returns
    -------
    servers_by_power : float
        Servers, not yet whole ones. [1]

    Notes
    -----
    Own derivation. Left out: room, weight and cooling, which may stop earlier.

    Examples
    --------
    >>> servers_by_power(60.0e3, 10.0e3)
    6.0
    """
    return it_power_w / server_power_w


def site_it_power_w(site_power_w, pue):
    r"""Power a site has left for computing.

    Parameters
    ----------
    site_power_w : float
        Power the site is built for. [W]
    pue : float
        Power of the site over power of its computing equipment. [1]

    Returns
    -------
    site_it_power_w : float
        Power of the computing equipment. [W]

    Notes
    -----
    Definition of power usage effectiveness. Own derivation. Left out: reserves
    a site keeps for failures, so high.

    Examples
    --------
    >>> site_it_power_w(30.0e6, 1.5)
    20000000.0
    """
    return site_power_w / pue


def site_queries_per_s(n_accelerators, served_tokens_per_s, max_load, peak_to_average, output_tokens_per_query):
    r"""Queries that a number of accelerators can answer, mean over the day.

    Parameters
    ----------
    n_accelerators : float
        Accelerators installed. [1]
    served_tokens_per_s : float
        Tokens one accelerator writes per second, prompts included in the time. [1/s]
    max_load : float
        Share of its rate at which an accelerator may run at the peak. [1]
    peak_to_average : float
        Highest over mean load. [1]
    output_tokens_per_query : float
        Tokens written for a query. [1]

    Returns
    -------
    site_queries_per_s : float
        Rate. [1/s]

    Notes
    -----
    Own derivation: `accelerators_needed` solved for the queries. Left out: as
    there.

    Examples
    --------
    >>> site_queries_per_s(1800, 1000.0, 0.5, 1.5, 600)
    1000.0
    """
    return n_accelerators * served_tokens_per_s * max_load / (peak_to_average * output_tokens_per_query)
