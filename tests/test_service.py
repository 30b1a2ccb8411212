"""The bill of a service against the article, published figures and itself."""

import functools
import random
from dataclasses import replace

import numpy
import pytest

from llmpower import case, estimate, plan, service
from llmpower.book.parameters import parameters
from llmpower.estimate import expect
from llmpower.facts import catalog
from llmpower.facts.claims import claim
from llmpower.facts.quantities import quantities
from llmpower.facts.stand_ins import completed
from llmpower.facts.units import in_unit
from llmpower.trace import Tape
from tests.conftest import BOOK

CHAPTER = BOOK / "chapters" / "datacenter-scale.ipynb"
DEFAULTS = {name: one.default for name, one in parameters(CHAPTER).items()}
fact = functools.partial(catalog.fact, "datacenter.csv")
# A bill by hand: 1000 tokens/s and 600 W a board at full load, 300 W waiting, 450 W at half load, 2 kW a host.
INPUTS = {
    name: value
    for name, value in DEFAULTS.items()
    if name not in ("training_gwh", "site_mw", "rack_kw", "weight_format", "software", "power_cap_w")
} | {
    "model": catalog.model("llama-3.1-70b"),
    "accelerator": catalog.accelerator("h100-sxm"),
    "tokens_per_s_per_accelerator": 1000,
    "busy_w": 600,
    "part_load": ((0.0, 0.5, 1.0), (0.5, 0.75, 1.0)),
    "host_power_w": 2000,
}


def test_the_article_as_it_counts():
    found = service.article_bill(service.Bill(**INPUTS), 0)
    # Lines 114 to 119: 100e6 x 500 / 86400 = 578,704 a second, / 150 = 3858.02; 483 servers of 8 x 700 W.
    assert found.output_tokens_per_s == pytest.approx(578_703.7, rel=1e-6)
    assert found.accelerators_needed == pytest.approx(3858.02, rel=1e-5)
    assert found.n_servers == 483
    assert found.boards_w == pytest.approx(2.7e6, rel=2e-3)
    assert found.site_w == pytest.approx(4.05e6, rel=2e-3)
    # Not a percent above the printed 35 GWh: the article rounds 4.05 MW down to 4.0.
    assert found.energy_j == pytest.approx(35e9 * 3600, rel=0.015)
    assert found.query_usd == pytest.approx(claim("C55").value, rel=0.015)


def test_whole_servers_as_the_ledger_has_them():
    found = service.article_bill(service.Bill(**INPUTS), 4600)
    # 483 x 10.2 kW = 4.93 MW; x 1.5 = 7.39 MW.
    assert found.it_w == pytest.approx(4.9266e6)
    assert found.site_w == pytest.approx(7.3899e6)


def test_the_bill_by_hand():
    found = service.Bill(**INPUTS)
    # 2.5e9 x 500 / 86400 = 14.468e6 tokens/s; x 1.23 / (1000 x 0.7) = 25,422 boards, 3,178 servers with 25,424.
    assert (found.n_servers, found.n_accelerators) == (3178, 25_424)
    # Rated 8 x 700 + 2000 = 7.6 kW each; x 3178 = 24.15 MW, x 1.2 = 28.98 MW.
    assert found.site_w == pytest.approx(28.98e6, rel=1e-3)
    # 14.468e6 / 25.424e6 = 0.5691 of full: 0.75 + 0.0691 / 0.5 x 0.25 = 0.7845 of 600 W is 470.7 W.
    assert found.mean_w == pytest.approx(470.7, rel=1e-3)
    # 8 x 470.7 + 2000 = 5766 W; x 3178 x 1.2 = 21.99 MW; / 28,935 a second = 759.9 J.
    assert found.query_j == pytest.approx(759.9, rel=1e-3)
    # 759.9 J / 500 x 1e6 / 3.6e6 x 0.0861 usd.
    assert found.tokens_usd(10**6) == pytest.approx(0.03635, rel=1e-3)


