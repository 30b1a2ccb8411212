"""From questions to boards, from boards to a building, from a building to a bill.

Numbers are SI: rates per second, energies in joules, prices in dollars per joule.
"""


def output_tokens_per_s(queries_per_s, output_tokens_per_query):
    """Tokens a service writes per second. [1/s]

    Own derivation. Left out: answers thrown away or written twice, so low.
    >>> output_tokens_per_s(1000.0, 500)
    500000.0
    """
    return queries_per_s * output_tokens_per_query


def mean_context_tokens(prompt_tokens_per_query, output_tokens_per_query):
    """Tokens behind a new one, mean over an answer. [1]

    Own derivation: an answer grows from nothing to its full length. Left out: that lengths differ, which raises the
    mean, since long answers run longer.
    >>> mean_context_tokens(500, 500)
    750.0
    """
    return prompt_tokens_per_query + output_tokens_per_query / 2


def prefill_tokens_per_s(dense_flop_per_s, prompt_flop_per_token):
    """Fastest an accelerator can read prompts. [1/s]

    prefill_tokens_per_s: an upper bound.
    Own derivation: prompts are bound by arithmetic. Left out: rates below the rating; cached prompts, which cost less.
    >>> prefill_tokens_per_s(1.0e15, 1.0e11)
    10000.0
    """
    return dense_flop_per_s / prompt_flop_per_token


def served_tokens_per_s(prompt_tokens_per_query, output_tokens_per_query, prefill_tokens_per_s, decode_tokens_per_s):
    """Tokens an accelerator writes per second when it also has to read the prompts. [1/s]

    Own derivation: the times of reading and writing add up. Left out: steps that do both at once, so low.
    >>> served_tokens_per_s(500, 500, 10000.0, 2500.0)
    2000.0
    """
    reading_s, writing_s = prompt_tokens_per_query / prefill_tokens_per_s, output_tokens_per_query / decode_tokens_per_s
    return output_tokens_per_query / (reading_s + writing_s)


def accelerators_needed(output_tokens_per_s, peak_to_average, served_tokens_per_s, max_load):
    """Accelerators that a service must install for its busiest hour. [1]

    accelerators_needed: not yet whole ones.
    Own derivation. Left out: spares for repair and for other sites, so low.
    >>> accelerators_needed(600000.0, 1.5, 1000.0, 0.5)
    1800.0
    """
    return output_tokens_per_s * peak_to_average / (served_tokens_per_s * max_load)


def request_time_s(output_tokens_per_query, batch, tokens_per_s):
    """Time from the start of a request to its last token, on a copy at full load. [s]

    tokens_per_s: of the copy, prompts in its time.
    Own derivation: each of so many sequences gets its share of the rate. Left out: waiting for a place.
    >>> request_time_s(500, 64, 2000.0)
    16.0
    """
    return output_tokens_per_query * batch / tokens_per_s


def users_at_once(queries_per_s, peak_to_average, request_time_s):
    """Requests in work at once in the busiest hour. [1]

    Own derivation, by Little's law: what arrives, times how long it stays. Left out: that requests are quicker at less
    than full load, so high.
    >>> users_at_once(10.0, 1.5, 16.0)
    240.0
    """
    return queries_per_s * peak_to_average * request_time_s


def mean_load(output_tokens_per_s, n_accelerators, served_tokens_per_s):
    """Load of the installed accelerators, mean over the day. [1]

    mean_load: share of the rate at full load, 0 to 1.
    Own derivation. Left out: hours of more and of less traffic.
    >>> mean_load(600000.0, 1800, 1000.0)
    0.3333333333333333
    """
    return output_tokens_per_s / (n_accelerators * served_tokens_per_s)


def server_power_w(accelerators_per_server, accelerator_power_w, host_power_w):
    """Power of a server: rated or drawn, as the powers in it are. [W]

    Own derivation. Left out: short peaks; the host's own idling, so what is drawn is high at low load.
    >>> server_power_w(8, 700.0, 2150.0)
    7750.0
    """
    return accelerators_per_server * accelerator_power_w + host_power_w


def it_power_w(n_servers, server_power_w):
    """Power of the computing equipment. [W]

    Own derivation. Left out: storage and switches between the servers, so low.
    >>> it_power_w(483, 10200.0)
    4926600.0
    """
    return n_servers * server_power_w


def facility_power_w(it_power_w, pue):
    """Power of the whole site. [W]

    facility_power_w: at the meter.
    Own derivation: the definition of PUE. Left out: that the ratio rises at part load, so low for a half-empty site.
    >>> facility_power_w(4.0e6, 1.5)
    6000000.0
    """
    return it_power_w * pue


