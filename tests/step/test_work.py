"""What a step reads, keeps and computes, against calculations written out, and the same whoever asks."""

import math
import re

import pytest

import llmpower
from llmpower.arguments import ParameterError
from llmpower.estimate import expect
from llmpower.facts import catalog
from llmpower.facts.claims import ARTICLE_CASE
from llmpower.step.bound import counts, memory_fit, step_bound
from llmpower.step.case import case
from llmpower.step.measures import Prices, cost
from llmpower.step.spill import deliver
from llmpower.step.work import fewest, fits, needed_bytes, work


def test_the_articles_case_by_hand():
    step = counts(**ARTICLE_CASE)
    # 70,553,706,496 parameters at 2 B; a step does not read the 128,256 x 8,192 of the input embedding.
    assert step.weight_stored_bytes == 141_107_412_992
    assert step.weight_read_bytes == 141_107_412_992 - 2 * 128_256 * 8_192
    # 80 layers x 2 x 8 heads x 128 x 2 B x 32,768 tokens.
    assert step.kv_cache_bytes == step.kv_traffic_bytes == 10_737_418_240
    assert step.linear_flop == 141_107_412_992 - 2 * 128_256 * 8_192
    assert step.attention_flop == 85_899_345_920


def test_a_mixture_reads_more_as_the_batch_grows():
    net = catalog.model("mixtral-8x7b")
    for batch, share in ((1, 1 / 4), (2, 7 / 16), (4, 175 / 256)):
        step = counts("mixtral-8x7b", batch, 0)
        assert step.expert_share == pytest.approx(share)
        assert step.weight_read_bytes == pytest.approx(2 * (net.params_shared + share * net.params_routed))
    # Arithmetic per token does not grow: two experts, whatever the batch.
    assert counts("mixtral-8x7b", 64, 0).linear_flop == counts("mixtral-8x7b", 1, 0).linear_flop


def test_latent_attention_keeps_576_values_a_layer():
    # DeepSeek-V3: 61 layers x (512 + 64) x 2 B = 70,272 B per token.
    assert counts("deepseek-v3", 1, 1).kv_cache_bytes == 70_272
    # Absorbed form: 128 heads x (576 + 512) products, two operations each, over 61 layers.
    assert counts("deepseek-v3", 1, 1).attention_flop == 2 * 128 * (576 + 512) * 61


def test_windows_stop_growing():
    # Gemma 3 27B: 10 full layers, 52 in a window of 1,024; 16 KV heads x 128 x 2 x 2 B = 8,192 B a layer and token.
    assert counts("gemma-3-27b", 1, 10_000).kv_cache_bytes == 8_192 * (10 * 10_000 + 52 * 1_024)


def test_recurrent_state_does_not_depend_on_context():
    net = catalog.model("nemotron-nano-9b-v2")
    short, long = (counts("nemotron-nano-9b-v2", 1, context) for context in (0, 1000))
    assert short.kv_cache_bytes == 4 * net.state_values  # kept in 32 bits
    assert short.kv_traffic_bytes == 8 * net.state_values  # read and written
    # 4 attention layers x 2 x 8 heads x 128 x 2 B.
    assert long.kv_cache_bytes - short.kv_cache_bytes == 1000 * 16_384


def test_mxfp4_quantizes_only_the_experts_of_a_mixture():
    net = catalog.model("gpt-oss-120b")
    stored = counts("gpt-oss-120b", 1, 0, "mxfp4").weight_stored_bytes
    assert stored == pytest.approx((net.params_total - net.params_routed) * 2 + net.params_routed * 4.25 / 8)
    dense = counts("llama-3.1-8b", 1, 0, "mxfp4").weight_stored_bytes
    assert dense == pytest.approx(catalog.model("llama-3.1-8b").params_total * 4.25 / 8)


