"""This model on that machine: tokens per second, watts and joules per token, with their ranges."""

import functools
import math
from dataclasses import dataclass, field, replace
from statistics import geometric_mean
from types import SimpleNamespace

from llmpower.arguments import NUMBERS, Check, ParameterError, largest
from llmpower.facts.catalog import fact, records
from llmpower.facts.runs import SERVERS
from llmpower.facts.stand_ins import STAND_IN, at_end, completed
from llmpower.facts.units import to_si
from llmpower.formulas import datacenter, decode, efficiency, meter, serving
from llmpower.formulas.elementwise import exp, log, maximum, minimum, none, positive, sqrt
from llmpower.step import bare, constants, notes, served
from llmpower.step import case as cases
from llmpower.step.cap import capped
from llmpower.step.case import Case
from llmpower.step.own import Own, measured
from llmpower.step.point import point
from llmpower.step.work import (
    attention_flop,
    fewest,
    fits,
    needed_bytes,
    net_of,
    positions,
    stored_bytes,
    usable_bytes,
    work,
)
from llmpower.trace import Words, by_choice, either, traced

# Lengths where none are given -> where they stand in data/datacenter.csv.
USUAL_LENGTHS = {
    "prompt_tokens": ("planning", "prompt_tokens_per_query"),
    "output_tokens": ("gpt-4o-query", "tokens_per_query"),
}
BOUNDARIES = ("accelerators", "server", "facility")


@dataclass(frozen=True)
class Ends:
    """One end of an estimate's range."""

    j_per_token: float
    tokens_per_s: float
    power_w: float


@dataclass(frozen=True)
class Host:
    """What a boundary adds to the accelerators, as low, value and high."""

    power_w: tuple
    pue: tuple
    note: str


