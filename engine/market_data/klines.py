"""The exchange's klines as bars."""

from collections.abc import Iterable

import msgspec

from engine.model.bars import Bar, BarFlag, CandleKind
from gateways.wire.messages import Kline

MAX_KLINES = 15_000
"""The most that are asked for at once."""


def bars_of(klines: Iterable[Kline], kind: CandleKind, length_ns: int) -> list[Bar]:
    """The exchange's klines as backfilled bars of a series of another kind."""
    flags = int(BarFlag.BACKFILLED)
    return [msgspec.structs.replace(bar_of(kline, length_ns), kind=kind, flags=flags) for kline in klines]


def bar_of(kline: Kline, length_ns: int) -> Bar:
    """One kline as a bar of the exchange's own making."""
    return Bar(
        kline.symbol,
        length_ns,
        kline.open_time_ns,
        kline.open,
        kline.high,
        kline.low,
        kline.close,
        kline.volume_base,
        "exchange",
        0,
        kline.trades,
    )
