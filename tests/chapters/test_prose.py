"""Chapters change their minds: with other parameters they say what is true then, and nothing else."""

import csv
import math
import re

import pytest

import llmpower
from llmpower.facts.tables import DATA
from llmpower.text import estimate_text
from tests.chapters.reading import read


def says(found, *sentences, unlike=()):
    """Every sentence stands in the text of a chapter, and none of the others does."""
    missing = [sentence for sentence in sentences if sentence not in found.text]
    wrong = [sentence for sentence in unlike if sentence in found.text]
    assert not missing and not wrong, (missing, wrong)


def fitted_runs():
    """Rows of the tables that constants are fitted to, as text."""
    for name in ("measurements.csv", "server_runs.csv"):
        with (DATA / name).open(encoding="utf-8") as file:
            yield from csv.DictReader(file)


def test_decode_with_own_numbers_by_hand():
    found = read(
        "decode-breakdown", model="llama-3.1-70b", accelerator="h200-sxm", n_accelerators=4, batch=64,
        context_tokens=4096,
    )  # fmt: skip
    # 64 x 327,680 B x 4,096 = 85.90 GB of cache; 139.01 GB of weights; 4 x 4.8 TB/s: 64 tokens in 11.71 ms.
    assert found.numbers["moved_cache"] == 64 * 327_680 * 4_096
    assert found.numbers["speed"] == pytest.approx(64 / ((139_006_066_688 + 85_899_345_920) / 19.2e12))
    # (139.01 + 85.90) GB x 121.52 pJ/B + 64 x 149.74 GFLOP x 1.0918 pJ = 27.331 J + 10.463 J, over 64 tokens.
    assert found.numbers["token"] == pytest.approx((27.3306 + 10.4633) / 64, rel=1e-3)
    says(found, "They fit, with ", "0.591 J", unlike=["They do not fit"])


def test_decode_asks_the_meter_and_a_whole_request():
    found = read("decode-breakdown")
    # By hand: (404.03 - 114.40 - 121.487e-12 x 2.1639e12) W left, less 2.425 W of arithmetic.
    assert found.numbers["moves_data_1"] == pytest.approx(121.487e-12 * 2.1639e12 / 404.03, rel=1e-3)
    assert found.numbers["arithmetic_1c"] == pytest.approx(1.09182 * 2.2214 / 404.03, rel=1e-3)
    assert found.numbers["most_arithmetic_1"] == pytest.approx((404.03 - 114.40 - 262.886) / 404.03, rel=1e-2)
    # 1.09182e-12 J x 2.0237e14 FLOP/s, less a little at 1,965 of 1,980 MHz: 0.64654 x (1 - 1965 / 1980) = 0.49 %.
    assert found.numbers["arithmetic_256c"] == pytest.approx(1.09182 * 202.37 * 0.9951 / 689.37, rel=1e-3)
    says(found, "A long prompt turns the answer round.", "stands between")
    cached = read("decode-breakdown", cached_prompt_share=0.25, prompt_tokens=4000)
    assert re.search(r"1: 4,000, 25.0\s%\scached", cached.text)


