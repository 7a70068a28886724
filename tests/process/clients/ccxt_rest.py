"""ccxt's binanceusdm over REST, unchanged. Arguments: URL KEY SECRET. Prints the steps that passed."""

import sys

import ccxt

URL, KEY, SECRET = sys.argv[1:4]
SYMBOL = "BTC/USDT:USDT"


def make():
    api = {
        "fapiPublic": "/fapi/v1",
        "fapiPublicV2": "/fapi/v2",
        "fapiPublicV3": "/fapi/v3",
        "fapiPrivate": "/fapi/v1",
        "fapiPrivateV2": "/fapi/v2",
        "fapiPrivateV3": "/fapi/v3",
        "fapiData": "/futures/data",
        "public": "/api/v3",
        "private": "/api/v3",
        "sapi": "/sapi/v1",
        "sapiV2": "/sapi/v2",
        "sapiV3": "/sapi/v3",
        "sapiV4": "/sapi/v4",
        "dapiPublic": "/dapi/v1",
        "eapiPublic": "/eapi/v1",
    }
    return ccxt.binanceusdm(
        {
            "apiKey": KEY,
            "secret": SECRET,
            "enableRateLimit": False,
            "urls": {"api": {name: URL + path for name, path in api.items()}},
            "options": {"adjustForTimeDifference": True},
        }
    )


def done(step):
    sys.stdout.write(step + "\n")


def refused(action, *kinds):
    try:
        action()
    except kinds:
        return
    raise AssertionError(f"expected one of {kinds}")


def market_data(ex):
    markets = ex.load_markets()
    assert SYMBOL in markets
    assert markets[SYMBOL]["precision"]["amount"] == 0.001
    assert markets[SYMBOL]["precision"]["price"] == 0.1
    assert markets[SYMBOL]["limits"]["cost"]["min"] == 50
    done("load_markets")
    book = ex.fetch_order_book(SYMBOL, 50)
    assert len(book["bids"]) == len(book["asks"]) == 50
    assert book["bids"][0][0] < book["asks"][0][0]
    done("fetch_order_book")
    for timeframe in ("1m", "1h", "1d"):
        bars = ex.fetch_ohlcv(SYMBOL, timeframe, limit=100)
        assert len(bars) == 100
        assert bars == sorted(bars)
    done("fetch_ohlcv")
    ticker = ex.fetch_ticker(SYMBOL)
    assert ticker["last"] > 0
    assert len(ex.fetch_tickers()) >= 1
    assert ex.fetch_bids_asks([SYMBOL])[SYMBOL]["bid"] > 0
    assert len(ex.fetch_trades(SYMBOL, limit=5)) > 0
    done("fetch_ticker")
    assert ex.fetch_funding_rate(SYMBOL)["markPrice"] > 0
    ex.fetch_funding_rate_history(SYMBOL, limit=5)
    ex.fetch_open_interest(SYMBOL)
    assert ex.fetch_mark_price(SYMBOL)["markPrice"] > 0
    done("fetch_funding_rate")
    return (book["bids"][0][0] + book["asks"][0][0]) / 2


def account(ex):
    assert ex.fetch_balance()["USDT"]["total"] > 0
    done("fetch_balance")
    assert ex.fetch_positions([SYMBOL]) == []
    assert ex.fetch_position_mode()["hedged"] is False
    done("fetch_positions")
    ex.set_leverage(10, SYMBOL)
    assert ex.fetch_leverage(SYMBOL)["longLeverage"] == 10
    assert len(ex.fetch_leverage_tiers([SYMBOL])[SYMBOL]) > 5
    done("set_leverage")
    ex.set_margin_mode("isolated", SYMBOL)
    refused(lambda: ex.set_margin_mode("isolated", SYMBOL), ccxt.MarginModeAlreadySet)
    ex.set_margin_mode("cross", SYMBOL)
    refused(lambda: ex.set_position_mode(False), ccxt.OperationRejected)
    done("set_margin_mode")
    assert ex.fetch_trading_fee(SYMBOL)["taker"] == 0.0005
    ex.fetch_leverages([SYMBOL])
    done("fetch_trading_fee")