@dataclass(frozen=True)
class Estimate:
    """What `estimate` found; numbers are floats, or arrays if an argument was one, and NaN where a case does not fit.

    A token is an output token; the energy of reading its share of the prompt is part of it.
    """

    case: Case
    boundary: str
    calibration: str
    fits: bool
    missing_bytes: float
    host: Host
    form: tuple = field(repr=False)
    own: Own | None = None

    @property
    def notes(self):
        """What was assumed, and what is not known, in words."""
        assumed = (*self.case.model.get("assumed", ()), *self.case.accelerator.get("assumed", ()))
        told = [notes.own(self.case, self.own, self._usual_errors())] if self.own else []
        told += notes.spilled(self.case, self.form[-1].resident_share)
        return (*assumed, *self.case.assumed, *told, *notes.left_out(self.case, self.calibration))

    def _usual_errors(self):
        case = self.case
        return _exam(case.model, case.accelerator, case.weight_format, case.software)

    @functools.cached_property
    def spans(self):
        """Errors of the exam that stands for this case, by quantity, such as measured over predicted at both ends."""
        case = self.case
        found = self._over_stand_ins(self._usual_errors())
        if self.own:
            return self.own.spans(found, self.batch, _has_experts(case.model))
        eager = by_choice(lambda name: name == "eager")(case.software)
        if traced(eager):
            wide = self._over_hosts(found)
            return {
                name: {end: positive(eager, wide[name][end], value) for end, value in row.items()}
                for name, row in found.items()
            }
        return self._over_hosts(found) if eager else found

    @property
    def spans_marked(self):
        """`spans` with the runs too that contradict their neighbours; None for software that has none."""
        if self.own or self.software not in (None, *SERVERS):
            return None
        case = self.case
        return _exam(case.model, case.accelerator, case.weight_format, case.software, marked=True)

    def _over_hosts(self, spans):
        """Errors with the span of hosts added, as of independent doubts."""
        ends = constants.host_ends(self.form[3])
        return self._wider(spans, [self.vary(**{name: pair[end] for name, pair in ends.items()}) for end in (0, 1)])

    def _over_stand_ins(self, spans):
        """Errors with what stands in for facts of the machine at its ends, each as an independent doubt."""
        plain = replace(self.case, measured_tokens_per_s=None, measured_power_w=None)
        for quantity in STAND_IN:
            machines = [at_end(plain.accelerator, quantity, end) for end in (0, 2)]
            if traced(*machines) or machines[0] is not machines[1]:
                spans = self._wider(spans, [expect(replace(plain, accelerator=one)) for one in machines])
        return spans

    def _wider(self, spans, others):
        """Errors with what the same run takes elsewhere, as of an independent doubt."""
        mine, steps, found = served.sweep(*self.form), [one.step for one in others], {}
        more = {"tokens_per_s": [mine.time_s / one.time_s for one in steps]}
        more["j_per_token"] = [one.energy_j / mine.energy_j for one in steps]
        for name, row in spans.items():
            logs = [log(one) for one in more[name]]
            low, high = (functools.reduce(outer, logs, 0.0) for outer in (minimum, maximum))
            low = exp(-sqrt(log(row["low_ratio"]) ** 2 + low**2))
            high = exp(sqrt(log(row["high_ratio"]) ** 2 + high**2))
            found[name] = row | {"low_ratio": low, "high_ratio": high}
        return found

    @property
    def unknown(self):
        """What no fitted run had of this case: names of `constants.EXAMS`."""
        case = self.case
        return constants.unknown(case.model, case.accelerator, case.weight_format, case.software)

    @functools.cached_property
    def step(self):
        """Times and energies of a step by part, whether it fits or not. `served.Step`"""
        found = served.sweep(*self.form)
        return self.own.applied(found, self.batch) if self.own else found

    @functools.cached_property
    def step_s(self):
        """Mean time of a step, prompts included. [s]"""
        return self._known(self.step.time_s)

    @functools.cached_property
    def tokens_per_s(self):
        """Output tokens of all sequences together. [1/s]"""
        return decode.tokens_per_s(self._written, self.step_s)

    _written = property(lambda self: serving.tokens_written(self.case.batch, self.case.accepted_tokens))
    tokens_per_s_per_user = property(lambda self: self.tokens_per_s / self.batch, doc="Of one sequence. [1/s]")

    @functools.cached_property
    def power_w(self):
        """Mean power of all accelerators together, and of what the boundary adds. [W]"""
        return self._outside(self._board_power_w, 1)

    @functools.cached_property
    def j_per_token(self):
        """Energy per output token inside the boundary. [J]"""
        return self.power_w / self.tokens_per_s

    @property
    def energy_by_part(self):
        """Energy per output token by part; the parts sum to `j_per_token`. [J]"""
        found = {}
        for name in ("weights", "kv", "compute", "interconnect", "static"):
            found[name] = self._known(decode.energy_per_token_j(getattr(self.step, f"{name}_j"), self._written))
        if self.boundary != "accelerators":
            found["host"] = self.host.power_w[1] / self.tokens_per_s
        if self.boundary == "facility":
            found["facility"] = (self.host.pue[1] - 1) * sum(found.values())
        return found

    @property
    def prefill_j_per_token(self):
        """Part of `j_per_token` that prompts cause: with them less without them. [J]"""
        plain = self.vary(prompt_tokens=0.0).step
        board = self._known((self.step.energy_j - plain.energy_j) / self._written)
        host = self.host.power_w[1] * self._known(self.step.time_s - plain.time_s) / self._written
        # The only token of an answer comes with its prompt.
        more = self.host.pue[1] * (board + host)
        return positive(self.output_tokens - 1, more, positive(self.prompt_tokens, self.j_per_token, more))

    @property
    def first_token_s(self):
        """Time from the first step that reads a prompt to its first token; waiting for a place is left out. [s]"""
        _, net, _, fitted, _, batch, _, prompt, output, where = self.form
        if output is math.inf:
            return math.nan
        plain, groups = self.vary(prompt_tokens=0.0).step.time_s, minimum(where.stages, batch)
        if self.software == "bare":
            # There a prompt is a step of its own.
            return self._known((self.step.time_s - plain) / serving.prompts_per_step(self._written / groups, output))
        return self._known(first_token_s(net, fitted, batch, prompt, output, where, plain, self.step.time_s))

    time_between_tokens_s = property(
        lambda self: 1 / self.tokens_per_s_per_user,
        doc="Mean time from a token of a sequence to its next, while prompts of others are read. [s]",
    )
    tokens_per_s_per_mw = property(
        lambda self: to_si(efficiency.tokens_per_j(self.tokens_per_s, self.power_w), "MW"),
        doc="Output tokens a second for a megawatt inside the boundary. [1/s/MW]",
    )
    # The energy of a token has its share of the prompt.
    j_per_request = property(
        lambda self: meter.request_energy_j(0, self._length, self.j_per_token),
        doc="Energy of a prompt and its answer inside the boundary. [J]",
    )
    j_per_total_token = property(
        lambda self: decode.energy_per_token_j(self.j_per_request, self.prompt_tokens + self._length),
        doc="The same, divided among tokens read and written, those from a cache too. [J]",
    )

    @property
    def input_tokens_per_s(self):
        """Tokens of prompts that are read, those from a cache too; none where prompts count as read. [1/s]"""
        return self.tokens_per_s * self.prompt_tokens / self.output_tokens

    @property
    def j_per_input_token(self):
        """Energy that prompts cause, divided among their tokens, those from a cache too. [J]"""
        # Without a prompt there is no such token.
        tokens = positive(self.prompt_tokens, self.prompt_tokens, math.nan)
        prompt_j = meter.request_energy_j(0, self._length, self.prefill_j_per_token)
        return decode.energy_per_token_j(prompt_j, tokens)

    # Answers without an end make no request.
    _length = property(lambda self: math.nan if self.output_tokens is math.inf else self.output_tokens)

    @property
    def memory_bytes(self):
        """Memory of all accelerators together: of weights and caches, left, and kept back by the software. [B]"""
        weights = stored_bytes(net_of(self.case))
        caches = needed_bytes(self.case) - weights
        kept = self.n_accelerators * self.case.accelerator.memory_bytes - usable_bytes(self.case)
        return {"weights": weights, "caches": caches, "left": 0.0 - self.missing_bytes, "kept_back": kept}

    @property
    def utilisation(self):
        """Shares of what all accelerators could move and multiply, by their datasheets: bandwidth and arithmetic. [1]

        Bytes are those that the step reads; operations those that the network needs, of tokens and prompts, which is
        called model FLOP utilisation.
        """
        case, (_, net, unit, fitted, n, *_) = self.case, self.form
        done, prompts = work(case), case.prefilled_tokens / case.output_tokens
        read = done.linear_flop + attention_flop(net, positions(net, case.prefilled_tokens / 2))
        flop = decode.step_flop(self._written, done.flop, prompts * read)
        least_s = {
            "bandwidth": served.sweep(*self.form).memory_time_s * fitted.reached_bandwidth_share,
            "arithmetic": decode.compute_time_s(flop, n, unit.dense_bf16_flop_per_s),
        }
        if not none(case.host_bandwidth_bytes_per_s):
            # Part of that time is the host's, whose memory stands in no datasheet.
            del least_s["bandwidth"]
        return {name: time_s / self.step_s for name, time_s in least_s.items()}

    @property
    def fitted_shares(self):
        """Shares of time and energy that rest on constants fitted to runs, or set by hand near them. [1]

        The others rest on datasheets, on counts of bytes and operations, and on what our own power runs measured.
        """
        plain = self.vary(**{name: constants.NEUTRAL[name] for name in constants.NEUTRAL.keys() & self.inputs.keys()})
        rest = {"time": plain.step.time_s / self.step.time_s, "energy": plain.step.energy_j / self.step.energy_j}
        return {name: maximum(0.0, 1 - share) for name, share in rest.items()}

    @property
    def bound(self):
        """What takes most of a step: bandwidth, compute, interconnect or overhead; power at the plateau of a board."""
        import numpy as np

        step = self.step
        found = [step.memory_time_s, step.compute_time_s, step.link_time_s, step.overhead_time_s]
        names = np.array(["bandwidth", "compute", "interconnect", "overhead", "power"])
        if traced(step.time_s):
            most = functools.reduce(maximum, found)
            place = functools.reduce(lambda rest, at: positive(most - found[at], rest, at), (2, 1, 0), 3)
            return Words(positive(step.uncapped_j - step.energy_j, 4, place), [*map(str, names)])
        most = np.argmax(np.stack(np.broadcast_arrays(*found)), axis=0)
        place = np.where(np.asarray(step.uncapped_j) > np.asarray(step.energy_j), 4, most)
        return names[place] if place.ndim else str(names[place])

    low = property(lambda self: self._ends("low", 0), doc="Low ends, each of its own. `Ends`")
    high = property(lambda self: self._ends("high", 2), doc="High ends, each of its own. `Ends`")

    @property
    def inputs(self):
        """What `vary` may change: numbers of the run, rates of the machine, constants; by name."""
        _, _, unit, fitted, _, *run, _ = self.form
        cap = {} if none(1 / self.case.power_cap_w) else {"power_cap_w": self.case.power_cap_w}
        return dict(zip(_RUN, run)) | {name: getattr(unit, name) for name in served.RATES} | vars(fitted) | cap

    def vary(self, **changes):
        """The same run with some of its inputs changed, unchecked; whether it fits is not looked at again.

        changes: numbers, arrays or symbols, by the names of `inputs`.
        """
        if unknown := changes.keys() - self.inputs.keys():
            allowed = ", ".join(self.inputs)
            raise ParameterError([f"{name}: not an input; inputs are {allowed}" for name in sorted(unknown)])
        step, net, unit, fitted, n, *run, where = self.form

        def changed(values):
            return values | {name: changes[name] for name in values.keys() & changes.keys()}

        unit, fitted = (SimpleNamespace(**changed(vars(one))) for one in (unit, fitted))
        run = changed(dict(zip(_RUN, run)))
        case = replace(self.case, **{name: changes[name] for name in (*_RUN, "power_cap_w") if name in changes})
        if "power_cap_w" in changes:
            step = functools.partial(capped, step.args[0], changes["power_cap_w"])
        return replace(self, case=case, form=(step, net, unit, fitted, n, *run.values(), where))

    _board_power_w = property(lambda self: decode.power_w(self.step.energy_j, self.step_s))

    def _known(self, value):
        """The value where it fits, NaN elsewhere."""
        if isinstance(self.fits, bool):
            return value if self.fits else math.nan
        if traced(self.fits):
            return positive(self.fits, value, math.nan)
        if self.fits.all():
            return value
        import numpy as np

        return np.where(self.fits, value, np.nan)

    def _outside(self, board_power_w, end):
        return datacenter.facility_power_w(board_power_w + self.host.power_w[end], self.host.pue[end])

    def _ends(self, name, end):
        spans = self.spans
        energy, speed = spans["j_per_token"][f"{name}_ratio"], spans["tokens_per_s"][f"{name}_ratio"]
        board = self._board_power_w / self.tokens_per_s
        host = self.host.power_w[end] / self.tokens_per_s
        # Speed and energy err together, so their ends are not multiplied; power gets the range of the energy unless
        # it has its own, up to the rating or the cap.
        most = minimum(at_end(self.case.accelerator, "tdp_w", 2).tdp_w, self.case.power_cap_w)
        most = maximum(serving.board_power_w(self.n_accelerators, 1, most), self._board_power_w)
        more = spans["power_w"][f"{name}_ratio"] if "power_w" in spans else energy
        power = minimum(more * self._board_power_w, most)
        return Ends(self.host.pue[end] * (energy * board + host), speed * self.tokens_per_s, self._outside(power, end))

    def __getattr__(self, name):
        # What was asked for: numbers of the case, and names of its records.
        if name not in _ASKED:
            raise AttributeError(name)
        value = getattr(self.case, name)
        return getattr(value, "entity", value)

    def __dir__(self):
        return [*super().__dir__(), *_ASKED]

    def __str__(self):
        from llmpower.text import estimate_text

        return estimate_text(self)

    def _repr_html_(self):
        from llmpower.text import html

        return html(self)

    def to_frame(self):
        """A pandas data frame with a row for each run: inputs, results, ends; units in the names."""
        from llmpower.text import frame

        return frame(self)


