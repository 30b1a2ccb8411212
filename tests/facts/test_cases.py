"""Public cases: their contract, and rows read again in their sources."""

import pytest

from llmpower.book import check
from llmpower.book.fresh import forget
from llmpower.facts import catalog
from llmpower.facts.cases import CASE_QUANTITIES, KINDS, public_cases
from llmpower.facts.units import UNITS
from tests.conftest import BOOK

CASES = {case.id: case for case in public_cases()}


def test_ids_name_their_kind_and_every_kind_has_a_case():
    assert len(CASES) == len(public_cases())
    assert all(case.id.rpartition("-")[0] == case.case for case in CASES.values())
    assert {case.case for case in CASES.values()} == set(KINDS)


def test_names_are_known_or_left_open():
    for kind, column in (("model", "model"), ("accelerator", "accelerator"), ("format", "weight_format")):
        assert {getattr(case, column) for case in CASES.values()} <= {"", *catalog.names(kind)}
    # What the catalog does not name stands in `given`; a default of a server has no network.
    spelled = [case for case in CASES.values() if not case.accelerator and case.case not in ("step-tokens", "draft")]
    assert {case.id for case in spelled if "machine" not in case.given} == set()


def test_sources_are_in_the_bibliography_and_every_quantity_is_told():
    assert {case.source for case in CASES.values()} <= check._known(BOOK)["source"][1]
    assert {case.quantity for case in CASES.values()} == set(CASE_QUANTITIES)
    assert set(CASE_QUANTITIES.values()) <= set(UNITS)


def test_numbers_are_above_zero_and_inside_their_range():
    for case in CASES.values():
        numbers = [
            case.n_accelerators,
            case.batch,
            case.prompt_tokens,
            case.output_tokens,
            case.low,
            case.value,
            case.high,
        ]
        assert all(number > 0 for number in numbers if number is not None), case.id
        assert (case.low or case.value) <= case.value <= (case.high or case.value), case.id
        assert (
            CASE_QUANTITIES[case.quantity] != "1"
            or case.quantity in ("speedup", "max_step_tokens", "energy_ratio")
            or case.value <= 1
        )


def test_a_case_nobody_read_in_its_source_says_so():
    unread = {case.id for case in CASES.values() if not case.verified}
    assert unread == {case.id for case in CASES.values() if case.note.startswith("second-hand")}
    assert all(case.where for case in CASES.values() if case.verified)


# As the sources print them: quantity, value, accelerator, its number, and some of what was given.
READ = {
    # sweeps/rtx-5090.md, tables of the sweep of 400 to 600 W: 400 W, n4 -> 132.8 tok/s.
    ("cmoro2026sweep", "tokens_per_s", 132.8): ("rtx-5090", 1, {"power_cap_w": 400, "draft_tokens": 4}),
    # "Each H800 node delivers ... ~14.8k tokens/s output during decoding", EP144, 4,989 tokens behind each.
    ("deepseek2025system", "tokens_per_s_per_server", 14800): (
        "",
        144,
        {"expert_parallel": 144, "context_tokens": 4989},
    ),
    # | c32 | 318.7 | 471.7 | ... of a box alone and of two with TP=2.
    ("kubis2026spark", "tokens_per_s", 471.7): ("dgx-spark", 2, {"tensor_parallel": 2, "graphs": "no"}),
    # | Qwen2-7B | FP16 | 70.47 | 388.34 |
    ("hongping2026nf4", "power_w", 388.34): ("rtx-5090", 1, {"published_model": "Qwen2-7B", "graphs": "no"}),
    # "The default value of max num tokens is is 8192."
    ("trtllm2025maxtokens", "max_step_tokens", 8192): ("", None, {}),
    # | 16k | ... | 219.2 tok/s | 231.3 tok/s | +5.5% |
    ("manunicholas2026fp8", "speedup", 1.055): ("a100-sxm-80gb", 1, {"kv_format": "fp8", "phase": "decode"}),
}


@pytest.mark.parametrize("read", READ)
def test_rows_read_again_in_their_source(read):
    (case,) = [case for case in CASES.values() if (case.source, case.quantity, case.value) == read]
    accelerator, count, given = READ[read]
    assert (case.accelerator, case.n_accelerators) == (accelerator, count)
    assert given.items() <= case.given.items()


@pytest.mark.parametrize(
    ("old", "new", "told"),
    [
        (",tokens_per_s,71.2,", ",tokens_per_s,-71.2,", "column value: expected a number above zero"),
        (",tokens_per_s,71.2,", ",tokens_per_hour,71.2,", "column quantity: expected what a case tells"),
        ("cap-12,cap,", "cap-12,cup,", "column case: expected a kind of case"),
        (";power_cap_w=400;draft_tokens=0,tokens", ";400 W,tokens", "column given: expected name=value;name=value"),
        (
            "kulievvitaly2024tp,llama-3.1-70b",
            "kulievvitaly2024tp,llama-70b",
            "llama-70b is not in the catalog's models",
        ),
    ],
)
def test_a_broken_case_is_named(data, old, new, told):
    text = (data / "public_cases.csv").read_text(encoding="utf-8")
    assert old in text
    (data / "public_cases.csv").write_text(text.replace(old, new, 1), encoding="utf-8")
    forget()
    assert any(told in problem for problem in check.facts_problems(BOOK)), check.facts_problems(BOOK)


def test_measured_bandwidth_stays_below_the_rating_and_a_bus_below_a_bridge():
    boards = catalog.records("accelerators.csv")
    shares = {
        name: board.reached_bytes_per_s / board.memory_bandwidth_bytes_per_s
        for name, board in boards.items()
        if "reached_bytes_per_s" in board.facts
    }
    assert len(shares) == 18 and all(0.5 < share < 1 for share in shares.values()), shares
    # 4255995.148 MB/s of 5.3 TB/s = 0.803, and 231-234 GB/s of 273 = 0.852.
    assert shares["mi300x"] == pytest.approx(0.803, abs=0.001)
    assert shares["dgx-spark"] == pytest.approx(0.852, abs=0.001)
    # 400 Gb/s = 50 GB/s and 200 Gb/s = 25 GB/s in one direction.
    assert boards["h100-sxm"].network_bytes_per_s == 50e9 and boards["dgx-spark"].network_bytes_per_s == 25e9
    assert boards["rtx-4090"].bus_bytes_per_s == 31e9 < boards["h100-sxm"].link_bytes_per_s
