"""The documentation is run: its Python and its commands, in order, page by page, in a folder with the demo's data."""

import contextlib
import io
import re
import shlex
from pathlib import Path

import pytest

from cuvee.cli import call
from cuvee.cli.further import app
from cuvee.demo import unpack
from cuvee.registry import REGISTRY

ROOT = Path(__file__).parents[1]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
BLOCK = re.compile(r"^```(python|console)\n(.*?)^```", re.MULTILINE | re.DOTALL)


def blocks(page: Path) -> list[tuple[str, str]]:
    """The code blocks of a page that are run: (language, text). A block after `<!-- not run -->` is not."""
    text = page.read_text("utf-8")
    return [(m[1], m[2]) for m in BLOCK.finditer(text) if not text[: m.start()].rstrip().endswith("<!-- not run -->")]


@pytest.mark.parametrize("page", [p for p in PAGES if blocks(p)], ids=lambda p: p.stem)
def test_code_of_a_page_runs(page, tmp_path, monkeypatch):
    unpack(tmp_path)
    monkeypatch.chdir(tmp_path)
    names: dict[str, object] = {}
    for language, text in blocks(page):
        if language == "python":
            exec(compile(text, str(page), "exec"), names)  # noqa: S102 (our own pages)
            continue
        for line in text.splitlines():
            if line.startswith("$ cuvee "):
                words = shlex.split(line.removeprefix("$ cuvee "), comments=True)
                with contextlib.redirect_stdout(io.StringIO()) as shown:
                    code = call(words)
                assert code == 0, f"{page.name}: {line} left with {code}\n{shown.getvalue()}"


def test_every_choice_has_words_in_the_docs():
    text = "\n".join(p.read_text("utf-8") for p in PAGES)
    missing = [f"{group} {name}" for group, entries in REGISTRY.items() for name in entries if f"`{name}`" not in text]
    assert not missing


def test_every_command_has_words_in_the_docs():
    text = "\n".join(p.read_text("utf-8") for p in PAGES)
    commands = [c for c in app if not c.startswith("-")]
    assert commands
    assert not [c for c in commands if f"cuvee {c}" not in text]


def test_links_between_pages_lead_somewhere():
    broken = [
        f"{page.name}: {target}"
        for page in [*PAGES, *(ROOT / n for n in ("ARCHITECTURE.md", "CONTRIBUTING.md", "CHANGELOG.md"))]
        for target in re.findall(r"\]\(([^)#]+)[^)]*\)", page.read_text("utf-8"))
        if not target.startswith("http") and not (page.parent / target).exists()
    ]
    assert not broken
