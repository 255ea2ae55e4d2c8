"""The command line: what each command prints and writes, and the code that it leaves with."""

import json
import subprocess
import sys

import polars as pl
import pytest

from cuvee.cli import call


@pytest.fixture
def people(tmp_path, monkeypatch):
    """A folder with two small registers of the same people, and the working directory in it."""
    monkeypatch.chdir(tmp_path)
    n = 120
    clinic = pl.DataFrame({
        "mrn": [f"M{i:04}" for i in range(n)],
        "age": [20 + (i * 7) % 60 for i in range(n)],
        "smoker": ["yes" if i % 3 == 0 else "no" for i in range(n)],
        "weight": [50.0 + (i * 13) % 40 + i / 100 for i in range(n)],
    })  # fmt: skip
    lab = pl.DataFrame(
        {"mrn": [f"M{i:04}" for i in range(10, n)], "glucose": [4.0 + (i % 17) / 10 for i in range(10, n)]}
    )
    clinic.write_csv("clinic.csv")
    lab.write_parquet("lab.parquet")
    return tmp_path


def run(*words, capsys):
    """Exit code, standard output and standard error of a command."""
    capsys.readouterr()
    code = call(list(words))
    shown = capsys.readouterr()
    return code, shown.out, shown.err


def test_the_whole_job_by_hand(people, capsys):
    assert run("inspect", "clinic.csv", "lab.parquet", "-o", "schema.yaml", capsys=capsys)[0] == 0
    assert "mrn" in (people / "schema.yaml").read_text()
    assert run("blend", "clinic.csv", "lab.parquet", "-o", "people", capsys=capsys)[0] == 0
    assert {p.name for p in (people / "people").iterdir()} >= {
        "manifest.json",
        "links.parquet",
        "entities.parquet",
        "golden",
    }
    assert run("fit", "people", "-o", "model", "--synthesizer", "copula", "--seed", "3", capsys=capsys)[0] == 0
    assert run("sample", "model", "-n", "80", "-o", "made.csv", "--seed", "1", capsys=capsys)[0] == 0
    assert pl.read_csv("made.csv").height == 80
    golden = str(next((people / "people" / "golden").glob("*.parquet")))
    assert run("sample", "model", "-n", "80", "-o", "made.parquet", "--seed", "1", capsys=capsys)[0] == 0
    assert run("mix", golden, "made.parquet", "-o", "mix.parquet", "--share", "0.25", capsys=capsys)[0] == 0
    counts = pl.read_parquet("mix.parquet")["_origin"].value_counts().to_dict(as_series=False)
    assert dict(zip(map(str, counts["_origin"]), counts["count"], strict=True)) == {"real": 120, "synthetic": 40}
    code, out, _ = run("evaluate", "made.parquet", "--train", golden, "--json", "-o", "scores.html", capsys=capsys)
    assert code == 0
    assert {s["name"] for s in json.loads(out)["scores"]} >= {"shape", "pairs", "detection"}
    assert "<html" in (people / "scores.html").read_text()


def test_the_same_seed_gives_the_same_bytes(people, capsys):
    for name in ("a", "b"):
        assert run("fit", "clinic.csv", "-o", f"model-{name}", "--seed", "5", capsys=capsys)[0] == 0
        assert run("sample", f"model-{name}", "-n", "50", "-o", f"{name}.csv", "--seed", "2", capsys=capsys)[0] == 0
    assert (people / "a.csv").read_bytes() == (people / "b.csv").read_bytes()


def test_rows_go_to_standard_output(people, capsys):
    run("fit", "clinic.csv", "-o", "model", capsys=capsys)
    done = subprocess.run(
        [sys.executable, "-m", "cuvee", "sample", "model", "-n", "5", "-o", "-"],
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.splitlines()[0] == "mrn,age,smoker,weight"
    assert len(done.stdout.splitlines()) == 6


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        (["inspect", "nowhere.csv"], 1, "nowhere.csv"),
        (["inspect", "clinic.docx"], 1, "clinic.docx"),
        (["fit", "clinic.csv", "-o", "m", "--synthesizer", "copla"], 1, "Did you mean 'copula'?"),
        (["fit", "clinic.csv", "-o", "m", "--exclude", "agee"], 1, "Did you mean 'age'?"),
        (["fit", "clinic.csv", "-o", "m", "--seed", "-1"], 1, "0 or more"),
        (["fit", "clinic.csv"], 2, "--out"),
        (["fitt", "clinic.csv"], 2, "fit"),
        (["sample", "clinic.csv", "-n", "3", "-o", "x.csv"], 1, "not a model"),
        (["sample", "clinic.csv", "-n", "three", "-o", "x.csv"], 2, "three"),
        (["mix", "clinic.csv", "clinic.csv", "-o", "x.csv", "--share", "1.5"], 1, "1.5"),
        (["evaluate", "lab.parquet", "--train", "clinic.csv"], 1, "age"),
        (["run", "nothing.yaml"], 1, "nothing.yaml"),
        (["path", "people", "a", "b"], 1, "people"),
        (["blend", "clinic.csv", "-o", "b", "--resolve", "longst"], 1, "Did you mean 'longest'?"),
    ],
)
def test_a_mistake_is_one_sentence_and_a_code(people, capsys, words, code, said):
    left, out, err = run(*words, capsys=capsys)
    assert left == code
    assert said in err
    assert "Traceback" not in err
    assert not out


