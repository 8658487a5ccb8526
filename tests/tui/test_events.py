"""What counts as one event, and which event is looked at."""

from __future__ import annotations

from subsecond.engine.feed import FaultNote
from subsecond.tui.events import KEEP_EVENTS, Event, Events, Turned
from subsecond.tui.overlay import SHOWN_PS, Overlay

S = 10**12


def fault(
    at_s: float, lane: int = 0, kind: str = "slow", target: int = 0, until_s: float | None = None, drill: str = ""
):
    until = None if until_s is None else round(until_s * S)
    return FaultNote(round(at_s * S), lane, kind, target, None, until, drill)


def numbers(events: Events) -> list[tuple[int, int]]:
    return [(event.number, len(event.faults)) for event in events.all]


def test_faults_that_begin_at_one_time_are_one_event() -> None:
    events = Events()
    begun = events.add_fault(fault(5))
    assert begun is not None
    assert begun.at_ps == 5 * S
    assert events.add_fault(fault(5, lane=1)) is None
    assert events.add_fault(fault(6, lane=1)) is not None
    assert numbers(events) == [(0, 2), (1, 1)]
    assert [event.lanes for event in events.all] == [{0, 1}, {1}]


def test_a_fault_that_is_told_again_moves_the_end_of_its_event() -> None:
    events = Events()
    events.add_fault(fault(5))
    assert events.all[0].until_ps is None
    assert events.add_fault(fault(5, until_s=7)) is None
    events.add_fault(fault(5, lane=1, until_s=9))
    assert numbers(events) == [(0, 2)]
    assert events.all[0].until_ps == 9 * S


def test_the_faults_of_a_drill_are_one_event_until_it_is_held_again() -> None:
    events = Events()
    events.add_fault(fault(5, drill="rolling"))
    events.add_fault(fault(6))
    assert events.add_fault(fault(8, target=1, drill="rolling")) is None
    assert numbers(events) == [(0, 2), (1, 1)]
    assert (events.all[0].at_ps, events.all[0].last_ps) == (5 * S, 8 * S)
    assert events.add_fault(fault(20, drill="rolling")) is not None
    events.add_fault(fault(20, lane=1, drill="other"))
    assert numbers(events) == [(0, 2), (1, 1), (2, 1), (3, 1)]


def test_the_last_events_are_kept() -> None:
    events = Events()
    for second in range(20):
        events.add_turned(second * S, Turned(0, "network_ms", "5 ms"))
    assert [event.number for event in events.all] == list(range(20 - KEEP_EVENTS, 20))


def made(*at_s: float) -> list[Event]:
    return [Event(number, round(at * S), turned=Turned(0, "k", "v")) for number, at in enumerate(at_s)]


def test_the_latest_is_shown_by_itself_for_a_while() -> None:
    overlay, events = Overlay(), made(10, 20)
    assert overlay.look("run", [], 0) is None
    assert overlay.look("run", events, 20 * S) == 1
    assert overlay.look("run", events, 20 * S + SHOWN_PS - 1) == 1
    assert overlay.look("run", events, 20 * S + SHOWN_PS) is None


def test_a_fault_in_effect_stays() -> None:
    overlay = Overlay()
    for_good = [Event(0, 10 * S, (fault(10),))]
    assert overlay.look("run", for_good, 10_000 * S) == 0
    mended = [Event(0, 10 * S, (fault(10, until_s=500),))]
    assert overlay.look("run", mended, 500 * S + SHOWN_PS - 1) == 0
    assert overlay.look("run", mended, 500 * S + SHOWN_PS) is None


def test_one_after_the_other_then_none_then_the_latest_again() -> None:
    overlay, events = Overlay(), made(10, 20, 30)
    seen, shown = [], overlay.look("run", events, 31 * S)
    for _ in range(5):
        seen.append(shown)
        overlay.turn(events, shown)
        shown = overlay.look("run", events, 31 * S)
    assert seen == [2, 1, 0, None, 2]


def test_something_new_is_shown_whatever_was_chosen() -> None:
    overlay, events = Overlay(), made(10, 20, 30)
    overlay.look("run", events[:2], 21 * S)
    overlay.turn(events[:2], 1)
    assert overlay.look("run", events[:2], 22 * S) == 0
    assert overlay.look("run", events, 31 * S) == 2
    overlay.turn(events, 0)
    assert overlay.look("run", events, 32 * S) is None
    assert overlay.look("another", made(5), 6 * S) == 0


def test_what_is_old_can_be_looked_at_by_asking() -> None:
    overlay, events = Overlay(), made(10)
    late = 11 * S + SHOWN_PS
    assert overlay.look("run", events, late) is None
    overlay.turn(events, None)
    assert overlay.look("run", events, late) == 0
