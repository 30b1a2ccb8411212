"""A measurement of one's own: what it makes of an estimate and a plan, by hand and against published runs."""

import math

import numpy
import pytest

from llmpower import estimate, plan
from llmpower.arguments import ParameterError
from llmpower.evidence import exam
from llmpower.step import own

RUN = {"model": "llama-3.1-70b", "accelerator": "h100-sxm", "n_accelerators": 4, "software": "vllm"}
RUN |= {"prompt_tokens": 200, "output_tokens": 400}


def told(**more):
    with pytest.raises(ParameterError) as caught:
        estimate(**RUN, **more)
    return caught.value.problems


def test_the_measured_case_is_what_was_measured():
    plain, found = (
        estimate(**RUN, batch=64, **more)
        for more in ({}, {"measured_tokens_per_s": 2000.0, "measured_power_w": 1900.0})
    )
    assert found.tokens_per_s == pytest.approx(2000) and found.power_w == pytest.approx(1900)
    assert found.j_per_token == pytest.approx(0.95) and sum(found.energy_by_part.values()) == pytest.approx(0.95)
    # Parts and what follows from them keep their proportions.
    assert found.energy_by_part["weights"] / plain.energy_by_part["weights"] == pytest.approx(0.95 / plain.j_per_token)
    assert found.first_token_s / plain.first_token_s == pytest.approx(plain.tokens_per_s / 2000)
    assert found.j_per_request == pytest.approx(380) and found.bound == plain.bound
    # Twice the time for the same bytes is half of the bandwidth.
    slow = estimate(**RUN, batch=64, measured_tokens_per_s=plain.tokens_per_s / 2)
    assert slow.utilisation["bandwidth"] == pytest.approx(plain.utilisation["bandwidth"] / 2)


def test_without_watts_what_flows_whatever_the_work_flows_on():
    plain = estimate(**RUN, batch=64)
    slow = estimate(**RUN, batch=64, measured_tokens_per_s=plain.tokens_per_s / 2)
    parts = plain.energy_by_part | {"static": 2 * plain.energy_by_part["static"]}
    assert slow.energy_by_part == pytest.approx(parts)
    # Without a speed watts change joules alone.
    drawing = estimate(**RUN, batch=64, measured_power_w=1.1 * plain.power_w)
    assert drawing.tokens_per_s == plain.tokens_per_s
    assert drawing.j_per_token == pytest.approx(1.1 * plain.j_per_token)


def test_another_batch_follows_by_less():
    plain, found = (
        estimate(**RUN, batch=[8, 64, 512], **more)
        for more in ({}, {"measured_tokens_per_s": 2000, "measured_batch": 64})
    )
    ratio = 2000 / plain.tokens_per_s[1]
    # Half of the logarithm is left at eight times the batch, above and below.
    assert found.tokens_per_s / plain.tokens_per_s == pytest.approx([ratio**0.5, ratio, ratio**0.5])
    # The same as one estimate each.
    alone = estimate(**RUN, batch=8, measured_tokens_per_s=2000, measured_batch=64)
    assert alone.tokens_per_s == pytest.approx(found.tokens_per_s[0])
    assert alone.low.tokens_per_s == pytest.approx(found.low.tokens_per_s[0])


def test_several_batches_on_a_machine_with_gaps():
    run = {"context_tokens": 100, "measured_tokens_per_s": 8, "measured_batch": 1}
    several = estimate("llama-3.1-8b", "m1-pro", batch=[1, 4, 64], **run)
    for place, batch in enumerate((1, 4, 64)):
        alone = estimate("llama-3.1-8b", "m1-pro", batch=batch, **run)
        for end in ("low", "high"):
            for name, value in vars(getattr(alone, end)).items():
                assert getattr(getattr(several, end), name)[place] == pytest.approx(value), (batch, end, name)
    assert len(str(several).splitlines()) > 10 and len(several.to_frame()) == 3