def test_the_bound_by_hand():
    four = case("llama-3.1-70b", "h100-sxm", n_accelerators=4, batch=128, prompt_tokens=500, output_tokens=500)
    found = service.speed(four)
    # 139.0 GB and 128 x 750 x 327,680 B = 31.5 GB over 4 x 3.35 TB/s: 12.72 ms, 128 / 12.72 ms / 4 = 2515 a second.
    assert found.decode_tokens_per_s == pytest.approx(2515, rel=2e-3)
    # A prompt token takes 139.0 + 0.66 GFLOP at 989 TFLOP/s: 7081 a second; 500 / (500 / 7081 + 500 / 2515) = 1856.
    assert found.served_tokens_per_s == pytest.approx(1856, rel=1e-3)
    # 141.1 + 31.5 = 172.6 GB fill three boards of 80 GB.
    assert service.bounded(four).n_accelerators == 3


def test_copies_fill_servers_and_divide_heads():
    def sizes(model, accelerator, per_server=8):
        return [int(one.n_accelerators) for one in service.copies(case(model, accelerator), per_server)]

    # 64 heads over 1, 2, 4, 8 and whole servers of eight; three boards cannot serve them, nor can 24.
    assert sizes("llama-3.1-70b", "h100-sxm") == [1, 2, 4, 8, 16, 32, 64]
    # 40 heads: 1, 2, 4, 8, and five servers.
    assert sizes("qwen2.5-32b", "h100-sxm") == [1, 2, 4, 8, 40]
    # A bus links cards in a computer; nothing is known that links these, and this one stands alone.
    assert sizes("llama-3.1-8b", "rtx-4090", 4) == [1, 2, 4, 8, 16, 32]
    assert sizes("llama-3.1-8b", "rtx-4060") == sizes("llama-3.1-8b", "dgx-spark") == [1]


def test_part_load_is_that_of_smaller_batches():
    run = {"n_accelerators": 4, "prompt_tokens": 500, "output_tokens": 500}
    full, few = (estimate("llama-3.1-70b", "h100-sxm", batch=batch, **run) for batch in (128, 32))
    load = few.tokens_per_s / full.tokens_per_s
    loads, shares = service.part_load(full, 114)
    assert numpy.interp(load, loads, shares) == pytest.approx(few.power_w / full.power_w, rel=0.01)
    assert service.batch_at(full, load) == pytest.approx(32, rel=0.02)
    # Waiting: 4 x 114 W of what four draw at full load.
    assert (loads[0], shares[0]) == (0, pytest.approx(456 / full.power_w))
    # A node of four that answered a request a second drew 2.07 of its 2.8 kW, processors included; a board alone
    # falls further, since half of a kilowatt of those is processors.
    slow = fact("h100-node-serving-slowly", "power_w").value / fact("h100-node-serving", "power_w").value
    assert 0.5 < numpy.interp(0.04, loads, shares) < slow
    assert list(shares) == sorted(shares)


def test_an_accelerator_waits_with_its_clocks_up():
    # Our rows: 114.4 W on the first H100, rated 700 W; 122.7 W on the H200.
    assert service.waiting_w(catalog.accelerator("h100-sxm"))[1] == pytest.approx(114.4, abs=0.05)
    assert service.waiting_w(catalog.accelerator("h200-sxm"))[1] == pytest.approx(122.7, abs=0.05)
    # Scaled to 1,000 W: 163 W; a listing of a B200 with a network in its memory shows 192 W.
    assert service.waiting_w(catalog.accelerator("b200"))[1] == pytest.approx(163.4, abs=0.5)


def test_a_card_that_waits_lets_its_clocks_fall():
    def waits(name):
        low, value, high, _, source = service.waiting_w(completed(catalog.accelerator(name)))
        assert low <= value <= high
        return low, value, high, source

    # linuxprofessional2026power: 10 to 25 W for consumer cards, and 5 to 15 W more with a model loaded.
    assert waits("rtx-4090") == (15, 27.5, 40, "linuxprofessional2026power")
    # A card of which nobody says it: 115 W times the middle one of 16 / 350, 27.5 / 450 and 17.5 / 575, which is
    # 0.0457; the least is 8 / 575, the most 106 / 575.
    assert waits("rtx-4060")[:3] == pytest.approx((115 * 8 / 575, 115 * 16 / 350, 115 * 106 / 575))
    # Apple's figure for a Mac Studio that is on, at the wall.
    assert waits("m3-ultra")[1] == 9
    # What somebody types is what counts, for whatever machine.
    assert waits("rtx-4090,idle_w=12")[:3] == (12, 12, 12) and waits("h100-sxm,idle_w=60")[1] == 60


