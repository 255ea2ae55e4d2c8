"""Charts as Vega-Lite specs (plain data), drawn as SVG.

Real rows are a filled form, synthetic rows a line over it: told apart by form, not by colour alone. Colours are CSS
variables of the page, so that one drawing serves light, dark and print. Every position comes from Python and there are
no Vega axes: what stands beside a chart is text of our own, cleaned and cut.
"""

from collections.abc import Mapping
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cuvee.reporting.words import axis, percent, short

Spec = dict[str, Any]

REAL, SYNTHETIC, RULE, INK = "var(--real)", "var(--synthetic)", "var(--rule)", "currentColor"
CLASSES = (0.02, 0.05, 0.1, 0.15, 0.2, 0.3)
"""Bounds of the colours of the heat map: differences in Cramér's V."""

_WIDTH = 280
_LINE = {"type": "line", "color": SYNTHETIC, "strokeWidth": 1.6, "strokeJoin": "miter"}


def column_chart(d: Mapping[str, Any]) -> Spec | None:
    """The chart of one column (a `Distribution` as plain data); None where nothing of it is shown."""
    if d["form"] == "hidden" or not (d["bars"] or any(d["nulls"])):
        return None
    return _bins(d) if d["form"] == "bins" else _bars(d)


def _bins(d: Mapping[str, Any]) -> Spec:
    """The silhouette of real rows under the outline of the synthetic ones, and a gauge of nulls beside them."""
    bars = d["bars"]
    edges = [float(b["low"]) for b in bars] + [float(bars[-1]["high"])]
    narrow = min(b - a for a, b in pairwise(edges))
    heights = [narrow / (b - a) for a, b in pairwise(edges)]  # merged bins keep their area
    tops = {side: [b[side] * h for b, h in zip(bars, heights, strict=True)] for side in ("real", "synthetic")}
    top = max(*tops["real"], *tops["synthetic"], 1e-9)
    corners = {side: [_outline(edges, t)] for side, t in tops.items()}
    span, end = edges[-1] - edges[0], edges[-1]
    marks = [{"x": t["at"], "label": t["label"]} for t in d["ticks"]]
    frame: list[Spec] = []
    if any(d["nulls"]):  # a scale of its own, or many nulls would press the bins flat: the frame is all rows
        a, end = end + 0.07 * span, end + 0.12 * span
        for side, share in zip(("real", "synthetic"), d["nulls"], strict=True):
            corners[side].append(_outline([a, end], [share * top]))
        frame.append({"a": a, "b": end, "y": top, "z": 0})
        marks = [m for m in marks if m["x"] < edges[0] + 0.9 * span] + [{"x": (a + end) / 2, "label": "null"}]
    x: Spec = {"type": "quantitative", "axis": None, "scale": {"domain": [edges[0], end], "nice": False, "zero": False}}
    y: Spec = {"type": "quantitative", "axis": None, "scale": {"domain": [0, top], "nice": False}}
    box = {"x": {"field": "a", **x}, "x2": {"field": "b"}, "y": {"field": "y", **y}, "y2": {"field": "z"}}
    place = {"x": {"field": "x", **x}, "y": {"field": "y", **y}, "order": {"field": "o"}, "detail": {"field": "g"}}
    filled = {"type": "line", "stroke": None, "fill": REAL}
    height = 92
    layers: list[Spec] = [
        {"data": {"values": frame}, "mark": {"type": "rect", "color": "var(--panel)"}, "encoding": box},
        {"data": {"values": _points(corners["real"])}, "mark": filled, "encoding": place},
        {"data": {"values": _points(corners["synthetic"])}, "mark": _LINE, "encoding": place},
        ground(height),
        *tick_labels(marks, x, (edges[0], end), height),
    ]
    return whole(_WIDTH, height, layers, bottom=20)


def _points(runs: list[list[tuple[float, float]]]) -> list[Spec]:
    """The corners of several lines as rows, in the order in which they are drawn."""
    return [{"x": x, "y": y, "o": o, "g": g} for g, run in enumerate(runs) for o, (x, y) in enumerate(run)]


def _outline(edges: list[float], tops: list[float]) -> list[tuple[float, float]]:
    """The corners of a staircase that begins and ends on the ground."""
    corners = [(edges[0], 0.0)]
    for (a, b), y in zip(pairwise(edges), tops, strict=True):
        corners += [(a, y), (b, y)]
    return [*corners, (edges[-1], 0.0)]


def tick_labels(marks: list[Spec], x: Spec, ends: tuple[float, float], height: int) -> list[Spec]:
    """Labels under the axis; those at its ends are turned inwards."""
    layers: list[Spec] = []
    span = (ends[1] - ends[0]) or 1.0
    for align in ("left", "center", "right"):
        part = [m for m in marks if _align((m["x"] - ends[0]) / span) == align]
        if part:
            mark = {"type": "text", "align": align, "baseline": "top", "fontSize": 11, "color": INK}
            encoding = {"x": {"field": "x", **x}, "y": {"value": height + 5}, "text": {"field": "label"}}
            layers.append({"data": {"values": part}, "mark": mark, "encoding": encoding})
    return layers


