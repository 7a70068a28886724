"""Each row of docs/assumptions.md as numbers worked out by hand; both engines must give them.

`shows` names the rows a test is about; the last test checks that no row is without one.
"""

import re
from collections.abc import Sequence
from dataclasses import replace
from math import nan

import numpy as np
import pytest

from engine.backtest.data.funding import Funding
from engine.backtest.data.plans import SymbolPlan
from engine.model.broker_settings import BrokerSettings, Costs, EntryOrder, Market, Sizing
from engine.model.exit_rules import ExitRules, PartialExit
from tests.support.assumed import (
    HOUR_NS,
    LEAVE_LONG,
    LONG,
    MARKET,
    PLAIN,
    RESTING,
    SHORT,
    SHOWN,
    Row,
    Said,
    both,
    flat,
    make_bars,
    make_signals,
    out,
    run,
    say,
    shows,
)
from tests.support.places import ROOT
from tests.unit.engine.backtest import test_assumed_exits

PAGE = ROOT / "docs" / "assumptions.md"
HEADINGS = {"#", "case", "kind", "what", "`entry_bar`"}


def one_lot(settings: BrokerSettings, direction: int = LONG, r: float = nan) -> float:
    """Quantity of an entry decided at a close of 100."""
    return sum(t.qty for t in run(flat(100, 100), {0: say(direction, r=r)}, settings=settings).open_trades)


@shows("The cycle of one bar", "2", "6", "7")
def test_a_decision_at_the_close_fills_at_the_next_open_or_at_this_close():
    rows = flat(100, 104, 108)
    trade = run(rows, {0: say(LONG), 1: say(LEAVE_LONG)}).trades[0]
    assert (trade.entry_bar, trade.entry_price, *out(trade)) == (1, 104.0, 2, 108.0, "Mid Exit")
    trade = run(rows, {0: say(LONG), 1: say(LEAVE_LONG)}, settings=replace(PLAIN, timing="bar_close")).trades[
        0
    ]
    assert (trade.entry_bar, trade.entry_price, *out(trade)) == (0, 100.0, 1, 104.0, "Mid Exit")


@shows("The cycle of one bar", "3")
@shows("Fills", "stop already passed at the open", "limit already passed at the open")
def test_a_gap_fills_at_the_open():
    costs = replace(PLAIN, costs=Costs(slippage_ticks=1))
    stopped = run(
        [*flat(100, 100), (90, 91, 89, 90)], {0: say(LONG)}, replace(RESTING, stop_loss_percent=5.0), costs
    )
    assert out(stopped.trades[0]) == (2, 89.5, "SL")
    rules = replace(RESTING, take_profit_percent=5.0)
    assert out(run([*flat(100, 100), (110, 111, 109, 110)], {0: say(LONG)}, rules).trades[0]) == (
        2,
        110.0,
        "TP",
    )


@shows("The cycle of one bar", "4")
@shows("Price and quantity grid", "path")
@pytest.mark.parametrize(
    ("bar", "first"), [((100, 106, 90, 95), "TP"), ((100, 110, 94, 105), "SL"), ((100, 106, 94, 100), "SL")]
)
def test_the_nearer_extreme_comes_first_and_the_low_on_a_tie(bar: Row, first: str):
    rules = replace(RESTING, stop_loss_percent=5.0, take_profit_percent=5.0)
    assert run([*flat(100, 100), bar], {0: say(LONG)}, rules).trades[0].exit_signal == first


@shows("The cycle of one bar", "1", "5")
@shows("Margin, liquidation, funding", "funding")
def test_funding_is_paid_by_what_is_held_at_the_open_and_at_the_close_at_the_open_price():
    times = np.array([HOUR_NS, 2 * HOUR_NS, 2 * HOUR_NS + 1], np.int64)
    funding = Funding(times, np.array([0.01, 0.02, 0.04]))
    result = run(flat(100, 100, 50), {0: say(LONG), 1: say(LEAVE_LONG)}, funding=funding)
    assert result.trades[0].funding == -50 * 0.02
    assert result.final_equity == 100_000 - 50 - 1.0


