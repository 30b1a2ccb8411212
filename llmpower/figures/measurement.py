"""Figures of the chapter model-against-measurement; they draw what they are given and compute nothing."""

import numpy as np

from llmpower.figures import style
from llmpower.figures.style import BLUE, GREEN, GREY, INK, ORANGE, PURPLE, RED, SKY, axes, data, direct

COLORS = {"Llama": BLUE, "Qwen3": ORANGE, "Nemotron": GREEN, "Gemma": PURPLE, "gpt-oss": SKY, "DeepSeek": INK}
# Shapes tell families apart in grey, where a figure needs shapes for nothing else.
SHAPES = {"Llama": "o", "Qwen3": "s", "Nemotron": "^", "Gemma": "D", "Mistral": "v"}
TERA = 1e12
_PALE_RED, _PALE_BLUE, _PALE_GREY = "#F3D5CF", "#E3EAF5", "#E6E9EC"
_WHITE_EDGE = {"linestyle": "", "markeredgecolor": "white", "markeredgewidth": 0.5}


def _look(family, mark="o", size=5):
    return {"color": COLORS.get(family, GREY), "marker": mark, "markersize": size}


def roofs(intensity, roof, name, rated_w, points):
    """Three ceilings of an accelerator, and measured runs below them.

    intensity : operations per byte, rising, as an array. [FLOP/B]
    roof : the ceilings there. [FLOP/s]
    rated_w : what the power ceiling stands for.
    points : family, intensities and operations per second of one accelerator, and both again as the least they can be.
    """
    # The two old ceilings end soon after they cross.
    bandwidth = np.where(roof.bandwidth <= 1.6 * roof.compute, roof.bandwidth, np.nan) / TERA
    compute = np.where(roof.compute <= 2.5 * roof.bandwidth, roof.compute, np.nan) / TERA
    low, power, high = (getattr(roof.power, end) / TERA for end in ("low", "central", "high"))
    points = [(family, x, np.asarray(y) / TERA, u, np.asarray(v) / TERA) for family, x, y, u, v in points]
    names = ("bandwidth", "arithmetic", *(f"power, {price} constants" for price in ("expensive", "typical", "cheap")))
    lines = style.tidy(intensity, zip(names, (bandwidth, compute, low, power, high)))
    runs = [(f"measured: {family}", *run) for family, *columns in points for run in zip(*columns)]
    columns = ["series", "intensity [FLOP/B]", "speed [TFLOP/s]", "least_intensity [FLOP/B]", "least_speed [TFLOP/s]"]
    data(columns, lines + runs)
    x_name = "arithmetic intensity: operations per byte moved (FLOP/B)"
    plot = axes(4.6, x_name, f"operations per second of one {name} (TFLOP/s)", "xy")
    rates = np.fmin(bandwidth, compute)
    floor = min([low[0] / 3, *(value / 1.6 for *_, values in points for value in values)])
    plot.set(xlim=(intensity[0], intensity[-1]), ylim=(floor, 2.1 * rates[-1]))
    plot.fill_between(intensity, floor, power, color=_PALE_BLUE, linewidth=0, zorder=0)
    plot.fill_between(intensity, low, high, color=_PALE_RED, linewidth=0, zorder=1)
    plot.plot(intensity, bandwidth, intensity, compute, color=GREY, linewidth=1, linestyle=(0, (5, 3)), zorder=2)
    plot.plot(intensity, rates, color=INK, linewidth=1.4, zorder=3)
    # Red only where it is the lowest of the three.
    lowest = np.where(power < rates * (1 - 1e-9), power, np.nan)
    plot.plot(intensity, lowest, color=RED, linewidth=2.6, zorder=4, solid_capstyle="round")
    for family, x, y, least_x, least_y in points:
        look = _look(family, SHAPES.get(family, "o"))
        # What a prompt may have added that nobody counted.
        plot.plot([least_x, x], [least_y, y], color=look["color"], linewidth=0.9, alpha=0.3, zorder=4.5)
        plot.plot(x, y, **look, **_WHITE_EDGE, alpha=0.85, zorder=5)
    place = int(0.06 * len(intensity))
    # On paper, a line that rises by a decade each decade.
    slope = plot.transData.transform_angles([45], [(1, 1)])[0]
    along = {"rotation": slope, "rotation_mode": "anchor", "ha": "left"}
    direct(plot, intensity[place], bandwidth[place], "bandwidth", GREY, (-3, 9), **along)
    direct(plot, intensity[-1], compute[-1], "arithmetic", GREY, (-2, 9))
    bend = int(np.argmin(power / rates))
    direct(plot, intensity[bend], power[bend], f"power:\n{rated_w:,.0f} W", RED, (34, -58), leader=True)
    key = [(family, _look(family, SHAPES.get(family, "o"))) for family, *_ in points]
    style.key(plot, key, 0.74, 0.06 + 0.058 * (len(points) - 1))


