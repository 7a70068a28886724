"""`backtest` gives in a notebook what the command line gives, and refuses what it refuses."""

import json
import pickle
import re
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pa_parquet
import pytest

import engine.backtest
from engine.backtest import Result, backtest, read_bars
from engine.backtest.cli import main
from engine.backtest.data.broker_config import config_of
from engine.backtest.data.configuration import ConfigError
from engine.backtest.data.funding import Funding
from engine.backtest.data.loaders import DataError
from engine.backtest.data.market_files import load_market
from engine.backtest.data.price_grid import Grid
from engine.backtest.data.sample_files import write_bars
from engine.backtest.data.samples import dataset
from engine.backtest.emulator.pine_settings import pine_settings
from engine.backtest.runs.config import build_config
from engine.model.bars import Bar, Bars
from engine.model.broker_settings import BrokerSettings, Costs, EntryOrder, Market, Sizing
from engine.model.exit_rules import ExitRules
from engine.model.signals import SignalArrays, Signals
from engine.strategies.base import Broker, ScriptStrategy, SignalStrategy, registry
from tests.support.places import ROOT

HOURS = dataset("sample-1h")
OTHER = dataset("other-1h")
RSI = registry.get("rsi")
BROKER: dict[str, Any] = {"cash": 5000.0, "slippage_ticks": 2}


class Alternates(ScriptStrategy):
    """Turns its position every few bars."""

    name = "alternates"

    def __init__(self, every: int = 10) -> None:
        self.every, self.bars = every, 0

    def on_bar(self, bar: Bar, broker: Broker) -> None:
        self.bars += 1
        if self.bars % self.every == 0:
            broker.entry("E", "long" if self.bars % (2 * self.every) else "short")


def summary_of_command(folder: Path, *words: str) -> dict[str, Any]:
    with pytest.raises(SystemExit) as ended:
        main([*words, "--out", str(folder), "--no-page"])
    assert not ended.value.code
    found: dict[str, Any] = json.loads((folder / "summary.json").read_text("utf-8"))
    del found["files"]
    return found


@pytest.mark.parametrize("engine", ["kernel", "event"])
def test_the_command_line_writes_what_the_function_returns(tmp_path: Path, engine: Any):  # noqa: ANN401
    words = [
        "--strategy",
        "rsi",
        "--data",
        "sample-1h",
        "other-1h",
        "--param",
        "length=10",
        "--exit",
        "stop_kind=resting",
    ]
    broker = ["--broker", "cash=5000", "slippage_ticks=2", "OTHERUSDT.tick=0.5", "--engine", engine]
    told = summary_of_command(tmp_path / "out", *words, *broker)
    result = backtest(
        "rsi",
        [HOURS, OTHER],
        params={"length": 10},
        exits={"stop_kind": "resting"},
        broker=BROKER | {"symbols": {"OTHERUSDT": {"tick": 0.5}}},
        engine=engine,
    )
    assert json.loads(json.dumps(result.summary)) == told
    assert {name: told[name] for name in result.metrics} == result.metrics
    written = pa_parquet.read_table(tmp_path / "out" / "trades.parquet")
    assert written.column("pnl").to_pylist() == [trade.pnl for trade in result.trades]
    equity = pa_parquet.read_table(tmp_path / "out" / "equity.parquet")
    assert equity.column("equity").to_pylist() == result.equity.tolist()
    assert len(result.time_ns) == len(result.equity)
    assert result.settings["OTHERUSDT"].market.tick == 0.5
    assert result.params["length"] == 10


