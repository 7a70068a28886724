"""Both engines reproduce every trade of the lists, every column: the shipped ones and TradingView's own."""

import os
from pathlib import Path

import pytest

from engine.backtest.parity.cases import prepare, run_case
from engine.backtest.parity.config import read_config
from engine.backtest.runs.engines import engines

ROOT = Path(__file__).resolve().parents[2]
CONFIGS = ROOT / "engine" / "backtest" / "configs"
SHARED = ROOT / os.environ.get("SHARED", "../shared")
SAMPLE = read_config(CONFIGS / "validate_sample.json")


@pytest.fixture(autouse=True)
def at_the_root(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)


@pytest.mark.parametrize("name", [case.name for case in SAMPLE.cases])
def test_lists_of_an_independent_runtime_are_reproduced(name: str):
    case = next(case for case in SAMPLE.cases if case.name == name)
    (prepared,) = prepare(SAMPLE.model_copy(update={"cases": (case,)}), {})
    results = [run_case(prepared, engine, run) for engine, run in engines().items()]
    for result in results:
        assert result.comparison.first_divergence is None, result.engine
        assert result.comparison.parity == 1.0
        assert result.comparison.rounding_cells == 0
    assert len({(r.result.trades, r.result.open_trades) for r in results}) == 1


@pytest.mark.skipif(not (SHARED / "pine_reference").is_dir(), reason="TradingView's lists are not here")
def test_tradingviews_ten_lists_are_reproduced_to_the_last_cell():
    config = read_config(CONFIGS / "validate_pine_parity.json")
    assert len(config.cases) == 10
    for prepared in prepare(config, {}):
        found = [run_case(prepared, name, run) for name, run in engines().items()]
        for result in found:
            told = (prepared.case.name, result.engine)
            assert result.comparison.first_divergence is None, told
            assert set(result.comparison.columns.values()) == {1.0}, told
            assert len(result.comparison.columns) == 17, told
            assert result.comparison.rounding_cells == 0, told
        assert found[0].result.trades == found[1].result.trades
