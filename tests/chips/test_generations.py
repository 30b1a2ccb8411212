"""Generations of accelerators: gains by hand, as the ledger of claims has them, and what has no answer."""

import itertools
import math

import pytest

from llmpower.chips import generations
from llmpower.facts import catalog
from llmpower.facts.claims import claim
from llmpower.formulas import escalator

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


def test_measured_gain_as_the_ledger_of_claims_has_it():
    # C23: 1.05 at batch 8, 1.11 at 32, 1.98 at the best of each.
    found = {label: one.gain for label, one in generations.measured_gains().items()}
    assert (found["8"], found["32"], found["most"]) == pytest.approx((1.05, 1.11, 1.98), abs=5e-3)
    # Power times mean time between tokens, over the batch: 1765.4 W x 16.57 ms / 7.99 = 3.66 J, within a few
    # percent of the 3.76 J that the same rows print, which divide by the output of the whole run.
    assert generations.measured_gains()["8"].energy_j[0] == pytest.approx(1765.428 * 0.016573 / 7.98667, rel=0.04)


def test_what_the_small_batch_leaves_of_the_promise():
    # 3.75871/3.569266 x 1698.02/1765.428 = 1.0129 times the tokens a second.
    # They come from 2 x 8/(4 x 3.35) = 1.194 times the bandwidth.
    lone = generations.measured_gains()["8"]
    assert (lone.speed_gain, lone.bandwidth_gain) == pytest.approx((1.0129, 1.1940), abs=1e-4)
    # Draw and speed together are the gap between the ratings' 8/3.35/(1000/700) = 1.672 and the measured 1.053.
    gap = lone.rating_use[1] / lone.rating_use[0] * lone.bandwidth_gain / lone.speed_gain
    assert gap == pytest.approx(8 / 3.35 * 0.7 / lone.gain)


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
    # The M4 has no peak in the facts: bandwidth counts for both.
    mixed = generations.gains("v100-sxm2-32gb", "b200", "fp4")
    assert mixed.words == ("16-bit peak", "4-bit peak") and mixed.fallback and not mixed.same_definition
    bare = generations.gains("m4", "b200", "bf16")
    assert bare.words == ("memory bandwidth", "memory bandwidth") and bare.fallback
    assert not generations.gains("h100-sxm", "b200", "fp8").fallback
    assert generations.gains("h100-sxm", "h100-sxm", "bf16").direction == "none"
    assert generations.gains("h100-pcie", "h100-sxm", "bf16").direction == "apart"
    assert generations.gains("b200", "v100-sxm2-32gb", "bf16").direction == "down"