# A cap is met to better than this.
_HELD = 1e-3
# Arguments that a result repeats, and the numbers of a run in the order in which `served.step` takes them.
_ASKED = (
    "model", "accelerator", "n_accelerators", "batch", "context_tokens", "prompt_tokens", "output_tokens",
    "weight_format", "kv_format", "parallelism", "software", *NUMBERS[5:],
)  # fmt: skip
_RUN = ("batch", "context_tokens", "prompt_tokens", "output_tokens")


def first_token_s(net, fitted, batch, prompt_tokens, output_tokens, where, plain_s, time_s):
    """Time to a first token, from what `served.step` takes and its times without and with prompts. [s]"""
    groups = minimum(where.stages, batch)
    written = serving.tokens_written(batch, where.accepted_tokens)
    tried = serving.tokens_tried(batch / groups, where.draft_tokens)
    reads = served.prompt_work_tokens(net, fitted, prompt_tokens)
    passes = serving.prompt_passes(reads, tried, where.max_step_tokens)
    begun = serving.prompts_per_step(written / groups, output_tokens)
    share = serving.prompt_step_share(begun, passes)
    # Where more passes begin than there are steps, a step of the mean stands for several of them.
    return serving.first_token_s(passes / maximum(begun * passes, 1.0), share, plain_s, time_s)


