"""The engine as a real process: its command line, its control socket, its journal."""

import asyncio
import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from gateways.wire.token import load_or_make_token
from runtime.control.client import connect
from runtime.control.protocol import AuditLine, Request
from runtime.settings.environment import free_port, ports_to_try

ROOT = Path(__file__).resolve().parents[2]
CONFIG = """
symbols = ["BTCUSDT"]
[simulator]
enabled = true
[risk]
max_order_notional_quote = 2000
max_position_notional_quote = 5000
max_leverage = 3
max_daily_loss_quote = 500
[[strategies]]
name = "{strategy}"
symbols = ["BTCUSDT"]
timeframe = "1s"
params = {{ short = 3, long = 10, smoothing = 2 }}
unprotected = true
"""


@pytest.fixture
def home(tmp_path: Path) -> Path:
    (tmp_path / "configs").mkdir()
    (tmp_path / "configs" / "demo.toml").write_text(CONFIG.format(strategy="sma_crossover_inflection"))
    return tmp_path


def environment(home: Path, control: int) -> dict[str, str]:
    ports = {"SIMULATOR": free_port(), "WIRE": free_port(), "CONTROL": control}
    return {
        **os.environ,
        "NEXTBAR_HOME": str(home),
        "PYTHONUNBUFFERED": "1",
        **{f"NEXTBAR_{name}_PORT": str(port) for name, port in ports.items()},
    }


def start(home: Path, control: int, cwd: Path) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, str(ROOT / "engine" / "main.py"), "demo", "--exit-with-stdin"],
        cwd=cwd,
        env=environment(home, control),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


def wait_for(process: subprocess.Popen[str], word: str) -> str:
    assert process.stdout is not None
    for line in process.stdout:
        if word in line:
            return line
    raise AssertionError(f"the engine ended without saying {word!r}")


def test_it_runs_from_any_directory_takes_commands_and_ends_when_stdin_closes(home: Path) -> None:
    control = free_port()
    with start(home, control, home) as process:
        wait_for(process, "control port")
        token = load_or_make_token(home / "vault" / "gateway_token")

        async def talk() -> None:
            async with connect(control, token) as client:
                snapshot = await client.watch("w")
                paused = await client.ask(Request("pause", "p1"))
                again = await client.ask(Request("pause", "p1"))
                status = await client.ask(Request("status", "s1"))
                assert (snapshot.status.paused, paused.ok, again.ok) == (False, True, False)
                assert json.loads(bytes(status.data))["paused"] is True
                flat = await client.ask(Request("flatten", "f1"))
                assert "already flat" in flat.text

        asyncio.run(asyncio.wait_for(talk(), 20))
        assert process.stdin is not None
        process.stdin.close()
        assert process.wait(20) == 0
    summary = json.loads((home / "data" / "demo" / "engine" / "summary.json").read_text())
    assert summary["paused"] is True
    assert summary["links"] == {"gateway": "down"}


