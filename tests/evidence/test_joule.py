"""Where a joule of a board goes: shares by hand from rows of `data/power_runs.csv`, sums, and what is not explained."""

from types import SimpleNamespace

import pytest

from llmpower import estimate
from llmpower.evidence import joule
from llmpower.facts.runs import power_runs
from llmpower.ranges import Range
from llmpower.step import bare
from tests.facts.power_rows import rows, spoil

ROWS = rows()
RUNS = {run.id: run for run in power_runs()}
# Of the first H100 board, worked out in tests/step/test_metered.py: with clocks up, where its sweep of traffic begins;
# a byte of weights above the one and above the other; an operation at 1,980 MHz, and how it falls with the clock.
UP_W, START_W, BYTE_J, LESS_BYTE_J, FLOP_J, SLOPE = 114.40, 141.110, 121.487e-12, 112.655e-12, 1.09182e-12, 0.64652


def ends(part):
    return part.low, part.central, part.high


def test_a_division_by_hand():
    """A made-up board, 500 W at 2 TB/s."""
    board = SimpleNamespace(
        byte_j={"bf16 normal": 120e-12, "random bits": 150e-12}, marginal_byte_j={"bf16 normal": 110e-12},
        byte_j_at={2e12: 200e-12}.get, chip_byte_j=50e-12,
        chip_byte_j_at={2e12: 70e-12}.get, l2_byte_j=Range(40e-12, 45e-12, 50e-12),
        static_w=Range(100.0, 100.0, 140.0), limited_share=0.8, limited_byte_share=0.9,
    )  # fmt: skip
    found = joule.divide(board, 500.0, 2e12, operations_w=30.0, zero_operations_w=10.0, memory_power_w=90.0)
    # A byte of weights takes 0.8 of one of random bits, which costs 200 pJ at this rate: 110, 120, 160 pJ.
    assert ends(found.moving_w) == pytest.approx((220, 240, 320))
    parts = found.parts
    assert ends(parts["flows anyway"]) == (100, 100, 140)
    # 50 pJ of chips; the meter's own figure rose by 90 W; a stream of this rate asks for 70 pJ.
    assert ends(parts["memory chips"]) == pytest.approx((90, 100, 140))
    # 0.8 x 40, 45, 50 pJ from the cache on.
    assert ends(parts["on the chip"]) == pytest.approx((64, 90, 100))
    # What is between: 240 - 100 - 90; at least 220 - 140 - 100, so nothing, at most 320 - 90 - 64.
    assert ends(parts["way to the chip"]) == pytest.approx((0, 50, 166))
    # 500 - 100 - 240 - 30 = 130 W are left; if all of them are arithmetic it takes 160.
    assert ends(parts["arithmetic"]) == pytest.approx((10, 30, 160))
    # Floor and byte go together, 100 with 120 or 160 pJ, 140 with 110: 160, 80 or 140 W are left for both. Least:
    # 80 - 30; most: 160 - 10.
    assert ends(parts["not assigned"]) == pytest.approx((50, 130, 150))
    assert sum(part.central for part in parts.values()) == pytest.approx(500)
    assert ends(found.share("not assigned")) == pytest.approx((0.1, 0.26, 0.3))
    # Where nobody read the memory's own figure, its price alone is known.
    assert ends(joule.divide(board, 500.0, 2e12, 30.0, 10.0).parts["memory chips"]) == pytest.approx((100, 100, 140))
    # A board at its limit has 400 W for 240 and 200 W: 40 too much, of which a low voltage spares up to 24 and 40 W, so
    # five eighths of that: 225 and 175 W, and nothing is left over.
    limited = joule.divide(board, 500.0, 2e12, 200.0, 60.0)
    assert limited.moving_w.central == pytest.approx(225)
    assert limited.parts["arithmetic"].central == pytest.approx(175)
    assert limited.parts["not assigned"].central == pytest.approx(0, abs=1e-9)
    # 240 and 300 W: even 216 and 240 W are too much, so each takes 400 / 456 of that.
    crowded = joule.divide(board, 500.0, 2e12, 300.0, 60.0)
    assert crowded.moving_w.central == pytest.approx(216 * 400 / 456)


# Run -> watts, bytes and operations per second, clock, as its row has them, and the shares of power in per cent:
# 114.40 W, 121.487 pJ/B, 1.0918 pJ/FLOP less 0.64652 of what the clock lacks, and what is left.
SHARES = {
    "h100-26": (404.03, 2.1639e12, 2.2214e12, 1980, (28.31, 65.07, 0.60, 6.02)),
    "h100-29": (499.24, 2.2702e12, 5.8503e13, 1980, (22.91, 55.24, 12.79, 9.05)),
    "h100-32": (689.37, 2.5104e12, 2.0237e14, 1965, (16.59, 44.24, 31.89, 7.27)),
}


