"""What says that two records are the same thing, or that one refers to another: the `match` of a blend.

None finds keys and foreign keys in the data. Otherwise one item or a list of items, each of which is enough by itself:

```yaml
match: mrn                                               # the same value, exactly
match: [{key: mrn}, {normalised: email}]                 # either one
match: {key: {clinic: mrn, lab: patient_no}}             # columns of different names
match: {key: [site, {clinic: mrn, lab: patient_no}]}     # both together
match: {normalised: {columns: mobile, role: phone}}      # role and leading_zeros: false are options
match: {hashed: ssn}                                     # k(x) = sha256(normalised x); hashed columns are taken as
they are
match: {keyed: {columns: ssn, secret: LINK_SECRET}}      # HMAC-SHA-256; the secret is an environment variable
match: {relate: "flights.[origin, time_hour] -> weather.[origin, time_hour]"}   # refers to, many to one
match: {same: {clinic: weight_kg, lab: kg}}              # columns that mean the same, but are no key
match: {find: false}                                     # nothing but what is stated
```

On the command line: `--match email`, `--match "normalised:first,last"`, `--match "keyed:ssn@LINK_SECRET"`,
`--match "clinic.mrn = lab.patient_no"` and `--match "flights.tailnum -> planes.tailnum"`. Stated keys take the place of
keys found in the data; stated relations stand beside the foreign keys that are found.
"""

import re
from collections.abc import Mapping, Sequence
from typing import Any, Literal, cast

from pydantic import ValidationError

from cuvee.core import Spec
from cuvee.data.errors import CuveeError
from cuvee.data.kinds import Role

How = Literal["exact", "normalised", "hashed", "keyed"]
Names = str | Mapping[str, str]
"""A column that has the same name in every source, or its name by source."""

_HOWS: Mapping[str, How] = {
    "key": "exact",
    "exact": "exact",
    "normalised": "normalised",
    "hashed": "hashed",
    "keyed": "keyed",
}
_ENDPOINT = re.compile(r"\s*([^.\[\]]+)\.(.+?)\s*")
_FORMS = "key, normalised, hashed, keyed, relate, same and find"


class Evidence(Spec):
    """Columns whose equal values say: the same thing."""

    how: How = "exact"
    columns: tuple[Names, ...]
    secret: str | None = None
    role: Role | None = None
    leading_zeros: bool = True

    def title(self) -> str:
        """The columns as they are named in links and sentences, such as "mrn" or "keyed(ssn)"."""
        names = ", ".join(c if isinstance(c, str) else "/".join(dict.fromkeys(c.values())) for c in self.columns)
        return names if self.how == "exact" else f"{self.how}({names})"


class Relate(Spec):
    """Columns of one source that refer to columns of another (or of itself)."""

    source: str
    columns: tuple[str, ...]
    table: str
    to: tuple[str, ...]


class Match(Spec):
    """All that was stated.

    Attributes:
        evidence: Each is enough by itself.
        relate: References, many to one.
        same: Columns by source that mean the same.
        find: Whether keys (where no evidence is stated) and foreign keys are looked for in the data.
    """

    evidence: tuple[Evidence, ...] = ()
    relate: tuple[Relate, ...] = ()
    same: tuple[Mapping[str, str], ...] = ()
    find: bool = True


def parse_match(stated: Any) -> Match:
    """The match spec of what a recipe, the command line or Python states.

    Raises:
        CuveeError: It is none of the forms; the message says which there are.
    """
    if isinstance(stated, Match):
        return stated
    evidence: list[Evidence] = []
    relate: list[Relate] = []
    same: list[Mapping[str, str]] = []
    find = True
    for word, body in _items(stated):
        if word in _HOWS:
            evidence.append(_evidence(_HOWS[word], body))
        elif word == "relate":
            relate += [_relate(one) for one in _listed(body)]
        elif word == "same":
            same += [_same(one) for one in _listed(body)]
        elif word == "find" and isinstance(body, bool):
            find = body
        else:
            raise CuveeError(_refusal(word))
    return Match(evidence=tuple(evidence), relate=tuple(relate), same=tuple(same), find=find)


def _items(stated: Any) -> list[tuple[str, Any]]:
    """Every stated item as (word, what it says)."""
    if stated is None:
        return []
    if isinstance(stated, str):
        return [_spoken(stated)]
    if isinstance(stated, Evidence):
        return [(stated.how, stated)]
    if isinstance(stated, Relate):
        return [("relate", stated)]
    if isinstance(stated, Mapping):
        return [(str(word), body) for word, body in stated.items()]
    if isinstance(stated, Sequence):
        return [item for one in stated for item in _items(one)]
    raise CuveeError(
        f"match is a {type(stated).__name__}; it is a column, a mapping or a list of these. The forms are {_FORMS}."
    )


