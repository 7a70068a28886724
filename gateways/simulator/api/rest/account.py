"""Account endpoints: balances, positions, settings, income, listen keys."""

from gateways.simulator.api.formats import account as shape
from gateways.simulator.api.formats.exchange_info import rate_limits
from gateways.simulator.api.formats.numbers import plain
from gateways.simulator.api.rest.endpoint import SUCCESS, Call, Endpoint, Handler, Security, row_limit
from gateways.simulator.api.venue.venue import Venue
from gateways.simulator.exchange import account_queries, history_queries
from gateways.simulator.exchange.model.accounts import PositionRow
from gateways.simulator.exchange.model.errors import invalid_parameter, missing_parameter


def account_v3(venue: Venue, call: Call) -> object:
    """GET v3 account."""
    return shape.account_v3(venue.state.specs, account_queries.account_summary(venue.state, call.account))


def account_v2(venue: Venue, call: Call) -> object:
    """GET v2 account."""
    return shape.account_v2(venue.state.specs, account_queries.account_summary(venue.state, call.account))


def balance(venue: Venue, call: Call) -> object:
    """GET v2 and v3 balance."""
    return shape.balances(account_queries.account_summary(venue.state, call.account))


def account_config(venue: Venue, call: Call) -> object:
    """GET accountConfig."""
    return shape.account_config(account_queries.account_summary(venue.state, call.account))


def position_risk_v3(venue: Venue, call: Call) -> object:
    """GET v3 positionRisk."""
    return [
        shape.position_risk_v3(venue.spec(row.symbol), row) for row in shape.in_use(_positions(venue, call))
    ]


def position_risk_v2(venue: Venue, call: Call) -> object:
    """GET v1 and v2 positionRisk."""
    return [shape.position_risk_v2(venue.spec(row.symbol), row) for row in _positions(venue, call)]


def symbol_config(venue: Venue, call: Call) -> object:
    """GET symbolConfig: one row per symbol in every position mode."""
    rows = {row.symbol: shape.symbol_config(row) for row in reversed(_positions(venue, call))}
    return list(reversed(rows.values()))


def _positions(venue: Venue, call: Call) -> list[PositionRow]:
    symbol = call.params.upper("symbol")
    if symbol is not None:
        venue.spec(symbol)
    return account_queries.position_rows(venue.state, call.account, symbol)


def adl_quantile(venue: Venue, call: Call) -> object:
    """GET adlQuantile."""
    quantiles: dict[str, dict[str, int]] = {}
    for row in _positions(venue, call):
        if row.position_amt:
            quantiles.setdefault(row.symbol, {"LONG": 0, "SHORT": 0})[row.position_side] = row.adl
    return [{"symbol": symbol, "adlQuantile": sides} for symbol, sides in quantiles.items()]


def leverage_bracket(venue: Venue, call: Call) -> object:
    """GET leverageBracket: always an array."""
    symbol = call.params.upper("symbol")
    specs = [venue.spec(symbol)] if symbol is not None else list(venue.state.specs.values())
    return [shape.leverage_bracket(spec) for spec in specs]


def commission_rate(venue: Venue, call: Call) -> object:
    """GET commissionRate."""
    return shape.commission_rate(venue.spec(call.symbol))


def set_leverage(venue: Venue, call: Call) -> object:
    """POST leverage."""
    leverage = call.params.integer("leverage")
    if leverage is None:
        raise missing_parameter("leverage")
    venue.spec(call.symbol)
    most = venue.exchange.set_leverage(call.account, call.symbol, leverage, call.now_ms)
    return {"leverage": leverage, "maxNotionalValue": plain(most), "symbol": call.symbol}


def set_margin_type(venue: Venue, call: Call) -> object:
    """POST marginType."""
    margin_type = call.params.require("marginType").upper()
    if margin_type not in {"ISOLATED", "CROSSED"}:
        raise invalid_parameter("marginType")
    venue.spec(call.symbol)
    venue.exchange.set_margin_type(call.account, call.symbol, margin_type, call.now_ms)
    return SUCCESS


def position_margin(venue: Venue, call: Call) -> object:
    """POST positionMargin."""
    amount, kind = call.params.decimal("amount"), call.params.integer("type")
    if amount is None:
        raise missing_parameter("amount")
    if kind not in {1, 2}:
        raise invalid_parameter("type")
    venue.spec(call.symbol)
    venue.exchange.modify_position_margin(
        call.account, call.symbol, call.params.upper("positionSide"), amount, kind, call.now_ms
    )
    return {
        "amount": float(amount),
        "code": 200,
        "msg": "Successfully modify position margin.",
        "type": kind,
    }


def position_margin_history(venue: Venue, call: Call) -> object:
    """GET positionMargin/history."""
    venue.spec(call.symbol)
    kind = call.params.integer("type")
    if kind not in {None, 1, 2}:
        raise invalid_parameter("type")
    rows = history_queries.margin_changes(
        venue.state,
        call.account,
        call.symbol,
        call.now_ms,
        kind=kind,
        start_ms=call.params.integer("startTime"),
        end_ms=call.params.integer("endTime"),
        limit=row_limit(call.params, 500, 1000),
    )
    return [shape.margin_change(row) for row in rows]


def position_mode(venue: Venue, call: Call) -> object:
    """GET positionSide/dual."""
    return {"dualSidePosition": venue.state.user(call.account).account.hedge_mode}


