"""`engine.why` tells the conditions of a bar with their numbers, from data and from what a run recorded."""

from pathlib import Path

import pytest
from typer.testing import CliRunner

from engine.journal.journal import JournalOptions, open_journal
from engine.model.timeframes import SECOND_NS
from engine.why import app
from runtime.settings.environment import HOME_VARIABLE
from tests.support.record_samples import signal

BAR_NS = 1_685_628_000 * SECOND_NS
"""2023-06-01 14:00 UTC."""
TOML = """
[params]
length = 5

[series]
average = "sma(close, length)"

[rules]
enter_long = "close > average and average > average[1]"
exit_long = "close < average"
risk_distance = "atr(bar, 14)"
tag = "up"
plot = ["average"]
"""
BY_HAND = """
import numpy as np
from engine.model.signals import SignalArrays, Signals
from engine.strategies.base import ScriptStrategy, SignalStrategy


class ByHand(SignalStrategy):
    value_names = ("close",)
    warmup_bars = 1

    def on_bar(self, bar):
        return Signals(True, False, False, False, values=(bar.close,))

    def batch(self, bars):
        yes, no = np.ones(len(bars), dtype=bool), np.zeros(len(bars), dtype=bool)
        tags, far = np.zeros(len(bars), dtype=np.int32), np.full(len(bars), np.nan)
        return SignalArrays(yes, no, no, no, tags, ("",), far, bars.close.reshape(1, -1))

    def reset(self):
        pass


class Verbs(ScriptStrategy):
    def on_bar(self, bar, broker):
        pass
"""


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / "strategies").mkdir()
    (tmp_path / "strategies" / "up.toml").write_text(TOML, "utf-8")
    (tmp_path / "by_hand.py").write_text(BY_HAND, "utf-8")
    monkeypatch.setenv(HOME_VARIABLE, str(tmp_path))
    return tmp_path


def why(*words: str) -> tuple[int, list[str]]:
    done = CliRunner().invoke(app, list(words), catch_exceptions=False)
    return done.exit_code, done.output.splitlines()


def refused(*words: str) -> str:
    code, lines = why(*words)
    assert code == 2
    assert len(lines) == 1
    return lines[0]


def test_any_bar_of_the_data_is_told_with_its_numbers(home: Path) -> None:
    code, lines = why("up", "--data", "sample-1h", "--at", "2023-06-01T14:59", "--param", "length=20")
    assert code == 0
    assert lines[0].startswith("up on SAMPLEUSDT 1h, bar of 2023-06-01 14:00:00 UTC, close ")
    assert [line.split()[0] for line in lines[1:]] == [
        "enter_long",
        "exit_long",
        "risk_distance",
        "tag",
        "plotted:",
    ]
    assert any("close " in line and " average " in line for line in lines)
    average = lines[-1].rpartition(" ")[2]
    assert f"average {average}" in lines[2]


def test_a_bar_before_the_warm_up_says_so(home: Path) -> None:
    _, lines = why("up", "--data", "sample-1h", "--at", "2023-01-01")
    assert lines[1].startswith("  not warmed up: bar 1 of the data, and after ")
    assert "  plotted: average na" in lines


def test_what_has_no_conditions_says_so(home: Path) -> None:
    code, lines = why("by_hand.py:ByHand", "--data", "sample-1h")
    assert code == 0
    assert "is written bar by bar, not as series, so its conditions cannot be shown; it said:" in lines[1]
    assert lines[2] == "  enter_long true"
    assert lines[-1].startswith("  plotted: close ")
    assert refused("by_hand.py:Verbs", "--data", "sample-1h") == (
        "by_hand.py:Verbs is a script: it decides by its own code and has no conditions to show"
    )


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (
            ("up", "--data", "sample-1h", "--at", "1999-01-01"),
            "is outside of the data, whose bars are from 2023",
        ),
        (("up", "--data", "sample-1h", "--at", "soon"), "--at: 'soon' is not a time, expected one like"),
        (("upp", "--data", "sample-1h"), "there is no strategy 'upp' (did you mean up?)"),
        (("up", "--data", "sample-1x"), "sample-1x"),
        (("up", "--data", "sample-1h", "--param", "lenght=3"), "parameter lenght is not a known key"),
        (("up", "--data", "sample-1h", "--symbol", "X"), "there are no data of X; given were SAMPLEUSDT"),
        (("--data", "sample-1h"), "name the strategy: why STRATEGY --data FILE --at TIME"),
        (("up", "--env", "dmo"), "there is no environment 'dmo' (did you mean demo?)"),
        (("up", "--at", "2023-01-01"), "there is no journal of demo yet"),
    ],
)
def test_what_cannot_be_told_is_one_sentence(home: Path, words: tuple[str, ...], sentence: str) -> None:
    assert sentence in refused(*words)


def test_a_gap_of_the_data_is_named(home: Path) -> None:
    rows = [f"2023-01-01T0{hour}:00:00Z,1,1,1,1,1" for hour in (0, 1, 5, 6)]
    (home / "X.csv").write_text("time,open,high,low,close,volume\n" + "\n".join(rows), "utf-8")
    assert refused("up", "--data", str(home / "X.csv"), "--at", "2023-01-01T03:00").endswith(
        "is in a gap of the data, between the bars of 2023-01-01 01:00:00 UTC and 2023-01-01 05:00:00 UTC"
    )


def test_a_bar_of_a_run_is_told_from_its_records_and_its_conditions_from_data(home: Path) -> None:
    (home / "configs").mkdir()
    config = (Path(__file__).parents[4] / "configs" / "demo.toml").read_text("utf-8")
    head = config[: config.index("[[strategies]]")]
    own = '[[strategies]]\nname = "up"\nsymbols = ["BTCUSDT"]\ntimeframe = "1h"\nparams = {length = 9}\n'
    (home / "configs" / "demo.toml").write_text(head + own, "utf-8")
    journal, _ = open_journal(
        home / "data" / "demo" / "engine" / "journal",
        account="demo:test",
        now_ns=1,
        new_engine_id=lambda: "abcdef",
        options=JournalOptions(segment_bytes=8_192, reserve_bytes=2_048),
    )
    values = {"values": (1800.5,), "value_names": ("average",), "price": 1812.25}
    journal.append(
        signal(
            strategy="up:s1",
            bar_open_time_ns=BAR_NS,
            timeframe_ns=3600 * SECOND_NS,
            symbol="BTCUSDT",
            **values,
        )
    )
    journal.close(1)
    code, lines = why("up", "--env", "demo", "--at", "2023-06-01T14:30")
    assert code == 0
    assert lines[0].startswith(
        "up:s1 BTCUSDT long at 1,812.25: traded (bought); bar of 2023-06-01 14:00:00 UTC"
    )
    assert lines[1:] == ["  plotted: average 1,800.5"]
    code, lines = why("up", "--env", "demo", "--at", "2023-06-01T15:30")
    assert code == 1
    assert "demo has recorded no signal of up for a bar at 2023-06-01T15:30" in lines[0]
    code, lines = why("up", "--env", "demo", "--at", "2023-06-01T14:30", "--data", "BTCUSDT=sample-1h")
    assert lines[2].startswith("up:s1 on BTCUSDT 1h, bar of 2023-06-01 14:00:00 UTC")
    assert refused("down", "--env", "demo", "--data", "sample-1h").endswith(
        "the configuration of demo has no strategy down; there are up:s1"
    )
