"""Names in SQL and in tables."""

from collections.abc import Iterable


def quote_identifier(name: str) -> str:
    """A name as an SQL identifier, whatever stands in it (standard SQL: SQLite, DuckDB, PostgreSQL).

    >>> quote_identifier('a "b"; drop table c')
    '"a ""b""; drop table c"'

    Raises:
        ValueError: The name holds a NUL character, which no SQL identifier can.
    """
    if "\0" in name:
        raise ValueError("A NUL character stands in an SQL name.")
    return '"' + name.replace('"', '""') + '"'


def unique_names(names: Iterable[str | None]) -> list[str]:
    """Column names without gaps and repetitions: an empty one becomes `column_3`, a second `age` becomes `age_2`.

    >>> unique_names(["age", "", "age", "age_2", "age"])
    ['age', 'column_2', 'age_3', 'age_2', 'age_4']
    """
    given = list(names)
    kept = set(given)
    seen: set[str] = set()
    out: list[str] = []
    for position, name in enumerate(given, start=1):
        unique = name or f"column_{position}"
        repeat = 2
        while unique in seen or (unique != name and unique in kept):
            unique = f"{name or f'column_{position}'}_{repeat}"
            repeat += 1
        seen.add(unique)
        out.append(unique)
    return out
