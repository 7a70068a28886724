"""Bars are read from every layout, and a fault is one sentence with file, row and expectation."""

import gzip
import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pa_parquet
import pytest
from pyarrow import feather

from engine.backtest.data.loaders import DataError, cut, load_bars, open_bars, read_bars, read_funding
from engine.backtest.data.sample_files import write_bars
from engine.backtest.data.samples import dataset

GOOD = (
    "open_time,open,high,low,close,volume\n"
    "2025-01-01T00:00:00Z,10,12,9,11,5\n"
    "2025-01-01T01:00:00Z,11,13,10,12,6\n"
    "2025-01-01T03:00:00Z,12,12,8,9,0\n"
)
HOUR_NS = 3_600_000_000_000


def _csv(folder: Path, text: str, name: str = "X_1h.csv") -> Path:
    path = folder / name
    path.write_text(text)
    return path


def test_csv_with_a_gap(tmp_path: Path):
    bars = read_bars(_csv(tmp_path, GOOD))
    assert bars.symbol == "X"
    assert bars.timeframe_ns == HOUR_NS
    assert bars.open_time_ns[0] == 1_735_689_600 * 10**9
    assert bars.close.tolist() == [11.0, 12.0, 9.0]


@pytest.mark.parametrize(("unit", "scale"), [("s", 1), ("ms", 1000), ("us", 10**6), ("ns", 10**9)])
def test_times_may_be_integers_of_any_unit(tmp_path: Path, unit: str, scale: int):
    rows = [f"{(1_735_689_600 + 3600 * k) * scale},10,12,9,11,5" for k in range(3)]
    path = _csv(tmp_path, "time,open,high,low,close,volume\n" + "\n".join(rows))
    assert read_bars(path).open_time_ns.tolist() == [(1_735_689_600 + 3600 * k) * 10**9 for k in range(3)]


@pytest.mark.parametrize("form", ["parquet", "csv"])
def test_what_is_written_is_read_back_exactly(tmp_path: Path, form: str):
    bars = dataset("calm-1h")
    path = tmp_path / f"CALMUSDT_1h.{form}"
    write_bars(path, bars)
    read = read_bars(path)
    for name in ("open_time_ns", "open", "high", "low", "close", "volume_base"):
        assert np.array_equal(getattr(read, name), getattr(bars, name)), name
    assert (read.symbol, read.timeframe_ns) == (bars.symbol, bars.timeframe_ns)


def test_a_zone_other_than_utc_is_converted(tmp_path: Path):
    times = pa.array([0, HOUR_NS], type=pa.timestamp("ns", "Asia/Shanghai"))
    ones = pa.array([1.0, 1.0])
    table = pa.table({"open_time": times, "open": ones, "high": ones, "low": ones, "close": ones})
    path = tmp_path / "X.parquet"
    pa_parquet.write_table(table, path)
    assert read_bars(path).open_time_ns.tolist() == [0, HOUR_NS]


@pytest.mark.parametrize(
    ("before", "after", "says"),
    [
        ("high", "hi", "no column 'high'"),
        ("open_time", "when", "no column 'open_time'"),
        ("T01:00:00Z", "T00:00:00Z", "row 2: the same open_time as the row before"),
        ("2025-01-01T03", "2024-01-01T03", "row 3: opens before the row above"),
        ("12,12,8,9,0", "12,12,8,nan,0", "row 3: close is empty or nan, expected a number"),
        ("12,12,8,9,0", "12,12,0,9,0", "row 3: low is 0.0, expected a positive price"),
        ("12,12,8,9,0", "-12,12,8,9,0", "row 3: open is -12.0"),
        ("11,13,10,12,6", "11,9,10,12,6", "row 2: high 9.0 is below low 10.0"),
        ("11,13,10,12,6", "14,13,10,12,6", "row 2: open 14.0 lies outside"),
        ("11,13,10,12,6", "11,13,10,12,-6", "row 2: volume is -6.0"),
        ("11,13,10,12,6", "11,13,,12,6", "row 2: low is empty"),
        ("11,13,10,12,6", "11,13,ten,12,6", "row 2: low is 'ten', expected a number"),
        (
            "2025-01-01T01",
            "day one ",
            "row 2: open_time 'day one :00:00Z' cannot be read, expected a time like",
        ),
        ("2025-01-01T01:00", "01/02/2025 01:00", "row 2: open_time '01/02/2025 01:00:00Z' cannot be read"),
        ("11,13,10,12,6", "11,13", "row 2: 3 columns, the first line has 6"),
        ("11,13,10,12,6", "11,13,10,12,6,7", "row 2: 7 columns, the first line has 6"),
        ("11,13,10,12,6", "11,1e300,10,12,6", "row 2: high is 1e+300, expected a positive price below 1e15"),
        ("11,13,10,12,6", "11,13,10,12,1e300", "row 2: volume is 1e+300"),
        ("open,high,low,close", "open,high,close,close", "two columns are called 'close'"),
    ],
)
def test_a_fault_is_one_sentence(tmp_path: Path, before: str, after: str, says: str):
    path = _csv(tmp_path, GOOD.replace(before, after))
    with pytest.raises(DataError) as refused:
        read_bars(path)
    said = str(refused.value)
    assert said.startswith(str(path))
    assert says in said
    assert "\n" not in said


