"""One server of a pool: a group of accelerators, or of wafers, that holds a model copy.

Reads the pool's parameters, checks that the model fits, and hands out what `pipelines.py` needs: KV room, times in
seconds for the summary, and the core's cost tables.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from subsecond.engine.catalog import Catalog
from subsecond.engine.core.config import Pool, Role
from subsecond.engine.latency import core_cost
from subsecond.engine.latency.chip import chip, serving_stack
from subsecond.engine.latency.model import ModelShape, WeightFormat
from subsecond.engine.latency.parameters import Parameters
from subsecond.engine.latency.step import Deployment, Layout
from subsecond.engine.latency.wafer import WaferGroup, wafer, wafers_for_weights

__all__ = ["AcceleratorServer", "Units", "WaferServer", "accelerator_server", "wafer_server"]

#: Longest iteration and largest batch that tables are made for.
MOST_TOKENS = 1 << 17
MOST_SEQS = 1 << 14


@dataclass(frozen=True, slots=True)
class Units:
    """KV units of a pipeline, and what a decode step makes of them.

    Attributes:
        per_token, growth, fixed: as in the core's Pool.
        bytes_each: KV bytes of a unit as stored.
        draft_tokens: guessed per step; a step computes one more.
    """

    per_token: int
    growth: int
    fixed: int
    bytes_each: float
    draft_tokens: int

    @property
    def kept_tokens(self) -> float:
        return self.growth / self.per_token

    def sessions(self, room_bytes: float, context_tokens: int) -> int:
        """Sessions of that context that fit into the room."""
        each = context_tokens * self.per_token + self.fixed
        return int(room_bytes / self.bytes_each) // each


@dataclass(frozen=True, slots=True)
class AcceleratorServer:
    """A tensor-parallel group of GPUs or a Trainium node."""

    deployment: Deployment
    role: Role
    num_servers: int
    max_seqs: int
    token_budget: int

    @property
    def room_bytes(self) -> float:
        return self.deployment.kv_room_bytes

    def prefill_s(self, new_tokens: float, cached_tokens: float = 0.0) -> float:
        return self.deployment.prefill_s(new_tokens, cached_tokens, float(self.token_budget))

    def step_s(self, sequences: int, context_tokens: int, units: Units) -> float:
        """A decode step, draft included."""
        width = 1.0 + units.draft_tokens if self.role is not Role.PREFILL else 1.0
        draft = units.draft_tokens * self.deployment.draft_token_s
        return self.deployment.decode_s(sequences, context_tokens, width) + draft

    def pool(self, units: Units, watermark: float, affinity: bool, slack: int) -> Pool:
        decodes = self.role is not Role.PREFILL
        width = 1 + units.draft_tokens if decodes else 1
        most = self.max_seqs * width if self.role is Role.DECODE else self.token_budget
        capacity = int(self.room_bytes / units.bytes_each)
        cost = core_cost.accelerator_cost(
            self.deployment,
            most,
            units_per_token=units.per_token,
            decode_width=width,
            max_seqs=self.max_seqs if decodes else 0,
            draft_s=units.draft_tokens * self.deployment.draft_token_s if decodes else 0.0,
            chunk_tokens=self.token_budget or most,
        )
        return Pool(
            role=self.role,
            cost=cost,
            num_servers=self.num_servers,
            capacity_units=capacity,
            max_seqs=self.max_seqs,
            token_budget=self.token_budget,
            watermark_units=int(capacity * watermark),
            fixed_units=units.fixed,
            units_per_token=units.per_token,
            growth_units=units.growth,
            decode_width=width,
            affinity=affinity,
            affinity_slack=slack,
        )


@dataclass(frozen=True, slots=True)
class WaferServer:
    """A model copy on wafers."""

    group: WaferGroup
    role: Role
    num_servers: int
    max_seqs: int
    token_budget: int

    @property
    def room_bytes(self) -> float:
        return self.group.kv_room_bytes

    def prefill_s(self, new_tokens: float, cached_tokens: float = 0.0) -> float:
        return self.group.prefill_s(new_tokens, cached_tokens)

    def step_s(self, sequences: int, context_tokens: int, units: Units) -> float:
        """A decode step, drafts included."""
        return self.group.decode_s(sequences, context_tokens)

    def pool(self, units: Units, watermark: float, affinity: bool, slack: int) -> Pool:
        prefills = self.role is Role.COLOCATED
        capacity = int(self.room_bytes / units.bytes_each)
        most = self.token_budget if prefills else self.max_seqs
        return Pool(
            role=self.role,
            cost=core_cost.wafer_cost(self.group, most, units_per_token=units.per_token, prefills=prefills),
            num_servers=self.num_servers,
            capacity_units=capacity,
            max_seqs=self.max_seqs,
            token_budget=self.token_budget if prefills else 0,
            watermark_units=int(capacity * watermark),
            fixed_units=units.fixed,
            units_per_token=units.per_token,
            growth_units=units.growth,
            affinity=affinity,
            affinity_slack=slack,
        )


def accelerator_server(
    facts: Catalog,
    parameters: Parameters,
    prefix: str,
    role: Role,
    model: ModelShape,
    weights: WeightFormat,
    kv_bytes: float,
) -> AcceleratorServer:
    """The servers of a pool of GPUs (`gpus`, `tensor_parallel`) or Trainium chips (`chips`).

    Raises:
        InputError: the device is none of that kind, or weights and one token of KV do not fit its memory.
    """
    p = parameters
    device = chip(facts.entry("devices", p.word(prefix + "device")))
    stack = serving_stack(facts, p.word(prefix + "engine"), device.name)
    replicas = p.count(prefix + "replicas", 1, 4096)
    if prefix + "chips" in p.values:
        size_key, devices, servers = prefix + "chips", p.count(prefix + "chips", 1, 4096), replicas
    else:
        size_key = prefix + "tensor_parallel"
        devices, gpus = p.count(size_key, 1, 4096), p.count(prefix + "gpus", 1, 4096)
        if gpus % devices:
            raise p.wrong(size_key, f"a divisor of {prefix}gpus = {gpus}")
        servers = replicas * (gpus // devices)
    handoff = p.number("handoff_layer_us", 0.0, 1e6) if role is Role.PREFILL else 0.0
    stack = replace(
        stack,
        handoff_layer_s=handoff,
        memory_share=p.number(prefix + "memory_share", 0.01, 1.0),
        utilisation_factor=stack.utilisation_factor * p.number(prefix + "utilisation_factor", 0.001, 100.0),
    )
    deployment = Deployment(model, weights, kv_bytes, device, stack, Layout(devices))
    if deployment.kv_room_bytes < model.kv_bytes(1, kv_bytes):
        need = model.weight_bytes(weights) / (device.memory_bytes * stack.memory_share)
        raise p.wrong(
            size_key,
            f"more devices: {model.label} needs {model.weight_bytes(weights) / 1e9:.0f} GB for weights, "
            f"more than {need:.1f} {device.label}",
        )
    budget = 0 if role is Role.DECODE else p.count(prefix + "token_budget", 1, MOST_TOKENS)
    return AcceleratorServer(deployment, role, servers, p.count(prefix + "max_seqs", 1, MOST_SEQS), budget)


def wafer_server(
    facts: Catalog,
    parameters: Parameters,
    role: Role,
    model: ModelShape,
    weights: WeightFormat,
    kv_bytes: float,
) -> WaferServer:
    """The model copies on wafers.

    Raises:
        InputError: the device has no time per layer, or weights and one token of KV do not fit the wafers.
    """
    p = parameters
    machine = wafer(facts.entry("devices", p.word("decode_device")))
    least = wafers_for_weights(machine, model, weights)
    wafers = p.count("decode_wafers", 0, 4096) or least + p.count("decode_kv_wafers", 0, 4096)
    group = WaferGroup(machine, model, weights, kv_bytes, wafers, p.count("decode_draft_tokens"))
    if group.kv_room_bytes < model.kv_bytes(1, kv_bytes):
        raise p.wrong(
            "decode_wafers" if p.count("decode_wafers") else "decode_kv_wafers",
            f"room for the weights of {model.label} ({model.weight_bytes(weights) / 1e9:.0f} GB, at least {least} "
            f"{machine.label}) and some KV",
        )
    max_seqs = p.count("decode_max_seqs", 1, MOST_SEQS)
    budget = p.count("token_budget", 2, MOST_TOKENS) if role is Role.COLOCATED else 0
    if role is Role.COLOCATED:
        max_seqs = min(max_seqs, group.slots)
    return WaferServer(group, role, p.count("decode_replicas", 1, 4096), max_seqs, budget)
