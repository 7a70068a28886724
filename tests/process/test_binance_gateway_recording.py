"""Real frames replayed by the simulator, through the gateway, to an engine: none lost, doubled or false."""

import asyncio
import dataclasses
import gzip
import os
import re
import sys
from bisect import bisect_right
from pathlib import Path

import pytest

from gateways.binance.protocol.frames import BookTickerFrame, decode
from gateways.binance.setup.keys import load_keys
from gateways.wire.messages import OrderBookTick, Subscribe, TradeTick, Welcome
from tests.integration.gateways.binance.streams.test_binance_recordings import session
from tests.support.binance_stand_in import SYMBOL
from tests.support.gateway_rig import Engine, config_for, running_gateway

ROOT = Path(__file__).resolve().parents[2]
TICKS = Path(os.environ.get("SHARED", str(ROOT / ".." / "shared"))) / "data" / "ticks"
FILES = sorted(TICKS.glob(f"{SYMBOL}_usdm_ws_*.txt.gz")) if TICKS.is_dir() else []
ENOUGH = 150

pytestmark = pytest.mark.skipif(not FILES, reason="the recordings are not there (set SHARED)")


def touch_of(frame: BookTickerFrame) -> tuple[tuple[float, float], tuple[float, float]]:
    return (frame.b, frame.B), (frame.a, frame.A)


async def simulator(state: Path) -> tuple[asyncio.subprocess.Process, str]:
    market = "recording:" + ",".join(str(path) for path in FILES)
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "gateways.simulator", "--port", "0", "--state", str(state)),
        *("--keep-times", "--market", market),
        cwd=ROOT,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.DEVNULL,
    )
    assert process.stdout is not None
    async with asyncio.timeout(30):
        while line := await process.stdout.readline():
            found = re.search(rb"listening on (http://\S+)", line)
            if found is not None:
                return process, found[1].decode()
    pytest.fail("the simulator did not start")


def check(ticks: list[OrderBookTick]) -> None:
    """Each tick's touch is the recorded one at its id, and each recorded change has its tick."""
    recorded = {frame.u: frame for _, frame in session(SYMBOL) if isinstance(frame, BookTickerFrame)}
    ids = sorted(recorded)
    for tick in ticks:
        newest = recorded[ids[bisect_right(ids, tick.update_id) - 1]]
        assert (tick.bids[0], tick.asks[0]) == touch_of(newest)
    told = {tick.update_id for tick in ticks}
    first, last = bisect_right(ids, ticks[0].update_id), bisect_right(ids, ticks[-1].update_id)
    touch = touch_of(recorded[ids[first - 1]])
    for number in ids[first:last]:
        if touch_of(recorded[number]) != touch:
            assert number in told
        touch = touch_of(recorded[number])


def test_a_replayed_recording_reaches_the_engine_whole_and_true(tmp_path: Path):
    async def scenario() -> None:
        process, url = await simulator(tmp_path)
        try:
            config = dataclasses.replace(config_for(url, url.replace("http", "ws")), depth_speed_ms=0)
            keys = load_keys([tmp_path / "binance_keys"])
            async with running_gateway(config, keys) as (gateway, port):
                engine = Engine(port)
                engine.client.start()
                await engine.wait(Welcome)
                engine.client.send(Subscribe(1, (SYMBOL,), ("book", "trade"), 5))
                await engine.wait(OrderBookTick, lambda _: len(engine.of(OrderBookTick)) >= ENOUGH, 60)
                await engine.client.close()
                check(engine.of(OrderBookTick))
                trades = [tick.trade_id for tick in engine.of(TradeTick)]
                assert trades == sorted(set(trades))
                assert (
                    gateway.status().conflated_ticks
                    == gateway.market.resyncs
                    == gateway.market.undecodable
                    == 0
                )
        finally:
            process.kill()
            await process.communicate()

    asyncio.run(scenario())


def test_the_recorded_frames_are_all_understood():

    with gzip.open(FILES[0], "rb") as file:
        frames = [line.partition(b" ")[2] for line in file]
    unknown = [frame for frame in frames if b'"stream"' in frame[:20] and decode(frame) is None]
    assert unknown == []
