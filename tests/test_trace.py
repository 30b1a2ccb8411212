"""Traced numbers: what may not be done with them, what is written down, and that the page computes what Python does."""

import inspect
import math
import operator
import random
import re
from dataclasses import dataclass
from types import SimpleNamespace

import pytest

from llmpower.facts.quantities import quantities
from llmpower.formulas import elementwise
from llmpower.trace import Options, Tape, TraceError, Words, by_choice, either, renamed, says, shared, traced
from tests.book.browser import NEEDS_CHROMIUM
from tests.formulas.cases import FORMULAS
from tests.traced import blank_page, computed, difference, drawn, limit, worst

ORDERS = (operator.lt, operator.le, operator.gt, operator.ge, operator.eq, operator.ne)
NAMES = ["small", "large", "huge"]


@pytest.fixture
def tape():
    with Tape() as tape:
        yield tape


@pytest.fixture(scope="module")
def page():
    with blank_page() as page:
        yield page


def things(tape):
    """A traced number, an unknown record, and an unknown text."""
    records = tape.choice("size", [SimpleNamespace(name=name) for name in NAMES])
    return {"number": tape.input("x"), "choice": tape.choice("any", ["", *NAMES]), "words": by_choice(str)(records)}


# What would take a branch, or a value out of a tape.


@pytest.mark.parametrize("kind", ["number", "choice", "words"])
@pytest.mark.parametrize("order", ORDERS)
def test_nothing_can_be_compared(tape, kind, order):
    one = things(tape)[kind]
    for other in (1.0, "small", None, one, things(tape)[kind]):
        with pytest.raises(TraceError):
            order(one, other)
    for other in (1.0, "small"):
        with pytest.raises(TraceError):
            order(other, one)


@pytest.mark.parametrize("kind", ["number", "choice", "words"])
@pytest.mark.parametrize(
    "asked", [bool, iter, sorted, list, sum, lambda one: one in (1, 2), lambda one: 1 if one else 2]
)
def test_nothing_has_a_truth_or_parts(tape, kind, asked):
    with pytest.raises(TraceError):
        asked(things(tape)[kind])


@pytest.mark.parametrize("asked", [float, int, round, math.exp, math.floor, str, abs, divmod, range, hex])
def test_a_traced_number_turns_into_no_other(tape, asked):
    with pytest.raises(TypeError):
        asked(tape.input("x"))


@pytest.mark.parametrize("asked", [max, min, operator.mod, operator.floordiv, "abc".__getitem__])
def test_what_is_no_arithmetic_is_no_operation(tape, asked):
    x = tape.input("x")
    with pytest.raises(TypeError):
        asked(x, 1) if asked in (max, min, operator.mod, operator.floordiv) else asked(x)
    with pytest.raises(TypeError):
        x + "1"


def test_numpy_gets_nothing_out_of_a_traced_number(tape):
    import numpy

    for asked in (numpy.exp, numpy.maximum.reduce, lambda x: numpy.asarray([x], dtype=float)):
        with pytest.raises((TypeError, ValueError)):
            asked(tape.input("x"))
    # Arithmetic with one of NumPy's numbers is arithmetic, from both sides.
    sums = [numpy.float64(2) * tape.input("x"), tape.input("x") * numpy.float64(2), numpy.float64(2) - tape.input("x")]
    assert tape.values(sums, {"x": 3}) == [6, 6, -1]


def test_an_unknown_format_is_no_silent_number(tape):
    x = tape.input("x")
    assert re.fullmatch("\ue000\\d+\ue001", f"{x:,.3g}")
    # The same mark for the same thing, another one for another.
    assert f"{x:.1f}" == f"{x:.1f}" != f"{x:.2f}" != f"{x + 1:.2f}"


def test_two_tapes_do_not_go_together(tape):
    with Tape() as other, pytest.raises(TraceError, match="two tapes"):
        tape.input("x") + other.input("x")


# Choices.


def test_a_choice_becomes_a_table_where_options_differ(tape):
    size = tape.choice("size", NAMES)
    count, same = by_choice(len)(size), by_choice(lambda name: name.islower())(size)
    assert same is True, "what is the same for all options is no table"
    assert [tape.values([count], {"size": at}) for at in range(3)] == [[5], [5], [4]]


