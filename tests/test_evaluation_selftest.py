"""Metrics that don't see what is planted must not judge; and the figures of other tools, as they are published."""

import numpy as np
import polars as pl
import pytest

import cuvee
from cuvee.core import Check, Family, Metric, Score, Scores, Trial
from cuvee.evaluation.usual import SAYS


def world(n: int, seed: int) -> pl.DataFrame:
    rng = np.random.default_rng(seed)
    x, group = rng.normal(size=n), rng.integers(0, 4, n)
    other = (group + (rng.random(n) < 0.3)) % 4
    return pl.DataFrame({
        "x": x, "y": x + rng.normal(size=n) / 2, "z": rng.normal(size=n),
        "group": [f"g{g}" for g in group], "other": [f"o{o}" for o in other],
    })  # fmt: skip


TRAIN, HOLDOUT, FRESH = world(2000, 0), world(2000, 1), world(2000, 2)


class Blind(Metric):
    """A metric that is always content."""

    family = "fidelity"

    def score(self, trial: Trial, *, rng: np.random.Generator) -> tuple[Score, ...]:
        del trial, rng
        return (Score("blind", "fidelity", 1.0, 0.0, 1.0, None, 1.0, "All is well.", True),)


def by_name(scores: Scores, family: Family) -> dict[str, Check]:
    return {c.name: c for c in scores.checks if c.family == family}


def test_what_is_planted_is_seen():
    scores = cuvee.evaluate(FRESH, train=TRAIN, holdout=HOLDOUT, metrics=["shape", "pairs", "detection", "copies"])
    assert by_name(scores, "fidelity")["correlation"].seen
    assert by_name(scores, "privacy")["copies"].seen
    assert all(c.seen for c in scores.checks), scores.checks
    assert Scores.from_json(scores.to_json()) == scores
    answers = cuvee.report(scores).data["verdict"]
    assert [a["word"] for a in answers] == ["Yes", "Not assessed", "No leak found"]


def test_a_blind_metric_has_its_verdict_withheld():
    scores = cuvee.evaluate(FRESH, train=TRAIN, holdout=HOLDOUT, metrics=[Blind()])
    assert by_name(scores, "fidelity")["correlation"].seen is False
    page = cuvee.report(scores)
    assert page.data["verdict"][0]["word"] == "Withheld"
    assert page.data["verdict"][0]["state"] == "none"
    assert "was not seen" in page.html or "did not see" in page.html


def test_without_a_holdout_copies_are_not_tried():
    scores = cuvee.evaluate(FRESH, train=TRAIN, metrics=["pairs", "detection", "copies"])
    assert by_name(scores, "privacy")["copies"].seen is None
    assert by_name(scores, "fidelity")["correlation"].seen


def test_columns_that_follow_nothing_have_no_relation_to_destroy():
    rng = np.random.default_rng(0)
    loose = [pl.DataFrame({c: rng.normal(size=600) for c in "abc"}) for _ in range(3)]
    scores = cuvee.evaluate(loose[0], train=loose[1], holdout=loose[2], metrics=["pairs"])
    assert by_name(scores, "fidelity")["correlation"].seen is None


def test_few_rows_are_said():
    scores = cuvee.evaluate(FRESH[:60], train=TRAIN[:60], holdout=HOLDOUT[:60], metrics=["pairs", "copies"])
    assert [c.seen for c in scores.checks] == [None, None]


def test_the_self_test_can_be_left_out():
    assert cuvee.evaluate(FRESH, train=TRAIN, holdout=HOLDOUT, metrics=["pairs"], check=False).checks == ()


@pytest.fixture(scope="module")
def usual() -> dict[str, Scores]:
    shuffled = pl.DataFrame([FRESH[c].shuffle(seed=i) for i, c in enumerate(FRESH.columns)])
    made = {"fresh": FRESH, "copy": TRAIN, "shuffled": shuffled}
    return {n: cuvee.evaluate(f, train=TRAIN, holdout=HOLDOUT, metrics=["usual"], check=False) for n, f in made.items()}


def test_every_usual_figure_names_its_weakness(usual: dict[str, Scores]):
    for name in SAYS:
        score = usual["fresh"][name]
        assert score.passed is None
        assert "Its weakness" in score.verdict
        assert score.value == pytest.approx(score.ceiling, abs=0.08), name  # 2,000 rows


def test_usual_figures_of_a_copy_and_of_shuffled_columns(usual: dict[str, Scores]):
    copy, shuffled = usual["copy"], usual["shuffled"]
    for name in ("ks_complement", "tv_complement", "correlation_similarity", "contingency_similarity"):
        assert copy[name].value == pytest.approx(1)
    assert copy["authenticity"].value == 0
    assert copy["dcr"].value == 0
    assert copy["beta_recall"].value == pytest.approx(1, abs=0.02)
    assert shuffled["ks_complement"].value == pytest.approx(usual["fresh"]["ks_complement"].value)
    assert (shuffled["correlation_similarity"].value or 1) < 0.95  # one of three pairs had .9: a third of .45 is lost
    assert shuffled["contingency_similarity"].value == pytest.approx(shuffled["contingency_similarity"].floor, abs=0.06)


def test_the_usual_figures_by_hand():
    a = pl.DataFrame({"n": [1.0, 2.0, 3.0, 4.0] * 10, "m": [1.0, 2.0, 3.0, 4.0] * 10, "c": ["u", "v"] * 20})
    b = pl.DataFrame({"n": [1.0, 1.0, 3.0, 4.0] * 10, "m": [4.0, 3.0, 2.0, 1.0] * 10, "c": ["u", "u", "u", "v"] * 10})
    scores = cuvee.evaluate(b, train=a, holdout=a, metrics=["usual"], check=False)
    kinds = cuvee.inspect(a).tables["data"].columns
    numbers = [c for c in ("n", "m") if kinds[c].kind == "number"]
    assert scores["tv_complement"].value is not None
    if len(numbers) == 2:
        assert scores["ks_complement"].value == pytest.approx((0.75 + 1) / 2)
        assert scores["correlation_similarity"].value == pytest.approx(
            1 - abs(1 - np.corrcoef(b["n"], b["m"])[0, 1]) / 2
        )
        assert scores["tv_complement"].value == pytest.approx(0.75)
