"""backtesting.py's part of `../backtest_notebook.py`, in its own environment; the last line is JSON.

Run: `python backtesting_notebook.py BARS.parquet BARS_TO_USE`.
"""

import json
import sys
import time

import numpy as np
import pandas as pd
from backtesting import Backtest, Strategy


class Breakaway(Strategy):
    """The same rules; the average is computed before the run."""

    average: np.ndarray

    def init(self) -> None:
        """Nothing: the average is a plain array."""

    def next(self) -> None:
        """Out at the average, in beyond the band."""
        close, average = self.data.Close[-1], self.average[len(self.data) - 1]
        held = self.position
        if (held.is_long and close < average) or (held.is_short and close > average):
            held.close()
        elif not held and close > average * 1.01:
            self.buy(size=1, sl=close * 0.95)
        elif not held and close < average * 0.99:
            self.sell(size=1, sl=close * 1.05)


def one(bars: pd.DataFrame, length: int) -> int:
    """A run with its statistics."""
    frame = bars[["open", "high", "low", "close", "volume"]]
    frame.columns = [name.capitalize() for name in frame.columns]
    Breakaway.average = frame["Close"].ewm(span=length, adjust=False).mean().to_numpy()
    result = Backtest(frame, Breakaway, cash=1e9, commission=0.0004).run()
    return int(result["# Trades"])


def main() -> None:
    """Runs after the first, each with another length."""
    bars = pd.read_parquet(sys.argv[1]).iloc[: int(sys.argv[2])]
    bars.index = pd.date_range("2016-01-01", periods=len(bars), freq="h")
    clock, used, trades = [], [], 0
    for run in range(3):
        began, so_far = time.perf_counter(), time.process_time()
        trades = one(bars, 40 + run)
        clock.append(time.perf_counter() - began)
        used.append(time.process_time() - so_far)
    told = {"first": clock[0], "clock": min(clock[1:]), "processor": min(used[1:])}
    print(json.dumps({"milliseconds": {name: 1e3 * value for name, value in told.items()}, "trades": trades}))


if __name__ == "__main__":
    main()
