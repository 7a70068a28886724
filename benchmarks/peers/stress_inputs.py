"""What both peers of `backtest.py` need: the stress run's bars, entries and R with numpy and pandas alone."""

import numpy as np
import pandas as pd

GROUP = 6
FACTOR = 1.98


def _seeded(values: np.ndarray, length: int, alpha: float) -> np.ndarray:
    """An exponential average that begins with the simple one of its first `length` values."""
    first = int(np.argmax(~np.isnan(values)))
    seeded = values.copy()
    seeded[: first + length - 1] = np.nan
    seeded[first + length - 1] = values[first : first + length].mean()
    return pd.Series(seeded).ewm(alpha=alpha, adjust=False).mean().to_numpy()


def read(path: str) -> tuple[pd.DataFrame, np.ndarray, np.ndarray]:
    """Bars; 1, -1 or 0 a bar for the wish to be long or short; the price distance of one R."""
    frame = pd.read_parquet(path).set_index("open_time")
    frame.columns = [name.capitalize() for name in frame.columns]
    high, low, close = (frame[name].to_numpy() for name in ("High", "Low", "Close"))
    whole = len(close) // GROUP
    slow = _seeded(close[GROUP - 1 : whole * GROUP : GROUP].copy(), 20, 2 / 21)
    trend = np.full(len(close), np.nan)
    trend[GROUP - 1 :] = np.repeat(slow, GROUP)[: len(close) - GROUP + 1]
    change = np.diff(close, prepend=np.nan)
    up, down = _seeded(np.maximum(change, 0), 14, 1 / 14), _seeded(np.maximum(-change, 0), 14, 1 / 14)
    with np.errstate(divide="ignore", invalid="ignore"):
        strength = 100 - 100 / (1 + up / down)
    before = np.concatenate([close[:1], close[:-1]])
    ranges = np.maximum(high - low, np.maximum(abs(high - before), abs(low - before)))
    risk, fast = FACTOR * _seeded(ranges, 14, 1 / 14), _seeded(close.copy(), 12, 2 / 13)
    side = ((close > trend) & (close > fast) & (strength > 57.3)).astype(np.int8)
    side -= ((close < trend) & (close < fast) & (strength < 42.7)).astype(np.int8)
    return frame, side, risk
