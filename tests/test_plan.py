"""Plans against a calculation by hand, and against themselves."""

import importlib
import inspect
import math
import random
import re

import numpy as np
import pytest

from llmpower import estimate, plan
from llmpower.arguments import ParameterError
from llmpower.plan import RESULTS, default
from llmpower.step import constants, served
from llmpower.text import plan_record
from llmpower.trace import Tape
from tests.conftest import BOOK

CASES = [
    {"model": "llama-3.1-70b", "accelerator": "h100-sxm", "queries_per_day": 1e7, "batch": 64},
    {"model": "llama-3.1-8b", "accelerator": "h200", "queries_per_day": 10, "tokens_per_s_per_user": 50,
     "prompt_tokens": 0},
    {"model": "qwen3-30b-a3b", "accelerator": "b200", "queries_per_day": 1e9, "batch": 256, "weight_format": "fp8",
     "pue": 1.1},
    {"model": "deepseek-v3", "accelerator": "b200", "queries_per_day": 1e8, "tokens_per_s_per_user": 20,
     "weight_format": "fp8", "parallelism": "ep"},
    {"model": "llama-3.1-405b", "accelerator": "a100", "queries_per_day": 1e6, "batch": 8, "host_power_w": 3000,
     "output_tokens": 2000},
]  # fmt: skip
GIVEN = {
    "prompt_tokens": 500, "output_tokens": 500, "peak_to_average": 1.23, "max_load": 0.7, "accelerators_per_server": 8,
    "host_power_w": 2150, "pue": 1.2, "electricity_usd_per_kwh": 0.0861, "carbon_g_per_kwh": 367,
    "site_water_l_per_kwh": 0.38, "grid_water_l_per_kwh": 7.6, "memory_share": 1,
}  # fmt: skip

estimator = importlib.import_module("llmpower.estimate")


@pytest.fixture
def simple_machine(monkeypatch):
    """Estimates of two accelerators that take 32 ms a step and 600 W each, whose energy is known to a tenth."""
    real, spans = served.step, constants.exam_errors(frozenset(), False)

    def step(*run):
        found = real(*run)
        parts = {name: getattr(found, name) for name in served.Step.__annotations__}
        return served.Step(**parts | {"time_s": 0.032, "energy_j": 0.032 * 1200})

    monkeypatch.setattr(served, "step", step)
    known = {
        "j_per_token": {"low_ratio": 0.9, "high_ratio": 1.1},
        "tokens_per_s": {"low_ratio": 1.0, "high_ratio": 1.0},
    }
    monkeypatch.setattr(
        constants, "exam_errors", lambda *asked, **more: {name: spans[name] | known[name] for name in known}
    )


def test_a_plan_by_hand(simple_machine):
    price = {"accelerator_usd_per_hour": 2}
    found = plan("llama-3.1-70b", "h100-sxm", 1e7, batch=64, n_accelerators=2, **GIVEN, **price)
    # 64 / 32 ms = 2000 tokens/s for two accelerators, 31.25 a user.
    assert found.tokens_per_s.central == pytest.approx(2000)
    assert found.tokens_per_s_per_user.central == pytest.approx(31.25)
    # At work: 2 x 600 W + 2 / 8 x 2150 W = 1737.5 W, x 1.2 = 2085 W, / 2000 = 1.0425 J.
    assert found.j_per_token_at_work.central == pytest.approx(1.0425)
    # 1e7 x 500 / 86400 = 57,870 tokens/s; x 1.23 / (1000 x 0.7) = 101.69 accelerators; 51 copies of two; 12.75 servers.
    assert (found.n_servers.central, found.n_accelerators.central) == (13, 104)
    # 13 x (8 x 700 W + 2150 W) x 1.2 = 120.9 kW.
    assert found.site_mw.central == pytest.approx(0.1209)
    # 57,870 / (104 x 1000) = 55.64 % of full, 35.6 of 64 sequences at once; these steps draw 600 W at any batch:
    # 8 x 600 + 2150 = 6950 W; x 13 x 1.2 = 108.42 kW.
    assert any("56 % of the full rate, a copy decodes 35.6 sequences at once" in note for note in found.notes)
    assert found.mean_mw.central == pytest.approx(0.10842, rel=1e-4)
    # 108.42 kW / 57,870 = 1.87350 J; x 500 / 3600 = 0.26021 Wh.
    assert found.j_per_token.central == pytest.approx(1.87350, rel=1e-4)
    assert found.wh_per_query.central == pytest.approx(0.26021, rel=1e-4)
    # 108.42 kW x 8760 h = 949.76 MWh; x 0.0861 = 81,774 usd; x 367 g = 348.6 t; / 1825e9 tokens = 0.04481 usd a
    # million.
    assert found.energy_gwh_per_year.central == pytest.approx(0.94976, rel=1e-4)
    assert found.electricity_usd_per_year.central == pytest.approx(81_774, rel=1e-4)
    assert found.carbon_t_per_year.central == pytest.approx(348.6, rel=1e-3)
    assert found.electricity_usd_per_million_tokens.central == pytest.approx(0.04481, rel=1e-3)
    # 348.6 t / 3.65e9 queries; a megawatt for 1e6 / 1.8735 tokens/s; 104 x 2 usd x 8760 = 1,822,080 usd and electricity
    # over 1825e9 tokens.
    assert found.carbon_g_per_query.central == pytest.approx(0.0955, rel=1e-3)
    assert found.tokens_per_s_per_mw.central == pytest.approx(533_760, rel=1e-4)
    assert found.usd_per_million_tokens.central == pytest.approx(1.0432, rel=1e-4)
    # 7519 m3 / 3.65e9 queries.
    assert found.water_ml_per_query.central == pytest.approx(2.060, rel=1e-3)
    # On site 949.76 MWh / 1.2 x 0.38 L = 300.8 m3; for electricity 949.76 MWh x 7.6 L = 7218.2 m3.
    assert found.water_m3_per_year.central == pytest.approx(7519, rel=1e-4)


