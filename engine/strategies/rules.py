"""What a strategy's `define` returns, and the roots of the graph that it comes down to."""

import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from math import nan
from typing import Any

import numpy as np

from engine.model.named_arguments import names_checked
from engine.model.signals import SIGNAL_NUMBERS, SignalArrays, Signals
from engine.series.batch import History
from engine.series.functions import where
from engine.series.nodes import (
    DECIDING,
    BoolSeries,
    Feed,
    Node,
    Series,
    SeriesError,
    condition_of,
    constant,
    on_deciding,
    ordered,
    own_bars,
    series_of,
)
from engine.series.words import Value, number_text, reason
from engine.strategies.calls import LONGEST_TEXT, MOST_VALUES, is_text

FLAGS = ("enter_long", "enter_short", "exit_long", "exit_short")


@names_checked("nb.Rules")
@dataclass(frozen=True, eq=False)
class Rules:
    """What a strategy says about each bar.

    The four flags are conditions. `risk_distance` is the price distance that one R stands for, at the entry.
    `tag` names the setup: a text, or (condition, text) pairs of which the first true one counts. `strength`
    ranks signals. `limit_*` are prices at which entries wait instead of going to the market; `stop_*` and
    `target_*` are levels of the position that is opened. na is none of them. `plot` names series that are
    drawn, and recorded with each signal.
    """

    enter_long: BoolSeries | bool = False
    exit_long: BoolSeries | bool = False
    enter_short: BoolSeries | bool = False
    exit_short: BoolSeries | bool = False
    risk_distance: Series | float | None = None
    tag: str | Sequence[tuple[BoolSeries, str]] = ""
    strength: Series | float | None = None
    limit_long: Series | float | None = None
    limit_short: Series | float | None = None
    stop_long: Series | float | None = None
    stop_short: Series | float | None = None
    target_long: Series | float | None = None
    target_short: Series | float | None = None
    plot: Mapping[str, Series | BoolSeries | float] = field(default_factory=dict)
    names: Mapping[str, Node] = field(default_factory=dict, init=False)
    """Series by the names that the strategy's own code gave them, for people to read."""

    def __post_init__(self) -> None:
        # The local names of the code that made this, behind `names_checked`, are for reasons in words.
        local = sys._getframe(3).f_locals
        own = {name: value for name, value in local.items() if isinstance(value, Series | BoolSeries)}
        _check_plot(self.plot)
        plotted = {name: node for name, node in self.plot.items() if isinstance(node, Node)}
        object.__setattr__(self, "names", own | plotted)
        _check(self)


