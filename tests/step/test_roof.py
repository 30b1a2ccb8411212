"""The power roof by hand."""

from dataclasses import replace

import numpy as np
import pytest

from llmpower.facts import catalog
from llmpower.facts.power import power
from llmpower.step import roof as ceilings

H100 = catalog.accelerator("h100-sxm")


def test_the_power_roof_by_hand():
    # H100 at 300 FLOP/B: a byte takes max(1/3.35e12, 300/989.4e12) = 303 fs, but 93.44 + 300 x 0.52 = 249.4 pJ over
    # 700 - 69 W are 395 fs.
    found = ceilings.roof(H100, np.array([1.0, 300.0]))
    assert found.bandwidth == pytest.approx([3.35e12, 300 * 3.35e12], rel=0.01)
    assert found.compute == pytest.approx([989.4e12, 989.4e12], rel=0.01)
    assert found.power.central[1] == pytest.approx(300 / 395.3e-15, rel=0.005)
    # One operation a byte: 93.96 pJ at the full bandwidth are 315 W, which the rating allows.
    assert found.power.central[0] == pytest.approx(found.bandwidth[0])


def test_power_binds_from_an_intensity_by_hand():
    # By hand: 700 - 69 W over 3.35 TB/s leave 188.36 pJ for a byte; 93.44 of it is the byte, the rest 182.5 operations
    # of 0.52 pJ.
    assert ceilings.power_binds_from(H100) == pytest.approx(182.5, abs=0.1)
    low, high = ceilings.power_binds_from(H100) * np.array([0.999, 1.001])
    ratio = [ceilings.roof(H100, np.array([one])) for one in (low, high)]
    assert [bool(one.power.central[0] < 0.9999 * one.bandwidth[0]) for one in ratio] == [False, True]


def test_a_machine_with_power_to_spare_never_meets_the_power_roof(monkeypatch):
    monkeypatch.setattr(ceilings, "power", lambda *given: replace(power(*given), value=-1e6))
    assert ceilings.power_binds_from(H100) == float("inf")
