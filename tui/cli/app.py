"""Puts the commands together and turns what a user got wrong into one line and exit code 2."""

from __future__ import annotations

import io
import os
import sys
from importlib.metadata import version
from pathlib import Path
from typing import Annotated

import typer

from subsecond.engine.errors import SubsecondError
from subsecond.tui.cli import comparing, keeping, studying
from subsecond.tui.cli.catalog import app as catalog_app
from subsecond.tui.cli.common import (
    GatewayOption,
    HeadStartOption,
    JsonOption,
    ModelOption,
    MqttCaOption,
    MqttControlOption,
    MqttOption,
    MqttPasswordOption,
    PipelinesOption,
    QuietOption,
    RecordOption,
    ScenarioArgument,
    SeedOption,
    SettingsOption,
    SpeedOption,
)
from subsecond.tui.cli.examples import add_examples
from subsecond.tui.cli.options import number as _number
from subsecond.tui.cli.options import whole as _whole

__all__ = ["app", "main"]

#: Exit code after Ctrl-C, as shells give it.
_INTERRUPTED = 130
#: What typer raises for arguments that a command does not take; it exports the one for bad values alone.
_UsageError: type[Exception] = typer.BadParameter.__mro__[1]

app = typer.Typer(
    name="subsecond",
    help="Does my agent stay under a second, on which pipeline, and what decides it?",
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)


#: Of commands that serve, or watch what is served.
RecordContent = Annotated[
    bool, typer.Option("--record-content", help="Record what agents from outside say and are answered, too.")
]
Token = Annotated[
    str | None,
    typer.Option(envvar="SUBSECOND_TOKEN", show_default=False, help="Token that all who connect must show."),
]


def _show_version(wanted: bool) -> None:
    if wanted:
        typer.echo(version("subsecond"))
        raise typer.Exit


@app.callback(invoke_without_command=True)
def _options(
    context: typer.Context,
    _version: Annotated[
        bool, typer.Option("--version", callback=_show_version, is_eager=True, help="Show the version.")
    ] = False,
) -> None:
    if context.invoked_subcommand is None:
        live(token=os.environ.get("SUBSECOND_TOKEN"))


@app.command(short_help="Run a scenario and show who kept the budgets.")
def run(
    scenario: ScenarioArgument = "playground",
    trace: Annotated[
        list[str] | None,
        typer.Option("--trace", metavar="FILE", help="Replay this trace instead of the scenario's agents; repeatable."),
    ] = None,
    trace_format: Annotated[str | None, typer.Option(help="Format of the traces; found out by default.")] = None,
    time_scale: Annotated[
        float | None,
        typer.Option(
            parser=_number("--time-scale"), metavar="X", help="Stretch the times of the traces by this factor."
        ),
    ] = None,
    sample: Annotated[
        int | None,
        typer.Option(
            parser=_whole("--sample"), metavar="N", help="Replay at most so many sessions, drawn by the seed."
        ),
    ] = None,
    pipelines: PipelinesOption = None,
    model: ModelOption = None,
    settings: SettingsOption = None,
    seed: SeedOption = None,
    json: JsonOption = None,
    record: Annotated[
        Path | None, typer.Option("--record", metavar="FILE", help="Write every turn as a recording.")
    ] = None,
    quiet: QuietOption = False,
) -> None:
    """Run a scenario in virtual time and show who kept the budgets, who was ahead and where the time went."""
    from subsecond.tui.cli.run import run_command

    run_command(
        scenario=scenario,
        traces=trace or [],
        trace_format=trace_format,
        time_scale=time_scale,
        sample=sample,
        pipelines=pipelines,
        model=model,
        settings=settings or [],
        seed=seed,
        json_out=json,
        record=record,
        quiet=quiet,
    )


app.add_typer(catalog_app, name="catalog", short_help="List and explain the facts behind every prediction.")


