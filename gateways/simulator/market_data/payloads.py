"""Frames of the public streams as JSON objects."""

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
from gateways.simulator.market_data.number_format import Printer
from gateways.simulator.market_data.tape import AggTrade, PublicTrade

Payload = dict[str, Any]
Top = tuple[tuple[int, int], tuple[int, int]]


def book_ticker(symbol: str, printer: Printer, update_id: int, top: Top, now_ms: int) -> Payload:
    """`bookTicker`: best bid and ask."""
    (bid, bid_lots), (ask, ask_lots) = top
    return {
        "e": "bookTicker",
        "u": update_id,
        "s": symbol,
        "ps": symbol,
        "b": printer.price(bid),
        "B": printer.size(bid_lots),
        "a": printer.price(ask),
        "A": printer.size(ask_lots),
        "T": now_ms,
        "E": now_ms,
        "st": 1,
    }


def depth_update(symbol: str, printer: Printer, diff: DepthDiff, now_ms: int, changed_ms: int) -> Payload:
    """`depthUpdate`: absolute sizes of changed levels, or the top levels of a partial stream."""
    return {
        "e": "depthUpdate",
        "E": now_ms,
        "T": changed_ms,
        "s": symbol,
        "U": diff.first_id,
        "u": diff.last_id,
        "pu": diff.previous_id,
        "b": printer.levels(diff.bids),
        "a": printer.levels(diff.asks),
        "ps": symbol,
        "st": 1,
    }


def trade(symbol: str, printer: Printer, made: PublicTrade) -> Payload:
    """`trade`."""
    return {
        "e": "trade",
        "E": made.time_ms,
        "T": made.time_ms,
        "s": symbol,
        "t": made.trade_id,
        "p": printer.price(made.ticks),
        "q": printer.size(made.lots),
        "X": "MARKET",
        "m": made.buyer_is_maker,
    }


def agg_trade(symbol: str, printer: Printer, made: AggTrade, now_ms: int) -> Payload:
    """`aggTrade`."""
    size = printer.size(made.lots)
    return {
        "e": "aggTrade",
        "E": now_ms,
        "s": symbol,
        "a": made.agg_id,
        "p": printer.price(made.ticks),
        "q": size,
        "nq": size,
        "f": made.first_id,
        "l": made.last_id,
        "T": made.time_ms,
        "m": made.buyer_is_maker,
        "st": 1,
    }


def kline(
    symbol: str, printer: Printer, interval: str, row: list[int], now_ms: int, *, closed: bool
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
            "o": printer.price(row[OPEN]),
            "c": printer.price(row[CLOSE]),
            "h": printer.price(row[HIGH]),
            "l": printer.price(row[LOW]),
            "v": printer.size(row[VOLUME]),
            "n": row[COUNT],
            "x": closed,
            "q": printer.quote(row[QUOTE]),
            "V": printer.size(row[TAKER_VOLUME]),
            "Q": printer.quote(row[TAKER_QUOTE]),
            "B": "0",
        },
    }


def continuous_kline(
    symbol: str, printer: Printer, interval: str, row: list[int], now_ms: int, *, closed: bool
) -> Payload:
    """`continuous_kline` of the perpetual contract."""
    payload = kline(symbol, printer, interval, row, now_ms, closed=closed)
    body = payload["k"]
    del body["s"]
    return {"e": "continuous_kline", "E": now_ms, "ps": symbol, "ct": "PERPETUAL", "k": body}


def kline_row(printer: Printer, interval: str, row: list[int]) -> list[Any]:
    """A row of GET klines."""
    return [
        row[OPEN_TIME],
        printer.price(row[OPEN]),
        printer.price(row[HIGH]),
        printer.price(row[LOW]),
        printer.price(row[CLOSE]),
        printer.size(row[VOLUME]),
        next_open_time(interval, row[OPEN_TIME]) - 1,
        printer.quote(row[QUOTE]),
        row[COUNT],
        printer.size(row[TAKER_VOLUME]),
        printer.quote(row[TAKER_QUOTE]),
        "0",
    ]


def day_numbers(printer: Printer, row: list[int]) -> Payload:
    """The rolling 24 h window as GET ticker/24hr names it; `row` aggregates the window."""
    change = row[CLOSE] - row[OPEN]
    percent = 100.0 * change / row[OPEN] if row[OPEN] else 0.0
    return {
        "priceChange": printer.price(change),
        "priceChangePercent": f"{percent:.3f}",
        "weightedAvgPrice": printer.average(row[QUOTE], row[VOLUME]),
        "lastPrice": printer.price(row[CLOSE]),
        "openPrice": printer.price(row[OPEN]),
        "highPrice": printer.price(row[HIGH]),
        "lowPrice": printer.price(row[LOW]),
        "volume": printer.size(row[VOLUME]),
        "quoteVolume": printer.quote(row[QUOTE]),
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
