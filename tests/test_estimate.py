"""The estimator against calculations on paper, its properties and its messages."""

import importlib
import json
import math
from types import SimpleNamespace

import numpy
import pytest
from hypothesis import given
from hypothesis import strategies as st

from llmpower import estimate
from llmpower.arguments import ParameterError
from llmpower.estimate import expect, held
from llmpower.facts import catalog
from llmpower.facts.quantities import quantities
from llmpower.step import constants, served
from llmpower.step.case import case
from llmpower.step.work import fewest
from llmpower.text import estimate_record

estimator = importlib.import_module("llmpower.estimate")
# Round numbers instead of fitted ones, so that a step can be worked out on paper.
ROUND = {
    "reached_bandwidth_share": 0.9, "dense_flop_share": 0.8, "overlap": 0.8, "plateau_tdp_share": 0.975,
    "unpacking_tdp_share": 0.2, "layer_time_s": 50e-6,
    "sequence_time_s": 40e-6, "sum_time_s": 10e-6, "block_scaling_time_s": 100e-6,
    "expert_flop_share": 0.1, "expert_prompt_flop_share": 0.2, "recurrent_prompt_factor": 2.0, "imbalance": 1.0,
    "padding_rows": 2.0, "static_tdp_share": 0.25, "compute_tdp_share": 0.8, "operation_tdp_share": 0.5,
    "weight_energy_j_per_byte": 100e-12, "cache_energy_j_per_byte": 150e-12, "link_energy_j_per_byte": 10e-12,
    "prompt_layer_time_s": 100e-6,
    # Of these a calculation on paper needs none: tests of their own are below and in tests/step.
    "served_flop_share": 1.0, "expert_overlap_share": 0.0, "host_step_time_s": 0.0, "host_layer_time_s": 0.0,
    "waiting_tdp_share": 0.25,
}  # fmt: skip


@pytest.fixture
def paper(monkeypatch):
    """`estimate` with the round constants; the machines stay those of the catalog."""
    real = estimator._unit
    monkeypatch.setattr(estimator, "_unit", lambda *records: (real(*records)[0], SimpleNamespace(**ROUND), "fitted"))
    return estimate


def test_a_dense_step_on_one_accelerator_by_hand(paper):
    """Llama-3.1-8B on one H100, 8 sequences of 1,000 tokens, nothing prefilled."""
    found = paper("llama-3.1-8b", "h100-sxm", batch=8, context_tokens=1000)
    step = found.step
    # 8,030,261,248 parameters less an input embedding of 128,256 x 4,096 = 525,336,576: 7,504,924,672, at 2 B
    # 15,009,849,344 B; at 0.9 x 3.35 TB/s = 3.015 TB/s: 4.97839 ms.
    # 2 x 7,504,924,672 x 8 = 120.0788 GFLOP at the measured 794.5 TFLOP/s: 0.151138 ms.
    # They overlap: 4.97839 + 0.151138 - 0.8 x 4.97839 x 0.151138 / 5.129529 = 5.012181 ms.
    assert step.dense_time_s == pytest.approx(5.012181e-3, rel=1e-6)
    # 2 x 8 heads x 128 x 32 layers x 1,000 tokens x 2 B x 8 = 1,048,576,000 B: 0.347786 ms.
    assert step.cache_time_s == pytest.approx(0.34778640e-3, rel=1e-7)
    # 32 x 50 us + 8 x 40 us.
    assert step.overhead_time_s == pytest.approx(1.92e-3)
    assert step.expert_time_s == step.link_time_s == 0
    # 15,009,849,344 and 1,048,576,000 B at 3.35 TB/s are 4.79356 ms; 8 x (2 x 7,504,924,672 + 4 x 32 x 32 x 128 x
    # 1,000) = 124.273 GFLOP at 989 TFLOP/s are 0.125655 ms.
    used = {"bandwidth": 4.79356 / 7.279968, "arithmetic": 0.125655 / 7.279968}
    assert found.utilisation == pytest.approx(used, rel=1e-5)
    # 5.012181 + 0.347786 + 1.92 = 7.279968 ms.
    assert found.step_s == pytest.approx(7.279968e-3, rel=1e-6)
    assert found.tokens_per_s == pytest.approx(1098.906, rel=1e-6)
    assert found.tokens_per_s_per_user == pytest.approx(137.3632, rel=1e-6)
    # Static: 0.25 x 700 W x 7.279968 ms = 1.273994 J. Weights: 15.009849 GB x 100 pJ/B = 1.500985 J.
    # Caches: 1.048576 GB x 150 pJ/B = 0.157286 J. Arithmetic: 0.8 x 700 W x 0.151138 ms = 0.084637 J, and
    # (120.0788 + 8 x 2 x 32 x 256 x 32,000 = 4.1943) GFLOP at 989 TFLOP/s = 0.125655 ms x 350 W = 0.043979 J.
    by_hand = {"weights": 1.5009849, "kv": 0.1572864, "compute": 0.1286164, "interconnect": 0.0, "static": 1.2739943}
    assert found.energy_by_part == pytest.approx({name: joules / 8 for name, joules in by_hand.items()}, rel=1e-6)
    # 3.060882 J over 8 tokens; over 7.279968 ms.
    assert found.j_per_token == pytest.approx(0.38261026, rel=1e-6)
    assert found.power_w == pytest.approx(420.4527, rel=1e-6)
    # Without what is fitted 5.012181 + 0.347786 = 5.359967 ms are left, and 0.25 x 700 W x that + 1.500985 + 0.157286 =
    # 2.596265 J.
    rests = {"time": 1 - 5.359967 / 7.279968, "energy": 1 - 2.596265 / 3.060882}
    assert found.fitted_shares == pytest.approx(rests, rel=1e-5)
    assert found.bound == "bandwidth" and found.prefill_j_per_token == 0
    assert any("left out" in note for note in found.notes)


def test_two_accelerators_exchange_sums(paper):
    step = paper("llama-3.1-8b", "h100-sxm", 2, batch=8, context_tokens=1000).step
    # 64 sums x 10 us, and 2 x 32 x 8 x 4,096 x 2 B = 4,194,304 B at 450 GB/s: 9.3207 us.
    assert step.link_time_s == pytest.approx(649.3207e-6, rel=1e-6)
    # Out of both: 8,388,608 B at 10 pJ/B.
    assert step.interconnect_j == pytest.approx(83.88608e-6)
    # Half the weights, half the caches each.
    assert step.cache_time_s == pytest.approx(0.34778640e-3 / 2, rel=1e-7)


