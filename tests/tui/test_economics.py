"""Costs on the dashboard are those that the engine's economics come to on the same turns."""

from __future__ import annotations

import math

import msgspec
import pytest
from support.feeds import playground

from subsecond.agents.study.points import Point, load_base, plan_point
from subsecond.engine.catalog import catalog
from subsecond.engine.economics.amount import Amount, hourly_amount
from subsecond.engine.economics.break_even import Side, Verdict, break_even
from subsecond.engine.economics.costs import Work, costs_of
from subsecond.engine.economics.rates import HourlyCost, hourly_cost, own_prices
from subsecond.engine.feed import Clock, Hello, Message, TurnEnd
from subsecond.engine.turns import TurnState
from subsecond.tui.economics import BreakEvenLine, LaneMoney, Prices, busy_share, moneys_of, pairs_of
from subsecond.tui.model import Model
from subsecond.tui.money import amount_text, break_even_words, standing_words, usd_text
from subsecond.tui.snapshot import Snapshot

S = 10**12
MESSAGES = playground()
HELLO = MESSAGES[0]
assert isinstance(HELLO, Hello)


def snapshot_of(messages: tuple[Message, ...] = MESSAGES, window_s: int = 60) -> Snapshot:
    hello, *rest = messages
    assert isinstance(hello, Hello)
    model = Model(hello, window_s=window_s)
    for message in rest:
        model.add(message)
    return model.snapshot()


def is_in_time(turn: TurnEnd, basis: int) -> bool:
    """Whether a turn has met every budget of its kind, or the one of a place among them."""
    met = [met for met in turn.met if met >= 0]
    return all(met) if basis == 0 else bool(met[min(basis, len(met)) - 1])


def counted(lane: int, after_ps: int, until_ps: int, basis: int = 0) -> Work:
    """Work by looking at every turn: those that ended after one instant, and until another."""
    turns = [m for m in MESSAGES if isinstance(m, TurnEnd) and m.lane == lane and after_ps <= m.end_ps < until_ps]
    answered = [turn for turn in turns if turn.state == TurnState.ANSWERED]
    return Work(
        hours=(until_ps - max(0, after_ps)) / S / 3600,
        turns=len(answered),
        in_time=sum(is_in_time(turn, basis) for turn in answered),
        prompt_tokens=sum(turn.prompt_tokens for turn in turns),
        hit_tokens=sum(turn.hit_tokens for turn in turns),
        output_tokens=sum(turn.output_tokens for turn in turns),
    )


@pytest.fixture(scope="module")
def costs() -> list[HourlyCost]:
    plan = plan_point(load_base("playground", settings=("duration_s=1",)), Point())
    return [hourly_cost(built, catalog()) for built in plan.pipelines.values()]


@pytest.mark.parametrize("window_s", [7, 60])
@pytest.mark.parametrize("basis", [0, 1, 2])
def test_costs_are_the_engines_on_the_same_turns(costs: list[HourlyCost], window_s: int, basis: int) -> None:
    snapshot = snapshot_of(window_s=window_s)
    end = snapshot.at_ps
    for place, money in enumerate(moneys_of(snapshot, Prices(basis=basis))):
        now, whole = (counted(place, since, end + 1, basis) for since in (end - window_s * S + 1, 0))
        for mine, theirs in ((money.work.now, now), (money.work.whole, whole)):
            assert math.isclose(mine.hours, theirs.hours, rel_tol=1e-9)
            assert mine == in_other_hours(theirs, mine.hours)
            assert theirs.in_time > 5
            assert [(c.key, c.amount) for c in money.costs(mine)] == [
                (c.key, c.amount) for c in costs_of(costs[place], mine)
            ]


def in_other_hours(work: Work, hours: float) -> Work:
    """The work in another time, for times that are rounded otherwise."""
    return Work(hours, work.turns, work.in_time, work.prompt_tokens, work.hit_tokens, work.output_tokens)


