"""A consistent snapshot of the whole account."""

from collections.abc import Awaitable, Callable, Sequence
from functools import partial

import structlog

from gateways.binance.account.history import OVERLAP_MS, QUIET_TRIES, History
from gateways.binance.account.instruments import Instruments
from gateways.binance.account.state import Account
from gateways.binance.protocol.errors import RestBlocked, RestError
from gateways.binance.protocol.translate import MS, Json
from gateways.wire.messages import Instrument, OrderUpdate, Snapshot

_log = structlog.get_logger("gateway.snapshot")


class SnapshotTaker:
    """Takes snapshots during which nothing changed, as far as the user stream shows.

    Filters and fills, which take long for many symbols, are read first; orders, positions and balances, which
    must fit together, last.
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
        """Does not raise when a request fails: the snapshot is then incomplete. `cursor` counts the order
        events sent, `asked` the requests for this snapshot."""
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
    """Notes which parts could not be read."""

    def __init__(self) -> None:
        self.missing: list[str] = []

    async def get(self, name: str, fetch: Callable[[], Awaitable[Json]], instead: Json) -> Json:
        try:
            return await fetch()
        except (RestError, RestBlocked) as error:
            self.missing.append(name)
            _log.warning("snapshot is incomplete", part=name, reason=str(error))
            return instead
