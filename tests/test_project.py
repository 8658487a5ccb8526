"""Laws of the project: what is packaged, what loads, what the lock pins, what no file may say."""

from __future__ import annotations

import ast
import codecs
import re
import shutil
import subprocess
import sys
import tomllib
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
PACKAGES = ("engine", "agents", "tui")
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())
#: Hosts of package indexes: a lock or a script that names one works in one network only. Rotated by 13 letters, so that
#: this file names none either.
REGISTRY_HOSTS = tuple(
    codecs.decode(
        "clcv.bet clgubaubfgrq.bet clcv.clguba.bet pbaqn.nanpbaqn.b"
        "et ertvfgel.aczwf.bet cebkl.tbynat.bet fgngvp.pengrf.vb",
        "rot13",
    ).split()
)
INDEX_OPTIONS = ("--index-url", "--extra-index-url", "--find-links")
#: The root of a file system, or somebody's folder in it, where a path relative to the project is meant.
MACHINE_PATH = re.compile(r"(?<![\w.:/~$}<-])/(?:work|home|root|Users|mnt|tmp|var/folders)/[\w.-]+")


def project_files() -> list[Path]:
    """The files that belong to the project: all that git tracks or would add, links left out."""
    if shutil.which("git") is None or not (ROOT / ".git").exists():
        pytest.skip("not a git checkout: nothing says which files belong to the project")
    listing = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT,
        check=True,
        capture_output=True,
        text=True,
    )
    paths = [ROOT / name for name in listing.stdout.split("\0") if name]
    return sorted(path for path in paths if path.is_file() and not path.is_symlink())


def packaged_files() -> list[Path]:
    return [path for path in project_files() if path.relative_to(ROOT).parts[0] in PACKAGES]


def text_of(path: Path) -> str | None:
    """None for a file that holds no text."""
    try:
        return path.read_text(encoding="utf-8")
    except UnicodeDecodeError:
        return None


def import_name(folder: Path) -> str:
    return ".".join(("subsecond", *folder.relative_to(ROOT).parts))


def test_every_folder_with_code_is_a_package_that_the_project_lists() -> None:
    folders = {path.parent for path in packaged_files() if path.suffix == ".py"}
    listed = set(PROJECT["tool"]["setuptools"]["packages"])
    assert {import_name(folder) for folder in folders} == listed
    assert [folder for folder in folders if not (folder / "__init__.py").is_file()] == []


def test_every_module_says_what_it_is_for() -> None:
    """One line with some substance; a package more than its own name."""
    silent = []
    for path in packaged_files():
        if path.suffix == ".py":
            first = (ast.get_docstring(ast.parse(path.read_text())) or "").partition("\n")[0]
            if len(first.split()) < 4 or len(first) < 25 or first[-1] not in ".?:":
                silent.append((path.relative_to(ROOT).as_posix(), first))
    assert silent == []


def test_no_module_is_longer_than_one_sitting() -> None:
    lengths = {
        path.relative_to(ROOT).as_posix(): len(path.read_text().splitlines())
        for path in packaged_files()
        if path.suffix == ".py"
    }
    assert {name: lines for name, lines in lengths.items() if lines > 500} == {}


def test_no_file_names_a_package_registry() -> None:
    naming = []
    for path in project_files():
        if (text := text_of(path)) is not None:
            words = REGISTRY_HOSTS if path == Path(__file__) else (*REGISTRY_HOSTS, *INDEX_OPTIONS)
            naming += [(path.relative_to(ROOT).as_posix(), word) for word in words if word in text]
    assert naming == []


def test_hosts_of_registries_are_known() -> None:
    assert len(REGISTRY_HOSTS) == 7
    assert all(host.endswith((".org", ".io")) for host in REGISTRY_HOSTS)


def test_no_text_for_users_names_a_path_of_one_machine() -> None:
    texts = [ROOT / "README.md", *(path for path in project_files() if path.is_relative_to(ROOT / "docs"))]
    found = [(path.name, match) for path in texts for match in MACHINE_PATH.findall(text_of(path) or "")]
    assert found == []


