"""The engine's status as tables: of the live view, and of `engine.ctl status`."""

import datetime
from collections.abc import Mapping
from functools import partial
from typing import Any

from rich.table import Table
from rich.text import Text

from runtime.control.shown import counted, money, price
from runtime.control.status import EngineStatus, StrategyStatus

SIGNALS_SHOWN = 6
NARROW_COLUMNS = 100
SHORT_NAME = 16
"""Characters of a strategy's name on a narrow terminal."""
BLOCKERS_SHOWN = 3
STATE_STYLES = {"up": "green", "stale": "yellow", "starting": "yellow", "waiting": "yellow"}


def tables(status: EngineStatus, most: int, width: int) -> tuple[Table, ...]:
    """Markets, strategies, positions, orders and signals of a readable status, each with at most so many
    rows, for a terminal of so many columns."""
    return (
        markets(status, most),
        strategies(status, most, width),
        positions(status, most),
        orders(status, most),
        signals(status, most, width),
    )


def append_states(text: Text, states: Mapping[str, str]) -> None:
    """Names of links or processes with their states, coloured."""
    for name, state in states.items():
        text.append(f"{name} ", style="bold")
        text.append(state, style=STATE_STYLES.get(state, "red"))
        text.append("   ")


def halted(status: EngineStatus) -> tuple[str, str]:
    """What a command has stopped, and a style for it; two empty strings if nothing is stopped."""
    if status.killed:
        return "KILLED: no entries until resume", "bold red"
    if status.paused:
        return "PAUSED: no entries until resume", "bold yellow"
    if status.paused_strategies:
        return f"PAUSED: {', '.join(status.paused_strategies)}", "bold yellow"
    return "", ""


def blocked(status: EngineStatus, most: int = BLOCKERS_SHOWN) -> str:
    """What blocks entries, in a line; "" if nothing does."""
    if not status.blockers:
        return ""
    more = len(status.blockers) - most
    return f"entries wait: {'; '.join(status.blockers[:most])}{f'; and {more} more' if more > 0 else ''}"


def entries(status: EngineStatus) -> str:
    """Whether entries are open; if not, everything that blocks them."""
    waiting = blocked(status, len(status.blockers))
    if waiting:
        return waiting
    if status.strategies and not any(one.may_enter for one in status.strategies):
        return "no entries: every strategy is waiting, paused or stopped, as its state says"
    return "entries open"


def in_a_line(status: EngineStatus) -> str:
    """Entries, positions and the number of open orders of a readable status."""
    held = (f"{one.symbol} {one.qty_base} at {one.entry_price}" for one in status.positions)
    flat = "flat" if status.wallet_balance is not None else "positions unknown"
    return "; ".join(
        [entries(status), ", ".join(held) or flat, counted(len(status.open_orders), "open order")]
    )


def markets(status: EngineStatus, most: int) -> Table:
    """Price and last candle of each symbol."""
    table = _table(
        f"symbol{_more(len(status.last_prices), most)}", "price", "candle", "open", "high", "low", "close"
    )
    candles = {candle.symbol: candle for candle in status.last_candles}
    for symbol in sorted(status.last_prices)[:most]:
        show = partial(price, tick_size=status.tick_sizes.get(symbol), grouped=True)
        last = show(status.last_prices[symbol])
        candle = candles.get(symbol)
        if candle is None:
            table.add_row(symbol, last)
            continue
        prices = map(show, (candle.open, candle.high, candle.low, candle.close))
        table.add_row(symbol, last, f"{clock(candle.open_time_ns)} {candle.timeframe}", *prices)
    return table


def strategies(status: EngineStatus, most: int, width: int) -> Table:
    """State, position and stop of each strategy."""
    head = f"strategy{_more(len(status.strategies), most)}"
    table = _table(head, "symbol", "bar", "holds", "stop", "state")
    # Only the last column may wrap; on a narrow terminal it is cut to one line.
    is_narrow = width < NARROW_COLUMNS
    for one in status.strategies[:most]:
        state = Text(one.state, no_wrap=is_narrow, overflow="ellipsis" if is_narrow else "fold")
        table.add_row(_name(one.strategy, width), one.symbol, one.timeframe, one.qty_base, _stop(one), state)
    return table