def test_prompts_are_read_in_some_of_the_steps(paper):
    run = {"model": "llama-3.1-8b", "accelerator": "h100-sxm", "batch": 8, "context_tokens": 500, "output_tokens": 400}
    found = paper(**run, prompt_tokens=300)
    # 8/400 of the steps carry a prompt of 300 tokens: 8 + 6 tokens a step, 2 x 7,504,924,672 x 14; each of the six
    # sees 150 others in 32 layers, 2 x 32 heads x 256 x 4,800 = 78,643,200 operations: 210,609,750,016 over
    # 794.5 TFLOP/s.
    assert found.step.compute_time_s == pytest.approx(265.0846e-6, rel=1e-6)
    for boundary in estimator.BOUNDARIES:
        with_prompts, without = (paper(**run, prompt_tokens=tokens, boundary=boundary) for tokens in (300, 0))
        assert with_prompts.prefill_j_per_token == pytest.approx(
            with_prompts.j_per_token - without.j_per_token, rel=1e-9
        )
    assert any("nothing is prefilled" in note for note in without.notes)


def test_steps_with_prompts_lose_time_in_layers_with_experts(paper):
    run = {"model": "mixtral-8x7b", "accelerator": "h200-sxm", "batch": 8, "context_tokens": 500, "output_tokens": 400}
    with_prompts, without = (paper(**run, prompt_tokens=tokens) for tokens in (300, 0))
    # 8/400 of the steps, 32 layers, 100 us: 64 us.
    assert with_prompts.step.overhead_time_s - without.step.overhead_time_s == pytest.approx(64e-6)


def test_power_follows_the_work_of_all_not_of_the_busiest(paper):
    cut, spread = (
        paper("mixtral-8x7b", "h100-sxm", 8, batch=16, context_tokens=10, parallelism=kind) for kind in ("tp", "ep")
    )
    assert spread.step.compute_time_s > 1.2 * cut.step.compute_time_s
    assert spread.step.compute_j == pytest.approx(cut.step.compute_j)


def test_the_context_of_answers_of_one_length(paper):
    found = paper("llama-3.1-8b", "h100-sxm", batch=8, prompt_tokens=300, output_tokens=400)
    assert found.context_tokens == 500 and any("prompt + output / 2" in note for note in found.notes)


def moved(found, part, energy_j_per_byte):
    """Bytes that a part's energy stands for."""
    assert found.step.energy_j == found.step.uncapped_j
    return getattr(found.step, part) / energy_j_per_byte


def test_a_mixture_reads_the_experts_it_touches(paper):
    # Mixtral-8x7B at batch 4: 1 - (3/4)^4 = 175/256 of 45,097,156,608 routed parameters are 30,828,134,400; beside them
    # 46,702,792,704 - 45,097,156,608 - 32,000 x 4,096 = 1,474,564,096. At 2 B: 64,605,396,992 B.
    found = paper("mixtral-8x7b", "h200-sxm", batch=4, context_tokens=100)
    assert moved(found, "weights_j", 100e-12) == pytest.approx(64_605_396_992)


def test_spread_experts_wait_for_the_busiest(paper):
    # One expert each on 8 accelerators at a batch that touches all: the largest of eight normal numbers is 1.42360 on
    # average (Harter 1961), so 1 + 1.42360 x sqrt(8/8).
    cut, spread = (
        paper("mixtral-8x7b", "h100-sxm", 8, batch=512, context_tokens=10, parallelism=kind) for kind in ("tp", "ep")
    )
    assert spread.step.expert_time_s / cut.step.expert_time_s == pytest.approx(2.42360, rel=1e-4)
    assert spread.step.dense_time_s == cut.step.dense_time_s


def test_a_latent_cache_is_kept_by_every_accelerator(paper):
    # (512 + 64) x 61 layers x 2 B = 70,272 B a token, 4 x 1,000 tokens, and eight copies: 2,248,704,000 B.
    found = paper("deepseek-v3", "h200-sxm", 8, batch=4, context_tokens=1000, weight_format="fp8")
    assert moved(found, "kv_j", 150e-12) == pytest.approx(2_248_704_000)


def test_heads_are_shared_out_until_there_are_none_left(paper):
    # 131,072 B a token x 1,000 x 8; 16 accelerators keep each of 8 heads twice.
    for count, copies in ((1, 1), (8, 1), (16, 2)):
        found = paper("llama-3.1-8b", "h100-sxm", count, batch=8, context_tokens=1000)
        assert moved(found, "kv_j", 150e-12) == pytest.approx(copies * 1_048_576_000)


def test_windows_bound_the_cache(paper):
    # Gemma 3 27B: 2 x 16 x 128 x 2 B = 8,192 B a layer and token; 10 x 10,000 + 52 x 1,024 = 153,248 positions; two
    # sequences.
    found = paper("gemma-3-27b", "h100-sxm", batch=2, context_tokens=10_000)
    assert moved(found, "kv_j", 150e-12) == pytest.approx(2_510_815_232)


def test_a_recurrent_state_is_read_and_written_in_32_bits(paper):
    # 36,716,544 values x 4 B x 2, and 4 layers x 2 x 8 x 128 values x 1,000 tokens x 2 B, or 1 B; two sequences.
    for kv_format, by_hand in (("bf16", 620_232_704), ("fp8", 603_848_704)):
        found = paper("nemotron-nano-9b-v2", "h100-sxm", batch=2, context_tokens=1000, kv_format=kv_format)
        assert moved(found, "kv_j", 150e-12) == pytest.approx(by_hand)


def test_a_busy_board_draws_its_plateau(paper):
    found = paper("llama-3.1-8b", "h100-sxm", batch=256, context_tokens=10, prompt_tokens=3000, output_tokens=10)
    assert found.bound == "power" and found.power_w == pytest.approx(0.975 * 700)
    # Eight in ten runs drew up to some per cent more or less, but no board draws more than its rating for long.
    assert found.power_w < found.high.power_w <= 700
    assert sum(found.energy_by_part.values()) == pytest.approx(found.j_per_token)


def test_boundaries_by_hand(paper):
    run = {
        "model": "llama-3.1-70b",
        "accelerator": "h100-sxm",
        "n_accelerators": 4,
        "batch": 64,
        "context_tokens": 1000,
    }
    board, server, facility = (paper(**run, boundary=boundary) for boundary in estimator.BOUNDARIES)
    # Half of the 2,150 W of a server of eight; a site factor of 1.2.
    assert server.power_w == pytest.approx(board.power_w + 1075)
    assert facility.power_w == pytest.approx(1.2 * (board.power_w + 1075))
    assert facility.tokens_per_s == board.tokens_per_s
    parts = facility.energy_by_part
    assert parts["host"] == pytest.approx(1075 / board.tokens_per_s) and sum(parts.values()) == pytest.approx(
        facility.j_per_token
    )
    # Low and high: 1,000 and 2,800 W of eight, 1.1 and 1.3.
    ratios = board.spans["j_per_token"]
    assert facility.low.power_w == pytest.approx(1.1 * (ratios["low_ratio"] * board.power_w + 500))
    assert facility.high.power_w == pytest.approx(1.3 * (ratios["high_ratio"] * board.power_w + 1400))