def test_the_line_is_the_break_even_of_each_second_on_its_own(costs: list[HourlyCost]) -> None:
    window_s = 7
    snapshot = snapshot_of(window_s=window_s)
    (pair,) = pairs_of(moneys_of(snapshot, Prices()))
    assert (pair.a.name, pair.b.name, pair.device) == ("trn-cs3", "gpu", "wse-3")
    seconds, values = BreakEvenLine().points(pair)
    assert seconds == list(range(window_s - 1, 60)), "those that look back as far as the others"
    for second, value in zip(seconds, values, strict=True):
        sides = []
        for place, cost in enumerate(costs):
            work = counted(place, (second + 1 - window_s) * S, (second + 1) * S)
            sides.append(Side(hourly_amount(cost), work.per_hour(work.in_time), work.per_hour(work.output_tokens)))
        expected = break_even(*sides).usd_per_device_hour
        assert value == (None if expected is None else pytest.approx(expected))
    assert len({value for value in values if value is not None}) > 5, "it moves with the load"


def test_turns_in_time_are_more_the_fewer_budgets_they_must_meet() -> None:
    snapshot = snapshot_of()
    (found,) = {len(lane.works) for lane in snapshot.lanes}
    assert found == 3, "every budget of its kind, and as many as voice has"
    for lane in snapshot.lanes:
        every, slow_line, second = (work.whole.in_time for work in lane.works)
        assert every == slow_line < second
    prices = Prices()
    seen = []
    for _ in range(4):
        seen.append(prices.basis)
        prices = prices.next_basis(snapshot)
    assert seen == [0, 1, 2, 0]
    assert moneys_of(snapshot, Prices(basis=9))[0].work is snapshot.lanes[0].works[2], "of a run with more budgets"


def test_a_line_that_is_asked_again_and_again_is_as_if_asked_once() -> None:
    line = BreakEvenLine()
    prices = [Prices(), Prices().with_own("h200-sxm", 2.0), Prices(way="spot"), Prices()]
    for some in prices:
        (pair,) = pairs_of(moneys_of(snapshot_of(), some))
        assert line.points(pair) == BreakEvenLine().points(pair)


def test_an_own_price_is_that_of_the_engine(costs: list[HourlyCost]) -> None:
    snapshot = snapshot_of()
    plan = plan_point(load_base("playground", settings=("duration_s=1",)), Point())
    given = {"wse-3": 31.0, "h200-sxm": 3.5}
    prices = Prices()
    for device, usd in given.items():
        prices = prices.with_own(device, usd)
    own = own_prices(given, catalog(), "--price")
    for money, built in zip(moneys_of(snapshot, prices), plan.pipelines.values(), strict=True):
        assert money.cost.usd == hourly_cost(built, catalog(), own=own).usd
        assert money.listed.usd == hourly_cost(built, catalog()).usd
    assert prices.with_own("wse-3", None).own == {"h200-sxm": 3.5}


def test_just_below_the_break_even_a_is_cheaper_and_just_above_it_is_not() -> None:
    snapshot = snapshot_of()
    (pair,) = pairs_of(moneys_of(snapshot, Prices()))
    price = pair.break_even(*pair.now).usd_per_device_hour
    assert price is not None
    for factor, is_cheaper in ((0.999, True), (1.001, False)):
        (tried,) = pairs_of(moneys_of(snapshot, Prices().with_own("wse-3", price * factor)))
        mine, theirs = (m.per_turn_in_time(w) for m, w in zip((tried.a, tried.b), tried.now, strict=True))
        assert mine is not None
        assert theirs is not None
        assert (mine < theirs) == is_cheaper
        assert tried.break_even(*tried.now).usd_per_device_hour == pytest.approx(price), "one's own price leaves it"


