"""A person's own indicator: `@indicator` above a small function over a small state, or above a class.

    @indicator(state=1, warmup=lambda length: 14 * length)
    def smoothed(state, x, *, length):
        \"\"\"An average that forgets by and by.\"\"\"
        state[0] += (x - state[0]) / length
        return state[0]

`state` is an array of that many numbers, zeros at first (or `initial`), and the function changes it. What
follows are the inputs; settings are given by name only. It returns a number, or with `outputs=("a", "b")` a
tuple; with `conditions=True` each is a yes or no. The function is compiled: it may use numbers, `math` and
compiled functions of this program, but makes no lists, arrays or texts.

A class with `update(self, *inputs)` may do anything that Python can; its settings are those of `__init__`.
It is slower, some microseconds a bar instead of some nanoseconds.
"""

import inspect
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import FunctionType
from typing import Any, ClassVar, cast

import numpy as np

from engine.compiled.around import Kind, digest_of, loop_around
from engine.compiled.faults import CompileError
from engine.compiled.functions import FloatArray
from engine.compiled.loops import Loop
from engine.indicators.stream import Indicator, ManyOutputs, SingleOutput
from engine.model.sentences import SentenceError

Setting = int | float | bool | str
Whole = int | Callable[..., int]
_KINDS: dict[type, Kind] = {bool: "bool", int: "int", float: "float"}
MOST_STATE = 10_000_000
"""Numbers that an indicator may remember; each object of a strategy has some copies of them."""
_NAMED = (inspect.Parameter.POSITIONAL_OR_KEYWORD, inspect.Parameter.KEYWORD_ONLY)


@dataclass(frozen=True)
class _Told:
    """What the decorator was given."""

    state: Whole
    initial: float | Sequence[float]
    warmup: Whole
    outputs: tuple[str, ...]
    conditions: bool
    cumulative: bool


class OwnKind(type):
    """The class of such classes: one called with inputs says what that means, one called without is made."""

    of_inputs: Callable[..., Any]
    signature: inspect.Signature
    inputs: tuple[str, ...]
    name: str
    is_compiled: bool
    made_of: tuple[FunctionType | type]

    def __call__(cls, *inputs: Any, **given: Any) -> Any:  # noqa: ANN401  # inputs may be series
        """An indicator of those settings, or what inputs and settings together are."""
        if inputs or given.keys() & set(cls.inputs):
            return cls.of_inputs(*inputs, **given)
        return super().__call__(**given)

    @property
    def version(cls) -> str:
        """A text that changes whenever what it computes does, for whoever keeps values of it."""
        return digest_of(*cls.made_of)

    def __repr__(cls) -> str:
        how = "compiled" if cls.is_compiled else "in Python, slower than a compiled function"
        return f"<indicator {cls.name}{cls.signature}, {how}>"


def indicator(
    made: Any = None,  # noqa: ANN401  # a function or a class
    /,
    *,
    state: Whole = 0,
    initial: float | Sequence[float] = 0.0,
    warmup: Whole = 1,
    outputs: Sequence[str] = ("value",),
    conditions: bool = False,
    cumulative: bool = False,
) -> Any:  # noqa: ANN401  # a class of indicators, or the decorator that makes one
    """Make an indicator of a function over a state, compiled, or of a class with `update`, slower.

    `state` is how many numbers it remembers and `initial` what they are at first, one for all or one each.
    `warmup` is after how many bars a value no longer depends on where history began. Both may be functions of
    the settings they name, such as `lambda length: 14 * length`. `cumulative`: a value may depend on
    any past. `SentenceError` says file, line and what was expected instead.
    """
    told = _Told(state, initial, warmup, tuple(outputs), conditions, cumulative)

    def decorate(made: Any) -> Any:  # noqa: ANN401
        if isinstance(made, FunctionType) and not made.__name__.isidentifier():
            raise _fault(made, f"an indicator needs a name, {_name(made)} has none")
        if not told.outputs or not all(str(name).isidentifier() for name in told.outputs):
            raise _fault(made, f"outputs of {_name(made)} must be names, not {told.outputs!r}")
        return _of_class(made, told) if isinstance(made, type) else _of_function(made, told)

    return decorate if made is None else decorate(made)


def _of_function(function: object, told: _Told) -> OwnKind:
    if not isinstance(function, FunctionType):
        raise _fault(function, "@indicator must stand above a function or a class with update")
    first, *rest = _parameters(function, function, "state, then its inputs, then * and its settings")
    inputs = tuple(one.name for one in rest if one.kind is one.POSITIONAL_OR_KEYWORD)
    settings = [one for one in rest if one.kind is one.KEYWORD_ONLY]
    if first.kind is first.KEYWORD_ONLY or not inputs:
        raise _fault(function, f"{function.__name__} must take state and at least one input")
    body = {
        "function": staticmethod(function),
        "made_of": (function,),
        "is_compiled": True,
        "loops": {},
    }
    return _make(_Compiled, function, inputs, settings, told, body)


