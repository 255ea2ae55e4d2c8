"""A Vega-Lite spec as a small SVG for a page: no ids, no classes, no fonts, and runs of equal marks in one path."""

import json
import re
from collections.abc import Iterator
from typing import Any
from xml.etree.ElementTree import Element, fromstring

from markupsafe import Markup, escape

_SVG = "{http://www.w3.org/2000/svg}"
_KEPT = (
    "d",
    "fill",
    "stroke",
    "stroke-width",
    "stroke-dasharray",
    "fill-opacity",
    "opacity",
    "text-anchor",
    "font-size",
    "transform",
)
_SHIFT = re.compile(r"^translate\((-?[\d.e-]+),\s*(-?[\d.e-]+)\)$")
_FIGURE = re.compile(r"-?\d*\.\d+(?:e-?\d+)?")


def draw(spec: dict[str, Any], *, label: str, style: str = "chart") -> Markup:
    """The chart as an SVG element.

    Args:
        spec: A Vega-Lite spec.
        label: What the chart shows, for those who can't see it.
        style: CSS class of the element.
    """
    import vl_convert

    root = fromstring(vl_convert.vegalite_to_svg(json.dumps(spec), vl_version="5.20"))  # noqa: S314 (our own drawing)
    width, height = root.attrib["width"], root.attrib["height"]
    opening = f'<svg class="{style}" role="img" aria-label="{escape(label)}" viewBox="0 0 {width} {height}" '
    opening += f'style="--w:{width}px" fill="none">'
    return Markup(opening + "".join(_written(_runs(_leaves(root, (0.0, 0.0))))) + "</svg>")  # noqa: S704 (escaped here)


def _leaves(element: Element, shift: tuple[float, float]) -> Iterator[tuple[str, dict[str, str], str]]:
    """Every drawn mark as (tag, attributes, text), with the shifts of its groups gathered in one."""
    for child in element:
        tag = child.tag.removeprefix(_SVG)
        own = _SHIFT.match(child.attrib.get("transform", ""))
        at = (shift[0] + float(own[1]), shift[1] + float(own[2])) if own else shift
        if tag == "g":
            yield from _leaves(child, at)
        elif _drawn(tag, child):
            kept = {k: child.attrib[k] for k in _KEPT if k in child.attrib}
            if own:
                kept.pop("transform")
            yield tag, _placed(tag, kept, at, child), child.text or ""


def _drawn(tag: str, child: Element) -> bool:
    """Whether a mark can be seen."""
    if tag == "text":
        return bool(child.text)
    if tag not in {"path", "line"}:
        return False
    painted = {child.attrib.get("fill", "none"), child.attrib.get("stroke", "none")} - {"none", "transparent"}
    return bool(painted) and child.attrib.get("display") != "none"


def _placed(tag: str, kept: dict[str, str], at: tuple[float, float], child: Element) -> dict[str, str]:
    """The attributes of a mark with its place in them."""
    x, y = (_figure(v) for v in at)
    if tag == "text":
        kept = {k: v for k, v in kept.items() if (k, v) not in {("font-size", "11px"), ("fill", "currentColor")}}
        return {"x": x, "y": y, **kept}
    if tag == "line":
        to = [float(child.attrib.get(k, "0")) + shift for k, shift in zip(("x2", "y2"), at, strict=True)]
        return {"d": f"M{x},{y}L{_figure(to[0])},{_figure(to[1])}", **kept}
    kept["d"] = _FIGURE.sub(lambda m: _figure(float(m[0])), kept.get("d", ""))
    if (x, y) != ("0", "0"):
        kept["transform"] = f"translate({x},{y})"
    return kept


def _runs(marks: Iterator[tuple[str, dict[str, str], str]]) -> Iterator[tuple[str, dict[str, str], str]]:
    """Neighbouring paths that look the same, as one."""
    before: tuple[str, dict[str, str], str] | None = None
    for tag, attributes, text in marks:
        mark = ("text" if tag == "text" else "path", attributes, text)
        if before and mark[0] == "path" == before[0] and _look(attributes) == _look(before[1]):
            before = (before[0], {**before[1], "d": before[1]["d"] + attributes["d"]}, "")
            continue
        if before:
            yield before
        before = mark
    if before:
        yield before


def _look(attributes: dict[str, str]) -> dict[str, str]:
    return {k: v for k, v in attributes.items() if k != "d"}


def _written(marks: Iterator[tuple[str, dict[str, str], str]]) -> Iterator[str]:
    for tag, attributes, text in marks:
        inside = "".join(f' {k}="{escape(v)}"' for k, v in attributes.items())
        yield f"<{tag}{inside}>{escape(text)}</{tag}>" if tag == "text" else f"<{tag}{inside}/>"


def _figure(value: float) -> str:
    """One digit after the point is a tenth of a pixel."""
    return f"{round(value, 1):g}"
