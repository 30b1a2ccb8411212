"""Formulas of scaling: transistors by hand, and properties that hold whatever the numbers."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llmpower.facts import catalog
from llmpower.formulas import dennard


@given(st.floats(0.1, 1e3), st.floats(1e-3, 1e6), st.floats(1.0, 10))
def test_dark_share_is_a_share_and_falls_with_cooling(cooling, density, more):
    dark = dennard.dark_share(cooling, density)
    assert 0 <= dark < 1
    assert dennard.dark_share(cooling * more, density) <= dark


def test_a_shrink_and_its_generations():
    assert dennard.observed_exponent(dennard.total_scale(1.4142, 5), 1.4142) == pytest.approx(5)


def test_watts_per_transistor_by_hand():
    # 300 / 21.1e9 = 14.22 nW and 1000 / 208e9 = 4.81 nW: 0.338, as C19 has it.
    pair = [catalog.accelerator(name) for name in ("v100-sxm2-32gb", "b200")]
    first, last = (dennard.chip_w_per_transistor(one.tdp_w, one.transistors) for one in pair)
    assert first == pytest.approx(14.22e-9, rel=1e-3)
    assert last / first == pytest.approx(0.338, rel=1e-3)
    # It rose once on the way: 700 / 80e9 = 8.75 nW after 400 / 54.2e9 = 7.38 nW is 1.186.
    pair = [catalog.accelerator(name) for name in ("a100-sxm-80gb", "h100-sxm")]
    before, after = (dennard.chip_w_per_transistor(one.tdp_w, one.transistors) for one in pair)
    assert after / before == pytest.approx(1.186, rel=1e-3)
