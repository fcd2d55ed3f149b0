"""Small plots as inline SVG: no library, no script, nothing fetched. Colours are the page's CSS variables."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from html import escape

import attrs

WIDTH, HEIGHT = 360, 250
_LEFT, _RIGHT, _TOP, _BOTTOM = 46, 10, 12, 40
_COLOURS = 6


@attrs.frozen
class Line:
    """One curve; points whose y is None are left out and break it."""

    name: str
    x: Sequence[float]
    y: Sequence[float | None]
    dots: bool = False
    dashed: bool = False
    plain: bool = False
    """A guide without a place in the legend."""


def plot(
    title: str,
    x_name: str,
    y_name: str,
    lines: Sequence[Line],
    x_range: tuple[float, float] | None = None,
    y_range: tuple[float, float] | None = None,
    note: str = "",
) -> str:
    """A figure of lines; ranges are those of the points where none is given."""
    xs = [value for line in lines for value in line.x]
    ys = [value for line in lines for value in line.y if value is not None and math.isfinite(value)]
    if not xs or not ys:
        return ""
    left, right = x_range or _widened(min(xs), max(xs))
    low, high = y_range or _widened(min(ys), max(ys))

    def at(x: float, y: float) -> tuple[float, float]:
        across = (x - left) / (right - left)
        up = (y - low) / (high - low)
        return (
            round(_LEFT + across * (WIDTH - _LEFT - _RIGHT), 1),
            round(HEIGHT - _BOTTOM - up * (HEIGHT - _TOP - _BOTTOM), 1),
        )

    parts = []
    for value in ticks(low, high):
        _, y = at(left, value)
        parts.append(f"<line class=grid x1={_LEFT} x2={WIDTH - _RIGHT} y1={y} y2={y} />")
        parts.append(f"<text x={_LEFT - 5} y={y + 3} class=end>{_number(value)}</text>")
    for value in ticks(left, right):
        x, _ = at(value, low)
        parts.append(f"<text x={x} y={HEIGHT - _BOTTOM + 14} class=middle>{_number(value)}</text>")
    parts.append(f"<text x={(WIDTH + _LEFT) / 2} y={HEIGHT - 8} class=middle>{escape(x_name)}</text>")
    middle = (HEIGHT - _BOTTOM + _TOP) / 2
    parts.append(f"<text x=11 y={middle} class=middle transform='rotate(-90 11 {middle})'>{escape(y_name)}</text>")
    legend, number = [], 0
    for line in lines:
        colour = "guide" if line.plain else f"c{number % _COLOURS}"
        runs: list[list[tuple[float, float]]] = [[]]
        for x_value, y_value in zip(line.x, line.y, strict=True):
            if y_value is None or not math.isfinite(y_value):
                runs.append([])
            else:
                runs[-1].append(at(x_value, min(max(y_value, low), high)))
        for run in runs:
            if len(run) > 1:
                path = " ".join(f"{x},{y}" for x, y in run)
                dash = " stroke-dasharray='4 3'" if line.dashed or line.plain else ""
                parts.append(f"<polyline class={colour} points='{path}'{dash} />")
        if line.dots:
            parts += [f"<circle class={colour} cx={x} cy={y} r=2.6 />" for run in runs for x, y in run]
        if not line.plain:
            legend.append(f"<span><i class={colour}></i>{escape(line.name)}</span>")
            number += 1
    shown = f"<div class=legend>{' '.join(legend)}</div>" if len(legend) > 1 else ""
    about = f"<small>{escape(note)}</small>" if note else ""
    return (
        f"<figure><figcaption>{escape(title)}</figcaption>"
        f"<svg viewBox='0 0 {WIDTH} {HEIGHT}' role=img aria-label='{escape(title, quote=True)}'>{''.join(parts)}</svg>"
        f"{shown}{about}</figure>"
    )


def bars(title: str, values: Mapping[str, float], largest: float | None = None, note: str = "") -> str:
    """Horizontal bars, one a name."""
    if not values:
        return ""
    top = largest or max(max(values.values()), 1e-12)
    rows = "".join(
        f"<tr><td>{escape(name)}<td class=n>{_number(value)}<td><i class=bar style='width:"
        f"{max(1, round(180 * max(0.0, min(value, top)) / top))}px'></i>"
        for name, value in values.items()
    )
    about = f"<small>{escape(note)}</small>" if note else ""
    return f"<figure><figcaption>{escape(title)}</figcaption><table>{rows}</table>{about}</figure>"


def ticks(low: float, high: float, wanted: int = 5) -> list[float]:
    """Round values from ``low`` to ``high``, about ``wanted`` of them."""
    step = 10.0 ** math.floor(math.log10((high - low) / wanted))
    step *= min((1, 2, 5, 10), key=lambda factor: abs((high - low) / (step * factor) - wanted))
    first = math.ceil(low / step - 1e-9)
    last = math.floor(high / step + 1e-9)
    return [round(number * step, 10) for number in range(first, last + 1)]


def _widened(low: float, high: float) -> tuple[float, float]:
    if high - low < 1e-12:
        space = abs(high) * 0.1 or 1.0
        return low - space, high + space
    return low, high


def _number(value: float) -> str:
    if value and (abs(value) < 0.001 or abs(value) >= 100_000):
        return f"{value:.0e}".replace("e-0", "e-").replace("e+0", "e")
    return f"{value:,.4g}" if abs(value) < 1000 else f"{value:,.0f}"
