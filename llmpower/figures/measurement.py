"""Figures of the chapter model-against-measurement; they draw what they are given and compute nothing."""

import numpy as np
from matplotlib.ticker import FuncFormatter, NullFormatter, PercentFormatter

from llmpower.figures.style import BLUE, GREEN, GREY, INK, ORANGE, PURPLE, RED, SKY, axes, data, direct, vertical

COLORS = {"Llama": BLUE, "Qwen3": ORANGE, "Nemotron": GREEN, "Gemma": PURPLE, "gpt-oss": SKY, "DeepSeek": INK}
# Shapes tell families apart in grey, where a figure needs shapes for nothing else.
SHAPES = {"Llama": "o", "Qwen3": "s", "Nemotron": "^", "Gemma": "D", "Mistral": "v"}
TERA = 1e12
_PALE_RED, _PALE_BLUE = "#F3D5CF", "#E3EAF5"


def _logs(plot):
    plot.set_xscale("log"), plot.set_yscale("log")
    for axis in (plot.xaxis, plot.yaxis):
        axis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:,g}"))
        axis.set_minor_formatter(NullFormatter())


def _key(plot, names, x, y, marks=None):
    """Names in their colours, one above the other, from a corner of the axes."""
    for place, name in enumerate(names):
        height = y - 0.058 * place
        mark = (marks or {}).get(name, "o")
        color = COLORS.get(name, GREY)
        plot.plot([x], [height], mark, transform=plot.transAxes, color=color, markersize=5, clip_on=False)
        direct(plot, x, height, name, color, xycoords="axes fraction", xytext=(7, 0))


def roofs(intensity, roof, name, rated_w, points):
    """Three ceilings of an accelerator, and measured runs below them.

    Parameters
    ----------
    intensity : array
        Operations per byte, rising. [FLOP/B]
    roof : llmpower.evidence.exam.Roof
        Its ceilings there. [FLOP/s]
    name : str
        Of the accelerator.
    rated_w : float
        What the power ceiling stands for. [W]
    points : list of tuple
        Family, intensities [FLOP/B] and operations per second of one accelerator [FLOP/s], and both
        again as the least they can be.
    """
    # The two old ceilings end soon after they cross.
    bandwidth = np.where(roof.bandwidth <= 1.6 * roof.compute, roof.bandwidth, np.nan) / TERA
    compute = np.where(roof.compute <= 2.5 * roof.bandwidth, roof.compute, np.nan) / TERA
    power = [getattr(roof.power, end) / TERA for end in ("low", "central", "high")]
    names = ("bandwidth", "arithmetic", "power, dear", "power, typical", "power, cheap")
    rows = [
        (label, x, y, None, None)
        for label, line in zip(names, (bandwidth, compute, *power))
        for x, y in zip(intensity, line)
        if y == y
    ]
    rows += [(f"measured: {family}", x, y / TERA, u, v / TERA) for family, *four in points for x, y, u, v in zip(*four)]
    data(["series", "intensity [FLOP/B]", "speed [TFLOP/s]", "least_intensity [FLOP/B]", "least_speed [TFLOP/s]"], rows)
    plot = axes(4.6)
    _logs(plot)
    rates = np.fmin(bandwidth, compute)
    reached = [value / TERA for *_, values in points for value in values]
    floor = min([power[0][0] / 3, *(value / 1.6 for value in reached)])
    plot.set_xlim(intensity[0], intensity[-1]), plot.set_ylim(floor, 2.1 * rates[-1])
    plot.fill_between(intensity, floor, power[1], color=_PALE_BLUE, linewidth=0, zorder=0)
    plot.fill_between(intensity, power[0], power[2], color=_PALE_RED, linewidth=0, zorder=1)
    for line in (bandwidth, compute):
        plot.plot(intensity, line, color=GREY, linewidth=1, linestyle=(0, (5, 3)), zorder=2)
    plot.plot(intensity, rates, color=INK, linewidth=1.4, zorder=3)
    # Red only where it is the lowest of the three.
    plot.plot(
        intensity,
        np.where(power[1] < rates * (1 - 1e-9), power[1], np.nan),
        color=RED,
        linewidth=2.6,
        zorder=4,
        solid_capstyle="round",
    )
    for family, x, y, least_x, least_y in points:
        color = COLORS.get(family, GREY)
        # What a prompt may have added that nobody counted.
        plot.plot(
            [least_x, x],
            [np.asarray(least_y) / TERA, np.asarray(y) / TERA],
            color=color,
            linewidth=0.9,
            alpha=0.3,
            zorder=4.5,
        )
        plot.plot(
            x,
            np.asarray(y) / TERA,
            SHAPES.get(family, "o"),
            color=color,
            markersize=4.6,
            alpha=0.85,
            markeredgecolor="white",
            markeredgewidth=0.5,
            zorder=5,
        )
    _roof_words(plot, intensity, bandwidth, compute, power, rated_w)
    if points:
        _key(plot, [family for family, *_ in points], 0.74, 0.06 + 0.058 * (len(points) - 1), SHAPES)
    plot.set_xlabel("arithmetic intensity: operations per byte moved (FLOP/B)")
    vertical(plot, f"operations per second of one {name} (TFLOP/s)")


