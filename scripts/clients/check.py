"""Runs each client's program against a service of its own, and looks its turns up in the recording."""

from __future__ import annotations

import argparse
import json
import os
import shutil
import sqlite3
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from subsecond.agents.connect_help import Client, clients

ROOT = Path(__file__).resolve().parents[2]
CACHE = Path(os.environ.get("XDG_CACHE_HOME", Path.home() / ".cache")) / "subsecond" / "clients"
#: Seconds that one program may take, its start included, and that a package may take to install.
LIMIT_S, INSTALL_S = 180, 1800
#: Seconds within which a first turn is in the recording.
WRITTEN_S = 10
#: Free disk that an installation wants.
LEAST_GB = 8
#: Torch comes in a build for CPUs where one lies on the machine, else in one of several GB.
TORCH = "torch==2.13.0"
PORT = 8765

#: Programs that measure, and take too many lines for the document: they need a tokenizer of their own.
BENCHMARKS = (
    Client(
        "aiperf",
        "aiperf, Responses over HTTP",
        "sh",
        ("aiperf",),
        "responses",
        f"aiperf profile --url http://127.0.0.1:{PORT} --endpoint-type responses --streaming --model gpt-oss-120b@gpu "
        "--tokenizer $TOKENIZER --use-server-token-count --request-count 12 --concurrency 3 "
        "--synthetic-input-tokens-mean 120 --output-tokens-mean 24 --ui simple --artifact-dir aiperf",
    ),
    Client(
        "guidellm",
        "guidellm, chat completions",
        "sh",
        (TORCH, "guidellm"),
        "chat",
        f"guidellm run --backend kind=openai_http,target=http://127.0.0.1:{PORT},model=gpt-oss-120b@gpu "
        "--tokenizer kind=hf_auto,model=$TOKENIZER "
        "--data kind=synthetic_text,prompt_tokens=120,output_tokens=24 --profile kind=concurrent,streams=4 "
        "--constraint kind=max_requests,count=12 --output kind=json,path=guidellm.json",
    ),
)
#: A tokenizer for those: every word of a small vocabulary is a token.
MAKE_TOKENIZER = """
import json, sys
from pathlib import Path
from tokenizers import Tokenizer, models, pre_tokenizers
syllables = [a + b for a in "bcdfgklmnprstvz" for b in "aeiou"]
words = {"<unk>": 0, "<eos>": 1} | {syllable: 2 + at for at, syllable in enumerate(syllables)}
tokenizer = Tokenizer(models.WordLevel(words, unk_token="<unk>"))
tokenizer.pre_tokenizer = pre_tokenizers.Whitespace()
folder = Path(sys.argv[1])
folder.mkdir(exist_ok=True)
tokenizer.save(str(folder / "tokenizer.json"))
config = {"tokenizer_class": "PreTrainedTokenizerFast", "eos_token": "<eos>", "unk_token": "<unk>"}
(folder / "tokenizer_config.json").write_text(json.dumps(config))
(folder / "config.json").write_text(json.dumps({"model_type": "gpt2"}))
"""


@dataclass(frozen=True)
class Result:
    """What came of one client."""

    client: Client
    version: str
    turns: int
    answered: int
    words: str

    @property
    def is_good(self) -> bool:
        return self.words == "ok"


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    known = [*clients(PORT), *BENCHMARKS]
    parser.add_argument("names", nargs="*", metavar="NAME", help=", ".join(client.name for client in known))
    parser.add_argument("--folder", type=Path, default=CACHE, help="where the clients are installed")
    parser.add_argument("--no-document", action="store_true", help="leave docs/clients.md as it is")
    arguments = parser.parse_args()
    chosen = [client for client in known if not arguments.names or client.name in arguments.names]
    if not chosen:
        parser.error(f"no client of these names: {' '.join(arguments.names)}")
    arguments.folder.mkdir(parents=True, exist_ok=True)
    results = []
    for client in chosen:
        result = check(client, arguments.folder)
        print(f"{client.name:<26}{result.version:<34}{result.turns:>4} turns   {result.words}", flush=True)
        results.append(result)
    if not arguments.names and not arguments.no_document:
        (ROOT / "docs" / "clients.md").write_text(document(results))
    return 0 if all(result.is_good for result in results) else 1


def check(client: Client, folder: Path) -> Result:
    """Install, run, and look into the recording."""
    home = folder / environment(client)
    try:
        install(client, home)
    except (OSError, subprocess.SubprocessError) as error:
        return Result(client, "-", 0, 0, f"not installed: {error}")
    with tempfile.TemporaryDirectory() as name:
        work = Path(name)
        recording = work / "run.subsecond"
        with served(recording) as port:
            said = run(client, home, work, port)
            turns, answered, tiled = recorded(recording)
    words = said or ("no turn was recorded" if not turns else "" if tiled else "stages do not sum up to the latency")
    return Result(client, version(client, home), turns, answered, words or "ok")


def main_package(client: Client) -> str:
    """The package that the client is, without its extras."""
    return next(name for name in client.packages if name != TORCH).partition("[")[0]


def environment(client: Client) -> str:
    """Where it is installed: programs of one package share an environment."""
    if not client.packages:
        return client.name
    name = main_package(client).strip("@").replace("/", "-")
    return f"js-{name}" if is_npm(client) else name


def is_npm(client: Client) -> bool:
    return client.language == "js" or any(package.startswith("@") for package in client.packages)


