"""pybotters and its data store, unchanged. Arguments: URL KEY SECRET. Prints the steps that passed."""

import asyncio
import sys

import pybotters
from pybotters.auth import Auth, Hosts, Item

URL, KEY, SECRET = sys.argv[1:4]
STREAMS = URL.replace("http", "ws")
SYMBOL = "BTCUSDT"
PATIENCE_S = 20
ORDER = "/fapi/v1/order"


def done(step):
    sys.stdout.write(step + "\n")


async def answer(request):
    response = await request
    assert response.status == 200, await response.text()
    return await response.json()


async def until(store, wanted):
    """Wait for changes of a store until it holds what is wanted."""
    async with asyncio.timeout(PATIENCE_S):
        while not wanted():
            await store.wait()


async def market_data(client, store):
    names = ("aggTrade", "kline_1m", "ticker", "markPrice@1s")
    heard_depth = asyncio.Event()

    def note(message, _socket):
        if message.get("stream") == "btcusdt@depth@100ms":
            heard_depth.set()

    for route, streams in (("market", names), ("public", ("bookTicker", "depth@100ms"))):
        asked = {"method": "SUBSCRIBE", "params": [f"btcusdt@{name}" for name in streams], "id": 1}
        handlers = [store.onmessage, note]
        await client.ws_connect(f"{STREAMS}/{route}/stream", send_json=asked, hdlr_json=handlers)
    for part in (store.trade, store.kline, store.ticker, store.markprice, store.bookticker):
        await until(part, lambda part=part: len(part) > 0)
    await asyncio.wait_for(heard_depth.wait(), PATIENCE_S)  # the store keeps diffs until it has a snapshot
    depth = client.get("/fapi/v1/depth", params={"symbol": SYMBOL, "limit": 1000})
    await store.initialize(depth)
    for _ in range(20):
        await store.orderbook.wait()
    book = store.orderbook.sorted({"s": SYMBOL})
    assert len(book["b"]) >= 500
    assert float(book["b"][0]["p"]) < float(book["a"][0]["p"])
    done("streams and local book")
    return float(book["b"][0]["p"])


async def orders(client, store, bid):
    await client.ws_connect(f"{STREAMS}/private/ws/{store.listenkey}", hdlr_json=store.onmessage)
    terms = {"symbol": SYMBOL, "side": "BUY", "type": "LIMIT", "timeInForce": "GTC", "quantity": 0.01}
    placed = await answer(client.post(ORDER, data=terms | {"price": round(bid * 0.98, 1)}))
    named = {"symbol": SYMBOL, "orderId": placed["orderId"]}
    await until(store.order, lambda: store.order.find({"i": placed["orderId"]}))
    changed = {"side": "BUY", "quantity": 0.02, "price": round(bid * 0.98, 1)}
    assert (await answer(client.put(ORDER, data=named | changed)))["origQty"] == "0.020"
    assert (await answer(client.delete(ORDER, data=named)))["status"] == "CANCELED"
    await until(store.order, lambda: not store.order.find())
    done("orders")
    market = {"symbol": SYMBOL, "type": "MARKET", "quantity": 0.01}
    for side, amount in (("BUY", "0.010"), ("SELL", "0.000")):
        await answer(client.post(ORDER, data=market | {"side": side}))
        await until(store.position, lambda amount=amount: store.position.find({"s": SYMBOL, "pa": amount}))
    done("positions and balances")


async def main():
    Hosts.items["127.0.0.1"] = Item("binance", Auth.binance)
    async with pybotters.Client(apis={"binance": [KEY, SECRET]}, base_url=URL) as client:
        store = pybotters.BinanceUSDSMDataStore()
        klines = client.get("/fapi/v1/klines", params={"symbol": SYMBOL, "interval": "1m", "limit": 5})
        asked = [client.get(f"/fapi/{path}") for path in ("v1/openOrders", "v2/balance", "v2/positionRisk")]
        await store.initialize(client.post("/fapi/v1/listenKey"), klines, *asked)
        assert float(store.balance.find()[0]["wb"]) > 0
        done("initialize")
        await answer(client.post("/fapi/v1/leverage", data={"symbol": SYMBOL, "leverage": 9}))
        await orders(client, store, await market_data(client, store))
    done("end")


asyncio.run(main())
