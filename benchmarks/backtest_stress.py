"""The stress run of `backtest.py` through this project, in a process of its own; the last line is JSON.

Run: `python benchmarks/backtest_stress.py BARS.parquet OUT_FOLDER`.
"""
# ruff: noqa: E402  # the collector is told before the large imports

import json
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from runtime.process import short_run

short_run.begin()

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from engine.backtest.data.columns import column, texts
from engine.backtest.data.loaders import read_bars
from engine.backtest.data.plans import SymbolPlan
from engine.backtest.kernel.cycle import run
from engine.backtest.kernel.encode import make_memory, most_trades_a_time
from engine.backtest.kernel.layout import TEXTS
from engine.backtest.kernel.result import KernelResult
from engine.backtest.kernel.runner import run_kernel
from engine.compiled.functions import cache_is_cold
from engine.model.broker_settings import BrokerSettings, Costs, Market, Sizing
from engine.model.exit_rules import ExitRules, PartialExit
from engine.series import ta
from engine.series.bar import BarSeries
from engine.strategies.graph import Strategy
from engine.strategies.rules import Rules

RULES = ExitRules(
    stop_kind="resting",
    stop_r=1.0,
    take_profit_r=3.0,
    break_even_at_r=1.0,
    partial_exits=(PartialExit(1.0, 0.5),),
    allow_flip=False,
)
SETTINGS = BrokerSettings(
    initial_capital=10_000_000.0,
    sizing=Sizing("fixed", 0.1),
    costs=Costs(taker_percent=0.04, slippage_ticks=2),
    market=Market(tick=0.1, qty_step=0.001),
)


class Stress(Strategy):
    """Buy strength above both averages, sell weakness below them; R is 1.98 average true ranges."""

    def define(self, bar: BarSeries) -> Rules:
        """One of the averages is of 30-minute bars."""
        close, trend, fast = bar.close, ta.ema(bar.on("30m").close, 20), ta.ema(bar.close, 12)
        strength = ta.rsi(close, 14)
        return Rules(
            enter_long=(close > trend) & (close > fast) & (strength > 57.3),
            enter_short=(close < trend) & (close < fast) & (strength < 42.7),
            risk_distance=1.98 * ta.atr(bar, 14),
        )


def write(result: KernelResult, out: Path) -> None:
    """The trade list, and what it came to."""
    rows = result.trade_rows
    columns: dict[str, object] = {}
    for name in rows.dtype.names or ():
        values = np.ascontiguousarray(rows[name])
        if name.endswith("_text"):
            columns[name] = texts(values.astype(np.int8), TEXTS)
        elif name == "symbol":
            columns[name] = texts(values.astype(np.int8), result.symbols)
        else:
            columns[name] = column(values)
    pq.write_table(pa.table(columns), out / "trades.parquet", compression="zstd")
    peak = np.maximum.accumulate(result.equity_values)
    summary = {
        "trades": len(rows),
        "net_profit": float(rows["pnl"].sum()),
        "winners": int((rows["pnl"] > 0).sum()),
        "max_drawdown": float((peak - result.equity_values).max()),
        "final_equity": result.final_equity,
    }
    (out / "summary.json").write_text(json.dumps(summary, indent=1), encoding="utf-8")


def simulation_alone(plan: SymbolPlan) -> float:
    """Nanoseconds a bar of the compiled run by itself, best of fifteen."""
    best = float("inf")
    for _ in range(15):
        memory = make_memory([plan])
        memory.give_room(len(plan.bars))
        began = time.process_time()
        run(memory.account[0], most_trades_a_time([plan]))
        best = min(best, time.process_time() - began)
    return best / len(plan.bars) * 1e9


def main() -> None:
    """From Parquet to written trades."""
    if cache_is_cold():
        print("compiling kernels, once", file=sys.stderr)
    source, out = Path(sys.argv[1]), Path(sys.argv[2])
    out.mkdir(parents=True, exist_ok=True)
    stages = {"import": time.process_time()}
    began = time.perf_counter()
    bars = read_bars(source, "STRESS")
    stages["load"] = time.perf_counter() - began
    began = time.perf_counter()
    signals = Stress().batch(bars)
    stages["signals"] = time.perf_counter() - began
    plan = SymbolPlan(bars, signals, RULES, SETTINGS)
    began = time.perf_counter()
    result = run_kernel([plan])
    stages["simulation"] = time.perf_counter() - began
    began = time.perf_counter()
    write(result, out)
    stages["report"] = time.perf_counter() - began
    told: dict[str, object] = {
        "signals": int((signals.enter_long | signals.enter_short).sum()),
        "trades": len(result.trade_rows),
        "net_profit": float(result.trade_rows["pnl"].sum()),
        "final_equity": result.final_equity,
        "stages": stages,
    }
    if "--alone" in sys.argv:
        told["simulation_ns_a_bar"] = simulation_alone(plan)
    print(json.dumps(told))


if __name__ == "__main__":
    main()
