"""Pine's verbs on the live exchange: the `Broker` that a `ScriptStrategy` gets.

Verbs are gathered while the script runs on a closed bar and carried out right after. Market entries and
closes go out at once, which is the next open; limit and stop orders rest at the exchange until they fill,
are cancelled or asked for with other prices. One entry in a direction at a time (no pyramiding). What
cannot be placed is refused at start by `refuse_verbs`; a script that asks for it nevertheless fails alone.
"""

from collections.abc import Mapping, Sequence
from decimal import Decimal
from math import isnan, nan
from typing import Literal

import msgspec

from engine.account.state import AccountStateStore
from engine.execution.lots import decimal_of, price_to_tick, quantity_down
from engine.execution.resting import RestingOrder
from engine.execution.sizing import TooSmall, entry_qty
from engine.market_data.bars import Bar
from engine.storage.records import Fill
from engine.strategies.base import Direction, ScriptStrategy
from engine.strategies.calls import check_call, check_room
from engine.strategies.slot import StrategyRefused, StrategySlot
from gateways.wire.messages import Instrument, Side

ZERO = Decimal(0)
LIVE_VERBS = frozenset(
    {
        "entry",
        "entry.limit",
        "entry.stop",
        "exit",
        "exit.limit",
        "exit.stop",
        "exit.profit",
        "exit.loss",
        "close",
        "close_all",
        "cancel",
        "cancel_all",
    }
)
_ENTRY = "entry:"


def refuse_verbs(slot: StrategySlot, *, shared: bool) -> None:
    """`StrategyRefused` when the script uses what the live broker cannot place."""
    if not isinstance(slot.strategy, ScriptStrategy):
        return
    where = f"{slot.spec.key}: " if slot.spec.key else ""
    verbs = slot.strategy.verbs
    unknown = sorted(verbs - LIVE_VERBS)
    if unknown:
        raise StrategyRefused(
            f"{where}strategy {slot.owner} uses {', '.join(unknown)}, which cannot be placed live"
        )
    resting = sorted(verb for verb in verbs if verb.startswith(("exit", "entry.")))
    if shared and resting:
        raise StrategyRefused(where + _not_shared(slot, resting[0]))


def _not_shared(slot: StrategySlot, verb: str) -> str:
    return f"strategy {slot.owner} uses {verb} on {slot.symbol}, which other strategies trade too"


class OpenTrade(msgspec.Struct, frozen=True):
    """One open trade; `size` is signed."""

    entry_id: str
    entry_price: float
    entry_bar_index: int
    size: float


class MarketWish(msgspec.Struct, frozen=True):
    """A market order asked for. `qty_base` None is default size for an entry, everything for a close."""

    kind: Literal["enter", "close"]
    id: str
    direction: int = 0
    qty_base: Decimal | None = None
    text: str = ""


class _RestingEntry(msgspec.Struct, frozen=True):
    direction: int
    qty_base: float | None
    limit: float | None
    stop: float | None
    text: str


class _Exit(msgspec.Struct, frozen=True):
    from_entry: str
    qty_base: float | None
    percent: float
    limit: float | None
    stop: float | None
    profit_ticks: float | None
    loss_ticks: float | None
    text: str


class _Saved(msgspec.Struct, array_like=True):
    bar_index: int
    trades: list[OpenTrade]
    closed_trades: int
    entries: dict[str, _RestingEntry]
    exits: dict[str, _Exit]


def _given(value: float | None) -> float | None:
    return None if value is None or isnan(value) else float(value)


