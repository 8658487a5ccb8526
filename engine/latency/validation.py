"""Predicts published measurements from their setup alone, and sums the errors up.

Every row goes through the formulas that the pipelines use; `setups.py` reads what the row says.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from statistics import median

from subsecond.engine.catalog import Catalog, Entry
from subsecond.engine.catalog import catalog as shipped_catalog
from subsecond.engine.errors import InputError
from subsecond.engine.latency.measurements import Measurement
from subsecond.engine.latency.names import engine_entry, metric_unit
from subsecond.engine.latency.setups import (
    Skipped,
    candidates,
    counted,
    deployment,
    device_entry,
    draft_tokens,
    formats,
    includes_prefill,
    load,
    model_of,
    queued_requests,
    replicas,
)
from subsecond.engine.latency.speculation import kept_tokens
from subsecond.engine.latency.steady import (
    Load,
    best_rate,
    best_split_rate,
    closed_loop,
    prefill_alone,
    queued_rate,
)
from subsecond.engine.latency.step import Deployment
from subsecond.engine.latency.transfer import Fabric, moved_bytes
from subsecond.engine.latency.wafer import WaferGroup, is_wafer, wafer, wafers_for_weights

__all__ = ["KINDS", "METRICS", "Prediction", "Summary", "predict", "predict_rows", "summarise"]

KINDS = ("colocated", "disaggregated", "prefill_only", "kv_transfer")
METRICS = (
    "ttft_ms",
    "tpot_ms",
    "e2e_ms",
    "tok_s_user",
    "output_tok_s_per_device",
    "total_output_tok_s",
    "kv_transfer_ms",
)
#: Share of a RoCE or EFA line that KV transfers reach, and their fixed times: fit of the Mooncake tables (catalog,
#: links, roce-8x200).
_TRANSFER_LINK = "roce-8x200"


@dataclass(frozen=True, slots=True)
class Prediction:
    """One row: `predicted` and `error` are None if it was skipped, `skipped` is then the reason.

    `error` is `predicted / published - 1`.
    """

    id: str
    family: str
    metric: str
    predicted: float | None
    published: float
    error: float | None
    skipped: str
    doubtful: bool


@dataclass(frozen=True, slots=True)
class Summary:
    """Errors of a set of rows; shares and medians are None without a predicted row."""

    rows: int
    predicted: int
    median_abs_error: float | None
    within_35_percent: float | None


def predict_rows(rows: Sequence[Measurement], facts: Catalog | None = None) -> list[Prediction]:
    """A prediction, or a reason, for every row."""
    facts = facts or shipped_catalog()
    return [_prediction(row, facts) for row in rows]


def _prediction(row: Measurement, facts: Catalog) -> Prediction:
    value: float | None = None
    reason = ""
    try:
        value = predict(row, facts)
    except Skipped as skipped:
        reason = str(skipped)
    except InputError as error:
        reason = f"the catalog lacks a figure: {error}"
    error_share = value / row.value - 1.0 if value is not None else None
    return Prediction(row.id, row.family, row.metric, value, row.value, error_share, reason, row.doubtful)


def predict(row: Measurement, facts: Catalog) -> float:
    """The row's metric in the row's unit.

    Raises:
        Skipped: unknown kind, metric, device or model, or something that the prediction needs is not given.
    """
    metric, factor = metric_unit(row.metric)
    if row.kind not in KINDS:
        raise Skipped(f"unknown kind {row.kind!r}")
    if metric not in METRICS:
        raise Skipped(f"unknown metric {row.metric!r}")
    row = counted(facts, replace(row, metric=metric))
    value = _metric(row, facts) * factor
    if not 0.0 < value < math.inf:
        raise Skipped(f"the setup gives no finite {metric}")
    return value


def _metric(row: Measurement, facts: Catalog) -> float:
    model = model_of(facts, row)
    entry = device_entry(facts, row)
    if row.kind == "kv_transfer" or row.metric == "kv_transfer_ms":
        return _transfer_s(facts, row, entry) * 1e3
    if is_wafer(entry):
        return _wafer(facts, row, entry)
    if row.metric == "output_tok_s_per_device" and row.concurrency is None:
        found = candidates(facts, row, model, entry)
        work = load(facts, row, model, found[0].stack)
        wanted = row.number("at_tok_s_user")
        if wanted is not None or len(found) > 1:
            split = row.kind == "disaggregated" and wanted is not None
            rate = best_split_rate(found, work, wanted or 0.0) if split else best_rate(found, work, wanted or 0.0)
            if rate == 0.0:
                raise Skipped(f"no layout gives a user {wanted or 0.0:g} tok/s")
            return rate
    server = deployment(facts, row, model, entry)
    work = load(facts, row, model, server.stack)
    if row.metric == "ttft_ms" and row.kind == "prefill_only":
        return (server.stack.request_s + prefill_alone(server, work, float(row.concurrency or 1))) * 1e3
    if row.metric in ("ttft_ms", "e2e_ms") and row.kind == "disaggregated":
        stack = replace(server.stack, handoff_layer_s=server.stack.disaggregated_layer_s)
        alone = stack.request_s + prefill_alone(replace(server, stack=stack), work)
        first = alone + _transfer_s(facts, row, entry)
        return (first + (_rest_s(server, work, row) if row.metric == "e2e_ms" else 0.0)) * 1e3
    return _served(row, server, work)


def _rest_s(server: Deployment, work: Load, row: Measurement) -> float:
    """The reply after its first token."""
    return (work.output_tokens - 1.0) * closed_loop(server, work, row.concurrency).tpot_s


def _served(row: Measurement, server: Deployment, work: Load) -> float:
    """A metric of a server, or of several equal ones that share the load."""
    copies = replicas(row, server)
    per = server.layout.devices if row.metric == "output_tok_s_per_device" else 1.0 / copies
    queued = queued_requests(row, work, server.stack)
    if row.concurrency is None and queued and row.metric in ("output_tok_s_per_device", "total_output_tok_s"):
        return queued_rate(server, work, max(queued / copies, 1.0)) / per
    users = None if row.concurrency is None else max(row.concurrency / copies, 1.0)
    steady = closed_loop(server, work, users, quantile=row.quantile)
    if row.metric == "ttft_ms":
        return steady.ttft_s * 1e3
    if row.metric == "tpot_ms":
        return steady.tpot_s * 1e3
    if row.metric == "e2e_ms":
        return (steady.ttft_s + (work.output_tokens - 1.0) * steady.tpot_s) * 1e3
    if row.metric == "tok_s_user":
        return steady.user_rate(work.output_tokens) if includes_prefill(row) else 1.0 / steady.tpot_s
    busy = 1.0 if row.concurrency is None else min(1.0, row.concurrency / copies)
    return busy * steady.rate_tokens_s / per


def _transfer_s(facts: Catalog, row: Measurement, entry: Entry) -> float:
    """KV of the prompt from a prefill node to a decode node of the same devices, all NICs of a node together."""
    model = model_of(facts, row)
    if row.input_tokens is None:
        raise Skipped("the prompt length is not given")
    link = facts.entry("links", _TRANSFER_LINK)
    ranks = deployment(facts, row, model, entry).layout.devices
    line = entry.number("scaleout_bw", 25e9) * ranks
    way = Fabric(
        "", "", line, link.number("efficiency"), link.number("submit_us"), link.number("layer_submit_us"), 1e12
    )
    _, kv_bytes = formats(row, model)
    return way.seconds(moved_bytes(model, row.input_tokens, kv_bytes, ranks), model.layers)


def _wafer(facts: Catalog, row: Measurement, entry: Entry) -> float:
    """SRAM machines; a service speculates as its device's entry says unless the row says otherwise.

    A stream on a shared service has it to itself unless the row gives a concurrency; a throughput without one is that
    of as many sequences as do not slow each other and fit.
    """
    model = model_of(facts, row)
    machine = wafer(entry)
    weights, kv_bytes = formats(row, model)
    launch = row.spec_decode == "none"
    draft = draft_tokens(row)
    if not row.spec_decode:
        draft = round(entry.number("draft_tokens", 0.0))
    wafers = row.num_devices or wafers_for_weights(machine, model, weights)
    group = WaferGroup(machine, model, weights, kv_bytes, wafers, draft, launch)
    work = load(facts, row, model)
    kept = kept_tokens(facts, draft)
    users = float(row.concurrency or 1)
    rates = ("output_tok_s_per_device", "total_output_tok_s")
    if row.metric in rates and row.concurrency is None:
        each = model.kv_bytes(work.input_tokens + work.output_tokens, kv_bytes)
        users = max(min(float(group.slots), group.kv_room_bytes / max(each, 1.0)), 1.0)
    step = group.decode_s(users, work.mean_context) / kept
    if row.metric in rates:
        return users / step / (wafers if row.metric == rates[0] else 1)
    if row.metric == "tok_s_user":
        return 1.0 / step
    if row.metric == "tpot_ms":
        return step * 1e3
    service = engine_entry(facts, row.engine)
    fixed = service.number("request_ms", 0.0) if service else 0.0
    first = fixed + group.prefill_s(work.new_tokens, work.cached_tokens)
    return (first + ((work.output_tokens - 1.0) * step if row.metric == "e2e_ms" else 0.0)) * 1e3


def summarise(predictions: Sequence[Prediction]) -> Summary:
    """Median and share of the errors."""
    errors = [abs(p.error) for p in predictions if p.error is not None]
    if not errors:
        return Summary(len(predictions), 0, None, None)
    within = sum(error <= 0.35 for error in errors) / len(errors)
    return Summary(len(predictions), len(errors), median(errors), within)
