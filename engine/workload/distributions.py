"""Draws of whole numbers: fast, and the same bytes on every machine.

A distribution is a table of its inverse cumulative distribution at equally spaced probabilities, held in integers.
A draw takes 30 random bits: the upper ones choose a cell, the lower ones interpolate inside it. Drawing therefore
needs no logarithm and no exponential, whose last digits differ between machines; building a table needs only
operations that IEEE 754 rounds exactly (and `math.log` for the exponential, rounded to integers far above its error).

Each subsystem draws from its own stream, derived from the run's seed and a number that belongs to its name for good:
more draws in one leave the others untouched.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

__all__ = [
    "STREAMS",
    "Table",
    "choices",
    "draw_mixture",
    "exponential",
    "geometric",
    "poisson_arrivals",
    "quantiles",
    "raw_bits",
    "stream",
    "uniform",
]

Int64 = NDArray[np.int64]
Bool = NDArray[np.bool_]

#: Number of each subsystem's stream. A number is never given to another name: old seeds keep their meaning.
STREAMS = {
    "coding.arrivals": 1,
    "coding.session_steps": 2,
    "coding.task_steps": 3,
    "coding.first_prompt": 4,
    "coding.growth": 5,
    "coding.output": 6,
    "coding.tools": 7,
    "coding.users": 8,
    "coding.breaks": 9,
    "coding.compaction": 10,
    "coding.subagents": 11,
    "subagent.steps": 12,
    "coding.user_growth": 13,
    "coding.task_output": 14,
    "coding.resumed": 15,
    "coding.resumed_prompt": 16,
    "coding.compacted_prompt": 17,
    "coding.break_point": 18,
    "coding.subagents_together": 19,
    "coding.tool_kind": 20,
    "subagent.tools": 21,
    "subagent.tool_kind": 22,
    "subagent.growth": 23,
    "subagent.output": 24,
    "subagent.task_output": 25,
    "subagent.first_prompt": 26,
    "subagent.compaction": 27,
    "subagent.compacted_prompt": 28,
    "subagent.breaks": 29,
    "subagent.break_point": 30,
    "coding.resumed_steps": 31,
    "coding.start_growth": 60,
    "coding.goes_on": 61,
    "voice.arrivals": 32,
    "voice.turns": 33,
    "voice.requests": 34,
    "voice.utterance": 35,
    "voice.reply": 36,
    "voice.tools": 37,
    "voice.pause": 38,
    "voice.barge_in": 39,
    "voice.endpointing": 40,
    "voice.speech_to_text": 41,
    "voice.text_to_speech": 42,
    "voice.network": 43,
    "voice.downlink": 44,
    "voice.tool_calls": 45,
    "voice.tool_call_tokens": 46,
    "voice.tool_result": 47,
    "voice.listening": 48,
    "voice.yield": 49,
    "voice.first_sentence": 50,
    "trace.sample": 64,
    "trace.starts": 65,
    "live.arrivals": 66,
    "steady": 67,
}

CELL_BITS = 14
PART_BITS = 16
CELLS = 1 << CELL_BITS
#: Largest value in a table: one cell's height times a part must fit into 63 bits.
MAX_VALUE = 1 << 46

#: Halvings of a quantile table's segments; 2^4 straight pieces follow a curve in log space to about 0.1 %.
HALVINGS = 4


def stream(seed: int, name: str) -> np.random.Generator:
    """The random stream of one subsystem.

    Raises:
        KeyError: the subsystem has no number in `STREAMS`.
        ValueError: a negative seed.
    """
    return np.random.Generator(np.random.PCG64(np.random.SeedSequence(seed, spawn_key=(STREAMS[name],))))


def raw_bits(generator: np.random.Generator, count: int) -> NDArray[np.uint32]:
    """32 random bits per item, straight from the bit generator, whose stream numpy promises never to change."""
    # two items per 64 bits; a stream that is read on starts at a whole one
    bits: NDArray[np.uint32] = generator.bit_generator.random_raw((count + 1) // 2).view(np.uint32)[:count]
    return bits


@dataclass(frozen=True, slots=True, eq=False)
class Table:
    """Inverse distribution at the probabilities k / 2^14.

    Attributes:
        nodes: [CELLS + 1] values in the distribution's unit, ascending, in [0, MAX_VALUE].
    """

    nodes: Int64

    def __post_init__(self) -> None:
        if len(self.nodes) != CELLS + 1 or self.nodes[0] < 0 or self.nodes[-1] > MAX_VALUE:
            raise ValueError(f"a table needs {CELLS + 1} values from 0 to {MAX_VALUE}")
        if (np.diff(self.nodes) < 0).any():
            raise ValueError("a table must ascend")

    def draw(self, generator: np.random.Generator, count: int) -> Int64:
        """`count` independent values."""
        low = int(self.nodes[0])
        if low == int(self.nodes[-1]):
            return np.full(count, low, np.int64)
        return self._at(_bits(generator, count))

    def _at(self, bits: NDArray[np.int32]) -> Int64:
        """Values at the probabilities `bits / 2^30`."""
        cell = bits >> PART_BITS
        part = (bits & ((1 << PART_BITS) - 1)).astype(np.int64)
        part *= np.diff(self.nodes)[cell]
        part += 1 << (PART_BITS - 1)
        part >>= PART_BITS
        part += self.nodes[cell]
        return part

    def quantile(self, probability: float) -> int:
        """Value at a probability in [0, 1], to the next node below."""
        return int(self.nodes[int(probability * CELLS)])

    def mean(self) -> float:
        """Mean of the draws."""
        return float((self.nodes[1:] + self.nodes[:-1]).sum()) / (2 * CELLS)


def _bits(generator: np.random.Generator, count: int) -> NDArray[np.int32]:
    return (raw_bits(generator, count) >> (32 - CELL_BITS - PART_BITS)).view(np.int32)


def draw_mixture(tables: Sequence[Table], kind: Int64, generator: np.random.Generator) -> Int64:
    """One value per item of `kind`, from the table of that number.

    An item takes the same random bits from whichever table, so that it keeps its luck when its kind changes.
    """
    bits = _bits(generator, len(kind))
    values = np.empty(len(kind), np.int64)
    for number, table in enumerate(tables):
        at = np.flatnonzero(kind == number)
        values[at] = table._at(bits[at])
    return values


def quantiles(points: Sequence[tuple[float, float]], scale: float = 1.0) -> Table:
    """Table through known quantiles.

    Between two of them the curve is straight in log space (which is what long-tailed times and sizes look like), and
    straight in plain space where the lower value is 0.

    Args:
        points: (probability, value), both ascending; before the first and after the last the curve is flat.
        scale: factor from the unit of the values to the table's.
    """
    if not points:
        raise ValueError("a quantile table needs at least one point")
    curve = list(points)
    if curve[0][0] > 0.0:
        curve.insert(0, (0.0, curve[0][1]))
    if curve[-1][0] < 1.0:
        curve.append((1.0, curve[-1][1]))
    if any(b[0] <= a[0] or b[1] < a[1] for a, b in itertools.pairwise(curve)):
        raise ValueError(f"quantiles must ascend, got {points}")
    for _ in range(HALVINGS):
        curve = _halved(curve)
    x = np.array([p for p, _ in curve])
    y = np.array([v for _, v in curve])
    at = np.arange(CELLS + 1) / CELLS
    left = np.clip(np.searchsorted(x, at, side="right") - 1, 0, len(x) - 2)
    # one operation per statement: fused multiply-add would round differently on some machines
    weight = (at - x[left]) / (x[left + 1] - x[left])
    rise = (y[left + 1] - y[left]) * weight
    value = (y[left] + rise) * scale
    return Table(np.rint(value).astype(np.int64))


def _halved(curve: list[tuple[float, float]]) -> list[tuple[float, float]]:
    finer = curve[:1]
    for (p, v), (q, w) in itertools.pairwise(curve):
        middle = math.sqrt(v) * math.sqrt(w) if v > 0 else (v + w) / 2
        finer += [((p + q) / 2, min(max(middle, v), w)), (q, w)]
    return finer


def exponential(mean: int) -> Table:
    """Exponential distribution with a mean >= 1 in the table's unit."""
    nodes = [round(-mean * math.log(1 - k / CELLS)) for k in range(CELLS)]
    # the last cell is straight: its middle lies at the mean of what an exponential has beyond that point
    nodes.append(nodes[-1] + 2 * mean)
    return Table(np.array(nodes, np.int64))


