"""The report that may leave the house says of real rows only what it declares."""

import json
import re
from pathlib import Path

import numpy as np
import polars as pl
import pytest

import cuvee
from cuvee.core import Scores
from cuvee.data.errors import CuveeError
from cuvee.reporting.shareable import DECLARED


def world(n: int, seed: int) -> pl.DataFrame:
    rng = np.random.default_rng(seed)
    age = rng.normal(45, 14, n).round()
    return pl.DataFrame({
        "age": age, "income": (age * 700 + rng.normal(0, 9000, n)).round(2),
        "city": rng.choice(["Ghent", "Lyon", "Porto"], n, p=[0.6, 0.3, 0.1]), "member": rng.random(n) < 0.3,
    })  # fmt: skip


@pytest.fixture(scope="module")
def made() -> tuple[Scores, pl.DataFrame]:
    train, holdout, synthetic = (world(612, seed) for seed in range(3))
    rare = train.with_columns(
        pl.when(pl.int_range(pl.len()) < 6).then(pl.lit("Hidden")).otherwise("city").alias("city")
    )
    synthetic = synthetic.with_columns(
        pl.when(pl.int_range(pl.len()) < 6).then(pl.lit("Oddtown")).otherwise("city").alias("city")
    )
    queries = ("select city, avg(income) as pay from data group by city",)
    return cuvee.evaluate(synthetic, train=rare, holdout=holdout, predict="member", queries=queries), synthetic


def test_it_is_made_without_the_real_rows(made: tuple[Scores, pl.DataFrame]):
    scores, synthetic = made
    page = cuvee.report(scores, synthetic=synthetic, shareable=True)
    assert page.data["declared"] == list(DECLARED)
    for line in DECLARED:
        assert line in page.html
    with pytest.raises(CuveeError, match="without the real rows"):
        cuvee.report(scores, synthetic=synthetic, train=synthetic, shareable=True)


def test_it_holds_no_exact_figure_and_no_rare_value(made: tuple[Scores, pl.DataFrame]):
    scores, synthetic = made
    page = cuvee.report(scores, synthetic=synthetic, shareable=True)
    whole = page.html + page.to_json()
    assert "Hidden" not in whole
    assert "Oddtown" not in whole
    assert "Ghent" in whole  # of many synthetic rows
    assert "avg(income)" not in whole
    assert not re.search(r"\b612\b", whole.replace("&nbsp;", " "))
    assert {s["family"] for s in page.data["scores"]} <= {"fidelity", "utility"}
    for told in page.data["scores"]:
        assert told["interval"] is None
        assert told["detail"] == []
        assert told["value"] is None or told["value"] == round(told["value"], 2)
    for column in page.data["columns"]:
        assert all(bar["real"] is None for bar in column["bars"])
        assert column["nulls"][0] is None
        assert column["mean"] is None
    assert page.data["pairs"] is None
    assert page.data["projection"] is None


def test_the_answers_are_those_of_the_internal_report(made: tuple[Scores, pl.DataFrame]):
    scores, synthetic = made
    words = [
        [a["word"] for a in cuvee.report(scores, synthetic=synthetic, shareable=shareable).data["verdict"]]
        for shareable in (False, True)
    ]
    assert words[0] == words[1]


def test_a_model_says_how_it_was_made_and_nothing_it_found(made: tuple[Scores, pl.DataFrame]):
    scores, synthetic = made
    model = cuvee.fit(world(400, 7), "bayes_net", seed=0)
    told = cuvee.report(scores, model, synthetic=synthetic, shareable=True).data["models"][0]
    assert told["synthesizer"] == "bayes_net"
    assert told["notes"] == told["constraints"] == told["training"] == []
    assert told["graph"]["edges"] == 0


def test_every_report_fits_the_published_schema(made: tuple[Scores, pl.DataFrame]):
    jsonschema = pytest.importorskip("jsonschema")
    scores, synthetic = made
    schema = cuvee.reporting.schema()
    jsonschema.Draft202012Validator.check_schema(schema)
    pages = [
        cuvee.report(scores, synthetic=synthetic, shareable=True),
        cuvee.report(scores),
        cuvee.report(scores, cuvee.mix(world(50, 1), synthetic, share=0.3), real=world(300, 5), synthetic=synthetic),
    ]
    for page in pages:
        jsonschema.validate(json.loads(page.to_json()), schema)
    broken = json.loads(pages[0].to_json())
    broken["scores"][0]["value"] = "high"
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(broken, schema)


def test_the_plane_shows_where_rows_lie_and_never_a_few():
    real, other = world(1500, 1), world(1500, 2)
    shifted = other.with_columns(pl.col("income") + 60_000)
    near, far = (cuvee.report(real=real, synthetic=made).data["projection"] for made in (other, shifted))
    sides = {s["name"]: s for s in near["sides"]}
    assert set(sides) == {"real", "synthetic"}
    for side in sides.values():
        assert all(share * 1500 >= 4.99 for *_, share in side["shares"])
        assert sum(share for *_, share in side["shares"]) + side["outside"] <= 1.0001

    def middle(side: dict[str, list[list[float]]]) -> np.ndarray:
        cells = np.array(side["shares"]) if side["shares"] else np.array([[99.0, 99.0, 1.0]])  # all outside
        return (cells[:, :2] * cells[:, 2:]).sum(axis=0) / cells[:, 2].sum()

    apart = [np.abs(middle(p["sides"][0]) - middle(p["sides"][1])).max() for p in (near, far)]
    assert apart[0] < 1.5 < apart[1]
    assert near["axes"][0][0] in {"age", "income"}
    assert cuvee.report(real=real[:20], synthetic=other).data["projection"] is None


def test_a_recipe_writes_it_too(tmp_path: Path):
    for name, seed in (("train", 0), ("holdout", 1), ("made", 2)):
        world(300, seed).write_parquet(tmp_path / f"{name}.parquet")
    (tmp_path / "recipe.yaml").write_text(
        "version: 1\nsources:\n  train: {path: train.parquet}\n  holdout: {path: holdout.parquet}\n"
        "  made: {path: made.parquet}\n"
        "steps:\n  scores: {evaluate: made, train: train, holdout: holdout, metrics: [shape, pairs]}\n"
        "report: {save: internal.html, shareable: share.html}\n"
    )
    run = cuvee.run(tmp_path / "recipe.yaml")
    assert [p.name for p in run.written] == ["internal.html", "share.html"]
    assert "What this page says of real rows" in (tmp_path / "share.html").read_text("utf-8")
    assert "What this page says of real rows" not in (tmp_path / "internal.html").read_text("utf-8")
