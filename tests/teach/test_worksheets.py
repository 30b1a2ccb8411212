"""Worksheets as students get them, and grades as a teacher gets them back: good, odd, broken and hostile files."""

import csv
import json
import os
import pathlib
import re
import subprocess
import sys
import zipfile

import hypothesis
import nbformat
import pytest
from hypothesis import strategies as st

from llmpower import questions
from llmpower.arguments import ParameterError
from llmpower.teach import grade, roster, worksheet
from llmpower.text import text as text_of
from tests.conftest import BOOK

CHAPTER = "decode-breakdown"
NAMES = ["Ada Lovelace", "José Pérez", "O'Neil, Shaquille", "李 明", "=cmd|' /C calc'!A0"]


@pytest.fixture(scope="module")
def given(tmp_path_factory):
    """A class of thirty, its worksheets, and the key by student and question."""
    place = tmp_path_factory.mktemp("class")
    names = NAMES + [f"Student {number}" for number in range(len(NAMES), 30)]
    lines = [f's{number:02},"{name}",A' for number, name in enumerate(names)]
    (place / "roster.csv").write_text("\n".join(["id,name,Section", *lines]) + "\n", encoding="utf-8")
    assert worksheet.write(BOOK, CHAPTER, place / "roster.csv", "secret", place / "sheets") == "secret"
    with open(place / "sheets" / "key.csv", encoding="utf-8-sig", newline="") as file:
        key = {}
        for row in csv.DictReader(file):
            key.setdefault(row["id"], {})[row["question"]] = row
    return place, key


def answers(key):
    return {
        name: f"{row['answer']} {row['unit']}".strip() if row["unit"] != "1" else row["answer"]
        for name, row in key.items()
    }


def notebook(place, student, told=None, change=None):
    """A worksheet with answers, as a student would save it."""
    held = nbformat.read(place / "sheets" / "students" / student / f"{CHAPTER}-{student}.ipynb", as_version=4)
    cell = next(one for one in held.cells if one.get("id") == "answers")
    names = {}
    exec(cell.source, names)  # Our own, and plain data.
    who, told = names["student"], {**names["answers"], **(told or {})}
    cell.source = f"student = {json.dumps(who, ensure_ascii=False)}\nanswers = {json.dumps(told, ensure_ascii=False)}"
    if change:
        change(held, cell)
    return held


def hand_in(folder, name, held):
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    nbformat.write(held, path) if hasattr(held, "cells") else path.write_text(held, encoding="utf-8")


def graded(place, folder):
    students, unknown = grade.grade(folder, place / "sheets" / "key.csv", folder / "grades", lambda line: None)
    return {one.id: one for one in students}, unknown


def test_thirty_worksheets_differ_and_come_out_the_same_again(given, tmp_path):
    place, key = given
    sheets = {student: tuple(row["how"] for row in rows.values()) for student, rows in key.items()}
    assert len(sheets) == len(set(sheets.values())) == 30
    worksheet.write(BOOK, CHAPTER, place / "roster.csv", "secret", tmp_path / "again")
    files = sorted(path.relative_to(tmp_path / "again") for path in (tmp_path / "again").rglob("*.*"))
    assert len(files) == 1 + 30 * 3
    assert all((tmp_path / "again" / one).read_bytes() == (place / "sheets" / one).read_bytes() for one in files)
    worksheet.write(BOOK, CHAPTER, place / "roster.csv", "other", tmp_path / "other")
    assert (tmp_path / "other" / "key.csv").read_bytes() != (place / "sheets" / "key.csv").read_bytes()


def test_no_worksheet_holds_an_answer(given):
    place, key = given
    for student, rows in key.items():
        for path in (place / "sheets" / "students" / student).glob(f"{CHAPTER}*"):
            text = path.read_text(encoding="utf-8").replace("12.5 ms", "")
            for row in rows.values():
                assert row["how"] not in text
                answer = row["unit"] and f"{text_of(float(row['answer']), '1')} {row['unit']}"
                assert not answer or row["unit"] == "1" or not re.search(rf"(?<![\d.,]){re.escape(answer)}", text)


def test_answers_by_hand(given):
    """Ada's, worked out from the words of her sheet."""
    place, key = given
    text = (place / "sheets" / "students" / "s00" / f"{CHAPTER}-s00.ipynb").read_text(encoding="utf-8")
    bandwidth, size = re.search(r"reads ([\d.]+) TB/s from its memory. A dense network has ([\d.]+) GB", text).groups()
    assert float(key["s00"]["read-once"]["answer"]) == pytest.approx(float(size) / float(bandwidth), rel=1e-5)
    price, moved = re.search(r"takes ([\d.]+) pJ/bit.*?move ([\d.]+) GB", text, re.DOTALL).groups()
    assert float(key["s00"]["price-of-a-bit"]["answer"]) == pytest.approx(
        float(moved) * 8e9 * float(price) * 1e-12, rel=1e-5
    )


