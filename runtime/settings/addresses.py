"""Checks of the gateway's addresses; each mistake is one sentence."""

import ipaddress
from collections.abc import Mapping
from urllib.parse import urlsplit

EXPECTED = {
    "rest_url": (("https", "http"), ""),
    "public_stream_url": (("wss", "ws"), "/public"),
    "market_stream_url": (("wss", "ws"), "/market"),
    "private_stream_url": (("wss", "ws"), "/private"),
}
"""Schemes with and without encryption, and the end of the path: since 2026-04 a stream requested on the
wrong path is acknowledged and stays silent."""


def check_addresses(environment: str, addresses: Mapping[str, str]) -> None:
    """ValueError for an address of the wrong kind, unencrypted, or of the wrong exchange; "" is skipped."""
    for key, url in addresses.items():
        if url:
            _check(environment, f"gateway.{key}", url, *EXPECTED[key])


def _check(environment: str, key: str, url: str, schemes: tuple[str, str], ending: str) -> None:
    try:
        parts = urlsplit(url)
        host, _ = parts.hostname or "", parts.port
    except ValueError:
        raise ValueError(f"{key} is not an address: {url}") from None
    path = parts.path.rstrip("/")
    if parts.scheme not in schemes or not host or parts.query:
        raise ValueError(f"{key} must begin with {schemes[0]}:// and name a host, it is {url}")
    if not path.endswith(ending) or (path and not ending):
        wanted = f"end in {ending}" if ending else "have no path"
        raise ValueError(f"{key} must {wanted}, it is {url}")
    if parts.scheme != schemes[0] and not _is_loopback(host):
        raise ValueError(f"{key} must begin with {schemes[0]}://, keys are never sent unencrypted")
    if is_real_exchange(host) and environment != "live":
        raise ValueError(f"{key} is the real exchange ({host}), allowed only in live")
    if is_test_exchange(host) and environment == "live":
        raise ValueError(f"{key} is Binance's test exchange ({host}), not allowed in live")


def is_test_exchange(host: str) -> bool:
    """Binance's demo or testnet."""
    return host.endswith("binancefuture.com") or (
        host.endswith("binance.com") and host.startswith(("demo-", "testnet"))
    )


def is_real_exchange(host: str) -> bool:
    """The exchange where orders cost money."""
    return host.endswith("binance.com") and not is_test_exchange(host)


def _is_loopback(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