def test_ends_by_hand(simple_machine):
    """Only the energy at work is uncertain, by a tenth; then the price, too."""
    found = plan("llama-3.1-70b", "h100-sxm", 1e7, batch=64, n_accelerators=2, **GIVEN)
    # Of 6950 W the accelerators draw 4800 W, so a tenth is 480 / 6950 = 6.906 %.
    assert found.mean_mw.high / found.mean_mw.central == pytest.approx(1.06906, rel=1e-4)
    assert found.mean_mw.low / found.mean_mw.central == pytest.approx(0.93094, rel=1e-4)
    # Nothing uncertain decides how much is built.
    assert found.site_mw.low == found.site_mw.central == found.site_mw.high
    inputs = {name: value for name, value in GIVEN.items() if name != "electricity_usd_per_kwh"}
    cost = plan("llama-3.1-70b", "h100-sxm", 1e7, batch=64, n_accelerators=2, **inputs).electricity_usd_per_year
    # Cheapest: 0.0821 / 0.0861 = 0.95354; exp(-root of ln(0.93094)^2 + ln(0.95354)^2) = exp(-0.08591) = 0.9177.
    assert cost.low / cost.central == pytest.approx(0.9177, rel=1e-4)
    # Dearest month over the mean: 0.0933 / 0.0861 = 1.08362; exp(root of ln(1.06906)^2 + ln(1.08362)^2) = exp(0.10451)
    # = 1.1102.
    assert cost.high / cost.central == pytest.approx(1.1102, rel=1e-4)


@pytest.mark.parametrize("case", CASES)
def test_nothing_is_lost_on_the_way(case):
    found = plan(**case)
    out = found.estimate.output_tokens
    for end in ("low", "central", "high"):

        def of(name, end=end):
            return getattr(getattr(found, name), end)

        # Megawatts by 8760 hours are gigawatt-hours; joules by tokens are watt-hours.
        assert of("mean_mw") * 8.76 == pytest.approx(of("energy_gwh_per_year"))
        assert of("j_per_token") * out / 3600 == pytest.approx(of("wh_per_query"))
        assert of("wh_per_query") * case["queries_per_day"] * 365 / 1e9 == pytest.approx(of("energy_gwh_per_year"))
    assert found.j_per_token.central > found.j_per_token_at_work.central
    assert found.mean_mw.central < found.site_mw.central
    assert found.n_servers.central * 8 == found.n_accelerators.central >= found.n_together


@pytest.mark.parametrize("case", CASES)
def test_ranges_are_ordered(case):
    found = plan(**case, accelerator_usd_per_hour=2)
    for name in RESULTS:
        one = getattr(found, name)
        assert 0 < one.low <= one.central <= one.high < math.inf, name
    assert found.mean_mw.low < found.mean_mw.central < found.mean_mw.high


@pytest.mark.parametrize(("batch", "target"), [(64, None), (None, 20)])
def test_a_limit_of_a_step_leaves_room_for_fewer_sequences(batch, target):
    given = {"batch": batch, "tokens_per_s_per_user": target, "max_step_tokens": 16}
    found = plan("llama-3.1-70b", "h100-sxm", 1e6, **given)
    # Each sequence sends its token and, once in 500 steps, a prompt of 500: 16 / (1 + 500 / 500).
    assert found.batch == 8
    alone = estimate("llama-3.1-70b", "h100-sxm", 2, 64, 500, 500, max_step_tokens=16)
    assert found.tokens_per_s.central == pytest.approx(alone.tokens_per_s) and alone.batch == 8
    assert any("leaves room for fewer" in note for note in found.notes) is (target is None)


