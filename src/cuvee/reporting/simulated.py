"""Simulations in a report: their figures by output, and their drawings."""

from collections.abc import Mapping
from typing import Any

from markupsafe import Markup

from cuvee.reporting.risk_charts import convergence_chart, fan_chart, indices_chart, spread_chart, tornado_chart
from cuvee.reporting.svg import draw
from cuvee.reporting.words import number, short
from cuvee.simulation.value import Simulation


def simulation_summary(name: str, done: Simulation) -> dict[str, Any]:
    """A simulation as JSON values: all but its draws."""
    return {"name": name, **done.summary()}


def outputs_of(told: Mapping[str, Any]) -> list[dict[str, Any]]:
    """The outputs of a simulation with their figures by measure, and their drawings."""
    return [_output(told, name, side) for name, side in told["sides"].items()]


def events_of(told: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    """The probabilities of events."""
    return [r for r in told["risk"] if r["measure"] == "probability"]


def _output(told: Mapping[str, Any], name: str, side: str) -> dict[str, Any]:
    own = {part: [r for r in told[part] if r["output"] == name] for part in _PARTS}
    figures = {(r["measure"], r["level"]): r for r in own["risk"] if r["measure"] != "probability"}
    levels = sorted(level for measure, level in figures if measure == "VaR")
    moved = [r for r in own["swings"] if None not in (r["at_low"], r["at_median"], r["at_high"])]
    moved = [r for r in moved if r["at_low"] != r["at_high"]]
    quantiles = sorted(level for measure, level in figures if measure == "quantile")
    return {
        "name": name,
        "side": side,
        "mean": figures["mean", None],
        "sd": figures["sd", None],
        "quantiles": [figures["quantile", level] for level in quantiles],
        "tails": [{"level": level, "var": figures["VaR", level], "es": figures.get(("ES", level))} for level in levels],
        "spread": _spread(own["bins"], figures, levels, name, side),
        "fan": _fan(own["fan"], name),
        "convergence": _convergence(own["convergence"], name),
        "tornado": _tornado(moved, name),
        "indices": _indices(own["sensitivity"], name),
    }


_PARTS = ("risk", "bins", "fan", "convergence", "swings", "sensitivity")


def _spread(bins: list[Any], figures: Mapping[Any, Any], levels: list[float], name: str, side: str) -> Markup | None:
    if not bins:
        return None
    sign = 1 if side == "loss" else -1
    marks = [("mean", float(figures["mean", None]["value"]))]
    marks += [(f"VaR {100 * v:g} %", sign * float(figures["VaR", v]["value"])) for v in levels[:1]]
    said = "; ".join(f"{label} at {number(value)}" for label, value in marks)
    return draw(spread_chart(bins, marks), label=f"Spread of the draws of {short(name, 60)}: {said}.")


def _fan(fan: list[Any], name: str) -> Markup | None:
    if not fan:
        return None
    last = [r for r in fan if r["step"] == fan[-1]["step"]]
    said = f"at the last step from {number(last[0]['value'])} to {number(last[-1]['value'])}"
    label = f"Fan of {short(name, 60)} by step: median, middle half and 90 %; {said}."
    return draw(fan_chart(fan), label=label, style="chart curve")


def _convergence(points: list[Any], name: str) -> Markup | None:
    if len(points) < 2:
        return None
    label = f"Mean of {short(name, 60)} with its 95 % interval by number of draws, up to {points[-1]['draws']:,}."
    return draw(convergence_chart(points), label=label, style="chart curve")


def _tornado(swings: list[Any], name: str) -> Markup | None:
    if not swings:
        return None
    widest = max(swings, key=lambda r: abs(r["at_high"] - r["at_low"]))
    said = f"{short(widest['variable'], 40)}, from {number(widest['at_low'])} to {number(widest['at_high'])}"
    label = f"Tornado of {short(name, 60)}: one variable at a time; widest is {said}."
    return draw(tornado_chart(swings), label=label)


def _indices(rows: list[Any], name: str) -> Markup | None:
    if not rows or all(r["total"] <= 0 for r in rows):
        return None
    largest = max(rows, key=lambda r: r["total"])
    said = f"{short(largest['factor'], 40)}, {number(largest['total'])}"
    label = f"Sobol indices of {short(name, 60)}; largest total: {said}."
    return draw(indices_chart(rows), label=label)
