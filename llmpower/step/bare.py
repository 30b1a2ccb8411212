"""A step of captured graphs on a bare board: no server, no host, no sampling; watts from parts measured apart.

Static power, operations and bandwidth are those of `metered.board`. Two prices of a byte and one gap per layer are
fitted to decode steps of one dense network on the first H100 board; other boards take the price of their own stream
times the same factor, and the same gap per layer.
"""

import functools
import math
from types import SimpleNamespace

import numpy as np

from llmpower.facts import catalog
from llmpower.facts.catalog import energy_constant, part_format, records
from llmpower.formulas import decode, efficiency, meter, serving
from llmpower.formulas.elementwise import maximum, minimum, none
from llmpower.ranges import Range
from llmpower.step import metered, served, work
from llmpower.step.case import Case
from llmpower.step.point import usual
from llmpower.step.served import Step
from llmpower.step.work import FLOP_PER_MAC
from llmpower.trace import by_choice, shared

# The machine whose first board decode steps were fitted on; the networks behind the words that describe a run.
FITTED = "h100-sxm"
_NETWORKS = {"8B": "llama-3.1-8b", "30B-A3B": "qwen3-30b-a3b"}
# Rows that PyTorch's grouped product takes at once: tiles of 64, two in a cluster (`pytorch2026groupmm`).
TILE_ROWS = 128
PRICES = ("weight_energy_j_per_byte", "cache_energy_j_per_byte")


def unpacked(weight_format):
    """Whether our kernels would have to widen some of the weights of a format, a record: all that are not in 8 bit."""
    stored = [part_format(weight_format, part, True) for part in ("rest", "experts")]
    return any(work.packed(one) and one.products_in in ("bf16", "fp4") for one in stored)


@by_choice
@functools.cache
def network(model, weight_format, kv_format):
    """Dimensions as `work.network` has them, but with the output layer in 16 bit, unless a format is given for it."""
    net = SimpleNamespace(**vars(work.network(model, weight_format, kv_format)))
    wide = records("formats.csv")["bf16"].bytes_per_value
    if weight_format.applies_to == "blocks" or "output" in weight_format.get("parts", {}):
        return net
    net.shared_bytes += net.params_head / net.params_shared * max(0.0, wide - net.shared_bytes)
    return net


@shared
def step(net, unit, constants, n_accelerators, batch, context_tokens, prompt_tokens, output_tokens, point):
    """Time and energy of a step, as `served.step` gives them and takes its arguments.

    Reading weights and multiplying with them hide behind each other; caches and sums between accelerators come after.
    A prompt is a step of its own, and each step bears its share of those that begin.
    Left out: experts of unequal work (`point.spread`), sampling, what attention of a prompt takes beyond operations.
    """
    seen = work.positions(net, context_tokens)
    moved = batch * work.cache_traffic_bytes(net, work.cache_bytes(net, n_accelerators, seen))
    attention = batch * work.attention_flop(net, seen)
    decoded = _pass(net, unit, constants, n_accelerators, batch, batch, moved, attention, point)
    # In an array some runs may have no prompt.
    begun = serving.prompts_per_step(batch, output_tokens) * minimum(prompt_tokens, 1)
    read = prompt(net, unit, constants, n_accelerators, maximum(prompt_tokens, 1), point)
    return Step(*(one + begun * other for one, other in zip(decoded, read)))


def prompt(net, unit, constants, n_accelerators, prompt_tokens, point):
    """Time and energy of reading a prompt by itself, as a `Step`; only its last token goes through the output layer."""
    looking = work.attention_flop(net, work.positions(net, meter.prompt_context_tokens(prompt_tokens, 0)))
    return _pass(net, unit, constants, n_accelerators, prompt_tokens, 1, 0.0, prompt_tokens * looking, point)


