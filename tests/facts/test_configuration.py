"""Networks from published configurations, against published counts; and configurations that are wrong or unknown.

Each file of `configurations/` has the keys that are read, as published, and in keys that begin with an underline: where
they were read (`_source`); the same network of data/models.csv (`_catalog`), the published parameters and where they
stand, or both; and bytes of cache for each token in 16 bits, in layers that see the whole context, with their sum or
source.
"""

import json
import pathlib

import pytest

import llmpower
from llmpower.arguments import ParameterError
from llmpower.facts import catalog
from llmpower.facts.tables import UnknownName
from llmpower.formulas import decode

FILES = sorted((pathlib.Path(__file__).parent / "configurations").glob("*.json"))
PUBLISHED = {path.stem: json.loads(path.read_text()) for path in FILES}
COUNTED = [name for name, one in PUBLISHED.items() if "_parameters" in one]
SAME = [name for name, one in PUBLISHED.items() if "_catalog" in one]
UNITS = {"B": 1e9, "T": 1e12}
LLAMA = {
    "model_type": "llama", "hidden_size": 64, "num_hidden_layers": 2, "num_attention_heads": 4,
    "num_key_value_heads": 2, "intermediate_size": 96, "vocab_size": 100, "tie_word_embeddings": True,
}  # fmt: skip
# Matrices, norms and embeddings of LLAMA: 16 wide heads.
SMALL = 2 * (64 * 16 * (4 + 2 + 2) + 4 * 16 * 64 + 3 * 64 * 96 + 2 * 64) + 64 + 100 * 64


def path_of(name):
    return str(FILES[0].parent / f"{name}.json")


def count(**changes):
    return catalog.model(LLAMA | changes).params_total


def wrong(**changes):
    with pytest.raises(UnknownName) as caught:
        catalog.model(LLAMA | changes)
    return str(caught.value)


@pytest.mark.parametrize("name", COUNTED)
def test_parameters_are_what_was_published(name):
    published, net = PUBLISHED[name]["_parameters"], catalog.model(path_of(name))
    assert PUBLISHED[name]["_source"] and PUBLISHED[name]["_parameters_where"]
    if isinstance(published, int):
        assert net.params_total == published
    else:
        # Publishers print few digits, and some count layers that draft: a per cent, or half of the last digit.
        digits, unit = published[:-1], UNITS[published[-1]]
        last = 10.0 ** -len(digits.partition(".")[2])
        assert net.params_total == pytest.approx(float(digits) * unit, rel=0.01, abs=0.5 * last * unit)


@pytest.mark.parametrize("name", SAME)
def test_a_configuration_of_a_network_of_the_catalog_gives_its_dimensions(name):
    net, known = catalog.model(path_of(name)), catalog.model(PUBLISHED[name]["_catalog"])
    told = {"params_published", "entity", "name", "aliases", "source", "where", "verified", "note"}
    # Only some copies say how the publisher quantized.
    told |= {"fp8_wide_params"} | (set() if "quantization_config" in PUBLISHED[name] else {"fp8_block_rows"})
    assert {key: net[key] for key in known.facts if key not in told} == {
        key: known[key] for key in known.facts if key not in told
    }


@pytest.mark.parametrize("name", PUBLISHED)
def test_caches_take_the_bytes_that_were_published_or_summed_up_by_hand(name):
    net = catalog.model(path_of(name))
    values = decode.kv_values_gqa(net.n_kv_heads, net.head_dim)
    if net.mla_latent:
        values = decode.kv_values_mla(net.mla_latent, net.mla_rope)
    assert values * net.n_full_layers * 2 == PUBLISHED[name]["_cache_bytes_per_token"]


def test_there_are_twenty_published_counts():
    assert len(COUNTED) >= 20 and len(SAME) >= 15


def test_windows_and_states():
    gemma, phi = catalog.model(path_of("gemma-2-9b")), catalog.model(path_of("phi-3-mini-128k"))
    assert (gemma.n_full_layers, gemma.n_window_layers, gemma.window_tokens) == (21, 21, 4096)
    # Its window is longer than its longest context.
    assert (phi.n_full_layers, phi.n_window_layers) == (32, 0)
    net = catalog.model(path_of("qwen3-next-80b-a3b"))
    # 36 layers of 32 heads with 128 x 128 numbers, and 4 inputs of a convolution over 2 x 16 x 128 + 32 x 128.
    assert net.state_values == 36 * (32 * 128 * 128 + 4 * (2 * 16 * 128 + 32 * 128))
    assert net.state_bytes_per_value == 4 and any("taken as 32 bit" in note for note in net.assumed)
    window = catalog.model(LLAMA | {"model_type": "qwen2", "use_sliding_window": True, "sliding_window": 10})
    assert (window.n_full_layers, window.n_window_layers) == (0, 2)


