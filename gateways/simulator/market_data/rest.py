"""Answers to market data requests in Binance's shapes."""

from collections.abc import Callable
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final
from zlib import crc32

from gateways.simulator.api.requests.params import Params
from gateways.simulator.exchange.model.errors import (
    ApiError,
    invalid_parameter,
    missing_parameter,
    not_there,
    refusal,
)
from gateways.simulator.market_data import payloads
from gateways.simulator.market_data.history.bars import HistoryMissingError
from gateways.simulator.market_data.history.funding import settlements
from gateways.simulator.market_data.history.rows import (
    COUNT,
    DAY_MS,
    FIRST_ID,
    HOUR_MS,
    INTERVAL_MS,
    OPEN_TIME,
    VOLUME,
    next_open_time,
)
from gateways.simulator.market_data.public_book import ASK, BID
from gateways.simulator.market_data.symbol_feed import SymbolFeed
from gateways.simulator.market_data.tape import PublicTrade

if TYPE_CHECKING:
    from gateways.simulator.market_data.market_data import MarketData

_DEPTH_LIMITS: Final = (5, 10, 20, 50, 100, 500, 1000)
Row = dict[str, Any]
Json = Row | list[Any]
_TWO_DAYS_MS: Final = 2 * DAY_MS


class MarketRest:
    """One method for each endpoint; `answer` finds it by name."""

    def __init__(self, data: "MarketData") -> None:
        self._data = data
        self._answers: dict[str, Callable[[Params, int], Json]] = {
            "depth": self.depth,
            "klines": self.klines,
            "continuousKlines": self.continuous_klines,
            "markPriceKlines": self.mark_klines,
            "indexPriceKlines": self.index_klines,
            "premiumIndexKlines": self.premium_klines,
            "trades": self.trades,
            "historicalTrades": self.historical_trades,
            "aggTrades": self.agg_trades,
            "ticker/24hr": self.day_ticker,
            "ticker/price": self.price_ticker,
            "v2/ticker/price": self.price_ticker,
            "ticker/bookTicker": self.book_ticker,
            "premiumIndex": self.premium_index,
            "fundingRate": self.funding_rate,
            "fundingInfo": self.funding_info,
            "openInterest": self.open_interest,
        }

    def answer(self, name: str, params: Params, now_ms: int) -> Json:
        """Answer the endpoint `name`."""
        found = self._answers.get(name)
        if found is None:
            raise ApiError(-5000, f"Path /fapi/v1/{name}, Method GET is invalid", 404)
        return found(params, now_ms)

    def _feed(self, params: Params, name: str = "symbol") -> SymbolFeed:
        symbol = params.upper(name)
        if symbol is None:
            raise missing_parameter(name)
        feed = self._data.feed(symbol)
        if feed is None:
            raise refusal(-1121)
        if not feed.ready:
            raise not_there(f"{symbol}: {feed.why_not}")
        return feed

    def _some(self, params: Params, build: Callable[[SymbolFeed], Row]) -> Json:
        if params.has("symbol"):
            return build(self._feed(params))
        feeds = [feed for symbol in self._data.symbols if (feed := self._data.feed(symbol)) is not None]
        if feeds and not any(feed.ready for feed in feeds):
            raise not_there(f"{feeds[0].symbol}: {feeds[0].why_not}")
        return [build(feed) for feed in feeds if feed.ready]

    def depth(self, params: Params, now_ms: int) -> Json:
        """GET depth."""
        feed = self._feed(params)
        limit = params.integer("limit") or 500
        if limit not in _DEPTH_LIMITS:
            raise ApiError(-4021, f"{limit} is not valid depth limit")
        last_id, bids, asks = feed.depth.snapshot(limit)
        return {
            "lastUpdateId": last_id,
            "E": now_ms,
            "T": feed.changed_ms or now_ms,
            "bids": feed.printer.levels(bids),
            "asks": feed.printer.levels(asks),
        }

    def _kline_rows(self, feed: SymbolFeed, params: Params, now_ms: int) -> tuple[str, list[list[int]]]:
        interval = params.text("interval")
        if interval is None:
            raise missing_parameter("interval")
        if interval not in INTERVAL_MS:
            raise ApiError(-1120, "Invalid interval.")
        limit = _limit(params, 500, 1500)
        start_ms, end_ms = params.integer("startTime"), params.integer("endTime")
        if start_ms is not None and end_ms is not None and start_ms > end_ms:
            raise refusal(-1023)
        feed.advance(now_ms)
        try:
            rows: list[list[int]] = feed.bars.rows(interval, start_ms, end_ms, limit).tolist()
            if rows and not _is_known(feed, interval, rows[-1], now_ms):
                before_ms = rows.pop()[OPEN_TIME] - 1
                if start_ms is None:
                    rows = feed.bars.rows(interval, None, before_ms, limit).tolist()
        except HistoryMissingError as error:
            raise _older_than_held(feed.symbol, interval, error) from error
        return interval, rows

    def klines(self, params: Params, now_ms: int) -> Json:
        """GET klines; the last row is the open bar."""
        return self._klines_of(self._feed(params), params, now_ms)

    def _klines_of(self, feed: SymbolFeed, params: Params, now_ms: int) -> list[Any]:
        interval, rows = self._kline_rows(feed, params, now_ms)
        return [payloads.kline_row(feed.printer, interval, row) for row in rows]

    def continuous_klines(self, params: Params, now_ms: int) -> Json:
        """GET continuousKlines; only the perpetual contract exists."""
        if params.upper("contractType") != "PERPETUAL":
            raise invalid_parameter("contractType")
        return self._klines_of(self._feed(params, "pair"), params, now_ms)

    def _without_volume(self, feed: SymbolFeed, params: Params, now_ms: int) -> list[Any]:
        interval, rows = self._kline_rows(feed, params, now_ms)
        out = []
        for row in rows:
            ticks = row[COUNT]
            row[VOLUME:FIRST_ID] = [0] * (FIRST_ID - VOLUME)
            line = payloads.kline_row(feed.printer, interval, row)
            line[5] = line[7] = line[9] = line[10] = "0"
            line[8] = ticks
            out.append(line)
        return out

    def mark_klines(self, params: Params, now_ms: int) -> Json:
        """GET markPriceKlines: the mark price follows the trades closely, so their bars are given."""
        return self._without_volume(self._feed(params), params, now_ms)

    def index_klines(self, params: Params, now_ms: int) -> Json:
        """GET indexPriceKlines."""
        return self._without_volume(self._feed(params, "pair"), params, now_ms)

    def premium_klines(self, params: Params, now_ms: int) -> Json:
        """GET premiumIndexKlines: no premium is modelled."""
        rows = self._without_volume(self._feed(params), params, now_ms)
        for row in rows:
            row[1:5] = ["0.00000000"] * 4
        return rows

    def trades(self, params: Params, _now_ms: int) -> Json:
        """GET trades: the newest, ascending."""
        feed = self._feed(params)
        limit = _limit(params, 500, 1000)
        return [_trade_row(feed, made) for made in list(feed.tape.trades)[-limit:]]

    def historical_trades(self, params: Params, now_ms: int) -> Json:
        """GET historicalTrades: from an id on."""
        from_id = params.integer("fromId")
        if from_id is None:
            return self.trades(params, now_ms)
        feed = self._feed(params)
        limit = _limit(params, 500, 1000)
        rows = [made for made in feed.tape.trades if made.trade_id >= from_id][:limit]
        return [_trade_row(feed, made) for made in rows]

    def agg_trades(self, params: Params, now_ms: int) -> Json:
        """GET aggTrades by id or time."""
        feed = self._feed(params)
        limit = _limit(params, 500, 1000)
        from_id = params.integer("fromId")
        start_ms, end_ms = params.integer("startTime"), params.integer("endTime")
        if start_ms is not None and end_ms is not None:
            if start_ms > end_ms:
                raise refusal(-1023)
            if end_ms - start_ms > HOUR_MS:
                raise refusal(-1127)
        rows = [made for made in feed.tape.aggregates if made.time_ms >= now_ms - _TWO_DAYS_MS]
        if from_id is not None:
            rows = [made for made in rows if made.agg_id >= from_id][:limit]
        elif start_ms is not None:
            rows = [m for m in rows if m.time_ms >= start_ms and (end_ms is None or m.time_ms <= end_ms)]
            rows = rows[:limit]
        else:
            rows = [m for m in rows if end_ms is None or m.time_ms <= end_ms][-limit:]
        kept = ("a", "p", "q", "nq", "f", "l", "T", "m")
        frames = [payloads.agg_trade(feed.symbol, feed.printer, made, now_ms) for made in rows]
        return [{key: frame[key] for key in kept} for frame in frames]

    def day_ticker(self, params: Params, now_ms: int) -> Json:
        """GET ticker/24hr."""
        return self._some(params, lambda feed: _day_ticker(feed, now_ms))

    def price_ticker(self, params: Params, now_ms: int) -> Json:
        """GET ticker/price, v1 and v2."""

        def row(feed: SymbolFeed) -> Row:
            price = feed.printer.price(feed.bars.last_ticks)
            return {"symbol": feed.symbol, "price": price, "time": feed.traded_ms or now_ms}

        return self._some(params, row)

    def book_ticker(self, params: Params, now_ms: int) -> Json:
        """GET ticker/bookTicker."""

        def row(feed: SymbolFeed) -> Row:
            book, printer = feed.depth.book, feed.printer
            (bid, bid_lots), (ask, ask_lots) = book.best(BID), book.best(ASK)
            return {
                "symbol": feed.symbol,
                "bidPrice": printer.price(bid),
                "bidQty": printer.size(bid_lots),
                "askPrice": printer.price(ask),
                "askQty": printer.size(ask_lots),
                "time": feed.changed_ms or now_ms,
                "lastUpdateId": feed.depth.last_id,
            }

        return self._some(params, row)

    def premium_index(self, params: Params, now_ms: int) -> Json:
        """GET premiumIndex."""

        def row(feed: SymbolFeed) -> Row:
            frame = self._data.mark_frame(feed.symbol, now_ms)
            return {
                "symbol": feed.symbol,
                "markPrice": frame["p"],
                "indexPrice": frame["i"],
                "estimatedSettlePrice": frame["P"],
                "lastFundingRate": frame["r"],
                "interestRate": "0.00010000",
                "nextFundingTime": frame["T"],
                "time": now_ms,
            }

        return self._some(params, row)

    def funding_rate(self, params: Params, now_ms: int) -> Json:
        """GET fundingRate, ascending."""
        limit = _limit(params, 100, 1000)
        start_ms, end_ms = params.integer("startTime"), params.integer("endTime")
        if start_ms is not None and end_ms is not None and start_ms > end_ms:
            raise refusal(-1023)
        until = now_ms if end_ms is None else min(end_ms, now_ms)
        symbols = [self._feed(params).symbol] if params.has("symbol") else self._data.symbols
        rows: list[Row] = []
        for symbol in symbols:
            feed = self._data.feed(symbol)
            if feed is None:
                continue
            settled = self._data.exchange.funding_history(symbol)
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

    def funding_info(self, _params: Params, _now_ms: int) -> Json:
        """GET fundingInfo: every symbol has the default cap, floor and interval."""
        return []

    def open_interest(self, params: Params, now_ms: int) -> Json:
        """GET openInterest: a constant of a plausible size, as nothing in the simulator depends on it."""
        feed = self._feed(params)
        return {
            "openInterest": feed.printer.size(80_000_000),
            "symbol": feed.symbol,
            "time": now_ms,
        }