@pytest.mark.parametrize(
    "given",
    [
        {"accelerators_per_server": 10, "tokens_per_s_per_user": 20},
        {"parallelism": "pp", "n_accelerators": 4, "tokens_per_s_per_user": 10},
        {"power_cap_w": 400, "tokens_per_s_per_user": 20},
        {"accelerators_per_server": 1, "n_accelerators": 8, "batch": 64},
        {"accelerators_per_server": 1, "tokens_per_s_per_user": 20},
    ],
)
def test_ends_are_sites_that_can_be(given):
    found = plan("llama-3.1-70b", "h100-sxm", 1e6, **given)
    # A site is built for what it draws at least, and holds whole copies.
    assert found.mean_mw.low <= found.site_mw.low and found.mean_mw.high <= found.site_mw.high
    for end in (found.n_accelerators.low, found.n_accelerators.central, found.n_accelerators.high):
        assert end % found.n_together == 0


@pytest.mark.parametrize("case", CASES)
def test_more_queries_need_no_less(case):
    plans = [plan(**case | {"queries_per_day": queries}) for queries in (1, 1e5, 1e7, 3e7, 1e9)]
    for name in ("n_servers", "site_mw", "mean_mw", "water_m3_per_year"):
        values = [getattr(found, name).central for found in plans]
        assert values == sorted(values) and values[0] < values[-1], name


@pytest.mark.parametrize(
    ("model", "accelerator", "target", "more"),
    [
        ("llama-3.1-70b", "h100-sxm", 30, {}),
        ("llama-3.1-70b", "h100-sxm", 70, {}),
        ("qwen3-30b-a3b", "h100-sxm", 40, {"prompt_tokens": 2000}),
        ("gpt-oss-120b", "b200", 100, {"weight_format": "mxfp4", "n_accelerators": 2}),
        ("llama-3.1-8b", "h100-sxm", 0.5, {"output_tokens": 20000}),
    ],
)
def test_the_largest_batch_that_is_quick_enough(model, accelerator, target, more):
    found = plan(model, accelerator, 1e6, tokens_per_s_per_user=target, **more)
    assert found.tokens_per_s_per_user.central >= target
    run = {name: value for name, value in more.items() if name != "n_accelerators"}
    sizes = {"prompt_tokens": 500, "output_tokens": 500} | run
    next_one = estimator.estimate(model, accelerator, np.array([float(found.n_together)]), found.batch + 1, **sizes)
    assert not next_one.fits[0] or next_one.tokens_per_s_per_user[0] < target
    if target == 0.5:
        assert not next_one.fits[0], "this one is meant to end at the memory"


def test_fewest_accelerators():
    def fewest(*args, **more):
        return plan(*args, 1e6, **{"batch": 8} | more).n_together

    # 141.1 GB of weights and 8 caches of 750 x 327,680 B = 2 GB in 0.9 x 80 GB each: two; at 8 bit 72.5 GB: two as
    # well, but one where all of its memory counts. 812 GB: more than eleven, so two servers of eight; three of four
    # would hold it, but 128 heads do not divide by twelve.
    assert fewest("llama-3.1-70b", "h100-sxm") == 2
    assert fewest("llama-3.1-70b", "h100-sxm", weight_format="fp8") == 2
    assert fewest("llama-3.1-70b", "h100-sxm", weight_format="fp8", memory_share=1) == 1
    assert fewest("llama-3.1-405b", "h100-sxm") == 16
    assert fewest("llama-3.1-405b", "h100-sxm", accelerators_per_server=4) == 16
    # 128 caches of 750 x 327,680 B = 31 GB more: 173 GB fit three, but threes do not fill a server.
    assert fewest("llama-3.1-70b", "h100-sxm", batch=128) == 4
    # Two hold it but are too slow.
    assert fewest("llama-3.1-70b", "h100-sxm", batch=None, tokens_per_s_per_user=70) > 2
    assert fewest("llama-3.1-70b", "h100-sxm", n_accelerators=3) == 3


