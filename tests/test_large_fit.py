"""Tables larger than memory: one pass in batches, an even draw, and going on after an interruption."""

import gzip
import stat
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import polars as pl
import pytest

import cuvee
from cuvee.core import Event, Model, Stream
from cuvee.data.errors import CuveeError, ModelError, SourceError
from cuvee.sources import csv as csv_source
from cuvee.sources import parquet as parquet_source
from cuvee.sources.csv import Csv
from cuvee.synthesis.stream import default_rows, draw, one_pass


def table(n: int = 5000) -> pl.DataFrame:
    rng = np.random.default_rng(0)
    return pl.DataFrame({
        "n": np.arange(n),
        "age": rng.integers(18, 90, n),
        "job": rng.choice(["clerk", "chief", "temp"], n),
        "note": pl.Series([None if i % 3 else f"t{i % 7}" for i in range(n)]),
        "level": pl.Series(rng.choice(["lo", "hi"], n)).cast(pl.Enum(["lo", "hi"])),
        "x": rng.normal(size=n),
    })  # fmt: skip


def streamed(frame: pl.DataFrame, batch: int, asked: list[int] | None = None) -> Stream:
    """A frame as a stream of batches of a size; notes where reading began."""

    def batches(columns: Sequence[str], start: int) -> Iterator[pl.DataFrame]:
        if asked is not None:
            asked.append(start)
        yield from frame.select(columns)[start:].iter_slices(batch)

    return Stream("t", tuple(frame.columns), 0, frame.height, "this", batches, lambda f: f)


def saved(model: Model, folder: Path) -> list[bytes]:
    model.save(folder)
    return [p.read_bytes() for p in sorted(folder.iterdir())]


def test_the_draw_does_not_depend_on_the_batches() -> None:
    frame = table()
    wanted = frame[draw(5000, 700, 3)]
    for batch in (37, 999, 5000):
        read = one_pass(streamed(frame, batch), frame.columns, keep=700, seed=3)
        assert read.rows == 5000
        assert read.frame.equals(wanted, null_equal=True)
    assert not wanted["n"].equals(frame[draw(5000, 700, 4)]["n"])
    assert one_pass(streamed(frame, 77), ["x"], keep=9000, seed=3).frame["x"].equals(frame["x"])


def test_the_draw_is_even() -> None:
    # Each of 20 bins holds 5 % of 20,000 drawn rows of 200,000: standard error 29; six of them are 175. The rows drawn
    # by two seeds share a tenth: standard error 42.
    numbers = draw(200_000, 20_000, 0)
    assert len(np.unique(numbers)) == 20_000
    assert np.abs(np.histogram(numbers, 20, (0, 200_000))[0] - 1000).max() < 175
    assert abs(len(np.intersect1d(numbers, draw(200_000, 20_000, 1))) - 2000) < 250


def test_the_default_is_a_million_rows_and_fewer_of_a_wide_table() -> None:
    assert default_rows(15) == 1_000_000
    assert default_rows(500) == 100_000


