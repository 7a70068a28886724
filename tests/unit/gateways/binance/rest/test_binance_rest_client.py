"""Reads by name: what is sent, what an answer says, and what is tried once more."""

import asyncio
import gzip
import hashlib
import hmac
import json
import subprocess
import sys
from collections.abc import Awaitable, Callable
from typing import Any, cast

import pytest

from gateways.binance.protocol.answers import MAX_BODY_BYTES, unpacked
from gateways.binance.protocol.classify import Failure
from gateways.binance.protocol.errors import RestError
from gateways.binance.protocol.requests import Requests
from gateways.binance.protocol.signing import Signer
from gateways.binance.rest.client import RestClient
from gateways.binance.rest.http_connection import HttpAnswer, HttpFailed
from gateways.binance.rest.http_pool import HttpPool
from gateways.binance.rest.request_budget import RequestBudget
from gateways.binance.rest.throttle import Throttle
from tests.support.places import ROOT


class Pool:
    """Answers as told, one after the other."""

    def __init__(self, *answers: HttpAnswer | HttpFailed) -> None:
        self.answers = list(answers)
        self.sent: list[bytes] = []

    async def send(self, make: Callable[[], bytes]) -> HttpAnswer:
        self.sent.append(make())
        answer = self.answers.pop(0)
        if isinstance(answer, HttpFailed):
            raise answer
        return answer

    def line(self, number: int = 0) -> str:
        return self.sent[number].split(b"\r\n")[0].decode()


def answer(row: object, status: int = 200, **headers: str) -> HttpAnswer:
    return HttpAnswer(status, headers, json.dumps(row).encode())


def asked(
    pool: Pool, ask: Callable[[RestClient], Awaitable[Any]], hints: list[Failure] | None = None
) -> tuple[object, int]:
    """The answer, and the weight that was used."""

    async def scenario() -> tuple[object, int]:
        budget = RequestBudget(lambda: 0)
        requests = Requests("http://127.0.0.1:80", Signer("the-key", "s"), lambda: 1234, 5000, packed=True)
        rest = RestClient(cast("HttpPool", pool), requests, budget, Throttle(budget), lambda: 0)
        if hints is not None:
            rest.on_hint = hints.append
        return await ask(rest), budget.used_weight

    return asyncio.run(scenario())


def test_a_public_read_carries_neither_key_nor_signature() -> None:
    pool = Pool(answer({"ok": 1}))
    row, weight = asked(pool, lambda rest: rest.public("depth", {"symbol": "币USDT", "limit": 5}, 3))
    assert (row, weight) == ({"ok": 1}, 3)
    assert pool.line() == "GET /fapi/v1/depth?symbol=%E5%B8%81USDT&limit=5 HTTP/1.1"
    assert b"the-key" not in pool.sent[0]
    assert b"Accept-Encoding: gzip" in pool.sent[0]


@pytest.mark.parametrize(("params", "text"), [({"symbol": "BTCUSDT"}, "symbol=BTCUSDT&"), ({}, "")])
def test_a_signed_read_signs_what_it_sends(params: dict[str, Any], text: str) -> None:
    pool = Pool(answer([]))
    asked(pool, lambda rest: rest.rows("balance", params, 5, version=3))
    query = f"{text}recvWindow=5000&timestamp=1234"
    signature = hmac.new(b"s", query.encode(), hashlib.sha256).hexdigest()
    assert pool.line() == f"GET /fapi/v3/balance?{query}&signature={signature} HTTP/1.1"
    assert b"X-MBX-APIKEY: the-key\r\n" in pool.sent[0]


def test_a_listen_key_is_asked_for_with_the_key_alone() -> None:
    pool = Pool(answer({"listenKey": "L"}))
    assert asked(pool, lambda rest: rest.listen_key("POST"))[0] == "L"
    assert pool.line() == "POST /fapi/v1/listenKey HTTP/1.1"
    assert b"X-MBX-APIKEY: the-key\r\n" in pool.sent[0]


def test_a_compressed_answer_is_unpacked() -> None:
    packed = HttpAnswer(200, {"content-encoding": "gzip"}, gzip.compress(b'{"a":1}', mtime=0))
    assert asked(Pool(packed), lambda rest: rest.row("accountConfig"))[0] == {"a": 1}


@pytest.mark.parametrize(
    "body",
    [b"no gzip", gzip.compress(b"12345678", mtime=0)[:-9], gzip.compress(bytes(MAX_BODY_BYTES + 1), mtime=0)],
)
def test_what_cannot_be_unpacked_or_is_too_long_is_no_answer(body: bytes) -> None:
    assert unpacked({"content-encoding": "gzip"}, body) == b""


LOST = HttpFailed("the connection was lost", bytes_left=True, was_kept=True)
FRESH = HttpFailed("the connection was lost", bytes_left=True)


def test_a_read_on_a_connection_that_had_idled_is_sent_once_more() -> None:
    pool = Pool(LOST, answer({"a": 1}))
    assert asked(pool, lambda rest: rest.row("order", {"orderId": 1}, 2)) == ({"a": 1}, 4)
    assert len(pool.sent) == 2


@pytest.mark.parametrize("failures", [(LOST, LOST), (FRESH,)])
def test_a_read_is_not_sent_a_third_time_nor_again_after_a_fresh_connection_failed(
    failures: tuple[HttpFailed, ...],
) -> None:
    pool = Pool(*failures)
    with pytest.raises(RestError, match="GET order: the connection was lost") as caught:
        asked(pool, lambda rest: rest.row("order"))
    assert caught.value.failure.outcome == "transient"
    assert len(pool.sent) == len(failures)


def test_a_setting_is_never_sent_again_and_its_fate_is_unknown() -> None:
    pool = Pool(LOST)
    with pytest.raises(RestError) as caught:
        asked(pool, lambda rest: rest.signed("leverage", {"leverage": 5}, method="POST"))
    assert (caught.value.failure.outcome, len(pool.sent)) == ("unknown", 1)


@pytest.mark.parametrize(
    ("said", "outcome", "hinted"),
    [
        (answer({"code": -1121, "msg": "Invalid symbol."}, 400), "refused", False),
        (answer({"code": -1021, "msg": "late"}, 400), "transient", True),
        (answer({"code": -2015, "msg": "key"}, 401), "refused", True),
        (HttpAnswer(302, {"location": "http://example.com"}, b""), "transient", False),
        (HttpAnswer(200, {}, b"<html>"), "transient", False),
    ],
)
def test_an_answer_that_is_no_row_is_a_failure(said: HttpAnswer, outcome: str, hinted: bool) -> None:
    hints: list[Failure] = []
    pool = Pool(said)
    with pytest.raises(RestError) as caught:
        asked(pool, lambda rest: rest.row("order"), hints)
    assert caught.value.failure.outcome == outcome
    assert (bool(hints), len(pool.sent)) == (hinted, 1)


def test_the_gateway_loads_no_other_client_of_exchanges() -> None:
    code = "import gateways.binance.run_binance, sys; print(sorted({'aiohttp', 'ccxt'} & set(sys.modules)))"
    found = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert found.stdout.strip() == "[]"
