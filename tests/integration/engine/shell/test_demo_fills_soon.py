"""A start of the demo trades within 30 seconds, whatever position the last run has left.

Market and strategy are those of configs/demo.toml, without sockets and without waiting.
"""

import numpy as np
import pytest

from engine.model.bars import Bars
from engine.strategies.library.sma_crossover_inflection import SMACrossoverInflectionStrategy
from gateways.simulator.markets import MarketOptions, parse_market
from runtime.settings.load import parse_settings
from tests.support.market_rig import START_MS, MarketRig
from tests.support.places import ROOT

DEMO = parse_settings(ROOT / "configs" / "demo.toml", "demo")
STARTS = 40
READY_MS = 3000
"""After the market's start: the engine's first candle."""
LATEST_SECONDS = 27
"""After the market's start, which stands about a second after the run's."""


def closes(start: int) -> tuple[list[int], list[float]]:
    """Ends of the seconds in ms since the market's start, and the mid prices then."""
    rig = MarketRig(seed=DEMO.simulator.seed, now_ms=START_MS + 37 * start)
    rig.data.market_state["starts"] = start
    begun = rig.now_ms
    rig.start(
        parse_market(DEMO.simulator.market, MarketOptions(symbols=DEMO.symbols, seed=DEMO.simulator.seed))
    )
    rig.run(READY_MS + 1000 - (begun + READY_MS) % 1000)
    ends, mids = [], []
    for _ in range(LATEST_SECONDS - READY_MS // 1000 - 1):
        book = rig.exchange.book(DEMO.symbols[0])
        bid, ask = book.best_bid(), book.best_ask()
        assert bid is not None
        assert ask is not None
        ends.append(rig.now_ms - begun)
        mids.append((bid + ask) / 2)
        rig.run(1000)
    return ends, mids


def flips(mids: list[float]) -> np.ndarray:
    """1 or -1 where the demo's strategy turns after it has warmed up."""
    [chosen] = DEMO.strategies
    strategy = SMACrossoverInflectionStrategy(**chosen.params)
    assert chosen.name == strategy.name
    x = np.asarray(mids)
    times = np.arange(len(x), dtype=np.int64)
    arrays = strategy.batch(Bars(DEMO.symbols[0], 1, times, x, x, x, x, np.zeros(len(x))))
    turns = arrays.enter_long.astype(int) - arrays.enter_short
    turns[: strategy.warmup_bars] = 0
    return turns


@pytest.mark.parametrize("start", range(STARTS))
def test_a_start_trades_within_half_a_minute_whatever_is_held(start: int) -> None:
    ends, mids = closes(start)
    turns = flips(mids)
    for held in (1, -1):
        first = next((end for end, turn in zip(ends, turns, strict=True) if turn == -held), None)
        assert first is not None
        assert first <= LATEST_SECONDS * 1000


def test_the_windows_are_at_most_ten_candles_of_a_second() -> None:
    [chosen] = DEMO.strategies
    assert chosen.timeframe == "1s"
    assert all(window <= 10 for window in chosen.params.values())
