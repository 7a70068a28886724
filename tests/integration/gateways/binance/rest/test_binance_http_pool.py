"""Kept-alive connections against a scripted server on a real socket."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable

import pytest

from gateways.binance.rest.http_connection import HttpFailed
from gateways.binance.rest.http_pool import HttpPool

Serve = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]
OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"
REQUEST = b"GET / HTTP/1.1\r\n\r\n"


@contextlib.asynccontextmanager
async def serving(handler: Serve, **options: float) -> AsyncIterator[tuple[HttpPool, list[int]]]:
    """The pool, and a list that counts connections."""
    opened: list[int] = []
    handlers: set[asyncio.Task[None] | None] = set()

    async def wrapped(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        opened.append(len(opened))
        handlers.add(asyncio.current_task())
        with contextlib.suppress(ConnectionError, asyncio.IncompleteReadError):
            await handler(reader, writer)
        writer.close()
        with contextlib.suppress(ConnectionError):
            await writer.wait_closed()

    server = await asyncio.start_server(wrapped, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    pool = HttpPool(f"http://127.0.0.1:{port}", **options)  # type: ignore[arg-type]  # numbers all
    pool.start()
    try:
        yield pool, opened
    finally:
        await pool.close()
        server.close()
        await asyncio.gather(*(task for task in handlers if task is not None))


async def answering(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    while True:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(OK)


def test_connections_are_kept_and_used_again():
    async def scenario() -> None:
        async with serving(answering, warm=1) as (pool, opened):
            for _ in range(20):
                assert (await pool.send(REQUEST)).body == b"ok"
            assert len(opened) == 1

    asyncio.run(scenario())


def test_a_burst_opens_more_connections_up_to_the_bound_and_all_are_answered():
    async def scenario() -> None:
        async with serving(answering, warm=1, most=3) as (pool, opened):
            answers = await asyncio.gather(*(pool.send(REQUEST) for _ in range(30)))
            assert {answer.body for answer in answers} == {b"ok"}
            assert len(opened) <= 3

    asyncio.run(scenario())


def test_a_connection_cut_after_the_request_left_says_so():
    async def cutting(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(OK[:20])
        await writer.drain()

    async def scenario() -> None:
        async with serving(cutting) as (pool, _opened):
            with pytest.raises(HttpFailed) as caught:
                await pool.send(REQUEST)
            assert caught.value.bytes_left

    asyncio.run(scenario())


def test_no_answer_in_time_is_a_failure_and_the_connection_is_not_used_again():
    async def silent(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read()

    async def scenario() -> None:
        async with serving(silent, warm=1, timeout_seconds=0.05) as (pool, opened):
            for _ in range(2):
                with pytest.raises(HttpFailed, match="in time") as caught:
                    await pool.send(REQUEST)
                assert caught.value.bytes_left
            assert len(opened) >= 2

    asyncio.run(scenario())


def test_a_server_that_closes_after_each_answer_is_reconnected():
    async def closing(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 2\r\n\r\nok")
        await writer.drain()

    async def scenario() -> None:
        async with serving(closing) as (pool, _opened):
            for _ in range(5):
                assert (await pool.send(REQUEST)).body == b"ok"

    asyncio.run(scenario())


def test_what_takes_connections_and_ends_them_is_not_up_and_is_not_stormed():
    async def closing(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.transport.abort()

    async def scenario() -> None:
        async with serving(closing) as (pool, opened):
            states: list[bool] = []
            pool.on_state = states.append
            with pytest.raises(HttpFailed):
                await pool.send(REQUEST)
            assert states in ([], [True, False])
            assert len(opened) < 10

    asyncio.run(scenario())


def test_after_a_failure_a_connection_that_answers_is_up():
    async def scenario() -> None:
        refusing = True

        async def moody(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            if refusing:
                writer.transport.abort()
            else:
                await answering(reader, writer)

        async with serving(moody) as (pool, _opened):
            up = asyncio.Event()
            with pytest.raises(HttpFailed):
                await pool.send(REQUEST)
            pool.on_state = lambda is_up: up.set() if is_up else up.clear()
            refusing = False
            while True:
                with contextlib.suppress(HttpFailed):
                    await pool.send(REQUEST)
                    break
            assert up.is_set()

    asyncio.run(scenario())


def test_without_a_server_nothing_leaves():
    async def scenario() -> None:
        pool = HttpPool("http://127.0.0.1:9")
        pool.start()
        assert pool.send_now(REQUEST) is None
        assert not pool.is_up
        with pytest.raises(HttpFailed) as caught:
            await pool.send(REQUEST)
        assert not caught.value.bytes_left
        await pool.close()

    asyncio.run(scenario())


def test_bytes_nobody_asked_for_end_the_connection():
    async def talking(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(OK + b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nwrong")
        await reader.read()

    async def scenario() -> None:
        async with serving(talking, warm=1) as (pool, opened):
            for _ in range(3):
                assert (await pool.send(REQUEST)).body == b"ok"
            assert len(opened) >= 3

    asyncio.run(scenario())


def test_a_request_taken_back_as_a_connection_comes_free_is_not_sent_and_the_next_one_is():
    async def scenario() -> None:
        seen: list[bytes] = []

        async def noting(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            while True:
                seen.append(await reader.readuntil(b"\r\n\r\n"))
                writer.write(OK)

        async with serving(noting, warm=1, most=1) as (pool, _opened):
            await pool.send(REQUEST)
            first = pool.send_now(REQUEST)
            assert first is not None
            second = asyncio.create_task(pool.send(b"GET /second HTTP/1.1\r\n\r\n"))
            third = asyncio.create_task(pool.send(b"GET /third HTTP/1.1\r\n\r\n"))
            # Called in the order in which they were added: before the second one goes on with its connection.
            first.add_done_callback(lambda _: second.cancel())
            assert (await third).body == b"ok"
            with pytest.raises(asyncio.CancelledError):
                await second
        assert not any(b"second" in request for request in seen)

    asyncio.run(scenario())


def test_who_waits_for_a_server_that_cannot_be_reached_learns_it_at_once():
    async def scenario() -> None:
        server = await asyncio.start_server(answering, "127.0.0.1", 0)
        port = server.sockets[0].getsockname()[1]
        server.close()
        await server.wait_closed()
        pool = HttpPool(f"http://127.0.0.1:{port}", warm=0, wait_seconds=3_600.0)
        pool.start()
        with pytest.raises(HttpFailed, match="no connection to the exchange: ") as caught:
            await pool.send(REQUEST)
        assert not caught.value.bytes_left
        await pool.close()

    asyncio.run(scenario())


def test_a_kept_connection_that_is_lost_is_told_from_a_fresh_one():
    async def once(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(OK)
        await reader.readuntil(b"\r\n\r\n")

    async def scenario() -> None:
        async with serving(once, warm=1, most=1) as (pool, _opened):
            await pool.send(REQUEST)
            with pytest.raises(HttpFailed) as caught:
                await pool.send(REQUEST)
            assert caught.value.was_kept

    asyncio.run(scenario())
