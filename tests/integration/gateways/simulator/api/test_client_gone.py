"""A client that goes away while its socket opens is nothing unforeseen."""

import asyncio
import contextlib
import logging
from pathlib import Path

import pytest
from aiohttp import web

from gateways.simulator.api.venue.clock import SimClock
from gateways.simulator.api.venue.venue import Venue, VenueOptions
from gateways.simulator.exchange.model.symbols import default_symbols
from gateways.simulator.server import Server, call_later_on

HANDSHAKE = (
    "GET /public/ws HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n"
)


def test_a_client_that_goes_while_its_socket_opens_is_no_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
):
    write = web.StreamResponse._write_headers

    async def too_late(response: web.StreamResponse) -> None:
        request = response._req
        assert request is not None
        if request.transport is not None:
            request.transport.abort()
        await asyncio.sleep(0)  # the loss is told
        await write(response)

    monkeypatch.setattr(web.StreamResponse, "_write_headers", too_late)

    async def run() -> None:
        specs = {"BTCUSDT": default_symbols()["BTCUSDT"]}
        server = Server(
            Venue(VenueOptions(specs, tmp_path), SimClock(), call_later_on(asyncio.get_running_loop()))
        )
        port = await server.start("127.0.0.1", 0)
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(HANDSHAKE.encode())
        with contextlib.suppress(ConnectionResetError):
            assert await reader.read() == b""
        writer.close()
        await asyncio.sleep(0.05)
        await server.close()

    with caplog.at_level(logging.ERROR):
        asyncio.run(run())
    assert caplog.text == ""
