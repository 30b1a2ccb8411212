"""Facts: their contract, their names, and checks against each other."""

import datetime
import re

import pytest

from llmpower.facts import catalog, tables
from llmpower.facts.claims import claims
from llmpower.facts.quantities import quantities
from tests.conftest import BOOK

TIDY = catalog.tidy_tables()
HEADER = "entity,quantity,value,low,high,unit,kind,source,where,verified,note"
GOOD = "h1,tdp_w,700,600,800,W,datasheet,key2024,table 1,2026-01-31,"
BROKEN = {
    "h1,tdp_w,about 700,,,W,datasheet,key2024,table 1,,": ("value", "a number"),
    "h1,tdp_w,700,701,,W,datasheet,key2024,table 1,,": ("low", "at most the value 700"),
    "h1,tdp_w,700,,699,W,datasheet,key2024,table 1,,": ("high", "at least the value 700"),
    "h1,tdp_w,nan,,,W,datasheet,key2024,table 1,,": ("value", "a finite number"),
    "h1,tdp_w,700,,,watt,datasheet,key2024,table 1,,": ("unit", "a known unit"),
    "h1,tdp_w,700,,,GB,datasheet,key2024,table 1,,": ("unit", "which is in W"),
    "h1,tdp,700,,,W,datasheet,key2024,table 1,,": ("quantity", "data/quantities.csv"),
    "h1,tdp_w,700,,,W,rumour,key2024,table 1,,": ("kind", "a kind of evidence"),
    "h1,tdp_w,700,,,W,datasheet,,table 1,,": ("source", "some text"),
    "h1,tdp_w,700,,,W,datasheet,key2024,,2026-01-31,": ("where", "some text"),
    "h1,tdp_w,700,,,W,datasheet,key2024,table 1,last week,": ("verified", "a date like 2026-01-31"),
    "h1,tdp_w,700000000,,,W,datasheet,key2024,table 1,,": ("value", "1 to 200000 W"),
    ",tdp_w,700,,,W,datasheet,key2024,table 1,,": ("entity", "some text"),
}


@pytest.fixture
def table(tmp_path, monkeypatch):
    """Write a table of its own; the real quantities stay."""

    def write(*rows, header=HEADER):
        quantities()
        (tmp_path / "made.csv").write_text("\n".join([header, *rows]) + "\n")
        monkeypatch.setattr(tables, "DATA", tmp_path)
        catalog.facts.cache_clear()
        return "made.csv"

    yield write
    catalog.facts.cache_clear()


def test_a_good_row_is_read_in_si_units(table):
    (fact,) = catalog.facts(
        table("h1,memory_bandwidth_bytes_per_s,3.35,3,3.4,TB/s,datasheet,key2024,table 1,2026-01-31,")
    )
    assert (fact.value, fact.low, fact.high, fact.unit, fact.printed) == (3.35e12, 3e12, 3.4e12, "B/s", "3.35 TB/s")


@pytest.mark.parametrize("row", BROKEN)
def test_a_malformed_row_names_file_line_and_column(table, row):
    column, expected = BROKEN[row]
    with pytest.raises(tables.FactError) as caught:
        catalog.facts(table(GOOD, row))
    assert str(caught.value).startswith(f"data/made.csv, line 3, column {column}: expected ")
    assert expected in str(caught.value)


def test_a_row_with_too_few_columns(table):
    with pytest.raises(tables.FactError, match=r"data/made.csv, line 2: expected 11 columns, got 3"):
        catalog.facts(table("h1,tdp_w,700"))


def test_a_value_given_twice(table):
    with pytest.raises(tables.FactError, match=r"line 3, column quantity: h1 has tdp_w in line 2 already"):
        catalog.facts(table(GOOD, GOOD))


def test_a_wrong_header(table):
    with pytest.raises(tables.FactError, match="line 1: expected the columns entity,quantity"):
        catalog.facts(table(GOOD, header="entity,value"))


def test_pj_per_bit_is_converted_once(table):
    (fact,) = catalog.facts(table("m,energy_j_per_byte,20,,,pJ/bit,paper,key2024,table 1,,"))
    assert fact.value == pytest.approx(160e-12, rel=1e-9, abs=0)


