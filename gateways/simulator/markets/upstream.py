"""REST client of a live market: snapshots and klines of another server with Binance's API."""

import asyncio
from collections.abc import Mapping
from typing import Any, Final
from urllib.parse import urlsplit

import aiohttp
import msgspec
import numpy as np

from gateways.simulator.exchange.model.symbols import SymbolSpec
from gateways.simulator.market_data.history.rows import MINUTE_MS, OPEN_TIME, Rows, Unit, empty_rows
from gateways.simulator.market_data.number_format import NumberFormat
from gateways.simulator.markets.frames import checked_snapshot

PAGE: Final = 1500
FIRST_PAGES: Final[Mapping[Unit, int]] = {"1m": 1, "1h": 1, "1d": 1}
PAGES: Final[Mapping[Unit, int]] = {"1m": 30, "1h": 12, "1d": 3}
"""Pages of klines fetched of each interval: 1500 bars of every interval up to 12 h, and all days."""
_PAUSE_S: Final = 0.5
"""Pause between pages: uses half of the request weight that Binance allows."""
_BINANCE_STREAMS: Final = {
    "fapi.binance.com": "wss://fstream.binance.com",
    "demo-fapi.binance.com": "wss://demo-fstream.binance.com",
    "testnet.binancefuture.com": "wss://demo-fstream.binance.com",
}


def streams_url(url: str) -> str:
    """Return the WebSocket address for a REST address: Binance has separate hosts, others one."""
    parts = urlsplit(url)
    known = _BINANCE_STREAMS.get(parts.hostname or "")
    if known is not None:
        return known
    return f"{'wss' if parts.scheme == 'https' else 'ws'}://{parts.netloc}"


class FetchedHistory:
    """Fetched bars from before the market's start; `is_complete` once no older ones will be added."""

    def __init__(self, rows: Mapping[Unit, Rows], *, is_complete: bool, pages: Mapping[Unit, int]) -> None:
        self._rows = rows
        self._is_whole = is_complete
        self._from_ms = {
            unit: 0 if len(found) < pages[unit] * PAGE else int(found[0, OPEN_TIME])
            for unit, found in rows.items()
        }

    @property
    def is_complete(self) -> bool:
        """Whether no older bars will be added."""
        return self._is_whole

    def oldest_ms(self, unit: Unit) -> int:
        """Return the open time of the oldest bar; 0 if the source had fewer than requested."""
        return self._from_ms[unit]

    def minutes(self, start_ms: int, end_ms: int) -> Rows:
        """Minutes that open in [start_ms, end_ms)."""
        return _cut(self._rows["1m"], start_ms, end_ms)

    def hours(self, start_ms: int, end_ms: int) -> Rows:
        """Hours that open in [start_ms, end_ms)."""
        return _cut(self._rows["1h"], start_ms, end_ms)

    def days(self, start_ms: int, end_ms: int) -> Rows:
        """Days that open in [start_ms, end_ms)."""
        return _cut(self._rows["1d"], start_ms, end_ms)


class _Listed(msgspec.Struct):
    symbol: str
    status: str = "no status"


class _Listing(msgspec.Struct):
    symbols: list[_Listed]


class Upstream:
    """Requests to the source. Raises `aiohttp.ClientError` or TimeoutError."""

    def __init__(self, url: str, session: aiohttp.ClientSession) -> None:
        self._url = url.rstrip("/")
        self._session = session

    async def _get(self, path: str, params: dict[str, str]) -> bytes:
        async with self._session.get(f"{self._url}/fapi/v1/{path}", params=params) as response:
            response.raise_for_status()
            return await response.read()

    async def states(self) -> dict[str, str]:
        """Return the status of every listed symbol: TRADING, or why not."""
        listing = msgspec.json.decode(await self._get("exchangeInfo", {}), type=_Listing)
        return {one.symbol: one.status for one in listing.symbols}

    async def snapshot(self, symbol: str) -> dict[str, Any]:
        """Depth snapshot of 1000 levels per side."""
        text = await self._get("depth", {"symbol": symbol, "limit": "1000"})
        return checked_snapshot(text)

    async def history(
        self, spec: SymbolSpec, pages: Mapping[Unit, int], *, is_complete: bool
    ) -> FetchedHistory:
        """Fetch this many pages of each unit, including the open bars."""
        rows = {unit: await self.klines(spec, unit, count) for unit, count in pages.items()}
        return FetchedHistory(rows, is_complete=is_complete, pages=pages)

    async def minutes_since(self, spec: SymbolSpec, start_ms: int) -> Rows:
        """Fetch minutes from `start_ms` on, including the open one."""
        rows: Rows = empty_rows()
        while True:
            params = {"symbol": spec.symbol, "interval": "1m", "limit": str(PAGE), "startTime": str(start_ms)}
            text = await self._get("klines", params)
            found = kline_rows(NumberFormat(spec), msgspec.json.decode(text, type=list[list[Any]]))
            rows = np.concatenate((rows, found))
            if len(found) < PAGE:
                return rows
            start_ms = int(found[-1, OPEN_TIME]) + MINUTE_MS
            await asyncio.sleep(_PAUSE_S)

    async def klines(self, spec: SymbolSpec, interval: str, pages: int) -> Rows:
        """Fetch the newest klines, ascending, including the open one; fewer if the history is shorter."""
        rows: Rows = empty_rows()
        for page in range(pages):
            params = {"symbol": spec.symbol, "interval": interval, "limit": str(PAGE)}
            if len(rows):
                params["endTime"] = str(int(rows[0, OPEN_TIME]) - 1)
            text = await self._get("klines", params)
            found = kline_rows(NumberFormat(spec), msgspec.json.decode(text, type=list[list[Any]]))
            rows = np.concatenate((found, rows))
            if len(found) < PAGE or int(found[0, OPEN_TIME]) <= 0:
                break
            if page + 1 < pages:
                await asyncio.sleep(_PAUSE_S)
        return rows


def kline_rows(numbers: NumberFormat, rows: list[list[Any]]) -> Rows:
    """Convert rows of GET klines to ticks and lots."""
    out = empty_rows(len(rows))
    for line, row in zip(out, rows, strict=True):
        line[OPEN_TIME] = row[0]
        line[1:5] = [numbers.ticks_of(price) for price in row[1:5]]
        line[5], line[6], line[7] = numbers.lots_of(row[5]), numbers.quote_of(row[7]), row[8]
        line[8], line[9] = numbers.lots_of(row[9]), numbers.quote_of(row[10])
    return out


def _cut(rows: Rows, start_ms: int, end_ms: int) -> Rows:
    times = rows[:, OPEN_TIME]
    first = int(np.searchsorted(times, start_ms))
    return rows[first : max(first, int(np.searchsorted(times, end_ms)))]
