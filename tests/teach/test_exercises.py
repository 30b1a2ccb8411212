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
