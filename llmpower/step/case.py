"""A case: which network runs on which machine, how many at once, how long, in which formats; records, not names."""

import functools
import math
from dataclasses import dataclass

from llmpower.arguments import MEASURED, NUMBERS, Check, largest
from llmpower.facts import catalog
from llmpower.facts.catalog import fact
from llmpower.formulas import datacenter, meter, serving
from llmpower.formulas.elementwise import coalesce, maximum, minimum
from llmpower.trace import by_choice, traced

PARALLELISMS = ("tp", "ep", "dp", "pp")
SOFTWARE = ("vllm", "sglang", "trtllm", "llama.cpp", "eager", "bare")
_WHOLE = ("n_accelerators", "accelerators_per_server")
_MAY_BE_LEFT_OUT = ("output_tokens", "context_tokens", *NUMBERS[8:])


@dataclass(frozen=True, eq=False)
class Case:
    """What a step depends on; numbers are floats, or arrays where several cases are meant.

    `output_tokens` without end means that prompts count as read already; `context_tokens` is the mean of a running
    request; `assumed` says what the caller left open.
    """

    model: catalog.Model
    accelerator: catalog.Record | None
    n_accelerators: float
    batch: float
    context_tokens: float
    weight_format: catalog.Record
    kv_format: catalog.Record
    prompt_tokens: float = 0.0
    output_tokens: float = math.inf
    parallelism: str = "tp"
    assumed: tuple = ()
    software: str | None = "vllm"
    cached_prompt_share: float = 0.0
    draft_tokens: float = 0.0
    accepted_tokens: float = 0.0
    max_step_tokens: float = math.inf
    power_cap_w: float = math.inf
    accelerators_per_server: float = 8.0
    link_bytes_per_s: float = math.nan
    network_bytes_per_s: float = math.inf
    host_bandwidth_bytes_per_s: float = 0.0
    memory_share: float = 1.0
    measured_tokens_per_s: float | None = None
    measured_power_w: float | None = None
    measured_batch: float | None = None

    @property
    def prefilled_tokens(self):
        """Tokens of a prompt that steps take in; none where answers have no length. [1]"""
        if self.output_tokens is math.inf:
            return 0.0
        return meter.computed_prompt_tokens(self.prompt_tokens, self.cached_prompt_share)


def case(
    model,
    accelerator,
    n_accelerators=1,
    batch=1,
    prompt_tokens=0,
    output_tokens=None,
    context_tokens=None,
    weight_format="bf16",
    kv_format=None,
    parallelism=None,
    software=None,
    cached_prompt_share=0,
    draft_tokens=0,
    accepted_tokens=0,
    max_step_tokens=None,
    power_cap_w=None,
    accelerators_per_server=None,
    link_bytes_per_s=None,
    network_bytes_per_s=None,
    host_bandwidth_bytes_per_s=None,
    memory_share=None,
    measured_tokens_per_s=None,
    measured_power_w=None,
    measured_batch=None,
    check=None,
):
    """A case from what people type, as `llmpower.estimate` takes it; `ParameterError` with every problem at once.

    check: takes the problems instead, and then the case may have holes.

    >>> case("llama-3.1-70b", "H100", n_accelerators=4, batch=32).accelerator.tdp_w
    700.0
    """
    typed = dict(locals())
    given = Check() if check is None else check
    model, machine = given.record("model", "model", model), given.record("accelerator", "accelerator", accelerator)
    weights = given.record("weight_format", "format", weight_format)
    cache = given.record("kv_format", "format", "bf16" if kv_format is None else kv_format)
    if not traced(model, weights, cache):
        _check_parts(given, model, weights, cache)
    software = None if software is None else given.choice("software", software, SOFTWARE)
    layout = by_choice(_layout)(software) if parallelism is None else parallelism
    parallelism = given.choice("parallelism", layout, PARALLELISMS)
    alone = type(output_tokens) in (int, float) and output_tokens == 0
    if alone:
        typed["output_tokens"] = output_tokens = 1
    numbers = {name: _number(given, name, typed[name]) for name in NUMBERS}
    given.shapes(numbers)
    # What is traced is not known yet, so nothing can be wrong with it.
    if not traced(model, machine, software, parallelism, *numbers.values()):
        if model and numbers["n_accelerators"] is not None:
            _check_layout(given, model, numbers["n_accelerators"], parallelism)
        _check_point(given, numbers, software, parallelism)
        if alone and numbers["prompt_tokens"] == 0:
            given.wrong("output_tokens", "got 0 without a prompt; allowed is from 1, or to give prompt_tokens [count]")
    if check is None:
        given.done()
    if not given.problems:
        limit = coalesce(numbers["max_step_tokens"], math.inf)
        numbers |= {name: coalesce(numbers[name], value) for name, value in _left(machine, software).items()}
    n, batch, prompt, output, context, *point = numbers.values()
    output = math.inf if output_tokens is None else output
    context, assumed = (context, []) if given.problems else _context(prompt, output, context)
    if alone:
        assumed.insert(0, "no answer: prompts are read alone, and each gives the first token of its answer")
    if max_step_tokens is not None and not given.problems:
        batch = _admitted(numbers | {"max_step_tokens": limit}, output, assumed)
    if max_step_tokens is None and not (given.problems or traced(batch, prompt, output, software)):
        _crowded(numbers, output, software, assumed)
    records = (model, machine, n, batch, context, weights, cache, prompt, output, parallelism, tuple(assumed), software)
    return Case(*records, *point)