def test_machines_without_runs_say_that_they_are_scaled():
    run = {"software": "vllm"}
    fitted, scaled = estimate("llama-3.1-8b", "h100-sxm", **run), estimate("llama-3.1-8b", "rtx-4090", **run)
    assert fitted.calibration == "fitted" and not any("scaled" in note for note in fitted.notes)
    assert scaled.calibration == "scaled" and any("scaled from h100-sxm" in note for note in scaled.notes)
    assert (fitted.unknown, scaled.unknown) == (frozenset(), {"machine"})
    # The range of a known case is that of laboratories left out; what is not known can only widen it.
    known = constants.errors()["laboratory", "dense", "tokens_per_s"]
    assert fitted.spans["tokens_per_s"] == known
    for end, further in (("low_ratio", -1), ("high_ratio", 1)):
        assert further * scaled.spans["tokens_per_s"][end] >= further * known[end]


# Software


def bare(model="llama-3.1-8b", accelerator="h100-sxm", *given, **more):
    return estimate(model, accelerator, *given, software="bare", **more)


def test_software_is_part_of_the_answer():
    served, alone = (estimate("llama-3.1-8b", "h100-sxm", software=name) for name in ("vllm", "bare"))
    assert served.software == "vllm" and alone.software == "bare"
    for found in (served, alone):
        record = json.loads(json.dumps(estimate_record(found)))
        assert record["inputs"]["software"] == found.software and record["calibration"] == found.calibration
    assert "software: none: captured graphs on a bare board" in str(alone)
    assert any("no server, no host, no sampling" in note for note in alone.notes)
    assert any(note.startswith("whatever the work") for note in alone.notes)


def test_without_software_the_answer_is_the_mean_of_servers_with_a_range_over_all():
    run = {
        "model": "llama-3.1-70b",
        "accelerator": "h100-sxm",
        "n_accelerators": 4,
        "batch": 32,
        "context_tokens": 1000,
    }
    each = [estimate(**run, software=name) for name in ("vllm", "sglang", "trtllm")]
    found = estimate(**run)
    assert found.software is None and any("range over all" in note for note in found.notes)
    steps = sorted(one.step_s for one in each)
    # Gaps enter a time as they are, so the mean of constants is the mean of times.
    assert found.step_s == pytest.approx(sum(steps) / 3) and steps[0] < 0.9 * steps[2]
    wide, narrow = (one.high.tokens_per_s / one.low.tokens_per_s for one in (found, each[0]))
    assert wide > narrow
    assert "not given: the mean of vLLM" in str(found)


def test_every_kernel_from_the_host_makes_small_networks_cost_as_much_as_large_ones():
    # hongping2026nf4: 7B in 16 bit on an RTX 5090 under plain transformers, 70.47 tokens/s: a step of 14.2 ms, where
    # reading 14.2 GB at 1.79 TB/s takes 7.9. Our own hosts: 63.9 ms for 8B and 67.7 for 1.7B (data/power_runs.csv).
    card = estimate(
        "mistral-7b", "rtx-5090", prompt_tokens=100, output_tokens=256, weight_format="fp16", software="eager"
    )
    assert 0.9 * card.low.tokens_per_s < 70.47 < 1.15 * card.high.tokens_per_s
    steps = {}
    for model in ("llama-3.1-8b", "qwen3-4b"):
        eager, graphs = (estimate(model, "h100-sxm", context_tokens=500, software=name) for name in ("eager", "vllm"))
        steps[model] = eager.step_s
        assert eager.bound == "overhead" and eager.step_s > 3 * graphs.step_s
        assert eager.power_w < 0.7 * graphs.power_w and eager.j_per_token > 1.8 * graphs.j_per_token
        if model == "llama-3.1-8b":
            # h100d rows of power_runs.csv, without plans for each length: 178 W and 32.8 ms a token, 5.84 J.
            assert (eager.power_w, eager.j_per_token) == pytest.approx((178, 5.84), rel=0.12)
    assert steps["qwen3-4b"] > steps["llama-3.1-8b"], "36 layers against 32"
    assert 1000 / eager.high.tokens_per_s < 40 and 1000 / eager.low.tokens_per_s > 67.7


def test_unknown_software_is_told_with_the_words_that_are_known():
    (told,) = problem("llama-3.1-8b", "h100-sxm", software="bear")
    known = "vllm, sglang, trtllm, llama.cpp, eager, bare"
    assert told == f"software: got 'bear'; did you mean bare? allowed is {known}"
    lines = problem("llama-3.1-8b", "h100-sxm", software=3, batch=0)
    assert len(lines) == 2 and lines[0] == f"software: got 3; allowed is {known}"


def test_the_command_line_takes_software(say):
    code, out, err = say("estimate llama-3.1-8b h100-sxm --context-tokens 1024 --software bare")
    assert (code, err) == (0, "") and "software: none: captured graphs on a bare board" in out
    code, out, err = say("estimate llama-3.1-8b h100-sxm --context-tokens 1024 --software bare --json")
    found = bare(context_tokens=1024)
    assert json.loads(out)["inputs"]["software"] == "bare" and json.loads(out)["power_w"] == found.power_w
    code, out, err = say("estimate llama-3.1-8b h100-sxm --software tgi")
    assert (code, out) == (2, "") and err.startswith("llmpower: software: got 'tgi'; allowed is vllm, sglang, trtllm")
    assert "--software vllm|sglang|trtllm|llama.cpp|eager|bare" in " ".join(say("estimate --help")[1].split())


def test_a_bare_board_that_was_not_measured_says_so():
    for machine in ("h100-sxm", "h200-sxm"):
        found = bare(accelerator=machine)
        assert found.calibration == "measured" and not any("scaled" in note for note in found.notes)
    found = bare(accelerator="b200")
    assert found.calibration == "scaled" and any("scaled from h100-sxm" in note for note in found.notes)
    # Only 4-bit weights are unpacked.
    assert any("has to be unpacked" in note for note in bare(weight_format="int4").notes)
    assert not any("unpacked" in note for note in bare(weight_format="fp8").notes)


# Decode steps of data/power_runs.csv that the fit has seen, and one of another board that it has not, h100b-04.
METERED = {
    "h100-26": ({"batch": 1, "context_tokens": 1024}, 404.03, 142.89),
    "h100-33": ({"batch": 1, "context_tokens": 32768}, 433.92, 116.64),
    "h100-29": ({"batch": 32, "context_tokens": 1024}, 499.24, 3763.2),
    "h100-32": ({"batch": 256, "context_tokens": 1024}, 689.37, 13017.4),
    "h100-42": ({"batch": 32, "context_tokens": 8192, "weight_format": "fp8"}, 519.63, 1929.9),
    "h100b-04": ({"batch": 1, "context_tokens": 1024, "weight_format": "fp8"}, 394.75, 233.39),
}


