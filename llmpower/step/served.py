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

from llmpower.facts.catalog import PARTS, part_format, records
from llmpower.facts.runs import seen_in_fit
from llmpower.formulas import decode, efficiency, serving
from llmpower.formulas.elementwise import interpolate, maximum, minimum, none, positive
from llmpower.step import metered, work
from llmpower.step.work import FLOP_PER_MAC
from llmpower.trace import by_choice, shared, traced

# What travels between accelerators are activations in 16 bit.
_ACTIVATION_BYTES = 2
# The most accelerators that a page may be asked for.
_MOST = 256
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


# Rates of a machine that a step takes, each by its name in the table of quantities.
RATES = (
    "memory_bandwidth_bytes_per_s", "dense_bf16_flop_per_s", "product_flop_per_s", "link_bytes_per_s", "tdp_w",
)  # fmt: skip
# The machine whose share of the peak in 8 bit stands in where no such product was measured.
_MEASURED = "h100-sxm"


@by_choice
@functools.cache
def machine(accelerator, weight_format):
    """Rates of an accelerator for products in a format, both records; a namespace, whose numbers may become arrays."""
    unit = SimpleNamespace(**{name: accelerator.get(name, math.nan) for name in RATES})
    peak, fp8 = unit.dense_bf16_flop_per_s, accelerator.get("dense_fp8_flop_per_s")
    likely = peak * records("calibration.csv")["set"].dense_flop_share
    unit.product_flop_per_s = accelerator.get("reached_bf16_flop_per_s", likely)
    four = fp8 and accelerator.get("dense_fp4_flop_per_s")
    # The output layer counts as the others do: it is a small part of a large batch.
    dense, experts = (part_format(weight_format, part, True) for part in ("rest", "experts"))
    if dense.products_in == "fp8" and fp8:
        unit.product_flop_per_s = max(unit.product_flop_per_s, _fp8_flop_per_s(accelerator, fp8))
    elif dense.products_in == "fp4" and four:
        reached = four * _fp8_flop_per_s(accelerator, fp8) / fp8
        unit.product_flop_per_s = max(unit.product_flop_per_s, reached)
    # Narrow weights are multiplied as they are where the machine has a path for them, else they are widened; an
    # operation draws what one of twice the width does, which the fitted watts of experts bear out.
    rates = {"fp8": (fp8 or peak, peak), "fp4": (four or peak, fp8 if four else peak)}
    unit.expert_peak, unit.drawing_peak = rates.get(experts.products_in, (peak, peak))
    unit.block_peak = fp8 or peak
    # Of a network without experts all weights count, even in a format for experts.
    unit.unpacking_s, unit.unpacking_draws = unpacking(accelerator, part_format(weight_format, "rest", False))
    unit.expert_unpacking_s, unit.expert_unpacking_draws = unpacking(accelerator, experts)
    unit.cache_unpacking_s = unit.cache_unpacking_draws = 0.0
    return unit


# Rate of the units that multiply weights as they are stored.
PATHS = {"fp8": "dense_fp8_flop_per_s", "int8": "dense_int8_flop_per_s", "fp4": "dense_fp4_flop_per_s"}


def packed(accelerator, number_format):
    """Whether software has to widen weights of a format before a machine can multiply them; both records."""
    return work.packed(number_format) and not accelerator.get(PATHS.get(number_format.products_in))


def unpacked(accelerator, weight_format):
    """Formats in which weights are stored that software has to widen, each once; both records, one may have parts."""
    # Whether a network has experts does not matter: without them their format is that of the rest.
    stored = [part_format(weight_format, part, True) for part in PARTS]
    return [
        one for one in dict.fromkeys([weight_format.get("base", weight_format), *stored]) if packed(accelerator, one)
    ]


def unpacking(accelerator, number_format):
    """Time that a machine takes to widen one weight of a format, and whether it draws more meanwhile. [s], [1]

    Nothing where it need not. No time where the catalog has no rate of its vector units, and no more power where fitted
    watts hold it already.
    """
    if not packed(accelerator, number_format):
        return 0.0, 0.0
    return _unpacking(accelerator, number_format)


@functools.cache
def _unpacking(accelerator, number_format):
    instructions, rate = number_format.get("unpacking_instructions", 0.0), accelerator.get("vector_flop_per_s")
    time = serving.unpacking_time_s(1, instructions, FLOP_PER_MAC, 1, rate) if rate else 0.0
    return time, float(number_format.entity not in seen_in_fit("weight_format", metered=True))


