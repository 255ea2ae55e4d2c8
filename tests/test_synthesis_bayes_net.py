"""The Bayesian network as a synthesizer: its graph, what it makes, its densities, and the page that shows it."""

from pathlib import Path

import numpy as np
import polars as pl
import pytest

import cuvee
from cuvee.core import Event, Model
from cuvee.data.dataset import Dataset
from cuvee.data.errors import ModelError
from cuvee.synthesis.model_file import open_model
from cuvee.synthesis.tabular.bayes_net import BayesNet, BayesNetLearned


def people(n: int, seed: int = 0) -> pl.DataFrame:
    """A job settles the age, both the pay; luck depends on nothing."""
    rng = np.random.default_rng(seed)
    job = rng.choice(["clerk", "chief", "temp"], n, p=[0.6, 0.1, 0.3])
    age = np.where(job == "chief", rng.normal(55, 5, n), rng.normal(35, 10, n)).round().clip(18, 80)
    pay = np.where(job == "chief", 90, 40) + 0.6 * age + rng.normal(0, 5, n)
    gone = (job == "temp") & (rng.random(n) < 0.5)
    return pl.DataFrame(
        {"job": job, "age": age.astype(int), "pay": np.where(gone, np.nan, pay), "luck": rng.normal(size=n)}
    ).with_columns(pl.col("pay").fill_nan(None))


@pytest.fixture(scope="module")
def fitted() -> tuple[BayesNetLearned, Dataset]:
    data = Dataset.of(people(4_000), name="people")
    return BayesNet().fit(data, rng=np.random.default_rng(1)), data


def test_the_graph_is_that_of_the_planted_dependences(fitted: tuple[BayesNetLearned, Dataset]) -> None:
    edges = fitted[0].edges()
    pairs = {frozenset({e.source, e.target}) for e in edges}
    # The pay tells the job, so that job and age say nothing of each other beyond it.
    assert {frozenset({"job", "pay"}), frozenset({"age", "pay"})} <= pairs
    assert not any("luck" in pair for pair in pairs)
    assert [e.strength for e in edges] == sorted((e.strength for e in edges), reverse=True)
    assert "edges; the strongest:" in fitted[0].notes()[0]


def test_dependence_and_missing_values_are_made_again(fitted: tuple[BayesNetLearned, Dataset]) -> None:
    made = fitted[0].sample(5_000, start=0, rng=np.random.default_rng(2))["people"]
    chiefs = made.filter(pl.col("job") == "chief")
    # 500 chiefs of standard deviation 5: the mean has a standard error of 0.2; smoothing draws it to all rows a little.
    assert chiefs["age"].mean() == pytest.approx(55, abs=1.5)
    gone = made.group_by("job").agg(pl.col("pay").is_null().mean())
    share = dict(zip(gone["job"], gone["pay"], strict=True))
    assert share["temp"] == pytest.approx(0.5, abs=0.08)
    assert max(share["clerk"], share["chief"]) < 0.05


def test_rows_as_asked_are_as_the_rows_that_meet_it(fitted: tuple[BayesNetLearned, Dataset]) -> None:
    learned, data = fitted
    model = Model("bayes_net", BayesNet(), data.schema, {"people": 4_000}, 1, learned)
    free = model.sample(200_000, seed=1).frame.filter(pl.col("pay") >= 100)
    asked = model.sample(4_000, seed=2, where="pay >= 100").frame
    assert (asked["pay"] >= 100).all()
    # Shares of 4,000 rows vary by .008; five such errors.
    assert (asked["job"] == "chief").mean() == pytest.approx((free["job"] == "chief").mean(), abs=0.04)
    assert asked["age"].mean() == pytest.approx(free["age"].mean(), abs=1.0)
    given = model.sample(given=pl.DataFrame({"pay": [120.0] * 500 + [50.0] * 500}), seed=3).frame
    assert given["pay"].to_list() == [120.0] * 500 + [50.0] * 500
    assert (given["job"][:500] == "chief").mean() > 0.9
    assert (given["job"][500:] == "chief").mean() < 0.1
    filled = model.impute(data.frame.head(300), seed=4).frame
    assert filled["pay"].null_count() == 0


def test_densities_are_those_of_the_network_and_survive_a_file(
    fitted: tuple[BayesNetLearned, Dataset], tmp_path: Path
) -> None:
    learned, data = fitted
    model = Model("bayes_net", BayesNet(), data.schema, {"people": 4_000}, 1, learned, learned.notes())
    model.save(tmp_path / "m")
    opened = open_model(tmp_path / "m", lambda _: BayesNet)
    np.testing.assert_array_equal(opened.log_prob(data), model.log_prob(data))
    odd = data.frame.with_columns(pl.lit(79, pl.Int64).alias("age"), pl.lit("temp").alias("job"))
    assert model.log_prob(odd).mean() < model.log_prob(data).mean() - 2
    cells = model.log_prob_cells(odd)
    # Ages of 79 are hardly ever those of temps; which of both is wrong the cells can't say, but not the luck.
    assert cells["age"].mean() < model.log_prob_cells(data)["age"].mean() - 1
    assert cells["luck"].mean() == pytest.approx(model.log_prob_cells(data)["luck"].mean(), abs=1e-6)
    strange = data.frame.with_columns(pl.lit("never seen").alias("job"))
    assert np.isfinite(model.log_prob(strange)).all()


def test_the_tree_search_is_a_forest_and_progress_is_told() -> None:
    events: list[Event] = []
    data = Dataset.of(people(1_000), name="people")
    learned = BayesNet(search="tree").fit(data, rng=np.random.default_rng(1), watch=events.append)
    targets = [e.target for e in learned.edges()]
    assert len(targets) == len(set(targets))
    assert {"structure", "distributions"} <= {e.step for e in events}


def test_the_report_draws_the_graph(fitted: tuple[BayesNetLearned, Dataset], tmp_path: Path) -> None:
    learned, data = fitted
    model = Model("bayes_net", BayesNet(), data.schema, {"people": 4_000}, 1, learned, learned.notes())
    report = cuvee.report(model)
    report.save(tmp_path / "report.html")
    text = (tmp_path / "report.html").read_text("utf-8")
    assert "Which columns depend on which" in text
    assert 'class="head"' in text
    graph = report.data["models"][0]["graph"]
    assert graph["edges"] == len(learned.edges())
    assert {n["label"] for n in graph["drawing"]["nodes"]} == {"job", "age", "pay"}


def test_a_table_without_fields_and_one_that_is_too_wide() -> None:
    rng = np.random.default_rng(0)
    data = Dataset.of(pl.DataFrame({"id": [f"u{k:05}" for k in range(300)], "one": [1] * 300}), name="t")
    learned = BayesNet().fit(data, rng=rng)
    assert learned.sample(7, start=0, rng=rng)["t"].shape == (7, 2)
    assert learned.edges() == ()
    assert np.isfinite(learned.log_prob(data)).all()
    wide = Dataset.of(pl.DataFrame({f"c{k}": rng.integers(0, 2, 40) for k in range(501)}), name="wide")
    with pytest.raises(ModelError, match=r"501 columns; a Bayesian network takes at most 500"):
        BayesNet().fit(wide, rng=rng)
