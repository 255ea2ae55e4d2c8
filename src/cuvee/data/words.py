"""Names of columns and tables as words: what they are made of, how near two are, and what they speak of.

A name is only ever supporting evidence beside the data, so the lists are short: words that a reader of English, German,
French or Spanish would take for an identifier, a count, a time or a person.
"""

import re
import unicodedata
from functools import lru_cache
from typing import Final


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


ID: Final = _words(
    "id ids key pk uid uuid guid oid nr nbr num no number code identifier index idx ref reference isbn ean sku "
    "iban serial schluessel kennung nummer numero cle identifiant clave codigo identificador"
)
"""Words that end the name of an identifier."""

GENERIC: Final = ID | _words("name title value type text description label date year time day month status note notes")
"""Words that say nothing of which table is meant."""

SELF: Final = _words(
    "parent reports manager boss supervisor superior mentor previous prev next predecessor successor root "
    "ancestor replaces replaced original father mother eltern vorgesetzter vorgaenger nachfolger jefe padre chef "
    "superieur"
)
"""Words that speak of another row of the same table."""

PEOPLE: Final = _words(
    "person employee staff user member contact customer client patient student player worker people subscriber "
    "individual artist author teacher actor mitarbeiter kunde benutzer mitglied schueler personne employe "
    "utilisateur persona empleado usuario cliente"
)
"""What tables of people are called, in the singular."""

AGENTS: Final = _words(
    "rep representative manager agent owner author creator created updated assigned assignee approver approved "
    "reviewer buyer seller salesperson supervisor operator handler sender receiver recipient"
)
"""Words for what people do, by which a column refers to a table of people."""

ENTITY: Final = PEOPLE | _words(
    "subject symbol ticker series device sensor station machine unit store shop account product item household "
    "firm company country state region city vehicle meter site group entity panel respondent participant case "
    "animal plot school proband teilnehmer geraet sujet sujeto"
)
"""What the rows of one sequence have in common."""

TIME: Final = _words(
    "time date day days year years yr month months mnth week weeks hour hours hr minute second period quarter "
    "wave visit visitnum visitday step t timestamp datetime ts seq sequence round epoch occasion trial tick frame "
    "zeit datum tag jahr monat woche stunde jour annee mois semaine heure fecha dia ano mes semana hora"
)
"""What orders the rows of one sequence."""

COUNT: Final = _words(
    "n count counts cnt qty quantity amount amt total sum num_of rate ratio price cost fee salary income balance "
    "score size length width height weight depth distance area age ages children kids dependents duration minutes "
    "speed volume temperature temp pressure percent pct share avg mean min max std points votes wins losses games "
    "visits stock units seats capacity population bytes milliseconds delay credits procedures medications anzahl "
    "menge preis betrag alter summe nombre prix montant quantite cantidad precio importe edad"
)
"""Words of counts and measurements."""

CATEGORY: Final = _words(
    "type class category cat kind group grp status state code level grade stage region sector segment label "
    "target species sex gender race marital marriage education method mode channel department dept district zone "
    "area_code flag color colour weekday dayofweek season cluster arm cohort tier rank brand typ klasse gruppe "
    "geschlecht genre sexe statut tipo clase grupo sexo estado browser system situation sit"
)
"""Words of categories, also where their values are whole numbers."""

_ENDS_IN_ID_BUT_IS_NOT: Final = _words(
    "paid unpaid void acid grid humid valid invalid solid liquid fluid covid lipid rapid hybrid avoid thyroid "
    "steroid bid mid raid aid squid android centroid"
)
_PIECES = re.compile(r"[A-Z]+(?=[A-Z][a-z])|[A-Z]?[a-z]+|[A-Z]+|\d+")
_ID_INSIDE = re.compile(r"(?<=[a-z])ID(?=[a-z])")
_PLURALS = {"people": "person", "children": "child", "men": "man", "women": "woman", "data": "data", "series": "series"}


@lru_cache(maxsize=8192)
def tokens(name: str) -> tuple[str, ...]:
    """The words of a name in lower case, without accents.

    >>> tokens("AlbumId"), tokens("teamIDwinner"), tokens("geb.-Straße 2")
    (('album', 'id'), ('team', 'id', 'winner'), ('geb', 'strasse', '2'))
    """
    plain = unicodedata.normalize("NFKD", name.replace("ß", "ss")).encode("ascii", "ignore").decode()
    pieces = _PIECES.findall(_ID_INSIDE.sub("_Id_", plain))
    return tuple(p.lower() for p in pieces) or (name.casefold(),)


def singular(word: str) -> str:
    """The singular of an English noun, as far as its ending tells.

    >>> [singular(w) for w in ("categories", "addresses", "planes", "status", "people")]
    ['category', 'address', 'plane', 'status', 'person']
    """
    if word in _PLURALS:
        return _PLURALS[word]
    if word.endswith("ies") and len(word) > 4:
        return word[:-3] + "y"
    if word.endswith(("sses", "xes", "ches", "shes")):
        return word[:-2]
    if word.endswith("s") and not word.endswith(("ss", "us", "is")) and len(word) > 3:
        return word[:-1]
    return word


@lru_cache(maxsize=8192)
def stems(name: str) -> tuple[str, ...]:
    """The words of a name, each in the singular."""
    return tuple(singular(t) for t in tokens(name))


