"""The estimator's exam: roof, held-out runs, other laboratories and measured points."""

import csv
import itertools
import math
from types import SimpleNamespace

import numpy as np
import pandas
import pytest

import llmpower
from llmpower.evidence import exam, fit
from llmpower.evidence.exam import Measured, measured_points
from llmpower.facts import catalog
from llmpower.facts.tables import DATA
from llmpower.step import constants, served
from llmpower.step.point import usual

RUNS = exam.roof_runs()


def rows(table):
    """Rows of a table, read without the package."""
    with open(DATA / table, encoding="utf-8") as file:
        return list(csv.DictReader(file))


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


def test_runs_stand_under_the_roof_at_typical_prices_as_in_the_table():
    found = exam.standing(*constants.constants()["typical"], 1.05)
    assert (found.over == RUNS["over_central"]).all() and (found.least == RUNS["over_least"]).all()
    assert ((found.binds > 0) == RUNS["power_binds"]).all()
    b200 = found.of((RUNS["accelerator"] == "b200").to_numpy())
    assert (b200.sure, b200.unsure) == (0, 1) and b200.over == RUNS["over_central"].max()
    # A dear byte puts most of what was measured above a roof.
    dear = exam.standing(4e-10, 5.2e-13, 1.05)
    assert (dear.sure + dear.unsure == (dear.excess > 0)).all() and 0.5 < (dear.excess > 0).mean() < 1


def test_the_roof_is_for_dense_networks_in_16_bit():
    assert set(RUNS["weight_format"]) <= {"bf16", "fp16"} and (RUNS["kind"] == "dense").all()


def test_counts_of_a_mixture_by_hand():
    # Qwen3-235B in 16 bit, 8 sequences of 224 + 6368 tokens, nearly no prompts.
    runs = fit.Runs(keep=lambda c: np.array([id == "mlenergy_v3-0010" for id in c["id"]]))
    n_bytes, n_flop = exam.run_counts(runs)
    # Experts: 94 layers x 128 x 3 x 4096 x 1536 x 2 bytes = 454 GB. A fifth of the tokens choose as others do, so 8
    # choose like 1 + 7 x 0.8 = 6.6: 1 - (15/16)^6.6 = 34.7 % are touched, 157.6 GB.
    # The rest but the input embedding: 14.7 GB. Caches: 2 x 4 x 128 x 94 x 2 bytes x 6592 x 8 = 10.2 GB.
    assert n_bytes[0] == pytest.approx(182.5e9, rel=0.01)
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


@pytest.mark.parametrize(("server", "software"), [("vllm", "vllm"), ("trtllm", "trtllm"), ("deepspeed-mii-2024", None)])
def test_the_range_covers_what_estimate_says_it_covers(server, software):
    """A dense network of another laboratory, against the range of an estimate of the same server, or of an open one."""
    table = exam.other_runs()
    run = table[(table["server"] == server) & (table["kind"] == "dense")].iloc[0]
    asked = {"batch": 8, "prompt_tokens": 100, "output_tokens": 100, "weight_format": run["weight_format"]}
    spans = llmpower.estimate(run["model"], run["accelerator"], **asked, software=software).spans["tokens_per_s"]
    ratio = run["tokens_per_s"] / run["predicted_tokens_per_s"]
    assert (run["speed_reach"] <= 1) == (spans["low_ratio"] <= ratio <= spans["high_ratio"])
    end = spans["high_ratio"] if ratio > 1 else spans["low_ratio"]
    assert end ** run["speed_reach"] == pytest.approx(ratio)


def made_up(**columns):
    return pandas.DataFrame(columns)


def test_runs_inside_the_range_are_counted_by_laboratory(monkeypatch):
    ids = ["mlenergy-1", "mlenergy-2", *(f"other-{number}" for number in range(11))]
    table = made_up(id=ids, speed_reach=[0.5, 1.5, 0, 0.2, 0.4, 0.6, 0.8, 1.0, 1.2, 1.4, 2.0, 3.0, 4.0])
    monkeypatch.setattr(exam, "other_runs", lambda: table)
    # One of two inside; of the eleven others, six.
    assert exam.covered() == pytest.approx((1 / 2, 6 / 11))


