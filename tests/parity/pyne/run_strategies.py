"""`run_strategies.py BARS.npy JOBS.json OUT.json`: ten_strategies.py for each job's inputs."""

import json
import sys
from pathlib import Path

from chart import SYMBOL, load_bars
from pynecore.core.script_runner import ScriptRunner

bars = load_bars(sys.argv[1])
done = []
for job in json.loads(Path(sys.argv[2]).read_text()):
    runner = ScriptRunner(
        Path(__file__).with_name("ten_strategies.py"),
        iter(bars),
        SYMBOL,
        last_bar_index=len(bars) - 1,
        last_bar_time=bars[-1].timestamp,
        lossless_prices=True,
        lossless_volume=True,
        inputs=job,
    )
    trades = []
    for _, _, closed in runner.run_iter():
        trades += [
            [
                "long" if trade.size > 0 else "short",
                int(trade.entry_bar_index),
                trade.entry_comment,
                int(trade.exit_bar_index),
                trade.exit_comment,
            ]
            for trade in closed
        ]
    done.append(trades)
Path(sys.argv[3]).write_text(json.dumps(done))
