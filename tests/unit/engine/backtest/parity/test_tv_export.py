"""TradingView's list of trades: read in every layout, refused in one sentence, printed its way."""

import gzip
from decimal import Decimal
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from engine.backtest.parity.divergence import stamp, zone_name
from engine.backtest.parity.tv_export import (
    ExportError,
    printed_money,
    printed_percent,
    read_trade_list,
    restamped,
)

NEW = (
    "\ufeffTrade #,Type,Date and time,Signal,Price USDT,Position size (qty),Position size (value),"
    "Net P&L USDT,Net P&L %,Favorable excursion USDT,Favorable excursion %,Adverse excursion USDT,"
    "Adverse excursion %,Cumulative P&L USDT,Cumulative P&L %\n"
    "1,Exit long,2025-01-03 15:00,Max Hold,3441.88,0.0287,99.875426,-1.19,-1.19,"
    "0.84,0.84,-1.77,-1.77,-1.19,0.00\n"
    "1,Entry long,2025-01-02 21:00,Long Entry,3479.98,0.0287,99.875426,-1.19,-1.19,"
    "0.84,0.84,-1.77,-1.77,-1.19,0.00\n"
    "2,Exit short,2025-01-04 11:34,Open,3500,0.0283,99.8,1,1,1,1,1,1,1,1\n"
    "2,Entry short,2025-01-03 23:00,Short Entry,3526.54,0.0283,99.8,1,1,1,1,1,1,1,1"
)
OLD = (
    "Trade #,Type,Date/Time,Signal,Price USD,Contracts,Profit USD,Profit %,Run-up USD,Run-up %,Drawdown USD,"
    "Drawdown %,Cum. Profit USD,Cum. Profit %\n"
    "1,Entry short,2022-01-02T19:00:00-0500,BarDn,1.1373,87927.5,"
    "261.14,0.26,323.57,0.32,-25.5,-0.03,261.14,0.03\n"
    "1,Exit short,2022-01-03T02:00:00-0500,BarUp,1.13433,87927.5,"
    "261.14,0.26,323.57,0.32,-25.5,-0.03,261.14,0.03\n"
)
HOUR_NS = 3_600_000_000_000


def _file(folder: Path, text: str, name: str = "list.csv") -> Path:
    path = folder / name
    path.write_bytes(gzip.compress(text.encode()) if name.endswith(".gz") else text.encode())
    return path


def test_the_new_layout_has_the_exit_first_and_an_open_trade_last(tmp_path: Path):
    first, second = read_trade_list(_file(tmp_path, NEW), 8)
    assert (first.number, first.direction, first.qty) == (1, 1, Decimal("0.0287"))
    assert (first.entry_signal, first.exit_signal) == ("Long Entry", "Max Hold")
    assert (first.entry_price, first.exit_price) == (Decimal("3479.98"), Decimal("3441.88"))
    assert first.money["run_up"] == Decimal("0.84")
    assert first.money["drawdown_percent"] == Decimal("-1.77")
    assert not first.is_open
    assert second.is_open
    assert second.direction == -1


def test_the_ends_of_lines_do_not_matter(tmp_path: Path):
    read = [read_trade_list(_file(tmp_path, NEW.replace("\n", end)), 8) for end in ("\n", "\r\n", "\r")]
    assert read[0] == read[1] == read[2]


def test_the_old_layout_has_the_entry_first_and_other_names(tmp_path: Path):
    (trade,) = read_trade_list(_file(tmp_path, OLD), 0)
    assert (trade.direction, trade.entry_signal, trade.exit_signal) == (-1, "BarDn", "BarUp")
    assert trade.money["pnl"] == Decimal("261.14")
    assert trade.money["cumulative_percent"] == Decimal("0.03")


