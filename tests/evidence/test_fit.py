"""The fit of the estimator's constants: it finds what is there and keeps to its rules."""

import numpy
import pytest

from llmpower import estimate
from llmpower.evidence import exam
from llmpower.evidence import fit as fitting
from llmpower.evidence.fit import TERMS, fit, serving_runs
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
        "compute_tdp_share": 0.8,
        "operation_tdp_share": 0.3,
    }
    made = serving_runs()
    time, energy = made.predict(constants.fixed() | known)
    made.columns["tokens_per_s"] = made.columns["batch"] / time
    made.columns["j_per_token"] = energy / made.columns["batch"]
    found = fitting._flat(fit(made))
    for name, value in fitting._flat(known).items():
        assert found[name] == pytest.approx(value, rel=0.05), name


def test_one_network_under_two_names_is_held_out_as_one(runs):
    names = runs.columns["model"]
    for pair in (("llama-3.1-70b", "llama-3.3-70b"), ("qwen3-30b-a3b", "qwen3-coder-30b-a3b")):
        found = {str(group) for group, name in zip(runs.architecture, names) if name in pair}
        assert len(found) == 1
        assert {name for name in names if name in pair} == set(pair)


def test_the_fit_does_not_see_what_is_held_out(runs):
    """Wrong measurements of one network must not change how it is predicted."""
    out = numpy.flatnonzero(runs.architecture == "qwen3-8b")
    rest = numpy.flatnonzero(runs.architecture != "qwen3-8b")
    before = fitting._flat(fit(runs, rest))
    spoiled = serving_runs()
    spoiled.columns["j_per_token"] = spoiled.columns["j_per_token"].copy()
    spoiled.columns["j_per_token"][out] *= 10
    assert fitting._flat(fit(spoiled, rest)) == before


def test_marked_runs_are_predicted_and_never_fitted(runs):
    """With the mask of `fitted`, the unmarked runs have the errors that they have without the marked ones."""
    every = serving_runs(anomalies=True)
    clean = every.columns["anomaly"] == ""
    assert (len(every), clean.sum()) == (411, 369)
    mine, _, _ = fitting.held_out_errors(every, "accelerators", fitted=clean)
    alone, _, _ = fitting.held_out_errors(runs, "accelerators")
    assert mine[clean] == pytest.approx(alone) and numpy.isfinite(mine).all()


def test_settings_reach_the_fit(runs):
    """A constant that is held stays; a strong pull leaves the others at the middle of their bounds, on a log scale."""
    values = fit(runs, overlap=0.6, prior_weight=1e4)
    assert values["overlap"] == 0.6 and values["padding_rows"] == pytest.approx((0.1 * 64) ** 0.5, rel=0.01)
    # The same middle between bounds twice as far out.
    wider = fit(runs, prior_weight=1e4, bounds_factor=2)
    assert wider["padding_rows"] == pytest.approx((0.05 * 128) ** 0.5, rel=0.01)


def test_leaving_a_term_out_sets_its_neutral_value(runs):
    values = fit(runs, names=fitting.ALWAYS)
    assert values["sequence_time_s"] == values["imbalance"] == values["padding_rows"] == 0
    assert values["expert_prompt_flop_share"] == values["expert_flop_share"] == values["dense_flop_share"]
    assert set(fitting.LEFT_OUT) | set(fitting.ALWAYS) == set(TERMS)


def test_summary_of_errors():
    # Absolute values 1, 2, 3, 4, 10 %: median 3, mean 4, 90 % of the way from rank 1 to 5 lies at 4.6:
    # 4 + 0.6 x 6 = 7.6.
    assert fitting.summary(numpy.array([0.01, -0.02, 0.03, -0.04, 0.10])) == pytest.approx((3, 4, 7.6))
    # Measured over predicted is 1 / (1 + error): 0.5, 1, 2 and, between ranks, 0.6 and 1.8.
    assert fitting.ends(numpy.array([1.0, 0.0, -0.5])) == pytest.approx((0.6, 1.8))


def test_fits_and_estimates_compute_alike():
    """The arrays that constants are fitted and checked with, against one `estimate` after the other."""
    runs = fitting.Runs("validation.csv")
    c, table = runs.columns, exam.other_runs().set_index("id")
    compared = 0
    for row in range(0, len(runs), 7):
        one = estimate(
            c["model"][row],
            c["accelerator"][row],
            c["n_accelerators"][row : row + 1],
            c["batch"][row],
            runs.prompt[row],
            runs.output[row],
            runs.context[row],
            c["weight_format"][row],
            parallelism="ep" if c["expert_parallel"][row] > 1 else "tp",
        )
        by_arrays = table.loc[c["id"][row]]
        if one.fits[0]:
            assert one.j_per_token[0] == pytest.approx(by_arrays["predicted_j_per_token"], rel=1e-9)
            assert one.tokens_per_s[0] == pytest.approx(by_arrays["predicted_tokens_per_s"], rel=1e-9)
            compared += 1
    assert compared > len(runs) / 14
