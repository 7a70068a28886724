"""The nodes of the graph: `Series` of numbers and `BoolSeries` of conditions.

A node is what an expression means, not its values: an operation on other nodes. Nodes are immutable, and
equal ones are the same object, so a common part exists once. Each belongs to a *feed*: the bars of a symbol
and timeframe whose closes advance it; `DECIDING` are the bars that decisions are made on. Where feeds meet
in one operation, the others are joined to the deciding bars as of their last closed bar.

Comparisons with na (nan) are false, `!=` too; arithmetic with na is na; division by zero gives inf or na.
"""

import operator
from collections.abc import Callable, Iterable
from functools import cached_property
from itertools import count
from typing import TYPE_CHECKING, NamedTuple, NoReturn
from weakref import WeakValueDictionary

import numpy as np

from engine.indicators.stream import MOST_BARS
from engine.model.sentences import SentenceError
from engine.series.operations import OPERATIONS
from engine.series.refused import sentence_about, sentence_about_outputs

Data = tuple[str | int | float | bool, ...]


class SeriesError(SentenceError):
    """An expression that cannot be a series; the text says what to write instead."""


class UnknownIndicator(SeriesError, AttributeError):
    """A name that `ta` has not; libraries that ask every module for a name, as pickle does, go on."""


class Feed(NamedTuple):
    """Bars that advance a node: of another symbol ("": the strategy's own), of another timeframe ("": the
    deciding one).
    """

    symbol: str = ""
    timeframe: str = ""

    def __str__(self) -> str:
        return " ".join(filter(None, self)) or "deciding"


DECIDING = Feed()

_nodes: "WeakValueDictionary[tuple[object, ...], Node]" = WeakValueDictionary()
_numbers = count()


class Node:
    """One operation of the graph. `number` is its own; `args` were made before it, so they have lower ones.

    `feed` is None for constants, which fit every feed. `warmup_bars` counts bars of the node's own feed
    until a value no longer depends on where history began; it is the sum along the longest path, in which
    bars of other feeds count as they are. `is_cumulative`: never, the value depends on all that was before.
    """

    op: str
    data: Data
    args: "tuple[Node, ...]"
    feed: Feed | None
    number: int
    payload: object
    __slots__ = ("__dict__", "__weakref__", "args", "data", "feed", "number", "op", "payload")

    is_condition = False
    __pandas_priority__ = 5000
    """Above pandas' own, so that its operators leave it to ours to refuse."""

    @cached_property
    def warmup_bars(self) -> int:
        """Bars until the value no longer depends on where history began; 1: the bar itself is enough."""
        before = max((arg.warmup_bars for arg in self.args if arg.feed is not None), default=1)
        return before + own_bars(self)

    @cached_property
    def is_cumulative(self) -> bool:
        """Whether a value depends on all bars that were before."""
        if any(arg.is_cumulative for arg in self.args):
            return True
        if self.op == "field":
            return self.data[0] == "bar_index"
        if self.op in {"call_when", "past_when"}:
            return True  # its executions may lie as far back as they like
        return bool(getattr(self.payload, "cumulative", False)) if self.op == "call" else False

    def __hash__(self) -> int:
        return self.number

    def __reduce__(self) -> tuple[object, ...]:
        return _again, (type(self), self.op, self.args, self.data, self.feed, self.payload)

    def __eq__(self, other: object) -> "BoolSeries":  # type: ignore[override]  # a series of answers
        return compare("eq", self, other)

    def __ne__(self, other: object) -> "BoolSeries":  # type: ignore[override]
        return compare("ne", self, other)

    def __bool__(self) -> NoReturn:
        raise SeriesError(
            "a series has a value for each bar, so it cannot decide an if, and, or, not, min, max or "
            "a < b < c; write & | ~ with brackets around each comparison, nb.where(condition, a, b), nb.min "
            "or nb.max"
        )

    def __iter__(self) -> NoReturn:
        raise SeriesError("a series has no length while the strategy is defined; x[1] is its value a bar ago")

    def __len__(self) -> NoReturn:
        raise SeriesError("a series has no length while the strategy is defined; bar.index counts the bars")

    def __float__(self) -> NoReturn:
        raise SeriesError(
            "a series has a value for each bar and is no number; use it as it is, or in a function of ta, "
            "such as ta.log(x)"
        )

    __int__ = __index__ = __complex__ = __float__

    def __array__(self, *_: object, **__: object) -> NoReturn:
        raise SeriesError("a series is no array; use a function of ta, such as ta.log(x), ta.highest(x, n)")

    def __array_ufunc__(self, ufunc: np.ufunc, method: str, *inputs: object, **_: object) -> "Node":
        """One of numpy's numbers is a number; its functions and arrays are refused."""
        function = _OPERATORS.get(ufunc.__name__)
        given = [float(one) if isinstance(one, np.number) else one for one in inputs]
        if method != "__call__" or function is None or any(isinstance(one, np.ndarray) for one in given):
            self.__array__()
        assert function is not None
        made = function(*given)
        assert isinstance(made, Node)
        return made

    if not TYPE_CHECKING:  # which would take each name for one that it has

        def __getattr__(self, name: str) -> NoReturn:
            if name.startswith("__"):
                raise AttributeError(name)
            raise SeriesError(sentence_about(name))


