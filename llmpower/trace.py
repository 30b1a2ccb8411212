"""Formula -> JavaScript: a calculation is done once with traced numbers, and every operation is written down.

A traced number has no value, so nothing may be done with it but arithmetic: a comparison raises `TraceError`, and
branches are written with `llmpower.formulas.elementwise`. A `Choice` stands for one of several records or names; what
follows from it becomes a table, with an axis for each choice on which it depends.
"""

import contextlib
import functools
import itertools
import json
import math
import operator
import threading
from dataclasses import fields, is_dataclass
from numbers import Real
from types import SimpleNamespace


class TraceError(TypeError):
    """Something other than arithmetic was asked of a traced number."""


def _refused(self, *others):
    raise TraceError("a traced number has no truth and no order: write the branch with formulas.elementwise")


# Operation -> what it is in JavaScript; `page.js` defines those of L.
_INFIX = {"+": lambda a, b: a + b, "-": lambda a, b: a - b, "*": lambda a, b: a * b, "/": lambda a, b: a / b}
_CALLS = {
    "maximum": "Math.max", "minimum": "Math.min", "exp": "Math.exp", "log": "Math.log", "sqrt": "Math.sqrt",
    "ceil": "Math.ceil", "floor": "Math.floor", "**": "Math.pow", "positive": "L.positive",
    "interpolate": "L.interpolate",
}  # fmt: skip


def _maximum(a, b):
    # NaN wins, as in NumPy: an unknown input must not look known.
    return a if a != a or a > b else b


def _minimum(a, b):
    return a if a != a or a < b else b


def _whole(rounded):
    return lambda x: float(rounded(x)) if math.isfinite(x) else x


# What the functions of `elementwise` do with floats.
FUNCTIONS = {
    "maximum": _maximum, "minimum": _minimum, "exp": math.exp, "log": math.log, "sqrt": math.sqrt,
    "ceil": _whole(math.ceil), "floor": _whole(math.floor), "**": math.pow,
}  # fmt: skip
# Sign -> what leaves a number as it is when it stands on the right, and on the left.
_RIGHT, _LEFT = {"+": 0, "-": 0, "*": 1, "/": 1}, {"+": 0, "*": 1}
# Values that compare quickly; NumPy's own numbers are floats.
_PLAIN = (int, float, str)
# As `id`, of which those who watch a chapter are told each time.
_identity = object.__hash__
# An option for which something cannot be had.
_NONE = object()
_open = []


class _Here(threading.local):
    """Whether this thread works with numbers that are known, whatever is open."""

    plain = False


_here = _Here()


def _operation(sign, turned=False):
    neutral = (_LEFT if turned else _RIGHT).get(sign)

    def operation(self, other):
        if not isinstance(other, (Number, Real)):
            return NotImplemented
        if not isinstance(other, Number) and other == neutral:
            return self
        return self.tape.put(sign, *((other, self) if turned else (self, other)))

    return operation


class Number:
    """A number that is not known yet: what is done with it is written on a tape."""

    __slots__ = ("tape", "place")
    # NumPy leaves operations with it to the methods below.
    __array_ufunc__ = None

    def __init__(self, tape, place):
        self.tape, self.place = tape, place

    __add__, __sub__, __mul__, __truediv__, __pow__ = map(_operation, ("+", "-", "*", "/", "**"))
    __radd__, __rsub__, __rmul__, __rtruediv__, __rpow__ = (
        _operation(sign, turned=True) for sign in ("+", "-", "*", "/", "**")
    )
    __lt__ = __le__ = __gt__ = __ge__ = __eq__ = __ne__ = __bool__ = __iter__ = __float__ = __str__ = _refused
    __hash__ = object.__hash__

    def __neg__(self):
        return self.tape.put("-", 0, self)

    def __format__(self, spec):
        return self.tape.shown("format", self, spec)


class Words:
    """A text that depends on a choice: it may become part of other texts, and nothing else can be asked of it."""

    def __init__(self, number, texts):
        self.number, self.texts = number, texts

    __lt__ = __le__ = __gt__ = __ge__ = __eq__ = __ne__ = __bool__ = __iter__ = _refused
    __hash__ = object.__hash__

    def __format__(self, spec):
        return self.number.tape.shown("words", self.number, self.texts)

    def __str__(self):
        return format(self)


def says(words, text):
    """One where some words are this text, else zero; they may be traced. [1]"""
    if not isinstance(words, Words):
        return float(words == text)
    return words.number.tape.put("select", words.number, *(one == text for one in words.texts))


