"""Texts of the data are text on every page: never HTML, a role, a link, mathematics or a column of a table."""

import csv
import io
import json
import re

import pytest
from markdown_it.renderer import RendererHTML
from myst_parser.config.main import MdParserConfig
from myst_parser.parsers.mdit import create_md_parser

from llmpower.book import check, files, pages, report, take_home
from llmpower.book.fresh import forget
from llmpower.book.parameters import used
from llmpower.facts import catalog
from llmpower.facts.claims import claims
from tests.conftest import BOOK

HOSTILE = "<script>x</script> <img src=x onerror=1> | {glue:text}`x` $y$ [a](b) &lt;b&gt; {{7*7}}{#i} \\"
EXTENSIONS = files.read_yaml(BOOK / "_config.yml")["parse"]["myst_enable_extensions"]
PARSER = create_md_parser(MdParserConfig(enable_extensions=set(EXTENSIONS)), RendererHTML)
# What people read of a row; of the values of tidy tables, those that are text.
READ = ("name", "note", "where", "quote", "recomputed", "block", "section", "help", "lacks", "published_model")


@pytest.fixture
def hostile(data):
    """Tables in which every text that people read ends in markup."""
    for path in data.glob("*.csv"):
        rows = list(csv.DictReader(io.StringIO(path.read_text(encoding="utf-8"))))
        for row in rows:
            texts = [column for column in READ if row.get(column) and (path.name, column) != ("quantities.csv", "name")]
            texts += ["value"] if row.get("unit") == "text" and row.get("quantity") == "name" else []
            for column in texts:
                row[column] = HOSTILE if column == "quote" else f"{row[column]} {HOSTILE}"
        with path.open("w", encoding="utf-8", newline="") as file:
            csv.writer(file, lineterminator="\n").writerows([list(rows[0]), *(list(row.values()) for row in rows)])
    forget()


def count(text):
    """How often each thing that is more than words stands in a page, and how many cells its tables have."""
    found = [one for token in PARSER.parse(text) for one in (token, *(token.children or ()))]
    kinds = "html_inline html_block myst_role math_inline link_open image td_open code_inline fence"
    kinds = [*kinds.split(), "substitution_inline", "substitution_block", "amsmath"]
    return {kind: sum(token.type == kind for token in found) for kind in kinds}


@pytest.fixture
def runs(tmp_path):
    values = {"batch": 64, "accelerator": "h200-sxm"}
    chapter = BOOK / "chapters" / "decode-breakdown.ipynb"
    (tmp_path / "results.json").write_text(json.dumps({"parameters": used(chapter, values), "numbers": {}}))
    (tmp_path / "inputs.json").write_text(json.dumps({"table:accelerators.csv": "", "table:models.csv": ""}))
    return {"decode-breakdown": tmp_path}


def test_the_parser_sees_what_is_planted():
    found = count(f"It is {HOSTILE}")
    assert all(found[kind] for kind in ("html_inline", "myst_role", "math_inline", "link_open", "substitution_inline"))


@pytest.mark.parametrize("name", pages.GENERATED)
def test_a_generated_page_has_no_more_than_it_has_with_plain_words(name, runs, request):
    plain = count(pages.page(name, BOOK, runs))
    request.getfixturevalue("hostile")
    assert claims()["C01"].quote == HOSTILE
    text = pages.page(name, BOOK, runs)
    assert count(text) == plain
    # Raw blocks are HTML already.
    assert "<script" not in re.sub(r"\\<", "", text) and "<img" not in re.sub(r"\\<", "", text)


@pytest.fixture
def printed(monkeypatch):
    """What a chapter prints."""
    found = []
    monkeypatch.setattr(report, "display", lambda what, **_: found.append(getattr(what, "data", what)))
    return found


def shown():
    """What chapters do with texts of the data, as they do it."""
    from llmpower.formulas import decode

    report.equations(decode.memory_time_s)
    report.claims_of("decode-breakdown")
    machine, net = catalog.accelerator("h100-sxm"), catalog.model("llama-3.1-70b")
    fact = catalog.fact("calibration.csv", "set", "overlap")
    report.say(f"With {net.name} on {machine.name}: {report.quote('C01')}.", f"{fact.note}, {fact.where}")
    report.table(
        [f"on {machine.name}", "of"], [[f"{net.name} {report.cite(net.source)}", machine.name.partition(" (")[0]]]
    )


def test_what_a_chapter_prints_has_no_more_than_with_plain_words(printed, request):
    shown()
    plain = [count(text) for text in printed]
    printed.clear()
    request.getfixturevalue("hostile")
    shown()
    assert [count(text) for text in printed] == plain and any("script" in text for text in printed)


def test_a_text_that_is_glued_is_text_in_a_plain_notebook_too():
    known = {"glue": {"name": HOSTILE}, "cite": {}, "ref": {}, "eq": {}}
    found = count(take_home.plain_markdown("It is {glue:text}`name`.", known))
    assert not any(found.values())


@pytest.mark.parametrize(
    ("table", "old", "new", "told"),
    [
        ("accelerators.csv", "h100-sxm,name", "<b>,name", "column entity: expected letters"),
        ("models.csv", "maxtext2026llama27b,", "a`b,", "column source: expected letters"),
        ("claims.csv", "C01,8,", "C`1,8,", "column id: expected letters"),
        ("coverage.csv", ",index,", ",in)dex,", "column page: expected letters"),
        ("quantities.csv", "batch,B,", "batch,B$,", "column symbol: expected mathematics"),
        ("quantities.csv", "\nbatch,B,", "\nb|tch,B,", "column name: expected letters"),
        ("accelerators.csv", "NVIDIA H100 SXM5 80 GB,", '"a\n```\n",', "expected a row in one line"),
    ],
)
def test_what_stands_in_code_or_in_an_address_is_a_name(data, table, old, new, told):
    text = (data / table).read_text(encoding="utf-8")
    assert old in text
    (data / table).write_text(text.replace(old, new, 1), encoding="utf-8")
    start = f"data/{table}, line "
    assert any(problem.startswith(start) and told in problem for problem in check.facts_problems(BOOK))
