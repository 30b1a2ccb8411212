"""A damaged table of ``data/`` is named by ``llmpower check``, with its file and its line, whatever the damage."""

import csv
import functools
import io

import pytest

import llmpower
from llmpower import cli
from llmpower.book import check
from llmpower.book.fresh import forget
from llmpower.facts import catalog, tables
from tests.conftest import BOOK

# What lies in the folder, not what the package says of it.
FILES = sorted(path.name for path in (BOOK / "data").glob("*.csv"))
# A column of numbers in each table; its second row of data stands in the third line.
NUMBER = dict.fromkeys(FILES, 2) | {
    "accuracy.csv": 3, "claims.csv": 1, "constant_sets.csv": None, "coverage.csv": 0, "measurements.csv": 11,
    "models.csv": 3, "power_runs.csv": 13, "public_cases.csv": 13, "quantities.csv": 4, "server_runs.csv": 11,
    "studies.csv": 3,
    "validation.csv": 11, "wall_runs.csv": 8,
}  # fmt: skip


def cut_to(line, change):
    """Change a line of a text."""

    def damage(text):
        lines = text.split("\n")
        lines[line - 1] = change(lines[line - 1])
        return "\n".join(lines)

    return damage


def columns(row, change):
    """Change the cells of a row."""
    out = io.StringIO()
    csv.writer(out, lineterminator="").writerow(change(next(csv.reader([row]))))
    return out.getvalue()


def number(cells, place):
    return [*cells[:place], "many", *cells[place + 1 :]]


# Damage -> the text that it leaves, and the line that is told of it.
DAMAGES = {
    "byte-order mark": (lambda text: "\ufeff" + text, ", line 1: "),
    "semicolons": (lambda text: text.replace(",", ";"), ", line 1: "),
    "no header": (lambda text: text.partition("\n")[2], ", line 1: "),
    "extra column": (lambda text: "\n".join(f"{line},more" for line in text.splitlines()) + "\n", ", line 1: "),
    "truncated row": (cut_to(3, lambda row: columns(row, lambda cells: cells[:-1])), ", line 3: "),
    "open quotation mark": (cut_to(3, lambda row: columns(row, lambda cells: cells[:-1]) + ',"'), ", line 3: "),
    "row given twice": (cut_to(3, lambda row: f"{row}\n{row}"), ", line 4, column "),
}


def told(table):
    """Problems that name a table."""
    return [problem for problem in check.facts_problems(BOOK) if problem.startswith(f"data/{table}")]


def test_tables_of_the_folder_are_known_and_sound(data):
    assert sorted(tables.TABLES) == FILES
    assert check.facts_problems(BOOK) == []
    (data / "prices.csv").write_text("a,b\n1,2\n")
    assert check.facts_problems(BOOK) == ["data/prices.csv: no table has this name"]


# Lines are read alike in all tables: damages of one line are tried on one of each form.
FORMS = ("accelerators.csv", "claims.csv", "measurements.csv", "models.csv", "studies.csv")
PAIRS = [(table, one) for one, (_, place) in DAMAGES.items() for table in (FILES if "line 1" in place else FORMS)]


@pytest.mark.parametrize(("table", "damage"), PAIRS)
def test_a_damaged_table_is_named_with_its_line(data, table, damage):
    change, place = DAMAGES[damage]
    text = (data / table).read_text(encoding="utf-8")
    (data / table).write_text(change(text), encoding="utf-8")
    assert any(problem.startswith(f"data/{table}{place}") for problem in told(table)), told(table)


@pytest.mark.parametrize("table", FILES)
def test_a_missing_table_is_named(data, table):
    (data / table).unlink()
    assert any("cannot be read: No such file" in problem for problem in told(table))


@pytest.mark.parametrize("table", FILES)
def test_a_byte_of_another_encoding_is_named_with_its_place(data, table):
    lines = (data / table).read_bytes().split(b"\n")
    lines[2] = lines[2][:1] + "é".encode("latin-1") + lines[2][1:]
    (data / table).write_bytes(b"\n".join(lines))
    assert any(problem.startswith(f"data/{table}, line 3, byte 2: expected UTF-8, got 0xe9") for problem in told(table))


@pytest.mark.parametrize("table", [table for table, place in NUMBER.items() if place is not None])
def test_a_word_in_a_cell_of_a_number_is_named(data, table):
    text = (data / table).read_text(encoding="utf-8").split("\n")
    header = text[0].split(",")[NUMBER[table]]
    # In a tidy table a text may stand where a number does in other rows.
    line = next(n for n, row in enumerate(text[2:], 3) if row and ",text," not in row)
    changed = cut_to(line, lambda row: columns(row, functools.partial(number, place=NUMBER[table])))("\n".join(text))
    (data / table).write_text(changed, encoding="utf-8")
    start = f"data/{table}, line {line}, column {header}: expected a number"
    assert any(problem.startswith(start) for problem in told(table)), told(table)


