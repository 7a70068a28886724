"""The live view on a terminal: what the engine's status file says, and the health of every process."""

import asyncio
import contextlib
import datetime
from types import TracebackType
from typing import Self

from rich.console import Group
from rich.live import Live
from rich.panel import Panel
from rich.table import Table
from rich.text import Text

from settings import Settings
from settings.status import EngineStatus
from supervisor.console import Console
from supervisor.session import Session

REFRESH_SECONDS = 0.5
SIGNALS_SHOWN = 6
LINES_SHOWN = 8
STATE_STYLES = {"up": "green", "stale": "yellow", "starting": "yellow", "waiting": "yellow"}


class LiveView:
    """Redraws twice a second while the session runs."""

    def __init__(self, settings: Settings, session: Session, console: Console) -> None:
        self._settings = settings
        self._session = session
        self._console = console
        # A screen of its own: a picture that is resized on the ordinary one leaves pieces of itself behind.
        self._live = Live(auto_refresh=False, screen=True, vertical_overflow="crop")
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
        self._live.console.print(self._picture())

    async def _redraw(self) -> None:
        while True:
            self._live.update(self._picture(), refresh=True)
            await asyncio.sleep(REFRESH_SECONDS)

    def _picture(self) -> Panel:
        session = self._session
        status = session.summary.read()
        title = f"nextbar {self._settings.environment}, {session.seconds:.0f} s"
        lines = Text("\n".join(list(self._console.recent)[-LINES_SHOWN:]), style="dim", no_wrap=True)
        parts = (
            self._health(status),
            markets(status),
            positions(status),
            orders(status),
            signals(status),
            money(status),
            lines,
        )
        return Panel(Group(*parts), title=title, subtitle="Ctrl+C stops in order")

    def _health(self, status: EngineStatus) -> Text:
        processes = self._session.processes
        states = {name: process.state for name, process in processes.items()}
        if "engine" not in processes or processes["engine"].state == "up":
            states |= {f"{name} link": state for name, state in status.links.items()}
        text = Text()
        for name, state in states.items():
            text.append(f" {name} ", style="bold")
            text.append(state, style=STATE_STYLES.get(state, "red"))
        text.append(f"  restarts {self._session.restarts}")
        if status.paused:
            text.append("  PAUSED", style="bold yellow")
        return text


def markets(status: EngineStatus) -> Table:
    """Price and last candle of each symbol."""
    table = _table("symbol", "price", "candle", "open", "high", "low", "close")
    candles = {candle.symbol: candle for candle in status.last_candles}
    for symbol in sorted(status.last_prices):
        price = f"{status.last_prices[symbol]:,.2f}"
        candle = candles.get(symbol)
        if candle is None:
            table.add_row(symbol, price)
            continue
        prices = (f"{value:,.2f}" for value in (candle.open, candle.high, candle.low, candle.close))
        table.add_row(symbol, price, f"{_clock(candle.open_time_ns)} {candle.timeframe}", *prices)
    return table


def positions(status: EngineStatus) -> Table:
    """Open positions."""
    table = _table("position", "qty", "entry", "mark", "open P&L")
    for one in status.positions:
        table.add_row(
            one.symbol, one.qty_base, one.entry_price, one.mark_price or "", one.unrealised_pnl or ""
        )
    if not status.positions:
        table.add_row("flat")
    return table


def orders(status: EngineStatus) -> Table:
    """Open orders."""
    table = _table("open order", "side", "type", "qty", "filled", "price", "state")
    for one in status.open_orders[:SIGNALS_SHOWN]:
        price = one.price or "market"
        table.add_row(one.symbol, one.side, one.order_type, one.qty_base, one.filled_base, price, one.state)
    if not status.open_orders:
        table.add_row("none")
    return table


def signals(status: EngineStatus) -> Table:
    """The last signals and what became of them."""
    table = _table("signal at", "strategy", "symbol", "signal", "fate")
    for one in status.recent_signals[-SIGNALS_SHOWN:]:
        table.add_row(_clock(one.time_ns), one.strategy, one.symbol, one.signal, one.fate)
    return table


def money(status: EngineStatus) -> Text:
    """Counters and account in one line."""
    return Text(
        f"ticks {status.ticks:,}  candles {status.candles:,}  orders {status.orders}  fills {status.fills}  "
        f"rejects {status.rejects}  wallet {status.wallet_balance or '?'}  "
        f"realised {status.realised_pnl or '?'}  open {status.unrealised_pnl or '?'}  "
        f"fees {status.fees or '?'}"
    )


def _table(*columns: str) -> Table:
    table = Table(box=None, pad_edge=False, header_style="bold")
    for column in columns:
        table.add_column(column, no_wrap=True)
    return table


def _clock(time_ns: int) -> str:
    return datetime.datetime.fromtimestamp(time_ns / 1e9, datetime.UTC).strftime("%H:%M:%S")