@pytest.mark.parametrize("id", SHARES)
def test_shares_of_a_dense_network_by_hand(id):
    power_w, traffic, flop, clock, per_cent = SHARES[id]
    row = ROWS[id]
    assert (power_w, traffic, flop, clock) == tuple(
        row[name] for name in ("power_w", "memory_bytes_per_s", "flop_per_s", "sm_clock_mhz")
    )
    operations_w = FLOP_J * (1 - SLOPE * (1 - clock / 1980)) * flop
    watts = (UP_W, BYTE_J * traffic, operations_w)
    by_hand = [*watts, power_w - sum(watts)]
    assert [100 * one / power_w for one in by_hand] == pytest.approx(per_cent, abs=0.01)
    found = joule.of_run(RUNS[id])
    names = ("flows anyway", joule.MOVES, "arithmetic", "not assigned")
    assert [found.share(name).central for name in names] == pytest.approx([one / power_w for one in by_hand], rel=1e-4)
    # What flows anyway is at most where the sweep begins, and then a byte costs less.
    assert found.parts["flows anyway"].high == pytest.approx(START_W, rel=1e-5)
    assert found.moving_w.low == pytest.approx(LESS_BYTE_J * traffic, rel=1e-5)
    # All that is left may be arithmetic.
    assert found.parts["arithmetic"].high == pytest.approx(operations_w + by_hand[-1], rel=1e-4)


def test_ends_of_what_one_request_moves_by_hand():
    # h100-26 at 2.1639 TB/s, where random bits cost 137.90 pJ/B, between h100-06 (139.09 at 1.9851) and h100-05 (133.80
    # at 2.78); weights take 121.487 / 132.102 of that. 112.655 to 126.82 pJ/B of 404.03 W: 60.3 to 67.9 %.
    moves = joule.of_run(RUNS["h100-26"]).share(joule.MOVES)
    assert (moves.low, moves.high) == pytest.approx((0.60335, 0.67923), rel=1e-4)
    # The memory's own figure rose by 126.0 - 26.1 = 99.9 W; by its price at full rate, 53.24 pJ/B, by 115.2 W; by that
    # of a sweep at this rate, 60.526 pJ between 61.357 and 57.662, by 130.97 W.
    chips = joule.of_run(RUNS["h100-26"]).parts["memory chips"]
    assert ends(chips) == pytest.approx((99.9, 115.20, 130.97), rel=1e-4)


@pytest.mark.parametrize("run", joule.step_runs(), ids=lambda run: run.id)
def test_parts_of_a_run_sum_to_its_power(run):
    found = joule.of_run(run)
    assert set(found.parts) == set(joule.PARTS) and found.power_w == run.power_w
    assert sum(part.central for part in found.parts.values()) == pytest.approx(run.power_w)
    moved = (found.parts[name].central for name in ("memory chips", "way to the chip", "on the chip"))
    assert sum(moved) == pytest.approx(found.moving_w.central)
    assert all(part.supported for part in (*found.parts.values(), found.moving_w))


@pytest.mark.parametrize("id", SHARES)
def test_a_case_is_divided_as_its_run_is(id):
    run = joule.of_run(RUNS[id])
    case = joule.of_case(bare.case_of(RUNS[id]))
    assert case.power_w == pytest.approx(run.power_w, rel=0.025)
    for name in (*joule.PARTS, joule.MOVES):
        ours, theirs = run.share(name), case.share(name)
        # In a case nobody reads the memory's own figure, which in a step rises by less than in a stream.
        assert (ours.low <= theirs.high and theirs.low <= ours.high) or name == "memory chips", name
        assert theirs.central == pytest.approx(ours.central, abs=0.02), name


def test_the_estimate_of_one_request_is_one_of_the_readings_of_its_run():
    found = estimate("llama-3.1-8b", "h100-sxm", context_tokens=1024, software="bare")
    watts = {name: energy * found.tokens_per_s for name, energy in found.energy_by_part.items()}
    run = joule.of_run(RUNS["h100-26"])
    assert found.power_w == pytest.approx(run.power_w, rel=0.005)
    static, moving, arithmetic = (run.parts["flows anyway"], run.moving_w, run.parts["arithmetic"])
    # In watts, since their sums differ by 0.1 %. What flows is the upper end of the reading: where the sweep begins.
    assert static.low < watts["static"] == pytest.approx(static.high)
    assert moving.low < watts["weights"] + watts["kv"] < moving.high
    assert arithmetic.low < watts["compute"] < arithmetic.high


