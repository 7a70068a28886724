"""Fill rules of docs/assumptions.md, one a test, on the event-driven broker."""

from collections.abc import Callable
from math import nan

import pytest

from engine.backtest.emulator.broker import BacktestBroker
from engine.model.broker_settings import BrokerSettings, Costs, Market, Sizing

Row = tuple[float, float, float, float]
Acts = dict[int, Callable[[BacktestBroker], None]]


def _run(
    rows: list[Row], acts: Acts, finer: dict[int, list[Row]] | None = None, **given: object
) -> BacktestBroker:
    settings = BrokerSettings(**{"market": Market(tick=0.1, qty_step=0.01), **given})
    broker = BacktestBroker("X", settings)
    for i, row in enumerate(rows):
        broker.fill_bar(i, i, *row, (finer or {}).get(i, ()))
        acts.get(i, lambda _: None)(broker)
        broker.end_bar()
    return broker


def _entries(broker: BacktestBroker) -> list[tuple[int, float]]:
    return [(lot.entry_bar, lot.entry_price) for lot in broker.ledger.lots]


def _exits(broker: BacktestBroker) -> list[tuple[int, float, str]]:
    return [(trade.exit_bar, trade.exit_price, trade.exit_signal) for trade in broker.ledger.trades]


FLAT = (100.0, 100.0, 100.0, 100.0)


def test_a_market_order_fills_at_the_next_open_moved_by_the_slippage() -> None:
    broker = _run(
        [FLAT, (101, 102, 100, 101)], {0: lambda b: b.entry("L", "long", 1)}, costs=Costs(slippage_ticks=2)
    )
    assert _entries(broker) == [(1, 101.2)]


def test_with_bar_close_timing_it_fills_at_the_same_close() -> None:
    broker = _run([(100, 101, 99, 100.5)], {0: lambda b: b.entry("L", "long", 1)}, timing="bar_close")
    assert _entries(broker) == [(0, 100.5)]


@pytest.mark.parametrize(
    ("row", "price"),
    [((101, 104, 100, 103), 102.2), ((103, 104, 102, 103), 103.2)],
    ids=["reached: at its level", "past at the open: at the open"],
)
def test_a_stop_entry_fills_with_slippage(row: Row, price: float) -> None:
    broker = _run(
        [FLAT, row], {0: lambda b: b.entry("L", "long", 1, stop=102)}, costs=Costs(slippage_ticks=2)
    )
    assert _entries(broker) == [(1, price)]


@pytest.mark.parametrize(
    ("row", "price"),
    [((101, 102, 98, 100), 99.0), ((98, 99, 97, 98), 98.0)],
    ids=["reached: at its level", "past at the open: at the open"],
)
def test_a_limit_entry_fills_without_slippage(row: Row, price: float) -> None:
    broker = _run(
        [FLAT, row], {0: lambda b: b.entry("L", "long", 1, limit=99)}, costs=Costs(slippage_ticks=2)
    )
    assert _entries(broker) == [(1, price)]


def test_a_stop_limit_waits_for_its_limit_once_the_stop_was_reached() -> None:
    rows = [FLAT, (100, 103, 100, 103), (102, 102, 100.5, 101)]
    broker = _run(rows, {0: lambda b: b.entry("L", "long", 1, stop=102, limit=101)})
    assert _entries(broker) == [(2, 101.0)]


def test_a_stop_limit_whose_limit_is_passed_already_fills_where_the_stop_was_reached() -> None:
    broker = _run(
        [FLAT, (100, 103, 100, 103)],
        {0: lambda b: b.entry("L", "long", 1, stop=102, limit=102.5)},
        costs=Costs(slippage_ticks=2),
    )
    assert _entries(broker) == [(1, 102.0)]


def test_levels_are_rounded_to_the_tick_stops_away_limits_closer() -> None:
    rows = [FLAT, (100, 103, 97, 100)]
    stop = _run(rows, {0: lambda b: b.entry("L", "long", 1, stop=102.01)})
    limit = _run(rows, {0: lambda b: b.entry("L", "long", 1, limit=98.09)})
    assert _entries(stop) == [(1, 102.1)]
    assert _entries(limit) == [(1, 98.0)]


