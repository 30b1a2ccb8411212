"""A step without a server: a made-up network on a made-up board by hand, and constants by hand from the power runs."""

import math
from types import SimpleNamespace

import numpy
import pytest

import llmpower
from llmpower import estimate
from llmpower.estimate import expect
from llmpower.facts import catalog
from llmpower.facts.runs import power_runs
from llmpower.step import bare, metered
from llmpower.step.point import usual
from tests.facts.power_rows import near, rows, spoil
from tests.step.paper import DENSE, MIXED, UNIT

ROUND = SimpleNamespace(
    reached_bandwidth_share=0.8, layer_time_s=100e-6, sum_time_s=10e-6, weight_energy_j_per_byte=100e-12,
    cache_energy_j_per_byte=150e-12, link_energy_j_per_byte=10e-12, flop_energy_j_per_flop=1e-12,
    zero_energy_j_per_flop=0.4e-12, limited_flop_share=0.8, limited_byte_share=0.9, plateau_tdp_share=0.95,
    static_tdp_share=0.1, unpacking_tdp_share=0.0, tile_rows=128,
)  # fmt: skip


def step(net=DENSE, n=1.0, batch=8.0, context=1000.0, prompt=0.0, output=math.inf, tdp_w=1000.0, **changed):
    unit, constants = (SimpleNamespace(**vars(one)) for one in (UNIT, ROUND))
    unit.tdp_w = tdp_w
    vars(constants).update(changed)
    return bare.step(net, unit, constants, n, batch, context, prompt, output, usual())


def test_a_step_that_reads_by_hand():
    found = step()
    # 2 GB over 0.8 x 1 TB/s: 2.5 ms. 8 x 2 x 1e9 = 16 GFLOP, and attention 8 x 2 x 10 heads x 200 x 10 layers x 1,000
    # = 0.32 GFLOP: 0.1632 ms at 100 TFLOP/s, hidden behind the reading.
    assert found.dense_time_s == pytest.approx(2.5e-3) and found.compute_time_s == pytest.approx(0.1632e-3)
    # 8 x 400 values x 10 layers x 1,000 tokens x 2 B = 64 MB: 0.08 ms. Gaps: 10 x 100 us.
    assert found.cache_time_s == pytest.approx(0.08e-3) and found.overhead_time_s == pytest.approx(1e-3)
    assert found.link_time_s == found.interconnect_j == found.expert_time_s == 0
    assert found.memory_time_s == pytest.approx(2.58e-3) and found.time_s == pytest.approx(3.58e-3)
    # 2 GB x 100 pJ, 64 MB x 150 pJ, 16.32 GFLOP x 1 pJ, 100 W x 3.58 ms: 163 W of 950, so nothing is cut.
    assert (found.weights_j, found.kv_j, found.compute_j, found.static_j) == pytest.approx(
        (0.2, 0.0096, 0.01632, 0.358)
    )
    assert found.energy_j == found.uncapped_j == pytest.approx(0.58392)


def test_a_step_that_multiplies_by_hand():
    found = step(batch=256.0)
    # 512 GFLOP and 10.24 of attention: 5.2224 ms, longer than reading; caches 2.56 ms; gaps 1 ms.
    assert found.dense_time_s == pytest.approx(5.2224e-3) and found.time_s == pytest.approx(8.7824e-3)
    # 0.2 + 0.3072 + 0.52224 J and 0.87824 J of static: 217 W.
    assert found.energy_j == pytest.approx(1.90768)


def test_two_accelerators_by_hand():
    found = step(n=2.0)
    # 1.25 ms of weights, 0.04 of caches, 1 of gaps; two sums a layer of 10 us, and 2 x 10 x 8 x 1,000 x 2 B = 320 kB
    # over 100 GB/s: 3.2 us.
    assert found.link_time_s == pytest.approx(203.2e-6) and found.time_s == pytest.approx(2.4932e-3)
    # Both send 320 kB at 10 pJ; 2 x 100 W flow.
    assert found.interconnect_j == pytest.approx(6.4e-6) and found.static_j == pytest.approx(0.49864)
    assert found.weights_j == pytest.approx(0.2)


