"""A small exchange for the gateway's own tests: scripted, not simulated.

It keeps one book and a list of orders and trades, answers what the gateway asks, and lets a test say what
goes wrong. The simulator is the real thing; this one can be made to misbehave at an exact moment.
"""

import asyncio
import hashlib
import hmac
import ssl
import time
from collections.abc import Awaitable, Callable
from typing import Any, Self

import msgspec
from aiohttp import WSMsgType, web

KEY, SECRET = "k" * 64, "s" * 64
SYMBOL = "BTCUSDT"
Json = Any
Answer = web.StreamResponse
Fault = Callable[[web.Request], Awaitable[Answer | None]]


def error(status: int, code: int, msg: str, **headers: str) -> web.Response:
    """Binance's error body."""
    return web.json_response({"code": code, "msg": msg}, status=status, headers=headers)


def always(status: int, code: int, msg: str, **headers: str) -> Fault:
    """A fault that answers every request with this error."""

    async def fault(_request: web.Request) -> Answer:
        return error(status, code, msg, **headers)

    return fault


def cut() -> Fault:
    """A fault that cuts the connection after the request was read."""

    async def fault(request: web.Request) -> None:
        assert request.transport is not None
        request.transport.abort()

    return fault


class StandIn:
    """`async with StandIn() as exchange`; `url` and `ws_url` say where it listens."""

    def __init__(self, tls: ssl.SSLContext | None = None) -> None:
        self._tls = tls
        self.bids = {100.0 - i: 1.0 + i for i in range(20)}
        self.asks = {101.0 + i: 1.0 + i for i in range(20)}
        self.update_id = 1000
        self.orders: list[dict[str, Any]] = []
        self.trades: list[dict[str, Any]] = []
        self.algo: list[dict[str, Any]] = []
        self.positions: list[dict[str, Any]] = []
        self.faults: dict[str, Fault] = {}
        self.requests: list[str] = []
        self.queries: list[dict[str, str]] = []
        self.listen_key = "L1"
        self.sockets: dict[str, list[web.WebSocketResponse]] = {"public": [], "market": [], "private": []}
        self.names: dict[web.WebSocketResponse, set[str]] = {}
        self.subscriptions: list[str] = []
        self.changed = asyncio.Event()
        self.weight = 1
        self._id = 0

    async def __aenter__(self) -> Self:
        app = web.Application()
        app.router.add_route("*", "/fapi/{version}/{path}", self._rest)
        app.router.add_get("/{cls}/stream", self._socket)
        app.router.add_get("/{cls}/ws", self._socket)
        self._runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
        await self._runner.setup()
        site = web.TCPSite(self._runner, "127.0.0.1", 0, ssl_context=self._tls)
        await site.start()
        self.port = self._runner.addresses[0][1]
        return self

    async def __aexit__(self, *_: object) -> None:
        for sockets in self.sockets.values():
            for socket in list(sockets):
                await socket.close()
        await self._runner.cleanup()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def ws_url(self, name: str) -> str:
        return f"ws://127.0.0.1:{self.port}/{name}"

    def next_id(self) -> int:
        self._id += 1
        return self._id

    async def _rest(self, request: web.Request) -> Answer:
        path = request.match_info["path"]
        name = f"{request.method} {path}"
        self.requests.append(name)
        query = dict(request.query) | dict(await request.post())
        if "signature" in query:
            self._check_signature(request, await request.text())
        self.queries.append({key: str(value) for key, value in query.items()})
        self._tell()
        fault = self.faults.get(name)
        if fault is not None:
            answer = await fault(request)
            if answer is not None:
                return answer
        handler = getattr(self, f"_{request.method.lower()}_{path}", None)
        if handler is None:
            return error(404, -5000, f"Path /fapi/v1/{path}, Method {request.method} is invalid")
        result = handler(self.queries[-1])
        if isinstance(result, web.Response):
            return result
        return web.json_response(result, headers={"X-MBX-USED-WEIGHT-1M": str(self.weight)})

    def _check_signature(self, request: web.Request, body: str) -> None:
        text, _, signature = (request.rel_url.raw_query_string + body).rpartition("&signature=")
        assert hmac.new(SECRET.encode(), text.encode(), hashlib.sha256).hexdigest() == signature
        assert request.headers["X-MBX-APIKEY"] == KEY

    async def _socket(self, request: web.Request) -> web.WebSocketResponse:
        socket = web.WebSocketResponse()
        await socket.prepare(request)
        sockets = self.sockets[request.match_info["cls"]]
        sockets.append(socket)
        key = request.query.get("listenKey")
        self.names[socket] = {key} if key else set()
        self._tell()
        try:
            async for message in socket:
                if message.type is WSMsgType.TEXT:
                    asked = msgspec.json.decode(message.data)
                    if asked["method"] == "UNSUBSCRIBE":
                        self.names[socket] -= set(asked["params"])
                    else:
                        self.names[socket] |= set(asked["params"])
                        self.subscriptions += asked["params"]
                    await socket.send_json({"result": None, "id": asked["id"]})
                    self._tell()
        finally:
            sockets.remove(socket)
            self._tell()
        return socket

    def _tell(self) -> None:
        self.changed.set()

    async def until(self, condition: Callable[[], bool], seconds: float = 10.0) -> None:
        """Wait for something that a request or a socket changes."""
        async with asyncio.timeout(seconds):
            while not condition():
                self.changed.clear()
                await self.changed.wait()

    async def send(self, name: str, payload: dict[str, Any]) -> None:
        """One stream event to everyone who subscribed to it."""
        frame = msgspec.json.encode({"stream": name, "data": payload}).decode()
        for cls in ("public", "market"):
            for socket in list(self.sockets[cls]):
                if name in self.names[socket] and not socket.closed:
                    await socket.send_str(frame)

    async def user(self, payload: dict[str, Any], key: str | None = None) -> None:
        """One user event to the sockets of the current listen key."""
        for socket in list(self.sockets["private"]):
            if (key or self.listen_key) in self.names[socket]:
                await socket.send_json(payload)

    async def depth(
        self, bids: dict[float, float] | None = None, asks: dict[float, float] | None = None, skip: int = 0
    ) -> None:
        """Change levels and publish the diff, unless `skip` ids are to get lost."""
        before = self.update_id
        self.update_id += 3
        for side, changes in ((self.bids, bids or {}), (self.asks, asks or {})):
            for price, size in changes.items():
                if size:
                    side[price] = size
                else:
                    side.pop(price, None)
        if skip:
            return
        now = time.time_ns() // 1_000_000
        await self.send(
            "btcusdt@depth@100ms",
            {
                "e": "depthUpdate",
                "E": now,
                "T": now,
                "s": SYMBOL,
                "U": before + 1,
                "u": self.update_id,
                "pu": before,
                "b": [[str(p), str(q)] for p, q in (bids or {}).items()],
                "a": [[str(p), str(q)] for p, q in (asks or {}).items()],
            },
        )

    def add_order(
        self, client_id: str, status: str = "NEW", filled: str = "0", **more: object
    ) -> dict[str, Any]:
        """An order that the exchange knows."""
        order = {
            "orderId": self.next_id(),
            "symbol": SYMBOL,
            "status": status,
            "clientOrderId": client_id,
            "price": "99.0",
            "avgPrice": "0",
            "origQty": "2",
            "executedQty": filled,
            "timeInForce": "GTC",
            "type": "LIMIT",
            "reduceOnly": False,
            "closePosition": False,
            "side": "BUY",
            "stopPrice": "0",
            "updateTime": time.time_ns() // 1_000_000,
        } | more
        self.orders.append(order)
        return order

    def add_trade(self, order: dict[str, Any], qty: str, price: str = "99.0") -> dict[str, Any]:
        """A fill that the exchange knows."""
        trade = {
            "id": self.next_id(),
            "orderId": order["orderId"],
            "symbol": SYMBOL,
            "side": order["side"],
            "price": price,
            "qty": qty,
            "commission": "0.01",
            "commissionAsset": "USDT",
            "realizedPnl": "0",
            "maker": False,
            "time": time.time_ns() // 1_000_000,
        }
        self.trades.append(trade)
        return trade

    def order_event(
        self, order: dict[str, Any], x: str, trade: dict[str, Any] | None = None
    ) -> dict[str, Any]:
        """ORDER_TRADE_UPDATE of an order, with a fill or without."""
        now = time.time_ns() // 1_000_000
        body = {
            "s": SYMBOL,
            "c": order["clientOrderId"],
            "S": order["side"],
            "o": order["type"],
            "f": "GTC",
            "q": order["origQty"],
            "p": order["price"],
            "ap": "0",
            "sp": "0",
            "x": x,
            "X": order["status"],
            "i": order["orderId"],
            "l": trade["qty"] if trade else "0",
            "z": order["executedQty"],
            "L": trade["price"] if trade else "0",
            "T": trade["time"] if trade else now,
            "t": trade["id"] if trade else 0,
            "n": "0.01",
            "N": "USDT",
            "rp": "0",
            "R": False,
            "m": False,
            "er": "0",
        }
        return {"e": "ORDER_TRADE_UPDATE", "E": now, "T": now, "o": body}

    def _find(self, query: dict[str, str]) -> dict[str, Any] | None:
        for order in self.orders:
            if str(order["orderId"]) == query.get("orderId") or order["clientOrderId"] == query.get(
                "origClientOrderId"
            ):
                return order
        return None

    def _get_time(self, _: dict[str, str]) -> Json:
        return {"serverTime": time.time_ns() // 1_000_000}

    def _get_depth(self, _: dict[str, str]) -> Json:
        now = time.time_ns() // 1_000_000
        bids = sorted(self.bids.items(), reverse=True)
        asks = sorted(self.asks.items())
        return {
            "lastUpdateId": self.update_id,
            "E": now,
            "T": now,
            "bids": [[str(p), str(q)] for p, q in bids],
            "asks": [[str(p), str(q)] for p, q in asks],
        }

    def _get_exchangeInfo(self, _: dict[str, str]) -> Json:  # noqa: N802 - named by the path
        filters = [
            {"filterType": "PRICE_FILTER", "minPrice": "1", "maxPrice": "1000000", "tickSize": "0.10"},
            {"filterType": "LOT_SIZE", "minQty": "0.001", "maxQty": "1000", "stepSize": "0.001"},
            {"filterType": "MARKET_LOT_SIZE", "minQty": "0.001", "maxQty": "120", "stepSize": "0.001"},
            {"filterType": "MIN_NOTIONAL", "notional": "50"},
            {"filterType": "PERCENT_PRICE", "multiplierUp": "1.05", "multiplierDown": "0.95"},
            {"filterType": "MAX_NUM_ORDERS", "limit": 200},
        ]
        symbol = {"symbol": SYMBOL, "baseAsset": "BTC", "quoteAsset": "USDT", "status": "TRADING"}
        limits = [{"rateLimitType": "REQUEST_WEIGHT", "interval": "MINUTE", "intervalNum": 1, "limit": 2400}]
        return {"rateLimits": limits, "symbols": [symbol | {"filters": filters, "liquidationFee": "0.0125"}]}

    def _get_leverageBracket(self, _: dict[str, str]) -> Json:  # noqa: N802 - named by the path
        bracket = {
            "bracket": 1,
            "initialLeverage": 125,
            "notionalCap": 300000,
            "notionalFloor": 0,
            "maintMarginRatio": 0.004,
            "cum": 0.0,
        }
        return [{"symbol": SYMBOL, "brackets": [bracket]}]

    def _get_commissionRate(self, _: dict[str, str]) -> Json:  # noqa: N802 - named by the path
        return {"symbol": SYMBOL, "makerCommissionRate": "0.0002", "takerCommissionRate": "0.0005"}

    def _get_symbolConfig(self, _: dict[str, str]) -> Json:  # noqa: N802 - named by the path
        return [{"symbol": SYMBOL, "marginType": "CROSSED", "leverage": 20}]

    def _get_accountConfig(self, _: dict[str, str]) -> Json:  # noqa: N802 - named by the path
        return {"dualSidePosition": False, "multiAssetsMargin": False}

    def _get_balance(self, _: dict[str, str]) -> Json:
        return [
            {"asset": "USDT", "balance": "1000", "crossWalletBalance": "1000", "availableBalance": "900"},
            {"asset": "BNB", "balance": "0", "crossWalletBalance": "0", "availableBalance": "0"},
        ]

    def _get_positionRisk(self, _: dict[str, str]) -> Json:  # noqa: N802 - named by the path
        return self.positions

    def _get_openOrders(self, _: dict[str, str]) -> Json:  # noqa: N802 - named by the path
        return [one for one in self.orders if one["status"] in ("NEW", "PARTIALLY_FILLED")]

    def _get_openAlgoOrders(self, _: dict[str, str]) -> Json:  # noqa: N802 - named by the path
        return [one for one in self.algo if one["algoStatus"] == "NEW"]

    def _get_allOrders(self, query: dict[str, str]) -> Json:  # noqa: N802 - named by the path
        first = int(query.get("orderId", 0))
        return [one for one in self.orders if one["orderId"] >= first][: int(query["limit"])]

    def _get_allAlgoOrders(self, _: dict[str, str]) -> Json:  # noqa: N802 - named by the path
        return self.algo

    def _get_userTrades(self, query: dict[str, str]) -> Json:  # noqa: N802 - named by the path
        first = int(query.get("fromId", 0))
        return [one for one in self.trades if one["id"] >= first][: int(query["limit"])]

    def _get_order(self, query: dict[str, str]) -> Json:
        return self._find(query) or error(400, -2013, "Order does not exist.")

    def _post_order(self, query: dict[str, str]) -> Json:
        if any(one["clientOrderId"] == query["newClientOrderId"] for one in self.orders):
            return error(400, -4116, "ClientOrderId is duplicated.")
        return self.add_order(
            query["newClientOrderId"],
            side=query["side"],
            type=query["type"],
            origQty=query["quantity"],
            price=query.get("price", "0"),
        )

    def _delete_order(self, query: dict[str, str]) -> Json:
        order = self._find(query)
        if order is None or order["status"] != "NEW":
            return error(400, -2011, "Unknown order sent.")
        order["status"] = "CANCELED"
        return order

    def _put_order(self, query: dict[str, str]) -> Json:
        order = self._find(query)
        if order is None:
            return error(400, -2013, "Order does not exist.")
        order |= {"price": query["price"], "origQty": query["quantity"]}
        return order

    def _post_algoOrder(self, query: dict[str, str]) -> Json:  # noqa: N802 - named by the path
        order = {
            "algoId": 10**15 + self.next_id(),
            "clientAlgoId": query["clientAlgoId"],
            "orderType": query["type"],
            "symbol": SYMBOL,
            "side": query["side"],
            "quantity": query.get("quantity", "0"),
            "triggerPrice": query["triggerPrice"],
            "algoStatus": "NEW",
            "reduceOnly": query.get("reduceOnly") == "true",
            "closePosition": query.get("closePosition") == "true",
            "updateTime": time.time_ns() // 1_000_000,
        }
        self.algo.append(order)
        return order

    def _delete_algoOrder(self, query: dict[str, str]) -> Json:  # noqa: N802 - named by the path
        for order in self.algo:
            if order["clientAlgoId"] == query.get("clientAlgoId") and order["algoStatus"] == "NEW":
                order["algoStatus"] = "CANCELED"
                return {"algoId": order["algoId"], "clientAlgoId": "", "code": "200", "msg": "success"}
        return error(400, -2011, "Unknown order sent.")

    def _get_algoOrder(self, query: dict[str, str]) -> Json:  # noqa: N802 - named by the path
        for order in self.algo:
            if query.get("clientAlgoId") == order["clientAlgoId"] or query.get("algoId") == str(
                order["algoId"]
            ):
                return order
        return error(400, -2013, "Order does not exist.")

    def _delete_allOpenOrders(self, _: dict[str, str]) -> Json:  # noqa: N802 - named by the path
        for order in self.orders:
            order["status"] = "CANCELED" if order["status"] == "NEW" else order["status"]
        return {"code": 200, "msg": "The operation of cancel all open order is done."}

    def _delete_algoOpenOrders(self, _: dict[str, str]) -> Json:  # noqa: N802 - named by the path
        for order in self.algo:
            order["algoStatus"] = "CANCELED"
        return {"code": 200, "msg": "The operation of cancel all open order is done."}

    def _post_listenKey(self, _: dict[str, str]) -> Json:  # noqa: N802 - named by the path
        return {"listenKey": self.listen_key}

    def _put_listenKey(self, _: dict[str, str]) -> Json:  # noqa: N802 - named by the path
        return {"listenKey": self.listen_key}

    def _post_countdownCancelAll(self, query: dict[str, str]) -> Json:  # noqa: N802 - named by the path
        return {"symbol": SYMBOL, "countdownTime": query["countdownTime"]}

    def _post_leverage(self, query: dict[str, str]) -> Json:
        return {"symbol": SYMBOL, "leverage": int(query["leverage"]), "maxNotionalValue": "1000000"}

    def _get_klines(self, query: dict[str, str]) -> Json:
        now = time.time_ns() // 60_000_000_000 * 60_000
        last = int(query.get("endTime", now)) // 60_000 * 60_000
        times = [last - 60_000 * i for i in range(int(query["limit"]))][::-1]
        return [[t, "1", "3", "0.5", "2", "10", t + 59_999, "20", 7, "5", "10", "0"] for t in times]