def _of_class(plain: type, told: _Told) -> OwnKind:
    update = getattr(plain, "update", None)
    if not isinstance(update, FunctionType):
        raise _fault(plain, f"{plain.__name__} has no method update(self, x) that gives the value of a bar")
    _, *rest = _parameters(update, plain, "self and its inputs")
    settings: list[inspect.Parameter] = []
    if isinstance(plain.__init__, FunctionType):  # type: ignore[misc]  # of this very class
        settings = _parameters(plain.__init__, plain, "self and its settings")[1:]  # type: ignore[misc]
    if not rest:
        raise _fault(plain, f"{plain.__name__}.update must take at least one input")
    plain.__qualname__ += ".plain"  # where pickle finds it, for its name is now the indicator's
    body = {"plain": plain, "made_of": (plain,), "is_compiled": False}
    return _make(_InPython, plain, tuple(one.name for one in rest), settings, told, body)


def _make(
    kind: type,
    made: type | FunctionType,
    inputs: tuple[str, ...],
    settings: Sequence[inspect.Parameter],
    told: _Told,
    body: dict[str, object],
) -> OwnKind:
    """The class of indicators."""
    by_name = [one.replace(kind=one.KEYWORD_ONLY) for one in settings]
    taken = [inspect.Parameter(name, inspect.Parameter.POSITIONAL_OR_KEYWORD) for name in inputs]
    shown = [*taken, *(one.replace(annotation=one.empty) for one in by_name)]
    doc = inspect.getdoc(made) or ""
    slow = "" if body["is_compiled"] else "\n\nRuns as Python code, slower than a compiled function."
    base = SingleOutput if len(told.outputs) == 1 else ManyOutputs
    name = made.__name__
    return OwnKind(
        name,
        (kind, base),
        body
        | {
            "__doc__": doc + slow,
            "__module__": made.__module__,
            "__qualname__": made.__qualname__.removesuffix(".plain"),
            "__signature__": inspect.Signature(by_name),
            "signature": inspect.Signature(shown),
            "name": name,
            "step": None,
            "inputs": inputs,
            "outputs": told.outputs,
            "conditions": told.conditions,
            "cumulative": told.cumulative,
            "told": told,
            "place": _place(made),
            "of_inputs": staticmethod(_not_here(name)),
        },
    )


class _Own(Indicator):
    """What the indicators of both kinds share."""

    told: ClassVar[_Told]
    place: ClassVar[str]
    __signature__: ClassVar[inspect.Signature]

    def _take(self, given: dict[str, object]) -> dict[str, Setting]:
        """The settings by name, with defaults, in their order."""
        try:
            bound = self.__signature__.bind(**given)
        except TypeError as error:
            settings = ", ".join(map(str, self.__signature__.parameters.values()))
            raise TypeError(f"{self.name}: {error}; its settings are {settings or 'none'}") from None
        bound.apply_defaults()
        taken = {name: self._setting(name, value) for name, value in bound.arguments.items()}
        self.settings = tuple(taken.values())
        return taken

    def _setting(self, name: str, value: object) -> Setting:
        if isinstance(value, np.generic):
            value = value.item()
        if not isinstance(value, bool | int | float | str):
            raise SentenceError(f"{self.name}: {name} must be a number or a text, not {value!r}")
        return value

    def _whole(self, what: str, told: Whole, settings: dict[str, Setting], lowest: int) -> int:
        """A number that the decorator was given, or a function of settings."""
        number: object = told
        if callable(told):
            wanted = inspect.signature(told).parameters
            for name in wanted:
                if name not in settings:
                    raise self._wrong(f"{what} of {self.name} asks for {name}, which is no setting of it")
            number = told(**{name: settings[name] for name in wanted})
        is_number = isinstance(number, int | float | np.number) and not isinstance(number, bool)
        if not is_number or number % 1 or number < lowest:  # type: ignore[operator]  # it is a number
            raise self._wrong(
                f"{what} of {self.name} is {number!r}, expected a whole number from {lowest} up"
            )
        return int(cast(float, number))

    def _wrong(self, sentence: str) -> SentenceError:
        return SentenceError(f"{self.place}: {sentence}")


