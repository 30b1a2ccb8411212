"""Rated and idle power where no source gives them: one estimate, worked out on paper, and used alike everywhere."""

import numpy
import pytest

from llmpower.facts import catalog
from llmpower.facts import power as stand_ins
from llmpower.facts.power import power, rating
from llmpower.step import measures, roof, spill
from llmpower.step.case import case

MI355X = catalog.accelerator("mi355x")
# Those of the calculations below: the rule must not depend on what is added to the catalog.
KNOWN = (
    "tpu-v4", "v100-sxm2-32gb", "a100-sxm-80gb", "h100-sxm", "h200-sxm", "b200", "gb200", "rubin",
    "m1", "m4", "dgx-spark", "m2-max", "rtx-3060", "rtx-3090", "rtx-5090",
)  # fmt: skip


@pytest.fixture
def known(monkeypatch):
    """Only some accelerators are there to estimate from."""

    def forget():
        for cached in (stand_ins._ratings_j_per_byte, stand_ins._idle_shares):
            cached.cache_clear()

    monkeypatch.setattr(stand_ins, "records", lambda table: {name: catalog.records(table)[name] for name in KNOWN})
    forget()
    yield
    forget()


@pytest.mark.usefixtures("known")
def test_idle_power_without_a_source_by_hand():
    # Data-centre accelerators with both numbers, idle over rated: H100 69 / 700 = 0.0986,
    # H200 80.3 / 700 = 0.1147, V100 41 / 300 = 0.1367, B200 138 / 1000 = 0.138, A100 62 / 400 = 0.155,
    # GB200 200 / 1200 = 0.1667, TPU v4 90 / 192 = 0.4688. The middle one of seven times 1400 W, and the ends.
    found = power(MI355X, "idle_w")
    assert (found.low, found.value, found.high) == pytest.approx((138.0, 193.2, 656.25))
    assert (found.entity, found.quantity, found.kind, found.source) == ("mi355x", "idle_w", "estimate", "")
    # All other sorts: RTX 5090 13 / 575 = 0.0226, RTX 3090 16 / 350 = 0.0457, M4 4 / 65 = 0.0615, DGX Spark 25 / 140 =
    # 0.1786; the middle of the inner two is 0.0536; times 115 W.
    found = power(catalog.accelerator("rtx-4060"), "idle_w")
    assert (found.low, found.value, found.high) == pytest.approx((2.6, 6.167, 20.536), rel=1e-4)


def test_what_a_source_gives_is_taken_as_it_is():
    h100 = catalog.accelerator("h100-sxm")
    assert power(h100, "idle_w") is h100["idle_w"] and power(h100, "tdp_w") is h100["tdp_w"]


@pytest.mark.usefixtures("known")
def test_the_power_of_the_whole_computer_stands_in_for_a_rating():
    m3_ultra, tpu = catalog.accelerator("m3-ultra"), catalog.accelerator("tpu-v5e")
    found = power(m3_ultra, "tdp_w")
    assert found is m3_ultra["system_max_w"] and found.value == 270 and found.kind == "datasheet"
    # Nothing is known of a TPU v5e but 819 GB/s. Rubin 2300 / 22000 = 0.1045 W for each GB/s, B200 0.125, H200 0.1458,
    # GB200 1200 / 8000 = 0.15, TPU v4 0.16, A100 0.1962, H100 0.2090, V100 300 / 900 = 0.3333; of eight the lower
    # middle one. Idle at 0.138 of it, from 69 / 700 of the least to 90 / 192 of the most.
    found = power(tpu, "tdp_w")
    assert (found.low, found.value, found.high, found.kind) == (
        pytest.approx(85.62, rel=1e-4),
        pytest.approx(122.85),
        pytest.approx(273),
        "estimate",
    )
    found = power(tpu, "idle_w")
    assert (found.low, found.value, found.high) == pytest.approx((8.440, 16.953, 127.97), rel=1e-4)
    # The rating of a DGX B300 is an estimate as well, but a published one.
    assert catalog.accelerator("dgx-b300")["tdp_w"].kind == "estimate"
    assert "such an estimate" in found.note
    assert "such an estimate" not in power(catalog.accelerator("dgx-b300"), "idle_w").note
    # A speed per watt needs a rating that somebody published.
    assert rating(m3_ultra) == 270 and rating(tpu) is None


@pytest.mark.usefixtures("known")
def test_a_laptop_is_not_estimated_from_a_data_centre():
    # Chips that share 400 GB/s with their processor: M2 Max 145 / 400 = 0.3625 W for each GB/s, DGX Spark 140 / 273 =
    # 0.5128, M4 0.5417, M1 39 / 68.25 = 0.5714; the lower middle one is 205.1 W. Idle at 0.0536 of it.
    # Published for Apple's other Max: 145 W at most, and 6 to 11 W idle.
    laptop = catalog.accelerator("m3-max")
    found = power(laptop, "tdp_w")
    assert (found.low, found.value, found.high, found.kind) == (
        pytest.approx(145),
        pytest.approx(205.13, rel=1e-4),
        pytest.approx(228.57, rel=1e-4),
        "estimate",
    )
    assert power(laptop, "idle_w").value == pytest.approx(205.13 * (16 / 350 + 4 / 65) / 2, rel=1e-4)
    assert all(power(laptop, "idle_w").low < one < power(laptop, "idle_w").high for one in (6, 11))


def test_everyone_takes_the_same_idle_power():
    idle = power(MI355X, "idle_w")
    assert measures.static_power("idle", "mi355x")[0] == idle
    prices = measures.prices("idle", MI355X)
    assert [prices[name].static_w for name in ("low", "typical", "high")] == idle.ends
    assert spill.deliver(case("llama-3.1-70b", "mi355x", n_accelerators=2), 1e11).idle_w == 2 * idle.value
    # At 300 operations a byte: 93.44 + 300 x 0.52 = 249.44 pJ, within the rating less what flows idle.
    ceiling = roof.roof(MI355X, numpy.array([300.0])).power.central[0]
    assert ceiling == pytest.approx(300 * (1400 - idle.value) / 249.44e-12)


def test_boards_without_a_sourced_rating_say_so():
    h100, tpu = (
        [power(catalog.accelerator(name), quantity) for quantity in ("tdp_w", "idle_w")]
        for name in ("h100-sxm", "tpu-v5e")
    )
    assert all(one.kind != "estimate" for one in h100)
    assert all(one.kind == "estimate" for one in tpu) and tpu[1].value < tpu[0].value