def servers():
    """Whole servers whose power beside the accelerators was measured: name of the accelerator -> record."""
    found = [one for one in records("datacenter.csv").values() if one.get("machine") and one.get("host_power_w")]
    return {one.machine: one for one in found}


@by_choice
@functools.cache
def _host(accelerator, boundary):
    """Power beside one accelerator and the site's factor."""
    if boundary == "accelerators":
        return Host((0.0,) * 3, (1.0,) * 3, "accelerators alone: no host, fans, network or site")
    if accelerator.category == "soc":
        return _site((0.0,) * 3, "one computer, whose rating holds all of it", boundary)
    name, known = accelerator.entity, servers()
    watts = {name: [end / one.n_accelerators for end in one["host_power_w"].ends] for name, one in known.items()}
    if name in known:
        power, note = watts[name], f"host as in a server of eight ({known[name].entity})"
    else:
        rated = records("accelerators.csv")
        shares = zip(*([end / rated[name].tdp_w for end in ends] for name, ends in watts.items()))
        picks = zip((min, geometric_mean, max), shares)
        power = [accelerator.tdp_w * pick(column) for pick, column in picks]
        note = "host scaled with the rating from servers of eight H100 and eight B200"
    return _site(tuple(power), note, boundary)


def _site(power_w, note, boundary):
    """A host, with the factor of a site where that counts."""
    if boundary == "server":
        return Host(power_w, (1.0,) * 3, note)
    pue = fact("datacenter.csv", "gpt-4o-query", "pue")
    return Host(power_w, tuple(pue.ends), f"{note}; site factor {pue.printed.removesuffix(' 1')} ({pue.entity})")


