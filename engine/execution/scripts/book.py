"""What one script has entered on one symbol, and the orders it wants there.

Market orders are those of the present bar. Entries and exits that rest are wanted until they fill, are
cancelled or asked for with other prices. One entry in a direction at a time (no pyramiding).
"""

from collections.abc import Callable, Mapping
from decimal import Decimal
from math import nan
from typing import Literal

import msgspec

from engine.account.state import AccountStateStore
from engine.execution.scripts.exit_legs import EnteredTrade, ExitLeg, ExitLegs
from engine.execution.scripts.orders import Exit, RestingEntry, is_met_at_once, level_of
from engine.execution.scripts.trades import OpenTrade, ScriptTrades
from engine.execution.sending.resting import RestingOrder
from engine.model.audit import Severity
from engine.model.bars import Bar
from engine.model.leg import CLOSE, Leg, resting_entry
from engine.model.lots import decimal_of, plain, quantity_down
from engine.model.positions import Position
from engine.model.records import Fill
from engine.strategies.calls import check_room
from engine.strategies.slot import StrategySlot
from gateways.wire.messages import Instrument

ZERO = Decimal(0)
_NOTHING: Mapping[str, int] = {}
_FINEST_STEP = Decimal("1e-12")
"""Until the exchange's step is known."""


class MarketRequest(msgspec.Struct, frozen=True):
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


def _tell_nobody(level: Severity, text: str) -> None:
    """For a book without notices."""


