"""Which certificates are trusted: one TLS context for orders, other requests and streams."""

import ssl
from functools import lru_cache

import certifi


@lru_cache(maxsize=1)
def client_context() -> ssl.SSLContext:
    """Certificates of the system (SSL_CERT_FILE adds a company's own), and certifi's beside them.

    Python finds none on some installations of macOS, and not all on a fresh Windows. Reading them takes a
    tenth of a second, so it is done once, not at each reconnect beside running streams.
    """
    context = ssl.create_default_context()
    context.load_verify_locations(certifi.where())
    return context