def against(rows, flagged, share):
    """Predicted over measured energy of a token [J]; equal on the diagonal.

    rows : family, whether it is a mixture of experts, what the runs are (identifier, network, format, accelerator,
        their number, task, batch), measured and predicted energies.
    flagged : what the runs that contradict their neighbours are, measured and predicted energies.
    share : half the width of the band beside the diagonal. [1]
    """
    kinds = {False: ("dense", "o", 4.4), True: ("mixture of experts", "D", 3.6)}
    doubtful = "contradicts its neighbours"
    groups = [*((kinds[sparse][0], *three) for _, sparse, *three in rows), (doubtful, *flagged)]
    columns = ["id", "network", "weight_format", "accelerator", "accelerators [count]", "task", "batch [count]"]
    columns += ["kind", "measured [J]", "predicted [J]"]
    data(columns, [(*run, kind, x, y) for kind, *three in groups for run, x, y in zip(*three)])
    x_name, y_name = "measured energy per output token (J)", "predicted, from runs of other architectures (J)"
    plot = axes(4.8, x_name, y_name, "xy")
    every = np.concatenate([np.concatenate([x, y]) for *_, x, y in groups])
    both = np.array([every.min() / 1.25, every.max() * 1.25])
    plot.set(xlim=both, ylim=both)
    plot.fill_between(both, both * (1 - share), both * (1 + share), color=_PALE_GREY, linewidth=0, zorder=0)
    plot.plot(both, both, color=INK, linewidth=1, zorder=1)
    plot.plot(*flagged[1:], "x", color=GREY, markersize=4, markeredgewidth=0.9, zorder=2)
    for family, sparse, _, x, y in rows:
        _, mark, size = kinds[sparse]
        plot.plot(x, y, **_look(family, mark, size), **_WHITE_EDGE, alpha=0.8, zorder=3)
    style.key(plot, [(family, _look(family)) for family in dict.fromkeys(family for family, *_ in rows)], 0.04, 0.955)
    signs = [*kinds.values(), (doubtful, "x", 4.4)]
    style.key(plot, [(word, {"color": GREY, "marker": mark, "markersize": 4.2}) for word, mark, _ in signs], 0.5, 0.16)
    direct(plot, both[0] * 3, both[0] * 3 * (1 - share), f"± {share:.0%}", GREY, (6, -8))


def left_out(architectures, floor):
    """Errors of each architecture when it was left out of the fit.

    architectures : name, family, number of runs, median and ninth decile of the absolute error.
    floor : what one measurement scatters by, as a median. [1]
    """
    data(["architecture", "family", "runs [count]", "median_error [1]", "ninth_decile [1]"], architectures)
    names = [f"{name} ({count})" for name, _, count, _, _ in architectures]
    x = "error of J per token (%)"
    plot = style.rows(names, 0.9 + 0.3 * len(names), x, 0.8, 0.7)
    plot.axvspan(0, floor, color=_PALE_GREY, linewidth=0, zorder=0)
    for place, (_, family, _, median, high) in enumerate(architectures):
        look = _look(family)
        style.span(plot, place, median, high, look["color"], 3, alpha=0.35, solid_capstyle="round")
        plot.plot(median, place, "o", color=look["color"], markersize=6)
        plot.plot(high, place, "|", color=look["color"], markersize=9, markeredgewidth=2)
    direct(plot, floor, -0.8, "scatter of one run", GREY, (4, 0), annotation_clip=False)
    plot.set_xlim(0, None)


def readings(ways):
    """The same watts, divided in several ways: its name; what always flows, follows bytes, follows operations. [W]"""
    data(["reading", "always [W]", "bytes [W]", "operations [W]"], ways)
    plot = style.rows([name for name, *_ in ways], 1.1 + 0.4 * len(ways), "power of one board (W)", 0.9)
    for place, (_, *watts) in enumerate(ways):
        left = 0.0
        for word, color, value in zip(("always", "bytes", "operations"), (GREY, BLUE, ORANGE), watts):
            plot.barh(place, value, left=left, color=color, height=0.62, linewidth=0)
            if place == 0:
                direct(plot, left + value / 2, place, word, color, (0, 17), ha="center", annotation_clip=False)
            left += value
