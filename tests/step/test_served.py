"""The forecast of a step: by hand for each layout, drafts, prompts and hosts; pieces of a sweep make the whole."""

import math

import numpy
import pytest

from llmpower import estimate
from llmpower.evidence import fit
from llmpower.facts import catalog
from llmpower.step import served
from llmpower.step.point import usual
from tests.step.paper import DENSE, MIXED, SERVED, UNIT, changed


@pytest.mark.parametrize("shape", ["list", "grid"])
def test_pieces_make_the_whole(monkeypatch, shape):
    random = numpy.random.default_rng(0)
    batch, prompt = random.integers(1, 300, 1000), random.integers(0, 2, 1000) * 400
    context, counts = random.uniform(0, 9000, 1000 if shape == "list" else (7, 1)), random.choice([1, 2, 4, 8], 1000)

    def run():
        found = estimate("qwen3-30b-a3b", "h100-sxm", counts, batch, prompt, 500, context, parallelism="ep")
        return found.j_per_token, found.tokens_per_s, found.energy_by_part["interconnect"]

    whole = run()
    monkeypatch.setattr(served, "_PIECE", 64)
    for one, other in zip(whole, run()):
        assert one.shape == {"list": (1000,), "grid": (7, 1000)}[shape]
        numpy.testing.assert_allclose(one, other, rtol=1e-12)


COUNTS = numpy.resize([1.0, 2.0, 4.0, 8.0], 300)
POINTS = {
    "stages": {"parallelism": "pp", "n_accelerators": COUNTS},
    "own sequences": {"parallelism": "dp", "n_accelerators": COUNTS, "draft_tokens": 2, "accepted_tokens": 1.5},
    "cap": {"power_cap_w": 300},
}


@pytest.mark.parametrize("name", POINTS)
def test_pieces_make_the_whole_at_every_point(monkeypatch, name):
    def run():
        batch = numpy.arange(1.0, 301.0)
        found = estimate("qwen3-30b-a3b", "h200-sxm", batch=batch, prompt_tokens=500, output_tokens=500, **POINTS[name])
        return found.j_per_token, found.tokens_per_s

    whole = run()
    monkeypatch.setattr(served, "_PIECE", 64)
    for one, other in zip(whole, run()):
        numpy.testing.assert_allclose(one, other, rtol=1e-12)


def test_an_estimate_leaves_nothing_behind_for_a_fit():
    estimate("llama-3.1-70b", "h100-sxm", 4), estimate("qwen3-30b-a3b", "h200-sxm", 2, link_bytes_per_s=1e9)
    # NVLink 4: 900 GB/s in both directions.
    machine = served.machine(catalog.accelerator("h200-sxm"), catalog.number_format("bf16"))
    assert machine.link_bytes_per_s == 450e9
    assert len(fit.Runs("validation.csv")) > 0


# A step by hand: made-up network, board and constants


def step(net=DENSE, n=1.0, batch=8.0, prompt=0.0, output=math.inf, where=None, **constants):
    asked = (net, UNIT, changed(SERVED, **constants), n, batch, 1000.0, prompt, output, where or usual())
    return served.step(*asked)


def test_a_step_by_hand():
    found = step()
    # 2 GB at 0.8 TB/s: 2.5 ms; 16 GFLOP at 50 TFLOP/s: 0.32 ms; caches of 64 MB: 0.08 ms; ten gaps of 100 us.
    assert (found.dense_time_s, found.cache_time_s, found.link_time_s) == pytest.approx((2.82e-3, 0.08e-3, 0))
    # 3.9 ms on the boards, longer than the host's 1 ms; eight sequences wait 10 us each.
    assert found.time_s == pytest.approx(3.98e-3) and found.overhead_time_s == pytest.approx(1.08e-3)
    assert (found.weights_j, found.kv_j) == pytest.approx((0.2, 0.0096))
    # 500 W for 0.32 ms, and 200 W for the 0.0816 ms that 16.32 GFLOP, attention among them, take at the peak.
    assert found.compute_j == pytest.approx(0.16 + 0.01632)
    # 100 W on the boards' 3.9 ms, 50 W for the 0.08 in which they wait.
    assert found.static_j == pytest.approx(0.39 + 0.004)
    assert found.energy_j == found.uncapped_j == pytest.approx(0.77992)


def test_a_host_that_takes_longer_decides_and_the_boards_wait():
    # 1 ms and ten layers of 1 ms: 11 ms, and 0.08 of sampling. The boards work 3.9 of them, and wait 7.18 at 50 W.
    found = step(host_layer_time_s=1e-3)
    assert found.time_s == pytest.approx(11.08e-3)
    assert found.static_j == pytest.approx(0.39 + 0.359)
    # What they do takes no more: 0.38592 J.
    assert found.energy_j == pytest.approx(0.38592 + 0.749)
    # A host that is a little quicker than the boards changes nothing.
    assert step(host_step_time_s=3.8e-3) == step()


