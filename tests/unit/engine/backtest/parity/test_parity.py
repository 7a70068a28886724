"""Two trade lists are paired and compared so that one difference stays one difference."""

from dataclasses import replace
from decimal import Decimal

import msgspec
import pytest

from engine.backtest.parity.comparison import Comparison, compare
from engine.backtest.parity.divergence import differing_money
from engine.backtest.parity.tv_export import ListedTrade, printed_money, printed_percent
from engine.model.trades import Trade

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


def test_one_unit_of_the_last_digit_is_a_difference_and_counted():
    listed = _listed(TRADES)
    money = {**listed[2].money, "pnl": listed[2].money["pnl"] + Decimal("0.01")}
    found = _compared([*listed[:2], replace(listed[2], money=money), *listed[3:]], TRADES)
    assert (found.matched, found.rounding_cells, found.columns["pnl"]) == (7, 1, 7 / 8)
    money["pnl"] += Decimal("0.01")
    found = _compared([*listed[:2], replace(listed[2], money=money), *listed[3:]], TRADES)
    assert (found.matched, found.rounding_cells, found.columns["pnl"]) == (7, 0, 7 / 8)


def _with_money(**cells: tuple[str, float]) -> Comparison:
    """One trade whose listed cells are these texts and whose own amounts are these numbers."""
    own = {name: amount for name, (_, amount) in cells.items() if name in {"pnl", "run_up", "drawdown"}}
    trade = msgspec.structs.replace(TRADES[0], **own)
    money = {name: Decimal(text) for name, (text, _) in cells.items()}
    return _compared([replace(_listed([trade])[0], money=money)], [trade])


@pytest.mark.parametrize(
    ("text", "amount", "is_equal"),
    [
        ("3.6931", 3.69312, True),
        ("3.6931", 3.69305, True),
        ("3.6931", 3.6932, False),
        ("3.6931", 3.69316, False),
        ("-35.000000000000014", -35.0, True),
        ("-35.00000002", -35.0, False),
        ("-0.0", 0.0, True),
        ("0.12", 0.125, True),
        ("0.13", 0.125, True),
        ("-12.26", -12.26500048, True),
        ("0.16", 0.169, False),
        ("0", 0.004, False),
        ("0.004", 0.004, True),
        ("12345.6789", 12345.67891, True),
    ],
)
def test_money_is_compared_at_the_digits_the_list_prints(text: str, amount: float, is_equal: bool):
    found = _with_money(pnl=(text, amount))
    assert (found.columns["pnl"] == 1.0) is is_equal


def test_differing_money_is_told_with_both_amounts():
    listed = _listed(TRADES[:1])[0]
    listed = replace(listed, money={"pnl": Decimal("1.52"), "pnl_percent": Decimal("3.00")})
    (pair,) = _compared([listed], TRADES[:1]).pairs
    assert differing_money(pair) == "pnl 1.52 listed, 1.5 ours"


def test_percents_with_more_digits_are_compared_at_them():
    listed = _listed(TRADES[:1])[0]
    for text, is_equal in (("3.0000", True), ("3.0001", False), ("2.99", False), ("3.00", True)):
        money = {"pnl_percent": Decimal(text)}
        trade = msgspec.structs.replace(TRADES[0], pnl=1.5)
        found = _compared([replace(listed, money=money)], [trade])
        assert (found.matched == 1) is is_equal, text


def test_the_value_column_leaves_the_point_value_out_and_percents_have_it_in():
    future = msgspec.structs.replace(TRADES[0], qty=1.0, entry_price=73.4, exit_price=74.275, pnl=-437.5)
    money = {"value": "73.4", "pnl": "-437.5", "pnl_percent": "-1.19", "cumulative_percent": "-0.44"}
    listed = replace(_listed([future])[0], money={name: Decimal(cell) for name, cell in money.items()})
    found = compare([listed], [future], commission_percent=0.0, initial_capital=100_000.0, point_value=500.0)
    assert found.parity == 1.0


def test_prices_and_quantities_have_any_number_of_decimals():
    tiny = msgspec.structs.replace(TRADES[0], qty=1e6, entry_price=1.251e-7, exit_price=1.283e-7)
    listed = replace(_listed([tiny])[0], money={}, entry_price=Decimal("0.0000001251"))
    assert _compared([listed], [tiny]).parity == 1.0
    assert _compared([replace(listed, entry_price=Decimal("0.0000001252"))], [tiny]).parity == 0.0
    noisy = msgspec.structs.replace(TRADES[0], exit_price=0.1 + 0.2)
    assert (
        _compared([replace(_listed([noisy])[0], money={}, exit_price=Decimal("0.3"))], [noisy]).parity == 1.0
    )


