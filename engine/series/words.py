"""A graph in words: an expression as a person would write it, and why a condition is true or false."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from math import isfinite, isnan

from engine.series.nodes import DECIDING, Feed, Node, ordered
from engine.series.operations import OPERATIONS

Names = Mapping[int, str]
"""Names that a person gave to nodes, by their numbers."""

Value = Callable[[Node], float | bool | None]
"""The value of a node on the bar that is spoken of, None where there is none."""

_LOOSEST, _COMPARES, _TIGHTEST = 0, 4, 10
"""How tightly operations bind; a comparison inside another one has brackets, for `a < b < c` is none."""
_DIGITS = 7
_LONGEST_NUMBER, _LONGEST_CONDITION, _LEFT_OUT = 40, 300, "..."
"""Nodes of what a reason writes out, and what stands for longer ones."""
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


def _shown(node: Node) -> str:
    """What `print` says of a series: its expression, in which what is long is `...`."""
    return f"<{type(node).__name__} {expression(node, _shortened(node, {}), named=False)}>"


Node.__repr__ = _shown  # type: ignore[method-assign, assignment]  # here, as words are made of nodes


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
    why it is true. What is long is `...`, unless it has a name.
    """
    return _Account(value, _shortened(condition, names or {})).reason(condition)


def _shortened(condition: Node, names: Names) -> Names:
    """The names, and one for what would be too long: written out, a graph can be longer than any memory."""
    lengths: dict[int, int] = {}
    made = dict(names)
    for node in ordered([condition]):
        length = 1 + sum(1 if arg.number in made else lengths[arg.number] for arg in node.args)
        lengths[node.number] = length
        if node.number not in made and length > (
            _LONGEST_CONDITION if node.is_condition else _LONGEST_NUMBER
        ):
            made[node.number] = _LEFT_OUT
    return made


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


@dataclass(slots=True)
class _Account:
    """One reason: values and names, and the names that it has explained."""

    value: Value
    names: Names
    explained: set[int] = field(default_factory=set)

    def reason(self, node: Node, outer: int = _LOOSEST) -> str:
        """A condition with the numbers of what decides; a name is explained where it comes first."""
        name = self.names.get(node.number)
        if name is None:
            return self._unnamed(node, outer)
        if name == _LEFT_OUT or node.number in self.explained:
            return name
        self.explained.add(node.number)
        return f"{name} ({self._unnamed(node, _LOOSEST)})"

    def _unnamed(self, node: Node, outer: int) -> str:
        if node.op == "join":
            return self.reason(node.args[0], outer)
        if node.op in _JOINED:
            return self._joined(node, outer)
        if node.op == "not":
            return f"not ({self.reason(node.args[0])})"
        if node.op in _COMPARED:
            left, right = map(self._with_value, node.args)
            return f"{left} {_COMPARED[node.op]} {right}"
        if node.op == "output":
            return _called(node, self.names, DECIDING, self._with_value)
        return _text(node, self.names, _LOOSEST, named=False)

    def _joined(self, node: Node, outer: int) -> str:
        """The parts that decide; all of them where all do."""
        parts = _parts(node, node.op, self.names)
        decisive = [part for part in parts if self.value(part) is (node.op == "or")]
        binds = OPERATIONS[node.op].binds
        text = _JOINED[node.op].join(self.reason(part, binds + 1) for part in decisive or parts)
        return f"({text})" if outer > binds and len(decisive or parts) > 1 else text

    def _with_value(self, node: Node) -> str:
        text = _text(node, self.names, _LOOSEST)
        return text if node.op == "constant" else f"{text} {number_text(self.value(node))}"


def _parts(node: Node, op: str, names: Names) -> list[Node]:
    """What is joined by one operation, in the order it is written; a part with a name of its own is one."""
    found: list[Node] = []
    waiting = [*reversed(node.args)]
    while waiting:
        part = waiting.pop()
        if part.op == op and part.number not in names:
            waiting += reversed(part.args)
        else:
            found.append(part)
    return found
