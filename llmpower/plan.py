"""From questions a day to a site: speed and energy by `estimate`, machines and money by `service`."""

import bisect
import functools
import inspect
import math
from dataclasses import dataclass, field, fields, replace
from types import SimpleNamespace
from typing import NamedTuple

from llmpower import service
from llmpower.arguments import MEASURED, Check, ParameterError
from llmpower.estimate import (
    USUAL_LENGTHS,
    Estimate,
    check_cap,
    check_fits,
    expect,
    first_token_s,
    forms,
    lacking,
    over_cap_w,
    read,
    servers,
)
from llmpower.facts.catalog import fact, models
from llmpower.facts.quantities import quantities
from llmpower.facts.units import in_unit, to_si
from llmpower.formulas import datacenter, decode, efficiency, meter, serving
from llmpower.formulas.elementwise import ceil, coalesce, exp, floor, log, maximum, minimum, none, positive, sqrt
from llmpower.ranges import Range
from llmpower.service import count
from llmpower.step import served
from llmpower.step.cap import capped
from llmpower.step.case import admitted, case, usual
from llmpower.step.point import point
from llmpower.step.work import cache_bytes, fits, needed_bytes, net_of, positions, stored_bytes, usable_bytes
from llmpower.trace import shared, traced

# Argument -> where its default stands in data/datacenter.csv.
DEFAULTS = {
    **USUAL_LENGTHS,
    "peak_to_average": ("planning", "peak_to_average"),
    "max_load": ("planning", "max_load"),
    "accelerators_per_server": ("dgx-h100", "n_accelerators"),
    "pue": ("gpt-4o-query", "pue"),
    "electricity_usd_per_kwh": ("us-industrial-2025", "electricity_price_usd_per_j"),
    "carbon_g_per_kwh": ("us-grid", "carbon_kg_per_j"),
    "site_water_l_per_kwh": ("us-fleet-model", "water_m3_per_j"),
    "grid_water_l_per_kwh": ("us-electricity-2023", "water_m3_per_j"),
}
# A plan is for its queries and servers; these are asked for, not uncertain.
_NOT_VARIED = ("prompt_tokens", "output_tokens", "accelerators_per_server")
# Zero, where its logarithm is taken.
_LEAST = 1e-300
_ROUNDING = 1e-12
_WHOLE = ("n_accelerators", "accelerators_per_server")
_OF_A_COPY = inspect.signature(case).parameters.keys() - {"batch", "check"}


class Assumption(NamedTuple):
    """An input nobody gave, in the unit people type; `low` and `high` are empty where no range is known or varied."""

    name: str
    value: float | str
    low: float | None
    high: float | None
    unit: str
    source: str
    note: str


class Result(NamedTuple):
    """One result of a plan: what it is called, its unit for people, and its range."""

    words: str
    unit: str
    range: Range


# Name of a result, in the unit that it ends with -> words, unit, and how it follows from the copy at work, of which it
# keeps the ends, or from a bill.
_COPY = {
    "tokens_per_s_per_user": ("speed of one user", "tokens/s", lambda end, batch: end.tokens_per_s / batch),
    "tokens_per_s": ("speed of a copy", "tokens/s", lambda end, batch: end.tokens_per_s),
    "j_per_token_at_work": ("energy at full load", "J/token", lambda end, batch: end.j_per_token),
}
_SERVICE = {
    "users_at_once": ("users at once, at most", "", lambda bill: bill.users_at_once),
    "n_accelerators": ("accelerators", "", lambda bill: bill.n_accelerators),
    "n_servers": ("servers", "", lambda bill: bill.n_servers),
    "j_per_token": ("energy at the mean load", "J/token", lambda bill: bill.token_j),
    "wh_per_query": ("energy of a query", "Wh", lambda bill: in_unit(bill.query_j, "Wh")),
    "site_mw": ("power to build for", "MW", lambda bill: in_unit(bill.site_w, "MW")),
    "mean_mw": ("power on average", "MW", lambda bill: in_unit(bill.site_mean_w, "MW")),
    "energy_gwh_per_year": ("energy", "GWh a year", lambda bill: in_unit(bill.energy_j, "GWh")),
    "electricity_usd_per_year": ("electricity", "USD a year", lambda bill: bill.cost_usd),
    "electricity_usd_per_million_tokens": ("  of a million tokens", "USD", lambda bill: bill.tokens_usd(10**6)),
    "usd_per_million_tokens": ("  with its machines", "USD", lambda bill: bill.usd_per_million_tokens),
    "tokens_per_s_per_mw": (
        "rate of a megawatt", "tokens/s",
        lambda bill: to_si(efficiency.tokens_per_j(bill.output_tokens_per_s, bill.site_mean_w), "MW"),
    ),
    "carbon_t_per_year": ("carbon dioxide", "t a year", lambda bill: in_unit(bill.carbon_kg, "t")),
    "carbon_g_per_query": ("  of a query", "g", lambda bill: in_unit(bill.query_carbon_kg, "g")),
    "water_m3_per_year": ("water", "m3 a year", lambda bill: bill.water_m3),
    "water_ml_per_query": ("  of a query", "mL", lambda bill: in_unit(bill.query_water_m3, "mL")),
}  # fmt: skip
RESULTS = (*list(_COPY)[:2], *list(_SERVICE)[:3], *list(_COPY)[2:], *list(_SERVICE)[3:])