def test_the_range_is_that_of_repeats_and_widens_with_the_distance():
    batches = numpy.array([64, 80, 128, 512, 6400])
    found = estimate(**RUN, batch=batches, measured_tokens_per_s=2500, measured_power_w=2200, measured_batch=64)
    plain = estimate(**RUN, batch=64)
    for name in ("tokens_per_s", "j_per_token"):
        width = found.spans[name]["high_ratio"] / found.spans[name]["low_ratio"]
        assert width[0] == width[1] < width[2] * 1.1 and width[2] < width[3]
        assert width[3] < width[4] == pytest.approx(plain.spans[name]["high_ratio"] / plain.spans[name]["low_ratio"])
    # Runs of one set-up that were made twice differ by some per cent (`exam.repeats`).
    repeats = exam.repeats()["tokens_per_s"]
    assert found.spans["tokens_per_s"]["high_ratio"][0] - 1 < repeats.max()
    alone = estimate(**RUN, batch=64, measured_tokens_per_s=2500)
    assert "beyond" not in str(alone) and any("measured at batch 64: 2,500 tokens/s" in note for note in alone.notes)


@pytest.mark.parametrize("left_out", ["accelerator", "architecture", "task"])
def test_ranges_hold_eight_in_ten_of_runs_whose_like_no_constant_saw(left_out):
    pairs, least = exam.carried(left_out), 1.25
    for most in (2.5, 10):
        some = pairs[~pairs["same"] & (pairs["apart"] > least) & (pairs["apart"] <= most)]
        for kind, quantities in own.NARROWS.items():
            for quantity in quantities:
                inside, column = [], f"{kind}, {quantity}"
                for moe, these in some[some[column].notna()].groupby("moe"):
                    row = own.errors(kind, own.BANDS[most], "moe" if moe else "dense", quantity)
                    inside.append((1 / (1 + these[column])).between(row["low_ratio"], row["high_ratio"]))
                assert 0.74 < numpy.concatenate(inside).mean() < 0.9, (column, most)
        # And the speed is nearer than without the measurement.
        plain, corrected = (some[f"{kind}, tokens_per_s"].abs().mean() for kind in (own.POWER, own.SPEED))
        assert corrected < 0.9 * plain
        least = most


def test_half_of_a_correction_is_left_where_runs_err_least(monkeypatch):
    def size(left_out, ratio):
        monkeypatch.setattr(own, "half_kept_ratio", lambda: ratio)
        pairs = exam.carried(left_out)
        return numpy.sqrt((numpy.log1p(pairs.loc[~pairs["same"], f"{own.SPEED}, tokens_per_s"]) ** 2).mean())

    chosen = own.half_kept_ratio()
    for left_out in ("source", "accelerator", "family"):
        least, nothing, everything = (size(left_out, ratio) for ratio in (chosen, 1.01, 1e6))
        assert least < 1.01 * min(size(left_out, ratio) for ratio in (4, 12)) and least < 0.95 * min(
            nothing, everything
        )


def test_a_rating_that_nobody_knows_is_in_doubt_until_watts_are_measured():
    run = {"weight_format": "q4_k_m", "software": "llama.cpp", "context_tokens": 500, "measured_tokens_per_s": 14.4}
    guessed, known = (estimate("llama-3.3-70b", name, **run) for name in ("m3-ultra", "m3-ultra,tdp_w=200"))
    assert guessed.spans["j_per_token"]["low_ratio"] < known.spans["j_per_token"]["low_ratio"]
    assert guessed.spans["tokens_per_s"] == known.spans["tokens_per_s"]
    both = [estimate("llama-3.3-70b", one, **run, measured_power_w=200) for one in ("m3-ultra", "m3-ultra,tdp_w=200")]
    assert both[0].spans == both[1].spans and both[0].low.j_per_token == pytest.approx(both[1].low.j_per_token)


