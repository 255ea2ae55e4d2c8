"""Simulation: closed forms, planted sensitivities, the same bytes, interruption, and what a bad scenario is told."""

import re
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from scipy import stats

import cuvee
from cuvee.cli import call
from cuvee.core import Event
from cuvee.data.errors import CuveeError, SimulationError
from cuvee.numeric.risk import Units, quantile, shortfall, shortfall_of
from cuvee.numeric.sensitivity import sobol_indices
from cuvee.simulation.distributions import FAMILIES
from cuvee.simulation.simulate import simulate_scenario

METHODS = ("plain", "antithetic", "latin", "sobol")
CALL = {  # a European call: 100 at 3 % for a year, volatility 0.2, strike 105
    "variables": {
        "z": {"normal": {"mean": 0, "sd": 1}},
        "price": "100 * exp(0.03 - 0.02 + 0.2 * z)",
        "value": "exp(-0.03) * max(price - 105, 0)",
    },
    "sensitivity": 0,
}
PATH = {
    "steps": 6,
    "variables": {
        "r": {"normal": {"mean": 0.01, "sd": 0.05}},
        "wealth": {"formula": "wealth[-1] * (1 + r)", "start": 100},
    },
    "shocks": {"crash": {"probability": 0.2, "at": 2, "lasts": 2, "change": {"r": {"add": -0.2}}}},
    "events": {"low": {"when": "wealth < 90", "at": "any"}},
    "sensitivity": 256,
}


def black_scholes() -> float:
    d = (np.log(100 / 105) + 0.03 + 0.02) / 0.2
    return float(100 * stats.norm.cdf(d) - 105 * np.exp(-0.03) * stats.norm.cdf(d - 0.2))


# Intervals at 95 %: five standard errors would be passed by chance once in 1.7 million.
def near(figure, truth: float) -> bool:
    return abs(figure.value - truth) <= 5 / 1.96 * (figure.high - figure.low) / 2


@pytest.mark.parametrize("method", METHODS)
def test_an_option_costs_what_black_and_scholes_say(method):
    done = cuvee.simulate({**CALL, "method": method}, 16_384, seed=1)
    assert near(done["mean of value"], black_scholes())


def test_a_control_variate_narrows_the_interval_and_keeps_the_mean():
    plain = cuvee.simulate(CALL, 8_192, seed=1)["mean of value"]
    held = cuvee.simulate({**CALL, "control": {"price": 100 * np.exp(0.03)}}, 8_192, seed=1)["mean of value"]
    assert near(held, black_scholes())
    assert held.high - held.low < 0.5 * (plain.high - plain.low)


@pytest.mark.parametrize("method", METHODS)
def test_risk_of_a_normal_portfolio(method):
    scenario = {
        "variables": {"a": {"normal": {"mean": 1, "sd": 1}}, "b": {"normal": {"mean": 0, "sd": 2}}, "p": "a + b"},
        "dependence": {"correlation": {"a": {"b": 0.5}}},
        "events": {"lost": "p < 0"},
        "method": method,
        "sensitivity": 0,
    }
    done, sd = cuvee.simulate(scenario, 16_384, seed=3), np.sqrt(7)
    assert near(done["mean of p"], 1)
    assert near(done["sd of p"], sd)
    for level in (0.95, 0.99):
        z = stats.norm.ppf(level)
        assert near(done[f"VaR {100 * level:g}% of p"], sd * z - 1)
        assert near(done[f"ES {100 * level:g}% of p"], sd * stats.norm.pdf(z) / (1 - level) - 1)
    assert near(done["probability of lost"], stats.norm.cdf(-1 / sd))


def test_losses_and_gains_are_mirror_images():
    a, b = ({"variables": {"x": {"normal": {"mean": 0, "sd": 1}}, "y": t}, "sensitivity": 0} for t in ("x", "-x"))
    gain = cuvee.simulate({**a, "outputs": ["y"]}, 2_000)
    loss = cuvee.simulate({**b, "outputs": {"y": "loss"}}, 2_000)
    for key in ("VaR 95% of y", "ES 95% of y"):
        assert gain[key] == loss[key]


