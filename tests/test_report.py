"""The report: one file that stands alone, says the verdict first, and gives no row away."""

import base64
import hashlib
import json
import re
import shutil
import subprocess
from html.parser import HTMLParser

import numpy as np
import polars as pl
import pytest

import cuvee
from cuvee.core import Score, Scores
from cuvee.data.dataset import Dataset

HOSTILE = [
    "<script>alert(1)</script>",
    "a\"b'c",
    "x" * 500,
    "naïve ünïcode 雪",
    "{{ 7 * 7 }}",
    "</style>",
    "a\nb",
    "=cmd|' /C'",
]


class Page(HTMLParser):
    """What a page is made of."""

    VOID = frozenset(
        {"meta", "br", "hr", "img", "input", "link", "col", "wbr", "path", "line", "rect", "circle", "use"}
    )

    def __init__(self, html: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.attributes: list[tuple[str, str, str]] = []
        self.ids: list[str] = []
        self.headings: list[int] = []
        self.words: list[str] = []
        self.feed(html)

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)
        self.attributes += [(tag, name, value or "") for name, value in attrs]
        self.ids += [value for name, value in attrs if name == "id" and value]
        if re.fullmatch("h[1-6]", tag):
            self.headings.append(int(tag[1]))

    def handle_data(self, data):
        self.words.append(data)

    @property
    def text(self) -> str:
        return " ".join(" ".join(self.words).split())


def tables(n: int = 600, seed: int = 0) -> tuple[Dataset, Dataset, Dataset]:
    """Train, holdout and synthetic rows of one small world."""

    def world(rows: int, rng: np.random.Generator) -> pl.DataFrame:
        age = rng.normal(45, 14, rows).round()
        return pl.DataFrame({
            "age": age,
            "income": (age * 700 + rng.normal(0, 9000, rows)).round(2),
            "city": rng.choice(["Ghent", "Lyon", "Porto"], rows, p=[0.6, 0.3, 0.1]),
            "member": rng.random(rows) < 0.3,
        })  # fmt: skip

    rng = np.random.default_rng(seed)
    return tuple(Dataset.of(world(n, rng)) for _ in range(3))  # pyright: ignore[reportReturnType]


@pytest.fixture(scope="module")
def full():
    """A report with scores, distributions and a target."""
    train, holdout, synthetic = tables()
    return cuvee.report(train=train, holdout=holdout, synthetic=synthetic, predict="member", title="A world")


def test_the_page_stands_alone(full):
    page = Page(full.html)
    assert full.html.lower().startswith("<!doctype html>")
    assert "script" not in page.tags
    assert not {"iframe", "object", "embed", "form"} & set(page.tags)
    assert not [a for a in page.attributes if a[1].startswith("on")]
    policy = next(v for t, n, v in page.attributes if t == "meta" and n == "content" and "default-src" in v)
    assert "default-src 'none'" in policy
    outside = [a for a in page.attributes if re.match(r"(https?:)?//", a[2]) and a[1] not in {"xmlns", "xmlns:xlink"}]
    assert not outside
    assert all(v.startswith("data:") for t, n, v in page.attributes if t == "link" and n == "href")
    assert "@import" not in full.html
    assert not re.search(r"url\((?!#|data:)", full.html)


def test_the_page_can_be_read_by_all(full):
    page = Page(full.html)
    assert ("html", "lang", "en") in page.attributes
    assert len(page.ids) == len(set(page.ids))
    assert page.headings[0] == 1
    assert page.headings.count(1) == 1
    assert all(b <= a + 1 for a, b in zip(page.headings, page.headings[1:], strict=False)), page.headings
    assert "main" in page.tags
    headers = page.tags.count("th")
    assert headers
    assert sum(1 for t, n, _ in page.attributes if t == "th" and n == "scope") == headers
    charts = [i for i, t in enumerate(page.tags) if t == "svg"]
    named = [a for a in page.attributes if a[0] == "svg" and a[1] in {"aria-label", "aria-hidden", "aria-labelledby"}]
    assert len(named) >= len(charts)
    assert "prefers-color-scheme" in full.html
    assert "@media print" in full.html


def test_the_verdict_comes_first(full):
    text = Page(full.html).text
    order = [text.index(q) for q in ("Is it like the real data?", "Is it useful?", "Is it safe?")]
    assert order == sorted(order)
    assert order[-1] < text.index("income")
    assert {s["name"] for s in full.data["scores"]} >= {"shape", "pairs", "detection", "utility", "near_copies"}


def test_without_a_holdout_safety_is_not_assessed():
    train, _, synthetic = tables()
    made = cuvee.report(train=train, synthetic=synthetic)
    safe = next(a for a in made.data["verdict"] if a["family"] == "privacy")
    assert safe["state"] == "none"
    assert "Not assessed" in Page(made.html).text


def test_a_copy_of_train_is_a_warning():
    train, holdout, _ = tables()
    made = cuvee.report(train=train, holdout=holdout, synthetic=train)
    safe = next(a for a in made.data["verdict"] if a["family"] == "privacy")
    assert safe["word"] == "Warning"


def test_the_same_values_give_the_same_bytes(full):
    train, holdout, synthetic = tables()
    again = cuvee.report(train=train, holdout=holdout, synthetic=synthetic, predict="member", title="A world")
    assert again.html == full.html
    assert again.to_json() == full.to_json()


