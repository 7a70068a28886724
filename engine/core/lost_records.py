"""Lost records: the exchange knows orders with our own ids that the journal does not have.

The journal was restored from a backup, cut off, or a file of it is missing. What it does not know the engine
would do a second time: entries stop until the operator runs `rebuild`. That assigns the orders at the
exchange to their strategies, with the positions they made; what rests of them is placed again by its
strategy.
"""

from collections.abc import Iterator
from decimal import Decimal

from engine.account.state import AccountStateStore
from engine.execution.sending.order_executor import OrderExecutor
from engine.execution.trade_executor import TradeExecutor
from engine.model.cause import Cause
from engine.model.config import EngineConfig
from engine.model.context import Clock, Outbox
from engine.model.leg import CLOSE, ENTRY
from engine.model.lots import plain
from engine.model.positions import Position
from engine.model.records import LOST, Adjustment, OrderClaimed, RecordsLost
from engine.orders.client_ids import client_order_id
from engine.orders.order_store import Applied, Order, OrderStore
from engine.risk.health import Health
from engine.strategies.manager import StrategyManager
from engine.strategies.slot import StrategySlot
from runtime.control.shown import counted

_BARS_BACK = 3
_ATTEMPTS = 3
_ZERO = Decimal(0)


class LostRecords:
    """Detects lost records, reports them, rebuilds them on command. `text` says what is known ("": none)."""

    def __init__(
        self,
        config: EngineConfig,
        clock: Clock,
        out: Outbox,
        health: Health,
        store: OrderStore,
        account: AccountStateStore,
        orders: OrderExecutor,
        trades: TradeExecutor,
        strategies: StrategyManager,
    ) -> None:
        self._config = config
        self._clock = clock
        self._out = out
        self._health = health
        self._store = store
        self._account = account
        self._orders = orders
        self._trades = trades
        self._strategies = strategies
        self.text = ""

    def restore(self, text: str) -> None:
        """What the journal itself says; it is reported at each start, for it blocks entries."""
        self.text = text
        self._health.records_known = not text
        if text:
            say = self._config.ctl("rebuild")
            ways_out = f"no entries until you run {say} or restore the newest journal"
            self._out.notice("critical", f"{text}; {ways_out}")

    def on_applied(self, applied: Applied) -> None:
        """A report from the exchange: an unknown order with our own id proves that records are lost."""
        order = applied.order
        if not applied.created or order.intent.strategy != LOST:
            return
        what = f"order {order.client_order_id} on {order.intent.symbol}"
        text = f"{what} was sent by this engine and is not in the journal"
        if self.text:
            self._out.notice("info", text)
            return
        self._out.append(RecordsLost(text, self._clock.now_ns))
        self.restore(f"records are lost: {text}, which is older than the exchange")

    def rebuild(self) -> tuple[bool, str]:
        """Assign orders and positions to their strategies. Returns whether all were, and what was done."""
        if not self.text:
            return True, "the journal lacks no record that is known of: nothing to rebuild"
        if not (self._health.connected and self._health.reconciled):
            return False, "the exchange's history has not been read yet: try again when it has been"
        lost = self._store.lost_orders()
        symbols = sorted({order.intent.symbol for order in lost})
        said = [sentence for symbol in symbols for sentence in self._take_over(symbol, lost)]
        left = [f"{plain(one.qty_base)} {one.symbol}" for one in self._lost_positions() if one.qty_base]
        took = "; ".join(said) or "no order of the exchange was missing here"
        if left:
            return False, (
                f"{took}; of no strategy that is known: {', '.join(left)}. Close it (kill, or by hand), then "
                "run rebuild again"
            )
        self._out.append(RecordsLost("", self._clock.now_ns))
        self.restore("")
        return True, f"taken over: {took}; entries are possible again"

    def _lost_positions(self) -> Iterator[Position]:
        return (position for owner, position in self._account.strategy_positions() if owner == LOST)

    def _take_over(self, symbol: str, lost: list[Order]) -> list[str]:
        """Sentences about each owner's orders and position."""
        by_owner: dict[str, list[Order]] = {}
        for order in lost:
            if order.intent.symbol == symbol:
                by_owner.setdefault(self._owner_of(order), []).append(order)
        said = []
        only_one = len(by_owner) == 1
        by_owner.pop("", None)
        for owner, orders in by_owner.items():
            # Somebody else may have closed a part of it by hand: then there is less than was filled.
            whole = self._account.strategy_position(LOST, symbol).qty_base
            moved = whole if only_one else sum((_signed_fills(order) for order in orders), start=_ZERO)
            resting = [order for order in orders if order.is_open]
            for order in orders:
                self._store.claim(order.client_order_id, owner)
                self._out.append(OrderClaimed(order.client_order_id, owner, self._clock.now_ns))
            self._move(symbol, owner, moved)
            held = plain(self._account.strategy_position(owner, symbol).qty_base)
            again = f", {counted(len(resting), 'resting order')} replaced by its own" if resting else ""
            said.append(f"{owner} {counted(len(orders), 'order')} on {symbol}, now holds {held}{again}")
            self._trades.on_position_adjusted(symbol)
            for order in resting:
                self._orders.cancel(order, "rebuild")
        return said

    def _move(self, symbol: str, owner: str, moved: Decimal) -> None:
        """A position from LOST to its owner, as a pair of adjustments that cancel out."""
        if not moved:
            return
        theirs = self._account.strategy_position(LOST, symbol)
        ours = self._account.strategy_position(owner, symbol)
        entry_price = _entry_price(ours, moved, theirs.entry_price)
        for whose, qty, price in ((owner, moved, entry_price), (LOST, -moved, theirs.entry_price)):
            adjustment = Adjustment(
                symbol,
                whose,
                qty,
                price,
                "records of its orders were lost",
                "orders with our own ids in the exchange's history",
                self._clock.now_ns,
                between_owners=True,
            )
            self._account.on_adjustment(adjustment)
            self._out.append(adjustment)

    def _owner_of(self, order: Order) -> str:
        """The symbol's only strategy, or the one for which the id comes out the same ("": none)."""
        slots = [slot for slot in self._strategies.slots if slot.symbol == order.intent.symbol]
        if len(slots) == 1:
            return slots[0].owner
        return next((slot.owner for slot in slots if self._is_of(slot, order)), "")

    def _is_of(self, slot: StrategySlot, order: Order) -> bool:
        """Whether the strategy would have sent it after one of the bars before it."""
        length_ns = slot.timeframe_ns
        newest_ns = order.intent.time_ns // length_ns * length_ns
        return any(
            order.client_order_id
            == client_order_id(
                self._config.engine_id,
                strategy=slot.owner,
                symbol=slot.symbol,
                cause=Cause.bar(length_ns, newest_ns - back * length_ns),
                leg=leg,
                attempt=attempt,
            )
            for back in range(_BARS_BACK + 1)
            for leg in (ENTRY, CLOSE)
            for attempt in range(_ATTEMPTS)
        )


def _signed_fills(order: Order) -> Decimal:
    filled = order.evidence.fills_base
    return filled if order.intent.side == "BUY" else -filled


def _entry_price(held: Position, added: Decimal, price: Decimal) -> Decimal:
    """Entry price of a position after `added` at `price`."""
    after = held.qty_base + added
    if held.qty_base * added > _ZERO:
        return (held.qty_base * held.entry_price + added * price) / after
    return held.entry_price if held.qty_base * after > _ZERO else price