def _roof_words(plot, intensity, bandwidth, compute, power, rated_w):
    """Names of the ceilings, along them."""
    low, high = plot.get_ylim()
    slope = np.log(high / low) / np.log(intensity[-1] / intensity[0])
    place = int(0.06 * len(intensity))
    box = plot.get_position()
    # The line rises by a decade each decade; on paper by what the axes make of it.
    angle = np.degrees(
        np.arctan((box.height * plot.figure.get_figheight()) / (box.width * plot.figure.get_figwidth()) / slope)
    )
    direct(
        plot,
        intensity[place],
        bandwidth[place],
        "bandwidth",
        GREY,
        xytext=(-3, 9),
        rotation=angle,
        rotation_mode="anchor",
    )
    direct(plot, intensity[-1], compute[-1], "arithmetic", GREY, xytext=(-2, 9), ha="right")
    bend = int(np.argmin(power[1] / np.fmin(bandwidth, compute)))
    direct(
        plot,
        intensity[bend],
        power[1][bend],
        f"power:\n{rated_w:,.0f} W",
        RED,
        xytext=(34, -58),
        ha="left",
        arrowprops={"arrowstyle": "-", "color": RED, "linewidth": 0.8, "shrinkB": 1},
    )


def against(rows, flagged, share):
    """Predicted over measured energy of a token; equal on the diagonal.

    Parameters
    ----------
    rows : list of tuple
        Family, whether it is a mixture of experts, what the runs are (identifier, network, format,
        accelerator, their number, task, batch), measured and predicted energy per token. [J]
    flagged : tuple
        What the runs that contradict their neighbours are, measured and predicted energy. [J]
    share : float
        Half the width of the band beside the diagonal. [1]
    """
    groups = [("mixture of experts" if sparse else "dense", *three) for _, sparse, *three in rows] + [
        ("contradicts its neighbours", *flagged)
    ]
    what = ["id", "network", "weight_format", "accelerator", "accelerators [count]", "task", "batch [count]"]
    data(
        [*what, "kind", "measured [J]", "predicted [J]"],
        [(*run, kind, x, y) for kind, *three in groups for run, x, y in zip(*three)],
    )
    plot = axes(4.8)
    _logs(plot)
    every = np.concatenate([np.concatenate([x, y]) for *_, x, y in [*rows, flagged]])
    ends = np.array([every.min() / 1.25, every.max() * 1.25])
    plot.set_xlim(*ends), plot.set_ylim(*ends)
    plot.fill_between(ends, ends * (1 - share), ends * (1 + share), color="#E6E9EC", linewidth=0, zorder=0)
    plot.plot(ends, ends, color=INK, linewidth=1, zorder=1)
    plot.plot(*flagged[1:], "x", color=GREY, markersize=4, markeredgewidth=0.9, zorder=2)
    for family, sparse, _, x, y in rows:
        mark = "D" if sparse else "o"
        plot.plot(
            x,
            y,
            mark,
            color=COLORS.get(family, GREY),
            markersize=3.6 if sparse else 4.4,
            alpha=0.8,
            markeredgecolor="white",
            markeredgewidth=0.4,
            zorder=3,
        )
    _key(plot, list(dict.fromkeys(family for family, *_ in rows)), 0.04, 0.955)
    for place, (mark, word) in enumerate(
        (("o", "dense"), ("D", "mixture of experts"), ("x", "contradicts its neighbours"))
    ):
        height = 0.16 - 0.058 * place
        plot.plot([0.5], [height], mark, transform=plot.transAxes, color=GREY, markersize=4.2)
        direct(plot, 0.5, height, word, GREY, xycoords="axes fraction", xytext=(7, 0))
    direct(plot, ends[0] * 3, ends[0] * 3 * (1 - share), f"± {share:.0%}", GREY, xytext=(6, -8), ha="left")
    plot.set_xlabel("measured energy per output token (J)")
    vertical(plot, "predicted, from runs of other architectures (J)")


