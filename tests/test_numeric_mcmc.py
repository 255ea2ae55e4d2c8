"""Kernels and transforms of MCMC, against distributions that are known."""

from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cuvee.numeric.mcmc import (
    Between,
    Gibbs,
    Hmc,
    Metropolis,
    Nuts,
    Ordered,
    Positive,
    Real,
    Simplex,
    Slice,
    sample_posterior,
)

MEAN = np.array([1.0, -2.0, 0.5])
SPREAD = np.array([[1.0, 0.8, 0.0], [0.8, 4.0, -0.5], [0.0, -0.5, 0.25]])
PRECISION = np.linalg.inv(SPREAD)


def normal(x: np.ndarray) -> float:
    return float(-0.5 * (x - MEAN) @ PRECISION @ (x - MEAN))


def slope(x: np.ndarray) -> np.ndarray:
    return -PRECISION @ (x - MEAN)


def conditional(j: int) -> Callable[[np.ndarray, np.random.Generator], np.ndarray]:
    """Draws one coordinate of the normal given the others."""

    def draw(x: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        off = PRECISION[j] @ (x - MEAN) - PRECISION[j, j] * (x[j] - MEAN[j])
        return MEAN[j] - off / PRECISION[j, j] + rng.standard_normal(1) / np.sqrt(PRECISION[j, j])

    return draw


KERNELS = {
    "metropolis": (Metropolis(), 6_000),
    "slice": (Slice(), 1_500),
    "gibbs by conditionals": (Gibbs(tuple(((j,), conditional(j)) for j in range(3))), 1_500),
    "gibbs in part": (Gibbs((((0,), conditional(0)),)), 5_000),
    "hmc": (Hmc(), 800),
    "hmc dense": (Hmc(mass="dense"), 800),
    "nuts": (Nuts(), 800),
    "nuts dense": (Nuts(mass="dense"), 800),
}


@pytest.mark.parametrize("name", KERNELS)
def test_every_kernel_draws_a_correlated_normal(name: str) -> None:
    kernel, draws = KERNELS[name]
    found = sample_posterior(
        normal, np.zeros(3), kernel=kernel, gradient=slope, chains=3, draws=draws, warmup=600, seed=3
    )
    for j, line in enumerate(found.summary()):
        assert line.rhat < 1.05
        # Six quantities each for eight kernels: five errors are exceeded once in 36,000 runs.
        assert abs(line.mean - MEAN[j]) < 5 * line.error
        size = min(line.bulk, line.tail)
        assert line.deviation == pytest.approx(np.sqrt(SPREAD[j, j]), rel=5 / np.sqrt(2 * size))
    flat = found.draws.reshape(-1, 3)
    assert np.corrcoef(flat.T)[0, 1] == pytest.approx(0.4, abs=0.12)
    assert found.divergences == 0
    assert not found.draws.flags.writeable
    np.testing.assert_allclose(found.log_density[0, :5], [normal(x) for x in found.draws[0, :5]], atol=1e-8)


TRANSFORMS = [Real(3), Positive(3), Positive(2, low=2.0), Between(-1.0, 3.0, size=2), Ordered(4), Simplex(4)]


@pytest.mark.parametrize("transform", TRANSFORMS, ids=lambda t: f"{type(t).__name__}{t.size}")
@given(seed=st.integers(0, 10_000))
@settings(max_examples=15, deadline=None)
def test_transforms_come_back_and_their_jacobians_are_right(transform: object, seed: int) -> None:
    rng = np.random.default_rng(seed)
    y = rng.normal(size=transform.free)
    x, log_jacobian = transform.from_real(y)
    assert len(x) == transform.size
    np.testing.assert_allclose(transform.to_real(x), y, atol=1e-7)
    step = 1e-6

    def table(at: np.ndarray) -> np.ndarray:
        return np.array([(transform.from_real(at + e)[0] - transform.from_real(at - e)[0]) / (2 * step)
                         for e in step * np.eye(len(at))])  # fmt: skip

    square = table(y)[:, : transform.free]
    assert np.log(abs(np.linalg.det(square))) == pytest.approx(log_jacobian, abs=1e-5)
    weight = rng.normal(size=transform.size)

    def whole(at: np.ndarray) -> float:
        values, jacobian = transform.from_real(at)
        return float(np.sin(weight * values).sum() + jacobian)

    wanted = [(whole(y + e) - whole(y - e)) / (2 * step) for e in step * np.eye(len(y))]
    np.testing.assert_allclose(transform.pull(y, weight * np.cos(weight * x)), wanted, atol=1e-4)


@pytest.mark.parametrize(
    ("transform", "inside", "outside"),
    [
        (Positive(), [1.0], [-1.0]),
        (Between(), [0.5], [1.5]),
        (Ordered(2), [0.0, 1.0], [1.0, 0.0]),
        (Simplex(2), [0.4, 0.6], [0.4, 0.7]),
    ],
)
def test_a_start_out_of_bounds_is_refused(transform: object, inside: list[float], outside: list[float]) -> None:
    transform.to_real(np.array(inside))
    with pytest.raises(ValueError, match="must"):
        transform.to_real(np.array(outside))


def test_bounded_parameters_have_their_known_moments() -> None:
    concentration = np.array([2.0, 3.0, 5.0])

    def density(x: np.ndarray) -> tuple[float, np.ndarray]:
        """Gamma(3, 2), Beta(2, 5), Dirichlet(2, 3, 5)."""
        gamma, beta, shares = x[0], x[1], x[2:]
        value = 2 * np.log(gamma) - 2 * gamma + np.log(beta) + 4 * np.log1p(-beta)
        value += ((concentration - 1) * np.log(shares)).sum()
        gradient = [2 / gamma - 2, 1 / beta - 4 / (1 - beta), *((concentration - 1) / shares)]
        return float(value), np.array(gradient)

    start = [1.0, 0.5, 0.3, 0.3, 0.4]
    found = sample_posterior(
        density, start, gradient="returned", transforms=[Positive(), Between(), Simplex(3)], chains=2, draws=1_000,
        warmup=400, names=["gamma", "beta", "a", "b", "c"], seed=4,
    )  # fmt: skip
    for line, mean in zip(found.summary(), [1.5, 2 / 7, 0.2, 0.3, 0.5], strict=True):
        assert abs(line.mean - mean) < 5 * line.error
    assert found["gamma"].shape == (2, 1_000)
    assert found["gamma"].var() == pytest.approx(0.75, rel=0.2)
    np.testing.assert_allclose(found.draws[:, :, 2:].sum(axis=2), 1)


def schools(x: np.ndarray) -> tuple[float, np.ndarray]:
    """Eight schools (Rubin 1981), not centred: mu ~ N(0, 5), tau ~ half-Cauchy(5), z ~ N(0, 1)."""
    effect = np.array([28.0, 8, -3, 7, -1, 1, 18, 12])
    error = np.array([15.0, 10, 16, 11, 9, 11, 10, 18])
    mu, tau, z = x[0], x[1], x[2:]
    off = (effect - mu - tau * z) / error
    value = -0.5 * (mu / 5) ** 2 - np.log1p((tau / 5) ** 2) - 0.5 * z @ z - 0.5 * off @ off
    by_tau = -2 * tau / 25 / (1 + (tau / 5) ** 2) + (off * z / error).sum()
    return float(value), np.concatenate([[-mu / 25 + (off / error).sum(), by_tau], -z + off * tau / error])


def test_eight_schools() -> None:
    found = sample_posterior(
        schools, [0.0, 1.0, *np.zeros(8)], gradient="returned", transforms=[Real(), Positive(), Real(8)],
        kernel=Nuts(target=0.9), chains=2, draws=800, warmup=500, seed=5,
    )  # fmt: skip
    mu, tau = found.summary()[:2]
    # The reference posterior of posteriordb has the means 4.41 and 3.60.
    assert abs(mu.mean - 4.41) < 5 * mu.error
    assert abs(tau.mean - 3.60) < 5 * tau.error
    assert mu.rhat < 1.02
    assert (found.energy_information > 0.3).all()


def test_a_funnel_is_told_of() -> None:
    def funnel(x: np.ndarray) -> tuple[float, np.ndarray]:
        """Neal's funnel: x0 ~ N(0, 3), the others N(0, exp(x0 / 2))."""
        rest, scale = x[1:], np.exp(-x[0])
        value = -(x[0] ** 2) / 18 - 0.5 * len(rest) * x[0] - 0.5 * scale * rest @ rest
        first = -x[0] / 9 - 0.5 * len(rest) + 0.5 * scale * rest @ rest
        return float(value), np.concatenate([[first], -scale * rest])

    with np.errstate(over="ignore", invalid="ignore"):
        found = sample_posterior(funnel, np.zeros(6), gradient="returned", chains=2, draws=500, warmup=300, seed=1)
    assert found.divergences > 0
    assert any("diverged" in note for note in found.notes)


def test_the_same_seed_gives_the_same_draws_and_progress_is_told() -> None:
    told: list[tuple[int, int, str]] = []
    made = [
        sample_posterior(normal, np.zeros(3), gradient=slope, chains=2, draws=60, warmup=40, seed=seed,
                         watch=lambda *event: told.append(event))
        for seed in (1, 1, 2)
    ]  # fmt: skip
    np.testing.assert_array_equal(made[0].draws, made[1].draws)
    assert not np.array_equal(made[0].draws, made[2].draws)
    assert told[:4] == [(50, 200, "chain 1 of 2"), (100, 200, "chain 1 of 2"), (150, 200, "chain 2 of 2"),
                        (200, 200, "chain 2 of 2")]  # fmt: skip


def test_differences_stand_in_for_a_gradient_and_it_is_said() -> None:
    found = sample_posterior(normal, np.zeros(3), chains=2, draws=300, warmup=300, seed=2)
    assert "finite differences" in found.notes[0]
    assert abs(found.summary()[1].mean + 2) < 5 * found.summary()[1].error
    assert not sample_posterior(normal, np.zeros(3), kernel="slice", chains=2, draws=900, warmup=100, seed=2).notes


@pytest.mark.parametrize(
    ("options", "complaint"),
    [
        ({"kernel": "nut"}, "no kernel 'nut'"),
        ({"draws": 2}, "at least one chain of four draws"),
        ({"names": ["a"]}, "as many names"),
        ({"transforms": [Positive(2)]}, "as the transforms have"),
        ({"start": np.zeros((2, 3)), "chains": 3}, "wanted are one point or 3"),
    ],
)
def test_what_can_not_be_is_refused(options: dict[str, object], complaint: str) -> None:
    start = options.pop("start", np.zeros(3))
    with pytest.raises(ValueError, match=complaint):
        sample_posterior(normal, start, **options)


def test_a_start_without_density_is_refused() -> None:
    with pytest.raises(ValueError, match="start where there is a density"):
        sample_posterior(lambda _: -np.inf, np.zeros(2), kernel="metropolis")


def test_chains_that_stay_apart_are_told_of() -> None:
    def two(x: np.ndarray) -> float:
        return float(np.logaddexp(-0.5 * ((x - 20) ** 2).sum(), -0.5 * ((x + 20) ** 2).sum()))

    found = sample_posterior(two, np.array([[20.0], [-20.0]]), kernel="metropolis", chains=2, draws=400, warmup=100)
    assert any("have not mixed in x0" in note for note in found.notes)
