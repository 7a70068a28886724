"""What the gateway tells when keys, leverage or the status of a symbol change during a run."""

import asyncio
from collections.abc import Awaitable, Callable, Coroutine

import pytest

from gateways.binance import gateway as gateway_module
from gateways.binance.account import key_watch
from gateways.binance.account.instruments import Instruments
from gateways.binance.account.key_watch import KeyWatch
from gateways.binance.protocol.classify import Failure, Hint
from gateways.wire.messages import GatewayStatus, Instrument, Reply, RequestSnapshot, Snapshot
from tests.support.binance_stand_in import SYMBOL, StandIn, always
from tests.support.gateway_rig import Engine, market_order, ready, whole_rig

REFUSED = (401, -2015, "Invalid API-key, IP, or permissions for action")
KEYS = Failure("refused", -2015, REFUSED[2], Hint.KEYS, 401)
ORDER_UNKNOWN = Failure("not_found", -2011, "Unknown order sent.", status=400)


async def checked(exchange: StandIn, engine: Engine) -> None:
    """The account has been found in order."""
    await ready(exchange, engine)
    engine.client.send(RequestSnapshot(1, 0))
    assert (await engine.wait(Snapshot)).complete


@pytest.mark.parametrize("request_name", ["POST order", "GET accountConfig"], ids=["an order", "a question"])
def test_keys_that_lose_their_rights_are_told_and_so_is_that_they_have_them_again(
    monkeypatch: pytest.MonkeyPatch, request_name: str
):
    monkeypatch.setattr(key_watch, "FIRST_SECONDS", 0.05)

    async def scenario() -> None:
        async with whole_rig() as (exchange, _gateway, engine):
            await checked(exchange, engine)
            for name in (request_name, "DELETE order"):
                exchange.faults[name] = always(*REFUSED)
            engine.client.send(market_order(2, "nb-1"))
            engine.client.send(RequestSnapshot(3, 0))
            told = await engine.wait(GatewayStatus, lambda status: status.keys_refused != "")
            assert told.keys_refused == f"HTTP 401 -2015: {REFUSED[2]}"
            tries = exchange.requests.count("DELETE order")
            await exchange.until(lambda: exchange.requests.count("DELETE order") > tries + 1)
            assert engine.of(GatewayStatus)[-1].keys_refused
            exchange.faults.clear()
            engine.got.clear()
            await engine.wait(GatewayStatus, lambda status: not status.keys_refused)
            engine.client.send(market_order(4, "nb-2"))
            assert (await engine.wait(Reply, lambda reply: reply.request_id == 4)).outcome == "ok"

    asyncio.run(scenario())


class KeyScene:
    """A watch over a key whose next answers are known; `sleep` is how it waits."""

    def __init__(
        self,
        monkeypatch: pytest.MonkeyPatch,
        answers: list[Failure | None],
        sleep: Callable[[float], Awaitable[None]],
    ) -> None:
        monkeypatch.setattr(key_watch.asyncio, "sleep", sleep)
        self.answers = answers
        self.changes: list[str] = []
        self.tasks: list[asyncio.Task[None]] = []
        self.watch = KeyWatch(self._may_trade, self._changed, self._start)

    async def _may_trade(self) -> Failure | None:
        return self.answers.pop(0)

    def _changed(self) -> None:
        self.changes.append(self.watch.refused)

    def _start(self, work: Coroutine[object, object, None]) -> None:
        self.tasks.append(asyncio.get_running_loop().create_task(work))


def test_a_key_is_asked_about_again_until_it_is_accepted_and_less_often_each_time(
    monkeypatch: pytest.MonkeyPatch,
):
    waits: list[float] = []
    answers: list[Failure | None] = [
        KEYS,
        Failure("transient", 0, "no connection"),
        ORDER_UNKNOWN,
        KEYS,
        None,
    ]

    async def scenario() -> list[str]:
        async def sleep(seconds: float) -> None:
            waits.append(seconds)

        scene = KeyScene(monkeypatch, answers, sleep)
        for _ in range(2):
            scene.watch.on_refused("no")
            scene.watch.on_refused("no, again")
            await scene.tasks[-1]
        return scene.changes

    assert asyncio.run(scenario()) == ["no", "", "no", ""]
    assert waits == [10.0, 20.0, 40.0, 80.0, 160.0]