def set_position_mode(venue: Venue, call: Call) -> object:
    """POST positionSide/dual."""
    venue.exchange.set_position_mode(call.account, bool(call.params.boolean("dualSidePosition")), call.now_ms)
    return SUCCESS


def multi_assets(venue: Venue, call: Call) -> object:
    """GET multiAssetsMargin."""
    return {"multiAssetsMargin": venue.state.user(call.account).account.multi_assets_mode}


def set_multi_assets(venue: Venue, call: Call) -> object:
    """POST multiAssetsMargin."""
    venue.exchange.set_multi_assets(call.account, bool(call.params.boolean("multiAssetsMargin")), call.now_ms)
    return SUCCESS


def fee_burn(venue: Venue, call: Call) -> object:
    """GET feeBurn."""
    return {"feeBurn": venue.state.user(call.account).account.fee_burn}


def set_fee_burn(venue: Venue, call: Call) -> object:
    """POST feeBurn."""
    venue.exchange.set_fee_burn(call.account, bool(call.params.boolean("feeBurn")), call.now_ms)
    return SUCCESS


def income(venue: Venue, call: Call) -> object:
    """GET income."""
    rows = history_queries.income(
        venue.state,
        call.account,
        call.now_ms,
        symbol=call.params.upper("symbol"),
        income_type=call.params.upper("incomeType"),
        start_ms=call.params.integer("startTime"),
        end_ms=call.params.integer("endTime"),
        limit=row_limit(call.params, 100, 1000),
    )
    return [shape.income(row) for row in rows]


def order_limits(venue: Venue, _call: Call) -> object:
    """GET rateLimit/order."""
    return [row for row in rate_limits(venue.limits.settings) if row["rateLimitType"] == "ORDERS"]


def start_listen_key(venue: Venue, call: Call) -> object:
    """POST listenKey: create the owner's key or extend the existing one."""
    assert call.owner is not None
    return {"listenKey": venue.listen_keys.start(call.owner, call.now_ms)}


def extend_listen_key(venue: Venue, call: Call) -> object:
    """PUT listenKey."""
    assert call.owner is not None
    return {"listenKey": venue.listen_keys.extend(call.owner, call.params.text("listenKey"), call.now_ms)}


def end_listen_key(venue: Venue, call: Call) -> object:
    """DELETE listenKey: open sockets get listenKeyExpired and no further events."""
    assert call.owner is not None
    key = venue.listen_keys.end(call.owner)
    if key is not None:
        venue.users.end(key, call.now_ms)
    return {}


def _signed(handler: Handler, weight: int = 5, required: tuple[str, ...] = ()) -> Endpoint:
    return Endpoint(handler, Security.SIGNED, weight, required)


_DUAL = "/fapi/v1/positionSide/dual"
_MULTI = "/fapi/v1/multiAssetsMargin"
_LISTEN = "/fapi/v1/listenKey"
ACCOUNT_ENDPOINTS: dict[tuple[str, str], Endpoint] = {
    ("GET", "/fapi/v3/account"): _signed(account_v3),
    ("GET", "/fapi/v2/account"): _signed(account_v2),
    ("GET", "/fapi/v3/balance"): _signed(balance),
    ("GET", "/fapi/v2/balance"): _signed(balance),
    ("GET", "/fapi/v3/positionRisk"): _signed(position_risk_v3),
    ("GET", "/fapi/v2/positionRisk"): _signed(position_risk_v2),
    ("GET", "/fapi/v1/positionRisk"): _signed(position_risk_v2),
    ("GET", "/fapi/v1/accountConfig"): _signed(account_config),
    ("GET", "/fapi/v1/symbolConfig"): _signed(symbol_config),
    ("GET", "/fapi/v1/adlQuantile"): _signed(adl_quantile),
    ("GET", "/fapi/v1/leverageBracket"): _signed(leverage_bracket, 1),
    ("GET", "/fapi/v1/commissionRate"): _signed(commission_rate, 20, ("symbol",)),
    ("POST", "/fapi/v1/leverage"): _signed(set_leverage, 1, ("symbol", "leverage")),
    ("POST", "/fapi/v1/marginType"): _signed(set_margin_type, 1, ("symbol", "marginType")),
    ("POST", "/fapi/v1/positionMargin"): _signed(position_margin, 1, ("symbol", "amount", "type")),
    ("GET", "/fapi/v1/positionMargin/history"): _signed(position_margin_history, 1, ("symbol",)),
    ("GET", _DUAL): _signed(position_mode, 30),
    ("POST", _DUAL): _signed(set_position_mode, 1, ("dualSidePosition",)),
    ("GET", _MULTI): _signed(multi_assets, 30),
    ("POST", _MULTI): _signed(set_multi_assets, 1, ("multiAssetsMargin",)),
    ("GET", "/fapi/v1/feeBurn"): _signed(fee_burn, 30),
    ("POST", "/fapi/v1/feeBurn"): _signed(set_fee_burn, 1, ("feeBurn",)),
    ("GET", "/fapi/v1/income"): _signed(income, 30),
    ("GET", "/fapi/v1/rateLimit/order"): _signed(order_limits, 1),
    ("POST", _LISTEN): Endpoint(start_listen_key, Security.KEY),
    ("PUT", _LISTEN): Endpoint(extend_listen_key, Security.KEY),
    ("DELETE", _LISTEN): Endpoint(end_listen_key, Security.KEY),
}
