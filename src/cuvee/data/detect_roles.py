"""Sensitive roles: what a column says of a person or a place, by the pattern of its values and its name."""

import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Final

import numpy as np
import polars as pl

from cuvee.data.kinds import Role
from cuvee.data.profile import Profile, is_type, mean
from cuvee.data.words import PEOPLE, percent, stems, tokens


@dataclass(frozen=True, slots=True)
class RoleGuess:
    """A role, how sure it is, and why."""

    role: Role
    confidence: float
    reason: str


@dataclass(frozen=True, slots=True)
class _Sign:
    """How a role shows.

    Attributes:
        role: The role.
        names: Names, as words joined by blanks, that speak of it; a column's name has these words in this order.
        shape: What its values look like.
        alone: The share of values of this shape that is enough without a name; None where the shape is too common.
        named: The share that is enough with the name.
        digits: How many digits a value has, at least and at most.
    """

    role: Role
    names: str
    shape: str
    alone: float | None
    named: float = 0.6
    digits: tuple[int, int] = (0, 10**6)


_OCTET = r"(?:25[0-5]|2[0-4]\d|1?\d?\d)"
_SIGNS: Final = (
    _Sign(
        "email",
        "email|e mail|mail|emailadresse|courriel|correo",
        r"^[^@\s]+@[^@\s.]+(?:\.[^@\s.]+)+$",
        0.9,
    ),
    _Sign(
        "url",
        "url|uri|homepage|website|web|link|webseite|site web|sitio web",
        r"^(?i:https?|ftp)://\S+$|^www\.\S+$",
        0.9,
    ),
    _Sign(
        "ip",
        "ip|ip address|ipv4|ipv6",
        rf"^{_OCTET}(?:\.{_OCTET}){{3}}$|^(?i:[0-9a-f]{{0,4}}:){{3,7}}(?i:[0-9a-f]{{0,4}})$",
        0.95,
    ),
    _Sign(
        "national_id",
        "ssn|nin|nino|soc sec|social security|passport|passnummer|ausweis|personalausweis|steuer id|"
        "steuernummer|sozialversicherungsnummer|dni|nif|nie|insee|nir|numero securite|cpf|curp|tax id|"
        "national id|citizen id|id card",
        r"^[A-Za-z0-9][A-Za-z0-9 .\-/]{4,19}$",
        None,
        digits=(5, 20),
    ),
    _Sign(
        "phone",
        "phone|telephone|tel|telefon|telefono|mobile|mobil|movil|handy|cell|cellphone|fax|telefax|"
        "telefonnummer|rufnummer|phonenumber|portable",
        r"^\+?[\d\s().\-/x]{6,25}$",
        None,
        digits=(6, 15),
    ),
    _Sign(
        "postcode",
        "zip|zipcode|zip code|postcode|post code|postal code|postalcode|plz|postleitzahl|code postal|cp|codigo postal",
        r"^[A-Za-z0-9][A-Za-z0-9 \-]{2,9}$",
        None,
        0.8,
        digits=(1, 10),
    ),
    _Sign(
        "address",
        "address|addr|adresse|anschrift|street|strasse|direccion|domicilio|domicile|calle|rue",
        r"\p{L}{2,}.*[\s\d]|[\s\d].*\p{L}{2,}",
        None,
    ),
    _Sign(
        "name",
        "surname|lastname|firstname|forename|fullname|middlename|givenname|familyname|first name|last name|"
        "given name|family name|middle name|full name|maiden name|name first|name last|name given|f name|"
        "l name|contact name|person name|customer name|client name|patient name|employee name|user name|"
        "player name|author name|student name|member name|vorname|nachname|familienname|prenom|nom famille|"
        "apellido|first and surname",
        r"^[^\d@]{2,80}$",
        None,
        0.9,
    ),
)
_BIRTH: Final = (
    "dob|date of birth|birth date|birthdate|birthday|birthdt|born|brthdtc|brthdat|geburtsdatum|"
    "geburtstag|geburt|naissance|nacimiento"
)
_BARE_NAMES: Final = frozenset({"name", "nom", "nombre", "names"})
_PLACES: Final[Mapping[Role, tuple[frozenset[str], float]]] = {
    "latitude": (frozenset(["lat", "latitude", "latitud", "breite", "breitengrad"]), 90.0),
    "longitude": (frozenset(["lon", "lng", "long", "longitude", "longitud", "laenge", "laengengrad"]), 180.0),
}
_NOT_AN_ADDRESS: Final = frozenset({"email", "mail", "ip", "mac", "web", "memory", "wallet"})
_CARD = re.compile(r"(?:card|credit|cc|pan|kreditkarte|carte|tarjeta)")
_SSN = r"^\d{3}-\d{2}-\d{4}$"


