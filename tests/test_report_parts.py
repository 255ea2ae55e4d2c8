"""The parts of the report: what is cut, merged, hidden, laid out and drawn, each by itself."""

import re
from datetime import UTC, datetime, timedelta

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st
from markupsafe import Markup

import cuvee
from cuvee.core import Score, Scores
from cuvee.data.dataset import Dataset
from cuvee.data.schema import Column, Schema, Table
from cuvee.mixing.curve import share_curve
from cuvee.mixing.mixed import Mixed
from cuvee.numeric.association import cramers_v
from cuvee.numeric.layout import components, layout
from cuvee.reporting.bins import FEW, cut, figures, merged
from cuvee.reporting.charts import column_chart, curve_chart, heat_chart
from cuvee.reporting.distributions import distribution
from cuvee.reporting.graph import MANY, graph_summary
from cuvee.reporting.page import scale
from cuvee.reporting.svg import draw
from cuvee.reporting.verdict import answers


def shown(real, synthetic, kind="number", role=None):
    return distribution("x", Column(kind=kind, role=role), pl.Series("x", real), pl.Series("x", synthetic))


# Layout


def graph(seed=0):
    """Three rings, tied to nothing but themselves, and two single nodes."""
    edges = [(a + i, a + (i + 1) % n) for a, n in ((0, 20), (20, 12), (32, 6)) for i in range(n)]
    return 40, np.array(edges), np.random.default_rng(seed).uniform(1, 9, len(edges))


def test_connected_nodes_stand_nearer_than_others():
    n, edges, weights = graph()
    at = layout(n, edges, weights, rng=np.random.default_rng(1))
    assert at.shape == (n, 2)
    assert np.isfinite(at).all()
    assert at.min() >= 0
    assert at.max() <= 1
    apart = np.sqrt(((at[:, None] - at[None]) ** 2).sum(axis=2))
    tied = apart[edges[:, 0], edges[:, 1]].mean()
    assert tied < 0.35 * apart[np.triu_indices(n, 1)].mean()


def test_components_do_not_overlap():
    n, edges, weights = graph()
    at = layout(n, edges, weights, rng=np.random.default_rng(1))
    label = components(n, edges)
    boxes = [(at[label == c].min(axis=0), at[label == c].max(axis=0)) for c in np.unique(label)]
    for i, (low, high) in enumerate(boxes):
        for other_low, other_high in boxes[:i]:
            assert (low > other_high).any() or (other_low > high).any()


def test_the_same_seed_gives_the_same_layout():
    n, edges, weights = graph()
    first, again, other = (layout(n, edges, weights, rng=np.random.default_rng(s)) for s in (1, 1, 2))
    assert np.array_equal(first, again)
    assert not np.array_equal(first, other)


@pytest.mark.parametrize("n", [0, 1, 7])
def test_nodes_without_edges_have_a_place(n):
    at = layout(n, np.zeros((0, 2), dtype=np.int64), np.zeros(0), rng=np.random.default_rng(0))
    assert at.shape == (n, 2)
    assert len(np.unique(at.round(6), axis=0)) == n


def test_odd_edges_are_drawn_or_refused():
    loops = np.array([[0, 0], [0, 1], [0, 1], [1, 0]])
    assert np.isfinite(layout(2, loops, np.ones(4), rng=np.random.default_rng(0))).all()
    with pytest.raises(ValueError, match="node 5"):
        layout(3, np.array([[0, 5]]), np.ones(1), rng=np.random.default_rng(0))
    with pytest.raises(ValueError, match="2 weights"):
        layout(3, np.array([[0, 1]]), np.ones(2), rng=np.random.default_rng(0))


@given(st.integers(1, 30), st.lists(st.tuples(st.integers(0, 29), st.integers(0, 29)), max_size=40))
def test_components_are_those_of_a_search(n, pairs):
    edges = np.array([(a % n, b % n) for a, b in pairs], dtype=np.int64).reshape(-1, 2)
    groups = [{i} for i in range(n)]
    for a, b in edges.tolist():
        joined = groups[a] | groups[b]
        for i in joined:
            groups[i] = joined
    assert components(n, edges).tolist() == [min(g) for g in groups]


# Association


def test_association_is_the_textbook_one():
    rng = np.random.default_rng(3)
    a = rng.integers(0, 3, 500)
    codes = np.column_stack([a, (a + rng.integers(0, 2, 500)) % 4, rng.integers(0, 5, 500), np.zeros(500, dtype=int)])
    found = cramers_v(codes, np.array([3, 4, 6, 1]))  # the third column has a level that never occurs
    for i in range(4):
        for j in range(4):
            assert found[i, j] == pytest.approx(textbook(codes[:, i], codes[:, j]), abs=1e-9)