@shows("Price and quantity grid", "finer bars given")
def test_finer_bars_decide_what_comes_first():
    rows = [*flat(100, 100), (100.0, 106.0, 94.0, 100.0)]
    quarters = [(100, 106, 100, 101), (101, 101, 96, 96), (94, 95, 94, 94), (94, 100, 94, 100)]
    finer = make_bars(
        [(float(o), float(h), float(low), float(c)) for o, h, low, c in quarters],
        times=(8, 9, 10, 11),
        step=HOUR_NS // 4,
    )
    rules = replace(RESTING, stop_loss_percent=5.0, take_profit_percent=8.0)
    assert out(run(rows, {0: say(LONG)}, rules, finer=finer).trades[0]) == (2, 94.0, "SL")
    rules = replace(RESTING, stop_loss_percent=5.0, take_profit_percent=5.0)
    assert out(run(rows, {0: say(LONG)}, rules, finer=finer).trades[0]) == (2, 105.0, "TP")


@shows("Price and quantity grid", "buy stop, sell limit", "sell stop, buy limit")
@shows("Fills", "stop reached inside the bar", "limit reached inside the bar")
def test_levels_are_rounded_away_from_the_market_and_only_stops_slip():
    settings = replace(PLAIN, costs=Costs(slippage_ticks=1))
    rules = replace(RESTING, stop_loss_percent=3.3, take_profit_percent=3.3)
    down = run([*flat(100, 100), (100, 101, 96, 97)], {0: say(LONG)}, rules, settings)
    assert out(down.trades[0]) == (2, 96.5, "SL")
    up = run([*flat(100, 100), (100, 104.5, 99, 104)], {0: say(LONG)}, rules, settings)
    assert (up.trades[0].entry_price, out(up.trades[0])) == (100.5, (2, 104.0, "TP"))
    short = run([*flat(100, 100), (100, 104, 99, 103)], {0: say(SHORT)}, rules, settings)
    assert out(short.trades[0]) == (2, 103.5, "SL")
    short = run([*flat(100, 100), (100, 101, 96, 97)], {0: say(SHORT)}, rules, settings)
    assert out(short.trades[0]) == (2, 96.0, "TP")


@shows(
    "Price and quantity grid",
    "fill price",
    "quantity",
    "entry below `min_qty` or `min_notional` (at its sizing price)",
)
def test_grids_of_price_and_quantity():
    assert run([*flat(100), (100.25, 101, 100, 100.5)], {0: say(LONG)}).open_trades[0].entry_price == 100.5
    assert one_lot(replace(PLAIN, sizing=Sizing("fixed", 0.39))) == 0.3
    assert one_lot(replace(PLAIN, sizing=Sizing("fixed", 0.3))) == 0.3
    assert one_lot(replace(PLAIN, market=replace(MARKET, min_qty=1.1))) == 0
    assert one_lot(replace(PLAIN, market=replace(MARKET, min_notional=100.5))) == 0
    assert (
        one_lot(replace(PLAIN, market=replace(MARKET, min_notional=100.5), costs=Costs(slippage_ticks=1)))
        == 1
    )


@shows("Price and quantity grid", "tick, quantity step")
def test_a_grid_that_is_not_given_is_that_of_the_bars():
    settings = replace(PLAIN, market=Market(), costs=Costs(slippage_ticks=1))
    rows = flat(*(0.5 * turn for turn in range(100, 160)))
    opened = run(rows, {0: say(LONG)}, settings=settings).open_trades[0]
    assert (opened.entry_bar, opened.entry_price) == (1, 51.0)
    given = replace(settings, market=Market(tick=0.05))
    assert run(rows, {0: say(LONG)}, settings=given).open_trades[0].entry_price == 50.55


