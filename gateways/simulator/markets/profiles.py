"""Numbers the synthetic order flow is drawn from.

BTCUSDT and ETHUSDT are fitted to recordings of 2024-07-18/19 (docs/simulator_markets.md has the table,
benchmarks/market_calibration.py makes it); other symbols take the BTCUSDT shape in units of their own
price and size.
"""

from dataclasses import dataclass

from gateways.simulator.symbols import SymbolSpec


@dataclass(frozen=True, slots=True)
class FlowProfile:
    """Rates in events a second, sizes in lots, distances in ticks, times in ms."""

    top_median_lots: float
    """Median size of the best level once it has settled."""
    top_spread: float
    """Width of the best level's size: standard deviation of its logarithm."""
    fresh_lots: float
    """Size of a level that has just become the best one."""
    deep_median_lots: float
    deep_gap_ticks: float
    """Mean distance between neighbouring levels near the touch."""
    trade_median_lots: float
    burst_gap_ms: float
    """Mean time between bursts of activity."""
    inner_gap_ms: float
    """Mean time between the events of a burst."""
    burst_events: float
    """Mean number of events of a burst."""
    trade_share: float
    """Share of the events at the touch that are trades."""
    move_rate: float
    """Bursts of price moves a second, between moves that follow one another."""
    move_median_ticks: float
    move_spread: float
    move_follow: float
    """Chance that a move is followed by another one shortly after."""
    move_persist: float
    """Chance that a following move has the direction of the one before."""
    minute_volume_lots: int


BTC_PROFILE = FlowProfile(
    top_median_lots=11.8e3,
    top_spread=0.75,
    fresh_lots=150.0,
    deep_median_lots=80.0,
    deep_gap_ticks=4.0,
    trade_median_lots=12.0,
    burst_gap_ms=47.0,
    inner_gap_ms=1.1,
    burst_events=5.5,
    trade_share=0.2,
    move_rate=0.155,
    move_median_ticks=42.0,
    move_spread=0.75,
    move_follow=0.55,
    move_persist=0.66,
    minute_volume_lots=100_000,
)

ETH_PROFILE = FlowProfile(
    top_median_lots=74.0e3,
    top_spread=0.75,
    fresh_lots=1400.0,
    deep_median_lots=850.0,
    deep_gap_ticks=4.0,
    trade_median_lots=41.0,
    burst_gap_ms=50.0,
    inner_gap_ms=1.2,
    burst_events=5.3,
    trade_share=0.25,
    move_rate=0.15,
    move_median_ticks=22.0,
    move_spread=0.75,
    move_follow=0.55,
    move_persist=0.66,
    minute_volume_lots=1_200_000,
)


def profile_for(spec: SymbolSpec) -> FlowProfile:
    """Profile of a symbol: the fitted one, or BTCUSDT's scaled to the symbol's notional and price."""
    if spec.symbol == "BTCUSDT":
        return BTC_PROFILE
    if spec.symbol == "ETHUSDT":
        return ETH_PROFILE
    price = float(spec.reference_price) or 100.0
    tick, lot = float(spec.tick_size), float(spec.step_size)
    sizes = 0.1 * (64_000.0 * 0.001) / (price * lot)
    ticks = (price / tick) / 640_000.0
    base = BTC_PROFILE
    return FlowProfile(
        top_median_lots=max(20.0, base.top_median_lots * sizes),
        top_spread=base.top_spread,
        fresh_lots=max(2.0, base.fresh_lots * sizes),
        deep_median_lots=max(2.0, base.deep_median_lots * sizes),
        deep_gap_ticks=max(1.0, base.deep_gap_ticks * ticks),
        trade_median_lots=max(1.0, base.trade_median_lots * sizes),
        burst_gap_ms=120.0,
        inner_gap_ms=base.inner_gap_ms,
        burst_events=base.burst_events,
        trade_share=base.trade_share,
        move_rate=base.move_rate,
        move_median_ticks=max(1.0, base.move_median_ticks * ticks),
        move_spread=base.move_spread,
        move_follow=base.move_follow,
        move_persist=base.move_persist,
        minute_volume_lots=max(1000, int(base.minute_volume_lots * sizes)),
    )