def test_prompts_by_hand():
    # A prompt of 300 alone: 300 x 2 x 0.9e9 = 540 GFLOP, the output layer once: 0.2; each token looks back on 150, so
    # attention is 300 x 2 x 10 x 200 x 10 x 150 = 1.8: 542 GFLOP take 5.42 ms, and 1 ms of gaps. No cache is read.
    alone = bare.prompt(DENSE, UNIT, ROUND, 1.0, 300.0, usual())
    assert alone.time_s == pytest.approx(6.42e-3) and alone.kv_j == alone.cache_time_s == 0
    # 0.2 + 0.542 + 100 W x 6.42 ms.
    assert alone.energy_j == pytest.approx(1.384)
    # 8 sequences of 400 tokens: 0.02 prompts begin in each step.
    found = step(prompt=300.0, output=400.0)
    assert found.time_s == pytest.approx(3.58e-3 + 0.02 * 6.42e-3)
    assert found.energy_j == pytest.approx(0.58392 + 0.02 * 1.384)
    # A prompt of one token: 2.5 ms to read the weights and 1 ms of gaps; 0.2 J, 2 GFLOP and attention on half a token.
    short = step(prompt=1.0, output=400.0)
    assert short.time_s == pytest.approx(3.58e-3 + 0.02 * 3.5e-3)
    assert short.energy_j == pytest.approx(0.58392 + 0.02 * (0.2 + 2e-3 + 20e3 * 1e-12 + 0.35), rel=1e-9)
    # Without a prompt none begin, however short the answers.
    assert step(output=1.0) == step()


def test_a_board_at_its_limit_takes_longer():
    # 100 W rated: 10 flow, 95 at most. At the lower clock 0.9 x (0.2 + 0.3072) + 0.8 x 0.52224 = 0.874272 J are to be
    # spent at 85 W: 10.28556 ms instead of 8.7824.
    found = step(batch=256.0, tdp_w=100.0)
    assert found.time_s == pytest.approx(10.28555e-3, rel=1e-6)
    assert found.energy_j == pytest.approx(95 * 10.28555e-3, rel=1e-6) and found.uncapped_j > found.energy_j
    parts = (found.weights_j, found.kv_j, found.compute_j, found.interconnect_j, found.static_j)
    assert sum(parts) == pytest.approx(found.energy_j)
    # Each part is cut by the same share: 0.2 of 1.02944 + 10 W x 10.28555 ms.
    assert found.weights_j / found.energy_j == pytest.approx(0.2 / 1.1322955)


def test_a_lower_clock_alone_may_be_enough():
    # 130 W rated: 13 flow, 123.5 at most; 0.874272 J at 110.5 W are 7.91 ms, less than 8.7824, so the time stays. At
    # the prices of the highest clock it would draw (1.02944 + 13 W x 8.7824 ms) / 8.7824 ms = 130.2 W.
    found = step(batch=256.0, tdp_w=130.0)
    assert found.time_s == pytest.approx(8.7824e-3)
    assert found.uncapped_j == pytest.approx(1.1436112) and found.energy_j == pytest.approx(123.5 * 8.7824e-3)


def test_a_prompt_may_be_held_at_the_limit_while_steps_are_not():
    # 200 W rated, 20 flow, 190 at most. A step: 0.22592 J and 20 W, 83 W. A prompt: 0.742 J in 6.42 ms and 20 W, 136 W.
    # At 120 W rated, 12 and 114: the prompt's 0.9 x 0.2 + 0.8 x 0.542 = 0.6136 J at 102 W are 6.01569 ms, below 6.42;
    # its 0.742 + 12 W x 6.42 ms are cut to 114 W x 6.42 ms = 0.73188 J.
    free, held = (step(prompt=300.0, output=400.0, tdp_w=watts) for watts in (200.0, 120.0))
    assert free.energy_j == free.uncapped_j
    assert held.energy_j == pytest.approx(0.22592 + 12 * 3.58e-3 + 0.02 * 0.73188)


