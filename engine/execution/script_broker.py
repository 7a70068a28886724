"""Pine's verbs on the live exchange: the `Broker` that a `ScriptStrategy` gets.

Verbs are gathered while the script runs on a closed bar and carried out right after. Market entries and
closes go out at once, which is the next open; limit and stop orders rest at the exchange until they fill,
are cancelled or asked for with other prices. One entry in a direction at a time (no pyramiding). A script
that asks for what cannot be placed (`script_verbs`) fails alone.
"""

from collections.abc import Callable, Mapping, Sequence
from decimal import Decimal
from math import isnan, nan
from typing import Literal

import msgspec

from engine.account.state import AccountStateStore
from engine.execution.exit_legs import EnteredTrade, ExitLeg, ExitLegs
from engine.execution.resting import RestingOrder
from engine.execution.script_orders import Exit, RestingEntry, is_met_at_once, level_of
from engine.execution.script_trades import OpenTrade, ScriptTrades
from engine.execution.script_verbs import not_shared
from engine.model.audit import Severity
from engine.model.bars import Bar
from engine.model.leg import CLOSE, Leg, resting_entry
from engine.model.lots import decimal_of, plain, quantity_down
from engine.model.records import Fill
from engine.model.signals import Direction
from engine.strategies.calls import check_call, check_room
from engine.strategies.slot import StrategyRefused, StrategySlot
from gateways.wire.messages import Instrument

ZERO = Decimal(0)
_NOTHING: Mapping[str, int] = {}
_FINEST_STEP = Decimal("1e-12")
"""Until the exchange has told the step."""


class MarketWish(msgspec.Struct, frozen=True):
    """A market order asked for. `qty_base` None is default size for an entry, everything for a close.

    `leg` names the order of a close, by which its fills are told apart.
    """

    kind: Literal["enter", "close"]
    id: str
    direction: int = 0
    qty_base: Decimal | None = None
    text: str = ""
    leg: Leg = CLOSE


class _Saved(msgspec.Struct, array_like=True):
    """`exits` and `spent` are what versions before `legs` have written."""

    bar_index: int
    trades: list[OpenTrade]
    closed_trades: int
    entries: dict[str, RestingEntry]
    exits: dict[str, Exit]
    spent: list[str] = []
    entered: list[EnteredTrade] = []
    legs: list[ExitLeg] = []


def _directions(entries: Mapping[str, RestingEntry]) -> dict[str, int]:
    return {key: entry.direction for key, entry in entries.items()}


def _given(value: float | None) -> float | None:
    return None if value is None or isnan(value) else float(value)


def _tell_nobody(level: Severity, text: str) -> None:
    """Where nobody listens."""


