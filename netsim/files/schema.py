"""The JSON Schema of scenario files, made from their layout: for editors, not for netsim itself."""

from __future__ import annotations

from typing import Any

from netsim.files.grammar import SCENARIO
from netsim.files.shape import Either, ListOf, MapOf, Shape, Text

Schema = dict[str, Any]


def scenario_schema() -> Schema:
    """Describe a scenario file in JSON Schema, draft 2020-12."""
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "netsim scenario",
        **_schema(SCENARIO),
    }


def _schema(shape: Shape) -> Schema:
    if isinstance(shape, Text):
        return _text(shape)
    if isinstance(shape, Either):
        return {"description": shape.about, "oneOf": [_schema(shape.short), _schema(shape.long)]}
    if isinstance(shape, ListOf):
        return {"description": shape.about, "type": "array", "items": _schema(shape.item)}
    found: Schema = {"description": shape.about, "type": "object", "additionalProperties": False}
    if shape.single:
        found |= {"minProperties": 1, "maxProperties": 1}
    if isinstance(shape, MapOf):
        found["patternProperties"] = {_whole(key.pattern): _schema(value) for key, value in shape.cases}
        return found | ({"minProperties": 1} if shape.filled else {})
    found["properties"] = {key: _schema(value) for key, value in shape.fields.items()}
    if shape.empty:
        found["type"] = ["object", "null"]
    return found | ({"required": list(shape.required)} if shape.required else {})


def _text(shape: Text) -> Schema:
    if shape.choices:
        choices = [{"const": word} | _described(about) for word, about in shape.choices.items()]
        return {"description": shape.about, "oneOf": choices}
    found: Schema = {"description": shape.about, "type": "string", "examples": [shape.example]}
    if shape.number:
        found["type"] = ["string", "number", "boolean"]
    return found | ({"pattern": _whole(shape.pattern)} if shape.pattern else {"minLength": 1})


def _described(about: str) -> Schema:
    return {"description": about} if about else {}


def _whole(pattern: str) -> str:
    return f"^(?:{pattern})$"
