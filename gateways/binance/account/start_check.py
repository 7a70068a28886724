"""Whether the exchange has what the configuration asks for, and the account is as we trade it.

Looked at before anything trades. What cannot work is one sentence, and the gateway ends for good: the
supervisor does not start it again. An exchange that does not answer proves nothing; it is asked again.
"""

import asyncio
from collections.abc import Awaitable, Callable
from decimal import Decimal

import structlog

from gateways.binance.account.instruments import Instruments, UnknownSymbol, brackets_of
from gateways.binance.account.state import Account
from gateways.binance.protocol.classify import Failure
from gateways.binance.protocol.errors import ConfigurationError, RestError
from gateways.binance.protocol.translate import decimal, integer
from gateways.binance.rest.clock import ExchangeClock
from gateways.binance.setup.config import GatewayConfig

WORST_OFFSET_NS = 5_000_000_000
"""A clock further off than this is set wrong, not drifting."""
ENTRY_OFFSET_NS = 500_000_000
"""The engine enters nothing while our clock is further off."""
GONE = frozenset({"CLOSE", "DELIVERED", "DELIVERING", "SETTLING"})
"""A symbol in any other state may be traded again, or soon."""
SURE_SECONDS = 1.0
"""What ends a run is asked twice: an exchange in trouble refuses good keys, too."""

_log = structlog.get_logger("gateway.start")


class _Said(ConfigurationError):
    """The exchange's word, not a fact that was looked up."""

    may_pass = True