@by_choice
@functools.cache
def cache_unpacking(accelerator, kv_format):
    """The same of a value of a cache, which attention takes in 16 bit, or in 8 where a machine has FP8."""
    if not work.packed(kv_format) or (kv_format.products_in == "fp8" and accelerator.get(PATHS["fp8"])):
        return 0.0, 0.0
    return _unpacking(accelerator, kv_format)[0], 1.0


def _fp8_flop_per_s(accelerator, peak):
    """What large products in 8 bit reach: measured on a board of our own, else its share of the peak. [FLOP/s]"""
    if own := metered.board(accelerator.entity):
        return own.product_flop_per_s["fp8"]
    like = metered.board(_MEASURED).product_flop_per_s["fp8"]
    return peak * like / records("accelerators.csv")[_MEASURED].dense_fp8_flop_per_s


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
    if traced(counts):
        return interpolate(counts, range(1, _MOST + 1), [normal_maximum(count) for count in range(1, _MOST + 1)])
    each, place = np.unique(counts, return_inverse=True)
    return np.array([normal_maximum(int(one)) for one in each])[place].reshape(np.shape(counts))[()]


def _read_s(n_bytes, n, bandwidth, point):
    """Time to read weights, some of them from the memory of the host where they do not fit, and if all did. [s]"""
    if none(point.host_bandwidth_bytes_per_s):
        time = decode.memory_time_s(n_bytes, n, bandwidth)
        return time, time
    resident = efficiency.resident_bytes(n_bytes, point.resident_share)
    others = efficiency.host_bytes(n_bytes, resident)
    time = efficiency.split_time_s(resident, others, n * bandwidth, point.host_bandwidth_bytes_per_s)
    return time, decode.memory_time_s(n_bytes, n, bandwidth)


def _products(net, unit, constants, n, point, decoded, tokens, attention_flop=0.0):
    """Products of a step with so many tokens, some of them decoded, the others of prompts with their attention.

    Times of dense and of expert layers, of memory, of arithmetic and of all arithmetic at work [s]; weights read [B],
    operations [FLOP]; and the time in which packed weights are read and widened [s]. A step waits for the busiest
    accelerator; the work that draws power is that of all. Of reading and widening the shorter hides behind the longer.
    """
    c = constants
    bandwidth = serving.reached_bytes_per_s(c.reached_bandwidth_share, unit.memory_bandwidth_bytes_per_s)
    n_bytes = work.shared_weight_bytes(net)
    n_flop = decode.step_flop(tokens, decode.linear_flop(net.params_shared, FLOP_PER_MAC), 0) + attention_flop
    memory, near = _read_s(n_bytes, n, bandwidth, point)
    compute = decode.compute_time_s(n_flop, n, unit.product_flop_per_s * c.served_flop_share)
    widened, drawn = _widened(memory, near, net.unpacked_shared, unit.unpacking_s, unit.unpacking_draws, n)
    drawn = drawn * net.unpacked_shared / net.params_shared
    dense = serving.phase_time_s(widened, compute, c.overlap)
    if none(net.moe):
        return dense, 0.0, memory, compute + widened - memory, compute, n_bytes, n_flop, drawn
    share = work.expert_share(net, serving.differing_tokens(tokens, c.expert_overlap_share))
    busiest = serving.busiest_share(c.imbalance, point.spread, n, net.n_experts, share)

    def flop(some, padding):
        rows = serving.rows_per_expert(some, net.n_experts, net.n_experts_per_token, share)
        return serving.expert_flop(net.params_routed, FLOP_PER_MAC, share, rows, padding)

    expert_bytes = work.expert_weight_bytes(net, share)
    expert_memory, expert_near = (busiest * one for one in _read_s(expert_bytes, n, bandwidth, point))
    written, prompts = flop(decoded, c.padding_rows), flop(tokens - decoded, 0)
    asked = (written, c.expert_flop_share, prompts, c.expert_prompt_flop_share, n)
    blocks = (flop(0, net.block_rows), unit.block_peak)
    expert_work, drawing = (
        serving.expert_compute_time_s(*asked, rate, *blocks) for rate in (unit.expert_peak, unit.drawing_peak)
    )
    asked = (share * net.unpacked_routed, unit.expert_unpacking_s, unit.expert_unpacking_draws, n)
    widened_too, drawn_too = _widened(expert_memory, expert_near, busiest * asked[0], *asked[1:])
    expert = serving.phase_time_s(widened_too, busiest * expert_work, c.overlap)
    # Beside networks with experts one without is one whose experts have no weights.
    expert = positive(net.params_routed, expert, 0.0)
    slowest, all_work = compute + busiest * expert_work, compute + drawing
    slowest = slowest + (widened - memory) + (widened_too - expert_memory)
    n_bytes, n_flop, drawn = n_bytes + expert_bytes, n_flop + flop(tokens, 0), drawn + drawn_too / busiest
    return dense, expert, memory + expert_memory, slowest, all_work, n_bytes, n_flop, drawn