def _pass(net, unit, c, n, tokens, answered, cache_bytes, attention_flop, point):
    """So many tokens through the network at once, with their caches and their attention, some answered: a `Step`."""
    share, bandwidth = work.expert_share(net, tokens), unit.memory_bandwidth_bytes_per_s * c.reached_bandwidth_share
    weight_bytes = work.shared_weight_bytes(net) + work.expert_weight_bytes(net, share)
    active = decode.params_touched(net.params_shared, net.params_routed, work.expert_share(net, 1))
    flop = decode.step_flop(tokens, decode.linear_flop(active - net.params_head, FLOP_PER_MAC), 0) + attention_flop
    flop = flop + decode.step_flop(answered, decode.linear_flop(net.params_head, FLOP_PER_MAC), 0)
    memory, cache = (decode.memory_time_s(one, n, bandwidth) for one in (weight_bytes, cache_bytes))
    compute = decode.compute_time_s(flop, n, unit.product_flop_per_s)
    link_bytes, link = served.links(net, unit, c, n, tokens, point)
    product, gaps = decode.step_time_s(memory, compute), net.n_layers * c.layer_time_s
    time = meter.bare_time_s(net.n_layers, c.layer_time_s, product, cache, link)
    arithmetic = decode.compute_energy_j(flop, c.flop_energy_j_per_flop)
    if not none(net.moe):
        rows = serving.rows_per_expert(tokens, net.n_experts, net.n_experts_per_token, share)
        padding = meter.tile_padding_rows(c.tile_rows, rows)
        padded = serving.expert_flop(net.params_routed, FLOP_PER_MAC, share, 0, padding)
        arithmetic = arithmetic + decode.compute_energy_j(padded, c.zero_energy_j_per_flop)
    weights = decode.movement_energy_j(weight_bytes, c.weight_energy_j_per_byte)
    caches = decode.movement_energy_j(cache_bytes, c.cache_energy_j_per_byte)
    between = decode.movement_energy_j(n * link_bytes, c.link_energy_j_per_byte)
    most_w, static_w = (serving.board_power_w(n, one, unit.tdp_w) for one in (c.plateau_tdp_share, c.static_tdp_share))
    # Weights that no unit multiplies as they are keep the multiprocessors busy.
    unpacking_w = serving.board_power_w(n, c.unpacking_tdp_share, unit.tdp_w)
    arithmetic = arithmetic + decode.energy_j(unpacking_w, time)
    # Held at its limit a board lowers its clock and voltage; what is still too much then takes longer.
    slowed = c.limited_byte_share * (weights + caches) + c.limited_flop_share * arithmetic + between
    time = efficiency.capped_time_s(time, slowed, most_w, static_w)
    energies = (weights, caches, arithmetic, between, decode.energy_j(static_w, time))
    total = sum(energies)
    energy = minimum(total, decode.energy_j(most_w, time))
    times = (product, 0.0, cache, link, gaps, memory + cache, compute, time)
    return Step(*times, *(energy / total * one for one in energies), total, energy)


@by_choice
@functools.cache
def _wide_share(weight_format, model):
    """Share of a token's operations with weights at 16 bit: all, or in 8 bit those of the output layer. [1]"""
    lone = model.n_experts_per_token / model.n_experts if model.n_experts else 0.0
    touched = decode.params_touched(model.params_shared, model.params_routed, lone)
    narrow = part_format(weight_format, "rest", True).products_in == "fp8"
    return model.d_model * model.vocab / touched if narrow else 1.0


def _flop_j(prices, weight_format, model):
    """Price of an operation of a network at the highest clock, from those at 16 and at 8 bit. [J/FLOP]"""
    wide = _wide_share(weight_format, model)
    return wide * prices[0] + (1 - wide) * prices[1]


def _prices(board):
    return board.flop_j["bf16"].central, board.flop_j["fp8"].central


def unit(machine, weight_format, model):
    """Rates of a machine as `served.machine` has them, with what large products reach, all of them records.

    In 8 bit the output layer still runs at the 16-bit rate. Where no board of this machine was measured, products reach
    the same share of the peak as on the fitted one.
    """
    found = SimpleNamespace(**vars(served.machine(machine, weight_format)))
    wide, (wide_rate, narrow_rate) = _wide_share(weight_format, model), _reached(machine)
    found.product_flop_per_s = 1 / (wide / wide_rate + (1 - wide) / narrow_rate)
    return found


