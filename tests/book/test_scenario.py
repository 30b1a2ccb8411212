"""Scenario files: what they change and what is refused; the example publishes a book whose prose differs."""

import re

import nbformat
import pytest

from llmpower.arguments import ParameterError
from llmpower.book import beside, records
from llmpower.book.files import chapters
from llmpower.book.scenario import Scenario, ask
from tests.conftest import BOOK

# Sentences that the example's numbers make true and the reference edition's make false.
OWN = {
    "chapters/decode-breakdown": ("They fit, with ", "The cache outweighs the weights"),
    "chapters/tdp-escalator": ("More of it is power than efficiency",),
    "chapters/datacenter-scale": ("A year of answers takes less energy than the training",),
    "chapters/three-layer-mitigations": ("Nearly every expert is wanted by somebody",),
}


def printed(path):
    """What the committed chapter prints with its defaults."""
    outputs = [output for cell in nbformat.read(path, as_version=4).cells for output in cell.get("outputs", [])]
    return "\n".join(output.get("data", {}).get("text/markdown", "") for output in outputs)


def shown(page):
    """Text of a page; of a sentence that turns round, the side that shows."""
    return re.sub(r"<[^>]+>", "", re.sub(r'<span class="c\d+-\d off">.*?</span>', "", page))


def test_the_example_publishes_a_book_for_somebody_elses_machines(copy):
    done = copy.llmpower("build", "-f", "chapters/example.yml", "--out", "example")
    assert done.returncode == 0, done.stderr
    for page, sentences in OWN.items():
        text, reference = shown(copy.page(page, out="example")), printed(copy.folder / f"{page}.ipynb")
        assert "The power wall: a regional provider" in text
        assert reference
        for sentence in sentences:
            assert sentence in text, f"{page}: {sentence}"
            assert sentence not in reference, f"{page}: the reference edition says it, too"
    index = copy.page("index", out="example")
    assert "Qwen3-32B" in index


def scenario(tmp_path, text):
    path = tmp_path / "scenario.yml"
    path.write_text(text)
    return str(path)


def test_a_scenario_file(tmp_path):
    text = "title: Ours\nparameters:\n  accelerator: H200\nchapters:\n  decode-breakdown:\n    batch: 64\n"
    asked = ask(BOOK, scenario(tmp_path, text))
    assert asked.title == "Ours" and set(asked.values) == set(chapters(BOOK))
    assert asked.values["decode-breakdown"] == {"accelerator": "h200-sxm", "batch": 64}
    assert asked.values["model-against-measurement"].get("accelerator", "h200-sxm") == "h200-sxm"


def test_options_win_over_the_file_and_other_chapters_are_left_out(tmp_path):
    text = "parameters:\n  accelerator: H200\nchapters:\n  decode-breakdown:\n    batch: 64\n    context_tokens: 5\n"
    options = [("batch", "1"), ("context_tokens", "7")]
    asked = ask(BOOK, scenario(tmp_path, text), "decode-breakdown", options)
    # A batch of one is the chapter's own default.
    assert asked.values == {"decode-breakdown": {"accelerator": "h200-sxm", "context_tokens": 7}}


def test_an_empty_scenario_file_changes_nothing(tmp_path):
    assert ask(BOOK, scenario(tmp_path, "")) == ask(BOOK) == Scenario({name: {} for name in chapters(BOOK)})


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("title: [", "line 1, column 9: not valid YAML"),
        ("- 1", "expected `title:`"),
        ("tilte: x", "unknown key 'tilte'"),
        ("parameters: 3", "parameters holds `name: value` lines"),
        ("chapters:\n  decode-breakdown: 7", "decode-breakdown holds `name: value` lines"),
        ("title: [7]", "title is text"),
        ("title: <b>ours</b>", "title is text without < and >"),
        ("parameters:\n  batch: 1\n  batch: 2", "batch is given twice"),
        ("title: &a [x]\nparameters: [*a, *a]", "references (*) are not read"),
        ("parameters: false", "parameters holds `name: value` lines"),
        ("chapters:\n  5: {a: 1}", "no chapter is called '5'"),
        # Text is what was typed: YAML 1.1 would read 45,045 and false.
        ("parameters:\n  batch: 12:30:45", "batch: got '12:30:45'"),
        ("parameters:\n  software: no", "got 'no'"),
        ("parameters:\n  context_tokens: 8k", "write it out, as in 1e6 or 1,000,000"),
        ('title: "a\n  \\q"', "line 2, column 4: not valid YAML: found unknown escape character 'q'"),
    ],
)
def test_broken_scenario_files(tmp_path, text, message):
    with pytest.raises(ParameterError, match=re.escape(message)):
        ask(BOOK, scenario(tmp_path, text))


def test_a_scenario_file_that_is_not_there():
    with pytest.raises(ParameterError, match="nowhere.yml: cannot be read: No such file"):
        ask(BOOK, "nowhere.yml")
    with pytest.raises(ParameterError, match="/dev/zero: cannot be read: not a file"):
        ask(BOOK, "/dev/zero")


def test_all_problems_of_a_scenario_are_named(tmp_path):
    text = "parameters: {nothing: 1, batch: 0}\nchapters: {decode-brekdown: {}, decode-breakdown: {kv_format: x}}"
    with pytest.raises(ParameterError) as caught:
        ask(BOOK, scenario(tmp_path, text), "decode-breakdown", [("batch", "2"), ("batch", "many")])
    told = "\n".join(caught.value.problems)
    assert "did you mean decode-breakdown?" in told
    assert "nothing: no chapter has such a parameter" in told
    # What is wrong in the file is told, even where an option wins over it.
    assert "batch: got '0'" in told and "kv_format: no format" in told
    assert "batch: given twice" in told and "batch: got 'many'" in told


def test_headlines_are_what_a_chapter_wants_to_be_remembered():
    say = (
        "report.say('```{admonition} What to take away\\n:class: tip\\n- Boards draw {glue:text}`w`.\\n- Count.\\n```')"
    )
    cell = nbformat.v4.new_code_cell(say)
    shown = {records.NUMBERS: {"w": "700 W"}}
    printed = say.removeprefix("report.say('").removesuffix("')").encode().decode("unicode_escape")
    cell.outputs = [
        nbformat.v4.new_output("display_data", shown, metadata={records.NUMBERS: {"w": "700 W"}}),
        nbformat.v4.new_output("display_data", {"text/markdown": printed}),
    ]
    text = nbformat.v4.new_markdown_cell("A board at {glue:text}`u` volts draws **{glue:text}`w`** ({ref}`here <x>`).")
    notebook = nbformat.v4.new_notebook(cells=[text, cell])
    headline, rest = beside._said(notebook)
    assert headline == {("w",): "Boards draw 700 W."}
    # A sentence whose number this run did not show, and one that it did.
    assert [*rest.values()] == ["A board at u volts draws 700 W (here)."]


def test_tables_are_compared_row_by_row():
    table = "| step at 64 | value |\n|:--|--:|\n| power | 700 W |"
    assert [*beside._rows(table)] == [(("step at #", "value", "power"), "power: 700 W")]
    wide = "| step | low | high |\n|:--|--:|--:|\n| power | 600 W | 700 W |"
    assert [line for _, line in beside._rows(wide)] == ["power: low 600 W; high 700 W"]
    assert beside._unlike([{"a": "1", "b": "2"}, {"a": "1"}]) == [("b", ["2", "–"])]