def test_busy_is_what_the_gauges_say() -> None:
    snapshot = snapshot_of()
    for lane in snapshot.lanes:
        assert lane.gauges is not None
        for place, server in enumerate(lane.info.servers):  # one server each
            assert busy_share(lane, server.role) == pytest.approx(
                lane.gauges.servers[place].busy_ps / lane.gauges.at_ps
            )
            assert 0 < (busy_share(lane, server.role, 10) or 0) <= 1
        assert busy_share(lane, "nothing of it") is None
    assert busy_share(snapshot_of(MESSAGES[:1]).lanes[0], "prefill") is None


def test_without_parts_nothing_is_known_and_nothing_fails() -> None:
    lanes = tuple(msgspec.structs.replace(lane, parts=()) for lane in HELLO.lanes)
    snapshot = snapshot_of((msgspec.structs.replace(HELLO, lanes=lanes), *MESSAGES[1:]))
    assert moneys_of(snapshot, Prices()) == ()
    assert pairs_of(()) == []


def test_before_the_first_turn_there_is_a_cost_of_an_hour_alone() -> None:
    snapshot = snapshot_of((HELLO, Clock(5 * S, 0.0, 1.0, False, 0.0, 0.0)))
    moneys = moneys_of(snapshot, Prices())
    for money in moneys:
        by_key = {cost.key: cost.amount for cost in money.costs(money.work.now)}
        assert by_key.pop("hour") is not None
        assert set(by_key.values()) == {None}
    (pair,) = pairs_of(moneys)
    assert pair.break_even(*pair.now).verdict is Verdict.NEITHER
    assert "no turn was in time" in break_even_words(pair, pair.break_even(*pair.now))


def named(name: str, place: int, cost: HourlyCost) -> LaneMoney:
    lane = snapshot_of().lanes[0]
    return LaneMoney(place, lane, lane.works[0], cost, cost)


def test_pairs_ask_for_prices_that_are_not_public_against_those_that_are(costs: list[HourlyCost]) -> None:
    split, gpu = costs
    moneys = [named("a", 0, gpu), named("b", 1, split), named("c", 2, split), named("d", 3, gpu)]
    pairs = [(pair.a.place, pair.b.place, pair.device) for pair in pairs_of(moneys)]
    assert pairs == [
        (1, 0, "wse-3"),
        (1, 3, "wse-3"),
        (2, 0, "wse-3"),
        (2, 3, "wse-3"),
        (1, 2, "wse-3"),
        (2, 1, "wse-3"),
    ]
    public = [(pair.a.place, pair.b.place, pair.device) for pair in pairs_of([moneys[0], moneys[3]])]
    assert public == [(0, 3, None)]


@pytest.mark.parametrize(
    ("usd", "text"),
    [
        (None, "-"),
        (0.0, "0"),
        (63.296, "63.30"),
        (0.0412, "0.0412"),
        (0.000444, "0.00044"),
        (1234.4, "1,234"),
        (0.9999, "1.000"),
        (-0.5, "-0.500"),
        (1e-12, "0.0000000"),
    ],
)
def test_sums_are_written_with_three_figures(usd: float | None, text: str) -> None:
    assert usd_text(usd) == text


def test_amounts_name_what_they_hang_on() -> None:
    symbols = {"wse-3": "X", "lpu": "Y"}
    assert amount_text(Amount(35.76, {"wse-3": 4}), symbols) == "35.76 + 4.00 X"
    assert amount_text(Amount(0.0, {"wse-3": 4, "lpu": 0.5}), symbols) == "4.00 X + 0.500 Y"
    assert amount_text(Amount(0.0), symbols) == "0"
    assert amount_text(None, symbols) == "-"


def test_who_is_cheaper_and_by_how_much() -> None:
    assert standing_words("a", 1.0, "b", 2.0) == "a turn in time is 50 % cheaper on a than on b: a 1.00, b 2.00 USD"
    assert standing_words("a", 2.0, "b", 1.0) == "a turn in time is 50 % cheaper on b than on a: a 2.00, b 1.00 USD"
    assert standing_words("a", None, "b", 1.0) == ""
