"""Charts of the evidence: where rows lie, and how near the nearest of them come to training rows."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from cuvee.reporting.charts import INK, REAL, RULE, SYNTHETIC, Spec, ground, tick_labels, whole
from cuvee.reporting.words import axis, percent

SHADES = (0.18, 0.34, 0.5, 0.66, 0.82, 1.0)
"""Opacities of cells, from few rows to many."""


def cloud_chart(side: Mapping[str, Any], cells: Sequence[int], most: float) -> Spec:
    """The cells of one side, the darker the more rows.

    Args:
        side: `shares` as [column, row, share] (see `projection.project`).
        cells: Cells across and up.
        most: The share of the fullest cell of all sides.
    """
    size = 8
    width, height = cells[0] * size, cells[1] * size
    colour = REAL if side["name"] == "real" else SYNTHETIC
    levels: dict[int, list[dict[str, float]]] = {}
    for x, y, share in side["shares"]:
        level = min(len(SHADES) - 1, int(np.sqrt(share / most) * len(SHADES)))
        box = {"a": x * size, "b": x * size + size - 1, "c": height - y * size - size, "d": height - y * size - 1}
        levels.setdefault(level, []).append(box)

    def scale(end: int) -> Spec:
        span = [0, end]
        return {"type": "quantitative", "axis": None, "scale": {"domain": span, "range": span, "nice": False}}

    x, y = scale(width), scale(height)
    box = {"x": {"field": "a", **x}, "x2": {"field": "b"}, "y": {"field": "c", **y}, "y2": {"field": "d"}}
    layers: list[Spec] = [
        {
            "data": {"values": boxes},
            "mark": {"type": "rect", "color": colour, "opacity": SHADES[level]},
            "encoding": box,
        }
        for level, boxes in sorted(levels.items())
    ]
    return whole(width, height, [*layers, ground(height)])


def tail_chart(points: Sequence[Mapping[str, float]]) -> Spec:
    """How near the nearest rows come to a training row: distances of holdout rows (filled) and of synthetic ones.

    Args:
        points: `share` (of rows that are at least as near, ascending and above 0), `holdout` and `synthetic` (the
            distance there, in units in which a column adds at most 1 to the square).
    """
    width, height, left = 440, 170, 44
    ends = (float(points[0]["share"]), float(points[-1]["share"]))
    top = max(float(p[k]) for p in points for k in ("holdout", "synthetic")) or 1.0
    x: Spec = {
        "type": "quantitative",
        "axis": None,
        "scale": {"type": "log", "domain": list(ends), "range": [left, width - 8], "nice": False},
    }
    y: Spec = {"type": "quantitative", "axis": None, "scale": {"domain": [0, top], "range": [height, 0], "nice": False}}
    at = {"x": {"field": "share", **x}}
    grid = [{"v": v, "t": axis(round(v, 3))} for v in np.linspace(0, top, 3).tolist()]
    shares = [s for s in (0.001, 0.01, 0.1, 0.5) if ends[0] <= s <= ends[1]]
    text = {"type": "text", "baseline": "middle", "align": "right", "fontSize": 11, "color": INK}
    here = {"x": {"value": left - 8}, "y": {"field": "v", **y}, "text": {"field": "t"}}
    line = {"type": "line", "color": SYNTHETIC, "strokeWidth": 1.8}
    spread = np.log([ends[0], ends[1]])
    labels: list[Spec] = []
    for share in shares:  # on a logarithmic axis the ends are where their logarithms are
        place = float((np.log(share) - spread[0]) / max(spread[1] - spread[0], 1e-9))
        labels += tick_labels([{"x": share, "label": percent(share)}], x, (share - place, share - place + 1), height)
    layers: list[Spec] = [
        {"data": {"values": grid}, "mark": {"type": "rule", "color": RULE}, "encoding": {"y": {"field": "v", **y}}},
        {"data": {"values": grid}, "mark": text, "encoding": here},
        {
            "data": {"values": [{"share": p["share"], "v": p["holdout"], "z": 0} for p in points]},
            "mark": {"type": "area", "color": REAL, "opacity": 0.6},
            "encoding": {**at, "y": {"field": "v", **y}, "y2": {"field": "z"}},
        },
        {
            "data": {"values": [{"share": p["share"], "v": p["synthetic"]} for p in points]},
            "mark": line,
            "encoding": {**at, "y": {"field": "v", **y}},
        },
        *labels,
    ]
    return whole(width, height, layers, bottom=20)
