"""Whatever a person can define, written out as an expression and read again, is the very same node."""

from collections.abc import Callable
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from engine.indicators.catalog import INDICATORS
from engine.series import functions, ta
from engine.series.bar import BarSeries
from engine.series.nodes import BoolSeries, Node, Series
from engine.series.text import FIELDS, Expression
from engine.series.words import expression

Draw = Callable[..., Any]
_INDICATORS = (
    "atr",
    "bollinger",
    "crossover",
    "ema",
    "latch",
    "log",
    "macd",
    "market_structure",
    "ppo",
    "round",
)
"""Of one output and of several, of numbers and conditions, with settings of each kind."""
_FEEDS = [
    BarSeries(),
    BarSeries().on("1h"),
    BarSeries().of("BTCUSDT"),
    BarSeries().of("BTCUSDT").on("1h"),
]
_ZONED = ["hour_in", "minute_of_day_in", "weekday_in", "day_in", "new_day", "new_week"]
_ARITHMETIC: list[Callable[[Any, Any], Any]] = [
    lambda a, b: a + b,
    lambda a, b: a - b,
    lambda a, b: a * b,
    lambda a, b: a / b,
    lambda a, b: a % b,
    lambda a, b: a // b,
    functions.minimum,
    functions.maximum,
    functions.nz,
]
_OF_ONE: list[Callable[[Any], Any]] = [
    lambda a: -a,
    abs,
    functions.sqrt,
    functions.sign,
    functions.floor,
    functions.ceil,
    lambda a: a[1],
    lambda a: a[17],
]
_COMPARED: list[Callable[[Any, Any], Any]] = [
    lambda a, b: a < b,
    lambda a, b: a <= b,
    lambda a, b: a > b,
    lambda a, b: a >= b,
    lambda a, b: a == b,
    lambda a, b: a != b,
]
_LOGIC: list[Callable[[Any, Any], Any]] = [
    lambda a, b: a & b,
    lambda a, b: a | b,
    lambda a, b: a ^ b,
    lambda a, b: a == b,
    lambda a, b: ~a,
    lambda a, b: a[2],
]
_NUMBERS = st.one_of(st.integers(-(10**15), 10**15), st.floats(allow_subnormal=True))


@st.composite
def _nodes(draw: Draw) -> tuple[list[Node], list[str]]:
    """Nodes made of each other, and a name for each of them, or ""."""
    numbers: list[Series] = [draw(st.sampled_from(_FEEDS)).close]
    conditions: list[BoolSeries] = [numbers[0] > 1]
    makers = [_field, _number, _number, _condition, _condition, _indicator, _indicator, _executed]
    for _ in range(draw(st.integers(1, 12))):
        made = draw(st.sampled_from(makers))(draw, numbers, conditions)
        (conditions if isinstance(made, BoolSeries) else numbers).append(made)
    nodes: list[Node] = [*numbers, *conditions]
    return nodes, [draw(st.sampled_from(["", f"n{k}"])) for k in range(len(nodes))]


def _one(draw: Draw, numbers: list[Series]) -> Series:
    return draw(st.sampled_from(numbers[-6:]))


def _other(draw: Draw, numbers: list[Series]) -> Series | float:
    return draw(_NUMBERS) if draw(st.integers(0, 3)) == 0 else _one(draw, numbers)


def _field(draw: Draw, numbers: list[Series], conditions: list[BoolSeries]) -> Node:
    bar = draw(st.sampled_from(_FEEDS))
    if draw(st.booleans()):
        return getattr(bar, draw(st.sampled_from(sorted(FIELDS.values()))))
    return getattr(bar, draw(st.sampled_from(_ZONED)))(draw(st.sampled_from(["UTC", "Europe/Berlin"])))


def _number(draw: Draw, numbers: list[Series], conditions: list[BoolSeries]) -> Node:
    a, b = _one(draw, numbers), _other(draw, numbers)
    kind = draw(st.integers(0, 3))
    if kind == 0:
        return draw(st.sampled_from(_OF_ONE))(a)
    if kind == 1:
        return functions.where(draw(st.sampled_from(conditions[-6:])), a, b)
    pair = (b, a) if draw(st.booleans()) and isinstance(b, Series) else (a, b)
    return draw(st.sampled_from(_ARITHMETIC))(*pair)


def _condition(draw: Draw, numbers: list[Series], conditions: list[BoolSeries]) -> Node:
    if draw(st.booleans()):
        return draw(st.sampled_from(_COMPARED))(_one(draw, numbers), _other(draw, numbers))
    a, b, c = (draw(st.sampled_from(conditions[-6:])) for _ in range(3))
    choices = [functions.na(_one(draw, numbers)), functions.where(a, b, c)]
    choices += [functions.where(a, b, False), draw(st.sampled_from(_LOGIC))(a, b)]
    return draw(st.sampled_from(choices))


def _indicator(draw: Draw, numbers: list[Series], conditions: list[BoolSeries]) -> Node:
    cls = INDICATORS[draw(st.sampled_from(_INDICATORS))]
    inputs = [
        draw(st.sampled_from(conditions[-6:])) if draw(st.booleans()) else _one(draw, numbers)
        for _ in cls.inputs
    ]
    made = getattr(ta, cls.name)(*inputs, *draw(st.sampled_from(cls.examples)))
    return draw(st.sampled_from(list(made))) if isinstance(made, tuple) else made


def _executed(draw: Draw, numbers: list[Series], conditions: list[BoolSeries]) -> Node:
    calls: list[Any] = [one for one in [*numbers, *conditions] if one.op in {"output", "past"}]
    return functions.executed_when(conditions[-1], draw(st.sampled_from(calls))) if calls else numbers[0]


@settings(suppress_health_check=[HealthCheck.too_slow])  # an indicator is loaded when first drawn
@given(_nodes())
def test_an_expression_read_back_is_the_very_node_it_was_written_from(
    drawn: tuple[list[Node], list[str]],
) -> None:
    nodes, given_names = drawn
    names = {node.number: name for node, name in zip(nodes, given_names, strict=True) if name}
    by_name: dict[str, object] = {name: node for node in nodes if (name := names.get(node.number, ""))}
    for node in nodes:
        assert Expression(expression(node)).value({}) is node
        assert Expression(expression(node, names, named=False)).value(by_name) is node