def test_the_cheapest_copy_and_not_the_smallest():
    # https://luzbetak.github.io/Design/AI_Systems/LLM-Inference-Service.html: Llama-3.3-70B in FP8 takes two H100 a
    # copy, since one has too little room for caches. 70.6 GB of weights leave 1.4 of 0.9 x 80 GB: seven sequences of
    # 600 x 327,680 B = 0.2 GB.
    service = {"weight_format": "fp8", "prompt_tokens": 500, "output_tokens": 200, "tokens_per_s_per_user": 25}
    found = {n: plan("llama-3.3-70b", "h100-sxm", 2.16e7, n_accelerators=n, **service) for n in (None, 1, 2, 4, 8)}
    best = found.pop(None)
    assert best.n_together == 2 and found[1].batch == 7
    assert best.n_servers.central == min(one.n_servers.central for one in found.values()) < found[1].n_servers.central
    # Of equally many servers that with the least energy.
    rivals = [one for one in found.values() if one.n_servers.central == best.n_servers.central]
    assert best.estimate.j_per_token == min(one.estimate.j_per_token for one in rivals)
    assert any("fewest servers, then the least energy" in note for note in best.notes)
    # Sequences apart spread over servers where that is cheaper, matrices only where one server cannot hold them.
    wide = {"weight_format": "fp8", "tokens_per_s_per_user": 20}
    assert plan("deepseek-v3", "h200", 3e8, parallelism="dp", **wide).n_together > 8
    assert plan("deepseek-v3", "h200", 3e8, parallelism="ep", **wide).n_together == 8
    # A service that one server serves takes no more.
    assert plan("deepseek-v3", "h200", 1e4, parallelism="dp", **wide).n_servers.central == 1


def test_a_first_token_in_time():
    run = {"prompt_tokens": 4000, "output_tokens": 200, "tokens_per_s_per_user": 10}
    free = plan("llama-3.1-70b", "h100-sxm", 1e7, **run)
    limit = 0.8 * free.estimate.first_token_s
    held = plan("llama-3.1-70b", "h100-sxm", 1e7, most_first_token_s=limit, **run)
    assert held.estimate.first_token_s <= limit and held.tokens_per_s_per_user.central >= 10
    more = estimator.estimate("llama-3.1-70b", "h100-sxm", held.n_together, held.batch + 1, 4000, 200)
    assert more.first_token_s > limit or more.tokens_per_s_per_user < 10
    # It stands alone, too; then a user may be as slow as memory allows.
    alone = plan("llama-3.1-70b", "h100-sxm", 1e7, most_first_token_s=10, prompt_tokens=500, output_tokens=500)
    size = np.array([float(alone.n_together)])
    assert not estimator.estimate("llama-3.1-70b", "h100-sxm", size, alone.batch + 1, 500, 500).fits[0]
    # The thread of the test above wants 25 tokens/s and the first within 600 ms.
    thread = {"weight_format": "fp8", "prompt_tokens": 500, "output_tokens": 200, "tokens_per_s_per_user": 25}
    assert plan("llama-3.3-70b", "h100-sxm", 2.16e7, most_first_token_s=0.6, **thread).n_together == 2


def test_limits_out_of_reach_are_told_with_the_best_that_can_be_had():
    run = {"prompt_tokens": 4000, "output_tokens": 200}
    alone = [estimator.estimate("llama-3.1-70b", "h100-sxm", n, 1, **run) for n in (2, 4, 8)]
    soonest = min(one.first_token_s for one in alone)
    said = {
        (
            10,
            0.01,
        ): f"most_first_token_s: got 0.01; 8 x h100-sxm give a user a first token after {soonest:.3g} at least",
        (5000, 0.01): "tokens_per_s_per_user: got 5,000; 8 x h100-sxm give a user",
    }
    for (speed, first), words in said.items():
        with pytest.raises(ParameterError) as error:
            plan("llama-3.1-70b", "h100-sxm", 1e6, tokens_per_s_per_user=speed, most_first_token_s=first, **run)
        assert words in str(error.value)


def test_users_at_once_by_hand(simple_machine):
    run = {"batch": 64, "n_accelerators": 2, **GIVEN}
    found = plan("llama-3.1-70b", "h100-sxm", 1e7, **run)
    # 31.25 tokens/s a user: 500 take 16 s. 1e7 / 86400 x 1.23 = 142.36 a second at the peak, each for 16 s.
    assert found.users_at_once.central == pytest.approx(2277.8, rel=1e-4)
    # 200 users of 31.25 tokens/s, as many at the peak: 12.5 answers a second, / 1.23 on average.
    of_users = plan("llama-3.1-70b", "h100-sxm", users_at_once=200, **run)
    assert of_users.queries_per_day == pytest.approx(12.5 / 1.23 * 86400)
    assert of_users.users_at_once.central == pytest.approx(200)
    for both in ({}, {"users_at_once": 10, "queries_per_day": 10}):
        with pytest.raises(ParameterError, match="queries_per_day, users_at_once: give one of them"):
            plan("llama-3.1-70b", "h100-sxm", **run, **both)