def test_axes_on_which_nothing_depends_are_dropped(tape):
    first, second, third = (tape.choice(name, NAMES) for name in ("first", "second", "third"))
    found = by_choice(lambda a, b, c: len(a) * 10 + len(c))(first, second, third)
    (number, sizes, values), *more = tape.tables.values()
    assert not more and sizes == [3, 3] and len(values) == 9 and "second" not in tape.javascript("f", [found])
    for a, one in enumerate(NAMES):
        for c, other in enumerate(NAMES):
            assert tape.values([found], {"first": a, "third": c}) == [len(one) * 10 + len(other)]


def test_what_follows_from_a_choice_may_be_asked_again(tape):
    first, second = tape.choice("first", NAMES), tape.choice("second", NAMES)
    both = by_choice(lambda a, b: [a, b])(first, second)
    found = by_choice(lambda pair, b: len(pair[0]) + 10 * (pair[1] == b))(both, second)
    # The second one cancels out.
    assert [tape.values([found], {"first": at}) for at in range(3)] == [[15], [15], [14]]
    assert traced(found) and traced(both, 1.0) and not traced(1.0, "small")


def test_an_option_that_cannot_be_had_is_no_number(tape):
    known = {"small": 1.0, "huge": 3.0}
    found = by_choice(known.__getitem__)(tape.choice("size", NAMES)) * 2
    values = [tape.values([found], {"size": at})[0] for at in range(3)]
    assert values[0] == 2 and math.isnan(values[1]) and values[2] == 6
    with pytest.raises(KeyError):
        by_choice({}.__getitem__)(tape.choice("size", NAMES))


def test_a_failure_of_tracing_is_no_missing_option(tape):
    x = tape.input("x")
    with pytest.raises(TraceError):
        by_choice(lambda name: 1.0 if x > len(name) else 2.0)(tape.choice("size", NAMES))


def test_what_a_function_of_choices_returns_keeps_its_shape(tape):
    @dataclass(frozen=True)
    class Ends:
        low: float
        high: float

    def shapes(name):
        size = len(name)
        return {"pair": (size, 7), "space": SimpleNamespace(name=name, kind="text"), "ends": Ends(size, 2.0 * size)}

    found = by_choice(shapes)(tape.choice("size", NAMES))
    assert found["pair"][1] == 7 and found["space"].kind == "text" and isinstance(found["space"].name, Words)
    assert tape.values([found["pair"][0], found["ends"].high], {"size": 2}) == [4, 8]


def test_a_traced_number_may_be_what_options_differ_in(tape):
    x = tape.input("x")
    found = by_choice({"small": x, "large": 2 * x, "huge": 5.0}.__getitem__)(tape.choice("size", NAMES))
    assert [tape.values([found], {"x": 10, "size": at}) for at in range(3)] == [[10], [20], [5]]


def test_attributes_items_and_calls_of_a_choice(tape):
    sizes = [SimpleNamespace(n=n, by={"two": 2 * n}, times=lambda k, n=n: n * k) for n in (1.0, 2.0, 3.0)]
    one = tape.choice("size", sizes)
    found = [one.n, one.by["two"], one.times(10.0)]
    assert [tape.values(found, {"size": at}) for at in range(3)] == [[n, 2 * n, 10 * n] for n in (1, 2, 3)]
    with pytest.raises(AttributeError):
        one.missing  # noqa: B018
    assert bool(tape.choice("size", [1, 2])), "a truth of all options is known"
    with pytest.raises(TraceError):
        bool(tape.choice("size", [0, 1]))


def test_options_are_a_dictionary_of_which_a_choice_picks(tape):
    known = Options(small=1.0, large=2.0, huge=4.0)
    assert known["large"] == 2.0
    assert [tape.values([known[tape.choice("size", NAMES)]], {"size": at}) for at in range(3)] == [[1], [2], [4]]


