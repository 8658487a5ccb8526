"""Voice agents: populations have the statistics of their sources, times add up, profiles set their stages.

Figures of EVA (ServiceNow/eva, 136 conversations), tau-bench and HarperValleyBank are quantiles of the data, of
vendors the printed ones (pipecat-ai/stt-benchmark; Coval by way of gradium.ai).
"""

from __future__ import annotations

import hashlib
from functools import cache

import numpy as np
import pytest

from subsecond.agents.parameters import load_document
from subsecond.agents.voice import draw_voice, voice_parameters
from subsecond.agents.voice_stages import profile_names, stage_names
from subsecond.engine.catalog import Catalog
from subsecond.engine.core.config import Workload
from subsecond.engine.errors import InputError

MS = 10**9
S = 10**12
DECILES = (10, 25, 50, 75, 90)


def drawn(
    sessions: int = 20,
    seed: int = 1,
    overrides: dict[str, object] | None = None,
    profile: str | None = None,
    **how: float,
) -> Workload:
    parameters = voice_parameters(profile, overrides)
    return draw_voice(parameters, sessions=sessions, seed=seed, **how)  # type: ignore[arg-type]  # a test's own options


@cache
def population() -> Workload:
    return drawn(4000, seed=3, arrival_rate_per_s=10.0)


def turn_ends(work: Workload) -> np.ndarray:
    return np.append(np.flatnonzero(np.diff(work.turn)), work.num_requests - 1)


def turn_begins(work: Workload) -> np.ndarray:
    return np.append(0, np.flatnonzero(np.diff(work.turn)) + 1)


def session_of_turn(work: Workload) -> np.ndarray:
    return np.searchsorted(work.session_first_request, turn_begins(work), side="right") - 1


def close(values: np.ndarray, quantiles: list[float], rel: float, at: tuple[float, ...] = DECILES) -> None:
    assert np.percentile(values, at).tolist() == pytest.approx(quantiles, rel=rel)


def test_turns_per_call() -> None:
    """Let's Go, 141,390 calls of real people: 13.088 turns per call."""
    assert population().num_turns / population().num_sessions == pytest.approx(13.088, rel=0.03)


def test_replies() -> None:
    """EVA without the canned greetings, and agent_reply_tokens of session_stats.json with them: 97 of 662."""
    replies = population().output_tokens[turn_ends(population())]
    close(replies, [29, 38, 76, 112, 150.6], 0.04)
    greetings = np.full(round(len(replies) * 97 / 565), 9)
    both = np.concatenate((replies, greetings))
    close(both, [9, 32, 64, 104, 143.9], 0.08)
    assert both.mean() == pytest.approx(71.8, rel=0.05)


def test_utterances_and_tool_results_make_the_prompts_grow() -> None:
    """EVA, user_utterance_tokens: the difference of prompts across turns without the reply in between."""
    work = drawn(3000, overrides={"barge_in.share": 0})
    begins = turn_begins(work)
    inner = np.setdiff1d(begins, work.session_first_request[:-1])
    said = work.prompt_tokens[inner] - work.prompt_tokens[inner - 1] - work.output_tokens[inner - 1]
    close(said, [12, 17, 22, 38, 49], 0.05)
    tools = np.setdiff1d(np.arange(work.num_requests), begins)
    results = work.prompt_tokens[tools] - work.prompt_tokens[tools - 1] - work.output_tokens[tools - 1]
    close(results, [1, 10, 243.5, 295, 344.7], 0.05)


def test_tool_turns() -> None:
    """tau-bench: 1.647 model calls per user turn; tool_call_tokens."""
    work = population()
    assert work.num_requests / work.num_turns == pytest.approx(1.647, rel=0.02)
    calls = np.setdiff1d(np.arange(work.num_requests), turn_ends(work))
    close(work.output_tokens[calls], [52.3, 54, 57, 80, 122], 0.04)
    assert (work.milestone_tokens[calls] == work.output_tokens[calls]).all()
    assert not work.hold_ps[calls].any()
    assert not work.is_barge_in[calls].any()


