"""Every REST method of Binance's official SDK, unchanged. Arguments: URL KEY SECRET. Prints the steps."""

import inspect
import sys
import warnings

from binance_common.configuration import ConfigurationRestAPI
from binance_common.errors import BadRequestError
from binance_sdk_derivatives_trading_usds_futures.derivatives_trading_usds_futures import (
    DerivativesTradingUsdsFutures,
)

URL, KEY, SECRET = sys.argv[1:4]
SYMBOL = "BTCUSDT"
ABSENT = ("convert", "quote", "order_status", "download", "portfolio_margin", "tradfi")
REFUSED = {
    "change_margin_type": "No need to change margin type",
    "change_multi_assets_mode": "does not need to be adjusted",
    "change_position_mode": "No need to change position side",
    "keepalive_user_data_stream": "listenKey does not exist",
    "modify_isolated_position_margin": "only support for isolated position",
}
VALUES = {
    "amount": 1.0,
    "contract_type": "PERPETUAL",
    "countdown_time": 60_000,
    "dual_side_position": "false",
    "fee_burn": "true",
    "interval": "1m",
    "leverage": 9,
    "margin_type": "CROSSED",
    "multi_assets_margin": "false",
    "pair": SYMBOL,
    "period": "5m",
    "quantity": 0.02,
    "side": "BUY",
    "symbol": SYMBOL,
}


class Caller:
    """Gives each method what it needs: an order and a conditional order of its own."""

    def __init__(self, rest):
        self.rest = rest
        self.low = round(float(rest.order_book(SYMBOL, limit=5).data().bids[0][0]) * 0.98, 1)
        self.order = {
            "symbol": SYMBOL,
            "side": "BUY",
            "type": "LIMIT",
            "time_in_force": "GTC",
            "quantity": 0.01,
            "price": self.low,
        }
        self.stop = {
            "algo_type": "CONDITIONAL",
            "symbol": SYMBOL,
            "side": "SELL",
            "type": "STOP_MARKET",
            "quantity": 0.01,
            "trigger_price": self.low,
        }

    def arguments(self, name, method):
        named = inspect.signature(method).parameters
        order_id = self.rest.new_order(**self.order).data().order_id
        row = {"symbol": SYMBOL, "side": "BUY", "quantity": "0.02", "price": str(self.low)}
        special = {
            "new_order": self.order,
            "test_order": self.order,
            "new_algo_order": self.stop,
            "modify_isolated_position_margin": {"symbol": SYMBOL, "amount": 1.0, "type": "1"},
            "place_multiple_orders": {"batch_orders": [row | {"type": "LIMIT", "timeInForce": "GTC"}]},
            "modify_multiple_orders": {"batch_orders": [row | {"orderId": order_id}]},
            "cancel_multiple_orders": {"symbol": SYMBOL, "order_id_list": [order_id]},
        }
        if name in special:
            return special[name]
        known = VALUES | {"price": self.low}
        given = {key: known[key] for key, p in named.items() if p.default is p.empty}
        if "order_id" in named and name != "all_orders":
            given["order_id"] = order_id
        if name in {"query_algo_order", "cancel_algo_order"}:
            given["algo_id"] = self.rest.new_algo_order(**self.stop).data().algo_id
        return given

    def call(self, name, method):
        try:
            method(**self.arguments(name, method)).data()
        except BadRequestError as error:
            assert REFUSED.get(name, "nothing") in str(error), f"{name}: {error}"
        self.rest.cancel_all_open_orders(SYMBOL)
        self.rest.cancel_all_algo_open_orders(SYMBOL)
        sys.stdout.write(name + "\n")


def main():
    # The SDK warns where an answer does not have exactly the shape of its model.
    warnings.simplefilter("error")
    warnings.simplefilter("ignore", DeprecationWarning)
    rest = DerivativesTradingUsdsFutures(
        config_rest_api=ConfigurationRestAPI(api_key=KEY, api_secret=SECRET, base_path=URL, timeout=10_000)
    ).rest_api
    caller = Caller(rest)
    methods = [
        (name, method)
        for name, method in inspect.getmembers(rest, inspect.ismethod)
        if not name.startswith(("_", "send_")) and not any(part in name for part in ABSENT)
    ]
    assert len(methods) > 70
    for name, method in methods:
        caller.call(name, method)
    sys.stdout.write("end\n")


main()
