"""The summary as one HTML page that needs no network and no script."""

from collections.abc import Mapping
from importlib.resources import files
from typing import Any, cast

import numpy as np
from markupsafe import Markup, escape

from cuvee.reporting.charts import CLASSES, column_chart, curve_chart, heat_chart, training_chart
from cuvee.reporting.evidence_charts import cloud_chart, tail_chart
from cuvee.reporting.simulated import events_of, outputs_of
from cuvee.reporting.svg import draw
from cuvee.reporting.verdict import METRICS, RULE, title
from cuvee.reporting.words import axis, figure, listed, number, percent, plain, plural, seconds, short

FIRST, DRAWN = 12, 40
"""Columns that are drawn at once, and at most; the rest stands in a table."""

_GRAPH = (760, 560)


def page(data: Mapping[str, Any]) -> str:
    """The page of a summary (see `summary.summarise`)."""
    ranked = sorted((c for c in data["columns"] if c["difference"] is not None), key=lambda c: -c["difference"])
    if data["declared"]:
        ranked = [c for c in data["columns"] if c["form"] != "hidden"]
    drawn = [(c, _column_figure(c)) for c in ranked[:DRAWN]]
    drivers = next((s for s in data["scores"] if s["name"] == "detection" and s["detail"]), None)
    return (
        _environment()
        .get_template("page.html.j2")
        .render(
            report=data,
            first=drawn[:FIRST],
            more=drawn[FIRST:],
            tabled=ranked[DRAWN:],
            worst=[] if data["declared"] else ranked[:10],
            hidden=[c for c in data["columns"] if c["form"] == "hidden"],
            heat=_heat_figure(data["pairs"]),
            clouds=_cloud_figures(data["projection"]),
            tail=_tail_figure(data["scores"]),
            drivers=drivers,
            driver_bars=_driver_bars(drivers),
            mixes=[(m, _curve_figure(m)) for m in data["mixes"]],
            simulations=[(s, outputs_of(s), events_of(s)) for s in data["simulations"]],
            trainings=[_training_figure(m["training"]) for m in data["models"]],
            blends=[(b, _graph_figure(b["graph"])) for b in data["blends"]],
            models=[(m, _graph_figure(m["graph"], directed=True)) for m in data["models"]],
            families=_families(data["scores"]),
            targets=next((s["detail"] for s in data["scores"] if s["name"] == "targets"), []),
        )
    )


def _environment() -> Any:
    """Jinja with every output escaped, cleaned of control characters, and every missing name an error."""
    from jinja2 import Environment, FunctionLoader, StrictUndefined

    folder = files("cuvee.reporting") / "templates"
    environment = Environment(
        loader=FunctionLoader(lambda name: (folder / name).read_text("utf-8")),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        finalize=_clean,
    )
    cast("dict[str, Any]", environment.filters).update({
        "axis": axis, "figure": figure, "listed": listed, "number": number, "percent": percent, "seconds": seconds,
        "short": short, "plural": plural, "metric": title, "ticks": _ticks, "cell": _cell,
    })  # fmt: skip
    cast("dict[str, Any]", environment.globals).update(
        {
            "style": Markup((folder / "style.css").read_text("utf-8")),  # noqa: S704 (our own file)
            "scale": scale,
            "rule": RULE,
            "metrics": METRICS,
            "heat_bounds": CLASSES,
        }
    )
    return environment


def _clean(value: Any) -> Any:
    """What is about to be written: text without control characters; markup of our own stays."""
    return value if isinstance(value, Markup) or not isinstance(value, str) else plain(value)


def _ticks(text: str) -> Markup:
    """Text in which what stands between backticks is set as a name."""
    parts = [escape(plain(part)) for part in text.split("`")]
    if len(parts) % 2 == 0:
        return Markup("`").join(parts)
    named = [Markup('<span class="name">{}</span>').format(p) if i % 2 else p for i, p in enumerate(parts)]
    return Markup("").join(named)


def _cell(value: Any) -> str:
    """A cell of a table of details: figures short, lists joined, anything else as it is."""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if value is None or isinstance(value, (int, float)):
        return number(value)
    return " × ".join(str(v) for v in value) if isinstance(value, list) else str(value)


