"""A graph gives the same bits over a history and a bar at a time, and none of them knows a later bar."""

import os
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.indicators.catalog import INDICATORS
from engine.model.bars import Bar
from engine.model.timeframes import timeframe_ns
from engine.series import ta
from engine.series.bar import BarSeries
from engine.series.functions import where
from engine.series.nodes import DECIDING, BoolSeries, Node, Series
from engine.series.words import expression
from engine.strategies.graph import Strategy
from engine.strategies.rules import Rules
from tests.support.random_graphs import (
    LENGTH_NS,
    OTHER,
    OWN,
    graphs,
    history,
    in_batch,
    in_stream,
    of_feed,
    same_bits,
)

EXAMPLES = int(os.environ.get("RANDOM_GRAPHS", "60"))
_seeds = st.integers(0, 2**32 - 1)


@settings(max_examples=EXAMPLES, deadline=None)
@given(roots=graphs(), seed=_seeds, n=st.integers(0, 60), copied_at=st.integers(0, 60))
def test_a_bar_at_a_time_gives_the_bits_of_the_history_through_a_pickle(
    roots: list[Node], seed: int, n: int, copied_at: int
) -> None:
    bars = history(seed, n, strange=True)
    other = history(seed + 1, n + 5, strange=True, symbol=OTHER)
    batch, stream = in_batch(roots, bars, other), in_stream(roots, bars, other, copied_at=copied_at)
    for node, a, b in zip(roots, batch, stream, strict=True):
        assert len(a) == n
        assert same_bits(a, b), expression(node)


@settings(max_examples=EXAMPLES, deadline=None)
@given(roots=graphs(), seed=_seeds, n=st.integers(1, 60), data=st.data())
def test_a_history_cut_off_anywhere_gives_the_same_values(
    roots: list[Node], seed: int, n: int, data: st.DataObject
) -> None:
    bars = history(seed, n, strange=True)
    other = history(seed + 1, n + 5, strange=True, symbol=OTHER)
    cut = data.draw(st.integers(0, n))
    end = int((other.open_time_ns < bars.open_time_ns[cut]).sum()) if cut < n else len(other)
    whole = in_batch(roots, bars, other)
    part = in_batch(roots, bars.part(0, cut), other.part(0, end))
    for node, a, b in zip(roots, whole, part, strict=True):
        assert same_bits(a[:cut], b), expression(node)


CHOOSING = ["rising", "falling", "highest", "lowest", "highestbars", "lowestbars", "donchian", "ichimoku"]
CHOOSING += ["change", "mom", "roc", "pivot_high", "pivot_low", "fractals", "true_range", "percentrank"]
CHOOSING += ["linreg", "linreg_slope", "williams_r", "aroon", "volume_profile"]
CHOOSING += ["exp", "log", "log10", "pow", "round"]
"""What looks at the bars of a window anew, na or not. Others add up, in a running sum or for ever less; or
count values that are not na, however many bars they take; or remember, as crossings do, a side over bars
that are na or equal.
"""
FORGETTING = [
    name for name, cls in INDICATORS.items() if not cls.cumulative and "condition" not in cls.inputs
]


@settings(max_examples=EXAMPLES, deadline=None)
@given(
    roots=graphs(forgetting=True, others=False, indicators=CHOOSING), seed=_seeds, skipped=st.integers(1, 60)
)
def test_after_warm_up_choices_have_the_same_bits_wherever_history_began(
    roots: list[Node], seed: int, skipped: int
) -> None:
    n = skipped + max(node.warmup_bars for node in roots) + 10
    bars = history(seed, n, strange=False)
    long = in_batch(roots, bars, bars)
    late = bars.part(skipped, n)
    short = in_batch(roots, late, late)
    for node, a, b in zip(roots, long, short, strict=True):
        warm = node.warmup_bars - 1
        assert not node.is_cumulative
        assert same_bits(a[skipped + warm :], b[warm:]), expression(node)


_PRICES = ("open", "high", "low", "close", "volume")


