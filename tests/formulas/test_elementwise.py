"""Five functions, four kinds of numbers."""

import math

import numpy
import pytest
import sympy

from llmpower.formulas import elementwise
from tests.formulas.units import registry

ONE = {"exp": math.exp, "log": math.log, "sqrt": math.sqrt}


@pytest.mark.parametrize("name", ONE)
def test_one_argument(name):
    function = getattr(elementwise, name)
    assert function(2.0) == ONE[name](2.0)
    assert function(numpy.array([1.0, 2.0])) == pytest.approx([ONE[name](1.0), ONE[name](2.0)])
    assert function(registry.Quantity(2.0, "")).magnitude == pytest.approx(ONE[name](2.0))
    assert float(function(sympy.Integer(2))) == pytest.approx(ONE[name](2.0))


def test_two_arguments():
    assert elementwise.maximum(1, 2) == 2 and elementwise.minimum(1, 2) == 1
    assert list(elementwise.maximum(numpy.array([1, 5]), 3)) == [3, 5]
    assert list(elementwise.minimum(numpy.array([1, 5]), 3)) == [1, 3]
    metre = registry.Quantity(1, "metre")
    assert elementwise.maximum(metre, registry.Quantity(10, "millimetre")) == metre
    x = sympy.Symbol("x")
    assert elementwise.maximum(x, 1) == sympy.Max(x, 1)
    assert elementwise.minimum(x, 1) == sympy.Min(x, 1)


def test_an_unknown_input_does_not_look_known():
    nan = float("nan")
    for function in (elementwise.maximum, elementwise.minimum):
        assert math.isnan(function(nan, 1.0)) and math.isnan(function(1.0, nan))