@app.command(short_help="Race the pipelines live; `subsecond` alone does it.")
def live(
    scenario: ScenarioArgument = "playground",
    speed: SpeedOption = 1.0,
    head_start: HeadStartOption = 120.0,
    settings: SettingsOption = None,
    record: RecordOption = None,
    record_content: RecordContent = False,
    port: Annotated[
        int | None,
        typer.Option(
            parser=_whole("--port"), metavar="N", help="Port for agents; by default 8765, or any if that is taken."
        ),
    ] = None,
    gateway: GatewayOption = True,
    token: Token = None,
    mqtt: MqttOption = None,
    mqtt_password_file: MqttPasswordOption = None,
    mqtt_ca: MqttCaOption = None,
    mqtt_control: MqttControlOption = False,
) -> None:
    """Race the pipelines live on the dashboard; this is what `subsecond` alone does."""
    from subsecond.tui.cli.live import live_command
    from subsecond.tui.cli.mqtt import MqttOptions

    live_command(
        scenario=scenario,
        speed=speed,
        head_start_s=head_start,
        settings=settings or [],
        record=record,
        record_content=record_content,
        port=port,
        gateway=gateway,
        token=token or None,
        mqtt=MqttOptions(mqtt, mqtt_password_file, mqtt_ca, mqtt_control),
    )


