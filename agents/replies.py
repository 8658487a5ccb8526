"""What simulated models say: text of a plausible length, calls of tools, or what a scenario's script demands.

Nothing here understands a prompt. A reply depends on the request and a seed alone: the same prompt gets the same reply.
Lengths come from the parameters of the simulated agents (`agents/data`), so that outside agents load a pipeline as the
simulated ones do. Tokens are those of the project's counter.
"""

from __future__ import annotations

import random
import re
from collections.abc import Sequence
from dataclasses import replace
from hashlib import blake2b
from typing import Final

import msgspec

from subsecond.agents.wire.base import ModelRequest, Reply, Tool, ToolCall

from .arguments import answer_for, arguments_for, is_risky, is_useful
from .coding import coding_parameters
from .reply_script import CallTable, ReplyTable
from .reply_texts import BEFORE_CALL, SENTENCES
from .tokens import TokenCounter
from .voice import voice_parameters

__all__ = ["ReplyWriter"]

#: Most replies with tool calls that follow one message of the user, where the client leaves it to the model. The tasks
#: of real coding agents have half more than 7 steps (`session.steps_per_task`); made-up commands teach an agent
#: nothing, and some clients give up after 10 steps.
MOST_TOOL_STEPS: Final = {"coding": 6, "voice": 3}
#: Share of replies to a user's message, and to the result of a tool, that call a tool. Coding: assumed, so that a task
#: has about 3 steps. Voice, result: `tools.calls` has one call in 60.7 % of the tool turns.
CALLS_AFTER_USER: Final = {"coding": 0.8, "voice": None}
CALLS_AFTER_TOOL: Final = {"coding": 0.7, "voice": 0.393}

_SENTENCE_END: Final = re.compile(r"[.!?]['\")]*(?=\s)")


