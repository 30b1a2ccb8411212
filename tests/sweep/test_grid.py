"""Grids: which combinations there are, how they are typed, and what is refused."""

import re

import pytest

from llmpower.arguments import ParameterError
from llmpower.book import parameters
from llmpower.facts import catalog
from llmpower.sweep import grid
from tests.conftest import BOOK

PATH = BOOK / "chapters" / "decode-breakdown.ipynb"
KNOWN = {name: one.quantity for name, one in parameters.parameters(PATH).items()}


def read(*swept, together=(), fixed=(), file=None):
    pairs = [tuple(one.split("=", 1)) for one in swept]
    together, fixed = ([tuple(one.split("=", 1)) for one in some] for some in (together, fixed))
    return grid.read(lambda lists: parameters.each(PATH, lists), KNOWN, pairs, together, fixed, file)


def test_every_value_meets_every_other_and_the_last_moves_fastest():
    found = read("batch=1,8,64", "accelerator=H100,b200", fixed=["context_tokens=1,024"])
    assert len(found) == 6
    assert [found[at]["batch"] for at in range(6)] == [1, 1, 8, 8, 64, 64]
    assert [found[at]["accelerator"] for at in range(4)] == ["h100-sxm", "b200", "h100-sxm", "b200"]
    assert {found[at]["context_tokens"] for at in range(6)} == {1024}
    with pytest.raises(IndexError):
        found[6]


def test_values_that_go_along_together():
    found = read("batch=1,8", together=["prompt_tokens=100,1000,9000", "output_tokens=10,20,30"])
    pairs = [(found[at]["batch"], found[at]["prompt_tokens"], found[at]["output_tokens"]) for at in range(len(found))]
    assert pairs == [(1, 100, 10), (1, 1000, 20), (1, 9000, 30), (8, 100, 10), (8, 1000, 20), (8, 9000, 30)]


def test_steps_and_factors_between_two_ends():
    # 1, 4, 16 and 64 are even factors; 10, 20 and 30 even steps.
    found = read("batch=1:64:4:log", "context_tokens=10:30:3")
    assert [*found.axes[0]["batch"]] == [1, 4, 16, 64] and [*found.axes[1]["context_tokens"]] == [10, 20, 30]
    # Whole numbers that come out twice are one.
    assert [*read("batch=1:3:9").axes[0]["batch"]] == [1, 2, 3]
    assert [*read("cached_prompt_share=0:1:5").axes[0]["cached_prompt_share"]] == [0, 0.25, 0.5, 0.75, 1]


def test_all_stands_for_all_there_are():
    found = read("accelerator=all").axes[0]["accelerator"]
    # A whole system is no accelerator of an estimate.
    assert set(catalog.names("accelerator")) - set(found) == {
        name for name in catalog.names("accelerator") if catalog.accelerator(name).category == "system"
    }
    assert set(read("software=all").axes[0]["software"]) == set(KNOWN["software"].choices)


def test_values_with_commas_stand_between_semicolons():
    found = read("weight_format=fp8;fp8,experts=nvfp4")
    assert [*found.axes[0]["weight_format"]] == ["fp8", "fp8,experts=nvfp4"]


def test_a_file_and_options_that_win_over_it(tmp_path):
    file = tmp_path / "sweep.yml"
    text = "parameters: {software: eager}\ngrid:\n  batch: [1, 8]\n  context_tokens: 10:30:3\n"
    file.write_text(text + "zip: {prompt_tokens: [1, 2], output_tokens: [3, 4]}\n")
    found = read("batch=64", file=file)
    assert len(found) == 6 and found.fixed == {"software": "eager"}
    assert found[5] == {"software": "eager", "batch": 64, "context_tokens": 30, "prompt_tokens": 2, "output_tokens": 4}


@pytest.mark.parametrize(
    ("swept", "together", "message"),
    [
        (["batch=0,8"], [], "batch: got '0'; allowed is a whole number from 1 to 1,000,000 [count]"),
        (["bacth=1"], [], "bacth: no such parameter of decode-breakdown; did you mean batch?"),
        (["batch=1", "batch=2"], [], "batch: given twice"),
        (["batch=1"], ["batch=2"], "batch: given twice"),
        ([], [], "grid: got nothing; allowed is at least one name with its values, such as batch=1,8,64"),
        ([], ["batch=1,2", "context_tokens=1,2,3"], "zip: got lists of different lengths, batch 2, context_tokens 3"),
        (["model=none,such"], [], "model: no model is called 'none'"),
        (["batch="], [], "batch: got ''"),
    ],
)
def test_what_is_wrong_is_told(swept, together, message):
    with pytest.raises(ParameterError, match=re.escape(message)):
        read(*swept, together=together)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("- 1", "expected `parameters:`, `grid:` and `zip:`, got list"),
        ("girds: {}", "unknown key 'girds'; allowed are parameters, grid, zip"),
        ("parameters: {batch: 3}\ngrid: {batch: [1, 2]}", "batch: given twice"),
        ("grid: {batch: 0:100:5:log}", "batch: got '0:100:5:log'; allowed is at least one, or low:high:count"),
        ("grid: 3", "grid holds `name: values` lines, not '3'"),
        ("grid: [", "not valid YAML"),
    ],
)
def test_files_that_are_wrong(tmp_path, text, message):
    file = tmp_path / "sweep.yml"
    file.write_text(text)
    with pytest.raises(ParameterError, match=re.escape(message)):
        read(file=file)
