"""Public endpoints: server, symbols and market data."""

from gateways.simulator.api.formats.exchange_info import exchange_info
from gateways.simulator.api.requests.params import Params
from gateways.simulator.api.rest import klines, market_data
from gateways.simulator.api.rest.endpoint import Call, Endpoint, Handler, Security, Weight
from gateways.simulator.api.venue.venue import Venue


def ping(_venue: Venue, _call: Call) -> object:
    """GET ping."""
    return {}


def server_time(venue: Venue, _call: Call) -> object:
    """GET time."""
    return {"serverTime": venue.clock.server_ms()}


def info(venue: Venue, _call: Call) -> object:
    """GET exchangeInfo."""
    return exchange_info(venue.state.specs, venue.limits.settings, venue.clock.server_ms())


def _limit(params: Params, default: int) -> int:
    text = params.text("limit") or ""
    return int(text) if text.isdecimal() and len(text) < 9 else default


def _depth_weight(params: Params) -> int:
    limit = _limit(params, 500)
    for most, weight in ((50, 2), (100, 5), (500, 10)):
        if limit <= most:
            return weight
    return 20


def _klines_weight(params: Params) -> int:
    limit = _limit(params, 500)
    for most, weight in ((99, 1), (499, 2), (1000, 5)):
        if limit <= most:
            return weight
    return 10


def _per_symbol(one: int, everything: int) -> Weight:
    def weight(params: Params) -> int:
        return one if params.has("symbol") else everything

    return weight


def _public(
    handler: Handler,
    weight: Weight,
    required: tuple[str, ...] = (),
    security: Security = Security.NONE,
    *,
    funding_pool: bool = False,
) -> Endpoint:
    return Endpoint(handler, security, weight, required, funding_pool=funding_pool)


_KLINES = ("symbol", "interval")
PUBLIC_ENDPOINTS: dict[tuple[str, str], Endpoint] = {
    ("GET", "/fapi/v1/ping"): Endpoint(ping),
    ("GET", "/fapi/v1/time"): Endpoint(server_time),
    ("GET", "/fapi/v1/exchangeInfo"): Endpoint(info),
    ("GET", "/fapi/v1/depth"): _public(market_data.depth, _depth_weight, ("symbol",)),
    ("GET", "/fapi/v1/klines"): _public(klines.klines, _klines_weight, _KLINES),
    ("GET", "/fapi/v1/markPriceKlines"): _public(klines.mark_klines, _klines_weight, _KLINES),
    ("GET", "/fapi/v1/premiumIndexKlines"): _public(klines.premium_klines, _klines_weight, _KLINES),
    ("GET", "/fapi/v1/indexPriceKlines"): _public(klines.index_klines, _klines_weight, ("pair", "interval")),
    ("GET", "/fapi/v1/continuousKlines"): _public(
        klines.continuous_klines, _klines_weight, ("pair", "contractType", "interval")
    ),
    ("GET", "/fapi/v1/trades"): _public(market_data.trades, 5, ("symbol",)),
    ("GET", "/fapi/v1/historicalTrades"): _public(
        market_data.historical_trades, 200, ("symbol",), security=Security.KEY
    ),
    ("GET", "/fapi/v1/aggTrades"): _public(market_data.agg_trades, 20, ("symbol",)),
    ("GET", "/fapi/v1/ticker/24hr"): _public(market_data.day_ticker, _per_symbol(1, 40)),
    ("GET", "/fapi/v1/ticker/price"): _public(market_data.price_ticker, _per_symbol(1, 2)),
    ("GET", "/fapi/v2/ticker/price"): _public(market_data.price_ticker, _per_symbol(1, 2)),
    ("GET", "/fapi/v1/ticker/bookTicker"): _public(market_data.book_ticker, _per_symbol(2, 5)),
    ("GET", "/fapi/v1/premiumIndex"): _public(market_data.premium_index, _per_symbol(1, 10)),
    ("GET", "/fapi/v1/openInterest"): _public(market_data.open_interest, 1, ("symbol",)),
    ("GET", "/fapi/v1/fundingRate"): _public(market_data.funding_rate, 0, funding_pool=True),
    ("GET", "/fapi/v1/fundingInfo"): _public(market_data.funding_info, 0, funding_pool=True),
}
