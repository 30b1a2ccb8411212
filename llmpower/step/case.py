"""A case: which network runs on which machine, how many at once, how long, in which formats; records, not names."""

import math
from dataclasses import dataclass

from llmpower.arguments import Check, largest
from llmpower.facts import catalog
from llmpower.formulas import datacenter

PARALLELISMS = ("tp", "ep")
SOFTWARE = ("vllm", "bare")
_MAY_BE_LEFT_OUT = ("output_tokens", "context_tokens")


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
    software: str = "vllm"

    @property
    def prefilled_tokens(self):
        """Tokens of a prompt that steps take in; none where answers have no length. [1]"""
        return 0.0 if self.output_tokens is math.inf else self.prompt_tokens


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
    software="vllm",
    check=None,
):
    """A case from what people type, as `llmpower.estimate` takes it; `ParameterError` with every problem at once.

    check: takes the problems instead, and then the case may have holes.

    >>> case("llama-3.1-70b", "H100", n_accelerators=4, batch=32).accelerator.tdp_w
    700.0
    """
    given = Check() if check is None else check
    model, machine = given.record("model", "model", model), given.record("accelerator", "accelerator", accelerator)
    weights = given.record("weight_format", "format", weight_format)
    cache = given.record("kv_format", "format", "bf16" if kv_format is None else kv_format)
    parallelism = given.choice("parallelism", "tp" if parallelism is None else parallelism, PARALLELISMS)
    software = given.choice("software", software, SOFTWARE)
    numbers = {"n_accelerators": n_accelerators, "batch": batch, "prompt_tokens": prompt_tokens}
    numbers |= {"output_tokens": output_tokens, "context_tokens": context_tokens}
    for name, one in numbers.items():
        left_out = one is None and name in _MAY_BE_LEFT_OUT
        numbers[name] = None if left_out else given.number(name, one, whole=name == "n_accelerators", arrays=True)
    given.shapes(numbers)
    n, batch, prompt, output, context = numbers.values()
    if model and n is not None and parallelism == "ep":
        _check_experts(given, model, n)
    if check is None:
        given.done()
    output = math.inf if output_tokens is None else output
    context, assumed = (context, ()) if given.problems else _context(prompt, output, context)
    return Case(
        model, machine, n, batch, context, weights, cache, prompt, output, parallelism, tuple(assumed), software
    )


def _check_experts(check, model, n):
    most, experts = largest(n), model.n_experts
    if not experts:
        check.wrong("parallelism", f"got 'ep'; {model.entity} has no experts to spread, allowed is tp")
    elif most > experts:
        layer = f"{model.entity} has {experts} experts a layer to spread"
        check.wrong("n_accelerators", f"got {most:,.0f} with ep; {layer}, allowed is up to that [count]")


def _context(prompt, output, context):
    """Mean context of a running request, and what was assumed about lengths."""
    assumed = []
    if output is math.inf:
        assumed.append("no output length given, so the energy of reading prompts is left out")
        context = prompt if context is None else context
    elif context is None:
        context = datacenter.mean_context_tokens(prompt, output)
        assumed.append("context taken as prompt + output / 2, right for answers of one length")
    if isinstance(prompt, float) and prompt == 0 and output is not math.inf:
        assumed.append("no prompt given, so nothing is prefilled")
    if isinstance(context, float) and context == 0:
        give = "give context_tokens, or prompt and output, for the reads of the cache"
        assumed.append(f"the context counts as empty: {give}")
    if isinstance(context, float) and isinstance(prompt, float) and context < prompt:
        short = "caches are read, and counted, as if they were that short"
        assumed.append(f"the mean context is shorter than the prompt: {short}")
    return context, assumed
