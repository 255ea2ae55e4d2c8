"""The store: an entry is whole or it is not there, whatever is broken, killed or done at once."""

import datetime as dt
import decimal
import json
import os
import stat
import subprocess
import sys
import threading
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from polars.testing import assert_frame_equal
from polars.testing.parametric import dataframes

from cuvee import CuveeError, Dataset, Schema
from cuvee.core import Score, Scores
from cuvee.data.schema import Column, ForeignKey, Table
from cuvee.recipe.inputs import data_key
from cuvee.recipe.store import Entry, Store
from cuvee.verbs import Split

KEY = "ab" * 32
NOTED = Entry("data", "3 rows", {"people": 3}, 0.5)


def of(frame: pl.DataFrame, name: str = "people") -> Dataset:
    """A dataset without detection."""
    return Dataset(
        {name: frame}, Schema(tables={name: Table(columns=dict.fromkeys(frame.columns, Column(kind="opaque")))})
    )


PEOPLE = of(pl.DataFrame({"name": ["Ada", None, "Grace"], "age": [36, 41, None]}))


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(tmp_path / ".cuvee")


def test_what_is_kept_is_there(store: Store):
    assert store.entry(KEY) is None
    store.keep(KEY, PEOPLE, NOTED)
    assert store.entry(KEY) == NOTED
    assert_frame_equal(store.load(KEY).frame, PEOPLE.frame)


def test_every_type_and_the_whole_schema_come_back(store: Store):
    moment = dt.datetime(2013, 6, 1, 12, 30, 15, 123456)
    frame = pl.DataFrame({
        "enum": pl.Series(["b", None], dtype=pl.Enum(["a", "b"])),
        "categorical": pl.Series(["x", None], dtype=pl.Categorical),
        "decimal": pl.Series([decimal.Decimal("1.20"), None], dtype=pl.Decimal(10, 2)),
        "null": pl.Series([None, None], dtype=pl.Null),
        "time": [dt.time(1, 2, 3), None],
        "span": pl.Series([dt.timedelta(seconds=1), None], dtype=pl.Duration("ms")),
        "zone": pl.Series([moment, None], dtype=pl.Datetime("us", "Europe/Berlin")),
        "nano": pl.Series([moment, None], dtype=pl.Datetime("ns")),
        "small": pl.Series([1, None], dtype=pl.Int8),
        "huge": pl.Series([2**64 - 1, None], dtype=pl.UInt64),
        "float": pl.Series([float("nan"), -0.0], dtype=pl.Float32),
        "nested": [{"a": [1, 2]}, None],
        "array": pl.Series([[1, 2], None], dtype=pl.Array(pl.Int16, 2)),
        "bytes": [b"\x00\xff", None],
    })  # fmt: skip
    key = ForeignKey(
        columns=("small",), table="other/..", to=("id",), found=0.849, orphans=50_094, reason="84.9 % found"
    )
    columns = {c: Column(kind="opaque", confidence=0.1 + 0.2, reason="a guess") for c in frame.columns}
    other = pl.DataFrame({"id": [1]})
    tables = {
        "other/..": Table(columns={"id": Column(kind="id")}, key=("id",)),
        "données": Table(columns=columns, foreign_keys=(key,)),
    }
    data = Dataset({"données": frame, "other/..": other}, Schema(tables=tables))
    store.keep(KEY, data, NOTED)
    back = store.load(KEY)
    assert list(back.tables) == list(data.tables)
    assert back.schema == data.schema
    assert back["données"].schema == frame.schema
    assert_frame_equal(back["données"], frame)


@given(frame=dataframes(max_cols=4, max_size=8, excluded_dtypes=[pl.Object]))
@settings(max_examples=40, deadline=None)
def test_any_frame_comes_back(frame: pl.DataFrame, tmp_path_factory: pytest.TempPathFactory):
    store = Store(tmp_path_factory.mktemp("store"))
    store.keep(KEY, of(frame), NOTED)
    back = store.load(KEY).frame
    assert back.schema == frame.schema
    assert_frame_equal(back, frame)


def test_splits_scores_and_schemas_come_back(store: Store):
    split = Split(PEOPLE, of(PEOPLE.frame.head(1)))
    store.keep("1" * 64, split, Entry("split", "", {}, 0.0))
    assert_frame_equal(store.load("1" * 64).holdout.frame, split.holdout.frame)
    score = Score(
        "shape", "fidelity", 0.1 + 0.2, None, 1 / 3, (0.1, 0.5), 1.0, "Near.", None, ({"column": "é", "value": 1e-300},)
    )
    scores = Scores((score,), {"train": 3}, "age > 15", 7)
    store.keep("2" * 64, scores, Entry("scores", "", {}, 0.0))
    assert store.load("2" * 64) == scores
    store.keep("3" * 64, PEOPLE.schema, Entry("schema", "", {}, 0.0))
    assert store.load("3" * 64) == PEOPLE.schema


def files(store: Store) -> list[Path]:
    return sorted(p for p in (store.folder / "values" / KEY).rglob("*") if p.is_file())


def shorten(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-1])


def flip(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)


def empty(path: Path) -> None:
    path.write_bytes(b"")


@pytest.mark.parametrize("which", range(4))
@pytest.mark.parametrize("harm", [shorten, flip, empty, Path.unlink])
def test_what_is_broken_is_not_there_and_can_be_kept_again(store: Store, which: int, harm):
    store.keep(KEY, PEOPLE, NOTED)
    assert len(files(store)) == 4
    harm(files(store)[which])
    assert store.entry(KEY) is None
    with pytest.raises(CuveeError, match="has lost a value"):
        store.load(KEY)
    store.keep(KEY, PEOPLE, NOTED)
    assert store.entry(KEY) == NOTED
    assert_frame_equal(store.load(KEY).frame, PEOPLE.frame)


