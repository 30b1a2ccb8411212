"""Energy constants of bounds, by set; and the estimator's fitted ones: read, scaled, and the errors they had.

A fitted constant means the same for every network and machine; those of `PER_SOFTWARE` have a value for each server.
``llmpower calibrate`` makes ``data/calibration.csv`` and ``data/accuracy.csv`` again.
"""

import functools
import itertools
import math
from types import SimpleNamespace

from llmpower.facts.catalog import accelerator, constant_sets, energy_constant, fact, records
from llmpower.facts.claims import claim
from llmpower.facts.runs import SERVERS, seen_in_fit, seen_together
from llmpower.facts.tables import numbers
from llmpower.step import bare, metered, served
from llmpower.trace import Options, by_choice, either

PER_SOFTWARE = ("layer_time_s", "block_scaling_time_s")
TERMS = (
    "layer_time_s", "block_scaling_time_s", "sequence_time_s", "sum_time_s", "served_flop_share", "expert_flop_share",
    "expert_prompt_flop_share", "recurrent_prompt_factor", "imbalance", "padding_rows", "compute_tdp_share",
    "operation_tdp_share",
)  # fmt: skip
SHARED = tuple(name for name in TERMS if name not in PER_SOFTWARE)
# What constants that were fitted, or set by hand near runs, would be if no step had what they stand for.
NEUTRAL = dict.fromkeys(TERMS, 0.0) | dict.fromkeys(
    ("host_step_time_s", "host_layer_time_s", "prompt_layer_time_s"), 0.0
)
NEUTRAL |= {name: 1.0 for name in TERMS if name.endswith(("flop_share", "factor"))}
_SET = (
    "reached_bandwidth_share", "dense_flop_share", "plateau_tdp_share", "overlap", "computed_prompt_share",
    "prompt_layer_time_s", "expert_overlap_share", "host_step_time_s", "host_layer_time_s", "bandwidth_clock_share",
    "voltage_clock_share", "least_clock_share",
)  # fmt: skip
_NEEDED = {"set": _SET, "fitted": SHARED}
# What runs have in common that are left out together to see how far constants carry.
HELD_OUT = (
    "source", "server", "accelerator", "family", "architecture", "kind", "task", "architecture and accelerator",
)  # fmt: skip
# What a case does not know, and the groups whose errors stand for that.
EXAMS = {"laboratory": "source", "network": "family", "machine": "accelerator", "server": "server"}
# What a case does not know, too, and no group can tell: it has a single case.
UNPACKING = "unpacking"
# The split of the fitted runs themselves.
SEEN = "seen"
# What is added to the name of a split where runs that contradict their neighbours count too.
MARKED_TOO = ", marked runs too"
# Runs that no constant saw, by others than the laboratories of the fitted ones.
OTHERS = "other laboratories"
BARE_EXAM = "bare steps, batches and formats held out"


def constants():
    """Sets of energy constants by name, each an energy per byte [J/B] and per operation [J/FLOP].

    ``low``, ``typical`` and ``high`` come from ``data/constant_sets.csv``, ``article`` from the claims C29 and C33.
    """
    columns = ("memory_energy_j_per_byte", "flop_energy_j_per_flop")
    sets = {name: tuple(one[each].value for each in columns) for name, one in constant_sets().items()}
    return Options(sets, article=(claim("C29").si, claim("C33").si))


@functools.cache
def calibrated(entity):
    """Facts of ``data/calibration.csv`` by name, with all that must be there: ``"set"``, ``"fitted"``, or software."""
    record = records("calibration.csv")[entity]
    return {name: record[name] for name in _NEEDED.get(entity, PER_SOFTWARE)} | dict(record.facts)


@functools.cache
def fixed():
    """Constants that are not fitted, by name: set, or measured by our own power runs."""
    found = {name: fact.value for name, fact in calibrated("set").items()}
    machine, board = accelerator(bare.FITTED), metered.board(bare.FITTED)
    measured = {name: one.central for name, one in bare.held(machine).items()} | {
        "waiting_tdp_share": board.clocks_up_w.central / machine.tdp_w,
        "idle_tdp_share": machine.idle_w / machine.tdp_w,
        "clock_slope": board.clock_slope,
        "unpacking_tdp_share": board.unpacking_w / board.tdp_w,
        "chip_byte_share": board.l2_byte_j.central / board.byte_j["random bits"],
    }
    return found | measured | {"link_energy_j_per_byte": energy_constant("nvlink-4").energy_j_per_byte}


@functools.cache
def software_values(software):
    """Constants of some software by name; without a name the mean of all servers."""
    if software is not None:
        return {name: fact.value for name, fact in calibrated(software).items()}
    each = [software_values(one) for one in SERVERS]
    return {name: sum(one[name] for one in each) / len(each) for name in each[0]}


@functools.cache
def bandwidth_share(machine):
    """Share of the rated bandwidth that reading reaches: measured, or as in the fit for machines it was metered on."""
    measured = machine.get("reached_bytes_per_s")
    if measured and machine.entity not in seen_in_fit("accelerator", metered=True):
        return measured / machine.memory_bandwidth_bytes_per_s
    return fixed()["reached_bandwidth_share"]