def _older_than_held(symbol: str, interval: str, error: HistoryMissingError) -> ApiError:
    since = datetime.fromtimestamp(error.from_ms / 1000, UTC).isoformat(timespec="minutes")
    if not error.is_whole:
        return not_there(f"{symbol}: klines from before {since} are still being fetched")
    return ApiError(-1130, f"{symbol}: klines {interval} from before {since} are not held here.")


def _is_known(feed: SymbolFeed, interval: str, row: list[int], now_ms: int) -> bool:
    """Whether a bar is more than a guess.

    One whose last minute is told by a source, has ended by the clock and is open here lacks its last
    trades; a market that stands still has no bar it has not traded in.
    """
    end_ms = next_open_time(interval, row[OPEN_TIME])
    if not row[OPEN_TIME] <= feed.bars.open_row[OPEN_TIME] < end_ms:
        return True
    return bool(row[COUNT]) or not feed.stands if feed.own_bars else end_ms > now_ms


def _limit(params: Params, default: int, most: int) -> int:
    limit = params.integer("limit")
    if limit is None:
        return default
    if limit <= 0 or limit > most:
        raise invalid_parameter("limit")
    return limit


def _trade_row(feed: SymbolFeed, made: PublicTrade) -> Row:
    return {
        "id": made.trade_id,
        "price": feed.printer.price(made.ticks),
        "qty": feed.printer.size(made.lots),
        "quoteQty": feed.printer.quote(made.ticks * made.lots),
        "time": made.time_ms,
        "isBuyerMaker": made.buyer_is_maker,
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
    return f"{feed.printer.price_at(ticks):.8f}"