def test_decode_holds_constants_against_ratings_and_counts_the_articles_prompt():
    found = read("decode-breakdown")
    # 14.72 pJ/bit x 8 x 5.3 TB/s = 624 W of 550 W; 13.11, 11.68 and 13.64 at 1.5, 4 and 1.6 TB/s of 400, 900 and 280 W.
    assert found.numbers["worst_own"] == pytest.approx(14.72 * 8 * 5.3 / 550, rel=1e-3)
    assert found.numbers["others_least"] == pytest.approx(13.11 * 8 * 1.5 / 400, rel=1e-3)
    assert found.numbers["others_most"] == pytest.approx(13.64 * 8 * 1.6 / 280, rel=1e-3)
    says(found, "That refutes no constant.", "The article counts no prompt.", unlike=["it cannot be the cost"])
    # 501 readings of 139.006 GB and 500 of 327,680 B x 33,018 tokens at 20 pJ/bit; arithmetic at 0.3 pJ: 32,768 tokens
    # at 136.90 GFLOP (the last layer serves one only) and 16,384 x 2.6214 MFLOP, 500 at 139.01 and 33,018 x 2.6214.
    moved = (501 * 139.006e9 + 500 * 327_680 * 33_018) * 160e-12
    worked = (32_768 * (136.90e9 + 16_384 * 2.62144e6) + 500 * (139.01e9 + 33_018 * 2.62144e6)) * 0.3e-12
    assert found.numbers["own_computed"] == pytest.approx(moved / (moved + worked), rel=1e-3)
    # 2 B x 121.5 pJ over 2 x 1.092 pJ; 700 W over 989.4 TFLOP/s, and 698.62 W over the 657.46 TFLOP/s of the same run.
    assert found.numbers["at_chosen"] == "111" and found.numbers["over_peak"] == "0.708 pJ"
    assert found.numbers["over_reached"] == f"{698.62 / 657.46:.3g} pJ"


def test_decode_says_what_an_expected_speed_at_batch_1_rests_on():
    found = read("decode-breakdown")
    # Of the runs kept apart eight in ten ran at 0.645 to 1.017 times the predicted speed of 52.7 tokens/s.
    assert found.numbers["likely_elsewhere"] == "34.0 to 53.6 tokens/s"
    # The least batch in data/measurements.csv, and 19 runs of Argonne and one of the MI300X at batch 1.
    assert found.numbers["metered_from"] == 7.81395 and found.numbers["n_lone_elsewhere"] == 20
    # Rows of data/measurements.csv and data/server_runs.csv that no mark takes out of the fit, by their batch.
    fitted = [
        run
        for run in fitted_runs()
        if re.match("(?i)(vllm|sglang|trt)(?!.*2024)", run["software"]) and not run["anomaly"]
    ]
    few = [float(run["batch"]) for run in fitted if float(run["batch"]) < 7.81395]
    assert [found.numbers[name] for name in ("n_held", "n_few", "n_lone_fitted")] == [681, len(few), few.count(1)]
    says(found, "the power is an extrapolation", "a server adds work", unlike=["though a server saves no energy"])
    # Eager at batch 1 on the H100 of the second day: 10.563 tokens/s as it comes, 30.491 without plans, at 5.8372 J.
    eager = [found.numbers[name] for name in ("eager_planned", "eager_unplanned", "eager_unplanned_j")]
    assert eager == [10.5632, 30.4913, 5.8372]
    # 0.1189 of 700 W at 989.4 TFLOP/s and 1.467 of it at 0.7822 of what large products reach.
    reached = llmpower.accelerator("h100-sxm").reached_bf16_flop_per_s
    assert found.numbers["fitted_flop"] == f"{700e12 * (0.1189 / 989.4e12 + 1.467 / (0.7822 * reached)):.3g} pJ"
    # 114.40 W of board 1 and 119.9 W of board 2 with clocks up; 0.5324 and 0.4498 J at batch 4.
    assert (found.numbers["board_wide"], found.numbers["board_narrow"]) == ("1", "2")
    assert found.numbers["few_4"] > found.numbers["few_8"] and found.numbers["more_4"] > found.numbers["more_8"]
    many = read("decode-breakdown", batch=32, context_tokens=1024)
    says(many, "small dense networks on one board", unlike=["the power is an extrapolation"])
    mixture = read("decode-breakdown", model="mixtral-8x7b")
    says(mixture, "though a server saves no energy", "widened by what is new to them here: the network.")