def rented_usd(n_accelerators, accelerator_cost_usd_per_s, time_s):
    """Cost of machines that are paid for by time, whether they work or wait. [usd]

    Own derivation. Left out: prices that depend on time of day or length of contract.
    >>> rented_usd(8, 0.0005, 3600.0)
    14.4
    """
    return n_accelerators * accelerator_cost_usd_per_s * time_s


def electricity_cost_usd(energy_j, electricity_price_usd_per_j):
    """Cost of electric energy. [usd]

    Own derivation. Left out: charges for connection and peak power, machines, buildings and people.
    >>> electricity_cost_usd(3.6e6, 2.5e-8)
    0.09
    """
    return energy_j * electricity_price_usd_per_j


def emitted_carbon_kg(energy_j, carbon_kg_per_j):
    """Carbon dioxide of electric energy. [kg]

    Own derivation. Left out: making the machines and the building, so low.
    >>> emitted_carbon_kg(3.6e6, 1.0e-7)
    0.36
    """
    return energy_j * carbon_kg_per_j


def used_water_m3(it_energy_j, site_water_m3_per_j, energy_j, grid_water_m3_per_j):
    """Water of a site and of the electricity it uses. [m3]

    energy_j: electric, at the meter.
    Own derivation; on site water is counted per energy of the computing equipment by its definition, the grid's per
    energy at the meter. Left out: making the chips.
    >>> used_water_m3(3.6e6, 1.0e-9, 7.2e6, 2.0e-9)
    0.018
    """
    return it_energy_j * site_water_m3_per_j + energy_j * grid_water_m3_per_j


def n_households(energy_j, household_energy_j):
    """Households that use as much electricity. [1]

    Own derivation. Left out: heat and fuel that households buy otherwise.
    >>> n_households(35.0e12, 35.0e9)
    1000.0
    """
    return energy_j / household_energy_j


def energy_per_query_j(facility_power_w, queries_per_s):
    """Energy of a service divided among its queries. [J]

    Own derivation. Left out: that a long query costs more than a short one.
    >>> energy_per_query_j(5.0e5, 1000.0)
    500.0
    """
    return facility_power_w / queries_per_s


def tokens_cost_usd(tokens_priced, query_energy_j, electricity_price_usd_per_j, output_tokens_per_query):
    """Electricity cost of a number of output tokens. [usd]

    Own derivation; the prompt is paid for by the output. Left out: everything but electricity.
    >>> tokens_cost_usd(1000, 900.0, 2.5e-8, 500)
    4.5e-05
    """
    return tokens_priced * query_energy_j * electricity_price_usd_per_j / output_tokens_per_query


def training_over_service(training_energy_j, energy_j):
    """Training against answering. [1]

    training_over_service: above one, training used more.
    Own derivation. Left out: trial runs and later training.
    >>> training_over_service(42.0, 35.0)
    1.2
    """
    return training_energy_j / energy_j


def training_payback_s(training_energy_j, facility_power_w):
    """Time until answering has used as much energy as training. [s]

    Own derivation. Left out: that the boundaries of the two often differ.
    >>> training_payback_s(4.0e12, 2.0e6)
    2000000.0
    """
    return training_energy_j / facility_power_w


def servers_by_power(it_power_w, server_power_w):
    """Servers that a rack or a site can feed. [1]

    servers_by_power: not yet whole ones.
    Own derivation. Left out: room, weight and cooling, which may stop earlier.
    >>> servers_by_power(60.0e3, 10.0e3)
    6.0
    """
    return it_power_w / server_power_w


def site_it_power_w(site_power_w, pue):
    """Power a site has left for computing. [W]

    site_power_w: what the site is built for.
    Own derivation: the definition of PUE. Left out: reserves a site keeps for failures, so high.
    >>> site_it_power_w(30.0e6, 1.5)
    20000000.0
    """
    return site_power_w / pue


def site_queries_per_s(n_accelerators, served_tokens_per_s, max_load, peak_to_average, output_tokens_per_query):
    """Queries that a number of accelerators can answer, mean over the day. [1/s]

    Own derivation: `accelerators_needed` solved for the queries. Left out: as there.
    >>> site_queries_per_s(1800, 1000.0, 0.5, 1.5, 600)
    1000.0
    """
    return n_accelerators * served_tokens_per_s * max_load / (peak_to_average * output_tokens_per_query)
