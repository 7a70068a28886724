"""A function of a frame of bars, run live as a strategy."""

from collections import deque
from collections.abc import Callable, Mapping
from typing import Any, ClassVar, Self

import numpy as np
import pandas as pd

from engine.model.bars import Bar, Bars
from engine.model.exit_rules import ExitRules
from engine.model.signals import SignalArrays, Signals
from engine.strategies.base import Inputs, SignalStrategy, StrategyParams, registry
from model_integration.frame import arrays_of, bar_at, frame_of
from model_integration.twins import TWINS

Function = Callable[[pd.DataFrame, Any], pd.DataFrame]


class VectorizedStrategy(SignalStrategy):
    """Runs `function(bars, params)` over the last `lookback_bars` closed bars and takes its last row.

    `function` gives the columns enter_long, enter_short, exit_long and exit_short (one left out is never
    set) and, if it likes, tag, risk_distance, the other numbers of `Signals` and `value_names`. It must not
    look ahead: what it says about a bar may not change when bars are added. The lookback must be long enough
    that what came before it no longer shows in the flags; `ValidationTestingSuite` proves both.
    """

    name: ClassVar[str] = "vectorized"
    Params: ClassVar[type[StrategyParams]] = StrategyParams

    def __init__(
        self,
        function: Function,
        lookback_bars: int,
        params: StrategyParams | None = None,
        *,
        value_names: tuple[str, ...] = (),
        exit_rules: ExitRules | None = None,
        inputs: Inputs | None = None,
    ) -> None:
        if lookback_bars < 1:
            raise ValueError(f"a lookback of {lookback_bars} bars, expected at least one")
        self.params = StrategyParams() if params is None else params
        self.lookback_bars = lookback_bars
        self.value_names = value_names  # type: ignore[misc]  # as many kinds as there are functions
        self._function = function
        self._exit_rules = ExitRules() if exit_rules is None else exit_rules
        self._inputs = Inputs() if inputs is None else inputs
        self._seen: deque[Bar] = deque(maxlen=lookback_bars)

    @property
    def inputs(self) -> Inputs:
        """As given at construction."""
        return self._inputs

    @property
    def warmup_bars(self) -> int:
        """The lookback: from then on nothing earlier is seen."""
        return self.lookback_bars

    @property
    def exit_rules(self) -> ExitRules:
        """As given at construction."""
        return self._exit_rules

    def on_bar(self, bar: Bar) -> Signals:
        """Run the function over the bars in the lookback."""
        self._seen.append(bar)
        return self.batch(_bars_of(self._seen)).at(-1)

    def warm_up(self, bars: Bars) -> None:
        """Take in history without asking about it; only the lookback's last bars are kept."""
        first = max(0, len(bars) - self.lookback_bars)
        self._seen.extend(bar_at(bars, i) for i in range(first, len(bars)))

    def batch(self, bars: Bars) -> SignalArrays:
        """Run the function once over the whole history."""
        found = self._function(frame_of(bars), self.params)
        if len(found) != len(bars):
            raise ValueError(f"{self._function.__name__} gave {len(found)} rows for {len(bars)} bars")
        return arrays_of(found, self.value_names)

    def reset(self) -> None:
        """Forget everything seen."""
        self._seen.clear()

    @classmethod
    def from_params(cls, raw: Mapping[str, object]) -> Self:  # noqa: ARG003  # the base's signature
        """Not possible: there is no function yet. Use the constructor, or `twin_of`."""
        raise TypeError("a VectorizedStrategy is made from a function, not from parameters alone")


def twin_of(strategy: SignalStrategy, lookback_bars: int | None = None) -> VectorizedStrategy:
    """The vectorised twin of a compiled strategy, with its parameters and exit rules.

    The lookback is the strategy's own warm-up unless another is given. KeyError where there is no twin.
    """
    function = TWINS[strategy.name]
    return VectorizedStrategy(
        function,
        strategy.warmup_bars + 1 if lookback_bars is None else lookback_bars,
        strategy.params,
        value_names=strategy.value_names,
        exit_rules=strategy.exit_rules,
        inputs=strategy.inputs,
    )


def build_twin(
    name: str, params: Mapping[str, object], lookback_bars: int | None = None
) -> VectorizedStrategy:
    """The twin of a registered signal strategy by name and untrusted parameters."""
    cls = registry.get(name)
    if not issubclass(cls, SignalStrategy):
        raise TypeError(f"{name} is a script and has no vectorised form")
    return twin_of(cls.from_params(params), lookback_bars)


def _bars_of(seen: deque[Bar]) -> Bars:
    last = seen[-1]
    rows = np.array([(b.open, b.high, b.low, b.close, b.volume_base) for b in seen]).T.copy()
    times = np.array([b.open_time_ns for b in seen], dtype=np.int64)
    return Bars(last.symbol, last.timeframe_ns, times, *rows)
