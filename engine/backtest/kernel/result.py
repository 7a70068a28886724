"""A backtest's result as arrays; `Trade` objects are made when somebody asks for them."""

from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from engine.backtest.kernel.layout import TEXTS
from engine.model.trades import BacktestResult, Trade


class KernelResult(BacktestResult):
    """A `BacktestResult` over arrays.

    `trade_rows` and `open_trade_rows` are records (`layout.TRADE`) in which `symbol` counts in `symbols` and
    texts in `layout.TEXTS`; `equity_values` is float64, one a bar time.
    """

    symbols: tuple[str, ...]
    trade_rows: NDArray[np.void]
    open_trade_rows: NDArray[np.void]
    equity_values: NDArray[np.float64]

    def __init__(
        self,
        symbols: tuple[str, ...],
        trade_rows: NDArray[np.void],
        open_trade_rows: NDArray[np.void],
        equity_values: NDArray[np.float64],
        initial_capital: float,
        margin_rejects: int,
    ) -> None:
        final = float(equity_values[-1]) if len(equity_values) else initial_capital
        for name, value in (
            ("symbols", symbols),
            ("trade_rows", trade_rows),
            ("open_trade_rows", open_trade_rows),
            ("equity_values", equity_values),
            ("final_equity", final),
            ("margin_rejects", margin_rejects),
        ):
            object.__setattr__(self, name, value)  # the class it extends is frozen

    @cached_property
    def trades(self) -> tuple[Trade, ...]:
        """Closed trades in the order they closed."""
        return trade_objects(self.trade_rows, self.symbols)

    @cached_property
    def open_trades(self) -> tuple[Trade, ...]:
        """Open trades, symbol by symbol."""
        return trade_objects(self.open_trade_rows, self.symbols)

    @cached_property
    def equity(self) -> tuple[float, ...]:
        """Equity at each bar time."""
        return tuple(self.equity_values.tolist())


def trade_objects(rows: NDArray[np.void], symbols: tuple[str, ...]) -> tuple[Trade, ...]:
    """`Trade`s of records."""
    trades = []
    for row in rows.tolist():
        fields = list(row)
        fields[0], fields[6], fields[10] = symbols[row[0]], TEXTS[row[6]], TEXTS[row[10]]
        trades.append(Trade(*fields))
    return tuple(trades)
