"""Tokens per joule: values from outside the code, properties, and a chapter that changes its mind."""

import math

import numpy
import pytest
from hypothesis import given
from hypothesis import strategies as st

from llmpower.evidence.exam import Measured, measured_points
from llmpower.facts import catalog
from llmpower.facts.claims import claim
from llmpower.formulas import efficiency
from llmpower.step import spill
from llmpower.step.bound import counts, memory_fit, step_bound
from llmpower.step.case import case

CHAPTER = "chapters/tokens-per-watt.ipynb"
positive = st.floats(1e-3, 1e6)
DDR5 = 76.8e9


def deliver(model, accelerator, batch=1, context_tokens=0, weight_format="bf16"):
    run = {"batch": batch, "context_tokens": context_tokens, "weight_format": weight_format}
    return spill.deliver(case(model, accelerator, **run), DDR5)


def test_the_articles_quotients_by_hand():
    # Lines 183, 188, 193, 198 and 203: 10.8/70, 50/40, 8/30, 768/700, 24/700.
    for speed, watts, by_hand in (
        (10.8, 70, 0.1543),
        (50, 40, 1.25),
        (8, 30, 0.2667),
        (768, 700, 1.0971),
        (24, 700, 0.03429),
    ):
        assert efficiency.tokens_per_j(speed, watts) == pytest.approx(by_hand, rel=1e-3)


def test_two_claimed_speeds_are_above_their_bound():
    # 8 GB at 256 GB/s and 11.85 GB at 76.8 GB/s: 31.25 ms + 154.30 ms = 185.55 ms; 19.85 GB at 120 GB/s: 165.42 ms.
    assert spill.split_speed(19.85e9, 8e9, 256e9, DDR5) == pytest.approx(1 / 0.18555, rel=1e-4)
    assert spill.split_speed(19.85e9, 32e9, 120e9, DDR5) == pytest.approx(6.045, rel=1e-3)
    # The ledger leaves 7 GB for weights: 27.34 ms + 167.32 ms.
    assert spill.split_speed(19.85e9, 7e9, 256e9, DDR5) == pytest.approx(5.137, rel=1e-3)
    assert claim("C73").si > 2 * 5.137 and claim("C78").si > 6.045
    # The 4B model's 50 tokens/s are possible: 256/3.4 = 75.3.
    assert claim("C75").si < spill.split_speed(3.4e9, 8e9, 256e9, DDR5) == pytest.approx(75.29, rel=1e-3)


def test_the_factor_of_the_article_is_size():
    # 1.25/(24/700) = 36.46; 140/3.4 = 41.18; 36.46 x 3.4/140 = 0.8854, so the H100 reads 1.129 times more a joule.
    ratio = efficiency.efficiency_ratio(1.25, 24 / 700)
    assert ratio == pytest.approx(36.458, rel=1e-4)
    assert 1 / efficiency.byte_efficiency_ratio(ratio, 3.4e9, 140e9) == pytest.approx(1.129, rel=1e-3)
    assert claim("C87").verdict == "contradicted by source" and claim("C86").verdict == "definition needed"


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


RUNS = {name: one for name, one in measured_points().items() if isinstance(one, Measured)}


@pytest.mark.parametrize("name", [name for name, one in RUNS.items() if one.stored_format != "q4_0"])
def test_no_measured_run_beats_the_bound(name):
    run = RUNS[name]
    assert (
        run.tokens_per_j < run.delivery.most_tokens_per_j().low * 1.5
        and run.tokens_per_j < run.delivery.most_tokens_per_j().central
    )
    assert run.tokens_per_s < run.delivery.tokens_per_s


def test_lone_requests_read_a_few_gigabytes_per_joule_whatever_the_machine():
    for name in (
        "argonne-8b-h100-vllm-batch-1",
        "splitwise-70b-a100x2-batch-1",
        "geerling-8b-m4",
        "substrate-8b-rtx-4060-laptop",
    ):
        assert 2.5e9 < RUNS[name].bytes_per_token * RUNS[name].tokens_per_j < 6e9


def test_where_everything_fits_the_bound_is_the_one_of_the_decode_chapter():
    one = deliver("llama-3.1-8b", "h100-sxm", 8, 2048)
    other = step_bound(counts("llama-3.1-8b", 8, 2048), 8, "h100-sxm", 1)
    assert one.tokens_per_s == pytest.approx(other.tokens_per_s) and not one.spills
    assert memory_fit(counts("llama-3.1-8b", 8, 2048), 8, "h100-sxm", 1).fits


def test_a_machine_that_shares_its_memory_spills_nowhere():
    one = deliver("llama-3.1-70b", "m4")
    assert not one.runs and one.tokens_per_s == 0 and one.rated_tokens_per_j == 0
    assert deliver("llama-3.1-70b", "h100-sxm").spills


@pytest.mark.parametrize("name", catalog.names("accelerator"))
def test_every_machine_of_the_catalog_delivers(name):
    one = deliver("qwen3-4b", name, weight_format="q4_k_m")
    assert one.runs and 0 < one.tokens_per_s < 5e6
    assert one.rated_tokens_per_j is None or one.rated_tokens_per_j > 0


@given(positive, positive, positive, positive, st.floats(1.01, 10))
def test_a_split_is_no_faster_than_the_faster_memory_and_grows_with_either(n_bytes, memory, fast, slow, factor):
    speed = spill.split_speed(n_bytes, memory, fast, slow)
    assert speed <= max(fast, slow) / n_bytes * (1 + 1e-9)
    assert speed >= min(fast, slow) / n_bytes * (1 - 1e-9)
    assert spill.split_speed(n_bytes, memory, factor * fast, slow) >= speed * (1 - 1e-12)
    assert spill.split_speed(n_bytes, memory, fast, factor * slow) >= speed * (1 - 1e-12)


@given(positive, positive)
def test_the_parts_of_a_split_sum_to_the_whole(n_bytes, memory):
    share = efficiency.resident_share(n_bytes, memory)
    resident = efficiency.resident_bytes(n_bytes, share)
    assert 0 < share <= 1 and resident <= memory * (1 + 1e-9)
    assert resident + efficiency.host_bytes(n_bytes, resident) == pytest.approx(n_bytes)


@given(positive, positive, positive, st.floats(0, 100))
def test_a_cap_never_speeds_up_and_never_lets_power_above_it(time, energy, above, idle):
    capped = efficiency.capped_time_s(time, energy, idle + above, idle)
    assert capped >= time
    assert idle + energy / capped <= (idle + above) * (1 + 1e-9)


@given(positive, positive, positive)
def test_idle_power_only_lowers_the_bound(energy, idle, time):
    assert efficiency.least_energy_j(energy, 0.0, time) == energy
    assert efficiency.most_tokens_per_j(1, efficiency.least_energy_j(energy, idle, time)) <= 1 / energy


def test_arrays_and_a_cap_below_idle():
    speeds = spill.split_speed(numpy.array([4e9, 8e9, 16e9]), 8e9, 256e9, DDR5)
    assert list(speeds) == sorted(speeds, reverse=True) and speeds[0] == pytest.approx(64)
    assert deliver("qwen3-4b", "h100-sxm", weight_format="q4_k_m").capped_time_s(35.0) == math.inf
