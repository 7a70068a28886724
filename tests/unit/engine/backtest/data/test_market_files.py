"""What is told, refused and settled about the data of a run before it starts."""

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from engine.backtest.data.broker_config import BrokerConfig
from engine.backtest.data.configuration import ConfigError
from engine.backtest.data.gaps import by_rule
from engine.backtest.data.loaders import DataError, load_bars
from engine.backtest.data.market import MarketData
from engine.backtest.data.market_files import load_market
from engine.backtest.data.sample_files import write_bars
from engine.backtest.data.samples import dataset
from engine.backtest.parity.cases import prepare, settled_broker
from engine.backtest.parity.config import ValidateConfig
from engine.backtest.runs.config import broker_options, build_config
from engine.model.bars import Bars
from tests.support.places import ROOT

HOUR_NS = 3_600_000_000_000
SHARED = ROOT.parent / "shared" / "data"
RSI = [{"strategy": "rsi"}]


def _bars(symbol: str, prices: list[float], hours: list[int] | None = None, step: int = HOUR_NS) -> Bars:
    times = np.array(hours or range(len(prices)), np.int64) * step + 1_735_689_600 * 10**9
    column = np.array(prices)
    return Bars(symbol, step, times, column, column, column, column, np.zeros(len(prices)))


def _written(folder: Path, name: str, bars: Bars) -> str:
    write_bars(folder / name, bars)
    return str(folder / name)


def _market(data: list[str], **more: Any) -> MarketData:  # noqa: ANN401  # pieces of a configuration
    return load_market(build_config(None, {"strategies": RSI, "data": data, **more}))


def test_every_symbol_has_the_grid_of_its_data_unless_one_is_given(tmp_path: Path):
    low = _written(tmp_path, "LOW_1h.csv", _bars("LOW", [0.0040, 0.0041, 0.0043]))
    high = _written(tmp_path, "HIGH_1h.csv", _bars("HIGH", [64_000.1, 64_001.3, 64_002.0]))
    given = broker_options(["HIGH.tick=0.5", "HIGH.min_qty=2", "qty_step=0.01"])
    config = build_config(None, {"strategies": RSI, "data": [low, high], "broker": given})
    market = load_market(config)
    of_low, of_high = (market.settings(config.broker, symbol).market for symbol in ("LOW", "HIGH"))
    assert (of_low.tick, of_low.qty_step, of_low.min_qty) == (0.0001, 0.01, 0.0)
    assert (of_high.tick, of_high.qty_step, of_high.min_qty) == (0.5, 0.01, 2.0)
    assert (market.grids["LOW"].tick_source, market.grids["HIGH"].tick_source) == (
        "the grid of the prices",
        "given",
    )
    (doubt,) = market.notes
    assert doubt.startswith("HIGH: 2 of 3 bars have prices off the tick of 0.5 (given)")


EXCHANGE_INFO = """{"symbols": [{"symbol": "HIGH", "filters": [
    {"filterType": "PRICE_FILTER", "tickSize": "0.10"}, {"filterType": "MIN_NOTIONAL", "notional": "100"},
    {"filterType": "LOT_SIZE", "stepSize": "0.001", "minQty": "0.002"}]}]}"""


def test_an_instrument_goes_before_the_data_and_what_is_given_before_it(tmp_path: Path):
    (tmp_path / "info.json").write_text(EXCHANGE_INFO)
    high = _written(tmp_path, "HIGH_1h.csv", _bars("HIGH", [64_000.1, 64_001.35, 64_002.0]))
    low = _written(tmp_path, "LOW_1h.csv", _bars("LOW", [0.0040, 0.0041]))
    raw = {"strategies": RSI, "data": [high, low], "instruments": str(tmp_path / "info.json")}
    config = build_config(None, raw)
    market = load_market(config)
    known = market.settings(config.broker, "HIGH").market
    assert (known.tick, known.qty_step, known.min_qty, known.min_notional) == (0.1, 0.001, 0.002, 100.0)
    assert market.grids["HIGH"].tick_source == "its instrument"
    assert market.settings(config.broker, "LOW").market.tick == 0.0001
    assert market.notes[0].startswith("HIGH: 1 of 3 bars have prices off the tick of 0.1 (its instrument)")
    config = build_config(None, raw | {"broker": broker_options(["HIGH.tick=0.05", "min_notional=5"])})
    known = load_market(config).settings(config.broker, "HIGH").market
    assert (known.tick, known.qty_step, known.min_notional) == (0.05, 0.001, 5.0)


