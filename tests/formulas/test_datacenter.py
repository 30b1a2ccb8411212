"""Formulas of data centres: the article's own lines, and properties that hold whatever the numbers."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llmpower.facts import catalog
from llmpower.facts.claims import claim
from llmpower.facts.units import to_si
from llmpower.formulas import datacenter

positive = st.floats(1e-3, 1e6)
share = st.floats(0.01, 1)


def test_a_thousand_tokens_from_the_articles_own_lines():
    """Verdict of C56: 4.0 MW over 1157.4 queries a second are 0.96 Wh, at 5 cents 4.8e-5 usd, for 500 tokens."""
    energy = datacenter.energy_per_query_j(claim("C50").si, to_si(claim("C43").value, "1/day"))
    found = datacenter.tokens_cost_usd(1000, energy, claim("C53").si, claim("C44").value)
    assert found == pytest.approx(9.6e-5)
    assert claim("C56").value / found == pytest.approx(10.4, rel=5e-3)


def test_training_against_the_articles_year():
    training = catalog.fact("datacenter.csv", "gpt-4-training", "training_energy_j")
    # 42.4 GWh over 35 GWh = 1.211, not ten times (C58).
    found = datacenter.training_over_service(training.value, claim("C51").si)
    assert found == pytest.approx(1.2114, rel=1e-3)
    # The other estimate: 50 / 35 = 1.43.
    assert datacenter.training_over_service(training.high, claim("C51").si) == pytest.approx(1.43, rel=2e-3)


@given(positive, positive, st.floats(1, 10), share)
def test_what_a_site_answers_is_what_its_boards_were_needed_for(rate, served, peak, load):
    needed = datacenter.accelerators_needed(rate, peak, served, load)
    assert datacenter.site_queries_per_s(needed, served, load, peak, 1) == pytest.approx(rate)
    assert datacenter.mean_load(rate, needed, served) == pytest.approx(load / peak)


@given(st.floats(0, 1e5), positive, positive, positive)
def test_a_prompt_never_speeds_an_answer_up(prompt, output, prefill, decode):
    served = datacenter.served_tokens_per_s(prompt, output, prefill, decode)
    assert served <= decode * (1 + 1e-12)
    assert datacenter.served_tokens_per_s(0, output, prefill, decode) == pytest.approx(decode)
    assert datacenter.served_tokens_per_s(prompt, output, math.inf, decode) == pytest.approx(decode)


@given(positive, positive, st.floats(1.1, 10))
def test_bills_are_linear(energy, price, factor):
    once = datacenter.electricity_cost_usd(energy, price)
    assert datacenter.electricity_cost_usd(factor * energy, price) == pytest.approx(factor * once)
    assert datacenter.facility_power_w(energy, 1) == energy
    assert datacenter.used_water_m3(energy, 1, 0, 1) + datacenter.used_water_m3(0, 1, energy, 2) == pytest.approx(
        3 * energy
    )
