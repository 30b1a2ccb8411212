"""A step of serving software on given hardware: time and energy by part.

The inner part of the estimator, without names, checks or ranges: numbers in,
numbers out, the same for one run and for arrays of runs.  `calibration` fits its
constants with it and `estimator` predicts with it.
"""

import concurrent.futures
import functools
import math
import os
from types import SimpleNamespace
from typing import NamedTuple

import numpy as np

from llmpower.facts import catalog
from llmpower.formulas import decode, serving
from llmpower.formulas.elementwise import minimum
from llmpower.step.bound import FLOP_PER_MAC

# What travels between accelerators are activations in 16 bit.
ACTIVATION_BYTES = 2
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


@functools.cache
def network(model, weight_format, kv_format):
    """Dimensions of a model in given formats, as `step` wants them."""
    net, wide = catalog.model(model), catalog.number_format("bf16").bytes_per_value
    format_ = catalog.number_format(weight_format)
    latent = net.mla_latent > 0
    values = (
        decode.kv_values_mla(net.mla_latent, net.mla_rope)
        if latent
        else decode.kv_values_gqa(net.n_kv_heads, net.head_dim)
    )
    narrow = format_.bytes_per_value
    # A format for experts leaves the rest as it was; 8-bit weights may leave some of it.
    only_experts = format_.applies_to == "experts" and net.n_experts
    kept_wide = net.params_shared if only_experts else net.fp8_wide_params if weight_format == "fp8" else 0
    blocks = net.fp8_block_rows if weight_format == "fp8" and net.n_experts else 0
    return SimpleNamespace(
        n_layers=net.n_layers,
        n_moe_layers=net.n_moe_layers,
        d_model=net.d_model,
        n_experts=net.n_experts,
        n_experts_per_token=net.n_experts_per_token,
        params_total=net.params_total,
        params_shared=net.params_shared,
        params_routed=net.params_routed,
        shared_bytes=narrow + (wide - narrow) * kept_wide / net.params_shared,
        routed_bytes=format_.bytes_per_value,
        kv_values=values,
        kv_heads=1 if latent else net.n_kv_heads,
        kv_bytes=catalog.number_format(kv_format).bytes_per_value,
        n_full_layers=net.n_full_layers,
        n_window_layers=net.n_window_layers,
        window_tokens=net.window_tokens,
        state_values=net.state_values,
        state_bytes=net.state_bytes_per_value,
        recurrent=float(net.state_values > 0),
        n_heads=net.n_heads,
        score_width=values if latent else net.head_dim,
        value_width=net.mla_latent if latent else net.head_dim,
        block_rows=blocks,
        block_layers=net.n_moe_layers if blocks else 0,
        moe=net.n_experts > 0,
    )


@functools.cache
def machine(accelerator, weight_format):
    """Rates of an accelerator for products in a format, as `step` wants them."""
    found = catalog.accelerator(accelerator)
    peak = found.dense_bf16_flop_per_s
    # Four-bit weights meet eight-bit activations where the machine has a path for them, else they are widened.
    native = weight_format == "mxfp4" and found.get("dense_fp4_flop_per_s") and found.get("dense_fp8_flop_per_s")
    return SimpleNamespace(
        bandwidth=found.memory_bandwidth_bytes_per_s,
        peak=peak,
        reached=found.get("reached_bf16_flop_per_s", math.nan),
        expert_peak=found.dense_fp8_flop_per_s if native else peak,
        block_peak=found.get("dense_fp8_flop_per_s", peak),
        tdp=found.tdp_w,
        memory=found.memory_bytes,
        link=found.get("link_bytes_per_s", math.nan),
    )


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


def cache_bytes(net, n_accelerators, context_tokens):
    """Cache of one sequence over all accelerators, and its values' positions. [B], [1]"""
    positions = decode.kv_positions(context_tokens, net.n_full_layers, net.n_window_layers, net.window_tokens)
    values = net.kv_values * serving.cache_copies(n_accelerators, net.kv_heads)
    return decode.kv_cache_bytes(values, positions, net.kv_bytes, net.state_values, net.state_bytes), positions


def _products(net, unit, constants, n, spread, batch, tokens, attention=0.0):
    """Products of a step with so many tokens, of prompts with their attention: times, bytes and operations.

    A step waits for the busiest accelerator; the work that draws power is that of all.
    """
    bandwidth, reached = unit.bandwidth * constants.reached_bandwidth_share, unit.reached
    n_bytes = net.params_shared * net.shared_bytes
    n_flop = decode.step_flop(tokens, decode.linear_flop(net.params_shared, FLOP_PER_MAC), 0) + attention
    memory, compute = decode.memory_time_s(n_bytes, n, bandwidth), decode.compute_time_s(n_flop, n, reached)
    dense = serving.phase_time_s(memory, compute, constants.overlap)
    if not net.moe:
        return dense, 0.0, memory, compute, compute, n_bytes, n_flop
    share = decode.expert_share(net.n_experts, net.n_experts_per_token, tokens)
    busiest = serving.busiest_share(constants.imbalance, spread, n, net.n_experts, share)

    def flop(some, padding):
        rows = serving.rows_per_expert(some, net.n_experts, net.n_experts_per_token, share)
        return serving.expert_flop(net.params_routed, FLOP_PER_MAC, share, rows, padding)

    expert_bytes = decode.weight_bytes(0, net.params_routed, share, net.shared_bytes, net.routed_bytes)
    expert_memory = busiest * decode.memory_time_s(expert_bytes, n, bandwidth)
    expert_work = (
        decode.compute_time_s(flop(batch, constants.padding_rows), n, unit.expert_peak * constants.expert_flop_share)
        + decode.compute_time_s(flop(tokens - batch, 0), n, unit.expert_peak * constants.expert_prompt_flop_share)
        + decode.compute_time_s(flop(0, net.block_rows), n, unit.block_peak)
    )
    expert = serving.phase_time_s(expert_memory, busiest * expert_work, constants.overlap)
    return (
        dense,
        expert,
        memory + expert_memory,
        compute + busiest * expert_work,
        compute + expert_work,
        n_bytes + expert_bytes,
        n_flop + flop(tokens, 0),
    )


