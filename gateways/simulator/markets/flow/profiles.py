"""Parameters of the synthetic order flow, per symbol and regime.

BTCUSDT and ETHUSDT are fitted to recordings of 2024-07-18/19 (docs/simulator_markets.md has the table,
benchmarks/market_calibration.py makes it); other symbols take the BTCUSDT shape in units of their own
price and size. A regime changes some of the numbers of the symbol.
"""

from dataclasses import dataclass, replace
from typing import Final

from gateways.simulator.exchange.model.symbols import SymbolSpec


@dataclass(frozen=True, slots=True)
class FlowProfile:
    """Rates in events per second, sizes in lots, distances in ticks, times in ms."""

    top_median_lots: float
    """Median size of the best level once it has settled."""
    top_spread: float
    """Width of the best level's size: standard deviation of its logarithm."""
    fresh_lots: float
    """Size of a level that has just become the best one."""
    deep_median_lots: float
    """Median size of a level behind the best one."""
    deep_spread: float
    """Width of those sizes: standard deviation of the logarithm."""
    deep_gap_ticks: float
    """Mean distance between neighbouring levels near the best price."""
    trade_least_lots: float
    trade_median_lots: float
    trade_spread: float
    """Width of the trades' sizes: standard deviation of the logarithm."""
    trade_most_lots: float
    level_fills: float
    """Mean number of resting orders a sweep matches at a level behind the best price."""
    burst_gap_ms: float
    """Mean time between bursts of activity."""
    inner_gap_ms: float
    """Mean time between the events of a burst."""
    burst_events: float
    """Mean number of events of a burst."""
    deep_events: int
    """Adds and cancels behind the best prices in a burst."""
    trade_share: float
    """Share of the events at the best price that are market orders."""
    metaorder_ms: float
    """Shortest duration of a metaorder; the mean is three times that."""
    move_rate: float
    """Clusters of price moves per second."""
    move_median_ticks: float
    move_spread: float
    move_follow: float
    """Chance that a move is followed by another one shortly after."""
    minute_volume_lots: int
    trend_ms: float = 1_200_000.0
    """Mean duration of a trend."""
    trend_share: float = 0.0
    """How much more likely than one half a metaorder is in the direction of the trend."""


BTC_PROFILE: Final = FlowProfile(
    top_median_lots=21.0e3,
    top_spread=0.6,
    fresh_lots=150.0,
    deep_median_lots=48.0,
    deep_spread=2.5,
    deep_gap_ticks=3.5,
    trade_least_lots=2.0,
    trade_median_lots=13.0,
    trade_spread=2.1,
    trade_most_lots=3300.0,
    level_fills=1.7,
    burst_gap_ms=58.0,
    inner_gap_ms=1.1,
    burst_events=5.5,
    deep_events=4,
    trade_share=0.06,
    metaorder_ms=500.0,
    move_rate=0.145,
    move_median_ticks=40.0,
    move_spread=0.6,
    move_follow=0.55,
    minute_volume_lots=100_000,
)

ETH_PROFILE: Final = replace(
    BTC_PROFILE,
    top_median_lots=135.0e3,
    fresh_lots=1400.0,
    deep_median_lots=800.0,
    deep_gap_ticks=2.5,
    trade_least_lots=6.0,
    trade_median_lots=45.0,
    trade_spread=2.5,
    trade_most_lots=18000.0,
    level_fills=3.8,
    burst_gap_ms=60.0,
    inner_gap_ms=1.2,
    burst_events=5.3,
    move_rate=0.145,
    move_median_ticks=24.0,
    minute_volume_lots=1_200_000,
)


@dataclass(frozen=True, slots=True)
class Regime:
    """Factors on a symbol's profile; 1.0 changes nothing."""

    top_lots: float = 1.0
    burst_gap: float = 1.0
    deep_events: float = 1.0
    metaorder: float = 1.0
    move_rate: float = 1.0
    move_ticks: float = 1.0
    move_follow: float = 1.0
    volume: float = 1.0
    trend_share: float = 0.0
    """Not a factor: the profile's `trend_share`."""


REGIMES: Final = {
    "": Regime(),
    "calm": Regime(top_lots=1.5, burst_gap=1.8, move_rate=0.4, move_ticks=0.6, move_follow=0.6, volume=0.4),
    "trending": Regime(metaorder=1.5, trend_share=0.13),
    "violent": Regime(
        top_lots=0.5,
        burst_gap=0.7,
        deep_events=2.0,
        move_rate=2.5,
        move_ticks=2.2,
        move_follow=1.3,
        volume=3.0,
    ),
}
"""By the name after `synthetic:`; the empty one is plain `synthetic`."""


def profile_for(spec: SymbolSpec, regime: str = "") -> FlowProfile:
    """Profile of a symbol: the fitted one, or BTCUSDT's scaled to the symbol's notional and price."""
    return _in_regime(_symbol_profile(spec), REGIMES[regime])


def _in_regime(profile: FlowProfile, regime: Regime) -> FlowProfile:
    return replace(
        profile,
        top_median_lots=profile.top_median_lots * regime.top_lots,
        burst_gap_ms=profile.burst_gap_ms * regime.burst_gap,
        deep_events=round(profile.deep_events * regime.deep_events),
        metaorder_ms=profile.metaorder_ms * regime.metaorder,
        move_rate=profile.move_rate * regime.move_rate,
        move_median_ticks=max(1.0, profile.move_median_ticks * regime.move_ticks),
        move_follow=profile.move_follow * regime.move_follow,
        minute_volume_lots=int(profile.minute_volume_lots * regime.volume),
        trend_share=regime.trend_share,
    )


def _symbol_profile(spec: SymbolSpec) -> FlowProfile:
    if spec.symbol == "BTCUSDT":
        return BTC_PROFILE
    if spec.symbol == "ETHUSDT":
        return ETH_PROFILE
    price = float(spec.reference_price) or 100.0
    tick, lot = float(spec.tick_size), float(spec.step_size)
    sizes = 0.1 * (64_000.0 * 0.001) / (price * lot)
    ticks = (price / tick) / 640_000.0
    base = BTC_PROFILE
    return replace(
        base,
        top_median_lots=max(20.0, base.top_median_lots * sizes),
        fresh_lots=max(2.0, base.fresh_lots * sizes),
        deep_median_lots=max(2.0, base.deep_median_lots * sizes),
        deep_gap_ticks=max(1.0, base.deep_gap_ticks * ticks),
        trade_least_lots=max(1.0, base.trade_least_lots * sizes),
        trade_median_lots=max(1.0, base.trade_median_lots * sizes),
        trade_most_lots=max(10.0, base.trade_most_lots * sizes),
        burst_gap_ms=150.0,
        move_median_ticks=max(1.0, base.move_median_ticks * ticks),
        minute_volume_lots=max(1000, int(base.minute_volume_lots * sizes)),
    )
