"""The bill of a whole service, and what a site can serve: numbers in units people type come in, SI units go on."""

import functools
import itertools
import math
import statistics
from dataclasses import dataclass, replace

from llmpower.facts import catalog
from llmpower.facts.claims import claim
from llmpower.facts.power import power
from llmpower.facts.quantities import quantities
from llmpower.facts.units import in_unit, to_si
from llmpower.formulas import datacenter, decode, escalator, of, serving
from llmpower.formulas.elementwise import ceil, floor, interpolate, log, maximum, minimum, positive
from llmpower.step import metered
from llmpower.step.bound import step_bound
from llmpower.step.work import needed_bytes, usable_bytes, work
from llmpower.trace import by_choice, traced

YEAR_S = 365 * 86400


_fact = functools.partial(catalog.fact, "datacenter.csv")


# Servers that share a copy, at most.
MOST_SERVERS = 16


def count(number):
    """A whole number as an integer, unless it is traced."""
    return number if traced(number) else int(number)


def copies(case, accelerators_per_server):
    """A case on each number of accelerators that fills servers evenly and divides its heads, the fewest first.

    One accelerator where nothing is known that links them, which a bus does, too; no more than there are experts or
    layers to spread.
    """
    most = {"ep": case.model.n_experts, "dp": case.model.n_experts, "pp": case.model.n_layers}.get(case.parallelism)
    known, per_server = 0 < case.link_bytes_per_s < math.inf, accelerators_per_server
    whole = [k * per_server for k in range(1, MOST_SERVERS + 1)] if known else []
    sizes = [n for n in range(1, per_server if known else 2) if per_server % n == 0] + whole
    return [replace(case, n_accelerators=float(n)) for n in sizes if case.model.n_heads % n == 0 and n <= (most or n)]


def bounded(case):
    """A case on the fewest accelerators whose memory holds it, caches counted once and heads not divided."""
    one = replace(case, n_accelerators=1.0)
    return replace(case, n_accelerators=ceil(decode.memory_fill(needed_bytes(one), usable_bytes(one))))


@by_choice
def waiting_w(machine):
    """What an accelerator draws that waits with its network loaded: low, value, high, how that is known, a source. [W]

    Boards for data centres keep their clocks up, as metered ones do; cards and computers let them fall.
    """
    known = metered.boards()
    if machine.entity not in known and "loaded_idle_w" in machine.facts:
        return *machine["loaded_idle_w"].ends, "network loaded", machine["loaded_idle_w"].source
    if machine.category in ("desktop", "laptop"):
        ends = (serving.board_power_w(1, share, machine.tdp_w) for share in _loaded_shares())
        return *ends, "network loaded, scaled with the rating from cards", ""
    if machine.category not in ("datacenter", "system"):
        return *power(machine, "idle_w").ends, "as an idle one", power(machine, "idle_w").source
    like = machine.entity if machine.entity in known else min(known)
    board = metered.board(like)
    note = "network loaded" + ("" if like == machine.entity else f", scaled with the rating from {like}")
    share = escalator.rating_use(board.clocks_up_w.central, 1, board.tdp_w)
    return *[serving.board_power_w(1, share, machine.tdp_w)] * 3, note, "llmpower2026power"


@functools.cache
def _loaded_shares():
    """Least, middle and most share of the rating that cards draw which wait with a network loaded. [1]"""
    cards = [one for one in catalog.records("accelerators.csv").values() if one.get("loaded_idle_w")]
    low, value, high = zip(*([end / one.tdp_w for end in one["loaded_idle_w"].ends] for one in cards))
    return min(low), statistics.median(value), max(high)


def batch_at(found, load):
    """Sequences that each copy of an estimate decodes at once, on average, at a share of its full rate. [1]"""
    batches, rates, _ = _less(found)
    return interpolate(load * found.tokens_per_s, rates, batches)


def part_load(found, *waits_w):
    """Loads of an estimate's copy, and its power at each as a share of that at full load, as `service.Bill` takes them.

    waits_w: what an accelerator draws that waits; each of several gives a pair of its own. [W]
    Fewer requests make smaller batches on every copy; with less than one request at a time it waits in between.
    """
    _, rates, powers_w = _less(found)
    loads, shares = (
        [one / full for one in some] for some, full in ((rates, found.tokens_per_s), (powers_w, found.power_w))
    )
    pairs = [((0.0, *loads), (one * found.n_accelerators / found.power_w, *shares)) for one in waits_w]
    return pairs if len(pairs) > 1 else pairs[0]


