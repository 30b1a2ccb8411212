"""What serving software makes of a step: its expected time and energy by part.

Numbers in, numbers out, the same for one run and for arrays of runs: `evidence.fit` fits the constants with it and
`estimate` predicts with it.
"""

import concurrent.futures
import functools
import math
import os
from types import SimpleNamespace
from typing import NamedTuple

import numpy as np

from llmpower.formulas import decode, serving
from llmpower.formulas.elementwise import minimum
from llmpower.step import work
from llmpower.step.work import FLOP_PER_MAC

# What travels between accelerators are activations in 16 bit.
_ACTIVATION_BYTES = 2
# Runs computed at once: some twenty arrays of them stay in the cache of a core.
_PIECE = 1 << 14


class Step(NamedTuple):
    """A step of all sequences on all accelerators together; times [s], energies [J]."""

    dense_time_s: float
    expert_time_s: float
    cache_time_s: float
    link_time_s: float
    overhead_time_s: float
    memory_time_s: float
    compute_time_s: float
    time_s: float
    weights_j: float
    kv_j: float
    compute_j: float
    interconnect_j: float
    static_j: float
    uncapped_j: float
    energy_j: float


RATES = (
    "memory_bandwidth_bytes_per_s", "dense_bf16_flop_per_s", "reached_bf16_flop_per_s", "link_bytes_per_s", "tdp_w",
)  # fmt: skip


@functools.cache
def machine(accelerator, weight_format):
    """Rates of an accelerator for products in a format, both records; a namespace, whose numbers may become arrays."""
    unit = SimpleNamespace(**{name: accelerator.get(name, math.nan) for name in RATES})
    peak, fp8 = unit.dense_bf16_flop_per_s, accelerator.get("dense_fp8_flop_per_s")
    # Four-bit weights meet eight-bit activations where the machine has a path for them, else they are widened.
    native = weight_format.entity == "mxfp4" and accelerator.get("dense_fp4_flop_per_s") and fp8
    unit.expert_peak, unit.block_peak = fp8 if native else peak, fp8 or peak
    return unit


@functools.cache
def normal_maximum(count):
    """Expected largest of `count` standard normal numbers; 0 for one."""
    if count == 1:
        return 0.0
    x = np.linspace(-9, 9, 6001)
    below = np.cumsum(np.exp(-x * x / 2)) * (x[1] - x[0]) / math.sqrt(2 * math.pi)
    # E = integral of 1 - F^n above zero, less that of F^n below it.
    power = below**count
    return float(((1 - power[x >= 0]).sum() - power[x < 0].sum()) * (x[1] - x[0]))


def normal_maxima(counts):
    """`normal_maximum` of a number, or of each in an array."""
    each, place = np.unique(counts, return_inverse=True)
    return np.array([normal_maximum(int(one)) for one in each])[place].reshape(np.shape(counts))[()]


def _products(net, unit, constants, n, spread, batch, tokens, attention_flop=0.0):
    """Products of a step with so many tokens, of prompts with their attention: times of dense and of expert layers, of
    memory, of arithmetic and of all arithmetic at work [s]; weights read [B], operations [FLOP].

    A step waits for the busiest accelerator; the work that draws power is that of all.
    """
    c = constants
    bandwidth = serving.reached_bytes_per_s(c.reached_bandwidth_share, unit.memory_bandwidth_bytes_per_s)
    n_bytes = work.shared_weight_bytes(net)
    n_flop = decode.step_flop(tokens, decode.linear_flop(net.params_shared, FLOP_PER_MAC), 0) + attention_flop
    memory = decode.memory_time_s(n_bytes, n, bandwidth)
    compute = decode.compute_time_s(n_flop, n, unit.reached_bf16_flop_per_s)
    dense = serving.phase_time_s(memory, compute, c.overlap)
    if not net.moe:
        return dense, 0.0, memory, compute, compute, n_bytes, n_flop
    share = work.expert_share(net, tokens)
    busiest = serving.busiest_share(c.imbalance, spread, n, net.n_experts, share)

    def flop(some, padding):
        rows = serving.rows_per_expert(some, net.n_experts, net.n_experts_per_token, share)
        return serving.expert_flop(net.params_routed, FLOP_PER_MAC, share, rows, padding)

    expert_bytes = work.expert_weight_bytes(net, share)
    expert_memory = busiest * decode.memory_time_s(expert_bytes, n, bandwidth)
    decoded, prompts = flop(batch, c.padding_rows), flop(tokens - batch, 0)
    reached = (decoded, c.expert_flop_share, prompts, c.expert_prompt_flop_share, n, unit.expert_peak)
    expert_work = serving.expert_compute_time_s(*reached, flop(0, net.block_rows), unit.block_peak)
    expert = serving.phase_time_s(expert_memory, busiest * expert_work, c.overlap)
    slowest, all_work = compute + busiest * expert_work, compute + expert_work
    n_bytes, n_flop = n_bytes + expert_bytes, n_flop + flop(tokens, 0)
    return dense, expert, memory + expert_memory, slowest, all_work, n_bytes, n_flop


def links(net, unit, constants, n, tokens):
    """Bytes that each of n accelerators sends in a step of so many tokens, and the time of their sums. [B], [s]"""
    several = 1.0 * (n > 1)
    if not _any(several):
        return 0.0, 0.0
    n_bytes = several * serving.allreduce_bytes(net.n_layers, tokens, net.d_model, _ACTIVATION_BYTES)
    return n_bytes, several * serving.link_time_s(net.n_layers, constants.sum_time_s, n_bytes, unit.link_bytes_per_s)


