"""Functions that make nodes of indicators, those of the catalog and one's own. `ta` has them by name."""

import inspect
from collections.abc import Callable
from typing import Any

from engine.indicators import own
from engine.indicators.stream import Indicator
from engine.model.named_arguments import unknown
from engine.series.bar import BarSeries
from engine.series.nodes import (
    DECIDING,
    BoolSeries,
    Data,
    Node,
    Series,
    SeriesError,
    at,
    common_feed,
    condition_of,
    make,
    series_of,
)
from engine.series.other_names import BAR_FIELDS, written
from engine.series.outputs import outputs_of

_LENGTHS = ("len", "period", "periods", "window", "span", "timeperiod", "n")
"""What other libraries call a length."""


def indicator(made: Any = None, /, **told: Any) -> Any:  # noqa: ANN401  # a function or a class
    """Make an indicator of your own: `@ta.indicator` above a function over a state, or a class with `update`.

    What it makes takes series and then settings by name, as a function of `ta` does. `engine.indicators.own`
    says what may be told: `state`, `initial`, `warmup`, `outputs`, `conditions`, `cumulative`.
    """
    if made is None:
        return lambda above: indicator(above, **told)
    cls = own.indicator(made, **told)
    cls.of_inputs = staticmethod(function_of(cls))
    return cls


def function_of(cls: type[Indicator]) -> Callable[..., Any]:
    """The function that makes nodes of an indicator."""
    outputs = outputs_of(cls) if len(cls.outputs) > 1 else None

    def call(*args: Any, **kwargs: Any) -> Any:  # noqa: ANN401  # `ta.pyi` says what it takes
        settings = dict(kwargs)
        inputs, rest = _inputs_of(cls, args, settings)
        _refuse_series([*rest, *settings.values()], cls)
        _refuse_unknown(settings, cls)
        try:
            made = type.__call__(cls, *rest, **settings)
        except (TypeError, ValueError) as error:
            raise SeriesError(f"ta.{cls.name}: {_settings_sentence(cls, args, error)}") from None
        nodes = [_output(made, inputs, k) for k in range(len(cls.outputs))]
        return nodes[0] if outputs is None else outputs(*nodes)

    call.__name__ = call.__qualname__ = cls.name
    call.__doc__ = inspect.getdoc(cls)
    return call


def _inputs_of(
    cls: type[Indicator], args: tuple[Any, ...], kwargs: dict[str, Any]
) -> tuple[list[Node], tuple[Any, ...]]:
    """The input nodes, and the arguments left for the settings; inputs named in `kwargs` are taken out."""
    left = list(args)
    bar = left.pop(0) if left and isinstance(left[0], BarSeries) else None
    if bar is not None and not BAR_FIELDS & set(cls.inputs):
        raise SeriesError(f"ta.{cls.name} takes a series, such as bar.close, not the bar")
    inputs: list[Node] = []
    for name in cls.inputs:
        if name in kwargs:
            given = kwargs.pop(name)
        elif bar is not None and (name in BAR_FIELDS or name == "x"):
            given = getattr(bar, "close" if name == "x" else name)
        elif left:
            given = left.pop(0)
        else:
            raise SeriesError(
                f"ta.{cls.name} takes {_input_names(cls)}; {name} is missing{_example(cls, args)}"
            )
        if isinstance(given, BarSeries):
            raise SeriesError(f"ta.{cls.name}: {name} is the bar, a series such as bar.close was expected")
        inputs.append(_input(cls.name, name, given))
    return inputs, tuple(left)


def _input_names(cls: type[Indicator]) -> str:
    names = ", ".join(cls.inputs)
    return f"the bar or {names}" if BAR_FIELDS & set(cls.inputs) else names


def _example(cls: type[Indicator], args: tuple[Any, ...]) -> str:
    """How settings alone, as Pine takes them, are written with the bar before; "" where series are given."""
    if not args:
        return f"; write {written(cls, 'bar.close')}"
    if not all(isinstance(one, int | float) for one in args):
        return ""
    first = "bar" if BAR_FIELDS & set(cls.inputs) else "bar.close"
    return f"; write ta.{cls.name}({', '.join([first, *map(repr, args)])})"


def _refuse_series(settings: list[Any], cls: type[Indicator]) -> None:
    if any(isinstance(one, Node | BarSeries) for one in settings):
        raise SeriesError(
            f"ta.{cls.name} takes series first, then its settings, which are numbers: write {written(cls)}"
        )


def _refuse_unknown(settings: dict[str, Any], cls: type[Indicator]) -> None:
    taken = inspect.signature(cls).parameters
    for name in settings:
        if name not in taken:
            said = unknown(f"ta.{cls.name}", name, taken, dict.fromkeys(_LENGTHS, "length"))
            shown = ", ".join(map(str, taken.values())) or "none"
            raise SeriesError(f"{said}; it takes {', '.join(cls.inputs)} and the settings ({shown})")


def _input(indicator: str, name: str, given: object) -> Node:
    """A condition is 1 or 0 to an indicator."""
    try:
        return condition_of(given) if isinstance(given, BoolSeries | bool) else series_of(given)
    except SeriesError as error:
        raise SeriesError(f"ta.{indicator}: {name}: {error}") from None


def _output(indicator: Indicator, inputs: list[Node], k: int) -> Node:
    feed = common_feed(inputs) or DECIDING
    args = tuple(at(node, feed) for node in inputs)
    data: Data = (indicator.name, *indicator.settings)
    call = make(Node, "call", args, data, feed=feed, payload=indicator)
    return make(BoolSeries if indicator.conditions else Series, "output", (call,), (k,), feed=feed)


def _settings_sentence(cls: type[Indicator], args: tuple[Any, ...], error: Exception) -> str:
    settings = ", ".join(str(one) for one in inspect.signature(cls).parameters.values())
    if isinstance(error, TypeError):
        said = f"it takes {', '.join(cls.inputs)} and the settings ({settings or 'none'})"
        constants = tuple(args) if all(isinstance(one, int | float) for one in args) else ()
        return f"{said}{_example(cls, constants)}" if constants else said
    return str(error)