def test_eager_software_is_bound_by_its_host():
    run = {"model": "llama-3.1-8b", "accelerator": "h100-sxm", "batch": 8, "context_tokens": 1000}
    slow, quick = (estimate(**run, software=name) for name in ("eager", "vllm"))
    host = slow.inputs["host_step_time_s"] + 32 * slow.inputs["host_layer_time_s"]
    assert slow.step_s == pytest.approx(host + 8 * slow.inputs["sequence_time_s"])
    assert slow.step_s > quick.step_s and slow.power_w < quick.power_w and slow.j_per_token > quick.j_per_token


def test_stages_take_turns():
    # Two stages, two groups of four: each group reads 2.5 ms of weights through both, 8 GFLOP: 0.16; caches 0.04; one
    # pass of 10 us and 4 x 1,000 x 2 B over 100 GB/s, 0.08 us; gaps 1 ms; sampling 0.04.
    where = usual(parallelism="pp", stages=2.0)
    found = step(n=2.0, where=where)
    assert found.link_time_s == pytest.approx(10.08e-6)
    assert found.time_s == pytest.approx(2.66e-3 + 0.04e-3 + 10.08e-6 + 1e-3 + 0.04e-3)
    # In that time all eight get a token: the weights are read twice, everything else is done once.
    assert (found.weights_j, found.kv_j) == pytest.approx((0.4, 0.0096))
    assert found.compute_j == pytest.approx(0.17632) and found.interconnect_j == pytest.approx(2 * 8000 * 10e-12)
    # Two boards: 200 W for 3.71008 ms, 100 W for 0.04.
    assert found.static_j == pytest.approx(0.742016 + 0.004)
    # One sequence is one group, which the boards pass on; each stands idle half of the time.
    lone = step(n=2.0, batch=1.0, where=where)
    assert lone.weights_j == pytest.approx(0.2) and lone.time_s > step(batch=1.0).time_s


def test_stages_of_two_servers():
    # Four stages, groups of two: three passes of 10 us; 2 x 2,000 B each, one of them over 10 GB/s: 0.4 us, two over
    # 100 GB/s: 0.08 us.
    where = usual(parallelism="pp", stages=4.0, between_share=1 / 3, network_bytes_per_s=1e10)
    assert step(n=4.0, where=where).link_time_s == pytest.approx(30.48e-6)


def test_sums_between_servers():
    # Four boards in two servers: 20 sums of 10 us; 2 x 10 x 8 x 1,000 x 2 B = 320 kB inside: 3.2 us; 2 x 1/2 / 2 of
    # it, 160 kB, over 10 GB/s: 16 us.
    where = usual(between_share=0.5, network_bytes_per_s=1e10)
    assert step(n=4.0, where=where).link_time_s == pytest.approx(219.2e-6)


# As `work.net_of` has it for two boards: the shared weights twice, no copies of caches; ten layers of experts.
APART = changed(MIXED, n_moe_layers=10, kv_heads=math.inf, shared_bytes=4.0)


def test_sequences_of_its_own_by_hand():
    # One sequence each. 2 GB on each board: 2.5 ms, and 2 x 2 GFLOP on both: 0.04 ms. 15/64 of the experts, 3.75 GB on
    # both: 2.34375 ms, and 4 GFLOP at a quarter of 2 x 200 TFLOP/s: 0.04. Caches of 8 MB each: 0.01.
    where = usual(parallelism="dp", queues=2.0)
    found = step(APART, 2.0, 2.0, where=where)
    assert (found.dense_time_s, found.expert_time_s, found.cache_time_s) == pytest.approx((2.54e-3, 2.38375e-3, 1e-5))
    # To experts and back in ten layers: 20 x 10 us; a vector of 2,000 B to one other of two, 2 x 10 x 2,000 B = 40 kB:
    # 0.4 us.
    assert found.link_time_s == pytest.approx(200.4e-6)
    # Each board samples for its own sequence only.
    assert found.time_s == pytest.approx(2.54e-3 + 2.38375e-3 + 1e-5 + 200.4e-6 + 1e-3 + 1e-5)
    assert (found.weights_j, found.kv_j) == pytest.approx((0.4 + 0.375, 0.0024))
    assert found.interconnect_j == pytest.approx(2 * 40e3 * 10e-12)


def test_the_busiest_queue_holds_up_the_others():
    # Contexts spread by sqrt(12) x 500 / (sqrt(12) x 1,000) = 1/2; sqrt(2 / 2) x 0.2 x 1/2: a tenth more.
    where = usual(parallelism="dp", queues=2.0, queue_spread=0.2)
    found = step(APART, 2.0, 2.0, output=500 * math.sqrt(12), where=where)
    assert (found.dense_time_s, found.cache_time_s) == pytest.approx((1.1 * 2.54e-3, 1.1e-5))
    # Experts are shared by all, and no more is read.
    assert found.expert_time_s == pytest.approx(2.38375e-3) and found.kv_j == pytest.approx(0.0024)
    # Answers without an end have no length, and a single queue nobody to wait for.
    assert step(APART, 2.0, 2.0, where=where).cache_time_s == pytest.approx(1e-5)


