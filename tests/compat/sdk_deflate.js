// SPDX-License-Identifier: Apache-2.0
// The official SDK over compressed connections: node sdk_deflate.js WS_URL CHANNEL
//
// Two SDK clients with permessage-deflate, one JSON and one Protobuf, and one plain client subscribe; each of the three
// publishes small and large messages. All three have to see the same messages in the same order. Prints one JSON line a
// thing that happens ("done", "error").
"use strict";

const { createRequire } = require("node:module");
const need = createRequire(process.env.PUSHD_NODE + "/");
const { Centrifuge } = need("centrifuge");
const { Centrifuge: CentrifugeProtobuf } = need("centrifuge/build/protobuf");
const WebSocket = need("ws");

const [url, channel] = process.argv.slice(2);
const ANSWER = "permessage-deflate";
const SIZES = [0, 1, 20, 1000, 40000];
const say = (what, more = {}) => process.stdout.write(JSON.stringify({ what, ...more }) + "\n");
const fail = (text) => {
  say("error", { text: String(text) });
  process.exit(1);
};

class Packing extends WebSocket {
  constructor(address, protocols) {
    super(address, protocols, { perMessageDeflate: { threshold: 0 } });
    this.on("open", () => this.extensions === ANSWER || fail("negotiated: " + this.extensions));
  }
}

class Plain extends WebSocket {
  constructor(address, protocols) {
    super(address, protocols, { perMessageDeflate: false });
    this.on("open", () => this.extensions === "" || fail("negotiated: " + this.extensions));
  }
}

function client(name, Sdk, options) {
  const sdk = new Sdk(url, options);
  const bytes = (value) => (Sdk === CentrifugeProtobuf ? new TextEncoder().encode(JSON.stringify(value)) : value);
  const value = (data) => (Sdk === CentrifugeProtobuf ? JSON.parse(new TextDecoder().decode(data)) : data);
  const seen = [];
  sdk.on("error", (context) => fail(name + ": " + JSON.stringify(context.error)));
  sdk.on("disconnected", (context) => fail(name + " disconnected: " + context.code + " " + context.reason));
  const subscription = sdk.newSubscription(channel);
  subscription.on("publication", (context) => seen.push(JSON.stringify(value(context.data))));
  const ready = new Promise((resolve) => subscription.on("subscribed", resolve));
  subscription.subscribe();
  sdk.connect();
  return { name, seen, ready, publish: (message) => subscription.publish(bytes(message)) };
}

(async () => {
  const clients = [
    client("json", Centrifuge, { websocket: Packing }),
    client("protobuf", CentrifugeProtobuf, { websocket: Packing }),
    client("plain", Centrifuge, { websocket: Plain }),
  ];
  for (const one of clients) await one.ready;
  const total = clients.length * SIZES.length;
  for (const one of clients) {
    for (const size of SIZES) await one.publish({ from: one.name, text: "0123456789abcdef".repeat(size / 16 + 1).slice(0, size) });
  }
  while (clients.some((one) => one.seen.length < total)) await new Promise((resolve) => setTimeout(resolve, 5));
  const [first, ...others] = clients.map((one) => one.seen.join("\n"));
  if (others.some((seen) => seen !== first)) fail("they saw different messages");
  if (new Set(clients[0].seen).size !== total) fail("a message came twice");
  say("done");
  process.exit(0);
})().catch(fail);
