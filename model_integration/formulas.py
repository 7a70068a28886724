"""Indicators over whole columns, written from their definitions with pandas and numpy.

Nothing here is shared with `engine.indicators`. Averages begin as Pine's do, with the plain mean of their
first window; na at the beginning is skipped.
"""

import numpy as np
import pandas as pd

Column = pd.Series  # of float64


def sma(x: Column, n: int) -> Column:
    """Mean of the last n."""
    return x.rolling(n).mean()


def ema(x: Column, n: int) -> Column:
    """Exponential average with weight 2 / (n + 1)."""
    return _seeded(x, n, 2.0 / (n + 1))


def rma(x: Column, n: int) -> Column:
    """Wilder's average, with weight 1 / n."""
    return _seeded(x, n, 1.0 / n)


def _seeded(x: Column, n: int, weight: float) -> Column:
    known = x.dropna()
    if len(known) < n:
        return pd.Series(np.nan, index=x.index)
    begun = known.copy()
    begun.iloc[: n - 1] = np.nan
    begun.iloc[n - 1] = known.iloc[:n].mean()
    return begun.ewm(alpha=weight, adjust=False).mean().reindex(x.index)


def dema(x: Column, n: int) -> Column:
    """2 ema - ema of ema."""
    first = ema(x, n)
    return 2.0 * first - ema(first, n)


def tema(x: Column, n: int) -> Column:
    """3 (ema - ema of ema) + ema of ema of ema."""
    first = ema(x, n)
    second = ema(first, n)
    return 3.0 * (first - second) + ema(second, n)


AVERAGES = {"sma": sma, "ema": ema, "dema": dema, "tema": tema}


def rsi(x: Column, n: int) -> Column:
    """100 - 100 / (1 + average rise / average fall), Wilder's averages."""
    change = x.diff()
    rise, fall = rma(change.clip(lower=0.0), n), rma((-change).clip(lower=0.0), n)
    return 100.0 - 100.0 / (1.0 + rise / fall)


def cci(x: Column, n: int) -> Column:
    """(x - mean) / (0.015 * mean absolute distance from the mean)."""
    result = pd.Series(np.nan, index=x.index)
    if len(x) >= n:
        windows = np.lib.stride_tricks.sliding_window_view(x.to_numpy(), n)
        mean = windows.mean(axis=1)
        distance = np.abs(windows - mean[:, None]).mean(axis=1)
        with np.errstate(divide="ignore", invalid="ignore"):
            result.iloc[n - 1 :] = (windows[:, -1] - mean) / (0.015 * distance)
    return result


def cmo(x: Column, n: int) -> Column:
    """100 * (rises - falls) / (rises + falls) over n changes."""
    change = x.diff()
    rises, falls = change.clip(lower=0.0).rolling(n).sum(), (-change).clip(lower=0.0).rolling(n).sum()
    return 100.0 * (rises - falls) / (rises + falls)


def cmo_wilder(x: Column, n: int) -> Column:
    """The same with Wilder's averages; the first change counts as 0, and without an average it is 0."""
    change = x.diff().fillna(0.0)
    rises, falls = rma(change.clip(lower=0.0), n), rma((-change).clip(lower=0.0), n)
    total = rises + falls
    return (100.0 * (rises - falls) / total).where(total.notna() & (total != 0.0), 0.0)


def roc(x: Column, n: int) -> Column:
    """Change over n bars in percent."""
    return 100.0 * (x - x.shift(n)) / x.shift(n)


def trix(x: Column, n: int) -> Column:
    """One-bar change of the triple average in percent."""
    smooth = ema(ema(ema(x, n), n), n)
    before = smooth.shift()
    return (100.0 * (smooth / before - 1.0)).where(before != 0.0)


def ppo(x: Column, fast: int, slow: int, kind: str) -> Column:
    """Distance of the fast average from the slow one in percent."""
    quick, steady = AVERAGES[kind](x, fast), AVERAGES[kind](x, slow)
    return (quick - steady) / steady * 100.0


def ultosc(frame: pd.DataFrame, lengths: tuple[int, int, int]) -> Column:
    """Buying pressure over true range in three windows, weighted 4, 2 and 1, in percent."""
    close = frame["close"]
    before = close.shift().fillna(close)
    lowest = frame["low"].where(frame["low"] < before, before)
    highest = frame["high"].where(frame["high"] > before, before)
    bought, spread = close - lowest, highest - lowest
    total = pd.Series(0.0, index=frame.index)
    for weight, n in zip((4.0, 2.0, 1.0), lengths, strict=True):
        under = spread.rolling(n).sum()
        total = total + weight * (bought.rolling(n).sum() / under).where(under != 0.0, 0.0)
    value = 100.0 * total / 7.0
    value.iloc[: lengths[2]] = np.nan
    return value.where(spread.rolling(max(lengths)).sum().notna())