@pytest.mark.parametrize("run", METERED)
def test_bare_steps_are_those_that_were_metered(run):
    asked, power_w, tokens_per_s = METERED[run]
    found = bare(**asked)
    # One sequence in 8 bit is quicker than predicted, and draws more by as much: its energy is met.
    near = 0.06 if run.startswith("h100-") else 0.13
    assert found.power_w == pytest.approx(power_w, rel=near)
    assert found.tokens_per_s == pytest.approx(tokens_per_s, rel=near)
    assert found.j_per_token == pytest.approx(power_w / tokens_per_s, rel=0.05)


def test_a_request_without_a_server_by_hand():
    """Llama-3.1-8B on one H100, 500 tokens of prompt and 500 of answer; prices and gap as fitted, the rest by rows."""
    found = bare(prompt_tokens=500, output_tokens=500)
    weight_j, cache_j, gaps = (
        found.inputs[name] for name in ("weight_energy_j_per_byte", "cache_energy_j_per_byte", "layer_time_s")
    )
    weights, head = 15_009_849_344, 525_336_576
    # A token after 750 others: 15.01 GB and 98.3 MB at 3.0242 TB/s and 32 gaps, 7.175 ms; 141.11 W always.
    time = 32 * gaps + (weights + 750 * 131_072) / 3.0242e12
    token = weight_j * weights + cache_j * 750 * 131_072 + 1.09182e-12 * (weights + 524_288 * 750) + 141.110 * time
    assert time == pytest.approx(7.175e-3, abs=2e-6) and token == pytest.approx(2.893, abs=2e-3)
    # The prompt, its last token alone through the output layer: 500 x 2 x (7,504,924,672 - 525,336,576) + 2 x
    # 525,336,576 + 500 x 524,288 x 250 = 7.0462 TFLOP at 657.46 TFLOP/s and 32 gaps: 12.9 ms, but at 880 W. At the
    # limit of 695.39 W bytes take 0.93963 and operations 0.81388 of their energy: 8 J, and 695.39 - 141.11 W for them.
    flop = 500 * (weights - 2 * head) + 2 * head + 500 * 524_288 * 250
    dynamic = 0.93963 * weight_j * weights + 0.81388 * 1.09182e-12 * flop
    slowed = dynamic / (695.39 - 141.110)
    assert 7.693 == pytest.approx(1.09182e-12 * flop, rel=1e-4) and slowed > 32 * gaps + flop / 657.46e12
    prompt = 695.39 * slowed
    assert 500 * found.j_per_token == pytest.approx(prompt + 500 * token, rel=1e-5)
    assert 500 * found.step_s == pytest.approx(slowed + 500 * time, rel=1e-5)
    assert 500 * found.prefill_j_per_token == pytest.approx(prompt, rel=1e-4)
    # Without a server the prompt comes first, alone.
    assert found.first_token_s == pytest.approx(slowed, rel=1e-4)
    assert found.j_per_input_token == pytest.approx(prompt / 500, rel=1e-4)


def test_times_and_energies_of_a_request_by_hand(monkeypatch):
    """Steps of 24 ms, 32 ms where prompts are read, at 2,000 W; Llama-3.1-70B on four H100, batch 64."""
    real = served.step

    def step(net, unit, fitted, n, batch, context, prompt, *rest):
        time = 0.032 if prompt else 0.024
        return real(net, unit, fitted, n, batch, context, prompt, *rest)._replace(time_s=time, energy_j=2000 * time)

    monkeypatch.setattr(served, "step", step)
    found = estimate("llama-3.1-70b", "h100-sxm", 4, 64, 200, 400)
    # 64 tokens a step: 2,000 tokens/s, 1 J each; a user waits 32 ms.
    assert found.time_between_tokens_s == pytest.approx(0.032) and found.j_per_token == pytest.approx(1)
    assert found.j_per_request == pytest.approx(400) and found.j_per_total_token == pytest.approx(400 / 600)
    assert found.tokens_per_s_per_mw == pytest.approx(1e6)
    # Without prompts a token takes 2,000 W x 24 ms / 64 = 0.75 J: 0.25 J are theirs, x 400 / 200.
    assert found.j_per_input_token == pytest.approx(0.5)
    # 64 / 400 prompts a step: 8 ms on average, so a step with one takes 24 + 8 / 0.16 = 74 ms.
    assert found.first_token_s == pytest.approx(0.074)
    # 16,256 tokens take two steps, beside 64 others of 8,192: two of 24 + 8 / 0.32 = 49 ms.
    assert estimate("llama-3.1-70b", "h100-sxm", 8, 64, 16_256, 400).first_token_s == pytest.approx(0.098)
    # 141.1 GB of weights; 64 x 400 tokens x 2 x 8 heads x 128 x 80 layers x 2 B = 8.39 GB; 0.9 x 320 GB
    # are what a server takes.
    held = {"weights": 141.1e9, "caches": 8.389e9, "left": 288e9 - 149.5e9, "kept_back": 32e9}
    assert found.memory_bytes == pytest.approx(held, rel=1e-3)
    # 2,000 tokens a second, and 200 / 400 of a prompt for each.
    assert found.input_tokens_per_s == pytest.approx(1000)
    alone = estimate("llama-3.1-8b", "h100-sxm", context_tokens=100)
    assert alone.input_tokens_per_s == 0
    assert all(math.isnan(one) for one in (alone.first_token_s, alone.j_per_request, alone.j_per_input_token))


def test_weights_in_the_memory_of_the_host(paper):
    """Llama-3.1-8B on a card of 12 GB, one sequence of 1,000 tokens, without a prompt."""
    machine, run = "h100-sxm,memory_bytes=12 GB", {"context_tokens": 1000, "memory_share": 1}
    run["host_bandwidth_bytes_per_s"] = 50e9
    found = paper("llama-3.1-8b", machine, **run)
    # 16,060,522,496 B of weights and 131,072,000 B of cache: 4,191,594,496 B do not fit, 0.260988 of the weights. Of
    # 15,009,849,344 B a step reads 3,917,391,000 at 50 GB/s, 78.34782 ms, and the rest at 3.015 TB/s, 3.679091 ms.
    # Their products take 120.0788 / 8 GFLOP at 794.5 TFLOP/s, 18.89 us, of which a fifth is not hidden.
    assert found.step.dense_time_s == pytest.approx(78.34782e-3 + 3.679091e-3 + 0.2 * 18.89e-6, rel=1e-5)
    assert found.fits and found.memory_bytes["left"] == 0
    # The bandwidth of a host is in no datasheet of the board.
    assert list(found.utilisation) == ["arithmetic"]
    assert any("4.19 GB of the weights do not fit and are read from the host at 50 GB/s" in one for one in found.notes)
    # What fits changes nothing, in arrays too; caches have to fit.
    plenty = paper("llama-3.1-8b", "h100-sxm", **run)
    assert plenty.step_s == pytest.approx(paper("llama-3.1-8b", "h100-sxm", context_tokens=1000).step_s)
    several = paper("llama-3.1-8b", machine, batch=numpy.array([1, 100]), **run)
    assert several.step_s[0] == pytest.approx(found.step_s) and list(several.fits) == [True, False]
    with pytest.raises(ParameterError, match="misses .* or give host_bandwidth_bytes_per_s"):
        estimate("llama-3.1-70b", "rtx-4090")


