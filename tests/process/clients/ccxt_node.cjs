// ccxt's binanceusdm in JavaScript, REST and sockets, unchanged.
"use strict";
const ccxt = require("ccxt");
const { URL, KEY, SECRET, STREAMS, assert, refused, soon, done, cents, run } = require("./node_common.cjs");

const SYMBOL = "BTC/USDT:USDT";
const api = {};
for (const [version, path] of Object.entries({ "": "v1", V2: "v2", V3: "v3" })) {
  api[`fapiPublic${version}`] = `${URL}/fapi/${path}`;
  api[`fapiPrivate${version}`] = `${URL}/fapi/${path}`;
}
const exchange = new ccxt.pro.binanceusdm({ apiKey: KEY, secret: SECRET, urls: { api }, options: { fetchCurrencies: false } });
for (const name of ["future", "linear"]) exchange.urls.api.ws[name] = `${STREAMS}/ws`;
for (const name of ["future", "linear"]) exchange.urls.api.ws["ws-api"][name] = `${STREAMS}/ws-fapi/v1`;

async function orders(low) {
  const placed = await exchange.createOrder(SYMBOL, "limit", "buy", 0.01, low);
  assert.equal((await exchange.fetchOrder(placed.id, SYMBOL)).status, "open");
  assert.equal((await exchange.editOrder(placed.id, SYMBOL, "limit", "buy", 0.02, low)).amount, 0.02);
  assert.equal((await exchange.cancelOrder(placed.id, SYMBOL)).status, "canceled");
  const row = { symbol: SYMBOL, type: "limit", side: "buy", amount: 0.01, price: low };
  assert.equal((await exchange.createOrders([row, row])).length, 2);
  await exchange.cancelAllOrders(SYMBOL);
  const stop = await exchange.createOrder(SYMBOL, "market", "sell", 0.01, undefined, { stopLossPrice: low });
  assert.equal((await exchange.fetchOpenOrders(SYMBOL, undefined, undefined, { trigger: true })).length, 1);
  await exchange.cancelOrder(stop.id, SYMBOL, { trigger: true });
  await refused(exchange.createOrder(SYMBOL, "limit", "buy", 900, low), -2019);
  await refused(exchange.cancelOrder("5", SYMBOL), -2011);
  done("orders");
  const over = await soon(exchange.createOrderWs(SYMBOL, "limit", "buy", 0.01, low), "createOrderWs");
  assert.equal((await soon(exchange.cancelOrderWs(over.id, SYMBOL), "cancelOrderWs")).status, "canceled");
  done("orders over sockets");
}

async function streams() {
  const book = await soon(exchange.watchOrderBook(SYMBOL), "watchOrderBook");
  assert.ok(book.bids[0][0] < book.asks[0][0]);
  assert.ok((await soon(exchange.watchTrades(SYMBOL), "watchTrades")).length > 0);
  assert.ok((await soon(exchange.watchOHLCV(SYMBOL, "1m"), "watchOHLCV"))[0][4] > 0);
  done("market streams");
  const watched = [exchange.watchOrders(SYMBOL), exchange.watchMyTrades(SYMBOL), exchange.watchBalance()];
  let heard = false;
  watched[0].then(() => (heard = true));
  for (let turn = 0; turn < 20 && !heard; turn += 1) {
    // The client does not say when its private socket is open.
    await exchange.createOrder(SYMBOL, "market", "buy", 0.01);
    await exchange.createOrder(SYMBOL, "market", "sell", 0.01, undefined, { reduceOnly: true });
    await exchange.sleep(100);
  }
  const [, trades, balance] = await soon(Promise.all(watched), "user events");
  assert.ok(trades[0].amount > 0 && trades[0].amount <= 0.01); // the order may fill in parts
  assert.ok(balance.USDT.total > 0);
  done("user events");
}

run(async () => {
  await exchange.loadHttpProxyAgent(); // needed for ws:// addresses
  await exchange.loadMarkets();
  const { bid } = (await exchange.fetchBidsAsks([SYMBOL]))[SYMBOL];
  assert.ok((await exchange.fetchBalance()).USDT.total > 0);
  assert.equal((await exchange.setLeverage(9, SYMBOL)).leverage, 9);
  done("market data and account");
  await orders(cents(bid * 0.98));
  await streams();
});