def test_the_nearer_extreme_is_visited_first() -> None:
    def acts(b: BacktestBroker) -> None:
        b.entry("L", "long", 1)
        b.exit("X", "L", limit=102, stop=99)

    assert _exits(_run([FLAT, (100, 102, 98, 100)], {0: acts})) == [(1, 99.0, "X")]
    assert _exits(_run([FLAT, (100, 102, 97, 100)], {0: acts})) == [(1, 102.0, "X")]


def test_finer_bars_decide_what_is_reached_first() -> None:
    def acts(b: BacktestBroker) -> None:
        b.entry("L", "long", 1)
        b.exit("X", "L", limit=102, stop=99)

    finer = {1: [(100.0, 102.0, 100.0, 101.0), (101.0, 101.0, 98.0, 100.0)]}
    assert _exits(_run([FLAT, (100, 102, 98, 100)], {0: acts}, finer)) == [(1, 102.0, "X")]


def test_a_gap_between_finer_bars_fills_a_stop_at_the_finer_open() -> None:
    def acts(b: BacktestBroker) -> None:
        b.entry("L", "long", 1)
        b.exit("X", "L", stop=99)

    finer = {1: [(100.0, 101.0, 100.0, 101.0), (98.0, 99.0, 98.0, 98.5)]}
    assert _exits(_run([FLAT, (100, 101, 98, 98.5)], {0: acts}, finer)) == [(1, 98.0, "X")]


def test_an_exit_of_an_entry_inside_the_bar_takes_part_in_the_rest_of_the_path() -> None:
    def acts(b: BacktestBroker) -> None:
        b.entry("L", "long", 1, stop=101)
        b.exit("X", "L", limit=102, stop=99)

    assert _exits(_run([FLAT, (100, 103, 96, 100)], {0: acts})) == [(1, 102.0, "X")]


def test_two_opposite_stops_placed_while_flat_end_flat() -> None:
    def acts(b: BacktestBroker) -> None:
        b.entry("L", "long", 1, stop=101)
        b.entry("S", "short", 1, stop=99)

    broker = _run([FLAT, (100, 102, 97, 98)], {0: acts})
    assert _exits(broker) == [(1, 99.0, "S")]
    assert broker.position_size == 0.0


def test_an_opposite_limit_placed_while_flat_beside_a_market_entry_ends_flat() -> None:
    def acts(b: BacktestBroker) -> None:
        b.entry("L", "long", 1)
        b.entry("S", "short", 1, limit=102)

    broker = _run([FLAT, (100, 103, 99, 100)], {0: acts})
    assert (_exits(broker), broker.position_size) == ([(1, 102.0, "S")], 0.0)


def test_a_priced_entry_reverses_what_a_market_reversal_of_its_bar_will_hold() -> None:
    def turn(b: BacktestBroker) -> None:
        b.entry("S", "short", 2)
        b.entry("L2", "long", 1, stop=102)

    broker = _run([FLAT, FLAT, (100, 103, 99, 100)], {0: lambda b: b.entry("L", "long", 1), 1: turn})
    assert broker.position_size == 1.0


def test_a_leg_whose_entry_opened_nothing_does_not_wait_for_a_later_entry_of_that_id() -> None:
    def straddle(broker: BacktestBroker) -> None:
        broker.entry("L", "long", 1, stop=102)
        broker.entry("S", "short", 1, stop=98)
        broker.exit("XL", "L", profit=10)

    rows = [FLAT, (100, 103, 97, 100), (100, 105, 100, 100)]
    broker = _run(rows, {0: straddle, 1: lambda b: b.entry("L", "long", 1)})
    assert len(broker.ledger.trades) == 1
    assert _entries(broker) == [(2, 100.0)]


def test_a_fill_cancels_the_others_of_an_oca_cancel_group() -> None:
    def acts(b: BacktestBroker) -> None:
        b.entry("L", "long", 1, stop=101, oca_name="G", oca_type="cancel")
        b.entry("S", "short", 1, stop=99, oca_name="G", oca_type="cancel")

    assert _run([FLAT, (100, 102, 97, 98), FLAT], {0: acts}).position_size == 1.0


