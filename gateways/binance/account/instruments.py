"""What the exchange says about each symbol: filters, fees, leverage, brackets."""

import asyncio
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from math import inf

import msgspec
import structlog

from gateways.binance.protocol.classify import Failure
from gateways.binance.protocol.errors import RestBlocked, RestError
from gateways.binance.protocol.translate import Json, decimal, integer
from gateways.binance.rest.client import RestClient
from gateways.binance.rest.request_budget import Priority, RequestBudget
from gateways.wire.messages import Bracket, Instrument
from runtime.suggestions import SYMBOL_LIKENESS, did_you_mean

RULES_AGE_SECONDS = 3600.0
RULES_PAUSE_SECONDS = 30.0
"""Rules are not read again sooner, however many orders are refused because of them."""
STATUS_AGE_SECONDS = 60.0
"""How often a halted symbol's status is read."""
FEW_SYMBOLS = 10
"""For more symbols, one request for all symbols of the exchange costs less."""

_log = structlog.get_logger("gateway.instruments")


def instrument_from(
    info: Mapping[str, Json], brackets: Json, fees: Mapping[str, Json], config: Json, symbol: str
) -> Instrument:
    """From the rows of exchangeInfo, leverageBracket, commissionRate and symbolConfig."""
    filters = {str(row.get("filterType")): row for row in info.get("filters", ())}
    price, lot = filters.get("PRICE_FILTER", {}), filters.get("LOT_SIZE", {})
    market_lot = filters.get("MARKET_LOT_SIZE", lot)
    band = filters.get("PERCENT_PRICE", {})
    return Instrument(
        symbol=symbol,
        base_asset=str(info.get("baseAsset", "")),
        quote_asset=str(info.get("quoteAsset", "")),
        status=str(info.get("status", "")),
        price_tick=decimal(price.get("tickSize")),
        min_price=decimal(price.get("minPrice")),
        max_price=decimal(price.get("maxPrice")),
        qty_step_base=decimal(lot.get("stepSize")),
        min_qty_base=decimal(lot.get("minQty")),
        max_qty_base=decimal(lot.get("maxQty")),
        market_max_qty_base=decimal(market_lot.get("maxQty")),
        min_notional_quote=decimal(filters.get("MIN_NOTIONAL", {}).get("notional")),
        price_band_up=decimal(band.get("multiplierUp")),
        price_band_down=decimal(band.get("multiplierDown")),
        max_open_orders=integer(filters.get("MAX_NUM_ORDERS", {}).get("limit", 200)),
        maker_fee=decimal(fees.get("makerCommissionRate")),
        taker_fee=decimal(fees.get("takerCommissionRate")),
        liquidation_fee=decimal(info.get("liquidationFee")),
        leverage=integer(row_of(config, symbol).get("leverage", 0)),
        brackets=brackets_of(row_of(brackets, symbol)),
    )


def row_of(answer: Json, symbol: str) -> Mapping[str, Json]:
    """The symbol's row of an answer that is a list, or an object when a symbol was named."""
    rows = answer if isinstance(answer, list) else [answer]
    return next((row for row in rows if isinstance(row, Mapping) and row.get("symbol") == symbol), {})


def brackets_of(row: Mapping[str, Json]) -> tuple[Bracket, ...]:
    """Of one row of leverageBracket, ascending."""
    found = [
        Bracket(
            floor_quote=decimal(one.get("notionalFloor")),
            cap_quote=decimal(one.get("notionalCap")),
            max_leverage=integer(one.get("initialLeverage")),
            maintenance_ratio=decimal(one.get("maintMarginRatio")),
            cum_quote=decimal(one.get("cum")),
        )
        for one in row.get("brackets", ())
    ]
    return tuple(sorted(found, key=lambda bracket: bracket.floor_quote))


class UnknownSymbol(RestError):
    """The exchange lists no such symbol."""

    def __init__(self, symbol: str, known: Iterable[str]) -> None:
        self.hint = did_you_mean(symbol, known, most=2, likeness=SYMBOL_LIKENESS)
        super().__init__(Failure("refused", 0, f"the exchange has no symbol {symbol}{self.hint}"))