def test_the_bill_of_a_card_at_home_spans_what_it_draws_waiting():
    home = {"queries_per_day": 200, "batch": 1, "accelerators_per_server": 1, "host_power_w": 70, "pue": 1}
    found = plan("qwen3-8b", "rtx-4090", **home, electricity_usd_per_kwh=0.3)
    # 12.5 W less or more, most of the day.
    assert (
        found.mean_mw.low < found.mean_mw.central - 0.011e-3 and found.mean_mw.central + 0.011e-3 < found.mean_mw.high
    )
    (idle,) = (one for one in found.assumptions if one.name == "idle_w")
    assert (idle.low, idle.value, idle.high) == (15, 27.5, 40)


def test_published_energies_per_query_lie_between_batches():
    # Google's 0.24 Wh, measured, and Epoch AI's 0.3 Wh, estimated, by other roads.
    small, large = (plan("llama-3.1-70b", "h100-sxm", 2.5e9, batch=batch).wh_per_query.central for batch in (64, 512))
    for entity in ("gemini-text-prompt", "gpt-4o-query"):
        assert large < in_unit(fact(entity, "query_energy_j").value, "Wh") < small


@pytest.mark.parametrize(
    ("name", "entity", "quantity", "unit"),
    [
        ("queries_per_day", "chatgpt-2025", "queries_per_s", "1/day"),
        ("output_tokens_per_query", "gpt-4o-query", "tokens_per_query", "1"),
        ("prompt_tokens_per_query", "planning", "prompt_tokens_per_query", "1"),
        ("peak_to_average", "deepseek-v3-r1-service", "peak_to_average", "1"),
        ("max_load", "planning", "max_load", "1"),
        ("accelerators_per_server", "dgx-h100", "n_accelerators", "1"),
        ("pue", "gpt-4o-query", "pue", "1"),
        ("electricity_usd_per_kwh", "us-industrial-2025", "electricity_price_usd_per_j", "usd/kWh"),
        ("carbon_g_per_kwh", "us-grid", "carbon_kg_per_j", "g/kWh"),
        ("site_water_l_per_kwh", "us-fleet-model", "water_m3_per_j", "L/kWh"),
        ("grid_water_l_per_kwh", "us-electricity-2023", "water_m3_per_j", "L/kWh"),
        ("training_gwh", "gpt-4-training", "training_energy_j", "GWh"),
        ("site_mw", "datacenter-hyperscale", "site_power_w", "MW"),
        ("rack_kw", "rack-average-afcom", "rack_power_w", "kW"),
    ],
)
def test_defaults_are_the_sourced_facts(name, entity, quantity, unit):
    assert in_unit(fact(entity, quantity).value, unit) == pytest.approx(DEFAULTS[name], rel=1e-3)
    if name != "queries_per_day":
        assert quantities()[name].unit == unit


def test_the_price_of_an_accelerator_is_the_sourced_one():
    own = parameters(BOOK / "chapters" / "what-if.ipynb")["accelerator_usd_per_hour"].default
    assert in_unit(fact("deepseek-v3-r1-service", "accelerator_cost_usd_per_s").value, "usd/h") == pytest.approx(own)


def test_what_a_per_cent_of_an_input_moves():
    bill = service.Bill(**INPUTS)
    found = service.elasticities(bill, ["pue", "electricity_usd_per_kwh", "busy_w", "host_power_w"])
    # A query's energy is the site factor times the rest, and no price is in it.
    assert found["pue"] == pytest.approx(1) and found["electricity_usd_per_kwh"] == 0
    # Of a sum a part has the elasticity of its share, but for the curve over a tenth: 3766 W of 5766 W, see below.
    assert found["busy_w"] == pytest.approx(3766 / 5766, abs=0.001)
    assert found["host_power_w"] == pytest.approx(2000 / 5766, abs=0.001)