def test_saving_writes_the_page_and_its_figures(full, tmp_path):
    full.save(tmp_path / "r.html")
    assert (tmp_path / "r.html").read_text("utf-8") == full.html
    assert json.loads((tmp_path / "r.json").read_text("utf-8")) == json.loads(full.to_json())
    full.save(tmp_path / "words.md")
    assert (tmp_path / "words.md").read_text("utf-8").startswith("# A world")
    assert {p.name for p in tmp_path.iterdir()} == {"r.html", "r.json", "words.md"}


def test_hostile_names_and_values_stay_words():
    rng = np.random.default_rng(1)
    frame = pl.DataFrame({name: rng.choice(HOSTILE, 300) for name in HOSTILE})
    made = cuvee.report(train=frame, holdout=frame, synthetic=frame.reverse(), title="<b>t</b>")
    page = Page(made.html)
    assert "script" not in page.tags
    assert not [a for a in page.attributes if a[1].startswith("on")]
    assert "b" not in page.tags or "<b>t</b>" not in made.html
    assert "{{ 7 * 7 }}" in page.text
    assert "49" not in re.findall(r">49<", made.html)
    assert len(page.ids) == len(set(page.ids))
    assert page.tags.count("style") == 1


def test_no_rare_value_of_the_real_rows_is_in_the_page():
    rng = np.random.default_rng(2)
    n = 400
    secrets = [f"secret-{rng.integers(10**12)}" for _ in range(50)]
    extremes = [float(9_000_013 + 7919 * i) for i in range(50)]
    frame = pl.DataFrame({
        "word": secrets + ["common"] * (n - 50),
        "code": [f"K{rng.integers(10**9):09}" for _ in range(n)],
        "amount": extremes + rng.normal(100, 10, n - 50).round(1).tolist(),
        "email": [f"person{rng.integers(10**9)}@example.org" for _ in range(n)],
    })  # fmt: skip
    train = frame.sample(fraction=1, shuffle=True, seed=1)
    made = cuvee.report(train=train, holdout=train.reverse(), synthetic=cuvee.fit(train, "copula").sample(n))
    whole = made.html + made.to_json()
    hidden = [
        *secrets,
        *frame["code"],
        *frame["email"],
        *(f"{e:.0f}" for e in extremes),
        *(f"{e:,.0f}" for e in extremes),
    ]
    forms = [
        form
        for value in hidden
        for form in (value, hashlib.sha256(value.encode()).hexdigest(), base64.b64encode(value.encode()).decode())
    ]
    assert not [f for f in forms if f in whole]


@pytest.mark.parametrize(
    "frame",
    [
        pl.DataFrame({"a": pl.Series([None] * 50, dtype=pl.Float64), "b": [1.0] * 50}),
        pl.DataFrame({"a": ["x"] * 50}),
        pl.DataFrame({"a": [1, 2, 3]}),
        pl.DataFrame({"a": [float("inf"), float("nan"), 1.0] * 20}),
        pl.DataFrame({"a": [[1, 2]] * 30, "b": list(range(30))}),
    ],
    ids=["null", "constant", "three rows", "not finite", "nested"],
)
def test_odd_tables_have_a_page(frame):
    made = cuvee.report(train=frame, holdout=frame, synthetic=frame)
    assert "Is it like the real data?" in Page(made.html).text


def test_a_hundred_columns_stay_small():
    rng = np.random.default_rng(3)
    frame = pl.DataFrame({f"column {i}": rng.normal(size=300) for i in range(100)})
    scores = Scores(
        (Score("shape", "fidelity", 0.9, 0.8, 0.95, (0.88, 0.92), 1.0, "So so.", passed=True),), {"train": 300}
    )
    made = cuvee.report(scores, train=frame, synthetic=frame.reverse())
    assert len(made.html.encode()) < 3_000_000


def test_scores_alone_have_a_page():
    scores = Scores((Score("shape", "fidelity", 0.9, None, None, None, 1.0, "So so.", passed=None),), {"train": 9})
    assert "So so." in Page(cuvee.report(scores).html).text


def test_a_blend_alone_has_a_page():
    left = pl.DataFrame({"id": [f"a{i}" for i in range(40)], "x": range(40)})
    right = pl.DataFrame({"id": [f"a{i}" for i in range(5, 45)], "y": range(40)})
    made = cuvee.report(cuvee.blend({"left": left, "right": right}, match="id"))
    text = Page(made.html).text
    assert "left" in text
    assert "35" in text


def test_rows_that_nobody_names_are_refused():
    with pytest.raises(cuvee.CuveeError, match="synthetic="):
        cuvee.report(pl.DataFrame({"a": [1, 2]}))


@pytest.mark.skipif(shutil.which("chromium") is None, reason="chromium is not on this machine")
def test_a_browser_draws_it_without_a_complaint(full, tmp_path):
    full.save(tmp_path / "r.html")
    flags = ["--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-sync"]
    quiet = ["--disable-background-networking", "--disable-component-update", "--enable-logging=stderr", "--v=0"]
    for width in (1280, 375):
        shot = tmp_path / f"{width}.png"
        done = subprocess.run(
            ["chromium", *flags, *quiet, f"--user-data-dir={tmp_path / str(width)}", f"--window-size={width},1200",
             f"--screenshot={shot}", (tmp_path / "r.html").as_uri()],
            capture_output=True, text=True, timeout=120, check=True,
        )  # fmt: skip
        assert shot.stat().st_size > 10_000
        assert "CONSOLE" not in done.stderr