class Graph:
    """The roots that a strategy's rules come down to, all on the deciding bars.

    In this order: the four flags, `risk_distance`, the tag by number, the numbers given, the plotted series.
    """

    def __init__(self, rules: object) -> None:
        if not isinstance(rules, Rules):
            what = "nothing" if rules is None else type(rules).__name__
            raise SeriesError(f"define returned {what}, nb.Rules(...) was expected")
        self.rules = rules
        self.flags = {name: on_deciding(_condition(name, getattr(rules, name))) for name in FLAGS}
        self.tags, number = _tags(rules.tag)
        numbers = {name: getattr(rules, name) for name in SIGNAL_NUMBERS}
        self.numbers = {name: _number(name, given) for name, given in numbers.items() if given is not None}
        self.plots = {name: on_deciding(_plotted(name, given)) for name, given in rules.plot.items()}
        self.roots: tuple[Node, ...] = (
            *self.flags.values(),
            _number("risk_distance", rules.risk_distance),
            number,
            *self.numbers.values(),
            *self.plots.values(),
        )
        self._is_plain = not self.numbers and not any(node.is_condition for node in self.plots.values())

    def signals(self, values: tuple[Any, ...]) -> Signals:
        """What the values of the roots on one bar say."""
        if self._is_plain:
            enter_long, enter_short, exit_long, exit_short, distance, tag = values[:6]
            text, plots = self.tags[int(tag)], values[6:]
            return Signals(enter_long, enter_short, exit_long, exit_short, text, distance, plots)
        enter_long, enter_short, exit_long, exit_short, distance, tag, *rest = values
        text, count = self.tags[int(tag)], len(self.numbers)
        plots = tuple(map(float, rest[count:]))
        numbers = dict(zip(self.numbers, rest, strict=False))
        return Signals(enter_long, enter_short, exit_long, exit_short, text, distance, plots, **numbers)

    def arrays(self, history: History) -> SignalArrays:
        """What they say about a whole history."""
        enter_long, enter_short, exit_long, exit_short, distance, tag, *rest = history.values(self.roots)
        count, n = len(self.numbers), len(history.feeds.deciding)
        return SignalArrays(
            enter_long=enter_long,
            enter_short=enter_short,
            exit_long=exit_long,
            exit_short=exit_short,
            tag=tag.astype(np.int32),
            tags=self.tags,
            risk_distance=distance,
            values=np.array(rest[count:], dtype=np.float64).reshape(len(self.plots), n),
            **dict(zip(self.numbers, rest, strict=False)),
        )

    def warmup_bars(self, feed: Feed = DECIDING) -> int:
        """Bars of a feed until nothing depends on where its own history began; others are known by then."""
        return self._warmup(feed, lambda _: 1)

    def whole_warmup_bars(self, lengths: Mapping[Feed, int]) -> int:
        """Deciding bars until nothing depends on where they began, where all feeds begin with them.

        `lengths` are those of the feeds' bars in deciding ones; history may begin inside a feed's bar.
        """

        def joined(node: Node) -> int:
            length = lengths.get(node.feed, 1) if node.feed else 1
            return (node.warmup_bars + 1) * length - 1

        return self._warmup(DECIDING, joined)

    def _warmup(self, feed: Feed, joined: Callable[[Node], int]) -> int:
        """The longest path of a feed; `joined` says for a node of another one how many bars it takes."""
        bars: dict[int, int] = {}
        for node in self.nodes:
            if node.op == "join":
                bars[node.number] = joined(node.args[0])
            else:
                before = (bars[arg.number] for arg in node.args if arg.feed is not None)
                bars[node.number] = max(before, default=1) + own_bars(node)
        return max((bars[node.number] for node in self.nodes if node.feed == feed), default=1)

    def reasons(self, value: Value) -> dict[str, str]:
        """For each flag that the rules give: what it is, and why, with the numbers of one bar."""
        names = {node.number: name for name, node in self.rules.names.items()}
        return {
            name: f"{number_text(value(flag))}: {reason(flag, value, names)}"
            for name, flag in self.flags.items()
            if flag.op != "constant"
        }

    @cached_property
    def nodes(self) -> list[Node]:
        """All nodes, each after what it is made of."""
        return ordered(self.roots)

    @property
    def needs_volume(self) -> bool:
        """Whether it looks at volumes."""
        return any(node.op == "field" and node.data[0] == "volume" for node in self.nodes)

    @cached_property
    def feeds(self) -> tuple[Feed, ...]:
        """The bars it needs beside the deciding ones."""
        return tuple(sorted({node.feed for node in self.nodes if node.feed} - {DECIDING}))


def _check(rules: Rules) -> None:
    """`SentenceError` for what is no series, raised where a person's own code makes the rules."""
    for name in FLAGS:
        _condition(name, getattr(rules, name))
    for name in ("risk_distance", *SIGNAL_NUMBERS):
        _number(name, getattr(rules, name))
    _tags(rules.tag)
    for name, given in rules.plot.items():
        _plotted(name, given)


def _check_plot(given: object) -> None:
    if not isinstance(given, Mapping) or not all(is_text(name) for name in given):
        raise SeriesError('nb.Rules, plot: expected series by name, such as {"average": average}')
    if len(given) > MOST_VALUES:
        raise SeriesError(f"nb.Rules, plot: {len(given)} series, at most {MOST_VALUES} can be recorded")


def _plotted(name: str, given: object) -> Node:
    try:
        return condition_of(given) if isinstance(given, BoolSeries | bool) else series_of(given)
    except SeriesError as error:
        raise SeriesError(f"nb.Rules, plot {name!r}: {error}") from None


def _condition(name: str, given: object) -> BoolSeries:
    try:
        return condition_of(given)
    except SeriesError as error:
        raise SeriesError(f"nb.Rules, {name}: {error}") from None


def _number(name: str, given: object) -> Node:
    try:
        return on_deciding(series_of(nan if given is None else given))
    except SeriesError as error:
        raise SeriesError(f"nb.Rules, {name}: {error}") from None


def _tags(given: object) -> tuple[tuple[str, ...], Node]:
    """All tags, "" first, and the number of the one that counts on a bar."""
    if isinstance(given, str):
        given = [(True, given)]
    try:
        # On the deciding bars: a condition of a longer bar is false there until one has closed, a number na.
        pairs = [(on_deciding(condition_of(condition)), text) for condition, text in given]  # type: ignore[attr-defined]
    except (TypeError, ValueError) as error:
        why = f": {error}" if isinstance(error, SeriesError) else ""
        raise SeriesError(
            f"nb.Rules, tag: expected a text, or pairs of a condition and a text{why}"
        ) from None
    for _, text in pairs:
        if not is_text(text):
            raise SeriesError(f"nb.Rules, tag: {text!r:.60} is no text of at most {LONGEST_TEXT} characters")
    texts = tuple(dict.fromkeys(["", *(text for _, text in pairs)]))
    number: Series = constant(0.0)
    for condition, text in reversed(pairs):
        number = where(condition, float(texts.index(text)), number)
    return texts, on_deciding(number)
