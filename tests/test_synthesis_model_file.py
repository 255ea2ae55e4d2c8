"""Model folders: what is saved opens again equal, and what is damaged is refused in a sentence."""

import datetime as dt
import json
from decimal import Decimal
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest

from cuvee.core import Model, Synthesizer
from cuvee.data.dataset import Dataset
from cuvee.data.errors import CuveeError, ModelError
from cuvee.data.kinds import plain_kind
from cuvee.data.schema import Column, Schema, Table
from cuvee.synthesis.model_file import is_model, open_model
from cuvee.synthesis.tabular.auto import Auto
from cuvee.synthesis.tabular.copula import Copula
from cuvee.synthesis.tabular.independent import Independent

KINDS: dict[str, type[Synthesizer]] = {"auto": Auto, "copula": Copula, "independent": Independent}


def find(name: str) -> type[Synthesizer]:
    if name not in KINDS:
        raise CuveeError(f"There is no synthesizer {name!r}.")
    return KINDS[name]


def model(name: str = "copula") -> Model:
    rng, n = np.random.default_rng(0), 400
    frame = pl.DataFrame(
        {
            "n": rng.normal(size=n),
            "c": pl.Series(rng.choice(["a", "b"], n), dtype=pl.Enum(["a", "b", "c"])),
            "d": pl.Series([Decimal(int(v)) for v in rng.integers(0, 99, n)], dtype=pl.Decimal(10, 2)),
            "t": [dt.datetime(2020, 1, 1) + dt.timedelta(hours=int(h)) for h in rng.integers(0, 999, n)],
            "id": range(n),
            "word": [f"ab{v}" for v in rng.integers(0, 3, n)],
            "none": [[1]] * n,
            "gap": [None, 1] * (n // 2),
        }
    )
    kinds: dict[str, Any] = {"id": "id", "word": "text"}
    columns = {c: Column(kind=kinds.get(c, plain_kind(t))) for c, t in frame.schema.items()}
    data = Dataset({"data": frame}, Schema(tables={"data": Table(columns=columns, key=("id",))}))
    spec = KINDS[name]()
    learned = spec.fit(data, rng=np.random.default_rng(1))
    return Model(name, spec, data.schema, {"data": n}, 1, learned, learned.notes())


@pytest.mark.parametrize("name", list(KINDS))
def test_a_saved_model_opens_equal(name: str, tmp_path: Path) -> None:
    first = model(name)
    first.save(tmp_path / "m")
    assert is_model(tmp_path / "m")
    again = open_model(tmp_path / "m", find)
    assert again.sample(500, seed=4).frame.equals(first.sample(500, seed=4).frame, null_equal=True)
    assert (again.name, again.spec, again.schema, again.rows, again.seed, again.notes, again.guarantee) == (
        *(first.name, first.spec, first.schema, first.rows, first.seed, first.notes, first.guarantee),
    )
    assert sorted(p.name for p in (tmp_path / "m").iterdir()) == ["arrays.safetensors", "model.json"]
    again.save(tmp_path / "m")
    again.save(tmp_path / "new" / "deep")
    for file in ("model.json", "arrays.safetensors"):
        assert (tmp_path / "m" / file).read_bytes() == (tmp_path / "new" / "deep" / file).read_bytes()
    assert sorted(p.name for p in tmp_path.iterdir()) == ["m", "new"]


def test_what_is_not_a_model_is_not_overwritten(tmp_path: Path) -> None:
    (tmp_path / "thesis").mkdir()
    (tmp_path / "thesis" / "chapter.txt").write_text("all of it")
    (tmp_path / "file").write_text("x")
    for name in ("thesis", "file"):
        with pytest.raises(ModelError, match="is not a model"):
            model("independent").save(tmp_path / name)
    assert (tmp_path / "thesis" / "chapter.txt").read_text() == "all of it"
    (tmp_path / "empty").mkdir()
    model("independent").save(tmp_path / "empty")
    assert is_model(tmp_path / "empty")


def edit(path: Path, change: dict[str, Any]) -> None:
    file = path / "model.json"
    file.write_text(json.dumps(json.loads(file.read_text()) | change))


def state(path: Path) -> dict[str, Any]:
    return json.loads((path / "model.json").read_text())["state"]


@pytest.mark.parametrize(
    ("damage", "sentence"),
    [
        (lambda p: (p / "model.json").unlink(), "is not a model"),
        (lambda p: (p / "model.json").write_text("{"), "not JSON"),
        (lambda p: (p / "model.json").write_text("[1]"), "not a model of cuvee"),
        (lambda p: edit(p, {"format": "other"}), "not a model of cuvee"),
        (lambda p: edit(p, {"version": 99}), "model version 99"),
        (lambda p: (p / "arrays.safetensors").unlink(), "is missing"),
        (lambda p: (p / "arrays.safetensors").write_bytes(b"x"), "bytes"),
        (lambda p: flip(p / "arrays.safetensors"), "checksum"),
        (lambda p: edit(p, {"name": "stranger"}), "no synthesizer 'stranger'"),
        (lambda p: edit(p, {"spec": {"nonsense": 1}}), "damaged: nonsense"),
        (lambda p: edit(p, {"schema": {"tables": 3}}), "damaged"),
        (lambda p: edit(p, {"state": {}}), "does not fit together"),
        (lambda p: edit(p, {"state": state(p) | {"columns": state(p)["columns"][:1]}}), "damaged"),
        (lambda p: edit(p, {"state": state(p) | {"latents": [[99, []]]}}), "damaged"),
        (lambda p: edit(p, {"dtypes": {"data": {"n": "Int64"}}}), "columns are not those"),
        (lambda p: edit(p, {"rows": 5}), "damaged"),
    ],
)
def test_a_damaged_model_is_refused_in_a_sentence(damage: Any, sentence: str, tmp_path: Path) -> None:
    model().save(tmp_path / "m")
    damage(tmp_path / "m")
    with pytest.raises(ModelError, match=sentence):
        open_model(tmp_path / "m", find)


def flip(file: Path) -> None:
    content = bytearray(file.read_bytes())
    content[-1] ^= 1
    file.write_bytes(bytes(content))


def test_a_folder_without_manifest_is_not_a_model(tmp_path: Path) -> None:
    assert not is_model(tmp_path)
    assert not is_model(tmp_path / "nowhere")
