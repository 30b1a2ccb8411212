"""Questions of a chapter: what is asked, within which range numbers are drawn, what is right, and what goes wrong.

They lie beside the chapter, in ``<chapter>.questions.yml``, and serve worksheets, their grading and the quiz of a page.
Answers are calls of formulas, so that they follow whatever is drawn; the same call, traced, is the page's own.
"""

import contextlib
import functools
import hashlib
import itertools
import math
import random
import re
from dataclasses import dataclass, field
from types import MappingProxyType

import yaml

from llmpower import formulas
from llmpower.arguments import hint
from llmpower.facts import catalog, tables
from llmpower.facts.units import UNITS, in_unit, to_si
from llmpower.formulas import elementwise
from llmpower.text import text, unit_text
from llmpower.trace import Tape

# Kind -> what it is called where it is asked.
KINDS = {
    "hand": "Calculate by hand",
    "units": "Mind the units",
    "compare": "Compare",
    "table": "Read a table",
    "error": "Find the error",
    "moved": "Why did it move?",
}
ENDING = ".questions.yml"
# [1] How far from the answer counts as right, unless a question says otherwise.
_TOLERANCE = 0.02
# What goes wrong everywhere: SI unit of the answer, or None for all -> factors and what to say of them.
_SLIPS = {
    "B": (
        (8, "bits were taken for bytes, or the other way round: a byte is eight bits"),
        (1.024, "a kibibyte is 1,024 bytes, a kilobyte 1,000"),
        (1.024**2, "a mebibyte is 1,024 × 1,024 bytes, a megabyte 1,000,000"),
        (1.024**3, "GB and GiB are not the same: a gibibyte is 7 % more than a gigabyte"),
    ),
    "B/s": ((8, "bits were taken for bytes, or the other way round: a byte is eight bits"),),
    "J/B": ((8, "joules a bit were taken for joules a byte, or the other way round"),),
    "J": ((3600, "watt-hours were taken for joules, or hours for seconds: a watt-hour is 3,600 J"),),
    "W": ((3600, "hours were taken for seconds, or the other way round"),),
    "s": ((60, "minutes were taken for seconds, or hours for minutes"), (3600, "hours were taken for seconds")),
    "1": ((100, "per cent were taken for a share, or the other way round"),),
    None: tuple(
        (10.0**power, f"it is off by a factor of {10**power:,}: look at the prefixes, such as {of}")
        for power, of in ((3, "milli or kilo"), (6, "micro or mega"), (9, "nano or giga"), (12, "pico or tera"))
    ),
}


class QuestionError(RuntimeError):
    """A question that cannot be asked; the message names the file, the question and what is wrong."""

    exit_code = 1


@dataclass(frozen=True)
class Question:
    """What is asked, with places for numbers, and how they and the answer come about.

    draw: name -> unit and options; `also`: name -> expression and SI unit of what is told besides; `answer`: an
    expression, in SI units; choices: texts, the right one first, and why the others are wrong; mistakes: expression and
    what to say.
    """

    chapter: str
    id: str
    kind: str
    minutes: int
    ask: str
    how: str
    objective: str = ""
    draw: dict = field(default_factory=dict)
    also: dict = field(default_factory=dict)
    answer: str = ""
    unit: str = "1"
    tolerance: float = _TOLERANCE
    choices: tuple = ()
    mistakes: tuple = ()
    table: str = ""
    quiz: bool = False


@dataclass(frozen=True)
class Asked:
    """A question with its numbers.

    answer: in `unit`, or the letter of the right choice; slips: values that are wrong and what to say of each, or
    letter -> what to say.
    """

    question: Question
    text: str
    choices: dict
    answer: object
    unit: str
    slips: object
    how: str


def beside(path):
    """File of the questions of a chapter; path: of its notebook."""
    return path.with_name(path.stem + ENDING)