@dataclass(frozen=True)
class Plan:
    """What `plan` found; a result by its name is a `Range`, `results` has all of them with words and units.

    `n_together` accelerators share a copy of the network, which decodes `batch` sequences at once. `estimate` is that
    copy at work with the site's share, `bill` the whole service with central inputs. With two pools these are of the
    one that writes, `prompts` is the plan of the one that reads, and `results` are of both together.
    """

    queries_per_day: float
    batch: float
    n_together: int
    results: dict = field(repr=False)
    assumptions: tuple
    notes: tuple
    estimate: Estimate
    bill: service.Bill
    prompts: "Plan | None" = None

    def __getattr__(self, name):
        if name not in RESULTS:
            raise AttributeError(name)
        return self.results[name].range

    def __dir__(self):
        return [*super().__dir__(), *RESULTS]

    def __str__(self):
        from llmpower.text import plan_text

        return plan_text(self)

    def _repr_html_(self):
        from llmpower.text import html

        return html(self)

    def to_frame(self):
        """A pandas data frame with a row for each result and its range."""
        from llmpower.text import frame

        return frame(self)


_CHEAPEST = (
    "of the numbers of accelerators that are quick enough a copy takes the one that needs the fewest servers, then the "
    "least energy a token"
)
_LEFT_OUT = (
    "users at once: in the busiest hour, and as if each were as slow as at full load, so at most",
    "traffic is spread over all copies and even over the day; hours of less traffic cost more a token",
    "left out: spares for repair, storage, networks between servers, and training",
)
# Layouts that a server holds alone where it can: sums over several were in no fitted run.
_INSIDE = ("tp", "ep")
# Limits of a user that a batch keeps.
_LIMITS = ("tokens_per_s_per_user", "most_first_token_s")


