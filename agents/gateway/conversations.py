"""Which requests of outside agents continue which: a conversation is found by what its prompt has in common.

Clients of stateless protocols send their whole context every time. What a prompt shares with the one before it needs no
computing if the pipeline still holds it, and only one conversation can go on from one state. So each request is given
to the idle conversation whose last prompt it extends, or shares most with, else to the one of its name; else it begins
one. Private conversations are found by name alone. Instructions and tools, the first segment, are shared by all
conversations that begin with them.
"""

from __future__ import annotations

import hashlib
import itertools
from collections import OrderedDict
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Final

from subsecond.agents.wire.base import ModelRequest, Segment
from subsecond.engine.live.outside import Conversation

__all__ = ["ConversationBook", "Placement"]

#: Tokens from which on a first segment is worth being shared: a block of vLLM's prefix cache.
LEAST_SHARED: Final = 16
#: Idle conversations that are given up at most for a new one: a place is free when every pipeline has done with it.
MAKE_WAY: Final = 16
#: One part in so many of the places is kept free, for pipelines that have not done with a conversation at once.
MARGIN: Final = 8


@dataclass(slots=True)
class _Known:
    """What is known of a conversation: the chain of its last prompt with the tokens up to each link, and its reply.

    Attributes:
        said: the reply as a client repeats it that repeats it unchanged.
    """

    conversation: Conversation
    name: str = ""
    is_private: bool = False
    chain: list[bytes] = field(default_factory=list)
    tokens: list[int] = field(default_factory=list)
    reply_tokens: int = 0
    said: Sequence[Segment] = ()

    @property
    def links(self) -> Sequence[bytes]:
        """By which it is found: a first segment that others follow is shared by group."""
        return self.chain if len(self.chain) == 1 else self.chain[1:]


@dataclass(frozen=True, slots=True)
class Placement:
    """Where a request goes.

    Attributes:
        reuse_tokens: leading tokens of its prompt that the conversation's last request left.
        group: number of the shared first segment, -1 for none, with its tokens.
    """

    conversation: Conversation
    reuse_tokens: int
    group: int
    group_tokens: int