def test_a_class_comes_back(given, tmp_path):
    place, key = given
    for student, rows in key.items():
        told = answers(rows)
        if student == "s01":
            told["price-of-a-bit"] = f"{float(rows['price-of-a-bit']['answer'])} mJ"
        if student == "s02":
            told = {}
        if student == "s03":
            hand_in(tmp_path, "final_version (2).ipynb", notebook(place, student, told))
            continue
        if student == "s05":
            held = notebook(place, student, told)
            held.cells.append(nbformat.v4.new_code_cell("import os\nos.system('touch /tmp/was-run')"))
            hand_in(tmp_path, f"{CHAPTER}-{student}.ipynb", held)
            continue
        if student == "s06":
            continue
        hand_in(tmp_path, f"{student}/{CHAPTER}-{student}.ipynb", notebook(place, student, told))
    found, unknown = graded(place, tmp_path)
    full = len(key["s00"])
    assert not unknown and found["s00"].score == full and found["s00"].status == "graded"
    assert found["s01"].score == full - 1
    words = next(words for row, _, right, words in found["s01"].answers if not right)
    assert words.startswith("it is off by a factor of 1,000: look at the prefixes, such as milli")
    assert (found["s02"].score, found["s02"].status) == (0, "empty")
    assert found["s03"].score == full and found["s03"].remarks == ["the file has another name than it was given"]
    assert found["s05"].score == full and found["s05"].remarks == [
        "its own cells name os.system; nothing of it was run"
    ]
    assert (found["s06"].score, found["s06"].status) == (None, "missing")
    assert all(one.score == full for student, one in found.items() if student > "s06")
    assert not os.path.exists("/tmp/was-run")
    out = tmp_path / "grades"
    with open(out / "canvas.csv", encoding="utf-8", newline="") as file:
        first, *rows = csv.DictReader(file)
    assert list(first) == ["Student", "ID", "SIS User ID", "SIS Login ID", "Section", f"Worksheet {CHAPTER}"]
    assert first["Student"] == "Points Possible" and rows[0]["Section"] == "A" and rows[0]["SIS User ID"] == "s00"
    with open(out / "questions.csv", encoding="utf-8-sig", newline="") as file:
        missed = {one["question"]: one for one in csv.DictReader(file)}
    # Of 29 that came back one is empty and one is off by a thousand.
    assert (missed["price-of-a-bit"]["right"], missed["price-of-a-bit"]["of"]) == ("27", "29")
    assert missed["read-once"]["right"] == "28" and missed["read-once"]["most_told"] == "1 times: not answered"
    record = json.loads((out / "gradescope" / "s01.json").read_text(encoding="utf-8"))
    assert record["score"] == full - 1 and [one["max_score"] for one in record["tests"]] == [1] * full
    assert "1,000" in (out / "feedback" / "s01.txt").read_text(encoding="utf-8")
    assert "'=cmd" in (out / "grades.csv").read_text(encoding="utf-8")
    # Once more, with last week's grades in the folder.
    assert graded(place, tmp_path)[0]["s00"].score == full


LOSSES = {
    "renamed": (
        lambda held, cell: setattr(cell, "source", cell.source.replace("Student 7", "Student 8")),
        "not those of one student",
    ),
    "broken literal": (lambda held, cell: setattr(cell, "source", cell.source[:-4]), "a slip in line"),
    "code in the cell": (
        lambda held, cell: setattr(cell, "source", cell.source + "\nimport os"),
        "more than answers, in line 3",
    ),
    "a call for an answer": (
        lambda held, cell: setattr(
            cell, "source", "student = {}\nanswers = {'read-once': __import__('os').system('id')}"
        ),
        "not plain data, in line 2",
    ),
    "no cell": (lambda held, cell: held.cells.remove(cell), "the cell of answers is gone"),
    "deep": (lambda held, cell: setattr(cell, "source", "student = {}\nanswers = " + "[" * 5000), "cell of answers"),
}


