"""Numbers, ranges and tables as people read them; what an estimate and a plan print, and write as JSON."""

import dataclasses
import json
import math
import textwrap
from html import escape

from tabulate import tabulate

from llmpower.arguments import NUMBERS, largest
from llmpower.facts import catalog
from llmpower.facts.power import power
from llmpower.facts.quantities import quantities
from llmpower.facts.units import in_unit
from llmpower.ranges import Range
from llmpower.trace import by_choice, traced

_LARGE = ((1e12, "T"), (1e9, "G"), (1e6, "M"), (1e3, "k"), (1, ""))
_SMALL = ((1e-3, "m"), (1e-6, "µ"), (1e-9, "n"), (1e-12, "p"), (1e-15, "f"), (1e-18, "a"))


def _scales(unit, *prefixes, base=1):
    return tuple((factor * base, prefix + unit) for factor, prefix in prefixes)


# SI unit of a value -> scales from large to small: factor and what is printed.
_SCALES = {
    **{unit: _scales(unit, *_LARGE) for unit in ("B", "FLOP", "B/s", "FLOP/s", "Hz", "B/J", "FLOP/J")},
    **{unit: _scales(unit, *_LARGE, *_SMALL) for unit in ("W", "J", "V", "A", "F")},
    "Wh": _scales("Wh", *_LARGE, base=3600),
    "s": (
        (365.25 * 86400, "years"), (86400, "days"), (3600, "h"), (60, "min"), (1, "s"), (1e-3, "ms"), (1e-6, "µs"),
        (1e-9, "ns"), (1e-12, "ps"),
    ),
    "m": _scales("m", (1e3, "k"), (1, ""), *_SMALL[:4]),
    "kg": ((1e9, "Mt"), (1e6, "kt"), (1e3, "t"), (1, "kg"), (1e-3, "g"), (1e-6, "mg")),
    "m3": ((1, "m³"), (1e-3, "L"), (1e-6, "mL")),
    "usd": ((1e9, "billion USD"), (1e6, "million USD"), (1, "USD")),
    "count": ((1e12, "trillion"), (1e9, "billion"), (1e6, "million")),
    "GiB": ((2**30, "GiB"),),
    "%": ((0.01, "%"),),
}  # fmt: skip
_RAISED = str.maketrans("0123456789-", "⁰¹²³⁴⁵⁶⁷⁸⁹⁻")
# The book compares joules and watts with the article's; these stay on their scale down to here.
_STAYS = {"J": 0.01, "W": 0.1, "V": 0.1}


def _digits(value):
    """A number with three significant digits and commas; all digits before the point."""
    places = max(0, 2 - math.floor(math.log10(abs(value)))) if value else 0
    return f"{value:,.{places}f}"


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
    return _digits(float(f"{value:.2e}"))


def _plain(value):
    """A pure number: four digits above a thousand, three below."""
    if not math.isfinite(value):
        return "∞"
    if float(value).is_integer() and abs(value) < 1e7:
        return f"{value:,.0f}"
    if abs(value) >= 1e7:
        exponent = math.floor(math.log10(abs(value)))
        return f"{value / 10**exponent:.2f} × 10{str(exponent).translate(_RAISED)}"
    return _digits(round(value) if abs(value) >= 1000 else value)


def _scale(value, unit):
    """Factor and printed unit for a value: GB for bytes, W, kW or MW for watts."""
    scales = _SCALES.get(unit, ((1, unit),))
    if _STAYS.get(unit, 1) <= abs(value) < 1:
        return 1, unit
    if not value:
        return next((one for one in scales if one[0] == 1), (1, unit))
    return next((one for one in scales if abs(value) >= one[0]), scales[-1])