def _align(place: float) -> str:
    return "left" if place < 0.04 else "right" if place > 0.97 else "center"


def _bars(d: Mapping[str, Any]) -> Spec:
    """A row a category: the real share filled, the synthetic share an upright line, nulls last."""
    rows = [(b["label"], b["real"], b["synthetic"]) for b in d["bars"]]
    if any(d["nulls"]):
        rows.append(("null", *d["nulls"]))
    step, left, right = 16, 104, 44
    top = max(max(r, s) for _, r, s in rows) or 1.0
    width = _WIDTH - left - right
    data = [
        {
            "name": short(label, 17) or "(empty)",
            "a": i * step + 3,
            "b": (i + 1) * step - 3,
            "m": i * step + step / 2,
            "lo": i * step + 1,
            "hi": (i + 1) * step - 1,
            "r": left + width * r / top,
            "s": left + width * s / top,
            "v": percent(r),
            "z": left,
        }
        for i, (label, r, s) in enumerate(rows)
    ]
    height = step * len(rows)
    x = _pixels(_WIDTH)
    y = _pixels(height)
    at = {"y": {"field": "m", **y}}
    layers: list[Spec] = [
        {
            "mark": {"type": "rect", "color": REAL},
            "encoding": {
                "x": {"field": "z", **x},
                "x2": {"field": "r"},
                "y": {"field": "a", **y},
                "y2": {"field": "b"},
            },
        },
        {
            "mark": {"type": "rule", "color": SYNTHETIC, "strokeWidth": 2.4},
            "encoding": {"x": {"field": "s", **x}, "y": {"field": "lo", **y}, "y2": {"field": "hi"}},
        },
        {
            "mark": {"type": "text", "align": "right", "baseline": "middle", "fontSize": 11, "color": INK},
            "encoding": {"x": {"value": left - 8}, **at, "text": {"field": "name"}},
        },
        {
            "mark": {"type": "text", "align": "right", "baseline": "middle", "fontSize": 10, "color": "var(--faint)"},
            "encoding": {"x": {"value": _WIDTH}, **at, "text": {"field": "v"}},
        },
    ]
    return whole(_WIDTH, height, layers, bottom=2) | {"data": {"values": data}}


def heat_chart(names: list[str], difference: NDArray[np.float64]) -> Spec:
    """The differences of all pairs below the diagonal; each name stands once, on the diagonal, for its row and column.

    Args:
        names: (d,) columns.
        difference: (d, d), 0 or more.
    """
    d = len(names)
    cell = 30 if d <= 8 else 22 if d <= 20 else 15
    row, column = np.tril_indices(d, -1)
    level = np.searchsorted(CLASSES, difference[row, column], side="right")
    order = np.lexsort((column, row, level))  # one colour after the other: each becomes a single path
    cells = [
        {"x": int(column[i]) * cell, "y": int(row[i]) * cell, "c": int(level[i])}
        | {"x2": int(column[i]) * cell + cell - 1, "y2": int(row[i]) * cell + cell - 1}
        for i in order
    ]
    labels = [{"x": i * cell + 4, "y": i * cell + cell / 2 - 0.5, "t": short(n, 22)} for i, n in enumerate(names)]
    side, margin = d * cell, 132
    x, y = _pixels(side + margin), _pixels(side)
    scale = {"domain": list(range(len(CLASSES) + 1)), "range": [f"var(--heat{i})" for i in range(len(CLASSES) + 1)]}
    layers: list[Spec] = [
        {
            "data": {"values": cells},
            "mark": {"type": "rect"},
            "encoding": {
                "x": {"field": "x", **x},
                "x2": {"field": "x2"},
                "y": {"field": "y", **y},
                "y2": {"field": "y2"},
                "fill": {"field": "c", "type": "ordinal", "scale": scale, "legend": None},
            },
        },
        {
            "data": {"values": labels},
            "mark": {"type": "text", "align": "left", "baseline": "middle", "fontSize": 11, "color": INK},
            "encoding": {"x": {"field": "x", **x}, "y": {"field": "y", **y}, "text": {"field": "t"}},
        },
    ]
    return whole(side + margin, side, layers)


