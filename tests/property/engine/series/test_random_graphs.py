"""A graph gives the same bits over a history and a bar at a time, and none of them knows a later bar."""

from hypothesis import given, settings
from hypothesis import strategies as st

from engine.indicators.catalog import INDICATORS
from engine.series.nodes import Node
from engine.series.words import expression
from tests.support.random_graphs import OTHER, graphs, history, in_batch, in_stream, same_bits

_seeds = st.integers(0, 2**32 - 1)


@settings(max_examples=100, deadline=None)
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


@settings(max_examples=60, deadline=None)
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


ROUNDED = {"sma", "sum", "stdev", "bollinger", "zscore", "cci", "mfi", "vwma", "correlation"}
"""Windows that are kept by adding what comes and taking away what goes, as Pine does."""
RECURSIVE = {"ema", "rma", "dema", "tema", "rsi", "cmo_wilder", "trix", "ppo", "macd", "atr", "atr_percent"}
RECURSIVE |= {"keltner", "dmi"}
EXACT = [
    name for name, cls in INDICATORS.items() if not cls.cumulative and name not in ROUNDED | RECURSIVE
]


@settings(max_examples=60, deadline=None)
@given(roots=graphs(forgetting=True, indicators=EXACT), seed=_seeds, skipped=st.integers(1, 60))
def test_after_warm_up_it_does_not_matter_where_history_began(
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
