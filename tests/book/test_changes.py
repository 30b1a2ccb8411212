"""Numbers that changed between two editions."""

import subprocess

import nbformat
import pytest

from llmpower import cli
from llmpower.arguments import ParameterError
from llmpower.book import records
from llmpower.book.changes import changes, edition_numbers


def record(numbers):
    """The output of a cell that showed numbers: name -> (printed text, raw value, unit)."""
    texts = {name: text for name, (text, _, _) in numbers.items()}
    raw = {name: records.raw_line(value, unit) for name, (_, value, unit) in numbers.items()}
    return [nbformat.v4.new_output("display_data", {records.NUMBERS: texts}, metadata={records.NUMBERS: raw})]


def former_records(numbers):
    """What it had before the first release, an output for each number."""
    for name, (text, value, unit) in numbers.items():
        marks = {"scrapbook": {"name": name, "llmpower": {"value": value, "unit": unit, "text": text}}}
        yield nbformat.v4.new_output("display_data", {}, metadata=marks)


def store(book, name, numbers, record=record):
    """Commit-ready chapter that showed numbers: name -> (printed text, raw value, unit)."""
    cell = nbformat.v4.new_code_cell("pass", id="one", outputs=list(record(numbers)) if numbers else [])
    (book / "chapters").mkdir(parents=True, exist_ok=True)
    nbformat.write(nbformat.v4.new_notebook(cells=[cell]), book / "chapters" / f"{name}.ipynb")
    chapters = "".join(f"  - file: chapters/{path.stem}\n" for path in sorted((book / "chapters").glob("*.ipynb")))
    (book / "_toc.yml").write_text("format: jb-book\nroot: index\nchapters:\n" + chapters)


def git(book, *arguments):
    names = ("-c", "user.name=somebody", "-c", "user.email=somebody@example.org")
    subprocess.run(["git", *names, *arguments], cwd=book, check=True, capture_output=True)


@pytest.fixture
def book(tmp_path):
    """A book with one edition tagged and another in the folder."""
    book = tmp_path / "book"
    first = {
        "energy": ("22.4 J", 22.4, "J"),
        "same": ("8", 8, "1"),
        "old": ("3", 3, "1"),
        "digits": ("0.0418 s", 0.0418, "s"),
    }
    store(book, "decode", first)
    git(book, "init", "-q")
    git(book, "add", ".")
    git(book, "commit", "-qm", "first")
    git(book, "tag", "v1")
    second = {
        "energy": ("28.0 J", 28.0, "J"),
        "same": ("8", 8.001, "1"),
        "digits": ("41.8 ms", 0.0418, "s"),
        "fresh": ("9", 9, "1"),
    }
    store(book, "decode", second)
    store(book, "later", {"one": ("1", 1, "1"), "two": ("2", 2, "1")})
    return book


def test_a_tag_against_the_folder(book):
    found = changes(edition_numbers(book, "v1"), edition_numbers(book, book))
    # 28.0 / 22.4 = 1.25; what reads the same is no change, even if hidden digits moved.
    assert found.splitlines() == [
        "| chapter | number | was | is | change |",
        "|:--|:--|--:|--:|:--|",
        "| decode | `digits` | 0.0418 s | 41.8 ms | printed differently |",
        "| decode | `energy` | 22.4 J | 28.0 J | +25.00 % |",
        "| decode | `old` | 3 |  | no longer shown |",
        "",
        "New numbers: decode (1).",
        "",
        "New chapters: later (2 numbers).",
    ]


def test_an_edition_against_itself(book):
    assert changes(edition_numbers(book, "v1"), edition_numbers(book, "HEAD")) == "No number changed.\n"


def test_editions_with_one_output_a_number_are_read(book):
    numbers = {"energy": ("28.0 J", 28.0, "J"), "name": ("H100", "H100", "")}
    store(book, "decode", numbers, former_records)
    before = edition_numbers(book, book)
    store(book, "decode", numbers)
    assert before["decode"] == edition_numbers(book, book)["decode"]
    assert before["decode"]["energy"] == {"value": 28.0, "unit": "J", "text": "28.0 J"}


def test_what_is_no_edition_is_named(book):
    with pytest.raises(ParameterError, match="v2: neither a folder with a _toc.yml nor a commit or tag"):
        edition_numbers(book, "v2")
    store(book, "later", {})
    git(book, "add", ".")
    git(book, "commit", "-qm", "outputs forgotten")
    with pytest.raises(ParameterError, match="^HEAD: stored without outputs: later"):
        edition_numbers(book, "HEAD")


def test_the_command_compares_with_the_folder_by_default(book, capsys):
    assert cli.main(["changes", "v1", "--book", str(book)]) == 0
    assert "| decode | `energy` | 22.4 J | 28.0 J | +25.00 % |" in capsys.readouterr().out
    assert cli.main(["changes", "v2", "--book", str(book)]) == 2
    assert capsys.readouterr().err.startswith("llmpower: v2: neither")
