"""Who is calling: API keys, signatures, timestamps and recvWindow, checked in the exchange's order."""

import base64
import hashlib
import hmac
import re
import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import unquote

from gateways.simulator.errors import ApiError, invalid_parameter, missing_parameter
from gateways.simulator.rest_params import Params

DEFAULT_RECV_WINDOW_MS = 5000
MAX_RECV_WINDOW_MS = 60_000
AHEAD_LIMIT_MS = 1000
_KEY_FORMAT = re.compile(r"^[A-Za-z0-9_-]{1,128}$")
_SIGNATURE = re.compile(r"(?:^|&)signature=([^&]*)")


@dataclass(frozen=True, slots=True)
class ApiKey:
    """One key of one account. `secret` never appears in a representation."""

    key: str
    account: str
    secret: str

    def __repr__(self) -> str:
        return f"ApiKey(account={self.account!r})"


class KeyRing:
    """The keys the exchange knows."""

    def __init__(self) -> None:
        self._keys: dict[str, ApiKey] = {}

    def add(self, key: str, secret: str, account: str) -> ApiKey:
        """Register a key; an existing one is replaced."""
        self._keys[key] = ApiKey(key, account, secret)
        return self._keys[key]

    def identify(self, key: str | None) -> ApiKey:
        """Owner of the `X-MBX-APIKEY` header: -2014 for a bad format, -2015 for an unknown key (401)."""
        if key is None or not _KEY_FORMAT.match(key):
            raise ApiError(-2014, "API-key format invalid.", 401)
        found = self._keys.get(key)
        if found is None:
            raise ApiError(-2015, "Invalid API-key, IP, or permissions for action.", 401)
        return found


def check_timestamp(params: Params, server_ms: int) -> None:
    """The timing rule: `timestamp < server + 1000 and server - timestamp <= recvWindow`, else -1021."""
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
    """What was signed, and the signature: raw query and raw body as sent, joined, without `signature`."""
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
    """HMAC-SHA256, hexadecimal in any case; -1022 where it does not match."""
    if not signature:
        raise missing_parameter("signature")
    expected = hmac.new(key.secret.encode(), text.encode(), hashlib.sha256).digest()
    try:
        given = bytes.fromhex(signature)
    except ValueError:
        given = b""
    if not hmac.compare_digest(expected, given):
        raise ApiError(-1022, "Signature for this request is not valid.")


def ws_signed_text(values: Mapping[str, str]) -> str:
    """What a WS API request signs: all parameters but the signature, sorted by name, unencoded."""
    return "&".join(f"{name}={value}" for name, value in sorted(values.items()) if name != "signature")


def new_listen_key() -> str:
    """64 characters, unguessable."""
    raw = secrets.token_bytes(48)
    return base64.urlsafe_b64encode(raw).decode().replace("-", "A").replace("_", "B")


def load_or_make_keys(state: Path, key: str | None, secret: str | None) -> tuple[str, str, Path | None]:
    """Key and secret of the default account; made once and kept in `DIR/binance_keys`.

    Returns key, secret, and the file they are kept in (None where both were given). The file has the
    vault's format, `api_key=` and `api_secret=` lines, readable by its owner only.
    """
    if key is not None and secret is not None:
        return key, secret, None
    path = state / "binance_keys"
    if path.exists():
        lines = dict(
            line.split("=", 1) for line in path.read_text().splitlines() if "=" in line and line[0] != "#"
        )
        return lines["api_key"].strip(), lines["api_secret"].strip(), path
    made_key, made_secret = secrets.token_hex(32), secrets.token_hex(32)
    temporary = path.with_suffix(".tmp")
    temporary.unlink(missing_ok=True)
    temporary.touch(mode=0o600)
    temporary.write_text(f"api_key={made_key}\napi_secret={made_secret}\n")
    temporary.replace(path)
    return made_key, made_secret, path
