"""The circuit as a synthesizer: its contract, what it makes, and the densities that it gives."""

from pathlib import Path

import numpy as np
import polars as pl
import pytest

from cuvee.core import Event, Model
from cuvee.data.dataset import Dataset
from cuvee.data.errors import ModelError
from cuvee.numeric.circuit import Circuit as Tree
from cuvee.numeric.circuit import code_probabilities
from cuvee.synthesis.model_file import open_model
from cuvee.synthesis.tabular.circuit import Circuit, CircuitLearned, default_states
from cuvee.testing import check_synthesizer


def people(n: int, seed: int = 0) -> pl.DataFrame:
    rng = np.random.default_rng(seed)
    job = rng.choice(["clerk", "chief", "temp"], n, p=[0.6, 0.1, 0.3])
    age = np.where(job == "chief", rng.normal(55, 5, n), rng.normal(35, 10, n)).round().clip(18, 80)
    pay = np.where(job == "chief", 90, 40) + 0.3 * age + rng.normal(0, 5, n)
    return pl.DataFrame(
        {
            "id": np.arange(n) + 1,
            "job": job,
            "age": age.astype(int),
            "pay": np.where((job == "temp") & (rng.random(n) < 0.5), np.nan, pay),
            "code": np.where(job == "clerk", "C", np.where(job == "chief", "B", "T")),
        }
    ).with_columns(pl.col("pay").fill_nan(None))


@pytest.fixture(scope="module")
def fitted() -> tuple[CircuitLearned, Dataset]:
    data = Dataset.of(people(3_000), name="people")
    learned = Circuit().fit(data, rng=np.random.default_rng(1))
    return learned, data


def test_the_contract_is_kept() -> None:
    check_synthesizer(Circuit())


def test_dependence_and_missing_values_are_made_again(fitted: tuple[CircuitLearned, Dataset]) -> None:
    made = fitted[0].sample(5_000, start=0, rng=np.random.default_rng(2))["people"]
    chiefs = made.filter(pl.col("job") == "chief")
    # 500 chiefs of standard deviation 5: the mean has a standard error of 0.2; smoothing draws it to all rows a little.
    assert chiefs["age"].mean() == pytest.approx(55, abs=2.5)
    gone = made.group_by("job").agg(pl.col("pay").is_null().mean())
    share = dict(zip(gone["job"], gone["pay"], strict=True))
    assert share["temp"] == pytest.approx(0.5, abs=0.08)
    assert max(share["clerk"], share["chief"]) < 0.05
    assert (made["code"] == made["job"].replace_strict({"clerk": "C", "chief": "B", "temp": "T"})).all()


def test_a_saved_circuit_says_the_same(fitted: tuple[CircuitLearned, Dataset], tmp_path: Path) -> None:
    learned, data = fitted
    model = Model("circuit", Circuit(), data.schema, {"people": 3_000}, 1, learned, learned.notes())
    model.save(tmp_path / "model")
    opened = open_model(tmp_path / "model", lambda _: Circuit)
    assert opened.fingerprint() == model.fingerprint()
    assert opened.sample(200, seed=3).frame.equals(model.sample(200, seed=3).frame)
    np.testing.assert_array_equal(opened.log_prob(data.frame), model.log_prob(data.frame))
    assert opened.log_prob_cells(data.frame).equals(model.log_prob_cells(data.frame))


def test_an_odd_row_is_less_likely_and_its_odd_cell_stands_out(fitted: tuple[CircuitLearned, Dataset]) -> None:
    learned, data = fitted
    odd = data.frame.filter((pl.col("job") == "chief") & pl.col("pay").is_not_null()).head(50)
    odd = odd.with_columns(age=pl.lit(20, pl.Int64))
    usual = learned.log_prob(data)
    assert np.median(learned.log_prob(data.with_frame("people", odd))) < np.quantile(usual, 0.05)
    cells = pl.DataFrame(learned.log_prob_cells(data.with_frame("people", odd)), schema=odd.columns)
    assert cells["age"].mean() < cells["job"].mean() - 1
    assert (cells["id"] == 0).all()
    assert (cells["code"] == 0).all() or (cells["job"] == 0).all()