def _exam(model, accelerator, weight_format, software, marked=False):
    """Errors of the exams that stand for a case."""
    missing = constants.unknown(model, accelerator, weight_format, software)
    return by_choice(constants.exam_errors)(missing, either(_has_experts(model)), software, marked)


@by_choice
def _has_experts(model):
    return model.n_experts > 0


@by_choice
@functools.cache
def _unit(accelerator, weight_format, software, link_bytes_per_s):
    """Rates with what large products reach, and the constants for this machine and software with their kind."""
    fitted, kind = constants.for_machine(accelerator, software)
    unit = SimpleNamespace(**vars(served.machine(accelerator, weight_format)))
    unit.link_bytes_per_s = link_bytes_per_s
    if software == "eager" and served.unpacked(accelerator, weight_format):
        more = fact("calibration.csv", "unpacking", "unpacking_host_share").value
        host = {name: getattr(fitted, name) * (1 + more) for name in ("host_step_time_s", "host_layer_time_s")}
        fitted = SimpleNamespace(**vars(fitted) | host)
    return unit, fitted, kind


# Formats that no server unpacks where a machine lacks their unit: users name one that is only stored, then.
_RATES = {name: served.PATHS[name] for name in ("fp8", "int8")}


@functools.cache
def _known_for(quantity):
    """For which accelerators a quantity is known: the first few, and where the others are listed."""
    single = (one for one in records("accelerators.csv").values() if one.category != "system")
    known = [one.entity for one in single if one.get(quantity)]
    return f"known for {', '.join(known[:6])} and {len(known) - 6} more, which `llmpower accelerators` lists"


@functools.cache
def lacks(machine, weight_format, several):
    """What an estimate needs and the catalog does not have: argument, what is missing, what would do.

    machine, weight_format: records of the accelerator and of the format.
    several: whether more than one accelerator is meant, whose link nobody gave and no fact tells.
    """
    return tuple(_lacks(machine, weight_format, several))


def _lacks(machine, weight_format, several):
    machine = completed(machine)
    name, stored = machine.entity, (weight_format.get("base", weight_format), *weight_format.get("parts", {}).values())
    lacked = [one.entity for one in stored if one.products_in in _RATES and not machine.get(_RATES[one.products_in])]
    if lacked:
        known = ", ".join(rate for rate in ("bf16", *_RATES) if machine.get(f"dense_{rate}_flop_per_s"))
        also = "formats that are only stored, such as w8a16, int4 and q4_k_m, run at its 16-bit rate"
        yield (
            "weight_format",
            f"{name} has no rate for {' and '.join(dict.fromkeys(lacked))}",
            f"it has {known}; {also}",
        )
    if machine.category == "system":
        known = records("accelerators.csv").values()
        own = [one.entity for one in known if one.category != "system" and name.startswith(one.entity)]
        such = f"{own[0]} and {machine.n_accelerators:.0f}" if own else "h100-sxm and 8"
        instead = f"name one of its accelerators and how many, such as {such}"
        yield ("accelerator", f"{name} is a whole system", instead)
    if several:
        known = f"give link_bytes_per_s [B/s]; it is {_known_for('link_bytes_per_s')}"
        yield ("n_accelerators", f"no bandwidth between accelerators of {name} is in data/", known)