def text(value, unit):
    """A number with its unit, as the book prints it: three digits, or four above a thousand.

    Parameters
    ----------
    value : float or Range
        In SI units; shares as a number from 0 to 1. A range is printed as
        "central (low to high) unit", all on one scale.
    unit : str
        SI unit of the value. Bytes, watts, joules, seconds, kilograms, dollars
        and their like are scaled; ``%`` prints a share as percent, ``Wh`` an
        energy given in joules, ``1`` no unit. What is not a number is a dash.

    Examples
    --------
    >>> text(140e9, "B")
    '140 GB'
    >>> text(0.042, "J")
    '0.0420 J'
    >>> text(Range(0.978, 0.994, 0.998), "%")
    '99.40 % (97.80 to 99.80 %)'
    """
    values = (value.central, value.low, value.high) if isinstance(value, Range) else (value,)
    if tracing := next((one.tape for one in values if traced(one)), None):
        return tracing.shown("text", *values, unit)
    if any(one != one for one in values):
        return "–"
    if unit == "count" and abs(values[0]) < 1e6:
        unit = "1"
    if unit in ("", "1"):
        shown, parts = unit, [_plain(one) for one in values]
    else:
        factor, shown = _scale(values[0], unit)
        scaled = [one / factor for one in values]
        # Close to a hundred percent, what is missing from it counts: two decimals for all.
        close = unit == "%" and any(0.99 < one < 1 for one in values)
        parts = [f"{one:.2f}" if close else _plain(one) if one >= 1000 else _digits(one) for one in scaled]
    shown = "" if shown == "1" else f" {shown}"
    central, *ends = (part.replace("-", "−") for part in parts)
    return f"{central}{shown} ({' to '.join(ends)}{shown})" if ends else f"{central}{shown}"


def scales_script():
    """JavaScript that gives the scales of units to `book/scripts/numbers.js`, which prints numbers as `text` does."""
    return f"Object.assign(livingNumbers, {json.dumps({'scales': _SCALES, 'stays': _STAYS})});\n"


@by_choice
def stands_in(machine, quantity):
    """What a page says where no source gives the rated or the idle power of an accelerator; nothing where one does.

    >>> from llmpower.facts.catalog import accelerator
    >>> stands_in(accelerator("m2"), "tdp_w")
    'No source gives the rating of Apple M2 (Mac mini 2023); that of its whole computer stands in.'
    """
    if quantity in machine.facts:
        return ""
    found, name = power(machine, quantity), {"tdp_w": "rating", "idle_w": "idle power"}[quantity]
    lead = f"No source gives the {name} of {machine.name}; "
    if found.quantity != quantity:
        return f"{lead}that of its whole computer stands in."
    return f"{lead}an estimate stands in, {text(Range(*found.ends), 'W')}, {found.note}."


def unit_text(unit):
    """Unit as it is printed: mm² for mm2."""
    return unit.translate(str.maketrans("23", "²³"))


def _table(rows, indent=0):
    """Lines with aligned columns: words left, numbers right, the last column left."""
    rows = [[cell if isinstance(cell, str) else three(cell) for cell in row] for row in rows]
    sides = ["left", *["right"] * (len(rows[0]) - 2), "left"]
    shown = tabulate(rows, tablefmt="plain", disable_numparse=True, colalign=sides, preserve_whitespace=True)
    return [" " * indent + line.rstrip() for line in shown.splitlines()]


def _wrapped(words, indent):
    return textwrap.wrap(words, 110, initial_indent=" " * indent, subsequent_indent=" " * (indent + 2))


def _notes(notes):
    return ["notes", *(line for note in notes for line in _wrapped(note, 2))]


def _joined(*blocks):
    """Lines of several blocks, with an empty one between them."""
    return "\n\n".join("\n".join(block) for block in blocks)


_BOUNDARY = {
    "accelerators": "accelerators alone", "server": "accelerators and their share of the server",
    "facility": "accelerators, their share of the server, and of the site",
}  # fmt: skip
_SOFTWARE = {
    None: "not given: the mean of vLLM, SGLang and TensorRT-LLM", "vllm": "vLLM, as it serves in 2025-26",
    "sglang": "SGLang, as it serves in 2025-26", "trtllm": "TensorRT-LLM, as it serves in 2025-26",
    "llama.cpp": "llama.cpp", "eager": "eager, every kernel started by the host",
    "bare": "none: captured graphs on a bare board",
}  # fmt: skip
_PARALLEL = {
    "tp": ", every matrix cut over the accelerators", "ep": ", whole experts spread over the accelerators",
    "dp": ", sequences and experts spread over the accelerators", "pp": ", layers cut over the accelerators",
}  # fmt: skip
# The page of the book with the errors of all kinds of cases.
HOW_SURE = "chapters/model-against-measurement.html#how-sure-are-we"
_PARTS = {
    "weights": "weights from memory", "kv": "caches from memory", "compute": "arithmetic", "interconnect": "links",
    "static": "whatever the work", "host": "rest of the server", "facility": "rest of the site",
}  # fmt: skip
_ERRORS = ("median_pct", "mean_pct", "p90_pct")
_OF_ERRORS = ("median", "mean", "9 in 10 within", "")