def test_two_accelerators_are_divided_as_one_board():
    case = estimate("llama-3.1-8b", "h100-sxm", 2, batch=8, context_tokens=1024, software="bare")
    found = joule.of_case(case.case)
    assert found.power_w == pytest.approx(case.power_w / 2)
    assert sum(part.central for part in found.parts.values()) == pytest.approx(found.power_w)
    # Half of 15,009,849,344 B and of 8 x 131,072 x 1,024 B each, in the time of the step.
    traffic = (15_009_849_344 + 8 * 134_217_728) / 2 / case.step_s
    assert found.moving_w.central == pytest.approx(BYTE_J * traffic, rel=1e-4)


def test_a_case_at_its_limit_moves_what_it_moves():
    case = estimate("llama-3.1-8b", "h100-sxm", batch=240, context_tokens=600, software="bare")
    assert case.bound == "power"
    # 15,009,849,344 B of weights and 240 x 131,072 x 600 B of caches, in the time of the step.
    traffic = (15_009_849_344 + 240 * 131_072 * 600) / case.step_s
    assert joule.of_case(case.case).moving_w.central == pytest.approx(BYTE_J * traffic, rel=1e-4)


def test_a_case_may_be_asked_in_other_software():
    # Divided is what the board would draw without a server.
    served, alone = (
        estimate("llama-3.1-8b", "h100-sxm", context_tokens=1024, software=software).case
        for software in ("vllm", "bare")
    )
    assert joule.of_case(served) == joule.of_case(alone)


# What parts explain

TABLE = joule.closure()
APART, PRICED = (TABLE[column] / TABLE["power_w"] - 1 for column in ("apart_w", "priced_w"))
# Kind of run -> how many whole per cent parts measured apart fall short of the meter, at least and at most.
SHORT = {
    "dense, bf16": (6, 12),
    "dense, fp8": (6, 13),
    "dense, int4": (40, 54),
    "mixture of experts, bf16": (26, 31),
    "dense, bf16, with rests": (12, 12),
    "prompts, bf16": (-4, 3),
}


def test_the_table_has_every_run_of_a_step():
    assert set(TABLE["kind"]) == set(SHORT)
    # 17 on the first board, 14 on the second; the third ran another software.
    assert len(TABLE) == 31 and TABLE["id"].is_unique


def test_what_is_left_of_a_run_by_hand():
    apart = dict(zip(TABLE["id"], TABLE["apart_w"]))
    assert apart["h100-26"] == pytest.approx(UP_W + BYTE_J * 2.1639e12 + FLOP_J * 2.2214e12, rel=1e-5)
    # A mixture at batch 16, h100b-14, also by the first board's constants: 395 of 567 W.
    assert apart["h100b-14"] == pytest.approx(UP_W + BYTE_J * 2.2544e12 + FLOP_J * 5.983e12, rel=1e-5)
    assert apart["h100b-14"] / 567.30 == pytest.approx(0.696, abs=0.001)


@pytest.mark.parametrize("kind", SHORT)
def test_parts_measured_apart_fall_short_by_kind(kind):
    short = -100 * APART[TABLE["kind"] == kind]
    assert (round(short.min()), round(short.max())) == SHORT[kind]


def test_the_improved_form_leaves_less():
    assert 100 * PRICED.abs().max() <= 9
    decode = TABLE["kind"] != "prompts, bf16"
    assert (PRICED.abs() < APART.abs())[decode].all()
    # No kind of run lies far to one side.
    means = (100 * PRICED).groupby(TABLE["kind"]).mean()
    assert means.abs().max() < 7 and means["dense, bf16"] == pytest.approx(0, abs=1)


def test_a_priced_run_by_hand():
    # h100-26: 141.11 W, and per second 142.89 steps: 15,009,849,344 B of weights and 134,217,728 B of cache at the
    # fitted prices, and 2.2214 TFLOP/s.
    prices = bare.fitted()
    weights, caches = (142.89 * n_bytes for n_bytes in (15_009_849_344, 134_217_728))
    by_hand = START_W + FLOP_J * 2.2214e12
    by_hand += prices.weight_energy_j_per_byte * weights + prices.cache_energy_j_per_byte * caches
    assert joule.priced_w(RUNS["h100-26"]) == pytest.approx(by_hand, rel=1e-4)