def is_id(name: str) -> bool:
    """Whether the name ends like that of an identifier.

    >>> is_id("customer_id"), is_id("USUBJID"), is_id("paid"), is_id("tailnum")
    (True, True, False, True)
    """
    last = tokens(name)[-1]
    if tokens(name)[0] == "id":
        return True
    if last.isdigit() and len(tokens(name)) > 1:
        last = tokens(name)[-2].replace("no", "")  # NO2 is a gas
    if last in ID:
        return True
    ends = last.endswith(("id", "num", "uuid")) and len(last) > 4
    return ends and last not in _ENDS_IN_ID_BUT_IS_NOT


def speaks_of(name: str, words: frozenset[str]) -> bool:
    """Whether a word of the name is among these."""
    return any(t in words or singular(t) in words for t in tokens(name))


def is_step(name: str) -> bool:
    """Whether the name is that of a time, or of a number in sequence.

    >>> is_step("visit_date"), is_step("AESEQ"), is_step("price")
    (True, True, False)
    """
    return speaks_of(name, TIME) or tokens(name)[-1].endswith("seq")


def is_count(name: str) -> bool:
    """Whether the name is that of a count or a measurement.

    >>> is_count("num_procedures"), is_count("engines"), is_count("status"), is_count("order_number")
    (True, True, False, False)
    """
    words = tokens(name)
    if any(t in COUNT or singular(t) in COUNT for t in words):
        return True
    if len(words) > 1 and words[0] in {"num", "number", "no", "nr", "nb", "anzahl"}:
        return True
    last = words[len(words) - 1]
    return singular(last) != last and last not in _PLURALS and singular(last) not in ENTITY | ID


def belongs_to(name: str, table: str) -> bool:
    """Whether the name is that of the table's own identifier: `id`, `album_id` or `album` of `Albums`."""
    words, owner = stems(name), stems(table)
    bare = without_id(words)
    return (
        words in (("id",), ("key",), ("uuid",), ("guid",), ("pk",)) or bare == owner or "".join(bare) == "".join(owner)
    )


def without_id(words: tuple[str, ...]) -> tuple[str, ...]:
    """The words without those of an identifier at the end; all of them if nothing else is left."""
    *_, last = words
    if len(words) == 1 and last.endswith("id") and len(last) > 4 and last not in _ENDS_IN_ID_BUT_IS_NOT:
        return (last[:-2],)
    end = len(words)
    while end > 1 and words[end - 1] in ID:
        end -= 1
    return words[:end]


def _runs_in(part: tuple[str, ...], whole: tuple[str, ...]) -> bool:
    n = len(part)
    return any(whole[i : i + n] == part for i in range(len(whole) - n + 1))


def _says_table(child: tuple[str, ...], owner: tuple[str, ...], key: tuple[str, ...]) -> float:
    """How clearly the child's name is the name of a table, with or without its key."""
    bare = without_id(child)
    if "".join(child) in ("".join(owner + key), "".join(owner) + "id"):
        return 1.0
    if "".join(bare) == "".join(owner) or singular("".join(bare)) == "".join(owner):
        return 0.95
    if len(child) > len(owner) and _runs_in(owner, child) and is_id("_".join(child)):
        return 0.8
    return 0.0


@lru_cache(maxsize=65536)
def affinity(child: str, column: str, table: str, *, same_table: bool) -> float:
    """How clearly a column's name says that it refers to `column` of `table`, 0 to 1, without a look at the data.

    >>> affinity("tailnum", "tailnum", "planes", same_table=False)
    1.0
    >>> affinity("ShipVia", "ShipperID", "Shippers", same_table=False)
    0.4
    """
    mine, key, owner = stems(child), stems(column), stems(table)
    plain = all(k in GENERIC for k in key)
    if mine == key and not same_table:
        return 0.3 if plain else 1.0
    best = 0.0 if same_table else _says_table(mine, owner, key)
    same_thing = is_id(child) and is_id(column) and without_id(mine) == without_id(key)
    if same_thing and not set(without_id(key)) <= ID and not same_table:
        best = max(best, 0.95)
    if not plain and len(mine) > len(key) and (mine[-len(key) :] == key or mine[: len(key)] == key):
        best = max(best, 0.85)
    if same_table and any(t in SELF for t in tokens(child)):
        best = max(best, 0.75)
    if any(t in AGENTS for t in tokens(child)) and any(o in PEOPLE for o in owner):
        best = max(best, 0.6)
    if best == 0.0 and any(_kin(a, b) for a in mine for b in owner if a not in GENERIC and b not in GENERIC):
        best = 0.4
    return best


def _kin(a: str, b: str) -> bool:
    """Whether one word begins with the other, such as ship and shipper."""
    short, long = sorted((a, b), key=len)
    return len(short) >= 4 and long.startswith(short)


def percent(share: float) -> str:
    """A share in percent with one decimal; never 100.0 where something is missing, never 0.0 where something is there.

    >>> percent(0.85), percent(0.99996), percent(1.0), percent(0.0001)
    ('85.0 %', '99.9 %', '100 %', '0.1 %')
    """
    if share in {0.0, 1.0}:
        return f"{share:.0%}".replace("%", " %")
    return f"{min(99.9, max(0.1, 100 * share)):.1f} %"
