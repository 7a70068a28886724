"""What was missed while the user stream was down."""

from collections.abc import Awaitable, Callable, Sequence

from gateways.binance.account.history import ALL_SYMBOLS_WEIGHT, OVERLAP_MS, QUIET_TRIES, History
from gateways.binance.account.state import Account
from gateways.binance.protocol.translate import MS
from gateways.wire.messages import AccountUpdate, OrderUpdate
from gateways.wire.words import AccountChange


class CatchUp:
    """Emits fills, orders and the account as requests show them, after each connect of the user stream.

    What the stream has reported already is not emitted again (`emit_new`, `was_told`); `told` counts events.
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
        self._done: set[str] = set()

    async def catch_up(self, go_on: bool) -> None:
        """Since the last one; the first one since our start, because an engine's snapshot may be older than
        the stream's first connection. With `go_on` an interrupted catch-up is continued where it ended.
        """
        if not go_on:
            self._done.clear()
        if not self._done:
            self._started_ms = self._now_ms()
        since_ms = min(self._since_ms, self._started_ms) - OVERLAP_MS
        symbols = self._symbols()
        busy = await self._with_open_orders(symbols)
        for symbol in symbols:
            if symbol not in self._done:
                await self._catch_up_symbol(symbol, since_ms, has_open=symbol in busy)
                self._done.add(symbol)
        await self._catch_up_account()
        self._since_ms = self._started_ms

    async def _with_open_orders(self, symbols: Sequence[str]) -> set[str]:
        """Symbols whose open orders are worth requesting: all of them where there are few."""
        if 2 * len(symbols) <= ALL_SYMBOLS_WEIGHT:
            return set(symbols)
        return {one.symbol for one in await self._history.all_open_orders(symbols)}

    async def _catch_up_symbol(self, symbol: str, since_ms: int, *, has_open: bool) -> None:
        still_open = await self._history.open_orders(symbol) if has_open else []
        fills = await self._history.fills(symbol, since_ms, still_open, was_told=self._was_told)
        orders = await self._history.orders(symbol, since_ms)
        algo = await self._history.algo_orders(symbol, since_ms)
        told = {(one.is_conditional, one.exchange_order_id) for one in [*still_open, *orders, *algo]}
        closed = await self._missed_closes(symbol, told)
        for update in [*fills, *still_open, *orders, *algo, *closed]:
            self._emit_new(update)

    async def _catch_up_account(self) -> None:
        """Read again when the stream has reported something meanwhile: old data must not follow newer."""
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
