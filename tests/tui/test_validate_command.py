"""`subsecond validate`: the printed tables and the JSON."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from subsecond.engine.errors import InputError
from subsecond.tui.cli.validate import validate

ROWS = """id,kind,engine,device,n_devices,model,tp,input_tokens,output_tokens,concurrency,metric,value,note
A1,colocated,vllm,h100-sxm,1,qwen3-8b,1,1024,128,1,tpot_ms,8,family=first
A2,colocated,vllm,[red]abacus,1,qwen3-8b,1,1024,128,1,tpot_ms,8,family=second
"""


def test_json_and_tables(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file, out = tmp_path / "rows.csv", tmp_path / "out.json"
    file.write_text(ROWS, encoding="utf-8")
    validate(file, out)
    document = json.loads(out.read_text(encoding="utf-8"))
    first, second = document["rows"]
    assert set(first) == {"id", "family", "metric", "predicted", "published", "error", "skipped"}
    assert first["error"] == pytest.approx(first["predicted"] / 8 - 1)
    assert first["skipped"] is None
    assert second["predicted"] is None
    assert second["error"] is None
    assert "abacus" in second["skipped"]
    assert document["summary"]["rows"] == 2
    assert document["summary"]["predicted"] == 1
    assert set(document["summary"]["families"]) == {"first", "second"}
    shown = capsys.readouterr().out
    assert "unknown device '[red]abacus'" in shown
    assert "median error" in shown


def test_a_broken_file_writes_nothing(tmp_path: Path) -> None:
    file, out = tmp_path / "rows.csv", tmp_path / "out.json"
    file.write_text(ROWS.replace("tpot_ms,8,family=second", "tpot_ms,?,family=second"), encoding="utf-8")
    with pytest.raises(InputError, match=r"rows\.csv:3"):
        validate(file, out)
    assert not out.exists()


def test_json_that_cannot_be_written(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="--json"):
        validate(None, tmp_path / "no" / "folder" / "out.json")
