"""Kline endpoints: last price, mark price, index price and premium index."""

from datetime import UTC, datetime
from typing import Any

from gateways.simulator.api.rest.endpoint import Call, requested_feed, row_limit
from gateways.simulator.api.venue.venue import Venue
from gateways.simulator.exchange.model.errors import ApiError, invalid_parameter, refusal, unavailable
from gateways.simulator.market_data import payloads
from gateways.simulator.market_data.history.bars import HistoryMissingError
from gateways.simulator.market_data.history.rows import (
    COUNT,
    FIRST_ID,
    INTERVAL_MS,
    OPEN_TIME,
    VOLUME,
    next_open_time,
)
from gateways.simulator.market_data.symbol_feed import SymbolFeed


def klines(venue: Venue, call: Call) -> list[Any]:
    """GET klines; the last row is the open bar."""
    return _klines_of(requested_feed(venue, call), call)


def continuous_klines(venue: Venue, call: Call) -> list[Any]:
    """GET continuousKlines; only the perpetual contract exists."""
    if call.params.upper("contractType") != "PERPETUAL":
        raise invalid_parameter("contractType")
    return _klines_of(requested_feed(venue, call, "pair"), call)


def mark_klines(venue: Venue, call: Call) -> list[Any]:
    """GET markPriceKlines: the bars of the last price, which the mark price follows closely."""
    return _without_volume(requested_feed(venue, call), call)


def index_klines(venue: Venue, call: Call) -> list[Any]:
    """GET indexPriceKlines."""
    return _without_volume(requested_feed(venue, call, "pair"), call)


def premium_klines(venue: Venue, call: Call) -> list[Any]:
    """GET premiumIndexKlines: no premium is modelled."""
    rows = _without_volume(requested_feed(venue, call), call)
    for row in rows:
        row[1:5] = ["0.00000000"] * 4
    return rows


def _klines_of(feed: SymbolFeed, call: Call) -> list[Any]:
    interval, rows = _kline_rows(feed, call)
    return [payloads.kline_row(feed.numbers, interval, row) for row in rows]


def _without_volume(feed: SymbolFeed, call: Call) -> list[Any]:
    interval, rows = _kline_rows(feed, call)
    out = []
    for row in rows:
        ticks = row[COUNT]
        row[VOLUME:FIRST_ID] = [0] * (FIRST_ID - VOLUME)
        line = payloads.kline_row(feed.numbers, interval, row)
        line[5] = line[7] = line[9] = line[10] = "0"
        line[8] = ticks
        out.append(line)
    return out


def _kline_rows(feed: SymbolFeed, call: Call) -> tuple[str, list[list[int]]]:
    interval = call.params.require("interval")
    if interval not in INTERVAL_MS:
        raise ApiError(-1120, "Invalid interval.")
    limit = row_limit(call.params, 500, 1500)
    start_ms, end_ms = call.params.integer("startTime"), call.params.integer("endTime")
    if start_ms is not None and end_ms is not None and start_ms > end_ms:
        raise refusal(-1023)
    feed.advance(call.now_ms)
    try:
        rows: list[list[int]] = feed.bars.rows(interval, start_ms, end_ms, limit).tolist()
        if rows and not _is_known(feed, interval, rows[-1], call.now_ms):
            before_ms = rows.pop()[OPEN_TIME] - 1
            if start_ms is None:
                rows = feed.bars.rows(interval, None, before_ms, limit).tolist()
    except HistoryMissingError as error:
        raise _older_than_held(feed.symbol, interval, error) from error
    return interval, rows


def _is_known(feed: SymbolFeed, interval: str, row: list[int], now_ms: int) -> bool:
    """Whether a bar is complete enough to return.

    A bar from a live source whose last minute has ended by the clock but is still open here lacks its last
    trades. A halted market has no bar without trades.
    """
    end_ms = next_open_time(interval, row[OPEN_TIME])
    if not row[OPEN_TIME] <= feed.bars.open_row[OPEN_TIME] < end_ms:
        return True
    return bool(row[COUNT]) or not feed.is_halted if feed.own_bars else end_ms > now_ms


def _older_than_held(symbol: str, interval: str, error: HistoryMissingError) -> ApiError:
    since = datetime.fromtimestamp(error.from_ms / 1000, UTC).isoformat(timespec="minutes")
    if not error.is_complete:
        return unavailable(f"{symbol}: klines before {since} are still being fetched")
    return ApiError(-1130, f"{symbol}: klines {interval} before {since} are not available here.")
