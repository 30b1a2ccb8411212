"""Estimates and plans of which nothing is known yet, computed by the page for many inputs, against Python."""

import math
import random

import pytest

from llmpower import plan
from llmpower.arguments import Check, ParameterError
from llmpower.estimate import BOUNDARIES, expect, read
from llmpower.facts import catalog
from llmpower.plan import default, own
from llmpower.step.case import PARALLELISMS, case
from llmpower.trace import Tape
from tests.book.browser import NEEDS_CHROMIUM
from tests.traced import blank_page, computed, worst

pytestmark = NEEDS_CHROMIUM
MACHINES = [name for name in catalog.names("accelerator") if catalog.accelerator(name).category != "system"]
CHOICES = {
    "model": catalog.names("model"), "accelerator": MACHINES, "weight_format": catalog.names("format"),
    "kv_format": catalog.names("format"),
}  # fmt: skip
SERVED = ["vllm", "sglang", "trtllm", "llama.cpp", "eager", None]
# Rates and memory are known of some machines alone; half of the draws are of these.
KNOWN = ["h100-sxm", "h200-sxm", "b200", "a100-sxm-80gb", "mi300x"]
KINDS = [
    *((software, cut, cap) for software in ("served", "one name") for cut in PARALLELISMS for cap in (False, True)),
    *(("bare", cut, False) for cut in ("tp", "ep")),
]


@pytest.fixture(scope="module")
def page():
    with blank_page() as page:
        yield page


def chosen(draw, choices):
    """An option of each choice, and their places by name."""
    names = {name: draw.choice(options) for name, options in choices.items()}
    if draw.random() < 0.5:
        names["accelerator"] = draw.choice(KNOWN)
    if draw.random() < 0.5:
        names["weight_format"] = draw.choice(["bf16", "fp8"])
    return names, {name: choices[name].index(one) for name, one in names.items()}


def numbers(found):
    """What an estimate tells in numbers."""
    ends = [end for one in (found.low, found.high) for end in vars(one).values()]
    # What prompts cost is a difference of two energies, and cannot be better known than these.
    prompts = found.j_per_token + found.prefill_j_per_token
    return [
        found.tokens_per_s,
        found.power_w,
        found.j_per_token,
        found.step_s,
        prompts,
        *ends,
        *found.energy_by_part.values(),
    ]


def run(draw, software, cap):
    """Numbers of a run."""
    drafts = draw.choice(((0, 0), (3, 1.5))) if software != "bare" else (0, 0)
    values = {
        "n_accelerators": draw.choice((1, 1, 2, 4, 8, 16)), "batch": draw.choice((1, 2, 7, 64, draw.uniform(1, 500))),
        "prompt_tokens": draw.choice((0, 100, draw.uniform(1, 9000))), "output_tokens": draw.choice((1, 500, 3333)),
        "context_tokens": draw.choice((0, 100, 4096)), "cached_prompt_share": draw.choice((0, 0.5, 1)),
        "draft_tokens": drafts[0], "accepted_tokens": drafts[1],
    }  # fmt: skip
    return values | ({"power_cap_w": draw.choice((200, 400, 700, 10000))} if cap else {})


@pytest.mark.parametrize(("software", "parallelism", "cap"), KINDS)
def test_the_page_estimates_as_python_does(page, software, parallelism, cap):
    draw = random.Random(f"{software} {parallelism} {cap}")
    boundary = draw.choice(BOUNDARIES)
    # Software that a chapter names, and software that a reader chooses.
    choices = CHOICES | ({"software": SERVED} if software == "served" else {})
    named = {"bare": "bare", "one name": draw.choice(SERVED)}.get(software)
    fixed = {"parallelism": parallelism} | ({} if software == "served" else {"software": named})
    with Tape() as tape:
        inputs = {name: tape.input(name) for name in run(draw, software, cap)}
        if software == "bare":
            inputs |= {"draft_tokens": 0, "accepted_tokens": 0}
        inputs |= {name: tape.choice(name, options) for name, options in choices.items()}
        traced = numbers(expect(case(**inputs, **fixed), boundary))
    drawn, states = [], []
    while len(drawn) < 28:
        names, places = chosen(draw, choices)
        values = run(draw, software, cap)
        try:
            drawn.append(names | values | fixed | {"wanted": case(**names, **values, **fixed)})
        except ParameterError:
            continue
        states.append(places | values)
    known = 0
    for given, got in zip(drawn, computed(page, tape, traced, states)):
        wanted, check = given.pop("wanted"), Check()
        read(check, **given)
        if check.problems:
            assert all(map(math.isnan, got)), (given, check.problems, got)
            continue
        known += math.isfinite(got[0])
        assert worst(got, list(map(float, numbers(expect(wanted, boundary))))) < 1e-12, given
    assert known >= 5


