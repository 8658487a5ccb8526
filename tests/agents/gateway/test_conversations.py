"""Finding the conversation that a request continues."""

from __future__ import annotations

from collections import deque

from hypothesis import given
from hypothesis import strategies as st

from subsecond.agents.gateway.conversations import ConversationBook, Placement
from subsecond.agents.wire.base import ModelRequest, Segment
from subsecond.engine.live.outside import Conversation, Ticket


class Run:
    """Places for conversations, as a live run has them."""

    def __init__(self, places: int = 4, groups: int = 2) -> None:
        self.free = deque(range(places))
        self.next = 100
        self.forgotten: list[int] = []
        self.book = ConversationBook(self.open, self.close, self.forgotten.append, groups, places)

    def open(self) -> Conversation | None:
        if not self.free:
            return None
        self.next += 1
        return Conversation(self.next, self.free.popleft())

    def close(self, conversation: Conversation) -> None:
        self.free.append(conversation.slot)

    def ask(self, *texts: str, name: str = "", is_private: bool = False, reply: int = 7) -> Placement:
        placement = self.try_ask(*texts, name=name, is_private=is_private)
        assert placement is not None
        self.book.replied(placement.conversation, reply, [Segment(b"a reply", 27)])
        return placement

    def try_ask(self, *texts: str, name: str = "", is_private: bool = False) -> Placement | None:
        segments = tuple(Segment(text.encode(), 20 + len(text)) for text in texts)
        return self.book.place(ModelRequest("r", "coding", "m", segments, conversation=name, is_private=is_private))


def busy(placement: Placement) -> None:
    placement.conversation.present = object.__new__(Ticket)


def test_a_prompt_that_extends_the_last_one_continues_its_conversation() -> None:
    run = Run()
    first = run.ask("system", "hello")
    assert first.reuse_tokens == 0
    second = run.ask("system", "hello", "a reply", "more")
    assert second.conversation is first.conversation
    assert second.reuse_tokens == 26 + 25 + 7  # both segments, and the reply as far as it was made
    third = run.ask("system", "hello", "a reply", "more", "a reply", "again")
    assert third.conversation is first.conversation
    assert third.reuse_tokens == 26 + 25 + 27 + 24 + 7


def test_a_reply_that_the_client_changed_or_left_out_was_not_computed_before() -> None:
    for following in ("another reply", "a question"):
        run = Run()
        run.ask("system", "hello", reply=1000)
        assert run.ask("system", "hello", following, "more").reuse_tokens == 26 + 25


def test_of_a_reply_that_was_spoken_counts_what_was_heard() -> None:
    run = Run()
    run.ask("system", "hello", reply=1000, name="call 1", is_private=True)
    assert run.ask("system", "hello", "x", "more", name="call 1", is_private=True).reuse_tokens == 26 + 25 + 21


def test_a_prompt_without_instructions_is_extended_too() -> None:
    run = Run()
    first = run.ask("hello")
    second = run.ask("hello", "a reply", "more")
    assert second.conversation is first.conversation
    assert second.reuse_tokens == 25 + 7
    assert run.ask("hello", "other").conversation is not first.conversation


def test_the_same_prompt_again_is_found_but_for_its_last_token() -> None:
    run = Run()
    first = run.ask("system", "hello")
    again = run.ask("system", "hello")
    assert again.conversation is first.conversation
    assert again.reuse_tokens == 26 + 25 - 1


def test_a_conversation_that_waits_for_a_reply_is_not_disturbed() -> None:
    run = Run()
    first = run.ask("system", "hello")
    busy(first)
    second = run.ask("system", "hello", "reply", "more")
    assert second.conversation is not first.conversation
    assert second.reuse_tokens == 0
    assert (second.group, second.group_tokens) == (first.group, 26)


def test_equal_instructions_are_a_group_and_no_conversation() -> None:
    run = Run()
    first, second, other = run.ask("system", "hello"), run.ask("system", "bye"), run.ask("another", "hello")
    assert first.conversation is not second.conversation
    assert first.group == second.group == 0
    assert other.group == 1
    run.ask("third", "hello")
    assert run.forgotten == [0]
    assert run.ask("another", "hello").group == 1


def test_a_name_finds_its_conversation_whatever_the_prompt_and_nobody_elses() -> None:
    run = Run()
    first = run.ask("system", "hello", name="call 1", is_private=True)
    assert run.ask("system", "hello", "reply", "x").conversation is not first.conversation
    changed = run.ask("system", "changed", name="call 1", is_private=True)
    assert changed.conversation is first.conversation
    assert changed.reuse_tokens == 26
    run.book.drop("call 1")
    after = run.ask("system", "changed", name="call 1", is_private=True)
    assert after.conversation is not first.conversation


def test_the_prompt_says_more_than_a_name_of_which_there_are_branches() -> None:
    run = Run()
    first = run.ask("system", "hello", name="root")
    busy(first)
    second = run.ask("system", "hello", "a reply", "left", name="root")
    first.conversation.present = None
    assert run.ask("system", "hello", "a reply", "left", "x", name="root").conversation is second.conversation
    assert run.ask("changed", "other", name="root").conversation is second.conversation


def test_a_conversation_goes_on_without_its_name() -> None:
    run = Run()
    first = run.ask("system", "hello", name="one")
    second = run.ask("system", "hello", "a reply", "more", name="two")
    assert second.conversation is first.conversation


def test_the_conversation_not_used_for_longest_makes_way() -> None:
    run = Run(places=2)
    first, second = run.ask("a", "1"), run.ask("b", "2")
    run.ask("a", "1", "r", "3")
    third = run.ask("c", "4")
    assert third.conversation.slot == second.conversation.slot
    busy(first)
    busy(third)
    assert run.try_ask("d", "5") is None


def test_as_many_make_way_as_a_new_conversation_needs() -> None:
    """The place of one that is closed may be free only later."""
    run = Run(places=3)
    held: list[Conversation] = []

    def close(conversation: Conversation) -> None:
        held.append(conversation)
        if len(held) == 2:
            run.free.append(conversation.slot)

    run.book = ConversationBook(run.open, close, run.forgotten.append, 2, 3)
    for name in "abc":
        run.ask(name, "1")
    assert run.ask("d", "1").conversation.slot == held[1].slot
    assert len(run.book) == 2
    run.book.abandon(held[0])  # which is over
    assert len(run.book) == 2


def test_some_places_are_kept_free() -> None:
    run = Run(places=16)
    for number in range(40):
        run.ask(str(number), "1")
        assert len(run.book) <= 14
    assert len(run.free) == 2


@given(st.lists(st.lists(st.sampled_from("abc"), min_size=1, max_size=5), max_size=40))
def test_reuse_is_never_more_than_what_two_prompts_share(prompts: list[list[str]]) -> None:
    run = Run(places=3)
    last: dict[int, list[str]] = {}
    for prompt in prompts:
        placement = run.ask(*prompt)
        before = last.get(placement.conversation.number, [])
        common = 0
        while common < min(len(before), len(prompt)) and before[common] == prompt[common]:
            common += 1
        assert placement.reuse_tokens <= 21 * common
        assert 0 <= placement.reuse_tokens < 21 * len(prompt)
        last[placement.conversation.number] = prompt
    assert len(run.book) <= 3
    assert len(run.free) + len(run.book) == 3
    links = {link for known in run.book._known.values() for link in known.links}
    assert set(run.book._by_link) == links