class Instruments:
    """Cache of what `get` fetched; `forget` makes the next `get` ask again.

    `wanted` names the symbols whose filters are kept from one answer, which has those of all.
    """

    def __init__(
        self, rest: RestClient, budget: RequestBudget, wanted: Callable[[], Collection[str]]
    ) -> None:
        self._rest = rest
        self._budget = budget
        self._wanted = wanted
        self._known: dict[str, Instrument] = {}
        self._infos: dict[str, Mapping[str, Json]] = {}
        self._infos_time = self._changed_time = -inf
        self._tables: dict[str, tuple[float, Json, Json]] = {}
        self._locks: dict[str, asyncio.Lock] = {}
        self._forgotten = 0

    def known(self, symbol: str) -> Instrument | None:
        """From the cache; None when it is not there."""
        return self._known.get(symbol)

    def forget(self, symbol: str = "") -> None:
        """One symbol; without a name all symbols and their filters."""
        self._tables.clear()
        self._forgotten += 1
        if symbol:
            self._known.pop(symbol, None)
        else:
            self._known.clear()
            self._infos.clear()

    async def get(self, symbol: str, *, priority: Priority = Priority.QUERY) -> Instrument:
        """RestError when the exchange does not know the symbol or does not answer."""
        found = self._known.get(symbol)
        if found is not None:
            return found
        async with self._lock(symbol):
            found = self._known.get(symbol)
            while found is None:
                forgotten = self._forgotten
                fetched = await self._fetch(symbol, priority)
                if forgotten == self._forgotten:  # else it may be what was before
                    found = self._known[symbol] = fetched
            return found

    @property
    def are_some_halted(self) -> bool:
        """Whether a cached symbol was halted when it was last read."""
        return any(one.status != "TRADING" for one in self._known.values())

    async def changed_status(self) -> list[Instrument]:
        """Read the status of all cached symbols (one request); returns those whose status has changed."""
        self._infos_time = -inf
        found = []
        for symbol, known in list(self._known.items()):
            try:
                status = str((await self.info(symbol)).get("status", ""))
            except (RestError, RestBlocked) as error:
                _log.warning("cannot read a symbol's status", symbol=symbol, reason=str(error))
                break
            if status != known.status and self._known.get(symbol) is known:
                self._known[symbol] = msgspec.structs.replace(known, status=status)
                found.append(self._known[symbol])
        return found

    async def changed(self) -> list[Instrument]:
        """Read all cached symbols again; returns those that have changed.

        A failure is logged and ends the reading; what was read before it counts. Nothing is read within
        `RULES_PAUSE_SECONDS` of the last time.
        """
        now = asyncio.get_running_loop().time()
        if now - max(self._infos_time, self._changed_time) < RULES_PAUSE_SECONDS:
            return []
        self._changed_time = now
        self._infos_time = -inf
        self._tables.clear()
        found = []
        for symbol in list(self._known):
            async with self._lock(symbol):
                try:
                    new = await self._fetch(symbol, Priority.BOOK)
                except UnknownSymbol as error:
                    _log.warning("cannot read the symbol's rules again", reason=str(error))
                    continue
                except (RestError, RestBlocked) as error:
                    _log.warning("cannot read the symbol's rules again", reason=str(error))
                    break
                if new != self._known.get(symbol):
                    self._known[symbol] = new
                    found.append(new)
        return found

    async def get_all(self, symbols: Sequence[str]) -> tuple[Instrument, ...]:
        """In the given order."""
        return tuple([await self.get(symbol) for symbol in symbols])

    async def info(self, symbol: str) -> Mapping[str, Json]:
        """The symbol's row of exchangeInfo. `UnknownSymbol` when there is none, else RestError."""
        now = asyncio.get_running_loop().time()
        if symbol not in self._infos or now - self._infos_time > RULES_AGE_SECONDS:
            async with self._lock(""):
                if symbol not in self._infos or now - self._infos_time > RULES_AGE_SECONDS:
                    await self._read_infos(symbol)
        return self._infos[symbol]

    async def margin_rows(
        self, symbol: str, priority: Priority = Priority.QUERY
    ) -> tuple[Mapping[str, Json], Mapping[str, Json]]:
        """The symbol's rows of leverageBracket and symbolConfig; for many symbols from one answer for all."""
        few = len(self._wanted()) <= FEW_SYMBOLS
        key = symbol if few else ""
        params = {"symbol": symbol} if few else {}
        async with self._lock(f"margin {key}"):
            read_at, brackets, configs = self._tables.get(key, (-inf, None, None))
            now = asyncio.get_running_loop().time()
            if now - read_at > RULES_PAUSE_SECONDS:
                brackets, configs = await asyncio.gather(
                    self._rest.signed("leverageBracket", params, 1, priority=priority),
                    self._rest.signed("symbolConfig", params, 5, priority=priority),
                )
                if row_of(brackets, symbol) and row_of(configs, symbol):
                    self._tables[key] = now, brackets, configs
        return row_of(brackets, symbol), row_of(configs, symbol)

    def _lock(self, name: str) -> asyncio.Lock:
        return self._locks.setdefault(name, asyncio.Lock())

    async def _fetch(self, symbol: str, priority: Priority) -> Instrument:
        info = await self.info(symbol)
        (brackets, config), fees = await asyncio.gather(
            self.margin_rows(symbol, priority),
            self._rest.row("commissionRate", {"symbol": symbol}, 20, priority=priority),
        )
        found = instrument_from(info, brackets, fees, config, symbol)
        rules = found.price_tick and found.qty_step_base
        if not (rules and found.leverage and found.brackets and "takerCommissionRate" in fees):
            raise RestError(
                Failure("transient", 0, f"the answers on {symbol} lack filters, fees or brackets")
            )
        return found

    async def _read_infos(self, symbol: str) -> None:
        answer = await self._rest.public("exchangeInfo", {}, 1)
        rows = answer.get("symbols") if isinstance(answer, dict) else None
        if not isinstance(rows, list) or not all(isinstance(row, dict) for row in rows):
            raise RestError(Failure("transient", 0, "GET exchangeInfo: the answer lists no symbols"))
        self._budget.set_limits(answer.get("rateLimits", []))
        # Of some 900 symbols only ours are kept: what lives long makes every garbage collection longer.
        wanted = {symbol, *self._wanted()}
        self._infos = {str(row.get("symbol")): row for row in rows if row.get("symbol") in wanted}
        self._infos_time = asyncio.get_running_loop().time()
        if symbol not in self._infos:
            raise UnknownSymbol(symbol, (str(row.get("symbol")) for row in rows))
