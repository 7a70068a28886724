"""A second reading of the journal that turns records into table rows."""

from decimal import Decimal
from typing import Any

import msgspec
import sqlalchemy as sa

from engine.account.state import AccountState, AccountStateStore
from engine.model.positions import Position
from engine.model.records import (
    AccountReport,
    Adjustment,
    EquityMark,
    Fill,
    Intent,
    JournalRecord,
    OrderClaimed,
    Signal,
    Start,
)
from engine.orders.client_ids import client_id_prefix
from engine.orders.order_states import OrderState
from engine.orders.order_store import Applied, Order, OrderStore, OrderStoreState
from engine.orders.signal_fate import settled_signal
from engine.tables import schema

Row = dict[str, Any]
TRADED_KEPT = 1_000
"""Orders of signals that are remembered: an answer of the exchange comes within seconds."""


class ReplicaState(msgspec.Struct, array_like=True):
    """A replica between two records."""

    engine_id: str
    orders: OrderStoreState
    account: AccountState
    traded: list[tuple[int, Signal]] = msgspec.field(default_factory=list)


class Replica:
    """Orders and account as the journal makes them, and which rows changed since `take_rows`.

    Rows are kept by table and key, so a record that changes the same order again replaces its row.
    """

    def __init__(self) -> None:
        self.engine_id = ""
        self._orders = OrderStore("")
        self._account = AccountStateStore()
        self._rows: dict[sa.Table, dict[tuple[Any, ...], Row]] = {}
        self._traded: dict[str, tuple[int, Signal]] = {}

    def apply(self, sequence: int, record: JournalRecord) -> None:
        """Take in one record, in the order of the journal."""
        if isinstance(record, Start) and not self.engine_id:
            self.engine_id = record.engine_id
            self._orders = OrderStore(client_id_prefix(record.engine_id))
        applied = self._orders.replay(record)
        self._account.replay(record)
        if isinstance(record, Start):
            for order in self._orders.after_restart():
                self._order(order)
        elif isinstance(record, (Intent, OrderClaimed)):
            order_or_none = self._orders.get(record.client_order_id)
            if order_or_none is not None:
                self._order(order_or_none)
        elif isinstance(record, Signal):
            self._signal(sequence, record)
        elif isinstance(record, EquityMark):
            self._put(schema.equity, (sequence,), msgspec.structs.asdict(record) | {"sequence": sequence})
        elif isinstance(record, AccountReport):
            self._equity(sequence, record)
        elif isinstance(record, Adjustment):
            self._position(record.strategy, record.symbol)
        if applied is not None:
            self._applied(applied)

    def state(self) -> ReplicaState:
        """For a base of the journal."""
        traded = list(dict(self._traded.values()).items())
        return ReplicaState(self.engine_id, self._orders.state(), self._account.state(), traded)

    def restore(self, state: ReplicaState) -> None:
        """Go on from there. Rows of its orders and positions count as changed."""
        self.engine_id = state.engine_id
        self._orders = OrderStore(client_id_prefix(state.engine_id) if state.engine_id else "")
        self._orders.restore(state.orders)
        self._account.restore(state.account)
        for sequence, signal in state.traded:
            self._remember(sequence, signal)
        for order in (*self._orders.closed_orders(), *self._orders.open_orders()):
            self._order(order)
        for owner, position in self._account.strategy_positions():
            self._position(owner, position.symbol)

    def take_rows(self) -> dict[sa.Table, list[Row]]:
        """Rows that are new or changed, by table."""
        rows = {table: list(by_key.values()) for table, by_key in self._rows.items()}
        self._rows = {}
        return rows

    def _put(self, table: sa.Table, key: tuple[Any, ...], row: Row) -> None:
        self._rows.setdefault(table, {})[key] = row

    def _signal(self, sequence: int, signal: Signal) -> None:
        self._remember(sequence, signal)
        self._put(schema.signals, (sequence,), _signal_row(sequence, signal))

    def _remember(self, sequence: int, signal: Signal) -> None:
        """By its orders, newest last, until nobody can refuse them any more."""
        for key in signal.client_order_ids:
            self._traded[key] = (sequence, signal)
            if len(self._traded) > TRADED_KEPT:
                del self._traded[next(iter(self._traded))]

    def _on_refused(self, client_order_id: str) -> None:
        """The exchange refused an order, or what was believed refused lives: so fares its signal."""
        traded = self._traded.get(client_order_id)
        if traded is not None:
            sequence, signal = traded
            settled = settled_signal(signal, self._orders.get)
            self._put(schema.signals, (sequence,), _signal_row(sequence, settled))

    def _applied(self, applied: Applied) -> None:
        self._order(applied.order)
        if OrderState.REJECTED in {applied.before, applied.order.state}:
            self._on_refused(applied.order.client_order_id)
        if applied.fill is not None:
            self._fill(applied.fill)

    def _order(self, order: Order) -> None:
        self._put(schema.orders, (order.client_order_id,), _order_row(order))

    def _fill(self, fill: Fill) -> None:
        self._account.on_fill(fill)
        row = {name: getattr(fill, name) for name in schema.fills.columns.keys()}  # noqa: SIM118  # not a dict
        self._put(schema.fills, (fill.symbol, fill.trade_id, fill.side), row)
        self._position(fill.strategy, fill.symbol)

    def _equity(self, sequence: int, record: AccountReport) -> None:
        """Money after an account update; open profit is the exchange's own word of that moment."""
        account = self._account
        if account.balance(account.quote_asset) is None:
            return
        reports = [report for venue in account.venue_positions() for report in venue.sides.values()]
        row = {
            "sequence": sequence,
            "time_ns": record.update.transaction_time_ns,
            "wallet_balance": account.wallet_balance,
            "realised_pnl": account.realised_pnl,
            "unrealised_pnl": sum((report.unrealised_pnl for report in reports), Decimal(0)),
            "fees": account.fees,
        }
        self._put(schema.equity, (sequence,), row)

    def _position(self, strategy: str, symbol: str) -> None:
        owned = self._account.strategy_position(strategy, symbol)
        self._put(schema.positions, (strategy, symbol), _position_row(strategy, owned))
        net = self._account.position(symbol)
        self._put(schema.positions, ("", symbol), _position_row("", net))


