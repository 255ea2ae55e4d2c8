"""schema.yaml: how a schema is written as text, and read with the line of what is wrong."""

import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final, TypeVar

import yaml
from pydantic import ValidationError
from yaml.nodes import MappingNode, Node, ScalarNode, SequenceNode

from cuvee.data.errors import SchemaError
from cuvee.data.kinds import KINDS, ROLES
from cuvee.data.names import did_you_mean
from cuvee.data.schema import Column, ForeignKey, Part, Schema, Sequence, Table

SURE = 0.8
"""A guess below this confidence is marked `# check` in schema.yaml."""

P = TypeVar("P", bound=Part)

_PLAIN = re.compile(r"[A-Za-z_][A-Za-z0-9_.\-]*(?: [A-Za-z0-9_.\-]+)*")
_READ_AS_SOMETHING_ELSE: Final = frozenset(
    ["y", "n", "yes", "no", "true", "false", "on", "off", "null", "none", "nan", "inf"]
)
_LONGEST_PLAIN_KEY = 900
"""YAML takes no longer keys than 1024 characters before a colon; longer ones need a question mark."""


def write_schema(schema: Schema) -> str:
    """The text of schema.yaml: a line a column; only unsure lines say why, behind `# check:`."""
    lines = ["version: 1", "tables:" if schema.tables else "tables: {}"]
    for name, table in schema.tables.items():
        lines += [_entry(2, name, ""), *_table_lines(table)]
    return "\n".join(lines) + "\n"


def word_of(value: str) -> str:
    """A YAML scalar for a name, quoted only where it must be."""
    if _PLAIN.fullmatch(value) and value.lower() not in _READ_AS_SOMETHING_ELSE:
        return value
    quoted = json.dumps(value, ensure_ascii=False)
    return "".join(c if c.isprintable() else _escape(c) for c in quoted)


def _escape(character: str) -> str:
    code = ord(character)
    return f"\\x{code:02x}" if code < 0x100 else f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"


def _entry(indent: int, name: str, value: str, comment: str = "") -> str:
    key, space = word_of(name), " " * indent
    line = f"{key}:" if len(key) < _LONGEST_PLAIN_KEY else f"? {key}\n{space}:"
    return f"{space}{line}{' ' if value else ''}{value}{comment}"


def _list(values: Iterable[str]) -> str:
    return "[" + ", ".join(word_of(v) for v in values) + "]"


def _check(*guesses: tuple[float, str]) -> str:
    """The comment of a line: the reasons of its unsure guesses, in characters that YAML allows."""
    unsure = [" ".join(reason.split()) or "unsure" for confidence, reason in guesses if confidence < SURE]
    text = "".join(c if c.isprintable() else "?" for c in " ".join(unsure))
    return f"  # check: {text}" if unsure else ""


def _table_lines(table: Table) -> list[str]:
    lines: list[str] = []
    if table.key is not None:
        lines.append(_entry(4, "key", _list(table.key), _check((table.key_confidence, table.key_reason))))
    if table.foreign_keys:
        lines.append("    foreign_keys:")
    for f in table.foreign_keys:
        parts = f"{{columns: {_list(f.columns)}, table: {word_of(f.table)}, to: {_list(f.to)}}}"
        lines.append(f"      - {parts}{_check((f.confidence, f.reason))}")
    if table.sequence is not None:
        s = table.sequence
        parts = f"{{key: {_list(s.key)}, order: {word_of(s.order)}}}"
        lines.append(_entry(4, "sequence", parts, _check((s.confidence, s.reason))))
    lines += _constraint_lines(table)
    lines.append("    columns:" if table.columns else "    columns: {}")
    for name, c in table.columns.items():
        value = c.kind if c.role is None else f"{{kind: {c.kind}, role: {c.role}}}"
        role = [(c.role_confidence, c.role_reason)] if c.role is not None else []
        lines.append(_entry(6, name, value, _check((c.confidence, c.reason), *role)))
    return lines