def test_stamps_are_of_the_charts_zone_unless_they_carry_their_own(tmp_path: Path):
    path = _file(tmp_path, NEW)
    utc, shanghai = read_trade_list(path, 0)[0], read_trade_list(path, 8)[0]
    assert utc.entry_time_ns - shanghai.entry_time_ns == 8 * HOUR_NS
    india = read_trade_list(path, 5.5)[0]
    assert utc.entry_time_ns - india.entry_time_ns == 11 * HOUR_NS // 2
    own = _file(tmp_path, OLD, "old.csv")
    assert read_trade_list(own, 0) == read_trade_list(own, 8)


def test_a_zone_with_summer_time_goes_by_its_name(tmp_path: Path):
    summer = _file(tmp_path, NEW.replace("2025-01", "2025-07"))
    winter = _file(tmp_path, NEW, "winter.csv")
    assert read_trade_list(summer, 0, "America/New_York") == read_trade_list(summer, -4)
    assert read_trade_list(winter, 0, "America/New_York") == read_trade_list(winter, -5)


def test_a_packed_list_is_read_whatever_its_name(tmp_path: Path):
    path = _file(tmp_path, NEW, "list.csv.gz")
    packed = tmp_path / "list.csv"
    path.rename(packed)
    assert len(read_trade_list(packed, 0)) == 2


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", "empty file"),
        ("open_time,open,high,low,close\n1,2,3,4,5\n", "line 1: no column 'Trade #'"),
        (NEW.splitlines()[0] + "\n", "no trades below the header"),
        (NEW.replace("1,Exit long", "1,Left long"), "line 2: type 'Left long', expected entry or exit"),
        (NEW.replace("3441.88", "many"), "line 2: price is 'many', expected a number"),
        (NEW.replace("2025-01-03 15:00", "yesterday"), "line 2: time 'yesterday'"),
        (NEW.replace("1,Exit long", "x,Exit long"), "line 2: trade number 'x'"),
        (NEW.replace("1,Exit long", "1,Exit short"), "trade 1 has 1 entry"),
        (NEW.replace("1,Exit long", "\u00b2,Exit long"), "line 2: trade number '\u00b2'"),
        (NEW.replace("3441.88", "nan"), "line 2: price is 'nan', expected a number"),
        (NEW.replace("3441.88", ""), "line 2: price is '', expected a number"),
        (NEW.replace("3479.98,0.0287", "3479.98,"), "line 3: qty is '', expected a number"),
        (NEW.replace("3441.88", "1e400"), "line 2: price is '1e400', expected a number"),
        (NEW.replace("Max Hold", '"' + 140_000 * "x"), "not CSV"),
    ],
)
def test_what_is_no_trade_list_is_refused_in_one_sentence(tmp_path: Path, text: str, says: str):
    path = _file(tmp_path, text)
    with pytest.raises(ExportError, match=r"list\.csv") as refused:
        read_trade_list(path, 0)
    assert says in str(refused.value)
    assert "\n" not in str(refused.value)


def test_an_exponent_hides_no_digit_before_the_point(tmp_path: Path):
    """Cells are compared at their own digits: 3E+3 would agree with everything from 2,500 to 3,500."""
    (trade, *_) = read_trade_list(_file(tmp_path, NEW.replace("3441.88", "3E+3")), 0)
    assert Decimal(3000) in (trade.entry_price, trade.exit_price)
    assert {trade.entry_price.as_tuple().exponent, trade.exit_price.as_tuple().exponent} <= {0, -2}


def test_binary_rubbish_and_a_missing_file_are_refused(tmp_path: Path):
    rubbish = tmp_path / "rubbish.csv"
    rubbish.write_bytes(b"\x80\x81\xff")
    with pytest.raises(ExportError, match="not a text file"):
        read_trade_list(rubbish, 0)
    with pytest.raises(ExportError, match="cannot be read"):
        read_trade_list(tmp_path / "none.csv", 0)


def test_a_damaged_or_shortened_packed_list_is_refused_in_one_sentence(tmp_path: Path):
    whole = gzip.compress((NEW * 50).encode(), mtime=0)
    path = tmp_path / "list.csv.gz"
    damaged = [whole[:end] for end in range(2, len(whole), 7)]
    damaged += [whole[:at] + bytes([whole[at] ^ 0x55]) + whole[at + 1 :] for at in range(10, len(whole))]
    for raw in damaged:
        path.write_bytes(raw)
        with pytest.raises(ExportError, match=r"list\.csv\.gz: damaged or incomplete gzip"):
            read_trade_list(path, 0)


