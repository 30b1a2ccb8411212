"""Published cases that an estimate can be held against: what was given, and what somebody measured or set."""

import functools
import re
from types import SimpleNamespace

from llmpower.facts.tables import rows

KINDS = ("cap", "draft", "wide-ep", "link", "eager", "step-tokens", "cache-share", "fp8-cache", "format", "machine")
SOFTWARE = ("vllm", "sglang", "trtllm", "llama.cpp", "eager", "other", "")
# What is told of a case, with its unit.
CASE_QUANTITIES = {
    "tokens_per_s": "tokens/s", "prompt_tokens_per_s": "tokens/s", "tokens_per_s_per_server": "tokens/s",
    "prompt_tokens_per_s_per_server": "tokens/s", "tokens_per_s_per_accelerator": "tokens/s",
    "tokens_per_s_per_user": "tokens/s", "power_w": "W", "kept_speed_share": "1", "speedup": "1",
    "energy_ratio": "1",
    "accepted_draft_share": "1", "cached_prompt_share": "1", "max_step_tokens": "1",
}  # fmt: skip
_TEXT = ("id", "source", "model", "accelerator", "weight_format", "where", "note")


@functools.cache
def public_cases():
    """Cases of ``data/public_cases.csv``, a namespace each, with None for a number that is not told.

    `given` has what else is told of a case by name, numbers as numbers.

    >>> case = next(case for case in public_cases() if case.id == "cap-12")
    >>> case.value, case.given["power_cap_w"], case.given["draft_tokens"]
    (71.2, 400.0, 0.0)
    """
    return [_case(cells) for cells in rows("public_cases.csv")]


def _case(cells):
    case = SimpleNamespace(**{name: cells.plain(name) for name in _TEXT}, verified=cells.date("verified"))
    case.case = cells.one_of("case", KINDS, "a kind of case")
    case.software = cells.one_of("software", SOFTWARE, "what runs the network, or nothing")
    case.quantity = cells.one_of("quantity", CASE_QUANTITIES, "what a case tells")
    case.unit = cells.one_of("unit", (CASE_QUANTITIES[case.quantity],), "the unit of the quantity")
    case.given = _given(cells)
    for name in ("n_accelerators", "batch", "prompt_tokens", "output_tokens", "value", "low", "high"):
        number = cells.number(name, empty=name != "value")
        if number is not None and number <= 0:
            raise cells.wrong(name, "a number above zero")
        setattr(case, name, number)
    return case


def _given(cells):
    pairs = [one.partition("=") for one in cells.plain("given").split(";") if one]
    if any(not re.fullmatch("[a-z_]+", name) or not text for name, _, text in pairs):
        raise cells.wrong("given", "name=value;name=value, or nothing")
    return {name: float(text) if re.fullmatch(r"\d+(\.\d+)?", text) else text for name, _, text in pairs}
