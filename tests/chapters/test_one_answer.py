"""One question, one answer: the front page, chapters, tables and `estimate` say the same of the same case."""

import csv

import pytest

import llmpower
from llmpower.book import files, records
from llmpower.evidence import joule
from llmpower.facts.tables import DATA
from tests.conftest import BOOK

CHAPTERS = files.chapters(BOOK)


def shown(name):
    return {key: one["text"] for key, one in records.shown(files.read_notebook(CHAPTERS[name])).items()}


def by_hand(batch):
    """Shares from a row of the table: clocks up, bytes and operations at their prices, of the 8 billion in bf16."""
    with (DATA / "power_runs.csv").open(encoding="utf-8") as file:
        rows = {row["id"]: row for row in csv.DictReader(file)}
    run = next(
        row
        for row in rows.values()
        if row["what"] == f"decode 8B bf16 batch {batch} context 1024" and row["board"] == "H100 board 1"
    )
    watts, up = float(run["power_w"]), float(rows["h100-01"]["power_w"])
    stream, product = rows["h100-12"], rows["h100-19"]
    per_byte = (float(stream["power_w"]) - up) / float(stream["memory_bytes_per_s"])
    per_flop = (float(product["power_w"]) - up) / float(product["flop_per_s"])
    moved = per_byte * float(run["memory_bytes_per_s"]) / watts
    return up / watts, moved, per_flop * float(run["flop_per_s"]) / watts


def percent(text):
    return float(text.partition(" ")[0]) / 100


def test_the_front_page_and_the_decode_chapter_show_the_shares_of_the_rows():
    front, decode = shown("index"), shown("decode-breakdown")
    assert front["moving_1"] == decode["moves_data_1"] and front["moving_256"] == decode["moves_data_256"]
    assert front["arithmetic_256"] == decode["arithmetic_256c"]
    assert front["most_arithmetic_1"] == decode["most_arithmetic_1"]
    for batch in (1, 32, 256):
        _, moved, _ = by_hand(batch)
        assert percent(front[f"moving_{batch}"]) == pytest.approx(moved, rel=1e-3)
    # At 1,965 of 1,980 MHz an operation costs half a per cent less.
    assert percent(front["arithmetic_256"]) == pytest.approx(by_hand(256)[2], rel=0.006)


@pytest.mark.parametrize("batch", [1, 32, 256])
def test_estimates_without_a_server_agree_with_the_rows(batch):
    found = llmpower.estimate("llama-3.1-8b", "h100-sxm", batch=batch, context_tokens=1024, software="bare")
    parts = {name: value / found.j_per_token for name, value in found.energy_by_part.items()}
    anyway, moved, worked = by_hand(batch)
    # What no part claims, 6 to 9 % of the meter, an estimate books with what flows anyway and with dearer bytes.
    assert anyway < parts["static"] < anyway + 0.09
    assert parts["weights"] + parts["kv"] == pytest.approx(moved, abs=0.04)
    assert parts["compute"] == pytest.approx(worked, abs=0.01)


def test_evidence_and_parts_agree_on_the_articles_network():
    case = llmpower.case("llama-3.1-70b", "h100-sxm", n_accelerators=4, batch=1, context_tokens=0)
    parts = joule.of_case(case).share(joule.MOVES)
    served = llmpower.estimate("llama-3.1-70b", "h100-sxm", n_accelerators=4, context_tokens=0)
    moved = sum(served.energy_by_part[name] for name in ("weights", "kv", "interconnect")) / served.j_per_token
    low, high = (percent(text) for text in shown("model-against-measurement")["narrow_span"].split(" to "))
    assert low <= moved <= high and low <= parts.high and parts.low <= high
    assert shown("model-against-measurement")["by_parts"].startswith(f"{100 * parts.low:.1f} %")
