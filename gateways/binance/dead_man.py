"""The exchange's dead man's switch: resting orders are cancelled when the engine has been silent.

The engine's heartbeats feed it; so it fires when engine, gateway or the way to the exchange is dead.
Conditional orders are not touched by it, which is what keeps protective stops in place.
"""

from collections.abc import Callable, Iterable

MIN_COUNTDOWN_MS = 5_000


class DeadManSwitch:
    """`send(symbol, countdown_ms)` asks the exchange; 0 disarms. Called on the event loop."""

    def __init__(self, send: Callable[[str, int], None], monotonic_ns: Callable[[], int]) -> None:
        self._send = send
        self._monotonic_ns = monotonic_ns
        self._fed: dict[str, int] = {}

    @property
    def armed(self) -> frozenset[str]:
        """Symbols whose countdown runs at the exchange, as far as we know."""
        return frozenset(self._fed)

    def heartbeat(self, symbols: Iterable[str], countdown_ms: int) -> None:
        """Feed, four times a countdown at most; a heartbeat without a countdown disarms."""
        now_ns = self._monotonic_ns()
        for symbol in sorted(symbols):
            if countdown_ms <= 0:
                if self._fed.pop(symbol, None) is not None:
                    self._send(symbol, 0)
                continue
            whole_ms = max(countdown_ms, MIN_COUNTDOWN_MS)
            last_ns = self._fed.get(symbol)
            if last_ns is None or now_ns - last_ns >= whole_ms * 1_000_000 // 4:
                self._fed[symbol] = now_ns
                self._send(symbol, whole_ms)

    def failed(self, symbol: str) -> None:
        """The feeding did not arrive: try again at the next heartbeat."""
        if symbol in self._fed:
            self._fed[symbol] = self._monotonic_ns() - 3_600_000_000_000