def test_quantiles_and_shortfall_of_few_values_by_hand():
    losses = np.arange(1.0, 101.0)
    assert quantile(losses, 0.95, Units()).value == 95
    assert shortfall_of(losses, 0.95) == pytest.approx(98)  # the mean of 96, ..., 100
    assert shortfall_of(losses, 0.955) == pytest.approx((0.5 * 96 + 97 + 98 + 99 + 100) / 4.5)
    assert quantile(losses[:20], 0.99, Units()).interval is None
    assert shortfall(losses, 0.99, Units()).interval is None


def test_intervals_hold_the_truth_as_often_as_they_say():
    """400 repeats of an interval that is right hold it at least 366 times, but for once in 500."""
    rng = np.random.default_rng(5)
    truth = stats.expon.ppf(0.95)
    held = np.zeros(2, int)
    for _ in range(400):
        losses = rng.exponential(size=2_000)
        for i, (found, right) in enumerate(
            ((quantile(losses, 0.95, Units()), truth), (shortfall(losses, 0.95, Units()), truth + 1))
        ):
            held[i] += found.interval[0] <= right <= found.interval[1]
    assert held.min() >= 366


def test_sobol_indices_of_ishigami_function():
    """f = sin x1 + 7 sin^2 x2 + 0.1 x3^4 sin x1. Source: Ishigami and Homma (1990), whose indices are known exactly."""

    def model(u):
        x = np.pi * (2 * u - 1)
        return (np.sin(x[:, 0]) + 7 * np.sin(x[:, 1]) ** 2 + 0.1 * x[:, 2] ** 4 * np.sin(x[:, 0]))[None]

    variance = 7**2 / 8 + 0.1 * np.pi**4 / 5 + 0.01 * np.pi**8 / 18 + 0.5
    first = np.array([0.5 * (1 + 0.1 * np.pi**4 / 5) ** 2, 7**2 / 8, 0]) / variance
    total = first + 0.01 * np.pi**8 * (1 / 18 - 1 / 50) / variance * np.array([1, 0, 1])
    found = sobol_indices(model, [[0], [1], [2]], 3, n=8_192, seed=2)
    assert found.first[:, 0] == pytest.approx(first, abs=0.02)
    assert found.total[:, 0] == pytest.approx(total, abs=0.02)
    assert (np.abs(found.total[:, 0] - total) < 2.5 * found.total_half[:, 0]).all()


def test_what_hangs_together_is_one_factor():
    scenario = {
        "variables": {n: {"normal": {"mean": 0, "sd": 1}} for n in "abc"} | {"y": "a + b + c"},
        "dependence": {"correlation": {"a": {"b": 0.5}}},
    }
    done = cuvee.simulate(scenario, 500)
    shares = dict(zip(done.sensitivity["factor"], done.sensitivity["total"], strict=True))
    assert shares == pytest.approx({"a + b": 0.75, "c": 0.25}, abs=0.02)
    assert dict(done.swings.select("variable", "at_high").iter_rows())["a"] == pytest.approx(stats.norm.ppf(0.95))


@pytest.mark.parametrize("method", METHODS)
def test_the_same_seed_gives_the_same_bytes_whatever_the_block(method):
    scenario = cuvee.Scenario.of({**PATH, "method": method})
    whole = simulate_scenario(scenario, {}, n=3_000, seed=7)
    parts = simulate_scenario(scenario, {}, n=3_000, seed=7, block=58)
    assert whole.to_json() == parts.to_json()
    assert whole.draws.frame.equals(parts.draws.frame)
    assert simulate_scenario(scenario, {}, n=3_000, seed=8).to_json() != whole.to_json()