def test_decode_of_a_mixture_on_a_laptop():
    found = read(
        "decode-breakdown", model="mixtral-8x7b", accelerator="rtx-4060-laptop", batch=512, context_tokens=0,
        constants="low",
    )  # fmt: skip
    # Nobody published how fast two of these talk, so no number of them has an expected speed or a measured share.
    says(
        found,
        "depends on the sources one trusts",
        "Mind the memory",
        "GDDR6",
        "of the routed experts",
        "They do not fit",
        "No speed can be expected here",
        "No share of board power can be given",
        "no bandwidth between accelerators of rtx-4060-laptop",
        unlike=["Movement dominates whichever sources one trusts."],
    )
    says(
        read("decode-breakdown"),
        "Bet on the measured pair.",
        "A real speed belongs to a machine that holds the case.",
        "Movement dominates whichever sources one trusts.",
        "They do not fit",
        "there is none: reading a sequence",
        unlike=["No share of board power can be given", "Mind the memory"],
    )


def test_shrinking_at_constant_field_in_the_cold():
    found = read(
        "dennard-collapse", rule="constant_field", generations=3, temperature_k=300.0, body_factor=1.0,
        off_current_a=1e-12, cooling_ratio=2.0,
    )  # fmt: skip
    says(
        found,
        "no silicon need be dark",
        "and that was the gift",
        "so nothing is added to the floor",
        "the current at the start is low",
        unlike=[
            "of the chip would have to be dark after",
            "times the power it drew before",
            "A real gate shares control",
        ],
    )
    assert found.numbers["dark"] == 0 and found.numbers["below_from"] == "65 nm"
    # 169e6 x 1e-12 A x 1.5 V = 0.2535 mW; kT/q ln 10 at 300 K = 59.526 mV.
    assert found.numbers["leaking"] == pytest.approx(2.535e-4)
    # 69.5e9 weights that multiply, twice, over 2 x 989.4e12 / s are 70.3 us of a step of 28.8 ms, by the estimate.
    assert found.numbers["lone_used"] == pytest.approx(70.3e-6 / 28.8e-3, rel=0.05)
    assert found.numbers["floor"] == pytest.approx(0.0595264, rel=1e-5)


def test_a_transistor_that_leaks_too_much():
    says(
        read("dennard-collapse", off_current_a=1e-6),
        "such a transistor cannot be built into this chip",
        "of the chip would have to be dark after",
        "more than that projection",
        unlike=["in generation", "With a tenth of the current"],
    )


def test_a_pair_of_accelerators_without_sourced_power():
    found = read(
        "tdp-escalator", first_accelerator="h100-pcie", last_accelerator="m2-ultra", metric="fp4", power_budget_w=1000.0
    )
    # The M2 Ultra has none; the B200 stands in.
    says(
        found,
        "No source for the power of",
        "a part of the factor below is a change of definition",
        "Efficiency explains",
    )
    # The H100 has no 4-bit numbers, so its 8-bit peak counts: 9000/1513 = 5.948 over 1000/350 = 2.857 is 2.082.
    assert found.numbers["site_gain"] == pytest.approx(2.0820, rel=1e-4)
    # What the article said does not follow the reader's pair.
    assert found.numbers["share_printed"] == pytest.approx(0.5981, abs=1e-4)


def test_a_smaller_machine_is_told_as_one():
    found = read(
        "tdp-escalator", first_accelerator="gb200-nvl72", last_accelerator="m4", metric="bf16", power_budget_w=1000.0
    )
    says(found, "The supply does not feed even one whole")
    fell = "Both fell: the second of the two is the smaller machine"
    assert fell in found.text or "Efficiency and power did not both rise" in found.text
    assert "Efficiency explains {glue:text}`share` of this growth" not in found.said


def test_a_service_that_its_site_cannot_hold():
    found = read(
        "datacenter-scale", tokens_per_s_per_accelerator=5.0, site_mw=1.0, rack_kw=2.0, training_gwh=90000.0,
        grid_water_l_per_kwh=0.0, accelerator="tpu-v5e",
    )  # fmt: skip
    says(
        found,
        "That is not enough for the service above.",
        "A rack of that power feeds no server of this kind",
        "the rate you gave",
        "A year of answers takes less energy than the training",
        "Most of the water is used on the site",
        "No source gives the rating of",
        unlike=["That is enough for", "what the estimator expects", "The estimator expects"],
    )
    assert found.numbers["rate"] == 5