def test_a_value_that_was_not_learned_counts_as_rare_and_says_nothing_else(
    fitted: tuple[CircuitLearned, Dataset],
) -> None:
    learned, data = fitted
    field = next(f for f in learned.coding.fields if learned.coding.codecs[f.column].name in {"job", "code"})
    name = learned.coding.codecs[field.column].name
    strange = data.frame.head(20).with_columns(pl.lit("pope").alias(name))
    codes, _ = learned.coding.codes(data.with_frame("people", strange), rng=np.random.default_rng(0))
    place = [f.column for f in learned.coding.fields].index(field.column)
    cells = learned.log_prob_cells(data.with_frame("people", strange))
    assert cells[:, field.column] == pytest.approx(np.log(5 / 3_000))
    codes[place] = -1
    added = [
        -np.log(f.volumes[c]) for k, (f, c) in enumerate(zip(learned.coding.fields, codes, strict=True)) if k != place
    ]
    wanted = learned.log_evidence(codes) + np.sum(added, axis=0) + np.log(5 / 3_000)
    np.testing.assert_allclose(learned.log_prob(data.with_frame("people", strange)), wanted, atol=1e-6)


def test_rows_given_evidence_keep_it(fitted: tuple[CircuitLearned, Dataset]) -> None:
    learned, _ = fitted
    names = [learned.coding.codecs[f.column].name for f in learned.coding.fields]
    age = names.index("age")
    field = learned.coding.fields[age]
    codes = np.full((len(names), 500), -1, np.int32)
    old = np.arange(len(field.masses)) >= len(field.masses) - 5
    made = learned.sample_given(codes, {age: old}, rng=np.random.default_rng(4))["people"]
    every = learned.sample(500, start=0, rng=np.random.default_rng(4))["people"]
    assert made["age"].min() > every["age"].mean()
    assert (made["job"] == "chief").mean() > 2 * (every["job"] == "chief").mean()
    assert learned.log_evidence(codes[:, :1], {age: old})[0] == pytest.approx(
        np.log(code_probabilities(Tree.restore(learned.arrays), age, codes[:, :1])[0][old].sum()), abs=1e-4
    )
    with pytest.raises(ModelError, match="impossible"):
        learned.sample_given(codes, {age: np.zeros(len(old), bool)}, rng=np.random.default_rng(4))


def test_a_table_without_fields_is_made_and_has_a_density() -> None:
    data = Dataset.of(pl.DataFrame({"id": [f"u{k:05}" for k in range(300)], "one": [1] * 300}), name="t")
    learned = Circuit().fit(data, rng=np.random.default_rng(0))
    assert learned.sample(7, start=0, rng=np.random.default_rng(1))["t"].shape == (7, 2)
    assert np.isfinite(learned.log_prob(data)).all()
    assert learned.log_prob_cells(data).shape == (300, 2)


def test_many_categories_are_learned_and_progress_is_told() -> None:
    rng = np.random.default_rng(5)
    shop = rng.integers(0, 2_000, 20_000)
    data = Dataset.of(
        pl.DataFrame({"shop": [f"s{k}" for k in shop], "north": (shop % 2 == 0) ^ (rng.random(20_000) < 0.05)}),
        name="t",
    )
    events: list[Event] = []
    learned = Circuit(states=8, epochs=2).fit(data, rng=rng, watch=events.append)
    assert [e.done for e in events if e.step == "circuit"] == [1, 2]
    made = learned.sample(20_000, start=0, rng=rng)["t"]
    even = made["shop"].str.strip_chars_start("s").cast(pl.Int64) % 2 == 0
    # The truth is 95 %, chance 50 %.
    assert (even == made["north"]).mean() > 0.75


@pytest.mark.parametrize(("rows", "fields", "states"), [(10, 3, 8), (32_561, 14, 92), (10**6, 2_000, 36)])
def test_states_follow_rows_and_columns(rows: int, fields: int, states: int) -> None:
    assert default_states(rows, fields) == states


def test_too_many_columns_are_refused_in_a_sentence() -> None:
    data = Dataset.of(pl.DataFrame({f"c{k}": [0, 1] * 20 for k in range(3)}), name="t")
    rng = np.random.default_rng(0)
    wide = Dataset.of(pl.DataFrame({f"c{k}": rng.integers(0, 2, 40) for k in range(2_001)}), name="wide")
    assert Circuit().fit(data, rng=rng).sample(3, start=0, rng=rng)["t"].shape == (3, 3)
    with pytest.raises(ModelError, match=r"2,001 columns; a circuit takes at most 2,000"):
        Circuit().fit(wide, rng=rng)
