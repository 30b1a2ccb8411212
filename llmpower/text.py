"""How an estimate and a plan are printed, and written as JSON."""

import dataclasses
import math
import textwrap

from llmpower import service
from llmpower.facts import catalog
from llmpower.facts.quantities import quantities
from llmpower.ranges import Range

_WIDTH = 110
_BOUNDARY = {
    "accelerators": "accelerators alone", "server": "accelerators and their share of the server",
    "facility": "accelerators, their share of the server, and of the site",
}  # fmt: skip


_PARALLEL = {"tp": ", every matrix cut over the accelerators", "ep": ", whole experts spread over the accelerators"}

_PARTS = {
    "weights": "weights from memory", "kv": "caches from memory", "compute": "arithmetic", "interconnect": "links",
    "static": "whatever the work", "host": "rest of the server", "facility": "rest of the site",
}  # fmt: skip


def three(value):
    """A number with three significant digits and commas, a whole one as it is; a dash where there is none.

    Examples
    --------
    >>> three(1234.5), three(0.012345), three(9.999), three(1234), three(float("nan"))
    ('1,230', '0.0123', '10.0', '1,234', '-')
    """
    if value is None or not math.isfinite(value):
        return "-"
    if value == int(value) and abs(value) < 1e6:
        return f"{value:,.0f}"
    value = float(f"{value:.2e}")
    places = max(0, 2 - math.floor(math.log10(abs(value)))) if value else 0
    return f"{value:,.{places}f}"


def _table(rows, indent=0):
    """Lines with aligned columns: words left, numbers right, the last column left."""
    rows = [[cell if isinstance(cell, str) else three(cell) for cell in row] for row in rows]
    width = [max(len(row[place]) for row in rows) for place in range(len(rows[0]))]
    last = len(width) - 1
    for row in rows:
        cells = [
            cell.ljust(wide) if place in (0, last) else cell.rjust(wide)
            for place, (cell, wide) in enumerate(zip(row, width))
        ]
        yield (" " * indent + "  ".join(cells)).rstrip()


def _wrapped(text, indent):
    return textwrap.wrap(text, _WIDTH, initial_indent=" " * indent, subsequent_indent=" " * (indent + 2))


def _kind(found):
    """Networks and machines that the printed error was seen on."""
    nets = "expert networks" if catalog.model(found.model).n_experts else "dense networks"
    if found.calibration == "fitted":
        return f"{nets}, each predicted by terms chosen and constants fitted without its architecture"
    return f"{nets}, each predicted by constants fitted on the other accelerator; this one was never fitted"


def _errors(found):
    energy, speed = found.spans["j_per_token"], found.spans["tokens_per_s"]
    yield from _wrapped(
        f"error seen in validation, on {energy['n']:.0f} measured runs of {_kind(found)} (data/accuracy.csv)", 0
    )
    rows = [["", "median", "mean", "9 in 10 within", ""]]
    for name, one in (("energy per token", energy), ("tokens/s", speed)):
        rows.append([name, *(f"{one[column]:.1f}" for column in ("median_pct", "mean_pct", "p90_pct")), "%"])
    yield from _table(rows, 2)


def _run(found):
    prompt = (
        ""
        if math.isinf(found.output_tokens)
        else f"prompt {found.prompt_tokens:,.6g}, output {found.output_tokens:,.6g}, "
    )
    return f"{prompt}mean context {found.context_tokens:,.6g} tokens"


def _heading(found):
    yield f"{catalog.model(found.model).name} on {found.n_accelerators:,.0f} x {catalog.accelerator(found.accelerator).name}"
    yield f"{found.weight_format} weights, {found.kv_format} cache{_PARALLEL[found.parallelism] if found.n_accelerators > 1 else ''}"


