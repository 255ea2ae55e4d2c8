"""Values as people write them on the command line."""

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
