"""Runs signal strategies through the kernel: plans in, trades as records out."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from engine.backtest.kernel.cycle import run
from engine.backtest.kernel.encode import make_desk, make_tape, most_trades_a_time
from engine.backtest.kernel.layout import TRADE, Desk
from engine.backtest.kernel.lots import write_open_lots
from engine.backtest.kernel.result import KernelResult
from engine.backtest.plans import SymbolPlan


def run_kernel(plans: Sequence[SymbolPlan]) -> KernelResult:
    """Backtest the plans together; the first one's settings give the initial capital."""
    tape, desk, most = make_tape(plans), make_desk(plans), most_trades_a_time(plans)
    while not run(tape, desk, most):
        more = np.empty(2 * len(desk.trades), TRADE)
        more[: len(desk.trades)] = desk.trades
        desk = desk._replace(trades=more)
    account = desk.account[0]
    return KernelResult(
        tuple(plan.bars.symbol for plan in plans),
        desk.trades[: account["trades"]],
        _open_trades(plans, desk),
        desk.equity[: account["times"]],
        plans[0].settings.initial_capital,
        int(account["margin_rejects"]),
    )


def _open_trades(plans: Sequence[SymbolPlan], desk: Desk) -> NDArray[np.void]:
    rows = []
    for k, plan in enumerate(plans):
        s = desk.symbols[k]
        trades = np.empty(int(s["lots"]), TRADE)
        if len(trades):
            write_open_lots(desk, k, s, int(plan.bars.open_time_ns[-1]), trades)
        rows.append(trades)
    return np.concatenate(rows)
