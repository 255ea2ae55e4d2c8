"""Keys: the content hash of a step is that of its spec, the keys of its inputs, its seed and the version of cuvee."""

import hashlib
import json
from collections.abc import Mapping
from typing import Any

import cuvee
from cuvee.recipe.steps import Step


def canonical(value: Any) -> str:
    """Plain values as one JSON text: the same for the same values, whatever the machine."""
    return json.dumps(value, separators=(",", ":"), ensure_ascii=False, allow_nan=False)


def key_of(what: Mapping[str, Any]) -> str:
    """The content hash of plain values and of the version of cuvee."""
    return hashlib.sha256(canonical({**what, "cuvee": cuvee.__version__}).encode()).hexdigest()


def parents(step: Step) -> tuple[str, ...]:
    """The sources and steps that a step refers to, in order."""
    return tuple(dict.fromkeys(reference.name.partition(".")[0] for reference in step.references().values()))