@shows("Fills", "market order", "commission")
def test_slippage_and_commission_of_market_orders():
    costs = Costs(0.1, slippage_ticks=1, slippage_bps=100.0, cash_per_order=0.5, cash_per_contract=0.25)
    settings = replace(PLAIN, costs=costs, sizing=Sizing("fixed", 2.0))
    trade = run(flat(100, 100, 100), {0: say(LONG), 1: say(LEAVE_LONG)}, settings=settings).trades[0]
    assert (trade.entry_price, trade.exit_price) == (101.5, 98.5)
    assert trade.entry_commission == 101.5 * 2 * 0.1 / 100 + 0.25 * 2 + 0.5
    maker = replace(settings, costs=replace(costs, maker_percent=0.05), entry=EntryOrder("limit"))
    assert (
        run(flat(100, 100), {0: say(LONG)}, settings=maker).open_trades[0].entry_commission
        == 100 * 2 * 0.05 / 100 + 1.0
    )


@shows("Fills", "excursions of a trade")
def test_a_trade_that_leaves_at_the_open_has_the_price_it_left_at():
    settings = replace(PLAIN, costs=Costs(slippage_ticks=2))
    rows: list[Row] = [*flat(100), (100, 102, 98, 101), (110, 120, 90, 100), *flat(100)]
    trade = run(rows, {0: say(LONG), 1: say(LEAVE_LONG)}, settings=settings).trades[0]
    assert (trade.entry_price, trade.exit_price) == (101.0, 109.0)
    assert (trade.run_up, trade.drawdown) == (8.0, -3.0)
    held = run(rows, {0: say(LONG), 2: say(LEAVE_LONG)}, settings=settings).trades[0]
    assert (held.run_up, held.drawdown) == (19.0, -11.0)


@shows("Fills", "stop-limit")
@shows("Entries that rest (`EntryOrder`)", "stop_limit")
def test_a_stop_limit_becomes_a_limit_where_its_stop_is_reached():
    settings = replace(PLAIN, entry=EntryOrder("stop_limit", 2.0, 1.0), costs=Costs(slippage_ticks=3))
    rows: list[Row] = [*flat(100), (100, 103, 99.5, 102.5)]
    assert run(rows, {0: say(LONG)}, settings=settings).open_trades[0].entry_price == 102.0
    below = replace(settings, entry=EntryOrder("stop_limit", 2.0, -1.0))
    assert run(rows, {0: say(LONG)}, settings=below).open_trades == ()
    back: list[Row] = [*flat(100), (100, 103, 99.5, 100)]
    assert run(back, {0: say(LONG)}, settings=below).open_trades[0].entry_price == 100.5


@shows("Fills", "an order placed by a fill inside the bar", "two levels at one price")
def test_exits_of_an_entry_inside_the_bar_take_part_in_its_rest():
    settings = replace(PLAIN, entry=EntryOrder("stop", 2.0))
    rules = replace(RESTING, stop_loss_percent=2.0)
    trade = run([*flat(100), (100, 103, 99.5, 99.5)], {0: say(LONG)}, rules, settings).trades[0]
    assert (trade.entry_bar, trade.entry_price, *out(trade)) == (1, 102.0, 1, 99.5, "SL")
    rules = replace(RESTING, take_profit_r=1.0, partial_exits=(PartialExit(1.0, 0.5),))
    both_gone = run([*flat(100, 100), (100, 106, 99.5, 105)], {0: say(LONG, r=5.0)}, rules)
    assert [(t.qty, t.exit_signal) for t in both_gone.trades] == [(0.5, "Partial"), (0.5, "TP")]


