"""The core's integer tables are the formulas in seconds, rounded once."""

from __future__ import annotations

import numpy as np
import pytest

from subsecond.engine.catalog import catalog
from subsecond.engine.latency.chip import chip, serving_stack
from subsecond.engine.latency.core_cost import accelerator_cost, picoseconds, speculation_units, wafer_cost
from subsecond.engine.latency.model import model_shape
from subsecond.engine.latency.step import Deployment, Layout
from subsecond.engine.latency.wafer import WaferGroup, wafer


def served(model: str, device: str, devices: int) -> Deployment:
    facts = catalog()
    shape = model_shape(facts.entry("models", model))
    stack = serving_stack(facts, "", device)
    return Deployment(shape, shape.native, 2.0, chip(facts.entry("devices", device)), stack, Layout(devices))


@pytest.mark.parametrize("device", ["h200-sxm", "trainium2", "b200"])
@pytest.mark.parametrize("model", ["gpt-oss-120b", "llama-3.1-70b", "qwen3-32b"])
def test_tables_are_the_formula(model: str, device: str) -> None:
    server = served(model, device, 8)
    cost = accelerator_cost(server, 4096, chunk_tokens=4096)
    tokens = np.arange(4097, dtype=np.float64)
    assert np.abs(cost.compute_ps - server.tokens_s(tokens) * 1e12).max() <= 1
    assert (cost.compute_ps == cost.memory_ps).all()
    assert cost.decode_unit_ps == cost.kv_unit_ps == picoseconds(server.kv_token_read_s)
    assert cost.prefill_pair_ps == picoseconds(server.pair_s(4096) / 2)


@pytest.mark.parametrize("model", ["llama-3.1-70b", "qwen3-32b"])
def test_an_iteration_of_the_core_is_one_of_the_formulas(model: str) -> None:
    """A decode step and a prefill chunk, put together as docs/semantics.md section 5 does."""
    server = served(model, "h200-sxm", 8)
    cost = accelerator_cost(server, 8192, max_seqs=64, chunk_tokens=8192)
    batch, context = 16, 5000
    units = batch * context
    step = max(
        int(cost.compute_ps[batch]) + cost.decode_unit_ps * units, int(cost.memory_ps[batch]) + cost.kv_unit_ps * units
    )
    assert step / 1e12 == pytest.approx(server.decode_s(batch, context), rel=0.01)
    chunk, position = 8192, 16384
    half_pairs = chunk * (2 * position + chunk)
    step = max(
        int(cost.compute_ps[chunk]) + cost.prefill_pair_ps * half_pairs,
        int(cost.memory_ps[chunk]) + cost.kv_unit_ps * (position + chunk),
    )
    overhead = min(chunk, 64) * server.stack.sequence_s
    assert step / 1e12 == pytest.approx(server.prefill_s(chunk, position, 8192) + overhead, rel=0.02)


def test_decode_tokens_count_their_sequences_and_drafts() -> None:
    server = served("llama-3.1-70b", "h200-sxm", 8)
    plain = accelerator_cost(server, 400, decode_width=4, max_seqs=100)
    drafted = accelerator_cost(server, 400, decode_width=4, max_seqs=100, draft_s=1e-3)
    assert (drafted.compute_ps - plain.compute_ps == 10**9).all()
    sequences = plain.compute_ps - accelerator_cost(server, 400).compute_ps
    assert sequences[4] == pytest.approx(server.stack.sequence_s * 1e12, abs=1)
    assert sequences[400] == pytest.approx(100 * server.stack.sequence_s * 1e12, abs=1)


@pytest.mark.parametrize("prefills", [False, True])
def test_wafer_tables(prefills: bool) -> None:
    shape = model_shape(catalog().entry("models", "gpt-oss-120b"))
    group = WaferGroup(wafer(catalog().entry("devices", "wse-3")), shape, shape.native, 2.0, 4, 4)
    cost = wafer_cost(group, 2048, prefills=prefills)
    assert cost.compute_ps[1] == cost.compute_ps[group.slots] == picoseconds(group.step_s)
    assert (np.diff(cost.compute_ps) >= 0).all()
    last = group.prefill_token_s if prefills else group.slot_s
    assert cost.compute_ps[-1] == pytest.approx((group.step_s + (2048 - group.slots) * last) * 1e12, abs=1)
    assert cost.kv_unit_ps >= 1


@pytest.mark.parametrize("kept", [1.0, 1.5, 1.84, 2.43, 2.88, 3.22, 3.77, 9.0])
def test_units_of_speculation(kept: float) -> None:
    units, growth = speculation_units(kept)
    assert growth >= units >= 1
    assert growth / units == pytest.approx(kept, rel=0.02)
    assert (units, growth) == (1, 1) or kept > 1
