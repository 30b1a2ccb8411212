"""How many facts and runs there are, what some rows say, and our verdicts, as today."""

import collections

import pytest

from llmpower.chips import transistors
from llmpower.facts import catalog
from llmpower.facts.catalog import records
from llmpower.facts.claims import claims
from llmpower.facts.runs import measurements


def test_what_the_chapter_says_of_real_processors():
    cpu = records("cpus.csv")
    # Intel to 1993: 1.7 W / 103 mm2 (80386DX) is the least, 5.8 W / 76 mm2 (80486DX2) the most.
    early = [transistors.w_per_mm2(one) for name, one in cpu.items() if name.startswith("intel-") and one.year <= 1993]
    assert (min(early), max(early)) == (pytest.approx(1.7 / 103), pytest.approx(5.8 / 76))
    # The hottest of all: 115 W / 112 mm2.
    assert max(map(transistors.w_per_mm2, cpu.values())) == pytest.approx(115 / 112)
    # Seven of Intel's and eight others in CMOS at five volts; the others have no trend.
    five = [one for one in cpu.values() if one.logic == "CMOS" and one.get("supply_v") == 5]
    others = [one for one in five if not one.entity.startswith("intel-")]
    assert (len(five), len(others)) == (15, 8) and abs(transistors.heat_exponent(others)) < 0.3
    # From 65 nm on every point is below a flat clock at fixed voltage from the Pentium on; at 90 nm none is.
    line = transistors.w_per_mm2(cpu["intel-pentium-60"])
    for one in cpu.values():
        if one.node_nm < 100e-9:
            assert (transistors.w_per_mm2(one) < line * 800e-9 / one.node_nm) == (one.node_nm < 80e-9)


@pytest.mark.parametrize(
    ("table", "least"),
    [
        ("measurements.csv", {"mlenergy_v3": 411, "argonne": 16, "llamacpp": 15}),
        ("validation.csv", {"mlenergy_hold": 154, "argonne_hold": 60, "mi300x_hold": 3}),
        (
            "server_runs.csv",
            {
                "nvidia-silicon": 157,
                "inferencex-silicon": 120,
                "rocm-vllm-docker": 32,
                "sglang-cookbook": 26,
                "gpustack-lab": 11,
                "spark-vllm": 6,
                "spark-llamacpp": 4,
            },
        ),  # fmt: skip
    ],
)
def test_no_run_got_lost(table, least):
    """Runs may be added, and odd ones are marked, never dropped."""
    ids = measurements(table)["id"]
    for laboratory, count in least.items():
        assert sum(id.startswith(laboratory) for id in ids) >= count, laboratory


def test_marks_and_split_experts_got_not_lost():
    runs = measurements()
    assert sum(runs["expert_parallel"] > 1) >= 156 and sum(map(bool, runs["anomaly"])) >= 42
    assert sum(map(bool, measurements("server_runs.csv")["anomaly"])) >= 40


def test_there_are_enough():
    assert len(catalog.names("accelerator")) >= 12 and len(catalog.names("model")) >= 12


def test_verdicts():
    # A change of one of these is a change of the book's opinion and belongs into the changelog.
    assert collections.Counter(one.verdict for one in claims().values()) == {
        "reproduces": 49,
        "contradicted by source": 17,
        "definition needed": 24,
        "inconsistent with itself": 6,
        "unit slip": 6,
        "unsupported": 8,
        "outdated": 2,
        "arithmetic slip": 1,
    }