def curve_chart(points: list[dict[str, float | None]], chosen: float | None = None) -> Spec:
    """How the quality changes with the share of synthetic rows, with its interval.

    Args:
        points: `share`, `value`, and `low` and `high` or None.
        chosen: The share that was taken, or None.
    """
    width, height, left = 440, 170, 44
    values = [float(p[k] or 0.0) for p in points for k in ("value", "low", "high") if p.get(k) is not None]
    low, high = min(values), max(values)
    pad = (high - low) * 0.08 or 0.01
    x: Spec = {"type": "quantitative", "axis": None, "scale": {"domain": [0, 1], "range": [left, width - 8]}}
    scale = {"domain": [low - pad, high + pad], "range": [height, 0], "nice": False, "zero": False}
    y: Spec = {"type": "quantitative", "axis": None, "scale": scale}
    at = {"x": {"field": "share", **x}}
    grid = [{"v": v, "t": axis(round(v, 4))} for v in np.linspace(low, high, 3).tolist()]
    band = [p for p in points if p.get("low") is not None and p.get("high") is not None]
    marks = [{"x": s / 4, "label": f"{25 * s} %"} for s in range(5)]
    text = {"type": "text", "baseline": "middle", "align": "right", "fontSize": 11, "color": INK}
    layers: list[Spec] = [
        {"data": {"values": grid}, "mark": {"type": "rule", "color": RULE}, "encoding": {"y": {"field": "v", **y}}},
        {
            "data": {"values": grid},
            "mark": text,
            "encoding": {"x": {"value": left - 8}, "y": {"field": "v", **y}, "text": {"field": "t"}},
        },
        {
            "data": {"values": band},
            "mark": {"type": "area", "color": REAL, "opacity": 0.6},
            "encoding": {**at, "y": {"field": "low", **y}, "y2": {"field": "high"}},
        },
        {"data": {"values": points}, "mark": _LINE, "encoding": {**at, "y": {"field": "value", **y}}},
        {
            "data": {"values": [] if chosen is None else [{"share": chosen}]},
            "mark": {"type": "rule", "color": INK, "strokeDash": [3, 3]},
            "encoding": at,
        },
        *tick_labels(marks, x, (0.0, 1.0), height),
    ]
    return whole(width, height, layers, bottom=20)


def training_chart(points: list[dict[str, float]], kept: int | None) -> Spec:
    """The score on held-out rows epoch by epoch.

    Args:
        points: `epoch` and `held`; at least two.
        kept: The epoch whose weights were kept, or None.
    """
    width, height, left = 440, 150, 54
    first, last = points[0]["epoch"], points[-1]["epoch"]
    values = [p["held"] for p in points]
    low, high = min(values), max(values)
    pad = (high - low) * 0.08 or 0.01
    x: Spec = {"type": "quantitative", "axis": None, "scale": {"domain": [first, last], "range": [left, width - 8]}}
    scale = {"domain": [low - pad, high + pad], "range": [height, 0], "nice": False, "zero": False}
    y: Spec = {"type": "quantitative", "axis": None, "scale": scale}
    at = {"x": {"field": "epoch", **x}}
    grid = [{"v": v, "t": axis(float(f"{v:.4g}"))} for v in np.linspace(low, high, 3).tolist()]
    marks = [{"x": e, "label": f"{e:g}"} for e in sorted({first, float(round((first + last) / 2)), last})]
    text = {"type": "text", "baseline": "middle", "align": "right", "fontSize": 11, "color": INK}
    here = {"x": {"value": left - 8}, "y": {"field": "v", **y}, "text": {"field": "t"}}
    layers: list[Spec] = [
        {"data": {"values": grid}, "mark": {"type": "rule", "color": RULE}, "encoding": {"y": {"field": "v", **y}}},
        {"data": {"values": grid}, "mark": text, "encoding": here},
        {"data": {"values": points}, "mark": _LINE, "encoding": {**at, "y": {"field": "held", **y}}},
        {
            "data": {"values": [] if kept is None else [{"epoch": kept}]},
            "mark": {"type": "rule", "color": INK, "strokeDash": [3, 3]},
            "encoding": at,
        },
        *tick_labels(marks, x, (first, last), height),
    ]
    return whole(width, height, layers, bottom=20)


def ground(height: int) -> Spec:
    """The ground line."""
    mark = {"type": "rule", "color": RULE, "strokeWidth": 1}
    return {"data": {"values": [{}]}, "mark": mark, "encoding": {"y": {"value": height}}}


def _pixels(size: int) -> Spec:
    """A scale on which figures are pixels."""
    span = [0, size]
    return {
        "type": "quantitative",
        "axis": None,
        "scale": {"domain": span, "range": span, "nice": False, "zero": False},
    }


def whole(width: float, height: float, layers: list[Spec], *, bottom: int = 0) -> Spec:
    """A chart of a fixed size, so that text never moves it."""
    return {
        "$schema": "https://vega.github.io/schema/vega-lite/v5.json",
        "width": width,
        "height": height,
        "padding": {"left": 1, "right": 1, "top": 2, "bottom": bottom},
        "autosize": {"type": "none"},
        "background": None,
        "config": {"view": {"stroke": None}},
        "layer": layers,
    }