def _spoken(said: str) -> tuple[str, Any]:
    """The form of the command line: a column, `way:column,column`, `keyed:column@SECRET`, `a.x = b.y`, `a.x -> b.y`."""
    if "->" in said:
        return "relate", said
    ends = [_ENDPOINT.fullmatch(end) for end in said.split("=")]
    if len(ends) > 1 and all(ends):
        return "key", {end[1]: end[2] for end in ends if end is not None}
    way, colon, rest = said.partition(":")
    if not colon or way.strip() not in _HOWS:
        return "key", said
    body: dict[str, Any] = {}
    if way.strip() == "keyed":
        rest, _, secret = rest.rpartition("@") if "@" in rest else (rest, "", "")
        body["secret"] = secret.strip() or None
    return way.strip(), body | {"columns": [c.strip() for c in rest.split(",")]}


def _evidence(how: How, body: Any) -> Evidence:
    if isinstance(body, Evidence):
        return body
    options: dict[str, Any] = dict(body) if isinstance(body, Mapping) and "columns" in body else {"columns": body}
    columns: Any = options.pop("columns")
    listed: Any = [columns] if isinstance(columns, (str, Mapping)) else columns
    if not isinstance(listed, Sequence) or not listed or not all(_is_names(c) for c in listed):
        raise CuveeError(
            f"match: {how}: names no columns. Give a column, a list of columns, or a column by source: "
            f"{{clinic: mrn, lab: patient_no}}."
        )
    try:
        made = Evidence.model_validate({**options, "how": how, "columns": tuple(listed)})
    except (ValidationError, TypeError) as error:
        raise CuveeError(
            f"match: {how}: has an option that it does not know: there are columns, role, leading_zeros and, "
            "for keyed, secret."
        ) from error
    if how == "keyed" and not made.secret:
        raise CuveeError(
            f"match: {made.title()} names no secret. Give the name of an environment variable: "
            "{keyed: {columns: ssn, secret: LINK_SECRET}}, or keyed:ssn@LINK_SECRET."
        )
    if how != "keyed" and made.secret is not None:
        raise CuveeError(f"match: {made.title()} takes no secret; keyed does.")
    return made


def _is_names(value: Any) -> bool:
    return (isinstance(value, str) and value != "") or (
        isinstance(value, Mapping)
        and bool(value)
        and all(isinstance(v, str) for v in cast("Mapping[str, Any]", value).values())
    )


def _listed(body: Any) -> Sequence[Any]:
    return body if isinstance(body, (list, tuple)) else (body,)


def _relate(stated: Any) -> Relate:
    """A relation from its text, or, for odd names, from {from: ..., columns: [...], to: ..., key: [...]}."""
    if isinstance(stated, Relate):
        return stated
    if isinstance(stated, str):
        left, arrow, right = stated.partition("->")
        if arrow:
            source, columns = _end(left, stated)
            table, to = _end(right, stated)
            return _even(Relate(source=source, columns=columns, table=table, to=to))
    elif isinstance(stated, Mapping) and {"from", "columns", "to"} <= set(stated):
        columns = tuple(str(c) for c in _listed(stated["columns"]))
        to = tuple(str(c) for c in _listed(stated.get("key", list(columns))))
        return _even(Relate(source=str(stated["from"]), columns=columns, table=str(stated["to"]), to=to))
    raise CuveeError(
        f"{_written(stated)} is no relation. Write 'flights.tailnum -> planes.tailnum', or "
        f"{{from: flights, columns: [tailnum], to: planes, key: [tailnum]}}."
    )


def _even(relation: Relate) -> Relate:
    if len(relation.columns) != len(relation.to):
        raise CuveeError(
            f"The relation of {relation.source} to {relation.table} has {len(relation.columns)} columns on the "
            "left and "
            f"{len(relation.to)} on the right; name as many on both sides, in the same order."
        )
    return relation


def _end(side: str, whole: str) -> tuple[str, tuple[str, ...]]:
    """`flights.tailnum` or `flights.[origin, hour]` as table and columns."""
    found = re.fullmatch(r"\s*([^.\[\]]+)\.(?:\[(.+)\]|(.+?))\s*", side)
    if found is None:
        raise CuveeError(
            f"{_written(whole)} is no relation. Write 'flights.tailnum -> planes.tailnum', with brackets for "
            "several columns: 'flights.[origin, hour]'."
        )
    table, several, one = found.groups()
    return table.strip(), tuple(c.strip() for c in several.split(",")) if several is not None else (one.strip(),)


def _same(stated: Any) -> Mapping[str, str]:
    if not isinstance(stated, Mapping) or len(stated) < 2 or not all(isinstance(v, str) for v in stated.values()):
        raise CuveeError(
            "match: same: wants the columns by source, of two sources at least: {same: {clinic: weight_kg, lab: kg}}."
        )
    return {str(source): str(column) for source, column in stated.items()}


def _written(stated: Any) -> str:
    return repr(stated) if isinstance(stated, str) else f"A {type(stated).__name__}"


def _refusal(word: str) -> str:
    import difflib

    close = difflib.get_close_matches(word, [*_HOWS, "relate", "same", "find"], n=1, cutoff=0.8)
    if close:
        return f"match has no form {word!r}. Did you mean {close[0]!r}?"
    return (
        f"match has no form {word!r}: evidence that is only alike, such as names and dates, is not weighed yet. "
        f"The forms are {_FORMS}; for example {{normalised: [first_name, last_name, birth_date]}} wants all "
        "three to agree."
    )