@pytest.mark.parametrize("text", ["{", "[]", '{"symbols": [{}]}', EXCHANGE_INFO.replace("0.10", "ten")])
def test_a_file_of_instruments_that_is_none_is_one_sentence(tmp_path: Path, text: str):
    (tmp_path / "info.json").write_text(text)
    with pytest.raises(DataError, match=r"info\.json: (not JSON|expected the answer)"):
        _market(["sample-1h"], instruments=str(tmp_path / "info.json"))
    with pytest.raises(DataError, match=r"none\.json: cannot be read"):
        _market(["sample-1h"], instruments=str(tmp_path / "none.json"))


def test_settings_of_one_symbol_merge_over_those_of_the_file(tmp_path: Path):
    file = tmp_path / "run.json"
    file.write_text(
        '{"strategies": [{"strategy": "rsi"}], "data": ["sample-1h"],'
        ' "broker": {"symbols": {"SAMPLEUSDT": {"tick": 0.5, "min_qty": 3}}}}'
    )
    broker = build_config(file, {"broker": broker_options(["SAMPLEUSDT.tick=0.25"])}).broker
    assert (broker.symbols["SAMPLEUSDT"].tick, broker.symbols["SAMPLEUSDT"].min_qty) == (0.25, 3.0)


@pytest.mark.parametrize(
    ("broker", "says"),
    [
        (["tick=0.01"], r"the tick of LOW, 0.01 \(given\), is larger than its lowest price, 0.004"),
        (["OTHER.tick=0.01"], "broker.symbols.OTHER: no data for that symbol, there is data for LOW"),
        (["LOW.tikc=0.01"], "tikc is not a known key"),
        (["LOW.tick=0"], "tick is 0, it should be greater than 0"),
    ],
)
def test_a_grid_that_cannot_be_meant_is_refused(tmp_path: Path, broker: list[str], says: str):
    low = _written(tmp_path, "LOW_1h.csv", _bars("LOW", [0.0040, 0.0041]))
    with pytest.raises(ConfigError, match=says):
        _market([low], broker=broker_options(broker))


def test_gaps_are_told_refused_or_filled(tmp_path: Path):
    hours = [0, 1, 2, 5, 6, 7, 30]
    path = _written(tmp_path, "GAP_1h.csv", _bars("GAP", [10.0, 11.0, 12.0, 15.0, 16.0, 17.0, 18.0], hours))
    told = (
        "GAP: 24 bars missing: 2025-01-01 03:00 to 2025-01-01 05:00 (2h),"
        " 2025-01-01 08:00 to 2025-01-02 06:00 (22h) UTC"
    )
    kept = _market([path])
    assert kept.notes == (f"{told}; kept as gaps",)
    assert len(kept.bars["GAP"]) == 7
    with pytest.raises(DataError) as refused:
        _market([path], gaps="refuse")
    assert str(refused.value) == f"{path}: {told}; fix the file, or use --gaps keep or --gaps fill"
    filled = _market([path], gaps="fill").bars["GAP"]
    assert (np.diff(filled.open_time_ns) == HOUR_NS).all()
    assert filled.close.tolist()[:9] == [10.0, 11.0, 12.0, 12.0, 12.0, 15.0, 16.0, 17.0, 17.0]
    assert filled.open.tolist()[:6] == [10.0, 11.0, 12.0, 12.0, 12.0, 15.0]
    assert (len(filled), filled.high[10], filled.close[-1]) == (31, 17.0, 18.0)
    assert _market([path], end="2025-01-01T03:00:00Z", gaps="refuse").notes == ()


def test_volume_of_a_filled_bar_is_zero():
    bars = dataset("calm-1h")
    holes = np.delete(np.arange(100), [7, 8, 50])
    part = Bars(
        bars.symbol,
        HOUR_NS,
        *(
            column[holes]
            for column in (bars.open_time_ns, bars.open, bars.high, bars.low, bars.close, bars.volume_base)
        ),
    )
    made, _ = by_rule(part, "fill", "x")
    assert np.flatnonzero(made.volume_base == 0).tolist() == [7, 8, 50]
    assert np.array_equal(made.open_time_ns, bars.open_time_ns[:100])
    assert np.array_equal(np.delete(made.close, [7, 8, 50]), part.close)


