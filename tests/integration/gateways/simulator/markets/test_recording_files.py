"""Files of recordings and bars: units are found, and what is wrong is named before anything is played."""

import gzip
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from gateways.simulator.markets import MarketError, MarketOptions, parse_market
from gateways.simulator.markets.frames import read_recording
from tests.support.market_rig import MarketRig

SECOND_NS = 1_000_000_000
START_MS = 1_721_260_800_000
UNITS = {"ns": 1, "us": 1_000, "ms": 1_000_000, "s": SECOND_NS}
OPTIONS = MarketOptions(symbols=("BTCUSDT",), loop=False)


def _session() -> list[dict[str, Any]]:
    """A snapshot, and a diff, a ticker and a trade a second each."""
    snapshot = {"lastUpdateId": 8, "bids": [["100.00", "1.000"]], "asks": [["100.10", "2.000"]]}
    frames: list[dict[str, Any]] = [snapshot]
    for index in range(4):
        at = START_MS + 1000 * (3 * index + 1)
        times, last = {"E": at, "T": at, "s": "BTCUSDT"}, 10 + index
        sides = {"b": [["99.90", "1.500"]], "a": [["100.30", "4.000"]]}
        ticker = {"b": "100.00", "B": "1.000", "a": "100.10", "A": "2.000"}
        trade = {"t": 7 + index, "p": "100.10", "q": "0.500", "X": "MARKET", "m": False}
        ids = {"U": 7 if index == 0 else last, "u": last, "pu": 6 if index == 0 else last - 1}
        frames += [
            {"stream": "d", "data": {"e": "depthUpdate"} | times | ids | sides},
            {"stream": "t", "data": {"e": "bookTicker", "u": last} | times | ticker},
            {"stream": "x", "data": {"e": "trade"} | times | trade},
        ]
    return frames


def _lines(frames: list[dict[str, Any]], unit_ns: int = 1) -> list[str]:
    begin_ns = START_MS * 1_000_000
    return [f"{(begin_ns + i * SECOND_NS) // unit_ns} {json.dumps(frame)}" for i, frame in enumerate(frames)]


def _write(folder: Path, lines: list[str], name: str = "BTCUSDT.txt") -> Path:
    path = folder / name
    path.write_text("\n".join(lines) + "\n")
    return path


def _refusal(path: Path) -> str:
    with pytest.raises(MarketError) as refused:
        parse_market(f"recording:{path}", OPTIONS)
    said = str(refused.value)
    assert said.startswith(str(path))
    assert "\n" not in said
    return said.removeprefix(str(path))


@pytest.mark.parametrize("unit", UNITS)
def test_a_session_takes_as_long_as_it_took_whatever_the_unit_of_its_stamps(tmp_path: Path, unit: str):
    path = _write(tmp_path, _lines(_session(), UNITS[unit]))
    recording = read_recording([path], ("BTCUSDT",))
    assert recording.span_ns == 11 * SECOND_NS
    rig = MarketRig(("BTCUSDT",))
    rig.start(parse_market(f"recording:{path}", OPTIONS))
    rig.data.subscribe("btcusdt@depth@0ms")
    rig.run(14_000, 500)
    assert [frame["u"] for frame in rig.take("btcusdt@depth@0ms")] == [10, 11, 12, 13]


@pytest.mark.parametrize("unit", UNITS)
def test_a_receive_clock_that_counts_from_another_moment_has_its_unit_found_too(tmp_path: Path, unit: str):
    begin_ns = START_MS * 1_000_000 - 100_000 * SECOND_NS
    lines = []
    for line in _lines(_session()):
        stamp, _, text = line.partition(" ")
        lines.append(f"{(int(stamp) - begin_ns) // UNITS[unit]} {text}")
    assert read_recording([_write(tmp_path, lines)], ("BTCUSDT",)).span_ns == 11 * SECOND_NS


def test_a_recording_off_the_exchanges_grid_is_refused_before_it_plays(tmp_path: Path):
    path = _write(tmp_path, _changed(0, lambda data: data.update(bids=[["100.003", "1.000"]])))
    with pytest.raises(MarketError, match=r"100\.003 of 1\.000 in the snapshot of BTCUSDT is off"):
        MarketRig(("BTCUSDT",)).start(parse_market(f"recording:{path}", OPTIONS))


def test_frames_that_are_not_played_may_hold_anything(tmp_path: Path):
    lines = _lines(_session())
    for data in ('{"e":"other","s":"BTCUSDT","E":"x","b":7}', '[{"e":"markPriceUpdate"}]', "{}", "null"):
        lines.insert(4, f'{START_MS}000000 {{"data":{data}}}')
    assert len(read_recording([_write(tmp_path, lines)], ("BTCUSDT",)).frames) == 12


def test_a_receive_clock_that_is_set_back_keeps_the_order_of_the_lines(tmp_path: Path):
    lines = _lines(_session())
    back = [
        line if i < 6 else f"{int(line.partition(' ')[0]) - 5 * SECOND_NS} {line.partition(' ')[2]}"
        for i, line in enumerate(lines)
    ]
    frames = read_recording([_write(tmp_path, back)], ("BTCUSDT",)).frames
    assert [frame.text for frame in frames] == [line.partition(" ")[2].encode() + b"\n" for line in lines[1:]]
    assert frames == sorted(frames, key=lambda frame: frame.receive_ns)