# Inputs of a plan for a speed -> the span from which they are drawn; the others stay as in data/ at times.
SPANS = {
    "prompt_tokens": (1, 4000), "output_tokens": (10, 2000), "peak_to_average": (1, 3), "max_load": (0.2, 1),
    "accelerators_per_server": (1, 16), "pue": (1, 2), "electricity_usd_per_kwh": (0.02, 0.3),
    "carbon_g_per_kwh": (10, 900), "site_water_l_per_kwh": (0.1, 2), "grid_water_l_per_kwh": (0.1, 20),
}  # fmt: skip


# Inputs that may be left out; a control of the page is no number then.
OPTIONAL = {
    "batch": (1, 2, 16, 128, 1000), "n_accelerators": (1, 2, 3, 4, 8, 12, 16, 64), "context_tokens": (0, 300, 8000),
    "max_step_tokens": (16, 512, 8192), "power_cap_w": (50, 300, 500, 1000), "host_power_w": (0, 800, 9000),
    "link_bytes_per_s": (2e10, 5e11), "network_bytes_per_s": (1e9, 1e11), "accelerator_usd_per_hour": (0, 2.5),
    "most_first_token_s": (0.02, 0.05, 0.2, 1), "memory_share": (0.3, 0.85, 1),
}  # fmt: skip


def asked(draw):
    """Numbers of a plan for a speed, or for a batch."""
    drafts = draw.choice(((0, 0), (3, 1.5)))
    values = {name: draw.uniform(*span) if draw.random() < 0.3 else default(name).value for name, span in SPANS.items()}
    return values | {
        "accelerators_per_server": draw.choice((1, 3, 4, 8, 8, 8, 10, 16, 72)),
        "queries_per_day": 10 ** draw.uniform(3, 9),
        "tokens_per_s_per_user": draw.choice((5, 20, 50, 100, draw.uniform(1, 300))),
        "cached_prompt_share": draw.choice((0, 0.5, 1)), "draft_tokens": drafts[0], "accepted_tokens": drafts[1],
        **{name: draw.choice(some) if draw.random() < 0.2 else None for name, some in OPTIONAL.items()},
    }  # fmt: skip


def told(found):
    """What a plan tells in numbers."""
    return [found.n_together, found.batch, *(end for one in found.results.values() for end in vars(one.range).values())]


@pytest.mark.parametrize("parallelism", ["tp", "pp"])
def test_the_page_plans_for_a_speed_as_python_does(page, parallelism):
    draw, choices = random.Random(parallelism), CHOICES | {"software": SERVED}
    with Tape() as tape:
        inputs = {name: tape.input(name) for name in asked(draw)}
        inputs |= {name: tape.choice(name, options) for name, options in choices.items()}
        traced = told(plan(**inputs, parallelism=parallelism))
    drawn = [(*chosen(draw, choices), asked(draw)) for _ in range(250)]
    states = [
        places | {name: math.nan if one is None else one for name, one in values.items()} for _, places, values in drawn
    ]
    known = 0
    for (names, _, values), page_told in zip(drawn, computed(page, tape, traced, states)):
        try:
            # A control that stands at its default was given by nobody.
            wanted = told(plan(**names, **own(**values), parallelism=parallelism))
        except ParameterError as problem:
            assert all(map(math.isnan, page_told)), (names, values, str(problem), page_told)
            continue
        known += 1
        assert worst(page_told, wanted) < 1e-12, (names, values, page_told[:2], wanted[:2])
    assert known > 50
