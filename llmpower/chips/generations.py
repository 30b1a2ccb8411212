"""Joins facts and formulas: what changed from one accelerator to the next.

Nothing here runs a model.  It compares ratings, and says whenever two ratings
do not mean the same thing.
"""

import itertools
import math
import statistics
from dataclasses import dataclass

from llmpower.facts import catalog
from llmpower.facts.claims import claim
from llmpower.facts.runs import measured
from llmpower.formulas import dennard, escalator
from llmpower.formulas.elementwise import floor
from llmpower.ranges import Range
from llmpower.trace import by_choice

# The article's own series; the 80 GB version stands for the A100.
ARTICLE_SERIES = ("v100-sxm2-32gb", "a100-sxm-80gb", "h100-sxm", "b200")
# What may count as performance, from the narrowest numbers to the widest, and what it is called.
GAIN_METRICS = {"fp4": "4-bit peak", "fp8": "8-bit peak", "bf16": "16-bit peak", "bandwidth": "memory bandwidth"}
_PEAKS = {f"dense_{metric}_flop_per_s": words for metric, words in GAIN_METRICS.items() if metric != "bandwidth"}
# What two measured runs must share to be compared; the first four name what is served.
_EQUAL = ("published_model", "weight_format", "task", "software", "max_batch", "prompt_tokens")
_NEAR = 0.95


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
        return tuple(_PEAKS.get(fact.quantity, "memory bandwidth") for fact in (self.first, self.last))

    @property
    def same_definition(self):
        """Whether both are counted alike."""
        return self.words[0] == self.words[1]

    @property
    def fallback(self):
        """Whether one of them is counted by something other than what was asked for."""
        return set(self.words) != {GAIN_METRICS[self.metric]}

    @property
    def direction(self):
        """ "up" or "down" if efficiency and power moved the same way, else "apart"; "none" if nothing moved."""
        if self.performance.low == self.performance.high == 1 and self.power == 1:
            return "none"
        if self.efficiency.low >= 1 and self.power >= 1 and self.performance.low > 1:
            return "up"
        if self.efficiency.high <= 1 and self.power <= 1 and self.performance.high < 1:
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


def _peak(record, metric):
    """The peak asked for, or the next wider one the accelerator has; None if no source gives any."""
    wider = list(_PEAKS)[list(GAIN_METRICS).index(metric) :]
    return next((record[quantity] for quantity in wider if quantity in record.facts), None)


def has_vendor_power(record):
    """Whether the power of an accelerator is its vendor's rating.

    What a driver was read to allow is one where it is the most that can be set.
    """
    fact = record["tdp_w"]
    return fact.kind == "datasheet" or (fact.kind == "measurement" and fact.high == fact.value)


def gains(first, last, metric):
    """Split the gain between two accelerators with a rated power into efficiency and power.

    Ranges come from disagreement between sources on the two rates.  An accelerator without the peak of a metric of
    `GAIN_METRICS` is counted by its next wider one; if one of the two has no peak at all, bandwidth counts for both.

    >>> found = gains("v100-sxm2-32gb", "b200", "bf16")
    >>> round(found.performance.central, 2), round(found.power, 2), round(found.efficiency.central, 2)
    (18.0, 3.33, 5.4)
    """
    pair = [catalog.accelerator(name) for name in (first, last)]
    facts, ratio = [_peak(record, metric) for record in pair], escalator.flop_gain
    if None in facts:
        facts, ratio = [record["memory_bandwidth_bytes_per_s"] for record in pair], escalator.bandwidth_gain
    # Sources that disagree on one fact do not make it differ from itself.
    before, after = ([fact.value] * 3 if facts[0] is facts[1] else fact.ends for fact in facts)
    parts = [ratio(*ends) for ends in zip(reversed(before), after)]
    power = escalator.power_gain(pair[0].tdp_w, pair[1].tdp_w)
    efficiency = Range(*(escalator.efficiency_gain(part, power) for part in parts))
    return Gain(metric, *facts, Range(*parts), power, efficiency)