def usual_lengths():
    """Lengths by argument where none are given, from the facts."""
    return {name: fact("datacenter.csv", *place).value for name, place in USUAL_LENGTHS.items()}


def estimate(
    model,
    accelerator,
    n_accelerators=1,
    batch=1,
    prompt_tokens=None,
    output_tokens=None,
    context_tokens=None,
    weight_format="bf16",
    kv_format=None,
    parallelism=None,
    boundary="accelerators",
    software=None,
    cached_prompt_share=0,
    draft_tokens=0,
    accepted_tokens=0,
    max_step_tokens=None,
    power_cap_w=None,
    accelerators_per_server=None,
    link_bytes_per_s=None,
    network_bytes_per_s=None,
    host_bandwidth_bytes_per_s=None,
    memory_share=None,
    measured_tokens_per_s=None,
    measured_power_w=None,
    measured_batch=None,
):
    """Predict speed, power and energy of a model on a machine, as an `Estimate`; counts of tokens may be arrays.

    model, accelerator: names of the catalog, or what people type for them; a model may be a `config.json`: its path,
    its folder, or what it holds.
    n_accelerators: accelerators that share the model. [1]
    batch: sequences decoded together, on average. [1]
    prompt_tokens: tokens of a prompt; none where another length is given alone. [1]
    output_tokens: tokens written per prompt; 0 reads prompts alone, each to its first token; without it prompts count
    as read already, their energy is left out. [1]
    context_tokens: mean context of a running request, which sets the reads of the cache; without it prompt +
    output / 2, right for fixed lengths. Where no length is given, prompt and answer are those of a usual plan. [1]
    weight_format, kv_format: number formats; caches are in 16 bit unless told otherwise. Behind the format of the
    weights others may follow for parts of the network, such as ``fp8,experts=nvfp4,output=bf16``: ``experts``,
    ``attention``, ``output``, ``embedding``, and ``rest``, which is whatever is not named, but for the experts.
    parallelism: ``tp`` cuts every matrix over the accelerators, ``ep`` spreads whole experts and cuts the rest, ``dp``
    spreads experts and gives each accelerator its own sequences and all other weights, ``pp`` gives each its layers.
    boundary: how far energy is counted: ``accelerators``, ``server`` with its share, or ``facility`` with the site's.
    software: ``vllm``, ``sglang`` or ``trtllm`` as of 2025-26; without it their mean, with a range over all;
    ``llama.cpp``; ``eager``, where the host starts every kernel; or ``bare``: captured graphs without a server, host
    time or sampling, at the watts of our own power runs.
    cached_prompt_share: share of a prompt that is found in a cache and not computed. [1]
    draft_tokens, accepted_tokens: drafted tokens of each sequence that a step checks, and accepts on average. [1]
    max_step_tokens: limit to the tokens of a step, by which long prompts are cut. [1]
    power_cap_w: limit to the power of each accelerator. [W]
    accelerators_per_server, link_bytes_per_s, network_bytes_per_s: how many share a fast link, its bandwidth, and that
    of an accelerator to other servers; as in data/ where they are not given. [1], [B/s]
    host_bandwidth_bytes_per_s: of the memory of the host, or of the way to it where that is slower, for all together;
    weights that do not fit lie there, and are read from there. [B/s]
    memory_share: share of the memory that weights and caches may take, which servers call GPU memory utilization; as
    in data/ where it is not given, all of it under llama.cpp and without a server. [1]
    measured_tokens_per_s, measured_power_w: what you measured of this very case, or of it at another `measured_batch`:
    output tokens of all sequences together, and power of all accelerators together, without host or site. Times and
    energies follow it, at other batches by less, and the range is that of runs of which another batch was known.

    Wrong arguments raise one `ParameterError` with every problem, what is allowed, and the unit. A run that does not
    fit raises one too; in arrays it is NaN, and `fits` is False.

    Constants are fitted to runs of seven laboratories and three servers; `data/accuracy.csv` has the errors on
    laboratories, networks, machines and servers that were left out, and the range is theirs. Watts were metered by one
    laboratory, with vLLM on H100 and B200. Left out: layouts that mix ways of cutting, formats of single layers, the
    unpacking of caches for prompts.

    >>> run = {"n_accelerators": 4, "batch": 64, "prompt_tokens": 200, "output_tokens": 400, "software": "vllm"}
    >>> found = estimate("llama-3.1-70b", "h100-sxm", **run)
    >>> found.calibration, found.bound, found.fits, found.low.j_per_token < found.j_per_token < found.high.j_per_token
    ('fitted', 'bandwidth', True, True)
    """
    given = dict(locals())
    check = Check()
    boundary = check.choice("boundary", given.pop("boundary"), BOUNDARIES)
    usual = None is prompt_tokens is output_tokens is context_tokens
    given |= usual_lengths() if usual else {"prompt_tokens": 0 if prompt_tokens is None else prompt_tokens}
    found = read(check, **given)
    check.done()
    if usual:
        told = (
            f"a prompt of {found.prompt_tokens:.0f} and an answer of {found.output_tokens:.0f} tokens, as plans assume"
        )
        found = replace(found, assumed=(f"no lengths given: {told}", *found.assumed))
    result = expect(found, boundary)
    if result.fits is False:
        check_fits(found, "; or give host_bandwidth_bytes_per_s, at which weights are read from the host's memory")
    check_cap(result)
    _check_measured(result)
    return result


