"""Items as clients write them, made into items of a conversation."""

from __future__ import annotations

import binascii
import hashlib
from typing import TypeVar

from .reading import Refused
from .realtime_items import Conversation, Item, Part
from .realtime_requests import ItemGiven, PartGiven
from .sound_formats import SoundFormat

__all__ = ["decoded_sound", "read_input", "read_item"]

T = TypeVar("T")

#: A part of a message by the role that says it; clients mix them up.
BY_ROLE = {
    "text": {"user": "input_text", "system": "input_text", "assistant": "output_text"},
    "audio": {"user": "input_audio", "system": "input_audio", "assistant": "output_audio"},
}


def decoded_sound(audio: str, param: str) -> bytes:
    """Bytes of base64.

    Raises:
        Refused: it is none.
    """
    try:
        return binascii.a2b_base64(audio, strict_mode=bool(audio))
    except ValueError as error:
        raise Refused(f"audio is no base64: {error}", param) from None


def read_item(given: ItemGiven, ident: str, sound: SoundFormat, param: str = "item") -> Item:
    """An item of a conversation.

    Args:
        ident: its id if the client gives none.
        sound: format of the audio in it.
        param: what refusals call it.

    Raises:
        Refused: a field that its type needs is not there.
    """
    ident = given.id or ident
    if given.type == "message":
        role = _needed(given.role, f"{param}.role")
        parts = _needed(given.content, f"{param}.content")
        return Item(
            ident,
            "message",
            role,
            parts=[_read_part(part, role, sound, f"{param}.content[{place}]") for place, part in enumerate(parts)],
        )
    if given.type == "function_call":
        return Item(
            ident,
            "function_call",
            "assistant",
            name=_needed(given.name, f"{param}.name"),
            call_id=given.call_id or f"call_{ident}",
            arguments=_needed(given.arguments, f"{param}.arguments"),
        )
    if given.type == "function_call_output":
        return Item(
            ident,
            "function_call_output",
            "tool",
            call_id=_needed(given.call_id, f"{param}.call_id"),
            output=_needed(given.output, f"{param}.output"),
        )
    raise Refused("an item refers to another one only in `response.input`", f"{param}.type")


def read_input(given: list[ItemGiven], known: Conversation, sound: SoundFormat) -> list[Item]:
    """Items that one response takes instead of the conversation's.

    Raises:
        Refused: one that cannot be read, or refers to an item that is not there.
    """
    items = []
    for place, one in enumerate(given):
        param = f"response.input[{place}]"
        if one.type == "item_reference":
            found = known.find(_needed(one.id, f"{param}.id"))
            if found is None:
                raise Refused(f"no item {one.id!r}", f"{param}.id")
            items.append(found)
        else:
            items.append(read_item(one, f"item_{place}", sound, param))
    return items


def _needed(value: T | None, param: str) -> T:
    if value is None:
        raise Refused(f"{param} is missing", param, "missing_required_parameter")
    return value


def _read_part(given: PartGiven, role: str, sound: SoundFormat, param: str) -> Part:
    if given.type == "input_image":
        if role != "user":
            raise Refused("only a user's message holds images", f"{param}.type")
        url = _needed(given.image_url, f"{param}.image_url")
        return Part("input_image", digest=_digest(url.encode(errors="replace")), image=(url, given.detail or "auto"))
    is_audio = given.type.endswith("audio")
    if is_audio and role == "system":
        raise Refused("a system message is text", f"{param}.type")
    kind = BY_ROLE["audio" if is_audio else "text"][role]
    if not is_audio:
        return Part(kind, given.text if given.text is not None else given.transcript or "")
    data = decoded_sound(given.audio or "", f"{param}.audio")
    text = given.transcript if given.transcript is not None else given.text
    return Part(kind, text, sound.length_ms(len(data)), _digest(data) if data else b"")


def _digest(data: bytes) -> bytes:
    return hashlib.blake2b(data, digest_size=16).digest()
