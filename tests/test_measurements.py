"""Measured runs: their contract, and the derived columns made again."""

import datetime
import re

import numpy as np
import pytest
from pybtex.database import parse_file

from llmpower import catalog
from llmpower.measurements import measurements, serving_window

TABLES = ["measurements.csv", "validation.csv"]


@pytest.fixture(scope="module", params=TABLES)
def runs(request):
    return measurements(request.param)


def test_ids_are_unique(runs):
    assert len(set(runs["id"])) == len(runs["id"])


def test_power_is_energy_times_speed(runs):
    given = np.isfinite(runs["power_w"]) & np.isfinite(runs["j_per_token"]) & np.isfinite(runs["tokens_per_s"])
    assert given.any()
    assert runs["power_w"][given] == pytest.approx((runs["j_per_token"] * runs["tokens_per_s"])[given], rel=0.01)


def test_names_are_those_of_the_other_tables(runs):
    assert set(runs["model"]) <= set(catalog.names("model"))
    assert set(runs["weight_format"]) <= set(catalog.names("format"))
    unknown = set(runs["accelerator"]) - set(catalog.names("accelerator"))
    assert unknown <= {"rtx-6000-ada"}, "add them to data/accelerators.csv"


def test_sources_are_in_the_bibliography(runs):
    library = set(parse_file(catalog.DATA.parent / "references.bib").entries)
    assert set(runs["source"]) <= library


def test_splits_divide_the_accelerators(runs):
    for way in ("tensor_parallel", "expert_parallel"):
        assert all(runs["n_accelerators"] % runs[way] == 0)


def test_power_stays_below_the_rating(runs):
    # The roof of the estimator; measured sums may exceed it by the error of the sensor.
    for name, watts, count in zip(runs["accelerator"], runs["power_w"], runs["n_accelerators"]):
        if np.isfinite(watts):
            assert 0.05 < watts / count / catalog.accelerator(name).tdp_w < 1.05


def test_held_out_runs_were_seen_and_are_not_fitted_to():
    fitted, held = measurements(), measurements("validation.csv")
    assert not set(fitted["id"]) & set(held["id"])
    points = [set(zip(one["model"], one["accelerator"], one["n_accelerators"])) for one in (fitted, held)]
    assert not points[0] & points[1], "a network on a machine that the fit has seen"
    assert all(held["verified"]) and all(held["where"]) and all(held["lacks"])
    today = datetime.date.today()
    assert all(datetime.date.fromisoformat(day) <= today for day in held["verified"])


def test_the_rows_issue_and_readme_speak_of():
    runs = measurements()
    counted = {start: sum(one.startswith(start) for one in runs["id"]) for start in ("mlenergy_v3", "argonne", "llamacpp")}
    assert counted == {"mlenergy_v3": 411, "argonne": 16, "llamacpp": 15}
    assert sum(runs["expert_parallel"] > 1) == 156
    assert sum(map(bool, runs["anomaly"])) == 42


@pytest.mark.parametrize("row", ["mlenergy_v3-0010", "mlenergy_v3-0159", "mlenergy_v3-0315"])
def test_the_window_columns_are_made_again(row):
    runs = measurements()
    at = runs["id"].index(row)
    one = {name: column[at] for name, column in runs.items()}
    context, per_prompt = serving_window(
        int(one["max_batch"]), int(one["n_requests"]), one["output_tokens"], one["stationary_context_tokens"], one["prompt_tokens"]
    )
    assert context == pytest.approx(one["window_context_tokens"], abs=0.1)
    assert per_prompt == pytest.approx(one["output_tokens_per_prompt"], abs=0.1)


def test_an_endless_window_sees_the_stationary_context():
    # Exponential lengths: mean square over twice the mean is the mean itself.
    context, per_prompt = serving_window(16, 16000, 500, 500, 0)
    assert context == pytest.approx(500, rel=0.05)
    assert per_prompt == pytest.approx(500, rel=0.05)


def test_equal_lengths_have_a_window_by_hand():
    # Nearly equal answers of 1000 tokens, 10 at once, 21 requests: the window is the first answer, 0 to 1000 tokens.
    context, per_prompt = serving_window(10, 21, 1000, 500.005, 0)
    assert context == pytest.approx(500, rel=0.02)
    assert per_prompt == pytest.approx(1000, rel=0.15)


def test_a_number_that_is_none_is_named(tmp_path, monkeypatch):
    text = (catalog.DATA / "measurements.csv").read_text()
    (tmp_path / "measurements.csv").write_text(re.sub(r"419\.171", "many", text, count=1))
    monkeypatch.setattr(catalog, "DATA", tmp_path)
    with pytest.raises(catalog.FactError, match="measurements.csv, line 2, column tokens_per_s: expected a number"):
        measurements()
