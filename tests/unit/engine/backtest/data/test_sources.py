"""Bars from a path, a sample's name, a data frame or Bars."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from engine.backtest import backtest, read_bars
from engine.backtest.data.loaders import DataError
from engine.backtest.data.samples import dataset
from engine.backtest.data.sources import all_bars, bars_of

HOUR_NS = 3600 * 10**9
FIRST = "2025-01-01 00:00"
TIMES = pd.date_range(FIRST, periods=3, freq="1h", tz="UTC")
OPEN = [1.5, 2.5, 3.5]
PRICES = {"open": OPEN, "high": [3.0, 4.0, 5.0], "low": [1.0, 2.0, 3.0], "close": [2.0, 3.0, 4.0]}


def titled(**more: object) -> dict[str, object]:
    return {name.title(): values for name, values in PRICES.items()} | more


FRAMES = {
    "freqtrade": pd.DataFrame({"date": TIMES, **PRICES, "volume": [5, 6, 7], "enter_tag": [None, [1], {}]}),
    "backtesting.py": pd.DataFrame(titled(Volume=[5.0, 6.0, 7.0]), index=TIMES),
    "an index without a zone": pd.DataFrame(titled(Volume=[5, 6, 7]), index=TIMES.tz_localize(None)),
    "a named index": pd.DataFrame(titled(Volume=[5, 6, 7]), index=TIMES.rename("Date")),
    "TradingView": pd.DataFrame({"time": TIMES.as_unit("s").asi8, **PRICES, "Volume": [5, 6, 7]}),
    "rows picked from more": pd.DataFrame(
        {"timestamp": TIMES.as_unit("ms").asi8, **PRICES, "volume": [5, 6, 7]}
    )
    .reindex([2, 0, 1])
    .sort_index(),
    "texts": pd.DataFrame({"date": TIMES.strftime("%Y-%m-%d %H:%M"), **PRICES, "volume": [5, 6, 7]}),
    "yfinance": pd.DataFrame(
        [[*row, 5.0 + at] for at, row in enumerate(zip(*PRICES.values(), strict=True))],
        columns=pd.MultiIndex.from_product([["Open", "High", "Low", "Close", "Volume"], ["BTC-USD"]]),
        index=TIMES,
    ),
}


@pytest.mark.parametrize("kind", FRAMES)
def test_a_data_frame_of_any_usual_kind_becomes_bars(kind: str):
    before = FRAMES[kind].copy()
    bars = bars_of(FRAMES[kind], "ETHUSDT")
    assert (bars.symbol, bars.timeframe_ns) == ("ETHUSDT", HOUR_NS)
    assert bars.open_time_ns.tolist() == TIMES.as_unit("ns").asi8.tolist()
    assert bars.open.tolist() == OPEN
    assert bars.volume_base.tolist() == [5.0, 6.0, 7.0]
    pd.testing.assert_frame_equal(FRAMES[kind], before)


@pytest.mark.parametrize(
    ("frame", "says"),
    [
        (
            pd.DataFrame({"date": TIMES, "open": OPEN}),
            "the data frame: no column 'high' among 'date', 'open',",
        ),
        (
            pd.DataFrame(titled()),
            "the data frame: no column 'open_time' among 'Open', 'High', 'Low', 'Close',",
        ),
        (FRAMES["backtesting.py"].iloc[:1], "the data frame: 1 bar, expected at least two"),
        (FRAMES["backtesting.py"].iloc[[0, 2, 1]], "the data frame, row 3: opens before the row above"),
        (
            FRAMES["freqtrade"].assign(open=["1", "x", "3"]),
            "the data frame, row 2: open is 'x', expected a",
        ),
        (FRAMES["freqtrade"].assign(low=[1, [2], 3]), "the data frame: column 'low' cannot be read ("),
        (
            FRAMES["freqtrade"].assign(low=[1, -2, 3]),
            "the data frame, row 2: low is -2.0, expected",
        ),
        (
            [1, 2],
            "bars are given as list, expected a file of bars, the name of a sample market, a pan",
        ),
        (None, "bars are given as NoneType, expected a file of bars"),
        ("nope.csv", "nope.csv: no such file, expected bars as parquet or CSV"),
        ("sampl-1h", "sampl-1h: no such file (did you mean sample-1h?), expected bars"),
    ],
)
def test_what_cannot_be_bars_is_one_sentence(frame: object, says: str):
    with pytest.raises(DataError) as raised:
        bars_of(frame)
    assert str(raised.value).startswith(says)
    assert "\n" not in str(raised.value)


def test_bars_come_back_and_a_symbol_given_is_theirs():
    bars = dataset("sample-1h")
    assert bars_of(bars) is bars
    assert bars_of(bars, "MINE").symbol == "MINE"
    assert bars_of("sample-1h").symbol == bars.symbol
    assert bars_of(FRAMES["freqtrade"]).symbol == "DATA"


def test_one_source_or_several(tmp_path: Path):
    frame, path = FRAMES["freqtrade"], tmp_path / "ETHUSDT_1h.csv"
    frame.drop(columns="enter_tag").to_csv(path, index=False)
    assert [one.symbol for one in all_bars([frame, path, str(path), "sample-1h"])] == [
        *("DATA", "ETHUSDT", "ETHUSDT", "SAMPLEUSDT")
    ]
    assert len(all_bars(frame)) == len(all_bars(path)) == len(all_bars(str(path))) == 1
    assert read_bars(str(path)).close.tolist() == PRICES["close"]


def test_bars_are_a_frame_and_back():
    bars = dataset("sample-1h")
    frame = bars.to_frame()
    assert (str(frame.index.tz), frame.index.name) == ("UTC", "open_time")
    again = bars_of(frame, bars.symbol)
    for name in ("open_time_ns", "open", "high", "low", "close", "volume_base"):
        np.testing.assert_array_equal(getattr(again, name), getattr(bars, name))


def test_several_frames_are_given_by_symbol():
    frame = FRAMES["backtesting.py"]
    assert [one.symbol for one in all_bars({"AUSDT": frame, "BUSDT": frame})] == ["AUSDT", "BUSDT"]
    with pytest.raises(DataError, match=r'write \{"BTCUSDT": frame, .* or nb.load\(frame, "BTCUSDT"\)'):
        all_bars([frame, frame])


@pytest.mark.parametrize(("level", "at"), [(0, "level=1"), (1, "level=0")])
def test_a_frame_of_two_tickers_is_answered_with_how_to_select_one(level: int, at: str):
    both = pd.concat([FRAMES["yfinance"], FRAMES["yfinance"].rename(columns={"BTC-USD": "ETH-USD"})], axis=1)
    with pytest.raises(DataError, match="has columns of BTC-USD, ETH-USD, expected one symbol") as raised:
        bars_of(both if level == 0 else both.swaplevel(axis=1))
    assert str(raised.value).endswith(f"frame.xs('BTC-USD', axis=1, {at})")
    assert len(bars_of(FRAMES["yfinance"].swaplevel(axis=1))) == 3


def test_a_frame_without_times_is_told_where_they_go():
    with pytest.raises(DataError, match="; a column of times or a DatetimeIndex says when each bar opens"):
        bars_of(pd.DataFrame(titled()))


def test_a_backtest_takes_a_data_frame_a_path_and_a_samples_name_alike():
    bars = dataset("sample-1h")
    frame = pd.DataFrame(
        {
            "Open": bars.open,
            "High": bars.high,
            "Low": bars.low,
            "Close": bars.close,
            "Volume": bars.volume_base,
        },
        index=pd.to_datetime(bars.open_time_ns, utc=True),
    )
    by_name, by_frame = (backtest("rsi", one) for one in ("sample-1h", frame))
    assert len(by_frame.trades) > 10
    np.testing.assert_array_equal(by_name.equity, by_frame.equity)


@pytest.mark.parametrize("bars", ["nope.csv", 5, None])
def test_a_backtest_of_no_bars_is_one_sentence(bars: object):
    with pytest.raises(DataError):
        backtest("rsi", bars)
