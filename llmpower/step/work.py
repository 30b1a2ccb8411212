"""What one decode step reads, keeps, moves and computes: counted here, once, for bound, forecast, measures and fit."""

import functools
import math
from dataclasses import dataclass, replace
from types import SimpleNamespace

from llmpower.facts.catalog import part_format, records
from llmpower.formulas import decode, of, serving
from llmpower.formulas.elementwise import ceil, maximum, none, positive
from llmpower.trace import TraceError, by_choice, shared, traced

# By convention a multiply and an add are two operations.
FLOP_PER_MAC = 2


# Dimensions of a network that do not depend on formats.
_DIMENSIONS = (
    "n_layers", "n_moe_layers", "d_model", "n_heads", "n_experts", "n_experts_per_token", "params_total",
    "params_shared", "params_routed", "n_full_layers", "n_window_layers", "window_tokens", "state_values",
)  # fmt: skip


def _shared_formats(model, weight_format, head):
    """Formats of the weights that every token uses, and how many parameters have each: record -> parameters.

    head: parameters of the output layer.
    """
    named, wide = weight_format.get("parts", {}), records("formats.csv")["bf16"]
    sizes = {"output": head} | ({"attention": model.attention_params} if "attention" in named else {})
    found = dict.fromkeys((part_format(weight_format, "rest", model.n_experts > 0), wide), 0)
    rest, *_ = found
    for part, size in sizes.items():
        one = part_format(weight_format, part, model.n_experts > 0)
        found[one] = found.get(one, 0) + size
    found[rest] += model.params_shared - sum(sizes.values())
    if rest.entity == "fp8":
        # A checkpoint in 8 bit may keep some of its weights wide; parts that are named are as they are named.
        kept = max(0, model.fp8_wide_params - sum(size for part, size in sizes.items() if part in named))
        found[rest], found[wide] = found[rest] - kept, found[wide] + kept
    return found


@by_choice
@functools.cache
def network(model, weight_format, kv_format):
    """Dimensions of a network in given formats, all records; a namespace, whose numbers may become arrays of runs.

    Widths are means over the parts of a network, each in its own format, as `facts.catalog.part_format` has it.
    `unpacked_shared` and `unpacked_routed` are the weights that have fewer than 16 bits.
    """
    net = SimpleNamespace(**{name: getattr(model, name) for name in _DIMENSIONS}, moe=model.n_experts > 0)
    net.params_head = model.d_model * model.vocab
    experts, embedding = (part_format(weight_format, part, net.moe) for part in ("experts", "embedding"))
    shared, narrow = _shared_formats(model, weight_format, net.params_head), weight_format.bytes_per_value
    more = sum((one.bytes_per_value - narrow) * count / net.params_shared for one, count in shared.items())
    net.shared_bytes, net.routed_bytes = narrow + more, experts.bytes_per_value
    plain = weight_format.applies_to != "blocks" and not weight_format.get("parts")
    # The input embedding of a plain format is as wide as the other weights that are not routed.
    net.embedding_bytes = net.shared_bytes if plain else embedding.bytes_per_value
    net.unpacked_shared = sum(count for one, count in shared.items() if packed(one))
    net.unpacked_routed = net.params_routed * packed(experts)
    latent = model.mla_latent > 0
    net.kv_bytes, net.state_bytes = kv_format.bytes_per_value, model.state_bytes_per_value
    net.kv_heads, net.score_width, net.value_width = model.n_kv_heads, model.head_dim, model.head_dim
    net.kv_values = decode.kv_values_gqa(model.n_kv_heads, model.head_dim)
    if latent:
        net.kv_values = decode.kv_values_mla(model.mla_latent, model.mla_rope)
        net.kv_heads, net.score_width, net.value_width = 1, net.kv_values, model.mla_latent
    net.recurrent = float(net.state_values > 0)
    net.block_rows = model.fp8_block_rows if experts.entity == "fp8" and net.moe else 0
    net.block_layers = net.n_moe_layers if net.block_rows else 0
    # A dense network is one expert of no weights, wherever it stands beside others.
    net.n_experts, net.n_experts_per_token = max(1, net.n_experts), max(1, net.n_experts_per_token)
    return net


