"""The account's whole truth at one moment, and what was missed while the user stream was down."""

from collections.abc import Awaitable, Callable, Sequence
from decimal import Decimal
from functools import partial

import structlog

from gateways.binance.account.history import ALL_SYMBOLS_WEIGHT, History
from gateways.binance.account.instruments import Instruments, row_of
from gateways.binance.protocol.classify import Failure
from gateways.binance.protocol.errors import RestBlocked, RestError
from gateways.binance.protocol.translate import MS, Json, decimal, flag
from gateways.binance.rest.client import RestClient
from gateways.wire.messages import AccountUpdate, Balance, Instrument, OrderUpdate, PositionReport, Snapshot
from gateways.wire.words import AccountChange

OVERLAP_MS = 60_000
QUIET_TRIES = 3

_log = structlog.get_logger("gateway.snapshot")


class Account:
    """Balances, positions and modes from REST."""

    def __init__(self, rest: RestClient) -> None:
        self._rest = rest
        self._mode_events = 0
        self.account_id = ""
        """The exchange's own name of the account, as the balances tell it."""
        self.multi_assets: bool | None = None
        """The newest word on the asset mode; None while there is none."""

    def on_asset_mode(self, is_multi: bool) -> None:
        """The exchange has told of a switch."""
        self._mode_events += 1
        self.multi_assets = is_multi

    async def modes(self) -> tuple[bool, bool]:
        """Hedge mode, multi-assets margin."""
        events = self._mode_events
        answer = await self._rest.row("accountConfig", {}, 5)
        if "dualSidePosition" not in answer:
            raise RestError(Failure("transient", 0, "GET accountConfig: the answer does not say the mode"))
        hedge, multi_assets = flag(answer.get("dualSidePosition")), flag(answer.get("multiAssetsMargin"))
        if self.multi_assets is None or events == self._mode_events:
            self.multi_assets = multi_assets
        return hedge, self.multi_assets

    async def mark_price(self, symbol: str) -> Decimal:
        """Of now."""
        answer = await self._rest.public("premiumIndex", {"symbol": symbol}, 1)
        price = decimal(answer.get("markPrice")) if isinstance(answer, dict) else decimal(None)
        if price <= 0:
            raise RestError(Failure("transient", 0, f"GET premiumIndex: no mark price of {symbol}"))
        return price

    async def balances(self) -> tuple[Balance, ...]:
        """Assets that hold something."""
        rows = await self._rest.rows("balance", {}, 5, version=3)
        self.account_id = next((str(row["accountAlias"]) for row in rows if row.get("accountAlias")), "")
        found = [
            Balance(
                str(row.get("asset", "")),
                decimal(row.get("balance")),
                decimal(row.get("crossWalletBalance")),
                decimal(row.get("availableBalance")),
            )
            for row in rows
        ]
        return tuple(one for one in found if one.wallet or one.cross_wallet or one.available)

    async def positions(self, symbols: Sequence[str]) -> tuple[PositionReport, ...]:
        """One row at least for each symbol: the exchange leaves flat ones out, which we say as 0."""
        rows = await self._rest.rows("positionRisk", {}, 5, version=3)
        configs = await self._rest.signed("symbolConfig", {}, 5)
        found = [_position(row, configs) for row in rows if row.get("symbol") in symbols]
        flat = set(symbols) - {one.symbol for one in found}
        found += [_position({"symbol": symbol}, configs) for symbol in sorted(flat)]
        return tuple(found)


def _position(row: dict[str, Json], configs: Json) -> PositionReport:
    symbol = str(row.get("symbol"))
    margin = str(row_of(configs, symbol).get("marginType", "")).lower()
    return PositionReport(
        symbol=symbol,
        position_side=str(row.get("positionSide") or "BOTH"),
        qty_base=decimal(row.get("positionAmt")),
        entry_price=decimal(row.get("entryPrice")),
        unrealised_pnl=decimal(row.get("unRealizedProfit")),
        margin_type="cross" if margin == "crossed" else margin,
        isolated_wallet=decimal(row.get("isolatedWallet")),
        mark_price=decimal(row.get("markPrice")) or None,
        liquidation_price=decimal(row.get("liquidationPrice")) or None,
    )


