"""What led to an order. In client order ids and in the journal a cause is one text: kind and detail."""

from typing import Literal

import msgspec

Moment = Literal["adjusted", "told", "rules", "reconciled", "unprotected", "stop-check", "asked"]
"""Causes that are named by their time: somebody else changed the position, a command concerns resting orders,
the exchange has new rules, it was compared with, a stop is missing, stops are tried out, somebody asked what
would become of an order."""


class Cause(msgspec.Struct, frozen=True):
    """A bar's close, a command, a fill, or a moment. `text` is its kind and, behind a colon, its detail."""

    text: str

    @property
    def kind(self) -> str:
        """The first word: "bar", "command", "fill", or a moment."""
        return self.text.partition(":")[0]

    @property
    def bar_open_time_ns(self) -> int | None:
        """Open time of the bar whose close it is; None for another cause."""
        return int(self.text.rpartition(":")[2]) if self.text.startswith("bar:") else None

    @property
    def is_missing_stop(self) -> bool:
        """Whether a position is left because its stop could not be placed."""
        return self.kind == "unprotected"

    def again(self, now_ns: int) -> "Cause":
        """The same cause a second time: its orders have other ids."""
        return Cause(f"{self.text}:{now_ns}")

    @staticmethod
    def parse(text: str) -> "Cause":
        """The cause that has this text; every text has one."""
        return Cause(text)

    @staticmethod
    def bar(timeframe_ns: int, open_time_ns: int) -> "Cause":
        """The close of one bar."""
        return Cause(f"bar:{timeframe_ns}:{open_time_ns}")

    @staticmethod
    def command(command_id: str) -> "Cause":
        """An operator's command."""
        return Cause(f"command:{command_id}")

    @staticmethod
    def fill(symbol: str, trade_id: int) -> "Cause":
        """A fill, for instance the one that needs a protective stop."""
        return Cause(f"fill:{symbol}:{trade_id}")

    @staticmethod
    def at(moment: Moment, now_ns: int) -> "Cause":
        """Something that happened at that time."""
        return Cause(f"{moment}:{now_ns}")
