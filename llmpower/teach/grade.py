"""Grades from what students hand in: it is read as data, and nothing in it is ever run.

An answer is compared with the key within its tolerance; what is off by a factor that a slip of physics makes is told
so.  Whatever is wrong with one file is told of that student and stops nobody else.
"""

import ast
import collections
import contextlib
import itertools
import json
import os
import pathlib
import re
import shutil
import stat
import tempfile
import zipfile
import zlib
from dataclasses import dataclass, field

from llmpower import questions
from llmpower.arguments import ParameterError
from llmpower.facts.units import UNITS
from llmpower.teach import roster
from llmpower.teach.worksheet import ANSWERS, KEY, SPREADSHEET, table
from llmpower.text import unit_text

FOLDER = "grades"
_MOST_FILES, _MOST_BYTES, _MOST_CELL, _MOST_ANSWER, _MOST_PACKED = 20_000, 20_000_000, 50_000, 200, 2_000_000_000
# Where a notebook or a page's file is opened it must not lead elsewhere, nor wait for anybody.
_OPEN = os.O_RDONLY | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0)
# What no worksheet needs; it is told, not looked into.
_HOSTILE = re.compile(
    r"\b(os\.system|os\.popen|os\.remove|subprocess|shutil\.rmtree|socket|__import__|eval|exec)\b|^\s*!", re.MULTILINE
)
_NUMBER = re.compile(
    r"""(?: about | approximately | approx\. | ca\. | [≈~=<>≤≥] )? \s*
    ([+-]? (?: \d[\d,]*\.?\d* | \.\d+ ) (?:[eE][+-]?\d+)?)     # digits
    (?: \s* [x×*·] \s* 10 \s* (?:\^|\*\*) \s* ([+-]?\d+) )?    # times a power of ten
    \s* (.*)                                                    # its unit""",
    re.DOTALL | re.VERBOSE | re.IGNORECASE,
)
_THOUSANDS = re.compile(r"(?<=\d)[ \u00a0\u202f](?=\d{3}\b)")
_NO_LETTER = "not the letter of a choice"
_TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z")
# Units as students write them, beside those of the tables.
_WRITTEN = {
    "percent": "%", "per cent": "%", "joule": "J", "joules": "J", "watt": "W", "watts": "W", "second": "s",
    "seconds": "s", "sec": "s", "milliseconds": "ms", "hours": "h", "bytes": "B", "byte": "B", "gib": "GiB",
    "j/token": "J", "ws": "J", "tok/s": "tokens/s", "token/s": "tokens/s", "t/s": "tokens/s", "$": "usd",
    "tokens per second": "tokens/s", "tokens/second": "tokens/s", "tokens": "1", "token": "1", "mm²": "mm2",
    "dollars": "usd",
}  # fmt: skip
_MORE = {"min": ("s", 60), "day": ("s", 86400), "days": ("s", 86400), "tokens/min": ("1/s", 1 / 60)}
_MORE |= {"thousand": ("1", 1e3), "million": ("1", 1e6), "billion": ("1", 1e9)}
_PREFIXES = {"p": 1e-12, "n": 1e-9, "u": 1e-6, "m": 1e-3, "k": 1e3, "M": 1e6, "G": 1e9, "T": 1e12, "P": 1e15}
_PREFIXED = ("J", "W", "Wh", "s", "B", "B/s", "FLOP", "FLOP/s", "V", "A", "Hz", "J/B", "J/FLOP", "")
# SI unit -> what it is, for who gave another kind.
_KINDS = {
    "J": "energy",
    "W": "power",
    "s": "time",
    "B": "bytes",
    "B/s": "bytes a second",
    "1/s": "a rate",
    "V": "a voltage",
}


class Unreadable(Exception):
    """A file that is no worksheet, in words for the teacher."""


@dataclass
class Handed:
    """What a file holds: who says to be its student, and the answers by question."""

    file: str
    student: dict
    answers: dict
    chapter: str = ""
    saved: str = ""
    remarks: list = field(default_factory=list)


@dataclass
class Graded:
    """What came of a student: how many answers are right, of how many, and a line on each question."""

    id: str
    name: str
    status: str
    score: int | None
    of: int
    file: str = ""
    remarks: list = field(default_factory=list)
    answers: list = field(default_factory=list)


