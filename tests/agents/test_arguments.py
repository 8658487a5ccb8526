"""Made-up arguments: they fit the schema, and they do no harm."""

from __future__ import annotations

import json
import re
from typing import Any

import jsonschema
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from subsecond.agents.arguments import arguments_for, is_risky, is_useful, words_of
from subsecond.agents.wire.base import Tool

NULL = {"type": "null"}
HARMLESS = {"pwd", "ls", "git status", "echo subsecond"}


def arguments(schema: dict[str, Any], name: str = "lookup", chance: float = 0.0) -> dict[str, Any]:
    result = json.loads(arguments_for(Tool(name, schema), chance))
    assert isinstance(result, dict)
    return result


def required(**properties: Any) -> dict[str, Any]:
    return {"type": "object", "properties": properties, "required": list(properties), "additionalProperties": False}


@pytest.mark.parametrize(
    "schema",
    [
        {},
        {"type": "object"},
        required(a={"type": "string"}, b={"type": "integer"}, c={"type": "number"}, d={"type": "boolean"}),
        required(a={"type": "null"}, b={"type": ["string", "null"]}, c={"type": ["integer", "string"]}, d=True),
        required(a={"enum": ["delete", "read"]}, b={"const": {"x": [1]}}, c={"enum": [3, 4]}, d={"enum": [1, None]}),
        required(a={"type": "integer", "minimum": 5, "maximum": 7}, b={"type": "integer", "maximum": -3}),
        required(a={"type": "integer", "exclusiveMinimum": 5}, b={"type": "integer", "exclusiveMaximum": 5}),
        required(a={"type": "integer", "multipleOf": 7, "minimum": 8}, b={"type": "number", "multipleOf": 0.5}),
        required(a={"type": "number", "minimum": 0.2, "maximum": 0.4}, b={"minimum": 12}),
        required(a={"type": "number", "exclusiveMinimum": 0, "exclusiveMaximum": 1}, timeout_ms={"type": "integer"}),
        required(a={"type": "string", "minLength": 30}, b={"type": "string", "maxLength": 2}),
        required(a={"type": "string", "pattern": "^[A-Z]{3}$"}, b={"type": "string", "pattern": r"^\d{4}-\d\d-\d\d$"}),
        required(a={"type": "string", "format": "date"}, b={"type": "string", "format": "uuid"}),
        required(a={"type": "array"}, b={"type": "array", "items": {"type": "integer"}, "minItems": 3}),
        required(a={"type": "array", "items": {"enum": ["x", "y", "z"]}, "minItems": 2, "uniqueItems": True}),
        required(a={"type": "array", "items": {"type": "string"}, "minItems": 3, "uniqueItems": True}),
        required(a={"type": "array", "prefixItems": [{"type": "string"}, {"type": "integer"}], "minItems": 2}),
        required(a=required(b=required(c={"type": "array", "minItems": 1, "items": required(d={"type": "integer"})}))),
        required(a={"anyOf": [{"type": "string"}, {"type": "null"}]}, b={"anyOf": [False, {"type": "integer"}]}),
        required(a={"oneOf": [required(kind={"const": "x"}, n={"type": "integer"}), required(kind={"const": "y"})]}),
        required(a={"allOf": [required(x={"type": "string"}), {"type": "object"}]})
        | {"$defs": {"unused": {"type": "string"}}},
        required(a={"$ref": "#/$defs/node"}, b={"$ref": "#/definitions/kind"})
        | {
            "$defs": {"node": required(text={"type": "string"}, next={"anyOf": [{"$ref": "#/$defs/node"}, NULL]})},
            "definitions": {"kind": {"enum": ["one"]}},
        },
        {"type": "object", "minProperties": 2, "additionalProperties": {"type": "integer"}},
        {"type": "object", "required": ["x"], "additionalProperties": {"type": "boolean"}},
        {"anyOf": [required(a={"type": "integer"}), required(b={"type": "string"})]},
        required(command={"type": "array", "items": {"type": "string"}}, workdir={"type": "string"}),
        required(path={"type": "string", "minLength": 1}, url={"type": "string"}, email={"type": "string"}),
    ],
)  # fmt: skip
def test_arguments_fit_the_schema(schema: dict[str, Any]) -> None:
    for chance in (0.0, 0.5, 0.99):
        jsonschema.Draft202012Validator(schema).validate(arguments(schema, chance=chance))


