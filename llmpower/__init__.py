"""Where the watts go when a language model answers: formulas, facts and book."""

import importlib
import sys
import types

__version__ = "0.1.0"

# Name -> module it lives in; loaded when first used, so that importing is quick.
_HOME = {
    "accelerator": "facts.catalog",
    "model": "facts.catalog",
    "number_format": "facts.catalog",
    "energy_constant": "facts.catalog",
    "memory_stack": "facts.catalog",
    "constant_sets": "facts.catalog",
    "claim": "facts.claims",
    "ARTICLE_CASE": "facts.claims",
    "FLOP_PER_MAC": "step.work",
    "case": "step.case",
    "constants": "step.bound",
    "counts": "step.bound",
    "step_energy": "step.bound",
    "step_bound": "step.bound",
    "memory_fit": "step.bound",
    "break_even_batch": "step.bound",
    "estimate": "estimate",
    "plan": "plan",
    "calibrate": "evidence.fit",
    "over": "ranges",
    "tornado": "ranges",
    "monte_carlo": "ranges",
    "elasticities": "ranges",
    "Range": "ranges",
}
_MODULES = {
    "catalog": "facts.catalog",
    "report": "book.report",
    "service": "service",
    **{
        name: f"formulas.{name}"
        for name in ("decode", "serving", "mitigations", "efficiency", "dennard", "escalator", "datacenter")
    },
}
__all__ = [*_HOME, *_MODULES]


def __getattr__(name):
    if name in _HOME:
        return getattr(importlib.import_module(f"llmpower.{_HOME[name]}"), name)
    if name in _MODULES:
        return importlib.import_module(f"llmpower.{_MODULES[name]}")
    raise AttributeError(f"llmpower has no {name!r}")


class _Package(types.ModuleType):
    """Keeps the functions `estimate` and `plan` in sight when the modules of their names are loaded."""

    def __setattr__(self, name, value):
        if name not in _HOME:
            super().__setattr__(name, value)


sys.modules[__name__].__class__ = _Package
