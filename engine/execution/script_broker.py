"""Pine's verbs on the live exchange: the `Broker` that a `ScriptStrategy` gets.

Verbs are gathered while the script runs on a closed bar and carried out right after. Market entries and
closes go out at once, which is the next open; limit and stop orders rest at the exchange until they fill,
are cancelled or asked for with other prices. One entry in a direction at a time (no pyramiding). What
cannot be placed is refused at start by `refuse_verbs`; a script that asks for it nevertheless fails alone.
"""

from collections.abc import Callable, Mapping, Sequence
from decimal import Decimal
from math import isnan, nan
from typing import Literal

import msgspec

from engine.account.state import AccountStateStore
from engine.execution.resting import RestingOrder
from engine.execution.script_orders import Exit, RestingEntry, is_met_at_once, level_of
from engine.execution.sizing import TooSmall, entry_qty
from engine.exits.bar_plan import Action
from engine.model.audit import Severity
from engine.model.bars import Bar
from engine.model.lots import decimal_of, plain, quantity_down
from engine.model.records import Fill
from engine.model.signals import Direction
from engine.strategies.base import ScriptStrategy
from engine.strategies.calls import check_call, check_room
from engine.strategies.slot import StrategyRefused, StrategySlot
from gateways.wire.messages import Instrument

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


class _Saved(msgspec.Struct, array_like=True):
    bar_index: int
    trades: list[OpenTrade]
    closed_trades: int
    entries: dict[str, RestingEntry]
    exits: dict[str, Exit]
    spent: list[str] = []


def actions_of(wishes: Sequence[MarketWish], held: Decimal) -> tuple[Action, ...]:
    """What is done of market orders asked for: the first close, then the last entry, which turns `held`."""
    closes = [one for one in wishes if one.kind == "close"][:1]
    entries = [one for one in wishes if one.kind == "enter" and one.direction * held <= ZERO][-1:]
    actions = tuple(Action("close", one.text, 0, one.qty_base, one.id) for one in closes)
    for one in entries:
        if held and not closes:
            actions += (Action("close", one.text),)
        actions += (Action("enter", one.text, one.direction, one.qty_base, one.id),)
    return actions


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
        self._spent: list[str] = []
        self._slot = slot
        self._account = account
        self._instruments = instruments
        self.muted = True
        self._close_price = nan
        self._bar_index = 0
        self._last_open_ns = 0
        self._trades: list[OpenTrade] = []
        self._closed_trades = 0
        self._entries: dict[str, RestingEntry] = {}
        self._entries_before: dict[str, RestingEntry] = {}
        self._exits: dict[str, Exit] = {}
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
        """Market orders asked for on this bar, in order; without any, exits that are met at once."""
        market, self._market = self._market, []
        return market or ([] if self.muted else self.take_met())

    def take_met(self) -> list[MarketWish]:
        """Exits of the open position whose level is met at once. One that leaves a part does so once."""
        met = []
        instrument = self.instrument
        for key, order in self._exit_orders():
            if instrument is not None and is_met_at_once(order, instrument.price_tick):
                part = order.qty_base if decimal_of(abs(self.position_size)) > order.qty_base else None
                if part is not None:
                    self._spent.append(key)
                met.append(MarketWish("close", key, 0, part, order.signal))
        return met

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
            order = entry.order(qty, instrument)
            if level_of(order) > ZERO:
                wanted[_ENTRY + key] = order
        for key, order in self._exit_orders():
            if level_of(order) > ZERO and not is_met_at_once(order, instrument.price_tick):
                wanted[f"exit:{key}:{'stop' if order.is_stop else 'limit'}"] = order
            elif order.is_stop and order.side == "SELL":
                self._tell_no_stop(key, order)
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
            self._spent.clear()
            self._told.clear()

    def state(self) -> bytes:
        """For the journal."""
        return msgspec.msgpack.encode(
            _Saved(
                self._bar_index, self._trades, self._closed_trades, self._entries, self._exits, self._spent
            )
        )

    def restore(self, state: bytes, bar_open_time_ns: int) -> None:
        """From the journal, as of the bar that opened at that time."""
        saved = msgspec.msgpack.decode(state, type=_Saved)
        self._bar_index, self._last_open_ns = saved.bar_index, bar_open_time_ns
        self._trades, self._closed_trades = saved.trades, saved.closed_trades
        self._entries, self._exits, self._spent = saved.entries, saved.exits, saved.spent

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
        priced = RestingEntry(way, qty, limit, stop, comment or id)
        is_priced = not (limit is None and stop is None)
        if is_priced:
            self._refuse_shared("entry.limit" if stop is None else "entry.stop")
        instrument = self.instrument
        if is_priced and not (instrument is not None and priced.is_met_at_once(instrument)):
            check_room("entry", len(self._entries.keys() - {id}))
            self._entries[id] = priced
        else:
            base = None if qty is None else decimal_of(qty)
            self._entries.pop(id, None)
            self._ask(MarketWish("enter", id, way, base, comment or id))

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
        self._exits[id] = Exit(from_entry, _given(qty), percent, limit, stop, profit, loss, comment or id)

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

    def _exit_orders(self) -> list[tuple[str, RestingOrder]]:
        """The legs of the exits of the open position, with their ids, but for those that have left."""
        held, instrument = decimal_of(self.position_size), self.instrument
        if instrument is None or not held:
            return []
        return [
            (key, order)
            for key, leaving in self._exits.items()
            if key not in self._spent and (size := self._held_by(leaving.from_entry))
            for order in leaving.orders(
                1 if held > ZERO else -1, size, self.position_avg_price, instrument
            ).values()
        ]

    def _tell_no_stop(self, key: str, order: RestingOrder) -> None:
        """Once for each position and exit."""
        if key in self._told:
            return
        self._told.add(key)
        at = plain(level_of(order))
        text = f"the stop of {key} is at {at}, which no price reaches: none is placed"
        level: Severity = "critical" if self._slot.spec.protective_stop_percent is None else "warning"
        self._tell(level, f"{self._slot.owner} on {self._slot.symbol}: {text}")
