"""The gateway: its parts, how they are connected, and the requests of engines."""

import asyncio
import functools
from collections.abc import Callable, Iterable
from typing import Any

import msgspec
import structlog

from gateways.binance.account.catch_up import CatchUp
from gateways.binance.account.history import History
from gateways.binance.account.instruments import RULES_AGE_SECONDS, STATUS_AGE_SECONDS, Instruments
from gateways.binance.account.key_watch import KeyWatch
from gateways.binance.account.leverage_requests import LeverageRequests
from gateways.binance.account.snapshot import SnapshotTaker
from gateways.binance.account.snapshot_requests import SnapshotRequests
from gateways.binance.account.start_check import StartCheck, answer_summary
from gateways.binance.account.state import Account
from gateways.binance.background import Background
from gateways.binance.orders.dead_man import switch_for
from gateways.binance.orders.open_orders import OpenOrders
from gateways.binance.orders.rehearsal import Rehearsal
from gateways.binance.orders.requests import OrderRequests
from gateways.binance.orders.sender import OrderSender
from gateways.binance.protocol.classify import Failure, Hint
from gateways.binance.protocol.errors import ConfigurationError, RestBlocked, RestError
from gateways.binance.protocol.frames import DepthSnapshot, snapshot_from
from gateways.binance.protocol.requests import Requests
from gateways.binance.protocol.signing import Signer
from gateways.binance.protocol.translate import MS
from gateways.binance.rest.bans import FILE_NAME, Bans
from gateways.binance.rest.client import RestClient
from gateways.binance.rest.clock import ExchangeClock
from gateways.binance.rest.clock_sync import ClockSync
from gateways.binance.rest.http_pool import HttpPool
from gateways.binance.rest.klines import fetch_klines
from gateways.binance.rest.request_budget import Priority, RequestBudget
from gateways.binance.rest.throttle import Throttle, tell_start
from gateways.binance.setup.config import GatewayConfig
from gateways.binance.setup.keys import ApiKeys
from gateways.binance.streams.market import Market
from gateways.binance.streams.user import UserStream
from gateways.wire.messages import (
    AccountUpdate,
    AmendOrder,
    CancelOrder,
    GatewayStatus,
    Heartbeat,
    Instrument,
    Kline,
    KlinesReply,
    OrderUpdate,
    QueryOrder,
    Reply,
    RequestKlines,
    RequestSnapshot,
    SetLeverage,
    Snapshot,
    SubmitOrder,
    Subscribe,
)
from gateways.wire.outgoing import MarketEvent
from gateways.wire.requests import Request
from gateways.wire.server import EngineConnection, WireServer
from runtime.settings.environment import listen

STATUS_SECONDS = 1.0
READ_SECONDS = 10.0
"""How long a read waits for its answer, and for a connection while all are in use."""
START_CHECK_SECONDS = 5.0
"""How long the start waits for an exchange that does not answer."""
CHECK_AGAIN_SECONDS = 2.0

_log = structlog.get_logger("gateway")


