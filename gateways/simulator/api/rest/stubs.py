"""Endpoints with constant or empty responses: statistics, other products, other hosts."""

from gateways.simulator.api.rest import market_data
from gateways.simulator.api.rest.endpoint import Call, Endpoint, Handler, Security
from gateways.simulator.api.rest.public import ping, server_time
from gateways.simulator.api.venue.venue import Venue
from gateways.simulator.exchange.accounts import mark_price


def nothing(_venue: Venue, _call: Call) -> object:
    """Empty list."""
    return []


def trading_status(_venue: Venue, call: Call) -> object:
    """GET apiTradingStatus: no indicator is triggered."""
    return {"indicators": {}, "updateTime": call.now_ms}


def constituents(venue: Venue, call: Call) -> object:
    """GET constituents: the index consists of this market alone."""
    venue.spec(call.symbol)
    price = f"{mark_price.index_price(venue.state.market(call.symbol)):.8f}"
    row = {"exchange": "simulator", "symbol": call.symbol, "price": price, "weight": "1.00000000"}
    return {"symbol": call.symbol, "time": call.now_ms, "constituents": [row]}


def trading_schedule(_venue: Venue, call: Call) -> object:
    """GET tradingSchedule: no sessions, as no symbol here follows the hours of another market."""
    markets = ("EQUITY", "COMMODITY", "KR_EQUITY", "HK_EQUITY", "CN_EQUITY", "FX")
    return {"updateTime": call.now_ms, "marketSchedules": {market: {"sessions": []} for market in markets}}


def system_status(_venue: Venue, _call: Call) -> object:
    """GET system/status: no maintenance."""
    return {"status": 0, "msg": "normal"}


def adl_risk(venue: Venue, call: Call) -> object:
    """GET symbolAdlRisk: always low, as the insurance fund is practically unlimited."""
    symbol = call.params.upper("symbol")
    names = [venue.spec(symbol).symbol] if symbol else list(venue.state.markets)
    rows = [{"symbol": name, "adlRisk": "low", "updateTime": call.now_ms} for name in names]
    return rows[0] if symbol else rows


def no_symbols(venue: Venue, _call: Call) -> object:
    """Answer exchangeInfo for a product without symbols."""
    return {
        "timezone": "UTC",
        "serverTime": venue.clock.server_ms(),
        "rateLimits": [],
        "exchangeFilters": [],
        "optionContracts": [],
        "optionAssets": [],
        "optionSymbols": [],
        "symbols": [],
    }


def _public(handler: Handler, weight: int = 1, required: tuple[str, ...] = ()) -> Endpoint:
    return Endpoint(handler, weight=weight, required=required)


_STATISTICS = (
    "openInterestHist",
    "topLongShortPositionRatio",
    "topLongShortAccountRatio",
    "globalLongShortAccountRatio",
    "takerlongshortRatio",
    "basis",
    "delivery-price",
)
STUB_ENDPOINTS: dict[tuple[str, str], Endpoint] = {
    ("GET", "/fapi/v1/apiTradingStatus"): Endpoint(trading_status, Security.SIGNED),
    ("GET", "/fapi/v1/rpiDepth"): _public(market_data.depth, 20, ("symbol",)),
    ("GET", "/fapi/v1/constituents"): _public(constituents, 2, ("symbol",)),
    ("GET", "/fapi/v1/tradingSchedule"): _public(trading_schedule, 5),
    ("GET", "/fapi/v1/indexInfo"): _public(nothing),
    ("GET", "/fapi/v1/assetIndex"): _public(nothing),
    ("GET", "/fapi/v1/symbolAdlRisk"): _public(adl_risk),
    ("GET", "/fapi/v1/insuranceBalance"): _public(nothing),
    ("GET", "/api/v3/ping"): Endpoint(ping, spot_headers=True),
    ("GET", "/api/v3/time"): Endpoint(server_time, spot_headers=True),
    ("GET", "/api/v3/exchangeInfo"): Endpoint(no_symbols, spot_headers=True),
    ("GET", "/dapi/v1/ping"): _public(ping),
    ("GET", "/dapi/v1/time"): _public(server_time),
    ("GET", "/dapi/v1/exchangeInfo"): _public(no_symbols),
    ("GET", "/eapi/v1/ping"): _public(ping),
    ("GET", "/eapi/v1/time"): _public(server_time),
    ("GET", "/eapi/v1/exchangeInfo"): _public(no_symbols),
    ("GET", "/sapi/v1/system/status"): _public(system_status),
    ("GET", "/sapi/v1/capital/config/getall"): _public(nothing),
    ("GET", "/sapi/v1/margin/allPairs"): _public(nothing),
    ("GET", "/sapi/v1/margin/isolated/allPairs"): _public(nothing),
    **{("GET", f"/futures/data/{name}"): _public(nothing) for name in _STATISTICS},
}
