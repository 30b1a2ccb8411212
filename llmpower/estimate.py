"""This model on that machine: tokens per second, watts and joules per token, with their ranges.

Joins `forecast` (a step), `calibration` (its constants) and the catalog behind
one checked function, `estimate`.
"""

import difflib
import functools
import math
import numbers
import reprlib
from dataclasses import dataclass, field, replace
from types import SimpleNamespace

from llmpower.arguments import ParameterError
from llmpower.evidence import fit
from llmpower.facts import catalog
from llmpower.facts.quantities import quantities
from llmpower.formulas import datacenter, decode, serving
from llmpower.formulas.elementwise import minimum
from llmpower.step import served

BOUNDARIES = ("accelerators", "server", "facility")
PARALLELISMS = ("tp", "ep")
_SERVERS = {"h100-sxm": "server-8-h100", "b200": "server-8-b200"}
_PUE = "gpt-4o-query"
_IN_A_SERVER = 8


@dataclass(frozen=True)
class Ends:
    """One end of an estimate's range."""

    j_per_token: float
    tokens_per_s: float
    power_w: float


@dataclass(frozen=True)
class Host:
    """What a boundary adds to the accelerators, as value, low and high."""

    power_w: tuple
    pue: tuple
    note: str


@dataclass(frozen=True)
class Estimate:
    """What `estimate` found; numbers are floats, or arrays if an argument was one.

    A token is an output token; the energy of reading its share of the prompt is
    part of it.
    """

    model: str
    accelerator: str
    n_accelerators: float
    batch: float
    context_tokens: float
    prompt_tokens: float
    output_tokens: float
    weight_format: str
    kv_format: str
    parallelism: str
    boundary: str
    calibration: str
    fits: bool
    missing_bytes: float
    notes: tuple
    host: Host
    spans: dict
    _run: tuple = field(repr=False)

    @functools.cached_property
    def step(self):
        """Times and energies of a step by part, whether it fits or not. `served.Step`"""
        return served.sweep(*self._run)

    @functools.cached_property
    def step_s(self):
        """Mean time of a step, prompts included. [s]"""
        return self._known(self.step.time_s)

    @functools.cached_property
    def tokens_per_s(self):
        """Output tokens of all sequences together. [1/s]"""
        return decode.tokens_per_s(self.batch, self.step_s)

    @property
    def tokens_per_s_per_user(self):
        """Output tokens of one sequence. [1/s]"""
        return self.tokens_per_s / self.batch

    @functools.cached_property
    def power_w(self):
        """Mean power of all accelerators together, and of what the boundary adds. [W]"""
        return self._outside(self._board_power_w, 0)

    @functools.cached_property
    def j_per_token(self):
        """Energy per output token inside the boundary. [J]"""
        return self.power_w / self.tokens_per_s

    @property
    def energy_by_part(self):
        """Energy per output token by part; the parts sum to `j_per_token`. [J]"""
        step = self.step
        parts = {
            "weights": step.weights_j,
            "kv": step.kv_j,
            "compute": step.compute_j,
            "interconnect": step.interconnect_j,
            "static": step.static_j,
        }
        found = {name: self._known(decode.energy_per_token_j(energy, self.batch)) for name, energy in parts.items()}
        if self.boundary != "accelerators":
            found["host"] = self.host.power_w[0] / self.tokens_per_s
        if self.boundary == "facility":
            found["facility"] = (self.host.pue[0] - 1) * sum(found.values())
        return found

    @property
    def prefill_j_per_token(self):
        """Part of `j_per_token` that prompts cause: with them less without them. [J]"""
        plain = self.vary(prompt_tokens=0.0).step
        board = self._known((self.step.energy_j - plain.energy_j) / self.batch)
        host = self.host.power_w[0] * self._known(self.step.time_s - plain.time_s) / self.batch
        return self.host.pue[0] * (board + host)

    @property
    def bound(self):
        """What takes most of a step: bandwidth, compute, interconnect or overhead; power if the boards are at their plateau."""
        import numpy as np

        step = self.step
        found = [step.memory_time_s, step.compute_time_s, step.link_time_s, step.overhead_time_s]
        names = np.array(["bandwidth", "compute", "interconnect", "overhead", "power"])
        most = np.argmax(np.stack(np.broadcast_arrays(*found)), axis=0)
        place = np.where(np.asarray(step.uncapped_j) > np.asarray(step.energy_j), 4, most)
        return names[place] if place.ndim else str(names[place])

    @property
    def low(self):
        """Low ends, each of its own. `Ends`"""
        return self._ends("low", 1)

    @property
    def high(self):
        """High ends, each of its own. `Ends`"""
        return self._ends("high", 2)

    @property
    def inputs(self):
        """What `vary` may change: numbers of the run, rates of the machine, constants; by name."""
        _, unit, constants, _, *run, _ = self._run
        rates = {name: getattr(unit, field) for name, field in _RATE_FIELDS.items()}
        return dict(zip(_RUN, run)) | rates | vars(constants)

    @property
    def intervals(self):
        """Low and high ends of the fitted constants, by name; scaled with a constant that is."""
        return fit.intervals(self.accelerator, self._run[2])

    def vary(self, **changes):
        """The same run with some of its inputs changed, unchecked.

        Parameters
        ----------
        changes : float, array or symbol
            New values, by the names of `inputs`.

        Returns
        -------
        estimate : Estimate
            Whether it fits is not looked at again.
        """
        if unknown := changes.keys() - self.inputs.keys():
            raise ParameterError(
                [f"{name}: not an input; inputs are {', '.join(self.inputs)}" for name in sorted(unknown)]
            )
        net, unit, constants, n, *run, spread = self._run

        def changed(values):
            return values | {name: changes[name] for name in values.keys() & changes.keys()}

        rates = {field: changes.get(name, getattr(unit, field)) for name, field in _RATE_FIELDS.items()}
        unit = SimpleNamespace(**vars(unit) | rates)
        constants = SimpleNamespace(**changed(vars(constants)))
        run = changed(dict(zip(_RUN, run)))
        told = {name: changes[name] for name in _RUN if name in changes}
        return replace(self, _run=(net, unit, constants, n, *run.values(), spread), **told)

    @property
    def _board_power_w(self):
        return decode.power_w(self.step.energy_j, self.step_s)

    def _known(self, value):
        """The value where it fits, NaN elsewhere; an estimate of one run always fits."""
        if isinstance(self.fits, bool) or self.fits.all():
            return value
        import numpy as np

        return np.where(self.fits, value, np.nan)

    def _outside(self, board_power_w, end):
        return datacenter.facility_power_w(board_power_w + self.host.power_w[end], self.host.pue[end])

    def _ends(self, name, end):
        energy, speed = self.spans["j_per_token"][f"{name}_ratio"], self.spans["tokens_per_s"][f"{name}_ratio"]
        board = self._board_power_w / self.tokens_per_s
        host = self.host.power_w[end] / self.tokens_per_s
        # Speed and energy err together, so their ends are not multiplied; power gets the range of the energy, up to the rating.
        rating = serving.board_power_w(self.n_accelerators, 1, self._run[1].tdp)
        power = minimum(energy * self._board_power_w, rating)
        return Ends(self.host.pue[end] * (energy * board + host), speed * self.tokens_per_s, self._outside(power, end))

    def __str__(self):
        from llmpower.text import batches_text, estimate_text

        if isinstance(self.fits, bool):
            return estimate_text(self)
        lines = getattr(self.batch, "ndim", 0) == 1 and self.batch.shape == self.fits.shape
        return batches_text(self) if lines else repr(self)


