"""Where the watts of one NVIDIA board go: ``python benchmarks/power_runs.py --help``.

The board's own energy counter is read while the board does one thing only: nothing, arithmetic without traffic,
traffic without arithmetic, matrix products, steps of a network.  Differences between points say what each part costs.
No setting of the board is changed.  PyTorch, Triton and NVML are imported when a run begins, not with this module.
"""

from __future__ import annotations

import argparse
import collections
import contextlib
import csv
import dataclasses
import datetime
import functools
import gc
import importlib
import itertools
import math
import operator
import os
import pathlib
import re
import statistics
import sys
import threading
import time
import typing

COLUMNS = (
    "id board accelerator date driver software kind what weight_format batch context_tokens repeat_rest programs "
    "power_w power_se_w counter_changes memory_power_w sm_clock_mhz memory_clock_mhz temperature_c throttled "
    "memory_bytes_per_s l2_bytes_per_s flop_per_s steps_per_s tokens_per_s j_per_token weight_bytes_per_step "
    "experts_touched_per_layer"
).split()
_DIGITS = {
    "power_w": ".2f", "power_se_w": ".2f", "memory_power_w": ".1f", "memory_bytes_per_s": ".5g",
    "l2_bytes_per_s": ".5g", "flop_per_s": ".5g", "steps_per_s": ".5g", "tokens_per_s": ".6g", "j_per_token": ".5g",
    "weight_bytes_per_step": ".6g", "experts_touched_per_layer": ".4g",
}  # fmt: skip

# What `load` fills in.  On a machine without a board the kernels are checked on the processor, in fp16.
torch = functional = triton = tl = None
device = dtype = None


class Missing(Exception):
    """Something that a run needs is not there; the message says what, and what to do."""


class OutOfTime(Exception):
    """The total of seconds is used up; the message is the point that was next."""


# The measuring core: pure, so that it is tested without a board.


def slope(samples):
    """Watts and their standard error: a straight line by least squares through (seconds, millijoules)."""
    count = len(samples)
    mean_s = sum(second for second, _ in samples) / count
    mean_mj = sum(energy for _, energy in samples) / count
    around = [(second - mean_s, energy - mean_mj) for second, energy in samples]
    spread = sum(second**2 for second, _ in around)
    mj_per_s = sum(second * energy for second, energy in around) / spread
    residue = sum((energy - mj_per_s * second) ** 2 for second, energy in around)
    error = math.sqrt(residue / max(1, count - 2) / spread)
    return mj_per_s / 1000, error / 1000


def rate(finished, begin, end):
    """Rounds a second from (seconds, rounds so far) of the units that ended in this time; None if fewer than two."""
    inside = [(second, rounds) for second, rounds in finished if begin <= second <= end]
    if len(inside) < 2:
        return None
    return (inside[-1][1] - inside[0][1]) / (inside[-1][0] - inside[0][0])


def cut(seconds, pieces, goal=0.010, longest=0.040):
    """How a round of so many seconds and pieces is queued: (rounds in a unit, units in a round), one of them 1.

    A unit below 2 ms would leave the board waiting for the host; one above 40 ms would be counted too coarsely.
    """
    if seconds < goal:
        return math.ceil(goal / seconds), 1
    if seconds <= longest:
        return 1, 1
    return 1, min(pieces, math.ceil(2 * seconds / longest))


def shares(pieces, units):
    """The pieces in so many groups, as even as can be, in their order."""
    bounds = [len(pieces) * number // units for number in range(units + 1)]
    return [pieces[begin:end] for begin, end in itertools.pairwise(bounds)]


# Bits of NVML's reasons for lower clocks: its power cap, a slowdown by the hardware, the brake of the power supply.
_POWER_REASONS = 0x4 | 0x8 | 0x80


def state_columns(states):
    """Clocks, temperature and memory watts as the medians of what the board told, and whether power held it back."""
    columns = {}
    for name in ("memory_power_w", "sm_clock_mhz", "memory_clock_mhz", "temperature_c"):
        told = [state[name] for state in states if state[name] is not None]
        columns[name] = statistics.median_low(told) if told else None
    reasons = [state["reasons"] for state in states if state["reasons"] is not None]
    if reasons:
        columns["throttled"] = "yes" if any(one & _POWER_REASONS for one in reasons) else "no"
    return columns


class Meter:
    """Keeps the reading of an energy counter each time it has moved: between two moves it says nothing new.

    `counter` gives millijoules and `clock` seconds.  When the first value came nobody knows, so it is not kept.
    """

    def __init__(self, counter, clock=time.perf_counter):
        self.samples = []
        self._counter, self._clock, self._former = counter, clock, None

    def look(self):
        """Read the counter once."""
        energy = self._counter()
        now = self._clock()
        if self._former not in (None, energy):
            self.samples.append((now, energy))
        self._former = energy

    def forget(self):
        """Take the next reading for the first one, whose time nobody knows."""
        self._former = None


class Table:
    """The CSV file; a row is on the disk as soon as it is added."""

    def __init__(self, path, prefix):
        self.path, self.prefix, self.rows = pathlib.Path(path), prefix, 0

    def add(self, row):
        """Append a row; the first one makes the file, and fails where there is one."""
        texts = {name: format(value, _DIGITS.get(name, "")) for name, value in row.items() if value is not None}
        texts["id"] = f"{self.prefix}-{self.rows:02d}"
        with self.path.open("a" if self.rows else "x", encoding="utf-8", newline="") as file:
            writer = csv.DictWriter(file, COLUMNS, lineterminator="\n")
            if not self.rows:
                writer.writeheader()
            writer.writerow(texts)
            file.flush()
            os.fsync(file.fileno())
        self.rows += 1


# The board, as NVML tells it.


class Board:
    """The board that CUDA calls 0: its name, its counter, its clocks."""

    def __init__(self, nvml):
        self._nvml = nvml
        nvml.nvmlInit()
        which = visible(os.environ)
        by = nvml.nvmlDeviceGetHandleByIndex if isinstance(which, int) else nvml.nvmlDeviceGetHandleByUUID
        self._handle = by(which)
        self.name = str(nvml.nvmlDeviceGetName(self._handle))
        self.driver = str(nvml.nvmlSystemGetDriverVersion())

    def energy_mj(self):
        """Energy since the driver was loaded. [mJ]"""
        return self._nvml.nvmlDeviceGetTotalEnergyConsumption(self._handle)

    def state(self):
        """What it tells of itself now; None for what this board, driver or package does not tell."""
        reasons = self._ask("nvmlDeviceGetCurrentClocksEventReasons")
        if reasons is None:  # The name of older drivers.
            reasons = self._ask("nvmlDeviceGetCurrentClocksThrottleReasons")
        return {
            "sm_clock_mhz": self._ask("nvmlDeviceGetClockInfo", 1),
            "memory_clock_mhz": self._ask("nvmlDeviceGetClockInfo", 2),
            "temperature_c": self._ask("nvmlDeviceGetTemperature", 0),
            "memory_power_w": self._memory_power_w(),
            "reasons": reasons,
        }

    def _memory_power_w(self):
        # Field 185 is the mean power of the last second, scope 2 the memory's part of it.
        fields = self._ask("nvmlDeviceGetFieldValues", [(185, 2)])
        if not fields or fields[0].nvmlReturn:
            return None
        return fields[0].value.uiVal / 1000

    def _ask(self, name, *given):
        try:
            return getattr(self._nvml, name)(self._handle, *given)
        except (AttributeError, self._nvml.NVMLError):
            return None


def visible(environment):
    """Index or name of the board that CUDA calls 0 when boards are numbered as NVML numbers them."""
    first = environment.get("CUDA_VISIBLE_DEVICES", "0").split(",")[0].strip()
    return int(first) if first.isdigit() else first


class Watch(threading.Thread):
    """Reads counter and state in the background, so that work which holds up the host holds up no reading."""

    def __init__(self, board):
        super().__init__(daemon=True)
        self.meter, self.states = Meter(board.energy_mj), []
        self._board, self._over = board, threading.Event()

    def run(self):
        """Look every 2 ms, since a counter moves every 20 to 100, and ask for the state four times a second."""
        due = time.perf_counter()
        while not self._over.wait(0.002):
            self.meter.look()
            if time.perf_counter() >= due:
                self.states.append(self._board.state())
                due += 0.25

    def end(self):
        """Stop reading."""
        self._over.set()
        if self.is_alive():
            self.join()


class Ends:
    """Reads the counter when it moves at the begin and at the end of a time, and in between not at all.

    Reading takes some milliseconds of a host, and here the host is what is measured.  The board stands still while the
    end is awaited, a tenth of a second at most.
    """

    def __init__(self, board):
        self.meter, self.states, self.ident = Meter(board.energy_mj), [], None
        self._board = board

    def start(self):
        """Wait for a move of the counter."""
        self._await()
        self.ident = 1

    def end(self):
        """Wait for another one, and ask once for the state."""
        if self.ident == 1:
            self._await()
            self.states.append(self._board.state())
            self.ident = 2

    def _await(self, longest_s=1.0):
        self.meter.forget()
        had, begun = len(self.meter.samples), time.perf_counter()
        while len(self.meter.samples) == had and time.perf_counter() - begun < longest_s:
            self.meter.look()


class Window:
    """The time of one point.  The work asks it whether to go on; reading begins when the warm-up is over."""

    def __init__(self, watch, warm_s, seconds):
        self.watch, self.finished, self._rounds = watch, [], 0.0
        self._warm_s, self._seconds, self._begin = warm_s, seconds, None

    def goes_on(self):
        """Whether more work is wanted."""
        now = time.perf_counter()
        if self._begin is None:
            self._begin = now + self._warm_s
        if now < self._begin:
            return True
        if not self.watch.ident:
            self.watch.start()
            self._begin = now = time.perf_counter()
        if now < self._begin + self._seconds:
            return True
        self.watch.end()
        return False

    def done(self, rounds):
        """So many more rounds of the work are finished."""
        self._rounds += rounds
        self.finished.append((time.perf_counter(), self._rounds))


class Bench:
    """Measures points of one board and writes them down."""

    def __init__(self, board, table, fixed, seconds, limit_s):
        self.board, self.table, self.fixed, self.seconds = board, table, fixed, seconds
        self._begun, self._limit_s = time.perf_counter(), limit_s

    def point(self, kind, what, work, per_round=None, warm_s=0.8, seconds=None, watch=Watch, **columns):
        """Measure `work`, pieces of a round to be queued or a function of a window; a round does `per_round`."""
        if time.perf_counter() - self._begun > self._limit_s:
            raise OutOfTime(what)
        window = Window(watch(self.board), warm_s, seconds or self.seconds)
        work = work if callable(work) else queued(work)
        try:
            more = work(window) or {}
        finally:
            window.watch.end()
        samples, states = window.watch.meter.samples, window.watch.states
        rounds_per_s = rate(window.finished, samples[0][0], samples[-1][0]) if samples else None
        if len(samples) < (2 if watch is Ends else 5) or (per_round and not rounds_per_s):
            told = f"the energy counter moved {len(samples)} times, and {len(window.finished)} units of work ended"
            print(f"{what}: left out, {told}; ask for more --seconds", flush=True)
            return
        rates = {name: amount * rounds_per_s for name, amount in (per_round or {}).items()}
        row = {**self.fixed, "kind": kind, "what": what, **columns, **more, **state_columns(states)}
        row["power_w"], error = slope(samples)
        row["power_se_w"] = max(0.01, error)  # The least that its digits tell.
        row["counter_changes"] = len(samples)
        if watch is Ends:  # Two readings tell no error.
            del row["power_se_w"], row["counter_changes"]
        row |= {name: value for name, value in rates.items() if name in COLUMNS}
        if "tokens_per_s" in rates:
            row["j_per_token"] = row["power_w"] / rates["tokens_per_s"]
        self.table.add(row)
        self._tell(row, rates)

    def _tell(self, row, rates):
        told = [f"{time.perf_counter() - self._begun:5.0f} s  {row['what']:50}  {row['power_w']:6.1f} W"]
        told += [f"+- {row.get('power_se_w', math.nan):.1f}, {row['sm_clock_mhz']} MHz, {row['temperature_c']} C"]
        told += [f"{name} {value:.4g}" for name, value in rates.items()]
        told += [f"j_per_token {row['j_per_token']:.4g}"] if "j_per_token" in row else []
        told += ["throttled"] if row.get("throttled") == "yes" else []
        print("  ".join(told), flush=True)


# Work for the board.


def nothing(window):
    """The work of an idle board."""
    while window.goes_on():
        time.sleep(0.004)


def queued(pieces):
    """Work that keeps eight units of the pieces queued, so that the board never waits for the host."""
    units = queueable(pieces)

    def work(window):
        waiting, following = collections.deque(), itertools.cycle(units)
        while window.goes_on():
            while len(waiting) < 8:
                graph, rounds = next(following)
                graph.replay()
                mark = torch.cuda.Event()
                mark.record()
                waiting.append((mark, rounds))
            while waiting and waiting[0][0].query():
                window.done(waiting.popleft()[1])
            time.sleep(0.001)
        torch.cuda.synchronize()

    return work


def queueable(pieces):
    """Graphs of 2 to 40 ms which run the pieces when they are replayed in turn, each with its part of a round.

    They share one pool of memory: a piece may read what the graph before has left there.
    """
    stream = torch.cuda.Stream()
    stream.wait_stream(torch.cuda.current_stream())
    with torch.cuda.stream(stream):
        for piece in pieces:
            piece()
    torch.cuda.synchronize()
    pool = torch.cuda.graph_pool_handle()
    whole = captured(pieces, pool)
    rounds, units = cut(timed(whole.replay), len(pieces))
    if units > 1:
        return [(captured(part, pool), len(part) / len(pieces)) for part in shares(pieces, units)]
    return [(captured(pieces * rounds, pool) if rounds > 1 else whole, rounds)]


def captured(pieces, pool):
    """One graph of the pieces."""
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph, pool=pool):
        for piece in pieces:
            piece()
    return graph


