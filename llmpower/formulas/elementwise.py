"""Five functions that accept numbers, arrays, quantities and symbols.

A formula written with these and ``+ - * / **`` serves floats, NumPy arrays,
pint quantities and SymPy symbols unchanged.  NumPy and SymPy are imported only
when an argument is theirs, so that ``import llmpower`` stays quick.
"""

import math

_SYMPY_NAMES = {"maximum": "Max", "minimum": "Min"}


def _float_maximum(a, b):
    # NaN wins, as in NumPy: an unknown input must not look known.
    return a if a != a or a > b else b


def _float_minimum(a, b):
    return a if a != a or a < b else b


_FLOAT = {"maximum": _float_maximum, "minimum": _float_minimum, "exp": math.exp, "log": math.log, "sqrt": math.sqrt}
_NUMBERS = frozenset((float, int, bool))


def _apply(name, *values):
    if _NUMBERS.issuperset(map(type, values)):
        return _FLOAT[name](*values)
    kinds = {type(value).__module__.partition(".")[0] for value in values}
    if "sympy" in kinds:
        import sympy

        return getattr(sympy, _SYMPY_NAMES.get(name, name))(*values)
    import numpy

    return getattr(numpy, name)(*values)


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
