"""Which change closes the gap, on cases whose answer is known."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest

from subsecond.agents.study.changes import Change, applied, load_changes
from subsecond.agents.study.gap import GapQuestion, GapStudy, LaneGap, gap_study
from subsecond.agents.study.gap_document import gap_document
from subsecond.agents.study.points import Base, Point, load_base, run_point
from subsecond.engine.confidence import Share
from subsecond.engine.errors import InputError

#: Runs of each variant: enough for an interval that tells what is more than chance.
REPLICAS = 6


def base(*settings: str) -> Base:
    found = load_base("playground", pipelines=["gpu"], settings=["duration_s=120", "coding.sessions=12", *settings])
    tables = {**found.tables, "agents": found.tables["agents"][:1], "budgets": {"coding": ["agent-step"]}}
    return Base(tables, Path("small.toml"))


def change(name: str, effort: str = "setting", sort: str = "", role: str = "change", **settings: object) -> Change:
    return Change(name, ("gpu",), effort, sort or name, "a test", "a test", "assumed", role, settings)


def lane_of(changes: list[Change], percentile: float, on: Base | None = None, **asked: int) -> LaneGap:
    question = GapQuestion(percentile=percentile, replicas=REPLICAS, **asked)  # type: ignore[arg-type]  # by a test
    (lane,) = gap_study(on or base(), changes, question, threads=1).lanes
    return lane


#: A budget that no turn meets.
NEVER = {"agents": "coding", "turn_ms": 1}
SLOW = change("slow", max_seqs=1)
NOTHING = change("nothing", max_seqs=256)
NODES = change("nodes", "machines", "nodes", replicas=8)
DRAFTS = change("drafts", "software", draft_tokens=8, kept_tokens=9)
CHUNKS = change("chunks", token_budget=4096)


def share(*changes: Change) -> float:
    """Turns in time with some changes, reckoned without the study."""
    own = applied(base(), "gpu", changes)
    counts = [
        run_point(own, Point(seed=seed))[0].groups["coding"].budget("agent-step") for seed in range(1, 1 + REPLICAS)
    ]
    return sum(c.met for c in counts) / sum(c.met + c.missed for c in counts)


def test_every_variant_is_a_run_of_the_scenario_with_its_settings() -> None:
    lane = lane_of([SLOW, NODES, DRAFTS], 100)
    for variant in (lane.plain, *lane.singles, *lane.combined, lane.everything):
        assert variant is not None
        assert variant.attainment == share(*variant.changes)


def test_what_changes_nothing_has_exactly_no_effect() -> None:
    lane = lane_of([NOTHING], 100)
    (variant,) = lane.singles
    assert variant.outcome is not None
    assert lane.plain.outcome is not None
    assert variant.attainment == lane.plain.attainment
    assert variant.outcome.digest == lane.plain.outcome.digest
    document = gap_document(gap_study(base(), [NOTHING], GapQuestion(replicas=1)))
    assert document["lanes"][0]["singles"][0]["effect"] == 0
    assert document["lanes"][0]["singles"][0]["is_same"]


def test_a_budget_that_is_kept_anyway_needs_no_change() -> None:
    lane = lane_of([SLOW, DRAFTS], 1)
    assert lane.plain.is_kept
    assert (lane.answer, lane.combined, lane.needs) == (None, (), ())


def test_none_of_these_says_what_would_have_to_shrink() -> None:
    lane = lane_of([SLOW, DRAFTS, NODES], 100)
    assert lane.answer is None
    assert lane.combined
    assert lane.needs
    assert lane.best.attainment == max(v.attainment for v in (lane.plain, *lane.tried))


def test_nothing_that_helps_leaves_the_pipeline_as_it_is() -> None:
    lane = lane_of([SLOW], 100)
    assert lane.best is lane.plain
    assert lane.answer is None


def test_the_smallest_effort_wins_and_the_first_in_the_file() -> None:
    plain, drafts = share(), share(DRAFTS)
    assert plain < drafts
    between = 50 * (plain + drafts)
    again = change("drafts again", "software", "drafts", draft_tokens=8, kept_tokens=9)
    larger = change("drafts with nodes", "machines", draft_tokens=8, kept_tokens=9, replicas=8)
    for changes in ([larger, DRAFTS, again], [DRAFTS, again, larger]):
        lane = lane_of([SLOW, *changes], between)
        assert lane.answer is not None
        assert lane.answer.changes == (DRAFTS,)


def test_bounds_and_guesses_are_shown_and_never_the_answer() -> None:
    for role in ("bound", "unknown", "worth"):
        perfect = change("perfect", "software", "drafts", role, draft_tokens=8, kept_tokens=9)
        lane = lane_of([perfect], 50 * (share() + share(DRAFTS)))
        assert lane.singles[0].is_kept
        assert lane.answer is None


def test_changes_are_combined_where_one_is_not_enough() -> None:
    first = change("first", "software", draft_tokens=8, kept_tokens=6)
    alone, together = max(share(first), share(NODES)), share(first, NODES)
    assert together > alone
    lane = lane_of([SLOW, first, NODES], 50 * (alone + together))
    assert lane.answer is not None
    assert sorted(made.name for made in lane.answer.changes) == ["first", "nodes"]
    assert lane.answer.effort == "machines"
    assert any(len(variant.changes) == 2 for variant in lane.combined)
    assert lane_of([first, NODES], 50 * (alone + together), steps=1).combined == ()


def test_an_answer_holds_nothing_that_it_does_not_need() -> None:
    alone, together = max(share(DRAFTS), share(NODES)), share(DRAFTS, NODES)
    lane = lane_of([CHUNKS, DRAFTS, NODES], 50 * (alone + together))
    assert lane.answer is not None
    for left in lane.answer.changes:
        fewer = [made for made in lane.answer.changes if made is not left]
        assert not fewer or 100 * share(*fewer) < 50 * (alone + together)


def test_changes_of_one_sort_are_not_combined() -> None:
    other = change("more nodes", "machines", "nodes", replicas=16)
    lane = lane_of([NODES, other, DRAFTS], 100)
    assert all(len({c.sort for c in v.changes}) == len(v.changes) for v in lane.tried)
    assert lane.everything is not None
    assert len(lane.everything.changes) == 2


def test_a_change_that_cannot_be_made_here_says_why() -> None:
    lane = lane_of([change("odd", tensor_parallel=3), DRAFTS], 100)
    assert "tensor_parallel" in lane.singles[0].problem
    assert lane.singles[0].share is None
    document = gap_document(gap_study(base(), [change("odd", tensor_parallel=3)], GapQuestion(replicas=1)))
    assert "tensor_parallel" in document["lanes"][0]["singles"][0]["problem"]


def test_what_may_be_chance_is_told_and_not_taken_along() -> None:
    lane = lane_of([CHUNKS, DRAFTS, NODES], 100)
    chunks, drafts, _ = lane.singles
    assert chunks.effect is not None
    assert drafts.effect is not None
    assert drafts.is_clear
    assert drafts.effect.value == drafts.attainment - lane.plain.attainment
    assert not chunks.is_clear
    assert all(v is None or CHUNKS not in v.changes for v in (lane.software, lane.everything))
    assert (lane.plain.effect, lane.plain.is_clear) == (Share(0, 0, 0), False)


def test_better_numbers_are_never_worse() -> None:
    """Alone on a pipeline, a turn gains from more tokens per step and from faster products."""
    single = base("coding.sessions=1")
    kept = [change(f"kept {n}", draft_tokens=8, kept_tokens=n) for n in (2, 4, 6, 9)]
    lane = lane_of(kept, 100, single)
    assert [v.attainment for v in lane.singles] == sorted(v.attainment for v in lane.singles)
    means = [v.outcome.groups["coding"].mean_ps for v in lane.singles if v.outcome is not None]
    assert means == sorted(means, reverse=True)


def study(threads: int) -> GapStudy:
    both = load_base("playground", settings=["duration_s=100", "coding.sessions=6", "voice.sessions=6"])
    return gap_study(both, load_changes(), GapQuestion(replicas=1, steps=2), threads=threads)


def test_the_number_of_threads_changes_nothing() -> None:
    assert msgspec.json.encode(gap_document(study(1))) == msgspec.json.encode(gap_document(study(3)))


@pytest.mark.parametrize(
    ("asked", "expected"),
    [
        ({"replicas": 0}, "--replicas"),
        ({"steps": 0}, "--steps"),
        ({"budget": "none-such"}, "--budget"),
        ({"kind": "voice"}, "--agents"),
        ({"percentile": 101}, "--percentile"),
    ],
)
def test_bad_questions_are_answered_in_a_line(asked: dict[str, object], expected: str) -> None:
    with pytest.raises(InputError, match=expected):
        gap_study(base(), [], GapQuestion(**asked))  # type: ignore[arg-type]  # by a test


def test_turns_in_time_per_second_are_those_of_the_budget_asked_for() -> None:
    both = base()
    both = Base({**both.tables, "budgets": {"coding": ["agent-step"], "never": NEVER}}, both.path)
    found = gap_study(both, [NODES], GapQuestion(replicas=2))
    document = gap_document(found)["lanes"][0]
    (single,) = found.lanes[0].singles
    for variant, shown in ((found.lanes[0].plain, document["plain"]), (single, document["singles"][0])):
        assert variant.outcome is not None
        group = variant.outcome.groups["coding"]
        assert group.met_all == 0
        assert shown["in_time_per_s"] * 240 == pytest.approx(group.budget("agent-step").met)


def test_a_time_without_turns_is_no_answer() -> None:
    with pytest.raises(InputError, match="turns that count"):
        gap_study(base("duration_s=0.001"), [], GapQuestion(replicas=1))
