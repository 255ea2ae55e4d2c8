"""Keys of records: exact, normalised, hashed, or keyed with a secret that two parties share.

A hash `k(x) = sha256(normalised x)` hides a value only from those who can't guess it: who holds a list of all possible
numbers can hash them all. `keyed` (HMAC-SHA-256) prevents that for everybody without the secret. Both still show which
records are equal and how often a value occurs. Source: RFC 2104; Vatsalan, Christen, Verykios (2013), section 3.
"""

import hashlib
import hmac
import os
from collections.abc import Mapping, Sequence

import polars as pl

from cuvee.blending.normalise import aligned, for_role, over_distinct, plain, text
from cuvee.data.dataset import Dataset
from cuvee.data.errors import CuveeError, SchemaError
from cuvee.data.kinds import Kind, Role
from cuvee.data.schema import Column, Schema

_BETWEEN = "\x1f"
"""Unit separator: stands between the parts of a composite key, and in no normalised value."""

_HASH = r"^[0-9a-f]{64}$"


def secret_of(variable: str | None) -> bytes:
    """The secret that an environment variable holds; it appears in no message and no file.

    Raises:
        CuveeError: No variable was named, or it is not set.
    """
    if not variable:
        raise CuveeError(
            "A keyed key needs the name of the environment variable that holds the secret, such as "
            "'keyed:ssn@LINK_SECRET'."
        )
    secret = os.environ.get(variable, "")
    if not secret:
        raise CuveeError(
            f"The environment variable {variable!r}, named as the secret of a keyed key, is not set. Set it; "
            "both parties need the same secret."
        )
    return secret.encode("utf-8")


def is_hashed(values: pl.Series) -> bool:
    """Whether a column already holds SHA-256 hashes: 64 hexadecimal digits in every value."""
    if values.dtype != pl.String:
        return False
    known = values.drop_nulls()
    return known.len() > 0 and bool(known.str.contains(_HASH).all())


def digest(values: pl.Series, secret: bytes | None) -> pl.Series:
    """SHA-256 (HMAC-SHA-256 with a secret) of each text in 64 hexadecimal digits; nulls stay null."""

    def hashes(distinct: pl.Series) -> pl.Series:
        words = [word.encode("utf-8") for word in distinct]
        if secret is None:
            return pl.Series([hashlib.sha256(word).hexdigest() for word in words], dtype=pl.String)
        return pl.Series([hmac.digest(secret, word, "sha256").hex() for word in words], dtype=pl.String)

    return over_distinct(values, hashes)


def exact_keys(sides: Mapping[str, Sequence[pl.Series]]) -> dict[str, pl.DataFrame]:
    """The columns of every source in comparable dtypes, as `k0`, `k1`, ...; a null in any part is null in all."""
    width = len(next(iter(sides.values())))
    parts = [aligned([columns[i] for columns in sides.values()]) for i in range(width)]
    return {source: _keys([part[j] for part in parts]) for j, source in enumerate(sides)}


def normalised_keys(
    sides: Mapping[str, Sequence[pl.Series]], meaning: Sequence[Column], *, leading_zeros: bool = True
) -> dict[str, pl.DataFrame]:
    """The columns of every source, normalised by what they mean; see `exact_keys`."""
    ways = [for_role(column.role, column.kind, leading_zeros=leading_zeros) for column in meaning]
    return {source: _keys([way(c) for way, c in zip(ways, columns, strict=True)]) for source, columns in sides.items()}


def hashed_keys(
    sides: Mapping[str, Sequence[pl.Series]],
    *,
    secret: bytes | None,
    role: Role | None = None,
    leading_zeros: bool = True,
) -> dict[str, pl.DataFrame]:
    """The hash of each record's normalised key; sources whose only column is hashed already are taken as they are."""
    made: dict[str, pl.DataFrame] = {}
    for source, columns in sides.items():
        ready = len(columns) == 1 and is_hashed(columns[0])
        made[source] = _keys(
            [columns[0] if ready else hash_of(columns, secret=secret, role=role, leading_zeros=leading_zeros)]
        )
    return made