# Numbers of a run in the order in which `served.step` takes them, and quantity -> field of a machine.
_RUN = ("batch", "context_tokens", "prompt_tokens", "output_tokens")
_RATE_FIELDS = {
    "memory_bandwidth_bytes_per_s": "bandwidth", "dense_bf16_flop_per_s": "peak", "reached_bf16_flop_per_s": "reached",
    "link_bytes_per_s": "link", "tdp_w": "tdp",
}  # fmt: skip


@functools.cache
def _host(accelerator, boundary):
    """Power beside one accelerator and the site's factor, each as value, low and high."""
    if boundary == "accelerators":
        return Host((0.0, 0.0, 0.0), (1.0, 1.0, 1.0), "accelerators alone: no host, fans, network or site")

    def each(server):
        record = catalog.records("datacenter.csv")[server]
        power = record["host_power_w"]
        return [value / record.n_accelerators for value in (power.value, power.low, power.high)]

    if accelerator in _SERVERS:
        host, note = tuple(each(_SERVERS[accelerator])), f"host as in a server of eight ({_SERVERS[accelerator]})"
    else:
        shares = [[w / catalog.accelerator(name).tdp_w for w in each(server)] for name, server in _SERVERS.items()]
        tdp = catalog.accelerator(accelerator).tdp_w
        host = tuple(tdp * pick(column) for pick, column in zip((fit._mean, min, max), zip(*shares)))
        note = "host scaled with the rating from servers of eight H100 and eight B200"
    if boundary == "server":
        return Host(host, (1.0, 1.0, 1.0), note)
    pue = catalog.fact("datacenter.csv", _PUE, "pue")
    return Host(host, (pue.value, pue.low, pue.high), f"{note}; site factor {pue.printed.removesuffix(' 1')} ({_PUE})")


