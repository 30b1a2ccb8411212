"""What a board draws, added up from parts that a meter tells apart; a step without a server, a request with its prompt.

The parts come from power runs of our own (``data/power_runs.csv``), each of which keeps one thing busy.
"""

from llmpower.formulas.elementwise import maximum


def added_energy_j_per_byte(power_w, static_w, memory_bytes_per_s):
    """What each byte adds to what flows anyway. [J/B]

    Own derivation: what a stream of data draws beyond that, over its rate. The kernel's instructions and the way on the
    chip are inside. Left out: power that comes with the first traffic, so a slow stream seems dearer.
    >>> added_energy_j_per_byte(500.0, 140.0, 3.0e12)
    1.2e-10
    """
    return (power_w - static_w) / memory_bytes_per_s


def added_energy_j_per_flop(power_w, static_w, flop_per_s):
    """What each operation adds to what flows anyway. [J/FLOP]

    Own derivation: as for a byte; the delivery of operands from the cache is inside. Left out: traffic from memory,
    which a large product hardly has.
    >>> added_energy_j_per_flop(540.0, 120.0, 4.0e14)
    1.05e-12
    """
    return (power_w - static_w) / flop_per_s


def clocked_energy_j_per_flop(added_energy_j_per_flop, clock_slope, clock_ratio):
    """Energy of an operation at a lower clock, where a lower voltage does. [J/FLOP]

    clock_ratio: over the highest clock.
    Own derivation: a line through two measured clocks. Left out: that energy goes with the square of a voltage nobody
    read, so it holds between those clocks only.
    >>> clocked_energy_j_per_flop(1.0e-12, 0.5, 0.8)
    9e-13
    """
    return added_energy_j_per_flop * (1 - clock_slope * (1 - clock_ratio))


def metered_power_w(static_w, added_energy_j_per_byte, memory_bytes_per_s, added_energy_j_per_flop, flop_per_s):
    """Power of a board from what flows anyway, its traffic and its arithmetic. [W]

    Own derivation: three parts that are taken to add up. Left out: what the kernels of a step do beside, so low.
    >>> metered_power_w(120.0, 1.2e-10, 2.0e12, 1.0e-12, 1.0e14)
    460.0
    """
    return static_w + added_energy_j_per_byte * memory_bytes_per_s + added_energy_j_per_flop * flop_per_s


def tile_padding_rows(tile_rows, rows_per_expert):
    """Rows of nothing that fill an expert's rows up to a tile. [1]

    Own derivation. Left out: rows beyond the first tile, which are filled up as well, so low for many rows.
    >>> tile_padding_rows(64, 10.0)
    54.0
    """
    return maximum(tile_rows - rows_per_expert, 0)


def bare_time_s(n_layers, layer_time_s, product_time_s, cache_time_s, link_time_s):
    """Time of a step of captured graphs without a server: no host, no sampling. [s]

    product_time_s: the longer of reading the weights and multiplying with them.
    Own derivation. Left out: kernels that keep below the rates of large streams and products, so low.
    >>> bare_time_s(50, 60e-6, 0.004, 0.002, 0.001)
    0.01
    """
    return n_layers * layer_time_s + product_time_s + cache_time_s + link_time_s


def computed_prompt_tokens(prompt_tokens, cached_prompt_share):
    """Tokens of a prompt that no cache held. [1]

    Own derivation. Left out: caches that keep whole blocks of tokens only.
    >>> computed_prompt_tokens(1000, 0.75)
    250.0
    """
    return prompt_tokens * (1 - cached_prompt_share)


def prompt_context_tokens(prompt_tokens, cached_prompt_share):
    """Tokens that a computed token of a prompt looks back on, in the mean. [1]

    Own derivation: from the first computed token to the last the number grows evenly. Left out: nothing.
    >>> prompt_context_tokens(1000, 0.5)
    750.0
    """
    return prompt_tokens * (1 + cached_prompt_share) / 2


def request_energy_j(prompt_energy_j, output_tokens, energy_per_token_j):
    """Energy of a request: its prompt once, then each token. [J]

    Own derivation. Left out: what a server spends between requests.
    >>> request_energy_j(8.0, 500, 0.2)
    108.0
    """
    return prompt_energy_j + output_tokens * energy_per_token_j