def test_weekends_are_no_gaps_and_a_day_missing_beside_them_is_one():
    days = [day for day in range(120) if day % 7 not in (2, 3) and day != 62]
    times = np.array(days) * 24 * HOUR_NS + 1_735_689_600 * 10**9
    flat = np.full(len(days), 10.0)
    bars = Bars("DAX", 24 * HOUR_NS, times, flat, flat, flat, flat, np.zeros(len(days)))
    kept, notes = by_rule(bars, "keep", "x")
    assert notes == (
        "DAX: 1 bar missing: 2025-03-04 00:00 to 2025-03-05 00:00 (1d) UTC; kept as gaps",
        "DAX: 17 pauses of up to 2d come back regularly: closed hours",
    )
    assert kept is bars
    with pytest.raises(DataError, match="1 bar missing"):
        by_rule(bars, "refuse", "x")
    assert len(by_rule(bars, "fill", "x")[0]) == len(bars) + 1


def test_gaps_at_different_days_are_no_weekends():
    days = [day for day in range(40) if day not in (5, 13, 20, 30)]
    bars = _bars("X", [10.0] * len(days), days, 24 * HOUR_NS)
    (note,) = by_rule(bars, "keep", "x")[1]
    assert note.startswith("X: 4 bars missing in 4 places")


def test_a_stray_stamp_far_away_does_not_fill_the_memory():
    bars = _bars("X", [10.0] * 5, [0, 1, 2, 3, 9_000_000], 10**9)
    assert "8999996 bars missing" in by_rule(bars, "keep", "x")[1][0]
    with pytest.raises(DataError, match="more than 5000000 bars to fill, use --gaps keep"):
        by_rule(bars, "fill", "x")


def test_months_are_not_filled(tmp_path: Path):
    days = [0, 31, 59, 120, 151, 181]
    path = _written(tmp_path, "M_1mo.csv", _bars("M", [10.0] * 6, days, 24 * HOUR_NS))
    with pytest.raises(DataError, match="bars of 31d cannot be filled, use --gaps keep"):
        _market([path], gaps="fill")


@pytest.mark.parametrize(
    ("text", "meant"),
    [
        ("2023-05-01", datetime(2023, 5, 1, tzinfo=UTC)),
        ("2023-05", datetime(2023, 5, 1, tzinfo=UTC)),
        ("2023-05-01 14:00", datetime(2023, 5, 1, 14, tzinfo=UTC)),
        ("2023-05-01T14:00:00", datetime(2023, 5, 1, 14, tzinfo=UTC)),
        ("2023-05-01T14:00:00+08:00", datetime(2023, 5, 1, 6, tzinfo=UTC)),
        ("2023-05-01T14:00:00Z", datetime(2023, 5, 1, 14, tzinfo=UTC)),
    ],
)
def test_dates_without_a_zone_are_utc(text: str, meant: datetime):
    assert build_config(None, {"strategies": RSI, "data": ["sample-1h"], "start": text}).start == meant
    case = {"name": "a", "strategy": "rsi", "reference": "list.csv", "history_start": text}
    assert ValidateConfig.model_validate({"bars": "x", "cases": [case]}).cases[0].history_start == meant


@pytest.mark.parametrize(
    ("period", "says"),
    [
        ({"start": "01/05/2023"}, "start: '01/05/2023' is not a time, expected one like 2023-05-01"),
        ({"start": 5}, "start: 5 is not a time, expected one like 2023-05-01"),
        ({"end": "0001-01-01"}, "end: '0001-01-01' is out of range, expected a time from 1678 to 2261"),
        (
            {"start": "2023-05-01", "end": "2023-04-01T12:00"},
            "start and end: 2023-04-01 12:00 UTC is not after 2023-05-01 00:00 UTC",
        ),
    ],
)
def test_a_period_that_cannot_be_is_one_sentence(period: dict[str, object], says: str):
    with pytest.raises(ConfigError) as refused:
        build_config(None, {"strategies": RSI, "data": ["sample-1h"], **period})
    assert str(refused.value).startswith(f"command line: {says}")


@pytest.mark.parametrize(
    ("broker", "says"),
    [
        ({"qty": True}, "broker: qty is true, it should be a number"),
        ({"slippage_ticks": False}, "broker: slippage_ticks is false, it should be a number"),
        ({"qty": 1e300}, "broker.qty is 1e+300, it should be at most 1e+15"),
        ({"initial_capital": 1e300}, "broker.initial_capital is 1e+300, it should be at most 1e+15"),
        ({"pyramiding": 10**9}, "broker.pyramiding is 1000000000, it should be at most 10000"),
        ({"slippage_ticks": 10**20}, "broker.slippage_ticks is 100000000000000000000, it should be at most"),
        ({"brackets": [[0, 0.01, 0]]}, "brackets are used with a leverage above 0 only"),
        ({"slippage_bps": 10_000}, "broker.slippage_bps is 10000, it should be less than 10000"),
    ],
)
def test_numbers_that_no_account_has_are_refused(broker: dict[str, object], says: str):
    with pytest.raises(ConfigError) as refused:
        build_config(None, {"strategies": RSI, "data": ["sample-1h"], "broker": broker})
    assert says in str(refused.value)