def test_parts_of_a_network_have_widths_of_their_own():
    net = catalog.model("gpt-oss-120b")
    # 36 layers of 2,880 x 64 x (64 + 64 + 8 + 8) weights; an output layer of 201,088 x 2,880; and 116.8 billion in all.
    attention, output = 36 * 2_880 * 64 * (2 * 64 + 2 * 8), 201_088 * 2_880
    assert net.attention_params == attention == 955_514_880
    rest = net.params_shared - attention - output
    named = "bf16,experts=mxfp4,attention=fp8,output=int8,embedding=fp8"
    step = counts("gpt-oss-120b", 1, 0, named)
    read = attention + output + 2 * rest
    assert step.weight_read_bytes == pytest.approx(read + net.params_routed * 4 / 128 * 4.25 / 8)
    assert step.weight_stored_bytes == pytest.approx(read + output + net.params_routed * 4.25 / 8)
    # What is not named has the format in front, or that of `rest`, which does not count for experts.
    for one, width in (("fp8", 1), ("mxfp4,rest=fp8", 1), ("mxfp4", 2)):
        assert counts("gpt-oss-120b", 1, 0, one).weight_read_bytes - net.params_routed / 32 * (
            1 if one == "fp8" else 4.25 / 8
        ) == pytest.approx(width * net.params_shared)
    # A plain name with its own parts said again is the same.
    plain, again = (counts("llama-3.1-8b", 1, 0, one) for one in ("fp8", "fp8,output=fp8,embedding=fp8,attention=fp8"))
    assert (plain.weight_read_bytes, plain.weight_stored_bytes) == (again.weight_read_bytes, again.weight_stored_bytes)


def test_formats_for_the_layers_between_keep_their_ends_wide():
    # Llama-3.1-8B: 128,256 x 4,096 weights in its embedding and in its output layer, of 8,030,261,248.
    end = 128_256 * 4_096
    for one, bits in (("fp8-channel", 8), ("w8a16", 8), ("int4-g32", 4.625), ("nf4", 4.5), ("nvfp4", 4.5)):
        between = (8_030_261_248 - 2 * end) * bits / 8
        step = counts("llama-3.1-8b", 1, 0, one)
        assert step.weight_read_bytes == pytest.approx(between + 2 * end)
        assert step.weight_stored_bytes == pytest.approx(between + 4 * end)


@pytest.mark.parametrize(
    ("model", "formats", "told"),
    [
        ("gpt-oss-120b", ("fp8,expert=mxfp4",), "'expert': not a part of a network; those are experts, attention"),
        ("gpt-oss-120b", ("fp8,experts=nvfp5",), "experts: no format is called 'nvfp5'"),
        ("gpt-oss-120b", ("fp9,experts=fp8",), "no format is called 'fp9'"),
        ("llama-3.1-8b", ("fp8,experts=mxfp4",), "experts of llama-3.1-8b: it has none; allowed are attention, output"),
        ("llama-3.2-1b", ("fp8,embedding=bf16",), "it is the output layer, so name that"),
        ("nemotron-nano-9b-v2", ("fp8,attention=bf16",), "the catalog does not count it apart"),
        ("llama-3.1-8b", ("bf16", "fp8,output=bf16"), "kv_format: got 'fp8,output=bf16'; a cache has no parts"),
        ("llama-3.1-8b", ("fp8,output=bf16,output=fp8",), "one of its values is given twice"),
    ],
)
def test_a_part_that_is_not_there_is_one_clear_message(model, formats, told):
    with pytest.raises(ParameterError) as caught:
        llmpower.estimate(model, "h100-sxm", **dict(zip(("weight_format", "kv_format"), formats)))
    assert len(caught.value.problems) == 1 and told in str(caught.value)


def test_llama_405b_in_8_bits_keeps_some_weights_wide():
    # In 16 bit stay attention, 126 x (2 x 16,384 x 16,384 + 2 x 16,384 x 1,024) = 71,873,593,344 weights, the first
    # and the last layer, 2 x 3 x 16,384 x 53,248 = 5,234,491,392, and the output, 128,256 x 16,384 = 2,101,346,304.
    net = catalog.model("llama-3.1-405b")
    assert net.fp8_wide_params == 71_873_593_344 + 5_234_491_392 + 2_101_346_304 == 79_209_431_040
    # A step multiplies with 405,853,388,800 weights less an input embedding of 128,256 x 16,384: 403,752,042,496.
    # 79.209 G at 2 B and 324.543 G at 1 B are 482.961 GB, 1.19618 B each; the embedding at that width adds 2.514 GB.
    step = counts("llama-3.1-405b", 1, 0, "fp8")
    assert step.weight_read_bytes == pytest.approx(2 * 79_209_431_040 + 324_542_611_456)
    assert step.weight_stored_bytes == pytest.approx(485.5e9, rel=1e-4)
    # 485.5 GB over 80 GB are seven, which do not divide 128 heads.
    assert memory_fit(step, 1, "h100-sxm", 1).accelerators_needed == 8


