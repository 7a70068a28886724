"""Account, balance, position and settings in the exchange's REST format."""

from decimal import Decimal
from typing import Any

from gateways.simulator.api.formats.numbers import average, money, plain, price, qty
from gateways.simulator.exchange.model.accounts import (
    AccountSummary,
    AssetRow,
    IncomeRecord,
    MarginChange,
    PositionRow,
)
from gateways.simulator.exchange.model.symbols import SymbolSpec

JsonObject = dict[str, Any]
Specs = dict[str, SymbolSpec]


def account_v3(specs: Specs, summary: AccountSummary) -> JsonObject:
    """GET /fapi/v3/account: only positions in use, no flags."""
    return _totals(summary.total) | {
        "assets": [_asset(row) for row in summary.assets],
        "positions": [_account_position_v3(specs[row.symbol], row) for row in in_use(summary.positions)],
    }


def account_v2(specs: Specs, summary: AccountSummary) -> JsonObject:
    """GET /fapi/v2/account: flags and all symbols."""
    flags = {
        "feeTier": 0,
        "feeBurn": summary.fee_burn,
        "canTrade": True,
        "canDeposit": True,
        "canWithdraw": True,
        "updateTime": 0,
        "multiAssetsMargin": summary.multi_assets_mode,
        "tradeGroupId": -1,
    }
    return (
        flags
        | _totals(summary.total)
        | {
            "assets": [_asset(row) | {"marginAvailable": True} for row in summary.assets],
            "positions": [_account_position_v2(specs[row.symbol], row) for row in summary.positions],
        }
    )


def account_config(summary: AccountSummary) -> JsonObject:
    """GET accountConfig."""
    return {
        "feeTier": 0,
        "canTrade": True,
        "canDeposit": True,
        "canWithdraw": True,
        "dualSidePosition": summary.hedge_mode,
        "updateTime": 0,
        "multiAssetsMargin": summary.multi_assets_mode,
        "tradeGroupId": -1,
    }


def balances(summary: AccountSummary) -> list[JsonObject]:
    """GET balance, v2 and v3."""
    return [
        {
            "accountAlias": summary.alias,
            "asset": row.asset,
            "balance": money(row.wallet_balance),
            "crossWalletBalance": money(row.cross_wallet_balance),
            "crossUnPnl": money(row.cross_un_pnl),
            "availableBalance": money(row.available_balance),
            "maxWithdrawAmount": money(row.max_withdraw_amount),
            "marginAvailable": True,
            "updateTime": row.update_time_ms,
        }
        for row in summary.assets
    ]


def in_use(rows: list[PositionRow]) -> list[PositionRow]:
    """Return the rows with a position or an open order, which are all that the v3 endpoints show."""
    return [row for row in rows if row.position_amt or row.has_open_orders]


def position_risk_v3(spec: SymbolSpec, row: PositionRow) -> JsonObject:
    """Row of GET /fapi/v3/positionRisk, without leverage and margin type."""
    return {
        "symbol": row.symbol,
        "positionSide": row.position_side,
        "positionAmt": qty(spec, row.position_amt),
        "entryPrice": entry(spec, row.entry_price),
        "breakEvenPrice": entry(spec, row.break_even_price),
        "markPrice": money(row.mark_price),
        "unRealizedProfit": money(row.unrealized_profit),
        "liquidationPrice": liquidation(spec, row.liquidation_price),
        "isolatedMargin": money_or_zero(row.isolated_margin),
        "notional": money_or_zero(row.notional),
        "marginAsset": spec.quote,
        "isolatedWallet": money_or_zero(row.isolated_wallet),
        "initialMargin": money_or_zero(row.initial_margin),
        "maintMargin": money_or_zero(row.maint_margin),
        "positionInitialMargin": money_or_zero(row.position_initial_margin),
        "openOrderInitialMargin": money_or_zero(row.open_order_initial_margin),
        "adl": row.adl,
        "bidNotional": money_or_zero(row.bid_notional),
        "askNotional": money_or_zero(row.ask_notional),
        "updateTime": row.update_time_ms,
    }


def position_risk_v2(spec: SymbolSpec, row: PositionRow) -> JsonObject:
    """Row of GET /fapi/v2/positionRisk (and v1): all symbols, with leverage and margin type."""
    return {
        "symbol": row.symbol,
        "positionAmt": qty(spec, row.position_amt),
        "entryPrice": entry(spec, row.entry_price),
        "breakEvenPrice": entry(spec, row.break_even_price),
        "markPrice": money(row.mark_price),
        "unRealizedProfit": money(row.unrealized_profit),
        "liquidationPrice": liquidation(spec, row.liquidation_price),
        "leverage": str(row.leverage),
        "maxNotionalValue": plain(row.max_notional),
        "marginType": "isolated" if row.isolated else "cross",
        "isolatedMargin": money(row.isolated_margin),
        "isAutoAddMargin": "false",
        "positionSide": row.position_side,
        "notional": money_or_zero(row.notional),
        "isolatedWallet": money_or_zero(row.isolated_wallet),
        "updateTime": row.update_time_ms,
    }


def symbol_config(row: PositionRow) -> JsonObject:
    """Row of GET symbolConfig."""
    return {
        "symbol": row.symbol,
        "marginType": "ISOLATED" if row.isolated else "CROSSED",
        "isAutoAddMargin": False,
        "leverage": row.leverage,
        "maxNotionalValue": plain(row.max_notional),
    }


