"""Worksheets: one a student, with numbers of its own, as a notebook and as a page; and the key to all of them."""

import csv
import io
import json
import pathlib
import secrets
import shutil
import tempfile

import nbformat
from jinja2 import Environment, FileSystemLoader, StrictUndefined

from llmpower import questions
from llmpower.arguments import ParameterError
from llmpower.book import files
from llmpower.book.escape import escaped
from llmpower.book.records import tied
from llmpower.facts import tables
from llmpower.teach import roster

# Columns of the key, before those that the list of students has besides.
KEY = ("id", "name", "chapter", "question", "number", "kind", "answer", "unit", "tolerance", "slips", "how", "seed")
# With a mark by which spreadsheets know what accents are.
SPREADSHEET = "utf-8-sig"
# The cell of a notebook that is graded.
ANSWERS = "answers"
_LOADER = FileSystemLoader(pathlib.Path(__file__).parent)
_TEMPLATES = Environment(loader=_LOADER, undefined=StrictUndefined, trim_blocks=True, autoescape=True)
_OWN = "The numbers are drawn for you: hardly any two sheets are alike."
_HEAD = """\
# Each answer stands between quotes: a number with its unit, such as "12.5 ms", or the letter of a choice.
# This cell is read and never run: it may hold nothing else. Other cells of your own may compute what they like.
"""


def write(book, chapter, listed, seed, out, say=print):
    """Write worksheets of a chapter into a new folder, all or none; returns the seed.

    listed: file with the students. seed: decides with the id what is drawn; a secret one if it is None.
    """
    path = files.chapter(book, chapter)
    asked, pupils, out = questions.questions(path), roster.students(listed), pathlib.Path(out).resolve()
    title = files.read_notebook(path).cells[0].source.partition("# ")[2].partition("\n")[0]
    if not asked:
        raise ParameterError([f"{chapter}: no questions; they lie beside a chapter, in {questions.beside(path).name}"])
    if out.exists() and (not out.is_dir() or any(out.iterdir())):
        raise ParameterError([f"--out {out}: expected a new or empty folder; worksheets that were given out stay"])
    seed = secrets.token_hex(8) if seed is None else seed
    out.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=".worksheets-", dir=out.parent) as place:
        work, key = pathlib.Path(place) / "whole", []
        for number, pupil in enumerate(pupils, start=1):
            folder = work / "students" / pupil.id
            folder.mkdir(parents=True)
            sheet = [_asked(one, seed, pupil) for one in asked]
            for one in asked:
                if one.table:
                    shutil.copyfile(tables.DATA / one.table, folder / one.table)
            name = f"{chapter}-{pupil.id}"
            nbformat.write(_notebook(chapter, title, pupil, sheet), folder / f"{name}.ipynb")
            (folder / f"{name}.html").write_text(_page(chapter, title, pupil, sheet), encoding="utf-8")
            key += [_key(pupil, place, one, seed) for place, one in enumerate(sheet, start=1)]
            if not number % 100:
                say(f"  {number} of {len(pupils)} worksheets")
        also = dict.fromkeys(head for pupil in pupils for head in pupil.also)
        (work / "key.csv").write_text(table([*KEY, *also], key), encoding=SPREADSHEET)
        if out.exists():
            out.rmdir()
        work.rename(out)
    return seed


def _asked(question, seed, pupil):
    key = f"{seed}/{pupil.id}"
    return questions.asked(question, questions.drawn(question, key), key)


def within(one):
    """How far an answer may be off, in words."""
    return f"within {one.question.tolerance * 100:g} %"


def _notebook(chapter, title, pupil, sheet):
    cell, cells = nbformat.v4, []
    minutes = sum(one.question.minutes for one in sheet)
    lines = [f"# Worksheet: {escaped(title)}", f"About {minutes} minutes. {_OWN}"]
    lines.append("Write your answers into the cell below, save the notebook, and hand it in.")
    cells.append(cell.new_markdown_cell("\n\n".join(lines), id="title"))
    student, empty = {"id": pupil.id, "name": pupil.name}, {one.question.id: "" for one in sheet}
    literal = lambda held: json.dumps(held, ensure_ascii=False, indent=4)  # noqa: E731
    source = f"{_HEAD}student = {literal(student)}\n{ANSWERS} = {literal(empty)}"
    cells.append(cell.new_code_cell(source, id=ANSWERS, metadata={"tags": [ANSWERS]}))
    for number, one in enumerate(sheet, start=1):
        cells.append(cell.new_markdown_cell(_task(number, one), id=f"question-{number}"))
        cells.append(cell.new_code_cell("", id=f"work-{number}"))
    about = {"kernelspec": {"name": "python3", "display_name": "Python 3", "language": "python"}}
    return cell.new_notebook(cells=cells, metadata=about | {"llmpower": {"worksheet": chapter}})


def _task(number, one):
    """A question in Markdown."""
    question, wanted = one.question, f"in {unit}" if (unit := questions.unit_of(one.question)) else "with a number"
    lines = [f"## {number}. {questions.KINDS[question.kind]} (`{question.id}`, {question.minutes} minutes)"]
    lines += [escaped(one.text), *(f"- {letter}: {escaped(words)}" for letter, words in one.choices.items())]
    if question.table:
        lines.append(f"The table lies beside this notebook: [{question.table}]({question.table}).")
    lines.append("Answer with a letter." if one.choices else f"Answer {wanted}; {within(one)} is right.")
    return "\n\n".join(lines)


def _page(chapter, title, pupil, sheet):
    held = {"worksheet": chapter, "student": {"id": pupil.id, "name": pupil.name}}
    return _TEMPLATES.get_template("worksheet.html.j2").render(
        title=title, pupil=pupil, sheet=sheet, held=held, kinds=questions.KINDS, unit=questions.unit_of,
        tied=tied, within=within, minutes=sum(one.question.minutes for one in sheet),
    )  # fmt: skip


def _key(pupil, number, one, seed):
    question, choice = one.question, bool(one.choices)
    slips = one.slips if choice else [[float(f"{value:.6g}"), words] for value, words in one.slips]
    values = (
        pupil.id, pupil.name, question.chapter, question.id, number, question.kind,
        one.answer if choice else f"{one.answer:.6g}", "" if choice else one.unit, "" if choice else question.tolerance,
        json.dumps(slips, ensure_ascii=False), one.how, seed,
    )  # fmt: skip
    return dict(zip(KEY, values)) | pupil.also


def table(heads, listed):
    """Rows as CSV that a spreadsheet opens: what it would take for a formula is text there.

    >>> table(["id", "name"], [{"id": 1, "name": "=2+3"}])
    "id,name\\n1,'=2+3\\n"
    """
    file = io.StringIO()
    writer = csv.DictWriter(file, heads, restval="", lineterminator="\n")
    writer.writeheader()
    for row in listed:
        writer.writerow({head: _harmless(cell) for head, cell in row.items()})
    return file.getvalue()


def _harmless(cell):
    return f"'{cell}" if isinstance(cell, str) and cell[:1] in ("=", "+", "-", "@", "\t", "\r") else cell
