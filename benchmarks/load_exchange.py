"""An exchange that only makes load: as many book frames a second as asked for, and orders that fill at once.

Run by `tick_to_order.py`. It answers what gateway and engine ask while they start, sends depth and
bookTicker frames evenly, and lets every bar close one unit above or below the bar before, so that a
momentum strategy trades on each. Plain threads on blocking sockets: the measured processes have the event
loops. Commands come on stdin (`run RATE BARS BAR_MS`, `flood FRAMES` without a pause, or `market RATE SECONDS
BAR_S` for all symbols named on the command line), results go to stdout, one JSON line each.
"""

import base64
import hashlib
import itertools
import json
import socket
import struct
import sys
import threading
import time
from collections.abc import Iterator, Sequence
from typing import Any
from urllib.parse import parse_qsl, urlsplit

SYMBOL = "BTCUSDT"
PRICE = 64_000.0
QUANTITIES = ("0.350", "1.204", "2.718", "0.041", "5.500", "0.907", "3.141")
LEVELS = 10
DIFFS_A_SECOND = 10
BATCH = 200
"""At most so many frames are written together."""
_WEBSOCKET_GUID = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"


def now_ms() -> int:
    """Wall clock."""
    return time.time_ns() // 1_000_000


def text_frame(payload: bytes) -> bytes:
    """One unmasked WebSocket text frame."""
    size = len(payload)
    head = b"\x81" + (bytes([size]) if size < 126 else b"\x7e" + struct.pack(">H", size))
    return head + payload


class Book:
    """Ids, and the frames of a touch that may be moved."""

    def __init__(self, symbol: str) -> None:
        self.symbol = symbol
        self.update_id = self._diff_id = 1_000
        self.bid = PRICE
        self._low = self._high = round(PRICE * 10)
        """Lowest and highest bid since the last diff, in ticks."""
        self._sizes = itertools.cycle(QUANTITIES)

    def ticker(self, time_ms: int, bid: float) -> bytes:
        """bookTicker."""
        self.update_id += 7
        self.bid = bid
        self._low, self._high = min(self._low, round(bid * 10)), max(self._high, round(bid * 10))
        return (
            f'{{"stream":"{self.symbol.lower()}@bookTicker","data":{{"e":"bookTicker","u":{self.update_id},'
            f'"s":"{self.symbol}","b":"{bid:.2f}","B":"{next(self._sizes)}","a":"{bid + 0.1:.2f}",'
            f'"A":"{next(self._sizes)}","T":{time_ms},"E":{time_ms + 1}}}}}'
        ).encode()

    def depth(self, time_ms: int, bid: float) -> bytes:
        """A diff that moves the touch and sets ten levels on each side."""
        first, self.update_id = self.update_id + 1, self.update_id + 7
        before, self._diff_id = self._diff_id, self.update_id
        ticks, self.bid = round(bid * 10), bid
        bids = [[f"{tick / 10:.2f}", "0"] for tick in range(ticks + 1, self._high + 2)]
        asks = [[f"{tick / 10:.2f}", "0"] for tick in range(self._low, ticks + 1)]
        self._low = self._high = ticks
        bids += [[f"{bid - 0.1 * i:.2f}", next(self._sizes)] for i in range(LEVELS)]
        asks += [[f"{bid + 0.1 + 0.1 * i:.2f}", next(self._sizes)] for i in range(LEVELS)]
        data = {
            "e": "depthUpdate",
            "E": time_ms + 1,
            "T": time_ms,
            "s": self.symbol,
            "U": first,
            "u": self.update_id,
            "pu": before,
            "b": bids,
            "a": asks,
        }
        return json.dumps({"stream": f"{self.symbol.lower()}@depth@100ms", "data": data}).encode()

    def snapshot(self) -> dict[str, Any]:
        """REST depth."""
        steps = range(200)
        return {
            "lastUpdateId": self.update_id,
            "E": now_ms(),
            "T": now_ms(),
            "bids": [[f"{self.bid - 0.1 * i:.2f}", next(self._sizes)] for i in steps],
            "asks": [[f"{self.bid + 0.1 + 0.1 * i:.2f}", next(self._sizes)] for i in steps],
        }