def hash_of(columns: Sequence[pl.Series], *, secret: bytes | None, role: Role | None, leading_zeros: bool) -> pl.Series:
    """One hash for each row over all the columns; null where one of them is.

    Without a role, values are freed of everything but letters and digits: this depends on the values alone, so that two
    parties who can't see each other's data normalise alike. With a role, both parties must state the same one.
    """
    kind: Kind = "id"
    way = plain if role is None and leading_zeros else for_role(role, kind, leading_zeros=leading_zeros)
    frame = pl.DataFrame([way(c).alias(f"k{i}") for i, c in enumerate(columns)])
    joined = frame.select(pl.concat_str(pl.all(), separator=_BETWEEN)).to_series()
    return digest(joined, secret)


def hash_keys(
    data: Dataset,
    columns: Sequence[str],
    *,
    how: str = "keyed",
    secret_env: str | None = None,
    role: Role | None = None,
    leading_zeros: bool = True,
    name: str | None = None,
) -> Dataset:
    """Replace key columns by their hashes, for a party that may not hand over the values.

    Args:
        data: One table.
        columns: The key columns.
        how: "keyed" (HMAC-SHA-256) or "hashed" (SHA-256, which guessing can undo).
        secret_env: The environment variable that holds the secret of "keyed".
        role: How values are normalised; None keeps letters and digits. All parties state the same.
        leading_zeros: False drops leading zeros before hashing.
        name: One column of this name gets the hash over all the columns, which are left out; None hashes each in place.

    Returns:
        The same rows in the same order, with hashes of 64 hexadecimal digits; nulls stay null.

    Raises:
        CuveeError: The way is not known, or the secret is not set.
        SchemaError: The table has no such column.
    """
    if how not in {"hashed", "keyed"}:
        raise CuveeError(f"{how!r} is not a way to hide a key; there are: hashed, keyed.")
    secret = secret_of(secret_env) if how == "keyed" else None
    frame, table = data.frame, data.name
    missing = [c for c in columns if c not in frame.columns]
    if missing or not columns:
        raise SchemaError(
            f"Table {table!r} has no column {missing[0] if missing else ''!r} to hash; it has "
            f"{', '.join(frame.columns)}."
        )
    groups = [[c] for c in columns] if name is None else [list(columns)]
    made = {
        (group[0] if name is None else name): hash_of(
            [frame[c] for c in group], secret=secret, role=role, leading_zeros=leading_zeros
        )
        for group in groups
    }
    return _replaced(data, made, tuple(columns), name)


def _replaced(data: Dataset, made: Mapping[str, pl.Series], columns: tuple[str, ...], name: str | None) -> Dataset:
    """The dataset with hashes in the place of their columns, and a schema that says so."""
    frame, table, meaning = data.frame, data.name, data.meaning
    if name is not None and name in frame.columns and name not in columns:
        raise SchemaError(f"Table {table!r} already has a column {name!r}. Give the hash another name.")
    out: dict[str, pl.Series] = {}
    for column in frame.columns:
        if column not in columns:
            out[column] = frame[column]
        elif name is None:
            out[column] = made[column]
        elif name not in out:
            out[name] = made[name]
    hashes = {c: Column(kind="id", reason="hashed key") for c in made}
    meanings = {c: hashes[c] if c in hashes else meaning.columns[c] for c in out}
    # A key or reference made of hidden columns means nothing to the outside any more, except where it was hashed in
    # place.
    gone = set(columns) if name is not None else set[str]()
    key = meaning.key if meaning.key is None or not gone & set(meaning.key) else None
    if key is None and name is not None and meaning.key is not None and set(meaning.key) <= gone:
        key = (name,) if made[name].null_count() == 0 and made[name].n_unique() == frame.height else None
    changed = meaning.model_copy(update={"columns": meanings, "key": key, "foreign_keys": (), "sequence": None})
    return Dataset({table: pl.DataFrame(out)}, Schema(tables={table: changed}))


def _keys(columns: Sequence[pl.Series]) -> pl.DataFrame:
    """The parts of a key side by side, all null where one is: a null equals nothing."""
    frame = pl.DataFrame([c.alias(f"k{i}") for i, c in enumerate(columns)])
    if len(columns) == 1:
        return frame
    known = pl.all_horizontal(pl.all().is_not_null())
    return frame.select(pl.when(known).then(pl.all()))


def row_text(frame: pl.DataFrame, columns: Sequence[str]) -> pl.Series:
    """The text of some columns of each row, joined by `|`; null where one is."""
    parts = pl.DataFrame([text(frame[c]).alias(f"k{i}") for i, c in enumerate(columns)])
    return parts.select(pl.concat_str(pl.all(), separator="|")).to_series()
