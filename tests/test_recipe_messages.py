"""The commonest mistakes in a recipe, and the whole message that each gets."""

import pytest

from cuvee import CuveeError, Recipe

GOOD = """\
version: 1
seed: 7
sources:
  clinic: {path: clinic.csv, key: mrn}
  lab: {path: lab.parquet}
steps:
  people:
    blend: [clinic, lab]
    resolve: {default: most_common, weight: median}
  parts: {split: people, holdout: 0.2}
  model: {fit: parts.train, synthesizer: copula}
  twins: {sample: model, rows: 200}
  train: {mix: {real: parts.train, synthetic: twins}, share: 0.3}
  scores: {evaluate: twins, train: parts.train, holdout: parts.holdout, metrics: [shape, copies]}
report: {save: report.html, fail_if: {near_copies: above_holdout, shape: "< 0.5"}}
"""


def said(text: str) -> list[str]:
    """The lines of the message of a wrong recipe."""
    with pytest.raises(CuveeError) as caught:
        Recipe.from_text(text)
    return str(caught.value).splitlines()


def changed(old: str, new: str) -> str:
    assert GOOD.count(old) == 1, old
    return GOOD.replace(old, new)


def test_the_recipe_that_all_mistakes_are_made_in_is_right():
    assert list(Recipe.from_text(GOOD).steps) == ["people", "parts", "model", "twins", "train", "scores"]