class ScriptBroker:
    """One script's broker on one symbol. `tell` takes a notice's level and text."""

    def __init__(
        self,
        slot: StrategySlot,
        account: AccountStateStore,
        instruments: Mapping[str, Instrument],
        *,
        shared: bool = False,
        tell: Callable[[Severity, str], None] = _tell_nobody,
    ) -> None:
        self._shared = shared
        self._tell = tell
        self._told: set[str] = set()
        self._slot = slot
        self._account = account
        self._instruments = instruments
        self.muted = True
        self._close_price = nan
        self._bar_index = 0
        self._last_open_ns = 0
        self._trades = ScriptTrades()
        self._entries: dict[str, RestingEntry] = {}
        self._entries_before: dict[str, RestingEntry] = {}
        self._coming: dict[str, int] = {}
        self._exits = ExitLegs()
        self._market: list[MarketWish] = []

    @property
    def instrument(self) -> Instrument | None:
        """The symbol's filters, once the exchange has told them."""
        return self._instruments.get(self._slot.symbol)

    @property
    def _step(self) -> Decimal:
        instrument = self.instrument
        return _FINEST_STEP if instrument is None else instrument.qty_step_base

    def begin_bar(self, bar: Bar, *, muted: bool, coming: Mapping[str, int] = _NOTHING) -> None:
        """A bar has closed: forget what the last one asked for at market. `coming` are ids and directions of
        market entries that have yet to fill.

        Bars are numbered by their open time, so that holding is counted over a restart.
        """
        if bar.timeframe_ns == self._slot.timeframe_ns and bar.open_time_ns > self._last_open_ns:
            if self._last_open_ns:
                self._bar_index += (bar.open_time_ns - self._last_open_ns) // bar.timeframe_ns
            self._last_open_ns = bar.open_time_ns
        self._close_price = bar.close
        self._market = []
        self._entries_before = dict(self._entries)
        self._coming = dict(coming)
        self.muted = muted
        if self._trades.open and not self.position_size:  # somebody else has closed it
            self._end_position()
        self._exits.drop_orphans(self._pending())

    def take_market(self) -> list[MarketWish]:
        """Market orders asked for on this bar, in order; without any, exits that are met at once."""
        market, self._market = self._market, []
        return market or ([] if self.muted else self.take_met())

    def take_met(self) -> list[MarketWish]:
        """The first exit whose level is met at once; the next follows when it has filled."""
        held = decimal_of(abs(self.position_size))
        for leg, order in self._exit_orders():
            instrument = self.instrument
            if instrument is not None and is_met_at_once(order, instrument.price_tick):
                part = order.qty_base if order.qty_base < held else None
                return [MarketWish("close", leg.id, 0, part, order.signal, leg.met)]
        return []

    def drop_entries(self, keep: frozenset[Leg]) -> None:
        """Entries of this bar are not followed; those that rest already may stay as they were."""
        self._entries = {
            key: self._entries_before[key]
            for key in self._entries
            if resting_entry(key) in keep and key in self._entries_before
        }

    def resting_orders(self) -> dict[Leg, RestingOrder]:
        """Every limit and stop order that should rest now, by leg."""
        instrument = self.instrument
        if instrument is None:
            return {}
        wanted: dict[Leg, RestingOrder] = {}
        held = self._account.strategy_position(self._slot.owner, self._slot.symbol).qty_base
        begun = self._begun()
        for key, entry in self._entries.items():
            if (entry.direction > 0) == (held > ZERO) and held and key not in begun:
                continue
            size = entry.size(self._slot.sizing, self._account.equity, instrument)
            if size <= ZERO:
                continue
            # Against a position the order turns it, as Pine's does: its size is both together.
            more = -begun[key] if key in begun else abs(held)
            order = entry.order(quantity_down(size + more, instrument.qty_step_base), instrument)
            if level_of(order) > ZERO:
                wanted[resting_entry(key)] = order
        for leg, order in self._exit_orders():
            if level_of(order) > ZERO and not is_met_at_once(order, instrument.price_tick):
                wanted[leg] = order
            elif order.is_stop and order.side == "SELL":
                self._tell_no_stop(leg.id, order)
        return wanted

    def on_fill(self, fill: Fill, leg: Leg, *, may_go_on: bool = False) -> None:
        """Keep account of trades and exits. `may_go_on`: its order may fill further."""
        opens = self._trades.reduce(fill.signed_base)
        closes = abs(fill.signed_base) - abs(opens)
        entry_id = leg.entry_id
        if closes:
            pending = self._pending() if leg != CLOSE else _directions(self._entries)
            pending.pop(entry_id, None)
            self._exits.leave(leg, closes, pending)
        if opens:
            self._open(fill, entry_id, opens, may_go_on=may_go_on)
        if not self._trades.open:
            self._end_position()
        self._drop_emptied()

    def on_ended(self, client_order_id: str) -> None:
        """An order fills no further."""
        for one in self._exits.entries:
            if one.client_order_id == client_order_id:
                self._entries.pop(one.id, None)
        self._exits.end(client_order_id)

    def filling(self) -> list[str]:
        """Entry orders of the open position that may fill further."""
        return [one.client_order_id for one in self._exits.entries if one.is_filling]

    def _open(self, fill: Fill, entry_id: str, opens: Decimal, *, may_go_on: bool) -> None:
        entry = self._exits.open(entry_id, fill.client_order_id, opens, fill.price)
        entry.is_filling = may_go_on
        self._exits.share_out(entry, self._step)
        self._trades.add(entry, opens, self._bar_index + 1)
        if not may_go_on:
            self._entries.pop(entry_id, None)
            self._coming.pop(entry_id, None)

    def _begun(self) -> dict[str, Decimal]:
        """Ids of resting entries whose order has filled in part, and how much of it."""
        return {
            one.id: one.whole_base
            for one in self._exits.entries
            if one.is_filling and one.id in self._entries and self._entries[one.id].direction == one.direction
        }

    def _drop_emptied(self) -> None:
        """An entry whose first part has been left already is not filled further."""
        begun = self._begun()
        for one in self._exits.entries:
            if one.id in begun and not one.left_base:
                self._entries.pop(one.id, None)

    def _end_position(self) -> None:
        self._trades.open.clear()
        self._exits.end_position()
        self._drop_emptied()
        self._exits.drop_orphans(self._pending())
        self._told.clear()

    def _pending(self) -> dict[str, int]:
        """Ids of entries that have yet to fill, with their directions."""
        begun = self._begun()
        return {
            key: way for key, way in _directions(self._entries).items() if key not in begun
        } | self._coming

    def state(self) -> bytes:
        """For the journal."""
        legs = self._exits
        return msgspec.msgpack.encode(
            _Saved(
                self._bar_index,
                self._trades.open,
                self._trades.closed,
                self._entries,
                {},
                [],
                legs.entries,
                legs.legs,
            )
        )

    def restore(self, state: bytes, bar_open_time_ns: int) -> None:
        """From the journal, as of the bar that opened at that time."""
        saved = msgspec.msgpack.decode(state, type=_Saved)
        self._bar_index, self._last_open_ns = saved.bar_index, bar_open_time_ns
        self._trades.open, self._trades.closed = saved.trades, saved.closed_trades
        self._entries = saved.entries
        self._exits.entries, self._exits.legs = saved.entered, saved.legs
        if not saved.entered:
            self._restore_earlier(saved)

    def _restore_earlier(self, saved: _Saved) -> None:
        """State of a version that remembered the last call of each exit only, and those met at once."""
        for number, trade in enumerate(saved.trades):
            size = decimal_of(trade.size)
            self._exits.open(trade.entry_id, f"earlier{number}", size, decimal_of(trade.entry_price))
        # Whether an entry was on its way it did not say: until the next bar exits wait for any that is named.
        named = {call.from_entry: 0 for call in saved.exits.values() if call.from_entry}
        for exit_id, call in saved.exits.items():
            self._exits.place(exit_id, call, named | _directions(saved.entries), self._step)
        for leg in self._exits.legs:
            leg.is_spent = leg.is_spent or leg.exit_id in saved.spent

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
        return tuple(self._trades.open)

    @property
    def closed_trades(self) -> int:
        """Number of trades that are closed."""
        return self._trades.closed

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
        if id in self._begun() and self._entries[id].direction == way:
            return  # its order is filling: another entry in that direction would be one too many
        limit, stop, qty = _given(limit), _given(stop), _given(qty)
        if limit is not None and stop is not None:
            raise StrategyRefused("stop-limit entries cannot be placed live")
        equity = self._account.equity if qty is None else None
        priced = RestingEntry(way, qty, limit, stop, comment or id, equity)
        is_priced = not (limit is None and stop is None)
        if is_priced:
            self._refuse_shared("entry.limit" if stop is None else "entry.stop")
        instrument = self.instrument
        if is_priced and not (instrument is not None and priced.is_met_at_once(instrument)):
            check_room("entry", len(self._entries.keys() - {id}))
            self._entries.pop(id, None)
            is_left = any(one.kind == "close" for one in self._market)
            if is_left or self.position_size * way <= 0:  # else it would be one too many
                self._entries[id] = priced
        else:
            base = None if qty is None else decimal_of(qty)
            self._entries.pop(id, None)
            self._ask(MarketWish("enter", id, way, base, comment or id))
            if self.position_size * way <= 0:
                self._coming[id] = way

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
        """A target, a stop, or both, for every entry of `from_entry` ("" means any), open or pending.

        Each fills once for each entry; without any level it only holds its share of the entry.
        """
        sizes = {"qty": qty, "qty_percent": qty_percent}
        levels = {"profit": profit, "limit": limit, "loss": loss, "stop": stop}
        texts = {"comment_profit": comment_profit, "comment_loss": comment_loss}
        texts |= {"comment": comment, "comment_trailing": comment_trailing}
        check_call("exit", {"id": id, "from_entry": from_entry, **texts}, {**sizes, **levels})
        if oca_name or any(_given(one) is not None for one in (trail_price, trail_points, trail_offset)):
            raise StrategyRefused("trailing exits and OCA groups cannot be placed live")
        profit, limit, loss, stop = map(_given, levels.values())
        if self.muted:
            return
        self._refuse_shared("exit")
        check_room("exit", len({leg.exit_id for leg in self._exits.legs} - {id}))
        call = Exit(from_entry, _given(qty), float(qty_percent), limit, stop, profit, loss, comment or id)
        self._exits.place(id, call, self._pending(), self._step)

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
        held = self._exits.held_by(id)
        if self.muted or held == ZERO:
            return
        given = _given(qty)
        size = decimal_of(given) if given is not None else held * decimal_of(qty_percent) / 100
        self._ask(MarketWish("close", id, 0, min(size, held), comment or f"Close {id}", Leg("close", id=id)))

    def close_all(self, *, comment: str = "", immediately: bool = False) -> None:
        """Leave everything, at market."""
        del immediately
        check_call("close_all", {"comment": comment}, {})
        if not self.muted and self._trades.open:
            self._ask(MarketWish("close", "", 0, None, comment or "Close position"))

    def cancel(self, id: str) -> None:
        """Cancel the resting orders of that id."""
        check_call("cancel", {"id": id}, {})
        if not self.muted:
            self._entries.pop(id, None)
            self._exits.cancel(id)

    def cancel_all(self) -> None:
        """Cancel every resting order."""
        if not self.muted:
            self._entries.clear()
            self._exits.legs.clear()

    def _ask(self, wish: MarketWish) -> None:
        """One more market order on this bar."""
        check_room("entry" if wish.kind == "enter" else "close", len(self._market))
        self._market.append(wish)

    def _refuse_shared(self, verb: str) -> None:
        """For a script that does not declare in `verbs` what it uses."""
        if self._shared:
            raise StrategyRefused(not_shared(self._slot, verb))

    def _exit_orders(self) -> list[tuple[Leg, RestingOrder]]:
        """Legs and orders of what is still to be left of the open position."""
        held, instrument = decimal_of(self.position_size), self.instrument
        if instrument is None or not held:
            return []
        return list(self._exits.orders(held, instrument))

    def _tell_no_stop(self, key: str, order: RestingOrder) -> None:
        """Once for each position and exit."""
        if key in self._told:
            return
        self._told.add(key)
        at = plain(level_of(order))
        text = f"the stop of {key} is at {at}, which no price reaches: none is placed"
        level: Severity = "critical" if self._slot.spec.protective_stop_percent is None else "warning"
        self._tell(level, f"{self._slot.owner} on {self._slot.symbol}: {text}")
