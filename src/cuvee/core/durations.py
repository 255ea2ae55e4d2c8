"""Durations as a person writes them."""

import math
import re
from typing import Any

from cuvee.data.errors import CuveeError

UNITS = {"s": 1.0, "m": 60.0, "h": 3600.0}
_DURATION = re.compile(r"(\d+(?:\.\d+)?)\s*(s|m|h)")


def seconds_of(value: Any, *, what: str = "time_budget") -> float:
    """Seconds of a duration: a number of seconds, or text such as "60s", "5m" or "1h".

    >>> seconds_of("1.5m"), seconds_of(20)
    (90.0, 20.0)

    Raises:
        CuveeError: It is no duration, or none that is longer than nothing.
    """
    found = _DURATION.fullmatch(value.strip()) if isinstance(value, str) else None
    if found is not None:
        seconds = float(found[1]) * UNITS[found[2]]
    elif isinstance(value, (int, float)) and not isinstance(value, bool):
        seconds = float(value)
    else:
        seconds = 0.0
    if not (seconds > 0 and math.isfinite(seconds)):
        raise CuveeError(f"{what} is {value!r}; it must be a duration with its unit, such as 60s, 5m or 1h.")
    return seconds
