"""The ten strategies and the exit plan trade as their Pine script does in an independent runtime.

The lists exported from TradingView pin one variant of each; here every variant is drawn at random: modes,
exits, entry_bar, cooldown, sources, averages, levels.
"""

import json
import subprocess
import sys
from math import floor, nan
from pathlib import Path

import numpy as np
import pytest

from engine.exits.exit_plan import ExitPlan, Planned
from engine.model.bars import Bars
from engine.model.signals import Signals
from engine.strategies.base import SignalStrategy, registry

HERE = Path(__file__).resolve().parent
VARIANTS = 5
N = 700
CASH, QTY_STEP = 100, 0.0001

Row = list[str | int]

LEVELS = {
    "cci": (80.0, -80.0, 10.0),
    "cmo": (30.0, -30.0, -5.0),
    "mom": (2.0, -2.0, 0.3),
    "ppo": (0.4, -0.4, 0.05),
    "roc": (1.0, -1.0, 0.1),
    "rsi": (62.0, 38.0, 48.0),
    "trix": (0.2, -0.2, -0.02),
    "ultosc": (58.0, 42.0, 50.0),
}
RENAMED = {"upper": "upper_level", "lower": "lower_level", "mid": "mid_level"}
OFF = {"stop_loss_percent": 0.0, "take_profit_percent": 0.0, "max_holding_bars": -1}


def _bars() -> np.ndarray:
    random = np.random.default_rng(11)
    close = np.round(100 + np.cumsum(random.normal(size=N)), 2)
    open_ = np.round(np.concatenate([close[:1], close[:-1]]) + 0.05 * random.normal(size=N), 2)
    high = np.round(np.maximum(open_, close) + random.uniform(0, 0.5, N), 2)
    low = np.round(np.minimum(open_, close) - random.uniform(0, 0.5, N), 2)
    return np.column_stack([open_, high, low, close, np.round(random.uniform(1, 9, N), 3)])


def _variant(name: str, random: np.random.Generator) -> dict[str, object]:
    def pick(*options: object) -> object:
        return options[int(random.integers(len(options)))]

    params: dict[str, object] = {
        "signal_mode": pick("momentum", "mean_reversion"),
        "exit_mode": pick("midpoint", "breakout"),
        "stop_loss_percent": pick(None, 1.0, 2.5),
        "take_profit_percent": pick(None, 1.5, 4.0),
        "max_holding_bars": pick(3, 8, 15),
        "max_holding_strict": pick(False, True),
        "cooldown_bars": pick(0, 0, 3),
        "allow_flip": pick(True, True, False),
        "flip_needs_cooldown": pick(False, True),
        "entry_bar": pick("keep", "signal_bar", "fill_bar", "pending"),
    }
    if params["allow_flip"] and params["stop_loss_percent"]:
        params["max_holding_bars"] = None
    if name in LEVELS:
        params |= dict(zip(("upper", "lower", "mid"), LEVELS[name], strict=True))
    if name in ("ppo", "tema"):
        params |= {"fast_length": pick(3, 5), "slow_length": pick(9, 14)}
    elif name == "ultosc":
        params |= {"length1": 3, "length2": 5, "length3": pick(7, 9)}
    else:
        params["length"] = pick(4, 9)
    if name != "ultosc":
        params["source"] = pick("close", "hlc3")
    if name in ("ppo", "bband"):
        params["ma_type"] = pick("sma", "ema", "dema", "tema")
    if name == "bband":
        params |= {"upper_deviation": 1.2, "lower_deviation": 1.4}
    if name == "cmo":
        params["smoothing"] = pick("sum", "wilder")
    return params


def _cases() -> list[tuple[str, dict[str, object]]]:
    random = np.random.default_rng(2)
    return [(name, _variant(name, random)) for name in (*LEVELS, "bband", "tema") for _ in range(VARIANTS)]


CASES = _cases()


@pytest.fixture(scope="module")
def reference(tmp_path_factory: pytest.TempPathFactory) -> list[list[Row]]:
    """Closed trades of every case, from pynecore in a process of its own."""
    folder = tmp_path_factory.mktemp("pyne")
    np.save(folder / "bars.npy", _bars())
    jobs = [
        {"kind": name} | {RENAMED.get(k, k): OFF[k] if v is None else v for k, v in params.items()}
        for name, params in CASES
    ]
    (folder / "jobs.json").write_text(json.dumps(jobs))
    program = HERE / "pyne" / "run_strategies.py"
    command = [sys.executable, program, folder / "bars.npy", folder / "jobs.json", folder / "out.json"]
    subprocess.run(command, check=True, capture_output=True)
    trades: list[list[Row]] = json.loads((folder / "out.json").read_text())
    return trades


class _NextOpen:
    """Fills what the plan says at the next open and keeps the list."""

    def __init__(self) -> None:
        self.size = 0.0
        self.price = nan
        self.entry: Row = []
        self.trades: list[Row] = []

    def fill(self, planned: Planned, bar: int, price: float, qty: float) -> None:
        if planned.close:
            self.trades.append([*self.entry, bar, planned.close])
            self.size, self.price = 0.0, nan
        if planned.enter_direction:
            self.entry = ["long" if planned.enter_direction > 0 else "short", bar, planned.enter_text]
            self.size, self.price = planned.enter_direction * qty, price


def _trades(name: str, params: dict[str, object]) -> list[Row]:
    rows = _bars()
    strategy = registry.get(name).from_params(params)
    assert isinstance(strategy, SignalStrategy)
    arrays = strategy.batch(Bars("TEST", 60, np.arange(N, dtype=np.int64), *rows.T.copy()))
    plan, account, planned = ExitPlan(strategy.exit_rules), _NextOpen(), Planned()
    for bar, (open_, high, low, _, _) in enumerate(rows.tolist()):
        account.fill(planned, bar, open_, floor(CASH / rows[bar - 1, 3] / QTY_STEP) * QTY_STEP)
        flags = (arrays.enter_long, arrays.enter_short, arrays.exit_long, arrays.exit_short)
        signals = Signals(*(bool(flag[bar]) for flag in flags))
        planned = plan.on_bar(bar, high, low, signals, account.size, account.price)
    return account.trades


@pytest.mark.parametrize("index", range(len(CASES)), ids=[name for name, _ in CASES])
def test_closed_trades_are_those_of_the_script(reference: list[list[Row]], index: int):
    name, params = CASES[index]
    trades = _trades(name, params)
    assert len(trades) >= 10, params
    assert trades == reference[index], params
