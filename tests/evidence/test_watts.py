"""Measured watts divided: a reading finds what made them, and shares are those of the estimate."""

import csv

import numpy as np
import pytest

import llmpower
from llmpower.evidence import watts
from llmpower.facts import catalog
from llmpower.facts.power import power
from llmpower.facts.tables import DATA
from llmpower.step import constants
from llmpower.step.case import case


def rows(table):
    """Rows of a table, read without the package."""
    with open(DATA / table, encoding="utf-8") as file:
        return list(csv.DictReader(file))


def test_a_reading_finds_the_prices_that_made_the_watts(monkeypatch):
    random = np.random.default_rng(0)
    bytes_per_s, flop_per_s = random.uniform(0.5e12, 3e12, 50), random.uniform(1e13, 3e14, 50)
    made = 150 + 100e-12 * bytes_per_s + 0.5e-12 * flop_per_s
    monkeypatch.setattr(
        watts, "_boards", lambda accelerator: (made, bytes_per_s, flop_per_s, {"made up": np.arange(50)})
    )
    found = watts.reading("h100-sxm", "made up")
    assert (found.static_w, found.j_per_byte, found.j_per_flop) == pytest.approx((150, 100e-12, 0.5e-12), rel=1e-3)
    assert found.error < 1e-6
    held = watts.reading("h100-sxm", "made up", j_per_byte=50e-12)
    assert held.j_per_byte == pytest.approx(50e-12) and held.error > 0.01 and held.static_w > 150


@pytest.mark.parametrize("accelerator", constants.gaps())
def test_no_reading_has_less_static_power_than_an_idle_board(accelerator):
    readings, idle_w = watts.readings(accelerator), power(catalog.accelerator(accelerator), "idle_w").value
    assert all(one.static_w >= idle_w * (1 - 1e-6) and one.error < 0.1 for one in readings)


RUN = {
    "model": "llama-3.1-70b", "accelerator": "h100-sxm", "n_accelerators": 4, "batch": 32, "context_tokens": 4096,
}  # fmt: skip


def test_measured_share_is_that_of_the_estimate_inside_its_interval():
    share = watts.measured_parts(case(**RUN))[1]
    parts = llmpower.estimate(**RUN).energy_by_part
    moved = parts["weights"] + parts["kv"] + parts["interconnect"]
    assert share.central == pytest.approx(moved / sum(parts.values()))
    assert share.low < share.central < share.high < llmpower.claim("C01").value
    # More tokens share the weights: less of the power moves data.
    assert share.central < watts.measured_parts(case(**{**RUN, "batch": 1}))[1].central


def test_the_three_shares_are_those_of_the_estimate_and_leave_the_static_one_open():
    static, movement, compute = watts.measured_parts(case(**RUN))
    parts = llmpower.estimate(**RUN).energy_by_part
    assert (static.central, compute.central) == pytest.approx(
        (parts["static"] / sum(parts.values()), parts["compute"] / sum(parts.values()))
    )
    assert static.high > 2 * static.low
    # What one reading gives to power that always flows it takes from bytes.
    assert static.low + movement.high < 1 and static.high + movement.low < 1
    assert watts.measured_parts(case(**RUN, kv_format="fp8"))[1].central < movement.central


def test_readings_of_another_machine_keep_the_share_of_the_rating():
    rows = watts.divided(case("llama-3.1-8b", "h200-sxm", batch=8, context_tokens=2048))
    # An H200 has the rating and the arithmetic of an H100, so the same static watts and prices.
    static = {name: always for name, always, _, _ in rows}
    assert static["all runs, h100-sxm"] == pytest.approx(watts.reading("h100-sxm", "all runs").static_w)
    assert len(rows) == 1 + 7 * len(constants.gaps())


def test_a_product_is_forecast_at_the_plateau_and_below_its_bound():
    # 700 W / 794.5 TFLOP/s = 0.881 pJ; 0.975 of it = 0.859 pJ.
    found = watts.product("h100-sxm")
    assert found.bound_j_per_flop == pytest.approx(0.881e-12, rel=1e-3)
    assert found.capped_j_per_flop <= 0.8591e-12 < found.bound_j_per_flop


def test_what_arithmetic_adds_is_the_sum_of_its_two_terms():
    # A share of the rating at the measured speed, another at the peak: 700 W x (p_F / 794.5 + p_f / 989) a TFLOP.
    values = {row["quantity"]: float(row["value"]) for row in rows("calibration.csv") if row["entity"] == "fitted"}
    by_hand = 700 * (values["compute_tdp_share"] / 794.5e12 + values["operation_tdp_share"] / 989e12)
    assert watts.product("h100-sxm").arithmetic_j_per_flop == pytest.approx(by_hand)


def test_parts_of_a_busy_board_add_up_to_its_draw():
    table = watts.priced()
    parts = table[["idle_w", "bytes_w", "operations_w", "rest_w"]]
    assert parts.sum(axis=1).to_numpy() == pytest.approx(table["power_w"].to_numpy())
    # Each draws more than 95 % of 700 W or 1,000 W.
    assert (table["power_w"] > 0.95 * table["accelerator"].map({"h100-sxm": 700, "b200": 1000})).all()
