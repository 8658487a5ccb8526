"""What a map shows, in sentences."""

from __future__ import annotations

from collections.abc import Iterator

from subsecond.engine.findings import counted

from .map import FlipMap

__all__ = ["map_sentences"]


def map_sentences(found: FlipMap) -> Iterator[str]:
    """Who keeps the budget in how many cells, and up to how many sessions each pipeline does."""
    counts = {
        who: sum(cell.who == who for row in found.cells for cell in row)
        for who in ("both", "first", "second", "neither")
    }
    total = sum(counts.values())
    first, second = found.lanes
    names = {"both": "both", "first": f"{first} alone", "second": f"{second} alone", "neither": "neither"}
    words = ", ".join(f"{names[who]} in {count}" for who, count in counts.items() if count)
    yield f"Of {counted(total, 'cell')}, {words}."
    for number, name in enumerate(found.lanes):
        yield f"{name} keeps it {_reach(found, number)}."


def _reach(found: FlipMap, number: int) -> str:
    """The most sessions with which a pipeline keeps the budget, row by row."""
    parts = []
    for tokens, row in zip(found.mean_prompts, found.cells, strict=True):
        kept = [
            sessions
            for sessions, cell in zip(found.question.sessions, row, strict=True)
            if (cell.first, cell.second)[number].is_kept
        ]
        parts.append(f"{max(kept):,} at {tokens:,.0f} tokens" if kept else f"none at {tokens:,.0f}")
    return "with up to " + ", ".join(parts) if any("at" in p and "none" not in p for p in parts) else "nowhere"