def test_users_take_their_time() -> None:
    """HarperValleyBank, caller_gap_after_agent_s."""
    constant = {"utterance.tokens": 447, "endpointing.time": 400, "audio.one_way": 10, "barge_in.share": 0}
    work = drawn(2000, overrides={**constant, "speech_to_text.time": 100})
    inner = np.setdiff1d(turn_begins(work), work.session_first_request[:-1])
    pause_s = (work.gap_ps[inner] - 100 * S - 410 * MS) / S
    close(pause_s, [0.906, 1.235, 1.46, 1.645, 2.142], 0.02)


def test_barge_in_share() -> None:
    assert population().is_barge_in.sum() / population().num_turns == pytest.approx(0.15, abs=0.006)
    assert not drawn(overrides={"barge_in.share": 0}).is_barge_in.any()
    assert drawn(overrides={"barge_in.share": 1}).is_barge_in[turn_ends(drawn(overrides={"barge_in.share": 1}))].all()


def test_systems_yield_within_a_second_or_so() -> None:
    """tau2-bench, agent_yield_latency_after_barge_in_s, behind first audio and listening."""
    constant = {"barge_in.share": 1, "barge_in.listening": 0.3, "audio.one_way": 0, "text_to_speech.time": 0}
    work = drawn(2000, overrides={**constant, "reply.tokens": 100})
    yields_s = work.hold_ps[turn_ends(work)] / S - 0.3
    close(yields_s, [0.42557, 0.61993, 0.88249, 1.0047, 1.1759], 0.02)


def test_the_first_gap_of_a_turn_holds_what_comes_before_and_the_hold_what_comes_after() -> None:
    work = population()
    before = sum(work.before_ps.values())
    after = sum(work.after_ps.values())
    starts = np.isin(turn_begins(work), work.session_first_request[:-1])
    assert (work.gap_ps[turn_begins(work)][~starts] >= before[~starts]).all()
    assert (work.hold_ps[turn_ends(work)] >= after).all()
    assert (work.session_start_ps >= before[starts]).all()


def test_transcription_counts_only_past_endpointing() -> None:
    waits = {"endpointing.time": 300, "speech_to_text.time": 450}
    assert set(drawn(overrides=waits).before_ps["speech_to_text"].tolist()) == {150 * MS}
    waits["speech_to_text.time"] = 250
    assert not drawn(overrides=waits).before_ps["speech_to_text"].any()


def test_playout_takes_as_long_as_the_reply_says() -> None:
    constant = {"reply.tokens": 80, "reply.rate": 4, "audio.one_way": 30, "text_to_speech.time": 200}
    work = drawn(overrides={**constant, "barge_in.share": 0})
    assert set(work.hold_ps[turn_ends(work)].tolist()) == {20 * S + 230 * MS}


def test_of_an_interrupted_reply_the_context_keeps_what_was_heard() -> None:
    constant = {"reply.tokens": 80, "reply.rate": 4, "barge_in.listening": 5, "utterance.tokens": 10, "tools.share": 0}
    for share, kept in ((1, 20), (0, 80)):
        work = drawn(overrides={**constant, "barge_in.share": share})
        inner = np.setdiff1d(np.arange(work.num_requests), work.session_first_request[:-1])
        assert set((np.diff(work.prompt_tokens, prepend=0)[inner]).tolist()) == {kept + 10}
        assert (work.reuse_tokens[inner] == work.prompt_tokens[inner - 1] + kept).all()


def test_who_interrupts_speaks_on_without_a_pause() -> None:
    constant = {
        "utterance.tokens": 20,
        "utterance.rate": 4,
        "barge_in.yield": 800,
        "barge_in.share": 1,
        "user.pause": 3,
    }
    stages = {"endpointing.time": 400, "audio.one_way": 30, "speech_to_text.time": 0}
    work = drawn(overrides={**constant, **stages})
    inner = np.setdiff1d(turn_begins(work), work.session_first_request[:-1])
    assert set(work.gap_ps[inner].tolist()) == {5000 * MS - 800 * MS + 430 * MS}


def test_the_milestone_is_the_first_sentence() -> None:
    work = population()
    sentence = work.milestone_tokens[turn_ends(work)]
    close(sentence, [6, 14, 26], 0.05, (10, 50, 90))
    assert (sentence <= work.output_tokens[turn_ends(work)]).all()


