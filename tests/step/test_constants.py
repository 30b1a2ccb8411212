"""Constants of the estimator: few, bounded, and scaled for a machine without a fit."""

import re

import pytest

from llmpower.facts import catalog
from llmpower.facts.quantities import quantities
from llmpower.step import constants


def test_constants_are_few_bounded_and_explained():
    facts = catalog.facts("calibration.csv")
    assert len(facts) <= 25
    for accelerator in constants.gaps():
        assert sum(fact.entity == accelerator for fact in facts) <= 10
    for fact in facts:
        quantity = quantities()[fact.quantity]
        assert quantity.low <= fact.value <= quantity.high and quantity.help
        if fact.entity != "set":
            assert fact.low <= fact.value <= fact.high
            assert re.search(r"\d{4}-\d\d-\d\d", fact.where), "the fit's date"


def test_a_machine_without_a_fit_gets_scaled_constants():
    a100, kind = constants.for_machine(catalog.accelerator("a100-sxm-80gb"))
    assert kind == "scaled"
    gaps = [constants.gaps()[name].value for name in ("h100-sxm", "b200")]
    assert a100.layer_time_s == pytest.approx((gaps[0] * gaps[1]) ** 0.5)
    # GDDR6X takes 7.25 pJ/bit in the device, the HBM3 of the measured H100 3.92: 3.33 pJ/bit more.
    gddr, _ = constants.for_machine(catalog.accelerator("rtx-4090"))
    h100 = constants.fixed()["weight_energy_j_per_byte"]
    assert gddr.weight_energy_j_per_byte - h100 == pytest.approx(3.33 * 8e-12, rel=1e-3, abs=0)