@shows("Sizing", "fixed", "cash", "percent_of_equity", "risk_percent")
def test_quantities():
    def sized(kind: str, value: float) -> BrokerSettings:
        costs = Costs(0.1, slippage_ticks=2)
        return replace(PLAIN, initial_capital=1000.0, sizing=Sizing(kind, value), costs=costs)  # type: ignore[arg-type]

    assert one_lot(sized("fixed", 2.0)) == 2.0
    assert one_lot(sized("cash", 1000.0)) == 9.9  # 1000 / 101
    assert one_lot(sized("percent_of_equity", 101.11)) == 10.0  # 1011.1 / (101 * 1.001)
    assert one_lot(sized("percent_of_equity", 101.09)) == 9.9
    assert one_lot(sized("risk_percent", 5.0), r=2.0) == 25.0
    assert one_lot(sized("risk_percent", 5.0)) == 0


@shows("Sizing", "a close between two ticks")
@pytest.mark.parametrize(("close", "qty"), [(100.2, 10.1), (100.3, 10.05)])
def test_the_sizing_price_is_on_the_tick(close: float, qty: float):
    market = Market(tick=0.5, qty_step=0.05)
    settings = BrokerSettings(sizing=Sizing("cash", 1010.05), market=market)
    rows: list[Row] = [(100, 101, 99, close), *flat(100)]
    assert run(rows, {0: say(LONG)}, settings=settings).open_trades[0].qty == qty


@shows("Signal strategies: decisions", "1", "4", "5c", "5d", "5e")
def test_the_first_match_decides():
    rows = flat(100, 100, 100, 100)
    assert run(rows, {0: say(LONG | SHORT)}).open_trades[0].direction == 1
    result = run(rows, {0: say(LONG), 1: say(SHORT)})
    assert [t.exit_signal for t in result.trades] == ["Flip"]
    assert result.open_trades[0].entry_signal == "Flip to Short"
    assert run(rows, {0: say(LONG), 1: say(SHORT)}, ExitRules(allow_flip=False)).trades == ()
    assert run(rows, {0: say(LONG), 1: say(SHORT | LEAVE_LONG)}).trades[0].exit_signal == "Mid Exit"
    assert run(rows, {0: say(LONG), 1: say(LEAVE_LONG)}, ExitRules(signal_exits=False)).trades == ()
    assert out(run(rows, {0: say(LONG)}, ExitRules(max_holding_bars=1)).trades[0]) == (3, 100.0, "Max Hold")
    assert run(rows, {0: say(LONG)}, ExitRules(max_holding_bars=1, max_holding_strict=True)).trades == ()


@shows("Signal strategies: decisions", "2", "5a", "5b")
def test_stops_and_targets_on_closed_bars_and_the_cooldown():
    rules = ExitRules(stop_loss_percent=3.0, take_profit_percent=3.0, cooldown_bars=2)
    rows: list[Row] = [*flat(100, 100), (100, 101, 97, 100), *flat(100, 100, 100, 100)]
    result = run(rows, {0: say(LONG), 3: say(LONG), 4: say(LONG)}, rules)
    assert out(result.trades[0]) == (3, 100.0, "SL")
    assert [t.entry_bar for t in result.open_trades] == [5]
    high: list[Row] = [*flat(100, 100), (100, 103, 99, 100), *flat(100)]
    assert out(run(high, {0: say(LONG)}, rules).trades[0]) == (3, 100.0, "TP")


@shows("Signal strategies: decisions", "5g")
@shows("Signal strategies: levels", "partial exit k", "quantity of any exit")
def test_partial_exits_on_closed_bars_leave_together():
    rules = ExitRules(partial_exits=(PartialExit(1.0, 0.5), PartialExit(2.0, 0.7), PartialExit(9.0, 0.5)))
    rows: list[Row] = [*flat(100, 100), (100, 104, 99, 100), *flat(100)]
    result = run(rows, {0: say(LONG, r=2.0)}, rules, replace(PLAIN, sizing=Sizing("fixed", 2.0)))
    assert [(t.qty, *out(t)) for t in result.trades] == [(2.0, 3, 100.0, "Partial")]
    assert run(rows, {0: say(LONG)}, rules).trades == ()


