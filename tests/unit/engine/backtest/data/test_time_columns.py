"""Bars are read from the files people have: any usual name and form of the time, any order, any packing."""

import gzip
import zipfile
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pa_parquet
import pytest

from engine.backtest.data.loaders import DataError, Loaded, load_bars, read_bars, read_funding
from engine.backtest.data.time_column import NO_ZONE

HOUR_NS = 3_600_000_000_000
FIRST_NS = 1_735_689_600 * 10**9  # 2025-01-01
PRICES = "10,12,9,11,5"


def _file(folder: Path, text: str, name: str = "X_1h.csv") -> Path:
    path = folder / name
    path.write_text(text)
    return path


def _loaded(folder: Path, times: list[str], header: str = "open_time", rows: str = PRICES) -> Loaded:
    lines = [f"{header},open,high,low,close,volume", *(f"{time},{rows}" for time in times)]
    return load_bars(_file(folder, "\n".join(lines)))


@pytest.mark.parametrize(
    "header",
    [
        *("open_time", "Open time", "openTime", "Datetime", "Date", "date", "timestamp", "Timestamp", "time"),
        *("Time (UTC)", "Gmt time", "candle_begin_time", "unix", "ts", "Unnamed: 0", "", "<DATE>", "index"),
    ],
)
def test_every_usual_name_of_the_time(tmp_path: Path, header: str):
    loaded = _loaded(tmp_path, ["2025-01-01 00:00:00", "2025-01-01 01:00:00"], header)
    assert loaded.bars.open_time_ns.tolist() == [FIRST_NS, FIRST_NS + HOUR_NS]
    assert loaded.notes == (NO_ZONE,)