def test_groups_are_held_out_whole():
    # a1, a2, b1, b2, a1: without "a" only b is left; without "a" on 1 only b on 2.
    network, machine = pandas.Series(list("aabba")), pandas.Series(list("12121"))
    assert [(list(out), list(rest)) for out, rest in exam.folds(network)] == [([0, 1, 4], [2, 3]), ([2, 3], [0, 1, 4])]
    both = {tuple(out): list(rest) for out, rest in exam.folds(network, machine)}
    assert both == {(0, 4): [3], (1,): [2], (2,): [1], (3,): [0, 4]}


def test_every_exam_predicts_every_run_by_other_constants():
    known = set(fit.serving_runs(anomalies=True).columns["id"])
    metered = {row["id"] for row in rows("measurements.csv") if row["id"].startswith("mlenergy")}
    speeds = {}
    for what in constants.HELD_OUT:
        table = exam.held_out(what, metered=False)
        assert set(table["id"]) == known and len(table) == len(known)
        assert set(exam.held_out(what)["id"]) == metered and np.isfinite(exam.held_out(what)["energy_error"]).all()
        speeds[what] = table["predicted_tokens_per_s"]
    # No exam repeats another: the constants behind most predictions differ.
    pairs = itertools.combinations(constants.HELD_OUT, 2)
    assert all((speeds[one] != speeds[other]).mean() > 0.5 for one, other in pairs)


# What was left out -> how wide the range may be in the middle: high over low.
WIDEST = {"source": 1.7, "family": 1.7, "accelerator": 1.7, "server": 2.5}


@pytest.mark.parametrize("what", WIDEST)
def test_the_range_holds_for_runs_whose_like_was_left_out(what):
    """Of a nominal eight in ten, 75 to 90 % lie inside, counted here; and the range is narrow enough to be of use."""
    table = exam.held(what)
    assert len(table) == 681 and set(table["source"]) == set(fit.serving_runs().columns["source"])
    over = table["tokens_per_s"] / table["predicted_tokens_per_s"]
    inside = (table["low"] <= over) & (over <= table["high"])
    assert 0.75 <= inside.mean() <= 0.90
    assert (inside == table["inside"]).all()
    assert (table["high"] / table["low"]).median() <= WIDEST[what]
    # Both ends take in the prediction itself.
    assert (table["low"] <= 1).all() and (table["high"] >= 1).all()


def made_up_runs(source, ratio, moe, **columns):
    """Runs of which measured over predicted is known."""
    return made_up(source=source, speed_error=1 / np.array(ratio) - 1, moe=moe, id=range(len(moe)), **columns)


def test_the_reach_of_a_tiny_table_by_hand():
    """Four dense runs of one laboratory, and a mixture of another that counts twice as much as each: 4^-1/2 = 1/2.

    Logarithms of measured over predicted, in order: -0.2, -0.1, 0, 0.1 with a weight of 1/2 each and, of the mixture,
    0.24 / 1.2 = 0.2 with a weight of 1. The middles of their weights lie at 0.25, 0.75, 1.25, 1.75, 2.5 of 3: at 0.083,
    0.25, 0.417, 0.583, 0.833. A tenth lies 1/10 of the way from -0.2 to -0.1; nine tenths beyond the last.
    """
    table = made_up_runs(list("aabaa"), np.exp([0, -0.2, 0.24, 0.1, -0.1]), [False, False, True, False, False])
    assert (exam.reach(table, 0), exam.reach(table, 1)) == pytest.approx((-0.19, 0.2))
    # A run whose error nobody knows does not count, not even for the size of its laboratory.
    more = pandas.concat([table, made_up_runs(["a"], [np.nan], [False])], ignore_index=True)
    assert (exam.reach(more, 0), exam.reach(more, 1)) == pytest.approx((-0.19, 0.2))


