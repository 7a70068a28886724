"""The engine's status file, `data/<env>/engine/summary.json`: written by it, read by the supervisor.

Counters count from the engine's own start, `since_journal_began` over all starts. Money is text so that no
digit is lost; None is "not known yet". `EngineStatus` is written whole, by a rename, each
`engine.summary_seconds` and at the end.
"""

import contextlib
from pathlib import Path

import msgspec

WINDOWS_TRIES = 100


class CandleStatus(msgspec.Struct, frozen=True):
    """The last closed candle of one symbol."""

    symbol: str
    timeframe: str
    open_time_ns: int
    open: float
    high: float
    low: float
    close: float


class SignalStatus(msgspec.Struct, frozen=True):
    """One signal and its result; the newest of `times` equal ones that led to nothing."""

    time_ns: int
    strategy: str
    symbol: str
    signal: str
    fate: str
    times: int = 1


class OrderStatus(msgspec.Struct, frozen=True):
    """One open order; `price` is None where it has no limit, `trigger_price` where it waits for none."""

    symbol: str
    side: str
    order_type: str
    qty_base: str
    filled_base: str
    price: str | None
    state: str
    client_order_id: str
    trigger_price: str | None = None
    strategy: str = ""

    @property
    def at(self) -> str:
        """At which price, in words."""
        words = [] if self.trigger_price is None else [f"stop {self.trigger_price}"]
        if self.price is not None:
            words.append(f"limit {self.price}" if words else self.price)
        return " ".join(words) or "market"


class StrategyStatus(msgspec.Struct, frozen=True):
    """One strategy on one symbol: its state in words, its position, and its stop.

    `stop_price` is where it leaves a losing position: by an order at the exchange, or, if
    `stop_is_watched`, at the close of a bar; None: there is no stop. `may_enter`: its own state does not
    block entries.
    """

    strategy: str
    symbol: str
    timeframe: str
    state: str
    qty_base: str = "0"
    stop_price: str | None = None
    stop_is_watched: bool = False
    may_enter: bool = True


class PositionStatus(msgspec.Struct, frozen=True):
    """One position that is not flat; `qty_base` is signed."""

    symbol: str
    qty_base: str
    entry_price: str
    mark_price: str | None
    unrealised_pnl: str | None


class LatencyStatus(msgspec.Struct, frozen=True):
    """Arrival of a frame in the gateway to the order request leaving it, microseconds."""

    p50: float | None = None
    p99: float | None = None


class Counts(msgspec.Struct, frozen=True):
    """Counts that the journal holds exactly, however an engine ended."""

    signals: int = 0
    orders: int = 0
    fills: int = 0
    rejects: int = 0


class StartMoney(msgspec.Struct, frozen=True):
    """Sums of the journal when the engine started; `wallet_balance` is the first one that the exchange
    reported after that, None before."""

    realised_pnl: str
    fees: str
    funding: str
    wallet_balance: str | None = None


class EngineStatus(msgspec.Struct, frozen=True):
    """Everything the live view and the run's summary show."""

    time_ns: int = 0
    ready: bool = False
    ticks: int = 0
    candles: int = 0
    signals: int = 0
    orders: int = 0
    fills: int = 0
    rejects: int = 0
    conflated_ticks: int = 0
    positions: tuple[PositionStatus, ...] = ()
    realised_pnl: str | None = None
    unrealised_pnl: str | None = None
    fees: str | None = None
    wallet_balance: str | None = None
    tick_to_order_us: LatencyStatus = LatencyStatus()
    last_prices: dict[str, float] = {}
    last_candles: tuple[CandleStatus, ...] = ()
    recent_signals: tuple[SignalStatus, ...] = ()
    """Newest last."""
    open_orders: tuple[OrderStatus, ...] = ()
    links: dict[str, str] = {}
    """Link ("gateway", and the gateway's streams) to "up", "stale" or "down"."""
    paused: bool = False
    killed: bool = False
    """Stopped by `kill`; `paused` is set too."""
    paused_strategies: tuple[str, ...] = ()
    """Individually paused ones, as "strategy on SYMBOL"."""
    tick_sizes: dict[str, str] = {}
    """Of the symbols that the exchange has described; prices are shown with their decimals."""
    since_journal_began: Counts | None = None
    blockers: tuple[str, ...] = ()
    """What blocks entries, and since when, in sentences."""
    strategies: tuple[StrategyStatus, ...] = ()
    left_behind: tuple[str, ...] = ()
    """Positions of strategies that are no longer configured, and what to type, in sentences."""
    unanswered: str = ""
    """What the exchange cannot answer at present."""
    funding: str | None = None
    at_start: StartMoney | None = None


def write_status(path: Path, status: EngineStatus) -> None:
    """Write the file completely or not at all; not synced, because nothing depends on it."""
    part = path.with_name(path.name + ".tmp")
    part.write_bytes(msgspec.json.encode(status))
    for _ in range(WINDOWS_TRIES):
        with contextlib.suppress(PermissionError):  # Windows, while another process reads the old one
            part.replace(path)
            return


def read_status(path: Path) -> EngineStatus | None:
    """None while there is no file, or none that can be read."""
    with contextlib.suppress(OSError, msgspec.DecodeError):
        return msgspec.json.decode(path.read_bytes(), type=EngineStatus)
    return None
