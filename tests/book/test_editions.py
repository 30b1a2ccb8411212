"""Editions of one source: no solution is left in any file that a student gets, and teachers have them open."""

import html
import json
import re

import nbformat
import pytest

from llmpower.book import build, editions, files, records
from llmpower.book.files import BookError
from tests.book.browser import tell
from tests.conftest import BOOK

_MARKS = re.compile(r"`{3,}\{solution-(start|end)\}")


def taken(notebook):
    """What a chapter's solutions hold: sentences, lines of code, printed numbers; found by another way than our own."""
    inside, sentences, code, numbers = False, [], [], []
    for cell in notebook.cells:
        if cell.cell_type == "code":
            if inside:
                code += [
                    one for line in cell.source.splitlines() if len(one := line.strip()) > 40 and "import" not in one
                ]
                numbers += [one["text"] for one in records.shown(nbformat.v4.new_notebook(cells=[cell])).values()]
            continue
        for line in cell.source.splitlines():
            if mark := _MARKS.match(line):
                inside = mark[1] == "start"
            elif inside and len(line.split()) > 6 and "{" not in line and "`" not in line and "$" not in line:
                sentences.append(line.strip())
    return sentences, code, numbers


@pytest.fixture(scope="module")
def student(tmp_path_factory):
    """The students' site, built from the book as it is."""
    out = tmp_path_factory.mktemp("student")
    return build.build(editions.book_of(BOOK, "student", out), out, say=lambda line: None, also=["zip"])[0].parent


def words(path):
    """What a file says: a page without its marks, a notebook without its JSON."""
    text = path.read_text(encoding="utf-8")
    if path.suffix == ".html":
        text = html.unescape(re.sub(r"<[^>]+>", "", text))
    elif path.suffix == ".ipynb":
        text = "\n".join(map(visible, nbformat.reads(text, as_version=4).cells))
    return text.replace("\u00a0", " ")


def visible(cell):
    """Source and output of a cell."""
    return (cell.source + "\n" + json.dumps(cell.get("outputs", []), ensure_ascii=False)).replace("\u00a0", " ")


def texts(site):
    """All files of a site that hold text."""
    endings = (".html", ".js", ".ipynb", ".csv", ".json", ".txt")
    found = (path for path in site.rglob("*") if path.suffix in endings and "mathjax" not in path.parts)
    return {path.relative_to(site).as_posix(): words(path) for path in found}


def test_a_student_gets_no_solution(student, site):
    held, ours, found, looked, control = texts(student), texts(site), [], 0, 0
    for name, path in files.chapters(BOOK).items():
        notebook, kept = files.read_notebook(path), files.read_notebook(path)
        editions.without_solutions(kept)
        sentences, code, numbers = taken(notebook)
        figures = (text for file, text in ours.items() if file.startswith(f"downloads/{name}.fig-"))
        rest = "\n".join([*map(visible, kept.cells), *figures])
        # In every file of the site; a number, which another chapter may have, in those of its own.
        for line in {line for line in (*sentences, *code) if line not in rest}:
            looked += 1
            control += any(line in text for text in ours.values())
            found += [f"{name}: {file}: {line}" for file, text in held.items() if line in text]
        for number in {one for one in numbers if len(one) > 4 and re.search(r"\d", one) and one not in rest}:
            looked += 1
            alone = re.compile(rf"(?<![\d.,]){re.escape(number)}(?![\d])")
            # Scripts of figures tell of hundreds of runs, and a quiz draws its own.
            own = [file for file in held if re.search(rf"\b{name}\b", file) and not file.endswith(".js")]
            control += any(alone.search(ours[file]) for file in own)
            found += [f"{name}: {file}: {number}" for file in own if alone.search(held[file])]
    # The same search finds nearly all of it where it is.
    assert looked > 200 and control > 0.9 * looked
    tell(found)
    assert not [file for file, text in held.items() if "solution-start" in text]
    assert "student edition" in held["index.html"]


def test_teachers_have_solutions_open_and_know_what_is_asked(tmp_path):
    place = editions.book_of(BOOK, "teacher", tmp_path)
    for name, path in files.chapters(place).items():
        text = records.markdown(files.read_notebook(path))
        assert ":class: dropdown" not in text
        assert text.count("{solution-start}") == records.markdown(
            files.read_notebook(files.chapters(BOOK)[name])
        ).count("{solution-start}")
    decode = records.markdown(files.read_notebook(files.chapters(place)["decode-breakdown"]))
    # 14 GB at 2.04 TB/s take 6.86 ms; whoever has the inverse has 145.7 steps a second.
    assert "divided by 2.04 TB/s is 6.86 ms" in decode and "Who has 146: that is how many steps a second" in decode


def test_an_edition_follows_its_source(tmp_path):
    place = editions.book_of(BOOK, "student", tmp_path)
    gone = [place / "chapters" / "gone.ipynb", place / "chapters" / "gone.questions.yml"]
    for one in gone:
        one.write_text("{}")
    again = editions.book_of(BOOK, "student", tmp_path)
    assert again == place and not any(one.exists() for one in gone)
    assert (place / "chapters" / "decode-breakdown.questions.yml").exists() and (place / "index.ipynb").exists()


def cells(*texts):
    return nbformat.v4.new_notebook(
        cells=[
            nbformat.v4.new_code_cell(one[1:]) if one.startswith("!") else nbformat.v4.new_markdown_cell(one)
            for one in texts
        ]
    )


def test_solutions_in_all_their_forms_go():
    notebook = cells(
        "a\n\n````{solution-start} x\n:class: dropdown\n````\nb",
        "!c = 1",
        "d\n\n````{solution-end}\n````\n\ne\n\n```{solution} y\nf\n```\n\ng\n\n:::{solution-start} z\n:::",
        "!h = 1",
        "i\n:::{solution-end}\n:::\n",
        "!j = 1",
    )
    editions.without_solutions(notebook)
    left = "".join(cell.source for cell in notebook.cells)
    assert re.sub(r"\s", "", left) == "aegj=1"


def test_a_solution_without_an_end_stops_the_edition():
    with pytest.raises(BookError, match="does not end"):
        editions.without_solutions(cells("````{solution-start} x\n````\nb"))


def test_exercises_say_their_level_and_minutes():
    one = "```{exercise} One\n:label: ex-one\n\n*Warm-up, 5 minutes.* What?\n```"
    text = one + "\n\n```{exercise} Two\n:label: ex-two\n\nWhy?\n```"
    assert editions.exercises(cells(text)) == [("One", "ex-one", "Warm-up", 5), ("Two", "ex-two", None, None)]
