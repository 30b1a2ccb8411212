"""The contract of a parameters cell, and what is refused."""

import pytest

from llmpower.arguments import ParameterError
from llmpower.book import parameters
from llmpower.book.files import chapters
from llmpower.facts import catalog
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


def test_whole_numbers_stay_whole_where_a_chapter_writes_them_so():
    # The table allows a mean of prompts; a page that prints 500 does not print 300.0 in its place.
    assert [
        str(parameters.chosen(CHAPTER, {"prompt_tokens": one})["prompt_tokens"]) for one in (300, "300", 300.5)
    ] == ["300", "300", "300.5"]


def test_a_network_and_a_machine_of_ones_own_go_along_whole(tmp_path):
    """A run stands alone: what it reads its own network and machine from may change or go afterwards."""
    machine = tmp_path / "box.yml"
    machine.write_text("name: My box\nmemory_bytes: 96 GB\nmemory_bandwidth_bytes_per_s: 1.79 TB/s\ntdp_w: 600\n")
    config = BOOK / "tests/facts/configurations/qwen3-4b.json"
    found = parameters.chosen(CHAPTER, {"model": str(config), "accelerator": str(machine)})
    machine.unlink()
    own, box = catalog.model(found["model"]), catalog.accelerator(found["accelerator"])
    assert (own.n_layers, own.d_model, own.entity) == (36, 2560, "qwen3-4b/config.json")
    assert (box.name, box.memory_bytes, box.memory_bandwidth_bytes_per_s, box.tdp_w) == ("My box", 96e9, 1.79e12, 600)
    assert parameters.chosen(CHAPTER, found) == found
    table = parameters.used_table(CHAPTER, found)
    assert "qwen3-4b/config.json" in table and "model_type" not in table


def test_lists_and_histories_take_names_alone():
    chapter = chapters(BOOK)["tokens-per-watt"]
    with pytest.raises(ParameterError, match="models: got .*qwen3-4b.json'; here allowed are names"):
        parameters.chosen(chapter, {"models": str(BOOK / "tests/facts/configurations/qwen3-4b.json")})
    with pytest.raises(ParameterError, match="last_accelerator: got 'h100,tdp_w=350'; here allowed are names"):
        parameters.chosen(chapters(BOOK)["tdp-escalator"], {"last_accelerator": "h100,tdp_w=350"})


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
    assert "constants: got 'medium'; allowed is one of low, typical, measured, high, article" in problems
    assert "kv_format: no format is called 'fp7'" in problems
    assert len(problems.splitlines()) == 6


@pytest.mark.parametrize("value", [-1, 0, 1.5, "nan", "inf", "", "1e9", True, None, [1], "64 "])
def test_numbers_that_are_not_batches(value):
    if value == "64 ":
        assert parameters.chosen(CHAPTER, {"batch": value}) == {"batch": 64}
    else:
        assert len(problems_of({"batch": value})) == 1
