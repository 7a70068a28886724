"""Random graphs of series and random histories, and both ways to evaluate them."""

import pickle
from collections.abc import Callable, Sequence
from functools import partial
from itertools import starmap
from typing import Any

import numpy as np
from hypothesis import strategies as st

from engine.indicators.catalog import INDICATORS
from engine.model.bars import Bar, Bars
from engine.model.timeframes import timeframe_ns
from engine.series import functions, ta
from engine.series.bar import BarSeries
from engine.series.batch import History
from engine.series.feeds import Feeds, longer_bars
from engine.series.nodes import DECIDING, BoolSeries, Feed, Node, Series, on_deciding
from engine.series.operations import OPERATIONS
from engine.series.streaming import Stream

MINUTE_NS = 60_000_000_000
LENGTH_NS = 15 * MINUTE_NS
OWN, OTHER = "OWN", "OTHER"
_SATURDAY_NS = 1_711_756_800_000_000_000
"""2024-03-30, the day before clocks change in Europe."""
_SPECIAL = np.array([np.nan, np.inf, -np.inf, 0.0, -0.0, 1.0, -1.0, 1e300, 5e-324])
_CONSTANTS = [0.0, -0.0, 1.0, -1.0, 2.0, 0.5, -3.5, 100.0, 1e300, float("inf"), -float("inf"), float("nan")]
_ZONES = ["UTC", "America/New_York", "Europe/Berlin", "Asia/Kolkata"]
_CONDITION_INPUTS = {"condition", "set", "reset", "new_period", "new_session"}
_FIELDS = [
    "open",
    "high",
    "low",
    "close",
    "volume",
    "hl2",
    "hlc3",
    "ohlc4",
    "time",
    "hour",
    "minute",
    "weekday",
]

Pool = tuple[list[Series], list[BoolSeries]]
Draw = Callable[..., Any]


def history(seed: int, n: int, *, strange: bool, symbol: str = OWN) -> Bars:
    """A market of n bars that begins inside an hour; `strange`: with gaps, na, infinities and constants."""
    random = np.random.default_rng(seed)
    steps = np.ones(n, dtype=np.int64)
    if strange:
        steps += random.integers(0, 30, n) * (random.random(n) < 0.1)
    times = _SATURDAY_NS + LENGTH_NS * (int(random.integers(0, 8)) + np.cumsum(steps))
    close = 100.0 * np.exp(np.cumsum(random.normal(0.0, 0.01, n)))
    opens = np.concatenate((close[:1], close[:-1]))
    high = np.maximum(opens, close) * (1.0 + 0.01 * random.random(n))
    low = np.minimum(opens, close) * (1.0 - 0.01 * random.random(n))
    columns = [opens, high, low, close, random.uniform(1.0, 100.0, n)]
    if strange:
        _make_strange(columns, random, n)
    return Bars(symbol, LENGTH_NS, times, *columns)


def _make_strange(columns: list[np.ndarray], random: np.random.Generator, n: int) -> None:
    kind = random.integers(0, 4)
    if kind == 0:
        for column in columns:
            column[:] = random.choice([100.0, 0.0, -0.0, 0.1])
    elif kind > 1:
        for column in columns:
            chosen = random.random(n) < (0.05 if kind == 2 else 0.4)
            column[chosen] = random.choice(_SPECIAL, int(chosen.sum()))
        if kind == 3:
            for column in columns:
                column[:] = np.where(random.random(n) < 0.5, np.roll(column, 1), column)


@st.composite
def graphs(
    draw: Draw,
    *,
    forgetting: bool = False,
    others: bool = True,
    indicators: Sequence[str] = tuple(INDICATORS),
    most: int = 12,
) -> list[Node]:
    """All nodes of a random graph, on the deciding bars.

    `forgetting`: none that depends on all that was before. `others`: of longer bars and another symbol too.
    """
    bars = [BarSeries()]
    if others:
        bars += [BarSeries().on("1h"), BarSeries().of(OTHER), BarSeries().of(OTHER).on("30m")]
    numbers: list[Series] = [functions.nz(getattr(bars[0], draw(st.sampled_from(_FIELDS))), -0.0)]
    conditions: list[BoolSeries] = [numbers[0] > bars[0].open]
    indicator = partial(_indicator, indicators)
    makers: list[Callable[..., list[Node]]] = [_field, _operation, _operation, _past, _constant]
    makers += [indicator] * 3
    makers += [] if forgetting else [_executed, _index]
    for _ in range(draw(st.integers(1, most))):
        made = draw(st.sampled_from(makers))(draw, bars, (numbers, conditions))
        for node in made:
            (conditions if isinstance(node, BoolSeries) else numbers).append(node)
    return [on_deciding(node) for node in [*numbers, *conditions]]


def _number(draw: Draw, pool: Pool) -> Series:
    return draw(st.sampled_from(pool[0][-8:]))


def _condition(draw: Draw, pool: Pool) -> BoolSeries:
    return draw(st.sampled_from(pool[1][-8:]))


