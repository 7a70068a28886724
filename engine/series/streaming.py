"""The graph a bar at a time: one straight-line Python function a feed, written from its nodes.

Each node becomes a line or two; an indicator is one call of its compiled step. What has memory keeps it in
`Memory`, a list of plain objects, so that an evaluator can be copied to another process.
"""

from collections import deque
from collections.abc import Callable, Sequence
from copy import deepcopy
from math import inf, nan
from types import CodeType
from typing import Any

import numpy as np

from engine.indicators.stream import Indicator
from engine.model.bars import Bar
from engine.series.clock import of_one
from engine.series.nodes import DECIDING, Feed, Node, ordered
from engine.series.operations import OPERATIONS, PYTHON_NAMES

Memory = list[Any]
Advance = Callable[[Bar], tuple[Any, ...]]

_FIELD_TEXT = {
    "open": "bar.open",
    "high": "bar.high",
    "low": "bar.low",
    "close": "bar.close",
    "volume": "bar.volume_base",
    "time_ms": "float(bar.open_time_ns // 1000000)",
}


class Stream:
    """Evaluates a graph a bar at a time.

    `roots` are nodes of the deciding feed. Bars of the other feeds are given first where they close together.
    """

    def __init__(self, roots: Sequence[Node], memory: Memory | None = None) -> None:
        self.roots = tuple(roots)
        self.nodes = ordered(roots)
        self._writer = _Writer(self.nodes, self.roots)
        self._start = self._writer.memory
        self.memory: Memory = deepcopy(self._start) if memory is None else memory
        self._bind()

    def reset(self) -> None:
        """Forget everything seen."""
        self.memory = deepcopy(self._start)
        self._bind()

    def advance(self, bar: Bar, feed: Feed = DECIDING) -> tuple[Any, ...]:
        """Take in one closed bar of a feed; the values of the roots where it is the deciding one."""
        return self._advance[feed](bar)

    @property
    def feeds(self) -> tuple[Feed, ...]:
        """The feeds it must be given, the deciding one last."""
        return tuple(self._advance)

    def last(self, node: Node) -> float | bool | None:
        """The node's value on the last bar of its feed; None before the first."""
        if node.op == "constant":
            return node.data[0]  # type: ignore[return-value]  # a number or a condition
        position = self._writer.place.get(node.number)
        if position is None:
            return None
        feed, index = position
        values: tuple[Any, ...] = self._last[feed][0]
        return values[index] if values else None

    def _bind(self) -> None:
        """Make the written functions around this evaluator's memory."""
        self._advance: dict[Feed, Advance] = {}
        self._last: dict[Feed, list[tuple[Any, ...]]] = {}
        names: dict[str, object] = dict(PYTHON_NAMES) | {
            "nan": nan,
            "inf": inf,
            "of_one": of_one,
            "M": self.memory,
        }
        for node in self.nodes:
            if isinstance(node.payload, Indicator) and node.op in {"call", "call_when"}:
                self._writer.bind_call(node, self.memory, names)
        for feed, code in self._writer.codes.items():
            last: list[tuple[Any, ...]] = [()]
            own = names | {"LAST": last}
            exec(code, own)  # noqa: S102  # text written by this file
            self._advance[feed] = own["advance"]  # type: ignore[assignment]
            self._last[feed] = last
        self.decide = self._advance[DECIDING]
        """`advance` by a deciding bar."""