def estimate_text(found):
    """An estimate of one run for a reader, about thirty lines.

    Parameters
    ----------
    found : Estimate
        Of one run; of several, see `batches_text`.

    Returns
    -------
    text : str
    """
    low, high, step = found.low, found.high, found.step
    total, rated = found.j_per_token, found.n_accelerators * catalog.accelerator(found.accelerator).tdp_w
    wh = service.typed(1000, "Wh")
    rows = [
        ["", "low", "central", "high", ""],
        ["speed", low.tokens_per_s, found.tokens_per_s, high.tokens_per_s, "tokens/s"],
        ["  of one user", *(one.tokens_per_s / found.batch for one in (low, found, high)), "tokens/s"],
        ["power", low.power_w, found.power_w, high.power_w, f"W; the accelerators are rated at {three(rated)} W"],
        ["energy", low.j_per_token, total, high.j_per_token, "J/token"],
        ["  of 1,000 tokens", *(one.j_per_token * wh for one in (low, found, high)), "Wh"],
        ["  for reading prompts", "", found.prefill_j_per_token, "", "J/token, part of the energy"],
    ]
    times = {
        "memory": step.memory_time_s,
        "arithmetic": step.compute_time_s,
        "links": step.link_time_s,
        "overhead": step.overhead_time_s,
    }
    shown = ", ".join(f"{name} {three(1000 * time)}" for name, time in times.items())
    parts = [[_PARTS[name], energy, 100 * energy / total, "%"] for name, energy in found.energy_by_part.items()]
    return "\n".join(
        [
            *_heading(found),
            f"batch {found.batch:,.6g}, {_run(found)}",
            f"boundary: {_BOUNDARY[found.boundary]}; a token is an output token",
            "",
            *_table(rows),
            "",
            "where the energy goes, J/token",
            *_table(parts, 2),
            "",
            f"a step takes {three(1000 * found.step_s)} ms, bound by {found.bound}: {shown} ms, in part at once",
            "",
            *_errors(found),
            *_notes(_all_notes(found)),
        ]
    )


def _all_notes(found):
    ends = "low and high: eight in ten of these runs lay between them"
    if found.boundary == "accelerators":
        return ends, *found.notes
    return f"{ends}; of the server's and the site's factors, the ends of their sources", found.host.note, *found.notes


def _notes(notes):
    lines = [line for note in notes for line in _wrapped(note, 2)]
    return ["", "notes", *lines] if lines else []


def _length(found):
    """What every batch of a table has in common, if it is a number."""
    if all(isinstance(value, float) for value in (found.prompt_tokens, found.output_tokens, found.context_tokens)):
        yield _run(found)


def batches_text(found):
    """An estimate of several batches: a line for each.

    Parameters
    ----------
    found : Estimate
        With an array as its batch.

    Returns
    -------
    text : str
    """
    import numpy as np

    columns = ("tokens_per_s", "tokens_per_s_per_user", "power_w", "j_per_token")
    values = [
        np.broadcast_to(getattr(one, name), found.batch.shape) for one, name in [(found, name) for name in columns]
    ]
    ends = [np.broadcast_to(one.j_per_token, found.batch.shape) for one in (found.low, found.high)]
    missing = np.broadcast_to(found.missing_bytes, found.batch.shape)
    rows = [["batch", "tokens/s", "of one user", "W", "J/token", "low", "high", "bound by"]]
    for place, batch in enumerate(found.batch):
        what = (
            str(found.bound[place])
            if found.fits[place]
            else f"does not fit: {three(missing[place] / 1e9)} GB are missing"
        )
        rows.append([f"{batch:,.6g}", *(float(one[place]) for one in (*values, *ends)), what])
    return "\n".join(
        [
            *_heading(found),
            *_length(found),
            f"boundary: {_BOUNDARY[found.boundary]}; a token is an output token",
            "",
            *_table(rows),
            "",
            *_errors(found),
            *_notes(_all_notes(found)),
        ]
    )


_TOLD = 0.01


def sensitivity_text(elastic):
    """How much one per cent of each input changes energy and speed, the largest first; a hundredth of a per cent is left out.

    Parameters
    ----------
    elastic : dict
        ``j_per_token`` and ``tokens_per_s``, each with elasticities by input.

    Returns
    -------
    text : str
    """
    energy, speed = elastic["j_per_token"], elastic["tokens_per_s"]
    names = [
        name
        for name in dict.fromkeys([*energy, *speed])
        if max(abs(energy.get(name, 0)), abs(speed.get(name, 0))) >= _TOLD
    ]
    rows = [["one per cent more of", "J/token", "tokens/s", ""]]
    for name in names:
        rows.append([name, *(f"{one.get(name, 0):+.2f} %" for one in (energy, speed)), quantities()[name].help])
    return "\n".join(_table(rows))


_PLAN = [
    ("tokens_per_s_per_user", "speed of one user", "tokens/s"), ("tokens_per_s", "speed of a copy", "tokens/s"),
    ("n_accelerators", "accelerators", ""), ("n_servers", "servers", ""),
    ("j_per_token_at_work", "energy at work", "J/token"), ("j_per_token", "energy with machines that wait", "J/token"),
    ("wh_per_query", "energy of a query", "Wh"), ("site_mw", "power to build for", "MW"), ("mean_mw", "power on average", "MW"),
    ("energy_gwh_per_year", "energy", "GWh a year"), ("electricity_usd_per_year", "electricity", "USD a year"),
    ("electricity_usd_per_million_tokens", "  of a million tokens", "USD"),
    ("carbon_t_per_year", "carbon dioxide", "t a year"), ("water_m3_per_year", "water", "m3 a year"),
]  # fmt: skip
_SMALL = {"MW": "kW", "GWh a year": "MWh a year"}