def test_a_refused_element_is_told_alone():
    """A list that lost its only element to a refusal is not a second mistake."""
    with pytest.raises(ConfigError) as refused:
        build_config(None, {"strategies": [{"strategy": "rsi", "nme": "a"}], "data": ["sample-1h"]})
    assert "nme is not a known key" in str(refused.value)
    assert "more)" not in str(refused.value)


@pytest.mark.parametrize("name", ["a\nb", "a" * 101])
def test_a_name_that_is_no_folder_is_refused(name: str):
    with pytest.raises(ConfigError, match="cannot be the name of a folder"):
        build_config(None, {"strategies": [{"strategy": "rsi", "name": name}], "data": ["sample-1h"]})


def test_a_value_nested_too_deep_is_text():
    assert broker_options(["qty=" + "[" * 100_000])["qty"] == "[" * 100_000


def test_a_period_without_bars_and_one_that_begins_late_are_told():
    with pytest.raises(DataError) as refused:
        _market(["sample-1h"], start="2024-05-01")
    assert str(refused.value) == (
        "sample-1h: no bars from 2024-05-01 00:00 UTC on, expected at least two;"
        " its bars are from 2023-01-01 00:00 to 2023-12-31 23:00 UTC"
    )
    with pytest.raises(DataError, match="1 bar from 2023-05-01 00:00 UTC on and before 2023-05-01 01:00 UTC"):
        _market(["sample-1h"], start="2023-05-01", end="2023-05-01 01:00")
    (late,) = _market(["sample-1h"], start="2022-12-01").notes
    assert late == "SAMPLEUSDT: the data begins on 2023-01-01 00:00 UTC, later than 2022-12-01 00:00 UTC"


def test_two_files_of_one_symbol_are_told_what_to_write():
    with pytest.raises(DataError) as refused:
        _market(["sample-1h", "sample-15m"])
    assert str(refused.value) == (
        "sample-15m: a second file of SAMPLEUSDT, beside sample-1h; give it a symbol of its own:"
        " --data sample-15m=sample-15m"
    )
    assert set(_market(["sample-1h", "sample-15m=sample-15m"]).bars) == {"SAMPLEUSDT", "sample-15m"}


