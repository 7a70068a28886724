"""The event-driven engine of `backtest.py` on a Python strategy that crosses two averages; last line JSON.

Run: `python benchmarks/backtest_event.py BARS.parquet BARS_TO_USE`.
"""

import json
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import numpy as np

from engine.backtest.data.loaders import cut, read_bars
from engine.backtest.emulator.script_runner import run_script
from engine.indicators.averages import Ema
from engine.model.bars import Bar
from engine.model.broker_settings import BrokerSettings, Costs, Market, Sizing
from engine.strategies.base import Broker, ScriptStrategy, StrategyParams


class Cross(ScriptStrategy):
    """Long while the fast average is above the slow one, else short; both are computed before the run."""

    name = "benchmark_cross"
    Params = StrategyParams

    def __init__(self, above: list[bool]) -> None:
        self._above = above
        self._bar = 0

    def on_bar(self, bar: Bar, broker: Broker) -> None:  # noqa: ARG002  # what the engine hands over
        """Reverse where the averages cross."""
        above = self._above[self._bar]
        if above != self._above[self._bar - 1] and self._bar:
            broker.entry("Long" if above else "Short", "long" if above else "short")
        self._bar += 1


def main() -> None:
    """Bars a second of the run by itself, best of three."""
    bars = read_bars(Path(sys.argv[1]), "CROSS")
    bars = cut(bars, None, int(bars.open_time_ns[int(sys.argv[2])]))
    above = np.asarray(Ema(10).run(bars.close) > Ema(30).run(bars.close)).tolist()
    settings = BrokerSettings(
        initial_capital=1e9,
        sizing=Sizing("fixed", 1.0),
        costs=Costs(taker_percent=0.04),
        market=Market(tick=0.1, qty_step=0.001),
    )
    best, trades = float("inf"), 0
    for _ in range(3):
        began = time.process_time()
        result = run_script(Cross(above), bars, settings)
        best, trades = min(best, time.process_time() - began), len(result.trades)
    print(json.dumps({"bars_a_second": len(bars) / best, "trades": trades}))


if __name__ == "__main__":
    main()