class Exchange:
    """All state. `arrivals` gets the wall-clock time at which each order came."""

    def __init__(self, symbols: Sequence[str]) -> None:
        self.lock = threading.Lock()
        self.books = {symbol: Book(symbol) for symbol in symbols}
        self.book = self.books[symbols[0]]
        self.public: list[socket.socket] = []
        self.market: list[socket.socket] = []
        self.private: list[socket.socket] = []
        self.arrivals: list[int] = []
        self.orders: list[dict[str, Any]] = []
        self.positions = dict.fromkeys(symbols, 0.0)
        self.ids = itertools.count(1)

    def order(self, query: dict[str, str]) -> tuple[dict[str, Any], list[bytes]]:
        """The answer to a market order, and the user events of its fill."""
        number, time_ms = next(self.ids), now_ms()
        qty, side, symbol = query["quantity"], query["side"], query["symbol"]
        self.positions[symbol] += float(qty) if side == "BUY" else -float(qty)
        price = f"{self.books[symbol].bid + (0.1 if side == 'BUY' else 0.0):.2f}"
        order = {
            "orderId": number,
            "symbol": symbol,
            "status": "NEW",
            "clientOrderId": query["newClientOrderId"],
            "price": "0",
            "avgPrice": "0.00",
            "origQty": qty,
            "executedQty": "0",
            "timeInForce": "GTC",
            "type": "MARKET",
            "reduceOnly": query.get("reduceOnly") == "true",
            "side": side,
            "stopPrice": "0",
            "updateTime": time_ms,
        }
        body = {
            "s": symbol, "c": query["newClientOrderId"], "S": side, "o": "MARKET", "f": "GTC", "q": qty,
            "p": "0", "ap": "0", "sp": "0", "x": "NEW", "X": "NEW", "i": number, "l": "0", "z": "0",
            "L": "0", "T": time_ms, "t": 0, "n": "0", "N": "USDT", "rp": "0", "m": False, "er": "0",
        }  # fmt: skip
        done = body | {"x": "TRADE", "X": "FILLED", "l": qty, "z": qty, "L": price, "t": number, "ap": price}
        account = {
            "e": "ACCOUNT_UPDATE",
            "E": time_ms,
            "T": time_ms,
            "a": {
                "m": "ORDER",
                "B": [{"a": "USDT", "wb": "100000", "cw": "100000", "bc": "0"}],
                "P": [{"s": symbol, "pa": f"{self.positions[symbol]:.3f}", "ep": price, "up": "0",
                       "mt": "cross", "iw": "0", "ps": "BOTH"}],
            },
        }  # fmt: skip
        wrap = {"e": "ORDER_TRADE_UPDATE", "E": time_ms, "T": time_ms}
        events = [wrap | {"o": body}, account, wrap | {"o": done}]
        self.orders = [*self.orders[-999:], order | {"status": "FILLED", "executedQty": qty}]
        return order, [text_frame(json.dumps(event).encode()) for event in events]

    def answer(self, method: str, path: str, query: dict[str, str]) -> object:
        """What a gateway asks while it starts and while it runs."""
        filters = [
            {"filterType": "PRICE_FILTER", "minPrice": "1", "maxPrice": "1000000", "tickSize": "0.10"},
            {"filterType": "LOT_SIZE", "minQty": "0.001", "maxQty": "1000", "stepSize": "0.001"},
            {"filterType": "MARKET_LOT_SIZE", "minQty": "0.001", "maxQty": "120", "stepSize": "0.001"},
            {"filterType": "MIN_NOTIONAL", "notional": "5"},
            {"filterType": "PERCENT_PRICE", "multiplierUp": "1.05", "multiplierDown": "0.95"},
        ]
        limits = [
            {"rateLimitType": kind, "interval": unit, "intervalNum": number, "limit": 10_000_000}
            for kind, unit, number in (
                ("REQUEST_WEIGHT", "MINUTE", 1), ("ORDERS", "MINUTE", 1), ("ORDERS", "SECOND", 10),
            )
        ]  # fmt: skip
        asked = query.get("symbol", self.book.symbol)
        symbol = {"baseAsset": "BTC", "quoteAsset": "USDT", "status": "TRADING"}
        bracket = {"bracket": 1, "initialLeverage": 125, "notionalCap": 10**9, "notionalFloor": 0,
                   "maintMarginRatio": 0.004, "cum": 0.0}  # fmt: skip
        balance = {"asset": "USDT", "balance": "100000", "crossWalletBalance": "100000",
                   "availableBalance": "100000"}  # fmt: skip
        fixed: dict[str, Any] = {
            "time": {"serverTime": now_ms()},
            "exchangeInfo": {
                "rateLimits": limits,
                "symbols": [
                    symbol | {"symbol": name, "filters": filters, "liquidationFee": "0.0125"}
                    for name in self.books
                ],
            },
            "depth": self.books[asked].snapshot() if path == "depth" else None,
            "leverageBracket": [{"symbol": name, "brackets": [bracket]} for name in self.books],
            "commissionRate": {"symbol": asked, "makerCommissionRate": "0", "takerCommissionRate": "0"},
            "symbolConfig": [
                {"symbol": name, "marginType": "CROSSED", "leverage": 20} for name in self.books
            ],
            "positionRisk": [
                {
                    "symbol": name,
                    "positionSide": "BOTH",
                    "positionAmt": f"{held:.3f}",
                    "entryPrice": f"{PRICE}",
                    "unRealizedProfit": "0",
                    "isolatedWallet": "0",
                    "markPrice": f"{PRICE}",
                }
                for name, held in self.positions.items()
                if round(held, 3)
            ],
            "accountConfig": {"dualSidePosition": False, "multiAssetsMargin": False},
            "balance": [balance],
            "listenKey": {"listenKey": "L1"},
            "leverage": {"symbol": asked, "leverage": 20, "maxNotionalValue": "1000000"},
        }
        if path == "order" and method == "DELETE":
            return {"code": -2011, "msg": "Unknown order sent."}
        if path == "order" and method == "GET":
            wanted = query.get("origClientOrderId")
            found = [one for one in self.orders if one["clientOrderId"] == wanted]
            return found[-1] if found else {"code": -2013, "msg": "Order does not exist."}
        return fixed.get(path, [])


