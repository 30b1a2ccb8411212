"""The bill of a whole service, and what a site can serve: numbers in units people type come in, SI units go on."""

import functools
import math
from dataclasses import dataclass, replace

from llmpower.estimate import expect, lacks
from llmpower.facts import catalog
from llmpower.facts.claims import claim
from llmpower.facts.power import power
from llmpower.facts.quantities import quantities
from llmpower.facts.units import in_unit, to_si
from llmpower.formulas import datacenter, decode, of
from llmpower.ranges import Range
from llmpower.step.bound import step_bound
from llmpower.step.case import case
from llmpower.step.work import fits, needed_bytes, work

YEAR_S = 365 * 86400


_fact = functools.partial(catalog.fact, "datacenter.csv")


@dataclass(frozen=True)
class Speed:
    """The fastest one accelerator can serve, from datasheet rates alone. [1/s]"""

    n_together: int
    context_tokens: float
    prefill_tokens_per_s: float
    decode_tokens_per_s: float
    served_tokens_per_s: float


def _case(model, accelerator, prompt_tokens_per_query, output_tokens_per_query, batch):
    """The case of a service, on the fewest accelerators that hold its batch in 16 bit, with caches counted once."""
    lengths = {"prompt_tokens": prompt_tokens_per_query, "output_tokens": output_tokens_per_query}
    found = case(model, accelerator, batch=batch, **lengths)
    alone = decode.memory_fill(needed_bytes(found), 1, found.accelerator.memory_bytes)
    return replace(found, n_accelerators=float(math.ceil(alone)))


def speed(model, accelerator, prompt_tokens_per_query, output_tokens_per_query, batch):
    """Upper bound on the output tokens an accelerator serves a second, in 16 bit, on the fewest that hold the batch."""
    found = _case(model, accelerator, prompt_tokens_per_query, output_tokens_per_query, batch)
    together, peak = int(found.n_accelerators), found.accelerator.get("dense_bf16_flop_per_s", math.inf)
    # A prompt's tokens see half of it on average.
    flop = work(replace(found, batch=1, context_tokens=prompt_tokens_per_query / 2)).flop
    prefill = datacenter.prefill_tokens_per_s(peak, flop)
    # A bound: caches count once, however many accelerators there are, so one of them stands for all.
    alone = step_bound(work(found), batch, found.accelerator, 1).tokens_per_s
    served = datacenter.served_tokens_per_s(prompt_tokens_per_query, output_tokens_per_query, prefill, alone)
    return Speed(together, found.context_tokens, prefill, alone, served)


def _expected(*query):
    """Estimate of the case of a service; None where a fact it needs is missing, or copies of heads do not fit."""
    found = _case(*query)
    missing = lacks(found.accelerator, found.weight_format, found.n_accelerators > 1)
    return None if missing or not fits(found) else expect(found)


def expected(model, accelerator, prompt_tokens_per_query, output_tokens_per_query, batch):
    """Output tokens that the estimator expects one accelerator to serve a second; None where there is no estimate."""
    found = _expected(model, accelerator, prompt_tokens_per_query, output_tokens_per_query, batch)
    return found and Range(*(end.tokens_per_s / found.n_accelerators for end in (found.low, found, found.high)))


def expected_power_share(model, accelerator, prompt_tokens_per_query, output_tokens_per_query, batch):
    """Share of its rating that the estimator expects a board at work to draw; None where there is no estimate."""
    found = _expected(model, accelerator, prompt_tokens_per_query, output_tokens_per_query, batch)
    return found and found.power_w / (found.n_accelerators * found.case.accelerator.tdp_w)


def _si(name):
    """A property: an input in its SI unit."""
    return property(lambda bill: to_si(getattr(bill, name), quantities()[name].unit))


def _whole(number):
    """Whole pieces that cover a number; a rounding error of the arithmetic asks for no more."""
    return max(1, math.ceil(number * (1 - 1e-12)))


