"""Azure LLM inference traces: one row per request with its arrival and sizes; open loop, no sessions, no prefixes.

Format: Azure/AzurePublicDataset, AzureLLMInferenceTrace_*.csv, of 2023 and 2024.
"""

from __future__ import annotations

import re
from itertools import islice

import numpy as np
from numpy.typing import NDArray

from .csvtable import Row, csv_rows
from .parsed import OpenLoop
from .source import Source

__all__ = ["COLUMNS", "read_azure"]

Int64 = NDArray[np.int64]

COLUMNS = ("TIMESTAMP", "ContextTokens", "GeneratedTokens")
#: Rows converted at a time.
BATCH = 1 << 16
#: numpy reads no zones, and years beyond its nanoseconds wrap around.
_TIME = re.compile(r"((?:19|20)\d\d-\d\d-\d\d[ T]\d\d:\d\d:\d\d(?:\.\d{1,9})?)(?:Z|\+00:00)?", re.ASCII)
EXPECTED_TIME = "a time like 2023-11-16 18:17:03.9799600"


def read_azure(source: Source) -> OpenLoop:
    """Requests of an Azure trace; times count from the first one.

    The file of the coding service has `code` in its name, as published, and its requests are of kind `coding`.

    Raises:
        InputError: a broken row, a size of 0, times that go back.
    """
    rows = csv_rows(source, COLUMNS)
    times: list[Int64] = []
    prompts: list[NDArray[np.int32]] = []
    outputs: list[NDArray[np.int32]] = []
    while batch := list(islice(rows, BATCH)):
        times.append(_times(batch))
        prompts.append(np.array([row.tokens("ContextTokens", 1) for row in batch], np.int32))
        outputs.append(np.array([row.tokens("GeneratedTokens", 1) for row in batch], np.int32))
        _check_order(batch, times)
    time = np.concatenate(times)
    return OpenLoop(
        name=source.name,
        kind="coding" if "code" in source.path.name.lower() else "request",
        start_ns=time - time[0],
        prompt_tokens=np.concatenate(prompts),
        output_tokens=np.concatenate(outputs),
    )


def _times(batch: list[Row]) -> Int64:
    """Nanoseconds since 1970; all times are UTC."""
    texts = []
    for row in batch:
        match = _TIME.fullmatch(row.text("TIMESTAMP"))
        if match is None:
            raise row.error("TIMESTAMP", row.text("TIMESTAMP"), EXPECTED_TIME)
        texts.append(match[1])
    try:
        return np.array(texts, "datetime64[ns]").view(np.int64)
    except ValueError:
        row = next(row for row, text in zip(batch, texts, strict=True) if not _is_time(text))
        raise row.error("TIMESTAMP", row.text("TIMESTAMP"), EXPECTED_TIME) from None


def _is_time(text: str) -> bool:
    try:
        np.datetime64(text, "ns")
    except ValueError:
        return False
    return True


def _check_order(batch: list[Row], times: list[Int64]) -> None:
    column = times[-1]
    before = times[-2][-1:] if len(times) > 1 else column[:1]
    back = np.flatnonzero(np.diff(column, prepend=before) < 0)
    if len(back):
        row = batch[int(back[0])]
        raise row.error("TIMESTAMP", row.text("TIMESTAMP"), "times that never go back")