def renamed(words, names):
    """What names have for some words, or the words where they have nothing; they may be traced."""
    if not isinstance(words, Words):
        return names.get(words, words)
    return Words(words.number, [names.get(one, one) for one in words.texts])


class Choice:
    """One of several records or names, nobody knows yet which; `axes` are the inputs that decide, with their sizes."""

    def __init__(self, tape, axes, values):
        self.__dict__.update(_tape=tape, _axes=axes, _values=values)

    def __getattr__(self, name):
        if name.startswith("__"):
            raise AttributeError(name)
        return by_choice(getattr)(self, name)

    def __call__(self, *arguments, **named):
        return by_choice(lambda one: one(*arguments, **named))(self)

    def __getitem__(self, name):
        return by_choice(lambda one: one[name])(self)

    def __bool__(self):
        truths = {bool(one) for one in self._values}
        return truths.pop() if len(truths) == 1 else _refused(self)

    def __format__(self, spec):
        return format(by_choice(str)(self), spec)

    __lt__ = __le__ = __gt__ = __ge__ = __eq__ = __ne__ = __iter__ = __str__ = _refused
    __hash__ = object.__hash__


def by_choice(function):
    """A function of records and names that may be given `Choice` instead: then it is asked for every option.

    It may compare and branch as it likes; numbers, texts, tuples, dictionaries and namespaces that it returns come back
    as such, with traced numbers inside where options differ. What it cannot do for an option is not a number there.
    """

    @functools.wraps(function)
    def asked(*arguments, **named):
        given = [*arguments, *named.values()]
        choices = [one for one in given if isinstance(one, Choice)] if _open else ()
        if not choices:
            return function(*arguments, **named)
        # The same question has the same answer, which is the same object.
        known, key = choices[0]._tape.asked, (function, tuple(named), *map(_identity, given))
        if key not in known:
            # What was asked of is kept, so that nothing else gets its number.
            known[key] = of_options(arguments, named, given, choices), given
        return known[key][0]

    def of_options(arguments, named, given, choices):
        axes = dict(axis for one in choices for axis in one._axes.items())
        values, problem, count = [], None, len(arguments)
        gaps = any(value is _NONE for one in choices for value in one._values)
        for some in zip(*(_along(one, axes) for one in given)):
            try:
                if gaps and any(one is _NONE for one in some):
                    values.append(_NONE)
                elif named:
                    values.append(function(*some[:count], **dict(zip(named, some[count:]))))
                else:
                    values.append(function(*some))
            except (AttributeError, KeyError, ValueError, TypeError, ZeroDivisionError) as error:
                if isinstance(error, TraceError):
                    raise
                values.append(_NONE)
                problem = error
        if all(one is _NONE for one in values):
            raise problem or TraceError(f"{function.__name__} cannot be had for any choice")
        return _gathered(choices[0]._tape, axes, values)

    return asked


def either(number):
    """A choice between False and True by a traced number that is zero or one; other values stay what they are."""
    if not isinstance(number, Number):
        return bool(number)
    name = f"#{number.place}"
    number.tape.decided[name] = number
    return Choice(number.tape, {name: 2}, [False, True])


class Options(dict):
    """Values by name, of which a choice of names may pick one."""

    __getitem__ = by_choice(dict.__getitem__)


def _along(value, axes):
    """What a value is at each place of some axes, the last of which runs first: a choice is one of its options."""
    if not isinstance(value, Choice):
        return itertools.repeat(value)
    strides, stride, places = {}, 1, [0]
    for axis, size in reversed(value._axes.items()):
        strides[axis] = stride
        stride *= size
    for axis, size in axes.items():
        step = strides.get(axis, 0)
        places = [place + step * number for place in places for number in range(size)]
    return map(value._values.__getitem__, places)


