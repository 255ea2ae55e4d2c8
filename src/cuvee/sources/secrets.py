"""Secrets come from the environment only, and appear in no message."""

import os
import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Annotated
from urllib.parse import quote, unquote

from pydantic import AfterValidator

from cuvee.data.errors import SourceError

_NAME = re.compile(r"\$\{([^}]*)\}")
_USER = re.compile(r"^(?P<scheme>[A-Za-z][\w+.\-]*://)(?P<user>[^/?#]*)@", re.DOTALL)
# The words under which drivers and stores take a secret as a parameter of the URL.
_WORD = r"(?:[\w\-]*(?:password|passwd|secret|token|credential|signature)[\w\-]*|pwd|pass|sig|api_?key|access_?key)"
_PARAMETER = re.compile(rf"[?&;]({_WORD})=([^&;#\s]*)", re.IGNORECASE)
_HIDDEN = "(hidden)"


@dataclass(frozen=True, slots=True)
class Expanded:
    """A location with the values of its variables put in.

    Attributes:
        text: The location, ready for a driver.
        secrets: What must stand in no message.
    """

    text: str
    secrets: tuple[str, ...]

    def tell(self, error: BaseException) -> str:
        """What a library's error says, in a line, with every secret hidden."""
        return first_line(redact(str(error) or type(error).__name__, self.secrets))


def expand(location: str) -> Expanded:
    """Put the values of `${NAME}` in, from the environment, at the moment of use.

    Inside the user and password of a URL a value is taken literally: its `@`, `:` and `/` need no percent signs.

    Raises:
        SourceError: A variable is not set or its name is empty.
    """
    values: list[str] = []
    user = _USER.match(location)
    inside = range(*user.span("user")) if user else range(0)

    def value(match: re.Match[str]) -> str:
        name = match.group(1)
        if name not in os.environ:
            raise SourceError(
                f"The environment has no variable {name!r}, which {shown(location)} needs. Set it: export "
                f"{name or 'NAME'}=..."
            )
        values.append(os.environ[name])
        return quote(os.environ[name], safe="") if match.start() in inside else os.environ[name]

    text = _NAME.sub(value, location)
    return Expanded(text, tuple(_secrets(text, values)))


def refuse_literal_secret(location: str) -> str:
    """The location as it is, where no password is written out in it.

    Raises:
        SourceError: It has a password that is not `${NAME}`; the message does not repeat it.
    """
    user = _USER.match(location)
    password = user.group("user").partition(":")[2] if user else ""
    literal = [password, *(value for name, value in _PARAMETER.findall(location) if _is_password(name))]
    if any(_NAME.sub("", part) for part in literal):
        raise SourceError(
            f"The location {shown(location)} has a password written in it. "
            "Put it in the environment and write ${NAME} in its place."
        )
    return location


Location = Annotated[str, AfterValidator(refuse_literal_secret)]
"""A path, glob or URL in which no password is written out; `${NAME}` stands for a variable of the environment."""


def shown(location: str) -> str:
    """The location as it may stand in a message: without user, password and parameters.

    >>> shown("postgresql://ada:${PASSWORD}@db.example:5432/lab?sslmode=require")
    'postgresql://db.example:5432/lab'
    """
    if "://" not in location:
        return location
    plain = _USER.sub(r"\g<scheme>", location)
    return re.split(r"[?#]", plain, maxsplit=1)[0]


def first_line(message: str, limit: int = 240) -> str:
    """The first line of a library's message, without its advice and its full stop."""
    lines = message.strip().splitlines()
    return lines[0][:limit].rstrip(". ") if lines else "no reason given"


def redact(message: str, secrets: Iterable[str]) -> str:
    """The message with secrets and the users of URLs hidden."""
    for secret in sorted({s for s in secrets if s}, key=len, reverse=True):
        message = message.replace(secret, _HIDDEN)
    message = re.sub(r"(\b[A-Za-z][\w+.\-]*://)[^\s/@'\"]*@", rf"\g<1>{_HIDDEN}@", message)
    return re.sub(rf"\b({_WORD})=[^&;\s'\"]+", rf"\g<1>={_HIDDEN}", message, flags=re.IGNORECASE)


def _is_password(parameter: str) -> bool:
    # A presigned web address carries a signature by design: it is hidden in messages, not refused.
    return bool(re.search(r"pass|pwd", parameter, re.IGNORECASE))


def _secrets(text: str, values: list[str]) -> Iterable[str]:
    """The values of variables and the passwords of a URL, as written and as decoded."""
    user = _USER.match(text)
    found = [*values, *(value for _, value in _PARAMETER.findall(text))]
    if user:
        found += [user.group("user"), user.group("user").partition(":")[2]]
    for value in values:
        inner = _USER.match(value)
        if inner:
            found.append(inner.group("user").partition(":")[2])
    # A very short value (a port, a letter) would turn every message into noise, and is no secret.
    return {form for value in found for form in (value, unquote(value), quote(value, safe="")) if len(value) > 3}
