"""Every formula with its hand calculation from `cases_<module>.py`, with units and without."""

import importlib
import inspect
import pkgutil

import llmpower.formulas
from llmpower.facts.quantities import quantities
from tests.formulas.units import quantity, si

MODULES = [
    importlib.import_module(f"llmpower.formulas.{m.name}")
    for m in pkgutil.iter_modules(llmpower.formulas.__path__)
    if m.name != "elementwise"
]
FORMULAS = {
    f"{module.__name__.rpartition('.')[2]}.{name}": function
    for module in MODULES
    for name, function in inspect.getmembers(module, inspect.isfunction)
    if function.__module__ == module.__name__
}
# Each formula's hand calculation stands in tests/formulas/cases_<module>.py: arguments with units of everyday
# size, and the result worked out on paper.
CASES = {
    f"{name}.{formula}": case
    for name in (module.__name__.rpartition(".")[2] for module in MODULES)
    for formula, case in importlib.import_module(f"tests.formulas.cases_{name}").CASES.items()
}


def arguments(name):
    return {key: quantity(value) for key, value in CASES[name][0].items()}


def plain(name):
    return {key: si(value, quantities()[key].unit) for key, value in arguments(name).items()}
