"""Figures that move with a reader's choices: Vega-Lite in the book's style, without data.

A figure names fields of rows, and the page hands it the rows, again and again; axes follow.  It is as wide as the
book's other figures and shown at their scale; the page gives it the height of the picture whose place it takes.
"""

import itertools
import re

from llmpower.figures.style import BLUE, GREEN, GREY, INK, ORANGE, PURPLE, RED, SKY, WIDTH

_COLORS = (BLUE, ORANGE, GREEN, PURPLE, SKY, INK)
# They tell series apart in grey.
_DASHES = ([1, 0], [6, 2], [2, 1.5], [6, 2, 1, 2])
_SHAPES = ("circle", "square", "triangle-up", "diamond", "triangle-down", "cross")
# A part narrower than this holds no number.
_HOLDS = 0.055
_WORDS = {"labelFontSize": 9.5, "labelLimit": 0, "titleColor": INK, "titleFontSize": 10, "titleFontWeight": "normal"}
# Of a logarithmic axis only the lines that have a label.
_GRID = {"gridColor": "#E6E9EC", "gridOpacity": {"condition": {"test": "!datum.label", "value": 0}, "value": 1}}
_CONFIG = {
    "font": "Roboto, Avenir Next, Segoe UI, Helvetica Neue, Noto Sans, Liberation Sans, sans-serif",
    "background": None, "view": {"stroke": None}, "text": {"fontSize": 9.5, "color": INK},
    "axis": {**_WORDS, "labelColor": GREY, "titleLimit": 0, "ticks": False, "labelPadding": 5},
    "axisX": {"domainColor": GREY, "labelOverlap": "greedy"},
    # The name of the vertical axis stands level, above it, and the key above that.
    "axisY": {"domain": False, "titleAngle": 0, "titleAlign": "left", "titleX": 0, "titleY": -9},
    "legend": {**_WORDS, "labelColor": INK, "title": None, "orient": "top", "offset": 24, "symbolStrokeWidth": 2,
               "layout": {"bottom": {"direction": "vertical", "anchor": "start", "margin": 4}}},
}  # fmt: skip
_MARK = {"type": "point", "filled": True, "opacity": 1, "stroke": "white", "strokeWidth": 0.6}
# The reader's own state, which a key of its own names.
_HERE = {**_MARK, "shape": "diamond", "color": RED}
_LOOK = {"symbolType": "diamond", "symbolFillColor": RED, "symbolStrokeColor": "white", "symbolStrokeWidth": 0.6}
_YOURS = {
    "datum": "your case", "type": "nominal", "scale": {"type": "ordinal", "domain": ["your case"], "range": [75]},
    "legend": {"orient": "bottom", "offset": 6, "symbolOpacity": 1, **_LOOK},
}  # fmt: skip


def axis(field, title, log=0, zero=False, tight=False):
    """A field along an axis, with its name and unit; shares where that says "%".

    log : base of a logarithmic axis; 0 for a linear one.
    zero : whether a linear axis begins there.
    tight : whether a logarithmic axis ends where the rows do.
    """
    scale = {"type": "log", "base": log, "nice": log == 10 and not tight} if log else {"zero": zero}
    form = ".1~%" if "%" in title else ",~r"
    look = {"title": title, "format": form, "tickCount": 12 if log == 2 else 3 if tight else 5, **_GRID}
    return {"field": field, "type": "quantitative", "scale": scale, "axis": look}


