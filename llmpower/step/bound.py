"""Joins catalog and formulas: one decode step of a model on a machine.

Physical constants only: what the step moves and computes, and what that must
cost.  Nothing here is fitted to a measurement.
"""

import bisect
import math
from dataclasses import dataclass

from llmpower.facts import catalog
from llmpower.facts.claims import claim
from llmpower.formulas import decode

# By convention a multiply and an add are two operations.
FLOP_PER_MAC = 2


@dataclass(frozen=True)
class Counts:
    """What a decode step touches; cache and arithmetic per sequence. [B], [FLOP]"""

    weight_stored_bytes: float
    weight_read_bytes: float
    kv_cache_bytes: float
    kv_traffic_bytes: float
    linear_flop: float
    attention_flop: float
    expert_share: float

    @property
    def flop(self):
        """Arithmetic of one sequence. [FLOP]"""
        return self.linear_flop + self.attention_flop


@dataclass(frozen=True)
class Energy:
    """Dynamic energy of a decode step by part, all sequences together. [J]"""

    weights_j: float
    kv_j: float
    compute_j: float
    batch: float

    @property
    def total_j(self):
        """All three parts. [J]"""
        return self.weights_j + self.kv_j + self.compute_j

    @property
    def per_token_j(self):
        """Energy per output token. [J]"""
        return decode.energy_per_token_j(self.total_j, self.batch)

    @property
    def movement_share(self):
        """Movement over movement plus arithmetic. [1]"""
        return decode.movement_share(self.weights_j, self.kv_j, self.compute_j)


def constants():
    """Sets of energy constants by name, as numbers.

    Returns
    -------
    constants : dict
        ``low``, ``typical``, ``high`` from ``data/constant_sets.csv``, and
        ``article`` from the article's claims C29 and C33; each a pair of
        energy per byte [J/B] and per operation [J/FLOP].
    """
    sets = {
        name: (found["memory_energy_j_per_byte"].value, found["flop_energy_j_per_flop"].value)
        for name, found in catalog.constant_sets().items()
    }
    sets["article"] = claim("C29").si, claim("C33").si
    return sets


def counts(model, batch, context_tokens, weight_format="bf16", kv_format="bf16"):
    """Bytes and operations of one decode step.

    Parameters
    ----------
    model : str
        Name of a model.
    batch : float or array
        Sequences decoded together. [1]
    context_tokens : float or array
        Tokens behind the new one in every sequence. [1]
    weight_format, kv_format : str
        Names of number formats. A format that applies to experts only (MXFP4)
        leaves everything else at 16 bit.

    Returns
    -------
    counts : Counts

    Raises
    ------
    UnknownName
        For a model or format that is not in the catalog.

    Examples
    --------
    >>> counts("llama-3.1-70b", batch=1, context_tokens=32768).kv_cache_bytes
    10737418240.0
    """
    net, wide = catalog.model(model), catalog.number_format("bf16").bytes_per_value
    routed_format, kv_width = catalog.number_format(weight_format), catalog.number_format(kv_format).bytes_per_value
    routed = routed_format.bytes_per_value
    shared = wide if routed_format.applies_to == "experts" and net.n_experts else routed

    def share(tokens):
        return decode.expert_share(net.n_experts, net.n_experts_per_token, tokens) if net.n_experts else 0.0

    positions = decode.kv_positions(context_tokens, net.n_full_layers, net.n_window_layers, net.window_tokens)
    latent = net.mla_latent > 0
    values = (
        decode.kv_values_mla(net.mla_latent, net.mla_rope)
        if latent
        else decode.kv_values_gqa(net.n_kv_heads, net.head_dim)
    )
    score_width = values if latent else net.head_dim
    value_width = net.mla_latent if latent else net.head_dim
    cache = decode.kv_cache_bytes(values, positions, kv_width, net.state_values, net.state_bytes_per_value)
    active = decode.params_touched(net.params_shared, net.params_routed, share(1))
    return Counts(
        weight_stored_bytes=decode.weight_bytes(
            net.params_total - net.params_routed, net.params_routed, 1, shared, routed
        ),
        weight_read_bytes=decode.weight_bytes(net.params_shared, net.params_routed, share(batch), shared, routed),
        kv_cache_bytes=cache,
        kv_traffic_bytes=decode.kv_traffic_bytes(cache, net.state_values, net.state_bytes_per_value),
        linear_flop=decode.linear_flop(active, FLOP_PER_MAC),
        attention_flop=decode.attention_flop(net.n_heads, score_width, value_width, positions, FLOP_PER_MAC),
        expert_share=share(batch),
    )


