"""Pages made from what is known about this edition and its runs."""

import json
import re

import pybtex.database
import pytest
import yaml

from llmpower.book import files, pages
from llmpower.book.parameters import used, used_table
from llmpower.facts import catalog
from tests.conftest import BOOK

CHAPTER = BOOK / "chapters" / "decode-breakdown.ipynb"


@pytest.fixture
def runs(tmp_path):
    """A stored run of one chapter with two parameters changed, as the runner leaves it."""
    values = {"batch": 64, "accelerator": "h200-sxm"}
    (tmp_path / "results.json").write_text(
        json.dumps({"parameters": used(CHAPTER, values), "numbers": {"a": {}, "b": {}}})
    )
    (tmp_path / "inputs.json").write_text(
        json.dumps({"chapter": "", "table:accelerators.csv": "", "table:quantities.csv": ""})
    )
    return {"decode-breakdown": tmp_path}


def test_parameters_used_tells_value_unit_and_who_set_it(runs):
    page = pages.page("parameters-used", BOOK, runs)
    assert "| `batch` | **64** | reader; default 1 |" in page
    assert "| `accelerator` | **h200-sxm** | reader; default h100-sxm |" in page
    assert "| `context_tokens` | 32768 | default |" in page
    assert "## Decode: alone, a request pays for every weight" in page
    rows = re.findall(r"^\| `(\w+)`", page, re.MULTILINE)
    source = next(
        cell for cell in json.loads(CHAPTER.read_text())["cells"] if "parameters" in cell["metadata"].get("tags", [])
    )
    assert rows == re.findall(r"^(\w+):", "".join(source["source"]), re.MULTILINE)


def test_a_unit_stands_behind_its_value():
    table = used_table(BOOK / "chapters" / "tdp-escalator.ipynb", {"power_budget_w": 2e6})
    assert "| `power_budget_w` | **2000000.0 W** | reader; default 1000000 W |" in table


def test_status_page_tells_run_time_facts_and_versions(runs, monkeypatch):
    import platform

    import numpy

    recorded = json.loads((BOOK / files.RUN_TIMES).read_text())
    page = pages.page("status", BOOK, runs)
    newest = max(re.findall(r",(20\d\d-\d\d-\d\d),", (BOOK / "data" / "accelerators.csv").read_text()))
    time = f"{recorded['run_s']['decode-breakdown']:g}"
    assert f"| [](chapters/decode-breakdown.ipynb) | {time} | 2 | 2 | {newest} |" in page
    assert f"| numpy | {numpy.__version__} |" in page and f"| Python | {platform.python_version()} |" in page


def test_a_value_seen_in_a_work_that_repeats_others_is_marked(runs):
    page = pages.page("sources", BOOK, runs)
    library = pybtex.database.parse_file(BOOK / "data" / "references.bib").entries
    facts = [fact for table in catalog.tidy_tables() for fact in catalog.facts(table)]
    facts = [fact for fact in facts if (fact.unit, fact.kind) != ("text", "convention")]
    expected = set()
    for fact in facts:
        key = fact.source.split(";")[0]
        repeats = bool(key) and "Secondary" in library[key].fields.get("note", "")
        expected.add((fact.entity, fact.quantity, key, repeats))
    shown = set()
    for row in re.findall(r"<tr><td><code>.*</tr>", page.partition("## Models")[0]):
        entity, quantity = re.findall(r"<code>(.*?)</code>", row)
        keys = re.findall(r'#document-(.*?)"', row)
        shown.add((entity, quantity, keys[0] if keys else "", row.endswith(", secondary</td></tr>")))
    assert shown == expected
    # Two by hand: the V100's rating is NVIDIA's own, HBM2's energy was read in a stranger's quotation of its paper.
    marks = {one[:2]: one[3] for one in shown}
    assert not marks["v100-sxm2-32gb", "tdp_w"] and marks["hbm2-device", "energy_j_per_byte"]


def test_every_chapter_has_a_run_time_in_the_reference_edition():
    recorded = json.loads((BOOK / files.RUN_TIMES).read_text())
    assert set(recorded["run_s"]) == {"index", *(path.stem for path in (BOOK / "chapters").glob("*.ipynb"))}
    assert all(time > 0 for time in recorded["run_s"].values())


def test_how_to_cite_follows_the_citation_file():
    citation = yaml.safe_load((BOOK / "CITATION.cff").read_text(encoding="utf-8"))
    page = pages.page("citing", BOOK, {})
    entry = pybtex.database.parse_string(page.partition("```bibtex\n")[2].partition("```")[0], "bibtex").entries[
        "llmpower"
    ]
    assert entry.fields["title"] == f"{{{citation['title']}}}" and entry.fields["version"] == citation["version"]
    assert [str(person) for person in entry.persons["author"]] == ["{The llmpower authors}"]
    assert ("not yet released" in page) == ("date-released" not in citation)


def test_people_with_two_names_are_cited_family_name_first():
    authors = [{"family-names": "Dennard", "given-names": "Robert"}, {"name": "The others"}]
    entry = pages.bibtex({"title": "Watts", "version": "1.0", "authors": authors, "url": "https://example.org"})
    assert "author = {Dennard, Robert and {The others}}" in entry and "url = {https://example.org}" in entry


def test_every_table_of_facts_has_a_title_in_the_appendix():
    page = pages.page("sources", BOOK, {})
    assert page.count("\n## ") == len(catalog.tidy_tables()) + len(["unseen", "models", "documents"])
    unseen = page.partition("## What nobody has seen")[2].partition("## Accelerators")[0]
    assert "unverified" in unseen
    assert "llama-3.1-70b" in page and "gh200-hbm" in page


def test_the_page_for_teachers_adds_up_what_chapters_say(runs):
    text = pages.page("teach", BOOK, runs)
    lecture = text.split("### A lecture of 50 minutes")[1].split("### A week")[0]
    assert sum(map(int, re.findall(r"^\| (\d+) \|", lecture, re.MULTILINE))) == 50
    weeks = text.split("### A module of six weeks")[1].split("\n\nA project")[0]
    rows = re.findall(r"^\| \d\. .*\| (\d+) \| (\d+) \| (\d+) \| (.+) \|$", weeks, re.MULTILINE)
    assert len(rows) == 6
    said = {"read": [], "more": []}
    for path in (BOOK / "chapters").glob("*.ipynb"):
        found = re.search(r"\*\*Time\*\* about (\d+) minutes, and (\d+) more for the exercises", path.read_text())
        if found:
            said["read"].append(int(found[1]))
            said["more"].append(int(found[2]))
    assert len(said["read"]) == 7
    assert sum(int(read) for read, *_ in rows) == sum(said["read"])
    assert sum(int(more) for _, _, more, _ in rows) == sum(said["more"])
    # Minutes of the questions, as they are written.
    minutes = [
        int(one)
        for path in (BOOK / "chapters").glob("*.questions.yml")
        for one in re.findall(r"^  minutes: (\d+)$", path.read_text(), re.MULTILINE)
    ]
    assert len(minutes) == 56 and sum(int(sheet) for _, sheet, *_ in rows) == sum(minutes)
    # One design task a chapter, and each mistake with statements of the article, in its words.
    assert sum(project.count("{ref}") for *_, project in rows) == 7
    mistaken = text.split("## What is easily mistaken")[1].split("(editions)=")[0]
    assert "[C30](chapters/decode-breakdown.ipynb#" in mistaken and "unit slip" in mistaken
    assert "140e9" in mistaken and mistaken.count("[C") == 16
