"""The estimator against measurements: roof, held-out predictions, tables, and what the chapter says of them."""

from dataclasses import replace

import matplotlib.pyplot as plt
import numpy as np
import pytest

import llmpower
from llmpower.book import files, records
from llmpower.estimate import held
from llmpower.evidence import exam, fit, watts
from llmpower.facts import catalog
from llmpower.facts.power import power
from llmpower.figures import measurement as figures
from llmpower.step import constants
from llmpower.step import roof as ceilings
from llmpower.step.case import case
from llmpower.step.work import fewest
from tests.conftest import BOOK

CHAPTER = BOOK / "chapters" / "model-against-measurement.ipynb"
RUNS = exam.roof_runs()
H100 = catalog.accelerator("h100-sxm")


def test_the_power_roof_by_hand():
    # H100 at 300 FLOP/B: a byte takes max(1/3.35e12, 300/989.4e12) = 303 fs, but 93.44 + 300 x 0.52 = 249.4 pJ over
    # 700 - 69 W are 395 fs.
    found = ceilings.roof(H100, np.array([1.0, 300.0]))
    assert found.bandwidth == pytest.approx([3.35e12, 300 * 3.35e12], rel=0.01)
    assert found.compute == pytest.approx([989.4e12, 989.4e12], rel=0.01)
    assert found.power.central[1] == pytest.approx(300 / 395.3e-15, rel=0.005)
    # One operation a byte: 93.96 pJ at the full bandwidth are 315 W, which the rating allows.
    assert found.power.central[0] == pytest.approx(found.bandwidth[0])


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


def test_only_the_b200_comes_near_its_power_where_power_binds():
    # By hand: 700 - 69 W over 3.35 TB/s leave 188.36 pJ for a byte; 93.44 of it is the byte, the rest 182.5 operations
    # of 0.52 pJ.
    assert ceilings.power_binds_from(H100) == pytest.approx(182.5, abs=0.1)
    low, high = ceilings.power_binds_from(H100) * np.array([0.999, 1.001])
    ratio = [ceilings.roof(H100, np.array([one])) for one in (low, high)]
    assert [bool(one.power.central[0] < 0.9999 * one.bandwidth[0]) for one in ratio] == [False, True]
    bound = RUNS[RUNS["power_binds"]]
    closest = bound.groupby("accelerator")["over_central"].max()
    assert closest["b200"] > 0.9 and closest.drop("b200").max() < 0.5
    assert (RUNS["power_binds"] & (RUNS["accelerator"] != "b200")).mean() < 0.1


def test_a_machine_with_power_to_spare_never_meets_the_power_roof(monkeypatch):
    monkeypatch.setattr(ceilings, "power", lambda *given: replace(power(*given), value=-1e6))
    assert ceilings.power_binds_from(H100) == float("inf")


def test_the_price_of_a_busy_board_by_hand():
    # 13 runs on an H100 above 665 W: 688 W in the median, of which 69 idle; bytes and operations at the laboratory's
    # prices leave half unexplained.
    one = watts.priced()[watts.priced()["accelerator"] == "h100-sxm"]
    assert len(one) == 13 and one["power_w"].median() == pytest.approx(688, abs=1) and (one["idle_w"] == 69).all()
    assert one["explained"].median() == pytest.approx(0.47, abs=0.02)


def test_the_roof_covers_every_accelerator_with_dense_runs():
    assert {"h100-sxm", "b200", "gh200", "a100-sxm-40gb"} <= set(RUNS["accelerator"])
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


def test_predictions_are_there_for_every_run_and_none_saw_its_own_architecture():
    table = exam.held_out()
    runs = fit.serving_runs(anomalies=True)
    assert list(table["id"]) == list(runs.columns["id"])
    # Fitted again without Maverick, the constants give the committed predictions of Maverick.
    clean = np.array([not mark for mark in runs.columns["anomaly"]])
    out = np.flatnonzero(runs.architecture == "llama-4-maverick")
    values = fit.fit(runs, np.flatnonzero((runs.architecture != "llama-4-maverick") & clean))
    time, energy = runs.predict(values, runs.parts(out))
    assert energy / runs.columns["batch"][out] == pytest.approx(
        table["predicted_j_per_token"].to_numpy()[out], rel=0.005
    )
    assert runs.columns["batch"][out] / time == pytest.approx(
        table["predicted_tokens_per_s"].to_numpy()[out], rel=0.005
    )


