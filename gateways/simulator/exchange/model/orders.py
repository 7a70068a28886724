"""Orders, conditional orders and requests as data.

Quantities are integer lots and prices integer ticks where the name says so; `None` means "not sent".
Enumerations use Binance's values.
"""

import dataclasses
from dataclasses import dataclass
from decimal import Decimal

OPEN_STATUSES = frozenset({"NEW", "PARTIALLY_FILLED"})
OPEN_ALGO_STATUSES = frozenset({"NEW", "TRIGGERING"})
CONDITIONAL_TYPES = ("STOP", "STOP_MARKET", "TAKE_PROFIT", "TAKE_PROFIT_MARKET", "TRAILING_STOP_MARKET")
PRICE_MATCHES = (
    "OPPONENT",
    "OPPONENT_5",
    "OPPONENT_10",
    "OPPONENT_20",
    "QUEUE",
    "QUEUE_5",
    "QUEUE_10",
    "QUEUE_20",
)
STP_MODES = ("NONE", "EXPIRE_TAKER", "EXPIRE_MAKER", "EXPIRE_BOTH")


@dataclass(slots=True)
class OrderRequest:
    """POST /fapi/v1/order after parsing. Prices and quantities are as sent."""

    symbol: str
    side: str
    type: str
    position_side: str | None = None
    time_in_force: str | None = None
    quantity: Decimal | None = None
    price: Decimal | None = None
    reduce_only: bool | None = None
    new_client_order_id: str | None = None
    price_match: str | None = None
    stp_mode: str | None = None
    good_till_date: int | None = None


@dataclass(slots=True)
class AmendRequest:
    """PUT /fapi/v1/order after parsing."""

    symbol: str
    side: str
    order_id: int | None = None
    orig_client_order_id: str | None = None
    quantity: Decimal | None = None
    price: Decimal | None = None
    price_match: str | None = None
    modify_id: int | None = None
    reduce_only: bool | None = None


@dataclass(slots=True)
class AlgoRequest:
    """POST /fapi/v1/algoOrder after parsing."""

    symbol: str
    side: str
    type: str
    algo_type: str = "CONDITIONAL"
    position_side: str | None = None
    time_in_force: str | None = None
    quantity: Decimal | None = None
    price: Decimal | None = None
    trigger_price: Decimal | None = None
    working_type: str | None = None
    price_match: str | None = None
    close_position: bool | None = None
    price_protect: bool | None = None
    reduce_only: bool | None = None
    activate_price: Decimal | None = None
    callback_rate: Decimal | None = None
    client_algo_id: str | None = None
    stp_mode: str | None = None
    good_till_date: int | None = None


@dataclass(slots=True)
class Order:
    """An ordinary order, with everything that REST and streams return about it.

    `price` is 0 for MARKET. `cum_quote` is the exact sum of fill notionals, so
    `average_price = cum_quote / executed_qty`.
    """

    order_id: int
    account_id: str
    symbol: str
    client_order_id: str
    side: str
    position_side: str
    type: str
    orig_type: str
    time_in_force: str
    price: Decimal
    orig_qty: Decimal
    status: str
    time_ms: int
    update_time_ms: int
    price_ticks: int = 0
    orig_lots: int = 0
    executed_lots: int = 0
    executed_qty: Decimal = Decimal(0)
    cum_quote: Decimal = Decimal(0)
    reduce_only: bool = False
    close_position: bool = False
    stop_price: Decimal = Decimal(0)
    working_type: str = "CONTRACT_PRICE"
    price_protect: bool = False
    activate_price: Decimal | None = None
    callback_rate: Decimal | None = None
    price_match: str = "NONE"
    stp_mode: str = "EXPIRE_MAKER"
    good_till_date: int = 0
    modifications: int = 0
    algo_id: int = 0
    """The conditional order that placed this one, 0 if none."""
    is_liquidation: bool = False
    """Placed by the exchange to liquidate or deleverage: pays no commission, the clearance fee instead."""
    priority: int = 0
    """Time priority among the account's orders; a modification renews it."""

    @property
    def is_open(self) -> bool:
        """Tell whether the order can still fill."""
        return self.status in OPEN_STATUSES

    @property
    def remaining_lots(self) -> int:
        """Return the lots left to fill."""
        return self.orig_lots - self.executed_lots

    @property
    def average_price(self) -> Decimal:
        """Return the mean fill price (quote), 0 without a fill; not rounded to the tick."""
        return self.cum_quote / self.executed_qty if self.executed_lots else Decimal(0)

    def copy(self) -> "Order":
        """Return an independent copy (all fields are immutable values)."""
        return dataclasses.replace(self)


@dataclass(slots=True)
class AlgoOrder:
    """A conditional order. `algo_status`: NEW TRIGGERING TRIGGERED FINISHED CANCELED REJECTED EXPIRED."""

    algo_id: int
    account_id: str
    client_algo_id: str
    algo_type: str
    order_type: str
    symbol: str
    side: str
    position_side: str
    time_in_force: str
    quantity: Decimal
    algo_status: str
    create_time_ms: int
    update_time_ms: int
    trigger_price: Decimal = Decimal(0)
    price: Decimal = Decimal(0)
    stp_mode: str = "NONE"
    working_type: str = "CONTRACT_PRICE"
    price_match: str = "NONE"
    close_position: bool = False
    price_protect: bool = False
    reduce_only: bool = False
    activate_price: Decimal | None = None
    callback_rate: Decimal | None = None
    trigger_time_ms: int = 0
    good_till_date: int = 0
    actual_order_id: int = 0
    """The child order's id, 0 before the trigger."""
    actual_price: Decimal = Decimal(0)
    actual_qty: Decimal = Decimal(0)
    actual_type: str = ""
    reject_reason: str = ""
    is_activated: bool = False
    """Trailing only: the activation price was reached (field `ia`)."""
    had_position: bool = False
    """closePosition only: the position to close has existed, so the order expires when it is closed."""
    extreme_price: Decimal | None = None
    """Trailing only: the best price seen since placement."""

    @property
    def is_open(self) -> bool:
        """Tell whether the order is waiting for its trigger."""
        return self.algo_status in OPEN_ALGO_STATUSES

    def copy(self) -> "AlgoOrder":
        """Return an independent copy (all fields are immutable values)."""
        return dataclasses.replace(self)


@dataclass(slots=True)
class UserTrade:
    """One fill of an account, as GET userTrades returns it."""

    account_id: str
    symbol: str
    trade_id: int
    order_id: int
    side: str
    position_side: str
    price: Decimal
    qty_base: Decimal
    quote_qty: Decimal
    realized_pnl: Decimal
    commission: Decimal
    commission_asset: str
    is_maker: bool
    is_buyer: bool
    time_ms: int


@dataclass(slots=True)
class Amendment:
    """One modification of an order, as GET orderAmendment returns it."""

    amendment_id: int
    symbol: str
    order_id: int
    client_order_id: str
    time_ms: int
    price_before: Decimal
    price_after: Decimal
    qty_before: Decimal
    qty_after: Decimal
    count: int
    modify_id: int | None = None
