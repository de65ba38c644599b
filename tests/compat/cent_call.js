// SPDX-License-Identifier: Apache-2.0
// One call of the npm package cent.js: node cent_call.js FOLDER API_URL API_KEY METHOD PARAMS
//
// METHOD is a function of its client. Prints {"result": ...} or {"error": "..."} as one line of JSON.
"use strict";

const { createRequire } = require("node:module");

const [folder, url, apiKey, method, params] = process.argv.slice(2);
const { CentClient } = createRequire(folder + "/")("cent.js");
const client = new CentClient({ url, apiKey });

client[method](JSON.parse(params)).then(
  (result) => console.log(JSON.stringify({ result })),
  (error) => console.log(JSON.stringify({ error: String(error) })),
);