@pytest.mark.parametrize(
    ("text", "is_caught"),
    [
        ("see /" + "work/x/y", True),
        ("`/home/ada/trace.csv`", True),
        ("\nfile=/tmp/out.json", True),
        ("engine/work/x", False),
        ("https://example.org/home/ada", False),
        ("~/tmp/x", False),
    ],
)
def test_machine_paths_are_told_from_relative_ones(text: str, is_caught: bool) -> None:
    assert bool(MACHINE_PATH.search(text)) == is_caught


@pytest.mark.parametrize("module", ["subsecond.engine", "subsecond.engine.catalog", "subsecond.engine.scenario"])
def test_the_engine_loads_nothing_heavy(module: str) -> None:
    """Nor what belongs to the screen or to the network: an engine runs in a service and in a notebook."""
    names = "textual aiohttp aiomqtt websockets numba rich typer pandas pyarrow dask distributed"
    heavy = names.split()
    code = f"import sys, {module}; print(*(name for name in {heavy!r} if name in sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    assert done.stdout.split() == []


@pytest.mark.parametrize("lock", sorted((ROOT / "requirements").glob("*.txt")), ids=lambda path: path.name)
def test_the_lock_pins_every_package_by_hash(lock: Path) -> None:
    text = re.sub(r"\\\n", " ", lock.read_text())
    requirements = [line.strip() for line in text.splitlines() if line.strip() and not line.startswith("#")]
    assert requirements
    pinned = re.compile(r"[a-z0-9.-]+==\d[\w.]*( ; [^-]+?)?( +--hash=sha256:[0-9a-f]{64})+")
    assert [line[:80] for line in requirements if not pinned.fullmatch(line)] == []
    assert "://" not in text
    names = [line.partition("==")[0] for line in requirements]
    assert names == sorted(set(names))


def test_the_lock_holds_what_the_project_asks_for() -> None:
    def names(requirements: list[str]) -> set[str]:
        return {re.split(r"[<>=~!; \[]", requirement)[0].lower() for requirement in requirements}

    def locked(lock: str) -> set[str]:
        return names(re.findall(r"^[a-z0-9.-]+==", (ROOT / f"requirements/{lock}.txt").read_text(), re.MULTILINE))

    project = PROJECT["project"]
    assert names(project["dependencies"]) <= locked("base")
    for extra in ("fast", "tokens", "report", "scale", "test", "broker"):
        assert names(project["optional-dependencies"][extra]) <= locked(extra), extra


@pytest.fixture(scope="module")
def wheel_files(tmp_path_factory: pytest.TempPathFactory) -> set[str]:
    """What a wheel made from a clean copy of the checkout holds."""
    pytest.importorskip("setuptools", reason="without setuptools no wheel can be built offline")
    source, out = tmp_path_factory.mktemp("source"), tmp_path_factory.mktemp("wheel")
    for path in project_files():
        copy = source / path.relative_to(ROOT)
        copy.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(path, copy)
    offline = ["--no-build-isolation", "--no-deps", "--no-index", "--disable-pip-version-check", "--quiet"]
    made = subprocess.run(
        [sys.executable, "-m", "pip", "wheel", *offline, "--wheel-dir", str(out), str(source)],
        capture_output=True,
        text=True,
    )
    assert made.returncode == 0, made.stderr
    (wheel,) = out.glob("subsecond-*.whl")
    with zipfile.ZipFile(wheel) as archive:
        return set(archive.namelist())


def test_the_wheel_holds_every_file_of_the_packages(wheel_files: set[str]) -> None:
    """Code, TOML, `py.typed`, the published measurements, sample traces and their licences."""
    wanted = {f"subsecond/{path.relative_to(ROOT).as_posix()}" for path in packaged_files()}
    assert {f"subsecond/{package}/py.typed" for package in PACKAGES} <= wanted
    assert wanted - wheel_files == set()


def test_the_wheel_holds_nothing_else(wheel_files: set[str]) -> None:
    wanted = {f"subsecond/{path.relative_to(ROOT).as_posix()}" for path in packaged_files()}
    extra = {name for name in wheel_files - wanted if ".dist-info/" not in name}
    assert extra == set()


def test_the_wheel_installs_the_command_and_the_licence(wheel_files: set[str]) -> None:
    assert any(name.endswith(".dist-info/entry_points.txt") for name in wheel_files)
    assert any(name.endswith("/LICENSE") for name in wheel_files)
    assert PROJECT["project"]["scripts"] == {"subsecond": "subsecond.tui.cli:main"}