@pytest.mark.parametrize("kind", LOSSES)
def test_what_cannot_be_graded_is_told_and_stops_nobody(given, tmp_path, kind):
    place, key = given
    change, words = LOSSES[kind]
    hand_in(tmp_path, f"{CHAPTER}-s07.ipynb", notebook(place, "s07", answers(key["s07"]), change))
    hand_in(tmp_path, f"{CHAPTER}-s09.ipynb", notebook(place, "s09", answers(key["s09"])))
    found, _ = graded(place, tmp_path)
    assert found["s07"].score is None and any(words in one for one in found["s07"].remarks), found["s07"]
    assert words in (tmp_path / "grades" / "feedback" / "s07.txt").read_text(encoding="utf-8")
    assert found["s07"].status == "to look at" and found["s09"].score == len(key["s09"])


def test_files_that_are_none(given, tmp_path):
    place, key = given
    for name, text in {
        "s07.ipynb": "",
        "s08.ipynb": "not JSON",
        "s10.json": "[" * 100_000,
        "s11.pdf": "x",
        "s12.json": "{}",
    }.items():
        hand_in(tmp_path, f"{CHAPTER}-{name}", text)
    (tmp_path / f"{CHAPTER}-s13.ipynb").symlink_to("/etc/passwd")
    os.mkfifo(tmp_path / f"{CHAPTER}-s14.json")
    with open(tmp_path / f"{CHAPTER}-s15.json", "wb") as file:
        file.truncate(30_000_000)
    found, _ = graded(place, tmp_path)
    told = {student: " ".join(found[student].remarks) for student in "s07 s08 s10 s11 s12 s13 s14 s15".split()}
    expected = {
        "s07": "an empty file", "s08": "not JSON", "s10": "not JSON", "s11": "expected a notebook",
        "s12": "names no student", "s13": "a link", "s14": "not a plain file", "s15": "more than 20 MB",
    }  # fmt: skip
    for student, words in expected.items():
        assert words in told[student] and found[student].status == "to look at"


def test_a_zip_is_graded_wherever_its_names_lead(given, tmp_path):
    place, key = given
    (tmp_path / "in").mkdir()
    with zipfile.ZipFile(tmp_path / "in" / "handed.zip", "w") as pack:
        for student, name in (
            ("s07", "../../s07.ipynb"),
            ("s08", "/etc/s08.ipynb"),
            ("s09", "Nine (1)_assign/s09.ipynb"),
        ):
            pack.writestr(name, nbformat.writes(notebook(place, student, answers(key[student]))))
        pack.writestr("s10.json", json.dumps({"student": {"id": "s10", "name": "Student 10"}, "answers": {}}))
        pack.writestr("__MACOSX/x.bin", "x")
        pack.writestr("Twelve_s12/scan.pdf", "x")
        pack.writestr("s11.ipynb", "x" * 5000, zipfile.ZIP_STORED)
    # One file of it is damaged.
    data = bytearray((tmp_path / "in" / "handed.zip").read_bytes())
    data[data.index(b"x" * 5000) + 100] ^= 1
    (tmp_path / "in" / "handed.zip").write_bytes(data)
    key_file = place / "sheets" / "key.csv"
    students, _ = grade.grade(tmp_path / "in" / "handed.zip", key_file, tmp_path / "grades", lambda line: None)
    found = {one.id: one for one in students}
    assert [found[one].score for one in ("s07", "s08", "s09", "s10")] == [8, 8, 8, 0]
    assert "damaged" in found["s11"].remarks[0] and "expected a notebook" in found["s12"].remarks[0]
    assert sorted(one.name for one in tmp_path.rglob("*.ipynb")) == [] and sorted(os.listdir(tmp_path)) == [
        "grades",
        "in",
    ]


def test_two_files_of_one_student(given, tmp_path):
    place, key = given
    told = answers(key["s07"])
    hand_in(tmp_path, f"a/{CHAPTER}-s07.ipynb", notebook(place, "s07", told))
    saved = {"worksheet": CHAPTER, "student": {"id": "s07", "name": "Student 7"}, "answers": told}
    hand_in(tmp_path, f"b/{CHAPTER}-s07.json", json.dumps(saved))
    assert graded(place, tmp_path)[0]["s07"].score == len(told)
    hand_in(tmp_path, f"c/{CHAPTER}-s07.json", json.dumps(saved | {"answers": told | {"read-once": "1 ms"}}))
    found = graded(place, tmp_path)[0]["s07"]
    assert found.status == "handed in twice" and found.score is None and "c/" in found.remarks[0]
    text = (tmp_path / "grades" / "feedback" / "s07.txt").read_text(encoding="utf-8")
    assert "ask your teacher" in text and "leave one" not in text