@by_choice
@functools.cache
def _reached(machine):
    """What large products in 16 and in 8 bit reach; in 16 bit where no 8-bit rate is known. [FLOP/s]"""
    own, like = metered.board(machine.entity), metered.board(FITTED)

    def reached(name):
        if own:
            return own.product_flop_per_s[name]
        rate = f"dense_{name}_flop_per_s"
        known = machine.get(rate)
        return known and known * like.product_flop_per_s[name] / records("accelerators.csv")[FITTED].get(rate)

    return reached("bf16"), reached("fp8") or reached("bf16")


def constants(machine, weight_format, model):
    """Constants of `step` by the names of the table of quantities, and their kind; arguments are records.

    The kind is ``"measured"`` where a board of this machine was, else ``"scaled"``: shares of the rating, of the
    bandwidth and of the peak rate as on the fitted board.
    """
    found, prices, kind = _of_machine(machine, weight_format)
    return SimpleNamespace(**found, flop_energy_j_per_flop=_flop_j(prices, weight_format, model)), kind


@by_choice
@functools.cache
def _of_machine(machine, weight_format):
    """Constants that do not depend on the network, prices of an operation in 16 and in 8 bit, and the kind of all."""
    own, like = metered.board(machine.entity), metered.board(FITTED)
    board = own or like
    rated = records("accelerators.csv")[board.accelerator]
    scale = 1.0
    if not own:
        scale = machine.tdp_w / rated.tdp_w * rated.dense_bf16_flop_per_s / machine.dense_bf16_flop_per_s
    found = {name: one.central for name, one in held(machine).items()} | {
        "zero_energy_j_per_flop": scale * board.zero_flop_j,
        "limited_flop_share": board.limited_share,
        "limited_byte_share": board.limited_byte_share,
        "plateau_tdp_share": board.plateau_w / board.tdp_w,
        "reached_bandwidth_share": board.stream_bytes_per_s / rated.memory_bandwidth_bytes_per_s,
        "layer_time_s": fitted().layer_time_s,
        "sum_time_s": records("measured_points.csv")["h100-allreduce-2"].allreduce_time_s,
        "link_energy_j_per_byte": energy_constant("nvlink-4").energy_j_per_byte,
        "tile_rows": TILE_ROWS,
        "unpacking_tdp_share": board.unpacking_w / board.tdp_w if unpacked(weight_format) else 0.0,
    }
    return found, tuple(scale * price for price in _prices(board)), "measured" if own else "scaled"


@functools.cache
def held(machine):
    """Static share of the rating and prices of a byte of weights and of caches, each a `Range` by its name.

    machine: record. Measured where a board of it was; else those of the fitted board, less or more by what the memory
    devices differ. The static share starts at clocks up and nothing running; its central value is the sweep's start.
    The ends of a price lie two standard errors of its fit away. Another board's are the fitted ones times the quotient
    of their streams.
    """
    own, like = metered.board(machine.entity), metered.board(FITTED)
    board = own or like
    static = (board.clocks_up_w.central, board.sweep_w.central, board.sweep_w.high)
    found = {"static_tdp_share": Range(*(watts / board.tdp_w for watts in static))}
    devices = [device_energy_j_per_byte(one) for one in (machine, records("accelerators.csv")[FITTED])]
    more = 0.0 if own else devices[0] - devices[1]
    scale = board.marginal_byte_j["bf16 normal"] / like.marginal_byte_j["bf16 normal"]
    for name in PRICES:
        price, spread = getattr(fitted(), name), getattr(fitted(), f"{name}_spread")
        found[name] = Range(*(scale * one + more for one in (price - spread, price, price + spread)))
    return found


def device_energy_j_per_byte(machine):
    """Energy of the memory device alone, by its type; that of HBM3 where the type is not known. [J/B]"""
    name = f"{str(machine.get('memory_type', 'HBM3')).lower()}-device"
    return energy_constant(name if name in catalog.names("energy constant") else "hbm3-device").energy_j_per_byte