def test_a_control_port_that_a_stranger_took_is_left_to_him_and_people_find_the_engine(home: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        control = taken.getsockname()[1]
        with start(home, control, home) as process:
            assert f"another program listens on port {control}" in wait_for(process, "another program")
            wait_for(process, "control port")
            token = load_or_make_token(home / "vault" / "gateway_token")
            ports = ports_to_try("control", control, home / "data" / "demo")
            assert ports[0] == control

            async def ask() -> bool:
                async with connect(ports[1:], token) as client:
                    return (await client.ask(Request("pause", "p"))).ok

            assert asyncio.run(asyncio.wait_for(ask(), 20))
            assert process.stdin is not None
            process.stdin.close()
            assert process.wait(20) == 0


@pytest.mark.skipif(os.name != "posix", reason="POSIX file modes")
def test_nobody_else_reads_what_it_writes_whatever_the_umask(home: Path) -> None:
    old = home / "data" / "demo" / "engine" / "summary.json"
    old.parent.mkdir(parents=True)
    old.write_text("{}")
    old.chmod(0o666)
    before = os.umask(0)
    try:
        process = start(home, free_port(), home)
    finally:
        os.umask(before)
    with process:
        wait_for(process, "control port")
        assert process.stdin is not None
        process.stdin.close()
        assert process.wait(20) == 0
    found = [home / "vault", *(home / "vault").rglob("*"), home / "data" / "demo", old.parent]
    found += old.parent.rglob("*")
    assert [path for path in found if path.stat().st_mode & 0o077] == []
    assert old in found


def test_a_wrong_token_gets_nothing(home: Path) -> None:
    control = free_port()
    with start(home, control, home) as process:
        wait_for(process, "control port")

        async def knock() -> None:
            async with connect(control, b"x" * 32):
                raise AssertionError("it was let in")

        with pytest.raises(PermissionError, match="does not accept our token"):
            asyncio.run(asyncio.wait_for(knock(), 20))
        process.terminate()
        assert process.wait(20) == 0


def test_watchers_are_told_what_happens(home: Path) -> None:
    control = free_port()
    with start(home, control, home) as process:
        wait_for(process, "control port")
        token = load_or_make_token(home / "vault" / "gateway_token")

        async def watch() -> AuditLine:
            async with connect(control, token) as watcher, connect(control, token) as other:
                await watcher.watch("w")
                await other.ask(Request("pause", "p9"))
                while True:
                    said = await watcher.next_line()
                    if isinstance(said, AuditLine) and said.kind == "command":
                        return said

        said = asyncio.run(asyncio.wait_for(watch(), 20))
        assert "pause" in said.text
        process.terminate()
        assert process.wait(20) == 0


def test_a_second_engine_on_the_same_data_is_refused_with_one_sentence(home: Path) -> None:
    with start(home, free_port(), home) as first:
        wait_for(first, "control port")
        second = subprocess.run(
            [sys.executable, str(ROOT / "engine" / "main.py"), "demo"],
            cwd=home,
            env=environment(home, free_port()),
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        assert second.returncode == 2
        assert len(second.stderr.strip().splitlines()) == 1
        first.terminate()
        assert first.wait(20) == 0


def test_an_unknown_strategy_is_one_sentence_and_code_2(home: Path) -> None:
    (home / "configs" / "demo.toml").write_text(CONFIG.format(strategy="no_such_strategy"))
    done = subprocess.run(
        [sys.executable, str(ROOT / "engine" / "main.py")],
        cwd=home,
        env=environment(home, free_port()),
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 2
    assert done.stderr.startswith(f"{home / 'configs' / 'demo.toml'}: ")
    assert "no_such_strategy" in done.stderr
    assert len(done.stderr.strip().splitlines()) == 1


@pytest.mark.skipif(os.name != "posix", reason="SIGKILL is POSIX's")
def test_a_killed_engine_remembers_what_it_was_told(home: Path) -> None:
    control = free_port()
    with start(home, control, home) as first:
        wait_for(first, "control port")
        token = load_or_make_token(home / "vault" / "gateway_token")

        async def pause() -> None:
            async with connect(control, token) as client:
                await client.ask(Request("pause", "p1"))
                await client.ask(Request("status", "s"))

        asyncio.run(asyncio.wait_for(pause(), 20))
        journal = home / "data" / "demo" / "engine" / "journal"
        wait_until(lambda: any(b"p1" in path.read_bytes() for path in journal.glob("*")))
        first.send_signal(signal.SIGKILL)
        first.wait(20)
    with start(home, control, home) as second:
        wait_for(second, "start 2")

        async def ask() -> bool:
            async with connect(control, token) as client:
                status = await client.ask(Request("status", "s"))
                return bool(json.loads(bytes(status.data))["paused"])

        assert asyncio.run(asyncio.wait_for(ask(), 20))
        second.terminate()
        assert second.wait(20) == 0


def wait_until(is_true: Callable[[], bool]) -> None:
    end = time.monotonic() + 20
    while not is_true():
        assert time.monotonic() < end
        time.sleep(0.01)
