"""What a model can do beside sampling: densities, learning more rows, keeping a time budget."""

from pathlib import Path

import numpy as np
import polars as pl
import pytest

import cuvee
from cuvee.core import Event, Model, seconds_of
from cuvee.data.dataset import Dataset
from cuvee.data.errors import CuveeError, ModelError
from doubles import register

FRAME = pl.DataFrame({"job": ["clerk", "chief", "clerk", "temp"] * 25, "kids": [0, 1, 2, 1] * 25})


@pytest.fixture
def tally(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Model:
    register(tmp_path, monkeypatch)
    return cuvee.fit(FRAME, "tally", seed=3)


def test_more_rows_make_a_new_model_and_leave_the_old_one(tally: Model) -> None:
    more = pl.DataFrame({"kids": [5] * 300, "job": ["nurse"] * 300})
    before = tally.fingerprint()
    updated = tally.update(more)
    assert updated.rows == {"data": 400}
    assert (tally.rows, tally.fingerprint()) == ({"data": 100}, before)
    assert updated.notes == ("Updated with 300 more rows.", "Column 'job' has 4 values.", "Column 'kids' has 4 values.")
    # 400 rows of which 300 are nurses: 2,000 sampled rows have a standard error of 1 %.
    assert (updated.sample(2000).frame["job"] == "nurse").mean() == pytest.approx(0.75, abs=0.05)
    twice = updated.update(Dataset.of(more, name="june"))
    assert twice.rows == {"data": 700}
    assert twice.notes[:2] == ("Updated with 300 more rows.",) * 2


def test_an_updated_model_is_saved_and_opened_as_any(tally: Model, tmp_path: Path) -> None:
    updated = tally.update(FRAME)
    updated.save(tmp_path / "model")
    opened = cuvee.load(tmp_path / "model")
    assert isinstance(opened, Model)
    assert opened.fingerprint() == updated.fingerprint() != tally.fingerprint()
    assert (opened.rows, opened.notes) == (updated.rows, updated.notes)


def test_texts_may_come_in_any_dtype_of_texts(tally: Model) -> None:
    labels = FRAME.with_columns(pl.col("job").cast(pl.Categorical))
    assert tally.update(labels).fingerprint() == tally.update(FRAME).fingerprint()
    assert tally.update(labels.to_arrow()).rows == {"data": 200}


@pytest.mark.parametrize(
    ("rows", "said"),
    [
        (FRAME.drop("kids"), r"Rows of table 'data' lack 'kids'\. Give the columns of training"),
        (FRAME.rename({"kids": "kid"}), r"lack 'kids' and have 'kid', which the model.*Did you mean 'kids'\?"),
        (FRAME.with_columns(zip=1), "have 'zip', which the model does not know"),
        (FRAME.with_columns(pl.col("kids") / 2), r"Column 'kids' of table 'data' is Float64, and Int64 in the model"),
        (FRAME.with_columns(pl.col("kids").cast(pl.String)), "is String, and Int64 in the model"),
        (FRAME.head(0), "has no rows to learn"),
        ({"a": FRAME, "b": FRAME}, "The model has the tables data, and the data a, b"),
    ],
)
def test_rows_that_do_not_go_with_the_model_are_refused(tally: Model, rows: object, said: str) -> None:
    given = Dataset.of(rows) if isinstance(rows, dict) else rows
    with pytest.raises(ModelError, match=said):
        tally.update(given)


def test_what_can_not_learn_more_says_what_can(tally: Model) -> None:
    mute = cuvee.fit(FRAME, "mute")
    with pytest.raises(ModelError, match=r"A model of 'mute' can't learn more rows.*cuvee models"):
        mute.update(FRAME)
    with pytest.raises(ModelError, match=r"'mute' defines no density\..*'log_prob'"):
        mute.log_prob(FRAME)
    with pytest.raises(ModelError, match=r"'mute' defines no density of cells\..*'log_prob_cells'"):
        mute.log_prob_cells(FRAME)
    private = Model("tally", tally.spec, tally.schema, tally.rows, 0, tally.learned, guarantee={"epsilon": 1.0})
    with pytest.raises(ModelError, match="privacy guarantee"):
        private.update(FRAME)
    with pytest.raises(ModelError, match="seed is -1"):
        tally.update(FRAME, seed=-1)


def test_the_density_of_cells_names_the_odd_one(tally: Model) -> None:
    rows = pl.DataFrame({"kids": [0, 9], "job": ["clerk", "clerk"]})
    cells = tally.log_prob_cells(rows)
    assert cells.columns == ["job", "kids"]
    assert cells["job"].to_list() == pytest.approx([np.log(0.5)] * 2)
    assert cells["kids"].to_list() == pytest.approx([np.log(0.25), np.log(1e-9)])
    assert tally.log_prob(rows).tolist() == pytest.approx(cells.sum_horizontal().to_list())
    assert tally.log_prob(Dataset.of(FRAME)).shape == (100,)


@pytest.mark.parametrize(
    ("said", "seconds"), [("60s", 60), ("1.5m", 90), ("1h", 3600), (20, 20), (0.5, 0.5), (" 5 m ", 300)]
)
def test_durations(said: object, seconds: float) -> None:
    assert seconds_of(said) == seconds


@pytest.mark.parametrize("said", ["60", "5 minutes", "", "-5s", 0, -1, "0s", None, True, float("nan"), float("inf")])
def test_what_is_no_duration(said: object) -> None:
    with pytest.raises(CuveeError, match="must be a duration with its unit, such as 60s, 5m or 1h"):
        seconds_of(said)


def test_a_time_budget_reaches_those_that_have_one(tally: Model) -> None:
    for choice in ("tally", {"tally": {}}, tally.spec):
        assert cuvee.fit(FRAME, choice, time_budget="1.5m").spec.model_dump() == {"time_budget": 90.0}
    assert tally.spec.model_dump() == {"time_budget": None}
    with pytest.raises(CuveeError, match=r"'independent' has no time budget.*Those that have one: .*tally"):
        cuvee.fit(FRAME, "independent", time_budget=60)
    with pytest.raises(CuveeError, match="must be a duration"):
        cuvee.fit(FRAME, "tally", time_budget="soon")


def test_a_recipe_hands_its_time_budget_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    register(tmp_path, monkeypatch)
    FRAME.write_csv(tmp_path / "people.csv")
    recipe = """version: 1
sources: {people: {path: people.csv}}
steps:
  model: {fit: people, synthesizer: tally, time_budget: 5m}
"""
    (tmp_path / "recipe.yaml").write_text(recipe)
    events: list[Event] = []
    made = cuvee.run(tmp_path / "recipe.yaml", watch=events.append)
    assert made.values["model"].spec.model_dump() == {"time_budget": 300.0}
    (tmp_path / "recipe.yaml").write_text(recipe.replace("tally", "independent"))
    with pytest.raises(CuveeError, match=r"'independent' has no time budget.*choose one that has: .*tally"):
        cuvee.run(tmp_path / "recipe.yaml")
