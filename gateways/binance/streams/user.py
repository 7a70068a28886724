"""The account's own events: listen key, socket, and a catch-up by requests after each connect.

A listen key may expire or be deleted while the socket stays open and silent. So it is renewed on a timer,
and on any doubt a new socket is opened first, what happened meanwhile is requested, and only then is
the old one dropped. Events that come twice are taken once.
"""

import asyncio
from collections import OrderedDict
from collections.abc import Awaitable, Callable
from typing import Any

import msgspec
import structlog

from gateways.binance.protocol import translate
from gateways.binance.protocol.errors import RestBlocked, RestError
from gateways.binance.streams.backoff import Backoff
from gateways.binance.streams.link import LinkState
from gateways.binance.streams.sockets import CONNECT_ERRORS, DirectConnection, close_later, open_socket
from gateways.wire.messages import AccountUpdate, OrderUpdate

RENEW_SECONDS = 25 * 60.0
KEY_SECONDS = 55 * 60.0
"""A listen key is valid for an hour after its last renewal; an older one is replaced."""
ROTATE_SECONDS = 23 * 3600.0
EVENT_SECONDS = 10.0
"""The stream reports an accepted order long before."""
REMEMBERED_EVENTS = 20_000
REMEMBERED_ORDERS = 1_000

_log = structlog.get_logger("gateway.user")


class SeenEvents:
    """Remembers which events have been sent on; bounded, the oldest is dropped first."""

    def __init__(self, most: int = REMEMBERED_EVENTS) -> None:
        self._keys: OrderedDict[tuple[Any, ...], None] = OrderedDict()
        self._most = most
        self.count = 0
        """Number of events sent on."""

    def is_new(self, update: OrderUpdate | AccountUpdate) -> bool:
        """True once for each fill, and once for each state of an order, whichever way it came."""
        key = _key(update)
        if key in self._keys:
            return False
        self._keys[key] = None
        self.count += 1
        if len(self._keys) > self._most:
            self._keys.popitem(last=False)
        return True

    def has_fill(self, symbol: str, order_id: int, trade_id: int) -> bool:
        """Whether this fill of this order has been sent on."""
        return ("fill", symbol, order_id, trade_id) in self._keys


def _key(update: OrderUpdate | AccountUpdate) -> tuple[Any, ...]:
    if isinstance(update, AccountUpdate):
        return ("account", update.transaction_time_ns, update.reason, update.balances, update.positions)
    if update.trade_id:
        # Both sides of a trade with oneself have the same trade id.
        return ("fill", update.symbol, update.exchange_order_id, update.trade_id)
    return (
        "order",
        update.symbol,
        update.is_conditional,
        update.exchange_order_id,
        update.execution,
        update.status,
        update.filled_base,
        update.qty_base,
        update.price,
        update.child_order_id,
        update.transaction_time_ns,
    )