@app.command(short_help="Run a scenario live, without a screen.")
def serve(
    scenario: ScenarioArgument = "playground",
    host: Annotated[str, typer.Option(help="Address to serve on; a public one needs a token.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(parser=_whole("--port"), metavar="N", help="Port; 0: any free one.")] = 8765,
    speed: SpeedOption = 1.0,
    head_start: HeadStartOption = 0.0,
    settings: SettingsOption = None,
    record: RecordOption = None,
    record_content: RecordContent = False,
    gateway: GatewayOption = True,
    token: Token = None,
    limits: Annotated[
        list[str] | None,
        typer.Option("--limit", metavar="NAME=VALUE", help="What clients may take: connections=100; repeatable."),
    ] = None,
    tls_cert: Annotated[Path | None, typer.Option(metavar="FILE", help="Certificate for TLS, as PEM.")] = None,
    tls_key: Annotated[Path | None, typer.Option(metavar="FILE", help="Its key.")] = None,
    mqtt: MqttOption = None,
    mqtt_password_file: MqttPasswordOption = None,
    mqtt_ca: MqttCaOption = None,
    mqtt_control: MqttControlOption = False,
    owned: Annotated[bool, typer.Option("--owned", hidden=True)] = False,
    or_any: Annotated[bool, typer.Option("--or-any", hidden=True)] = False,
) -> None:
    """Run a scenario live, without a screen; `subsecond tui --attach` watches it."""
    from subsecond.tui.cli.mqtt import MqttOptions
    from subsecond.tui.cli.serve import serve_command

    serve_command(
        scenario=scenario,
        host=host,
        port=port,
        speed=speed,
        head_start_s=head_start,
        settings=settings or [],
        record=record,
        record_content=record_content,
        gateway=gateway,
        token=token,
        limits=limits or [],
        tls_cert=tls_cert,
        tls_key=tls_key,
        mqtt=MqttOptions(mqtt, mqtt_password_file, mqtt_ca, mqtt_control),
        owned=owned,
        or_any=or_any,
    )


@app.command(short_help="Watch and steer a service, or a fleet on a broker.")
def tui(
    attach: Annotated[
        str | None, typer.Option(metavar="URL", help="Address that `subsecond serve` says.", show_default=False)
    ] = None,
    token: Token = None,
    mqtt: Annotated[
        str | None, typer.Option(metavar="URL", help="Or a broker: all engines that tell it.", show_default=False)
    ] = None,
    mqtt_password_file: MqttPasswordOption = None,
    mqtt_ca: MqttCaOption = None,
) -> None:
    """Watch and steer a service that runs somewhere else, or all engines on an MQTT broker."""
    from subsecond.tui.cli.mqtt import MqttOptions
    from subsecond.tui.cli.tui import tui_command

    tui_command(attach=attach, token=token or None, mqtt=MqttOptions(mqtt, mqtt_password_file, mqtt_ca))


@app.command(short_help="Record engines that tell a broker, from anywhere.")
def record(
    mqtt: Annotated[str, typer.Option(metavar="URL", help="The broker, such as mqtt://user@host:1883/prefix.")],
    out: Annotated[str, typer.Option(metavar="FILE", help="File; or a folder (FOLDER/) for a file per run.")],
    run: Annotated[
        str | None, typer.Option(metavar="ID", help="The run to record; by default all that are there or come.")
    ] = None,
    mqtt_password_file: MqttPasswordOption = None,
    mqtt_ca: MqttCaOption = None,
) -> None:
    """Record what engines tell a broker; Ctrl-C finishes the files."""
    from subsecond.tui.cli.mqtt import MqttOptions
    from subsecond.tui.cli.record import record_command

    record_command(
        mqtt=MqttOptions(mqtt, mqtt_password_file, mqtt_ca), out=Path(out), run=run, is_folder=out.endswith("/")
    )


@app.command()
def broker(
    host: Annotated[str, typer.Option(help="Address to listen on; a public one needs a user.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(parser=_whole("--port"), metavar="N", help="Port; 0: any free one.")] = 1883,
    user: Annotated[
        str | None, typer.Option(help="Name that all must show, with the password of SUBSECOND_MQTT_PASSWORD.")
    ] = None,
) -> None:
    """Run a small MQTT broker, for a lab that has none."""
    from subsecond.tui.cli.broker import broker_command

    broker_command(host=host, port=port, user=user)


@app.command(short_help="Load a gateway with outside agents, and time it.")
def agent(
    kind: Annotated[str, typer.Argument(metavar="KIND", help="What they are: coding or voice.")],
    url: Annotated[str, typer.Option(metavar="URL", help="Address of the gateway.")] = "ws://127.0.0.1:8765",
    model: Annotated[
        str, typer.Option(help="Model, and behind an @ the pipeline that serves it.")
    ] = "gpt-oss-120b@gpu",
    sessions: Annotated[int, typer.Option(metavar="N", help="Sessions side by side.")] = 1,
    rate: Annotated[
        float | None,
        typer.Option(metavar="PER_S", help="Turns per second, whether answered or not; by default sessions wait."),
    ] = None,
    turns: Annotated[int | None, typer.Option(metavar="K", help="End each session after so many turns.")] = None,
    duration: Annotated[float | None, typer.Option(metavar="S", help="Begin no turn after so many seconds.")] = None,
    pace: Annotated[float, typer.Option(metavar="X", help="Let tools and people be X times as fast.")] = 1.0,
    token: Annotated[
        str, typer.Option(envvar="SUBSECOND_TOKEN", help="Key of a gateway that asks for one.", show_default=False)
    ] = "",
    json: Annotated[
        Path | None, typer.Option("--json", metavar="OUT", help="Write the report as JSON; - for standard output.")
    ] = None,
    seed: Annotated[int, typer.Option(metavar="N", help="Seed of every random draw.")] = 1,
) -> None:
    """Run coding or voice agents against a gateway over websockets; Ctrl-C ends with a report.

    A coding agent speaks the Responses protocol, a caller the Realtime protocol, with sound in real time.
    """
    from subsecond.tui.cli.agent import agent_command

    agent_command(
        kind=kind,
        url=url,
        model=model,
        sessions=sessions,
        rate_per_s=rate,
        turns=turns,
        duration_s=duration,
        pace=pace,
        token=token,
        seed=seed,
        json_out=json,
    )


@app.command(short_help="Show a recording on the dashboard, or as a picture.")
def replay(
    recording: Annotated[
        Path,
        typer.Argument(
            help="A recording, STUDY.json as --json wrote it, or the folder of a sweep; `subsecond recordings` lists "
            "recordings of live runs."
        ),
    ],
    at: Annotated[
        str | None, typer.Option(help="Instant to begin at, such as 90s or 1:30; by default the end.")
    ] = None,
    paused: Annotated[bool, typer.Option("--paused", help="Stand still there.")] = False,
    screenshot: Annotated[
        Path | None, typer.Option(metavar="OUT", help="Draw into this .svg or .txt file instead; needs no terminal.")
    ] = None,
    size: Annotated[str, typer.Option(help="Size of the picture.")] = "120x40",
    view: Annotated[
        str, typer.Option(help="Screen of the picture: race, turn, sessions, pipelines, feel, agents, economics.")
    ] = "race",
) -> None:
    """Show a recording, at any pace and from any instant; or the results of a study."""
    from subsecond.tui.cli.replay import replay_command

    replay_command(recording=recording, at=at, size=size, view=view, screenshot=screenshot, paused=paused)


@app.command()
def scenarios() -> None:
    """List the scenarios that ship."""
    from subsecond.engine.scenario import load_tables, scenario_names

    names = scenario_names()
    for name in names:
        tables, _ = load_tables(name)
        typer.echo(f"{name:<{max(map(len, names))}}  {tables.get('title', '')}")


@app.command(short_help="Compare predictions with published measurements.")
def validate(
    file: Annotated[
        Path | None, typer.Argument(help="Measurements as CSV; by default the published ones that ship.")
    ] = None,
    json: JsonOption = None,
) -> None:
    """Predict published measurements and show how far off the predictions are."""
    from subsecond.tui.cli.validate import validate as validate_command

    validate_command(file, json)


comparing.add_commands(app)
studying.add_commands(app)
keeping.add_commands(app)
add_examples(app)


def main() -> None:
    """Entry point of `subsecond`."""
    _prepare_streams()
    try:
        try:
            code = app(prog_name="subsecond", standalone_mode=False)
        finally:
            sys.stdout.flush()
        if code == _INTERRUPTED:
            sys.stderr.write("subsecond: interrupted\n")
        raise SystemExit(code)
    except SubsecondError as error:
        fail(str(error))
    except _UsageError as error:
        fail(_usage(error))
    except SystemExit as end:  # typer turns a reader that has gone into an exit code
        if isinstance(end.__context__, BrokenPipeError):
            _discard_output()
            raise SystemExit(0) from None
        raise
    except KeyboardInterrupt:
        sys.stderr.write("subsecond: interrupted\n")
        raise SystemExit(_INTERRUPTED) from None
    except BrokenPipeError:  # the reader of our output, such as `head`, has gone
        _discard_output()
        raise SystemExit(0) from None
    except OSError as error:  # files name themselves; what is left is the output, such as a full disk
        _discard_output()
        place = error.filename or "standard output"
        fail(f"{place}: got {error.strerror!r}, expected a place that can be read and written")


def _usage(error: Exception) -> str:
    """What is wrong with the arguments of a command, in one line."""
    context: typer.Context | None = getattr(error, "ctx", None)
    path = "subsecond" if context is None else context.command_path
    words = str(error.format_message()).rstrip(".")  # type: ignore[attr-defined]  # as all errors of that class
    place = f"{path.removeprefix('subsecond ')}: " if path != "subsecond" else ""
    return f"{place}{words[:1].lower()}{words[1:]}; `{path} --help` shows what it takes"


def _prepare_streams() -> None:
    """Make both streams take every text.

    Python starts without streams that the caller has closed (`>&-`): what goes there goes nowhere. A terminal or a
    locale that lacks a character gets `?` for it.
    """
    for name in ("stdout", "stderr"):
        stream = getattr(sys, name)
        if isinstance(stream, io.TextIOWrapper) and stream.errors == "strict":
            stream.reconfigure(errors="replace")
        elif stream is None:
            setattr(sys, name, os.fdopen(os.open(os.devnull, os.O_WRONLY), "w", encoding="utf-8"))


def _discard_output() -> None:
    """What is still in the buffer of standard output cannot be written and shall not fail once more at the end."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.__stdout__.fileno() if sys.__stdout__ else 1)


def fail(message: str) -> None:
    """Say what is wrong in one line and end with exit code 2."""
    sys.stderr.write(f"subsecond: {' '.join(message.split())}\n")
    raise SystemExit(2)
