"""Joins catalog and formulas: what a decode step costs once measures are applied.

A module of its own, since a measure changes what `llmpower.step` takes as
given: the network, the width of its weights, the prices, the place of the
arithmetic.  Physical constants only; nothing here is fitted to a measurement.
"""

import functools
import math
from dataclasses import dataclass, replace

from llmpower.facts import catalog
from llmpower.formulas import decode, mitigations
from llmpower.step import bound

# What stands for a measure or a part of it; all other facts of data/mitigations.csv are shown beside them.
_STANDS_FOR = {
    "process_shrink": "node-5-to-3",
    "backside_power": "backside-power-powervia",
    "sparse_attention": "sparse-attention-dsa",
    "pim": "pim-hbm-measured",
    "photonic": "photonic-lightmatter",
    "analog": "analog-ibm-14nm",
    "converter": "adc-8bit-32nm",
    "spiking": "analog-brainscales-2",
    "narrow_arithmetic": "int4-arithmetic-5nm",
}
# The article's two of eight experts, for a dense network that is cut into a mixture.
MIXTURE = "mixtral-8x7b"


@functools.cache
def evidence(name):
    """What ``data/mitigations.csv`` says of one measure.

    Parameters
    ----------
    name : str
        Such as ``"node-5-to-3"``, or a measure such as ``"pim"`` for the fact
        that stands for it here.

    Returns
    -------
    evidence : Record
        Values in SI units by attribute, each with its range and source by item.

    Raises
    ------
    UnknownName
        If there is none.

    Examples
    --------
    >>> evidence("process_shrink").entity
    'node-5-to-3'
    """
    name = _STANDS_FOR.get(name, name)
    found = {fact.quantity: fact for fact in catalog.facts("mitigations.csv") if fact.entity == name}
    if not found:
        raise catalog.UnknownName(f"no measure is called {name!r} in data/mitigations.csv")
    return catalog.Record(name, found)


@dataclass(frozen=True)
class Prices:
    """What a byte, an operation and a second cost. [J/B], [J/FLOP], [W]"""

    per_byte: float
    per_flop: float
    static_w: float


def static_power(static_source, accelerator):
    """The fact that says what flows whatever the work, and what to call it.

    Parameters
    ----------
    static_source : str
        ``"idle"``, or the name of a measured power in ``data/energy_constants.csv``.
    accelerator : str
        Name of the machine whose idle power is meant. Without a source for it
        the constant power of four graphics processors stands in.

    Returns
    -------
    fact, name : Fact, str
    """
    machine = catalog.accelerator(accelerator)
    if static_source == "idle" and "idle_w" in machine.facts:
        return machine["idle_w"], f"{machine.name}, idle"
    constant = catalog.energy_constant("gpu-constant-power" if static_source == "idle" else static_source)
    return constant["power_w"], constant.name


def prices(static_source, accelerator):
    """Prices by name of their set.

    Parameters
    ----------
    static_source, accelerator : str
        As for `static_power`.

    Returns
    -------
    prices : dict of Prices
        ``low``, ``typical``, ``high`` and ``article`` as `llmpower.constants`;
        low and high with the ends of the measured power, the others with its value.
    """
    power, _ = static_power(static_source, accelerator)
    watts = {"low": power.low or power.value, "high": power.high or power.value}
    return {name: Prices(*pair, watts.get(name, power.value)) for name, pair in bound.constants().items()}