def test_the_software_of_a_service_is_a_parameter():
    usual, other = (read("datacenter-scale", software=name) for name in ("vllm", "sglang"))
    run = {"queries_per_day": 2.5e9, "batch": 128, "software": "sglang"}
    assert other.numbers["user"] == llmpower.plan("llama-3.1-70b", "h100-sxm", **run).tokens_per_s_per_user.central
    assert other.numbers["user"] != usual.numbers["user"]
    says(usual, "with `vllm` as software", "Such brackets held", unlike=["Here the bracket is wider"])
    says(read("datacenter-scale", model="mixtral-8x7b"), "new to the fitted runs: the network.")
    # At 400 of 700 W a board of the site is built for 400 W, those of the article for what they are rated at.
    capped = read("datacenter-scale", power_cap_w=400.0)
    says(capped, "and may draw 400 W here", unlike=["No plan can be made"])
    plain = llmpower.plan("llama-3.1-70b", "h100-sxm", power_cap_w=400, **run | {"software": "vllm"})
    assert capped.numbers["site_w"] == pytest.approx(plain.site_mw.central * 1e6)
    assert capped.numbers["a_boards"] == usual.numbers["a_boards"] and capped.numbers["boards_w"] % 400 == 0
    says(read("datacenter-scale", software="bare", power_cap_w=400.0), "No plan can be made: ")
    says(read("datacenter-scale", software="bare"), "The bracket is that of `bare`;", unlike=["Such brackets held"])


def test_measures_where_arithmetic_sets_the_time():
    found = read(
        "three-layer-mitigations", model="llama-3.1-70b", batch=4096, context_tokens=0,
        measures="sparse_attention,moe,photonic,analog", constants="article", accelerator="mi355x",
    )  # fmt: skip
    says(
        found,
        "Here arithmetic sets the time:",
        "what the mixture still saves is arithmetic, hardly a byte",
        "No source gives the idle power of",
        "an estimate stands in",
        unlike=["Saving arithmetic alone saves none of the static energy"],
    )
    assert not any(isinstance(value, float) and math.isnan(value) for value in found.numbers.values())


def test_measures_are_headlined_only_where_memory_suffices():
    # Mixtral: 46.7 G weights x 2 B = 93.4 GB; 131,072 B of cache a token x 32,768 = 4.295 GB a sequence.
    # Eight boards of 80 GB hold (640 - 93.4) / 4.295 = 127 sequences, so 64 of the batches drawn.
    found = read("three-layer-mitigations")
    says(
        found,
        "batch 64 is the largest drawn that fits",
        "**At small batch half the bytes cost more energy, not less:**",
    )
    assert found.numbers["many"] == 64
    # 64 x 65,536 tokens take 550 GB beside the 93.4; half of that context fits.
    assert (found.numbers["best_batch"], found.numbers["best_context"]) == (64, 32768)
    # 17 served pairs, at batch 8 with 1.5359, 1.6106 and 1.5618 times the energy; 10 of our own.
    assert (found.numbers["n_served"], found.numbers["n_bare"]) == (17, 10)
    assert found.numbers["fp8_few"] == pytest.approx(0.5618, abs=1e-4)
    assert found.numbers["fp8_most"] == pytest.approx(1 - 0.844382, abs=1e-4)
    # All pairs of the mixture with the dense network: 1 - 0.382634/0.473498 to 1 - 0.653134/1.72566 saved.
    assert found.numbers["twins_n"] == 31
    # One of them runs 340.185 of 384 against 383.53, and three more fall short: 29.26, 110.903 and 455.73 requests.
    assert (found.numbers["n_unfilled"], found.numbers["beyond_ran"], found.numbers["dip_to"]) == (4, 340, 256)
    assert found.numbers["dip_beyond"] == pytest.approx(1 - 0.4813, abs=1e-4)
    assert found.numbers["least_filled"] == pytest.approx(110.903 / 127.971, abs=1e-4)
    says(found, "One run of the dense network stands in two pairs", "That counts against it and for it.")
    # FP8 beside BF16 at 1,024 tokens, batch 256 and 1; at 8,192 tokens 0.26926 of 0.29938 J.
    assert (found.numbers["n_eight"], found.numbers["eight_batch"]) == (5, 32)
    assert found.numbers["bare_long"] == pytest.approx(1 - 0.26926 / 0.29938, abs=1e-4)
    assert found.numbers["bare_least"] == pytest.approx(0.2401, abs=1e-4)
    # N5, N3, N3E and N2: 30, 25 to 30, 34, and 25 to 30 %; the abstract prints 1 to 6 % more latency.
    assert (found.numbers["full_n"], found.numbers["full_least"], found.numbers["full_most"]) == (4, 0.25, 0.34)
    assert found.numbers["late_least"] == pytest.approx(0.01, abs=1e-5)
    assert found.numbers["late_most"] == pytest.approx(0.06, abs=1e-5)
    # More boards at one limit: tensor parallelism alone in 14 of 69 pairs.
    assert (found.numbers["n_spread"], found.numbers["n_uneven"]) == (69 - 14, 8)
    crowded = read("three-layer-mitigations", accelerator="rtx-4060-laptop", n_accelerators=1)
    says(crowded, "not even one sequence fits", unlike=["is the largest drawn that fits"])


