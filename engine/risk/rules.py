"""The rules an order that adds exposure must pass, beside the gates. One small class each; `name` goes into
verdicts. A gate asks whether anything may be entered now, a rule whether this order may.

`check` returns "" or one sentence that says what is wrong. Rules hold their limit and nothing else, but for
`OrderRate` and `RefusedEntries`, which remember what happened.
"""

from collections import deque
from collections.abc import Mapping
from decimal import Decimal
from typing import ClassVar, Protocol

import msgspec

from engine.model.records import Intent
from engine.risk.context import ZERO, RiskContext


class Rule(Protocol):
    """What the risk manager asks of each rule."""

    name: ClassVar[str]

    def check(self, order: Intent, context: RiskContext) -> str:
        """Why the order is refused ("": it may pass)."""


def price_of(order: Intent, context: RiskContext) -> Decimal:
    """What the order is valued at: its limit, else its trigger, else the expected or the mark price."""
    return order.price or order.stop_price or context.reference_price or context.mark_price


class StrategyRunning:
    """A strategy that is paused, stopped or has failed enters nothing."""

    name: ClassVar[str] = "strategy"

    def check(self, order: Intent, context: RiskContext) -> str:
        """Whether the order's own strategy may enter."""
        return "" if context.strategy_running else f"strategy {order.strategy} is not running"


class ForeignPosition:
    """A strategy does not enter against somebody else's position: its order would only reduce that."""

    name: ClassVar[str] = "foreign_position"

    def check(self, order: Intent, context: RiskContext) -> str:
        """Refuses an entry on the other side of somebody else's position."""
        foreign = context.foreign_base
        if foreign == ZERO or (foreign > ZERO) == (order.side == "BUY"):
            return ""
        return f"somebody else holds {foreign:f} {order.symbol}"


class OrderNotional:
    """Quantity times price of one order."""

    name: ClassVar[str] = "order_notional"

    def __init__(self, limit_quote: Decimal) -> None:
        self._limit = limit_quote

    def check(self, order: Intent, context: RiskContext) -> str:
        """At the order's own price."""
        notional = order.qty_base * price_of(order, context)
        return f"order notional {notional:f} is above {self._limit:f}" if notional > self._limit else ""


def exposure_after(order: Intent, context: RiskContext) -> Decimal:
    """Largest absolute position of the symbol if this and everything in flight fills on one side."""
    if order.side == "BUY":
        buys, sells = context.open_buy_base + order.qty_base, context.open_sell_base
    else:
        buys, sells = context.open_buy_base, context.open_sell_base + order.qty_base
    return max(abs(context.position_base + buys), abs(context.position_base - sells))


class PositionNotional:
    """Position of the symbol at mark, orders in flight counted as filled."""

    name: ClassVar[str] = "position_notional"

    def __init__(self, limit_quote: Decimal) -> None:
        self._limit = limit_quote

    def check(self, order: Intent, context: RiskContext) -> str:
        """With the order counted as filled too."""
        notional = exposure_after(order, context) * context.mark_price
        return (
            f"position notional {notional:f} would be above {self._limit:f}" if notional > self._limit else ""
        )


class TotalNotional:
    """All positions together at mark, orders in flight counted as filled."""

    name: ClassVar[str] = "total_notional"

    def __init__(self, limit_quote: Decimal) -> None:
        self._limit = limit_quote

    def check(self, order: Intent, context: RiskContext) -> str:
        """With the order counted as filled too."""
        total = exposure_after(order, context) * context.mark_price + context.other_notional_quote
        return f"total notional {total:f} would be above {self._limit:f}" if total > self._limit else ""


class Leverage:
    """Notional of all positions over equity."""

    name: ClassVar[str] = "leverage"

    def __init__(self, limit: Decimal) -> None:
        self._limit = limit

    def check(self, order: Intent, context: RiskContext) -> str:
        """With the order and everything in flight counted as filled."""
        total = exposure_after(order, context) * context.mark_price + context.other_notional_quote
        if total <= self._limit * context.equity_quote:
            return ""
        return f"notional {total:f} on equity {context.equity_quote:f} is above leverage {self._limit:f}"


class OpenOrders:
    """Number of orders that are open or in flight."""

    name: ClassVar[str] = "open_orders"

    def __init__(self, limit: int) -> None:
        self._limit = limit

    def check(self, order: Intent, context: RiskContext) -> str:  # noqa: ARG002  # the rules share one form
        """Before this order is added."""
        if context.open_orders < self._limit:
            return ""
        return f"{context.open_orders} orders are open, the limit is {self._limit}"


