"""How near the account is to liquidation, as marks and fills move it."""

from collections.abc import Callable
from decimal import Decimal
from typing import Literal

from engine.account.margin import HeldPosition, MarginCalculator
from engine.account.state import AccountStateStore
from gateways.wire.messages import Instrument

ZERO = Decimal(0)
WARN_AT, ALARM_AT = Decimal("0.5"), Decimal("0.8")
"""Shares of the margin balance that the maintenance margin takes; the account is liquidated at 1."""
_BACK_BY = Decimal("0.1")

Tell = Callable[[Literal["warning", "critical"], str], None]


class MarginWatch:
    """Asks the margin calculator about the account, and tells once each time it gets nearer the end."""

    def __init__(self, account: AccountStateStore, tell: Tell) -> None:
        self._account = account
        self._tell = tell
        self._calculator = MarginCalculator()
        self._stage = 0

    def on_instrument(self, instrument: Instrument) -> None:
        """Take brackets and leverage, where the exchange has told them."""
        if instrument.brackets and instrument.leverage >= 1:
            self._calculator.on_instrument(instrument)

    def liquidation_price(self, symbol: str) -> Decimal | None:
        """Mark price at which the account is liquidated, the other marks unchanged.

        None while flat or not known, 0 where no price does it.
        """
        held = self._held()
        if held is None or all(position.symbol != symbol for position in held):
            return None
        return self._calculator.liquidation_price(symbol, self._account.wallet_balance, held)

    def look(self) -> None:
        """After a mark price: tell when the maintenance margin has passed half or four fifths of what is
        there."""
        held = self._held()
        if not held:
            self._stage = 0
            return
        margin = self._calculator.of_account(self._account.wallet_balance, held)
        used = margin.maintenance / margin.margin_balance if margin.margin_balance > ZERO else Decimal(1)
        stage = (used >= WARN_AT) + (used >= ALARM_AT)
        if stage > self._stage:
            level: Literal["warning", "critical"] = "critical" if stage > 1 else "warning"
            self._tell(level, f"maintenance margin takes {100 * used:.0f} % of the margin balance")
            self._stage = stage
        elif used < (WARN_AT, WARN_AT, ALARM_AT)[self._stage] - _BACK_BY:
            self._stage = stage

    def _held(self) -> list[HeldPosition] | None:
        """Positions as margin sees them; None where a mark price or brackets of one are not known."""
        held = []
        for position in self._account.positions():
            if not position.qty_base:
                continue
            mark = self._account.mark(position.symbol)
            if mark is None or not self._calculator.knows(position.symbol):
                return None
            held.append(HeldPosition(position.symbol, position.qty_base, position.entry_price, mark))
        return held
