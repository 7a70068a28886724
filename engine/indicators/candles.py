"""Bars made smoother."""

from math import isnan, nan

import numpy as np

from engine.compiled.functions import Rows, State, compiled
from engine.indicators.stream import ManyOutputs

_OPEN, _CLOSE = 0, 1
_FORGOTTEN = 42
"""Halvings after which a beginning weighs under 1e-12, and the bar itself."""


@compiled
def _heikin_ashi_step(s: State, rows: Rows, i: int, outs: Rows) -> int:
    open_, high, low, close = rows[i, 0], rows[i, 1], rows[i, 2], rows[i, 3]
    mean = (open_ + high + low + close) / 4.0
    first = (open_ + close) / 2.0 if isnan(s[_OPEN]) else (s[_OPEN] + s[_CLOSE]) / 2.0
    outs[i, 0], outs[i, 3] = first, mean
    outs[i, 1] = max(high, first, mean)
    outs[i, 2] = min(low, first, mean)
    s[_OPEN], s[_CLOSE] = first, mean
    return 0


class HeikinAshi(ManyOutputs):
    """Average bars: close is the bar's mean, open the middle of the average bar before.

    Prices of these bars are no prices of the market: use them to decide, never to fill.

    Source: Valcu, 2004; as TradingView draws them.
    Warm-up: 42 bars, after which the first open weighs under 1e-12.
    Units: those of price.
    """

    name = "heikin_ashi"
    inputs = ("open", "high", "low", "close")
    outputs = ("open", "high", "low", "close")
    examples = ((),)
    step = _heikin_ashi_step

    def __init__(self) -> None:
        super().__init__(np.array([nan, nan]), 1, _FORGOTTEN)
