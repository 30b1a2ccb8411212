"""From questions a day to a site: speed and energy by `estimate`, machines and money by `service`."""

import bisect
import math
from dataclasses import dataclass, field, replace
from typing import NamedTuple

from llmpower import service
from llmpower.arguments import Check, ParameterError
from llmpower.estimate import Estimate, check_fits, expect, read, servers
from llmpower.facts.catalog import fact
from llmpower.facts.power import power
from llmpower.facts.quantities import quantities
from llmpower.facts.units import in_unit
from llmpower.ranges import Range
from llmpower.step.work import fits

# Argument -> where its default stands in data/datacenter.csv.
DEFAULTS = {
    "prompt_tokens": ("planning", "prompt_tokens_per_query"),
    "output_tokens": ("gpt-4o-query", "tokens_per_query"),
    "peak_to_average": ("planning", "peak_to_average"),
    "max_load": ("planning", "max_load"),
    "accelerators_per_server": ("dgx-h100", "n_accelerators"),
    "pue": ("gpt-4o-query", "pue"),
    "electricity_usd_per_kwh": ("us-industrial-2025", "electricity_price_usd_per_j"),
    "carbon_g_per_kwh": ("us-grid", "carbon_kg_per_j"),
    "site_water_l_per_kwh": ("us-fleet-model", "water_m3_per_j"),
    "grid_water_l_per_kwh": ("us-electricity-2014", "water_m3_per_j"),
}
# A plan is for its queries and servers; these are asked for, not uncertain.
_NOT_VARIED = ("prompt_tokens", "output_tokens", "accelerators_per_server")
_NUMBERS = (
    "queries_per_day", "batch", "tokens_per_s_per_user", "n_accelerators", "host_power_w", "context_tokens", *DEFAULTS,
)  # fmt: skip
_WHOLE = ("n_accelerators", "accelerators_per_server")
_OF_A_COPY = (
    "model", "accelerator", "n_accelerators", "prompt_tokens", "output_tokens", "context_tokens", "weight_format",
    "kv_format", "parallelism",
)  # fmt: skip
_MOST_SERVERS = 16


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
# keeps the ends, or from a bill and the inputs.
_COPY = {
    "tokens_per_s_per_user": ("speed of one user", "tokens/s", lambda end, batch: end.tokens_per_s / batch),
    "tokens_per_s": ("speed of a copy", "tokens/s", lambda end, batch: end.tokens_per_s),
    "j_per_token_at_work": ("energy at work", "J/token", lambda end, batch: end.j_per_token),
}
_SERVICE = {
    "n_accelerators": ("accelerators", "", lambda bill, used: bill.n_accelerators),
    "n_servers": ("servers", "", lambda bill, used: bill.n_servers),
    "j_per_token": (
        "energy with machines that wait",
        "J/token",
        lambda bill, used: bill.query_j / used["output_tokens"],
    ),
    "wh_per_query": ("energy of a query", "Wh", lambda bill, used: in_unit(bill.query_j, "Wh")),
    "site_mw": ("power to build for", "MW", lambda bill, used: in_unit(bill.site_w, "MW")),
    "mean_mw": ("power on average", "MW", lambda bill, used: in_unit(bill.site_mean_w, "MW")),
    "energy_gwh_per_year": ("energy", "GWh a year", lambda bill, used: in_unit(bill.energy_j, "GWh")),
    "electricity_usd_per_year": ("electricity", "USD a year", lambda bill, used: bill.cost_usd),
    "electricity_usd_per_million_tokens": ("  of a million tokens", "USD", lambda bill, used: bill.tokens_usd(10**6)),
    "carbon_t_per_year": ("carbon dioxide", "t a year", lambda bill, used: in_unit(bill.carbon_kg, "t")),
    "water_m3_per_year": ("water", "m3 a year", lambda bill, used: bill.water_m3),
}
RESULTS = (
    *list(_COPY)[:2], *list(_SERVICE)[:2], *list(_COPY)[2:], *list(_SERVICE)[2:],
)  # fmt: skip


