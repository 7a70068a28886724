"""vectorbt's part of `../backtest_notebook.py`, in its own environment; the last line is JSON.

Run: `python vectorbt_notebook.py BARS.parquet BARS_TO_USE`.
"""

import json
import sys
import time

import pandas as pd
import vectorbt as vbt


def one(bars: pd.DataFrame, length: int) -> int:
    """A run with its statistics."""
    close = bars["close"]
    average = close.ewm(span=length, adjust=False).mean()
    portfolio = vbt.Portfolio.from_signals(
        close,
        entries=close > average * 1.01,
        exits=close < average,
        short_entries=close < average * 0.99,
        short_exits=close > average,
        sl_stop=0.05,
        size=1.0,
        init_cash=1e9,
        fees=0.0004,
        freq="1h",
    )
    return int(portfolio.stats()["Total Trades"])


def main() -> None:
    """Runs after the first, each with another length."""
    bars = pd.read_parquet(sys.argv[1]).iloc[: int(sys.argv[2])]
    bars.index = pd.date_range("2016-01-01", periods=len(bars), freq="h")
    clock, used, trades = [], [], 0
    for run in range(6):
        began, so_far = time.perf_counter(), time.process_time()
        trades = one(bars, 40 + run)
        clock.append(time.perf_counter() - began)
        used.append(time.process_time() - so_far)
    told = {"first": clock[0], "clock": min(clock[1:]), "processor": min(used[1:])}
    print(json.dumps({"milliseconds": {name: 1e3 * value for name, value in told.items()}, "trades": trades}))


if __name__ == "__main__":
    main()