def find_roles(columns: Mapping[str, Profile], *, dates: Collection[str]) -> dict[str, RoleGuess]:
    """The roles of a table's columns, by name; columns without one are left out.

    Args:
        columns: The table's columns.
        dates: The text columns that hold dates.
    """
    found = {name: guess for name, p in columns.items() if (guess := _role(p, name in dates)) is not None}
    people = any(g.role in {"name", "email", "phone", "birthdate", "national_id"} for g in found.values())
    for name, p in columns.items():
        if name not in found and (guess := _bare_name(p, people=people)) is not None:
            found[name] = guess
    return _without_lonely_places(found)


def _role(p: Profile, date: bool) -> RoleGuess | None:  # noqa: FBT001 (private)
    if not p.filled or p.values.dtype == pl.Boolean:
        return None
    if date or is_type(p.values.dtype, pl.Date, pl.Datetime):
        return _birthdate(p)
    if p.values.dtype.is_numeric() or p.share(r"^[-+]?\d{1,3}\.\d+$") > 0.9:
        return _place(p) or _number_role(p)
    return _text_role(p) if p.text else None


def _named(p: Profile, names: str) -> bool:
    """Whether the column's name has the words of one of these names, next to each other."""
    words = "_".join(("", *tokens(p.name), ""))
    plain = "_".join(("", *(t.rstrip("0123456789") or t for t in stems(p.name)), ""))
    return any(f"_{n.replace(' ', '_')}_" in w for n in names.split("|") for w in (words, plain))


def _text_role(p: Profile) -> RoleGuess | None:
    for sign in _SIGNS:
        named = _named(p, sign.names) and not (sign.role == "address" and _NOT_AN_ADDRESS & set(tokens(p.name)))
        enough = sign.named if named else sign.alone
        if enough is None or (sign.role in {"url", "address", "name", "phone"} and p.distinct < min(3, p.filled)):
            continue
        share = _share(p, sign)
        if share >= enough:
            return _guess(sign.role, share, named=named)
    return _birthdate(p) or _shape_alone(p)


def _share(p: Profile, sign: _Sign) -> float:
    """The share of sampled values that have the shape of a role."""
    digits = p.sample.str.count_matches(r"\d").is_between(*sign.digits)
    return mean(p.sample.str.contains(sign.shape) & digits)


def _guess(role: Role, share: float, *, named: bool) -> RoleGuess:
    says = f"{percent(share)} of values have the form of {_WITH_ARTICLE[role]}"
    sure = 0.97 if named and share >= 0.9 else 0.85 if share >= 0.9 else 0.7
    return RoleGuess(role, sure, says + (", and the name says so." if named else "."))


def _shape_alone(p: Profile) -> RoleGuess | None:
    """Roles that values show without a name."""
    if p.filled < 10 or p.distinct < 5:
        return None
    if (share := p.share(_SSN)) >= 0.95:
        return RoleGuess("national_id", 0.85, f"{percent(share)} of values have the form 000-00-0000.")
    if (share := _luhn_share(p.sample)) >= 0.95:
        return RoleGuess("card", 0.95, f"{percent(share)} of values pass the checksum of card numbers (Luhn).")
    marked = p.share(r"^\+\d|^\(\d+\)|^\d{3}[-. ]\d{3}[-. ]\d{4}$")
    if (share := _share(p, _PHONE)) >= 0.95 and marked >= 0.95:
        return RoleGuess("phone", 0.75, f"{percent(share)} of values have the form of a phone number.")
    return None


