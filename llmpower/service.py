"""The bill of a whole service, and what a site can serve: numbers in units people type come in, SI units go on."""

import math
from dataclasses import dataclass, replace

from llmpower.estimate import expect, lacks
from llmpower.facts import catalog
from llmpower.facts.claims import claim
from llmpower.facts.power import power
from llmpower.facts.units import in_unit, to_si
from llmpower.formulas import datacenter, decode
from llmpower.ranges import Range
from llmpower.step.bound import step_bound
from llmpower.step.case import case
from llmpower.step.work import fewest, fits, needed_bytes, work

YEAR_S = 365 * 86400
# Line 118 of the article multiplies by it.
ARTICLE_PUE = 1.5


def _fact(entity, quantity):
    return catalog.fact("datacenter.csv", entity, quantity)


@dataclass(frozen=True)
class Speed:
    """The fastest one accelerator can serve, from datasheet rates alone. [1/s]"""

    n_together: int
    context_tokens: float
    prefill_tokens_per_s: float
    decode_tokens_per_s: float
    served_tokens_per_s: float


def _case(model, accelerator, prompt_tokens_per_query, output_tokens_per_query, batch):
    """The case of a service, on the fewest accelerators that hold its batch, in 16 bit."""
    lengths = {"prompt_tokens": prompt_tokens_per_query, "output_tokens": output_tokens_per_query}
    found = case(model, accelerator, batch=batch, **lengths)
    # Where copies of the cache let no number do, as many as would hold it once.
    alone = decode.memory_fill(needed_bytes(found), 1, found.accelerator.memory_bytes)
    return replace(found, n_accelerators=float(fewest(found) or math.ceil(alone)))


def speed(model, accelerator, prompt_tokens_per_query, output_tokens_per_query, batch):
    """Upper bound on the output tokens an accelerator serves a second, in 16 bit, on the fewest that hold the batch."""
    found = _case(model, accelerator, prompt_tokens_per_query, output_tokens_per_query, batch)
    together, peak = int(found.n_accelerators), found.accelerator.get("dense_bf16_flop_per_s", math.inf)
    # A prompt's tokens see half of it on average.
    flop = work(replace(found, batch=1, context_tokens=prompt_tokens_per_query / 2)).flop
    prefill = datacenter.prefill_tokens_per_s(peak, flop)
    # A bound: caches count once, however many accelerators there are.
    counts = work(replace(found, n_accelerators=1.0))
    alone = step_bound(counts, batch, found.accelerator, together).tokens_per_s / together
    served = datacenter.served_tokens_per_s(prompt_tokens_per_query, output_tokens_per_query, prefill, alone)
    return Speed(together, found.context_tokens, prefill, alone, served)


def _expected(*query):
    """Estimate of the case of a service; None where a fact it needs is missing, or nothing fits."""
    found = _case(*query)
    return None if any(lacks(found)) or not fits(found) else expect(found)


def expected(model, accelerator, prompt_tokens_per_query, output_tokens_per_query, batch):
    """Output tokens that the estimator expects one accelerator to serve a second; None where there is no estimate."""
    found = _expected(model, accelerator, prompt_tokens_per_query, output_tokens_per_query, batch)
    return found and Range(*(end.tokens_per_s / found.n_accelerators for end in (found.low, found, found.high)))


def expected_power_share(model, accelerator, prompt_tokens_per_query, output_tokens_per_query, batch):
    """Share of its rating that the estimator expects a board at work to draw; None where there is no estimate."""
    found = _expected(model, accelerator, prompt_tokens_per_query, output_tokens_per_query, batch)
    return found and found.power_w / (found.n_accelerators * found.case.accelerator.tdp_w)