def scale(score: Mapping[str, Any]) -> dict[str, Any] | None:
    """Where floor, value, ceiling and interval stand on a line from 0 to 100 on which right is always better.

    None where the score has no value. The line runs from the floor (or the worst figure that can be expected) to the
    ceiling (or the best figure).
    """
    if score["value"] is None:
        return None
    best = float(score["best"])
    inner = [
        float(v)
        for v in (score["value"], score["floor"], score["ceiling"], *(score["interval"] or ()))
        if v is not None
    ]
    worst = max(inner, key=lambda v: abs(v - best))
    if score["floor"] is None:
        worst = _usual_worst(best, worst)
    elif score["ceiling"] is not None:  # floor and ceiling are the ends, unless something lies beyond
        best = min(inner, key=lambda v: abs(v - best))
    if worst == best:
        return {"value": 50.0, "floor": None, "ceiling": None, "low": 50.0, "high": 50.0}

    def place(value: float | None) -> float | None:
        return None if value is None else round(min(100.0, max(0.0, 100 * (value - worst) / (best - worst))), 1)

    ends = [place(float(v)) for v in (score["interval"] or (score["value"], score["value"]))]
    low, high = sorted(e for e in ends if e is not None)
    return {
        "value": place(score["value"]),
        "floor": place(score["floor"]),
        "ceiling": place(score["ceiling"]),
        "low": low,
        "high": high,
    }


def _usual_worst(best: float, farthest: float) -> float:
    """The other end of the line where there is no floor: a share of 1 falls to 0, a detector's 0.5 rises to 1."""
    if best == 1.0 and 0 <= farthest <= 1:
        return 0.0
    if best == 0.5 and 0 <= farthest <= 1:
        return 1.0
    return farthest + 0.15 * (farthest - best)


def _families(scores: list[Mapping[str, Any]]) -> dict[str, list[Mapping[str, Any]]]:
    return {f: [s for s in scores if s["family"] == f] for f in ("fidelity", "utility", "privacy", "usual")}


def _column_figure(column: Mapping[str, Any]) -> Markup | None:
    if column["nulls"][0] is None:
        return _lone_figure(column)
    spec = column_chart(column)
    if spec is None:
        return None
    nulls = (
        f" Nulls: {percent(column['nulls'][0])} real, {percent(column['nulls'][1])} synthetic."
        if any(column["nulls"])
        else ""
    )
    form = "bins" if column["form"] == "bins" else "categories"
    label = f"Shares of rows in {len(column['bars'])} {form} of {short(column['column'], 60)}, real and synthetic."
    return draw(spec, label=f"{label} They differ by {percent(column['difference'])}.{nulls}")


def _lone_figure(column: Mapping[str, Any]) -> Markup | None:
    """A column of which only the synthetic side is known: filled, in its own colour."""
    bars = [dict(b, real=b["synthetic"]) for b in column["bars"]]
    spec = column_chart(dict(column, bars=bars, nulls=[column["nulls"][1]] * 2))
    if spec is None:
        return None
    label = f"Shares of synthetic rows in {len(bars)} bins or categories of {short(column['column'], 60)}."
    return Markup(draw(spec, label=label).replace("var(--real)", "var(--heat2)"))  # noqa: S704 (our own drawing)


def _heat_figure(pairs: Mapping[str, Any] | None) -> Markup | None:
    if pairs is None:
        return None
    names = pairs["names"]
    difference = np.zeros((len(names), len(names)))
    for i, row in enumerate(pairs["difference"]):
        difference[i, :i] = row
    worst = pairs["worst"][0]
    label = (
        f"Heat map of {len(names)} columns: by how much the association of each pair differs. Largest: "
        f"{short(worst['left'], 40)} with {short(worst['right'], 40)}, {number(worst['difference'])}."
    )
    return draw(heat_chart(names, difference), label=label, style="chart wide")


def _cloud_figures(projection: Mapping[str, Any] | None) -> list[tuple[str, Markup]]:
    """One plane for each side."""
    if projection is None:
        return []
    most = max((share for side in projection["sides"] for *_, share in side["shares"]), default=1.0)
    axes = " and ".join(listed([short(c, 30) for c in names], 3) for names in projection["axes"])
    return [
        (
            side["name"],
            draw(
                cloud_chart(side, projection["cells"], most),
                label=f"Where {side['name']} rows lie on the plane of {axes}: {len(side['shares'])} cells.",
            ),
        )
        for side in projection["sides"]
    ]


