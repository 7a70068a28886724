"""The stress run of `../backtest.py` in vectorbt, in its own environment; the last line is JSON.

Run: `python vectorbt_stress.py BARS.parquet OUT_FOLDER`. `from_signals` expresses entries, stop, target,
slippage and fees; the partial exit and break-even are left out, which makes it less work.
"""

import json
import sys
import time
from pathlib import Path

import numpy as np
import stress_inputs
import vectorbt as vbt


def main() -> None:
    """From Parquet to written trades."""
    out = Path(sys.argv[2])
    out.mkdir(parents=True, exist_ok=True)
    stages = {"import": time.process_time()}
    began = time.perf_counter()
    frame, side, risk = stress_inputs.read(sys.argv[1])
    close = frame["Close"].to_numpy()
    delayed, distance = np.roll(side, 1), np.roll(risk / close, 1)
    delayed[0] = 0
    stages["load to entries"] = time.perf_counter() - began
    began = time.perf_counter()
    portfolio = vbt.Portfolio.from_signals(
        close,
        entries=delayed > 0,
        short_entries=delayed < 0,
        price=frame["Open"].to_numpy(),
        open=frame["Open"].to_numpy(),
        high=frame["High"].to_numpy(),
        low=frame["Low"].to_numpy(),
        sl_stop=distance,
        tp_stop=3 * distance,
        upon_opposite_entry="ignore",
        size=0.1,
        init_cash=1e7,
        fees=0.0004,
        slippage=0.00001,
    )
    records = portfolio.trades.records
    stages["simulation"] = time.perf_counter() - began
    began = time.perf_counter()
    records.to_parquet(out / "trades.parquet")
    stages["report"] = time.perf_counter() - began
    print(json.dumps({"signals": int((side != 0).sum()), "trades": len(records), "stages": stages}))


if __name__ == "__main__":
    main()
