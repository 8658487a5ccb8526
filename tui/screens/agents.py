"""Agents that are connected from outside: their live turns, what they come to on every pipeline, how to connect one."""

from __future__ import annotations

from typing import ClassVar, Final

from textual.app import ComposeResult
from textual.binding import Binding, BindingType

from subsecond.engine.feed import OutsideAgent
from subsecond.tui.connect import address_of, snippets
from subsecond.tui.outside import MARK
from subsecond.tui.screens import agent_rows
from subsecond.tui.screens.agent_rows import Seen
from subsecond.tui.screens.panel import Panel
from subsecond.tui.screens.sessions import AgentSessionsView, SessionView, TableView
from subsecond.tui.snapshot import Snapshot
from subsecond.tui.widgets.snippets import Snippets
from subsecond.tui.widgets.table import Column, LiveTable, TableRow
from subsecond.tui.widgets.text import fit, lane_mark

__all__ = ["AgentsView"]

#: Rows of the connection help, at least and where it was asked for; below the least it is hidden.
_LEAST_HELP: Final = 7
_ASKED_HELP: Final = 9
#: Rows that the header, what the table holds, its border and titles, and the footer take.
_OTHER_ROWS: Final = 6


class AgentsView(TableView):
    """Every agent from outside."""

    TITLE_WORD = "Agents"
    ABOUT = (
        "Agents connected from outside, by the protocols that they speak anyway. The pipeline that an agent names "
        "serves it, the others work on the same turns for comparison: p50 and p95 are over its remembered turns on "
        "each. A live turn fills in stage by stage against its budget. Enter opens an agent's sessions, / filters, "
        "h shows how to connect, c copies the chosen lines."
    )
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("c", "copy", "Copy", tooltip="Copy the chosen lines that connect an agent"),
        Binding("h", "connect_help", "Connect", tooltip="Show or hide how an agent is connected"),
    ]
    DEFAULT_CSS = """
    AgentsView {
        #agent { height: 5; }
        Snippets {
            height: 1fr; border-top: solid $primary 40%;
            border-title-color: $foreground; border-title-style: bold;
        }
        Snippets:focus { border-top: heavy $primary; }
    }
    """
    EMPTY = "No agent is connected."

    def __init__(self) -> None:
        super().__init__()
        #: Whether the user wants the help; None: where there is room.
        self._wants_help: bool | None = None
        self._seen = Seen((), ())

    def on_mount(self) -> None:
        for one in ("#agent", "#connect"):
            self.query_one(one).display = False  # until there is something to say

    def panels(self) -> ComposeResult:
        yield from super().panels()
        yield Panel(id="agent", help="The agent under the cursor: its turns on every pipeline, and what it sent.")
        yield Snippets(empty="Waiting for the service…", id="connect")

    def columns(self, snapshot: Snapshot) -> list[Column]:
        return agent_rows.agent_columns(snapshot, self.size.width)

    def rows(self, snapshot: Snapshot) -> list[TableRow]:
        return agent_rows.agent_rows(snapshot, self._seen, self.size.width)

    def about(self, snapshot: Snapshot) -> str:
        agents = snapshot.agents
        if not len(agents):
            words = "No agent is connected from outside."
            return words if self.is_recording else f"{words} Point yours at this service with the lines below."
        names = ", ".join(f"{lane_mark(i)} {lane.info.name}" for i, lane in enumerate(snapshot.lanes))
        connected = agents.num_connected
        gone = len(agents) - connected
        counts = f"{connected:,} connected{f', {gone:,} gone' if gone else ''}"
        return f"{counts}. {names}. One serves, the others shadow. Enter shows an agent's sessions."

    def paint(self, snapshot: Snapshot) -> None:
        self._seen = agent_rows.seen(snapshot)
        super().paint(snapshot)
        self._lay_out(snapshot)
        self._paint_help(snapshot)
        self._paint_agent(snapshot)

    @property
    def is_recording(self) -> bool:
        """Whether what is shown is over: nobody can connect to it."""
        return self.dashboard.travel.replay is not None

    @property
    def _agent(self) -> OutsideAgent | None:
        """The one under the cursor."""
        tables, snapshot = self.query(LiveTable), self.dashboard.snapshot
        key = tables.last().cursor_key if tables else None
        return None if key is None or snapshot is None else snapshot.agents.agents.get(int(key))

    def _lay_out(self, snapshot: Snapshot) -> None:
        """Give the table what its rows need, and the rest to the help; where that is too little there is no help."""
        count = len(snapshot.agents)
        detail = len(snapshot.lanes) + 3
        room = self.size.height - _OTHER_ROWS - (count + detail if count else 0)
        has_help = self._wants_help if self._wants_help is not None else room >= _LEAST_HELP or not count
        has_help |= not count
        self.query_one("#agent", Panel).display = bool(count)
        _set_height(self.query_one("#agent", Panel), detail)
        table, connect = self.query(LiveTable).last(), self.query_one(Snippets)
        table.display, connect.display = bool(count), has_help
        is_roomy = has_help and room >= _LEAST_HELP
        _set_height(table, count + 2 if is_roomy else "1fr")
        _set_height(connect, "1fr" if is_roomy or not count else _ASKED_HELP)
        if self.app.screen is self and (self.focused is None or not self.focused.display):
            (table if count else connect).focus()

    def _paint_help(self, snapshot: Snapshot) -> None:
        connect = self.query_one(Snippets)
        if self.is_recording:
            back = " N goes back to the run that goes on." if self.dashboard.travel.away is not None else ""
            empty = f"This is a recording: nobody can connect to it.{back}"
            connect.update((), title="Connect an agent", empty=empty)
            return
        address = address_of(self.dashboard.source.place)
        if address is None:
            connect.update((), title="Connect an agent", empty="There is no service that an agent could connect to.")
            return
        models = tuple(f"{lane.info.model}@{lane.info.name}" for lane in snapshot.lanes)
        title = f"Connect an agent to {address}: up and down choose, c copies"
        connect.update(snippets(address, models), title=title, empty="")

    def _paint_agent(self, snapshot: Snapshot) -> None:
        agent, known, panel = self._agent, self._seen, self.query_one("#agent", Panel)
        if agent is not None:
            panel.show(
                lambda w, h: agent_rows.detail_rows(snapshot, known, agent, w, h),
                title=fit(f"{MARK}{agent.name}", 60).rstrip(),
            )

    def on_live_table_highlighted(self, _event: LiveTable.Highlighted) -> None:
        if self.dashboard.snapshot is not None:
            self._paint_agent(self.dashboard.snapshot)

    def on_live_table_selected(self, _event: LiveTable.Selected) -> None:
        """Open the sessions of the agent; of one that has a single one its turns."""
        agent = self._agent
        if agent is None:
            return
        if not agent.sessions:
            self.notify(f"{agent.name} has asked for nothing yet.", markup=False)
        elif len(agent.sessions) == 1:
            self.app.push_screen(SessionView(agent.sessions[0]))
        else:
            self.app.push_screen(AgentSessionsView(agent.agent))

    def action_connect_help(self) -> None:
        """Show or hide how an agent is connected."""
        self._wants_help = not self.query_one(Snippets).display
        self.dashboard.redraw()
        if self._wants_help:
            self.query_one(Snippets).focus()

    def action_copy(self) -> None:
        """Copy the chosen lines to the terminal's clipboard."""
        connect = self.query_one(Snippets)
        chosen = connect.chosen if connect.display else None
        if chosen is None:
            self.notify(connect.empty if connect.display else "h shows lines to copy.", markup=False)
            return
        self.app.copy_to_clipboard(chosen.text)
        self.notify(f"Copied: {chosen.title}. A terminal that takes no OSC 52 has ignored it.", markup=False)


def _set_height(widget: LiveTable | Panel | Snippets, height: int | str) -> None:
    """Set a height unless it is so already: setting it lays the screen out anew."""
    now = widget.styles.height
    if now is None or str(now) != str(height):
        widget.styles.height = height