def test_a_held_range_is_made_of_the_errors_of_other_groups(monkeypatch):
    """Group x is measured at 0.9 and 1.1 times the prediction, group y at 1.5, so x has 1 to 1.5 and y 0.9 to 1.1."""
    table = made_up_runs(list("aaa"), [0.9, 1.1, 1.5], [False, False, False], family=list("xxy"), anomaly="")
    monkeypatch.setattr(exam, "held_out", lambda what, metered: table)
    found = exam.held.__wrapped__("family")
    # Two runs lie at 1/4 and 3/4 of their weights, so tenths lie at them.
    assert list(found["low"]) == pytest.approx([1, 1, 0.9]) and list(found["high"]) == pytest.approx([1.5, 1.5, 1.1])
    assert list(found["inside"]) == [False, True, False]
    # Of a mixture the range is 1.2 times as wide in logarithms; a marked run has none and makes none.
    changed = table.assign(moe=[False, False, True], anomaly=["", "slow", ""])
    monkeypatch.setattr(exam, "held_out", lambda what, metered: changed)
    found = exam.held.__wrapped__("family")
    assert list(found["high"]) == pytest.approx([1.5 ** (1 / 1.2), 1]) and len(found) == 2
    assert list(found["low"]) == pytest.approx([1, 0.9**1.2])


def public(what):
    """Runs of data/server_runs.csv with their like left out, predicted over measured less one in `speed_error`."""
    table = exam.held(what)
    return table[table["id"].isin({row["id"] for row in rows("server_runs.csv")})]


@pytest.mark.parametrize("what", ["source", "architecture"])
def test_public_runs_are_told_with_their_laboratory_or_their_network_left_out(what):
    table = public(what)
    over = table["predicted_tokens_per_s"] / table["tokens_per_s"]
    assert len(table) == 312 and 0.95 <= over.median() <= 1.05
    size = 100 * (over - 1).abs()
    assert size.median() <= 12 and size.mean() <= 18 and size.quantile(0.9) <= 40


@pytest.mark.parametrize("what", ["source", "architecture"])
def test_no_board_with_many_public_runs_is_told_all_too_fast_or_slow(what):
    table = public(what)
    over = (table["predicted_tokens_per_s"] / table["tokens_per_s"]).groupby(table["accelerator"])
    boards = over.median()[over.size() >= 20]
    assert {"b200", "h200-sxm", "h100-sxm", "mi300x"} == set(boards.index)
    assert boards.between(0.85, 1.15).all(), boards


@pytest.mark.parametrize(("boards", "count"), [("b200 over h200-sxm", 5), ("h200-sxm over h100-sxm", 4)])
@pytest.mark.parametrize("what", ["source", "family"])
def test_one_board_over_another_at_the_same_load(boards, count, what):
    table = exam.board_pairs(what)
    some = table[table["boards"] == boards]
    assert len(some) >= count
    assert 0.85 <= (some["predicted"] / some["measured"]).median() <= 1.15


def test_pairs_of_boards_by_hand(monkeypatch):
    """An H200 at 100 tokens a second for 4 sequences and 400 for 16: 200 for 8, at equal steps of logarithms.

    A B200 at 300 for 8 is 1.5 times as fast; predicted 1.25 times, from 80, 320 and 200. Its run at 32 lies outside.
    """
    same = {"server": "vllm", "model": "m", "weight_format": "fp8", "n_accelerators": 1, "expert_parallel": 1.0}
    same |= {"source": "s", "task": "t", "prompt_tokens": 1000, "output_tokens": 100}
    table = made_up(
        accelerator=["b200", "b200", "h200-sxm", "h200-sxm"], batch=[8, 32, 16, 4], tokens_per_s=[300, 900, 400, 100],
        predicted_tokens_per_s=[200, 500, 320, 80], **same,
    )  # fmt: skip
    monkeypatch.setattr(exam, "held", lambda what: table)
    [pair] = exam.board_pairs().to_dict("records")
    assert (pair["boards"], pair["server"], pair["network"], pair["batch"]) == ("b200 over h200-sxm", "vllm", "m", 8)
    assert (pair["measured"], pair["predicted"]) == pytest.approx((1.5, 1.25))
    # Another server, network, format, number, layout, task, length or laboratory makes no pair; 119 tokens do.
    near = table.assign(output_tokens=[100, 100, 119, 119])
    monkeypatch.setattr(exam, "held", lambda what: near)
    assert len(exam.board_pairs()) == 1
    for name in same:
        other = table.assign(**{name: [*table[name][:2], *[130 if name == "output_tokens" else "other"] * 2]})
        monkeypatch.setattr(exam, "held", lambda what, other=other: other)
        assert exam.board_pairs().empty, name


