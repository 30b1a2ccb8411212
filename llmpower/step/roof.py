"""The power roof: operations a second that bandwidth, arithmetic and power allow, by datasheet and physics alone."""

import math
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from llmpower.facts.power import power
from llmpower.formulas import decode, efficiency
from llmpower.formulas.elementwise import maximum, positive
from llmpower.ranges import Range
from llmpower.step.constants import constants
from llmpower.trace import shared


@dataclass(frozen=True)
class Roof:
    """Operations per second of one accelerator that bandwidth, arithmetic and power allow. [FLOP/s]"""

    bandwidth: np.ndarray
    compute: np.ndarray
    power: Range


def has_roof(accelerator):
    """Whether the record of an accelerator has the rates and the rating that a power roof takes."""
    return all(accelerator.get(name) for name in ("memory_bandwidth_bytes_per_s", "dense_bf16_flop_per_s", "tdp_w"))


def roof(accelerator, intensity, prices=None):
    """The three ceilings of an accelerator, as a `Roof`.

    accelerator: record with a rating and a dense 16-bit peak.
    intensity: operations per byte moved; an array. [FLOP/B]
    prices: of a byte [J/B] and of an operation [J/FLOP]; typical ones unless given.
    `power` has the roof with dear, typical (or given) and cheap bytes and operations.

    Power cannot lift a roof.

    >>> from llmpower.facts.catalog import accelerator
    >>> found = roof(accelerator("h100-sxm"), np.array([1.0, 300.0]))
    >>> bool((found.power.high <= np.minimum(found.bandwidth, found.compute) * (1 + 1e-9)).all())
    True
    """
    allowed, sets = rates(accelerator), constants()
    spans = list(zip(*(sets[name] for name in ("low", "typical", "high"))))
    triples = (tuple(map(max, spans)), prices or sets["typical"], tuple(map(min, spans)))
    found = [_ceilings(intensity, *allowed, *one) for one in triples]
    return Roof(*found[0][:2], Range(*(one.all for one in found)))


def rates(accelerator):
    """Bytes and operations a second of an accelerator, and the watts that both may share."""
    left_w = accelerator.tdp_w - power(accelerator, "idle_w").value
    return accelerator.memory_bandwidth_bytes_per_s, accelerator.dense_bf16_flop_per_s, left_w


class Ceilings(NamedTuple):
    """Operations per second that bandwidth, arithmetic, and these two with power allow. [FLOP/s]"""

    bandwidth: float
    compute: float
    all: float


def ceilings(intensity, memory_bandwidth_bytes_per_s, dense_flop_per_s, left_w, energy_j_per_byte, energy_j_per_flop):
    """`Ceilings` at an intensity [FLOP/B], where bytes and operations share some watts."""
    memory = decode.memory_time_s(1.0, 1, memory_bandwidth_bytes_per_s)
    arithmetic = decode.compute_time_s(intensity, 1, dense_flop_per_s)
    energy = decode.movement_energy_j(1.0, energy_j_per_byte) + decode.compute_energy_j(intensity, energy_j_per_flop)
    time = efficiency.capped_time_s(decode.step_time_s(memory, arithmetic), energy, left_w, 0)
    return Ceilings(intensity / memory, intensity / arithmetic, intensity / time)


_ceilings = shared(ceilings)


def power_binds_from(accelerator, prices=None):
    """Operations per byte from which power holds an accelerator below its other ceilings. [FLOP/B]

    accelerator: record of one that `has_roof`.
    prices: as for `roof`.
    Infinite if it never does.

    700 - 69 W over 3.35 TB/s leave 188.4 pJ for a byte and what is done with it: (188.4 - 93.44) / 0.52.

    >>> from llmpower.facts.catalog import accelerator
    >>> round(power_binds_from(accelerator("h100-sxm")), 1)
    182.5
    """
    (bandwidth, peak, left_w), (per_byte, per_flop) = rates(accelerator), prices or constants()["typical"]
    bend = (left_w / bandwidth - per_byte) / per_flop
    # Behind the corner fewer bytes flow, so power that has not bound there never does.
    return positive(peak / bandwidth - bend, maximum(0.0, bend), math.inf)