@pytest.mark.parametrize("form", ["file", "glob", "folder", "csv", "csv.gz"])
def test_a_file_in_batches_gives_the_model_of_the_rows_in_memory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, form: str
) -> None:
    monkeypatch.setattr(parquet_source, "BATCH", 800)
    monkeypatch.setattr(csv_source, "BATCH", 20_000)
    frame = table() if "csv" not in form else table().with_columns(pl.col("level").cast(pl.String))
    where: str | Path = tmp_path / "people.parquet"
    if form == "file":
        frame.write_parquet(where, row_group_size=1300)
    elif "csv" in form:
        where = tmp_path / f"people.{form}"
        cuvee.write(frame, where)
    else:
        (tmp_path / "people").mkdir()
        for k in range(3):
            frame[k * 2000 : (k + 1) * 2000].write_parquet(tmp_path / "people" / f"part-{k}.parquet")
        where = f"{tmp_path}/people/*.parquet" if form == "glob" else tmp_path / "people"
    whole = cuvee.fit(where, "copula", seed=5, stream=False)
    assert cuvee.fit(where, "copula", seed=5).notes == whole.notes
    all_of_it = cuvee.fit(where, "copula", seed=5, stream=True)
    assert saved(all_of_it, tmp_path / "a") == saved(whole, tmp_path / "b")
    part = cuvee.fit(where, "copula", seed=5, rows=1000)
    everything = cuvee.read(where).frame
    memory = cuvee.fit(everything[draw(5000, 1000, 5)], "copula", seed=5)
    assert part.rows == {"people": 5000}
    assert part.notes[0] == "5,000 rows were read; the model learned from 1,000 of them, drawn evenly."
    assert part.sample(300).frame.equals(memory.sample(300).frame, null_equal=True)
    assert part.notes[1:] == memory.notes
    drawn = cuvee.fit(everything, "copula", seed=5, rows=1000)
    assert (drawn.notes[0], drawn.rows) == (part.notes[0], {"data": 5000})
    assert "n" not in cuvee.fit(where, "independent", rows=1000, exclude=["n"]).sample(5).frame.columns


