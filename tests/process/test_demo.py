"""The demo trades, and agrees with the exchange to the last digit: while it runs, and afterwards."""

import re
import sys
import time
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import msgspec
import pytest

from runtime.control.status import EngineStatus
from tests.process.demo_rig import Client, Demo
from tests.process.demo_truth import Truth, truth_of

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="finds child processes in /proc")

KEYS = {
    *("seconds", "ticks", "candles", "signals", "orders", "fills", "rejects", "restarts", "positions"),
    *("realised_pnl", "unrealised_pnl", "fees", "wallet_balance", "conflated_ticks", "tick_to_order_us"),
    *("start_wallet_balance", "run_realised_pnl", "run_fees", "run_funding"),
}
EXCHANGE_DIGITS = Decimal("0.00000001")
LINE = re.compile(r"\[(simulator|gateway|engine|supervisor)\] \S.*")


@pytest.fixture
def demo(tmp_path: Path) -> Iterator[Demo]:
    made = Demo(tmp_path)
    yield made
    made.abandon()


def status(demo: Demo) -> EngineStatus:
    return msgspec.json.decode(bytes(demo.ask("status").data), type=EngineStatus)


def wait_for_another_mark(demo: Demo) -> None:
    """Asking the exchange again and again would use up its request limit."""
    seen = demo.status()
    demo.until(lambda now: (now.fills, now.positions) != (seen.fills, seen.positions), "another mark")


def both_at_the_same_mark(demo: Demo) -> tuple[EngineStatus, dict[str, Any], dict[str, Any]]:
    """The engine's word and the exchange's, between two fills and at one mark price."""
    exchange = Client.of(demo)
    deadline = time.monotonic() + 60
    while True:
        before = status(demo)
        account = exchange.get("/fapi/v2/account")
        [row] = exchange.get("/fapi/v2/positionRisk", symbol="BTCUSDT")
        after = status(demo)
        if not before.open_orders and before.fills == after.fills and before.positions == after.positions:
            [held, *_] = [*before.positions, None]
            if held is None or Decimal(held.mark_price or 0) == Decimal(row["markPrice"]):
                return before, account, row
        assert time.monotonic() < deadline, (before, row)
        wait_for_another_mark(demo)


def agree_at_the_same_mark(demo: Demo) -> Decimal:
    """Returns the position both hold."""
    ours, account, row = both_at_the_same_mark(demo)
    [held, *_] = [*ours.positions, None]
    qty = Decimal(held.qty_base) if held else Decimal(0)
    assert qty == Decimal(row["positionAmt"])
    assert Decimal(ours.unrealised_pnl or 0).quantize(EXCHANGE_DIGITS) == Decimal(row["unRealizedProfit"])
    assert ours.wallet_balance is not None
    assert Decimal(ours.wallet_balance) == Decimal(account["totalWalletBalance"])
    if held:
        assert Decimal(held.entry_price).quantize(EXCHANGE_DIGITS) == Decimal(row["entryPrice"])
    return qty


def agree_at_the_end(summary: dict[str, Any], demo: Demo) -> Truth:
    truth = truth_of(demo)
    assert truth.problems == []
    assert Decimal(repr(summary["wallet_balance"])) == truth.wallet
    assert Decimal(repr(summary["fees"])) == truth.fees
    assert Decimal(repr(summary["realised_pnl"])) == truth.realised_pnl
    assert Decimal(repr(summary["positions"].get("BTCUSDT", 0))) == truth.held
    assert "Traceback" not in demo.lines
    return truth


def test_the_demo_trades_and_agrees_with_the_exchange(demo: Demo) -> None:
    demo.until(lambda status: status.ready, "READY", 30)
    demo.until(lambda status: status.positions, "a position")
    while not agree_at_the_same_mark(demo):
        demo.until(lambda status: status.positions, "a position")
    fills = demo.status().fills
    demo.until(lambda status: status.fills > fills, "another fill")
    assert demo.ask("pause").ok
    agree_at_the_same_mark(demo)
    summary = demo.end()
    assert set(summary) == KEYS
    for counted in ("ticks", "candles", "signals", "orders", "fills"):
        assert summary[counted] > 0
    assert summary["rejects"] == summary["restarts"] == summary["conflated_ticks"] == 0
    assert summary["fills"] == agree_at_the_end(summary, demo).fills
    earned = summary["run_realised_pnl"] - summary["run_fees"] + summary["run_funding"]
    assert summary["start_wallet_balance"] + earned == pytest.approx(summary["wallet_balance"], abs=1e-6)
    lines = demo.lines.splitlines()
    closing = [line for line in lines if not LINE.fullmatch(line)]
    assert closing[0].startswith("demo ran ")
    assert closing == lines[-len(closing) :]
    for said in ("READY BTCUSDT", "candle ", "order ", "signal ", "fill ", "position "):
        assert any(said in line for line in lines), said
