"""The control socket stays usable whatever its clients do, and answers each command."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable

import msgspec
import pytest

from engine.model.audit import Answer, Notice
from engine.model.events import Command, Event
from engine.shell.control_server import MAX_CLIENTS, MAX_STRANGERS, MAX_UNSENT_BYTES, ControlServer
from runtime.control.client import ControlClient, NotAnEngine, connect
from runtime.control.commands import CommandName, EarlierName
from runtime.control.protocol import LINE_LIMIT, AuditLine, Challenge, Login, Request, Response, proof
from runtime.control.status import EngineStatus

TOKEN = b"t" * 32
Scene = Callable[["Desk"], Awaitable[None]]


class Desk:
    """A control server whose core answers everything, or nothing but sets `held` at the second command."""

    def __init__(self) -> None:
        self.taken: list[Command] = []
        self.held: asyncio.Event | None = None
        self.server = ControlServer(TOKEN, self.take, lambda: 1, EngineStatus)

    def take(self, event: Event) -> None:
        assert isinstance(event, Command)
        if event.name == "kill":
            raise ValueError("a bug in the core")
        self.taken.append(event)
        if self.held is None:
            self.answer(event.command_id)
        elif len(self.taken) == 2:
            self.held.set()

    def answer(self, command_id: str) -> None:
        self.server.publish([Answer(1, command_id, ok=True, text="done")])

    async def raw(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        """A connection that has shown nothing; the challenge was read."""
        reader, writer = await asyncio.open_connection("127.0.0.1", self.server.port)
        self.nonce = msgspec.json.decode(await reader.readline(), type=Challenge).nonce
        return reader, writer

    async def known(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        """A connection that is logged in and speaks by hand."""
        reader, writer = await self.raw()
        writer.write(msgspec.json.encode(Login(proof(TOKEN, "client", self.nonce, self.server.port))) + b"\n")
        assert msgspec.json.decode(await reader.readline(), type=Response).ok
        return reader, writer

    async def is_usable(self) -> bool:
        async with connect(self.server.port, TOKEN) as client:
            return (await client.ask(Request("why", f"check {len(self.taken)}"))).ok


def run(scene: Scene) -> Desk:
    desk = Desk()

    async def play() -> None:
        failed: list[object] = []
        asyncio.get_running_loop().set_exception_handler(lambda _, context: failed.append(context))
        await desk.server.start(0)
        try:
            await scene(desk)
        finally:
            await desk.server.close()
        assert failed == []  # a live engine ends on each of these

    asyncio.run(asyncio.wait_for(play(), 30))
    return desk


async def gone(reader: asyncio.StreamReader) -> bytes:
    """What still arrives until the server closes."""
    with contextlib.suppress(ConnectionError):
        return await reader.read()
    return b""


@pytest.mark.parametrize(
    ("line", "sentence"),
    [
        (b"hello\n", "not a request: this is not JSON: "),
        (b"\xff\xfe{}\n", "not a request: "),
        (b'{"type":"request","what":"explode","id":"1"}\n', "not a request: what: expected one of cancel, "),
        (b'{"type":"request","what":"pause"}\n', "not a request: id is missing; expected text"),
        (
            b'{"type":"request","what":"pause","id":"' + b"x" * 201 + b'"}\n',
            "not a request: id: expected text of at most 200 characters, not ",
        ),
        (b"x" * (LINE_LIMIT + 1_000) + b"\n", "not a request: "),
        (b'{"x":' + b"[" * 60_000 + b"\n", "not a request: "),
    ],
)
def test_what_is_no_request_gets_a_sentence_and_harms_nobody_else(line: bytes, sentence: str):
    async def scene(desk: Desk) -> None:
        reader, writer = await desk.known()
        writer.write(line)
        said = msgspec.json.decode(await reader.readline(), type=Response)
        assert (said.ok, said.text[: len(sentence)]) == (False, sentence)
        assert await gone(reader) == b""
        writer.close()
        assert await desk.is_usable()

    assert [command.name for command in run(scene).taken] == ["why"]


@pytest.mark.parametrize(
    "line",
    [
        b"hello\n",
        b'{"type":"login","mac":"' + b"0" * 64 + b'"}\n',
        '{"type":"login","mac":"ü"}\n'.encode(),
        b'{"type":"request","what":"pause","id":"1"}\n',
        b"x" * (LINE_LIMIT + 1_000),
        b'{"type":"login","x":' + b"[" * 60_000 + b"\n",
    ],
)
def test_without_the_token_nothing_is_done(line: bytes):
    async def scene(desk: Desk) -> None:
        reader, writer = await desk.raw()
        writer.write(line)
        assert b'"ok":true' not in await gone(reader)
        writer.close()
        with pytest.raises(PermissionError, match="does not accept our token"):
            async with connect(desk.server.port, b"u" * 32):
                pass

    assert run(scene).taken == []


def test_an_answer_to_the_challenge_is_good_for_that_connection_only():
    async def scene(desk: Desk) -> None:
        _, first = await desk.raw()
        replayed = msgspec.json.encode(Login(proof(TOKEN, "client", desk.nonce, desk.server.port))) + b"\n"
        reader, writer = await desk.raw()
        writer.write(replayed)
        assert b"wrong token" in await gone(reader)
        first.close()
        writer.close()

    run(scene)


def test_strangers_that_only_connect_do_not_keep_an_operator_out():
    async def scene(desk: Desk) -> None:
        strangers = [await desk.raw() for _ in range(3 * MAX_STRANGERS)]
        assert await desk.is_usable()
        for _, writer in strangers:
            writer.close()

    run(scene)


def test_clients_that_hang_do_not_keep_an_operator_out_and_the_one_that_watches_stays():
    async def scene(desk: Desk) -> None:
        async with connect(desk.server.port, TOKEN) as watcher:
            await watcher.watch("w")
            hanging = [await desk.known() for _ in range(2 * MAX_CLIENTS)]
            assert await desk.is_usable()
            desk.server.publish([Notice(1, "info", "still here")])
            while "still here" not in (await watcher.next_line()).text:
                pass
        for _, writer in hanging:
            writer.close()

    run(scene)


def test_a_watcher_that_does_not_read_is_cut_off_and_the_others_hear_everything():
    async def scene(desk: Desk) -> None:
        _, deaf = await desk.known()
        deaf.write(msgspec.json.encode(Request("watch", "deaf")) + b"\n")
        async with connect(desk.server.port, TOKEN) as watcher:
            await watcher.watch("w")
            heard = 0
            while not desk.server.dropped_lines:
                desk.server.publish([Notice(1, "info", "x" * 60_000)])
                heard += "xxx" in (await watcher.next_line()).text
        assert heard > MAX_UNSENT_BYTES // 70_000
        deaf.close()

    run(scene)


def test_watching_begins_with_the_status_and_goes_on_with_the_number_behind_it():
    async def scene(desk: Desk) -> None:
        desk.server.publish([Notice(1, "info", "one"), Notice(1, "info", "two")])
        async with connect(desk.server.port, TOKEN) as early:
            before = await early.watch("a")
            desk.server.publish([Notice(1, "info", "three")])
            third = await early.next_line()
        desk.server.publish([Notice(1, "info", "four")])
        async with connect(desk.server.port, TOKEN) as again:
            after = await again.watch("b")
            desk.server.publish([Notice(1, "info", "five"), Notice(1, "info", "six")])
            told = [await again.next_line() for _ in range(2)]
        assert (before.sequence, before.status) == (2, EngineStatus())
        assert isinstance(third, AuditLine)
        assert (third.sequence, third.text) == (3, "three")
        assert after.epoch == before.epoch
        assert after.sequence - third.sequence == 1, "whoever connects again knows what was missed"
        assert [(one.sequence, one.text) for one in told if isinstance(one, AuditLine)] == [
            *((5, "five"), (6, "six")),
        ]

    run(scene)


@pytest.mark.parametrize(("said", "done"), [("cancel_all", "cancel_all"), ("close_orders", "cancel_all")])
def test_a_command_is_done_under_its_present_name(said: CommandName | EarlierName, done: str):
    async def scene(desk: Desk) -> None:
        async with connect(desk.server.port, TOKEN) as client:
            await client.ask(Request(said, "1"))

    assert [command.name for command in run(scene).taken] == [done]


def test_two_clients_that_name_their_commands_alike_are_both_answered():
    async def scene(desk: Desk) -> None:
        desk.held = asyncio.Event()
        async with connected(desk) as one, connected(desk) as two:
            asked = [asyncio.create_task(client.ask(Request("why", "same"))) for client in (one, two)]
            await desk.held.wait()
            desk.answer("same")
            desk.answer("same")
            assert [(await answer).text for answer in asked] == ["done", "done"]

    run(scene)


@contextlib.asynccontextmanager
async def connected(desk: Desk) -> AsyncIterator[ControlClient]:
    async with connect(desk.server.port, TOKEN) as client:
        yield client


def test_a_bug_in_the_core_is_not_taken_for_a_bad_request():
    found: list[dict[str, object]] = []

    async def scene(desk: Desk) -> None:
        asyncio.get_running_loop().set_exception_handler(lambda _, context: found.append(context))
        async with connect(desk.server.port, TOKEN) as client:
            with pytest.raises(EOFError):
                await client.ask(Request("kill", "k"))

    run(scene)
    assert [str(context["exception"]) for context in found] == ["a bug in the core"]


def test_what_listens_there_and_is_no_engine_is_named():
    async def play() -> None:
        async def greet(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            writer.write(b"220 mail.example ESMTP\r\n")
            await writer.drain()
            writer.close()

        server = await asyncio.start_server(greet, "127.0.0.1", 0)
        port = server.sockets[0].getsockname()[1]
        with pytest.raises(NotAnEngine, match=f"no engine answers on port {port}"):
            async with connect(port, TOKEN):
                pass
        server.close()
        await server.wait_closed()

    asyncio.run(asyncio.wait_for(play(), 20))


def test_who_passes_the_proof_on_from_another_port_is_let_in_by_nobody():
    async def scene(desk: Desk) -> None:
        async def relay(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            to_engine, from_us = await asyncio.open_connection("127.0.0.1", desk.server.port)
            writer.write(await to_engine.readline())
            from_us.write(await reader.readline())
            writer.write(await to_engine.readline())
            for one in (writer, from_us):
                one.close()

        between = await asyncio.start_server(relay, "127.0.0.1", 0)
        with pytest.raises(PermissionError, match="does not accept our token"):
            async with connect(between.sockets[0].getsockname()[1], TOKEN):
                pass
        between.close()
        await between.wait_closed()

    assert run(scene).taken == []


def test_an_engine_that_moved_is_found_behind_what_took_its_port():
    async def scene(desk: Desk) -> None:
        async def impostor(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            writer.write(msgspec.json.encode(Challenge("0")) + b"\n")
            await reader.readline()
            writer.write(msgspec.json.encode(Response("login", True, "welcome")) + b"\n")
            writer.close()

        taken = await asyncio.start_server(impostor, "127.0.0.1", 0)
        port = taken.sockets[0].getsockname()[1]
        with pytest.raises(NotAnEngine, match=f"port {port} does not prove that it is the engine"):
            async with connect(port, TOKEN):
                pass
        async with connect((port, desk.server.port), TOKEN) as client:
            assert (await client.ask(Request("why", "w"))).ok
        taken.close()
        await taken.wait_closed()

    assert [command.name for command in run(scene).taken] == ["why"]
