"""What led to an order. In client order ids and in the journal a cause is one text: kind and detail."""

from typing import Literal

import msgspec

Moment = Literal["adjusted", "told", "rules", "reconciled", "unprotected", "stop-check"]
"""Causes that are named by their time: somebody else changed the position, a command concerns resting orders,
the exchange has new rules, it was compared with, a stop is missing, stops are tried out."""


class Cause(msgspec.Struct, frozen=True):
    """A bar's close, a command, a fill, or a moment. `detail` None: the text is the kind alone."""

    kind: str
    detail: str | None = None

    @property
    def text(self) -> str:
        """As client order ids and the journal have it."""
        return self.kind if self.detail is None else f"{self.kind}:{self.detail}"

    @property
    def bar_open_time_ns(self) -> int | None:
        """Open time of the bar whose close it is; None for another cause."""
        if self.kind != "bar" or self.detail is None:
            return None
        return int(self.detail.rpartition(":")[2])

    @property
    def is_missing_stop(self) -> bool:
        """Whether a position is left because its stop could not be placed."""
        return self.kind == "unprotected"

    def again(self, now_ns: int) -> "Cause":
        """The same cause a second time: its orders have other ids."""
        return Cause(self.kind, str(now_ns) if self.detail is None else f"{self.detail}:{now_ns}")

    @staticmethod
    def parse(text: str) -> "Cause":
        """The cause that has this text; every text has one."""
        kind, colon, detail = text.partition(":")
        return Cause(kind, detail if colon else None)

    @staticmethod
    def bar(timeframe_ns: int, open_time_ns: int) -> "Cause":
        """The close of one bar."""
        return Cause("bar", f"{timeframe_ns}:{open_time_ns}")

    @staticmethod
    def command(command_id: str) -> "Cause":
        """An operator's command."""
        return Cause("command", command_id)

    @staticmethod
    def fill(symbol: str, trade_id: int) -> "Cause":
        """A fill, for instance the one that needs a protective stop."""
        return Cause("fill", f"{symbol}:{trade_id}")

    @staticmethod
    def at(moment: Moment, now_ns: int) -> "Cause":
        """Something that happened at that time."""
        return Cause(moment, str(now_ns))
