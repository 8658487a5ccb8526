"""Arguments and options that several commands take, with one help text each."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from subsecond.tui.cli.options import number, thread_count, whole

__all__ = [
    "DurationOption",
    "GatewayOption",
    "HeadStartOption",
    "JsonOption",
    "ModelOption",
    "MqttCaOption",
    "MqttControlOption",
    "MqttOption",
    "MqttPasswordOption",
    "PipelinesOption",
    "QuietOption",
    "RecordOption",
    "ScenarioArgument",
    "SeedOption",
    "SettingsOption",
    "SpeedOption",
    "ThreadsOption",
    "WarmUpOption",
]

ScenarioArgument = Annotated[str, typer.Argument(help="A scenario file, or the name of one that ships.")]
PipelinesOption = Annotated[
    str | None, typer.Option("--pipelines", metavar="A,B", help="Pipelines to run instead of the scenario's.")
]
ModelOption = Annotated[str | None, typer.Option("--model", help="Model for all pipelines.")]
SettingsOption = Annotated[
    list[str] | None,
    typer.Option("--set", metavar="KEY=VALUE", help="Change a value: gpu.replicas=2, coding.sessions=99; repeatable."),
]
SeedOption = Annotated[
    int | None, typer.Option("--seed", parser=whole("--seed"), metavar="N", help="Seed of every random draw.")
]
ThreadsOption = Annotated[
    int | None,
    typer.Option("--threads", parser=thread_count, metavar="N", help="Runs side by side; by default one per core."),
]
DurationOption = Annotated[
    float | None,
    typer.Option("--duration", parser=number("--duration"), metavar="S", help="Length of a run, warm-up included."),
]
WarmUpOption = Annotated[
    float | None,
    typer.Option("--warm-up", parser=number("--warm-up"), metavar="S", help="Beginning of a run that does not count."),
]
JsonOption = Annotated[
    Path | None, typer.Option("--json", metavar="OUT", help="Write everything as JSON; - for standard output.")
]
QuietOption = Annotated[bool, typer.Option("--quiet", "-q", help="Print nothing but errors.")]

#: Of commands that run a service.
MqttCaOption = Annotated[
    Path | None, typer.Option(metavar="FILE", help="Certificates that vouch for the broker, as PEM.")
]
MqttPasswordOption = Annotated[
    Path | None, typer.Option(metavar="FILE", help="Its password; or set SUBSECOND_MQTT_PASSWORD.")
]
MqttOption = Annotated[
    str | None,
    typer.Option(metavar="URL", help="Tell a broker, too: mqtt://user@host:1883/prefix, mqtts://..., embedded."),
]
MqttControlOption = Annotated[bool, typer.Option("--mqtt-control", help="Obey commands that come over MQTT.")]
GatewayOption = Annotated[bool, typer.Option("--gateway/--no-gateway", help="Serve agents from outside.")]
RecordOption = Annotated[Path | None, typer.Option(metavar="FILE", help="Keep the recording of the run there.")]
HeadStartOption = Annotated[
    float, typer.Option(parser=number("--head-start"), metavar="S", help="Virtual seconds that are over at the start.")
]
SpeedOption = Annotated[
    float, typer.Option(parser=number("--speed"), metavar="X", help="Virtual seconds per second, 0.1 to 100.")
]
