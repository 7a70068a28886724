"""Simulator, gateway and engine as processes: what no user event told is noticed by looking again."""

import json
import urllib.request
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from gateways.simulator.api.access.control_token import FILE, HEADER
from tests.process.test_engine_end_to_end import Trio, wait_until

CONFIG = """
symbols = ["BTCUSDT"]
[simulator]
enabled = true
[engine]
compare_seconds = 1
[risk]
max_order_notional_quote = 2000
max_position_notional_quote = 5000
max_leverage = 3
max_daily_loss_quote = 500
[[strategies]]
name = "sma_crossover_inflection"
symbols = ["BTCUSDT"]
timeframe = "1h"
candles = "exchange"
params = { short = 50, long = 200, smoothing = 10 }
sizing = { kind = "cash", value = 100 }
"""
"""A strategy that does nothing as long as the test runs."""


@pytest.fixture
def trio(tmp_path: Path) -> Iterator[Trio]:
    running = Trio(tmp_path)
    (tmp_path / "configs" / "demo.toml").write_text(CONFIG)
    try:
        running.start("simulator")
        wait_until(running.answers, 60, "no simulator")  # then its keys are there
        running.start("gateway")
        running.start("engine")
        wait_until(lambda: links(running) == {"up"}, 120, said(running))
        wait_until(lambda: "entries open" in log(running), 120, said(running))
        yield running
    finally:
        running.close()


def test_a_position_and_an_order_of_which_no_event_came_are_noticed_and_taken_over(trio: Trio) -> None:
    control(trio, "events", event="*", action="lose", times=None)
    control(trio, "order", symbol="BTCUSDT", side="BUY", type="MARKET", quantity="0.02")
    wait_until(lambda: position(trio) == Decimal("0.02"), 120, said(trio))
    (told,) = (line for line in log(trio).splitlines() if "our fills make" in line)
    assert "WARNING" in told
    assert "BTCUSDT: the exchange holds 0.02, our fills make 0" in told

    price = 0.8 * prices(trio)
    order = {"type": "LIMIT", "timeInForce": "GTC", "quantity": "0.02", "price": f"{price:.0f}"}
    control(trio, "order", symbol="BTCUSDT", side="BUY", **order)
    wait_until(lambda: open_orders(trio) == ["LIMIT"], 120, said(trio))
    assert "rests at the exchange and is not known here" in log(trio)

    control(trio, "order", symbol="BTCUSDT", side="SELL", type="MARKET", quantity="0.02")
    wait_until(lambda: position(trio) == 0, 120, said(trio))
    assert "BTCUSDT: the exchange holds 0, our fills make 0.02" in log(trio)
    assert "booked as EXTERNAL" not in log(trio)  # the account's history explained every difference


def control(trio: Trio, command: str, **body: object) -> Any:  # noqa: ANN401  # JSON
    url = f"http://127.0.0.1:{trio.ports['SIMULATOR']}/_control/{command}"
    token = (trio.home / "data" / "demo" / "simulator" / FILE).read_text().strip()
    request = urllib.request.Request(url, json.dumps(body).encode(), headers={HEADER: token})
    with urllib.request.urlopen(request, timeout=10) as answer:
        return json.load(answer)


def log(trio: Trio) -> str:
    return (trio.home / "engine.log").read_text("utf-8", "replace")


def said(trio: Trio) -> str:
    return f"see the logs in {trio.home}"


def links(trio: Trio) -> set[object]:
    found = trio.status().get("links")
    return set(found.values()) if isinstance(found, dict) else set()


def prices(trio: Trio) -> float:
    found = trio.status()["last_prices"]
    assert isinstance(found, dict)
    return float(found["BTCUSDT"])


def position(trio: Trio) -> Decimal:
    found = trio.status().get("positions")
    assert isinstance(found, list)
    return sum((Decimal(one["qty_base"]) for one in found), Decimal(0))


def open_orders(trio: Trio) -> list[str]:
    found = trio.status().get("open_orders")
    assert isinstance(found, list)
    return [one["order_type"] for one in found]