@pytest.mark.parametrize(
    ("kind", "typed", "entity"),
    [
        ("accelerator", "H100", "h100-sxm"),
        ("accelerator", "a100", "a100-sxm-80gb"),
        ("accelerator", "RTX 4090", "rtx-4090"),
        ("accelerator", "M4", "m4"),
        ("model", "Llama-3.1-70B-Instruct", "llama-3.1-70b"),
        ("model", "meta-llama/Llama-3.1-8B-Instruct", "llama-3.1-8b"),
        ("model", "Mixtral-8x7B-v0.1", "mixtral-8x7b"),
        ("format", "Q4_K_M", "q4_k_m"),
        ("format", "bfloat16", "bf16"),
    ],
)
def test_names_people_type(kind, typed, entity):
    assert catalog.find(kind, typed) == entity


def test_a_miss_lists_the_nearest_names():
    with pytest.raises(catalog.UnknownName, match=r"no model is called 'llama-3.1-7b'; did you mean llama-"):
        catalog.model("llama-3.1-7b")
    with pytest.raises(catalog.UnknownName, match=r"did you mean h100-sxm"):
        catalog.accelerator("h100-sxmm")
    with pytest.raises(catalog.UnknownName, match=r"`llmpower accelerators` lists all \d+"):
        catalog.accelerator("zzzzzz")
    with pytest.raises(catalog.UnknownName, match="there are bf16, .*q4_k_m"):
        catalog.number_format("zzzzzz")


@pytest.mark.parametrize(
    ("kind", "typed", "entity"),
    [
        # What people typed in public and the catalog did not have: the threads stand in public questions about speed.
        ("accelerator", "rtx-pro-6000", "rtx-pro-6000"),
        ("accelerator", "l40s", "l40s"),
        ("accelerator", "l4", "l4"),
        ("accelerator", "a10", "a10"),
        ("accelerator", "a6000", "rtx-a6000"),
        ("accelerator", "h20", "h20-sxm"),
        ("accelerator", "h800", "h800-sxm"),
        ("accelerator", "A800", "a800-sxm-80gb"),
        ("accelerator", "jetson-orin", "jetson-agx-orin"),
        ("accelerator", "strix-halo", "strix-halo"),
        ("model", "moonshotai/Kimi-K2-Instruct", "kimi-k2"),
        ("model", "glm-4.5-air", "glm-4.5-air"),
        ("model", "GLM-4.6", "glm-4.5"),
        ("model", "mistral-large-2", "mistral-large-2"),
        ("model", "Qwen/Qwen3.5-397B-A17B", "qwen3.5-397b-a17b"),
    ],
)
def test_names_of_public_questions_are_known(kind, typed, entity):
    assert catalog.find(kind, typed) == entity


@pytest.mark.parametrize(
    ("kind", "typed", "hint"),
    [
        ("accelerator", "h900", "did you mean h800-sxm or h200-sxm or h100-sxm?"),
        ("accelerator", "a30", "did you mean a10 or "),
        ("accelerator", "rtx 5080", "did you mean rtx-5090 or "),
        ("accelerator", "m5 max", "did you mean m4-max or "),
        ("accelerator", "v100s", "did you mean v100-sxm2-32gb or "),
        ("accelerator", "groq", "`llmpower accelerators` lists all"),
        ("model", "moonshotai/Kimi-K3", "did you mean kimi-k2?"),
        ("model", "moonshotai/Moonlight-16B-A3B", "did you mean kimi-k2?"),
        ("model", "Qwen/Qwen3.6-27B", "did you mean qwen3.5-27b or "),
        ("model", "zai-org/GLM-5", "did you mean glm-4.5 or glm-4.5-air?"),
        ("model", "command-r", "`llmpower models` lists all"),
    ],
)
def test_a_miss_is_answered_with_its_family(kind, typed, hint):
    with pytest.raises(catalog.UnknownName) as caught:
        catalog.find(kind, typed)
    assert f"is called {typed!r}; {hint}" in str(caught.value)
    assert str(caught.value).endswith("config.json") == (kind == "model")


