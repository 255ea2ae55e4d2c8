"""The formula language of scenarios: it computes what Python computes, and refuses all else with a sentence."""

import contextlib

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cuvee.data.errors import SimulationError
from cuvee.simulation.formulas import formula_of

X, Y = np.array([0.5, 2.0, -3.0]), np.array([1.0, -1.5, 4.0])
LOOK = {"x": X, "y": Y}
LEAVES = st.sampled_from(["x", "y", "2", "0.5", "x[-1]"])


def written(t):
    return f"({t[0][0]} {t[1]} {t[0][1]})"


def deeper(inner):
    pairs = st.tuples(inner, inner)
    return st.one_of(
        st.tuples(pairs, st.sampled_from("+-*/")).map(written),
        st.tuples(pairs, st.sampled_from(["<", "<=", ">", ">=", "==", "!="])).map(
            lambda t: f"({t[0][0]} {t[1]} {t[0][1]})"
        ),
        st.tuples(pairs, st.sampled_from(["max", "min"])).map(lambda t: f"{t[1]}({t[0][0]}, {t[0][1]})"),
        pairs.map(lambda t: f"({t[0]} if {t[1]} > 0 else 1)"),
        inner.map(lambda t: f"(-{t})"),
        inner.map(lambda t: f"abs({t})"),
    )


FORMULAS = st.recursive(LEAVES, deeper, max_leaves=12)


def value(text, row=slice(None)):
    found = formula_of(text).value(lambda name, lag: LOOK[name][row] + lag)
    return np.broadcast_to(np.asarray(found, float), X[row].shape)


@settings(max_examples=200, deadline=None)
@given(FORMULAS)
def test_a_formula_is_what_python_computes_draw_by_draw(text):
    found = value(text)
    for i in range(3):
        names = {"x": Lagged(X[i]), "y": Lagged(Y[i]), "max": max, "min": min}
        try:
            wanted = float(eval(text, {"__builtins__": {"abs": abs}}, names))  # noqa: S307 (our own texts)
        except ZeroDivisionError:
            continue
        if np.isfinite(found[i]):
            assert found[i] == pytest.approx(wanted, rel=1e-12, abs=1e-12)


class Lagged(float):
    """A number whose value so many steps ago is known: `x[-1]` is x - 1."""

    def __getitem__(self, lag):
        return float(self) + lag


@settings(max_examples=200, deadline=None)
@given(st.text("xy0123456789+-*/()[]<>=.,' \n_abe&|^%", max_size=30))
def test_any_text_is_a_formula_or_a_sentence(text):
    with contextlib.suppress(SimulationError):
        assert formula_of(text).text == text


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("2 ** 3 ** 2", 512), ("-2 ** 2", -4), ("where(1 < 2 < 3, 5, 6)", 5), ("if(0, 1, 2)", 2),
        ("1 + if(1, 2, 3) * 2", 5), ("not 0 and 1", 1), ("round(2.344, 2)", 2.34), ("exp(log(3))", 3), ("sin(pi)", 0),
        ("floor(-0.5) + ceil(0.2)", 0), ("sqrt(16) + abs(-1)", 5), ("max(1, 2, 3) - min(3, 2, 1)", 2),
    ],
)  # fmt: skip
def test_known_values(text, wanted):
    assert value(text) == pytest.approx(wanted)


@pytest.mark.parametrize(
    "text",
    [
        "__import__('os')", "x.__class__", "[x]", "lambda: 1", "x if", "x[0]", "x[1]", "x[y]", "f'{x}'", "(x := 1)",
        "max(*x)", "max(x=1)", "open(x)", "x; y", "x = 1", "'a' < 'b' + 1 if", "max(1)", "1" * 2_001, "1j", "x @ y",
    ],
)  # fmt: skip
def test_what_is_no_formula_is_refused(text):
    with pytest.raises(SimulationError):
        formula_of(text)


def test_words_are_compared_and_not_computed_with():
    kinds = {"region": "text", "x": "number"}
    assert formula_of("where(region == 'north', 1, x)").kind(kinds) == "number"
    assert formula_of("where(x > 1, region, 'south')").kind(kinds) == "text"
    for text in ("region + 1", "region < 'a'", "region == 1", "where(region, 1, 2)"):
        with pytest.raises(SimulationError, match="text"):
            formula_of(text).kind(kinds)