class StartCheck:
    """`may_trade` tries a harmless request that needs the right to trade; None when it was let through."""

    def __init__(
        self,
        config: GatewayConfig,
        account: Account,
        instruments: Instruments,
        clock: ExchangeClock,
        may_trade: Callable[[str], Awaitable[Failure | None]],
        key_source: str,
    ) -> None:
        self._config = config
        self._account = account
        self._instruments = instruments
        self._clock = clock
        self._may_trade = may_trade
        self._key_source = key_source

    async def run(self) -> None:
        """ConfigurationError for what cannot work; RestError, RestBlocked for what could not be asked."""
        try:
            await self._look()
        except _Said:
            await asyncio.sleep(SURE_SECONDS)
            await self._look()

    async def _look(self) -> None:
        try:
            for symbol in self._config.symbols:
                await self._check_symbol(symbol)
            self._check_clock()
            await self.check_modes()
            for symbol in self._config.symbols:
                await self._check_margin(symbol)
        except RestError as error:
            raise self._final(error.failure) or error from None
        failure = await self._may_trade(self._config.symbols[0])
        if failure is not None and failure.outcome in ("transient", "unknown"):
            raise RestError(failure)
        if failure is not None and _is_about_keys(failure):
            raise _Said(
                f"The API key of {self._key_source} may read at {self._config.host} but not trade: "
                f"allow futures for it in Binance's API management ({said_of(failure)})."
            )

    async def _check_symbol(self, symbol: str) -> None:
        config = self._config
        try:
            info = await self._instruments.info(symbol)
        except UnknownSymbol as error:
            raise ConfigurationError(
                f"{config.where_symbol(symbol)}: {config.host} has no {symbol}{error.hint}."
            ) from None
        status, margin, quote = (str(info.get(key, "")) for key in ("status", "marginAsset", "quoteAsset"))
        if status in GONE:
            raise ConfigurationError(
                f"{config.where_symbol(symbol)}: {symbol} is not traded at {config.host} (it is {status})."
            )
        if status != "TRADING":
            _log.warning("a symbol is not traded now", symbol=symbol, status=status)
        if margin and margin != quote:
            raise ConfigurationError(
                f"{config.where_symbol(symbol)}: {symbol} is margined in {margin}; only contracts that are "
                f"margined in their quote asset can be traded."
            )

    def _check_clock(self) -> None:
        if self._config.simulated:
            return
        if not self._clock.is_measured:
            raise RestError(Failure("transient", 0, "the exchange has not told its time yet"))
        offset_ns = self._clock.offset_ns
        side = "behind" if offset_ns > 0 else "ahead of"
        sentence = f"This machine's clock is {abs(offset_ns) / 1e9:,.1f} s {side} the exchange's"
        if abs(offset_ns) - self._clock.uncertainty_ns > WORST_OFFSET_NS:
            raise ConfigurationError(
                f"{sentence}: set it (let the system keep time by NTP), then start again."
            )
        if abs(offset_ns) > ENTRY_OFFSET_NS:
            _log.warning(f"{sentence}: nothing is entered until it is set")

    async def check_modes(self, *, is_running: bool = False) -> None:
        """ConfigurationError for hedge mode, and at a start for multi-assets mode: there may be positions in
        it, and while one runs they can be left."""
        hedge, multi_assets = await self._account.modes()
        if hedge:
            raise ConfigurationError(
                "The account is in hedge mode, and only one-way mode can be traded: change the position mode "
                "in Binance's futures settings, which needs all positions and orders closed."
            )
        if multi_assets and not is_running:
            raise ConfigurationError(
                "The account is in multi-assets mode, and margin is calculated for single-asset mode only: "
                "change the asset mode in Binance's futures settings."
            )

    async def _check_margin(self, symbol: str) -> None:
        config = self._config
        brackets, row = await self._instruments.margin_rows(symbol)
        if str(row.get("marginType", "")).upper() == "ISOLATED":
            raise ConfigurationError(
                f"{symbol} is in isolated margin, and only cross margin can be traded: change its margin "
                "mode at Binance, which needs its positions and orders closed."
            )
        steps = brackets_of(brackets)
        if (not steps or not row) and await self._state(symbol) != "TRADING":
            return  # the exchange may have made none yet
        if not steps or not row:
            raise RestError(Failure("transient", 0, f"the answers on {symbol} lack brackets or margin mode"))
        wanted = config.leverage_of(symbol)
        highest = max(step.max_leverage for step in steps)
        if wanted > highest:
            raise ConfigurationError(
                f"{config.path}: leverage {wanted} of {symbol}: {config.host} allows {highest} at most."
            )
        leverage = wanted or integer(row.get("leverage"))
        caps = [step.cap_quote for step in steps if step.max_leverage >= leverage]
        cap = max(caps, default=Decimal(0))
        if leverage and config.max_position_quote > cap:
            # Smaller positions can be traded, and the exchange changes its brackets when it likes.
            _log.warning(
                f"{config.path}: risk.max_position_notional_quote is {config.max_position_quote:,}, but "
                f"{config.host} allows a position of {symbol} {cap:,} at leverage {leverage}"
            )
        await self._check_least_notional(symbol)
        await self._check_stops(symbol)

    async def _check_stops(self, symbol: str) -> None:
        """A stop that the exchange takes at no price near now's: each position would be left at once."""
        config = self._config
        percents = config.protective_stops_of(symbol)
        if not percents:
            return
        rows = (await self._instruments.info(symbol)).get("filters", ())
        prices = {str(one.get("filterType")): one for one in rows}.get("PRICE_FILTER", {})
        tick, lowest, highest = (decimal(prices.get(key)) for key in ("tickSize", "minPrice", "maxPrice"))
        lowest = max(lowest, tick)
        mark = await self._account.mark_price(symbol)
        for percent in percents:
            away = mark * percent / 100
            for side, price in (("long", mark - away), ("short", mark + away)):
                if price < lowest or (highest and price > highest):
                    stop = f"protective_stop_percent {percent} of {symbol}"
                    allowed = f"{config.host} takes prices from {lowest:,} to {highest:,} only"
                    raise ConfigurationError(
                        f"{config.path}: {stop}: a {side}'s stop would be at {price:,f}, and {allowed}."
                    )

    async def _state(self, symbol: str) -> str:
        return str((await self._instruments.info(symbol)).get("status", ""))

    async def _check_least_notional(self, symbol: str) -> None:
        config = self._config
        info = await self._instruments.info(symbol)
        rows = (row for row in info.get("filters", ()) if row.get("filterType") == "MIN_NOTIONAL")
        least = max((decimal(row.get("notional")) for row in rows), default=Decimal(0))
        if config.max_order_quote and least > config.max_order_quote:
            raise ConfigurationError(
                f"{config.path}: risk.max_order_notional_quote is {config.max_order_quote:,}, but "
                f"{config.host} takes no order of {symbol} below {least:,}."
            )

    def _final(self, failure: Failure) -> ConfigurationError | None:
        """What asking again does not change."""
        config, source = self._config, self._key_source
        if failure.code == -1022:
            return _Said(
                f"{config.host} refuses the signature: the api_secret in {source} is not the api_key's."
            )
        if failure.code == -2014:
            return _Said(
                f"The api_key in {source} has not the form of a key, says {config.host} ({said_of(failure)})."
            )
        if _is_about_keys(failure):
            return _Said(
                f"{config.host} does not accept the API key in {source}: it is of another exchange (keys of "
                "Binance's demo are not valid live, nor the reverse), may not be used from this address, or "
                f"lacks the permission for futures ({said_of(failure)})."
            )
        if failure.code in (-4109, -4088):
            return _Said(f"The futures account cannot be used ({said_of(failure)}).")
        if failure.status == 451:
            return _Said(
                f"{config.host} serves nobody at the place this machine connects from ({said_of(failure)})."
            )
        if failure.status == 404:
            return _Said(
                f"{config.path}: gateway.rest_url: {config.host} does not answer as Binance futures do "
                f"({said_of(failure)})."
            )
        return None


def _is_about_keys(failure: Failure) -> bool:
    return failure.status == 401 or failure.code in (-2014, -2015)


def said_of(failure: Failure) -> str:
    """The exchange's refusal in a few words."""
    code = f" {failure.code}" if failure.code else ""
    text = " ".join(failure.message.split())
    return f"HTTP {failure.status}{code}: {text[:160]}"