def test_an_hour_that_came_twice_may_mean_either_moment():
    again = HOUR_NS
    trade = msgspec.structs.replace(TRADES[0], exit_time_ns=TRADES[0].entry_time_ns + again)
    printed = replace(
        _listed([trade])[0], exit_time_ns=trade.entry_time_ns, entry_again_ns=again, exit_again_ns=again
    )
    found = _compared([printed], [trade])
    assert found.parity == 1.0
    assert found.pairs[0].listed is not None
    assert found.pairs[0].listed.exit_time_ns == trade.exit_time_ns
    second = msgspec.structs.replace(TRADES[0], entry_time_ns=again, exit_time_ns=again)
    assert _compared([printed], [second]).parity == 1.0
    late = msgspec.structs.replace(trade, exit_time_ns=trade.exit_time_ns + HOUR_NS)
    assert _compared([printed], [late]).parity == 0.0


def test_a_price_differs_by_the_smallest_amount():
    moved = msgspec.structs.replace(TRADES[4], exit_price=103.01)
    found = _compared(_listed(TRADES), [*TRADES[:4], moved, *TRADES[5:]])
    assert found.matched == 7
    assert found.first_divergence is not None
    assert [k for k, v in found.first_divergence.verdicts.items() if v == "different"] == ["exit_price"]


def test_trades_that_begin_after_the_lists_last_stamp_are_not_extra():
    assert _compared(_listed(TRADES[:5]), TRADES).parity == 1.0
    assert _compared(_listed(TRADES[:5]), TRADES, end_ns=10**18).extra == 3


def _open_at(trades: list[Trade], export_ns: int) -> list[ListedTrade]:
    """The list of these trades, the last one still open at the export."""
    *closed, last = _listed(trades)
    price = Decimal(1)
    return [
        *closed,
        replace(last, is_open=True, exit_signal="Open", exit_price=price, exit_time_ns=export_ns, money={}),
    ]


def test_of_a_trade_that_both_have_open_only_the_entry_counts():
    still_open = msgspec.structs.replace(TRADES[-1], exit_bar=-1)
    listed = _open_at(TRADES, TRADES[-1].exit_time_ns)
    assert _compared(listed, [*TRADES[:-1], still_open]).parity == 1.0
    other = msgspec.structs.replace(still_open, entry_signal="Other")
    assert _compared(listed, [*TRADES[:-1], other]).matched == 7


def test_a_trade_that_left_while_the_list_has_it_open_is_a_difference():
    left = TRADES[-1].exit_time_ns
    for export_ns in (left, left + HOUR_NS):
        found = _compared(_open_at(TRADES, export_ns), TRADES)
        assert found.matched == 7
        assert found.first_divergence is not None
        assert found.first_divergence.verdicts["exit_time"] == "different"
    assert _compared(_open_at(TRADES, left - 1), TRADES).parity == 1.0


def test_an_exit_inside_the_bar_of_the_export_may_be_later_than_the_export():
    listed = _open_at(TRADES, TRADES[-1].exit_time_ns + HOUR_NS // 2)
    options = {"commission_percent": 0.0, "initial_capital": 1000.0}
    assert compare(listed, TRADES, **options, bar_ns=HOUR_NS).parity == 1.0
    assert compare(listed, TRADES, **options, bar_ns=HOUR_NS // 4).matched == 7


def test_an_order_that_is_merely_called_open_is_compared_in_full():
    called = [msgspec.structs.replace(TRADES[0], exit_signal="Open"), *TRADES[1:]]
    assert _compared(_listed(called), called).parity == 1.0
    other = msgspec.structs.replace(called[0], exit_price=103.5)
    assert _compared(_listed(called), [other, *TRADES[1:]]).matched == 7
    last = [*TRADES[:-1], msgspec.structs.replace(TRADES[-1], exit_signal="Open")]
    listed = _listed(last)
    listed[-1] = replace(listed[-1], is_open=True)
    assert _compared(listed, last).parity == 1.0
    assert _compared(listed, [*last[:-1], msgspec.structs.replace(last[-1], exit_price=99.0)]).matched == 7


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