@dataclass(frozen=True)
class Plan:
    """What `plan` found; a result by its name is a `Range`, `results` has all of them with words and units.

    `n_together` accelerators share a copy of the network, which decodes `batch` sequences at once. `estimate` is that
    copy at work with the site's share, `bill` the whole service with central inputs.
    """

    queries_per_day: float
    batch: float
    n_together: int
    results: dict = field(repr=False)
    assumptions: tuple
    notes: tuple
    estimate: Estimate
    bill: service.Bill

    def __getattr__(self, name):
        if name not in RESULTS:
            raise AttributeError(name)
        return self.results[name].range

    def __str__(self):
        from llmpower.text import plan_text

        return plan_text(self)


_SEVERAL = "a copy spans several servers, whose links are slower than counted inside one: too quick and too frugal"
_LEFT_OUT = (
    "accelerators at work run at this batch and the others wait: at part load batches are smaller and a token costs more",
    "memory counts in full, though serving software keeps some of it back",
    "left out: spares for repair, storage, networks between servers, and training",
)


def plan(
    model,
    accelerator,
    queries_per_day,
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
):
    """Machines, power, energy, money, carbon dioxide and water of a service, from its queries a day.

    Parameters
    ----------
    model, accelerator : str
        Names of the catalog, or what people type for them.
    queries_per_day : float
        Queries the service answers, mean over the year. [1/day]
    weight_format, kv_format, parallelism : str
        As for `estimate`.
    batch : float, optional
        Sequences that a copy of the network decodes together. [1]
    tokens_per_s_per_user : float, optional
        Instead of `batch`: takes the largest whole batch that still gives
        every user so many output tokens a second, and fits. [1/s]
    n_accelerators : int, optional
        Accelerators that share a copy. Without it the fewest that hold it, among the numbers
        that fill servers evenly (1, 2, 4, 8, whole servers); with `tokens_per_s_per_user` the
        fewest that are quick enough. [1]
    prompt_tokens, output_tokens : float, optional
        Tokens of a query, all of them computed. [1]
    context_tokens : float, optional
        As for `estimate`. [1]
    peak_to_average, max_load, accelerators_per_server, pue : float, optional
        As in the table of quantities. [1]
    host_power_w : float, optional
        What a server draws without its accelerators. [W]
    electricity_usd_per_kwh, carbon_g_per_kwh, site_water_l_per_kwh, grid_water_l_per_kwh : float, optional
        Price, carbon dioxide and water of electricity. [usd/kWh, g/kWh, L/kWh]

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
    of independent errors (root of the sum of squared logarithms). Inputs that were given, and prompts and answers, count
    as certain. Speed and energy of a copy keep the ends of `estimate`.

    Examples
    --------
    >>> found = plan("llama-3.1-70b", "h100-sxm", 1e6, tokens_per_s_per_user=25, max_load=0.8)
    >>> found.n_together, found.tokens_per_s_per_user.central >= 25
    (2, True)
    >>> found.mean_mw.low < found.mean_mw.central < found.site_mw.central
    True
    """
    given = {name: value for name, value in locals().items() if value is not None}
    defaults = {name: fact("datacenter.csv", *place) for name, place in DEFAULTS.items() if name not in given}
    used = {name: in_unit(one.value, _unit(name)) for name, one in defaults.items()} | given
    case = _sized(_checked(given, used), used)
    found = _around(expect(case, "facility"), given, used)
    spans = _spans(found, expect(case), used, defaults)
    central = {name: middle for name, (_, middle, _) in spans.items()}

    def results(inputs):
        bill = _bill(found, used, inputs)
        return bill, {name: result(bill, used) for name, (_, _, result) in _SERVICE.items()}

    bill, middle = results(central)
    moved = [[results(central | {name: end})[1] for end in (low, high)] for name, (low, _, high) in spans.items()]
    ranges = {name: _independent(one, [[end[name] for end in pair] for pair in moved]) for name, one in middle.items()}
    ranges |= _whole_servers(ranges["n_servers"], middle["n_accelerators"])
    for name, (_, _, result) in _COPY.items():
        ranges[name] = Range(*(result(end, case.batch) for end in (found.low, found, found.high)))
    named = {**_COPY, **_SERVICE}
    several = [_SEVERAL] if case.n_accelerators > used["accelerators_per_server"] else []
    return Plan(
        used["queries_per_day"],
        case.batch,
        int(case.n_accelerators),
        {name: Result(*named[name][:2], ranges[name]) for name in RESULTS},
        tuple(_assumptions(found, used, given, defaults)),
        (*found.notes, *several, *_LEFT_OUT),
        found,
        bill,
    )


