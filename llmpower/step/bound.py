"""The least a decode step can take, in time, energy and memory: datasheets and physical constants, nothing fitted."""

import math
from dataclasses import dataclass, replace

from llmpower.facts import catalog
from llmpower.formulas import datacenter, decode, meter, of
from llmpower.formulas.elementwise import floor, maximum, minimum, none, positive
from llmpower.step.case import Case
from llmpower.step.work import FLOP_PER_MAC, fewest, needed_bytes, usable_bytes, work
from llmpower.trace import Words, traced

# A break-even batch of experts is looked for up to here.
_MOST_BATCHES = 10**6


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
    read = work(replace(at, batch=maximum(computed, 1), context_tokens=before))
    per_byte, per_flop = constants
    prompt_weights_j = positive(computed, decode.movement_energy_j(read.weight_read_bytes, per_byte), 0.0)
    # Only the last token of a prompt goes through the output layer.
    head = decode.linear_flop(at.model.d_model * at.model.vocab, FLOP_PER_MAC)
    prompt_flop = decode.step_flop(computed, read.linear_flop - head, read.attention_flop) + minimum(computed, 1) * head
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
    dense = math.inf
    if traced(one.compute_j) or one.compute_j > one.kv_j:
        dense = decode.break_even_batch(one.weights_j, one.kv_j, one.compute_j)
        dense = positive(one.compute_j - one.kv_j, dense, math.inf)
    if none(lone.case.model.n_experts):
        return dense
    # The batches before it are found by halving, from the largest power of two on.
    before = 0.0
    for power in reversed(range(_MOST_BATCHES.bit_length())):
        tried = before + 2.0**power
        before = positive(step_energy(lone, tried, constants).movement_share - 1 / 2, tried, before)
    mixture = positive(_MOST_BATCHES - before, before + 1, math.inf)
    return positive(lone.case.model.n_experts, mixture, dense)


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
        longer = positive(self.compute_time_s - self.memory_time_s, 1, 0)
        words = ["bandwidth", "compute"]
        return Words(longer, words) if traced(longer) else words[longer]


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

    missing_bytes = property(lambda self: self.needed_bytes - self.there_bytes, doc="Negative if there is room. [B]")

    @property
    def fits(self):
        """Whether they fit; one or zero where that is not known yet."""
        missing = self.missing_bytes
        return positive(missing, 0.0, 1.0) if traced(missing) else missing <= 0


def memory_fit(counts, batch, accelerator, n_accelerators, memory_share=None):
    """Memory needed against memory there: `Fit` of so many sequences on so many accelerators, by name or record.

    `most_sequences` is the largest batch that fits the same machines. `memory_share` of their memory counts; where it
    is not given that of the case of the counts, which is all of it where `counts` made them. [1]
    """
    machine, share = (
        catalog.accelerator(accelerator),
        counts.case.memory_share if memory_share is None else memory_share,
    )
    case = replace(counts.case, accelerator=machine, n_accelerators=n_accelerators, batch=batch, memory_share=share)
    there, stored = usable_bytes(case), counts.weight_stored_bytes
    kept = counts.at(batch, n_accelerators).kv_cache_bytes
    # What just fits, fits.
    most = positive(there - stored + 1, math.inf if none(kept) else floor((there - stored) / kept), 0.0)
    return Fit(needed_bytes(case), there, fewest(case), most)