def plan(
    model,
    accelerator,
    queries_per_day=None,
    weight_format="bf16",
    batch=None,
    tokens_per_s_per_user=None,
    n_accelerators=None,
    prompt_tokens=None,
    output_tokens=None,
    context_tokens=None,
    kv_format=None,
    parallelism=None,
    peak_to_average=None,
    max_load=None,
    accelerators_per_server=None,
    host_power_w=None,
    pue=None,
    electricity_usd_per_kwh=None,
    carbon_g_per_kwh=None,
    site_water_l_per_kwh=None,
    grid_water_l_per_kwh=None,
    software=None,
    cached_prompt_share=None,
    draft_tokens=None,
    accepted_tokens=None,
    max_step_tokens=None,
    power_cap_w=None,
    link_bytes_per_s=None,
    network_bytes_per_s=None,
    accelerator_usd_per_hour=None,
    memory_share=None,
    most_first_token_s=None,
    users_at_once=None,
    pools=1,
    measured_tokens_per_s=None,
    measured_power_w=None,
    measured_batch=None,
):
    """Machines, power, energy, money, carbon dioxide and water of a service, from its queries a day.

    Parameters
    ----------
    model, accelerator : str
        Names of the catalog, or what people type for them; a model may be a `config.json`, as for `estimate`.
    queries_per_day : float
        Queries the service answers, mean over the year. [1/day]
    users_at_once : float, optional
        Instead of `queries_per_day`: requests in work at once in the busiest hour, from which queries follow by the
        time of one. [1]
    weight_format, kv_format, parallelism, software : str
        As for `estimate`.
    batch : float, optional
        Sequences that a copy of the network decodes together. [1]
    tokens_per_s_per_user : float, optional
        Instead of `batch`: takes the largest whole batch that still gives
        every user so many output tokens a second, and fits. [1/s]
    most_first_token_s : float, optional
        Beside it or alone: the longest time to a first token, without waiting for a place. [s]
    n_accelerators : int, optional
        Accelerators that share a copy. Without it one of the numbers that divide its heads and fill servers evenly
        (1, 2, 4, 8, whole servers): with `batch` the fewest that hold it; with a limit, of those that keep it, the one
        for which the service takes the fewest servers, then the least energy. Several servers share the matrices of
        a copy only where one cannot hold it. [1]
    prompt_tokens, output_tokens : float, optional
        Tokens of a query. [1]
    context_tokens, cached_prompt_share, draft_tokens, accepted_tokens, max_step_tokens : float, optional
        As for `estimate`. [1]
    power_cap_w, link_bytes_per_s, network_bytes_per_s, memory_share : float, optional
        As for `estimate`. [W], [B/s], [1]
    peak_to_average, max_load, accelerators_per_server, pue : float, optional
        As in the table of quantities. [1]
    host_power_w : float, optional
        What a server draws without its accelerators. [W]
    electricity_usd_per_kwh, carbon_g_per_kwh, site_water_l_per_kwh, grid_water_l_per_kwh : float, optional
        Price, carbon dioxide and water of electricity. [usd/kWh, g/kWh, L/kWh]
    accelerator_usd_per_hour : float, optional
        Price of an accelerator, with its share of server and building. [usd/h]
    pools : int
        2 for accelerators of their own that read prompts, apart from those that write answers (disaggregated prefill);
        speed, batch and `n_accelerators` are then those of answers, `most_first_token_s` is of prompts. [1]
    measured_tokens_per_s, measured_power_w, measured_batch : float, optional
        As for `estimate`, of a copy; `n_accelerators` says on how many it was measured. [1/s], [W], [1]

    Returns
    -------
    plan : Plan
        Everything that was not given stands in `assumptions`, with its source.

    Raises
    ------
    ParameterError
        With every problem, what is allowed, and the unit; for a speed that cannot
        be had, with the best that can.

    Notes
    -----
    Ends of a range: each uncertain input is moved to its low and its high end alone, and the effects are added as those
    of independent errors (root of the sum of squared logarithms). Inputs that were given, and prompts and answers,
    count as certain. Speed and energy of a copy keep the ends of `estimate`.

    Examples
    --------
    >>> found = plan("llama-3.1-70b", "h100-sxm", 1e6, tokens_per_s_per_user=25, max_load=0.8)
    >>> found.n_together, found.tokens_per_s_per_user.central >= 25
    (4, True)
    >>> found.mean_mw.low < found.mean_mw.central < found.site_mw.central
    True
    """
    given = {name: value for name, value in locals().items() if value is not None and name != "pools"}
    check = Check()
    check.number("pools", pools, whole=True)
    check.done()
    return _planned(given) if pools == 1 else _apart(given)


def _planned(given, fills=None):
    """A plan by what was given; `fills`: tokens of prompts that each queue of a pool for them reads in a step."""
    # What is given is certain; what is traced only where it is not as in data/.
    assumed = [default(name, given.get(name)) for name in DEFAULTS if name not in given or traced(given[name])]
    used = {one.name: one.value for one in assumed} | given
    copy = _sized(_checked(given, used, fills), used, fills)
    found = _around(expect(copy, "facility"), given, used)
    check_cap(found)
    used["queries_per_day"] = _queries_per_day(used, found.tokens_per_s_per_user)
    given |= {"queries_per_day": used["queries_per_day"]}
    assumed += [one for one in _chosen(found, used) if one.name not in given or traced(given[one.name])]
    bill, moves = _bill(found, expect(copy), given | {one.name: one.value for one in assumed}, assumed)
    moved = [[replace(bill, **end) for end in pair] for pair in moves]
    ranges = {}
    for name, (_, _, result) in _COPY.items():
        ranges[name] = Range(*(result(end, copy.batch) for end in (found.low, found, found.high)))
    for name, (_, _, result) in _SERVICE.items():
        ranges[name] = _independent(result(bill), [[result(end) for end in pair] for pair in moved])
    if "users_at_once" in given:
        ranges["users_at_once"] = Range(*[given["users_at_once"]] * 3)
    ranges |= _whole_servers(ranges["n_servers"], bill)
    # What is built is never less than what is drawn, nor than what the fewest servers need, so neither are its ends.
    build, drawn = ranges["site_mw"], ranges["mean_mw"]
    each = _independent(_server_mw(bill), [[_server_mw(end) for end in pair] for pair in moved])
    least = maximum(maximum(build.low, drawn.low), each.low * ranges["n_servers"].low)
    ranges["site_mw"] = Range(minimum(least, build.central), build.central, maximum(build.high, drawn.high))
    named = {**_COPY, **_SERVICE}
    results = {name: Result(*named[name][:2], ranges[name]) for name in RESULTS}
    cheapest = [_CHEAPEST] if "n_accelerators" not in given and "batch" not in given and not fills else []
    # What is traced is told in numbers alone.
    notes = () if traced(bill.mean_load) else (*found.notes, *cheapest, _spread(found, bill), *_LEFT_OUT)
    return Plan(bill.queries_per_day, bill.batch, bill.n_together, results, tuple(assumed), notes, found, bill)