def _widened(memory_s, near_s, packed_values, unpacking_s, unpacking_draws, n):
    """Time to read weights and to widen them, and how much of it draws more than reading. [s]

    near_s: time to read them if none waited in the memory of the host, where nothing is widened.
    unpacking_s: of a value on one of n accelerators.
    """
    if none(unpacking_s) and none(unpacking_draws):
        return memory_s, 0.0
    widening_s = packed_values * unpacking_s / n
    return maximum(memory_s, widening_s), unpacking_draws * maximum(near_s, widening_s)


def links(net, unit, constants, n, tokens, point):
    """Bytes that each of n accelerators sends in a step of so many tokens, and the time of the exchanges. [B], [s]

    point: the operating point, of `point.point`.
    """
    several = positive(n * point.stages - 1, 1.0, 0.0)
    if none(several):
        return 0.0, 0.0
    if point.parallelism == "dp":
        asked = (net.n_moe_layers, tokens, net.d_model, _ACTIVATION_BYTES, net.n_experts_per_token, n)
        n_bytes, exchanges = serving.dispatch_bytes(*asked), 2 * net.n_moe_layers
    elif point.parallelism == "pp":
        exchanges = point.stages - 1
        n_bytes = exchanges * tokens * net.d_model * _ACTIVATION_BYTES
    else:
        n_bytes = several * serving.allreduce_bytes(net.n_layers, tokens, net.d_model, _ACTIVATION_BYTES)
        exchanges = 2 * net.n_layers
    away = n_bytes * point.between_share
    inside = n_bytes - away if point.parallelism in ("dp", "pp") else point.inside_share * n_bytes
    rates = (inside, unit.link_bytes_per_s, away, point.network_bytes_per_s)
    return n_bytes, positive(several, serving.link_time_s(exchanges, constants.sum_time_s, *rates), 0.0)


def _without_experts(net):
    """The network with the weights alone that every token uses."""
    return SimpleNamespace(**{**vars(net), "moe": False})


def prompt_work_tokens(net, constants, prompt_tokens):
    """Tokens that a prompt counts as in the limit of a step: recurrent layers take theirs one after the other. [1]"""
    return prompt_tokens * (1 + net.recurrent * (constants.recurrent_prompt_factor - 1))


def _with_prompts(net, unit, constants, n, point, tokens, begun, prompt_tokens):
    """Products and tokens of a mean step in which some prompts begin, and the gaps they cause. [s]"""
    longer = prompt_work_tokens(net, constants, prompt_tokens)
    passes = serving.prompt_passes(longer, tokens, point.max_step_tokens)
    share = serving.prompt_step_share(begun, passes)
    full = serving.mixed_step_tokens(tokens, begun, passes, longer)
    # A token of a prompt sees half of it on average.
    looking = work.attention_flop(net, work.positions(net, prompt_tokens / 2))
    plain = _products(net, unit, constants, n, point, tokens, tokens)
    mixed = _products(net, unit, constants, n, point, tokens, full, (full - tokens) * looking)
    # In an array some runs may have no prompt.
    gaps = minimum(prompt_tokens, 1) * serving.prompt_gaps_s(share, net.n_moe_layers, constants.prompt_layer_time_s)
    parts = [serving.average_step(share, one, other) for one, other in zip(plain, mixed)]
    return parts, serving.average_step(share, tokens, full), gaps


