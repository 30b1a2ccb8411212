"""Joins catalog and formulas: what changed from one accelerator to the next.

Not in `step`, which is about one decode step: nothing here runs a model.
It compares ratings, and says whenever two ratings do not mean the same thing.
"""

import math
from dataclasses import dataclass

from llmpower.facts import catalog
from llmpower.facts.claims import claim
from llmpower.formulas import escalator
from llmpower.ranges import Range

# The article's own series; the 80 GB version stands for the A100.
ARTICLE_SERIES = ("v100-sxm2-32gb", "a100-sxm-80gb", "h100-sxm", "b200")
# What may count as performance, from the narrowest numbers to the widest.
GAIN_METRICS = ("fp4", "fp8", "bf16", "bandwidth")
_PEAKS = {metric: f"dense_{metric}_flop_per_s" for metric in GAIN_METRICS[:-1]}
_WORDS = {
    "dense_fp4_flop_per_s": "4-bit peak", "dense_fp8_flop_per_s": "8-bit peak", "dense_bf16_flop_per_s": "16-bit peak",
    "memory_bandwidth_bytes_per_s": "memory bandwidth", "system_memory_bandwidth_bytes_per_s": "memory bandwidth",
}  # fmt: skip
_VENDORS = ("datasheet", "measurement")
# Their power is no rating: a measured maximum, and the limit set on one machine.
_NO_RATING = ("tpu-v4", "gh200")


@dataclass(frozen=True)
class Gain:
    """What changed from a first to a last accelerator, by one metric. [1]"""

    metric: str
    first: catalog.Fact
    last: catalog.Fact
    performance: Range
    power: float
    efficiency: Range

    @property
    def words(self):
        """How each of the two is counted, such as "16-bit peak"."""
        return _WORDS[self.first.quantity], _WORDS[self.last.quantity]

    @property
    def same_definition(self):
        """Whether both are counted alike."""
        return self.words[0] == self.words[1]

    @property
    def fallback(self):
        """Whether one of them is counted by something other than what was asked for."""
        asked = _WORDS.get(_PEAKS.get(self.metric), "memory bandwidth")
        return self.words != (asked, asked)

    @property
    def direction(self):
        """ "up" or "down" if efficiency and power moved the same way, else "apart"; "none" if nothing moved."""
        low, high = self.efficiency.low, self.efficiency.high
        if self.performance.low == self.performance.high == 1 and self.power == 1:
            return "none"
        if low >= 1 and self.power >= 1 and self.performance.low > 1:
            return "up"
        if high <= 1 and self.power <= 1 and self.performance.high < 1:
            return "down"
        return "apart"

    @property
    def n_years(self):
        """Years between the two, None if a year is unknown or the last is not the later one."""
        years = [catalog.accelerator(fact.entity).get("year") for fact in (self.first, self.last)]
        return years[1] - years[0] if None not in years and years[0] < years[1] else None

    @property
    def share(self):
        """Share of the logarithmic change that efficiency explains; None if the parts point apart."""
        if self.direction not in ("up", "down"):
            return None
        ends = sorted(escalator.efficiency_share(e, self.power) for e in (self.efficiency.low, self.efficiency.high))
        return Range(ends[0], escalator.efficiency_share(self.efficiency.central, self.power), ends[1])


def _ends(fact):
    """Low, value and high of a rating; the value itself where no range is known."""
    return (fact.value if fact.low is None else fact.low), fact.value, (fact.value if fact.high is None else fact.high)


def _bandwidth(record):
    """Memory bandwidth of an accelerator, or of all accelerators of a system."""
    quantities = ("memory_bandwidth_bytes_per_s", "system_memory_bandwidth_bytes_per_s")
    return next(record[quantity] for quantity in quantities if quantity in record.facts)


def _peak(record, metric):
    """The peak asked for, or the next wider one the accelerator has; None if no source gives any."""
    wider = [_PEAKS[one] for one in GAIN_METRICS[GAIN_METRICS.index(metric) : -1]]
    return next((record[quantity] for quantity in wider if quantity in record.facts), None)


def _vendor_power(record):
    """Whether the power of an accelerator is its vendor's rating."""
    return record["tdp_w"].kind in _VENDORS and record.entity not in _NO_RATING