class ReplyWriter:
    """Writes replies.

    Args:
        counter: takes texts apart into tokens.
        seed: another seed, other replies.
        script: of the scenario; the first entry that fits a request is used.
    """

    def __init__(self, counter: TokenCounter, seed: int = 1, script: Sequence[ReplyTable] = ()) -> None:
        coding, voice = coding_parameters(), voice_parameters()
        self._counter = counter
        self._seed = seed
        self._script = [(entry, entry.table()) for entry in script]
        self._answer_lengths = {"coding": coding.table("output.end_of_task"), "voice": voice.table("reply.tokens")}
        self._call_lengths = {"coding": coding.table("output.tool_use"), "voice": voice.table("tools.call_tokens")}
        self._first_sentence = voice.table("reply.first_sentence")
        self._voice_tools = voice.number("tools.share")
        self._known: dict[str, tuple[str, ...]] = {}

    def write(self, request: ModelRequest) -> Reply:
        """The reply to a request; at most `most_tokens` long, and exactly as long where that is asked for."""
        chance = self._chance(request)
        entry, table = next(((e, t) for e, t in self._script if e.fits(request)), (ReplyTable(), None))
        calls = self._calls(request, entry, chance)
        reasoning = entry.reasoning_tokens
        used = reasoning + sum(len(call.pieces) for call in calls)
        if entry.text is not None:
            pieces = self._counter.pieces(entry.text)
        elif request.answer_schema is not None and not calls:
            pieces = self._counter.pieces(answer_for(request.answer_schema))
        elif entry.calls and table is None:
            pieces = ()
        else:
            lengths = table or (self._call_lengths if calls else self._answer_lengths)[_tone(request)]
            tokens = max(lengths.quantile(chance.random()) - (0 if table else used), 1)
            room = None if request.most_tokens is None or not calls else max(1, request.most_tokens - used)
            pieces = self._text(_tone(request), tokens, room, chance, bool(calls))
        return self._fitted(request, Reply(pieces, calls, reasoning), chance)

    def _chance(self, request: ModelRequest) -> random.Random:
        digest = blake2b(str(self._seed).encode(), digest_size=8)
        for segment in request.segments:
            digest.update(segment.key)
        digest.update(request.tool_choice.encode(errors="replace"))
        return random.Random(int.from_bytes(digest.digest(), "big"))

    def _calls(self, request: ModelRequest, entry: ReplyTable, chance: random.Random) -> tuple[ToolCall, ...]:
        if request.tool_choice == "none" or not request.tools:
            return ()
        scripted = [(tool, call) for call in entry.calls for tool in request.tools if tool.name == call.tool]
        if request.tool_choice not in ("auto", "required"):  # one that must be called, be it as the script says
            scripted = [(tool, call) for tool, call in scripted if tool.name == request.tool_choice][:1]
        if scripted:
            return tuple(self._call(tool, i, chance, call) for i, (tool, call) in enumerate(scripted))
        if entry != ReplyTable() and request.tool_choice == "auto":
            return ()  # a script says all that there is
        tool = self._chosen(request, chance)
        return () if tool is None else (self._call(tool, 0, chance, None),)

    def _chosen(self, request: ModelRequest, chance: random.Random) -> Tool | None:
        """The tool that is called, if any."""
        if request.tool_choice not in ("auto", "required"):
            return next((tool for tool in request.tools if tool.name == request.tool_choice), None)
        wanted = request.tool_choice == "required" or self._wants_tool(request, chance.random())
        safe = [tool for tool in request.tools if not is_risky(tool) and tool.kind in ("function", "custom")]
        functions = [tool for tool in safe if tool.kind == "function"]
        useful = [tool for tool in functions if is_useful(tool)] if _tone(request) == "coding" else []
        best = useful or functions or [tool for tool in safe if is_useful(tool)]
        if request.tool_choice == "required":
            best = best or safe or list(request.tools)
        return best[int(chance.random() * len(best))] if wanted and best else None

    def _wants_tool(self, request: ModelRequest, share: float) -> bool:
        tone = _tone(request)
        if request.is_exact or request.tool_steps >= MOST_TOOL_STEPS[tone]:
            return False
        if request.has_tool_result:
            return share < CALLS_AFTER_TOOL[tone]
        return share < (CALLS_AFTER_USER[tone] or self._voice_tools)

    def _call(self, tool: Tool, index: int, chance: random.Random, script: CallTable | None) -> ToolCall:
        ident = f"call_{chance.getrandbits(96):024x}"
        arguments = arguments_for(tool, chance.random())
        if script is not None and script.input is not None and tool.kind != "function":
            arguments = script.input
        elif script is not None and script.arguments is not None:
            arguments = msgspec.json.encode(script.arguments).decode()
        return ToolCall(ident, tool, self._counter.pieces(arguments) or ("",))

    def _text(self, tone: str, tokens: int, room: int | None, chance: random.Random, calls: bool) -> tuple[str, ...]:
        """Sentences of that many tokens in all, to the end of the last; no more than there is room for."""
        pieces: list[str] = []
        while len(pieces) < tokens:
            more = self._pieces(self._sentence(tone, chance, calls and not pieces, bool(pieces)), bool(pieces))
            if room is not None and len(pieces) + len(more) > room:
                break
            pieces += more
        return tuple(pieces)

    def _sentence(self, tone: str, chance: random.Random, before_call: bool, is_later: bool) -> str:
        if before_call:
            sentences: Sequence[str] = BEFORE_CALL[tone]
        elif tone == "voice" and not is_later:
            wanted = self._first_sentence.quantile(chance.random())
            return min(SENTENCES[tone], key=lambda text: abs(len(self._pieces(text, False)) - wanted))
        else:
            sentences = SENTENCES[tone]
        return sentences[int(chance.random() * len(sentences))]

    def _pieces(self, sentence: str, is_later: bool) -> tuple[str, ...]:
        text = f" {sentence}" if is_later else sentence
        known = self._known.get(text)
        if known is None:
            known = self._known[text] = self._counter.pieces(text)
        return known

    def _fitted(self, request: ModelRequest, reply: Reply, chance: random.Random) -> Reply:
        """The reply as long as the request allows, or demands."""
        most = request.most_tokens
        least = most if request.is_exact and most is not None else request.least_tokens
        if (lack := least - reply.output_tokens) > 0 or not (reply.pieces or reply.calls):
            pieces = list(reply.pieces)
            wanted = len(pieces) + max(1, lack)
            while len(pieces) < wanted:
                pieces += self._pieces(self._sentence(_tone(request), chance, False, True), bool(pieces))
            reply = replace(reply, pieces=tuple(pieces[:wanted]))
        is_cut = most is not None and (reply.output_tokens > most or (request.is_exact and reply.output_tokens == most))
        if most is not None and reply.output_tokens > most:
            reply = _cut(reply, most)
        return replace(reply, is_cut=is_cut, first_sentence=_first_sentence(reply))


def _tone(request: ModelRequest) -> str:
    return "voice" if request.agent == "voice" else "coding"


def _cut(reply: Reply, tokens: int) -> Reply:
    """The first tokens of a reply; arguments may end in the middle, as they do with a real model."""
    reasoning = min(reply.reasoning_tokens, tokens)
    pieces = reply.pieces[: tokens - reasoning]
    room = tokens - reasoning - len(pieces)
    calls = []
    for call in reply.calls:
        if room > 0:
            calls.append(replace(call, pieces=call.pieces[:room]))
            room -= len(call.pieces)
    return Reply(pieces, tuple(calls), reasoning)


def _first_sentence(reply: Reply) -> int:
    """Tokens up to the end of the first sentence of the text; without text, all of them."""
    found = _SENTENCE_END.search("".join(reply.pieces))
    if found is None:
        return reply.reasoning_tokens + len(reply.pieces) if reply.pieces else reply.output_tokens
    length, tokens = 0, reply.reasoning_tokens
    for piece in reply.pieces:
        if length >= found.end():
            break
        length += len(piece)
        tokens += 1
    return max(1, tokens)
