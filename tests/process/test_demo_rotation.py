"""kill -9 of the engine while its journal rotates in a trading demo: it reads itself back, whole."""

import asyncio
import json
import random
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from gateways.wire.token import load_token
from runtime.control.client import connect
from runtime.control.protocol import Request
from tests.process.demo_kills import entries_open
from tests.process.demo_rig import Demo
from tests.process.demo_truth import truth_of
from tests.process.turning import TURNING_CONFIG, python_path

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="finds child processes in /proc")
SMALL = "[engine.journal]\nsegment_bytes = 65536\nreserve_bytes = 8192\n[risk]"
SIGNS = ("snapshot-*.tmp", "journal-*.log")


@pytest.fixture
def demo(tmp_path: Path) -> Iterator[Demo]:
    config = TURNING_CONFIG.replace("[risk]", SMALL)
    one = Demo(tmp_path, config=config, environment={"PYTHONPATH": python_path()})
    yield one
    one.abandon()


def fill_journal(home: Path, stop: threading.Event) -> None:
    """Commands that do nothing but stand in the journal."""

    async def ask_for_ever() -> None:
        count = 0
        while not stop.is_set():
            try:
                port = json.loads((home / "data" / "demo" / "ports.json").read_text())["control"]
                token = load_token(home / "vault" / "gateway_token")
                async with asyncio.timeout(5), connect(port, token) as client:
                    while not stop.is_set():
                        count += 1
                        await client.ask(Request("cancel", f"fill-{count}", argument="y" * 200))
            except (OSError, EOFError, ValueError, TimeoutError):
                await asyncio.sleep(0.05)

    asyncio.run(ask_for_ever())


def wait_for_new(folder: Path, pattern: str) -> None:
    seen = {path.name for path in folder.glob(pattern)}
    deadline = time.monotonic() + 60
    while {path.name for path in folder.glob(pattern)} <= seen:
        assert time.monotonic() < deadline, f"no new {pattern} in {folder}"


def test_a_journal_that_rotates_under_kill_9_loses_and_doubles_nothing(demo: Demo) -> None:
    demo.until(lambda status: status.fills >= 1, "the first fill")
    folder = demo.home / "data" / "demo" / "engine" / "journal"
    stop = threading.Event()
    filler = threading.Thread(target=fill_journal, args=(demo.home, stop))
    filler.start()
    try:
        for sign in SIGNS:
            wait_for_new(folder, sign)
            time.sleep(random.Random(sign).random() * 0.003)
            since = demo.output_bytes
            demo.kill("engine")
            demo.until(lambda _, at=since: entries_open(demo.said_since(at)), "entries open again")
        demo.until(lambda _: any(folder.glob("snapshot-*.bin")), "a whole snapshot")
    finally:
        stop.set()
        filler.join()
    fills = demo.status().fills
    demo.until(lambda status: status.fills > fills, "a fill after all that")
    assert demo.end()["restarts"] == len(SIGNS)
    assert truth_of(demo).problems == []
    assert any(folder.glob("snapshot-*.bin"))
    assert "Traceback" not in demo.lines