# What two pools have together: sums of both, sums for an output token, or results of the pool that writes.
_BOTH = (
    "n_accelerators", "n_servers", "wh_per_query", "site_mw", "mean_mw", "energy_gwh_per_year",
    "electricity_usd_per_year", "carbon_t_per_year", "carbon_g_per_query", "water_m3_per_year", "water_ml_per_query",
)  # fmt: skip
_BOTH_A_TOKEN = (
    "j_per_token_at_work", "j_per_token", "electricity_usd_per_million_tokens", "usd_per_million_tokens",
)  # fmt: skip
_OF_ANSWERS = (
    "batch", "tokens_per_s_per_user", "n_accelerators", "context_tokens", "users_at_once", "draft_tokens",
    "accepted_tokens",
)  # fmt: skip
_POOLS = (
    "prompts and answers have pools of their own: ends of both are added, caches move between them at no cost, and "
    "users count while their answer is written"
)


def _apart(given):
    """A plan with a pool that reads prompts and one that writes answers, each sized by itself, added up."""
    lengths = {name: default(name).value for name in USUAL_LENGTHS} | given
    reads = {name: value for name, value in given.items() if name not in _OF_ANSWERS}
    writes = {name: value for name, value in given.items() if name != "most_first_token_s"}
    # Whoever writes finds all of a prompt in a cache; whoever reads writes one token.
    answers = _planned(writes | {"cached_prompt_share": 1.0})
    computed = meter.computed_prompt_tokens(lengths["prompt_tokens"], given.get("cached_prompt_share", 0.0))
    if not computed:
        told = "got 2; no token of a prompt is computed, so there is nothing for a second pool to read, allowed is 1"
        raise ParameterError([f"pools: {told} [count]"])
    reads |= {"queries_per_day": answers.queries_per_day, "output_tokens": 1.0}
    prompts = _planned(reads, fills=given.get("max_step_tokens", usual("max_step_tokens")))
    results = dict(answers.results)
    for name in (*_BOTH, *_BOTH_A_TOKEN):
        share = 1 if name in _BOTH else 1 / lengths["output_tokens"]
        ends = zip(*(vars(pool.results[name].range).values() for pool in (answers, prompts)))
        results[name] = results[name]._replace(range=Range(*(one + share * other for one, other in ends)))
    energy = results["j_per_token"].range
    rates = (to_si(1 / end, "MW") for end in (energy.high, energy.central, energy.low))
    results["tokens_per_s_per_mw"] = results["tokens_per_s_per_mw"]._replace(range=Range(*rates))
    return replace(answers, results=results, notes=(*answers.notes, _POOLS), prompts=prompts)


def _server_mw(bill):
    return in_unit(bill.site_w / bill.n_servers, "MW")


def _spread(found, bill):
    mean, load = service.batch_at(found, bill.mean_load), f"{100 * bill.mean_load:.2g} % of the full rate"
    many = f"{mean:,.3g} sequences at once" if mean > 1 else "one sequence at a time and waits in between"
    return f"at the mean load, {load}, a copy decodes {many}"


def own(**inputs):
    """Inputs of a plan that are not as in data/, and so would be given; a batch takes the place of a wanted speed."""
    found = {
        name: value
        for name, value in inputs.items()
        if traced(value) or value is not None and (name not in DEFAULTS or value != default(name).value)
    }
    if "batch" in found and not traced(found["batch"]):
        found = {name: value for name, value in found.items() if name not in _LIMITS}
    return found


def default(name, given=None):
    """A default from data/datacenter.csv; it has ends where it is uncertain.

    given: a traced value instead, which is certain unless it is that of data/.
    """
    table, (entity, quantity), unit = "datacenter.csv", DEFAULTS[name], quantities()[name].unit
    one = fact(table, entity, quantity)
    low, value, high = (in_unit(end, unit) for end in one.ends)
    if given is not None:
        differs = (given - value) ** 2
        low, high = (None if end is None else positive(differs, given, end) for end in (low, high))
        value = given
    if name in _NOT_VARIED or one.low is None:
        low = high = None
    return Assumption(name, value, low, high, unit, one.source or "convention", fact(table, entity, "name").value)


