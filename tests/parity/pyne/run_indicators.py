"""`run_indicators.py IN.npy OUT.npz`: indicators.py over rows of open, high, low, close, volume."""

import datetime as dt
import sys
from pathlib import Path

import numpy as np
from pynecore.core.script_runner import ScriptRunner
from pynecore.core.syminfo import SymInfo, SymInfoInterval, SymInfoSession
from pynecore.types.ohlcv import OHLCV

MIDNIGHT = dt.time(0, 0)
SYMBOL = SymInfo(
    prefix="TEST",
    description="test",
    ticker="TEST",
    currency="USD",
    period="60",
    type="crypto",
    mintick=0.01,
    pricescale=100,
    pointvalue=1.0,
    mincontract=0.0001,
    timezone="UTC",
    opening_hours=[SymInfoInterval(day=day, start=MIDNIGHT, end=MIDNIGHT) for day in range(7)],
    session_starts=[SymInfoSession(day=day, time=MIDNIGHT) for day in range(7)],
    session_ends=[SymInfoSession(day=day, time=MIDNIGHT) for day in range(7)],
)
START_MS, HOUR_MS = 1_700_000_400_000 // 3_600_000 * 3_600_000, 3_600_000

rows = np.load(sys.argv[1])
bars = [OHLCV(START_MS + i * HOUR_MS, *row) for i, row in enumerate(rows.tolist())]
runner = ScriptRunner(
    Path(__file__).with_name("indicators.py"),
    iter(bars),
    SYMBOL,
    last_bar_index=len(bars) - 1,
    last_bar_time=bars[-1].timestamp,
    lossless_prices=True,
    lossless_volume=True,
)
plots = [plot for _, plot in runner.run_iter()]
np.savez(sys.argv[2], **{name: np.array([float(plot[name]) for plot in plots]) for name in plots[0]})