def timed(work):
    """Seconds that the board takes for it, the least of three."""
    found = []
    for _ in range(3):
        begin, end = (torch.cuda.Event(enable_timing=True) for _ in range(2))
        begin.record()
        work()
        end.record()
        torch.cuda.synchronize()
        found.append(begin.elapsed_time(end) / 1000)
    return min(found)


def rest(seconds):
    """A piece in which one thread waits so long and all else of the board stands still."""
    some = 20_000_000
    cycles = int(seconds * some / timed(lambda: torch.cuda._sleep(some)))
    return lambda: torch.cuda._sleep(cycles)


def processors():
    """Number of multiprocessors; the processor of the host counts as two."""
    return torch.cuda.get_device_properties(0).multi_processor_count if device == "cuda" else 2


def random(*shape, deviation=1.0):
    """Normal random numbers, as weights and activations look."""
    return torch.randn(*shape, device=device, dtype=dtype).mul_(deviation)


# Kernels.


class Kernel:
    """A function in the language of Triton, which is handed to it at the first launch."""

    def __init__(self, function):
        self._function = function

    def __getitem__(self, grid):
        return self._compiled[grid]

    @functools.cached_property
    def _compiled(self):
        return triton.jit(self._function)


@Kernel
def read_kernel(data, out, words, programs, BLOCK: tl.constexpr, ROUNDS: tl.constexpr):
    """Each program reads its share of the words, past the first-level cache, and leaves their exclusive or."""
    program = tl.program_id(0)
    lane = tl.arange(0, BLOCK)
    found = tl.zeros([BLOCK], tl.int32)
    for _ in range(ROUNDS):
        for begin in range(program * BLOCK, words, programs * BLOCK):
            found ^= tl.load(data + begin + lane, cache_modifier=".cg")
    tl.atomic_xor(out + program, tl.xor_sum(found, 0))


@Kernel
def count_kernel(out, times, BLOCK: tl.constexpr):
    """Each lane multiplies and adds an integer so many times, without any traffic."""
    lane = tl.program_id(0) * BLOCK + tl.arange(0, BLOCK)
    value = lane
    for _ in range(times):
        value = value * 1664525 + 1013904223
    tl.store(out + lane, value)


@Kernel
def norm_kernel(x, residual, weights, out, width, BLOCK: tl.constexpr):
    """Adds a row to its residual, in place, and writes the sum divided by its root mean square."""
    lane = tl.arange(0, BLOCK)
    inside = lane < width
    at = tl.program_id(0) * width + lane
    total = tl.load(x + at, mask=inside, other=0.0).to(tl.float32)
    total += tl.load(residual + at, mask=inside, other=0.0).to(tl.float32)
    tl.store(residual + at, total.to(residual.dtype.element_ty), mask=inside)
    scale = tl.rsqrt(tl.sum(total * total) / width + 1e-5)
    scaled = total * scale * tl.load(weights + lane, mask=inside, other=0.0).to(tl.float32)
    tl.store(out + at, scaled.to(out.dtype.element_ty), mask=inside)


@Kernel
def silu_kernel(both, out, inner, BLOCK: tl.constexpr):
    """SiLU of a row's first half times its second half."""
    row = tl.program_id(0)
    lane = tl.program_id(1) * BLOCK + tl.arange(0, BLOCK)
    inside = lane < inner
    gate = tl.load(both + row * 2 * inner + lane, mask=inside, other=0.0).to(tl.float32)
    value = tl.load(both + row * 2 * inner + inner + lane, mask=inside, other=0.0).to(tl.float32)
    result = gate / (1 + tl.exp(-gate)) * value
    tl.store(out + row * inner + lane, result.to(out.dtype.element_ty), mask=inside)