def test_an_order_that_is_placed_shows_that_the_key_is_accepted_again(monkeypatch: pytest.MonkeyPatch):
    answers: list[Failure | None] = [KEYS, None]

    async def scenario() -> list[str]:
        wake: list[asyncio.Event] = []

        async def sleep(_seconds: float) -> None:
            wake.append(asyncio.Event())
            await wake[-1].wait()

        scene = KeyScene(monkeypatch, answers, sleep)
        watch, tasks = scene.watch, scene.tasks

        async def started(count: int) -> None:
            while len(wake) < count:
                await asyncio.wait(tasks, timeout=0)

        watch.on_accepted()  # nothing was refused: nothing to say
        watch.on_refused("no")
        await started(1)
        watch.on_accepted()
        watch.on_refused("no, again")
        await started(2)
        wake[0].set()  # what was asked for about the first refusal says nothing about the second
        await tasks[0]
        wake[1].set()
        await started(3)
        wake[2].set()
        await tasks[1]
        return scene.changes

    assert asyncio.run(scenario()) == ["no", "", "no, again", ""]
    assert answers == []


def test_leverage_changed_by_hand_reaches_the_engine():
    async def scenario() -> None:
        async with whole_rig() as (exchange, _gateway, engine):
            await checked(exchange, engine)
            await engine.wait(Instrument, lambda one: one.leverage == 20)
            row = {"symbol": SYMBOL, "marginType": "CROSSED", "leverage": 50}
            exchange._get_symbolConfig = lambda _: [row]
            config = {"e": "ACCOUNT_CONFIG_UPDATE", "E": 1, "T": 1, "ac": {"s": SYMBOL, "l": 50}}
            await exchange.user(config)
            await engine.wait(Instrument, lambda one: one.leverage == 50)

    asyncio.run(scenario())


def with_status(exchange: StandIn, status: str) -> None:
    tell = type(exchange)._get_exchangeInfo

    def answer(query: dict[str, str]) -> object:
        found = tell(exchange, query)
        return {**found, "symbols": [{**row, "status": status} for row in found["symbols"]]}

    exchange._get_exchangeInfo = answer


def test_a_symbol_that_stops_trading_is_noticed_by_its_first_refusal_and_its_return_within_a_minute(
    monkeypatch: pytest.MonkeyPatch,
):
    monkeypatch.setattr(gateway_module, "STATUS_AGE_SECONDS", 0.05)
    monkeypatch.setattr("gateways.binance.account.instruments.RULES_PAUSE_SECONDS", 0.0)

    async def scenario() -> None:
        async with whole_rig() as (exchange, _gateway, engine):
            await checked(exchange, engine)
            await engine.wait(Instrument, lambda one: one.status == "TRADING")
            with_status(exchange, "BREAK")
            exchange.faults["POST order"] = always(400, -4141, "Symbol is closed.")
            engine.client.send(market_order(2, "nb-1"))
            await engine.wait(Instrument, lambda one: one.status == "BREAK")
            engine.got.clear()
            with_status(exchange, "TRADING")
            await engine.wait(Instrument, lambda one: one.status == "TRADING")

    asyncio.run(scenario())


def test_a_halt_is_noticed_by_a_book_that_has_gone_silent(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(gateway_module, "STATUS_AGE_SECONDS", 0.05)

    async def scenario() -> None:
        async with whole_rig() as (exchange, gateway, engine):
            monkeypatch.setattr(gateway.market, "fresh_symbols", lambda *_: (SYMBOL,))
            await checked(exchange, engine)
            await engine.wait(Instrument, lambda one: one.status == "TRADING")
            with_status(exchange, "BREAK")
            monkeypatch.setattr(gateway.market, "fresh_symbols", lambda *_: ())
            await engine.wait(Instrument, lambda one: one.status == "BREAK")

    asyncio.run(scenario())


def test_what_was_under_way_when_leverage_was_set_is_not_kept():
    """Its answer states what was before."""

    async def scenario() -> None:
        leverage, asked = 20, 0

        async def fetch(_symbol: str, _priority: object) -> Instrument:
            nonlocal leverage, asked
            asked += 1
            found = leverage
            if asked == 1:
                leverage = 5
                instruments.forget(SYMBOL)
            return Instrument(SYMBOL, "", "", "TRADING", *[0] * 14, found, ())  # type: ignore[arg-type]

        instruments = Instruments(None, None, lambda: ())  # type: ignore[arg-type]  # neither is asked
        instruments._fetch = fetch  # type: ignore[method-assign]
        assert (await instruments.get(SYMBOL)).leverage == 5
        assert asked == 2

    asyncio.run(scenario())
