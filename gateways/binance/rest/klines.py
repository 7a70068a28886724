"""The exchange's own bars: past ones by request, the current one from its stream."""

from collections.abc import Sequence
from typing import Any

from gateways.binance.protocol.classify import Failure
from gateways.binance.protocol.errors import RestError
from gateways.binance.protocol.frames import KlineFrame
from gateways.binance.protocol.translate import MS
from gateways.binance.rest.client import RestClient
from gateways.wire.messages import Kline

PAGE = 1500
MAX_BARS = 15_000
_NO_BARS = Failure("transient", 0, "GET klines: the answer is not a list of bars")


async def fetch_klines(
    rest: RestClient, symbol: str, interval: str, limit: int, end_time_ns: int, now_ns: int
) -> tuple[Kline, ...]:
    """The newest `limit` bars that open before `end_time_ns` (0: now), ascending. RestError, RestBlocked."""
    rows: dict[int, Sequence[Any]] = {}
    end_ms = end_time_ns // MS - 1 if end_time_ns else 0
    wanted = min(limit, MAX_BARS)
    while len(rows) < wanted:
        size = min(wanted - len(rows), PAGE)
        params: dict[str, Any] = {"symbol": symbol, "interval": interval, "limit": size}
        if end_ms:
            params["endTime"] = end_ms
        page = await rest.public("klines", params, _weight(size))
        if not isinstance(page, list) or not all(isinstance(row, list) and len(row) > 8 for row in page):
            raise RestError(_NO_BARS)
        if not all(isinstance(row[0], int) for row in page):
            raise RestError(_NO_BARS)
        fresh = {row[0]: row for row in page if row[0] not in rows}
        rows |= fresh
        if not fresh or len(page) < size:
            break
        end_ms = min(rows) - 1
    try:
        return tuple(_kline(symbol, interval, rows[time], now_ns) for time in sorted(rows)[-wanted:])
    except (TypeError, ValueError):
        raise RestError(_NO_BARS) from None


def kline_of(frame: KlineFrame) -> Kline:
    """A frame of the stream; the exchange's `T` is the last millisecond of the bar."""
    k = frame.k
    return Kline(
        symbol=frame.s,
        interval=k.i,
        open_time_ns=k.t * MS,
        close_time_ns=(k.T + 1) * MS,
        open=k.o,
        high=k.h,
        low=k.l,
        close=k.c,
        volume_base=k.v,
        volume_quote=k.q,
        trades=k.n,
        is_closed=k.x,
        event_time_ns=frame.E * MS,
    )


def _weight(limit: int) -> int:
    return 1 if limit < 100 else 2 if limit < 500 else 5 if limit <= 1000 else 10


def _kline(symbol: str, interval: str, row: Sequence[Any], now_ns: int) -> Kline:
    close_time_ns = (int(row[6]) + 1) * MS
    return Kline(
        symbol=symbol,
        interval=interval,
        open_time_ns=int(row[0]) * MS,
        close_time_ns=close_time_ns,
        open=float(row[1]),
        high=float(row[2]),
        low=float(row[3]),
        close=float(row[4]),
        volume_base=float(row[5]),
        volume_quote=float(row[7]),
        trades=int(row[8]),
        is_closed=close_time_ns <= now_ns,
        event_time_ns=now_ns,
    )
