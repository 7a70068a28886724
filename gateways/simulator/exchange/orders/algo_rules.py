"""Checks of a conditional order at placement."""

from decimal import Decimal

from gateways.simulator.exchange.model.accounts import ZERO
from gateways.simulator.exchange.model.errors import (
    close_position_unsupported,
    invalid_parameter,
    missing_parameter,
    parameter_not_required,
    refusal,
)
from gateways.simulator.exchange.model.orders import CONDITIONAL_TYPES, AlgoOrder, AlgoRequest
from gateways.simulator.exchange.model.state import AccountState, ExchangeState, MarketState
from gateways.simulator.exchange.model.symbols import TIMES_IN_FORCE, SymbolSpec
from gateways.simulator.exchange.orders.rules import (
    check_client_id,
    check_enums,
    check_good_till,
    check_notional,
    check_price_match,
    check_symbol,
    decimals_of,
    is_hedge_close,
    price_to_ticks,
    quantity_to_lots,
    resolve_position_side,
)

LIMIT_TYPES = ("STOP", "TAKE_PROFIT")
CLOSING_TYPES = ("STOP_MARKET", "TAKE_PROFIT_MARKET")
UNTIL_POSITION_ENDS = "GTE_GTC"
"""Time in force of a conditional order that expires with its position."""
_LOWEST_CALLBACK, _HIGHEST_CALLBACK = Decimal("0.1"), Decimal(20)


def working_price(market: MarketState, working_type: str) -> Decimal:
    """Return the price a trigger is compared with; 0 while there is none."""
    if working_type == "MARK_PRICE":
        return market.mark
    return market.last_price


def is_reached(algo: AlgoOrder, price: Decimal) -> bool:
    """Tell whether a price triggers: STOP buys at or above, sells at or below; TAKE_PROFIT is reversed."""
    upward = (algo.side == "BUY") == algo.order_type.startswith("STOP")
    return price >= algo.trigger_price if upward else price <= algo.trigger_price


def build(state: ExchangeState, user: AccountState, market: MarketState, request: AlgoRequest) -> AlgoOrder:
    """Check a request and build the conditional order, without an id."""
    check_enums(request.side, request.position_side, request.stp_mode)
    if request.algo_type != "CONDITIONAL":
        raise invalid_parameter("algotype")
    if request.type not in CONDITIONAL_TYPES:
        raise refusal(-1116)
    if request.time_in_force not in (None, UNTIL_POSITION_ENDS, *TIMES_IN_FORCE):
        raise refusal(-1115)
    working_type = request.working_type or "CONTRACT_PRICE"
    if working_type not in ("CONTRACT_PRICE", "MARK_PRICE"):
        raise invalid_parameter("workingtype")
    if request.close_position:
        _check_close_position(request)
    position_side = resolve_position_side(user, request.position_side, reduce_only=request.reduce_only)
    if request.close_position and position_side != "BOTH" and not is_hedge_close(position_side, request.side):
        raise close_position_unsupported(request.type)
    check_client_id(user, request.client_algo_id)
    if any(algo.client_algo_id == request.client_algo_id for algo in user.open_algos.values()):
        raise refusal(-4116)
    check_symbol(market, request.side)
    algo = AlgoOrder(
        algo_id=0,
        account_id=user.account.account_id,
        client_algo_id=request.client_algo_id or "",
        algo_type=request.algo_type,
        order_type=request.type,
        symbol=request.symbol,
        side=request.side,
        position_side=position_side,
        time_in_force=request.time_in_force or "GTC",
        quantity=request.quantity or ZERO,
        algo_status="NEW",
        create_time_ms=state.now_ms,
        update_time_ms=state.now_ms,
        trigger_price=request.trigger_price or ZERO,
        price=request.price or ZERO,
        stp_mode=request.stp_mode or "EXPIRE_MAKER",
        working_type=working_type,
        price_match=request.price_match or "NONE",
        close_position=bool(request.close_position),
        price_protect=bool(request.price_protect),
        reduce_only=bool(request.reduce_only),
        good_till_date=check_good_till(request.time_in_force or "GTC", request.good_till_date, state.now_ms),
    )
    _check_prices(market, algo, request)
    _check_quantity(market, algo, request)
    _check_not_reached(market, algo, request)
    _check_position_link(user, algo)
    return algo


