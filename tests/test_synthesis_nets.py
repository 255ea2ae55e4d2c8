"""Rows as networks see them, and what the autoencoder and the game do with planted truths."""

from pathlib import Path

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import cuvee
from cuvee.core import silent
from cuvee.data.dataset import Dataset
from cuvee.data.errors import ModelError
from cuvee.synthesis.tabular.coding import fit_coding
from cuvee.synthesis.tabular.margins import fit_margins
from cuvee.synthesis.tabular.mixed import FEW, WIDE, Mixed

torch = pytest.importorskip("torch")

from cuvee.nets.prior import fit_mixture  # noqa: E402
from cuvee.nets.rows import Blocks, mixture_draw, mixture_log_prob  # noqa: E402
from cuvee.synthesis.tabular.vae import Vae, VaeLearned  # noqa: E402


def coded(frame: pl.DataFrame, rng: np.random.Generator):
    data = Dataset.of(frame, name="t")
    coding = fit_coding(data, least=5, rng=rng, watch=silent)
    codes, _, within = coding.places(data, rng=rng)
    return coding, codes, within


@settings(max_examples=20, deadline=None)
@given(st.integers(0, 2**32), st.integers(2, 60))
def test_codes_come_back_from_numbers_and_categories(seed: int, levels: int) -> None:
    rng = np.random.default_rng(seed)
    n = 400
    frame = pl.DataFrame(
        {
            "number": rng.normal(size=n),
            "spiked": np.where(rng.random(n) < 0.4, 0.0, rng.lognormal(size=n)),
            "holes": [None if u < 0.2 else u for u in rng.random(n)],
            "level": rng.integers(levels, size=n).astype(str),
        }
    )
    coding, codes, within = coded(frame, rng)
    mixed = Mixed.of(coding.fields)
    table = mixed.table(codes, within)
    again, places = mixed.codes(table.scores, table.codes, rng=rng)
    # What 1e-5 of the rows lie beyond is drawn in; no row is that far out here.
    assert (again == codes).mean() > 0.999
    assert len(mixed.gates) == len(mixed.numbers)
    number = coding.fields[mixed.numbers[0]]
    inside = number.volumes[codes[0]] != 1
    assert np.abs(places[0] - within[0])[inside & (again[0] == codes[0])].max() < 0.01


def test_many_categories_are_told_as_groups_and_drawn_by_the_margin() -> None:
    rng = np.random.default_rng(0)
    n = 40_000
    frame = pl.DataFrame({"x": np.minimum(rng.geometric(0.003, n), 900).astype(str), "y": rng.normal(size=n)})
    coding, codes, within = coded(frame, rng)
    mixed = Mixed.of(coding.fields)
    assert len(coding.fields[0].masses) > 3 * WIDE
    assert mixed.sizes[0] <= WIDE
    table = mixed.table(codes, within)
    again, _ = mixed.codes(table.scores, table.codes, rng=rng)
    true, made = (np.bincount(c[0], minlength=len(coding.fields[0].masses)) / n for c in (codes, again))
    # Two multinomial draws of n rows with the same shares differ by about sqrt(2 / (pi n)) sum sqrt(p): 0.09 here.
    assert np.abs(true - made).sum() < 0.13
    assert FEW < WIDE


def test_odds_of_all_categories_at_once_are_those_of_each_alone() -> None:
    generator = torch.Generator().manual_seed(0)
    blocks, odds = Blocks((2, 5, 3)), torch.randn(50, 10, generator=generator) * 3
    codes = torch.stack([torch.randint(m, (50,), generator=generator) for m in (2, 5, 3)], dim=1)
    parts = [p.log_softmax(1).gather(1, codes[:, j : j + 1]) for j, p in enumerate(odds.split((2, 5, 3), dim=1))]
    assert torch.allclose(blocks.log_prob(odds, codes), torch.cat(parts, 1), atol=1e-5)
    shares = torch.cat([p.softmax(1) for p in odds.split((2, 5, 3), dim=1)], 1)
    assert torch.allclose(blocks.shares(odds), shares, atol=1e-6)
    assert torch.equal(blocks.one_hot(codes).argmax(1), codes[:, 0])
    many = blocks.draw(odds[:1].expand(20_000, -1), torch.rand(20_000, 10, generator=generator))
    found = blocks.one_hot(many).mean(0)
    # Five standard errors of a share of 20,000: one false alarm in a million.
    assert (found - shares[0]).abs().max() < 5 * 0.5 / 20_000**0.5


def test_a_number_is_drawn_from_the_mixture_that_its_density_is_of() -> None:
    generator = torch.Generator().manual_seed(1)
    parts = torch.randn(1, 1, 3, 4, generator=generator)
    grid = torch.linspace(-30, 30, 60_001)[:, None]
    density = mixture_log_prob(parts.expand(len(grid), 1, 3, 4), grid).exp()[:, 0]
    assert float(density.sum() * 1e-3) == pytest.approx(1, abs=1e-3)
    n = 40_000
    drawn = mixture_draw(
        parts.expand(n, 1, 3, 4), torch.rand(n, 1, generator=generator), torch.randn(n, 1, generator=generator)
    )
    ends = torch.searchsorted(grid[:, 0].contiguous(), drawn[:, 0].sort().values.contiguous())
    below = density.cumsum(0)[ends.clamp(max=60_000)] * 1e-3
    # Kolmogorov: a distance of 2 / sqrt(n) is passed once in 1,500 times.
    assert float((below - (torch.arange(n) + 0.5) / n).abs().max()) < 2 / n**0.5


