"""Bars as a notebook has them, and flags as it gives them back."""

from typing import cast

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from engine.model.bars import Bar, Bars
from engine.model.signals import SIGNAL_NUMBERS, SignalArrays

FLAGS = ("enter_long", "enter_short", "exit_long", "exit_short")
TAG, RISK = "tag", "risk_distance"


def frame_of(bars: Bars) -> pd.DataFrame:
    """Columns open, high, low, close, volume over the open times (UTC)."""
    index = pd.DatetimeIndex(bars.open_time_ns.astype("datetime64[ns]"), tz="UTC", name="open_time")
    return pd.DataFrame(
        {
            "open": bars.open,
            "high": bars.high,
            "low": bars.low,
            "close": bars.close,
            "volume": bars.volume_base,
        },
        index=index,
    )


def bar_at(bars: Bars, i: int) -> Bar:
    """One bar of a history, as the live engine would hand it on."""
    return Bar(
        bars.symbol,
        bars.timeframe_ns,
        int(bars.open_time_ns[i]),
        float(bars.open[i]),
        float(bars.high[i]),
        float(bars.low[i]),
        float(bars.close[i]),
        float(bars.volume_base[i]),
    )


def arrays_of(signals: pd.DataFrame, value_names: tuple[str, ...]) -> SignalArrays:
    """`SignalArrays` of a frame with the four flags and perhaps tag, other numbers of `Signals` and values.

    A flag that is missing is never set; na is not set.
    """
    n = len(signals)
    codes: NDArray[np.int32] = np.zeros(n, dtype=np.int32)
    tags: tuple[str, ...] = ("",)
    if TAG in signals:
        found, names = pd.factorize(signals[TAG].fillna("").astype(str))
        tags = ("", *(str(name) for name in names))
        codes = (found + 1).astype(np.int32)
    none = np.full(n, np.nan)
    return SignalArrays(
        enter_long=_flag(signals, "enter_long"),
        enter_short=_flag(signals, "enter_short"),
        exit_long=_flag(signals, "exit_long"),
        exit_short=_flag(signals, "exit_short"),
        tag=codes,
        tags=tags,
        risk_distance=floats(signals[RISK]) if RISK in signals else none,
        values=np.array([floats(signals[name]) for name in value_names]).reshape(len(value_names), n),
        **{name: floats(signals[name]) for name in SIGNAL_NUMBERS if name in signals},
    )


def floats(column: "pd.Series[float]") -> NDArray[np.float64]:
    """A column as float64."""
    return cast(NDArray[np.float64], column.to_numpy(dtype=np.float64))


def _flag(signals: pd.DataFrame, name: str) -> NDArray[np.bool_]:
    if name not in signals:
        return np.zeros(len(signals), dtype=np.bool_)
    return cast(
        NDArray[np.bool_], signals[name].astype("boolean").fillna(value=False).to_numpy(dtype=np.bool_)
    )
