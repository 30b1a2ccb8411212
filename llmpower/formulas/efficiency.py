"""Tokens per joule, models split between two memories, idle power, batteries and power caps."""

from llmpower.formulas.elementwise import maximum, minimum


def tokens_per_j(tokens_per_s, power_w):
    """Tokens per second per watt, which are tokens per joule. [1/J]

    power_w: with a stated boundary.
    Own derivation: (1/s)/W = 1/J. Left out: whatever the boundary of the power leaves out, and the prompt unless it is
    counted; so mostly too high.
    >>> tokens_per_j(50.0, 40.0)
    1.25
    """
    return tokens_per_s / power_w


def bytes_read_per_j(bytes_per_token, tokens_per_j):
    """Bytes a machine reads per joule, whatever the model. [B/J]

    Own derivation. Left out: arithmetic, which costs joules and reads nothing, so the result falls at large batches.
    >>> bytes_read_per_j(4.0e9, 1.25)
    5000000000.0
    """
    return bytes_per_token * tokens_per_j


def params_used_per_j(params_active, tokens_per_j):
    """Parameters a machine multiplies with per joule. [1/J]

    Own derivation. Left out: the width of a parameter, so narrow formats look better than per byte.
    >>> params_used_per_j(4.0e9, 1.25)
    5000000000.0
    """
    return params_active * tokens_per_j


def efficiency_ratio(tokens_per_j, reference_tokens_per_j):
    """How many times more tokens per joule than a reference. [1]

    Own derivation. Left out: whether both answer equally well; different models are no comparison of machines.
    >>> efficiency_ratio(1.25, 0.25)
    5.0
    """
    return tokens_per_j / reference_tokens_per_j


def byte_efficiency_ratio(efficiency_ratio, bytes_per_token, reference_bytes_per_token):
    """How many times more bytes per joule than a reference. [1]

    byte_efficiency_ratio: below one, the reference reads more per joule.
    Own derivation: both sides of `efficiency_ratio` times the bytes of a token. Left out: batching, unless the bytes
    per token are those of the batch.
    >>> byte_efficiency_ratio(37.0, 3.5e9, 140.0e9)
    0.925
    """
    return efficiency_ratio * bytes_per_token / reference_bytes_per_token


def resident_share(memory_needed_bytes, memory_bytes):
    """Share of the data that fits beside the processor. [1]

    memory_bytes: beside the processor.
    resident_share: one if everything fits.
    Own derivation. Left out: memory that the runtime and a display keep, so an upper bound.
    >>> resident_share(20.0, 8.0)
    0.4
    """
    return minimum(memory_needed_bytes, memory_bytes) / memory_needed_bytes


def resident_bytes(n_bytes, resident_share):
    """Bytes of a step that come from the memory beside the processor. [B]

    resident_share: 0 to 1.
    Own derivation, for data read evenly. Left out: placing what is read most there, which helps a mixture of experts.
    >>> resident_bytes(20.0, 0.4)
    8.0
    """
    return n_bytes * resident_share


def host_bytes(n_bytes, resident_bytes):
    """Bytes of a step that come from system memory. [B]

    Own derivation. Left out: nothing.
    >>> host_bytes(20.0, 8.0)
    12.0
    """
    return n_bytes - resident_bytes


def split_time_s(resident_bytes, host_bytes, memory_bandwidth_bytes_per_s, host_bandwidth_bytes_per_s):
    """Shortest time to read a model split between two memories. [s]

    memory_bandwidth_bytes_per_s: beside the processor.
    Own derivation. The two parts are read one after the other, since a layer waits for the one before it. Left out:
    bandwidth below the rating and the link between the memories, so a lower bound.
    >>> split_time_s(8.0e9, 12.0e9, 256.0e9, 75.0e9)
    0.19125
    """
    return resident_bytes / memory_bandwidth_bytes_per_s + host_bytes / host_bandwidth_bytes_per_s


def least_energy_j(energy_j, idle_w, step_time_s):
    """Least energy of a step: its dynamic energy and idle power for its shortest time. [J]

    energy_j: dynamic, of a step.
    Own derivation. Left out: power that rises when clocks wake up, links, conversion, the prompt, so a lower bound.
    >>> least_energy_j(2.0, 70.0, 0.01)
    2.7
    """
    return energy_j + idle_w * step_time_s


def most_tokens_per_j(batch, least_energy_j):
    """Upper bound on tokens per joule. [1/J]

    Own derivation. Left out: as in `least_energy_j`, so no board should be above it.
    >>> most_tokens_per_j(32, 4.0)
    8.0
    """
    return batch / least_energy_j


def capped_time_s(step_time_s, energy_j, power_cap_w, static_w):
    """Shortest time of a step under a power cap: the power roof. [s]

    step_time_s: from bandwidth and arithmetic alone.
    energy_j: dynamic, of a step.
    power_cap_w: or a setting or the rating allows; above `static_w`.
    The power cap of the energy roofline [choi2012roofline]_, written as time. Left out: lower voltage at lower clocks,
    which saves energy, so the time is too long when the cap binds.
    >>> capped_time_s(0.01, 1.0, 35.0, 10.0)
    0.04
    """
    return maximum(step_time_s, energy_j / (power_cap_w - static_w))


def implied_energy_j_per_byte(power_w, memory_bandwidth_bytes_per_s):
    """Energy per byte that a power at full bandwidth implies. [J/B]

    power_w: with a stated boundary.
    memory_bandwidth_bytes_per_s: beside the processor.
    Own derivation, `memory_power_w` turned round. Left out: power that does not follow traffic, so an upper bound.
    >>> implied_energy_j_per_byte(16.0, 256.0e9)
    6.25e-11
    """
    return power_w / memory_bandwidth_bytes_per_s


def battery_time_s(battery_energy_j, power_w):
    """How long a battery lasts. [s]

    power_w: with a stated boundary.
    Own derivation. Left out: screen, processor, conversion losses and what a battery keeps back, unless the power
    contains them, so an upper bound.
    >>> battery_time_s(216000.0, 60.0)
    3600.0
    """
    return battery_energy_j / power_w


def energy_tokens(energy_j, tokens_per_j):
    """Tokens that an amount of energy, such as a battery's charge, writes. [1]

    Own derivation. Left out: as in `battery_time_s`, so an upper bound; that a machine may be on for other reasons.
    >>> energy_tokens(216000.0, 1.25)
    270000.0
    """
    return energy_j * tokens_per_j


def answer_energy_j(answer_tokens, tokens_per_j):
    """Energy of an answer. [J]

    Own derivation. Left out: the prompt and all waiting, so a lower bound.
    >>> answer_energy_j(500, 1.25)
    400.0
    """
    return answer_tokens / tokens_per_j


def bandwidth_share(tokens_per_s, bytes_per_token, memory_bandwidth_bytes_per_s):
    """Share of the memory bandwidth that a decoding speed uses. [1]

    memory_bandwidth_bytes_per_s: beside the processor.
    bandwidth_share: above one the speed is impossible.
    Own derivation. Left out: the cache, unless the bytes contain it, so a lower bound.
    >>> bandwidth_share(50.0, 2.56e9, 256.0e9)
    0.5
    """
    return tokens_per_s * bytes_per_token / memory_bandwidth_bytes_per_s
