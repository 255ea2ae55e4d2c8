"""schema.yaml: written short, read back the same, and wrong words named with their line."""

import re
from pathlib import Path

import polars as pl
import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from cuvee.data.detect import detect
from cuvee.data.errors import SchemaError
from cuvee.data.kinds import KINDS, ROLES
from cuvee.data.schema import Column, ForeignKey, Schema, Sequence, Table

HOSTILE = [
    "",
    " ",
    "yes",
    "No",
    "1",
    "1.5",
    "null",
    "~",
    "true",
    "# check",
    "a: b",
    "- a",
    "a, b",
    "[x]",
    "{y}",
    "'quoted'",
    '"double"',
    "two\nlines",
    "tab\there",
    "back\\slash",
    "%tag",
    "@at",
    "`tick`",
    "&anchor",
    "*alias",
    "!!python/object:os.system",
    "?",
    ":",
    "-",
    "emoji 😀 👩‍👩‍👧",
    "Größe",
    "名前",
    "\u2028",
    "\x00",
    "\x7f",
    "\x85",
    "\ufeff",
    "\ufffe",
    "<<",
    "=",
    "2020-01-01",
    "0x1F",
    "1_000",
    "trailing ",
    " leading",
    "x" * 3000,
    "😀" * 1200,
    "...",
    "---",
    "|",
    ">",
]
NAMES = st.one_of(st.sampled_from(HOSTILE), st.text(st.characters(exclude_categories=["Cs"]), max_size=12))
SURENESS = st.floats(0, 1)
REASONS = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)


@st.composite
def _tables(draw: st.DrawFn) -> Table:
    names = draw(st.lists(NAMES, min_size=1, max_size=5, unique=True))
    columns = {
        name: Column(
            kind=draw(st.sampled_from(KINDS)),
            role=draw(st.one_of(st.none(), st.sampled_from(ROLES))),
            confidence=draw(SURENESS),
            reason=draw(REASONS),
            role_confidence=draw(SURENESS),
            role_reason=draw(REASONS),
        )
        for name in names
    }
    some = st.lists(st.sampled_from(names), min_size=1, max_size=3, unique=True).map(tuple)
    mine = draw(some)
    reference = ForeignKey(
        columns=mine,
        table=draw(NAMES),
        to=tuple(draw(NAMES) for _ in mine),
        confidence=draw(SURENESS),
        reason=draw(REASONS),
    )
    sequence = Sequence(
        key=draw(st.one_of(st.just(()), some)), order=names[0], confidence=draw(SURENESS), reason=draw(REASONS)
    )
    return Table(
        columns=columns,
        key=draw(st.one_of(st.none(), some)),
        key_confidence=draw(SURENESS),
        key_reason=draw(REASONS),
        foreign_keys=draw(st.sampled_from([(), (reference,)])),
        sequence=draw(st.sampled_from([None, sequence])),
    )


SCHEMAS = st.dictionaries(NAMES, _tables(), max_size=3).map(lambda tables: Schema(tables=tables))


def _meaning(schema: Schema) -> object:
    """What a schema states: everything but how sure it is and why, in order."""
    return [
        (
            name,
            [(c, m.kind, m.role) for c, m in t.columns.items()],
            t.key,
            [(f.columns, f.table, f.to) for f in t.foreign_keys],
            None if t.sequence is None else (t.sequence.key, t.sequence.order),
        )
        for name, t in schema.tables.items()
    ]


@settings(max_examples=150, deadline=None)
@given(SCHEMAS)
def test_any_schema_reads_back(schema: Schema) -> None:
    text = schema.to_yaml()
    assert _meaning(Schema.from_yaml(text)) == _meaning(schema)
    assert yaml.safe_load(text)["version"] == 1  # it is YAML to others too
    assert Schema.from_yaml(text).to_yaml() == re.sub(r"  # check: .*", "", text)


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_name_survives_a_file(tmp_path: Path, name: str) -> None:
    schema = Schema(tables={name: Table(columns={name: Column(kind="number")}, key=(name,))})
    schema.save(tmp_path / "schema.yaml")
    assert _meaning(Schema.load(tmp_path / "schema.yaml")) == _meaning(schema)


def test_the_file_is_short_and_marks_only_what_is_unsure() -> None:
    columns = {
        "id": Column(kind="id", confidence=0.97, reason="unique."),
        "code": Column(kind="category", confidence=0.6, reason="5 distinct\nvalues."),
        "mail": Column(kind="text", role="email", role_confidence=0.7, role_reason="looks so."),
    }
    reference = ForeignKey(columns=("code",), table="t", to=("id",), confidence=0.6, reason="`code` → `t.id`")
    table = Table(columns=columns, key=("id",), key_confidence=0.95, foreign_keys=(reference,))
    assert Schema(tables={"t": table}).to_yaml().splitlines() == [
        "version: 1",
        "tables:",
        "  t:",
        "    key: [id]",
        "    foreign_keys:",
        "      - {columns: [code], table: t, to: [id]}  # check: `code` → `t.id`",
        "    columns:",
        "      id: id",
        "      code: category  # check: 5 distinct values.",
        "      mail: {kind: text, role: email}  # check: looks so.",
    ]


