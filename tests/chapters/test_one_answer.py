"""One question, one answer: the front page, chapters, tables and `estimate` say the same of the same case."""

import csv
import importlib
import json
import subprocess
import sys

import pytest

import llmpower
from llmpower.book import files, records
from llmpower.book.parameters import parameters
from llmpower.evidence import joule
from llmpower.facts.tables import DATA
from tests.conftest import BOOK

CHAPTERS = files.chapters(BOOK)
plans = importlib.import_module("llmpower.plan")


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


def asked(*command):
    """What `llmpower` answers a program."""
    return json.loads(
        subprocess.run([sys.executable, "-m", "llmpower", *command, "--json"], capture_output=True, check=True).stdout
    )


PAGE = records.shown(files.read_notebook(CHAPTERS["datacenter-scale"]))
DEFAULTS = {name: one.default for name, one in parameters(CHAPTERS["datacenter-scale"]).items()}


@pytest.fixture(scope="module")
def planned():
    """The service of the datacenter chapter, as the command line plans it with its software and what has no default."""
    queries, batch = (f"{DEFAULTS[name]:.0f}" for name in ("queries_per_day", "batch"))
    run = ("--queries-per-day", queries, "--batch", batch, "--software", DEFAULTS["software"])
    return asked("plan", "llama-3.1-70b", "h100-sxm", *run)


@pytest.mark.parametrize(
    ("shown", "name", "factor"),
    [
        ("user", "tokens_per_s_per_user", 1),
        ("needed", "n_accelerators", 1),
        ("site_w", "site_mw", 1e6),
        ("mean_w", "mean_mw", 1e6),
        ("query", "wh_per_query", 3600),
        ("million", "electricity_usd_per_million_tokens", 1),
    ],
)
def test_the_datacenter_chapter_shows_the_plan_with_its_ranges(planned, shown, name, factor):
    found = planned[name]
    for end, here in (("low", "low"), ("central", "value"), ("high", "high")):
        assert PAGE[shown][here] == pytest.approx(factor * found[end], rel=1e-6), end


def test_boards_and_servers_of_the_page_are_those_of_the_plan(planned):
    assert PAGE["together"]["value"] == planned["inputs"]["n_together"] == 4
    assert PAGE["servers"]["value"] == planned["n_servers"]["central"]
    # Watts over seconds are joules: a query at the meter is the mean power over the queries a second.
    rate = DEFAULTS["queries_per_day"] / 86400
    assert PAGE["mean_w"]["value"] / rate == pytest.approx(PAGE["query"]["value"])


def test_the_copy_of_the_plan_is_the_estimate_of_its_case(planned):
    run = ("llama-3.1-70b", "h100-sxm", "--n-accelerators", "4", "--batch", "128")
    run += ("--prompt-tokens", "500", "--output-tokens", "500", "--software", "vllm")
    board, site = asked("estimate", *run), asked("estimate", *run, "--boundary", "facility")
    assert board["tokens_per_s"] == pytest.approx(planned["tokens_per_s"]["central"])
    assert board["tokens_per_s"] / 4 == pytest.approx(PAGE["likely"]["value"])
    assert board["power_w"] / 4 == pytest.approx(PAGE["full"]["value"])
    assert site["j_per_token"] == pytest.approx(planned["j_per_token_at_work"]["central"])
    # A host for four of eight boards, and the site's factor.
    assert site["power_w"] == pytest.approx(1.2 * (board["power_w"] + 2150 / 2))


def test_part_load_is_the_estimate_of_the_smaller_batch():
    run = {"n_accelerators": 4, "batch": PAGE["mean_batch"]["value"], "prompt_tokens": 500, "output_tokens": 500}
    found = llmpower.estimate("llama-3.1-70b", "h100-sxm", software="vllm", **run)
    assert found.power_w / 4 == pytest.approx(PAGE["spread"]["value"], rel=2e-3)
    assert found.tokens_per_s / 4 == pytest.approx(PAGE["load"]["value"] * PAGE["likely"]["value"], rel=2e-3)


def test_a_host_draws_the_same_everywhere(planned):
    (assumed,) = (one for one in planned["assumptions"] if one["name"] == "host_power_w")
    server = llmpower.estimate("llama-3.1-8b", "h100-sxm", n_accelerators=8, boundary="server").host.power_w
    ends = [PAGE["host_range"][end] for end in ("low", "value", "high")]
    assert ends == [assumed[end] for end in ("low", "value", "high")] == pytest.approx(server)
    assert shown("model-against-measurement")["host_h100"] == PAGE["host_range"]["text"]


@pytest.mark.parametrize(("place", "batch"), [("case_one", 1), ("case_many", 32)])
def test_the_decode_chapter_expects_what_the_estimate_says(place, batch):
    found = llmpower.estimate("llama-3.1-70b", "h100-sxm", 2, batch, context_tokens=0, software="vllm")
    told = records.shown(files.read_notebook(CHAPTERS["decode-breakdown"]))[place]
    ends = [getattr(found, end).tokens_per_s for end in ("low", "high")]
    assert [told[end] for end in ("low", "value", "high")] == pytest.approx([ends[0], found.tokens_per_s, ends[1]])


@pytest.mark.parametrize("name", [name for name in DEFAULTS if name in plans.DEFAULTS])
def test_chapter_and_plan_assume_the_same(name):
    assert DEFAULTS[name] == pytest.approx(plans.default(name).value, rel=1e-3)


def test_usual_lengths_stand_in_one_place():
    prompt, answer = (plans.default(name).value for name in ("prompt_tokens", "output_tokens"))
    for chapter in (BOOK / "index.ipynb", CHAPTERS["decode-breakdown"]):
        here = parameters(chapter)
        assert (here["prompt_tokens"].default, here["output_tokens"].default) == (prompt, answer), chapter
    assert (DEFAULTS["prompt_tokens_per_query"], DEFAULTS["output_tokens_per_query"]) == (prompt, answer)