@Kernel
def attention_kernel(
    queries, keys, values, part, weight, context, splits, scale, GROUP: tl.constexpr, HEAD: tl.constexpr,
    BLOCK: tl.constexpr,
):  # fmt: skip
    """Attention of one new token to one split of the context, for the group of heads that share a key head.

    A group is padded to 16 rows, the least that a product takes.  `weight` is the logarithm of the sum of exponentials,
    with which `join_kernel` weighs the splits.
    """
    sequence = tl.program_id(0)
    split = tl.program_id(1)
    column = tl.arange(0, HEAD)
    head = tl.arange(0, 16)
    token = tl.arange(0, BLOCK)
    query_at = (sequence * GROUP + head)[:, None] * HEAD + column[None, :]
    query = tl.load(queries + query_at, mask=(head < GROUP)[:, None], other=0.0)
    largest = tl.full([16], -1e30, tl.float32)
    total = tl.zeros([16], tl.float32)
    found = tl.zeros([16, HEAD], tl.float32)
    share = tl.cdiv(tl.cdiv(context, BLOCK), splits) * BLOCK
    base = sequence.to(tl.int64) * context * HEAD
    for begin in range(split * share, tl.minimum((split + 1) * share, context), BLOCK):
        inside = begin + token < context
        at = base + (begin + token)[:, None] * HEAD + column[None, :]
        key = tl.load(keys + at, mask=inside[:, None], other=0.0)
        value = tl.load(values + at, mask=inside[:, None], other=0.0)
        score = tl.where(inside[None, :], tl.dot(query, tl.trans(key)) * scale, -1e30)
        higher = tl.maximum(largest, tl.max(score, 1))
        chance = tl.exp(score - higher[:, None])
        former = tl.exp(largest - higher)
        total = total * former + tl.sum(chance, 1)
        found = found * former[:, None] + tl.dot(chance.to(value.dtype), value)
        largest = higher
    total = tl.maximum(total, 1e-30)
    row = (sequence * splits + split) * 16 + head
    tl.store(part + row[:, None] * HEAD + column[None, :], found / total[:, None])
    tl.store(weight + row, largest + tl.log(total))


@Kernel
def join_kernel(part, weight, out, splits, GROUP: tl.constexpr, HEAD: tl.constexpr):
    """Weighted mean of the splits of `attention_kernel`."""
    sequence = tl.program_id(0)
    head = tl.arange(0, 16)
    column = tl.arange(0, HEAD)
    largest = tl.full([16], -1e30, tl.float32)
    for split in range(splits):
        largest = tl.maximum(largest, tl.load(weight + (sequence * splits + split) * 16 + head))
    total = tl.zeros([16], tl.float32)
    found = tl.zeros([16, HEAD], tl.float32)
    for split in range(splits):
        row = (sequence * splits + split) * 16 + head
        chance = tl.exp(tl.load(weight + row) - largest)
        total += chance
        found += chance[:, None] * tl.load(part + row[:, None] * HEAD + column[None, :])
    at = (sequence * GROUP + head)[:, None] * HEAD + column[None, :]
    tl.store(out + at, (found / total[:, None]).to(out.dtype.element_ty), mask=(head < GROUP)[:, None])


# Networks.


@dataclasses.dataclass(frozen=True)
class Shape:
    """Sizes of a decoder; `experts` is 0 where every token uses all weights."""

    layers: int
    width: int
    heads: int
    key_heads: int
    head: int
    inner: int
    vocabulary: int
    experts: int = 0
    chosen: int = 1

    @property
    def attention_weights(self):
        """Weights of all attention layers."""
        return self.layers * self.width * self.head * (2 * self.heads + 2 * self.key_heads)

    @property
    def inner_weights(self):
        """Weights of one feed-forward layer, or of one expert in it."""
        return 3 * self.inner * self.width

    @property
    def layer_weights(self):
        """Weights that one token uses in all layers."""
        return self.attention_weights + self.layers * self.chosen * self.inner_weights

    @property
    def output_weights(self):
        """Weights of the output layer."""
        return self.vocabulary * self.width

    @property
    def cache_bytes(self):
        """Keys and values of one token, in bf16. [B]"""
        return 2 * self.layers * self.key_heads * self.head * 2

    def decode_flop(self, batch, context):
        """Operations of a decode step."""
        attention = 4 * self.layers * self.heads * self.head * batch * context
        return 2 * (self.layer_weights + self.output_weights) * batch + attention

    def prompt_flop(self, batch, context):
        """Operations of a prompt without its output layer; a token attends to half the context on average."""
        attention = 2 * self.layers * self.heads * self.head * batch * context**2
        return 2 * self.layer_weights * batch * context + attention


LLAMA_8B = Shape(32, 4096, 32, 8, 128, 14336, 128256)
QWEN_1_7B = Shape(28, 2048, 16, 8, 128, 6144, 151936)
QWEN_30B = Shape(48, 2048, 32, 4, 128, 768, 151936, experts=128, chosen=8)


class Product:
    """Rows times random weights, in bf16."""

    bytes_per_weight = 2.0

    def __init__(self, outputs, inputs):
        self.weights = random(outputs, inputs, deviation=0.02)

    def __call__(self, x):
        return x @ self.weights.t()


class ProductFp8:
    """The same in e4m3 on both sides, with one scale; a deviation of 0.3 spreads the codes as a scaled matrix would."""

    bytes_per_weight = 1.0

    def __init__(self, outputs, inputs):
        self.weights = random(outputs, inputs, deviation=0.3).to(torch.float8_e4m3fn)
        self.one = torch.ones((), device=device)

    def __call__(self, x):
        return fp8_product(x.to(torch.float8_e4m3fn), self.weights, self.one)


def fp8_product(left, right, one):
    """Product of two matrices in e4m3, in bf16."""
    return torch._scaled_mm(left, right.t(), scale_a=one, scale_b=one, out_dtype=dtype)


