"""The symbol on which pynesys-pynecore runs, and bars from a file."""

import datetime as dt
from pathlib import Path

import numpy as np
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


def load_bars(path: str | Path, length_ms: int = HOUR_MS) -> list[OHLCV]:
    """Bars, by default of an hour, from rows of open, high, low, close, volume."""
    return [OHLCV(START_MS + i * length_ms, *row) for i, row in enumerate(np.load(path).tolist())]