def test_data_from_files_are_the_same_as_in_memory(tmp_path: Path):
    minutes = replace(dataset("sample-5m"), symbol="X").part(0, 4000)
    hour = 3_600_000_000_000
    starts = np.arange(len(minutes) // 12) * 12
    hours = Bars(
        "X",
        hour,
        minutes.open_time_ns[starts],
        minutes.open[starts],
        np.maximum.reduceat(minutes.high[: len(starts) * 12], starts),
        np.minimum.reduceat(minutes.low[: len(starts) * 12], starts),
        minutes.close[starts + 11],
        np.add.reduceat(minutes.volume_base[: len(starts) * 12], starts),
    )
    for bars, name in ((hours, "X_1h.parquet"), (minutes, "X_5m.parquet")):
        write_bars(tmp_path / name, bars)
    paid_ns = hours.open_time_ns[::8]
    rows = "".join(f"{time_ns // 10**6},0.01\n" for time_ns in paid_ns.tolist())
    (tmp_path / "funding.csv").write_text(f"funding_time,funding_rate\n{rows}", "utf-8")
    files = {"data": [str(tmp_path / "X_1h.parquet")], "finer": {"X": str(tmp_path / "X_5m.parquet")}}
    raw = files | {"strategies": [{"strategy": "rsi"}], "funding": {"X": str(tmp_path / "funding.csv")}}
    config = build_config(None, raw)
    from_files = backtest("rsi", load_market(config), exits={"stop_kind": "resting"}, broker=config.broker)
    funding = Funding(paid_ns, np.full(len(paid_ns), 0.01))
    in_memory = backtest(
        "rsi",
        read_bars(tmp_path / "X_1h.parquet"),
        exits={"stop_kind": "resting"},
        finer=minutes,
        funding=funding,
    )
    assert in_memory.trades == from_files.trades
    assert in_memory.summary == from_files.summary
    assert in_memory.metrics["funding"] != 0.0
    assert in_memory.trades != backtest("rsi", hours, exits={"stop_kind": "resting"}).trades


def test_both_engines_and_every_form_of_a_strategy_give_the_same_trades():
    by_name = backtest("rsi", HOURS, params={"length": 9})
    made = RSI.from_params({"length": 9})
    for other in (
        backtest("rsi", HOURS, params={"length": 9}, engine="event"),
        backtest(RSI, HOURS, params={"length": 9}),
        backtest(made, HOURS),
        backtest(made, [HOURS]),
    ):
        assert other.trades == by_name.trades
        assert other.open_trades == by_name.open_trades
        assert other.equity.tolist() == by_name.equity.tolist()
        assert other.params == by_name.params
        assert other.metrics == by_name.metrics
    assert by_name.trades


def test_exit_rules_are_replaced_all_or_some():
    some = backtest("rsi", HOURS, exits={"stop_loss_percent": 1.0})
    whole = backtest("rsi", HOURS, exits=replace(RSI.from_params({}).exit_rules, stop_loss_percent=1.0))
    assert some.exit_rules == whole.exit_rules
    assert some.trades == whole.trades
    assert some.trades != backtest("rsi", HOURS).trades
    assert backtest("rsi", HOURS, exits=ExitRules()).exit_rules == ExitRules()


def test_a_script_runs_in_the_emulator_with_one_object_a_symbol():
    alone = backtest(Alternates(), HOURS, broker=BROKER)
    assert (alone.engine, alone.exit_rules, alone.title) == ("event", None, "Alternates")
    assert alone.trades == backtest(Alternates, HOURS, broker=BROKER, params={"every": 10}).trades
    both = backtest(Alternates, [HOURS, OTHER], broker=BROKER)
    assert [trade for trade in both.trades if trade.symbol == HOURS.symbol] == list(alone.trades)
    assert {trade.symbol for trade in both.trades} == {HOURS.symbol, OTHER.symbol}


class Dips(SignalStrategy):
    """Wants to buy on every 50th bar, with a risk distance and a tag there and nowhere else."""

    name = "dips"

    @property
    def warmup_bars(self) -> int:
        return 0

    @property
    def exit_rules(self) -> ExitRules:
        return ExitRules(max_holding_bars=5)

    def on_bar(self, bar: Bar) -> Signals:
        raise NotImplementedError

    def reset(self) -> None: ...

    def batch(self, bars: Bars) -> SignalArrays:
        n = len(bars)
        enter, never = np.arange(n) % 50 == 0, np.zeros(n, np.bool_)
        risk = np.where(enter, bars.close / 100.0, np.nan)
        return SignalArrays(
            enter, never, never, never, enter.astype(np.int32), ("", "dip"), risk, np.zeros((0, n))
        )


def test_entries_that_rest_keep_the_risk_and_the_tag_of_their_signal():
    entry = {"kind": "limit", "offset_percent": 0.3, "valid_bars": 20}
    result = backtest(Dips, HOURS, broker={"risk_percent": 1.0, "entry": entry})
    assert any(trade.entry_bar % 50 != 1 for trade in result.trades)
    assert set(result.summary["per_tag"]) == {"dip"}
    losses = [trade.pnl / (trade.qty * trade.entry_price) for trade in result.trades]
    in_r = np.mean(losses) * 100.0
    assert result.metrics["expectancy_r"] == pytest.approx(in_r, rel=0.01)
    event = backtest(Dips, HOURS, broker={"risk_percent": 1.0, "entry": entry}, engine="event")
    assert event.trades == result.trades


def test_an_instrument_gives_the_grid():
    grid = Grid(0.5, 0.25, "its instrument", "its instrument")
    market = backtest("rsi", HOURS, instruments={HOURS.symbol: grid}).settings[HOURS.symbol].market
    assert (market.tick, market.qty_step) == (0.5, 0.25)


@pytest.mark.parametrize(
    "settings",
    [
        BrokerSettings(),
        pine_settings(
            initial_capital=500, pyramiding=2, commission_type="cash_per_order", commission_value=1
        ),
        BrokerSettings(
            initial_capital=2000.0,
            sizing=Sizing("risk_percent", 2.0),
            costs=Costs(0.1, 0.02, 0.5, 0.25, 3, 4.0),
            market=Market(0.5, 0.25, 2.0, 1.0, 5.0, 3.0, ((0.0, 0.004, 0.0), (1000.0, 0.005, 1.0))),
            timing="bar_close",
            entry=EntryOrder("stop_limit", 0.1, 0.2, 4),
            pyramiding=3,
            close_rule="ANY",
            margin_long_percent=50.0,
            margin_short_percent=60.0,
            calc_on_order_fills=True,
            backtest_fill_limits_assumption_ticks=2,
        ),
        BrokerSettings(sizing=Sizing("cash", 7.0)),
    ],
)
def test_settings_of_the_engines_are_taken_as_they_are(settings: BrokerSettings):
    assert config_of(settings).settings() == settings


def test_a_result_can_be_sent_between_processes():
    result = backtest("rsi", HOURS)
    again: Result = pickle.loads(pickle.dumps(result.for_a_report()))
    assert (again.trades, again.summary) == (result.trades, result.summary)


@pytest.mark.parametrize(
    ("given", "says"),
    [
        ({"strategy": "nothing"}, "no strategy 'nothing'"),
        ({"params": {"length": -1}}, "parameter length is -1"),
        ({"strategy": RSI.from_params({}), "params": {"length": 3}}, "params go with a strategy's name"),
        ({"exits": {"stop": 1}}, "exits.stop: no such rule"),
        ({"strategy": Alternates, "exits": {"cooldown_bars": 1}}, "takes no exit rules"),
        ({"strategy": Alternates(), "bars": [HOURS, OTHER]}, "a script's object trades one symbol"),
        ({"strategy": Alternates, "broker": {"entry": {"kind": "limit"}}}, "takes no broker.entry"),
        ({"broker": BrokerSettings(timing="intrabar")}, 'broker: timing "intrabar" is exit rule'),
        ({"broker": BrokerSettings(initial_capital=-1.0)}, "broker: initial_capital is -1"),
        ({"broker": {"comission_percent": 1}}, "broker: comission_percent is not a known key"),
        ({"broker": {"cash": 1, "qty": 1}}, "give only one of cash, percent_of_equity, risk_percent and qty"),
        ({"broker": {"symbols": {"ETHUSDT": {"tick": 0.1}}}}, "broker.symbols.ETHUSDT: no data"),
        ({"bars": []}, "no bars, expected those of at least one symbol"),
        ({"bars": [HOURS, HOURS]}, "bars of SAMPLEUSDT are given twice"),
        ({"bars": HOURS.part(0, 1)}, "bars of SAMPLEUSDT: 1 bar, expected at least two"),
        ({"bars": replace(HOURS, low=HOURS.high + 1)}, "bars of SAMPLEUSDT, row 1: high"),
        ({"bars": replace(HOURS, close=HOURS.close[:-1])}, "close is not an array of"),
        (
            {"bars": replace(HOURS, open_time_ns=HOURS.open_time_ns[::-1].copy())},
            "opens before the row above",
        ),
        ({"finer": {"ETHUSDT": HOURS}}, "finer.ETHUSDT: no data for that symbol"),
        (
            {"finer": OTHER, "bars": [HOURS, OTHER]},
            "finer: expected a mapping by symbol, there are 2 symbols",
        ),
        ({"finer": HOURS}, "finer.SAMPLEUSDT: finer bars of SAMPLEUSDT are 1h long"),
        ({"name": "a/b"}, "'a/b' cannot be the name of a folder"),
    ],
)
def test_a_mistake_is_one_sentence(given: dict[str, Any], says: str):
    with pytest.raises((ConfigError, DataError)) as refused:
        backtest(**{"strategy": "rsi", "bars": HOURS} | given)
    assert says in str(refused.value)
    assert "\n" not in str(refused.value)


def test_public_names_come_when_they_are_used():
    assert all(getattr(engine.backtest, name) is not None for name in engine.backtest.__all__)
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        _ = engine.backtest.nothing  # type: ignore[attr-defined]
    words = "import sys, engine.backtest.data.price_grid as _; print('pydantic' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", words], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"


def test_the_examples_of_the_page_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    page = (ROOT / "docs" / "backtesting.md").read_text("utf-8")
    for_people, example, with_a_frame = re.findall(r"```python\n(.*?)```", page, re.DOTALL)
    exec(with_a_frame, {})
    monkeypatch.chdir(tmp_path)
    write_bars(tmp_path / "ETHUSDT_1h.parquet", HOURS)
    exec(for_people, {})  # as a reader does
    assert (tmp_path / "report.html").is_file()
    exec(example, {})
    assert len(capsys.readouterr().out.splitlines()) == 7