# A layout decides what is kept twice


def laid_out(model, n, way, **more):
    """Work of a step of 32 sequences of 1,000 tokens on H100 boards."""
    return work(case(model, "h100-sxm", n, 32, context_tokens=1000, parallelism=way, **more))


def test_heads_are_copied_where_boards_share_sequences_only():
    # Qwen3 30B: 48 layers x 2 x 4 heads x 128 x 2 B = 98,304 B a token; of four heads eight boards keep each twice.
    for way, copies in (("tp", 2), ("ep", 2), ("dp", 1), ("pp", 1)):
        step = laid_out("qwen3-30b-a3b", 8, way)
        assert step.kv_cache_bytes == step.kv_traffic_bytes == copies * 98_304 * 1000
    # Of a latent cache each of eight keeps the whole: 61 x 576 x 2 B = 70,272 B a token; with its own sequences none.
    assert laid_out("deepseek-v3", 8, "tp").kv_cache_bytes == 8 * 70_272 * 1000
    assert laid_out("deepseek-v3", 8, "dp").kv_cache_bytes == 70_272 * 1000


def test_sequences_of_its_own_need_all_weights_but_the_experts():
    # Mixtral: 32 layers x 8 experts x 3 x 4,096 x 14,336 = 45,097,156,608 of 46,702,792,704 weights; 1,605,636,096 are
    # left, of which a step does not read the input embedding, 32,000 x 4,096.
    routed, rest, embedding = 45_097_156_608, 1_605_636_096, 131_072_000
    for way, each in (("tp", 1), ("ep", 1), ("pp", 1), ("dp", 4)):
        step = laid_out("mixtral-8x7b", 4, way)
        assert step.weight_stored_bytes == 2 * (each * rest + routed)
        # Of 32 sequences with two experts each none is left out but 0.75^32 of them.
        assert step.weight_read_bytes == pytest.approx(2 * (each * (rest - embedding) + (1 - 0.75**32) * routed))
        # Arithmetic is the same: a token is worked on once.
        assert step.linear_flop == 2 * (rest - embedding + routed / 4)
    # A board more keeps the rest once more.
    three, four = (case("mixtral-8x7b", "h100-sxm", n, 32, context_tokens=1000, parallelism="dp") for n in (3, 4))
    assert needed_bytes(four) - needed_bytes(three) == pytest.approx(2 * rest)


def test_a_published_batch_of_deepseek_fits_with_sequences_apart():
    # rtpllm2025deepseek: 13,200 requests of 4,000 + 2,000 tokens on 18 servers of eight H800, 80 GB each. A cache of
    # 5,000 tokens is 351 MB: 92 on a board are 32 GB; kept by every board, 4.6 TB.
    run = {"context_tokens": 5000, "weight_format": "fp8"}
    apart, shared = (case("deepseek-v3", "h100-sxm", 144, 13200, parallelism=way, **run) for way in ("dp", "ep"))
    assert fits(apart) and not fits(shared)


def test_the_fewest_accelerators_of_a_layout():
    # Llama-3.1-70B: 141.1 GB and a cache of 0.33 GB in seven times 0.9 x 24 GB; 64 heads are cut over eight.
    found = {way: fewest(case("llama-3.1-70b", "rtx-4090", 1, 1, context_tokens=1000, parallelism=way))
             for way in ("tp", "pp")}  # fmt: skip
    assert found == {"tp": 8, "pp": 7}
    # 400 GB of caches, at 2 x 80 x 8 x 128 x 2 B = 327,680 B a token, and the weights are 541 GB: 26 cards of 21.6 GB.
    run = {"batch": 1, "context_tokens": 400e9 / 327_680}
    assert fewest(case("llama-3.1-70b", "rtx-4090", 1, **run, parallelism="pp")) == 26
    # No more stages than layers: 80 x 21.6 GB are 1,728 GB.
    run["context_tokens"] = 1800e9 / 327_680
    assert fewest(case("llama-3.1-70b", "rtx-4090", 1, **run, parallelism="pp")) is None
    # Sequences apart may be spread over more boards than there are heads, 128.
    many = case("deepseek-v3", "h100-sxm", 1, 30000, context_tokens=5000, weight_format="fp8", parallelism="dp")
    assert 128 < fewest(many) <= 256


