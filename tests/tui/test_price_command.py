"""`subsecond price`: tables that fit, figures that can be traced, and one line about what cannot be used."""

from __future__ import annotations

import io
import json
import re
from collections.abc import Callable
from pathlib import Path

import msgspec
import pytest
from rich.console import Console

from subsecond.engine.economics.document import SCHEMA, PriceDoc
from subsecond.tui.cli.price_picture import Mark, Row, picture
from subsecond.tui.cli.price_tables import show_prices

Command = Callable[..., tuple[int, str, str]]
QUICK = ("--duration", "90", "--warm-up", "15", "--runs", "1")


def price(command: Command, *arguments: object) -> tuple[PriceDoc, str]:
    code, out, err = command("price", *arguments, *QUICK, "--json", "-")
    assert (code, err) == (0, "")
    document = msgspec.json.decode(out, type=PriceDoc)
    return document, shown(document)


def shown(document: PriceDoc, width: int = 80, *, explain: bool = False) -> str:
    console = Console(file=io.StringIO(), width=width, highlight=False)
    show_prices(document, console, explain=explain)
    assert isinstance(console.file, io.StringIO)
    return console.file.getvalue()


def words(text: str) -> str:
    return " ".join(text.split())


def test_it_says_below_which_price_one_beats_the_other(command: Command) -> None:
    document, out = price(command, "coding-fleet", "--pipelines", "trn-cs3,gpu", "--loads", "0.5,1")
    assert document.schema == SCHEMA
    (even,) = document.here.break_evens
    assert (even.pipeline, even.verdict, even.device) == ("trn-cs3", "below", "wse-3")
    assert f"< {even.usd_per_device_hour:.1f} USD/CS-3-h" in out
    assert re.search(r"1 x trn2.48xlarge \(16x Trainium2\) · prefill +35.76 +block\*", out)
    assert re.search(r"4 x CS-3 · decode +\? +not public", out)
    assert "no price on demand: capacity block" in words(out)
    assert "Owning a CS-3 is put at 59 to 88 USD an hour, an estimate and no offer" in words(out)
    assert "Amazon Bedrock on Cerebras" in out
    assert "0.5x: 80" in out
    assert "Token prices of Cerebras, Amazon Bedrock (standard), Fireworks" in words(out)
    assert "Token prices of Amazon Bedrock on Cerebras: not public, no published price found" in words(out)


@pytest.mark.parametrize("scenario", ["playground", "coding-fleet", "announced"])
def test_it_fits_80_columns(command: Command, scenario: str) -> None:
    document, out = price(command, scenario, "--loads", "0.25,1")
    assert max(len(line.rstrip()) for line in (out + shown(document, explain=True)).splitlines()) <= 80


def test_a_price_put_in_is_used_and_marked(command: Command) -> None:
    document, out = price(command, "coding-fleet", "--price", "cs-3=500", "--pipelines", "trn-cs3,gpu", "--loads", "1")
    assert document.put_in == {"wse-3": 500}
    assert document.pipelines["trn-cs3"].hourly.usd == pytest.approx(2035.7608)
    assert document.here.break_evens[0].verdict == "below"
    assert "At 500 USD per CS-3-hour, as put in, trn-cs3 does not cost less than gpu" in words(out)
    assert re.search(r"2,000.00 +own", out)
    costs = {cost.key: cost for cost in document.pipelines["trn-cs3"].costs[document.basis]}
    assert costs["turn"].provenance == "assumed"


def test_another_way_of_hire(command: Command) -> None:
    document, _ = price(
        command, "--way", "spot", "--pipelines", "trn-cs3,gpu-b200", "--against", "gpu-b200", "--loads", "1"
    )
    assert [part.way for part in document.pipelines["trn-cs3"].parts] == ["spot", "not public"]
    assert document.pipelines["gpu-b200"].parts[0].remark == "no price spot: on demand"
    assert document.against == "gpu-b200"


def test_every_cost_can_be_explained(command: Command) -> None:
    document, _ = price(command, "--loads", "1")
    out = words(shown(document, explain=True))
    assert "a turn in time: " in out
    assert "= its share of the hourly cost x hours / turns in time (not public)" in out
    assert "turns in time: " in out
    for pipeline in document.pipelines.values():
        for cost in pipeline.costs[document.basis]:
            assert cost.formula in out