def serve(exchange: Exchange, connection: socket.socket) -> None:
    """One connection, for as long as it lives."""
    connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    data = b""
    while True:
        while b"\r\n\r\n" not in data:
            more = connection.recv(65_536)
            arrived_ns = time.time_ns()
            if not more:
                return
            data += more
        head, _, data = data.partition(b"\r\n\r\n")
        lines = head.decode("latin-1").split("\r\n")
        method, target, _ = lines[0].split(" ")
        headers = {
            name.lower(): value.strip() for name, _, value in (one.partition(":") for one in lines[1:])
        }
        size = int(headers.get("content-length", "0"))
        while len(data) < size:
            data += connection.recv(65_536)
        body, data = data[:size], data[size:]
        url = urlsplit(target)
        if headers.get("upgrade", "").lower() == "websocket":
            upgrade(exchange, connection, url.path, headers["sec-websocket-key"])
            return
        query = dict(parse_qsl(url.query) + parse_qsl(body.decode()))
        path = url.path.rpartition("/")[2]
        events: list[bytes] = []
        result: object
        with exchange.lock:
            if method == "POST" and path == "order":
                exchange.arrivals.append(arrived_ns)
                result, events = exchange.order(query)
            else:
                result = exchange.answer(method, path, query)
            answer = json.dumps(result).encode()
            status = b"400 Bad Request" if isinstance(result, dict) and "code" in result else b"200 OK"
            connection.sendall(
                b"HTTP/1.1 " + status + b"\r\nContent-Type: application/json\r\n"
                b"Content-Length: %d\r\n\r\n" % len(answer) + answer
            )
            for event in events:
                for one in exchange.private:
                    one.sendall(event)