def _gathered(tape, axes, values):
    """One value of all options: a table where they differ."""
    known = [one for one in values if one is not _NONE]
    first, kinds = known[0], {*map(type, known)}

    def every(*types):
        return all(issubclass(kind, types) for kind in kinds)

    if all(one is first for one in values) or (
        len(known) == len(values) and every(*_PLAIN, type(None)) and all(one == first for one in values)
    ):
        return first
    axes, values = _needed(axes, values)
    gaps = any(one is _NONE for one in values)

    def part(pick):
        picked = [one if one is _NONE else pick(one) for one in values] if gaps else [*map(pick, values)]
        return _gathered(tape, axes, picked)

    if Number in kinds and every(Number, Real):
        place = tape.table(axes, list(map(float, range(len(values)))))
        return tape.put("select", place, *(math.nan if one is _NONE else one for one in values))
    if every(int, float, type(None)):
        return tape.table(axes, [math.nan if one is _NONE or one is None else float(one) for one in values])
    if kinds == {str}:
        texts = ["–" if one is _NONE else one for one in values]
        some = list(dict.fromkeys(texts))
        return Words(tape.table(axes, [float(some.index(one)) for one in texts]), some)
    if kinds == {SimpleNamespace} and len({tuple(vars(one)) for one in known}) == 1:
        return SimpleNamespace(**{name: part(lambda one, name=name: getattr(one, name)) for name in vars(first)})
    if kinds == {dict} and len({tuple(one) for one in known}) == 1:
        return {name: part(operator.itemgetter(name)) for name in first}
    if len(kinds) == 1 and isinstance(first, tuple) and len({len(one) for one in known}) == 1:
        parts = [part(operator.itemgetter(place)) for place in range(len(first))]
        return type(first)(*parts) if hasattr(first, "_fields") else tuple(parts)
    # Records are one object each; dataclasses that compare by value are values.
    if len(kinds) == 1 and is_dataclass(first) and type(first).__eq__ is not object.__eq__:
        return type(first)(*(part(operator.attrgetter(one.name)) for one in fields(first)))
    return Choice(tape, axes, values)


def _needed(axes, values):
    """Axes along which values differ, and the values along them."""
    names, sizes, kept, alike = list(axes), list(axes.values()), dict(axes), {}
    # What is alike has one number, so that rows compare quickly.
    plain = {kind for kind in {*map(type, values)} if issubclass(kind, _PLAIN)}
    keys = (one if type(one) in plain else (_identity(one),) for one in values) if plain else map(_identity, values)
    numbers = [alike.setdefault(key, len(alike)) for key in keys]
    for number in reversed(range(len(names))):
        inner, size = math.prod(sizes[number + 1 :]), sizes[number]
        starts = range(0, len(numbers), inner * size)
        if all(numbers[at : at + inner] * size == numbers[at : at + inner * size] for at in starts):
            numbers, values = ([one for at in starts for one in some[at : at + inner]] for some in (numbers, values))
            sizes[number] = 1
            del kept[names[number]]
    return kept, values


def shared(function):
    """A function of numbers and namespaces whose operations are written once, and called wherever it is used.

    Numbers become arguments of the JavaScript function, but zero, infinity and no number stay what they are, so that
    it may leave out what they make needless; texts and truths stay, too.
    """

    @functools.wraps(function)
    def asked(*arguments):
        if not _open or _here.plain:
            return function(*arguments)
        given = [[] for _ in arguments]
        shape = tuple(map(_flat, arguments, given))
        tape = next((one.tape for some in given for one in some if isinstance(one, Number)), None)
        return tape.call(function, arguments, shape, given) if tape else function(*arguments)

    return asked


def _flat(value, given):
    """The shape of arguments; their numbers are appended to a list."""
    if isinstance(value, Number) or (type(value) in (int, float) and value and math.isfinite(value)):
        given.append(value)
        return Number
    if isinstance(value, tuple):
        return tuple(_flat(one, given) for one in value)
    if isinstance(value, SimpleNamespace):
        return (SimpleNamespace, *((name, _flat(vars(value)[name], given)) for name in sorted(vars(value))))
    return repr(value)


def _filled(value, numbers):
    """Arguments of the same shape with other numbers."""
    if isinstance(value, Number) or (type(value) in (int, float) and value and math.isfinite(value)):
        return next(numbers)
    if isinstance(value, tuple):
        return tuple(_filled(one, numbers) for one in value)
    if isinstance(value, SimpleNamespace):
        return SimpleNamespace(**{name: _filled(vars(value)[name], numbers) for name in sorted(vars(value))})
    return value


