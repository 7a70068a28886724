"""ccxt.pro's binanceusdm, unchanged. Arguments: URL KEY SECRET. Prints the steps that passed."""

import asyncio
import sys

import ccxt.pro

URL, KEY, SECRET = sys.argv[1:4]
SYMBOL = "BTC/USDT:USDT"
PATIENCE_S = 20


def make():
    paths = {"": "/fapi/v1", "V2": "/fapi/v2", "V3": "/fapi/v3"}
    api = {
        f"fapi{kind}{version}": URL + path
        for kind in ("Public", "Private")
        for version, path in paths.items()
    }
    stream = URL.replace("http", "ws")
    ex = ccxt.pro.binanceusdm(
        {"apiKey": KEY, "secret": SECRET, "urls": {"api": api}, "options": {"fetchCurrencies": False}}
    )
    ex.urls["api"]["ws"]["linear"] = stream + "/ws"
    ex.urls["api"]["ws"]["ws-api"]["linear"] = stream + "/ws-fapi/v1"
    return ex


def done(step):
    sys.stdout.write(step + "\n")


async def soon(awaitable):
    return await asyncio.wait_for(awaitable, PATIENCE_S)


async def market_streams(ex):
    for _ in range(5):
        book = await soon(ex.watch_order_book(SYMBOL))
    assert book["bids"][0][0] < book["asks"][0][0]
    done("watch_order_book")
    assert await soon(ex.watch_bids_asks([SYMBOL]))
    assert (await soon(ex.watch_trades(SYMBOL)))[0]["amount"] > 0
    assert (await soon(ex.watch_ohlcv(SYMBOL, "1m")))[0][4] > 0
    assert (await soon(ex.watch_ticker(SYMBOL)))["last"] > 0
    assert (await soon(ex.watch_mark_price(SYMBOL)))["markPrice"] > 0
    done("watch_trades")
    await ex.un_watch_order_book(SYMBOL)
    done("un_watch_order_book")
    return book["bids"][0][0]


async def conditional_order(ex):
    while True:
        order = (await ex.watch_orders(SYMBOL))[-1]
        if "aid" in order["info"]:
            return order["id"]


async def user_streams(ex, bid):
    orders = asyncio.create_task(ex.watch_orders(SYMBOL))
    await ex.fetch_open_orders(SYMBOL)
    placed = None
    for _ in range(3):
        # ccxt opens its private socket beside this call, and does not say when it is open.
        await asyncio.sleep(0.3)
        placed = await ex.create_order(SYMBOL, "limit", "buy", 0.01, round(bid * 0.97, 1))
        if (await asyncio.wait([orders], timeout=1))[0]:
            break
    assert orders.result()[0]["status"] == "open"
    done("watch_orders")
    watched = [asyncio.create_task(ex.watch_my_trades(SYMBOL)), asyncio.create_task(ex.watch_balance())]
    watched.append(asyncio.create_task(ex.watch_positions([SYMBOL])))
    await asyncio.sleep(0.5)
    await ex.create_order(SYMBOL, "market", "buy", 0.01)
    trades, balance, positions = [await soon(task) for task in watched]
    assert 0 < trades[0]["amount"] <= 0.01  # the order may fill in parts
    assert balance["USDT"]["total"] > 0
    assert 0 < positions[0]["contracts"] <= 0.01
    done("watch_my_trades watch_balance watch_positions")
    # Watched from before the order on: ccxt hands an event only to those who wait when it comes.
    watched_order = asyncio.create_task(conditional_order(ex))
    stop = await ex.create_order(
        SYMBOL, "market", "sell", 0.01, None, {"stopLossPrice": round(bid * 0.95, 1)}
    )
    assert await soon(watched_order) == stop["id"]
    await ex.cancel_order(stop["id"], SYMBOL, {"trigger": True})
    done("watch_orders conditional")
    await ex.create_order(SYMBOL, "market", "sell", 0.01, None, {"reduceOnly": True})
    await ex.cancel_order(placed["id"], SYMBOL)


async def requests_over_sockets(ex, bid):
    placed = await soon(ex.create_order_ws(SYMBOL, "limit", "buy", 0.01, round(bid * 0.97, 1)))
    assert (await soon(ex.fetch_order_ws(placed["id"], SYMBOL)))["status"] == "open"
    changed = await soon(ex.edit_order_ws(placed["id"], SYMBOL, "limit", "buy", 0.011, round(bid * 0.96, 1)))
    assert changed["amount"] == 0.011
    assert (await soon(ex.cancel_order_ws(placed["id"], SYMBOL)))["status"] == "canceled"
    done("create edit fetch cancel order over sockets")
    assert (await soon(ex.fetch_balance_ws()))["USDT"]["total"] > 0
    assert isinstance(await soon(ex.fetch_positions_ws([SYMBOL])), list)
    assert (await soon(ex.fetch_order_book_ws(SYMBOL, 5)))["bids"]
    done("fetch_balance fetch_positions fetch_order_book over sockets")


async def main():
    ex = make()
    try:
        await ex.load_markets()
        bid = await market_streams(ex)
        await requests_over_sockets(ex, bid)
        await user_streams(ex, bid)
    finally:
        await ex.close()
    done("end")


asyncio.run(main())