def left_out(rows, floor):
    """Errors of each architecture when it was left out of the fit.

    Parameters
    ----------
    rows : list of tuple
        Architecture, family, number of runs, median and 90th percentile of the absolute error [1], from top to bottom.
    floor : float
        What one measurement scatters by, as a median. [1]
    """
    data(["architecture", "family", "runs [count]", "median_error [1]", "ninth_decile [1]"], rows)
    plot = axes(0.9 + 0.3 * len(rows))
    plot.axvspan(0, floor, color="#E6E9EC", linewidth=0, zorder=0)
    for place, (_, family, _, median, high) in enumerate(reversed(rows)):
        color = COLORS.get(family, GREY)
        plot.plot([median, high], [place, place], color=color, linewidth=3, alpha=0.35, solid_capstyle="round")
        plot.plot([median], [place], "o", color=color, markersize=6)
        plot.plot([high], [place], "|", color=color, markersize=9, markeredgewidth=2)
    direct(plot, floor, len(rows) - 0.2, "scatter of one run", GREY, xytext=(4, 0), ha="left", annotation_clip=False)
    plot.set_yticks(range(len(rows)), [f"{name} ({count})" for name, _, count, _, _ in reversed(rows)])
    plot.set_ylim(-0.7, len(rows) - 0.2)
    plot.set_xlim(0, None)
    plot.xaxis.set_major_formatter(PercentFormatter(1, decimals=0))
    plot.set_xlabel("error of J per token: median, and nine runs in ten (%)")
    plot.grid(axis="y", visible=False)


def readings(rows):
    """The same watts, divided in several ways.

    Parameters
    ----------
    rows : list of tuple
        Name of a reading; watts that always flow, that follow bytes, that follow operations; from top to bottom. [W]
    """
    data(["reading", "always [W]", "bytes [W]", "operations [W]"], rows)
    plot = axes(1.1 + 0.4 * len(rows))
    parts = (("always", GREY), ("bytes", BLUE), ("operations", ORANGE))
    for place, (_, *watts) in enumerate(reversed(rows)):
        left = 0.0
        for (word, color), value in zip(parts, watts):
            plot.barh(place, value, left=left, color=color, height=0.62, linewidth=0)
            if place == len(rows) - 1:
                direct(plot, left + value / 2, place, word, color, xytext=(0, 17), ha="center", annotation_clip=False)
            left += value
    plot.set_yticks(range(len(rows)), [name for name, *_ in reversed(rows)])
    plot.set_ylim(-0.6, len(rows) - 0.1)
    plot.set_xlabel("power of one board (W)")
    plot.grid(axis="y", visible=False)


def drawn(rows, idle_w, own_w):
    """Static power by sets of runs, with their networks drawn at random.

    Parameters
    ----------
    rows : list of tuple
        Name of a set of runs; 5th percentile, value from all of them, and 95th percentile, as a Range; from top to bottom. [W]
    idle_w, own_w : float
        Draw of an idle board, and what the estimator's constants say. [W]
    """
    data(["runs", "static_power [W]"], rows)
    plot = axes(1.3 + 0.36 * len(rows))
    plot.set_ylim(-0.6, len(rows) + 0.1)
    for value, word in ((idle_w, "idle board"), (own_w, "the estimator")):
        plot.axvline(value, color=GREY, linewidth=1, linestyle=(0, (4, 3)), zorder=1)
        direct(plot, value, len(rows) - 0.2, word, GREY, xytext=(4, 0))
    for place, (_, span) in enumerate(reversed(rows)):
        plot.plot(
            [span.low, span.high], [place, place], color=BLUE, linewidth=5, alpha=0.35, solid_capstyle="butt", zorder=2
        )
        plot.plot([span.central], [place], "o", color=BLUE, markersize=6, zorder=3)
    plot.set_yticks(range(len(rows)), [name for name, _ in reversed(rows)])
    plot.set_xlim(0, None)
    plot.set_xlabel("power that always flows, by the fit (W)")
    plot.grid(axis="y", visible=False)
