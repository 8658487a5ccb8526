"""The openai SDK at a service, unmodified: prints what it got as JSON. Runs in an environment of its own."""

from __future__ import annotations

import array
import asyncio
import base64
import json
import math
import sys
from typing import Any

from openai import AsyncOpenAI

MODEL = "gpt-oss-120b@gpu"
TOOL = {"name": "weather", "parameters": {"type": "object", "properties": {"city": {"type": "string"}}}}
LIMIT_S = 60.0


def plain(model: Any) -> Any:
    return model.model_dump(mode="json") if model is not None else None


async def models(client: AsyncOpenAI) -> Any:
    return [model.id async for model in client.models.list()]


# -- Realtime


async def realtime_events(connection: Any, last: str = "response.done") -> list[Any]:
    events = []
    async for event in connection:
        events.append(event)
        if event.type == last:
            break
    return events


def realtime_result(events: list[Any]) -> dict[str, Any]:
    return {
        "types": [event.type for event in events],
        "text": "".join(event.delta for event in events if event.type == "response.output_text.delta"),
        "response": plain(events[-1].response),
    }


async def say(connection: Any, text: str) -> None:
    item = {"type": "message", "role": "user", "content": [{"type": "input_text", "text": text}]}
    await connection.conversation.item.create(item=item)


async def realtime_text(client: AsyncOpenAI) -> Any:
    async with client.realtime.connect(model=MODEL) as connection:
        await connection.session.update(session={"type": "realtime", "output_modalities": ["text"]})
        await say(connection, "What is a KV cache?")
        await connection.response.create()
        return realtime_result(await realtime_events(connection))


def tone(seconds: float, loudness: float) -> str:
    """Sound as frames are sent: 24 kHz, 16 bit, base64; it swells four times a second as speech does."""
    samples = array.array(
        "h",
        (
            int(loudness * abs(math.sin(math.pi * 4 * at / 24_000)) * math.sin(2 * math.pi * 150 * at / 24_000))
            for at in range(int(seconds * 24_000))
        ),
    )
    return base64.b64encode(samples.tobytes()).decode()


async def realtime_audio(client: AsyncOpenAI) -> Any:
    async with client.realtime.connect(model=MODEL) as connection:
        await connection.session.update(session={"type": "realtime", "output_modalities": ["audio"]})
        for sound in (tone(0.5, 3), tone(1.5, 9000), tone(1.5, 3)):
            await connection.input_audio_buffer.append(audio=sound)
        events = await realtime_events(connection)
        deltas = [event.delta for event in events if event.type == "response.output_audio.delta"]
        transcripts = [event.delta for event in events if event.type == "response.output_audio_transcript.delta"]
        sound_bytes = sum(len(base64.b64decode(delta)) for delta in deltas)
        return realtime_result(events) | {"sound_s": sound_bytes / 48_000, "transcript": "".join(transcripts)}


async def realtime_tool(client: AsyncOpenAI) -> Any:
    async with client.realtime.connect(model=MODEL) as connection:
        tools = [{"type": "function", **TOOL}]
        await connection.session.update(
            session={"type": "realtime", "output_modalities": ["text"], "tools": tools, "tool_choice": "required"}
        )
        await say(connection, "What is the weather in Oslo?")
        await connection.response.create()
        called = realtime_result(await realtime_events(connection))
        call = called["response"]["output"][-1]
        await connection.conversation.item.create(
            item={"type": "function_call_output", "call_id": call["call_id"], "output": '{"sky": "clear"}'}
        )
        await connection.response.create(response={"tool_choice": "none"})
        answered = realtime_result(await realtime_events(connection))
        return {"call": call, "answered": answered}


async def realtime_cancel(client: AsyncOpenAI) -> Any:
    async with client.realtime.connect(model=MODEL) as connection:
        await connection.session.update(session={"type": "realtime", "output_modalities": ["text"]})
        await say(connection, "Tell me everything, slowly.")
        await connection.response.create(response={"max_output_tokens": 4000})
        await realtime_events(connection, "response.created")
        await connection.response.cancel()
        cancelled = realtime_result(await realtime_events(connection))
        await say(connection, "Be brief.")
        await connection.response.create()
        return {"cancelled": cancelled, "next": realtime_result(await realtime_events(connection))}


# -- Responses


async def responses_socket(client: AsyncOpenAI) -> Any:
    """Two turns of one chain; the second brings the result of the first one's call."""
    results = []
    async with client.responses.connect() as connection:
        news: Any = "Look at the weather in Oslo."
        previous: dict[str, Any] = {}
        for choice in ("required", "none"):
            await connection.response.create(
                model=MODEL, input=news, tools=[{"type": "function", **TOOL}], tool_choice=choice, **previous
            )
            events = []
            async for event in connection:
                events.append(event)
                if event.type in ("response.completed", "response.failed", "response.incomplete", "error"):
                    break
            response = events[-1].response
            results.append({"types": [event.type for event in events], "response": plain(response)})
            previous = {"previous_response_id": response.id}
            call = next((item for item in response.output if item.type == "function_call"), None)
            if call is not None:
                news = [{"type": "function_call_output", "call_id": call.call_id, "output": "clear"}]
    return results


async def responses(client: AsyncOpenAI) -> Any:
    response = await client.responses.create(model=MODEL, input="Say something.")
    again = await client.responses.create(model=MODEL, input="And now?", previous_response_id=response.id)
    return {"text": response.output_text, "response": plain(response), "again": plain(again)}


async def responses_stream(client: AsyncOpenAI) -> Any:
    events = [event async for event in await client.responses.create(model=MODEL, input="Say something.", stream=True)]
    text = "".join(event.delta for event in events if event.type == "response.output_text.delta")
    return {"types": [event.type for event in events], "text": text, "response": plain(events[-1].response)}


# -- Chat completions


async def chat(client: AsyncOpenAI) -> Any:
    return plain(
        await client.chat.completions.create(
            model=MODEL, messages=[{"role": "user", "content": "Say something."}], max_completion_tokens=40
        )
    )


async def chat_stream(client: AsyncOpenAI) -> Any:
    stream = await client.chat.completions.create(
        model=MODEL,
        messages=[{"role": "user", "content": "What is the weather in Oslo?"}],
        tools=[{"type": "function", "function": TOOL}],
        tool_choice="required",
        stream=True,
        stream_options={"include_usage": True},
    )
    return [plain(chunk) async for chunk in stream]


async def unknown_pipeline(client: AsyncOpenAI) -> Any:
    try:
        await client.chat.completions.create(model="gpt-oss-120b@nowhere", messages=[{"role": "user", "content": "x"}])
    except Exception as error:
        return {"type": type(error).__name__, "status": getattr(error, "status_code", None)}
    return None


CASES = (
    models,
    realtime_text,
    realtime_audio,
    realtime_tool,
    realtime_cancel,
    responses_socket,
    responses,
    responses_stream,
    chat,
    chat_stream,
    unknown_pipeline,
)


async def main(base_url: str) -> dict[str, Any]:
    results: dict[str, Any] = {}
    async with AsyncOpenAI(base_url=base_url, api_key="none", max_retries=0) as client:
        for case in CASES:
            results[case.__name__] = await asyncio.wait_for(case(client), LIMIT_S)
    return results


print(json.dumps(asyncio.run(main(sys.argv[1]))))
