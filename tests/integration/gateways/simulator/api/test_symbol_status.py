"""Control commands on a venue: a symbol that does not trade, its status after a restart, the clock."""

import asyncio
from decimal import Decimal
from pathlib import Path

from gateways.simulator.api.control import Control
from gateways.simulator.api.venue.clock import SimClock
from gateways.simulator.api.venue.venue import Venue, VenueOptions
from gateways.simulator.exchange.model.symbol_changes import changed_symbol
from gateways.simulator.exchange.model.symbols import default_symbols
from gateways.simulator.markets import MarketOptions, parse_market
from gateways.simulator.server import SocketRules, call_later_on

SPECS = {"BTCUSDT": default_symbols()["BTCUSDT"]}


START_MS = 1_760_000_400_000


class Wall:
    """The machine's time, in ms."""

    now_ms = float(START_MS)

    def __call__(self) -> float:
        return self.now_ms


def make_venue(state: Path, clock: SimClock | None = None) -> Venue:
    loop = asyncio.get_running_loop()
    venue = Venue(VenueOptions(SPECS, state), clock or SimClock(), call_later_on(loop))
    venue.start_market(parse_market("synthetic", MarketOptions(("BTCUSDT",), state_dir=state)))
    return venue


def test_a_halted_symbol_has_no_trades_and_no_klines_until_it_trades_again(tmp_path: Path):
    async def run() -> None:
        wall, sent = Wall(), []
        venue = make_venue(tmp_path, SimClock(wall=wall))
        venue.hub.publish = lambda name, _payload: sent.append(name)
        feed = venue.data.feed("BTCUSDT")
        assert feed is not None
        feed._publish = venue.data._publish = venue.hub.publish
        for stream in ("btcusdt@trade", "btcusdt@kline_1m", "btcusdt@markPrice@1s", "btcusdt@depth@0ms"):
            venue.data.subscribe(stream)

        def heard_in(steps: int) -> set[str]:
            sent.clear()
            for _ in range(steps):
                wall.now_ms += 100
                venue.advance()
            return set(sent)

        assert len(heard_in(100)) == 4
        venue.set_spec(changed_symbol(venue.spec("BTCUSDT"), {"status": "BREAK"}))
        minutes = len(feed.bars.minutes(START_MS, START_MS + 3_600_000))
        assert heard_in(1500) == {"btcusdt@markPrice@1s"}
        assert len(feed.bars.minutes(START_MS, START_MS + 3_600_000)) == minutes
        venue.set_spec(changed_symbol(venue.spec("BTCUSDT"), {"status": "TRADING"}))
        assert len(heard_in(100)) == 4
        venue.close()

    asyncio.run(run())


def test_status_and_filters_are_kept_over_a_restart(tmp_path: Path):
    async def run() -> None:
        changes = {"status": "BREAK", "tick_size": Decimal(1), "min_notional": Decimal(70)}
        venue = make_venue(tmp_path)
        changed = changed_symbol(venue.spec("BTCUSDT"), changes)
        venue.set_spec(changed)
        venue.commit()
        venue.persistence.abandon()
        again = make_venue(tmp_path)
        assert again.spec("BTCUSDT") == changed
        feed = again.data.feed("BTCUSDT")
        assert feed is not None
        assert not feed.is_trading
        again.close()

    asyncio.run(run())


def test_a_step_back_of_the_clock_that_would_stop_the_market_is_refused(tmp_path: Path):
    async def run() -> None:
        venue = make_venue(tmp_path)
        control = Control(venue, SocketRules(), None)

        def skew(ms: int) -> int:
            return control.answer("POST", "/_control/clock", f'{{"skew_ms":{ms}}}', None).status

        assert (skew(3_600_000), skew(0), skew(3_540_000), skew(3_480_000)) == (200, 400, 200, 200)
        assert venue.clock.skew_ms == 3_480_000
        venue.close()

    asyncio.run(run())
