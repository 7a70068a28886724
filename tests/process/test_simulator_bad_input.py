"""Whatever a client sends, the simulator answers with a code of the exchange and lives on."""

import asyncio
import contextlib
import json
import random
from pathlib import Path

import pytest
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed

from gateways.simulator.api.rest.dispatch import ENDPOINTS
from gateways.simulator.api.ws_api import METHODS
from tests.process.simulator_process import KEY, simulator

GOOD = {
    "symbol": "BTCUSDT",
    "pair": "BTCUSDT",
    "side": "BUY",
    "type": "LIMIT",
    "timeInForce": "GTC",
    "quantity": "0.01",
    "price": "64000",
    "algoType": "CONDITIONAL",
    "triggerPrice": "60000",
    "interval": "1m",
    "contractType": "PERPETUAL",
    "leverage": "5",
    "marginType": "ISOLATED",
    "amount": "5",
    "countdownTime": "1000",
    "dualSidePosition": "true",
    "limit": "5",
}
NAMES = (
    *GOOD,
    *("positionSide", "reduceOnly", "newClientOrderId", "priceMatch", "selfTradePreventionMode"),
    *("goodTillDate", "newOrderRespType", "orderId", "origClientOrderId", "orderIdList", "batchOrders"),
    *("workingType", "closePosition", "priceProtect", "activatePrice", "callbackRate", "clientAlgoId"),
    *("algoId", "incomeType", "startTime", "endTime", "fromId", "listenKey", "modifyId", "multiAssetsMargin"),
)
STRANGE = (
    *("", "0", "-1", "1.5", "1e9", "1e30", "99999999999999999999", "NaN", "Infinity", "1" * 40, "0.001"),
    *("abc", "NOPE", "btcusdt", "\x00", "é", "币安", "%00", "true", "False", "BOTH", "LONG", "MARKET", "GTD"),
    *("STOP_MARKET", "TRAILING_STOP_MARKET", "FOK", "GTX", "OPPONENT", "QUEUE_20", "MARK_PRICE", "RESULT"),
    *("[]", "[1]", "[null]", "[[1]]", '["a"]', "{}", '[{"a":1}]', "1795165801052", "64000.05", "60000", "1M"),
    '[{"symbol":"BTCUSDT","side":"BUY","type":"MARKET","quantity":"0.01"}]',
)
REQUESTS = 1000


def parameters(random_numbers: random.Random, required: tuple[str, ...]) -> dict[str, str]:
    chosen = dict.fromkeys((*required, *random_numbers.sample(NAMES, random_numbers.randint(0, 6))))
    return {
        name: GOOD[name] if name in GOOD and random_numbers.random() < 0.6 else random_numbers.choice(STRANGE)
        for name in chosen
    }


@pytest.mark.parametrize("seed", [1, 2])
def test_every_endpoint_survives_strange_parameters(seed: int, tmp_path: Path):
    random_numbers = random.Random(seed)
    endpoints = list(ENDPOINTS.items())
    statuses = set()
    with simulator(tmp_path, "--no-limits") as sim:
        for _ in range(REQUESTS):
            (method, path), endpoint = random_numbers.choice(endpoints)
            sent = parameters(random_numbers, endpoint.required)
            reply = sim.signed(method, path, **sent)
            statuses.add(reply.status)
            assert reply.status in {200, 400}, f"{method} {path} {sent}: {reply.status}"
            assert reply.status == 200 or set(reply.json) == {"code", "msg"}
        assert sim.signed("GET", "/fapi/v3/account").status == 200
    assert statuses == {200, 400}


def test_sockets_survive_strange_messages(tmp_path: Path):
    random_numbers = random.Random(3)
    messages: list[str | bytes] = [
        "",
        "{",
        "[]",
        "null",
        "5",
        '"text"',
        b"\x00\xff",
        '{"id":{}}',
        '{"method":7}',
    ]
    for method in (*METHODS, "session.logon", "session.status", "nothing"):
        params = parameters(random_numbers, ("symbol",)) | {"apiKey": KEY, "returnRateLimits": {"a": 1}}
        messages.append(json.dumps({"id": [1], "method": method, "params": params}))
        messages.append(json.dumps({"id": 1, "method": method, "params": [1]}))
    messages.append("x" * 2_000_000)

    async def drain(socket: ClientConnection) -> None:
        with contextlib.suppress(ConnectionClosed):
            while True:
                await socket.recv()

    async def talk(url: str) -> None:
        async with connect(url) as socket:
            reading = asyncio.create_task(drain(socket))
            with contextlib.suppress(ConnectionClosed):
                for message in messages:
                    await socket.send(message)
            await reading
            assert socket.close_code == 1009  # the last message was too big

    with simulator(tmp_path, "--no-limits") as sim:
        sim.control("POST", "sockets", messages_per_s=10_000)
        for path in ("/ws", "/stream", "/private/ws/x", "/ws-fapi/v1"):
            asyncio.run(asyncio.wait_for(talk(sim.ws + path), 20))
        assert sim.public("/fapi/v1/ping") == {}
