"""The latent price of the synthetic market over days: bounded, on the grid, trending where asked."""

import statistics

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gateways.simulator.exchange.model.symbols import default_symbols
from gateways.simulator.markets.flow.price_path import PricePath
from gateways.simulator.markets.flow.profiles import REGIMES, profile_for

MINUTE_MS = 60_000
DAY_MINUTES = 1440
LONGEST_MOVE = 400


def minutes(symbol: str, regime: str, seed: int, days: float, start: float = 1.0) -> list[float]:
    """The price at the end of each minute, as a multiple of the home price."""
    spec = default_symbols()[symbol]
    home = spec.price_to_ticks_floor(spec.reference_price)
    path = PricePath(profile_for(spec, regime), str(seed))
    path.start(max(2, int(home * start)), home, LONGEST_MOVE, 0)
    seen = []
    for minute in range(1, int(days * DAY_MINUTES) + 1):
        while path.next_ms <= minute * MINUTE_MS:
            at_ms = path.next_ms
            path.advance()
            assert path.next_ms >= at_ms
        assert isinstance(path.bid, int)
        seen.append(path.bid / home)
    return seen


@pytest.mark.parametrize("regime", REGIMES)
@settings(max_examples=3, deadline=None)
@given(symbol=st.sampled_from(sorted(default_symbols())), seed=st.integers(0, 10**6))
def test_the_price_neither_drifts_away_nor_explodes_over_days(regime: str, symbol: str, seed: int):
    seen = minutes(symbol, regime, seed, 1.5)
    assert min(seen) > 0.6
    assert max(seen) < 1.6


@pytest.mark.parametrize("start", [0.25, 4.0])
def test_a_price_far_from_home_comes_back(start: float):
    seen = minutes("BTCUSDT", "", 3, 1.5, start)
    assert abs(seen[-1] - 1.0) < 0.8 * abs(start - 1.0)
    assert min(seen) > 0.2
    assert max(seen) < 4.1


def hourly_spread(regime: str, seed: int) -> float:
    seen = minutes("BTCUSDT", regime, seed, 2)
    return statistics.pstdev(b / a - 1.0 for a, b in zip(seen[::60], seen[60::60], strict=False))


def test_hours_move_least_when_calm_and_most_in_trends_and_violence():
    spread = {regime: hourly_spread(regime, 7) for regime in REGIMES}
    assert spread["calm"] < 0.6 * spread[""]
    assert spread["trending"] > 1.5 * spread[""]
    assert spread["violent"] > 2 * spread[""]
    assert 0.002 < spread[""] < 0.01


def test_the_same_seed_gives_the_same_path():
    assert minutes("ETHUSDT", "", 4, 0.1) == minutes("ETHUSDT", "", 4, 0.1)
    assert minutes("ETHUSDT", "", 4, 0.1) != minutes("ETHUSDT", "", 5, 0.1)
