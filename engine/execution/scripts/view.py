"""What a script reads: its position, its trades, and money, as of the close of the bar."""

from collections.abc import Sequence
from math import nan

from engine.execution.scripts.book import ScriptBook
from engine.execution.scripts.trades import OpenTrade
from engine.model.lots import decimal_of


class ScriptView:
    """Of one script on one symbol."""

    def __init__(self, book: ScriptBook) -> None:
        self._book = book

    @property
    def bar_index(self) -> int:
        """Number of the bar, from 0 for the first one this script saw; it goes on over a restart."""
        return self._book.bar_index

    @property
    def position_size(self) -> float:
        """Signed position of this script."""
        return float(self._book.position.qty_base)

    @property
    def position_avg_price(self) -> float:
        """Average entry price, nan while flat."""
        position = self._book.position
        return float(position.entry_price) if position.qty_base else nan

    @property
    def equity(self) -> float:
        """Wallet and open P&L of the account."""
        return float(self._book.account.equity)

    @property
    def net_profit(self) -> float:
        """Realised P&L of this script less its fees."""
        position = self._book.position
        return float(position.realised_pnl - position.fees)

    @property
    def open_profit(self) -> float:
        """Open P&L of this script at the close of the bar."""
        position = self._book.position
        return float(position.unrealised(decimal_of(self._book.close_price))) if position.qty_base else 0.0

    @property
    def initial_capital(self) -> float:
        """The wallet without what this script has earned."""
        return float(self._book.account.wallet_balance) - self.net_profit

    @property
    def open_trades(self) -> Sequence[OpenTrade]:
        """Open trades, oldest first."""
        return tuple(self._book.trades.open)

    @property
    def closed_trades(self) -> int:
        """Number of trades that are closed."""
        return self._book.trades.closed