def test_second_hand_is_what_nobody_saw_or_a_secondary_work_repeats():
    boards = catalog.records("accelerators.csv")
    assert not boards["h100-sxm"]["tdp_w"].second_hand and boards["h100-sxm"]["dense_fp8_flop_per_s"].second_hand
    assert boards["h100-nvl"]["dense_bf16_flop_per_s"].second_hand  # not opened
    assert not boards["dgx-spark"]["accelerators_per_server"].second_hand  # our own convention


@pytest.mark.parametrize("name", catalog.names("accelerator"))
def test_an_accelerator_is_possible(name):
    machine = catalog.accelerator(name)
    assert machine.get("name") and machine.get("vendor")
    assert machine.get("category") in ("datacenter", "desktop", "laptop", "soc", "system")
    bandwidth, peak, tdp = (machine.get(q) for q in ("memory_bandwidth_bytes_per_s", "dense_bf16_flop_per_s", "tdp_w"))
    if peak and bandwidth:
        assert 10 < peak / bandwidth < 2000, "ridge point in FLOP per byte"
    # What stands as the rating of an M4 is the power of its whole computer.
    if peak and tdp and tdp != machine.get("system_max_w"):
        # The top is a desktop part of 2021 whose 32-bit accumulation runs at half rate.
        assert 0.1e-12 < tdp / peak < 7e-12, "rated power over peak in J per FLOP"
    for narrow, wide in (
        ("dense_fp8_flop_per_s", "dense_bf16_flop_per_s"),
        ("dense_fp4_flop_per_s", "dense_fp8_flop_per_s"),
    ):
        if machine.get(narrow) and machine.get(wide):
            assert machine.get(narrow) >= machine.get(wide)
    if machine.get("transistors") and machine.get("die_area_mm2"):
        assert 1e6 < machine.transistors / machine.die_area_mm2 < 3e8


def test_known_values_of_datasheets():
    # NVIDIA's datasheets, dense: H100 SXM5 and H200 SXM.
    h100, h200 = catalog.accelerator("h100-sxm"), catalog.accelerator("h200-sxm")
    assert (h100.tdp_w, h100.memory_bytes, h100.memory_bandwidth_bytes_per_s) == (700, 80e9, 3.35e12)
    assert h100.dense_bf16_flop_per_s == pytest.approx(989e12, rel=0.001)
    assert (h200.tdp_w, h200.memory_bytes, h200.memory_bandwidth_bytes_per_s) == (700, 141e9, 4.8e12)


def test_the_constants_behind_the_headline_are_those_of_their_papers():
    # Antepara 2025, Table 3 (GH200): 11.68 pJ/bit = 93.44 pJ/B, 0.52 pJ/FLOP; O'Connor 2017: 3.92 pJ/bit = 31.36 pJ/B.
    sets = catalog.constant_sets()
    assert sets["typical"]["memory_energy_j_per_byte"].value == pytest.approx(93.44e-12, rel=1e-9, abs=0)
    assert sets["typical"]["flop_energy_j_per_flop"].value == pytest.approx(0.52e-12, rel=1e-9, abs=0)
    assert sets["low"]["memory_energy_j_per_byte"].value == pytest.approx(31.36e-12, rel=1e-9, abs=0)
    # Jouppi 2021, 7 nm: (0.21 + 0.38) / 2 pJ.
    assert sets["high"]["flop_energy_j_per_flop"].value == pytest.approx(0.295e-12, rel=1e-9, abs=0)


def test_sets_are_ordered_by_the_share_they_lead_to():
    ratio = {
        name: found["memory_energy_j_per_byte"].value / found["flop_energy_j_per_flop"].value
        for name, found in catalog.constant_sets().items()
    }
    assert ratio["low"] < ratio["typical"] < ratio["high"]


def test_derived_sums_add_up():
    per_byte = {name: catalog.energy_constant(name).energy_j_per_byte for name in ("gh200-hbm", "gh200-l2", "gh200-l1")}
    assert catalog.energy_constant("gh200-hbm-to-l1").energy_j_per_byte == pytest.approx(sum(per_byte.values()))
    h100 = catalog.accelerator("h100-sxm")
    bound = catalog.energy_constant("h100-tdp-per-flop").energy_j_per_flop
    assert bound == pytest.approx(h100.tdp_w / h100.dense_bf16_flop_per_s, rel=0.001)


