"""Make the trade lists of `validate_sample.json`: python research/datasets/make_lists.py

The ten strategies run on the sample market in pynesys-pynecore, an independent Pine runtime, and its trades
are written as TradingView exports them. Needs the test dependencies. Nothing of the engines takes part:
times, prices, quantities, texts and profits are the runtime's. Excursions are worked out from the bars here,
because the runtime leaves out the exit price, which after a gap is beyond all that was before.
"""

import csv
import gzip
import io
import json
import shutil
import sys
import tempfile
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime, timedelta, timezone
from decimal import ROUND_HALF_UP, Decimal
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
SCRIPT = ROOT / "tests" / "parity" / "pyne" / "ten_strategies.py"
LISTS = Path(__file__).resolve().parent / "lists"
CONFIG = ROOT / "engine" / "backtest" / "configs" / "validate_sample.json"
sys.path[:0] = [str(ROOT), str(SCRIPT.parent)]

from chart import SYMBOL  # noqa: E402  # found through the line above
from pynecore.core.script_runner import ScriptRunner  # noqa: E402
from pynecore.types.ohlcv import OHLCV  # noqa: E402

from engine.backtest.data.samples import dataset  # noqa: E402
from engine.backtest.parity.tv_export import printed_money, printed_percent  # noqa: E402
from engine.model.bars import Bars  # noqa: E402

_RENAMED = {"upper": "upper_level", "lower": "lower_level", "mid": "mid_level"}
_OFF = {"stop_loss_percent": 0.0, "take_profit_percent": 0.0, "max_holding_bars": -1}
_NEW = (
    *("Trade #", "Type", "Date and time", "Signal", "Price USDT", "Position size (qty)"),
    *("Position size (value)", "Net P&L USDT", "Net P&L %", "Favorable excursion USDT"),
    *("Favorable excursion %", "Adverse excursion USDT", "Adverse excursion %"),
    *("Cumulative P&L USDT", "Cumulative P&L %"),
)
_OLD = (
    *("Trade #", "Type", "Date/Time", "Signal", "Price USDT", "Position size (qty)"),
    *("Position size (value)", "Net P&L USDT", "Net P&L %", "Run-up USDT", "Run-up %"),
    *("Drawdown USDT", "Drawdown %", "Cumulative P&L USDT", "Cumulative P&L %"),
)


def main() -> None:
    """Run every case of the configuration and write its list."""
    LISTS.mkdir(exist_ok=True)
    config = json.loads(CONFIG.read_text("utf-8"))
    bars = dataset(config["bars"])
    for case in config["cases"]:
        path = ROOT / case["reference"]
        rows = list(_rows(case, bars, _trades(case, bars)))
        _write(path, rows)
        sys.stdout.write(f"{path.name}: {len(rows) // 2} trades\n")