def _copy(found):
    n = found.n_accelerators
    several = f"{n.min():,.0f} to {n.max():,.0f}" if hasattr(n, "shape") else f"{n:,.0f}"
    return f"{found.case.model.name} on {several} x {found.case.accelerator.name}"


def _run(found):
    """A line with the lengths of a run, those that are one number; none where all vary."""
    told = {"batch": "batch", "prompt_tokens": "prompt", "output_tokens": "output", "context_tokens": "mean context"}
    if not hasattr(found.output_tokens, "shape") and math.isinf(found.output_tokens):
        del told["prompt_tokens"], told["output_tokens"]
    same = {words: getattr(found, name) for name, words in told.items() if not hasattr(getattr(found, name), "shape")}
    line = ", ".join(f"{words} {one:,.6g}" for words, one in same.items())
    return [f"{line} tokens" if "mean context" in same else line] if same else []


_UNKNOWN = {
    "network": "a network of no fitted run", "machine": "a machine of no fitted run", "server": "any server",
}  # fmt: skip


def _kind(found):
    """Networks and machines that the printed error was seen on."""
    nets = "expert networks" if found.case.model.n_experts else "dense networks"
    if found.software == "bare":
        turns = "batches and formats left out in turn"
        by = "by constants of a dense one" if found.case.model.n_experts else turns
        return f"our own, {nets} on H100 boards, {by}"
    if found.own:
        known = f"by constants that saw no run of their laboratory, and by one of their own with {found.own.kind}"
        return f"{nets} at another batch, or the same once more, {known}; far from it as without it"
    if found.software == "llama.cpp":
        return "networks on desktop cards and one A100, by constants set by hand"
    missing = [_UNKNOWN[name] for name in _UNKNOWN if name in found.unknown]
    wider = f", with what {' and '.join(missing)} {'adds' if len(missing) == 1 else 'add'}" if missing else ""
    return f"{nets}, each predicted without its laboratory{wider}"


def _operating(found):
    """What else was asked for: prompts in caches, drafts, limits, links; nothing where it is as usual."""
    told = {
        "cached_prompt_share": lambda one: f"{three(100 * one)} % of prompts from a cache",
        "draft_tokens": lambda one: f"drafts: {three(one)} a step",
        "accepted_tokens": lambda one: f"{three(one)} of them accepted",
        "power_cap_w": lambda one: f"at most {three(one)} W each",
    }
    plain = {name: getattr(found, name) for name in told if not hasattr(getattr(found, name), "shape")}
    shown = [told[name](one) for name, one in plain.items() if 0 < one < math.inf]
    return [", ".join(shown)] if shown else []


def _ends(found):
    """What low and high are."""
    if not hasattr(found.form[-1].resident_share, "shape") and found.form[-1].resident_share < 1:
        return "low and high: errors of runs whose weights all lie beside the processors; no run tests this"
    if found.own:
        return "low and high: eight in ten of runs lay between them of which another batch, or a repeat, was known"
    if found.software == "eager":
        return "low and high: errors of servers and the span of hosts, added as independent; no run tests the sum"
    if "unpacking" in found.unknown:
        return "low and high reach the one published run of a machine that unpacks this format; no run tests the sum"
    if len(found.unknown) > 1:
        return "low and high: errors of each thing that is not known, added as independent; no run tests the sum"
    return "low and high: eight in ten of such runs lay between them"