def test_names_need_no_quotes_when_written_by_hand() -> None:
    text = "tables:\n  no:\n    key: yes\n    columns:\n      yes: boolean\n      1: number\n      2020-01-01: number\n"
    table = Schema.from_yaml(text)["no"]
    assert (list(table.columns), table.key) == (["yes", "1", "2020-01-01"], ("yes",))


@pytest.mark.parametrize(
    ("text", "line", "says"),
    [
        ("tables:\n  t:\n    columns:\n      a: numbr\n", 4, "Did you mean 'number'?"),
        ("tables:\n  t:\n    columns:\n      a: {kind: text, role: emial}\n", 4, "Did you mean 'email'?"),
        ("tables:\n  t:\n    columns:\n      a: {kin: text}\n", 4, "Did you mean 'kind'?"),
        ("tables:\n  t:\n    colums:\n      a: text\n", 3, "Did you mean 'columns'?"),
        ("table:\n  t:\n    columns: {}\n", 1, "Did you mean 'tables'?"),
        ("tables:\n  t:\n    columns:\n      a: text\n      a: number\n", 5, "twice"),
        ("tables:\n  t:\n    foreign_keys:\n      - {columns: [a, b], table: t, to: [c]}\n", 4, "as many"),
        ("tables:\n  t:\n    foreign_keys:\n      - {columns: [a], table: t}\n", 4, "to: Field required"),
        ("tables:\n  t:\n    foreign_keys: {columns: [a]}\n", 3, "a list"),
        ("tables:\n  t:\n    key: {a: b}\n", 3, "list of names"),
        ("tables:\n  t:\n    columns:\n      a: [text]\n", 4, "a:"),
        ("version: 2\ntables: {}\n", 1, "version"),
        ("tables:\n  t: text\n", 2, "names"),
        ("tables:\n  t:\n    columns:\n      a: {kind: text, confidence: much}\n", 4, "confidence"),
        ("tables:\n  t:\n    columns:\n      a: {\n", 5, "not YAML"),
    ],
)
def test_a_wrong_word_is_named_with_its_line(text: str, line: int, says: str) -> None:
    with pytest.raises(SchemaError) as caught:
        Schema.from_yaml(text, where="my/schema.yaml")
    message = str(caught.value)
    if says != "a:":
        assert says in message
    assert message.startswith(f"my/schema.yaml:{line}")
    assert "\n" not in message


@pytest.mark.parametrize("text", ["", "a", "[]", "version: 1\n", "\x00"])
def test_what_is_no_schema_is_refused(text: str) -> None:
    with pytest.raises(SchemaError, match=r"schema\.yaml"):
        Schema.from_yaml(text)


def test_a_file_that_is_missing_or_not_text(tmp_path: Path) -> None:
    with pytest.raises(SchemaError, match="can't be read"):
        Schema.load(tmp_path / "none.yaml")
    (tmp_path / "bytes.yaml").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(SchemaError, match="UTF-8"):
        Schema.load(tmp_path / "bytes.yaml")


def test_a_file_runs_no_code(tmp_path: Path) -> None:
    target = tmp_path / "ran"
    text = f'tables:\n  t:\n    columns:\n      a: !!python/object/apply:os.mkdir ["{target}"]\n'
    with pytest.raises(SchemaError):
        Schema.from_yaml(text)
    assert not target.exists()


def test_a_file_in_part_is_completed_by_the_data() -> None:
    frame = pl.DataFrame({"id": range(60), "stars": [1, 2, 3] * 20, "day": ["2021-01-05", "2021-02-06"] * 30})
    known = Schema.from_yaml("tables:\n  t:\n    key:\n    columns:\n      stars: category\n")
    found = detect({"t": frame}, known=known)["t"]
    assert (found.columns["stars"].kind, found.columns["stars"].confidence) == ("category", 1)
    assert (found.columns["day"].kind, found.key) == ("datetime", None)


def test_guesses_are_rows_of_everything() -> None:
    frame = pl.DataFrame({"id": range(60), "email": [f"a{i}@b.org" for i in range(60)]})
    rows = detect({"t": frame}).guesses()
    assert [(r["column"], r["guess"]) for r in rows] == [
        ("id", "key"),
        ("id", "id"),
        ("email", "text"),
        ("email", "role email"),
    ]
    assert all(set(r) == {"table", "column", "guess", "confidence", "reason"} for r in rows)
    assert all(r["reason"] for r in rows)


def test_repr_is_readable_and_html_is_escaped() -> None:
    columns = {"id": Column(kind="id"), "<b>": Column(kind="text", role="name", reason="<script>")}
    reference = ForeignKey(columns=("id",), table="other", to=("key",))
    schema = Schema(
        tables={
            "t": Table(columns=columns, key=("id",), foreign_keys=(reference,), sequence=Sequence(key=(), order="id"))
        }
    )
    assert repr(schema).splitlines() == [
        "Schema",
        "  t: 2 columns, key id, sequence by id",
        "    id: id",
        "    text: <b>",
        "    id → other.key",
        "    roles: <b> (name)",
    ]
    html = schema._repr_html_()
    assert "&lt;script&gt;" in html
    assert "<script>" not in html


def test_columns_of_a_kind() -> None:
    table = Table(columns={"a": Column(kind="number"), "b": Column(kind="text"), "c": Column(kind="number")})
    assert table.of_kind("number", "id") == ("a", "c")
    assert table.of_kind() == ()