def columnwise(function):
    """A function of columns of plain numbers, and of numbers that may be traced, which works element by element.

    It returns a named tuple: of arrays; or, where a number is traced, of `Column`, for which the page holds the columns
    as numbers and the function once.

    >>> from collections import namedtuple
    >>> Found = namedtuple("Found", "scaled")
    >>> scaled = columnwise(lambda a, b, x: Found(a * x + b))
    >>> with Tape() as tape:
    ...     found = scaled([[1, 2, 3], [0, 0, 4]], tape.input("x")).scaled
    ...     some = found[[True, False, True]]
    ...     results = [found[1], found.sum(), some.sum(), some.max(initial=0)]
    >>> tape.values(results, {"x": 10})
    [20.0, 64.0, 44.0, 34.0]
    """

    @functools.wraps(function)
    def asked(columns, *numbers):
        tape = next((one.tape for one in numbers if traced(one)), None)
        return tape.columns(function, columns, numbers) if tape else function(*columns, *numbers)

    return asked


class Column:
    """An array that is not known yet: its sum, its maximum, one element, or some of them as another one."""

    def __init__(self, tape, found, item, places):
        self.tape, self.found, self.item, self.places = tape, found, item, [*map(int, places)]

    def __len__(self):
        return len(self.places)

    def __getitem__(self, places):
        if not hasattr(places, "__len__"):
            return self.tape.put("element", self.found, self.item, self.places[places])
        if len(places) == len(self) and all(str(one) in ("True", "False") for one in places):
            return Column(self.tape, self.found, self.item, [at for at, keep in zip(self.places, places) if keep])
        return Column(self.tape, self.found, self.item, [self.places[at] for at in places])

    def __iter__(self):
        return map(self.__getitem__, range(len(self)))

    def sum(self):
        """Of all elements."""
        return self.tape.put("sum", self.found, self.item, self._listed())

    def max(self, initial):
        """Of all elements, and of a number."""
        return self.tape.put("max", self.found, self.item, self._listed(), initial)

    def _listed(self):
        """The list of the page that has these places."""
        return self.tape.lists.setdefault(compact(self.places), f"I{len(self.tape.lists)}")


