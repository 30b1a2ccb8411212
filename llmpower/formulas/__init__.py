"""The formulas of the book, one module per chapter: pure functions, nothing else.

No formula checks or rounds, and none has a default for a measured input.
In the source a docstring says what ``data/quantities.csv`` does not: what the formula is and the unit of its result,
what is special about an argument or the result here, where it comes from, what is left out and which way that biases
it, and an example.  `documented` adds the rest when the formulas are first loaded, so that ``help`` shows all of it.
"""

import importlib
import inspect
import operator
import pkgutil
import sys

from llmpower.facts.quantities import quantities
from llmpower.facts.tables import FactError

_KINDS = "float, array, quantity or symbol"
_SHAPES = "Works element by element, and arrays broadcast. Nothing is checked and nothing raised."


def documented(formula):
    """Complete a formula's docstring: its arguments and its result, with meaning and unit from the table."""
    code = formula.__code__
    names = [*code.co_varnames[: code.co_argcount], formula.__name__]
    summary, _, rest = inspect.cleandoc(formula.__doc__).partition("\n\n")
    text, _, example = rest.partition("\n>>> ")
    remarks, notes, entries = {}, [], []
    for line in text.split("\n"):
        name, _, remark = line.partition(": ")
        if name in names:
            remarks[name] = remark
        else:
            notes.append(line)
    for name in names:
        if name not in quantities():
            raise FactError(f"data/quantities.csv has no {name}, an argument of the formula {formula.__name__}")
        one = quantities()[name]
        meaning = f"{one.help}; {remarks[name]}" if name in remarks else f"{one.help}."
        entries.append(f"{name} : {_KINDS}\n    {meaning[0].upper()}{meaning[1:]} [{one.unit}]")
    sections = {
        "Parameters": "\n".join(entries[:-1]),
        "Returns": entries[-1],
        "Notes": "\n".join([*notes, "", _SHAPES]),
        "Examples": f">>> {example}",
    }
    body = (f"{title}\n{'-' * len(title)}\n{content}" for title, content in sections.items())
    formula.__doc__ = "\n\n".join([summary, *body])


def of(formula, **named):
    """A property: a formula of the attributes that its arguments name; `named` says which stand for other arguments."""
    names = [named.get(argument, argument) for argument in inspect.signature(formula).parameters]
    meaning, home = (formula.__doc__ or "").partition("\n")[0], sys.modules[formula.__module__]
    # Found when it is called, so that who watches the formulas sees this call, too.
    called = operator.attrgetter(formula.__name__)
    return property(lambda self: called(home)(*(getattr(self, name) for name in names)), doc=meaning)


def modules():
    """The modules of formulas."""
    return [sys.modules[f"{__name__}.{module.name}"] for module in pkgutil.iter_modules(__path__)]


for _module in pkgutil.iter_modules(__path__):
    _members = vars(importlib.import_module(f"{__name__}.{_module.name}"))
    for _name in _members.keys() & quantities().keys():
        # Under python -OO there is no docstring to complete.
        if _members[_name].__doc__:
            documented(_members[_name])