def questions(path):
    """Questions of a chapter, in their order, or none; path: of its notebook. QuestionError if one cannot be asked."""
    file = beside(path)
    if not file.is_file():
        return []
    try:
        listed = _loaded(file.read_text(encoding="utf-8"))
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise QuestionError(f"{file.name}: not valid YAML: {' '.join(str(error).split())}") from None
    if not isinstance(listed, list) or not all(isinstance(one, dict) for one in listed):
        raise QuestionError(f"{file.name}: expected a list of questions, each with id, kind, minutes, ask and how")
    found = [_read(path.stem, file.name, number, one) for number, one in enumerate(listed, start=1)]
    for one in found:
        if sum(other.id == one.id for other in found) > 1:
            raise QuestionError(f"{file.name}: two questions are called {one.id!r}")
    return found


def _loaded(text):
    """YAML; the loader in C, where there is one, takes a tenth of the time, the other tells better what is wrong."""
    with contextlib.suppress(AttributeError, yaml.YAMLError):
        return yaml.load(text, yaml.CSafeLoader)
    return yaml.safe_load(text)


def _read(chapter, file, number, one):
    try:
        return _question(chapter, file, number, **one)
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        told = f"{error} is missing" if isinstance(error, KeyError) else f"a field has another form: {error}"
        raise QuestionError(f"{file}, question {one.get('id', number)}: {told}") from None


_NEEDED, _MORE = ("id", "kind", "minutes", "ask", "how"), tuple(Question.__dataclass_fields__)


def _question(chapter, file, number, **given):
    place = f"{file}, question {given.get('id', number)}"
    for name in given.keys() - {*_MORE} | {name for name in given if name == "chapter"}:
        raise QuestionError(f"{place}: {name!r} is not known; {hint(name, _MORE)}there are {', '.join(_MORE[1:])}")
    if missing := [name for name in _NEEDED if not given.get(name)]:
        raise QuestionError(f"{place}: {', '.join(missing)} missing")
    if not re.fullmatch(r"[a-z][a-z0-9-]*", str(given["id"])):
        raise QuestionError(f"{place}: id: expected small letters, digits and hyphens")
    if given["kind"] not in KINDS:
        raise QuestionError(f"{place}: kind {given['kind']!r}: allowed are {', '.join(KINDS)}")
    if ("answer" in given) == ("choices" in given):
        raise QuestionError(f"{place}: expected either an answer or choices")
    if type(given["minutes"]) is not int or not 0 < given["minutes"] <= 240:
        raise QuestionError(f"{place}: minutes: expected a whole number from 1 to 240, got {given['minutes']!r}")
    if not 0 < given.get("tolerance", _TOLERANCE) < 0.5:
        raise QuestionError(f"{place}: tolerance: expected a share above 0 and below 0.5, got {given['tolerance']!r}")
    if given.get("table", "") and not (tables.DATA / str(given["table"])).is_file():
        raise QuestionError(f"{place}: table: data/ has no {given['table']}")
    if given.get("unit", "1") not in (*UNITS, "%"):
        raise QuestionError(f"{place}: unit {given['unit']!r} is not known; {hint(given['unit'], UNITS)}".rstrip("; "))
    draw = {}
    for name, spec in given.get("draw", {}).items():
        spec = spec if isinstance(spec, dict) else {"of": spec}
        unit, options = spec.get("unit", "1"), spec.get("of")
        if not isinstance(options, list) or not options or unit not in (*UNITS, "count"):
            raise QuestionError(f"{place}: draw {name}: expected a list of values, or unit and of, in a known unit")
        draw[name] = unit, options
    also = {name: (str(spec["is"]), spec.get("unit", "1")) for name, spec in given.get("also", {}).items()}
    choices = [one if isinstance(one, dict) else {"text": one} for one in given.get("choices", ())]
    if choices and not all(one.get("why") for one in choices[1:]):
        raise QuestionError(f"{place}: choices: each after the first, which is right, needs text and why")
    texts = {
        "draw": draw,
        "also": also,
        "choices": tuple((str(one["text"]).strip(), str(one.get("why", "")).strip()) for one in choices),
        "mistakes": tuple((str(one["gives"]), str(one["told"]).strip()) for one in given.get("mistakes", ())),
        "answer": str(given.get("answer", "")),
    }
    words = {name: str(given[name]).strip() for name in ("ask", "how", "objective") if name in given}
    return Question(**{**given, **texts, **words, "chapter": chapter})


# What an answer may name.


