"""Catalog and formulas joined, against calculations written out."""

import math

import numpy
import pytest

import llmpower.step.bound
from llmpower.facts import catalog
from llmpower.facts.claims import ARTICLE_CASE


def test_the_articles_case_by_hand():
    case = llmpower.step.counts(**ARTICLE_CASE)
    # 70,553,706,496 parameters at 2 B; a step does not read the 128,256 x 8,192 of the input embedding.
    assert case.weight_stored_bytes == 141_107_412_992
    assert case.weight_read_bytes == 141_107_412_992 - 2 * 128_256 * 8_192
    # 80 layers x 2 x 8 heads x 128 x 2 B x 32,768 tokens.
    assert case.kv_cache_bytes == case.kv_traffic_bytes == 10_737_418_240
    assert case.linear_flop == 141_107_412_992 - 2 * 128_256 * 8_192
    assert case.attention_flop == 85_899_345_920


def test_four_h200_at_batch_64_by_hand():
    step = llmpower.step.counts("llama-3.1-70b", 64, 4096)
    assert step.kv_cache_bytes == 1_342_177_280  # 327,680 B x 4,096
    weights, caches = 139_006_066_688, 64 * 1_342_177_280
    assert step.weight_read_bytes == weights
    bound = llmpower.step.step_bound(step, 64, "h200-sxm", 4)
    assert bound.memory_time_s == pytest.approx((weights + caches) / (4 * 4.8e12))
    # 64 x (139.0 + 10.74) GFLOP over 4 x 989 TFLOP/s is 2.4 ms, below the 11.7 ms of the memory.
    assert bound.bound == "bandwidth"
    assert bound.tokens_per_s == pytest.approx(64 * 4 * 4.8e12 / (weights + caches))
    fit = llmpower.step.memory_fit(step, 64, "h200-sxm", 4)
    assert fit.fits and fit.needed_bytes == 141_107_412_992 + caches
    assert fit.accelerators_needed == 2  # 227.0 GB over 141 GB
    energy = llmpower.step.step_energy(step, 64, llmpower.step.constants()["typical"])
    assert energy.weights_j == pytest.approx(weights * 93.44e-12)
    assert energy.kv_j == pytest.approx(caches * 93.44e-12)
    assert energy.compute_j == pytest.approx(64 * (139_006_066_688 + 10_737_418_240) * 0.52e-12)
    assert energy.per_token_j == pytest.approx((energy.weights_j + energy.kv_j + energy.compute_j) / 64)


def test_shares_of_the_ledger():
    # facts/claims, section 4: weights only, 16 bit; batch 1, 32 and 256 with low, typical, high and the article's constants.
    ledger = {
        "low": (0.978, 0.580, 0.147),
        "typical": (0.994, 0.849, 0.412),
        "high": (0.998, 0.938, 0.656),
        "article": (0.998, 0.943, 0.676),
    }
    for name, printed in ledger.items():
        for batch, share in zip((1, 32, 256), printed):
            energy = llmpower.step.step_energy(
                llmpower.step.counts("llama-3.1-70b", batch, 0), batch, llmpower.step.constants()[name]
            )
            assert energy.movement_share == pytest.approx(share, abs=0.001)


def test_a_mixture_reads_more_as_the_batch_grows():
    net = catalog.model("mixtral-8x7b")
    for batch, share in ((1, 1 / 4), (2, 7 / 16), (4, 175 / 256)):
        step = llmpower.step.counts("mixtral-8x7b", batch, 0)
        assert step.expert_share == pytest.approx(share)
        assert step.weight_read_bytes == pytest.approx(2 * (net.params_shared + share * net.params_routed))
    # Arithmetic per token does not grow: two experts, whatever the batch.
    assert (
        llmpower.step.counts("mixtral-8x7b", 64, 0).linear_flop
        == llmpower.step.counts("mixtral-8x7b", 1, 0).linear_flop
    )