def test_a_file_too_many_is_not_trusted(store: Store):
    store.keep(KEY, PEOPLE, NOTED)
    (store.folder / "values" / KEY / "value" / "9.parquet").write_bytes(b"")
    assert store.entry(KEY) is None


@pytest.mark.parametrize("manifest", ["[]", "{}", "null", '"x"', '{"form": 1, "files": {}}'])
def test_a_manifest_of_another_form_is_not_trusted(store: Store, manifest: str):
    store.keep(KEY, PEOPLE, NOTED)
    (store.folder / "values" / KEY / "manifest.json").write_text(manifest)
    assert store.entry(KEY) is None


def test_a_manifest_that_was_edited_is_not_trusted(store: Store):
    store.keep(KEY, PEOPLE, NOTED)
    path = store.folder / "values" / KEY / "manifest.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | {"gave": "a million rows"}))
    assert store.entry(KEY) is None


def test_a_value_that_cannot_be_written_leaves_nothing(store: Store):
    odd = of(pl.DataFrame({"thing": pl.Series([object()], dtype=pl.Object)}))
    with pytest.raises(CuveeError, match=r"'people' can't be kept: the columns \['thing'\] hold Python objects"):
        store.keep(KEY, odd, NOTED)
    assert store.entry(KEY) is None
    assert list((store.folder / "aside").iterdir()) == []


KILLED = """
import os, signal, sys
from pathlib import Path
from cuvee.recipe.store import Entry, Store

class Half:
    def save(self, folder):
        folder.mkdir()
        (folder / "model.json").write_text("{")
        os.kill(os.getpid(), signal.SIGKILL)

Store(Path(sys.argv[1])).keep(sys.argv[2], Half(), Entry("model", "", {}, 0.0))
"""


def test_a_kill_while_writing_leaves_nothing_half_and_is_swept_up_a_day_later(store: Store):
    killed = subprocess.run([sys.executable, "-c", KILLED, str(store.folder), KEY], check=False)
    assert killed.returncode == -9
    left = list((store.folder / "aside").iterdir())
    assert len(left) == 1
    assert store.entry(KEY) is None
    store.keep(KEY, PEOPLE, NOTED)
    assert store.entry(KEY) == NOTED
    assert left[0].exists()  # it may belong to a run that is still at work
    os.utime(left[0], (0, 0))
    store.keep("cd" * 32, PEOPLE, NOTED)
    assert not left[0].exists()


def test_many_runs_at_once(store: Store):
    keys = [f"{i:064x}" for i in range(3)]
    failures: list[BaseException] = []
    start = threading.Barrier(6)

    def work(first: int) -> None:
        try:
            start.wait()
            for i in range(6):
                key = keys[(first + i) % 3]
                store.keep(key, PEOPLE, NOTED)
                assert store.entry(key) == NOTED
                assert_frame_equal(store.load(key).frame, PEOPLE.frame)
        except (AssertionError, CuveeError, OSError) as error:
            failures.append(error)

    threads = [threading.Thread(target=work, args=(i,)) for i in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []
    assert list((store.folder / "aside").iterdir()) == []


def test_the_store_is_for_its_user_alone_and_not_for_version_control(store: Store):
    store.keep(KEY, PEOPLE, NOTED)
    assert stat.S_IMODE(store.folder.stat().st_mode) == 0o700
    assert (store.folder / ".gitignore").read_text() == "*\n"


def test_a_store_that_cannot_be_made_is_a_sentence(tmp_path: Path):
    (tmp_path / "file").write_text("")
    with pytest.raises(CuveeError, match=r"The store .*can't be written: Not a directory"):
        Store(tmp_path / "file" / ".cuvee").keep(KEY, PEOPLE, NOTED)


def test_a_written_file_is_known_until_it_changes(store: Store, tmp_path: Path):
    out = tmp_path / "out.csv"
    assert store.written(out) is None
    out.write_text("a\n1\n")
    store.note(out, KEY)
    assert store.written(out) == KEY
    out.write_text("a\n2\n")
    assert store.written(out) is None
    out.unlink()
    assert store.written(out) is None


@given(seed=st.integers(0, 2**32 - 1))
@example(seed=69303451)  # has zeros of both signs
@settings(max_examples=25, deadline=None)
def test_the_hash_of_rows_does_not_hang_on_their_order_but_on_all_else(seed: int):
    rng = np.random.default_rng(seed)
    n = int(rng.integers(1, 30))
    frame = pl.DataFrame({
        "a": rng.integers(0, 4, n),
        "b": [None if rng.random() < 0.3 else str(v) for v in rng.integers(0, 3, n)],
        "c": rng.normal(size=n).round(1),
    })  # fmt: skip
    key = data_key(of(frame))
    assert data_key(of(frame[rng.permutation(n)])) == key
    assert data_key(of(frame.head(n - 1))) != key
    assert data_key(of(frame.rename({"a": "z"}))) != key
    assert data_key(of(frame.with_columns(pl.col("a") + 1))) != key
    assert data_key(of(frame.with_columns(pl.col("a").cast(pl.Int32)))) != key
    assert data_key(of(frame, name="others")) != key


def test_a_value_that_is_there_stays_unless_it_is_kept_anew(store: Store):
    other = of(PEOPLE.frame.reverse())
    store.keep(KEY, PEOPLE, NOTED)
    store.keep(KEY, other, NOTED)
    assert_frame_equal(store.load(KEY).frame, PEOPLE.frame)
    store.keep(KEY, other, NOTED, anew=True)
    assert_frame_equal(store.load(KEY).frame, other.frame)
    assert list((store.folder / "aside").iterdir()) == []