# What was measured may lie above a datasheet by what clocks and meters are off.
_ABOVE = 1.1


def _check_measured(found):
    """Raise `ParameterError` if a measurement of one's own is beyond what the machine can do."""
    problems = []
    if found.own and isinstance(found.fits, bool) and not hasattr(found.step_s, "shape"):
        case, name = found.case, found.case.accelerator.entity
        most, speed = max(found.utilisation.values()), case.measured_tokens_per_s
        if speed is not None and most > _ABOVE:
            problems.append(
                f"measured_tokens_per_s: got {speed:,.6g}; {name} would have to do {most:,.3g} times what its datasheet"
                f" allows, allowed is up to {_ABOVE * speed / most:,.4g} [1/s]"
            )
        rated = case.n_accelerators * case.accelerator.tdp_w
        if case.measured_power_w is not None and case.measured_power_w > 2 * rated:
            problems.append(
                f"measured_power_w: got {case.measured_power_w:,.6g}; {case.n_accelerators:,.0f} x {name} are rated at"
                f" {rated:,.4g} W, allowed is up to twice that [W]"
            )
    if problems:
        raise ParameterError(problems)


def read(check, **given):
    """A `Case` as `step.case.case` reads it, on a machine whose rates are known; `check` takes the problems."""
    found = cases.case(**given, check=check)
    machine, format_, n = found.accelerator, found.weight_format, found.n_accelerators
    if not traced(machine, format_, n) and machine and format_ and n is not None:
        for argument, missing, instead in lacks(machine, format_, _unlinked(found, n)):
            check.wrong(argument, f"{missing}; {instead}")
    return found


def _unlinked(case, n):
    """Whether so many accelerators share a network over a link of which nothing is known."""
    # Where something else is wrong a case has holes.
    link = case.link_bytes_per_s or cases.link_bytes_per_s_of(case.accelerator)
    return bool(largest(n) > 1 and not link > 0)


@by_choice
def _lacks_something(machine, weight_format, several):
    return bool(lacks(machine, weight_format, several))


def lacking(case, n):
    """Above zero where a traced case on so many accelerators asks for what the catalog does not have."""
    alone, several = (_lacks_something(case.accelerator, case.weight_format, many) for many in (False, True))
    # A link that somebody gave is known.
    unlinked = positive(case.link_bytes_per_s, alone, several)
    # What `step.case` refuses: more accelerators than there is to spread, more drafts accepted than made or than a step
    # takes.
    spread = {"ep": case.model.n_experts, "dp": case.model.n_experts, "pp": case.model.n_layers}.get(
        case.parallelism, n
    )
    drafts = maximum(case.accepted_tokens - case.draft_tokens, case.draft_tokens + 1 - case.max_step_tokens)
    refused = maximum(n - spread, drafts)
    return positive(refused, 1.0, positive(n - 1, unlinked, alone))


def held(case):
    """A case on the fewest accelerators, from its own number on, that hold it; None where no estimate can be had."""
    if traced(case.model, case.accelerator, case.weight_format, case.batch, case.context_tokens):
        n = fewest(case, case.n_accelerators)
        return replace(case, n_accelerators=positive(lacking(case, n), math.nan, n))
    count = fewest(case, int(case.n_accelerators))
    larger = count and replace(case, n_accelerators=float(count))
    return larger if larger and not lacks(larger.accelerator, larger.weight_format, _unlinked(larger, count)) else None


