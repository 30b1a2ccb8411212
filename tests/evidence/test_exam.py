"""The estimator's exam: roof, held-out runs, other laboratories and measured points."""

import numpy as np
import pytest

import llmpower
from llmpower.evidence import exam, fit
from llmpower.evidence.exam import Measured, measured_points
from llmpower.facts import catalog

RUNS = exam.roof_runs()


@pytest.mark.parametrize("accelerator", sorted(set(RUNS["accelerator"])))
def test_no_measured_run_stands_above_its_power_roof(accelerator):
    some = RUNS[RUNS["accelerator"] == accelerator]
    # Two runs of one set-up differ by less than this in speed, nine times in ten.
    slack = exam.repeats()["tokens_per_s"].quantile(0.9)
    assert 0.01 < slack < 0.1
    # A run may stand above it only by the prompts that are counted and perhaps were in a cache.
    assert ((some["over_central"] <= 1 + slack) | (some["over_least"] <= 1)).all()
    fitted = some[some["id"].isin(exam.held_out()["id"])]
    assert fitted.empty or fitted["over_central"].max() <= 1 + slack
    assert some["over_high"].max() <= some["over_central"].max() <= some["over_low"].max()


def test_the_roof_is_for_dense_networks_in_16_bit():
    assert set(RUNS["weight_format"]) <= {"bf16", "fp16"} and (RUNS["kind"] == "dense").all()


def test_counts_of_a_mixture_by_hand():
    # Qwen3-235B in 16 bit, 8 sequences of 224 + 6368 tokens, nearly no prompts.
    runs = fit.Runs(keep=lambda c: np.array([id == "mlenergy_v3-0010" for id in c["id"]]))
    n_bytes, n_flop = exam.run_counts(runs)
    # Experts: 94 layers x 128 x 3 x 4096 x 1536 x 2 bytes = 454 GB, of which 1 - (15/16)^8 = 40.3 % are touched:
    # 183 GB.
    # The rest but the input embedding: 14 GB. Caches: 2 x 4 x 128 x 94 x 2 bytes x 6592 x 8 = 10 GB.
    assert n_bytes[0] == pytest.approx(207e9, rel=0.02)
    # 8 x (2 x 21.6e9 active, attention 4 x 64 x 128 x 94 x 6592 = 20.3e9) and 2 % for prompts.
    assert n_flop[0] == pytest.approx(516e9, rel=0.02)


def test_not_every_chat_prompt_can_have_been_computed():
    # Operations per second that the fastest measured matrix product does not reach: 1745 TFLOP/s on a B200.
    b200 = RUNS[RUNS["accelerator"] == "b200"]
    assert b200["most_flop_per_s"].max() > 1.1 * 1745e12 > 1745e12 > b200["flop_per_s"].max()
    assert (RUNS["least_flop_per_s"] <= RUNS["flop_per_s"] * (1 + 1e-9)).all() and (
        RUNS["flop_per_s"] <= RUNS["most_flop_per_s"] * (1 + 1e-9)
    ).all()


def test_twins_are_held_out_together():
    table = exam.held_out()
    groups = table.groupby("architecture")["model"].agg(set)
    assert groups["llama-3.1-70b"] == {"llama-3.1-70b", "llama-3.3-70b"}
    assert groups["qwen3-30b-a3b"] == {"qwen3-30b-a3b", "qwen3-coder-30b-a3b"}
    assert table[table["architecture"] == "deepseek-v3"]["published_model"].nunique() == 2


def test_other_runs_are_other_networks_or_other_laboratories():
    table, fitted = exam.other_runs(), fit.serving_runs(anomalies=True)
    assert not set(table["id"]) & set(fitted.columns["id"])
    assert np.isfinite(table["predicted_j_per_token"]).all() and len(table) > 60


def test_the_range_covers_what_estimate_says_it_covers():
    table = exam.other_runs()
    # An H100 run of a dense network, against the range of the estimate with the same label.
    run = table[(table["accelerator"] == "h100-sxm") & (table["kind"] == "dense")].iloc[0]
    spans = llmpower.estimate("llama-3.1-8b", "h100-sxm", batch=8, prompt_tokens=100, output_tokens=100).spans[
        "tokens_per_s"
    ]
    ratio = run["tokens_per_s"] / run["predicted_tokens_per_s"]
    assert run["speed_inside"] == (spans["low_ratio"] <= ratio <= spans["high_ratio"])
    ours = table["id"].str.startswith("mlenergy")
    assert exam.covered() == pytest.approx((table[ours]["speed_inside"].mean(), table[~ours]["speed_inside"].mean()))


def test_prompt_shares_change_only_the_prompts_of_chats_without_recurrence():
    runs = fit.serving_runs()
    other = exam._with_prompt_share(runs, 1.0)
    chat = (runs.columns["task"] == "lm-arena-chat") & (runs.net.recurrent == 0)
    assert (other.prompt[chat] == pytest.approx(runs.columns["prompt_tokens"][chat])) and (
        other.prompt[~chat] == runs.prompt[~chat]
    ).all()
    assert (runs.prompt[chat] < runs.columns["prompt_tokens"][chat]).all()


def test_published_errors_are_those_of_the_abstracts():
    points = exam.measured_points()
    assert points["predictor-liminal"].mean_error == 0.076
    fact = points["predictor-energylens"]["mean_error"]
    assert (fact.low, fact.value) == (0.0925, 0.1319)
    assert all(fact.source for fact in catalog.facts("measured_points.csv") if fact.quantity == "mean_error")


def test_measured_runs_are_those_of_their_sources():
    # ML.ENERGY prints 1.206875 and 0.071348 J per token; Argonne 447.987 W and 12.4928 s for 32 x 1024 tokens.
    points = measured_points()
    assert 1 / points["mlenergy-70b-h100x4-batch-32"].tokens_per_j == pytest.approx(1.206875, rel=1e-5)
    assert 1 / points["mlenergy-8b-h100-batch-691"].tokens_per_j == pytest.approx(0.071348, rel=1e-4)
    assert points["argonne-8b-h100-tensorrt-batch-32"].tokens_per_j == pytest.approx(
        32 * 1024 / 12.492752647 / 447.9871, rel=1e-5
    )
    # Geerling's issue: 20.89 tokens/s at 30.1 W.
    assert points["geerling-8b-m4"].tokens_per_j == pytest.approx(0.694, rel=1e-3)


POINTS = {name: one for name, one in measured_points().items() if isinstance(one, Measured)}


@pytest.mark.parametrize("name", [name for name, one in POINTS.items() if one.stored_format != "q4_0"])
def test_no_measured_run_beats_the_bound(name):
    run = POINTS[name]
    assert (
        run.tokens_per_j < run.delivery.most_tokens_per_j().low * 1.5
        and run.tokens_per_j < run.delivery.most_tokens_per_j().central
    )
    assert run.tokens_per_s < run.delivery.tokens_per_s