def test_two_pools_add_up():
    run = {"prompt_tokens": 2000, "output_tokens": 400, "accelerator_usd_per_hour": 2, "weight_format": "fp8"}
    both = plan("llama-3.1-70b", "h200", 1e8, tokens_per_s_per_user=30, pools=2, **run)
    answers = plan("llama-3.1-70b", "h200", 1e8, tokens_per_s_per_user=30, cached_prompt_share=1, **run)
    assert both.batch == answers.batch and both.tokens_per_s == answers.tokens_per_s
    prompts = both.prompts
    told = str(both)
    assert f"answers, on {answers.n_accelerators.central:,} accelerators: a copy of" in told
    assert f"prompts, on {prompts.n_accelerators.central:,} accelerators: a copy of" in told
    # A pool that reads writes one token for each prompt; five prompts of 2,000 fill a step of 8,192.
    assert prompts.estimate.output_tokens == 1 and prompts.batch == 5
    for name in ("n_accelerators", "n_servers", "wh_per_query", "site_mw", "carbon_g_per_query"):
        assert getattr(both, name).central == pytest.approx(
            getattr(answers, name).central + getattr(prompts, name).central
        )
    # 3,600 J are a watt-hour; a million tokens are 2,500 answers of 400.
    assert both.j_per_token.central * 400 / 3600 == pytest.approx(both.wh_per_query.central)
    power = both.mean_mw.central * both.tokens_per_s_per_mw.central
    assert power == pytest.approx(1e8 * 400 / 86400)
    hours = 1e6 / (1e8 * 400 / 86400) / 3600
    machines = 2 * both.n_accelerators.central * hours
    assert both.usd_per_million_tokens.central == pytest.approx(
        machines + both.electricity_usd_per_million_tokens.central
    )
    # The limit of a first token is one of those who read.
    soon = plan("llama-3.1-70b", "h200", 1e8, tokens_per_s_per_user=30, most_first_token_s=0.3, pools=2, **run)
    assert soon.prompts.estimate.first_token_s <= 0.3 < prompts.estimate.first_token_s and soon.batch == both.batch
    with pytest.raises(ParameterError, match="pools: got 2; no token of a prompt is computed"):
        plan("llama-3.1-70b", "h200", 1e8, batch=8, pools=2, cached_prompt_share=1)
    with pytest.raises(ParameterError, match="pools: got 3; allowed is a whole number from 1 to 2"):
        plan("llama-3.1-70b", "h200", 1e8, batch=8, pools=3)


def test_the_service_of_deepseek_takes_about_as_many_boards_as_it_published():
    # deepseek2025system: 608e9 tokens in, 56.3 % of them from a cache, and 168e9 out a day, at 20 to 22 tokens/s a user
    # with 4,989 tokens in a cache; 226.75 servers of eight H800 on average, 278 at the peak. 3.36e8 answers of 500.
    run = {"prompt_tokens": 608e9 / 3.36e8, "cached_prompt_share": 0.563, "output_tokens": 500, "context_tokens": 4989}
    run |= {"weight_format": "fp8", "parallelism": "dp", "tokens_per_s_per_user": 21, "max_load": 1}
    found = plan("deepseek-v3", "h800", 3.36e8, peak_to_average=278 / 226.75, pools=2, **run)
    # Published layouts with sequences apart ran at 0.3 to 1.3 times our speed, so 0.6 to 1.7 is as near as can be said.
    assert 0.6 < found.n_accelerators.central / 2224 < 1.7
    assert found.n_accelerators.low < 1.1 * 2224
    # 73,700 tokens/s read by a server, those from the cache counted.
    a_server = 8 * found.prompts.bill.served_tokens_per_s * run["prompt_tokens"]
    assert a_server == pytest.approx(73_700, rel=0.25)
    # On one pool, with every board at both, it takes more.
    assert plan("deepseek-v3", "h800", 3.36e8, **run).n_accelerators.central > found.n_accelerators.central


def test_a_copy_does_not_straddle_servers():
    found = plan("llama-3.1-70b", "h100-sxm", 1e7, batch=64, n_accelerators=3)
    # Two copies of three in a server of eight, two accelerators to spare.
    copies = math.ceil(found.bill.accelerators_needed / 3)
    assert found.n_servers.central == math.ceil(copies / 2)
    # nvidia2026basepod: an adapter of 400 Gb/s for each accelerator.
    several = "between servers data travel at 50 GB/s each"
    assert several in " ".join(plan("llama-3.1-405b", "h100-sxm", 1e6, batch=1).notes)
    assert several not in " ".join(found.notes)


