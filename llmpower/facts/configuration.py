"""A network from its published `config.json`: dimensions, and parameters counted from the shapes of its layers."""

import json
import os
import re
import reprlib

from llmpower.facts.layouts import Reader
from llmpower.facts.quantities import quantities
from llmpower.facts.tables import TABLES, UnknownName, contents

_MOST_BYTES = 2_000_000
# What a block is, by its name in lists of layers, or by its letter in patterns.
_KINDS = {
    "full_attention": "full", "attention": "full", "*": "full", "sliding_attention": "window",
    "chunked_attention": "window", "linear_attention": "recurrent", "mamba": "recurrent", "M": "recurrent",
    "mlp": "dense", "-": "dense", "moe": "mixture", "E": "mixture",
}  # fmt: skip
# What a configuration around that of a language network may say of it.
_OUTER = ("model_type", "tie_word_embeddings", "vocab_size", "quantization_config")
_DRAFTS = ("num_nextn_predict_layers", "mtp_num_hidden_layers", "num_mtp_modules")


def _blocks(read, n_layers, window_tokens):
    """What each block is."""
    given = read.get("layer_types")
    if given is None:
        if read.row["recurrent"] == "mamba":
            read.problems.append("layer_types is missing")
        every = read.whole("full_attention_interval", "n_moe_layers", least=0)
        first = read.whole("max_window_layers", "n_moe_layers", 0, 0) if read.type.startswith("qwen") else 0
        other = "recurrent" if read.row["recurrent"] else "window"
        found = ["full" if i < first or every and (i + 1) % every == 0 else other for i in range(n_layers)]
    else:
        fitting = isinstance(given, list | str) and len(given) == n_layers
        found = [_KINDS.get(one) if isinstance(one, str) else None for one in given] if fitting else [None]
        if None in found or "recurrent" in found and not read.row["recurrent"]:
            allowed = f"{n_layers} names of layers that {read.type} has"
            read.problems.append(f"layer_types: got {reprlib.repr(given)}, allowed is {allowed}")
        if "window" in found and read.get("sliding_window") is None and "sliding_window" not in read.row:
            read.problems.append("sliding_window is missing")
    return ["full" if one == "window" and not window_tokens else one for one in found]


def _mixtures(read, n_layers):
    """Number of layers with experts."""
    first, every = read.get("first_k_dense_replace"), read.whole("decoder_sparse_step", "n_layers", 1)
    dense = read.get("mlp_only_layers")
    # Where a number of dense layers comes first, turns begin with experts, elsewhere they end with them.
    shift = 0 if first is not None else 1
    first = read.whole("first_k_dense_replace", "n_moe_layers", 0, 0)
    dense = dense if isinstance(dense, list) else []
    return sum((i + shift) % every == 0 and i not in dense for i in range(first, n_layers))


def _attention(read, net):
    """Parameters of an attention layer with heads of their own."""
    queries, keys = net["n_heads"] * net["head_dim"], net["n_kv_heads"] * net["head_dim"]
    asked = queries * (2 if read.flag("attn_output_gate") else 1)
    bias = read.row["qkv_bias"] or read.flag("attention_bias")
    out = read.row["out_bias"] and read.flag("attention_bias")
    norm = {"head": 2 * net["head_dim"], "all": queries + keys}.get(read.row["qk_norm"], 0)
    count = net["d_model"] * (asked + 2 * keys + queries) + bias * (asked + 2 * keys) + out * net["d_model"]
    return count + (norm if norm and read.flag("use_qk_norm") else 0) + read.row["sinks"] * net["n_heads"]


def _latent_attention(read, net):
    """Parameters of a layer of latent attention, with the index of sparse attention where there is one."""
    d_model, heads, rank = net["d_model"], net["n_heads"], net["mla_q_rank"]
    wide = heads * (net["mla_nope"] + net["mla_rope"])
    query = d_model * rank + rank + rank * wide if rank else d_model * wide
    cached = d_model * (net["mla_latent"] + net["mla_rope"]) + net["mla_latent"]
    cached += net["mla_latent"] * heads * (net["mla_nope"] + net["mla_v"])
    bias = read.flag("attention_bias") * ((rank or wide) + net["mla_latent"] + net["mla_rope"] + d_model)
    index_heads = read.whole("index_n_heads", "index_heads", 0, 0)
    index_width = read.whole("index_head_dim", "index_width", 0, 0)
    if index_heads:
        read.notes.append("sparse attention counts as reading the whole context, and without the cache of its index")
    index = index_heads * (rank * index_width + d_model) + (d_model + 2) * index_width
    return query + cached + heads * net["mla_v"] * d_model + bias + index


def _mamba(read, d_model):
    """Parameters and state of a Mamba-2 layer."""
    heads, width = read.whole("mamba_n_heads", "n_heads"), read.whole("mamba_d_head", "head_dim")
    groups, state = read.whole("mamba_n_groups", "n_heads"), read.whole("mamba_d_state", "head_dim")
    kernel, inner = read.whole("mamba_d_conv", "head_dim"), heads * width
    mixed = inner + 2 * groups * state
    taken = inner + mixed + heads
    count = d_model * taken + mixed * (kernel + read.flag("mamba_conv_bias")) + 3 * heads + inner + inner * d_model
    return count + read.flag("mamba_proj_bias") * (taken + d_model), inner * state + mixed * kernel


