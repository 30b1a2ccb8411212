"""What a decode step costs with measures applied: they change the network, its widths, prices or the place of work.

Physical constants only; nothing here is fitted to a measurement.
"""

import math
from dataclasses import dataclass, replace
from types import SimpleNamespace

from llmpower.facts import catalog
from llmpower.facts.power import power
from llmpower.formulas import decode, mitigations, of
from llmpower.formulas.elementwise import maximum, minimum, positive
from llmpower.step.bound import Bound, Energy
from llmpower.step.constants import constants
from llmpower.step.work import FLOP_PER_MAC, attention_flop, cache_bytes, counted, net_of, positions
from llmpower.trace import Options, by_choice

# What stands for a measure or a part of it; all other facts of data/mitigations.csv are shown beside them.
_STANDS_FOR = {
    "process_shrink": "node-5-to-3", "backside_power": "backside-power-powervia", "pim": "pim-hbm-measured",
    "sparse_attention": "sparse-attention-dsa", "photonic": "photonic-lightmatter", "analog": "analog-ibm-14nm",
    "converter": "adc-8bit-32nm", "spiking": "analog-brainscales-2", "narrow_arithmetic": "int4-arithmetic-5nm",
}  # fmt: skip
# The article's two of eight experts, for a dense network that is cut into a mixture.
MIXTURE = "mixtral-8x7b"


def published(name):
    """Record of ``data/mitigations.csv`` for a measure, such as ``"pim"``, or for an entity; else an `UnknownName`.

    >>> published("process_shrink").entity
    'node-5-to-3'
    """
    found = catalog.records("mitigations.csv").get(_STANDS_FOR.get(name, name))
    if found is None:
        raise catalog.UnknownName(f"no measure is called {name!r} in data/mitigations.csv")
    return found


@dataclass(frozen=True)
class Prices:
    """What a byte, an operation and a second cost. [J/B], [J/FLOP], [W]"""

    per_byte: float
    per_flop: float
    static_w: float


@by_choice
def static_power(static_source, accelerator):
    """The fact that says what flows whatever the work, and what to call it.

    static_source: ``"idle"``, or the name of a measured power in ``data/energy_constants.csv``.
    accelerator: name or record of the machine whose idle power is meant.
    """
    if static_source != "idle":
        constant = catalog.energy_constant(static_source)
        return constant["power_w"], constant.name
    machine = catalog.accelerator(accelerator)
    fact = power(machine, "idle_w")
    return fact, f"{machine.name}, idle{'' if 'idle_w' in machine.facts else ' (estimated)'}"


def prices(static_source, accelerator):
    """`Prices` by name of their set, as in `constants`; arguments as for `static_power`.

    Low and high take the ends of the static power, the others its value.
    """
    return Options(_prices(static_source, accelerator))


@by_choice
def _prices(static_source, accelerator):
    fact, _ = static_power(static_source, accelerator)
    watts = dict(zip(("low", "typical", "high"), fact.ends))
    return {name: Prices(*pair, watts.get(name, fact.value)) for name, pair in constants().items()}


