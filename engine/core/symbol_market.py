"""What a tick of one symbol needs at hand, in one object, so that a tick costs one lookup."""

from collections.abc import Callable, Sequence

from engine.market_data.aggregator import SymbolBars
from engine.model.bars import Bar, CandleKind
from engine.model.context import Touch


class SymbolMarket(Touch):
    """The newest prices of one symbol and the candles its ticks go to (None: no strategy uses them)."""

    __slots__ = ("add_mid", "add_trade", "symbol")

    def __init__(self, symbol: str) -> None:
        super().__init__()
        self.symbol = symbol
        self.add_mid: Callable[[int, float], Sequence[Bar]] | None = None
        self.add_trade: Callable[[int, float, float], Sequence[Bar]] | None = None

    def connect(self, kind: CandleKind, track: SymbolBars) -> None:
        """Route ticks to the candles of one kind; the exchange's own bars need none."""
        if kind == "mid":
            self.add_mid = track.add
        elif kind == "trade":
            self.add_trade = track.add
