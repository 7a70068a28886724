"""What is said on the control socket: one JSON object a line, both ways.

The server begins with `Challenge`; the client answers with `Login`, whose `mac` is HMAC-SHA256 of the token
over the nonce. Then the client sends `Request`s and gets `Response`s; after "watch" it also gets an
`AuditLine` for everything that happens.
"""

import hashlib
import hmac
from typing import Annotated, Literal

import msgspec

from engine.core.events import CommandName

LINE_LIMIT = 64 * 1024
Text = Annotated[str, msgspec.Meta(max_length=200)]
"""The engine remembers ids of commands and writes all of it down."""
_PURPOSE = b"nextbar control"


class Challenge(msgspec.Struct, frozen=True, tag="challenge"):
    """First line, server to client."""

    nonce: str


class Login(msgspec.Struct, frozen=True, tag="login"):
    """Proof of the token."""

    mac: str


class Request(msgspec.Struct, frozen=True, tag="request"):
    """One wish. `id` names it in the answer; for a command it also makes it idempotent."""

    what: CommandName | Literal["status", "watch"]
    id: Text
    strategy: Text = ""
    symbol: Text = ""
    argument: Text = ""
    source: Text = "control"
    """Who says so, for the record."""


class Response(msgspec.Struct, frozen=True, tag="response"):
    """What became of a request; `data` is the status where that was asked for."""

    id: str
    ok: bool
    text: str
    data: msgspec.Raw = msgspec.Raw(b"null")


class AuditLine(msgspec.Struct, frozen=True, tag="audit"):
    """Something happened."""

    level: str
    kind: str
    text: str
    time_ns: int
    data: object = None


def proof(token: bytes, nonce: str) -> str:
    """What a holder of the token answers to a nonce."""
    return hmac.new(token, _PURPOSE + nonce.encode(), hashlib.sha256).hexdigest()
