"""Rate limiter: request weight and orders in fixed windows, and bans for clients that ignore it."""

from dataclasses import dataclass, field

from gateways.simulator.exchange.model.errors import ApiError

_MINUTE_MS = 60_000
_TEN_SECONDS_MS = 10_000
_FUNDING_WINDOW_MS = 300_000
_MAX_ADDRESSES = 10_000


class RateLimitError(ApiError):
    """A rate limit is exceeded: 429 or 418, with the seconds for `Retry-After`."""

    def __init__(self, code: int, message: str, http_status: int, retry_after_s: int) -> None:
        super().__init__(code, message, http_status)
        self.retry_after_s = retry_after_s


@dataclass(slots=True)
class RateLimitSettings:
    """The live exchange's limits. `ban_after` refused requests in a window lead to a ban; 0 means never."""

    weight_1m: int = 2400
    orders_10s: int = 300
    orders_1m: int = 1200
    funding_5m: int = 500
    ban_after: int = 50
    ban_ms: int = 120_000


@dataclass(slots=True)
class _Window:
    """Count within one fixed window of simulated time."""

    length_ms: int
    start_ms: int = 0
    count: int = 0

    def roll(self, now_ms: int) -> None:
        start = now_ms - now_ms % self.length_ms
        if start != self.start_ms:
            self.start_ms, self.count = start, 0

    def seconds_left(self, now_ms: int) -> int:
        return max(1, -(-(self.start_ms + self.length_ms - now_ms) // 1000))


@dataclass(slots=True)
class _Address:
    weight: _Window = field(default_factory=lambda: _Window(_MINUTE_MS))
    funding: _Window = field(default_factory=lambda: _Window(_FUNDING_WINDOW_MS))
    refused: int = 0
    refused_window_ms: int = 0
    banned_until_ms: int = 0


@dataclass(slots=True)
class _Orders:
    ten_seconds: _Window = field(default_factory=lambda: _Window(_TEN_SECONDS_MS))
    minute: _Window = field(default_factory=lambda: _Window(_MINUTE_MS))


class RateLimits:
    """Counters per address (weight) and per account (orders). Times are simulated milliseconds."""

    def __init__(self, settings: RateLimitSettings | None = None) -> None:
        self.settings = settings or RateLimitSettings()
        self._addresses: dict[str, _Address] = {}
        self._orders: dict[str, _Orders] = {}

    def take_weight(self, address: str, weight: int, now_ms: int) -> None:
        """Count a request. Raises RateLimitError 429, or 418 while banned."""
        state = self._address(address)
        self._check_ban(state, now_ms)
        state.weight.roll(now_ms)
        state.weight.count += weight
        if state.weight.count > self.settings.weight_1m:
            self._refuse(state, state.weight, now_ms, address)

    def take_funding(self, address: str, now_ms: int) -> None:
        """Count a request of the funding pool, which has a window of its own."""
        state = self._address(address)
        self._check_ban(state, now_ms)
        state.funding.roll(now_ms)
        state.funding.count += 1
        if state.funding.count > self.settings.funding_5m:
            self._refuse(state, state.funding, now_ms, address)

    def take_orders(self, account: str, per_10s: int, per_1m: int, now_ms: int) -> None:
        """Count orders of an account. Raises RateLimitError 429 (-1015)."""
        orders = self._orders.setdefault(account, _Orders())
        for window, amount, limit, name in (
            (orders.ten_seconds, per_10s, self.settings.orders_10s, "10 SECOND"),
            (orders.minute, per_1m, self.settings.orders_1m, "1 MINUTE"),
        ):
            window.roll(now_ms)
            if window.count + amount > limit:
                raise RateLimitError(
                    -1015,
                    f"Too many new orders; current limit is {limit} orders per {name}.",
                    429,
                    window.seconds_left(now_ms),
                )
        orders.ten_seconds.count += per_10s
        orders.minute.count += per_1m

    def weight_used(self, address: str, now_ms: int) -> int:
        """Return the weight used in the current minute."""
        window = self._address(address).weight
        window.roll(now_ms)
        return window.count

    def orders_used(self, account: str, now_ms: int) -> tuple[int, int]:
        """Return the orders counted in the current 10 seconds and the current minute."""
        orders = self._orders.setdefault(account, _Orders())
        orders.ten_seconds.roll(now_ms)
        orders.minute.roll(now_ms)
        return orders.ten_seconds.count, orders.minute.count

    def ban(self, address: str, until_ms: int) -> None:
        """Ban an address until a time; 0 lifts the ban."""
        self._address(address).banned_until_ms = until_ms

    def exhaust(self, now_ms: int) -> None:
        """Use up the weight of the current minute for every known address (control API)."""
        for state in self._addresses.values():
            state.weight.roll(now_ms)
            state.weight.count = self.settings.weight_1m

    def reset(self) -> None:
        """Clear all counts and bans."""
        self._addresses.clear()
        self._orders.clear()

    def _address(self, address: str) -> _Address:
        state = self._addresses.get(address)
        if state is None:
            if len(self._addresses) >= _MAX_ADDRESSES:
                self._addresses.clear()
            state = self._addresses[address] = _Address()
        return state

    def _refuse(self, state: _Address, window: _Window, now_ms: int, address: str) -> None:
        if state.refused_window_ms != window.start_ms:
            state.refused_window_ms, state.refused = window.start_ms, 0
        state.refused += 1
        if self.settings.ban_after and state.refused > self.settings.ban_after:
            state.banned_until_ms = now_ms + self.settings.ban_ms
            self._check_ban(state, now_ms)
        raise RateLimitError(
            -1003,
            f"Too many requests; current limit of IP({address}) is {self.settings.weight_1m} requests "
            "per minute. Please use the websocket for live updates to avoid polling the API.",
            429,
            window.seconds_left(now_ms),
        )

    def _check_ban(self, state: _Address, now_ms: int) -> None:
        if now_ms < state.banned_until_ms:
            raise RateLimitError(
                -1003,
                f"Way too many requests; IP banned until {state.banned_until_ms}. Please use the "
                "websocket for live updates to avoid bans.",
                418,
                max(1, -(-(state.banned_until_ms - now_ms) // 1000)),
            )
