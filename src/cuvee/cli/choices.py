"""What can be chosen by name, for `cuvee models`."""

from typing import Any

from cuvee.data.errors import CuveeError
from cuvee.registry import Group, entries, find

ABILITIES = {
    "log_prob": "log_prob",
    "log_prob_cells": "log_prob_cells",
    "update": "update",
    "sample_asked": "given",
}
"""What a model may be able to do beside sampling, by the name of the method: how it is called."""


def choices(group: Group) -> list[dict[str, Any]]:
    """Each choice of a group: its name, what it is and handles, and what it needs."""
    rows: list[dict[str, Any]] = []
    for name, entry in entries(group).items():
        needs = f"cuvee[{entry.extra}]" if entry.extra else ""
        row = {"name": name, "what": entry.says, "handles": entry.kinds, "needs": needs}
        if group == "synthesizers":
            row["can"] = " ".join(_abilities(name))
        rows.append(row | {"endings": " ".join(entry.endings)})
    return rows


def _abilities(name: str) -> list[str]:
    """What models of a synthesizer can do beside sampling, and whether it keeps a time budget."""
    from cuvee.core import Learned

    try:
        kind = find("synthesizers", name)
    except CuveeError:  # its extra is not installed
        return []
    able = [says for a, says in ABILITIES.items() if getattr(kind.learned, a) is not getattr(Learned, a)]
    return [*able, "time_budget"] if "time_budget" in kind.model_fields else able