def textbook(x, y):
    """Bergsma's corrected V of two columns, written out."""
    table = np.array([[np.sum((x == a) & (y == b)) for b in np.unique(y)] for a in np.unique(x)], dtype=float)
    n, (r, c) = table.sum(), table.shape
    expected = table.sum(axis=1, keepdims=True) * table.sum(axis=0) / n
    phi = max(0.0, ((table - expected) ** 2 / expected).sum() / n - (r - 1) * (c - 1) / (n - 1))
    free = min(r - (r - 1) ** 2 / (n - 1), c - (c - 1) ** 2 / (n - 1)) - 1
    return min(1.0, np.sqrt(phi / free)) if free > 0 else 0.0


# What is shown of a column


@given(st.lists(st.integers(0, 12), min_size=1, max_size=30))
def test_merged_bins_hold_no_row_or_enough(counts):
    runs = merged(np.array(counts))
    assert [a for a, _ in runs] == [0, *(b for _, b in runs[:-1])]
    assert runs[-1][1] == len(counts)
    totals = [sum(counts[a:b]) for a, b in runs]
    if sum(counts) >= FEW:
        assert all(t == 0 or t >= FEW for t in totals)


@given(st.lists(st.floats(-1e12, 1e12), min_size=5, max_size=60))
def test_edges_are_round_and_hold_the_middle(values):
    x = np.array(values)
    axis = cut(x, pl.Float64())
    assert (np.diff(axis.edges) > 0).all()
    low, high = np.quantile(x, [0.01, 0.99])
    slack = 1e-9 * max(abs(low), abs(high))
    assert axis.edges[0] <= low + slack
    assert axis.edges[-1] >= high - slack
    assert len(axis.edges) <= 60


def test_counts_of_a_histogram_are_those_of_the_rows():
    real, made = np.arange(100) % 10, np.arange(200) % 5
    d = shown(real, made)
    assert [b.real for b in d.bars] == [0.1] * 10
    assert [b.synthetic for b in d.bars] == [0.2] * 5 + [0.0] * 5
    assert d.difference == pytest.approx(0.5)
    assert d.mean == (4.5, 2.0)


def test_a_rare_category_is_never_named():
    real = ["a"] * 50 + ["b"] * 20 + ["rare"] * (FEW - 1)
    d = shown(real, ["rare"] * 60 + ["new"] * 10, kind="category")
    assert [b.label for b in d.bars] == ["a", "b", "other values (1)"]
    assert d.bars[-1].synthetic == 1.0
    assert sum(b.real for b in d.bars) == pytest.approx(1, abs=1e-4)


@pytest.mark.parametrize(
    ("kind", "role", "reason"),
    [
        ("text", None, "free text"),
        ("id", None, "identifier"),
        ("category", "email", "person"),
        ("number", "postcode", "person"),
        ("datetime", "birthdate", "person"),
    ],
)
def test_what_could_name_a_person_is_hidden(kind, role, reason):
    d = shown(["x"] * 30, ["x"] * 30, kind=kind, role=role)
    assert d.form == "hidden"
    assert reason in d.reason
    assert d.bars == ()


@pytest.mark.parametrize("step", [timedelta(seconds=2), timedelta(hours=7), timedelta(days=11), timedelta(days=500)])
def test_moments_are_cut_on_the_calendar(step):
    start = datetime(1999, 5, 3, 4, 5, 6, tzinfo=UTC)
    values = pl.Series([start + i * step for i in range(100)])
    axis = cut(figures(values), values.dtype)
    assert 5 <= len(axis.edges) <= 40
    assert (np.diff(axis.edges) > 0).all()
    assert 2 <= len(axis.ticks) <= 5
    if step > timedelta(days=1):
        assert (axis.edges % 86_400 == 0).all()


def test_nulls_and_values_outside_are_counted_apart():
    real = [1.0, 2.0] * 200 + [None] * 100
    d = shown(real, [1.0] * 300 + [99.0] * 100 + [None] * 100)
    assert d.nulls == (0.2, 0.2)
    assert d.outside == (0.0, 0.2)
    assert sum(b.synthetic for b in d.bars) == pytest.approx(0.6)


# Drawing


