"""The least a decode step can take, in time, energy and memory: datasheets and physical constants, nothing fitted."""

import bisect
import math
from dataclasses import dataclass, replace

from llmpower.facts import catalog
from llmpower.formulas import datacenter, decode, meter, of
from llmpower.step.case import Case
from llmpower.step.work import FLOP_PER_MAC, fewest, needed_bytes, work


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

    per_token_j = of(decode.energy_per_token_j, energy_j="total_j")
    movement_share = of(
        decode.movement_share, weight_energy_j="weights_j", kv_energy_j="kv_j", compute_energy_j="compute_j"
    )


def counts(model, batch, context_tokens, weight_format="bf16", kv_format="bf16", n_accelerators=1):
    """Bytes and operations of one decode step, by names of a model and of formats; see `Work`. [B], [FLOP]

    model, weight_format, kv_format: names of the catalog, what people type for them, or records.
    batch, context_tokens: sequences decoded together, and tokens behind the new one in each; numbers or arrays, which
    broadcast. [1]
    n_accelerators: those that share the work; more of them than key-value heads keep, and read, copies of heads. [1]
    An unknown name is an `UnknownName`; numbers are not checked. Left out is what the formulas of `decode` leave out.

    >>> counts("llama-3.1-70b", batch=1, context_tokens=32768).kv_cache_bytes
    10737418240.0
    """
    formats = (catalog.number_format(name) for name in (weight_format, kv_format))
    return work(Case(catalog.model(model), None, n_accelerators, batch, context_tokens, *formats))


def step_energy(counts, batch, constants):
    """Dynamic `Energy` of a decode step, from its `counts` and an energy per byte [J/B] and per operation [J/FLOP].

    Another batch than that of the counts is counted anew: with experts it decides how many weights a step reads.
    """
    step, (per_byte, per_flop) = counts.at(batch, counts.case.n_accelerators), constants
    weights = decode.movement_energy_j(step.weight_read_bytes, per_byte)
    cache = decode.movement_energy_j(batch * step.kv_traffic_bytes, per_byte)
    return Energy(weights, cache, decode.compute_energy_j(step.step_flop, per_flop), batch)


def request_energy(counts, batch, constants, prompt_tokens, output_tokens, cached_prompt_share=0.0):
    """Dynamic `Energy` of one request of a batch: its prompt, read by itself, and then each token that it writes.

    counts: of the model in its formats; context and batch are those of the request, whatever it was counted for.
    prompt_tokens, output_tokens: lengths of a request, all alike. [1]
    cached_prompt_share: share of the prompt whose keys and values are found in a cache, from its beginning. [1]

    Weights are read once for the tokens of a prompt that are computed, and not at all where none is. Left out are
    prompts taken in together, or in pieces, and the writing of the cache.
    """
    at = replace(counts.case, context_tokens=datacenter.mean_context_tokens(prompt_tokens, output_tokens))
    token = step_energy(work(at), batch, constants)
    computed = meter.computed_prompt_tokens(prompt_tokens, cached_prompt_share)
    before = meter.prompt_context_tokens(prompt_tokens, cached_prompt_share)
    read = work(replace(at, batch=max(computed, 1), context_tokens=before))
    per_byte, per_flop = constants
    prompt_weights_j = decode.movement_energy_j(read.weight_read_bytes, per_byte) if computed else 0.0
    # Only the last token of a prompt goes through the output layer.
    head = decode.linear_flop(at.model.d_model * at.model.vocab, FLOP_PER_MAC)
    prompt_flop = decode.step_flop(computed, read.linear_flop - head, read.attention_flop) + min(computed, 1) * head
    return Energy(
        meter.request_energy_j(prompt_weights_j, output_tokens, token.weights_j / batch),
        meter.request_energy_j(0.0, output_tokens, token.kv_j / batch),
        meter.request_energy_j(decode.compute_energy_j(prompt_flop, per_flop), output_tokens, token.compute_j / batch),
        1,
    )


def break_even_batch(model, context_tokens, weight_format, kv_format, constants, n_accelerators=1):
    """Batch at which moving data and computing cost the same; arguments as for `counts` and `step_energy`.

    Infinite when movement dominates at every batch; for a mixture of experts the smallest whole batch, up to a million.
    """
    lone = counts(model, 1, context_tokens, weight_format, kv_format, n_accelerators)
    one = step_energy(lone, 1, constants)
    if not lone.case.model.n_experts:
        if one.compute_j <= one.kv_j:
            return math.inf
        return decode.break_even_batch(one.weights_j, one.kv_j, one.compute_j)
    batches = range(1, 10**6 + 1)
    place = bisect.bisect_left(batches, -0.5, key=lambda batch: -step_energy(lone, batch, constants).movement_share)
    return math.inf if place == len(batches) else float(batches[place])


@dataclass(frozen=True, kw_only=True)
class Bound:
    """The fastest a step can be, from the time of its data and of its arithmetic."""

    memory_time_s: float
    compute_time_s: float
    batch: float

    step_time_s, tokens_per_s = of(decode.step_time_s), of(decode.tokens_per_s)

    @property
    def bound(self):
        """What binds: bandwidth or compute."""
        return "bandwidth" if self.memory_time_s >= self.compute_time_s else "compute"


def step_bound(counts, batch, accelerator, n_accelerators):
    """`Bound` of a step on so many accelerators, given by name or record.

    Another batch or number of accelerators than that of the counts is counted anew.
    Without a sourced dense 16-bit peak the compute time counts as zero, so only bandwidth binds.
    """
    step, machine = counts.at(batch, n_accelerators), catalog.accelerator(accelerator)
    peak = machine.get("dense_bf16_flop_per_s", math.inf)
    memory = decode.memory_time_s(step.read_bytes, n_accelerators, machine.memory_bandwidth_bytes_per_s)
    compute = decode.compute_time_s(step.step_flop, n_accelerators, peak)
    return Bound(memory_time_s=memory, compute_time_s=compute, batch=batch)


@dataclass(frozen=True)
class Fit:
    """Whether weights and caches fit, and how many accelerators would do; None if no number would."""

    needed_bytes: float
    there_bytes: float
    accelerators_needed: int | None
    most_sequences: float

    fits = property(lambda self: self.needed_bytes <= self.there_bytes, doc="Whether they fit.")
    missing_bytes = property(lambda self: self.needed_bytes - self.there_bytes, doc="Negative if there is room. [B]")


def memory_fit(counts, batch, accelerator, n_accelerators):
    """Memory needed against memory there: `Fit` of so many sequences on so many accelerators, by name or record.

    `most_sequences` is the largest batch that fits the same machines.
    """
    machine = catalog.accelerator(accelerator)
    case = replace(counts.case, accelerator=machine, n_accelerators=n_accelerators, batch=batch)
    there, stored = n_accelerators * machine.memory_bytes, counts.weight_stored_bytes
    kept = counts.at(batch, n_accelerators).kv_cache_bytes
    most = 0 if there < stored else math.inf if kept == 0 else (there - stored) // kept
    return Fit(needed_bytes(case), there, fewest(case), most)
