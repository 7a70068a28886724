"""Market data endpoints other than klines: depth, trades, tickers, premium index, funding."""

from collections.abc import Callable
from typing import Any, Final
from zlib import crc32

from gateways.simulator.api.rest.endpoint import Call, requested_feed, row_limit
from gateways.simulator.api.venue.venue import Venue
from gateways.simulator.exchange.model.errors import ApiError, refusal, unavailable
from gateways.simulator.market_data import payloads
from gateways.simulator.market_data.history.funding import settlements
from gateways.simulator.market_data.history.rows import DAY_MS, HOUR_MS
from gateways.simulator.market_data.public_book import ASK, BID
from gateways.simulator.market_data.symbol_feed import SymbolFeed
from gateways.simulator.market_data.tape import PublicTrade

_DEPTH_LIMITS: Final = (5, 10, 20, 50, 100, 500, 1000)
_TWO_DAYS_MS: Final = 2 * DAY_MS
_OPEN_INTEREST_LOTS: Final = 80_000_000
Row = dict[str, Any]
Json = Row | list[Any]


def depth(venue: Venue, call: Call) -> Json:
    """GET depth."""
    feed = requested_feed(venue, call)
    limit = call.params.integer("limit") or 500
    if limit not in _DEPTH_LIMITS:
        raise ApiError(-4021, f"{limit} is not valid depth limit")
    last_id, bids, asks = feed.depth.snapshot(limit)
    return {
        "lastUpdateId": last_id,
        "E": call.now_ms,
        "T": feed.changed_ms or call.now_ms,
        "bids": feed.numbers.levels(bids),
        "asks": feed.numbers.levels(asks),
    }


def trades(venue: Venue, call: Call) -> Json:
    """GET trades: the newest, ascending."""
    feed = requested_feed(venue, call)
    limit = row_limit(call.params, 500, 1000)
    return [_trade_row(feed, trade) for trade in list(feed.tape.trades)[-limit:]]


def historical_trades(venue: Venue, call: Call) -> Json:
    """GET historicalTrades: from an id on."""
    from_id = call.params.integer("fromId")
    if from_id is None:
        return trades(venue, call)
    feed = requested_feed(venue, call)
    limit = row_limit(call.params, 500, 1000)
    rows = [trade for trade in feed.tape.trades if trade.trade_id >= from_id][:limit]
    return [_trade_row(feed, trade) for trade in rows]


def agg_trades(venue: Venue, call: Call) -> Json:
    """GET aggTrades by id or time."""
    feed = requested_feed(venue, call)
    limit = row_limit(call.params, 500, 1000)
    from_id = call.params.integer("fromId")
    start_ms, end_ms = call.params.integer("startTime"), call.params.integer("endTime")
    if start_ms is not None and end_ms is not None:
        if start_ms > end_ms:
            raise refusal(-1023)
        if end_ms - start_ms > HOUR_MS:
            raise refusal(-1127)
    rows = [trade for trade in feed.tape.aggregates if trade.time_ms >= call.now_ms - _TWO_DAYS_MS]
    if from_id is not None:
        rows = [trade for trade in rows if trade.agg_id >= from_id][:limit]
    elif start_ms is not None:
        rows = [m for m in rows if m.time_ms >= start_ms and (end_ms is None or m.time_ms <= end_ms)]
        rows = rows[:limit]
    else:
        rows = [m for m in rows if end_ms is None or m.time_ms <= end_ms][-limit:]
    kept = ("a", "p", "q", "nq", "f", "l", "T", "m")
    frames = [payloads.agg_trade(feed.symbol, feed.numbers, trade, call.now_ms) for trade in rows]
    return [{key: frame[key] for key in kept} for frame in frames]


def day_ticker(venue: Venue, call: Call) -> Json:
    """GET ticker/24hr."""
    return _one_or_all(venue, call, lambda feed: _day_ticker(feed, call.now_ms))


def price_ticker(venue: Venue, call: Call) -> Json:
    """GET ticker/price, v1 and v2."""

    def row(feed: SymbolFeed) -> Row:
        price = feed.numbers.price(feed.bars.last_ticks)
        return {"symbol": feed.symbol, "price": price, "time": feed.traded_ms or call.now_ms}

    return _one_or_all(venue, call, row)