def test_of_several_saved_pages_the_last_one_counts(given, tmp_path):
    place, key = given
    told = answers(key["s07"])
    saved = {"worksheet": CHAPTER, "student": {"id": "s07", "name": "Student 7"}}
    for name, hour, one in (("a", 10, told | {"read-once": ""}), ("b", 11, told)):
        record = saved | {"answers": one, "saved": f"2030-01-31T{hour}:00:00.000Z"}
        hand_in(tmp_path, f"{CHAPTER}-s07 ({name}).json", json.dumps(record))
    hand_in(tmp_path, "other-s07.json", json.dumps(saved | {"worksheet": "tokens-per-watt", "answers": {"x": "1"}}))
    found = graded(place, tmp_path)[0]["s07"]
    assert found.score == len(told) and found.status == "graded"
    assert "a worksheet of tokens-per-watt" in found.remarks[0] and "saved last counts" in found.remarks[1]


def test_hostile_files_under_a_watch(given, tmp_path):
    """Grading opens what was handed in, the key and its own results; it starts nothing and asks for no network."""
    place, key = given
    told = answers(key["s07"])
    evil = dict.fromkeys(told, f"__import__('os').system('touch {tmp_path}/owned')")
    hand_in(tmp_path, f"in/{CHAPTER}-s07.ipynb", notebook(place, "s07", evil, lambda held, cell: held.cells.append(
        nbformat.v4.new_code_cell(f"import subprocess\nsubprocess.run(['touch', '{tmp_path}/owned'])"))))  # fmt: skip
    hand_in(
        tmp_path,
        f"in/{CHAPTER}-s08.json",
        json.dumps({"student": {"id": "../../s08", "name": "Student 8"}, "answers": told}),
    )
    program = """
import json, pathlib, sys
from llmpower.teach import grade
opened, other, STARTS = [], [], ("os.system", "os.exec", "os.posix_spawn", "os.fork")
def watch(event, arguments):
    if event == "open":
        opened.append(str(arguments[0]))
    elif event.partition(".")[0] in ("subprocess", "socket", "ctypes", "exec", "compile") or event in STARTS:
        other.append(getattr(arguments[0], "co_filename", event) if event == "exec" else event)
sys.addaudithook(watch)
grade.grade(sys.argv[1], sys.argv[2], sys.argv[3])
print(json.dumps([opened, other]))
"""
    key_file = place / "sheets" / "key.csv"
    command = [sys.executable, "-c", program, str(tmp_path / "in"), str(key_file), str(tmp_path / "out")]
    done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=BOOK)
    assert not done.returncode, done.stderr
    opened, other = json.loads(done.stdout.splitlines()[-1])
    # Python's own parser, which `ast` asks for, is the only compiling; executed are modules that are installed.
    places = (sys.prefix, sys.base_prefix, str(BOOK / "llmpower"), "<frozen")
    assert not [one for one in other if one != "compile" and not one.startswith(places)]
    mine = [str(tmp_path), str(key_file), sys.prefix, sys.base_prefix, str(BOOK / "llmpower"), str(BOOK / "data")]
    assert not [one for one in opened if os.path.isabs(one) and not one.startswith(tuple(mine))]
    assert not (tmp_path / "owned").exists()
    with open(tmp_path / "out" / "answers.csv", encoding="utf-8-sig") as file:
        assert not any(int(row["right"]) for row in csv.DictReader(file))


def row(answer=2.5, unit="J", **more):
    return {"answer": answer, "unit": unit, "tolerance": 0.02, "slips": []} | more


# Given to a question whose answer is 2.5 J, what a teacher would say.
SLIPS = {
    "2500": "1,000", "2.5 mJ": "1,000", "0.000694": "watt-hours", "9000": "watt-hours", "-2.5": "sign",
    "2.5 W": "W is power; asked for is energy, in J", "2.5 s": "s is time", "": "not answered", "[1]": "not a number",
    "1e999": "", "2.5 m": "not read as a unit; asked for is J", "2.5 kJ": "1,000", "2.5 %": "per cent were given",
    "5/2": "not read as a unit", "2.500.000": "not read", "True": "not a number", "2,500,000": "micro or mega",
}  # fmt: skip


@pytest.mark.parametrize("told", SLIPS)
def test_feedback_knows_physics(told):
    right, words = grade.judged(row(), told)
    assert not right and SLIPS[told] in words


GOOD = [
    "2.5", "2.5 J", "2,5 J", "2.5e0", "0.25 x 10^1 J", "2500 mJ", "≈2.51", 2.5, "2.5 joules", "+2.5J", "0.0025 kJ",
    "2.5e6 µJ", "2.5 Ws", "0.000694 Wh", "about 2.5 J", "2,500 mJ", "2 500 mJ", "2,500", "25e-1 J.", "2.5 j/token",
]  # fmt: skip


