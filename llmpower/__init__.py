"""Where the watts go when a language model answers: formulas, facts and book."""

import importlib

__version__ = "0.1.0"

# Name -> module it lives in; loaded when first used, so that importing is quick.
_HOME = {
    "accelerator": "catalog",
    "model": "catalog",
    "number_format": "catalog",
    "energy_constant": "catalog",
    "claim": "claims",
    "ARTICLE_CASE": "claims",
    "memory_stack": "catalog",
    "constant_sets": "catalog",
    "FLOP_PER_MAC": "step",
    "constants": "step",
    "counts": "step",
    "step_energy": "step",
    "step_bound": "step",
    "memory_fit": "step",
    "break_even_batch": "step",
    "estimate": "estimator",
    "calibrate": "calibration",
    "plan": "planner",
    "measured_share": "validation",
    "measured_parts": "validation",
    "over": "ranges",
    "prices": "mitigate",
    "static_power": "mitigate",
    "bill": "mitigate",
    "evidence": "mitigate",
    "touched": "mitigate",
    "split": "mitigate",
    "digital": "mitigate",
    "bank_energy_j_per_byte": "mitigate",
    "typed": "machines",
    "deliver": "machines",
    "in_unit": "machines",
    "split_speed": "machines",
    "measured_points": "machines",
    "gains": "progress",
    "rated": "progress",
    "repairs": "progress",
    "measured_gains": "progress",
    "board": "progress",
    "power_history": "progress",
    "cooled": "progress",
    "article_efficiencies": "progress",
    "GAIN_METRICS": "progress",
    "ARTICLE_SERIES": "progress",
    "tornado": "ranges",
    "monte_carlo": "ranges",
    "elasticities": "ranges",
    "Range": "ranges",
}
_MODULES = {
    "catalog": "llmpower.catalog",
    "decode": "llmpower.formulas.decode",
    "serving": "llmpower.formulas.serving",
    "calibration": "llmpower.calibration",
    "validation": "llmpower.validation",
    "report": "llmpower.book.report",
    "mitigations": "llmpower.formulas.mitigations",
    "efficiency": "llmpower.formulas.efficiency",
    "machines": "llmpower.machines",
    "dennard": "llmpower.formulas.dennard",
    "scaling": "llmpower.scaling",
    "escalator": "llmpower.formulas.escalator",
    "datacenter": "llmpower.formulas.datacenter",
    "service": "llmpower.service",
}
__all__ = [*_HOME, *_MODULES]


def __getattr__(name):
    if name in _HOME:
        return getattr(importlib.import_module(f"llmpower.{_HOME[name]}"), name)
    if name in _MODULES:
        return importlib.import_module(_MODULES[name])
    raise AttributeError(f"llmpower has no {name!r}")
