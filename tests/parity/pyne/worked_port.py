"""
@pyne
"""

# The worked port of docs/porting_from_pine.md, line by line for pynesys-pynecore; run by run_worked_port.py.
from pynecore.lib import bar_index, close, na, script, strategy, ta
from pynecore.types import Persistent


@script.strategy(
    "Crossing with a bracket",
    initial_capital=10000,
    default_qty_type=strategy.fixed,
    default_qty_value=1,
    commission_type=strategy.commission.percent,
    commission_value=0.05,
    margin_long=0,
    margin_short=0,
    pyramiding=1,
    use_bar_magnifier=False,
)
def main() -> None:
    last_cross: Persistent[int] = na(int)
    fast = ta.sma(close, 5)
    slow = ta.sma(close, 15)
    up = ta.crossover(fast, slow)
    down = ta.crossunder(fast, slow)
    if up or down:
        last_cross = bar_index
    if up:
        strategy.entry("L", strategy.long)
    if down:
        strategy.entry("S", strategy.short)
    if strategy.position_size > 0:
        strategy.exit("LX", "L", profit=150, stop=strategy.position_avg_price * 0.99)
    if strategy.position_size < 0:
        strategy.exit("SX", "S", profit=150, stop=strategy.position_avg_price * 1.01)
    if bar_index - last_cross >= 12:
        strategy.close_all()
