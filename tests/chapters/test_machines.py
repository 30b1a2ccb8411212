"""Chapters with every kind of machine: whatever its sources leave out, a page says so and goes on."""

import pytest

from llmpower.facts import catalog
from llmpower.facts.power import power
from llmpower.ranges import Range
from llmpower.text import text
from tests.chapters.reading import read

# The parameter of each chapter that names a machine.
TAKES = {
    "decode-breakdown": "accelerator", "model-against-measurement": "accelerator", "datacenter-scale": "accelerator",
    "three-layer-mitigations": "accelerator", "tokens-per-watt": "devices", "tdp-escalator": "last_accelerator",
}  # fmt: skip
MAY_BE_MISSING = ("memory_type", "year", "dense_bf16_flop_per_s", "tdp_w", "system_max_w", "idle_w")


def kinds():
    """One machine of each category and set of facts that it lacks."""
    found = {}
    for name in catalog.names("accelerator"):
        machine = catalog.accelerator(name)
        found.setdefault((machine.category, *(fact in machine.facts for fact in MAY_BE_MISSING)), name)
    return sorted(found.values())


def said(chapter, **parameters):
    """What the cells of a chapter say, numbers left out."""
    return read(chapter, **parameters).said


@pytest.mark.parametrize("machine", kinds())
def test_every_chapter_takes_every_kind_of_machine(machine):
    for chapter, parameter in TAKES.items():
        assert said(chapter, **{parameter: machine})


def test_power_without_a_source_is_called_an_estimate_on_every_page():
    def stands_in(name, quantity):
        # tests/facts/test_power.py works such an estimate out.
        found = power(catalog.accelerator(name), quantity)
        assert found.low < found.value < found.high and found.kind == "estimate"
        return f"an estimate stands in, {text(Range(*found.ends), 'W')}"

    # A TPU v5e has neither number.
    rating, idle = stands_in("tpu-v5e", "tdp_w"), stands_in("tpu-v5e", "idle_w")
    site = said("datacenter-scale", accelerator="tpu-v5e")
    assert rating in site
    assert rating in said("decode-breakdown", accelerator="tpu-v5e")
    assert idle in said("three-layer-mitigations", accelerator="tpu-v5e")
    assert idle in said("tokens-per-watt", devices="tpu-v5e")
    assert stands_in("mi355x", "idle_w") in said("model-against-measurement", accelerator="mi355x")
    # Of an M3 Max not even the rating is known, an M1 Max has no sourced peak, so reading takes no time it could tell.
    assert "of a rating that is such an estimate, too" in said("three-layer-mitigations", accelerator="m3-max")
    site = said("datacenter-scale", accelerator="m1-max")
    assert "How long reading takes cannot be told" in site and "Writing takes most" not in site
    # Of an M2 Ultra the largest power of its computer is known, and of an H100 everything.
    assert "that of its whole computer stands in" in said("decode-breakdown", accelerator="m2-ultra")
    assert "stands in" not in said("decode-breakdown", accelerator="h100-sxm")


def test_a_page_counts_copies_of_heads_once_and_everywhere():
    found = read("decode-breakdown", accelerator="h200-sxm", n_accelerators=16, batch=32)
    shown = found.numbers
    # Sixteen boards share eight heads: two copies of 32 x 32,768 tokens x 327,680 B = 343.6 GB, beside 141.1 GB of
    # weights, of which a step reads 139.0 GB. 826.2 GB from 16 x 4.8 TB/s take 10.76 ms for 32 tokens.
    assert "copies of heads are kept and read" in found.said and "the columns meet" not in found.said
    assert shown["copies"] == 2
    assert shown["moved_cache"] == 2 * 32 * 32_768 * 327_680
    assert shown["needed"] == 141_107_412_992 + shown["moved_cache"]
    assert shown["speed"] == pytest.approx(32 / ((139_006_066_688 + shown["moved_cache"]) / 76.8e12))
    assert shown["held_bound"] == shown["speed"]
    eight = said("decode-breakdown", accelerator="h200-sxm", n_accelerators=8, batch=32)
    assert "the columns meet" in eight and "copies of heads" not in eight
    # One head of 32 x 32,768 tokens is 42.9 GB; a TPU v5e has 16.
    small = said("decode-breakdown", accelerator="tpu-v5e", n_accelerators=4, batch=32)
    assert "no number of such accelerators would do" in small
