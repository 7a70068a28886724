"""`strategy()` with TradingView's argument names, as settings of the event-driven engine."""

from typing import Literal

from engine.model.broker_settings import BrokerSettings, Costs, Market, Sizing

QtyType = Literal["fixed", "cash", "percent_of_equity"]
CommissionType = Literal["percent", "cash_per_contract", "cash_per_order"]


def pine_settings(
    *,
    initial_capital: float = 100_000.0,
    default_qty_type: QtyType = "percent_of_equity",
    default_qty_value: float = 100.0,
    pyramiding: int = 0,
    commission_type: CommissionType = "percent",
    commission_value: float = 0.0,
    slippage: int = 0,
    process_orders_on_close: bool = False,
    calc_on_order_fills: bool = False,
    calc_on_every_tick: bool = False,
    margin_long: float = 100.0,
    margin_short: float = 100.0,
    close_entries_rule: Literal["FIFO", "ANY"] = "FIFO",
    backtest_fill_limits_assumption: int = 0,
    use_bar_magnifier: bool = False,
    fill_orders_on_standard_ohlc: bool = False,
    currency: str = "NONE",
    risk_free_rate: float = 2.0,
    mintick: float | None = None,
    mincontract: float = 0.0001,
    pointvalue: float = 1.0,
) -> BrokerSettings:
    """Settings of a script; the defaults are Pine v6's, `mintick` and the two after it are the symbol's.

    Without a `mintick` it is the grid of the bars' prices.

    Without effect here: `calc_on_every_tick` (history has none), `use_bar_magnifier` (give finer bars to
    `run_script`), `fill_orders_on_standard_ohlc` (bars are standard ones), `currency` (money is in the
    symbol's quote currency; another one is a ValueError) and `risk_free_rate` (a report's matter).
    """
    if currency not in ("NONE", ""):
        raise ValueError(f"currency {currency!r}: accounts are kept in the symbol's quote currency")
    del calc_on_every_tick, use_bar_magnifier, fill_orders_on_standard_ohlc, risk_free_rate
    return BrokerSettings(
        initial_capital=initial_capital,
        sizing=Sizing(default_qty_type, default_qty_value),
        costs=Costs(
            taker_percent=commission_value if commission_type == "percent" else 0.0,
            cash_per_contract=commission_value if commission_type == "cash_per_contract" else 0.0,
            cash_per_order=commission_value if commission_type == "cash_per_order" else 0.0,
            slippage_ticks=slippage,
        ),
        market=Market(tick=mintick or 0.0, qty_step=mincontract, point_value=pointvalue),
        timing="bar_close" if process_orders_on_close else "next_bar_open",
        pyramiding=pyramiding,
        close_rule=close_entries_rule,
        margin_long_percent=margin_long,
        margin_short_percent=margin_short,
        calc_on_order_fills=calc_on_order_fills,
        backtest_fill_limits_assumption_ticks=backtest_fill_limits_assumption,
    )