def test_a_dearer_standstill_moves_what_is_left_towards_the_time():
    # 14.37 % static: 0.8563 x 2.182 % + 0.1437 x 2.405 % = 2.214 %.
    # 46.89 % static: 0.5311 x 2.182 % + 0.4689 x 2.405 % = 2.287 %.
    usual = read("three-layer-mitigations")
    rows = [
        line
        for line in usual.text.splitlines()
        if line.startswith(("| NVIDIA H100 SXM5 80 GB, idle", "| H100 decode,"))
    ]
    assert [re.findall(r"[\d.]+(?=\s%)", row)[-1] for row in rows] == ["2.21", "2.29"]
    says(usual, "it rises with the static power", unlike=["it falls as the static power rises"])
    typical = read("three-layer-mitigations", constants="typical")
    says(typical, "it falls as the static power rises", unlike=["it rises with the static power"])


def test_nothing_is_split_where_all_fits():
    found = read(
        "tokens-per-watt", devices="rtx-4090,h200-sxm", models="qwen3-4b", batches="4", context_tokens=0,
        power_cap_w=20.0, idle_hours=0.0, system_memory_bandwidth=2000.0,
    )  # fmt: skip
    says(
        found,
        "Every model of the list fits beside every processor of the list",
        "not every line bends down",
        "Nothing is spent waiting",
        "that it draws whatever the work",
        unlike=["are split between two memories", "so it slows the step"],
    )


