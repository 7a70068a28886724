"""`engine.ctl` says in one sentence what stands between an operator and the engine."""

import asyncio
import os
import shutil
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from decimal import Decimal
from pathlib import Path

import msgspec
import pytest
from typer.testing import CliRunner

from engine.ctl import app
from engine.model.audit import Answer, Notice
from engine.model.events import Command, Event
from engine.model.records import OrderReport
from engine.shell.control_server import ControlServer
from gateways.wire.token import load_or_make_token, load_token
from runtime.control.protocol import Challenge, Login, Response, proof
from runtime.control.status import EngineStatus, OrderStatus, StrategyStatus, write_status
from runtime.settings import Home
from tests.support.journal_rig import opened
from tests.support.order_events import ENGINE_ID, intent, report
from tests.support.places import ROOT

Serve = Callable[[asyncio.StreamReader, asyncio.StreamWriter], object]
DOUBT = "; the command may or may not have been carried out: check `status`"
COMMANDS = (
    "pause",
    "resume",
    "flatten",
    "kill",
    "cancel",
    "cancel-all",
    "why",
    "status",
    "watch",
    "trades",
    "profit",
)


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    shutil.copytree(ROOT / "configs", tmp_path / "configs")
    load_or_make_token(tmp_path / "vault" / "gateway_token")
    monkeypatch.setenv("NEXTBAR_HOME", str(tmp_path))
    return tmp_path


@contextmanager
def listening(start: Callable[[], "asyncio.Future[int] | object"]) -> Iterator[int]:
    """Run a server in a thread; `start` is awaited there and gives port and closer."""
    ready, ended = threading.Event(), asyncio.Event()
    found: dict[str, object] = {}

    async def main() -> None:
        port, close = await start()  # type: ignore[misc]  # a coroutine function
        found.update(port=port, loop=asyncio.get_running_loop())
        ready.set()
        await ended.wait()
        await close()

    thread = threading.Thread(target=lambda: asyncio.run(main()))
    thread.start()
    assert ready.wait(20)
    try:
        yield int(found["port"])  # type: ignore[call-overload]  # set above
    finally:
        found["loop"].call_soon_threadsafe(ended.set)  # type: ignore[attr-defined]  # set above
        thread.join()


@contextmanager
def engine(
    home: Path, taken: list[Command] | None = None, status: EngineStatus | None = None
) -> Iterator[int]:
    """A control server whose core does all it is told."""
    token = load_or_make_token(home / "vault" / "gateway_token")

    async def start() -> tuple[int, Callable[[], object]]:
        def take(event: Event) -> None:
            assert isinstance(event, Command)
            if taken is not None:
                taken.append(event)
            server.publish([Answer(1, event.command_id, event.name != "cancel", f"{event.name}: done")])

        server = ControlServer(token, take, lambda: 1, lambda: status or EngineStatus())
        await server.start(0)
        return server.port, server.close

    with listening(start) as port:
        yield port


