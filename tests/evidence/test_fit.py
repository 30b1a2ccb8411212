"""The fit of the estimator's constants: it finds what is there and keeps to its rules."""

import collections
import csv

import numpy
import pytest

from llmpower import estimate
from llmpower.evidence import exam
from llmpower.evidence import fit as fitting
from llmpower.evidence.fit import TERMS, fit, serving_runs
from llmpower.facts.runs import SERVERS
from llmpower.facts.tables import DATA
from llmpower.step import constants


@pytest.fixture(scope="module")
def runs():
    return serving_runs()


def test_the_fit_recovers_constants_that_are_known(runs):
    """Runs made up from constants chosen here: the fit must find them again, within what a weak prior pulls."""
    known = {
        "layer_time_s": {"sglang": 70e-6, "trtllm": 50e-6, "vllm": 60e-6},
        "block_scaling_time_s": {"sglang": 0.0, "trtllm": 0.0, "vllm": 120e-6},
        "sequence_time_s": 20e-6,
        "sum_time_s": 8e-6,
        "served_flop_share": 0.6,
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
    metered = numpy.isfinite(made.columns["j_per_token"])
    assert 0 < metered.sum() < len(made)
    made.columns["tokens_per_s"] = made.columns["batch"] / time
    made.columns["j_per_token"] = numpy.where(metered, energy / made.columns["batch"], numpy.nan)
    found = fitting._flat(fit(made, prior_weight=0.01))
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
    assert list(every.columns["id"][clean]) == list(runs.columns["id"]) and len(runs) < len(every)
    mine, speed = fitting.held_out_errors(every, every.moe, fitted=clean)
    alone, _ = fitting.held_out_errors(runs, runs.moe)
    assert mine[clean] == pytest.approx(alone, nan_ok=True) and numpy.isfinite(speed).all()
    # Energy has an error where somebody metered it, and there only.
    assert (numpy.isfinite(mine) == numpy.isfinite(every.columns["j_per_token"])).all()


def test_runs_are_of_seven_laboratories_and_one_of_them_metered(runs):
    """Counted in the files: rows of a server of today that are not marked."""
    counts = {}
    for table in ("measurements.csv", "server_runs.csv"):
        with open(DATA / table, encoding="utf-8") as file:
            for row in csv.DictReader(file):
                name, old = row["software"].lower(), "2024" in row["software"]
                if not row["anomaly"] and not old and any(word in name for word in ("vllm", "sglang", "trtllm")):
                    counts[row["source"]] = counts.get(row["source"], 0) + 1
    assert counts == dict(collections.Counter(runs.columns["source"])) and len(counts) == 7
    assert {one for one, joules in zip(runs.columns["source"], runs.columns["j_per_token"]) if joules > 0} == {
        "mlenergy2025"
    }
    assert len(fitting.metered_runs()) == counts["mlenergy2025"] == 369 and len(runs) == sum(counts.values()) == 681


def test_every_run_takes_the_gaps_of_its_own_server(runs):
    """A gap that only one server has lengthens its steps by a layer's worth each, and no step of the others."""
    some = {name: {"sglang": 0.0, "trtllm": 0.0, "vllm": 0.0} for name in constants.PER_SOFTWARE}
    values = {**exam._as_they_stand(), **some, "host_step_time_s": 0.0}
    without, _ = runs.predict(values)
    longer, _ = runs.predict({**values, "layer_time_s": {**some["layer_time_s"], "sglang": 1e-3}})
    ours = numpy.array(["sglang" in name.lower() for name in runs.columns["software"]])
    assert ours.any() and (longer - without)[ours] == pytest.approx(1e-3 * runs.net.n_layers[ours])
    assert (longer[~ours] == without[~ours]).all()


def test_set_ups_and_laboratories_with_many_runs_count_for_less_than_in_proportion(runs):
    """With an exponent of -1/2 a group of four counts twice as much as one alone: 4 x 4^-1/2 = 2."""
    count = collections.Counter(runs.columns["source"])
    chosen = runs.rows()
    weight = fitting._weights(runs, chosen, -0.25)
    assert (weight**2).mean() == pytest.approx(1)
    # Of a laboratory with two set-ups of as many runs: only sizes of set-ups and laboratories enter.
    places = collections.defaultdict(list)
    for place in chosen:
        key = (runs.columns["source"][place], runs.server[place])
        places[*key, runs.columns["accelerator"][place], runs.architecture[place]].append(place)
    by_hand = numpy.empty(len(runs))
    for key, some in places.items():
        by_hand[some] = (len(some) * count[key[0]]) ** -0.25
    assert weight == pytest.approx(by_hand / numpy.sqrt((by_hand**2).mean()))
    assert fitting._weights(runs, chosen, 0) == pytest.approx(1)


def test_settings_reach_the_fit(runs):
    """A constant that is held stays; a strong pull leaves the others at the middle of their bounds, on a log scale."""
    values = fit(runs, overlap=0.6, prior_weight=1e4)
    assert values["overlap"] == 0.6 and values["padding_rows"] == pytest.approx((0.1 * 64) ** 0.5, rel=0.01)
    # The same middle between bounds twice as far out.
    wider = fit(runs, prior_weight=1e4, bounds_factor=2)
    assert wider["padding_rows"] == pytest.approx((0.05 * 128) ** 0.5, rel=0.01)


def test_leaving_a_term_out_sets_its_neutral_value(runs):
    values = fit(runs, names=("layer_time_s",))
    assert values["sequence_time_s"] == values["imbalance"] == values["padding_rows"] == 0
    assert set(values["block_scaling_time_s"].values()) == {0} and values["served_flop_share"] == 1
    assert values["expert_prompt_flop_share"] == values["expert_flop_share"] == values["dense_flop_share"]
    # Only the gap has no neutral value, so no fit leaves it out.
    assert set(TERMS) - set(fitting.LEFT_OUT) == {"layer_time_s"}
    assert set(values["layer_time_s"]) == {"sglang", "trtllm", "vllm"}


def test_summary_of_errors():
    # Absolute values 1, 2, 3, 4, 10 %: median 3, mean 4, 90 % of the way from rank 1 to 5 lies at 4.6:
    # 4 + 0.6 x 6 = 7.6.
    assert fitting.summary(numpy.array([0.01, -0.02, 0.03, -0.04, 0.10])) == pytest.approx((3, 4, 7.6))
    # Measured over predicted is 1 / (1 + error): 0.5, 1, 2 and, between ranks, 0.6 and 1.8.
    assert fitting.ends(numpy.array([1.0, 0.0, -0.5])) == pytest.approx((0.6, 1.8))


@pytest.mark.parametrize(("table", "every"), [("measurements.csv", 29), ("server_runs.csv", 11), ("validation.csv", 7)])
def test_fits_and_estimates_compute_alike(table, every):
    """The arrays that constants are fitted and checked with, against one `estimate` after the other."""
    runs = fitting.Runs(table, keep=lambda c: numpy.array(["llama.cpp" not in one for one in c["software"]]))
    c, compared = runs.columns, 0
    time, energy = runs.predict(exam._as_they_stand())
    for row in range(0, len(runs), every):
        spread = c["expert_parallel"][row] > 1
        one = estimate(
            c["model"][row],
            c["accelerator"][row],
            c["n_accelerators"][row : row + 1],
            c["batch"][row],
            runs.prompt[row],
            None if numpy.isinf(runs.output[row]) else runs.output[row],
            runs.context[row],
            c["weight_format"][row],
            c["kv_format"][row],
            parallelism="ep" if spread else "tp",
            software=runs.server[row] if runs.server[row] in SERVERS else None,
        )
        if not one.fits[0] or (spread and c["expert_parallel"][row] != c["n_accelerators"][row]):
            continue
        assert one.tokens_per_s[0] == pytest.approx(c["batch"][row] / time[row], rel=1e-9)
        # Where nobody metered joules, no exam needs them; an H200 has prices of its own in an estimate.
        if numpy.isfinite(c["j_per_token"][row]):
            assert one.j_per_token[0] == pytest.approx(energy[row] / c["batch"][row], rel=1e-9)
        compared += 1
    assert compared > len(runs) / every / 2