def grade(place, key, out, say=print):
    """Grade all files of a folder against a key; returns the students as `Graded`, in the order of the key.

    out: a folder for ``grades.csv``, ``answers.csv``, feedback, and files for Canvas and Gradescope.
    """
    place, rows = pathlib.Path(place), _key(key)
    if place.is_file() and zipfile.is_zipfile(place):
        with tempfile.TemporaryDirectory() as unpacked:
            return grade(_unpacked(place, pathlib.Path(unpacked) / "handed-in"), key, out, say)
    if not place.is_dir():
        raise ParameterError([f"{place}: expected a folder, or a ZIP file, of what students handed in"])
    out = pathlib.Path(out).resolve()
    if out.exists() and not (out / "grades.csv").is_file() and (not out.is_dir() or any(out.iterdir())):
        raise ParameterError([f"--out {out}: not a folder of grades; name a new or an empty one"])
    handed, strange = [], []
    for number, path in enumerate(_files(place, out), start=1):
        name = str(path.relative_to(place))
        try:
            handed.append(read(path, name))
        except Unreadable as error:
            strange.append((name, str(error)))
        if not number % 200:
            say(f"  {number} files read")
    students, unknown = _matched(rows, handed, strange)
    _write(out, rows, students, unknown)
    return students, unknown


def _key(path):
    listed = roster.rows(path)
    if missing := [name for name in KEY if name not in (listed[0][1] if listed else ())]:
        raise ParameterError([f"--key {path}: not the key of worksheets: no column {', '.join(missing)}"])
    found = {}
    for line, row in listed:
        try:
            row["slips"] = json.loads(row["slips"])
            if row["unit"]:
                row["answer"], row["tolerance"] = float(row["answer"]), float(row["tolerance"])
            if row["unit"] not in ("", "%", *UNITS) or row["kind"] not in questions.KINDS:
                raise ValueError
        except (ValueError, RecursionError):
            raise ParameterError([f"--key {path}, line {line}: not as `llmpower worksheet` wrote it"]) from None
        found.setdefault(row["id"], []).append(row)
    return found


def _unpacked(pack, folder):
    """Folder with what a ZIP holds; names lead nowhere else, and what is no worksheet is there by its name alone."""
    left = _MOST_PACKED
    with zipfile.ZipFile(pack) as held:
        for number, one in enumerate(held.infolist()):
            if one.is_dir() or one.filename.startswith("__MACOSX") or number > _MOST_FILES:
                continue
            # A folder a file, since several may have one name.
            target = folder / f"{number:05}" / re.sub(r"[^\w.@+ ()-]", "_", one.filename).lstrip(".")[-150:]
            target.parent.mkdir(parents=True)
            data = b""
            if target.suffix.lower() in (".ipynb", ".json"):
                # Unpacked is what it turns out to be, not what it says; a damaged one is told of its student.
                try:
                    with held.open(one) as file:
                        data = file.read(min(_MOST_BYTES + 1, left))
                except (zipfile.BadZipFile, zlib.error, RuntimeError, NotImplementedError, EOFError):
                    data = b"damaged"
            left -= len(data)
            if left <= 0:
                raise ParameterError([f"{pack}: more than {_MOST_PACKED / 1e9:.0f} GB unpacked"])
            target.write_bytes(data)
    return folder


def _files(place, out):
    """Files below a folder, of which none is our own; links are not followed."""
    found = []
    for folder, folders, names in os.walk(place):
        here = pathlib.Path(folder)
        folders[:] = sorted(
            one for one in folders if not one.startswith((".", "__MACOSX")) and (here / one).resolve() != out
        )
        found += [here / name for name in sorted(names) if not name.startswith(".") and name != "key.csv"]
    if len(found) > _MOST_FILES:
        raise ParameterError([f"{place}: {len(found):,} files; expected what one class handed in"])
    return found