def test_a_cancelled_resting_stop_does_not_fill() -> None:
    acts = {0: lambda b: b.entry("L", "long", 1, stop=102), 1: lambda b: b.cancel("L")}
    assert _entries(_run([FLAT, FLAT, (103, 104, 102, 103)], acts)) == []


def test_a_reversal_is_one_order_and_its_text_closes_the_old_trade() -> None:
    acts = {0: lambda b: b.entry("L", "long", 1), 1: lambda b: b.entry("S", "short", 2, comment="turn")}
    broker = _run([FLAT, FLAT, (101, 101, 101, 101)], acts)
    assert _exits(broker) == [(2, 101.0, "turn")]
    assert broker.position_size == -2.0


def test_the_point_value_scales_money_and_not_prices() -> None:
    acts = {0: lambda b: b.entry("L", "long", 2), 1: lambda b: b.close_all()}
    market = Market(tick=0.1, qty_step=1, point_value=50)
    rows = [FLAT, (100, 103, 98, 101), (102, 102, 102, 102)]
    (trade,) = _run(rows, acts, market=market, costs=Costs(taker_percent=1)).ledger.trades
    assert (trade.entry_price, trade.exit_price) == (100.0, 102.0)
    assert (trade.entry_commission, trade.exit_commission) == (100.0, 102.0)
    assert (trade.pnl, trade.run_up, trade.drawdown) == (-2.0, 200.0, -300.0)


def test_excursions_of_an_entry_inside_the_bar_begin_at_its_fill() -> None:
    acts = {0: lambda b: b.entry("L", "long", 1, stop=101), 1: lambda b: b.close_all()}
    rows = [FLAT, (100, 103, 99, 102), (102, 109, 90, 102)]
    (trade,) = _run(rows, acts).ledger.trades
    assert (trade.run_up, trade.drawdown) == (2.0, 0.0)


@pytest.mark.parametrize("sign", [1, -1])
def test_a_trade_that_leaves_at_an_open_saw_its_own_price_there_and_not_the_open(sign: int) -> None:
    def mirrored(row: Row) -> Row:
        open_, high, low, close = (100 + sign * (price - 100) for price in row)
        return open_, max(high, low), min(high, low), close

    rows = [mirrored(row) for row in (FLAT, (100, 101, 99, 100), (110, 111, 90, 100))]
    acts = {0: lambda b: b.entry("E", "long" if sign > 0 else "short", 1), 1: lambda b: b.close_all()}
    (trade,) = _run(rows, acts, costs=Costs(slippage_ticks=20)).ledger.trades
    assert (trade.entry_price, trade.exit_price) == (100 + sign * 2, 100 + sign * 8)
    assert (trade.run_up, trade.drawdown) == (6.0, -3.0)


def test_a_trade_that_leaves_at_the_open_of_a_finer_bar_saw_its_own_price_there() -> None:
    def acts(b: BacktestBroker) -> None:
        b.entry("L", "long", 1)
        b.exit("X", "L", limit=105, stop=99)

    finer = {1: [(100.0, 101.0, 100.0, 101.0), (98.0, 99.0, 98.0, 98.5)]}
    broker = _run([FLAT, (100, 101, 98, 98.5)], {0: acts}, finer, costs=Costs(slippage_ticks=20))
    (trade,) = broker.ledger.trades
    assert (trade.exit_price, trade.drawdown) == (96.0, -6.0)


@pytest.mark.parametrize(("close", "qty"), [(10.004, 10_000.0), (10.006, 9_990.0), (9.996, 10_000.0)])
@pytest.mark.parametrize("kind", ["entry", "order"])
def test_a_default_size_is_taken_from_the_close_on_the_tick(close: float, qty: float, kind: str) -> None:
    rows = [(10.0, max(10.0, close), min(10.0, close), close), (10.0, 10.0, 10.0, 10.0)]
    broker = _run(
        rows,
        {0: lambda b: getattr(b, kind)("L", "long")},
        market=Market(tick=0.01, qty_step=1.0),
        sizing=Sizing("percent_of_equity", 100.0),
    )
    assert broker.position_size == qty