def test_a_cap_and_ties_are_told_by_the_estimator():
    usual = read("tokens-per-watt")
    says(usual, "are split between two memories", "bends down where the model outgrows it", "so it slows the step")
    # The table of expected energies and the sentence below it are one estimate.
    run = {"context_tokens": 4096, "weight_format": "q4_k_m", "software": "vllm"}
    each = [llmpower.estimate("qwen3-4b", name, **run).j_per_token for name in ("rtx-4060-laptop", "m4", "h100-sxm")]
    assert usual.numbers["least_first"] == pytest.approx(min(each), rel=1e-9)
    # An answer: 500 tokens at 30.1 W and 20.89 tokens/s, and at 0.071348 J with the server and the site.
    site = usual.numbers["site_factor"]
    assert usual.numbers["home_over"] == pytest.approx(30.1 / 20.89 / (0.071348 * site), rel=1e-4) and 1.5 < site < 2
    # Runs of our H100 at batch 1: 497.90 W at 300.153 tokens/s in four bits, which read 1.4685 TB/s.
    assert usual.numbers["int4_j"] == pytest.approx(497.90 / 300.153, rel=1e-4)
    assert usual.numbers["alone_int4"] == pytest.approx(1.4685e12, rel=1e-3)
    # Q4_0 has 18 bytes for 32 values: 4.5 bits; 65 W at 40 tokens/s are 1.625 J.
    assert usual.numbers["laptop_j"] == pytest.approx(1.625)
    # What unpacking draws is counted: 1.79 J on the laptop are a tenth too much, 1.29 without it a fifth too little.
    assert 1 < usual.numbers["laptop_over"] < 1.15 and 0 < usual.numbers["off_int4"] < 0.25
    # 2.55 J expected of the M4's chip, 1.44 J at the wall of the whole computer.
    assert 1.7 < usual.numbers["m4_over"] < 1.85
    says(usual, "2 of 6 lie above", "does not decide who is ahead", unlike=["probably ahead", "that is a floor"])
    says(read("tokens-per-watt", weight_format="bf16"), unlike=["so they do not say how far"])
    # Without a rate in 8 bit that anybody printed there is no estimate; without one in 16 bit another one stands in.
    alone = read("tokens-per-watt", devices="rtx-4060", power_cap_w=500.0, weight_format="fp8")
    says(
        alone,
        "no machine of the list both holds",
        "There is no estimate of NVIDIA GeForce RTX 4060",
        "For NVIDIA GeForce RTX 4060",
        unlike=["so it slows the step", "costs no speed"],
    )
    says(
        read("tokens-per-watt", devices="rtx-4060", power_cap_w=500.0),
        "costs no speed",
        unlike=["There is no estimate"],
    )
    # A cap on clocks costs less than prices at full clocks would have it, and all cards keep to it.
    capped = llmpower.estimate("qwen3-4b", "rtx-4060-laptop", power_cap_w=35, **run)
    assert usual.numbers["capped_speed"] < usual.numbers["clocked_speed"] == pytest.approx(capped.tokens_per_s)
    # 25.15 of 38.23 tokens/s at 230 of 388 W.
    assert usual.numbers["kept_3090"] == pytest.approx(25.15 / 38.23)
    says(usual, "Boards lower their clocks instead", "ranges that meet", "cannot tell laptop and H100 apart")
    cool = read("tokens-per-watt", devices="rtx-4060-laptop", power_cap_w=115.0)
    says(cool, "so it costs no speed", unlike=["so it slows the step"])


def test_the_evidence_tells_how_sure_it_is_and_what_misses_its_aim():
    found = read("model-against-measurement")
    # Rows of data/measurements.csv and data/server_runs.csv under vLLM, SGLang and TensorRT-LLM of 2025 and 2026: 369
    # and 312 unmarked, of seven sources; 352 public ones with the 40 marked, 4 more are of llama.cpp.
    names = ("n_fitted", "n_runs", "n_public", "n_labs", "n_servers", "n_public_all", "n_public_out", "n_marked_lab")
    assert [found.numbers[name] for name in names] == [681, 369, 312, 7, 3, 352, 40, 82]
    # The edition before, fitted to ML.ENERGY alone, had 6.2 / 8.0 / 16.6 %.
    says(
        found,
        "Joules are told worse than before",
        "Of the B200 two laboratories say opposite things",
        "and of what another laboratory adds to errors of speed",
        "so what slows them is no unequal queue",
        unlike=["All are met", "terms chosen"],
    )