def _cell(table, column, **row):
    """A number of a table of facts: the one of the row whose columns have these texts."""
    found = [cells for cells in tables.rows(table) if all(cells.row[name] == str(told) for name, told in row.items())]
    if len(found) != 1:
        raise QuestionError(f"{table}: {len(found)} rows have {row}")
    return found[0].number(column)


@functools.cache
def _names():
    modules = {module.__name__.rpartition(".")[2]: module for module in formulas.modules()}
    functions = {name: getattr(elementwise, name) for name in "maximum minimum exp log sqrt ceil floor".split()}
    facts = {"accelerator": catalog.accelerator, "model": catalog.model, "fact": catalog.fact, "cell": _cell}
    return MappingProxyType({**modules, **functions, **facts, "to_si": to_si, "in_unit": in_unit})


def _value(place, expression, names):
    try:
        return eval(compile(expression, place, "eval"), {"__builtins__": {}, **_names(), **names})
    except QuestionError:
        raise
    except Exception as error:
        raise QuestionError(f"{place}: {expression}: {type(error).__name__}: {error}") from None


def _known(question, values):
    """Names with their values, in SI units: what is drawn, what is told besides, and the answer."""
    place = f"{question.chapter}, question {question.id}"
    names = dict(values)
    for name, (expression, _) in question.also.items():
        names[name] = _value(place, expression, names)
    if question.answer:
        names["answer"] = _value(place, question.answer, names)
    return names, [(_value(place, gives, names), told) for gives, told in question.mistakes]


def shown(value, unit):
    """A drawn value as it is asked with: as it was written, with its unit."""
    if isinstance(value, str):
        return value
    return (
        text(value, "count").replace(".0 ", " ")
        if unit == "count"
        else f"{value:,.12g}{'' if unit == '1' else ' ' + unit_text(unit)}"
    )


def si(value, unit):
    """A drawn value as formulas take it."""
    return value if isinstance(value, str) or unit == "count" else to_si(value, unit)


def unit_of(question):
    """The unit in which a question wants its answer, as people read it; nothing for a choice or a pure number."""
    return "" if question.choices or question.unit == "1" else unit_text(question.unit)


def _in(value, unit):
    return value * 100 if unit == "%" else in_unit(value, unit)


def _told(place, template, texts):
    try:
        return re.sub(r"\{(\w+)\}", lambda found: texts[found[1]], template)
    except KeyError as error:
        raise QuestionError(f"{place}: {error} in braces is not a name; there are {', '.join(texts)}") from None


def drawn(question, key):
    """Options of a question for a key, such as a seed and the id of a student: name -> value, in its unit.

    >>> one = Question("c", "q", "hand", 1, "", "", draw={"batch": ("1", [1, 2, 4, 8])})
    >>> drawn(one, "1/ada") == drawn(one, "1/ada")
    True
    """
    picked = random.Random(hashlib.sha256(f"{key}/{question.chapter}/{question.id}".encode()).digest())
    return {name: picked.choice(options) for name, (_, options) in question.draw.items()}


def asked(question, values, key=""):
    """A question with its numbers; values: as `drawn` gives them; key: decides the order of choices."""
    place = f"{question.chapter}, question {question.id}"
    names, mistakes = _known(question, {name: si(value, question.draw[name][0]) for name, value in values.items()})
    texts = {name: shown(value, question.draw[name][0]) for name, value in values.items()}
    texts |= {name: _also_text(names[name], unit) for name, (_, unit) in question.also.items()}
    if question.answer:
        answer = _in(names["answer"], question.unit)
        if not isinstance(answer, (int, float)) or not math.isfinite(answer) or answer == 0:
            raise QuestionError(f"{place}: the answer is {answer} for {values}; expected a number other than zero")
        texts["answer"] = " ".join(filter(None, (text(answer, "1"), unit_of(question))))
        told = [(_in(value, question.unit), _told(place, words, texts)) for value, words in mistakes]
        letters, slips = {}, told
    else:
        order = list(enumerate(question.choices))
        random.Random(hashlib.sha256(f"{key}/{question.id}/order".encode()).digest()).shuffle(order)
        of = {chr(65 + at): (number, *one) for at, (number, one) in enumerate(order)}
        letters = {letter: _told(place, words, texts) for letter, (_, words, _) in of.items()}
        answer = next(letter for letter, (number, *_) in of.items() if not number)
        slips = {letter: _told(place, why, texts) for letter, (number, _, why) in of.items() if number}
        texts["answer"] = answer
    ask, how = (_told(place, words, texts) for words in (question.ask, question.how))
    return Asked(question, ask, letters, answer, question.unit, slips, how)