# Published by one tester each: what was measured at one batch, and what at others; how many of these lie in the range.
SERIES = {
    # https://github.com/SemiAnalysisAI/InferenceX/pull/1061 and pull/1053.
    "MI300X": (
        ("gpt-oss-120b", "mi300x"), {"prompt_tokens": 922, "output_tokens": 922, "software": "vllm"},
        (64, 2008), {96: 2561, 128: 2990, 256: 4271}, 3,
    ),
    # https://kubis.ai/blog/dgx_series/benchmarks/gpt-oss-120b-topology-benchmark, one box, whose attention and output
    # layer have 4 bits too, which is not asked here: one user is 8 % above the range, 16 and 32 are 10 and 25 %.
    "Spark": (
        ("gpt-oss-120b", "dgx-spark"), {"context_tokens": 1088, "kv_format": "fp8", "software": "vllm"},
        (8, 153.5), {1: 57.5, 2: 78.4, 4: 107.9, 16: 218.5, 32: 318.7}, 2,
    ),
}  # fmt: skip


@pytest.mark.parametrize("thread", SERIES)
def test_one_published_run_tells_of_the_others(thread):
    asked, run, (batch, tokens_per_s), others, n_inside = SERIES[thread]
    run = run | {"weight_format": "mxfp4"}
    errors, inside = [], []
    for many, wanted in others.items():
        found = estimate(*asked, 1, many, **run, measured_tokens_per_s=tokens_per_s, measured_batch=batch)
        plain = estimate(*asked, 1, many, **run)
        inside.append(found.low.tokens_per_s < wanted < found.high.tokens_per_s)
        errors.append([abs(math.log(one.tokens_per_s / wanted)) for one in (found, plain)])
    assert sum(inside) >= n_inside
    corrected, plain = numpy.mean(errors, axis=0)
    assert corrected < 0.7 * plain


def test_a_measurement_that_cannot_be_is_answered_and_doubted():
    found = estimate(**RUN, batch=64, measured_tokens_per_s=300)
    assert found.tokens_per_s == pytest.approx(300)
    assert any(
        "the tokens/s lie beyond twice the range of such predictions: is it the same case?" in one
        for one in found.notes
    )
    # A quarter slower is nothing to doubt.
    quarter = estimate(**RUN, batch=64, measured_tokens_per_s=0.75 * estimate(**RUN, batch=64).tokens_per_s)
    assert not any("beyond twice" in one for one in quarter.notes)


def test_what_was_measured_under_a_cap_may_exceed_it():
    found = estimate(**RUN, batch=64, power_cap_w=400, measured_power_w=1650)
    assert found.power_w == pytest.approx(1650) and found.power_cap_w == 400


def test_what_is_missing_or_does_not_go_together_is_told():
    assert told(measured_batch=8) == ["measured_batch: got 8; give measured_tokens_per_s or measured_power_w with it"]
    (line,) = told(batch=[1, 2], measured_tokens_per_s=100)
    assert line.startswith("measured_batch: got None; give the batch that was measured")
    (line,) = told(measured_tokens_per_s=0)
    assert line.startswith("measured_tokens_per_s: got 0; allowed is a number from 1e-06")
    (line,) = told(cached_prompt_share=[0, 0.5], measured_power_w=100)
    assert line.startswith("cached_prompt_share: got several values")


def test_a_plan_follows_the_measurement_of_its_copy():
    asked = {"n_accelerators": 4, "tokens_per_s_per_user": 25}
    plain = plan("llama-3.1-70b", "h100-sxm", 1e7, **asked)
    slow = plan("llama-3.1-70b", "h100-sxm", 1e7, **asked, measured_tokens_per_s=1000, measured_batch=32)
    assert slow.batch < plain.batch and slow.n_accelerators.central > plain.n_accelerators.central
    assert slow.tokens_per_s_per_user.central >= 25
    with pytest.raises(ParameterError) as caught:
        plan("llama-3.1-70b", "h100-sxm", 1e7, tokens_per_s_per_user=25, measured_tokens_per_s=1000)
    assert [line.partition(":")[0] for line in caught.value.problems] == ["n_accelerators", "measured_batch"]
