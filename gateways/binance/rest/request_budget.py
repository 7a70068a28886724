"""The request budget, what the exchange lets us send: request weight per IP, orders per account, bans.

The exchange counts in fixed minutes of its own clock and returns its count in each answer; between two
answers the budget adds what was sent. Each class of request may use its own share, so that reads never starve
cancels.
"""

import re
from collections.abc import Callable, Mapping
from enum import Enum

from gateways.binance.protocol.classify import Failure, Hint

MINUTE_NS = 60_000_000_000
TURN_NS = 1_000_000_000
"""This long into a window an answer may still carry the count of the window before."""
LONGEST_STOP_NS = 3 * 24 * 3600 * 1_000_000_000
"""The exchange bans for no longer."""
HELD_INTERVAL_NS = 2_000_000_000
"""While requests are held, each kind of exit request is tried at this interval."""
BAN_SECONDS, LIMIT_SECONDS = 120.0, 5.0
"""Where the exchange names no term."""
TOO_MANY_ORDERS = -1015
_BANNED_UNTIL = re.compile(r"banned until (\d{13})")


class Priority(Enum):
    """From the lowest to the highest priority."""

    BOOK = "book"
    """Order books and rules: many requests where there are many symbols."""
    QUERY = "query"
    OPEN = "open"
    CLOSE = "close"
    PROTECT = "protect"
    CANCEL = "cancel"


_SENT_WHILE_HELD = frozenset({Priority.CLOSE, Priority.PROTECT, Priority.CANCEL})
_SHARES = {
    Priority.BOOK: 50,
    Priority.QUERY: 70,
    Priority.OPEN: 80,
    Priority.CLOSE: 90,
    Priority.PROTECT: 95,
    Priority.CANCEL: 100,
}
"""Percentage of the budget that each class may use."""


class _Window:
    """One fixed window of the exchange's clock."""

    __slots__ = ("limit", "number", "size_ns", "used")

    def __init__(self, size_ns: int, limit: int) -> None:
        self.size_ns = size_ns
        self.limit = limit
        self.number = -1
        self.used = 0

    def roll(self, now_ns: int) -> None:
        number = now_ns // self.size_ns
        if number != self.number:
            self.number, self.used = number, 0

    def room(self, now_ns: int, amount: int, share: int) -> bool:
        self.roll(now_ns)
        return (self.used + amount) * 100 <= self.limit * share

    def seconds_to_next(self, now_ns: int) -> float:
        return (self.size_ns - now_ns % self.size_ns) / 1e9