def expect(case, boundary="accelerators"):
    """`Estimate` of a checked case, without an error where it does not fit: then its numbers are NaN."""
    case, n = replace(case, accelerator=completed(case.accelerator)), case.n_accelerators
    step, net, unit, fitted, kind = forms(case)
    host, missing = _host(case.accelerator, boundary), needed_bytes(case) - usable_bytes(case)
    if boundary != "accelerators":
        host = replace(host, power_w=tuple(n * power for power in host.power_w))
    where, spilled = point(case), case.host_bandwidth_bytes_per_s
    if not none(spilled):
        where.host_bandwidth_bytes_per_s, stored = spilled, stored_bytes(net)
        spilled = minimum(maximum(missing, 0.0), stored)
        where.resident_share, missing = 1 - spilled / stored, missing - spilled
    run = (n, case.batch, case.context_tokens, case.prefilled_tokens, case.output_tokens, where)
    if not none(1 / case.power_cap_w):
        step = functools.partial(capped, step, case.power_cap_w)
    # What just fits, fits.
    fitting = missing <= 0 if not traced(missing) else positive(maximum(missing, lacking(case, n)), 0.0, 1.0)
    found = Estimate(case, boundary, kind, fitting, missing, host, (step, net, unit, fitted, *run))
    given = case.measured_tokens_per_s, case.measured_power_w
    if given == (None, None):
        return found
    batch = case.batch if case.measured_batch is None else case.measured_batch
    at = expect(replace(case, batch=batch, measured_tokens_per_s=None, measured_power_w=None))
    return replace(found, own=measured(at.step, at._written, batch, *given))


def forms(case):
    """The step function of the software of a case, and what it takes: network, rates, constants, and their kind."""
    machine = completed(case.accelerator)
    records = (machine, case.weight_format, case.model)
    if by_choice(lambda name: name == "bare")(case.software):
        net = bare.network(case.model, case.weight_format, case.kv_format)
        unit = SimpleNamespace(**{**vars(bare.unit(*records)), "link_bytes_per_s": case.link_bytes_per_s})
        return bare.step, net, unit, *bare.constants(*records)
    unit, fitted, kind = _unit(*records[:2], case.software, case.link_bytes_per_s)
    found = served.cache_unpacking(case.accelerator, case.kv_format)
    unit = SimpleNamespace(**vars(unit) | dict(zip(("cache_unpacking_s", "cache_unpacking_draws"), found)))
    return served.step, net_of(case), unit, fitted, kind


def check_cap(found):
    """Raise `ParameterError` if a single case draws more than its cap at its lowest clock."""
    cap = found.case.power_cap_w
    # What somebody measured is not doubted here.
    if traced(cap) or cap == math.inf or found.own or not isinstance(found.fits, bool) or not found.fits:
        return
    if over_cap_w(found) > 0:
        draws = found._board_power_w / found.n_accelerators
        least = f"{found.accelerator} draws {draws:,.3g} W here at its lowest clock, allowed is more"
        raise ParameterError([f"power_cap_w: got {cap:,.6g}; {least} [W]"])


def over_cap_w(found):
    """What each accelerator draws above its cap, which is met to a thousandth. [W]"""
    return found._board_power_w / found.n_accelerators - found.case.power_cap_w * (1 + _HELD)


def check_fits(case, at_home=""):
    """Raise `ParameterError` if a single case does not fit, with what is missing and what would do.

    at_home: what else would do for a card or a computer at home.
    """
    if fits(case) is not False:
        return
    n, accelerator, count = int(case.n_accelerators), case.accelerator, fewest(case)
    if count is None:
        keeps = f" that divides its {case.model.n_heads} heads would do, since each keeps caches of at least one"
        would = f"no number of them{keeps if case.parallelism in ('tp', 'ep') else ' would do'}"
    elif _unlinked(case, count):
        would = f"{count:,} would hold it, but no bandwidth between accelerators of this kind is in data/"
    else:
        would = f"{count:,} would do"
    if accelerator.category in ("desktop", "laptop"):
        would += at_home
    missing = f"{(needed_bytes(case) - usable_bytes(case)) / 1e9:,.1f} GB on {n} x {accelerator.entity}"
    run = f"{case.model.entity} with {case.batch:,.6g} sequences of {case.context_tokens:,.6g} tokens"
    kept = f"; {100 * case.memory_share:.3g} % of the memory are used, which memory_share changes"
    told = f"{run} misses {missing}; {would}{kept if case.memory_share < 1 else ''}"
    raise ParameterError([f"n_accelerators: got {n}; {told} [count]"])