def test_what_is_given_is_certain_and_what_is_not_is_listed():
    least = plan("llama-3.1-70b", "h100-sxm", 1e7, batch=64)
    keys = set(
        re.findall(r"^@\w+\{(\S+),", (BOOK / "data" / "references.bib").read_text(encoding="utf-8"), re.MULTILINE)
    )
    for one in least.assumptions:
        assert one.source == "convention" or set(one.source.split(";")) <= keys, one
        assert one.note
        assert one.low is None or one.low <= one.value <= one.high
    optional = {name for name, one in inspect.signature(plan).parameters.items() if one.default is None}
    assumed = {one.name for one in least.assumptions}
    # The context follows from the lengths and is told as a note; the rest is the usual operating point.
    usual = {"cached_prompt_share", "draft_tokens", "accepted_tokens", "max_step_tokens", "power_cap_w"}
    usual |= {"link_bytes_per_s", "network_bytes_per_s"}
    # Nobody pays for machines whose price is not known.
    usual |= {"accelerator_usd_per_hour"}
    # Nothing was measured.
    usual |= {"measured_tokens_per_s", "measured_power_w", "measured_batch"}
    limits = {"tokens_per_s_per_user", "most_first_token_s"}
    assert optional - assumed == {"batch", "context_tokens", "queries_per_day", "users_at_once"} | limits | usual
    assert any("context" in note for note in least.notes)
    most = plan(
        "llama-3.1-70b",
        "h100-sxm",
        1e7,
        batch=64,
        n_accelerators=2,
        kv_format="bf16",
        parallelism="tp",
        software="vllm",
        **GIVEN,
    )
    assert {one.name for one in most.assumptions} == {"idle_w", "estimate"}
    # The same values, but certain; of the site only the energy of the accelerators is not.
    own = most.estimate
    assert most.j_per_token_at_work.high - most.j_per_token_at_work.central == pytest.approx(
        1.2
        * (
            estimator.estimate(
                "llama-3.1-70b", "h100-sxm", 2, 64, 500, 500, software="vllm", memory_share=1
            ).j_per_token
            * (own.spans["j_per_token"]["high_ratio"] - 1)
        )
    )
    least = plan("llama-3.1-70b", "h100-sxm", 1e7, batch=64, software="vllm", memory_share=1)
    assert most.mean_mw.central == pytest.approx(least.mean_mw.central)
    assert least.mean_mw.low < most.mean_mw.low < most.mean_mw.high < least.mean_mw.high


