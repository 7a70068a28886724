"""`Venue` puts one simulated exchange together and passes its events on to clients."""

from collections.abc import Callable
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import Any

from gateways.simulator.api.access.keys import KeyRing
from gateways.simulator.api.access.rate_limits import RateLimits, RateLimitSettings
from gateways.simulator.api.formats import events as format_events
from gateways.simulator.api.formats.numbers import average, price, qty
from gateways.simulator.api.requests import failures
from gateways.simulator.api.requests.faults import Faults
from gateways.simulator.api.streams.hub import Hub
from gateways.simulator.api.streams.user_data import ListenKeys, UserStreams
from gateways.simulator.api.venue.clock import SimClock
from gateways.simulator.exchange.exchange import Exchange
from gateways.simulator.exchange.model.errors import ApiError, refusal, unavailable
from gateways.simulator.exchange.model.events import (
    AccountConfigEvent,
    AccountEvent,
    AlgoEvent,
    ForcedOrder,
    MarginCallEvent,
    OrderEvent,
    Trade,
    UserEvent,
)
from gateways.simulator.exchange.model.symbols import SymbolSpec
from gateways.simulator.market_data import MarketData
from gateways.simulator.markets import Market
from gateways.simulator.store.persistence import Persistence

DEFAULT_ACCOUNT = "1"
DEFAULT_BALANCE = Decimal(10_000)


@dataclass(frozen=True, slots=True)
class VenueOptions:
    """Options of the command line that concern the exchange itself."""

    specs: dict[str, SymbolSpec]
    state: Path
    seed: int = 1
    strict_routing: bool = False
    legacy_avg_price: bool = False
    balance: Decimal = DEFAULT_BALANCE
    limits: RateLimitSettings | None = None


class HalfDoneError(Exception):
    """A request failed in the middle of its changes; the message is one sentence for the user."""