def install(client: Client, home: Path) -> None:
    """The client's packages, once."""
    if not client.packages or (home / "installed").exists():
        return
    if shutil.disk_usage(home.parent).free < LEAST_GB * 1e9:
        raise OSError(f"less than {LEAST_GB} GB of disk are free")
    home.mkdir(exist_ok=True)
    if is_npm(client):
        commands = [["npm", "install", "--silent", "--no-audit", "--no-fund", "--prefix", str(home), *client.packages]]
    else:
        pip = [str(home / "bin" / "python"), "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
        commands = [[sys.executable, "-m", "venv", str(home)], [*pip, *client.packages]]
    for command in commands:
        subprocess.run(command, check=True, timeout=INSTALL_S, stdout=subprocess.DEVNULL)
    (home / "installed").touch()


def version(client: Client, home: Path) -> str:
    if not client.packages:
        found = subprocess.run([client.name, "--version"], capture_output=True, text=True).stdout.split()
        return " ".join(found[:2])
    package = main_package(client)
    if is_npm(client):
        manifest = json.loads((home / "node_modules" / package / "package.json").read_text())
        return f"{package} {manifest['version']}"
    code = f"from importlib.metadata import version; print(version({package!r}))"
    found = subprocess.run([home / "bin" / "python", "-c", code], capture_output=True, text=True, check=True)
    return f"{package} {found.stdout.strip()}"


@contextmanager
def served(recording: Path) -> Iterator[int]:
    """A service whose only agents are those from outside, as far as a scenario can do with so few of its own."""
    command = [sys.executable, "-m", "subsecond.tui.cli", "serve", "--port", "0", "--owned", "--record", str(recording)]
    quiet = ["--set", "coding.sessions=1", "--set", "voice.sessions=1"]
    service = subprocess.Popen([*command, *quiet], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    assert service.stdin is not None
    assert service.stdout is not None
    try:
        port = urlsplit(json.loads(service.stdout.readline())["url"]).port
        assert port is not None
        yield port
    finally:
        service.stdin.close()
        service.wait(60)


def run(client: Client, home: Path, work: Path, port: int) -> str:
    """Run the program; what went wrong, or nothing."""
    program = client.program.replace(str(PORT), str(port))
    suffix = {"python": ".py", "js": ".mjs", "sh": ".sh"}[client.language]
    # modules of node are looked for beside the program
    file = (home if client.language == "js" else work) / f"program{suffix}"
    file.write_text(program)
    places = [str(home / "bin"), str(home / "node_modules" / ".bin"), os.environ["PATH"]]
    surroundings = os.environ | {"PATH": os.pathsep.join(places), "TOKENIZER": str(work / "tokenizer")}
    if client in BENCHMARKS:
        subprocess.run([home / "bin" / "python", "-c", MAKE_TOKENIZER, work / "tokenizer"], check=True)
    starts = {"python": [str(home / "bin" / "python")], "js": ["node"], "sh": ["sh", "-eu"]}[client.language]
    try:
        done = subprocess.run(
            [*starts, file],
            cwd=work,
            env=surroundings,
            capture_output=True,
            text=True,
            timeout=LIMIT_S,
            stdin=subprocess.DEVNULL,
        )
    except subprocess.TimeoutExpired:
        return f"not over within {LIMIT_S} s"
    if done.returncode:
        last = (done.stderr.strip() or done.stdout.strip() or "nothing said").splitlines()[-1]
        return f"exit code {done.returncode}: {last[:160]}"
    return ""


def recorded(recording: Path) -> tuple[int, int, bool]:
    """Turns of agents from outside, how many of them were answered, and whether their stages sum up to the latency.

    The last ones are written a moment after the client has got them.
    """
    before, deadline_s = (-1, 0, False), time.monotonic() + WRITTEN_S
    while (found := read(recording)) != before or (not found[0] and time.monotonic() < deadline_s):
        before = found
        time.sleep(0.5)
    return found


def read(recording: Path) -> tuple[int, int, bool]:
    """What the recording holds so far."""
    with sqlite3.connect(f"file:{recording}?mode=ro", uri=True) as base:
        latest = "SELECT sessions, lane, max(seq) FROM outside_agents WHERE lane IS NOT NULL GROUP BY agent"
        served_by = {number: lane for text, lane, _ in base.execute(latest) for number in json.loads(text)}
        stages = " + ".join(f'coalesce("{column}", 0)' for (column,) in base.execute("SELECT turns_column FROM stages"))
        rows = base.execute(f"SELECT session, lane, state, latency_ps, {stages} FROM turns WHERE state > 0").fetchall()
    own = [row for row in rows if served_by.get(row[0]) == row[1]]
    answered = [row for row in own if row[2] == 1]
    return len(own), len(answered), all(row[3] == row[4] for row in answered)


def document(results: list[Result]) -> str:
    """The table as `docs/clients.md`."""
    rows = [
        f"| {result.client.title} | {result.version} | {result.turns} | {result.answered} | {result.words} |"
        for result in results
    ]
    return "\n".join(
        (
            "# Clients that were tried",
            "",
            "Made by `scripts/check-clients`, which installs each client in an environment of its own, runs its",
            "program of [connect.md](connect.md) as it stands there against a fresh service, and looks into the",
            "recording: turns of the client, those that were answered, and whether the stages of each sum up to its",
            "latency.",
            "",
            "| client | version | turns | answered | result |",
            "| --- | --- | --- | --- | --- |",
            *rows,
            "",
        )
    )


if __name__ == "__main__":
    raise SystemExit(main())
