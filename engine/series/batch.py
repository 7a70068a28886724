"""The graph over a history: each node once, as an array with one element a bar of its feed."""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from engine.compiled.functions import FloatArray
from engine.indicators.stream import Indicator
from engine.model.bars import Bars
from engine.series.clock import of_many
from engine.series.feeds import Feeds
from engine.series.nodes import DECIDING, Feed, Node, ordered
from engine.series.operations import OPERATIONS

Array = NDArray[Any]
_MS_NS = 1_000_000


class History:
    """Evaluates graphs over one history.

    With `keep`, values stay for later graphs over the same history, so that a search over parameters computes
    no common part twice; without, an array is dropped as soon as nothing needs it any more.
    """

    def __init__(self, feeds: Feeds, *, keep: bool = False) -> None:
        self.feeds = feeds
        self._keep = keep
        self._kept: dict[int, tuple[Node, Array]] = {}

    def values(self, roots: Sequence[Node]) -> list[Array]:
        """One array for each root, float64 or bool, with one element a bar of the root's feed."""
        nodes = ordered(roots)
        left = {node.number: 0 for node in nodes}
        for needed in [roots, *(node.args for node in nodes)]:
            for node in needed:
                left[node.number] += 1
        found: dict[int, Array] = {}
        with np.errstate(all="ignore"):
            for node in nodes:
                found[node.number] = self._value(node, found)
                for arg in node.args:
                    left[arg.number] -= 1
                    if not left[arg.number]:
                        del found[arg.number]
        return [self._whole(node, found[node.number]) for node in roots]

    def at(self, index: int, nodes: Sequence[Node]) -> Callable[[Node], float | bool | None]:
        """A function that gives the value of each of the nodes on one deciding bar.

        A node of another feed has that of its last closed bar, None where none has closed.
        """
        known = [node for node in nodes if node.op not in {"call", "call_when"}]
        index = range(len(self.feeds.deciding))[index]
        found: dict[int, float | bool | None] = {}
        for node, values in zip(known, self.values(known), strict=True):
            feed = node.feed or DECIDING
            place = index if feed == DECIDING else int(self.feeds.last_closed(feed)[index])
            found[node.number] = values[place].item() if place >= 0 else None
        return lambda node: found[node.number]

    def _value(self, node: Node, found: dict[int, Array]) -> Array:
        if node.number in self._kept:
            return self._kept[node.number][1]
        args = [found[arg.number] for arg in node.args]
        operation = OPERATIONS.get(node.op)
        value: Array = operation.batch(*args) if operation else _OTHERS[node.op](self, node, args)
        if self._keep:
            self._kept[node.number] = (node, value)
        return value

    def _length(self, feed: Feed | None) -> int:
        return len(self.feeds.bars(feed or DECIDING))

    def _whole(self, node: Node, value: Array) -> Array:
        """The value as an array of its own length: constants are one number until here."""
        if np.ndim(value):
            return value
        return np.full(self._length(node.feed), value)

    def _constant(self, node: Node, _: list[Array]) -> Array:
        return np.asarray(node.data[0])

    def _field(self, node: Node, _: list[Array]) -> Array:
        return _field_of(self.feeds.bars(node.feed or DECIDING), str(node.data[0]))

    def _clock(self, node: Node, args: list[Array]) -> Array:
        name, tz = node.data
        return of_many(str(name), str(tz), args[0])

    def _past(self, node: Node, args: list[Array]) -> Array:
        return _shifted(args[0], int(node.data[0]))

    def _past_when(self, node: Node, args: list[Array]) -> Array:
        decided, values = self._whole(node, args[0]), self._whole(node, args[1])
        made = _nothing_like(values)
        made[decided] = _shifted(values[decided], int(node.data[0]))
        return made

    def _join(self, node: Node, args: list[Array]) -> Array:
        feed = node.args[0].feed
        assert feed is not None
        positions = self.feeds.last_closed(feed)
        values = self._whole(node.args[0], args[0])
        if not len(values):
            return np.full(len(positions), False if node.is_condition else np.nan)
        made = values[positions]
        made[positions < 0] = False if node.is_condition else np.nan
        return made

    def _call(self, node: Node, args: list[Array]) -> Array:
        return _run(node.payload, self._rows(node, args))

    def _call_when(self, node: Node, args: list[Array]) -> Array:
        decided = self._whole(node, args[0])
        rows = self._rows(node, args[1:])
        assert isinstance(node.payload, Indicator)
        made = np.full((len(rows), len(node.payload.outputs)), np.nan)
        made[decided] = _run(node.payload, np.ascontiguousarray(rows[decided]))
        return made

    def _output(self, node: Node, args: list[Array]) -> Array:
        column = np.ascontiguousarray(args[0][:, int(node.data[0])])
        return column > 0.0 if node.is_condition else column

    def _rows(self, node: Node, args: list[Array]) -> FloatArray:
        """The inputs of a call as one row a bar; a condition is 1 or 0."""
        n = self._length(node.feed)
        if len(args) == 1 and np.ndim(args[0]):
            return np.ascontiguousarray(args[0], dtype=np.float64).reshape(n, 1)
        rows = np.empty((n, len(args)))
        for k, arg in enumerate(args):
            rows[:, k] = arg
        return rows


_OTHERS: dict[str, Callable[[History, Node, list[Array]], Array]] = {
    "constant": History._constant,
    "field": History._field,
    "clock": History._clock,
    "past": History._past,
    "past_when": History._past_when,
    "join": History._join,
    "call": History._call,
    "call_when": History._call_when,
    "output": History._output,
}


def _field_of(bars: Bars, name: str) -> Array:
    if name == "time_ms":
        return (bars.open_time_ns // _MS_NS).astype(np.float64)
    if name == "bar_index":
        return np.arange(len(bars), dtype=np.float64)
    return {
        "open": bars.open,
        "high": bars.high,
        "low": bars.low,
        "close": bars.close,
        "volume": bars.volume_base,
    }[name]


def _nothing_like(values: Array) -> Array:
    """na on every bar; for conditions false."""
    return np.zeros_like(values) if values.dtype == np.bool_ else np.full_like(values, np.nan)


def _shifted(values: Array, bars: int) -> Array:
    made = _nothing_like(values)
    made[bars:] = values[:-bars]
    return made


def _run(indicator: object, rows: FloatArray) -> FloatArray:
    """An indicator from a fresh state over its inputs."""
    assert isinstance(indicator, Indicator)
    return indicator.history(rows)