@pytest.mark.parametrize("slippage_ticks", [0, 3])
def test_a_close_that_is_zero_on_the_tick_sizes_nothing(slippage_ticks: int) -> None:
    for side in ("long", "short"):
        broker = _run(
            [(0.004, 0.004, 0.004, 0.004)] * 2,
            {0: lambda b, side=side: b.entry("E", side)},
            market=Market(tick=0.01, qty_step=1.0),
            sizing=Sizing("percent_of_equity", 100.0),
            costs=Costs(slippage_ticks=slippage_ticks if side == "short" else 0),
        )
        assert broker.position_size == 0.0


@pytest.mark.parametrize(
    ("side", "percent", "price"),
    [("long", 100.0, nan), ("short", 100.0, 150.0), ("long", 50.0, 0.0), ("long", 0.0, nan)],
)
def test_the_price_of_the_margin_call(side: str, percent: float, price: float) -> None:
    broker = _run(
        [FLAT, FLAT],
        {0: lambda b: b.entry("E", side, 1)},
        initial_capital=200.0 if side == "short" else 100.0,
        margin_long_percent=percent,
        margin_short_percent=percent,
    )
    assert broker.margin_liquidation_price == pytest.approx(price, nan_ok=True)


def test_a_cash_fee_of_an_order_is_shared_by_its_parts() -> None:
    acts = {0: lambda b: b.entry("L", "long", 1), 1: lambda b: b.entry("S", "short", 3)}
    broker = _run([FLAT, FLAT, FLAT], acts, costs=Costs(cash_per_order=8))
    (trade,) = broker.ledger.trades
    assert (trade.entry_commission, trade.exit_commission) == (8.0, 2.0)
    assert broker.ledger.lots[0].commission == 6.0


def test_a_limit_has_to_be_exceeded_by_the_assumed_ticks() -> None:
    acts = {0: lambda b: b.entry("L", "long", 1, limit=99)}
    rows = [FLAT, (100, 100, 98.9, 100), (100, 100, 98.8, 100)]
    assert _entries(_run(rows, acts, backtest_fill_limits_assumption_ticks=2)) == [(2, 99.0)]


def test_an_immediate_close_fills_at_the_close_of_its_bar() -> None:
    acts = {0: lambda b: b.entry("L", "long", 1), 1: lambda b: b.close("L", immediately=True)}
    broker = _run([FLAT, (100, 102, 99, 101), FLAT], acts)
    assert _exits(broker) == [(1, 101.0, "Close entry(s) order L")]


@pytest.mark.parametrize(
    ("market", "levels", "placed"),
    [
        (Market(tick=0.1, qty_step=0.01, min_qty=1.0), {}, True),
        (Market(tick=0.1, qty_step=0.01, min_qty=1.01), {}, False),
        (Market(tick=0.1, qty_step=0.01, min_notional=100.0), {}, True),
        (Market(tick=0.1, qty_step=0.01, min_notional=100.01), {}, False),
        (Market(tick=0.1, qty_step=0.01, min_notional=100.01), {"stop": 101.0}, True),
        (Market(tick=0.1, qty_step=0.01, min_notional=100.0), {"limit": 99.0}, False),
    ],
)
def test_an_entry_below_the_smallest_order_is_not_placed(
    market: Market, levels: dict[str, float], placed: bool
) -> None:
    broker = _run(
        [FLAT, (100, 102, 98, 100)], {0: lambda b: b.entry("L", "long", 1, **levels)}, market=market
    )
    assert bool(_entries(broker)) == placed


def test_a_reversal_too_small_to_open_only_closes() -> None:
    acts: Acts = {0: lambda b: b.entry("L", "long", 2), 1: lambda b: b.entry("S", "short", 1)}
    broker = _run([FLAT, FLAT, FLAT], acts, market=Market(tick=0.1, qty_step=0.01, min_qty=2.0))
    assert _exits(broker) == [(2, 100.0, "S")]
    assert broker.position_size == 0.0
