"""The shared secret of gateway and engine: `vault/gateway_token`, made on first use, owner-readable only."""

import contextlib
import hashlib
import hmac
import os
import secrets
import shlex
import stat
from pathlib import Path

import msgspec

from gateways.wire.errors import TokenError
from gateways.wire.messages import Hello

TOKEN_BYTES = 32


def load_or_make_token(path: Path) -> bytes:
    """The token in `path`, made first if there is no such file. `TokenError` names what is wrong.

    Safe against two processes doing so at once: both end with the same token.
    """
    if not path.exists():
        _make(path)
    return load_token(path)


def load_token(path: Path) -> bytes:
    """The token in `path`: 64 hexadecimal digits."""
    try:
        mode = path.stat().st_mode
        text = path.read_text("ascii").strip()
    except (OSError, UnicodeDecodeError) as error:
        raise TokenError(f"{path} cannot be read: {error}") from None
    if os.name == "posix" and mode & (stat.S_IRWXG | stat.S_IRWXO):
        raise TokenError(f"{path} can be read by others; run: chmod 600 {shlex.quote(str(path))}")
    try:
        token = bytes.fromhex(text)
    except ValueError:
        token = b""
    if len(token) != TOKEN_BYTES:
        raise TokenError(f"{path} must hold {2 * TOKEN_BYTES} hexadecimal digits; delete it to get a new one")
    return token


def _make(path: Path) -> None:
    part = path.with_name(f"{path.name}.{os.getpid()}.tmp")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "w", encoding="ascii") as file:
            file.write(secrets.token_hex(TOKEN_BYTES) + "\n")
            file.flush()
            os.fsync(file.fileno())
        _publish(part, path)
    except OSError as error:
        raise TokenError(f"{path} cannot be made: {error}") from None
    finally:
        with contextlib.suppress(OSError):
            part.unlink()


def _publish(part: Path, path: Path) -> None:
    """A link, unlike a rename, does not replace what another process made in the meantime."""
    try:
        os.link(part, path)
    except FileExistsError:
        return
    except OSError:
        part.rename(path)  # a file system without links


def hello_mac(token: bytes, nonce: bytes, hello: Hello, port: int) -> bytes:
    """HMAC-SHA256 over the gateway's nonce, the port it listens on and every other field of `hello`.

    The port keeps a program on another port from passing the proof on to the gateway as its own.
    """
    fields = msgspec.msgpack.encode(msgspec.structs.replace(hello, mac=b""))
    return _mac(token, b"hello", nonce, port, fields)


def welcome_mac(token: bytes, nonce: bytes, port: int) -> bytes:
    """HMAC-SHA256 over the engine's nonce and the port: the gateway holds the token too."""
    return _mac(token, b"welcome", nonce, port)


def refused_mac(token: bytes, nonce: bytes, port: int, code: str, reason: str) -> bytes:
    """HMAC-SHA256 over the engine's nonce, the port and the refusal: the gateway itself says so."""
    return _mac(token, b"refused", nonce, port, msgspec.msgpack.encode((code, reason)))


def _mac(token: bytes, purpose: bytes, nonce: bytes, port: int, fields: bytes = b"") -> bytes:
    text = b"nextbar " + purpose + len(nonce).to_bytes(2, "big") + nonce + port.to_bytes(2, "big") + fields
    return hmac.digest(token, text, hashlib.sha256)
