# mypy: ignore-errors
# ruff: noqa: ANN001, ANN201  # NautilusTrader is not there when this is checked
"""NautilusTrader's part of `tick_throughput.py`: the same mid prices, candles, crossings and orders.

Run in its own environment (`nautilus.txt`): `python nautilus_ema.py TICKS`; the last line is the result.
"""

import json
import sys
import time
from decimal import Decimal
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from nautilus_trader.backtest.engine import BacktestEngine, BacktestEngineConfig
from nautilus_trader.config import LoggingConfig, StrategyConfig
from nautilus_trader.indicators import ExponentialMovingAverage
from nautilus_trader.model.currencies import USDT
from nautilus_trader.model.data import BarType, QuoteTick
from nautilus_trader.model.enums import AccountType, OmsType, OrderSide
from nautilus_trader.model.identifiers import Venue
from nautilus_trader.model.objects import Money, Price, Quantity
from nautilus_trader.test_kit.providers import TestInstrumentProvider
from nautilus_trader.trading.strategy import Strategy
from prices import STEP_NS, mids

WINDOWS = ((5, 13), (10, 20), (20, 50))
START_NS = 1_700_000_000 * 1_000_000_000


class CrossConfig(StrategyConfig, frozen=True):
    """Windows in bars."""

    bar_type: BarType
    fast: int
    slow: int


class Cross(Strategy):
    """Always in the market after the first crossing; a turn is a close and an entry, as ours."""

    def on_start(self):
        """Two averages over 1-second bars."""
        self.instrument = self.cache.instrument(self.config.bar_type.instrument_id)
        self.quantity = self.instrument.make_qty(Decimal("0.010"))
        self.fast = ExponentialMovingAverage(self.config.fast)
        self.slow = ExponentialMovingAverage(self.config.slow)
        self.register_indicator_for_bars(self.config.bar_type, self.fast)
        self.register_indicator_for_bars(self.config.bar_type, self.slow)
        self.before = 0.0
        self.subscribe_bars(self.config.bar_type)

    def on_bar(self, bar):  # noqa: ARG002  # the peer's signature
        """Compare with the bar before."""
        if not self.indicators_initialized():
            return
        now = self.fast.value - self.slow.value
        before, self.before = self.before, now
        if before <= 0.0 < now:
            self.turn(OrderSide.BUY)
        elif before >= 0.0 > now:
            self.turn(OrderSide.SELL)

    def turn(self, side):
        """Leave, then enter."""
        held = self.cache.positions_open(strategy_id=self.id)
        if any(position.entry == side for position in held):
            return
        for position in held:
            self.close_position(position)
        order = self.order_factory.market(self.instrument.id, side, self.quantity)
        self.submit_order(order)


def quotes(instrument, total):
    """The ticks, as the peer wants them."""
    size = Quantity(1.0, instrument.size_precision)
    made = []
    index = 0
    for chunk in mids(total, 50_000):
        for mid in chunk:
            time_ns = START_NS + index * STEP_NS
            bid = Price(round(mid - 0.05, 1), instrument.price_precision)
            ask = Price(round(mid + 0.05, 1), instrument.price_precision)
            made.append(QuoteTick(instrument.id, bid, ask, size, size, time_ns, time_ns))
            index += 1
    return made


def main():
    """One run."""
    total = int(sys.argv[1])
    engine = BacktestEngine(BacktestEngineConfig(logging=LoggingConfig(bypass_logging=True)))
    instrument = TestInstrumentProvider.btcusdt_perp_binance()
    engine.add_venue(
        venue=Venue("BINANCE"),
        oms_type=OmsType.HEDGING,
        account_type=AccountType.MARGIN,
        base_currency=USDT,
        starting_balances=[Money(1_000_000, USDT)],
    )
    engine.add_instrument(instrument)
    engine.add_data(quotes(instrument, total))
    bar_type = BarType.from_str(f"{instrument.id}-1-SECOND-MID-INTERNAL")
    for index, (fast, slow) in enumerate(WINDOWS):
        config = CrossConfig(strategy_id=f"EMA-{index}", bar_type=bar_type, fast=fast, slow=slow)
        engine.add_strategy(Cross(config))
    begun = time.perf_counter()
    engine.run()
    seconds = time.perf_counter() - begun
    orders = engine.cache.orders()
    result = {
        "ticks_per_second": round(total / seconds),
        "ticks": total,
        "orders": len(orders),
        "fills": sum(order.is_closed and order.filled_qty > 0 for order in orders),
    }
    print(json.dumps(result))


if __name__ == "__main__":
    main()