class Series(Node):
    """Numbers, one a bar; na (nan) where there is none."""

    __slots__ = ()

    def __add__(self, other: "Number") -> "Series":
        return number_of("add", self, other)

    def __radd__(self, other: "Number") -> "Series":
        return number_of("add", other, self)

    def __sub__(self, other: "Number") -> "Series":
        return number_of("sub", self, other)

    def __rsub__(self, other: "Number") -> "Series":
        return number_of("sub", other, self)

    def __mul__(self, other: "Number") -> "Series":
        return number_of("mul", self, other)

    def __rmul__(self, other: "Number") -> "Series":
        return number_of("mul", other, self)

    def __truediv__(self, other: "Number") -> "Series":
        return number_of("div", self, other)

    def __rtruediv__(self, other: "Number") -> "Series":
        return number_of("div", other, self)

    def __mod__(self, other: "Number") -> "Series":
        return number_of("mod", self, other)

    def __rmod__(self, other: "Number") -> "Series":
        return number_of("mod", other, self)

    def __floordiv__(self, other: "Number") -> "Series":
        return number_of("floor", number_of("div", self, other))

    def __rfloordiv__(self, other: "Number") -> "Series":
        return number_of("floor", number_of("div", other, self))

    def __pow__(self, other: "Number") -> "Series":
        raise SeriesError("write ta.pow(x, y) for a power, or x * x")

    __rpow__ = __pow__

    def __neg__(self) -> "Series":
        return number_of("neg", self)

    def __pos__(self) -> "Series":
        return self

    def __round__(self, digits: int | None = None) -> NoReturn:
        raise SeriesError(f"write ta.round(x, {digits or 0}), which rounds half away from zero, as Pine does")

    def __abs__(self) -> "Series":
        return number_of("abs", self)

    def __lt__(self, other: "Number") -> "BoolSeries":
        return compare("lt", self, other)

    def __le__(self, other: "Number") -> "BoolSeries":
        return compare("le", self, other)

    def __gt__(self, other: "Number") -> "BoolSeries":
        return compare("gt", self, other)

    def __ge__(self, other: "Number") -> "BoolSeries":
        return compare("ge", self, other)

    def __and__(self, other: object) -> NoReturn:
        raise SeriesError("& and | join conditions, such as (close > average) & (volume > 100), not numbers")

    __rand__ = __or__ = __ror__ = __xor__ = __rxor__ = __and__

    def __invert__(self) -> NoReturn:
        raise SeriesError("~ turns a condition round, such as ~(close > average), not a number")

    def __getitem__(self, bars_ago: int) -> "Series":
        node = _past(self, bars_ago)
        assert isinstance(node, Series)
        return node


