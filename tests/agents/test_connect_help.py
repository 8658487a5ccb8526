"""How clients connect: the programs stand in the document as they are run."""

from __future__ import annotations

from pathlib import Path

import pytest

from subsecond.agents.connect_help import Client, clients, connect_lines

DOCUMENT = (Path(__file__).parents[2] / "docs" / "connect.md").read_text()


@pytest.mark.parametrize("client", clients(), ids=lambda client: client.name)
def test_every_program_stands_in_the_document_as_it_is(client: Client) -> None:
    assert f"### {client.title}\n\n```{client.language}\n{client.program}```\n" in DOCUMENT


def test_programs_name_the_port_that_is_served() -> None:
    assert all("8765" in client.program for client in clients())
    for _, lines in connect_lines(4321):
        assert any(":4321/v1" in line for line in lines)
        assert not any("8765" in line for line in lines)


def test_names_differ_and_programs_are_short() -> None:
    names = [client.name for client in clients()]
    assert len(set(names)) == len(names)
    assert all(client.protocol in ("realtime", "responses", "chat") for client in clients())
    assert all(len(line) <= 120 for _, lines in connect_lines(8765) for line in lines)


@pytest.mark.parametrize("client", [one for one in clients() if one.language == "python"], ids=lambda one: one.name)
def test_python_programs_are_python(client: Client) -> None:
    compile(client.program, client.name, "exec")