def _checked(given, used, fills=None):
    """The case of a copy, one accelerator and one sequence if nothing else was given; every problem is told at once."""
    check, numbers = Check(), [name for name in given if quantities()[name].type in ("int", "float")]
    wrong = [name for name in numbers if check.number(name, given[name], name in _WHOLE) is None]
    if ("queries_per_day" in given) == ("users_at_once" in given):
        which = "give one of them, what the service answers a day [1/day] or how many are in work at the peak [count]"
        check.wrong("queries_per_day, users_at_once", which)
    limited = any(name in given for name in _LIMITS)
    if ("batch" in given) == limited and not (fills or traced(given.get("batch"))):
        which = "give one of them, how many sequences run together or how quick each must be; most_first_token_s does"
        both = "give one of them: a batch that is given has no limits of a user"
        check.wrong("batch, tokens_per_s_per_user", both if limited else f"{which} as well")
    if given.keys() & set(MEASURED):
        if "n_accelerators" not in given:
            check.wrong("n_accelerators", "got None; give the accelerators of the copy that was measured [1]")
        if "batch" not in given and "measured_batch" not in given:
            check.wrong("measured_batch", "got None; give the batch of the copy that was measured [1]")
    copy = {name: used[name] for name in _OF_A_COPY if name in used and name not in wrong}
    if not limited and "batch" in given and "batch" not in wrong:
        copy["batch"] = given["batch"]
    found = read(check, **{"model": None, "accelerator": None} | copy)
    check.done()
    return found


def _sized(case, used, fills=None):
    """The case with the accelerators of a copy, and its batch."""
    limits, per_server = [used.get(name) for name in _LIMITS], count(used["accelerators_per_server"])
    limited = any(name in used for name in _LIMITS)
    if traced(*limits, needed_bytes(case), usable_bytes(case), per_server):
        return case if "n_accelerators" in used and not limited else _sized_traced(case, used)
    asked = [replace(case, n_accelerators=float(used.get("n_accelerators", 1)))]
    cases = asked if "n_accelerators" in used else service.copies(case, per_server)
    fitting = [one for one in cases if fits(one)]
    # A copy that does not fit is told with what is missing.
    check_fits((fitting or cases)[-1])
    if not (limited or fills):
        return fitting[0]
    if case.parallelism in _INSIDE:
        fitting = [one for one in fitting if one.n_accelerators <= per_server] or fitting
    most = _admitted(case, used)
    room = {one: minimum(most, _filled(one, fills)) if fills else most for one in fitting}
    quick = [replace(one, batch=batch) for one in fitting if (batch := _quick(one, limits, room[one]))]
    if not quick:
        raise ParameterError([_out_of_reach(fitting, limits)])
    return min(quick, key=lambda one: _cost(expect(one), used))


def _filled(case, fills):
    """Prompts that fill a step of each queue of a case. [1]"""
    return ceil(fills / case.prefilled_tokens) * (case.n_accelerators if case.parallelism == "dp" else 1)


def _quick(case, limits, most):
    """The largest whole batch up to `most` that fits and keeps the limits of a user; zero if none does. [1]"""
    least_speed, most_first_s = limits

    def slow(batch):
        # Where it does not fit nothing is a number, which no comparison finds good enough.
        found = expect(replace(case, batch=float(batch)))
        speed = least_speed is None or found.tokens_per_s_per_user >= least_speed
        first = most_first_s is None or found.first_token_s <= most_first_s
        return batch > most or not (fits(found.case) and speed and first)

    batches = range(1, int(quantities()["batch"].high) + 1)
    return float(bisect.bisect_left(batches, True, key=slow))


def _out_of_reach(cases, limits):
    """What is said where no copy keeps the limits of a user: which one, and the best that can be had."""
    alone = [expect(replace(one, batch=1.0)) for one in cases]
    quick, soon = max(alone, key=lambda one: one.tokens_per_s_per_user), min(alone, key=lambda one: one.first_token_s)
    quick_on, soon_on = (f"{one.n_accelerators:.0f} x {one.accelerator} give a user" for one in (quick, soon))
    if limits[0] is not None and quick.tokens_per_s_per_user < limits[0]:
        best = f"{quick_on} {quick.tokens_per_s_per_user:,.3g} at most, alone at batch 1 [1/s]"
        return f"tokens_per_s_per_user: got {limits[0]:,.6g}; {best}"
    if limits[1] is not None and soon.first_token_s > limits[1]:
        best = f"{soon_on} a first token after {soon.first_token_s:,.3g} at least, alone at batch 1 [s]"
        return f"most_first_token_s: got {limits[1]:,.6g}; {best}"
    return f"{', '.join(_LIMITS)}: no number of accelerators keeps both, though each alone can be kept [1/s, s]"


