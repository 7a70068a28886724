"""Two trade lists are paired and compared so that one difference stays one difference."""

from dataclasses import replace
from decimal import Decimal

import msgspec

from engine.backtest.parity import Comparison, compare
from engine.backtest.trades import Trade
from engine.backtest.tv_export import ListedTrade, printed_money, printed_percent

HOUR_NS = 3_600_000_000_000


def _trade(k: int, pnl: float = 1.5, direction: int = 1) -> Trade:
    return Trade(
        symbol="X",
        direction=direction,
        qty=0.5,
        entry_bar=10 * k,
        entry_time_ns=10 * k * HOUR_NS,
        entry_price=100.0,
        entry_signal="Long Entry",
        exit_bar=10 * k + 5,
        exit_time_ns=(10 * k + 5) * HOUR_NS,
        exit_price=103.0,
        exit_signal="Max Hold",
        entry_commission=0.0,
        exit_commission=0.0,
        pnl=pnl,
        run_up=2.0,
        drawdown=-1.0,
    )


def _listed(trades: list[Trade]) -> list[ListedTrade]:
    found, total = [], 0.0
    for number, t in enumerate(trades, 1):
        total += t.pnl
        found.append(
            ListedTrade(
                number,
                t.direction,
                Decimal(str(t.qty)),
                t.entry_time_ns,
                Decimal(str(t.entry_price)),
                t.entry_signal,
                t.exit_time_ns,
                Decimal(str(t.exit_price)),
                t.exit_signal,
                is_open=False,
                money={
                    "value": Decimal(50),
                    "pnl": printed_money(t.pnl),
                    "pnl_percent": printed_percent(t.pnl / 50 * 100),
                    "cumulative": printed_money(total),
                    "cumulative_percent": printed_percent(total / 1000 * 100),
                },
            )
        )
    return found


def _compared(listed: list[ListedTrade], generated: list[Trade], end_ns: int | None = None) -> Comparison:
    return compare(listed, generated, commission_percent=0.0, initial_capital=1000.0, end_ns=end_ns)


TRADES = [_trade(k, pnl=1.5 + k) for k in range(8)]


def test_equal_lists_match_in_every_column():
    found = _compared(_listed(TRADES), TRADES)
    assert (found.matched, found.parity, found.rounding_cells) == (8, 1.0, 0)
    assert set(found.columns.values()) == {1.0}
    assert found.first_divergence is None


def test_a_missing_trade_disturbs_no_other_not_even_in_the_cumulative_columns():
    found = _compared(_listed(TRADES), TRADES[:3] + TRADES[4:])
    assert (found.matched, found.missing, found.extra) == (7, 1, 0)
    assert found.first_divergence is not None
    assert found.first_divergence.listed == _listed(TRADES)[3]
    assert found.parity == 7 / 8


def test_an_extra_trade_in_the_middle_disturbs_no_other():
    found = _compared(_listed(TRADES[:3] + TRADES[4:]), TRADES)
    assert (found.matched, found.missing, found.extra) == (7, 0, 1)
    assert found.parity == 7 / 8


def test_one_unit_of_the_last_digit_is_equal_but_counted():
    listed = _listed(TRADES)
    money = {**listed[2].money, "pnl": listed[2].money["pnl"] + Decimal("0.01")}
    found = _compared([*listed[:2], replace(listed[2], money=money), *listed[3:]], TRADES)
    assert (found.matched, found.rounding_cells) == (8, 1)
    money["pnl"] += Decimal("0.01")
    found = _compared([*listed[:2], replace(listed[2], money=money), *listed[3:]], TRADES)
    assert found.matched == 7
    assert found.columns["pnl"] == 7 / 8


def test_a_price_differs_by_the_smallest_amount():
    moved = msgspec.structs.replace(TRADES[4], exit_price=103.01)
    found = _compared(_listed(TRADES), [*TRADES[:4], moved, *TRADES[5:]])
    assert found.matched == 7
    assert found.first_divergence is not None
    assert [k for k, v in found.first_divergence.verdicts.items() if v == "different"] == ["exit_price"]


def test_trades_that_begin_after_the_lists_last_stamp_are_not_extra():
    assert _compared(_listed(TRADES[:5]), TRADES).parity == 1.0
    assert _compared(_listed(TRADES[:5]), TRADES, end_ns=10**18).extra == 3


def test_of_a_listed_open_trade_only_the_entry_counts():
    listed = _listed(TRADES)
    last = replace(listed[-1], is_open=True, exit_signal="Open", exit_price=Decimal(1), money={})
    assert _compared([*listed[:-1], last], TRADES).parity == 1.0


def test_a_trade_that_never_left_is_no_match_for_one_that_did():
    still_open = msgspec.structs.replace(TRADES[-1], exit_bar=-1)
    found = _compared(_listed(TRADES), [*TRADES[:-1], still_open])
    assert found.matched == 7


def test_a_later_entry_is_paired_with_the_trade_that_leaves_alike():
    late = msgspec.structs.replace(TRADES[3], entry_time_ns=TRADES[3].entry_time_ns + HOUR_NS)
    found = _compared(_listed(TRADES), [*TRADES[:3], late, *TRADES[4:]])
    assert (found.matched, found.missing, found.extra) == (7, 0, 0)
    assert found.first_divergence is not None
    assert found.first_divergence.verdicts["entry_time"] == "different"


def test_parts_of_one_entry_are_paired_by_what_they_have_in_common():
    first = msgspec.structs.replace(TRADES[0], qty=0.2, exit_time_ns=3 * HOUR_NS)
    rest = msgspec.structs.replace(TRADES[0], qty=0.3)
    assert _compared(_listed([first, rest]), [rest, first]).columns["qty"] == 1.0


def test_empty_lists_are_equal():
    assert _compared([], []).parity == 1.0