def test_a_mixture_by_hand():
    # Two sequences touch 1 - (7/8)^2 = 15/64 of the experts: 2 B x 8e9 x 15/64 = 3.75 GB, and 2 GB of the rest.
    found = step(MIXED, batch=2.0, zero_energy_j_per_flop=0.0)
    assert found.dense_time_s == pytest.approx(5.75e9 / 0.8e12) and found.weights_j == pytest.approx(0.575)
    # A token multiplies with 1e9 + 8e9 / 8 = 2e9: 2 x 2 x 2e9 = 8 GFLOP, and 0.08 of attention.
    assert found.compute_j == pytest.approx(8.08e9 * 1e-12)
    # 2 x 2 rows over 16 x 15/64 touched experts are 16/15 each, so 128 - 16/15 rows of nothing for 8e9 x 15/64 weights.
    padded = step(MIXED, batch=2.0)
    assert padded.compute_j - found.compute_j == pytest.approx(3.75e9 * (128 - 16 / 15) * 0.4e-12)
    assert padded.time_s == found.time_s
    # Where every expert has as many rows as a tile, nothing is filled up: 1,024 x 2 / 16 = 128.
    full = [step(MIXED, batch=1024.0, zero_energy_j_per_flop=price, tdp_w=1e4).compute_j for price in (0.0, 0.4e-12)]
    assert full[0] == pytest.approx(full[1])


def test_unpacking_keeps_the_multiprocessors_busy():
    # A fifth of 1,000 W during 3.58 ms.
    found = step(unpacking_tdp_share=0.2)
    assert found.compute_j == pytest.approx(0.01632 + 0.716) and found.time_s == pytest.approx(3.58e-3)


@pytest.mark.parametrize("net", [DENSE, MIXED], ids=["dense", "mixture"])
def test_arrays_hold_what_numbers_give(net):
    batch, context = numpy.array([1.0, 40.0, 700.0]), numpy.array([10.0, 2000.0, 900.0])
    counts, prompt = numpy.array([1.0, 2.0, 8.0]), numpy.array([0.0, 100.0, 3000.0])
    for tdp_w in (1000.0, 90.0):
        together = step(net, counts, batch, context, prompt, 50.0, tdp_w)
        for place, run in enumerate(zip(counts, batch, context, prompt)):
            alone = step(net, *map(float, run), 50.0, tdp_w)
            several = [numpy.broadcast_to(one, batch.shape)[place] for one in together]
            assert several == pytest.approx(list(alone), rel=1e-12)


# Networks and what is counted of them, against the script that ran them

ROWS = rows()
STEPS = [run for run in power_runs() if run.kind == "decode" and bare.model_of(run) and not run.repeat_rest]


@pytest.mark.parametrize("run", STEPS, ids=lambda run: run.id)
def test_steps_are_counted_as_the_script_counted_its_tensors(run):
    row, found = ROWS[run.id], expect(bare.case_of(run))
    # Without a limit, rows of nothing at no price, and nothing for unpacking.
    found = found.vary(zero_energy_j_per_flop=0.0, unpacking_tdp_share=0.0, plateau_tdp_share=math.inf)
    weights = found.step.weights_j / found.inputs["weight_energy_j_per_byte"]
    caches = found.step.kv_j / found.inputs["cache_energy_j_per_byte"]
    # Groups of 64 in PyTorch's int4, 4.25 bits; 4.156 in the format of the catalog.
    near = 0.02 if run.weight_format == "int4" else 0.005
    assert weights == pytest.approx(row["weight_bytes_per_step"], rel=near)
    assert weights + caches == pytest.approx(row["memory_bytes_per_s"] / row["steps_per_s"], rel=near)
    flop = found.step.compute_j / found.inputs["flop_energy_j_per_flop"]
    assert flop == pytest.approx(row["flop_per_s"] / row["steps_per_s"], rel=0.005)


def test_the_output_layer_stays_in_16_bit():
    model, bf16 = catalog.model("llama-3.1-8b"), catalog.number_format("bf16")
    # 128,256 x 4,096 = 525,336,576 weights of 7,504,924,672: 2 B each, the others 1.
    net = bare.network(model, catalog.number_format("fp8"), bf16)
    assert net.params_head == 525_336_576
    assert net.params_shared * net.shared_bytes == pytest.approx(6_979_588_096 + 2 * 525_336_576)
    assert bare.network(model, bf16, bf16).shared_bytes == 2


