// SPDX-License-Identifier: Apache-2.0
// A small team inbox on the official centrifuge SDK: two channels, unread counts, and a log that explains.
"use strict";

(() => {
  const $ = (selector, within = document) => within.querySelector(selector);
  const demo = window.DEMO;
  const clockFormat = new Intl.DateTimeFormat(undefined, { hour: "2-digit", minute: "2-digit", second: "2-digit", hourCycle: "h23" });
  const MAX_ITEMS = 200;
  const MAX_LOG_LINES = 500;

  function element(tag, className, text) {
    const node = document.createElement(tag);
    if (className) node.className = className;
    if (text !== undefined) node.textContent = text;
    return node;
  }

  function timeElement(date) {
    const node = element("time", "", clockFormat.format(date));
    node.dateTime = date.toISOString();
    return node;
  }

  // ------------------------------------------------------------------ log

  function log(text, kind = "") {
    const list = $("#log");
    const line = element("li");
    const follow = list.scrollTop + list.clientHeight >= list.scrollHeight - 30;
    line.append(timeElement(new Date()), element("span", kind, "[Centrifugo] " + text));
    list.append(line);
    while (list.children.length > MAX_LOG_LINES) list.firstChild.remove();
    if (follow) list.scrollTop = list.scrollHeight;
    const write = { error: console.error, warn: console.warn }[kind] || console.log;
    write.call(console, "[Centrifugo] " + text);
  }

  // ------------------------------------------------------- connection state

  const states = {
    connected: ["good", "Connected"],
    connecting: ["wait", "Connecting…"],
    reconnecting: ["wait", "Reconnecting…"],
    disconnected: ["bad", "Disconnected"],
    broken: ["bad", "Cannot start"],
  };

  function showState(name) {
    const [kind, words] = states[name];
    $("#state").className = "pill " + kind;
    $("#state-text").textContent = words;
    $("#toggle").hidden = name === "broken";
    $("#toggle").textContent = name === "disconnected" ? "Connect" : "Disconnect";
  }

  function showTrouble(title, [what, steps], waiting = false) {
    const box = $("#trouble");
    box.hidden = false;
    box.classList.toggle("waiting", waiting);
    $("#trouble-title").textContent = title;
    $("#trouble-what").textContent = what;
    $("#trouble-do").replaceChildren(...steps.map((step) => element("li", "", step)));
  }

  function hideTrouble() {
    $("#trouble").hidden = true;
  }

  // ----------------------------------------------------------------- feeds

  const feeds = [];

  class Feed {
    constructor(id, channel, describe) {
      this.root = $("#" + id);
      this.channel = channel;
      this.describe = describe;
      this.seen = new Set();
      this.byKey = new Map();
      $(".channel code", this.root).textContent = channel;
      $(".read", this.root).addEventListener("click", () => {
        for (const item of this.root.querySelectorAll(".unread")) item.classList.remove("unread");
        this.count();
      });
      feeds.push(this);
    }

    showSubscription(kind, words) {
      const pill = $(".sub", this.root);
      pill.className = "sub " + kind;
      pill.textContent = words;
    }

    // A publication may come twice: live, and once more from history.
    isNew(publication) {
      if (publication.offset === undefined) return true;
      if (this.seen.has(publication.offset)) return false;
      this.seen.add(publication.offset);
      return true;
    }

    add(publication, unread) {
      if (!this.isNew(publication)) return;
      const view = this.describe(publication.data);
      const item = element("li", unread ? "unread new" : "");
      item.tabIndex = unread ? 0 : -1;
      const avatar = element("span", "avatar tone" + tone(view.avatar), view.avatar.slice(0, 4));
      const text = element("p", view.raw ? "text raw" : "text", view.text);
      if (view.status) text.prepend(element("span", "status " + statusKind(view.status), view.status), " ");
      item.append(avatar, element("span", "from", view.title), timeElement(new Date()), text);
      const read = () => {
        item.classList.remove("unread");
        this.count();
      };
      item.addEventListener("click", read);
      item.addEventListener("keydown", (event) => event.key === "Enter" && read());
      if (view.key !== undefined) {
        this.byKey.get(view.key)?.remove(); // a ticket stands once, with its latest state
        this.byKey.set(view.key, item);
      }
      const list = $(".items", this.root);
      list.prepend(item);
      while (list.children.length > MAX_ITEMS) list.lastChild.remove();
      this.count();
    }

    count() {
      const unread = this.root.querySelectorAll(".unread").length;
      const badge = $(".badge", this.root);
      badge.hidden = $(".read", this.root).hidden = unread === 0;
      badge.textContent = unread + " new";
      const total = document.querySelectorAll(".items .unread").length;
      document.title = total ? "(" + total + ") Team inbox" : "Team inbox";
    }
  }

  function tone(text) {
    let sum = 0;
    for (const char of text) sum = (sum * 31 + char.codePointAt(0)) % 6;
    return sum;
  }

  function statusKind(status) {
    return { open: "bad", new: "bad", pending: "wait", waiting: "wait", solved: "good", closed: "good" }[status] || "plain";
  }

  // Anything may be published into a channel: what is not a message or a ticket is shown as JSON.
  function rawView(data) {
    return { avatar: "{}", title: "data", text: JSON.stringify(data), raw: true };
  }

  function messageView(data) {
    const text = data && (data.text ?? data.message);
    if (typeof text !== "string") return rawView(data);
    const from = String(data.from ?? data.user ?? "Somebody");
    return { avatar: from.slice(0, 1).toUpperCase(), title: from, text };
  }

  function ticketView(data) {
    if (!data || data.id === undefined) return rawView(data);
    const id = String(data.id);
    return { key: id, avatar: id, title: String(data.title ?? "Ticket " + id), text: String(data.text ?? ""), status: String(data.status ?? "") };
  }

  // ------------------------------------------------------------- subscribe

  function explainInLog(code, message) {
    const [what, steps] = window.EXPLAIN.error(code, message);
    log([what, ...steps].join(" "), "warn");
  }

  function follow(centrifuge, feed) {
    const subscription = centrifuge.newSubscription(feed.channel);
    subscription.on("subscribing", () => feed.showSubscription("wait", "subscribing"));
    subscription.on("subscribed", (context) => {
      feed.showSubscription("good", "subscribed");
      log("Subscribed to " + feed.channel, "ok");
      if (context.wasRecovering) {
        if (context.recovered) {
          log("Recovered what was missed in " + feed.channel);
          return;
        }
        log("Not everything that was missed in " + feed.channel + " is still in the history", "warn");
        feed.seen.clear(); // offsets start anew with another epoch
      }
      subscription.history({ limit: 30, reverse: true }).then(
        (result) => result.publications.reverse().forEach((publication) => feed.add(publication, false)),
        (error) => log("No history of " + feed.channel + ": " + error.message + " (code " + error.code + ")"),
      );
    });
    subscription.on("publication", (publication) => {
      feed.add(publication, true);
      log("Publication in " + feed.channel + (publication.offset === undefined ? "" : ", offset " + publication.offset));
    });
    subscription.on("unsubscribed", (context) => {
      feed.showSubscription("bad", "refused: code " + context.code);
      log("Unsubscribed from " + feed.channel + ": " + context.reason + " (code " + context.code + ")", "error");
      explainInLog(context.code, context.reason);
    });
    subscription.on("error", (context) => {
      log("Subscription error in " + feed.channel + ": " + context.error.message + " (code " + context.error.code + ")", "warn");
    });
    subscription.subscribe();
  }

  // Subscribe to any channel, to see what the server says.
  function tryChannel(centrifuge, channel) {
    const result = $("#try-result");
    const known = centrifuge.getSubscription(channel);
    if (known && known.state === "subscribed") {
      result.replaceChildren(element("span", "result-good", "Subscribed to " + channel + " already."));
      return;
    }
    const subscription = known || centrifuge.newSubscription(channel);
    if (!known) {
      subscription.on("subscribed", () => {
        log("Subscribed to " + channel, "ok");
        result.replaceChildren(element("span", "result-good", "Subscribed."), " What is published there appears in the log.");
      });
      subscription.on("publication", (publication) => log("Publication in " + channel + ": " + JSON.stringify(publication.data)));
      subscription.on("unsubscribed", (context) => {
        log("Unsubscribed from " + channel + ": " + context.reason + " (code " + context.code + ")", "error");
        const [what, steps] = window.EXPLAIN.error(context.code, context.reason);
        result.replaceChildren(
          element("span", "result-bad", "Refused with code " + context.code + ", " + context.reason + "."),
          " " + [what, ...steps].join(" "),
        );
        centrifuge.removeSubscription(subscription);
      });
    }
    result.textContent = "Asking…";
    subscription.subscribe();
  }

  // ---------------------------------------------------------------- connect

  async function fetchToken() {
    const response = await fetch(demo.token, { cache: "no-store", credentials: "same-origin" });
    if (!response.ok) {
      log("Token fetch failed: " + response.status, "error");
      if (response.status === 401 || response.status === 403) {
        throw new window.Centrifuge.UnauthorizedError("token endpoint answered " + response.status);
      }
      throw new Error("token endpoint answered " + response.status);
    }
    const { token } = await response.json();
    log("Token fetched successfully", "ok");
    return token;
  }

  function start() {
    const centrifuge = new window.Centrifuge(demo.websocket, { getToken: fetchToken, name: "team-inbox" });
    let wasConnected = false;

    centrifuge.on("connecting", (context) => {
      showState(wasConnected || context.code !== 0 ? "reconnecting" : "connecting");
      if (context.code === 0) {
        log("Connecting to " + demo.websocket);
        hideTrouble();
        return;
      }
      log("Connection lost: " + context.reason + " (code " + context.code + ")", "warn");
      const known = context.code >= 3000 ? window.EXPLAIN.connection : window.EXPLAIN.connecting;
      showTrouble("Connection lost: " + context.reason + " (code " + context.code + ")", known(context.code, context.reason), true);
    });
    centrifuge.on("connected", (context) => {
      wasConnected = true;
      showState("connected");
      hideTrouble();
      log("Connected", "ok");
      log("Client " + context.client + " over " + context.transport);
    });
    centrifuge.on("disconnected", (context) => {
      showState("disconnected");
      for (const feed of feeds) feed.showSubscription("wait", "waiting");
      log("Disconnected: " + context.reason + " (code " + context.code + ")", context.code === 0 ? "warn" : "error");
      showTrouble("Disconnected: " + context.reason + " (code " + context.code + ")", window.EXPLAIN.connection(context.code, context.reason), context.code === 0);
    });
    centrifuge.on("error", (context) => {
      log("Connection error: " + context.error.message + " (code " + context.error.code + ")", "error");
      if (!wasConnected && centrifuge.state === "connecting") {
        showTrouble("No connection yet: " + context.error.message + " (code " + context.error.code + ")", window.EXPLAIN.connecting(1), true);
      }
    });

    follow(centrifuge, new Feed("messages", "org:" + demo.org + ":messages", messageView));
    follow(centrifuge, new Feed("tickets", "org:" + demo.org + ":tickets", ticketView));
    $("#toggle").addEventListener("click", () => {
      if (centrifuge.state === "disconnected") centrifuge.connect();
      else centrifuge.disconnect();
    });
    $("#try").addEventListener("submit", () => {
      const channel = $("#try-name").value.trim();
      if (channel) tryChannel(centrifuge, channel);
    });
    centrifuge.connect();
  }

  // ---------------------------------------------------------------- publish

  const examples = () => ({
    Message: { channel: "org:" + demo.org + ":messages", data: { from: "Grace", text: "hello from curl" } },
    Ticket: { channel: "org:" + demo.org + ":tickets", data: { id: "T-41", status: "open", title: "The printer is on fire" } },
    Test: { channel: "test", data: { message: "hello" } },
  });

  function setUpPublish() {
    const all = examples();
    let chosen = "Message";
    // Inside single quotes of the shell a quote has to be written as '\''.
    const quote = (text) => "'" + text.replaceAll("'", "'\\''") + "'";
    const parts = () => [
      ["", "curl "], ["flag", "-X POST "], ["", demo.api + " \\\n  "],
      ["flag", "-H "], ["string", "\"Content-Type: application/json\""], ["", " \\\n  "],
      ["flag", "-H "], ["string", "\"Authorization: apikey " + demo.apiKey + "\""], ["", " \\\n  "],
      ["flag", "-d "], ["string", quote(JSON.stringify(all[chosen]))],
    ];
    const show = () => {
      $("#curl").replaceChildren(...parts().map(([kind, text]) => element("span", kind, text)));
      for (const tab of $("#tabs").children) tab.setAttribute("aria-selected", String(tab.textContent === chosen));
    };
    for (const name of Object.keys(all)) {
      const tab = element("button", "", name);
      tab.type = "button";
      tab.setAttribute("role", "tab");
      tab.addEventListener("click", () => {
        chosen = name;
        show();
      });
      $("#tabs").append(tab);
    }
    show();

    $("#copy").addEventListener("click", async () => {
      const button = $("#copy");
      try {
        await navigator.clipboard.writeText($("#curl").textContent);
        button.textContent = "Copied";
      } catch {
        getSelection().selectAllChildren($("#curl")); // no permission: leave it marked for Ctrl-C
        button.textContent = "Press Ctrl-C";
      }
      button.classList.add("done");
      setTimeout(() => {
        button.textContent = "Copy";
        button.classList.remove("done");
      }, 1600);
    });

    $("#send").addEventListener("click", async () => {
      const result = $("#send-result");
      let words, good;
      try {
        const response = await fetch(demo.api, {
          method: "POST",
          headers: { "Content-Type": "application/json", Authorization: "apikey " + demo.apiKey },
          body: JSON.stringify(all[chosen]),
        });
        const answer = await response.json().catch(() => null);
        good = response.ok && answer && answer.result !== undefined;
        words = good ? "Published" : "Refused: " + (answer && answer.error ? answer.error.message + " (code " + answer.error.code + ")" : "HTTP " + response.status);
      } catch (error) {
        words = "No answer: " + error.message;
      }
      result.className = good ? "result-good" : "result-bad";
      result.textContent = words;
      if (!good) log("Publish: " + words, "error");
    });
  }

  // ------------------------------------------------------------------ begin

  function cannotStart(title, what, steps) {
    showState("broken");
    showTrouble(title, [what, steps]);
    log(title, "error");
  }

  $("#try").addEventListener("submit", (event) => event.preventDefault());
  $("#clear").addEventListener("click", () => $("#log").replaceChildren());
  for (const button of document.querySelectorAll("button[data-channel]")) {
    button.addEventListener("click", () => {
      $("#try-name").value = button.dataset.channel;
      $("#try").requestSubmit();
    });
  }
  if (!demo) {
    cannotStart("This page does not know its server",
      "demo-config.js with the addresses and the key is missing. It is written when the demonstration starts.",
      ["Start it with: sh etc/quickstart.sh", "Then open the address that it prints."]);
    return;
  }
  $("#who").textContent = "organisation " + demo.org + " · signed in as " + demo.user;
  setUpPublish();
  if (!window.Centrifuge) {
    cannotStart("The browser SDK is not here",
      "The official SDK (npm package centrifuge) could not be fetched when the demonstration started. Publishing with curl works; this page cannot listen.",
      ["On a machine with npm and a network: npm pack centrifuge@5, and unpack it.",
        "Start again: sh etc/quickstart.sh --sdk package/dist/centrifuge.js"]);
    return;
  }
  start();
})();
