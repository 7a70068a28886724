"""Binance's official SDK, unchanged. Arguments: URL KEY SECRET (or private key). Prints the steps."""

import asyncio
import sys
import warnings

from binance_common.configuration import (
    ConfigurationRestAPI,
    ConfigurationWebSocketAPI,
    ConfigurationWebSocketStreams,
)
from binance_common.errors import BadRequestError
from binance_common.signature import Signers
from binance_sdk_derivatives_trading_usds_futures.derivatives_trading_usds_futures import (
    DerivativesTradingUsdsFutures,
)

URL, KEY, SECRET = sys.argv[1:4]
SIGNS = "private_key" if "PRIVATE KEY" in SECRET else "api_secret"
SHORTEST_RSA_KEY = 1000  # characters; an Ed25519 key has some 120
STREAMS = URL.replace("http", "ws")
SYMBOL = "BTCUSDT"
PATIENCE_S = 20


def done(step):
    sys.stdout.write(step + "\n")


def make():
    return DerivativesTradingUsdsFutures(
        config_rest_api=ConfigurationRestAPI(api_key=KEY, base_path=URL, timeout=10_000, **{SIGNS: SECRET}),
        config_ws_api=ConfigurationWebSocketAPI(
            api_key=KEY, stream_url=f"{STREAMS}/ws-fapi/v1", **{SIGNS: SECRET}
        ),
        config_ws_streams=ConfigurationWebSocketStreams(stream_url=STREAMS),
    )


def market_data(rest):
    rest.test_connectivity()
    assert rest.check_server_time().data().server_time > 0
    names = {row.symbol for row in rest.exchange_information().data().symbols}
    assert SYMBOL in names
    done("exchange_information")
    book = rest.order_book(SYMBOL, limit=5).data()
    assert len(book.bids) == len(book.asks) == 5
    done("order_book")
    assert len(rest.kline_candlestick_data(SYMBOL, "1m", limit=20).data()) == 20
    assert (
        len(rest.continuous_contract_kline_candlestick_data(SYMBOL, "PERPETUAL", "1h", limit=5).data()) == 5
    )
    done("kline_candlestick_data")
    rest.recent_trades_list(SYMBOL)
    rest.compressed_aggregate_trades_list(SYMBOL)
    rest.mark_price(SYMBOL)
    rest.get_funding_rate_history(SYMBOL)
    rest.get_funding_rate_info()
    rest.ticker24hr_price_change_statistics(SYMBOL)
    rest.symbol_price_ticker_v2(SYMBOL)
    rest.symbol_order_book_ticker(SYMBOL)
    rest.open_interest(SYMBOL)
    done("tickers")
    return float(book.bids[0][0])


def account(rest):
    assert float(rest.account_information_v3().data().total_wallet_balance) > 0
    assert rest.account_information_v2().data().can_trade is True
    assert float(rest.futures_account_balance_v3().data()[0].balance) > 0
    done("account_information")
    assert rest.position_information_v3(symbol=SYMBOL).data() == []
    assert rest.position_information_v2(symbol=SYMBOL).data()[0].margin_type == "cross"
    assert rest.futures_account_configuration().data().dual_side_position is False
    rest.symbol_configuration(symbol=SYMBOL)
    rest.notional_and_leverage_brackets(symbol=SYMBOL)
    rest.user_commission_rate(SYMBOL)
    rest.query_user_rate_limit()
    rest.get_income_history()
    rest.get_bnb_burn_status()
    rest.position_adl_quantile_estimation()
    done("position_information")
    assert rest.change_initial_leverage(SYMBOL, 9).data().leverage == 9
    try:
        rest.change_margin_type(SYMBOL, "CROSSED")
    except BadRequestError as error:
        assert "No need to change margin type" in str(error)
    done("change_initial_leverage")


def orders(rest, bid):
    low = round(bid * 0.98, 1)
    placed = rest.new_order(SYMBOL, "BUY", "LIMIT", time_in_force="GTC", quantity=0.01, price=low).data()
    assert placed.status == "NEW"
    assert rest.query_order(SYMBOL, order_id=placed.order_id).data().order_id == placed.order_id
    assert rest.query_current_open_order(SYMBOL, order_id=placed.order_id).data().status == "NEW"
    assert len(rest.current_all_open_orders(symbol=SYMBOL).data()) == 1
    done("new_order")
    changed = rest.modify_order(SYMBOL, "BUY", 0.012, low - 1, order_id=placed.order_id).data()
    assert changed.orig_qty == "0.012"
    assert len(rest.get_order_modify_history(SYMBOL, order_id=placed.order_id).data()) == 1
    done("modify_order")
    assert rest.cancel_order(SYMBOL, order_id=placed.order_id).data().status == "CANCELED"
    rest.auto_cancel_all_open_orders(SYMBOL, 60_000)
    rest.cancel_all_open_orders(SYMBOL)
    rest.all_orders(SYMBOL)
    rest.account_trade_list(SYMBOL)
    done("cancel_order")
    stop = rest.new_algo_order(
        "CONDITIONAL", SYMBOL, "SELL", "STOP_MARKET", quantity=0.01, trigger_price=round(bid * 0.95, 1)
    ).data()
    assert stop.algo_status == "NEW"
    assert rest.query_algo_order(algo_id=stop.algo_id).data().algo_id == stop.algo_id
    assert len(rest.current_all_algo_open_orders(symbol=SYMBOL).data()) == 1
    rest.cancel_algo_order(algo_id=stop.algo_id)
    assert rest.query_all_algo_orders(SYMBOL).data()[-1].algo_status == "CANCELED"
    rest.cancel_all_algo_open_orders(SYMBOL)
    done("new_algo_order")