@pytest.mark.parametrize(
    ("first", "second"),
    [
        ("2025-01-01T00:00:00Z", "2025-01-01T01:00:00Z"),
        ("2025-01-01 00:00:00+00:00", "2025-01-01 01:00:00+00:00"),
        ("2025-01-01T08:00:00+0800", "2025-01-01T09:00:00+0800"),
        ("2025-01-01 00:00:00 UTC", "2025-01-01 01:00:00 UTC"),
        ("01.01.2025 00:00:00.000 GMT+0000", "01.01.2025 01:00:00.000 GMT+0000"),
        ("2024-12-31T19:00:00-05:00", "2025-01-01T01:00:00Z"),
        *((str(FIRST_NS // unit), str((FIRST_NS + HOUR_NS) // unit)) for unit in (1, 1000, 10**6, 10**9)),
        ("1735689600.0", "1735693200.0"),
    ],
)
def test_a_time_with_a_zone_needs_no_word(tmp_path: Path, first: str, second: str):
    loaded = _loaded(tmp_path, [first, second])
    assert loaded.bars.open_time_ns.tolist() == [FIRST_NS, FIRST_NS + HOUR_NS]
    assert loaded.notes == ()


@pytest.mark.parametrize(
    ("first", "second"),
    [
        ("2025-01-01", "2025-01-02"),
        ("2025.01.01", "2025.01.02"),
        ("2025/01/01", "2025/01/02"),
        ("01.01.2025", "02.01.2025"),
        ("20250101", "20250102"),
        ("202501010000", "202501020000"),
        ("20250101000000", "20250102000000"),
    ],
)
def test_dates_alone(tmp_path: Path, first: str, second: str):
    bars = _loaded(tmp_path, [first, second], "Date").bars
    assert bars.open_time_ns.tolist() == [FIRST_NS, FIRST_NS + 24 * HOUR_NS]


def test_a_date_and_a_time_of_day_in_two_columns(tmp_path: Path):
    header = "<DATE>\t<TIME>\t<OPEN>\t<HIGH>\t<LOW>\t<CLOSE>\t<TICKVOL>"
    rows = ["2025.01.01\t00:00:00\t10\t12\t9\t11\t5", "2025.01.01\t01:00:00\t10\t12\t9\t11\t6"]
    bars = read_bars(_file(tmp_path, "\n".join([header, *rows])))
    assert bars.open_time_ns.tolist() == [FIRST_NS, FIRST_NS + HOUR_NS]
    assert bars.volume_base.tolist() == [5.0, 6.0]


def test_the_index_of_a_data_frame_in_parquet(tmp_path: Path):
    ones = pa.array([1.0, 1.0])
    for name, kind in (("__index_level_0__", "ns"), ("Datetime", "us"), ("date", "s")):
        unit = {"ns": 1, "us": 1000, "s": 10**9}[kind]
        times = pa.array([FIRST_NS // unit, (FIRST_NS + HOUR_NS) // unit]).cast(pa.timestamp(kind))
        path = tmp_path / "X.parquet"
        table = {"open": ones, "high": ones, "low": ones, "close": ones, name: times}
        pa_parquet.write_table(pa.table(table), path)
        loaded = load_bars(path)
        assert loaded.bars.open_time_ns.tolist() == [FIRST_NS, FIRST_NS + HOUR_NS]
        assert loaded.notes == (NO_ZONE,)


@pytest.mark.parametrize(
    ("times", "says"),
    [
        (
            ["1735682400000", "1735686000000", "1735689600000000"],
            "row 3: open_time 1735689600000000 is in microseconds, the rows above are in milliseconds",
        ),
        (["1735682400", "1735686000000"], "row 2: open_time 1735686000000 is in milliseconds"),
        (["1735682400000000000", "1735686000000"], "row 2: open_time 1735686000000 is in milliseconds"),
        (["1735682400", "12"], "row 2: open_time 12 is in no unit that fits"),
        (["378432000", "378518400"], "row 1: open_time 378432000 would be 1981-12-29 in seconds"),
        (["0", "1"], "row 1: open_time 0 is not a time"),
        (["1735682400", "1735682400.5"], "row 2: open_time is 1735682400.5, not a whole number"),
        (["1735682400", "99999999999999999999"], "row 2: open_time is 1e+20, not a whole number"),
        (["1735682400", "hello"], "row 2: open_time 'hello' cannot be read"),
        (["2025-01-01", "31/12/2025"], "row 2: open_time '31/12/2025' cannot be read"),
        (["2025-01-01", ""], "row 2: no open_time"),
    ],
)
def test_a_time_that_cannot_be_read_is_named_with_its_row(tmp_path: Path, times: list[str], says: str):
    with pytest.raises(DataError) as refused:
        _loaded(tmp_path, times)
    assert says in str(refused.value)
    assert "\n" not in str(refused.value)


BINANCE = """1735689600000,10,12,9,11,5,1735693199999,55,3,2,22,0
1735693200000,11,13,10,12,6,1735696799999,66,3,2,22,0
"""


def test_files_of_binance_without_a_header(tmp_path: Path):
    for name in ("BTCUSDT-1h-2025-01.csv", "BTCUSDT_1h.csv"):
        bars = read_bars(_file(tmp_path, BINANCE, name))
        assert (bars.symbol, bars.timeframe_ns, bars.volume_base.tolist()) == ("BTCUSDT", HOUR_NS, [5.0, 6.0])
    packed = tmp_path / "BTCUSDT-1h-2025-02.zip"
    with zipfile.ZipFile(packed, "w") as archive:
        archive.writestr("BTCUSDT-1h-2025-02.csv", BINANCE)
    assert read_bars(packed).close.tolist() == [11.0, 12.0]
    zipped = tmp_path / "BTCUSDT_1h.csv.gz"
    zipped.write_bytes(gzip.compress(BINANCE.encode()))
    assert read_bars(zipped).open_time_ns.tolist() == [FIRST_NS, FIRST_NS + HOUR_NS]


def test_packed_files_that_are_none_are_refused_in_a_sentence(tmp_path: Path):
    for name in ("a.zip", "a.csv.gz"):
        (tmp_path / name).write_bytes(b"neither of them")
        with pytest.raises(DataError, match="cannot be read as CSV"):
            read_bars(tmp_path / name)
    short = tmp_path / "b.csv.gz"
    short.write_bytes(gzip.compress(BINANCE.encode())[:30])
    with pytest.raises(DataError, match="cannot be read as CSV"):
        read_bars(short)


def test_the_newest_bar_first(tmp_path: Path):
    lines = ["2025-01-01T02:00:00Z,12,12,12,12,1", "2025-01-01T01:00:00Z,11,11,11,11,1"]
    header = "https://www.example.com\ndate,open,high,low,close,Volume BTC"
    loaded = load_bars(_file(tmp_path, "\n".join([header, *lines, "2025-01-01T00:00:00Z,10,10,10,10,1"])))
    assert loaded.bars.close.tolist() == [10.0, 11.0, 12.0]
    assert loaded.notes == ("X_1h.csv has the newest bar first and is read in reverse",)
    lines.insert(1, "2025-01-01T01:30:00Z,11,10,11,11,1")
    with pytest.raises(DataError, match=r"row 2: high 10.0 is below low 11.0"):
        read_bars(_file(tmp_path, "\n".join([header, *lines])))


def test_rows_without_prices_are_missing_bars(tmp_path: Path):
    times = [f"2025-01-01T{hour:02}:00:00Z" for hour in range(5)]
    rows = [f"{time},{PRICES if k != 2 else ',,,,'}" for k, time in enumerate(times)]
    text = "open_time,open,high,low,close,volume\n" + "\n".join(rows)
    loaded = load_bars(_file(tmp_path, text))
    assert len(loaded.bars) == 4
    assert loaded.notes == ("X_1h.csv has 1 row without prices: treated as missing bars",)
    with pytest.raises(DataError, match=r"row 5: the same open_time"):
        read_bars(_file(tmp_path, text.replace("T04", "T03")))


def test_prices_that_were_float32_are_those_that_were_printed(tmp_path: Path):
    times = pa.array([FIRST_NS, FIRST_NS + HOUR_NS], type=pa.timestamp("ns", "UTC"))
    narrow = pa.array([0.3, 64_000.1], type=pa.float32())
    for column in (narrow, narrow.cast(pa.float64())):
        path = tmp_path / "X.parquet"
        pa_parquet.write_table(
            pa.table({"open_time": times, "open": column, "high": column, "low": column, "close": column}),
            path,
        )
        assert read_bars(path).open.tolist() == [0.3, 64_000.1]


def test_a_symbol_can_be_given_with_the_file(tmp_path: Path):
    path = _file(tmp_path, BINANCE, "minutes.csv")
    assert load_bars(Path(f"ETHUSDT={path}")).bars.symbol == "ETHUSDT"
    assert load_bars(Path("OTHER=sample-1h")).bars.symbol == "OTHER"
    assert load_bars(path).bars.symbol == "minutes"


def test_the_table_of_yahoos_downloader(tmp_path: Path):
    rows = "Price,Close,High,Low,Open,Volume\nTicker,A,A,A,A,A\nDate,,,,,\n"
    bars = read_bars(_file(tmp_path, rows + "2025-01-01,11,12,9,10,5\n2025-01-02,12,13,10,11,6\n", "A.csv"))
    assert bars.open.tolist() == [10.0, 11.0]
    assert bars.close.tolist() == [11.0, 12.0]
    assert bars.open_time_ns[0] == FIRST_NS


def test_commas_are_decimal_where_columns_part_at_semicolons(tmp_path: Path):
    text = "Datum;date;open;high;low;close\n;01.01.2025;10,5;12;9,25;11\n;02.01.2025;10,5;12;9,25;11\n"
    bars = read_bars(_file(tmp_path, text))
    assert (bars.open[0], bars.low[1], bars.open_time_ns[0]) == (10.5, 9.25, FIRST_NS)


def test_a_close_time_alone_is_no_open_time(tmp_path: Path):
    text = "close_time,open,high,low,close\n2025-01-01,1,1,1,1\n2025-01-02,1,1,1,1\n"
    with pytest.raises(DataError, match=r"no column 'open_time' .*a close time is when a bar ends"):
        read_bars(_file(tmp_path, text))


@pytest.mark.parametrize(
    "header", ["funding_time,funding_rate", "fundingTime,fundingRate", "calc_time,last_funding_rate"]
)
def test_funding_by_its_usual_names_and_in_either_order(tmp_path: Path, header: str):
    rows = ["2025-01-01T08:00:00Z,0.0002", "2025-01-01T00:00:00Z,0.0001"]
    for order in (rows, rows[::-1]):
        funding = read_funding(_file(tmp_path, "\n".join([header, *order])))
        assert funding.time_ns.tolist() == [FIRST_NS, FIRST_NS + 8 * HOUR_NS]
        assert funding.rate.tolist() == [0.0001, 0.0002]