class Tape:
    """What was done with traced numbers, in its order; a context, in which alone there are any.

    >>> with Tape() as tape:
    ...     result = tape.input("x") * 2 + 1
    >>> tape.values([result], {"x": 20})
    [41.0]
    >>> print(tape.javascript("f", [result]))
    function f(p){const t0=p.x,t1=t0*2,t2=t1+1;return[t2]}
    """

    def __init__(self):
        self.nodes, self.seen, self.tables, self.functions, self.outputs = [], {}, {}, {}, {}
        self.asked, self.decided, self.rows, self.lists = {}, {}, {}, {}

    def __enter__(self):
        _open.append(self)
        return self

    def __exit__(self, *error):
        _open.remove(self)

    def put(self, operation, *values):
        """Write an operation down, once; returns its result."""
        # By a loop, since a chapter writes down hundreds of thousands.
        kept, key = [], [operation]
        for one in values:
            if isinstance(one, Number):
                if one.tape is not self:
                    raise TraceError("numbers of two tapes do not go together")
                key.append(one.place)
            else:
                one = one if isinstance(one, str) else float(one)
                key.append(repr(one))
            kept.append(one)
        values, key = tuple(kept), tuple(key)
        if key not in self.seen:
            self.seen[key] = Number(self, len(self.nodes))
            self.nodes.append((operation, values))
        return self.seen[key]

    def input(self, name):
        """A number that the page gives."""
        return self.put("input", name)

    def choice(self, name, options):
        """One of some options, by the number of which the page gives it."""
        return (
            _gathered(self, {name: len(options)}, options)
            if len(options) == 1
            else Choice(self, {name: len(options)}, list(options))
        )

    def table(self, axes, values):
        """A number of a table, found by the choices on its axes."""
        number, *_ = self.tables.setdefault(repr((axes, values)), (len(self.tables), list(axes.values()), values))
        return self.put(
            "table", number, *(self.decided[one] if one in self.decided else self.input(one) for one in axes)
        )

    def call(self, function, arguments, shape, given):
        """Call a function of the page, which is made of a Python function where it is called so for the first time.

        given: the numbers of each argument; those of a namespace go together, as one argument.
        """
        packed = [isinstance(one, SimpleNamespace) for one in arguments]
        passed = []
        for some, pack in zip(given, packed):
            passed += [self.put("pack", *some)] if pack else some
        if (function, shape) not in self.functions:
            inner, number, inputs = Tape(), 0, []
            # What it calls itself stands beside it.
            inner.functions = self.functions
            for some, pack in zip(given, packed):
                inputs += [inner.input(f"{number + (0 if pack else at)}" + f"[{at}]" * pack) for at in range(len(some))]
                number += 1 if pack else len(some)
            result = function(*_filled(arguments, iter(inputs)))

            def python(numbers, arguments=arguments):
                return list(function(*_filled(arguments, iter(numbers))))

            self.functions[function, shape] = len(self.functions), inner, result, number, python
        number, _, result, *_ = self.functions[function, shape]
        called = self.put("call", number, *passed)
        picked = [self.put("item", called, at) if isinstance(one, Number) else one for at, one in enumerate(result)]
        return type(result)(*picked) if hasattr(result, "_fields") else tuple(picked)

    def columns(self, function, columns, numbers):
        """Let the page work out a function for each row of some columns of plain numbers."""
        inner, rows = Tape(), [[*map(float, row)] for row in zip(*columns)]
        inner.functions = self.functions
        result = function(*(inner.input(f"{place}") for place in range(len(columns) + len(numbers))))
        # Its rows stand with the function; functions of the page have numbers.
        number = len(self.functions)
        self.functions[number] = number, inner, result, len(columns) + len(numbers), None
        self.rows[number] = rows
        found = self.put("rows", float(number), *numbers)
        return type(result)(*(Column(self, found, item, range(len(rows))) for item in range(len(result))))

    def shown(self, how, *what):
        """A mark that stands in a text for what the page will show there."""
        key = repr([one.place if isinstance(one, Number) else one for one in (how, *what)])
        number, *_ = self.outputs.setdefault(key, (len(self.outputs), how, *what))
        return f"\ue000{number}\ue001"

    def _live(self, numbers):
        """Places of the operations that some numbers need, in their order."""
        found, waiting = set(), [one.place for one in numbers if isinstance(one, Number)]
        while waiting:
            place = waiting.pop()
            if place not in found:
                found.add(place)
                waiting += [one.place for one in self.nodes[place][1] if isinstance(one, Number)]
        return sorted(found)

    def values(self, numbers, inputs):
        """Values of traced numbers for some inputs, by name: the same arithmetic, done by Python."""
        found, before = {}, _here.plain
        # No number is traced here: functions need not look for one.
        _here.plain = True
        try:
            for place in self._live(numbers):
                operation, arguments = self.nodes[place]
                some = [found[one.place] if isinstance(one, Number) else one for one in arguments]
                found[place] = self._value(operation, some, inputs)
        finally:
            _here.plain = before
        return [found[one.place] if isinstance(one, Number) else one for one in numbers]

    def _value(self, operation, some, inputs):
        if operation == "input":
            return float(inputs[some[0]])
        if operation == "table":
            _, sizes, values = list(self.tables.values())[int(some[0])]
            return values[int(functools.reduce(lambda at, one: at * one[0] + one[1], zip(sizes, some[1:]), 0))]
        if operation == "item":
            return some[0][int(some[1])]
        if operation == "pack":
            return some
        if operation == "select":
            return some[1 + int(some[0])]
        if operation == "positive":
            return some[1] if some[0] > 0 else some[2]
        if operation == "interpolate":
            half = 1 + len(some) // 2
            return _interpolated(some[0], some[1:half], some[half:])
        if operation == "rows":
            _, inner, result, *_ = list(self.functions.values())[int(some[0])]
            given = ([*row, *some[1:]] for row in self.rows[int(some[0])])
            return [inner.values(list(result), {f"{place}": one for place, one in enumerate(row)}) for row in given]
        if operation in ("element", "sum", "max"):
            found, item, places, *least = some
            listed = {name: places for places, name in self.lists.items()}
            places = json.loads(listed[places]) if isinstance(places, str) else [places]
            values = [found[int(place)][int(item)] for place in places]
            return (
                values[0] if operation == "element" else sum(values) if operation == "sum" else max([*values, *least])
            )
        if operation == "call":
            _, inner, result, _, python = list(self.functions.values())[int(some[0])]
            with contextlib.suppress(ArithmeticError, ValueError):
                # Twenty times as quick as the operations one by one.
                return python(
                    itertools.chain.from_iterable(one if isinstance(one, list) else [one] for one in some[1:])
                )
            given = {}
            for number, value in enumerate(some[1:]):
                several = isinstance(value, list)
                given |= {f"{number}[{at}]": one for at, one in enumerate(value)} if several else {f"{number}": value}
            return inner.values(list(result), given)
        try:
            return _INFIX[operation](*some) if operation in _INFIX else float(FUNCTIONS[operation](*some))
        except (ZeroDivisionError, OverflowError, ValueError):
            return _unlimited(operation, *some)

    def javascript(self, name, numbers):
        """A function of the page by this name: takes an object with the inputs, returns an array."""
        packed, tables = {}, []
        for number, _, values in self.tables.values():
            tables.append(f"T{number}={_packed(values, packed)}")
        patterns = [f"P{number}={json.dumps(pattern)}" for pattern, number in packed.items()]
        tables = f"const {','.join([*patterns, *tables])};" if tables else ""
        inner = "".join(
            one._body(f"F{number}", ",".join(f"a{at}" for at in range(given)), list(result), "a")
            for number, one, result, given, _ in self.functions.values()
        )
        inner += "".join(f"const D{number}={compact(rows)};" for number, rows in self.rows.items())
        inner += "".join(f"const {name}={places};" for places, name in self.lists.items())
        return tables + inner + self._body(name, "p", numbers, "p.")

    def _body(self, name, arguments, numbers, before):
        lines = [f"t{place}={self._line(*self.nodes[place], before)}" for place in self._live(numbers)]
        constants = f"const {','.join(lines)};" if lines else ""
        return f"function {name}({arguments}){{{constants}return[{','.join(map(_js, numbers))}]}}"

    def _line(self, operation, values, before):
        if operation == "input":
            return before + values[0]
        shown = ["" if isinstance(one, str) else _js(one) for one in values]
        if operation in _INFIX:
            return operation.join(shown)
        if operation == "item":
            return f"{shown[0]}[{shown[1]}]"
        if operation == "pack":
            return f"[{','.join(shown)}]"
        if operation == "select":
            return f"[{','.join(shown[1:])}][{shown[0]}]"
        if operation == "rows":
            return f"D{shown[0]}.map(r=>F{','.join([f'{shown[0]}(...r', *shown[1:]])}))"
        if operation == "element":
            return f"{shown[0]}[{shown[2]}][{shown[1]}]"
        if operation == "sum":
            return f"{values[2]}.reduce((s,k)=>s+{shown[0]}[k][{shown[1]}],0)"
        if operation == "max":
            return f"{values[2]}.reduce((m,k)=>Math.max(m,{shown[0]}[k][{shown[1]}]),{shown[3]})"
        if operation == "call":
            return f"F{shown[0]}({','.join(shown[1:])})"
        if operation == "table":
            _, sizes, _ = list(self.tables.values())[int(values[0])]
            index = functools.reduce(lambda at, one: f"({at})*{one[0]}+{one[1]}", zip(sizes[1:], shown[2:]), shown[1])
            return f"T{shown[0]}[{index}]"
        return f"{_CALLS[operation]}({','.join(shown)})"


