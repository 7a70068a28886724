"""`run_worked_port.py BARS.npy OUT.json`: the trades of worked_port.py."""

import json
import shutil
import sys
from pathlib import Path

from chart import SYMBOL, load_bars
from pynecore.core.script_runner import ScriptRunner

bars = load_bars(sys.argv[1])
beside_output = Path(sys.argv[2]).with_name("worked_port.py")
shutil.copy(Path(__file__).with_name("worked_port.py"), beside_output)  # it writes a file next to a script
runner = ScriptRunner(
    beside_output,
    iter(bars),
    SYMBOL,
    last_bar_index=len(bars) - 1,
    last_bar_time=bars[-1].timestamp,
    lossless_prices=True,
    lossless_volume=True,
)
trades = [
    [
        1 if trade.size > 0 else -1,
        abs(trade.size),
        int(trade.entry_bar_index),
        trade.entry_price,
        trade.entry_id,
        int(trade.exit_bar_index),
        trade.exit_price,
        trade.exit_comment or trade.exit_id,
        trade.profit,
    ]
    for _, _, closed in runner.run_iter()
    for trade in closed
]
Path(sys.argv[2]).write_text(json.dumps(trades))
