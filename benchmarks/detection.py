"""How well detection finds keys and foreign keys, against what is known of real datasets.

    python benchmarks/detection.py [FOLDER]

FOLDER (else ../shared/data) has load.py, relational/, synth/, fusion/ and linkage/: real datasets that are not shipped.
The truth of chinook and northwind is their own database schema; that of the others is their documentation, written
down below. What detection says counts at any confidence, and is right where table, columns and target are all right.
Relations
that hold but that the documentation leaves out stand in ALSO_TRUE and count neither way.

The rules of detection were written with these datasets in sight, so the figures say what they do here, not on others.
"""

import importlib.util
import sys
import time
from pathlib import Path
from typing import Any

from cuvee.data.detect import detect

Keys = dict[str, tuple[str, ...]]
References = set[tuple[str, tuple[str, ...], str, tuple[str, ...]]]


def _people(*tables: str) -> References:
    return {(t, ("playerID",), "People", ("playerID",)) for t in tables}


def _teams(*tables: str) -> References:
    return {(t, ("yearID", "teamID"), "Teams", ("yearID", "teamID")) for t in tables}


POST = ("BattingPost", "FieldingPost", "PitchingPost")
VISITED = ("ae", "cm", "ds", "ex", "mh", "sv", "suppae", "suppdm")
TRUTH: dict[str, tuple[Keys, References]] = {
    "relational/nycflights13": (
        {
            "airlines": ("carrier",),
            "airports": ("faa",),
            "planes": ("tailnum",),
            "weather": ("origin", "time_hour"),
            "flights": ("carrier", "flight", "time_hour"),
        },
        {
            ("flights", ("carrier",), "airlines", ("carrier",)),
            ("flights", ("tailnum",), "planes", ("tailnum",)),
            ("flights", ("origin",), "airports", ("faa",)),
            ("flights", ("dest",), "airports", ("faa",)),
            ("flights", ("origin", "time_hour"), "weather", ("origin", "time_hour")),
            ("weather", ("origin",), "airports", ("faa",)),
        },
    ),
    "relational/berka": (
        {
            "account": ("account_id",),
            "card": ("card_id",),
            "client": ("client_id",),
            "disp": ("disp_id",),
            "district": ("A1",),
            "loan": ("loan_id",),
            "order": ("order_id",),
        },
        {
            ("account", ("district_id",), "district", ("A1",)),
            ("client", ("district_id",), "district", ("A1",)),
            ("card", ("disp_id",), "disp", ("disp_id",)),
            ("disp", ("client_id",), "client", ("client_id",)),
            *((t, ("account_id",), "account", ("account_id",)) for t in ("disp", "loan", "order")),
        },
    ),
    "relational/lahman": (
        {
            "People": ("playerID",),
            "Parks": ("park.key",),
            "Schools": ("schoolID",),
            "TeamsFranchises": ("franchID",),
            "Teams": ("teamID", "yearID"),
            "SeriesPost": ("round", "yearID"),
            "BattingPost": ("playerID", "round", "yearID"),
            "FieldingPost": ("POS", "playerID", "round", "yearID"),
            "PitchingPost": ("playerID", "round", "yearID"),
            "AwardsSharePlayers": ("awardID", "playerID", "yearID"),
            "HallOfFame": ("playerID", "votedBy", "yearID"),
            "CollegePlaying": ("playerID", "schoolID", "yearID"),
            "Salaries": ("playerID", "teamID", "yearID"),
            "HomeGames": ("park.key", "team.key", "year.key"),
            "Managers": ("inseason", "teamID", "yearID"),
        },
        _people(
            "AllstarFull",
            "AwardsPlayers",
            "AwardsSharePlayers",
            *POST,
            "CollegePlaying",
            "HallOfFame",
            "Managers",
            "Salaries",
        )
        | _teams("AllstarFull", *POST, "Managers", "Salaries")
        | {
            ("CollegePlaying", ("schoolID",), "Schools", ("schoolID",)),
            ("HomeGames", ("park.key",), "Parks", ("park.key",)),
            ("HomeGames", ("team.key", "year.key"), "Teams", ("teamID", "yearID")),
            ("Teams", ("franchID",), "TeamsFranchises", ("franchID",)),
            ("SeriesPost", ("teamIDwinner", "yearID"), "Teams", ("teamID", "yearID")),
            ("SeriesPost", ("teamIDloser", "yearID"), "Teams", ("teamID", "yearID")),
        },
    ),
    "relational/sdtm_pilot": (
        {
            "dm": ("USUBJID",),
            **{t: tuple(sorted(("USUBJID", f"{t.upper()}SEQ"))) for t in ("ae", "cm", "ds", "ex", "mh")},
            "sv": ("USUBJID", "VISITNUM"),
        },
        {(t, ("USUBJID",), "dm", ("USUBJID",)) for t in VISITED}
        | {("suppae", ("IDVARVAL", "USUBJID"), "ae", ("AESEQ", "USUBJID"))},
    ),
    "synth/diabetes130": (
        {
            "diabetes130": ("encounter_id",),
            **{t: (f"{t}_id",) for t in ("admission_type", "discharge_disposition", "admission_source")},
        },
        {
            ("diabetes130", (f"{t}_id",), t, (f"{t}_id",))
            for t in ("admission_type", "discharge_disposition", "admission_source")
        },
    ),
    "fusion/crowd_dog": (
        {"truth": ("question",), "answer": ("question", "worker")},
        {("answer", ("question",), "truth", ("question",))},
    ),
    "linkage/leipzig_dblp_acm": (
        {"ACM": ("id",), "DBLP2": ("id",)},
        {
            ("DBLP-ACM_perfectMapping", ("idDBLP",), "DBLP2", ("id",)),
            ("DBLP-ACM_perfectMapping", ("idACM",), "ACM", ("id",)),
        },
    ),
    "linkage/magellan_beer": (
        {"tableA": ("id",), "tableB": ("id",), **dict.fromkeys(("test", "train", "valid"), ("ltable_id", "rtable_id"))},
        {
            (t, (f"{s}table_id",), f"table{T}", ("id",))
            for t in ("test", "train", "valid")
            for s, T in (("l", "A"), ("r", "B"))
        },
    ),
}
ALSO_TRUE: dict[str, References] = {
    "relational/lahman": {(t, ("round", "yearID"), "SeriesPost", ("round", "yearID")) for t in POST},
}
FLAT = (
    *("adult_train", "bank_marketing_full", "california_housing", "covertype_10k", "diamonds", "insurance", "wine"),
    *("shuttle_anomaly", "german_credit", "credit_scoring", "flchain", "magic_gamma", "online_shoppers"),
    *("pima_diabetes", "breast_cancer"),
)