def leverage_bracket(spec: SymbolSpec) -> JsonObject:
    """Row of GET leverageBracket: numbers, not strings."""
    return {
        "symbol": spec.symbol,
        "notionalCoef": 1.0,
        "brackets": [
            {
                "bracket": row.bracket,
                "initialLeverage": row.initial_leverage,
                "notionalCap": number(row.notional_cap),
                "notionalFloor": number(row.notional_floor),
                "maintMarginRatio": float(row.maint_margin_ratio),
                "cum": float(row.cum),
            }
            for row in spec.brackets
        ],
    }


def commission_rate(spec: SymbolSpec) -> JsonObject:
    """GET commissionRate: every account pays the symbol's fees."""
    return {
        "symbol": spec.symbol,
        "makerCommissionRate": fixed_rate(spec.maker_fee),
        "takerCommissionRate": fixed_rate(spec.taker_fee),
        "rpiCommissionRate": fixed_rate(Decimal(0)),
    }


def margin_change(row: MarginChange) -> JsonObject:
    """Row of GET positionMargin/history."""
    return {
        "symbol": row.symbol,
        "type": row.kind,
        "deltaType": "USER_ADJUST",
        "amount": plain(row.amount),
        "asset": row.asset,
        "time": row.time_ms,
        "positionSide": row.position_side,
    }


def income(row: IncomeRecord) -> JsonObject:
    """Row of GET income."""
    return {
        "symbol": row.symbol,
        "incomeType": row.income_type,
        "income": money(row.income),
        "asset": row.asset,
        "info": row.info,
        "time": row.time_ms,
        "tranId": row.tran_id,
        "tradeId": row.trade_id,
    }


def entry(spec: SymbolSpec, value: Decimal) -> str:
    """Entry and break-even prices: "0.0" without a position, as the exchange prints it."""
    return average(spec, value) if value else "0.0"


def liquidation(spec: SymbolSpec, value: Decimal) -> str:
    """Liquidation price; "0" when there is none."""
    return price(spec, value) if value > 0 else "0"


def money_or_zero(value: Decimal) -> str:
    """Money with 8 decimals; "0" for zero."""
    return money(value) if value else "0"


def fixed_rate(value: Decimal) -> str:
    """A fee rate with 6 decimals."""
    return f"{value:.6f}"


def number(value: Decimal) -> int | float:
    """JSON number, an integer where possible."""
    return int(value) if value == value.to_integral_value() else float(value)


def _totals(total: AssetRow) -> JsonObject:
    return {
        "totalInitialMargin": money(total.initial_margin),
        "totalMaintMargin": money(total.maint_margin),
        "totalWalletBalance": money(total.wallet_balance),
        "totalUnrealizedProfit": money(total.unrealized_profit),
        "totalMarginBalance": money(total.margin_balance),
        "totalPositionInitialMargin": money(total.position_initial_margin),
        "totalOpenOrderInitialMargin": money(total.open_order_initial_margin),
        "totalCrossWalletBalance": money(total.cross_wallet_balance),
        "totalCrossUnPnl": money(total.cross_un_pnl),
        "availableBalance": money(total.available_balance),
        "maxWithdrawAmount": money(total.max_withdraw_amount),
    }


def _asset(row: AssetRow) -> JsonObject:
    return {
        "asset": row.asset,
        "walletBalance": money(row.wallet_balance),
        "unrealizedProfit": money(row.unrealized_profit),
        "marginBalance": money(row.margin_balance),
        "maintMargin": money(row.maint_margin),
        "initialMargin": money(row.initial_margin),
        "positionInitialMargin": money(row.position_initial_margin),
        "openOrderInitialMargin": money(row.open_order_initial_margin),
        "crossWalletBalance": money(row.cross_wallet_balance),
        "crossUnPnl": money(row.cross_un_pnl),
        "availableBalance": money(row.available_balance),
        "maxWithdrawAmount": money(row.max_withdraw_amount),
        "updateTime": row.update_time_ms,
    }


def _account_position_v3(spec: SymbolSpec, row: PositionRow) -> JsonObject:
    return {
        "symbol": row.symbol,
        "positionSide": row.position_side,
        "positionAmt": qty(spec, row.position_amt),
        "unrealizedProfit": money(row.unrealized_profit),
        "isolatedMargin": money(row.isolated_margin),
        "notional": money_or_zero(row.notional),
        "isolatedWallet": money_or_zero(row.isolated_wallet),
        "initialMargin": money_or_zero(row.initial_margin),
        "maintMargin": money_or_zero(row.maint_margin),
        "updateTime": row.update_time_ms,
    }


def _account_position_v2(spec: SymbolSpec, row: PositionRow) -> JsonObject:
    return {
        "symbol": row.symbol,
        "initialMargin": money_or_zero(row.initial_margin),
        "maintMargin": money_or_zero(row.maint_margin),
        "unrealizedProfit": money(row.unrealized_profit),
        "positionInitialMargin": money_or_zero(row.position_initial_margin),
        "openOrderInitialMargin": money_or_zero(row.open_order_initial_margin),
        "leverage": str(row.leverage),
        "isolated": row.isolated,
        "entryPrice": entry(spec, row.entry_price),
        "maxNotional": plain(row.max_notional),
        "bidNotional": money_or_zero(row.bid_notional),
        "askNotional": money_or_zero(row.ask_notional),
        "positionSide": row.position_side,
        "positionAmt": qty(spec, row.position_amt),
        "updateTime": row.update_time_ms,
    }
