"""The graph of `../graph.py` in pandas with TA-Lib and in polars with TA-Lib, in their own environment.

Run: `python graph_talib.py BARS.parquet ROUNDS`; the last line is JSON: milliseconds, the best of the rounds.
Each starts from a frame in memory and ends with a frame of the results.
"""

import json
import sys
import time

import numpy as np
import pandas as pd
import polars as pl
import talib


def with_pandas(bars: pd.DataFrame) -> pd.DataFrame:
    """As a person writes it: columns of TA-Lib, the rest in pandas."""
    high, low, close = (bars[name] for name in ("high", "low", "close"))
    fast, slow = talib.EMA(close, 20), talib.EMA(close, 50)
    strength, width = talib.RSI(close, 14), talib.ATR(high, low, close, 14)
    upper, _, lower = talib.BBANDS(close, 20, 2.0, 2.0)
    line, signal, _ = talib.MACD(close, 12, 26, 9)
    top, bottom = talib.MAX(high, 20).shift(1), talib.MIN(low, 20).shift(1)
    slope = talib.LINEARREG_SLOPE(close, 20)
    rises = (fast > slow) & (close > top)
    falls = (line < signal) & (line.shift(1) >= signal.shift(1))
    return pd.DataFrame(
        {
            "enter_long": rises & (strength > 50.0),
            "exit_long": (close < bottom) | falls,
            "stop": close - 2.0 * width,
            "place": (close - lower) / (upper - lower),
            "strength": np.where(slope > 0.0, strength, -strength),
        }
    )


def with_polars(bars: pl.DataFrame) -> pl.DataFrame:
    """TA-Lib takes series of polars as they are; the rest is one lazy query."""
    high, low, close = (bars[name] for name in ("high", "low", "close"))
    upper, _, lower = talib.BBANDS(close, 20, 2.0, 2.0)
    line, signal, _ = talib.MACD(close, 12, 26, 9)
    made = {
        "fast": talib.EMA(close, 20),
        "slow": talib.EMA(close, 50),
        "rsi": talib.RSI(close, 14),
        "width": talib.ATR(high, low, close, 14),
        "upper": upper,
        "lower": lower,
        "line": line,
        "signal": signal,
        "highest": talib.MAX(high, 20),
        "lowest": talib.MIN(low, 20),
        "slope": talib.LINEARREG_SLOPE(close, 20),
    }
    c = pl.col
    rises = (c("fast") > c("slow")) & (c("close") > c("highest").shift(1))
    falls = (c("line") < c("signal")) & (c("line").shift(1) >= c("signal").shift(1))
    query = bars.lazy().with_columns(**made)
    return query.select(
        enter_long=rises & (c("rsi") > 50.0),
        exit_long=(c("close") < c("lowest").shift(1)) | falls,
        stop=c("close") - 2.0 * c("width"),
        place=(c("close") - c("lower")) / (c("upper") - c("lower")),
        strength=pl.when(c("slope") > 0.0).then(c("rsi")).otherwise(-c("rsi")),
    ).collect()


def main() -> None:
    """Both in turn."""
    path, rounds = sys.argv[1], int(sys.argv[2])
    pandas, polars = pd.read_parquet(path), pl.read_parquet(path)
    best = {"pandas + TA-Lib": [1e9, 1e9], "polars + TA-Lib": [1e9, 1e9]}
    trues = {}
    for _ in range(rounds):
        for name, function, bars in (
            ("pandas + TA-Lib", with_pandas, pandas),
            ("polars + TA-Lib", with_polars, polars),
        ):
            began, used = time.perf_counter(), time.process_time()
            made = function(bars)
            used, clock = time.process_time() - used, time.perf_counter() - began
            best[name] = [min(best[name][0], clock * 1e3), min(best[name][1], used * 1e3)]
            trues[name] = int(made["enter_long"].sum())
    print(json.dumps({"milliseconds": best, "entries": trues}))


if __name__ == "__main__":
    main()
