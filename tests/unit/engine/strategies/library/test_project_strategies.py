"""The project's own strategies on the sample market: a trade that changes is a change to explain."""

import pytest

from engine.backtest import backtest
from engine.backtest.data.sources import bars_of
from engine.backtest.report.hashes import trades_hash

FROZEN = {
    "macd_cross": (696, "a11f791986364825"),
    "rsi_reversal": (153, "28f01fd45a8e1f7c"),
    "bollinger_reversion": (470, "6f27d0a0425e785d"),
    "donchian_breakout": (310, "1acebd8b76034dc2"),
    "supertrend": (293, "12f81d87cfe06a5e"),
    "trend_filter": (239, "e56b7d5f4ec96d6d"),
    "grid": (123, "11f252dbe9575cca"),
}
SCRIPTS = {"grid"}
"""They have one engine."""
BROKER = {"grid": {"pyramiding": 5}}


@pytest.mark.parametrize("name", FROZEN)
def test_the_trades_on_the_sample_market_are_those_of_always(name: str) -> None:
    result = backtest(name, bars_of("sample-1h"), broker=BROKER.get(name))
    assert (len(result.trades), trades_hash(result.closed)[:16]) == FROZEN[name]


@pytest.mark.parametrize("name", [name for name in FROZEN if name not in SCRIPTS])
def test_both_engines_trade_alike(name: str) -> None:
    bars = bars_of("sample-1h").part(0, 3000)
    kernel, event = (backtest(name, bars, engine=engine) for engine in ("kernel", "event"))
    assert trades_hash(kernel.closed) == trades_hash(event.closed)
    assert kernel.trades