class ConversationBook:
    """The conversations of a run.

    Args:
        open_one: opens a conversation in the run; None: all of its places are taken.
        close_one: closes one.
        forget_group: lets the number of a shared segment stand for another one.
        groups: how many shared segments there can be at a time.
        places: how many conversations the run has places for.
    """

    def __init__(
        self,
        open_one: Callable[[], Conversation | None],
        close_one: Callable[[Conversation], None],
        forget_group: Callable[[int], None],
        groups: int,
        places: int,
    ) -> None:
        self._open_one = open_one
        self._close_one = close_one
        self._forget_group = forget_group
        #: By session number, the one used last at the end.
        self._known: OrderedDict[int, _Known] = OrderedDict()
        self._by_name: dict[str, int] = {}
        #: Link of a chain -> conversations whose last prompt has it, in order of use.
        self._by_link: dict[bytes, dict[int, None]] = {}
        self._groups: OrderedDict[bytes, int] = OrderedDict()
        self._num_groups = groups
        #: From so many on an idle one is given up with every new one, so that its place is free when it is needed.
        self._most = places - places // MARGIN

    def __len__(self) -> int:
        return len(self._known)

    def place(self, request: ModelRequest) -> Placement | None:
        """The conversation that a request continues, or a new one; None: there is no place for another."""
        chain, tokens = _chain(request.segments)
        known = self._found(request, chain) or self._begin()
        if known is None:
            return None
        reuse = _reuse(known, chain, tokens, request.segments)
        group, group_tokens = self._group(request.segments)
        self._note(known, request, chain, tokens)
        return Placement(known.conversation, reuse, group, group_tokens)

    def replied(self, conversation: Conversation, tokens: int, said: Sequence[Segment]) -> None:
        """A request has made so many tokens: they are held with its prompt."""
        known = self._known.get(conversation.number)
        if known is not None:
            known.reply_tokens, known.said = tokens, said

    def abandon(self, conversation: Conversation) -> None:
        """A conversation is over, whatever it waits for."""
        known = self._known.get(conversation.number)
        if known is not None:
            self._close(known)

    def drop(self, name: str) -> None:
        """The client of a named conversation has gone."""
        number = self._by_name.get(name)
        if number is not None:
            self._close(self._known[number])

    def _found(self, request: ModelRequest, chain: Sequence[bytes]) -> _Known | None:
        for link in () if request.is_private else reversed(chain):
            for number in reversed(self._by_link.get(link, {})):
                known = self._known[number]
                if known.conversation.present is None and not known.is_private:
                    return known
        named = self._known.get(self._by_name.get(request.conversation, -1))
        return named if named is not None and named.conversation.present is None else None

    def _begin(self) -> _Known | None:
        if len(self._known) >= self._most:
            self._give_up_one()
        conversation = self._open_one()
        if conversation is None:
            idle = (known for known in self._known.values() if known.conversation.present is None)
            for known in list(itertools.islice(idle, MAKE_WAY)):
                self._close(known)
                conversation = self._open_one()
                if conversation is not None:
                    break
            else:  # all of them are still at work on a pipeline that shadows the one that has replied
                return None
        known = _Known(conversation)
        self._known[conversation.number] = known
        return known

    def _give_up_one(self) -> None:
        idle = next((known for known in self._known.values() if known.conversation.present is None), None)
        if idle is not None:
            self._close(idle)

    def _close(self, known: _Known) -> None:
        self._forget(known)
        del self._known[known.conversation.number]
        if self._by_name.get(known.name) == known.conversation.number:
            del self._by_name[known.name]
        self._close_one(known.conversation)

    def _forget(self, known: _Known) -> None:
        for link in known.links:
            having = self._by_link[link]
            having.pop(known.conversation.number, None)
            if not having:
                del self._by_link[link]

    def _note(self, known: _Known, request: ModelRequest, chain: list[bytes], tokens: list[int]) -> None:
        number = known.conversation.number
        self._forget(known)
        if request.conversation and not known.name:
            known.name, known.is_private = request.conversation, request.is_private
            self._by_name[known.name] = number
        known.chain, known.tokens, known.reply_tokens, known.said = chain, tokens, 0, ()
        for link in known.links:
            self._by_link.setdefault(link, {})[number] = None
        self._known.move_to_end(number)

    def _group(self, segments: Sequence[Segment]) -> tuple[int, int]:
        if not segments or segments[0].tokens < LEAST_SHARED:
            return -1, 0
        key = segments[0].key
        if key not in self._groups:
            if len(self._groups) < self._num_groups:
                self._groups[key] = len(self._groups)
            else:
                _, number = self._groups.popitem(last=False)
                self._forget_group(number)
                self._groups[key] = number
        self._groups.move_to_end(key)
        return self._groups[key], segments[0].tokens


def _chain(segments: Sequence[Segment]) -> tuple[list[bytes], list[int]]:
    """By segment, a digest of all segments up to it, and their tokens in all."""
    links, tokens = [], []
    digest, total = hashlib.blake2b(digest_size=16), 0
    for segment in segments:
        digest.update(segment.key)
        total += segment.tokens
        links.append(digest.digest())
        tokens.append(total)
    return links, tokens


def _reuse(known: _Known, chain: Sequence[bytes], tokens: Sequence[int], segments: Sequence[Segment]) -> int:
    """Leading tokens of a prompt that a conversation left: what both prompts have, and the reply if that follows."""
    common = 0
    while common < min(len(chain), len(known.chain)) and chain[common] == known.chain[common]:
        common += 1
    reuse = tokens[common - 1] if common else 0
    if common and common == len(known.chain):
        reuse += min(known.reply_tokens, _repeated(known, segments[common:]))
    return min(reuse, tokens[-1] - 1)


def _repeated(known: _Known, following: Sequence[Segment]) -> int:
    """Tokens with which a prompt repeats a conversation's reply."""
    if known.is_private:  # kept by us; of a spoken reply, as far as it was heard
        return following[0].tokens if following else 0
    repeated = 0
    for own, given in zip(known.said, following, strict=False):
        if own.key != given.key:
            break
        repeated += given.tokens
    return repeated
