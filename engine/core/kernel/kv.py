"""KV memory of a server: used + retained + free = capacity."""

from __future__ import annotations

from .codes import LRU, NUM_LISTS, ROLE_DECODE
from .jit import kernel
from .lists import append, unlink
from .state import Global, Server, Session

__all__ = ["claim", "drop", "evict", "fits", "grow_entry", "publish", "reserve"]


@kernel
def lru_list(g: Global, i: int) -> int:
    """Sentinel of the list of entries of server `i`, least recently used first."""
    return g.sentinels + i * NUM_LISTS + LRU


@kernel
def drop(g: Global, e: int) -> None:
    """Forget an entry, if it exists: its units become free."""
    entry = g.entries[e]
    if entry.server < 0:
        return
    server = g.servers[entry.server]
    server.retained -= entry.units
    server.free += entry.units
    entry.server = -1
    entry.return_due = -1
    unlink(g, g.entry_nodes + e)


@kernel
def publish(g: Global, e: int, i: int, held: int, kept: int) -> None:
    """A request that held `held` units on server `i` leaves `kept` of them there as entry `e`, if the pool keeps KV."""
    drop(g, e)
    server = g.servers[i]
    server.used -= held
    if server.keeps_kv == 0:
        server.free += held
        return
    server.free += held - kept
    server.retained += kept
    entry = g.entries[e]
    entry.server = i
    entry.units = kept
    append(g, lru_list(g, i), g.entry_nodes + e)


@kernel
def evict(g: Global, i: int) -> bool:
    """Drop the least recently used entry of server `i`; False if there is none."""
    sentinel = lru_list(g, i)
    node = g.nodes[sentinel].next
    if node == sentinel:
        return False
    drop(g, node - g.entry_nodes)
    g.servers[i].evictions += 1
    return True


@kernel
def fits(server: Server, need: int) -> bool:
    """Whether a request that needs `need` units may be admitted."""
    room = server.free + server.retained
    if server.role == ROLE_DECODE and need + (server.num_admitted + 1) * server.growth > room:
        return False
    return need <= room and (need + server.watermark <= room or server.used == 0)


@kernel
def claim(g: Global, session: Session, i: int, e: int) -> int:
    """Take over the entry `e`, if it lies on server `i`; the units that stay useful go to the caller.

    Returns:
        kept units (neither retained nor free any more). `session.hit` is set to the tokens they stand for.
    """
    session.hit = 0
    entry = g.entries[e]
    if entry.server != i:
        return 0
    server = g.servers[i]
    tokens = min(session.reuse, (entry.units - g.fixed) // g.unit)
    kept = 0
    if tokens > 0:
        kept = min(entry.units, tokens * g.unit + g.fixed)
        session.hit = tokens
    server.retained -= entry.units
    server.free += entry.units - kept
    entry.server = -1
    entry.return_due = -1
    unlink(g, g.entry_nodes + e)
    return kept


@kernel
def reserve(
    g: Global,
    session: Session,
    i: int,
    e: int,
    need: int,
) -> int:
    """Admit a request that fits: claim its entry `e`, evict others as needed.

    Returns:
        kept units: those of `need` that lay there already.
    """
    kept = claim(g, session, i, e)
    server = g.servers[i]
    while server.free < need - kept:
        evict(g, i)
    server.free -= need - kept
    server.used += need
    if server.used > server.peak_used:
        server.peak_used = server.used
    return kept


@kernel
def grow_entry(g: Global, e: int, units: int) -> None:
    """Let entry `e` grow, evicting others; nothing happens if they do not suffice."""
    entry = g.entries[e]
    i = entry.server
    server = g.servers[i]
    if units > server.free + server.retained - entry.units:
        return
    sentinel = lru_list(g, i)
    node = g.nodes[sentinel].next
    while server.free < units:
        after = g.nodes[node].next
        if node != g.entry_nodes + e:
            drop(g, node - g.entry_nodes)
            server.evictions += 1
        node = after
    server.free -= units
    server.retained += units
    entry.units += units
