"""What a server gives its users under a steady load: time to first token, time per token, tokens per second.

Closed loop: `concurrency` requests are always in flight, each of the same size; prefills of the others share the
iterations with the decodes. Without a concurrency the server is full: the batch is as large as its KV memory and its
limit of sequences allow.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

import numpy as np

from subsecond.engine.latency.step import Deployment

__all__ = [
    "Load",
    "Steady",
    "best_rate",
    "best_split_rate",
    "closed_loop",
    "largest_batch",
    "prefill_alone",
    "queued_rate",
]

_ROUNDS = 60
#: Buckets double up to here.
_LARGEST_DOUBLING = 8192


@dataclass(frozen=True, slots=True)
class Load:
    """Requests of one size.

    Attributes:
        input_tokens, cached_tokens: prompt, and what of it is in the prefix cache.
        draft_tokens, kept_tokens: speculation; 0 and 1 without.
        prefills: whether the server itself prefills; not where another pool does.
        chunk_tokens: of prefill; 0: the stack's token budget. With `pads`, every chunk costs as much as a full one.
    """

    input_tokens: float
    output_tokens: float
    cached_tokens: float = 0.0
    draft_tokens: int = 0
    kept_tokens: float = 1.0
    chunk_tokens: float = 0.0
    pads: bool = False
    prefills: bool = True

    @property
    def new_tokens(self) -> float:
        return max(self.input_tokens - self.cached_tokens, 1.0)

    @property
    def mean_context(self) -> float:
        """Context of a request half way through its reply."""
        return self.input_tokens + self.output_tokens / 2.0


@dataclass(frozen=True, slots=True)
class Steady:
    """Result: seconds, and output tokens per second of the whole server."""

    ttft_s: float
    tpot_s: float
    rate_tokens_s: float
    batch: float

    def user_rate(self, output_tokens: float) -> float:
        """Output tokens per second that one user sees from sending to the last token."""
        return output_tokens / (self.ttft_s + (output_tokens - 1.0) * self.tpot_s)


def prefill_alone(deployment: Deployment, load: Load, prompts: float = 1.0) -> float:
    """Prefill of a batch of equal prompts with nothing else on the server, padding included."""
    new = _padded(deployment, load.new_tokens)
    chunk = load.chunk_tokens or float(deployment.stack.token_budget)
    if prompts == 1.0 or prompts * new > chunk or load.pads:
        return prompts * deployment.prefill_s(new, load.cached_tokens, chunk, load.pads)
    pairs = prompts * (new * load.cached_tokens + new * new / 2.0)
    step = float(deployment.tokens_s(np.array([prompts * new]), new / 2.0)[0]) + pairs * deployment.pair_s(new)
    return max(step, deployment.model.layers * deployment.stack.prefill_host_layer_s)


def _padded(deployment: Deployment, tokens: float) -> float:
    """The bucket that a prompt of so many tokens is computed in; the start token counts too."""
    stack = deployment.stack
    if not stack.pad_tokens:
        return tokens
    if tokens < _LARGEST_DOUBLING:
        return max(float(stack.pad_tokens), 2.0 ** math.ceil(math.log2(tokens + 1.0)))
    return float(stack.pad_step_tokens * math.ceil((tokens + 1.0) / stack.pad_step_tokens))


def largest_batch(deployment: Deployment, load: Load) -> float:
    """Sequences that KV memory and the stack's limit allow, each counted at its full length: none is ever evicted.

    0: the weights do not fit.
    """
    each = deployment.model.kv_bytes(load.input_tokens + load.output_tokens, deployment.kv_bytes)
    ranks = deployment.layout.devices if deployment.layout.data_parallel_attention else 1
    return min(max(deployment.kv_room_bytes, 0.0) / each, float(deployment.stack.max_seqs * ranks))


def _step(deployment: Deployment, load: Load, batch: float, interference: float) -> float:
    """An iteration with `batch` decodes and the prefill tokens that keep the batch full, times `interference`."""
    share = interference * batch * load.kept_tokens / load.output_tokens if load.prefills else 0.0
    prefill = share * load.new_tokens
    tokens = np.array([batch * (1.0 + load.draft_tokens) + prefill])
    chunk = load.chunk_tokens or float(deployment.stack.token_budget)
    pairs = share * (load.new_tokens * load.cached_tokens + load.new_tokens**2 / 2.0)
    kv = batch * deployment.kv_read_s(load.mean_context)
    keys = min(load.input_tokens / 2.0, float(deployment.model.window)) * prefill / tokens[0]
    draft = load.draft_tokens * deployment.draft_token_s
    step = float(deployment.tokens_s(tokens, keys)[0]) + deployment.sequences_s(batch) + kv + draft
    return step + pairs * deployment.pair_s(min(chunk, load.new_tokens))


def closed_loop(
    deployment: Deployment,
    load: Load,
    concurrency: float | None = None,
    *,
    full: bool = False,
    quantile: float = 0.5,
) -> Steady:
    """The steady state of `concurrency` requests in flight, or of a full server.

    A request waits for the iteration in progress, for the prefills of those that arrived with it, then for its own. In
    a test of M requests with N in flight the first N arrive at once, each then waits for N/2 others; later ones come
    one by one: `N/2 * min(1, N/M)` on average. With more requests than places in the batch it waits for a place too.
    Args:
        concurrency: requests in flight; None: the server is full.
        full: all requests in flight hold a place in the batch, those that wait for their prefill too.
        quantile: of the time to first token; up to a half the mean. Beyond, it is that of those that arrived together
            at the start: a share `N/M` of all, the last of which waits for all others.
    """
    places = max(largest_batch(deployment, load), 1.0)  # a request too long for the memory is served alone
    requests = places if concurrency is None else float(concurrency)
    alone = prefill_alone(deployment, load)
    if deployment.stack.is_static:
        tpot = _step(deployment, load, requests, 0.0) / load.kept_tokens
        ttft = deployment.stack.request_s + prefill_alone(deployment, load, requests)
        return Steady(ttft, tpot, requests * load.output_tokens / (ttft + load.output_tokens * tpot), requests)
    batch = min(requests, places)
    others = (requests - 1.0) / requests if requests > 1.0 else 0.0
    crowd = batch / 2.0 * min(1.0, batch / deployment.stack.test_requests) if requests > 1.0 else 0.0
    if quantile > 0.5 and requests > 1.0:
        together = min(1.0, batch / deployment.stack.test_requests)
        crowd = max(crowd, batch * (1.0 - (1.0 - quantile) / together))
    first = deployment.stack.request_s + alone * (1.0 + crowd)
    active, tpot = batch, 0.0
    for _ in range(_ROUNDS):
        tpot = _step(deployment, load, active, others) / load.kept_tokens
        decode = load.output_tokens * tpot
        # A full server always has someone to prefill: all its places decode or wait for their turn in the same steps.
        share = 1.0 if full or concurrency is None else decode / (first + decode)
        active = 0.5 * (active + max(batch * share, min(1.0, batch)))
    rate = active / tpot
    rate /= 1.0 + deployment.stack.client_s * rate / load.output_tokens
    ttft = first + others * tpot * load.kept_tokens / 2.0
    if requests > batch:
        ttft += (requests - batch) / (active / tpot) * load.output_tokens
    return Steady(ttft, tpot, rate, active)


def queued_rate(deployment: Deployment, load: Load, requests: float) -> float:
    """Output tokens per second of a full server in a test that queues `requests` equal ones at once and waits for all.

    Equal requests that start together end together: the server works in rounds of as many as it holds, and the last
    round, which nobody joins, is often far from full. A test smaller than the server is one round. Only decode suffers;
    prefill takes the same time in any round.
    """
    places = max(largest_batch(deployment, load), 1.0)
    batch = min(places, requests)
    steady = closed_loop(deployment, load, None if batch == places else batch, full=True).rate_tokens_s

    def decode(sequences: float) -> float:
        return load.output_tokens / load.kept_tokens * _step(deployment, load, sequences, 0.0) if sequences > 0 else 0.0

    prefill = prefill_alone(deployment, load) * requests if load.prefills else 0.0
    rounds, whole = requests / batch, math.floor(requests / batch)
    last = requests - whole * batch
    return steady * (prefill + rounds * decode(batch)) / (prefill + whole * decode(batch) + decode(last))


def best_split_rate(deployments: Sequence[Deployment], load: Load, user_tokens_s: float) -> float:
    """As `best_rate`, with prefill on devices of its own: output tokens per second and device of both pools.

    The pools are sized to each other: a token takes the device time of its decode and of its share of a prefill.
    """
    decode = best_rate(deployments, replace(load, prefills=False), user_tokens_s)
    if decode == 0.0:
        return 0.0
    prompts = max(1.0, deployments[0].stack.token_budget // load.new_tokens)
    prefill = min(prefill_alone(d, load, prompts) * d.layout.devices / prompts for d in deployments)
    return 1.0 / (1.0 / decode + prefill / load.output_tokens)


def best_rate(deployments: Iterable[Deployment], load: Load, user_tokens_s: float = 0.0) -> float:
    """Best output tokens per second and device among layouts that still give each user `user_tokens_s`.

    0 if none does. Batches are tried in steps of a sixth of an octave.
    """
    best = 0.0
    for deployment in deployments:
        most = largest_batch(deployment, load)
        batch = 1.0
        while batch <= most:
            step = _step(deployment, load, batch, (batch - 1.0) / batch)
            if load.kept_tokens / step >= user_tokens_s:
                best = max(best, batch * load.kept_tokens / step / deployment.layout.devices)
            batch *= 2.0 ** (1.0 / 6.0)
        if user_tokens_s == 0.0 and most > 0:
            best = max(best, closed_loop(deployment, load).rate_tokens_s / deployment.layout.devices)
    return best
