"""backtesting.py's part of `../backtest_event.py`, in its own environment; the last line is JSON.

Run: `python backtesting_cross.py BARS.parquet BARS_TO_USE`.
"""

import json
import sys
import time

import pandas as pd
from backtesting import Backtest, Strategy


class Cross(Strategy):
    """Long while the fast average is above the slow one, else short; both are computed before the run."""

    above: list[bool]

    def init(self) -> None:
        """Nothing: the averages are plain lists."""

    def next(self) -> None:
        """Reverse where the averages cross."""
        bar = len(self.data) - 1
        above = self.above[bar]
        if above != self.above[bar - 1]:
            self.position.close()
            if above:
                self.buy(size=1)
            else:
                self.sell(size=1)


def main() -> None:
    """Bars a second of the run by itself, best of three."""
    frame = pd.read_parquet(sys.argv[1]).set_index("open_time").iloc[: int(sys.argv[2])]
    frame.columns = [name.capitalize() for name in frame.columns]
    fast, slow = (frame["Close"].ewm(span=span, adjust=False).mean() for span in (10, 30))
    Cross.above = (fast > slow).tolist()
    best, trades = float("inf"), 0
    for _ in range(3):
        test = Backtest(frame, Cross, cash=1e9, commission=0.0004)
        began = time.process_time()
        result = test.run()
        best, trades = min(best, time.process_time() - began), len(result["_trades"])
    print(json.dumps({"bars_a_second": len(frame) / best, "trades": trades}))


if __name__ == "__main__":
    main()
