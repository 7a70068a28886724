"""GET exchangeInfo."""

from typing import Any

from gateways.simulator.api.access.rate_limits import RateLimitSettings
from gateways.simulator.api.formats.numbers import fixed, plain
from gateways.simulator.exchange.model.symbols import ORDER_TYPES, TIMES_IN_FORCE, SymbolSpec

JsonObject = dict[str, Any]


def rate_limits(settings: RateLimitSettings) -> list[JsonObject]:
    """The limits in force."""
    rows = (
        ("REQUEST_WEIGHT", "MINUTE", 1, settings.weight_1m),
        ("ORDERS", "MINUTE", 1, settings.orders_1m),
        ("ORDERS", "SECOND", 10, settings.orders_10s),
    )
    return [
        {"rateLimitType": kind, "interval": interval, "intervalNum": count, "limit": limit}
        for kind, interval, count, limit in rows
    ]


def exchange_info(specs: dict[str, SymbolSpec], settings: RateLimitSettings, now_ms: int) -> JsonObject:
    """All symbols with their filters."""
    return {
        "timezone": "UTC",
        "serverTime": now_ms,
        "futuresType": "U_MARGINED",
        "rateLimits": rate_limits(settings),
        "exchangeFilters": [],
        "assets": [
            {"asset": asset, "marginAvailable": True, "autoAssetExchange": "-10000"}
            for asset in dict.fromkeys(spec.quote for spec in specs.values())
        ],
        "symbols": [symbol_info(spec) for spec in specs.values()],
    }


def symbol_info(spec: SymbolSpec) -> JsonObject:
    """One symbol."""
    return {
        "symbol": spec.symbol,
        "pair": spec.symbol,
        "contractType": spec.contract_type,
        "deliveryDate": spec.delivery_date_ms,
        "onboardDate": spec.onboard_date_ms,
        "status": spec.status,
        "maintMarginPercent": fixed(spec.maint_margin_percent, 4),
        "requiredMarginPercent": fixed(spec.required_margin_percent, 4),
        "baseAsset": spec.base,
        "quoteAsset": spec.quote,
        "marginAsset": spec.quote,
        "pricePrecision": spec.price_precision,
        "quantityPrecision": spec.quantity_precision,
        "baseAssetPrecision": 8,
        "quotePrecision": 8,
        "underlyingType": "COIN",
        "underlyingSubType": list(spec.underlying_sub_type),
        "triggerProtect": fixed(spec.trigger_protect, 4),
        "liquidationFee": fixed(spec.liquidation_fee, 6),
        "marketTakeBound": plain(spec.market_take_bound),
        "maxMoveOrderLimit": spec.max_move_order_limit,
        "filters": _filters(spec),
        "orderTypes": list(ORDER_TYPES),
        "timeInForce": list(TIMES_IN_FORCE),
        "permissionSets": ["GRID", "COPY"],
    }


def _filters(spec: SymbolSpec) -> list[JsonObject]:
    step = fixed(spec.order_step, spec.quantity_precision)
    return [
        {
            "filterType": "PRICE_FILTER",
            "minPrice": fixed(spec.min_price, spec.price_precision),
            "maxPrice": plain(spec.max_price),
            "tickSize": fixed(spec.order_tick, spec.price_precision),
        },
        {
            "filterType": "LOT_SIZE",
            "minQty": fixed(spec.min_qty, spec.quantity_precision),
            "maxQty": plain(spec.max_qty),
            "stepSize": step,
        },
        {
            "filterType": "MARKET_LOT_SIZE",
            "minQty": fixed(spec.market_min_qty, spec.quantity_precision),
            "maxQty": plain(spec.market_max_qty),
            "stepSize": step,
        },
        {"filterType": "MAX_NUM_ORDERS", "limit": spec.max_num_orders},
        {"filterType": "MIN_NOTIONAL", "notional": plain(spec.min_notional)},
        {
            "filterType": "PERCENT_PRICE",
            "multiplierUp": fixed(spec.multiplier_up, 4),
            "multiplierDown": fixed(spec.multiplier_down, 4),
            "multiplierDecimal": "4",
        },
        {"filterType": "POSITION_RISK_CONTROL", "positionControlSide": spec.position_control_side},
    ]
