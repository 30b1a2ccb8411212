"""The table of quantities: names, types and ranges."""

import re

from llmpower.facts.quantities import quantities


def test_quantities_are_documented():
    for name, one in quantities().items():
        assert re.fullmatch(r"[a-z][a-z0-9_]*", name)
        assert one.type.removesuffix(" list") in ("int", "float", "text", "choice", "model", "accelerator", "format")
        if one.type in ("int", "float") and one.low is not None:
            assert one.low <= one.high
