"""Rules of symbols that the exchange changes, or takes off its list, while we run."""

import asyncio
from typing import Any

import pytest

from gateways.binance.account import instruments
from gateways.binance.account.instruments import Instruments
from gateways.binance.protocol.classify import Failure
from gateways.binance.protocol.errors import RestError
from gateways.binance.rest.request_budget import RequestBudget

SYMBOLS = ("AUSDT", "BUSDT", "CUSDT")


class Rest:
    """An exchange with three symbols."""

    def __init__(self) -> None:
        self.ticks = dict.fromkeys(SYMBOLS, "0.1")
        self.failing = ""

    async def public(self, _path: str, _params: dict[str, Any], _weight: int) -> dict[str, Any]:
        return {"symbols": [self._info(symbol, tick) for symbol, tick in self.ticks.items()]}

    @staticmethod
    def _info(symbol: str, tick: str) -> dict[str, Any]:
        filters = [
            {"filterType": "PRICE_FILTER", "minPrice": "1", "maxPrice": "9", "tickSize": tick},
            {"filterType": "LOT_SIZE", "minQty": "1", "maxQty": "9", "stepSize": "1"},
        ]
        return {"symbol": symbol, "quoteAsset": "USDT", "status": "TRADING", "filters": filters}

    async def row(self, _path: str, params: dict[str, Any], _weight: int, **_: object) -> dict[str, Any]:
        if params["symbol"] == self.failing:
            raise RestError(Failure("transient", 0, "no answer"))
        return {"symbol": params["symbol"], "makerCommissionRate": "0", "takerCommissionRate": "0"}

    async def signed(self, path: str, params: dict[str, Any], _weight: int, **_: object) -> list[Any]:
        steps = [{"notionalFloor": 0, "notionalCap": 9, "initialLeverage": 20, "maintMarginRatio": 0.1}]
        more = {"brackets": steps} if path == "leverageBracket" else {"leverage": 20}
        return [{"symbol": params["symbol"], **more}]


async def all_known(rest: Rest) -> Instruments:
    made = Instruments(rest, RequestBudget(lambda: 0), lambda: SYMBOLS)  # type: ignore[arg-type]  # what it asks for
    await made.get_all(SYMBOLS)
    return made


@pytest.fixture(autouse=True)
def at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(instruments, "RULES_PAUSE_SECONDS", -1.0)


def test_a_symbol_taken_off_the_list_keeps_no_other_from_its_new_rules(capsys: pytest.CaptureFixture[str]):
    async def run() -> None:
        rest = Rest()
        made = await all_known(rest)
        del rest.ticks["AUSDT"]
        rest.ticks["CUSDT"] = "0.5"
        assert [one.symbol for one in await made.changed()] == ["CUSDT"]
        assert made.known("AUSDT") is not None

    asyncio.run(run())
    assert "the exchange has no symbol AUSDT" in capsys.readouterr().out


def test_what_was_read_before_a_failure_is_told():
    async def run() -> None:
        rest = Rest()
        made = await all_known(rest)
        rest.ticks["AUSDT"] = rest.ticks["CUSDT"] = "0.5"
        rest.failing = "BUSDT"
        assert [one.symbol for one in await made.changed()] == ["AUSDT"]
        rest.failing = ""
        assert [one.symbol for one in await made.changed()] == ["CUSDT"]

    asyncio.run(run())
