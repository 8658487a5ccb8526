"""The dashboard of a study: no service and no run, until a recording is opened beside it."""

from __future__ import annotations

from typing import ClassVar

from textual.binding import Binding, BindingType

from subsecond.tui.app import FPS, SubsecondApp
from subsecond.tui.keys import WHY_NOT
from subsecond.tui.screens.study import StudyView
from subsecond.tui.source import ListSource
from subsecond.tui.studies.opening import OpenStudy

__all__ = ["StudyApp"]

#: What keys that are about a run say while there is none.
_NO_RUN = "This is a study: there is no run. 6 lists recordings."
#: Actions about a run.
_OF_RUN = frozenset(
    (*WHY_NOT, "pause", "resume", "freeze", "thaw", "faster", "slower", "seek", "restart", "annotate", "why")
)


class StudyApp(SubsecondApp):
    """Shows a study that was read before.

    Args:
        fps: as for the dashboard.
    """

    MODES: ClassVar = {**SubsecondApp.MODES, "study": StudyView}
    DEFAULT_MODE = "study"
    BINDINGS: ClassVar[list[BindingType]] = [Binding("0", "study", "Study", tooltip="The study that was opened first")]

    def __init__(self, opened: OpenStudy, *, fps: float | None = FPS) -> None:
        super().__init__(ListSource([]), fps=fps)
        self.opened = opened
        self.places.append(opened.path.absolute().parent)

    @property
    def has_run(self) -> bool:
        """Whether a recording is shown."""
        return self.travel.away is not None

    def go_back(self) -> None:
        """From any other screen to the study; there is nothing behind that."""
        if len(self.screen_stack) > 1:
            super().go_back()
        elif self.current_mode == "study":
            self.notify("This is where it began: q leaves.", markup=False)
        else:
            self.action_study()

    def action_study(self) -> None:
        """Show the study."""
        self.switch_mode("study")

    def action_now(self) -> None:
        """Leave the recording."""
        super().action_now()
        self.snapshot = None
        self.action_study()

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        if action == "study":
            return self.current_mode != "study"
        if not self.has_run and action in _OF_RUN:
            return False
        return super().check_action(action, parameters)

    def action_view(self, mode: str) -> None:
        if self.has_run or mode == "recordings":
            super().action_view(mode)
        else:
            self.notify(_NO_RUN, markup=False)