def kinds(field, colors):
    """A field that tells rows apart by colour, with a key.

    colors : of each kind; or the kinds only, for the colours of the house.
    """
    colors = colors if isinstance(colors, dict) else dict(zip(colors, itertools.cycle(_COLORS)))
    look = {"domain": list(colors), "range": list(colors.values())}
    # As many side by side as the width holds.
    key = {"columns": max(1, 72 // (6 + max(map(len, colors)))), "symbolOpacity": 1}
    return {"field": field, "type": "nominal", "sort": None, "scale": look, "legend": key}


def _other(color, looks):
    """Another look for each kind, in the same key."""
    names = color["scale"]["domain"]
    return {**color, "scale": {"domain": names, "range": [looks[place % len(looks)] for place in range(len(names))]}}


def _keyed(color, symbol, **more):
    return {**color, "legend": {**color["legend"], "symbolType": symbol, **more}}


def _told(kind, *axes):
    """What a pointer is told of a mark."""
    told = [{"field": kind["field"], "title": " "}]
    for one in axes:
        form = ".1%" if "%" in one["axis"]["title"] else ",.3~r"
        told.append({"field": one["field"], "type": "quantitative", "title": one["axis"]["title"], "format": form})
    return told


def _layer(mark, keep=None, **encoding):
    return {"mark": mark, "encoding": encoding} | ({"transform": [{"filter": keep}]} if keep else {})


def figure(*layers, **more):
    """A figure of layers over the rows of the page."""
    fit = {"type": "fit", "contains": "padding", "resize": True}
    size = {"width": 72 * WIDTH, "height": 72 * 3.6, "padding": 3, "autosize": fit}
    return {"data": {"name": "rows"}, "config": _CONFIG, **size, "layer": list(layers), **more}


def lines(x, y, series, band=None, here=None, measured=None, only=None, tails=None, above=None):
    """A line for each series; rows that belong to none may be points.

    x, y : from `axis`.
    series : from `kinds`.
    band : fields of the low and the high end of a band around the lines.
    here : field that is true in a row of the reader's own state.
    measured : from `kinds`: kinds of points.
    only : field; points are shown where it is above zero.
    tails : fields of the place to which a thin line leads from a point.
    above : field; where it is above zero a point has a red edge.

    >>> batch = axis("batch", "batch: sequences decoded together", log=2)
    >>> energy = axis("energy_j", "energy per output token (J)", log=10)
    >>> spec = lines(batch, energy, kinds("part", ["weights", "cache"]), here="mine")
    >>> [layer["mark"]["type"] for layer in spec["layer"]]
    ['line', 'point', 'point']
    """
    series, place = _keyed(series, "stroke"), {"x": x, "y": y}
    drawn, told = f"isValid(datum['{series['field']}'])", _told(series, x, y)
    layers = [_layer({"type": "line"}, drawn, **place, stroke=series, strokeDash=_other(series, _DASHES))]
    if band:
        ends = {"y": {**y, "field": band[0]}, "y2": {"field": band[1]}}
        shade = {"type": "area", "opacity": 0.18, "color": {"expr": f"scale('stroke', datum['{series['field']}'])"}}
        layers.insert(0, _layer(shade, drawn, x=x, **ends, detail={"field": series["field"]}))
    # Unseen, but a pointer finds it.
    layers.append(_layer({"type": "point", "opacity": 0, "size": 150}, drawn, **place, tooltip=told))
    if measured:
        measured = {**measured, "legend": {**measured["legend"], "orient": "bottom", "offset": 6}}
        points = f"isValid(datum['{measured['field']}'])" + (f" && datum['{only}'] > 0" if only else "")
        if tails:
            ends, thin = {"x2": {"field": tails[0]}, "y2": {"field": tails[1]}}, {"type": "rule", "opacity": 0.3}
            layers.append(_layer(thin, f"{points} && isValid(datum['{tails[0]}'])", **place, **ends, color=measured))
        dots = _dots(place, measured, points)
        if above:
            red = {"test": f"datum['{above}'] > 0", "value": RED}
            dots["encoding"] |= {"stroke": {"condition": red, "value": "white"}}
            dots["encoding"] |= {"strokeWidth": {"condition": {**red, "value": 1.2}, "value": 0.6}}
        layers.append(dots)
    if here:
        layers.append(_layer(_HERE, f"datum['{here}']", **place, size=_YOURS, tooltip=told[1:]))
    return figure(*layers)


def _dots(place, kind, keep=None):
    looks = {"fill": kind, "shape": _other(kind, _SHAPES), "tooltip": _told(kind, *place.values())}
    return _layer({**_MARK, "size": 32}, keep, **place, **looks)


def _parts(color, **key):
    """Channels of parts of a whole, one after the other as they are named, and the transform that orders them."""
    order = {"calculate": f"indexof({color['scale']['domain']}, datum['{color['field']}'])", "as": "place"}
    return {"color": _keyed(color, "square", **key), "order": {"field": "place"}}, [order]


def stack(x, y, part, areas=False, here=None):
    """Parts of a whole over x, one upon the other in the order of their names: a bar at each x, or areas.

    here : of areas, field that is true in a row of the reader's own state, which belongs to no part.
    """
    parts, transform = _parts(part)
    parts["y"] = {**y, "stack": "zero"}
    if areas:
        mark = {"type": "area", "tooltip": {"expr": f"datum['{part['field']}']"}}
        layers = [_layer(mark, f"isValid(datum['{part['field']}'])", x=x, **parts)]
        if here:
            layers.append(_layer(_HERE, f"datum['{here}']", x=x, y=y, size=_YOURS, tooltip=_told(part, x, y)[1:]))
        return figure(*layers, transform=transform)
    across = {"field": x["field"], "type": "ordinal", "axis": {**x["axis"], "grid": False, "labelAngle": 0}}
    bar = {"type": "bar", "width": {"band": 0.8}}
    return figure(_layer(bar, x=across, tooltip=_told(part, x, y), **parts), transform=transform)


def bars(name, share, part):
    """A bar for each name, from top to bottom: its parts side by side, with their per cents inside.

    name : field.
    share : from `axis`. [1]
    part : from `kinds`.
    """
    parts, transform = _parts(part, offset=8)
    names = {"title": None, "grid": False, "labelColor": INK}
    place = {"y": {"field": name, "type": "nominal", "sort": None, "axis": names}, "order": parts["order"]}
    along = {**share, "stack": "zero", "scale": {"domain": [0, 1]}, "axis": {**share["axis"], "grid": False}}
    value = f"datum['{share['field']}']"
    number = {"type": "text", "text": {"expr": f"{value} > {_HOLDS} ? format(100 * {value}, '.0f') : ''"}}
    pale = {"test": f"luminance(scale('color', datum['{part['field']}'])) > 0.26", "value": INK}
    word = {"value": "white", "condition": pale}
    bar = {"type": "bar", "stroke": "white", "strokeWidth": 0.8}
    return figure(
        _layer(bar, x=along, color=parts["color"], tooltip=_told(part, share), **place),
        _layer(number, x={**along, "bandPosition": 0.5}, color=word, **place),
        transform=transform,
    )


def changes(name, change):
    """A bar from zero for each name, the widest first: what grows in one colour, what falls in another.

    name : field.
    change : from `axis`. [1]
    """
    value = f"datum['{change['field']}']"
    bar = {"type": "bar", "height": {"band": 0.6}, "color": {"expr": f"{value} > 0 ? '{ORANGE}' : '{BLUE}'"}}
    widest = {"field": "width", "order": "descending"}
    names = {
        "field": name,
        "type": "nominal",
        "sort": widest,
        "axis": {"title": None, "grid": False, "labelColor": INK},
    }
    told = [{"field": name, "title": " "}, {"field": change["field"], "title": "change", "format": ".2f"}]
    width = {"calculate": f"abs({value})", "as": "width"}
    return figure(_layer(bar, x=change, y=names, tooltip=told), transform=[width])


def points(x, y, kind, tell, beside=0.0):
    """Points to explore, beside the line on which both axes agree.

    tell : pairs of a label and a field: what a reader is told of the point that is selected.
    beside : half the width of a band beside the line. [1]
    """
    ends = [
        {"op": op, "field": one["field"], "as": f"{op}_{name}"}
        for op in ("min", "max")
        for name, one in (("x", x), ("y", y))
    ]
    grown = {"calculate": "[min(datum.min_x, datum.min_y), max(datum.max_x, datum.max_y)]", "as": "end"}
    low, high = (
        {"calculate": f"datum.end * {1 + sign * beside}", "as": name} for sign, name in ((-1, "low"), (1, "high"))
    )
    both = [{"aggregate": ends}, grown, {"flatten": ["end"]}, low, high]
    # Points at the ends stand whole in the figure.
    x, y = ({**one, "scale": {**one["scale"], "padding": 8}} for one in (x, y))
    place, end = {"x": x, "y": y}, {"x": {**x, "field": "end"}}
    shade = _layer({"type": "area", "color": "#E6E9EC"}, **end, y={**y, "field": "low"}, y2={"field": "high"})
    level = _layer({"type": "line", "color": INK, "strokeWidth": 1}, **end, y={**y, "field": "end"})
    ring = _layer({"type": "point", "filled": False, "size": 130, "stroke": RED, "strokeWidth": 2}, **place)
    return figure(
        {**shade, "transform": both}, {**level, "transform": both},
        {"name": "explored", **_dots(place, kind)}, {"data": {"name": "selected"}, **ring},
        usermeta={"explorer": True, "tell": [list(pair) for pair in tell]},
    )  # fmt: skip


def heads(spec, fields):
    """Heads of the columns that are along an axis, as tables behind figures have them: field -> its name and unit.

    >>> along, up = axis("batch", "batch: sequences decoded together"), axis("share", "share of the power (%)")
    >>> heads(lines(along, up, kinds("part", ["weights"]), band=("low", "high")), ["batch", "share", "low"])["low"]
    'share of the power (low) [1]'
    """
    found, named = {}, set()
    # The ends of a band are told apart from its middle by their fields.
    for encoding in sorted((layer["encoding"] for layer in spec["layer"]), key=lambda one: "y2" in one):
        for name in "xy":
            title = encoding.get(name, {}).get("axis", {}).get("title")
            for field in (encoding.get(end, {}).get("field") for end in (name, f"{name}2") if title):
                if field in fields and field not in found:
                    words, unit = re.fullmatch(r"(.*?)(?: \((.*)\))?", title).groups()
                    words += f" ({field.replace('_', ' ')})" if title in named else ""
                    found[field] = words + (f" [{unit.replace('%', '1')}]" if unit else "")
                    named.add(title)
    return found


def compiled(spec):
    """Vega, which is what the browser draws, of a figure in Vega-Lite."""
    import vl_convert

    return vl_convert.vegalite_to_vega(spec)
