"""Decode with weights in two memories: what does not fit beside the processor waits in system memory."""

import math
from dataclasses import dataclass, field

from llmpower.facts.power import power
from llmpower.formulas import decode, efficiency
from llmpower.formulas.elementwise import positive
from llmpower.ranges import Range, over
from llmpower.step.bound import Bound, step_energy
from llmpower.step.constants import constants
from llmpower.step.work import needed_bytes, work


def spills(machine):
    """Whether what does not fit goes into system memory: a card's does; a board of a fleet is not run so, and where
    processor and graphics share one memory there is nothing to spill into."""
    return machine.get("category") in ("desktop", "laptop")


@dataclass(frozen=True, kw_only=True)
class Delivery(Bound):
    """Bounds on a decode step of a model on a machine, from datasheet rates and sourced constants."""

    needed_bytes: float
    read_bytes: float
    share: float
    idle_w: float
    energies: dict = field(repr=False)

    @property
    def runs(self):
        """Whether the data fit somewhere the machine can read them."""
        return math.isfinite(self.memory_time_s)

    spills = property(lambda self: self.share < 1, doc="Whether a part has to stay in system memory.")
    bytes_per_token = property(lambda self: self.read_bytes / self.batch, doc="Bytes read per output token. [B]")

    def most_tokens_per_j(self, central="typical"):
        """Upper bound: dynamic energy and idle power for the shortest time. [1/J]"""

        def bound(energy_j):
            least_j = efficiency.least_energy_j(energy_j, self.idle_w, self.step_time_s)
            return efficiency.most_tokens_per_j(self.batch, least_j)

        return over(bound, self.energies, central) if self.runs else Range(0.0, 0.0, 0.0)


def deliver(case, host_bandwidth_bytes_per_s=None):
    """Bounds on a decode step of a case, as a `Delivery`; what a card does not hold is read from system memory.

    host_bandwidth_bytes_per_s: of that memory; None counts as if everything fitted. [B/s]

    Where the data do not fit and nothing may spill the memory time is infinite; arithmetic without a sourced peak takes
    no time.

    >>> from llmpower.step.case import case
    >>> deliver(case("qwen2.5-32b", "rtx-4060-laptop", weight_format="q4_k_m"), 76.8e9).spills
    True
    """
    machine, n, found = case.accelerator, case.n_accelerators, work(case)
    rate = n * machine.memory_bandwidth_bytes_per_s
    share = efficiency.resident_share(needed_bytes(case), n * machine.memory_bytes)
    beside = rate if host_bandwidth_bytes_per_s is None else host_bandwidth_bytes_per_s
    time = _split_time_s(found.read_bytes, share, rate, beside)
    if host_bandwidth_bytes_per_s is not None and not spills(machine):
        time = positive(1 - share, math.inf, time)
    return Delivery(
        batch=case.batch,
        needed_bytes=needed_bytes(case),
        read_bytes=found.read_bytes,
        share=share,
        memory_time_s=time,
        compute_time_s=decode.compute_time_s(found.step_flop, n, machine.get("dense_bf16_flop_per_s", math.inf)),
        idle_w=n * power(machine, "idle_w").value,
        energies={name: step_energy(found, case.batch, pair).total_j for name, pair in constants().items()},
    )


def split_speed(weight_bytes, memory_bytes, memory_bandwidth_bytes_per_s, host_bandwidth_bytes_per_s):
    """Upper bound on tokens per second of a file of weights, read once per token, with the rest in system memory. [1/s]

    >>> round(split_speed(19.85e9, 8e9, 256e9, 76.8e9), 2)
    5.39
    """
    share = efficiency.resident_share(weight_bytes, memory_bytes)
    time = _split_time_s(weight_bytes, share, memory_bandwidth_bytes_per_s, host_bandwidth_bytes_per_s)
    return decode.tokens_per_s(1, time)


def _split_time_s(n_bytes, share, memory_bandwidth_bytes_per_s, host_bandwidth_bytes_per_s):
    resident = efficiency.resident_bytes(n_bytes, share)
    rest = efficiency.host_bytes(n_bytes, resident)
    return efficiency.split_time_s(resident, rest, memory_bandwidth_bytes_per_s, host_bandwidth_bytes_per_s)
