"""Formula -> equation: the printed mathematics is the code."""

import inspect

from llmpower.facts.quantities import quantities


def symbols(function):
    """SymPy symbols of a formula's arguments by name: positive, and written as in the table of quantities."""
    import sympy

    return {
        name: sympy.Symbol(quantities()[name].symbol, positive=True) for name in inspect.signature(function).parameters
    }


def latex(function, names=None):
    r"""LaTeX of a formula, made by calling it with symbols; its name and its arguments' names are quantities.

    names: what is printed for arguments, if not their symbols.

    Examples
    --------
    >>> from llmpower.formulas import decode
    >>> print(latex(decode.power_w))
    P = \frac{E}{t}
    """
    from sympy.printing.latex import LatexPrinter

    class Printer(LatexPrinter):
        """Sums begin with what is added, as on paper."""

        def _as_ordered_terms(self, expr, order=None):
            return sorted(super()._as_ordered_terms(expr, order), key=lambda term: term.could_extract_minus_sign())

    left, arguments = quantities()[function.__name__].symbol, symbols(function)
    shown = {arguments[name]: one for name, one in (names or {}).items()}
    # Numbers beside each other would be one number.
    settings = {"symbol_names": shown, "mul_symbol": "times"} if names else {}
    return f"{left} = {Printer(settings).doprint(function(**arguments))}"


def elasticity(function, name, value):
    """Relative change of a result for a relative change of one input, d ln f / d ln x, by differentiating the formula.

    Parameters
    ----------
    function : callable
        Takes a number or a symbol; nothing but this input varies.
    name : str
        What it takes.
    value : float
        Where; on a kink the slope is that of one side.

    Examples
    --------
    >>> elasticity(lambda batch: 5 * batch**3, "batch", 64)
    3.0
    """
    import sympy

    # Neither assumptions about the symbol nor the other sides of kinks: both cost minutes, and no slope needs them.
    x = sympy.Symbol(name)
    kinks = {sympy.Max: max, sympy.Min: min}
    smooth = sympy.sympify(function(x)).replace(
        lambda term: term.func in kinks, lambda term: kinks[term.func](term.args, key=lambda side: side.subs(x, value))
    )
    return float(smooth.diff(x).subs(x, value) * value / smooth.subs(x, value))