def upgrade(exchange: Exchange, connection: socket.socket, path: str, key: str) -> None:
    """Shake hands, acknowledge subscriptions until the peer goes."""
    digest = hashlib.sha1((key + _WEBSOCKET_GUID).encode()).digest()  # noqa: S324  # the protocol's own
    connection.sendall(
        b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        b"Sec-WebSocket-Accept: " + base64.b64encode(digest) + b"\r\n\r\n"
    )
    sockets = {"public": exchange.public, "market": exchange.market}.get(path.split("/")[1], exchange.private)
    if sockets is exchange.private:
        sockets.append(connection)
    for opcode, payload in frames(connection):
        if opcode == 8:
            return
        if opcode == 9:
            connection.sendall(b"\x8a" + bytes([len(payload)]) + payload)
        if opcode == 1:
            asked = json.loads(payload)
            with exchange.lock:
                connection.sendall(text_frame(json.dumps({"result": None, "id": asked["id"]}).encode()))
                if connection not in sockets:
                    sockets.append(connection)


def frames(connection: socket.socket) -> Iterator[tuple[int, bytes]]:
    """Masked frames of a client, until it goes."""
    file = connection.makefile("rb")
    while len(head := file.read(2)) == 2:
        size = head[1] & 127
        if size == 126:
            size = struct.unpack(">H", file.read(2))[0]
        mask = file.read(4)
        payload = file.read(size)
        yield head[0] & 15, bytes(byte ^ mask[i % 4] for i, byte in enumerate(payload))


class Load:
    """Sends frames at a pace. Bars last a second of transaction time and `bar_ms` of real time."""

    def __init__(self, exchange: Exchange) -> None:
        self._exchange = exchange
        self._second = time.time_ns() // 1_000_000_000 + 1
        self._direction = 1

    def run(self, rate: float, bars: int, bar_ms: float) -> list[tuple[int, str]]:
        """The time just before each frame that closed a bar was written, and its kind."""
        closing: list[tuple[int, str]] = []
        ticks = max(2, round(rate * bar_ms / 1e3))
        gap_ns = int(bar_ms * 1e6 / ticks)
        due = time.perf_counter_ns()
        for bar in range(bars):
            self._direction = -self._direction
            for tick in range(ticks):
                due += gap_ns
                wait = due - time.perf_counter_ns()
                if wait > 0:
                    time.sleep(wait / 1e9)
                kind = "depth" if (tick == 0 and bar % 2) or tick % 10 == 5 else "bookTicker"
                sent_ns = self._tick(kind, tick, ticks)
                if tick == 0:
                    closing.append((sent_ns, kind))
            self._second += 1
        return closing

    def flood(self, total: int) -> int:
        """That many frames as fast as they are taken, one in a hundred a diff; the update id of the last."""
        exchange = self._exchange
        batch = 100
        for first in range(0, total, batch):
            time_ms = self._second * 1000 + first
            makes = [exchange.book.depth] + [exchange.book.ticker] * (min(batch, total - first) - 1)
            frames = [
                text_frame(make(time_ms + number, PRICE + 0.1 * (number % 3)))
                for number, make in enumerate(makes)
            ]
            for one in exchange.public:
                one.sendall(b"".join(frames))
        return exchange.book.update_id

    def _tick(self, kind: str, tick: int, ticks: int) -> int:
        exchange = self._exchange
        time_ms = self._second * 1000 + tick * 900 // ticks
        bid = PRICE + (0.5 if self._direction > 0 else -0.5) + 0.1 * (tick % 3 == 1)
        with exchange.lock:
            make = exchange.book.depth if kind == "depth" else exchange.book.ticker
            frame = text_frame(make(time_ms, bid))
            sent_ns = time.time_ns()
            for one in exchange.public:
                one.sendall(frame)
        return sent_ns


