// tiagosiebler's "binance", unchanged.
"use strict";
const { USDMClient, WebsocketAPIClient, WebsocketClient } = require("binance");
const { URL, KEY, SECRET, STREAMS, SYMBOL, Heard, assert, refused, done, cents, run } = require("./node_common.cjs");

const keys = { api_key: KEY, api_secret: SECRET };
const quiet = { trace() {}, info() {}, error: (...words) => console.error(...words) };
const rest = new USDMClient({ ...keys, baseUrl: URL });

async function marketData() {
  assert.ok((await rest.getExchangeInfo()).symbols.length > 0);
  assert.equal((await rest.getOrderBook({ symbol: SYMBOL, limit: 10 })).asks.length, 10);
  assert.equal((await rest.getKlines({ symbol: SYMBOL, interval: "1m", limit: 10 })).length, 10);
  done("market data");
  return Number((await rest.getSymbolOrderBookTicker({ symbol: SYMBOL })).bidPrice);
}

async function account() {
  assert.ok(Number((await rest.getBalance())[0].balance) > 0);
  assert.deepEqual(await rest.getPositionsV3({ symbol: SYMBOL }), []);
  assert.equal((await rest.setLeverage({ symbol: SYMBOL, leverage: 7 })).leverage, 7);
  await refused(rest.setMarginType({ symbol: SYMBOL, marginType: "CROSSED" }), -4046);
  done("account");
}

async function orders(order) {
  const { orderId } = await rest.submitNewOrder({ ...order });
  assert.equal((await rest.getOrder({ symbol: SYMBOL, orderId })).status, "NEW");
  const changed = await rest.modifyOrder({ symbol: SYMBOL, orderId, side: "BUY", quantity: 0.02, price: order.price });
  assert.equal(changed.origQty, "0.020");
  assert.equal((await rest.cancelOrder({ symbol: SYMBOL, orderId })).status, "CANCELED");
  const texts = { ...order, quantity: "0.01", price: String(order.price) };
  const batch = await rest.submitMultipleOrders([{ ...texts }, { ...texts }]);
  const orderIdList = batch.map((row) => row.orderId);
  assert.equal((await rest.cancelMultipleOrders({ symbol: SYMBOL, orderIdList })).length, 2);
  done("orders");
  const stop = { algoType: "CONDITIONAL", symbol: SYMBOL, side: "SELL", type: "STOP_MARKET", quantity: 0.01 };
  const { algoId } = await rest.submitNewAlgoOrder({ ...stop, triggerPrice: order.price });
  assert.equal((await rest.getAlgoOrder({ algoId })).algoStatus, "NEW");
  await rest.cancelAlgoOrder({ algoId });
  done("conditional orders");
  await refused(rest.submitNewOrder({ ...order, symbol: "NOPE" }), -1121);
  await refused(rest.submitNewOrder({ ...order, quantity: 900 }), -2019);
  await refused(rest.cancelOrder({ symbol: SYMBOL, orderId: 5 }), -2011);
  done("refusals");
}

async function requestsOverSockets(order) {
  const api = new WebsocketAPIClient({ ...keys, wsUrl: STREAMS, attachEventListeners: false }, quiet);
  const placed = await api.submitNewFuturesOrder("usdm", { ...order, timestamp: Date.now() });
  const { orderId } = placed.result;
  const named = { symbol: SYMBOL, orderId, timestamp: Date.now() };
  assert.equal((await api.getFuturesOrderStatus("usdm", named)).result.status, "NEW");
  assert.equal((await api.cancelFuturesOrder("usdm", named)).result.status, "CANCELED");
  api.getWSClient().closeAll(true);
  done("WebsocketAPIClient");
}

async function streams() {
  const sockets = new WebsocketClient({ ...keys, wsUrl: STREAMS, restOptions: { baseUrl: URL }, beautify: true }, quiet);
  const heard = new Heard();
  sockets.on("formattedMessage", (event) => heard.note(Array.isArray(event) ? `all ${event[0].eventType}` : event.eventType));
  const opened = new Promise((resolve) => sockets.on("open", (event) => String(event.wsKey).includes("userData") && resolve()));
  sockets.subscribe(["btcusdt@aggTrade", "btcusdt@markPrice@1s", "btcusdt@kline_1m", "!ticker@arr"], "usdmMarket");
  sockets.subscribe(["btcusdt@bookTicker", "btcusdt@depth@100ms"], "usdmPublic");
  await heard.all(["aggTrade", "markPriceUpdate", "kline", "bookTicker", "depthUpdate", "all 24hrTicker"]);
  done("market streams");
  await sockets.subscribeUsdFuturesUserDataStream("usdmPrivate");
  await opened;
  await rest.submitNewOrder({ symbol: SYMBOL, side: "BUY", type: "MARKET", quantity: 0.01 });
  await rest.submitNewOrder({ symbol: SYMBOL, side: "SELL", type: "MARKET", quantity: 0.01, reduceOnly: "true" });
  await heard.all(["ORDER_TRADE_UPDATE", "ACCOUNT_UPDATE", "TRADE_LITE"]);
  sockets.closeAll(true);
  done("user events");
}

run(async () => {
  const bid = await marketData();
  const order = { symbol: SYMBOL, side: "BUY", type: "LIMIT", timeInForce: "GTC", quantity: 0.01, price: cents(bid * 0.98) };
  await account();
  await orders(order);
  await requestsOverSockets(order);
  await streams();
});