MISTAKES = {
    "a mistyped key that is needed": (
        "rows: 200", "row: 200",
        "12:26: steps.twins has no 'row'. Did you mean 'rows'?",
    ),
    "a mistyped key": (
        "holdout: 0.2}", "hold_out: 0.2}",
        "10:26: steps.parts has no 'hold_out'. Did you mean 'holdout'?",
    ),
    "a key of another tool": (
        "rows: 200", "rows: 200, temperature: 1",
        "12:37: steps.twins has no 'temperature'. There are: save, seed, sample, rows, where, given, balance, fair.",
    ),
    "a constraint that is none": (
        "{fit: parts.train, synthesizer: copula}", "{fit: parts.train, constraints: [a >, {positive: a}]}",
        "11:43: steps.model.constraints[0]: the condition a >» can't be read: a number, a text in single quotes, true or false was expected here. Write it such as: age >= 60 and state in ('CA', 'NY')",  # noqa: E501
    ),
    "a condition that can't be read": (
        "rows: 200", "rows: 200, where: a >",
        "12:44: steps.twins.where: the condition a >» can't be read: a number, a text in single quotes, true or false was expected here. Write it such as: age >= 60 and state in ('CA', 'NY')",  # noqa: E501
    ),
    "a missing key": (
        ", rows: 200", "",
        "12:3: steps.twins needs 'rows': how many.",
    ),
    "a missing key, with its meaning": (
        "evaluate: twins, train: parts.train, ", "evaluate: twins, ",
        "14:3: steps.scores needs 'train': the real rows that the model was fitted on.",
    ),
    "a mistyped verb": (
        "{split: people,", "{spilt: people,",
        "10:11: steps.parts has no verb 'spilt'. Did you mean 'split'?",
    ),
    "another tool's verb": (
        "{fit: parts.train, synthesizer: copula}", "{synthesize: parts.train}",
        "11:11: steps.model has no verb 'synthesize'. Learning and making rows are two steps, 'fit' and 'sample'.",
    ),
    "no verb": (
        "{sample: model, rows: 200}", "{of: model}",
        ("12:3: steps.twins has no verb. A step has one of: "
         "blend, split, fit, sample, impute, mix, evaluate, inspect, simulate."),
    ),
    "two verbs": (
        "{sample: model, rows: 200}", "{fit: parts.train, sample: model, rows: 200}",
        "12:3: steps.twins has 2 verbs, 'fit' and 'sample'. A step has one: make two steps of it.",
    ),
    "a step that is a word": (
        "{sample: model, rows: 200}", "model",
        "12:3: steps.twins is 'model'; it must be a mapping with a verb, such as {fit: data}.",
    ),
    "a reference to nothing": (
        "{sample: model,", "{sample: modle,",
        "12:19: steps.twins.sample refers to 'modle', which is no source and no step above it. Did you mean 'model'?",
    ),
    "a reference to what stands below": (
        "split: people", "split: twins",
        "10:18: steps.parts.split refers to 'twins', which stands below it. A step uses only what stands above it.",
    ),
    "a reference to itself": (
        "split: people", "split: parts",
        "10:18: steps.parts.split refers to 'parts', which is the step itself.",
    ),
    "a split without a side": (
        "fit: parts.train", "fit: parts",
        "11:16: steps.model.fit refers to 'parts', which is a split. Write 'parts.train' or 'parts.holdout'.",
    ),
    "a side that no split has": (
        "fit: parts.train", "fit: parts.test",
        "11:16: steps.model.fit refers to 'parts.test', but a split has no 'test'. There are: train, holdout.",
    ),
    "data where a model is wanted": (
        "{sample: model,", "{sample: people,",
        "12:19: steps.twins.sample refers to 'people', which gives data; a model is wanted here. There are: 'model'.",
    ),
    "a blend of nothing known": (
        "blend: [clinic, lab]", "blend: [clinic, labs]",
        "8:21: steps.people.blend[1] refers to 'labs', which is no source and no step above it. Did you mean 'lab'?",
    ),
    "a share above one": (
        "holdout: 0.2}", "holdout: 2}",
        "10:35: steps.parts.holdout is 2; it must be below 1.",
    ),
    "a number in words": (
        "rows: 200", "rows: many",
        "12:32: steps.twins.rows is 'many'; it must be a whole number.",
    ),
    "a truth value for a number": (
        "rows: 200", "rows: true",
        "12:32: steps.twins.rows is true; it must be a whole number.",
    ),
    "a number for a name": (
        "key: mrn", "key: 5",
        "4:35: sources.clinic.key is 5; it must be a column, or a list of columns such as [origin, hour].",
    ),
    "one for a list": (
        "blend: [clinic, lab]", "blend: clinic",
        "8:12: steps.people.blend is 'clinic'; it must be a list such as [one, two].",
    ),
    "an unknown rule": (
        "weight: median", "weight: medain",
        "9:45: steps.people.resolve.weight: there is no rule 'medain'. Did you mean 'median'?",
    ),
    "an unknown synthesizer": (
        "synthesizer: copula", "synthesizer: copla",
        "11:42: steps.model.synthesizer: there is no synthesizer 'copla'. Did you mean 'copula'?",
    ),
    "an unknown option of a synthesizer": (
        "synthesizer: copula", "synthesizer: {copula: {row: 500}}",
        "11:52: steps.model.synthesizer.copula has no 'row'. Did you mean 'rows'?",
    ),
    "an unknown metric": (
        "[shape, copies]", "[shpae, copies]",
        "14:83: steps.scores.metrics[0]: there is no metric 'shpae'. Did you mean 'shape'?",
    ),
    "an unknown form": (
        "lab: {path: lab.parquet}", "lab: {path: lab.parquet, form: parket}",
        "5:34: sources.lab.form: there is no form 'parket'. Did you mean 'parquet'?",
    ),
    "an unknown ending": (
        "lab.parquet", "lab.parqet",
        ("5:15: sources.lab.path: lab.parqet has the ending '.parqet', which no form of data has. "
        "Did you mean '.parquet'? Or state its form, such as form='csv'."),
    ),
    "an unknown option of a source": (
        "key: mrn", "delimeter: ;",
        "4:30: sources.clinic has no 'delimeter'; its form is csv. Did you mean 'delimiter'?",
    ),
    "an option of the wrong type": (
        "key: mrn", "header: perhaps",
        "4:38: sources.clinic.header is text; it must be true or false.",
    ),
    "a mistyped path": (
        "{path: lab.parquet}", "{pth: lab.parquet}",
        "5:9: sources.lab has no 'pth'. Did you mean 'path'?",
    ),
    "no path": (
        "{path: lab.parquet}", "{form: parquet}",
        "5:3: sources.lab needs 'path' or 'url': where it is.",
    ),
    "a path and a URL": (
        "{path: lab.parquet}", "{path: lab.parquet, url: 'sqlite:///lab.db'}",
        "5:3: sources.lab has both 'path' and 'url'; a source has one.",
    ),
    "a variable that is not in quotes": (
        "{path: lab.parquet}", "{url: ${LAB_URL}}",
        '5:14: ${LAB_URL} must be in quotes: "${LAB_URL}".',
    ),
    "a variable outside sources": (
        "sample: model", 'sample: "${MODEL}"',
        ("12:19: steps.twins.sample has a variable; "
        "the environment is read only in the path, url and options of a source."),
        ("12:19: steps.twins.sample refers to '${MODEL}', which is no source and no step above it. "
        "There are: clinic, lab, people, parts, model."),
    ),
    "a comparison that is not in quotes": (
        'shape: "< 0.5"', "shape: > 0.5",
        '15:74: A comparison must be in quotes: "> 0.5".',
    ),
    "a glob that is not in quotes": (
        "{path: lab.parquet}", "{path: *.parquet}",
        "5:15: A value that begins with '*' must be in quotes, such as \"*.csv\".",
    ),
    "a template": (
        "path: lab.parquet", "path: {{ lab }}",
        ("5:16: sources.lab.path has a collection for a key. Templates such as {{ name }} are not known here; "
        "only ${NAME}, in quotes, in sources."),
    ),
    "two steps of one name": (
        "  twins: {sample", "  model: {sample",
        "12:3: Two steps are called 'model'; the first is in line 11. Give one of them another name.",
        ("13:47: steps.train.mix.synthetic refers to 'twins', which is no source and no step above it. "
        "There are: clinic, lab, people, parts, model."),
        ("14:22: steps.scores.evaluate refers to 'twins', which is no source and no step above it. "
        "Did you mean 'train'?"),
    ),
    "one key twice": (
        "rows: 200", "rows: 200, rows: 300",
        "12:37: steps.twins has 'rows' twice; the first is in line 12. Remove one of them.",
    ),
    "a step with a source's name": (
        "  parts: {split: people, holdout: 0.2}", "  lab: {split: people}\n  parts: {split: people}",
        "10:3: The step 'lab' has the name of a source (line 5). Give it another name.",
    ),
    "a tab": (
        "  parts: {split", "\tparts: {split",
        "10:1: A tab stands here. YAML is indented with spaces: put two spaces in its place.",
    ),
    "a brace that is not closed": (
        '"< 0.5"}}\n', '"< 0.5"}\n',
        "15:9: What is opened here is never closed: a bracket, brace or quote is missing.",
    ),
    "a colon in plain text": (
        "seed: 7", "seed: 7\ntitle: a: b",
        "3:9: A ':' stands where none can. Put text that has ': ' in it in quotes, or mend the indentation.",
    ),
    "a bad duration": (
        "synthesizer: copula", "synthesizer: copula, time_budget: 5 minutes",
        "11:63: steps.model.time_budget is '5 minutes'; it must be a duration with its unit, such as 60s, 5m or 1h.",
    ),
    "another version": (
        "version: 1", "version: 2",
        "1:10: version is 2; it must be 1.",
    ),
    "no version": (
        "version: 1\n", "",
        "1:1: the recipe needs 'version': the version of the form of recipes: 1.",
    ),
    "a negative seed": (
        "seed: 7", "seed: -1",
        "2:7: seed is -1; it must be at least 0.",
    ),
    "a share that is to be found": (
        "share: 0.3", "share: auto",
        ("13:62: steps.train.share is 'auto'; it must be a number from 0 to 1, such as 0.3: "
        "a share is not chosen by cuvee yet."),
    ),
    "a file that two write": (
        "share: 0.3}", "share: 0.3, save: x.csv}\n  two: {mix: {real: lab, synthetic: twins}, share: 0.5, save: x.csv}",
        "14:63: steps.two.save would overwrite what steps.train saves. Give another file.",
    ),
    "a file of no form": (
        "share: 0.3", "share: 0.3, save: train.parqet",
        ("13:73: steps.train.save: train.parqet has the ending '.parqet', which no form of data has. "
        "Did you mean '.parquet'? Or state its form, such as form='csv'."),
    ),
    "scores in a file of data": (
        "metrics: [shape, copies]", "save: scores.csv",
        ("14:79: steps.scores.save: 'scores.csv' has the ending '.csv'; what this gives is written to "
        "a file that ends with .json."),
    ),
    "a file that is a source": (
        "share: 0.3", "share: 0.3, save: lab.parquet",
        "13:73: steps.train.save would overwrite the source 'lab'. Give another file.",
    ),
    "a mistyped gate": (
        "near_copies:", "near_copy:",
        "15:39: report.fail_if.near_copy: there is no score 'near_copy'. Did you mean 'near_copies'?",
    ),
    "a condition that is none": (
        "near_copies: above_holdout", "near_copies: high",
        ("15:52: report.fail_if.near_copies is 'high'; it must be above_holdout, below_holdout or a comparison "
        'in quotes such as "> 0.9".'),
    ),
    "a gate on holdout rows that are not there": (
        ", holdout: parts.holdout", "",
        "15:52: report.fail_if.near_copies compares with holdout rows, but steps.scores has no 'holdout'.",
    ),
    "an unknown section": (
        "report: {", "reports: {",
        "15:1: the recipe has no 'reports'. Did you mean 'report'?",
    ),
    "a trusted source that is not blended": (
        "resolve: {default: most_common, weight: median}", "trust: [clinc]",
        "9:13: steps.people.trust[0] is 'clinc', which is not blended here. Did you mean 'clinic'?",
    ),
    "a blend into what is not blended": (
        "resolve: {default: most_common, weight: median}", "into: people",
        "9:11: steps.people.into is 'people', which is not blended here. There are: clinic, lab.",
    ),
    "an unknown match": (
        "resolve: {default: most_common, weight: median}", "match: {normalized: email}",
        "9:12: steps.people.match: has no form 'normalized'. Did you mean 'normalised'?",
    ),
    "a name with a dot": (
        "  lab: {path", "  lab.x: {path",
        "5:3: 'lab.x' is no name for one of the sources: use letters, digits, _ and -.",
        "8:21: steps.people.blend[1] refers to 'lab', which is no source and no step above it. Did you mean 'lab.x'?",
    ),
}  # fmt: skip