# Constants, by hand from rows

LLAMA = catalog.model("llama-3.1-8b")
HEAD = 525_336_576 / 7_504_924_672
# Watts and rates of the first H100: 114.40 with clocks up, 141.11 where the sweep begins (tests/step/test_metered.py).
START_W, STREAM, PRODUCT, PRODUCT_8 = 141.110, 3.0242e12, 657.46e12, 1126.1e12
FLOP_J, FLOP_J_8 = 1.09182e-12, 0.62667e-12


def constants(machine, weight_format="bf16"):
    return bare.constants(catalog.accelerator(machine), catalog.number_format(weight_format), LLAMA)


def rates(machine, weight_format="bf16"):
    return bare.unit(catalog.accelerator(machine), catalog.number_format(weight_format), LLAMA)


def fitted_rows():
    """Decode rows of the dense network on the first H100, in 16 and 8 bit."""
    some = [row for id, row in ROWS.items() if id.startswith("h100-") and row["kind"] == "decode"]
    assert len(some) == 15 and {row["weight_format"] for row in some} == {"bf16", "fp8"}
    return some


def test_the_gap_per_layer_by_least_squares():
    # Time = 32 layers x gap + the longer of reading weights and multiplying + reading caches, each relative to the
    # measured time; the sum of squares is least at sum(a b) / sum(a a).
    above = below = 0.0
    for row in fitted_rows():
        time = 1 / row["steps_per_s"]
        rate = PRODUCT if row["weight_format"] == "bf16" else 1 / (HEAD / PRODUCT + (1 - HEAD) / PRODUCT_8)
        caches = row["memory_bytes_per_s"] * time - row["weight_bytes_per_step"]
        known = max(row["weight_bytes_per_step"] / STREAM, row["flop_per_s"] * time / rate) + caches / STREAM
        above += 32 / time * (1 - known / time)
        below += (32 / time) ** 2
    assert bare.fitted().layer_time_s == pytest.approx(above / below, rel=2e-3)
    # 68 us, where the gap of a server is 79 (data/calibration.csv, h100-sxm).
    assert above / below == pytest.approx(68e-6, rel=0.01)


def test_the_prices_of_a_byte_by_least_squares():
    # Watts - 141.11 - operations = w x weights/s + c x caches/s: the two normal equations.
    ww = wc = cc = wy = cy = yy = 0.0
    for row in fitted_rows():
        price = FLOP_J if row["weight_format"] == "bf16" else HEAD * FLOP_J + (1 - HEAD) * FLOP_J_8
        weights = row["weight_bytes_per_step"] * row["steps_per_s"]
        caches = row["memory_bytes_per_s"] - weights
        rest = row["power_w"] - START_W - price * row["flop_per_s"]
        ww, wc, cc = ww + weights**2, wc + weights * caches, cc + caches**2
        wy, cy, yy = wy + weights * rest, cy + caches * rest, yy + rest**2
    by_hand = (cc * wy - wc * cy) / (ww * cc - wc**2), (ww * cy - wc * wy) / (ww * cc - wc**2)
    found = bare.fitted()
    assert (found.weight_energy_j_per_byte, found.cache_energy_j_per_byte) == near(by_hand, 1e-3)
    # Dearer than a stream of nothing but weights, 112.65 pJ/B above the same start.
    assert by_hand == near((123.3e-12, 134.5e-12), 1e-3)
    # Squares left over, for each of 15 - 2 degrees of freedom; twice the root of what that leaves open of each price.
    each = (yy - by_hand[0] * wy - by_hand[1] * cy) / 13 / (ww * cc - wc**2)
    spreads = [getattr(found, f"{name}_spread") for name in bare.PRICES]
    assert spreads == near([2 * (each * cc) ** 0.5, 2 * (each * ww) ** 0.5], 0.02)


