"""`run_indicators.py SCRIPT.py IN.npy OUT.npz`: a script over rows of open, high, low, close, volume."""

import sys
from pathlib import Path

import numpy as np
from chart import SYMBOL, load_bars
from pynecore.core.script_runner import ScriptRunner

bars = load_bars(sys.argv[2])
runner = ScriptRunner(
    Path(sys.argv[1]),
    iter(bars),
    SYMBOL,
    last_bar_index=len(bars) - 1,
    last_bar_time=bars[-1].timestamp,
    lossless_prices=True,
    lossless_volume=True,
)
plots = [plot for _, plot in runner.run_iter()]
np.savez(sys.argv[3], **{name: np.array([float(plot[name]) for plot in plots]) for name in plots[0]})