# Table -> a part of it, what somebody made of it, and what is told.
CHANGES = {
    "an unknown type": ("quantities.csv", "batch,B,1,int,", "batch,B,1,integer,", "column type: expected a type"),
    "an unknown unit": ("quantities.csv", "batch,B,1,int,", "batch,B,one,int,", "column unit: expected a known unit"),
    "half a range": ("quantities.csv", "batch,B,1,int,1,", "batch,B,1,int,,", "column high: expected an end"),
    "a comma in a number": ("accuracy.csv", ",27.3,", ',"27,3",', "column p90_pct: expected a number, got '27,3'"),
    "an unknown network": ("measurements.csv", ",qwen3-8b,", ",qwen-8b,", "qwen-8b is not in the catalog's models"),
    "an unknown machine": ("datacenter.csv", "machine,b200,", "machine,b2oo,", "b2oo is not in the catalog's acc"),
    "an unknown format": ("validation.csv", ",fp8,", ",fp9,", "fp9 is not in the catalog's formats"),
    "an unknown format of caches": ("server_runs.csv", ",bf16\n", ",bf61\n", "bf61 is not in the catalog's formats"),
    "an unknown run": ("predictions.csv", "mlenergy_v3-0010,", "mlenergy_v3-9999,", "-9999 is not in measurements.csv"),
    "a run of servers that is gone": ("predictions.csv", "rocm-", "rocn-", "is not in measurements.csv or server_runs"),
    "an unknown page": ("coverage.csv", ",index,", ",indexes,", "column page: indexes is not in _toc.yml"),
    "an unknown chapter": ("claims.csv", ",index,", ",indexes,", "column chapter: indexes is not in _toc.yml"),
    "an unknown source": ("claims.csv", "liminal2025", "liminal2052", "liminal2052 is not in data/references.bib"),
    "a day to come": ("models.csv", ",2026-11-22,", ",3026-11-22,", "column verified: expected no day of the future"),
    "a speed of zero": ("measurements.csv", ",419.171,2526.59,", ",0,2526.59,", "tokens_per_s: expected a number"),
    "a range left": ("accelerators.csv", "h200-sxm,tdp_w,700,", "h200-sxm,tdp_w,700000000,", "expected 0.1 to"),
    "an exam that is gone": ("accuracy.csv", "machine,dense,j_", "machine,thick,j_", "no machine dense"),
    "a name for two": ("accelerators.csv", "aliases,H100;", "aliases,A100;", "accelerators.csv: accelerator alias"),
}  # fmt: skip


@pytest.mark.parametrize("change", CHANGES)
def test_what_no_other_row_bears_out_is_named(data, change):
    table, old, new, expected = CHANGES[change]
    text = (data / table).read_text(encoding="utf-8")
    assert old in text
    (data / table).write_text(text.replace(old, new, 1), encoding="utf-8")
    assert any(expected in problem for problem in told(table)), check.facts_problems(BOOK)


# A row that the code asks for -> what somebody renamed it to, and what is told.
GONE = {
    ("calibration.csv", "set,dense_flop_share"): ("set,saved_share", "data/calibration.csv: set has no dense_flop"),
    ("calibration.csv", "fitted,imbalance"): ("fitting,imbalance", "data/calibration.csv: fitted has no imbalance"),
    ("calibration.csv", "sglang,layer_time_s"): ("sgland,layer_time_s", "data/calibration.csv: sglang has no layer_ti"),
    ("calibration.csv", "set,least_clock_share"): (
        "setting,least_clock_share",
        "data/calibration.csv: set has no least_clock_sh",
    ),
    ("datacenter.csv", "planning,max_load"): ("plans,max_load", "data/datacenter.csv: planning has no max_load"),
    ("energy_constants.csv", "nvlink-4,energy"): ("nvlink-5x,energy", "data/energy_constants.csv: nvlink-4 has no"),
    ("accelerators.csv", "b200,tdp_w,1000,"): ("b200,year,1000,", "data/accelerators.csv"),
    ("formats.csv", "bf16,bytes_per_value"): ("bf17,bytes_per_value", "data/formats.csv: bf16 has no bytes_per_value"),
    ("accuracy.csv", "server,dense,j_"): ("server,thick,j_", "data/accuracy.csv has no server dense"),
    ("accuracy.csv", "laboratory,dense,tok"): ("laboratory,thick,tok", "data/accuracy.csv has no laboratory dense"),
    ("quantities.csv", "\nbatch,"): ("\nbatch_,", "data/quantities.csv has no batch"),
}


@pytest.mark.parametrize("row", GONE, ids=" ".join)
def test_a_row_that_the_code_asks_for_is_named_in_one_line(data, row, capsys):
    (table, old), (new, expected) = row, GONE[row]
    text = (data / table).read_text(encoding="utf-8")
    assert old in text
    (data / table).write_text(text.replace(old, new, 1), encoding="utf-8")
    asked = ["llama-3.1-70b", "h200-sxm", "--queries-per-day", "1e6", "--batch", "8"]
    assert cli.main(["plan", *asked]) == 1
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith("llmpower: ") and expected in line


def test_an_end_that_no_source_gives_is_no_fault(data):
    text = (data / "datacenter.csv").read_text(encoding="utf-8")
    rows = [cells for cells in tables.rows("datacenter.csv") if cells.row["quantity"] == "host_power_w"]
    assert rows
    for cells in rows:
        ends = ",".join(cells.row[name] for name in ("value", "low", "high"))
        text = text.replace(f"host_power_w,{ends},", f"host_power_w,{cells.row['value']},,,")
    (data / "datacenter.csv").write_text(text, encoding="utf-8")
    forget()
    assert not catalog.fact("datacenter.csv", rows[0].row["entity"], "host_power_w").low
    assert llmpower.plan("llama-3.1-70b", "h100-sxm", queries_per_day=1e6, batch=8)
    assert check.facts_problems(BOOK) == []


def test_check_tries_what_an_estimate_and_a_plan_ask_for(data, capsys):
    text = (data / "calibration.csv").read_text(encoding="utf-8")
    assert "fitted,operation_tdp_share" in text
    text = text.replace("fitted,operation_tdp_share", "fitted,saved_share")
    (data / "calibration.csv").write_text(text, encoding="utf-8")
    assert cli.main(["check", "--book", str(BOOK)]) == 1
    assert "data/calibration.csv: fitted has no operation_tdp_share" in capsys.readouterr().out.splitlines()