def test_latent_attention_keeps_576_values_a_layer():
    # DeepSeek-V3: 61 layers x (512 + 64) x 2 B = 70,272 B per token.
    assert llmpower.step.counts("deepseek-v3", 1, 1).kv_cache_bytes == 70_272
    # Absorbed form: 128 heads x (576 + 512) products, two operations each, over 61 layers.
    assert llmpower.step.counts("deepseek-v3", 1, 1).attention_flop == 2 * 128 * (576 + 512) * 61


def test_windows_stop_growing():
    # Gemma 3 27B: 10 full layers, 52 in a window of 1,024; 16 KV heads x 128 x 2 x 2 B = 8,192 B a layer and token.
    assert llmpower.step.counts("gemma-3-27b", 1, 10_000).kv_cache_bytes == 8_192 * (10 * 10_000 + 52 * 1_024)


def test_recurrent_state_does_not_depend_on_context():
    net = catalog.model("nemotron-nano-9b-v2")
    short, long = (llmpower.step.counts("nemotron-nano-9b-v2", 1, context) for context in (0, 1000))
    assert short.kv_cache_bytes == 4 * net.state_values  # kept in 32 bits
    assert short.kv_traffic_bytes == 8 * net.state_values  # read and written
    # 4 attention layers x 2 x 8 heads x 128 x 2 B.
    assert long.kv_cache_bytes - short.kv_cache_bytes == 1000 * 16_384


def test_mxfp4_quantizes_only_the_experts_of_a_mixture():
    net = catalog.model("gpt-oss-120b")
    stored = llmpower.step.counts("gpt-oss-120b", 1, 0, "mxfp4").weight_stored_bytes
    assert stored == pytest.approx((net.params_total - net.params_routed) * 2 + net.params_routed * 4.25 / 8)
    dense = llmpower.step.counts("llama-3.1-8b", 1, 0, "mxfp4").weight_stored_bytes
    assert dense == pytest.approx(catalog.model("llama-3.1-8b").params_total * 4.25 / 8)


def test_break_even():
    pair = llmpower.step.constants()["article"]
    # Without a cache 533.3; with 32K of cache movement wins at every batch.
    assert llmpower.step.break_even_batch("llama-3.1-70b", 0, "bf16", "bf16", pair) == pytest.approx(533.33, rel=1e-4)
    assert llmpower.step.break_even_batch("llama-3.1-70b", 32768, "bf16", "bf16", pair) == math.inf
    # A mixture: the smallest whole batch at which arithmetic has caught up.
    found = llmpower.step.break_even_batch("mixtral-8x7b", 0, "bf16", "bf16", pair)
    shares = [
        llmpower.step.step_energy(llmpower.step.counts("mixtral-8x7b", batch, 0), batch, pair).movement_share
        for batch in (found - 1, found)
    ]
    assert shares[0] > 0.5 >= shares[1]


def test_arrays_of_batches():
    batches = numpy.array([1, 8, 64])
    step = llmpower.step.counts("qwen3-30b-a3b", batches, 2048)
    energy = llmpower.step.step_energy(step, batches, llmpower.step.constants()["typical"])
    for place, batch in enumerate(batches):
        alone = llmpower.step.step_energy(
            llmpower.step.counts("qwen3-30b-a3b", int(batch), 2048), int(batch), llmpower.step.constants()["typical"]
        )
        assert energy.per_token_j[place] == pytest.approx(alone.per_token_j)


def test_what_does_not_fit():
    fit = llmpower.step.memory_fit(llmpower.step.counts("llama-3.1-70b", 1, 0), 1, "h100-sxm", 1)
    assert not fit.fits and fit.accelerators_needed == 2 and fit.most_sequences == 0
    assert fit.missing_bytes == 141_107_412_992 - 80_000_000_000


def test_an_accelerator_without_a_peak_is_bound_by_bandwidth():
    bound = llmpower.step.step_bound(llmpower.step.counts("qwen3-4b", 1, 0), 1, "m4", 1)
    assert bound.bound == "bandwidth" and bound.compute_time_s == 0