@pytest.mark.parametrize(
    "schema",
    [
        {"$ref": "#"},
        {"$ref": "#/nowhere"},
        {"$ref": "https://example.org/schema.json"},
        required(a={"$ref": "#/properties/a"}),
        required(a={"type": "array", "minItems": 10**12}),
        required(a={"type": "string", "minLength": 10**12}),
        required(a={"type": "integer", "minimum": 5, "maximum": 3}),
        required(a=False),
        required(a={"type": "string", "pattern": "(("}),
        required(a={"type": "string", "pattern": "^(a+)+$" * 20}),
        {"type": "object", "properties": [], "required": {"a": 1}, "anyOf": 3, "enum": "x", "allOf": 7},
        {"type": 5, "properties": {"a": 5}, "required": ["a", 5], "minProperties": "many"},
    ],
)
def test_a_schema_that_nothing_fits_makes_a_call_all_the_same(schema: dict[str, Any]) -> None:
    assert isinstance(arguments(schema), dict)


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(-1e9, 1e9) | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=8,
)
KEYWORDS = re.findall(
    r"\S+",
    "type properties required items enum const anyOf oneOf allOf $ref minimum maximum multipleOf minItems maxItems "
    "uniqueItems prefixItems pattern format minLength maxLength additionalProperties minProperties exclusiveMinimum",
)


@settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(schema=st.dictionaries(st.sampled_from(KEYWORDS), json_values, max_size=8), chance=st.floats(0, 0.999))
def test_any_schema_gets_arguments(schema: dict[str, Any], chance: float) -> None:
    assert isinstance(arguments(required(a=schema, command=schema)), dict)
    assert isinstance(arguments(schema, chance=chance), dict)


@pytest.mark.parametrize("chance", [0.0, 0.3, 0.6, 0.9])
def test_commands_are_harmless(chance: float) -> None:
    schema = required(cmd={"type": "string", "default": "rm -rf /", "examples": ["rm -rf /"]}, yes={"type": "boolean"})
    made = arguments(schema, "exec_command", chance)
    assert made["cmd"] in HARMLESS
    assert made["yes"] is False
    words = arguments(required(command={"type": "array", "items": {"type": "string"}}), "shell", chance)["command"]
    assert " ".join(words) in HARMLESS


@pytest.mark.parametrize(
    ("name", "path", "folder"),
    [
        ("read_file", "README.md", "."),
        ("delete_file", "subsecond-simulated.txt", "subsecond-simulated"),
        ("write", "subsecond-simulated.txt", "subsecond-simulated"),
        ("frobnicate", "subsecond-simulated.txt", "subsecond-simulated"),
    ],
)
def test_paths_of_tools_that_may_change_something_do_not_exist(name: str, path: str, folder: str) -> None:
    made = arguments(required(file_path={"type": "string"}, cwd={"type": "string"}), name)
    assert made == {"file_path": path, "cwd": folder}


def test_links_lead_nowhere() -> None:
    made = arguments(required(url={"type": "string"}, imageUrl={"type": "string", "format": "uri"}), "fetch")
    assert set(made.values()) == {"http://127.0.0.1:9/"}


@pytest.mark.parametrize(
    ("name", "text"), [("apply_patch", "example"), ("shell", "pwd"), ("exec", "1 + 1"), ("python", "1 + 1")]
)
def test_free_tools_get_harmless_text(name: str, text: str) -> None:
    assert arguments_for(Tool(name, {}, kind="custom"), 0.5) == text


def test_names_are_read_in_words() -> None:
    assert words_of("getHTTPStatus_code-now") == {"get", "http", "status", "code", "now"}
    assert is_risky(Tool("send_email", {}))
    assert is_risky(Tool("applyPatch", {}))
    assert not is_risky(Tool("get_weather", {}))
    assert is_useful(Tool("exec_command", {}))