@shows("Signal strategies: decisions", "6")
@shows("Signal strategies: levels", "break-even", "trailing", "stop level", "target level")
def test_levels_and_how_they_move():
    rows: list[Row] = [*flat(100, 100), (100, 105, 99, 104), (104, 105, 100, 101), *flat(101)]
    moved = replace(RESTING, stop_r=5.0, break_even_at_r=1.0)
    assert out(run(rows, {0: say(LONG, r=4.0)}, moved).trades[0]) == (3, 100.0, "SL")
    assert run(rows, {0: say(LONG, r=6.0)}, moved).trades == ()
    trailing = replace(RESTING, trailing_percent=2.0)
    assert out(run(rows, {0: say(LONG)}, trailing).trades[0]) == (3, 102.5, "SL")
    tightest = replace(RESTING, stop_loss_percent=3.0, stop_r=1.0)
    assert (
        out(run([*flat(100, 100), (100, 100, 90, 95)], {0: say(LONG, r=2.0)}, tightest).trades[0])[1] == 98.0
    )
    nearest = replace(RESTING, take_profit_percent=3.0, take_profit_r=1.0)
    assert (
        out(run([*flat(100, 100), (100, 110, 100, 105)], {0: say(LONG, r=2.0)}, nearest).trades[0])[1]
        == 102.0
    )


@shows("Signal strategies: decisions", "7")
@shows("Signal strategies: levels", "which lot a partial exit takes")
def test_pyramiding_and_which_lot_leaves():
    rules = replace(RESTING, partial_exits=(PartialExit(1.0, 0.5),))
    said = {0: say(LONG, r=4.0), 1: say(LONG, r=4.0), 2: say(LONG, r=4.0)}
    rows: list[Row] = [*flat(100, 100, 101, 101), (101, 105, 100, 104)]
    settings = replace(PLAIN, pyramiding=2)
    fifo = run(rows, said, rules, settings)
    assert ([t.entry_bar for t in fifo.trades], [t.qty for t in fifo.open_trades]) == ([1], [0.5, 1.0])
    assert [t.entry_bar for t in run(rows, said, rules, replace(settings, close_rule="ANY")).trades] == [2]
    assert len(run(rows, said, rules).open_trades) == 1


@shows("Signal strategies: decisions", "3", "keep", "signal_bar", "fill_bar", "pending")
@pytest.mark.parametrize(
    ("kind", "exit_bar"), [("keep", 5), ("signal_bar", 6), ("fill_bar", 7), ("pending", 8)]
)
def test_what_a_flip_does_to_holding(kind: str, exit_bar: int):
    rules = ExitRules(max_holding_bars=3, entry_bar=kind)  # type: ignore[arg-type]
    result = run(flat(*[100] * 9), {0: say(LONG), 2: say(SHORT)}, rules)
    assert [t.exit_bar for t in result.trades] == [3, exit_bar]


@shows(
    "Signal strategies: levels",
    '`stop_kind = "resting"` or `timing = "intrabar"`',
    "resting stop",
    "resting target",
)
def test_resting_exits_work_from_the_entry_bar_on():
    rules = ExitRules(stop_loss_percent=2.0, take_profit_percent=2.0, cooldown_bars=2)
    settings = replace(PLAIN, timing="intrabar")
    rows: list[Row] = [*flat(100), (100, 101, 98, 99), *flat(99, 99, 99)]
    result = run(rows, {0: say(LONG), 1: say(LONG), 2: say(LONG)}, rules, settings)
    assert out(result.trades[0]) == (1, 98.0, "SL")
    assert [t.entry_bar for t in result.open_trades] == [3]
    won = run([*flat(100), (100, 102, 99, 101), *flat(101)], {0: say(LONG), 1: say(LONG)}, rules, settings)
    assert (out(won.trades[0]), won.open_trades[0].entry_bar) == ((1, 102.0, "TP"), 2)