def test_a_chart_has_no_ids_scripts_or_fonts():
    specs = [
        column_chart(shown(np.arange(300) % 17, np.arange(300) % 13).plain()),
        column_chart(shown(["<b>", "\"'", "雪"] * 50, ["<b>"] * 9, kind="category").plain()),
        heat_chart(["<script>", "b" * 500, "c"], np.full((3, 3), 0.2)),
        curve_chart([{"share": s, "value": s, "low": s - 0.1, "high": s + 0.1} for s in (0.0, 0.5, 1.0)], 0.5),
    ]
    for spec in specs:
        drawn = draw(spec, label='a "label" <b>')
        assert isinstance(drawn, Markup)
        assert drawn == draw(spec, label='a "label" <b>')
        assert not re.search(r"<script|<b>|\bid=|font-family|url\(|NaN|undefined|xmlns", drawn)
        assert len(drawn) < 6_000
        assert 'aria-label="a &#34;label&#34; &lt;b&gt;"' in drawn


def test_many_nulls_do_not_press_the_bins_flat():
    d = shown([None] * 950 + list(range(50)), [None] * 950 + list(range(50)))
    drawn = str(draw(column_chart(d.plain()), label="x"))
    silhouette = re.search(r'<path d="([^"]+)" fill="var\(--real\)"', drawn)[1]
    heights = [float(y) for y in re.findall(r"[ML]-?[\d.]+,(-?[\d.]+)", silhouette)]
    assert sum(h < 10 for h in heights) > 10, "most bins reach the top of the drawing"


def test_right_is_better_on_every_scale():
    base = {"floor": None, "ceiling": None, "interval": None}
    detector = scale(base | {"value": 0.7, "floor": 1.0, "ceiling": 0.5, "best": 0.5})
    assert detector["floor"] == 0
    assert detector["ceiling"] == 100
    assert detector["value"] == pytest.approx(60)
    shape = scale(base | {"value": 0.9, "ceiling": 0.95, "best": 1.0, "interval": (0.8, 0.92)})
    assert shape["value"] == 90
    assert (shape["low"], shape["high"]) == (80, 92)
    assert scale(base | {"value": None, "best": 1.0}) is None
    same = scale(base | {"value": 0.0, "ceiling": 0.0, "best": 0.0})
    assert same["value"] == 50


def test_the_three_answers_follow_their_rule():
    def score(name, family, passed, value=0.2):
        return Score(name, family, value, 0.0, 1.0, None, 1.0, "So.", passed)

    def words(*scores):
        return [a.word for a in answers(Scores(scores, {"train": 9, "holdout": 9}))]

    assert words() == ["Not assessed"] * 3
    assert words(score("shape", "fidelity", passed=True))[0] == "Yes"
    assert words(score("shape", "fidelity", passed=True), score("pairs", "fidelity", passed=False))[0] == "In part"
    assert words(score("utility", "utility", passed=False))[1] == "No"
    assert words(score("utility", "utility", passed=False, value=0.7))[1] == "In part"
    safe = (score("near_copies", "privacy", passed=True), score("exact_copies", "privacy", passed=False))
    assert words(*safe)[2] == "Warning"
    assert words(*safe[:1])[2] == "No leak found"


# The graph


def entity_graph(sensitive):
    """A hub of clinics and patients, each patient with a name and many visits."""
    role = "name" if sensitive else None
    schema = Schema(tables={"people": Table(columns={"name": Column(kind="text", role=role)})})
    nodes = pl.DataFrame({
        "id": [f"people:p{i}" for i in range(30)],
        "kind": ["people"] * 30,
        "label": [f"Person {i}" if i % 2 else f"p{i}" for i in range(30)],
        "weight": [i + 1 for i in range(30)],
    })  # fmt: skip
    edges = pl.DataFrame({
        "source": [f"people:p{i}" for i in range(1, 30)],
        "target": ["people:p0"] * 29,
        "relation": ["knows"] * 29,
        "weight": [1] * 29,
    })  # fmt: skip
    return graph_summary(nodes, edges, schema, rng=np.random.default_rng(0))


def test_people_carry_no_name_in_the_graph():
    hidden = entity_graph(sensitive=True)
    assert not [n for n in hidden["drawing"]["nodes"] if n["label"]]
    assert "Person" not in str(hidden)
    assert "p29" not in str(hidden)


def test_things_are_named_where_enough_rows_refer_to_them():
    named = {n["label"] for n in entity_graph(sensitive=False)["drawing"]["nodes"]} - {""}
    assert "Person 29" in named
    assert "Person 3" not in named, "it stands for four rows"
    assert all(int(label[1:]) + 1 >= MANY for label in named if label.startswith("p"))


# The whole


