"""What a script may read of its position and its money."""

from collections.abc import Sequence

from engine.backtest.broker_desk import Desk
from engine.backtest.ledger import Lot


class BrokerView:
    """Implements the strategies' `PositionView` port: everything as of the last close."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk

    @property
    def bar_index(self) -> int:
        """Number of the bar, from 0."""
        return self._desk.bar_index

    @property
    def position_size(self) -> float:
        """Signed open quantity."""
        return self._desk.ledger.position_size

    @property
    def position_avg_price(self) -> float:
        """Average entry price, nan while flat."""
        return self._desk.ledger.average_price

    @property
    def initial_capital(self) -> float:
        """Account currency at the start."""
        return self._desk.settings.initial_capital

    @property
    def net_profit(self) -> float:
        """Profit of what was closed, less every commission paid so far."""
        return self._desk.ledger.net_profit

    @property
    def open_profit(self) -> float:
        """Gross profit of the open lots at the bar's close."""
        return self._desk.ledger.open_profit(self._desk.close)

    @property
    def equity(self) -> float:
        """Initial capital, net profit and open profit at the last closes, over the whole account."""
        return self._desk.account.equity

    @property
    def mark(self) -> float:
        """Last price of the symbol, nan before its first bar."""
        return self._desk.close

    @property
    def lived_high(self) -> float:
        """Highest price of this bar that the open position saw."""
        return self._desk.lived_high

    @property
    def lived_low(self) -> float:
        """Lowest price of this bar that the open position saw."""
        return self._desk.lived_low

    @property
    def open_trades(self) -> Sequence[Lot]:
        """Open lots, oldest first."""
        return self._desk.ledger.lots

    @property
    def closed_trades(self) -> int:
        """Number of closed trades."""
        return self._desk.ledger.closed_count
