"""`strategy.risk.*`: what an entry may open, and limits that close everything and stop the trading.

Sources: the Pine reference, and measurements described in pynesys-pynecore's documentation of these rules. A
day is a calendar day in UTC. Equity and its peak are the account's.
"""

from typing import Literal

from engine.backtest.emulator.exits import Exits
from engine.backtest.emulator.grid import floor_qty
from engine.backtest.emulator.orders import PendingOrder
from engine.backtest.emulator.symbol_state import SymbolState
from engine.market_data.bar_times import DAY_NS

LossKind = Literal["percent_of_equity", "cash"]

_NEVER = -1


class RiskRules:
    """What the script has asked for; a rule counts from the bar on which it is first stated."""

    __slots__ = (
        "allowed_direction",
        "drawdown",
        "drawdown_kind",
        "intraday_filled_orders",
        "intraday_loss",
        "intraday_loss_kind",
        "loss_days",
        "position_size",
    )

    def __init__(self) -> None:
        self.allowed_direction = 0
        self.position_size: float | None = None
        self.drawdown: float | None = None
        self.drawdown_kind: LossKind = "percent_of_equity"
        self.intraday_loss: float | None = None
        self.intraday_loss_kind: LossKind = "percent_of_equity"
        self.intraday_filled_orders: int | None = None
        self.loss_days: int | None = None

    def allow_entry_in(self, direction: Literal["long", "short", "all"]) -> None:
        """`entry` opens in that direction only; one of the other side closes a position and opens nothing."""
        self.allowed_direction = {"long": 1, "short": -1, "all": 0}[direction]

    def max_position_size(self, qty: float) -> None:
        """`entry` opens no more than leads to that size; what would open nothing is not filled."""
        self.position_size = abs(qty)

    def max_drawdown(self, value: float, kind: LossKind = "percent_of_equity") -> None:
        """Trading ends when a trade closes while equity is that far below the peak of realised equity.

        The percentage is of the peak.
        """
        self.drawdown, self.drawdown_kind = value, kind

    def max_intraday_loss(self, value: float, kind: LossKind = "percent_of_equity") -> None:
        """Trading ends for the day when equity is that far below what it was as the day began.

        The percentage is of the equity as the day began; a day that begins without equity has no limit.
        """
        self.intraday_loss, self.intraday_loss_kind = value, kind

    def max_intraday_filled_orders(self, count: int) -> None:
        """Trading ends for the day with that many filled orders, exits among them."""
        self.intraday_filled_orders = count

    def max_cons_loss_days(self, count: int) -> None:
        """Trading ends at the open after that many days in a row each of which ended with less equity."""
        self.loss_days = count


class RiskGuard:
    """Enforces the rules on one symbol.

    When trading ends, what is pending is cancelled and the position is left at the market.
    """

    __slots__ = (
        "_bar_open",
        "_closed",
        "_day",
        "_day_equity",
        "_day_fills",
        "_exits",
        "_is_over",
        "_loss_days",
        "_over_for_day",
        "_peak",
        "_state",
        "rules",
    )

    def __init__(self, state: SymbolState, exits: Exits) -> None:
        self.rules = RiskRules()
        self._state = state
        self._exits = exits
        self._day = state.time_ns // DAY_NS
        self._day_equity = state.account.equity
        self._day_fills = state.fills
        self._loss_days = 0
        self._peak = max(state.account.initial_capital, state.account.cash)
        self._closed = state.ledger.closed_count
        self._is_over = False
        self._over_for_day = _NEVER
        self._bar_open = state.close

    @property
    def allows_orders(self) -> bool:
        """Trading goes on: `entry` and `order` may be placed."""
        return not (self._is_over or self._over_for_day == self._day or self._has_filled_all())

    def begin_bar(self, open_: float) -> None:
        """A bar begins, maybe a day; called before anything fills."""
        state = self._state
        self._bar_open = open_
        day = state.time_ns // DAY_NS
        if day == self._day:
            return
        equity = state.account.equity
        self._loss_days = self._loss_days + 1 if equity < self._day_equity else 0
        self._day, self._day_equity, self._day_fills = day, equity, state.fills
        limit = self.rules.loss_days
        if limit is not None and 0 < limit <= self._loss_days:
            self._end("Max consecutive loss days reached", open_)

    def openable(self, order: PendingOrder, qty: float) -> float:
        """How much of what an entry would open it may open."""
        state, rules = self._state, self.rules
        if rules.allowed_direction not in (0, order.direction):
            return 0.0
        if rules.position_size is None:
            return qty
        held = max(0.0, order.direction * state.ledger.position_size)
        return min(qty, max(0.0, floor_qty(rules.position_size - held, state.step)))

    def after_fill(self, price: float, *, opens: bool) -> None:
        """An order has filled at `price`: with the last one of the day the position is left.

        What a stop entry has opened inside the bar leaves at the extreme that price was on its way to.
        """
        state = self._state
        if not self._has_filled_all():
            return
        size = state.ledger.position_size
        if opens and state.is_inside and size * (price - self._bar_open) > 0.0:
            price = state.bar_high if size > 0.0 else state.bar_low
        self._leave("Max number of filled orders in one day", price)

    def check_loss(self, price: float) -> None:
        """Price has come to `price` against the position."""
        state = self._state
        if state.ledger.lots and self._loses_too_much(state.equity_at(price)):
            self._end_day(price)

    def end_fills(self, close: float) -> None:
        """The fills of the bar, or those at its close, are done."""
        account = self._state.account
        self._peak = max(self._peak, account.cash)
        closed, self._closed = self._closed, self._state.ledger.closed_count
        if self._is_over:
            return
        if self._closed != closed and self._has_fallen_too_far(account.equity):
            self._end("Max drawdown reached", close)
        elif self._loses_too_much(account.equity):
            self._end_day(close)

    def _has_filled_all(self) -> bool:
        limit = self.rules.intraday_filled_orders
        return limit is not None and self._state.fills - self._day_fills >= limit

    def _has_fallen_too_far(self, equity: float) -> bool:
        rules = self.rules
        return _is_reached(self._peak, equity, rules.drawdown, rules.drawdown_kind)

    def _loses_too_much(self, equity: float) -> bool:
        rules = self.rules
        if self._day_equity <= 0.0 or self._over_for_day == self._day:
            return False
        return _is_reached(self._day_equity, equity, rules.intraday_loss, rules.intraday_loss_kind)

    def _end(self, reason: str, price: float) -> None:
        self._is_over = True
        self._leave(reason, price)

    def _end_day(self, price: float) -> None:
        self._over_for_day = self._day
        self._leave("Max intraday loss reached", price)

    def _leave(self, reason: str, price: float) -> None:
        """Cancel everything and close the position at the market; it is no order of the strategy's."""
        state = self._state
        state.orders.clear()
        state.exits.clear()
        state.immediate.clear()
        size = state.ledger.position_size
        if not size:
            return
        price = state.fill_price(price, -1 if size > 0 else 1, slipped=True)
        closed = state.ledger.close(
            abs(size),
            price,
            f"Close Position ({reason})",
            state.bar_index,
            state.time_ns,
            only=None,
            maker=False,
            order_qty=abs(size),
        )
        state.note_fill(price)
        self._exits.settle(closed, "")


def _is_reached(height: float, equity: float, limit: float | None, kind: LossKind) -> bool:
    """Equity is `limit` or more below `height`."""
    if limit is None:
        return False
    allowed = height * limit / 100.0 if kind == "percent_of_equity" else limit
    return height - equity >= allowed > 0.0
