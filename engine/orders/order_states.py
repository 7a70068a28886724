"""The life of an order as a lattice: evidence only grows, and the state is a pure function of it.

Evidence of one order joins by OR and maximum, so any arrival order of the same reports, with any
repetition, ends in the same state (confluence). `TRANSITIONS` lists every step that can be seen; each
leads forward in `Evidence.rank`. Reports may be lost, so steps may be skipped. What the exchange reports of
an order beats an earlier belief that it never arrived: such a step is in `CONTRADICTIONS`.
"""

from decimal import Decimal
from enum import StrEnum

import msgspec

ZERO = Decimal(0)


class OrderState(StrEnum):
    """Where an order is."""

    INTENDED = "INTENDED"
    SENT = "SENT"
    UNKNOWN = "UNKNOWN"
    ACCEPTED = "ACCEPTED"
    PARTIALLY_FILLED = "PARTIALLY_FILLED"
    FILLED = "FILLED"
    CANCELED = "CANCELED"
    EXPIRED = "EXPIRED"
    REJECTED = "REJECTED"


_S = OrderState
TERMINAL = frozenset({_S.FILLED, _S.CANCELED, _S.EXPIRED, _S.REJECTED})
"""States in which nothing rests at the exchange."""
UNSETTLED = frozenset({_S.INTENDED, _S.SENT, _S.UNKNOWN})
"""States in which we do not know whether the exchange has the order."""

_AT_VENUE = frozenset({_S.ACCEPTED, _S.PARTIALLY_FILLED, _S.FILLED, _S.CANCELED, _S.EXPIRED})
TRANSITIONS: dict[OrderState, frozenset[OrderState]] = {
    _S.INTENDED: _AT_VENUE | {_S.SENT, _S.UNKNOWN, _S.REJECTED},
    _S.SENT: _AT_VENUE | {_S.UNKNOWN, _S.REJECTED},
    _S.UNKNOWN: _AT_VENUE | {_S.REJECTED},
    _S.ACCEPTED: (_AT_VENUE | {_S.REJECTED}) - {_S.ACCEPTED},
    _S.PARTIALLY_FILLED: frozenset({_S.FILLED, _S.CANCELED, _S.EXPIRED, _S.REJECTED}),
    _S.REJECTED: _AT_VENUE,
    _S.EXPIRED: frozenset({_S.CANCELED, _S.FILLED}),
    _S.CANCELED: frozenset({_S.FILLED}),
    _S.FILLED: frozenset(),
}
"""Legal next states of each state."""

CONTRADICTIONS = frozenset((before, after) for before in TERMINAL for after in TRANSITIONS[before])
"""Legal steps that disprove what was believed final; somebody should be told."""

_INTENDED, _SENT, _UNKNOWN, _REFUSED, _ACCEPTED, _PARTIAL, _REJECTED, _EXPIRED, _CANCELED, _FILLED = range(10)
_STATE_OF_RANK = (
    _S.INTENDED,
    _S.SENT,
    _S.UNKNOWN,
    _S.REJECTED,
    _S.ACCEPTED,
    _S.PARTIALLY_FILLED,
    _S.REJECTED,
    _S.EXPIRED,
    _S.CANCELED,
    _S.FILLED,
)
_TERMINAL_STATUS = {
    "FILLED": _FILLED,
    "CANCELED": _CANCELED,
    "EXPIRED": _EXPIRED,
    "REJECTED": _REJECTED,
}


class Evidence(msgspec.Struct, array_like=True, gc=False):
    """Everything learnt about one order that its state depends on. Each field only grows.

    `refused` is proof that it never reached the book; `seen` that the exchange has known it; `ended` the
    strongest final status reported (0: none). `filled_base` is the largest cumulative quantity reported,
    `fills_base` the sum of the distinct fills we hold.
    """

    sent: bool = False
    unknown: bool = False
    refused: bool = False
    seen: bool = False
    ended: int = 0
    filled_base: Decimal = ZERO
    fills_base: Decimal = ZERO

    def learn_status(self, status: str) -> None:
        """Take in a status word of the exchange; one that is not final proves only that it was known.

        The end of a conditional order says nothing of the order that it triggered; that one's reports do.
        """
        self.seen = True
        final = _TERMINAL_STATUS.get(status)
        if final is not None and final > self.ended:
            self.ended = final

    def rank(self, qty_base: Decimal) -> int:
        """Strength of the evidence for the present state. It never falls.

        `qty_base` 0 (a close-position order) counts as filled only when the exchange says so.
        """
        filled = self.cumulative_base
        if self.ended == _FILLED or ZERO < qty_base <= filled:
            return _FILLED
        if self.ended:
            return self.ended
        if filled > ZERO:
            return _PARTIAL
        if self.seen:
            return _ACCEPTED
        if self.refused:
            return _REFUSED
        if self.unknown:
            return _UNKNOWN
        return _SENT if self.sent else _INTENDED

    def state(self, qty_base: Decimal) -> OrderState:
        """The state that follows from the evidence."""
        return _STATE_OF_RANK[self.rank(qty_base)]

    @property
    def cumulative_base(self) -> Decimal:
        """Filled quantity by the larger of both counts."""
        return max(self.filled_base, self.fills_base)

    @property
    def missing_base(self) -> Decimal:
        """Filled by the exchange's count, but without a fill of ours yet."""
        return max(ZERO, self.filled_base - self.fills_base)