def with_rating(name, instead):
    """Canonical name of an accelerator, or of one that stands in if no source gives the power of the former.

    >>> with_rating("m2-ultra", "b200"), with_rating("h100", "b200")
    ('b200', 'h100-sxm')
    """
    record = catalog.accelerator(name)
    return record.entity if record.get("tdp_w") else catalog.find("accelerator", instead)


def w_per_mm2(record):
    """Rated power of an accelerator over the area of its processor, a Range. [W/mm2]"""
    return Range(*(dennard.chip_w_per_mm2(record.tdp_w, mm2) for mm2 in reversed(record["die_area_mm2"].ends)))


@dataclass(frozen=True)
class Budget:
    """What a supply of power makes of one accelerator; all of them together, not a number where no peak is known."""

    record: catalog.Record
    counted: str
    whole: float
    flop_per_s: float
    bytes_per_s: float


@by_choice
def _counted(record, metric):
    """How the peak of an accelerator is counted, and the peak."""
    peak = _peak(record, "bf16" if metric == "bandwidth" else metric)
    return (_PEAKS[peak.quantity], peak.value) if peak else ("", math.nan)


def budget(name, metric, power_budget_w):
    """What a supply of power for accelerators alone makes of one with a rated power.

    metric: one of `GAIN_METRICS`; with "bandwidth", the 16-bit peak is counted.

    >>> budget("h100", "bf16", 1e6).whole
    1428.0
    """
    record = catalog.accelerator(name)
    counted, peak = _counted(record, metric)
    flop_per_s = escalator.budget_flop_per_s(power_budget_w, escalator.peak_flop_per_j(peak, record.tdp_w))
    bytes_per_j = escalator.peak_bytes_per_j(record.memory_bandwidth_bytes_per_s, record.tdp_w)
    whole = floor(escalator.budget_accelerators(power_budget_w, record.tdp_w))
    return Budget(record, counted, whole, flop_per_s, escalator.budget_bytes_per_s(power_budget_w, bytes_per_j))


@dataclass(frozen=True)
class Repair:
    """One way to make the article's three factors agree; two are kept, the third follows. [1]"""

    efficiency: Range
    power: Range
    performance: Range
    share: Range


def repairs():
    """The article's gain, efficiency and power, made consistent in each of three ways, by the factor given up.

    Ends of a range follow the article's own range of performance.
    """
    printed = claim("C24").low, claim("C24").value, claim("C24").high
    efficiency, power = claim("C22").value, gains("v100-sxm2-32gb", "b200", "bf16").power
    factors = {
        "performance": [(efficiency, power, efficiency * power)] * 3,
        "efficiency": [(escalator.efficiency_gain(gain, power), power, gain) for gain in printed],
        "power": [(efficiency, gain / efficiency, gain) for gain in printed],
    }
    found = {}
    for given_up, three in factors.items():
        shares = [escalator.efficiency_share(efficiency, power) for efficiency, power, _ in three]
        found[given_up] = Repair(*map(Range, *three), Range(min(shares), shares[1], max(shares)))
    return found


@dataclass(frozen=True)
class MeasuredPair:
    """One network measured on two generations; tuples are first and last, gains last over first, of all boards."""

    model: str
    weight_format: str
    n_accelerators: tuple
    max_batch: float
    rating_use: tuple
    token_gain: float
    power_gain: float
    speed_gain: float
    marked: bool


def metered():
    """Measured runs with watts, of both tables together."""
    return [run for run in measured() if math.isfinite(run.power_w)]


def measured_pairs(first, last):
    """Every pair of measured runs that differ in the accelerator alone, or also in how many of them there are.

    Network, format, task, software, limit of the batch and length of prompts are the same.

    >>> pairs = measured_pairs("h100-sxm", "b200")
    >>> len(pairs), sum(one.n_accelerators[0] == one.n_accelerators[1] for one in pairs)
    (217, 108)
    """
    before, after = ([run for run in metered() if run.accelerator == name] for name in (first, last))
    ratings = [catalog.accelerator(name).tdp_w for name in (first, last)]
    return [_pair(pair, ratings) for pair in itertools.product(before, after) if _alike(*pair)]


