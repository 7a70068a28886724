"""REST side of a live market: snapshots and klines of another Binance-shaped server."""

import asyncio
from typing import Any, Final
from urllib.parse import urlsplit

import aiohttp
import msgspec
import numpy as np

from gateways.simulator.market_data.money import Printer
from gateways.simulator.market_data.rows import OPEN_TIME, Rows, empty_rows
from gateways.simulator.symbols import SymbolSpec

PAGE: Final = 1500
PAGES: Final = {"1m": 30, "1h": 12, "1d": 3}
"""Pages of klines fetched of each interval: 1500 bars of every interval up to half a day, and all days."""
_PAUSE_S: Final = 0.25
_BINANCE_STREAMS: Final = {
    "fapi.binance.com": "wss://fstream.binance.com",
    "demo-fapi.binance.com": "wss://demo-fstream.binance.com",
    "testnet.binancefuture.com": "wss://demo-fstream.binance.com",
}


def streams_url(url: str) -> str:
    """WebSocket address that belongs to a REST address: Binance's own hosts differ, others share one."""
    parts = urlsplit(url)
    known = _BINANCE_STREAMS.get(parts.hostname or "")
    if known is not None:
        return known
    return f"{'wss' if parts.scheme == 'https' else 'ws'}://{parts.netloc}"


class _Listed(msgspec.Struct):
    symbol: str
    status: str = "no status"


class _Listing(msgspec.Struct):
    symbols: list[_Listed]


class Upstream:
    """Requests to the server the market comes from. Raises `aiohttp.ClientError` or TimeoutError."""

    def __init__(self, url: str, session: aiohttp.ClientSession) -> None:
        self._url = url.rstrip("/")
        self._session = session

    async def _get(self, path: str, params: dict[str, str]) -> bytes:
        async with self._session.get(f"{self._url}/fapi/v1/{path}", params=params) as response:
            response.raise_for_status()
            return await response.read()

    async def states(self) -> dict[str, str]:
        """The status of every symbol that the server lists: TRADING, or why not."""
        listing = msgspec.json.decode(await self._get("exchangeInfo", {}), type=_Listing)
        return {one.symbol: one.status for one in listing.symbols}

    async def snapshot(self, symbol: str) -> dict[str, Any]:
        """Depth snapshot of 1000 levels a side."""
        text = await self._get("depth", {"symbol": symbol, "limit": "1000"})
        return msgspec.json.decode(text, type=dict[str, Any])

    async def klines(self, spec: SymbolSpec, interval: str, pages: int) -> Rows:
        """The newest klines, the open one included, ascending; fewer where the history is shorter."""
        rows: Rows = empty_rows()
        for page in range(pages):
            params = {"symbol": spec.symbol, "interval": interval, "limit": str(PAGE)}
            if len(rows):
                params["endTime"] = str(int(rows[0, OPEN_TIME]) - 1)
            text = await self._get("klines", params)
            found = kline_rows(Printer(spec), msgspec.json.decode(text, type=list[list[Any]]))
            rows = np.concatenate((found, rows))
            if len(found) < PAGE or int(found[0, OPEN_TIME]) <= 0:
                break
            if page + 1 < pages:
                await asyncio.sleep(_PAUSE_S)
        return rows


def kline_rows(printer: Printer, rows: list[list[Any]]) -> Rows:
    """Rows of GET klines on the symbol's grid."""
    out = empty_rows(len(rows))
    for line, row in zip(out, rows, strict=True):
        line[OPEN_TIME] = row[0]
        line[1:5] = [printer.ticks_of(price) for price in row[1:5]]
        line[5], line[6], line[7] = printer.lots_of(row[5]), printer.quote_of(row[7]), row[8]
        line[8], line[9] = printer.lots_of(row[9]), printer.quote_of(row[10])
    return out


class FetchedHistory:
    """Bars from before the market began, as they were fetched."""

    def __init__(self, minutes: Rows, hours: Rows, days: Rows) -> None:
        self._minutes, self._hours, self._days = minutes, hours, days

    def minutes(self, start_ms: int, end_ms: int) -> Rows:
        """Minutes that open in [start_ms, end_ms)."""
        return _cut(self._minutes, start_ms, end_ms)

    def hours(self, start_ms: int, end_ms: int) -> Rows:
        """Hours that open in [start_ms, end_ms)."""
        return _cut(self._hours, start_ms, end_ms)

    def days(self, start_ms: int, end_ms: int) -> Rows:
        """Days that open in [start_ms, end_ms)."""
        return _cut(self._days, start_ms, end_ms)


def _cut(rows: Rows, start_ms: int, end_ms: int) -> Rows:
    times = rows[:, OPEN_TIME]
    first = int(np.searchsorted(times, start_ms))
    return rows[first : max(first, int(np.searchsorted(times, end_ms)))]
