"""The live view on a terminal: what the engine's status file says, and the health of every process."""

import asyncio
import contextlib
import datetime
import textwrap
from collections.abc import Mapping, Sequence
from types import TracebackType
from typing import Any, Self

from rich.console import Console as Screen
from rich.console import Group, RenderableType
from rich.live import Live
from rich.panel import Panel
from rich.table import Table
from rich.text import Text

from settings import Settings
from settings.shown import decimals_of, money, readable
from settings.status import EngineStatus
from supervisor.console import Console
from supervisor.session import Session

REFRESH_SECONDS = 0.5
SIGNALS_SHOWN = 6
ROWS_TRIED = (24, 12, 6, 4, 3, 2, 1)
"""Rows of each table, from the most that are ever shown down to what fits the smallest terminal."""
BLOCKERS_SHOWN = 3
LINES_SHOWN = 24
FEWEST_ROWS = 3
"""Of log lines, however small the terminal is."""
FRAME_ROWS, FRAME_COLUMNS = 3, 4
NARROW_COLUMNS = 100
SHORT_NAME = 16
"""Characters of a strategy's name on a narrow terminal."""
STATE_STYLES = {"up": "green", "stale": "yellow", "starting": "yellow", "waiting": "yellow"}


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
        """The engine's last word of those that told of the account."""
        # A screen of its own: a picture that is resized on the ordinary one leaves pieces of itself behind.
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
            # In a thread: while a terminal takes nothing (Ctrl+S) what processes say must still be read.
            await asyncio.to_thread(self._live.update, self.picture(), refresh=True)
            await asyncio.sleep(REFRESH_SECONDS)

    def picture(self) -> Panel:
        """Everything, as of now; tables are cut to the height of the terminal, the log gets what is left."""
        session = self._session
        status, age = self._newest(session.summary.read())
        counted = session.summary.merged(seconds=session.seconds, restarts=session.restarts)
        status = readable(status)
        top: list[RenderableType] = [
            self._health(status, is_now=not age),
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
        return Panel(Group(*parts), title=title, subtitle="Ctrl+C stops in order")

    def _newest(self, status: EngineStatus) -> tuple[EngineStatus, str]:
        """What to show, and in words how old it is ("": it is the present)."""
        engine = self._session.processes.get("engine")
        state = "up" if engine is None else engine.state
        if status.wallet_balance is not None:
            self._last = status
            if state in {"up", "stopped"}:
                return status, ""
        if not self._last.time_ns:
            return status, "" if status.time_ns else "the engine has not spoken yet"
        if not status.time_ns or status.wallet_balance is None or state != "up":
            doing = "does not know the account yet" if state == "up" else state
            return self._last, f"engine {doing}, last known at {_clock(self._last.time_ns)}:"
        return status, ""

    def _health(self, status: EngineStatus, *, is_now: bool) -> Text:
        processes = self._session.processes
        text = Text(" ")
        _append_states(text, {name: process.state for name, process in processes.items()})
        text.append(f"restarts {self._session.restarts}")
        if status.killed:
            text.append("   KILLED: no entries until resume", style="bold red")
        elif status.paused:
            text.append("   PAUSED: no entries until resume", style="bold yellow")
        elif status.paused_strategies:
            text.append(f"   PAUSED: {', '.join(status.paused_strategies)}", style="bold yellow")
        if is_now and status.links:
            text.append("\n links   ")
            _append_states(text, status.links)
        if is_now and status.blockers:
            more = len(status.blockers) - BLOCKERS_SHOWN
            shown = "; ".join(status.blockers[:BLOCKERS_SHOWN]) + (f"; and {more} more" if more > 0 else "")
            text.append(f"\n entries wait: {shown}", style="yellow")
        return text


def _append_states(text: Text, states: Mapping[str, str]) -> None:
    for name, state in states.items():
        text.append(f"{name} ", style="bold")
        text.append(state, style=STATE_STYLES.get(state, "red"))
        text.append("   ")


def log_rows(lines: Sequence[str], width: int, rows: int) -> Text:
    """The newest lines that fit in so many rows, none cut."""
    shown: list[str] = []
    for line in reversed(lines):
        wrapped = textwrap.wrap(line, width, subsequent_indent="    ", break_on_hyphens=False) or [""]
        if shown and len(shown) + len(wrapped) > rows:
            break
        shown = wrapped + shown
    return Text("\n".join(shown), style="dim")


def tables(status: EngineStatus, most: int, width: int) -> tuple[Table, ...]:
    """Markets, positions, orders and signals, each with at most so many rows."""
    return (
        markets(status, most),
        positions(status, most),
        orders(status, most),
        signals(status, most, width),
    )


def markets(status: EngineStatus, most: int) -> Table:
    """Price and last candle of each symbol."""
    table = _table("symbol", "price", "candle", "open", "high", "low", "close")
    candles = {candle.symbol: candle for candle in status.last_candles}
    for symbol in sorted(status.last_prices)[:most]:
        digits = decimals_of(status.tick_sizes.get(symbol))
        price = f"{status.last_prices[symbol]:,.{digits}f}"
        candle = candles.get(symbol)
        if candle is None:
            table.add_row(symbol, price)
            continue
        prices = (f"{value:,.{digits}f}" for value in (candle.open, candle.high, candle.low, candle.close))
        table.add_row(symbol, price, f"{_clock(candle.open_time_ns)} {candle.timeframe}", *prices)
    return _with_rest(table, len(status.last_prices) - most)


def positions(status: EngineStatus, most: int) -> Table:
    """Open positions."""
    table = _table("position", "qty", "entry", "mark", "open P&L")
    for one in status.positions[:most]:
        table.add_row(
            one.symbol, one.qty_base, one.entry_price, one.mark_price or "", one.unrealised_pnl or ""
        )
    if not status.positions:
        table.add_row("flat" if status.wallet_balance is not None else "unknown")
    return _with_rest(table, len(status.positions) - most)


def orders(status: EngineStatus, most: int) -> Table:
    """Open orders."""
    table = _table("open order", "side", "type", "qty", "filled", "price", "state")
    for one in status.open_orders[:most]:
        price = one.price or "market"
        table.add_row(one.symbol, one.side, one.order_type, one.qty_base, one.filled_base, price, one.state)
    if not status.open_orders:
        table.add_row("none" if status.wallet_balance is not None else "unknown")
    return _with_rest(table, len(status.open_orders) - most)


def signals(status: EngineStatus, most: int, width: int) -> Table:
    """The last signals and what became of them."""
    table = _table("signal at", "strategy", "symbol", "signal", "fate")
    for one in status.recent_signals[-min(most, SIGNALS_SHOWN) :]:
        name = one.strategy if width >= NARROW_COLUMNS else shortened(one.strategy)
        table.add_row(_clock(one.time_ns), name, one.symbol, one.signal, one.fate)
    return table


def shortened(strategy: str) -> str:
    """ "name:id" with the name cut, so that the id stays."""
    name, colon, identity = strategy.rpartition(":")
    too_long = len(strategy) - SHORT_NAME
    if not colon or too_long <= 0:
        return strategy
    return f"{name[: max(1, len(name) - too_long - 2)]}..:{identity}"


def _with_rest(table: Table, left_out: int) -> Table:
    if left_out > 0:
        table.add_row(f"and {left_out} more")
    return table


def totals(status: EngineStatus, counted: dict[str, Any]) -> Text:
    """Counters of the whole run, and under them the account."""
    return Text(
        f"ticks {counted['ticks']:,}  candles {counted['candles']:,}  orders {counted['orders']}  "
        f"fills {counted['fills']}  rejects {counted['rejects']}\n"
        f"wallet {money(status.wallet_balance) or 'unknown'}  "
        f"realised {money(status.realised_pnl) or 'unknown'}  "
        f"open {money(status.unrealised_pnl) or 'unknown'}  fees {money(status.fees) or 'unknown'}"
    )


def _table(*columns: str) -> Table:
    table = Table(box=None, pad_edge=False, header_style="bold", padding=(0, 3, 0, 0))
    for column in columns[:-1]:
        table.add_column(column, no_wrap=True)
    table.add_column(columns[-1], overflow="fold")
    return table


def _clock(time_ns: int) -> str:
    return datetime.datetime.fromtimestamp(time_ns / 1e9, datetime.UTC).strftime("%H:%M:%S")
