"""Why a strategy did what it did on one bar of a history: its conditions with their numbers."""

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from math import isnan

import numpy as np

from engine.backtest.data.configuration import ConfigError
from engine.backtest.runs.strategies import AnyStrategy, check_inputs
from engine.model.bars import Bars
from engine.model.signals import Signals
from engine.model.timeframes import timeframe_text, utc_text
from engine.series.batch import History
from engine.series.feeds import Feeds
from engine.series.words import Value, number_text
from engine.strategies.base import SignalStrategy
from engine.strategies.faults import signals_of
from engine.strategies.graph import Strategy

_SECOND_NS = 1_000_000_000


def reasons_on(
    title: str, strategy: AnyStrategy, bars: Bars, at: datetime | None, beside: Sequence[Bars]
) -> Iterator[str]:
    """Lines about the bar in which the moment `at` is, None for the last one.

    `beside` are bars that it may look at. Raises `ConfigError` for a moment without a bar, for a script and
    for bars that are missing, `StrategyFault` for an exception in the strategy.
    """
    index = bar_at(bars, at)
    if not isinstance(strategy, SignalStrategy):
        raise ConfigError(f"{title} is a script: it decides by its own code and has no conditions to show")
    check_inputs(title, strategy, [bars], beside)
    place = f"{bars.symbol} {timeframe_text(bars.timeframe_ns)}"
    yield f"{title} on {place}, bar of {_stamp(bars, index)}, close {number_text(float(bars.close[index]))}"
    if index < strategy.warmup_bars - 1:
        yield (
            f"  not warmed up: bar {index + 1} of the data, and after {strategy.warmup_bars} nothing depends "
            "on where they begin"
        )
    if isinstance(strategy, Strategy):
        yield from _of_graph(strategy, bars, index, beside)
    else:
        yield f"  {title} is written bar by bar, not as series, so its conditions cannot be shown; it said:"
        yield from _said(signals_of(strategy, bars, beside).at(index), strategy.value_names)


def bar_at(bars: Bars, at: datetime | None) -> int:
    """The index of the bar in which a moment is; `ConfigError` where there is none."""
    if at is None:
        return len(bars) - 1
    time_ns = int((at - datetime(1970, 1, 1, tzinfo=UTC)).total_seconds()) * _SECOND_NS
    index = int(np.searchsorted(bars.open_time_ns, time_ns, side="right")) - 1
    if index >= 0 and time_ns < bars.open_time_ns[index] + bars.timeframe_ns:
        return index
    when = utc_text(time_ns)
    if index < 0 or index == len(bars) - 1:
        raise ConfigError(
            f"{bars.symbol}: {when} is outside of the data, whose bars are from {_stamp(bars, 0)} to "
            f"{_stamp(bars, -1)}"
        )
    raise ConfigError(
        f"{bars.symbol}: {when} is in a gap of the data, between the bars of {_stamp(bars, index)} and "
        f"{_stamp(bars, index + 1)}"
    )


def _of_graph(strategy: Strategy, bars: Bars, index: int, beside: Sequence[Bars]) -> Iterator[str]:
    graph = strategy.graph
    value: Value = History(Feeds(bars, beside)).at(index, graph.nodes)
    for flag, why in graph.reasons(value).items():
        yield f"  {flag} {why}"
    distance = graph.roots[len(graph.flags)]
    numbers = {"risk_distance": distance, **graph.numbers}
    for name, node in numbers.items():
        if name in graph.numbers or node.op != "constant":
            yield f"  {name} {number_text(value(node))}"
    if len(graph.tags) > 1:
        number = value(graph.roots[len(graph.flags) + 1])
        yield f"  tag {graph.tags[int(number or 0)] or 'none'}"
    for name, node in graph.plots.items():
        yield f"  plotted: {name} {number_text(value(node))}"


def _said(signals: Signals, names: tuple[str, ...]) -> Iterator[str]:
    for flag in ("enter_long", "enter_short", "exit_long", "exit_short"):
        yield f"  {flag} {number_text(getattr(signals, flag))}"
    if not isnan(signals.risk_distance):
        yield f"  risk_distance {number_text(signals.risk_distance)}"
    for name, number in zip(names, signals.values, strict=False):
        yield f"  plotted: {name} {number_text(number)}"


def _stamp(bars: Bars, index: int) -> str:
    return utc_text(int(bars.open_time_ns[index]))
