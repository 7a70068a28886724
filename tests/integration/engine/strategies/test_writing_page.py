"""The strategies of docs/writing_strategies.md, as files of the package: backtested and in the live core."""

import json
import re
import sys
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path

import numba
import numpy as np
import pyarrow.parquet as pa_parquet
import pytest
from typer.testing import CliRunner

from engine.backtest import cli
from engine.core.engine import Engine
from engine.execution.scripts.verbs import LIVE_VERBS
from engine.model.bars import Bar, Bars
from engine.strategies import library
from engine.strategies.base import SignalStrategy, registry
from engine.strategies.slot import build_strategy
from gateways.wire import messages as wire
from runtime.settings.load import parse_settings
from tests.support.engine_rig import Rig, config, spec
from tests.support.places import ROOT

PAGE = (ROOT / "docs" / "writing_strategies.md").read_text("utf-8")
BLOCKS = re.findall(r"`engine/strategies/library/(\w+)\.py`:\n\n```python\n(.*?)```", PAGE, re.DOTALL)
ZERO = Decimal(0)


@pytest.fixture(autouse=True)
def package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """The page's files are found as if they lay in engine/strategies/library; nothing of them stays."""
    for name, text in BLOCKS:
        (tmp_path / f"{name}.py").write_text(text, "utf-8")
    monkeypatch.setattr(library, "__path__", [*library.__path__, str(tmp_path)])
    monkeypatch.setattr(numba.config, "CACHE_DIR", str(tmp_path / "numba"))
    monkeypatch.setattr(registry, "_by_name", dict(registry._by_name))
    yield
    for name, _ in BLOCKS:
        sys.modules.pop(f"engine.strategies.library.{name}", None)


def backtest(out: Path, *words: str) -> dict[str, object]:
    done = CliRunner().invoke(
        cli.app,
        list(
            cli.each_with_its_option(["run", *words, "--data", "sample-1h", "--no-page", "--out", str(out)])
        ),
    )
    assert done.exit_code == 0, done.output
    summary: dict[str, object] = json.loads((out / "summary.json").read_text("utf-8"))
    return summary


def test_the_page_has_one_strategy_of_each_kind() -> None:
    assert [name for name, _ in BLOCKS] == ["breakaway", "two_averages"]


def test_the_signals_run_in_the_backtester_by_name_with_their_parameters(tmp_path: Path) -> None:
    summary = backtest(tmp_path / "out", "--strategy", "breakaway", "--param", "length=40")
    assert summary["params"] == {"length": 40, "band_percent": 1.0, "stop_loss_percent": 5.0}
    assert summary["trades"] > 50


def test_an_exit_flag_beats_the_flip_of_the_same_bar_as_the_page_says(tmp_path: Path) -> None:
    def exits(*words: str) -> set[str]:
        out = tmp_path / str(len(words))
        backtest(out, "--strategy", "breakaway", "--param", "length=3", "band_percent=0.05", *words)
        return set(pa_parquet.read_table(out / "trades.parquet")["exit_signal"].to_pylist())

    assert "Mid Exit" in exits()
    assert not any("Flip" in text for text in exits())
    assert any("Flip" in text for text in exits("--exit", "signal_exits=false"))


def test_the_step_says_the_same_bar_by_bar_and_over_a_history() -> None:
    closes = 100 + np.cumsum(np.random.default_rng(1).normal(size=400))
    times = np.arange(400, dtype=np.int64)
    strategy = registry.get("breakaway").from_params({"length": 10})
    assert isinstance(strategy, SignalStrategy)
    batch = strategy.batch(Bars("T", 1, times, closes, closes, closes, closes, np.ones(400)))
    both = 0
    for i, close in enumerate(closes.tolist()):
        said = strategy.on_bar(Bar("T", 1, i, close, close, close, close, 1.0))
        flags = (said.enter_long, said.enter_short, said.exit_long, said.exit_short)
        assert flags == (
            *(batch.enter_long[i], batch.enter_short[i]),
            *(batch.exit_long[i], batch.exit_short[i]),
        )
        both += said.enter_short and said.exit_long
    assert both > 20


def test_the_script_runs_in_the_backtester_by_name_with_its_parameters(tmp_path: Path) -> None:
    summary = backtest(tmp_path / "out", "--strategy", "two_averages", "--param", "slow=30")
    assert (summary["engine"], summary["params"]) == ("event", {"slow": 30})
    assert summary["trades"] > 50


def test_the_script_enters_protects_and_leaves_in_the_live_core() -> None:
    rig = Rig(Engine(config(spec("two_averages", params={"fast": 1, "slow": 3})))).up()
    rig.prices(100, 100, 100, 100, 101, 101.1, 101.2)
    assert rig.exchange.position > ZERO
    orders = [(one.order_type, one.side, one.reduce_only) for one in rig.sent(wire.SubmitOrder)]
    assert orders == [("MARKET", "BUY", False), ("STOP_MARKET", "SELL", True)]
    rig.prices(100.6, 100.5, 100.4, start=7)
    assert rig.exchange.position == ZERO


def test_the_signals_trade_in_the_live_core() -> None:
    params = {"length": 2, "band_percent": 0.1, "stop_loss_percent": 50.0}
    rig = Rig(Engine(config(spec("breakaway", params=params)))).up()
    rig.prices(*[100.0] * 40, 102, 104, 106)
    assert rig.exchange.position > ZERO


def test_the_block_for_the_demo_is_a_configuration_the_engine_takes(tmp_path: Path) -> None:
    [block] = re.findall(r"```toml\n(.*?)```", PAGE, re.DOTALL)
    demo, _, rest = (ROOT / "configs" / "demo.toml").read_text("utf-8").partition("[[strategies]]")
    assert "[[strategies]]" not in rest
    (tmp_path / "demo.toml").write_text(demo + block, "utf-8")
    [chosen] = parse_settings(tmp_path / "demo.toml", "demo").strategies
    built = build_strategy(spec(chosen.name, params=dict(chosen.params), timeframe=chosen.timeframe))
    assert built.name == "breakaway"
    assert isinstance(built, SignalStrategy)
    assert f"after its {built.warmup_bars} bars of warm-up" in PAGE


def test_the_page_lists_what_the_live_engine_can_place() -> None:
    [sentence] = re.findall(r"`engine/execution/scripts/verbs.py`: (.*?)\. Any other word", PAGE, re.DOTALL)
    assert set(re.findall(r"`([\w.]+)`", sentence)) == LIVE_VERBS
