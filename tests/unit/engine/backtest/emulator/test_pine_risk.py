"""`strategy.risk.*` on the event-driven broker."""

from collections.abc import Callable

import pytest

from engine.backtest.emulator.broker import BacktestBroker
from engine.model.broker_settings import BrokerSettings, Costs, Market

Row = tuple[float, float, float, float]
Acts = dict[int, Callable[[BacktestBroker], None]]
Rule = Callable[[BacktestBroker], None]
FLAT = (100.0, 100.0, 100.0, 100.0)
HOUR_NS = 3_600_000_000_000


def _run(rows: list[Row], acts: Acts, rule: Rule, hours: int = 1, **given: object) -> BacktestBroker:
    """Bars of that many hours from midnight; the rule is stated on each."""
    settings = BrokerSettings(
        **{"initial_capital": 1000.0, "market": Market(tick=0.1, qty_step=0.01), **given}
    )
    broker = BacktestBroker("X", settings)
    for i, row in enumerate(rows):
        broker.fill_bar(i, i * hours * HOUR_NS, *row)
        rule(broker)
        acts.get(i, lambda _: None)(broker)
        broker.end_bar()
    return broker


def _trades(broker: BacktestBroker) -> list[tuple[int, float, int, float, str]]:
    return [
        (trade.direction * trade.entry_bar, trade.qty, trade.exit_bar, trade.exit_price, trade.exit_signal)
        for trade in broker.ledger.trades
    ]


def test_entries_of_the_other_side_only_close() -> None:
    acts: Acts = {
        0: lambda b: b.entry("S", "short", 1),
        1: lambda b: b.entry("L", "long", 2),
        2: lambda b: b.entry("S", "short", 1),
        3: lambda b: b.order("O", "short", 3),
    }
    broker = _run([FLAT] * 5, acts, lambda b: b.risk.allow_entry_in("long"))
    assert _trades(broker) == [(2, 2.0, 3, 100.0, "S")]
    assert broker.position_size == -3.0
    assert _run([FLAT] * 5, acts, lambda b: b.risk.allow_entry_in("all")).position_size == -4.0


@pytest.mark.parametrize("settles", ["market", "stop"])
def test_a_position_grows_to_its_largest_size_and_no_further(settles: str) -> None:
    level = {"stop": 100.0} if settles == "stop" else {}
    acts: Acts = {
        0: lambda b: b.entry("A", "long", 3, **level),
        1: lambda b: b.entry("B", "long", 3, **level),
        2: lambda b: b.entry("C", "long", 3, **level),
        3: lambda b: b.entry("S", "short", 9, **level),
    }
    broker = _run([FLAT] * 5, acts, lambda b: b.risk.max_position_size(5), pyramiding=5)
    assert [(trade.entry_signal, trade.qty) for trade in broker.ledger.trades] == [("A", 3.0), ("B", 2.0)]
    assert broker.position_size == -5.0


def test_a_drawdown_ends_trading_once_a_trade_closes() -> None:
    def rule(b: BacktestBroker) -> None:
        b.risk.max_drawdown(10)

    acts: Acts = {0: lambda b: b.entry("L", "long", 10), 3: lambda b: b.close("L", qty=1)}
    acts |= {k: lambda b: b.entry("L", "long", 1) for k in (4, 5, 6)}
    rows = [FLAT, FLAT, (95, 95, 85, 88), (88, 88, 88, 88), (88, 89, 87, 87), *[FLAT] * 3]
    broker = _run(rows, acts, rule)
    reason = "Close Position (Max drawdown reached)"
    assert _trades(broker) == [(1, 1.0, 4, 88.0, "Close entry(s) order L"), (1, 9.0, 4, 87.0, reason)]
    assert (broker.position_size, broker.equity) == (0.0, 871.0)


@pytest.mark.parametrize(("kind", "value"), [("percent_of_equity", 5.0), ("cash", 50.0)])
def test_a_loss_of_the_day_leaves_at_the_extreme_and_ends_the_day(kind: str, value: float) -> None:
    acts: Acts = {0: lambda b: b.entry("L", "long", 10, stop=100), 1: lambda b: b.entry("S", "short", 1)}
    acts[2] = lambda b: b.order("O", "short", 1)
    acts[24] = lambda b: b.entry("L", "long", 1)
    rows = [FLAT, (100, 101, 94, 99), *[(99.0, 99.0, 99.0, 99.0)] * 24]
    broker = _run(
        rows,
        acts,
        lambda b: b.risk.max_intraday_loss(value, kind),  # type: ignore[arg-type]  # parametrised
        costs=Costs(slippage_ticks=1),
    )
    assert _trades(broker) == [(1, 10.0, 1, 93.9, "Close Position (Max intraday loss reached)")]
    assert broker.position_size == 1.0


