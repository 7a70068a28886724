"""Rules of docs/assumptions.md for signal strategies, on the event-driven engine."""

import numpy as np
import pytest

from engine.backtest.data.funding import Funding
from engine.backtest.data.plans import SymbolPlan
from engine.backtest.emulator.signal_runner import run_signals
from engine.model.bars import Bars
from engine.model.broker_settings import BrokerSettings, EntryOrder, Market, Sizing
from engine.model.exit_rules import ExitRules, PartialExit
from engine.model.signals import SignalArrays
from engine.model.trades import BacktestResult

HOUR_NS = 3_600_000_000_000
MARKET = Market(tick=0.1, qty_step=0.01)
Row = tuple[float, float, float, float]


def _run(
    rows: list[Row],
    marks: dict[int, str],
    rules: ExitRules | None = None,
    tags: dict[int, str] | None = None,
    risk: float = 2.0,
    funding: Funding | None = None,
    **given: object,
) -> BacktestResult:
    """`marks`: L and S enter, l and s leave, by bar."""
    n = len(rows)
    names = ("", *sorted(set((tags or {}).values())))
    arrays = SignalArrays(
        *(np.array([letter in marks.get(i, "") for i in range(n)]) for letter in "LSls"),
        tag=np.array([names.index((tags or {}).get(i, "")) for i in range(n)], dtype=np.int32),
        tags=names,
        risk_distance=np.full(n, risk),
        values=np.empty((0, n)),
    )
    columns = np.array(rows, dtype=float).T
    bars = Bars("X", HOUR_NS, np.arange(n, dtype=np.int64) * HOUR_NS, *columns, np.zeros(n))
    settings = BrokerSettings(**{"market": MARKET, **given})
    return run_signals([SymbolPlan(bars, arrays, rules or ExitRules(), settings, funding=funding)])


def _trades(result: BacktestResult) -> list[tuple[int, float, int, float, str]]:
    return [(t.entry_bar, t.entry_price, t.exit_bar, t.exit_price, t.exit_signal) for t in result.trades]


FLAT = (100.0, 100.0, 100.0, 100.0)


def test_a_bar_close_stop_leaves_at_the_next_open() -> None:
    rows = [FLAT, FLAT, (100, 100, 97, 99), (99.5, 99.5, 99.5, 99.5)]
    assert _trades(_run(rows, {0: "L"}, ExitRules(stop_loss_percent=2))) == [(1, 100.0, 3, 99.5, "SL")]


def test_a_resting_stop_leaves_inside_the_bar_also_on_the_bar_of_the_entry() -> None:
    rules = ExitRules(stop_loss_percent=2, stop_kind="resting")
    assert _trades(_run([FLAT, (100, 101, 97, 99)], {0: "L"}, rules)) == [(1, 100.0, 1, 98.0, "SL")]


def test_a_resting_target_is_a_limit() -> None:
    rules = ExitRules(take_profit_r=1, stop_kind="resting")
    assert _trades(_run([FLAT, FLAT, (103, 103, 103, 103)], {0: "L"}, rules)) == [(1, 100.0, 2, 103.0, "TP")]


def test_the_stop_counts_before_the_target_on_one_closed_bar() -> None:
    rows = [FLAT, (100, 103, 97, 100), FLAT]
    rules = ExitRules(stop_loss_percent=2, take_profit_percent=2)
    assert _trades(_run(rows, {0: "L"}, rules))[0][4] == "SL"


def test_partial_exits_rest_at_multiples_of_r_and_a_stop_moves_to_the_entry_price() -> None:
    rules = ExitRules(
        stop_kind="resting", stop_r=1, break_even_at_r=1, partial_exits=(PartialExit(at_r=1, fraction=0.5),)
    )
    rows = [FLAT, (100, 102.5, 100, 102), (102, 102, 99, 99)]
    assert _trades(_run(rows, {0: "L"}, rules)) == [
        (1, 100.0, 1, 102.0, "Partial"),
        (1, 100.0, 2, 100.0, "SL"),
    ]


def test_a_trailing_stop_follows_the_best_price_from_the_next_bar_on() -> None:
    rules = ExitRules(trailing_percent=2, stop_kind="resting")
    rows = [FLAT, (100, 110, 99, 109), (109, 109, 107, 107)]
    assert _trades(_run(rows, {0: "L"}, rules)) == [(1, 100.0, 2, 107.8, "SL")]