def test_a_gate_that_fails_leaves_with_three(people, capsys):
    (people / "recipe.yaml").write_text("""
version: 1
sources: {clinic: {path: clinic.csv}}
steps:
  parts: {split: clinic, holdout: 0.4}
  model: {fit: parts.train, synthesizer: independent}
  made: {sample: model, rows: 60}
  scores: {evaluate: made, train: parts.train, holdout: parts.holdout, metrics: [shape]}
report: {save: report.html, fail_if: {shape: "< 1.1"}}
""")
    code, out, _ = run("run", "recipe.yaml", capsys=capsys)
    assert code == 3
    assert "FAILED" in out
    assert (people / "report.html").exists()
    assert "unchanged, skipped" in run("run", "recipe.yaml", capsys=capsys)[1]


@pytest.mark.parametrize("group", ["synthesizers", "metrics", "rules", "sources"])
def test_models_lists_the_registry(capsys, group):
    from cuvee.registry import REGISTRY

    code, out, _ = run("models", group, "--json", capsys=capsys)
    assert code == 0
    assert [row["name"] for row in json.loads(out)] == list(REGISTRY[group])


def test_doctor_names_what_is_missing_and_how_to_get_it(capsys):
    code, out, _ = run("doctor", "--json", capsys=capsys)
    assert code == 0
    extras = {row["extra"]: row for row in json.loads(out)["extras"]}
    assert {"deep", "graph", "privacy", "databases", "excel", "web", "spark", "demo"} <= set(extras)
    assert all(bool(row["missing"]) == bool(row["install"]) for row in extras.values())


def test_schema_of_recipes_is_json_schema(capsys, tmp_path):
    code, out, _ = run("schema", capsys=capsys)
    assert code == 0
    assert "steps" in json.loads(out)["properties"]


def test_rows_go_to_parts_that_are_gone_on_with(people, capsys):
    run("fit", "clinic.csv", "-o", "model", "--synthesizer", "copula", capsys=capsys)
    words = ("sample", "model", "-n", "140000", "-o", "made", "--parts", "--workers", "2")
    code, _, err = run(*words, capsys=capsys)
    assert code == 0
    assert "100 %" in err
    assert sorted(p.name for p in (people / "made").iterdir()) == ["part-00000.parquet", "part-00001.parquet"]
    (people / "made" / "part-00000.parquet").unlink()
    code, _, err = run(*words, capsys=capsys)
    assert code == 0
    assert "1 parts are there" in err
    assert run("sample", "model", "-n", "140000", "-o", "one.parquet", "--workers", "1", capsys=capsys)[0] == 0
    assert pl.read_parquet("made").equals(pl.read_parquet("one.parquet"))
    code, _, err = run("sample", "model", "-n", "9", "-o", "made", "--parts", capsys=capsys)
    assert code == 1
    assert "other rows" in err


def test_a_fit_in_batches_says_how_many_rows_it_read(people, capsys):
    code, out, err = run("fit", "clinic.csv", "-o", "model", "--rows", "80", "--json", capsys=capsys)
    assert code == 0
    assert json.loads(out)["rows"] == {"clinic": 120}
    assert json.loads(out)["notes"][0].startswith("120 rows were read; the model learned from 80 of them")
    assert "read" in err
    assert not list(people.glob("*.checkpoint"))
    pl.read_parquet("lab.parquet").write_json("lab.json")
    assert "can't be read in batches" in run("fit", "lab.json", "-o", "m", "--stream", capsys=capsys)[2]


def test_an_interrupted_fit_goes_on_when_it_is_called_again(people, capsys, monkeypatch):
    from cuvee.cli import progress

    (people / "big").mkdir()
    for k in range(3):
        pl.DataFrame({"n": range(k * 140_000, (k + 1) * 140_000)}).write_parquet(f"big/part-{k}.parquet")
    drawn = progress.Plain.__call__

    def stops(self, event):
        drawn(self, event)
        if event.step == "read" and event.done > 200_000:
            raise KeyboardInterrupt

    words = ("fit", "big", "-o", "model", "--rows", "5000", "--synthesizer", "independent")
    monkeypatch.setattr(progress.Plain, "__call__", stops)
    code, _, err = run(*words, capsys=capsys)
    assert code == 130
    assert "Interrupted after 262,144 rows, which are kept in model.checkpoint. Run the same again to go on." in err
    monkeypatch.setattr(progress.Plain, "__call__", drawn)
    code, _, err = run(*words, capsys=capsys)
    assert code == 0
    assert err.startswith("read  90 %")
    assert [p.name for p in people.glob("*.checkpoint")] == []


def test_an_estimate_is_a_line_and_a_budget_is_handed_on(people, capsys, monkeypatch):
    from doubles import register

    register(people, monkeypatch)
    words = ("fit", "clinic.csv", "-o", "model", "--synthesizer")
    code, _, err = run(*words, "tally", "--time-budget", "1.5m", capsys=capsys)
    assert code == 0
    assert "estimate: about 14 s\n" in err
    assert json.loads((people / "model" / "model.json").read_text())["spec"] == {"time_budget": 90.0}
    code, _, err = run(*words, "tally", "--time-budget", "soon", capsys=capsys)
    assert code == 1
    assert "must be a duration with its unit" in err
    assert "Those that have one:" in run(*words, "independent", "--time-budget", "60s", capsys=capsys)[2]


def test_models_says_what_a_synthesizer_can(people, capsys, monkeypatch):
    from doubles import register

    register(people, monkeypatch)
    rows = {row["name"]: row for row in json.loads(run("models", "--json", capsys=capsys)[1])}
    assert rows["tally"]["can"] == "log_prob log_prob_cells update time_budget"
    assert rows["mute"]["can"] == ""
    assert "log_prob" in rows["copula"]["can"]
