// node-binance-api, unchanged but for the two methods that give its stream addresses: they know no option.
"use strict";
const Binance = require("node-binance-api");
const { URL, KEY, SECRET, STREAMS, SYMBOL, Heard, assert, refused, done, cents, run } = require("./node_common.cjs");

const client = new (Binance.default ?? Binance)({
  APIKEY: KEY,
  APISECRET: SECRET,
  family: 4,
  useServerTime: true,
  log: () => {},
  urls: { base: `${URL}/api/`, sapi: `${URL}/sapi/`, fapi: `${URL}/fapi/` },
});
client.getFStreamSingleUrl = (route) => `${STREAMS}${route ? `/${route}` : ""}/ws/`;
client.getFStreamUrl = (route) => `${STREAMS}${route ? `/${route}` : ""}/stream?streams=`;

async function account() {
  assert.ok(Number((await client.futuresBalance())[0].balance) > 0);
  assert.ok(Array.isArray(await client.futuresPositionRisk()));
  assert.equal((await client.futuresLeverage(SYMBOL, 6)).leverage, 6);
  await refused(client.futuresMarginType(SYMBOL, "CROSSED"), -4046);
  done("account");
}

async function orders(low) {
  const good = { timeInForce: "GTC" };
  const { orderId } = await client.futuresBuy(SYMBOL, 0.01, low, { ...good });
  assert.equal((await client.futuresOrderStatus(SYMBOL, { orderId })).status, "NEW");
  assert.equal((await client.futuresCancel(SYMBOL, orderId)).status, "CANCELED");
  const row = { symbol: SYMBOL, side: "BUY", type: "LIMIT", ...good, quantity: "0.01", price: String(low) };
  assert.equal((await client.futuresMultipleOrders([row, row])).length, 2);
  await client.futuresCancelAll(SYMBOL);
  done("orders");
  const stop = await client.futuresAlgoOrder("STOP_MARKET", "SELL", SYMBOL, 0.01, undefined, { triggerPrice: low });
  assert.equal((await client.futuresAlgoOrderStatus(SYMBOL, { algoId: stop.algoId })).algoStatus, "NEW");
  await client.futuresCancelAllAlgo(SYMBOL);
  done("conditional orders");
  await refused(client.futuresBuy("NOPE", 1, low, { ...good }), -1121);
  await refused(client.futuresBuy(SYMBOL, 900, low, { ...good }), -2019);
  await refused(client.futuresCancel(SYMBOL, 5), -2011);
  done("refusals");
}

async function streams() {
  const heard = new Heard();
  const note = (name) => () => heard.note(name);
  client.futuresBookTickerStream(SYMBOL, note("book ticker"));
  client.futuresMarkPriceStream(SYMBOL, note("mark price"));
  client.futuresAggTradeStream(SYMBOL, note("trades"));
  client.futuresCandlesticksStream([SYMBOL], "1m", note("candles"));
  client.futuresChart(SYMBOL, "1m", note("chart"));
  await heard.all(["book ticker", "mark price", "trades", "candles", "chart"]);
  done("market streams");
  client.userFutureData((event) => heard.note(event.e));
  for (let turn = 0; turn < 40 && !heard.names.has("ORDER_TRADE_UPDATE"); turn += 1) {
    // The client does not say when its socket is open.
    await client.futuresMarketBuy(SYMBOL, 0.01);
    await client.futuresMarketSell(SYMBOL, 0.01, { reduceOnly: true });
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
  await heard.all(["ORDER_TRADE_UPDATE", "ACCOUNT_UPDATE"]);
  done("user events");
}

run(async () => {
  await client.useServerTime();
  assert.ok((await client.futuresExchangeInfo()).symbols.length > 0);
  assert.ok((await client.futuresCandles(SYMBOL, "1m")).length > 0);
  const bid = Number((await client.futuresQuote(SYMBOL))[SYMBOL].bidPrice);
  done("market data");
  await account();
  await orders(cents(bid * 0.98));
  await streams();
});
