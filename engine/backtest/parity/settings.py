"""With which data and broker settings a case was run, in words."""

from engine.backtest.data.price_grid import settled
from engine.backtest.parity.cases import CaseResult
from engine.backtest.report.settings import broker_line, data_lines, describe_bars


def case_lines(result: CaseResult) -> list[str]:
    """The inputs of a case in words: bars, period, grid, notes on the data, and broker settings."""
    bars, broker = result.plan.bars, result.case.broker.model_dump()
    market = settled(result.plan.settings, bars).market
    data = {**describe_bars(bars), "tick": market.tick, "qty_step": market.qty_step}
    lines = [*data_lines({"data": [data], "notes": result.prepared.notes}), broker_line(broker)]
    return [f"{result.case.name}: {lines[0]}", *(f"  {line}" for line in lines[1:])]
