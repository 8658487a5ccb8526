"""Typed rows from JSON lines, decoded block by block; a broken row is named by line, field and value."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Annotated, TypeVar

import msgspec

from subsecond.engine.errors import InputError

from .source import Source, shown

__all__ = ["MAX_TOKENS", "Output", "Prompt", "Size", "decode_document", "fault_of", "json_blocks", "json_rows"]

T = TypeVar("T")

#: Largest prompt or output: about a hundred times the longest context window on offer.
MAX_TOKENS = 10_000_000

Prompt = Annotated[int, msgspec.Meta(ge=1, le=MAX_TOKENS)]
Output = Annotated[int, msgspec.Meta(ge=1, le=MAX_TOKENS)]
#: A number of tokens that may be 0.
Size = Annotated[int, msgspec.Meta(ge=0, le=MAX_TOKENS)]

_MISSING = re.compile(r"missing required field `(?P<field>[^`]+)`")
#: What other programs write for numbers that JSON does not have.
_NOT_FINITE = re.compile(rb'"(?P<field>[^"]+)"\s*:\s*(?P<value>-?(?:NaN|nan|Infinity|inf))\b')
_UNKNOWN = re.compile(r"unknown field `(?P<field>[^`]+)`")
_PATH = re.compile(r" - at `\$\.?(?P<path>.*)`$")


def json_blocks(source: Source, decoder: msgspec.json.Decoder[T]) -> Iterator[tuple[int, list[T]]]:
    """Lists of rows with the number of the block's first line.

    Raises:
        InputError: a line that is no JSON or not of the decoder's type, see also `Source.line_blocks`.
    """
    for first, block in source.line_blocks():
        try:
            rows = decoder.decode_lines(block)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
            raise _located(source, first, block, decoder, error) from None
        if rows:
            yield first, rows


def json_rows(source: Source, decoder: msgspec.json.Decoder[T]) -> Iterator[tuple[int, T]]:
    """Rows one by one, with their line numbers; for small formats."""
    for number, line in source.lines():
        try:
            yield number, decoder.decode(line)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
            raise fault_of(source.at(number), line, error) from None


def decode_document(source: Source, text: bytes, decoder: msgspec.json.Decoder[T]) -> T:
    """A whole file of JSON."""
    try:
        return decoder.decode(text)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise fault_of(source.name, text, error) from None


def fault_of(where: str, line: bytes, error: Exception) -> InputError:
    """What is wrong with a line that a decoder refused."""
    message = str(error)
    if not isinstance(error, msgspec.ValidationError):
        odd = _NOT_FINITE.search(line)
        if odd:
            return InputError(where, odd["field"].decode("utf-8", "replace"), odd["value"].decode(), "a finite number")
        return InputError(where, "", shown(line), f"JSON ({message})")
    located = _PATH.search(message)
    path = located["path"] if located else ""
    plain = _PATH.sub("", message)
    missing = _MISSING.search(plain)
    if missing:
        field = f"{path}.{missing['field']}" if path else missing["field"]
        return InputError(where, field, "nothing", "this field in every row")
    unknown = _UNKNOWN.search(plain)
    if unknown:
        return InputError(where, unknown["field"], shown(line), "no field of this name")
    return InputError(where, path, _value_at(line, path), _expected(plain))


def _expected(message: str) -> str:
    """A decoder's expectation in words of a trace's user."""
    if "out of range" in message:
        return "numbers that fit into 64 bits"
    words = message.removeprefix("Expected ").replace("`", "")
    for name, meaning in (("int", "a whole number"), ("float", "a number"), ("str", "a text"), ("array", "a list")):
        words = re.sub(rf"^{name}\b", meaning, words)
    return words


def _value_at(line: bytes, path: str) -> object:
    """The value that a decoder's path points to; the line's start if it cannot be followed."""
    try:
        value = msgspec.json.decode(line)
        for step in re.findall(r"\[(\d+)\]|([^.\[\]]+)", path):
            value = value[int(step[0])] if step[0] else value[step[1]]
    except (msgspec.DecodeError, UnicodeDecodeError, LookupError, TypeError, RecursionError):
        return shown(line)
    return value


def _located(
    source: Source, first: int, block: bytes, decoder: msgspec.json.Decoder[T], error: Exception
) -> InputError:
    for offset, line in enumerate(block.split(b"\n")):
        text = line.strip()
        if not text:
            continue
        try:
            decoder.decode(text)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as found:
            return fault_of(source.at(first + offset), text, found)
    return InputError(source.at(first), "", shown(block), f"one JSON object per line ({error})")
