"""Prefix hashes of independent requests become contexts, prefix groups and reuse.

A request's prompt is a path of blocks in a tree; it can reuse what lies on the part of its path that an earlier
request has walked. The core knows two ways to reuse: a context, whose KV one request leaves and the next one takes,
and a group, whose leading tokens stay warm for all its members. So

- a place in the tree at which many requests leave the known paths (a system prompt) becomes a group;
- any other request takes over the context of the latest earlier request that walked its whole known path, so that
  contexts are chains of requests. A request can hand its KV to one successor only: to the one that shares most;
- the few that come away empty-handed (the second continuation of one reply) share a group with their predecessor.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = ["HOT_REQUESTS", "Ids", "PrefixReuse", "block_nodes", "known_blocks", "reuse_of_blocks"]

Int64 = NDArray[np.int64]
Int32 = NDArray[np.int32]
Bool = NDArray[np.bool_]
#: Hash ids, or places in the prefix tree.
Ids = NDArray[np.signedinteger[Any]]

#: From this many requests on that share a prefix and nothing more, the prefix is a group. A group costs no KV memory in
#: the core, so that long conversations with a few branches must not become one. Assumption; any value from 8 to 64
#: gives the same hits on the public Mooncake traces to about 1 %.
HOT_REQUESTS = 16


@dataclass(frozen=True, slots=True, eq=False)
class PrefixReuse:
    """Columns over requests, [num_requests], in the order of the requests.

    Attributes:
        context: id of the KV context.
        group: id of the prefix group or -1.
        group_tokens: [num_groups] whole blocks; a prompt that ends inside its last one shares what it has.
        reuse_tokens: tokens shared with the request before in the same context.
    """

    context: Int64
    num_contexts: int
    group: Int64
    group_tokens: Int64
    reuse_tokens: Int32


def reuse_of_blocks(offsets: Int64, ids: Ids, prompt_tokens: Int32, block_tokens: int) -> PrefixReuse:
    """Reuse of requests that are sent in this order.

    Args:
        offsets: [num_requests + 1] into `ids`.
        ids: hash ids of the prompts' blocks; equal ids at the end of equal paths mean equal text.
        block_tokens: tokens of a block; a prompt's last block may be shorter.
    """
    count = len(prompt_tokens)
    if not len(ids):
        return _without_reuse(count)
    node, num_nodes = block_nodes(offsets, ids)
    row = np.repeat(np.arange(count, dtype=np.int32), np.diff(offsets))
    depth = _known_blocks(offsets, node, num_nodes, row)
    needy = np.flatnonzero(depth)
    if not len(needy):
        return _without_reuse(count)
    at = offsets[needy] + depth[needy] - 1
    goal = np.full(count, -1, np.int64)
    goal[needy] = node[at]
    hot = np.bincount(goal[needy], minlength=num_nodes) >= HOT_REQUESTS
    slot = _deepest(hot, node, row, count)

    chained = needy[slot[needy] != goal[needy]]
    before = _latest_walker(node, row, goal, chained, offsets, depth, num_nodes)
    # of all that want one predecessor the one with the longest path is written last, and stays
    heir = np.full(count, -1, np.int64)
    order = np.argsort(depth[chained], kind="stable")
    heir[before[order]] = chained[order]
    wins = heir[before] == chained
    previous = np.arange(count)
    previous[chained[wins]] = before[wins]
    _share_with_predecessor(slot, goal, depth, chained[~wins], before[~wins])

    tokens = np.minimum(depth * block_tokens, prompt_tokens.astype(np.int64) - 1)
    reuse = np.zeros(count, np.int32)
    reuse[chained[wins]] = tokens[chained[wins]]
    context, num_contexts = _chains(previous)
    group, group_tokens = _groups(slot, offsets, node, block_tokens)
    return PrefixReuse(context, num_contexts, group, group_tokens, reuse)


def known_blocks(offsets: Int64, ids: Ids) -> Int64:
    """[num_requests] leading blocks of each request that an earlier one has walked: hits of an endless cache."""
    node, num_nodes = block_nodes(offsets, ids)
    row = np.repeat(np.arange(len(offsets) - 1, dtype=np.int32), np.diff(offsets))
    return _known_blocks(offsets, node, num_nodes, row)


def block_nodes(offsets: Int64, ids: Ids) -> tuple[Ids, int]:
    """Places in the prefix tree: equal numbers in [0, n) for equal paths, and n.

    Where every id has one predecessor throughout, an id already stands for its whole path.
    """
    if not len(ids):
        return ids, 0
    dense, num_ids = _dense(ids)
    starts = offsets[:-1][np.diff(offsets) > 0]
    previous = np.empty_like(dense)
    previous[1:] = dense[:-1]
    previous[starts] = -1
    parent = np.empty(num_ids, dense.dtype)
    parent[dense] = previous
    if bool((parent[dense] == previous).all()):
        return dense, num_ids
    return _walked(offsets, dense, num_ids)


def _dense(ids: Ids) -> tuple[Ids, int]:
    low, high = int(ids.min()), int(ids.max())
    if high - low < 4 * len(ids) + 1024:
        return (ids - low if low else ids), high - low + 1
    values, inverse = np.unique(ids, return_inverse=True)
    return inverse.astype(np.int64), len(values)


def _walked(offsets: Int64, dense: Ids, num_ids: int) -> tuple[Int64, int]:
    """Places found level by level from pairs of (place above, id)."""
    node = np.empty(len(dense), np.int64)
    lengths = np.diff(offsets)
    rows = np.flatnonzero(lengths > 0)
    above = np.zeros(len(rows), np.int64)
    total, level = 0, 0
    while len(rows):
        at = offsets[rows] + level
        _, inverse = np.unique(above * num_ids + dense[at], return_inverse=True)
        node[at] = inverse + total
        level += 1
        longer = lengths[rows] > level
        above, rows = inverse[longer].astype(np.int64), rows[longer]
        total += int(inverse.max()) + 1
    return node, total


def _known_blocks(offsets: Int64, node: Ids, num_nodes: int, row: Int32) -> Int64:
    # numpy keeps the last of several values written to one place: backwards that is the first walker
    first = np.zeros(num_nodes, np.int32)
    first[node[::-1]] = row[::-1]
    seen = np.zeros(len(node) + 1, np.int32 if len(node) < 2**31 else np.int64)
    np.cumsum(first[node] < row, out=seen[1:])
    known: Int64 = np.diff(seen[offsets]).astype(np.int64)
    return known


def _deepest(marked: Bool, node: Ids, row: Int32, count: int) -> Int64:
    """[count] deepest marked place on each request's path, -1: none."""
    found = np.full(count, -1, np.int64)
    at = np.flatnonzero(marked[node])
    found[row[at]] = node[at]
    return found


