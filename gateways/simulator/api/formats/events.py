"""User events in the format of the user data stream."""

from decimal import Decimal
from typing import Any

from gateways.simulator.api.formats.numbers import average, money, plain, price, qty
from gateways.simulator.exchange.model.events import (
    AccountConfigEvent,
    AccountEvent,
    AlgoEvent,
    MarginCallEvent,
    OrderEvent,
    PositionChange,
)
from gateways.simulator.exchange.model.symbols import SymbolSpec

JsonObject = dict[str, Any]
ZERO = Decimal(0)


def order_trade_update(spec: SymbolSpec, event: OrderEvent, now_ms: int) -> JsonObject:
    """ORDER_TRADE_UPDATE. `N` and `n` are absent without a fill."""
    order, fill = event.order, event.fill
    row: JsonObject = {
        "s": order.symbol,
        "c": order.client_order_id,
        "S": order.side,
        "o": order.type,
        "f": order.time_in_force,
        "q": qty(spec, order.orig_qty),
        "p": price(spec, order.price),
        "ap": average(spec, order.average_price),
        "sp": price(spec, order.stop_price),
        "x": event.execution_type,
        "X": order.status,
        "i": order.order_id,
        "l": qty(spec, fill.qty_base if fill else ZERO),
        "z": qty(spec, order.executed_qty),
        "L": price(spec, fill.price if fill else ZERO),
        "T": event.time_ms,
        "t": fill.trade_id if fill else 0,
        "b": plain(event.bid_notional),
        "a": plain(event.ask_notional),
        "m": fill.is_maker if fill else False,
        "R": order.reduce_only,
        "wt": order.working_type,
        "ot": order.orig_type,
        "ps": order.position_side,
        "cp": order.close_position,
        "rp": money(fill.realized_pnl_quote) if fill else "0",
        "pP": order.price_protect,
        "si": 0,
        "ss": 0,
        "V": order.stp_mode,
        "pm": order.price_match,
        "gtd": order.good_till_date,
        "er": str(event.expiry_reason),
    }
    if fill is not None:
        row["N"] = fill.commission_asset
        row["n"] = money(fill.commission_quote)
    if order.activate_price is not None:
        row["AP"] = price(spec, order.activate_price)
    if order.callback_rate is not None:
        row["cr"] = plain(order.callback_rate)
    if event.modify_id is not None:
        row["M"] = event.modify_id
    return {"e": "ORDER_TRADE_UPDATE", "E": now_ms, "T": event.time_ms, "o": row}


def trade_lite(spec: SymbolSpec, event: OrderEvent, now_ms: int) -> JsonObject:
    """TRADE_LITE: the fill of `event`, flat."""
    order, fill = event.order, event.fill
    assert fill is not None
    return {
        "e": "TRADE_LITE",
        "E": now_ms,
        "T": event.time_ms,
        "s": order.symbol,
        "q": qty(spec, order.orig_qty),
        "p": price(spec, order.price),
        "m": fill.is_maker,
        "c": order.client_order_id,
        "S": order.side,
        "L": price(spec, fill.price),
        "l": qty(spec, fill.qty_base),
        "t": fill.trade_id,
        "i": order.order_id,
    }


def account_update(specs: dict[str, SymbolSpec], event: AccountEvent, now_ms: int) -> JsonObject:
    """ACCOUNT_UPDATE: only what changed."""
    body: JsonObject = {
        "m": event.reason,
        "B": [
            {
                "a": row.asset,
                "wb": money(row.wallet_balance),
                "cw": money(row.cross_wallet_balance),
                "bc": plain(row.balance_change),
            }
            for row in event.balances
        ],
        "P": [_position(specs[row.symbol], row) for row in event.positions],
    }
    if event.symbol is not None:
        body["S"] = event.symbol
    return {"e": "ACCOUNT_UPDATE", "E": now_ms, "T": event.time_ms, "a": body}


def _position(spec: SymbolSpec, row: PositionChange) -> JsonObject:
    return {
        "s": row.symbol,
        "pa": qty(spec, row.position_amt),
        "ep": _exact(spec, row.entry_price),
        "bep": _exact(spec, row.break_even_price),
        "cr": money(row.accumulated_realized),
        "up": money(row.unrealized_pnl),
        "mt": row.margin_type.lower(),
        "iw": money(row.isolated_wallet),
        "ps": row.position_side,
    }


def _exact(spec: SymbolSpec, value: Decimal) -> str:
    return average(spec, value) if value else "0"


def algo_update(spec: SymbolSpec, event: AlgoEvent, now_ms: int) -> JsonObject:
    """ALGO_UPDATE. `rm` and `ia` are present only when they apply."""
    order = event.order
    has_child = order.actual_order_id != 0
    row: JsonObject = {
        "caid": order.client_algo_id,
        "aid": order.algo_id,
        "at": order.algo_type,
        "o": order.order_type,
        "s": order.symbol,
        "S": order.side,
        "ps": order.position_side,
        "f": order.time_in_force,
        "q": plain(order.quantity),
        "X": order.algo_status,
        "ai": str(order.actual_order_id) if has_child else "",
        "ap": average(spec, order.actual_price) if order.actual_price else "0",
        "aq": plain(order.actual_qty),
        "act": order.actual_type if has_child else "0",
        "tp": plain(order.trigger_price),
        "p": plain(order.price),
        "V": order.stp_mode,
        "wt": order.working_type,
        "pm": order.price_match,
        "cp": order.close_position,
        "pP": order.price_protect,
        "R": order.reduce_only,
        "tt": order.trigger_time_ms,
        "gtd": order.good_till_date,
    }
    if order.order_type == "TRAILING_STOP_MARKET":
        row["AP"] = plain(order.activate_price or ZERO)
        row["cr"] = plain(order.callback_rate or ZERO)
        row["ia"] = order.is_activated
    if order.reject_reason:
        row["rm"] = order.reject_reason
    return {"e": "ALGO_UPDATE", "T": event.time_ms, "E": now_ms, "o": row}


def margin_call(specs: dict[str, SymbolSpec], event: MarginCallEvent, now_ms: int) -> JsonObject:
    """MARGIN_CALL; `cw` only when cross positions are affected."""
    body: JsonObject = {"e": "MARGIN_CALL", "E": now_ms}
    if event.cross_wallet is not None:
        body["cw"] = money(event.cross_wallet)
    body["p"] = [
        {
            "s": row.symbol,
            "ps": row.position_side,
            "pa": qty(specs[row.symbol], row.position_amt),
            "mt": row.margin_type.upper(),
            "iw": money(row.isolated_wallet),
            "mp": money(row.mark_price),
            "up": money(row.unrealized_pnl),
            "mm": money(row.maintenance_margin),
        }
        for row in event.positions
    ]
    return body


def account_config_update(event: AccountConfigEvent, now_ms: int) -> JsonObject:
    """ACCOUNT_CONFIG_UPDATE: leverage of a symbol, or multi-assets mode."""
    body: JsonObject = {"e": "ACCOUNT_CONFIG_UPDATE", "E": now_ms, "T": event.time_ms}
    if event.symbol is not None:
        body["ac"] = {"s": event.symbol, "l": event.leverage}
    else:
        body["ai"] = {"j": event.multi_assets_mode}
    return body