def geometric(generator: np.random.Generator, count: int, mean: float, most: int = 1000) -> Int64:
    """Draws from 1, 2, 3, ... with chance (1 - 1/mean) to go on after each; none above `most`.

    Args:
        mean: >= 1, before the cut at `most`.
    """
    if mean < 1 or most < 1:
        raise ValueError(f"a geometric count has a mean >= 1, got {mean}, and a limit >= 1, got {most}")
    going_on = 1 - 1 / mean
    rest = 1.0
    edges: list[int] = []
    while len(edges) < most - 1 and rest > 2.0**-32:
        rest *= going_on
        edges.append(math.ceil((1 - rest) * (1 << 32)))
    draws = raw_bits(generator, count).astype(np.int64)
    return np.searchsorted(np.array(edges, np.int64), draws, side="right").astype(np.int64) + 1


def choices(generator: np.random.Generator, count: int, share: float) -> Bool:
    """True with probability `share` in [0, 1], to 1/2^32."""
    if not 0 <= share <= 1:
        raise ValueError(f"a share lies in [0, 1], got {share}")
    return raw_bits(generator, count).astype(np.int64) < round(share * (1 << 32))


def uniform(generator: np.random.Generator, count: int, end: int) -> Int64:
    """Draws from 0 to below `end` (or 0, if that is 0), `end` in [0, 2^60], in steps of `end / 2^30`."""
    draws = _bits(generator, count).astype(np.int64)
    # draws * end / 2^30 in two parts that fit into 63 bits
    high, low = end >> 30, end & ((1 << 30) - 1)
    return draws * high + (draws * low >> 30)


def poisson_arrivals(generator: np.random.Generator, count: int, rate_per_s: float) -> Int64:
    """Times in ps of the first `count` arrivals of a Poisson process, ascending.

    Args:
        rate_per_s: in [1e-3, 1e8]; `count / rate_per_s` of at most 2e6 s fits.
    """
    gaps = exponential(round(1e12 / rate_per_s) if rate_per_s > 1e3 else round(1e9 / rate_per_s))
    draws = gaps.draw(generator, count)
    times = np.cumsum(draws)
    return times if rate_per_s > 1e3 else times * 1000
