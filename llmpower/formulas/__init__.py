"""The formulas of the book, one module per chapter: pure functions, nothing else.

No formula checks or rounds, and none has a default for a measured input.
In the source a docstring says what ``data/quantities.csv`` does not: what the formula is and the unit of its result,
what is special about an argument or the result here, where it comes from, what is left out and which way that biases
it, and an example.  `documented` adds the rest when the formulas are first loaded, so that ``help`` shows all of it.
"""

import importlib
import inspect
import pkgutil
import re

from llmpower.facts.quantities import quantities

_SHAPES = "Works element by element, and arrays broadcast. Nothing is checked and nothing raised."


def documented(formula):
    """Complete a formula's docstring: its arguments and its result, with meaning and unit from the table."""
    names = [*inspect.signature(formula).parameters, formula.__name__]
    summary, text, example = inspect.getdoc(formula).split("\n\n", 2)
    special = re.compile(rf"^({'|'.join(names)}): (.*)\.\n", re.MULTILINE)
    remarks = dict(special.findall(text))
    entries = []
    for name in names:
        one = quantities()[name]
        meaning = "; ".join([one.help, remarks[name]] if name in remarks else [one.help])
        meaning = f"{meaning[0].upper()}{meaning[1:]}. [{one.unit}]"
        entries.append(f"{name} : float, array, quantity or symbol\n    {meaning}")
    sections = {
        "Parameters": "\n".join(entries[:-1]),
        "Returns": entries[-1],
        "Notes": f"{special.sub('', text)}\n\n{_SHAPES}",
        "Examples": example,
    }
    body = (f"{title}\n{'-' * len(title)}\n{content}" for title, content in sections.items())
    formula.__doc__ = "\n\n".join([summary, *body])


for _module in pkgutil.iter_modules(__path__):
    _members = vars(importlib.import_module(f"{__name__}.{_module.name}"))
    for _name in _members.keys() & quantities().keys():
        documented(_members[_name])