def _stop(one: StrategyStatus) -> str:
    if one.stop_price is None:
        return "none"
    return f"{one.stop_price} at close" if one.stop_is_watched else one.stop_price


def positions(status: EngineStatus, most: int) -> Table:
    """Open positions."""
    table = _table(f"position{_more(len(status.positions), most)}", "qty", "entry", "mark", "open P&L")
    for one in status.positions[:most]:
        table.add_row(
            one.symbol, one.qty_base, one.entry_price, one.mark_price or "", one.unrealised_pnl or ""
        )
    if not status.positions:
        table.add_row("flat" if status.wallet_balance is not None else "unknown")
    return table


def orders(status: EngineStatus, most: int) -> Table:
    """Open orders, with the price that triggers a stop."""
    table = _table(
        f"open order{_more(len(status.open_orders), most)}", "side", "type", "qty", "filled", "at", "state"
    )
    for one in status.open_orders[:most]:
        table.add_row(one.symbol, one.side, one.order_type, one.qty_base, one.filled_base, one.at, one.state)
    if not status.open_orders:
        table.add_row("none" if status.wallet_balance is not None else "unknown")
    return table


def order_ids(status: EngineStatus, width: int) -> Table:
    """Owner of each open order, and the id by which it is cancelled."""
    table = _table("open order", "strategy", "id")
    for one in status.open_orders:
        table.add_row(
            f"{one.symbol} {one.at}", _name(one.strategy, width) or "somebody else", one.client_order_id
        )
    return table


def signals(status: EngineStatus, most: int, width: int) -> Table:
    """The last signals and their results."""
    table = _table("signal at", "strategy", "symbol", "signal", "fate")
    for one in status.recent_signals[-min(most, SIGNALS_SHOWN) :]:
        fate = f"{one.fate}, {one.times} times" if one.times > 1 else one.fate
        table.add_row(clock(one.time_ns), _name(one.strategy, width), one.symbol, one.signal, fate)
    return table


def totals(status: EngineStatus, counts: Mapping[str, Any]) -> Text:
    """Counters, and under them the account."""
    return Text(
        f"ticks {counts['ticks']:,}  candles {counts['candles']:,}  orders {counts['orders']}  "
        f"fills {counts['fills']}  rejects {counts['rejects']}\n"
        f"wallet {money(status.wallet_balance) or 'unknown'}  "
        f"realised {money(status.realised_pnl) or 'unknown'}  "
        f"open {money(status.unrealised_pnl) or 'unknown'}  fees {money(status.fees) or 'unknown'}"
    )


def clock(time_ns: int) -> str:
    """Time of day, UTC."""
    return datetime.datetime.fromtimestamp(time_ns / 1e9, datetime.UTC).strftime("%H:%M:%S")


def shortened(strategy: str) -> str:
    """ "name:id" with the name cut, so that the id stays."""
    name, colon, identity = strategy.rpartition(":")
    too_long = len(strategy) - SHORT_NAME
    if not colon or too_long <= 0:
        return strategy
    return f"{name[: max(1, len(name) - too_long - 2)]}..:{identity}"


def _name(strategy: str, width: int) -> str:
    return strategy if width >= NARROW_COLUMNS else shortened(strategy)


def _more(count: int, most: int) -> str:
    """For the head of a table: how many rows it leaves out."""
    return f" +{count - most}" if count > most else ""


def _table(*columns: str) -> Table:
    """The last column may take several lines."""
    table = Table(box=None, pad_edge=False, header_style="bold", padding=(0, 3, 0, 0))
    for column in columns[:-1]:
        table.add_column(column, no_wrap=True)
    table.add_column(columns[-1], overflow="fold")
    return table
