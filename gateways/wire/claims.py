"""Who may be let in: token, fencing, and claims that do not overlap."""

import hmac
import re
from collections.abc import Iterable
from typing import Protocol

from gateways.wire.errors import HandshakeError
from gateways.wire.messages import PROTOCOL_VERSION, Hello
from gateways.wire.token import hello_mac

_PREFIX = re.compile(r"[.A-Z:/a-z0-9_-]{1,24}")
MAX_SYMBOLS = 1_000
MAX_ENGINE_ID = 64


class Claimant(Protocol):
    """An engine that is connected."""

    engine_id: str
    symbols: frozenset[str]
    client_id_prefix: str


def check_proof(hello: Hello, token: bytes, nonce: bytes, port: int) -> None:
    """`HandshakeError` unless the peer holds the token."""
    if not hmac.compare_digest(hello.mac, hello_mac(token, nonce, hello, port)):
        raise HandshakeError("token", "engine and gateway do not hold the same token (vault/gateway_token)")


def check_claims(hello: Hello, seen_fencing: int, connected: Iterable[Claimant]) -> None:
    """`HandshakeError` for another version, a malformed identity, an old engine, or somebody else's claim."""
    if hello.protocol_version != PROTOCOL_VERSION:
        raise HandshakeError(
            "version",
            f"the gateway speaks protocol version {PROTOCOL_VERSION}, the engine {hello.protocol_version}",
        )
    if not 1 <= len(hello.engine_id) <= MAX_ENGINE_ID or len(hello.symbols) > MAX_SYMBOLS:
        raise HandshakeError(
            "identity", "an engine needs a name of at most 64 letters and at most 1000 symbols"
        )
    if _PREFIX.fullmatch(hello.client_id_prefix) is None:
        raise HandshakeError("identity", f"{hello.client_id_prefix!r} cannot begin a client order id")
    if hello.fencing < seen_fencing:
        raise HandshakeError(
            "fencing",
            f"engine {hello.engine_id} has a newer start ({seen_fencing}, this is {hello.fencing}): it runs "
            "twice, or its journal was restored from an older copy",
        )
    wanted = frozenset(hello.symbols)
    for other in connected:
        if other.engine_id == hello.engine_id:
            continue
        shared = sorted(wanted & other.symbols)
        if shared:
            raise HandshakeError("claimed", f"{shared[0]} is claimed by engine {other.engine_id}")
        ours, theirs = hello.client_id_prefix, other.client_id_prefix
        if ours.startswith(theirs) or theirs.startswith(ours):
            raise HandshakeError(
                "claimed", f"client order ids {ours}… would mix with {theirs}… of engine {other.engine_id}"
            )
