"""Figures that move compile, name the fields they were given, and hold no data."""

import json
import re

import pytest

from llmpower.figures import moving, style

BATCH = moving.axis("batch", "batch: sequences decoded together", log=2)
ENERGY = moving.axis("energy_j", "energy per output token (J)", log=10)
SHARE = moving.axis("share", "share of the power of the board (%)")
PART = moving.kinds("part", style.PARTS)
FAMILY = moving.kinds("family", ["Llama", "Qwen3"])
MEASURED = moving.axis("measured_j", "measured energy per output token (J)", log=10)
FIGURES = {
    "lines": moving.lines(BATCH, ENERGY, PART, band=("low_j", "high_j"), here="mine"),
    "roofs": moving.lines(BATCH, ENERGY, PART, measured=FAMILY),
    "crossed": moving.lines(BATCH, ENERGY, PART, measured=FAMILY, only="shown", tails=("low_b", "low_j"), above="over"),
    "bars": moving.stack(BATCH, moving.axis("energy_j", "energy per output token (J)"), PART),
    "areas": moving.stack(BATCH, moving.axis("energy_j", "energy per output token (J)"), PART, areas=True),
    "shares": moving.bars("case", SHARE, PART),
    "points": moving.points(
        MEASURED, ENERGY, FAMILY, [("network", "name"), ("measured (J)", "measured_j")], beside=0.1
    ),
}
FIELDS = {
    "lines": {"batch", "energy_j", "part", "low_j", "high_j", "mine"},
    "roofs": {"batch", "energy_j", "part", "family"},
    "crossed": {"batch", "energy_j", "part", "family", "shown", "low_b", "low_j", "over"},
    "bars": {"batch", "energy_j", "part"},
    "areas": {"batch", "energy_j", "part"},
    "shares": {"case", "share", "part"},
    "points": {"measured_j", "energy_j", "family"},
}


def found(value, name):
    """What stands under a name, at any depth."""
    if isinstance(value, dict):
        yield from ([value[name]] if name in value else [])
        value = list(value.values())
    if isinstance(value, list):
        for inner in value:
            yield from found(inner, name)


@pytest.mark.parametrize("name", FIGURES)
def test_a_figure_compiles_to_vega_that_waits_for_rows(name):
    vega = moving.compiled(FIGURES[name])
    assert "/vega/v" in vega["$schema"]
    assert vega["data"][0] == {"name": "rows"}
    assert not list(found(vega["data"], "values")) and not list(found(vega, "url"))
    assert {scale["name"] for scale in vega["scales"]} >= {"x", "y"}
    # Axes follow the rows, except where shares fill the whole.
    for scale in vega["scales"]:
        if scale["name"] in "xy":
            assert isinstance(scale["domain"], dict) or scale["domain"] == [0, 1]


@pytest.mark.parametrize("name", FIGURES)
def test_a_figure_reads_the_fields_it_was_given(name):
    text = json.dumps(FIGURES[name])
    fields = {field for field in found(FIGURES[name], "field") if isinstance(field, str)}
    fields |= set(re.findall(r"datum\['(\w+)'\]", text))
    assert fields - {"place", "end", "low", "high"} == FIELDS[name]


@pytest.mark.parametrize("name", FIGURES)
def test_names_of_axes_are_lower_case_with_a_unit_and_have_a_key(name):
    titles = {look["title"] for look in found(FIGURES[name], "axis") if look.get("title")}
    assert titles
    for title in titles:
        assert title[0].islower() and ("(" in title or title.startswith("batch:"))
    assert moving.compiled(FIGURES[name])["legends"]


def test_a_figure_has_the_colours_and_the_width_of_the_house():
    vega = moving.compiled(FIGURES["lines"])
    (colors,) = (scale["range"] for scale in vega["scales"] if scale["name"] == "stroke")
    assert colors == list(style.PARTS.values())
    assert vega["width"] == pytest.approx(72 * style.WIDTH)
    assert set(re.findall(r"#\w{6}", json.dumps(FIGURES))) <= {*style.PALETTE, "#E6E9EC"}


def test_series_differ_in_grey_too():
    (dashes,) = (
        scale["range"] for scale in moving.compiled(FIGURES["lines"])["scales"] if scale["name"] == "strokeDash"
    )
    assert len({tuple(dash) for dash in dashes}) == len(style.PARTS)


@pytest.mark.parametrize("draw", (moving.lines, lambda *given, **more: moving.stack(*given, areas=True, **more)))
def test_a_key_names_the_reader_s_own_case(draw):
    vega = moving.compiled(draw(BATCH, ENERGY, PART, here="mine"))
    assert [scale["domain"] for scale in vega["scales"] if scale["name"] == "size"] == [["your case"]]
    (key,) = (one for one in vega["legends"] if one.get("size"))
    assert key["symbolType"] == "diamond" and key["symbolFillColor"] == style.RED
    assert not any(one.get("size") for one in moving.compiled(draw(BATCH, ENERGY, PART))["legends"])


def test_heads_of_columns_have_their_units():
    ends = {"least_j", "batch", "energy_j"}
    spec = moving.lines(BATCH, ENERGY, PART, measured=FAMILY, tails=("low_b", "least_j"), band=("low_j", "high_j"))
    assert moving.heads(spec, ends) == {
        "batch": "batch: sequences decoded together",
        "energy_j": "energy per output token [J]",
        "least_j": "energy per output token (least j) [J]",
    }
    assert moving.heads(FIGURES["shares"], {"share", "case"}) == {"share": "share of the power of the board [1]"}
    # What a figure works out itself is no column.
    assert set(moving.heads(FIGURES["points"], FIELDS["points"])) == {"measured_j", "energy_j"}


def test_points_say_what_a_reader_is_told():
    told = moving.compiled(FIGURES["points"])["usermeta"]
    assert told == {"explorer": True, "tell": [["network", "name"], ["measured (J)", "measured_j"]]}
    assert not any("usermeta" in spec for name, spec in FIGURES.items() if name != "points")