@pytest.mark.parametrize("mistake", MISTAKES)
def test_message(mistake: str):
    old, new, *lines = MISTAKES[mistake]
    assert said(changed(old, new)) == [f"recipe.yaml:{line}" for line in lines]


def test_all_problems_are_told_at_once_and_in_order():
    text = changed("rows: 200", "row: 200").replace("holdout: 0.2}", "holdout: 2}").replace("share: 0.3", "shares: 0.3")
    assert [line.split(": ")[0] for line in said(text)] == [
        "recipe.yaml:10:35",
        "recipe.yaml:12:26",
        "recipe.yaml:13:55",
    ]


def test_a_password_is_refused_and_not_repeated():
    lines = said(changed("{path: lab.parquet}", '{url: "postgresql://ada:hunter22@db/lab"}'))
    assert len(lines) == 1
    assert lines[0].startswith("recipe.yaml:5:14: sources.lab.url: ")
    assert "hunter22" not in lines[0]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "recipe.yaml:1:1: The recipe is empty. See cuvee demo for one that runs."),
        ("- a\n", "recipe.yaml:1:1: The recipe is a list; it must be a mapping with version, sources and steps."),
        ("blend\n", "recipe.yaml:1:1: The recipe is 'blend'; it must be a mapping with version, sources and steps."),
        (
            "version: 1\nsources: {}\nsteps: {}\n",
            (
                "recipe.yaml:2:10: sources is empty; it must be at least one entry long.\n"
                "recipe.yaml:3:8: steps is empty; it must be at least one entry long."
            ),
        ),
    ],
)
def test_recipes_that_are_none(text: str, message: str):
    assert "\n".join(said(text)) == message


@pytest.mark.parametrize("word", ["no", "on", "yes", "2020-01-01", "1:30", "0x1f", "null_", "é"])
def test_words_stay_words(word: str):
    recipe = Recipe.from_text(changed("key: mrn", f"key: {word}"))
    assert recipe.sources["clinic"].key == (word,)


def test_a_recipe_survives_a_byte_order_mark_and_windows_lines(tmp_path):
    path = tmp_path / "recipe.yaml"
    path.write_bytes(b"\xef\xbb\xbf" + GOOD.replace("\n", "\r\n").encode())
    assert Recipe.load(path).seed == 7


def test_files_that_are_no_recipes(tmp_path):
    with pytest.raises(CuveeError, match=r"missing.yaml can't be read: No such file"):
        Recipe.load(tmp_path / "missing.yaml")
    latin = tmp_path / "latin.yaml"
    latin.write_bytes("title: Zürich".encode("latin-1"))
    with pytest.raises(CuveeError, match=r"latin.yaml is not UTF-8 text \(byte 8\)"):
        Recipe.load(latin)
