// binance-api-node, unchanged.
"use strict";
const Binance = require("binance-api-node").default;
const { URL, KEY, SECRET, STREAMS, SYMBOL, Heard, assert, refused, done, cents, run } = require("./node_common.cjs");

const client = Binance({
  apiKey: KEY,
  apiSecret: SECRET,
  httpBase: URL,
  httpFutures: URL,
  wsBase: `${STREAMS}/ws`,
  wsFutures: `${STREAMS}/market/ws`,
  wsFuturesPublic: `${STREAMS}/public/ws`,
  wsFuturesMarket: `${STREAMS}/market/ws`,
  wsFuturesPrivate: `${STREAMS}/private/ws`,
});

async function account() {
  assert.ok(Number((await client.futuresAccountBalance())[0].balance) > 0);
  assert.ok((await client.futuresPositionRisk({ symbol: SYMBOL })).length <= 1);
  assert.equal((await client.futuresLeverage({ symbol: SYMBOL, leverage: 5 })).leverage, 5);
  await refused(client.futuresMarginType({ symbol: SYMBOL, marginType: "CROSSED" }), -4046);
  done("account");
}

async function orders(order) {
  const { orderId } = await client.futuresOrder(order);
  const named = { symbol: SYMBOL, orderId };
  assert.equal((await client.futuresGetOrder(named)).status, "NEW");
  assert.equal((await client.futuresUpdateOrder({ ...named, side: "BUY", quantity: 0.02, price: order.price })).origQty, "0.020");
  assert.equal((await client.futuresCancelOrder(named)).status, "CANCELED");
  const texts = { ...order, quantity: "0.01", price: String(order.price) };
  const batch = await client.futuresBatchOrders({ batchOrders: JSON.stringify([texts, texts]) });
  assert.equal(batch.length, 2);
  await client.futuresCancelAllOpenOrders({ symbol: SYMBOL });
  done("orders");
  const stop = { symbol: SYMBOL, side: "SELL", type: "STOP_MARKET", quantity: 0.01, stopPrice: order.price };
  const { algoId } = await client.futuresOrder(stop);
  assert.equal((await client.futuresGetAlgoOrder({ algoId })).algoStatus, "NEW");
  await client.futuresCancelAlgoOrder({ algoId });
  done("conditional orders");
  await refused(client.futuresOrder({ ...order, symbol: "NOPE" }), -1121);
  await refused(client.futuresOrder({ ...order, quantity: 900 }), -2019);
  await refused(client.futuresCancelOrder({ symbol: SYMBOL, orderId: 5 }), -2011);
  done("refusals");
}

async function streams() {
  const heard = new Heard();
  const note = (name) => () => heard.note(name);
  client.ws.futuresDepth(SYMBOL, note("depth"));
  client.ws.futuresPartialDepth({ symbol: SYMBOL, level: 10 }, note("partial depth"));
  client.ws.futuresCandles(SYMBOL, "1m", note("candles"));
  client.ws.futuresAggTrades(SYMBOL, note("trades"));
  client.ws.futuresBookTicker(SYMBOL, note("book ticker"));
  client.ws.futuresAllMarkPrices({ updateSpeed: "1s" }, note("mark prices"));
  await heard.all(["depth", "partial depth", "candles", "trades", "book ticker", "mark prices"]);
  done("market streams");
  const end = await client.ws.futuresUser((event) => heard.note(event.eventType));
  for (let turn = 0; turn < 20 && !heard.names.has("ORDER_TRADE_UPDATE"); turn += 1) {
    // The client does not say when its socket is open.
    await client.futuresOrder({ symbol: SYMBOL, side: "BUY", type: "MARKET", quantity: 0.01 });
    await client.futuresOrder({ symbol: SYMBOL, side: "SELL", type: "MARKET", quantity: 0.01, reduceOnly: "true" });
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
  await heard.all(["ORDER_TRADE_UPDATE", "ACCOUNT_UPDATE"]);
  await end();
  done("user events");
}

run(async () => {
  assert.ok((await client.futuresExchangeInfo()).symbols.length > 0);
  assert.equal((await client.futuresBook({ symbol: SYMBOL, limit: 5 })).asks.length, 5);
  assert.equal((await client.futuresCandles({ symbol: SYMBOL, interval: "1m", limit: 5 })).length, 5);
  const bid = Number((await client.futuresAllBookTickers())[SYMBOL].bidPrice);
  done("market data");
  await account();
  await orders({ symbol: SYMBOL, side: "BUY", type: "LIMIT", timeInForce: "GTC", quantity: 0.01, price: cents(bid * 0.98) });
  await streams();
});
