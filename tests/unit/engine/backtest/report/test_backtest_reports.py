"""What people read of a backtest: tables that fit the terminal, charts with their extremes, open trades."""

import io
import json
import re
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.csv as pa_csv
import pytest
from rich.console import Console
from typer.testing import CliRunner

from engine.backtest import backtest, cli
from engine.backtest.data.broker_config import BROKER_DEFAULTS, BrokerConfig
from engine.backtest.report import chart as report_chart
from engine.backtest.report import page as report_page
from engine.backtest.report import text as report_text
from engine.backtest.report.metrics import Curve
from engine.backtest.report.settings import broker_line, data_lines, timeframe
from engine.backtest.report.trades import write_equity
from engine.market_data.bar_times import DAY_NS
from tests.support.places import ROOT

SCRIPT = """
from engine.strategies.base import ScriptStrategy


class Holds(ScriptStrategy):
    name = "holds"

    def on_bar(self, bar, broker):
        if broker.bar_index == 0:
            broker.entry("L", "long")
"""


def _summary(name: str, **numbers: float) -> dict[str, Any]:
    found: dict[str, Any] = {key: 12 if form == "d" else -1234.5678 for _, key, form in report_text.ROWS}
    return found | {"name": name, "final_equity": 104_321.55} | numbers


def _lines(summaries: list[dict[str, Any]], width: int) -> list[str]:
    console = Console(file=io.StringIO(), width=width)
    for table in report_text.comparison(summaries, width):
        console.print(table)
    assert isinstance(console.file, io.StringIO)
    return console.file.getvalue().splitlines()


def test_a_name_is_folded_only_where_there_is_no_room():
    (head, *_) = _lines([_summary("sma_crossover_inflection")], 80)
    assert head.split() == ["sma_crossover_inflection"]


def test_seven_strategies_stand_side_by_side_in_80_columns():
    names = ["rsi", "cci", "mom", "sma_crossover_inflection", "trix", "bband", "ppo"]
    lines = _lines([_summary(name) for name in names], 80)
    assert max(map(len, lines)) <= 80
    (equity,) = [line for line in lines if line.startswith("final equity")]
    assert equity.split()[2:] == ["104322"] * 7
    assert "…" not in "".join(lines)


def test_what_fits_keeps_its_decimals():
    (equity,) = [line for line in _lines([_summary("rsi")] * 3, 80) if line.startswith("final equity")]
    assert equity.split()[2:] == ["104321.55"] * 3


def test_strategies_that_do_not_fit_go_into_a_further_table():
    lines = _lines([_summary(f"number{k}") for k in range(20)], 80)
    assert max(map(len, lines)) <= 80
    cells = [word for line in lines if line.startswith("trades ") for word in line.split()[1:]]
    assert cells == ["12"] * 20


def test_zero_has_no_sign():
    assert report_text.shown(-0.001, ".2f") == "0.00"
    assert report_text.shown(-0.01, ".2f") == "-0.01"