def book_ticker(venue: Venue, call: Call) -> Json:
    """GET ticker/bookTicker."""

    def row(feed: SymbolFeed) -> Row:
        book, numbers = feed.depth.book, feed.numbers
        (bid, bid_lots), (ask, ask_lots) = book.best(BID), book.best(ASK)
        return {
            "symbol": feed.symbol,
            "bidPrice": numbers.price(bid),
            "bidQty": numbers.size(bid_lots),
            "askPrice": numbers.price(ask),
            "askQty": numbers.size(ask_lots),
            "time": feed.changed_ms or call.now_ms,
            "lastUpdateId": feed.depth.last_id,
        }

    return _one_or_all(venue, call, row)


def premium_index(venue: Venue, call: Call) -> Json:
    """GET premiumIndex."""

    def row(feed: SymbolFeed) -> Row:
        frame = venue.data.mark_frame(feed.symbol, call.now_ms)
        return {
            "symbol": feed.symbol,
            "markPrice": frame["p"],
            "indexPrice": frame["i"],
            "estimatedSettlePrice": frame["P"],
            "lastFundingRate": frame["r"],
            "interestRate": "0.00010000",
            "nextFundingTime": frame["T"],
            "time": call.now_ms,
        }

    return _one_or_all(venue, call, row)


def funding_rate(venue: Venue, call: Call) -> Json:
    """GET fundingRate, ascending."""
    limit = row_limit(call.params, 100, 1000)
    start_ms, end_ms = call.params.integer("startTime"), call.params.integer("endTime")
    if start_ms is not None and end_ms is not None and start_ms > end_ms:
        raise refusal(-1023)
    until = call.now_ms if end_ms is None else min(end_ms, call.now_ms)
    symbols = [requested_feed(venue, call).symbol] if call.params.has("symbol") else venue.data.symbols
    rows: list[Row] = []
    for symbol in symbols:
        feed = venue.data.feed(symbol)
        if feed is None:
            continue
        settled = venue.data.exchange.state.market(symbol).funding_history
        seed = None if feed.history is None else crc32(symbol.encode())
        found = settlements(seed, feed.genesis[0], settled, start_ms, until, limit)
        for time_ms, rate, mark in found:
            rows.append(
                {
                    "symbol": symbol,
                    "fundingTime": time_ms,
                    "fundingRate": rate,
                    "markPrice": mark or _price_at(feed, time_ms),
                    "rateType": "Regular",
                }
            )
    rows.sort(key=lambda row: row["fundingTime"])
    return rows[:limit] if start_ms is not None else rows[-limit:]


def funding_info(_venue: Venue, _call: Call) -> Json:
    """GET fundingInfo: every symbol has the default cap, floor and interval."""
    return []


def open_interest(venue: Venue, call: Call) -> Json:
    """GET openInterest: a plausible constant, as nothing in the simulator depends on it."""
    feed = requested_feed(venue, call)
    return {
        "openInterest": feed.numbers.size(_OPEN_INTEREST_LOTS),
        "symbol": feed.symbol,
        "time": call.now_ms,
    }


def _one_or_all(venue: Venue, call: Call, build: Callable[[SymbolFeed], Row]) -> Json:
    if call.params.has("symbol"):
        return build(requested_feed(venue, call))
    feeds = [feed for symbol in venue.data.symbols if (feed := venue.data.feed(symbol)) is not None]
    if feeds and not any(feed.ready for feed in feeds):
        raise unavailable(f"{feeds[0].symbol}: {feeds[0].not_ready_reason}")
    return [build(feed) for feed in feeds if feed.ready]


def _trade_row(feed: SymbolFeed, trade: PublicTrade) -> Row:
    return {
        "id": trade.trade_id,
        "price": feed.numbers.price(trade.ticks),
        "qty": feed.numbers.size(trade.lots),
        "quoteQty": feed.numbers.quote(trade.ticks * trade.lots),
        "time": trade.time_ms,
        "isBuyerMaker": trade.buyer_is_maker,
        "isRPITrade": False,
    }


def _day_ticker(feed: SymbolFeed, now_ms: int) -> Row:
    day = feed.day(now_ms)
    return {
        "symbol": feed.symbol,
        **{key: day[key] for key in ("priceChange", "priceChangePercent", "weightedAvgPrice", "lastPrice")},
        "lastQty": feed.last_size(),
        **{key: day[key] for key in ("openPrice", "highPrice", "lowPrice", "volume", "quoteVolume")},
        "openTime": now_ms - DAY_MS,
        "closeTime": now_ms,
        **{key: day[key] for key in ("firstId", "lastId", "count")},
    }


def _price_at(feed: SymbolFeed, time_ms: int) -> str:
    rows = feed.bars.rows("1h", None, time_ms, 1)
    ticks = int(rows[0, 1]) if len(rows) else feed.bars.last_ticks
    return f"{feed.numbers.price_at(ticks):.8f}"