class _Writer:
    """Writes the functions; `place` says where a node's value is among those of its feed's last bar."""

    def __init__(self, nodes: Sequence[Node], roots: Sequence[Node]) -> None:
        self.memory: Memory = []
        self.place: dict[int, tuple[Feed, int]] = {}
        self.codes: dict[Feed, CodeType] = {}
        self._cell: dict[int, int] = {}
        joined = [node.args[0].number for node in nodes if node.op == "join"]
        self._joined = {number: self._remember([nan]) for number in joined}
        for node in nodes:
            if node.op == "join" and node.is_condition:
                self.memory[self._joined[node.args[0].number]][0] = False
        feeds = {node.feed for node in nodes} - {None, DECIDING}
        for feed in [*sorted(feed for feed in feeds if feed), DECIDING]:
            text = self._text(feed, nodes, roots if feed == DECIDING else ())
            self.codes[feed] = compile(text, f"<series of {feed}>", "exec")

    def bind_call(self, node: Node, memory: Memory, names: dict[str, object]) -> None:
        """Give a call's text its step, state, and views by which a row is written and read."""
        indicator = node.payload
        assert isinstance(indicator, Indicator)
        row, out = np.zeros((1, max(1, len(indicator.inputs)))), np.full((1, len(indicator.outputs)), nan)
        k = node.number
        names[f"f{k}"] = indicator.loop
        names[f"s{k}"] = memory[self._cell[k]]
        names[f"a{k}"], names[f"b{k}"] = row, out
        names[f"r{k}"] = row.data.cast("B").cast("d")
        names[f"o{k}"] = out.data.cast("B").cast("d")

    def _remember(self, what: object) -> int:
        self.memory.append(what)
        return len(self.memory) - 1

    def _text(self, feed: Feed, nodes: Sequence[Node], roots: Sequence[Node]) -> str:
        lines = ["def advance(bar):"]
        names: list[str] = []
        for node in nodes:
            if node.feed == feed:
                lines += [f"    {line}" for line in self._lines(node)]
                if node.op not in {"call", "call_when"}:
                    self.place[node.number] = (feed, len(names))
                    names.append(_name(node))
        for node in nodes:
            if node.feed == feed and node.number in self._joined:
                lines.append(f"    M[{self._joined[node.number]}][0] = {_name(node)}")
        lines.append(f"    LAST[0] = ({''.join(f'{name}, ' for name in names)})")
        lines.append(f"    return ({''.join(f'{_name(node)}, ' for node in roots)})")
        return "\n".join(lines)

    def _lines(self, node: Node) -> list[str]:
        name, args = _name(node), [_name(arg) for arg in node.args]
        if node.op in OPERATIONS:
            return [f"{name} = {OPERATIONS[node.op].python.format(*args)}"]
        if node.op == "field":
            return self._field(name, str(node.data[0]))
        if node.op == "clock":
            return [f"{name} = of_one({node.data[0]!r}, {node.data[1]!r}, {args[0]})"]
        if node.op == "join":
            return [f"{name} = M[{self._joined[node.args[0].number]}][0]"]
        if node.op in {"past", "past_when"}:
            return self._past(node, name, args)
        if node.op in {"call", "call_when"}:
            return self._call(node, args)
        return self._output(node, name)

    def _field(self, name: str, field: str) -> list[str]:
        if field != "bar_index":
            return [f"{name} = {_FIELD_TEXT[field]}"]
        cell = self._remember([0.0])
        return [f"{name} = M[{cell}][0]", f"M[{cell}][0] = {name} + 1.0"]

    def _past(self, node: Node, name: str, args: list[str]) -> list[str]:
        bars, nothing = int(node.data[0]), False if node.is_condition else nan
        queue = self._remember(deque([nothing] * bars))
        value = args[-1]
        moved = [f"M[{queue}].append({value})", f"{name} = M[{queue}].popleft()"]
        if node.op == "past":
            return moved
        return [f"{name} = {nothing!r}", f"if {args[0]}:", *(f"    {line}" for line in moved)]

    def _call(self, node: Node, args: list[str]) -> list[str]:
        indicator = node.payload
        assert isinstance(indicator, Indicator)
        k = node.number
        self._cell[k] = self._remember(indicator.initial_state.copy())
        conditional = node.op == "call_when"
        lines = []
        for position, arg in enumerate(node.args[1:] if conditional else node.args):
            value = _name(arg)
            lines.append(f"r{k}[{position}] = {f'1.0 if {value} else 0.0' if arg.is_condition else value}")
        lines.append(f"f{k}(s{k}, a{k}, b{k})")
        if not conditional:
            return lines
        empty = [f"    o{k}[{j}] = nan" for j in range(len(indicator.outputs))]
        return [f"if {args[0]}:", *(f"    {line}" for line in lines), "else:", *empty]

    def _output(self, node: Node, name: str) -> list[str]:
        value = f"o{node.args[0].number}[{node.data[0]}]"
        return [f"{name} = {value} > 0.0" if node.is_condition else f"{name} = {value}"]


def _name(node: Node) -> str:
    """A node's variable, or a constant as it is written."""
    if node.op != "constant":
        return f"v{node.number}"
    value = node.data[0]
    return f"({value!r})" if isinstance(value, float) and value < 0 else repr(value)
