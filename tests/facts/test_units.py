"""Units of the tables and back."""

import pytest

from llmpower.facts.units import in_unit, to_si


def test_units_go_there_and_back():
    for unit in ("usd/kWh", "g/kWh", "L/kWh", "MW", "1/day"):
        assert in_unit(to_si(7.0, unit), unit) == pytest.approx(7)
    assert to_si(0.05, "usd/kWh") * 3.6e6 == pytest.approx(0.05)