def step_energy(counts, batch, constants):
    """Dynamic energy of a decode step.

    Parameters
    ----------
    counts : Counts
        Of this batch.
    batch : float or array
        Sequences. [1]
    constants : pair of float
        Energy per byte [J/B] and per operation [J/FLOP].

    Returns
    -------
    energy : Energy
    """
    per_byte, per_flop = constants
    return Energy(
        weights_j=decode.movement_energy_j(counts.weight_read_bytes, per_byte),
        kv_j=decode.movement_energy_j(batch * counts.kv_traffic_bytes, per_byte),
        compute_j=decode.compute_energy_j(decode.step_flop(batch, counts.linear_flop, counts.attention_flop), per_flop),
        batch=batch,
    )


def break_even_batch(model, context_tokens, weight_format, kv_format, constants):
    """Batch at which moving data and computing cost the same.

    Parameters
    ----------
    model, context_tokens, weight_format, kv_format
        As for `counts`.
    constants : pair of float
        Energy per byte [J/B] and per operation [J/FLOP].

    Returns
    -------
    batch : float
        Sequences; infinite when movement dominates at every batch. For a
        mixture of experts the smallest whole batch, up to a million.
    """

    def energy(batch):
        return step_energy(counts(model, batch, context_tokens, weight_format, kv_format), batch, constants)

    one = energy(1)
    if not catalog.model(model).n_experts:
        if one.compute_j <= one.kv_j:
            return math.inf
        return decode.break_even_batch(one.weights_j, one.kv_j, one.compute_j)
    batches = range(1, 10**6 + 1)
    place = bisect.bisect_left(batches, True, key=lambda batch: energy(batch).movement_share <= 1 / 2)
    return math.inf if place == len(batches) else float(batches[place])


@dataclass(frozen=True)
class Bound:
    """The fastest a step can be, from datasheet rates alone."""

    memory_time_s: float
    compute_time_s: float
    batch: float

    @property
    def step_time_s(self):
        """Lower bound on the time of a step. [s]"""
        return decode.step_time_s(self.memory_time_s, self.compute_time_s)

    @property
    def tokens_per_s(self):
        """Upper bound on the rate of all sequences together. [1/s]"""
        return decode.tokens_per_s(self.batch, self.step_time_s)

    @property
    def bound(self):
        """What binds: bandwidth or compute."""
        return "bandwidth" if self.memory_time_s >= self.compute_time_s else "compute"


def step_bound(counts, batch, accelerator, n_accelerators):
    """Lower bound on the time of a step.

    Parameters
    ----------
    counts : Counts
        Of this batch.
    batch : float
        Sequences. [1]
    accelerator : str
        Name of an accelerator. Without a sourced dense 16-bit peak the
        compute time counts as zero, so only bandwidth binds.
    n_accelerators : int
        How many share the work. [1]

    Returns
    -------
    bound : Bound
    """
    machine = catalog.accelerator(accelerator)
    peak = machine.get("dense_bf16_flop_per_s", math.inf)
    n_bytes = decode.step_bytes(counts.weight_read_bytes, batch, counts.kv_traffic_bytes)
    n_flop = decode.step_flop(batch, counts.linear_flop, counts.attention_flop)
    return Bound(
        memory_time_s=decode.memory_time_s(n_bytes, n_accelerators, machine.memory_bandwidth_bytes_per_s),
        compute_time_s=decode.compute_time_s(n_flop, n_accelerators, peak),
        batch=batch,
    )


@dataclass(frozen=True)
class Fit:
    """Whether weights and caches fit, and how many accelerators would do."""

    needed_bytes: float
    there_bytes: float
    accelerators_needed: int
    most_sequences: int

    @property
    def fits(self):
        """True if they fit."""
        return self.needed_bytes <= self.there_bytes

    @property
    def missing_bytes(self):
        """What is missing; negative if there is room. [B]"""
        return self.needed_bytes - self.there_bytes


def memory_fit(counts, batch, accelerator, n_accelerators):
    """Memory needed against memory there.

    Parameters
    ----------
    counts : Counts
        Of this model and context.
    batch : int
        Sequences. [1]
    accelerator : str
        Name of an accelerator.
    n_accelerators : int
        How many share weights and caches. [1]

    Returns
    -------
    fit : Fit
        `most_sequences` is the largest batch that fits the same machines.
    """
    memory = catalog.accelerator(accelerator).memory_bytes
    needed = decode.memory_needed_bytes(counts.weight_stored_bytes, counts.kv_cache_bytes, batch)
    left = n_accelerators * memory - counts.weight_stored_bytes
    most = 0 if left < 0 else math.inf if counts.kv_cache_bytes == 0 else left // counts.kv_cache_bytes
    return Fit(
        needed_bytes=needed,
        there_bytes=n_accelerators * memory,
        accelerators_needed=math.ceil(decode.memory_fill(needed, 1, memory)),
        most_sequences=most,
    )
