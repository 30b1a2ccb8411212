"""A quiz in a chapter's page: questions with numbers that are drawn there, checked by the traced formulas."""

import nbformat

from llmpower import questions
from llmpower.book import editions
from llmpower.book.files import filled
from llmpower.trace import compact


def asked(path):
    """Questions of the quiz of a chapter; path: of its notebook."""
    return [one for one in questions.questions(path) if one.quiz]


def dress(notebook, name, listed):
    """Put the quiz before the exercises of a staged chapter; without a script it can be read, with first numbers."""
    if not listed:
        return
    text = filled(
        "templates/quiz.html.j2",
        name=name,
        sheet=questions.first(listed),
        kinds=questions.KINDS,
        unit=questions.unit_of,
    )
    made = nbformat.v4.new_markdown_cell(f"## Check yourself\n\n{text}", id="quiz")
    editions.before_exercises(notebook, made)


def script(name, listed):
    """The script of a page's quiz: what is drawn, and the program that computes each answer."""
    told, programs = [], []
    for one in listed:
        draw = {
            at: [[questions.si(value, unit), questions.shown(value, unit)] for value in options]
            for at, (unit, options) in one.draw.items()
        }
        told.append({
            "id": one.id, "ask": one.ask, "how": one.how, "draw": draw,
            "also": [[at, unit] for at, (_, unit) in one.also.items()], "choices": one.choices,
            "unit": questions.unit_of(one), "within": one.tolerance, "mistakes": [words for _, words in one.mistakes],
            "slips": [questions.factors(one.unit, size) for size in (1, 2)],
        })  # fmt: skip
        programs.append(f"(()=>{{{questions.program(one)};return compute}})()")
    return f"livingQuiz.define({compact(name)},{compact(told)},[{','.join(programs)}]);\n"