@pytest.mark.parametrize("told", GOOD)
def test_what_counts_as_right(told):
    assert grade.judged(row(), told) == (True, "")


@pytest.mark.parametrize(
    ("told", "answer", "unit"),
    [
        ("303 answers", 303.75, "1"), ("26,677", 26677, "1"), ("26 677", 26677, "1"), ("26.7k", 26677, "1"),
        ("26677 tokens", 26677, "1"), ("1111/day", 1110.9, "1"), ("61,5 %", 61.5, "%"), ("0.615", 0.615, "1"),
        ("61.5 %", 0.615, "1"), ("443 tokens/min", 7.385, "tokens/s"), ("7,385 tok/s", 7.385, "tokens/s"),
        ("6863 us", 6.863, "ms"), ("0.006863 s", 6.863, "ms"), ("6,863", 6.863, "ms"), ("8.5 million", 8.5e6, "1"),
    ],
)  # fmt: skip
def test_right_in_other_words(told, answer, unit):
    assert grade.judged(row(answer, unit), told)[0]


@pytest.mark.parametrize("told", ["26677 J", "53.6 W", "7.38 J"])
def test_a_unit_where_none_belongs_is_told(told):
    assert grade.judged(row(float(told.split()[0]), "1"), told)[1].startswith(f"{told.split()[1]} was given; asked for")


def test_bits_for_bytes_and_shares():
    assert "bits" in grade.judged(row(2.5, "B"), "20")[1]
    assert "per cent" in grade.judged(row(0.615, "1"), "61.5")[1]
    assert "per cent" in grade.judged(row(61.5, "%"), "0.615")[1]


@pytest.mark.parametrize(
    ("told", "right"), [("D", 1), ("d)", 1), ("D: Sentence 4", 1), ("(D)", 1), ("C", 0), ("Dunno", 0)]
)
def test_letters(told, right):
    choice = {"answer": "D", "unit": "", "slips": {"C": "no"}}
    assert grade.judged(choice, told)[0] == bool(right)


@hypothesis.given(st.one_of(st.text(), st.integers(), st.floats(), st.booleans(), st.none(), st.lists(st.text())))
@hypothesis.example("9" * 5000)
@hypothesis.example(10**5000)
@hypothesis.example("1e400 x 10^-400")
def test_nothing_that_is_given_stops_grading(given_answer):
    for one in (row(), row(61.5, "%"), {"answer": "D", "unit": "", "slips": {}}):
        right, words = grade.judged(one, given_answer)
        assert right in (True, False) and isinstance(words, str)


def test_a_gibibyte_is_no_gigabyte():
    assert grade.judged(row(80.0, "GB"), "74.5 GiB") == (True, "")
    assert "gibibyte" in grade.judged(row(80.0, "GB"), "74.5")[1]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("name,number\nAda,1\n", "no column id"),
        ("id,name\n1,Ada\n1,Bob\n", "line 3: id '1' stands in line 2 already"),
        ("id,name\n../etc,Ada\n", "line 2: id '../etc': expected"),
        ("id,name\n1,\n", "line 2: no name"),
        ("id,name\n", "no column id"),
    ],
)
def test_a_list_that_cannot_be_used(tmp_path, text, words):
    (tmp_path / "roster.csv").write_text(text)
    with pytest.raises(ParameterError) as told:
        worksheet.write(BOOK, CHAPTER, tmp_path / "roster.csv", "1", tmp_path / "out")
    assert words in str(told.value) and not (tmp_path / "out").exists()


def test_a_canvas_gradebook_is_a_list(tmp_path):
    text = 'Student,ID,SIS User ID,SIS Login ID,Section\n"    Points Possible",,,,\n"Lovelace, Ada",77,A1,ada,S1\n'
    (tmp_path / "canvas.csv").write_bytes(b"\xef\xbb\xbf" + text.encode())
    (one,) = roster.students(tmp_path / "canvas.csv")
    assert (one.id, one.name, one.also["SIS Login ID"], one.also["ID"]) == ("77", "Lovelace, Ada", "ada", "77")


def test_worksheets_that_were_given_out_stay(given):
    place, _ = given
    with pytest.raises(ParameterError, match="given out stay"):
        worksheet.write(BOOK, CHAPTER, place / "roster.csv", "2", place / "sheets")


def test_questions_of_all_chapters_are_drawn_and_answered():
    from llmpower.book import files

    asked = 0
    for path in files.chapters(BOOK).values():
        assert questions.problems(path) == []
        asked += len(questions.questions(path))
    assert asked >= 7
    assert pathlib.Path(BOOK / "chapters" / f"{CHAPTER}.questions.yml").is_file()
