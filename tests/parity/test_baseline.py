"""One backtest is frozen: other trades mean other rules, and that needs a line in CHANGELOG.md."""

import json
from pathlib import Path

import pytest

from engine.backtest.data.market_files import load_market
from engine.backtest.data.samples import DATASETS, dataset
from engine.backtest.report.hashes import data_hash
from engine.backtest.run import run_choice
from engine.backtest.runs.config import build_config

CONFIGS = Path(__file__).resolve().parents[2] / "engine" / "backtest" / "configs"
MARKETS = {
    "sample-1h": "cbd78dc6866af02b",
    "sample-15m": "2772ad90540c0095",
    "sample-5m": "4ebd4caad7f69028",
    "other-1h": "5f4f7b64987d204e",
    "calm-1h": "46a8024dea395968",
}


@pytest.mark.parametrize("engine", ["kernel", "event"])
def test_the_baseline_has_not_moved(engine: str):
    frozen = json.loads((CONFIGS / "baseline_result.json").read_text("utf-8"))
    config = build_config(CONFIGS / "baseline.json", {"engine": engine})
    summary = run_choice(config, config.strategies[0], load_market(config)).summary
    assert {kind: summary["hashes"][kind] for kind in frozen["hashes"]} == frozen["hashes"]
    for name, value in frozen.items():
        if name != "hashes":
            assert summary[name] == pytest.approx(value, rel=1e-9), name


def test_the_sample_markets_are_the_same_bars_on_every_machine():
    assert {name: data_hash([dataset(name)])[:16] for name in DATASETS} == MARKETS