def _queries_per_day(used, speed):
    """Queries a day that were asked for, or by which so many users are at once in work at a speed. [1/day]"""
    if "queries_per_day" in used:
        return used["queries_per_day"]
    time_s = datacenter.request_time_s(used["output_tokens"], 1, speed)
    each = datacenter.users_at_once(to_si(1.0, "1/day"), used["peak_to_average"], time_s)
    return used["users_at_once"] / each


def _cost(found, used):
    """By what copies are compared: servers of the whole service, then energy of a token. [1], [J]"""
    return *_servers(_traffic(used), found.n_accelerators, found.tokens_per_s, found.batch), found.j_per_token


def _traffic(used):
    """What servers are counted for."""
    names = ("queries_per_day", "users_at_once", "output_tokens", "peak_to_average", "max_load")
    return SimpleNamespace(**{name: used[name] for name in (*names, "accelerators_per_server") if name in used})


@shared
def _servers(traffic, n, tokens_per_s, batch):
    """Whole servers of a service on copies of n accelerators with a rate. [1]"""
    queries_per_s = to_si(_queries_per_day(vars(traffic), tokens_per_s / batch), "1/day")
    rate = datacenter.output_tokens_per_s(queries_per_s, traffic.output_tokens)
    needed = datacenter.accelerators_needed(rate, traffic.peak_to_average, tokens_per_s / n, traffic.max_load)
    return (service.servers_for(needed, n, traffic.accelerators_per_server),)


def _sized_traced(case, used):
    """The same where numbers are not known: all numbers of accelerators are tried, and the cheapest is kept.

    A batch and a number of accelerators that are given win. Nothing where none are: not a number.
    """
    n_asked, most = coalesce(used.get("n_accelerators"), math.nan), _admitted(case, used)
    batch_asked = minimum(coalesce(used.get("batch"), math.nan), most)
    limits = [used.get(name) for name in _LIMITS]
    speed, first_s = coalesce(limits[0], 0.0), coalesce(limits[1], math.inf)
    per_server, memory = used["accelerators_per_server"], usable_bytes(replace(case, n_accelerators=1.0))
    # A board alone has a link without end, to nothing.
    linked = positive(math.inf - case.link_bytes_per_s, 1.0, 0.0)
    _, net, unit, fitted, _ = forms(case)
    run = {name: getattr(case, name) for name in _OF_A_RUN}
    heads = {model.n_heads for model in models().values()}
    tried = []
    for n in sorted({n for many in heads for n in range(1, many + 1) if many % n == 0}):
        # A part of a server, or whole ones; a server of one needs no link.
        fills = positive(per_server - n, _divides(n, per_server), _divides(per_server, n))
        possible = positive(n - service.MOST_SERVERS * per_server, 0.0, fills * _divides(n, case.model.n_heads))
        tried.append((float(n), positive(n_asked, 0.0, possible if n == 1 else linked * possible)))
    tried += [(n_asked, positive(n_asked, 1.0, 0.0))] if "n_accelerators" in used else []
    inside, sizes = 0.0, []
    for n, possible in tried:
        one = replace(case, n_accelerators=n, batch=positive(batch_asked, batch_asked, 1.0))
        possible = positive(lacking(one, n), 0.0, possible)
        holds = positive(needed_bytes(one) - n * memory, 0.0, possible)
        batch, cost = positive(holds, batch_asked, 0.0), (n, 0.0)
        if any(name in used for name in _LIMITS):
            where = SimpleNamespace(**run, n_accelerators=n)
            largest, rate, joules = _largest_batch(net_of(one), unit, fitted, where, memory, speed, first_s, most)
            batch = positive(batch_asked, batch, positive(holds, largest, 0.0))
            (servers,) = _servers(_traffic(used), n, rate, maximum(largest, 1.0))
            cost = positive(batch_asked, n, servers), positive(batch_asked, 0.0, joules)
        sizes.append((n, batch, cost))
        inside = maximum(inside, positive(n - per_server, 0.0, holds))
    n_found = batch_found = math.nan
    least = math.inf, math.inf
    for n, batch, cost in sizes:
        if case.parallelism in _INSIDE:
            batch = positive(n - per_server, positive(inside, 0.0, batch), batch)
        more, joules = (positive(kept - own, 1.0, 0.0) for kept, own in zip(least, cost))
        same = positive(cost[0] - least[0], 0.0, joules)
        better = positive(batch, positive(more, 1.0, same), 0.0)
        n_found, batch_found = positive(better, n, n_found), positive(better, batch, batch_found)
        least = tuple(positive(better, own, kept) for kept, own in zip(least, cost))
    found = replace(case, n_accelerators=n_found, batch=batch_found)
    if traced(case.power_cap_w):
        # A cap that boards cannot keep leaves nothing, as `check_cap` has it.
        n_found = positive(over_cap_w(expect(found)), math.nan, n_found)
        found = replace(found, n_accelerators=n_found, batch=positive(n_found, batch_found, math.nan))
    return found


