"""Types of networks as the library transformers knows them, and a reader of their configurations' keys."""

import re
import reprlib

from llmpower.facts.quantities import quantities


def _row(words):
    """What a row says: `name=value`, a name for yes, or a name after a dash for no."""
    found = {}
    for word in words.split():
        name, equals, value = word.partition("=")
        told = (int(value) if value.isdigit() else value) if equals else not name.startswith("-")
        found[name.removeprefix("-")] = told
    return found


# What the layers of Llama have, in words of ours, and what its configurations leave open, in keys of theirs.
# norms: in a block. out_bias: whether attention_bias means the output too. qk_norm: over each head, or all of them.
# alone: a block is a mixer or feed-forward layers. full_attention_interval: every such layer sees the whole context.
_LLAMA = _row("""norms=2 -norm_bias -qkv_bias out_bias qk_norm= -sinks -latent gated -mixture -router_bias -expert_bias
    -shared_gate dense_width=intermediate_size expert_width=moe_intermediate_size shared_width= recurrent= -alone
    full_attention_interval=0 -attention_bias -mlp_bias -lm_head_bias -tie_word_embeddings use_qk_norm
    use_sliding_window -attn_output_gate mamba_conv_bias -mamba_proj_bias""")
_TABLE = """
    llama mistral ministral ministral3 granite smollm3 phi3:
    mixtral granitemoe: mixture expert_width=intermediate_size
    phimoe: norm_bias mixture expert_width=intermediate_size
    qwen2 qwen2_vl qwen2_5_vl: qkv_bias -use_sliding_window
    qwen2_moe: qkv_bias -use_sliding_window mixture shared_width=shared_expert_intermediate_size shared_gate
    qwen3 qwen3_vl: qk_norm=head head_dim=128 -use_sliding_window
    qwen3_moe qwen3_vl_moe: qk_norm=head mixture -use_sliding_window
    qwen3_5: qk_norm=head head_dim=256 attn_output_gate recurrent=delta full_attention_interval=4
    qwen3_next qwen3_5_moe: qk_norm=head head_dim=256 attn_output_gate recurrent=delta full_attention_interval=4
        mixture shared_width=shared_expert_intermediate_size shared_gate
    gemma: head_dim=256 tie_word_embeddings
    gemma2: head_dim=256 tie_word_embeddings norms=4 sliding_window=4096 full_attention_interval=2
    gemma3: head_dim=256 tie_word_embeddings norms=4 sliding_window=4096 full_attention_interval=6
        qk_norm=head num_attention_heads=8 num_key_value_heads=4 vocab_size=262208
    gpt_oss: sinks attention_bias head_dim=64 sliding_window=128 full_attention_interval=2
        mixture expert_width=intermediate_size expert_bias router_bias
    llama4: head_dim=128 sliding_window=8192 full_attention_interval=4 mixture expert_width=intermediate_size
        dense_width=intermediate_size_mlp shared_width=intermediate_size
    minimax_m2: qk_norm=all mixture expert_width=intermediate_size router_bias
    deepseek_v2: latent mixture
    deepseek_v3 kimi_k2 kimi_k25 glm4_moe_lite: latent mixture router_bias
    deepseek_v32: latent mixture router_bias index_n_heads=64 index_head_dim=128
    glm_moe_dsa: latent mixture router_bias index_n_heads=32 index_head_dim=128
    glm4_moe: qk_norm=head -use_qk_norm -out_bias mixture router_bias
    glm4: norms=4 -out_bias
    glm: attention_bias -out_bias head_dim=128
    chatglm: qkv_bias
    cohere: norms=1 qk_norm=all -use_qk_norm tie_word_embeddings
    cohere2: norms=1 sliding_window=4096 full_attention_interval=4 tie_word_embeddings
    olmo2: qk_norm=all
    olmo3: qk_norm=all sliding_window=4096 full_attention_interval=4
    nemotron_h: alone recurrent=mamba -gated router_bias shared_width=shared_expert_intermediate_size
    granitemoehybrid: recurrent=mamba expert_width=intermediate_size dense_width=shared_intermediate_size
        shared_width=shared_intermediate_size"""