def gains(first, last, metric):
    """Split the gain between two accelerators into efficiency and power.

    Parameters
    ----------
    first, last : str
        Accelerators with a rated power.
    metric : {"bf16", "fp8", "fp4", "bandwidth"}
        What counts as performance. An accelerator without such a peak is
        counted by its next wider one; if one of the two has no peak at all,
        both are counted by memory bandwidth.

    Returns
    -------
    gains : Gain
        Ranges come from disagreement between sources on the two rates.

    Examples
    --------
    >>> found = gains("v100-sxm2-32gb", "b200", "bf16")
    >>> round(found.performance.central, 2), round(found.power, 2), round(found.efficiency.central, 2)
    (18.0, 3.33, 5.4)
    """
    pair = [catalog.accelerator(name) for name in (first, last)]
    facts = [None, None] if metric == "bandwidth" else [_peak(record, metric) for record in pair]
    ratio = escalator.flop_gain
    if None in facts:
        facts, ratio = [_bandwidth(record) for record in pair], escalator.bandwidth_gain
    (low_0, value_0, high_0), (low_1, value_1, high_1) = (_ends(fact) for fact in facts)
    if pair[0].entity == pair[1].entity and facts[0] is facts[1]:
        low_0 = high_0 = low_1 = high_1 = value_0
    performance = Range(ratio(high_0, low_1), ratio(value_0, value_1), ratio(low_0, high_1))
    power = escalator.power_gain(pair[0].tdp_w, pair[1].tdp_w)
    parts = (performance.low, performance.central, performance.high)
    efficiency = Range(*(escalator.efficiency_gain(part, power) for part in parts))
    return Gain(metric, *facts, performance, power, efficiency)


def rated(name, instead):
    """An accelerator whose rated power is known.

    Parameters
    ----------
    name : str
        Accelerator asked for.
    instead : str
        Accelerator to take if no source gives the power of the former.

    Returns
    -------
    name : str
        Canonical name of one of the two.

    Examples
    --------
    >>> rated("m2-ultra", "b200"), rated("h100", "b200")
    ('b200', 'h100-sxm')
    """
    record = catalog.accelerator(name)
    return record.entity if record.get("tdp_w") else catalog.find("accelerator", instead)


@dataclass(frozen=True)
class Board:
    """Ratings of one accelerator, per watt, per transistor and in a power budget; None where a fact is missing."""

    name: str
    label: str
    tdp_w: float
    vendor_power: bool
    counted: str
    peak_flop_per_j: float | None
    peak_bytes_per_j: float
    w_per_transistor: float | None
    w_per_mm2: Range | None
    whole: int
    budget_flop_per_s: float | None
    budget_bytes_per_s: float


def board(name, metric, power_budget_w):
    """Ratings of one accelerator and what a power budget makes of them.

    Parameters
    ----------
    name : str
        Accelerator with a rated power.
    metric : {"bf16", "fp8", "fp4", "bandwidth"}
        Which peak; with "bandwidth", the 16-bit one.
    power_budget_w : float
        Power for accelerators alone. [W]

    Returns
    -------
    board : Board

    Examples
    --------
    >>> board("h100", "bf16", 1e6).whole
    1428
    """
    record = catalog.accelerator(name)
    tdp, bandwidth = record.tdp_w, _bandwidth(record).value
    fact = _peak(record, "bf16" if metric == "bandwidth" else metric)
    flop_per_j = escalator.peak_flop_per_j(fact.value, tdp) if fact else None
    bytes_per_j = escalator.peak_bytes_per_j(bandwidth, tdp)
    area = record.facts.get("die_area_mm2")
    count = escalator.budget_accelerators(power_budget_w, tdp)
    return Board(
        name=record.entity,
        label=record.name,
        tdp_w=tdp,
        vendor_power=_vendor_power(record),
        counted=_WORDS[fact.quantity] if fact else "",
        peak_flop_per_j=flop_per_j,
        peak_bytes_per_j=bytes_per_j,
        w_per_transistor=escalator.board_w_per_transistor(tdp, record.transistors)
        if record.get("transistors")
        else None,
        w_per_mm2=Range(*(escalator.board_w_per_mm2(tdp, mm2) for mm2 in reversed(_ends(area)))) if area else None,
        whole=math.floor(count),
        budget_flop_per_s=escalator.budget_flop_per_s(power_budget_w, flop_per_j) if fact else None,
        budget_bytes_per_s=escalator.budget_bytes_per_s(power_budget_w, bytes_per_j),
    )


@dataclass(frozen=True)
class Repair:
    """One way to make the article's three factors agree; two are kept, the third follows. [1]"""

    changed: str
    efficiency: Range
    power: Range
    performance: Range
    share: Range


