"""Indicators as objects: one value a bar, or a whole history; both run the same compiled step.

`update` advances by one execution, as a Pine call with memory does: an object that is not updated on a bar
does not see that bar. `run` computes a history from a fresh state and leaves the object alone.
"""

import functools
import inspect
from collections.abc import Callable
from typing import Any, ClassVar

import numpy as np
from numpy.typing import ArrayLike

from engine.compiled.functions import FloatArray
from engine.compiled.loops import Loop, loop_of

MOST_BARS = 1_000_000
"""Longest window and furthest look back: a longer one is a mistake, and would fill the memory."""


def prepared(size: int, init: Callable[..., None], *settings: float) -> FloatArray:
    """A new state of `size` numbers, prepared by `init(state, 0, *settings)`."""
    state = np.zeros(size)
    init(state, 0, *settings)
    return state


def check_lengths(lowest: int = 1, **lengths: int) -> None:
    """Refuse what is no window: ValueError says which setting."""
    _check_whole("a whole number of bars", lowest, lengths)


def check_counts(lowest: int = 0, **counts: int) -> None:
    """Refuse what is no number of times: ValueError says which setting."""
    _check_whole("a whole number", lowest, counts)


def _check_whole(what: str, lowest: int, numbers: dict[str, int]) -> None:
    for name, number in numbers.items():
        if not isinstance(number, int | np.integer) or number < lowest:
            raise ValueError(f"{name} must be {what} from {lowest} up, not {number!r}")
        if number > MOST_BARS:
            raise ValueError(f"{name} must be at most {MOST_BARS:,}, not {number!r}")


def check_percent(name: str, percent: float) -> None:
    """Refuse what is no share of a whole: ValueError says which setting."""
    if not 0.0 <= percent <= 100.0:
        raise ValueError(f"{name} must be from 0 to 100, not {percent!r}")


def _remember_settings(init: Callable[..., None]) -> Callable[..., None]:
    """`init`, which also keeps the arguments it was called with as `settings`."""
    signature = inspect.signature(init)

    @functools.wraps(init)
    def remembering(self: "Indicator", *args: object, **kwargs: object) -> None:
        bound = signature.bind(self, *args, **kwargs)
        bound.apply_defaults()
        self.__dict__.setdefault("settings", bound.args[1:])
        init(self, *args, **kwargs)

    return remembering


class Indicator:
    """What all have: a state, a step, names for the documents and warm-up in bars.

    `first_value` is how many inputs (without na) it takes to give the first output; after `warmup_bars`
    inputs a value no longer depends on where history began (to 1e-9), unless it is `cumulative`. Outputs are
    1 or 0, for yes or no, where `conditions`, and na on all bars but a few where `sparse`. `settings` are the
    arguments of the constructor in order, with defaults: two of one `name` and equal `settings` give equal
    values. `initial_state` is never changed; a caller that advances by `loop` does so on a copy of it.

    `examples` are settings that tests use. With the first of them `in_pine` gives the same outputs in Pine
    (lines in PyneCore's Python form, the last one being the value), `in_talib` in TA-Lib after warm-up.
    """

    name: ClassVar[str]
    pine_name: ClassVar[str] = ""
    inputs: ClassVar[tuple[str, ...]] = ("x",)
    outputs: ClassVar[tuple[str, ...]] = ("value",)
    cumulative: ClassVar[bool] = False
    conditions: ClassVar[bool] = False
    sparse: ClassVar[bool] = False
    examples: ClassVar[tuple[tuple[Any, ...], ...]] = ((5,), (1,))
    in_pine: ClassVar[str] = ""
    in_talib: ClassVar[str] = ""
    step: ClassVar[Callable[..., int]]
    settings: tuple[Any, ...]

    def __init_subclass__(cls) -> None:
        super().__init_subclass__()
        if "__init__" in vars(cls):
            cls.__init__ = _remember_settings(cls.__init__)  # type: ignore[method-assign]  # same signature

    def __init__(self, state: FloatArray, first_value: int, warmup_bars: int) -> None:
        state.flags.writeable = False
        self.first_value = first_value
        self.warmup_bars = warmup_bars
        self.initial_state = state
        self._state = state.copy()
        self.loop: Loop = self._make_loop()
        self._row = np.empty((1, len(self.inputs)))
        self._out = np.empty((1, len(self.outputs)))

    def _make_loop(self) -> Loop:
        return loop_of(type(self).step)

    def __getstate__(self) -> dict[str, object]:
        return {name: value for name, value in self.__dict__.items() if name != "loop"}

    def __setstate__(self, state: dict[str, object]) -> None:
        self.__dict__.update(state)
        self.loop = self._make_loop()  # compiled code stays in its process and cache

    def reset(self) -> None:
        """Forget everything seen."""
        self._state = self.initial_state.copy()

    def _advance(self, values: tuple[float, ...]) -> None:
        if len(values) != len(self.inputs):
            raise TypeError(f"{self.name} takes {', '.join(self.inputs)}; it was given {len(values)} values")
        self._row[0] = values
        self.loop(self._state, self._row, self._out)

    def history(self, rows: FloatArray) -> FloatArray:
        """Outputs of a whole history, one row a bar as `rows` has the inputs, from a fresh state."""
        outs = np.empty((len(rows), len(self.outputs)))
        self.loop(self.initial_state.copy(), rows, outs)
        return outs

    def _history(self, columns: tuple[ArrayLike, ...]) -> FloatArray:
        if len(columns) != len(self.inputs):
            raise TypeError(f"{self.name} takes {', '.join(self.inputs)}; it was given {len(columns)} arrays")
        return self.history(np.ascontiguousarray(np.column_stack(columns), dtype=np.float64))


class SingleOutput(Indicator):
    """An indicator of one output."""

    def update(self, *values: float) -> float:
        """Advance by one bar; nan while there is no value."""
        self._advance(values)
        return float(self._out[0, 0])

    def run(self, *columns: ArrayLike) -> FloatArray:
        """Values of a whole history, one for each element of the inputs."""
        return np.ascontiguousarray(self._history(columns)[:, 0])


class ManyOutputs(Indicator):
    """An indicator of several outputs, in the order of `outputs`."""

    def update(self, *values: float) -> tuple[float, ...]:
        """Advance by one bar; nan where there is no value."""
        self._advance(values)
        return tuple(self._out[0].tolist())

    def run(self, *columns: ArrayLike) -> tuple[FloatArray, ...]:
        """Values of a whole history, one array for each output."""
        outs = self._history(columns)
        return tuple(np.ascontiguousarray(outs[:, k]) for k in range(outs.shape[1]))