def _constraint_lines(table: Table) -> list[str]:
    """What is stated, and, behind a #, what could be."""
    from cuvee.data.constraint_lines import told

    lines = ["    constraints:"] if table.constraints else []
    lines += [f"      - {told(line)}" for line in table.constraints]
    if table.proposals and not table.constraints:
        lines.append("    # constraints:  # remove the # and the blank behind it, here and before those to be kept")
    for p in table.proposals:
        rows = f": rows {', '.join(map(str, p.where))}{', …' if p.exceptions > len(p.where) else ''}" if p.where else ""
        text = " ".join(p.reason.split(": ", 1)[0].split()) + rows
        lines.append(f"    {'' if table.constraints else '  '}# - {told(p.line)}  # {text}")
    return lines


def read_schema(text: str, where: str) -> Schema:
    """The schema that a text of schema.yaml states.

    Args:
        text: The text.
        where: The file's name, for messages.

    Raises:
        SchemaError: It is not YAML, or not a schema: the message names the line and the nearest right word.
    """
    try:
        root = yaml.compose(text, Loader=yaml.SafeLoader)
    except yaml.YAMLError as error:
        raise SchemaError(_not_yaml(error, where)) from error
    reader = _Reader(where)
    if not isinstance(root, MappingNode):
        raise SchemaError(f"{where} has no 'tables:'. Write it with: cuvee inspect FILE -o schema.yaml")
    parts = reader.fields(root, {"version", "tables"}, "a schema")
    if "tables" not in parts:
        raise SchemaError(f"{where} has no 'tables:'. Write it with: cuvee inspect FILE -o schema.yaml")
    if "version" in parts and reader.scalar(parts["version"], "the version") != "1":
        raise reader.wrong(parts["version"], "this version of the file is not known; 1 is.")
    tables = reader.names(parts["tables"], "'tables'")
    return Schema(tables={name: reader.table(name, node) for name, node in tables.items()})


def _not_yaml(error: yaml.YAMLError, where: str) -> str:
    mark = getattr(error, "problem_mark", None)
    place = f"{where}:{mark.line + 1}" if mark is not None else where
    problem = getattr(error, "problem", None) or getattr(error, "reason", None) or "unreadable text"
    return f"{place} is not YAML: {problem}. Names with special characters need double quotes."


