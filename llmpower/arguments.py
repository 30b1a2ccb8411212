"""What comes from outside is checked here, once: names, numbers, choices, shapes; all problems are told together."""

import difflib
import numbers
import re
import reprlib

from llmpower.facts import catalog
from llmpower.facts.quantities import quantities
from llmpower.trace import traced

# What somebody measured of a case, and at which batch.
MEASURED = ("measured_tokens_per_s", "measured_power_w", "measured_batch")
# Numbers of a case, in its order; those that may be left out are None then.
NUMBERS = (
    "n_accelerators", "batch", "prompt_tokens", "output_tokens", "context_tokens", "cached_prompt_share",
    "draft_tokens", "accepted_tokens", "max_step_tokens", "power_cap_w", "accelerators_per_server", "link_bytes_per_s",
    "network_bytes_per_s", "host_bandwidth_bytes_per_s", "memory_share", *MEASURED,
)  # fmt: skip


# As messages print them.
_THOUSANDS = re.compile(r"\d{1,3}(,\d{3})+(\.\d+)?")


class ParameterError(ValueError):
    """Wrong arguments; `problems` holds one line for each, `exit_code` is what a command ends with."""

    exit_code = 2

    def __init__(self, problems):
        self.problems = list(problems)
        super().__init__("\n".join(self.problems))


def unit_in_words(unit):
    """A unit of the table of quantities, for messages and help."""
    return {"": "name", "1": "count"}.get(unit, unit)


def span_in_words(quantity, whole):
    """What numbers a quantity allows."""
    what = "a whole number" if whole else "a number"
    return f"{what} from {quantity.low:,.12g} to {quantity.high:,.12g}"


def plain(given):
    """A number as messages print it, without the commas between its thousands; anything else as it is.

    >>> plain("1,000.5"), plain("8,64")
    ('1000.5', '8,64')
    """
    thousands = isinstance(given, str) and _THOUSANDS.fullmatch(given.strip())
    return given.replace(",", "") if thousands else given


def written_out(given):
    """What a message adds where a letter stands for a factor, some take k for 1,024, or a comma for a point."""
    text = given.strip() if isinstance(given, str) else ""
    if re.fullmatch(r"[\d.,]+ ?[kKMGTB]", text):
        return "; write it out, as in 1e6 or 1,000,000"
    return "; decimals begin with a point" if re.fullmatch(r"\d+,\d+", text) else ""


def number(given, quantity, whole=False):
    """A number within the range of a quantity, from a number or a text; None if it is none."""
    if isinstance(given, bool):
        return None
    try:
        value = float(plain(given))
    except (TypeError, ValueError, OverflowError):
        return None
    # A comparison with NaN is false, so NaN is no number here.
    inside = quantity.low <= value <= quantity.high
    return value if inside and (not whole or value == int(value)) else None


def hint(name, known):
    """The nearest of the known names, as a part of a message."""
    near = difflib.get_close_matches(name, known, n=1)
    return f"did you mean {near[0]}? " if near else ""


class Check:
    """Reads arguments one by one and collects what is wrong with them; `done` tells it all at once."""

    def __init__(self):
        self.problems = []

    def wrong(self, argument, message):
        """Note a problem."""
        self.problems.append(f"{argument}: {message}")

    def done(self):
        """Raise `ParameterError` if anything was wrong."""
        if self.problems:
            raise ParameterError(self.problems)

    def record(self, argument, kind, given):
        """Record of the catalog, by what people type."""
        try:
            return catalog.look_up(kind, given)
        except catalog.UnknownName as error:
            self.wrong(argument, error)

    def choice(self, argument, given, allowed):
        """One of the allowed words."""
        if traced(given):
            return given
        if isinstance(given, str) and given.lower() in allowed:
            # The same word is the same object, by which answers are found again.
            return next(one for one in allowed if one == given.lower())
        near = hint(str(given).lower(), allowed)
        self.wrong(argument, f"got {reprlib.repr(given)}; {near}allowed is {', '.join(allowed)}")

    def number(self, argument, given, whole=False, arrays=False):
        """A number within the range of the quantity with this name, or an array of such where arrays are allowed."""
        if traced(given):
            # A control keeps to the range of the quantity.
            return given
        quantity, value, shown = quantities()[argument], None, ""
        if type(given) in (int, float) or isinstance(given, numbers.Real):
            value = number(given, quantity, whole)
        elif arrays:
            value, shown = _array(given, quantity, whole)
        if value is None:
            allowed = span_in_words(quantity, whole) + (", or an array of such" if arrays else "")
            unit = unit_in_words(quantity.unit)
            told = f"got {shown or reprlib.repr(given)}; allowed is {allowed} [{unit}]{written_out(given)}"
            self.wrong(argument, told)
        return value

    def shapes(self, values):
        """Arrays by argument must go together."""
        shapes = {name: value.shape for name, value in values.items() if hasattr(value, "shape")}
        if len(shapes) > 1:
            import numpy as np

            try:
                np.broadcast_shapes(*shapes.values())
            except ValueError:
                given = ", ".join(f"{name} {shape}" for name, shape in shapes.items())
                message = f"shapes do not go together; got {given}; allowed is what NumPy broadcasts"
                self.wrong(", ".join(shapes), message)


def _array(given, quantity, whole):
    """The given values as an array of floats, or None and what to show of them."""
    import numpy as np

    try:
        values = np.asarray(given)
        # What a mask hides would be computed all the same.
        known = values.dtype.kind in "iuf" and values.size > 0 and not np.ma.is_masked(given)
    except (TypeError, ValueError):
        known = False
    if not known:
        return None, ""
    values = values.astype(float)
    wrong = ~((values >= quantity.low) & (values <= quantity.high))
    if whole:
        wrong |= values != np.floor(values)
    if wrong.any():
        return None, f"{float(values[wrong].flat[0])!r} among {wrong.size} values"
    return (values if values.ndim else float(values)), ""


def largest(values):
    """Largest of a number or an array."""
    return values.max() if hasattr(values, "max") else values
