"""Indicators over whole histories: `batch.ema(prices, 14)` is `Ema(14).run(prices)`.

Each indicator of the catalog is a function here, under its name. It takes the arrays of the indicator's
`inputs`, then the settings of its class, all by position or by name, and returns one array for each output.
"""

import inspect
from collections.abc import Callable
from typing import Any

from engine.indicators.catalog import INDICATORS
from engine.indicators.stream import ManyOutputs, SingleOutput

_KIND = inspect.Parameter.POSITIONAL_OR_KEYWORD


def __getattr__(name: str) -> Callable[..., Any]:
    """The function of an indicator, made when it is first asked for."""
    if name not in INDICATORS:
        raise AttributeError(f"there is no indicator {name!r}; there are {', '.join(INDICATORS)}")
    function = globals()[name] = _over_history(INDICATORS[name])
    return function


def __dir__() -> list[str]:
    return [*INDICATORS]


def _over_history(cls: type[SingleOutput] | type[ManyOutputs]) -> Callable[..., Any]:
    arrays = [inspect.Parameter(name, _KIND) for name in cls.inputs]
    settings = inspect.signature(cls).parameters.values()
    signature = inspect.Signature([*arrays, *settings])
    count = len(arrays)

    def over_history(*args: Any, **kwargs: Any) -> Any:  # noqa: ANN401  # `signature` says what it takes
        bound = signature.bind(*args, **kwargs)
        bound.apply_defaults()
        values = bound.args
        return cls(*values[count:]).run(*values[:count])

    over_history.__name__ = over_history.__qualname__ = cls.name
    over_history.__doc__ = f"{', '.join(cls.outputs)}. {inspect.getdoc(cls)}"
    over_history.__signature__ = signature  # type: ignore[attr-defined]  # what `help` shows
    return over_history