def test_either_says_and_renamed(tape):
    size, on = tape.choice("size", NAMES), tape.input("on")
    words = by_choice(str)(size)
    assert either(3.0) is True and says("small", "small") == 1.0 and renamed("small", {"small": "tiny"}) == "tiny"
    cost = by_choice(lambda yes, name: len(name) if yes else 0)(either(on), size)
    other = renamed(words, {"small": "tiny"})
    assert other.texts == ["tiny", "large", "huge"] and other.number is words.number
    for at, name in enumerate(NAMES):
        for truth in (0, 1):
            wanted = [len(name) * truth, float(name == "large"), float(at == 0)]
            state = {"size": at, "on": truth}
            assert tape.values([cost, says(words, "large"), says(other, "tiny")], state) == wanted


def test_without_a_tape_nothing_is_different():
    assert by_choice(len)("small") == 5 and shared(lambda a, b: (a + b,))(1, 2) == (3,)


# What is written down.


def test_what_is_written_is_written_once_and_what_is_needless_not_at_all(tape):
    x = tape.input("x")
    assert x + 0 is x and x - 0 is x and 0 + x is x and x * 1 is x and 1 * x is x and x / 1 is x
    # These change it.
    assert (0 - x) is not x and (1 / x) is not x and x**1 is not x
    assert x * 2 is x * 2.0 and x * 2 is not 2 * x
    forgotten = elementwise.exp(x)
    assert "exp" not in tape.javascript("f", [x * 2]) and "exp" in tape.javascript("f", [forgotten])


@shared
def inner(a, b):
    return (a * b + 1, 5.0)


@shared
def outer(space, factor):
    (one, five), (other, _) = inner(space.a, factor), inner(space.b, factor)
    return (one + other + five,)


def test_shared_functions_are_written_once_nested_ones_too(tape):
    x, y = tape.input("x"), tape.input("y")
    found = [outer(SimpleNamespace(a=a, b=b), factor)[0] for a, b, factor in ((x, y, 2.0), (y, 7.0, x), (x, x, x))]
    script = tape.javascript("f", found)
    assert script.count("function F") == 2, "one for each, however often it is called"
    for x, y in ((2.0, 3.0), (-1.5, 0.25)):
        wanted = [outer(SimpleNamespace(a=a, b=b), factor)[0] for a, b, factor in ((x, y, 2.0), (y, 7.0, x), (x, x, x))]
        assert tape.values(found, {"x": x, "y": y}) == wanted


def test_a_gap_stays_one_where_an_axis_falls_away(tape):
    """Beside a choice of two on which nothing depends four of eight places have a value, and four places are left."""
    namespace, nothing = SimpleNamespace, SimpleNamespace()
    options = [namespace(part=namespace(q=1)), nothing, namespace(part=namespace(q=5)), nothing]
    some, other = tape.choice("some", options), tape.choice("other", ["a", "b"])
    found = by_choice(lambda one, needless: one.part)(some, other).q
    assert [tape.values([found], {"some": at, "other": 1}) for at in (0, 2)] == [[1], [5]]
    (gap,) = tape.values([found], {"some": 1, "other": 0})
    assert math.isnan(gap)


def test_values_write_nothing_down_and_leave_the_tape_open(tape, monkeypatch):
    x = tape.input("x")
    found = outer(SimpleNamespace(a=x, b=3.0), 2.0)
    written = len(tape.nodes)
    monkeypatch.setattr("llmpower.trace._flat", None)
    assert tape.values(found, {"x": 4.0}) == [21.0], "(4 x 2 + 1) + (3 x 2 + 1) + 5, no argument looked through"
    assert len(tape.nodes) == written and traced(x), "numbers are traced afterwards as before"
    with pytest.raises(KeyError):
        tape.values([x], {})
    assert traced(x), "also where it failed"


def test_zero_and_infinity_stay_what_they_are_in_a_shared_function(tape):
    seen = []

    @shared
    def once(a, b):
        seen.append(b)
        return (a + 1,)

    x = tape.input("x")
    for b in (2.0, 3.0, 0.0, math.inf, "text", True):
        once(x, b)
    # Two numbers share one body; what may be left out, or is none, has one each.
    assert len(seen) == 5 and seen[1:] == [0.0, math.inf, "text", True]


# The same in the page.


