"""Joins catalog and formulas: what a machine delivers per second and per joule.

Unlike `llmpower.step`, which prices one decode step of one model, this
compares machines: weights that spill into system memory, ratings, idle power,
power caps, and runs that were measured.  Nothing here is fitted.
"""

import functools
import math
from dataclasses import dataclass, field

from llmpower.facts import catalog
from llmpower.facts.quantities import quantities
from llmpower.facts.units import UNITS
from llmpower.formulas import decode, efficiency
from llmpower.ranges import Range, over
from llmpower.step.bound import constants, counts, step_energy

# Machines whose processor and graphics share one memory: nothing to spill into.
_SHARED_MEMORY = ("soc",)


def typed(name, value):
    """SI value of a number that people type in an everyday unit.

    Parameters
    ----------
    name : str
        A quantity, such as ``"battery_wh"``.
    value : float
        In the unit of the table of quantities.

    Returns
    -------
    value : float
        In the SI unit.

    Examples
    --------
    >>> typed("battery_wh", 60)
    216000.0
    """
    return value * UNITS[quantities()[name].unit][1]


def in_unit(value, unit):
    """Number of an SI value in a unit that sources print, such as ``"pJ/bit"``.

    Examples
    --------
    >>> round(in_unit(160e-12, "pJ/bit"), 3)
    20.0
    """
    return value / UNITS[unit][1]


def bandwidth(machine):
    """Memory bandwidth of an accelerator, or of all accelerators of a system. [B/s]"""
    return machine.get("memory_bandwidth_bytes_per_s") or machine.get("system_memory_bandwidth_bytes_per_s")


def rating(machine):
    """Rated power, else the largest power of the whole computer, else None. [W]"""
    return machine.get("tdp_w") or machine.get("system_max_w")


def shares_memory(machine):
    """Whether processor and graphics share one memory."""
    return machine.get("category") in _SHARED_MEMORY


@dataclass(frozen=True)
class Delivery:
    """Bounds on a decode step of a model on a machine, from datasheet rates and sourced constants."""

    batch: float
    needed_bytes: float
    read_bytes: float
    share: float
    memory_time_s: float
    compute_time_s: float
    idle_w: float
    rating_w: float | None
    energies: dict = field(repr=False)

    @property
    def runs(self):
        """Whether the data fit somewhere the machine can read them."""
        return math.isfinite(self.memory_time_s)

    @property
    def spills(self):
        """Whether a part has to stay in system memory."""
        return self.share < 1

    @property
    def step_time_s(self):
        """Lower bound on the time of a step. [s]"""
        return decode.step_time_s(self.memory_time_s, self.compute_time_s)

    @property
    def tokens_per_s(self):
        """Upper bound on the rate; zero if the data fit nowhere. [1/s]"""
        return decode.tokens_per_s(self.batch, self.step_time_s)

    @property
    def bytes_per_token(self):
        """Bytes read per output token. [B]"""
        return decode.energy_per_token_j(self.read_bytes, self.batch)

    @property
    def rated_tokens_per_j(self):
        """Tokens per joule at the bound on speed and at rated power; None without a rating. [1/J]"""
        return self.rating_w and efficiency.tokens_per_j(self.tokens_per_s, self.rating_w)

    def most_tokens_per_j(self, central="typical"):
        """Upper bound: dynamic energy and idle power for the shortest time. [1/J]"""

        def bound(energy_j):
            return efficiency.most_tokens_per_j(
                self.batch, efficiency.least_energy_j(energy_j, self.idle_w, self.step_time_s)
            )

        return over(bound, self.energies, central) if self.runs else Range(0.0, 0.0, 0.0)

    def capped_time_s(self, power_cap_w, central="typical"):
        """Lower bound on the time of a step under a power cap; infinite if the cap is below idle. [s]"""
        if power_cap_w <= self.idle_w:
            return math.inf
        return efficiency.capped_time_s(self.step_time_s, self.energies[central], power_cap_w, self.idle_w)


