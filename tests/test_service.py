"""The bill of a service against the article, published figures and itself."""

import functools

import pytest

from llmpower import service
from llmpower.book.parameters import parameters
from llmpower.facts import catalog
from llmpower.facts.claims import claim
from llmpower.facts.quantities import quantities
from llmpower.facts.units import in_unit
from tests.conftest import BOOK

CHAPTER = BOOK / "chapters" / "datacenter-scale.ipynb"
DEFAULTS = {name: one.default for name, one in parameters(CHAPTER).items()}
fact = functools.partial(catalog.fact, "datacenter.csv")
# What the chapter makes of its parameters: no rate given, and watts instead of a share of the rating.
INPUTS = {
    name: value
    for name, value in DEFAULTS.items()
    if name not in ("training_gwh", "site_mw", "rack_kw", "provisioned_power_share")
} | {
    "model": catalog.model("llama-3.1-70b"),
    "accelerator": catalog.accelerator("h100-sxm"),
    "tokens_per_s_per_accelerator": None,
    "busy_w": 0.76 * 700,
    "idle_w": 69,
    "host_mean_w": 0.76 * 4600,
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


AT_THE_BOUND = {
    **INPUTS,
    "tokens_per_s_per_accelerator": service.speed("llama-3.1-70b", "h100-sxm", 500, 500, 128).served_tokens_per_s,
}


def test_the_bill_at_the_bound_by_hand():
    found = service.Bill(**AT_THE_BOUND)
    # Three H100 hold 141.1 GB and 128 x 750 x 327,680 B = 31.5 GB; 128 tokens take 139.0 GB and these over 10.05 TB/s,
    # 16.96 ms.
    # 128 / 16.96 ms / 3 = 2515 a second; a prompt token takes 139.0 + 0.66 GFLOP at 989 TFLOP/s: 7081 a second.
    # 500 / (500 / 7081 + 500 / 2515) = 1856.
    assert found.served_tokens_per_s == pytest.approx(1856, rel=1e-3)
    # 2.5e9 x 500 / 86400 x 1.23 / (1856 x 0.7) = 13,697 boards, 1,713 servers (1,712 from unrounded inputs).
    # They are rated at 10.2 kW, and the site at 1.2 times that.
    assert found.n_servers == pytest.approx(1712, abs=1)
    assert found.site_w == pytest.approx(20.95e6, rel=2e-3)
    # 8 x (0.569 x 0.76 x 700 + 0.431 x 69) + 0.76 x 4600 = 6156 W a server; x 1712 x 1.2 / 28,935 = 437 J.
    assert found.query_j == pytest.approx(437, rel=2e-3)
    # 437 J / 3.6e6 x 0.0861 usd x 2.
    assert found.tokens_usd(1000) == pytest.approx(2.09e-5, rel=2e-3)


def test_the_range_over_measured_rates_meets_published_energies_per_query():
    # Google's 0.24 Wh, measured, and Epoch AI's 0.3 Wh, estimated, by other roads.
    rates = service.measured_tokens_per_s().values()
    high = service.Bill(**{**INPUTS, "tokens_per_s_per_accelerator": min(rates)}).query_j
    low = service.Bill(**{**INPUTS, "tokens_per_s_per_accelerator": max(rates)}).query_j
    for entity in ("gemini-text-prompt", "gpt-4o-query"):
        assert low <= fact(entity, "query_energy_j").value <= high


@pytest.mark.parametrize(
    ("name", "entity", "quantity", "unit"),
    [
        ("queries_per_day", "chatgpt-2025", "queries_per_s", "1/day"),
        ("output_tokens_per_query", "gpt-4o-query", "tokens_per_query", "1"),
        ("prompt_tokens_per_query", "planning", "prompt_tokens_per_query", "1"),
        ("peak_to_average", "deepseek-v3-r1-service", "peak_to_average", "1"),
        ("max_load", "planning", "max_load", "1"),
        ("accelerators_per_server", "dgx-h100", "n_accelerators", "1"),
        ("provisioned_power_share", "dgx-h100-training", "provisioned_power_share", "1"),
        ("pue", "gpt-4o-query", "pue", "1"),
        ("electricity_usd_per_kwh", "us-industrial-2025", "electricity_price_usd_per_j", "usd/kWh"),
        ("carbon_g_per_kwh", "us-grid", "carbon_kg_per_j", "g/kWh"),
        ("site_water_l_per_kwh", "us-fleet-model", "water_m3_per_j", "L/kWh"),
        ("grid_water_l_per_kwh", "us-electricity-2014", "water_m3_per_j", "L/kWh"),
        ("training_gwh", "gpt-4-training", "training_energy_j", "GWh"),
        ("site_mw", "datacenter-hyperscale", "site_power_w", "MW"),
        ("rack_kw", "rack-average-afcom", "rack_power_w", "kW"),
    ],
)
def test_defaults_are_the_sourced_facts(name, entity, quantity, unit):
    assert in_unit(fact(entity, quantity).value, unit) == pytest.approx(DEFAULTS[name], rel=1e-3)
    if name != "queries_per_day":
        assert quantities()[name].unit == unit


def test_the_default_host_is_the_rest_of_a_dgx_h100():
    rated = fact("dgx-h100", "rated_power_w").value
    assert DEFAULTS["host_power_w"] == pytest.approx(rated - 8 * catalog.accelerator("h100-sxm").tdp_w)
    share_of_host = fact("dgx-h100", "host_share").value
    assert share_of_host / (1 - share_of_host) * 8 * 700 == pytest.approx(DEFAULTS["host_power_w"], rel=2e-3)


def test_steps_add_up_to_the_site():
    found = service.Bill(**AT_THE_BOUND)
    assert sum(found.steps_w.values()) == pytest.approx(found.site_w)
    assert found.site_mean_w < found.site_w
    drawn = {name: watts / found.site_mean_w for name, watts in found.drawn_w.items()}
    # A server: 8 x 0.569 x 0.76 x 700 = 2422 W, 8 x 0.431 x 69 = 238 W, 0.76 x 4600 = 3496 W; x 1.2 = 7387 W.
    assert drawn == pytest.approx({"busy": 0.328, "idle": 0.032, "host": 0.473, "overhead": 0.167}, abs=0.001)


def test_a_small_service_still_holds_the_model_once():
    found = service.Bill(**{**INPUTS, "queries_per_day": 1, "model": catalog.model("llama-3.1-405b")})
    # 812 GB of weights alone are eleven boards of 80 GB.
    assert found.n_servers == 2
    assert found.busy_share < 1e-5


def test_a_site_holds_whole_servers():
    found = service.site(30, 12, service.Bill(**INPUTS))
    # 30 MW / 1.2 = 25 MW: 2083 racks of 12 kW that hold one server each, power for 2450 of 10.2 kW.
    assert (found.n_racks, found.servers_per_rack, found.n_by_power, found.n_servers) == (2083, 1, 2450, 2083)
    # Racks that feed no server must be rebuilt: power alone counts.
    found = service.site(30, 8, service.Bill(**INPUTS))
    assert (found.servers_per_rack, found.n_servers) == (0, 2450)


def test_the_bound_belongs_to_its_batch():
    # Same formula, larger batch: what was measured at 898 is half of its own bound, not nine tenths.
    speeds = {
        n: service.speed("llama-3.1-70b", "h100-sxm", 500, 500, n).served_tokens_per_s for n in (128, 256, 512, 898)
    }
    assert speeds == pytest.approx({128: 1856, 256: 2655, 512: 3383, 898: 3524}, rel=1e-3)
    assert service.measured_tokens_per_s()["h100-70b-batch-898"] / speeds[898] == pytest.approx(0.484, abs=0.001)


def test_the_expectation_meets_what_was_measured():
    """One board of H100 with a 70B network at batch 128 and 898; the measured ones ran on four, with shorter texts."""
    rates = service.measured_tokens_per_s()
    for batch, one in ((128, "h100-70b-batch-128"), (898, "h100-70b-batch-898")):
        found = service.expected("llama-3.1-70b", "h100-sxm", 350, 350, batch)
        assert found.central == pytest.approx(rates[one], rel=0.25)
        assert (
            found.low
            < found.central
            < found.high
            < service.speed("llama-3.1-70b", "h100-sxm", 350, 350, batch).served_tokens_per_s
        )


def test_boards_that_work_on_larger_batches_draw_more_of_their_rating():
    alone, many = (service.expected_power_share("llama-3.1-70b", "h100-sxm", 500, 500, batch) for batch in (1, 128))
    # Single streams drew 360 to 410 W on boards of 700 W; no long run drew more than 0.975 of the rating.
    assert 300 / 700 < alone < 500 / 700 < many <= 0.975
    assert service.expected_power_share("llama-3.1-70b", "tpu-v5e", 500, 500, 128) is None


def test_what_no_number_of_boards_holds_is_not_expected():
    # 898 sequences of 100,000 tokens: a head of each is 3.7 TB over all layers and on every board.
    assert service.expected("llama-3.1-70b", "h100-sxm", 100_000, 500, 898) is None


def test_without_a_rate_the_expectation_counts_and_without_one_the_bound():
    found = service.expected("llama-3.1-70b", "h100-sxm", 500, 500, 128)
    assert service.Bill(**INPUTS).served_tokens_per_s == found.central
    # No source gives the rating of a TPU v5e, so nothing is expected of it.
    assert service.expected("llama-3.1-70b", "tpu-v5e", 500, 500, 128) is None
    tpu = service.Bill(**{**INPUTS, "accelerator": catalog.accelerator("tpu-v5e")})
    assert tpu.served_tokens_per_s == service.speed("llama-3.1-70b", "tpu-v5e", 500, 500, 128).served_tokens_per_s


def test_ends_of_the_tornado_hold_the_readers_own_values():
    own = {**DEFAULTS, "tokens_per_s_per_accelerator": 5.0, "pue": 3.0}
    for name, (low, high) in service.spans(own).items():
        assert low <= own[name] <= high
