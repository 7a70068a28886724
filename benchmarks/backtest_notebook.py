"""The second backtest in one process, as in a notebook, with its statistics; the last line is JSON.

Run: `python benchmarks/backtest_notebook.py BARS.parquet BARS_TO_USE`. The bars are taken to be hours.
"""

import json
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import numpy as np

import nextbar as nb
from nextbar import ta

HOUR_NS = 3_600_000_000_000


class Breakaway(nb.Strategy):
    """Long a band above the average, short a band below it, out at the average."""

    length = nb.param(20, ge=1, doc="bars of the average")
    band_percent = nb.param(1.0, gt=0, doc="distance from the average that counts")
    exits = nb.ExitRules(stop_loss_percent=5.0)

    def define(self, bar: nb.BarSeries) -> nb.Rules:
        """As on the first page."""
        average = ta.ema(bar.close, self.length)
        band = average * self.band_percent / 100
        return nb.Rules(
            enter_long=bar.close > average + band,
            exit_long=bar.close < average,
            enter_short=bar.close < average - band,
            exit_short=bar.close > average,
            plot={"average": average},
        )


def main() -> None:
    """Ten more runs after the first, each with another length."""
    bars = nb.load(sys.argv[1]).part(0, int(sys.argv[2]))
    times = bars.open_time_ns[0] + np.arange(len(bars)) * HOUR_NS
    columns = (bars.open, bars.high, bars.low, bars.close, bars.volume_base)
    hours = nb.Bars(bars.symbol, HOUR_NS, times, *columns)
    clock, used, trades = [], [], 0
    for run in range(11):
        began, so_far = time.perf_counter(), time.process_time()
        result = nb.backtest(Breakaway(length=40 + run), hours)
        trades = int(result.stats["trades"])
        clock.append(time.perf_counter() - began)
        used.append(time.process_time() - so_far)
    told = {"first": clock[0], "clock": min(clock[1:]), "processor": min(used[1:])}
    print(json.dumps({"milliseconds": {name: 1e3 * one for name, one in told.items()}, "trades": trades}))


if __name__ == "__main__":
    main()
