"""From questions a day to a site: speed and energy by `estimate`, machines and money by `service`."""

import bisect
import dataclasses
import math
import numbers
from dataclasses import dataclass

import numpy as np

from llmpower import service
from llmpower.arguments import ParameterError
from llmpower.estimate import _SERVERS, Estimate, estimate
from llmpower.facts import catalog
from llmpower.facts.quantities import quantities
from llmpower.facts.units import in_unit
from llmpower.ranges import Range

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
    "queries_per_day",
    "batch",
    "tokens_per_s_per_user",
    "n_accelerators",
    "host_power_w",
    "context_tokens",
    *DEFAULTS,
)
_MOST_SERVERS = 16


@dataclass(frozen=True)
class Assumption:
    """An input that nobody gave, in the unit people type; `low` and `high` are empty where no range is known or varied."""

    name: str
    value: float | str
    low: float | None
    high: float | None
    unit: str
    source: str
    note: str


@dataclass(frozen=True)
class Plan:
    """What `plan` found; each result as a `Range`.

    `n_together` accelerators share a copy of the network, which decodes `batch`
    sequences at once. `estimate` is that copy at work with the site's share,
    `bill` the whole service with central inputs.
    """

    queries_per_day: float
    batch: float
    n_together: int
    tokens_per_s_per_user: Range
    tokens_per_s: Range
    j_per_token_at_work: Range
    j_per_token: Range
    wh_per_query: Range
    n_accelerators: Range
    n_servers: Range
    site_mw: Range
    mean_mw: Range
    energy_gwh_per_year: Range
    electricity_usd_per_year: Range
    electricity_usd_per_million_tokens: Range
    carbon_t_per_year: Range
    water_m3_per_year: Range
    assumptions: tuple
    notes: tuple
    estimate: Estimate
    bill: service.Bill

    def __str__(self):
        from llmpower.text import plan_text

        return plan_text(self)


