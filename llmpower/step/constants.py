"""Energy constants of bounds, by set; and the estimator's fitted ones: read, scaled, and the errors they had.

A fitted constant means the same for every network; only `layer_time_s` has a value for each fitted accelerator.
``llmpower calibrate`` makes ``data/calibration.csv`` and ``data/accuracy.csv`` again.
"""

import functools
from statistics import geometric_mean
from types import SimpleNamespace

from llmpower.facts.catalog import accelerator, constant_sets, energy_constant, records
from llmpower.facts.claims import claim
from llmpower.facts.tables import numbers
from llmpower.step import bare

PER_ACCELERATOR = "layer_time_s"
TERMS = (
    "layer_time_s", "sequence_time_s", "sum_time_s", "block_scaling_time_s", "expert_flop_share",
    "expert_prompt_flop_share", "recurrent_prompt_factor", "imbalance", "padding_rows", "compute_tdp_share",
    "operation_tdp_share",
)  # fmt: skip
_SET = "reached_bandwidth_share dense_flop_share plateau_tdp_share overlap computed_prompt_share prompt_layer_time_s"
# What runs of ``data/predictions.csv`` have in common that are held out together.
HELD_OUT = ("architecture", "accelerator", "family", "kind", "task", "architecture and accelerator")
# The exam whose spread is the range of an estimate: by whether its machine was fitted; and that of bare steps.
EXAMS = {"fitted": "architectures, terms chosen in each fold", "scaled": "accelerators"}
# What is added to the name of a split where runs that contradict their neighbours count too.
MARKED_TOO = ", marked runs too"
BARE_EXAM = "bare steps, batches and formats held out"
# Runs that no constant saw, by others than the laboratory of the fitted ones.
OTHERS = "other laboratories"


def constants():
    """Sets of energy constants by name, each an energy per byte [J/B] and per operation [J/FLOP].

    ``low``, ``typical`` and ``high`` come from ``data/constant_sets.csv``, ``article`` from the claims C29 and C33.
    """
    columns = ("memory_energy_j_per_byte", "flop_energy_j_per_flop")
    sets = {name: tuple(one[each].value for each in columns) for name, one in constant_sets().items()}
    return {**sets, "article": (claim("C29").si, claim("C33").si)}


def _calibrated(entity):
    """Facts of ``data/calibration.csv`` by name, all of which must be there; entity: ``"set"`` or ``"fitted"``."""
    names = _SET.split() if entity == "set" else [name for name in TERMS if name != PER_ACCELERATOR]
    return {name: records("calibration.csv")[entity][name] for name in names}


@functools.cache
def fixed():
    """Constants that are not fitted, by name: set, or measured by our own power runs."""
    found = {name: fact.value for name, fact in _calibrated("set").items()}
    measured = {name: one.central for name, one in bare.held(accelerator(bare.FITTED)).items()}
    return found | measured | {"link_energy_j_per_byte": energy_constant("nvlink-4").energy_j_per_byte}


@functools.cache
def gaps():
    """Gap per layer of each fitted accelerator, by its name, as `Fact`."""
    known = records("accelerators.csv")
    return {
        known[entity].entity: record[PER_ACCELERATOR]
        for entity, record in records("calibration.csv").items()
        if entity not in ("set", "fitted")
    }


@functools.cache
def for_machine(machine):
    """Constants for an accelerator, a record, as a namespace by the names of the table of quantities; and their kind.

    The kind is ``"fitted"``, or ``"scaled"``: the mean gap per layer of the fitted machines, and static power and
    energy per byte as `bare.held` has them for this machine.
    """
    shared = fixed() | {name: fact.value for name, fact in _calibrated("fitted").items()}
    if machine.entity in gaps():
        return SimpleNamespace(**shared, layer_time_s=gaps()[machine.entity].value), "fitted"
    shared |= {name: one.central for name, one in bare.held(machine).items()}
    gap = geometric_mean([one.value for one in gaps().values()])
    return SimpleNamespace(**shared, layer_time_s=gap), "scaled"


def intervals(case, constants):
    """Low and high ends of the constants of a case, by name; those without a range are left out.

    constants: namespace; one that was scaled takes its interval along.
    The gap per layer of a machine that was not fitted spans those of the machines that were.
    """
    machine = case.accelerator
    measured = {name: (one.low, one.high) for name, one in bare.held(machine).items()}
    if case.software == "bare":
        return measured
    found = _calibrated("fitted")
    if machine.entity in gaps():
        found[PER_ACCELERATOR] = gaps()[machine.entity]
    ends = measured | {
        name: tuple(getattr(constants, name) * end / fact.value for end in (fact.low, fact.high))
        for name, fact in found.items()
        if fact.low is not None and fact.high is not None
    }
    if PER_ACCELERATOR not in found:
        lows, _, highs = zip(*(gap.ends for gap in gaps().values()))
        ends[PER_ACCELERATOR] = min(lows), max(highs)
    return ends


@functools.cache
def errors(table="accuracy.csv"):
    """Rows of a table of errors: (split, runs, quantity) -> numbers by column."""
    return numbers(table)


@functools.cache
def exam_errors(kind, moe, software="vllm", marked=False):
    """Errors of the exam that stands for constants of a kind, by quantity; of mixtures of experts or dense networks.

    Where most of its runs err to one side, the prediction itself is an end of the range.
    marked: count the runs too that contradict their neighbours.
    """
    group = "moe" if moe else "dense"
    exam = EXAMS[kind] + (MARKED_TOO if marked else "") if software == "vllm" else BARE_EXAM
    table = errors("accuracy.csv" if software == "vllm" else "studies.csv")
    found = {quantity: table[exam, group, quantity] for quantity in ("j_per_token", "tokens_per_s")}
    ends = (("low_ratio", min), ("high_ratio", max))
    return {quantity: row | {end: outer(row[end], 1.0) for end, outer in ends} for quantity, row in found.items()}