class SnapshotTaker:
    """Takes snapshots in which nothing moved, as far as the user stream tells.

    What takes long for many symbols comes first, filters and fills; what fits together only when it is
    read at once comes last, orders, positions and balances.
    """

    def __init__(self, account: Account, history: History, instruments: Instruments) -> None:
        self._account = account
        self._history = history
        self._instruments = instruments

    async def take(
        self,
        symbols: Sequence[str],
        fills_since_ns: int,
        epoch: int,
        cursor: Callable[[], int],
        now_ns: Callable[[], int],
        asked: Callable[[], int],
    ) -> Snapshot:
        """Never raises for the exchange's sake: what could not be fetched makes it incomplete.

        `cursor` moves with the order events told, `asked` with the requests for this snapshot.
        """
        parts = _Parts()
        instruments: tuple[Instrument, ...] = await parts.get(
            "instruments", lambda: self._instruments.get_all(symbols), ()
        )
        fills = await self._fills(parts, symbols, fills_since_ns // MS - OVERLAP_MS) if fills_since_ns else []
        for _ in range(QUIET_TRIES):
            at, requests = cursor(), asked()
            modes = await parts.get("modes", self._account.modes, (False, False))
            orders = await parts.get("open orders", lambda: self._history.all_open_orders(symbols), [])
            positions = await parts.get("positions", lambda: self._account.positions(symbols), ())
            balances = await parts.get("balances", self._account.balances, ())
            if (cursor(), asked()) == (at, requests) or parts.missing:
                break
        return Snapshot(
            request_id=0,
            complete=not parts.missing,
            balances=balances,
            positions=positions,
            open_orders=tuple(orders),
            fills=tuple(fills),
            instruments=instruments,
            hedge_mode=modes[0],
            multi_assets_margin=modes[1],
            epoch=epoch,
            cursor_sequence=at,
            time_ns=now_ns(),
            account_id=self._account.account_id,
        )

    async def _fills(self, parts: "_Parts", symbols: Sequence[str], since_ms: int) -> list[OrderUpdate]:
        known = await parts.get("open orders", lambda: self._history.all_open_orders(symbols), [])
        found: list[OrderUpdate] = []
        for symbol in symbols:
            fetch = partial(self._history.fills, symbol, since_ms, [o for o in known if o.symbol == symbol])
            found += await parts.get(f"fills of {symbol}", fetch, [])
        return found


class _Parts:
    """Collects what could not be fetched."""

    def __init__(self) -> None:
        self.missing: list[str] = []

    async def get(self, name: str, fetch: Callable[[], Awaitable[Json]], instead: Json) -> Json:
        try:
            return await fetch()
        except (RestError, RestBlocked) as error:
            self.missing.append(name)
            _log.warning("snapshot is incomplete", part=name, reason=str(error))
            return instead


class Sweeper:
    """After each (re)connect of the user stream: emits fills, orders and account as REST tells them.

    What the stream had told already is not emitted again (`emit_new`, `was_told`); `told` counts events.
    """

    def __init__(
        self,
        account: Account,
        history: History,
        *,
        symbols: Callable[[], Sequence[str]],
        emit_new: Callable[[OrderUpdate | AccountUpdate], None],
        missed_closes: Callable[[str, set[tuple[bool, int]]], Awaitable[list[OrderUpdate]]],
        was_told: Callable[[str, int, int], bool],
        told: Callable[[], int],
        now_ms: Callable[[], int],
    ) -> None:
        self._account = account
        self._history = history
        self._symbols = symbols
        self._emit_new = emit_new
        self._missed_closes = missed_closes
        self._was_told = was_told
        self._told = told
        self._now_ms = now_ms
        self._since_ms = self._started_ms = now_ms()
        self._swept: set[str] = set()

    async def sweep(self, go_on: bool) -> None:
        """From the last one on; the first one from our start, since an engine's snapshot may be older than
        the stream's first connection. With `go_on` what an interrupted sweep has done is not done again.
        """
        if not go_on:
            self._swept.clear()
        if not self._swept:
            self._started_ms = self._now_ms()
        since_ms = min(self._since_ms, self._started_ms) - OVERLAP_MS
        symbols = self._symbols()
        busy = await self._with_open_orders(symbols)
        for symbol in symbols:
            if symbol not in self._swept:
                await self._sweep_symbol(symbol, since_ms, has_open=symbol in busy)
                self._swept.add(symbol)
        await self._sweep_account()
        self._since_ms = self._started_ms

    async def _with_open_orders(self, symbols: Sequence[str]) -> set[str]:
        """Where it is worth asking for open orders: few symbols are all asked."""
        if 2 * len(symbols) <= ALL_SYMBOLS_WEIGHT:
            return set(symbols)
        return {one.symbol for one in await self._history.all_open_orders(symbols)}

    async def _sweep_symbol(self, symbol: str, since_ms: int, *, has_open: bool) -> None:
        still_open = await self._history.open_orders(symbol) if has_open else []
        fills = await self._history.fills(symbol, since_ms, still_open, was_told=self._was_told)
        orders = await self._history.orders(symbol, since_ms)
        algo = await self._history.algo_orders(symbol, since_ms)
        told = {(one.is_conditional, one.exchange_order_id) for one in [*still_open, *orders, *algo]}
        closed = await self._missed_closes(symbol, told)
        for update in [*fills, *still_open, *orders, *algo, *closed]:
            self._emit_new(update)

    async def _sweep_account(self) -> None:
        """Asked again when the stream has told something meanwhile: no older truth follows a newer."""
        for _ in range(QUIET_TRIES):
            told = self._told()
            time_ns = self._now_ms() * MS
            balances = await self._account.balances()
            positions = await self._account.positions(self._symbols())
            if self._told() == told:
                break
        self._emit_new(
            AccountUpdate(0, 0, "RECONCILE", balances, positions, time_ns, time_ns, AccountChange.RECONCILE)
        )
