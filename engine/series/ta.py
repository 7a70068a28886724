"""Indicators as nodes of the graph: `ta.ema(bar.close, 20)`, `ta.atr(bar, 14)`, `ta.macd(bar.close).signal`.

Each indicator of the catalog is a function here under its name. It takes the series of the indicator's
`inputs`, then its settings. Where an indicator looks at prices of the bar, the bar itself may stand for
them. One of several outputs returns them by name. `indicator` makes one of your own. `ta.pyi`, made by
`python -m engine.series.stub`, says the same to type checkers.
"""

from collections.abc import Callable
from typing import Any

from engine.indicators.catalog import BROKEN, INDICATORS
from engine.series.calls import function_of, indicator
from engine.series.nodes import UnknownIndicator
from engine.series.other_names import unknown

__all__ = ["indicator"]


def __getattr__(name: str) -> Callable[..., Any]:
    """The function of an indicator, made when it is first asked for."""
    if name.startswith("__"):
        raise AttributeError(name)
    if name not in INDICATORS:
        raise UnknownIndicator("; ".join((f"ta has no {name}{unknown(name)}", *BROKEN)))
    function = globals()[name] = function_of(INDICATORS[name])
    return function


def __dir__() -> list[str]:
    return [*INDICATORS, "indicator"]