def _less(found):
    """Batches up to that of an estimate, evenly spaced on a logarithmic scale, with their rates and powers."""
    batches = [found.batch ** (place / 39) for place in range(40)]
    if traced(found.tokens_per_s):
        steps = [found.vary(batch=batch) for batch in batches]
        rates, powers_w = [step.tokens_per_s for step in steps], [step.power_w for step in steps]
    else:
        import numpy as np

        step = found.vary(batch=np.array(batches))
        rates, powers_w = (np.broadcast_to(one, 40).tolist() for one in (step.tokens_per_s, step.power_w))
    return batches, list(itertools.accumulate(rates, maximum)), powers_w


@dataclass(frozen=True)
class Speed:
    """The fastest one accelerator can serve, from datasheet rates alone. [1/s]"""

    prefill_tokens_per_s: float
    decode_tokens_per_s: float
    served_tokens_per_s: float


def speed(case):
    """Upper bound on the output tokens that each accelerator of a case serves a second, its prompts read at 16 bit."""
    n, prompt, answer = case.n_accelerators, case.prompt_tokens, case.output_tokens
    peak = case.accelerator.get("dense_bf16_flop_per_s", math.inf)
    # A prompt's tokens see half of it on average.
    flop = work(replace(case, n_accelerators=1.0, batch=1, context_tokens=prompt / 2)).flop
    prefill = datacenter.prefill_tokens_per_s(peak, flop)
    alone = step_bound(work(case), case.batch, case.accelerator, n).tokens_per_s / n
    served = datacenter.served_tokens_per_s(prompt, answer, prefill, alone)
    return Speed(prefill, alone, served)


def _si(name):
    """A property: an input in its SI unit."""
    return property(lambda bill: to_si(getattr(bill, name), quantities()[name].unit))


def _whole(number):
    """Whole pieces that cover a number; a rounding error of the arithmetic asks for no more."""
    return count(maximum(1, ceil(number * (1 - 1e-12))))


def servers_for(accelerators_needed, together, each):
    """Whole servers for so many accelerators; a copy of the network shares a server with others, or has its own."""
    copies = _whole(accelerators_needed / together)
    shared = _whole(copies / maximum(1, floor(each / together)))
    return positive(together - each, copies * _whole(together / each), shared)


@dataclass(frozen=True, kw_only=True)
class Bill:
    """A service from its queries to its cost: inputs in units people type, results in SI units, per year of 365 days.

    Inputs are those of the table of quantities, except:

    model, accelerator : records of the catalog
    tokens_per_s_per_accelerator : float
        Output tokens per accelerator at full load, prompts included in the time. [1/s]
    busy_w : float
        What an accelerator draws at full load. [W]
    part_load : tuple
        Loads from zero to one, and the share of `busy_w` that is drawn at each; lines between them. Power in
        proportion to the load where it is not given. [1]
    n_together : int
        Accelerators that share a copy of the network; whole copies are installed. [1]
    """

    model: catalog.Model
    accelerator: catalog.Record
    queries_per_day: float
    prompt_tokens_per_query: float
    output_tokens_per_query: float
    batch: float
    tokens_per_s_per_accelerator: float
    peak_to_average: float
    max_load: float
    accelerators_per_server: int
    host_power_w: float
    busy_w: float
    pue: float
    electricity_usd_per_kwh: float
    carbon_g_per_kwh: float
    site_water_l_per_kwh: float
    grid_water_l_per_kwh: float
    part_load: tuple = ((0.0, 1.0), (0.0, 1.0))
    n_together: int = 1
    power_cap_w: float = math.inf
    accelerator_usd_per_hour: float = math.nan

    served_tokens_per_s = property(lambda bill: bill.tokens_per_s_per_accelerator)
    queries_per_s = _si("queries_per_day")
    output_tokens_per_s = of(datacenter.output_tokens_per_s)
    accelerators_needed = of(datacenter.accelerators_needed)

    @functools.cached_property
    def n_servers(self):
        """Whole servers, as `servers_for` has them."""
        return servers_for(self.accelerators_needed, self.n_together, self.accelerators_per_server)

    request_time_s = of(datacenter.request_time_s, tokens_per_s="copy_tokens_per_s")
    copy_tokens_per_s = property(lambda bill: bill.served_tokens_per_s * bill.n_together)
    users_at_once = of(datacenter.users_at_once)

    # Machines, and the power they are rated at and draw on average: accelerators, whole servers, site.
    n_accelerators = property(lambda bill: bill.n_servers * bill.accelerators_per_server)
    mean_load = of(datacenter.mean_load)
    tdp_w = property(lambda bill: minimum(power(bill.accelerator, "tdp_w").value, bill.power_cap_w))

    @property
    def mean_w(self):
        """What an accelerator draws at the mean load, which counts as even over the day. [W]"""
        # A cap binds what waits, too, and a meter that reads beyond the rating does not build a site.
        return minimum(self.busy_w * interpolate(self.mean_load, *self.part_load), self.tdp_w)

    server_rated_w = of(datacenter.server_power_w, accelerator_power_w="tdp_w")
    server_mean_w = of(datacenter.server_power_w, accelerator_power_w="mean_w")
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

    accelerator_cost_usd_per_s = _si("accelerator_usd_per_hour")

    @property
    def usd_per_million_tokens(self):
        """Cost of a million output tokens: electricity, and machines while they are written. [usd]"""
        time_s = 1e6 / self.output_tokens_per_s
        machines = datacenter.rented_usd(self.n_accelerators, self.accelerator_cost_usd_per_s, time_s)
        return self.tokens_usd(10**6) + machines

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
        busy = datacenter.it_power_w(self.n_accelerators * self.mean_load, self.tdp_w)
        boards, it = self.boards_w, self.it_w
        return {"busy": busy, "spare": boards - busy, "host": it - boards, "overhead": self.site_w - it}

    @property
    def drawn_w(self):
        """Who draws the mean power at the meter: part -> power. [W]"""
        boards, it = datacenter.it_power_w(self.n_accelerators, self.mean_w), self.it_mean_w
        return {"boards": boards, "host": it - boards, "overhead": self.site_mean_w - it}


