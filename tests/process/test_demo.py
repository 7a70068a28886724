"""The demo trades, survives kill -9 of each of its processes, and agrees with the exchange to the cent."""

import sys
from collections import Counter
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from settings.status import EngineStatus
from tests.process.demo_rig import Demo, Exchange

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="finds child processes in /proc")

KEYS = {
    *("seconds", "ticks", "candles", "signals", "orders", "fills", "rejects", "restarts", "positions"),
    *("realised_pnl", "unrealised_pnl", "fees", "wallet_balance", "conflated_ticks", "tick_to_order_us"),
}


@pytest.fixture
def demo(tmp_path: Path) -> Iterator[Demo]:
    made = Demo(tmp_path)
    yield made
    made.abandon()


def agree(summary: dict[str, Any], demo: Demo) -> None:
    """The engine's numbers are the exchange's, and no order was filled twice."""
    exchange = Exchange(demo)
    try:
        risks = exchange.get("/fapi/v2/positionRisk", symbol="BTCUSDT")
        account = exchange.get("/fapi/v2/account")
        orders = exchange.get("/fapi/v1/allOrders", symbol="BTCUSDT")
    finally:
        exchange.close()
    held = sum(Decimal(risk["positionAmt"]) for risk in risks)
    assert Decimal(str(summary["positions"].get("BTCUSDT", 0))) == held
    wallet = Decimal(account["totalWalletBalance"])
    assert abs(Decimal(str(summary["wallet_balance"])) - wallet) < Decimal("0.000001")
    ids = Counter(order["clientOrderId"] for order in orders)
    assert max(ids.values()) == 1
    assert all(order["status"] == "FILLED" for order in orders)


def test_the_demo_trades_and_agrees_with_the_exchange(demo: Demo) -> None:
    demo.until(lambda status: status.ready, "READY", 30)
    demo.until(lambda status: status.fills >= 2, "fills")
    summary = demo.end()
    assert set(summary) == KEYS
    for counted in ("ticks", "candles", "signals", "orders", "fills"):
        assert summary[counted] > 0
    assert summary["rejects"] == summary["restarts"] == summary["conflated_ticks"] == 0
    agree(summary, demo)


def test_the_demo_survives_the_death_of_each_process(demo: Demo) -> None:
    demo.until(lambda status: status.fills >= 1, "the first fill")
    for number, name in enumerate(("engine", "gateway", "simulator"), 1):
        killed = demo.pid(name)
        demo.kill(name)
        demo.until(lambda _, name=name, killed=killed: demo.pid(name) not in {None, killed}, f"a new {name}")
        demo.until(is_trading, f"trading after the death of the {name}")
        candles = demo.status().candles
        demo.until(lambda status, candles=candles: status.candles > candles, "candles")
        assert demo.lines.count("starting it again") == number
    fills = demo.status().fills
    demo.until(lambda status: status.fills > fills, "a fill after all that")
    summary = demo.end()
    assert summary["restarts"] == 3
    agree(summary, demo)


def is_trading(status: EngineStatus) -> bool:
    return status.ready and bool(status.links) and set(status.links.values()) == {"up"}