def test_what_is_reused_was_there() -> None:
    work = population()
    first = np.isin(np.arange(work.num_requests), work.session_first_request[:-1])
    there = np.roll(work.prompt_tokens, 1) + np.roll(work.output_tokens, 1)
    assert not work.reuse_tokens[first].any()
    assert (work.reuse_tokens <= there)[~first].all()
    assert (work.reuse_tokens >= np.roll(work.prompt_tokens, 1))[~first].all()


def test_calls_share_the_system_prompt() -> None:
    """EVA, prompt_tokens_reported: the first prompt of a call has 3,423 tokens."""
    work = population()
    assert work.group_tokens.tolist() == [3400]
    assert not work.session_group.any()
    assert np.median(work.prompt_tokens[work.session_first_request[:-1]]) == pytest.approx(3423, rel=0.01)


def test_a_full_context_loses_its_older_half() -> None:
    work = drawn(300, overrides={"session.turns": 60}, max_context=7000)
    assert (work.prompt_tokens + work.output_tokens).max() <= 7000
    assert work.prompt_tokens.max() > 6500
    shrunk = np.diff(work.prompt_tokens) < 0
    inner = ~np.isin(np.arange(1, work.num_requests), work.session_first_request[:-1])
    assert (shrunk & inner).any()
    assert set(work.reuse_tokens[1:][shrunk & inner].tolist()) == {3400}


PRINTED_STT = {
    "stt-deepgram": (247, 298, 326),
    "stt-cartesia": (266, 364, 898),
    "stt-google": (878, 1155, 1570),
    "stt-aws-transcribe": (1136, 1527, 1897),
}


@pytest.mark.parametrize(("vendor", "printed"), PRINTED_STT.items())
def test_transcription_has_the_vendors_quantiles(vendor: str, printed: tuple[float, ...]) -> None:
    work = drawn(4000, profile=vendor, overrides={"endpointing.time": 0})
    close(work.before_ps["speech_to_text"] / MS, list(printed), 0.05, (50, 95, 99))


@pytest.mark.parametrize(
    ("vendor", "p50", "iqr"), [("tts-cartesia-sonic-3", 188, 100), ("tts-deepgram-aura-2", 313, 68)]
)
def test_first_audio_has_the_vendors_median_and_quartiles(vendor: str, p50: float, iqr: float) -> None:
    work = drawn(2000, profile=vendor)
    close(work.after_ps["text_to_speech"] / MS, [p50 - iqr / 2, p50, p50 + iqr / 2], 0.02, (25, 50, 75))


def test_the_typical_profile_is_what_the_file_says() -> None:
    typical, document = voice_parameters(), load_document("subsecond.agents", "data/voice.toml")
    for key in ("endpointing.time", "speech_to_text.time", "text_to_speech.time", "audio.one_way"):
        table: object = document
        for part in key.split("."):
            table = table[part]  # type: ignore[index]  # tables all the way
        written = sorted(table["quantiles"].values())  # type: ignore[index]  # tables all the way
        assert [v for _, v in typical.entries[key].points] == pytest.approx(written, abs=0.06)


def test_every_profile_and_stage_can_be_drawn_from() -> None:
    document = load_document("subsecond.agents", "data/voice.toml")
    assert {"typical", "fast", "slow", "telephone"} == set(profile_names(document))
    for name in (*profile_names(document), *stage_names(document)):
        assert drawn(2, profile=name, max_turns=1).num_turns == 2


def test_no_profile_has_the_name_of_a_stage() -> None:
    document = load_document("subsecond.agents", "data/voice.toml")
    assert not set(profile_names(document)) & set(stage_names(document))


def test_later_names_of_a_profile_win() -> None:
    fast, mixed = voice_parameters("fast"), voice_parameters("fast + stt-azure")
    assert mixed.entries["endpointing.time"] == fast.entries["endpointing.time"]
    assert "stt-azure" in mixed.entries["speech_to_text.time"].source
    assert mixed.profile == "fast + stt-azure"


def test_overrides_go_over_the_profile() -> None:
    assert voice_parameters("fast", {"endpointing.time": 10}).whole("endpointing.time") == 0
    assert set(voice_parameters("fast", {"endpointing.time": 10}).table("endpointing.time").nodes.tolist()) == {10_000}