@dataclass(frozen=True)
class Bill:
    """Energy of a decode step by part, all sequences together, and its shortest time. [J], [s]"""

    weights_j: float
    kv_j: float
    compute_j: float
    memory_time_s: float
    kv_time_s: float
    compute_time_s: float
    static_w: float
    batch: float
    weight_bytes: float
    reread: bool

    @property
    def step_time_s(self):
        """Shortest time of the step on one accelerator; on n it is n times shorter. [s]"""
        return decode.step_time_s(self.memory_time_s, self.compute_time_s)

    @property
    def bound(self):
        """What binds: bandwidth or compute."""
        return "bandwidth" if self.memory_time_s >= self.compute_time_s else "compute"

    @property
    def static_j(self):
        """Energy that flows whatever the work. [J]"""
        return mitigations.static_energy_j(self.static_w, self.step_time_s)

    @property
    def dynamic_j(self):
        """Energy that follows the work. [J]"""
        return self.weights_j + self.kv_j + self.compute_j

    @property
    def total_j(self):
        """All of it. [J]"""
        return mitigations.whole_energy_j(self.weights_j + self.kv_j, self.compute_j, self.static_j)

    @property
    def parts(self):
        """Energy per output token by part. [J]"""
        parts = {"weights": self.weights_j, "cache": self.kv_j, "arithmetic": self.compute_j, "static": self.static_j}
        return {name: decode.energy_per_token_j(energy, self.batch) for name, energy in parts.items()}

    @property
    def per_token_j(self):
        """Energy per output token. [J]"""
        return decode.energy_per_token_j(self.total_j, self.batch)

    def scaled(self, n_bytes=1, n_flop=1):
        """The bill if bytes and operations were so many times as many."""
        return replace(
            self,
            weights_j=n_bytes * self.weights_j,
            kv_j=n_bytes * self.kv_j,
            compute_j=n_flop * self.compute_j,
            memory_time_s=n_bytes * self.memory_time_s,
            kv_time_s=n_bytes * self.kv_time_s,
            compute_time_s=n_flop * self.compute_time_s,
        )

    def freed(self, part):
        """The bill if a part cost neither energy nor time.

        Parameters
        ----------
        part : str
            ``weights``, ``cache``, ``arithmetic`` or ``static``.
        """
        nothing = {
            "weights": {"weights_j": 0.0, "memory_time_s": self.kv_time_s},
            "cache": {"kv_j": 0.0, "memory_time_s": self.memory_time_s - self.kv_time_s, "kv_time_s": 0.0},
            "arithmetic": {"compute_j": 0.0, "compute_time_s": 0.0},
            "static": {"static_w": 0.0},
        }
        return replace(self, **nothing[part])


def split(model):
    """Weights a mixture shares and those it routes, and how many experts it has and uses.

    Parameters
    ----------
    model : str
        Name of a model. A dense one is cut as the article would: its
        feed-forward layers into eight experts of which each token uses two.

    Returns
    -------
    shared, routed, n_experts, n_experts_per_token : float
        Routed is zero for hybrids, whose feed-forward layers this book does not count.
    """
    net = catalog.model(model)
    if net.n_experts:
        return net.params_shared, net.params_routed, net.n_experts, net.n_experts_per_token
    mixture = catalog.model(MIXTURE)
    routed = 0 if net.state_values else mitigations.feed_forward_params(net.n_layers, net.d_model, net.d_ff)
    return net.params_shared - routed, routed, mixture.n_experts, mixture.n_experts_per_token


def touched(model, batch):
    """Share of the multiplied weights that a step touches once the network is a mixture. [1]"""
    shared, routed, n_experts, per_token = split(model)
    return mitigations.touched_share(shared, routed, decode.expert_share(n_experts, per_token, batch))


def _weights(model, batch, measures, weight_format):
    """Bytes of weights of a step, and operations with them per sequence."""
    shared, routed, n_experts, per_token = split(model)
    share, own = 1, 1
    if "moe" in measures:
        share = decode.expert_share(n_experts, per_token, batch)
        own = decode.expert_share(n_experts, per_token, 1)
    wide, narrow = (catalog.number_format(name) for name in ("bf16", weight_format))
    mixed = narrow.applies_to == "experts" and catalog.model(model).n_experts
    width = wide.bytes_per_value if mixed else narrow.bytes_per_value
    n_bytes = decode.weight_bytes(shared, routed, share, width, narrow.bytes_per_value)
    return n_bytes, decode.linear_flop(decode.params_touched(shared, routed, own), bound.FLOP_PER_MAC)


def _attention(model, context_tokens, measures):
    """Bytes of cache that a sequence moves, and operations of its attention."""
    full = bound.counts(model, 1, context_tokens)
    if "sparse_attention" not in measures:
        return full.kv_traffic_bytes, full.attention_flop
    net, index, tokens = catalog.model(model), evidence("sparse_attention"), context_tokens
    width = catalog.number_format("bf16").bytes_per_value
    latent = net.mla_latent > 0
    values = (
        decode.kv_values_mla(net.mla_latent, net.mla_rope)
        if latent
        else decode.kv_values_gqa(net.n_kv_heads, net.head_dim)
    )
    # Layers that see the whole context read index and selection; windows and recurrent states stay.
    before = decode.kv_cache_bytes(values, decode.kv_positions(tokens, net.n_full_layers, 0, 0), width, 0, 0)
    after = mitigations.sparse_kv_bytes(
        tokens, index.selected_tokens, net.n_full_layers, index.index_bytes, values, width
    )
    unread = decode.kv_positions(max(0, tokens - index.selected_tokens), net.n_full_layers, 0, 0)
    score, value = (values, net.mla_latent) if latent else (net.head_dim, net.head_dim)
    spared = decode.attention_flop(net.n_heads, score, value, unread, bound.FLOP_PER_MAC)
    extra = mitigations.index_flop(tokens, net.n_full_layers, index.index_heads, index.index_width, bound.FLOP_PER_MAC)
    return full.kv_traffic_bytes - before + after, full.attention_flop - spared + extra