@shared
def step(net, unit, constants, n_accelerators, batch, context_tokens, prompt_tokens, output_tokens, point):
    """Expected time and energy of a step, as a `Step`; every argument may hold arrays.

    net, unit: from `work.network` and `machine`; `net.moe` says whether all of the runs have experts, or none.
    constants: those of `constants.for_machine`, or any with their names.
    prompt_tokens: 0 means that nothing is prefilled.
    point: the operating point, of `point.point`.

    With layers cut over accelerators as many groups of sequences are under way as there are stages, each of which
    takes its turn on all of them; a step is then a round of all groups.
    """
    c, n = constants, n_accelerators / point.stages
    groups = minimum(point.stages, batch)
    batch = batch / groups
    tokens = serving.tokens_tried(batch, point.draft_tokens)
    begun = serving.prompts_per_step(serving.tokens_written(batch, point.accepted_tokens), output_tokens)
    if not none(prompt_tokens):
        parts, all_tokens, gaps = _with_prompts(net, unit, c, n, point, tokens, begun, prompt_tokens)
    else:
        parts, all_tokens, gaps = _products(net, unit, c, n, point, tokens, tokens), tokens, 0.0
    dense, expert, memory, compute, busy, weight_bytes, weight_flop, unpacking_s = parts
    seen = work.positions(net, context_tokens)
    cache = work.cache_traffic_bytes(net, work.cache_bytes(net, n, seen))
    bandwidth = serving.reached_bytes_per_s(c.reached_bandwidth_share, unit.memory_bandwidth_bytes_per_s)
    cache_time = cache_read = serving.cache_time_s(batch, cache, n, bandwidth)
    if not (none(unit.cache_unpacking_s) and none(unit.cache_unpacking_draws)):
        # Attention widens values between its products, so that little of it hides behind reading.
        values = batch * seen * net.kv_values * serving.cache_copies(n, net.kv_heads)
        cache_time = cache_read + values * unit.cache_unpacking_s / n
        unpacking_s = unpacking_s + unit.cache_unpacking_draws * cache_time
        compute = compute + cache_time - cache_read
    attention = tokens * work.attention_flop(net, seen)
    if point.parallelism == "dp":
        # Answers without an end have no length that contexts could grow to.
        uneven = serving.length_spread(0.0 if output_tokens is math.inf else output_tokens, maximum(context_tokens, 1))
        queue = serving.busiest_queue(point.queue_spread, uneven, n, batch)
        dense, cache_time, cache_read = queue * dense, queue * cache_time, queue * cache_read
    link_bytes, link_time = links(net, unit, c, n, all_tokens, point)
    overhead = serving.overhead_time_s(net.n_layers, c.layer_time_s, net.block_layers, c.block_scaling_time_s, gaps)
    drafts = serving.drafting_share(point.draft_tokens, net.n_layers, net.params_head, net.params_shared)
    if not none(drafts):
        drafted = _products(_without_experts(net), unit, c, n, point, batch, batch)
        dense, memory, compute, busy, weight_bytes, weight_flop, unpacking_s = (
            one + drafts * drafted[place]
            for one, place in zip(
                (dense, memory, compute, busy, weight_bytes, weight_flop, unpacking_s), (0, 2, 3, 4, 5, 6, 7)
            )
        )
    overhead = overhead + point.draft_tokens * c.layer_time_s
    device = serving.device_time_s(dense, expert, cache_time, link_time, overhead)
    host = serving.host_time_s(c.host_step_time_s, net.n_layers, c.host_layer_time_s)
    time = serving.serving_time_s(device, groups * host, batch / point.queues, c.sequence_time_s)

    boards = n_accelerators
    ideal = decode.compute_time_s(weight_flop + attention, n, unit.dense_bf16_flop_per_s)
    asked = (c.static_tdp_share, time, c.waiting_tdp_share, device)
    arithmetic = (c.compute_tdp_share, busy, c.operation_tdp_share, ideal)
    worked = (
        decode.movement_energy_j(weight_bytes, c.weight_energy_j_per_byte),
        decode.movement_energy_j(batch * cache, c.cache_energy_j_per_byte),
        serving.arithmetic_energy_j(n, unit.tdp_w, *arithmetic)
        + serving.unpacking_energy_j(n, unit.tdp_w, c.unpacking_tdp_share, unpacking_s),
        decode.movement_energy_j(n * link_bytes, c.link_energy_j_per_byte),
    )
    energies = (*(groups * one for one in worked), serving.static_energy_j(boards, unit.tdp_w, *asked))
    total = serving.uncapped_energy_j(energies[-1], *energies[:-1])
    energy = serving.serving_energy_j(total, boards, c.plateau_tdp_share, unit.tdp_w, time)
    cut = energy / total
    kept = [cut * one for one in energies]
    parts = (dense, expert, cache_time, link_time, time - dense - expert - cache_time - link_time)
    return Step(*parts, memory + cache_read, compute, time, *kept, total, energy)


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