def _page(found, run, *blocks):
    """What is printed of an estimate around its numbers: the case before them, errors and notes behind."""
    cut = _PARALLEL[found.parallelism] if largest(found.n_accelerators) > 1 else ""
    case = [_copy(found), f"{found.weight_format} weights, {found.kv_format} cache{cut}", *run, *_operating(found)]
    case.append(f"software: {_SOFTWARE[found.software]}")
    case.append(f"boundary: {_BOUNDARY[found.boundary]}; a token is an output token")
    names = {"j_per_token": "energy per token", "tokens_per_s": "tokens/s", "power_w": "power"}
    spans = {f"{names[name]}, {one['n']:.0f} runs": one for name, one in found.spans.items()}
    runs = f"measured runs of {_kind(found)}"
    errors = _wrapped(f"error seen in validation, on {runs}; all exams: {HOW_SURE}", 0)
    if found.spans_marked:
        for name, one in found.spans_marked.items():
            aside = one["n"] - found.spans[name]["n"]
            spans[f"{names[name]}, with {aside:.0f} marked ones"] = one
    rows = [[name, *(f"{one[column]:.1f}" for column in _ERRORS), "%"] for name, one in spans.items()]
    errors += _table([["", *_OF_ERRORS], *rows], 2)
    notes = [_ends(found), *found.notes]
    if found.spans_marked:
        notes.insert(1, "marked runs contradict their neighbours, and are set aside elsewhere")
    if found.boundary != "accelerators":
        notes[:1] = [f"{notes[0]}; of the server's and the site's factors, the ends of their sources", found.host.note]
    return _joined(case, *blocks, errors, _notes(notes))


def estimate_text(found):
    """An estimate for a reader: of one run in some forty lines, of arrays a line for each run."""
    if _varied(found):
        return _page(found, _run(found), _table(_several_rows(found)))
    step = found.step
    parts = [[_PARTS[name], one, 100 * one / found.j_per_token, "%"] for name, one in found.energy_by_part.items()]
    times = (step.memory_time_s, step.compute_time_s, step.link_time_s, step.overhead_time_s)
    names = ("memory", "arithmetic", "links", "overhead")
    shown = ", ".join(f"{name} {three(1000 * time)}" for name, time in zip(names, times))
    took = f"a step takes {three(1000 * found.step_s)} ms, bound by {found.bound}: {shown} ms, in part at once"
    sizes = ", ".join(f"{name.replace('_', ' ')} {three(size / 1e9)}" for name, size in found.memory_bytes.items())
    used = " and ".join(f"{three(100 * share)} % of the {name}" for name, share in found.utilisation.items())
    fitted = " and ".join(f"{three(100 * share)} % of the {name}" for name, share in found.fitted_shares.items())
    held = [took, f"of what the datasheet allows this uses {used}", f"memory of all together: {sizes} GB"]
    held.append(f"{fitted} rest on constants that were fitted to runs, or set near them")
    energy = ["where the energy goes, J/token", *_table(parts, 2)]
    return _page(found, _run(found), _table(_run_rows(found)), energy, held)


def _run_rows(found):
    """Results of one run with their ranges."""
    ends = found.low, found, found.high
    speeds, energies = [one.tokens_per_s for one in ends], [one.j_per_token for one in ends]
    machine = found.case.accelerator
    rated = f"{'count as' if (machine['tdp_w'].kind, machine['tdp_w'].source) == ('estimate', '') else 'are'} rated at"
    rated = f"W; the accelerators {rated} {three(found.n_accelerators * machine.tdp_w)} W"
    read = "" if math.isnan(found.j_per_input_token) else f"; {three(found.j_per_input_token)} J a token of a prompt"
    rows = [
        ["", "low", "central", "high", ""],
        ["speed", *speeds, "tokens/s"],
        ["  of one user", *(speed / found.batch for speed in speeds), "tokens/s"],
        ["power", *(one.power_w for one in ends), rated],
        ["energy", *energies, "J/token"],
        ["  of 1,000 tokens", *(in_unit(1000 * energy, "Wh") for energy in energies), "Wh"],
        ["  for reading prompts", "", found.prefill_j_per_token, "", f"J/token, part of the energy{read}"],
        ["between tokens", *(1000 * found.batch / speed for speed in speeds[::-1]), "ms"],
    ]
    if not math.isinf(found.output_tokens):
        requests = [found.output_tokens * energy for energy in energies]
        tokens = found.prompt_tokens + found.output_tokens
        rows += [
            ["prompts read", *(speed * found.prompt_tokens / found.output_tokens for speed in speeds), "tokens/s"],
            ["first token", "", 1000 * found.first_token_s, "", "ms from the start of its prompt, without waiting"],
            ["energy of a request", *requests, "J, prompt and answer"],
            ["  of any token", *(one / tokens for one in requests), "J, those of prompts counted too"],
        ]
    return [*rows, ["rate of a megawatt", *(1 / energy for energy in energies[::-1]), "million tokens/s"]]