def test_how_sure_we_are_opens_with_what_the_command_line_prints():
    found = read("model-against-measurement")
    asked = {"software": "vllm", "batch": 32}
    for name, answer in (
        ("dense", llmpower.estimate("llama-3.1-8b", "h100-sxm", **asked)),
        ("sparse", llmpower.estimate("qwen3-30b-a3b", "h100-sxm", **asked)),
    ):
        printed = estimate_text(answer)
        for quantity, key in (("tokens/s", "speed"), ("energy per token", "joules")):
            middle, _, most = re.search(rf"{quantity}, \d+ runs +([\d.]+) +([\d.]+) +([\d.]+)  %", printed).groups()
            shown = [found.numbers[f"{key}_{name}{end}"].split()[0] for end in ("", "_most")]
            assert shown == [middle, most]
    # data/server_runs.csv has six rows of Kubis whose software ends in "eager"; validation.csv 16 whose "attention
    # runs data-parallel". 142 and 227 make the 369 metered runs.
    names = ("n_eager", "n_odd", "odd_held", "n_metered_dense", "n_metered_sparse", "n_board_pairs")
    assert [found.numbers[name] for name in names] == [6, 16, "none", 142, 227, 58]
    # 315 of 369 and 232 of 312 make 547 of 681; 12 of the 82 marked ones.
    shares = [found.numbers[name] for name in ("lab_metered", "lab_public", "marked_inside", "lab_inside")]
    assert shares == pytest.approx([315 / 369, 232 / 312, 12 / 82, 547 / 681])
    says(
        found,
        "Of these alone the printed range holds",
        "Fewer than half of the pairs",
        "the server TensorRT-LLM (67 %), the laboratory ",
        "is the nearest test of an unnamed one",
        unlike=["its gain is told", "where all is known"],
    )


def test_the_evidence_with_a_case_of_ones_own():
    found = read(
        "model-against-measurement", model="llama-3.1-8b", accelerator="a100-sxm-80gb", n_accelerators=1, batch=4,
        context_tokens=0,
    )  # fmt: skip
    says(
        found,
        "No metered run on",
        "your case:",
        "No power run of ours is on",
        "All of the metered ones are on the",
        "A term is missing there",
        unlike=["The case asked for", "would settle it"],
    )
    # Counted in data/measurements.csv: 369 unmarked and 42 marked rows of the laboratory; 25 of Nemotrons on a B200.
    counts = {
        name: found.numbers[name] for name in ("n_runs", "n_flagged", "n_hybrid", "n_hybrid_out", "largest_marked")
    }
    assert counts == {"n_runs": 369, "n_flagged": 42, "n_hybrid": 25, "n_hybrid_out": 25, "largest_marked": 512}
    # Among the marked: 14 above batch 64; 7 rows of Qwen3-30B-A3B; 26 that contradict a neighbour by their own speed.
    names = ("n_large", "n_later", "n_own", "n_spared")
    assert [found.numbers[name] for name in names] == [14, 7, 26, 4]
    # Published ratios at batch 8: 9.258 J over 6.028, 11.59 over 7.195, 11.39 over 7.293; the middle one is 1.562.
    assert found.numbers["n_few"] == 3 and found.numbers["fp8_gain"] == pytest.approx(0.562, abs=0.001)
    says(found, "not every mark was made before predictions were seen", "More held out mostly means a larger error")
    # Limits of 256 requests: 225.6 and 228.5 ran in 16 bits, 256.0 and 255.7 in 8.
    assert (found.numbers["uneven_16"], found.numbers["uneven_8"], found.numbers["n_uneven"]) == (
        "226 and 228",
        "256",
        2,
    )
    says(found, "Mixtures of experts need their kind", "is an extrapolation", unlike=["no further apart than chance"])
    # 693.592 of 700 W and 975.596 of 1,000 W; 11 runs on an H100 and one on a B200 are above 97.5 %.
    assert found.numbers["most_drawn"] == "97.6 % on B200 and 99.08 % on H100 SXM5 80 GB"
    assert found.numbers["n_above_plateau"] == 12
    says(found, "H100 SXM5 80 GB reached 99.08 %", "tells against the constants, the count of its work, or both")
    # 76 rows of Argonne and 3 of the MI300X in data/validation.csv and measurements.csv.
    assert (found.numbers["n_foreign"], found.numbers["n_argonne"], found.numbers["n_user"]) == (79, 76, 3)
    says(
        read("model-against-measurement", accelerator="mi350x"),
        "The case asked for cannot be estimated",
        unlike=["your case:", "No power run of ours is on"],
    )
