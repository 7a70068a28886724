"""Client order ids as a pure function of what an order is for.

The same order has the same id for ever: retries, reconnects and restarts arrive at it again. Binance
allows `^[.A-Z:/a-z0-9_-]{1,36}$`; ours are always 36 characters: a 9-character prefix that names the
engine and 160 bits of BLAKE2b over the length-prefixed parts.
"""

import base64
import binascii
import hashlib
import re
from functools import lru_cache

from engine.model.cause import Cause
from engine.model.leg import Leg

ENGINE_ID_PATTERN = re.compile(r"[a-z2-7]{6}")
_OF_AN_ENGINE = re.compile(r"nb[a-z2-7]{6}-[A-Za-z0-9_-]{27}")
_URL_SAFE = bytes.maketrans(b"+/", b"-_")


def engine_id_from(entropy: bytes) -> str:
    """An engine identity from at least 4 random bytes: 6 characters a-z2-7."""
    if len(entropy) < 4:
        raise ValueError("an engine identity needs at least 4 bytes")
    return base64.b32encode(entropy[:5].ljust(5, b"\0")).decode().lower()[:6]


@lru_cache(maxsize=8)
def client_id_prefix(engine_id: str) -> str:
    """What every client id of that engine begins with; ValueError for a malformed identity."""
    if not ENGINE_ID_PATTERN.fullmatch(engine_id):
        raise ValueError(f"an engine identity is 6 characters of a-z2-7, not {engine_id!r}")
    return f"nb{engine_id}-"


def is_of_an_engine(client_id: str) -> bool:
    """Whether the id is one that this program makes, whichever engine it was."""
    return _OF_AN_ENGINE.fullmatch(client_id) is not None


def client_order_id(
    engine_id: str, *, strategy: str, symbol: str, cause: Cause, leg: Leg, attempt: int = 0
) -> str:
    """The id of one order.

    `leg` tells apart the orders of one cause; `attempt` grows only when the attempt before is proven not to
    have happened.
    """
    if attempt < 0:
        raise ValueError("attempt counts from 0")
    parts = [part.encode() for part in (engine_id, strategy, symbol, cause.text, leg.text, str(attempt))]
    text = b"".join([len(part).to_bytes(4, "big") + part for part in parts])
    code = binascii.b2a_base64(hashlib.blake2b(text, digest_size=20).digest(), newline=False)
    return client_id_prefix(engine_id) + code.rstrip(b"=").translate(_URL_SAFE).decode("ascii")
