"""The table of fitted constants and what they are fitted for, as today."""

import pytest

from llmpower.evidence import fit as fitting
from llmpower.evidence.fit import fit, serving_runs
from llmpower.facts import catalog


def test_the_table_holds_what_the_fit_gives():
    """Run `llmpower calibrate` after a change of the forecast or of the runs."""
    values = fitting._flat(fit(serving_runs()))
    for key, value in values.items():
        assert catalog.fact("calibration.csv", *key).value == pytest.approx(value, rel=0.005), key


def test_what_is_fitted_is_derived_and_what_is_set_says_so():
    fitted, by_hand = set(), set()
    for fact in catalog.facts("calibration.csv"):
        (by_hand if fact.kind == "convention" else fitted).add((fact.entity, fact.quantity))
    assert fitted == set(fitting._flat(fit(serving_runs()))) - {(one, name) for name, one in fitting.BY_HAND}
    assert {entity for entity, _ in by_hand} == {
        "set",
        "measured",
        "unpacking",
        "llama.cpp",
        "eager",
        "sglang",
        "trtllm",
    }
    assert all(fact.note for fact in catalog.facts("calibration.csv"))


def test_nothing_is_fitted_for_a_model_a_family_or_a_machine():
    software = {"vllm", "sglang", "trtllm", "llama.cpp", "eager"}
    assert {fact.entity for fact in catalog.facts("calibration.csv")} == {
        "set",
        "fitted",
        "measured",
        "unpacking",
        *software,
    }


def test_two_networks_have_two_names():
    runs = serving_runs()
    assert len(set(runs.architecture)) == len(set(runs.columns["model"])) - 2
