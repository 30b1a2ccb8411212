"""Chapters change their minds: with other parameters they say what is true then, and nothing else."""

import math
import re

import pytest

from llmpower.facts import catalog
from tests.chapters.reading import read


def says(found, *sentences, unlike=()):
    """Every sentence stands in the text of a chapter, and none of the others does."""
    missing = [sentence for sentence in sentences if sentence not in found.text]
    wrong = [sentence for sentence in unlike if sentence in found.text]
    assert not missing and not wrong, (missing, wrong)


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
    assert re.search(r"32: 4,000, 25.0\s%\scached", cached.text)


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
        "the assumption is low",
        unlike=["of the chip must be dark after", "times the power it drew before", "A real gate shares control"],
    )
    assert found.numbers["dark"] == 0 and found.numbers["below_from"] == "65 nm"
    # 169e6 x 1e-12 A x 1.5 V = 0.2535 mW; kT/q ln 10 at 300 K = 59.526 mV.
    assert found.numbers["leaking"] == pytest.approx(2.535e-4)
    assert found.numbers["floor"] == pytest.approx(0.0595264, rel=1e-5)


def test_a_transistor_that_leaks_too_much():
    says(
        read("dennard-collapse", off_current_a=1e-6),
        "such a transistor cannot be built into this chip",
        "of the chip must be dark after",
        "the assumption is not low",
        unlike=["in generation", "with a tenth of it"],
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
        "datacenter-scale", tokens_per_s_per_accelerator=5.0, site_mw=1.0, rack_kw=5.0, training_gwh=90000.0,
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
        "slows",
        unlike=["are split between two memories", "costs **"],
    )
    # 4 tokens over (params x 4.8944/8 B at 4.8 TB/s), at 700 W.
    per_step = catalog.model("qwen3-4b").params_shared * 4.8944 / 8 / 4.8e12
    assert found.numbers["eta_first"] == pytest.approx(4 / per_step / 700, rel=1e-6)
    says(read("tokens-per-watt"), "are split between two memories", "bends down where the model outgrows it")


def test_the_evidence_with_a_case_of_ones_own():
    found = read(
        "model-against-measurement", model="llama-3.1-8b", accelerator="a100-sxm-80gb", n_accelerators=1, batch=4,
        context_tokens=0,
    )  # fmt: skip
    says(
        found,
        "No run on",
        "your case:",
        "No power run of ours is on",
        "All of them are on the",
        "a term is missing there",
        "there the range is too narrow",
        unlike=["The case asked for", "would settle it"],
    )
    # Counted in data/measurements.csv: 369 unmarked and 42 marked rows of the laboratory; 25 of Nemotrons on a B200.
    counts = {
        name: found.numbers[name] for name in ("n_runs", "n_flagged", "n_hybrid", "n_hybrid_out", "largest_marked")
    }
    assert counts == {"n_runs": 369, "n_flagged": 42, "n_hybrid": 25, "n_hybrid_out": 25, "largest_marked": 512}
    # 76 rows of Argonne and 3 of the MI300X in data/validation.csv and measurements.csv.
    assert (found.numbers["n_foreign"], found.numbers["n_argonne"], found.numbers["n_user"]) == (79, 76, 3)
    says(
        read("model-against-measurement", accelerator="mi355x"),
        "The case asked for cannot be estimated",
        unlike=["your case:", "No power run of ours is on"],
    )
