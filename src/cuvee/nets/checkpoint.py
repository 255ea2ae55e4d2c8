"""A training on disk: one safetensors file of weights and optimisers, with all else as JSON in its header."""

import json
import os
from collections.abc import Mapping, Sequence
from hashlib import sha256
from pathlib import Path
from secrets import token_hex
from typing import TYPE_CHECKING, Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save as to_bytes
from torch import Tensor

from cuvee.data.errors import ModelError
from cuvee.nets.plan import Schedule

if TYPE_CHECKING:
    from cuvee.nets.run import Hand

FORMAT = "cuvee-training-1"


def identity(hands: "Sequence[Hand]", schedule: Schedule, rows: int, generator: torch.Generator) -> str:
    """Text that is another one for another training: other weights to begin with, rows, seed or schedule."""
    digest = sha256(repr((schedule.epochs, schedule.batch, schedule.rate, schedule.decay, rows)).encode())
    for hand in hands:
        digest.update(repr((hand.learner.name, hand.learner.every, hand.learner.rate)).encode())
        for weight in hand.weights:
            digest.update(weight.detach().cpu().numpy().tobytes())
    digest.update(generator.get_state().numpy().tobytes())
    return digest.hexdigest()


def save(
    path: Path, identity: str, hands: "Sequence[Hand]", generator: torch.Generator, told: Mapping[str, Any]
) -> None:
    """Write the training at the end of an epoch, beside first and then moved into place; only its owner may read it.

    Raises:
        ModelError: It can't be written there.
    """
    tensors: dict[str, Tensor] = {"generator": generator.get_state()}
    groups: list[Any] = []
    for k, hand in enumerate(hands):
        for part in ("weights", "average", "kept"):
            tensors |= {f"{k}.{part}.{j}": w.detach().contiguous() for j, w in enumerate(getattr(hand, part))}
        state = hand.optimiser.state_dict()["state"]
        tensors |= {f"{k}.optimiser.{j}.{name}": value for j, own in state.items() for name, value in own.items()}
        groups.append(hand.updates)
    header = {FORMAT: json.dumps({"identity": identity, "updates": groups, "told": dict(told)})}
    beside = path.with_name(f".{path.name}.{token_hex(4)}.part")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with os.fdopen(os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as stream:
            stream.write(to_bytes(tensors, metadata=header))
        beside.replace(path)
    except OSError as error:
        raise ModelError(f"The checkpoint {path} can't be written: {error.strerror}.") from error
    finally:
        beside.unlink(missing_ok=True)


def opened(path: Path, identity: str, hands: "Sequence[Hand]", generator: torch.Generator) -> Mapping[str, Any] | None:
    """Put the training of a checkpoint in the place of these, where it is of this very training; what it told.

    Returns:
        None where there is none, or one of another training.

    Raises:
        ModelError: The file is no checkpoint, so it is not overwritten.
    """
    if not path.exists():
        return None
    try:
        with safe_open(path, framework="pt") as content:
            header = json.loads((content.metadata() or {})[FORMAT])
            tensors = {name: content.get_tensor(name) for name in content.keys()}  # noqa: SIM118 (it is no mapping)
    except (SafetensorError, OSError, LookupError, ValueError) as error:
        raise ModelError(
            f"{path} is not the checkpoint of a training. Remove it, or give another file for the checkpoint."
        ) from error
    if header["identity"] != identity:
        return None
    for k, hand in enumerate(hands):
        with torch.no_grad():
            for part in ("weights", "average", "kept"):
                for j, weight in enumerate(getattr(hand, part)):
                    weight.copy_(tensors[f"{k}.{part}.{j}"])
        state: dict[int, dict[str, Tensor]] = {}
        for name, value in tensors.items():
            if name.startswith(f"{k}.optimiser."):
                _, _, j, own = name.split(".")
                state.setdefault(int(j), {})[own] = value
        hand.optimiser.load_state_dict({"state": state, "param_groups": hand.optimiser.state_dict()["param_groups"]})
        hand.updates = int(header["updates"][k])
    generator.set_state(tensors["generator"])
    return header["told"]
