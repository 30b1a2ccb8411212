"""Formulas of tokens per joule: the article's quotients, and properties that hold whatever the numbers."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llmpower.facts.claims import claim
from llmpower.formulas import efficiency

positive = st.floats(1e-3, 1e6)


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


def test_the_factor_of_the_article_is_size():
    # 1.25/(24/700) = 36.46; 140/3.4 = 41.18; 36.46 x 3.4/140 = 0.8854, so the H100 reads 1.129 times more a joule.
    ratio = efficiency.efficiency_ratio(1.25, 24 / 700)
    assert ratio == pytest.approx(36.458, rel=1e-4)
    assert 1 / efficiency.byte_efficiency_ratio(ratio, 3.4e9, 140e9) == pytest.approx(1.129, rel=1e-3)
    assert claim("C87").verdict == "contradicted by source" and claim("C86").verdict == "definition needed"


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