def test_the_loss_of_the_day_is_counted_from_the_equity_it_began_with() -> None:
    rows = [FLAT, FLAT, (99, 99, 96, 96), (96, 96, 95.5, 96), (96, 96, 92, 93)]
    broker = _run(
        rows, {0: lambda b: b.entry("L", "long", 10)}, lambda b: b.risk.max_intraday_loss(40, "cash"), hours=8
    )
    assert _trades(broker) == [(1, 10.0, 2, 96.0, "Close Position (Max intraday loss reached)")]
    later = _run(
        rows, {0: lambda b: b.entry("L", "long", 10)}, lambda b: b.risk.max_intraday_loss(41, "cash"), hours=8
    )
    assert _trades(later) == []


def test_a_day_that_begins_without_equity_has_no_limit() -> None:
    def rule(b: BacktestBroker) -> None:
        if b.bar_index > 2:
            b.risk.max_intraday_loss(50, "cash")

    rows: list[Row] = [FLAT, FLAT, (80, 80, 80, 80), (80, 80, 80, 80), (80, 80, 79, 79)]
    broker = _run(rows, {0: lambda b: b.entry("L", "long", 100)}, rule)
    assert (_trades(broker), broker.equity) == ([], -1100.0)


def test_with_the_last_order_of_the_day_the_position_is_left() -> None:
    def rule(b: BacktestBroker) -> None:
        b.risk.max_intraday_filled_orders(3)

    acts: Acts = {
        0: lambda b: b.entry("L", "long", 1),
        1: lambda b: b.entry("S", "short", 1),
        2: lambda b: (b.entry("L", "long", 1), b.entry("S", "short", 1, stop=99)),  # type: ignore[dict-item]
        3: lambda b: b.entry("L", "long", 1),
        24: lambda b: b.entry("L", "long", 1),
    }
    broker = _run([*[FLAT] * 4, (100, 100, 90, 100), *[FLAT] * 22], acts, rule)
    reason = "Close Position (Max number of filled orders in one day)"
    assert _trades(broker) == [
        (1, 1.0, 2, 100.0, "S"),
        (-2, 1.0, 3, 100.0, "L"),
        (3, 1.0, 3, 100.0, reason),
    ]
    assert broker.position_size == 1.0


def test_what_a_stop_opens_with_the_last_order_leaves_at_the_extreme_ahead() -> None:
    broker = _run(
        [FLAT, (100, 104, 99, 100)],
        {0: lambda b: b.entry("L", "long", 1, stop=102)},
        lambda b: b.risk.max_intraday_filled_orders(1),
    )
    assert [(trade.entry_price, trade.exit_price) for trade in broker.ledger.trades] == [(102.0, 104.0)]


def test_days_of_loss_in_a_row_end_trading_at_the_next_open() -> None:
    acts: Acts = {0: lambda b: b.entry("L", "long", 1), 4: lambda b: b.entry("L", "long", 1)}
    falling: list[Row] = [(price, price, price, price) for price in (100.0, 100.0, 99.0, 98.0, 98.0, 98.0)]
    broker = _run(falling, acts, lambda b: b.risk.max_cons_loss_days(2), hours=24)
    assert _trades(broker) == [(1, 1.0, 4, 98.0, "Close Position (Max consecutive loss days reached)")]
    assert broker.position_size == 0.0


def test_a_day_without_a_loss_begins_the_count_anew() -> None:
    prices = (100.0, 100.0, 99.0, 99.5, 98.0, 99.0)
    rows: list[Row] = [(price, price, price, price) for price in prices]
    broker = _run(
        rows, {0: lambda b: b.entry("L", "long", 1)}, lambda b: b.risk.max_cons_loss_days(2), hours=24
    )
    assert _trades(broker) == []


def test_without_a_rule_nothing_is_limited() -> None:
    acts: Acts = {0: lambda b: b.entry("L", "long", 10)}
    assert _trades(_run([FLAT, FLAT, (100, 100, 10, 20)], acts, lambda b: b.risk)) == []  # type: ignore[arg-type, return-value]
