"""Charts of a simulation as Vega-Lite specs: spread, fan, convergence, tornado and sensitivity.

They have the look of the other charts: a filled form under a line, colours of the page, every position from Python.
"""

import math
from collections.abc import Mapping, Sequence
from typing import Any

from cuvee.reporting.charts import INK, REAL, RULE, SYNTHETIC, Spec, ground, tick_labels, whole
from cuvee.reporting.words import axis, short

Row = Mapping[str, Any]

WIDE, TALL = 440, 170
LOW = 130
LEFT = 56
"""Pixels for the figures beside a chart."""
MOST = 10
"""Bars of a tornado or of a sensitivity chart at most."""


def spread_chart(bins: Sequence[Row], marks: Sequence[tuple[str, float]]) -> Spec:
    """The silhouette of all draws, with marked values.

    Args:
        bins: `low`, `high` and `share`.
        marks: Labels and values; the first is drawn as a line, others dashed.
    """
    low, high = float(bins[0]["low"]), float(bins[-1]["high"])
    if low == high:
        low, high = low - 0.5, high + 0.5
    ends = min(low, *(v for _, v in marks)), max(high, *(v for _, v in marks))
    x: Spec = {"type": "quantitative", "axis": None, "scale": {"domain": list(ends), "nice": False, "zero": False}}
    top = max(float(b["share"]) for b in bins)
    y: Spec = {"type": "quantitative", "axis": None, "scale": {"domain": [0, top * 1.04], "nice": False}}
    boxes = [{"a": float(b["low"]), "b": float(b["high"]), "y": float(b["share"]), "z": 0} for b in bins]
    corners = [{"x": boxes[0]["a"], "y": 0.0}]
    for box in boxes:
        corners += [{"x": box["a"], "y": box["y"]}, {"x": box["b"], "y": box["y"]}]
    corners.append({"x": boxes[-1]["b"], "y": 0.0})
    filled = [{**c, "o": o} for o, c in enumerate(corners)]
    layers: list[Spec] = [
        {
            "data": {"values": filled},
            "mark": {"type": "line", "stroke": None, "fill": REAL},
            "encoding": {"x": {"field": "x", **x}, "y": {"field": "y", **y}, "order": {"field": "o"}},
        }
    ]
    for position, (_, value) in enumerate(marks):
        line: Spec = {"type": "rule", "color": SYNTHETIC, "strokeWidth": 1.6}
        dash = {"strokeDash": [3, 3]} if position else {}
        layers.append({"data": {"values": [{"x": value}]}, "mark": line | dash, "encoding": {"x": {"field": "x", **x}}})
    ticks = [
        {"x": v, "label": axis(_rounded(v, ends[1] - ends[0]))} for v in (ends[0], (ends[0] + ends[1]) / 2, ends[1])
    ]
    return whole(WIDE, LOW, [*layers, ground(LOW), *tick_labels(ticks, x, ends, LOW)], bottom=20)


def fan_chart(fan: Sequence[Row], start: float | None = None) -> Spec:
    """Quantiles by step: the middle half and 90 % as bands, the median as a line.

    Args:
        fan: `step`, `level` and `value`, of five levels.
        start: The value before the first step, or None.
    """
    steps = sorted({int(r["step"]) for r in fan})
    levels = sorted({float(r["level"]) for r in fan})
    at = {(int(r["step"]), float(r["level"])): float(r["value"]) for r in fan}
    rows = [{"x": s, **{f"q{i}": at[s, level] for i, level in enumerate(levels)}} for s in steps]
    if start is not None:
        rows.insert(0, {"x": steps[0] - 1, **{f"q{i}": start for i in range(len(levels))}})
    ends = float(rows[0]["x"]), float(rows[-1]["x"])
    ends = ends if ends[0] < ends[1] else (ends[0] - 0.5, ends[1] + 0.5)
    x = _across(ends)
    y, grid = _upright([float(r["q0"]) for r in rows] + [float(r["q4"]) for r in rows])
    place = {"x": {"field": "x", **x}}
    layers: list[Spec] = [*grid]
    for low, high, opacity in (("q0", "q4", 0.35), ("q1", "q3", 0.6)):
        mark = {"type": "area", "color": REAL, "opacity": opacity}
        band = {**place, "y": {"field": low, **y}, "y2": {"field": high}}
        layers.append({"data": {"values": rows}, "mark": mark, "encoding": band})
    median = {"type": "line", "color": SYNTHETIC, "strokeWidth": 1.6, "strokeJoin": "miter"}
    layers.append({"data": {"values": rows}, "mark": median, "encoding": {**place, "y": {"field": "q2", **y}}})
    middle = round((ends[0] + ends[1]) / 2)
    ticks = [{"x": v, "label": str(v)} for v in dict.fromkeys((math.ceil(ends[0]), middle, math.floor(ends[1])))]
    return whole(WIDE, TALL, [*layers, *tick_labels(ticks, x, ends, TALL)], bottom=20)


