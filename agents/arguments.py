"""Arguments for calls of tools: JSON that fits the tool's schema and does no harm if an agent really acts on it.

Served are types, enum, const, required, nested objects and arrays, bounds, formats, simple patterns, anyOf, oneOf,
allOf and local references. Conditions (`if`, `not`, `dependentRequired`) are not looked at. Only what a schema requires
is filled in. Values that an agent could act on are fixed ones: commands that show something, paths inside the working
folder, addresses that nobody answers.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

import msgspec

from subsecond.agents.wire.base import Tool

__all__ = ["answer_for", "arguments_for", "is_risky", "is_useful", "words_of"]


def _words(text: str) -> frozenset[str]:
    return frozenset(re.findall(r"\w+", text))


#: Words of a tool's name for which it is called only if the client demands it: it may change or send something.
RISKY: Final = _words(
    "add append apply book browse browser buy call cancel charge clear close commit create delete deploy "
    "destroy download drop edit email erase fetch format http insert install kill mail merge move notify patch "
    "pay payment post publish purge push put refund remove rename replace reset restart rm save send set "
    "shutdown sms spawn stdin stop submit terminate transfer truncate uninstall update upload url web wipe "
    "write"
)
#: Words of tools that show something: a simulated coding agent takes them first.
USEFUL: Final = _words("bash cmd command exec execute find get glob grep list ls read run search shell terminal view")

_COMMANDS: Final = ("pwd", "ls", "git status", "echo subsecond")
_COMMAND_WORDS: Final = _words("argv bash cmd command commands run script shell")
_CODE_WORDS: Final = _words("code expression js javascript program python snippet source")
_PATH_WORDS: Final = _words("file filename filepath files path paths")
_FOLDER_WORDS: Final = _words("cwd dir directory folder root workdir workspace")
_LINK_WORDS: Final = _words("address endpoint host href link uri url urls website")
#: A port where nobody listens, on this machine: an agent that fetches it reaches nothing.
_LINK: Final = "http://127.0.0.1:9/"
_FORMATS: Final = {
    "date": "2026-01-01",
    "date-time": "2026-01-01T00:00:00Z",
    "duration": "PT1S",
    "email": "nobody@example.invalid",
    "hostname": "example.invalid",
    "idn-email": "nobody@example.invalid",
    "ipv4": "127.0.0.1",
    "ipv6": "::1",
    "time": "00:00:00Z",
    "uri": _LINK,
    "uri-reference": _LINK,
    "url": _LINK,
    "uuid": "00000000-0000-4000-8000-000000000000",
}
_EXAMPLES: Final = {"city": "Paris", "country": "France", "location": "Paris", "sql": "SELECT 1", "timezone": "UTC"}
#: Tried against a pattern. None is longer than 10 letters, so that no pattern takes long.
_CANDIDATES: Final = (
    "example",
    "a",
    "A",
    "1",
    "10",
    "a1",
    "A1",
    "2026-01-01",
    "00:00",
    "1.0.0",
    "0000000000",
    "AAA",
    "000",
    "00000",
)
_DEEPEST: Final = 24
_MOST_VALUES: Final = 400
_LONGEST_TEXT: Final = 4000


def words_of(name: str) -> frozenset[str]:
    """The words of a name in camel case, snake case or any other, in small letters."""
    return frozenset(word.lower() for word in re.findall(r"[A-Z]?[a-z]+|[A-Z]+(?![a-z])", name))


def is_risky(tool: Tool) -> bool:
    """Whether calling it unasked might change or send something."""
    return not RISKY.isdisjoint(words_of(tool.name))


def is_useful(tool: Tool) -> bool:
    """Whether it runs a command or shows something."""
    return not USEFUL.isdisjoint(words_of(tool.name))


def arguments_for(tool: Tool, chance: float) -> str:
    """What a call of the tool is given: JSON for a function, text for any other kind.

    Args:
        chance: in [0, 1), chooses among harmless commands.
    """
    if tool.kind != "function":
        words = words_of(tool.name)
        return "pwd" if words & _COMMAND_WORDS else "1 + 1" if words & (_CODE_WORDS | USEFUL) else "example"
    value = _value(tool, chance)
    return msgspec.json.encode(value if isinstance(value, dict) else {}).decode()


def answer_for(schema: Mapping[str, Any]) -> str:
    """JSON that fits a schema which the client wants answers to have."""
    return msgspec.json.encode(_value(Tool("answer", schema), 0.0)).decode()


def _value(tool: Tool, chance: float) -> Any:
    try:
        return _Maker(tool, chance).value(tool.parameters, "", 0)
    except _NoFit:
        return {}


class _NoFit(Exception):
    """No value was found for a schema."""


class _Maker:
    """Makes one value for one schema."""

    def __init__(self, tool: Tool, chance: float) -> None:
        self._root = tool.parameters
        self._command = _COMMANDS[int(chance * len(_COMMANDS))]
        # what a tool that writes or deletes is pointed at does not exist
        shows = is_useful(tool) and not is_risky(tool)
        self._path, self._folder = ("README.md", ".") if shows else ("subsecond-simulated.txt", "subsecond-simulated")
        self._made = 0

    def value(self, schema: object, name: str, depth: int) -> Any:
        """A value that fits the schema of a parameter of this name."""
        self._made += 1
        if depth > _DEEPEST or self._made > _MOST_VALUES or schema is False:
            raise _NoFit
        plain = self._resolved(schema) if isinstance(schema, Mapping) else {}
        if "const" in plain:
            return plain["const"]
        options = plain.get("enum")
        if isinstance(options, Sequence) and not isinstance(options, str) and options:
            return _safest(options)
        for key in ("anyOf", "oneOf"):
            if isinstance(plain.get(key), Sequence) and plain[key]:
                return self._any_of(plain, key, name, depth)
        make: Callable[[Mapping[str, Any], str, int], Any] = getattr(self, f"_{_type_of(plain)}")
        return make(plain, name, depth)

    def _resolved(self, schema: Mapping[str, Any]) -> Mapping[str, Any]:
        """The schema with its reference and its `allOf` put into one."""
        for _ in range(_DEEPEST):
            reference, parts = schema.get("$ref"), schema.get("allOf")
            if isinstance(reference, str):
                schema = _merged(self._target(reference), {k: v for k, v in schema.items() if k != "$ref"})
            elif isinstance(parts, Sequence) and not isinstance(parts, str):
                whole = {k: v for k, v in schema.items() if k != "allOf"}
                for part in parts:
                    whole = _merged(whole, self._resolved(part) if isinstance(part, Mapping) else {})
                schema = whole
            else:
                return schema
        raise _NoFit

    def _target(self, reference: str) -> Mapping[str, Any]:
        place: Any = self._root
        for part in reference.removeprefix("#").split("/")[1:] if reference.startswith("#") else ["?"]:
            key = part.replace("~1", "/").replace("~0", "~")
            place = place.get(key) if isinstance(place, Mapping) else None
        if not isinstance(place, Mapping):
            raise _NoFit
        return place

    def _any_of(self, schema: Mapping[str, Any], key: str, name: str, depth: int) -> Any:
        """The first alternative for which there is a value, null before all others."""
        base = {k: v for k, v in schema.items() if k != key}
        parts = [part if isinstance(part, Mapping) else {} for part in schema[key] if part is not False]
        for part in sorted(parts, key=lambda part: part.get("type") != "null"):
            try:
                return self.value(_merged(base, self._resolved(part)), name, depth + 1)
            except _NoFit:
                continue
        raise _NoFit

    def _null(self, schema: Mapping[str, Any], name: str, depth: int) -> None:
        return None

    def _boolean(self, schema: Mapping[str, Any], name: str, depth: int) -> bool:
        return False

    def _integer(self, schema: Mapping[str, Any], name: str, depth: int) -> int:
        low, high = _bounds(schema, 1)
        step = _number(schema, "multipleOf") or 1
        first = math.ceil(max(low, min(_wish(name), high)) / step) * step
        if first > high:
            first = math.floor(high / step) * step
        if first < low or first != int(first):
            raise _NoFit
        return int(first)

    def _number(self, schema: Mapping[str, Any], name: str, depth: int) -> float:
        try:
            return self._integer(schema, name, depth)
        except _NoFit:
            low, high = _bounds(schema, 1e-9)
            step = _number(schema, "multipleOf")
            value = math.ceil(low / step) * step if step else (low + min(high, low + 1)) / 2
            if not low <= value <= high:
                raise
            return value

    def _string(self, schema: Mapping[str, Any], name: str, depth: int) -> str:
        shortest, longest = int(_number(schema, "minLength") or 0), _number(schema, "maxLength")
        pattern = schema.get("pattern")
        text = _matching(pattern, shortest, longest) if isinstance(pattern, str) else None
        if text is None:
            text = _FORMATS.get(str(schema.get("format"))) or self._text(name)
        if shortest > _LONGEST_TEXT:
            raise _NoFit
        text = text.ljust(shortest)
        return text if longest is None else text[: int(max(0, longest))]

    def _text(self, name: str) -> str:
        words = words_of(name)
        for known, text in (
            (_COMMAND_WORDS, self._command),
            (_CODE_WORDS, "1 + 1"),
            (_FOLDER_WORDS, self._folder),
            (_PATH_WORDS, self._path),
            (_LINK_WORDS, _LINK),
        ):
            if words & known:
                return text
        return next((_EXAMPLES[word] for word in sorted(words) if word in _EXAMPLES), "example")

    def _array(self, schema: Mapping[str, Any], name: str, depth: int) -> list[Any]:
        fixed = schema.get("prefixItems")
        values = [self.value(part, name, depth + 1) for part in fixed] if isinstance(fixed, list) else []
        items = schema.get("items", {})
        count = int(_number(schema, "minItems") or 0)
        if not values and count <= 2 and words_of(name) & _COMMAND_WORDS and _holds_plain_text(items):
            return self._command.split() if count <= len(self._command.split()) else ["git", "status"]
        if count > _MOST_VALUES:
            raise _NoFit
        while len(values) < count:
            values.append(self.value(items, name, depth + 1))
        return _told_apart(values, items) if schema.get("uniqueItems") is True else values

    def _object(self, schema: Mapping[str, Any], name: str, depth: int) -> dict[str, Any]:
        properties = schema.get("properties")
        properties = properties if isinstance(properties, Mapping) else {}
        rest = schema.get("additionalProperties", {})
        needed = schema.get("required")
        keys = [key for key in needed if isinstance(key, str)] if isinstance(needed, list) else []
        if not keys and depth == 0:  # a call that says nothing at all teaches nobody anything
            keys = [key for key in properties if words_of(key) & (_COMMAND_WORDS | _PATH_WORDS | _FOLDER_WORDS)][:1]
        result = {key: self.value(properties.get(key, rest), key, depth + 1) for key in keys}
        least = int(_number(schema, "minProperties") or 0)
        extra = [
            key for key in (*properties, *(f"key{i}" for i in range(min(least, _MOST_VALUES)))) if key not in result
        ]
        for key in extra[: max(0, least - len(result))]:
            result[key] = self.value(properties.get(key, rest), key, depth + 1)
        return result


def _type_of(schema: Mapping[str, Any]) -> str:
    known = ("null", "boolean", "integer", "number", "string", "array", "object")
    kind = schema.get("type")
    if isinstance(kind, list):
        kind = "null" if "null" in kind else next((k for k in kind if k in known), None)
    if kind in known:
        return str(kind)
    for word, keys in (
        ("object", ("properties", "required", "additionalProperties", "minProperties")),
        ("array", ("items", "prefixItems", "minItems")),
        ("integer", ("minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum", "multipleOf")),
    ):
        if any(key in schema for key in keys):
            return word
    return "string"


def _merged(one: Mapping[str, Any], other: Mapping[str, Any]) -> dict[str, Any]:
    """Both schemas at once; where they disagree on a keyword, the second one's."""
    both = {**one, **other}
    mine, theirs = one.get("properties"), other.get("properties")
    if isinstance(mine, Mapping) and isinstance(theirs, Mapping):
        both["properties"] = {**mine, **theirs}
    here, there = one.get("required"), other.get("required")
    if isinstance(here, list) and isinstance(there, list):
        both["required"] = [*here, *(key for key in there if key not in here)]
    return both