def _tail_figure(scores: list[Mapping[str, Any]]) -> Markup | None:
    """The distances of the nearest rows, of the score that tells them."""
    rows = [r for s in scores if s["name"] == "near_copies" for r in s["detail"] if "share" in r and "holdout" in r]
    if len(rows) < 3:
        return None
    label = "Distance to the nearest training row, from the nearest thousandth of rows to half of them."
    return draw(tail_chart(rows), label=label, style="chart curve")


def _curve_figure(mix: Mapping[str, Any]) -> Markup | None:
    points = [p for p in mix["curve"] if p.get("value") is not None and p.get("share") is not None]
    if len(points) < 2:
        return None
    label = f"Quality by share of synthetic rows, from {percent(points[0]['share'])} to {percent(points[-1]['share'])}."
    return draw(curve_chart(points, mix["share"]), label=label, style="chart curve")


def _training_figure(training: list[Mapping[str, Any]]) -> Markup | None:
    """The curve of a training; none where it had fewer than two epochs whose score is known."""
    points = [{"epoch": float(p["epoch"]), "held": float(p["held"])} for p in training if p["held"] is not None]
    if len(points) < 2:
        return None
    kept = next((int(p["epoch"]) for p in training if p["kept"]), None)
    label = f"Score on held-out rows over {len(training)} epochs, from {number(points[0]['held'])} to "
    return draw(training_chart(points, kept), label=f"{label}{number(points[-1]['held'])}.", style="chart curve")


def _driver_bars(drivers: Mapping[str, Any] | None) -> list[tuple[str, float, float]]:
    """Columns that give synthetic rows away: name, importance, and width of the bar in percent."""
    if drivers is None:
        return []
    rows = [(_cell(r.get("column") or r.get("columns") or ""), _weight(r)) for r in drivers["detail"]]
    kept = [(name, w) for name, w in rows if name and w > 0][:10]
    largest = max((w for _, w in kept), default=1.0)
    return [(name, w, round(100 * w / largest, 1)) for name, w in kept]


def _weight(row: Mapping[str, Any]) -> float:
    return float(next((row[k] for k in ("importance", "value", "share", "difference") if row.get(k) is not None), 0.0))


def _graph_figure(graph: Mapping[str, Any], *, directed: bool = False) -> dict[str, Any] | None:
    """The drawing in pixels: paths of edges from faint to strong, nodes, and labels on the side where there is room."""
    drawing = graph["drawing"]
    if drawing is None:
        return None
    width, height = _GRAPH
    spots = [(40 + n["x"] * (width - 130), 24 + n["y"] * (height - 48)) for n in drawing["nodes"]]
    strokes: list[dict[str, Any]] = []
    for bound, thickness, opacity in ((0.15, 0.6, 0.25), (0.4, 0.9, 0.4), (0.7, 1.5, 0.55), (9.0, 2.4, 0.7)):
        below = strokes[-1]["bound"] if strokes else -1.0
        lines = [(spots[e["from"]], spots[e["to"]]) for e in drawing["edges"] if below < e["weight"] <= bound]
        path = "".join(f"M{a[0]:.0f},{a[1]:.0f}L{b[0]:.0f},{b[1]:.0f}" for a, b in lines)
        strokes.append({"bound": bound, "width": thickness, "opacity": opacity, "d": path})
    nodes = [
        {"x": round(x, 1), "y": round(y, 1), "r": round(2.4 + 9.6 * n["size"], 1)}
        | {"kind": n["kind"], "label": n["label"], "side": n["side"]}
        for (x, y), n in zip(spots, drawing["nodes"], strict=True)
    ]
    ends = [(nodes[e["from"]], nodes[e["to"]]) for e in drawing["edges"]] if directed else []
    return {
        "width": width,
        "height": height,
        "strokes": [s for s in strokes if s["d"]],
        "heads": "".join(_head(a, b) for a, b in ends),
        "nodes": nodes,
    }


def _head(start: Mapping[str, Any], end: Mapping[str, Any]) -> str:
    """The path of an arrow head where an edge meets the node that it leads to."""
    x, y = end["x"] - start["x"], end["y"] - start["y"]
    length = max(float(np.hypot(x, y)), 1e-9)
    x, y = x / length, y / length
    tip = (end["x"] - x * (end["r"] + 1), end["y"] - y * (end["r"] + 1))
    back = (tip[0] - 8 * x, tip[1] - 8 * y)
    sides = [(back[0] - s * 3 * y, back[1] + s * 3 * x) for s in (-1, 1)]
    return "M" + "L".join(f"{a:.1f},{b:.1f}" for a, b in (tip, *sides)) + "Z"
