"""What an answer, or its absence, says about a request: done, not done, or unknown.

Decided by HTTP status and numeric code; by text only where Binance gives nothing else (its three kinds of
503). An undocumented code proves nothing, so the outcome is unknown.
"""

from dataclasses import dataclass
from enum import Enum
from http import HTTPStatus

from gateways.wire.messages import Outcome, Reply
from gateways.wire.words import Refusal


class Kind(Enum):
    """What the request would have changed. A read changes nothing, so its failure is never ambiguous."""

    SUBMIT = "submit"
    CANCEL = "cancel"
    AMEND = "amend"
    SETTING = "setting"
    READ = "read"


class Hint(Enum):
    """What the gateway does besides reporting the outcome."""

    NONE = "none"
    RESOLVE = "resolve"
    """Ask the exchange about this order: it may be there, or be gone."""
    CLOCK = "clock"
    """Measure the clock offset again."""
    LIMITED = "limited"
    """Send nothing more of this pool for a while."""
    BANNED = "banned"
    """Send nothing at all until told."""
    BLOCKED = "blocked"
    """A proxy or firewall before the exchange answers: wait, but keep trying exits and cancels."""
    RULES = "rules"
    """Filters may have changed: read exchangeInfo again."""
    MODE = "mode"
    """The account may be in hedge mode: check it."""
    KEYS = "keys"
    """The API key is refused: it may have lost its rights."""


@dataclass(frozen=True, slots=True)
class Failure:
    """Outcome of a request that did not succeed, with Binance's code (0: none) and text."""

    outcome: Outcome
    code: int
    message: str
    hint: Hint = Hint.NONE
    status: int = 0

    @property
    def refusal(self) -> Refusal:
        """What an engine is told beside the code."""
        return refusal_of(self.code)

    def reply(self, request_id: int, sent_ns: int = 0, answered_ns: int = 0) -> Reply:
        """The answer to an engine's request that failed so."""
        return Reply(
            request_id, self.outcome, self.code, self.message, None, sent_ns, answered_ns, self.refusal
        )


REFUSALS: dict[int, Refusal] = {
    -2021: Refusal.WOULD_TRIGGER,
    **dict.fromkeys((-2022, -4118), Refusal.NOTHING_TO_REDUCE),
    **dict.fromkeys((-1111, -4003, -4004, -4005, -4013, -4014, -4023, -4164), Refusal.OFF_GRID),
    **dict.fromkeys((-2018, -2019), Refusal.MARGIN),
    **dict.fromkeys((-1003, -1015), Refusal.RATE),
    **dict.fromkeys((-1022, -2014, -2015), Refusal.KEY),
    **dict.fromkeys((-1121, -4061, -4088, -4109), Refusal.NOT_ALLOWED),
    **dict.fromkeys((-4140, -4141, -4142, -4402, -4403), Refusal.NOT_ALLOWED),
}
"""Codes that say more to an engine than that it was refused."""
_INVALID = range(-1199, -1099)
"""Parameters the exchange does not understand, but for the codes above."""


def refusal_of(code: int) -> Refusal:
    """The wire's word for an error code of Binance; NONE for 0, no code."""
    if code >= 0:
        return Refusal.NONE
    return REFUSALS.get(code, Refusal.INVALID if code in _INVALID else Refusal.OTHER)


_RULES = {-1111, -1122, -4003, -4004, -4005, -4013, -4014, -4023, -4140, -4141, -4164}
"""Precision, tick, step and limits; and a symbol whose status has changed."""
_ALREADY_SO = {-4046, -4059, -4171, -5027}
_REFUSING = (range(-1199, -1010), range(-2099, -2009), range(-4999, -3999), range(-5199, -4999))
"""Documented families of business errors: the request reached the exchange and was turned down."""


def network_failure(kind: Kind, message: str, *, bytes_left: bool) -> Failure:
    """The connection failed or the answer did not come in time."""
    if bytes_left and kind is not Kind.READ:
        return Failure("unknown", 0, message, Hint.RESOLVE)
    return Failure("transient", 0, message)


def classify(kind: Kind, status: int, code: int, text: str) -> Failure | None:
    """None when the request was done. `code` 0 when the body had none."""
    if 200 <= status < 300 and code >= 0:
        return None
    if code in _ALREADY_SO:
        return None
    outcome, hint = _outcome(status, code, text)
    if outcome == "unknown" and kind is Kind.READ:
        outcome = "transient"
    return Failure(outcome, code, _in_short(status, text), hint, status)


def _in_short(status: int, text: str) -> str:
    """The text of the answer; of an HTML page only its status."""
    if not text.lstrip("\ufeff \t\r\n").startswith("<"):
        return text or f"HTTP {status}"
    phrase = HTTPStatus(status).phrase if status in _STATUSES else "HTTP status"
    return f"{status} {phrase}, an HTML page"


_STATUSES = frozenset(HTTPStatus)
_BY_STATUS: dict[int, tuple[Outcome, Hint]] = {
    418: ("transient", Hint.BANNED),
    429: ("transient", Hint.LIMITED),
}
_BY_CODE: dict[int, tuple[Outcome, Hint]] = {
    -1000: ("unknown", Hint.RESOLVE),
    -1003: ("transient", Hint.LIMITED),
    -1006: ("unknown", Hint.RESOLVE),
    -1007: ("unknown", Hint.RESOLVE),
    -1008: ("transient", Hint.NONE),
    -1015: ("transient", Hint.LIMITED),
    -1021: ("transient", Hint.CLOCK),
    -5028: ("transient", Hint.CLOCK),
    -2011: ("not_found", Hint.RESOLVE),
    -2013: ("not_found", Hint.RESOLVE),
    -2014: ("refused", Hint.KEYS),
    -2015: ("refused", Hint.KEYS),
    -4061: ("refused", Hint.MODE),
    -4116: ("unknown", Hint.RESOLVE),
}
_CLIENT_ERRORS: dict[int, tuple[Outcome, Hint]] = {
    401: ("refused", Hint.KEYS),
    403: ("transient", Hint.BLOCKED),
    404: ("refused", Hint.NONE),
    408: ("unknown", Hint.RESOLVE),
    451: ("refused", Hint.NONE),
}


def _outcome(status: int, code: int, text: str) -> tuple[Outcome, Hint]:
    """The most telling fact first: a ban, then the code, then the status."""
    known = _BY_STATUS.get(status) or _BY_CODE.get(code)
    if known is not None:
        return known
    if status >= 500:
        return _server_error(status, code, text)
    if status in _CLIENT_ERRORS:
        return _CLIENT_ERRORS[status]
    if status == 400 and any(code in family for family in _REFUSING):
        return "refused", Hint.RULES if code in _RULES else Hint.NONE
    return "unknown", Hint.RESOLVE


def _server_error(status: int, code: int, text: str) -> tuple[Outcome, Hint]:
    """5xx: "Service Unavailable." (503) and code -1001 are certain failures, the rest is not certain."""
    if code == -1001 or "unable to process your request" in text:
        return "transient", Hint.NONE
    if status == 503 and text.strip().rstrip(".").lower() == "service unavailable":
        return "transient", Hint.NONE
    return "unknown", Hint.RESOLVE
