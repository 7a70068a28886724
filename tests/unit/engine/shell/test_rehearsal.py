"""Rehearsals of an order's way: all of it is walked, and nothing comes of it."""

import asyncio
import dataclasses
import os
import socket
import time
from collections.abc import Callable
from decimal import Decimal
from typing import TypeVar

import msgspec
import pytest

from engine.model.effects import Append, Send
from engine.model.records import Intent, JournalRecord
from engine.orders.order_states import OrderState
from engine.risk.rules.leverage import Leverage
from engine.risk.rules.order_notional import OrderNotional
from engine.risk.rules.order_rate import OrderRate
from engine.risk.rules.price_band import PriceBand
from engine.risk.rules.total_notional import TotalNotional
from engine.shell.rehearsal import REMEMBERED_IDS, SYMBOL, PaperJournal, Rehearsal
from gateways.binance.gateway import Gateway
from gateways.binance.orders.rehearsal import Rehearsal as GatewayRehearsal
from gateways.binance.setup.keys import ApiKeys
from gateways.wire.messages import SubmitOrder
from gateways.wire.outgoing import MarketEvent
from tests.support.engine_rig import Rig, config
from tests.support.gateway_rig import config_for

T = TypeVar("T")
PRICES = (100, 99, 98, 100, 103, 101, 97, 99, 104, 90, 95, 99, 80, 103)


@pytest.fixture
def no_io(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise AssertionError("a rehearsal has touched the world")

    Rehearsal(config())  # kernels that nobody has compiled yet are compiled, and kept, before
    for name in ("open", "write", "pwrite", "fsync", "fdatasync", "replace"):
        monkeypatch.setattr(os, name, refuse, raising=False)
    for name in ("send", "sendall", "sendto", "connect"):
        monkeypatch.setattr(socket.socket, name, refuse)
    for name in ("time", "time_ns", "monotonic_ns"):
        monkeypatch.setattr(time, name, refuse)


def encoded(rig: Rig) -> list[bytes]:
    kept = [one for one in rig.effects if isinstance(one, Append | Send)]
    return [msgspec.msgpack.encode(one.record if isinstance(one, Append) else one.message) for one in kept]


@pytest.mark.usefixtures("no_io")
def test_a_rehearsal_walks_the_whole_way_to_an_order_and_touches_nothing(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    kept: list[JournalRecord] = []
    monkeypatch.setattr(PaperJournal, "append", lambda _, record: kept.append(record))
    rehearsal = Rehearsal(config())
    before = len(kept)
    rehearsal.once()
    records = kept[before:]
    assert [type(one).__name__ for one in records] == ["Intent", "Sent", "Signal", "Replied"]
    (intent,) = [one for one in records if isinstance(one, Intent)]
    assert (intent.symbol, intent.qty_base) == (SYMBOL, Decimal("0.010"))


def test_every_rule_of_risk_is_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    rehearsal = Rehearsal(config())
    asked: set[str] = set()
    for rule in (OrderRate, PriceBand, OrderNotional, TotalNotional, Leverage):
        check = rule.check
        monkeypatch.setattr(rule, "check", _noting(asked, rule.name, check))
    rehearsal.once()
    assert asked == {"order_rate", "price_band", "order_notional", "total_notional", "leverage"}


def _noting(asked: set[str], name: str, check: Callable[..., T]) -> Callable[..., T]:
    def noting(*arguments: object) -> T:
        asked.add(name)
        return check(*arguments)

    return noting


def test_each_rehearsal_makes_one_order_and_leaves_none_behind() -> None:
    rehearsal = Rehearsal(config())
    orders = rehearsal.sender.orders
    for _ in range(3_000):
        rehearsal.once()
    store = rehearsal.engine.store
    assert rehearsal.sender.orders == orders + 3_000
    assert store.open_count == 0
    assert {order.state for order in store.closed_orders()} == {OrderState.REJECTED}
    assert len(store.state().forgotten) == REMEMBERED_IDS


def test_the_trading_core_decides_the_same_to_the_byte_with_rehearsals_between_its_ticks() -> None:
    alone, beside = Rig().up(), Rig().up()
    rehearsal = Rehearsal(beside.engine.config)
    for index, price in enumerate(PRICES):
        alone.prices(price, start=index)
        for _ in range(3):
            rehearsal.once()
        beside.prices(price, start=index)
        rehearsal.once()
    assert len(alone.sent(SubmitOrder)) > 3
    assert encoded(beside) == encoded(alone)
    assert SYMBOL not in repr(beside.effects)


def rehearsed(check: Callable[[GatewayRehearsal], T], every_s: float = 0.0) -> T:
    async def main() -> T:
        made = GatewayRehearsal(
            "https://fapi.example", wall_ns=lambda: 10**18, every_s=every_s, window_ms=5000
        )
        result = check(made)
        await asyncio.sleep(0)
        return result

    return asyncio.run(main())


def test_the_gateway_signs_an_order_to_nowhere_with_a_key_of_nobody() -> None:
    def many(made: GatewayRehearsal) -> GatewayRehearsal:
        for _ in range(5_000):
            made.once()
        return made

    made = rehearsed(many)
    assert made.pool.taken == 5_000
    assert made.engine.told == 0
    head = made.pool.request.partition(b"&signature=")[0]
    assert head == (
        b"POST /fapi/v1/order?symbol=REHEARSAL&side=BUY&type=MARKET&quantity=0.01"
        b"&newClientOrderId=nbaaaaaa-ABCDEFGHIJKLMNOPQRSTUVWXYZA&recvWindow=5000&timestamp=1000000000000"
    )
    assert b"X-MBX-APIKEY: rehearsal\r\n" in made.pool.request


@pytest.mark.parametrize(("every_s", "made"), [(0.0, 0), (0.001, 1)])
def test_the_gateway_rehearses_only_where_it_is_asked_to(
    every_s: float, made: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    rehearsals: list[object] = []

    class Counted(GatewayRehearsal):
        def behind(self, send: Callable[[MarketEvent], None]) -> Callable[[MarketEvent], None]:
            rehearsals.append(self)
            return super().behind(send)

    monkeypatch.setattr("gateways.binance.gateway.Rehearsal", Counted)

    async def main() -> None:
        config = config_for("http://127.0.0.1:1", "ws://127.0.0.1:1")
        config = dataclasses.replace(config, rehearse_s=every_s)
        keys = ApiKeys("k", "s")
        Gateway(config, keys, b"t", monotonic_ns=lambda: 1, wall_ns=lambda: 1, random=lambda: 0.5)

    asyncio.run(main())
    assert len(rehearsals) == made


def test_many_ticks_together_lead_to_one_rehearsal() -> None:
    def ticks(made: GatewayRehearsal) -> GatewayRehearsal:
        for _ in range(100):
            made.soon()
        assert made.pool.taken == 0, "not in the call that brings the tick"
        return made

    assert rehearsed(ticks, 3600.0).pool.taken == 1


def test_a_rehearsal_does_not_give_the_processor_up(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody waits for its orders, and on a busy machine each time would take milliseconds."""
    given: list[None] = []
    monkeypatch.setattr("engine.shell.performer.give_way", lambda: given.append(None))
    rehearsal = Rehearsal(config())
    rehearsal.once()
    assert given == []
