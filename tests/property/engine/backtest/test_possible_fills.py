"""A fill is above zero and never outside its bar by more than the slippage asked for, in both engines."""

from dataclasses import replace

import numpy as np
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from engine.backtest.data.plans import SymbolPlan
from engine.backtest.data.price_grid import grid_of, settled
from engine.backtest.emulator.script_runner import run_script
from engine.backtest.emulator.signal_runner import run_signals
from engine.backtest.kernel.runner import run_kernel
from engine.model.bars import Bar, Bars
from engine.model.broker_settings import BrokerSettings, Costs, Market
from engine.model.trades import BacktestResult
from engine.strategies.base import Broker, ScriptStrategy
from tests.support.engine_cases import HOUR_NS, make_bars, plans


def _assert_possible(plan: SymbolPlan, result: BacktestResult) -> None:
    bars, costs, tick = plan.bars, plan.settings.costs, settled(plan.settings, plan.bars).market.tick
    for trade in (*result.trades, *result.open_trades):
        if trade.symbol != bars.symbol:
            continue
        fills = [(trade.entry_bar, trade.entry_price)]
        if trade in result.trades:
            fills.append((trade.exit_bar, trade.exit_price))
        for bar, price in fills:
            low, high = bars.low[bar], bars.high[bar]
            slippage = costs.slippage_ticks * tick + high * costs.slippage_bps / 10_000.0
            noise = 2e-4 * tick + 2 * np.spacing(high)  # the same price may be the neighbouring float
            assert price > 0.0
            assert low - slippage - noise <= price <= high + slippage + noise, (bar, price, low, high)


@settings(
    max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large]
)
@given(plans(most_symbols=2, most_bars=40), st.sampled_from([None, 0.0, 5.0, 1000.0]))
def test_fills_are_possible_on_any_grid(given_plans: list[SymbolPlan], tick: float | None):
    """Also with a tick that no price is on, or one far larger than the prices."""
    if tick is not None:
        given_plans = [
            replace(plan, settings=replace(plan.settings, market=replace(plan.settings.market, tick=tick)))
            for plan in given_plans
            if len(plan.bars) and tick <= float(plan.bars.low.min())
        ]
    if not given_plans:
        return
    for result in (run_kernel(given_plans), run_signals(given_plans)):
        for plan in given_plans:
            _assert_possible(plan, result)


class _Busy(ScriptStrategy):
    """Enters, adds, reverses and leaves by every kind of order, by the number of the bar."""

    name = "busy"

    def on_bar(self, bar: Bar, broker: Broker) -> None:
        turn = broker.bar_index % 7
        if turn == 0:
            broker.entry("L", "long")
        elif turn == 2:
            broker.exit("X", "L", stop=bar.close * 0.98, limit=bar.close * 1.01)
        elif turn == 3:
            broker.entry("S", "short", stop=bar.close * 0.995)
        elif turn == 5:
            broker.exit("Y", "S", trail_points=2, trail_offset=1)
        elif turn == 6:
            broker.close_all(immediately=True)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@example(price=0.0000123, kind="ticks", seed=22989711, ticks=0, bps=0.0, on_close=False, margin=0.0)
@given(
    st.sampled_from([0.0000123, 0.0041, 0.31, 30.003, 64_000.0]),
    st.sampled_from(["ticks", "odd", "extreme"]),
    st.integers(0, 2**32 - 1),
    st.integers(0, 3),
    st.sampled_from([0.0, 25.0]),
    st.booleans(),
    st.sampled_from([0.0, 100.0]),
)
def test_scripts_fill_possibly_at_any_size_of_price(
    price: float, kind: str, seed: int, ticks: int, bps: float, on_close: bool, margin: float
):
    bars = make_bars("X", kind, seed, 60, price)
    costs = Costs(slippage_ticks=ticks, slippage_bps=bps)
    given_settings = BrokerSettings(
        costs=costs, timing="bar_close" if on_close else "next_bar_open", margin_long_percent=margin
    )
    result = run_script(_Busy(), bars, given_settings)
    signals = None
    plan = SymbolPlan(bars, signals, None, given_settings)  # type: ignore[arg-type]  # bars and settings only
    _assert_possible(plan, result)


def test_a_coin_of_less_than_a_cent_is_bought_and_sold_at_its_own_prices():
    rows = [0.0040, 0.0040, 0.0041, 0.0042, 0.0043]
    opens = np.array(rows[:-1])
    closes = np.array(rows[1:])
    bars = Bars("LOW", HOUR_NS, np.arange(4) * HOUR_NS, opens, closes, opens, closes, np.full(4, 1e9))

    class InOut(ScriptStrategy):
        name = "in_out"

        def on_bar(self, bar: Bar, broker: Broker) -> None:
            if broker.bar_index == 0:
                broker.entry("L", "long")
            if broker.bar_index == 2:
                broker.close("L")

    assert grid_of(bars).tick == 0.0001
    trade = run_script(InOut(), bars, BrokerSettings()).trades[0]
    assert (trade.entry_price, trade.exit_price) == (0.0040, 0.0042)
    slipped = run_script(InOut(), bars, BrokerSettings(costs=Costs(slippage_ticks=1))).trades[0]
    assert (slipped.entry_price, slipped.exit_price) == (0.0041, 0.0041)
    coarse = BrokerSettings(market=Market(tick=0.004), costs=Costs(slippage_ticks=3))
    assert run_script(InOut(), bars, coarse).trades[0].exit_price > 0.0