def test_constants_of_the_fitted_board():
    found, kind = constants("h100-sxm")
    assert kind == "measured"
    assert found.static_tdp_share * 700 == pytest.approx(START_W, rel=1e-5)
    assert found.flop_energy_j_per_flop == near(FLOP_J)
    # (h100-12) 3.0242 of the rated 3.35 TB/s; (692.94 + 697.84) / 2 W at the limit.
    assert found.reached_bandwidth_share == pytest.approx(3.0242 / 3.35) and found.unpacking_tdp_share == 0
    assert found.plateau_tdp_share * 700 == pytest.approx(695.39)
    # Of a byte of random bits, 132.10 pJ, only the 42.85 of the way from the cache go with the clock of the processor:
    # 1 - (1 - 0.81388) x 42.85 / 132.10.
    assert found.limited_byte_share == pytest.approx(0.93963, rel=1e-5)
    # 6 us: NVIDIA's NCCL, issue 1259. 1.3 pJ/bit: NVLink 4.
    assert found.sum_time_s == 6e-6 and found.link_energy_j_per_byte == near(10.4e-12)
    assert rates("h100-sxm").product_flop_per_s == PRODUCT
    # Integer arithmetic on all multiprocessors, 284.37 - 114.40 W, where weights are to be unpacked.
    assert constants("h100-sxm", "int4")[0].unpacking_tdp_share * 700 == pytest.approx(169.97)


def test_in_8_bit_the_output_layer_keeps_price_and_rate_of_16():
    assert constants("h100-sxm", "fp8")[0].flop_energy_j_per_flop == near(HEAD * FLOP_J + (1 - HEAD) * FLOP_J_8)
    assert rates("h100-sxm", "fp8").product_flop_per_s == pytest.approx(1 / (HEAD / PRODUCT + (1 - HEAD) / PRODUCT_8))


def test_another_measured_board_takes_the_fitted_prices_times_its_own_stream():
    found, kind = constants("h200-sxm")
    assert kind == "measured"
    # h200-12 over h100-12, both above the start of their sweep: 112.025 over 112.655 pJ/B.
    for name in bare.PRICES:
        assert getattr(found, name) == near(getattr(bare.fitted(), name) * 112.025 / 112.655)
    assert found.static_tdp_share * 700 == pytest.approx(160.912, rel=1e-5)
    assert found.flop_energy_j_per_flop == near(1.08165e-12)
    assert found.layer_time_s == bare.fitted().layer_time_s
    assert rates("h200-sxm").product_flop_per_s == 664.43e12


def test_a_board_that_was_not_measured_is_scaled_from_the_fitted_one():
    found, kind = constants("b200")
    assert kind == "scaled"
    # 1,000 W and 2,250 TFLOP/s for 700 W and 989: an operation takes 0.62794 of the energy.
    assert found.flop_energy_j_per_flop == near(FLOP_J * 1000 / 700 * 989 / 2250)
    assert found.static_tdp_share == pytest.approx(START_W / 700, rel=1e-5)
    # HBM3e for HBM3: 3.44 for 3.92 pJ/bit (data/energy_constants.csv), so 3.84 pJ less for a byte.
    for name in bare.PRICES:
        assert getattr(found, name) == near(getattr(bare.fitted(), name) - 3.84e-12)
    assert rates("b200").product_flop_per_s == pytest.approx(PRODUCT / 989 * 2250)
    # HBM2e: 4.3 pJ/bit, 3.04 pJ more for a byte.
    older = constants("a100-sxm-80gb")[0]
    assert older.weight_energy_j_per_byte == near(bare.fitted().weight_energy_j_per_byte + 3.04e-12)


def test_ends_of_what_is_held():
    found = bare.held(catalog.accelerator("h100-sxm"))
    static = found["static_tdp_share"]
    # Clocks up, the start of the sweep, and the end of its 95 %.
    assert [700 * end for end in (static.low, static.central, static.high)] == pytest.approx(
        [114.40, 141.11, 150.49], abs=0.01
    )
    # The fit's own, as worked out above.
    for name in bare.PRICES:
        price, spread = getattr(bare.fitted(), name), getattr(bare.fitted(), f"{name}_spread")
        assert (found[name].low, found[name].central, found[name].high) == near((price - spread, price, price + spread))
    assert set(found) == {"static_tdp_share", *bare.PRICES}


def test_a_network_that_no_run_describes():
    assert bare.model_of(next(run for run in power_runs() if run.id == "h100c-00")) is None
    assert bare.model_of(next(run for run in power_runs() if run.kind == "memory")) is None
    assert {bare.model_of(run).entity for run in STEPS} == {"llama-3.1-8b", "qwen3-30b-a3b"}