class Market:
    """All symbols evenly, in real time: bookTicker frames, and ten diffs a second of each.

    All turn at once with every new bar, so that each bar is one decision of each symbol.
    """

    def __init__(self, exchange: Exchange) -> None:
        self._exchange = exchange
        self._books = list(exchange.books.values())

    def run(self, rate: float, seconds: float, bar_s: float) -> int:
        """Frames a second of each symbol; the number of frames sent."""
        begun = time.perf_counter()
        total, sent = int(rate * seconds) * len(self._books), 0
        while sent < total:
            due = min(total, int((time.perf_counter() - begun) * rate * len(self._books)))
            if due <= sent:
                time.sleep(0.001)
                continue
            due = min(due, sent + BATCH)
            with self._exchange.lock:
                data = self._frames(sent, due, rate, bar_s)
            for one in self._exchange.public:
                one.sendall(data)  # without the lock: orders are answered meanwhile
            sent = due
        return sent

    def _frames(self, first: int, last: int, rate: float, bar_s: float) -> bytes:
        time_ms, number = now_ms(), len(self._books)
        side = 0.5 if time_ms // int(bar_s * 1000) % 2 else -0.5
        every = max(1, round(rate / DIFFS_A_SECOND))
        frames = []
        for index in range(first, last):
            turn, place = divmod(index, number)
            book = self._books[place]
            make = book.depth if (turn + place) % every == 0 else book.ticker
            frames.append(text_frame(make(time_ms, PRICE + side + 0.1 * (turn % 3 == 1))))
        return b"".join(frames)


def keep_marking(exchange: Exchange) -> None:
    """The mark price, once a second, and a tick where nothing else moves the book."""
    while True:
        time.sleep(1.0)
        frames = []
        for symbol in exchange.books:
            payload = {"e": "markPriceUpdate", "E": now_ms(), "s": symbol, "p": f"{PRICE}", "i": f"{PRICE}",
                       "r": "0.0001", "T": now_ms() + 3_600_000}  # fmt: skip
            stream = f"{symbol.lower()}@markPrice@1s"
            frames.append(text_frame(json.dumps({"stream": stream, "data": payload}).encode()))
        with exchange.lock:
            for one in exchange.market:
                one.sendall(b"".join(frames))


def guarded(exchange: Exchange, connection: socket.socket) -> None:
    """A peer that goes is no error."""
    try:
        serve(exchange, connection)
    except OSError:
        pass
    finally:
        for sockets in (exchange.public, exchange.market, exchange.private):
            if connection in sockets:
                sockets.remove(connection)
        connection.close()


def accept(exchange: Exchange, listener: socket.socket) -> None:
    """A thread for each connection."""
    while True:
        connection, _ = listener.accept()
        threading.Thread(target=guarded, args=(exchange, connection), daemon=True).start()


def main() -> None:
    """Listen, say where, carry out commands until stdin ends."""
    sys.setswitchinterval(0.0005)
    exchange = Exchange(sys.argv[1:] or [SYMBOL])
    listener = socket.create_server(("127.0.0.1", 0))
    threading.Thread(target=accept, args=(exchange, listener), daemon=True).start()
    threading.Thread(target=keep_marking, args=(exchange,), daemon=True).start()
    say({"port": listener.getsockname()[1]})
    load = Load(exchange)
    for line in sys.stdin:
        if line.startswith("market"):
            rate, seconds, bar_s = (float(word) for word in line.split()[1:])
            before = len(exchange.arrivals)
            sent = Market(exchange).run(rate, seconds, bar_s)
            say({"frames": sent, "arrivals": exchange.arrivals[before:]})
            continue
        if line.startswith("flood"):
            say({"last_update_id": load.flood(int(line.split()[1]))})
            continue
        rate, bars, bar_ms = (float(word) for word in line.split()[1:])
        before = len(exchange.arrivals)
        closing = load.run(rate, int(bars), bar_ms)
        time.sleep(bar_ms / 1e3)
        say({"closing": closing, "arrivals": exchange.arrivals[before:]})


def say(result: dict[str, Any]) -> None:
    """One line."""
    sys.stdout.write(json.dumps(result) + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    main()
