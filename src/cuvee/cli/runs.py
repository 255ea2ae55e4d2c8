"""Running a recipe from the command line, and showing what became of it."""

from pathlib import Path
from typing import Any

from cuvee.cli import GATE, progress, show
from cuvee.recipe import Run, run


def carry_out(
    recipe: Path, *, dry: bool = False, from_step: str | None = None, seed: int | None = None, json: bool = False
) -> int:
    """Run a recipe and show its steps, gates and files; the exit code."""
    with progress.drawn() as watch:
        done = run(recipe, dry=dry, from_step=from_step, seed=seed, watch=watch)
    if json:
        show.as_json(_as_json(done))
    elif dry:
        show.line(done.plan().rstrip())
    else:
        _show(done)
    return GATE if done.failed else 0


def _show(done: Run) -> None:
    steps = [
        {
            "step": s.name,
            "verb": s.verb,
            "gave": s.gave,
            "time": "unchanged, skipped" if s.skipped else f"{s.seconds:.1f} s",
        }
        for s in done.steps
    ]
    show.table(steps, ("step", "verb", "gave", "time"))
    for gate in done.gates:
        show.line(f"{'passed' if gate.passed else 'FAILED'}: {gate.sentence}")
    for written in done.written:
        show.line(f"written: {written}")


def _as_json(done: Run) -> dict[str, Any]:
    return {
        "steps": [
            {"name": s.name, "verb": s.verb, "gave": s.gave, "seconds": s.seconds, "skipped": s.skipped}
            for s in done.steps
        ],
        "gates": [
            {"name": g.name, "condition": g.condition, "passed": g.passed, "sentence": g.sentence} for g in done.gates
        ],
        "written": [str(w) for w in done.written],
    }
