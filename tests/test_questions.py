"""Questions as an author writes them: what is wrong with one is told with its file, its id and what is allowed."""

import math

import pytest
import yaml

from llmpower import questions

GOOD = {
    "id": "one", "kind": "hand", "minutes": 3, "ask": "{power} for {time}?", "how": "It is {answer}.",
    "draw": {"power": {"unit": "kW", "of": [1, 2, 5]}, "time": {"unit": "h", "of": [1, 24]}},
    "also": {"day": {"is": "power * 86400", "unit": "J"}},
    "answer": "decode.energy_j(power, time)", "unit": "kWh",
    "mistakes": [{"gives": "answer / 7", "told": "a week has seven days"}],
}  # fmt: skip


def written(tmp_path, *listed):
    path = tmp_path / "mine.ipynb"
    questions.beside(path).write_text(yaml.safe_dump(list(listed)), encoding="utf-8")
    return path


def test_an_answer_is_a_call_of_formulas_in_the_unit_that_is_asked(tmp_path):
    (one,) = questions.questions(written(tmp_path, GOOD))
    asked = questions.asked(one, {"power": 2, "time": 24})
    # 2 kW for 24 h are 48 kWh.
    assert asked.answer == pytest.approx(48) and asked.text == "2 kW for 24 h?" and asked.how == "It is 48 kWh."
    assert asked.slips == [(pytest.approx(48 / 7), "a week has seven days")]


def test_the_same_key_draws_the_same_and_another_one_mostly_another(tmp_path):
    (one,) = questions.questions(
        written(tmp_path, GOOD | {"draw": {"power": {"unit": "kW", "of": list(range(1, 60))}, "time": [1]}})
    )
    drawn = [questions.drawn(one, f"seed/{student}")["power"] for student in range(200)]
    assert drawn == [questions.drawn(one, f"seed/{student}")["power"] for student in range(200)]
    # Each of 59 numbers is drawn 3.4 times on average.
    assert len(set(drawn)) > 45 and max(map(drawn.count, drawn)) < 15


def test_choices_are_in_another_order_for_others_and_the_first_is_right(tmp_path):
    choice = {key: GOOD[key] for key in ("id", "kind", "minutes", "ask", "how", "draw")}
    choice |= {
        "ask": "Why?",
        "how": "So.",
        "draw": {},
        "choices": ["a", *({"text": one, "why": "no"} for one in "bcd")],
    }
    (one,) = questions.questions(written(tmp_path, choice))
    asked = [questions.asked(one, {}, str(key)) for key in range(40)]
    assert all(
        sheet.choices[sheet.answer] == "a" and set(sheet.slips) == set("ABCD") - {sheet.answer} for sheet in asked
    )
    assert {sheet.answer for sheet in asked} == set("ABCD")


WRONG = {
    "kind: allowed are hand": {"kind": "essay"},
    "id: expected small letters": {"id": "One!"},
    "'anser' is not known; did you mean answer": {"anser": "1"},
    "how missing": {"how": ""},
    "either an answer or choices": {"choices": ["a"]},
    "minutes: expected a whole number from 1 to 240, got '3'": {"minutes": "3"},
    "tolerance: expected a share above 0": {"tolerance": 0},
    "unit 'kJoule' is not known": {"unit": "kJoule"},
    "draw power: expected a list": {"draw": {"power": 7}},
    "data/ has no nothing.csv": {"table": "nothing.csv"},
    "'told' is missing": {"mistakes": [{"gives": "1"}]},
    "'is' is missing": {"also": {"day": {"unit": "J"}}},
    "a field has another form": {"also": [1]},
}


@pytest.mark.parametrize("words", WRONG)
def test_what_is_wrong_is_told(tmp_path, words):
    with pytest.raises(questions.QuestionError) as told:
        questions.questions(written(tmp_path, GOOD | WRONG[words]))
    assert words.removeprefix("kind: ") in str(told.value) and str(told.value).startswith(
        "mine.questions.yml, question"
    )


BROKEN = {
    "decode.energy(power, time): AttributeError": {"answer": "decode.energy(power, time)"},
    "__import__('os'): NameError": {"answer": "__import__('os')"},
    "'tme' in braces is not a name": {"ask": "{tme}?"},
    "too near one of": {"mistakes": [{"gives": "answer * 1.01", "told": "x"}]},
    "the answer is 0": {"answer": "power * 0"},
}


@pytest.mark.parametrize("words", BROKEN)
def test_a_question_is_tried_before_anybody_is_asked(tmp_path, words):
    assert any(words in told for told in questions.problems(written(tmp_path, GOOD | BROKEN[words])))


def test_kinds_that_are_missing_are_told(tmp_path):
    told = questions.problems(written(tmp_path, GOOD))
    assert (
        "no question of the kinds compare, error, moved, table, units" in told[0]
        and "0 questions of the quiz" in told[1]
    )
    assert len(told) == 2


def test_a_file_that_holds_no_questions(tmp_path):
    path = tmp_path / "mine.ipynb"
    assert questions.questions(path) == [] and questions.problems(path) == []
    for text in ("id: one", "- 1", "- [", "\xff"):
        questions.beside(path).write_bytes(text.encode("latin-1"))
        with pytest.raises(questions.QuestionError, match=r"^mine\.questions\.yml"):
            questions.questions(path)


def test_slips_of_physics():
    for given, words in (
        (28.8, "3,600"),
        (0.1048, "off by"),
        (104.8 * 3600, "watt-hours"),
        (-104.8, "sign"),
        (99.0, ""),
    ):
        right, told = questions.judged(given, 104.8, "J", 0.02, [])
        assert not right and (words in told or math.isclose(given, 28.8))
    assert questions.judged(103.0, 104.8, "J", 0.02, []) == (True, "")