def packed(number_format):
    """Whether values of a format, a record, have fewer than 16 bits."""
    return number_format.bytes_per_value < records("formats.csv")["bf16"].bytes_per_value


def expert_share(net, tokens):
    """Share of the routed weights that so many tokens touch; nothing without experts. [1]"""
    return 0.0 if none(net.moe) else decode.expert_share(net.n_experts, net.n_experts_per_token, tokens)


def shared_weight_bytes(net):
    """Weights that every step reads. [B]"""
    return decode.weight_bytes(net.params_shared, 0, 0, net.shared_bytes, 0)


def expert_weight_bytes(net, share):
    """Routed weights that a step reads. [B]"""
    return decode.weight_bytes(0, net.params_routed, share, 0, net.routed_bytes)


def stored_bytes(net):
    """Weights in memory. [B]"""
    embedding = net.params_total - net.params_routed - net.params_shared
    kept = decode.weight_bytes(net.params_shared, net.params_routed, 1, net.shared_bytes, net.routed_bytes)
    return kept + decode.weight_bytes(embedding, 0, 0, net.embedding_bytes, 0)


def positions(net, context_tokens):
    """Cached positions of all layers that a new token looks at. [1]"""
    return decode.kv_positions(context_tokens, net.n_full_layers, net.n_window_layers, net.window_tokens)


def cache_bytes(net, n_accelerators, kept):
    """Cache of one sequence of so many positions; more accelerators than key-value heads keep copies of heads. [B]"""
    values = net.kv_values * serving.cache_copies(n_accelerators, net.kv_heads)
    return decode.kv_cache_bytes(values, kept, net.kv_bytes, net.state_values, net.state_bytes)


def cache_traffic_bytes(net, kept_bytes):
    """What a step reads and writes of a cache of one sequence. [B]"""
    return decode.kv_traffic_bytes(kept_bytes, net.state_values, net.state_bytes)


def attention_flop(net, seen):
    """Operations of one token's attention on so many positions. [FLOP]"""
    return decode.attention_flop(net.n_heads, net.score_width, net.value_width, seen, FLOP_PER_MAC)


@dataclass(frozen=True)
class Work:
    """What a step touches; cache and arithmetic are those of one sequence. [B], [FLOP]"""

    case: object
    weight_stored_bytes: float
    weight_read_bytes: float
    kv_cache_bytes: float
    kv_traffic_bytes: float
    linear_flop: float
    attention_flop: float
    expert_share: float

    @property
    def flop(self):
        """Arithmetic of one sequence. [FLOP]"""
        return self.linear_flop + self.attention_flop

    batch = property(lambda self: self.case.batch, doc="Sequences decoded together. [1]")
    read_bytes = of(decode.step_bytes, weight_bytes="weight_read_bytes")
    step_flop = of(decode.step_flop)

    def at(self, batch, n_accelerators):
        """The same work at another batch and on another number of accelerators."""
        return work(replace(self.case, batch=batch, n_accelerators=n_accelerators))


def net_of(case):
    """The network of a case in its formats, as its layout keeps it.

    Sequences or layers of their own leave no copies of caches; with sequences of its own every accelerator keeps all
    weights but those of experts.
    """
    net = network(case.model, case.weight_format, case.kv_format)
    if case.parallelism in ("dp", "pp"):
        net = SimpleNamespace(**vars(net))
        net.kv_heads = math.inf
    if case.parallelism == "dp":
        net.shared_bytes = net.shared_bytes * case.n_accelerators
        net.embedding_bytes = net.embedding_bytes * case.n_accelerators
    return net