@contextmanager
def stranger(serve: Serve) -> Iterator[int]:
    """Something that listens and is no engine, or one in trouble."""

    async def start() -> tuple[int, Callable[[], object]]:
        async def closing(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            await serve(reader, writer)  # type: ignore[misc]  # a coroutine function
            writer.close()

        server = await asyncio.start_server(closing, "127.0.0.1", 0)

        async def close() -> None:
            server.close()
            await server.wait_closed()

        return server.sockets[0].getsockname()[1], close

    with listening(start) as port:
        yield port


def ctl(monkeypatch: pytest.MonkeyPatch, port: int, *words: str) -> tuple[int, str]:
    monkeypatch.setenv("NEXTBAR_CONTROL_PORT", str(port))
    done = CliRunner().invoke(app, words)
    assert not isinstance(done.exception, Exception), done.exception
    return done.exit_code, done.output


def test_each_command_arrives_as_it_was_meant_and_its_answer_is_printed(
    home: Path, monkeypatch: pytest.MonkeyPatch
):
    taken: list[Command] = []
    with engine(home, taken) as port:
        for words in (
            ("pause", "--strategy", "rsi:s1", "--symbol", "BTCUSDT"),
            ("resume",),
            ("flatten", "--symbol", "BTCUSDT"),
            ("kill",),
            ("cancel-all",),
            ("cancel_all",),
            ("why", "--strategy", "rsi"),
        ):
            code, text = ctl(monkeypatch, port, *words)
            assert (code, text.endswith(": done\n")) == (0, True)
        assert ctl(monkeypatch, port, "cancel", "x-1") == (1, "cancel: done\n")
        code, text = ctl(monkeypatch, port, "status", "--json")
        assert msgspec.json.decode(text, type=EngineStatus) == EngineStatus()
    assert [(one.name, one.strategy, one.symbol, one.argument) for one in taken] == [
        ("pause", "rsi:s1", "BTCUSDT", ""),
        ("resume", "", "", ""),
        ("flatten", "", "BTCUSDT", ""),
        ("kill", "", "", ""),
        ("cancel_all", "", "", ""),
        ("cancel_all", "", "", ""),
        ("why", "rsi", "", ""),
        ("cancel", "", "", "x-1"),
    ]
    assert len({one.command_id for one in taken}) == len(taken)


def test_the_status_is_tables_and_shows_stops_states_and_what_blocks(
    home: Path, monkeypatch: pytest.MonkeyPatch
):
    status = EngineStatus(
        time_ns=3_661 * 10**9,
        links={"gateway": "up", "public": "stale"},
        blockers=("trading is paused", "BTCUSDT: no fresh book"),
        paused=True,
        strategies=(StrategyStatus("rsi:s1", "BTCUSDT", "1h", "warming up 12/392 bars"),),
        open_orders=(
            OrderStatus(
                *("BTCUSDT", "SELL", "STOP_MARKET", "0.1", "0", None, "ACCEPTED", "id-7"), "62714.2", "rsi:s1"
            ),
        ),
        tick_sizes={"BTCUSDT": "0.10"},
    )
    with engine(home, status=status) as port:
        code, text = ctl(monkeypatch, port, "status")
    assert code == 0
    for wanted in (
        *("demo at 01:01:01 UTC", "gateway up", "public stale", "PAUSED: no entries until resume"),
        *("entries wait: trading is paused; BTCUSDT: no fresh book", "warming up 12/392 bars"),
        *("stop 62714.2", "id-7"),
    ):
        assert wanted in text


def test_trades_and_profit_come_from_the_journal_of_an_engine_that_does_not_run(
    home: Path, monkeypatch: pytest.MonkeyPatch
):
    assert ctl(monkeypatch, 1, "trades") == (
        2,
        "there is no journal of demo yet: the first run creates it\n",
    )
    folder = home / "data" / "demo" / "engine"
    folder.mkdir(parents=True)
    journal, _ = opened(folder / "journal", engine_id=ENGINE_ID)
    for number, (side, price) in enumerate((("BUY", "0.004"), ("SELL", "0.005")), 1):
        journal.append(intent(number, side=side, symbol="DOGEUSDT", qty_base=Decimal(100)))
        update = report(
            *("FILLED",),
            number=number,
            symbol="DOGEUSDT",
            side=side,
            qty_base=Decimal(100),
            filled_base=Decimal(100),
            last_qty_base=Decimal(100),
            last_price=Decimal(price),
            trade_id=number,
            transaction_time_ns=number * 86_400 * 10**9,
        )
        journal.append(OrderReport(update, number))
    journal.close(3)
    write_status(folder / "summary.json", EngineStatus(tick_sizes={"DOGEUSDT": "0.00001", "BTCUSDT": "0.1"}))
    code, text = ctl(monkeypatch, 1, "trades")
    assert code == 0
    row = text.splitlines()[1].split()
    assert row == [
        "1970-01-03",
        "00:00:00",
        *["sma:s1", "DOGEUSDT", "100", "0.00400", "0.00500", "0.10", "0.00", "1d", "0h", "long"],
    ]
    for name in ("trades", "profit"):
        assert ctl(monkeypatch, 1, name, "--strategy", "smaa") == (
            2,
            "no trade of 'smaa', which has not run here (did you mean sma?); allowed: sma, sma:s1\n",
        )
        assert ctl(monkeypatch, 1, name, "--symbol", "DOGEUSD") == (
            2,
            (
                "no trade of 'DOGEUSD', which has not been traded here (did you mean DOGEUSDT?); "
                "allowed: BTCUSDT, DOGEUSDT\n"
            ),
        )
    assert ctl(monkeypatch, 1, "trades", "--symbol", "BTCUSDT") == (0, "no trade yet\n")
    assert "1 closed trade, net 0.10" in ctl(monkeypatch, 1, "profit")[1]
    (trade,) = msgspec.json.decode(ctl(monkeypatch, 1, "trades", "--json")[1])
    assert (trade["entry_price"], trade["profit"], trade["closed_ns"]) == ("0.004", "0.1", 2 * 86_400 * 10**9)
    by_strategy = msgspec.json.decode(ctl(monkeypatch, 1, "profit", "--json")[1])["by_strategy"]
    assert by_strategy == {"sma:s1 on DOGEUSDT": {"trades": 1, "profit": "0.1", "fees": "0", "net": "0.1"}}


def test_words_too_long_are_refused_in_a_sentence(home: Path, monkeypatch: pytest.MonkeyPatch):
    with engine(home) as port:
        code, text = ctl(monkeypatch, port, "cancel", "x" * 300)
    assert code == 1
    assert text.startswith("not a request: argument: expected text of at most 200 characters, not ")


@pytest.mark.parametrize("words", [("flatten",), ("status",), ("watch",)])
def test_another_engines_token_is_said(home: Path, monkeypatch: pytest.MonkeyPatch, words: tuple[str, ...]):
    with engine(home) as port:
        (home / "vault" / "gateway_token").unlink()
        load_or_make_token(home / "vault" / "gateway_token")
        assert ctl(monkeypatch, port, *words) == (
            2,
            "the engine of demo does not accept the token of this vault\n",
        )


@pytest.mark.skipif(os.name != "posix", reason="POSIX file modes")
def test_a_token_others_can_read_is_not_used(home: Path, monkeypatch: pytest.MonkeyPatch):
    token = home / "vault" / "gateway_token"
    token.chmod(0o640)
    code, text = ctl(monkeypatch, 1, "kill")
    assert (code, text) == (2, f"{token} can be read by others; run: chmod 600 {token}\n")


async def greets_as_mail(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    writer.write(b"220 mail.example ESMTP\r\n")


async def ends_in_the_middle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """An engine that is killed with a command in its hands."""
    token = load_token(Home.find().vault / "gateway_token")
    port = writer.get_extra_info("sockname")[1]
    writer.write(msgspec.json.encode(Challenge("n")) + b"\n")
    login = msgspec.json.decode(await reader.readline(), type=Login)
    welcome = proof(token, "server", login.nonce, port)
    writer.write(msgspec.json.encode(Response("login", True, welcome)) + b"\n")
    await reader.readline()


async def answers_nothing(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await ends_in_the_middle(reader, writer)
    await reader.readline()


@pytest.mark.parametrize(
    ("serve", "words", "sentence"),
    [
        (
            greets_as_mail,
            "kill",
            "demo is not running, or its engine hangs: no engine answers on port {port}",
        ),
        (ends_in_the_middle, "flatten", f"the engine of demo ended before it answered{DOUBT}"),
        (ends_in_the_middle, "why", "the engine of demo ended before it answered"),
        (answers_nothing, "kill", f"the engine of demo did not answer within 1 seconds{DOUBT}"),
    ],
)
def test_an_engine_in_trouble_is_one_sentence_that_says_what_it_means_for_the_command(
    home: Path, monkeypatch: pytest.MonkeyPatch, serve: Serve, words: str, sentence: str
):
    monkeypatch.setattr("engine.ctl.ANSWER_SECONDS", 1)
    with stranger(serve) as port:
        assert ctl(monkeypatch, port, words) == (2, sentence.format(port=port) + "\n")


def test_watching_ends_with_the_engine_in_a_sentence(home: Path):
    token = load_or_make_token(home / "vault" / "gateway_token")
    servers: list[ControlServer] = []

    async def start() -> tuple[int, Callable[[], object]]:
        server = ControlServer(token, lambda _: None, lambda: 1, EngineStatus)
        await server.start(0)
        servers.append(server)
        return server.port, server.close

    with listening(start) as port:
        child = subprocess.Popen(
            [sys.executable, "-m", "engine.ctl", "watch"],
            cwd=ROOT,
            env=os.environ | {"NEXTBAR_CONTROL_PORT": str(port)},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        assert child.stdout is not None
        heard = threading.Event()
        said: list[str] = []

        def read() -> None:
            said.append(child.stdout.readline())  # type: ignore[union-attr]  # checked above
            heard.set()

        threading.Thread(target=read).start()
        while not heard.wait(0.05):
            servers[0].publish([Notice(1, "warning", "the market is closed")])
    rest, error = child.communicate(timeout=20)
    assert said == ["00:00:00 status    entries open; positions unknown; 0 open orders\n"]
    assert set(rest.splitlines()) <= {"00:00:00 notice    the market is closed"}
    assert (child.returncode, error) == (2, "the engine of demo has stopped\n")


def test_help_names_every_command_and_each_has_its_own():
    overview = CliRunner().invoke(app, ["--help"], terminal_width=100).output
    for name in COMMANDS:
        assert f" {name} " in overview
        shown = CliRunner().invoke(app, [name, "--help"], terminal_width=100)
        assert shown.exit_code == 0
        assert "--env" in shown.output
