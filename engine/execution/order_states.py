"""The life of an order as a lattice: evidence only grows, and the state is a pure function of it.

Evidence of one order joins by OR, maximum and set union, so any arrival order of the same reports, with
any repetition, ends in the same state (confluence). `TRANSITIONS` is the table of legal steps; each leads
forward in rank. A venue's report of an order beats an earlier refusal of it: `REJECTED` may therefore be
left again, which is reported as a contradiction.
"""

from decimal import Decimal
from enum import IntEnum

import msgspec

ZERO = Decimal(0)


class OrderState(IntEnum):
    """Ordered by strength of evidence."""

    INTENDED = 0
    SENT = 1
    UNKNOWN = 2
    REJECTED = 3
    ACCEPTED = 4
    PARTIALLY_FILLED = 5
    EXPIRED = 6
    CANCELED = 7
    FILLED = 8


_S = OrderState
TERMINAL = frozenset({_S.FILLED, _S.CANCELED, _S.EXPIRED, _S.REJECTED})
"""States in which nothing rests at the exchange."""
UNSETTLED = frozenset({_S.INTENDED, _S.SENT, _S.UNKNOWN})
"""States in which we do not know whether the exchange has the order."""

TRANSITIONS: dict[OrderState, frozenset[OrderState]] = {
    state: frozenset(later for later in OrderState if later > state) for state in OrderState
}
"""Legal next states. Rank alone decides: reports may be lost, so any step may be skipped."""

CONTRADICTIONS = frozenset((_S.REJECTED, later) for later in OrderState if later > _S.REJECTED)
"""Legal steps that disprove something we believed."""

_TERMINAL_STATUS = {
    "FILLED": _S.FILLED,
    "CANCELED": _S.CANCELED,
    "EXPIRED": _S.EXPIRED,
    "EXPIRED_IN_MATCH": _S.EXPIRED,
    "REJECTED": _S.REJECTED,
}
_LIVE_STATUS = frozenset({"NEW", "PARTIALLY_FILLED", "TRIGGERING", "TRIGGERED", "FINISHED"})


class Evidence(msgspec.Struct, array_like=True, gc=False):
    """Everything learnt about one order that its state depends on. Each field only grows.

    `refused` is proof that it never reached the book; `seen` that the exchange has known it; `ended` the
    strongest terminal status reported (0: none). `filled_base` is the largest cumulative quantity
    reported, `fills_base` the sum of the distinct fills we hold.
    """

    sent: bool = False
    unknown: bool = False
    refused: bool = False
    seen: bool = False
    ended: int = 0
    filled_base: Decimal = ZERO
    fills_base: Decimal = ZERO

    def learn_status(self, status: str, *, is_algo: bool) -> None:
        """Take in a status word of the exchange. Words we do not know prove only that it is known.

        A conditional order's own FINISHED says nothing of its child; the child's reports do.
        """
        self.seen = True
        if not is_algo or status != "FINISHED":
            self.ended = max(self.ended, _TERMINAL_STATUS.get(status, _S.INTENDED))

    def state(self, qty_base: Decimal) -> OrderState:
        """The state that follows. `qty_base` 0 (close position) is filled only when the venue says so."""
        filled = self.cumulative_base
        if self.ended == _S.FILLED or (ZERO < qty_base <= filled):
            return _S.FILLED
        if self.ended:
            return OrderState(self.ended)
        if filled > ZERO:
            return _S.PARTIALLY_FILLED
        if self.seen:
            return _S.ACCEPTED
        if self.refused:
            return _S.REJECTED
        if self.unknown:
            return _S.UNKNOWN
        return _S.SENT if self.sent else _S.INTENDED

    @property
    def cumulative_base(self) -> Decimal:
        """Filled quantity by the stronger of both counts; never falls."""
        return max(self.filled_base, self.fills_base)

    @property
    def missing_base(self) -> Decimal:
        """Filled by the exchange's count, but without a fill of ours yet."""
        return max(ZERO, self.filled_base - self.fills_base)


def is_known_status(status: str) -> bool:
    """Whether the word is one of the documented ones."""
    return status in _TERMINAL_STATUS or status in _LIVE_STATUS