@st.composite
def _values(draw: Callable[..., Any]) -> list[Series]:
    """Two outputs of indicators of prices that are not na after warm-up."""
    bar, found = BarSeries(), []
    for _ in range(2):
        cls = INDICATORS[draw(st.sampled_from([name for name in FORGETTING if not INDICATORS[name].sparse]))]
        inputs = [getattr(bar, draw(st.sampled_from(_PRICES))) for _ in cls.inputs]
        if set(cls.inputs) & set(_PRICES):
            inputs = [getattr(bar, name if name in _PRICES else "hl2") for name in cls.inputs]
        made = getattr(ta, cls.name)(*inputs, *draw(st.sampled_from(cls.examples)))
        one = draw(st.sampled_from(made)) if isinstance(made, tuple) else made
        found.append(where(one, 1.0, 0.0) if isinstance(one, BoolSeries) else one)
    return found


@settings(max_examples=EXAMPLES, deadline=None)
@given(values=_values(), seed=_seeds, skipped=st.integers(1, 60))
def test_after_warm_up_flags_are_the_same_wherever_history_began(
    values: list[Series], seed: int, skipped: int
) -> None:
    """Numbers agree to 1e-8 of their size, and so do flags, unless they hang on less than that."""
    roots = [*values, ta.change(values[0]), values[0] > values[1]]
    warm = max(node.warmup_bars for node in roots) - 1
    n = skipped + warm + 20
    bars = history(seed, n, strange=False)
    long = [values[skipped + warm :] for values in in_batch(roots, bars, bars)]
    late = bars.part(skipped, n)
    short = [values[warm:] for values in in_batch(roots, late, late)]
    size = max(float(np.nanmax(np.abs(one), initial=1e-8)) for one in long[:2])
    for a, b in zip(long[:3], short[:3], strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-8, atol=1e-8 * size)
    is_clear = np.abs(long[0] - long[1]) > 1e-7 * size
    np.testing.assert_array_equal(long[3][is_clear], short[3][is_clear])


class _Plotted(Strategy):
    """A strategy of given series."""

    def __init__(self, roots: Sequence[Node]) -> None:
        self.roots = roots
        super().__init__()

    def define(self, bar: BarSeries) -> Rules:
        return Rules(plot={str(k): root for k, root in enumerate(self.roots)})


@settings(max_examples=EXAMPLES, deadline=None)
@given(roots=graphs(forgetting=True, indicators=CHOOSING), seed=_seeds, later=st.integers(0, 12))
def test_the_history_that_is_fetched_live_is_enough(roots: list[Node], seed: int, later: int) -> None:
    """Each feed from as many bars before now as a strategy asks for, the deciding bars from its warm-up."""
    strategy = _Plotted(roots)
    strategy.bind(OWN, LENGTH_NS)
    lengths = {
        feed: timeframe_ns(feed.timeframe) if feed.timeframe else LENGTH_NS
        for feed in (*strategy.graph.feeds, DECIDING)
    }
    counts = {feed: strategy.history_bars(feed.symbol or OWN, length) for feed, length in lengths.items()}
    n = 20 + later + max(counts[feed] * length // LENGTH_NS for feed, length in lengths.items())
    bars, other = history(seed, n, strange=False), history(seed + 1, n + 40, strange=False, symbol=OTHER)
    now_ns = int(bars.open_time_ns[-1])
    given: list[Bar] = []
    for feed, count in counts.items():
        live = [bar for bar in of_feed(feed, bars, other) if bar.close_time_ns <= now_ns + LENGTH_NS]
        fetched = sum(bar.close_time_ns <= now_ns for bar in live)
        given += live[max(0, fetched - count) :]
    given.sort(key=lambda bar: (bar.close_time_ns, (bar.symbol, bar.timeframe_ns) == (OWN, LENGTH_NS)))
    for bar in given:
        said = strategy.on_bar(bar)
    whole = in_batch(roots, bars, other)
    for node, column, value in zip(roots, whole, said.values, strict=True):
        assert same_bits(column[-1:], [value]), expression(node)
