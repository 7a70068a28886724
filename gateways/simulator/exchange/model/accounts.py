"""Accounts and positions, and the rows their queries return. Money is exact Decimal in quote currency."""

from dataclasses import dataclass, field
from decimal import Decimal

ZERO = Decimal(0)


@dataclass(slots=True)
class Position:
    """One position. `lots` is signed; `cost` is the signed quote paid for it.

    Entry price is `cost / quantity`: a reduction removes its share of `cost`, so that the realised
    profits of a round trip add up exactly.
    """

    symbol: str
    position_side: str
    lots: int = 0
    cost: Decimal = ZERO
    isolated_wallet: Decimal = ZERO
    fees: Decimal = ZERO
    """Commission paid since the position was flat (for the break-even price)."""
    accumulated_realized: Decimal = ZERO
    update_time_ms: int = 0


@dataclass(slots=True)
class SymbolConfig:
    """An account's settings for one symbol."""

    leverage: int = 20
    isolated: bool = False


@dataclass(slots=True)
class IncomeRecord:
    """One row of GET income."""

    account_id: str
    symbol: str
    income_type: str
    income: Decimal
    asset: str
    info: str
    time_ms: int
    tran_id: int
    trade_id: str = ""


@dataclass(slots=True)
class MarginChange:
    """One change of an isolated position's margin by its owner. `kind` is 1 (added) or 2 (removed)."""

    account_id: str
    symbol: str
    position_side: str
    kind: int
    amount: Decimal
    asset: str
    time_ms: int


@dataclass(slots=True)
class Account:
    """One account: a wallet in USDT, its settings and its positions."""

    account_id: str
    wallet_balance: Decimal = ZERO
    asset: str = "USDT"
    hedge_mode: bool = False
    multi_assets_mode: bool = False
    fee_burn: bool = False
    update_time_ms: int = 0
    configs: dict[str, SymbolConfig] = field(default_factory=dict)
    positions: dict[str, Position] = field(default_factory=dict)
    """By `SYMBOL:BOTH`, `SYMBOL:LONG` or `SYMBOL:SHORT`."""
    countdowns: dict[str, int] = field(default_factory=dict)
    """Symbol to the time (ms) at which its open orders are cancelled."""
    margin_called: bool = False
    alias: str = "SgsR"
    """The exchange's own name of the account, which never changes; the default is that of old state files."""


@dataclass(slots=True)
class PositionRow:
    """One position as returned by account and positionRisk (v2, v3)."""

    symbol: str
    position_side: str
    position_amt: Decimal
    entry_price: Decimal
    break_even_price: Decimal
    mark_price: Decimal
    unrealized_profit: Decimal
    liquidation_price: Decimal
    isolated: bool
    isolated_margin: Decimal
    isolated_wallet: Decimal
    notional: Decimal
    leverage: int
    max_notional: Decimal
    initial_margin: Decimal
    maint_margin: Decimal
    position_initial_margin: Decimal
    open_order_initial_margin: Decimal
    bid_notional: Decimal
    ask_notional: Decimal
    adl: int
    update_time_ms: int
    has_open_orders: bool


@dataclass(slots=True)
class AssetRow:
    """One asset as returned by account and balance."""

    asset: str
    wallet_balance: Decimal
    unrealized_profit: Decimal
    margin_balance: Decimal
    maint_margin: Decimal
    initial_margin: Decimal
    position_initial_margin: Decimal
    open_order_initial_margin: Decimal
    cross_wallet_balance: Decimal
    cross_un_pnl: Decimal
    available_balance: Decimal
    max_withdraw_amount: Decimal
    update_time_ms: int


@dataclass(slots=True)
class AccountSummary:
    """GET account: the totals (equal to those of the one asset), the asset rows and all positions.

    `positions` holds every symbol (v2); those with an amount or an open order are v3's rows.
    """

    account_id: str
    hedge_mode: bool
    multi_assets_mode: bool
    fee_burn: bool
    update_time_ms: int
    total: AssetRow
    assets: list[AssetRow]
    positions: list[PositionRow]
    alias: str = ""