class ProductInt4:
    """Weights in groups of 128 codes of 4 bits with a scale and a zero in bf16, by PyTorch's own kernel."""

    bytes_per_weight = 0.5 + 4 / 128

    def __init__(self, outputs, inputs):
        codes = torch.randint(0, 256, (outputs, inputs // 2), device=device, dtype=torch.uint8)
        self.weights = torch.ops.aten._convert_weight_to_int4pack(codes, 8)
        self.scales = torch.zeros(inputs // 128, outputs, 2, device=device, dtype=dtype)
        self.scales[..., 0] = 0.003

    def __call__(self, x):
        return torch.ops.aten._weight_int4pack_mm(x, self.weights, 128, self.scales)


class Network:
    """A decoder with random weights: no rotary embedding, no sampling but the largest output, no host in between."""

    def __init__(self, shape, product=Product):
        self.shape, layers = shape, range(shape.layers)
        heads = shape.heads + 2 * shape.key_heads
        self.qkv = [product(heads * shape.head, shape.width) for _ in layers]
        self.joined = [product(shape.width, shape.heads * shape.head) for _ in layers]
        self.output = Product(shape.vocabulary, shape.width)
        self.ones = torch.ones(shape.width, device=device, dtype=dtype)
        self.weight_bytes = product.bytes_per_weight * shape.layer_weights + 2 * shape.output_weights
        self.add_inner(product)

    def add_inner(self, product):
        """The weights of the feed-forward layers."""
        layers = range(self.shape.layers)
        self.widen = [product(2 * self.shape.inner, self.shape.width) for _ in layers]
        self.narrow = [product(self.shape.width, self.shape.inner) for _ in layers]

    def begin(self, batch, context):
        """Make the cache of a batch, and the rows that its steps fill again and again."""
        shape = self.shape
        self.batch, self.context, pairs = batch, context, batch * shape.key_heads
        self.keys = [random(pairs, context, shape.head) for _ in range(shape.layers)]
        self.values = [random(pairs, context, shape.head) for _ in range(shape.layers)]
        # Enough programs to fill the board twice, each with at least 128 tokens.
        self.splits = max(1, min(64, math.ceil(2 * processors() / pairs), context // 128))
        self.part = torch.empty(pairs * self.splits * 16, shape.head, device=device)
        self.part_weight = torch.empty(pairs * self.splits * 16, device=device)
        self.first = random(batch, shape.width)
        self.residual, self.normed = torch.zeros_like(self.first), torch.empty_like(self.first)
        self.attended = random(batch, shape.heads * shape.head)

    def step(self):
        """The pieces of a decode step: a layer each, and the output layer."""
        layers = [functools.partial(self._layer, number) for number in range(self.shape.layers)]
        return [*layers, self._finish]

    def _layer(self, number):
        if not number:
            self.residual.zero_()
            self.x = self.first
        attended = self.attend(number, self.qkv[number](self.norm(self.x)))
        self.x = self.feed_forward(number, self.norm(self.joined[number](attended)))

    def _finish(self):
        self.chosen = self.output(self.norm(self.x)).argmax(-1)

    def norm(self, x):
        """Add rows to the residual and return them normed."""
        block = triton.next_power_of_2(self.shape.width)
        norm_kernel[(self.batch,)](x, self.residual, self.ones, self.normed, self.shape.width, block)
        return self.normed

    def attend(self, number, qkv):
        """Put the new key and value at the end of the cache, and attend to all of it."""
        shape, grid = self.shape, self.batch * self.shape.key_heads
        group, scale = shape.heads // shape.key_heads, shape.head**-0.5
        queries = qkv[:, : shape.heads * shape.head].contiguous()
        new = qkv[:, shape.heads * shape.head :].reshape(self.batch, 2, shape.key_heads, shape.head)
        keys, values = self.keys[number], self.values[number]
        for cache, one in ((keys, 0), (values, 1)):
            cache.view(self.batch, shape.key_heads, self.context, shape.head)[:, :, -1] = new[:, one]
        attention_kernel[(grid, self.splits)](
            queries, keys, values, self.part, self.part_weight, self.context, self.splits, scale, group, shape.head, 64
        )
        join_kernel[(grid,)](self.part, self.part_weight, self.attended, self.splits, group, shape.head)
        return self.attended

    def feed_forward(self, number, x):
        """What follows attention in a layer."""
        return self.narrow[number](silu(self.widen[number](x)))

    def prompt(self, batch, context):
        """The pieces of a prompt: a layer each, without the output layer."""
        self.first = random(batch * context, self.shape.width)
        return [functools.partial(self._prompt_layer, number, batch) for number in range(self.shape.layers)]

    def _prompt_layer(self, number, batch):
        x, shape = self.x if number else self.first, self.shape
        heads = self.qkv[number](functional.rms_norm(x, (shape.width,), eps=1e-5)).view(
            batch, len(x) // batch, -1, shape.head
        )
        queries, keys, values = heads.transpose(1, 2).split([shape.heads, shape.key_heads, shape.key_heads], 1)
        attended = functional.scaled_dot_product_attention(queries, keys, values, is_causal=True, enable_gqa=True)
        x = x + self.joined[number](attended.transpose(1, 2).reshape(len(x), -1))
        self.x = x + self.feed_forward(number, functional.rms_norm(x, (shape.width,), eps=1e-5))


def silu(both):
    """SiLU of the first half of each row times the second half."""
    rows, inner = both.shape[0], both.shape[1] // 2
    out = torch.empty(rows, inner, device=device, dtype=dtype)
    silu_kernel[(rows, triton.cdiv(inner, 1024))](both, out, inner, 1024)
    return out


class Mixture(Network):
    """A network of experts; for each batch the routing is drawn once, uniform and independent."""

    def add_inner(self, product):
        """The weights of all experts."""
        shape = self.shape
        layers = range(shape.layers)
        self.widen = [random(shape.experts, 2 * shape.inner, shape.width, deviation=0.02) for _ in layers]
        self.narrow = [random(shape.experts, shape.width, shape.inner, deviation=0.02) for _ in layers]

    def begin(self, batch, context):
        """Draw which experts each token uses, too."""
        super().begin(batch, context)
        shape, self.rows, self.ends, touched = self.shape, [], [], 0
        for _ in range(shape.layers):
            experts = torch.rand(batch, shape.experts, device=device).topk(shape.chosen, 1).indices.flatten()
            counts = torch.bincount(experts, minlength=shape.experts)
            self.rows.append(experts.argsort() // shape.chosen)
            self.ends.append(counts.cumsum(0).to(torch.int32))
            touched += int((counts > 0).sum())
        self.touched_per_layer = touched / shape.layers
        weights = shape.attention_weights + shape.output_weights + touched * shape.inner_weights
        self.weight_bytes = 2.0 * weights

    def feed_forward(self, number, x):
        """Rows sorted by expert, one grouped product up and one down, and their sum."""
        rows, ends = self.rows[number], self.ends[number]
        wide = silu(torch._grouped_mm(x.index_select(0, rows), self.widen[number].transpose(-2, -1), offs=ends))
        narrow = torch._grouped_mm(wide, self.narrow[number].transpose(-2, -1), offs=ends)
        return torch.zeros_like(self.first).index_add_(0, rows, narrow)


# Sections: the experiments.


def idle(bench):
    """What the board draws for being there.

    Without a context its clocks are low.  With one they are up though nothing runs: that is the part which every
    program pays.  One thread that spins shows whether being busy costs anything by itself.  Integer arithmetic on all
    multiprocessors has no traffic, so it shows what they draw when they all issue instructions.
    """
    bench.point("idle", "idle, no context", nothing, warm_s=0.2)
    torch.zeros(1, device=device)
    bench.point("idle", "idle, context made", nothing, warm_s=2.0)
    bench.point("clocks_up", "one thread spins", [lambda: torch.cuda._sleep(20_000_000)])
    programs, lanes, times = 4 * processors(), 1024, 200_000
    out = torch.empty(programs * lanes, device=device, dtype=torch.int32)
    counting = [lambda: count_kernel[(programs,)](out, times, lanes)]
    done = {"multiply_adds_per_s": programs * lanes * times}
    bench.point("integer", "all SMs, integer multiply-add", counting, done)


def read_piece(data, words, programs, rounds=1):
    """A piece in which so many programs read the words."""
    out = torch.zeros(4096, device=device, dtype=torch.int32)
    return lambda: read_kernel[(programs,)](data, out, words, programs, 4096, rounds)


def bits(words):
    """Random bits, which toggle wires most."""
    return torch.empty(words, device=device, dtype=torch.int32).random_(-(2**31), 2**31 - 1)


def memory(bench):
    """What a byte from memory costs: 4 GiB are read, and the number of programs sets the traffic at full clocks.

    Contents differ in nothing but the bits: random ones, zeros, and bf16 normal numbers, as weights look.
    """
    words = 2**30
    data = bits(words)

    def read(content, programs, words, **columns):
        what = f"read memory, {content}, {programs} programs"
        done = {"memory_bytes_per_s": 4 * words}
        bench.point("memory", what, [read_piece(data, words, programs)], done, programs=programs, **columns)

    for programs in (1056, 264, 132, 66, 33, 16, 8):
        read("random bits", programs, words if programs > 60 else words // 8)
    data.zero_()
    read("zeros", 1056, words)
    for half in data.view(torch.bfloat16).chunk(2):
        half.normal_()
    read("bf16 normal", 1056, words, weight_format="bf16")
    to, source = data.chunk(2)
    done = {"memory_bytes_per_s": 4 * words}
    bench.point("memory", "copy memory, bf16 normal", [lambda: to.copy_(source)], done, weight_format="bf16")


def l2(bench):
    """What a byte from the second-level cache costs: 16 MiB that stay there are read again and again."""
    if torch.cuda.get_device_properties(0).L2_cache_size < 2 * 2**24:
        raise Missing("16 MiB would not stay in a second-level cache of less than 32 MiB")
    words, rounds = 4 * 2**20, 256
    data = bits(words)
    for programs in (528, 132, 33):
        what = f"read L2 (16 MiB), random bits, {programs} programs"
        done = {"l2_bytes_per_s": 4 * words * rounds}
        bench.point("l2", what, [read_piece(data, words, programs, rounds)], done, programs=programs)


def products(bench):
    """What an operation costs: large products, which are arithmetic above all.

    Rests after each product tell the energy of one from the watts of the clock.  Zeros show what the bits cost, fp8
    what a narrower format saves, and thin products how the cost moves from operations to bytes.
    """
    size = 8192
    left, right = random(size, size), random(size, size)
    out = torch.empty_like(left)
    flop = {"flop_per_s": 2 * size**3}

    def product():
        torch.matmul(left, right, out=out)

    pause = rest(timed(product))
    for rests in (0, 1, 3, 8):
        what = f"bf16 product 8192, normal, rest {rests}"
        bench.point("product", what, [product, *[pause] * rests], flop, weight_format="bf16")
    left.zero_()
    right.zero_()
    bench.point("product", "bf16 product 8192, zeros", [product], flop, weight_format="bf16")
    for rows in (16, 64, 256):
        thin(bench, rows, size)
    need_capability((8, 9))
    one = torch.ones((), device=device)
    left8, right8 = (random(size, size).to(torch.float8_e4m3fn) for _ in range(2))
    fp8 = [lambda: fp8_product(left8, right8, one)]
    bench.point("product", "fp8 product 8192, normal", fp8, flop, weight_format="fp8")


def thin(bench, rows, size):
    """A few rows times eight matrices in turn, which together are more than the second-level cache holds."""
    x = random(rows, size)
    matrices = [random(size, size) for _ in range(8)]
    done = {"memory_bytes_per_s": 8 * 2 * size**2, "flop_per_s": 8 * 2 * rows * size**2}
    pieces = [functools.partial(torch.matmul, x, matrix) for matrix in matrices]
    bench.point("product", f"bf16 product {rows} x {size} x {size}", pieces, done, weight_format="bf16")


def decode_points(bench, network, tag, weight_format, points, rest_ms=None):
    """Points of decode steps at fixed contexts; `rest_ms` leaves the board alone after each step."""
    for batch, context in points:
        what = f"decode {tag} batch {batch} context {context}" + (f" and {rest_ms} ms rest" if rest_ms else "")
        cache = network.shape.cache_bytes * batch * context
        network.keys = network.values = None  # The former cache makes room.
        free = free_bytes()
        if cache > free - 3e9:
            print(f"{what}: left out, its cache needs {cache / 1e9:.1f} of {free / 1e9:.1f} GB", flush=True)
            continue
        network.begin(batch, context)
        pieces = [*network.step(), *([rest(rest_ms / 1000)] if rest_ms else [])]
        done = {
            "memory_bytes_per_s": network.weight_bytes + cache,
            "flop_per_s": network.shape.decode_flop(batch, context),
            "steps_per_s": 1,
            "tokens_per_s": batch,
        }
        columns = {"weight_format": weight_format, "batch": batch, "context_tokens": context, "repeat_rest": rest_ms}
        columns["weight_bytes_per_step"] = network.weight_bytes
        columns["experts_touched_per_layer"] = getattr(network, "touched_per_layer", None)
        bench.point("decode", what, pieces, done, **columns)


def decode(bench):
    """Steps of an 8B network in bf16: weights and cache are read once a step, and batch and context set the shares."""
    points = [(batch, 1024) for batch in (1, 4, 16, 32, 64, 128, 256)]
    points += [(1, 32768), (8, 8192), (32, 8192), (8, 32768)]
    decode_points(bench, Network(LLAMA_8B), "8B bf16", "bf16", points)


def prompts(bench):
    """Prompts of the same network: many rows a product, so operations count and bytes hardly do."""
    network = Network(LLAMA_8B)
    for context in (2048, 8192):
        done = {"flop_per_s": LLAMA_8B.prompt_flop(1, context), "steps_per_s": 1, "tokens_per_s": context}
        columns = {"weight_format": "bf16", "batch": 1, "context_tokens": context}
        bench.point("prefill", f"prefill 8B bf16 1 x {context}", network.prompt(1, context), done, **columns)


def fp8(bench):
    """The same steps with weights and products in e4m3: half the bytes, and cheaper operations."""
    points = [(batch, 1024) for batch in (1, 4, 16, 64, 256)] + [(32, 8192)]
    decode_points(bench, Network(LLAMA_8B, ProductFp8), "8B fp8", "fp8", points)


def int4(bench):
    """The same steps with weights of 4 bits: a quarter of the bytes, and instructions to unpack them."""
    points = [(batch, 1024) for batch in (1, 4, 16, 64)]
    decode_points(bench, Network(LLAMA_8B, ProductInt4), "8B int4", "int4", points)


def mixture(bench):
    """Steps of a mixture of experts: the more sequences, the more experts a step reads."""
    points = [(batch, 1024) for batch in (1, 4, 16, 32, 64, 128)]
    decode_points(bench, Mixture(QWEN_30B), "30B-A3B bf16", "bf16", points)


def rests(bench):
    """Steps with rests of 2 and 8 ms, as software leaves them: the clock is paid for all the same."""
    network = Network(LLAMA_8B)
    for rest_ms in (2, 8):
        decode_points(bench, network, "8B bf16", "bf16", [(32, 1024)], rest_ms)


def plain_transformers(bench):
    """The library as people first use it, eager and greedy with a growing cache: the board waits for the host."""
    (transformers,) = imported("transformers")
    software = f"transformers {transformers.__version__}, PyTorch {torch.__version__}, eager (no captured graphs)"
    sizes = {"num_attention_heads": 32, "num_key_value_heads": 8, "head_dim": 128, "max_position_embeddings": 131072}
    llama = {"hidden_size": 4096, "intermediate_size": 14336, "num_hidden_layers": 32, "vocab_size": 128256}
    qwen = {"hidden_size": 2048, "intermediate_size": 6144, "num_hidden_layers": 28, "vocab_size": 151936}
    qwen |= {"num_attention_heads": 16, "tie_word_embeddings": True}
    for tag, config in (
        ("8B bf16 (Llama-3.1-8B shape)", transformers.LlamaConfig(**sizes, **llama)),
        ("1.7B bf16 (Qwen3-1.7B shape)", transformers.Qwen3Config(**{**sizes, **qwen})),
    ):
        with torch.device(device):
            network = transformers.AutoModelForCausalLM.from_config(config, dtype=dtype)
        for batch in (1, 8, 32, 128):
            what = f"decode {tag} batch {batch}, plain transformers"
            work = functools.partial(generate, transformers, network, batch)
            done = {"steps_per_s": 1, "tokens_per_s": batch}
            bench.point("decode", what, work, done, weight_format="bf16", batch=batch, software=software)
        del network


def generate(transformers, network, batch, window, prompt=1024):
    """Answer random prompts until the window closes; returns the mean context while it was open."""

    class Until(transformers.StoppingCriteria):
        def __call__(self, tokens, scores, **more):
            window.done(1)
            return torch.full((len(tokens),), not window.goes_on(), device=tokens.device)

    network.generation_config.eos_token_id = None  # Random weights would end at random.
    tokens = torch.randint(network.config.vocab_size, (batch, prompt), device=device)
    network.generate(
        tokens, attention_mask=torch.ones_like(tokens), do_sample=False, max_new_tokens=100_000, pad_token_id=0,
        stopping_criteria=transformers.StoppingCriteriaList([Until()]),
    )  # fmt: skip
    begin = window.watch.meter.samples[0][0] if window.watch.meter.samples else 0
    tell_steps(window)
    return {"context_tokens": round(prompt + statistics.mean(steps for at, steps in window.finished if at >= begin))}


_PROMPT = 1024


class Eager(typing.NamedTuple):
    """A network of the library `transformers`: what it is called, its class of configuration, sizes and batches."""

    name: str
    config: str
    sizes: dict
    batches: tuple = (1,)

    @property
    def tag(self):
        """Name and layers in words."""
        return f"{self.name} shape, {self.sizes['num_hidden_layers']} layers"

    def made(self, transformers):
        """The network with random weights."""
        config = getattr(transformers, self.config)(**self.sizes)
        with torch.device(device):
            return transformers.AutoModelForCausalLM.from_config(config, dtype=dtype).eval()


def sizes(layers, width, heads, inner, vocabulary, head=128, tied=False):
    """Sizes of a network with 8 key heads as `transformers` names them."""
    return {
        "num_hidden_layers": layers, "hidden_size": width, "num_attention_heads": heads, "num_key_value_heads": 8,
        "head_dim": head, "intermediate_size": inner, "vocab_size": vocabulary, "tie_word_embeddings": tied,
        "max_position_embeddings": 131072,
    }  # fmt: skip


EAGER = (
    Eager("Llama-3.1-8B", "LlamaConfig", sizes(32, 4096, 32, 14336, 128256), (1, 16, 64)),
    Eager("Qwen3-1.7B", "Qwen3Config", sizes(28, 2048, 16, 6144, 151936, tied=True), (1, 16, 64)),
    Eager("Llama-3.2-1B", "LlamaConfig", sizes(16, 2048, 32, 8192, 128256, head=64, tied=True)),
    Eager("Llama-3.1-8B", "LlamaConfig", sizes(8, 4096, 32, 14336, 128256)),
)


def tell_host(board):
    """Print what the host is, and how long it takes for a loop of Python and for starting a small kernel."""
    told = pathlib.Path("/proc/cpuinfo")
    found = re.findall(r"model name\s*: (.*)|cpu MHz\s*: (.*)", told.read_text() if told.exists() else "")
    names = {name for name, _ in found if name}
    clocks = [float(clock) for _, clock in found if clock]
    print(f"host: {', '.join(sorted(names)) or 'not told'}, {os.cpu_count()} cores, Python {sys.version.split()[0]}")
    print(f"host: clocks as told {min(clocks, default=0):.0f} to {max(clocks, default=0):.0f} MHz")
    print(f"host: 5,000,000 squares added by Python in {least(squares):.4f} s, the least of five")
    x, weights = random(1, 64), random(64, 64)
    for name, work in (("add", lambda: x.add_(1)), ("linear", lambda: functional.linear(x, weights))):
        started = least(functools.partial(repeated, work, 5000)) / 5000
        print(f"host: a small {name} of PyTorch started in {1e6 * started:.2f} us", flush=True)
    for name, work in (("counter", board.energy_mj), ("state", board.state)):
        print(f"host: the {name} of the board read in {1e3 * least(work):.2f} ms, the least of five", flush=True)


def squares():
    """A fixed amount of work for one thread of the host."""
    total = 0
    for number in range(5_000_000):
        total += number * number
    return total


def repeated(work, times):
    """Do it so many times, and wait for the board."""
    for _ in range(times):
        work()
    wait()


def wait():
    """Wait for the board, if there is one."""
    if device == "cuda":
        torch.cuda.synchronize()


def least(work, times=5):
    """Seconds of the host, the least of some times."""
    found = []
    for _ in range(times):
        begin = time.perf_counter()
        work()
        found.append(time.perf_counter() - begin)
    return min(found)


def tell_attention():
    """Print how long attention of one new token takes for a length of the cache not seen before, and for it again."""
    query = random(1, 32, 1, 128)
    caches = [random(1, 8, length, 128) for length in range(3000, 3020)]
    for name, planned in (("by default", True), ("without cuDNN", False)):
        with planning(planned):
            first, again = (
                statistics.median(
                    least(functools.partial(repeated, functools.partial(attend, query, one), 1), 1) for one in caches
                )
                for _ in range(2)
            )
        print(f"host: attention {name}: {1e3 * first:.3f} ms for a new length, {1e3 * again:.3f} ms again", flush=True)


def attend(query, cache):
    """Attention of PyTorch with fewer key heads than heads."""
    return functional.scaled_dot_product_attention(query, cache, cache, enable_gqa=True)


@contextlib.contextmanager
def planning(wanted):
    """Whether attention may be cuDNN's, which plans anew for every length of the cache."""
    former = torch.backends.cuda.cudnn_sdp_enabled()
    torch.backends.cuda.enable_cudnn_sdp(wanted)
    try:
        yield
    finally:
        torch.backends.cuda.enable_cudnn_sdp(former)


def eager(bench):
    """Steps whose kernels the host starts one by one: as the library generates, and its network alone in a loop.

    By default attention may be cuDNN's, which plans anew for every length that the process has not seen, so the first
    point of a batch and of sizes of heads has such plans in it.
    """
    tell_host(bench.board)
    tell_attention()
    (transformers,) = imported("transformers")
    for one in EAGER:
        network = one.made(transformers)
        for batch in one.batches:
            work = functools.partial(generate, transformers, network, batch)
            eager_point(bench, f"generate eagerly, {one.tag}, batch {batch}", work, batch)
            with planning(False):
                eager_point(bench, f"generate eagerly, {one.tag}, batch {batch}, no cuDNN attention", work, batch)
        for batch in sorted({1, max(one.batches)}):
            with planning(False):
                step = Forward(network, transformers.DynamicCache(), batch)
                eager_point(bench, f"forward eagerly, {one.tag}, batch {batch}, no cuDNN attention", step.work, batch)
                step.tell_kernels()
            del step
        del network, work
        gc.collect()


def eager_point(bench, what, work, batch, how="eager (no captured graphs)", watch=Ends, **columns):
    """A point of steps that the host starts."""
    (transformers,) = imported("transformers")
    software = f"transformers {transformers.__version__}, PyTorch {torch.__version__}, {how}"
    done = {"steps_per_s": 1, "tokens_per_s": batch}
    columns |= {"weight_format": "bf16", "batch": batch, "software": software}
    bench.point("eager", what, work, done, seconds=max(3.0, bench.seconds), watch=watch, **columns)


class Forward:
    """The network's own forward pass in a loop, greedy: nothing of the library's generation around it."""

    grows = True

    def __init__(self, network, cache, batch, prompt=_PROMPT):
        self.network, self.cache, self.prompt, self.taken, self.batch = network, cache, prompt, 0, batch
        tokens = torch.randint(network.config.vocab_size, (batch, prompt), device=device)
        with torch.no_grad():
            out = network(tokens, past_key_values=cache, use_cache=True, logits_to_keep=1)
        self.tokens = out.logits[:, -1].argmax(-1, keepdim=True)

    def step(self):
        """One token more for every sequence, by kernels that are started one by one."""
        with torch.no_grad():
            out = self.network(self.tokens, past_key_values=self.cache, use_cache=True)
        self.tokens.copy_(out.logits[:, -1].argmax(-1, keepdim=True))

    def work(self, window):
        """Step until the window closes; returns the mean context while it was open."""
        begun, seen = self.taken, []
        while window.goes_on():
            self.step()
            wait()  # As software does that looks at each token.
            self.taken += 1
            seen.append((time.perf_counter(), self.taken - begun))
            window.done(1)
        tell_steps(window)
        samples = window.watch.meter.samples
        begin = samples[0][0] if samples else 0
        grown = begun + statistics.mean(steps for at, steps in seen if at >= begin) if self.grows else 0
        return {"context_tokens": round(self.prompt + grown)}

    def tell_kernels(self, steps=3):
        """Print how many kernels a step starts and how long they take on the board."""
        if device != "cuda":
            return
        kinds = [torch.profiler.ProfilerActivity.CUDA]
        with torch.profiler.profile(activities=kinds) as profile:
            for _ in range(steps):
                self.step()
            wait()
        found = [one for one in profile.key_averages() if one.self_device_time_total > 0]
        count, busy_us = (
            sum(each) / steps for each in zip(*((one.count, one.self_device_time_total) for one in found))
        )
        print(
            f"      a step: {count:.0f} kernels, {busy_us / 1000:.3f} ms of the board, batch {self.batch}", flush=True
        )


def tell_steps(window):
    """Print the spread of the times between steps."""
    ends = [at for at, _ in window.finished]
    steps = sorted(later - former for former, later in itertools.pairwise(ends))
    if len(steps) > 10:
        low, middle, high = (1000 * steps[len(steps) * part // 10] for part in (1, 5, 9))
        print(f"      steps of the host: {low:.2f}, {middle:.2f}, {high:.2f} ms (10, 50, 90 %)", flush=True)


def launches(bench):
    """What is left of such steps when starting kernels costs the host nothing: the same in captured graphs."""
    own = Network(QWEN_1_7B)
    own.begin(1, _PROMPT)
    done = {"memory_bytes_per_s": own.weight_bytes + _PROMPT * own.shape.cache_bytes, "steps_per_s": 1}
    done |= {"flop_per_s": own.shape.decode_flop(1, _PROMPT), "tokens_per_s": 1}
    columns = {
        "weight_format": "bf16",
        "batch": 1,
        "context_tokens": _PROMPT,
        "weight_bytes_per_step": own.weight_bytes,
    }
    bench.point("eager", "own kernels, captured, Qwen3-1.7B shape, 28 layers, batch 1", own.step(), done, **columns)
    del own
    (transformers,) = imported("transformers")
    one = EAGER[1]
    network = one.made(transformers)
    fixed = Fixed(network, transformers.StaticCache(network.config, 2 * _PROMPT), 1)
    eager_point(bench, f"forward eagerly with a fixed cache, {one.tag}, batch 1", fixed.work, 1)
    what = f"forward captured with a fixed cache, {one.tag}, batch 1"
    eager_point(bench, what, queued([fixed.step]), 1, how="captured graphs", watch=Watch, context_tokens=_PROMPT)


class Fixed(Forward):
    """The same with a cache of fixed room, which always starts after the prompt, so that a graph can be repeated."""

    grows = False

    def step(self):
        """One token at the same place every time."""
        for layer in self.cache.layers:
            layer.cumulative_length.fill_(self.prompt)
        super().step()


def waiting(bench):
    """Captured steps after each of which the host waits: what a board draws that is up and has nothing to do."""
    network, context = Network(LLAMA_8B), _PROMPT
    network.begin(1, context)
    bench.point("waiting", "clocks up, nothing queued", nothing, warm_s=1.0)
    pieces = network.step()
    for piece in pieces:
        piece()
    wait()
    graph = captured(pieces, torch.cuda.graph_pool_handle())
    step_s = timed(graph.replay)
    done = {
        "memory_bytes_per_s": network.weight_bytes + context * network.shape.cache_bytes,
        "flop_per_s": network.shape.decode_flop(1, context),
        "steps_per_s": 1,
        "tokens_per_s": 1,
    }
    columns = {"weight_format": "bf16", "batch": 1, "context_tokens": context}
    columns["weight_bytes_per_step"] = network.weight_bytes
    for times in (0, 1, 3, 9):
        what = f"step of the 8B network in bf16, batch 1, then the host waits {times} times {1000 * step_s:.2f} ms"
        work, rest_ms = waited(graph.replay, times * step_s), round(1000 * times * step_s, 2) or None
        bench.point("waiting", what, work, done, repeat_rest=rest_ms, **columns)


def waited(start, seconds):
    """Work that is started, finished and followed by so many seconds of nothing."""

    def work(window):
        while window.goes_on():
            start()
            wait()
            window.done(1)
            time.sleep(seconds)

    return work


_ROWS = (1, 16, 64, 256, 1024, 4096, 8192)


def rows(bench):
    """Rates and watts of a product by its rows, in bf16 and in fp8 with one scale: weights come from memory."""
    for outputs, inputs in ((8192, 8192), (4096, 14336)):
        by_rows(bench, "bf16", "", outputs, inputs, plain)
        if torch.cuda.get_device_capability() >= (8, 9):
            by_rows(bench, "fp8", ", one scale", outputs, inputs, one_scale)


def scales(bench):
    """The same in fp8 with a scale for each row, and for blocks of 128 numbers."""
    for how, prepared in ((", a scale per row", per_row), (", scales per 128", per_block)):
        for outputs, inputs in ((8192, 8192), (4096, 14336)):
            by_rows(bench, "fp8", how, outputs, inputs, prepared)


def plain(x, outputs):
    """A product of these rows with weights that are told later."""
    return lambda weights: x @ weights


def one_scale(x, outputs):
    """The same in fp8 with one scale for either side."""
    one = torch.ones((), device=device)
    return lambda weights: torch._scaled_mm(x, weights, scale_a=one, scale_b=one, out_dtype=dtype)


def per_row(x, outputs):
    """The same with a scale for each row of x and each output."""
    left, right = torch.ones(len(x), 1, device=device), torch.ones(1, outputs, device=device)
    return lambda weights: torch._scaled_mm(x, weights, scale_a=left, scale_b=right, out_dtype=dtype)


def per_block(x, outputs):
    """The same with a scale for every 128 numbers of a row of x, and for blocks of 128 times 128 weights."""
    kinds, inputs = functional.ScalingType, x.shape[1]
    left = torch.ones(inputs // 128, len(x), device=device).t()
    right = torch.ones(outputs // 128, inputs // 128, device=device).t()
    return lambda weights: functional.scaled_mm(
        x, weights, left, kinds.BlockWise1x128, right, kinds.BlockWise128x128, output_dtype=dtype
    )


def by_rows(bench, weight_format, how, outputs, inputs, prepared):
    """Some rows times eight matrices in turn, which together are more than a second-level cache holds."""
    cast = torch.float8_e4m3fn if weight_format == "fp8" else dtype
    matrices = [random(outputs, inputs).to(cast).t() for _ in range(8)]
    for number in _ROWS:
        what = f"{weight_format} product by rows, {number} x {inputs} x {outputs}{how}"
        multiply = prepared(random(number, inputs).to(cast), outputs)
        try:
            multiply(matrices[0])
        except (RuntimeError, ValueError) as error:
            print(f"{what}: left out, {str(error).partition(chr(10))[0][:160]}", flush=True)
            continue
        size = matrices[0].element_size() * outputs * inputs
        done = {"memory_bytes_per_s": 8 * size, "flop_per_s": 8 * 2 * number * outputs * inputs}
        pieces = [functools.partial(multiply, matrix) for matrix in matrices]
        columns = {"weight_format": weight_format, "batch": number}
        bench.point("rows", what, pieces, done, warm_s=0.5, seconds=min(1.5, bench.seconds), **columns)


def reading(bench):
    """The highest rate of reading alone, which the rates of steps and of thin products are held against."""
    words = 2**30
    data = torch.empty(words, device=device, dtype=torch.int32)
    for half in data.view(torch.bfloat16).chunk(2):
        half.normal_()
    done = {"memory_bytes_per_s": 4 * words}
    columns = {"weight_format": "bf16", "programs": 1056}
    bench.point("reading", "read 4 GiB, bf16 normal, 1056 programs", [read_piece(data, words, 1056)], done, **columns)


class Section(typing.NamedTuple):
    """A function of a bench, the free memory and the compute capability that it needs, and what it measures."""

    run: typing.Callable
    room_gb: float
    capability: tuple
    about: str


SECTIONS = {
    "idle": Section(idle, 0, (0, 0), "nothing, clocks up, one thread, integer arithmetic"),
    "memory": Section(memory, 5, (7, 0), "reading and copying memory: seven rates, three contents"),
    "l2": Section(l2, 1, (7, 0), "reading the second-level cache"),
    "products": Section(products, 3, (8, 0), "large and thin matrix products, with rests, of zeros, in fp8"),
    "decode": Section(decode, 20, (8, 0), "decode steps of an 8B network in bf16"),
    "prompts": Section(prompts, 22, (8, 0), "prompts of 2,048 and 8,192 tokens of that network"),
    "fp8": Section(fp8, 12, (8, 9), "its decode steps in fp8"),
    "int4": Section(int4, 9, (8, 0), "its decode steps with weights of 4 bits"),
    "mixture": Section(mixture, 65, (8, 0), "decode steps of a mixture of experts, 30B-A3B"),
    "rests": Section(rests, 20, (8, 0), "decode steps with rests of 2 and 8 ms"),
    "transformers": Section(plain_transformers, 50, (8, 0), "the package transformers, eager, 8B and 1.7B"),
    "eager": Section(eager, 50, (8, 0), "the same by layers and batch, generated and forward alone; tells the host"),
    "launches": Section(launches, 10, (8, 0), "the 1.7B network of transformers, eager and in a captured graph"),
    "waiting": Section(waiting, 20, (8, 0), "steps of an 8B network after which the host waits"),
    "rows": Section(rows, 6, (8, 0), "products by rows, 1 to 8,192, in bf16 and in fp8 with one scale"),
    "scales": Section(scales, 6, (8, 9), "the same in fp8 with a scale a row, and with scales for blocks of 128"),
    "reading": Section(reading, 5, (7, 0), "reading 4 GiB of memory"),
}
_LIBRARY = ("transformers", "eager", "launches")
_DEFAULT = ",".join(name for name in SECTIONS if name not in _LIBRARY)


# What a run needs.

_PACKAGES = {
    "torch": "pip install torch",
    "triton": "it comes with PyTorch on Linux, pip install triton elsewhere",
    "pynvml": "pip install nvidia-ml-py",
}


def imported(*names):
    """The modules; one message names all that are missing."""
    found, missing = [], []
    for name in names:
        try:
            found.append(importlib.import_module(name))
        except (ImportError, OSError):
            missing.append(f"{name} ({_PACKAGES.get(name, f'pip install {name}')})")
    if missing:
        raise Missing(f"this Python lacks {', '.join(missing)}")
    return found


def load(on_board, *more):
    """Import PyTorch and Triton, to work on the board or, interpreted, on the processor; returns more modules."""
    global torch, functional, triton, tl, device, dtype
    # CUDA then numbers boards as NVML does, and is not started by the question whether it is there.
    os.environ |= {"CUDA_DEVICE_ORDER": "PCI_BUS_ID", "PYTORCH_NVML_BASED_CUDA_CHECK": "1"}
    # Triton reads this when it is imported.
    os.environ["TRITON_INTERPRET"] = "0" if on_board else "1"
    torch, triton, *modules = imported("torch", "triton", *more)
    functional, tl = imported("torch.nn.functional", "triton.language")
    device, dtype = ("cuda", torch.bfloat16) if on_board else ("cpu", torch.float16)
    return modules


def open_board():
    """The board with its energy counter."""
    (nvml,) = load(True, "pynvml")
    if not torch.cuda.is_available():
        raise Missing(
            f"PyTorch {torch.__version__} sees no CUDA device; run this on a machine with an NVIDIA board and its "
            "driver, with a PyTorch built for CUDA"
        )
    try:
        board = Board(nvml)
    except nvml.NVMLError as error:
        raise Missing(f"NVML does not open the board ({error}); install or repair the NVIDIA driver") from None
    try:
        board.energy_mj()
    except nvml.NVMLError as error:
        raise Missing(
            f"{board.name} has no energy counter that NVML reads ({error}); it takes a whole board of the Volta "
            "generation or later"
        ) from None
    return board


def free_bytes():
    """Memory of the board that nothing holds."""
    torch.cuda.empty_cache()
    return torch.cuda.mem_get_info()[0]


def need_capability(least):
    """Raise `Missing` where the board is older."""
    found = torch.cuda.get_device_capability()
    if found < least:
        needed, there = (".".join(map(str, one)) for one in (least, found))
        raise Missing(f"this needs compute capability {needed}, and the board has {there}")


def need_room(room_gb):
    """Raise `Missing` where less memory is free."""
    free_gb = free_bytes() / 1e9
    if free_gb < room_gb:
        raise Missing(f"this needs {room_gb} GB of free memory, and {free_gb:.1f} GB are free")


def run_section(bench, name):
    """Run a section; whether it came to its end, or was left out for a reason that was told."""
    section = SECTIONS[name]
    try:
        if section.room_gb:  # Asking makes a context, which the first point of `idle` must not have.
            need_capability(section.capability)
            need_room(section.room_gb)
        section.run(bench)
    except Missing as reason:
        print(f"{name}: left out, {reason}", flush=True)
    except torch.cuda.OutOfMemoryError:
        print(f"{name}: left out from here on, the memory of the board is full", flush=True)
    except OutOfTime:
        raise
    except Exception as error:  # The others go on, whatever a version of PyTorch does not offer.
        print(f"{name}: failed, {type(error).__name__}: {str(error).partition(chr(10))[0]}", flush=True)
        return False
    gc.collect()  # What a section has made goes before the next one asks how much room there is.
    return True


# The kernels against plain PyTorch.


def difference(found, wanted):
    """Relative difference in the mean square."""
    return float((found.float() - wanted.float()).norm() / wanted.float().norm())


def plain_attention(network, number, qkv):
    """Attention of each sequence to its cache, in fp32."""
    shape = network.shape
    queries = qkv[:, : shape.heads * shape.head].float().view(network.batch, shape.heads, 1, shape.head)
    keys, values = (
        cache[number].float().view(network.batch, shape.key_heads, -1, shape.head)
        for cache in (network.keys, network.values)
    )
    return functional.scaled_dot_product_attention(queries, keys, values, enable_gqa=True).flatten(1)


def plain_norm(x):
    """Rows divided by their root mean square, in fp32."""
    return functional.rms_norm(x.float(), x.shape[1:], eps=1e-5)


def plain_silu(both):
    """SiLU of the first half times the second half, in fp32."""
    gate, value = both.float().chunk(2, 1)
    return functional.silu(gate) * value


def plain_step(network):
    """What a decode step leaves in the residual, in fp32."""
    x = network.first.float()
    for number in range(network.shape.layers):
        qkv = plain_norm(x) @ network.qkv[number].weights.float().t()
        x = x + plain_attention(network, number, qkv) @ network.joined[number].weights.float().t()
        inner = plain_silu(plain_norm(x) @ network.widen[number].weights.float().t())
        x = x + inner @ network.narrow[number].weights.float().t()
    return x


def check():
    """Difference of each kernel from plain PyTorch, at small sizes."""
    torch.manual_seed(0)
    network = Network(Shape(2, 512, 8, 2, 64, 768, 256))
    network.begin(3, 200)
    found = {}
    x, qkv, both = random(3, 512), random(3, 768), random(3, 1536)
    found["norm"] = difference(network.norm(x), plain_norm(x))
    found["silu"] = difference(silu(both), plain_silu(both))
    found["attention"] = difference(network.attend(0, qkv), plain_attention(network, 0, qkv))
    data, read = bits(8 * 256 * 3), torch.zeros(8, device=device, dtype=torch.int32)
    read_kernel[(8,)](data, read, len(data), 8, 256, 1)
    found["read"] = functools.reduce(operator.xor, [*read.tolist(), *data.tolist()])
    counted = torch.empty(2 * 16, device=device, dtype=torch.int32)
    count_kernel[(2,)](counted, 5, 16)
    wanted = torch.arange(32, device=device)
    for _ in range(5):
        wanted = (wanted * 1664525 + 1013904223) % 2**32
    found["count"] = int(((counted.long() - wanted) % 2**32).count_nonzero())
    for piece in network.step():
        piece()
    found["step"] = difference(network.residual, plain_step(network))
    return found


def told_check():
    """Run the check, on the board if there is one that knows bf16; exit code."""
    (torch,) = imported("torch")
    interpreted = os.environ.get("TRITON_INTERPRET") == "1" or not torch.cuda.is_available()
    load(not interpreted and torch.cuda.get_device_capability() >= (8, 0))
    found = check()
    for name, error in found.items():
        print(f"{name:10} differs by {error:.2g}", flush=True)
    agree = all(abs(error) < 0.02 for error in found.values())
    print(f"On the {device}, in {dtype}: kernels and plain PyTorch {'agree' if agree else 'DISAGREE'}.")
    return 0 if agree else 1


# The command.


def parser():
    """What may be typed."""
    sections = "\n".join(f"  {name:13} {section.about}" for name, section in SECTIONS.items())
    words = argparse.ArgumentParser(
        prog="power_runs.py",
        description="Measure where the watts of one NVIDIA board go, by its energy counter.  No setting is changed; "
        "nothing else should run on the board.  CUDA_VISIBLE_DEVICES picks one of several.",
        epilog=f"sections:\n{sections}\n\nEvery row is written as soon as it is measured, so Ctrl-C loses nothing.\n"
        "Exit codes: 0 done, 1 a section failed or a kernel is wrong, 2 something is missing or mistyped, 130 Ctrl-C.",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    words.add_argument("--sections", default=_DEFAULT, metavar="A,B", help="default: all that need no transformers")
    words.add_argument("--seconds", default="2.5", metavar="S", help="seconds a point after its warm-up; default 2.5")
    words.add_argument("--limit", default="900", metavar="S", help="begin no point after so many seconds; default 900")
    words.add_argument("--board", metavar="NAME", help="column board, such as 'H100 board 1'; default: NVML's name")
    words.add_argument("--accelerator", default="", metavar="KEY", help="column accelerator, such as h100-sxm")
    words.add_argument("--prefix", default="run", metavar="WORD", help="ids are WORD-00, WORD-01, ...; default run")
    words.add_argument("--out", default="power_runs.csv", metavar="FILE.csv", help="default power_runs.csv, made anew")
    words.add_argument("--check", action="store_true", help="compare the kernels with plain PyTorch; needs no board")
    return words


def wrong(arguments):
    """A line for each argument that cannot be used."""
    problems = []
    unknown = [name for name in arguments.sections.split(",") if name not in SECTIONS]
    if unknown:
        problems.append(f"--sections: {', '.join(map(repr, unknown))} unknown; allowed are {','.join(SECTIONS)}")
    for name, least in (("seconds", 0.5), ("limit", 1)):
        text = getattr(arguments, name)
        if not re.fullmatch(r"\d+(\.\d+)?", text) or float(text) < least:
            problems.append(f"--{name}: got {text!r}; allowed is a number of seconds from {least}")
    for name, least in (("prefix", 1), ("accelerator", 0)):
        text = getattr(arguments, name)
        if not re.fullmatch(r"[a-z0-9.-]*", text) or len(text) < least:
            problems.append(f"--{name}: got {text!r}; allowed are small letters, digits, dots and hyphens")
    out = pathlib.Path(arguments.out)
    if out.exists():
        problems.append(f"--out: {out} exists and is kept; name another file, or move this one")
    elif not out.parent.is_dir():
        problems.append(f"--out: there is no folder {out.parent}")
    return problems


def measure(arguments):
    """Run the sections in the order of the list, whatever order was typed, since `idle` must be first; exit code."""
    board = open_board()
    fixed = {
        "board": arguments.board or board.name,
        "accelerator": arguments.accelerator,
        "date": datetime.date.today().isoformat(),
        "driver": board.driver,
        "software": f"PyTorch {torch.__version__}, Triton {triton.__version__}, captured graphs",
    }
    table = Table(arguments.out, arguments.prefix)
    bench = Bench(board, table, fixed, float(arguments.seconds), float(arguments.limit))
    asked = arguments.sections.split(",")
    try:
        ended = [run_section(bench, name) for name in SECTIONS if name in asked]
        code = 0 if all(ended) else 1
    except OutOfTime as point:
        print(f"The {arguments.limit} seconds of --limit were over before: {point}.")
        code = 0
    except KeyboardInterrupt:
        print("Interrupted.")
        code = 130
    print(f"Points in {arguments.out}: {table.rows}." if table.rows else "No point was measured.")
    return code


def main(given=None):
    """The command; exit code."""
    arguments = parser().parse_args(given)
    problems = wrong(arguments)
    if problems:
        print("\n".join(f"power_runs: {problem}" for problem in problems), file=sys.stderr)
        return 2
    try:
        return told_check() if arguments.check else measure(arguments)
    except Missing as missing:
        print(f"power_runs: {missing}.", file=sys.stderr)
        return 2


if __name__ == "__main__":
    sys.exit(main())