def test_prompts_alone():
    """An answer of nothing is one of one token, which a prompt's own pass gives."""
    run = {"n_accelerators": 8, "batch": 8, "prompt_tokens": 4096, "weight_format": "fp8"}
    found, one = (estimate("deepseek-v3", "h200-sxm", output_tokens=tokens, **run) for tokens in (0, 1))
    assert (found.j_per_request, found.input_tokens_per_s) == (one.j_per_request, one.input_tokens_per_s)
    assert found.input_tokens_per_s == pytest.approx(4096 * found.tokens_per_s)
    assert any("prompts are read alone" in note for note in found.notes)
    with pytest.raises(ParameterError, match="output_tokens: got 0 without a prompt; allowed is from 1"):
        estimate("llama-3.1-8b", "h100-sxm", output_tokens=0)


def test_bare_runs_in_arrays_hold_what_floats_give():
    batches, prompts = numpy.array([1, 40, 256]), numpy.array([0, 300, 900])
    for model, machine in (("llama-3.1-8b", "h100-sxm"), ("qwen3-30b-a3b", "h200-sxm")):
        more = {"output_tokens": 200, "weight_format": "fp8", "boundary": "server"}
        together = bare(model, machine, batch=batches, prompt_tokens=prompts, **more)
        for place, (batch, prompt) in enumerate(zip(batches, prompts)):
            alone = bare(model, machine, batch=float(batch), prompt_tokens=int(prompt), **more)
            for name in ("j_per_token", "tokens_per_s", "power_w", "prefill_j_per_token"):
                assert getattr(together, name)[place] == pytest.approx(getattr(alone, name), rel=1e-12), name


# What does not fit


def problem(*given, **more):
    """All lines of the one error that a call must give."""
    with pytest.raises(ParameterError) as caught:
        estimate(*given, **more)
    return caught.value.problems


def test_a_model_that_does_not_fit_says_by_how_much():
    # 70,553,706,496 x 2 B = 141.1 GB, and 64 x 4,096 x 327,680 B = 85.9 GB: 227.0 GB over 0.9 x 80 GB each.
    (told,) = problem("llama-3.1-70b", "h100-sxm", batch=64, context_tokens=4096)
    assert "misses 155.0 GB" in told and "4 would do" in told
    assert told.endswith("90 % of the memory are used, which memory_share changes [count]")
    estimate("llama-3.1-70b", "h100-sxm", 4, batch=64, context_tokens=4096)
    # Of all of it three would hold it, and do not divide 64 heads.
    (told,) = problem("llama-3.1-70b", "h100-sxm", batch=64, context_tokens=4096, memory_share=1)
    assert "misses 147.0 GB" in told and told.endswith("4 would do [count]")
    # Each of 8 heads' caches, 64 x 200,000 x 131,072 B / 8 = 209.7 GB, must lie on one H100.
    (told,) = problem("llama-3.1-8b", "h100-sxm", batch=64, context_tokens=200_000)
    assert "misses 1,621.8 GB" in told and "no number" in told


def test_servers_keep_a_tenth_of_the_memory_back():
    # https://github.com/deepseek-ai/DeepSeek-V3/issues/11: 16 bit on A100 of 80 GB takes 32, four servers of eight.
    (told,) = problem("deepseek-v3", "a100-sxm-80gb", 8)
    assert "; 32 would do; " in told
    # https://github.com/deepseek-ai/DeepSeek-V3/issues/577: in FP8 two servers of eight H100.
    (told,) = problem("deepseek-v3", "h100-sxm", 8, weight_format="fp8")
    assert "; 16 would do; " in told
    # MoonshotAI/Kimi-K2, docs/deploy_guidance.md: weights in FP8 take 16 H200 at least, though eight hold the
    # terabyte of its weights by their datasheet. Of Kimi-K2-Thinking in four bits: eight H200.
    for format_, n in (("fp8", 16), ("int4", 8)):
        long = {"weight_format": format_, "context_tokens": 128_000}
        told = " ".join(problem("kimi-k2", "h200", 4, **long))
        assert f"; {n} would do; " in told
    # 32.8 billion parameters of Qwen3-32B are 65.5 GB; a cache of 2 x 64 x 8 x 128 x 2 B = 262,144 B a token: 0.9 x
    # 80 - 65.5 = 6.5 GB hold 24.7 thousand tokens, all 80 GB 55 thousand.
    alone = {"model": "qwen3-32b", "accelerator": "h100-sxm"}
    for tokens, share, fits in ((24_000, None, True), (26_000, None, False), (50_000, 1, True), (50_000, 0.95, False)):
        run = alone | {"context_tokens": numpy.array([float(tokens)]), "memory_share": share}
        assert estimate(**run).fits[0] == fits, tokens
    # Nothing is kept back where nobody serves.
    for software in ("llama.cpp", "eager", "bare"):
        assert estimate(**alone, context_tokens=50_000, software=software).memory_share == 1
    assert {estimate(**alone, software=name).memory_share for name in ("vllm", "sglang", "trtllm", None)} == {0.9}
    (told,) = problem(**alone, memory_share=1.2)
    assert told == "memory_share: got 1.2; allowed is a number from 0.01 to 1 [count]"


def test_in_arrays_what_does_not_fit_is_not_a_number():
    found = estimate("llama-3.1-70b", "h100-sxm", 2, batch=numpy.array([1, 8, 512]), context_tokens=1000)
    # Of 0.9 x 160 GB 2.9 are left for sequences of 0.33 GB each: 8.
    assert list(found.fits) == [True, True, False]
    for name in ("j_per_token", "tokens_per_s", "tokens_per_s_per_user", "power_w", "step_s", "prefill_j_per_token"):
        assert list(numpy.isnan(getattr(found, name))) == [False, False, True], name
    assert all(math.isnan(values[2]) for values in found.energy_by_part.values())
    assert math.isnan(found.low.j_per_token[2]) and math.isnan(found.high.power_w[2])
    # 141.1 GB and 512 x 0.32768 GB over 144 GB.
    assert found.missing_bytes[2] == pytest.approx(164.9e9, rel=1e-3)