def _interpolated(x, places, values):
    import numpy

    return float(numpy.interp(x, places, values))


def _unlimited(operation, *some):
    """What a browser, or NumPy, gives where Python raises."""
    import numpy

    with numpy.errstate(all="ignore"):
        done = {"/": numpy.divide, "**": numpy.power, "log": numpy.log, "exp": numpy.exp, "sqrt": numpy.sqrt}
        return float(done.get(operation, lambda *_: math.nan)(*map(numpy.float64, some)))


def _js(value):
    if isinstance(value, Number):
        return f"t{value.place}"
    if not math.isfinite(value):
        return "NaN" if math.isnan(value) else "Infinity" if value > 0 else "(-Infinity)"
    shown = f"{value:.0f}" if value == int(value) and abs(value) < 1e16 else repr(value)
    return f"({shown})" if shown.startswith("-") else shown


def _packed(values, packed):
    """A table as it is, or, where it has few values, those and a text that says which one stands where."""
    some = list(dict.fromkeys(map(_js, values)))
    if len(some) > 90 or 3 * len(some) > len(values):
        return f"[{','.join(map(_js, values))}]"
    # Characters that need no escape in a text.
    signs = [chr(code) for code in range(35, 127) if chr(code) != "\\"]
    pattern = "".join(signs[some.index(_js(one))] for one in values)
    return f"L.table(P{packed.setdefault(pattern, len(packed))},[{','.join(some)}])"


def compact(value):
    """JSON in as few characters as it takes, for a page."""
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))


def traced(*values):
    """Whether anything among some values is traced, or a choice."""
    return bool(_open) and any(isinstance(one, (Number, Choice, Words)) for one in values)