def test_layers_by_hand():
    assert count() == SMALL
    assert count(tie_word_embeddings=False) == SMALL + 6400
    assert count(num_key_value_heads=None) == SMALL + 2 * 64 * 16 * 4
    assert count(attention_bias=True, mlp_bias=True) == SMALL + 2 * (64 + 32 + 32 + 64 + 96 + 96 + 64)
    # Biases of queries, keys and values; norms of queries and keys; four norms.
    assert count(model_type="qwen2") == SMALL + 2 * 128
    assert count(model_type="qwen3", head_dim=16) == SMALL + 2 * 32
    assert count(model_type="gemma2", head_dim=16) == SMALL + 2 * 2 * 64
    # Two experts and a router for each feed-forward layer.
    mixture = {"model_type": "mixtral", "num_local_experts": 2, "num_experts_per_tok": 1}
    assert count(**mixture) == SMALL + 2 * (3 * 64 * 96 + 2 * 64)
    # Mamba-2 for an attention layer: heads 8 x 16, one group, state 4, convolution of 2 over 128 + 2 x 4.
    hybrid = {"model_type": "granitemoehybrid", "layer_types": ["mamba", "attention"], "num_local_experts": 0}
    hybrid |= {"mamba_n_heads": 8, "mamba_d_head": 16, "mamba_n_groups": 1, "mamba_d_state": 4, "mamba_d_conv": 2}
    one = 64 * (128 + 136 + 8) + 136 * 3 + 3 * 8 + 128 + 128 * 64
    assert count(**hybrid, shared_intermediate_size=96) == SMALL - 3 * 64 * 64 + one
    net = catalog.model(LLAMA | hybrid | {"shared_intermediate_size": 96})
    assert (net.n_full_layers, net.state_values) == (1, 8 * 16 * 4 + 136 * 2)


def test_what_a_configuration_leaves_open_is_told():
    notes = catalog.model({key: LLAMA[key] for key in LLAMA if key != "tie_word_embeddings"}).assumed
    assert notes == (
        "left open by the configuration, so taken as the library does: head_dim 16, tie_word_embeddings no",
    )
    assert catalog.model(LLAMA | {"head_dim": 16}).assumed == ()
    assert "published in awq" in catalog.model(LLAMA | {"quantization_config": {"quant_method": "awq"}}).assumed[1]
    assert any("without vision_config" in note for note in catalog.model(path_of("gemma-3-27b")).assumed)
    assert any("sparse attention" in note for note in catalog.model(path_of("glm-5")).assumed)


def test_a_name_comes_from_the_configuration_its_folder_or_its_file(tmp_path):
    folder = tmp_path / "my-net"
    folder.mkdir()
    (folder / "config.json").write_text(json.dumps(LLAMA))
    assert catalog.model(str(folder)).name == catalog.model(folder / "config.json").name == "my-net"
    assert catalog.model(path_of("phi-3.5-moe")).name == "phi-3.5-moe"
    assert catalog.model(LLAMA).name == "llama configuration"
    # A place where somebody trained is no name, and no name hides one of the catalog.
    assert catalog.model(path_of("smollm-1.7b")).name == "smollm-1.7b"
    (folder / "qwen3-8b.json").write_text(json.dumps(LLAMA))
    assert catalog.model(folder / "qwen3-8b.json").entity == "qwen3-8b/config.json"
    assert catalog.model(LLAMA | {"_name_or_path": "a/b\x1b[31m"}).name == "llama configuration"


def test_one_configuration_is_one_record_and_names_come_first():
    assert catalog.model(dict(LLAMA)) is catalog.model(dict(reversed(LLAMA.items())))
    assert catalog.model("meta-llama/Llama-3.1-8B").entity == "llama-3.1-8b"
    with pytest.raises(UnknownName, match="no model is called 'meta-llama/Llama-9'"):
        catalog.model("meta-llama/Llama-9")
    assert catalog.model(catalog.model(LLAMA)) is catalog.model(LLAMA)