class _Compiled(_Own):
    """An indicator of a function: a state whose front are its settings, and a step for their kinds."""

    function: ClassVar[Callable[..., object]]
    loops: ClassVar[dict[tuple[Kind, ...], Loop]]

    def __init__(self, **given: object) -> None:
        settings = self._take(given)
        self._kinds = tuple(self._kind(name, value) for name, value in settings.items())
        size = self._whole("state", self.told.state, settings, 0)
        if size > MOST_STATE:
            raise self._wrong(f"state of {self.name} is {size} numbers, at most {MOST_STATE} were expected")
        warmup = self._whole("warmup", self.told.warmup, settings, 1)
        state = np.empty(len(settings) + size)
        state[: len(settings)] = [cast(float, value) for value in settings.values()]
        try:
            state[len(settings) :] = self.told.initial
        except ValueError:
            sentence = f"initial of {self.name} must be one number or {size}, as many as state"
            raise self._wrong(sentence) from None
        super().__init__(state, 1, warmup)

    def _kind(self, name: str, value: Setting) -> Kind:
        wanted = self.__signature__.parameters[name].annotation
        wanted = {"int": int, "float": float, "bool": bool}.get(wanted, wanted)
        found = type(value)
        if found is str:
            raise SentenceError(f"{self.name}: {name} must be a number, for the function is compiled")
        if wanted is int and found is not int:
            raise ValueError(f"{name} must be a whole number, not {value!r}")
        return _KINDS[wanted if wanted in _KINDS and found is not bool else found]

    def _make_loop(self) -> Loop:
        if self._kinds not in self.loops:
            try:
                self.loops[self._kinds] = loop_around(
                    cast(FunctionType, self.function),
                    len(self.inputs),
                    self._kinds,
                    len(self.outputs),
                    self.conditions,
                )
            except CompileError as error:
                raise SentenceError(f"{error.place}: {error}") from error
        return self.loops[self._kinds]

    def _advance(self, values: tuple[float, ...]) -> None:
        try:
            super()._advance(values)
        except IndexError:
            raise self._beyond() from None

    def history(self, rows: FloatArray) -> FloatArray:
        """As of any indicator."""
        try:
            return super().history(rows)
        except IndexError:
            raise self._beyond() from None

    def _beyond(self) -> SentenceError:
        size = len(self.initial_state) - len(self._kinds)
        return self._wrong(f"{self.name} goes beyond the {size} numbers of its state")


class _Fresh:
    """What stands for the state of a class: a copy of it is a new object."""

    def __init__(self, plain: type, settings: dict[str, Setting]) -> None:
        self._plain = plain
        self._settings = settings

    def copy(self) -> object:
        """A new object of those settings."""
        return self._plain(**self._settings)


class _InPython(_Own):
    """An indicator of a class: its state is an object, its step calls `update`."""

    plain: ClassVar[type]

    def __init__(self, **given: object) -> None:
        settings = self._take(given)
        self.first_value = 1
        self.warmup_bars = self._whole("warmup", self.told.warmup, settings, 1)
        fresh = _Fresh(self.plain, settings)
        self.initial_state = cast(FloatArray, fresh)  # all that is asked of it is a copy
        self._state = cast(FloatArray, fresh.copy())
        self.loop = self._make_loop()
        self._row = np.empty((1, len(self.inputs)))
        self._out = np.empty((1, len(self.outputs)))

    def _make_loop(self) -> Loop:
        return cast(Loop, self._update)

    def _update(self, state: Any, rows: FloatArray, outs: FloatArray) -> None:  # noqa: ANN401
        for i, row in enumerate(rows.tolist()):
            self._set(outs[i], state.update(*row))

    def _set(self, out: FloatArray, value: Any) -> None:  # noqa: ANN401  # whatever `update` gave
        count = len(self.outputs)
        values = value if count > 1 else (value,)
        try:
            out[:] = [float(one) for one in values]
        except (TypeError, ValueError):
            expected = "a number" if count == 1 else f"a tuple of {count} numbers"
            raise self._wrong(f"{self.name}.update returned {value!r}, expected {expected}") from None
        if self.conditions:
            out[:] = (out != 0.0) & ~np.isnan(out)


def _parameters(function: FunctionType, made: object, expected: str) -> list[inspect.Parameter]:
    found = list(inspect.signature(function).parameters.values())
    if not found or any(one.kind not in _NAMED for one in found):
        raise _fault(made, f"{_name(made)} must take {expected}, each by its name")
    return found


def _not_here(name: str) -> Callable[..., Any]:
    def refuse(*_: object, **__: object) -> Any:  # noqa: ANN401
        raise TypeError(f"{name} takes settings by name; {name}(...).run(x) is a history, .update(x) one bar")

    return refuse


def _name(made: object) -> str:
    return getattr(made, "__name__", repr(made))


def _place(made: object) -> str:
    """File and line of a function or class, as far as they are known."""
    code = getattr(getattr(made, "update", made), "__code__", None)
    return f"{Path(code.co_filename).name} line {code.co_firstlineno}" if code else ""


def _fault(made: object, sentence: str) -> SentenceError:
    place = _place(made)
    return SentenceError(f"{place}: {sentence}" if place else sentence)
