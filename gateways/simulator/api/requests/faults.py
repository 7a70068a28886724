"""Fault injection: wrong responses of endpoints; lost, duplicated or delayed user events."""

import fnmatch
import itertools
from dataclasses import asdict, dataclass, field
from typing import Any, Literal

from gateways.simulator.api.requests.params import Params

FaultKind = Literal[
    "unknown_executed",
    "unknown_not_executed",
    "unavailable",
    "throttled",
    "timeout_executed",
    "timeout_not_executed",
    "internal",
    "rate_limited",
    "banned",
    "forbidden",
    "restricted",
    "cut_before",
    "cut_after",
    "delay_before",
    "delay_after",
    "error",
]
EXECUTED: frozenset[str] = frozenset({"unknown_executed", "timeout_executed", "cut_after", "delay_after"})
_UNKNOWN = b'{"msg":"Unknown error, please check your request or try again later."}'
_TIMEOUT = (
    b'{"code":-1007,"msg":"Timeout waiting for response from backend server. '
    b'Send status unknown; execution status unknown."}'
)


@dataclass(frozen=True, slots=True)
class CannedAnswer:
    """Status, body, content type and headers of a fault's response."""

    status: int
    body: bytes
    content_type: str = "application/json"
    headers: tuple[tuple[str, str], ...] = ()


ANSWERS: dict[str, CannedAnswer] = {
    "unknown_executed": CannedAnswer(503, _UNKNOWN),
    "unknown_not_executed": CannedAnswer(503, _UNKNOWN),
    "unavailable": CannedAnswer(503, b'{"msg":"Service Unavailable."}'),
    "throttled": CannedAnswer(
        503,
        b'{"code":-1008,"msg":"Request throttled by system-level protection. '
        b'Reduce-only/close-position orders are exempt. Please try again."}',
    ),
    "timeout_executed": CannedAnswer(408, _TIMEOUT),
    "timeout_not_executed": CannedAnswer(408, _TIMEOUT),
    "internal": CannedAnswer(
        500, b'{"code":-1001,"msg":"Internal error; unable to process your request. Please try again."}'
    ),
    "rate_limited": CannedAnswer(
        429,
        b'{"code":-1003,"msg":"Too many requests; current limit of IP is 2400 requests per minute."}',
        headers=(("Retry-After", "5"),),
    ),
    "banned": CannedAnswer(
        418,
        b'{"code":-1003,"msg":"Way too many requests; IP banned until {until}."}',
        headers=(("Retry-After", "120"),),
    ),
    "forbidden": CannedAnswer(
        403, b"<html><head><title>403 Forbidden</title></head><body>403</body></html>", "text/html"
    ),
    "restricted": CannedAnswer(
        451, b'{"code":0,"msg":"Service unavailable from a restricted location according to the terms."}'
    ),
}


@dataclass(slots=True)
class Fault:
    """One rule: the next `times` requests (None: all) that match get `kind`.

    `endpoint` is a shell pattern over `METHOD /path`; WS API calls match the path of the same REST call.
    """

    endpoint: str
    kind: FaultKind
    times: int | None = 1
    delay_ms: int = 0
    skip: int = 0
    code: int = -1000
    message: str = "An unknown error occurred while processing the request."
    http_status: int = 400
    retry_after_s: int | None = None
    identifier: int = 0


@dataclass(slots=True)
class EventFault:
    """One rule: the next `times` user events of a type (shell pattern) are lost, duplicated or delayed."""

    event: str
    action: Literal["lose", "duplicate", "delay"]
    times: int | None = 1
    delay_ms: int = 0
    identifier: int = 0


@dataclass(slots=True)
class Faults:
    """All active faults, applied in the order they were added."""

    requests: list[Fault] = field(default_factory=list)
    events: list[EventFault] = field(default_factory=list)
    _numbers: "itertools.count[int]" = field(default_factory=lambda: itertools.count(1))

    def add_request(self, fault: Fault) -> Fault:
        """Add a rule for requests and number it."""
        fault.identifier = next(self._numbers)
        self.requests.append(fault)
        return fault

    def add_event(self, fault: EventFault) -> EventFault:
        """Add a rule for user events and number it."""
        fault.identifier = next(self._numbers)
        self.events.append(fault)
        return fault

    def clear(self) -> None:
        """Remove all faults."""
        self.requests.clear()
        self.events.clear()

    def listing(self) -> dict[str, Any]:
        """Return all rules as data for JSON."""
        return {
            "requests": [asdict(fault) for fault in self.requests],
            "events": [asdict(fault) for fault in self.events],
        }

    def take_request(self, endpoint: str, params: Params) -> Fault | None:
        """Return the fault that applies to this request and count it as used."""
        for fault in self.requests:
            if not fnmatch.fnmatchcase(endpoint, fault.endpoint):
                continue
            if fault.kind == "throttled" and is_exempt(endpoint, params):
                continue
            if fault.skip > 0:
                fault.skip -= 1
                continue
            if fault.times is not None:
                fault.times -= 1
                if fault.times <= 0:
                    self.requests.remove(fault)
            return fault
        return None

    def take_event(self, event: str) -> EventFault | None:
        """Return the fault that applies to this user event and count it as used."""
        for fault in self.events:
            if fnmatch.fnmatchcase(event, fault.event):
                if fault.times is not None:
                    fault.times -= 1
                    if fault.times <= 0:
                        self.events.remove(fault)
                return fault
        return None


def is_exempt(endpoint: str, params: Params) -> bool:
    """Whether the request is exempt from system protection (-1008): cancels and reduce-only orders."""
    if not endpoint.startswith("POST ") or "rder" not in endpoint:
        return True
    side, position_side = params.upper("side"), params.upper("positionSide") or "BOTH"
    if (params.text("closePosition") or "").lower() == "true":
        return True
    if position_side == "BOTH":
        return (params.text("reduceOnly") or "").lower() == "true"
    return (position_side, side) in {("LONG", "SELL"), ("SHORT", "BUY")}
