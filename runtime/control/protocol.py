"""Messages of the control socket: one JSON object a line, both ways.

The server begins with `Challenge`; the client answers with `Login`. Both prove that they hold the token
(`proof`): the client with the login's `mac`, the server with the text of its first `Response`. Then the
client sends `Request`s and gets `Response`s. After the response to "watch" it gets one `Snapshot`, and from
then on an `AuditLine` for everything that happens, numbered without a gap.
"""

import hashlib
import hmac
from typing import Annotated, Literal

import msgspec

from runtime.control.commands import CommandName, EarlierName
from runtime.control.status import EngineStatus

LINE_LIMIT = 64 * 1024
Text = Annotated[str, msgspec.Meta(max_length=200)]
"""Bounded: the engine remembers the ids of commands and journals their texts."""
_PURPOSE = "nextbar control"


class Challenge(msgspec.Struct, frozen=True, tag="challenge"):
    """First line, server to client."""

    nonce: str


class Login(msgspec.Struct, frozen=True, tag="login"):
    """Proof of the token, and the nonce over which the server proves itself."""

    mac: str
    nonce: Text = ""


class Request(msgspec.Struct, frozen=True, tag="request"):
    """A command or a question. `id` is repeated in the response; a command with a known `id` is not carried
    out again. `command_named` gives the present name of an earlier one."""

    what: CommandName | EarlierName | Literal["status", "watch"]
    id: Text
    strategy: Text = ""
    symbol: Text = ""
    argument: Text = ""
    source: Text = "control"
    """Which client sent it, for the journal."""


class Response(msgspec.Struct, frozen=True, tag="response"):
    """The result of a request; `data` is the status where that was asked for."""

    id: str
    ok: bool
    text: str
    data: msgspec.Raw = msgspec.Raw(b"null")


class Snapshot(msgspec.Struct, frozen=True, tag="snapshot"):
    """The status when watching begins. The next `AuditLine` has the number `sequence` + 1.

    `epoch` is new with each start of the engine. A client that connects again within the same epoch has
    missed the lines between its last number and `sequence`.
    """

    epoch: int
    sequence: int
    status: EngineStatus


class AuditLine(msgspec.Struct, frozen=True, tag="audit"):
    """Something happened. `sequence` counts from 1 in each epoch; a jump means that lines are missing."""

    level: str
    kind: str
    text: str
    time_ns: int
    data: object = None
    sequence: int = 0


def proof(token: bytes, side: Literal["client", "server"], nonce: str, port: int) -> str:
    """The answer of a holder of the token, on that side, to the other side's nonce: HMAC-SHA256, hexadecimal.

    With the server's port in it, a program on another port cannot pass a proof on as its own.
    """
    text = f"{_PURPOSE} {side} {port} {nonce}"
    return hmac.new(token, text.encode(), hashlib.sha256).hexdigest()