def _layout(software):
    return "pp" if software == "llama.cpp" else "tp"


def admitted(numbers, output):
    """Sequences for which a limit of tokens a step leaves room, one at least; numbers of a case by name."""
    computed = meter.computed_prompt_tokens(numbers["prompt_tokens"], numbers["cached_prompt_share"])
    point = (numbers[name] for name in ("max_step_tokens", "draft_tokens", "accepted_tokens"))
    return maximum(serving.admitted_batch(*point, computed, output), 1.0)


def _admitted(numbers, output, assumed):
    """The batch, or as many sequences as a limit of tokens a step that was given leaves room for, which is told."""
    batch, most = numbers["batch"], admitted(numbers, output)
    if not traced(batch, most):
        if largest(batch - most) <= 0:
            return batch
        assumed.append(
            "the limit of tokens a step leaves room for fewer sequences than were asked for, with their prompts"
        )
    return minimum(batch, most)


def _crowded(numbers, output, software, assumed):
    """Tell where servers that are set up as usual let sequences wait."""
    limit, room = numbers["max_step_tokens"], admitted(numbers, output)
    if software != "eager" and not hasattr(room, "shape") and largest(numbers["batch"]) > room:
        waits = (
            f"the usual limit of {limit:,.0f} tokens a step has room for {room:,.0f} of the sequences and their prompts"
        )
        assumed.append(f"{waits}; as max_step_tokens it lets the others wait")


def _number(check, name, given):
    """A number of a case; None where it may be left out and is."""
    if given is None and name in _MAY_BE_LEFT_OUT:
        return None
    if type(given) is int and not given and name in NUMBERS[5:8]:
        return 0.0
    return check.number(name, given, name in _WHOLE, arrays=name in NUMBERS[:8])


@by_choice
@functools.cache
def _left(machine, software):
    """Numbers of a case that nobody gave, from facts."""
    together = fact("datacenter.csv", "dgx-h100", "n_accelerators").value
    network = fact("accelerators.csv", "h100-sxm", "network_bytes_per_s").value
    return {
        "max_step_tokens": math.inf if software in ("bare", "llama.cpp") else usual("max_step_tokens"),
        "power_cap_w": math.inf,
        "accelerators_per_server": machine.get("accelerators_per_server", together),
        "link_bytes_per_s": link_bytes_per_s_of(machine),
        "network_bytes_per_s": machine.get("network_bytes_per_s", network),
        "host_bandwidth_bytes_per_s": 0.0,
        "memory_share": 1.0 if software in ("bare", "eager", "llama.cpp") else usual("memory_share"),
    }


def link_bytes_per_s_of(machine):
    """Bandwidth to the others of a server: its own links, else the bus; a lone board needs none."""
    alone = math.inf if machine.get("accelerators_per_server") == 1 else math.nan
    return machine.get("link_bytes_per_s", machine.get("bus_bytes_per_s", alone))


@functools.cache
def usual(name):
    """What a server has where nobody says otherwise, by the name of the quantity."""
    return fact("datacenter.csv", "serving", name).value


