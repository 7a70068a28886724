"""Short ways to make intents and the exchange's reports for tests of order truth."""

from decimal import Decimal

from engine.model.records import Intent
from engine.orders.client_ids import client_id_prefix
from gateways.wire.messages import OrderUpdate, Snapshot

ENGINE_ID = "abcdef"
PREFIX = client_id_prefix(ENGINE_ID)
SYMBOL = "BTCUSDT"
ZERO = Decimal(0)


def key(number: int = 1) -> str:
    """A client id of this engine."""
    return f"{PREFIX}{number:027d}"


def intent(number: int = 1, **changes: object) -> Intent:
    """A market order over 1 BTC."""
    fields: dict[str, object] = {
        "client_order_id": key(number),
        "strategy": "sma:s1",
        "symbol": SYMBOL,
        "side": "BUY",
        "order_type": "MARKET",
        "qty_base": Decimal(1),
        "cause": "bar:1:2",
        "leg": "entry",
        "attempt": 0,
        "time_ns": 1_000,
    }
    return Intent(**(fields | changes))  # type: ignore[arg-type]


def report(status: str = "NEW", *, number: int = 1, time_ns: int = 2_000, **changes: object) -> OrderUpdate:
    """A report on order `number` that carries no fill."""
    fields: dict[str, object] = {
        "epoch": 1,
        "sequence": 1,
        "symbol": SYMBOL,
        "client_order_id": key(number),
        "exchange_order_id": 100 + number,
        "side": "BUY",
        "order_type": "MARKET",
        "time_in_force": "GTC",
        "execution": "TRADE" if changes.get("trade_id") else status,
        "status": status,
        "price": ZERO,
        "stop_price": ZERO,
        "average_price": ZERO,
        "qty_base": Decimal(1),
        "filled_base": ZERO,
        "last_price": ZERO,
        "last_qty_base": ZERO,
        "trade_id": 0,
        "is_maker": False,
        "fee": ZERO,
        "fee_asset": "USDT",
        "realised_pnl": ZERO,
        "reduce_only": False,
        "close_position": False,
        "reason": "",
        "event_time_ns": time_ns,
        "transaction_time_ns": time_ns,
    }
    return OrderUpdate(**(fields | changes))  # type: ignore[arg-type]


def trade(
    trade_id: int, last: str, filled: str, *, number: int = 1, price: str = "50000", **changes: object
) -> OrderUpdate:
    """A fill of `last` that brings the cumulative quantity to `filled` of 1."""
    status = "FILLED" if Decimal(filled) == 1 else "PARTIALLY_FILLED"
    fields: dict[str, object] = {
        "trade_id": trade_id,
        "last_qty_base": Decimal(last),
        "filled_base": Decimal(filled),
        "last_price": Decimal(price),
        "average_price": Decimal(price),
        "fee": Decimal("0.01"),
        "time_ns": 2_000 + trade_id,
    }
    fields |= changes
    return report(str(fields.pop("status", status)), number=number, **fields)  # type: ignore[arg-type]


def snapshot(**changes: object) -> Snapshot:
    """A complete snapshot of an empty account."""
    fields: dict[str, object] = {
        "request_id": 1,
        "complete": True,
        "balances": (),
        "positions": (),
        "open_orders": (),
        "fills": (),
        "instruments": (),
        "hedge_mode": False,
        "multi_assets_margin": False,
        "epoch": 1,
        "cursor_sequence": 0,
        "time_ns": 10_000,
    }
    return Snapshot(**(fields | changes))  # type: ignore[arg-type]
