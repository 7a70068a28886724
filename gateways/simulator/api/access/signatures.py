"""Request authentication: timestamp, recvWindow and signature, checked in the exchange's order."""

import base64
import re
import secrets
from collections.abc import Mapping
from urllib.parse import unquote

from gateways.simulator.api.access.keys import ApiKey
from gateways.simulator.api.requests.params import Params
from gateways.simulator.exchange.model.errors import ApiError, invalid_parameter, missing_parameter

DEFAULT_RECV_WINDOW_MS = 5000
MAX_RECV_WINDOW_MS = 60_000
AHEAD_LIMIT_MS = 1000
_SIGNATURE = re.compile(r"(?:^|&)signature=([^&]*)")


def check_timestamp(params: Params, server_ms: int) -> None:
    """Require `timestamp < server + 1000 and server - timestamp <= recvWindow` (-1021)."""
    try:
        timestamp = params.integer("timestamp")
    except ApiError as error:
        raise missing_parameter("timestamp") from error
    if timestamp is None:
        raise missing_parameter("timestamp")
    window = params.decimal("recvWindow")
    if window is None:
        window_ms = float(DEFAULT_RECV_WINDOW_MS)
    elif 0 < window <= MAX_RECV_WINDOW_MS:
        window_ms = float(window)
    elif window > MAX_RECV_WINDOW_MS:
        raise ApiError(-1131, "recvWindow must be less than 60000.")
    else:
        raise invalid_parameter("recvWindow")
    if timestamp >= server_ms + AHEAD_LIMIT_MS:
        raise ApiError(-1021, "Timestamp for this request was 1000ms ahead of the server's time.")
    if server_ms - timestamp > window_ms:
        raise ApiError(-1021, "Timestamp for this request is outside of the recvWindow.")


def signed_text(raw_query: str, raw_body: str) -> tuple[str, str | None]:
    """Return the signed text (raw query and raw body joined, without `signature`) and the signature."""
    signature: str | None = None
    parts = []
    for raw in (raw_query, raw_body):
        match = _SIGNATURE.search(raw)
        if match is None:
            parts.append(raw)
            continue
        if signature is None:
            signature = unquote(match.group(1))
        without = raw[: match.start()] + raw[match.end() :]
        parts.append(without.lstrip("&") if match.start() == 0 else without)
    return "".join(parts), signature


def check_signature(key: ApiKey, text: str, signature: str | None) -> None:
    """Refuse a signature that does not belong to the key (-1022)."""
    if not signature:
        raise missing_parameter("signature")
    if not key.signer.accepts(text, signature):
        raise ApiError(-1022, "Signature for this request is not valid.")


def ws_signed_text(values: Mapping[str, str]) -> str:
    """Return the signed text of a WS API request: all parameters but the signature, sorted, not encoded."""
    return "&".join(f"{name}={value}" for name, value in sorted(values.items()) if name != "signature")


def new_listen_key() -> str:
    """Return a new random listen key of 64 characters."""
    raw = secrets.token_bytes(48)
    return base64.urlsafe_b64encode(raw).decode().replace("-", "A").replace("_", "B")