def test_steps_add_up_to_the_site():
    found = service.Bill(**INPUTS)
    assert sum(found.steps_w.values()) == pytest.approx(found.site_w)
    assert found.site_mean_w < found.site_w
    drawn = {name: watts / found.site_mean_w for name, watts in found.drawn_w.items()}
    # A server: 8 x 470.7 = 3766 W and 2000 W, x 1.2 = 6919 W.
    assert drawn == pytest.approx({"boards": 0.544, "host": 0.289, "overhead": 0.167}, abs=0.001)


def test_a_small_service_still_holds_the_model_once():
    found = plan("llama-3.1-405b", "h100-sxm", queries_per_day=1, batch=64)
    # 812 GB of weights alone are eleven boards of 80 GB, two servers.
    assert found.n_servers.central == 2
    assert found.bill.mean_load < 1e-5


def test_a_site_holds_whole_servers():
    found = service.site(30, 12, service.Bill(**INPUTS))
    # 30 MW / 1.2 = 25 MW: 2083 racks of 12 kW that hold one server each, power for 3289 of 7.6 kW.
    assert (found.n_racks, found.servers_per_rack, found.n_by_power, found.n_servers) == (2083, 1, 3289, 2083)
    # Racks that feed no server must be rebuilt: power alone counts.
    found = service.site(30, 7, service.Bill(**INPUTS))
    assert (found.servers_per_rack, found.n_servers) == (0, 3289)


# Input of a service -> the span of it from which a test draws.
TRACED = {
    "queries_per_day": (1e3, 5e9), "prompt_tokens_per_query": (0, 5e3), "output_tokens_per_query": (50, 2e3),
    "tokens_per_s_per_accelerator": (20, 5e3), "peak_to_average": (1, 3), "max_load": (0.3, 1),
    "host_power_w": (0, 5e3), "busy_w": (200, 700), "pue": (1, 2), "n_together": (1, 40), "batch": (1, 512),
    "accelerators_per_server": (1, 16), "power_cap_w": (300, 900), "electricity_usd_per_kwh": (0.02, 0.4),
    "site_water_l_per_kwh": (0, 2),
}  # fmt: skip
WHOLE = ("n_together", "accelerators_per_server", "batch")


def results(bill, found):
    """What a service and a site come to, of which some follow from the copy at work."""
    bill = replace(bill, part_load=service.part_load(found, 114.4))
    room = vars(service.site(30, 12, bill))
    names = (
        "n_servers",
        "tdp_w",
        "mean_w",
        "site_w",
        "cost_usd",
        "carbon_kg",
        "query_water_m3",
        "token_j",
        "households",
    )
    named = {name: getattr(bill, name) for name in names}
    return named | room | bill.steps_w | bill.drawn_w | {"at": service.batch_at(found, bill.mean_load)}


def test_a_traced_service_is_the_same_service():
    draw = random.Random(3)

    def run(batch):
        lengths = {"prompt_tokens": 500, "output_tokens": 500}
        return expect(case("llama-3.1-70b", "h100-sxm", n_accelerators=4, batch=batch, **lengths))

    with Tape() as tape:
        inputs = {name: tape.input(name) for name in TRACED}
        traced = results(service.Bill(**INPUTS | inputs), run(inputs["batch"]))
    for _ in range(50):
        state = {name: draw.uniform(*span) for name, span in TRACED.items()}
        state |= {name: round(state[name]) for name in WHOLE}
        plain = results(service.Bill(**INPUTS | state), run(state["batch"]))
        assert tape.values(traced.values(), state) == pytest.approx([*plain.values()], rel=1e-12)


def test_ends_of_the_tornado_hold_the_readers_own_values():
    own = {
        "electricity_usd_per_kwh": 0.2,
        "pue": 3.0,
        "peak_to_average": 1,
        "max_load": 0.95,
        "prompt_tokens": 5,
        "output_tokens": 100,
    }
    found = service.spans(own)
    assert found.keys() == own.keys()
    for name, (low, high) in found.items():
        assert low <= own[name] <= high
    # New Mexico's 5.75 cents stays the low end.
    assert found["electricity_usd_per_kwh"] == pytest.approx((0.0575, 0.2))
