"""Events of the exchange as plain data; the API formats them as Binance's JSON.

Within one request or market step, events come in the order of the calls. A fill of a user produces
`AccountEvent(reason="ORDER")` and then `OrderEvent(execution_type="TRADE")`, both with the same
`time_ms`; an order that enters the book sends NEW first.
"""

from dataclasses import dataclass
from decimal import Decimal
from typing import Protocol

from gateways.simulator.exchange.model.orders import AlgoOrder, Order


@dataclass(slots=True)
class Trade:
    """One public trade. `price_ticks` and `lots` are on the symbol's grid.

    `printed` marks a recorded trade (`Exchange.print_trade`), whose frame exists already; every other trade
    comes from matching. `insurance` trades (a liquidation taken over by the insurance fund or ADL) are
    excluded from aggTrade, as on the live exchange.
    """

    symbol: str
    trade_id: int
    price_ticks: int
    lots: int
    buyer_is_maker: bool
    time_ms: int
    printed: bool = False
    insurance: bool = False


@dataclass(slots=True)
class Fill:
    """The fill an `OrderEvent` of type TRADE (or CALCULATED) reports."""

    trade_id: int
    price: Decimal
    qty_base: Decimal
    commission_quote: Decimal
    commission_asset: str
    realized_pnl_quote: Decimal
    is_maker: bool


@dataclass(slots=True)
class OrderEvent:
    """ORDER_TRADE_UPDATE (and TRADE_LITE for TRADE). `order` is a copy made at that time.

    `execution_type` is NEW, CANCELED, CALCULATED, EXPIRED, TRADE or AMENDMENT. `bid_notional` and
    `ask_notional` are the fields `b` and `a`: what the account's open orders of the symbol reserve.
    """

    order: Order
    execution_type: str
    time_ms: int
    bid_notional: Decimal
    ask_notional: Decimal
    fill: Fill | None = None
    expiry_reason: int = 0
    modify_id: int | None = None


@dataclass(slots=True)
class BalanceChange:
    """One row of ACCOUNT_UPDATE.a.B; `balance_change` excludes P&L and commission."""

    asset: str
    wallet_balance: Decimal
    cross_wallet_balance: Decimal
    balance_change: Decimal


@dataclass(slots=True)
class PositionChange:
    """One row of ACCOUNT_UPDATE.a.P."""

    symbol: str
    position_side: str
    position_amt: Decimal
    entry_price: Decimal
    break_even_price: Decimal
    accumulated_realized: Decimal
    unrealized_pnl: Decimal
    margin_type: str
    isolated_wallet: Decimal


@dataclass(slots=True)
class AccountEvent:
    """ACCOUNT_UPDATE: only what changed. `symbol` is set for FUNDING_FEE."""

    reason: str
    time_ms: int
    balances: tuple[BalanceChange, ...]
    positions: tuple[PositionChange, ...]
    symbol: str | None = None


@dataclass(slots=True)
class AlgoEvent:
    """ALGO_UPDATE; `order` is a copy, its `algo_status` is the field X."""

    order: AlgoOrder
    time_ms: int


@dataclass(slots=True)
class MarginCallPosition:
    """One row of MARGIN_CALL.p; `margin_type` is upper case there."""

    symbol: str
    position_side: str
    position_amt: Decimal
    margin_type: str
    isolated_wallet: Decimal
    mark_price: Decimal
    unrealized_pnl: Decimal
    maintenance_margin: Decimal


@dataclass(slots=True)
class MarginCallEvent:
    """MARGIN_CALL; `cross_wallet` is None when only isolated positions are affected."""

    time_ms: int
    cross_wallet: Decimal | None
    positions: tuple[MarginCallPosition, ...]


@dataclass(slots=True)
class AccountConfigEvent:
    """ACCOUNT_CONFIG_UPDATE: either (symbol, leverage) or `multi_assets_mode`."""

    time_ms: int
    symbol: str | None = None
    leverage: int | None = None
    multi_assets_mode: bool | None = None


UserEvent = OrderEvent | AccountEvent | AlgoEvent | MarginCallEvent | AccountConfigEvent


@dataclass(slots=True)
class ForcedOrder:
    """A liquidation order, for the public forceOrder stream and GET forceOrders."""

    account_id: str
    order: Order
    average_price: Decimal
    last_qty_base: Decimal
    time_ms: int


class Listener(Protocol):
    """Receives all events, synchronously and in order; must not call back into the exchange."""

    def on_trade(self, trade: Trade) -> None:
        """Handle one public trade."""

    def on_book_changed(self, symbol: str, now_ms: int) -> None:
        """Handle a change of the book of `symbol` (`Book.take_changes`)."""

    def on_user(self, account_id: str, event: UserEvent) -> None:
        """Handle one event of an account's user data stream."""

    def on_forced_order(self, forced: ForcedOrder) -> None:
        """Handle one liquidation order."""
