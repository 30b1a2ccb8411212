"""Scaling rules against published statements, and real processors by hand."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llmpower.chips import transistors
from llmpower.facts.catalog import records
from llmpower.formulas import dennard

shrink = st.floats(1.0, 1e4)
exponent = st.floats(-1.5, 1.5)


def test_dennards_table():
    # Dennard et al. 1974, as restated by Wikipedia: capacitance -1, power -2, power density 0.
    # Density 2 and the exponents of voltage and frequency are the definition.
    one = transistors.shrink_by("constant_field", 2.0)
    assert (one.capacitance, one.density, one.voltage, one.clock) == (1 / 2, 4, 1 / 2, 2)
    assert (one.switch_energy, one.circuit_power, one.power_density) == (1 / 8, 1 / 4, 1)


def test_fixed_voltage_at_the_speed_of_the_transistor_grows_with_the_cube():
    # The same table, column "fixed voltage": delay -2, power 1, power density 3.
    one = transistors.Shrink(2.0, 0, 2)
    assert (one.circuit_power, one.power_density) == (2, 8)


def test_taylors_arithmetic_of_dark_silicon():
    # Taylor 2012: 2x transistors, 1.4x speed, 1.4x efficiency, so a shortfall of 2x per generation.
    for generations, lit in ((1, 1 / 2), (2, 1 / 4), (3, 1 / 8)):
        scaled = transistors.shrink_by("fixed_voltage_rising", dennard.total_scale(2**0.5, generations))
        assert 1 - dennard.dark_share(1, scaled.power_density) == pytest.approx(lit)


def test_the_floor_is_sixty_millivolts_a_decade_at_300_kelvin():
    # Cheung 2010; 1.380649e-23 x 300 / 1.602176634e-19 x 2.302585 = 25.852 mV x 2.302585 = 59.526 mV.
    assert transistors.swing(300, 1) == pytest.approx(0.060, abs=0.0005)
    assert transistors.swing(300, 1) == pytest.approx(0.0595264, rel=1e-5)


def test_real_processors_by_hand():
    # 0.5 W / 12 mm2; 115 W / 135 mm2; their ratio 20.44; 13 W / 294 mm2.
    cpu = records("cpus.csv")
    assert transistors.w_per_mm2(cpu["intel-4004"]) == pytest.approx(0.041667, rel=1e-4)
    assert transistors.w_per_mm2(cpu["intel-pentium-4-670"]) == pytest.approx(0.851852, rel=1e-5)
    assert transistors.ratios(cpu["intel-4004"], cpu["intel-pentium-4-670"])["power_density"] == pytest.approx(
        20.444, rel=1e-4
    )
    # 60 MHz -> 3.8 GHz is 63.33 times while 800 nm -> 90 nm is 8.889: ln 63.33 / ln 8.889 = 4.1484 / 2.1848.
    change = transistors.ratios(cpu["intel-pentium-60"], cpu["intel-pentium-4-670"])
    assert dennard.observed_exponent(change["clock"], change["total_scale"]) == pytest.approx(1.8987, rel=1e-4)
    assert transistors.ratios(cpu["intel-pentium-4-670"], cpu["intel-xeon-e3-1275-v2"])["voltage"] is None


def test_one_kind_of_logic_at_a_time():
    # 80286 (NMOS) to 80386 (CMOS), both 1.5 um at 5 V: 1.7 W / 103 mm2 over 3.3 W / 47 mm2 = 0.2351.
    cpu = records("cpus.csv")
    assert (cpu["intel-80286"].logic, cpu["intel-80386dx"].logic) == ("NMOS", "CMOS")
    change = transistors.ratios(cpu["intel-80286"], cpu["intel-80386dx"])
    assert (change["total_scale"], change["power_density"]) == (1, pytest.approx(0.2351, rel=1e-3))
    # 80386 to 80486, both CMOS: 3.0 W / 81 mm2 over 1.7 W / 103 mm2 = 2.244; ln 2.244 / ln 1.5 = 0.8082 / 0.4055.
    change = transistors.ratios(cpu["intel-80386dx"], cpu["intel-80486dx"])
    assert dennard.observed_exponent(change["power_density"], change["total_scale"]) == pytest.approx(1.993, rel=1e-3)


def test_the_slope_of_several_processors():
    # Two of them have that of their pair; ln 2.244 / ln 1.5 from above.
    cpu = records("cpus.csv")
    assert transistors.heat_exponent([cpu["intel-80386dx"], cpu["intel-80486dx"]]) == pytest.approx(1.993, rel=1e-3)
    # ln W/mm2 of -4.1042 at ln 1.5; -3.5663, -3.3586, -3.1355, -3.2958, -3.1417 at ln 1; -2.9444 at ln 0.8:
    # mean size (0.40547 - 0.22314) / 7 = 0.026046, mean heat -3.36379; the products of the deviations sum to
    # 0.37942 x -0.74041 - 0.026046 x (-0.20251 + 0.00519 + 0.22829 + 0.06799 + 0.22209) - 0.24919 x 0.41939 = -0.39380,
    # the squares to 0.37942^2 + 5 x 0.026046^2 + 0.24919^2 = 0.20945.
    own = [
        one
        for name, one in cpu.items()
        if name.startswith("intel-") and one.logic == "CMOS" and one.get("supply_v") == 5
    ]
    assert len(own) == 7 and transistors.heat_exponent(own) == pytest.approx(0.39380 / 0.20945, rel=2e-3)


def test_supplies_of_the_first_microprocessors():
    # Intel's MCS-4 sheet of 1971: -15 V; 8008 manual of 1973: +5 and -9 V; 8080 manual of 1975: logic at +12 V.
    cpu = records("cpus.csv")
    assert [cpu[f"intel-{name}"].supply_v for name in ("4004", "8008", "8080", "8086")] == [15, 5 + 9, 12, 5]
    # 8080: 40 mA of 12 V and 60 mA of 5 V; 8008: 30 mA of 14 V.
    assert cpu["intel-8080"]["tdp_w"].low == pytest.approx(0.04 * 12 + 0.06 * 5)
    assert cpu["intel-8008"]["tdp_w"].low == pytest.approx(0.03 * 14)


def test_operating_voltages_of_the_textbook():
    # Patterson and Hennessy, exercise 1.8: 1.25 V at 90 nm, 0.9 V at 22 nm; ln 0.72 / ln 4.0909 = -0.3285 / 1.4088.
    told = records("scaling.csv")
    then, now = told["operating-prescott"], told["operating-ivy-bridge"]
    fell = dennard.observed_exponent(now.supply_v / then.supply_v, then.node_nm / now.node_nm)
    assert fell == pytest.approx(-0.2332, rel=1e-3)


@pytest.mark.parametrize(
    ("first", "last"), [("intel-4004", "intel-pentium-60"), ("intel-pentium-60", "intel-core-i7-980x")]
)
def test_exponents_add_up(first, last):
    change = transistors.ratios(records("cpus.csv")[first], records("cpus.csv")[last])
    assert change["density"] * change["cycle_energy"] * change["clock"] == pytest.approx(change["power_density"])
    assert change["cycle_energy"] * change["clock"] == pytest.approx(change["circuit_power"])


@given(shrink, exponent, exponent)
def test_power_density_has_the_exponent_of_its_parts(scale, voltage, clock):
    # Density 2, capacitance -1, voltage twice, clock once.
    assert transistors.Shrink(scale, voltage, clock).power_density == pytest.approx(
        scale ** (1 + 2 * voltage + clock), rel=1e-6
    )


@given(shrink)
def test_half_of_dennards_fall_in_voltage_is_enough_at_a_flat_clock(scale):
    assert transistors.Shrink(scale, -0.5, 0).power_density == pytest.approx(1)


@given(st.floats(0.0, 1.0), st.floats(0.0, 0.2), st.floats(1, 3), st.floats(50, 500))
def test_leakage_grows_by_a_factor_per_step(threshold, drop, body, kelvin):
    volts = transistors.thermal_voltage(kelvin)
    before, after = (dennard.leakage_ratio(v, body, volts) for v in (threshold + drop, threshold))
    assert after / before == pytest.approx(dennard.leakage_growth(drop, body, volts), rel=1e-6)
    assert dennard.leakage_growth(transistors.swing(kelvin, body), body, volts) == pytest.approx(10)


def test_nothing_shrunk_nothing_changed():
    growth, density = transistors.leakage(1.0, 0.35, 1.3, 358)
    assert (growth, density) == (1, 1)
    for rule in transistors.rules():
        assert transistors.shrink_by(rule, 1.0).power_density == 1
        assert dennard.dark_share(1, transistors.shrink_by(rule, 1.0).power_density) == 0


def test_leakage_of_ten_times_more_or_less_moves_the_crossing():
    # 169e6 x 1.5 V, threshold 0.35 V, body factor 1.3, 358 K. At 50 nA 12.675 W, about a tenth of 115 W, as a textbook
    # has it; a generation: 0.35 V x 0.29289 / (1.3 x 30.850 mV) = 2.5561, e to that 12.885, x 2 / 1.4142 = 18.222,
    # so 231 W. With a tenth 23.1 W in generation 1 and 199 W in generation 2; with ten times as much 126.8 W at once.
    for current, crossing in ((5e-9, 2), (5e-8, 1), (5e-7, 0)):
        start = dennard.leakage_power_w(169e6, current, 1.5)
        power = [
            start * transistors.leakage(dennard.total_scale(1.4142, count), 0.35, 1.3, 358)[1] for count in range(8)
        ]
        assert next(count for count, watts in enumerate(power) if watts > 115) == crossing
