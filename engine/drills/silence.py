"""The longest time in which somebody waits for a model and no token comes."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from subsecond.engine.core.engine import Engine

__all__ = ["longest_silence_ps"]


def longest_silence_ps(engine: Engine, requests: NDArray[np.bool_], stop_ps: int) -> int:
    """The longest silence of some requests, as their client hears it.

    A silence lasts from sending a request to its first token, or from one token to the next, or from the last token to
    the end of a request that fails; for a request that waits for its first token it lasts to the end of the run. Tokens
    of an attempt that was begun anew do not count: the user reads them again. What tools and other stages take is no
    silence of the model.

    Args:
        engine: has run to `stop_ps`, with a journal.
        requests: which requests count, [num_requests].
    """
    results = engine.results()
    network = results.network_ps
    sent, first, finish = results.arrival_ps, results.first_ps, results.finish_ps
    begun = requests & (sent >= 0) & (sent <= stop_ps)
    until_first = np.where(first >= 0, first + network, np.where(finish >= 0, finish + network, stop_ps)) - sent
    longest = int(until_first[begun].max(initial=0))
    # only a request that writes for longer than that can hold a longer silence
    writing = np.flatnonzero(begun & (first >= 0) & (finish - first > longest))
    if len(writing):
        for request, times in zip(writing, engine.token_times(writing), strict=True):
            heard = np.append(times, finish[request])
            longest = max(longest, int(np.diff(heard).max(initial=0)))
    return longest