@dataclass(frozen=True)
class Bill:
    """A service from its rate of tokens to its cost; SI units, energies and costs per year of 365 days."""

    queries_per_s: float
    output_tokens_per_query: float
    output_tokens_per_s: float
    served_tokens_per_s: float
    accelerators_needed: float
    n_servers: int
    accelerators_per_server: int
    busy_share: float
    tdp_w: float
    busy_w: float
    host_power_w: float
    host_mean_w: float
    server_rated_w: float
    server_mean_w: float
    pue: float
    electricity_price_usd_per_j: float
    carbon_kg_per_j: float
    site_water_m3_per_j: float
    grid_water_m3_per_j: float

    @property
    def n_accelerators(self):
        """Accelerators installed in whole servers."""
        return self.n_servers * self.accelerators_per_server

    @property
    def boards_w(self):
        """Rated power of the accelerators alone. [W]"""
        return datacenter.it_power_w(self.n_accelerators, self.tdp_w)

    @property
    def it_w(self):
        """Rated power of whole servers. [W]"""
        return datacenter.it_power_w(self.n_servers, self.server_rated_w)

    @property
    def it_mean_w(self):
        """Mean power of whole servers. [W]"""
        return datacenter.it_power_w(self.n_servers, self.server_mean_w)

    @property
    def site_w(self):
        """Power the site must be built for. [W]"""
        return datacenter.facility_power_w(self.it_w, self.pue)

    @property
    def site_mean_w(self):
        """Mean power at the meter. [W]"""
        return datacenter.facility_power_w(self.it_mean_w, self.pue)

    @property
    def steps_w(self):
        """How the boards that the mean traffic keeps busy grow into a site: step -> power added. [W]"""
        busy = datacenter.it_power_w(self.n_accelerators * self.busy_share, self.tdp_w)
        boards, it = self.boards_w, self.it_w
        return {"busy": busy, "spare": boards - busy, "host": it - boards, "overhead": self.site_w - it}

    @property
    def drawn_w(self):
        """Who draws the mean power at the meter: part -> power. [W]"""
        busy = datacenter.it_power_w(self.n_accelerators * self.busy_share, self.busy_w)
        host = datacenter.it_power_w(self.n_servers, self.host_mean_w)
        it = self.it_mean_w
        return {"busy": busy, "idle": it - busy - host, "host": host, "overhead": self.site_mean_w - it}

    @property
    def energy_j(self):
        """Energy at the meter in a year. [J]"""
        return decode.energy_j(self.site_mean_w, YEAR_S)

    @property
    def cost_usd(self):
        """Cost of that electricity. [usd]"""
        return datacenter.electricity_cost_usd(self.energy_j, self.electricity_price_usd_per_j)

    @property
    def carbon_kg(self):
        """Carbon dioxide of a year. [kg]"""
        return datacenter.emitted_carbon_kg(self.energy_j, self.carbon_kg_per_j)

    @property
    def water_m3(self):
        """Water of a year, on site and for the electricity. [m3]"""
        it_energy_j = decode.energy_j(self.it_mean_w, YEAR_S)
        return datacenter.used_water_m3(it_energy_j, self.site_water_m3_per_j, self.energy_j, self.grid_water_m3_per_j)

    @property
    def households(self):
        """US households that use as much electricity."""
        return datacenter.n_households(self.energy_j, _fact("us-household", "annual_energy_j").value)

    @property
    def query_j(self):
        """Energy per query at the meter. [J]"""
        return datacenter.energy_per_query_j(self.site_mean_w, self.queries_per_s)

    @property
    def query_usd(self):
        """Electricity cost per query. [usd]"""
        return datacenter.electricity_cost_usd(self.query_j, self.electricity_price_usd_per_j)

    @property
    def query_carbon_kg(self):
        """Carbon dioxide per query. [kg]"""
        return datacenter.emitted_carbon_kg(self.query_j, self.carbon_kg_per_j)

    @property
    def query_water_m3(self):
        """Water per query. [m3]"""
        return self.water_m3 / (YEAR_S * self.queries_per_s)

    def tokens_usd(self, tokens_priced):
        """Electricity cost of a number of output tokens. [usd]"""
        price = self.electricity_price_usd_per_j
        return datacenter.tokens_cost_usd(tokens_priced, self.query_j, price, self.output_tokens_per_query)


def _whole(number):
    """Whole pieces that cover a number; a rounding error of the arithmetic asks for no more."""
    return max(1, math.ceil(number * (1 - 1e-12)))


