"""TradingView's margin calls, worked out by hand."""

from collections.abc import Callable

import pytest

from engine.backtest.emulator.broker import BacktestBroker
from engine.model.broker_settings import BrokerSettings, Costs, Market

Row = tuple[float, float, float, float]
Acts = dict[int, Callable[[BacktestBroker], None]]
FLAT = (100.0, 100.0, 100.0, 100.0)


def _run(rows: list[Row], acts: Acts, percent: float, **given: object) -> BacktestBroker:
    settings = BrokerSettings(
        **{"initial_capital": 1000.0, "market": Market(tick=0.1, qty_step=0.01), **given},
        margin_long_percent=percent,
        margin_short_percent=percent,
    )
    broker = BacktestBroker("X", settings)
    for i, row in enumerate(rows):
        broker.fill_bar(i, i, *row)
        acts.get(i, lambda _: None)(broker)
        broker.end_bar()
    return broker


def _calls(broker: BacktestBroker) -> list[tuple[int, float, float]]:
    return [
        (trade.exit_bar, trade.exit_price, trade.qty)
        for trade in broker.ledger.trades
        if trade.exit_signal == "Margin call"
    ]


def test_four_times_what_is_missing_is_closed_at_the_extreme() -> None:
    # 1000 - 40 * 5 = 800 carries 40 * 95 * 0.25 = 950: 150 short, which is 6.31 of 95 * 0.25, so 25.24.
    broker = _run([FLAT, FLAT, (100, 100, 95, 97)], {0: lambda b: b.entry("L", "long", 40)}, 25)
    assert _calls(broker) == [(2, 95.0, 25.24)]


def test_an_entry_inside_the_bar_is_judged_where_it_filled_though_the_leg_ends_better() -> None:
    def turn(b: BacktestBroker) -> None:
        b.exit("X", "L", stop=95)
        b.order("S", "short", 10.5, stop=94)

    # 975 carries 10.37 short at 94, and 11.3 at 90. 0.12 is missing at 94; closed is 0.48, at 90.
    broker = _run([FLAT, FLAT, (100, 100, 90, 91)], {0: lambda b: b.entry("L", "long", 5), 1: turn}, 100)
    assert _calls(broker) == [(2, 90.0, 0.48)]
    assert broker.position_size == -10.02


def test_a_shortfall_below_one_step_where_an_entry_filled_closes_nothing() -> None:
    def turn(b: BacktestBroker) -> None:
        b.exit("X", "L", stop=95)
        b.order("S", "short", 10.38, stop=94)

    broker = _run([FLAT, FLAT, (100, 100, 90, 91)], {0: lambda b: b.entry("L", "long", 5), 1: turn}, 100)
    assert (_calls(broker), broker.position_size) == ([], -10.38)


@pytest.mark.parametrize(
    ("row", "price"),
    [((100, 101, 90, 95), 95.0), ((100, 115, 90, 95), 115.0)],
    ids=["after the second extreme: at the close", "after the first: at the other one"],
)
def test_what_the_first_trades_do_not_cover_is_called_for_again(row: Row, price: float) -> None:
    def enter(b: BacktestBroker) -> None:
        b.entry("A", "long", 0.01)
        b.entry("B", "long", 40)

    # At 90: 599.9 carries 40.01 * 90 * 0.2 = 720.18, so 120.28 is missing and 26.72 is closed. The cost of
    # A, 1, fits into that, the cost of B does not: 119.28 is missing still: 26.48, more than is left.
    broker = _run([FLAT, FLAT, row], {0: enter}, 20, pyramiding=2)
    assert _calls(broker) == [(2, 90.0, 0.01), (2, 90.0, 26.71), (2, price, 13.29)]
    assert broker.position_size == 0.0


def test_one_trade_is_called_once() -> None:
    broker = _run([FLAT, FLAT, (100, 115, 90, 95)], {0: lambda b: b.entry("B", "long", 40)}, 20)
    assert _calls(broker) == [(2, 90.0, 26.64)]


def test_a_second_call_belongs_to_the_bar_of_the_first() -> None:
    def enter(b: BacktestBroker) -> None:
        b.entry("A", "long", 0.01)
        b.entry("B", "long", 30)

    # C fills on the way to the close, the last point judged: there 125.2 is missing, 6.26 of 100 * 0.2.
    acts = {0: enter, 1: lambda b: b.entry("C", "long", 25, stop=104, limit=101)}
    rows = [FLAT, FLAT, (100, 105, 99, 100), FLAT]
    broker = _run(rows, acts, 20, pyramiding=3)
    assert _calls(broker) == [(2, 100.0, 0.01), (2, 100.0, 25.03)]


def test_what_opens_at_a_close_is_judged_at_the_next_open() -> None:
    acts = {0: lambda b: b.entry("L", "long", 9.99)}
    rows = [FLAT, (100.2, 100.2, 100.2, 100.2)]
    broker = _run(rows, acts, 100, timing="bar_close", costs=Costs(cash_per_order=5))
    assert _calls(broker) == [(1, 100.2, 0.12)]


def test_a_close_judges_an_entry_by_what_the_account_holds_then() -> None:
    acts = {0: lambda b: b.entry("L", "long", 5), 3: lambda b: b.entry("L2", "long", 5.05)}
    rows = [FLAT, FLAT, FLAT, (100, 100, 100, 100)]
    broker = _run(rows, acts, 100, timing="bar_close", pyramiding=2)
    assert (broker.position_size, broker.account.margin_rejects) == (5.0, 1)


@pytest.mark.parametrize(("qty", "held", "rejects"), [(5.1, 5.0, 1), (4.9, -4.9, 0)])
def test_two_opposite_entries_of_one_open_need_margin_for_both(qty: float, held: float, rejects: int) -> None:
    def enter(b: BacktestBroker) -> None:
        b.entry("L", "long", 5)
        b.entry("S", "short", qty)

    broker = _run([FLAT, FLAT], {0: enter}, 100)
    assert (broker.position_size, broker.account.margin_rejects) == (held, rejects)


def test_a_position_of_an_earlier_bar_frees_its_margin_for_the_entry_that_reverses_it() -> None:
    acts = {0: lambda b: b.entry("L", "long", 9.9), 1: lambda b: b.entry("S", "short", 9.9)}
    assert _run([FLAT] * 3, acts, 100).position_size == -9.9


def test_a_refused_reversal_takes_the_close_of_its_bar_along() -> None:
    def turn(b: BacktestBroker) -> None:
        b.entry("S", "short", 10)
        b.close("L")

    rows = [FLAT, FLAT, (101, 101, 101, 101), (101, 101, 101, 101)]
    broker = _run(rows, {0: lambda b: b.entry("L", "long", 9.8), 1: turn}, 100)
    assert (broker.position_size, broker.account.margin_rejects) == (9.8, 1)
