"""More symbols than one minute's request weight can serve."""

import asyncio
import dataclasses
import random
import time

import pytest
from aiohttp import web

from gateways.binance.gateway import Gateway
from gateways.binance.setup.keys import ApiKeys
from gateways.binance.streams.book_sync import MAX_BUFFERED
from gateways.wire.messages import GatewayStatus, RequestSnapshot, Snapshot, Welcome
from tests.support.binance_stand_in import KEY, SECRET, Json, StandIn, error
from tests.support.gateway_rig import TOKEN, Engine, config_for

SYMBOLS = tuple(f"S{number:03d}USDT" for number in range(150))
SPEED = 60.0
"""An exchange minute is a second here."""
LIMIT = 2400
WEIGHTS = {
    "GET depth": 20,
    "GET commissionRate": 20,
    "GET userTrades": 5,
    "GET allOrders": 5,
    "GET allAlgoOrders": 5,
    "GET symbolConfig": 5,
    "GET accountConfig": 5,
    "GET balance": 5,
    "GET positionRisk": 5,
}


class BusyExchange(StandIn):
    """Counts weight by the minute of its own hurried clock, and answers 429 beyond the limit."""

    def __init__(self) -> None:
        super().__init__()
        self.started_ns, self.began_ms = time.monotonic_ns(), time.time_ns() // 1_000_000
        self.minute = self.used = self.most = self.refused = 0
        self.ids = dict.fromkeys(SYMBOLS, 1000)

    def now_ms(self) -> int:
        return self.began_ms + int((time.monotonic_ns() - self.started_ns) * SPEED) // 1_000_000

    async def _rest(self, request: web.Request) -> web.StreamResponse:
        name = f"{request.method} {request.match_info['path']}"
        weight = WEIGHTS.get(name, 1)
        if name in ("GET openOrders", "GET openAlgoOrders") and "symbol" not in request.query:
            weight = 40
        minute = self.now_ms() // 60_000
        if minute != self.minute:
            self.minute, self.used = minute, 0
        self.used += weight
        self.most = max(self.most, self.used)
        if self.used > LIMIT:
            self.refused += 1
            return error(429, -1003, "Too many requests.", **{"Retry-After": "60"})
        self.weight = self.used
        return await super()._rest(request)

    def _get_time(self, _: dict[str, str]) -> Json:
        return {"serverTime": self.now_ms()}

    def _get_depth(self, query: dict[str, str]) -> Json:
        now = self.now_ms()
        levels = {"bids": [["99", "1"]], "asks": [["101", "1"]]}
        return {"lastUpdateId": self.ids[query["symbol"]], "E": now, "T": now} | levels

    def _get_exchangeInfo(self, query: dict[str, str]) -> Json:  # noqa: N802 - named by the path
        answer = super()._get_exchangeInfo(query)
        (row,) = answer["symbols"]
        return answer | {"symbols": [row | {"symbol": symbol} for symbol in SYMBOLS]}

    def _get_leverageBracket(self, query: dict[str, str]) -> Json:  # noqa: N802 - named by the path
        (row,) = super()._get_leverageBracket(query)
        return [row | {"symbol": symbol} for symbol in SYMBOLS]

    def _get_symbolConfig(self, _: dict[str, str]) -> Json:  # noqa: N802 - named by the path
        return [{"symbol": symbol, "marginType": "CROSSED", "leverage": 20} for symbol in SYMBOLS]

    async def quote(self) -> None:
        """Books and mark prices of everybody move."""
        now = self.now_ms()
        for symbol in SYMBOLS:
            before = self.ids[symbol]
            self.ids[symbol] += 2
            ids = {"U": before + 1, "u": before + 2, "pu": before}
            levels = {"b": [["99", str(1 + before % 5)]], "a": []}
            diff = {"e": "depthUpdate", "E": now, "T": now, "s": symbol} | ids | levels
            await self.send(f"{symbol.lower()}@depth@100ms", diff)
            mark = {"e": "markPriceUpdate", "E": now, "s": symbol, "p": "100", "i": "100", "r": "0", "T": now}
            await self.send(f"{symbol.lower()}@markPrice@1s", mark)


async def keep_quoting(exchange: BusyExchange) -> None:
    while True:
        await exchange.quote()
        await asyncio.sleep(0.2)


async def ask_again_and_again(engine: Engine, since_ns: int) -> None:
    """As an engine does that has no answer yet, only sooner."""
    while True:
        engine.client.send(RequestSnapshot(engine.next_id(), since_ns))
        await asyncio.sleep(0.5)


def test_a_hundred_and_fifty_symbols_come_into_sync_within_the_request_limit(
    capsys: pytest.CaptureFixture[str],
):
    async def scenario() -> None:
        async with BusyExchange() as exchange:
            config = config_for(exchange.url, f"ws://127.0.0.1:{exchange.port}", SYMBOLS)
            gateway = Gateway(
                dataclasses.replace(config, clock_speed=SPEED),
                ApiKeys(KEY, SECRET),
                TOKEN,
                monotonic_ns=lambda: int(time.monotonic_ns() * SPEED),
                wall_ns=time.time_ns,
                random=random.Random(1).random,
            )
            listening: asyncio.Future[int] = asyncio.get_running_loop().create_future()
            tasks = [
                asyncio.ensure_future(gateway.run(listening.set_result)),
                asyncio.ensure_future(keep_quoting(exchange)),
            ]
            await asyncio.wait({listening, tasks[0]}, return_when=asyncio.FIRST_COMPLETED)
            if tasks[0].done():
                tasks[0].result()  # what ended the gateway
            engine = Engine(await listening, symbols=SYMBOLS)
            engine.client.start()
            await engine.wait(Welcome)
            tasks.append(asyncio.ensure_future(ask_again_and_again(engine, exchange.began_ms * 1_000_000)))
            try:
                whole = await engine.wait(Snapshot, lambda one: one.complete, 60)
                await engine.wait(GatewayStatus, lambda one: one.streams["private"] == "up", 60)
                await engine.wait(GatewayStatus, lambda one: len(one.fresh_symbols) == len(SYMBOLS), 60)
            finally:
                for task in tasks:
                    task.cancel()
                await asyncio.gather(*tasks, return_exceptions=True)
                await engine.client.close()
            assert len(whole.instruments) == len(whole.positions) == len(SYMBOLS)
            assert exchange.refused == 0
            assert LIMIT // 2 < exchange.most <= LIMIT * 7 // 10
            assert gateway.market.resyncs == 0
            assert MAX_BUFFERED <= 500

    asyncio.run(scenario())
    said = capsys.readouterr().out
    assert said.count("150 symbols: within the request limit all are in sync after about 6 min") == 1
    assert "no book snapshot" not in said
    assert "snapshot is incomplete" not in said
