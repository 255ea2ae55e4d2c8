"""The schema: what each column means, which columns are keys, and how tables refer to each other.

A schema is written by detection (`cuvee inspect`) or by hand. The file `schema.yaml` is short: a line a column, and a
comment `# check` only where detection was unsure.
"""

from collections.abc import Iterator, Mapping
from html import escape
from pathlib import Path
from typing import Any, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from cuvee.data.errors import SchemaError
from cuvee.data.kinds import Kind, Role


class Part(BaseModel):
    """A part of a schema: frozen, and closed to names it does not know."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class Column(Part):
    """One column: its kind, its role if it speaks of a person or place, and how sure the guesses are."""

    kind: Kind
    role: Role | None = None
    confidence: float = Field(default=1.0, ge=0, le=1, description="1 where a person or a dtype said it.")
    reason: str = Field(default="", description="Why detection chose this kind, in a sentence.")
    role_confidence: float = Field(
        default=1.0, ge=0, le=1, description="How sure the role is; 1 where a person said it."
    )
    role_reason: str = Field(default="", description="Why detection chose this role, in a sentence.")

    @property
    def sensitive(self) -> bool:
        return self.role is not None and self.role not in {"latitude", "longitude"}


class ForeignKey(Part):
    """Columns whose values are found in the key of another table (or of this one).

    Composite keys have several columns, in the order of the key they refer to. Nulls refer to nothing. Values without
    a parent row are orphans: they are counted, reported and kept.
    """

    columns: tuple[str, ...] = Field(min_length=1)
    table: str
    to: tuple[str, ...] = Field(min_length=1)
    found: float = Field(
        default=1.0, ge=0, le=1, description="Share of non-null rows whose value stands in the parent."
    )
    orphans: int = Field(default=0, ge=0, description="Non-null rows without a parent row.")
    confidence: float = Field(default=1.0, ge=0, le=1)
    reason: str = ""

    @model_validator(mode="after")
    def _same_length(self) -> Self:
        if len(self.columns) != len(self.to):
            raise ValueError(f"{len(self.columns)} columns refer to {len(self.to)}; give as many on both sides")
        return self


class Sequence(Part):
    """The table is a set of sequences: rows of one `key` belong together, in the order of `order`."""

    key: tuple[str, ...] = Field(description="Empty for one single sequence.")
    order: str
    confidence: float = Field(default=1.0, ge=0, le=1)
    reason: str = ""


class Proposal(Part):
    """A constraint that holds in the data, or nearly: it is not kept unless somebody states it."""

    line: str | Mapping[str, Any] = Field(description="As it is written under `constraints`.")
    rows: int = Field(ge=0, description="Rows that were judged; where a value is missing nothing can be told.")
    exceptions: int = Field(ge=0, description="Rows that break it.")
    where: tuple[int, ...] = Field(default=(), description="The numbers of the first rows that break it, from 0.")
    confidence: float = Field(ge=0, le=1)
    reason: str = ""


class Table(Part):
    """One table: its columns in order, its key, what it refers to, its sequences, and what holds in every row."""

    columns: Mapping[str, Column]
    key: tuple[str, ...] | None = None
    key_confidence: float = Field(default=1.0, ge=0, le=1)
    key_reason: str = ""
    foreign_keys: tuple[ForeignKey, ...] = ()
    sequence: Sequence | None = None
    constraints: tuple[str | Mapping[str, Any], ...] = Field(
        default=(),
        description="What holds in every row that is made: text, or a mapping such as {follows: b, from: [a]}.",
    )
    proposals: tuple[Proposal, ...] = Field(
        default=(), description="Constraints that hold in the data, to be stated or not."
    )

    def of_kind(self, *kinds: Kind) -> tuple[str, ...]:
        """The names of the columns of these kinds, in order."""
        return tuple(name for name, column in self.columns.items() if column.kind in kinds)

    def guesses(self) -> list[dict[str, object]]:
        """Every guess of this table: `column` (or columns), `guess`, `confidence`, `reason`; see `Schema.guesses`."""
        from cuvee.data.constraint_lines import columns_of_line, told  # lines are written by the schema's file

        rows: list[tuple[str, str, float, str]] = []
        if self.key is not None:
            rows.append((", ".join(self.key), "key", self.key_confidence, self.key_reason))
        rows += [
            (", ".join(f.columns), f"refers to {f.table}.{', '.join(f.to)}", f.confidence, f.reason)
            for f in self.foreign_keys
        ]
        if self.sequence is not None:
            s = self.sequence
            guess = f"order of the sequences of {', '.join(s.key)}" if s.key else "order of one sequence"
            rows.append((s.order, guess, s.confidence, s.reason))
        for name, c in self.columns.items():
            rows.append((name, c.kind, c.confidence, c.reason))
            if c.role is not None:
                rows.append((name, f"role {c.role}", c.role_confidence, c.role_reason))
        for p in self.proposals:
            rows.append((", ".join(columns_of_line(p.line)), f"constraint {told(p.line)}", p.confidence, p.reason))
        return [{"column": c, "guess": g, "confidence": s, "reason": r} for c, g, s, r in rows]


class Schema(Part):
    """What the tables of a dataset mean."""

    tables: Mapping[str, Table]

    def __iter__(self) -> Iterator[str]:  # pyright: ignore[reportIncompatibleMethodOverride]
        return iter(self.tables)

    def __len__(self) -> int:
        return len(self.tables)

    def __getitem__(self, table: str) -> Table:
        return self.tables[table]

    def guesses(self) -> list[dict[str, object]]:
        """Every guess with what speaks for it.

        Returns:
            Rows of `table`, `column` (several are joined by a comma), `guess` (a kind, "key", "refers to
            planes.tailnum", "order of the sequences of id", "role email"), `confidence` in [0, 1] and `reason`: of each
            table its key, its foreign keys and its sequence first, then its columns in order, then what could hold in
            every row.
        """
        return [{"table": name, **row} for name, table in self.tables.items() for row in table.guesses()]

    def __repr__(self) -> str:
        return "\n".join(["Schema", *(line for name, table in self.tables.items() for line in _summary(name, table))])

    def __str__(self) -> str:
        return repr(self)

    def _repr_html_(self) -> str:
        head = ("table", "column", "guess", "confidence", "reason")
        rows = [
            [str(row["table"]), str(row["column"]), str(row["guess"]), f"{row['confidence']:.2f}", str(row["reason"])]
            for row in self.guesses()
        ]
        body = "".join(f"<tr>{''.join(f'<td>{escape(cell)}</td>' for cell in row)}</tr>" for row in rows)
        return f"<table><thead><tr>{''.join(f'<th>{h}</th>' for h in head)}</tr></thead><tbody>{body}</tbody></table>"

    def to_yaml(self) -> str:
        """The schema as the text of schema.yaml."""
        from cuvee.data.schema_file import write_schema  # the file's form knows the schema, not the other way round

        return write_schema(self)

    def save(self, path: str | Path) -> None:
        """Write schema.yaml."""
        Path(path).write_bytes(self.to_yaml().encode())

    @classmethod
    def load(cls, path: str | Path) -> "Schema":
        """Read schema.yaml. What it says counts as stated by a person: its confidence is 1.

        Raises:
            SchemaError: The file is not there, not YAML or not a schema; the message names the file and the line.
        """
        try:
            text = Path(path).read_bytes().decode()
        except OSError as error:
            raise SchemaError(
                f"{path} can't be read: {error.strerror}. Write it with: cuvee inspect FILE -o schema.yaml"
            ) from error
        except UnicodeDecodeError as error:
            raise SchemaError(f"{path} is not UTF-8 text (byte {error.start}). Save it as UTF-8.") from error
        return cls.from_yaml(text, where=str(path))

    @classmethod
    def from_yaml(cls, text: str, *, where: str = "schema.yaml") -> "Schema":
        """Read the text of schema.yaml; see `load`.

        Raises:
            SchemaError: It is not YAML or not a schema; the message names the place.
        """
        from cuvee.data.schema_file import read_schema

        return read_schema(text, where)


def _summary(name: str, table: Table) -> list[str]:
    """A table in a few lines: its kinds, what it is keyed by and what it refers to."""
    lines = [f"  {name}: {len(table.columns)} columns"]
    if table.key is not None:
        lines[0] += f", key {', '.join(table.key)}"
    if table.sequence is not None:
        of = f" of {', '.join(table.sequence.key)}" if table.sequence.key else ""
        lines[0] += f", sequence{of} by {table.sequence.order}"
    kinds: dict[Kind, None] = dict.fromkeys(c.kind for c in table.columns.values())
    lines += [f"    {kind}: {', '.join(table.of_kind(kind))}" for kind in kinds]
    lines += [f"    {', '.join(f.columns)} → {f.table}.{', '.join(f.to)}" for f in table.foreign_keys]
    roles = [f"{n} ({c.role})" for n, c in table.columns.items() if c.role is not None]
    return [*lines, f"    roles: {', '.join(roles)}"] if roles else lines