def test_paths_follow_the_recursion_and_the_shock():
    frame = cuvee.simulate(PATH, 500, seed=2).draws.frame
    assert frame.columns == ["draw", "step", "r", "wealth", "crash"]
    wealth = frame["wealth"].to_numpy().reshape(500, 6)
    growth = 1 + frame["r"].to_numpy().reshape(500, 6)
    assert wealth == pytest.approx(100 * growth.cumprod(1))
    crash = frame["crash"].to_numpy().reshape(500, 6)
    assert (crash[:, 1] == crash[:, 2]).all()
    assert not crash[:, [0, 3, 4, 5]].any()
    assert growth[:, 1][crash[:, 1]].mean() == pytest.approx(0.81, abs=0.03)  # 5 standard errors
    assert 0.1 < crash[:, 1].mean() < 0.3


def test_it_stops_when_it_is_precise_enough():
    scenario = {**CALL, "precision": {"mean of value": "2%", "ES 95% of price": 1}, "outputs": ["value", "price"]}
    done = cuvee.simulate(scenario, 1_000_000, seed=1)
    figure = done["mean of value"]
    assert done.stopped == "precision"
    assert done.n < 100_000
    assert (figure.high - figure.low) / 2 <= 0.02 * figure.value
    few = cuvee.simulate(scenario, 2_000, seed=1)
    assert few.stopped == "draws"
    assert "not everything is known" in few.notes[0]


def interrupted_after(count):
    seen = []

    def watch(event: Event):
        seen.append(event)
        if len(seen) == count:
            raise KeyboardInterrupt

    return watch


@pytest.mark.parametrize("to", [None, "draws.csv"])
def test_an_interruption_keeps_what_there_is(to, tmp_path):
    place = None if to is None else tmp_path / to
    done = cuvee.simulate(CALL, 100_000, seed=1, to=place, watch=interrupted_after(4))
    assert done.stopped == "interrupted"
    assert "Interrupted" in done.notes[0]
    whole = cuvee.simulate(CALL, 100_000, seed=1).draws.frame
    frame = done.draws.frame if place is None else pl.read_csv(place)
    assert 0 < frame.height == done.n < 100_000
    assert frame["z"].to_numpy() == pytest.approx(whole["z"].to_numpy()[: done.n], rel=1e-15)


def test_an_interruption_before_there_is_anything_leaves_the_file_alone(tmp_path):
    (tmp_path / "draws.csv").write_text("as it was")
    with pytest.raises(KeyboardInterrupt):
        cuvee.simulate(CALL, 1_000, to=tmp_path / "draws.csv", watch=interrupted_after(1))
    with pytest.raises(SimulationError, match="not a finite number"):
        cuvee.simulate({"variables": {"x": {"normal": {"mean": 0, "sd": 1}}, "y": "log(x)"}}, to=tmp_path / "draws.csv")
    assert [p.name for p in tmp_path.iterdir()] == ["draws.csv"]
    assert (tmp_path / "draws.csv").read_text() == "as it was"


PARAMETERS = {
    "normal": {"mean": 1, "sd": 2}, "lognormal": {"mean": 3, "sd": 1}, "t": {"df": 5, "location": 1},
    "uniform": {"low": -1, "high": 2}, "triangular": {"low": 0, "mode": 1, "high": 4},
    "pert": {"low": 0, "mode": 1, "high": 4}, "beta": {"a": 2, "b": 3}, "gamma": {"shape": 2, "scale": 3},
    "exponential": {"mean": 2}, "weibull": {"shape": 1.5, "scale": 2}, "gumbel": {"location": 1, "scale": 2},
    "logistic": {"location": 1, "scale": 2}, "pareto": {"shape": 4, "minimum": 2},
    "gpd": {"shape": 0.1, "scale": 2, "threshold": 1}, "poisson": {"mean": 3}, "binomial": {"trials": 9, "p": 0.3},
    "negative_binomial": {"mean": 3, "size": 2}, "bernoulli": {"p": 0.3},
    "discrete": {"values": [5, 1, 2], "weights": [1, 2, 1]}, "categorical": {"north": 1, "south": 3},
}  # fmt: skip
MEANS = {"pert": 8 / 6, "lognormal": 3, "gamma": 6, "gpd": 1 + 2 / 0.9, "pareto": 8 / 3, "negative_binomial": 3}


