"""What compiled signal strategies share: one step, run a bar at a time or over a history.

A strategy's step reads a row `open, high, low, close, volume_base` and returns the flag bits of
`exit_rules`; what it writes to its output row becomes `Signals.values`.
"""

import struct
from collections.abc import Callable
from typing import ClassVar, Generic, TypeVar

import numpy as np

from engine.compiled.functions import FloatArray, State, Step, drive, ready
from engine.model.bars import Bar, Bars
from engine.model.exit_rules import ENTER_LONG, ENTER_SHORT, EXIT_LONG, EXIT_SHORT
from engine.model.signals import SignalArrays, Signals
from engine.strategies.base import SignalStrategy, StrategyParams

OPEN, HIGH, LOW, CLOSE, VOLUME = 0, 1, 2, 3, 4
"""Columns of a step's input row."""

_ROW = struct.Struct("=5d")
_BOUND = frozenset({"_step", "_row_bytes", "_out_bytes", "_values"})
"""What is made anew in another process: compiled code and views of arrays."""

ParamsT = TypeVar("ParamsT", bound=StrategyParams)


def bar_rows(bars: Bars) -> FloatArray:
    """Open, high, low, close and volume as one row a bar."""
    return np.ascontiguousarray(
        np.column_stack((bars.open, bars.high, bars.low, bars.close, bars.volume_base)), dtype=np.float64
    )


class KernelStrategy(SignalStrategy, Generic[ParamsT]):
    """A signal strategy made of a compiled step and a way to make its first state.

    Subclasses set `Params` and `step`, and implement `initial_state`. Build one from parameters by name
    (`Rsi(length=30)`) or from a `Params` object.
    """

    Params: ClassVar[type[StrategyParams]]
    step: ClassVar[Callable[..., int]]
    params: ParamsT

    def __init__(self, params: ParamsT | None = None, /, **by_name: object) -> None:
        self.params = self.Params.model_validate(by_name) if params is None else params  # type: ignore[assignment]
        self._row = np.empty((1, 5))
        self._out = np.full((1, len(self.value_names)), np.nan)
        self._bind()
        self.reset()

    def _bind(self) -> None:
        """Fetch the compiled step, and views by which one row is written and read in one call each."""
        self._step: Step = ready(type(self).step)
        self._row_bytes = self._row.data.cast("B")
        self._out_bytes = self._out.data.cast("B") if self._out.size else memoryview(b"")
        self._values = struct.Struct(f"={self._out.size}d")

    def __getstate__(self) -> dict[str, object]:
        return {name: value for name, value in self.__dict__.items() if name not in _BOUND}

    def __setstate__(self, state: dict[str, object]) -> None:
        self.__dict__.update(state)
        self._bind()

    def initial_state(self) -> FloatArray:
        """A new flat state that knows the parameters."""
        raise NotImplementedError

    def reset(self) -> None:
        """Forget everything seen."""
        self._state: State = self.initial_state()

    def on_bar(self, bar: Bar) -> Signals:
        """Advance by one closed bar."""
        _ROW.pack_into(self._row_bytes, 0, bar.open, bar.high, bar.low, bar.close, bar.volume_base)
        flags = self._step(self._state, self._row, 0, self._out)
        return Signals(
            enter_long=flags & ENTER_LONG != 0,
            enter_short=flags & ENTER_SHORT != 0,
            exit_long=flags & EXIT_LONG != 0,
            exit_short=flags & EXIT_SHORT != 0,
            values=self._values.unpack_from(self._out_bytes),
        )

    def batch(self, bars: Bars) -> SignalArrays:
        """All signals of a history, from a fresh state; the streaming state is left alone."""
        n = len(bars)
        outs = np.full((n, len(self.value_names)), np.nan)
        flags = np.zeros(n, dtype=np.int64)
        drive(self._step, self.initial_state(), bar_rows(bars), outs, flags)
        return SignalArrays(
            enter_long=flags & ENTER_LONG != 0,
            enter_short=flags & ENTER_SHORT != 0,
            exit_long=flags & EXIT_LONG != 0,
            exit_short=flags & EXIT_SHORT != 0,
            tag=np.zeros(n, dtype=np.int32),
            tags=("",),
            risk_distance=np.full(n, np.nan),
            values=np.ascontiguousarray(outs.T),
        )