def limit_orders(ex, middle):
    low = round(middle * 0.98, 1)
    placed = ex.create_order(SYMBOL, "limit", "buy", 0.012, low, {"postOnly": True})
    assert placed["status"] == "open"
    assert ex.fetch_order(placed["id"], SYMBOL)["price"] == low
    by_client_id = {"clientOrderId": placed["clientOrderId"]}
    assert ex.fetch_order(None, SYMBOL, by_client_id)["id"] == placed["id"]
    assert [order["id"] for order in ex.fetch_open_orders(SYMBOL)] == [placed["id"]]
    done("create_order limit")
    changed = ex.edit_order(placed["id"], SYMBOL, "limit", "buy", 0.013, low - 10)
    assert (changed["amount"], changed["price"]) == (0.013, round(low - 10, 1))
    done("edit_order")
    assert ex.cancel_order(placed["id"], SYMBOL)["status"] == "canceled"
    refused(lambda: ex.cancel_order(placed["id"], SYMBOL), ccxt.OrderNotFound)
    done("cancel_order")
    batch = ex.create_orders(
        [
            {"symbol": SYMBOL, "type": "limit", "side": "buy", "amount": 0.002, "price": low},
            {"symbol": SYMBOL, "type": "limit", "side": "buy", "amount": 0.002, "price": low - 1},
        ]
    )
    assert [order["status"] for order in batch] == ["open", "open"]
    cancelled = ex.cancel_orders([order["id"] for order in batch], SYMBOL)
    assert [order["status"] for order in cancelled] == ["canceled", "canceled"]
    done("create_orders")
    ex.create_order(SYMBOL, "limit", "buy", 0.002, low)
    ex.cancel_all_orders(SYMBOL)
    assert ex.fetch_open_orders(SYMBOL) == []
    refused(
        lambda: ex.create_order(SYMBOL, "limit", "buy", 0.002, middle * 1.02, {"postOnly": True}),
        ccxt.InvalidOrder,
    )
    refused(lambda: ex.create_order(SYMBOL, "limit", "buy", 500, low), ccxt.ExchangeError)
    done("cancel_all_orders")


def market_orders(ex):
    bought = ex.create_order(SYMBOL, "market", "buy", 0.01)
    assert (bought["status"], bought["filled"]) == ("closed", 0.01)
    assert ex.fetch_order(bought["id"], SYMBOL)["average"] > 0
    (position,) = ex.fetch_positions([SYMBOL])
    assert (position["side"], position["contracts"]) == ("long", 0.01)
    done("create_order market")
    ex.create_order(SYMBOL, "market", "sell", 0.01, None, {"reduceOnly": True})
    assert ex.fetch_positions([SYMBOL]) == []
    trades = ex.fetch_my_trades(SYMBOL)
    signed = (trade["amount"] if trade["side"] == "buy" else -trade["amount"] for trade in trades)
    assert round(sum(signed), 9) == 0  # an order that fills in parts gives floats that do not add up exactly
    kinds = {row["info"]["incomeType"] for row in ex.fetch_ledger("USDT")}
    assert kinds >= {"COMMISSION", "REALIZED_PNL"}
    assert len(ex.fetch_orders(SYMBOL)) >= 2
    ex.fetch_funding_history(SYMBOL)
    done("fetch_my_trades")


def conditional_orders(ex, middle):
    stop = round(middle * 0.95, 1)
    for kind, params in (
        ("market", {"stopLossPrice": stop}),
        ("market", {"takeProfitPrice": round(middle * 1.04, 1)}),
        ("limit", {"triggerPrice": stop, "stopLossOrTakeProfit": None}),
        ("market", {"trailingPercent": 1, "trailingTriggerPrice": round(middle * 1.03, 1)}),
    ):
        price = stop - 10 if kind == "limit" else None
        placed = ex.create_order(
            SYMBOL, kind, "sell", 0.01, price, {k: v for k, v in params.items() if v is not None}
        )
        assert placed["status"] == "open", placed
        found = ex.fetch_order(placed["id"], SYMBOL, {"trigger": True})
        assert found["id"] == placed["id"]
        assert placed["id"] in [
            order["id"] for order in ex.fetch_open_orders(SYMBOL, params={"trigger": True})
        ]
        ex.cancel_order(placed["id"], SYMBOL, {"trigger": True})
    assert ex.fetch_open_orders(SYMBOL, params={"trigger": True}) == []
    done("conditional orders")
    placed = ex.create_order(SYMBOL, "market", "sell", 0.01, None, {"stopLossPrice": stop})
    ex.cancel_all_orders(SYMBOL)
    assert len(ex.fetch_open_orders(SYMBOL, params={"trigger": True})) == 1
    ex.cancel_all_orders(SYMBOL, {"trigger": True})
    assert ex.fetch_open_orders(SYMBOL, params={"trigger": True}) == []
    ex.fapiPrivatePostCountdownCancelAll({"symbol": "BTCUSDT", "countdownTime": 120000})
    done("cancel all conditional orders")


def main():
    ex = make()
    middle = market_data(ex)
    account(ex)
    limit_orders(ex, middle)
    market_orders(ex)
    conditional_orders(ex, middle)
    done("end")


main()
