"""Parameter counts of all networks, recounted from their dimensions, layer by layer."""

import pytest

from llmpower.facts import catalog

MODELS = [catalog.model(name) for name in catalog.names("model")]
# Order of blocks in the two hybrids (M Mamba-2, - feed-forward, * attention), from their configurations.
HYBRIDS = {
    "nemotron-nano-9b-v2": "M-M-M-MM-M-M-M*-M-M-M*-M-M-M-M*-M-M-M-M*-M-MM-M-M-M-M-M-",
    "nemotron-nano-12b-v2": "M-M-M-M*-M-M-M-M*-M-M-M-M*-M-M-M-M*-M-M-M-M*-M-M-M-M*-M-M-M-M-",
}
# Value heads of a gated DeltaNet layer, from the configurations; all have 16 key heads of 128 and a convolution of 4.
DELTA = {
    "qwen3-next-80b-a3b": 32,
    "qwen3.5-27b": 48,
    "qwen3.5-35b-a3b": 32,
    "qwen3.5-122b-a10b": 64,
    "qwen3.5-397b-a17b": 64,
}
# Heads and width of the indexer of a sparse attention.
INDEXER = {"deepseek-v3.2": (64, 128)}


def attention(net, qkv_bias=False, out_bias=False, qk_norm=0, gate=False):
    queries, keys = net.n_heads * net.head_dim, net.n_kv_heads * net.head_dim
    count = net.d_model * ((1 + gate) * queries + 2 * keys) + queries * net.d_model
    return count + qkv_bias * (queries + 2 * keys) + out_bias * net.d_model + qk_norm


def latent_attention(net):
    key_value = net.d_model * (net.mla_latent + net.mla_rope) + net.mla_latent
    key_value += net.mla_latent * net.n_heads * (net.mla_nope + net.mla_v)
    query = net.d_model * net.mla_q_rank + net.mla_q_rank + net.mla_q_rank * net.n_heads * (net.mla_nope + net.mla_rope)
    heads, width = INDEXER.get(net.entity, (0, 0))
    indexer = heads * (net.mla_q_rank * width + net.d_model) + width * (net.d_model + 2)
    return key_value + query + net.n_heads * net.mla_v * net.d_model + indexer


def delta(net):
    key_heads, heads, width, convolution = 16, DELTA[net.entity], 128, 4
    inner, mixed = heads * width, (2 * key_heads + heads) * width
    count = net.d_model * (mixed + inner + 2 * heads) + mixed * convolution + 2 * heads + width + inner * net.d_model
    return count, heads * width * width + mixed * convolution


def mamba(net):
    heads, width, state, groups, convolution = 128, 80, 128, 8, 4
    inner = heads * width
    mixed = inner + 2 * groups * state
    count = net.d_model * (inner + mixed + heads) + mixed * (convolution + 1) + 3 * heads + inner + inner * net.d_model
    return count, heads * width * state + mixed * convolution


def recount(net):
    """All parameters and those of the routed experts."""
    embeddings = net.vocab * net.d_model * (1 if net.tied_embeddings else 2)
    if net.entity in HYBRIDS:
        blocks = HYBRIDS[net.entity]
        assert len(blocks) == net.n_layers and blocks.count("*") == net.n_full_layers
        one, state = mamba(net)
        assert blocks.count("M") * state == net.state_values
        body = (
            blocks.count("M") * one
            + blocks.count("*") * attention(net)
            + blocks.count("-") * 2 * net.d_model * net.d_ff
        )
        return embeddings + body + (len(blocks) + 1) * net.d_model, 0
    norms, expert, router = 2 * net.d_model, 3 * net.d_model * net.moe_d_ff, net.d_model * net.n_experts
    if net.entity.startswith("gpt-oss"):
        mixer = attention(net, qkv_bias=True, out_bias=True) + net.n_heads
        expert, router = expert + 2 * net.moe_d_ff + net.d_model, router + net.n_experts
    elif net.mla_latent:
        mixer, router = latent_attention(net), router + net.n_experts
    else:
        each = net.head_dim * net.entity.startswith(("qwen3", "gemma-3", "glm-4.5")) * (net.entity != "glm-4.5-air")
        qk_norm = (net.n_heads + net.n_kv_heads) * net.head_dim if net.entity == "minimax-m2" else 2 * each
        biased, gated = net.entity.startswith(("qwen2.5", "glm-4.5")), net.entity in DELTA
        mixer = attention(net, qkv_bias=biased, qk_norm=qk_norm, gate=gated)
        norms = 4 * net.d_model if net.entity.startswith("gemma-3") else norms
        # Correction bias of the router, or the gate of the shared expert.
        router += net.n_experts * net.entity.startswith(("glm-4.5", "minimax")) + net.d_model * gated
    routed = net.n_moe_layers * net.n_experts * expert
    dense = (net.n_layers - net.n_moe_layers) * 3 * net.d_model * net.d_ff
    mixture = net.n_moe_layers * (net.n_shared_experts * expert + router)
    mixers = net.n_layers * mixer
    if net.entity in DELTA:
        (one, state), stateful = delta(net), net.n_layers - net.n_full_layers
        assert stateful * state == net.state_values
        mixers = net.n_full_layers * mixer + stateful * one
    return embeddings + mixers + net.n_layers * norms + dense + mixture + routed + net.d_model, routed


@pytest.mark.parametrize("net", MODELS, ids=lambda net: net.entity)
def test_parameters_are_what_the_dimensions_give(net):
    assert recount(net) == (net.params_total, net.params_routed)


@pytest.mark.parametrize("net", MODELS, ids=lambda net: net.entity)
def test_parameters_are_what_the_publisher_says(net):
    if net.params_published:
        # Publishers round, and some count a vision tower or leave out a head: three percent covers all of it.
        assert net.params_total == pytest.approx(net.params_published, rel=0.03)


@pytest.mark.parametrize("net", MODELS, ids=lambda net: net.entity)
def test_layers_and_experts_are_consistent(net):
    assert net.n_full_layers + net.n_window_layers <= net.n_layers
    assert bool(net.n_window_layers) == bool(net.window_tokens)
    assert bool(net.n_experts) == bool(net.params_routed) == bool(net.n_experts_per_token)
    assert net.n_experts_per_token <= net.n_experts
    assert net.params_shared > 0


@pytest.mark.parametrize(
    ("name", "active"),
    # Publishers' own figures, in billions: model cards of Qwen3, gpt-oss (input embedding left out), Mixtral,
    # DeepSeek-V3; README of Kimi K2; SGLang's page on Qwen3.5.
    [
        ("qwen3-30b-a3b", 3.3),
        ("qwen3-235b-a22b", 22),
        ("gpt-oss-20b", 3.6),
        ("gpt-oss-120b", 5.1),
        ("mixtral-8x7b", 12.9),
        ("deepseek-v3", 37),
        ("kimi-k2", 32),
        ("qwen3.5-397b-a17b", 17),
    ],
)
def test_active_parameters_are_what_the_publisher_says(name, active):
    net = catalog.model(name)
    found = net.params_shared + net.params_routed * net.n_experts_per_token / net.n_experts
    if name.startswith("gpt-oss"):
        assert found / 1e9 == pytest.approx(active, rel=0.03)
    else:
        # These cards count the input embedding, which a step looks up and does not read.
        assert (found + net.embedding_params) / 1e9 == pytest.approx(active, rel=0.03)