def _field(draw: Draw, bars: list[BarSeries], pool: Pool) -> list[Node]:
    bar = draw(st.sampled_from(bars))
    if draw(st.booleans()):
        return [getattr(bar, draw(st.sampled_from(_FIELDS)))]
    zone = draw(st.sampled_from(_ZONES))
    return [draw(st.sampled_from([bar.hour_in, bar.weekday_in, bar.day_in]))(zone)]


def _index(draw: Draw, bars: list[BarSeries], pool: Pool) -> list[Node]:
    return [draw(st.sampled_from(bars)).index]


def _constant(draw: Draw, bars: list[BarSeries], pool: Pool) -> list[Node]:
    if draw(st.booleans()):
        return [functions.series_of(draw(st.sampled_from(_CONSTANTS)))]
    return [functions.condition_of(draw(st.booleans()))]


def _operation(draw: Draw, bars: list[BarSeries], pool: Pool) -> list[Node]:
    name = draw(st.sampled_from(sorted(OPERATIONS)))
    number, condition = (lambda: _number(draw, pool)), (lambda: _condition(draw, pool))
    if name in {"and", "or", "xor", "same"}:
        args: list[Node] = [condition(), condition()]
    elif name == "not":
        args = [condition()]
    elif name == "where":
        args = [condition(), number(), number()]
    elif name == "where_condition":
        args = [condition(), condition(), condition()]
    else:
        args = [number() for _ in range(1 + ("{1}" in OPERATIONS[name].text))]
    return [functions.elementwise(name, args)]


def _indicator(names: Sequence[str], draw: Draw, bars: list[BarSeries], pool: Pool) -> list[Node]:
    cls = INDICATORS[draw(st.sampled_from(names))]
    settings = draw(st.sampled_from(cls.examples))
    inputs: list[Node] = []
    for name in cls.inputs:
        is_condition = (name in _CONDITION_INPUTS) != (draw(st.integers(0, 9)) == 9)
        inputs.append(_condition(draw, pool) if is_condition else _number(draw, pool))
    made = getattr(ta, cls.name)(*inputs, *settings)
    return list(made) if isinstance(made, tuple) else [made]


def _past(draw: Draw, bars: list[BarSeries], pool: Pool) -> list[Node]:
    node = draw(st.sampled_from([_number, _condition]))(draw, pool)
    return [node[draw(st.sampled_from([1, 2, 3, 40]))]]


def _executed(draw: Draw, bars: list[BarSeries], pool: Pool) -> list[Node]:
    calls = [node for nodes in pool for node in nodes if node.op in {"output", "past"}]
    if not calls:
        return []
    return [functions.executed_when(_condition(draw, pool), draw(st.sampled_from(calls)))]


def in_batch(roots: Sequence[Node], bars: Bars, other: Bars) -> list[np.ndarray]:
    """The values of the roots over a history."""
    return History(Feeds(bars, {OTHER: other})).values(roots)


def in_stream(
    roots: Sequence[Node], bars: Bars, other: Bars, *, copied_at: int | None = None
) -> list[list[float | bool]]:
    """The values of the roots bar by bar, with what it remembers sent through a pickle before one bar."""
    stream = Stream(roots)
    waiting = {feed: list(of_feed(feed, bars, other)) for feed in stream.feeds if feed != DECIDING}
    rows = []
    for i, bar in enumerate(starmap(Bar, _rows(bars))):
        if i == copied_at:
            stream = Stream(roots, pickle.loads(pickle.dumps(stream.memory)))
        for feed, left in waiting.items():
            while left and left[0].close_time_ns <= bar.close_time_ns:
                stream.advance(left.pop(0), feed)
        rows.append(stream.advance(bar))
    return [list(column) for column in zip(*rows, strict=True)] or [[] for _ in roots]


def of_feed(feed: Feed, bars: Bars, other: Bars) -> list[Bar]:
    """The bars of a feed as they come live."""
    own = other if feed.symbol == OTHER else bars
    if feed.timeframe:
        own = longer_bars(own, timeframe_ns(feed.timeframe))
    return list(starmap(Bar, _rows(own)))


def _rows(bars: Bars) -> list[tuple[Any, ...]]:
    columns = (bars.open, bars.high, bars.low, bars.close, bars.volume_base)
    numbers = zip(*(column.tolist() for column in columns), strict=True)
    return [
        (bars.symbol, bars.timeframe_ns, time, *row)
        for time, row in zip(bars.open_time_ns.tolist(), numbers, strict=True)
    ]


def same_bits(a: Sequence[float | bool] | np.ndarray, b: Sequence[float | bool] | np.ndarray) -> bool:
    """Whether two columns are equal to the last bit; one na is like another, -0.0 is not 0.0."""
    one, two = np.asarray(a, dtype=np.float64), np.asarray(b, dtype=np.float64)
    equal = one.view(np.int64) == two.view(np.int64)
    return bool((equal | (np.isnan(one) & np.isnan(two))).all())
