"""What observers may ask of a run: commands, one JSON object each. `docs/feed.md` describes the protocol."""

from __future__ import annotations

import msgspec

__all__ = [
    "Annotate",
    "Command",
    "EndDrill",
    "InjectFault",
    "KeepRecording",
    "MendFault",
    "Pause",
    "Resume",
    "RunDrill",
    "SetKnob",
    "SetLoad",
    "SetSpeed",
    "Step",
    "decode_command",
]


class SetSpeed(msgspec.Struct, frozen=True, tag="speed"):
    """Virtual seconds per second, 0.1 to 100."""

    speed: float


class Pause(msgspec.Struct, frozen=True, tag="pause"):
    """Let virtual time stand still."""


class Resume(msgspec.Struct, frozen=True, tag="resume"):
    """Let it go on."""


class Step(msgspec.Struct, frozen=True, tag="step"):
    """Let a paused run go on by some virtual time, or to the next event (0)."""

    ms: float = 0.0


class SetLoad(msgspec.Struct, frozen=True, tag="set-load"):
    """Load of an agent kind: sessions that shall be at work, or the rate at which they begin (virtual time).

    Exactly one of the two is given. A rate of 0 means that no more begin.
    """

    agents: str
    sessions: int | None = None
    arrivals_per_s: float | None = None


class SetKnob(msgspec.Struct, frozen=True, tag="set-knob"):
    """Another value for a parameter of a lane, as in a scenario."""

    lane: str
    key: str
    value: float | str | bool


class InjectFault(msgspec.Struct, frozen=True, tag="inject"):
    """A fault from now on; the fields are those of a scenario's `[[faults]]`."""

    kind: str
    lane: str | None = None
    target: int = 0
    value: float | None = None
    duration_s: float | None = None


class MendFault(msgspec.Struct, frozen=True, tag="mend"):
    """Let a fault in effect end now; `None` for `lane`: on every lane where it is.

    If none of the sort is in effect, the next one that a drill has scheduled does not come.
    """

    kind: str
    lane: str | None = None
    target: int = 0


class RunDrill(msgspec.Struct, frozen=True, tag="drill"):
    """Hold a drill of the catalog (`engine/drills`) from now on: all its faults, or none if one cannot be."""

    name: str


class EndDrill(msgspec.Struct, frozen=True, tag="end-drill"):
    """End a drill: its faults in effect end now, those to come do not come."""

    name: str


class Annotate(msgspec.Struct, frozen=True, tag="annotate"):
    """Write something down about an instant that has been; `at_ps`: None for now."""

    text: str
    at_ps: int | None = None


class KeepRecording(msgspec.Struct, frozen=True, tag="keep"):
    """Keep the recording of this run, at `path` if one is given."""

    path: str | None = None


Command = (
    SetSpeed
    | Pause
    | Resume
    | Step
    | SetLoad
    | SetKnob
    | InjectFault
    | MendFault
    | RunDrill
    | EndDrill
    | Annotate
    | KeepRecording
)

_commands = msgspec.json.Decoder(Command)


def decode_command(data: bytes | str) -> Command:
    """A command from its JSON.

    Raises:
        msgspec.DecodeError: no JSON, or no command (`msgspec.ValidationError`).
    """
    command: Command = _commands.decode(data)
    return command
