"""Where the watts go when a language model answers: formulas, facts and book."""

import importlib
import sys
import types

__version__ = "0.1.0"

# Module -> what is public of it; loaded when first used, so that importing is quick.
_PUBLIC = {
    "facts.catalog": "accelerator model number_format energy_constant memory_stack constant_sets",
    "facts.claims": "claim ARTICLE_CASE",
    "step.case": "case",
    "step.work": "FLOP_PER_MAC",
    "step.constants": "constants",
    "step.bound": "counts step_energy request_energy step_bound memory_fit break_even_batch",
    "estimate": "estimate",
    "plan": "plan",
    "evidence.fit": "calibrate",
    "ranges": "Range over tornado monte_carlo elasticities",
}
_HOME = {name: module for module, names in _PUBLIC.items() for name in names.split()}
_FORMULAS = ("decode", "serving", "mitigations", "efficiency", "dennard", "escalator", "datacenter", "meter")
_MODULES = {"catalog": "facts.catalog", "report": "book.report", "service": "service"}
_MODULES |= {name: f"formulas.{name}" for name in _FORMULAS}
__all__ = [*_HOME, *_MODULES]


def __getattr__(name):
    if name in _HOME:
        return getattr(importlib.import_module(f"llmpower.{_HOME[name]}"), name)
    if name in _MODULES:
        return importlib.import_module(f"llmpower.{_MODULES[name]}")
    raise AttributeError(f"llmpower has no {name!r}")


def __dir__():
    return [*__all__, "__version__"]


class _Package(types.ModuleType):
    """Keeps the functions `estimate` and `plan` in sight when the modules of their names are loaded."""

    def __setattr__(self, name, value):
        if name not in _HOME:
            super().__setattr__(name, value)


sys.modules[__name__].__class__ = _Package
