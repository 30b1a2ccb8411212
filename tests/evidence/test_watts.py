"""Measured watts divided: a reading finds what made them, and shares are those of the estimate."""

import csv

import numpy as np
import pytest

import llmpower
from llmpower.evidence import watts
from llmpower.facts import catalog
from llmpower.facts.power import power
from llmpower.facts.tables import DATA
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
    read = (found.static_w, found.j_per_byte, found.j_per_flop)
    assert read == pytest.approx((150, 100e-12, 0.5e-12), rel=1e-3, abs=0)
    assert found.error < 1e-6
    # 50 W more always make bytes and operations cheaper, and no longer fit.
    held = watts.reading("h100-sxm", "made up", static_w=200)
    assert held.static_w == pytest.approx(200) and held.error > 0.01 and held.j_per_byte < 100e-12


@pytest.mark.parametrize("accelerator", watts.METERED)
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
    assert len(rows) == 1 + 7 * len(watts.METERED)


def test_what_arithmetic_adds_is_the_sum_of_its_two_terms():
    # A share of the rating at the measured speed, another at the peak: 700 W x (p_F / 794.5 + p_f / 989) a TFLOP.
    values = {row["quantity"]: float(row["value"]) for row in rows("calibration.csv") if row["entity"] == "fitted"}
    by_hand = 700 * (values["compute_tdp_share"] / 794.5e12 + values["operation_tdp_share"] / 989e12)
    assert watts.operation_j("h100-sxm") == pytest.approx(by_hand, rel=1e-6, abs=0)


def test_parts_of_a_busy_board_add_up_to_its_draw():
    table = watts.priced()
    parts = table[["static_w", "bytes_w", "operations_w", "rest_w"]]
    assert parts.sum(axis=1).to_numpy() == pytest.approx(table["power_w"].to_numpy())
    # Each draws more than 95 % of 700 W or 1,000 W.
    assert (table["power_w"] > 0.95 * table["accelerator"].map({"h100-sxm": 700, "b200": 1000})).all()


def power_runs(board, words):
    """Watts, memory traffic and operations a second of our own runs on a board whose description has some words."""
    found = [row for row in rows("power_runs.csv") if row["board"] == board and words in row["what"]]
    columns = ("power_w", "memory_bytes_per_s", "flop_per_s")
    return np.array([[float(row[name] or "nan") for name in columns] for row in found]).T


def test_measured_terms_are_those_of_the_power_runs():
    found = watts.metered_terms("h100-sxm")
    [up], *_ = power_runs("H100 board 1", "idle, context made")
    power_w, rate, _ = power_runs("H100 board 1", "random bits, ")
    full = rate > 0.5e12
    slope, start = np.polyfit(rate[full], power_w[full], 1)
    assert (found.static_w.low, found.static_w.central) == pytest.approx((up, start))
    [watts_bf16], [rate_bf16], _ = power_runs("H100 board 1", "read memory, bf16 normal")
    assert found.j_per_byte.low == pytest.approx((watts_bf16 - start) / rate_bf16, rel=1e-6, abs=0)
    [most], _, [flop] = power_runs("H100 board 1", "bf16 product 8192, normal, rest 0")
    assert found.j_per_flop.low == pytest.approx((most - up) / flop, rel=1e-6, abs=0)
    # 5 % further two meters may differ, not 6.
    high = found.j_per_byte.high
    assert found.allows("j_per_byte", 1.049 * high) and not found.allows("j_per_byte", 1.06 * high)
    assert found.allows("static_w", up / 1.049) and not found.allows("static_w", up / 1.06)


def test_a_reading_survives_by_its_byte(monkeypatch):
    # 141 W always, and a byte of 130 pJ in one set, 200 pJ in the other.
    random = np.random.default_rng(1)
    bytes_per_s, flop_per_s = random.uniform(0.5e12, 3e12, 40), random.uniform(1e13, 3e14, 40)
    price = np.repeat([130e-12, 200e-12], 20)
    made = watts.metered_terms("h100-sxm").static_w.central + price * bytes_per_s + 1e-12 * flop_per_s
    sets = {"cheap": np.arange(20), "expensive": np.arange(20, 40)}
    monkeypatch.setattr(watts, "_boards", lambda accelerator: (made, bytes_per_s, flop_per_s, sets))
    watts.reading.cache_clear()
    try:
        assert watts.surviving("h100-sxm") == ["cheap"]
    finally:
        watts.reading.cache_clear()


def test_what_was_measured_narrows_the_shares():
    one = case(**RUN)
    wide, narrow = watts.measured_parts(one), watts.narrowed_parts(one)
    parts = llmpower.estimate(**RUN).energy_by_part
    assert narrow[0].central == pytest.approx(parts["static"] / sum(parts.values()))
    for before, after in zip(wide[:2], narrow[:2]):
        assert before.low < after.low <= after.central <= after.high < before.high
        assert after.high - after.low < (before.high - before.low) / 3
    # Static power of one board at the measured end, by its share of what a reading makes of the whole.
    name, static_w, *rest = watts.held_ways(one, "high")[0]
    assert static_w == pytest.approx(watts.metered_terms("h100-sxm").static_w.high)
    assert narrow[0].low <= static_w / (static_w + sum(rest)) <= narrow[0].high
