"""Generations of accelerators: gains by hand, as the ledger of claims has them, and what has no answer."""

import csv
import itertools
import math
import statistics

import pytest

from llmpower.chips import generations
from llmpower.facts import catalog, tables
from llmpower.facts.claims import claim
from llmpower.formulas import decode, escalator

RATED = [name for name in catalog.names("accelerator") if catalog.accelerator(name).get("tdp_w")]


def test_the_articles_factors_by_hand():
    # ln 6 = 1.791759, ln (10/3) = 1.203973, sum 2.995732: 59.81 %; the ledger of claims prints 60/40.
    assert escalator.efficiency_share(6, 10 / 3) == pytest.approx(1.791759 / 2.995732, rel=1e-5)
    # The slip: 6/30.
    assert escalator.quotient_share(6, 30) == pytest.approx(claim("C27").value)
    # Kept 30 to 50 with 3.33 times the power: 9 to 15 times the efficiency, as the ledger has it.
    found = generations.repairs()["efficiency"]
    assert (found.efficiency.low, found.efficiency.high) == pytest.approx((9, 15))
    # Kept 6 and 30 to 50: ln 6 / ln 50 = 0.4580 and ln 6 / ln 30 = 0.5268, the ledger's 46 to 53 %.
    found = generations.repairs()["power"]
    assert (found.share.low, found.share.high) == pytest.approx((0.4580, 0.5268), abs=1e-4)
    # 300 W x 5 and x 8.33.
    assert 300 * found.power.high == pytest.approx(2500)


def test_ratings_from_v100_to_b200_as_the_ledger_of_claims_has_them():
    # C24: 18, 36 and 72 times the peak, 8.9 times the bandwidth; C23: 5.4, 10.8, 21.6 and 2.67 per watt.
    for metric, performance, per_watt in (
        ("bf16", 18, 5.4),
        ("fp8", 36, 10.8),
        ("fp4", 72, 21.6),
        ("bandwidth", 8.89, 2.67),
    ):
        found = generations.gains("v100-sxm2-32gb", "b200", metric)
        assert found.performance.central == pytest.approx(performance, rel=2e-3)
        assert found.efficiency.central == pytest.approx(per_watt, rel=2e-3)
        assert found.performance.low <= found.performance.central <= found.performance.high


def test_a_measured_pair_by_hand():
    # Llama 3.1 70B, chat, at most 8 at once: 3.75871 J on four H100, 3.56927 J on two B200; 1765.43 W and 1698.02 W.
    (pair,) = [
        one
        for one in generations.measured_pairs("h100-sxm", "b200")
        if one.max_batch == 8 and one.n_accelerators == (4, 2) and abs(one.power_gain - 1698.02 / 1765.43) < 1e-5
    ]
    assert pair.token_gain == pytest.approx(3.75871 / 3.56927, rel=1e-5)
    # 475.734 over 469.689 tokens a second, as printed beside them.
    assert pair.speed_gain == pytest.approx(475.734 / 469.689, rel=1e-4)
    assert pair.rating_use == pytest.approx((1765.43 / 2800, 1698.02 / 2000))


def test_measured_pairs_counted_apart_from_the_package():
    runs = []
    for name in ("measurements", "validation"):
        runs += csv.DictReader((tables.DATA / f"{name}.csv").open())
    runs = [run for run in runs if run["power_w"]]
    equal = "published_model weight_format task software max_batch prompt_tokens".split()

    def gains(first, last, board):
        return [
            float(a["j_per_token"]) / float(b["j_per_token"])
            for a in runs
            for b in runs
            if (a["accelerator"], b["accelerator"]) == (first, last) and all(a[name] == b[name] for name in equal)
            if not a["anomaly"] and not b["anomaly"] and board(int(a["n_accelerators"]) - int(b["n_accelerators"]))
        ]

    cases = (("a100-sxm-40gb", "h100-sxm", 0), ("h100-sxm", "b200", 0), ("h100-sxm", "b200", 1))
    for first, last, more in cases:
        apart = gains(first, last, (lambda n: n > 0) if more else (lambda n: n == 0))
        found = [
            one.token_gain
            for one in generations.measured_pairs(first, last)
            if not one.marked
            and ((one.n_accelerators[0] > one.n_accelerators[1]) if more else len(set(one.n_accelerators)) == 1)
        ]
        assert sorted(found) == pytest.approx(sorted(apart), rel=1e-4)
        assert generations.spread(found).central == pytest.approx(statistics.median(apart), rel=1e-4)


def test_pairs_of_unlike_formats_stay_apart():
    # By an own sum over the rows of both tables: 52 pairs in 16 or 8 bits, 47 of which grew more in watts, and 21 in 4.
    alike = [
        one
        for one in generations.measured_pairs("h100-sxm", "b200")
        if not one.marked and len(set(one.n_accelerators)) == 1
    ]
    four = [one for one in alike if one.weight_format == "mxfp4"]
    rest = [one for one in alike if one.weight_format in ("bf16", "fp8")]
    found = [(len(some), sum(one.power_gain > one.token_gain for one in some)) for some in (rest, four)]
    assert found == [(52, 47), (21, 3)]
    medians = [generations.spread([one.token_gain for one in some]).central for some in (rest, four)]
    assert medians == pytest.approx([1.038, 1.388], abs=1e-3)
    # The mixtures among the former: 21 pairs of four networks of Qwen.
    mixed = [one for one in rest if catalog.model(one.model).get("n_experts")]
    assert len(mixed) == 21 and generations.spread([one.token_gain for one in mixed]).central < 1


