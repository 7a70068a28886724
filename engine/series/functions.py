"""Elementwise functions of series: choices, na, and arithmetic that has no operator."""

from typing import overload

from engine.series.nodes import (
    DECIDING,
    BoolSeries,
    Number,
    Series,
    SeriesError,
    at,
    common_feed,
    condition_of,
    elementwise,
    make,
    number_of,
    series_of,
)


@overload
def where(  # type: ignore[overload-overlap]  # bool is an int to Python, and a condition here
    condition: BoolSeries | bool, a: BoolSeries | bool, b: BoolSeries | bool
) -> BoolSeries: ...
@overload
def where(condition: BoolSeries | bool, a: Number, b: Number) -> Series: ...
def where(condition: object, a: object, b: object) -> Series | BoolSeries:
    """`a` on the bars where the condition is true, `b` on the others."""
    if isinstance(a, (BoolSeries, bool)) and isinstance(b, (BoolSeries, bool)):
        node = elementwise("where_condition", [condition_of(condition), condition_of(a), condition_of(b)])
    else:
        node = elementwise("where", [condition_of(condition), series_of(a), series_of(b)])
    assert isinstance(node, Series | BoolSeries)
    return node


def nz(x: Series, replacement: Number = 0.0) -> Series:
    """x, or the replacement where x is na."""
    return number_of("nz", x, replacement)


def na(x: Series) -> BoolSeries:
    """Whether x is na."""
    node = elementwise("na", [series_of(x)])
    assert isinstance(node, BoolSeries)
    return node


def minimum(a: Number, b: Number, *more: Number) -> Series:
    """The smallest on each bar; na where one is na."""
    node = number_of("min", a, b)
    return minimum(node, *more) if more else node


def maximum(a: Number, b: Number, *more: Number) -> Series:
    """The largest on each bar; na where one is na."""
    node = number_of("max", a, b)
    return maximum(node, *more) if more else node


def absolute(x: Series) -> Series:
    """x without its sign."""
    return number_of("abs", x)


def sqrt(x: Series) -> Series:
    """The square root; na below zero."""
    return number_of("sqrt", x)


def sign(x: Series) -> Series:
    """1 above zero, -1 below, 0 at zero, na where x is na."""
    return number_of("sign", x)


def floor(x: Series) -> Series:
    """The largest whole number not above x."""
    return number_of("floor", x)


def ceil(x: Series) -> Series:
    """The smallest whole number not below x."""
    return number_of("ceil", x)


def executed_when(condition: BoolSeries, call: Series) -> Series:
    """A call with memory that advances only on bars where the condition is true; on the others it is na, and
    false where it is a condition.

    This is what Pine does with a `ta` call behind a lazy `and`, `or` or inside an `if`: what it remembers is
    its previous *execution*, not the previous bar. `call` is what a function of `ta` returned, or x[n]; where
    it is executed on a condition already, both decide.
    """
    if not isinstance(call, Series | BoolSeries) or call.op not in {"output", "past", "past_when"}:
        raise SeriesError("executed_when takes what a function of ta returned, such as ta.change(x), or x[1]")
    decided = condition_of(condition)
    inner = call.args[0] if call.op == "output" else call
    inputs = inner.args
    if inner.op.endswith("_when"):
        decided, inputs = condition_of(inner.args[0]) & decided, inner.args[1:]
    feed = common_feed([decided, *inputs]) or DECIDING
    args = tuple(at(arg, feed) for arg in (decided, *inputs))
    name = "call_when" if call.op == "output" else "past_when"
    node = make(type(inner), name, args, inner.data, feed=feed, payload=inner.payload)
    if call.op == "output":
        node = make(type(call), "output", (node,), call.data, feed=feed)
    assert isinstance(node, Series | BoolSeries)
    return node  # type: ignore[return-value]  # a condition in, a condition out
