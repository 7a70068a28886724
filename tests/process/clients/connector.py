"""Binance's futures connector, unchanged. Arguments: URL KEY SECRET. Prints the steps that passed."""

import json
import queue
import sys
import time

from binance.error import ClientError
from binance.um_futures import UMFutures
from binance.websocket.um_futures.websocket_client import UMFuturesWebsocketClient

URL, KEY, SECRET = sys.argv[1:4]
SIGNS = "private_key" if "PRIVATE KEY" in SECRET else "secret"
SYMBOL = "BTCUSDT"
PATIENCE_S = 20


def done(step):
    sys.stdout.write(step + "\n")


class Ears:
    """A connection and what it hears."""

    def __init__(self, combined):
        self._heard = queue.Queue()
        self.client = UMFuturesWebsocketClient(
            stream_url=URL.replace("http", "ws"),
            on_message=lambda _, text: self._heard.put(json.loads(text)),
            is_combined=combined,
        )

    def until(self, wanted):
        end = time.monotonic() + PATIENCE_S
        while (left := end - time.monotonic()) > 0:
            message = self._heard.get(timeout=left)
            if wanted(message):
                return message
        raise AssertionError("the event did not come")


def market_data(client):
    assert client.ping() == {}
    assert client.time()["serverTime"] > 0
    assert SYMBOL in {row["symbol"] for row in client.exchange_info()["symbols"]}
    done("exchange_info")
    book = client.depth(SYMBOL, limit=20)
    assert len(book["bids"]) == 20
    done("depth")
    assert len(client.klines(SYMBOL, "1m", limit=50)) == 50
    assert len(client.continuous_klines(SYMBOL, "PERPETUAL", "1m", limit=5)) == 5
    assert len(client.index_price_klines(SYMBOL, "1m", limit=5)) == 5
    assert len(client.mark_price_klines(SYMBOL, "1m", limit=5)) == 5
    done("klines")
    while not client.trades(SYMBOL, limit=3):
        time.sleep(0.2)
    assert client.historical_trades(SYMBOL, limit=3)
    assert client.agg_trades(SYMBOL, limit=3)
    assert float(client.mark_price(SYMBOL)["markPrice"]) > 0
    client.funding_rate(SYMBOL)
    assert client.ticker_24hr_price_change(SYMBOL)["symbol"] == SYMBOL
    assert float(client.ticker_price(SYMBOL)["price"]) > 0
    assert float(client.book_ticker(SYMBOL)["bidPrice"]) > 0
    client.open_interest(SYMBOL)
    done("tickers")
    return float(book["bids"][0][0])


def account(client):
    assert float(client.balance()[0]["balance"]) > 0
    assert float(client.account()["totalWalletBalance"]) > 0
    done("balance")
    assert client.get_position_risk(symbol=SYMBOL) == []
    assert client.get_position_mode() == {"dualSidePosition": False}
    assert client.get_multi_asset_mode() == {"multiAssetsMargin": False}
    assert client.leverage_brackets(symbol=SYMBOL)[0]["brackets"]
    assert client.commission_rate(SYMBOL)["takerCommissionRate"] == "0.000500"
    client.adl_quantile(symbol=SYMBOL)
    client.force_orders()
    client.api_trading_status()
    client.get_position_margin_history(SYMBOL)
    done("position_risk")
    assert client.change_leverage(SYMBOL, leverage=7)["leverage"] == 7
    try:
        client.change_margin_type(symbol=SYMBOL, marginType="CROSSED")
    except ClientError as error:
        assert (error.status_code, error.error_code) == (400, -4046)
    done("change_leverage")