def _admitted(case, used):
    """Sequences that a limit of a step leaves room for, where one was given. [1]"""
    numbers = vars(case) | {"max_step_tokens": coalesce(used.get("max_step_tokens"), math.inf)}
    return admitted(numbers, case.output_tokens)


_OF_A_RUN = (
    "context_tokens", "prefilled_tokens", "output_tokens", "parallelism", "draft_tokens", "accepted_tokens",
    "max_step_tokens", "power_cap_w", "accelerators_per_server", "network_bytes_per_s",
)  # fmt: skip


def _divides(n, whole):
    """One where a number divides another one without a rest. [1]"""
    return positive(whole - n * floor(whole / n), 0.0, 1.0)


@shared
def _largest_batch(net, unit, fitted, run, memory_bytes, tokens_per_s_per_user, most_first_token_s, most):
    """The largest batch up to `most` that fits and keeps the limits of a user, with its tokens/s and J a token. [1]

    Nothing if none does; the rest is then of one sequence.
    """
    batch, limits = 0.0, (memory_bytes, tokens_per_s_per_user, most_first_token_s)
    for power in reversed(range(int(quantities()["batch"].high).bit_length())):
        tried = batch + 2.0**power
        (late,) = _late(net, unit, fitted, run, tried, *limits)
        batch = positive(maximum(late, tried - most), batch, tried)
    least = maximum(batch, 1.0)
    full, written = _step(net, unit, fitted, run, least)[0], serving.tokens_written(least, run.accepted_tokens)
    return batch, decode.tokens_per_s(written, full.time_s), decode.energy_per_token_j(full.energy_j, written)


def _step(net, unit, fitted, run, batch, **changes):
    """A step of a run with a batch, and its operating point."""
    step = served.step if none(1 / run.power_cap_w) else functools.partial(capped, served.step, run.power_cap_w)
    where = point(SimpleNamespace(**vars(run), batch=batch))
    prompt = changes.get("prompt_tokens", run.prefilled_tokens)
    lengths = (batch, run.context_tokens, prompt, run.output_tokens)
    return step(net, unit, fitted, run.n_accelerators, *lengths, where), where


@shared
def _late(net, unit, fitted, run, batch, memory_bytes, tokens_per_s_per_user, most_first_token_s):
    """Above zero where a batch does not fit, or does not keep a limit of a user."""
    found, where = _step(net, unit, fitted, run, batch)
    kept = cache_bytes(net, run.n_accelerators, positions(net, run.context_tokens))
    missing = decode.memory_needed_bytes(stored_bytes(net), kept, batch) - run.n_accelerators * memory_bytes
    speed = decode.tokens_per_s(serving.tokens_written(batch, run.accepted_tokens), found.time_s) / batch
    late = maximum(tokens_per_s_per_user - speed, missing)
    if not none(1 / most_first_token_s):
        # A prompt of no length that is not zero for certain takes the same function, which the page has once.
        plain, _ = _step(net, unit, fitted, run, batch, prompt_tokens=run.prefilled_tokens * 0.0)
        lengths = run.prefilled_tokens, run.output_tokens
        first = first_token_s(net, fitted, batch, *lengths, where, plain.time_s, found.time_s)
        late = maximum(late, first - most_first_token_s)
    return (late,)


def _around(found, given, used):
    """The estimate with what was given for the host and the site."""
    host = found.host
    if "host_power_w" in given:
        each, n = used["accelerators_per_server"], found.n_accelerators
        own = (coalesce(given["host_power_w"], one / n * each) / each * n for one in host.power_w)
        host = replace(host, power_w=tuple(own))
    if "pue" in given:
        pue = default("pue", given["pue"]) if traced(given["pue"]) else _certain("pue", given["pue"], "")
        host = replace(host, pue=tuple(pue.value if end is None else end for end in (pue.low, pue.value, pue.high)))
    return replace(found, host=host)


