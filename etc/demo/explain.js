// SPDX-License-Identifier: Apache-2.0
// What a code means and what to do: one row per code, for people who look at the page.
"use strict";

window.EXPLAIN = (() => {
  const logs = "Look at the log of pushd: the line with this code says what exactly was wrong.";
  const running = "Is pushd running? curl " + location.origin + "/api/ping answers {\"result\":{}} when it is.";

  // Codes that close a connection. 0 to 3 come from the SDK, 3000 and above from the server.
  const connection = {
    0: ["You disconnected.", ["Press Connect to come back."]],
    1: ["The application gave no token, so this page may not connect.",
      ["Is the user signed in? The token endpoint answers 401 when not, 403 without an organisation."]],
    2: ["Server and SDK do not understand each other.", ["Is the address really that of a WebSocket endpoint?", logs]],
    3: ["A message is larger than the server accepts.", ["See websocket.message_size_limit."]],
    3001: ["The server is shutting down or restarting.", ["Nothing: the SDK comes back by itself."]],
    3004: ["The server met an internal error.", ["The SDK comes back by itself.", logs]],
    3005: ["The connection token expired and was not renewed in time.", ["Does the token endpoint answer?"]],
    3008: ["This page was too slow to read what was sent.", ["The SDK comes back and recovers what it missed."]],
    3010: ["The position in a channel was lost.", ["The SDK comes back and recovers from history."]],
    3012: ["The server heard no answer to its ping.", ["A sleeping laptop or a lost network does this. The SDK comes back."]],
    3500: ["The token was refused.",
      ["client.token.hmac_secret_key must be the same in pushd and in whatever made the token.",
        "pushctl checktoken says what is wrong with a token."]],
    3501: ["The server refused what this page sent.", [logs, "A missing token ends like this, too."]],
    3502: ["The connection was opened and then nothing was sent.", ["The first command has to be connect."]],
    3503: ["An administrator ended this connection.", ["Press Connect to try again."]],
    3504: ["This user has too many connections.", ["Close other tabs, or raise client.user_connection_limit."]],
    3505: ["This connection has too many channels.", ["See client.channel_limit."]],
    3507: ["The server does not allow this.", [logs]],
  };

  // Why the SDK is (re)connecting.
  const connecting = {
    0: ["Opening the connection.", []],
    1: ["The connection is gone, or could not be opened. The SDK tries again by itself, with growing pauses.",
      [running, "Is something between the browser and pushd closing idle connections or blocking WebSocket?",
        "The Network tab (F12) shows the status of the WebSocket request: 403 is a refused origin, 502 a pushd that is down."]],
    2: ["No ping came from the server for a while, so the connection counts as dead.",
      ["A proxy may hold messages back: buffering off, timeouts above the ping interval (25 s)."]],
  };

  // Codes of refused commands, such as subscribe.
  const error = {
    1: ["No answer in time.", [running]],
    100: ["The server met an internal error; often Redis is away.", ["Look for \"redis error\" in the log of pushd."]],
    101: ["Not authorised.", ["Does the channel need a subscription token?"]],
    102: ["The part before the first colon names a namespace, which the configuration has not.",
      ["Add it to channel.namespaces, or use a channel without a colon."]],
    103: ["The namespace does not allow this.",
      ["allow_subscribe_for_client permits it for everybody; otherwise give the page a subscription token."]],
    105: ["This page is subscribed to it already.", []],
    106: ["A limit is reached.", ["See client.channel_limit and client.channel_max_length."]],
    107: ["The request makes no sense to the server.", ["Is the channel name well-formed?"]],
    108: ["The feature is not enabled for this channel.", ["History and presence are options of the namespace."]],
    109: ["The token expired.", ["Make a new one."]],
    112: ["What was missed is no longer in the history.", ["history_size and history_ttl of the namespace decide how much is kept."]],
  };

  const row = (table, code, reason) => table[code] || [reason ? "The reason given: " + reason + "." : "No further reason was given.", [logs]];

  return {
    connection: (code, reason) => row(connection, code, reason),
    connecting: (code, reason) => row(connecting, code, reason),
    error: (code, reason) => row(error, code, reason),
  };
})();