def deliver(
    model,
    accelerator,
    batch,
    context_tokens,
    weight_format,
    host_bandwidth_bytes_per_s,
    n_accelerators=1,
    kv_format="bf16",
):
    """Bounds on a decode step, with the part that does not fit in system memory.

    Parameters
    ----------
    model, accelerator : str
        Names.
    batch : float
        Sequences. [1]
    context_tokens : float
        Tokens behind the new one in every sequence. [1]
    weight_format, kv_format : str
        Names of number formats.
    host_bandwidth_bytes_per_s : float
        Bandwidth of the system memory. [B/s]
    n_accelerators : int
        How many share the work. [1]

    Returns
    -------
    delivery : Delivery
        Of a machine that shares its memory and cannot hold the data the
        memory time is infinite. Idle power without a source counts as zero,
        arithmetic without a sourced peak takes no time.

    Raises
    ------
    UnknownName
        For a name that is not in the catalog.

    Examples
    --------
    >>> deliver("qwen2.5-32b", "rtx-4060-laptop", 1, 0, "q4_k_m", 76.8e9).spills
    True
    """
    machine, step = catalog.accelerator(accelerator), counts(model, batch, context_tokens, weight_format, kv_format)
    read = step.weight_read_bytes + batch * step.kv_traffic_bytes
    needed = decode.memory_needed_bytes(step.weight_stored_bytes, step.kv_cache_bytes, batch)
    share = efficiency.resident_share(needed, n_accelerators * machine.memory_bytes)
    resident = efficiency.resident_bytes(read, share)
    time = efficiency.split_time_s(
        resident, efficiency.host_bytes(read, resident), n_accelerators * bandwidth(machine), host_bandwidth_bytes_per_s
    )
    peak = n_accelerators * machine.get("dense_bf16_flop_per_s", math.inf)
    watts = rating(machine)
    return Delivery(
        batch=batch,
        needed_bytes=needed,
        read_bytes=read,
        share=share,
        memory_time_s=math.inf if share < 1 and shares_memory(machine) else time,
        compute_time_s=decode.compute_time_s(batch * step.flop, 1, peak),
        idle_w=n_accelerators * machine.get("idle_w", 0.0),
        rating_w=watts and n_accelerators * watts,
        energies={name: step_energy(step, batch, pair).total_j for name, pair in constants().items()},
    )


def split_speed(weight_bytes, memory_bytes, memory_bandwidth_bytes_per_s, host_bandwidth_bytes_per_s):
    """Upper bound on tokens per second of a file of weights, read once per token.

    Parameters
    ----------
    weight_bytes : float or array
        Size of the file. [B]
    memory_bytes : float
        Memory left for it beside the processor. [B]
    memory_bandwidth_bytes_per_s, host_bandwidth_bytes_per_s : float
        Bandwidth of that memory and of the system memory. [B/s]

    Returns
    -------
    tokens_per_s : float or array
        Upper bound. [1/s]

    Examples
    --------
    >>> round(split_speed(19.85e9, 8e9, 256e9, 76.8e9), 2)
    5.39
    """
    resident = efficiency.resident_bytes(weight_bytes, efficiency.resident_share(weight_bytes, memory_bytes))
    rest = efficiency.host_bytes(weight_bytes, resident)
    time = efficiency.split_time_s(resident, rest, memory_bandwidth_bytes_per_s, host_bandwidth_bytes_per_s)
    return decode.tokens_per_s(1, time)


@dataclass(frozen=True)
class Measured:
    """A published run: what decoded where, how fast, at which power."""

    facts: catalog.Record = field(repr=False)

    def __getattr__(self, quantity):
        if quantity.startswith("__") or quantity == "facts":
            raise AttributeError(quantity)
        return getattr(self.facts, quantity)

    @property
    def source(self):
        """Key of the source of the speed."""
        return self.facts["tokens_per_s"].source

    @property
    def tokens_per_j(self):
        """Output tokens per joule, within the boundary of the measured power. [1/J]"""
        return efficiency.tokens_per_j(self.tokens_per_s, self.power_w)

    @property
    def bytes_per_token(self):
        """Bytes read per output token: counted, or the printed file where the format is not in the catalog. [B]"""
        if self.facts.get("weight_bytes"):
            return self.facts.weight_bytes
        step = counts(self.network, self.batch, self.context_tokens, self.stored_format)
        return decode.energy_per_token_j(step.weight_read_bytes + self.batch * step.kv_traffic_bytes, self.batch)

    @property
    def bound(self):
        """`Delivery` of the same set-up."""
        return deliver(
            self.network,
            self.machine,
            self.batch,
            self.context_tokens,
            self.stored_format,
            math.inf,
            self.n_accelerators,
        )


@functools.cache
def measured_points():
    """Everything in ``data/measured_points.csv`` by entity.

    Returns
    -------
    points : dict
        `Measured` for runs, plain records for single facts beside them.

    Raises
    ------
    FactError
        For a malformed row.

    Examples
    --------
    >>> round(measured_points()["mlenergy-70b-h100x4-batch-32"].tokens_per_j, 2)
    0.83
    """
    grouped = {}
    for fact in catalog.facts("measured_points.csv"):
        grouped.setdefault(fact.entity, {})[fact.quantity] = fact
    records = {entity: catalog.Record(entity, found) for entity, found in grouped.items()}
    return {entity: Measured(one) if one.get("tokens_per_s") else one for entity, one in records.items()}