class ScriptBook:
    """Kept by a script's verbs and by the fills of its orders. `tell` takes a notice's level and text.

    `muted`: on the present bar verbs do nothing.
    """

    def __init__(
        self,
        slot: StrategySlot,
        account: AccountStateStore,
        instruments: Mapping[str, Instrument],
        *,
        tell: Callable[[Severity, str], None] = _tell_nobody,
    ) -> None:
        self._tell = tell
        self._told: set[str] = set()
        self.slot = slot
        self.account = account
        self._instruments = instruments
        self.muted = True
        self.close_price = nan
        self.bar_index = 0
        self._last_open_ns = 0
        self.trades = ScriptTrades()
        self._entries: dict[str, RestingEntry] = {}
        self._entries_before: dict[str, RestingEntry] = {}
        self._coming: dict[str, int] = {}
        self._exits = ExitLegs()
        self._market: list[MarketRequest] = []

    @property
    def instrument(self) -> Instrument | None:
        """The symbol's filters, once known."""
        return self._instruments.get(self.slot.symbol)

    @property
    def position(self) -> Position:
        """The script's position, by our fills."""
        return self.account.strategy_position(self.slot.owner, self.slot.symbol)

    @property
    def _step(self) -> Decimal:
        instrument = self.instrument
        return _FINEST_STEP if instrument is None else instrument.qty_step_base

    def begin_bar(self, bar: Bar, *, muted: bool, coming: Mapping[str, int] = _NOTHING) -> None:
        """A bar has closed: forget what the last deciding one asked for at market. `coming` are ids and
        directions of market entries that have yet to fill.

        Bars are numbered by their open time, so that holding is counted over a restart.
        """
        if not self.slot.decides_on(bar):
            self.muted = muted
            return
        if bar.open_time_ns > self._last_open_ns:
            if self._last_open_ns:
                self.bar_index += (bar.open_time_ns - self._last_open_ns) // bar.timeframe_ns
            self._last_open_ns = bar.open_time_ns
        self.close_price = bar.close
        self._market = []
        self._entries_before = dict(self._entries)
        self._coming = dict(coming)
        self.muted = muted
        if self.trades.open and not self.position.qty_base:  # somebody else has closed it
            self._end_position()
        self._exits.drop_orphans(self._pending())

    def request_entry(self, id: str, direction: int, qty_base: Decimal | None, text: str) -> None:
        """Enter at market on this bar; a resting entry of that id is withdrawn."""
        self._entries.pop(id, None)
        self._ask(MarketRequest("enter", id, direction, qty_base, text))
        if self.position.qty_base * direction <= ZERO:
            self._coming[id] = direction

    def rest(self, id: str, entry: RestingEntry) -> None:
        """Enter at a limit or stop; ignored in the direction of an open position."""
        check_room("entry", len(self._entries.keys() - {id}))
        self._entries.pop(id, None)
        is_left = any(one.kind == "close" for one in self._market)
        if is_left or self.position.qty_base * entry.direction <= ZERO:
            self._entries[id] = entry

    def is_filling(self, id: str, direction: int) -> bool:
        """Whether an order of that entry has filled in part and may fill further."""
        return id in self._begun() and self._entries[id].direction == direction

    def place_exit(self, id: str, call: Exit) -> None:
        """An exit of every entry it covers, open or pending."""
        check_room("exit", len({leg.exit_id for leg in self._exits.legs} - {id}))
        self._exits.place(id, call, self._pending(), self._step)

    def held_by(self, entry_id: str) -> Decimal:
        """What is left of the entries of that id."""
        return self._exits.held_by(entry_id)

    def close(self, id: str, qty_base: Decimal, text: str) -> None:
        """Close that much of an entry at market on this bar."""
        self._ask(MarketRequest("close", id, 0, qty_base, text, Leg("close", id=id)))

    def close_all(self, text: str) -> None:
        """Close the whole position at market on this bar."""
        if self.trades.open:
            self._ask(MarketRequest("close", "", 0, None, text))

    def cancel(self, id: str) -> None:
        """Withdraw the resting orders of that id."""
        self._entries.pop(id, None)
        self._exits.cancel(id)

    def cancel_all(self) -> None:
        """Withdraw every resting order."""
        self._entries.clear()
        self._exits.legs.clear()

    def take_market(self) -> list[MarketRequest]:
        """Market orders asked for on this bar, in order; without any, exits that are met at once."""
        market, self._market = self._market, []
        return market or ([] if self.muted else self.take_met())

    def take_met(self) -> list[MarketRequest]:
        """The first exit whose level is met at once; the next follows when it has filled."""
        held = abs(self._held)
        for leg, order in self._exit_orders():
            instrument = self.instrument
            if instrument is not None and is_met_at_once(order, instrument.price_tick):
                part = order.qty_base if order.qty_base < held else None
                return [MarketRequest("close", leg.id, 0, part, order.signal, leg.met)]
        return []

    def drop_entries(self, keep: frozenset[Leg]) -> None:
        """Drop the entries of this bar; those in `keep` stay as they were before it."""
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
        held = self.position.qty_base
        begun = self._begun()
        for key, entry in self._entries.items():
            if (entry.direction > 0) == (held > ZERO) and held and key not in begun:
                continue
            size = entry.size(self.slot.sizing, self.account.equity, instrument)
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
        opens = self.trades.reduce(fill.signed_base)
        closes = abs(fill.signed_base) - abs(opens)
        entry_id = leg.entry_id
        if closes:
            pending = self._pending() if leg != CLOSE else _directions(self._entries)
            pending.pop(entry_id, None)
            self._exits.leave(leg, closes, pending)
        if opens:
            self._open(fill, entry_id, opens, may_go_on=may_go_on)
        if not self.trades.open:
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
        self.trades.add(entry, opens, self.bar_index + 1)
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
        self.trades.open.clear()
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
                self.bar_index,
                self.trades.open,
                self.trades.closed,
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
        self.bar_index, self._last_open_ns = saved.bar_index, bar_open_time_ns
        self.trades.open, self.trades.closed = saved.trades, saved.closed_trades
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
    def _held(self) -> Decimal:
        """The position as the script sees it, a float."""
        return decimal_of(float(self.position.qty_base))

    def _ask(self, request: MarketRequest) -> None:
        """One more market order on this bar."""
        check_room("entry" if request.kind == "enter" else "close", len(self._market))
        self._market.append(request)

    def _exit_orders(self) -> list[tuple[Leg, RestingOrder]]:
        """Legs and orders of what is still to be left of the open position."""
        held, instrument = self._held, self.instrument
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
        level: Severity = "critical" if self.slot.spec.protective_stop_percent is None else "warning"
        self._tell(level, f"{self.slot.owner} on {self.slot.symbol}: {text}")
