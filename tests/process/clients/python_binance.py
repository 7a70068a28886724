"""python-binance's AsyncClient, unchanged. Arguments: URL KEY SECRET. Prints the steps that passed."""

import asyncio
import sys

from binance import AsyncClient, BinanceSocketManager
from binance.exceptions import BinanceAPIException

URL, KEY, SECRET = sys.argv[1:4]
SYMBOL = "BTCUSDT"
PATIENCE_S = 20


def done(step):
    sys.stdout.write(step + "\n")


async def market_data(client):
    assert SYMBOL in {row["symbol"] for row in (await client.futures_exchange_info())["symbols"]}
    done("futures_exchange_info")
    book = await client.futures_order_book(symbol=SYMBOL, limit=10)
    assert len(book["bids"]) == 10
    assert len(await client.futures_klines(symbol=SYMBOL, interval="1m", limit=30)) == 30
    await client.futures_symbol_ticker(symbol=SYMBOL)
    await client.futures_orderbook_ticker(symbol=SYMBOL)
    await client.futures_mark_price(symbol=SYMBOL)
    await client.futures_ticker(symbol=SYMBOL)
    done("futures_order_book futures_klines")
    return float(book["bids"][0][0])


async def account(client):
    assert float((await client.futures_account())["totalWalletBalance"]) > 0
    assert float((await client.futures_account_balance())[0]["balance"]) > 0
    assert await client.futures_position_information(symbol=SYMBOL) == []
    assert (await client.futures_change_leverage(symbol=SYMBOL, leverage=12))["leverage"] == 12
    try:
        await client.futures_change_margin_type(symbol=SYMBOL, marginType="CROSSED")
    except BinanceAPIException as error:
        assert error.code == -4046
    await client.futures_leverage_bracket(symbol=SYMBOL)
    done("futures_account futures_change_leverage")


async def orders(client, bid):
    low = round(bid * 0.98, 1)
    order = {"symbol": SYMBOL, "side": "BUY", "type": "LIMIT", "timeInForce": "GTC", "quantity": 0.01}
    placed = await client.futures_create_order(**order, price=low)
    named = {"symbol": SYMBOL, "orderId": placed["orderId"]}
    assert (await client.futures_get_order(**named))["status"] == "NEW"
    assert len(await client.futures_get_open_orders(symbol=SYMBOL)) == 1
    changed = await client.futures_modify_order(**named, side="BUY", quantity=0.02, price=low)
    assert changed["origQty"] == "0.020"
    assert (await client.futures_cancel_order(**named))["status"] == "CANCELED"
    await client.futures_create_order(**order, price=low)
    await client.futures_cancel_all_open_orders(symbol=SYMBOL)
    batch = [{**order, "quantity": "0.01", "price": str(low)} for _ in range(2)]
    placed = await client.futures_place_batch_order(batchOrders=batch)
    ids = [row["orderId"] for row in placed]
    assert len(await client.futures_cancel_orders(symbol=SYMBOL, orderidlist=ids)) == 2
    done("futures_create_order futures_modify_order futures_cancel_order")
    stop = await client.futures_create_order(
        symbol=SYMBOL, side="SELL", type="STOP_MARKET", stopPrice=round(bid * 0.95, 1), quantity=0.01
    )
    assert (await client.futures_get_algo_order(algoId=stop["algoId"]))["algoStatus"] == "NEW"
    await client.futures_cancel_algo_order(algoId=stop["algoId"])
    done("conditional order")


async def hear(socket, event):
    while True:
        message = await asyncio.wait_for(socket.recv(), PATIENCE_S)
        message = message.get("data", message)
        if message.get("e") == event:
            return message


async def streams(client):
    manager = BinanceSocketManager(client)
    manager.FSTREAM_URL = URL.replace("http", "ws") + "/"
    async with manager.futures_depth_socket(SYMBOL, depth="10") as socket:
        await hear(socket, "depthUpdate")
    async with manager.kline_futures_socket(SYMBOL) as socket:
        await hear(socket, "continuous_kline")
    async with manager.futures_multiplex_socket(["btcusdt@bookTicker", "btcusdt@aggTrade"]) as socket:
        await hear(socket, "bookTicker")
    done("market streams")
    async with manager.futures_user_socket() as socket:
        order = {"symbol": SYMBOL, "type": "MARKET", "quantity": 0.01}
        await client.futures_create_order(**order, side="BUY")
        await hear(socket, "ORDER_TRADE_UPDATE")
        await client.futures_create_order(**order, side="SELL", reduceOnly="true")
        await hear(socket, "ORDER_TRADE_UPDATE")
    done("futures_user_socket")


async def main():
    AsyncClient.API_URL = URL + "/api"
    AsyncClient.FUTURES_URL = URL + "/fapi"
    AsyncClient.FUTURES_DATA_URL = URL + "/futures/data"
    client = await AsyncClient.create(KEY, SECRET)
    try:
        bid = await market_data(client)
        await account(client)
        await orders(client, bid)
        await streams(client)
    finally:
        await client.close_connection()
    done("end")


asyncio.run(main())