def test_a_mixture_of_two_clouds_is_found() -> None:
    generator = torch.Generator().manual_seed(2)
    n = 4_000
    left = torch.rand(n, generator=generator) < 0.3
    points = torch.randn(n, 2, generator=generator) * torch.tensor([0.5, 1.0])
    points[left] += torch.tensor([6.0, 0.0])
    points[~left, 1] += 0.8 * points[~left, 0]
    found = fit_mixture(points, 8, floor=1e-3, least=20, generator=generator)
    assert float(found.shares.sum()) == pytest.approx(1, abs=1e-5)
    assert float(found.shares[found.means[:, 0] > 3].sum()) == pytest.approx(0.3, abs=0.03)
    fresh = found.draw(n, generator)
    assert torch.allclose(fresh.mean(0), points.mean(0), atol=0.2)
    assert torch.allclose(fresh.T.cov(), points.T.cov(), atol=0.4)
    one = fit_mixture(points, 1, floor=1e-3, least=20, generator=generator)
    assert float(found.log_prob(points).mean()) > float(one.log_prob(points).mean()) + 0.3


def test_margins_of_made_rows_are_made_right() -> None:
    rng = np.random.default_rng(3)
    n = 20_000
    scores = np.exp(rng.normal(size=(n, 1))).astype(np.float32)
    odds = rng.normal(size=(n, 3)).astype(np.float32) + np.array([3, 0, -2], np.float32)
    masses = np.array([0.2, 0.5, 0.3])
    margins = fit_margins(scores, np.ones((n, 1), np.bool_), odds, [masses])
    high = np.exp(odds + margins.offsets)
    assert np.abs((high / high.sum(1, keepdims=True)).mean(0) - masses).max() < 1e-3
    fixed = np.sort(margins.scores(scores)[:, 0])
    from scipy.special import ndtr

    assert np.abs(ndtr(fixed) - (np.arange(n) + 0.5) / n).max() < 0.02


@pytest.fixture(scope="module")
def two_kinds() -> pl.DataFrame:
    """Rows of two kinds: a number around -5 or 5, and a name to match."""
    rng = np.random.default_rng(4)
    kind = rng.random(800) < 0.4
    number = np.where(kind, 5.0, -5.0) + rng.normal(size=800)
    return pl.DataFrame({"number": number, "name": np.where(kind, "high", "low"), "noise": rng.normal(size=800)})


@pytest.fixture(scope="module")
def autoencoder(two_kinds: pl.DataFrame) -> cuvee.Model:
    return cuvee.fit(two_kinds, "vae", seed=1)


@pytest.mark.parametrize("name", ["vae", "gan"])
def test_names_go_with_numbers(name: str, two_kinds: pl.DataFrame, autoencoder: cuvee.Model) -> None:
    model = autoencoder if name == "vae" else cuvee.fit(two_kinds, "gan", seed=1)
    rows = model.sample(2_000, seed=1).frame
    right = rows.select(((pl.col("number") > 0) == (pl.col("name") == "high")).mean()).item()
    # Columns that are independent are right in 52 %.
    assert right > 0.85
    history = model.history()
    assert history is not None
    assert history["epoch"].to_list() == list(range(1, history.height + 1))
    assert history["kept"].sum() == 1


def test_the_history_is_saved_without_its_seconds(autoencoder: cuvee.Model, tmp_path: Path) -> None:
    autoencoder.save(tmp_path / "model")
    opened = cuvee.load(tmp_path / "model").history()
    history = autoencoder.history()
    assert history is not None
    assert opened.equals(history.drop("seconds"))


def test_between_two_rows_lies_the_way_from_one_kind_to_the_other(
    autoencoder: cuvee.Model, two_kinds: pl.DataFrame
) -> None:
    learned = autoencoder.learned
    assert isinstance(learned, VaeLearned)
    low, high = two_kinds.filter(name="low")[:1], two_kinds.filter(name="high")[:1]
    way = learned.interpolate(low, high, steps=7)
    assert way.height == 7
    assert way.schema == two_kinds.schema
    assert way["name"][0] == "low"
    assert way["name"][-1] == "high"
    assert way["name"].rle().len() == 2
    assert way["number"][0] < 0 < way["number"][-1]
    moved = pl.concat([learned.traverse(low, j, [-3.0, 3.0]) for j in range(learned.shape[1])])
    assert moved["name"].n_unique() == 2
    with pytest.raises(ModelError, match="there are 800"):
        learned.interpolate(two_kinds, high)
    with pytest.raises(ModelError, match="no latent 99"):
        learned.traverse(low, 99, [0.0])


def test_latents_that_say_nothing_are_counted(two_kinds: pl.DataFrame, autoencoder: cuvee.Model) -> None:
    silent_model = cuvee.fit(two_kinds, {"vae": {"epochs": 5, "alpha": 100.0, "schedule": "constant"}}, seed=1)
    assert any(note.startswith("0 of its") for note in silent_model.notes)
    assert not any(note.startswith("0 of its") for note in autoencoder.notes)


def test_a_time_budget_is_kept_and_told(two_kinds: pl.DataFrame) -> None:
    model = cuvee.fit(two_kinds, Vae(epochs=10_000), time_budget=1, seed=1)
    assert any("its time was over" in note or "no gain any more" in note for note in model.notes)


def test_the_report_shows_how_it_was_learned(autoencoder: cuvee.Model, two_kinds: pl.DataFrame) -> None:
    report = cuvee.report(autoencoder)
    history = autoencoder.history()
    assert history is not None
    (told,) = report.data["models"]
    assert [p["epoch"] for p in told["training"]] == history["epoch"].to_list()
    assert [p["held"] for p in told["training"] if p["kept"]] == history.filter("kept")["held"].to_list()
    assert "How it was learned" in report.html
    plain = cuvee.report(cuvee.fit(two_kinds, "copula"))
    assert plain.data["models"][0]["training"] == []
    assert "How it was learned" not in plain.html
