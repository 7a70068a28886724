"""The exchange's own bars: each close told once, also one that fell into a gap of the stream.

The frame that closes a bar comes once. When the connection is away at that moment the stream goes on with
the next bar, and whoever decides on closed bars would wait for the next close, an hour away perhaps. So a
bar that was seen running and is followed by a later one is fetched.
"""

import asyncio
from collections.abc import Awaitable, Callable, Coroutine
from dataclasses import dataclass
from typing import Any

import structlog

from gateways.binance.errors import RestBlocked, RestError
from gateways.binance.frames import KlineFrame
from gateways.wire.messages import Kline

MS = 1_000_000
PATIENCE_SECONDS = 0.5
"""The closing frame may still come, by the other connection of a rotation."""
TRIES = 5
MOST_BARS = 1_000

_log = structlog.get_logger("gateway.klines")


@dataclass(slots=True)
class _Series:
    """Open times in ms, -1 before the first. The gap in front of `checked` has been looked into."""

    closed: int = -1
    running: int = -1
    checked: int = -1


class KlineFeed:
    """`fetch` gets symbol, interval and number of the newest bars wanted, the running one included."""

    def __init__(
        self,
        *,
        publish: Callable[[Kline], None],
        fetch: Callable[[str, str, int], Awaitable[tuple[Kline, ...]]],
        spawn: Callable[[Coroutine[Any, Any, None]], None],
    ) -> None:
        self._publish = publish
        self._fetch = fetch
        self._spawn = spawn
        self._series: dict[tuple[str, str], _Series] = {}

    def on_frame(self, frame: KlineFrame) -> None:
        """Pass it on unless it is older than what was told; look for a close that was missed."""
        k = frame.k
        series = self._series.setdefault((frame.s, k.i), _Series())
        if k.t <= series.closed:
            return
        length_ms = k.T + 1 - k.t
        ended_unseen = series.closed < series.running < k.t
        if ended_unseen or 0 <= series.closed < k.t - length_ms:
            self._look_back(frame.s, k.i, series, k.t, length_ms)
        series.running = max(series.running, k.t)
        if k.x:
            series.closed = k.t
        self._publish(_kline(frame))

    def _look_back(self, symbol: str, interval: str, series: _Series, open_ms: int, length_ms: int) -> None:
        if open_ms <= series.checked:
            return
        series.checked = open_ms
        after = series.closed if series.closed >= 0 else series.running - 1
        bars = min((open_ms - after) // length_ms + 2, MOST_BARS)
        self._spawn(self._fill(symbol, interval, series, after, open_ms, bars))

    async def _fill(
        self, symbol: str, interval: str, series: _Series, after: int, before: int, bars: int
    ) -> None:
        """Fetch until the bar in front of `before` is there."""
        for attempt in range(TRIES):
            await asyncio.sleep(PATIENCE_SECONDS * 2**attempt)
            try:
                klines = await self._fetch(symbol, interval, min(bars + attempt, MOST_BARS))
            except (RestError, RestBlocked) as error:
                _log.warning("no missing bars", symbol=symbol, interval=interval, reason=str(error))
                continue
            missing = [one for one in klines if one.is_closed and after < one.open_time_ns // MS < before]
            if missing and missing[-1].close_time_ns // MS >= before:
                self._tell(series, after, missing)
                return

    def _tell(self, series: _Series, after: int, missing: list[Kline]) -> None:
        """In order; one that the stream has told meanwhile not again."""
        told = series.closed if series.closed > after else -1
        for kline in missing:
            open_ms = kline.open_time_ns // MS
            if open_ms != told:
                _log.warning("a bar closed unseen", symbol=kline.symbol, interval=kline.interval)
                series.closed = max(series.closed, open_ms)
                self._publish(kline)


def _kline(frame: KlineFrame) -> Kline:
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
