"""Measured runs of ``data/measurements.csv`` and ``data/validation.csv``, as columns."""

import numpy as np

from llmpower.facts.quantities import quantities
from llmpower.facts.tables import rows

_TEXT = (
    "id", "source", "published_model", "model", "weight_format", "accelerator", "software", "task", "anomaly", "where",
    "verified", "lacks",
)  # fmt: skip
# What a source may leave open; all but the prompt is above zero.
_OPEN = ("n_requests", "output_tokens_per_prompt", "power_w", "j_per_token", "median_itl_ms")


def measurements(table="measurements.csv"):
    """Measured runs, a column a name: lists of text, arrays of numbers with NaN where the source has none.

    table: ``"measurements.csv"``, or ``"validation.csv"`` for the runs no constant was fitted to.
    A number that is none is a `FactError`.

    >>> runs = measurements()
    >>> round(float(runs["j_per_token"][runs["id"].index("mlenergy_v3-0010")]), 3)
    6.028
    """
    lines, columns = list(rows(table)), {}
    for name in lines[0].row:
        if name in _TEXT:
            columns[name] = [cells.date(name) if name == "verified" else cells.plain(name) for cells in lines]
        else:
            numbers = (_number(cells, name) for cells in lines)
            columns[name] = np.array([np.nan if one is None else one for one in numbers])
    return columns


def _number(cells, name):
    value = cells.number(name, empty=name in _OPEN)
    if value is not None and value <= 0 and (value, name) != (0, "prompt_tokens"):
        raise cells.wrong(name, "a number above zero")
    return quantities()[name].checked(cells, name, value) if name in quantities() else value
