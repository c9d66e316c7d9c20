"""One bar for each server, with its least and most as a whisker, as SVG."""

import dataclasses
import html
import math

COLOURS = {"ours": "#1f6feb", "anchor": "#424a53", "peer": "#afb8c1", "bound": "#ffffff"}
WIDTH, RIGHT = 760, 90
LEFT_LEAST, CHARACTER = 170, 7.6  # what a label needs, in bold
TOP, STEP, BAR, BOTTOM = 52, 26, 16, 34
CUT = 12  # bars longer than so many times the shortest (but for the bound) are cut off: so the others can be read
TICKS = 6


@dataclasses.dataclass(frozen=True)
class Bar:
    label: str
    kind: str
    value: float
    low: float
    high: float
    shown: str


def tick_step(most):
    rough = most / TICKS
    power = 10 ** math.floor(math.log10(rough))
    return next(factor * power for factor in (1, 2, 5, 10) if factor * power >= rough)


def text(x, y, words, size=13, anchor="start", weight="normal", fill="#1f2328"):
    return (f'<text x="{x:.1f}" y="{y:.1f}" font-size="{size}" text-anchor="{anchor}" font-weight="{weight}" '
            f'fill="{fill}">{html.escape(words)}</text>')


def svg(title, unit, bars, better="shorter"):
    shortest = min((bar.value for bar in bars if bar.kind != "bound"), default=math.inf)
    end = max(bar.high for bar in bars)
    if better == "shorter":
        end = min(end, CUT * shortest)
    left = max(LEFT_LEAST, 16 + CHARACTER * max(len(bar.label) for bar in bars))
    plot_width = WIDTH - left - RIGHT
    bottom = TOP + STEP * len(bars)

    def x(value):
        return left + plot_width * min(value, end) / end

    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{WIDTH}" height="{bottom + BOTTOM}" '
        f'viewBox="0 0 {WIDTH} {bottom + BOTTOM}" font-family="system-ui, -apple-system, Helvetica, Arial, sans-serif" '
        f'role="img" aria-label="{html.escape(title)}">',
        '<rect width="100%" height="100%" fill="#ffffff"/>',
        text(16, 24, title, 15, weight="600"),
        text(16, 42, f"{unit}; {better} is better; whiskers: least and most", 12, fill="#59636e"),
    ]
    step = tick_step(end)
    for index in range(int(end / step) + 1):
        at = x(index * step)
        parts.append(f'<line x1="{at:.1f}" y1="{TOP}" x2="{at:.1f}" y2="{bottom}" stroke="#d1d9e0"/>')
        parts.append(text(at, bottom + 18, f"{index * step:,g}", 12, "middle", fill="#59636e"))
    for index, bar in enumerate(bars):
        top = TOP + STEP * index + (STEP - BAR) / 2
        centre = top + BAR / 2
        right = x(bar.value)
        edge = ' stroke="#59636e" stroke-dasharray="3 2"' if bar.kind == "bound" else ""
        parts.append(text(left - 8, centre + 4.5, bar.label, 13, "end", "600" if bar.kind == "ours" else "normal"))
        parts.append(f'<rect x="{left:.1f}" y="{top}" width="{right - left:.1f}" height="{BAR}" '
                     f'fill="{COLOURS[bar.kind]}"{edge}/>')
        is_cut = bar.value > end
        if is_cut:  # two slanted lines: the bar goes on
            for offset in (26, 20):
                parts.append(f'<line x1="{right - offset}" y1="{top + BAR + 2}" x2="{right - offset + 6}" y2="{top - 2}" '
                             f'stroke="#ffffff" stroke-width="3"/>')
        elif bar.high > bar.low:
            low, high = x(bar.low), x(bar.high)
            parts.append(f'<path d="M{low:.1f} {centre - 4}v8M{low:.1f} {centre}H{high:.1f}M{high:.1f} {centre - 4}v8" '
                         f'stroke="#bc4c00" stroke-width="1.5" fill="none"/>')
        after = right if is_cut else max(right, x(bar.high))
        parts.append(text(after + 8, centre + 4.5, bar.shown, 13))
    parts.append(f'<line x1="{left:.1f}" y1="{TOP}" x2="{left:.1f}" y2="{bottom}" stroke="#1f2328"/>')
    return "\n".join(parts + ["</svg>"]) + "\n"
