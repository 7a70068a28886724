"""API keys: the account each belongs to, and how its requests are signed."""

import hashlib
import hmac
import json
import re
import secrets
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import msgspec

from gateways.simulator.exchange.model.errors import ApiError
from gateways.simulator.store.journal import StateDamagedError
from gateways.simulator.store.private_file import write_private

_KEY_FORMAT = re.compile(r"^[A-Za-z0-9_-]{1,128}$")


class Signer(Protocol):
    """Checks signatures of one key."""

    @property
    def is_ed25519(self) -> bool:
        """Tell whether the key may log on to a WS API session."""

    def accepts(self, text: str, signature: str) -> bool:
        """Tell whether `signature` is a valid signature of `text`."""


class Secret:
    """A shared secret: HMAC-SHA256, hexadecimal in any case."""

    is_ed25519 = False

    def __init__(self, secret: str) -> None:
        self.value = secret

    def accepts(self, text: str, signature: str) -> bool:
        """Tell whether `signature` was made with the secret."""
        expected = hmac.new(
            self.value.encode(), text.encode("utf-8", "surrogateescape"), hashlib.sha256
        ).digest()
        try:
            given = bytes.fromhex(signature)
        except ValueError:
            return False
        return hmac.compare_digest(expected, given)


@dataclass(frozen=True, slots=True)
class ApiKey:
    """One key of one account. The secret never appears in its representation."""

    key: str
    account: str
    signer: Signer

    def __repr__(self) -> str:
        return f"ApiKey(account={self.account!r})"


class KeyRing:
    """All API keys of the exchange. Those added by `save` are stored in a file and survive a restart."""

    def __init__(self, path: Path | None = None) -> None:
        self._path = path
        self._keys: dict[str, ApiKey] = {}
        self._saved_rows: dict[str, dict[str, str]] = {}

    def load(self, accounts: Iterable[str]) -> None:
        """Register the stored keys, except those of accounts that no longer exist.

        Raises `StateDamagedError` for a file that `save` did not write.
        """
        if self._path is None or not self._path.exists():
            return
        known = frozenset(accounts)
        try:
            for row in msgspec.json.decode(self._path.read_bytes(), type=list[dict[str, str]]):
                if row["account"] in known:
                    self._add_row(row)
                    self._saved_rows[row["key"]] = row
        except (msgspec.DecodeError, KeyError, ValueError) as error:
            raise StateDamagedError(f"{self._path}: not a list of API keys; fix or remove it") from error

    def add(self, key: str, secret: str, account: str) -> ApiKey:
        """Register a key with a shared secret; an existing one is replaced."""
        return self._add(key, Secret(secret), account)

    def add_public(self, pem: str, account: str, key: str | None = None) -> ApiKey:
        """Register a key by its public key. Raises ValueError when that is not valid.

        Without `key` the API key is derived from the public key.
        """
        from gateways.simulator.api.access.public_keys import PublicKey  # noqa: PLC0415 - 50 ms that few runs need

        signer = PublicKey(pem)
        return self._add(key or signer.api_key, signer, account)

    def save(self, key: str, account: str, *, secret: str | None = None, pem: str | None = None) -> None:
        """Register a key, by its secret or its public key, and store it. Raises ValueError."""
        if not _KEY_FORMAT.match(key):
            raise ValueError("key: expected 1 to 128 letters, digits, - and _")
        row = {"key": key, "account": account}
        row |= {"secret": secret} if secret is not None else {"public_key": pem or ""}
        self._add_row(row)
        self._saved_rows[key] = row
        if self._path is not None:
            write_private(self._path, json.dumps(list(self._saved_rows.values())))

    def identify(self, key: str | None) -> ApiKey:
        """Find the key of an `X-MBX-APIKEY` header: -2014 for a bad format, -2015 if unknown (401)."""
        if key is None or not _KEY_FORMAT.match(key):
            raise ApiError(-2014, "API-key format invalid.", 401)
        found = self._keys.get(key)
        if found is None:
            raise ApiError(-2015, "Invalid API-key, IP, or permissions for action.", 401)
        return found

    def _add(self, key: str, signer: Signer, account: str) -> ApiKey:
        self._keys[key] = ApiKey(key, account, signer)
        return self._keys[key]

    def _add_row(self, row: dict[str, str]) -> None:
        if "secret" in row:
            self.add(row["key"], row["secret"], row["account"])
        else:
            self.add_public(row["public_key"], row["account"], row["key"])


def load_or_make_keys(state: Path, key: str | None, secret: str | None) -> tuple[str, str, Path | None]:
    """Return key and secret of the default account, generated once and stored in `DIR/binance_keys`.

    The third value is that file (None when key and secret were given). The file has the vault's format,
    `api_key=` and `api_secret=` lines, and is readable by its owner only. Raises `StateDamagedError`
    when it lacks one of them.
    """
    if key is not None and secret is not None:
        return key, secret, None
    path = state / "binance_keys"
    if path.exists():
        lines = dict(
            line.split("=", 1)
            for line in path.read_text("utf-8", "replace").splitlines()
            if "=" in line and line[0] != "#"
        )
        try:
            return lines["api_key"].strip(), lines["api_secret"].strip(), path
        except KeyError as error:
            raise StateDamagedError(
                f"{path}: expected the lines api_key=... and api_secret=...; fix or remove it"
            ) from error
    made_key, made_secret = secrets.token_hex(32), secrets.token_hex(32)
    write_private(path, f"api_key={made_key}\napi_secret={made_secret}\n")
    return made_key, made_secret, path