@pytest.mark.parametrize(
    ("amount", "printed"),
    [
        (-12.26500048, "-12.26"),
        (1345.454919, "1345.46"),
        (2252.865073, "2252.86"),
        (1098.334871, "1098.33"),
        (-0.00035, "-0.0003"),
        (0.00015, "0.0001"),
        (-119.595, "-119.59"),
        (0.004, "0.004"),
        (0.0, "0"),
        (1e-12, "0"),
        (5.0, "5.00"),
    ],
)
def test_money_is_printed_from_single_precision(amount: float, printed: str):
    assert printed_money(amount) == Decimal(printed)


@pytest.mark.parametrize(
    ("percent", "printed"), [(-1.374999963772221, "-1.37"), (0.005, "0.01"), (-0.004, "0")]
)
def test_percents_always_have_two_decimals(percent: float, printed: str):
    assert printed_percent(percent) == Decimal(printed)
    assert printed_percent(percent).as_tuple().exponent == -2


def _small_list(folder: Path, *rows: str) -> Path:
    head = "Trade #,Type,Date and time,Signal,Price USDT,Size (qty)\n"
    return _file(folder, head + "".join(f"{row}\n" for row in rows))


def test_a_clock_time_that_came_twice_has_both_moments(tmp_path: Path):
    path = _small_list(
        tmp_path, "1,Exit long,2025-11-02 02:30,X,106,1", "1,Entry long,2025-11-02 01:30,L,102,1"
    )
    (trade,) = read_trade_list(path, 0, "America/New_York")
    first, second = trade.entry_times_ns
    assert second - first == HOUR_NS
    assert len(trade.exit_times_ns) == 1
    (in_utc,) = read_trade_list(path, 0)
    assert in_utc.entry_again_ns is None
    assert restamped(in_utc, ZoneInfo("America/New_York")) == trade
    left_out = _small_list(
        tmp_path, "1,Exit long,2025-03-09 05:00,X,106,1", "1,Entry long,2025-03-09 02:30,L,102,1"
    )
    assert read_trade_list(left_out, 0, "America/New_York")[0].entry_again_ns is None


def test_an_exit_called_open_is_one_of_an_open_trade_at_the_end_of_the_list_only(tmp_path: Path):
    path = _small_list(
        tmp_path,
        "1,Exit long,2025-01-01 04:00,Open,104,1",
        "1,Entry long,2025-01-01 01:00,L,101,1",
        "2,Exit long,2025-01-01 09:00,Open,110,1",
        "2,Entry long,2025-01-01 06:00,L,106,1",
        "3,Entry short,2025-01-01 07:00,S,106,1",
    )
    first, second, third = read_trade_list(path, 0)
    assert [one.is_open for one in (first, second, third)] == [False, True, True]
    assert third.exit_time_ns == second.exit_time_ns


def test_trades_know_the_zone_of_their_stamps(tmp_path: Path):
    own = _file(tmp_path, OLD, "old.csv")
    assert zone_name(read_trade_list(own, 0)[0].zone) == "UTC-5"
    path = _file(tmp_path, NEW)
    assert zone_name(read_trade_list(path, 5.5)[0].zone) == "UTC+5:30"
    assert zone_name(read_trade_list(path, 0, "Asia/Tokyo")[0].zone) == "Asia/Tokyo"


def test_times_are_told_in_a_zone_that_is_named():
    moment = 1_762_061_400 * 10**9
    assert stamp(moment) == "2025-11-02 05:30 UTC"
    zone = ZoneInfo("America/New_York")
    assert stamp(moment, zone) == "2025-11-02 01:30 America/New_York"
    assert stamp(moment + HOUR_NS, zone) == "2025-11-02 01:30 America/New_York, the second time"