class RequestBudget:
    """A rate limiter for request weight, order counts and bans.

    `exchange_now_ns` is estimated exchange time; nothing here reads a clock itself.
    """

    def __init__(self, exchange_now_ns: Callable[[], int], weight_limit: int = 2400) -> None:
        self._now_ns = exchange_now_ns
        self._weight = _Window(MINUTE_NS, weight_limit)
        self._orders = [_Window(MINUTE_NS, 1200), _Window(10_000_000_000, 300)]
        self._stopped_until_ns = self._orders_stopped_until_ns = self._held_until_ns = 0
        self._tried_ns: dict[tuple[Priority, str], int] = {}
        self.on_stop: Callable[[], None] = _nothing
        """Called when the exchange has stopped all requests, or orders."""

    @property
    def used_weight(self) -> int:
        """Weight used in the current minute, as far as known."""
        self._weight.roll(self._now_ns())
        return self._weight.used

    @property
    def weight_limit(self) -> int:
        """Weight a minute."""
        return self._weight.limit

    @property
    def banned_until_ns(self) -> int:
        """Exchange time until which requests are stopped or held; 0 when nothing is."""
        until_ns = max(self._stopped_until_ns, self._held_until_ns)
        return until_ns if until_ns > self._now_ns() else 0

    @property
    def is_held(self) -> bool:
        """Whether requests wait although there is no ban; exits and cancels are still tried."""
        return self._stopped_until_ns <= self._now_ns() < self._held_until_ns

    @property
    def stopped_until_ns(self) -> tuple[int, int, int]:
        """Exchange times until which requests are stopped, orders are stopped, and requests are held; 0 or a
        past time: they are not."""
        return self._stopped_until_ns, self._orders_stopped_until_ns, self._held_until_ns

    def resume(self, requests_ns: int, orders_ns: int, held_ns: int = 0) -> None:
        """Take over bans from before this process started; implausibly long ones are ignored."""
        latest_ns = self._now_ns() + LONGEST_STOP_NS
        if held_ns <= latest_ns:
            self._held_until_ns = max(self._held_until_ns, held_ns)
        if requests_ns <= latest_ns:
            self._stopped_until_ns = max(self._stopped_until_ns, requests_ns)
        if orders_ns <= latest_ns:
            self._orders_stopped_until_ns = max(self._orders_stopped_until_ns, orders_ns)

    def share_a_minute(self, priority: Priority) -> int:
        """Weight a minute for this class of requests."""
        return self._weight.limit * _SHARES[priority] // 100

    def set_limits(self, rate_limits: list[dict[str, object]]) -> None:
        """Take over `rateLimits` of exchangeInfo; rows of other shapes are skipped."""
        for row in rate_limits:
            limit = row.get("limit")
            if not isinstance(limit, int) or limit <= 0:
                continue
            key = (row.get("rateLimitType"), row.get("interval"), row.get("intervalNum"))
            if key == ("REQUEST_WEIGHT", "MINUTE", 1):
                self._weight.limit = limit
            elif key == ("ORDERS", "MINUTE", 1):
                self._orders[0].limit = limit
            elif key == ("ORDERS", "SECOND", 10):
                self._orders[1].limit = limit

    def wait_for(self, weight: int, orders: int, priority: Priority, kind: str = "") -> float:
        """0.0: counted, send now. Else seconds until the next attempt; nothing was counted.

        `kind` names the kind of request: while requests are held, exits and cancels of each kind are
        still sent, at a slow pace.
        """
        now_ns = self._now_ns()
        if now_ns < self._stopped_until_ns:
            return (self._stopped_until_ns - now_ns) / 1e9
        if now_ns < self._held_until_ns:
            until_ns = self._held_until_ns
            if kind and priority in _SENT_WHILE_HELD:
                until_ns = self._tried_ns.get((priority, kind), 0) + HELD_INTERVAL_NS
            if now_ns < until_ns:
                return (until_ns - now_ns) / 1e9
            self._tried_ns[priority, kind] = now_ns
        share = _SHARES[priority]
        if weight and not self._weight.room(now_ns, weight, share):
            return self._weight.seconds_to_next(now_ns)
        if orders:
            if now_ns < self._orders_stopped_until_ns:
                return (self._orders_stopped_until_ns - now_ns) / 1e9
            for window in self._orders:
                if not window.room(now_ns, orders, share):
                    return window.seconds_to_next(now_ns)
            for window in self._orders:
                window.used += orders
        self._weight.used += weight
        return 0.0

    def on_headers(self, headers: Mapping[str, str]) -> None:
        """Take over the exchange's own counts. Header names are in lower case."""
        now_ns = self._now_ns()
        for name, window in (
            ("x-mbx-used-weight-1m", self._weight),
            ("x-mbx-order-count-1m", self._orders[0]),
            ("x-mbx-order-count-10s", self._orders[1]),
        ):
            text = headers.get(name)
            if text is not None and text.isdigit() and now_ns % window.size_ns >= TURN_NS:
                window.roll(now_ns)
                # Answers come out of order; within a window the count only grows.
                window.used = max(window.used, int(text))

    def on_failure(self, failure: Failure, headers: Mapping[str, str], text: str) -> None:
        """Stop or hold requests as the failure demands."""
        if failure.code == TOO_MANY_ORDERS:
            self.exhaust_orders(headers)
        elif failure.hint is Hint.BANNED:
            self.stop(headers, text, BAN_SECONDS)
        elif failure.hint is Hint.BLOCKED:
            self.hold(headers, BAN_SECONDS)
        elif failure.hint is Hint.LIMITED:
            self.stop(headers, text, LIMIT_SECONDS)

    def exhaust_orders(self, headers: Mapping[str, str]) -> None:
        """Too many orders: none until the exchange's term, or the shorter window, has passed."""
        now_ns = self._now_ns()
        seconds = headers.get("retry-after", "")
        term_ns = int(seconds) * 1_000_000_000 if seconds.isdigit() else 0
        self._orders_stopped_until_ns = max(self._orders_stopped_until_ns, now_ns + term_ns)
        window = self._orders[1]
        window.roll(now_ns)
        window.used = window.limit
        self.on_stop()

    def hold(self, headers: Mapping[str, str], default_seconds: float) -> None:
        """403 from a proxy or firewall before the exchange: requests wait, exits and cancels are still
        tried."""
        self._held_until_ns = max(self._held_until_ns, self._term_ns(headers, default_seconds))
        self.on_stop()

    def release(self) -> None:
        """The exchange itself has answered: requests are held no longer."""
        self._held_until_ns = 0

    def _term_ns(self, headers: Mapping[str, str], default_seconds: float) -> int:
        retry_after = headers.get("retry-after", "")
        seconds = int(retry_after) if retry_after.isdigit() else default_seconds
        now_ns = self._now_ns()
        return min(now_ns + int(seconds * 1e9), now_ns + LONGEST_STOP_NS)

    def stop(self, headers: Mapping[str, str], text: str, default_seconds: float) -> float:
        """429 or 418: send nothing until the exchange's term has passed. Returns seconds."""
        now_ns = self._now_ns()
        until_ns = self._term_ns(headers, default_seconds)
        banned = _BANNED_UNTIL.search(text)
        if banned is not None:
            until_ns = max(until_ns, int(banned.group(1)) * 1_000_000)
        until_ns = min(until_ns, now_ns + LONGEST_STOP_NS)
        if until_ns > self._stopped_until_ns:
            self._stopped_until_ns = until_ns
            self.on_stop()
        return (self._stopped_until_ns - now_ns) / 1e9


def _nothing() -> None:
    pass