def _unit(name):
    return quantities()[name].unit


def _checked(given, used):
    """The case of a copy, one accelerator and one sequence if nothing else was given; every problem is told at once."""
    check = Check()
    wrong = {name for name in _NUMBERS if name in given and check.number(name, given[name], name in _WHOLE) is None}
    if "queries_per_day" not in given:
        check.wrong("queries_per_day", "got None; give the queries that the service answers a day [1/day]")
    if ("batch" in given) == ("tokens_per_s_per_user" in given):
        which = "give one of them, how many sequences run together or how quick each must be"
        check.wrong("batch, tokens_per_s_per_user", which)
    found = read(check, **{name: used[name] for name in _OF_A_COPY if name in used and name not in wrong})
    check.done()
    return found


def _sized(case, used):
    """The case with the accelerators of a copy, and its batch."""
    target, per_server = used.get("tokens_per_s_per_user"), int(used["accelerators_per_server"])

    def of(n, batch):
        return replace(case, n_accelerators=float(n), batch=float(batch))

    def speed(n, batch):
        return expect(of(n, batch)).tokens_per_s_per_user

    least = used.get("batch", 1)
    sizes = [int(used["n_accelerators"])] if "n_accelerators" in used else _sizes(case.accelerator, per_server)
    inside = [n for n in sizes if n <= per_server and fits(of(n, least))]
    outside = (n for n in sizes if n > per_server and fits(of(n, least)))
    sizes = inside or [next(outside, sizes[-1])]
    # A copy that does not fit is told with what is missing.
    check_fits(of(sizes[0], least))
    if target is None:
        return of(sizes[0], least)
    most = int(quantities()["batch"].high)
    for n in sizes:
        # Where it does not fit the speed is no number, which no comparison finds large enough.
        batch = bisect.bisect_left(range(1, most + 1), True, key=lambda batch, n=n: not speed(n, batch) >= target)
        if batch:
            return of(n, batch)
    best, n = max((speed(n, 1), n) for n in sizes)
    reached = f"{n} x {case.accelerator.entity} give a user {best:,.3g} at most, alone at batch 1 [1/s]"
    raise ParameterError([f"tokens_per_s_per_user: got {target:,.6g}; {reached}"])


def _sizes(accelerator, per_server):
    """Numbers of accelerators that fill servers evenly; one where no link between them is known."""
    if not accelerator.get("link_bytes_per_s"):
        return [1]
    parts = [n for n in range(1, per_server) if per_server % n == 0]
    return parts + [k * per_server for k in range(1, _MOST_SERVERS + 1)]


def _around(found, given, used):
    """The estimate with what was given for the host and the site."""
    host = found.host
    if "host_power_w" in given:
        own = given["host_power_w"] / used["accelerators_per_server"] * found.n_accelerators
        host = replace(host, power_w=(own,) * 3)
    if "pue" in given:
        host = replace(host, pue=(given["pue"],) * 3)
    return replace(found, host=host)


def _hosts(found, used):
    """Power of a server without its accelerators, as low, value and high. [W]"""
    return tuple(watts / found.n_accelerators * used["accelerators_per_server"] for watts in found.host.power_w)


