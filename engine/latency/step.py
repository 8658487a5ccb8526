"""Duration of one iteration on accelerators with HBM (GPUs, Trainium): prefill chunks and decode tokens together.

    step = fixed + dense(k) + experts(k) + collectives(k) + attention        [s]

for `k` tokens in the iteration, kernels taken one after the other:
- `fixed`: per layer, what no hardware removes; at least the host's launches.
- `dense`, `experts`: matrix products, the longer of computing (`2*weights*k / rate`) and reading the weights, plus the
  part of the shorter that does not hide behind it. Of the experts only those are read that the batch touches.
- `collectives`: tensor parallelism all-reduces the activations twice per layer, expert parallelism sends each token to
  its experts and back.
- `attention`: reading the KV of the decoding requests, and in prefill the longer of the pairs' FLOPs and reading.

The same sum with the same names fills the tables of the integer core (`core_cost.py`).
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from subsecond.engine.errors import InputError
from subsecond.engine.latency.chip import Chip, Stack
from subsecond.engine.latency.model import ModelShape, WeightFormat

__all__ = ["Deployment", "Layout"]

Floats = NDArray[np.float64]
FloatOrFloats = TypeVar("FloatOrFloats", float, Floats)
#: Chunks that one prefill is reckoned in at most; a prompt of more is cut coarser.
_MOST_CHUNKS = 1 << 16
#: Further small operations of a layer, counted in the public implementations of DeepSeek-V3 and Qwen3-Next.
_LATENT_OPERATIONS = 8
_RECURRENT_OPERATIONS = 6
_SHARED_OPERATIONS = 4
#: Activations are exchanged in 16 bits; expert parallelism sends them out in 8 and takes them back in 16.
_ACTIVATION_BYTES = 2.0
_DISPATCH_BYTES = 3.0


@dataclass(frozen=True, slots=True)
class Layout:
    """How one model copy is spread over devices.

    Attributes:
        devices: of the copy.
        data_parallel_attention: every device attends for its own requests and holds all weights but the experts,
            which are spread over all devices (DEP); otherwise everything is split (tensor parallelism).
        stages: groups of layers on devices of their own, one after the other, with one batch under way: memory of
            all, speed of one stage's devices.
    """

    devices: int
    data_parallel_attention: bool = False
    stages: int = 1

    @property
    def ranks(self) -> int:
        """Devices that work at the same time."""
        return self.devices // self.stages


@dataclass(frozen=True)
class Deployment:
    """A model served by a stack on a group of chips. `kv_bytes` is per element."""

    model: ModelShape
    weights: WeightFormat
    kv_bytes: float
    chip: Chip
    stack: Stack
    layout: Layout

    def __post_init__(self) -> None:
        if self.layout.devices < 1 or self.layout.stages < 1 or self.layout.devices % self.layout.stages:
            raise InputError("layout", "devices", self.layout.devices, "at least one device per pipeline stage")

    # ---- memory -------------------------------------------------------------------------------------------------

    @cached_property
    def kv_copies(self) -> float:
        """How many devices of the group hold the same KV: tensor parallelism beyond the KV heads replicates them, and
        a latent (MLA) cannot be split at all.
        """
        if self.layout.data_parallel_attention:
            return 1.0
        heads = 1 if self.model.latent_attention else self.model.kv_heads
        return max(1.0, self.layout.ranks / heads)

    @cached_property
    def weight_bytes_per_device(self) -> float:
        total = self.model.weight_bytes(self.weights)
        if not self.layout.data_parallel_attention:
            return total / self.layout.devices
        routed = self.model.routed_params * self.weights.expert_bytes
        return (total - routed) + routed / self.layout.devices

    @cached_property
    def kv_room_bytes(self) -> float:
        """Memory of the group that is left for KV, replicas counted once; negative: the weights do not fit."""
        free = self.chip.memory_bytes * self.stack.memory_share - self.weight_bytes_per_device
        return free * self.layout.devices / self.kv_copies

    # ---- parts of an iteration ----------------------------------------------------------------------------------

    @cached_property
    def fixed_s(self) -> float:
        """What an iteration takes at least: launches and small memory-bound operations, layer by layer.

        Latent attention compresses, expands and absorbs; a recurrent layer convolves, gates and normalises; a shared
        expert is a small feed-forward layer of its own. Each is so many further operations.
        """
        m, s = self.model, self.stack
        further = m.layers * _LATENT_OPERATIONS if m.latent_attention else m.recurrent_layers * _RECURRENT_OPERATIONS
        further += m.moe_layers * _SHARED_OPERATIONS if m.shared_experts else 0
        layers = (m.layers - m.moe_layers) * s.layer_s + m.moe_layers * s.expert_layer_s
        return layers + further * s.operation_s

    def _mixed(self, one: Floats, other: Floats) -> Floats:
        """Two things that overlap in part."""
        return np.maximum(one, other) + (1.0 - self.stack.overlap) * np.minimum(one, other)

    def products_s(self, tokens: Floats) -> Floats:
        """Matrix products of an iteration with `tokens` tokens [same shape], weights read or computed with."""
        m, n = self.model, self.layout.ranks
        rate = self.chip.dense_flops_s(self.weights.precision) * self.stack.utilisation_factor
        compute = 2.0 * m.always_params * tokens / (n * rate)
        shards = 1 if self.layout.data_parallel_attention else n
        read = m.always_params * self.weights.dense_bytes / (shards * self.chip.read_bytes_s)
        total = self._mixed(compute, np.full_like(tokens, read))
        if m.experts:
            rate = self.chip.expert_flops_s(self.weights.precision) * self.stack.utilisation_factor
            touched = 1.0 - (1.0 - m.experts_per_token / m.experts) ** tokens
            busiest = self.stack.expert_imbalance if self.layout.data_parallel_attention else 1.0
            compute = 2.0 * busiest * self._padded_expert_params(tokens, touched) / (n * rate)
            read_experts = touched * m.routed_params * self.weights.expert_bytes / (n * self.chip.read_bytes_s)
            total = total + self._mixed(compute, read_experts)
        return total

    def _padded_expert_params(self, tokens: Floats, touched: Floats) -> Floats:
        """Routed weights times rows that they multiply, the rows that fill up tiles included.

        A grouped product pads the `r` rows of each expert touched by `r*t/(r+t)`: by half a large tile (`t`) when
        there are many, at most as many again when there are few, as kernels then take smaller tiles.
        """
        m, tile = self.model, self.chip.expert_tile_rows
        rows = m.active_expert_params * tokens
        if tile == 0.0:
            return rows
        most = touched * m.routed_params * tile
        return rows + rows * most / np.maximum(rows + most, 1.0)

    def collectives_s(self, tokens: Floats) -> Floats:
        """Exchanges between the devices of the group; none on one device."""
        m, n, s = self.model, self.layout.ranks, self.stack
        if n == 1:
            return np.zeros_like(tokens)
        wire = self.chip.scaleup_bytes_s if n <= self.chip.scaleup_domain else self.chip.scaleout_bytes_s
        if self.layout.data_parallel_attention:
            sent = m.experts_per_token * m.hidden * _DISPATCH_BYTES * (n - 1) / n
            return m.moe_layers * (2.0 * s.collective_s + tokens / n * sent / (wire * s.dispatch_efficiency))
        ring = 2.0 * (n - 1) / n * m.hidden * _ACTIVATION_BYTES
        return 2.0 * m.layers * (s.collective_s + tokens * ring / (wire * s.collective_efficiency))

    def tokens_s(self, tokens: Floats, window_keys: float | Floats | None = None) -> Floats:
        """All of an iteration that depends on its number of tokens alone, attention left out.

        Args:
            window_keys: keys that a token attends to in the window layers on average; None: full windows.
        """
        m, s = self.model, self.stack
        products, exchanged = self.products_s(tokens), self.collectives_s(tokens)
        if self.layout.data_parallel_attention and self.layout.ranks > self.chip.scaleup_domain:
            work = np.maximum(products, exchanged)  # across nodes two micro-batches take turns to compute and to send
        else:
            work = products + exchanged
        keys = m.window if window_keys is None else np.minimum(window_keys, m.window)
        device = self.fixed_s + work + tokens * keys * self._window_pair_s
        if s.handoff_layer_s:
            device = self._mixed(device, np.full_like(tokens, m.layers * s.handoff_layer_s))
        return np.maximum(device, m.layers * s.host_layer_s)

    @cached_property
    def _window_pair_s(self) -> float:
        """Prefill attention per (query, key) pair in the window layers."""
        if not self.model.window_layers:
            return 0.0
        rate = self.chip.attention_flops_s(max(self.model.window, 1))
        return self.model.window_pair_flops / (self.layout.ranks * rate)

    @cached_property
    def kv_token_read_s(self) -> float:
        """Decode attention to one token of context: reading its KV, or computing with it where that takes longer."""
        m, n = self.model, self.layout.ranks
        read = m.kv_token_bytes(self.kv_bytes) * self.kv_copies / (n * self.chip.read_bytes_s)
        compute = m.decode_pair_flops / (n * self.chip.peak_flops["bf16"] * self.chip.attention_utilisation)
        return max(read, compute)

    def kv_read_s(self, context_tokens: float) -> float:
        """Decode attention of one sequence: all its context, its windows as far as they are filled, its state."""
        m = self.model
        windows = m.kv_bytes(context_tokens, self.kv_bytes) - m.kv_token_bytes(self.kv_bytes) * context_tokens
        fixed = windows * self.kv_copies / (self.layout.ranks * self.chip.read_bytes_s)
        return context_tokens * self.kv_token_read_s + fixed

    def pair_s(self, chunk_tokens: FloatOrFloats) -> FloatOrFloats:
        """Prefill attention per (query, key) pair, in chunks of that many tokens."""
        return self.model.pair_flops / (self.layout.ranks * self.chip.attention_flops_s(chunk_tokens))

    # ---- whole iterations ---------------------------------------------------------------------------------------

    def decode_s(self, sequences: float, context_tokens: float, width: float = 1.0) -> float:
        """A decode iteration of `sequences` requests with `context_tokens` each, `width` tokens per request."""
        tokens = np.array([sequences * width])
        kv = sequences * self.kv_read_s(context_tokens)
        return float(self.tokens_s(tokens, 0.0)[0]) + self.sequences_s(sequences) + kv

    def sequences_s(self, sequences: float) -> float:
        """Sampling and bookkeeping of a batch; with data-parallel attention every rank has its own scheduler."""
        ranks = self.layout.devices if self.layout.data_parallel_attention else 1
        return sequences / ranks * self.stack.sequence_s

    def prefill_s(
        self, new_tokens: float, cached_tokens: float = 0.0, chunk_tokens: float = 0.0, pad_to_chunk: bool = False
    ) -> float:
        """Prefill of one prompt alone, chunk by chunk.

        Args:
            new_tokens: to be computed, behind `cached_tokens`.
            chunk_tokens: tokens of an iteration; 0: the stack's token budget.
            pad_to_chunk: a chunk takes as long as a full one (compiled graphs of fixed shape).
        """
        chunk = max(chunk_tokens or float(self.stack.token_budget), new_tokens / _MOST_CHUNKS)
        start = np.arange(0.0, new_tokens, chunk)
        size = np.minimum(chunk, new_tokens - start)
        run = np.full_like(size, chunk) if pad_to_chunk else size
        position = cached_tokens + start
        attention = self.pair_s(run) * (size * position + size * size / 2.0)
        reading = self.kv_token_read_s * (position + size)
        steps = self.tokens_s(run, position + size / 2.0) + np.maximum(attention, reading)
        return float(np.maximum(steps, self.model.layers * self.stack.prefill_host_layer_s).sum())

    @cached_property
    def draft_token_s(self) -> float:
        """One step of the draft: a small model of its own, or one more layer of this one (multi-token prediction).

        Its layers and its head are read each time; a draft runs on every device of the group.
        """
        m = self.model
        layers = m.draft_layers or 1
        params = (
            m.draft_params if m.draft_params > m.vocabulary else m.always_params / m.layers + m.vocabulary * m.hidden
        )
        shards = 1 if self.layout.data_parallel_attention else self.layout.ranks
        read = params * self.weights.dense_bytes / (shards * self.chip.read_bytes_s)
        return layers * self.stack.layer_s * self.stack.draft_layer_share + read
