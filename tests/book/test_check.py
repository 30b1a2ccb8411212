"""What `llmpower check` finds in a chapter."""

import nbformat
import pytest

from llmpower.book import check


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("reading takes 22.4 J a token", ["22.4 J"]),
        ("a share of 99.8 %", ["99.8 %"]),
        ("a board of 700 watts", ["700 watts"]),
        ("quoted: “22.4 mJ/token” and `700 W` and $5\\,W$", []),
        ("70 billion parameters at 16 bit, batch 32", []),
        ("{glue:text}`weights` of them", []),
    ],
)
def test_typed_numbers(text, found):
    assert check.typed_numbers(text) == found


def chapter(tmp_path, *cells):
    notebook = nbformat.v4.new_notebook()
    parameters = nbformat.v4.new_code_cell("batch: int = 1  # sequences decoded together [count]")
    parameters.metadata["tags"] = ["parameters"]
    notebook.cells = [parameters, *cells]
    path = tmp_path / "made.ipynb"
    nbformat.write(notebook, path)
    return path


def test_check_finds_what_an_author_gets_wrong(tmp_path):
    path = chapter(
        tmp_path,
        nbformat.v4.new_markdown_cell("It takes 5 W, see {glue:text}`nowhere` and {glue:text}`used`."),
        nbformat.v4.new_code_cell('report.show("unused", 1)\nreport.show("twice", 1)\nreport.show("twice", 2)'),
        nbformat.v4.new_code_cell(
            'if batch:\n    report.show(\n        "W",\n        used=1,\n        idle_too=2,\n    )'
        ),
        nbformat.v4.new_code_cell(
            'report.show("1", used_2=1)\nreport.show("B", used_2=f(b=2))\nreport.show("W", **more)'
        ),
        nbformat.v4.new_code_cell('report.say("about 7 W")\nreport.show("broken", 1'),
        nbformat.v4.new_code_cell("plt.show()"),
    )
    problems = "\n".join(check.chapter_problems(path))
    for expected in (
        "unused is shown but no text uses it",
        "the text uses nowhere, which nothing shows",
        "twice is shown twice",
        "idle_too is shown but no text uses it",
        "used_2 is shown twice",
        "typed number '5 W'",
        "typed number '7 W'",
        "cell 6: line 2: '(' was never closed",
        "a figure needs a name and a caption",
        "a figure needs report.alt",
        "no stored outputs",
    ):
        assert expected in problems
    # A unit is no name, and two strings are no number with a unit.
    for fine in (": used is", ": W is", ": 1 is", ": B is", ": b is", "None is", r"1\n"):
        assert fine not in problems


def test_check_compares_comments_with_the_table(tmp_path):
    path = chapter(tmp_path)
    path.write_text(path.read_text().replace("sequences decoded together", "whatever"))
    assert "the comment of batch should read" in "\n".join(check.chapter_problems(path))
