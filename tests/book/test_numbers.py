"""Numbers computed in a page are printed as Python prints them, digit by digit, in a real browser."""

import json
import math
import random

import pytest

from llmpower import text
from llmpower.ranges import Range
from tests.book.browser import NEEDS_CHROMIUM, tell
from tests.conftest import BOOK

pytestmark = NEEDS_CHROMIUM
PLAIN = ("1", "", "tokens/s", "J/token", "tokens/J")
SCALES = json.loads(text.scales_script().partition(", ")[2].rpartition(")")[0])["scales"]
SPECS = (
    "", ",", "+", "g", ".0g", ".1g", ".2g", ".3g", ".4g", ",.4g", ",.6g", ",.12g", ".17g", "+.3g", ".0f", ".1f", ".2f",
    ".3f", ".20f", "f", ",.0f", ",.1f", ",.2f", "+.2f", "+,.1f", "%", ".0%", ".1%", ".2%", ",.1%",
)  # fmt: skip
TIES = (0.5, 1.5, 2.5, 0.125, 0.375, 12.5, 99.5, 999.5, 1000.5, 1001.5, 9.995, 99.95, 1.005, 2.675, 12345.5, 0.9995)
ROUND = tuple(float(f"1e{exponent}") for exponent in (*range(-30, 31), 100, 200, 300))
SPECIAL = (0.0, -0.0, math.inf, -math.inf, math.nan, 5e-324, 1.7e308, 2.0**53, 1e21, 123456789012345678901234.0)


def near(value):
    """The value, its neighbours, and what is a little less or more."""
    beside = [math.nextafter(value, 0), math.nextafter(value, math.inf)]
    return [value, *beside, *(value * (1 + part) for part in (-0.006, -0.0051, -0.0005, -0.00049, -1e-9, 1e-9, 0.004))]


def edges(scales):
    """Where digits, commas, exponents and the scales change, in both signs."""
    sizes = [*near(0.1), *near(0.99), *near(0.01), *near(1e6), *near(1e7), *TIES, *ROUND]
    sizes += [one for power in ROUND for one in (math.nextafter(power, 0), math.nextafter(power, math.inf))]
    for scale in scales:
        sizes += [*near(scale), *(scale * tie for tie in TIES)]
    return [*sizes, *(-size for size in sizes), *SPECIAL]


def drawn(draw, least, most, many):
    """Logarithms are uniform, a third of the numbers are short decimals, signs both."""
    low, high = math.log10(least), math.log10(most)
    values = [draw.choice((1, 1, -1)) * 10 ** draw.uniform(low, high) for _ in range(many)]
    return [float(f"{value:.{draw.randrange(5)}e}") if draw.random() < 1 / 3 else value for value in values]


def python(function, *arguments):
    """What Python prints, a dash where it refuses."""
    try:
        return function(*arguments)
    except (OverflowError, ValueError):
        return "–"


def ranges(draw, values):
    """Ends anywhere, and close to the central value."""
    found = [Range(*(draw.choice(values) for _ in range(3))) for _ in range(500)]
    for central in draw.sample(values, 500):
        found.append(Range(central * draw.uniform(0.3, 1), central, central * draw.uniform(1, 3)))
    return found


@pytest.fixture(scope="module")
def page(browser):
    """An empty page with the script and the scales."""
    page = browser.new_page()
    page.add_script_tag(content=(BOOK / "llmpower" / "book" / "scripts" / "numbers.js").read_text(encoding="utf-8"))
    page.add_script_tag(content=text.scales_script())
    yield page
    page.close()


def differences(page, name, values, more, expected):
    """Values that the page prints in another way than Python; JSON as Python writes it is JavaScript."""
    printed = page.evaluate(f"{json.dumps(values)}.map(one => livingNumbers.{name}(one, {json.dumps(more)}))")
    assert len(printed) == len(expected) >= 1000
    found = [(value, want, got) for value, want, got in zip(values, expected, printed) if want != got]
    return [f"{more!r}, {value!r}: {want!r} in Python, {got!r} in the page" for value, want, got in found[:10]]


@pytest.mark.parametrize("unit", [*SCALES, *PLAIN])
def test_text_is_that_of_python(page, unit):
    draw = random.Random(unit)
    scales = [one for one, _ in SCALES.get(unit, ((1, unit),))]
    values = edges(scales) + drawn(draw, min(scales) / 1e4, max(scales) * 1e10, 1000) + drawn(draw, 0.01, 1e7, 500)
    values += [draw.uniform(0.98, 1.01) for _ in range(100)]
    tell(differences(page, "text", values, unit, [python(text.text, one, unit) for one in values]))
    spans = ranges(draw, values)
    expected = [python(text.text, one, unit) for one in spans]
    tell(differences(page, "text", [vars(one) for one in spans], unit, expected))


@pytest.mark.parametrize("spec", SPECS)
def test_format_of_a_float_is_that_of_python(page, spec):
    draw = random.Random(spec)
    values = edges([]) + drawn(draw, 1e-7, 1e17, 1000) + drawn(draw, 1e-300, 1e300, 100)
    tell(differences(page, "format", values, spec, [format(one, spec) for one in values]))


@pytest.mark.parametrize("spec", ["d", ",d", "+d", "+,d"])
def test_format_of_a_whole_number_is_that_of_python(page, spec):
    values = [round(one) for one in edges([]) + drawn(random.Random(spec), 1, 1e25, 1000) if math.isfinite(one)]
    tell(differences(page, "format", list(map(float, values)), spec, [format(one, spec) for one in values]))


def test_what_python_refuses_is_a_dash(page):
    assert page.evaluate("[NaN, Infinity, 1.5].map(one => livingNumbers.format(one, ',d'))") == ["–"] * 3
    assert page.evaluate("livingNumbers.text(NaN, 'J')") == "–"


@pytest.mark.parametrize("spec", ["e", ".3", "x", "8.2f"])
def test_an_unknown_spec_is_no_silent_number(page, spec):
    caught = "spec => { try { return livingNumbers.format(1.5, spec); } catch { return null; } }"
    assert page.evaluate(caught, spec) is None