_SEVERAL = (
    "a copy spans several servers, whose links are slower than those counted inside one: too quick and too frugal"
)
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
    Ends of a range: each uncertain input is moved to its low and its high end
    alone, and the effects are added as those of independent errors (root of the
    sum of squared logarithms). Inputs that were given, and prompts and answers,
    count as certain. Speed and energy of a copy keep the ends of `estimate`.

    Examples
    --------
    >>> found = plan("llama-3.1-70b", "h100-sxm", 1e6, tokens_per_s_per_user=25, max_load=0.8)
    >>> found.n_together, found.tokens_per_s_per_user.central >= 25
    (2, True)
    >>> found.mean_mw.low < found.mean_mw.central < found.site_mw.central
    True
    """
    given = {name: value for name, value in locals().items() if value is not None}
    run = _checked(given)
    defaults = {name: catalog.fact("datacenter.csv", *place) for name, place in DEFAULTS.items() if name not in given}
    used = {name: _typed(name, fact.value) for name, fact in defaults.items()} | given
    size = {name: used[name] for name in ("prompt_tokens", "output_tokens")}
    n, batch = _sized(run | size, used)
    found = _around(estimate(**run | size, n_accelerators=n, batch=batch, boundary="facility"), given, used)
    board = estimate(**run | size, n_accelerators=n, batch=batch)
    central, ends = _inputs(found, board, used, defaults)

    def results(inputs):
        one = _bill(found, used, inputs)
        return one, {name: result(one, used) for name, result in _RESULTS.items()}

    bill, middle = results(central)
    moved = [[results(central | {name: end})[1] for end in pair] for name, pair in ends.items()]
    ranges = {
        name: _independent(value, [[end[name] for end in pair] for pair in moved]) for name, value in middle.items()
    }
    # Whole servers, and the accelerators in them.
    per_server = middle["n_accelerators"] / middle["n_servers"]
    least, most = max(1, math.floor(ranges["n_servers"].low)), math.ceil(ranges["n_servers"].high)
    ranges["n_servers"] = Range(least, middle["n_servers"], most)
    ranges["n_accelerators"] = Range(round(least * per_server), middle["n_accelerators"], round(most * per_server))
    share = 1 / batch
    notes = (*found.notes, *([_SEVERAL] if n > used["accelerators_per_server"] else []), *_LEFT_OUT)
    return Plan(
        used["queries_per_day"],
        batch,
        n,
        Range(*(share * one.tokens_per_s for one in (found.low, found, found.high))),
        Range(found.low.tokens_per_s, found.tokens_per_s, found.high.tokens_per_s),
        Range(found.low.j_per_token, found.j_per_token, found.high.j_per_token),
        **ranges,
        assumptions=tuple(_assumptions(found, used, given, defaults)),
        notes=notes,
        estimate=found,
        bill=bill,
    )


# Result -> from a bill and the inputs, in the unit that its name ends with.
_RESULTS = {
    "j_per_token": lambda bill, used: bill.query_j / used["output_tokens"],
    "wh_per_query": lambda bill, used: in_unit(bill.query_j, "Wh"),
    "n_accelerators": lambda bill, used: bill.n_accelerators,
    "n_servers": lambda bill, used: bill.n_servers,
    "site_mw": lambda bill, used: in_unit(bill.site_w, "MW"),
    "mean_mw": lambda bill, used: in_unit(bill.site_mean_w, "MW"),
    "energy_gwh_per_year": lambda bill, used: in_unit(bill.energy_j, "GWh"),
    "electricity_usd_per_year": lambda bill, used: bill.cost_usd,
    "electricity_usd_per_million_tokens": lambda bill, used: bill.tokens_usd(10**6),
    "carbon_t_per_year": lambda bill, used: in_unit(bill.carbon_kg, "t"),
    "water_m3_per_year": lambda bill, used: bill.water_m3,
}


def _unit(name):
    return quantities()[name].unit


def _typed(name, value):
    """A fact in the unit of the argument it stands in for."""
    return in_unit(value, _unit(name))


def _checked(given):
    """Arguments for `estimate` that describe a copy; a message with every problem if any is wrong."""
    problems = []
    for name in _NUMBERS:
        if name in given:
            _check(name, given[name], problems)
    if "queries_per_day" not in given:
        problems.append("queries_per_day: got None; give the queries that the service answers a day [1/day]")
    wrong = {problem.partition(":")[0] for problem in problems}
    if ("batch" in given) == ("tokens_per_s_per_user" in given):
        problems.append(
            "batch, tokens_per_s_per_user: give one of them, how many sequences run together or how quick each must be"
        )
    names = ("model", "accelerator", "weight_format", "kv_format", "parallelism", "context_tokens")
    run = {name: given[name] for name in names if name in given and name not in wrong}
    count = 1.0 if "n_accelerators" in wrong else float(given.get("n_accelerators", 1))
    try:
        # Arrays are looked at without asking whether they fit.
        estimate(**run, n_accelerators=np.array([count]))
    except ParameterError as error:
        problems += error.problems
    if problems:
        raise ParameterError(problems)
    return run


def _check(name, given, problems):
    one = quantities()[name]
    right = isinstance(given, numbers.Real) and not isinstance(given, bool) and one.low <= given <= one.high
    whole = name in ("n_accelerators", "accelerators_per_server")
    if not right or (whole and given != int(given)):
        what, unit = "a whole number" if whole else "a number", {"1": "count"}.get(one.unit, one.unit)
        problems.append(f"{name}: got {given!r}; allowed is {what} from {one.low:,.12g} to {one.high:,.12g} [{unit}]")


def _sized(run, used):
    """Accelerators of a copy, and its batch."""
    target, per_server = used.get("tokens_per_s_per_user"), int(used["accelerators_per_server"])

    def holds(n, batch):
        return bool(estimate(**run, n_accelerators=np.array([float(n)]), batch=batch).fits[0])

    def speed(n, batch):
        return float(estimate(**run, n_accelerators=np.array([float(n)]), batch=batch).tokens_per_s_per_user[0])

    least = used.get("batch", 1)
    sizes = [int(used["n_accelerators"])] if "n_accelerators" in used else _sizes(run["accelerator"], per_server)
    inside = [n for n in sizes if n <= per_server and holds(n, least)]
    outside = (n for n in sizes if n > per_server and holds(n, least))
    sizes = inside or [next(outside, sizes[-1])]
    # A copy that does not fit is told with what is missing.
    estimate(**run, n_accelerators=sizes[0], batch=least)
    if target is None:
        return sizes[0], least
    most = int(quantities()["batch"].high)
    for n in sizes:
        # Where it does not fit the speed is no number, which no comparison finds large enough.
        batch = bisect.bisect_left(range(1, most + 1), True, key=lambda batch: not speed(n, batch) >= target)
        if batch:
            return n, batch
    best, n = max((speed(n, 1), n) for n in sizes)
    machines = f"{n} x {run['accelerator']}"
    raise ParameterError(
        [
            f"tokens_per_s_per_user: got {target:,.6g}; {machines} give a user {best:,.3g} at most, alone at batch 1 [1/s]"
        ]
    )


def _sizes(accelerator, per_server):
    """Numbers of accelerators that fill servers evenly; one where no link between them is known."""
    if not catalog.accelerator(accelerator).get("link_bytes_per_s"):
        return [1]
    return [n for n in range(1, per_server) if per_server % n == 0] + [
        k * per_server for k in range(1, _MOST_SERVERS + 1)
    ]


def _around(found, given, used):
    """The estimate with what was given for the host and the site."""
    host = found.host
    if "host_power_w" in given:
        own = given["host_power_w"] / used["accelerators_per_server"] * found.n_accelerators
        host = dataclasses.replace(host, power_w=(own,) * 3)
    if "pue" in given:
        host = dataclasses.replace(host, pue=(given["pue"],) * 3)
    return dataclasses.replace(found, host=host)


def _hosts(found, used):
    """Power of a server without its accelerators, as value, low and high. [W]"""
    return [power / found.n_accelerators * used["accelerators_per_server"] for power in found.host.power_w]


def _inputs(found, board, used, defaults):
    """Uncertain inputs of a bill, central and at their ends."""
    host, *hosts = _hosts(found, used)
    central = {
        "rate": found.tokens_per_s / found.n_accelerators,
        "board_j_per_token": board.j_per_token,
        "host_power_w": host,
    }
    ends = {
        "rate": tuple(one.tokens_per_s / found.n_accelerators for one in (found.low, found.high)),
        "board_j_per_token": (board.low.j_per_token, board.high.j_per_token),
        "host_power_w": hosts,
    }
    for name, fact in defaults.items():
        if name not in _NOT_VARIED and fact.low is not None:
            central[name] = used[name]
            ends[name] = _ends(name, fact)
    return central, ends


def _ends(name, fact):
    return tuple(_typed(name, fact.value if end is None else end) for end in (fact.low, fact.high))


def _bill(found, used, inputs):
    """The service with some inputs."""
    inputs, per_server = dict(inputs), used["accelerators_per_server"]
    rate, board_j, host = (inputs.pop(name) for name in ("rate", "board_j_per_token", "host_power_w"))
    return service.bill(
        model=found.model,
        accelerator=found.accelerator,
        queries_per_day=used["queries_per_day"],
        batch=found.batch,
        prompt_tokens_per_query=used["prompt_tokens"],
        output_tokens_per_query=used["output_tokens"],
        tokens_per_s_per_accelerator=rate,
        accelerators_per_server=int(per_server),
        host_power_w=host,
        host_mean_w=host,
        busy_w=board_j * rate,
        n_together=int(found.n_accelerators),
        **{name: used[name] for name in DEFAULTS if name not in _NOT_VARIED} | inputs,
    )


def _independent(central, ends):
    """Range of a result from its values with one input at a time at its low and its high end."""
    if not central:
        return Range(central, central, central)
    logs = [[math.log(end / central) for end in pair] for pair in ends]
    down, up = math.hypot(*(min(0, *pair) for pair in logs)), math.hypot(*(max(0, *pair) for pair in logs))
    return Range(central * math.exp(-down), central, central * math.exp(up))


def _assumptions(found, used, given, defaults):
    """Everything that was not given, with its source."""

    def own(name, value, unit, note, source="convention", low=None, high=None):
        return Assumption(name, value, low, high, unit, source, note)

    for name, fact in defaults.items():
        varied = name not in _NOT_VARIED and fact.low is not None
        low, high = _ends(name, fact) if varied else (None, None)
        about = catalog.fact("datacenter.csv", fact.entity, "name").value
        yield own(name, used[name], _unit(name), about, fact.source or "convention", low, high)
    quick = ", are quick enough" if "tokens_per_s_per_user" in given else ""
    if "n_accelerators" not in given:
        yield own(
            "n_accelerators", found.n_accelerators, "1", f"fewest that hold a copy{quick} and fill servers evenly"
        )
    if "kv_format" not in given:
        yield own("kv_format", found.kv_format, "text", "caches as most servers keep them")
    if "parallelism" not in given and found.n_accelerators > 1:
        yield own("parallelism", found.parallelism, "text", "every matrix is cut over the accelerators")
    if "host_power_w" not in given:
        servers = _SERVERS
        alike = [servers[found.accelerator]] if found.accelerator in servers else servers.values()
        keys = ";".join(catalog.fact("datacenter.csv", server, "host_power_w").source for server in alike)
        middle, *ends = _hosts(found, used)
        yield own("host_power_w", middle, "W", found.host.note.partition(";")[0], keys, *ends)
    unit, known = catalog.accelerator(found.accelerator), service.board(found.accelerator)
    about = "of waiting accelerators, no network loaded" if known.idle_known else "H100's share of the rating"
    yield own(
        "idle_w",
        known.idle_w,
        "W",
        about,
        (unit if known.idle_known else catalog.accelerator("h100-sxm"))["idle_w"].source,
    )
    span = found.spans["j_per_token"]
    yield own(
        "estimate",
        found.calibration,
        "text",
        f"constants; ends hold eight in ten of {span['n']:.0f} runs",
        "mlenergy2025",
    )