def read(path, name):
    """What a file holds, as `Handed`; `Unreadable` says why it is no worksheet."""
    ending = path.suffix.lower()
    if ending not in (".ipynb", ".json"):
        raise Unreadable("expected a notebook (.ipynb) or what the page saved (.json)" if ending != ".csv" else "")
    try:
        descriptor = os.open(path, _OPEN)
        with os.fdopen(descriptor, "rb") as file:
            if not stat.S_ISREG(os.fstat(descriptor).st_mode):
                raise Unreadable("not a plain file")
            data = file.read(_MOST_BYTES + 1)
    except OSError as error:
        raise Unreadable(
            "a link, which is not followed" if path.is_symlink() else f"cannot be read: {error.strerror}"
        ) from None
    if len(data) > _MOST_BYTES:
        raise Unreadable(f"more than {_MOST_BYTES / 1e6:.0f} MB")
    if not data.strip():
        raise Unreadable("an empty file")
    try:
        held = json.loads(data.decode("utf-8-sig"))
    except (ValueError, RecursionError):
        raise Unreadable("damaged: not JSON, as a notebook or a saved page is") from None
    if not isinstance(held, dict):
        raise Unreadable("no worksheet: it holds no record")
    return _of_page(name, held) if ending == ".json" and "cells" not in held else _of_notebook(name, held)


def _of_page(name, held):
    found = _checked(name, held.get("student"), held.get("answers"), held.get("worksheet"))
    # As a browser's clock has it: 2030-01-31T12:00:00.000Z.
    found.saved = saved if isinstance(saved := held.get("saved"), str) and _TIME.fullmatch(saved) else ""
    return found


def _of_notebook(name, held):
    cells = held.get("cells")
    if not isinstance(cells, list):
        raise Unreadable("no notebook: it has no cells")
    code = [one for one in cells if isinstance(one, dict) and one.get("cell_type") == "code"]
    texts = [_source(one) for one in code]
    own = [text for one, text in zip(code, texts) if one.get("id") == ANSWERS]
    # Some programs give cells new names.
    own = own or [text for text in texts if re.search(r"^answers\s*=", text, re.MULTILINE)]
    if len(own) != 1:
        raise Unreadable("the cell of answers is gone" if not own else f"{len(own)} cells of answers; expected one")
    about = held.get("metadata")
    about = about.get("llmpower") if isinstance(about, dict) else None
    found = _checked(name, *_literals(own[0]), about.get("worksheet") if isinstance(about, dict) else "")
    if not any(found.answers.values()) and any(text.strip() for text in texts if text != own[0]):
        found.remarks.append("other cells hold something, the cell of answers nothing")
    if calls := sorted({one[0].strip() or "!" for text in texts for one in [_HOSTILE.search(text)] if one}):
        found.remarks.append(f"its own cells name {', '.join(calls)}; nothing of it was run")
    return found


def _source(cell):
    source = cell.get("source", "")
    if isinstance(source, list) and all(isinstance(line, str) for line in source):
        source = "".join(source)
    return source if isinstance(source, str) and len(source) <= _MOST_CELL else ""


def _literals(source):
    """The two dictionaries of the cell of answers; whatever is not plain data is refused, unread."""
    try:
        found = {}
        for one in ast.parse(source).body:
            if not (isinstance(one, ast.Assign) and len(one.targets) == 1 and isinstance(one.targets[0], ast.Name)):
                raise Unreadable(f"the cell of answers holds more than answers, in line {one.lineno}; it was not run")
            try:
                found[one.targets[0].id] = ast.literal_eval(one.value)
            except (ValueError, TypeError, RecursionError, MemoryError):
                raise Unreadable(
                    f"the cell of answers is not plain data, in line {one.lineno}; it was not run"
                ) from None
    except SyntaxError as error:
        raise Unreadable(
            f"the cell of answers has a slip in line {error.lineno}, such as a quote or a comma that is missing"
        ) from None
    except (ValueError, RecursionError, MemoryError):
        raise Unreadable("the cell of answers cannot be read") from None
    return found.get("student"), found.get(ANSWERS)


def _checked(name, student, answers, chapter):
    if not isinstance(student, dict) or not isinstance(answers, dict):
        raise Unreadable("no worksheet: it names no student and no answers")
    who = {one: _short(student.get(one, "")) for one in ("id", "name")}
    given = {_short(one): told for one, told in itertools.islice(answers.items(), 1000)}
    return Handed(name, who, given, str(chapter or "")[:_MOST_ANSWER])


