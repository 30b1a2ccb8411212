r"""Tokens per joule, models split between two memories, idle power, batteries and power caps.

Every function is pure: no check, no rounding, no default for a measured input.
Names, symbols, units and ranges of all arguments stand in ``data/quantities.csv``.
"""

from llmpower.formulas.elementwise import maximum, minimum


def tokens_per_j(tokens_per_s, power_w):
    r"""Tokens per second per watt, which are tokens per joule.

    Parameters
    ----------
    tokens_per_s : float
        Tokens per second of all sequences together. [1/s]
    power_w : float
        Mean power, with a stated boundary. [W]

    Returns
    -------
    tokens_per_j : float
        Tokens per joule. [1/J]

    Notes
    -----
    Own derivation: (1/s)/W = 1/J. Left out: whatever the boundary of the power
    leaves out, and the prompt unless it is counted; so mostly too high.

    Examples
    --------
    >>> tokens_per_j(50.0, 40.0)
    1.25
    """
    return tokens_per_s / power_w


def bytes_read_per_j(bytes_per_token, tokens_per_j):
    r"""Bytes a machine reads per joule, whatever the model.

    Parameters
    ----------
    bytes_per_token : float
        Bytes read per output token. [B]
    tokens_per_j : float
        Tokens per joule. [1/J]

    Returns
    -------
    bytes_read_per_j : float
        Bytes per joule. [B/J]

    Notes
    -----
    Own derivation. Left out: arithmetic, which costs joules and reads nothing,
    so the result falls at large batches.

    Examples
    --------
    >>> bytes_read_per_j(4.0e9, 1.25)
    5000000000.0
    """
    return bytes_per_token * tokens_per_j


def params_used_per_j(params_active, tokens_per_j):
    r"""Parameters a machine multiplies with per joule.

    Parameters
    ----------
    params_active : float
        Parameters the token is multiplied with. [1]
    tokens_per_j : float
        Tokens per joule. [1/J]

    Returns
    -------
    params_used_per_j : float
        Parameters times tokens, per joule. [1/J]

    Notes
    -----
    Own derivation. Left out: the width of a parameter, so narrow formats look
    better than per byte.

    Examples
    --------
    >>> params_used_per_j(4.0e9, 1.25)
    5000000000.0
    """
    return params_active * tokens_per_j


def efficiency_ratio(tokens_per_j, reference_tokens_per_j):
    r"""How many times more tokens per joule than a reference.

    Parameters
    ----------
    tokens_per_j : float
        Tokens per joule. [1/J]
    reference_tokens_per_j : float
        Tokens per joule of what it is compared with. [1/J]

    Returns
    -------
    efficiency_ratio : float
        Ratio. [1]

    Notes
    -----
    Own derivation. Left out: whether both answer equally well; a comparison of
    different models is no comparison of machines.

    Examples
    --------
    >>> efficiency_ratio(1.25, 0.25)
    5.0
    """
    return tokens_per_j / reference_tokens_per_j


def byte_efficiency_ratio(efficiency_ratio, bytes_per_token, reference_bytes_per_token):
    r"""How many times more bytes per joule than a reference.

    Parameters
    ----------
    efficiency_ratio : float
        Tokens per joule over those of the reference. [1]
    bytes_per_token : float
        Bytes read per output token. [B]
    reference_bytes_per_token : float
        Bytes read per output token by what it is compared with. [B]

    Returns
    -------
    byte_efficiency_ratio : float
        Ratio; below one the reference reads more per joule. [1]

    Notes
    -----
    Own derivation: both sides of `efficiency_ratio` times the bytes of a token.
    Left out: batching, unless the bytes per token are those of the batch.

    Examples
    --------
    >>> byte_efficiency_ratio(37.0, 3.5e9, 140.0e9)
    0.925
    """
    return efficiency_ratio * bytes_per_token / reference_bytes_per_token


def resident_share(memory_needed_bytes, memory_bytes):
    r"""Share of the data that fits beside the processor.

    Parameters
    ----------
    memory_needed_bytes : float
        Memory that weights and caches occupy. [B]
    memory_bytes : float
        Capacity of the memory beside the processor. [B]

    Returns
    -------
    resident_share : float
        Share, one if everything fits. [1]

    Notes
    -----
    Own derivation. Left out: memory that the runtime and a display keep, so an
    upper bound.

    Examples
    --------
    >>> resident_share(20.0, 8.0)
    0.4
    """
    return minimum(memory_needed_bytes, memory_bytes) / memory_needed_bytes


def resident_bytes(n_bytes, resident_share):
    r"""Bytes of a step that come from the memory beside the processor.

    Parameters
    ----------
    n_bytes : float
        Bytes read in a step. [B]
    resident_share : float
        Share of the data that lies in that memory, 0 to 1. [1]

    Returns
    -------
    resident_bytes : float
        Bytes per step. [B]

    Notes
    -----
    Own derivation, for data that are read evenly. Left out: placing what is read
    most beside the processor, which helps a mixture of experts.

    Examples
    --------
    >>> resident_bytes(20.0, 0.4)
    8.0
    """
    return n_bytes * resident_share