def test_values_behind_the_headline_were_seen_in_a_source():
    """What the default run of the decode chapter rests on; all of it opened."""
    h100, net = catalog.accelerator("h100-sxm"), catalog.model("llama-3.1-70b")
    needed = [h100[q] for q in ("memory_bytes", "memory_bandwidth_bytes_per_s", "tdp_w", "dense_bf16_flop_per_s")]
    needed += [fact for found in catalog.constant_sets().values() for fact in found.values()]
    needed += [catalog.number_format("bf16")["bytes_per_value"]]
    unseen = [f"{fact.entity} {fact.quantity}" for fact in needed if not fact.verified]
    assert not unseen
    assert net.verified


def test_most_values_were_seen_in_a_source():
    facts = [fact for table in TIDY for fact in catalog.facts(table) if fact.kind != "convention"]
    seen = sum(bool(fact.verified) for fact in facts) / len(facts)
    assert seen >= 0.9


def test_nothing_was_verified_in_the_future():
    today = datetime.date.today()
    dates = [fact.verified for table in TIDY for fact in catalog.facts(table)]
    dates += [catalog.model(name).verified for name in catalog.names("model")]
    dates += [one.verified for one in claims().values()]
    assert all(datetime.date.fromisoformat(date) <= today for date in dates if date)


def test_sources_are_in_the_bibliography_and_the_bibliography_parses():
    from pybtex.database import parse_file

    library = set(parse_file(tables.DATA / "references.bib").entries)
    facts = [fact for table in TIDY for fact in catalog.facts(table)]
    used = {key for fact in facts for key in fact.source.split(";") if key}
    used |= {catalog.model(name).source for name in catalog.names("model")}
    used |= {key for one in claims().values() for key in one.sources}
    assert used <= library
    # And nothing lies in it that neither a fact nor a page names.
    parts = [
        path
        for pattern in ("*.md", "*.ipynb", "*/*.md", "data/*.csv", "chapters/*.ipynb")
        for path in BOOK.glob(pattern)
    ]
    words = set(re.findall(r"[\w-]+", "".join(path.read_text(encoding="utf-8") for path in parts)))
    words |= {
        key for path in BOOK.glob("llmpower/**/*.py") for key in re.findall(r"\w+", path.read_text(encoding="utf-8"))
    }
    assert not library - words


# Pages that repeat what others found or rate: collections, scrapes, press, encyclopedias, a stranger's notes.
REPEATING = """acecloud.ai aiwiki.ai alldbin.com awesomeagents.ai besthub.dev centerconsulting.com endlesswiki.com
    compbuddey.blogspot.com epium.com fareastgizmos.com fpsbench.com gentic.news hardforum.com hmc-tech.com menfem.com
    holynerdvana.blogspot.com jarvislabs.ai longterm-wiki.vercel.app probsee.com statista.com uvation.com
    scrollytellingaifootprint.netlify.app unanswered.io wikiwand.com wiki.richxsearch.com worldstockmarket.net
    techpowerup.com ycharts.com github.com/bojieli github.com/minsik-kim github.com/isaacyhe github.com/adi-anirudh
    github.com/baobab-tech""".split()


def test_a_work_that_repeats_others_says_so_and_no_paste_is_a_source():
    from pybtex.database import parse_file

    library = parse_file(tables.DATA / "references.bib").entries
    address = {key: entry.fields.get("howpublished", "") for key, entry in library.items()}
    repeating = [key for key, url in address.items() if any(host in url for host in REPEATING)]
    assert len(repeating) > 40
    assert [key for key in repeating if "Secondary" not in library[key].fields["note"]] == []
    assert [key for key, url in address.items() if "pastebin.com" in url] == []
    # NVIDIA's tables come from NVIDIA, not from a copy of its repository under another name.
    assert [key for key, url in address.items() if key.startswith("nvidia") and "simone-chen" in url] == []


def test_an_unknown_fact():
    with pytest.raises(catalog.UnknownName, match="data/datacenter.csv has no nowhere"):
        catalog.fact("datacenter.csv", "nowhere", "pue")