def test_a_vendor_of_the_users_own_catalog() -> None:
    figure = {"number": 100, "unit": "ms", "provenance": "assumed", "source": "mine", "date": "2026"}
    facts = Catalog({"voice": {"stt-mine": {"label": "Mine", "values": {"p50": figure}}}})
    assert voice_parameters("stt-mine", None, facts).entries["speech_to_text.time"].points == ((0.5, 100.0),)


@pytest.mark.parametrize("profile", ["quick", "fast+quick", "fast+", "endpointing", "tts-vendor-claimss"])
def test_an_unknown_profile_is_explained(profile: str) -> None:
    with pytest.raises(InputError, match="fast, slow, telephone, typical"):
        voice_parameters(profile)


def digest(work: Workload) -> str:
    found = hashlib.blake2b(digest_size=8)
    for column in (
        work.session_start_ps, work.prompt_tokens, work.reuse_tokens, work.output_tokens, work.milestone_tokens,
        work.gap_ps, work.hold_ps, work.is_barge_in, work.turn, *work.before_ps.values(), *work.after_ps.values(),
    ):  # fmt: skip
        found.update(column.tobytes())
    return found.hexdigest()


def test_the_same_seed_gives_the_same_bytes() -> None:
    assert digest(drawn(seed=7)) == digest(drawn(seed=7)) == "2e0fca001f2a2378"
    assert digest(drawn(seed=8)) != digest(drawn(seed=7))


@pytest.mark.parametrize(
    ("overrides", "same"),
    [
        ({"reply.tokens.scale": 2}, ("gap_ps", "turn", "is_barge_in")),
        ({"text_to_speech.time": 5}, ("gap_ps", "prompt_tokens", "output_tokens", "session_start_ps")),
        ({"tools.time": 5}, ("prompt_tokens", "hold_ps", "output_tokens", "session_start_ps")),
    ],
)
def test_one_parameter_leaves_the_other_draws_alone(overrides: dict[str, object], same: tuple[str, ...]) -> None:
    before, after = drawn(overrides={"barge_in.share": 0}), drawn(overrides={"barge_in.share": 0, **overrides})
    for column in same:
        assert (getattr(before, column) == getattr(after, column)).all(), column
    assert digest(before) != digest(after)


def test_more_calls_keep_the_earlier_ones() -> None:
    few, many = drawn(30, arrival_rate_per_s=1.0), drawn(90, arrival_rate_per_s=1.0)
    places = {start: i for i, start in enumerate(many.session_start_ps.tolist())}
    for session, start in enumerate(few.session_start_ps.tolist()):
        own, theirs = (
            work.prompt_tokens[slice(*work.session_first_request[place : place + 2])].tolist()
            for work, place in ((few, session), (many, places[start]))
        )
        assert own == theirs


def test_turns_are_limited_per_call() -> None:
    work = drawn(max_turns=2)
    assert np.bincount(session_of_turn(work)).max() == 2


def test_a_duration_leaves_out_what_cannot_be_sent() -> None:
    whole, short = drawn(50, ramp_s=60.0), drawn(50, ramp_s=60.0, duration_s=90.0)
    assert 50 <= short.num_turns < whole.num_turns
    session = session_of_turn(short)
    begins, ends = turn_begins(short), turn_ends(short)
    for number in range(short.num_sessions):
        own = np.flatnonzero(session == number)
        least = short.gap_ps[begins[own[1:]]].sum() + short.hold_ps[ends[own[:-1]]].sum()
        assert len(own) == 1 or short.session_start_ps[number] + least <= 90.001 * S


@pytest.mark.parametrize(
    ("how", "field"),
    [({"sessions": 0}, "sessions"), ({"max_context": 5000}, "max_context"), ({"max_turns": -1}, "max_turns")],
)
def test_a_draw_out_of_range_is_explained(how: dict[str, object], field: str) -> None:
    with pytest.raises(InputError) as error:
        draw_voice(voice_parameters(), **{"sessions": 5, "seed": 1, **how})  # type: ignore[arg-type]  # mistakes
    assert (error.value.where, error.value.field) == ("voice workload", field)