def test_a_thinned_chart_keeps_its_extremes():
    rng = np.random.default_rng(1)
    for n in (10_000, 777_777):
        equity = 100.0 + rng.standard_normal(n).cumsum() * 1e-3
        equity[[n // 3, n // 2]] = [500.0, 1.0]
        fall = equity / np.maximum.accumulate(equity) - 1.0
        at = report_chart.thinned(equity, fall)
        assert len(at) <= 5_002
        assert (at[0], at[-1]) == (0, n - 1)
        assert (equity[at].max(), equity[at].min()) == (500.0, 1.0)
        assert fall[at].min() == fall.min()


def test_a_chart_that_does_not_show_all_bars_says_so():
    assert report_page._shown(500, 500, 500) == ""
    assert report_page._shown(1500, 1500, 500) == (
        ", zoomed to the last 500 of 1500 bars: drag to the right for earlier ones"
    )
    assert "(the last 5000 are in the chart)" in report_page._shown(9000, 5000, 500)


def test_drawdown_in_the_file_counts_from_the_initial_capital(tmp_path: Path):
    times = np.arange(3, dtype=np.int64) * DAY_NS
    write_equity(tmp_path / "equity.csv", Curve(times, np.array([90.0, 100.0, 95.0]), 100.0, DAY_NS))
    found = pa_csv.read_csv(tmp_path / "equity.csv")["drawdown_percent"].to_pylist()
    assert found == pytest.approx([-10.0, 0.0, -5.0])


def test_the_effective_settings_are_said():
    text = broker_line(
        BrokerConfig(commission_percent=0.05, slippage_ticks=1, percent_of_equity=10).model_dump()
    )
    assert text == "broker: capital 100000, each entry 10 % of equity, fees 0.05 % a side, slippage 1 tick"
    text = broker_line(BrokerConfig(cash=100, pyramiding=3, slippage_bps=2, leverage=5).model_dump())
    for words in ("each entry 100 of cash", "slippage 0 ticks and 2 bps", "pyramiding 3", "leverage 5"):
        assert words in text


@pytest.mark.parametrize(
    ("seconds", "text"), [(60, "1m"), (900, "15m"), (3600, "1h"), (86400, "1d"), (604800, "1w"), (90, "90s")]
)
def test_timeframes_are_named_as_on_charts(seconds: int, text: str):
    assert timeframe(seconds) == text


def test_the_period_and_the_grid_are_said():
    one = {
        "symbol": "X",
        "bars": 5,
        "timeframe_seconds": 3600,
        "first_open": "2025-01-01T00:00:00",
        "last_open": "2025-01-01T04:00:00",
        "tick": 1e-7,
        "tick_source": "given",
        "qty_step": 1.0,
        "qty_step_source": "the grid of the volumes",
    }
    line, note = data_lines({"data": [one], "notes": ["X: 2 bars missing"]})
    assert line == (
        "X: 5 bars of 1h, 2025-01-01 00:00 to 2025-01-01 04:00 UTC,"
        " tick 0.0000001 (given), quantity step 1 (the grid of the volumes)"
    )
    assert note == "X: 2 bars missing"


@pytest.fixture
def open_at_the_end(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> tuple[str, Path]:
    """Console text and output folder of a script that buys on the first bar and keeps it, with funding."""
    (tmp_path / "holding_script.py").write_text(SCRIPT)
    monkeypatch.syspath_prepend(tmp_path)
    rows = [f"2025-01-01T{hour:02d}:00:00Z,100,100,100,100\n" for hour in range(12)]
    (tmp_path / "FUN_1h.csv").write_text("open_time,open,high,low,close\n" + "".join(rows))
    (tmp_path / "funding.csv").write_text("funding_time,funding_rate\n2025-01-01T08:00:00Z,0.001\n")
    words = ["run", "--strategy", "holding_script:Holds", "--data", str(tmp_path / "FUN_1h.csv")]
    words += [
        "--funding",
        f"FUN={tmp_path / 'funding.csv'}",
        "--trades",
        "csv",
        "--out",
        str(tmp_path / "out"),
    ]
    for setting in ("qty=2", "commission_percent=0.1", "slippage_ticks=0"):
        words += ["--broker", setting]
    done = CliRunner().invoke(cli.app, words, catch_exceptions=False)
    assert done.exit_code == 0, done.stderr
    return done.stdout, tmp_path / "out"


def test_a_trade_that_is_open_at_the_end_is_told_with_what_it_has_paid(open_at_the_end: tuple[str, Path]):
    console, out = open_at_the_end
    summary = json.loads((out / "summary.json").read_text("utf-8"))
    assert (summary["commission"], summary["funding"]) == (pytest.approx(0.2), pytest.approx(-0.2))
    assert summary["per_symbol"]["FUN"]["commission"] == pytest.approx(0.2)
    said = "FUN long 2 since 2025-01-01 01:00 UTC at 100.00, last price 100.00, profit -0.40"
    assert f"still open: {said} (commission 0.20, funding -0.20)" in console
    assert "no trades" not in console
    rows = pa_csv.read_csv(out / "open_trades.csv").to_pylist()
    assert [(row["entry_commission"], row["funding"], row["exit_bar"]) for row in rows] == [
        (pytest.approx(0.2), pytest.approx(-0.2), -1)
    ]
    assert pa_csv.read_csv(out / "trades.csv").num_rows == 0
    assert "open at the end" in (out / "report.txt").read_text("utf-8")
    page = (out / "report.html").read_text("utf-8")
    assert "<h2>Open at the end</h2>" in page
    assert '"open at the end"' in page
    assert "still open, profit -0.40" in page


def test_buy_and_hold_and_the_settings_stand_in_console_text_and_page(open_at_the_end: tuple[str, Path]):
    console, out = open_at_the_end
    texts = (console, (out / "report.txt").read_text("utf-8"), (out / "report.html").read_text("utf-8"))
    page = texts[2]
    assert page.index("12 bars of 1h") < page.index("capital 100000") < page.index("Equity and drawdown")
    for text in texts:
        assert "buy and hold" in text
        assert "capital 100000, each entry 2 units, fees 0.1 % a side, slippage 0 ticks" in text
        assert "12 bars of 1h, 2025-01-01 00:00 to 2025-01-01 11:00 UTC" in text


def test_parameters_stand_at_the_top_and_the_legend_tells_its_colours(tmp_path: Path):
    words = ["run", "--strategy", "rsi", "--data", "sample-1h", "--end", "2023-03-01", "--out", str(tmp_path)]
    assert CliRunner().invoke(cli.app, words, catch_exceptions=False).exit_code == 0
    page = (tmp_path / "report.html").read_text("utf-8")
    body = page[page.index("<h1>") :]
    assert (
        body.index("broker: ") < body.index("parameters: signal_mode momentum") < body.index("Plotly.newPlot")
    )
    for words_of_legend in (
        "enters long (green)",
        "enters short (red)",
        "leaves a long (green)",
        "leaves a short (red)",
        "SAMPLEUSDT (light rises, dark falls)",
    ):
        assert f'"name":"{words_of_legend}"' in body
    assert ", zoomed to the last 500 of 1416 bars" in body


def test_lengths_of_drawdowns_say_that_they_are_of_drawdowns():
    assert {"max drawdown, days", "longest drawdown, days"} <= {label for label, _, _ in report_text.ROWS}


def test_the_page_lists_every_broker_setting_with_its_defaults():
    page = (ROOT / "docs" / "backtesting.md").read_text("utf-8")
    rows = {
        row[0]: row[1:3] for row in re.findall(r"^\| `(\w+)` \| ?(.*?) ?\| ?(.*?) ?\|", page, re.MULTILINE)
    }
    case, backtest = BrokerConfig(), BrokerConfig.model_validate(BROKER_DEFAULTS)
    assert set(rows) == set(BrokerConfig.model_fields)
    for name, shown in rows.items():
        for text, config in zip(shown, (backtest, case), strict=True):
            value = getattr(config, name)
            value = value.kind if name == "entry" else value
            said = json.dumps(value).strip('"').removesuffix(".0") if value not in (None, {}, ()) else ""
            if name == "qty" and config is case:
                said = f"{config.sizing.value:g}"
            assert text == said, name


def test_settings_of_single_symbols_and_brackets_are_told_shortly():
    config = BrokerConfig.model_validate(
        {"symbols": {"DOGEUSDT": {"tick": 1e-5}}, "leverage": 5, "brackets": [[0, 0.004, 0]]}
    )
    text = broker_line(config.model_dump())
    assert text.endswith("leverage 5.0, 1 maintenance bracket, own settings for DOGEUSDT")
    assert "entries" not in text
    config = BrokerConfig.model_validate(
        {"risk_percent": 2, "entry": {"kind": "limit", "offset_percent": 0.5, "valid_bars": 3}}
    )
    text = broker_line(config.model_dump())
    assert "each entry risks 2 % of equity" in text
    assert "limit entries 0.5 % from the close, valid 3 bars" in text


def test_the_page_lists_every_number_of_a_result():
    page = (ROOT / "docs" / "backtesting.md").read_text("utf-8")
    section = page.partition("### Numbers of a result")[2].partition("\n## ")[0]
    assert re.findall(r"^\| `(\w+)` \| [^|]+ \|$", section, re.MULTILINE) == list(
        backtest("rsi", "sample-1h").metrics
    )