@pytest.mark.parametrize("family", FAMILIES)
def test_draws_of_a_family_have_its_mean(family):
    scenario = {
        "variables": {"x": {family: PARAMETERS[family]}, "y": "x == 'north'" if family == "categorical" else "x"}
    }
    done = cuvee.simulate({**scenario, "method": "sobol", "sensitivity": 0}, 8_192, seed=1)
    stated = cuvee.Scenario.of(scenario).variables["x"].distribution.expectation()
    truth = 0.25 if stated is None else stated
    assert done["mean of y"].value == pytest.approx(truth, abs=0.01)
    assert MEANS.get(family, truth) == pytest.approx(truth)


def test_the_family_that_data_come_from_is_found_again():
    rng = np.random.default_rng(1)
    frame = pl.DataFrame({"w": rng.weibull(2.5, 2_000) * 3, "n": rng.negative_binomial(2, 0.3, 2_000)})
    both = {k: {"fit": {"data": "d", "column": k}} for k in ("w", "n")}
    notes = cuvee.simulate({"variables": both}, 100, data={"d": frame}).notes
    assert any(re.match(r"w: weibull \(shape 2\.[3-7].*within what chance allows", n) for n in notes)
    assert any(re.match(r"n: negative_binomial .*within what chance allows", n) for n in notes)
    wrong = {"w": {"fit": {"data": "d", "column": "w", "families": ["exponential"]}}}
    assert "more than chance allows" in cuvee.simulate({"variables": wrong}, 100, data={"d": frame}).notes[0]


def test_a_copula_is_measured_and_margins_follow_the_data():
    rng = np.random.default_rng(2)
    z = rng.multivariate_normal([0, 0], [[1, 0.7], [0.7, 1]], 3_000) / np.sqrt(rng.chisquare(4, 3_000) / 4)[:, None]
    frame = pl.DataFrame({"a": np.exp(z[:, 0] / 4), "b": z[:, 1]})
    scenario = {
        "variables": {n: {"empirical": {"data": "d", "column": n}} for n in "ab"},
        "dependence": {"copula": "t", "variables": ["a", "b"], "fit": "d"},
        "sensitivity": 0,
    }
    done = cuvee.simulate(scenario, 10_000, data={"d": frame}, seed=1)
    made = done.draws.frame
    assert stats.kendalltau(made["a"], made["b"]).statistic == pytest.approx(2 / np.pi * np.arcsin(0.7), abs=0.04)
    for n in "ab":
        assert stats.ks_2samp(made[n], frame[n]).statistic < 0.04
    df = float(re.search(r"degrees of freedom ([\d.]+)\.", " ".join(done.notes))[1])
    assert 3 < df < 5.5


def test_correlations_that_cannot_be_are_repaired_with_a_note():
    pairs = {"a": {"b": 0.9, "c": -0.9}, "b": {"c": 0.9}}
    variables = {n: {"normal": {"mean": 0, "sd": 1}} for n in "abc"}
    done = cuvee.simulate({"variables": variables, "dependence": {"correlation": pairs}, "sensitivity": 0}, 500)
    assert any("can't all be true together" in n for n in done.notes)


