"""What bare steps are predicted with, and how far predictions err, as today."""

import pytest

from llmpower.evidence import joule
from llmpower.step import bare, constants
from tests.facts.power_rows import near


def test_the_table_of_studies_has_the_errors_of_bare_steps():
    """Run `llmpower calibrate` after a change of the bare step or of the power runs."""
    for split, runs, quantity, *row in joule.accuracy_rows():
        known = constants.errors("studies.csv")[split, runs, quantity]
        assert list(known.values()) == pytest.approx([float(one) for one in row], abs=0.11), (runs, quantity)


def test_fitted_gap_and_prices():
    found = bare.fitted()
    assert found.layer_time_s == near(68.1e-6, 0.002)
    assert found.weight_energy_j_per_byte == near(123.3e-12, 0.002)
    assert found.cache_energy_j_per_byte == near(134.5e-12, 0.002)


def test_what_the_form_does_not_know_stays_far_off():
    # PyTorch's kernel for 4 bit is made for few rows; rests are no input, so nothing is predicted for runs with them.
    table = joule.closure().set_index("id")
    off = 100 * (table["predicted_j_per_token"] / table["j_per_token"] - 1)
    assert off["h100b-08"] == pytest.approx(-36, abs=2) and off["h100b-09"] == pytest.approx(-69, abs=2)
    assert off[["h100b-10", "h100b-11"]].isna().all()
    assert off[table["kind"] == "mixture of experts, bf16"].max() < -5
