"""A fitted synthesizer: what was chosen, what was learned, and what can be done with it."""

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from hashlib import sha256
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
from numpy.random import SeedSequence
from numpy.typing import NDArray

from cuvee.core.across import settled
from cuvee.core.asked import NOTHING, Asked, draw_asked
from cuvee.core.balance import Shares, balanced
from cuvee.core.folder import MANIFEST, write_folder
from cuvee.core.given import changed, fitted, known_cells
from cuvee.core.imputation import Filling, How, impute
from cuvee.core.method import Method
from cuvee.core.plugins import Event, Learned, Proof, Synthesizer, Watch, silent
from cuvee.core.sampling import BLOCK, block_count, in_order, thread_count
from cuvee.data.conditions_text import condition_of
from cuvee.data.dataset import Dataset
from cuvee.data.dtypes import dtype_to_json
from cuvee.data.errors import ModelError
from cuvee.data.interchange import ingest
from cuvee.data.schema import Schema

FORMAT, VERSION = "cuvee-model", 1
ARRAYS = "arrays.safetensors"
"""A model on disk is a folder of these two files."""


@dataclass(frozen=True, slots=True)
class Model:
    """A fitted synthesizer: what was chosen, what was learned, and what the data meant.

    Attributes:
        name: The synthesizer's name in the registry.
        spec: The synthesizer as it was chosen.
        schema: The schema of the training data.
        rows: Training rows by table.
        seed: The seed of the fit.
        learned: Statistics and weights.
        notes: What the user should know, in sentences.
        guarantee: The differential privacy guarantee, or None.
    """

    name: str
    spec: Synthesizer
    schema: Schema
    rows: Mapping[str, int]
    seed: int
    learned: Learned
    notes: tuple[str, ...] = ()
    guarantee: Mapping[str, float] | None = None

    def sample(
        self,
        n: int | None = None,
        *,
        where: Any = None,
        given: Any = None,
        balance: Any = None,
        fair: Any = None,
        seed: int = 0,
        workers: int | None = None,
        watch: Watch = silent,
    ) -> Dataset:
        """Make n rows (of the root table, where there are several).

        The same seed gives the same bytes, whatever the number of workers. Rows come in blocks of `BLOCK`, each from
        `SeedSequence(seed, block)`.

        Args:
            n: How many; None for as many as are given.
            where: What must be true of every row: text such as "age >= 60 and state in ('CA', 'NY')", or a mapping
                such as {"age": (60, None), "state": ["CA", "NY"]}; see `cuvee.data.conditions`.
            given: Rows of some of the columns: a dataset or any data frame. Their cells stay as they are, the others
                (columns that are not there, and nulls) are drawn to go with them.
            balance: Shares of values, met exactly in counts: {"fraud": {"yes": 0.5}}, {"sex": "equal"}, ranges
                {"age": {"age < 30": 0.4}}, combinations {("fraud", "sex"): {("yes", "F"): 0.25}}, or several of them
                at once. What is left out keeps its natural proportions; the rest of a row is drawn to go with it.
            fair: {"target": "income", "groups": ["sex"]} gives the target the same shares in every group (demographic
                parity of the data, and nothing more); target and groups have their natural shares.
            seed: The same seed gives the same rows.
            workers: Threads that make blocks at the same time; None takes the cores there are.
            watch: Told of progress.

        Raises:
            ModelError: n, the seed or the number of workers is no number that can be, or there are no such rows.
        """
        asked = self.asked(where, given)
        n = asked.size(n)
        if balance is None and fair is None:
            blocks = list(self.blocks(n, seed=seed, workers=workers, watch=watch, asked=asked))
        else:
            shares = Shares(balance, fair, seed, thread_count(workers))
            blocks = list(balanced(self.learned, n, asked, shares, watch=watch))
        tables = {t: pl.concat([b[t] for b in blocks]) if len(blocks) > 1 else blocks[0][t] for t in blocks[0]}
        return Dataset(tables, _without_broken_keys(self.schema, tables))

    def what_if(
        self,
        data: Any,
        change: Mapping[str, Any],
        *,
        keep: Sequence[str] | None = None,
        redraw: Sequence[str] | None = None,
        seed: int = 0,
        workers: int | None = None,
    ) -> Dataset:
        """Rows with some columns set to other values, and what depends on them drawn to go with that.

        This is what rows with such values look like in the data. It is no forecast of what a change would cause.

        Args:
            data: Rows with the columns of training.
            change: By column the new value, or a mapping from old values to new ones.
            keep: The columns that stay as they are; all others but the changed ones are drawn again.
            redraw: The columns that are drawn again, where `keep` is not said.
            seed: The same seed gives the same rows.
            workers: Threads that make blocks at the same time; None takes the cores there are.

        Raises:
            ModelError: A column is not there, or it is not said what stays.
        """
        known = self._like_training(data)
        given, kept = changed(known.frame, change, keep=keep, redraw=redraw)
        drawn = self.sample(given=given, seed=seed, workers=workers)
        return drawn.with_frame(drawn.name, drawn.frame.with_columns(kept))

    def impute(
        self,
        data: Any,
        *,
        columns: Sequence[str] | None = None,
        draws: int = 1,
        how: How = "draw",
        seed: int = 0,
        workers: int | None = None,
        watch: Watch = silent,
    ) -> Dataset:
        """Fill what is missing in rows; NaN counts as missing. All that is known stays as it is, bit by bit.

        A cell is drawn to go with all known cells of its row. It is taken to be missing for reasons that the known
        cells tell of (missing at random): that a cell is missing says nothing of its value beyond them.

        Args:
            data: Rows with the columns of training: a dataset or any data frame. Other columns stay as they are.
            columns: What to fill. None fills all but ids, texts and other columns whose values are made up: those are
                filled only where they are named.
            draws: How many completed copies to make. Several are stacked, and the column `draw` in front numbers them
                from 0: fit each by itself, and pool the results (`cuvee.numeric.pooling.pooled`).
            how: "draw" draws each cell from what the model holds possible, so that spread and dependence are right.
                "best" takes the middle of 50 draws for numbers and dates (the lower of two middles, so that it is a
                value that was drawn) and the most common draw for all else: the least error for a single cell, and too
                little spread for any figure on all of them.
            seed: The same seed gives the same cells.
            workers: Threads that fill blocks at the same time; None takes the cores there are.
            watch: Told of progress.

        Raises:
            ModelError: A column is not there or had no values in training, this synthesizer can't fill in rows, or
                draws, how or seed is nothing that can be.
        """
        filling = Filling.checked(draws=draws, how=how, seed=seed, workers=thread_count(workers))
        empty = self.learned.sample(0, start=0, rng=np.random.default_rng(0))
        if len(empty) > 1:
            raise ModelError(f"Rows are filled in for one table, and this model makes {len(empty)}.")
        (table, known), *_ = empty.items()
        dataset = data if isinstance(data, Dataset) else Dataset.of(data, name=table)
        frame = dataset.frame
        given = self._like_training(frame.select(c for c in frame.columns if c in known.columns)).frame
        return impute(self.learned, self.schema[table], dataset, given, columns, filling, watch=watch)

    def blocks(
        self,
        n: int,
        *,
        seed: int = 0,
        workers: int | None = 1,
        watch: Watch = silent,
        asked: Asked = NOTHING,
    ) -> Iterable[Mapping[str, pl.DataFrame]]:
        """The rows of `sample`, block by block; in constant memory, unless a constraint speaks of all rows together."""
        across = self.learned.across()
        made = self._plain_blocks(n, seed=seed, workers=workers, watch=watch, asked=asked)
        if across:
            made = settled(self.learned, across, made, n, asked=asked, seed=seed)
        proofs: list[tuple[Proof, ...]] = []
        for block in made:
            proofs.append(self.learned.prove(next(iter(block.values()))))
            yield block
        whole = {str(c) for c in across}
        for proof in (Proof.of_all(part) for part in zip(*proofs, strict=True)):
            # What holds over all rows was looked at over all rows, and there would be none if it did not hold.
            broken = 0 if proof.constraint in whole else proof.broken
            watch(Event(proof.constraint, 1, 1, f"broken in {broken:,} of {proof.rows:,} rows; {proof.how}"))

    def _plain_blocks(
        self, n: int, *, seed: int, workers: int | None, watch: Watch, asked: Asked
    ) -> Iterable[Mapping[str, pl.DataFrame]]:
        """The rows before what holds in all of them together is seen to."""
        count = block_count(n)

        def make(k: int) -> tuple[Mapping[str, pl.DataFrame], Method | None]:
            return self._block(k, n, seed=seed, asked=asked)

        methods: list[Method] = []
        for k, (block, method) in enumerate(in_order(make, range(count), thread_count(workers))):
            yield block
            methods += [method] if method is not None else []
            watch(Event("sample", min((k + 1) * BLOCK, n), n))
        if methods:
            watch(Event("asked", 1, 1, str(Method.of_all(methods))))

    def asked(self, where: Any = None, given: Any = None, *, filled: Sequence[str] = ()) -> Asked:
        """What is asked of rows, checked against the columns of training.

        Raises:
            CuveeError: The condition can't be read, or a column is not there or holds something else.
        """
        condition = condition_of(where)
        if where is None and given is None and not filled:
            return NOTHING
        tables = self.learned.sample(0, start=0, rng=np.random.default_rng(0))
        if len(tables) > 1:
            raise ModelError(f"Rows can be asked for of one table, and this model makes {len(tables)}.")
        (name, empty), *_ = tables.items()
        condition.truth(empty)
        frame = None
        if given is not None:
            frame = known_cells(given.frame if isinstance(given, Dataset) else ingest(given, name)[0], empty, name)
        return Asked(condition, frame, tuple(filled))

    def block(self, k: int, n: int, *, seed: int = 0, asked: Asked = NOTHING) -> Mapping[str, pl.DataFrame]:
        """Block k of the n rows of `sample`, made alone: rows k * `BLOCK` to (k + 1) * `BLOCK`.

        Raises:
            ModelError: There is no such block, or n or the seed is no number that can be, or a constraint speaks of all
                rows together.
        """
        across = self.learned.across()
        if across:
            raise ModelError(f"A block can't be made alone: {str(across[0])!r} speaks of all rows together.")
        return self._block(k, n, seed=seed, asked=asked)[0]

    def columns(self) -> tuple[str, ...]:
        """The columns of the only table that it makes; none where it makes several."""
        tables = self.learned.sample(0, start=0, rng=np.random.default_rng(0))
        return tuple(next(iter(tables.values())).columns) if len(tables) == 1 else ()

    def prove(self, data: Any) -> tuple[Proof, ...]:
        """What is found of each constraint in rows: how many were looked at, and how many break it.

        Args:
            data: Rows with the columns of training: a dataset, or any data frame.
        """
        return self.learned.prove(self._like_training(data).frame)

    def _block(self, k: int, n: int, *, seed: int, asked: Asked) -> tuple[Mapping[str, pl.DataFrame], Method | None]:
        """Block k, and how what was asked was met.

        Raises:
            ModelError: There is no such block, or n or the seed is no number that can be.
        """
        count = block_count(n)
        if not isinstance(seed, int) or seed < 0:  # pyright: ignore[reportUnnecessaryIsInstance]
            raise ModelError(f"The seed is {seed!r}; it is a whole number, 0 or more.")
        if not 0 <= k < count:
            raise ModelError(f"{n:,} rows have the blocks 0 to {count - 1}, of {BLOCK:,} rows each; there is no {k}.")
        start = k * BLOCK
        size, sequence = min(BLOCK, n - start), SeedSequence(seed, spawn_key=(k,))
        if asked:
            return draw_asked(self.learned, size, asked.rows(start, size), start=start, seed=sequence)
        return self.learned.sample(size, start=start, rng=np.random.default_rng(sequence)), None

    def history(self) -> pl.DataFrame | None:
        """How it was learned, one row an epoch, see `Learned.history`; None for what does not learn in epochs."""
        return self.learned.history()

    def log_prob(self, data: Any) -> NDArray[np.float64]:
        """Log density of each row under the model, (n,) in nats: the lower, the odder the row.

        Args:
            data: Rows with the columns of training: a dataset, or any data frame.

        Raises:
            ModelError: This synthesizer defines no density, or the columns differ.
        """
        density = self.learned.log_prob(data if isinstance(data, Dataset) else self._like_training(data))
        if density is None:
            raise ModelError(f"{self.name!r} defines no density. `cuvee models` lists those that do with 'log_prob'.")
        return density

    def log_prob_cells(self, data: Any) -> pl.DataFrame:
        """Log density of each cell, in nats: one column for each column of the table, one row for each row.

        Good for saying why a row is odd: the lowest cells of a row with a low `log_prob` are those that do not go with
        the rest of it. A mistyped age stands out beside the job and the school of the same person, though the age
        itself is a common one. Whether a cell is judged given all others or given those before it is the
        synthesizer's to say.

        Raises:
            ModelError: This synthesizer defines no density of cells, or the columns differ.
        """
        known = self._like_training(data)
        density = self.learned.log_prob_cells(known)
        if density is None:
            raise ModelError(
                f"{self.name!r} defines no density of cells. `cuvee models` lists those that do with 'log_prob_cells'."
            )
        return pl.DataFrame({c: density[:, j] for j, c in enumerate(known.frame.columns)})

    def update(self, data: Any, *, seed: int | None = None, watch: Watch = silent) -> "Model":
        """A new model that has learned more rows of the same columns; this one stays as it is.

        Args:
            data: The rows: a dataset, or any data frame.
            seed: The same seed gives the same model; None goes on from the seed of the fit.
            watch: Told of progress.

        Raises:
            ModelError: The columns or dtypes differ, there are no rows, or this synthesizer learns all rows at once.
        """
        if seed is not None and (not isinstance(seed, int) or seed < 0):  # pyright: ignore[reportUnnecessaryIsInstance]
            raise ModelError(f"The seed is {seed!r}; it is a whole number, 0 or more.")
        if self.guarantee is not None:
            raise ModelError(
                "This model has a privacy guarantee for the rows that it was fitted on, which more rows would break. "
                "Fit a new model on all rows."
            )
        more = self._like_training(data)
        added = {t: f.height for t, f in more.tables.items()}
        if not sum(added.values()):
            raise ModelError(f"Table {', '.join(map(repr, added))} has no rows to learn.")
        # Rows that were learned before number the step, so that each update draws numbers of its own.
        sequence = SeedSequence(self.seed if seed is None else seed, spawn_key=(1, sum(self.rows.values())))
        learned = self.learned.update(more, rng=np.random.default_rng(sequence), watch=watch)
        before = set(self.learned.notes())
        told = f"Updated with {sum(added.values()):,} more rows."
        return replace(
            self,
            rows={t: n + added.get(t, 0) for t, n in self.rows.items()},
            learned=learned,
            notes=(*(n for n in self.notes if n not in before), told, *learned.notes()),
        )

    def fingerprint(self) -> str:
        """SHA-256 of all that makes the rows: the same for two models that sample the same."""
        files = self._files()
        return sha256(files[MANIFEST] + files[ARRAYS]).hexdigest()

    def _like_training(self, data: Any) -> Dataset:
        """Rows as a dataset with the table, the columns in order, and the dtypes of training.

        Raises:
            ModelError: They have others.
        """
        wanted = {t: f.schema for t, f in self.learned.sample(0, start=0, rng=np.random.default_rng(0)).items()}
        if isinstance(data, Dataset):
            given = dict(data.tables)
        else:
            given = {next(iter(wanted)): ingest(data, next(iter(wanted)))[0]}
        if len(given) == len(wanted) == 1:
            given = dict(zip(wanted, given.values(), strict=True))
        if set(given) != set(wanted):
            raise ModelError(
                f"The model has the tables {', '.join(wanted)}, and the data {', '.join(given) or 'none'}."
            )
        return Dataset({t: fitted(given[t], schema, t) for t, schema in wanted.items()}, self.schema)

    def save(self, path: str | Path) -> None:
        """Write the model as a folder of model.json and arrays.safetensors, beside first and then moved into place.

        Raises:
            ModelError: The path is taken by something that is not a model, or can't be written.
        """
        write_folder(Path(path), self._files())

    def _files(self) -> dict[str, bytes]:
        """The two files of a model folder."""
        from safetensors.numpy import save

        values, arrays = self.learned.state()
        content = save({name: np.ascontiguousarray(array) for name, array in arrays.items()})
        empty = self.learned.sample(0, start=0, rng=np.random.default_rng(0))
        manifest = {
            "format": FORMAT,
            "version": VERSION,
            "name": self.name,
            "spec": self.spec.model_dump(mode="json"),
            "schema": self.schema.model_dump(mode="json"),
            "dtypes": {t: {c: dtype_to_json(d) for c, d in frame.schema.items()} for t, frame in empty.items()},
            "rows": dict(self.rows),
            "seed": self.seed,
            "notes": list(self.notes),
            "guarantee": None if self.guarantee is None else dict(self.guarantee),
            "constrained": bool(self.learned.prove(empty[next(iter(empty))])),
            "state": values,
            "arrays": {"bytes": len(content), "sha256": sha256(content).hexdigest()},
        }
        return {ARRAYS: content, MANIFEST: json.dumps(manifest, allow_nan=False, ensure_ascii=False).encode()}

    def __repr__(self) -> str:
        rows = ", ".join(f"{t} {n:,} rows" for t, n in self.rows.items())
        return f"Model({self.name}, {rows})"


def _without_broken_keys(schema: Schema, tables: Mapping[str, pl.DataFrame]) -> Schema:
    """The schema without the keys that sampled rows repeat: dates, and pairs of columns, are not made unique."""
    broken = {
        name: table.model_copy(update={"key": None})
        for name, table in schema.tables.items()
        if table.key is not None and tables[name].select(table.key).is_duplicated().any()
    }
    return schema if not broken else schema.model_copy(update={"tables": {**schema.tables, **broken}})
