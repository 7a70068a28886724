"""Checks, before anything trades, that exchange and account fit the configuration.

A problem that only a person can solve is told in one sentence and ends the gateway; the supervisor does not
restart it. When the exchange does not answer, the check is repeated.
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
"""A clock that is further off is set wrong; this is no drift."""
ENTRY_OFFSET_NS = 500_000_000
"""The engine opens no positions while our clock is further off."""
GONE = frozenset({"CLOSE", "DELIVERED", "DELIVERING", "SETTLING"})
"""A symbol with any other status may trade again later."""
SURE_SECONDS = 1.0
"""A refusal that would end the run is checked twice: an exchange with problems refuses valid keys too."""

_log = structlog.get_logger("gateway.start")


class _MayPass(ConfigurationError):
    """An error answer, which may be different later."""

    may_pass = True


class StartCheck:
    """`may_trade` sends a harmless request that needs trading rights; None when it was accepted."""

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
        """ConfigurationError for what only a person can solve; RestError or RestBlocked when a request
        failed."""
        try:
            await self._look()
        except _MayPass:
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
            raise _MayPass(
                f"The API key of {self._key_source} may read at {self._config.host} but not trade: "
                f"allow futures for it in Binance's API management ({answer_summary(failure)})."
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
            _log.warning("a symbol is not trading now", symbol=symbol, status=status)
        if margin and margin != quote:
            raise ConfigurationError(
                f"{config.where_symbol(symbol)}: {symbol} is margined in {margin}; only contracts that are "
                f"margined in their quote asset can be traded."
            )

    def _check_clock(self) -> None:
        if self._config.simulated:
            return
        if not self._clock.is_measured:
            raise RestError(Failure("transient", 0, "the exchange's time is not known yet"))
        offset_ns = self._clock.offset_ns
        side = "behind" if offset_ns > 0 else "ahead of"
        sentence = f"This machine's clock is {abs(offset_ns) / 1e9:,.1f} s {side} the exchange's"
        if abs(offset_ns) - self._clock.uncertainty_ns > WORST_OFFSET_NS:
            raise ConfigurationError(
                f"{sentence}: set it (let the system keep time by NTP), then start again."
            )
        if abs(offset_ns) > ENTRY_OFFSET_NS:
            _log.warning(f"{sentence}: no new positions until it is set")

    async def check_modes(self, *, is_running: bool = False) -> None:
        """ConfigurationError for hedge mode, and at start-up for multi-assets mode. A running gateway keeps
        running in multi-assets mode, so that positions can be closed."""
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
        """Each protective stop must have a price the exchange accepts, else every position would be closed at
        once."""
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
        """The sentence for a failure that a repetition would not change; None for other failures."""
        config, source = self._config, self._key_source
        if failure.code == -1022:
            return _MayPass(
                f"{config.host} refuses the signature: the api_secret in {source} does not belong to the "
                "api_key."
            )
        if failure.code == -2014:
            return _MayPass(
                f"The api_key in {source} does not look like an API key to {config.host} "
                f"({answer_summary(failure)})."
            )
        if _is_about_keys(failure):
            return _MayPass(
                f"{config.host} does not accept the API key in {source}: it belongs to another environment "
                "(keys of Binance's demo are not valid live, nor the reverse), may not be used from this "
                f"address, or lacks the permission for futures ({answer_summary(failure)})."
            )
        if failure.code in (-4109, -4088):
            return _MayPass(f"The futures account cannot be used ({answer_summary(failure)}).")
        if failure.status == 451:
            return _MayPass(
                f"{config.host} does not serve the region this machine connects from "
                f"({answer_summary(failure)})."
            )
        if failure.status == 404:
            return _MayPass(
                f"{config.path}: gateway.rest_url: {config.host} does not answer like Binance futures "
                f"({answer_summary(failure)})."
            )
        return None


def _is_about_keys(failure: Failure) -> bool:
    return failure.status == 401 or failure.code in (-2014, -2015)


def answer_summary(failure: Failure) -> str:
    """The exchange's refusal in a few words."""
    code = f" {failure.code}" if failure.code else ""
    text = " ".join(failure.message.split())
    return f"HTTP {failure.status}{code}: {text[:160]}"