def _latest_walker(
    node: Ids, row: Int32, goal: Int64, wanted: Int64, offsets: Int64, depth: Int64, num_nodes: int
) -> Int64:
    """For each wanted request the latest earlier one that walked through its goal."""
    marked = np.zeros(num_nodes, bool)
    marked[goal[wanted]] = True
    at = np.flatnonzero(marked[node])
    order = np.argsort(node[at], kind="stable")
    walkers = row[at[order]]
    place = np.empty(len(at), np.int64)
    place[order] = np.arange(len(at))
    own = place[np.searchsorted(at, offsets[wanted] + depth[wanted] - 1)]
    return walkers[own - 1].astype(np.int64)


def _share_with_predecessor(slot: Int64, goal: Int64, depth: Int64, losers: Int64, before: Int64) -> None:
    """Put requests without a context to take over into a group at their goal; changes `slot`.

    The first of a group must find it warm: its predecessor joins, unless the predecessor has a deeper one to warm.
    """
    if not len(losers):
        return
    slot[losers] = goal[losers]
    _, first = np.unique(goal[losers], return_index=True)
    order = first[np.argsort(depth[losers[first]], kind="stable")]
    free = ~np.isin(before[order], losers)
    slot[before[order][free]] = goal[losers[order][free]]


def _chains(previous: Int64) -> tuple[Int64, int]:
    """Context ids of requests that point to the one before them (or to themselves)."""
    root = previous
    while True:
        further = root[root]
        if bool((further == root).all()):
            break
        root = further
    is_root = root == np.arange(len(root))
    number = np.cumsum(is_root) - 1
    return number[root], int(number[-1]) + 1


def _groups(slot: Int64, offsets: Int64, node: Ids, block_tokens: int) -> tuple[Int64, Int64]:
    """Group ids in the order of their places, and their tokens; a group of one is none."""
    group = np.full(len(slot), -1, np.int64)
    members = np.flatnonzero(slot >= 0)
    places, inverse, sizes = np.unique(slot[members], return_inverse=True, return_counts=True)
    kept = sizes > 1
    group[members] = np.where(kept, np.cumsum(kept) - 1, -1)[inverse]
    depth = np.zeros(int(node.max()) + 1, np.int64)
    marked = np.zeros(len(depth), bool)
    marked[places[kept]] = True
    at = np.flatnonzero(marked[node])
    depth[node[at]] = at - offsets[np.searchsorted(offsets, at, side="right") - 1] + 1
    return group, depth[places[kept]] * block_tokens


def _without_reuse(count: int) -> PrefixReuse:
    return PrefixReuse(
        np.arange(count, dtype=np.int64),
        count,
        np.full(count, -1, np.int64),
        np.zeros(0, np.int64),
        np.zeros(count, np.int32),
    )