def _number_role(p: Profile) -> RoleGuess | None:
    """Roles of columns of whole numbers: codes that were read as numbers."""
    if not p.whole:
        return None
    digits = p.sample.cast(pl.Int64, strict=False).cast(pl.String)
    lengths = digits.str.len_chars()
    if p.filled >= 10 and (share := _luhn_share(digits)) >= 0.95:
        sure = 0.95 if _CARD.search("_".join(tokens(p.name))) else 0.85
        return RoleGuess("card", sure, f"{percent(share)} of values pass the checksum of card numbers (Luhn).")
    for sign, low, high in ((_POSTCODE, 3, 9), (_PHONE, 6, 15), (_NATIONAL, 5, 15)):
        if _named(p, sign.names) and ((share := mean(lengths.is_between(low, high))) >= 0.9):
            return RoleGuess(
                sign.role, 0.85, f"The name says so, and {percent(share)} of values have {low} to {high} digits."
            )
    if _named(p, _BIRTH) and ((share := mean(lengths == 8)) >= 0.9):
        return RoleGuess(
            "birthdate", 0.8, f"The name says so, and {percent(share)} of values have the eight digits of a date."
        )
    return None


def _birthdate(p: Profile) -> RoleGuess | None:
    if not _named(p, _BIRTH):
        return None
    if p.text and p.share(r"^\d{4}[-/.]?\d{1,2}[-/.]?\d{1,2}|^\d{1,2}[-/. ](?:\d{1,2}|\p{L}+)[-/. ]\d{2,4}$") < 0.6:
        return None
    return RoleGuess("birthdate", 0.95, "The name says so, and its values are dates.")


def _place(p: Profile) -> RoleGuess | None:
    for role, (names, bound) in _PLACES.items():
        if not any(t in names for t in tokens(p.name)):
            continue
        numbers = p.sample.cast(pl.Float64, strict=False).drop_nulls()
        inside = mean(numbers.abs() <= bound)
        if len(numbers) and inside >= 0.99 and mean(numbers % 1 != 0) >= 0.5:
            return RoleGuess(
                role, 0.97, f"The name says so, and {percent(inside)} of values lie within {bound:.0f} degrees."
            )
    return None


def _without_lonely_places(found: dict[str, RoleGuess]) -> dict[str, RoleGuess]:
    """Latitude and longitude speak for each other: one alone is less sure, and a column `long` alone is none."""
    roles = {g.role for g in found.values()}
    if {"latitude", "longitude"} <= roles or not {"latitude", "longitude"} & roles:
        return found
    out = dict(found)
    for name, guess in found.items():
        if guess.role in {"latitude", "longitude"}:
            del out[name]
            if "long" not in tokens(name):
                out[name] = RoleGuess(
                    guess.role, 0.6, guess.reason.removesuffix(".") + ", but there is no column beside it."
                )
    return out


def _bare_name(p: Profile, *, people: bool) -> RoleGuess | None:
    """A column called just `name`: of a person only where the table speaks of people."""
    if not p.text or not p.distinct or not set(tokens(p.name)) & _BARE_NAMES or len(tokens(p.name)) > 1:
        return None
    of_people = any(s in PEOPLE for s in stems(p.table))
    share = p.share(r"^[^\d@]{2,80}$")
    if not (people or of_people) or share < 0.9 or p.lengths[1] > 5 or 2 * p.distinct < p.filled:
        return None
    why = f"the table is called {p.table!r}" if of_people else "other columns of the table speak of people"
    return RoleGuess(
        "name", 0.8 if of_people else 0.7, f"{percent(share)} of values are words without digits, and {why}."
    )


def _luhn_share(values: pl.Series) -> float:
    """The share of texts that are 13 to 19 digits, begin like a card number and pass its checksum.

    Source: ISO/IEC 7812-1, annex B.
    """
    digits = values.head(1000).str.replace_all(r"[ \-]", "")
    fits = digits.filter(digits.str.contains(r"^[2-6]\d{12,18}$"))
    if not len(fits):
        return 0.0
    codes = np.frombuffer("".join(fits.str.zfill(19).to_list()).encode(), np.uint8).reshape(len(fits), 19) - 48
    doubled = codes[:, -2::-2].astype(np.int64) * 2
    total = (doubled - 9 * (doubled > 9)).sum(axis=1) + codes[:, ::-2].sum(axis=1)
    return float((total % 10 == 0).sum()) / len(digits)


_POSTCODE = next(s for s in _SIGNS if s.role == "postcode")
_PHONE = next(s for s in _SIGNS if s.role == "phone")
_NATIONAL = next(s for s in _SIGNS if s.role == "national_id")
_WITH_ARTICLE: Final[Mapping[Role, str]] = {
    "email": "an e-mail address",
    "url": "a web address",
    "ip": "an IP address",
    "national_id": "an official number of a person",
    "phone": "a phone number",
    "postcode": "a postcode",
    "address": "a postal address",
    "name": "a person's name",
}