class Venue:
    """Exchange, market data, market, clock and clients of one simulator, all on one thread.

    It is the exchange's listener: public events go to market data at once; user events wait for `commit`,
    so that no client learns of anything that a kill could undo.
    """

    def __init__(
        self, options: VenueOptions, clock: SimClock, call_later: Callable[[int, Callable[[], None]], None]
    ) -> None:
        now_ms = clock.now_ms()
        self.options = options
        self.clock = clock
        self.keys = KeyRing(options.state / "api_keys.json")
        self.limits = RateLimits(options.limits)
        self.faults = Faults()
        self.hub = Hub(options.strict_routing)
        self.listen_keys = ListenKeys(options.state / "listen_keys.json")
        self.users = UserStreams(self.hub, self.listen_keys, self.faults, call_later)
        self.exchange = Exchange(options.specs, self)
        self.state = self.exchange.state
        self.persistence = Persistence(options.state, self.exchange)
        self.persistence.restore()
        self.exchange.create_account(DEFAULT_ACCOUNT, options.balance, now_ms)
        self.keys.load(self.state.accounts)
        self.data = MarketData(
            options.specs, self.hub.publish, now_ms=now_ms, seed=options.seed, state_dir=options.state
        )
        self.data.attach(self.exchange)
        self.hub.on_first = self._on_first
        self.hub.on_last = self.data.unsubscribe
        self.market: Market | None = None
        self.wake: Callable[[], None] = _nothing
        self._waiting: list[tuple[str, UserEvent]] = []
        self.broken: BaseException | None = None
        """The error after which nothing may be written and the process has to end; see `request_failed`."""
        self.fail: Callable[[BaseException], None] = _nothing_of
        """Ends the process with an error; set by the server."""
        self.commit()

    def start_market(self, market: Market) -> None:
        """Attach the market, the source of order flow, and let it fill the books."""
        self.market = market
        now_ms = self.clock.now_ms()
        market.start(self.exchange, self.data, now_ms)
        for spec in self.state.specs.values():
            self._follow_status(spec, now_ms)
        self.commit()

    def spec(self, symbol: str) -> SymbolSpec:
        """Return the specification of a symbol (-1121 if unknown)."""
        found = self.state.specs.get(symbol)
        if found is None:
            raise refusal(-1121)
        return found

    def set_spec(self, spec: SymbolSpec) -> None:
        """Replace the specification of a symbol; its public data stop while it does not trade."""
        now_ms = self.clock.now_ms()
        self.exchange.set_spec(spec, now_ms)
        self._follow_status(spec, now_ms)

    def _follow_status(self, spec: SymbolSpec, now_ms: int) -> None:
        feed = self.data.feed(spec.symbol)
        if feed is not None:
            feed.set_trading(now_ms, is_trading=spec.is_trading)

    def check_market(self, symbol: str) -> None:
        """Refuse orders of a symbol whose book is not in sync with its source (-1001, 503)."""
        feed = self.data.feed(symbol)
        if feed is not None and not feed.ready:
            raise unavailable(f"{symbol}: {feed.not_ready_reason}")

    def advance(self) -> int | None:
        """Process everything that is due; return when to call again (simulated ms)."""
        now_ms = self.clock.now_ms()
        market = self.market
        if market is not None:
            due = market.next_time_ms()
            if due is not None and due <= now_ms:
                market.step(now_ms)
        if self.exchange.next_deadline_ms() <= now_ms:
            self.exchange.advance(now_ms)
        due = self.data.next_time_ms()
        if due is not None and due <= now_ms:
            self.data.advance(now_ms)
        self.users.expire(now_ms)
        self.commit()
        self.persistence.proceed()
        deadlines = [self.exchange.next_deadline_ms(), self.data.next_time_ms()]
        if market is not None:
            deadlines.append(market.next_time_ms())
        return min((deadline for deadline in deadlines if deadline is not None), default=None)

    def commit(self) -> None:
        """Write what changed to disk, then send the user events."""
        if self.broken is not None:
            raise self.broken
        try:
            changed = self.persistence.commit()
        except BaseException as error:
            self.broken = error
            raise
        if changed:
            self.wake()
        if not self._waiting:
            return
        waiting, self._waiting = self._waiting, []
        now_ms = self.clock.now_ms()
        for account, event in waiting:
            for name, payload in self._formatted(event, now_ms):
                self.users.deliver(account, name, payload)

    def request_failed(self, what: str, error: Exception) -> ApiError:
        """Return the answer to a request that failed because of a bug, or because nothing can be written.

        If it had changed part of the state, that part is not written and the process ends: a restart
        continues with the state before the request.
        """
        if self.broken is None:
            failed = failures.request_failed(what, error)
            if self._is_partly_changed():
                self.broken = HalfDoneError(
                    f"{what} failed after it had changed part of the state; nothing of it was written: "
                    "start again to continue with the state before it"
                )
        else:
            failed = failures.unknown_outcome()
        if self.broken is not None:
            self.fail(self.broken)
        return failed

    def _is_partly_changed(self) -> bool:
        has_changes = any(market.book.has_changes() for market in self.state.markets.values())
        return bool(self.state.dirty.any() or self._waiting or has_changes)

    def close(self) -> None:
        """Write everything and close (clean shutdown)."""
        if self.market is not None:
            self.market.close()
        self.data.close()
        self.persistence.close()

    def on_trade(self, trade: Trade) -> None:
        """Listener: one public trade."""
        self.data.on_trade(trade)

    def on_book_changed(self, symbol: str, now_ms: int) -> None:
        """Listener: a book has changed levels."""
        self.data.on_book_changed(symbol, now_ms)

    def on_user(self, account_id: str, event: UserEvent) -> None:
        """Listener: one user event; it waits for the commit."""
        self._waiting.append((account_id, event))

    def on_forced_order(self, forced: ForcedOrder) -> None:
        """Listener: one liquidation order, for the public stream."""
        order = forced.order
        spec = self.options.specs[order.symbol]
        row = {
            "s": order.symbol,
            "S": order.side,
            "o": "LIMIT",
            "f": "IOC",
            "q": qty(spec, order.orig_qty),
            "p": price(spec, order.price),
            "ap": average(spec, forced.average_price),
            "X": "FILLED" if order.status == "FILLED" else "PARTIALLY_FILLED",
            "l": qty(spec, forced.last_qty_base),
            "z": qty(spec, order.executed_qty),
            "T": forced.time_ms,
        }
        self.data.publish_force_order(order.symbol, row, forced.time_ms)

    def _on_first(self, stream: str) -> None:
        self.data.subscribe(stream)
        self.wake()

    def _formatted(self, event: UserEvent, now_ms: int) -> list[tuple[str, dict[str, Any]]]:
        specs = self.state.specs
        match event:
            case OrderEvent():
                spec = specs[event.order.symbol]
                update = ("ORDER_TRADE_UPDATE", format_events.order_trade_update(spec, event, now_ms))
                if event.execution_type != "TRADE" or event.fill is None:
                    return [update]
                return [("TRADE_LITE", format_events.trade_lite(spec, event, now_ms)), update]
            case AccountEvent():
                return [("ACCOUNT_UPDATE", format_events.account_update(specs, event, now_ms))]
            case AlgoEvent():
                spec = specs[event.order.symbol]
                return [("ALGO_UPDATE", format_events.algo_update(spec, event, now_ms))]
            case MarginCallEvent():
                return [("MARGIN_CALL", format_events.margin_call(specs, event, now_ms))]
            case AccountConfigEvent():
                return [("ACCOUNT_CONFIG_UPDATE", format_events.account_config_update(event, now_ms))]


def _nothing() -> None:
    """Do nothing, until a server is attached."""


def _nothing_of(_error: BaseException) -> None:
    """Do nothing, until a server is attached."""