def test_errors_by_kind_by_hand(monkeypatch):
    """Predictions of 0.8, 1 and 1.3 times the measured speed on one board, of 1.1 times on another."""
    table = made_up(
        accelerator=list("xxxy"), speed_error=[-0.2, 0, 0.3, 0.1], low=[0.8] * 4, high=[1.2, 1.2, 1.2, 1.6],
        inside=[False, True, True, True],
    )  # fmt: skip
    monkeypatch.setattr(exam, "held", lambda what: table)
    found = exam.by_kind("source", "accelerator")
    # Sizes 0, 0.2, 0.3: the middle 0.2, the mean 1/6, nine tenths of the way over two gaps: 0.2 + 0.8 x 0.1.
    names = ["n", "ratio", "middle", "mean", "most", "inside", "width"]
    assert list(found.loc["x", names]) == pytest.approx([3, 1, 0.2, 1 / 6, 0.28, 2 / 3, 1.5])
    assert list(found.loc["y", names]) == pytest.approx([1, 1.1, 0.1, 0.1, 0.1, 1, 2])


def log_ends(split, group, quantity):
    [row] = [
        row for row in rows("accuracy.csv") if (row["split"], row["runs"], row["quantity"]) == (split, group, quantity)
    ]
    return [math.log(float(row[end])) for end in ("low_ratio", "high_ratio")]


@pytest.mark.parametrize(
    ("group", "quantity"),
    [("dense", "tokens_per_s"), ("moe", "tokens_per_s"), ("moe", "j_per_token"), ("dense", "j_per_token")],
)
def test_ranges_grow_with_what_is_not_known(group, quantity):
    """An unknown laboratory always; what else is not known adds at most as much as an independent error would."""
    before, most = log_ends("laboratory", group, quantity), np.square(log_ends("laboratory", group, quantity))
    missing = set()
    for name in ("", "network", "machine", "server"):
        if name:
            missing.add(name)
            most = most + np.square(log_ends(name, group, quantity))
        found = constants.exam_errors(frozenset(missing), group == "moe")[quantity]
        ends = [math.log(found[end]) for end in ("low_ratio", "high_ratio")]
        assert ends[0] <= before[0] + 1e-9 < 0 < before[1] - 1e-9 <= ends[1]
        assert (np.square(ends) <= most + 1e-9).all()
        before = ends
    low, high = log_ends("laboratory", group, quantity)
    assert before[1] - before[0] > 1.05 * (high - low)


def test_the_range_where_all_is_known_is_that_of_an_unknown_laboratory():
    for group, quantity in itertools.product(("dense", "moe"), ("tokens_per_s", "j_per_token")):
        found = constants.exam_errors(frozenset(), group == "moe")[quantity]
        ends = [math.log(found[end]) for end in ("low_ratio", "high_ratio")]
        assert ends == pytest.approx(log_ends("laboratory", group, quantity))
    # Of mixtures it is 1.2 times as wide, in logarithms.
    wide, narrow = (log_ends("laboratory", group, "tokens_per_s") for group in ("moe", "dense"))
    assert wide == pytest.approx([1.2 * end for end in narrow], abs=0.002)


def test_predictions_hold_every_run_once_for_each_exam():
    table = rows("predictions.csv")
    # Runs of a server of today, marked ones too, counted in the files.
    words = ("vllm", "sglang", "trtllm")
    ids = [
        row["id"]
        for name in ("measurements.csv", "server_runs.csv")
        for row in rows(name)
        if "2024" not in row["software"] and any(word in row["software"].lower() for word in words)
    ]
    assert len(ids) == len(set(ids)) == 763
    found = [(row["id"], row["held_out"]) for row in table]
    assert sorted(found) == sorted(itertools.product(ids, constants.HELD_OUT))


