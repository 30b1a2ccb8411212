"""Asks the estimator, without a chapter, for every combination of a grid: millions of points, a part at a time."""

import inspect
import io
import math

import numpy as np
import pyarrow
import pyarrow.parquet

import llmpower
from llmpower.arguments import Check, ParameterError, hint, number
from llmpower.book import files, fresh, parameters
from llmpower.facts.quantities import quantities
from llmpower.ranges import Range
from llmpower.sweep import grid, runs, store, summary
from llmpower.text import text

# Points of a part, which a worker holds at a time; and of the first one, by which the whole is measured.
PART, _SAMPLE = 200_000, 20_000
# So few points are written as the numbers of chapters are, too.
_FEW = 5_000
_NUMBERS = ("int", "float")
# Of which an estimate takes long arrays; what a case is refused for is none of them.
_ARRAYS = ("batch", "prompt_tokens", "output_tokens", "context_tokens", "cached_prompt_share")
# Column -> its unit. What ends in low or high is an end of the range.
COLUMNS = {
    "tokens_per_s": "tokens/s", "tokens_per_s_low": "tokens/s", "tokens_per_s_high": "tokens/s",
    "j_per_token": "J/token", "j_per_token_low": "J/token", "j_per_token_high": "J/token",
    "power_w": "W", "power_w_low": "W", "power_w_high": "W", "missing_bytes": "B", "step_s": "s", "first_token_s": "s",
}  # fmt: skip
USUAL = tuple(COLUMNS)[:10]
# Where parts lie until all of them are there.
_GROWING = f"{store.POINTS}.part"
_WORD = pyarrow.dictionary(pyarrow.int16(), pyarrow.string())


def sweep(book, chapter, out, asked, columns=USUAL, scheduler=None, jobs=None, say=print, force=False):
    """Ask the estimator for every combination, and write a table with a row a point; returns how many cases it refused.

    chapter: whose values count where nothing is asked; out, asked, scheduler, jobs: as for `runs.sweep`. Names are
    arguments of `llmpower.estimate`.
    columns: of `COLUMNS`.

    A point that does not fit is NaN, and its `missing_bytes` are above zero; so is a case that the estimator refuses,
    of which ``failed.csv`` has the words.
    ParameterError if what is asked cannot be, or has no room on the disk.
    """
    points = _asked(book, chapter, asked, columns)
    place, base = store.Store(out), fresh.hashed([fresh.package(), points.fixed, points.axes, columns])[:8]
    axes = [{name: list(values) for name, values in axis.items()} for axis in points.axes]
    asked = {"of": "estimates", "fixed": points.fixed, "axes": axes, "columns": list(columns)}
    place.open(asked["of"])
    starts = range(0, len(points), PART)
    parts = {f"part-{at:06}-{base}.parquet": (start, min(start + PART, len(points))) for at, start in enumerate(starts)}
    there = set(place.names(store.POINTS))
    if force or there != parts.keys():
        there = set(place.names(_GROWING))
        for name in there if force else there - parts.keys():
            place.remove(f"{_GROWING}/{name}")
        there = set() if force else there
    todo = {name: (place.address, name, points, *ends, columns) for name, ends in parts.items() if name not in there}
    say(f"{len(points):,} points: {points.sizes}")
    say(f"the same in all: {points.shared}")
    say(f"parts of up to {PART:,} points: {len(todo)} of {len(parts)} to do")
    if todo:
        _look_for_room(place, points, len(todo) / len(parts), columns, say)
        with runs.cluster(scheduler, jobs) as client:
            for name, result in runs.each(client, todo, _part, say):
                if isinstance(result, BaseException):
                    raise runs.Stopped(f"{name} did not end: {result}; the same command goes on with the rest")
        place.move(_GROWING, store.POINTS)
    refused = list(_refused(points))
    if len(points) <= _FEW:
        numeric = {name: quantities()[name].type in _NUMBERS for name in points[0]}
        records = [*_records(points, columns)]
        store.write_results(place, records, numeric)
        summary.write(place, "estimates", records, points, {}, dict.fromkeys(columns, 0))
    store.write_failed(place, refused)
    place.close(asked)
    return len(refused)


def _asked(book, chapter, asked, columns):
    """`Grid` of what was asked, with what makes another case moving slowest, so that a part is a few long arrays."""
    known = {name: quantities()[name] for name in inspect.signature(llmpower.estimate).parameters}
    usual = parameters.parameters(files.chapter(book, chapter))
    # As an estimate does where nothing is said.
    usual = dict.fromkeys(("n_accelerators", "batch"), 1) | {
        name: one.default for name, one in usual.items() if name in known and one.default != ""
    }
    if wrong := [name for name in columns if name not in COLUMNS]:
        raise ParameterError([f"columns: got {', '.join(wrong)}; allowed are {', '.join(COLUMNS)}"])
    found = grid.read(lambda lists: _checked(known, lists), known, **asked)
    fixed = {name: one for name, one in (usual | found.fixed).items() if all(name not in axis for axis in found.axes)}
    if missing := [name for name in ("model", "accelerator") if name not in fixed | found[0]]:
        raise ParameterError([f"{', '.join(missing)}: got nothing, and {chapter} has none; allowed is -p or --grid"])
    return grid.Grid(fixed, tuple(sorted(found.axes, key=_long)))


