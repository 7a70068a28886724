"""What the exchange says it cannot answer at present, for people."""

from collections.abc import Callable
from urllib.parse import parse_qs, urlsplit

from gateways.binance.protocol.classify import Failure

UNABLE = -1001
KEPT = 32
KEPT_NS = 60_000_000_000
"""A text is dropped after this long without the same request."""
TEXT_CHARACTERS = 240
_STANDARD = "Internal error; unable to process your request. Please try again."


class UnansweredRequests:
    """Keeps, by endpoint and symbol, the text of an answer -1001 until the same request succeeds."""

    def __init__(self, now_ns: Callable[[], int]) -> None:
        self._now_ns = now_ns
        self._said: dict[tuple[str, str], tuple[int, str]] = {}

    def note(self, url: str, failure: Failure | None) -> None:
        """An answer to a request of that URL."""
        parts = urlsplit(url)
        key = (parts.path, parse_qs(parts.query).get("symbol", [""])[0])
        self._said.pop(key, None)
        if failure is not None and failure.code == UNABLE:
            if len(self._said) >= KEPT:
                del self._said[next(iter(self._said))]
            self._said[key] = (self._now_ns(), _in_short(failure.message))

    @property
    def text(self) -> str:
        """The newest texts, each once; "" when all recent requests were answered."""
        now_ns = self._now_ns()
        told = dict.fromkeys(
            text for at_ns, text in reversed(self._said.values()) if 0 <= now_ns - at_ns <= KEPT_NS
        )
        text = "; ".join(told)
        return text if len(text) <= TEXT_CHARACTERS else text[: TEXT_CHARACTERS - 3] + "..."


def _in_short(message: str) -> str:
    """Without the standard beginning of such answers, where more follows."""
    more = message.removeprefix(_STANDARD).strip()
    return more.removeprefix("(").removesuffix(")") if more else message