def test_an_unknown_type_is_counted_only_where_its_keys_are_llamas():
    net = catalog.model(LLAMA | {"model_type": "novel", "hidden_act": "silu", "rope_theta": 1e4, "bos_token_id": 7})
    assert net.params_total == SMALL and "'novel' is unknown here" in " ".join(net.assumed)
    assert "so is what latent, ssm_width mean" in wrong(model_type="novel", ssm_width=8, latent=True)
    assert "hidden_act is not silu" in wrong(model_type="novel", hidden_act="gelu")
    assert "share caches" in wrong(model_type="gemma3n")


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"hidden_size": None}, "hidden_size is missing"),
        ({"hidden_size": "64"}, "hidden_size: got '64', allowed is a whole number from 1 to 1,000,000"),
        ({"hidden_size": -64}, "hidden_size: got -64, allowed"),
        ({"hidden_size": 64.5}, "hidden_size: got 64.5, allowed"),
        ({"hidden_size": float("nan")}, "hidden_size: got nan, allowed"),
        ({"num_hidden_layers": 10**9}, "num_hidden_layers: got 1000000000, allowed is a whole number from 1 to 1,000"),
        ({"num_hidden_layers": True}, "num_hidden_layers: got True, allowed"),
        ({"num_attention_heads": 0}, "num_attention_heads: got 0, allowed is a whole number from 1"),
        ({"num_key_value_heads": 3}, "num_key_value_heads: got 3, allowed is what divides 4 heads"),
        ({"num_attention_heads": 6}, "head_dim is missing"),
        ({"tie_word_embeddings": "no"}, "tie_word_embeddings: got 'no', allowed is true or false"),
        ({"layer_types": ["full_attention"]}, "allowed is 2 names of layers that llama has"),
        ({"layer_types": [{}, []]}, "allowed is 2 names of layers that llama has"),
        ({"layer_types": ["linear_attention"] * 2}, "allowed is 2 names of layers that llama has"),
        ({"layer_types": ["sliding_attention"] * 2}, "sliding_window is missing"),
        ({"model_type": "qwen3_moe"}, "num_experts is missing"),
        ({"model_type": "mixtral", "num_local_experts": 2, "num_experts_per_tok": 3}, "got more than the 2 experts"),
        ({"model_type": "deepseek_v3"}, "kv_lora_rank is missing; qk_rope_head_dim is missing"),
        ({"model_type": "nemotron_h"}, "layer_types is missing"),
        ({"model_type": ["llama"]}, "model_type: 'none' is unknown"),
    ],
)
def test_what_is_wrong_is_told_by_key(changes, said):
    assert said in wrong(**changes)


def test_all_problems_are_told_at_once():
    assert wrong(hidden_size="a", vocab_size=None, intermediate_size=0).count("; ") == 2


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", "expected JSON"),
        (b"{", "expected JSON"),
        (b"\xff\xfe\x00", "expected JSON"),
        (b"[" * 100_000, "expected JSON"),
        (b'{"hidden_size": ' + b"9" * 10_000 + b"}", "expected JSON"),
        (b"[1, 2]", "expected keys and values"),
        (b"3", "expected keys and values"),
        (b"{}", "model_type is missing"),
        (b" " * 3_000_000, "more than 2,000,000 bytes"),
    ],
)
def test_a_broken_file_is_one_message(tmp_path, say, content, said):
    path = tmp_path / "broken.json"
    path.write_bytes(content)
    code, out, err = say(f"estimate {path} h100-sxm --batch 1")
    assert (code, out) == (2, "") and said in err and len(err.splitlines()) == 1


def test_what_is_no_file_is_one_message(tmp_path, say):
    (tmp_path / "folder.json").mkdir()
    for path in (tmp_path, tmp_path / "nothing.json", tmp_path / "folder.json"):
        code, _, err = say(f"estimate {path} h100-sxm --batch 1")
        assert code == 2 and "cannot be read: No such file" in err
    with pytest.raises(UnknownName, match="not a file"):
        (tmp_path / "device.json").symlink_to("/dev/zero")
        catalog.model(tmp_path / "device.json")
    for given in (b"config.json", 7, None, {"a": object()}, {1: 2, "b": 3}):
        with pytest.raises(UnknownName):
            catalog.model(given)


def test_estimates_and_plans_take_a_configuration(say):
    path, run = path_of("qwen3-8b-fp8"), {"batch": 8, "prompt_tokens": 100, "output_tokens": 200}
    found, same = llmpower.estimate(path, "h100-sxm", **run), llmpower.estimate("qwen3-8b", "h100-sxm", **run)
    assert found.j_per_token == same.j_per_token and found.model == "qwen3-8b-fp8"
    assert found.unknown >= same.unknown and "published in fp8" in " ".join(found.notes)
    assert llmpower.estimate(PUBLISHED["qwen3-8b-fp8"], "h100-sxm", **run).tokens_per_s == same.tokens_per_s
    planned = llmpower.plan(path, "h100-sxm", 1e6, batch=8)
    assert planned.n_together == 1 and "published in fp8" in " ".join(planned.notes)
    code, out, _ = say(f"estimate {path} h100-sxm --batch 8 --output-tokens 200")
    assert code == 0 and out.startswith("qwen3-8b-fp8 on 1 x") and "published in fp8" in out
    with pytest.raises(ParameterError, match="model: llama configuration: hidden_size is missing; "):
        llmpower.estimate({"model_type": "llama"}, "h100-sxm")


@pytest.mark.parametrize("name", PUBLISHED)
def test_every_published_configuration_gives_an_estimate(name):
    net = catalog.model(path_of(name))
    count = next(n for n in (1, 2, 4, 8, 16, 32) if 2.2 * net.params_total < n * 180e9 and net.n_heads % n == 0)
    found = llmpower.estimate(net, "b200", n_accelerators=count, batch=1, context_tokens=1000)
    assert found.fits and found.tokens_per_s > 0