def repairs():
    """The article's gain, efficiency and power, made consistent in each of three ways.

    Returns
    -------
    repairs : dict of Repair
        By the factor that is given up: performance, efficiency, power. Ends
        of a range follow the article's own range of performance.
    """
    low, middle, high = (claim("C24").low, claim("C24").value, claim("C24").high)
    efficiency, power = claim("C22").value, gains("v100-sxm2-32gb", "b200", "bf16").power
    whole = efficiency * power
    return {
        "performance": _repair("performance", [(efficiency, power, whole)] * 3),
        "efficiency": _repair(
            "efficiency", [(escalator.efficiency_gain(g, power), power, g) for g in (low, middle, high)]
        ),
        "power": _repair("power", [(efficiency, g / efficiency, g) for g in (low, middle, high)]),
    }


def _repair(changed, three):
    columns = [Range(*column) for column in zip(*three)]
    shares = [escalator.efficiency_share(efficiency, power) for efficiency, power, _ in three]
    return Repair(changed, *columns, Range(min(shares), shares[1], max(shares)))


def _escalator_facts():
    found = {}
    for fact in catalog.facts("escalator.csv"):
        found.setdefault(fact.entity, {})[fact.quantity] = fact
    return found


@dataclass(frozen=True)
class Measured:
    """One model measured on two generations; pairs are H100 and B200, gains those of all boards together."""

    label: str
    batch: tuple
    energy_j: tuple
    rating_use: tuple
    gain: float
    speed_gain: float
    bandwidth_gain: float


def measured_gains():
    """Measured tokens per joule of a model of 70 billion parameters, B200 over H100.

    Returns
    -------
    gains : list of Measured
        By batch; the last compares the largest batch of each.
    """
    found, rows = _escalator_facts(), []
    for label in (entity.removeprefix("h100-70b-") for entity in found if entity.startswith("h100-70b-")):
        pair = [found[f"{prefix}-70b-{label}"] for prefix in ("h100", "b200")]
        value = lambda quantity: tuple(facts[quantity].value for facts in pair)
        records = [catalog.accelerator(name) for name in ("h100-sxm", "b200")]
        energies, power, boards = value("energy_per_token_j"), value("power_w"), value("n_accelerators")
        use = tuple(map(escalator.rating_use, power, boards, [record.tdp_w for record in records]))
        gain = escalator.token_gain(*energies)
        bandwidth = escalator.bandwidth_gain(*(n * _bandwidth(record).value for n, record in zip(boards, records)))
        rows.append(
            Measured(label, value("mean_batch"), energies, use, gain, gain * escalator.power_gain(*power), bandwidth)
        )
    return rows


def cooled(cooling):
    """Accelerators sold with one kind of cooling.

    Parameters
    ----------
    cooling : {"air", "liquid"}

    Returns
    -------
    cooled : list of tuple
        Record and the `Fact` on its cooling, by rated power.
    """
    facts = (fact for fact in catalog.facts("escalator.csv") if fact.quantity == "cooling" and fact.value == cooling)
    return sorted(((catalog.accelerator(fact.entity), fact) for fact in facts), key=lambda pair: pair[0].tdp_w)


def article_efficiencies():
    """The article's performance per watt, over that of the V100, in the order of its series."""
    found = _escalator_facts()
    return [found[f"article-{name.partition('-')[0]}"]["efficiency_gain"].value for name in ARTICLE_SERIES]


@dataclass(frozen=True)
class Rated:
    """One point of the history of rated power."""

    name: str
    label: str
    year: float
    tdp_w: float
    low_w: float
    high_w: float
    cooling: str
    vendor_power: bool


def _short(name):
    """Name for a figure: "h100-sxm" is an H100, "gaudi-3" a Gaudi 3; the two sizes of an A100 are one."""
    words = name.partition("-sxm")[0].split("-")
    printed = {"pcie": "PCIe", "v4": "v4", "gaudi": "Gaudi", "rubin": "Rubin"}
    return " ".join(printed.get(one, one.upper()) for one in words)


def power_history():
    """Rated power of every data-centre accelerator whose year and power are known.

    Returns
    -------
    history : list of Rated
        By year, then power. A range is given only where the power is no
        vendor's rating; settable limits of a board are not uncertainty.
    """
    found, history = _escalator_facts(), []
    for name in catalog.names("accelerator"):
        record = catalog.accelerator(name)
        if record.category != "datacenter" or not (record.get("tdp_w") and record.get("year")):
            continue
        fact = record["tdp_w"]
        vendor = _vendor_power(record)
        low, value, high = (fact.value,) * 3 if vendor else _ends(fact)
        cooling = found.get(name, {}).get("cooling")
        history.append(
            Rated(name, _short(name), record.year, value, low, high, cooling.value if cooling else "", vendor)
        )
    return sorted(history, key=lambda one: (one.year, one.tdp_w, one.name))