# Inputs that may be arrays, as heads of columns.
_COLUMNS = {
    "n_accelerators": "accelerators", "batch": "batch", "prompt_tokens": "prompt", "output_tokens": "output",
    "context_tokens": "context", "cached_prompt_share": "cached", "draft_tokens": "drafts",
    "accepted_tokens": "accepted",
}  # fmt: skip


def _varied(found):
    """Inputs that are arrays."""
    return [name for name in _COLUMNS if hasattr(getattr(found, name), "shape")]


def _several_rows(found):
    """A line for each run of an estimate of arrays, below their heads."""
    import numpy as np

    varied = _varied(found)
    numbers = (found.tokens_per_s, found.tokens_per_s_per_user, found.power_w, found.j_per_token)
    words = (found.fits, found.missing_bytes, found.bound)
    given = [getattr(found, name) for name in varied]
    columns = np.broadcast_arrays(*given, *words, *numbers, found.low.j_per_token, found.high.j_per_token)
    heads = [_COLUMNS[name] for name in varied]
    rows = [[*heads, "tokens/s", "of one user", "W", "J/token", "low", "high", "bound by"]]
    for values in zip(*map(np.ravel, columns)):
        run, (fits, missing, bound), values = (
            values[: len(varied)],
            values[len(varied) :][:3],
            values[len(varied) + 3 :],
        )
        what = str(bound) if fits else f"does not fit: {three(missing / 1e9)} GB are missing"
        rows.append([*(f"{one:,.6g}" for one in run), *map(float, values), what])
    return rows


def sensitivity_text(elastic):
    """How much one per cent of each input changes energy and speed; below a hundredth of a per cent is left out.

    elastic: ``j_per_token`` and ``tokens_per_s``, each with elasticities by input.
    """
    both = elastic["j_per_token"], elastic["tokens_per_s"]
    rows = [["one per cent more of", "J/token", "tokens/s", ""]]
    for name in both[0] | both[1]:
        changes = [one.get(name, 0) for one in both]
        if max(map(abs, changes)) >= 0.01:
            rows.append([name, *(f"{one:+.2f} %" for one in changes), quantities()[name].help])
    return "\n".join(_table(rows))


def accuracy_text(table):
    """Errors of predictions for runs that were held out, as `constants.errors` gives them: a line for each split."""
    rows = [["held out", "runs", "error of", *_OF_ERRORS]]
    rows += [[*split, *(f"{one[column]:.1f}" for column in _ERRORS), "%"] for split, one in table.items()]
    return "\n".join(_table(rows))


_A_THOUSANDTH = {"MW": "kW", "GWh a year": "MWh a year"}


def _plan_rows(found):
    """Results of a plan with their ranges."""
    rows = [["", "low", "central", "high", ""]]
    for words, unit, one in found.results.values():
        # A small service is told in kilowatts and megawatt-hours.
        factor, unit = (1000, _A_THOUSANDTH[unit]) if unit in _A_THOUSANDTH and one.central < 0.1 else (1, unit)
        # What nobody gave a price for is left out.
        if not math.isnan(one.central):
            rows.append([words, *(factor * end for end in (one.low, one.central, one.high)), unit])
    return rows


def plan_text(found):
    """A plan for a reader, about forty lines."""
    run, assumed = found.estimate, []
    for one in found.assumptions:
        ends = "" if one.low is None else f"{three(one.low)} to {three(one.high)}"
        unit = "" if one.unit in ("1", "text") else one.unit
        assumed.append([one.name, one.value, ends, unit, f"{one.note} [{one.source.partition(';')[0]}]"])
    query = f"a prompt of {run.prompt_tokens:,.6g} and an answer of {run.output_tokens:,.6g} tokens"
    day = found.queries_per_day if found.queries_per_day < 1000 else round(found.queries_per_day)
    case = [f"{day:,.12g} queries a day, each with {query}"]
    case.append(f"a copy of {_copy(run)}, {run.weight_format} weights: batch {found.batch:,.6g}")
    if pool := found.prompts:
        case[-1] = f"answers, on {found.bill.n_accelerators:,} accelerators: {case[-1]}"
        case.append(f"prompts, on {pool.bill.n_accelerators:,} accelerators: a copy of {_copy(pool.estimate)}")
        rate, first = pool.bill.copy_tokens_per_s * run.prompt_tokens, pool.estimate.first_token_s
        read = (
            f"reads {three(rate)} tokens/s, those from a cache counted, and gives a first token after {three(first)} s"
        )
        case.append(f"  {read}, at batch {pool.batch:,.6g}")
    assumed = ["not given, so assumed", *_table(assumed, 2)]
    return _joined(case, _table(_plan_rows(found)), assumed, _notes(found.notes))


