"""The contract of a parameters cell, and what is refused."""

import pytest

from llmpower.arguments import ParameterError
from llmpower.book import parameters
from llmpower.book.files import chapters
from llmpower.book.scenario import Scenario, ask
from tests.conftest import BOOK

CHAPTER = BOOK / "chapters" / "decode-breakdown.ipynb"


def problems_of(given):
    with pytest.raises(ParameterError) as caught:
        parameters.chosen(CHAPTER, given)
    return caught.value.problems


@pytest.mark.parametrize("path", chapters(BOOK).values(), ids=lambda path: path.stem)
def test_every_default_is_valid_and_documented(path):
    found = parameters.parameters(path)
    assert parameters.chosen(path, {name: one.default for name, one in found.items()}) == {}
    assert all(one.quantity.help for one in found.values())


def test_text_of_the_command_line_becomes_numbers_and_canonical_names():
    given = {"batch": "64", "model": "Qwen3-32B", "accelerator": "H200", "context_tokens": "4096"}
    assert parameters.chosen(CHAPTER, given) == {
        "batch": 64,
        "model": "qwen3-32b",
        "accelerator": "h200-sxm",
        "context_tokens": 4096,
    }


def test_what_equals_the_default_changes_nothing():
    assert parameters.chosen(CHAPTER, {"batch": 1, "model": "Llama-3.1-70B"}) == {}


def test_all_problems_are_named_at_once():
    given = {
        "btach": 1,
        "batch": 0,
        "model": "llama-3.1-7b",
        "context_tokens": "many",
        "constants": "medium",
        "kv_format": "fp7",
    }
    problems = "\n".join(problems_of(given))
    assert "btach: no such parameter of decode-breakdown; did you mean batch?" in problems
    assert "batch: got 0; allowed is a whole number from 1 to 1,000,000 [count]" in problems
    assert "model: no model is called 'llama-3.1-7b'; did you mean llama-" in problems
    assert "context_tokens: got 'many'" in problems
    assert "constants: got 'medium'; allowed is one of low, typical, high, article" in problems
    assert "kv_format: no format is called 'fp7'" in problems
    assert len(problems.splitlines()) == 6


@pytest.mark.parametrize("value", [-1, 0, 1.5, "nan", "inf", "", "1e9", True, None, [1], "64 "])
def test_numbers_that_are_not_batches(value):
    if value == "64 ":
        assert parameters.chosen(CHAPTER, {"batch": value}) == {"batch": 64}
    else:
        assert len(problems_of({"batch": value})) == 1


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


def test_options_win_over_the_file_and_other_chapters_keep_their_defaults(tmp_path):
    text = "parameters:\n  accelerator: H200\nchapters:\n  decode-breakdown:\n    batch: 64\n    context_tokens: 5\n"
    options = [("batch", "1"), ("context_tokens", "7")]
    asked = ask(BOOK, scenario(tmp_path, text), "decode-breakdown", options)
    # A batch of one is the chapter's own default.
    assert asked.values.pop("decode-breakdown") == {"accelerator": "h200-sxm", "context_tokens": 7}
    assert not any(asked.values.values())


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
        ("title: 7", "title is text"),
        ("title: <b>ours</b>", "title is text without < and >"),
        ("parameters:\n  batch: 1\n  batch: 2", "batch is given twice"),
        ("parameters: false", "parameters holds `name: value` lines"),
        ("chapters:\n  5: {a: 1}", "chapters holds `name: value` lines"),
    ],
)
def test_broken_scenario_files(tmp_path, text, message):
    with pytest.raises(ParameterError, match=message.replace("[", r"\[").replace("`", "`")):
        ask(BOOK, scenario(tmp_path, text))


def test_a_scenario_file_that_is_not_there():
    with pytest.raises(ParameterError, match="nowhere.yml: cannot be read: No such file"):
        ask(BOOK, "nowhere.yml")


def test_all_problems_of_a_scenario_are_named(tmp_path):
    text = "parameters: {nothing: 1, batch: 0}\nchapters: {decode-brekdown: {}, decode-breakdown: {kv_format: x}}"
    with pytest.raises(ParameterError) as caught:
        ask(BOOK, scenario(tmp_path, text), "decode-breakdown", [("batch", "2"), ("batch", "many")])
    told = "\n".join(caught.value.problems)
    assert "did you mean decode-breakdown?" in told
    assert "nothing: no chapter has such a parameter" in told
    # What is wrong in the file is told, even where an option wins over it.
    assert "batch: got 0" in told and "kv_format: no format" in told
    assert "batch: given twice" in told and "batch: got 'many'" in told