class BoolSeries(Node):
    """Conditions, one a bar: true or false. What compares with na is false."""

    __slots__ = ()

    is_condition = True

    def __and__(self, other: "BoolSeries | bool") -> "BoolSeries":
        return logic("and", self, other)

    def __rand__(self, other: "BoolSeries | bool") -> "BoolSeries":
        return logic("and", other, self)

    def __or__(self, other: "BoolSeries | bool") -> "BoolSeries":
        return logic("or", self, other)

    def __ror__(self, other: "BoolSeries | bool") -> "BoolSeries":
        return logic("or", other, self)

    def __xor__(self, other: "BoolSeries | bool") -> "BoolSeries":
        return logic("xor", self, other)

    __rxor__ = __xor__

    def __invert__(self) -> "BoolSeries":
        return logic("not", self)

    def __getitem__(self, bars_ago: int) -> "BoolSeries":
        node = _past(self, bars_ago)
        assert isinstance(node, BoolSeries)
        return node

    def _is_no_number(self, other: object) -> NoReturn:  # noqa: ARG002  # an operator's other side
        raise SeriesError(
            "a condition is no number; write nb.where(condition, 1.0, 0.0), and brackets around comparisons: "
            "(a > b) & (c > d)"
        )

    __add__ = __radd__ = __sub__ = __rsub__ = __mul__ = __rmul__ = _is_no_number
    __truediv__ = __rtruediv__ = __mod__ = __rmod__ = __pow__ = __rpow__ = _is_no_number
    __lt__ = __le__ = __gt__ = __ge__ = _is_no_number


_OPERATORS: dict[str, Callable[..., object]] = {
    "add": operator.add,
    "subtract": operator.sub,
    "multiply": operator.mul,
    "divide": operator.truediv,
    "remainder": operator.mod,
    "less": operator.lt,
    "less_equal": operator.le,
    "greater": operator.gt,
    "greater_equal": operator.ge,
    "equal": operator.eq,
    "not_equal": operator.ne,
}
"""numpy's operators, by the names of their functions."""

Number = Series | float | int
"""What stands in arithmetic."""


def make(
    cls: type[Node],
    op: str,
    args: tuple[Node, ...] = (),
    data: Data = (),
    *,
    feed: Feed | None = None,
    payload: object = None,
) -> Node:
    """The node of that operation: the one that exists already, or a new one. Equal `data` means equal
    `payload`.
    """
    key = (
        op,
        feed,
        tuple((type(one).__name__, repr(one)) for one in data),
        tuple(arg.number for arg in args),
        type(payload),  # two persons' own indicators may have one name
    )
    found = _nodes.get(key)
    if found is None:
        found = cls.__new__(cls)
        found.op, found.args, found.data, found.feed = op, args, data, feed
        found.payload = payload
        found.number = next(_numbers)
        _nodes[key] = found
    return found


def _again(
    cls: type[Node], op: str, args: tuple[Node, ...], data: Data, feed: Feed | None, payload: object
) -> Node:
    """The node of a pickle or a copy."""
    return make(cls, op, args, data, feed=feed, payload=payload)


def constant(value: float) -> Series:
    """The same number on every bar."""
    node = make(Series, "constant", data=(float(value),))
    assert isinstance(node, Series)
    return node


def always(value: bool) -> BoolSeries:
    """The same answer on every bar."""
    node = make(BoolSeries, "constant", data=(bool(value),))
    assert isinstance(node, BoolSeries)
    return node


def series_of(value: object) -> Series:
    """A series as it is, a number as a constant; `SeriesError` for anything else."""
    if isinstance(value, Series):
        return value
    if isinstance(value, BoolSeries):
        return value._is_no_number(value)  # its sentence
    _refuse_outputs(value)
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        raise SeriesError(f"{_kind(value)} is neither a series nor a number")
    return constant(float(value))


def condition_of(value: object) -> BoolSeries:
    """A condition as it is, True or False as a constant; `SeriesError` for anything else."""
    if isinstance(value, BoolSeries):
        return value
    if isinstance(value, Series):
        raise SeriesError("a number is no condition; compare it, such as x > 0")
    _refuse_outputs(value)
    if not isinstance(value, bool):
        raise SeriesError(f"{_kind(value)} is no condition; compare series, such as close > average")
    return always(value)


def _refuse_outputs(value: object) -> None:
    called = getattr(type(value), "_called", "")
    if called and isinstance(value, tuple):
        raise SeriesError(sentence_about_outputs(called, getattr(value, "_fields", ())))


