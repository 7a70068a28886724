"""Frames of the public streams as data for JSON."""

from typing import Any

from gateways.simulator.market_data.depth import DepthDiff
from gateways.simulator.market_data.history.rows import (
    CLOSE,
    COUNT,
    FIRST_ID,
    HIGH,
    LAST_ID,
    LOW,
    OPEN,
    OPEN_TIME,
    QUOTE,
    TAKER_QUOTE,
    TAKER_VOLUME,
    VOLUME,
    next_open_time,
)
from gateways.simulator.market_data.number_format import NumberFormat
from gateways.simulator.market_data.tape import AggTrade, PublicTrade

Payload = dict[str, Any]
Top = tuple[tuple[int, int], tuple[int, int]]


def book_ticker(symbol: str, numbers: NumberFormat, update_id: int, top: Top, now_ms: int) -> Payload:
    """`bookTicker`: best bid and ask."""
    (bid, bid_lots), (ask, ask_lots) = top
    return {
        "e": "bookTicker",
        "u": update_id,
        "s": symbol,
        "ps": symbol,
        "b": numbers.price(bid),
        "B": numbers.size(bid_lots),
        "a": numbers.price(ask),
        "A": numbers.size(ask_lots),
        "T": now_ms,
        "E": now_ms,
        "st": 1,
    }


def depth_update(
    symbol: str, numbers: NumberFormat, diff: DepthDiff, now_ms: int, changed_ms: int
) -> Payload:
    """`depthUpdate`: absolute sizes of changed levels, or the top levels of a partial stream."""
    return {
        "e": "depthUpdate",
        "E": now_ms,
        "T": changed_ms,
        "s": symbol,
        "U": diff.first_id,
        "u": diff.last_id,
        "pu": diff.previous_id,
        "b": numbers.levels(diff.bids),
        "a": numbers.levels(diff.asks),
        "ps": symbol,
        "st": 1,
    }


def trade(symbol: str, numbers: NumberFormat, trade: PublicTrade) -> Payload:
    """`trade`."""
    return {
        "e": "trade",
        "E": trade.time_ms,
        "T": trade.time_ms,
        "s": symbol,
        "t": trade.trade_id,
        "p": numbers.price(trade.ticks),
        "q": numbers.size(trade.lots),
        "X": "MARKET",
        "m": trade.buyer_is_maker,
    }


def agg_trade(symbol: str, numbers: NumberFormat, trade: AggTrade, now_ms: int) -> Payload:
    """`aggTrade`."""
    size = numbers.size(trade.lots)
    return {
        "e": "aggTrade",
        "E": now_ms,
        "s": symbol,
        "a": trade.agg_id,
        "p": numbers.price(trade.ticks),
        "q": size,
        "nq": size,
        "f": trade.first_id,
        "l": trade.last_id,
        "T": trade.time_ms,
        "m": trade.buyer_is_maker,
        "st": 1,
    }


def kline(
    symbol: str, numbers: NumberFormat, interval: str, row: list[int], now_ms: int, *, closed: bool
) -> Payload:
    """`kline`, or the body of a continuousKline."""
    return {
        "e": "kline",
        "E": now_ms,
        "s": symbol,
        "k": {
            "t": row[OPEN_TIME],
            "T": next_open_time(interval, row[OPEN_TIME]) - 1,
            "s": symbol,
            "i": interval,
            "f": row[FIRST_ID] if row[COUNT] else -1,
            "L": row[LAST_ID] if row[COUNT] else -1,
            "o": numbers.price(row[OPEN]),
            "c": numbers.price(row[CLOSE]),
            "h": numbers.price(row[HIGH]),
            "l": numbers.price(row[LOW]),
            "v": numbers.size(row[VOLUME]),
            "n": row[COUNT],
            "x": closed,
            "q": numbers.quote(row[QUOTE]),
            "V": numbers.size(row[TAKER_VOLUME]),
            "Q": numbers.quote(row[TAKER_QUOTE]),
            "B": "0",
        },
    }


def continuous_kline(
    symbol: str, numbers: NumberFormat, interval: str, row: list[int], now_ms: int, *, closed: bool
) -> Payload:
    """`continuous_kline` of the perpetual contract."""
    payload = kline(symbol, numbers, interval, row, now_ms, closed=closed)
    body = payload["k"]
    del body["s"]
    return {"e": "continuous_kline", "E": now_ms, "ps": symbol, "ct": "PERPETUAL", "k": body}


def kline_row(numbers: NumberFormat, interval: str, row: list[int]) -> list[Any]:
    """A row of GET klines."""
    return [
        row[OPEN_TIME],
        numbers.price(row[OPEN]),
        numbers.price(row[HIGH]),
        numbers.price(row[LOW]),
        numbers.price(row[CLOSE]),
        numbers.size(row[VOLUME]),
        next_open_time(interval, row[OPEN_TIME]) - 1,
        numbers.quote(row[QUOTE]),
        row[COUNT],
        numbers.size(row[TAKER_VOLUME]),
        numbers.quote(row[TAKER_QUOTE]),
        "0",
    ]


def day_numbers(numbers: NumberFormat, row: list[int]) -> Payload:
    """Statistics of the rolling 24 h window with the names of GET ticker/24hr; `row` is the window."""
    change = row[CLOSE] - row[OPEN]
    percent = 100.0 * change / row[OPEN] if row[OPEN] else 0.0
    return {
        "priceChange": numbers.price(change),
        "priceChangePercent": f"{percent:.3f}",
        "weightedAvgPrice": numbers.average(row[QUOTE], row[VOLUME]),
        "lastPrice": numbers.price(row[CLOSE]),
        "openPrice": numbers.price(row[OPEN]),
        "highPrice": numbers.price(row[HIGH]),
        "lowPrice": numbers.price(row[LOW]),
        "volume": numbers.size(row[VOLUME]),
        "quoteVolume": numbers.quote(row[QUOTE]),
        "firstId": row[FIRST_ID],
        "lastId": row[LAST_ID],
        "count": row[COUNT],
    }


def ticker(symbol: str, day: Payload, last_size: str, times: tuple[int, int], now_ms: int) -> Payload:
    """`24hrTicker`."""
    return {
        "e": "24hrTicker",
        "E": now_ms,
        "s": symbol,
        "ps": symbol,
        "p": day["priceChange"],
        "P": day["priceChangePercent"],
        "w": day["weightedAvgPrice"],
        "c": day["lastPrice"],
        "Q": last_size,
        "o": day["openPrice"],
        "h": day["highPrice"],
        "l": day["lowPrice"],
        "v": day["volume"],
        "q": day["quoteVolume"],
        "O": times[0],
        "C": times[1],
        "F": day["firstId"],
        "L": day["lastId"],
        "n": day["count"],
        "st": 1,
    }


def mini_ticker(symbol: str, day: Payload, now_ms: int) -> Payload:
    """`24hrMiniTicker`."""
    return {
        "e": "24hrMiniTicker",
        "E": now_ms,
        "s": symbol,
        "ps": symbol,
        "c": day["lastPrice"],
        "o": day["openPrice"],
        "h": day["highPrice"],
        "l": day["lowPrice"],
        "v": day["volume"],
        "q": day["quoteVolume"],
        "st": 1,
    }
