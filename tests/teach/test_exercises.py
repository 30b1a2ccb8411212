"""Exercises as a teacher sets them: from warm-up to design, with minutes that add up, a table and a rubric."""

import re

import pytest

from llmpower import questions
from llmpower.book import editions, files, records
from tests.conftest import BOOK

CHAPTERS = {
    name: path for name, path in files.chapters(BOOK).items() if "{exercise}" in path.read_text(encoding="utf-8")
}


def test_all_chapters_have_exercises_but_the_tool_and_the_front():
    assert set(files.chapters(BOOK)) - set(CHAPTERS) == {"index", "what-if"}


@pytest.mark.parametrize("name", CHAPTERS)
def test_levels_rise_and_minutes_add_up(name):
    notebook = files.read_notebook(CHAPTERS[name])
    levels = [level for _, _, level, _ in editions.exercises(notebook)]
    assert None not in levels
    assert levels == sorted(levels, key=editions.LEVELS.index)
    assert levels[0] == "Warm-up" and levels[-2:] == ["Data", "Design"] and len(levels) >= 6
    said = re.search(r"\*\*Time\*\* about \d+ minutes, and (\d+) more for the exercises", records.markdown(notebook))
    assert int(said[1]) == sum(minutes for *_, minutes in editions.exercises(notebook))


def bodies(name):
    text = records.markdown(files.read_notebook(CHAPTERS[name]))
    found = re.findall(r"^(`{3,})\{exercise\}[^\n]*\n:label: ([\w-]+)\n(.*?)^\1$", text, re.MULTILINE | re.DOTALL)
    return [(label, body) for _, label, body in found]


@pytest.mark.parametrize("name", CHAPTERS)
def test_the_data_lie_at_the_end_of_the_page_and_the_design_has_a_rubric(name, site):
    (data,) = [body for _, body in bodies(name) if body.lstrip().startswith("*Data,")]
    (design,) = [body for _, body in bodies(name) if body.lstrip().startswith("*Design,")]
    table = re.search(r"`(\w+\.csv)`,? among the files at the end of this page", data)
    assert table, data
    asked = {one.table for one in questions.questions(CHAPTERS[name]) if one.table}
    assert table[1] in asked
    page = (site / "chapters" / f"{name}.html").read_text(encoding="utf-8")
    for one in asked:
        assert f'href="../downloads/{one}"' in page
        assert (site / "downloads" / one).read_bytes() == (BOOK / "data" / one).read_bytes()
    points = [
        int(number)
        for number in re.findall(r"\|\s*(\d+)\s*\|\s*$|(?<=, )(\d+) points?", design, re.MULTILINE)
        for number in number
        if number
    ]
    assert sum(points) == 10, design


@pytest.mark.parametrize("name", CHAPTERS)
def test_each_exercise_has_a_solution_that_answers(name):
    text = records.markdown(files.read_notebook(CHAPTERS[name]))
    labels = [label for label, _ in bodies(name)]
    solved = re.findall(r"\{solution-start\} ([\w-]+)|\{solution\} ([\w-]+)", text)
    assert [one or other for one, other in solved] == labels
    assert len(labels) == len(set(labels))


@pytest.mark.parametrize("name", CHAPTERS)
def test_questions_are_of_all_kinds_and_five_are_the_quiz(name):
    listed = questions.questions(CHAPTERS[name])
    assert {one.kind for one in listed} == {"hand", "units", "compare", "table", "error", "moved"}
    assert sum(one.quiz for one in listed) == 5 and all(one.objective and one.minutes for one in listed)


# A question a chapter, some of its numbers, and the answer worked out by hand.
BY_HAND = {
    # The capacitance falls 4 times, the square of the voltage 16 times.
    ("dennard-collapse", "switch-cubed"): ({"scale": 4}, 64),
    # 5 MW / 1,200 W = 4,166.7 boards, times 8 TB/s.
    ("tdp-escalator", "a-site-of-boards"): ({"budget": 5, "tdp": 1200, "bandwidth": 8}, 33_333),
    # 140e9 B / (8 x 164e3 B).
    ("decode-breakdown", "cache-crossing"): ({"batch": 8, "cache": 164, "weights": 140}, 106_707),
    # 50 MW / 1.3 / 10 kW = 3,846 whole servers, of eight boards.
    ("datacenter-scale", "boards-of-a-site"): ({"site": 50, "pue": 1.3, "rated": 1000, "rest": 2}, 30_768),
    # 11 W x 22 x 3,600 s / 720 J.
    ("tokens-per-watt", "what-waiting-costs"): ({"idle": 11, "hours": 22, "each": 720}, 1210),
    # 16 x 4 / 16 + 0.5 + 0.3 + 3 = 7.8 J of 19.8 J.
    ("three-layer-mitigations", "left-of-the-bill"): (
        {"weights": 16, "cache": 0.5, "arithmetic": 0.3, "static": 3, "narrow": 4},
        39.394,
    ),
    # 118 W + 2e12 x 113e-12 W + 90e12 x 0.89e-12 W = 118 + 226 + 80.1 W.
    ("model-against-measurement", "three-terms"): (
        {"static": 118, "per_byte": 113, "traffic": 2, "per_operation": 0.89, "rate": 90},
        424.1,
    ),
}


@pytest.mark.parametrize(("name", "id"), BY_HAND)
def test_answers_are_those_of_a_pocket_calculator(name, id):
    values, answer = BY_HAND[name, id]
    (one,) = [one for one in questions.questions(CHAPTERS[name]) if one.id == id]
    assert questions.asked(one, values).answer == pytest.approx(answer, rel=2e-5)
