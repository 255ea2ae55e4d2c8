"""The report as a value: HTML for people, JSON for machines, Markdown for a comment."""

import json
import os
from collections.abc import Mapping
from dataclasses import dataclass
from html import escape
from pathlib import Path
from typing import Any

from cuvee.data.errors import SourceError
from cuvee.reporting.markdown import markdown
from cuvee.reporting.verdict import title
from cuvee.reporting.words import figure, plain, short

_TONES = {"pass": "#1d6b48", "part": "#8a5a00", "fail": "#a3261c", "none": "#68707b"}


@dataclass(frozen=True, slots=True)
class Report:
    """One report.

    Attributes:
        html: The page: one file that loads nothing and runs no script.
        data: What the page shows, as JSON values; see `reporting.summary`.
    """

    html: str
    data: Mapping[str, Any]

    def save(self, path: str | Path) -> None:
        """Write the page, and beside it the same name with `.json`; a path ending in .json or .md writes just that.

        Each file is written beside first and then moved into place.

        Raises:
            SourceError: It can't be written there.
        """
        target = Path(path)
        texts = {".json": self.to_json, ".md": self.to_markdown}
        if target.suffix.lower() in texts:
            _write(target, texts[target.suffix.lower()]())
            return
        _write(target, self.html)
        _write(target.with_suffix(".json"), self.to_json())

    def to_json(self) -> str:
        """What the page shows, as JSON; NaN never occurs."""
        return json.dumps(self.data, indent=1, allow_nan=False, ensure_ascii=False) + "\n"

    def to_markdown(self) -> str:
        """The verdict, the figures and the largest differences, as Markdown."""
        return markdown(self.data)

    def __repr__(self) -> str:
        answers = ", ".join(f"{a['question']} {a['word']}" for a in self.data["verdict"])
        title = short(self.data["title"], 60)
        return f"Report({title}{': ' + answers if answers else ''}, {len(self.html) / 1e3:,.0f} kB)"

    def _repr_html_(self) -> str:
        """The verdict and the figures for a notebook; the page itself is saved with `save`."""
        head = f"<h3>{_text(short(self.data['title'], 120))}</h3>"
        answers = "".join(
            f'<p><b style="color:{_TONES[a["state"]]}">{_text(a["question"])} {_text(a["word"])}.</b> '
            f"{_text(a['sentence'])}</p>"
            for a in self.data["verdict"]
        )
        rows = "".join(
            f"<tr><th>{_text(title(s['name']))}</th><td>{figure(s['value'])}</td><td>{figure(s['floor'])}</td>"
            f"<td>{figure(s['ceiling'])}</td><td>{_text(short(s['verdict'], 200))}</td></tr>"
            for s in self.data["scores"]
        )
        columns = "".join(f"<th>{c}</th>" for c in ("Figure", "Synthetic", "Floor", "Real", ""))
        table = f"<table><thead><tr>{columns}</tr></thead><tbody>{rows}</tbody></table>" if rows else ""
        return f"<div>{head}{answers}{table}<p>The whole report: <code>report.save('report.html')</code></p></div>"


def _text(value: str) -> str:
    return escape(plain(value))


def _write(target: Path, text: str) -> None:
    """The text in the file, or the file as it was."""
    beside = target.with_name(f".{target.name}.{os.getpid()}.part")
    try:
        with beside.open("w", encoding="utf-8", newline="\n") as file:
            file.write(text)
        beside.replace(target)
    except OSError as error:
        beside.unlink(missing_ok=True)
        raise SourceError(f"The report can't be written to {target}: {error.strerror or error}.") from error