def test_the_document_goes_to_a_file_and_the_tables_to_the_screen(command: Command, tmp_path: Path) -> None:
    code, out, err = command("price", "--loads", "1", *QUICK, "--json", tmp_path / "price.json")
    assert (code, err) == (0, "")
    assert "turn in time by" in out
    assert json.loads((tmp_path / "price.json").read_text())["schema"] == SCHEMA


def test_quiet_prints_nothing(command: Command, tmp_path: Path) -> None:
    options = ("--loads", "1", *QUICK, "--quiet", "--json", tmp_path / "price.json")
    assert command("price", *options) == (0, "", "")
    assert (tmp_path / "price.json").exists()


def test_several_runs_tell_how_far_they_lie_apart(command: Command) -> None:
    code, out, _ = command("price", "coding-fleet", "--loads", "1", *QUICK[:-1], "3")
    assert code == 0
    assert re.search(r"per CS-3-hour \([\d.]+ USD for its 4; [\d.]+ USD to [\d.]+ USD in single runs\)", words(out))


def test_sessions_are_loads_too(command: Command) -> None:
    document, _ = price(command, "coding-fleet", "--sessions", "40,320", "--pipelines", "gpu")
    assert [point.sessions["coding"] for point in document.points] == [40, 160, 320]


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (("--way", "leasing"), "--way: got 'leasing', expected one of on-demand, capacity-block, spot"),
        (("--price", "wse-3"), "--price: got 'wse-3', expected DEVICE=USD per device-hour, such as wse-3=120"),
        (("--price", "wse-3=much"), "--price: got 'wse-3=much', expected DEVICE=USD"),
        (("--price", "cs-9=1"), "--price: got 'cs-9', expected one of"),
        (("--price", "wse-3=-1"), "--price: wse-3: got '-1.0', expected USD per device-hour from 0"),
        (("--price", "wse-3=1", "--price", "cs-3=2"), "expected one price for wse-3, which has another"),
        (("--price", "wse-3=1", "--price", "wse-3=2"), "expected one price for wse-3"),
        (("--loads", "1,x"), "--loads: got '1,x', expected numbers with commas between them"),
        (("--loads", "1", "--sessions", "40"), "--sessions: got '40', expected no --loads beside it"),
        (("--sessions", "0"), "--sessions: got '0', expected numbers above 0, up to 100,000, with commas between"),
        (("--sessions", "40,nan"), "--sessions: got '40,nan', expected numbers above 0"),
        (("--sessions", "200000"), "--sessions: got '200000', expected numbers above 0, up to 100,000"),
        (("--runs", "0"), "--runs: got '0', expected a whole number from 1"),
        (("--most", "0"), "--most: got '0', expected a whole number from 1"),
        (("--against", "tpu"), "--against: got 'tpu', expected one of trn-cs3, gpu"),
        (("--budget", "mine"), "--budget: got 'mine', expected one of agent-step"),
        (("--set", "gpu.replicas=-1"), "gpu"),
        (("nowhere",), "scenario: got 'nowhere'"),
    ],
)
def test_what_cannot_be_used_is_one_line(command: Command, arguments: tuple[str, ...], expected: str) -> None:
    code, out, err = command("price", *arguments)
    assert (code, out, err.count("\n")) == (2, "", 1)
    assert expected in err


def test_a_picture_keeps_its_marks_and_prices_in_order() -> None:
    rows = [Row("1x", 10.0, "10"), Row("2x", 100.0, "100"), Row("4x", None, "-")]
    lines = [line.plain for line in picture("USD", rows, [Mark("a", "one", 20.0, 20.0), Mark("o", "band", 40.0, 60.0)])]
    assert lines[1].index("●") < lines[1].index("·") < lines[1].index("░")
    assert lines[2].index("·") < lines[2].index("░") < lines[2].index("●")
    assert "●" not in lines[3]
    signs = lines[4]
    assert signs.index("a") == lines[1].index("·")
    assert lines[1].index("░") <= signs.index("o") <= lines[1].rindex("░")
    assert "10" in lines[5]
    assert "100" in lines[5]


def test_there_is_no_picture_without_a_price() -> None:
    assert picture("USD", [Row("1x", None, "-")], []) == []
    assert len(picture("USD", [Row("1x", 0.0, "0"), Row("2x", 1.0, "1")], [])) == 5