class PriceBand:
    """A price may not be further on the wrong side of the mark than a fraction of it.

    Buys above and sells below the mark lose at once; a resting order on the other side loses nothing.
    """

    name: ClassVar[str] = "price_band"

    def __init__(self, fraction: Decimal) -> None:
        self._high = 1 + fraction
        self._low = 1 - fraction
        self._percent = fraction * 100

    def check(self, order: Intent, context: RiskContext) -> str:
        """Limit orders by their price, market orders by the price they are expected to get."""
        price = order.price or (ZERO if order.stop_price else context.reference_price)
        if price == ZERO:
            return ""
        mark = context.mark_price
        if order.side == "BUY":
            return (
                f"price {price:f} is over {self._percent:f} % above mark" if price > mark * self._high else ""
            )
        return f"price {price:f} is over {self._percent:f} % below mark" if price < mark * self._low else ""


class OrderRate:
    """Number of orders in a sliding window of event time; every order counts, entries are held back."""

    name: ClassVar[str] = "order_rate"

    def __init__(self, limit: int, window_ns: int) -> None:
        self._limit = limit
        self._window_ns = window_ns
        self._times: deque[int] = deque(maxlen=limit)

    def note(self, now_ns: int) -> None:
        """Count an order."""
        self._times.append(now_ns)

    def on_set_back(self, now_ns: int) -> None:
        """The clock was set back: orders from the future count as sent now."""
        self._times = deque((min(time_ns, now_ns) for time_ns in self._times), maxlen=self._limit)

    def check(self, order: Intent, context: RiskContext) -> str:  # noqa: ARG002  # the rules share one form
        """Full when the oldest of the last `limit` orders is still inside the window."""
        if len(self._times) < self._limit or context.now_ns - self._times[0] >= self._window_ns:
            return ""
        return f"{self._limit} orders went out within {self._window_ns / 1e9:g} s"


class _Refusals(msgspec.Struct):
    """Of one strategy on one symbol, in a row."""

    reason: str
    count: int = 0
    wait_until_ns: int = 0


class RefusedEntries:
    """Entries that the exchange refuses bar after bar are retried less and less often.

    After the second refusal in a row a strategy's entries of that symbol wait 2 bars, then 4, 8, at most
    `LONGEST_BARS`; one that is taken ends that. `bars_ns` are bar lengths by strategy.
    """

    name: ClassVar[str] = "refused_entries"
    LONGEST_BARS: ClassVar[int] = 32

    def __init__(self, bars_ns: Mapping[str, int]) -> None:
        self._bars_ns = bars_ns
        self._refusals: dict[tuple[str, str], _Refusals] = {}

    def note_refused(self, order: Intent, reason: str, now_ns: int) -> str:
        """Count a refusal; returns what people should be told, once until an entry is taken."""
        one = self._refusals.setdefault((order.strategy, order.symbol), _Refusals(reason))
        one.reason = reason
        one.count += 1
        if one.count == 1:
            return ""
        bar_ns = self._bars_ns.get(order.strategy, 0)
        bars = min(1 << (one.count - 1), self.LONGEST_BARS)
        one.wait_until_ns = now_ns + bars * bar_ns - bar_ns // 2  # a decision may come a little earlier
        if one.count > 2:
            return ""
        text = f"{order.strategy} on {order.symbol}: the exchange refuses its entries ({reason})"
        return f"{text}; retries become less frequent until one is accepted"

    def note_taken(self, order: Intent) -> None:
        """An entry was accepted."""
        self._refusals.pop((order.strategy, order.symbol), None)

    def forget(self) -> None:
        """The operator has looked into it: the next entry may go out at once."""
        self._refusals.clear()

    def on_set_back(self, now_ns: int) -> None:
        """The clock was set back: nothing waits for a time that is far away."""
        for one in self._refusals.values():
            one.wait_until_ns = min(one.wait_until_ns, now_ns)

    def check(self, order: Intent, context: RiskContext) -> str:
        """Whether the strategy's last entries were refused, and it is too early for another."""
        one = self._refusals.get((order.strategy, order.symbol))
        if one is None or context.now_ns >= one.wait_until_ns:
            return ""
        return f"the exchange has refused {one.count} entries in a row ({one.reason}); the next waits"