def _any(condition):
    return condition.any() if isinstance(condition, np.ndarray) else bool(condition)


def step(net, unit, constants, n_accelerators, batch, context_tokens, prompt_tokens, output_tokens, spread):
    """Expected time and energy of a step.

    Parameters
    ----------
    net, unit : namespace
        From `network` and `machine`; fields may be arrays. `net.moe` says
        whether there are experts in any of the runs: all or none.
    constants : namespace
        The estimator's constants, by their names in the table of quantities.
    n_accelerators, batch, context_tokens, prompt_tokens, output_tokens : float or array
        The run. `prompt_tokens` of 0 means that nothing is prefilled. [1]
    spread : float or array
        `normal_maximum` of the accelerators over which whole experts are
        spread, 0 when experts are cut. [1]

    Returns
    -------
    step : Step
    """
    n, c = n_accelerators, constants
    tokens, parts, gaps = batch, _products(net, unit, c, n, spread, batch, batch), 0.0
    if _any(prompt_tokens != 0):
        prompts = serving.prompts_per_step(batch, output_tokens)
        share = serving.prompt_step_share(prompts)
        full = serving.mixed_step_tokens(
            batch, prompts, prompt_tokens * (1 + net.recurrent * (c.recurrent_prompt_factor - 1))
        )
        # A token of a prompt sees half of it on average.
        seen = decode.kv_positions(prompt_tokens / 2, net.n_full_layers, net.n_window_layers, net.window_tokens)
        looking = decode.attention_flop(net.n_heads, net.score_width, net.value_width, seen, FLOP_PER_MAC)
        mixed = _products(net, unit, c, n, spread, batch, full, (full - batch) * looking)
        # In an array some runs may have no prompt.
        gaps = minimum(prompt_tokens, 1) * serving.prompt_gaps_s(share, net.n_moe_layers, c.prompt_layer_time_s)
        parts = [serving.average_step(share, plain, other) for plain, other in zip(parts, mixed)]
        tokens = serving.average_step(share, batch, full)
    dense, expert, memory, compute, work, weight_bytes, weight_flop = parts
    kept, positions = cache_bytes(net, n, context_tokens)
    moved = batch * decode.kv_traffic_bytes(kept, net.state_values, net.state_bytes)
    cache = decode.memory_time_s(moved, n, unit.bandwidth * c.reached_bandwidth_share)
    attention = batch * decode.attention_flop(net.n_heads, net.score_width, net.value_width, positions, FLOP_PER_MAC)
    link_bytes, link = 0.0, 0.0
    several = 1.0 * (n > 1)
    if _any(several):
        link_bytes = several * serving.allreduce_bytes(net.n_layers, tokens, net.d_model, ACTIVATION_BYTES)
        link = several * serving.link_time_s(net.n_layers, c.sum_time_s, link_bytes, unit.link)
    overhead = (
        serving.overhead_time_s(
            net.n_layers, c.layer_time_s, batch, c.sequence_time_s, net.block_layers, c.block_scaling_time_s
        )
        + gaps
    )
    time = serving.serving_time_s(dense, expert, cache, link, overhead)
    static = decode.energy_j(serving.board_power_w(n, c.static_tdp_share, unit.tdp), time)
    weights = decode.movement_energy_j(weight_bytes, c.weight_energy_j_per_byte)
    kv = decode.movement_energy_j(moved, c.cache_energy_j_per_byte)
    arithmetic = decode.energy_j(serving.board_power_w(n, c.compute_tdp_share, unit.tdp), work)
    ideal = decode.compute_time_s(weight_flop + attention, n, unit.peak)
    arithmetic = arithmetic + decode.energy_j(serving.board_power_w(n, c.operation_tdp_share, unit.tdp), ideal)
    between = decode.movement_energy_j(n * link_bytes, c.link_energy_j_per_byte)
    total = static + weights + kv + arithmetic + between
    most = decode.energy_j(serving.board_power_w(n, c.plateau_tdp_share, unit.tdp), time)
    energy = minimum(total, most)
    cut = energy / total
    return Step(
        dense,
        expert,
        cache,
        link,
        overhead,
        memory + cache,
        compute,
        time,
        cut * weights,
        cut * kv,
        cut * arithmetic,
        cut * between,
        cut * static,
        total,
        energy,
    )


def _arrays(values):
    for value in values:
        if isinstance(value, SimpleNamespace):
            yield from _arrays(vars(value).values())
        elif isinstance(value, np.ndarray):
            yield value


def _cut(value, axis, index):
    if isinstance(value, SimpleNamespace):
        return SimpleNamespace(**{name: _cut(one, axis, index) for name, one in vars(value).items()})
    if isinstance(value, np.ndarray) and value.ndim >= -axis and value.shape[axis] > 1:
        return value[index]
    return value


def sweep(*run):
    """What `step` returns, for any number of runs: in pieces that stay in cache, on all cores.

    Parameters
    ----------
    run : tuple
        Arguments of `step`; arrays among them, or in its namespaces, are broadcast.

    Returns
    -------
    sweep : Step
        Floats if no argument is an array.
    """
    shape = np.broadcast_shapes(*(array.shape for array in _arrays(run)))
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
