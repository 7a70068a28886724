"""Requests as bytes, whole, ready to be written to a connection: what is fixed is made beforehand."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from urllib.parse import urlsplit

from gateways.binance.protocol.signing import Signer, encode


@dataclass(frozen=True, slots=True)
class Origin:
    """Where the exchange answers requests."""

    scheme: str
    host: str
    port: int

    @classmethod
    def of(cls, url: str) -> "Origin":
        """Of `http://host:port` or `https://host`."""
        parts = urlsplit(url)
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise ValueError(f"{url!r} is not an http(s) address")
        return cls(parts.scheme, parts.hostname, parts.port or (443 if parts.scheme == "https" else 80))

    @property
    def host_header(self) -> str:
        """As in `Host:`."""
        default = 443 if self.scheme == "https" else 80
        return self.host if self.port == default else f"{self.host}:{self.port}"


class Requests:
    """Makes the bytes of requests. `timestamp_ms` is read at the last moment.

    `target` is method, path and "?", as in "GET /fapi/v1/order?"; a query is percent-encoded already. With
    `packed` the exchange may compress its answer.
    """

    def __init__(
        self,
        base_url: str,
        signer: Signer,
        timestamp_ms: Callable[[], int],
        window_ms: int,
        *,
        packed: bool = False,
    ) -> None:
        self._sign = signer.sign
        self._timestamp_ms = timestamp_ms
        self._window = f"recvWindow={window_ms}&timestamp="
        head = f" HTTP/1.1\r\nHost: {Origin.of(base_url).host_header}\r\n"
        tail = "Content-Length: 0\r\nUser-Agent: nextbar\r\nAccept: application/json\r\n"
        tail += "Accept-Encoding: gzip\r\n\r\n" if packed else "\r\n"
        self._keyed = f"{head}X-MBX-APIKEY: {signer.api_key}\r\n{tail}"
        self._bare = f"{head}{tail}"

    def signed(self, target: str, query: str) -> bytes:
        """With time, signature and key."""
        separator = "&" if query else ""
        text = self._sign(f"{query}{separator}{self._window}{self._timestamp_ms()}")
        return (target + text + self._keyed).encode("ascii")

    def keyed(self, target: str, query: str = "") -> bytes:
        """With the key and no signature."""
        return (target + query + self._keyed).encode("ascii")

    def public(self, target: str, query: str = "") -> bytes:
        """Without key and signature."""
        return (target + query + self._bare).encode("ascii")


def query_of(params: Mapping[str, object]) -> str:
    """Percent-encoded, in the given order."""
    return "&".join(f"{name}={encode(str(value))}" for name, value in params.items())