@dataclass(frozen=True, slots=True)
class _Reader:
    """Reads the parts of a schema from YAML nodes, whose lines it can name.

    Names are taken as they are written, so that a column called `no` or `1` needs no quotes.
    """

    where: str

    def wrong(self, node: Node, says: str) -> SchemaError:
        return SchemaError(f"{self.where}:{node.start_mark.line + 1}: {says}")

    def names(self, node: Node, what: str) -> dict[str, Node]:
        """A mapping of names; an empty value is an empty mapping."""
        if _is_null(node):
            return {}
        if not isinstance(node, MappingNode):
            raise self.wrong(node, f"{what} must be names, each with a colon behind it.")
        out: dict[str, Node] = {}
        for key, value in node.value:
            if not isinstance(key, ScalarNode):
                raise self.wrong(key, f"a name in {what} must be text.")
            if key.value in out:
                raise self.wrong(key, f"{key.value!r} stands twice in {what}. Keep one.")
            out[key.value] = value
        return out

    def fields(self, node: Node, allowed: Iterable[str], what: str) -> dict[str, Node]:
        """A mapping whose names are among those allowed."""
        known = sorted(allowed)
        found = self.names(node, what)
        for key, _ in node.value if isinstance(node, MappingNode) else []:
            if key.value not in known:
                raise self.wrong(key, f"{what} has no {key.value!r}.{did_you_mean(key.value, known)}")
        return found

    def scalar(self, node: Node, what: str) -> str | None:
        if not isinstance(node, ScalarNode):
            raise self.wrong(node, f"{what} must be one word.")
        return None if _is_null(node) else node.value

    def words(self, node: Node, what: str) -> tuple[str, ...]:
        """A list of names; one name alone is a list of one."""
        if isinstance(node, ScalarNode):
            return (node.value,)
        if not isinstance(node, SequenceNode) or not all(isinstance(n, ScalarNode) for n in node.value):
            raise self.wrong(node, f"{what} must be a list of names, such as [id].")
        return tuple(n.value for n in node.value)

    def table(self, name: str, node: Node) -> Table:
        what = f"table {name!r}"
        parts = self.fields(node, [f for f in Table.model_fields if f != "proposals"], what)
        values: dict[str, Any] = {"columns": {}}
        for part, child in parts.items():
            if part == "columns":
                columns = self.names(child, f"the columns of {what}")
                values[part] = {c: self.column(c, name, n) for c, n in columns.items()}
            elif part == "constraints":
                values[part] = self.constraints(child, what)
            elif part == "foreign_keys":
                values[part] = self.foreign_keys(child, what)
            elif _is_null(child):
                values[part] = None
            elif part == "sequence":
                values[part] = self.part(Sequence, child, f"the sequence of {what}")
            else:
                values[part] = self.words(child, f"the key of {what}") if part == "key" else self.scalar(child, part)
        return self.made(Table, values, node, what)

    def constraints(self, node: Node, what: str) -> tuple[Any, ...]:
        """Lines of text or mappings, as they are written."""
        if _is_null(node):
            return ()
        if not isinstance(node, SequenceNode):
            raise self.wrong(node, f"the constraints of {what} must be a list, each line beginning with a dash.")
        lines: list[Any] = []
        for one in node.value:
            if isinstance(one, ScalarNode) and not _is_null(one):
                lines.append(one.value)
            elif isinstance(one, MappingNode):
                lines.append({k: self.plain(v, k) for k, v in self.names(one, "a constraint").items()})
            else:
                raise self.wrong(one, "a constraint is text, or a mapping such as {follows: b, from: [a]}.")
        return tuple(lines)

    def plain(self, node: Node, what: str) -> Any:
        """A list of words, a word, or, where it is not in quotes, the number or truth value that it is."""
        if isinstance(node, SequenceNode):
            return list(self.words(node, what))
        value = self.scalar(node, what)
        if value is None or not isinstance(node, ScalarNode) or node.style is not None:
            return value
        kinds = {"tag:yaml.org,2002:bool", "tag:yaml.org,2002:int", "tag:yaml.org,2002:float"}
        return yaml.safe_load(value) if node.tag in kinds and what in {"low", "high", "strict", "zero"} else value

    def foreign_keys(self, node: Node, what: str) -> tuple[ForeignKey, ...]:
        if _is_null(node):
            return ()
        if not isinstance(node, SequenceNode):
            raise self.wrong(node, f"the foreign keys of {what} must be a list, each line beginning with a dash.")
        return tuple(self.part(ForeignKey, n, f"a foreign key of {what}") for n in node.value)

    def column(self, name: str, table: str, node: Node) -> Column:
        what = f"column {name!r} of table {table!r}"
        if isinstance(node, ScalarNode):
            return Column(kind=self.choice(node, KINDS, f"{what} has the kind"))
        parts = self.fields(node, Column.model_fields, what)
        if "kind" in parts:
            self.choice(parts["kind"], KINDS, f"{what} has the kind")
        if "role" in parts and not _is_null(parts["role"]):
            self.choice(parts["role"], ROLES, f"{what} has the role")
        return self.made(Column, {p: self.scalar(n, f"{p} of {what}") for p, n in parts.items()}, node, what)

    def choice(self, node: Node, choices: tuple[Any, ...], says: str) -> Any:
        value = self.scalar(node, f"what {says}") or ""
        if value not in choices:
            raise self.wrong(node, f"{says} {value!r}, which is none.{did_you_mean(value, choices)}")
        return value

    def part(self, kind: type[P], node: Node, what: str) -> P:
        """A part of a table, whose lists of names are tuples and whose other fields are words."""
        parts = self.fields(node, kind.model_fields, what)
        lists = {n for n, f in kind.model_fields.items() if f.annotation == tuple[str, ...]}
        values = {
            p: self.words(n, f"{p} of {what}") if p in lists else self.scalar(n, f"{p} of {what}")
            for p, n in parts.items()
        }
        return self.made(kind, values, node, what)

    def made(self, kind: type[P], values: Mapping[str, Any], node: Node, what: str) -> P:
        try:
            return kind.model_validate(dict(values))
        except ValidationError as error:
            first = error.errors()[0]
            place = ".".join(str(p) for p in first["loc"])
            says = first["msg"].removeprefix("Value error, ")
            raise self.wrong(node, f"{what}: {f'{place}: ' if place else ''}{says}.") from error


def _is_null(node: Node) -> bool:
    return isinstance(node, ScalarNode) and node.tag == "tag:yaml.org,2002:null"