def _matched(rows, handed, strange):
    """Each student of the key with what is known of it, and files that belong to nobody."""
    ids = {who.lower(): who for who in rows}
    claims, unknown = {who: [] for who in rows}, []
    for one in handed:
        who = ids.get(one.student["id"].strip().lower())
        by_name = [other for other, asked in rows.items() if roster.alike(asked[0]["name"], one.student["name"])]
        if who and roster.alike(rows[who][0]["name"], one.student["name"]):
            claims[who].append((one, ""))
        elif who or by_name:
            told = f"its student is {one.student['id']!r}, {one.student['name']!r}"
            for other in {*([who] if who else []), *by_name}:
                claims[other].append((one, f"{told}; id and name are not those of one student"))
        else:
            unknown.append((one.file, f"nobody of the key: {one.student['id']!r}, {one.student['name']!r}"))
    # What cannot be read belongs to whom its name, or that of its folder, names.
    lost = {who: [] for who in rows}
    for file, why in strange:
        named = [who for who in rows if re.search(rf"(?<![^\W_]){re.escape(who)}(?![^\W_])", file, re.IGNORECASE)]
        if why:
            (lost[named[0]] if len(named) == 1 else unknown).append((file, why))
    students = [_student(asked, claims[who], lost[who]) for who, asked in rows.items()]
    return students, unknown


def _student(asked, claims, lost):
    first = asked[0]
    found = Graded(first["id"], first["name"], "graded", None, len(asked))
    found.remarks += [f"{file}: {why}" for file, why in lost]
    found.remarks += [f"{one.file}: {why}" for one, why in claims if why]
    good = [one for one, why in claims if not why]
    other = [one for one in good if one.chapter and one.chapter != first["chapter"]]
    found.remarks += [f"{one.file}: a worksheet of {one.chapter}, not of {first['chapter']}" for one in other]
    good = [one for one in good if one not in other]
    if not good:
        found.status = "to look at" if found.remarks else "missing"
        return found
    if any(one.answers != good[0].answers for one in good):
        names = ", ".join(one.file for one in good)
        if not all(one.saved for one in good):
            found.status = "handed in twice"
            found.remarks.append(f"different answers in {names}; leave one of them and grade again")
            return found
        good.sort(key=lambda one: one.saved, reverse=True)
        found.remarks.append(f"different answers in {names}; the one that was saved last counts")
    one = good[0]
    found.file, found.remarks = one.file, [*found.remarks, *one.remarks]
    if one.student["id"].lower() not in pathlib.PurePath(one.file).name.lower():
        found.remarks.append("the file has another name than it was given")
    known = {row["question"] for row in asked}
    if more := sorted(one.answers.keys() - known):
        found.remarks.append(f"answers to what was not asked: {', '.join(more)[:_MOST_ANSWER]}")
    for row in asked:
        given = one.answers.get(row["question"], "")
        right, words = judged(row, given)
        found.answers.append((row, _short(given), right, words))
    found.score = sum(right for _, _, right, _ in found.answers)
    if all(given == "" for _, given, _, _ in found.answers):
        found.status = "empty"
    return found


def _short(given):
    try:
        return (
            str(given).strip()[:_MOST_ANSWER] if isinstance(given, (str, int, float)) else f"({type(given).__name__})"
        )
    except ValueError:
        # Python writes out no number of thousands of digits.
        return "(a number)"


def judged(row, given):
    """Whether an answer is right, and what to say; row: of the key.

    >>> row = {"answer": 2.5, "unit": "J", "tolerance": 0.02, "slips": [[5.0, "per step, not per token"]]}
    >>> for given in ("2.5 J", "2500 mJ", "2.5 mJ", "5", "2,5", "2.5 W", "much"): print(judged(row, given))
    (True, '')
    (True, '')
    (False, 'it is off by a factor of 1,000: look at the prefixes, such as milli or kilo')
    (False, 'per step, not per token')
    (True, '')
    (False, 'W is power; asked for is energy, in J')
    (False, 'not a number; expected one, and its unit')
    """
    told = _short(given)
    if told == "":
        return False, "not answered"
    if not row["unit"]:
        # Some write the words of the choice behind its letter.
        found = re.match(r"[( ]*([A-Za-z])(?![A-Za-z])", told)
        letter = found[1].upper() if found else ""
        return letter == row["answer"], "" if letter == row["answer"] else row["slips"].get(letter, _NO_LETTER)
    found = _NUMBER.fullmatch(_THOUSANDS.sub("", told))
    if not found or isinstance(given, bool):
        return False, "not a number; expected one, and its unit"
    digits, power, unit = found.groups()
    wanted, unit = row["unit"], unit.strip().rstrip(".")
    factor, words = _factor(unit, wanted)
    if factor is None:
        return False, words
    verdicts = [
        _compared(row, reading * factor * 10.0 ** min(max(int(power or 0), -300), 300)) for reading in _read(digits)
    ]
    return next((one for one in verdicts if one[0]), verdicts[0]) if verdicts else (False, "not a number")