def test_files_that_are_missing_too_short_or_rubbish_are_refused(tmp_path: Path):
    with pytest.raises(DataError, match="no such file"):
        read_bars(tmp_path / "none.csv")
    with pytest.raises(DataError, match="no such file, expected bars as parquet or CSV, or one of sample-1h"):
        open_bars(tmp_path / "sample-2h")
    with pytest.raises(DataError, match="1 bar, expected at least two"):
        read_bars(_csv(tmp_path, "\n".join(GOOD.splitlines()[:2])))
    with pytest.raises(DataError, match="is a folder, expected bars"):
        read_bars(tmp_path)
    for text, says in (
        ("", "empty file"),
        (" \n\n", "empty file"),
        ("<html>not found</html>\n", "has one column, expected a CSV table"),
        (GOOD.splitlines()[0], "0 bars, expected at least two"),
    ):
        with pytest.raises(DataError, match=says):
            read_bars(_csv(tmp_path, text))
    rubbish = tmp_path / "rubbish.parquet"
    rubbish.write_bytes(b"no parquet")
    with pytest.raises(DataError, match="cannot be read as parquet"):
        read_bars(rubbish)


def test_times_beyond_what_nanoseconds_can_count_are_refused(tmp_path: Path):
    with pytest.raises(DataError, match=r"X_1h\.csv, line 2, row 1: open_time .* between 1970 and 2261"):
        read_bars(_csv(tmp_path, GOOD.replace("2025-", "9025-")))
    with pytest.raises(DataError, match=r"X_1h\.csv, line 4, row 3: open_time .* between 1970 and 2261"):
        read_bars(_csv(tmp_path, GOOD.replace("2025-01-01T03:00:00Z", "9025-01-01T03:00:00Z")))
    big = "open_time,open,high,low,close\n1000000000,1,1,1,1\n10000000060,1,1,1,1\n"
    with pytest.raises(DataError, match=r"X_1h\.csv, line 3, row 2: open_time .* between 1970 and 2261"):
        read_bars(_csv(tmp_path, big))


def test_a_header_that_is_not_text_is_refused(tmp_path: Path):
    path = tmp_path / "X_1h.csv"
    path.write_bytes(b"o\xcbpen_time,open,high,low,close\n1735689600,1,1,1,1\n")
    with pytest.raises(DataError, match=r"X_1h\.csv: not a text file"):
        read_bars(path)


def test_a_file_with_a_header_only_has_no_bars(tmp_path: Path):
    with pytest.raises(DataError, match="0 bars, expected at least two"):
        read_bars(_csv(tmp_path, GOOD.splitlines()[0] + "\n"))


def test_a_sample_market_goes_by_its_name():
    assert open_bars(Path("sample-1h")).symbol == "SAMPLEUSDT"


def test_nan_in_parquet_is_found_too(tmp_path: Path):
    times = pa.array([0, HOUR_NS], type=pa.timestamp("ns", "UTC"))
    ones, hole = pa.array([1.0, 1.0]), pa.array([1.0, float("nan")])
    path = tmp_path / "X.parquet"
    pa_parquet.write_table(
        pa.table({"open_time": times, "open": ones, "high": ones, "low": ones, "close": hole}), path
    )
    with pytest.raises(DataError, match="row 2: close is nan, expected a positive price"):
        read_bars(path)


def test_cut_keeps_the_bars_from_start_to_before_end():
    bars = dataset("sample-1h")
    part = cut(bars, int(bars.open_time_ns[10]), int(bars.open_time_ns[20]))
    assert len(part) == 10
    assert part.open_time_ns[0] == bars.open_time_ns[10]
    assert len(cut(bars, None)) == len(bars)


def test_funding_is_read_and_checked(tmp_path: Path):
    good = "funding_time,funding_rate\n2025-01-01T00:00:00Z,0.0001\n2025-01-01T08:00:00Z,-0.0002\n"
    found = read_funding(_csv(tmp_path, good))
    assert found.rate.tolist() == [0.0001, -0.0002]
    with pytest.raises(DataError, match="no column 'funding_rate'"):
        read_funding(_csv(tmp_path, good.replace("funding_rate", "rate")))
    with pytest.raises(DataError, match="row 2: the same funding_time"):
        read_funding(_csv(tmp_path, good.replace("T08", "T00")))
    with pytest.raises(DataError, match="row 2: funding_rate is empty or nan"):
        read_funding(_csv(tmp_path, good.replace("-0.0002", "nan")))


def test_bars_of_a_sample_market_are_bars():
    bars = dataset("sample-5m")
    assert (bars.high >= np.maximum(bars.open, bars.close)).all()
    assert (bars.low <= np.minimum(bars.open, bars.close)).all()
    assert (bars.low > 0).all()
    assert (bars.volume_base > 0).all()
    assert (np.round(bars.close * 100) / 100 == bars.close).all()