@by_choice
@functools.cache
def for_machine(machine, software="vllm"):
    """Constants for an accelerator, a record, as a namespace by the names of the table of quantities; and their kind.

    software: one of `case.SOFTWARE`; None: the mean of all servers.
    The kind is ``"fitted"`` if runs on this machine were, else ``"scaled"``. Static power and energy per byte are those
    the energies were fitted with, or for other machines as `bare.held` has them.
    """
    found = fixed() | {name: fact.value for name, fact in calibrated("fitted").items()} | software_values(software)
    if machine.entity not in seen_in_fit("accelerator", metered=True):
        found |= {name: one.central for name, one in bare.held(machine).items()}
    found["reached_bandwidth_share"] = bandwidth_share(machine)
    if own := metered.board(machine.entity):
        found["unpacking_tdp_share"] = own.unpacking_w / own.tdp_w
    kind = "fitted" if machine.entity in seen_in_fit("accelerator") else "scaled"
    return SimpleNamespace(**found), kind


def host_ends(constants):
    """Low and high ends of what hosts take that start every kernel, by name; constants may be traced."""
    facts = {**calibrated("set"), **calibrated("eager")}
    names = ("host_step_time_s", "host_layer_time_s")
    ends = {name: (facts[name].low, facts[name].high) for name in names}
    return {name: tuple(getattr(constants, name) * end / facts[name].value for end in ends[name]) for name in names}


@functools.cache
def errors(table="accuracy.csv"):
    """Rows of a table of errors: (split, runs, quantity) -> numbers by column."""
    return numbers(table)


def unknown(model, machine, weight_format, software):
    """What no fitted run had of a case, by name, as in `EXAMS` and `UNPACKING`; arguments are records and a name."""
    flags = _new_network(model, weight_format), _new_machine(machine), _any(software)
    return _named(*map(either, (*flags, _new_unpacking(machine, weight_format))))


@by_choice
@functools.cache
def _new_network(model, weight_format):
    return model.entity not in seen_in_fit("model") or weight_format.entity not in seen_in_fit("weight_format")


@by_choice
@functools.cache
def _new_machine(machine):
    return machine.entity not in seen_in_fit("accelerator")


@by_choice
@functools.cache
def _new_unpacking(machine, weight_format):
    """Whether a fitted machine has to unpack a format that was fitted on others alone."""
    together, seen = seen_together("accelerator", "weight_format"), seen_in_fit("weight_format")
    packed = [one.entity for one in served.unpacked(machine, weight_format) if one.entity in seen]
    known = machine.entity in seen_in_fit("accelerator") and not machine.get(served.PATHS["fp8"])
    return known and any((machine.entity, name) not in together for name in packed)


@by_choice
def _any(software):
    return software is None


@by_choice
@functools.cache
def _named(*flags):
    return frozenset(itertools.compress(("network", "machine", "server", UNPACKING), flags))


@functools.cache
def exam_errors(missing, moe, software="vllm", marked=False):
    """Errors of the exams that stand for a case, by quantity; of mixtures of experts or dense networks.

    missing: what no fitted run had of it, a set of names of `EXAMS`; the range of each is added to that of an unknown
        laboratory as an independent error. With `UNPACKING` the range reaches the one case that was seen.
    marked: count the runs too that contradict their neighbours.
    Where most of the runs err to one side, the prediction itself is an end of the range.
    """
    group, too = "moe" if moe else "dense", MARKED_TOO if marked else ""
    found = {}
    for quantity in ("j_per_token", "tokens_per_s"):
        if software == "bare":
            row = errors("studies.csv")[BARE_EXAM, group, quantity]
        elif software == "llama.cpp":
            row = errors()[software, "all", quantity]
        else:
            row = errors()["laboratory" + too, group, quantity]
            for name in missing - {UNPACKING}:
                row = _wider(row, errors()[name + too, group, quantity], errors()[SEEN + too, group, quantity])
            if UNPACKING in missing:
                row = row | _unpacked(row, quantity)
        ends = (("low_ratio", min), ("high_ratio", max))
        found[quantity] = row | {end: outer(row[end], 1.0) for end, outer in ends}
    return found


def _unpacked(row, quantity):
    """Ends of a row of errors that reach what was seen of a format that a machine unpacks and others do not."""
    seen = fact("calibration.csv", "unpacking", "seen_speed_share").value
    if quantity == "tokens_per_s":
        return {"low_ratio": min(row["low_ratio"], seen)}
    return {"high_ratio": max(row["high_ratio"], 1 / seen)}


def _wider(row, other, seen):
    """A row of errors with what another exam adds to its ends beyond those of runs that a fit saw, and with the larger
    of their errors."""
    found = {name: max(row[name], other[name]) for name in row}
    found["n"] = other["n"]
    for end in ("low_ratio", "high_ratio"):
        logs = [math.log(one[end]) for one in (row, other, seen)]
        more = max(0.0, logs[1] ** 2 - logs[2] ** 2)
        found[end] = math.exp(math.copysign(math.sqrt(logs[0] ** 2 + more), logs[0]))
    return found
