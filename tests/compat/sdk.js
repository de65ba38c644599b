// SPDX-License-Identifier: Apache-2.0
// The official SDK as a client: node sdk.js WS_URL TOKEN_URL COOKIE CHANNEL COUNT OTHERS
//
// Prints one JSON line for each thing that happens ("ready", "progress", "done", "error"). Beside the SDK client it
// holds OTHERS plain WebSocket clients of the same channel, each of which has to receive the same messages in order.
"use strict";

const { createRequire } = require("node:module");
const need = createRequire(process.env.PUSHD_NODE + "/");
const { Centrifuge } = need("centrifuge");
const WebSocket = need("ws");

const [url, tokenUrl, cookie, channel, countText, othersText] = process.argv.slice(2);
const PATIENCE_MS = 60000; // ends what hangs; a busy machine does not need so long
const count = Number(countText);
const others = Number(othersText);
const say = (what, more = {}) => process.stdout.write(JSON.stringify({ what, ...more }) + "\n");
const fail = (text) => {
  say("error", { text: String(text) });
  process.exit(1);
};

async function getToken() {
  const reply = await fetch(tokenUrl, { headers: { Cookie: cookie } });
  if (!reply.ok) throw new Error("token endpoint: " + reply.status);
  return (await reply.json()).token;
}

let waiting = others + 1;
function subscribed() {
  waiting -= 1;
  if (waiting === 0) say("ready");
}

let unfinished = others + 1;
function finished() {
  unfinished -= 1;
  if (unfinished === 0) {
    say("done");
    process.exit(0);
  }
}

function startSdk() {
  const centrifuge = new Centrifuge(url, { websocket: WebSocket, getToken, timeout: PATIENCE_MS });
  let next = 0;
  centrifuge.on("error", (context) => fail("SDK: " + JSON.stringify(context.error)));
  centrifuge.on("disconnected", (context) => fail("SDK disconnected: " + context.code + " " + context.reason));
  let connects = 0;
  centrifuge.on("connected", () => {
    connects += 1;
    if (connects > 1) fail("the SDK had to connect again");
  });
  const subscription = centrifuge.newSubscription(channel);
  subscription.on("subscribed", subscribed);
  subscription.on("unsubscribed", (context) => fail("SDK unsubscribed: " + context.code + " " + context.reason));
  subscription.on("publication", (context) => {
    if (context.data.n !== next) fail("SDK: message " + context.data.n + " in place of " + next);
    next += 1;
    if (next % 1000 === 0) say("progress", { n: next });
    if (next === count) finished();
  });
  subscription.subscribe();
  centrifuge.connect();
}

function startOther(number, token) {
  const socket = new WebSocket(url, { perMessageDeflate: false }); // Node expands too slowly for all of them
  let next = 0;
  let ready = false;
  socket.on("open", () => {
    socket.send(JSON.stringify({ id: 1, connect: { token } }) + "\n" + JSON.stringify({ id: 2, subscribe: { channel } }));
  });
  socket.on("error", (error) => fail("client " + number + ": " + error));
  socket.on("close", (code, reason) => fail("client " + number + " closed: " + code + " " + reason));
  socket.on("message", (data) => {
    for (const line of data.toString().split("\n")) {
      if (line === "{}") {
        socket.send("{}");
        continue;
      }
      const found = /^\{"push":\{"channel":"[^"]*","pub":\{"data":\{"n":(\d+)/.exec(line);
      if (found) {
        if (Number(found[1]) !== next) fail("client " + number + ": message " + found[1] + " in place of " + next);
        next += 1;
        if (next === count) finished();
      } else if (!ready && line.startsWith('{"id":2,"subscribe"')) {
        ready = true;
        subscribed();
      } else if (line.includes('"error"')) {
        fail("client " + number + ": " + line);
      }
    }
  });
}

(async () => {
  startSdk();
  const token = await getToken();
  for (let number = 0; number < others; number += 1) startOther(number, token);
})().catch(fail);
