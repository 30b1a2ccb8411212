"""The power roof: operations a second that bandwidth, arithmetic and power allow, by datasheet and physics alone."""

import math
from dataclasses import dataclass

import numpy as np

from llmpower.facts.power import power
from llmpower.formulas import decode, efficiency
from llmpower.ranges import Range
from llmpower.step.constants import constants


@dataclass(frozen=True)
class Roof:
    """Operations per second of one accelerator that bandwidth, arithmetic and power allow. [FLOP/s]"""

    bandwidth: np.ndarray
    compute: np.ndarray
    power: Range


def has_roof(accelerator):
    """Whether the record of an accelerator has the rates and the rating that a power roof takes."""
    return all(accelerator.get(name) for name in ("memory_bandwidth_bytes_per_s", "dense_bf16_flop_per_s", "tdp_w"))


def roof(accelerator, intensity):
    """The three ceilings of an accelerator, as a `Roof`.

    accelerator: record with a rating and a dense 16-bit peak.
    intensity: operations per byte moved; an array. [FLOP/B]
    `power` has the roof with dear, typical and cheap bytes and operations.

    Power cannot lift a roof.

    >>> from llmpower.facts.catalog import accelerator
    >>> found = roof(accelerator("h100-sxm"), np.array([1.0, 300.0]))
    >>> bool((found.power.high <= np.minimum(found.bandwidth, found.compute) * (1 + 1e-9)).all())
    True
    """
    memory = decode.memory_time_s(1.0, 1, accelerator.memory_bandwidth_bytes_per_s)
    arithmetic = decode.compute_time_s(intensity, 1, accelerator.dense_bf16_flop_per_s)
    least, sets = decode.step_time_s(memory, arithmetic), constants()
    spans = list(zip(*(sets[name] for name in ("low", "typical", "high"))))
    idle_w = power(accelerator, "idle_w").value

    def capped(per_byte, per_flop):
        energy = decode.movement_energy_j(1.0, per_byte) + decode.compute_energy_j(intensity, per_flop)
        return intensity / efficiency.capped_time_s(least, energy, accelerator.tdp_w, idle_w)

    ends = Range(capped(*map(max, spans)), capped(*sets["typical"]), capped(*map(min, spans)))
    return Roof(intensity / memory, intensity / arithmetic, ends)


def power_binds_from(accelerator):
    """Operations per byte from which power holds an accelerator below its other ceilings, at typical prices. [FLOP/B]

    accelerator: record of one that `has_roof`.
    Infinite if it never does.

    700 - 69 W over 3.35 TB/s leave 188.4 pJ for a byte and what is done with it: (188.4 - 93.44) / 0.52.

    >>> from llmpower.facts.catalog import accelerator
    >>> round(power_binds_from(accelerator("h100-sxm")), 1)
    182.5
    """
    bandwidth, (per_byte, per_flop) = accelerator.memory_bandwidth_bytes_per_s, constants()["typical"]
    left = (accelerator.tdp_w - power(accelerator, "idle_w").value) / bandwidth - per_byte
    corner = accelerator.dense_bf16_flop_per_s / bandwidth
    # Behind the corner fewer bytes flow, so power that has not bound there never does.
    return max(0.0, left / per_flop) if left / per_flop < corner else math.inf
