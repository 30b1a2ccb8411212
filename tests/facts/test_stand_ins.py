"""What stands in for facts of a machine that no source gives, worked out on paper, and what it does to a range."""

import pytest

from llmpower import accelerator, estimate, plan
from llmpower.facts import catalog
from llmpower.facts import stand_ins as stands
from llmpower.facts.catalog import look_up
from llmpower.facts.stand_ins import STAND_IN, at_end, completed

# Those of the calculations below: the rule must not depend on what is added to the catalog.
KNOWN = (
    "m1",
    "m2",
    "m2-ultra",
    "m4",
    "m4-max",
    "dgx-spark",
    "strix-halo",
    "h100-sxm",
    "rtx-3090",
    "rtx-4090",
    "rtx-5090",
)


@pytest.fixture
def known(monkeypatch):
    monkeypatch.setattr(stands, "records", lambda table: {name: catalog.records(table)[name] for name in KNOWN})
    stands._ratios.cache_clear(), completed.__wrapped__.cache_clear()
    yield
    stands._ratios.cache_clear(), completed.__wrapped__.cache_clear()


@pytest.mark.usefixtures("known")
def test_stand_ins_by_hand():
    found = completed(catalog.accelerator("m1-max"))
    # Operations a byte: M4 Max 17.2 / 0.546 = 31.5, M4 3.76 / 0.12 = 31.33, M2 Ultra 27.2 / 0.8 = 34, M2 3.58 / 0.1 =
    # 35.8, Strix Halo 59.4 / 0.256 = 232, Spark 213 / 0.273 = 780.2; of six the lower middle one, 34, times 400 GB/s;
    # eight in ten lie between the middles of the outer two, 31.42 and 506.1.
    rate = found["dense_bf16_flop_per_s"]
    assert (rate.low, rate.value, rate.high) == pytest.approx((12.57e12, 13.6e12, 202.4e12), rel=1e-3)
    # Shares of bandwidth: M2 Ultra 636 / 800 = 0.795, M1 56 / 68.25 = 0.8205, Strix Halo 215 / 256 = 0.8398, Spark
    # 232.5 / 273 = 0.8516, M2 90 / 100 = 0.9; 0.4 of the way from the first to the second is 0.8052, as far from the
    # last 0.8806.
    reached = found["reached_bytes_per_s"]
    assert (reached.low, reached.value, reached.high) == pytest.approx((322.1e9, 335.9e9, 352.3e9), rel=1e-3)
    # 115 W for the whole computer; a Spark's chip has 140 of 240 W, an M4 all of its 65 W: 0.5833 and a tenth of the
    # way to 1.
    rating = found["tdp_w"]
    assert (rating.low, rating.value, rating.high) == pytest.approx((115 * (0.9 * 140 / 240 + 0.1), 115, 115))
    assert [at_end(found, "tdp_w", end).tdp_w for end in (0, 2)] == [rating.low, rating.high]
    # Of desktop cards three are known: 71 / 0.936 = 75.9, 209.3 / 1.792 = 116.8, 165.2 / 1.008 = 163.9; 0.2 of the way
    # from the first is 84.04, from the last 154.5; times 272 GB/s.
    card = completed(catalog.accelerator("rtx-4060"))["dense_bf16_flop_per_s"]
    assert (card.low, card.value, card.high) == pytest.approx((22.86e12, 31.77e12, 42.02e12), rel=1e-3)
    # A card's memory is its own, so it reaches what the fit has.
    assert "reached_bytes_per_s" not in completed(catalog.accelerator("rtx-4060")).facts


def test_what_is_known_stays_and_is_the_same_record():
    h100 = catalog.accelerator("h100-sxm")
    assert completed(h100) is h100 and all(at_end(h100, name, 0) is h100 for name in STAND_IN)
    m3 = catalog.accelerator("m3-ultra")
    assert completed(m3) is completed(m3) and completed(m3).facts.items() >= m3.facts.items()
    assert "tdp_w" not in m3.facts, "the catalog keeps to what sources give"
    # Nobody asks how quickly a whole server multiplies.
    assert completed(catalog.accelerator("dgx-b300")) is catalog.accelerator("dgx-b300")


def ends(found, name):
    return [getattr(end, name) for end in (found.low, found, found.high)]


def test_a_rate_that_is_missing_matters_where_arithmetic_does():
    def width(batch, prompt, typed=""):
        found = estimate("qwen3-4b", f"rtx-4060{typed}", 1, batch, prompt, 100, weight_format="int4", software="vllm")
        low, _, high = ends(found, "tokens_per_s")
        return high / low

    alone, reading = width(1, 0), width(8, 2000)
    known = ",dense_bf16_flop_per_s=30 TFLOP/s"
    assert alone == pytest.approx(width(1, 0, known), rel=0.03)
    assert reading > 1.1 * width(8, 2000, known)


@pytest.mark.parametrize("name", [one for one in catalog.names("accelerator") if "category" in accelerator(one).facts])
def test_every_machine_but_systems_answers(name):
    if accelerator(name).category == "system":
        return
    found = estimate("llama-3.2-1b", name, context_tokens=500)
    for quantity in ("tokens_per_s", "j_per_token", "power_w"):
        low, middle, high = ends(found, quantity)
        assert 0 < low < middle <= high < 8 * low, (quantity, low, middle, high)


def test_typed_machines_widen_as_those_of_the_catalog():
    own = {"memory_bytes": "64 GB", "memory_bandwidth_bytes_per_s": "400 GB/s", "tdp_w": 100}
    rates = {"dense_bf16_flop_per_s": "14 TFLOP/s", "reached_bytes_per_s": "340 GB/s"}
    run = {"batch": 16, "prompt_tokens": 1000, "output_tokens": 500, "software": "vllm"}
    guessed, known = (estimate("llama-3.1-8b", one, **run) for one in (own, own | rates))
    assert guessed.spans["tokens_per_s"]["low_ratio"] < known.spans["tokens_per_s"]["low_ratio"]
    assert guessed.spans["j_per_token"]["high_ratio"] > known.spans["j_per_token"]["high_ratio"]
    told = " ".join(guessed.notes)
    assert "no 16-bit rate given" in told and "no measurement of what its memory reaches" in told
    assert not any("16-bit rate" in note or "memory reaches" in note for note in known.notes)
    assert plan("llama-3.1-8b", own, 1000, batch=1).estimate.spans["tokens_per_s"]["n"] > 0
    # Over a name of the catalog a rating need not be typed either.
    assert completed(look_up("accelerator", "m1-pro,memory_bytes=16 GB")).tdp_w > 0