_ROWS = (row.partition(":") for row in re.sub(r"\n {8}", " ", _TABLE).splitlines())
_TYPES = {kind: _LLAMA | _row(words) for kinds, _, words in _ROWS for kind in kinds.split()}
_REFUSED = dict.fromkeys(
    ("gemma3n", "gemma4", "deepseek_v4"),
    "its layers differ in their heads or share caches, which one set of dimensions cannot hold",
)
# Other names of a key.
_ALSO = {
    "num_hidden_layers": ("num_layers", "n_layer"), "vocab_size": ("padded_vocab_size",),
    "num_key_value_heads": ("multi_query_group_num",), "head_dim": ("kv_channels", "attention_head_dim"),
    "intermediate_size": ("ffn_hidden_size",), "num_experts": ("n_routed_experts", "num_local_experts"),
    "num_experts_per_tok": ("experts_per_token", "num_experts_per_token"), "n_shared_experts": ("num_shared_experts",),
    "shared_expert_intermediate_size": ("moe_shared_expert_intermediate_size",),
    "decoder_sparse_step": ("moe_layer_freq", "interleave_moe_layer_step"),
    "layer_types": ("hybrid_override_pattern", "layers_block_type"), "sliding_window": ("attention_chunk_size",),
    "full_attention_interval": ("sliding_window_pattern",), "mamba_conv_bias": ("use_conv_bias",),
    "mamba_n_heads": ("mamba_num_heads",), "mamba_d_head": ("mamba_head_dim",), "mamba_n_groups": ("n_groups",),
    "mamba_d_state": ("ssm_state_size",), "mamba_d_conv": ("conv_kernel",),
    "mamba_ssm_dtype": ("mamba_ssm_cache_dtype",),
}  # fmt: skip
# Of a type that no row has: keys that are counted, and keys that shape nothing; any other that says something refuses.
_STANDARD = """hidden_size num_hidden_layers num_attention_heads num_key_value_heads head_dim intermediate_size
    vocab_size attention_bias mlp_bias lm_head_bias tie_word_embeddings sliding_window use_sliding_window""".split()
_NEUTRAL = re.compile(
    r"_.*|.*token.*|.*rope.*|rotary.*|partial_rotary_factor|.*drop.*|initializer_range|.*eps(ilon)?|max_.*|use_cache"
    r"|architectures|auto_map|quantization_config|pretraining_tp|original_max_.*|.*(multiplier|scaling)|(id2|2id)?label.*"
)


class Reader:
    """Reads the keys of a configuration, and keeps what is wrong with them, what they leave open, and remarks."""

    def __init__(self, config):
        self.config, self.problems, self.open, self.notes = config, [], {}, []
        kind = config.get("model_type")
        self.type = kind.removesuffix("_text") if isinstance(kind, str) else "none"
        self.row = _TYPES.get(self.type, _LLAMA)
        if self.type in _REFUSED:
            self.problems.append(f"model_type: {self.type} is not counted: {_REFUSED[self.type]}")
        elif self.type not in _TYPES:
            self._unknown_type(reprlib.repr(self.type))

    def _unknown_type(self, shown):
        said = [key for key, value in self.config.items() if value and not isinstance(value, str)]
        if "model_type" not in self.config:
            self.problems.append("model_type is missing")
            return
        odd = [key for key in said if key not in _STANDARD and not _NEUTRAL.fullmatch(key)]
        if odd:
            self.problems.append(f"model_type: {shown} is unknown, and so is what {', '.join(odd[:8])} mean there")
        elif self.config.get("hidden_act") not in ("silu", "swish"):
            self.problems.append(f"model_type: {shown} is unknown, and hidden_act is not silu as Llama's")
        self.notes.append(f"model_type {shown} is unknown here: counted with the layers of Llama")

    def get(self, key):
        """What the configuration gives under any name of a key; None where it does not."""
        given = (self.config.get(name) for name in (key, *_ALSO.get(key, ())))
        return next((one for one in given if one is not None), None)

    def whole(self, key, column, otherwise=None, least=1):
        """A number in the range of a quantity; where it is left open what the type has, else `otherwise`."""
        given, span = self.get(key), quantities()[column]
        low = max(least, span.low)
        if given is None:
            given = self.row.get(key, otherwise)
            if given is None:
                self.problems.append(f"{key} is missing")
                return 1
            if given > 1:
                self.open[key] = f"{given:,}"
        whole = type(given) is int or isinstance(given, float) and given.is_integer()
        if not whole or not low <= given <= span.high:
            allowed = f"allowed is a whole number from {low:,.12g} to {span.high:,.12g}"
            self.problems.append(f"{key}: got {reprlib.repr(given)}, {allowed}")
            return 1
        return int(given)

    def flag(self, key):
        """Yes or no."""
        given = self.get(key)
        if given is None:
            given = self.row[key]
            if key == "tie_word_embeddings":
                self.open[key] = "yes" if given else "no"
        if not isinstance(given, bool):
            self.problems.append(f"{key}: got {reprlib.repr(given)}, allowed is true or false")
        return given is True
