"""Persons: names, e-mails, addresses and firms that nobody has, made up from what Faker knows of a country."""

import re
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, ClassVar, Final, Self, final
from zlib import crc32

import numpy as np
import polars as pl
from numpy.random import Generator
from numpy.typing import NDArray

from cuvee.codec.codec import LEAST, Arrays, Codec, Placed, masses_of, null_places
from cuvee.codec.fake_forms import (
    READ,
    Form,
    Parser,
    Piece,
    address_parser,
    learn_forms,
    name_parser,
    name_part,
    url_parser,
    user_parser,
)
from cuvee.codec.fake_locale import Persons, sampled, unknown_script
from cuvee.codec.fake_pools import HALF, Pool, domains_of, pool_of, slugs_of
from cuvee.data.words import tokens
from cuvee.numeric.permutation import mixed

Whole = NDArray[np.uint64]

SLOTS = 1024
"""Rows are dealt to the forms by slots of this many."""
NEAR = 65_536
"""Persons below this number have unique e-mails with short numbers only where two would be equal; those behind have
their own number in it."""
TRIES = 40
_BITS: Final[Mapping[str, int]] = {"first": 1, "last": 11, "middle": 21, "city": 31, "street": 41, "company": 51}
"""Where in a person's number the place of each word stands, so that all columns of one person agree."""
_WORDED: Final = ("first", "last", "middle", "street", "city", "postcode", "state", "company", "word")