def _checked(known, lists):
    """Values by name as `llmpower.estimate` takes them; a ParameterError has all problems."""
    check, found = Check(), {}
    for name, given in lists.items():
        if name not in known:
            check.wrong(name, f"no argument of an estimate; {hint(name, known)}it has {', '.join(known)}")
            continue
        one = known[name]
        found[name] = [_value(check, name, one, value) for value in given]
    check.done()
    return found


def _value(check, name, one, given):
    if one.type in _NUMBERS:
        value = number(given, one, whole=one.type == "int")
        if value is None:
            # For its words.
            check.number(name, given, one.type == "int")
        return value
    if one.type == "choice":
        return check.choice(name, given, one.choices)
    record = check.record(name, one.type, given)
    return record and (record.get("as_text") or given)


def _long(axis):
    return all(name in _ARRAYS for name in axis)


def _cases(points):
    """Values of every case, and the axes of numbers that are asked of each at once."""
    inner = [axis for axis in points.axes if _long(axis)]
    outer = grid.Grid(points.fixed, tuple(axis for axis in points.axes if axis not in inner))
    return outer, inner


def _table(points, start, stop, columns):
    """Points from one place to another, as a table."""
    outer, inner = _cases(points)
    shape = [len(next(iter(axis.values()))) for axis in inner]
    each = math.prod(shape)
    arrays = [{name: np.array(values, float) for name, values in axis.items()} for axis in inner]
    found = []
    for at in range(start // each, (stop - 1) // each + 1):
        low, high = max(start - at * each, 0), min(stop - at * each, each)
        places = np.unravel_index(np.arange(low, high), shape) if shape else [np.zeros(1, int)]
        numbers = {name: values[place] for axis, place in zip(arrays, places) for name, values in axis.items()}
        case = outer[at]
        found.append(_estimated(case, numbers, high - low, columns))
    schema = _schema(points, columns)
    return pyarrow.concat_tables([pyarrow.table(one, schema=schema) for one in found])


def _schema(points, columns):
    known = quantities()
    kinds = {name: pyarrow.float64() if known[name].type in _NUMBERS else _WORD for name in points[0]}
    return pyarrow.schema([*kinds.items(), *((name, pyarrow.float64()) for name in columns)])


def _estimated(case, numbers, count, columns):
    """Columns of a case: what was asked, and what is expected."""
    known, rows = quantities(), {}
    # An array, so that what does not fit is NaN.
    given = case | numbers | ({} if numbers else {"batch": np.array([float(case.get("batch", 1))])})
    for name in case | numbers:
        if name in numbers:
            rows[name] = numbers[name]
        elif known[name].type in _NUMBERS:
            rows[name] = np.full(count, float(case[name]))
        else:
            rows[name] = pyarrow.DictionaryArray.from_arrays(np.zeros(count, np.int16), [str(case[name])])
    try:
        one = llmpower.estimate(**given)
    except ParameterError:
        return rows | {name: np.full(count, math.nan) for name in columns}
    for name in columns:
        what, _, end = name.rpartition("_")
        value = getattr(getattr(one, end), what) if end in ("low", "high") else getattr(one, name)
        rows[name] = np.broadcast_to(value, count).astype(float)
    return rows


def _refused(points):
    """What the estimator refuses whatever the numbers, as runs that failed."""
    outer, inner = _cases(points)
    numbers = {name: np.array(values[:1], float) for axis in inner for name, values in axis.items()}
    for at in range(len(outer)):
        case = outer[at]
        try:
            llmpower.estimate(**case | (numbers or {"batch": np.array([float(case.get("batch", 1))])}))
        except ParameterError as error:
            yield {"run": str(at), "parameters": case, "error": str(error)}


def _part(address, name, points, start, stop, columns):
    """Write a part, on a worker."""
    table = _table(points, start, stop, columns)
    with store.Store(address).writing(f"{_GROWING}/{name}") as file:
        pyarrow.parquet.write_table(table, file, compression="zstd")


def _look_for_room(place, points, share, columns, say):
    """Say how much will be written, by a small part of it; ParameterError if a local disk has less."""
    count, sizes = min(_SAMPLE, math.ceil(len(points) / 10)), []
    for at in range(3):
        start = (len(points) - count) * at // 2
        with io.BytesIO() as file:
            pyarrow.parquet.write_table(_table(points, start, start + count, columns), file, compression="zstd")
            sizes.append(file.tell())
    needed = share * len(points) * max(sizes) / count
    free = place.free_bytes()
    told = f"; {text(free, 'B')} are free there" if free is not None else ""
    say(f"up to some {text(needed, 'B')} will be written to {place.address}{told}")
    if free is not None and needed > free:
        raise ParameterError(
            [f"out: got {place.address}; {text(free, 'B')} are free, needed are {text(needed, 'B')} [B]"]
        )


def _records(points, columns):
    """A few points in the form of runs of a chapter."""
    table = _table(points, 0, len(points), columns).to_pylist()
    for at, row in enumerate(table):
        ends = {name: one for name, one in row.items() if name.endswith(("_low", "_high"))}
        numbers = {}
        for name in columns:
            # What is missing says why there is no other number; below zero it is room.
            if name not in ends and not math.isnan(row[name]) and (name != "missing_bytes" or row[name] > 0):
                more = {end: row[f"{name}_{end}"] for end in ("low", "high") if f"{name}_{end}" in ends}
                shown = Range(more["low"], row[name], more["high"]) if len(more) == 2 else row[name]
                unit = COLUMNS[name]
                numbers[name] = {"value": row[name], **more, "unit": unit, "text": text(shown, unit)}
        yield {"run": str(at), "parameters": {name: row[name] for name in points[0]}, "numbers": numbers}
