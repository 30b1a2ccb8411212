"""A machine of one's own: values that somebody typed, alone or over those of a name of the catalog."""

import os
import re
import reprlib

from llmpower.facts.quantities import quantities
from llmpower.facts.tables import UnknownName, contents
from llmpower.facts.units import UNITS

# What a machine may have, and what it must have.
_KNOWN = (
    "memory_bytes", "memory_bandwidth_bytes_per_s", "tdp_w", "idle_w", "dense_bf16_flop_per_s", "dense_fp8_flop_per_s",
    "dense_int8_flop_per_s", "dense_fp4_flop_per_s", "vector_flop_per_s", "link_bytes_per_s", "bus_bytes_per_s",
    "network_bytes_per_s", "accelerators_per_server", "reached_bf16_flop_per_s", "reached_bytes_per_s",
)  # fmt: skip
NEEDED = _KNOWN[:3]
_MOST_BYTES = 100_000
_VALUE = re.compile(r"\s*([-+.\d_,]+(?:[eE][-+]?\d+)?)\s*([A-Za-z]\S*)?\s*")
# What was measured of a machine is no longer true where its rating is another.
REACHED = {"dense_bf16_flop_per_s": "reached_bf16_flop_per_s", "memory_bandwidth_bytes_per_s": "reached_bytes_per_s"}


def typed(name):
    """Values by key that a text, a file in YAML or a dictionary gives of a machine, and its title; None for a name.

    A text is values with commas between them, behind a name where most is known: ``"h100-sxm,tdp_w=350"``.
    """
    if isinstance(name, dict):
        return dict(name), str(name.get("name") or name.get("like") or "own machine")
    text = os.fspath(name) if isinstance(name, os.PathLike) else name
    if not isinstance(text, str):
        return None
    if text.endswith((".yml", ".yaml")):
        return _loaded(text), os.path.splitext(os.path.basename(text))[0]
    if "=" not in text:
        return None
    like, values = behind(text)
    return values | ({"like": like} if like else {}), values.get("name", text)


def behind(text):
    """The name in front of a text such as ``"h100-sxm,tdp_w=350"``, and what is given behind it, by key."""
    like, *pairs = (part.strip() for part in re.split(r",(?=[^,]*=)", text))
    if like.partition("=")[0].strip() in (*_KNOWN, "name"):
        # No name before the values.
        like, pairs = None, [like, *pairs]
    values = {key.strip(): value.strip() for key, _, value in (pair.partition("=") for pair in pairs)}
    if len(values) < len(pairs):
        raise UnknownName(f"{reprlib.repr(text)}: one of its values is given twice")
    return like, values


def _loaded(path):
    import yaml

    try:
        # Values as they were typed: YAML would take 1:30 for 90.
        found = yaml.load(contents(path, _MOST_BYTES, "machine"), yaml.BaseLoader)
    except (yaml.YAMLError, ValueError, RecursionError):
        found = None
    plain = isinstance(found, dict) and all(isinstance(one, str) for pair in found.items() for one in pair)
    if not plain:
        raise UnknownName(f"{path} is no machine: expected lines such as `memory_bytes: 96 GB` or `like: h100-sxm`")
    return found


def contradictions(values):
    """What cannot be of one machine, in words: it reaches no more than it is rated at, and idles below its rating."""
    pairs = {"idle_w": "tdp_w"} | {reached: rated for rated, reached in REACHED.items()}
    found = [
        f"{name}: got {values[name]:,.6g}; allowed is up to the {most}, {values[most]:,.6g} {quantities()[most].unit}"
        for name, most in pairs.items()
        if name in values and most in values and values[name] > values[most]
    ]
    each = values.get("accelerators_per_server", 1)
    if each != int(each):
        found.append(f"accelerators_per_server: got {each:g}; allowed is a whole number [count]")
    return found


def read(values):
    """Numbers by quantity in SI units, of values as they were typed; an `UnknownName` tells all that is wrong."""
    found, problems = {}, []
    for name, given in values.items():
        if name not in _KNOWN:
            problems.append(f"{reprlib.repr(name)}: not a value of a machine; those are {', '.join(_KNOWN)}")
            continue
        quantity = quantities()[name]
        parts = None if isinstance(given, bool) else _VALUE.fullmatch(str(given))
        unit, factor = UNITS.get(parts[2], ("", 1)) if parts and parts[2] else (quantity.unit, 1)
        try:
            number = float(parts[1].replace(",", "").replace("_", "")) * factor
        except (TypeError, ValueError):
            number = None
        if number is None or unit != quantity.unit or not quantity.low <= number <= quantity.high:
            units = [one for one, (base, _) in UNITS.items() if base == quantity.unit]
            allowed = f"{quantity.low:,.12g} to {quantity.high:,.12g} {quantity.unit}, or a number with one of"
            problems.append(f"{name}: got {reprlib.repr(given)}; allowed is {allowed} {', '.join(units)}")
            continue
        found[name] = number
    if problems:
        raise UnknownName("; ".join(problems))
    return found
