"""What is said on the control socket: one JSON object a line, both ways.

The server begins with `Challenge`; the client answers with `Login`. Both prove that they hold the token
(`proof`): the client with the login's `mac`, the server with the text of its first `Response`. Then the
client sends `Request`s and gets `Response`s; after "watch" it also gets an `AuditLine` for everything that
happens.
"""

import hashlib
import hmac
from typing import Annotated, Literal

import msgspec

from runtime.control.commands import CommandName

LINE_LIMIT = 64 * 1024
Text = Annotated[str, msgspec.Meta(max_length=200)]
"""The engine remembers ids of commands and writes all of it down."""
_PURPOSE = "nextbar control"


class Challenge(msgspec.Struct, frozen=True, tag="challenge"):
    """First line, server to client."""

    nonce: str


class Login(msgspec.Struct, frozen=True, tag="login"):
    """Proof of the token, and the nonce over which the server proves itself."""

    mac: str
    nonce: Text = ""


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


def proof(token: bytes, side: Literal["client", "server"], nonce: str, port: int) -> str:
    """What a holder of the token on that side answers to the other's nonce: HMAC-SHA256, hexadecimal.

    With the server's port in it, a program on another port cannot pass a proof on as its own.
    """
    text = f"{_PURPOSE} {side} {port} {nonce}"
    return hmac.new(token, text.encode(), hashlib.sha256).hexdigest()
