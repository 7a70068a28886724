"""A real process that writes the simulator's state is killed with SIGKILL, many times over."""

import os
import signal
import subprocess
import sys
from decimal import Decimal
from pathlib import Path

import pytest

from gateways.simulator.exchange import account_queries
from gateways.simulator.exchange.exchange import Exchange
from gateways.simulator.exchange.model.symbols import default_symbols
from gateways.simulator.store.persistence import Persistence
from tests.support.listeners import NullListener

ROOT = Path(__file__).parents[2]
WRITER = Path(__file__).with_name("simulator_core_writer.py")


def lines_until_killed(folder: Path, count: int) -> list[list[str]]:
    """Run the writer, kill it after `count` lines, and return all whole lines it had printed."""
    process = subprocess.Popen(
        [sys.executable, str(WRITER), str(folder)],
        stdout=subprocess.PIPE,
        env=os.environ | {"PYTHONPATH": str(ROOT)},
        cwd=ROOT,
    )
    assert process.stdout is not None
    with process:
        lines = [process.stdout.readline() for _ in range(count)]
        process.send_signal(signal.SIGKILL)
        lines.extend(process.stdout.readlines())
    assert process.returncode == -signal.SIGKILL
    return [line.decode().split() for line in lines if line.endswith(b"\n")]


def reopened(folder: Path) -> Exchange:
    exchange = Exchange(default_symbols(), NullListener())
    store = Persistence(folder, exchange)
    assert store.restore()
    store.abandon()
    return exchange


@pytest.mark.skipif(os.name != "posix", reason="SIGKILL is POSIX's; elsewhere the cut tests stand alone")
def test_what_was_answered_before_each_kill_is_there_after_it(tmp_path: Path):
    trades: list[int] = []
    orders: list[int] = []
    for kill in range(6):
        lines = lines_until_killed(tmp_path, 150 + 97 * kill)
        exchange = reopened(tmp_path)
        user = exchange.state.user("main")
        known = {order.client_order_id: order for order in user.orders.values()}
        cancelled = {int(line[1]) for line in lines if line[0] == "cancel"}
        for line in lines:
            if line[0] == "order":
                order = known[line[2]]
                assert order.order_id == int(line[1])
                if order.order_id in cancelled:
                    assert order.status == "CANCELED"
                orders.append(order.order_id)
            elif line[0] == "trade":
                trades.append(int(line[1]))
            elif line[0] == "wallet":
                rows = [row.income for row in user.income if row.tran_id <= int(line[2])]
                assert sum(rows) == Decimal(line[1])
        assert len({order.order_id for order in user.orders.values()}) == len(user.orders)
        booked = {trade.trade_id for trade in user.trades}
        assert set(trades) <= booked
        assert sum(row.income for row in user.income) == user.account.wallet_balance
        filled = sum(t.qty_base if t.is_buyer else -t.qty_base for t in user.trades)
        position = account_queries.position_rows(exchange.state, "main", "BTCUSDT")[0]
        assert position.position_amt == filled
    assert len(set(trades)) == len(trades)
    assert len(set(orders)) == len(orders)
