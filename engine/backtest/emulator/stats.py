"""Running statistics that a script may read: drawdown, run-up, wins and losses (Pine's definitions)."""

from math import inf

from engine.backtest.emulator.symbol_state import SymbolState


class BrokerStats:
    """Counts closed trades as they come and follows drawdown and run-up of a symbol's equity bar by bar.

    `max_drawdown` is TradingView's: from the highest realised equity down to the worst mark of what is held
    within a bar, in account currency; `max_drawdown_percent` is of the height it fell from. `max_runup` is
    from the lowest equity at which an entry filled up to the best mark within a bar; its percentage is of the
    height it rose to.
    """

    __slots__ = (
        "_counted",
        "_peak",
        "_seen_fills",
        "_state",
        "even_trades",
        "gross_loss",
        "gross_profit",
        "loss_trades",
        "max_drawdown",
        "max_drawdown_percent",
        "max_runup",
        "max_runup_percent",
        "win_trades",
    )

    def __init__(self, state: SymbolState) -> None:
        self._state = state
        self._counted = 0
        self._seen_fills = 0
        self._peak = state.settings.initial_capital
        self.max_drawdown = 0.0
        self.max_drawdown_percent = 0.0
        self.max_runup = 0.0
        self.max_runup_percent = 0.0
        self.gross_profit = 0.0
        self.gross_loss = 0.0
        self.win_trades = 0
        self.loss_trades = 0
        self.even_trades = 0

    def end_path(self, high: float, low: float) -> None:
        """The bar's fills are done; called before the script runs."""
        state = self._state
        ledger = state.ledger
        if not ledger.lots and self._seen_fills == state.fills:
            return
        self._seen_fills = state.fills
        realised = state.settings.initial_capital + ledger.net_profit
        peak = self._peak
        if realised > peak:
            self._peak = peak = realised
        fall, top = peak - realised, realised
        size = ledger.position_size * state.point_value
        if size:
            average = ledger.average_price
            at_high, at_low = size * (high - average), size * (low - average)
            best, worst = (at_high, at_low) if size > 0.0 else (at_low, at_high)
            if worst < 0.0:
                fall -= worst
            if best > 0.0:
                top += best
        rise = top - state.trough
        if fall > self.max_drawdown:  # noqa: PLR1730  # `max` costs more, on every bar in a position
            self.max_drawdown = fall
        if peak > 0.0 and fall / peak * 100.0 > self.max_drawdown_percent:
            self.max_drawdown_percent = fall / peak * 100.0
        if rise > self.max_runup:  # noqa: PLR1730  # as above
            self.max_runup = rise
        if top > 0.0 and rise / top * 100.0 > self.max_runup_percent:
            self.max_runup_percent = rise / top * 100.0

    def end_calm(self) -> None:
        """Mark the bars since something was last pending: their extremes do what each bar would have."""
        state = self._state
        high, low = state.calm_high, state.calm_low
        if high < low:
            return
        state.calm_high, state.calm_low = -inf, inf
        state.ledger.mark_range(high, low)
        self.end_path(high, low)

    def count(self) -> None:
        """Take in the trades that closed since the last call."""
        trades = self._state.ledger.closed
        for trade in trades[self._counted :]:
            if trade.pnl > 0.0:
                self.win_trades += 1
                self.gross_profit += trade.pnl
            elif trade.pnl < 0.0:
                self.loss_trades += 1
                self.gross_loss -= trade.pnl
            else:
                self.even_trades += 1
        self._counted = len(trades)
