"""Audit events: what the engine reports beside its journal; nothing depends on them.

The audit stream that people and programs watch is the journal's records and these, in order.
"""

from decimal import Decimal
from typing import Literal

import msgspec

from engine.model.bars import Bar
from engine.model.timeframes import timeframe_text, utc_text
from runtime.control.shown import ShowPrice

Severity = Literal["info", "warning", "critical"]


class AuditBase(msgspec.Struct, frozen=True, gc=False, tag=True):
    """Base of audit events; the tag says which kind it is."""

    @property
    def severity(self) -> Severity:
        """How severe it is for a person."""
        return "info"


class Ready(AuditBase, frozen=True, tag="ready"):
    """The first tick of a symbol arrived."""

    time_ns: int
    symbol: str
    bid: float
    ask: float

    def line(self, price: ShowPrice) -> str:
        """One line for a person."""
        bid, ask = price(self.symbol, self.bid), price(self.symbol, self.ask)
        return f"READY {self.symbol} bid {bid} ask {ask}"


class CandleClosed(AuditBase, frozen=True, tag="candle"):
    """A bar was closed and delivered."""

    time_ns: int
    bar: Bar

    def line(self, price: ShowPrice) -> str:
        """One line for a person."""
        bar = self.bar
        open_, high, low, close = (price(bar.symbol, one) for one in (bar.open, bar.high, bar.low, bar.close))
        return (
            f"{bar.symbol} {timeframe_text(bar.timeframe_ns)} {bar.kind} "
            f"open {open_} high {high} low {low} close {close} "
            f"ticks {bar.ticks}{_FLAG_WORDS[bar.flags & 15]}"
        )


class CandleMarked(AuditBase, frozen=True, tag="late"):
    """A tick of a closed bar arrived late; it was dropped and the bar is marked."""

    time_ns: int
    bar: Bar

    def line(self, _price: ShowPrice) -> str:
        """One line for a person."""
        bar = self.bar
        opened = f"{bar.symbol} {timeframe_text(bar.timeframe_ns)} opened {utc_text(bar.open_time_ns)}"
        return f"{opened}: late tick dropped"


class PositionChanged(AuditBase, frozen=True, tag="position"):
    """The position our fills make on one symbol, what it has earned, and the mark price that would liquidate
    the account (None: flat or not known, 0: none would)."""

    time_ns: int
    symbol: str
    qty_base: Decimal
    entry_price: Decimal
    realised_pnl: Decimal
    unrealised_pnl: Decimal
    fees: Decimal
    liquidation_price: Decimal | None = None

    def line(self, price: ShowPrice) -> str:
        """One line for a person."""
        held = f"{self.qty_base.normalize():f} at {price(self.symbol, self.entry_price)}"
        text = (
            f"{self.symbol} {held if self.qty_base else 'flat'} realised {self.realised_pnl:.4f} "
            f"unrealised {self.unrealised_pnl:.4f} fees {self.fees:.4f}"
        )
        if self.liquidation_price:
            text += f" liquidation {price(self.symbol, self.liquidation_price)}"
        return text


class StrategyChanged(AuditBase, frozen=True, tag="strategy"):
    """A strategy changed its state: warming, running, paused, stopped, failed."""

    time_ns: int
    strategy: str
    symbol: str
    state: str
    reason: str
    trace: str = ""
    """Where in a strategy's code it failed, many lines; for the log."""

    @property
    def severity(self) -> Severity:
        """Failure is critical."""
        return "critical" if self.state == "failed" else "info"

    def line(self, _price: ShowPrice) -> str:
        """One line for a person."""
        return f"{self.strategy} on {self.symbol} is {self.state}{': ' + self.reason if self.reason else ''}"


class HealthChanged(AuditBase, frozen=True, tag="health"):
    """Whether entries are possible; `blockers` says what prevents them (empty: nothing)."""

    time_ns: int
    blockers: tuple[str, ...]
    is_starting: bool = False
    """Entries have not been possible yet since the start, which is no fault."""

    @property
    def severity(self) -> Severity:
        """Being unable to enter is a warning."""
        return "warning" if self.blockers and not self.is_starting else "info"

    def line(self, _price: ShowPrice) -> str:
        """One line for a person."""
        return "entries blocked: " + "; ".join(self.blockers) if self.blockers else "entries open"


class Notice(AuditBase, frozen=True, tag="notice"):
    """Any other line for a person."""

    time_ns: int
    level: Severity
    text: str

    @property
    def severity(self) -> Severity:
        """As given."""
        return self.level

    def line(self, _price: ShowPrice) -> str:
        """One line for a person."""
        return self.text


class Answer(AuditBase, frozen=True, tag="answer"):
    """What became of a command."""

    time_ns: int
    command_id: str
    ok: bool
    text: str

    def line(self, _price: ShowPrice) -> str:
        """One line for a person."""
        return self.text


AuditEvent = (
    Ready | CandleClosed | CandleMarked | PositionChanged | StrategyChanged | HealthChanged | Notice | Answer
)

_FLAG_WORDS = tuple(
    "".join(
        f" {word}"
        for bit, word in ((1, "empty"), (2, "suspect"), (4, "backfilled"), (8, "late-tick"))
        if flags & bit
    )
    for flags in range(16)
)
