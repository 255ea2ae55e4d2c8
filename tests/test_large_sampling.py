"""Many rows: block by block, on threads, straight to files, and gone on with after an interruption."""

import threading
from pathlib import Path

import numpy as np
import polars as pl
import pyarrow.parquet as pq
import pytest

import cuvee
from cuvee.core import BLOCK, Event, Model, in_order
from cuvee.data.errors import ModelError, SourceError
from doubles import register

N = 2 * BLOCK + 1000
"""Rows of three blocks."""


@pytest.fixture(scope="module")
def model() -> Model:
    rng = np.random.default_rng(0)
    frame = pl.DataFrame({
        "id": [f"A{i:05}" for i in range(600)],
        "x": rng.normal(size=600),
        "day": pl.Series(rng.integers(18000, 19000, 600)).cast(pl.Date),
        "label": pl.Series(rng.choice(["a", "b, c", '"q"'], 600)).cast(pl.Categorical),
        "size": pl.Series(rng.choice(["s", "m", "l"], 600)).cast(pl.Enum(["s", "m", "l"])),
        "flag": pl.Series(rng.choice([True, False], 600)),
    })  # fmt: skip
    return cuvee.fit(frame, "independent", seed=1)


@pytest.fixture(scope="module")
def whole(model: Model) -> pl.DataFrame:
    return model.sample(N, seed=4, workers=1).frame


def interrupt(at: int):
    """A watch that is interrupted when `at` events have come."""
    seen: list[Event] = []

    def watch(event: Event) -> None:
        seen.append(event)
        if len(seen) == at:
            raise KeyboardInterrupt

    return watch


def test_the_number_of_workers_changes_nothing(model: Model, whole: pl.DataFrame) -> None:
    assert model.sample(N, seed=4, workers=3).frame.equals(whole, null_equal=True)
    assert whole["id"].n_unique() == N


def test_any_block_can_be_made_alone(model: Model, whole: pl.DataFrame) -> None:
    for k in (2, 0):
        block = model.block(k, N, seed=4)["data"]
        assert block.equals(whole[k * BLOCK : (k + 1) * BLOCK], null_equal=True)
    assert model.block(0, 0)["data"].height == 0
    with pytest.raises(ModelError, match=r"blocks 0 to 2, of 131,072 rows each; there is no 3"):
        model.block(3, N)
    with pytest.raises(ModelError, match="0 workers were asked for"):
        model.sample(3, workers=0)


def test_a_parquet_file_is_the_sample_whoever_made_it(model: Model, whole: pl.DataFrame, tmp_path: Path) -> None:
    files = [cuvee.sample(model, N, to=tmp_path / f"{w}.parquet", seed=4, workers=w) for w in (1, 3)]
    assert files[0].read_bytes() == files[1].read_bytes()
    assert pl.read_parquet(files[0]).equals(whole, null_equal=True)
    assert pl.read_parquet(files[0]).schema == whole.schema
    said = pq.ParquetFile(files[0]).metadata
    assert [said.row_group(i).num_rows for i in range(said.num_row_groups)] == [BLOCK, BLOCK, 1000]


def test_a_csv_file_is_the_sample_written_as_a_whole(model: Model, whole: pl.DataFrame, tmp_path: Path) -> None:
    made = cuvee.sample(model, N, to=tmp_path / "made.csv", seed=4, workers=2)
    cuvee.write(whole, tmp_path / "whole.csv")
    assert made.read_bytes() == (tmp_path / "whole.csv").read_bytes()
    assert made.read_bytes().count(b"id,x,day") == 1
    packed = cuvee.sample(model, 50, to=tmp_path / "made.csv.gz", seed=4)
    assert cuvee.read(packed).frame["id"].to_list() == model.sample(50, seed=4).frame["id"].to_list()


@pytest.mark.parametrize("name", ["none.parquet", "none.csv", "none.json"])
def test_no_rows_have_their_columns(model: Model, tmp_path: Path, name: str) -> None:
    cuvee.sample(model, 0, to=tmp_path / name)
    if not name.endswith(".json"):
        assert cuvee.read(tmp_path / name).frame.columns == list(model.sample(0).frame.columns)
    assert (tmp_path / name).is_file()


def test_forms_that_hold_no_blocks_get_the_same_rows(model: Model, tmp_path: Path) -> None:
    made = cuvee.sample(model, 40, to=tmp_path / "made.jsonl", seed=4)
    assert cuvee.read(made).frame["x"].to_list() == model.sample(40, seed=4).frame["x"].to_list()
    folder = cuvee.sample(model, 40, to=tmp_path / "tables", seed=4)
    assert (folder / "schema.yaml").is_file()
    assert cuvee.read(folder).frame.equals(model.sample(40, seed=4).frame, null_equal=True)


