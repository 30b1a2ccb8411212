"""Figures of the chapter datacenter-scale; they draw what they are given and compute nothing."""

from matplotlib.ticker import LogLocator

from llmpower.figures import style
from llmpower.figures.style import BLUE, GREEN, GREY, INK, ORANGE, RED, axes, data, direct

STEPS = {
    "busy": ("boards\nat work,\nmean load", BLUE),
    "spare": ("boards\nfor the peak\nand spare", GREEN),
    "host": ("rest\nof the\nservers", ORANGE),
    "overhead": ("cooling\nand con-\nversion", RED),
}
_WATTS = ((1e9, "GW"), (1e6, "MW"), (1e3, "kW"), (1, "W"))


def _short(value):
    """Three digits, without zeros that say nothing."""
    return f"{value:,.0f}" if 100 <= value < 1e6 else f"{value:.3g}"


def waterfall(steps_w, drawn_w):
    """How boards grow into a site by the power of each of `STEPS`, and what is drawn on average."""
    total_w = sum(steps_w.values())
    factor, unit = next((one for one in _WATTS if total_w >= one[0]), _WATTS[-1])
    steps = [(*STEPS[name], watts / factor) for name, watts in steps_w.items()]
    sums = [("to be\nbuilt", GREY, total_w / factor), ("drawn on\naverage", (GREY, 0.55), drawn_w / factor)]
    data(["step", f"power [{unit}]"], [(label, power) for label, _, power in steps + sums])
    plot = axes(3.4, y=f"power ({unit})")
    reached = 0.0
    for place, (label, color, power) in enumerate(steps + sums):
        below = reached if place < len(steps) else 0.0
        reached = below + power
        plot.bar(label, power, bottom=below, color=color, width=0.62)
        direct(plot, place, reached, f"{'+' if below else ''}{_short(power)}", INK, (0, 8), ha="center")
        if place < len(steps):
            plot.plot([place - 0.31, place + 1.31], [reached, reached], color=GREY, linewidth=0.9)
    plot.set_ylim(0, 1.12 * max(total_w, drawn_w) / factor)
    plot.grid(axis="x", visible=False)


def tornado(bars, central):
    """How far a cost moves with each input.

    bars : label, text of the low end, text of the high end, result there and there [usd]; the widest first.
    central : result with all inputs at their own values. [usd]
    """
    cost = "electricity_cost{} [USD per 1e6 tokens]".format
    columns = ["input", "low_end", "high_end", cost(""), cost("_at_low_end"), cost("_at_high_end")]
    data(columns, [(*bar[:3], central, *bar[3:]) for bar in bars])
    x = "electricity per million output tokens (USD)"
    plot = style.rows([bar[0] for bar in bars], 1.1 + 0.36 * len(bars), x, 0.7, 0.7, logarithmic="x")
    for place, (_, low_text, high_text, at_low, at_high) in enumerate(bars):
        both = sorted([(at_low, low_text, BLUE), (at_high, high_text, ORANGE)], key=lambda end: -abs(end[0] - central))
        # The far end first, so that a near one on the same side stays in sight.
        for value, _, color in both:
            style.span(plot, place, central, value, color, 11)
        (far, far_text, _), (near, near_text, _) = both
        side = 5 if far > central else -5
        same_side = near != central and (near > central) == (far > central)
        direct(plot, far, place, far_text, INK, (side, 0))
        direct(plot, central if same_side else near, place, near_text, INK, (-side, 0))
    plot.axvline(central, color=GREY, linewidth=1.2)
    direct(plot, 0, 1, "low end of the input", BLUE, (0, 9), xycoords="axes fraction")
    direct(plot, 1, 1, "high end of the input", ORANGE, (0, 9), xycoords="axes fraction", ha="right")
    left, right = plot.dataLim.intervalx
    room = max((right / left) ** 0.26, 1.2)
    plot.set_xlim(left / room, right * room)
    plot.xaxis.set_major_locator(LogLocator(subs=(1, 2, 5) if right / left < 300 else (1,)))
