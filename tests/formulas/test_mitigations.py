"""Formulas of savings: the article's own example, and properties that hold whatever the numbers."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

import llmpower
from llmpower.formulas import mitigations

share = st.floats(0, 1)


def test_the_articles_sixteenth_and_its_small_network():
    # Lines 234 and 235: 1/4 x 1/4 = 1/16, 70 / 16 = 4.375 billion.
    left = mitigations.weight_traffic_share(0.25, 0.5, 2)
    assert left == 1 / 16
    assert mitigations.equivalent_params(70e9, left) == 4.375e9


def test_the_number_of_accelerators_cancels():
    counts = llmpower.counts("llama-3.1-70b", 1, 0)
    times = [llmpower.step_bound(counts, 1, "h100-sxm", n).step_time_s for n in (2, 8)]
    assert mitigations.static_energy_j(2 * 70.0, times[0]) == pytest.approx(
        mitigations.static_energy_j(8 * 70.0, times[1])
    )


@given(share, share, share)
def test_two_measures_on_one_part(a, first, second):
    together = 1 - a + a * first * second
    product = (1 - mitigations.total_saved_share(a, 1 - first)) * (1 - mitigations.total_saved_share(a, 1 - second))
    assert mitigations.same_part_excess(a, first, second) == pytest.approx(together - product, abs=1e-12)
    assert together >= product - 1e-12


@given(st.floats(0, 0.5), st.floats(0, 0.5), share, share)
def test_two_measures_on_different_parts_beat_their_product(a, b, first, second):
    together = 1 - a * (1 - first) - b * (1 - second)
    assert together <= (1 - a * (1 - first)) * (1 - b * (1 - second)) + 1e-12


@given(st.floats(0, 0.999), share)
def test_no_saving_beats_the_limit(affected, saved):
    assert 1 / (1 - mitigations.total_saved_share(affected, saved)) <= mitigations.saving_limit(affected) * (1 + 1e-12)
