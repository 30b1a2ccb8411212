"""What holds for every formula: documented, dimensioned, and the same for all kinds of numbers."""

import inspect
import pathlib
import re

import numpy
import pytest

import llmpower
from llmpower.book import files
from llmpower.facts.quantities import quantities
from llmpower.facts.tables import DATA, FactError
from llmpower.formulas import documented
from tests.formulas.cases import CASES, FORMULAS, MODULES, arguments, plain
from tests.formulas.units import quantity, si


def expected(text, unit):
    number, _, printed = text.partition(" ")
    return float(number) if printed == "1" else si(quantity(text), unit)


def test_every_formula_has_a_hand_calculation():
    assert set(CASES) == set(FORMULAS)


def test_every_formula_has_a_caller():
    package = pathlib.Path(llmpower.__file__).parent
    rooms = [path for path in package.rglob("*.py") if path.parent.name != "formulas"]
    texts = [path.read_text(encoding="utf-8") for path in (*rooms, *files.chapters(package.parent).values())]
    called = set(re.findall(r"\w+", "\n".join(texts)))
    assert not [name for name in FORMULAS if name.partition(".")[2] not in called]


@pytest.mark.parametrize("name", FORMULAS)
def test_value_and_dimension(name):
    unit = quantities()[FORMULAS[name].__name__].unit
    by_hand = expected(CASES[name][1], unit)
    with_units = FORMULAS[name](**arguments(name))
    if isinstance(with_units, (int, float)):
        assert unit == "1"
        assert with_units == pytest.approx(by_hand, rel=1e-9, abs=0)
    else:
        assert si(with_units, unit) == pytest.approx(by_hand, rel=1e-9, abs=0)
    assert FORMULAS[name](**plain(name)) == pytest.approx(by_hand, rel=1e-9, abs=0)


@pytest.mark.parametrize("name", FORMULAS)
def test_arrays_give_what_floats_give(name):
    one = plain(name)
    scaled = {key: numpy.array([value, 1.25 * value, 1.5 * value]) for key, value in one.items()}
    together = FORMULAS[name](**scaled)
    for place in range(3):
        alone = FORMULAS[name](**{key: float(values[place]) for key, values in scaled.items()})
        assert together[place] == pytest.approx(alone, rel=1e-12, abs=0)


@pytest.mark.parametrize("name", FORMULAS)
def test_help_says_what_a_reader_must_know(name):
    function = FORMULAS[name]
    text = inspect.getdoc(function)
    assert re.findall(r"^(\w+)\n-+$", text, re.MULTILINE) == ["Parameters", "Returns", "Notes", "Examples"]
    described = re.findall(
        r"^(\w+) : float, array, quantity or symbol\n    (\S.*)\. \[(\S+)\]$", text, flags=re.MULTILINE
    )
    assert [key for key, *_ in described] == [*inspect.signature(function).parameters, function.__name__]
    for key, meaning, unit in described:
        assert meaning.lower().startswith(quantities()[key].help.lower()) and unit == quantities()[key].unit
    assert text.splitlines()[0].endswith(f". [{quantities()[function.__name__].unit}]"), "the unit of the result"
    assert not quantities().keys() & re.findall(r"^(\w+): ", text, re.MULTILINE), (
        "a remark on something that is no argument"
    )
    assert "left out" in " ".join(text.lower().split()), "say what is left out"
    assert re.search(r"wn derivation|\[\w+\]_", text), "name the source or say own derivation"
    assert "arrays broadcast" in text and "nothing raised" in text
    assert ">>>" in text


def test_cited_keys_are_in_the_bibliography():
    library = (DATA / "references.bib").read_text(encoding="utf-8")
    for name, function in FORMULAS.items():
        for key in re.findall(r"\[(\w+)\]_", inspect.getdoc(function)):
            assert f"{{{key}," in library, f"{name} cites {key}"


def test_formulas_are_pure():
    for module in MODULES:
        source = inspect.getsource(module)
        assert "----" not in source, f"{module.__name__} has headings that the table of quantities fills in"
        code = re.sub(r'r?""".*?"""', "", source, flags=re.DOTALL)
        assert not re.search(r"\bif\b|\bround\(|\bopen\(|\bint\(", code), f"{module.__name__} branches, rounds or reads"
        literals = re.findall(r"(?<![\w.])\d[\w.]*", code)
        assert all(text.isdigit() and int(text) <= 10 for text in literals), f"{module.__name__}: {literals}"
        imports = re.findall(r"^(?:from|import) (\S+)", code, re.MULTILINE)
        assert set(imports) <= {"llmpower.formulas.elementwise"}


def test_a_formula_of_a_name_without_a_row_is_told_with_the_table():
    def idle_j(idle_w, naps):
        """Energy of naps. [J]"""

    with pytest.raises(FactError, match=r"data/quantities.csv has no naps, an argument of the formula idle_j"):
        documented(idle_j)


def test_importing_loads_no_more_than_is_used():
    import subprocess
    import sys

    code = (
        "import sys, llmpower; print('llmpower.formulas' in sys.modules); from llmpower.formulas import decode; "
        "print('Returns' in decode.power_w.__doc__, 'numpy' in sys.modules, 'sympy' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["False", "True", "False", "False"]