def orders(client, bid):
    low = round(bid * 0.98, 1)
    common = {"symbol": SYMBOL, "side": "BUY", "type": "LIMIT", "timeInForce": "GTC"}
    placed = client.new_order(**common, quantity=0.01, price=low, newClientOrderId="mine-1")
    assert (placed["status"], placed["clientOrderId"]) == ("NEW", "mine-1")
    assert client.query_order(SYMBOL, origClientOrderId="mine-1")["orderId"] == placed["orderId"]
    assert client.get_open_orders(SYMBOL, orderId=placed["orderId"])["status"] == "NEW"
    assert len(client.get_orders(symbol=SYMBOL)) == 1
    done("new_order")
    changed = client.modify_order(SYMBOL, "BUY", 0.02, low - 5, orderId=placed["orderId"])
    assert changed["origQty"] == "0.020"
    done("modify_order")
    assert client.cancel_order(SYMBOL, orderId=placed["orderId"])["status"] == "CANCELED"
    done("cancel_order")
    batch = client.new_batch_order([common | {"quantity": "0.01", "price": str(low)}] * 2)
    assert [row["status"] for row in batch] == ["NEW", "NEW"]
    ids = [row["orderId"] for row in batch]
    assert len(client.cancel_batch_order(SYMBOL, orderIdList=ids, origClientOrderIdList=[])) == 2
    done("new_batch_order")
    client.new_order(**common, quantity=0.01, price=low)
    assert client.countdown_cancel_order(SYMBOL, 60000)["countdownTime"] == "60000"
    assert client.cancel_open_orders(SYMBOL)["code"] == 200
    assert client.new_order_test(**common, quantity=0.01, price=low)["status"] == "NEW"
    assert len(client.get_all_orders(SYMBOL)) >= 4
    client.get_account_trades(SYMBOL)
    client.get_income_history()
    done("cancel_open_orders")
    try:
        client.new_order(symbol=SYMBOL, side="SELL", type="STOP_MARKET", stopPrice=low, quantity=0.01)
    except ClientError as error:
        assert error.error_code == -4120
    else:
        raise AssertionError("a conditional order needs the algo endpoint")
    done("conditional order refused")


def streams(client):
    for combined in (False, True):
        ears = Ears(combined)
        unwrap = (lambda message: message.get("data", {})) if combined else (lambda message: message)
        ears.client.diff_book_depth(SYMBOL, speed=100, id=1)
        ears.until(lambda m, f=unwrap: f(m).get("e") == "depthUpdate")
        for subscribe, event in (
            (lambda e=ears: e.client.book_ticker(SYMBOL), "bookTicker"),
            (lambda e=ears: e.client.agg_trade(SYMBOL), "aggTrade"),
            (lambda e=ears: e.client.kline(SYMBOL, "1m"), "kline"),
            (lambda e=ears: e.client.mark_price(SYMBOL, 1), "markPriceUpdate"),
        ):
            subscribe()
            ears.until(lambda m, f=unwrap, name=event: f(m).get("e") == name)
        done(f"market streams combined={combined}")
        key = client.new_listen_key()["listenKey"]
        assert client.renew_listen_key(key)["listenKey"] == key
        ears.client.user_data(listen_key=key, id=77)
        ears.until(lambda m: m.get("id") == 77)
        placed = client.new_order(symbol=SYMBOL, side="BUY", type="MARKET", quantity=0.01)
        for event in ("ACCOUNT_UPDATE", "ORDER_TRADE_UPDATE"):
            ears.until(lambda m, f=unwrap, name=event: f(m).get("e") == name)
        client.new_order(symbol=SYMBOL, side="SELL", type="MARKET", quantity=0.01, reduceOnly="true")
        found = client.query_order(SYMBOL, orderId=placed["orderId"])
        assert (found["status"], float(found["avgPrice"]) > 0) == ("FILLED", True)
        done(f"user events combined={combined}")
        client.close_listen_key(key)
        ears.until(lambda m, f=unwrap: f(m).get("e") == "listenKeyExpired")
        ears.client.stop()
    done("listen key ended")


def main():
    client = UMFutures(key=KEY, base_url=URL, **{SIGNS: SECRET})
    bid = market_data(client)
    account(client)
    orders(client, bid)
    streams(client)
    done("end")


main()