def _delta(read, d_model):
    """Parameters and state of a layer of gated delta rule."""
    heads, width = read.whole("linear_num_value_heads", "n_heads"), read.whole("linear_value_head_dim", "head_dim")
    key_heads = read.whole("linear_num_key_heads", "n_heads")
    key_width = read.whole("linear_key_head_dim", "head_dim")
    kernel, values = read.whole("linear_conv_kernel_dim", "head_dim"), heads * width
    mixed = 2 * key_heads * key_width + values
    count = d_model * (mixed + values + 2 * heads) + mixed * kernel + 2 * heads + width + values * d_model
    return count, heads * key_width * width + mixed * kernel


def _feed_forward(read, d_model, width, bias=False):
    inner = 2 if read.row["gated"] else 1
    return (inner + 1) * d_model * width + bias * (inner * width + d_model)


def _heads(read, net):
    """Adds what attention is made of."""
    net["n_heads"] = heads = read.whole("num_attention_heads", "n_heads")
    names = {"mla_latent": "kv_lora_rank", "mla_rope": "qk_rope_head_dim", "mla_nope": "qk_nope_head_dim"}
    if read.row["latent"]:
        net |= {column: read.whole(key, column) for column, key in names.items()}
        net["mla_v"] = read.whole("v_head_dim", "mla_v")
        net["mla_q_rank"] = read.whole("q_lora_rank", "mla_q_rank", 0, 0)
        return
    net["n_kv_heads"] = read.whole("num_key_value_heads", "n_kv_heads", heads)
    width, rest = divmod(net["d_model"], heads)
    # What follows from a number that is wrong need not be told.
    if heads % net["n_kv_heads"] and not read.problems:
        read.problems.append(f"num_key_value_heads: got {net['n_kv_heads']}, allowed is what divides {heads} heads")
    net["head_dim"] = read.whole("head_dim", "head_dim", None if rest and not read.problems else max(width, 1))


def _experts(read, net, kinds):
    """Adds what mixtures are made of; returns parameters of all feed-forward layers and those of routed experts."""
    d_model = net["d_model"]
    experts = read.whole("num_experts", "n_experts", None if read.row["mixture"] else 0, 0)
    mixtures, dense = kinds.count("mixture"), kinds.count("dense")
    if not read.row["alone"]:
        mixtures = _mixtures(read, len(kinds)) if experts else 0
        dense = len(kinds) - mixtures
    net["d_ff"] = read.whole(read.row["dense_width"], "d_ff") if dense else 0
    count = dense * _feed_forward(read, d_model, net["d_ff"], read.flag("mlp_bias"))
    if not mixtures:
        return count, 0
    net["n_moe_layers"], net["n_experts"] = mixtures, experts
    net["moe_d_ff"] = width = read.whole(read.row["expert_width"], "moe_d_ff")
    net["n_experts_per_token"] = read.whole("num_experts_per_tok", "n_experts_per_token")
    if net["n_experts_per_token"] > experts:
        read.problems.append(f"num_experts_per_tok: got more than the {experts} experts")
    key = read.row["shared_width"]
    shared_width = read.whole(key, "moe_d_ff", least=0) if key else width
    shared = read.whole("n_shared_experts", "n_shared_experts", int(bool(key)), 0) if shared_width else 0
    net["n_shared_experts"] = shared
    router = (d_model + read.row["router_bias"]) * experts + (d_model if shared and read.row["shared_gate"] else 0)
    each = router + _feed_forward(read, d_model, shared * shared_width)
    routed = mixtures * experts * _feed_forward(read, d_model, width, read.row["expert_bias"])
    return count + mixtures * each + routed, routed


def _state(read, kinds, d_model):
    """Parameters of all recurrent layers, their state, and bytes of a value of it."""
    layers = kinds.count("recurrent")
    if not layers:
        return 0, 0, 0
    count, state = (_mamba if read.row["recurrent"] == "mamba" else _delta)(read, d_model)
    kept = {"float32": 4, "bfloat16": 2, "float16": 2}.get(str(read.get("mamba_ssm_dtype")))
    if not kept:
        read.notes.append("the configuration does not say how wide recurrent state is kept: taken as 32 bit")
    return layers * count, layers * state, kept or 4


def _window(read):
    """Width of the window of layers that have one; nothing where it is as wide as the longest context."""
    tokens = read.whole("sliding_window", "window_tokens", 0, 0) if read.flag("use_sliding_window") else 0
    longest = read.get("max_position_embeddings")
    return 0 if isinstance(longest, int) and tokens >= longest else tokens


def _columns():
    """Columns of data/models.csv that are numbers."""
    spans = quantities()
    return [one for one in TABLES["models.csv"][1].split() if one in spans and spans[one].low is not None]