def work(case):
    """`Work` of a step of a case."""
    return counted(net_of(case), case)


def counted(net, case):
    """`Work` of a step of a case by a network that may differ from its own."""
    seen, share = positions(net, case.context_tokens), expert_share(net, case.batch)
    kept = cache_bytes(net, case.n_accelerators, seen)
    read = shared_weight_bytes(net) + expert_weight_bytes(net, share)
    active = decode.params_touched(net.params_shared, net.params_routed, expert_share(net, 1))
    linear = decode.linear_flop(active, FLOP_PER_MAC)
    attention = attention_flop(net, seen)
    # Where networks without experts stand beside others, theirs is one without weights.
    share = positive(net.moe, share, 0.0) if traced(net.moe) else share
    return Work(case, stored_bytes(net), read, kept, cache_traffic_bytes(net, kept), linear, attention, share)


def needed_bytes(case):
    """Memory that weights and caches of a case take on its accelerators together. [B]"""
    net = net_of(case)
    kept = cache_bytes(net, case.n_accelerators, positions(net, case.context_tokens))
    return decode.memory_needed_bytes(stored_bytes(net), kept, case.batch)


def usable_bytes(case):
    """Memory that its software leaves to weights and caches of a case, on all accelerators together. [B]"""
    return decode.usable_bytes(case.n_accelerators, case.accelerator.memory_bytes, case.memory_share)


def fits(case):
    """Whether a case fits into what its software uses of the memory of its accelerators."""
    return needed_bytes(case) <= usable_bytes(case)


def fewest(case, least=1):
    """Smallest number of accelerators, from `least` on, that holds a case in its layout; None if none does.

    Where they share heads, their number divides them, and each keeps at least one key-value head of every sequence, so
    more of them need not help. Sequences of their own need experts to spread, and stages layers.
    """
    model = case.model
    if traced(model, case.batch, case.context_tokens, case.weight_format, case.kv_format, usable_bytes(case), least):
        return _fewest_traced(case, least)
    apart = {"dp": model.n_experts, "pp": model.n_layers}.get(case.parallelism)
    counts = range(least, (apart or model.n_heads) + 1)
    able = (n for n in counts if (apart or model.n_heads % n == 0) and fits(replace(case, n_accelerators=n)))
    return next(able, None)


# Numbers that divide the heads of networks.
_DIVISORS = (1, 2, 3, 4, 5, 6, 7, 8, 10, 12, 14, 16, 20, 24, 28, 32, 40, 48, 56, 64, 80, 96, 128)


def _fewest_traced(case, least):
    """The same of a traced case; not a number if none holds it."""
    memory = usable_bytes(replace(case, n_accelerators=1.0))
    if case.parallelism == "pp":
        n = maximum(least, ceil(needed_bytes(replace(case, n_accelerators=1.0)) / memory))
        return positive(case.model.n_layers + 1 - n, n, math.nan)
    if case.parallelism == "dp":
        raise TraceError("the fewest accelerators of sequences of their own are not traced")
    by = {f"by_{n}": by_choice(lambda model, n=n: float(model.n_heads % n == 0))(case.model) for n in _DIVISORS}
    return _holding(net_of(case), case.batch, case.context_tokens, memory, least, SimpleNamespace(**by))[0]


@shared
def _holding(net, batch, context_tokens, memory_bytes, least, divides):
    """The fewest accelerators that divide the heads of a network and hold its weights and caches. [1]"""
    found = math.nan
    for n in reversed(_DIVISORS):
        kept = cache_bytes(net, n, positions(net, context_tokens))
        room = n * memory_bytes - decode.memory_needed_bytes(stored_bytes(net), kept, batch)
        # What just fits, fits.
        holds = positive(room + 1, positive(n - least + 1, vars(divides)[f"by_{n}"], 0.0), 0.0)
        found = positive(holds, float(n), found)
    return (found,)