def test_a_file_that_would_not_fit_is_read_in_batches_by_itself(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    table().write_parquet(tmp_path / "people.parquet")
    steps: set[str] = set()
    cuvee.fit(tmp_path / "people.parquet", "independent", watch=lambda e: steps.add(e.step))
    assert "read" not in steps
    monkeypatch.setattr("cuvee.synthesis.stream.available_memory", lambda: 500_000)
    cuvee.fit(tmp_path / "people.parquet", "independent", watch=lambda e: steps.add(e.step))
    assert "read" in steps


@pytest.mark.parametrize("size", [40, 64, 1000, 1 << 20])
@pytest.mark.parametrize(
    "text",
    [
        'a,b\n1,"two\nlines"\n2,"a ""quote"" and, more"\n\n3,"\n\n"\n4,plain\n' * 1,
        "a;b\r\n1,5;x\r\n2,25;y\r\n" + "3,75;zz\r\n" * 40,
        "a\n" + "1\n" * 50,
        'size,what\n5" pipe,x\n6,y\n7" pipe,z\n' + "8,w\n" * 30,
        "sep=;\na;b\n1;2\n" + "3;4\n" * 30,
        "a,b,\n1,x,\n2,y,\n" + "3,z,\n" * 30,
        "a, b\n1, x\n2, y\n" + "3, z\n" * 30,
        "a,b\n1,caf\u00e9\n" + "2,na\u00efve\n" * 30,
    ],
    ids=[
        "quoted line ends",
        "decimal comma",
        "one column",
        "inches",
        "sep",
        "delimiter at the end",
        "blanks",
        "letters",
    ],
)
def test_text_in_pieces_is_the_text_as_a_whole(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, text: str, size: int
) -> None:
    monkeypatch.setattr(csv_source, "BATCH", size)
    monkeypatch.setattr(csv_source, "HEAD", 200)
    for name, content in {
        "plain.csv": text.encode(), "packed.csv.gz": gzip.compress(text.encode()), "wide.csv": text.encode("utf-16"),
        "last.csv": text.rstrip("\n").encode(),
    }.items():  # fmt: skip
        file = tmp_path / name
        file.write_bytes(content)
        source = Csv(path=str(file))
        stream = source.in_batches()
        assert stream is not None
        whole = next(iter(source.read().values()))
        cells = list(stream.batches(stream.columns, 0))
        assert stream.settle(pl.concat(cells)).equals(whole, null_equal=True)
        later = pl.concat([*stream.batches(stream.columns, 2), cells[0].head(0)])
        assert later.height == whole.height - 2


def test_a_byte_of_another_encoding_far_down_is_a_sentence(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(csv_source, "HEAD", 100)
    monkeypatch.setattr(csv_source, "BATCH", 1000)
    (tmp_path / "a.csv").write_bytes(b"a,b\n" + b"1,plain\n" * 1000 + "2,caf\u00e9\n".encode("cp1252"))
    with pytest.raises(SourceError, match=r"below line \d.*not of the encoding utf-8.*State the encoding"):
        cuvee.fit(tmp_path / "a.csv", "independent", stream=True)


def test_values_that_many_rows_have_and_few_drawn_ones_are_told_without_naming_them(tmp_path: Path) -> None:
    frame = pl.DataFrame({"city": ["Oslo"] * 9980 + ["Hidden"] * 20, "rare": [None] * 9990 + ["here"] * 10})
    frame.sample(fraction=1, shuffle=True, seed=1).write_parquet(tmp_path / "a.parquet")
    model = cuvee.fit(tmp_path / "a.parquet", "independent", rows=100)
    notes = " ".join(model.notes)
    assert "Column 'city': 1 value, in 0.002 of all rows, came up too rarely" in notes
    assert "Hidden" not in notes
    assert "Column 'rare': none of the 10 rows that have a value were drawn" in notes
    most = cuvee.fit(tmp_path / "a.parquet", "independent", rows=9_999)
    assert not any("came up too rarely" in note for note in most.notes)


def stop_after(batches: int):
    """A watch that is interrupted after some batches."""

    def watch(event: Event) -> None:
        if event.step == "read" and event.done >= batches * 500:
            raise KeyboardInterrupt

    return watch


@pytest.mark.parametrize("every", [0.0, 1e9])
def test_an_interrupted_pass_goes_on_and_gives_the_same(tmp_path: Path, every: float) -> None:
    frame = table().with_columns(pl.col("level").cast(pl.Categorical), flag=pl.col("n") % 2 == 0)
    wanted = one_pass(streamed(frame, 500), frame.columns, keep=900, seed=3)
    asked: list[int] = []
    file = tmp_path / "fit.checkpoint"
    for batches in (3, 7):
        with pytest.raises(KeyboardInterrupt, match=rf"after {batches * 500:,} rows.*Run the same again"):
            one_pass(
                streamed(frame, 500, asked), frame.columns, keep=900, seed=3, checkpoint=file, every=every,
                watch=stop_after(batches),
            )  # fmt: skip
        assert stat.S_IMODE(file.stat().st_mode) == 0o600
    read = one_pass(streamed(frame, 500, asked), frame.columns, keep=900, seed=3, checkpoint=file, every=every)
    assert asked == [0, 1500, 3500]
    assert read.frame.equals(wanted.frame, null_equal=True)
    assert (read.rows, read.notes) == (wanted.rows, wanted.notes)
    assert [p.name for p in tmp_path.iterdir()] == ["fit.checkpoint"]


def test_a_pass_that_was_killed_goes_on_from_its_last_checkpoint(tmp_path: Path) -> None:
    frame = table()

    def dies(event: Event) -> None:
        if event.done == 2000:
            raise RuntimeError("killed")

    asked: list[int] = []
    ways = {"keep": 900, "seed": 3, "checkpoint": tmp_path / "c", "every": 0.0}
    with pytest.raises(RuntimeError):
        one_pass(streamed(frame, 500, asked), frame.columns, **ways, watch=dies)
    read = one_pass(streamed(frame, 500, asked), frame.columns, **ways)
    assert asked == [0, 1500]
    assert read.frame.equals(frame[draw(5000, 900, 3)], null_equal=True)


def test_a_checkpoint_of_another_pass_is_not_gone_on_with(tmp_path: Path) -> None:
    frame, asked = table(), list[int]()
    file = tmp_path / "c"
    with pytest.raises(KeyboardInterrupt):
        one_pass(streamed(frame, 500), frame.columns, keep=900, seed=3, checkpoint=file, watch=stop_after(3))
    read = one_pass(streamed(frame, 500, asked), frame.columns, keep=900, seed=4, checkpoint=file)
    assert asked == [0]
    assert read.frame.equals(frame[draw(5000, 900, 4)], null_equal=True)
    for content in (b"my only letter", b""):
        file.write_bytes(content)
        with pytest.raises(ModelError, match="is not the checkpoint of a fit"):
            one_pass(streamed(frame, 500), frame.columns, keep=900, seed=4, checkpoint=file)
        assert file.read_bytes() == content


def test_an_interrupted_fit_gives_the_same_model_and_removes_its_checkpoint(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(parquet_source, "BATCH", 500)
    table().write_parquet(tmp_path / "people.parquet")
    ways = {"synthesizer": "copula", "rows": 1200, "seed": 2, "checkpoint": tmp_path / "m.checkpoint"}
    with pytest.raises(KeyboardInterrupt, match=r"m\.checkpoint"):
        cuvee.fit(tmp_path / "people.parquet", **ways, watch=stop_after(4))
    assert (tmp_path / "m.checkpoint").is_file()
    events: list[Event] = []
    again = cuvee.fit(tmp_path / "people.parquet", **ways, watch=events.append)
    assert min(e.done for e in events if e.step == "read") == 2500
    assert not (tmp_path / "m.checkpoint").exists()
    straight = cuvee.fit(tmp_path / "people.parquet", "copula", rows=1200, seed=2)
    assert saved(again, tmp_path / "a") == saved(straight, tmp_path / "b")


def test_what_can_not_be_read_in_batches_says_so(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match="can't be read in batches"):
        cuvee.fit(table(50), "independent", stream=True)
    cuvee.write(table(50), tmp_path / "a.json")
    with pytest.raises(SourceError, match="can't be read in batches"):
        cuvee.fit(tmp_path / "a.json", "independent", stream=True)
    assert cuvee.fit(tmp_path / "a.json", "independent", rows=20).rows == {"a": 50}
    with pytest.raises(ModelError, match="0 rows are to be learned from"):
        cuvee.fit(table(50), "independent", rows=0)
    table(50).write_parquet(tmp_path / "a.parquet")
    with pytest.raises(CuveeError, match=r"no column 'agee' to exclude\. Did you mean 'age'\?"):
        cuvee.fit(tmp_path / "a.parquet", "independent", stream=True, exclude=["agee"])
    with pytest.raises(CuveeError, match="no table 'b'"):
        cuvee.fit(tmp_path / "a.parquet", "independent", stream=True, table="b")
    with pytest.raises(SourceError, match=r"nowhere\.parquet"):
        cuvee.fit(tmp_path / "nowhere.parquet", "independent", rows=3)


def test_a_table_without_rows_is_refused_as_in_memory(tmp_path: Path) -> None:
    table(0).write_parquet(tmp_path / "a.parquet")
    with pytest.raises(ModelError, match="no rows"):
        cuvee.fit(tmp_path / "a.parquet", "independent", stream=True)
    (tmp_path / "a.csv").write_text("a,b\n")
    with pytest.raises(ModelError, match="no rows"):
        cuvee.fit(tmp_path / "a.csv", "independent", stream=True)


@pytest.mark.parametrize("ending", ["parquet", "csv"])
def test_names_that_look_like_patterns_are_names(tmp_path: Path, ending: str) -> None:
    frame = pl.DataFrame({name: np.arange(40) % (5 + j) for j, name in enumerate(["*", "a", "row", "c.a"])})
    cuvee.write(frame, tmp_path / f"odd.{ending}")
    ways = {"synthesizer": "independent", "rows": 30, "checkpoint": tmp_path / "c"}
    with pytest.raises(KeyboardInterrupt):
        cuvee.fit(tmp_path / f"odd.{ending}", **ways, watch=stop_after(0))
    model = cuvee.fit(tmp_path / f"odd.{ending}", **ways, exclude=["a"])
    assert model.sample(5).frame.columns == ["*", "row", "c.a"]
    whole = cuvee.fit(tmp_path / f"odd.{ending}", **ways)
    assert whole.sample(5).frame.schema == frame.schema
