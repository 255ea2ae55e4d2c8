"""Values as people write them on the command line."""

from collections.abc import Sequence
from typing import Any

from cuvee.data.errors import CuveeError


def plain_value(text: str) -> Any:
    """Text as it is, or, where it begins with a brace, the mapping that it is in YAML.

    >>> plain_value("{follows: b, from: [a]}")
    {'follows': 'b', 'from': ['a']}

    Raises:
        CuveeError: It begins with a brace and is no mapping.
    """
    if not text.lstrip().startswith("{"):
        return text
    import yaml

    try:
        found = yaml.safe_load(text)
    except yaml.YAMLError as error:
        raise CuveeError(f"{text!r} can't be read. Write it such as {{follows: b, from: [a]}}.") from error
    if not isinstance(found, dict):
        raise CuveeError(f"{text!r} can't be read. Write it such as {{follows: b, from: [a]}}.")
    return found


def shares(said: Sequence[str]) -> dict[str, Any] | None:
    """What is asked of shares, out of texts such as "fraud=yes:0.5,no:0.5" and "sex=equal"; None for nothing.

    >>> shares(["fraud=yes:0.5,no:0.5", "sex=equal"])
    {'fraud': {'yes': 0.5, 'no': 0.5}, 'sex': 'equal'}

    Raises:
        CuveeError: One can't be read.
    """
    found: dict[str, Any] = {}
    for text in said:
        column, equals, rest = text.partition("=")
        if not equals or not rest.strip():
            raise CuveeError(f"{text!r} can't be read. Write shares such as fraud=yes:0.5,no:0.5 or sex=equal.")
        found[column.strip()] = "equal" if rest.strip() == "equal" else dict(_share(p, text) for p in rest.split(","))
    return found or None


def _share(part: str, text: str) -> tuple[str, float]:
    value, _, share = part.rpartition(":")
    try:
        return value.strip(), float(share if value else "none")
    except ValueError as error:
        raise CuveeError(f"{part!r} of {text!r} is no share. Write it such as yes:0.5.") from error


def fairness(said: str | None) -> dict[str, Any] | None:
    """What is to be fair, out of text such as "income:sex,race".

    >>> fairness("income:sex,race")
    {'target': 'income', 'groups': ['sex', 'race']}

    Raises:
        CuveeError: It can't be read.
    """
    if said is None:
        return None
    target, colon, groups = said.partition(":")
    if not colon or not groups.strip():
        raise CuveeError(f"{said!r} can't be read. Write the target and the groups such as income:sex,race.")
    return {"target": target.strip(), "groups": [g.strip() for g in groups.split(",")]}
