"""What the parts of the event-driven broker share: settings, position, pending orders, the current bar."""

from __future__ import annotations

from collections.abc import Callable
from math import floor, inf, isnan, nan
from typing import Protocol

from engine.backtest.emulator.account import Account
from engine.backtest.emulator.grid import fill_price, floor_qty, round_qty, snap, steps_per_unit
from engine.backtest.emulator.ledger import Ledger, Lot
from engine.backtest.emulator.orders import LIQUIDATION, Entry, ExitLeg, OcaType, PendingOrder
from engine.model.broker_settings import BrokerSettings


class Guard(Protocol):
    """What watches a script's own limits (`risk.RiskGuard`)."""

    @property
    def allows_orders(self) -> bool:
        """Whether orders may be placed."""

    def begin_bar(self, open_: float) -> None:
        """A bar begins, maybe a day."""

    def openable(self, order: PendingOrder, qty: float) -> float:
        """How much of the quantity an entry may open."""

    def after_fill(self, price: float, *, opens: bool) -> None:
        """An order has filled at that price."""

    def check_loss(self, price: float) -> None:
        """The price has moved against the position."""

    def end_fills(self, close: float) -> None:
        """The fills of the bar, or those at its close, are done."""


class SymbolState:
    """One symbol's state, and the arithmetic of prices and quantities on its grid.

    `lived_high` and `lived_low` are the extremes of this bar that the open position saw. `calm_high` and
    `calm_low` are those of the bars since something was last pending, still to be marked on the lots.
    `bar_high` and `bar_low` are the bar's own. `fills` counts fills. `start_size` and `start_equity` are what
    the bar found (the size is nan while orders fill at its close). `is_watched`: something has to be judged
    on every bar. `risk` is there once the script has asked for a rule. `trough` is the lowest equity at which
    an entry has filled.
    """

    __slots__ = (
        "_fixed_qty",
        "_slippage_bps",
        "_slippage_of_ticks",
        "_steps_per_unit",
        "_ticks_per_unit",
        "account",
        "bar_high",
        "bar_index",
        "bar_low",
        "calm_high",
        "calm_low",
        "close",
        "entries",
        "exits",
        "fills",
        "has_closed_at_open",
        "immediate",
        "is_inside",
        "is_watched",
        "last_fill_price",
        "ledger",
        "limit_beyond",
        "lived_high",
        "lived_low",
        "on_level",
        "on_opened",
        "opened_sign",
        "orders",
        "point_value",
        "pyramiding",
        "risk",
        "seq",
        "settings",
        "start_equity",
        "start_size",
        "step",
        "tick",
        "time_ns",
        "trough",
    )

    def __init__(self, symbol: str, settings: BrokerSettings, account: Account) -> None:
        if not (settings.market.tick > 0.0 and settings.market.qty_step > 0.0):
            raise ValueError(f"{symbol}: tick and quantity step must be above zero")
        self.account = account
        self.settings = settings
        self.tick = settings.market.tick
        self.step = settings.market.qty_step
        self._steps_per_unit = steps_per_unit(self.step)
        self._ticks_per_unit = steps_per_unit(self.tick)
        sizing = settings.sizing
        self._fixed_qty = floor_qty(sizing.value, self.step) if sizing.kind == "fixed" else nan
        self._slippage_of_ticks = settings.costs.slippage_ticks * self.tick
        self._slippage_bps = settings.costs.slippage_bps
        self.point_value = settings.market.point_value
        self.pyramiding = max(1, settings.pyramiding)
        self.limit_beyond = settings.backtest_fill_limits_assumption_ticks * settings.market.tick
        self.ledger = Ledger(symbol, settings.costs, settings.market, self.round_qty, account.trades)
        self.orders: dict[tuple[str, str], PendingOrder] = {}
        self.exits: dict[tuple[str, str, int], ExitLeg] = {}
        self.entries: list[Entry] = []
        self.immediate: list[PendingOrder] = []
        self.seq = 0
        self.fills = 0
        self.last_fill_price = nan
        self.bar_index = -1
        self.time_ns = 0
        self.close = nan
        self.is_inside = False
        self.is_watched = False
        self.risk: Guard | None = None
        self.start_size = 0.0
        self.start_equity = settings.initial_capital
        self.has_closed_at_open = False
        self.opened_sign = 0
        self.lived_high = self.lived_low = self.bar_high = self.bar_low = nan
        self.calm_high, self.calm_low = -inf, inf
        self.trough = inf
        self.on_opened: Callable[[int, float], None] | None = None
        self.on_level: Callable[[str], None] | None = None

    def lived_from(self, price: float) -> None:
        """A position begins at `price`: inside a bar it has not seen what came before."""
        if self.is_inside:
            self.lived_high = self.lived_low = price

    @property
    def is_at_open(self) -> bool:
        """Orders fill at the open of the bar, neither inside it nor at its close."""
        return not self.is_inside and self.start_size == self.start_size

    def note_fill(self, price: float) -> None:
        """An order has filled at `price`."""
        self.fills += 1
        self.last_fill_price = price

    def note_entry(self, price: float) -> None:
        """An entry has filled: with its commission paid, and what was held before marked where that gains."""
        ledger = self.ledger
        equity = self.settings.initial_capital + ledger.net_profit
        if len(ledger.lots) > 1:  # a lot alone has no profit where it was opened
            equity += max(0.0, ledger.open_profit(price))
        if equity < self.trough:  # noqa: PLR1730  # `min` costs more, on every entry
            self.trough = equity

    def next_seq(self) -> int:
        """Orders at one price fill in the order they were issued."""
        self.seq += 1
        return self.seq

    def put(self, order: PendingOrder) -> None:
        """Make an order pending; it replaces the one of the same kind and id."""
        self.orders[order.key] = order

    def settle_oca(self, name: str, kind: OcaType, qty: float) -> None:
        """An order of that group traded `qty`: cancel or reduce the others."""
        if not name or kind == "none":
            return
        for key, other in list(self.orders.items()):
            if other.oca_name != name:
                continue
            if kind == "cancel" or self._reduced_to_nothing(other, qty):
                del self.orders[key]
        for leg_key, leg in list(self.exits.items()):
            if leg.call.oca_name != name or leg.is_spent:
                continue
            leg.qty = 0.0 if kind == "cancel" else self.round_qty(leg.qty - qty)
            if leg.qty <= 0.0:
                del self.exits[leg_key]

    def _reduced_to_nothing(self, order: PendingOrder, qty: float) -> bool:
        """Take `qty` off the order, what it opens before what it leaves of an opposite position."""
        flip = order.flip_qty or 0.0
        left = self.round_qty(order.qty + flip - qty)
        order.qty = self.round_qty(max(0.0, order.qty - qty))
        if order.flip_qty is not None:
            order.flip_qty = min(flip, max(0.0, left))
        return left <= 0.0

    def rest_level(
        self, name: str, rank: int, *, limit: float = nan, stop: float = nan, qty: float, signal: str
    ) -> None:
        """Rest an exit of the open position at an exact level; `qty` inf closes all of it."""
        direction = -1 if self.ledger.position_size > 0 else 1
        seq = self.next_seq()
        self.put(
            PendingOrder(
                "level", name, direction, qty, signal=signal, seq=seq, limit=limit, stop=stop, rank=rank
            )
        )

    def drop_liquidation(self) -> None:
        """The price of liquidation is worked out anew on each bar."""
        self.orders.pop(("level", LIQUIDATION), None)

    def drop_levels(self) -> None:
        """Remove every resting exit level."""
        for key in [key for key in self.orders if key[0] == "level"]:
            del self.orders[key]

    def pyramid_is_full(self) -> bool:
        """No further entry in the position's direction."""
        return len(self.entries) >= self.pyramiding

    def size_after_market_orders(self) -> float:
        """Signed position that the market orders placed on this bar will leave, one after the other."""
        size = self.ledger.position_size
        for order in self.orders.values():
            if not order.is_market or order.kind == "level":
                continue
            if order.kind == "close":
                size = max(0.0, size - order.qty) if size > 0 else min(0.0, size + order.qty)
            elif order.kind == "entry" and size * order.direction < 0:
                size = order.direction * order.qty
            elif order.kind == "entry":
                size += order.direction * order.qty
        return size

    def closing_rule(self, entry_id: str) -> Callable[[Lot], bool] | None:
        """Which lots an order that leaves `entry_id` may close; None is any, oldest first."""
        if self.settings.close_rule == "ANY" and entry_id:
            return lambda lot: lot.entry_id == entry_id
        return None

    def equity_at(self, price: float) -> float:
        """The account's equity with this symbol at `price`."""
        account = self.account
        return account.cash + account.open_profit_without(self) + self.ledger.open_profit(price)

    def default_qty(self, sign: int, price: float | None = None) -> float:
        """Default-sized quantity at `price`, or at the last close moved by slippage (pine_semantics 3.2)."""
        return self.sized(self.budget(), self.market_price(sign) if price is None else price)

    def market_price(self, sign: int) -> float:
        """What a market entry is sized at: the last close on the grid, moved by the slippage ticks."""
        return snap(self.close, self.tick) + sign * self.settings.costs.slippage_ticks * self.tick

    def budget(self) -> float:
        """Money of a default-sized entry at the closes of this time, nan for a fixed quantity."""
        sizing = self.settings.sizing
        if sizing.kind == "fixed":
            return nan
        if sizing.kind == "cash":
            return sizing.value
        if sizing.kind == "percent_of_equity":
            return self.account.equity * sizing.value / 100.0
        raise ValueError("risk sizing needs a quantity with each entry: a script states its own")

    def sized(self, budget: float, price: float, *, cash_fees: bool = False) -> float:
        """What `budget` buys at `price`. A percentage of equity has to pay the commission too.

        `cash_fees`: also fees in cash, as TradingView's scripts do. A price that is no more than zero on the
        grid buys nothing.
        """
        if isnan(budget):
            return self._fixed_qty
        sizing, costs = self.settings.sizing, self.settings.costs
        unit = price * self.point_value
        if sizing.kind == "percent_of_equity":
            unit *= 1.0 + costs.taker_percent / 100.0
            if cash_fees:
                unit += costs.cash_per_contract
                budget = max(0.0, budget - costs.cash_per_order)
        return floor_qty(budget / unit, self.step) if price > 0.0 else 0.0

    def slip(self, price: float, direction: int) -> float:
        """`price` moved against us, on the grid."""
        adverse = self._slippage_of_ticks + price * self._slippage_bps / 10_000.0
        return snap(price + direction * adverse, self.tick)

    def fill_price(self, price: float, direction: int, *, slipped: bool) -> float:
        """What an order that met `price` is filled at: above zero, and outside the bar by no more than the
        slippage.
        """
        adverse = self._slippage_of_ticks + price * self._slippage_bps / 10_000.0 if slipped else 0.0
        if self._ticks_per_unit:  # what `fill_price` does with a price that is inside the bar, in one step
            found = floor((price + direction * adverse) / self.tick + 0.5) / self._ticks_per_unit
            if 0.0 < self.bar_low - adverse <= found <= self.bar_high + adverse:
                return found
        return fill_price(price, direction, adverse, self.bar_low, self.bar_high, self.tick)

    def round_qty(self, qty: float) -> float:
        """`qty` on the symbol's grid."""
        per_unit = self._steps_per_unit
        return round(qty / self.step) / per_unit if per_unit else round_qty(qty, self.step)
