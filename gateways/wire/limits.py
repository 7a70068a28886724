"""Every bound of the wire in one place."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class WireLimits:
    """Bounds of one server or client.

    `urgent_bytes` bounds order events and replies that wait for one slow reader; over it the connection
    ends. `replay_events` are kept for each of at most `engines` identities. For one slow reader
    `waiting_trades` are kept of each symbol and `waiting_klines` in all, the oldest go first. Socket
    buffers are small so that a slow reader meets conflation, not seconds of old books.
    """

    handshake_seconds: float = 5.0
    heartbeat_seconds: float = 1.0
    idle_seconds: float = 10.0
    urgent_bytes: int = 32 * 1024 * 1024
    replay_events: int = 20_000
    engines: int = 64
    unknown_peers: int = 16
    waiting_trades: int = 1_000
    waiting_klines: int = 4_096
    socket_buffer_bytes: int = 192 * 1024
    unsent_requests_bytes: int = 4 * 1024 * 1024
    first_backoff_seconds: float = 0.05
    longest_backoff_seconds: float = 1.0


DEFAULT_LIMITS = WireLimits()
