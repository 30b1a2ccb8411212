"""The fit of the estimator's constants: it finds what is there, keeps to its rules, and the table is its result."""

import re

import numpy
import pytest

from llmpower.evidence import fit as fitting
from llmpower.evidence.fit import TERMS, fit, serving_runs
from llmpower.facts import catalog
from llmpower.facts.quantities import quantities
from llmpower.step import constants


@pytest.fixture(scope="module")
def runs():
    return serving_runs()


def test_the_fit_recovers_constants_that_are_known(runs):
    """Runs made up from constants chosen here: the fit must find them again, within what its weak prior pulls."""
    known = {
        "layer_time_s": {"h100-sxm": 40e-6, "b200": 70e-6},
        "sequence_time_s": 20e-6,
        "sum_time_s": 8e-6,
        "block_scaling_time_s": 60e-6,
        "expert_flop_share": 0.2,
        "expert_prompt_flop_share": 0.3,
        "recurrent_prompt_factor": 2.0,
        "imbalance": 0.8,
        "padding_rows": 4.0,
        "static_tdp_share": 0.2,
        "compute_tdp_share": 0.4,
        "weight_energy_j_per_byte": 80e-12,
        "cache_energy_j_per_byte": 120e-12,
        "operation_tdp_share": 0.3,
    }
    made = serving_runs()
    time, energy = made.predict(constants.fixed() | known)
    made.columns["tokens_per_s"] = made.columns["batch"] / time
    made.columns["j_per_token"] = energy / made.columns["batch"]
    found = fitting._flat(fit(made))
    for name, value in fitting._flat(known).items():
        assert found[name] == pytest.approx(value, rel=0.05), name


def test_the_table_holds_what_the_fit_gives(runs):
    """A change detector: run `llmpower calibrate` after a change of the forecast or of the runs."""
    values = fitting._flat(fit(runs))
    for key, value in values.items():
        entity, _, name = key.rpartition(":")
        assert catalog.fact("calibration.csv", entity or "fitted", name).value == pytest.approx(value, rel=0.005), key


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


def test_nothing_is_fitted_for_a_model_or_a_family():
    assert {fact.entity for fact in catalog.facts("calibration.csv")} == {"set", "fitted", "h100-sxm", "b200"}


def test_one_network_under_two_names_is_held_out_as_one(runs):
    names = runs.columns["model"]
    for pair in (("llama-3.1-70b", "llama-3.3-70b"), ("qwen3-30b-a3b", "qwen3-coder-30b-a3b")):
        found = {str(group) for group, name in zip(runs.architecture, names) if name in pair}
        assert len(found) == 1
        assert {name for name in names if name in pair} == set(pair)
    assert len(set(runs.architecture)) == len(set(names)) - 2


def test_the_fit_does_not_see_what_is_held_out(runs):
    """Wrong measurements of one network must not change how it is predicted."""
    out = numpy.flatnonzero(runs.architecture == "qwen3-8b")
    rest = numpy.flatnonzero(runs.architecture != "qwen3-8b")
    before = fitting._flat(fit(runs, rest))
    spoiled = serving_runs()
    spoiled.columns["j_per_token"] = spoiled.columns["j_per_token"].copy()
    spoiled.columns["j_per_token"][out] *= 10
    assert fitting._flat(fit(spoiled, rest)) == before


def test_leaving_a_term_out_sets_its_neutral_value(runs):
    values = fit(runs, names=fitting.ALWAYS)
    assert values["sequence_time_s"] == values["imbalance"] == values["padding_rows"] == 0
    assert values["cache_energy_j_per_byte"] == values["weight_energy_j_per_byte"]
    assert values["expert_prompt_flop_share"] == values["expert_flop_share"] == values["dense_flop_share"]
    assert set(fitting.LEFT_OUT) | set(fitting.ALWAYS) == set(TERMS)


def test_a_machine_without_a_fit_gets_scaled_constants():
    a100, kind = constants.for_machine(catalog.accelerator("a100-sxm-80gb"))
    assert kind == "scaled"
    gaps = [constants.gaps()[name].value for name in ("h100-sxm", "b200")]
    assert a100.layer_time_s == pytest.approx((gaps[0] * gaps[1]) ** 0.5)
    # GDDR6X takes 7.25 pJ/bit in the device, HBM3 3.92 and HBM3E 3.44: 7.25 - sqrt(3.92 x 3.44) = 3.578 pJ/bit more.
    gddr, _ = constants.for_machine(catalog.accelerator("rtx-4090"))
    fitted = catalog.fact("calibration.csv", "fitted", "weight_energy_j_per_byte").value
    assert gddr.weight_energy_j_per_byte - fitted == pytest.approx(3.578 * 8e-12, rel=1e-3)


def test_summary_of_errors():
    # Absolute values 1, 2, 3, 4, 10 %: median 3, mean 4, 90 % of the way from rank 1 to 5 lies at 4.6:
    # 4 + 0.6 x 6 = 7.6.
    assert fitting.summary(numpy.array([0.01, -0.02, 0.03, -0.04, 0.10])) == pytest.approx((3, 4, 7.6))


def test_accuracy_has_every_split():
    splits = {split for split, _, _ in constants.errors()}
    assert splits == {"architectures", "architectures, terms chosen in each fold", "accelerators"}
