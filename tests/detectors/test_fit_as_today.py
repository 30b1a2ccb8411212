"""The table of fitted constants and what they are fitted for, as today."""

import pytest

from llmpower.evidence import fit as fitting
from llmpower.evidence.fit import fit, serving_runs
from llmpower.facts import catalog


def test_the_table_holds_what_the_fit_gives():
    """Run `llmpower calibrate` after a change of the forecast or of the runs."""
    values = fitting._flat(fit(serving_runs()))
    for key, value in values.items():
        entity, _, name = key.rpartition(":")
        assert catalog.fact("calibration.csv", entity or "fitted", name).value == pytest.approx(value, rel=0.005), key


def test_nothing_is_fitted_for_a_model_or_a_family():
    assert {fact.entity for fact in catalog.facts("calibration.csv")} == {"set", "fitted", "h100-sxm", "b200"}


def test_two_networks_have_two_names():
    runs = serving_runs()
    assert len(set(runs.architecture)) == len(set(runs.columns["model"])) - 2