def _servers(copies, n_together, accelerators_per_server):
    """Whole servers; a copy of the network shares a server with others, or has servers of its own."""
    if n_together > accelerators_per_server:
        return copies * _whole(n_together / accelerators_per_server)
    return _whole(copies / (accelerators_per_server // n_together))


def bill(
    *,
    model,
    accelerator,
    queries_per_day,
    prompt_tokens_per_query,
    output_tokens_per_query,
    batch,
    tokens_per_s_per_accelerator,
    peak_to_average,
    max_load,
    accelerators_per_server,
    host_power_w,
    busy_w,
    idle_w,
    host_mean_w,
    pue,
    electricity_usd_per_kwh,
    carbon_g_per_kwh,
    site_water_l_per_kwh,
    grid_water_l_per_kwh,
    n_together=1,
):
    """What a service needs and costs: whole servers, never fewer than hold the model once.

    Parameters
    ----------
    tokens_per_s_per_accelerator : float or None
        Output tokens per accelerator, prompts included in the time; None takes what is `expected`, or the upper bound
        of `speed` where nothing is. [1/s]
    busy_w, idle_w, host_mean_w : float
        What an accelerator draws at work and idle, and a server without its accelerators all day. [W]
    n_together : int
        Accelerators that share a copy of the network; whole copies are installed. [1]
    others : float
        As in the table of quantities, in the units people type.
    """
    tdp_w = power(catalog.accelerator(accelerator), "tdp_w").value
    queries = to_si(queries_per_day, "1/day")
    tokens = datacenter.output_tokens_per_s(queries, output_tokens_per_query)
    fewest, served = 1, tokens_per_s_per_accelerator
    if served is None:
        query = (model, accelerator, prompt_tokens_per_query, output_tokens_per_query, batch)
        fastest, likely = speed(*query), expected(*query)
        fewest, served = fastest.n_together, likely.central if likely else fastest.served_tokens_per_s
    needed = datacenter.accelerators_needed(tokens, peak_to_average, served, max_load)
    servers = _servers(_whole(max(needed, fewest) / n_together), n_together, accelerators_per_server)
    busy = datacenter.busy_share(tokens, servers * accelerators_per_server, served)
    return Bill(
        queries_per_s=queries,
        output_tokens_per_query=output_tokens_per_query,
        output_tokens_per_s=tokens,
        served_tokens_per_s=served,
        accelerators_needed=needed,
        n_servers=servers,
        accelerators_per_server=accelerators_per_server,
        busy_share=busy,
        tdp_w=tdp_w,
        busy_w=busy_w,
        host_power_w=host_power_w,
        host_mean_w=host_mean_w,
        server_rated_w=datacenter.server_rated_w(accelerators_per_server, tdp_w, host_power_w),
        server_mean_w=datacenter.server_mean_w(accelerators_per_server, busy, busy_w, idle_w, host_mean_w),
        pue=pue,
        electricity_price_usd_per_j=to_si(electricity_usd_per_kwh, "usd/kWh"),
        carbon_kg_per_j=to_si(carbon_g_per_kwh, "g/kWh"),
        site_water_m3_per_j=to_si(site_water_l_per_kwh, "L/kWh"),
        grid_water_m3_per_j=to_si(grid_water_l_per_kwh, "L/kWh"),
    )


def article_case(inputs, host_power_w):
    """Arguments of `bill` for the article's service (lines 107 to 122): constant load, boards always at their rating.

    inputs: arguments of `bill`; of what the article does not mention these are kept.
    host_power_w: zero as the article counts, a sourced one for whole servers. [W]
    """
    return {
        **inputs,
        "model": "llama-3.1-70b",
        "accelerator": "h100-sxm",
        "queries_per_day": claim("C43").value,
        "prompt_tokens_per_query": 0,
        "output_tokens_per_query": claim("C44").value,
        "tokens_per_s_per_accelerator": claim("C45").value,
        "peak_to_average": 1.0,
        "max_load": 1.0,
        "accelerators_per_server": 8,
        "host_power_w": host_power_w,
        "busy_w": catalog.accelerator("h100-sxm").tdp_w,
        "idle_w": catalog.accelerator("h100-sxm").idle_w,
        "host_mean_w": host_power_w,
        "pue": ARTICLE_PUE,
        "electricity_usd_per_kwh": claim("C53").value,
    }


@dataclass(frozen=True)
class Site:
    """What the power of a site holds, in whole racks and servers.

    `n_servers` is the smaller of what power and racks hold; where a rack feeds no server, power alone counts.
    """

    it_w: float
    n_racks: int
    servers_per_rack: int
    n_by_power: int
    n_servers: int
    n_accelerators: int
    queries_per_s: float


def site(site_mw, rack_kw, bill, peak_to_average, max_load):
    """Racks, servers and queries that a site of some megawatts holds, built from the servers of a bill. `Site`"""
    power, rack = datacenter.site_it_power_w(to_si(site_mw, "MW"), bill.pue), to_si(rack_kw, "kW")
    racks = math.floor(datacenter.servers_by_power(power, rack))
    per_rack = math.floor(datacenter.servers_by_power(rack, bill.server_rated_w))
    by_power = math.floor(datacenter.servers_by_power(power, bill.server_rated_w))
    servers = min(by_power, racks * per_rack) if per_rack else by_power
    boards, rate, length = (
        servers * bill.accelerators_per_server,
        bill.served_tokens_per_s,
        bill.output_tokens_per_query,
    )
    queries = datacenter.site_queries_per_s(boards, rate, max_load, peak_to_average, length)
    return Site(power, racks, per_rack, by_power, servers, boards, queries)


def site_queries_per_day(site_mw, bill, served_tokens_per_s, peak_to_average, max_load):
    """Queries a site answers a day at some rate of a board, servers not rounded; for curves."""
    power = datacenter.site_it_power_w(to_si(site_mw, "MW"), bill.pue)
    boards = datacenter.servers_by_power(power, bill.server_rated_w) * bill.accelerators_per_server
    length = bill.output_tokens_per_query
    queries = datacenter.site_queries_per_s(boards, served_tokens_per_s, max_load, peak_to_average, length)
    return in_unit(queries, "1/day")


# Measured rates of one accelerator, prompts included in the time: entity of data/datacenter.csv -> batch, where known.
MEASURED = {"h100-70b-batch-32": 32, "h100-70b-batch-128": 128, "h100-70b-batch-898": 898, "h800-deepseek-v3": None}


def measured_tokens_per_s():
    """Measured output rates of one accelerator by entity. [1/s]"""
    return {entity: _fact(entity, "tokens_per_s_per_accelerator").value for entity in MEASURED}


def spans(own):
    """Published ends of the inputs that matter, in the units people type: name -> (low, high).

    own: the reader's values by name; an end moves out to one that lies outside.
    """

    def both(entity, quantity):
        one = _fact(entity, quantity)
        return one.low, one.high

    price, share = "electricity_price_usd_per_j", "provisioned_power_share"
    rates = measured_tokens_per_s().values()
    prices = (_fact(place, price).value for place in ("us-industrial-new-mexico", "us-commercial-2024"))
    published = {
        "tokens_per_s_per_accelerator": (min(rates), max(rates)),
        "electricity_usd_per_kwh": tuple(in_unit(one, "usd/kWh") for one in prices),
        "pue": (_fact("hyperscale-aws-best-site", "pue").value, _fact("industry-average-2025", "pue").value),
        "peak_to_average": both("planning", "peak_to_average"),
        "max_load": both("planning", "max_load"),
        "prompt_tokens_per_query": both("planning", "prompt_tokens_per_query"),
        "output_tokens_per_query": both("gpt-4o-query", "tokens_per_query"),
        "provisioned_power_share": (_fact("gpt-4o-query", share).value, both("dgx-h100-training", share)[1]),
    }
    return {name: (min(low, own[name]), max(high, own[name])) for name, (low, high) in published.items()}
