"""Pine's verbs on the live exchange: the `Broker` that a `ScriptStrategy` gets.

Verbs are gathered while the script runs on a closed bar and carried out right after. Market entries and
closes go out at once, which is the next open; limit and stop orders rest at the exchange. A script that asks
for what cannot be placed (`verbs.py`) fails alone.
"""

from math import isnan
from typing import Literal

from engine.execution.scripts.book import ScriptBook
from engine.execution.scripts.orders import Exit, RestingEntry
from engine.execution.scripts.verbs import not_shared
from engine.execution.scripts.view import ScriptView
from engine.model.lots import decimal_of
from engine.model.signals import Direction
from engine.strategies.calls import check_call
from engine.strategies.slot import StrategyRefused


def _given(value: float | None) -> float | None:
    return None if value is None or isnan(value) else float(value)


class ScriptBroker(ScriptView):
    """Checks what a script asks for and notes it in its book. `shared`: other strategies trade the symbol."""

    def __init__(self, book: ScriptBook, *, shared: bool = False) -> None:
        super().__init__(book)
        self._shared = shared

    def entry(
        self,
        id: str,
        direction: Direction,
        qty: float | None = None,
        *,
        limit: float | None = None,
        stop: float | None = None,
        oca_name: str = "",
        oca_type: Literal["none", "cancel", "reduce"] = "none",
        comment: str = "",
    ) -> None:
        """Enter, turning an opposite position. At market without `limit` and `stop`."""
        numbers = {"qty": qty, "limit": limit, "stop": stop}
        check_call("entry", {"id": id, "comment": comment}, numbers, direction)
        if oca_name or oca_type != "none":
            raise StrategyRefused("OCA groups cannot be placed live")
        if self._book.muted:
            return
        way = 1 if direction == "long" else -1
        if self._book.is_filling(id, way):
            return  # another entry in that direction would be one too many
        limit, stop, qty = _given(limit), _given(stop), _given(qty)
        if limit is not None and stop is not None:
            raise StrategyRefused("stop-limit entries cannot be placed live")
        if limit is None and stop is None:
            self._book.request_entry(id, way, None if qty is None else decimal_of(qty), comment or id)
            return
        self._refuse_shared("entry.limit" if stop is None else "entry.stop")
        equity = self._book.account.equity if qty is None else None
        priced = RestingEntry(way, qty, limit, stop, comment or id, equity)
        instrument = self._book.instrument
        if instrument is not None and priced.is_met_at_once(instrument):
            self._book.request_entry(id, way, None if qty is None else decimal_of(qty), comment or id)
        else:
            self._book.rest(id, priced)

    def order(self, id: str, direction: Direction, qty: float | None = None, **_: object) -> None:
        """Not placed live: it knows no position, so nothing bounds it."""
        raise StrategyRefused(f"order({id!r}, {direction!r}, {qty}) cannot be placed live; use entry")

    def exit(
        self,
        id: str,
        from_entry: str = "",
        qty: float | None = None,
        *,
        qty_percent: float = 100.0,
        profit: float | None = None,
        limit: float | None = None,
        loss: float | None = None,
        stop: float | None = None,
        trail_price: float | None = None,
        trail_points: float | None = None,
        trail_offset: float | None = None,
        oca_name: str = "",
        comment: str = "",
        comment_profit: str = "",
        comment_loss: str = "",
        comment_trailing: str = "",
    ) -> None:
        """A target, a stop, or both, for every entry of `from_entry` ("" means any), open or pending.

        Each fills once for each entry; without any level it only holds its share of the entry.
        """
        sizes = {"qty": qty, "qty_percent": qty_percent}
        levels = {"profit": profit, "limit": limit, "loss": loss, "stop": stop}
        texts = {"comment_profit": comment_profit, "comment_loss": comment_loss}
        texts |= {"comment": comment, "comment_trailing": comment_trailing}
        check_call("exit", {"id": id, "from_entry": from_entry, **texts}, {**sizes, **levels})
        if oca_name or any(_given(one) is not None for one in (trail_price, trail_points, trail_offset)):
            raise StrategyRefused("trailing exits and OCA groups cannot be placed live")
        profit, limit, loss, stop = map(_given, levels.values())
        if self._book.muted:
            return
        self._refuse_shared("exit")
        call = Exit(from_entry, _given(qty), float(qty_percent), limit, stop, profit, loss, comment or id)
        self._book.place_exit(id, call)

    def close(
        self,
        id: str,
        *,
        comment: str = "",
        qty: float | None = None,
        qty_percent: float = 100.0,
        immediately: bool = False,
    ) -> None:
        """Leave what the entry `id` holds, at market."""
        del immediately
        check_call("close", {"id": id, "comment": comment}, {"qty": qty, "qty_percent": qty_percent})
        held = self._book.held_by(id)
        if self._book.muted or not held:
            return
        given = _given(qty)
        size = decimal_of(given) if given is not None else held * decimal_of(qty_percent) / 100
        self._book.close(id, min(size, held), comment or f"Close {id}")

    def close_all(self, *, comment: str = "", immediately: bool = False) -> None:
        """Leave everything, at market."""
        del immediately
        check_call("close_all", {"comment": comment}, {})
        if not self._book.muted:
            self._book.close_all(comment or "Close position")

    def cancel(self, id: str) -> None:
        """Cancel the resting orders of that id."""
        check_call("cancel", {"id": id}, {})
        if not self._book.muted:
            self._book.cancel(id)

    def cancel_all(self) -> None:
        """Cancel every resting order."""
        if not self._book.muted:
            self._book.cancel_all()

    def _refuse_shared(self, verb: str) -> None:
        """For a script that does not declare in `verbs` what it uses."""
        if self._shared:
            raise StrategyRefused(not_shared(self._book.slot, verb))