async def requests_over_sockets(client, bid):
    api = client.websocket_api
    await api.create_connection()
    low = round(bid * 0.97, 1)
    placed = (
        await api.new_order(SYMBOL, "BUY", "LIMIT", time_in_force="GTC", quantity=0.01, price=low)
    ).data()
    order_id = placed.result.order_id
    assert (await api.query_order(SYMBOL, order_id=order_id)).data().result.status == "NEW"
    await api.modify_order(SYMBOL, "BUY", 0.011, low, order_id=order_id)
    assert (await api.cancel_order(SYMBOL, order_id=order_id)).data().result.status == "CANCELED"
    await api.account_information_v2()
    await api.futures_account_balance_v2()
    await api.position_information_v2()
    await api.order_book(SYMBOL, limit=5)
    await api.symbol_price_ticker(symbol=SYMBOL)
    await api.symbol_order_book_ticker(symbol=SYMBOL)
    assert (await api.start_user_data_stream()).data().result.listen_key
    done("websocket_api")
    if SIGNS == "private_key" and len(SECRET) < SHORTEST_RSA_KEY:
        await session(api, low)
    await api.close_connection()


async def session(api, low):
    """An Ed25519 key logs on once; the SDK leaves key and signature out of what it sends after that."""
    signer = Signers.get_signer(SECRET)
    logon = {"method": "session.logon", "params": {}}
    await api.send_signed_message(logon, signer, session_logon=True)
    placed = await api.new_order(SYMBOL, "BUY", "LIMIT", time_in_force="GTC", quantity=0.01, price=low)
    order_id = placed.data().result.order_id
    assert (await api.cancel_order(SYMBOL, order_id=order_id)).data().result.status == "CANCELED"
    logout = {"method": "session.logout", "params": {}}
    await api.send_signed_message(logout, signer, session_logout=True)
    await api.account_information_v2()
    done("session")


async def streams(client, rest):
    sockets = client.websocket_streams
    await sockets.create_connection()
    heard = asyncio.Queue()
    for name, opening in (
        ("diff_book_depth", sockets.diff_book_depth_streams(SYMBOL, update_speed="100ms")),
        ("book_ticker", sockets.individual_symbol_book_ticker_streams(SYMBOL)),
        ("aggregate_trade", sockets.aggregate_trade_streams(SYMBOL)),
        ("kline", sockets.kline_candlestick_streams(SYMBOL, "1m")),
        ("mark_price", sockets.mark_price_stream(SYMBOL, update_speed="1s")),
    ):
        stream = await opening
        stream.on("message", lambda data, n=name: heard.put_nowait(n))
    await until(heard, {"diff_book_depth", "book_ticker", "aggregate_trade", "kline", "mark_price"})
    done("market streams")
    key = rest.start_user_data_stream().data().listen_key
    rest.keepalive_user_data_stream()
    user = await sockets.user_data(key)
    user.on("message", lambda data: heard.put_nowait(type(data.actual_instance).__name__))
    await asyncio.to_thread(rest.new_order, SYMBOL, "BUY", "MARKET", quantity=0.01)
    await asyncio.to_thread(rest.new_order, SYMBOL, "SELL", "MARKET", quantity=0.01, reduce_only="true")
    await until(heard, {"OrderTradeUpdate", "AccountUpdate", "TradeLite"})
    done("user_data")
    rest.close_user_data_stream()
    await sockets.close_connection()


async def until(heard, wanted):
    missing = set(wanted)
    while missing:
        missing.discard(await asyncio.wait_for(heard.get(), PATIENCE_S))


def main():
    # The SDK warns where an answer does not have exactly the shape of its model.
    warnings.simplefilter("error")
    warnings.simplefilter("ignore", DeprecationWarning)
    client = make()
    rest = client.rest_api
    bid = market_data(rest)
    account(rest)
    orders(rest, bid)
    asyncio.run(requests_over_sockets(client, bid))
    asyncio.run(streams(client, rest))
    done("end")


main()