@functools.cache
def _unit(accelerator, weight_format):
    """Rates with what large products reach, and the constants for this machine."""
    constants, kind = fit.constants(accelerator)
    unit = SimpleNamespace(**vars(served.machine(accelerator, weight_format)))
    if math.isnan(unit.reached):
        unit.reached = unit.peak * constants.dense_flop_share
    return unit, constants, kind


@functools.cache
def _spans(kind, moe):
    group = "moe" if moe else "dense"
    return {
        quantity: fit.accuracy_table()[fit.EXAMS[kind], group, quantity] for quantity in ("j_per_token", "tokens_per_s")
    }


# Argument -> quantity whose range is allowed, and whether it must be whole.
_NUMBERS = {
    "n_accelerators": ("n_accelerators", True), "batch": ("batch", False), "prompt_tokens": ("prompt_tokens", False),
    "output_tokens": ("output_tokens", False), "context_tokens": ("context_tokens", False),
}  # fmt: skip


def _number(name, given, problems):
    """A float, or an array of floats; what is wrong with it goes to `problems`."""
    quantity, whole = _NUMBERS[name]
    row = quantities()[quantity]
    low, high = row.low, row.high
    if isinstance(given, numbers.Real) and not isinstance(given, bool):
        if low <= given <= high and (not whole or given == int(given)):
            return float(given)
        shown = reprlib.repr(given)
    else:
        import numpy as np

        try:
            values = np.asarray(given)
            # What a mask hides would be computed all the same.
            known = values.dtype.kind in "iuf" and values.size > 0 and not np.ma.is_masked(given)
        except (TypeError, ValueError):
            known = False
        if known:
            values = values.astype(float)
            wrong = ~((values >= low) & (values <= high))
            if whole:
                wrong |= values != np.floor(values)
            if not wrong.any():
                return values if values.ndim else float(values)
            shown = f"{float(values[wrong].flat[0])!r} among {wrong.size} values"
        else:
            shown = reprlib.repr(given)
    problems.append(
        f"{name}: got {shown}; allowed is {'a whole number' if whole else 'a number'} "
        f"from {low:,.12g} to {high:,.12g}, or an array of such [count]"
    )
    return None


def _together(values, problems):
    """Complain about arrays whose shapes do not go together."""
    shapes = {name: value.shape for name, value in values.items() if hasattr(value, "shape")}
    if len(shapes) > 1:
        import numpy as np

        try:
            np.broadcast_shapes(*shapes.values())
        except ValueError:
            given = ", ".join(f"{name} {shape}" for name, shape in shapes.items())
            problems.append(
                f"{', '.join(shapes)}: shapes do not go together; got {given}; allowed is what NumPy broadcasts"
            )


def _name(argument, kind, given, problems):
    try:
        return catalog.find(kind, str(given))
    except catalog.UnknownName as error:
        problems.append(f"{argument}: {error}")
        return None


def _choice(argument, given, allowed, problems):
    if isinstance(given, str) and given.lower() in allowed:
        return given.lower()
    near = difflib.get_close_matches(str(given).lower(), allowed, n=1)
    problems.append(
        f"{argument}: got {given!r}; {f'did you mean {near[0]}? ' if near else ''}allowed is {', '.join(allowed)}"
    )
    return None


_RATES = {"fp8": "dense_fp8_flop_per_s", "int8": "dense_int8_flop_per_s"}


def _largest(values):
    return values if isinstance(values, float) else values.max()


def _rates(accelerator, weight_format, several, problems):
    """Complain about what the catalog does not know of a machine and an estimate needs."""
    found = catalog.accelerator(accelerator)
    known = [name for name in ("bf16", *_RATES) if found.get(f"dense_{name}_flop_per_s")]
    if not found.get("dense_bf16_flop_per_s"):
        problems.append(
            f"accelerator: no rate of {accelerator} for 16-bit products is in data/; {_with('dense_bf16_flop_per_s')}"
        )
    elif weight_format in _RATES and not found.get(_RATES[weight_format]):
        also = "formats that are only stored, such as int4 and q4_k_m, run at its 16-bit rate"
        problems.append(
            f"weight_format: {accelerator} has no rate for {weight_format}; it has {', '.join(known)}; {also}"
        )
    if found.category == "system":
        problems.append(
            f"accelerator: {accelerator} is a whole system; name one of its accelerators and how many, such as h100-sxm and 8"
        )
    if not found.get("tdp_w"):
        problems.append(f"accelerator: no rated power of {accelerator} is in data/; {_with('tdp_w')}")
    if several and not found.get("link_bytes_per_s"):
        problems.append(
            f"n_accelerators: no bandwidth between accelerators of {accelerator} is in data/; allowed is 1, or one of {_with('link_bytes_per_s')}"
        )