class Gateway:
    """Implements the wire's `GatewayHandler`. `run` serves until cancelled."""

    def __init__(
        self,
        config: GatewayConfig,
        keys: ApiKeys,
        token: bytes,
        *,
        monotonic_ns: Callable[[], int],
        wall_ns: Callable[[], int],
        random: Callable[[], float],
        was_up: bool = False,
    ) -> None:
        """Create it inside the running loop. `monotonic_ns` runs at the exchange's speed. `was_up`: a gateway
        of this run has passed its start check before, so there may be positions to close."""
        self.config = config
        self._wall_ns = wall_ns
        self._monotonic_ns = monotonic_ns
        self._background = Background()
        self.spawn = self._background.spawn
        self._failed = self._background.failed
        self._states = {"public": "down", "market": "down", "private": "down", "rest": "down"}
        self.clock = ExchangeClock(monotonic_ns, wall_ns)
        self.budget = RequestBudget(self.clock.now_ns)
        self.server = WireServer(self, gateway=config.name, token=token, epoch=wall_ns())
        signer = Signer(keys.api_key, keys.api_secret)
        self._read_pool = HttpPool(
            config.rest_url, warm=0, timeout_seconds=READ_SECONDS, wait_seconds=READ_SECONDS
        )
        self._rest = self._make_rest(signer)
        self._history = History(self._rest, self._now_ms)
        self._instruments = Instruments(self._rest, self.budget, lambda: tuple(self.market.feeds))
        account = self._account = Account(self._rest)
        self._taker = SnapshotTaker(account, self._history, self._instruments)
        self._snapshots = SnapshotRequests(self._take_snapshot, self.spawn)
        self._leverage = LeverageRequests(self._rest, self._on_leverage, self.spawn, wall_ns)
        self._open_orders = OpenOrders()
        self._requests = OrderRequests(
            Requests(config.rest_url, signer, self.clock.timestamp_ms, config.window_ms)
        )
        self._pool = HttpPool(config.rest_url)
        self._pool.on_state = self._on_rest_state
        self._time = ClockSync(self.clock, self.budget, self._pool, self._requests.time, monotonic_ns)
        self.sender = self._make_sender()
        self._start_check = StartCheck(
            config,
            account,
            self._instruments,
            self.clock,
            self.sender.may_trade,
            keys.source or "the key file",
        )
        self._key_watch = self._make_key_watch()
        self._was_up = was_up
        self._checked, self._check_lock, self._check_tried = False, asyncio.Lock(), asyncio.Event()
        self._dead_man = switch_for(self.sender, self._open_orders, monotonic_ns)
        self.market = Market(
            config,
            publish=self._publisher(),
            fetch_snapshot=self._fetch_depth,
            on_state=self._on_state,
            on_sync=lambda: self.server.publish(self.status()),
            spawn=self.spawn,
            wall_ns=wall_ns,
            random=random,
            together=self.server.together,
        )
        self.user = self._make_user_stream(account, random)
        self._handlers = self._make_handlers()

    def _make_rest(self, signer: Signer) -> RestClient:
        config, clock = self.config, self.clock
        requests = Requests(config.rest_url, signer, clock.timestamp_ms, config.window_ms, packed=True)
        throttle = Throttle(self.budget, config.clock_speed)
        rest = RestClient(self._read_pool, requests, self.budget, throttle, clock.now_ns)
        rest.on_hint = self._on_hint
        return rest

    def _make_sender(self) -> OrderSender:
        return OrderSender(
            self._pool,
            self._requests,
            self.budget,
            self._history,
            wall_ns=self._wall_ns,
            on_hint=self._on_hint,
            on_placed=self._on_placed,
            spawn=self.spawn,
        )

    def _make_key_watch(self) -> KeyWatch:
        return KeyWatch(
            lambda: self.sender.may_trade(self.config.symbols[0]),
            lambda: self.server.publish(self.status()),
            self.spawn,
        )

    def _make_user_stream(self, account: Account, random: Callable[[], float]) -> UserStream:
        catch_up = CatchUp(
            account,
            self._history,
            symbols=lambda: tuple(self.market.feeds),
            emit_new=self._emit_new,
            missed_closes=self._missed_closes,
            was_told=self._was_told,
            told=self._events_told,
            now_ms=self._now_ms,
        )
        return UserStream(
            self.config.private_url,
            listen_key=self._rest.listen_key,
            emit=self._emit,
            catch_up=catch_up.catch_up,
            on_state=self._on_state,
            on_config=self._on_account_config,
            random=random,
            on_asset_mode=self._on_asset_mode,
        )

    def _make_handlers(self) -> dict[type, Callable[[EngineConnection, Any], None]]:
        return {
            SubmitOrder: self.sender.submit,
            CancelOrder: self.sender.cancel,
            AmendOrder: self.sender.amend,
            QueryOrder: self.sender.query,
            Subscribe: self._subscribe,
            RequestSnapshot: self._snapshots.ask,
            RequestKlines: lambda engine, request: self.spawn(self._klines(engine, request)),
            SetLeverage: self._leverage.ask,
            Heartbeat: self._heartbeat,
        }

    def _publisher(self) -> Callable[[MarketEvent], None]:
        """Sends market data to the engine."""
        send, config = self.server.publish_market, self.config
        if not config.rehearse_s:
            return send
        every_s, window_ms = config.rehearse_s, config.window_ms
        return Rehearsal(config.rest_url, wall_ns=self._wall_ns, every_s=every_s, window_ms=window_ms).behind(
            send
        )

    async def run(self, on_listening: Callable[[int], None]) -> None:
        """Serve. Ends by cancellation, or with the unexpected error of a part."""
        if self.config.state_dir is not None:
            bans = Bans(
                self.budget, self.config.state_dir / FILE_NAME, self.config.rest_url, self.clock.now_ns
            )
            bans.resume()
        tell_start(self.budget, len(self.config.symbols))
        self._pool.start()
        self._read_pool.start()
        self.spawn(self._time.run())
        self.spawn(self._tell_status())
        self.spawn(self._keep_rules())
        for symbol in self.config.symbols:
            self.market.add_symbol(symbol)
        self.market.start()
        self.spawn(self.user.run())
        try:
            port = await self._listen()
            self.spawn(self._check_start())
            tried = asyncio.ensure_future(self._check_tried.wait())
            either: set[asyncio.Future[Any]] = {self._failed, tried}
            await asyncio.wait(either, timeout=START_CHECK_SECONDS, return_when=asyncio.FIRST_COMPLETED)
            tried.cancel()
            if not self._failed.done():
                on_listening(port)
            await self._failed
        finally:
            await self._close()

    async def _listen(self) -> int:
        config = self.config
        if config.data_dir is None:
            return await self.server.start(config.wire_host, config.wire_port)
        start = functools.partial(self.server.start, config.wire_host)
        return await listen("wire", config.wire_port, config.data_dir, start, _log.warning)

    async def _check_start(self) -> None:
        """Until the exchange has answered. ConfigurationError ends the gateway."""
        await self._time.tried.wait()
        while wait := await self._check_once():
            self._check_tried.set()
            await asyncio.sleep(wait)
        self._check_tried.set()

    async def _check_once(self) -> float:
        """0.0 when the check has passed, else seconds until the next attempt."""
        async with self._check_lock:
            if self._checked:
                return 0.0
            try:
                await self._start_check.run()
            except RestBlocked as blocked:
                return blocked.wait_seconds
            except RestError as error:
                _log.warning("cannot check the account", reason=str(error))
                return CHECK_AGAIN_SECONDS
            except ConfigurationError as error:
                if not self._was_up:
                    raise
                _log.error(f"{error} There may be open positions to close, so this run goes on.")
                if error.may_pass:
                    return CHECK_AGAIN_SECONDS
            self._checked = True
            self._leverage.release()
            return 0.0

    async def _close(self) -> None:
        await self.server.close()
        await self._background.close()
        await self._pool.close()
        await self._read_pool.close()

    def on_connected(self, engine: EngineConnection) -> None:
        """An engine has connected."""
        _log.info("engine connected", engine=engine.engine_id, symbols=sorted(engine.symbols))
        for symbol in sorted(engine.symbols):
            self.market.add_symbol(symbol)
        engine.send(self.status())
        self.spawn(self._tell_instruments(sorted(engine.symbols), engine.send))

    def on_request(self, engine: EngineConnection, request: Request) -> None:
        """One request of an engine."""
        self._handlers[type(request)](engine, request)

    def on_disconnected(self, engine: EngineConnection, reason: str) -> None:
        """The dead man's switch, if armed, gets no heartbeats from now on."""
        _log.warning("engine disconnected", engine=engine.engine_id, reason=reason)
        self._leverage.forget(engine)

    def on_stranger(self, reason: str) -> None:
        """A peer without the token, or an engine that was refused."""
        _log.warning("a connection was refused", reason=reason)

    def status(self) -> GatewayStatus:
        """The current health."""
        now_ns = self._wall_ns()
        banned_until_ns = self.budget.banned_until_ns
        return GatewayStatus(
            gateway=self.config.name,
            time_ns=now_ns,
            streams={**self._states, "rest": "down"} if banned_until_ns else dict(self._states),
            fresh_symbols=self.market.fresh_symbols(now_ns, self.clock.now_ns()),
            clock_offset_ns=self.clock.offset_ns,
            clock_uncertainty_ns=self.clock.uncertainty_ns,
            budget_used=self.budget.used_weight,
            budget_limit=self.budget.weight_limit,
            banned_until_ns=banned_until_ns,
            exits_still_sent=self.budget.is_held,
            conflated_ticks=self.server.conflated_ticks,
            dropped_market_events=self.server.dropped_market_events,
            resyncs=self.market.resyncs,
            multi_assets_margin=self._account.multi_assets,
            keys_refused=self._key_watch.refused,
            unanswered=self._rest.unanswered.text,
        )

    def _now_ms(self) -> int:
        return self.clock.now_ns() // MS

    def _on_state(self, link: str, state: str) -> None:
        self._states[link] = state
        _log.info("link", link=link, state=state)
        self.server.publish(self.status())

    def _on_rest_state(self, is_up: bool) -> None:
        self._on_state("rest", "up" if is_up else "down")

    def _on_hint(self, failure: Failure) -> None:
        if failure.hint is Hint.CLOCK:
            self._time.distrust()
        elif failure.hint is Hint.RULES:
            self.spawn(self._read_rules_again())
        elif failure.hint is Hint.MODE:
            self.spawn(self._check_modes_again())
        elif failure.hint is Hint.KEYS and self._checked:
            self._key_watch.on_refused(answer_summary(failure))

    def _on_placed(self, order: OrderUpdate) -> None:
        self._key_watch.on_accepted()
        self.user.expect(order)

    def _on_account_config(self, symbol: str) -> None:
        self._instruments.forget(symbol)
        if symbol:
            self.spawn(self._tell_instruments((symbol,), self.server.publish))

    def _on_asset_mode(self, is_multi: bool) -> None:
        if is_multi:
            _log.critical(
                "the account was switched to multi-assets mode: no new positions until it is switched back"
            )
        else:
            _log.warning("the account was switched to single-asset mode")
        self._account.on_asset_mode(is_multi)
        self.server.publish(self.status())

    def _emit(self, update: OrderUpdate | AccountUpdate) -> None:
        if isinstance(update, OrderUpdate):
            self._open_orders.note(update)
            self._dead_man.on_order(update.symbol)
        self.server.publish_order_event(update)

    def _emit_new(self, update: OrderUpdate | AccountUpdate) -> None:
        if self.user.seen.is_new(update):
            self._emit(update)

    def _was_told(self, symbol: str, order_id: int, trade_id: int) -> bool:
        return self.user.seen.has_fill(symbol, order_id, trade_id)

    def _events_told(self) -> int:
        return self.user.seen.count

    async def _missed_closes(self, symbol: str, told: set[tuple[bool, int]]) -> list[OrderUpdate]:
        """The final reports of orders that were open before and that no list contains any more."""
        found = []
        for one in self._open_orders.absent_from(symbol, told):
            fetch = self._history.algo_order if one.is_conditional else self._history.order
            try:
                found.append(await fetch(symbol, one.exchange_order_id))
            except RestError as error:
                if error.failure.outcome != "not_found":
                    raise
        return found

    async def _fetch_depth(self, symbol: str) -> DepthSnapshot:
        params = {"symbol": symbol, "limit": 1000}
        return snapshot_from(await self._rest.public("depth", params, 20, priority=Priority.BOOK))

    def _subscribe(self, engine: EngineConnection, request: Subscribe) -> None:
        try:
            for symbol in request.symbols:
                for stream in request.streams:
                    self.market.subscribe(symbol, stream, request.depth_levels)
        except ValueError as error:
            engine.send(Reply(request.request_id, "refused", 0, str(error)))
            return
        engine.send(Reply(request.request_id, "ok", answered_time_ns=self._wall_ns()))

    async def _take_snapshot(
        self, engine: EngineConnection, fills_since_ns: int, asked: Callable[[], int]
    ) -> Snapshot:
        snapshot = await self._taker.take(
            sorted(engine.symbols),
            fills_since_ns,
            self.server.epoch,
            lambda: self.server.cursor(engine.engine_id),
            self._wall_ns,
            asked,
        )
        if not await self._check_once():
            return snapshot
        # Entries wait for a whole snapshot, so they wait until the account is known to be in order.
        return msgspec.structs.replace(snapshot, complete=False)

    async def _klines(self, engine: EngineConnection, request: RequestKlines) -> None:
        klines: tuple[Kline, ...] = ()
        complete = True
        try:
            klines = await fetch_klines(
                self._rest,
                request.symbol,
                request.interval,
                request.limit,
                request.end_time_ns,
                self.clock.now_ns(),
            )
        except (RestError, RestBlocked) as error:
            _log.warning("no klines", symbol=request.symbol, interval=request.interval, reason=str(error))
            complete = False
        engine.send(KlinesReply(request.request_id, request.symbol, request.interval, klines, complete))

    async def _on_leverage(self, symbol: str) -> None:
        self._instruments.forget(symbol)
        await self._tell_instruments((symbol,), self.server.publish)

    def _heartbeat(self, engine: EngineConnection, beat: Heartbeat) -> None:
        self._dead_man.heartbeat(engine.symbols, beat.countdown_ms, engine.client_id_prefix)

    async def _tell_instruments(self, symbols: Iterable[str], tell: Callable[[Instrument], None]) -> None:
        for symbol in symbols:
            try:
                tell(await self._instruments.get(symbol))
            except (RestError, RestBlocked) as error:
                _log.warning("no instrument", symbol=symbol, reason=str(error))

    async def _keep_rules(self) -> None:
        """Rules change without notice; where a symbol is halted or a book silent, status is read sooner."""
        read_at = asyncio.get_running_loop().time()
        while True:
            await asyncio.sleep(min(STATUS_AGE_SECONDS, RULES_AGE_SECONDS))
            is_one_silent = len(self.status().fresh_symbols) < len(self.market.feeds)
            if asyncio.get_running_loop().time() - read_at >= RULES_AGE_SECONDS:
                read_at = asyncio.get_running_loop().time()
                await self._read_rules_again()
            elif is_one_silent or self._instruments.are_some_halted:
                self._publish_changed(await self._instruments.changed_status())

    async def _check_modes_again(self) -> None:
        """Hedge mode ends the gateway: it cannot be traded, and is only switched on without positions."""
        try:
            await self._start_check.check_modes(is_running=True)
        except (RestError, RestBlocked) as error:
            _log.warning("cannot check the account", reason=str(error))

    async def _read_rules_again(self) -> None:
        self._publish_changed(await self._instruments.changed())

    def _publish_changed(self, instruments: Iterable[Instrument]) -> None:
        for instrument in instruments:
            _log.warning(
                "the exchange has changed its rules", symbol=instrument.symbol, status=instrument.status
            )
            self.server.publish(instrument)

    async def _tell_status(self) -> None:
        while True:
            self.server.publish(self.status())
            self._dead_man.on_time()
            await asyncio.sleep(STATUS_SECONDS)