def _seen(case: dict[str, Any], bars: Bars) -> list[OHLCV]:
    """The bars from `history_start` on, which is all the script sees."""
    start = datetime.fromisoformat(case["history_start"]).timestamp() * 1000
    columns = (bars.open, bars.high, bars.low, bars.close, bars.volume_base)
    times = (bars.open_time_ns // 1_000_000).tolist()
    rows = zip(times, *(column.tolist() for column in columns), strict=True)
    return [OHLCV(*row) for row in rows if row[0] >= start]


def _trades(case: dict[str, Any], bars: Bars) -> list[Any]:
    """Closed trades, then the one still open if there is one."""
    broker = case["broker"]
    inputs = {_RENAMED.get(k, k): _OFF[k] if v is None else v for k, v in case["params"].items()}
    seen = _seen(case, bars)
    with tempfile.TemporaryDirectory() as folder:
        script = Path(folder) / SCRIPT.name
        shutil.copy(SCRIPT, script)
        script.with_suffix(".toml").write_text(
            "[script]\n"
            f"process_orders_on_close = {str(broker['process_orders_on_close']).lower()}\n"
            f"commission_value = {broker['commission_percent']}\n"
            f"default_qty_value = {broker['cash']}\n"
            f"initial_capital = {broker['initial_capital']}\n"
        )
        runner = ScriptRunner(
            script,
            iter(seen),
            SYMBOL,
            last_bar_index=len(seen) - 1,
            last_bar_time=seen[-1].timestamp,
            lossless_prices=True,
            lossless_volume=True,
            inputs={"kind": case["strategy"], **inputs},
        )
        closed = [trade for _, _, trades in runner.run_iter() for trade in trades]
        return closed + list(runner.script.position.open_trades)


def _rows(case: dict[str, Any], bars: Bars, trades: Iterable[Any]) -> Iterable[list[str]]:
    """Two rows a trade: the exit, then the entry."""
    broker = case["broker"]
    zone = timezone(timedelta(hours=case["utc_offset_hours"]))
    start = _first_bar(case, bars)
    total = 0.0
    for number, trade in enumerate(trades, 1):
        is_open = trade.exit_bar_index < 0
        qty, side = abs(trade.size), "long" if trade.size > 0 else "short"
        value = qty * trade.entry_price
        base = value * (1 + broker["commission_percent"] / 100)
        total += trade.profit
        excursions = _excursions(case, bars, trade)
        money = [
            str(Decimal(repr(value)).quantize(Decimal("1e-6"), ROUND_HALF_UP).normalize()),
            *_pair(trade.profit, trade.profit / base * 100),
            *(text for amount in excursions for text in _pair(amount, amount / base * 100)),
            *_pair(total, total / broker["initial_capital"] * 100),
        ]

        def row(what: str, bar: int, signal: str, price: float, tail: Sequence[str] = ()) -> list[str]:
            when = datetime.fromtimestamp(bars.open_time_ns[start + bar] // 10**9, UTC).astimezone(zone)
            return [what, when.strftime("%Y-%m-%d %H:%M"), signal, f"{price:.10g}", *tail]

        tail = [f"{qty:.10g}", *money]
        last = len(bars) - 1 - start
        if is_open:
            left = row(f"Exit {side}", last, "Open", float(bars.close[-1]), tail)
        else:
            left = row(f"Exit {side}", trade.exit_bar_index, trade.exit_comment, trade.exit_price, tail)
        entry = row(f"Entry {side}", trade.entry_bar_index, trade.entry_comment, trade.entry_price, tail)
        yield [str(number), *left]
        yield [str(number), *entry]


def _excursions(case: dict[str, Any], bars: Bars, trade: Any) -> tuple[float, float]:  # noqa: ANN401  # the runtime's
    """Favourable and adverse: the best and worst of all prices lived through, both fills among them.

    The commission of the entry is taken off.
    """
    late = 1 if case["broker"]["process_orders_on_close"] else 0
    start = _first_bar(case, bars)
    is_open = trade.exit_bar_index < 0
    lived = slice(
        start + trade.entry_bar_index + late, None if is_open else start + trade.exit_bar_index + late
    )
    last = float(bars.close[-1]) if is_open else trade.exit_price
    ends = [trade.entry_price, last]
    highs, lows = bars.high[lived].tolist() + ends, bars.low[lived].tolist() + ends
    best, worst = (max(highs), min(lows)) if trade.size > 0 else (min(lows), max(highs))
    commission = abs(trade.size) * trade.entry_price * case["broker"]["commission_percent"] / 100
    return (
        max(0.0, trade.size * (best - trade.entry_price) - commission),
        min(0.0, trade.size * (worst - trade.entry_price) - commission),
    )


def _first_bar(case: dict[str, Any], bars: Bars) -> int:
    start = int(datetime.fromisoformat(case["history_start"]).timestamp()) * 10**9
    return int((bars.open_time_ns < start).sum())


def _pair(amount: float, percent: float) -> tuple[str, str]:
    return f"{printed_money(amount).normalize():f}", f"{printed_percent(percent):f}"


def _write(path: Path, rows: list[list[str]]) -> None:
    """New layout with the exit first; a name with `_old` gets the old one, `.gz` is packed."""
    old = "_old" in path.name
    if old:
        rows = [row for pair in zip(rows[1::2], rows[::2], strict=True) for row in pair]
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(_OLD if old else _NEW)
    writer.writerows(rows)
    data = (("" if old else "\ufeff") + text.getvalue().rstrip("\n")).encode()
    path.write_bytes(gzip.compress(data, mtime=0) if path.suffix == ".gz" else data)


if __name__ == "__main__":
    main()
