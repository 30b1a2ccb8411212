"""The least a step can take, against calculations written out."""

import math

import numpy
import pytest

import llmpower
from llmpower.step.bound import break_even_batch, counts, memory_fit, request_energy, step_bound, step_energy
from llmpower.step.constants import constants
from tests.facts.power_rows import near


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
    # constants; and with those that we measured.
    ledger = {
        # 3.92 pJ/bit and 1.0918 pJ/FLOP, by hand: 31.36 over 31.36 + 1.0918 x batch.
        "low": (0.966, 0.473, 0.101),
        "typical": (0.994, 0.849, 0.412),
        "high": (0.998, 0.938, 0.656),
        "article": (0.998, 0.943, 0.676),
        # 121.52 over 121.52 + 1.0918 x batch.
        "measured": (0.991, 0.777, 0.303),
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
    bound = step_bound(counts("qwen3-4b", 1, 0), 1, "m1", 1)
    assert bound.bound == "bandwidth" and bound.compute_time_s == 0


def test_a_bound_counts_the_experts_of_its_own_batch():
    # 1 - (1 - 4/128)^32 = 0.638 of the routed weights at batch 32, 4/128 at batch 1: not the weights of one sequence.
    alone, many = (llmpower.counts("gpt-oss-120b", batch, 0, "mxfp4") for batch in (1, 32))
    assert step_bound(alone, 32, "h200-sxm", 1).tokens_per_s == step_bound(many, 32, "h200-sxm", 1).tokens_per_s
    prices = llmpower.constants()["typical"]
    assert step_energy(alone, 32, prices).per_token_j == step_energy(many, 32, prices).per_token_j


# A request of Llama-3.1-8B with a prompt of 500 tokens and an answer of 500, by the prices of our own runs:
# 15.19 pJ/bit and 1.0918 pJ/FLOP. 15,009,849,344 B of weights, as many operations a token, 131,072 B of cache a token.
WEIGHTS, CACHE, PER_BYTE, PER_FLOP = 15_009_849_344, 131_072, 8 * 15.19e-12, 1.0918e-12
# The output layer takes 2 x 4,096 x 128,256 operations, which only the last token of a prompt needs.
HEAD = 1_050_673_152


def request(batch=1, cached=0.0, model="llama-3.1-8b", prompt=500, output=500):
    measured = constants()["measured"]
    assert measured == near((PER_BYTE, PER_FLOP))
    return request_energy(counts(model, 1, 0), batch, measured, prompt, output, cached)


def test_a_request_by_hand():
    found = request()
    # The prompt reads the weights once, each of 500 tokens does again: 501 x 15.0 GB x 121.52 pJ = 913.82 J.
    assert found.weights_j == pytest.approx(501 * WEIGHTS * PER_BYTE)
    # In the mean 750 tokens lie behind the new one: 500 x 750 x 131,072 B, 5.97 J.
    assert found.kv_j == pytest.approx(500 * 750 * CACHE * PER_BYTE)
    # Attention: 2 x 32 heads x 256 x 32 layers = 524,288 operations a token looked back on; a prompt's looks on 250.
    flop = 500 * (WEIGHTS + 524_288 * 250) - 499 * HEAD + 500 * (WEIGHTS + 524_288 * 750)
    assert found.compute_j == pytest.approx(flop * PER_FLOP)
    assert found.total_j == found.per_token_j == pytest.approx(913.822 + 5.97295 + 16.1016, rel=1e-5)
    assert found.movement_share == pytest.approx(0.9828, abs=1e-4)


def test_many_requests_share_the_weights_but_not_their_prompts():
    found = request(batch=32)
    assert found.weights_j == pytest.approx((1 + 500 / 32) * WEIGHTS * PER_BYTE)
    assert (found.kv_j, found.compute_j) == (request().kv_j, request().compute_j)


def test_what_a_cache_held_is_not_computed():
    # 250 tokens are computed, and look back on 375 in the mean; weights are read for them all the same.
    found = request(cached=0.5)
    assert found.weights_j == pytest.approx(501 * WEIGHTS * PER_BYTE) and found.kv_j == request().kv_j
    flop = 250 * (WEIGHTS + 524_288 * 375) - 249 * HEAD + 500 * (WEIGHTS + 524_288 * 750)
    assert found.compute_j == pytest.approx(flop * PER_FLOP)
    # All of it was held: the tokens of the answer are all.
    held, answer = request(cached=1.0), step_energy(counts("llama-3.1-8b", 1, 750), 1, constants()["measured"])
    assert held.weights_j == pytest.approx(500 * answer.weights_j) and held.kv_j == pytest.approx(500 * answer.kv_j)
    assert held.compute_j == pytest.approx(500 * answer.compute_j)


def test_a_request_without_a_prompt_is_its_tokens():
    found = request(prompt=0, output=100)
    answer = step_energy(counts("llama-3.1-8b", 1, 50), 1, constants()["measured"])
    assert found.total_j == pytest.approx(100 * answer.total_j)


def test_a_prompt_of_a_mixture_touches_nearly_all_experts():
    # Qwen3-30B-A3B: 28,991,029,248 routed weights, 8 of 128 experts a token, and 1,229,928,448 beside them, at 2 B.
    # A token reads 8/128 of the former; a prompt of 100 touches 1 - (15/16)^100 = 99.84 %.
    found = request(model="qwen3-30b-a3b", prompt=100, output=1)
    read = 2 * (2 * 1_229_928_448 + 28_991_029_248 * (1 - (15 / 16) ** 100 + 8 / 128))
    assert found.weights_j == pytest.approx(read * PER_BYTE)


def test_long_prompts_turn_the_share_round():
    # 32 requests of 32,768 tokens and 500 of answer: while decoding most moves data, with the prompts most computes.
    prices = constants()["measured"]
    decoding = step_energy(counts("llama-3.1-70b", 32, 32768), 32, prices).movement_share
    whole = request_energy(counts("llama-3.1-70b", 1, 0), 32, prices, 32768, 500).movement_share
    # Per token of the answer: 139.0 GB / 32 + 33,018 x 327,680 B = 15.16 GB, 1.843 J; 139.0 + 2 x 64 x 256 x 80 x
    # 33,018 = 225.6 GFLOP, 0.246 J. The prompt: 139.0 GB, 16.9 J; 32,768 x (139.0 - 2.1 + 42.95) GFLOP, 6,434 J.
    assert decoding == pytest.approx(0.882, abs=0.002)
    assert whole == pytest.approx((16.892 + 500 * 1.8425) / (16.892 + 500 * 1.8425 + 6434.5 + 500 * 0.2463), rel=1e-3)
    assert whole < 0.15 < 0.85 < decoding
