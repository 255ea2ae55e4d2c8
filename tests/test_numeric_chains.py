"""R-hat and effective sizes of Markov chains, against processes whose truth is known."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cuvee.numeric.chains import ess_bulk, ess_mean, ess_tail, rhat, standard_error


def autoregressive(phi: float, chains: int, draws: int, seed: int) -> np.ndarray:
    """Stationary chains with correlation phi from one draw to the next, worth (1 - phi) / (1 + phi) of their number."""
    rng = np.random.default_rng(seed)
    table = np.empty((chains, draws))
    table[:, 0] = rng.standard_normal(chains)
    noise = rng.standard_normal((chains, draws)) * np.sqrt(1 - phi**2)
    for t in range(1, draws):
        table[:, t] = phi * table[:, t - 1] + noise[:, t]
    return table


@pytest.mark.parametrize("phi", [-0.3, 0.0, 0.5, 0.9])
def test_the_effective_size_is_that_of_an_autoregressive_process(phi: float) -> None:
    draws = autoregressive(phi, 4, 20_000, seed=1)
    truth = draws.size * (1 - phi) / (1 + phi)
    # The estimate varies by about 3 % at this length, 5 % at .9; five such errors are allowed.
    assert ess_mean(draws) == pytest.approx(truth, rel=0.2)
    assert ess_bulk(draws) == pytest.approx(truth, rel=0.2)


def test_the_standard_error_is_that_of_means_of_many_runs() -> None:
    runs = [autoregressive(0.8, 2, 2_000, seed) for seed in range(200)]
    told = float(np.median([standard_error(r) for r in runs]))
    # The scatter of 200 means is known to 5 %; four such errors are allowed.
    assert told == pytest.approx(float(np.std([r.mean() for r in runs], ddof=1)), rel=0.2)


def test_mixed_chains_have_an_r_hat_near_one() -> None:
    values = [rhat(autoregressive(0.3, 4, 1_000, seed)) for seed in range(50)]
    assert max(values) < 1.02
    assert min(values) > 0.99


@pytest.mark.parametrize("fault", ["place", "width", "trend"])
def test_chains_that_have_not_mixed_have_a_large_r_hat(fault: str) -> None:
    draws = autoregressive(0.3, 4, 1_000, seed=2)
    if fault == "place":
        draws[0] += 1
    elif fault == "width":
        draws[0] *= 3
    else:
        draws += np.linspace(-1, 1, 1_000)
    assert rhat(draws) > 1.05


def test_rare_visits_to_a_tail_are_seen_in_the_tail_alone() -> None:
    rng = np.random.default_rng(3)
    draws = rng.standard_normal((4, 2_000))
    # One chain in four stays in the upper tail for a long run.
    draws[0, 500:900] = 3 + 0.1 * rng.standard_normal(400)
    assert ess_tail(draws) < 0.2 * draws.size
    assert ess_tail(draws) < ess_mean(rng.standard_normal((4, 2_000))) / 4


@given(st.integers(4, 40), st.integers(1, 4), st.integers(0, 1000))
def test_figures_do_not_change_under_a_growing_transformation(n: int, chains: int, seed: int) -> None:
    draws = np.random.default_rng(seed).standard_normal((chains, n))
    assert ess_bulk(np.exp(draws)) == pytest.approx(ess_bulk(draws))
    assert 0 < ess_bulk(draws) <= draws.size * np.log10(max(draws.size, 10)) + 1e-9


def test_what_says_nothing() -> None:
    assert np.isnan(rhat(np.zeros((2, 3))))
    assert np.isnan(ess_bulk(np.array([[1.0, np.inf, 2.0, 3.0, 1.0]])))
    assert rhat(np.full((2, 10), 4.0)) == 1.0
    assert ess_mean(np.full((2, 10), 4.0)) == 20.0
    assert rhat(np.repeat([[0.0], [1.0]], 10, axis=1)) > 10