# A tenth more, and as much less: servers come whole, so a smaller change might meet a step of theirs, or none.
_A_TENTH_MORE = 1.1


def elasticities(bill, names):
    """Per cent by which the energy of a query changes for each per cent of an input, over a tenth either way. [1]

    names : of inputs; the result has each with its elasticity, all else held.
    """

    def query_j(name, factor):
        return replace(bill, **{name: getattr(bill, name) * factor}).query_j

    span = 2 * log(_A_TENTH_MORE)
    return {name: log(query_j(name, _A_TENTH_MORE) / query_j(name, 1 / _A_TENTH_MORE)) / span for name in names}


# What the article says of its service: claims by input, and what follows from the text.
_ARTICLE_CLAIMS = {
    "queries_per_day": "C43", "output_tokens_per_query": "C44", "tokens_per_s_per_accelerator": "C45",
    "electricity_usd_per_kwh": "C53",
}  # fmt: skip
# It multiplies by 1.5; load is constant, boards that work draw their rating, and prompts count as nothing.
_ARTICLE = {
    "prompt_tokens_per_query": 0, "peak_to_average": 1.0, "max_load": 1.0, "accelerators_per_server": 8, "pue": 1.5,
    "part_load": ((0.0, 1.0), (0.0, 1.0)), "n_together": 1,
}  # fmt: skip


def article_bill(bill, host_power_w):
    """Bill of the article's service, whose boards always draw their rating; what it does not mention is as in `bill`.

    host_power_w: zero as the article counts, a sourced one for whole servers. [W]
    """
    network, board = catalog.model("llama-3.1-70b"), catalog.accelerator("h100-sxm")
    given = {name: claim(one).value for name, one in _ARTICLE_CLAIMS.items()} | _ARTICLE
    return replace(bill, model=network, accelerator=board, host_power_w=host_power_w, busy_w=board.tdp_w, **given)


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
    room = (power, rack), (rack, bill.server_rated_w), (power, bill.server_rated_w)
    racks, per_rack, by_power = (count(floor(datacenter.servers_by_power(*pair))) for pair in room)
    servers = positive(per_rack, minimum(by_power, racks * per_rack), by_power)
    boards = servers * bill.accelerators_per_server
    return Site(power, racks, per_rack, by_power, servers, boards, bill.answered_per_s(boards))


def spans(own):
    """Ends of the inputs of a site and of its queries, in the units people type: name -> (low, high).

    own: the reader's values by name; an end moves out to one that lies outside.
    """
    price = "electricity_price_usd_per_j"
    places = {
        "electricity_usd_per_kwh": (("us-industrial-new-mexico", price), ("us-industrial-virginia", price)),
        "pue": (("hyperscale-aws-best-site", "pue"), ("industry-average-2025", "pue")),
    }
    found = {name: tuple(_fact(*place).value for place in ends) for name, ends in places.items()}
    wide = {"output_tokens": ("gpt-4o-query", "tokens_per_query")}
    wide |= {name: ("planning", name) for name in ("peak_to_average", "max_load")}
    wide["prompt_tokens"] = "planning", "prompt_tokens_per_query"
    found |= {name: _fact(*place).ends[::2] for name, place in wide.items()}
    typed = {name: [in_unit(end, quantities()[name].unit) for end in pair] for name, pair in found.items()}
    return {name: (minimum(low, own[name]), maximum(high, own[name])) for name, (low, high) in typed.items()}
