"""Moving KV between machines: `t = submits + bytes / rate`.

The rate is the line's share that transfers reach, or the rate of messages times their size where blocks are small
(97 GB/s with 64 KB blocks on p5en, 366 with 2 MB). Every layer is submitted by itself: that is the fixed time.
"""

from __future__ import annotations

from dataclasses import dataclass

from subsecond.engine.catalog import Entry
from subsecond.engine.latency.model import ModelShape

__all__ = ["Fabric", "fabric", "moved_bytes"]


@dataclass(frozen=True, slots=True)
class Fabric:
    """A way between two machines, SI units.

    Attributes:
        line_bytes_s, efficiency: line rate per direction, share of it that large transfers reach.
        submit_s, layer_submit_s: fixed time of a transfer, and per layer.
        messages_s: most messages per second, all NICs together.
    """

    name: str
    label: str
    line_bytes_s: float
    efficiency: float
    submit_s: float
    layer_submit_s: float
    messages_s: float

    def rate_bytes_s(self, block_bytes: float) -> float:
        """Rate with blocks of that size."""
        return min(self.line_bytes_s * self.efficiency, self.messages_s * block_bytes)

    def fixed_s(self, layers: int) -> float:
        """Time before the first byte counts."""
        return self.submit_s + layers * self.layer_submit_s

    def seconds(self, num_bytes: float, layers: int, block_bytes: float = 1e6) -> float:
        """One transfer alone on the way."""
        return self.fixed_s(layers) + num_bytes / self.rate_bytes_s(block_bytes)


def fabric(entry: Entry) -> Fabric:
    """The way of a catalog link.

    Raises:
        InputError: the link has no line rate.
    """
    return Fabric(
        name=entry.name,
        label=entry.label,
        line_bytes_s=entry.number("line_rate"),
        efficiency=entry.number("efficiency"),
        submit_s=entry.number("submit_us", 1e-4),
        layer_submit_s=entry.number("layer_submit_us", 15e-6),
        messages_s=entry.number("messages_per_s", 1.45e6),
    )


def moved_bytes(model: ModelShape, tokens: float, kv_bytes: float, ranks: int) -> float:
    """KV bytes on the wire for `tokens` when `ranks` tensor-parallel ranks each send what they hold.

    With more ranks than KV heads the heads are replicated and sent more than once (Qwen3-235B at TP8 moves twice its
    KV); a latent (MLA) is sent once, by one rank.
    """
    copies = 1.0 if model.latent_attention else max(1.0, ranks / model.kv_heads)
    return model.kv_bytes(tokens, kv_bytes) * copies
