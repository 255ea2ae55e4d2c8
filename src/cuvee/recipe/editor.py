"""The JSON Schema of recipes, for an editor's completion: made from the same models that read a recipe."""

from typing import Any, cast

from cuvee.recipe.content import Content
from cuvee.registry import Group, entries

_DRAFT = "http://json-schema.org/draft-07/schema#"


def recipe_schema() -> dict[str, Any]:
    """The JSON Schema of recipes in the words of draft 7, which editors understand."""
    made = _plain(Content.model_json_schema())
    parts = made.pop("$defs")
    _steps(made["properties"]["steps"])
    parts["FitStep"]["properties"]["synthesizer"] = _named(
        parts["FitStep"]["properties"]["synthesizer"], "synthesizers"
    )
    resolve = parts["BlendStep"]["properties"]["resolve"]
    resolve["additionalProperties"] = _named(resolve["additionalProperties"], "rules")
    metrics = parts["EvaluateStep"]["properties"]["metrics"]
    metrics["items"] = _named(metrics.get("items", {}), "metrics")
    source = parts["SourceSpec"]
    source["properties"]["form"] |= {"enum": list(entries("sources"))}
    source["oneOf"] = [{"required": ["path"]}, {"required": ["url"]}]
    title = {"$schema": _DRAFT, "title": "A recipe of cuvee"}
    return {**title, **{k: v for k, v in made.items() if k != "title"}, "definitions": parts}


def _plain(value: Any) -> Any:
    """A schema without what draft 7 does not know and what only tells of Python."""
    if isinstance(value, list):
        return [_plain(inner) for inner in cast("list[Any]", value)]
    if not isinstance(value, dict):
        return value
    made = {name: _plain(inner) for name, inner in cast("dict[str, Any]", value).items()}
    if isinstance(made.get("title"), str):
        del made["title"]
    made.pop("discriminator", None)
    if "$ref" in made:
        reference = {"$ref": made.pop("$ref").replace("#/$defs/", "#/definitions/")}
        # Draft 7 ignores what stands beside a reference.
        return {**made, "allOf": [reference]} if made else reference
    return _without_null(made)


def _without_null(made: dict[str, Any]) -> dict[str, Any]:
    """What may be left out is left out, and not written as null."""
    choices = made.get("anyOf")
    if not isinstance(choices, list) or {"type": "null"} not in choices:
        return made
    rest = [c for c in cast("list[Any]", choices) if c != {"type": "null"}]
    others = {k: v for k, v in made.items() if k != "anyOf" and not (k == "default" and v is None)}
    return {**(rest[0] if len(rest) == 1 else {"anyOf": rest}), **others}


def _steps(steps: dict[str, Any]) -> None:
    """Each step by its verb, so that an editor complains of the step at hand and not of all forms at once."""
    union = steps["additionalProperties"]
    listed = union.pop("oneOf", None) or union.pop("anyOf")
    union["anyOf"] = listed


def _named(choice: dict[str, Any], group: Group) -> dict[str, Any]:
    """A choice with the names that are registered, and what each is."""
    names = {name: entry.says for name, entry in entries(group).items()}
    options = {"type": ["object", "null"]}
    known: list[dict[str, Any]] = [{"const": name, "description": says} for name, says in names.items()]
    known.append(
        {
            "type": "object",
            "minProperties": 1,
            "maxProperties": 1,
            "properties": dict.fromkeys(names, options),
            "additionalProperties": False,
        }
    )
    return {**{k: v for k, v in choice.items() if k not in {"anyOf", "type"}}, "anyOf": known}