@pytest.mark.parametrize("what, split", [("architecture", "architectures"), ("accelerator", "accelerators")])
@pytest.mark.parametrize("column, quantity", [("energy_error", "j_per_token"), ("speed_error", "tokens_per_s")])
def test_predictions_have_the_errors_of_the_accuracy_table(what, split, column, quantity):
    table = exam.held_out(what)
    clean = table[table["anomaly"] == ""]
    row = constants.errors()[split, "all", quantity]
    assert len(clean) == row["n"]
    found = fit.summary(clean[column])
    assert found == pytest.approx([row["median_pct"], row["mean_pct"], row["p90_pct"]], abs=0.15), (
        "run exam.write_predictions()"
    )


def test_twins_are_held_out_together():
    table = exam.held_out()
    groups = table.groupby("architecture")["model"].agg(set)
    assert groups["llama-3.1-70b"] == {"llama-3.1-70b", "llama-3.3-70b"}
    assert groups["qwen3-30b-a3b"] == {"qwen3-30b-a3b", "qwen3-coder-30b-a3b"}
    assert table[table["architecture"] == "deepseek-v3"]["published_model"].nunique() == 2


def test_repeats_are_the_known_pairs():
    # Llama 3.1 and 3.3 on four H100 at batch 8: 218.3 and 216.0 tokens a second in the file, 1 % apart.
    pairs = exam.repeats()
    assert 20 <= len(pairs) <= 40
    assert pairs["tokens_per_s"].median() == pytest.approx(0.022, abs=0.005)
    assert pairs["j_per_token"].median() == pytest.approx(0.025, abs=0.005)


def test_a_reading_finds_the_prices_that_made_the_watts(monkeypatch):
    random = np.random.default_rng(0)
    bytes_per_s, flop_per_s = random.uniform(0.5e12, 3e12, 50), random.uniform(1e13, 3e14, 50)
    made = 150 + 100e-12 * bytes_per_s + 0.5e-12 * flop_per_s
    monkeypatch.setattr(
        watts, "_boards", lambda accelerator: (made, bytes_per_s, flop_per_s, {"made up": np.arange(50)})
    )
    found = watts.reading("h100-sxm", "made up")
    assert (found.static_w, found.j_per_byte, found.j_per_flop) == pytest.approx((150, 100e-12, 0.5e-12), rel=1e-3)
    assert found.error < 1e-6
    held = watts.reading("h100-sxm", "made up", j_per_byte=50e-12)
    assert held.j_per_byte == pytest.approx(50e-12) and held.error > 0.01 and held.static_w > 150


@pytest.mark.parametrize("accelerator", constants.gaps())
def test_static_power_is_not_identified(accelerator):
    readings, idle_w = watts.readings(accelerator), power(catalog.accelerator(accelerator), "idle_w").value
    shares = [one.static_share for one in readings]
    assert max(shares) > 2 * min(shares) and max(shares) > 0.6
    assert all(one.static_w >= idle_w * (1 - 1e-6) and one.error < 0.1 for one in readings)


def test_drawing_networks_at_random_contradicts_itself():
    ends = watts.drawn("h100-sxm", draws=100)
    # Dense networks and mixtures of experts exclude each other, though each is fitted within a tenth.
    assert ends["dense networks"].high < ends["mixtures of experts"].low
    assert all(one.low <= one.central <= one.high for one in ends.values())
    # One network at a time: some ask for less power than nothing.
    assert min(watts.alone("h100-sxm").values()) < 0 < max(watts.alone("h100-sxm").values())


RUN = {
    "model": "llama-3.1-70b", "accelerator": "h100-sxm", "n_accelerators": 4, "batch": 32, "context_tokens": 4096,
}  # fmt: skip
ONE = RUN | {"n_accelerators": 1}


def test_measured_share_is_that_of_the_estimate_inside_its_interval():
    share = watts.measured_parts(case(**RUN))[1]
    parts = llmpower.estimate(**RUN).energy_by_part
    moved = parts["weights"] + parts["kv"] + parts["interconnect"]
    assert share.central == pytest.approx(moved / sum(parts.values()))
    assert share.low < share.central < share.high < llmpower.claim("C01").value
    # More tokens share the weights: less of the power moves data.
    assert share.central < watts.measured_parts(case(**{**RUN, "batch": 1}))[1].central


def test_the_three_shares_are_those_of_the_estimate_and_leave_the_static_one_open():
    static, movement, compute = watts.measured_parts(case(**RUN))
    parts = llmpower.estimate(**RUN).energy_by_part
    assert (static.central, compute.central) == pytest.approx(
        (parts["static"] / sum(parts.values()), parts["compute"] / sum(parts.values()))
    )
    assert static.high > 2 * static.low
    # What one reading gives to power that always flows it takes from bytes.
    assert static.low + movement.high < 1 and static.high + movement.low < 1
    assert watts.measured_parts(case(**RUN, kv_format="fp8"))[1].central < movement.central


