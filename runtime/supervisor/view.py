"""The live view on a terminal: the engine's status, and the state of every process."""

import asyncio
import contextlib
import textwrap
from collections.abc import Sequence
from types import TracebackType
from typing import Self

from rich.console import Console as Screen
from rich.console import Group, RenderableType
from rich.live import Live
from rich.panel import Panel
from rich.text import Text

from runtime.control.shown import readable
from runtime.control.status import EngineStatus
from runtime.control.status_tables import append_states, blocked, clock, halted, tables, totals
from runtime.settings import Settings
from runtime.supervisor.console import Console
from runtime.supervisor.session import Session

REFRESH_SECONDS = 0.5
ROWS_TRIED = (24, 12, 6, 4, 3, 2, 1)
"""Rows of each table, tried from the most down to what fits the smallest terminal."""
LINES_SHOWN = 24
FEWEST_ROWS = 3
"""Log lines shown on the smallest terminal."""
FRAME_ROWS, FRAME_COLUMNS = 3, 4


class LiveView:
    """Redraws twice a second while the session runs."""

    def __init__(
        self, settings: Settings, session: Session, console: Console, screen: Screen | None = None
    ) -> None:
        self._settings = settings
        self._session = session
        self._console = console
        self._screen = screen or Screen()
        self._last = EngineStatus()
        """The last status that contained the account."""
        # The alternate screen: on the normal one, resizing leaves fragments behind.
        self._live = Live(console=self._screen, auto_refresh=False, screen=True, vertical_overflow="crop")
        self._task: asyncio.Task[None] | None = None

    async def __aenter__(self) -> Self:
        self._live.start()
        self._task = asyncio.create_task(self._redraw())
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._task is not None:
            self._task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._task
        self._live.stop()
        self._screen.print(self.picture())

    async def _redraw(self) -> None:
        while True:
            # In a thread: while the terminal is stopped (Ctrl+S), the output of processes must still be read.
            await asyncio.to_thread(self._live.update, self.picture(), refresh=True)
            await asyncio.sleep(REFRESH_SECONDS)

    def picture(self) -> Panel:
        """The present state; tables are cut to the height of the terminal, the log gets the rest."""
        session = self._session
        status, age = self._newest(session.summary.read())
        counted = session.summary.merged(seconds=session.seconds, restarts=session.restarts)
        status = readable(status)
        top: list[RenderableType] = [
            self._health(status, is_now=not age and self._engine_state() != "stopped"),
            *([Text(age, style="bold yellow")] if age else []),
            totals(status, counted),
        ]
        width = max(20, self._screen.width - FRAME_COLUMNS)
        room = self._screen.height - FRAME_ROWS
        parts, used = top, 0
        for most in ROWS_TRIED:
            parts = [*top, *tables(status, most, width)]
            used = len(self._screen.render_lines(Group(*parts), self._screen.options.update(width=width)))
            if used + FEWEST_ROWS <= room:
                break
        rows = max(FEWEST_ROWS, room - used)
        parts.append(log_rows(list(self._console.recent), width, min(rows, LINES_SHOWN)))
        title = f"nextbar {self._settings.environment}, {session.seconds:.0f} s"
        return Panel(Group(*parts), title=title, subtitle="Ctrl+C stops")

    def _engine_state(self) -> str:
        engine = self._session.processes.get("engine")
        return "up" if engine is None else engine.state

    def _newest(self, status: EngineStatus) -> tuple[EngineStatus, str]:
        """What to show, and how old it is in words ("": it is current)."""
        state = self._engine_state()
        if status.wallet_balance is not None:
            self._last = status
            if state in {"up", "stopped"}:
                return status, ""
        if not self._last.time_ns:
            return status, "" if status.time_ns else "the engine has not reported yet"
        if not status.time_ns or status.wallet_balance is None or state != "up":
            doing = "does not know the account yet" if state == "up" else state
            return self._last, f"engine {doing}, last known at {clock(self._last.time_ns)}:"
        return status, ""

    def _health(self, status: EngineStatus, *, is_now: bool) -> Text:
        processes = self._session.processes
        text = Text(" ")
        append_states(text, {name: process.state for name, process in processes.items()})
        text.append(f"restarts {self._session.restarts}")
        stopped, style = halted(status)
        if stopped:
            text.append(f"   {stopped}", style=style)
        if is_now and status.links:
            text.append("\n links   ")
            append_states(text, status.links)
        if is_now and status.blockers:
            text.append(f"\n {blocked(status)}", style="yellow")
        return text


def log_rows(lines: Sequence[str], width: int, rows: int) -> Text:
    """The newest lines that fit in so many rows, each complete."""
    shown: list[str] = []
    for line in reversed(lines):
        wrapped = textwrap.wrap(line, width, subsequent_indent="    ", break_on_hyphens=False) or [""]
        if shown and len(shown) + len(wrapped) > rows:
            break
        shown = wrapped + shown
    return Text("\n".join(shown), style="dim")