def test_a_mix_shows_its_curve_and_needs_no_scores():
    rng = np.random.default_rng(5)

    def world(n):
        x = rng.normal(size=n)
        return pl.DataFrame({"x": x, "y": x + rng.normal(size=n) > 0})

    train, holdout, twins = (Dataset.of(world(n)) for n in (200, 200, 400))
    curve = share_curve(train, twins, holdout, predict="y", rng=rng, shares=(0.0, 0.25, 0.5))
    made = cuvee.report(Mixed(cuvee.mix(train, twins, share=0.25), curve))
    assert made.data["mixes"][0]["share"] == pytest.approx(0.25, abs=0.01)
    assert len(made.data["mixes"][0]["curve"]) >= 3
    assert "What each share is worth" in made.html
    assert {c["column"] for c in made.data["columns"]} == {"x", "y"}, "real and synthetic rows are told apart"


def test_a_run_shows_its_recipe_steps_and_conditions(tmp_path):
    rng = np.random.default_rng(6)
    x = rng.normal(size=300)
    pl.DataFrame({"x": x, "y": x + rng.normal(size=300)}).write_csv(tmp_path / "rows.csv")
    (tmp_path / "recipe.yaml").write_text(
        "version: 1\nsources: {rows: {path: rows.csv}}\nsteps:\n"
        "  parts: {split: rows, holdout: 0.4}\n"
        "  model: {fit: parts.train, synthesizer: copula}\n"
        "  twins: {sample: model, rows: 200}  # <script>alert(1)</script>\n"
        "  scores: {evaluate: twins, train: parts.train, holdout: parts.holdout}\n"
        "report: {save: report.html, title: Rows <b>and</b> twins, fail_if: {near_copies: above_holdout}}\n",
        "utf-8",
    )
    run = cuvee.run(tmp_path / "recipe.yaml")
    made = cuvee.report(run)
    assert made.html == (tmp_path / "report.html").read_text("utf-8")
    assert made.data["title"] == "Rows <b>and</b> twins"
    assert [s["name"] for s in made.data["steps"]] == ["parts", "model", "twins", "scores"]
    assert made.data["gates"][0]["name"] == "near_copies"
    assert "<script" not in made.html
    assert "&lt;script&gt;alert(1)" in made.html
    assert made.data["columns"]
    assert str(tmp_path) not in made.html


def test_a_password_in_a_recipe_is_not_shown(tmp_path):
    frame = {"a": list(range(40)), "b": [i % 3 for i in range(40)]}
    pl.DataFrame(frame).write_csv(tmp_path / "rows.csv")
    (tmp_path / "recipe.yaml").write_text(
        "version: 1\n# was postgresql://me:hunter2@host/db\nsources: {rows: {path: rows.csv}}\n"
        "steps:\n  model: {fit: rows, synthesizer: independent}\n",
        "utf-8",
    )
    made = cuvee.report(cuvee.run(tmp_path / "recipe.yaml"))
    assert "hunter2" not in made.html + made.to_json()


def test_related_tables_are_compared_table_by_table():
    def pair(seed):
        rng = np.random.default_rng(seed)
        return Dataset.of({
            "shops": pl.DataFrame({"shop": list(range(20)), "size": rng.normal(size=20)}),
            "sales": pl.DataFrame({"shop": rng.integers(0, 20, 200), "price": rng.normal(size=200)}),
        })  # fmt: skip

    made = cuvee.report(real=pair(1), synthetic=pair(2))
    assert {"shops.size", "sales.price"} <= {c["column"] for c in made.data["columns"]}
    assert made.data["verdict"] == []


def test_words_in_a_comment_stay_words():
    scores = Scores(
        (Score("shape", "fidelity", 0.9, None, None, None, 1.0, "a | b `c` <i>[d](e)", None),), {"train": 9}
    )
    text = cuvee.report(scores, title="# <b>t</b>\n| x").to_markdown()
    assert "<b>" not in text.replace(r"\<b\>", "")
    row = next(line for line in text.splitlines() if "Shape" in line)
    assert len(re.findall(r"(?<!\\)\|", row)) == 7
    assert r"\[d\](e)" not in text.replace(r"\[d\]\(e\)", "")


def test_a_notebook_gets_a_small_and_safe_summary():
    scores = Scores((Score("shape", "fidelity", 0.9, None, None, None, 1.0, "<script>x</script>", None),), {"train": 9})
    made = cuvee.report(scores, title="<img src=x>")
    shown_there = made._repr_html_()
    assert len(shown_there) < 20_000
    assert "<script" not in shown_there
    assert "<img" not in shown_there
    assert "Report(" in repr(made)


def test_a_folder_that_is_not_there_is_named(tmp_path):
    made = cuvee.report(Scores((), {"train": 9}))
    with pytest.raises(cuvee.CuveeError, match="can't be written"):
        made.save(tmp_path / "nowhere" / "r.html")
