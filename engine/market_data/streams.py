"""Which streams of market data the strategies need."""

from collections.abc import Iterable

from engine.model.bars import CandleKind
from engine.model.timeframes import timeframe_text
from gateways.wire.streams import kline_stream


def wanted_streams(series: Iterable[tuple[str, CandleKind, int]]) -> tuple[str, ...]:
    """Book and mark price always; trades and klines where candles are made from them. `series` are symbol,
    kind of candle and length in nanoseconds."""
    wanted = {"book", "mark"}
    for _, kind, length_ns in series:
        if kind == "trade":
            wanted.add("trade")
        elif kind == "exchange":
            wanted.add(kline_stream(timeframe_text(length_ns)))
    return tuple(sorted(wanted))
