"""Results that cannot be true are said, each by its own sentence."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from engine.backtest.report import plausibility
from engine.backtest.report.metrics import Columns
from engine.model.bars import Bars
from engine.model.broker_settings import BrokerSettings, Costs, Market, Sizing

N = 40
PLAIN, CENTS = Costs(0.05), Market(tick=0.01, qty_step=1.0)
FINE: dict[str, Any] = {
    "initial_capital": 1000.0,
    "final_equity": 1000.0 + N * 0.5,
    "lowest_equity": 900.0,
    "open_profit": 0.0,
    "net_profit": N * 0.5,
    "sharpe": 1.0,
    "cagr_percent": 10.0,
    "trades": N,
    "profit_factor": 1.3,
    "win_rate_percent": 45.0,
    "days": 365.0,
    "margin_rejects": 0,
}


def _bars(volume: float = 1000.0) -> dict[str, Bars]:
    flat = np.full(100, 50.0)
    return {"X": Bars("X", 1, np.arange(100), flat, flat + 2, flat - 2, flat, np.full(100, volume))}


def _trades(**columns: object) -> Columns:
    made: Columns = {
        "symbol": np.array(["X"] * N),
        "entry_bar": np.arange(N),
        "exit_bar": np.arange(N) + 1,
        "entry_time_ns": np.arange(N),
        "exit_time_ns": np.arange(N) + 1,
        "entry_price": np.full(N, 50.0),
        "exit_price": np.full(N, 50.5),
        "exit_signal": np.full(N, "Close", object),
        "qty": np.ones(N),
        "pnl": np.full(N, 0.5),
    }
    return made | {name: np.asarray(values) for name, values in columns.items()}


def _said(
    summary: dict[str, Any],
    trades: Columns,
    volume: float = 1000.0,
    costs: Costs = PLAIN,
    market: Market = CENTS,
) -> list[str]:
    settings = {"X": BrokerSettings(costs=costs, market=market)}
    return plausibility.warnings(FINE | summary, trades, _bars(volume), settings)


def test_a_plain_result_gives_no_warning():
    assert _said({}, _trades()) == []


def test_ticks_are_worth_their_point_value():
    thin = {"net_profit": N * 0.015, "final_equity": 1000.0 + N * 0.015}
    assert any("1.50 ticks" in text for text in _said(thin, _trades(pnl=np.full(N, 0.015))))
    many = {"net_profit": N * 0.75, "final_equity": 1000.0 + N * 0.75}
    said = _said(many, _trades(pnl=np.full(N, 0.75)), market=replace(CENTS, point_value=50.0))
    assert any("1.50 ticks" in text for text in said)


@pytest.mark.parametrize(
    ("summary", "columns", "says"),
    [
        ({}, {"entry_price": [53.0] + [50.0] * (N - 1)}, "1 entry prices lie outside"),
        ({}, {"exit_price": [47.0] * 2 + [50.0] * (N - 2)}, "2 exit prices lie outside"),
        ({}, {"exit_time_ns": np.arange(N) - 1}, "exit before they enter"),
        ({"final_equity": 1500.0}, {}, "is not the sum of the trades"),
        ({"lowest_equity": -1.0}, {}, "below zero"),
        ({"sharpe": 9.0}, {}, "Sharpe ratio of 9.0"),
        ({"profit_factor": None}, {}, "no losing trades"),
        ({"profit_factor": 8.0}, {}, "profit factor of 8.0"),
        ({"win_rate_percent": 95.0}, {}, "95 % winners"),
        ({"cagr_percent": 1e4}, {}, "a year"),
        ({"trades": 7}, {}, "only 7 trades"),
        ({"trades": 1}, {}, "only 1 trade:"),
        (
            {},
            {"exit_signal": ["Close"] * (N - 1) + ["Liquidation"]},
            "1 trade was liquidated, first on 1970-01-01 00:00 UTC",
        ),
        ({}, {"exit_signal": ["Margin call"] * N}, f"{N} trades were closed by margin calls"),
        ({"margin_rejects": 1}, {}, "1 entry was rejected for lack of margin"),
        ({"days": 10.0}, {}, "only 10 days"),
        ({}, {"pnl": [15.0] + [0.1] * (N - 1)}, "one trade (15.00) makes 75 % of the net profit"),
        (
            {},
            {"pnl": [60.0] + [-1.0] * (N - 1)},
            "one trade (60.00) makes 3 times the net profit: the others lose in total",
        ),
        ({}, {"pnl": [0.015] * N}, "ticks: one more tick of slippage"),
        ({"trades": 0}, {}, "no trades"),
    ],
)
def test_what_is_doubtful_is_said(summary: dict[str, Any], columns: dict[str, object], says: str):
    assert any(says in text for text in _said(summary, _trades(**columns)))


def test_zero_costs_and_entries_too_large_for_the_market_are_said():
    assert "commission and slippage are zero" in _said({}, _trades(), costs=Costs())
    assert any("a tenth of their bar's volume" in text for text in _said({}, _trades(), volume=5.0))
    assert _said({}, _trades(), volume=0.0) == []


def test_slippage_may_leave_the_bar():
    outside = _trades(entry_price=[52.5] * N)
    assert _said({}, outside)
    assert _said({}, outside, costs=Costs(slippage_ticks=50)) != []
    assert not any("outside" in text for text in _said({}, outside, costs=Costs(slippage_ticks=50)))
    assert not any("outside" in text for text in _said({}, outside, costs=Costs(slippage_bps=100.0)))


def test_a_tick_that_is_large_for_the_price_is_said():
    said = _said({}, _trades(), costs=Costs(slippage_ticks=2), market=Market(tick=0.25, qty_step=1.0))
    assert said == ["X: a tick of 0.25 is large for a price of 48: the slippage is up to 1.0 % a fill"]


def test_who_has_set_leverage_is_not_told_to():
    said = _said({"lowest_equity": -1.0}, _trades(), market=Market(tick=0.01, qty_step=0.01, leverage=10.0))
    assert [text for text in said if "below zero" in text] == [
        "equity falls below zero: price jumped past the liquidation price, or costs took the rest"
    ]


def test_a_price_at_or_below_zero_is_impossible():
    assert any(
        "1 exit prices lie outside" in text for text in _said({}, _trades(exit_price=[0.0] + [50.5] * 39))
    )


@pytest.mark.parametrize(
    ("sizing", "market", "says"),
    [
        (Sizing("cash", 40.0), Market(tick=0.01, qty_step=1.0), "has at most 0.833333, its qty_step is 1"),
        (
            Sizing("fixed", 1.0),
            Market(tick=0.01, qty_step=0.1, min_qty=2.0),
            "has at most 1, its min_qty is 2",
        ),
        (
            Sizing("percent_of_equity", 10.0),
            Market(tick=0.01, qty_step=0.001, min_notional=500.0),
            "has at most 100, its min_notional is 500",
        ),
        (Sizing("fixed", 1.0), Market(tick=0.01, qty_step=1.0), "check thresholds"),
    ],
)
def test_why_nothing_was_traded_is_said(sizing: Sizing, market: Market, says: str):
    settings = {"X": BrokerSettings(initial_capital=1000.0, costs=PLAIN, sizing=sizing, market=market)}
    none = {name: values[:0] for name, values in _trades().items()}
    summary = FINE | {"trades": 0, "net_profit": 0.0, "final_equity": 1000.0, "profit_factor": None}
    (said,) = plausibility.warnings(summary, none, _bars(), settings)
    assert said.startswith("no trades")
    assert says in said


def test_thresholds_are_not_blamed_for_entries_without_margin():
    said = _said({"trades": 0, "margin_rejects": 3}, _trades())
    assert "no trades" in said
    assert any("3 entries were rejected for lack of margin" in text for text in said)
