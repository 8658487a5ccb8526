"""Mooncake traces: one JSON object per request with its arrival, sizes and the hashes of its 512-token prefix blocks.

Format: kvcache-ai/Mooncake, FAST25-release. Requests arrive when the trace says so (open loop).
"""

from __future__ import annotations

from itertools import chain
from typing import Annotated

import msgspec
import numpy as np
from numpy.typing import NDArray

from subsecond.engine.errors import InputError

from .jsonlines import Output, Prompt, json_blocks
from .parsed import OpenLoop
from .prefix import Ids
from .source import Source

__all__ = ["BLOCK_TOKENS", "read_mooncake"]

Int64 = NDArray[np.int64]

BLOCK_TOKENS = 512
NS_PER_MS = 1e6
#: Latest arrival; what the core's clock can hold is checked after the time scale.
MAX_MS = 1e13

KIND = "request"


class Row(msgspec.Struct, gc=False):
    """One request; other fields are passed over."""

    timestamp: Annotated[float, msgspec.Meta(ge=0, le=MAX_MS)]
    input_length: Prompt
    output_length: Output
    hash_ids: list[int] = []


def read_mooncake(source: Source) -> OpenLoop:
    """Requests of a Mooncake trace.

    Raises:
        InputError: a broken row, times that go back, more blocks than the prompt has.
    """
    times: list[NDArray[np.float64]] = []
    prompts, outputs, counts = [], [], []
    ids: list[Ids] = []
    for _, rows in json_blocks(source, msgspec.json.Decoder(Row)):
        n = len(rows)
        times.append(np.fromiter([row.timestamp for row in rows], np.float64, n))
        prompts.append(np.fromiter([row.input_length for row in rows], np.int32, n))
        outputs.append(np.fromiter([row.output_length for row in rows], np.int32, n))
        blocks = [row.hash_ids for row in rows]
        counts.append(np.fromiter(map(len, blocks), np.int64, n))
        ids.append(_ids(blocks))
    time_ms, prompt = np.concatenate(times), np.concatenate(prompts)
    _check_order(source, time_ms)
    joined = np.concatenate(ids)
    del ids
    offsets, block_ids = _trimmed(source, prompt, np.concatenate(counts), joined)
    return OpenLoop(
        name=source.name,
        kind=KIND,
        start_ns=np.rint(time_ms * NS_PER_MS).astype(np.int64),
        prompt_tokens=prompt,
        output_tokens=np.concatenate(outputs),
        offsets=offsets,
        block_ids=block_ids,
        block_tokens=BLOCK_TOKENS,
    )


def _ids(blocks: list[list[int]]) -> Ids:
    flat = list(chain.from_iterable(blocks))
    try:
        wide = np.array(flat, np.int64)
    except OverflowError:  # unsigned 64-bit hashes: only equality counts
        return np.array([hash_id & (2**64 - 1) for hash_id in flat], np.uint64).view(np.int64)
    # the ids are most of a trace: 4 bytes each where they fit
    narrow = wide.astype(np.int32)
    return narrow if bool((narrow == wide).all()) else wide


def _check_order(source: Source, time_ms: NDArray[np.float64]) -> None:
    back = np.flatnonzero(np.diff(time_ms) < 0)
    if len(back):
        row = int(back[0]) + 1
        raise InputError(
            source.at(source.line_of_row(row)),
            "timestamp",
            f"{time_ms[row]:g}",
            f"times that never go back (the line before has {time_ms[row - 1]:g})",
        )


def _trimmed(source: Source, prompt: NDArray[np.int32], counts: Int64, ids: Ids) -> tuple[Int64, Ids]:
    """Offsets and ids without a block that begins where the prompt ends."""
    offsets = np.concatenate(([0], np.cumsum(counts)))
    whole = (prompt + (BLOCK_TOKENS - 1)) // BLOCK_TOKENS
    over = counts - whole
    if not (over > 0).any():
        return offsets, ids
    if (over > 1).any():
        row = int((over > 1).argmax())
        raise InputError(
            source.at(source.line_of_row(row)),
            "hash_ids",
            f"{counts[row]} blocks for {prompt[row]} tokens",
            f"at most one block per {BLOCK_TOKENS} tokens of input_length",
        )
    kept = np.ones(len(ids), bool)
    kept[offsets[1:][over > 0] - 1] = False
    counts = counts - (over > 0)
    return np.concatenate(([0], np.cumsum(counts))), ids[kept]
