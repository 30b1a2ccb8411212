"""Functions that accept numbers, arrays, quantities, symbols and traced numbers.

A formula written with these and ``+ - * / **`` serves floats, NumPy arrays,
pint quantities, SymPy symbols and the traced numbers of `llmpower.trace`
unchanged.  NumPy and SymPy are imported only when an argument is theirs, so
that ``import llmpower`` stays quick.
"""

from llmpower.trace import FUNCTIONS

_SYMPY_NAMES = {"maximum": "Max", "minimum": "Min", "ceil": "ceiling"}
_NUMBERS = frozenset((float, int, bool))


def _apply(name, *values):
    if _NUMBERS.issuperset(map(type, values)):
        return FUNCTIONS[name](*values)
    if tape := _tape(values):
        return tape.put(name, *values)
    kinds = {type(value).__module__.partition(".")[0] for value in values}
    if "sympy" in kinds:
        import sympy

        return getattr(sympy, _SYMPY_NAMES.get(name, name))(*values)
    import numpy

    return getattr(numpy, name)(*values)


def _tape(values):
    """The tape of a traced number among some values."""
    return next((value.tape for value in values if hasattr(value, "tape")), None)


def maximum(a, b):
    """Larger of two values, element by element.

    >>> maximum(2.0, 3.0)
    3.0
    """
    return _apply("maximum", a, b)


def minimum(a, b):
    """Smaller of two values, element by element.

    >>> minimum(2.0, 3.0)
    2.0
    """
    return _apply("minimum", a, b)


def exp(x):
    """Exponential of a pure number, element by element.

    >>> exp(0.0)
    1.0
    """
    return _apply("exp", x)


def log(x):
    """Natural logarithm of a positive pure number, element by element.

    >>> log(1.0)
    0.0
    """
    return _apply("log", x)


def sqrt(x):
    """Square root of a non-negative value, element by element.

    >>> sqrt(4.0)
    2.0
    """
    return _apply("sqrt", x)


def ceil(x):
    """Smallest whole number from a value on, element by element.

    >>> ceil(1.2)
    2.0
    """
    return _apply("ceil", x)


def floor(x):
    """Largest whole number up to a value, element by element.

    >>> floor(1.8)
    1.0
    """
    return _apply("floor", x)


def positive(x, yes, no):
    """One value where a number is above zero, another one elsewhere: a branch, element by element.

    >>> positive(-1.0, 10.0, 20.0)
    20.0
    """
    if tape := _tape((x, yes, no)):
        return tape.put("positive", x, yes, no)
    if hasattr(x, "shape"):
        import numpy

        return numpy.where(x > 0, yes, no)
    return yes if x > 0 else no


def interpolate(x, places, values):
    """Value at a place by straight lines between known ones, whose places rise; the first or last one outside.

    >>> interpolate(1.5, (1.0, 2.0), (10.0, 20.0))
    15.0
    """
    if tape := _tape((x, *places, *values)):
        return tape.put("interpolate", x, *places, *values)
    import numpy

    return float(numpy.interp(x, places, values))


def coalesce(x, otherwise):
    """A value that somebody gave, at least zero, or another one for None; traced, for what is not a number.

    >>> coalesce(None, 2.0), coalesce(0.0, 2.0)
    (2.0, 0.0)
    """
    if hasattr(x, "tape"):
        return positive(x + 1, x, otherwise)
    return otherwise if x is None else x


def none(x):
    """Whether a value is zero for certain, in all its elements; of a traced number nothing is certain."""
    if hasattr(x, "tape"):
        return False
    return not (x.any() if hasattr(x, "any") else x)