class UserStream:
    """Run it as a task. `emit` gets every event once; `catch_up` requests and emits what was missed."""

    def __init__(
        self,
        base_url: str,
        *,
        listen_key: Callable[[str], Awaitable[str]],
        emit: Callable[[OrderUpdate | AccountUpdate], None],
        catch_up: Callable[[bool], Awaitable[None]],
        on_state: Callable[[str, LinkState], None],
        on_config: Callable[[str], None],
        random: Callable[[], float],
        on_asset_mode: Callable[[bool], None] = lambda _is_multi: None,
        renew_seconds: float = RENEW_SECONDS,
        rotate_seconds: float = ROTATE_SECONDS,
    ) -> None:
        """`listen_key("POST")` makes or returns the key, `listen_key("PUT")` renews it. `catch_up(True)`
        continues a catch-up that was interrupted."""
        self.reconnects = 0
        self.rotations = 0
        self.untranslated = 0
        self.state: LinkState = "down"
        self.seen = SeenEvents()
        self._base_url = base_url.rstrip("/")
        self._listen_key = listen_key
        self._emit = emit
        self._catch_up = catch_up
        self._on_state = on_state
        self._on_config = on_config
        self._on_asset_mode = on_asset_mode
        self._backoff = Backoff(random)
        self._renew_seconds = renew_seconds
        self._rotate_seconds = rotate_seconds
        self._expired = asyncio.Event()
        self._tasks: set[asyncio.Task[None]] = set()
        self._current_key = ""
        self._streams = 0
        self._key_seconds = 0.0
        self._told_orders: OrderedDict[tuple[bool, int], None] = OrderedDict()

    def expect(self, order: OrderUpdate) -> None:
        """The exchange has accepted this order, so the stream must report it; otherwise the stream is
        renewed."""
        key = (order.is_conditional, order.exchange_order_id)
        if key not in self._told_orders and self.state == "up":
            asyncio.get_running_loop().call_later(EVENT_SECONDS, self._look_for, key, self._streams)

    def _look_for(self, key: tuple[bool, int], streams: int) -> None:
        """What an earlier stream missed, the catch-up after it has found."""
        if key not in self._told_orders and self.state == "up" and streams == self._streams:
            _log.error("the user stream does not report an accepted order", order=key[1])
            self._expired.set()

    async def run(self) -> None:
        """Until cancelled."""
        old: DirectConnection | None = None
        new: DirectConnection | None = None
        try:
            while True:
                new = await self._connect()
                if new is None:
                    await asyncio.sleep(self._backoff.after())
                    continue
                caught_up = await self._catch_up_until_done(new)
                if old is not None:
                    close_later(old, self._tasks)
                    self.rotations += 1
                old = new
                lived = 0.0
                if caught_up:
                    self._streams += 1
                    self._set_state("up")
                    began = asyncio.get_running_loop().time()
                    reason = await self._live(new)
                    _log.info("user stream ended", reason=reason)
                    lived = asyncio.get_running_loop().time() - began
                wait = self._backoff.after(lived)
                if new.close_code is not None:
                    old = None
                    self.reconnects += 1
                    self._set_state("down")
                else:
                    self._set_state("stale")
                if old is None or self._backoff.failures > 1:
                    await asyncio.sleep(wait)
        finally:
            for connection in (new, old):
                if connection is not None:
                    await connection.close()

    def on_frame(self, frame: bytes) -> None:
        """One raw or wrapped event."""
        try:
            event = msgspec.json.decode(frame)
        except msgspec.DecodeError:
            self._unknown("a frame that is not JSON")
            return
        if isinstance(event, dict) and isinstance(event.get("data"), dict):
            event = event["data"]
        if not isinstance(event, dict) or "e" not in event:
            return
        try:
            self._on_event(str(event["e"]), event)
        except translate.Untranslatable as error:
            self._unknown(str(error))

    def _on_event(self, name: str, event: dict[str, Any]) -> None:
        if name == "listenKeyExpired":
            # It may come twice, and late for a key that was replaced already.
            if event.get("listenKey", self._current_key) == self._current_key:
                self._expired.set()
        elif translate.is_foreign(event):
            return
        elif name == "ORDER_TRADE_UPDATE":
            self._pass_on(translate.order_event(event))
        elif name == "ALGO_UPDATE":
            self._pass_on(translate.algo_event(event))
        elif name == "ACCOUNT_UPDATE":
            self._pass_on(translate.account_event(event))
        elif name == "ACCOUNT_CONFIG_UPDATE":
            self._on_account_config(event)
        elif name == "MARGIN_CALL":
            _log.critical("margin call", positions=event.get("p"))
            self._pass_on(translate.margin_call(event))
        elif name == "CONDITIONAL_ORDER_TRIGGER_REJECT":
            # Retired by the exchange in 2025-12; it names the order by an id nobody else uses.
            self._unknown(f"a conditional order was refused at its trigger: {event.get('or')}")
        elif name not in ("TRADE_LITE", "STRATEGY_UPDATE", "GRID_UPDATE"):
            _log.warning("unknown user event", event_name=name)

    def _on_account_config(self, event: dict[str, Any]) -> None:
        leverage, assets = event.get("ac"), event.get("ai")
        if isinstance(leverage, dict):
            self._on_config(str(leverage.get("s", "")))
        if isinstance(assets, dict) and isinstance(assets.get("j"), bool):
            self._on_asset_mode(assets["j"])

    def _pass_on(self, update: OrderUpdate | AccountUpdate) -> None:
        if isinstance(update, OrderUpdate):
            self._told_orders[update.is_conditional, update.exchange_order_id] = None
            if len(self._told_orders) > REMEMBERED_ORDERS:
                self._told_orders.popitem(last=False)
        if self.seen.is_new(update):
            self._emit(update)

    def _unknown(self, reason: str) -> None:
        """Not understood, so the stream is renewed, with a catch-up: nothing may be lost silently."""
        self.untranslated += 1
        _log.error("user event not understood", reason=reason)
        self._expired.set()

    async def _connect(self) -> DirectConnection | None:
        try:
            key = await self._listen_key("POST")
            self._current_key = key
            self._key_seconds = asyncio.get_running_loop().time()
            self._expired.clear()
            return await open_socket(f"{self._base_url}/ws?listenKey={key}", self.on_frame, ping_seconds=20.0)
        except RestBlocked as blocked:
            await asyncio.sleep(blocked.wait_seconds)
        except (RestError, *CONNECT_ERRORS) as error:
            _log.warning("cannot connect", link="private", reason=str(error) or type(error).__name__)
        return None

    async def _catch_up_until_done(self, connection: DirectConnection) -> bool:
        """False when the connection died first."""
        failures = 0
        go_on = False
        while connection.close_code is None:
            try:
                await self._catch_up(go_on)
            except RestBlocked as blocked:
                await asyncio.sleep(blocked.wait_seconds)
            except RestError as error:
                failures += 1
                _log.warning("cannot catch up", reason=str(error))
                await asyncio.sleep(self._backoff.delay(failures))
            else:
                return True
            go_on = True
        return False

    async def _live(self, connection: DirectConnection) -> str:
        """Until the connection or its key is useless; returns the reason."""
        loop = asyncio.get_running_loop()
        opened, renewed = loop.time(), self._key_seconds
        closed = loop.create_task(connection.wait_closed())
        expired = loop.create_task(self._expired.wait())
        renewing: asyncio.Task[bool] | None = None
        try:
            while True:
                waiting: set[asyncio.Task[Any]] = {closed, expired}
                renew_seconds = min(self._renew_seconds, KEY_SECONDS)
                due = min(renewed + renew_seconds, opened + self._rotate_seconds)
                if renewing is not None:
                    # It may take as long as a ban; the socket is watched meanwhile.
                    waiting.add(renewing)
                    due = renewed + KEY_SECONDS
                await asyncio.wait(
                    waiting, timeout=max(due - loop.time(), 0.0), return_when=asyncio.FIRST_COMPLETED
                )
                if closed.done():
                    return "closed"
                if expired.done():
                    return "listen key expired, or an event was not understood"
                if renewing is None:
                    if loop.time() - opened >= self._rotate_seconds:
                        return "age"
                    if loop.time() - renewed >= KEY_SECONDS:
                        return "the listen key is old"
                    renewing = loop.create_task(self._renew())
                elif renewing.done() and renewing.result():
                    renewed, renewing = loop.time(), None
                elif renewing.done() or loop.time() - renewed >= KEY_SECONDS:
                    return "listen key not renewed"
        finally:
            closed.cancel()
            expired.cancel()
            if renewing is not None:
                renewing.cancel()

    async def _renew(self) -> bool:
        for attempt in range(3):
            try:
                key = await self._listen_key("PUT")
            except RestBlocked as blocked:
                await asyncio.sleep(blocked.wait_seconds)
            except RestError as error:
                if error.failure.code == -1125:
                    return False
                await asyncio.sleep(self._backoff.delay(attempt + 1))
            else:
                return key in ("", self._current_key)
        return False

    def _set_state(self, state: LinkState) -> None:
        if state != self.state:
            self.state = state
            self._on_state("private", state)
