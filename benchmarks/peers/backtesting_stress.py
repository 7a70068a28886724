"""The stress run of `../backtest.py` in backtesting.py, in its own environment; the last line is JSON.

Run: `python backtesting_stress.py BARS.parquet OUT_FOLDER`. All but the resting partial exit: half is closed
at the open after the bar that reached 1R, when the stop goes to the entry price as well.
"""

import json
import sys
import time
from pathlib import Path

import numpy as np
import stress_inputs
from backtesting import Backtest, Strategy


class Stress(Strategy):
    """Arrays are computed before the run, `next` does only what must be done a bar."""

    side: np.ndarray
    risk: np.ndarray

    def init(self) -> None:
        """Nothing: indicators are plain arrays."""
        self._r = 0.0
        self._is_halved = False

    def next(self) -> None:
        """Enter while flat, else watch for 1R."""
        bar = len(self.data) - 1
        if not self.trades:
            side = self.side[bar]
            if side:
                price, r = self.data.Close[-1], self.risk[bar]
                self._r, self._is_halved = r, False
                if side > 0:
                    self.buy(size=2, sl=price - r, tp=price + 3 * r)
                elif price > 3 * r:
                    self.sell(size=2, sl=price + r, tp=price - 3 * r)
        elif not self._is_halved:
            trade = self.trades[0]
            reached = (
                self.data.High[-1] - trade.entry_price
                if trade.is_long
                else trade.entry_price - self.data.Low[-1]
            )
            if reached >= self._r:
                self._is_halved = True
                trade.sl = trade.entry_price
                trade.close(0.5)


def main() -> None:
    """From Parquet to written trades."""
    out = Path(sys.argv[2])
    out.mkdir(parents=True, exist_ok=True)
    stages = {"import": time.process_time()}
    began = time.perf_counter()
    frame, Stress.side, Stress.risk = stress_inputs.read(sys.argv[1])
    stages["load to entries"] = time.perf_counter() - began
    began = time.perf_counter()
    test = Backtest(frame, Stress, cash=1e9, commission=0.0004, spread=0.00001, finalize_trades=False)
    test.run()
    stages["simulation"] = time.perf_counter() - began
    began = time.perf_counter()
    trades = test._results["_trades"]  # where it keeps them
    trades.drop(columns="Tag").to_parquet(out / "trades.parquet")
    stages["report"] = time.perf_counter() - began
    print(json.dumps({"signals": int((Stress.side != 0).sum()), "trades": len(trades), "stages": stages}))


if __name__ == "__main__":
    main()