@final
@dataclass(frozen=True, slots=True, eq=False)
class FakeCodec(Codec):
    """A column that speaks of persons or firms.

    The value of a row is a function of the secret key and of the number of its person alone: the number of the row, or
    any number that `fakes` is given. Columns and tables with the same key agree: the e-mail has the name of its row.

    Attributes:
        persons: The key, and the country.
        forms: How the values are written.
        pools: The words by field; the fields of addresses on the internet end in "~".
        unique: Whether no two persons may have the same value.
        salt: Another number for another column, so that forms are dealt independently.
        part: What of a person it is: full, first, last, middle, user, email, address, url or company.
    """

    persons: Persons
    forms: tuple[Form, ...]
    pools: Mapping[str, Pool]
    unique: bool
    salt: int
    part: str = "full"
    _near: dict[str, pl.Series] = field(default_factory=dict[str, pl.Series], repr=False)

    kind: ClassVar[str] = "fake"
    informative: ClassVar[bool] = False

    @classmethod
    def fit(
        cls, name: str, series: pl.Series, persons: Persons, *, role: str, unique: bool = False, least: int = LEAST
    ) -> Self | None:
        """Learn how a column's values are written; None where they are not what the role says, or Faker has none.

        Args:
            name: The column.
            series: Text; at least one value.
            persons: What all fakes have in common.
            role: name, user, email, address, url or company.
            unique: Whether no value may repeat; else e-mails repeat only where the real ones do.
            least: The fewest different values that must have a form.
        """
        texts = sampled(series)
        if len(texts) == 0 or unknown_script(texts):
            return None
        parser, default, part = _reader(name, role, texts, persons)
        forms = learn_forms(texts, parser, default, least=least)
        if forms is None and role == "address" and texts.str.contains(r"[^\W\d_]{3}").to_numpy().mean() >= READ:
            forms = (Form(default),)
        if forms is None:
            return None
        present = series.drop_nulls()
        fields = {f for form in forms for f in form.fields} | ({"domain"} if role == "email" else set())
        salt = crc32(name.encode())
        seed = persons.key_of(name)
        pools = {f: _pool(f, persons.locale, texts, least, seed) for f in sorted(fields) if f.rstrip("~") in _FIELDS}
        apart = unique or (role == "email" and present.n_unique() == len(present))
        nulls = series.null_count()
        counts = np.array([nulls, len(present)] if nulls else [len(present)], np.float64)
        note = (
            f"Column {name!r} ({role}): made up with Faker ({persons.locale}), in the form of the real values; "
            "none of them is stored."
        )
        return cls(
            name,
            series.dtype,
            masses_of(counts),
            int(nulls > 0),
            (note,),
            persons,
            forms,
            pools,
            apart and part in {"email", "user"},
            salt,
            part,
        )

    def place(self, series: pl.Series, *, rng: Generator) -> Placed:
        return null_places(series, self.missing, rng=rng)

    def values(self, placed: Placed, *, start: int, rng: Generator) -> pl.Series:
        del rng
        n = len(placed.codes)
        made = self.fakes(np.arange(start, start + n, dtype=np.uint64))
        if self.missing:
            made = made.zip_with(
                pl.Series(placed.codes >= self.missing), pl.Series([None], dtype=self.dtype).new_from_index(0, n)
            )
        return made

    def fakes(self, entities: Whole) -> pl.Series:
        """The values of persons, (n,): the same for the same number, in every table that has the key."""
        local = self._unique(entities) if self.unique else self._written(entities, digits=True)
        if "domain" in self.pools and not any("domain" in f.fields for f in self.forms):
            local = local + "@" + self._piece(("domain", ""), entities, 0)
        return local.cast(self.dtype).rename(self.name)

    def _unique(self, entities: Whole) -> pl.Series:
        near = entities < NEAR
        if len(entities) == 0:
            return pl.Series([], dtype=pl.String)
        if near.all():
            return self._first().gather(entities.astype(np.int64))
        far = self._written(entities, digits=False) + pl.Series(entities).cast(pl.String)
        if not near.any():
            return far
        known = self._first().gather(np.where(near, entities, 0).astype(np.int64))
        return known.zip_with(pl.Series(near), far)

    def _first(self) -> pl.Series:
        """(NEAR,), the values of the first persons, a number added to those that would be equal."""
        if "values" not in self._near:
            entities = np.arange(NEAR, dtype=np.uint64)
            made = self._written(entities, digits=True)
            plain = self._written(entities, digits=False)
            for turn in range(TRIES):
                again = np.flatnonzero(~made.is_first_distinct().to_numpy())
                if len(again) == 0:
                    break
                number = mixed(entities[again], self.salt + turn) % np.uint64(min(10 ** (1 + turn // 4), 90_000))
                # A leading zero is what neither these numbers nor those of later persons have.
                text = pl.Series(number + np.uint64(1)).cast(pl.String)
                if turn == TRIES - 1:
                    text = "0" + pl.Series(entities[again]).cast(pl.String).str.zfill(6)
                made = made.scatter(again, plain.gather(again) + text)
            self._near["values"] = made
        return self._near["values"]

    def _written(self, entities: Whole, *, digits: bool) -> pl.Series:
        """Values by the forms, without their digits where a number follows."""
        n = len(entities)
        chosen = self._dealt(entities)
        used = np.unique(chosen).tolist()
        parts: list[pl.Series] = []
        rows: list[NDArray[np.int64]] = []
        for j in used:
            mine = np.flatnonzero(chosen == j) if len(used) > 1 else np.arange(n)
            whom = entities[mine] if len(used) > 1 else entities
            pieces = [
                pl.lit(p[1]).alias(str(k)) if p[0] == "=" else self._piece(p, whom, k).alias(str(k))
                for k, p in enumerate(self.forms[j].pieces)
                if digits or p[0] != "#"
            ]
            made = pl.DataFrame({"n": pl.int_range(len(mine), eager=True)}).select(pl.concat_str(pieces).alias("made"))
            parts.append(made["made"])
            rows.append(mine)
        if not parts:
            return pl.Series([], dtype=pl.String)
        if len(parts) == 1:
            return parts[0]
        order = np.empty(n, np.int64)
        order[np.concatenate(rows)] = np.arange(n)
        return pl.concat(parts).gather(order)

    def _dealt(self, entities: Whole) -> NDArray[np.int64]:
        """(n,), the form of each person; a form of one sex is for its own."""
        if len(self.forms) == 1:
            return np.zeros(len(entities), np.int64)
        tables = np.empty((2, SLOTS), np.int64)
        for sex in (0, 1):
            rows = np.array([f.rows if f.sex in {-1, sex} else 0 for f in self.forms], np.float64)
            edges = np.cumsum(rows) / rows.sum()
            tables[sex] = np.minimum(np.searchsorted(edges, (np.arange(SLOTS) + 0.5) / SLOTS), len(rows) - 1)
        slot = mixed(entities, self.persons.key ^ (self.salt << 20)) & np.uint64(SLOTS - 1)
        sex = mixed(entities, self.persons.key) & np.uint64(1)
        return tables[sex.astype(np.int64), slot.astype(np.int64)]

    def _piece(self, piece: Piece, entities: Whole, turn: int) -> pl.Series:
        """What a field says of each person."""
        name, how = piece
        if name in {"#", "house"}:
            return self._digits(name, int(how), entities, turn)
        plain = name.rstrip("~")
        words = self.pools[name].series()
        words = words.str.slice(0, 1) if how.startswith("1") else words
        words = words.str.to_uppercase() if "upper" in how else words.str.to_lowercase() if "lower" in how else words
        number = mixed(entities, self.persons.key)
        if plain in _BITS:
            place = (number >> np.uint64(_BITS[plain])) & np.uint64(HALF - 1)
        else:
            place = mixed(entities, self.persons.key + 7919 * (turn + 1) + self.salt) & np.uint64(2 * HALF - 1)
        if plain in {"first", "middle", "last"}:
            place = place + np.uint64(HALF) * (number & np.uint64(1))
        return words.gather(place.astype(np.int64))

    def _digits(self, name: str, size: int, entities: Whole, turn: int) -> pl.Series:
        number = mixed(entities, self.persons.key + 104_729 * (turn + 1) + self.salt) >> np.uint64(3)
        if name == "house":
            low = 10 ** (size - 1)
            return pl.Series(number % np.uint64(10**size - low) + np.uint64(low)).cast(pl.String)
        return pl.Series(number % np.uint64(10**size)).cast(pl.String).str.zfill(size)

    def details(self) -> tuple[Mapping[str, Any], Arrays]:
        values = {
            "key": str(self.persons.key),
            "locale": self.persons.locale,
            "forms": [f.to_json() for f in self.forms],
            "pools": {k: p.to_json() for k, p in self.pools.items()},
            "unique": self.unique,
            "salt": self.salt,
            "part": self.part,
        }
        return values, {f"pool{j}": self.pools[k].picks for j, k in enumerate(self.pools)}

    @classmethod
    def restored(cls, shared: Mapping[str, Any], values: Mapping[str, Any], arrays: Arrays) -> Self:
        pools = {
            k: Pool(tuple(words), np.asarray(arrays[f"pool{j}"], np.int32))
            for j, (k, words) in enumerate(values["pools"].items())
        }
        return cls(
            **shared,
            persons=Persons(int(values["key"]), str(values["locale"])),
            forms=tuple(Form.from_json(f) for f in values["forms"]),
            pools=pools,
            unique=bool(values["unique"]),
            salt=int(values["salt"]),
            part=str(values["part"]),
        )


_FIELDS: Final = frozenset({*_WORDED, "domain"})


def told_apart(codecs: Iterable[Codec]) -> tuple[Codec, ...]:
    """The codecs of one table, where the second name (or e-mail, ...) of a row is that of another person."""
    seen: Counter[str] = Counter()
    result: list[Codec] = []
    for codec in codecs:
        if isinstance(codec, FakeCodec):
            seen[codec.part] += 1
            codec = replace(codec, persons=codec.persons.others(seen[codec.part] - 1))  # noqa: PLW2901
        result.append(codec)
    return tuple(result)


def _reader(  # noqa: PLR0911 (a list of roles)
    name: str, role: str, texts: pl.Series, persons: Persons
) -> tuple[Parser, tuple[Piece, ...], str]:
    """How the values of a column are read, what stands where no form is shared, and what the column holds."""
    said = tokens(name)
    if role == "email":
        return _mail(user_parser(persons)), (("first~", ""), ("=", "."), ("last~", "")), role
    if role == "url":
        return url_parser, (("=", "https://www."), ("domain", "")), role
    if role == "address":
        if {"city", "town", "stadt", "ort", "ville", "ciudad"} & set(said):
            return _city, (("city", ""),), role
        street: list[Piece] = [("house", "2"), ("=", " "), ("street", "")]
        if persons.locale[:2] not in {"en", "fr"}:
            street.reverse()
        town = texts.str.contains(",", literal=True).to_numpy().mean() >= READ
        return address_parser, (*street, *([("=", ", "), ("city", "")] if town else [])), role
    if role == "company":
        return name_parser("company", persons.locale, texts), (("company", ""),), role
    part = "user" if role == "user" else name_part(said, texts, persons.locale)
    if part == "user":
        return user_parser(persons), (("first~", "1"), ("last~", "")), "user"
    default: tuple[Piece, ...] = (("first", ""), ("=", " "), ("last", "")) if part == "full" else ((part, ""),)
    return name_parser(part, persons.locale, texts), default, part


def _mail(user: Parser) -> Parser:
    """Reads e-mails: what stands before the @, where something stands behind it."""
    return lambda text: user(text) if re.fullmatch(r"[^@\s]+@[^@\s.]+(?:\.[^@\s.]+)+", text) else None


def _city(text: str) -> tuple[tuple[Piece, ...], int] | None:
    case = "upper" if text.isupper() else "lower" if text.islower() else ""
    return ((("city", case),), -1) if re.fullmatch(r"\D*[^\W\d_]{2}\D*", text) else None


def _pool(name: str, locale: str, texts: pl.Series, least: int, seed: int) -> Pool:
    """The words of a field."""
    plain = name.rstrip("~")
    if plain == "domain":
        owners = texts.str.extract(r"^(?:\w+://)?(?:www\.)?(?:[^@/\s]*@)?([^/\s?#:@]+)").drop_nulls()
        tally = owners.rename("domain").value_counts(name="rows").filter(pl.col("rows") >= least)["rows"]
        return domains_of(locale, [r / len(texts) for r in tally.sort(descending=True).to_list()[:64]], seed=seed)
    return slugs_of(locale, plain) if name.endswith("~") else pool_of(locale, plain)
