"""The article's 113 statements, and our verdicts on those that are arithmetic."""

import pytest

from llmpower.book.files import chapters, find_book
from llmpower.facts.catalog import UnknownName
from llmpower.facts.claims import claim, claims
from llmpower.formulas import decode
from llmpower.step import bound, constants


def test_all_statements_are_there():
    assert list(claims()) == [f"C{number:02d}" for number in range(1, 114)]


def test_quotations_are_short():
    assert all(1 <= len(one.quote.split()) <= 12 for one in claims().values())


def test_statements_belong_to_chapters_of_the_book():
    assert {one.chapter for one in claims().values()} <= {"index", *chapters(find_book(None))}


def test_an_unknown_statement():
    with pytest.raises(UnknownName, match="C01 to C113"):
        claim("C999")


def test_joules_were_printed_as_millijoules():
    """Verdict `unit slip` of C30, C34, C37, C39, C40: the factors give a thousand times the printed result."""
    per_byte, per_flop = constants.constants()["article"]
    sums = {
        "C30": decode.movement_energy_j(claim("C28").si, per_byte),
        "C34": decode.compute_energy_j(claim("C32").si, per_flop),
        "C37": decode.movement_energy_j(claim("C36").si, per_byte),
    }
    sums["C39"], sums["C40"] = sums["C30"] + sums["C37"], sums["C34"]
    for id, joules in sums.items():
        assert claim(id).unit == "mJ" and claim(id).verdict == "unit slip"
        assert joules == pytest.approx(1000 * claim(id).si, rel=0.002)


def test_the_share_survives_the_slip():
    share = decode.movement_share(22.4, 1.28, 0.042)
    assert share == pytest.approx(claim("C01").value, abs=0.0003)


def test_the_articles_own_batch_contradicts_its_headline():
    # C41: weights once, arithmetic 32 times: 22.4 / (22.4 + 32 x 0.042) = 94.3 %.
    assert decode.movement_share(22.4, 0, 32 * 0.042) == pytest.approx(0.943, abs=0.001)
    assert claim("C41").verdict == "inconsistent with itself"


def test_the_cache_is_larger_than_printed():
    # C36: 2 x 80 x 8 x 128 x 2 B x 32,768 = 10.74 GB.
    assert bound.counts("llama-3.1-70b", 1, 32768).kv_cache_bytes == pytest.approx(10.74e9, rel=0.001)
    assert claim("C36").value == 8 and claim("C36").verdict == "contradicted by source"


def test_one_h100_cannot_hold_the_model():
    # C81, C84: 140 GB of weights against 80 GB of memory.
    case = bound.counts("llama-3.1-70b", 1, 0)
    assert not bound.memory_fit(case, 1, "h100-sxm", 1).fits


def test_the_price_of_a_bit_fits_the_whole_way_and_not_the_memory_alone():
    # C29: HBM, L2 and L1 of Antepara et al., SC25, on four machines: 18.00, 19.41, 18.00 and 18.22 pJ/bit.
    whole = [11.68 + 4.87 + 1.45, 13.11 + 4.71 + 1.59, 13.64 + 2.82 + 1.54, 14.72 + 1.39 + 2.11]
    assert [round(100 * (20 / one - 1)) for one in (max(whole), min(whole), 15.19)] == [3, 11, 32]
    assert claim("C29").verdict == "definition needed" and "3 to 32 % high" in claim("C29").recomputed


def test_the_ratio_of_the_articles_prices_and_of_measured_ones():
    # C35: 1 / 500 is 0.3 pJ twice over 16 bit at 20 pJ; measured, 1.0918 pJ twice over 16 bit at 15.19 pJ.
    assert round(16 * 20 / (2 * 0.3)) == 533 and round(16 * 15.19 / (2 * 1.0918)) == 111
    assert claim("C35").verdict == "reproduces" and "1/111" in claim("C35").recomputed
