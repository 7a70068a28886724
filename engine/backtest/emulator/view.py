"""What a script may read of its position and its money."""

from collections.abc import Sequence
from math import ceil, floor, nan

from engine.backtest.emulator.ledger import Lot
from engine.backtest.emulator.margin import margin_ratio
from engine.backtest.emulator.stats import BrokerStats
from engine.backtest.emulator.symbol_state import SymbolState
from engine.model.trades import Trade


class BrokerView:
    """Implements the strategies' `PositionView` port, and more that only a backtest knows.

    Everything is as of the last close. Pine's names, in the house's spelling.
    """

    def __init__(self, state: SymbolState) -> None:
        self._state = state
        self._stats = BrokerStats(state)

    @property
    def bar_index(self) -> int:
        """Number of the bar, from 0."""
        return self._state.bar_index

    @property
    def position_size(self) -> float:
        """Signed open quantity."""
        return self._state.ledger.position_size

    @property
    def position_avg_price(self) -> float:
        """Average entry price, nan while flat."""
        return self._state.ledger.average_price

    @property
    def initial_capital(self) -> float:
        """Account currency at the start."""
        return self._state.settings.initial_capital

    @property
    def net_profit(self) -> float:
        """Profit of what was closed, less every commission paid so far."""
        return self._state.ledger.net_profit

    @property
    def open_profit(self) -> float:
        """Gross profit of the open lots at the bar's close."""
        return self._state.ledger.open_profit(self._state.close)

    @property
    def equity(self) -> float:
        """Initial capital, net profit and open profit at the last closes, over the whole account."""
        return self._state.account.equity

    @property
    def mark(self) -> float:
        """Last price of the symbol, nan before its first bar."""
        return self._state.close

    @property
    def lived_high(self) -> float:
        """Highest price of this bar that the open position saw."""
        return self._state.lived_high

    @property
    def lived_low(self) -> float:
        """Lowest price of this bar that the open position saw."""
        return self._state.lived_low

    @property
    def open_trades(self) -> Sequence[Lot]:
        """Open lots, oldest first."""
        self._stats.end_calm()
        return self._state.ledger.lots

    @property
    def closed_trades(self) -> int:
        """Number of closed trades."""
        return self._state.ledger.closed_count

    def closed_trade(self, number: int) -> Trade:
        """A closed trade, from 0 in the order they closed; negative numbers count from the last one."""
        return self._state.ledger.closed[number]

    @property
    def win_trades(self) -> int:
        """Closed trades with a profit."""
        return self._counted().win_trades

    @property
    def loss_trades(self) -> int:
        """Closed trades with a loss."""
        return self._counted().loss_trades

    @property
    def even_trades(self) -> int:
        """Closed trades with neither."""
        return self._counted().even_trades

    @property
    def gross_profit(self) -> float:
        """Sum of the winning trades."""
        return self._counted().gross_profit

    @property
    def gross_loss(self) -> float:
        """Sum of the losing trades, positive, with the entry commissions of what is open."""
        loss = self._counted().gross_loss
        for lot in self._state.ledger.lots:
            loss += lot.commission
        return loss

    @property
    def max_drawdown(self) -> float:
        """Largest fall from the highest realised equity, in account currency."""
        self._stats.end_calm()
        return self._stats.max_drawdown

    @property
    def max_drawdown_percent(self) -> float:
        """The largest fall as a percentage of the height it fell from."""
        self._stats.end_calm()
        return self._stats.max_drawdown_percent

    @property
    def max_runup(self) -> float:
        """Largest rise from the lowest equity at which an entry filled, in account currency."""
        self._stats.end_calm()
        return self._stats.max_runup

    @property
    def max_runup_percent(self) -> float:
        """The largest rise as a percentage of the height it reached."""
        self._stats.end_calm()
        return self._stats.max_runup_percent

    @property
    def position_entry_name(self) -> str:
        """Id of the oldest open entry, "" while flat."""
        entries = self._state.entries
        return entries[0].id if entries else ""

    @property
    def margin_liquidation_price(self) -> float:
        """Where TradingView's margin call would come: down to the tick for a long, up for a short.

        nan where there is none: while flat, without margin, and for a long at margin 100, whose need and
        whose worth move alike.
        """
        state = self._state
        size = state.ledger.position_size * state.point_value
        ratio = margin_ratio(state, 1 if size > 0 else -1)
        if not size or not ratio:
            return nan
        slope = size - abs(size) * ratio
        if not slope:
            return nan
        money = state.settings.initial_capital + state.ledger.net_profit
        price = (size * state.ledger.average_price - money) / slope
        steps = floor(price / state.tick) if size > 0 else ceil(price / state.tick)
        return steps * state.tick

    def _counted(self) -> BrokerStats:
        self._stats.count()
        return self._stats