def test_what_nobody_saw_is_what_a_case_asks_the_exams_for():
    """Names of what is not known, each with a split of the table of errors and a group of runs behind it."""
    splits = {row["split"] for row in rows("accuracy.csv")}
    assert set(constants.EXAMS) <= splits and set(constants.EXAMS.values()) <= set(constants.HELD_OUT)
    model, machine, bf16 = (
        catalog.model("llama-3.1-70b"),
        catalog.accelerator("h100-sxm"),
        catalog.number_format("bf16"),
    )
    # No fitted run had Llama 3 of 2024, an A100 of 40 GB, or 4 bits of llama.cpp.
    other, older, q4 = (
        catalog.model("llama-3-8b"),
        catalog.accelerator("a100-sxm-40gb"),
        catalog.number_format("q4_k_m"),
    )
    assert constants.unknown(model, machine, bf16, "vllm") == set()
    assert constants.unknown(other, machine, bf16, "vllm") == {"network"}
    assert constants.unknown(model, machine, q4, "vllm") == {"network"}
    assert constants.unknown(model, older, bf16, "sglang") == {"machine"}
    assert constants.unknown(other, older, q4, None) == {"network", "machine", "server"}


def test_networks_count_once_and_can_be_drawn():
    table = made_up(architecture=["a", "a", "a", "b"], energy_error=[0.1, -0.1, 0.1, -0.5])
    # Run-weighted the mean is 0.8 / 4 = 0.2; by network (0.1 + 0.5) / 2 = 0.3.
    assert exam.by_network(table) == pytest.approx(0.3)
    # Two draws of two: a and a, 0.1; a and b, 0.1; b and b, 0.5, in a quarter of the draws.
    assert exam.drawn_median(table) == pytest.approx([0.1, 0.5])


def test_energy_falls_with_the_batch_as_a_power():
    # Four times the batch, half the energy: exponent -1/2; another set-up: -1, -1.
    same = {"weight_format": "bf16", "accelerator": "x", "n_accelerators": 1, "expert_parallel": np.nan, "task": "t"}
    table = made_up(
        published_model=["a", "a", "b", "b", "b"], batch=[16, 4, 1, 2, 4], max_batch=[16, 4, 1, 2, 4],
        j_per_token=[1, 2, 4, 2, 1], **same,
    )  # fmt: skip
    assert sorted(exam.batch_slopes(table)) == pytest.approx([-1, -1, -0.5])
    # A limit run twice is one point at the mean of both: 4 J at 1, then 1.5 and 0.5 J at 4, so a quarter at four times.
    twice = made_up(published_model=["a"] * 3, batch=[1, 4, 4], max_batch=[1, 4, 4], j_per_token=[4, 1.5, 0.5], **same)
    assert exam.batch_slopes(twice) == pytest.approx([-1])


def test_a_run_contradicts_a_neighbour_by_its_own_speed():
    """Slower on an H200, of 4.8 TB/s, than on an H100, of 3.35; or over twice as long for a step in another task."""
    table = made_up(
        id=list("abcdef"), published_model=["n", "n", "n", "m", "m", "m"], architecture=["n", "n", "n", "m", "m", "m"],
        weight_format="bf16", n_accelerators=1, max_batch=[8, 8, 16, 8, 8, 8],
        accelerator=["h100-sxm", "h200-sxm", "h200-sxm", "h100-sxm", "h100-sxm", "h200-sxm"],
        task=["chat", "chat", "chat", "chat", "gpqa", "gpqa"], batch=8, tokens_per_s=[100, 90, 50, 100, 49, 100],
    )  # fmt: skip
    # b is slower than a; c has no neighbour at its batch; e takes 8 / 49 s where d takes 8 / 100; f is faster than e.
    assert list(table["id"][exam.contradicts(table)]) == ["b", "e"]
    assert list(table["id"][exam.contradicts(table, times=3)]) == ["b"]