@dataclass(frozen=True, kw_only=True)
class Cost(Bound, Energy):
    """Energy of a decode step by part, all sequences together, and its shortest time on one accelerator. [J], [s]"""

    kv_time_s: float
    static_w: float
    weight_bytes: float
    reread: bool

    static_j = of(mitigations.static_energy_j)

    @property
    def dynamic_j(self):
        """Energy that follows the work. [J]"""
        return super().total_j

    @property
    def total_j(self):
        """All of it. [J]"""
        return mitigations.whole_energy_j(self.weights_j + self.kv_j, self.compute_j, self.static_j)

    @property
    def parts(self):
        """Energy per output token by part. [J]"""
        parts = {"weights": self.weights_j, "cache": self.kv_j, "arithmetic": self.compute_j, "static": self.static_j}
        return {name: decode.energy_per_token_j(energy, self.batch) for name, energy in parts.items()}

    def scaled(self, n_bytes=1, n_flop=1):
        """The cost if bytes and operations were so many times as many."""
        moved = ("weights_j", "kv_j", "memory_time_s", "kv_time_s")
        factors = dict.fromkeys(moved, n_bytes) | dict.fromkeys(("compute_j", "compute_time_s"), n_flop)
        return replace(self, **{name: factor * getattr(self, name) for name, factor in factors.items()})

    def freed(self, part):
        """The cost if a part cost neither energy nor time: ``weights``, ``cache``, ``arithmetic`` or ``static``."""
        nothing = {
            "weights": {"weights_j": 0.0, "memory_time_s": self.kv_time_s},
            "cache": {"kv_j": 0.0, "memory_time_s": self.memory_time_s - self.kv_time_s, "kv_time_s": 0.0},
            "arithmetic": {"compute_j": 0.0, "compute_time_s": 0.0},
            "static": {"static_w": 0.0},
        }
        return replace(self, **nothing[part])


@by_choice
def as_mixture(model):
    """Weights a mixture shares and those it routes, and how many experts it has and uses.

    model: record or name. A dense one is cut as the article would: its feed-forward layers into eight experts of which
    each token uses two. Routed is zero for hybrids, whose feed-forward layers this book does not count.
    """
    net = catalog.model(model)
    if net.n_experts:
        return net.params_shared, net.params_routed, net.n_experts, net.n_experts_per_token
    mixture = catalog.model(MIXTURE)
    routed = 0 if net.state_values else mitigations.feed_forward_params(net.n_layers, net.d_model, net.d_ff)
    return net.params_shared - routed, routed, mixture.n_experts, mixture.n_experts_per_token


def touched(model, batch):
    """Share of the multiplied weights that a step touches once the network is a mixture. [1]"""
    shared, routed, n_experts, per_token = as_mixture(model)
    return mitigations.touched_share(shared, routed, decode.expert_share(n_experts, per_token, batch))


def _work(case, measures):
    """`Work` of a case after the measures on network and cache."""
    if "quantization" not in measures:
        case = replace(case, weight_format=catalog.number_format("bf16"))
    net = SimpleNamespace(**vars(net_of(case)))
    net.params_shared, net.params_routed, net.n_experts, net.n_experts_per_token = as_mixture(case.model)
    # What is cut into experts keeps its width.
    net.routed_bytes, net.moe = positive(net.moe, net.routed_bytes, net.shared_bytes), True
    if "moe" not in measures:
        # One expert for all: every token uses every weight.
        net.n_experts = net.n_experts_per_token = 1
    full = counted(net, case)
    return _sparse(net, full) if "sparse_attention" in measures else full


def _sparse(net, full):
    """The work if layers that see the whole context read an index and what it selects; windows and states stay."""
    tokens, index = full.case.context_tokens, published("sparse_attention")
    whole = SimpleNamespace(**{**vars(net), "n_window_layers": 0, "state_values": 0})
    before = cache_bytes(whole, 1, positions(whole, tokens))
    widths = (net.n_full_layers, index.index_bytes, net.kv_values, net.kv_bytes)
    after = mitigations.sparse_kv_bytes(tokens, index.selected_tokens, *widths)
    spared = attention_flop(net, positions(whole, maximum(0, tokens - index.selected_tokens)))
    extra = mitigations.index_flop(tokens, net.n_full_layers, index.index_heads, index.index_width, FLOP_PER_MAC)
    kept, looked = full.kv_traffic_bytes - before + after, full.attention_flop - spared + extra
    return replace(full, kv_traffic_bytes=kept, attention_flop=looked)