@shows("Signal strategies: levels", "protective stop")
def test_the_protective_stop_rests_beside_bar_close_stops():
    rules = ExitRules(stop_loss_percent=2.0, protective_stop_percent=5.0)
    result = run([*flat(100, 100), (100, 100, 94, 99)], {0: say(LONG)}, rules)
    assert out(result.trades[0]) == (2, 95.0, "Protective Stop")
    tighter = replace(rules, stop_kind="resting")
    assert out(run([*flat(100, 100), (100, 100, 94, 99)], {0: say(LONG)}, tighter).trades[0]) == (
        2,
        98.0,
        "SL",
    )


@shows("Entries that rest (`EntryOrder`)", "limit", "stop")
def test_resting_entries_live_for_their_bars_and_are_replaced():
    settings = replace(PLAIN, entry=EntryOrder("limit", 2.0, valid_bars=2))
    rows: list[Row] = [*flat(100, 100, 100), (100, 100, 97, 99)]
    assert run(rows, {0: say(LONG)}, settings=settings).open_trades == ()
    assert run(rows, {1: say(LONG)}, settings=settings).open_trades[0].entry_price == 98.0
    assert run(rows, {1: say(LONG), 2: say(SHORT)}, settings=settings).open_trades == ()
    stop = replace(PLAIN, entry=EntryOrder("stop", 2.0))
    assert (
        run([*flat(100), (100, 100, 97, 99)], {0: say(SHORT)}, settings=stop).open_trades[0].entry_price
        == 98.0
    )


@shows("Margin, liquidation, funding", "leverage > 0, entry", "maintenance", "liquidation")
def test_margin_and_liquidation():
    market = replace(MARKET, leverage=10.0, brackets=((0.0, 0.0, 0.0), (500.0, 0.05, 25.0)))
    settings = replace(PLAIN, initial_capital=100.0, sizing=Sizing("fixed", 10.0), market=market)
    rows: list[Row] = [*flat(100, 100), (100, 100, 80, 85)]
    # 100 + 10 * (p - 100) = 10 * p * 0.05 - 25, p = 875 / 9.5 = 92.1
    assert out(run(rows, {0: say(LONG)}, settings=settings).trades[0]) == (2, 92.0, "Liquidation")
    poor = replace(settings, initial_capital=99.0)
    result = run(rows, {0: say(LONG)}, settings=poor)
    assert (result.margin_rejects, result.trades, result.open_trades) == (1, (), ())
    # With all of the notional as maintenance nothing a long gains or loses brings it nearer.
    whole = replace(settings, market=replace(market, brackets=((0.0, 1.0, 0.0),)))
    assert run(rows, {0: say(LONG)}, settings=whole).trades == ()


def test_symbols_share_one_account():
    def plan(symbol: str, times: Sequence[int], said: Said) -> SymbolPlan:
        rows = flat(100, 100, 120)[: len(times)]
        return SymbolPlan(
            make_bars(rows, symbol, times), make_signals(len(rows), said), ExitRules(), settings
        )

    settings = replace(PLAIN, initial_capital=100.0, market=replace(MARKET, leverage=1.0))
    result = both([plan("A", (0, 1, 2), {0: say(LONG)}), plan("B", (0, 1), {0: say(LONG)})])
    assert ([t.symbol for t in result.open_trades], result.margin_rejects) == (["A"], 1)
    assert result.equity == (100.0, 100.0, 120.0)


def test_every_row_for_both_engines_has_a_test():
    assert test_assumed_exits.__doc__  # its rows are among those shown
    rows, section = set(), ""
    for line in PAGE.read_text(encoding="utf-8").splitlines():
        if line.startswith("## "):
            section = line[3:]
        if section == "What the Pine preset adds":  # scripts, which the kernel does not run
            continue
        cell = re.match(r"\| ([^|]+?) \|", line)
        if (
            cell
            and not set(cell[1]) <= set("-| ")
            and cell[1] not in {"#", "case", "kind", "what", "`entry_bar`"}
        ):
            rows.add(f"{section}: {cell[1]}")
    assert rows - SHOWN == set()
    assert SHOWN - rows == set()