def test_marks_counted_without_the_package():
    """By loops over the rows of the file: 42 marks, all on the B200; 26 of them and 4 others contradict a neighbour."""
    runs = [row for row in rows("measurements.csv") if row["id"].startswith("mlenergy")]
    twins = {"llama-3.3-70b": "llama-3.1-70b", "qwen3-coder-30b-a3b": "qwen3-30b-a3b"}
    found = set()
    for one in runs:
        for other in runs:
            if any(one[name] != other[name] for name in ("weight_format", "n_accelerators", "max_batch")):
                continue
            step, theirs = (float(row["batch"]) / float(row["tokens_per_s"]) for row in (one, other))
            same_task = one["task"] == other["task"] and one["published_model"] == other["published_model"]
            newer = (one["accelerator"], other["accelerator"]) == ("b200", "h100-sxm")
            slower = float(one["tokens_per_s"]) < float(other["tokens_per_s"])
            if same_task and newer and slower:
                found.add(one["id"])
            names = {twins.get(row["model"], row["model"]) for row in (one, other)}
            same = len(names) == 1 and one["accelerator"] == other["accelerator"]
            if same and one["task"] != other["task"] and step > 2 * theirs:
                found.add(one["id"])
    marked = {row["id"] for row in runs if row["anomaly"]}
    assert {row["accelerator"] for row in runs if row["id"] in marked} == {"b200"} and len(marked) == 42
    assert (len(marked & found), len(found - marked)) == (26, 4)
    table = exam.held_out()
    assert set(table["id"][exam.contradicts(table)]) == found


def test_a_span_made_without_a_group_holds_part_of_it():
    # Measured over predicted is 1 in group a and 2 in group b: the span of either holds nothing of the other.
    table = made_up(software=list("aabb"), energy_error=[0.0, 0.0, -0.5, -0.5])
    assert exam.held_elsewhere(table, "energy_error", "software") == 0
    # Three groups of 1 to 2: two others always span 1.0 and 2.0 nearly to their ends.
    table = made_up(software=list("aaabbbccc"), energy_error=[0, -1 / 3, -0.5] * 3)
    assert exam.held_elsewhere(table, "energy_error", "software") == pytest.approx(1)


def test_pairs_differ_in_their_format_only():
    same = {"accelerator": "x", "n_accelerators": 1, "expert_parallel": np.nan, "task": "t", "anomaly": ""}
    table = made_up(
        architecture=list("aaab"), weight_format=["fp8", "bf16", "bf16", "bf16"], max_batch=[8, 8, 16, 8],
        j_per_token=[3, 2, 1, 1], predicted_j_per_token=[1.8, 2, 1, 1], **same,
    )  # fmt: skip
    [pair] = exam.format_pairs(table).to_dict("records")
    assert (pair["measured"], pair["predicted"]) == pytest.approx((1.5, 0.9))


# Units of the table of constants, as the source of a value prints them.
UNITS = {"us": 1e-6, "ms": 1e-3, "1": 1.0}
# Of the first H100 board, worked out in tests/step/test_metered.py: 114.40 W with clocks up and nothing running, and
# 141.11 W where its sweep of memory traffic begins, of 700 W.
UP, START = 114.40 / 700, 141.11 / 700


def table_of_constants(*entities):
    """Values of some entities of the table, by name, read without the package."""
    return {
        row["quantity"]: float(row["value"]) * UNITS[row["unit"]]
        for row in rows("calibration.csv")
        if row["entity"] in entities
    }