def _check_parts(check, model, weights, cache):
    """Whether a network has the parts that a format names; what is wrong already is None."""
    if cache and cache.get("parts"):
        check.wrong("kv_format", f"got {cache.entity!r}; a cache has no parts, allowed is one format")
    if not (model and weights):
        return
    lacking = {
        "experts": "it has none" if not model.n_experts else None,
        "embedding": "it is the output layer, so name that" if model.tied_embeddings else None,
        "attention": "the catalog does not count it apart" if model.attention_params is None else None,
    }
    wrong = [f"{part} of {model.entity}: {lacking[part]}" for part in weights.get("parts", {}) if lacking.get(part)]
    if wrong:
        able = ", ".join(part for part in catalog.PARTS if not lacking.get(part))
        check.wrong("weight_format", f"got {weights.entity!r}; {'; '.join(wrong)}; allowed are {able}")


def _check_layout(check, model, n, parallelism):
    """Whether so many accelerators can share a network in this way."""
    most, experts = largest(n), model.n_experts
    name = model.entity
    if parallelism in ("ep", "dp") and not experts:
        allowed = "tp or pp; for sequences of their own, run copies"
        check.wrong("parallelism", f"got {parallelism!r}; {name} has no experts to spread, allowed is {allowed}")
    elif parallelism in ("ep", "dp") and most > experts:
        layer = f"{name} has {experts} experts a layer to spread"
        check.wrong("n_accelerators", f"got {most:,.0f} with {parallelism}; {layer}, allowed is up to that [count]")
    elif parallelism == "pp" and most > model.n_layers:
        layers = f"{name} has {model.n_layers} layers, allowed is up to that"
        check.wrong("n_accelerators", f"got {most:,.0f} with pp; {layers} [count]")


def _check_point(check, numbers, software, parallelism):
    """Whether drafts, limits and layout go together, and with the software."""
    draft, accepted, most = (numbers[name] for name in ("draft_tokens", "accepted_tokens", "max_step_tokens"))
    # What is wrong already is None, and an array has no truth.
    if not (draft is None or accepted is None) and largest(accepted - draft) > 0:
        shown = f"got {largest(accepted):g}; allowed is up to the draft_tokens, {largest(draft):g} [count]"
        check.wrong("accepted_tokens", shown)
    if not (draft is None or most is None) and largest(draft + 1 - most) > 0:
        shown = f"got {most:g}; a sequence sends {largest(draft) + 1:g}, allowed is from that up [count]"
        check.wrong("max_step_tokens", shown)
    _check_measured(check, numbers)
    if software == "bare":
        for name in ("draft_tokens", "power_cap_w", "host_bandwidth_bytes_per_s"):
            if numbers[name] is not None and largest(numbers[name]) > 0:
                check.wrong(name, "no step without a server was measured so; allowed is to leave it out")
        if parallelism in ("dp", "pp"):
            check.wrong("parallelism", f"got {parallelism!r}; without a server allowed is tp, ep")


def _check_measured(check, numbers):
    """Whether a measurement is of one case, whose batch is known."""
    *measured, at = (numbers[name] for name in MEASURED)
    if measured == [None, None]:
        if at is not None:
            check.wrong("measured_batch", f"got {at:g}; give measured_tokens_per_s or measured_power_w with it")
        return
    if several := [name for name, one in numbers.items() if hasattr(one, "shape") and name != "batch"]:
        check.wrong(", ".join(several), "got several values; a measurement is of one, allowed is only batch to vary")
    if at is None and hasattr(numbers["batch"], "shape"):
        check.wrong("measured_batch", "got None; give the batch that was measured, as several are asked for [1]")


def _context(prompt, output, context):
    """Mean context of a running request, and what was assumed about lengths."""
    assumed = []
    if output is math.inf:
        assumed.append("no output length given, so the energy of reading prompts is left out")
        context = prompt if context is None else context
    else:
        if context is None:
            assumed.append("context taken as prompt + output / 2, right for answers of one length")
        context = coalesce(context, datacenter.mean_context_tokens(prompt, output))
    if isinstance(prompt, float) and prompt == 0 and output is not math.inf:
        assumed.append("no prompt given, so nothing is prefilled")
    if isinstance(context, float) and context == 0:
        give = "give context_tokens, or prompt and output, for the reads of the cache"
        assumed.append(f"the context counts as empty: {give}")
    if isinstance(context, float) and isinstance(prompt, float) and context < prompt:
        short = "caches are read, and counted, as if they were that short"
        assumed.append(f"the mean context is shorter than the prompt: {short}")
    return context, assumed
