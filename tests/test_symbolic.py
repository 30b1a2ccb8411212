"""The equation printed of a formula computes what the formula does."""

import pytest
import sympy

from llmpower import symbolic
from tests.formulas.cases import FORMULAS, plain


@pytest.mark.parametrize("name", FORMULAS)
def test_the_printed_equation_computes_the_same(name):
    symbols = symbolic.symbols(FORMULAS[name])
    assert len(set(symbols.values())) == len(symbols), "two arguments share a symbol"
    printed = FORMULAS[name](**symbols)
    values = {symbols[key]: value for key, value in plain(name).items()}
    assert float(sympy.sympify(printed).subs(values)) == pytest.approx(FORMULAS[name](**plain(name)), rel=1e-9)