def _chosen(found, used):
    """What else is assumed where it is not given, with its source."""
    n, machine = found.n_accelerators, found.case.accelerator
    low, waits, high, note, source = service.waiting_w(machine)
    if traced(n):
        yield Assumption("idle_w", waits, low, high, "W", "", "")
        yield Assumption("host_power_w", *_host_power_w(found, used), "W", "", "")
        return
    among = "divide heads and servers"
    which = f"fewest that hold a copy, {among}" if "batch" in used else f"cheapest of those that {among}"
    yield _certain("n_accelerators", n, which, "1")
    kept, share = fact("datacenter.csv", "serving", "memory_share"), found.case.memory_share
    if share == kept.value:
        yield _certain("memory_share", share, "what servers take; the rest is kept back", "1", kept.source)
    else:
        yield _certain("memory_share", share, "all of the memory: no server keeps any back", "1")
    yield _certain("kv_format", found.kv_format, "caches as most servers keep them")
    if n > 1:
        yield _certain("parallelism", found.parallelism, "how accelerators share a copy")
    known = servers()
    alike = [known[machine.entity]] if machine.entity in known else known.values()
    keys = ";".join(server["host_power_w"].source for server in alike)
    named = found.host.note.partition(";")[0]
    yield Assumption("host_power_w", *_host_power_w(found, used), "W", keys, named)
    ends = (low, high) if low < high else (None, None)
    yield Assumption("idle_w", waits, *ends, "W", source or "convention", f"of waiting accelerators, {note}")
    if found.software is None:
        yield _certain("software", "any", "mean of three, range over all")
    seen = f"constants; ends hold eight in ten of {found.spans['tokens_per_s']['n']:.0f} runs"
    yield _certain("estimate", found.calibration, seen, source="mlenergy2025")


def _host_power_w(found, used):
    """Power beside the accelerators of a server: value and both ends. [W]"""
    each = [watts / found.n_accelerators * used["accelerators_per_server"] for watts in found.host.power_w]
    return each[1], each[0], each[2]


def _certain(name, value, note, unit="text", source="convention"):
    return Assumption(name, value, None, None, unit, source, note)


def _bill(found, board, used, assumed):
    """The service with central inputs, and of each uncertain input what its low and its high end change there."""
    rates = [end.tokens_per_s / found.n_accelerators for end in (found.low, found, found.high)]
    inputs = {field.name: coalesce(used[field.name], math.nan) for field in fields(service.Bill) if field.name in used}
    inputs |= {
        "model": found.case.model,
        "accelerator": found.case.accelerator,
        "batch": found.batch if "batch" in used else count(found.batch),
        "n_together": count(found.n_accelerators),
        "power_cap_w": found.case.power_cap_w,
        "prompt_tokens_per_query": used["prompt_tokens"],
        "output_tokens_per_query": used["output_tokens"],
        "tokens_per_s_per_accelerator": rates[1],
        "accelerators_per_server": count(used["accelerators_per_server"]),
        "busy_w": board.j_per_token * rates[1],
    }
    waits = next(one for one in assumed if one.name == "idle_w")
    varied = [waits.value, *((waits.low, waits.high) if waits.low is not None else ())]
    inputs["part_load"], *less = (
        service.part_load(board, *varied) if len(varied) > 1 else [service.part_load(board, *varied)]
    )
    moves = [
        [{"tokens_per_s_per_accelerator": rate, "busy_w": board.j_per_token * rate} for rate in rates[::2]],
        [{"busy_w": end.j_per_token * rates[1]} for end in (board.low, board.high)],
    ]
    if less:
        moves.append([{"part_load": one} for one in less])
    for one in assumed:
        if one.low is not None and one.name != "idle_w":
            moves.append([{one.name: end} for end in (one.low, one.high)])
    return service.Bill(**inputs), moves


def _independent(central, ends):
    """Range of a result from its values with one input at a time at its low and its high end."""
    if not traced(central) and not central:
        return Range(central, central, central)
    if traced(central):
        # Nothing stays nothing.
        ends, least = [[maximum(end, _LEAST) for end in pair] for pair in ends], maximum(central, _LEAST)
    else:
        least = central
    logs = [[log(end / least) for end in pair] for pair in ends]
    down, up = (sqrt(sum(functools.reduce(outer, (0.0, *pair)) ** 2 for pair in logs)) for outer in (minimum, maximum))
    return Range(central * exp(-down), central, central * exp(up))


def _whole_servers(n_servers, bill):
    """Ranges of whole servers, and of the accelerators in them."""
    # A copy that needs several servers takes all of them; what is whole but for rounding is whole.
    each = bill.accelerators_per_server
    unit = maximum(1.0, ceil(bill.n_together / each))
    low, high = n_servers.low / unit * (1 + _ROUNDING), n_servers.high / unit * (1 - _ROUNDING)
    least, most = (count(unit * whole) for whole in (maximum(1.0, floor(low)), ceil(high)))
    boards = Range(least * each, bill.n_accelerators, most * each)
    return {"n_servers": Range(least, n_servers.central, most), "n_accelerators": boards}
