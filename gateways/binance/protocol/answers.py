"""Bodies of answers."""

import zlib
from collections.abc import Mapping

import msgspec

from gateways.binance.protocol.translate import Json

MAX_BODY_BYTES = 16 * 1024 * 1024


def code_and_text(answer: Json) -> tuple[int, str]:
    """`code` and `msg` of an error body, 0 and "" where there is none. Success bodies may carry code 200."""
    if not isinstance(answer, dict):
        return 0, ""
    code, text = answer.get("code"), answer.get("msg")
    try:
        number = int(code) if code is not None else 0
    except (TypeError, ValueError):
        number = 0
    return number, text if isinstance(text, str) else ""


def parse_json(body: bytes) -> Json:
    """The value, or None for what is no JSON (an HTML page of a proxy, say)."""
    try:
        return msgspec.json.decode(body)
    except (msgspec.DecodeError, ValueError):
        return None


def unpacked(headers: Mapping[str, str], body: bytes) -> bytes:
    """The body, decompressed where it is gzip by its headers; b"" for what cannot be, or is too long."""
    if headers.get("content-encoding", "").lower() != "gzip":
        return body
    unpacker = zlib.decompressobj(wbits=31)
    try:
        text = unpacker.decompress(body, MAX_BODY_BYTES)
    except zlib.error:
        return b""
    return text if unpacker.eof else b""