def number_of(op: str, *args: object) -> Series:
    """The node of an elementwise operation on numbers that gives numbers."""
    node = elementwise(op, [series_of(arg) for arg in args])
    assert isinstance(node, Series)
    return node


def compare(op: str, a: object, b: object) -> BoolSeries:
    """The node of a comparison of two numbers, or of two conditions by == and !=."""
    if isinstance(a, BoolSeries) or isinstance(b, BoolSeries):
        return logic("xor" if op == "ne" else "same", a, b)
    node = elementwise(op, [series_of(a), series_of(b)])
    assert isinstance(node, BoolSeries)
    return node


def logic(op: str, *args: object) -> BoolSeries:
    """The node of an elementwise operation on conditions."""
    node = elementwise(op, [condition_of(arg) for arg in args])
    assert isinstance(node, BoolSeries)
    return node


def elementwise(op: str, args: Iterable[Node]) -> Node:
    """The node of an elementwise operation, a constant where all `args` are; other feeds are joined."""
    given = tuple(args)
    feed = common_feed(given)
    if feed is None:
        with np.errstate(all="ignore"):
            value = OPERATIONS[op].batch(*(np.asarray(arg.data[0]) for arg in given)).item()
        return always(value) if OPERATIONS[op].is_condition else constant(value)
    cls = BoolSeries if OPERATIONS[op].is_condition else Series
    return make(cls, op, tuple(at(arg, feed) for arg in given), feed=feed)


def common_feed(args: Iterable[Node]) -> Feed | None:
    """The one feed of all `args`, the deciding one where they differ, None for constants alone."""
    feeds = {arg.feed for arg in args} - {None}
    if len(feeds) > 1:
        return DECIDING
    return feeds.pop() if feeds else None


def at(node: Node, feed: Feed | None) -> Node:
    """The node's values on the bars of `feed`: joined as of the last closed bar where it has another one."""
    if node.feed is None or node.feed == feed:
        return node
    assert feed == DECIDING
    return make(type(node), "join", (node,), feed=DECIDING)


def on_deciding(node: Node) -> Node:
    """The node's values on the deciding bars."""
    return at(node, DECIDING)


def ordered(roots: Iterable[Node]) -> list[Node]:
    """All nodes that the roots need, each after its args.

    The order follows from the graph alone and not from the nodes' numbers: another process, where other
    graphs may have been made first, finds by it what was remembered.
    """
    found: dict[int, Node] = {}
    waiting = list(roots)[::-1]
    while waiting:
        node = waiting[-1]
        missing = [arg for arg in node.args if arg.number not in found]
        if missing:
            waiting.extend(reversed(missing))
        else:
            found[node.number] = waiting.pop()
    return list(found.values())


def _past(node: Node, bars_ago: object) -> Node:
    if isinstance(bars_ago, bool) or not isinstance(bars_ago, int | np.integer):
        what = "a slice" if isinstance(bars_ago, slice) else _kind(bars_ago)
        raise SeriesError(f"x[...] takes a number of bars back, such as x[1], not {what}")
    if bars_ago < 0:
        raise SeriesError(f"x[{bars_ago}] would look into the future; x[1] is the value one bar ago")
    if bars_ago > MOST_BARS:
        raise SeriesError(f"x[{bars_ago}] looks back further than {MOST_BARS} bars")
    if bars_ago == 0 or node.feed is None:
        return node
    return make(type(node), "past", (node,), (int(bars_ago),), feed=node.feed)


def own_bars(node: Node) -> int:
    """Bars that a node's own memory adds to the warm-up of its args; executed on some bars only, at least."""
    if node.op in {"past", "past_when"}:
        return int(node.data[0])
    if node.op in {"call", "call_when"}:
        warmup: int = getattr(node.payload, "warmup_bars", 1)
        return max(0, warmup - 1)
    return 0


def _kind(value: object) -> str:
    name = type(value).__name__
    library = type(value).__module__.partition(".")[0]
    if library in {"pandas", "polars", "numpy"} and name in {"Series", "DataFrame", "ndarray"}:
        return f"a {library} {name}, which holds later bars too,"
    return f"{value!r}"[:60] if isinstance(value, (str, int, float, bool, type(None))) else f"a {name}"
