"""A graph in words: an expression as a person would write it, and why a condition is true or false."""

from collections.abc import Callable, Mapping
from math import isfinite, isnan

from engine.series.nodes import DECIDING, Feed, Node
from engine.series.operations import OPERATIONS

Names = Mapping[int, str]
"""Names that a person gave to nodes, by their numbers."""

Value = Callable[[Node], float | bool | None]
"""The value of a node on the bar that is spoken of, None where there is none."""

_LOOSEST, _COMPARES, _TIGHTEST = 0, 4, 10
"""How tightly operations bind; a comparison inside another one has brackets, for `a < b < c` is none."""
_DIGITS = 7
_LARGEST_WHOLE = 1e15
_PLAIN_CLOCK = ("hour", "minute", "weekday")
"""Parts of the time that have a name of their own in UTC."""
_JOINED = {"and": " and ", "or": " or "}
_COMPARED = {"lt": "<", "le": "<=", "gt": ">", "ge": ">=", "eq": "==", "ne": "!="}


def expression(node: Node, names: Names | None = None, *, named: bool = True) -> str:
    """The node as an expression, with given names in the place of what they stand for.

    `named` false writes the node itself out though it has a name. `engine.series.text` reads it back.
    """
    return _text(node, names or {}, _LOOSEST, named=named)


def constant_text(value: float | bool) -> str:
    """A constant with all its digits, as the expression that gives it."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if not isfinite(value):
        return "na" if isnan(value) else f"{value}"
    is_whole = value.is_integer() and abs(value) < _LARGEST_WHOLE and str(value) != "-0.0"
    return str(int(value)) if is_whole else repr(value)


def number_text(value: float | bool | None) -> str:
    """A value for a person: seven digits, thousands apart."""
    if value is None:
        return "not yet known"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isnan(value):
        return "na"
    size = abs(value)
    if size and not 1e-6 <= size < 1e15:
        return f"{value:.6g}"
    whole = len(str(int(size))) if size >= 1.0 else 1
    text = f"{value:,.{max(0, _DIGITS - whole)}f}"
    return text.rstrip("0").rstrip(".") if "." in text else text


def reason(condition: Node, value: Value, names: Names | None = None) -> str:
    """Why a condition is what it is: its comparisons with the numbers on both sides.

    Of several joined by `and` the false ones say why it is false; of several joined by `or` the true ones say
    why it is true.
    """
    return _reason(condition, value, names or {}, _LOOSEST)


def on_feed(feed: Feed, text: str) -> str:
    """An expression about the bars of a feed, as it is written beside those of the deciding bars."""
    if feed.symbol:
        text = f'of("{feed.symbol}", {text})'
    return f'on("{feed.timeframe}", {text})' if feed.timeframe else text


def _text(node: Node, names: Names, outer: int, feed: Feed = DECIDING, *, named: bool = True) -> str:
    """The node inside an expression about the bars of `feed`, whose operation binds by `outer`."""
    if named and node.number in names:
        return names[node.number]
    if node.op == "join":
        return _text(node.args[0], names, outer, feed)
    if node.feed is not None and node.feed != feed:
        return on_feed(node.feed, _text(node, names, _LOOSEST, node.feed, named=named))
    if node.op in OPERATIONS:
        return _operation(node, names, outer, feed)
    if node.op in {"past", "past_when"}:
        return _behind(node, f"{_text(node.args[-1], names, _TIGHTEST, feed)}[{node.data[0]}]", names, feed)
    return _call(node, names, feed) if node.op == "output" else _leaf(node)


def _operation(node: Node, names: Names, outer: int, feed: Feed) -> str:
    operation = OPERATIONS[node.op]
    inner = operation.binds
    args = [
        _text(arg, names, _LOOSEST if inner == _TIGHTEST else inner + (k > 0 or inner == _COMPARES), feed)
        for k, arg in enumerate(node.args)
    ]
    text = operation.text.format(*args)
    return f"({text})" if inner < outer else text


def _leaf(node: Node) -> str:
    if node.op == "constant":
        value = node.data[0]
        return constant_text(value) if isinstance(value, (float, bool)) else str(value)
    if node.op == "clock":
        name, tz = node.data
        is_plain = tz == "UTC" and name in _PLAIN_CLOCK
        return f"{name}" if is_plain else f'{name}_in("{tz}")'
    return {"time_ms": "time"}.get(str(node.data[0]), str(node.data[0]))


def _call(node: Node, names: Names, feed: Feed) -> str:
    return _called(node, names, feed, lambda arg: _text(arg, names, _LOOSEST, feed))


def _called(node: Node, names: Names, feed: Feed, written: Callable[[Node], str]) -> str:
    """One output of a call, its inputs as `written` has them."""
    call = node.args[0]
    name, *settings = call.data
    inputs = call.args[1:] if call.op == "call_when" else call.args
    text = f"{name}({', '.join([*map(written, inputs), *map(_setting, settings)])})"
    outputs = getattr(call.payload, "outputs", ("",))
    if len(outputs) > 1:
        text = f"{text}.{outputs[int(node.data[0])]}"
    return _behind(call, text, names, feed)


def _behind(node: Node, text: str, names: Names, feed: Feed) -> str:
    """What advances only when a condition is true says so."""
    if not node.op.endswith("_when"):
        return text
    return f"executed_when({_text(node.args[0], names, _LOOSEST, feed)}, {text})"


def _setting(value: object) -> str:
    if isinstance(value, bool):
        return constant_text(value)
    return f'"{value}"' if isinstance(value, str) else repr(value)


def _reason(node: Node, value: Value, names: Names, outer: int) -> str:
    if node.op == "join":
        return _reason(node.args[0], value, names, outer)
    if node.op in _JOINED:
        return _joined(node, value, names, outer)
    if node.op == "not":
        return f"not ({_reason(node.args[0], value, names, _LOOSEST)})"
    if node.op in _COMPARED and node.number not in names:
        left, right = (_with_value(arg, value, names) for arg in node.args)
        return f"{left} {_COMPARED[node.op]} {right}"
    if node.op == "output" and node.number not in names:
        return _called(node, names, DECIDING, lambda arg: _with_value(arg, value, names))
    if node.number in names and node.op in _COMPARED:
        left, right = (_with_value(arg, value, names) for arg in node.args)
        return f"{names[node.number]} ({left} {_COMPARED[node.op]} {right})"
    return _text(node, names, _LOOSEST)


def _joined(node: Node, value: Value, names: Names, outer: int) -> str:
    """The parts that decide; all of them where all do."""
    parts = _parts(node, node.op)
    decisive = [part for part in parts if value(part) is (node.op == "or")]
    text = _JOINED[node.op].join(
        _reason(part, value, names, OPERATIONS[node.op].binds + 1) for part in decisive or parts
    )
    return f"({text})" if outer > OPERATIONS[node.op].binds and len(decisive or parts) > 1 else text


def _parts(node: Node, op: str) -> list[Node]:
    if node.op != op:
        return [node]
    return [part for arg in node.args for part in _parts(arg, op)]


def _with_value(node: Node, value: Value, names: Names) -> str:
    text = _text(node, names, _LOOSEST)
    return text if node.op == "constant" else f"{text} {number_text(value(node))}"
