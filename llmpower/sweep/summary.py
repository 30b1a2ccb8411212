"""The page of a sweep: small multiples, and a table to sort and to search; one file, which needs nothing else."""

import itertools
import re

from llmpower.book import files
from llmpower.figures import style
from llmpower.figures import sweep as figures
from llmpower.sweep import store

# What a page can hold, and still be read.
_PANELS, _COLOURS, _LINES, _RUNS = 12, 8, 60, 5_000
_COLUMNS = 10
# Lines by a third parameter, and what stands for them in the legend.
_DASHES, _BORDERS = ("-", (0, (5, 2)), (0, (1, 1.5))), ("solid", "dashed", "dotted")


def write(place, title, records, combinations, defaults, told, page_of=lambda record: ""):
    """Write the page of runs.

    records: what they left, of which the first thousands are shown.
    defaults: what a parameter is where a record does not say. told: places of numbers in the order of their weight.
    page_of: address of the page of a run, from here.
    """
    count, records = len(combinations), list(itertools.islice(records, _RUNS))
    swept = [name for axis in combinations.axes for name in axis]
    names = dict.fromkeys(name for one in records for name in one.get("numbers", ()))
    texts = {name: {one["numbers"][name]["text"] for one in records if _has(one, name)} for name in names}
    moving = [name for name in names if len(texts[name]) > 1 and not _repeats(records, name, swept)]
    # What follows all that was swept first, and then as the chapter tells it.
    most = max(map(len, texts.values()), default=0)
    moving.sort(key=lambda name: (2 * len(texts[name]) < most, told.get(name, len(told))))
    units = {name: next(one["numbers"][name]["unit"] for one in records if _has(one, name)) for name in names}
    numeric = [name for name in moving if all(_number(one, name) is not None for one in records if _has(one, name))]
    rows = []
    for one in records:
        values = combinations.fixed | one["parameters"]
        cells = [(_shown(values.get(name, defaults.get(name, ""))), None) for name in swept]
        shown = [one["numbers"].get(name, {}) if "numbers" in one else {} for name in moving[:_COLUMNS]]
        cells += [(cell.get("text", ""), _plain(cell.get("value"))) for cell in shown]
        rows.append(("" if "error" in one else page_of(one), cells, one.get("error", "")))
    text = files.filled(
        "templates/sweep.html.j2",
        title=title,
        count=count,
        shown=len(records),
        failed=sum("error" in one for one in records),
        fixed=[f"{name} = {_shown(value)}" for name, value in combinations.fixed.items()],
        swept=swept,
        names=[f"{name} [{units[name]}]" if units[name] not in ("", "1") else name for name in moving[:_COLUMNS]],
        rows=rows,
        picture=_picture([one for one in records if one.get("numbers")], swept, defaults, numeric, units),
        results=store.RESULTS[:3],
    )
    place.write(store.RESULTS[3], text.encode("utf-8"))


def order(path):
    """Places of a chapter's numbers: first those that it wants to be remembered, then as its text names them."""
    source = [cell.source for cell in files.read_notebook(path).cells]
    source.sort(key=lambda text: "What to take away" not in text)
    found = dict.fromkeys(re.findall(r"\{glue:text\}`([\w-]+)`", "\n".join(source)))
    return {name: at for at, name in enumerate(found)}


def _has(record, name):
    return name in record.get("numbers", ())


def _repeats(records, name, swept):
    """Whether a number is one that was swept, under whatever name."""
    pairs = [(one["numbers"][name]["value"], one["parameters"]) for one in records if _has(one, name)]
    return any(all(value == given.get(other, value) for value, given in pairs) for other in swept)


def _number(record, name):
    return _plain(record["numbers"][name]["value"])


def _plain(value):
    return value if isinstance(value, (int, float)) and not isinstance(value, bool) else None


def _shown(value):
    return f"{value:,.6g}" if isinstance(value, float) else str(value) if value != "" else "(none)"


def _picture(records, swept, defaults, numeric, units):
    """Small multiples of numbers over the parameter with the most values, in colours by the next one."""
    values = {name: [record["parameters"].get(name, defaults.get(name, "")) for record in records] for name in swept}
    several = [name for name in swept if len(set(values[name])) > 1]
    if not several or not numeric:
        return ""
    numbers = [name for name in several if all(_plain(value) is not None for value in values[name])]
    along = max(numbers or several, key=lambda name: len(set(values[name])))
    ticks = sorted(set(values[along])) if along in numbers else list(dict.fromkeys(values[along]))
    others = sorted((name for name in several if name != along), key=lambda name: len(set(values[name])))
    hue = next((name for name in reversed(others) if len(set(values[name])) <= _COLOURS), None)
    hues = list(dict.fromkeys(values[hue])) if hue else [None]
    dash = next((name for name in reversed(others) if name != hue and len(set(values[name])) <= len(_DASHES)), None)
    dashes = list(dict.fromkeys(values[dash])) if dash else [None]
    cases = {}
    for at, record in enumerate(records):
        case = tuple(values[name][at] for name in others)
        cases.setdefault(case, {})[values[along][at]] = record
    panels = []
    for name in numeric[:_PANELS]:
        lines = []
        for case, found in list(cases.items())[:_LINES]:
            color = style.PALETTE[hues.index(case[others.index(hue)])] if hue else style.BLUE
            dashed = _DASHES[dashes.index(case[others.index(dash)])] if dash else "-"
            line = [_number(found[tick], name) if tick in found and _has(found[tick], name) else None for tick in ticks]
            if any(value is not None for value in line):
                lines.append((", ".join(map(_shown, case)), line, color, dashed))
        share = any(record["numbers"][name]["text"].endswith("%") for record in records if _has(record, name))
        unit = "%" if share else units[name]
        panels.append((f"{name} [{unit}]" if unit not in ("", "1") else name, lines))
    places = ticks if along in numbers else range(len(ticks))
    drawn = figures.multiples(panels, along, list(places), None if along in numbers else [_shown(one) for one in ticks])
    colours = [(_shown(one), style.PALETTE[at]) for at, one in enumerate(hues)] if hue else []
    marks = [(_shown(one), _BORDERS[at]) for at, one in enumerate(dashes)] if dash else []
    left_out = max(0, len(cases) - _LINES)
    return {"svg": drawn, "hue": hue, "colours": colours, "dash": dash, "dashes": marks, "left_out": left_out}