def _logic(price, measures):
    """Energy per byte and per operation after the measures on the chip."""
    per_byte, per_flop = price.per_byte, price.per_flop
    saved = {
        "process_shrink": published("process_shrink").saved_share,
        "backside_power": mitigations.clock_saved_share(published("backside_power").speed_gain_share),
    }
    device = catalog.energy_constant("hbm2-device").energy_j_per_byte
    for measure in saved.keys() & set(measures):
        per_byte = mitigations.logic_energy_j_per_byte(per_byte, minimum(device, per_byte), saved[measure])
        per_flop = mitigations.reduced_energy_j_per_flop(per_flop, saved[measure])
    return per_byte, per_flop


def digital():
    """What a digital operation costs, by name: bare units, a matrix unit, a whole board. [J/FLOP]

    A multiply-and-add counts as two operations.
    """
    constant, costs = catalog.energy_constant, {}
    for first, second in (("int8-multiply-7nm", "int32-add-7nm"), ("bf16-multiply-7nm", "fp32-add-7nm")):
        name = f"{constant(first).name.rpartition(',')[0]}, {constant(second).name}"
        costs[name] = (constant(first).energy_j_per_op + constant(second).energy_j_per_op) / FLOP_PER_MAC
    for name in ("gh200-tensor-fp16", "h100-tdp-per-flop"):
        costs[constant(name).name] = constant(name).energy_j_per_flop
    return costs


def inside_energy_j_per_byte():
    """Energy per byte that stays when the arithmetic moves into the memory. [J/B]"""
    parts = (catalog.energy_constant(name).energy_j_per_byte for name in ("hbm2-activation", "hbm2-on-die-movement"))
    return mitigations.bank_energy_j_per_byte(*parts)


def cost(case, measures, price):
    """Energy and shortest time of a decode step on one accelerator with measures applied, as a `Cost`.

    case: its weight format counts under ``quantization``, 16 bit otherwise, as for the cache. A mixture of experts is
    first priced as if every token used all of them; the measure ``moe`` makes it the mixture that it is.
    measures: names; their order does not matter. Where both ``analog`` and ``photonic`` are chosen, weights go to the
    analog arrays.
    price: `Prices` before any measure.
    """
    work, batch, pim = _work(case, measures), case.batch, "pim" in measures
    per_byte, per_flop = _logic(price, measures)
    weight_bytes, per_linear = work.weight_read_bytes, per_flop
    if "photonic" in measures:
        per_linear = published("photonic").energy_j_per_op
    if "analog" in measures:
        # The weights stay in the arrays for good.
        per_linear, weight_bytes = published("analog").energy_j_per_op, 0.0
    linear_j = decode.compute_energy_j(batch * work.linear_flop, per_linear)
    inside = minimum(inside_energy_j_per_byte(), per_byte)
    # Units beside the banks hold one vector at a time: the weights are read once per sequence, where that pays.
    reread = positive(per_byte - batch * inside, True, False) if pim else False
    rate = case.accelerator.memory_bandwidth_bytes_per_s
    # The speed-up is that of a whole published application, taken here as one of bandwidth.
    fast = rate * published("pim").speedup if pim else rate
    kv_bytes = batch * work.kv_traffic_bytes
    kv_time_s = decode.memory_time_s(kv_bytes, 1, fast)
    streamed = positive(reread, batch * weight_bytes, weight_bytes)
    peak = case.accelerator.get("dense_bf16_flop_per_s", math.inf)
    return Cost(
        weights_j=decode.movement_energy_j(streamed, positive(reread, inside, per_byte)),
        kv_j=decode.movement_energy_j(kv_bytes, inside if pim else per_byte),
        compute_j=linear_j + decode.compute_energy_j(batch * work.attention_flop, per_flop),
        memory_time_s=decode.memory_time_s(streamed, 1, positive(reread, fast, rate)) + kv_time_s,
        kv_time_s=kv_time_s,
        compute_time_s=decode.compute_time_s(work.step_flop, 1, peak),
        static_w=price.static_w,
        batch=batch,
        weight_bytes=weight_bytes,
        reread=reread,
    )
