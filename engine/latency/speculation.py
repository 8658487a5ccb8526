"""Speculative decoding: tokens kept per step, by draft length."""

from __future__ import annotations

import re

from subsecond.engine.catalog import Catalog
from subsecond.engine.errors import InputError

__all__ = ["LONGEST_DRAFT", "draft_length", "kept_tokens"]

#: Longest draft of the measured tables.
LONGEST_DRAFT = 8


def kept_tokens(catalog: Catalog, draft_tokens: int, table: str = "default") -> float:
    """Tokens a step keeps on average when `draft_tokens` are guessed, the one that is always right included.

    Raises:
        InputError: unknown table, or a draft longer than any measured.

    Source: InferenceX acceptance lengths on coding prompts (catalog, speculation), k = 1 to 8.
    """
    if draft_tokens == 0:
        return 1.0
    if not 0 <= draft_tokens <= LONGEST_DRAFT:
        raise InputError("speculation", "draft_tokens", draft_tokens, f"0 to {LONGEST_DRAFT}")
    return catalog.entry("speculation", table).number(f"k{draft_tokens}")


def draft_length(words: str) -> int | None:
    """Draft length from words such as "MTP k=3"; 0 for "none", None if they do not say.

    A draft whose length is unknown is not None: see `is_speculative`.
    """
    text = words.strip().lower()
    if text in ("none", "off", "no", "0", "false", "n/a"):
        return 0
    found = re.search(r"(?:\bk|tokens)\s*=\s*(\d+)|\bmtp[ -]?(\d+)\b|\b(\d+) (?:draft|guessed|speculative)", text)
    return min(int(next(filter(None, found.groups()))), LONGEST_DRAFT) if found else None
