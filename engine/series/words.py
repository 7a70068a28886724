"""A graph in words: an expression as a person would write it, and why a condition is true or false."""

from collections.abc import Callable, Mapping
from math import isnan

from engine.series.nodes import DECIDING, Feed, Node
from engine.series.operations import OPERATIONS

Names = Mapping[int, str]
"""Names that a person gave to nodes, by their numbers."""

Value = Callable[[Node], float | bool | None]
"""The value of a node on the bar that is spoken of, None where there is none."""

_LOOSEST, _TIGHTEST = 0, 10
_DIGITS = 7
_JOINED = {"and": " and ", "or": " or "}
_COMPARED = {"lt": "<", "le": "<=", "gt": ">", "ge": ">=", "eq": "==", "ne": "!="}


def expression(node: Node, names: Names | None = None, *, named: bool = True) -> str:
    """The node as an expression, with given names in the place of what they stand for.

    `named` false writes the node itself out though it has a name.
    """
    return _text(node, names or {}, _LOOSEST, named=named)


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


def feed_text(feed: Feed) -> str:
    """Bars of a feed as an expression: `on("1h")`."""
    of = f'of("{feed.symbol}").' if feed.symbol else ""
    on = f'on("{feed.timeframe}").' if feed.timeframe else ""
    return of + on


def _text(node: Node, names: Names, outer: int, *, named: bool = True) -> str:
    if named and node.number in names:
        return names[node.number]
    if node.op in OPERATIONS:
        operation = OPERATIONS[node.op]
        inner = operation.binds
        args = [
            _text(arg, names, _LOOSEST if inner == _TIGHTEST else inner + (k > 0))
            for k, arg in enumerate(node.args)
        ]
        text = operation.text.format(*args)
        return f"({text})" if inner < outer else text
    if node.op in {"past", "past_when"}:
        return _behind(node, f"{_text(node.args[-1], names, _TIGHTEST)}[{node.data[0]}]", names)
    if node.op == "join":
        return _text(node.args[0], names, outer)
    if node.op == "output":
        return _call(node, names)
    return _leaf(node)


def _leaf(node: Node) -> str:
    if node.op == "constant":
        value = node.data[0]
        return number_text(value).replace(",", "") if isinstance(value, (float, bool)) else str(value)
    if node.op == "clock":
        name, tz = node.data
        return f"{name}" if tz == "UTC" else f'{name}_in("{tz}")'
    name = {"time_ms": "time"}.get(str(node.data[0]), str(node.data[0]))
    return feed_text(node.feed or DECIDING) + name


def _call(node: Node, names: Names) -> str:
    call = node.args[0]
    name, *settings = call.data
    inputs = call.args[1:] if call.op == "call_when" else call.args
    given = [_text(arg, names, _LOOSEST) for arg in inputs]
    text = f"{name}({', '.join([*given, *(_setting(one) for one in settings)])})"
    outputs = getattr(call.payload, "outputs", ("",))
    if len(outputs) > 1:
        text = f"{text}.{outputs[int(node.data[0])]}"
    return _behind(call, text, names)


def _behind(node: Node, text: str, names: Names) -> str:
    """What advances only when a condition is true says so."""
    if not node.op.endswith("_when"):
        return text
    return f"executed_when({_text(node.args[0], names, _LOOSEST)}, {text})"


def _setting(value: object) -> str:
    return f"{value:g}" if isinstance(value, float) else str(value)


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
        inputs = ", ".join(_with_value(arg, value, names) for arg in node.args[0].args)
        return f"{node.args[0].data[0]}({inputs})"
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