def test_a_gzip_file_that_is_cut_off_is_named_with_the_line(tmp_path: Path):
    path = tmp_path / "BTCUSDT.txt.gz"
    packed = gzip.compress("\n".join(_lines(_session() * 50)).encode())
    path.write_bytes(packed[: len(packed) * 3 // 4])
    said = _refusal(path)
    assert said.startswith(", line ")
    assert said.endswith(": the gzip data is cut off here")
    path.write_bytes(packed[:200] + bytes(20) + packed[220:])
    assert "the gzip data is damaged here" in _refusal(path)
    path.write_text("\n".join(_lines(_session())))
    assert _refusal(path) == ", line 1: this is not gzip data; rename the file without .gz if it is text"


def test_gzip_data_is_read_whatever_its_name(tmp_path: Path):
    path = tmp_path / "BTCUSDT.txt"
    path.write_bytes(gzip.compress("\n".join(_lines(_session())).encode()))
    assert len(read_recording([path], ("BTCUSDT",)).frames) == 12


def _changed(index: int, change: Callable[[dict[str, Any]], None]) -> list[str]:
    frames = json.loads(json.dumps(_session()))
    change(frames[index].get("data", frames[index]))
    return _lines(frames)


@pytest.mark.parametrize(
    ("index", "change"),
    [
        (0, {"bids": [["NaN", "1.000"]]}),
        (0, {"bids": []}),
        (0, {"bids": [["101.00", "1.000"]]}),
        (0, {"lastUpdateId": "8"}),
        (4, {"b": [["abc", "1.000"]]}),
        (4, {"b": [["100.00", "Infinity"]]}),
        (4, {"b": [["100.00"]]}),
        (4, {"a": [["1e400", "1.000"]]}),
        (4, {"u": None}),
        (4, {"pu": 2**80}),
        (4, {"E": -5}),
        (4, {"E": START_MS * 1000}),
        (4, {"T": START_MS - 4_000_000}),
        (6, {"T": START_MS + 4_000_000}),
        (5, {"b": "1.0.0"}),
        (6, {"p": "-1"}),
        (6, {"q": 0.5}),
        (6, {"T": "x"}),
    ],
)
def test_a_bad_number_is_named_with_its_line_before_anything_is_played(
    tmp_path: Path, index: int, change: dict[str, Any]
):
    path = _write(tmp_path, _changed(index, lambda data: data.update(change)))
    assert _refusal(path).startswith(f", line {index + 1}: ")


@pytest.mark.parametrize(
    ("stamp", "word"),
    [("x", "digits"), ("-5", "digits"), ("1" * 30, "digits"), (str(START_MS), "30 days"), ("", "digits")],
)
def test_a_bad_stamp_is_named_with_its_line(tmp_path: Path, stamp: str, word: str):
    lines = _lines(_session())
    lines[7] = f"{stamp} {lines[7].partition(' ')[2]}"
    said = _refusal(_write(tmp_path, lines))
    assert said.startswith(", line 8: ")
    assert word in said


def test_json_that_is_nested_too_deeply_is_named_with_its_line(tmp_path: Path):
    lines = _lines(_session())
    lines[3] = f'1721260800000000000 {{"data":{"[" * 100_000}}}'
    assert _refusal(_write(tmp_path, lines)).startswith(", line 4: ")


BARS = "open_time,open,high,low,close,volume\n"


@pytest.mark.parametrize(
    ("rows", "said"),
    [
        (["1721260800000,1,2,1,x,1", "1721260860000,1,2,1,1,1"], "row 0: close x is not a number"),
        (["1721260800000,1,2,1,1,1", "1721260860000,1,2,1,1,"], "row 1: volume nan is not a number"),
        (["1721260800000,1,inf,1,1,1", "1721260860000,1,2,1,1,1"], "row 0: high inf is not a number"),
        (["1721260800000,1,2,-1,1,1", "1721260860000,1,2,1,1,1"], "row 0: low -1 is not a number"),
        (["noon,1,2,1,1,1", "1721260860000,1,2,1,1,1"], "row 0: open_time noon is not a date and time"),
        (
            ["1721260800000,1,2,1,1,1", "1721260860000000,1,2,1,1,1"],
            "row 1: open_time 1721260860000000 has another unit",
        ),
        (["5,1,2,1,1,1", "6,1,2,1,1,1"], "row 0: open_time 5 is not a time since 1990"),
    ],
)
def test_a_file_of_bars_that_cannot_be_played_is_refused_with_its_row(
    tmp_path: Path, rows: list[str], said: str
):
    path = tmp_path / "BTCUSDT.csv"
    path.write_text(BARS + "\n".join(rows) + "\n")
    with pytest.raises(MarketError, match=said):
        MarketRig(("BTCUSDT",)).start(parse_market(f"klines:{path}", OPTIONS))


@pytest.mark.parametrize("name", ["BTCUSDT.csv", "BTCUSDT.parquet"])
def test_a_file_that_is_no_table_is_refused_in_one_sentence(tmp_path: Path, name: str):
    path = tmp_path / name
    path.write_bytes(b"\xff\xfe\x00\x01" * 50)
    with pytest.raises(MarketError, match="not a table of bars") as refused:
        MarketRig(("BTCUSDT",)).start(parse_market(f"klines:{path}", OPTIONS))
    assert "\n" not in str(refused.value)


@pytest.mark.parametrize("unit", UNITS)
def test_bars_keep_their_distance_whatever_the_unit_of_open_time(tmp_path: Path, unit: str):
    path = tmp_path / "BTCUSDT.csv"
    stamps = [(START_MS + minute * 60_000) * 1_000_000 // UNITS[unit] for minute in range(3)]
    path.write_text(BARS + "".join(f"{stamp},100,101,99,100.5,1\n" for stamp in stamps))
    rig = MarketRig(("BTCUSDT",))
    rig.start(parse_market(f"klines:{path}", OPTIONS))
    rig.run(4 * 60_000, 1000)
    assert [row[5] for row in rig.rest("klines", symbol="BTCUSDT", interval="1m", limit=3)] == ["1.000"] * 3
