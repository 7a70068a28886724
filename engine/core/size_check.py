"""Warns about a strategy whose default size is below what the exchange takes: it would never trade."""

from engine.core.parts import Parts
from engine.execution.entries.sizing import TooSmall, entry_qty, least_notional
from engine.strategies.slot import StrategySlot
from gateways.wire import messages as wire


class SizeCheck:
    """Looks once a run at each symbol, at its first mark price after account and filters are known."""

    def __init__(self, engine: Parts) -> None:
        self._engine = engine
        self._looked: set[str] = set()

    def on_mark(self, mark: wire.MarkPrice) -> None:
        """The size of each strategy on that symbol, at this price."""
        instrument = self._engine.health.instruments.get(mark.symbol)
        if mark.symbol in self._looked or instrument is None:
            return
        self._looked.add(mark.symbol)
        for slot in self._engine.strategies.slots:
            sentence = self._too_small(slot, mark, instrument) if slot.symbol == mark.symbol else ""
            if sentence:
                self._engine.out.notice("warning", sentence)

    def _too_small(self, slot: StrategySlot, mark: wire.MarkPrice, instrument: wire.Instrument) -> str:
        sizing = slot.sizing
        if sizing.kind == "risk_percent":
            return ""  # only a signal says how far its stop is
        price = float(mark.mark_price)
        try:
            entry_qty(
                sizing,
                price=price,
                equity=self._engine.account.equity,
                risk_distance=0.0,
                instrument=instrument,
            )
        except TooSmall as error:
            size = f"{sizing.kind} {sizing.value:g}"
            least = f"{least_notional(price, instrument):.2f} {instrument.quote_asset}"
            return (
                f"strategy {slot.owner} cannot enter {slot.symbol}: its size, {size}, is too small: {error}; "
                f"the smallest order at {price:g} is {least} "
                f"(notional at least {instrument.min_notional_quote}, step {instrument.qty_step_base})"
            )
        return ""
