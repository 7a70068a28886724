// Binance's own @binance/derivatives-trading-usds-futures, unchanged.
"use strict";
const { DerivativesTradingUsdsFutures } = require("@binance/derivatives-trading-usds-futures");
const { URL, KEY, SECRET, STREAMS, SYMBOL, Heard, assert, refused, done, cents, run } = require("./node_common.cjs");

const client = new DerivativesTradingUsdsFutures({
  configurationRestAPI: { apiKey: KEY, apiSecret: SECRET, basePath: URL, timeout: 10_000 },
  configurationWebsocketAPI: { apiKey: KEY, apiSecret: SECRET, wsURL: `${STREAMS}/ws-fapi/v1` },
  configurationWebsocketStreams: { wsURL: STREAMS },
});
const rest = client.restAPI;
const ask = async (name, parameters) => (await rest[name](parameters)).data();

async function marketData() {
  assert.ok((await ask("exchangeInformation")).symbols.some((row) => row.symbol === SYMBOL));
  const book = await ask("orderBook", { symbol: SYMBOL, limit: 5 });
  assert.equal(book.asks.length, 5);
  assert.equal((await ask("klineCandlestickData", { symbol: SYMBOL, interval: "1m", limit: 20 })).length, 20);
  for (const name of ["markPrice", "getFundingRateHistory", "openInterest", "recentTradesList", "adlRisk"]) {
    await ask(name, { symbol: SYMBOL });
  }
  assert.deepEqual((await ask("tradingSchedule")).marketSchedules.EQUITY.sessions, []);
  done("market data");
  return Number(book.bids[0][0]);
}

async function account() {
  assert.ok(Number((await ask("accountInformationV3")).totalWalletBalance) > 0);
  assert.deepEqual(await ask("positionInformationV3", { symbol: SYMBOL }), []);
  assert.equal((await ask("changeInitialLeverage", { symbol: SYMBOL, leverage: 8 })).leverage, 8);
  await refused(rest.changeMarginType({ symbol: SYMBOL, marginType: "CROSSED" }), "No need to change margin type");
  await ask("toggleBnbBurnOnFuturesTrade", { feeBurn: "true" });
  assert.equal((await ask("getBnbBurnStatus")).feeBurn, true);
  done("account");
}

async function orders(order) {
  const { orderId } = await ask("newOrder", order);
  assert.equal((await ask("queryOrder", { symbol: SYMBOL, orderId })).status, "NEW");
  const changed = { symbol: SYMBOL, orderId, side: "BUY", quantity: 0.02, price: order.price };
  assert.equal((await ask("modifyOrder", changed)).origQty, "0.020");
  assert.equal((await ask("cancelOrder", { symbol: SYMBOL, orderId })).status, "CANCELED");
  assert.equal((await ask("placeMultipleOrders", { batchOrders: [order, order] })).length, 2);
  await ask("cancelAllOpenOrders", { symbol: SYMBOL });
  done("orders");
  const stop = { algoType: "CONDITIONAL", symbol: SYMBOL, side: "SELL", type: "STOP_MARKET", quantity: 0.01 };
  const { algoId } = await ask("newAlgoOrder", { ...stop, triggerPrice: order.price });
  assert.equal((await ask("queryAlgoOrder", { algoId })).algoStatus, "NEW");
  await ask("cancelAlgoOrder", { algoId });
  done("conditional orders");
  await refused(rest.newOrder({ ...order, symbol: "NOPE" }), -1121);
  await refused(rest.newOrder({ ...order, quantity: 900 }), -2019);
  await refused(rest.cancelOrder({ symbol: SYMBOL, orderId: 5 }), -2011);
  await refused(rest.newOrder({ ...stop, stopPrice: order.price }), -4120);
  done("refusals");
}

async function requestsOverSockets(order) {
  const api = await client.websocketAPI.connect();
  const { orderId } = (await api.newOrder(order)).data;
  assert.equal((await api.queryOrder({ symbol: SYMBOL, orderId })).data.status, "NEW");
  await api.modifyOrder({ symbol: SYMBOL, orderId, side: "BUY", quantity: 0.02, price: order.price });
  assert.equal((await api.cancelOrder({ symbol: SYMBOL, orderId })).data.status, "CANCELED");
  assert.ok(Number((await api.accountInformationV2()).data.totalWalletBalance) > 0);
  await api.disconnect();
  done("websocketAPI");
}

async function streams() {
  const sockets = await client.websocketStreams.connect();
  const heard = new Heard();
  const listen = (name, stream) => stream.on("message", () => heard.note(name));
  listen("book", sockets.diffBookDepthStreams({ symbol: SYMBOL, updateSpeed: "100ms" }));
  listen("ticker", sockets.individualSymbolBookTickerStreams({ symbol: SYMBOL }));
  listen("trades", sockets.aggregateTradeStreams({ symbol: SYMBOL }));
  listen("klines", sockets.klineCandlestickStreams({ symbol: SYMBOL, interval: "1m" }));
  listen("mark", sockets.markPriceStream({ symbol: SYMBOL, updateSpeed: "1s" }));
  await heard.all(["book", "ticker", "trades", "klines", "mark"]);
  done("market streams");
  const { listenKey } = await ask("startUserDataStream");
  sockets.userData(listenKey).on("message", (message) => heard.note(message.e));
  for (let turn = 0; turn < 20 && !heard.names.has("ORDER_TRADE_UPDATE"); turn += 1) {
    // The client does not say when its subscription has been accepted.
    await ask("newOrder", { symbol: SYMBOL, side: "BUY", type: "MARKET", quantity: 0.01 });
    await ask("newOrder", { symbol: SYMBOL, side: "SELL", type: "MARKET", quantity: 0.01, reduceOnly: "true" });
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
  await heard.all(["ORDER_TRADE_UPDATE", "ACCOUNT_UPDATE", "TRADE_LITE"]);
  await ask("keepaliveUserDataStream");
  done("user events");
  await sockets.disconnect();
}

run(async () => {
  const bid = await marketData();
  const order = { symbol: SYMBOL, side: "BUY", type: "LIMIT", timeInForce: "GTC", quantity: 0.01, price: cents(bid * 0.98) };
  await account();
  await orders(order);
  await requestsOverSockets(order);
  await streams();
});