@pytest.mark.parametrize(
    "model, kind", [("llama-3.1-8b", "tp"), ("qwen3-30b-a3b", "ep"), ("nemotron-nano-9b-v2", "tp")]
)
def test_arrays_hold_what_floats_give(model, kind):
    counts, batches, contexts = numpy.array([1, 2, 8]), numpy.array([1.0, 40.5, 256.0]), numpy.array([10, 2000, 900])
    more = {"prompt_tokens": 300, "output_tokens": 200, "parallelism": kind, "boundary": "server"}
    together = estimate(model, "b200", counts, batches, context_tokens=contexts, **more)
    for place, (n, batch, context) in enumerate(zip(counts, batches, contexts)):
        alone = estimate(model, "b200", int(n), float(batch), context_tokens=int(context), **more)
        for name in ("j_per_token", "tokens_per_s", "power_w", "prefill_j_per_token"):
            assert getattr(together, name)[place] == pytest.approx(getattr(alone, name), rel=1e-12), name
        assert together.bound[place] == alone.bound


# Properties

runs = st.fixed_dictionaries(
    {
        "model": st.sampled_from(
            ["llama-3.1-8b", "gemma-3-12b", "qwen3-30b-a3b", "gpt-oss-20b", "nemotron-nano-9b-v2"]
        ),
        "accelerator": st.sampled_from(["h100-sxm", "b200", "a100-sxm-80gb", "mi300x"]),
        "n_accelerators": st.sampled_from([2, 4, 8]),
        "batch": st.floats(1, 200),
        "prompt_tokens": st.just(0.0) | st.floats(1, 2000),
        "output_tokens": st.floats(1, 2000),
        "context_tokens": st.floats(0, 2000),
        "boundary": st.sampled_from(estimator.BOUNDARIES),
    }
)


@given(runs)
def test_parts_sum_and_the_plateau_holds(run):
    found = estimate(**run)
    assert sum(found.energy_by_part.values()) == pytest.approx(found.j_per_token, rel=1e-9)
    board = estimate(**{**run, "boundary": "accelerators"})
    rating = run["n_accelerators"] * catalog.accelerator(run["accelerator"]).tdp_w
    assert board.power_w <= 0.975 * rating * (1 + 1e-12) and board.high.power_w <= rating * (1 + 1e-12)
    for name in ("j_per_token", "tokens_per_s", "power_w"):
        assert 0 < getattr(found.low, name) < getattr(found, name) < getattr(found.high, name)
    assert found.j_per_token == pytest.approx(found.power_w / found.tokens_per_s)
    # A difference of two steps: a rounding error of them is allowed.
    assert -1e-12 * found.j_per_token <= found.prefill_j_per_token <= found.j_per_token


@given(runs, st.sampled_from(["bf16", "fp8", "int4"]))
def test_a_bare_step_keeps_to_its_parts_and_its_limit(run, weight_format):
    if (run["accelerator"], weight_format) == ("a100-sxm-80gb", "fp8"):
        weight_format = "int8"
    run = {**run, "software": "bare", "weight_format": weight_format, "boundary": "accelerators"}
    found = estimate(**run)
    assert sum(found.energy_by_part.values()) == pytest.approx(found.j_per_token, rel=1e-9)
    machine = catalog.accelerator(run["accelerator"])
    most = found.inputs["plateau_tdp_share"] * run["n_accelerators"] * machine.tdp_w
    assert found.power_w <= most * (1 + 1e-9) and found.inputs["plateau_tdp_share"] < 1
    for name in ("j_per_token", "tokens_per_s", "power_w"):
        assert 0 < getattr(found.low, name) <= getattr(found, name) <= getattr(found.high, name), name
    # A server adds waiting, never speed: as many bytes at most at the rate of large streams.
    assert found.step.memory_time_s <= found.step_s * (1 + 1e-9)
    for name in ("memory_bandwidth_bytes_per_s", "link_bytes_per_s", "plateau_tdp_share"):
        assert found.vary(**{name: 1.5 * found.inputs[name]}).tokens_per_s >= found.tokens_per_s * (1 - 1e-12), name
    for name in ("layer_time_s", "sum_time_s", "context_tokens", "weight_energy_j_per_byte"):
        assert found.vary(**{name: 1.5 * found.inputs[name]}).tokens_per_s <= found.tokens_per_s * (1 + 1e-12), name


@given(runs, st.floats(1.001, 3))
def test_what_never_hurts(run, factor):
    found = estimate(**run)
    for name in ("memory_bandwidth_bytes_per_s", "product_flop_per_s", "link_bytes_per_s"):
        assert found.vary(**{name: factor * found.inputs[name]}).tokens_per_s >= found.tokens_per_s * (1 - 1e-12), name
    for name in ("layer_time_s", "sequence_time_s", "sum_time_s", "context_tokens", "prompt_tokens"):
        assert found.vary(**{name: factor * found.inputs[name]}).tokens_per_s <= found.tokens_per_s * (1 + 1e-12), name
    for name in ("static_tdp_share", "weight_energy_j_per_byte", "cache_energy_j_per_byte", "tdp_w"):
        assert found.vary(**{name: factor * found.inputs[name]}).j_per_token >= found.j_per_token * (1 - 1e-12), name
    larger = found.vary(batch=factor * run["batch"])
    assert larger.tokens_per_s >= found.tokens_per_s * (1 - 1e-12) and larger.step_s >= found.step_s * (1 - 1e-12)


def test_a_varied_run_says_what_it_is():
    found = estimate("llama-3.1-8b", "h100-sxm", batch=8, context_tokens=500).vary(
        batch=16.0, context_tokens=900.0, tdp_w=600.0
    )
    assert (found.batch, found.context_tokens) == (16, 900)
    assert found.tokens_per_s == estimate("llama-3.1-8b", "h100-sxm", batch=16, context_tokens=900).tokens_per_s
    assert found.inputs["tdp_w"] == 600 and catalog.accelerator("h100-sxm").tdp_w == 700


def test_what_is_no_input_cannot_be_varied():
    with pytest.raises(ParameterError, match="clock: not an input; inputs are batch, "):
        estimate("llama-3.1-8b", "h100-sxm").vary(clock=1.0)


# Bad input

NUMBERS = ("n_accelerators", "batch", "prompt_tokens", "output_tokens", "context_tokens")
WRONG = {
    "negative": -1, "not a number": math.nan, "infinite": math.inf, "text": "8", "a bool": True, "complex": 1j,
    "huge": 10**400, "nothing": [], "texts": ["a", "b"], "ragged": [[1], [1, 2]], "one of several": [1, -3, 2],
    "unknown": [1, math.nan], "a dictionary": {}, "bools": numpy.array([True, False]),
}  # fmt: skip


@pytest.mark.parametrize("kind", WRONG)
@pytest.mark.parametrize("name", NUMBERS)
def test_wrong_numbers(name, kind):
    (told,) = problem("llama-3.1-8b", "h100-sxm", **{name: WRONG[kind]})
    row = quantities()[name]
    assert told.startswith(f"{name}: got ") and f"from {row.low:,.0f} to {row.high:,.0f}" in told and "[count]" in told