def test_a_run_carried_through_by_hand():
    """The printed equations with the constants of the tables, against the package: Qwen3-32B on two H100, 16 bits."""
    one, k = exam.worked("mlenergy_v3-0072"), table_of_constants("set", "fitted", "vllm")
    [run] = [row for row in rows("measurements.csv") if row["id"] == "mlenergy_v3-0072"]
    batch, context = float(run["batch"]), float(run["prompt_tokens"]) + float(run["window_context_tokens"])
    # 64 blocks of width 5120, 64 heads and 8 heads of keys and values of 128: 2 x 5120 x 128 x (64 + 8); three matrices
    # of 5120 x 25600; two norms of 5120 and two of 128; an output layer of 151936 x 5120, a last norm.
    block = 2 * 5120 * 128 * (64 + 8) + 3 * 5120 * 25600 + 2 * 5120 + 2 * 128
    params = 64 * block + 151936 * 5120 + 5120
    weights, cache = 2 * params, batch * 2 * 64 * 8 * 128 * 2 * context
    # Large products reach 794.5 TFLOP/s on an H100, those of a server a share of that.
    memory = weights / (2 * k["reached_bandwidth_share"] * 3.35e12)
    multiply = 2 * params * batch / (2 * 794.5e12 * k["served_flop_share"])
    assert k["overlap"] == 1
    phase = memory + multiply - memory * multiply / (memory + multiply)
    reading = cache / (2 * k["reached_bandwidth_share"] * 3.35e12)
    sent = 2 * 64 * batch * 5120 * 2
    device = phase + reading + 2 * 64 * k["sum_time_s"] + sent / 450e9 + 64 * k["layer_time_s"]
    # The boards are at work for longer than a host needs, 2 ms, and wait while tokens are chosen.
    assert device > k["host_step_time_s"] == 2e-3
    waits = batch * k["sequence_time_s"]
    assert one.plain.time_s == pytest.approx(device + waits, rel=1e-3)
    # Scores and values: 2 x 2 x 64 heads x 128 operations for each of the tokens behind.
    ideal = batch * (2 * params + 4 * 64 * 64 * 128 * context) / (2 * 989e12)
    c = one.constants
    arithmetic = 2 * 700 * (k["compute_tdp_share"] * multiply + k["operation_tdp_share"] * ideal)
    bytes_j = weights * c.weight_energy_j_per_byte + cache * c.cache_energy_j_per_byte
    flows = 2 * 700 * (START * device + UP * waits)
    assert one.plain.static_j == pytest.approx(flows, rel=1e-3)
    energy = flows + bytes_j + arithmetic + 2 * sent * c.link_energy_j_per_byte
    assert one.plain.energy_j == pytest.approx(energy, rel=1e-3)
    # Taken apart: bytes and the times that they and the operations would take alone.
    apart = (one.weight_bytes, one.cache_bytes, one.link_bytes, one.weight_time_s, one.ideal_time_s)
    assert apart == pytest.approx((weights, cache, sent, memory, ideal), rel=1e-3)
    # The meter: batch over tokens a second, and watts for that time.
    assert one.time_s == pytest.approx(batch / float(run["tokens_per_s"]))
    assert one.energy_j == pytest.approx(batch * float(run["j_per_token"]), rel=1e-4)


def test_boards_wait_for_a_slow_host():
    """The same run with a host that takes 30 ms and another 0.5 ms a layer: 62 ms, whatever the boards do meanwhile."""
    one = exam.worked("mlenergy_v3-0072")
    slow = SimpleNamespace(**{**vars(one.constants), "host_step_time_s": 0.03, "host_layer_time_s": 0.5e-3})
    asked = (one.n, one.batch, one.context, 0.0, one.output)
    step = served.step(one.net, one.unit, slow, *asked, usual())
    host, choosing = 0.03 + 64 * 0.5e-3, one.batch * one.constants.sequence_time_s
    assert host > one.plain.time_s and step.time_s == pytest.approx(host + choosing)
    # What works, works as before; what flows anyway is less while clocks are up and nothing runs.
    assert (step.weights_j, step.kv_j, step.compute_j) == pytest.approx(
        (one.plain.weights_j, one.plain.kv_j, one.plain.compute_j)
    )
    device = one.plain.time_s - choosing
    flows = 2 * 700 * (START * device + UP * (host + choosing - device))
    assert step.static_j == pytest.approx(flows, rel=1e-3)
    assert step.energy_j / step.time_s < one.plain.energy_j / one.plain.time_s