def _check_close_position(request: AlgoRequest) -> None:
    if request.type not in CLOSING_TYPES:
        raise close_position_unsupported(request.type)
    if request.quantity is not None:
        raise refusal(-4137)
    if request.reduce_only is not None:
        raise refusal(-4138)


def _check_position_link(user: AccountState, algo: AlgoOrder) -> None:
    """Check orders that depend on a position: one closing stop and target each (-4130), GTE_GTC (-4509).

    GTE_GTC needs a position or an open order of the symbol. Source: users' reports of both refusals.
    """
    if algo.close_position:
        rivals = (other for other in user.open_algos.values() if other.close_position)
        if any(_closes_the_same(algo, other) for other in rivals):
            raise refusal(-4130)
    if algo.time_in_force != UNTIL_POSITION_ENDS:
        return
    if not user.held(algo.symbol) and not user.open_of(algo.symbol):
        raise refusal(-4509)


def _closes_the_same(algo: AlgoOrder, other: AlgoOrder) -> bool:
    """Tell whether two closePosition orders have the same type and close the same position side."""
    return (algo.symbol, algo.position_side, algo.side, algo.order_type) == (
        other.symbol,
        other.position_side,
        other.side,
        other.order_type,
    )


def _trigger_price(spec: SymbolSpec, price: Decimal | None, name: str) -> None:
    if price is None or not price.is_finite():
        raise missing_parameter(name)
    if decimals_of(price) > spec.price_precision:
        raise refusal(-1111)
    if price <= 0:
        raise refusal(-4006)
    if price > spec.max_price:
        raise refusal(-4007)
    if price % spec.order_tick:
        raise refusal(-4014)


def _check_prices(market: MarketState, algo: AlgoOrder, request: AlgoRequest) -> None:
    matched = check_price_match(request.type, request.price_match, request.price)
    if algo.order_type == "TRAILING_STOP_MARKET":
        _check_trailing(market, algo, request)
        return
    _trigger_price(market.spec, request.trigger_price, "triggerprice")
    if algo.order_type in LIMIT_TYPES:
        if request.price is None and not matched:
            raise missing_parameter("price")
        if request.price is not None:
            price_to_ticks(market.spec, request.price)
    elif request.price is not None:
        raise parameter_not_required("price")


def _check_trailing(market: MarketState, algo: AlgoOrder, request: AlgoRequest) -> None:
    rate = request.callback_rate
    if rate is None:
        raise missing_parameter("callbackrate")
    if not _LOWEST_CALLBACK <= rate <= _HIGHEST_CALLBACK:
        raise invalid_parameter("callbackrate")
    algo.callback_rate = rate
    if request.activate_price is not None:
        _trigger_price(market.spec, request.activate_price, "activateprice")
    price = working_price(market, algo.working_type)
    algo.activate_price = request.activate_price if request.activate_price is not None else price or None


def _check_quantity(market: MarketState, algo: AlgoOrder, request: AlgoRequest) -> None:
    if algo.close_position:
        return
    if request.quantity is None:
        raise missing_parameter("quantity")
    lots = quantity_to_lots(market.spec, request.quantity, market=algo.order_type not in LIMIT_TYPES)
    if algo.reduce_only or is_hedge_close(algo.position_side, algo.side):
        return
    check_notional(market, algo.price or algo.trigger_price or market.mark, lots)


def _check_not_reached(market: MarketState, algo: AlgoOrder, request: AlgoRequest) -> None:
    """-2021 when the condition already holds (-4135 for a trailing order's activation price)."""
    price = working_price(market, algo.working_type)
    if not price:
        return
    if algo.order_type != "TRAILING_STOP_MARKET":
        if is_reached(algo, price):
            raise refusal(-2021)
        return
    if request.activate_price is None:
        return
    ahead = request.activate_price < price if algo.side == "BUY" else request.activate_price > price
    if not ahead:
        raise refusal(-4135)
