"""Order requests as text: the fixed parts are prepared beforehand."""

import re
from dataclasses import dataclass
from decimal import Decimal

from gateways.binance.protocol.requests import Requests
from gateways.binance.protocol.signing import encode
from gateways.wire.messages import (
    AmendOrder,
    CancelOrder,
    QueryOrder,
    SubmitOrder,
)


@dataclass(frozen=True, slots=True)
class OrderForm:
    """What an order of a type is written with. With a stop price it is a conditional one, an algoOrder."""

    has_price: bool = False
    has_stop_price: bool = False


ORDER_TYPES = {
    "LIMIT": OrderForm(has_price=True),
    "MARKET": OrderForm(),
    "STOP_MARKET": OrderForm(has_stop_price=True),
}
"""Types that an engine may send."""
_CLIENT_ID = re.compile(r"[.A-Z:/a-z0-9_-]{1,36}")
_WORD = re.compile(r"[A-Z0-9_]{0,24}")


class BadOrder(ValueError):
    """A request that cannot be written; refused before anything is sent."""


def plain(number: Decimal) -> str:
    """Without an exponent, with no more digits than given."""
    if not number.is_finite():
        raise BadOrder(f"{number} is not a price or quantity")
    return format(number, "f")


class OrderRequests:
    """Makes the bytes of order requests."""

    def __init__(self, requests: Requests) -> None:
        self._signed = requests.signed
        self._public = requests.public
        self._symbols: dict[str, str] = {}

    def submit(self, order: SubmitOrder) -> bytes:
        """POST order, or algoOrder for conditional ones."""
        form = ORDER_TYPES.get(order.order_type)
        if form is None:
            raise BadOrder(f"order type {order.order_type!r} is not one of {sorted(ORDER_TYPES)}")
        if form.has_stop_price:
            return self._signed("POST /fapi/v1/algoOrder?", self._algo_order(order, form))
        return self._signed("POST /fapi/v1/order?", self._plain_order(order, form))

    def cancel(self, order: CancelOrder) -> bytes:
        """DELETE order or algoOrder."""
        return self._by_id("DELETE", order.symbol, order.client_order_id, is_conditional=order.is_conditional)

    def query(self, order: QueryOrder) -> bytes:
        """GET order or algoOrder."""
        return self._by_id("GET", order.symbol, order.client_order_id, is_conditional=order.is_conditional)

    def amend(self, order: AmendOrder) -> bytes:
        """PUT order; price and quantity are both mandatory."""
        text = (
            f"symbol={self._symbol(order.symbol)}&side={order.side}"
            f"&origClientOrderId={_client_id(order.client_order_id)}"
            f"&quantity={plain(order.qty_base)}&price={plain(order.price)}"
        )
        return self._signed("PUT /fapi/v1/order?", text)

    def countdown(self, symbol: str, countdown_ms: int) -> bytes:
        """POST countdownCancelAll; 0 disarms."""
        text = f"symbol={self._symbol(symbol)}&countdownTime={countdown_ms}"
        return self._signed("POST /fapi/v1/countdownCancelAll?", text)

    def time(self) -> bytes:
        """GET time; unsigned."""
        return self._public("GET /fapi/v1/time")

    def _plain_order(self, order: SubmitOrder, form: OrderForm) -> str:
        text = (
            f"symbol={self._symbol(order.symbol)}&side={order.side}&type={order.order_type}"
            f"&quantity={plain(order.qty_base)}&newClientOrderId={_client_id(order.client_order_id)}"
        )
        if form.has_price:
            text += _price_of(order)
        return text + "&reduceOnly=true" if order.reduce_only else text

    def _algo_order(self, order: SubmitOrder, form: OrderForm) -> str:
        if order.stop_price is None:
            raise BadOrder(f"a {order.order_type} order needs a stop price")
        text = (
            f"algoType=CONDITIONAL&symbol={self._symbol(order.symbol)}&side={order.side}"
            f"&type={order.order_type}&triggerPrice={plain(order.stop_price)}"
            f"&clientAlgoId={_client_id(order.client_order_id)}"
            # What plain orders do by themselves: our own resting order goes, a trade with ourselves does not
            # happen.
            f"&selfTradePreventionMode=EXPIRE_MAKER&quantity={plain(order.qty_base)}"
        )
        if form.has_price:
            text += _price_of(order)
        return text + "&reduceOnly=true" if order.reduce_only else text

    def _by_id(self, method: str, symbol: str, client_order_id: str, *, is_conditional: bool) -> bytes:
        client_id = _client_id(client_order_id)
        if is_conditional:
            text = f"symbol={self._symbol(symbol)}&clientAlgoId={client_id}"
            return self._signed(f"{method} /fapi/v1/algoOrder?", text)
        text = f"symbol={self._symbol(symbol)}&origClientOrderId={client_id}"
        return self._signed(f"{method} /fapi/v1/order?", text)

    def _symbol(self, symbol: str) -> str:
        encoded = self._symbols.get(symbol)
        if encoded is None:
            encoded = encode(symbol)
            if len(self._symbols) < 1_000:
                self._symbols[symbol] = encoded
        return encoded


def _price_of(order: SubmitOrder) -> str:
    if order.price is None:
        raise BadOrder(f"a {order.order_type} order needs a price")
    return f"&price={plain(order.price)}&timeInForce={_word(order.time_in_force or 'GTC')}"


def _client_id(text: str) -> str:
    if _CLIENT_ID.fullmatch(text) is None:
        raise BadOrder("a client order id has 1 to 36 of the characters . A-Z : / a-z 0-9 _ -")
    return text


def _word(text: str) -> str:
    if _WORD.fullmatch(text) is None:
        raise BadOrder(f"{text!r} is not a word of the exchange")
    return text
