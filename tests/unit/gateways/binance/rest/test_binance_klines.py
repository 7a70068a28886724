"""The exchange's bars end where the next begins, by the stream as by request."""

import asyncio
from typing import Any, cast

from gateways.binance.protocol.frames import decode
from gateways.binance.rest.client import RestClient
from gateways.binance.rest.klines import fetch_klines, kline_of
from gateways.wire.messages import Kline

MINUTE_MS = 60_000
OPEN_MS = 1_700_000_040_000
BODY = (
    b'{"t":%d,"T":%d,"s":"BTCUSDT","i":"1m","f":1,"L":9,"o":"1","c":"4","h":"5","l":"0.5","v":"6","n":9,'
    b'"x":true,"q":"7","V":"0","Q":"0","B":"0"}'
)


def streamed() -> Kline:
    body = BODY % (OPEN_MS, OPEN_MS + MINUTE_MS - 1)
    data = b'{"e":"kline","E":%d,"s":"BTCUSDT","k":%s}' % (OPEN_MS + MINUTE_MS + 3, body)
    envelope = decode(b'{"stream":"btcusdt@kline_1m","data":%s}' % data)
    assert envelope is not None
    return kline_of(cast("Any", envelope.data))


def fetched(now_ms: int) -> Kline:
    class Rest:
        async def public(self, *_: object) -> list[list[object]]:
            return [[OPEN_MS, "1", "5", "0.5", "4", "6", OPEN_MS + MINUTE_MS - 1, "7", 9, "0", "0", "0"]]

    rest = cast("RestClient", Rest())
    (one,) = asyncio.run(fetch_klines(rest, "BTCUSDT", "1m", 1, 0, now_ms * 1_000_000))
    return one


def test_a_streamed_bar_closes_when_the_next_one_opens() -> None:
    bar = streamed()
    assert (bar.open_time_ns, bar.close_time_ns) == (OPEN_MS * 10**6, (OPEN_MS + MINUTE_MS) * 10**6)
    assert bar.event_time_ns == (OPEN_MS + MINUTE_MS + 3) * 10**6
    assert (bar.open, bar.high, bar.low, bar.close) == (1.0, 5.0, 0.5, 4.0)
    assert (bar.volume_base, bar.volume_quote, bar.trades, bar.is_closed) == (6.0, 7.0, 9, True)


def test_a_bar_is_the_same_whichever_way_it_came() -> None:
    assert fetched(OPEN_MS + MINUTE_MS + 3) == streamed()


def test_a_fetched_bar_is_closed_from_its_end_on_and_not_a_millisecond_before() -> None:
    assert not fetched(OPEN_MS + MINUTE_MS - 1).is_closed
    assert fetched(OPEN_MS + MINUTE_MS).is_closed