def host_bytes(n_bytes, resident_bytes):
    r"""Bytes of a step that come from system memory.

    Parameters
    ----------
    n_bytes : float
        Bytes read in a step. [B]
    resident_bytes : float
        Bytes of a step read from the memory beside the processor. [B]

    Returns
    -------
    host_bytes : float
        Bytes per step. [B]

    Notes
    -----
    Own derivation. Left out: nothing.

    Examples
    --------
    >>> host_bytes(20.0, 8.0)
    12.0
    """
    return n_bytes - resident_bytes


def split_time_s(resident_bytes, host_bytes, memory_bandwidth_bytes_per_s, host_bandwidth_bytes_per_s):
    r"""Shortest time to read a model split between two memories.

    Parameters
    ----------
    resident_bytes : float
        Bytes of a step read from the memory beside the processor. [B]
    host_bytes : float
        Bytes of a step read from system memory. [B]
    memory_bandwidth_bytes_per_s : float
        Bandwidth of the memory beside the processor. [B/s]
    host_bandwidth_bytes_per_s : float
        Bandwidth of the system memory. [B/s]

    Returns
    -------
    split_time_s : float
        Time. [s]

    Notes
    -----
    Own derivation. The two parts are read one after the other, since a layer
    waits for the one before it. Left out: bandwidth below the rating and the
    link between the memories, so a lower bound.

    Examples
    --------
    >>> split_time_s(8.0e9, 12.0e9, 256.0e9, 75.0e9)
    0.19125
    """
    return resident_bytes / memory_bandwidth_bytes_per_s + host_bytes / host_bandwidth_bytes_per_s


def least_energy_j(energy_j, idle_w, step_time_s):
    r"""Least energy of a step: its dynamic energy and idle power for its shortest time.

    Parameters
    ----------
    energy_j : float
        Dynamic energy of a step. [J]
    idle_w : float
        Power that flows whether or not there is work. [W]
    step_time_s : float
        Shortest time of a step. [s]

    Returns
    -------
    least_energy_j : float
        Energy of a step. [J]

    Notes
    -----
    Own derivation. Left out: power that rises when the clocks wake up, links,
    conversion losses and the prompt, so a lower bound.

    Examples
    --------
    >>> least_energy_j(2.0, 70.0, 0.01)
    2.7
    """
    return energy_j + idle_w * step_time_s


def most_tokens_per_j(batch, least_energy_j):
    r"""Upper bound on tokens per joule.

    Parameters
    ----------
    batch : float
        Sequences decoded together. [1]
    least_energy_j : float
        Least energy of a step. [J]

    Returns
    -------
    most_tokens_per_j : float
        Tokens per joule. [1/J]

    Notes
    -----
    Own derivation. Left out: as in `least_energy_j`, so no board should be above it.

    Examples
    --------
    >>> most_tokens_per_j(32, 4.0)
    8.0
    """
    return batch / least_energy_j


def capped_time_s(step_time_s, energy_j, power_cap_w, idle_w):
    r"""Shortest time of a step under a power cap.

    Parameters
    ----------
    step_time_s : float
        Shortest time of a step. [s]
    energy_j : float
        Dynamic energy of a step. [J]
    power_cap_w : float
        Power that cooling or a setting allows, above `idle_w`. [W]
    idle_w : float
        Power that flows whether or not there is work. [W]

    Returns
    -------
    capped_time_s : float
        Time. [s]

    Notes
    -----
    The power-capped roofline, written as time; own derivation. Left out: lower
    voltage at lower clocks, which saves energy, so the time is too long when
    the cap binds.

    Examples
    --------
    >>> capped_time_s(0.01, 1.0, 35.0, 10.0)
    0.04
    """
    return maximum(step_time_s, energy_j / (power_cap_w - idle_w))


def power_per_area_w_per_mm2(power_w, die_area_mm2):
    r"""Power over the area of the die.

    Parameters
    ----------
    power_w : float
        Mean power, with a stated boundary. [W]
    die_area_mm2 : float
        Area of the die. [mm2]

    Returns
    -------
    power_per_area_w_per_mm2 : float
        Power density. [W/mm2]

    Notes
    -----
    Own derivation. Left out: memory chips and regulators, which share the power
    but not the area, so an upper bound for the die.

    Examples
    --------
    >>> power_per_area_w_per_mm2(115.0, 159.0)
    0.7232704402515723
    """
    return power_w / die_area_mm2


def implied_energy_j_per_byte(power_w, memory_bandwidth_bytes_per_s):
    r"""Energy per byte that a power at full bandwidth implies.

    Parameters
    ----------
    power_w : float
        Mean power, with a stated boundary. [W]
    memory_bandwidth_bytes_per_s : float
        Bandwidth of the memory beside the processor. [B/s]

    Returns
    -------
    implied_energy_j_per_byte : float
        Energy per byte. [J/B]

    Notes
    -----
    Own derivation, `memory_power_w` turned round. Left out: power that does not
    follow traffic, so an upper bound on the energy of a byte.

    Examples
    --------
    >>> implied_energy_j_per_byte(16.0, 256.0e9)
    6.25e-11
    """
    return power_w / memory_bandwidth_bytes_per_s


