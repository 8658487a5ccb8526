"""Reading what clients send: JSON whose every field may have the wrong type, and refusals that name it."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any, Final

import msgspec

__all__ = ["Refused", "decoded", "flag", "mapping", "metadata", "sequence", "shown", "text", "whole"]

#: Deepest nesting of a message: what is echoed must be written again, with more around it.
DEEPEST: Final = 128
#: Keys of `metadata`, as the protocols have it; and how many tokens a reply can be asked for.
MOST_KEYS: Final = 16
MOST_TOKENS: Final = 1_000_000


class Refused(Exception):
    """What a client asked for cannot be done.

    Args:
        message: in words, for the client.
        param: the field that is meant.
        code: the protocol's word for it.
        status: of HTTP; websocket frames carry it too.
    """

    def __init__(
        self, message: str, param: str | None = None, code: str | None = "invalid_value", status: int = 400
    ) -> None:
        super().__init__(message)
        self.message, self.param, self.code, self.status = message, param, code, status

    @property
    def kind(self) -> str:
        """The type of error that OpenAI's clients know."""
        if self.status == 429:
            return "rate_limit_error"
        return "server_error" if self.status >= 500 else "invalid_request_error"

    def body(self) -> dict[str, Any]:
        """OpenAI's shape of it, below `error`."""
        return {"message": self.message, "type": self.kind, "param": self.param, "code": self.code}


def decoded(data: str | bytes) -> dict[str, Any]:
    """The JSON object that a message is.

    Raises:
        Refused: it is none, or nested too deep.
    """
    try:
        value = _parsed(data)
    except (ValueError, RecursionError, msgspec.MsgspecError) as error:
        raise Refused(f"the message is not JSON that can be read: {error}", code="invalid_json") from None
    if not isinstance(value, dict):
        raise Refused(f"got {shown(value)}, expected a JSON object", code="invalid_json")
    level: list[Any] = [value]
    for _ in range(DEEPEST):
        level = [
            child
            for node in level
            for child in (node.values() if type(node) is dict else node)
            if type(child) is dict or type(child) is list
        ]
        if not level:
            return value
    raise Refused(f"the message is nested deeper than {DEEPEST} levels", code="invalid_json")


def _parsed(data: str | bytes) -> Any:
    try:
        return msgspec.json.decode(data)
    except (msgspec.DecodeError, UnicodeEncodeError):
        # Halves of letters are legal JSON and no legal UTF-8: some clients send them, and they become question marks.
        text = json.dumps(json.loads(data), ensure_ascii=False, allow_nan=False)
        return msgspec.json.decode(text.encode(errors="replace"))


def shown(value: object) -> str:
    """A value for a message, short."""
    text = repr(value)
    return text if len(text) <= 80 else text[:77] + "..."


def text(body: Mapping[str, Any], key: str, default: str | None = None) -> str:
    """A text; null and nothing are the default, or refused without one."""
    value = body.get(key)
    if value is None and default is not None:
        return default
    if not isinstance(value, str):
        code = "missing_required_parameter" if value is None else "invalid_type"
        raise Refused(f"{key}: got {shown(value)}, expected a text", key, code)
    return value


def flag(body: Mapping[str, Any], key: str, default: bool = False) -> bool:
    """True or false."""
    value = body.get(key)
    if value is None:
        return default
    if not isinstance(value, bool):
        raise Refused(f"{key}: got {shown(value)}, expected true or false", key, "invalid_type")
    return value


def whole(body: Mapping[str, Any], key: str, low: int = 1, high: int = MOST_TOKENS) -> int | None:
    """A whole number within bounds; None: it is not given."""
    value = body.get(key)
    if value is None:
        return None
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    if isinstance(value, bool) or not isinstance(value, int) or not low <= value <= high:
        raise Refused(f"{key}: got {shown(value)}, expected a whole number from {low} to {high}", key)
    return value


def mapping(body: Mapping[str, Any], key: str) -> Mapping[str, Any]:
    """An object; an empty one if it is not given."""
    value = body.get(key)
    if value is None:
        return {}
    if not isinstance(value, dict):
        raise Refused(f"{key}: got {shown(value)}, expected an object", key, "invalid_type")
    return value


def sequence(body: Mapping[str, Any], key: str) -> Sequence[Any]:
    """A list; an empty one if it is not given."""
    value = body.get(key)
    if value is None:
        return ()
    if not isinstance(value, list):
        raise Refused(f"{key}: got {shown(value)}, expected a list", key, "invalid_type")
    return value


def metadata(body: Mapping[str, Any]) -> dict[str, str]:
    """The client's own keys, as many as the protocols allow."""
    values = mapping(body, "metadata")
    for key, value in values.items():
        if not isinstance(value, str):
            raise Refused(f"metadata.{key}: got {shown(value)}, expected a text", f"metadata.{key}", "invalid_type")
    if len(values) > MOST_KEYS:
        raise Refused(f"metadata: got {len(values)} keys, expected at most {MOST_KEYS}", "metadata")
    return dict(values)
