"""Sweep files: what is read, and what is refused with the field, the value and what was expected."""

from __future__ import annotations

from pathlib import Path

import pytest

from subsecond.agents.sweep.design import points_of
from subsecond.agents.sweep.spec import Range, load_spec, shipped_sweeps
from subsecond.agents.sweep.sweep import fixed_sweep
from subsecond.engine.errors import InputError

HEAD = 'scenario = "playground"\n'


def write(tmp_path: Path, text: str) -> str:
    path = tmp_path / "mine.toml"
    path.write_text(text)
    return str(path)


def test_keys_in_quotes_and_tables_in_tables_mean_the_same(tmp_path: Path) -> None:
    quoted = load_spec(write(tmp_path, HEAD + '[grid]\n"gpu.replicas" = [1, 2]\n[set]\n"coding.sessions" = 3\n'))
    nested = load_spec(write(tmp_path, HEAD + "[grid.gpu]\nreplicas = [1, 2]\n[set.coding]\nsessions = 3\n"))
    assert quoted.grid == nested.grid
    assert quoted.fixed == nested.fixed == {"coding.sessions": 3}


def test_a_range_is_whole_if_its_ends_are(tmp_path: Path) -> None:
    whole, other = '{ from = 1, to = 8, steps = 4, scale = "log" }', "{ from = 0.5, to = 2, steps = 3 }"
    text = f'[grid]\n"gpu.replicas" = {whole}\n"x.y" = {other}\n'
    spec = load_spec(write(tmp_path, HEAD + text))
    assert [axis.values for axis in spec.grid] == [Range(1, 8, 4, True), Range(0.5, 2, 3, False)]
    assert points_of(spec) == [[a, b] for a in (1, 2, 4, 8) for b in (0.5, 1.25, 2.0)]


def test_a_scenario_file_stands_beside_its_sweep(tmp_path: Path) -> None:
    (tmp_path / "own.toml").write_text('[pipelines.gpu]\n[[agents]]\nkind = "voice"\nsessions = 2\n')
    sweep = fixed_sweep(load_spec(write(tmp_path, 'scenario = "own.toml"\n')))
    assert sweep.manifest.base == "own"
    assert list(sweep.manifest.scenario["pipelines"]) == ["gpu"]


@pytest.mark.parametrize(
    ("text", "field", "expected"),
    [
        ("", "scenario", "a value: it is required"),
        ('scenario = "playground"\nspeed = 2', "speed", "one of scenario, title, pipelines"),
        ("scenario = 3", "scenario", "a text"),
        (HEAD + "replicas = 0", "replicas", "a whole number from 1"),
        (HEAD + "replicas = true", "replicas", "a whole number"),
        (HEAD + "seed = -1", "seed", "a whole number from 0"),
        (HEAD + "pipelines = []", "pipelines", "each once"),
        (HEAD + 'pipelines = ["gpu", "gpu"]', "pipelines", "each once"),
        (HEAD + "[set]\nx = [1]", "set.x", "a number, a word"),
        (HEAD + "[set]\nx = nan", "set.x", "a number, a word"),
        (HEAD + '[set]\n"a..b" = 1', "set.a..b", "a setting such as"),
        (HEAD + "[set.gpu]", "set.gpu", "something that is set"),
        (HEAD + "[grid]\nx = 3", "grid.x", "a list of values"),
        (HEAD + "[grid]\nx = []", "grid.x", "a list of values"),
        (HEAD + "[grid]\nx = [1, [2]]", "grid.x.1", "a number, a word"),
        (HEAD + "[grid]\nx = [1, 2, 1]", "grid.x.2", "each value once"),
        (HEAD + "[grid]\nx = { from = 1, to = 3 }", "grid.x.steps", "it is required"),
        (HEAD + "[grid]\nx = { from = 1, to = 3, steps = 1 }", "grid.x.steps", "a whole number from 2"),
        (HEAD + "[grid]\nx = { from = 3, to = 1, steps = 2 }", "grid.x.to", "a number above 3"),
        (HEAD + '[grid]\nx = { from = 0, to = 1, steps = 2, scale = "log" }', "grid.x.from", "a number above 0"),
        (HEAD + '[grid]\nx = { from = 0, to = 1, steps = 2, scale = "cubic" }', "grid.x.scale", "one of linear, log"),
        (HEAD + '[grid]\nx = { from = 1, to = "b", steps = 2 }', "grid.x.to", "a number"),
        (HEAD + "[grid]\nx = { from = 1, to = 2, steps = 2, by = 1 }", "grid.x.by", "one of from, to, steps, scale"),
        (HEAD + "[grid]\nx = [1]\n[set]\nx = 2", "grid.x", "not in [set]"),
        (HEAD + "[grid]\nx = [1]\n[random]\npoints = 2\nx = [2]", "random.x", "not in [grid]"),
        (HEAD + "[grid]\nseed = [1, 2]", "grid.seed", "`replicas`"),
        (HEAD + "[random]\nx = [2]", "random.points", "how many"),
        (HEAD + "[random]\npoints = 3", "random", "settings to draw"),
        (HEAD + "[random]\npoints = 0\nx = [1]", "random.points", "a whole number from 1"),
        (
            HEAD + "[random]\npoints = 3\nx = { from = 1, to = 2, steps = 3 }",
            "random.x.steps",
            "one of from, to, scale",
        ),
        (HEAD + "replicas = 1000\n[random]\npoints = 1000\nx = [1, 2]", "", "at most 20000 runs"),
    ],
)
def test_bad_files_are_refused_by_field(tmp_path: Path, text: str, field: str, expected: str) -> None:
    with pytest.raises(InputError) as caught:
        points_of(load_spec(write(tmp_path, text)))
    assert caught.value.where.endswith("mine.toml")
    assert caught.value.field == field
    assert expected in caught.value.expected


def test_what_is_wrong_with_the_scenario_is_said_before_anything_runs(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="duration_s"):
        fixed_sweep(load_spec(write(tmp_path, HEAD + "[set]\nduration_s = -1")))
    with pytest.raises(InputError, match="no axis of the sweep"):
        fixed_sweep(load_spec(write(tmp_path, HEAD + '[grid]\n"gpu.replicas" = [1, 2]')), ["gpu.replicas=3"])
    with pytest.raises(InputError, match="a sweep file"):
        load_spec(str(tmp_path / "missing.toml"))


@pytest.mark.parametrize("name", list(shipped_sweeps()))
def test_sweeps_that_ship_can_be_run(name: str) -> None:
    sweep = fixed_sweep(load_spec(name))
    assert sweep.manifest.title
    assert sweep.manifest.runs == sum(len(task) for task in sweep.manifest.tasks)