def battery_time_s(battery_energy_j, power_w):
    r"""How long a battery lasts.

    Parameters
    ----------
    battery_energy_j : float
        Energy of a full battery. [J]
    power_w : float
        Mean power, with a stated boundary. [W]

    Returns
    -------
    battery_time_s : float
        Time. [s]

    Notes
    -----
    Own derivation. Left out: screen, processor, conversion losses and what a
    battery keeps back, unless the power contains them, so an upper bound.

    Examples
    --------
    >>> battery_time_s(216000.0, 60.0)
    3600.0
    """
    return battery_energy_j / power_w


def battery_tokens(battery_energy_j, tokens_per_j):
    r"""Tokens that one charge writes.

    Parameters
    ----------
    battery_energy_j : float
        Energy of a full battery. [J]
    tokens_per_j : float
        Tokens per joule. [1/J]

    Returns
    -------
    battery_tokens : float
        Tokens. [1]

    Notes
    -----
    Own derivation. Left out: as in `battery_time_s`, so an upper bound.

    Examples
    --------
    >>> battery_tokens(216000.0, 1.25)
    270000.0
    """
    return battery_energy_j * tokens_per_j


def idle_energy_j(idle_w, idle_time_s):
    r"""Energy of waiting.

    Parameters
    ----------
    idle_w : float
        Power that flows whether or not there is work. [W]
    idle_time_s : float
        Time spent waiting. [s]

    Returns
    -------
    idle_energy_j : float
        Energy. [J]

    Notes
    -----
    Own derivation. Left out: deeper sleep after a while, so an upper bound where
    a machine sleeps.

    Examples
    --------
    >>> idle_energy_j(10.0, 3600.0)
    36000.0
    """
    return idle_w * idle_time_s


def idle_tokens(idle_energy_j, tokens_per_j):
    r"""Tokens that the energy of waiting would have written.

    Parameters
    ----------
    idle_energy_j : float
        Energy spent waiting. [J]
    tokens_per_j : float
        Tokens per joule. [1/J]

    Returns
    -------
    idle_tokens : float
        Tokens. [1]

    Notes
    -----
    Own derivation. Left out: that the machine may be on for other reasons.

    Examples
    --------
    >>> idle_tokens(36000.0, 1.25)
    45000.0
    """
    return idle_energy_j * tokens_per_j


def answer_energy_j(answer_tokens, tokens_per_j):
    r"""Energy of an answer.

    Parameters
    ----------
    answer_tokens : float
        Output tokens of an answer. [1]
    tokens_per_j : float
        Tokens per joule. [1/J]

    Returns
    -------
    answer_energy_j : float
        Energy. [J]

    Notes
    -----
    Own derivation. Left out: the prompt and all waiting, so a lower bound.

    Examples
    --------
    >>> answer_energy_j(500, 1.25)
    400.0
    """
    return answer_tokens / tokens_per_j


def saved_power_w(power_w, idle_w):
    r"""Power saved by stopping work that nobody needs.

    Parameters
    ----------
    power_w : float
        Mean power, with a stated boundary. [W]
    idle_w : float
        Power that flows whether or not there is work. [W]

    Returns
    -------
    saved_power_w : float
        Power. [W]

    Notes
    -----
    Own derivation. Left out: the time to wake up again.

    Examples
    --------
    >>> saved_power_w(70.0, 10.0)
    60.0
    """
    return power_w - idle_w


def power_share(power_w, tdp_w):
    r"""Power drawn over rated power.

    Parameters
    ----------
    power_w : float
        Mean power, with a stated boundary. [W]
    tdp_w : float
        Rated power. [W]

    Returns
    -------
    power_share : float
        Share. [1]

    Notes
    -----
    Own derivation. Left out: that a laptop's maker may rate the board lower,
    which raises the share.

    Examples
    --------
    >>> power_share(46.0, 115.0)
    0.4
    """
    return power_w / tdp_w


def bandwidth_share(tokens_per_s, bytes_per_token, memory_bandwidth_bytes_per_s):
    r"""Share of the memory bandwidth that a decoding speed uses.

    Parameters
    ----------
    tokens_per_s : float
        Tokens per second of all sequences together. [1/s]
    bytes_per_token : float
        Bytes read per output token. [B]
    memory_bandwidth_bytes_per_s : float
        Bandwidth of the memory beside the processor. [B/s]

    Returns
    -------
    bandwidth_share : float
        Share; above one the speed is impossible. [1]

    Notes
    -----
    Own derivation. Left out: the cache, unless the bytes contain it, so a lower
    bound.

    Examples
    --------
    >>> bandwidth_share(50.0, 2.56e9, 256.0e9)
    0.5
    """
    return tokens_per_s * bytes_per_token / memory_bandwidth_bytes_per_s
