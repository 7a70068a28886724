"""What the core does with market data: ticks and bars."""

from engine.core.bar_delivery import BarDelivery, Work
from engine.core.parts import Parts
from engine.market_data.klines import bar_of
from engine.model.audit import Ready
from engine.model.timeframes import timeframe_ns
from gateways.wire import messages as wire


class MarketEvents:
    """Handlers of market data. One that closes bars returns the work they lead to."""

    def __init__(self, engine: Parts, delivery: BarDelivery) -> None:
        self._engine = engine
        self._delivery = delivery
        self._clock = engine.clock
        self._markets = engine.markets
        self._bars = engine.bars

    def on_book(self, tick: wire.OrderBookTick) -> Work | None:
        """A tick: the newest price of its symbol, and a point of its mid-price candle."""
        market = self._markets[tick.symbol]
        bids, asks = tick.bids, tick.asks
        if not bids or not asks:
            return None
        clock, received_ns = self._clock, tick.receive_time_ns
        if received_ns > clock.now_ns:  # noqa: PLR1730  # a call of max() costs more than the branch
            clock.now_ns = received_ns
        market.bid = bid = bids[0][0]
        market.ask = ask = asks[0][0]
        if not market.receive_time_ns:
            self._engine.out.notify(Ready(clock.now_ns, tick.symbol, bid, ask))
        market.receive_time_ns = received_ns
        market.ticks += 1
        add_mid = market.add_mid  # called as an attribute it would cost a twentieth of a tick more
        if add_mid is not None:
            bars = add_mid(tick.transaction_time_ns, (bid + ask) * 0.5)
            if bars:
                return self._delivery.deliver(bars, received_ns)
        return None

    def on_trade(self, tick: wire.TradeTick) -> Work | None:
        """A public trade: a point of its trade candle."""
        self._clock.advance(tick.receive_time_ns)
        market = self._markets[tick.symbol]
        if tick.symbol in self._bars.silent:
            self._bars.heard_trade(tick.symbol)
        if market.add_trade is not None:
            bars = market.add_trade(tick.transaction_time_ns, tick.price, tick.qty_base)
            if bars:
                return self._delivery.deliver(bars, tick.receive_time_ns)
        return None

    def on_kline(self, kline: wire.Kline) -> Work | None:
        """A bar of the exchange's own making."""
        length_ns = timeframe_ns(kline.interval)
        self._bars.heard(kline, length_ns)
        return self._delivery.deliver([bar_of(kline, length_ns)]) if kline.is_closed else None

    def on_klines(self, reply: wire.KlinesReply) -> Work:
        """History: bars that had not come by the stream, or what a strategy warms up with."""
        fetched = self._bars.on_klines(reply)
        if fetched is None:
            return self._delivery.carry_out(self._engine.strategies.on_klines(reply))
        return self._delivery.hand_out(fetched)