def model_of(run):
    """Network of a decode or prompt run without a server, a record; None for other runs."""
    if "plain" in run.what or run.kind not in ("decode", "prefill"):
        return None
    return next((catalog.model(name) for word, name in _NETWORKS.items() if f" {word} " in f" {run.what} "), None)


def dense_runs(board=None):
    """Decode runs that constants are fitted to: the dense network on one board, in 16 and 8 bit, without rests."""
    return [*_dense_runs(board or metered.board(FITTED).name)]


@functools.cache
def _dense_runs(board):
    found = [run for run in metered.runs(board, "decode") if run.weight_format in ("bf16", "fp8")]
    return [run for run in found if not run.repeat_rest and model_of(run) and not model_of(run).n_experts]


def case_of(run):
    """The case of a decode run without a server."""
    formats = (catalog.number_format(run.weight_format), catalog.number_format("bf16"))
    machine = catalog.accelerator(run.accelerator)
    return Case(model_of(run), machine, 1.0, run.batch, run.context_tokens, *formats, software="bare")


def constants_of(run):
    """Constants of the step of a decode or prompt run, and their kind."""
    case = case_of(run)
    return constants(case.accelerator, case.weight_format, case.model)


def fitted(chosen=None):
    """Gap per layer and two prices of a byte that meet some decode runs best; all of `dense_runs` if none are chosen.

    A namespace with `layer_time_s` [s], the two `PRICES` and, by the name of each with ``_spread``, two standard errors
    of it [J/B].
    Both fits are least squares of relative times and of watts, with everything else as it was measured apart.
    """
    return _fitted(tuple(run.id for run in (dense_runs() if chosen is None else chosen)))


@functools.cache
def _fitted(ids):
    chosen = [run for run in dense_runs() if run.id in ids]
    board = metered.board(FITTED)
    plain = [_unpriced(run) for run in chosen]
    time = np.array([1 / run.steps_per_s for run in chosen])
    layers = np.array([model_of(run).n_layers for run in chosen]) / time
    left = 1 - np.array([one.time_s for one in plain]) / time
    gap = float(layers @ left / (layers @ layers))
    weights = np.array([run.weight_bytes_per_step * run.steps_per_s for run in chosen])
    caches = np.array([run.memory_bytes_per_s for run in chosen]) - weights
    rest = np.array([run.power_w - one.compute_j * run.steps_per_s for run, one in zip(chosen, plain)])
    rates = np.stack([weights, caches], axis=1) / 1e12
    prices, *_ = np.linalg.lstsq(rates, rest - board.sweep_w.central, rcond=None)
    apart = rest - board.sweep_w.central - rates @ prices
    variance = (apart @ apart) / max(1, len(chosen) - 2) * np.linalg.inv(rates.T @ rates).diagonal()
    found = {"layer_time_s": gap}
    for name, price, spread in zip(PRICES, prices / 1e12, 2 * np.sqrt(variance) / 1e12):
        found |= {name: float(price), f"{name}_spread": float(spread)}
    return SimpleNamespace(**found)


def _unpriced(run):
    """The step of a run with no gap between kernels, and no energy but that of its operations."""
    case, board = case_of(run), metered.board(FITTED)
    rates = unit(case.accelerator, case.weight_format, case.model)
    left_out = ("static_tdp_share", "unpacking_tdp_share", "layer_time_s", "sum_time_s", "link_energy_j_per_byte")
    nothing = dict.fromkeys([*PRICES, *left_out], 0.0)
    share = board.stream_bytes_per_s / case.accelerator.memory_bandwidth_bytes_per_s
    some = SimpleNamespace(
        **nothing,
        reached_bandwidth_share=share,
        flop_energy_j_per_flop=_flop_j(_prices(board), case.weight_format, case.model),
        plateau_tdp_share=math.inf,
        limited_flop_share=1.0,
        limited_byte_share=1.0,
    )
    net = network(case.model, case.weight_format, case.kv_format)
    return step(net, rates, some, 1.0, run.batch, run.context_tokens, 0.0, math.inf, usual())
