"""The short form of a report as Markdown, for a comment under a change."""

import re
from collections.abc import Mapping
from typing import Any

from cuvee.reporting.verdict import title
from cuvee.reporting.words import figure, number, percent, short
from cuvee.simulation.value import figure_name

_SPECIAL = re.compile(r"([\\`*_{}\[\]()<>#+!|~&@-])")
_MARKS = {"pass": "✓", "part": "△", "fail": "✗", "none": "–"}


def markdown(data: Mapping[str, Any]) -> str:
    """Verdict, figures and the largest differences; every text from outside is escaped."""
    lines = [f"# {_text(data['title'], 120)}", ""]
    for a in data["verdict"]:
        lines += [
            f"**{_text(a['question'])} {_MARKS[a['state']]} {_text(a['word'])}.** {_text(a['sentence'], 400)}",
            "",
        ]
    if data["scores"]:
        lines += ["| Figure | Synthetic | 95 % interval | Floor | Real | |", "|---|--:|--:|--:|--:|---|"]
        lines += [_score_row(s) for s in data["scores"]] + [""]
    worst = sorted((c for c in data["columns"] if c["difference"] is not None), key=lambda c: -c["difference"])[:5]
    if worst:
        lines += ["| Column | Differs by |", "|---|--:|"]
        lines += [f"| {_text(c['column'], 60)} | {percent(c['difference'])} |" for c in worst] + [""]
    proofs = [c for model in data["models"] for c in model.get("constraints", [])]
    if proofs:
        lines += ["| Constraint | Rows checked | Broken in | How it is kept |", "|---|--:|--:|---|"]
        lines += [f"| {_text(c['constraint'], 120)} | {c['rows']:,} | {c['broken']:,} | {c['how']} |" for c in proofs]
        lines += [""]
    for told in data["simulations"]:
        lines += ["| Figure | Value | 95 % interval |", "|---|--:|--:|"]
        lines += [_risk_row(r) for r in told["risk"]] + [""]
        lines += [f"* {_text(note, 400)}" for note in told["notes"]] + [""]
    return "\n".join(lines)


def _risk_row(row: Mapping[str, Any]) -> str:
    interval = "–" if row["low"] is None else f"{number(row['low'])} to {number(row['high'])}"
    return f"| {_text(figure_name(row))} | {number(row['value'])} | {interval} |"


def _score_row(score: Mapping[str, Any]) -> str:
    interval = " to ".join(figure(v) for v in score["interval"]) if score["interval"] else "–"
    figures = " | ".join((figure(score["value"]), interval, figure(score["floor"]), figure(score["ceiling"])))
    return f"| {_text(title(score['name']))} | {figures} | {_text(score['verdict'], 300)} |"


def _text(value: str, length: int = 80) -> str:
    return _SPECIAL.sub(r"\\\1", short(value, length))
