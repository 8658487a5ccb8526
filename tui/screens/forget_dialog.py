"""Asks whether a broker shall forget an engine."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, cast

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical
from textual.widgets import Label

from subsecond.tui.fleet import Engine
from subsecond.tui.screens.dialogs import Dialog
from subsecond.tui.widgets.text import clean

if TYPE_CHECKING:
    from subsecond.tui.fleet_app import FleetApp

__all__ = ["ForgetDialog"]


class ForgetDialog(Dialog):
    """Enter lets the broker forget the engine, escape does not."""

    ABOUT: ClassVar[str] = (
        "A broker keeps the last status of an engine until somebody lets it forget: the line goes away here and on "
        "every other dashboard. Recordings stay as they are. An engine that is only cut off comes back by itself."
    )
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("enter", "forget", "Forget", tooltip="Let the broker forget this engine"),
    ]
    DEFAULT_CSS = """
    ForgetDialog Label { width: 100%; }
    """

    def __init__(self, engine: Engine) -> None:
        super().__init__()
        self._engine = engine

    def compose(self) -> ComposeResult:
        status = self._engine.status
        name = f"{clean(status.host)} {clean(status.engine[:4])}"
        with Vertical() as box:
            box.border_title = "Forget an engine (enter forgets it, escape closes)"
            yield Label(f"{name}, {clean(status.scenario)}, is {self._engine.state}.", markup=False)
            yield Label("Its line goes away on every dashboard; recordings stay.", markup=False)

    def action_forget(self) -> None:
        self.dismiss()
        app = cast("FleetApp", self.app)
        app.run_worker(app.forget_engine(self._engine.status.engine), group="forget")