def _order_row(order: Order) -> Row:
    intent = order.intent
    return {
        "client_order_id": intent.client_order_id,
        "strategy": intent.strategy,
        "symbol": intent.symbol,
        "side": intent.side,
        "order_type": intent.order_type,
        "state": str(order.state),
        "qty_base": order.qty_base,
        "filled_base": order.filled_base,
        "price": order.price,
        "stop_price": order.stop_price,
        "average_price": order.average_price,
        "reduce_only": intent.reduce_only,
        "is_exit": intent.is_exit,
        "cause": intent.cause,
        "leg": intent.leg,
        "attempt": intent.attempt,
        "reason": order.reason,
        "exchange_order_id": order.exchange_ids[0] if order.exchange_ids else 0,
        "intended_ns": intent.time_ns,
        "updated_ns": order.updated_ns,
    }


def _position_row(strategy: str, position: Position) -> Row:
    return {
        "strategy": strategy,
        "symbol": position.symbol,
        "qty_base": position.qty_base,
        "entry_price": position.entry_price,
        "realised_pnl": position.realised_pnl,
        "fees": position.fees,
        "fills": position.fills,
    }


def _values_text(names: tuple[str, ...], values: tuple[float, ...]) -> str:
    """Values by name as JSON; without names, as in records of earlier versions, one after the other."""
    if not names:
        return " ".join(repr(value) for value in values)
    return msgspec.json.encode(dict(zip(names, values, strict=True))).decode()


def _signal_row(sequence: int, record: Signal) -> Row:
    row = msgspec.structs.asdict(record)
    row["signal_values"] = _values_text(row.pop("value_names"), row.pop("values"))
    row["client_order_ids"] = " ".join(record.client_order_ids)
    row["sequence"] = sequence
    return row
