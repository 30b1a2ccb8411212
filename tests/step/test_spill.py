"""Models that spill into another memory: speeds by hand and properties."""

import numpy
import pytest
from hypothesis import given
from hypothesis import strategies as st

from llmpower.facts import catalog
from llmpower.facts.claims import claim
from llmpower.step import spill
from llmpower.step.bound import counts, memory_fit, step_bound
from llmpower.step.case import case

positive = st.floats(1e-3, 1e6)
DDR5 = 76.8e9


def deliver(model, accelerator, batch=1, context_tokens=0, weight_format="bf16"):
    run = {"batch": batch, "context_tokens": context_tokens, "weight_format": weight_format}
    return spill.deliver(case(model, accelerator, **run), DDR5)


def test_two_claimed_speeds_are_above_their_bound():
    # 8 GB at 256 GB/s and 11.85 GB at 76.8 GB/s: 31.25 ms + 154.30 ms = 185.55 ms; 19.85 GB at 120 GB/s: 165.42 ms.
    assert spill.split_speed(19.85e9, 8e9, 256e9, DDR5) == pytest.approx(1 / 0.18555, rel=1e-4)
    assert spill.split_speed(19.85e9, 32e9, 120e9, DDR5) == pytest.approx(6.045, rel=1e-3)
    # The ledger leaves 7 GB for weights: 27.34 ms + 167.32 ms.
    assert spill.split_speed(19.85e9, 7e9, 256e9, DDR5) == pytest.approx(5.137, rel=1e-3)
    assert claim("C73").si > 2 * 5.137 and claim("C78").si > 6.045
    # The 4B model's 50 tokens/s are possible: 256/3.4 = 75.3.
    assert claim("C75").si < spill.split_speed(3.4e9, 8e9, 256e9, DDR5) == pytest.approx(75.29, rel=1e-3)


def test_where_everything_fits_the_bound_is_the_one_of_the_decode_chapter():
    one = deliver("llama-3.1-8b", "h100-sxm", 8, 2048)
    other = step_bound(counts("llama-3.1-8b", 8, 2048), 8, "h100-sxm", 1)
    assert one.tokens_per_s == pytest.approx(other.tokens_per_s) and not one.spills
    assert memory_fit(counts("llama-3.1-8b", 8, 2048), 8, "h100-sxm", 1).fits


def test_only_a_card_of_a_computer_spills():
    for name in ("m4", "h100-sxm"):
        one = deliver("llama-3.1-70b", name)
        assert not one.runs and one.tokens_per_s == 0
    assert deliver("llama-3.1-70b", "rtx-4090").runs and deliver("llama-3.1-70b", "rtx-4090").spills


def test_as_if_all_fitted_reads_everything_at_the_full_rate():
    # 141.1 GB less an embedding of 2.1 GB at 3.35 TB/s: 41.5 ms, on one board that holds 80 GB.
    one = spill.deliver(case("llama-3.1-70b", "h100-sxm"))
    assert one.runs and one.spills and one.memory_time_s == pytest.approx(139.006e9 / 3.35e12, rel=1e-4)


@pytest.mark.parametrize("name", catalog.names("accelerator"))
def test_every_machine_of_the_catalog_delivers(name):
    one = deliver("qwen3-4b", name, weight_format="q4_k_m")
    assert one.runs and 0 < one.tokens_per_s < 5e6


@given(positive, positive, positive, positive, st.floats(1.01, 10))
def test_a_split_is_no_faster_than_the_faster_memory_and_grows_with_either(n_bytes, memory, fast, slow, factor):
    speed = spill.split_speed(n_bytes, memory, fast, slow)
    assert speed <= max(fast, slow) / n_bytes * (1 + 1e-9)
    assert speed >= min(fast, slow) / n_bytes * (1 - 1e-9)
    assert spill.split_speed(n_bytes, memory, factor * fast, slow) >= speed * (1 - 1e-12)
    assert spill.split_speed(n_bytes, memory, fast, factor * slow) >= speed * (1 - 1e-12)


def test_arrays():
    speeds = spill.split_speed(numpy.array([4e9, 8e9, 16e9]), 8e9, 256e9, DDR5)
    assert list(speeds) == sorted(speeds, reverse=True) and speeds[0] == pytest.approx(64)