def _sorted(columns: Any, to: Any) -> tuple[tuple[str, ...], tuple[str, ...]]:
    pairs = sorted(zip(columns, to, strict=True))
    return tuple(a for a, _ in pairs), tuple(b for _, b in pairs)


def _truth(load: Any, name: str) -> tuple[Keys, References]:
    if name in TRUTH:
        keys, references = TRUTH[name]
    else:
        given, tables = load.schema(name), load.load(name)
        keys = {t: tuple(c) for t, c in given["primary_keys"].items() if t in tables}
        references = {
            (t, (f["column"],), f["ref_table"], (f["ref_column"],))
            for t, some in given["foreign_keys"].items() for f in some if t in tables and f["ref_table"] in tables
        }  # fmt: skip
    return {t: tuple(sorted(k)) for t, k in keys.items()}, {(t, *_pair(c, o, r)) for t, c, o, r in references}


def _pair(columns: Any, table: str, to: Any) -> tuple[tuple[str, ...], str, tuple[str, ...]]:
    mine, yours = _sorted(columns, to)
    return mine, table, yours


def _rate(right: int, of: int) -> str:
    return f"{right}/{of}" if of else "-"


def main(folder: Path) -> None:
    spec = importlib.util.spec_from_file_location("load", folder / "load.py")
    if spec is None or spec.loader is None:
        sys.exit(f"{folder} has no load.py")
    load = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(load)
    wrong: list[str] = []
    print(f"{'dataset':28} {'key prec.':>10} {'key recall':>10} {'FK prec.':>10} {'FK recall':>10} {'seconds':>8}")
    for name in ("relational/chinook", "relational/northwind", *TRUTH):
        tables = load.load(name)
        keys, references = _truth(load, name)
        also = {(t, *_pair(c, o, r)) for t, c, o, r in ALSO_TRUE.get(name, set())}
        start = time.perf_counter()
        schema = detect(tables)
        seconds = time.perf_counter() - start
        found_keys = {t: tuple(sorted(schema[t].key or ())) for t in schema if schema[t].key is not None and t in keys}
        found = {(t, *_pair(f.columns, f.table, f.to)) for t in schema for f in schema[t].foreign_keys} - also
        right_keys = sum(found_keys.get(t) == k for t, k in keys.items())
        right = len(found & references)
        print(
            f"{name:28} {_rate(right_keys, len(found_keys)):>10} {_rate(right_keys, len(keys)):>10} "
            f"{_rate(right, len(found)):>10} {_rate(right, len(references)):>10} {seconds:8.2f}"
        )
        wrong += [
            f"{name} key of {t}: said {found_keys.get(t)}, is {k}" for t, k in keys.items() if found_keys.get(t) != k
        ]
        wrong += [f"{name} said {f}" for f in sorted(found - references)] + [
            f"{name} missed {f}" for f in sorted(references - found)
        ]
    keyed, related = [], []
    start = time.perf_counter()
    for name in FLAT:
        schema = detect(load.load(f"synth/{name}"))
        keyed += [name for t in schema.tables.values() if t.key is not None]
        related += [name for t in schema.tables.values() if t.foreign_keys or t.sequence is not None]
    took = time.perf_counter() - start
    print(f"{len(FLAT)} flat tables without a key: {len(keyed)} keys, {len(related)} relations said; {took:.2f} s")
    print("\n".join(["", "Wrong or missed:", *wrong]))


if __name__ == "__main__":
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else Path(__file__).resolve().parents[2] / "shared" / "data")
