"""Traced numbers as a page computes them: by its own script, in Chromium."""

import contextlib
import math

import numpy

from llmpower.facts.quantities import quantities
from tests.book.browser import chromium
from tests.conftest import BOOK

SCRIPT = (BOOK / "llmpower" / "book" / "scripts" / "page.js").read_text(encoding="utf-8")


@contextlib.contextmanager
def blank_page():
    """An empty page that has loaded the script of living pages."""
    with chromium() as browser:
        page = browser.new_page()
        page.add_script_tag(content=SCRIPT)
        yield page


def computed(page, tape, numbers, states):
    """What the page makes of traced numbers in each of some states, the values of inputs by name."""
    return page.evaluate(f"states => {{{tape.javascript('compute', numbers)} return states.map(compute)}}", states)


def difference(got, want):
    """Of two numbers, relative; infinity and no number are themselves alone."""
    if math.isfinite(got) and math.isfinite(want):
        return abs(got - want) / max(abs(want), 5e-324)
    return 0.0 if got == want or math.isnan(got) and math.isnan(want) else math.inf


def worst(got, want):
    """The largest difference between two lists of numbers."""
    assert len(got) == len(want)
    return max(map(difference, got, want))


def limit(function, **inputs):
    """What a function of floats gives; where Python raises, as NumPy goes on: infinity, or no number."""
    try:
        found = function(**inputs)
    except (ArithmeticError, ValueError):
        with numpy.errstate(all="ignore"):
            found = function(**{name: numpy.float64(value) for name, value in inputs.items()})
    return math.nan if isinstance(found, complex) else float(found)


def drawn(draw, name):
    """A value of a quantity: an end of its range, or one between, by size where the range is wide."""
    one = quantities()[name]
    if draw.random() < 0.1:
        return draw.choice((one.low, one.high))
    if one.low < 0 or one.high <= 100 * one.low:
        value = draw.uniform(one.low, one.high)
    else:
        least = one.low or (1 if one.type == "int" else one.high / 1e9)
        value = min(one.high, max(one.low, math.exp(draw.uniform(math.log(least), math.log(one.high)))))
    return float(round(value)) if one.type == "int" else value