def test_what_is_given_is_used():
    base = plan("llama-3.1-70b", "h100-sxm", 1e9, batch=64, **GIVEN)
    twice = plan("llama-3.1-70b", "h100-sxm", 1e9, batch=64, **GIVEN | {"pue": 2.4})
    assert twice.j_per_token_at_work.central == pytest.approx(2 * base.j_per_token_at_work.central)
    assert twice.site_mw.central == pytest.approx(2 * base.site_mw.central)
    bare = plan("llama-3.1-70b", "h100-sxm", 1e9, batch=64, **GIVEN | {"host_power_w": 0})
    # 1.2 x 2 / 8 x 2150 W for each copy.
    more = (base.j_per_token_at_work.central - bare.j_per_token_at_work.central) * base.tokens_per_s.central
    assert more == pytest.approx(645)
    dry = plan(
        "llama-3.1-70b", "h100-sxm", 1e9, batch=64, **GIVEN | {"site_water_l_per_kwh": 0, "grid_water_l_per_kwh": 0}
    )
    assert (dry.water_m3_per_year.low, dry.water_m3_per_year.high) == (0, 0)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"model": "lama-3.1-70b"}, "model: no model is called 'lama-3.1-70b'; did you mean llama-3.1-70b"),
        ({"accelerator": "h1000"}, "accelerator: no accelerator is called 'h1000'"),
        ({"weight_format": "fp3"}, "weight_format: no format is called 'fp3'"),
        ({"kv_format": "fp3"}, "kv_format: no format is called 'fp3'"),
        ({"parallelism": "pq"}, "parallelism: got 'pq'; "),
        ({"queries_per_day": 0}, "queries_per_day: got 0; allowed is a number from 1 to 1e+13 [1/day]"),
        ({"queries_per_day": math.inf}, "queries_per_day: got inf; "),
        ({"batch": 1e9}, "batch: got 1000000000.0; allowed is a number from 1 to 1,000,000 [count]"),
        ({"batch": [1, 8]}, "batch: got [1, 8]; "),
        ({"batch": True}, "batch: got True; "),
        ({"batch": None}, "batch, tokens_per_s_per_user: give one of them"),
        ({"tokens_per_s_per_user": 20}, "batch, tokens_per_s_per_user: give one of them"),
        ({"batch": None, "tokens_per_s_per_user": -1}, "tokens_per_s_per_user: got -1; "),
        ({"n_accelerators": 2.5}, "n_accelerators: got 2.5; allowed is a whole number"),
        (
            {"n_accelerators": 1},
            "n_accelerators: got 1; llama-3.1-70b with 64 sequences of 750 tokens misses 84.8 GB on 1 x h100-sxm; "
            "4 would do",
        ),
        ({"prompt_tokens": math.nan}, "prompt_tokens: got nan; "),
        ({"output_tokens": "many"}, "output_tokens: got 'many'; "),
        ({"context_tokens": -1}, "context_tokens: got -1; "),
        ({"peak_to_average": 0.5}, "peak_to_average: got 0.5; allowed is a number from 1 "),
        ({"max_load": 1.1}, "max_load: got 1.1; allowed is a number from 0.01 to 1 "),
        ({"accelerators_per_server": 0}, "accelerators_per_server: got 0; allowed is a whole number"),
        ({"host_power_w": -5}, "host_power_w: got -5; allowed is a number from 0 to 1,000,000 [W]"),
        ({"pue": 0.9}, "pue: got 0.9; allowed is a number from 1 to 5 "),
        ({"electricity_usd_per_kwh": 0}, "electricity_usd_per_kwh: got 0; "),
        ({"carbon_g_per_kwh": -1}, "carbon_g_per_kwh: got -1; "),
        ({"site_water_l_per_kwh": -1}, "site_water_l_per_kwh: got -1; "),
        (
            {"grid_water_l_per_kwh": "wet"},
            "grid_water_l_per_kwh: got 'wet'; allowed is a number from 0 to 1,000 [L/kWh]",
        ),
    ],
)
def test_each_wrong_input(change, said):
    with pytest.raises(ParameterError) as error:
        plan(**{"model": "llama-3.1-70b", "accelerator": "h100-sxm", "queries_per_day": 1e6, "batch": 64} | change)
    assert len(error.value.problems) == 1
    assert said in str(error.value)


def test_all_wrong_inputs_at_once():
    with pytest.raises(ParameterError) as error:
        plan(
            "lama",
            "h1000",
            math.nan,
            "fp3",
            kv_format="x",
            parallelism="y",
            n_accelerators=0,
            pue=0,
            max_load=0,
            context_tokens="z",
        )
    named = {problem.partition(":")[0] for problem in error.value.problems}
    assert named == {
        "model",
        "accelerator",
        "queries_per_day",
        "weight_format",
        "kv_format",
        "parallelism",
        "n_accelerators",
        "pue",
        "max_load",
        "context_tokens",
        "batch, tokens_per_s_per_user",
    }


def test_a_speed_that_cannot_be_had_is_told_with_the_best_that_can():
    with pytest.raises(ParameterError) as error:
        plan("llama-3.1-70b", "h100-sxm", 1e6, tokens_per_s_per_user=5000)
    best = max(estimator.estimate("llama-3.1-70b", "h100-sxm", n, 1, 500, 500).tokens_per_s_per_user for n in (2, 4, 8))
    assert f"give a user {best:.3g} at most" in str(error.value)
    with pytest.raises(ParameterError, match="2 x h100-sxm give a user"):
        plan("llama-3.1-70b", "h100-sxm", 1e6, tokens_per_s_per_user=5000, n_accelerators=2)


def test_a_model_that_no_machine_of_the_kind_holds():
    # No link between these cards is known, so a copy is one of them.
    with pytest.raises(ParameterError, match=r"misses .* GB on 1 x t4; .* no bandwidth between accelerators"):
        plan("llama-3.1-70b", "t4", 1e6, tokens_per_s_per_user=1)
    # One that somebody gives is known: 141.1 GB over 0.9 x 16 GB are ten, in two servers of eight.
    assert plan("llama-3.1-70b", "t4", 1e6, batch=1, link_bytes_per_s=1e10).n_together == 16


def test_a_cap_is_what_a_site_is_built_for():
    run = {"batch": 64, "n_accelerators": 2, "software": "vllm", **GIVEN}
    free, capped = (plan("llama-3.1-70b", "h100-sxm", 1e7, power_cap_w=watts, **run) for watts in (700, 400))
    # A server of eight: 8 x 400 W beside 2,150 W, times 1.2.
    assert capped.site_mw.central == pytest.approx(capped.n_servers.central * (8 * 400 + 2150) * 1.2e-6)
    assert capped.n_servers.central >= free.n_servers.central and capped.site_mw.central < free.site_mw.central
    assert capped.j_per_token_at_work.central < free.j_per_token_at_work.central
    assert capped.estimate.power_cap_w == 400


