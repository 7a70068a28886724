// Binance's earlier connector for Node, "@binance/futures-connector", unchanged.
"use strict";
const { UMFutures, UMStream } = require("@binance/futures-connector");
const { URL, KEY, SECRET, STREAMS, SYMBOL, Heard, assert, done, cents, run } = require("./node_common.cjs");

const rest = new UMFutures(KEY, SECRET, { baseURL: URL });
const quiet = { info() {}, warn() {}, debug() {}, error: (...words) => console.error(...words) };

async function refused(promise, code) {
  const error = await promise.then(() => assert.fail(`expected ${code}`), (reason) => reason);
  assert.equal(error.response?.data.code, code);
}

async function account() {
  assert.ok((await rest.getExchangeInfo()).data.symbols.length > 0);
  assert.equal((await rest.getKlines(SYMBOL, "1m")).data.length, 500);
  assert.ok(Number((await rest.getFuturesAccountBalanceV3()).data[0].balance) > 0);
  assert.deepEqual((await rest.getPositionInformationV3()).data, []);
  assert.equal((await rest.changeInitialLeverage(SYMBOL, 8)).data.leverage, 8);
  await refused(rest.changeMarginType(SYMBOL, "CROSSED"), -4046);
  done("account");
  return Number((await rest.getBookTicker(SYMBOL)).data.bidPrice);
}

async function orders(price) {
  const terms = { quantity: 0.01, price, timeInForce: "GTC" };
  const place = async () => (await rest.newOrder(SYMBOL, "BUY", "LIMIT", terms)).data.orderId;
  const orderId = await place();
  assert.equal((await rest.queryOrder(SYMBOL, { orderId })).data.status, "NEW");
  assert.equal((await rest.modifyOrder(SYMBOL, "BUY", 0.02, price, { orderId })).data.origQty, "0.020");
  assert.equal((await rest.getOrderModifyHistory(SYMBOL, { orderId })).data.length, 1);
  assert.equal((await rest.cancelOrder(SYMBOL, { orderId })).data.status, "CANCELED");
  const orderIdList = [await place(), await place()];
  assert.equal((await rest.cancelMultipleOrders(SYMBOL, { orderIdList })).data[1].status, "CANCELED");
  await rest.cancelAllOpenOrders(SYMBOL);
  await refused(rest.cancelOrder(SYMBOL, { orderId }), -2011);
  done("orders");
}

async function streams() {
  const heard = new Heard();
  const message = (text) => {
    const event = JSON.parse(text);
    heard.note((event.data ?? event).e);
  };
  const open = (use) => {
    const socket = new UMStream({ wsURL: STREAMS, logger: quiet, callbacks: { message } });
    use(socket);
    return socket;
  };
  const { listenKey } = (await rest.createListenKey()).data;
  const opened = [
    open((socket) => socket.aggregateTradeStream(SYMBOL)),
    open((socket) => socket.klineCandlestickStream(SYMBOL, "1m")),
    open((socket) => socket.diffBookDepthStreams(SYMBOL, "100ms")),
    open((socket) => socket.userDataStream(listenKey)),
  ];
  await heard.all(["aggTrade", "kline", "depthUpdate"]);
  done("market streams");
  await rest.newOrder(SYMBOL, "BUY", "MARKET", { quantity: 0.01 });
  await rest.newOrder(SYMBOL, "SELL", "MARKET", { quantity: 0.01, reduceOnly: "true" });
  await heard.all(["ORDER_TRADE_UPDATE", "ACCOUNT_UPDATE", "TRADE_LITE"]);
  for (const socket of opened) socket.disconnect();
  done("user events");
}

run(async () => {
  await orders(cents((await account()) * 0.98));
  await streams();
});
