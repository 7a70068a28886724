"""Trades on an exchange whose state is in argv[1] until it is killed; prints what it has answered.

Each line is written after the commit of its request: `order ID CLIENT_ID`, `cancel ID`, `trade ID`,
`wallet AMOUNT TRANSACTION`. The market is made anew at each start, as a real one would be.
"""

import sys
from decimal import Decimal
from pathlib import Path

from gateways.simulator.exchange.exchange import Exchange
from gateways.simulator.exchange.model.events import Trade
from gateways.simulator.exchange.model.orders import OrderRequest
from gateways.simulator.exchange.model.symbols import default_symbols
from gateways.simulator.store import records as state_record
from gateways.simulator.store.persistence import Persistence
from tests.support.listeners import NullListener

SYMBOL = "BTCUSDT"
NOW = 1_760_000_400_000


class Published(NullListener):
    def __init__(self) -> None:
        self.ids: list[int] = []

    def on_trade(self, trade: Trade) -> None:
        self.ids.append(trade.trade_id)


def main() -> None:
    heard = Published()
    exchange = Exchange(default_symbols(), heard)
    store = Persistence(Path(sys.argv[1]), exchange, 60_000)
    state_record.SLICE_ROWS = 20  # so that snapshots are being written most of the time
    store.restore()
    exchange.create_account("main", Decimal(1_000_000), NOW)
    book = exchange.book(SYMBOL)
    for step in range(1, 20):
        book.add("BUY", 500_000 - step, 1_000_000)
        book.add("SELL", 500_000 + step, 1_000_000)
    exchange.advance(NOW)
    exchange.after_market(SYMBOL, NOW)
    store.commit()
    run = len(exchange.state.user("main").orders)
    for number in range(run, run + 1_000_000):
        client_id = f"c{number}"
        price = Decimal(49_000) + number % 7
        request = OrderRequest(
            SYMBOL, "BUY", "LIMIT", time_in_force="GTC", quantity=Decimal("0.01"), price=price,
            new_client_order_id=client_id,
        )  # fmt: skip
        order = exchange.submit("main", request, NOW + number)
        store.commit()
        print(f"order {order.order_id} {client_id}", flush=True)
        side = "BUY" if number % 2 else "SELL"
        exchange.submit("main", OrderRequest(SYMBOL, side, "MARKET", quantity=Decimal("0.002")), NOW + number)
        store.commit()
        print(f"trade {heard.ids[-1]}", flush=True)
        exchange.cancel("main", SYMBOL, order.order_id, None, NOW + number)
        store.commit()
        print(f"cancel {order.order_id}", flush=True)
        account = exchange.state.user("main").account
        store.proceed()
        print(f"wallet {account.wallet_balance} {exchange.state.counters.transaction}", flush=True)


if __name__ == "__main__":
    main()