def _safest(options: Sequence[Any]) -> Any:
    """Null, else the first word that asks for nothing to be changed."""
    if None in options:
        return None
    return next((o for o in options if not (isinstance(o, str) and words_of(o) & RISKY)), options[0])


def _number(schema: Mapping[str, Any], key: str) -> float | None:
    value = schema.get(key)
    if isinstance(value, bool) or not isinstance(value, int | float) or not abs(value) < 2**53:
        return None
    return value


def _bounds(schema: Mapping[str, Any], above: float) -> tuple[float, float]:
    """Least and largest value; `above` is how far off an exclusive bound they stay."""
    lows, highs = [-math.inf], [math.inf]
    for value, bounds, by in (
        (_number(schema, "minimum"), lows, 0.0),
        (_number(schema, "exclusiveMinimum"), lows, above),
        (_number(schema, "maximum"), highs, 0.0),
        (_number(schema, "exclusiveMaximum"), highs, -above),
    ):
        if value is not None:
            bounds.append(value + by)
    low, high = max(lows), min(highs)
    if low > high:
        raise _NoFit
    return (high - 1 if low == -math.inf and high < 1 else 0.0 if low == -math.inf else low), high


def _wish(name: str) -> int:
    """What a number would be without bounds: long enough where it is a time to wait."""
    words = words_of(name)
    if words & {"ms", "millis", "milliseconds"}:
        return 10_000
    return 10 if words & {"s", "seconds", "timeout", "wait"} else 1


def _matching(pattern: str, shortest: int, longest: float | None) -> str | None:
    """A text that matches a pattern, if one of the simple ones does."""
    if len(pattern) > 200:
        return None
    try:
        found = re.compile(pattern)
        fitting = [text for text in _CANDIDATES if shortest <= len(text) <= (10 if longest is None else longest)]
        return next((text for text in fitting if found.search(text)), None)
    except (re.error, RecursionError, OverflowError, Warning):
        return None


def _holds_plain_text(items: object) -> bool:
    return isinstance(items, Mapping) and items.get("type") == "string" and "enum" not in items


def _told_apart(values: list[Any], items: object) -> list[Any]:
    """The values, made different where they can be."""
    options = items.get("enum") if isinstance(items, Mapping) else None
    if isinstance(options, list) and len(options) >= len(values):
        return options[: len(values)]
    if all(isinstance(value, str) for value in values):
        return [f"{value}{i or ''}" for i, value in enumerate(values)]
    if all(isinstance(value, int | float) and not isinstance(value, bool) for value in values):
        return [value + i for i, value in enumerate(values)]
    return values