# One answer: what a step takes is the same whoever asks.

FORMATS = catalog.names("format")
# With a joule for each byte, and the rating for operations at the peak rate, the energies of a forecast are counts.
UNIT_PRICES = {
    "weight_energy_j_per_byte": 1.0, "cache_energy_j_per_byte": 1.0, "operation_tdp_share": 1.0,
    "compute_tdp_share": 0.0, "unpacking_tdp_share": 0.0, "plateau_tdp_share": math.inf,
    # A bound knows of no tokens that choose the same experts.
    "expert_overlap_share": 0.0,
}  # fmt: skip


@pytest.fixture(params=catalog.names("model"))
def cases(request):
    """Cases of one network on H100 boards: one, several, more than it has heads; every format, alone and together."""
    return [
        case(request.param, "h100-sxm", n, batch, context_tokens=context, weight_format=weights, kv_format=cache)
        for n in (1, 8, 64)
        for weights in FORMATS
        for cache in ("bf16", "fp8")
        for batch in (1, 32)
        for context in (0, 32768)
    ]


def test_bytes_and_operations_are_the_same_for_all(cases):
    for one in cases:
        found = work(one)
        expected = pytest.approx((found.read_bytes, found.step_flop), rel=1e-12)
        forecast = expect(one).vary(**UNIT_PRICES).step
        rates = one.accelerator.dense_bf16_flop_per_s / one.accelerator.tdp_w
        assert (forecast.weights_j + forecast.kv_j, forecast.compute_j * rates) == expected
        n, formats = one.n_accelerators, (one.weight_format.entity, one.kv_format.entity)
        by_name = llmpower.counts(one.model.entity, one.batch, one.context_tokens, *formats, n)
        assert (by_name.read_bytes, by_name.step_flop) == (found.read_bytes, found.step_flop)
        # A bound counts for as many accelerators as it is asked for, whatever its counts were made for.
        alone = llmpower.counts(one.model.entity, one.batch, one.context_tokens, *formats)
        bound = step_bound(alone, one.batch, one.accelerator, n)
        assert bound.memory_time_s * n * one.accelerator.memory_bandwidth_bytes_per_s == pytest.approx(found.read_bytes)
        assert memory_fit(alone, one.batch, one.accelerator, n).needed_bytes == deliver(one, math.inf).needed_bytes
        # A mixture is one by a measure, and so are narrow weights.
        measures = ["moe"] * (one.model.n_experts > 0) + ["quantization"] * (one.weight_format.entity != "bf16")
        priced = cost(one, measures, Prices(1.0, 1.0, 0.0))
        assert (priced.weights_j + priced.kv_j, priced.compute_j) == expected
        assert deliver(one, math.inf).read_bytes == found.read_bytes


def test_the_fewest_accelerators_are_the_same_for_all(cases):
    for one in cases:
        fit = memory_fit(work(one), one.batch, one.accelerator, one.n_accelerators)
        assert fit.fits == fits(one)
        needed = fit.accelerators_needed
        assert needed == fewest(one)
        names = {name: getattr(one, name).entity for name in ("model", "accelerator", "weight_format", "kv_format")}
        run = {**names, "n_accelerators": int(one.n_accelerators), "batch": one.batch}
        run |= {"context_tokens": one.context_tokens}
        if fit.fits:
            assert llmpower.estimate(**run).fits
            continue
        with pytest.raises(ParameterError) as caught:
            llmpower.estimate(**run)
        (told,) = caught.value.problems
        (said,) = re.findall(r"; (no number of them|[\d,]+)(?: that divides its \d+ heads)? would do", told)
        assert said == ("no number of them" if needed is None else f"{needed:,}")
