"""A market step that fails ends the simulator; what it had answered is there at the next start.

A request that fails is that request's 500; it ends the simulator too if it had changed something.
"""

import asyncio
from decimal import Decimal
from pathlib import Path

import aiohttp
import pytest

from gateways.simulator.api.venue.clock import SimClock
from gateways.simulator.api.venue.venue import (
    DEFAULT_ACCOUNT,
    DEFAULT_BALANCE,
    HalfDoneError,
    Venue,
    VenueOptions,
)
from gateways.simulator.exchange import account_queries
from gateways.simulator.exchange.model.symbols import default_symbols
from gateways.simulator.markets import MarketOptions, parse_market
from gateways.simulator.server import Server, call_later_on

SPECS = {"BTCUSDT": default_symbols()["BTCUSDT"]}


def make_venue(state: Path) -> Venue:
    clock = SimClock()
    venue = Venue(VenueOptions(SPECS, state), clock, call_later_on(asyncio.get_running_loop()))
    venue.start_market(parse_market("synthetic", MarketOptions(("BTCUSDT",), state_dir=state)))
    return venue


def balance_of(venue: Venue) -> str:
    return str(account_queries.account_summary(venue.state, DEFAULT_ACCOUNT).total.wallet_balance)


def break_down(*_: object, **__: object) -> None:
    raise ZeroDivisionError("a bug")


async def run_until_it_breaks(state: Path) -> str:
    venue = make_venue(state)
    server = Server(venue)
    await server.start("127.0.0.1", 0)
    try:
        venue.exchange.deposit(DEFAULT_ACCOUNT, Decimal(5), venue.clock.now_ms())
        venue.commit()
        balance = balance_of(venue)
        venue.exchange.deposit(DEFAULT_ACCOUNT, Decimal(1000), venue.clock.now_ms())
        venue.advance = break_down
        with pytest.raises(ZeroDivisionError):
            await asyncio.wait_for(server.wait(), 20)
    finally:
        await server.close()
    return balance


def test_a_request_that_fails_is_that_requests_500_and_is_told(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
):
    async def run() -> None:
        venue = make_venue(tmp_path)
        server = Server(venue)
        url = f"http://127.0.0.1:{await server.start('127.0.0.1', 0)}/fapi/v1/depth?symbol=BTCUSDT"
        answering = venue.data.ready_feed
        async with aiohttp.ClientSession() as session:
            for answers in (break_down, answering, break_down):
                venue.data.ready_feed = answers
                reply = await session.get(url)
                assert reply.status == (200 if answers == answering else 500)
                assert answers == answering or (await reply.json())["code"] == -1000
        await server.close()

    asyncio.run(run())
    said = capsys.readouterr().out
    assert said.count("GET /fapi/v1/depth failed: ZeroDivisionError") == 2
    assert said.count("Traceback") <= 1


def test_a_request_that_fails_after_changing_something_ends_the_server_and_is_undone(tmp_path: Path):
    async def run() -> str:
        venue = make_venue(tmp_path)
        server = Server(venue, open_control=True)
        url = f"http://127.0.0.1:{await server.start('127.0.0.1', 0)}"
        deposit = venue.exchange.deposit

        def half_way(*details: object) -> None:
            deposit(*details)
            break_down()

        venue.exchange.deposit = half_way
        try:
            async with aiohttp.ClientSession() as session:
                reply = await session.post(f"{url}/_control/balance", json={"amount": "1000"})
                assert (reply.status, (await reply.json())["code"]) == (500, -1000)
            with pytest.raises(HalfDoneError, match="POST /_control/balance failed"):
                await asyncio.wait_for(server.wait(), 20)
        finally:
            await server.close()
        again = make_venue(tmp_path)
        found = balance_of(again)
        again.close()
        return found

    assert asyncio.run(run()) == str(DEFAULT_BALANCE)


def test_a_bug_in_a_market_step_ends_the_server_and_writes_nothing_more(tmp_path: Path):
    balance = asyncio.run(run_until_it_breaks(tmp_path))

    async def look_again() -> str:
        venue = make_venue(tmp_path)
        found = balance_of(venue)
        venue.close()
        return found

    assert asyncio.run(look_again()) == balance
