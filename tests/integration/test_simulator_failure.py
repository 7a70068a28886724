"""Something unforeseen ends the simulator, and what it had answered is there at the next start."""

import asyncio
from decimal import Decimal
from pathlib import Path

import aiohttp
import pytest

from gateways.simulator.clock import SimClock
from gateways.simulator.markets import MarketOptions, parse_market
from gateways.simulator.server import Server, call_later_on
from gateways.simulator.symbols import default_symbols
from gateways.simulator.venue import DEFAULT_ACCOUNT, Venue, VenueOptions

SPECS = {"BTCUSDT": default_symbols()["BTCUSDT"]}


def make_venue(state: Path) -> Venue:
    clock = SimClock()
    venue = Venue(VenueOptions(SPECS, state), clock, call_later_on(asyncio.get_running_loop()))
    venue.start_market(parse_market("synthetic", MarketOptions(("BTCUSDT",), state_dir=state)))
    return venue


def break_down(*_: object, **__: object) -> None:
    raise ZeroDivisionError("a bug")


async def run_until_it_breaks(state: Path, where: str) -> str:
    venue = make_venue(state)
    server = Server(venue)
    port = await server.start("127.0.0.1", 0)
    try:
        venue.exchange.deposit(DEFAULT_ACCOUNT, Decimal(5), venue.clock.now_ms())
        venue.commit()
        balance = str(venue.exchange.account_summary(DEFAULT_ACCOUNT).total.wallet_balance)
        if where == "request":
            venue.data.rest = break_down
            async with aiohttp.ClientSession() as session:
                answer = await session.get(f"http://127.0.0.1:{port}/fapi/v1/depth?symbol=BTCUSDT")
                assert answer.status == 500
        else:
            venue.exchange.deposit(DEFAULT_ACCOUNT, Decimal(1000), venue.clock.now_ms())
            venue.advance = break_down
        with pytest.raises(ZeroDivisionError):
            await asyncio.wait_for(server.wait(), 20)
    finally:
        await server.close()
    return balance


@pytest.mark.parametrize("where", ["request", "market step"])
def test_a_bug_ends_the_server_and_writes_nothing_more(tmp_path: Path, where: str):
    balance = asyncio.run(run_until_it_breaks(tmp_path, where))

    async def look_again() -> str:
        venue = make_venue(tmp_path)
        found = str(venue.exchange.account_summary(DEFAULT_ACCOUNT).total.wallet_balance)
        venue.close()
        return found

    assert asyncio.run(look_again()) == balance
