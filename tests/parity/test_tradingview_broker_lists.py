"""Four TradingView lists of general scripts, trade for trade and in every column."""

import csv
import gzip
import os
from collections import deque
from collections.abc import Callable
from datetime import datetime
from math import nan
from pathlib import Path

import numpy as np
import pytest

from engine.backtest.emulator.script_runner import run_script
from engine.backtest.parity.comparison import Comparison, compare
from engine.backtest.parity.tv_export import read_trade_list
from engine.model.bars import Bar, Bars
from engine.model.broker_settings import BrokerSettings, Costs, Market, Sizing
from engine.strategies.base import Broker, ScriptStrategy

ROOT = Path(__file__).resolve().parents[2]
FOLDER = ROOT / os.environ.get("SHARED", "../shared") / "pine_reference" / "broker"
HOUR_NS = 3_600_000_000_000
TOLERANCE = 1e-10
EURUSD = Market(tick=1e-5, qty_step=0.1)

pytestmark = pytest.mark.skipif(not FOLDER.is_dir(), reason=f"no TradingView lists in {FOLDER}")


class BarUpDown(ScriptStrategy):
    """A bar that opens above the last close and rises, and its mirror image."""

    name = "barupdn"

    def __init__(self) -> None:
        self._close = nan

    def on_bar(self, bar: Bar, broker: Broker) -> None:
        before, self._close = self._close, bar.close
        if bar.close - bar.open > TOLERANCE and bar.open - before > TOLERANCE:
            broker.entry("BarUp", "long")
        if bar.open - bar.close > TOLERANCE and before - bar.open > TOLERANCE:
            broker.entry("BarDn", "short")


class ChannelBreakout(ScriptStrategy):
    """Stops on both sides of the last five bars."""

    name = "channelbreakout"

    def __init__(self) -> None:
        self._highs: deque[float] = deque(maxlen=5)
        self._lows: deque[float] = deque(maxlen=5)
        self._bar = -1

    def on_bar(self, bar: Bar, broker: Broker) -> None:
        self._bar += 1
        self._highs.append(bar.high)
        self._lows.append(bar.low)
        is_full = len(self._lows) == 5
        if self._bar >= 5:
            broker.entry("ChBrkLE", "long", stop=max(self._highs) + EURUSD.tick)
        broker.entry("ChBrkSE", "short", stop=min(self._lows) - EURUSD.tick if is_full else nan)


class SlippageLimit(ScriptStrategy):
    """Limit entries on a crossing of averages, a stop issued anew on each bar."""

    name = "slippage_limit"

    def __init__(self) -> None:
        self._closes: deque[float] = deque(maxlen=20)
        self._above: float = nan

    def on_bar(self, bar: Bar, broker: Broker) -> None:
        closes = self._closes
        closes.append(bar.close)
        if len(closes) == 20:
            before, self._above = self._above, sum(list(closes)[10:]) / 10 - sum(closes) / 20
            if before <= 0 < self._above:
                limit = bar.close * (1 - 0.5 / 100)
                broker.entry("Long Limit", "long", limit=limit, comment=f"Limit Long @ {_short(limit)}")
            if before >= 0 > self._above:
                limit = bar.close * (1 + 0.5 / 100)
                broker.entry("Short Limit", "short", limit=limit, comment=f"Limit Short @ {_short(limit)}")
        price = broker.position_avg_price
        if broker.position_size > 0:
            broker.exit("Long Stop", "Long Limit", stop=price * (1 - 1 / 100), comment="Stop Exit")
        if broker.position_size < 0:
            broker.exit("Short Stop", "Short Limit", stop=price * (1 + 1 / 100), comment="Stop Exit")


class SlippagePyramiding(ScriptStrategy):
    """Three entries, one close of everything."""

    name = "slippage_pyramiding"

    def __init__(self) -> None:
        self._bar = -1

    def on_bar(self, bar: Bar, broker: Broker) -> None:
        self._bar += 1
        if self._bar in (20, 25, 30):
            number = (self._bar - 15) // 5
            broker.entry(f"Long {number}", "long", comment=f"Entry #{number}")
        if self._bar == 40:
            broker.close_all(comment="Close All Positions")


def _short(price: float) -> str:
    return f"{price:.2f}".rstrip("0").rstrip(".")


def _bars(name: str) -> Bars:
    with gzip.open(FOLDER / f"{name}_ohlcv.csv.gz", "rt", encoding="utf-8-sig") as f:
        rows = list(csv.DictReader(f))
    times = [round(datetime.fromisoformat(row["time"]).timestamp()) * 1_000_000_000 for row in rows]
    prices = [np.array([float(row[key]) for row in rows]) for key in ("open", "high", "low", "close")]
    return Bars("EURUSD", HOUR_NS, np.array(times, dtype=np.int64), *prices, np.zeros(len(rows)))


def _run(strategy: ScriptStrategy, bars: str, reference: str, settings: BrokerSettings) -> Comparison:
    result = run_script(strategy, _bars(bars), settings)
    listed = [trade for trade in read_trade_list(FOLDER / reference, 0.0) if not trade.is_open]
    return compare(
        listed,
        list(result.trades),
        commission_percent=settings.costs.taker_percent,
        initial_capital=settings.initial_capital,
        end_ns=max(trade.entry_time_ns for trade in listed),
    )


BIG = BrokerSettings(initial_capital=1_000_000.0, market=EURUSD)
CASES: dict[str, Callable[[], Comparison]] = {
    "barupdn": lambda: _run(
        BarUpDown(),
        "eurusd_1h",
        "barupdn_trades.csv.gz",
        BrokerSettings(initial_capital=1_000_000.0, market=EURUSD, sizing=Sizing("percent_of_equity", 10.0)),
    ),
    "channelbreakout": lambda: _run(ChannelBreakout(), "eurusd_1h", "channelbreakout_trades.csv", BIG),
    "slippage_limit": lambda: _run(
        SlippageLimit(),
        "slippage_limit",
        "slippage_limit_trades.csv",
        BrokerSettings(
            initial_capital=10_000.0, market=EURUSD, costs=Costs(taker_percent=0.1, slippage_ticks=20)
        ),
    ),
    "slippage_pyramiding": lambda: _run(
        SlippagePyramiding(),
        "slippage_pyramiding",
        "slippage_pyramiding_trades.csv",
        BrokerSettings(
            initial_capital=10_000.0,
            market=EURUSD,
            sizing=Sizing("percent_of_equity", 10.0),
            pyramiding=3,
            costs=Costs(taker_percent=0.1, slippage_ticks=5),
        ),
    ),
}
TRADES = {"barupdn": 5549, "channelbreakout": 2945, "slippage_limit": 280, "slippage_pyramiding": 3}


@pytest.mark.parametrize("name", CASES)
def test_every_trade_and_every_column_of_the_list(name: str) -> None:
    comparison = CASES[name]()
    assert comparison.matched == comparison.reference_trades == comparison.generated_trades == TRADES[name]
    assert comparison.rounding_cells == 0