def test_a_protective_stop_rests_beside_stops_at_the_close() -> None:
    rules = ExitRules(stop_loss_percent=20, protective_stop_percent=5)
    assert _trades(_run([FLAT, (100, 100, 94, 96)], {0: "L"}, rules)) == [
        (1, 100.0, 1, 95.0, "Protective Stop")
    ]


def test_after_a_stop_entries_wait_for_the_cooldown() -> None:
    rules = ExitRules(stop_loss_percent=2, stop_kind="resting", cooldown_bars=2)
    rows = [FLAT, (100, 100, 97, 100), FLAT, FLAT, FLAT]
    result = _run(rows, {0: "L", 1: "L", 2: "L"}, rules)
    assert [trade.entry_bar for trade in result.open_trades] == [3]


def test_a_flip_closes_and_enters_at_the_same_open() -> None:
    result = _run([FLAT, FLAT, FLAT, FLAT], {0: "L", 1: "S"})
    assert _trades(result) == [(1, 100.0, 2, 100.0, "Flip")]
    assert [(t.direction, t.entry_signal) for t in result.open_trades] == [(-1, "Flip to Short")]


@pytest.mark.parametrize(("kind", "left"), [("keep", 4), ("signal_bar", 4), ("fill_bar", 5)])
def test_holding_after_a_flip_is_counted_from_the_bar_the_rules_say(kind: str, left: int) -> None:
    rules = ExitRules(max_holding_bars=2, entry_bar=kind)
    result = _run([FLAT] * 8, {0: "L", 1: "S"}, rules)
    assert result.trades[1].exit_signal == "Max Hold"
    assert result.trades[1].exit_bar == left


def test_a_tag_enters_once() -> None:
    result = _run([FLAT] * 6, {0: "L", 2: "l", 3: "L"}, ExitRules(dedupe_tags=True), {0: "a", 3: "a"})
    assert len(result.trades) == 1
    assert result.open_trades == ()


def test_a_resting_entry_lives_for_its_bars() -> None:
    entry = EntryOrder(kind="limit", offset_percent=1, valid_bars=1)
    rows = [FLAT, FLAT, (100, 100, 98, 100)]
    assert _run(rows, {0: "L"}, entry=entry).open_trades == ()
    assert [t.entry_price for t in _run(rows, {1: "L"}, entry=entry).open_trades] == [99.0]


def test_risk_sizing_loses_the_percentage_when_price_moves_one_r() -> None:
    result = _run([FLAT, FLAT], {0: "L"}, sizing=Sizing("risk_percent", 1), initial_capital=1000)
    assert result.open_trades[0].qty == 5.0
    assert _run([FLAT, FLAT], {0: "L"}, risk=float("nan"), sizing=Sizing("risk_percent", 1)).open_trades == ()


def test_an_entry_the_account_cannot_margin_is_dropped_and_counted() -> None:
    market = Market(tick=0.1, qty_step=0.01, leverage=2)
    result = _run([FLAT, FLAT], {0: "L"}, sizing=Sizing("fixed", 21), market=market, initial_capital=1000)
    assert result.open_trades == ()
    assert result.margin_rejects == 1


def test_liquidation_comes_where_equity_equals_maintenance() -> None:
    market = Market(tick=0.1, qty_step=0.01, leverage=10, brackets=((0.0, 0.05, 0.0),))
    rows = [FLAT, FLAT, (100, 100, 90, 95)]
    result = _run(rows, {0: "L"}, sizing=Sizing("fixed", 100), market=market, initial_capital=1000)
    (trade,) = result.trades
    assert (trade.exit_signal, trade.exit_price) == ("Liquidation", 94.7)


def test_funding_is_paid_on_the_open_by_what_is_held() -> None:
    funding = Funding(np.array([2 * HOUR_NS]), np.array([0.01]))
    result = _run([FLAT, FLAT, FLAT], {0: "L"}, funding=funding, sizing=Sizing("fixed", 2))
    assert result.open_trades[0].funding == -2.0
    assert result.equity[-1] == 99_998.0


def test_pyramiding_shares_the_levels_of_the_first_lot() -> None:
    rules = ExitRules(stop_loss_percent=5, stop_kind="resting")
    rows = [FLAT, FLAT, (104, 104, 104, 104), (104, 104, 94, 94)]
    result = _run(rows, {0: "L", 1: "L"}, rules, pyramiding=2)
    assert _trades(result) == [(1, 100.0, 3, 95.0, "SL"), (2, 104.0, 3, 95.0, "SL")]
