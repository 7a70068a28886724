"""`run_orders.py BARS.npy FINER.npy CASES.json OUT.json`: each case's orders on pynesys-pynecore.

A case has `properties` of `strategy()`, `symbol` (what is different about it), maybe `risk` (rules of
`strategy.risk` and their arguments, stated on each bar) and `orders`: for each bar number a list of verb and
arguments, prices in ticks from that bar's close or "zero". FINER are quarters of an hour; a
case with the bar magnifier on runs on them.
"""

import dataclasses
import json
import sys
import tempfile
from pathlib import Path

from chart import HOUR_MS, SYMBOL, load_bars
from pynecore.core.script_runner import ScriptRunner

SOURCE = '''"""
@pyne
"""
from pynecore.lib import bar_index, close, na, script, strategy

ORDERS = {orders!r}
DIRECTIONS = {{"long": strategy.long, "short": strategy.short}}
OCA = {{"none": strategy.oca.none, "cancel": strategy.oca.cancel, "reduce": strategy.oca.reduce}}


@script.strategy("case", {properties})
def main():
    for rule, given in {risk!r}:
        kinds = {{"percent_of_equity": strategy.percent_of_equity, "cash": strategy.cash, **DIRECTIONS}}
        getattr(strategy.risk, rule)(*(kinds.get(value, value) for value in given))
    for verb, given in ORDERS.get(int(bar_index), []):
        rest = dict(given)
        price = float(close)
        for name in ("limit", "stop", "trail_price"):
            if name in rest:
                rest[name] = 0.0 if rest[name] == "zero" else round(price + rest[name] * 0.01, 2)
        if "direction" in rest:
            rest["direction"] = DIRECTIONS[rest["direction"]]
        if "oca_type" in rest:
            rest["oca_type"] = OCA[rest["oca_type"]]
        if verb == "entry":
            strategy.entry(**rest)
        elif verb == "order":
            strategy.order(**rest)
        elif verb == "exit":
            strategy.exit(**rest)
        elif verb == "close":
            strategy.close(**rest)
        elif verb == "close_all":
            strategy.close_all(**rest)
        elif verb == "cancel":
            strategy.cancel(**rest)
'''


def source(case: dict[str, object]) -> str:
    properties = ", ".join(f"{name}={value}" for name, value in case["properties"].items())
    orders = {int(bar): rows for bar, rows in case["orders"].items()}
    return SOURCE.format(orders=orders, properties=properties, risk=case.get("risk", []))


STATISTICS = ("max_drawdown", "max_drawdown_percent", "max_runup", "max_runup_percent")

bars = load_bars(sys.argv[1])
finer = load_bars(sys.argv[2], HOUR_MS // 4)
done = []
with tempfile.TemporaryDirectory() as folder:
    for number, case in enumerate(json.loads(Path(sys.argv[3]).read_text())):
        path = Path(folder) / f"case_{number}.py"
        path.write_text(source(case))
        is_magnified = case["properties"]["use_bar_magnifier"]
        magnifier = {"magnifier_iter": iter(finer), "magnifier_source_tf": "15"} if is_magnified else {}
        runner = ScriptRunner(
            path,
            iter(bars),
            dataclasses.replace(SYMBOL, **case["symbol"]),
            last_bar_index=len(bars) - 1,
            last_bar_time=bars[-1].timestamp,
            lossless_prices=True,
            lossless_volume=True,
            **magnifier,
        )
        trades = [
            [
                1 if trade.size > 0 else -1,
                abs(trade.size),
                int(trade.entry_bar_index),
                trade.entry_price,
                trade.entry_comment or trade.entry_id,
                int(trade.exit_bar_index),
                trade.exit_price,
                trade.exit_comment or trade.exit_id,
                trade.profit,
            ]
            for _, _, closed in runner.run_iter()
            for trade in closed
        ]
        position = runner.script.position
        done.append({"trades": trades, "statistics": [getattr(position, name) for name in STATISTICS]})
Path(sys.argv[4]).write_text(json.dumps(done))