def _logic(price, measures):
    """Energy per byte and per operation after the measures on the chip."""
    per_byte, per_flop = price.per_byte, price.per_flop
    saved = {
        "process_shrink": evidence("process_shrink").saved_share,
        "backside_power": mitigations.clock_saved_share(evidence("backside_power").speed_gain_share),
    }
    device = catalog.energy_constant("hbm2-device").energy_j_per_byte
    for measure in saved.keys() & set(measures):
        per_byte = mitigations.logic_energy_j_per_byte(per_byte, min(device, per_byte), saved[measure])
        per_flop = mitigations.reduced_energy_j_per_flop(per_flop, saved[measure])
    return per_byte, per_flop


def digital():
    """What a digital operation costs: bare units, a matrix unit, a whole board.

    Returns
    -------
    digital : dict
        Name to energy per operation, a multiply-and-add counting as two. [J/FLOP]
    """
    constant = catalog.energy_constant
    units = (("int8-multiply-7nm", "int32-add-7nm"), ("bf16-multiply-7nm", "fp32-add-7nm"))
    bare = {
        ", ".join([constant(first).name.rpartition(",")[0], constant(second).name]): (
            (constant(first).energy_j_per_op + constant(second).energy_j_per_op) / bound.FLOP_PER_MAC
        )
        for first, second in units
    }
    whole = ("gh200-tensor-fp16", "h100-tdp-per-flop")
    return {**bare, **{constant(name).name: constant(name).energy_j_per_flop for name in whole}}


def bank_energy_j_per_byte():
    """Energy per byte that stays when the arithmetic moves into the memory. [J/B]"""
    parts = (catalog.energy_constant(name).energy_j_per_byte for name in ("hbm2-activation", "hbm2-on-die-movement"))
    return mitigations.bank_energy_j_per_byte(*parts)


def bill(model, accelerator, batch, context_tokens, measures, quantized_format, price):
    """Energy and shortest time of a decode step with measures applied.

    Parameters
    ----------
    model, accelerator : str
        Names. A mixture of experts is first priced as if every token used all
        of them; the measure ``moe`` makes it the mixture that it is.
    batch, context_tokens : int
        Sequences, and tokens behind the new one in each. [1]
    measures : sequence of str
        Names of measures; their order does not matter. Where both ``analog``
        and ``photonic`` are chosen, weights go to the analog arrays.
    quantized_format : str
        Format of the weights under ``quantization``; 16 bit otherwise, as the cache.
    price : Prices
        Before any measure.

    Returns
    -------
    bill : Bill

    Raises
    ------
    UnknownName
        For a name that is not in the catalog.
    """
    machine, pim = catalog.accelerator(accelerator), "pim" in measures
    weight_format = quantized_format if "quantization" in measures else "bf16"
    weight_bytes, linear = _weights(model, batch, measures, weight_format)
    kv_bytes, attention = _attention(model, context_tokens, measures)
    per_byte, per_flop = _logic(price, measures)
    per_linear = per_flop
    if "photonic" in measures:
        per_linear = evidence("photonic").energy_j_per_op
    if "analog" in measures:
        # The weights stay in the arrays for good.
        per_linear, weight_bytes = evidence("analog").energy_j_per_op, 0.0
    inside = min(bank_energy_j_per_byte(), per_byte)
    # Units beside the banks hold one vector at a time: the weights are read once per sequence, where that pays.
    reread = pim and batch * inside < per_byte
    rate = machine.memory_bandwidth_bytes_per_s
    # The speed-up is that of a whole published application, taken here as one of bandwidth.
    fast = rate * evidence("pim").speedup if pim else rate
    kv_time_s = decode.memory_time_s(batch * kv_bytes, 1, fast)
    streamed = batch * weight_bytes if reread else weight_bytes
    return Bill(
        weights_j=decode.movement_energy_j(streamed, inside if reread else per_byte),
        kv_j=decode.movement_energy_j(batch * kv_bytes, inside if pim else per_byte),
        compute_j=decode.compute_energy_j(batch * linear, per_linear)
        + decode.compute_energy_j(batch * attention, per_flop),
        memory_time_s=decode.memory_time_s(streamed, 1, fast if reread else rate) + kv_time_s,
        kv_time_s=kv_time_s,
        compute_time_s=decode.compute_time_s(
            batch * (linear + attention), 1, machine.get("dense_bf16_flop_per_s", math.inf)
        ),
        static_w=price.static_w,
        batch=batch,
        weight_bytes=weight_bytes,
        reread=reread,
    )