def _count(read):
    """All dimensions, by column of data/models.csv."""
    net = dict.fromkeys(_columns(), 0)
    net["d_model"] = d_model = read.whole("hidden_size", "d_model")
    net["n_layers"], net["vocab"] = read.whole("num_hidden_layers", "n_layers"), read.whole("vocab_size", "vocab")
    _heads(read, net)
    window = _window(read)
    kinds = _blocks(read, net["n_layers"], window)
    net["n_full_layers"], net["n_window_layers"] = kinds.count("full"), kinds.count("window")
    net["window_tokens"] = window if net["n_window_layers"] else 0
    feed_forward, net["params_routed"] = _experts(read, net, kinds)
    recurrent, net["state_values"], net["state_bytes_per_value"] = _state(read, kinds, d_model)
    attention = (_latent_attention if read.row["latent"] else _attention)(read, net)
    mixers = (net["n_full_layers"] + net["n_window_layers"]) * attention + recurrent
    net["tied_embeddings"] = read.flag("tie_word_embeddings")
    embeddings = net["vocab"] * (d_model * (1 if net["tied_embeddings"] else 2) + read.flag("lm_head_bias"))
    norms = 1 if read.row["alone"] else read.row["norms"]
    norms = (net["n_layers"] * norms + 1) * d_model * (1 + read.row["norm_bias"])
    net["params_total"] = embeddings + mixers + feed_forward + norms
    return net


def _quantized(read, net):
    """What is said of the format in which the weights are published."""
    said = read.get("quantization_config")
    if not isinstance(said, dict):
        return
    method, block = said.get("quant_method"), said.get("weight_block_size")
    shown = reprlib.repr(method).strip("'") if method else "a format of few bits"
    read.notes.append(f"the weights are published in {shown}; they count in the weight_format that is asked for")
    rows = block[0] if isinstance(block, list) and block else 0
    net["fp8_block_rows"] = rows if method == "fp8" and type(rows) is int and 0 <= rows <= 1024 else 0


def network(config):
    """Dimensions by column of data/models.csv, and what they assume in words; an `UnknownName` tells all problems."""
    inner = next((config[key] for key in ("text_config", "llm_config") if isinstance(config.get(key), dict)), None)
    outer = config if inner is None else {key: config[key] for key in _OUTER if key in config}
    read = Reader(outer | (inner or {}))
    net = {} if read.problems else _count(read)
    if read.problems:
        raise UnknownName("; ".join(dict.fromkeys(read.problems)))
    for column, value in net.items():
        span = quantities().get(column)
        if span and span.low is not None and not span.low <= value <= span.high:
            raise UnknownName(f"{column} would be {value:,}, allowed is {span.low:,.12g} to {span.high:,.12g}")
    _quantized(read, net)
    if read.open:
        taken = ", ".join(f"{key} {value}" for key, value in read.open.items())
        read.notes.insert(0, f"left open by the configuration, so taken as the library does: {taken}")
    beside = [key for key in ("vision_config", "audio_config") if config.get(key)]
    if beside:
        read.notes.append(f"only the language network counts, without {' and '.join(beside)}")
    drafts = [key for key in _DRAFTS if read.get(key)]
    if drafts:
        read.notes.append(f"layers that draft tokens ({drafts[0]}) are not counted")
    return net, tuple(read.notes)


def located(name):
    """Path of the configuration that a text names: a file that ends in .json, or one in a folder; None for a name."""
    try:
        path = os.fspath(name)
    except TypeError:
        return None
    if not isinstance(path, str) or not (path is not name or path.endswith(".json") or {"/", os.sep} & set(path)):
        return None
    if os.path.isdir(path):
        return os.path.join(path, "config.json")
    return path if path.endswith(".json") else None


def load(path):
    """A configuration as a text in one form, and what it calls itself or is called by its folder or file."""
    folder, file = os.path.split(os.path.abspath(path))
    stem = file.removesuffix(".json")
    return read(
        contents(path, _MOST_BYTES, "configuration"), path, os.path.basename(folder) if stem == "config" else stem
    )


def read(text, place, name=None):
    """The same of a text in JSON; `place` says in messages what is wrong."""
    try:
        config = json.loads(text)
    except (ValueError, RecursionError):
        raise UnknownName(f"{place} is no configuration: expected JSON") from None
    return plain(config, name)


def plain(config, name=None):
    """A configuration as a text in one form, and a name: its own, else the one that is given."""
    try:
        text = json.dumps(config, sort_keys=True)
    except (TypeError, ValueError, RecursionError):
        text = ""
    if not isinstance(config, dict) or not text:
        raise UnknownName(f"{name or 'the configuration'}: expected keys and values of a config.json")
    own = config.get("_name_or_path")
    # A place where somebody trained is no name.
    called = own.partition("/")[2] if isinstance(own, str) and re.fullmatch(r"[\w.-]+/[\w.-]+", own) else name
    # A text that stands for a configuration, as a chapter's parameter does, says what it was called.
    called = str(config.get("name") or called or "") or f"{config.get('model_type')} configuration"
    return text, "".join(letter if letter.isprintable() else "?" for letter in called)[:80]