def _alike(one, other):
    return all(getattr(one, name) == getattr(other, name) for name in _EQUAL)


def _pair(runs, ratings):
    count, power_w = [int(run.n_accelerators) for run in runs], [run.power_w for run in runs]
    tokens, power = escalator.token_gain(*(run.j_per_token for run in runs)), escalator.power_gain(*power_w)
    use, marked = tuple(map(escalator.rating_use, power_w, count, ratings)), any(run.anomaly for run in runs)
    served = runs[0].model, runs[0].weight_format, tuple(count), runs[0].max_batch
    return MeasuredPair(*served, use, tokens, power, tokens * power, marked)


def best_gains(first, last, with_marked=False):
    """Tokens per joule, last over first, each at its best run: a factor for each network, format, task and software."""
    best = {}
    for run in (one for one in metered() if with_marked or not one.anomaly):
        of = best.setdefault(tuple(getattr(run, name) for name in _EQUAL[:4]), {})
        of[run.accelerator] = min(run.j_per_token, of.get(run.accelerator, math.inf))
    return [escalator.token_gain(of[first], of[last]) for of in best.values() if {first, last} <= of.keys()]


def spread(values):
    """Lowest, median and highest of some values, a Range.

    >>> spread([3.0, 1.0, 2.0]).central
    2.0
    """
    return Range(min(values), statistics.median(values), max(values))


def near_rating():
    """How many measured runs drew more than nineteen twentieths of the rating, and of how many, by accelerator."""
    found = {}
    for run in metered():
        record = catalog.accelerator(run.accelerator)
        if record.get("tdp_w") and has_vendor_power(record):
            near, count = found.get(record.entity, (0, 0))
            use = escalator.rating_use(run.power_w, run.n_accelerators, record.tdp_w)
            found[record.entity] = near + int(use > _NEAR), count + 1
    return found


def boards_by_cooling(cooling):
    """Accelerators sold for "air" or "liquid", by rated power: the record of each, and the `Fact` on its cooling."""
    facts = [one["cooling"] for one in catalog.records("escalator.csv").values() if one.get("cooling") == cooling]
    return sorted(((catalog.accelerator(fact.entity), fact) for fact in facts), key=lambda pair: pair[0].tdp_w)


def article_efficiencies():
    """The article's performance per watt, over that of the V100, in the order of its series."""
    found = catalog.records("escalator.csv")
    return [found[f"article-{name.partition('-')[0]}"].efficiency_gain for name in ARTICLE_SERIES]


@dataclass(frozen=True)
class RatedPower:
    """One point of the history of rated power; low and high where the power is no vendor's rating and has a range."""

    name: str
    label: str
    year: float
    tdp_w: float
    low_w: float | None
    high_w: float | None
    cooling: str
    vendor_power: bool


def short(name):
    """Name for a figure or a sentence: "h100-sxm" is an H100, "gaudi-3" a Gaudi 3; the two sizes of an A100 are one."""
    words = name.partition("-sxm")[0].split("-")
    printed = {"pcie": "PCIe", "v4": "v4", "gaudi": "Gaudi", "rubin": "Rubin"}
    return " ".join(printed.get(one, one.upper()) for one in words)


def power_history():
    """Rated power of every data-centre accelerator with stacked memory, year and power known, by year, then power."""
    cooling, found = {name: one.get("cooling", "") for name, one in catalog.records("escalator.csv").items()}, []
    for name, record in catalog.records("accelerators.csv").items():
        stacked = record.category == "datacenter" and record.get("memory_type", "").startswith("HBM")
        if stacked and record.get("tdp_w") and record.get("year"):
            fact, vendor = record["tdp_w"], has_vendor_power(record)
            # Limits that can be set on a board are no uncertainty of its rating.
            ends = (None, None) if vendor else (fact.low, fact.high)
            found.append(RatedPower(name, short(name), record.year, fact.value, *ends, cooling.get(name, ""), vendor))
    return sorted(found, key=lambda one: (one.year, one.tdp_w, one.name))