def _with(quantity):
    names = [name for name in catalog.names("accelerator") if catalog.accelerator(name).get(quantity)]
    return f"known for {', '.join(names)}"


def _spread(parallelism, n_accelerators):
    if parallelism != "ep":
        return 0.0
    if isinstance(n_accelerators, float):
        return served.normal_maximum(int(n_accelerators))
    import numpy as np

    counts, place = np.unique(n_accelerators, return_inverse=True)
    return np.array([served.normal_maximum(int(count)) for count in counts])[place].reshape(n_accelerators.shape)


def _memory(net, unit, n, batch, context):
    """Bytes needed and there, of all accelerators."""
    stored = decode.stored_weight_bytes(net.params_total, net.params_routed, net.shared_bytes, net.routed_bytes)
    kept, _ = served.cache_bytes(net, n, context)
    return decode.memory_needed_bytes(stored, kept, batch), n * unit.memory


def _needed(net, unit, n, batch, context):
    """Fewest accelerators that hold a run; copies of the cache grow with their number."""
    import numpy as np

    counts = np.arange(n + 1, quantities()["n_accelerators"].high + 1)
    needed, there = _memory(net, unit, counts, batch, context)
    enough = counts[needed <= there]
    return int(enough[0]) if enough.size else None


def estimate(
    model,
    accelerator,
    n_accelerators=1,
    batch=1,
    prompt_tokens=0,
    output_tokens=None,
    context_tokens=None,
    weight_format="bf16",
    kv_format=None,
    parallelism=None,
    boundary="accelerators",
):
    """Predict speed, power and energy of a model on a machine.

    Parameters
    ----------
    model, accelerator : str
        Names of the catalog, or what people type for them.
    n_accelerators : int or array
        Accelerators that share the model. [1]
    batch : float or array
        Sequences decoded together, on average. [1]
    prompt_tokens : float or array
        Tokens of a prompt that are computed, not found in a cache. [1]
    output_tokens : float or array, optional
        Tokens written per prompt; without it, prompts count as read already
        and their energy is left out. [1]
    context_tokens : float or array, optional
        Mean context of a running request, which sets the reads of the cache;
        without it prompt + output / 2, right for fixed lengths. [1]
    weight_format, kv_format : str
        Number formats; caches are in 16 bit unless told otherwise.
    parallelism : {"tp", "ep"}, optional
        ``tp``: every matrix is cut over the accelerators; ``ep``: whole experts
        are spread over them, the rest is cut.
    boundary : {"accelerators", "server", "facility"}
        How far the energy is counted: with the server's share, with the site's.

    Returns
    -------
    estimate : Estimate
        A run that does not fit is an error; in arrays it is NaN and `fits` is False.

    Raises
    ------
    ParameterError
        With every problem, what is allowed, and the unit.

    Notes
    -----
    Constants are fitted to runs of one serving software (vLLM 0.11) on H100 and
    B200; `data/accuracy.csv` has the errors on architectures that were held out.
    Those errors belong to runs whose computed prompt tokens and mean contexts
    were worked out from the benchmark's window (`fit.Runs`: the share of
    chat prompts that no cache held, prompt plus generated tokens as context,
    experts spread where they were); with rougher inputs errors are larger.
    Products in 8 bit count at the 16-bit rate, which fits measured runs better.
    Left out: host processors that cannot keep up, pipelines, several servers,
    speculative decoding, attention that is not split over the accelerators.

    Examples
    --------
    >>> found = estimate("llama-3.1-70b", "h100-sxm", n_accelerators=4, batch=64, prompt_tokens=200, output_tokens=400)
    >>> found.calibration, found.bound, found.fits
    ('fitted', 'bandwidth', True)
    >>> found.low.j_per_token < found.j_per_token < found.high.j_per_token
    True
    """
    problems = []
    model, accelerator = (
        _name("model", "model", model, problems),
        _name("accelerator", "accelerator", accelerator, problems),
    )
    weight_format = _name("weight_format", "format", weight_format, problems)
    kv_format = "bf16" if kv_format is None else _name("kv_format", "format", kv_format, problems)
    parallelism = _choice("parallelism", "tp" if parallelism is None else parallelism, PARALLELISMS, problems)
    boundary = _choice("boundary", boundary, BOUNDARIES, problems)
    n = _number("n_accelerators", n_accelerators, problems)
    batch, prompt = _number("batch", batch, problems), _number("prompt_tokens", prompt_tokens, problems)
    output = math.inf if output_tokens is None else _number("output_tokens", output_tokens, problems)
    context = None if context_tokens is None else _number("context_tokens", context_tokens, problems)
    _together(dict(zip(_NUMBERS, (n, batch, prompt, output, context))), problems)
    if accelerator and weight_format and n is not None:
        _rates(accelerator, weight_format, n > 1 if isinstance(n, float) else (n > 1).any(), problems)
    experts = catalog.model(model).n_experts if model else 0
    if model and parallelism == "ep" and not experts:
        problems.append(f"parallelism: got 'ep'; {model} has no experts to spread, allowed is tp")
    elif model and parallelism == "ep" and n is not None and _largest(n) > experts:
        problems.append(
            f"n_accelerators: got {_largest(n):,.0f} with ep; {model} has {experts} experts a layer to spread, allowed is up to that [count]"
        )
    if problems:
        raise ParameterError(problems)
    return _estimate(
        model, accelerator, n, batch, prompt, output, context, weight_format, kv_format, parallelism, boundary
    )