def test_a_mixture_with_prompts_carried_through_by_hand():
    """The printed equations, every one of them, against the package: Qwen3-235B in block-scaled 8 bits, chat, 8 H100.

    The largest of eight standard normal numbers is 1.4236 on average: half their mean range, 2.847 in control charts.
    """
    [run] = [row for row in rows("measurements.csv") if row["id"] == "mlenergy_v3-0254"]
    one, k, n = exam.worked(run["id"]), table_of_constants("set", "fitted", "vllm"), 8
    batch, answer = float(run["batch"]), float(run["output_tokens_per_prompt"])
    context = float(run["prompt_tokens"]) + float(run["window_context_tokens"])
    # Part of each prompt was in a cache.
    q = k["computed_prompt_share"] * float(run["prompt_tokens"])
    # 94 blocks of width 4096; 64 heads and 4 of keys and values of 128; 128 experts of 3 x 4096 x 1536, 8 a token; a
    # router; two norms of 4096 and two of 128; an output layer and a last norm.
    layers, width = 94, 4096
    shared = layers * (2 * width * 128 * (64 + 4) + 128 * width + 2 * width + 2 * 128) + 151936 * width + width
    routed = layers * 128 * 3 * width * 1536
    began = batch / answer  # nu
    rate = k["reached_bandwidth_share"] * 3.35e12
    # Products of 8 bit on the board of data/power_runs.csv; peaks of 16 and 8 bits by the datasheet.
    [product] = [float(row["flop_per_s"]) for row in rows("power_runs.csv") if row["id"] == "h100-22"]
    assert product == pytest.approx(1126e12, rel=1e-3)
    wide, narrow = 989e12, 1979e12

    def phase(memory, compute):
        return memory + compute - k["overlap"] * memory * compute / (memory + compute)

    def products(tokens, attention):
        # One in five tokens chooses as others do.
        touched = 1 - (1 - 8 / 128) ** (1 + 0.8 * (tokens - 1))
        m = 1 + k["imbalance"] * 1.4236 * (n / (128 * touched)) ** 0.5
        weights = shared * one.net.shared_bytes
        memory, flop = weights / (n * rate), 2 * shared * tokens + attention
        compute = flop / (n * product * k["served_flop_share"])

        def work_of(some, padding):
            return 2 * routed * touched * (some * 8 / (128 * touched) + padding)

        decoded, prompts, block = work_of(batch, k["padding_rows"]), work_of(tokens - batch, 0), work_of(0, 128)
        arithmetic = decoded / k["expert_flop_share"] + prompts / k["expert_prompt_flop_share"]
        # An operation in 8 bit draws what one in 16 does: as if it were as slow, at as much power.
        expert, draws = (arithmetic / (n * peak) + block / (n * narrow) for peak in (narrow, wide))
        bytes_routed = routed * touched * one.net.routed_bytes
        t_e = phase(m * bytes_routed / (n * rate), m * expert)
        return phase(memory, compute), t_e, compute + draws, weights + bytes_routed, flop + work_of(tokens, 0)

    assert k["expert_overlap_share"] == 0.2
    share, full = min(1, began), batch + max(1, began) * q
    looking = 4 * 64 * 128 * layers * q / 2
    mixed = zip(products(batch, 0), products(full, (full - batch) * looking))
    t_d, t_e, busy, n_bytes, flop = ((1 - share) * plain + share * other for plain, other in mixed)
    tokens = (1 - share) * batch + share * full
    # Four heads over eight boards: each is kept twice.
    cache = batch * 2 * (2 * layers * 4 * 128 * 2 * context)
    sent = 2 * layers * tokens * width * 2
    t_l = 2 * layers * k["sum_time_s"] + sent / 450e9
    t_o = layers * (k["layer_time_s"] + k["block_scaling_time_s"] + share * k["prompt_layer_time_s"])
    device, waits = t_d + t_e + cache / (n * rate) + t_l + t_o, batch * k["sequence_time_s"]
    assert one.whole.time_s == pytest.approx(device + waits, rel=2e-3)
    ideal = (flop + batch * 4 * 64 * 128 * layers * context) / (n * wide)
    powers = k["compute_tdp_share"] * busy + k["operation_tdp_share"] * ideal + START * device + UP * waits
    c = one.constants
    energy = n * 700 * powers + n_bytes * c.weight_energy_j_per_byte + cache * c.cache_energy_j_per_byte
    energy = min(energy + n * sent * c.link_energy_j_per_byte, n * 0.975 * 700 * (device + waits))
    assert one.whole.energy_j == pytest.approx(energy, rel=2e-3)
    # Without a prompt, operations at the peak rate would take so long alone.
    _, _, _, _, plain = products(batch, 0)
    alone = (plain + batch * 4 * 64 * 128 * layers * context) / (n * wide)
    assert one.ideal_time_s == pytest.approx(alone, rel=2e-3)


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
    fact = points["predictor-wattgpu"]["median_error"]
    assert (fact.low, fact.value) == (0.034, 0.135)
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
