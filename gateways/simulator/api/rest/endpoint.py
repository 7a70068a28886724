"""`Endpoint` describes one method and path; `Call` is what its handler gets."""

from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum
from typing import Any

from gateways.simulator.api.access.keys import ApiKey
from gateways.simulator.api.requests.params import Params
from gateways.simulator.api.venue.venue import Venue
from gateways.simulator.exchange.model.errors import ApiError, invalid_parameter
from gateways.simulator.market_data.symbol_feed import SymbolFeed

SUCCESS = {"code": 200, "msg": "success"}


class Security(Enum):
    """Binance's security types: nothing, the key alone, or key, timestamp and signature."""

    NONE = 0
    KEY = 1
    SIGNED = 2


@dataclass(frozen=True, slots=True)
class Call:
    """One checked request. `owner` is set for every endpoint that needs a key."""

    params: Params
    now_ms: int
    owner: ApiKey | None
    address: str

    @property
    def account(self) -> str:
        """The caller's account."""
        assert self.owner is not None
        return self.owner.account

    @property
    def symbol(self) -> str:
        """The mandatory symbol, in upper case."""
        return self.params.require("symbol").upper()

    def order_ids(self) -> tuple[int | None, str | None]:
        """`orderId` and `origClientOrderId`, one of which is mandatory."""
        order_id, client_id = self.params.integer("orderId"), self.params.text("origClientOrderId")
        if order_id is None and client_id is None:
            raise ApiError(
                -1102, "Param 'origClientOrderId' or 'orderId' must be sent, but both were empty/null!"
            )
        return order_id, client_id


def row_limit(params: Params, default: int, most: int) -> int:
    """`limit` of a list, -1130 where it is not between 1 and the maximum."""
    limit = params.integer("limit")
    if limit is None:
        return default
    if not 1 <= limit <= most:
        raise invalid_parameter("limit")
    return limit


def requested_feed(venue: Venue, call: Call, name: str = "symbol") -> SymbolFeed:
    """Market data of the symbol in a mandatory parameter (-1102, -1121); 503 while there is none."""
    return venue.data.ready_feed(call.params.require(name).upper())


Handler = Callable[[Venue, Call], Any]
Weight = int | Callable[[Params], int]


@dataclass(frozen=True, slots=True)
class Endpoint:
    """One method and path. `orders` is how many orders a request counts as (per 10 s, per minute)."""

    handler: Handler
    security: Security = Security.NONE
    weight: Weight = 1
    required: tuple[str, ...] = ()
    orders: tuple[int, int] = (0, 0)
    funding_pool: bool = False
    spot_headers: bool = False
    """Whether to send the used weight under its older header name too, like the spot host."""

    def weight_of(self, params: Params) -> int:
        """Request weight of a request with these parameters."""
        return self.weight if isinstance(self.weight, int) else self.weight(params)
