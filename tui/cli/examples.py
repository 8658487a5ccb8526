"""What the help of each command shows it at work with."""

from __future__ import annotations

from typing import Final

import typer

__all__ = ["EXAMPLES", "add_examples"]

#: Words of a command -> lines of a shell.
EXAMPLES: Final = {
    "run": (
        "subsecond run",
        "subsecond run call-center --set gpu.replicas=2 --record race.subsecond --json out.json",
    ),
    "live": ("subsecond live --speed 2 --set coding.sessions=48",),
    "serve": (
        "subsecond serve call-center --port 8765 --record race.subsecond",
        "subsecond serve --mqtt mqtt://ada@broker.lab:1883/team",
    ),
    "tui": (
        "subsecond tui --attach ws://127.0.0.1:8765/v1/observe",
        "subsecond tui --mqtt mqtt://ada@broker.lab:1883/team",
    ),
    "record": (
        "subsecond record --mqtt mqtt://broker.lab/team --out recordings/",
        "subsecond record --mqtt mqtt://broker.lab/team --out one.subsecond --run 05ae123178f2",
    ),
    "broker": ("SUBSECOND_MQTT_PASSWORD=... subsecond broker --user ada --host 0.0.0.0",),
    "agent": ("subsecond agent coding --model gpt-oss-120b@gpu --sessions 4 --duration 60",),
    "replay": (
        "subsecond replay race.subsecond --at 1:30 --paused",
        "subsecond replay race.subsecond --at 90s --view turn --screenshot turn.svg",
        "subsecond replay nodes.sweep",
    ),
    "scenarios": ("subsecond scenarios",),
    "gap": (
        "subsecond gap --pipelines gpu --json gap.json",
        "subsecond gap coding-fleet --budget agent-step --percentile 80 --model llama-3.3-70b",
    ),
    "map": (
        "subsecond map --json map.json",
        "subsecond map call-center --pipelines trn-cs3,gpu --contexts 1,4 --sessions 100,400,1600 --percentile 60",
    ),
    "capacity": (
        "subsecond capacity --agents coding --json capacity.json",
        "subsecond capacity --agents coding --rate --pipelines trn-cs3 --others none",
    ),
    "validate": ("subsecond validate --json validation.json",),
    "compare": (
        "subsecond compare before.subsecond after.subsecond",
        "subsecond compare race.subsecond --since 30s --budget voice-sub-second",
    ),
    "rerun": (
        "subsecond rerun race.subsecond --set gpu.replicas=2 --record again.subsecond",
        "subsecond rerun race.subsecond --pipelines gpu,gpu-b200 --no-faults",
    ),
    "drill": (
        "subsecond drill --list",
        "subsecond drill --drill server-lost --policies --json drill.json",
        "subsecond drill --weeks 4 --mtbf gpu=6330h,decode=90d --mttr 30m",
        "subsecond drill call-center --fault link_degraded@5m:3m=0.25 --set trn-cs3.decode_replicas=2",
    ),
    "report": (
        "subsecond report race.subsecond -o report.html",
        "subsecond report before.subsecond after.subsecond -o report.html --since 30s",
    ),
    "sweep": (
        "subsecond sweep nodes",
        "subsecond sweep mine.toml --threads 4 --set duration_s=60 --json mine.json",
        "subsecond sweep mine.toml --cluster tcp://scheduler.lab:8786",
        "subsecond sweep mine.sweep",
    ),
    "price": (
        "subsecond price coding-fleet --price wse-3=120 --against gpu",
        "subsecond price --way capacity-block --sessions 40,80,160 --json price.json",
    ),
    "show": ("subsecond show race.subsecond", "subsecond show race.subsecond --json -"),
    "export": (
        "subsecond export race.subsecond -o race.parquet",
        "subsecond export race.subsecond --format csv -o - --lane gpu --since 90s --until 2m",
        "subsecond export race.subsecond -o traces.json",
    ),
    "recordings list": ("subsecond recordings list recordings/",),
    "recordings rescue": ("subsecond recordings rescue damaged.subsecond -o saved.subsecond",),
    "recordings prune": ("subsecond recordings prune --older-than 7d --keep 5 --dry-run",),
    "catalog list": ("subsecond catalog list",),
    "catalog show": ("subsecond catalog show gpu",),
}


def add_examples(app: typer.Typer, words: str = "") -> None:
    """Let the help of every command end with its examples."""
    for command in app.registered_commands:
        assert command.callback is not None  # as all that a decorator has made
        name = f"{words}{command.name or command.callback.__name__}"
        if name in EXAMPLES:
            # \b keeps the lines as they are
            command.epilog = "\b\n" + "\n".join(["Examples:", *(f"  {line}" for line in EXAMPLES[name])])
    for group in app.registered_groups:
        assert group.typer_instance is not None
        add_examples(group.typer_instance, f"{words}{group.name} ")