def html(found):
    """An estimate or a plan in a notebook: its results as a table, all the rest folded away behind it."""
    if hasattr(found, "bill"):
        case, rows = str(found).partition("\n\n")[0], _plan_rows(found)
    else:
        case = str(found).partition("\n\n")[0]
        rows = _several_rows(found) if _varied(found) else _run_rows(found)
    shown = [[one if isinstance(one, str) else three(one) for one in row] for row in rows]
    sides = ["left", *["right"] * (len(shown[0]) - 2), "left"]
    table = tabulate(shown[1:], shown[0], tablefmt="html", disable_numparse=True, colalign=sides)
    rest = f"<details><summary>all of it</summary><pre>{escape(str(found))}</pre></details>"
    return f"<p>{'<br>'.join(map(escape, case.splitlines()))}</p>{table}{rest}"


def frame(found):
    """An estimate as a pandas data frame, a row for each run, or a plan, a row for each result; units in the names."""
    import pandas

    if hasattr(found, "bill"):
        rows = {name: vars(one.range) | {"unit": one.unit} for name, one in found.results.items()}
        return pandas.DataFrame.from_dict(rows, "index").rename_axis("result").reset_index()
    import numpy as np

    columns = {name: getattr(found, name) for name in (*_INPUTS, *_FOUND)}
    plain = {name: one for name, one in columns.items() if not isinstance(one, (dict, tuple)) and name not in _ENDS}
    for end in _ENDS:
        plain |= {f"{name}_{end}": one for name, one in vars(columns[end]).items()}
    heads = {"energy_by_part": "j_per_token"} | {
        name: name for name in ("memory_bytes", "utilisation", "fitted_shares")
    }
    for name, head in heads.items():
        plain |= {f"{head}_{part}": one for part, one in columns[name].items()}
    return pandas.DataFrame(dict(zip(plain, map(np.ravel, np.broadcast_arrays(*plain.values())))))