def test_best_runs_leave_marked_runs_out():
    # The sum without the package, over the rows that carry no mark.
    runs = []
    for name in ("measurements", "validation"):
        runs += csv.DictReader((tables.DATA / f"{name}.csv").open())
    best = {}
    for run in runs:
        if run["power_w"] and not run["anomaly"]:
            key = tuple(run[name] for name in ("published_model", "weight_format", "task", "software"))
            of = best.setdefault(key, {})
            of[run["accelerator"]] = min(float(run["j_per_token"]), of.get(run["accelerator"], math.inf))
    apart = [of["h100-sxm"] / of["b200"] for of in best.values() if {"h100-sxm", "b200"} <= of.keys()]
    found = generations.best_gains("h100-sxm", "b200")
    assert len(found) == 17 and sorted(found) == pytest.approx(sorted(apart), rel=1e-4)
    assert generations.spread(found).central == pytest.approx(1.79, abs=5e-3)
    # With them, hybrid networks that are slower on the B200 come in.
    assert len(generations.best_gains("h100-sxm", "b200", with_marked=True)) == 25
    assert min(generations.best_gains("h100-sxm", "b200", with_marked=True)) < 1


def test_boards_without_a_rating_of_their_vendor_are_not_counted_near_it():
    # 644 runs with watts; 24 are of the GH200, whose power is a limit set on one machine.
    assert len(generations.metered()) == 644
    assert sum(count for _, count in generations.near_rating().values()) == 620
    assert sum(run.accelerator == "gh200" for run in generations.metered()) == 24


def test_growth_a_year_by_hand():
    # 5.4 and 21.6 times in seven years: the seventh roots are 1.2724 and 1.5511; Epoch AI prints 50 % and 26 %.
    for metric, yearly in (("bf16", 0.2724), ("fp4", 0.5511)):
        found = generations.gains("v100-sxm2-32gb", "b200", metric)
        assert escalator.annual_growth(found.efficiency.central, found.n_years) == pytest.approx(yearly, abs=1e-4)


def test_what_air_cools_and_when_a_part_was_announced():
    # Wattchmen measured air-cooled V100 and A100; AMD and Intel print passive cooling at 750 W and 900 W.
    air = {record.entity for record, _ in generations.boards_by_cooling("air")}
    assert {"v100-sxm2-32gb", "a100-sxm-80gb", "h100-pcie", "mi300x", "gaudi-3", "b200", "b300"} <= air
    # Google I/O, 18 May 2021.
    assert catalog.accelerator("tpu-v4").year == 2021


def test_the_makers_stacks_by_hand():
    # 1,024 pins at 9.6 Gb/s are 1,228.8 GB/s, at 3.9 pJ/bit 38.34 W; 2,048 at 11.7 Gb/s 2,995.2 GB/s, at 2.79 66.85 W.
    for name, watts in (("hbm3e-samsung", 38.34), ("hbm4-samsung", 66.85)):
        stack = catalog.memory_stack(name)
        rate = decode.stack_bandwidth_bytes_per_s(stack.interface_bits, stack.pin_rate_bytes_per_s)
        assert decode.memory_power_w(rate, catalog.energy_constant(name).energy_j_per_byte) == pytest.approx(
            watts, abs=5e-3
        )
    # 40 % more bits per joule: 3.9 / 1.4 = 2.79; 40 % fewer joules per bit: 3.9 x 0.6 = 2.34, and 56.07 W, 1.46 times.
    price = catalog.energy_constant("hbm4-samsung")["energy_j_per_byte"]
    assert [end / 8e-12 for end in price.ends] == pytest.approx([2.34, 2.79, 2.79])
    assert 2995.2e9 * price.low / 38.34 == pytest.approx(1.46, abs=5e-3)


def test_powers_that_are_no_ratings_are_told_apart():
    found = {one.name: one for one in generations.power_history()}
    apart = {name for name, one in found.items() if not one.vendor_power}
    assert {"tpu-v4", "gh200", "rubin"} <= apart and not apart & set(generations.ARTICLE_SERIES)
    assert (found["gh200"].low_w, found["gh200"].high_w) == (700, 900)


def test_every_pair_and_metric_has_an_answer():
    for first, last, metric in itertools.product(RATED, RATED, generations.GAIN_METRICS):
        found = generations.gains(first, last, metric)
        assert found.direction in ("up", "down", "apart", "none")
        assert (found.share is None) == (found.direction in ("apart", "none"))
        if found.share:
            assert 0 <= found.share.low <= found.share.central <= found.share.high <= 1
        assert math.isfinite(found.efficiency.central) and found.efficiency.low <= found.efficiency.high
    for name, metric in itertools.product(RATED, generations.GAIN_METRICS):
        assert generations.budget(name, metric, 1000).whole >= 0


def test_a_missing_peak_falls_back_and_says_so():
    # The V100 knows no 4-bit numbers: its 16-bit peak counts.
    # The RTX 4060 has no peak in the facts: bandwidth counts for both.
    mixed = generations.gains("v100-sxm2-32gb", "b200", "fp4")
    assert mixed.words == ("16-bit peak", "4-bit peak") and mixed.fallback and not mixed.same_definition
    bare = generations.gains("rtx-4060", "b200", "bf16")
    assert bare.words == ("memory bandwidth", "memory bandwidth") and bare.fallback
    assert not generations.gains("h100-sxm", "b200", "fp8").fallback
    assert generations.gains("h100-sxm", "h100-sxm", "bf16").direction == "none"
    assert generations.gains("h100-pcie", "h100-sxm", "bf16").direction == "apart"
    assert generations.gains("b200", "v100-sxm2-32gb", "bf16").direction == "down"
