"""What an estimate says in words: what it does not know, what was measured, what lies elsewhere."""

import math

from llmpower.arguments import largest
from llmpower.formulas.elementwise import none
from llmpower.step import bare, constants, served
from llmpower.step.work import net_of, stored_bytes

_SERVED = "no software given: the mean of vLLM, SGLang and TensorRT-LLM, with a range over all"
_EAGER = "every kernel is started by the host, whose speed sets most of this: the range is over hosts that were seen"


def left_out(case, kind):
    """What an estimate of a case does not know, in words."""
    yield from _of_formats(case)
    if case.software is None:
        yield _SERVED
    if case.software == "eager":
        yield _EAGER
    if largest(case.n_accelerators) > case.accelerators_per_server:
        rate = f"{case.network_bytes_per_s / 1e9:,.3g} GB/s each"
        yield f"more than {case.accelerators_per_server:,.0f} accelerators: between servers data travel at {rate}"
    heads = case.model.n_heads
    if case.parallelism in ("tp", "ep") and largest(heads % case.n_accelerators) > 0:
        yield f"servers refuse a number of accelerators that does not divide the {heads} heads of {case.model.entity}"
    if kind == "scaled":
        fitted = f"static power and energy of bytes are scaled from {bare.FITTED}"
        yield f"no run on {case.accelerator.entity} was fitted: {fitted}"
    if case.software == "llama.cpp":
        yield "constants of llama.cpp were set by hand, near runs of one user on desktop cards"
    if largest(case.draft_tokens) > 0:
        yield "a draft counts as a layer and the output layer more; a separate small network for drafts costs more"
    if case.power_cap_w < math.inf:
        yield "no fitted run had a cap: where it binds clocks fall by a rule; near what idles, boards may do worse"
    if case.parallelism == "dp":
        yield "no fitted run had sequences apart; published ones ran at 0.3 to 1.3 times this, wider than the range"
    if case.parallelism == "pp" and largest(case.n_accelerators) > 1:
        yield "no fitted run had its layers cut over accelerators"
    if case.software == "bare":
        yield "no server, no host, no sampling: what captured graphs of our own kernels take"
        yield "whatever the work: what flows while kernels run; the book's division of a joule takes clocks up, less"
        if case.model.n_experts:
            yield "experts are multiplied in whole tiles, as PyTorch does; servers' kernels draw less for few requests"


def _of_formats(case):
    """What formats leave open, in words: parts that stay wide, and what software has to unpack."""
    format_, model = case.weight_format, case.model
    if format_.applies_to == "experts" and not model.n_experts:
        yield f"{format_.entity} is a format for experts; {model.entity} has none, so all its weights count in it"
    if format_.applies_to == "blocks" and not {"output", "rest"} & format_.get("parts", {}).keys():
        wide = "its embedding and output layer count in bf16, as most checkpoints keep them"
        yield f"{format_.get('base', format_).entity} is a format for the layers between: {wide}"
    if format_.entity == "fp8" and model.n_experts and model.fp8_block_rows and case.software in (None, "vllm"):
        slow = "the runs of mixtures in fp8 that were fitted lose time in each layer to scales by block under vLLM"
        yield f"{slow}; fp8-channel leaves that out"
    if case.software == "bare":
        if bare.unpacked(format_):
            unpacked = "has to be unpacked: its watts are counted, kernels slower than reading are not"
            yield f"{format_.entity} {unpacked}"
        return
    if names := ", ".join(one.entity for one in served.unpacked(case.accelerator, format_)):
        yield f"{names} has to be unpacked on {case.accelerator.entity}: {_unpacking(case)}"
    time, share = served.cache_unpacking(case.accelerator, case.kv_format)
    if share:
        counted = "time and watts are counted" if time else "watts are counted, and no time"
        caches = f"{case.kv_format.entity} caches have to be unpacked on {case.accelerator.entity}"
        yield f"{caches}: {counted} while answers are written; prompts cost more than this"


def _unpacking(case):
    """What unpacking of weights adds to an estimate, in words."""
    if case.software == "eager":
        return "every layer starts more kernels, as many as with NF4; other formats may start fewer"
    shares = [
        served.unpacking(case.accelerator, one)[1] for one in served.unpacked(case.accelerator, case.weight_format)
    ]
    watts = "its watts are those of our own kernels" if any(shares) else "fitted watts hold it"
    hides = "it hides behind reading, or reading behind it, as in the best kernels"
    missing = constants.unknown(case.model, case.accelerator, case.weight_format, case.software)
    seen = "; the range reaches the one published run of this kind" if constants.UNPACKING in missing else ""
    return f"{watts}; {hides}{seen}"


def spilled(case, resident_share):
    """What lies in the memory of the host, in words."""
    rate = case.host_bandwidth_bytes_per_s
    if not none(rate) and not hasattr(resident_share, "shape") and resident_share < 1:
        size = (1 - resident_share) * stored_bytes(net_of(case))
        from_host = (
            f"{size / 1e9:,.3g} GB of the weights do not fit and are read from the host at {rate / 1e9:,.3g} GB/s"
        )
        yield f"{from_host}, as no fitted run did; watts of the host are in the boundary of the server alone"


def own(case, own, usual):
    """What a measurement of one's own changes, and whether it is one of this case.

    own: the correction, of `step.own`; usual: errors of predictions without it, by quantity.
    """
    at = f"at batch {own.batch:,.6g}"
    given = {
        "tokens/s": (case.measured_tokens_per_s, 1 / own.time_ratio, usual["tokens_per_s"]),
        "W": (case.measured_power_w, (own.energy_ratio or 1) / own.time_ratio, usual["j_per_token"]),
    }
    told, far = [], []
    for unit, (value, ratio, row) in given.items():
        if value is None:
            continue
        told.append(f"{value:,.4g} {unit}, {ratio:.2f} times what was predicted")
        if not row["low_ratio"] ** 2 <= ratio <= row["high_ratio"] ** 2:
            far.append(unit)
    told = f"measured {at}: {' and '.join(told)}; times and energies follow it, at other batches by less"
    if far:
        told += f"; the {' and '.join(far)} lie beyond twice the range of such predictions: is it the same case?"
    return told
