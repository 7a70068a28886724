"""The worked port of docs/porting_from_pine.md trades as its Pine script does in an independent runtime."""

import json
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from engine.backtest import backtest
from engine.model.bars import Bars

HERE = Path(__file__).resolve().parent
PAGE = HERE.parents[1] / "docs" / "porting_from_pine.md"
N = 1500
HOUR_NS = 3_600_000_000_000


def _market() -> np.ndarray:
    random = np.random.default_rng(3)
    close = np.round(100 + np.cumsum(0.4 * random.normal(size=N)), 2)
    open_ = np.round(np.concatenate([close[:1], close[:-1]]) + 0.1 * random.normal(size=N), 2)
    high = np.round(np.maximum(open_, close) + random.exponential(0.3, N), 2)
    low = np.round(np.minimum(open_, close) - random.exponential(0.3, N), 2)
    return np.column_stack([open_, high, low, close, np.ones(N)])


def test_the_block_on_the_page_trades_as_the_pine_script(tmp_path: Path) -> None:
    rows = _market()
    np.save(tmp_path / "bars.npy", rows)
    program = HERE / "pyne" / "run_worked_port.py"
    command = [sys.executable, program, tmp_path / "bars.npy", tmp_path / "out.json"]
    subprocess.run(command, check=True, capture_output=True)
    (block,) = re.findall(r"```python\n(.*?)```", PAGE.read_text("utf-8"), re.DOTALL)
    page: dict[str, object] = {"__name__": "porting_page"}
    exec(block, page)
    bars = Bars("TEST", HOUR_NS, np.arange(N, dtype=np.int64) * HOUR_NS, *rows.T)
    result = backtest(page["CrossingWithBracket"], bars, broker=page["SETTINGS"])
    ours = [
        (
            *(trade.direction, trade.qty, trade.entry_bar, round(trade.entry_price, 2), trade.entry_signal),
            *(trade.exit_bar, round(trade.exit_price, 2), trade.exit_signal),
        )
        for trade in result.trades
    ]
    theirs = json.loads((tmp_path / "out.json").read_text())
    assert len(ours) > 50
    assert [(*row[:3], round(row[3], 2), *row[4:6], round(row[6], 2), row[7]) for row in theirs] == ours
    profits = [trade.pnl for trade in result.trades]
    assert profits == pytest.approx([row[8] for row in theirs], abs=1e-7)
