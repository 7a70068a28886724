"""What a start refuses, and what it must not: a healthy account, or an exchange that had a bad moment."""

import asyncio
from collections.abc import Callable
from copy import copy
from dataclasses import replace
from decimal import Decimal
from typing import Any

import pytest

from gateways.binance.account import start_check
from gateways.binance.account.start_check import StartCheck
from gateways.binance.protocol.classify import Failure
from gateways.binance.protocol.errors import ConfigurationError, RestError
from gateways.binance.rest.clock import ExchangeClock
from tests.support.binance_stand_in import SYMBOL
from tests.support.gateway_rig import config_for

SECOND_NS = 1_000_000_000
BAD_KEY = Failure("refused", -2015, "Invalid API-key, IP, or permissions for action", status=401)
NOT_FOUND = Failure("not_found", -2011, "Unknown order sent.", status=400)


class World:
    """Account, instruments and clock of an exchange on which all is well until a test says otherwise."""

    def __init__(self) -> None:
        self.status = "TRADING"
        self.brackets: dict[str, Any] = {
            "brackets": [{"notionalFloor": 0, "notionalCap": 50_000, "initialLeverage": 20}]
        }
        self.row: dict[str, Any] = {"marginType": "CROSSED", "leverage": 20}
        self.mode_failures: list[Failure] = []
        self.trade_failures: list[Failure | None] = []
        self.looks = 0
        self.offset_ns = 0
        self.half_way_ns = 0

    async def modes(self) -> tuple[bool, bool]:
        self.looks += 1
        if self.mode_failures:
            raise RestError(self.mode_failures.pop(0))
        return False, False

    async def info(self, _symbol: str) -> dict[str, Any]:
        price = {"filterType": "PRICE_FILTER", "tickSize": "0.10", "minPrice": "500", "maxPrice": "80000"}
        return {"status": self.status, "marginAsset": "USDT", "quoteAsset": "USDT", "filters": [price]}

    async def mark_price(self, _symbol: str) -> Decimal:
        return Decimal(50_000)

    async def margin_rows(self, _symbol: str) -> tuple[dict[str, Any], dict[str, Any]]:
        return self.brackets, self.row

    async def may_trade(self, _symbol: str) -> Failure | None:
        return self.trade_failures.pop(0) if self.trade_failures else NOT_FOUND

    def check(self, **changes: object) -> None:
        clock = ExchangeClock(lambda: 0, lambda: 0)
        server_ms = (self.offset_ns + self.half_way_ns) // 1_000_000
        clock.add(0, 2 * self.half_way_ns, server_ms)
        config = replace(config_for("https://fapi.binance.com", "wss://x"), simulated=False, **changes)  # type: ignore[arg-type]  # fields of the configuration
        made = StartCheck(config, self, self, clock, self.may_trade, "the key file")  # type: ignore[arg-type]  # what it asks for
        asyncio.run(made.run())


@pytest.fixture(autouse=True)
def quickly(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(start_check, "SURE_SECONDS", 0.0)


def changed(**values: object) -> Callable[[World], None]:
    def change(world: World) -> None:
        # Copies: the lists are used up.
        vars(world).update({name: copy(value) for name, value in values.items()})

    return change


@pytest.mark.parametrize(
    "change",
    [
        changed(),
        changed(status="PENDING_TRADING", brackets={}, row={}),
        changed(status="BREAK"),
        changed(mode_failures=[BAD_KEY]),
        changed(trade_failures=[BAD_KEY]),
        changed(trade_failures=[None]),
        changed(trade_failures=[Failure("refused", -4087, "reduce-only account", status=400)]),
        changed(offset_ns=4 * SECOND_NS),
        changed(offset_ns=8 * SECOND_NS, half_way_ns=4 * SECOND_NS),
    ],
    ids=[
        "nothing",
        "a symbol that is traded soon",
        "a halted symbol",
        "a key refused once",
        "trading refused once",
        "a cancel that worked",
        "an account that may only reduce",
        "a clock that drifts",
        "a slow first answer about the time",
    ],
)
def test_is_no_reason_to_refuse_a_start(change: Callable[[World], None]) -> None:
    world = World()
    change(world)
    world.check()


def test_a_position_limit_above_the_exchanges_is_said_and_no_reason_to_refuse(
    capsys: pytest.CaptureFixture[str],
) -> None:
    """The exchange may have lowered its brackets while a position was open: a restart must go on with it."""
    World().check(max_position_quote=Decimal(60_000))
    assert "risk.max_position_notional_quote is 60,000" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (changed(status="SETTLING"), "it is SETTLING"),
        (changed(mode_failures=[BAD_KEY] * 2), "does not accept the API key"),
        (changed(trade_failures=[BAD_KEY] * 2), "may read at fapi.binance.com but not trade"),
        (changed(offset_ns=8 * SECOND_NS, half_way_ns=SECOND_NS), "behind the exchange's"),
        (changed(row={"marginType": "ISOLATED", "leverage": 20}), "isolated margin"),
    ],
)
def test_refuses_a_start(change: Callable[[World], None], words: str) -> None:
    world = World()
    change(world)
    with pytest.raises(ConfigurationError, match=words):
        world.check()


def test_a_traded_symbol_without_brackets_is_asked_about_again() -> None:
    world = World()
    world.brackets = {}
    with pytest.raises(RestError, match=f"the answers on {SYMBOL}"):
        world.check()


@pytest.mark.parametrize(
    ("percent", "said"),
    [
        ("99.1", "protective_stop_percent 99.1 of BTCUSDT: a long's stop would be at 450.0"),
        ("60.1", "protective_stop_percent 60.1 of BTCUSDT: a short's stop would be at 80,050"),
    ],
)
def test_refuses_a_stop_that_the_exchange_would_never_take(percent: str, said: str) -> None:
    with pytest.raises(ConfigurationError) as refused:
        World().check(protective_stops=((SYMBOL, Decimal(percent)),))
    assert said in str(refused.value)
    assert "takes prices from 500 to 80000 only" in str(refused.value).replace("80,000", "80000")


def test_a_stop_at_the_edge_of_the_allowed_prices_is_no_reason_to_refuse() -> None:
    World().check(protective_stops=((SYMBOL, Decimal(60)), ("ETHUSDT", Decimal(99))))