def plan_text(found):
    """A plan for a reader, about forty lines.

    Parameters
    ----------
    found : Plan
        What to print.

    Returns
    -------
    text : str
    """
    run = found.estimate
    rows = [["", "low", "central", "high", ""]]
    for name, words, unit in _PLAN:
        one = getattr(found, name)
        # A small service is told in kilowatts and megawatt-hours.
        factor, unit = (1000, _SMALL[unit]) if unit in _SMALL and one.central < 0.1 else (1, unit)
        rows.append([words, *(factor * end for end in (one.low, one.central, one.high)), unit])
    assumed = [
        [
            one.name,
            one.value,
            "" if one.low is None else f"{three(one.low)} to {three(one.high)}",
            "" if one.unit in ("1", "text") else one.unit,
            f"{one.note} [{one.source.partition(';')[0]}]",
        ]
        for one in found.assumptions
    ]
    first, _ = _heading(run)
    return "\n".join(
        [
            f"{found.queries_per_day:,.12g} queries a day, each with a prompt of {run.prompt_tokens:,.6g} and an answer of {run.output_tokens:,.6g} tokens",
            f"a copy of {first}, {run.weight_format} weights: batch {found.batch:,.6g}",
            "",
            *_table(rows),
            "",
            "not given, so assumed",
            *_table(assumed, 2),
            *_notes(found.notes),
        ]
    )


def _plain(value):
    """What JSON holds: lists for arrays, nothing for numbers that are none."""
    if isinstance(value, Range):
        return {name: _plain(one) for name, one in dataclasses.asdict(value).items()}
    if hasattr(value, "tolist"):
        value = value.tolist()
    if isinstance(value, (list, tuple)):
        return [_plain(one) for one in value]
    if isinstance(value, dict):
        return {name: _plain(one) for name, one in value.items()}
    return None if isinstance(value, float) and not math.isfinite(value) else value


_INPUTS = (
    "model", "accelerator", "n_accelerators", "batch", "prompt_tokens", "output_tokens", "context_tokens", "weight_format",
    "kv_format", "parallelism", "boundary",
)  # fmt: skip
_FOUND = (
    "fits", "missing_bytes", "tokens_per_s", "tokens_per_s_per_user", "power_w", "j_per_token", "prefill_j_per_token", "step_s",
    "bound", "energy_by_part", "calibration", "notes",
)  # fmt: skip


def estimate_record(found):
    """An estimate as plain numbers, lists and texts, SI units, for JSON.

    Parameters
    ----------
    found : Estimate
        Of one run or of several.

    Returns
    -------
    record : dict
        Inputs, results with their ends, and the errors seen in validation.
    """
    ends = {name: vars(getattr(found, name)) for name in ("low", "high")}
    names = {
        "inputs": {name: getattr(found, name) for name in _INPUTS},
        **{name: getattr(found, name) for name in _FOUND},
    }
    return _plain(names | ends | {"validation": {"runs": _kind(found), **found.spans}})


def plan_record(found):
    """A plan as plain numbers, lists and texts, for JSON; units are in the names.

    Parameters
    ----------
    found : Plan
        What to write.

    Returns
    -------
    record : dict
        Inputs, results with their ends, and what was assumed.
    """
    results = {name: value for name, value in vars(found).items() if isinstance(value, Range)}
    inputs = {"queries_per_day": found.queries_per_day, "batch": found.batch, "n_together": found.n_together}
    inputs |= {
        name: getattr(found.estimate, name) for name in _INPUTS if name not in ("batch", "n_accelerators", "boundary")
    }
    assumed = [dataclasses.asdict(one) for one in found.assumptions]
    return _plain({"inputs": inputs, **results, "assumptions": assumed, "notes": found.notes})


def accuracy_text(table):
    """Errors of predictions for runs that were held out, a line for each split.

    Parameters
    ----------
    table : dict
        As `fit.accuracy_table` gives it.

    Returns
    -------
    text : str
    """
    rows = [["held out", "runs", "error of", "median", "mean", "9 in 10 within", ""]]
    for (split, runs, quantity), one in table.items():
        rows.append(
            [split, runs, quantity, *(f"{one[name]:.1f}" for name in ("median_pct", "mean_pct", "p90_pct")), "%"]
        )
    return "\n".join(_table(rows))