def _quarters(bars: Bars, factor: float = 1.0) -> Bars:
    """Finer bars that go through each bar's open, low, high and close."""
    rows = np.stack([bars.open, bars.low, bars.high, bars.close], axis=1).ravel() * factor
    times = np.repeat(bars.open_time_ns, 4) + np.tile(np.arange(4) * HOUR_NS // 4, len(bars))
    return Bars(bars.symbol, HOUR_NS // 4, times, rows, rows, rows, rows, np.zeros(len(rows)))


def test_finer_bars_of_the_same_market_are_taken_and_others_refused(tmp_path: Path):
    bars = dataset("sample-1h").part(0, 200)
    hours = _written(tmp_path, "A_1h.parquet", bars)
    finer = _written(tmp_path, "A_15m.parquet", _quarters(bars))
    start = {"data": [hours]}
    assert _market(**start, finer={"A": finer}).notes == ()
    for other, says in (
        (_written(tmp_path, "B_15m.parquet", _quarters(bars, 1.001)), "of another market or period"),
        (_written(tmp_path, "C_15m.parquet", _quarters(dataset("other-1h").part(0, 200))), "another market"),
        (hours, "finer bars of A are 1h long, expected shorter than 1h"),
        ("sample-15m", "another market or period"),
    ):
        with pytest.raises(DataError, match=says):
            _market(**start, finer={"A": other})
    late = _quarters(dataset("sample-1h").part(300, 400))
    with pytest.raises(DataError, match="no finer bars of A lie inside its bars"):
        _market(**start, finer={"A": _written(tmp_path, "D_15m.parquet", late)})
    some = _written(tmp_path, "E_15m.parquet", _quarters(bars.part(0, 150)))
    assert _market(**start, finer={"A": some}).notes == ("A: 50 of 200 bars lack finer bars",)


def test_a_case_without_a_tick_has_that_of_its_bars():
    history = _bars("EUR", [1.08598, 1.08604, 1.08601])
    broker, notes = settled_broker(BrokerConfig(), history)
    assert (broker.tick, broker.qty_step, notes) == (1e-5, 0.0001, [])
    given, notes = settled_broker(BrokerConfig(tick=0.01, qty_step=0.5), history)
    assert (given.tick, given.qty_step) == (0.01, 0.5)
    assert "off the tick of 0.01 (given)" in notes[0]


def test_gaps_are_told_of_a_case_too(tmp_path: Path):
    bars = dataset("calm-1h").part(0, 300)
    keep = np.delete(np.arange(300), range(100, 110))
    columns = (bars.open_time_ns, bars.open, bars.high, bars.low, bars.close, bars.volume_base)
    path = _written(tmp_path, "CALM_1h.csv", Bars("CALM", HOUR_NS, *(column[keep] for column in columns)))
    trades = tmp_path / "list.csv"
    trades.write_text(
        "Trade #,Type,Date and time,Signal,Price USDT,Quantity\n"
        "1,Entry long,2023-01-02 01:00,L,100,1\n1,Exit long,2023-01-02 02:00,TP,102,1\n"
    )
    case = {"name": "a", "strategy": "rsi", "reference": str(trades)}
    config = ValidateConfig.model_validate({"bars": path, "cases": [case]})
    (one,) = prepare(config, {})
    assert one.notes == (
        "CALM: 10 bars missing: 2023-01-05 04:00 to 2023-01-05 14:00 (10h) UTC; kept as gaps",
    )
    with pytest.raises(DataError, match="10 bars missing"):
        prepare(config.model_copy(update={"gaps": "refuse"}), {})
    (one,) = prepare(config.model_copy(update={"gaps": "fill"}), {})
    assert len(one.history) == 300


@pytest.mark.skipif(not SHARED.is_dir(), reason="no recorded market data beside the repository")
def test_gaps_of_recorded_markets():
    spot = SHARED / "BTCUSDT_SPOT_1m_20220101_20240625.parquet"
    config = {"start": "2023-03-01", "end": "2023-04-01"}
    gap, still = _market([str(spot)], **config).notes
    assert gap == "BTCUSDT: 80 bars missing: 2023-03-24 12:40 to 2023-03-24 14:00 (1h 20m) UTC; kept as gaps"
    assert still.startswith("BTCUSDT: 72 bars without a trade: 2023-03-24 11:28 to 2023-03-24 12:40 (1h 12m)")
    assert len(_market([str(spot)], gaps="fill", **config).bars["BTCUSDT"]) == 31 * 24 * 60
    euro, closed = _market([str(SHARED / "EURUSD_tv_capitalcom_5m.parquet")]).notes
    assert "590 bars missing in 8 places" in euro
    assert "2024-12-31 22:00 to 2025-01-01 22:05 (1d 5m)" in euro
    assert closed == "EURUSD: 66 pauses of up to 2d 1h come back regularly: closed hours"
    (outage,) = _market([str(SHARED / "ETHUSDT_perp_15m.parquet")], start="2024-01-01").notes
    assert outage == (
        "ETHUSDT: 4 bars without a trade: 2024-10-28 20:00 to 2024-10-28 21:00 (1h) UTC, flat with volume 0"
    )
    hours = load_bars(SHARED / "BTCUSDT_perp_1h.parquet").bars
    assert _market([str(SHARED / "BTCUSDT_perp_1h.parquet")]).grids["BTCUSDT"].tick == 0.01
    assert hours.timeframe_ns == HOUR_NS


@pytest.mark.skipif(not SHARED.is_dir(), reason="no recorded market data beside the repository")
def test_finer_bars_of_recorded_markets():
    data = [str(SHARED / "ETHUSDT_perp_1h.parquet")]
    period = {"start": "2025-01-01", "end": "2025-03-01"}
    good = _market(data, finer={"ETHUSDT": str(SHARED / "ETHUSDT_perp_5m.parquet")}, **period)
    assert good.notes in ((), ("ETHUSDT: 1 of 1416 bars lack finer bars",))
    with pytest.raises(DataError, match="another market"):
        _market(data, finer={"ETHUSDT": str(SHARED / "BTCUSDT_perp_5m.parquet")}, **period)


def test_funding_of_another_period_is_told(tmp_path: Path):
    (tmp_path / "funding.csv").write_text("funding_time,funding_rate\n2020-01-01T00:00:00Z,0.0001\n")
    path = tmp_path / "funding.csv"
    (note,) = _market(["sample-1h"], funding={"SAMPLEUSDT": str(path)}).notes
    assert note == f"SAMPLEUSDT: no funding event of {path} lies in the period"
