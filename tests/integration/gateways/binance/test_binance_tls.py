"""Live speaks TLS: requests, orders and streams, each side of the link as it is there."""

import asyncio
import datetime
import ipaddress
import ssl
from collections.abc import Iterator
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from gateways.binance.protocol.tls import client_context
from gateways.binance.rest import http_pool
from gateways.binance.rest.http_connection import HttpFailed
from gateways.binance.rest.http_pool import HttpPool
from gateways.binance.streams.sockets import open_socket
from gateways.wire.messages import OrderUpdate, Reply, RequestSnapshot, Snapshot, Welcome
from tests.support.binance_stand_in import StandIn
from tests.support.gateway_rig import Engine, config_for, in_sync, market_order, running_gateway


@pytest.fixture
def certificate(tmp_path: Path) -> Path:
    """A certificate that signs itself, with its key, for 127.0.0.1."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "stand-in")])
    now = datetime.datetime.now(datetime.UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now - datetime.timedelta(days=1))
        .not_valid_after(now + datetime.timedelta(days=1))
        .add_extension(
            x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]), critical=False
        )
        .sign(key, hashes.SHA256())
    )
    path = tmp_path / "stand_in.pem"
    secret = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    path.write_bytes(made.public_bytes(serialization.Encoding.PEM) + secret)
    return path


@pytest.fixture(autouse=True)
def _fresh_context() -> Iterator[None]:
    client_context.cache_clear()
    yield
    client_context.cache_clear()


def server_context(certificate: Path) -> ssl.SSLContext:
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(certificate)
    return context


def test_everything_goes_over_tls_to_an_exchange_that_is_trusted(
    certificate: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate))

    async def scenario() -> None:
        async with StandIn(server_context(certificate)) as exchange:
            config = config_for(f"https://127.0.0.1:{exchange.port}", f"wss://127.0.0.1:{exchange.port}")
            async with running_gateway(config) as (gateway, port):
                engine = Engine(port)
                engine.client.start()
                try:
                    await engine.wait(Welcome)
                    await in_sync(exchange, gateway)
                    engine.client.send(RequestSnapshot(1, 1))
                    assert (await engine.wait(Snapshot)).complete
                    await exchange.until(lambda: bool(exchange.sockets["private"]))
                    engine.client.send(market_order(2, "nb-1"))
                    assert (await engine.wait(Reply, lambda reply: reply.request_id == 2)).outcome == "ok"
                    await exchange.user(exchange.order_event(exchange.orders[0], "NEW"))
                    await engine.wait(OrderUpdate)
                finally:
                    await engine.client.close()

    asyncio.run(scenario())


def test_an_exchange_that_is_not_trusted_is_not_spoken_to_and_the_log_says_why(
    certificate: Path, monkeypatch: pytest.MonkeyPatch
):
    class Log:
        def __init__(self) -> None:
            self.reasons: list[str] = []
            self.spoken = asyncio.Event()

        def warning(self, _event: str, *, link: str, reason: str) -> None:
            self.reasons.append(f"{link}: {reason}")
            self.spoken.set()

    async def scenario() -> None:
        log = Log()
        monkeypatch.setattr(http_pool, "_log", log)
        async with StandIn(server_context(certificate)) as exchange:
            pool = HttpPool(f"https://127.0.0.1:{exchange.port}")
            pool.start()
            async with asyncio.timeout(10):
                await log.spoken.wait()
            with pytest.raises(HttpFailed, match="no connection"):
                await pool.send(b"")
            with pytest.raises(ssl.SSLCertVerificationError):
                await open_socket(f"wss://127.0.0.1:{exchange.port}/public/ws", lambda _frame: None)
            await pool.close()
            assert exchange.requests == []
        assert "certificate verify failed" in log.reasons[0]
        assert len(log.reasons) == 1

    asyncio.run(scenario())