def _estimate(model, accelerator, n, batch, prompt, output, context, weight_format, kv_format, parallelism, boundary):
    notes, read = [], prompt
    if output is math.inf or (isinstance(output, float) and math.isinf(output)):
        output, prompt = math.inf, 0.0
        notes.append("no output length given, so the energy of reading prompts is left out")
        context = read if context is None else context
    elif context is None:
        context = datacenter.mean_context_tokens(prompt, output)
        notes.append("context taken as prompt + output / 2, right for answers of one length")
    if isinstance(prompt, float) and prompt == 0 and output is not math.inf:
        notes.append("no prompt given, so nothing is prefilled")
    if isinstance(context, float) and context == 0:
        notes.append(
            "the context counts as empty: give context_tokens, or prompt and output, for the reads of the cache"
        )
    if isinstance(context, float) and isinstance(read, float) and context < read:
        notes.append(
            "the mean context is shorter than the prompt: caches are read, and counted, as if they were that short"
        )
    if catalog.number_format(weight_format).applies_to == "experts" and not catalog.model(model).n_experts:
        notes.append(f"{weight_format} is a format for experts; {model} has none, so all its weights count in it")
    if _largest(n) > _IN_A_SERVER:
        notes.append(
            f"more than {_IN_A_SERVER} accelerators: where they stand in several servers, links are slower than counted, and this is too quick"
        )
    net, (unit, constants, kind) = served.network(model, weight_format, kv_format), _unit(accelerator, weight_format)
    if kind == "scaled":
        notes.append(
            f"no run on {accelerator} was fitted: constants scaled from {' and '.join(fit.fitted_accelerators())}"
        )
    needed, there = _memory(net, unit, n, batch, context)
    fits = needed <= there
    if fits is False:
        raise ParameterError(
            [
                _does_not_fit(
                    model, accelerator, n, batch, context, needed - there, _needed(net, unit, n, batch, context)
                )
            ]
        )
    host = _host(accelerator, boundary)
    if host.power_w[0]:
        host = Host(tuple(n * power for power in host.power_w), host.pue, host.note)
    return Estimate(
        model,
        accelerator,
        n,
        batch,
        context,
        read,
        output,
        weight_format,
        kv_format,
        parallelism,
        boundary,
        kind,
        fits,
        needed - there,
        tuple(notes),
        host,
        _spans(kind, net.moe),
        (net, unit, constants, n, batch, context, prompt, output, _spread(parallelism, n)),
    )


def _does_not_fit(model, accelerator, n, batch, context, missing_bytes, count):
    if count and not catalog.accelerator(accelerator).get("link_bytes_per_s"):
        would = f"{count:,} would hold it, but no bandwidth between accelerators of this kind is in data/"
    else:
        would = (
            f"{count:,} would do"
            if count
            else "no number of them would do, since each keeps the caches of at least one key-value head"
        )
    return (
        f"n_accelerators: got {int(n)}; {model} with {batch:,.6g} sequences of {context:,.6g} tokens misses "
        f"{missing_bytes / 1e9:,.1f} GB on {int(n)} x {accelerator}; {would} [count]"
    )
