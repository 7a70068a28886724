"""Runs signal strategies through the kernel: plans in, trades as records out."""

from collections.abc import Sequence

from engine.backtest.data.plans import SymbolPlan
from engine.backtest.kernel.cycle import run
from engine.backtest.kernel.encode import make_memory, most_trades_a_time
from engine.backtest.kernel.layout import Account, Symbol
from engine.backtest.kernel.lots import list_open_lots
from engine.backtest.kernel.result import KernelResult


def run_kernel(plans: Sequence[SymbolPlan]) -> KernelResult:
    """Backtest the plans together; the first one's settings give the initial capital."""
    memory, most = make_memory(plans), most_trades_a_time(plans)
    account: Account = memory.account[0]
    while not run(account, most):
        memory.give_room(2 * len(memory.trades))
    closed = int(account.trades)
    memory.give_room(closed + sum(max(1, plan.settings.pyramiding) for plan in plans))
    for k, plan in enumerate(plans):
        s: Symbol = memory.symbols[k]
        if s.lots:
            list_open_lots(s, int(plan.bars.open_time_ns[-1]))
    return KernelResult(
        tuple(plan.bars.symbol for plan in plans),
        memory.trades[:closed],
        memory.trades[closed : int(account.trades)],
        memory.equity[: int(account.times)],
        plans[0].settings.initial_capital,
        int(account.margin_rejects),
    )