@pytest.mark.parametrize(
    "name, value",
    [
        ("batch", 0),
        ("batch", 1e9),
        ("output_tokens", 0),
        ("n_accelerators", 0),
        ("n_accelerators", 1.5),
        ("n_accelerators", [1, 2.5]),
        ("batch", None),
    ],
)
def test_numbers_out_of_range(name, value):
    (told,) = problem("llama-3.1-8b", "h100-sxm", **{name: value})
    assert told.startswith(f"{name}: got ") and "allowed is" in told
    assert ("whole number" in told) == (name == "n_accelerators")


@pytest.mark.parametrize(
    "name, value, told",
    [
        ("model", "lama-3.1-8b", "did you mean llama-3.1-8b"),
        ("accelerator", "h1000", "did you mean h100-sxm"),
        ("weight_format", "fp7", "did you mean fp8"),
        ("kv_format", "bf61", "did you mean bf16"),
        ("model", None, "no model is called 'None'"),
        ("boundary", "sever", "did you mean server? allowed is accelerators, server, facility"),
        ("parallelism", "pq", "allowed is tp, ep, dp, pp"),
        ("parallelism", "dp", "has no experts to spread, allowed is tp or pp"),
        ("boundary", 3, "allowed is accelerators"),
        ("parallelism", "ep", "has no experts to spread, allowed is tp"),
    ],
)
def test_unknown_names(name, value, told):
    (line,) = problem(**{"model": "llama-3.1-8b", "accelerator": "h100-sxm", name: value})
    assert line.startswith(f"{name}: ") and told in line


def test_a_record_of_another_kind_is_told():
    network, machine = catalog.model("llama-3.1-8b"), catalog.accelerator("h100-sxm")
    lines = problem(machine, network)
    assert lines[0].startswith("model: no model is called") and lines[1].startswith("accelerator: no accelerator")


def test_without_lengths_the_usual_ones_count_and_are_told():
    alone, usual = estimate("llama-3.1-8b", "h100-sxm"), estimate("llama-3.1-8b", "h100-sxm", 1, 1, 500, 500)
    assert alone.j_per_token == usual.j_per_token and alone.context_tokens == 750
    assert any("no lengths given: a prompt of 500 and an answer of 500 tokens" in note for note in alone.notes)
    # One length that is given is the only one.
    for length in ({"context_tokens": 1000}, {"prompt_tokens": 0}, {"prompt_tokens": 1000}):
        found = estimate("llama-3.1-8b", "h100-sxm", **length)
        assert math.isinf(found.output_tokens) and found.context_tokens == sum(length.values())
    assert estimate("llama-3.1-8b", "h100-sxm", output_tokens=100).prompt_tokens == 0


def test_what_no_source_gives_can_be_typed():
    known, typed = (estimate("llama-3.1-8b", name) for name in ("m3-ultra", "m3-ultra,tdp_w=100"))
    assert any(note.startswith("no rating given: the 270 W of its whole computer stand in") for note in known.notes)
    assert not any("no rating" in note for note in typed.notes) and typed.case.accelerator.tdp_w == 100
    # What is not known of the rating widens joules, not speed.
    low, high = (
        known.spans[name]["low_ratio"] / typed.spans[name]["low_ratio"] for name in ("j_per_token", "tokens_per_s")
    )
    assert low < 0.99 and high == pytest.approx(1)
    # A Mac Studio wrote 14.4 tokens/s of Llama-3.3-70B in Q4_K_M (geerlingguy/beowulf-ai-cluster, issue 17).
    run = {"weight_format": "q4_k_m", "software": "llama.cpp", "context_tokens": 500}
    found = estimate("llama-3.3-70b", "m3-ultra,tdp_w=270", **run)
    assert found.low.tokens_per_s < 14.4 < found.high.tokens_per_s


def test_rates_that_are_not_known():
    (told,) = problem("llama-3.1-8b", "a100-sxm-80gb", weight_format="fp8")
    assert told.startswith("weight_format: a100-sxm-80gb has no rate for fp8; it has bf16, int8")
    (told,) = problem("llama-3.1-8b", "dgx-h100")
    assert told.startswith("accelerator: dgx-h100 is a whole system; name one of its accelerators")
    (told,) = problem("llama-3.1-8b", "rtx-3060", 4)
    assert told.startswith("n_accelerators: no bandwidth between accelerators of rtx-3060")
    # Whole systems are refused, so they are not named as what would do.
    assert "give link_bytes_per_s [B/s]; it is known for h100-sxm" in told and "dgx-h100" not in told
    assert estimate("llama-3.1-8b", "rtx-3060", 4, link_bytes_per_s=8e9).step.link_time_s > 0


def test_arrays_that_do_not_go_together():
    (told,) = problem("llama-3.1-8b", "h100-sxm", batch=[1, 2, 3], context_tokens=[1, 2])
    assert "batch (3,), context_tokens (2,)" in told


def test_one_error_with_every_problem():
    lines = problem(
        "no such",
        "neither",
        n_accelerators=0,
        batch=-1,
        prompt_tokens="x",
        output_tokens=math.inf,
        context_tokens=math.nan,
        weight_format="?",
        kv_format="!",
        parallelism="dd",
        boundary="planet",
    )
    assert sorted(line.partition(":")[0] for line in lines) == sorted(
        ["model", "accelerator", "weight_format", "kv_format", "parallelism", "boundary", *NUMBERS]
    )


ONE = {"model": "llama-3.1-70b", "accelerator": "h100-sxm", "n_accelerators": 1, "batch": 32, "context_tokens": 4096}


def test_enough_is_the_fewest_that_fit():
    # 141 GB of weights and 32 x 4096 tokens x 0.328 MB = 43 GB of caches: two H100 with 72 GB are too few, and three
    # do not divide 64 heads.
    assert fewest(case(**ONE)) == held(case(**ONE)).n_accelerators == 4
    assert held(case(**ONE | {"n_accelerators": 4})).n_accelerators == 4
    assert held(case("llama-3.1-70b", "m4")) is None
    # 4 sequences keep 5.4 GB at 16 bit and 2.7 GB at 8, where two boards leave 144 - 141.1 = 2.9.
    found = [held(case(**ONE | {"batch": 4}, kv_format=cache)) for cache in ("bf16", "fp8")]
    assert [one.n_accelerators for one in found] == [4, 2]
    # One board needs no link to others, of which the catalog knows none here.
    assert held(case("qwen3-4b", "rtx-3060", weight_format="int4", context_tokens=1000)).n_accelerators == 1
    assert held(case("llama-3.1-8b", "rtx-3060", context_tokens=1000)) is None
    # Cards share the bus of their computer: 141 GB over cards of 24 GB, in a number that divides 64 heads.
    assert held(case("llama-3.1-70b", "rtx-4090", context_tokens=1000)).n_accelerators == 8


def test_a_bare_step_takes_the_bus_of_a_computer_without_links():
    # A bus of 31 GB/s: 160 sums of 32 vectors of 8192 values of 2 B are 83.9 MB, 2.706 ms, and 160 times 6 us besides.
    found = expect(case("llama-3.1-70b", "rtx-4090", 8, 32, context_tokens=1000, software="bare")).step
    assert found.link_time_s == pytest.approx(2.706e-3 + 0.96e-3, rel=1e-3)