EDGES = (-1e300, -1e22, -2.5, -1.0, -1e-320, -0.0, 0.0, 5e-324, 0.1, 1.0, 1e16, 123456789012345680.0, 1.7e308, math.inf)


@NEEDS_CHROMIUM
def test_constants_and_operations_are_those_of_python(page, tape):
    x, y = tape.input("x"), tape.input("y")
    found = [sign(x, one) for one in EDGES for sign in (operator.add, operator.sub, operator.mul, operator.truediv)]
    found += [sign(one, x) for one in EDGES for sign in (operator.add, operator.sub, operator.mul, operator.truediv)]
    found += [x**one for one in (-2, 0, 0.5, 1, 3, 2.5)] + [one**x for one in (0, 0.5, 2, 10)] + [-x, x - -3, x**y]
    found += [elementwise.maximum(x, y), elementwise.minimum(y, x), elementwise.positive(x, y, 3.0)]
    found += [getattr(elementwise, name)(x) for name in ("exp", "log", "sqrt", "ceil", "floor")]
    found += [elementwise.interpolate(x, (-1.0, 0.5, 2.0), (10.0, y, -4.0)), elementwise.positive(x - y, x, -7.5e-9)]
    states = [{"x": x, "y": y} for x in (-2.0, -0.75, 0.0, 0.5, 1.3, 2.0, 11.7, math.nan) for y in (-1.5, 0.0, 2.0)]
    for state, values in zip(states, computed(page, tape, found, states)):
        for number, got, want in zip(found, values, tape.values(found, state)):
            assert difference(got, want) < 1e-14, (tape.nodes[number.place], state)


@NEEDS_CHROMIUM
def test_tables_are_found_again_packed_ones_too(page, tape):
    draw = random.Random(3)
    sizes = {"a": 7, "b": 13, "c": 11}
    a, b, c = (tape.choice(name, [*range(size)]) for name, size in sizes.items())
    few, many = [draw.choice((-1.5, 0.0, 1e-9, 3.0, math.nan, math.inf)) for _ in range(1001)], [*range(1001)]
    # As many values as there are signs, among them those that a text would have to escape.
    most = [float(one % 90) for one in range(1001)]
    found = [
        by_choice(lambda i, j, k, values=values: values[(i * 13 + j) * 11 + k])(a, b, c) for values in (few, many, most)
    ]
    script = tape.javascript("f", found)
    assert script.count("L.table(") == 2
    places = [(i, j, k) for i in range(7) for j in range(13) for k in range(11)]
    got = computed(page, tape, found, [dict(zip(sizes, place)) for place in places])
    assert worst(sum(got, []), [one for trio in zip(few, many, most) for one in trio]) == 0


@NEEDS_CHROMIUM
def test_shared_functions_are_called_by_the_page(page, tape):
    x, y = tape.input("x"), tape.input("y")
    size = by_choice(lambda name: float(len(name)))(tape.choice("size", NAMES))
    found = [*outer(SimpleNamespace(a=x, b=size), y), *outer(SimpleNamespace(a=y, b=7.0), x)]
    states = [{"x": 1.5, "y": y, "size": at} for y in (-2.0, 0.25) for at in range(3)]
    assert computed(page, tape, found, states) == [tape.values(found, state) for state in states]


def points(name, draw, many=24):
    """Values for the arguments of a formula: the ends of their ranges, and many between."""
    names = [*inspect.signature(FORMULAS[name]).parameters]
    ends = [{one: getattr(quantities()[one], end) for one in names} for end in ("low", "high")]
    return ends + [{one: drawn(draw, one) for one in names} for _ in range(many)]


@NEEDS_CHROMIUM
@pytest.mark.parametrize("name", FORMULAS)
def test_the_page_computes_every_formula_as_python_does(page, name):
    function = FORMULAS[name]
    with Tape() as tape:
        result = function(**{one: tape.input(one) for one in inspect.signature(function).parameters})
        states = points(name, random.Random(name))
        for state, (got,) in zip(states, computed(page, tape, [result], states)):
            want = limit(function, **state)
            assert difference(got, want) < 1e-12, (state, got, want)
