"""ta.pyi, made from the catalog: `python -m engine.series.stub` writes it.

To a type checker a module whose functions are made on demand has none; with the stub `ta.ema(bar.close, 20)`
is a Series and `ta.macd(bar).signal` too.
"""

import inspect
from collections.abc import Iterator
from pathlib import Path
from typing import Literal, get_args, get_origin

from engine.indicators.catalog import INDICATORS
from engine.indicators.stream import Indicator
from engine.series.other_names import BAR_FIELDS

PATH = Path(__file__).with_name("ta.pyi")
_HEAD = '''"""Made by `python -m engine.series.stub`."""
# ruff: noqa: A001, ANN401, PYI021  # names are Pine's; an own indicator may be anything

from collections.abc import Callable, Sequence
from typing import Any, Literal, NamedTuple, Protocol, TypeAlias, overload

from engine.series.bar import BarSeries
from engine.series.nodes import BoolSeries, Series

_Given: TypeAlias = Series | BoolSeries | float

class OwnIndicator(Protocol):
    def __call__(self, *inputs: _Given | BarSeries, **named: Any) -> Any: ...

@overload
def indicator(made: Callable[..., Any], /) -> OwnIndicator: ...
@overload
def indicator(
    *,
    state: int | Callable[..., int] = 0,
    initial: float | Sequence[float] = 0.0,
    warmup: int | Callable[..., int] = 1,
    outputs: Sequence[str] = ("value",),
    conditions: bool = False,
    cumulative: bool = False,
) -> Callable[[Callable[..., Any]], OwnIndicator]: ...
'''


def text() -> str:
    """The stub of all indicators of the catalog."""
    return "".join([_HEAD, *(part for cls in INDICATORS.values() for part in _parts(cls))])


def _parts(cls: type[Indicator]) -> Iterator[str]:
    answer = "BoolSeries" if cls.conditions else "Series"
    if len(cls.outputs) > 1:
        lines = "".join(f"    {name}: {answer}\n" for name in cls.outputs)
        answer = f"_{cls.__name__}"
        yield f"\nclass {answer}(NamedTuple):\n{lines}"
    settings = [_setting(one) for one in inspect.signature(cls).parameters.values()]
    ways = [[f"{name}: _Given" for name in cls.inputs]]
    if BAR_FIELDS & set(cls.inputs):
        others = [f"{name}: _Given" for name in cls.inputs if name not in {*BAR_FIELDS, "x"}]
        ways.append(["bar: BarSeries", "/", *others])
    for way in ways:
        above = "@overload\n" if len(ways) > 1 else ""
        yield f"\n{above}def {cls.name}({', '.join([*way, *settings])}) -> {answer}: ...\n"


def _setting(one: inspect.Parameter) -> str:
    default = "" if one.default is one.empty else f" = {one.default!r}"
    return f"{one.name}: {_type(one.annotation)}{default}"


def _type(annotation: object) -> str:
    if get_origin(annotation) is Literal:
        return f"Literal[{', '.join(map(repr, get_args(annotation)))}]"
    return getattr(annotation, "__name__", "Any")


if __name__ == "__main__":
    PATH.write_text(text(), encoding="utf-8")
