"""HMAC-SHA256 signatures of signed requests."""

import hashlib
import hmac
from urllib.parse import quote


class Signer:
    """Signs query strings with one account's keys. Printing it shows no secret."""

    __slots__ = ("_secret", "api_key")

    def __init__(self, api_key: str, secret: str) -> None:
        self.api_key = api_key
        self._secret = secret.encode()

    def __repr__(self) -> str:
        return "Signer(***)"

    def sign(self, query: str) -> str:
        """`query` with its signature appended; sign exactly what is sent, already percent-encoded."""
        mac = hmac.digest(self._secret, query.encode("ascii"), hashlib.sha256)
        return f"{query}&signature={mac.hex()}"


def encode(text: str) -> str:
    """Percent-encode one value as UTF-8. Symbols may be Chinese."""
    return quote(text, safe="")