def test_a_first_line_that_is_a_row_of_another_layout_is_named_as_that(tmp_path: Path):
    path = _csv(tmp_path, "2025.01.01,00:00,10,12,9,11,5\n2025.01.01,01:00,11,13,10,12,6\n")
    with pytest.raises(DataError, match="write a line of names above it"):
        read_bars(path)


def test_a_csv_is_read_on_one_thread(tmp_path: Path):
    """A refusal ends the process at once; threads that still start then would end it in an abort."""
    path = _csv(tmp_path, GOOD)
    count = (
        "import os, sys; from pathlib import Path; from engine.backtest.data.table_files import read_table\n"
        "count = lambda: len(os.listdir('/proc/self/task'))\n"
        "before = count(); read_table(Path(sys.argv[1])); print(count() - before)"
    )
    if not Path("/proc/self/task").is_dir():
        pytest.skip("threads are counted in /proc")
    done = subprocess.run(
        [sys.executable, "-c", count, str(path)], capture_output=True, text=True, check=True
    )
    assert int(done.stdout) <= 1  # the reader of blocks; a pool would start one for each processor


@pytest.mark.parametrize(
    ("name", "symbol"),
    [
        ("BINANCE_BTCUSDT.P, 60.csv", "BTCUSDT.P"),
        ("CME_MINI_ES1!, 1D.csv", "ES1!"),
        ("ETHUSDT_1h.csv", "ETHUSDT"),
        ("BTCUSDT-1h-2025-01.csv", "BTCUSDT"),
    ],
)
def test_the_symbol_in_a_file_name(tmp_path: Path, name: str, symbol: str):
    assert read_bars(_csv(tmp_path, GOOD, name)).symbol == symbol


@pytest.mark.parametrize(
    ("before", "line"),
    [("open_time,open,high,low,close\n", 3), ("", 2), ("open_time,open,high,low,close\n\n", 4)],
)
def test_the_line_of_a_row_is_the_one_an_editor_shows(tmp_path: Path, before: str, line: int):
    path = tmp_path / "X_1h.csv"
    rows = [f"2025-01-01T0{hour}:00:00Z,10,12,{low},11" for hour, low in enumerate((9, 13, 9))]
    path.write_text(before + "\n".join(rows) + "\n", "utf-8")
    with pytest.raises(DataError) as refused:
        load_bars(path)
    assert str(refused.value).startswith(f"{path}, line {line}, row 2: high 12.0 is below low 13.0")


def test_a_date_with_slashes_and_its_year_last_is_refused_with_what_to_write(tmp_path: Path):
    path = tmp_path / "X_1h.csv"
    path.write_text("date,open,high,low,close\n01/05/2023,1,1,1,1\n02/05/2023,1,1,1,1\n", "utf-8")
    with pytest.raises(DataError, match=r"line 2, row 1: .*may be day or month first: write 2025/01/31"):
        load_bars(path)


FREQTRADE = [
    [1_735_689_600_000, 10.0, 12.0, 9.0, 11, 5.0],
    [1_735_693_200_000, 11.0, 13.0, 10.0, 12.5, 6.0],
]


def test_freqtrades_feather_and_json_are_read(tmp_path: Path):
    names = ("date", "open", "high", "low", "close", "volume")
    columns = [pa.array(values) for values in zip(*FREQTRADE, strict=True)]
    columns[0] = columns[0].cast(pa.timestamp("ms", "UTC"))
    feather.write_feather(pa.table(columns, names=names), tmp_path / "BTC_USDT-1h.feather")
    (tmp_path / "BTC_USDT-1h.json").write_text(json.dumps(FREQTRADE), "utf-8")
    (tmp_path / "BTC_USDT-1h.json.gz").write_bytes(gzip.compress(json.dumps(FREQTRADE).encode()))
    for kind in ("feather", "json", "json.gz"):
        bars = read_bars(tmp_path / f"BTC_USDT-1h.{kind}")
        assert bars.open_time_ns.tolist() == [row[0] * 10**6 for row in FREQTRADE]
        assert bars.close.tolist() == [11.0, 12.5]
        assert (bars.symbol, bars.timeframe_ns) == ("BTC", HOUR_NS)


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        ("{}", "expected a list of rows [open_time, open,"),
        ("[[1, 2], [1]]", "expected a list of rows [open_time, open,"),
        ("[[1, 2", "cannot be read as JSON (Expecting"),
        ("[[1735689600000, 10, 8, 9, 11, 5]]", ", row 1: high 8.0 is below low 9.0"),
        ("[[1, 2], [3, 4]]", "no column 'high' among 'open_time', 'open'"),
        ("[[1, 2], [{}, 4]]", "cannot be read as JSON ("),
    ],
)
def test_what_json_cannot_be_is_one_sentence(tmp_path: Path, content: str, sentence: str):
    path = tmp_path / "X_1h.json"
    path.write_text(content, "utf-8")
    with pytest.raises(DataError) as raised:
        read_bars(path)
    assert sentence in str(raised.value)
    (tmp_path / "X_1h.feather").write_text(content, "utf-8")
    with pytest.raises(DataError, match="cannot be read as feather"):
        read_bars(tmp_path / "X_1h.feather")