def _any(condition):
    return condition.any() if isinstance(condition, np.ndarray) else bool(condition)


def _with_prompts(net, unit, constants, n, spread, batch, prompt_tokens, output_tokens):
    """Products and tokens of a mean step in which prompts are taken in, and the gaps they cause. [s]"""
    prompts = serving.prompts_per_step(batch, output_tokens)
    share = serving.prompt_step_share(prompts)
    longer = 1 + net.recurrent * (constants.recurrent_prompt_factor - 1)
    full = serving.mixed_step_tokens(batch, prompts, prompt_tokens * longer)
    # A token of a prompt sees half of it on average.
    looking = work.attention_flop(net, work.positions(net, prompt_tokens / 2))
    plain = _products(net, unit, constants, n, spread, batch, batch)
    mixed = _products(net, unit, constants, n, spread, batch, full, (full - batch) * looking)
    # In an array some runs may have no prompt.
    gaps = minimum(prompt_tokens, 1) * serving.prompt_gaps_s(share, net.n_moe_layers, constants.prompt_layer_time_s)
    parts = [serving.average_step(share, one, other) for one, other in zip(plain, mixed)]
    return parts, serving.average_step(share, batch, full), gaps


def step(net, unit, constants, n_accelerators, batch, context_tokens, prompt_tokens, output_tokens, spread):
    """Expected time and energy of a step, as a `Step`; every argument may hold arrays.

    net, unit: from `work.network` and `machine`; `net.moe` says whether all of the runs have experts, or none.
    constants: those of `constants.for_machine`, or any with their names.
    prompt_tokens: 0 means that nothing is prefilled.
    spread: `normal_maximum` of the accelerators over which whole experts are spread, 0 when experts are cut.
    """
    n, c = n_accelerators, constants
    if _any(prompt_tokens != 0):
        parts, tokens, gaps = _with_prompts(net, unit, c, n, spread, batch, prompt_tokens, output_tokens)
    else:
        parts, tokens, gaps = _products(net, unit, c, n, spread, batch, batch), batch, 0.0
    dense, expert, memory, compute, busy, weight_bytes, weight_flop = parts
    seen = work.positions(net, context_tokens)
    cache = work.cache_traffic_bytes(net, work.cache_bytes(net, n, seen))
    bandwidth = serving.reached_bytes_per_s(c.reached_bandwidth_share, unit.memory_bandwidth_bytes_per_s)
    cache_time = serving.cache_time_s(batch, cache, n, bandwidth)
    attention = batch * work.attention_flop(net, seen)
    link_bytes, link_time = links(net, unit, c, n, tokens)
    launch = (net.n_layers, c.layer_time_s, batch, c.sequence_time_s, net.block_layers, c.block_scaling_time_s)
    overhead = serving.overhead_time_s(*launch, gaps)
    times = (dense, expert, cache_time, link_time, overhead)
    time = serving.serving_time_s(*times)

    ideal = decode.compute_time_s(weight_flop + attention, n, unit.dense_bf16_flop_per_s)
    static = decode.energy_j(serving.board_power_w(n, c.static_tdp_share, unit.tdp_w), time)
    energies = (
        decode.movement_energy_j(weight_bytes, c.weight_energy_j_per_byte),
        decode.movement_energy_j(batch * cache, c.cache_energy_j_per_byte),
        serving.arithmetic_energy_j(n, unit.tdp_w, c.compute_tdp_share, busy, c.operation_tdp_share, ideal),
        decode.movement_energy_j(n * link_bytes, c.link_energy_j_per_byte),
    )
    total = serving.uncapped_energy_j(static, *energies)
    energy = serving.serving_energy_j(total, n, c.plateau_tdp_share, unit.tdp_w, time)
    cut = energy / total
    kept = [cut * one for one in (*energies, static)]
    return Step(*times, memory + cache_time, compute, time, *kept, total, energy)


def _arrays(values):
    """Arrays among some values, and in the namespaces among them."""
    inside = [vars(value).values() if isinstance(value, SimpleNamespace) else (value,) for value in values]
    return [one for some in inside for one in some if isinstance(one, np.ndarray)]


def _cut(value, axis, index):
    if isinstance(value, SimpleNamespace):
        return SimpleNamespace(**{name: _cut(one, axis, index) for name, one in vars(value).items()})
    if isinstance(value, np.ndarray) and value.ndim >= -axis and value.shape[axis] > 1:
        return value[index]
    return value


def sweep(step, *run):
    """What a step function, `step` here or that of `bare`, returns for any number of runs.

    It works in pieces that stay in cache, on all cores.
    run: its arguments; arrays among them, or in its namespaces, are broadcast.
    Without arrays the numbers are floats.
    """
    arrays = _arrays(run)
    shape = np.broadcast_shapes(*(array.shape for array in arrays)) if arrays else ()
    if math.prod(shape) <= _PIECE:
        return step(*run)
    axis = max(range(-len(shape), 0), key=lambda place: shape[place])
    length = max(1, _PIECE * shape[axis] // math.prod(shape))
    whole = Step(*(np.empty(shape) for _ in Step._fields))

    def one(start):
        index = (..., slice(start, start + length), *[slice(None)] * (-axis - 1))
        for field, values in zip(whole, step(*(_cut(value, axis, index) for value in run))):
            field[index] = values

    # NumPy lets go of Python's lock while it computes, so threads are enough.
    with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
        list(pool.map(one, range(0, shape[axis], length)))
    return whole
