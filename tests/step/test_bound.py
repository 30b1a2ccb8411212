"""The least a step can take, against calculations written out."""

import math

import numpy
import pytest

import llmpower
from llmpower.step.bound import break_even_batch, counts, memory_fit, step_bound, step_energy
from llmpower.step.constants import constants


def test_four_h200_at_batch_64_by_hand():
    step = counts("llama-3.1-70b", 64, 4096)
    assert step.kv_cache_bytes == 1_342_177_280  # 327,680 B x 4,096
    weights, caches = 139_006_066_688, 64 * 1_342_177_280
    assert step.weight_read_bytes == weights
    bound = step_bound(step, 64, "h200-sxm", 4)
    assert bound.memory_time_s == pytest.approx((weights + caches) / (4 * 4.8e12))
    # 64 x (139.0 + 10.74) GFLOP over 4 x 989 TFLOP/s is 2.4 ms, below the 11.7 ms of the memory.
    assert bound.bound == "bandwidth"
    assert bound.tokens_per_s == pytest.approx(64 * 4 * 4.8e12 / (weights + caches))
    fit = memory_fit(step, 64, "h200-sxm", 4)
    assert fit.fits and fit.needed_bytes == 141_107_412_992 + caches
    assert fit.accelerators_needed == 2  # 227.0 GB over 141 GB
    energy = step_energy(step, 64, constants()["typical"])
    assert energy.weights_j == pytest.approx(weights * 93.44e-12)
    assert energy.kv_j == pytest.approx(caches * 93.44e-12)
    assert energy.compute_j == pytest.approx(64 * (139_006_066_688 + 10_737_418_240) * 0.52e-12)
    assert energy.per_token_j == pytest.approx((energy.weights_j + energy.kv_j + energy.compute_j) / 64)


def test_shares_of_the_ledger():
    # facts/claims, section 4: weights only, 16 bit; batch 1, 32 and 256 with low, typical, high and the article's
    # constants.
    ledger = {
        "low": (0.978, 0.580, 0.147),
        "typical": (0.994, 0.849, 0.412),
        "high": (0.998, 0.938, 0.656),
        "article": (0.998, 0.943, 0.676),
    }
    for name, printed in ledger.items():
        for batch, share in zip((1, 32, 256), printed):
            energy = step_energy(counts("llama-3.1-70b", batch, 0), batch, constants()[name])
            assert energy.movement_share == pytest.approx(share, abs=0.001)


def test_break_even():
    pair = constants()["article"]
    # Without a cache 533.3; with 32K of cache movement wins at every batch.
    assert break_even_batch("llama-3.1-70b", 0, "bf16", "bf16", pair) == pytest.approx(533.33, rel=1e-4)
    assert break_even_batch("llama-3.1-70b", 32768, "bf16", "bf16", pair) == math.inf
    # A mixture: the smallest whole batch at which arithmetic has caught up.
    found = break_even_batch("mixtral-8x7b", 0, "bf16", "bf16", pair)
    shares = [step_energy(counts("mixtral-8x7b", batch, 0), batch, pair).movement_share for batch in (found - 1, found)]
    assert shares[0] > 0.5 >= shares[1]


def test_arrays_of_batches():
    batches = numpy.array([1, 8, 64])
    step = counts("qwen3-30b-a3b", batches, 2048)
    energy = step_energy(step, batches, constants()["typical"])
    for place, batch in enumerate(batches):
        alone = step_energy(counts("qwen3-30b-a3b", int(batch), 2048), int(batch), constants()["typical"])
        assert energy.per_token_j[place] == pytest.approx(alone.per_token_j)


def test_what_does_not_fit():
    fit = memory_fit(counts("llama-3.1-70b", 1, 0), 1, "h100-sxm", 1)
    assert not fit.fits and fit.accelerators_needed == 2 and fit.most_sequences == 0
    assert fit.missing_bytes == 141_107_412_992 - 80_000_000_000


def test_an_accelerator_without_a_peak_is_bound_by_bandwidth():
    bound = step_bound(counts("qwen3-4b", 1, 0), 1, "m4", 1)
    assert bound.bound == "bandwidth" and bound.compute_time_s == 0


def test_a_bound_counts_the_experts_of_its_own_batch():
    # 1 - (1 - 4/128)^32 = 0.638 of the routed weights at batch 32, 4/128 at batch 1: not the weights of one sequence.
    alone, many = (llmpower.counts("gpt-oss-120b", batch, 0, "mxfp4") for batch in (1, 32))
    assert step_bound(alone, 32, "h200-sxm", 1).tokens_per_s == step_bound(many, 32, "h200-sxm", 1).tokens_per_s
    prices = llmpower.constants()["typical"]
    assert step_energy(alone, 32, prices).per_token_j == step_energy(many, 32, prices).per_token_j