# What else was wrong once

SHARED = {"model": "llama-3.1-8b", "accelerator": "h100-sxm", "n_accelerators": 2}


@pytest.mark.parametrize(
    "name, value",
    [
        ("batch", "x"),
        ("batch", 0),
        ("software", "other"),
        ("parallelism", "data"),
        ("parallelism", "dp"),
        ("model", "nope"),
        ("accelerator", "nope"),
        ("power_cap_w", 0),
        ("network_bytes_per_s", 7),
        ("max_step_tokens", "many"),
        ("draft_tokens", -1),
        ("cached_prompt_share", 2),
    ],
)
def test_a_wrong_word_on_several_boards_is_told_as_on_one(name, value):
    for n in (1, 2):
        (told,) = problem(**{**SHARED, "n_accelerators": n, name: value})
        assert told.startswith(f"{name}: ") and "allowed is" in told or "no " in told


def test_a_cap_that_cannot_be_held_is_refused():
    run = {"model": "llama-3.1-8b", "accelerator": "h100-sxm", "batch": 64, "context_tokens": 500, "software": "vllm"}
    (told,) = problem(**run, power_cap_w=70)
    assert told.startswith("power_cap_w: got 70; h100-sxm draws ") and told.endswith("allowed is more [W]")
    # A board with clocks up draws 114 W (data/power_runs.csv), and an idle one 70.
    assert estimate(**run, power_cap_w=200).power_w == pytest.approx(200, rel=1e-3)
    free, wide = estimate(**run), estimate(**run, power_cap_w=700)
    assert wide.tokens_per_s == pytest.approx(free.tokens_per_s) and wide.power_w == pytest.approx(free.power_w)


def test_a_limit_of_tokens_leaves_room_for_fewer_sequences():
    run = {**SHARED, "batch": 64, "prompt_tokens": 500, "output_tokens": 500, "software": "vllm"}
    # 64 tokens, and 64 / 500 prompts of 500 tokens a step: 128. Half of them leave room for 32.
    wide, half = (estimate(**run, max_step_tokens=limit) for limit in (128, 64))
    assert (wide.batch, half.batch) == (64, 32) and any("leaves room for fewer" in note for note in half.notes)
    # Every step then takes in a little, which hides behind reading the weights.
    assert wide.tokens_per_s == pytest.approx(estimate(**run).tokens_per_s, rel=0.05)
    assert half.tokens_per_s < wide.tokens_per_s
    assert estimate(**run, max_step_tokens=64, cached_prompt_share=1).batch == 64
    # Chung and others (mlenergy2025), table 5: 4,096 tokens in and 512 out, Llama 3.1 8B on one H100, at most 32 to 256
    # tokens a step; joules an output token.
    for limit, j_per_token in ((32, 1.09), (64, 0.73), (128, 0.53), (256, 0.40)):
        found = estimate("llama-3.1-8b", "h100-sxm", 1, 32, 4096, 512, max_step_tokens=limit, software="vllm")
        assert found.low.j_per_token < j_per_token < found.high.j_per_token
        assert found.j_per_token == pytest.approx(j_per_token, rel=0.1)


def test_a_limit_of_tokens_that_holds_no_sequence_is_refused():
    run = {"model": "llama-3.1-8b", "accelerator": "h100-sxm", "context_tokens": 500}
    (told,) = problem(**run, max_step_tokens=16, draft_tokens=16)
    assert told == "max_step_tokens: got 16; a sequence sends 17, allowed is from that up [count]"
    assert estimate(**run, max_step_tokens=16, draft_tokens=15, software="vllm").batch == 1
    (told,) = problem(**run, draft_tokens=2, accepted_tokens=3)
    assert told == "accepted_tokens: got 3; allowed is up to the draft_tokens, 2 [count]"


def test_drafts_that_are_all_accepted_never_cost():
    run = {**SHARED, "n_accelerators": 1, "batch": 64, "prompt_tokens": 500, "output_tokens": 500, "software": "vllm"}
    speeds = [estimate(**run, draft_tokens=n, accepted_tokens=n).tokens_per_s for n in (0, 1, 2, 4)]
    assert speeds == sorted(speeds)
    # A draft is checked whatever becomes of it.
    assert estimate(**run, draft_tokens=4).tokens_per_s < speeds[0]


def test_sequences_apart_need_no_context():
    found = estimate("qwen3-30b-a3b", "h100-sxm", 2, parallelism="dp", software="vllm")
    assert found.tokens_per_s > 0 and any("no fitted run had sequences apart" in note for note in found.notes)


def test_numbers_that_do_not_divide_heads_are_told():
    for n, told in ((2, False), (3, True), (4, False)):
        found = estimate("llama-3.1-8b", "h100-sxm", n, context_tokens=100)
        assert any("does not divide the 32 heads" in note for note in found.notes) == told


def test_a_cap_is_an_input_that_can_be_varied():
    found = estimate("llama-3.1-8b", "h100-sxm", batch=64, context_tokens=500, software="vllm", power_cap_w=300)
    assert found.inputs["power_cap_w"] == 300
    assert found.vary(power_cap_w=350.0).power_w == pytest.approx(350, rel=1e-3)


def test_a_long_prompt_alone_is_read_once():
    """Chunks of a prompt follow each other: 30,000 tokens take four steps of 8,192, whose mean stands for all."""
    alone = estimate("qwen3-8b", "h100-sxm", prompt_tokens=30_000, output_tokens=0)
    assert alone.first_token_s == pytest.approx(alone.step_s)
    answered = estimate("qwen3-8b", "h100-sxm", prompt_tokens=30_000, output_tokens=500)
    assert alone.first_token_s == pytest.approx(answered.first_token_s, rel=0.05)
    # Nothing else is done, so all energy is the prompt's.
    assert alone.prefill_j_per_token == alone.j_per_token
    assert alone.j_per_input_token == pytest.approx(alone.j_per_request / 30_000)


@pytest.mark.parametrize(
    ("measured", "message"),
    [
        ({"measured_tokens_per_s": 1.5e6}, "measured_tokens_per_s: got 1.5e.06; h100-sxm would have to do .* times"),
        # 3.35 TB/s over 15.14 GB of weights and 0.11 GB of cache are 220 tokens a second, a tenth more 242.
        ({"measured_tokens_per_s": 265}, "allowed is up to 24"),
        ({"measured_power_w": 5000}, "measured_power_w: got 5,000; 1 x h100-sxm are rated at 700 W, allowed is up to"),
    ],
)
def test_a_measurement_beyond_physics_is_refused(measured, message):
    with pytest.raises(ParameterError, match=message):
        estimate("qwen3-8b", "h100-sxm", **measured)