def test_a_run_with_rests_by_hand():
    # h100b-11, 63.402 steps a second. A step of 32 sequences: 15.01 GB and 32 x 134.2 MB at 3.0242 TB/s and 32 gaps,
    # 8.56 ms, so 54.3 % of the time; 141.11 W flow then, and 114.40 W in the rests.
    prices, n_bytes = bare.fitted(), (15_009_849_344, 32 * 134_217_728)
    busy = 63.402 * (sum(n_bytes) / 3.0242e12 + 32 * prices.layer_time_s)
    assert busy == pytest.approx(0.543, abs=0.001)
    moved = prices.weight_energy_j_per_byte * n_bytes[0] + prices.cache_energy_j_per_byte * n_bytes[1]
    flop = 32 * (15_009_849_344 + 524_288 * 1024)
    by_hand = START_W * busy + UP_W * (1 - busy) + 63.402 * (moved + FLOP_J * flop)
    assert joule.priced_w(RUNS["h100b-11"]) == pytest.approx(by_hand, rel=1e-4)


def test_a_prompt_by_hand():
    # h100-37: 2,048 tokens, 20.511 times a second, at 1,530 MHz: an operation costs 1 - 0.64652 x (1 - 1,530 / 1,980)
    # of 1.0918 pJ. Its last token alone goes through the output layer; a token looks back on 1,024. 114.40 W flow.
    flop = 2048 * (15_009_849_344 - 2 * 525_336_576) + 2 * 525_336_576 + 2048 * 524_288 * 1024
    assert 20.511 * flop == pytest.approx(6.0889e14, rel=0.01)
    operations = FLOP_J * (1 - SLOPE * (1 - 1530 / 1980)) * flop
    by_hand = UP_W + 20.511 * (bare.fitted().weight_energy_j_per_byte * 15_009_849_344 + operations)
    assert joule.priced_w(RUNS["h100-37"]) == pytest.approx(by_hand, rel=1e-4)


def test_networks_of_another_board_are_met_by_its_energy():
    """The second H100 board, of which no constant was fitted: joules per token of kinds that the form knows."""
    other = TABLE[(TABLE["board"] == "H100 board 2") & TABLE["kind"].isin(["dense, fp8", "mixture of experts, bf16"])]
    errors = 100 * (other["predicted_j_per_token"] / other["j_per_token"] - 1).abs()
    assert len(other) == 8 and errors.max() <= 11
    assert errors[other["kind"] == "dense, fp8"].max() <= 1


# The promise: what was left out of the fit is predicted


def least_middle_most(errors):
    errors = 100 * errors.abs()
    return errors.median(), errors.mean(), errors.quantile(0.9)


@pytest.mark.parametrize("by", ["batch", "weight_format"])
def test_steps_left_out_of_the_fit_are_predicted(by):
    table = joule.held_out(by)
    assert sorted(table["id"]) == sorted(run.id for run in bare.dense_runs()) and len(table) == 15
    for quantity, bounds in (("power_w", (5, 7, 12)), ("j_per_token", (6, 8, 14))):
        assert all(found <= bound for found, bound in zip(least_middle_most(table[quantity]), bounds)), quantity


def predicted(by, id):
    """Power and speed that are predicted for a run when its batch, or its format, is left out of the fit."""
    table = joule.held_out(by).set_index("id").loc[id]
    run = next(run for run in power_runs() if run.id == id)
    return [(1 + table[name]) * getattr(run, name) for name in ("power_w", "tokens_per_s")]


@pytest.mark.parametrize("by, id", [("batch", "h100-26"), ("batch", "h100-32"), ("weight_format", "h100-40")])
def test_a_prediction_does_not_know_the_run_it_is_compared_with(by, id, data):
    before, fitted = predicted(by, id), bare.fitted().weight_energy_j_per_byte
    spoil(data, id, power_w=1.05, steps_per_s=0.8, tokens_per_s=0.8, j_per_token=1.3, memory_bytes_per_s=0.8)
    assert predicted(by, id) == pytest.approx(before, rel=1e-12)
    # The whole fit has seen it.
    assert bare.fitted().weight_energy_j_per_byte != pytest.approx(fitted, rel=1e-6)


def test_errors_for_the_table_are_those_of_held_out_runs():
    table = {(runs, quantity): row for _, runs, quantity, *row in joule.accuracy_rows()}
    # Each of 15 dense runs twice, and six mixtures by constants of a dense network.
    counts = {"dense": 30, "moe": 6, "all": 36}
    assert {runs: row[0] for (runs, _), row in table.items()} == counts
    dense = sorted(
        100 * error for by in ("batch", "weight_format") for error in joule.held_out(by)["j_per_token"].abs()
    )
    assert float(table["dense", "j_per_token"][1]) == pytest.approx((dense[14] + dense[15]) / 2, abs=0.05)
    mixed = TABLE[TABLE["kind"] == "mixture of experts, bf16"]
    off = 100 * (mixed["predicted_j_per_token"] / mixed["j_per_token"] - 1).abs()
    assert float(table["moe", "j_per_token"][2]) == pytest.approx(off.mean(), abs=0.05)