def test_integers_of_128_bits_reach_the_file(tmp_path: Path) -> None:
    wide = pl.DataFrame({"wide": pl.Series([2**90 + i for i in range(200)], dtype=pl.Int128), "x": [1.5, 2.5] * 100})
    model = cuvee.fit(wide, "independent")
    made = cuvee.sample(model, BLOCK + 5, to=tmp_path / "wide.parquet", seed=2)
    assert pl.read_parquet(made).equals(model.sample(BLOCK + 5, seed=2).frame)


def test_an_interruption_leaves_what_stood_there(model: Model, tmp_path: Path) -> None:
    for name in ("made.parquet", "made.csv"):
        file = cuvee.sample(model, 10, to=tmp_path / name)
        before = file.read_bytes()
        with pytest.raises(KeyboardInterrupt):
            cuvee.sample(model, N, to=file, watch=interrupt(2))
        assert file.read_bytes() == before
    assert sorted(p.name for p in tmp_path.iterdir()) == ["made.csv", "made.parquet"]


def test_what_fails_in_a_thread_is_said_and_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    register(tmp_path, monkeypatch)
    model = cuvee.fit(pl.DataFrame({"a": ["u", "v"] * 5}), "mute")
    with pytest.raises(ModelError, match="The second block can't be made"):
        cuvee.sample(model, N, to=tmp_path / "made.parquet", workers=2)
    with pytest.raises(ModelError, match="The second block can't be made"):
        cuvee.sample(model, N, to=tmp_path / "parts", parts=True, workers=2)
    assert not (tmp_path / "made.parquet").exists()
    assert [p.name for p in (tmp_path / "parts").iterdir()] == ["part-00000.parquet"]


def test_finished_parts_are_kept_and_only_the_missing_ones_made(
    model: Model, whole: pl.DataFrame, tmp_path: Path
) -> None:
    folder = tmp_path / "made"
    with pytest.raises(KeyboardInterrupt, match="run the same again"):
        cuvee.sample(model, N, to=folder, parts=True, seed=4, workers=1, watch=interrupt(2))
    first = sorted(folder.iterdir())
    assert [p.name for p in first] == ["part-00000.parquet"]
    before = first[0].stat().st_mtime_ns
    (folder / ".part-00002.parquet.part").write_bytes(b"cut off")
    events: list[Event] = []
    cuvee.sample(model, N, to=folder, seed=4, workers=2, watch=events.append)
    assert [(e.done, e.total) for e in events] == [(1, 3), (2, 3), (3, 3)]
    assert first[0].stat().st_mtime_ns == before
    assert sorted(p.name for p in folder.iterdir()) == [f"part-{k:05}.parquet" for k in range(3)]
    assert pl.read_parquet(folder).equals(whole, null_equal=True)
    assert cuvee.read(folder).frame.equals(whole, null_equal=True)
    other = cuvee.sample(model, N, to=tmp_path / "again", parts=True, seed=4, workers=3)
    for part in folder.iterdir():
        assert part.read_bytes() == (other / part.name).read_bytes()


def test_parts_of_another_sample_are_not_mixed(model: Model, tmp_path: Path) -> None:
    folder = cuvee.sample(model, 100, to=tmp_path / "made", parts=True, seed=4)
    for n, seed, said in [(100, 5, r"\(other seed\)"), (200, 4, r"\(other rows\)")]:
        with pytest.raises(SourceError, match=said):
            cuvee.sample(model, n, to=folder, seed=seed)
    other = cuvee.fit(pl.DataFrame({"a": [1, 2, 3] * 50}), "independent")
    with pytest.raises(SourceError, match=r"\(other model\)"):
        cuvee.sample(other, 100, to=folder, seed=4)
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "letter.txt").write_text("dear")
    with pytest.raises(SourceError, match=r"holds 'letter\.txt', which is no part"):
        cuvee.sample(model, 100, to=tmp_path / "mine", parts=True)
    with pytest.raises(SourceError, match="is a file"):
        cuvee.sample(model, 100, to=tmp_path / "mine" / "letter.txt", parts=True)


def test_threads_work_at_the_same_time_and_are_never_far_ahead() -> None:
    meet = threading.Barrier(3)
    started: list[int] = []

    def make(k: int) -> int:
        started.append(k)
        if k < 3:
            meet.wait(timeout=20)  # passes only where three threads are here at once
        return k * k

    ahead, given = 0, []
    for result in in_order(make, range(40), 3):
        given.append(result)
        ahead = max(ahead, len(started) - len(given))
    assert given == [k * k for k in range(40)]
    assert ahead <= 4


def test_a_reader_that_stops_early_stops_the_threads() -> None:
    started: list[int] = []
    results = in_order(lambda k: started.append(k) or k, range(1000), 2)
    assert next(iter(results)) == 0
    results.close()
    assert len(started) < 10
    assert not any(t.name.startswith("cuvee") for t in threading.enumerate())
