"""Properties the formulas of growing power must have whatever the numbers."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llmpower.formulas import escalator

grown = st.floats(1.001, 1e4)
amount = st.floats(1e-3, 1e9)


@given(grown, grown)
def test_shares_in_logarithms_do_not_depend_on_the_order(efficiency, power):
    share = escalator.efficiency_share(efficiency, power)
    assert 0 < share < 1
    assert share + escalator.efficiency_share(power, efficiency) == pytest.approx(1)


@given(grown, grown)
def test_shares_of_added_steps_do(efficiency, power):
    whole = efficiency * power
    first = escalator.step_share(efficiency, whole)
    last = 1 - escalator.step_share(power, whole)
    assert first <= escalator.efficiency_share(efficiency, power) + 1e-9 <= last + 2e-9


@given(grown, grown, grown)
def test_two_steps_in_a_row_multiply(first, second, power):
    one, other = escalator.efficiency_gain(first, power), escalator.efficiency_gain(second, 1 / power)
    assert one * other == pytest.approx(escalator.efficiency_gain(first * second, 1))


@given(grown, st.floats(0.5, 50))
def test_growth_compounds(gain, years):
    assert (1 + escalator.annual_growth(gain, years)) ** years == pytest.approx(gain, rel=1e-6)


@given(amount, amount, amount, st.floats(1.1, 100))
def test_at_a_fixed_budget_the_rating_of_one_board_cancels(budget, rate, tdp, factor):
    count = escalator.budget_accelerators(budget, tdp)
    together = escalator.budget_flop_per_s(budget, escalator.peak_flop_per_j(rate, tdp))
    assert together == pytest.approx(count * rate)
    assert escalator.budget_flop_per_s(budget, escalator.peak_flop_per_j(factor * rate, factor * tdp)) == pytest.approx(
        together
    )