def _json(value):
    """What JSON holds: objects for records, lists for arrays, nothing for numbers that are none."""
    if dataclasses.is_dataclass(value):
        value = dataclasses.asdict(value)
    if hasattr(value, "tolist"):
        value = value.tolist()
    if isinstance(value, dict):
        return {name: _json(one) for name, one in value.items()}
    if isinstance(value, (list, tuple)):
        return [_json(one) for one in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value


_COPY = (
    "model", "accelerator", "prompt_tokens", "output_tokens", "context_tokens", "weight_format", "kv_format",
    "parallelism", "software", *NUMBERS[5:],
)  # fmt: skip
_INPUTS = (*_COPY[:2], "n_accelerators", "batch", *_COPY[2:], "boundary")
_ENDS = ("low", "high")
_FOUND = (
    "fits", "missing_bytes", "tokens_per_s", "tokens_per_s_per_user", "power_w", "j_per_token", "prefill_j_per_token",
    "step_s", "time_between_tokens_s", "first_token_s", "input_tokens_per_s", "j_per_input_token", "j_per_total_token",
    "j_per_request", "tokens_per_s_per_mw", "memory_bytes", "utilisation", "fitted_shares", "bound", "energy_by_part",
    "calibration", "notes", "low", "high",
)  # fmt: skip


def estimate_record(found):
    """An estimate as plain numbers, lists and texts, SI units, for JSON: inputs, results, errors seen in validation."""
    inputs = {name: getattr(found, name) for name in _INPUTS}
    results = {name: getattr(found, name) for name in _FOUND}
    seen = {"validation": {"runs": _kind(found), **found.spans}, "validation_marked": found.spans_marked}
    seen |= {"unknown": sorted(found.unknown), "how_sure": HOW_SURE}
    return _json({"inputs": inputs, **results, **seen})


def plan_record(found):
    """A plan as plain numbers, lists and texts, for JSON: inputs, results, what was assumed; units are in the names."""
    inputs = {"queries_per_day": found.queries_per_day, "batch": found.batch, "n_together": found.n_together}
    inputs |= {name: getattr(found.estimate, name) for name in _COPY}
    results = {name: one.range for name, one in found.results.items()}
    assumed = [one._asdict() for one in found.assumptions]
    pools = {"prompts": plan_record(found.prompts)} if found.prompts else {}
    return _json({"inputs": inputs, **results, "assumptions": assumed, "notes": found.notes, **pools})


# What the lists of accelerators and models show, and what tells it: of several quantities the first that is known.
_SHOWN = {
    "memory": ("memory_bytes",), "bandwidth": ("memory_bandwidth_bytes_per_s",), "rating": ("tdp_w",),
    "16 bit": ("dense_bf16_flop_per_s",), "8 bit": ("dense_fp8_flop_per_s", "dense_int8_flop_per_s"),
    "4 bit": ("dense_fp4_flop_per_s",), "link": ("link_bytes_per_s", "bus_bytes_per_s"),
}  # fmt: skip


def accelerators_text():
    """What is known of each accelerator, one a line."""
    rows = [["", *_SHOWN]]
    for name, machine in catalog.records("accelerators.csv").items():
        known = [next((machine[one] for one in names if one in machine.facts), None) for names in _SHOWN.values()]
        rows.append([name, *(one and f"{text(one.value, one.unit)}{' *'[one.second_hand]}" or "- " for one in known)])
    told = (
        "*: second-hand, read in a work that repeats others, or not seen in its source; -: not known; rates are dense "
    )
    told += "peaks, 8 bit is INT8 where FP8 is missing; a link is one direction, that of PCIe where there is no other"
    return _joined(_table(rows), _wrapped(told, 0))


def accelerators_record():
    """All that is known of each accelerator, in SI units, with what is second-hand, for JSON."""
    return [
        {"entity": one.entity, **{name: fact.value for name, fact in one.facts.items()}}
        | {"second_hand": [name for name, fact in one.facts.items() if fact.second_hand]}
        for one in catalog.records("accelerators.csv").values()
    ]


_OF_MODELS = {
    "parameters": ("params_total", "count"), "active": ("params_active", "count"), "layers": ("n_layers", "1"),
    "cache a token": ("cache_bytes_per_token", "B"), "state": ("state_bytes", "B"), "window": ("window_tokens", "1"),
}  # fmt: skip


def models_text():
    """What is known of each network, one a line."""
    rows = [["", *_OF_MODELS]]
    for net in models_record():
        cells = (text(net[name], unit) if net[name] else "-" for name, unit in _OF_MODELS.values())
        rows.append([net["entity"], *cells])
    told = "active: what a token is multiplied with; cache: in 16 bits, of all layers; state: of a sequence, in layers "
    told += "without a cache; window: so many tokens at most are kept in some of the layers"
    return _joined(_table(rows), _wrapped(told, 0))


def models_record():
    """All that is known of each network, with what a token touches and what it leaves behind, for JSON."""
    return [{**net.facts, **_derived(net)} for net in catalog.models().values()]


def _derived(net):
    """Parameters that one token is multiplied with, its cache in 16 bits, and the state of a sequence. [1], [B]"""
    # Here, since a chapter prints without all formulas.
    from llmpower.formulas import decode

    share, width = net.n_experts_per_token / max(1, net.n_experts), catalog.number_format("bf16").bytes_per_value
    latent, grouped = decode.kv_values_mla(net.mla_latent, net.mla_rope), (net.n_kv_heads, net.head_dim)
    layers = decode.kv_positions(1, net.n_full_layers, net.n_window_layers, net.window_tokens)
    return {
        "params_active": decode.params_touched(net.params_shared, net.params_routed, share),
        "cache_bytes_per_token": decode.kv_cache_bytes(latent or decode.kv_values_gqa(*grouped), layers, width, 0, 0),
        "state_bytes": net.state_values * net.state_bytes_per_value,
    }