def test_readings_of_another_machine_keep_the_share_of_the_rating():
    rows = watts.divided(case("llama-3.1-8b", "h200-sxm", batch=8, context_tokens=2048))
    # An H200 has the rating and the arithmetic of an H100, so the same static watts and prices.
    static = {name: always for name, always, _, _ in rows}
    assert static["all runs, h100-sxm"] == pytest.approx(watts.reading("h100-sxm", "all runs").static_w)
    assert len(rows) == 1 + 7 * len(constants.gaps())


def test_enough_is_the_fewest_that_fit():
    # 141 GB of weights and 32 x 4096 tokens x 0.328 MB = 43 GB of caches: two H100 with 80 GB are too few.
    assert fewest(case(**ONE)) == held(case(**ONE)).n_accelerators == 3
    assert held(case(**ONE | {"n_accelerators": 4})).n_accelerators == 4
    assert held(case("llama-3.1-70b", "m4")) is None
    # 24 sequences keep 32.2 GB at 16 bit and 16.1 GB at 8, where two boards leave 19.
    found = [held(case(**ONE | {"batch": 24}, kv_format=cache)) for cache in ("bf16", "fp8")]
    assert [one.n_accelerators for one in found] == [3, 2]
    # One board needs no link to others, of which the catalog knows none here.
    assert held(case("llama-3.1-8b", "rtx-4090", context_tokens=1000)).n_accelerators == 1
    assert held(case("llama-3.1-70b", "rtx-4090", context_tokens=1000)) is None


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
    # Other laboratories run other software: fewer than the eight of ten of the held-out runs.
    assert exam.covered()[1] < exam.covered()[0] < 0.95


def test_a_product_is_forecast_at_the_plateau_and_below_its_bound():
    # 700 W / 794.5 TFLOP/s = 0.881 pJ; 0.975 of it = 0.859 pJ.
    found = watts.product("h100-sxm")
    assert found.bound_j_per_flop == pytest.approx(0.881e-12, rel=1e-3)
    assert found.capped_j_per_flop <= 0.8591e-12 < found.bound_j_per_flop


def test_more_constants_err_less_and_none_errs_most():
    none = fit.summary(exam.without_constants()[0])[1]
    ladder = [
        constants.errors("studies.csv")[f"{count} constants", "all", "j_per_token"]["mean_pct"] for count in (4, 8, 10)
    ]
    assert none > ladder[0] > ladder[1] > ladder[2]


def test_prompt_shares_change_only_the_prompts_of_chats_without_recurrence():
    runs = fit.serving_runs()
    other = exam._with_prompt_share(runs, 1.0)
    chat = (runs.columns["task"] == "lm-arena-chat") & (runs.net.recurrent == 0)
    assert (other.prompt[chat] == pytest.approx(runs.columns["prompt_tokens"][chat])) and (
        other.prompt[~chat] == runs.prompt[~chat]
    ).all()
    assert (runs.prompt[chat] < runs.columns["prompt_tokens"][chat]).all()


def test_figures_draw_every_point_they_are_given():
    intensity = np.geomspace(1, 2000, 50)
    ten, one = np.array([10.0, 20.0]), np.array([5.0])
    points = [("Llama", ten, ten * 2e12, ten / 2, ten * 1e12), ("Unknown", one, one * 2e12, one, one * 2e12)]
    figures.roofs(intensity, ceilings.roof(H100, intensity), "H100", 700, points)
    plot = plt.gca()
    drawn = [
        line.get_xydata() for line in plot.lines if line.get_transform() == plot.transData and line.get_marker() == "o"
    ]
    assert sum(len(one) for one in drawn) == 3
    assert any((one == [[5.0, 10.0]]).all() for one in drawn)
    plt.close()


def test_the_committed_chapter_shows_what_the_code_finds():
    numbers = records.shown(files.read_notebook(CHAPTER))
    clean = exam.held_out()
    clean = clean[clean["anomaly"] == ""]
    assert numbers["middle"]["value"] == pytest.approx(clean["energy_error"].abs().median())
    assert numbers["inside"]["value"] == pytest.approx((clean["energy_error"].abs() < 0.2).mean())
    assert numbers["article_case"]["value"] == pytest.approx(
        watts.measured_parts(case("llama-3.1-70b", "h100-sxm", n_accelerators=4))[1].central
    )


def test_published_errors_are_those_of_the_abstracts():
    points = exam.measured_points()
    assert points["predictor-liminal"].mean_error == 0.076
    fact = points["predictor-energylens"]["mean_error"]
    assert (fact.low, fact.value) == (0.0925, 0.1319)
    assert all(fact.source for fact in catalog.facts("measured_points.csv") if fact.quantity == "mean_error")
