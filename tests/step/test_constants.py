"""Constants of the estimator: few, bounded, by software, scaled for a machine without a fit; how doubts add up."""

import math
import re

import pytest

from llmpower.facts import catalog
from llmpower.facts.quantities import quantities
from llmpower.step import constants
from llmpower.step.constants import PER_SOFTWARE, SHARED, exam_errors, for_machine, software_values, unknown

FACTS = catalog.facts("calibration.csv")


def printed(entity, quantity):
    """A value as ``data/calibration.csv`` has it."""
    (found,) = (fact.value for fact in FACTS if (fact.entity, fact.quantity) == (entity, quantity))
    return found


def test_constants_are_few_bounded_and_explained():
    servers = {"vllm", "sglang", "trtllm", "llama.cpp", "eager"}
    assert {fact.entity for fact in FACTS} == servers | {"set", "fitted", "measured", "unpacking"}
    assert {fact.quantity for fact in FACTS if fact.entity == "fitted"} == set(SHARED) and len(SHARED) == 10
    for fact in FACTS:
        quantity = quantities()[fact.quantity]
        assert quantity.low <= fact.value <= quantity.high and quantity.help
        assert (fact.low is None and fact.high is None) or fact.low <= fact.value <= fact.high
        if fact.kind == "derived":
            assert fact.low is not None and re.search(r"\d{4}-\d\d-\d\d", fact.where), "the fit's date"
        else:
            assert fact.kind == "convention" and fact.note, "set by hand, so it says why"
    # A server has what depends on it, the host's time where the host starts every kernel, and no tiles without any.
    more = {"eager": ("host_step_time_s", "host_layer_time_s"), "llama.cpp": ("padding_rows",)}
    for name in servers:
        own = {fact.quantity for fact in FACTS if fact.entity == name}
        assert own == {*PER_SOFTWARE, *more.get(name, ())}


@pytest.mark.parametrize("name", PER_SOFTWARE)
def test_without_a_server_constants_are_the_mean_of_three_servers(name):
    mean = (printed("vllm", name) + printed("sglang", name) + printed("trtllm", name)) / 3
    assert software_values(None)[name] == pytest.approx(mean)
    h100 = catalog.accelerator("h100-sxm")
    assert getattr(for_machine(h100, None)[0], name) == pytest.approx(mean)
    # And as given where a server is named.
    for server in ("vllm", "sglang", "trtllm", "llama.cpp", "eager"):
        assert getattr(for_machine(h100, server)[0], name) == printed(server, name)


def test_software_changes_nothing_but_what_depends_on_it():
    h100 = catalog.accelerator("h100-sxm")
    vllm, trtllm, eager = (vars(for_machine(h100, name)[0]) for name in ("vllm", "trtllm", "eager"))
    assert {name for name in vllm if vllm[name] != trtllm[name]} <= set(PER_SOFTWARE)
    assert {name for name in vllm if vllm[name] != eager[name]} <= {
        *PER_SOFTWARE, "host_step_time_s", "host_layer_time_s",
    }  # fmt: skip
    # Captured graphs are started at once.
    assert vllm["host_layer_time_s"] == 0 < eager["host_layer_time_s"]


def test_constants_measured_by_power_runs():
    found, kind = for_machine(catalog.accelerator("h100-sxm"))
    assert kind == "fitted"
    # 114.40 W with clocks up and 69 W idle, of 700.
    assert found.waiting_tdp_share == pytest.approx(114.40 / 700)
    assert found.idle_tdp_share == pytest.approx(69 / 700)
    # 42.85 of 132.10 pJ of a byte of random bits are spent between cache and multiprocessors.
    assert found.chip_byte_share == pytest.approx(42.85 / 132.10, rel=1e-3)


def test_a_machine_without_a_fit_gets_scaled_constants():
    gddr, kind = for_machine(catalog.accelerator("rtx-4090"))
    assert kind == "scaled"
    h100, _ = for_machine(catalog.accelerator("h100-sxm"))
    # GDDR6X takes 7.25 pJ/bit in the device, the HBM3 of the measured H100 3.92: 3.33 pJ/bit more.
    more = gddr.weight_energy_j_per_byte - h100.weight_energy_j_per_byte
    assert more == pytest.approx(3.33 * 8e-12, rel=1e-3, abs=0)
    # Gaps are those of the software, not of the machine.
    assert (gddr.layer_time_s, gddr.block_scaling_time_s) == (h100.layer_time_s, h100.block_scaling_time_s)


def test_bandwidth_is_measured_where_the_fit_did_not_take_it():
    # Energies and times of H100 and B200 were fitted with a share of 0.92, though 6,668.7 of B200's 8,000 GB/s are
    # known; of A100's 2,039 GB/s a stream reaches 1,709.4.
    shares = [constants.bandwidth_share(catalog.accelerator(name)) for name in ("h100-sxm", "b200", "h200-sxm")]
    assert shares == [0.92] * 3
    a100 = catalog.accelerator("a100-sxm-80gb")
    assert constants.bandwidth_share(a100) == pytest.approx(1709.4 / 2039)


# What is not known of a case, and what that adds to its range


def missing(model="llama-3.1-70b", accelerator="h100-sxm", weight_format="bf16", software="vllm"):
    found = catalog.model(model), catalog.accelerator(accelerator), catalog.number_format(weight_format)
    return unknown(*found, software)


def test_what_no_fitted_run_had():
    assert missing() == frozenset()
    assert missing(model="mixtral-8x7b") == {"network"}
    assert missing(weight_format="int4") == {"network"}
    assert missing(accelerator="rtx-4090") == {"machine"}
    assert missing(software=None) == {"server"}
    assert missing("mixtral-8x7b", "rtx-4090", "q4_k_m", None) == {"network", "machine", "server"}


def test_doubts_add_up_by_squares():
    rows = constants.errors()
    seen = rows["seen", "moe", "tokens_per_s"]

    def end(name, *exams):
        found = math.log(rows["laboratory", "moe", "tokens_per_s"][name]) ** 2
        for exam in exams:
            own = math.log(rows[exam, "moe", "tokens_per_s"][name])
            found += max(0.0, own**2 - math.log(seen[name]) ** 2)
        return math.sqrt(found)

    for exams in ((), ("network",), ("network", "machine", "server")):
        found = exam_errors(frozenset(exams), True)["tokens_per_s"]
        assert math.log(found["low_ratio"]) == pytest.approx(-end("low_ratio", *exams))
        assert math.log(found["high_ratio"]) == pytest.approx(end("high_ratio", *exams))
    # And the error that is told is that of the hardest exam.
    worst = max(rows[name, "moe", "tokens_per_s"]["median_pct"] for name in ("laboratory", "server"))
    assert exam_errors(frozenset({"server"}), True)["tokens_per_s"]["median_pct"] == worst


@pytest.mark.parametrize("software", ["vllm", "llama.cpp", "bare"])
@pytest.mark.parametrize("moe", [False, True])
def test_a_prediction_is_inside_its_own_range(software, moe):
    for row in exam_errors(frozenset(), moe, software).values():
        assert row["low_ratio"] <= 1 <= row["high_ratio"]