BAD = {
    "x: {lognorml: {mean: 1, sd: 1}}": (3, "Did you mean 'lognormal'?"),
    "x: {normal: {mean: 1, sdd: 1}}": (3, "Did you mean 'sd'?"),
    "x: {normal: {mean: 1, sd: -1}}": (3, "it must be above 0"),
    "x: {triangular: {low: 3, mode: 2, high: 1}}": (3, "low <= mode <= high"),
    "x: {lognormal: {mean: 1, sigma: 1}}": (3, "mean and sd, or mu and sigma"),
    "x: dmand + 1\n  demand: 3": (3, "no variable 'dmand'. Did you mean 'demand'?"),
    "x: y + 1\n  y: 2 * x": (3, "'x' is computed from itself: x -> y -> x"),
    "x: x[-1] + 1": (3, "Give 'steps'"),
    "x: 'sqroot(2)'": (3, "function 'sqroot', which there is not. Did you mean 'sqrt'?"),
    "x: 2 ^ 3": (3, "Powers are written with **"),
    "max: 3": (3, "has a meaning of its own"),
    "x: {categorical: {a: 1, b: 2}}\n  y: x + 1": (4, "computes with text"),
    "x: 1\noutputs: [y]": (4, "no variable 'y'"),
    "x: 1\nevnts: {a: x > 0}": (4, "Did you mean 'events'?"),
    "x: 1\nprecision: {mean x: 0.1}": (4, "mean of profit"),
    "x: 1\nprecision: {mean of z: 0.1}": (4, "no output 'z'"),
    "x: 1\ncontrol: [x]": (4, "the mean of 'x' is not known"),
    "x: 1\nshocks: {s: {probability: 2, change: {x: {add: 1}}}}": (4, "it must be at most 1"),
    "x: {normal: {mean: 0, sd: 1}}\n  y: 1\ndependence: {correlation: {x: {y: 0.5}}}": (5, "'y' is not drawn"),
    "x: {normal: {mean: 0, sd: 1}}\nmethod: sobool": (4, "sobol"),
}


@pytest.mark.parametrize("text", BAD)
def test_a_bad_scenario_is_one_sentence_with_its_place(text, tmp_path):
    line, said = BAD[text]
    file = tmp_path / "s.yaml"
    file.write_text(f"# a scenario\nvariables:\n  {text}\n")
    with pytest.raises(SimulationError) as caught:
        cuvee.simulate(file)
    message = str(caught.value)
    assert message.startswith(f"{file}:{line}:"), message
    assert said in message
    assert len(message.splitlines()) == 1


def test_data_that_are_not_there_are_named():
    scenario = {"variables": {"x": {"empirical": {"data": "claims", "column": "paid"}}}}
    with pytest.raises(CuveeError, match="'claims'"):
        cuvee.simulate(scenario)
    with pytest.raises(CuveeError, match="no column 'paid'"):
        cuvee.simulate(scenario, data={"claims": pl.DataFrame({"payed": range(30)})})


def test_the_command_writes_draws_report_and_figures(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    Path("s.yaml").write_text("variables: {x: {normal: {mean: 0, sd: 1}}, y: x ** 2}\nmethod: sobol\n")
    assert call(["simulate", "s.yaml", "-n", "1000", "-o", "a.csv", "--report", "a.html", "--seed", "1"]) == 0
    assert call(["simulate", "s.yaml", "-n", "1000", "-o", "b.csv", "--seed", "1"]) == 0
    shown = capsys.readouterr().out
    assert "ES 99%" in shown
    assert Path("a.csv").read_bytes() == Path("b.csv").read_bytes()
    assert pl.read_csv("a.csv").shape == (1024, 2)  # 16 sequences of a power of two, as a note says
    assert "1,024 draws were made where 1,000 were asked for" in shown
    page = Path("a.html").read_text("utf-8")
    assert page.count("<svg class") >= 4
    assert "Value at risk" in page
    assert call(["simulate", "s.yaml", "-o", "-", "--json"]) == 1


def test_a_recipe_simulates_and_goes_on_with_the_draws(tmp_path):
    pl.DataFrame({"v": np.random.default_rng(0).gamma(3, 2, 400)}).write_csv(tmp_path / "d.csv")
    (tmp_path / "r.yaml").write_text("""
version: 1
sources: {d: {path: d.csv}}
steps:
  risk: {simulate: {draws: 600, variables: {v: {fit: {data: d, column: v}}, w: 2 * v}}, save: risk.csv}
  parts: {split: risk, holdout: 0.5}
report: {save: r.html}
""")
    done = cuvee.run(tmp_path / "r.yaml")
    assert done.values["parts"].train.frame.height == 300
    assert pl.read_csv(tmp_path / "risk.csv").height == 600
    again = cuvee.run(tmp_path / "r.yaml")
    assert [s.skipped for s in again.steps] == [True, True]
    assert again.values["risk"].to_json() == done.values["risk"].to_json()
    assert "Simulation" in (tmp_path / "r.html").read_text("utf-8")