@dataclass(frozen=True, kw_only=True)
class Bill:
    """A service from its queries to its cost: inputs in units people type, results in SI units, per year of 365 days.

    Inputs are those of the table of quantities, except:

    model, accelerator : records of the catalog
    tokens_per_s_per_accelerator : float or None
        Output tokens per accelerator, prompts included in the time; None takes what is `expected`, or the upper bound
        of `speed` where nothing is. [1/s]
    busy_w, idle_w, host_mean_w : float
        What an accelerator draws at work and idle, and a server without its accelerators all day. [W]
    n_together : int
        Accelerators that share a copy of the network; whole copies are installed. [1]
    """

    model: catalog.Model
    accelerator: catalog.Record
    queries_per_day: float
    prompt_tokens_per_query: float
    output_tokens_per_query: float
    batch: float
    tokens_per_s_per_accelerator: float | None
    peak_to_average: float
    max_load: float
    accelerators_per_server: int
    host_power_w: float
    busy_w: float
    idle_w: float
    host_mean_w: float
    pue: float
    electricity_usd_per_kwh: float
    carbon_g_per_kwh: float
    site_water_l_per_kwh: float
    grid_water_l_per_kwh: float
    n_together: int = 1

    @functools.cached_property
    def _least_and_rate(self):
        """Fewest accelerators that hold the network, one where a rate is given, and output tokens that each serves."""
        if self.tokens_per_s_per_accelerator is not None:
            return 1, self.tokens_per_s_per_accelerator
        query = (self.model, self.accelerator, self.prompt_tokens_per_query, self.output_tokens_per_query, self.batch)
        fastest, likely = speed(*query), expected(*query)
        return fastest.n_together, likely.central if likely else fastest.served_tokens_per_s

    served_tokens_per_s = property(lambda bill: bill._least_and_rate[1])
    queries_per_s = _si("queries_per_day")
    output_tokens_per_s = of(datacenter.output_tokens_per_s)
    accelerators_needed = of(datacenter.accelerators_needed)

    @functools.cached_property
    def n_servers(self):
        """Whole servers; a copy of the network shares a server with others, or has servers of its own."""
        together, each = self.n_together, self.accelerators_per_server
        copies = _whole(max(self.accelerators_needed, self._least_and_rate[0]) / together)
        return copies * _whole(together / each) if together > each else _whole(copies / (each // together))

    # Machines, and the power they are rated at and draw on average: accelerators, whole servers, site.
    n_accelerators = property(lambda bill: bill.n_servers * bill.accelerators_per_server)
    busy_share = of(datacenter.busy_share)
    tdp_w = property(lambda bill: power(bill.accelerator, "tdp_w").value)
    server_rated_w = of(datacenter.server_rated_w)
    server_mean_w = of(datacenter.server_mean_w)
    boards_w = of(datacenter.it_power_w, n_servers="n_accelerators", server_power_w="tdp_w")
    it_w = of(datacenter.it_power_w, server_power_w="server_rated_w")
    it_mean_w = of(datacenter.it_power_w, server_power_w="server_mean_w")
    site_w = of(datacenter.facility_power_w, it_power_w="it_w")
    site_mean_w = of(datacenter.facility_power_w, it_power_w="it_mean_w")

    # A year, at the meter.
    year_s = YEAR_S
    electricity_price_usd_per_j = _si("electricity_usd_per_kwh")
    carbon_kg_per_j = _si("carbon_g_per_kwh")
    site_water_m3_per_j = _si("site_water_l_per_kwh")
    grid_water_m3_per_j = _si("grid_water_l_per_kwh")
    household_energy_j = property(lambda bill: _fact("us-household", "annual_energy_j").value)
    energy_j = of(decode.energy_j, power_w="site_mean_w", time_s="year_s")
    it_energy_j = of(decode.energy_j, power_w="it_mean_w", time_s="year_s")
    cost_usd = of(datacenter.electricity_cost_usd)
    carbon_kg = of(datacenter.emitted_carbon_kg)
    water_m3 = of(datacenter.used_water_m3)
    households = of(datacenter.n_households)

    # A query, at the meter.
    query_j = of(datacenter.energy_per_query_j, facility_power_w="site_mean_w")
    token_j = property(lambda bill: bill.query_j / bill.output_tokens_per_query)
    query_usd = of(datacenter.electricity_cost_usd, energy_j="query_j")
    query_carbon_kg = of(datacenter.emitted_carbon_kg, energy_j="query_j")
    query_water_m3 = property(lambda bill: bill.water_m3 / (YEAR_S * bill.queries_per_s))

    def tokens_usd(self, tokens_priced):
        """Electricity cost of a number of output tokens. [usd]"""
        price = self.electricity_price_usd_per_j
        return datacenter.tokens_cost_usd(tokens_priced, self.query_j, price, self.output_tokens_per_query)

    def answered_per_s(self, n_accelerators):
        """Queries a second, on average, that some number of such accelerators answers. [1/s]"""
        rate, length = self.served_tokens_per_s, self.output_tokens_per_query
        return datacenter.site_queries_per_s(n_accelerators, rate, self.max_load, self.peak_to_average, length)

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
        host, it = datacenter.it_power_w(self.n_servers, self.host_mean_w), self.it_mean_w
        return {"busy": busy, "idle": it - busy - host, "host": host, "overhead": self.site_mean_w - it}


# What lines 107 to 122 of the article say of their service: claims by input, and what follows from the text.
_ARTICLE_CLAIMS = {
    "queries_per_day": "C43", "output_tokens_per_query": "C44", "tokens_per_s_per_accelerator": "C45",
    "electricity_usd_per_kwh": "C53",
}  # fmt: skip
# Line 118 multiplies by 1.5; load is constant, and prompts count as nothing.
_ARTICLE = {
    "prompt_tokens_per_query": 0, "peak_to_average": 1.0, "max_load": 1.0, "accelerators_per_server": 8, "pue": 1.5,
}  # fmt: skip


def article_bill(bill, host_power_w):
    """Bill of the article's service, whose boards always draw their rating; what it does not mention is as in `bill`.

    host_power_w: zero as the article counts, a sourced one for whole servers. [W]
    """
    network, board = catalog.model("llama-3.1-70b"), catalog.accelerator("h100-sxm")
    given = {name: claim(one).value for name, one in _ARTICLE_CLAIMS.items()} | _ARTICLE
    given |= {"busy_w": board.tdp_w, "idle_w": board.idle_w}
    return replace(bill, model=network, accelerator=board, host_power_w=host_power_w, host_mean_w=host_power_w, **given)


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


def site(site_mw, rack_kw, bill):
    """Racks, servers and queries that a site of some megawatts holds, built from the servers of a bill. `Site`"""
    power, rack = datacenter.site_it_power_w(to_si(site_mw, "MW"), bill.pue), to_si(rack_kw, "kW")
    racks = math.floor(datacenter.servers_by_power(power, rack))
    per_rack = math.floor(datacenter.servers_by_power(rack, bill.server_rated_w))
    by_power = math.floor(datacenter.servers_by_power(power, bill.server_rated_w))
    servers = min(by_power, racks * per_rack) if per_rack else by_power
    boards = servers * bill.accelerators_per_server
    return Site(power, racks, per_rack, by_power, servers, boards, bill.answered_per_s(boards))


def site_queries_per_day(site_mw, bill):
    """Queries a site answers a day with the servers of a bill, not rounded; for curves."""
    power = datacenter.site_it_power_w(to_si(site_mw, "MW"), bill.pue)
    boards = datacenter.servers_by_power(power, bill.server_rated_w) * bill.accelerators_per_server
    return in_unit(bill.answered_per_s(boards), "1/day")


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
        low, _, high = _fact(entity, quantity).ends
        return low, high

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
