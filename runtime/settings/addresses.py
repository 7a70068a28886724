"""Whether the gateway's addresses can be what they are taken for; each mistake is one sentence."""

import ipaddress
from collections.abc import Mapping
from urllib.parse import urlsplit

EXPECTED = {
    "rest_url": (("https", "http"), ""),
    "public_stream_url": (("wss", "ws"), "/public"),
    "market_stream_url": (("wss", "ws"), "/market"),
    "private_stream_url": (("wss", "ws"), "/private"),
}
"""Scheme with and without encryption, and how the path ends: since 2026-04 a stream asked for on the wrong
path is acknowledged and silent."""


def check_addresses(environment: str, addresses: Mapping[str, str]) -> None:
    """ValueError for one of the wrong kind, unencrypted, or of the wrong exchange; "" is passed over."""
    for key, url in addresses.items():
        if url:
            _check(environment, f"gateway.{key}", url, *EXPECTED[key])


def _check(environment: str, key: str, url: str, schemes: tuple[str, str], ending: str) -> None:
    try:
        parts = urlsplit(url)
        host, _ = parts.hostname or "", parts.port
    except ValueError:
        raise ValueError(f"{key} is no address: {url}") from None
    path = parts.path.rstrip("/")
    if parts.scheme not in schemes or not host or parts.query:
        raise ValueError(f"{key} must begin with {schemes[0]}:// and name a host, it is {url}")
    if not path.endswith(ending) or (path and not ending):
        wanted = f"end in {ending}" if ending else "have no path"
        raise ValueError(f"{key} must {wanted}, it is {url}")
    if parts.scheme != schemes[0] and not _is_loopback(host):
        raise ValueError(f"{key} must begin with {schemes[0]}://, keys do not travel unencrypted")
    if is_real_exchange(host) and environment != "live":
        raise ValueError(f"{key} is the real exchange ({host}), which only live may name")
    if is_test_exchange(host) and environment == "live":
        raise ValueError(f"{key} is Binance's test exchange ({host}), which live may not name")


def is_test_exchange(host: str) -> bool:
    """Binance's demo or testnet."""
    return host.endswith("binancefuture.com") or (
        host.endswith("binance.com") and host.startswith(("demo-", "testnet"))
    )


def is_real_exchange(host: str) -> bool:
    """Where orders cost money."""
    return host.endswith("binance.com") and not is_test_exchange(host)


def _is_loopback(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