def _read(digits):
    """What digits may mean: a comma parts thousands, or begins the decimals, as some languages have it."""
    readings = [digits.replace(",", "")] if re.fullmatch(r"[+-]?[1-9]\d{0,2}(,\d{3})+(\.\d*)?", digits) else []
    readings += [digits.replace(",", ".")] if digits.count(",") <= 1 and not (readings and "." in digits) else []
    for one in readings:
        with contextlib.suppress(ValueError):
            yield float(one)


def _compared(row, value):
    return questions.judged(value, row["answer"], row["unit"], row["tolerance"], row["slips"])


def _factor(unit, wanted):
    """What a number in a unit is times, to be in the wanted one; or None and what to say."""
    asked = "a plain number" if wanted == "1" else unit_text(wanted)
    share, typed = wanted in ("1", "%"), _unit(unit)
    if unit == "":
        return 1.0, ""
    if typed == ("%", 1):
        return (1.0 if wanted == "%" else 0.01, "") if share else (None, f"per cent were given; asked for is {asked}")
    if typed is None:
        # Words behind a count, such as answers or times.
        good = wanted == "1" and not re.search(r"\d", unit)
        return (1.0, "") if good else (None, f"{unit[:20]!r} was not read as a unit; asked for is {asked}")
    kind, factor = typed
    if kind == UNITS[wanted][0] if wanted != "%" else kind == "1":
        return (factor * 100 if wanted == "%" else factor / UNITS[wanted][1]), ""
    is_, as_ = (_KINDS.get(one) for one in (kind, "" if share else UNITS[wanted][0]))
    if is_ and as_:
        return None, f"{unit[:20]} is {is_}; asked for is {as_}, in {asked}"
    return None, f"{unit[:20]} was given; asked for is {'a share, in %' if wanted == '%' else asked}"


def _unit(unit):
    """SI unit and factor of a unit as students write it, or None; per cent are apart.

    >>> _unit("kJ"), _unit("TB/s"), _unit("µs"), _unit("tokens per second"), _unit("k"), _unit("m")
    (('J', 1000.0), ('B/s', 1000000000000.0), ('s', 1e-06), ('1/s', 1), ('1', 1000.0), None)
    """
    unit = unit.replace("µ", "u").replace("μ", "u")
    unit = unit if unit in UNITS else _WRITTEN.get(unit.lower(), unit)
    if unit == "%":
        return "%", 1
    if unit in UNITS and UNITS[unit][1]:
        return UNITS[unit]
    if unit in _MORE:
        return _MORE[unit]
    if unit[:1] in _PREFIXES and unit[1:] in _PREFIXED and (unit[1:] or unit == "k"):
        kind, factor = UNITS[unit[1:]] if unit[1:] in UNITS else _BASES[unit[1:]]
        return kind, _PREFIXES[unit[0]] * factor
    return None


_BASES = {
    "": ("1", 1),
    "B/s": ("B/s", 1),
    "FLOP/s": ("FLOP/s", 1),
    "Hz": ("Hz", 1),
    "J/B": ("J/B", 1),
    "J/FLOP": ("J/FLOP", 1),
}