# Elasticities: the slopes of the formula are those of its differences.

ASKED = {
    "reads": {"batch": 32.0, "context_tokens": 1024.0},
    "multiplies": {"batch": 400.0, "context_tokens": 100.0},
    "plateau": {"batch": 240.0, "context_tokens": 600.0},
    "prompts": {"batch": 64.0, "context_tokens": 600.0, "prompt_tokens": 500.0, "output_tokens": 200.0},
    "int4": {"batch": 4.0, "context_tokens": 1000.0, "weight_format": "int4"},
    "mixture": {"model": "qwen3-30b-a3b", "accelerator": "h200-sxm", "batch": 16.0, "context_tokens": 1024.0},
    "two": {"n_accelerators": 2, "batch": 8.0, "context_tokens": 500.0},
}  # fmt: skip


@pytest.mark.parametrize("case", ASKED)
def test_elasticities_agree_with_differences(case):
    found = estimate(**{"model": "llama-3.1-8b", "accelerator": "h100-sxm", "software": "bare", **ASKED[case]})
    assert (found.bound == "power") == (case in ("multiplies", "plateau", "prompts", "mixture"))
    for quantity in ("j_per_token", "tokens_per_s"):
        slopes = llmpower.elasticities(found, quantity)
        for name, value in found.inputs.items():
            if not 0 < value < math.inf:
                continue
            low, high = (getattr(found.vary(**{name: value * factor}), quantity) for factor in (1 - 1e-5, 1 + 1e-5))
            by_difference = (high - low) / 2e-5 / getattr(found, quantity)
            assert slopes.get(name, 0.0) == pytest.approx(by_difference, abs=1e-5), (quantity, name)


def test_elasticities_by_hand():
    # One sequence: 32 gaps of the 7 ms of a step are its slope; the rest goes with the bandwidth.
    found = estimate("llama-3.1-8b", "h100-sxm", context_tokens=1024, software="bare")
    speed = llmpower.elasticities(found, "tokens_per_s")
    gaps = 32 * bare.fitted().layer_time_s
    # 15,009,849,344 B of weights and 131,072 B x 1,024 of cache.
    read = (15_009_849_344 + 134_217_728) / STREAM
    assert speed["layer_time_s"] == pytest.approx(-gaps / (gaps + read), rel=1e-6)
    assert speed["memory_bandwidth_bytes_per_s"] == pytest.approx(read / (gaps + read), rel=1e-6)
    # What flows, weights, caches and operations are all of the energy.
    energy = llmpower.elasticities(found)
    parts = ("static_tdp_share", *bare.PRICES, "flop_energy_j_per_flop")
    assert sum(energy[name] for name in parts) == pytest.approx(1)


# The fit cannot have seen what it left out


def prices(found):
    return [getattr(found, name) for name in ("layer_time_s", *bare.PRICES)]


def without(batch):
    return [run for run in bare.dense_runs() if run.batch != batch]


def test_a_fold_has_constants_of_its_own(data):
    assert prices(bare.fitted(without(1))) != prices(bare.fitted())
    whole, fold = prices(bare.fitted()), prices(bare.fitted(without(1)))
    spoil(data, "h100-26", power_w=1.2, steps_per_s=0.8)
    assert prices(bare.fitted(without(1))) == fold
    assert prices(bare.fitted()) != near(whole, 1e-3)
    # A row that the fold keeps moves it.
    spoil(data, "h100-27", power_w=1.2, steps_per_s=0.8)
    assert prices(bare.fitted(without(1))) != near(fold, 1e-3)


def test_the_boards_parts_do_not_know_the_steps_that_are_predicted(data):
    def parts():
        board = metered.board("h100-sxm")
        names = (
            "static_w byte_j marginal_byte_j l2_byte_j flop_j zero_flop_j limited_share product_flop_per_s plateau_w"
        )
        return [getattr(board, name) for name in names.split()]

    before = parts()
    for run in bare.dense_runs():
        spoil(data, run.id, power_w=1.05, steps_per_s=0.9)
    assert parts() == before