class ScriptBroker:
    """One script's broker on one symbol."""

    def __init__(
        self,
        slot: StrategySlot,
        account: AccountStateStore,
        instruments: Mapping[str, Instrument],
        *,
        shared: bool = False,
    ) -> None:
        self._shared = shared
        self._slot = slot
        self._account = account
        self._instruments = instruments
        self.muted = True
        self._close_price = nan
        self._bar_index = 0
        self._last_open_ns = 0
        self._trades: list[OpenTrade] = []
        self._closed_trades = 0
        self._entries: dict[str, _RestingEntry] = {}
        self._entries_before: dict[str, _RestingEntry] = {}
        self._exits: dict[str, _Exit] = {}
        self._market: list[MarketWish] = []

    @property
    def instrument(self) -> Instrument | None:
        """The symbol's filters, once the exchange has told them."""
        return self._instruments.get(self._slot.symbol)

    def begin_bar(self, bar: Bar, *, muted: bool) -> None:
        """A bar has closed: forget what the last one asked for at market.

        Bars are numbered by their open time, so that holding is counted over a restart.
        """
        if bar.timeframe_ns == self._slot.timeframe_ns and bar.open_time_ns > self._last_open_ns:
            if self._last_open_ns:
                self._bar_index += (bar.open_time_ns - self._last_open_ns) // bar.timeframe_ns
            self._last_open_ns = bar.open_time_ns
        self._close_price = bar.close
        self._market = []
        self._entries_before = dict(self._entries)
        self.muted = muted

    def take_market(self) -> list[MarketWish]:
        """Market orders asked for on this bar, in order."""
        market, self._market = self._market, []
        return market

    def drop_entries(self, keep: frozenset[str]) -> None:
        """Entries of this bar are not followed; those that rest already may stay as they were."""
        self._entries = {
            key: self._entries_before[key]
            for key in self._entries
            if _ENTRY + key in keep and key in self._entries_before
        }

    def _default_base(self, instrument: Instrument) -> Decimal:
        """Size of a resting entry that names none; 0 where it would be too small, or before the first bar."""
        if isnan(self._close_price):
            return ZERO
        try:
            return entry_qty(
                self._slot.sizing,
                price=self._close_price,
                equity=self._account.equity,
                risk_distance=nan,
                instrument=instrument,
            )
        except TooSmall:
            return ZERO

    def resting_orders(self) -> dict[str, RestingOrder]:
        """Every limit and stop order that should rest now, by leg."""
        instrument = self.instrument
        if instrument is None:
            return {}
        wanted: dict[str, RestingOrder] = {}
        held = self._account.strategy_position(self._slot.owner, self._slot.symbol).qty_base
        for key, entry in self._entries.items():
            if (entry.direction > 0) == (held > ZERO) and held:
                continue
            # Against a position the order turns it, as Pine's does: its size is both together.
            if entry.qty_base is None:
                size = self._default_base(instrument)
            else:
                size = quantity_down(entry.qty_base, instrument.qty_step_base)
            if size <= ZERO:
                continue
            qty = quantity_down(size + abs(held), instrument.qty_step_base)
            wanted[_ENTRY + key] = _order(
                "BUY" if entry.direction > 0 else "SELL", qty, entry.limit, entry.stop, instrument, entry.text
            )
        for key, leaving in self._exits.items():
            self._add_exit(wanted, key, leaving, held, instrument)
        return wanted

    def on_fill(self, fill: Fill, leg: str) -> None:
        """Keep the list of open trades: first in, first out."""
        left = fill.signed_base
        held = [one for one in self._trades if decimal_of(one.size) * left < ZERO]
        for trade in held:
            size = decimal_of(trade.size)
            taken = min(abs(size), abs(left))
            left -= taken if left > ZERO else -taken
            rest = size - (taken if size > ZERO else -taken)
            at = self._trades.index(trade)
            if rest == ZERO:
                del self._trades[at]
                self._closed_trades += 1
            else:
                self._trades[at] = msgspec.structs.replace(trade, size=float(rest))
            if left == ZERO:
                break
        if left:
            name = leg.removeprefix("rest:").removeprefix(_ENTRY)
            self._trades.append(OpenTrade(name, float(fill.price), self._bar_index + 1, float(left)))
            self._entries.pop(name, None)
        if not self._trades:
            self._exits.clear()

    def state(self) -> bytes:
        """For the journal."""
        return msgspec.msgpack.encode(
            _Saved(self._bar_index, self._trades, self._closed_trades, self._entries, self._exits)
        )

    def restore(self, state: bytes, bar_open_time_ns: int) -> None:
        """From the journal, as of the bar that opened at that time."""
        saved = msgspec.msgpack.decode(state, type=_Saved)
        self._bar_index, self._last_open_ns = saved.bar_index, bar_open_time_ns
        self._trades, self._closed_trades = saved.trades, saved.closed_trades
        self._entries, self._exits = saved.entries, saved.exits

    @property
    def bar_index(self) -> int:
        """Number of the bar, from 0 for the first one this script saw; it goes on over a restart."""
        return self._bar_index

    @property
    def position_size(self) -> float:
        """Signed position of this script."""
        return float(self._account.strategy_position(self._slot.owner, self._slot.symbol).qty_base)

    @property
    def position_avg_price(self) -> float:
        """Average entry price, nan while flat."""
        position = self._account.strategy_position(self._slot.owner, self._slot.symbol)
        return float(position.entry_price) if position.qty_base else nan

    @property
    def equity(self) -> float:
        """Wallet and open P&L of the account."""
        return float(self._account.equity)

    @property
    def net_profit(self) -> float:
        """Realised P&L of this script less its fees."""
        position = self._account.strategy_position(self._slot.owner, self._slot.symbol)
        return float(position.realised_pnl - position.fees)

    @property
    def open_profit(self) -> float:
        """Open P&L of this script at the close of the bar."""
        position = self._account.strategy_position(self._slot.owner, self._slot.symbol)
        return float(position.unrealised(decimal_of(self._close_price))) if position.qty_base else 0.0

    @property
    def initial_capital(self) -> float:
        """The wallet without what this script has earned."""
        return float(self._account.wallet_balance) - self.net_profit

    @property
    def open_trades(self) -> Sequence[OpenTrade]:
        """Open trades, oldest first."""
        return tuple(self._trades)

    @property
    def closed_trades(self) -> int:
        """Number of trades that are closed."""
        return self._closed_trades

    def entry(
        self,
        id: str,
        direction: Direction,
        qty: float | None = None,
        *,
        limit: float | None = None,
        stop: float | None = None,
        oca_name: str = "",
        oca_type: Literal["none", "cancel", "reduce"] = "none",
        comment: str = "",
    ) -> None:
        """Enter, turning an opposite position. At market without `limit` and `stop`."""
        numbers = {"qty": qty, "limit": limit, "stop": stop}
        check_call("entry", {"id": id, "comment": comment}, numbers, direction)
        if oca_name or oca_type != "none":
            raise StrategyRefused("OCA groups cannot be placed live")
        if self.muted:
            return
        way = 1 if direction == "long" else -1
        limit, stop, qty = _given(limit), _given(stop), _given(qty)
        if limit is not None and stop is not None:
            raise StrategyRefused("stop-limit entries cannot be placed live")
        if limit is None and stop is None:
            base = None if qty is None else decimal_of(qty)
            self._entries.pop(id, None)
            self._ask(MarketWish("enter", id, way, base, comment or id))
        else:
            self._refuse_shared("entry.limit" if stop is None else "entry.stop")
            check_room("entry", len(self._entries.keys() - {id}))
            self._entries[id] = _RestingEntry(way, qty, limit, stop, comment or id)

    def order(self, id: str, direction: Direction, qty: float | None = None, **_: object) -> None:
        """Not placed live: it knows no position, so nothing bounds it."""
        raise StrategyRefused(f"order({id!r}, {direction!r}, {qty}) cannot be placed live; use entry")

    def exit(
        self,
        id: str,
        from_entry: str = "",
        qty: float | None = None,
        *,
        qty_percent: float = 100.0,
        profit: float | None = None,
        limit: float | None = None,
        loss: float | None = None,
        stop: float | None = None,
        trail_price: float | None = None,
        trail_points: float | None = None,
        trail_offset: float | None = None,
        oca_name: str = "",
        comment: str = "",
        comment_profit: str = "",
        comment_loss: str = "",
        comment_trailing: str = "",
    ) -> None:
        """A target, a stop, or both, that rest as long as the entry's position is open."""
        sizes = {"qty": qty, "qty_percent": qty_percent}
        levels = {"profit": profit, "limit": limit, "loss": loss, "stop": stop}
        texts = {"comment_profit": comment_profit, "comment_loss": comment_loss}
        texts |= {"comment": comment, "comment_trailing": comment_trailing}
        check_call("exit", {"id": id, "from_entry": from_entry, **texts}, {**sizes, **levels})
        if oca_name or any(_given(one) is not None for one in (trail_price, trail_points, trail_offset)):
            raise StrategyRefused("trailing exits and OCA groups cannot be placed live")
        profit, limit, loss, stop = map(_given, levels.values())
        if self.muted or limit is stop is profit is loss is None:
            return
        self._refuse_shared("exit")
        percent = float(qty_percent)
        check_room("exit", len(self._exits.keys() - {id}))
        self._exits[id] = _Exit(from_entry, _given(qty), percent, limit, stop, profit, loss, comment or id)

    def close(
        self,
        id: str,
        *,
        comment: str = "",
        qty: float | None = None,
        qty_percent: float = 100.0,
        immediately: bool = False,
    ) -> None:
        """Leave what the entry `id` holds, at market."""
        del immediately
        check_call("close", {"id": id, "comment": comment}, {"qty": qty, "qty_percent": qty_percent})
        held = self._held_by(id)
        if self.muted or held == ZERO:
            return
        given = _given(qty)
        size = decimal_of(given) if given is not None else held * decimal_of(qty_percent) / 100
        self._ask(MarketWish("close", id, 0, min(size, held), comment or f"Close {id}"))

    def close_all(self, *, comment: str = "", immediately: bool = False) -> None:
        """Leave everything, at market."""
        del immediately
        check_call("close_all", {"comment": comment}, {})
        if not self.muted and self._trades:
            self._ask(MarketWish("close", "", 0, None, comment or "Close position"))

    def cancel(self, id: str) -> None:
        """Cancel the resting orders of that id."""
        check_call("cancel", {"id": id}, {})
        if not self.muted:
            self._entries.pop(id, None)
            self._exits.pop(id, None)

    def cancel_all(self) -> None:
        """Cancel every resting order."""
        if not self.muted:
            self._entries.clear()
            self._exits.clear()

    def _ask(self, wish: MarketWish) -> None:
        """One more market order on this bar."""
        check_room("entry" if wish.kind == "enter" else "close", len(self._market))
        self._market.append(wish)

    def _refuse_shared(self, verb: str) -> None:
        """For a script that does not declare in `verbs` what it uses."""
        if self._shared:
            raise StrategyRefused(_not_shared(self._slot, verb))

    def _held_by(self, entry_id: str) -> Decimal:
        """Size of what an entry holds ("": all), without sign."""
        return sum(
            (abs(decimal_of(one.size)) for one in self._trades if entry_id in {"", one.entry_id}), ZERO
        )

    def _add_exit(
        self,
        wanted: dict[str, RestingOrder],
        key: str,
        leaving: _Exit,
        held: Decimal,
        instrument: Instrument,
    ) -> None:
        size = self._held_by(leaving.from_entry)
        if not held or not size:
            return
        part = size * decimal_of(leaving.percent) / 100
        base = part if leaving.qty_base is None else decimal_of(leaving.qty_base)
        qty = quantity_down(min(base, size), instrument.qty_step_base)
        way = 1.0 if held > ZERO else -1.0
        tick = float(instrument.price_tick)
        at, limit, stop = self.position_avg_price, leaving.limit, leaving.stop
        if limit is None and leaving.profit_ticks is not None:
            limit = at + way * leaving.profit_ticks * tick
        if stop is None and leaving.loss_ticks is not None:
            stop = at - way * leaving.loss_ticks * tick
        side: Side = "SELL" if held > ZERO else "BUY"
        for name, order_limit, order_stop in (("limit", limit, None), ("stop", None, stop)):
            if (order_limit is not None or order_stop is not None) and qty > ZERO:
                order = _order(side, qty, order_limit, order_stop, instrument, leaving.text)
                wanted[f"exit:{key}:{name}"] = msgspec.structs.replace(order, reduce_only=True)


def _order(
    side: Side, qty: Decimal, limit: float | None, stop: float | None, instrument: Instrument, text: str
) -> RestingOrder:
    """A limit or a stop order on the grid, not reduce-only."""
    tick = instrument.price_tick
    if limit is not None:
        return RestingOrder("LIMIT", side, qty, price_to_tick(limit, tick), None, False, text)
    return RestingOrder(
        "STOP_MARKET", side, qty, None, price_to_tick(stop if stop is not None else nan, tick), False, text
    )