def test_experts_in_another_server():
    # Half of 40 kB over 10 GB/s: 2 us; half over 100 GB/s: 0.2.
    where = usual(parallelism="dp", queues=2.0, between_share=0.5, network_bytes_per_s=1e10)
    assert step(APART, 2.0, 2.0, where=where).link_time_s == pytest.approx(202.2e-6)


def test_drafts_by_hand():
    # Two drafts for each of eight: 24 tokens, 48 GFLOP, 0.96 ms beside 2.5 ms of reading; each draft reads a fifth
    # more, a layer and the output layer, and multiplies eight tokens with it: 0.4 x (2.5 + 0.32) ms, and 1.2 ms of
    # gaps. Caches are read once.
    found = step(where=usual(draft_tokens=2.0, accepted_tokens=1.5))
    assert (found.dense_time_s, found.cache_time_s) == pytest.approx((4.588e-3, 0.08e-3))
    assert found.time_s == pytest.approx(4.588e-3 + 0.08e-3 + 1.2e-3 + 0.08e-3)
    assert found.weights_j == pytest.approx(0.28)


def test_drafts_of_an_estimate():
    run = {"model": "llama-3.1-8b", "accelerator": "h100-sxm", "batch": 8, "context_tokens": 1000, "software": "vllm"}
    plain, drafted = estimate(**run), estimate(**run, draft_tokens=2, accepted_tokens=1.5)
    # Eight sequences get 2.5 tokens each in a step.
    assert drafted.tokens_per_s * drafted.step_s == pytest.approx(20)
    # At so few sequences the check costs less than it brings; where none is accepted it only costs.
    assert drafted.tokens_per_s > plain.tokens_per_s
    assert estimate(**run, draft_tokens=2).tokens_per_s < plain.tokens_per_s


def test_more_accepted_drafts_mean_more_prompts():
    # 8 sequences, answers of 800: 0.01 prompts a step; 0.025 where 2.5 tokens are written. A prompt of 400 adds
    # 800 GFLOP and 400 x 8 MFLOP of attention: 16.064 ms; checking without drafts takes no longer.
    for accepted, begun in ((0.0, 0.01), (1.5, 0.025)):
        found = step(prompt=400.0, output=800.0, where=usual(accepted_tokens=accepted))
        assert found.dense_time_s == pytest.approx(2.82e-3 + begun * 16.064e-3)


def test_long_prompts_are_cut():
    # As much as fits besides eight tokens: 100 of 400 at a time, in four times as many steps. The same arithmetic.
    run = {"prompt": 400.0, "output": 800.0}
    whole, cut = (step(**run, where=usual(max_step_tokens=most)) for most in (1e6, 108.0))
    assert whole.dense_time_s == pytest.approx(2.98064e-3) == cut.dense_time_s
    # Where reading hides behind arithmetic, m + c - m c / (m + c): 2.536312 ms without a prompt, 16.714972 with one and
    # 5.250293 with a quarter; 0.99 and 0.01, 0.96 and 0.04 of them.
    whole, cut = (step(**run, overlap=1.0, where=usual(max_step_tokens=most)) for most in (1e6, 108.0))
    assert (whole.dense_time_s, cut.dense_time_s) == pytest.approx((2.678099e-3, 2.644871e-3), rel=1e-6)


def test_cut_prompts_read_the_experts_more_often():
    # Eight tokens touch 1 - (7/8)^8 = 0.6563909 of 16 GB; 108 and 408 touch all: in 0.01 of the steps, or in 0.04.
    run = {"net": MIXED, "prompt": 400.0, "output": 800.0}
    whole, cut = (step(**run, where=usual(max_step_tokens=most)) for most in (1e6, 108.0))
    assert whole.weights_j == pytest.approx(0.2 + 1.6 * (0.99 * 0.6563909 + 0.01), rel=1e-6)
    assert cut.weights_j == pytest.approx(0.2 + 1.6 * (0.96 * 0.6563909 + 0.04), rel=1e-6)


def test_tokens_that_choose_alike_touch_fewer_experts():
    # Of nine tokens eight are like others to a quarter: 1 + 8 x 0.75 = 7 choose for themselves.
    alike = step(MIXED, batch=9.0, expert_overlap_share=0.25)
    assert alike.weights_j == pytest.approx(0.2 + 1.6 * (1 - (7 / 8) ** 7))


@pytest.mark.parametrize("run", [("llama-3.1-70b", "bf16"), ("deepseek-v3", "fp8")])
def test_without_a_server_gaps_are_the_mean_of_three(run):
    model, format_ = run

    def gaps(software):
        return estimate(model, "h200-sxm", 8, 32, context_tokens=1000, weight_format=format_, software=software).step

    each = [gaps(name).overhead_time_s for name in ("vllm", "sglang", "trtllm")]
    assert gaps(None).overhead_time_s == pytest.approx(sum(each) / 3)
    # All else is the same.
    assert gaps(None).dense_time_s == gaps("vllm").dense_time_s