def _write(out, rows, students, unknown):
    """All files at once, so that nobody sees half of them."""
    out.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=".grades-", dir=out.parent) as place:
        work = pathlib.Path(place) / "whole"
        (work / "feedback").mkdir(parents=True)
        (work / "gradescope").mkdir()
        also = [name for name in next(iter(rows.values()))[0] if name not in KEY]
        heads = ["id", "name", "status", "score", "of", "file", "remarks"]
        listed = [
            {"id": one.id, "name": one.name, "status": one.status, "score": "" if one.score is None else one.score}
            | {"of": one.of, "file": one.file, "remarks": "; ".join(one.remarks)}
            for one in students
        ]
        listed += [{"status": "nobody's", "file": file, "remarks": why} for file, why in unknown]
        (work / "grades.csv").write_text(table(heads, listed), encoding=SPREADSHEET)
        answers = [
            {
                "id": one.id,
                "question": row["question"],
                "kind": row["kind"],
                "given": given,
                "right": int(right),
                "told": told,
            }
            for one in students
            for row, given, right, told in one.answers
        ]
        heads = ["id", "question", "kind", "given", "right", "told"]
        (work / "answers.csv").write_text(table(heads, answers), encoding=SPREADSHEET)
        heads = ["question", "kind", "right", "of", "most_told"]
        (work / "questions.csv").write_text(table(heads, _by_question(answers)), encoding=SPREADSHEET)
        (work / "canvas.csv").write_text(_canvas(rows, students, also), encoding="utf-8")
        for one in students:
            (work / "feedback" / f"{one.id}.txt").write_text(feedback(one), encoding="utf-8")
            if one.score is not None:
                record = json.dumps(_gradescope(one), indent=1, ensure_ascii=False)
                (work / "gradescope" / f"{one.id}.json").write_text(record + "\n", encoding="utf-8")
        if out.exists():
            shutil.move(out, pathlib.Path(place) / "former")
        work.rename(out)


def _by_question(answers):
    """How many have each question right, and what most of the others were told."""
    for question in dict.fromkeys(one["question"] for one in answers):
        own = [one for one in answers if one["question"] == question]
        told = collections.Counter(one["told"] for one in own if one["told"])
        most = f"{told.most_common(1)[0][1]} times: {told.most_common(1)[0][0]}" if told else ""
        yield {
            "question": question,
            "kind": own[0]["kind"],
            "right": sum(one["right"] for one in own),
            "of": len(own),
        } | {"most_told": most}


def feedback(one):
    """What a student is told, a line a question; what a teacher has to look at is none of it."""
    if one.score is None:
        why = [] if one.status == "handed in twice" else [f"  {remark}\n" for remark in one.remarks]
        return f"{one.name} ({one.id}): not graded ({one.status}); please ask your teacher.\n{''.join(why)}"
    lines = [f"{one.name} ({one.id}): {one.score} of {one.of}"]
    for row, given, right, told in one.answers:
        kind = questions.KINDS[row["kind"]]
        lines.append(f"\n{row['number']}. {kind}: {given or 'no answer'}: {'right' if right else 'not right'}")
        lines += [f"   {told[0].upper()}{told[1:]}."] if told and given else []
        lines += [f"   Right is {row['answer']}."] if not right and not row["unit"] else []
        lines += [f"   {row['how']}"] if not right else []
    return "\n".join(lines) + "\n"


def _gradescope(one):
    """A record as the results file of one submission has it there."""
    tests = [
        {
            "name": f"{row['number']}. {questions.KINDS[row['kind']]}",
            "score": int(right),
            "max_score": 1,
            "output": told or "right",
        }
        for row, _, right, told in one.answers
    ]
    return {"score": one.score, "output": "\n".join(one.remarks), "tests": tests}


def _canvas(rows, students, also):
    """Columns of a Canvas gradebook; those that the list of students had go back as they came."""
    chapter = next(iter(rows.values()))[0]["chapter"]
    column, fixed = f"Worksheet {chapter}", ("Student", "ID", "SIS User ID", "SIS Login ID", "Section")
    known = {name.lower(): name for name in also if name in fixed}
    heads = [*fixed, column]
    listed = [{"Student": "Points Possible", column: students[0].of if students else ""}]
    for one in students:
        row = rows[one.id][0]
        cells = {name: row[known[name.lower()]] for name in fixed if name.lower() in known}
        if not any(cells.get(name) for name in fixed[1:4]):
            cells["SIS User ID"] = one.id
        cells |= {"Student": one.name, column: "" if one.score is None else one.score}
        listed.append(cells)
    return table(heads, listed)