def first(listed):
    """Questions with the first of their numbers, as pages have them before anybody draws others."""
    draws = [{name: options[0] for name, (_, options) in one.draw.items()} for one in listed]
    return [asked(one, values, one.chapter) for one, values in zip(listed, draws)]


def _also_text(value, unit):
    return value if isinstance(value, str) else text(value, unit)


def factors(unit, answer):
    """Factors by which an answer in a unit goes wrong, up and down, and what to say of each."""
    kind = "1" if unit == "%" else UNITS[unit][0]
    # A count is no share.
    own = () if kind == "1" and unit != "%" and abs(answer) > 1 else _SLIPS.get(kind, ())
    return [(way, words) for factor, words in (*own, *_SLIPS[None]) for way in (factor, 1 / factor)]


def judged(given, answer, unit, tolerance, slips):
    """Whether a number is right, and what to say if it is not; nothing where nobody knows what went wrong.

    given, answer: in `unit`; slips: values that are wrong, in the same unit, and what to say of each.

    >>> judged(1390.0, 1400.0, "J", 0.02, []), judged(1.4, 1400.0, "J", 0.02, [])[1][:33]
    ((True, ''), 'it is off by a factor of 1,000: l')
    """
    near = lambda value: abs(given - value) <= tolerance * abs(value)  # noqa: E731
    if near(answer):
        return True, ""
    known = [
        *slips,
        *((answer * factor, words) for factor, words in factors(unit, answer)),
        (-answer, "the sign is wrong"),
    ]
    return False, next((words for value, words in known if near(value)), "")


def program(question):
    """JavaScript of a question for a page: what is told besides, the answer in its unit, and the mistakes.

    It is a function of an object with what is drawn: in SI units, or its number among the options where they are names.
    """
    with Tape() as tape:
        inputs = {
            name: tape.choice(name, options) if isinstance(options[0], str) else tape.input(name)
            for name, (_, options) in question.draw.items()
        }
        names, mistakes = _known(question, inputs)
        found = [names[name] for name in question.also]
        found += [_in(names["answer"], question.unit)] if question.answer else []
        found += [_in(value, question.unit) for value, _ in mistakes]
        return tape.javascript("compute", found)


_MOST_DRAWS, _IN_QUIZ = 400, 5


def problems(path):
    """What is wrong with the questions of a chapter, a line each: asked with all that may be drawn, or many of them."""
    try:
        listed = questions(path)
    except QuestionError as error:
        return [str(error)]
    found, kinds = [], {one.kind for one in listed}
    if listed and kinds != {*KINDS}:
        found.append(f"{beside(path).name}: no question of the kinds {', '.join(sorted({*KINDS} - kinds))}")
    if listed and sum(one.quiz for one in listed) != _IN_QUIZ:
        found.append(f"{beside(path).name}: {sum(one.quiz for one in listed)} questions of the quiz, not {_IN_QUIZ}")
    for one in listed:
        draws = itertools.product(*(options for _, options in one.draw.values()))
        every = [dict(zip(one.draw, picked)) for picked in draws]
        some = random.Random(one.id).sample(every, min(len(every), _MOST_DRAWS))
        try:
            found += itertools.islice((told for values in some for told in _same(one, asked(one, values))), 1)
            if one.quiz:
                program(one)
        except (QuestionError, TypeError) as error:
            found.append(f"{beside(path).name}, question {one.id}: {error}")
    return found


def _same(question, one):
    """Mistakes that would count as right, or as one another."""
    if question.choices:
        return
    for number, (value, words) in enumerate(one.slips):
        others = [one.answer, *(other for other, _ in one.slips[:number])]
        if any(abs(value - other) <= 2 * question.tolerance * abs(other) for other in others):
            place = f"{question.chapter}{ENDING}, question {question.id}"
            yield f"{place}: the mistake “{words}” gives {value:g}, too near one of {others}"