def convergence_chart(points: Sequence[Row]) -> Spec:
    """The mean and its 95 % interval by the number of draws, on a logarithmic scale.

    Args:
        points: `draws`, `value`, and `low` and `high` or None.
    """
    known = [p for p in points if p["low"] is not None] or list(points)
    known = known[len(known) // 4 :]  # the first are so uncertain that they would flatten all others
    rows = [{"x": math.log10(p["draws"]), "v": p["value"], "lo": p["low"], "hi": p["high"]} for p in known]
    ends = float(rows[0]["x"]), float(rows[-1]["x"])
    ends = ends if ends[0] < ends[1] else (ends[0] - 0.5, ends[1] + 0.5)
    x = _across(ends)
    band = [r for r in rows if r["lo"] is not None]
    y, grid = _upright([float(r[k]) for r in rows for k in ("lo", "hi", "v") if r[k] is not None])
    place = {"x": {"field": "x", **x}}
    area: Spec = {"type": "area", "color": REAL, "opacity": 0.6}
    line: Spec = {"type": "line", "color": SYNTHETIC, "strokeWidth": 1.6, "strokeJoin": "miter"}
    layers: list[Spec] = [
        *grid,
        {
            "data": {"values": band},
            "mark": area,
            "encoding": {**place, "y": {"field": "lo", **y}, "y2": {"field": "hi"}},
        },
        {"data": {"values": rows}, "mark": line, "encoding": {**place, "y": {"field": "v", **y}}},
    ]
    marks = [ends[0], (ends[0] + ends[1]) / 2, ends[1]]
    ticks = [
        {"x": v, "label": axis(float(f"{10**v:.2g}")) if 0 < i < 2 else axis(round(10**v))} for i, v in enumerate(marks)
    ]
    return whole(WIDE, TALL, [*layers, *tick_labels(ticks, x, ends, TALL)], bottom=20)


def tornado_chart(swings: Sequence[Row]) -> Spec:
    """The output with one variable at a time low and high, the widest first.

    Args:
        swings: `variable`, `at_low`, `at_median` and `at_high`.
    """
    known = [r for r in swings if None not in (r["at_low"], r["at_median"], r["at_high"])]
    rows = sorted(known, key=lambda r: -abs(r["at_high"] - r["at_low"]))[:MOST]
    base = float(rows[0]["at_median"])
    values = [float(r[k]) for r in rows for k in ("at_low", "at_high")] + [base]
    ends = (min(values), max(values)) if min(values) < max(values) else (base - 0.5, base + 0.5)
    left, step = 104, 20
    height = step * len(rows)
    x = _across(ends, left=left, width=WIDE)
    layers: list[Spec] = []
    for field, colour in (("at_low", REAL), ("at_high", SYNTHETIC)):
        bars = [
            {"a": base, "b": float(r[field]), "y": i * step + 4, "y2": (i + 1) * step - 4} for i, r in enumerate(rows)
        ]
        layers.append(_bars(bars, x, height, {"type": "rect", "color": colour}))
    middle: Spec = {"type": "rule", "color": INK, "strokeWidth": 1}
    layers.append({"data": {"values": [{"x": base}]}, "mark": middle, "encoding": {"x": {"field": "x", **x}}})
    layers.append(_names([str(r["variable"]) for r in rows], left, step, height))
    ticks = [{"x": v, "label": axis(_rounded(v, ends[1] - ends[0]))} for v in (ends[0], ends[1])]
    return whole(WIDE, height, [*layers, *tick_labels(ticks, x, ends, height)], bottom=20)


def indices_chart(rows: Sequence[Row]) -> Spec:
    """Total Sobol indices as bars, first-order ones as marks with their intervals; the largest first.

    Args:
        rows: `factor`, `first`, `first_low`, `first_high`, `total`.
    """
    shown = sorted(rows, key=lambda r: -r["total"])[:MOST]
    left, step = 104, 20
    height = step * len(shown)
    ends = (0.0, max(1.0, *(float(r["total"]) for r in shown)))
    x = _across(ends, left=left, width=WIDE)
    bars = [
        {"a": 0.0, "b": max(0.0, float(r["total"])), "y": i * step + 4, "y2": (i + 1) * step - 4}
        for i, r in enumerate(shown)
    ]
    marks = [
        {"x": _inside(r["first"], ends), "a": _inside(r["first_low"], ends), "b": _inside(r["first_high"], ends)}
        | {"m": i * step + step / 2, "y": i * step + 3, "y2": (i + 1) * step - 3}
        for i, r in enumerate(shown)
    ]
    scale = _pixels(height)
    rule: Spec = {"type": "rule", "color": SYNTHETIC, "strokeWidth": 1.4}
    span = {"x": {"field": "a", **x}, "x2": {"field": "b"}, "y": {"field": "m", **scale}}
    tick = {"x": {"field": "x", **x}, "y": {"field": "y", **scale}, "y2": {"field": "y2"}}
    layers: list[Spec] = [
        _bars(bars, x, height, {"type": "rect", "color": REAL}),
        {"data": {"values": marks}, "mark": rule, "encoding": span},
        {"data": {"values": marks}, "mark": {**rule, "strokeWidth": 2.4}, "encoding": tick},
        _names([str(r["factor"]) for r in shown], left, step, height),
    ]
    ticks = [{"x": v, "label": f"{100 * v:.0f} %"} for v in (0.0, 0.5, 1.0)]
    return whole(WIDE, height, [*layers, *tick_labels(ticks, x, ends, height)], bottom=20)


def _inside(value: float, ends: tuple[float, float]) -> float:
    return min(max(float(value), ends[0]), ends[1])


def _rounded(value: float, span: float) -> float:
    """A value with as many digits as tell the ends of an axis apart."""
    return round(value, max(0, 2 - math.floor(math.log10(span)))) if span > 0 else value


def _across(ends: tuple[float, float], *, left: int = LEFT, width: int = WIDE) -> Spec:
    scale = {"domain": list(ends), "range": [left, width - 8], "nice": False, "zero": False}
    return {"type": "quantitative", "axis": None, "scale": scale}


def _pixels(size: int) -> Spec:
    """An upright scale on which figures are pixels from the top."""
    scale = {"domain": [0, size], "range": [0, size], "nice": False, "zero": False}
    return {"type": "quantitative", "axis": None, "scale": scale}


def _bars(bars: list[Spec], x: Spec, height: int, mark: Spec) -> Spec:
    upright = {"y": {"field": "y", **_pixels(height)}, "y2": {"field": "y2"}}
    return {
        "data": {"values": bars},
        "mark": mark,
        "encoding": {"x": {"field": "a", **x}, "x2": {"field": "b"}, **upright},
    }


def _names(names: list[str], left: int, step: int, height: int) -> Spec:
    """Names at the left of bars."""
    values = [{"y": i * step + step / 2, "t": short(name, 18)} for i, name in enumerate(names)]
    mark = {"type": "text", "align": "right", "baseline": "middle", "fontSize": 11, "color": INK}
    place = {"x": {"value": left - 8}, "y": {"field": "y", **_pixels(height)}, "text": {"field": "t"}}
    return {"data": {"values": values}, "mark": mark, "encoding": place}


def _upright(values: list[float]) -> tuple[Spec, list[Spec]]:
    """A scale that holds the values, and three lines with their figures."""
    low, high = min(values), max(values)
    pad = (high - low) * 0.06 or abs(low) * 0.05 or 1.0
    scale = {"domain": [low - pad, high + pad], "range": [TALL, 0], "nice": False, "zero": False}
    y: Spec = {"type": "quantitative", "axis": None, "scale": scale}
    marks = [low, (low + high) / 2, high] if low < high else [low]
    grid = [{"v": v, "t": axis(_rounded(v, high - low))} for v in marks]
    text = {"type": "text", "baseline": "middle", "align": "right", "fontSize": 11, "color": INK}
    label = {"x": {"value": LEFT - 8}, "y": {"field": "v", **y}, "text": {"field": "t"}}
    line = {"x": {"value": LEFT}, "x2": {"value": WIDE - 8}, "y": {"field": "v", **y}}
    return y, [
        {"data": {"values": grid}, "mark": {"type": "rule", "color": RULE}, "encoding": line},
        {"data": {"values": grid}, "mark": text, "encoding": label},
    ]
