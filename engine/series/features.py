"""Features of research: named series over a history, kept on disk, and the same ones a bar at a time."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from numpy.typing import NDArray

from engine.model.bars import Bar, Bars
from engine.model.timeframes import timeframe_ns
from engine.series.bar import BarSeries
from engine.series.batch import History
from engine.series.feeds import Feeds, by_key
from engine.series.identity import bars_digest, node_digests
from engine.series.nodes import DECIDING, BoolSeries, Series, SeriesError, on_deciding, ordered
from engine.series.store import Store
from engine.series.streaming import Stream

Features = Mapping[str, Series | BoolSeries] | Callable[[BarSeries], Mapping[str, Series | BoolSeries]]
"""Series by name, or a function that makes them of the bar."""


def feature_nodes(features: Features) -> dict[str, Series | BoolSeries]:
    """The series by name, on the deciding bars; `SeriesError` for anything else."""
    given: object = features(BarSeries()) if callable(features) else features
    if not isinstance(given, Mapping):
        raise SeriesError(
            f'features are a mapping such as {{"trend": ta.ema(bar.close, 20)}}, not {given!r:.60}'
        )
    nodes: dict[str, Series | BoolSeries] = {}
    for name, node in given.items():
        if not isinstance(name, str) or not isinstance(node, Series | BoolSeries):
            kind = f"{type(node).__name__}, a series such as ta.ema(bar.close, 20) was expected"
            raise SeriesError(f"feature {name!r} is a {kind}")
        made = on_deciding(node)
        assert isinstance(made, Series | BoolSeries)
        nodes[name] = made
    return nodes


def feature_values(
    bars: Bars, features: Features, others: Mapping[str, Bars] | None = None, *, store: Store | None = None
) -> dict[str, NDArray[Any]]:
    """The values by name, one a bar, float64 or bool; common parts are computed once.

    `others` are the bars of other symbols by name. With a `store` values are read from it where they are
    there, and kept in it: under what the series mean and what the bars hold.
    """
    nodes = feature_nodes(features)
    roots = list(nodes.values())
    history = History(Feeds(bars, others or {}))
    if store is None:
        return dict(zip(nodes, history.values(roots), strict=True))
    keys = _keys(roots, bars, others or {})
    found = [store.get(key, len(bars)) for key in keys]
    missing = [k for k, values in enumerate(found) if values is None]
    made = dict(zip(missing, history.values([roots[k] for k in missing]), strict=True))
    if made:
        store.put({keys[k]: values for k, values in made.items()})
    found = [made.get(k, values) for k, values in enumerate(found)]
    return {name: values for name, values in zip(nodes, found, strict=True) if values is not None}


def _keys(roots: Sequence[Series | BoolSeries], bars: Bars, others: Mapping[str, Bars]) -> list[str]:
    """A name for the values of each root."""
    used = {node.feed.symbol for node in ordered(roots) if node.feed} & others.keys()
    data = [bars_digest(bars), *(bars_digest(others[symbol]) for symbol in sorted(used))]
    return node_digests(roots, "".join(data))


class FeatureStream:
    """The same features a bar at a time, to the last bit; it can be pickled in the middle.

    `symbol` and `timeframe` are those of the deciding bars. Bars of other symbols and of longer timeframes
    are given to `update` too, each when it has closed, before the deciding bar that closes with it.
    """

    def __init__(self, features: Features, symbol: str = "", timeframe: str = "") -> None:
        self._given = features, symbol, timeframe
        nodes = feature_nodes(features)
        self._names = tuple(nodes)
        self._stream = Stream(list(nodes.values()))
        others = [feed for feed in self._stream.feeds if feed != DECIDING]
        if others and not (symbol and timeframe):
            raise SeriesError(f"features of {others[0]} need symbol and timeframe of the deciding bars")
        deciding_ns = timeframe_ns(timeframe) if others else 0
        self._deciding = symbol, deciding_ns
        self._feeds = by_key(others, symbol, deciding_ns)

    def update(self, bar: Bar) -> dict[str, float | bool]:
        """Take in one closed bar: the features by name, or none where it is not a deciding bar."""
        key = (bar.symbol, bar.timeframe_ns)
        for feed in self._feeds.get(key, ()):
            self._stream.advance(bar, feed)
        if self._feeds and key != self._deciding:
            return {}
        return dict(zip(self._names, self._stream.advance(bar), strict=True))

    def __getstate__(self) -> tuple[object, ...]:
        return (*self._given, self._stream.memory)

    def __setstate__(self, state: tuple[Any, ...]) -> None:
        *given, memory = state
        FeatureStream.__init__(self, *given)
        self._stream = Stream(self._stream.roots, memory)

    def reset(self) -> None:
        """Forget everything seen."""
        self._stream.reset()
