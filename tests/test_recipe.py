"""A recipe from its files to its report: what runs, what is skipped, and what never changes or gets out."""

import hashlib
import json
from pathlib import Path

import numpy as np
import polars as pl
import pytest
import yaml
from hypothesis import example, given, settings
from hypothesis import strategies as st
from polars.testing import assert_frame_equal

import cuvee
from cuvee import CuveeError, Dataset, Model, Recipe, Scores
from cuvee.core import Event
from cuvee.data.schema import Schema
from cuvee.recipe import Interrupted, recipe_schema, run
from cuvee.recipe.gates import judge_gates

RECIPE = """\
version: 1
seed: 7
sources:
  clinic: {path: data/clinic.csv, key: mrn}
  lab: {path: data/lab.csv, key: mrn}
steps:
  people:
    blend: [clinic, lab]
    match: {key: mrn}
    resolve: {default: most_common}
  parts: {split: people, holdout: 0.25}
  model: {fit: parts.train, synthesizer: independent}
  twins: {sample: model, rows: 120, save: twins.csv}
  scores: {evaluate: twins, train: parts.train, holdout: parts.holdout, metrics: [shape, copies], save: out/scores.json}
"""


def write_data(folder: Path, n: int = 160) -> None:
    """Two sources about the same people, in different order, that disagree on some weights."""
    rng = np.random.default_rng(3)
    (folder / "data").mkdir(parents=True, exist_ok=True)
    age = rng.integers(20, 90, n)
    clinic = pl.DataFrame({
        "mrn": [f"m{i:04}" for i in range(n)],
        "age": age,
        "sex": rng.choice(["f", "m"], n),
        "weight": (50 + age / 4 + rng.normal(0, 5, n)).round(1),
    })  # fmt: skip
    order = rng.permutation(n)[: n - 20]
    lab = pl.DataFrame({
        "mrn": clinic["mrn"][order],
        "weight": clinic["weight"][order] + rng.choice([0.0, 0.0, 0.0, 1.0], n - 20),
        "glucose": rng.normal(5.5, 1.0, n - 20).round(2),
    })  # fmt: skip
    clinic.write_csv(folder / "data" / "clinic.csv")
    lab.write_csv(folder / "data" / "lab.csv")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder with two sources and a recipe over them."""
    write_data(tmp_path)
    (tmp_path / "recipe.yaml").write_text(RECIPE)
    return tmp_path


def keys(folder: Path, text: str = RECIPE, **more) -> dict[str, str | None]:
    """The key of each step, without running anything."""
    return {s.name: s.key for s in run(Recipe.from_text(text, folder=folder), dry=True, **more).steps}


def moved(before: dict[str, str | None], after: dict[str, str | None]) -> set[str]:
    return {name for name in before if before[name] != after.get(name)}


def skipped(done) -> list[str]:
    return [s.name for s in done.steps if s.skipped]


def contents(folder: Path) -> dict[str, str]:
    """The hash of every file that the recipe wrote for people."""
    found = (p for p in folder.rglob("*") if p.is_file() and ".cuvee" not in p.parts and "data" not in p.parts)
    return {str(p.relative_to(folder)): hashlib.sha256(p.read_bytes()).hexdigest() for p in found}


class TestRunning:
    def test_the_second_time_all_is_skipped_and_nothing_changes(self, folder):
        first = run(folder / "recipe.yaml")
        assert skipped(first) == []
        before = contents(folder)
        assert set(before) == {"recipe.yaml", "twins.csv", "out/scores.json"}
        assert first.written == (folder / "twins.csv", folder / "out/scores.json")
        second = run(folder / "recipe.yaml")
        assert skipped(second) == ["people", "parts", "model", "twins", "scores"]
        assert contents(folder) == before
        assert [(s.key, s.gave, s.rows) for s in second.steps] == [(s.key, s.gave, s.rows) for s in first.steps]
        assert_frame_equal(second.values["twins"].frame, first.values["twins"].frame)

    def test_a_new_folder_gives_the_same_bytes(self, folder, tmp_path_factory):
        other = tmp_path_factory.mktemp("other")
        write_data(other)
        (other / "recipe.yaml").write_text(RECIPE)
        run(folder / "recipe.yaml")
        run(other / "recipe.yaml")
        assert contents(folder) == contents(other)

    def test_values_are_what_the_verbs_give(self, folder):
        done = run(folder / "recipe.yaml")
        assert isinstance(done.values["people"], cuvee.Blend)
        assert isinstance(done.values["model"], Model)
        assert isinstance(done.values["scores"], Scores)
        train, holdout = done.value("parts.train"), done.value("parts.holdout")
        assert (train.frame.height, holdout.frame.height) == (120, 40)
        people = done.value("people").frame
        assert people.height == 160
        assert set(train.frame["mrn"]) | set(holdout.frame["mrn"]) == set(people["mrn"])
        assert done.values["twins"].frame.height == 120
        assert done.step("scores").inputs == {"synthetic": "twins", "train": "parts.train", "holdout": "parts.holdout"}
        assert done.step("parts").rows == {"train": 120, "holdout": 40}
        assert done.value("clinic").frame.height == 160
        assert not done.failed
        with pytest.raises(KeyError, match="Did you mean 'twins'"):
            done.values["twin"]
        with pytest.raises(KeyError, match="Did you mean 'twins'"):
            done.step("twin")
        with pytest.raises(CuveeError, match=r"'people' has no table 'labs'"):
            done.value("people.labs")

    def test_the_same_job_by_hand_gives_the_same_rows(self, folder):
        done = run(folder / "recipe.yaml")
        sources = {name: cuvee.read(folder / f"data/{name}.csv", name=name, key="mrn") for name in ("clinic", "lab")}
        people = cuvee.blend(sources, match={"key": "mrn"}, resolve={"default": "most_common"})
        parts = cuvee.split(people, holdout=0.25, seed=done.step("parts").seed)
        model = cuvee.fit(parts.train, "independent", seed=done.step("model").seed)
        assert_frame_equal(cuvee.sample(model, 120, seed=done.step("twins").seed).frame, done.values["twins"].frame)

    def test_events_tell_of_every_step_and_of_what_is_inside(self, folder):
        events: list[Event] = []
        run(folder / "recipe.yaml", watch=events.append)
        names = list(dict.fromkeys(e.step.partition(":")[0] for e in events))
        assert names == ["people", "parts", "model", "twins", "scores"]
        assert next(e for e in events if e.step == "parts") == Event("parts", 0, 0, "split")
        assert any(e.step == "twins" and e.total == 120 for e in events)
        events.clear()
        run(folder / "recipe.yaml", watch=events.append)
        assert [e.step for e in events if e.note == "unchanged, skipped"] == names

    def test_a_file_that_was_changed_or_lost_is_written_again(self, folder):
        run(folder / "recipe.yaml")
        before = contents(folder)
        (folder / "twins.csv").write_text("broken")
        (folder / "out" / "scores.json").unlink()
        assert len(skipped(run(folder / "recipe.yaml"))) == 5
        assert contents(folder) == before

    def test_a_file_that_is_right_is_not_written_again(self, folder):
        run(folder / "recipe.yaml")
        before = (folder / "twins.csv").stat().st_mtime_ns
        run(folder / "recipe.yaml")
        assert (folder / "twins.csv").stat().st_mtime_ns == before

    def test_a_broken_value_is_made_again_and_the_rest_is_skipped(self, folder):
        first = run(folder / "recipe.yaml")
        before = contents(folder)
        value = folder / ".cuvee" / "values" / str(first.step("parts").key) / "value" / "train" / "0.parquet"
        value.write_bytes(value.read_bytes()[:-9])
        assert skipped(run(folder / "recipe.yaml")) == ["people", "model", "twins", "scores"]
        assert contents(folder) == before

    def test_from_a_step(self, folder):
        run(folder / "recipe.yaml")
        before = contents(folder)
        again = run(folder / "recipe.yaml", from_step="model")
        assert skipped(again) == ["people", "parts"]
        assert contents(folder) == before
        with pytest.raises(CuveeError, match=r"no step 'modle' to run from\. Did you mean 'model'\?"):
            run(folder / "recipe.yaml", from_step="modle")

    def test_a_step_more_moves_no_other_steps_numbers(self, folder):
        first = run(folder / "recipe.yaml")
        more = RECIPE.replace("  twins:", "  others: {sample: model, rows: 50}\n  twins:")
        (folder / "recipe.yaml").write_text(more)
        second = run(folder / "recipe.yaml")
        assert [s.name for s in second.steps if not s.skipped] == ["others"]
        assert_frame_equal(second.values["twins"].frame, first.values["twins"].frame)
        assert not second.values["others"].frame.equals(second.values["twins"].frame.head(50))

    def test_a_seed_moves_what_is_random_alone(self, folder):
        first = run(folder / "recipe.yaml")
        second = run(folder / "recipe.yaml", seed=8)
        assert skipped(second) == ["people"]
        assert second.seed == 8
        assert not second.values["twins"].frame.equals(first.values["twins"].frame)
        with pytest.raises(CuveeError, match="The seed is -1"):
            run(folder / "recipe.yaml", seed=-1)

    def test_the_store_may_be_elsewhere(self, folder, tmp_path_factory):
        elsewhere = tmp_path_factory.mktemp("elsewhere") / "store"
        run(folder / "recipe.yaml", store=elsewhere)
        assert not (folder / ".cuvee").exists()
        assert len(skipped(run(folder / "recipe.yaml", store=elsewhere))) == 5

    def test_ctrl_c_keeps_what_is_finished(self, folder):
        def interrupt(event: Event) -> None:
            if event.step == "model":
                raise KeyboardInterrupt

        with pytest.raises(Interrupted, match=r"Interrupted in step 'model'\. Kept: people, parts\.") as caught:
            run(folder / "recipe.yaml", watch=interrupt)
        assert caught.value.finished == ("people", "parts")
        assert isinstance(caught.value, KeyboardInterrupt)
        assert list((folder / ".cuvee" / "aside").iterdir()) == []
        assert skipped(run(folder / "recipe.yaml")) == ["people", "parts"]

    def test_an_error_in_a_step_has_its_place_and_keeps_what_is_finished(self, folder):
        (folder / "recipe.yaml").write_text(RECIPE.replace("holdout: 0.25", "holdout: 0.25, by: sexx"))
        with pytest.raises(CuveeError) as caught:
            run(folder / "recipe.yaml")
        assert str(caught.value).startswith(f"{folder}/recipe.yaml:11:3: steps.parts: ")
        assert str(caught.value).endswith("has no column 'sexx' to split by. Did you mean 'sex'?")
        (folder / "recipe.yaml").write_text(RECIPE)
        assert skipped(run(folder / "recipe.yaml")) == ["people"]


class TestSaving:
    def test_every_verb_saves_what_it_gives(self, folder):
        text = RECIPE.replace("default: most_common}", "default: most_common}\n    save: people")
        text = text.replace("holdout: 0.25", "holdout: 0.25, save: parts").replace(
            "synthesizer: independent", "synthesizer: independent, save: model"
        )
        text += "  words: {inspect: parts.train, save: words.yaml}\n"
        text += "  mixed: {mix: {real: parts.train, synthetic: twins}, share: 0.2, save: mixed.parquet}\n"
        (folder / "recipe.yaml").write_text(text)
        done = run(folder / "recipe.yaml")
        before = contents(folder)
        assert isinstance(cuvee.load(folder / "people"), cuvee.Blend)
        assert isinstance(cuvee.load(folder / "model"), Model)
        assert set(cuvee.read(folder / "parts").tables) == {"train", "holdout"}
        assert Schema.load(folder / "words.yaml").tables.keys() == done.value("parts.train").tables.keys()
        assert cuvee.read(folder / "mixed.parquet").frame["_origin"].cast(pl.String).value_counts().height == 2
        run(folder / "recipe.yaml", from_step="people")
        assert contents(folder) == before

    def test_a_folder_of_something_else_is_not_replaced(self, folder):
        (folder / "model").mkdir()
        (folder / "model" / "thesis.txt").write_text("years of work")
        (folder / "recipe.yaml").write_text(
            RECIPE.replace("synthesizer: independent", "synthesizer: independent, save: model")
        )
        with pytest.raises(CuveeError, match="is there already and is no model"):
            run(folder / "recipe.yaml")
        assert (folder / "model" / "thesis.txt").read_text() == "years of work"


class TestKeys:
    def test_what_a_key_does_not_hang_on(self, folder):
        before = keys(folder)
        assert keys(folder, "# a comment\n" + RECIPE.replace("rows: 120", "rows:   120")) == before
        assert keys(folder, RECIPE.replace("save: twins.csv", "save: other.csv")) == before
        assert keys(folder, RECIPE + "report: {save: report.html}\n") == before
        (folder / "data" / "clinic.csv").rename(folder / "data" / "patients.csv")
        assert keys(folder, RECIPE.replace("clinic.csv", "patients.csv")) == before

    @pytest.mark.parametrize(
        ("old", "new", "names"),
        [
            ("rows: 120", "rows: 121", {"twins", "scores"}),
            ("holdout: 0.25", "holdout: 0.3", {"parts", "model", "twins", "scores"}),
            ("[shape, copies]", "[copies, shape]", {"scores"}),
            ("default: most_common", "default: first", {"people", "parts", "model", "twins", "scores"}),
            ("rows: 120", "rows: 120, seed: 1", {"twins", "scores"}),
            ("seed: 7", "seed: 8", {"parts", "model", "twins", "scores"}),
            (", key: mrn}\n  lab", "}\n  lab", {"people", "parts", "model", "twins", "scores"}),
        ],
    )
    def test_what_a_key_hangs_on(self, folder, old, new, names):
        assert moved(keys(folder), keys(folder, RECIPE.replace(old, new))) == names

    def test_a_key_hangs_on_the_content_of_files(self, folder):
        before = keys(folder)
        path = folder / "data" / "lab.csv"
        path.write_bytes(path.read_bytes() + b"m9999,1.0,1.0\n")
        assert moved(before, keys(folder)) == set(before)

    def test_a_key_hangs_on_the_version(self, folder, monkeypatch):
        before = keys(folder)
        monkeypatch.setattr(cuvee, "__version__", "99.0")
        assert moved(before, keys(folder)) == set(before)

    def test_a_stated_seed_is_as_good_as_a_derived_one(self, folder):
        seed = run(folder / "recipe.yaml", dry=True).step("twins").seed
        assert keys(folder, RECIPE.replace("rows: 120", f"rows: 120, seed: {seed}")) == keys(folder)

    def test_globs_and_folders_hang_on_all_their_files(self, folder):
        text = RECIPE.replace("data/lab.csv, key: mrn", "data/labs/*.parquet")
        (folder / "data" / "labs").mkdir()
        lab = pl.read_csv(folder / "data" / "lab.csv")
        lab.head(50).write_parquet(folder / "data" / "labs" / "a.parquet")
        lab.tail(50).write_parquet(folder / "data" / "labs" / "b.parquet")
        before = keys(folder, text)
        (folder / "data" / "labs" / "notes.txt").write_text("no part of the glob")
        assert keys(folder, text) == before
        (folder / "data" / "labs" / "b.parquet").rename(folder / "data" / "labs" / "c.parquet")
        assert moved(before, keys(folder, text)) == set(before)


class TestDry:
    def test_dry_writes_nothing_and_tells_what_would_run(self, folder):
        planned = run(folder / "recipe.yaml", dry=True)
        assert skipped(planned) == []
        assert not (folder / ".cuvee").exists()
        assert set(contents(folder)) == {"recipe.yaml"}
        run(folder / "recipe.yaml")
        (folder / "recipe.yaml").write_text(RECIPE.replace("rows: 120", "rows: 90"))
        planned = run(folder / "recipe.yaml", dry=True)
        assert skipped(planned) == ["people", "parts", "model"]
        assert skipped(run(folder / "recipe.yaml", dry=True, from_step="parts")) == ["people"]
        plan = planned.plan().splitlines()
        assert plan[plan.index("  # runs") + 1].startswith("  twins:")
        assert plan.count("  # unchanged, skipped") == 3

    def test_the_resolved_recipe_has_every_default_and_gives_the_same(self, folder):
        recipe = Recipe.load(folder / "recipe.yaml")
        text = recipe.resolved()
        plain = yaml.safe_load(text)
        assert plain["sources"]["clinic"]["form"] == "csv"
        assert set(plain["steps"]["parts"]) == {"split", "holdout", "seed"}
        assert keys(folder, text) == keys(folder)
        assert Recipe.from_text(text, folder=folder).resolved() == text

    def test_a_recipe_of_plain_values(self, folder):
        assert keys(folder, Recipe.of(yaml.safe_load(RECIPE), folder=folder).text) == keys(folder)

    @given(title=st.text(min_size=1, max_size=60), seed=st.integers(0, 2**63))
    @example(title="\x85", seed=0)
    @example(title="a\u2028b\r\nc", seed=0)
    @settings(max_examples=40, deadline=None)
    def test_any_text_is_written_as_it_will_be_read(self, title, seed):
        content = yaml.safe_load(RECIPE) | {"seed": seed, "report": {"title": title}}
        if "${" in title:
            return
        recipe = Recipe.of(content)
        assert recipe.report.title == title
        again = Recipe.from_text(recipe.resolved())
        assert (again.report.title, again.seed) == (title, seed)

    @pytest.mark.parametrize(
        "word", ["no", "1e-3", "1_000", "~", "2020-01-01", ".5", "a: b", "- a", "#", "null", "true", "'"]
    )
    def test_words_that_look_like_something_else_stay_words(self, word):
        content = yaml.safe_load(RECIPE) | {"report": {"title": word}}
        assert Recipe.from_text(Recipe.of(content).resolved()).report.title == word

    def test_missing_files_are_told_before_anything_runs(self, folder):
        (folder / "data" / "lab.csv").unlink()
        (folder / "data" / "clinic.csv").rename(folder / "data" / "clinics.csv")
        with pytest.raises(CuveeError) as caught:
            run(Recipe.from_text(RECIPE, folder=folder), dry=True)
        first, second = str(caught.value).splitlines()
        assert first.startswith("recipe.yaml:4:18: sources.clinic.path: there is no file 'data/clinic.csv'.")
        assert first.endswith("Did you mean 'data/clinics.csv'?")
        assert second.startswith("recipe.yaml:5:15: sources.lab.path: there is no file 'data/lab.csv'.")


CANARY = "Xq7canaryXq7"


class TestSecrets:
    def test_a_database_is_read_each_time_and_its_order_does_not_matter(self, folder, monkeypatch):
        lab = pl.read_csv(folder / "data" / "lab.csv")
        place = folder / CANARY
        place.mkdir()
        url = f"sqlite:///{place}/lab.db"
        monkeypatch.setenv("LAB_URL", url)
        cuvee.write(Dataset.of(lab, name="results"), place / "lab.db")
        text = (
            RECIPE.replace("{path: data/lab.csv, key: mrn}", '{url: "${LAB_URL}", table: results, key: mrn}')
            + "report: {}\n"
        )
        (folder / "recipe.yaml").write_text(text)
        first = run(folder / "recipe.yaml")
        assert [s.key for s in run(folder / "recipe.yaml", dry=True).steps] == [None] * 5
        (place / "lab.db").unlink()
        cuvee.write(Dataset.of(lab.reverse(), name="results"), place / "lab.db")
        second = run(folder / "recipe.yaml")
        assert len(skipped(second)) == 5
        (place / "lab.db").unlink()
        cuvee.write(Dataset.of(lab.head(100), name="results"), place / "lab.db")
        assert skipped(run(folder / "recipe.yaml")) == []
        shown = [
            first.recipe.resolved(),
            first.recipe.text,
            first.plan(),
            repr(first),
            repr(first.recipe),
            *map(repr, first.steps),
        ]
        assert not any(CANARY in text for text in shown)
        written = [p for p in folder.rglob("*") if p.is_file() and place not in p.parents]
        assert len(written) > 20
        assert not [p for p in written if CANARY.encode() in p.read_bytes() or CANARY in p.name]

    def test_no_message_has_a_secret(self, folder, monkeypatch):
        for where in (
            '{url: "${LAB_URL}", table: results}',
            '{path: "${LAB_URL}", form: sqlite}',
            '{path: "${LAB_URL}"}',
        ):
            text = RECIPE.replace("{path: data/lab.csv, key: mrn}", where)
            for value in (
                f"postgresql://ada:{CANARY}@127.0.0.1:1/lab",
                f"/nowhere/{CANARY}/lab.db",
                f"https://127.0.0.1:1/{CANARY}/lab.db",
            ):
                monkeypatch.setenv("LAB_URL", value)
                events: list[Event] = []
                with pytest.raises(CuveeError) as caught:
                    run(Recipe.from_text(text, folder=folder), watch=events.append)
                assert CANARY not in str(caught.value)
                assert CANARY not in repr(caught.value.__cause__)
                assert CANARY not in repr(events)

    def test_a_variable_that_is_not_set_is_told_before_anything_runs(self, folder, monkeypatch):
        monkeypatch.delenv("LAB_URL", raising=False)
        text = RECIPE.replace("{path: data/lab.csv, key: mrn}", '{url: "${LAB_URL}", table: results}')
        with pytest.raises(CuveeError) as caught:
            run(Recipe.from_text(text, folder=folder))
        message = (
            "recipe.yaml:5:14: sources.lab.url: the environment has no variable 'LAB_URL'. Set it: export LAB_URL=..."
        )
        assert str(caught.value) == message

    def test_a_path_may_hang_on_the_environment(self, folder, monkeypatch):
        text = RECIPE.replace("path: data/", 'path: "${WHERE}/').replace(".csv, key", '.csv", key')
        monkeypatch.setenv("WHERE", "data")
        assert keys(folder, text) == keys(folder)
        monkeypatch.setenv("WHERE", str(folder / "data"))
        assert keys(folder, text) == keys(folder)


def score(value, ceiling, interval=None):
    return cuvee.Score("near_copies", "privacy", value, None, ceiling, interval, 0.0, "Found out.", None)


class TestGates:
    @pytest.mark.parametrize(
        ("condition", "value", "ceiling", "interval", "passed"),
        [
            ("above_holdout", 0.03, 0.01, (0.02, 0.04), False),
            ("above_holdout", 0.03, 0.025, (0.02, 0.04), True),
            ("above_holdout", 0.03, 0.02, None, False),
            ("above_holdout", 0.03, 0.03, None, True),
            ("above_holdout", 0.03, None, (0.02, 0.04), False),
            ("above_holdout", None, 0.01, None, False),
            ("below_holdout", 0.90, 0.95, (0.88, 0.92), False),
            ("below_holdout", 0.90, 0.91, (0.88, 0.92), True),
            ("> 0.9", 0.91, None, None, False),
            ("> 0.9", 0.90, None, None, True),
            (">= 0.9", 0.90, None, None, False),
            ("<5e-1", 0.49, None, None, False),
            ("<= -1", -0.5, None, None, True),
            ("> 0.9", None, None, None, False),
        ],
    )
    def test_conditions(self, condition, value, ceiling, interval, passed):
        scores = Scores((score(value, ceiling, interval),), {})
        (gate,) = judge_gates({"near_copies": condition}, {"scores": scores})
        assert gate.passed is passed
        assert gate.sentence.startswith("near_copies of scores ")

    def test_sentences(self):
        scores = Scores((score(0.03, 0.01, (0.02, 0.04)),), {})
        (above,) = judge_gates({"near_copies": "above_holdout"}, {"scores": scores})
        assert (
            above.sentence
            == "near_copies of scores is 0.03 (0.02 to 0.04), of holdout rows 0.01; it fails if all above holdout."
        )
        (over,) = judge_gates({"near_copies": "> 0.5"}, {"scores": scores})
        assert over.sentence == "near_copies of scores is 0.03 and fails if > 0.5."
        (unknown,) = judge_gates({"near_copies": "> 0.5"}, {"scores": Scores((score(None, None),), {})})
        assert unknown.sentence == "near_copies of scores could not be judged (Found out), and fails if > 0.5."

    def test_every_step_with_the_score_is_judged(self):
        given = {"a": Scores((score(0.5, 0.1),), {}), "b": Scores((score(0.05, 0.1),), {})}
        assert [(g.step, g.passed) for g in judge_gates({"near_copies": "above_holdout"}, given)] == [
            ("a", False),
            ("b", True),
        ]
        with pytest.raises(CuveeError, match="no score 'near_copy'"):
            judge_gates({"near_copy": "above_holdout"}, given)

    def test_a_failed_gate_fails_the_run_but_raises_nothing(self, folder):
        (folder / "recipe.yaml").write_text(RECIPE + 'report: {fail_if: {shape: ">= 0", near_copies: "> 1"}}\n')
        done = run(folder / "recipe.yaml")
        assert done.failed
        assert [(g.name, g.passed) for g in done.gates] == [("shape", False), ("near_copies", True)]


class TestReport:
    def test_the_report_is_the_same_elsewhere_and_when_all_is_skipped(self, folder, tmp_path_factory):
        (folder / "recipe.yaml").write_text(RECIPE + "report: {title: Two clinics}\n")
        done = run(folder / "recipe.yaml")
        assert done.written[-1] == folder / "report.html"
        page = (folder / "report.html").read_bytes()
        assert b"Two clinics" in page
        other = tmp_path_factory.mktemp("other")
        write_data(other)
        (other / "recipe.yaml").write_bytes((folder / "recipe.yaml").read_bytes())
        run(other / "recipe.yaml")
        assert (other / "report.html").read_bytes() == page
        before = (folder / "report.html").stat().st_mtime_ns
        run(folder / "recipe.yaml")
        assert (folder / "report.html").stat().st_mtime_ns == before
        (folder / "report.html").unlink()
        run(folder / "recipe.yaml")
        assert (folder / "report.html").read_bytes() == page


class TestEditor:
    def test_the_schema_takes_what_is_right_and_refuses_what_is_wrong(self):
        jsonschema = pytest.importorskip("jsonschema")
        schema = recipe_schema()
        jsonschema.Draft7Validator.check_schema(schema)
        check = jsonschema.Draft7Validator(schema).is_valid
        assert check(yaml.safe_load(RECIPE))
        assert check(yaml.safe_load(RECIPE + 'report: {fail_if: {shape: "< 0.5", near_copies: above_holdout}}\n'))
        for old, new in [
            ("rows: 120", "row: 120"),
            ("rows: 120", "rows: many"),
            ("version: 1", "version: 2"),
            ("independent", "independant"),
            ("most_common", "most_comon"),
            ("[shape,", "[shap,"),
            ("holdout: 0.25", "holdout: 2"),
            ("path: data/lab.csv, ", ""),
            ("split: people", "spilt: people"),
        ]:
            assert RECIPE.count(old) >= 1
            assert not check(yaml.safe_load(RECIPE.replace(old, new))), new

    def test_the_schema_keeps_to_the_words_of_draft_7_and_says_what_things_are(self):
        text = json.dumps(recipe_schema())
        for newer in ('"$defs"', '"prefixItems"', '"unevaluatedProperties"', '"discriminator"', '"dependentRequired"'):
            assert newer not in text
        fit = recipe_schema()["definitions"]["FitStep"]["properties"]
        assert all("description" in field for field in fit.values())
        assert "copula" in [c.get("const") for c in fit["synthesizer"]["anyOf"]]