def test_prompts_in_a_cache_cost_nothing():
    run = {"batch": 64, "n_accelerators": 2, "software": "vllm", **GIVEN}
    none, half = (plan("llama-3.1-70b", "h100-sxm", 1e7, cached_prompt_share=share, **run) for share in (0, 0.5))
    short = plan("llama-3.1-70b", "h100-sxm", 1e7, context_tokens=750, **run | {"prompt_tokens": 250})
    # Half of 500 tokens is computed; caches are as long as before, 500 + 500 / 2.
    assert half.tokens_per_s.central == pytest.approx(short.tokens_per_s.central)
    assert half.wh_per_query.central < none.wh_per_query.central


# Input of a plan -> the span of it from which a test draws; ends of some are those of the defaults.
TRACED = {
    "queries_per_day": (1e3, 5e9), "prompt_tokens": (1, 4000), "output_tokens": (10, 2000), "batch": (1, 256),
    "peak_to_average": (1, 3), "max_load": (0.2, 1), "accelerators_per_server": (1, 16), "pue": (1, 2),
    "electricity_usd_per_kwh": (0.02, 0.3), "carbon_g_per_kwh": (10, 900), "site_water_l_per_kwh": (0.1, 2),
}  # fmt: skip


def test_a_traced_plan_is_the_same_plan():
    draw, models, machines = random.Random(1), ["llama-3.1-8b", "llama-3.1-70b", "deepseek-v3"], ["h100-sxm", "b200"]

    def numbers(found):
        return [end for one in found.results.values() for end in vars(one.range).values()]

    with Tape() as tape:
        inputs = {name: tape.input(name) for name in TRACED}
        chosen = tape.choice("model", models), tape.choice("accelerator", machines)
        traced = numbers(plan(*chosen, software="vllm", **inputs))
    for number in range(60):
        state = {name: draw.uniform(*span) for name, span in TRACED.items()}
        state |= {name: round(state[name]) for name in ("batch", "accelerators_per_server")}
        # A control that stands at its default was given by nobody.
        state |= {"pue": default("pue").value} if number % 2 else {}
        given = {name: value for name, value in state.items() if name != "pue" or number % 2 == 0}
        model, machine = draw.choice(models), draw.choice(machines)
        found = tape.values(traced, state | {"model": models.index(model), "accelerator": machines.index(machine)})
        try:
            assert found == pytest.approx(
                numbers(plan(model, machine, software="vllm", **given)), rel=1e-12, nan_ok=True
            )
        except ParameterError:
            assert all(map(math.isnan, found))


def test_a_plan_of_which_the_batch_alone_is_traced():
    with Tape() as tape:
        found = plan("llama-3.1-70b", "h100-sxm", 1e8, batch=tape.input("batch"))
    for batch in (1, 40, 500):
        plain = plan("llama-3.1-70b", "h100-sxm", 1e8, batch=batch)
        assert tape.values([found.site_mw.high], {"batch": batch}) == pytest.approx([plain.site_mw.high], rel=1e-12)


def test_a_plan_takes_formats_by_part():
    run = {"queries_per_day": 1e6, "batch": 128}
    mixed, plain = (plan("gpt-oss-120b", "b200", weight_format=one, **run) for one in ("mxfp4,rest=fp8", "mxfp4"))
    # 1.55 billion weights and an embedding of 201,088 x 2,880 in 8 bit instead of 16; a step reads less, too.
    saved = plain.estimate.memory_bytes["weights"] - mixed.estimate.memory_bytes["weights"]
    assert saved == pytest.approx(1_548_424_512 + 201_088 * 2_880)
    assert mixed.estimate.tokens_per_s > plain.estimate.tokens_per_s
    assert plan_record(mixed)["inputs"]["weight_format"] == "mxfp4,rest=fp8"


@pytest.mark.parametrize(
    ("asked", "more"),
    [
        (("phi-4", "gb300", 100), {"batch": 1, "power_cap_w": 220}),
        (("qwen3-8b", "h100-sxm", 1e6), {"batch": 4, "n_accelerators": 1, "measured_power_w": 900}),
    ],
)
def test_no_site_draws_more_than_it_is_built_for(asked, more):
    found = plan(*asked, **more)
    assert found.mean_mw.central <= found.site_mw.central * (1 + 1e-12)
    assert found.site_mw.low <= found.site_mw.central