def _spans(found, board, used, defaults):
    """Uncertain inputs of a bill: low, central, high; the rate and the energy are those of one accelerator."""
    spans = {
        "rate": tuple(end.tokens_per_s / found.n_accelerators for end in (found.low, found, found.high)),
        "board_j_per_token": tuple(end.j_per_token for end in (board.low, board, board.high)),
        "host_power_w": _hosts(found, used),
        "idle_w": power(found.case.accelerator, "idle_w").ends,
    }
    if "idle_w" in found.case.accelerator.facts:
        # Measured; the spread of listings is not what a plan hangs on.
        spans["idle_w"] = (spans["idle_w"][1],) * 3
    for name, one in defaults.items():
        if _varies(name, one):
            spans[name] = tuple(in_unit(end, _unit(name)) for end in one.ends)
    return spans


def _varies(name, one):
    return name not in _NOT_VARIED and one.low is not None


def _bill(found, used, inputs):
    """The service with some inputs."""
    fixed = {name: used[name] for name in DEFAULTS if name not in _NOT_VARIED} | inputs
    rate, board_j = fixed.pop("rate"), fixed.pop("board_j_per_token")
    return service.bill(
        model=found.case.model,
        accelerator=found.case.accelerator,
        queries_per_day=used["queries_per_day"],
        batch=found.batch,
        prompt_tokens_per_query=used["prompt_tokens"],
        output_tokens_per_query=used["output_tokens"],
        tokens_per_s_per_accelerator=rate,
        accelerators_per_server=int(used["accelerators_per_server"]),
        host_mean_w=fixed["host_power_w"],
        busy_w=board_j * rate,
        n_together=int(found.n_accelerators),
        **fixed,
    )


def _independent(central, ends):
    """Range of a result from its values with one input at a time at its low and its high end."""
    if not central:
        return Range(central, central, central)
    logs = [[math.log(end / central) for end in pair] for pair in ends]
    down, up = math.hypot(*(min(0, *pair) for pair in logs)), math.hypot(*(max(0, *pair) for pair in logs))
    return Range(central * math.exp(-down), central, central * math.exp(up))


def _whole_servers(n_servers, n_accelerators):
    """Ranges of whole servers, and of the accelerators in them."""
    each, least, most = n_accelerators / n_servers.central, max(1, math.floor(n_servers.low)), math.ceil(n_servers.high)
    boards = Range(round(least * each), n_accelerators, round(most * each))
    return {"n_servers": Range(least, n_servers.central, most), "n_accelerators": boards}


def _assumptions(found, used, given, defaults):
    """Everything that was not given, with its source."""

    def own(name, value, unit, note, source="convention", low=None, high=None):
        return Assumption(name, value, low, high, unit, source, note)

    for name, one in defaults.items():
        low, _, high = (in_unit(end, _unit(name)) for end in one.ends) if _varies(name, one) else (None,) * 3
        about = fact("datacenter.csv", one.entity, "name").value
        yield own(name, used[name], _unit(name), about, one.source or "convention", low, high)
    n, machine = found.n_accelerators, found.case.accelerator
    quick = ", are quick enough" if "tokens_per_s_per_user" in given else ""
    if "n_accelerators" not in given:
        yield own("n_accelerators", n, "1", f"fewest that hold a copy{quick} and fill servers evenly")
    if "kv_format" not in given:
        yield own("kv_format", found.kv_format, "text", "caches as most servers keep them")
    if "parallelism" not in given and n > 1:
        yield own("parallelism", found.parallelism, "text", "every matrix is cut over the accelerators")
    if "host_power_w" not in given:
        alike = servers()
        alike = [alike[machine.entity]] if machine.entity in alike else alike.values()
        low, value, high = _hosts(found, used)
        keys = ";".join(server["host_power_w"].source for server in alike)
        yield own("host_power_w", value, "W", found.host.note.partition(";")[0], keys, low, high)
    idle = power(machine, "idle_w")
    if idle.kind == "estimate":
        yield own("idle_w", idle.value, "W", idle.note, "estimate", idle.low, idle.high)
    else:
        yield own("idle_w", idle.value, "W", "of waiting accelerators, no network loaded", idle.source)
    seen = f"constants; ends hold eight in ten of {found.spans['j_per_token']['n']:.0f} runs"
    yield own("estimate", found.calibration, "text", seen, "mlenergy2025")
