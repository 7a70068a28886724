// What the drivers of Node clients share. Arguments: URL KEY SECRET. Prints the steps that passed.
"use strict";
const assert = require("node:assert");
const dns = require("node:dns");

const [URL, KEY, SECRET] = process.argv.slice(2, 5);
const PATIENCE_MS = 20_000;

const lookup = dns.lookup;
dns.lookup = (host, ...rest) => {
  // A client that was not told every address must fail here, and not reach the real exchange.
  assert.ok(host === "127.0.0.1" || host === "localhost", `asked for ${host}`);
  return lookup.call(dns, host, ...rest);
};

function soon(promise, what) {
  let timer;
  const late = new Promise((_, reject) => {
    timer = setTimeout(() => reject(new Error(`${what} did not come`)), PATIENCE_MS);
  });
  return Promise.race([promise, late]).finally(() => clearTimeout(timer));
}

// Collects the names of events until all that are wanted were heard.
class Heard {
  constructor() {
    this.names = new Set();
    this.waiting = [];
  }

  note(name) {
    this.names.add(name);
    this.waiting = this.waiting.filter((check) => !check());
  }

  all(wanted) {
    const complete = () => wanted.every((name) => this.names.has(name));
    if (complete()) return Promise.resolve();
    const done = new Promise((resolve) => {
      this.waiting.push(() => complete() && (resolve(), true));
    });
    return soon(done, `one of ${wanted}`);
  }
}

async function refused(promise, code) {
  try {
    await promise;
  } catch (error) {
    const text = `${error.code} ${error.message} ${JSON.stringify(error.body ?? "")}`;
    assert.ok(text.includes(String(code)), `expected ${code}: ${text}`);
    return;
  }
  assert.fail(`expected a refusal with ${code}`);
}

module.exports = {
  URL,
  KEY,
  SECRET,
  STREAMS: URL.replace("http", "ws"),
  SYMBOL: "BTCUSDT",
  Heard,
  assert,
  refused,
  soon,
  done: (step) => process.stdout.write(`${step}\n`),
  cents: (price) => Math.round(price * 10) / 10,
  run(main) {
    main().then(
      () => {
        process.stdout.write("end\n");
        process.exit(0);
      },
      (error) => {
        console.error(error);
        process.exit(1);
      },
    );
  },
};
