// Drives Chromium for tests/support/browser.py: requests as JSON lines on stdin, an answer to each on stdout.
//
//   {"open": {context options}, "clock": whether it can be moved, "stalled": [pattern of a URL], "url"}
//                                                                        -> {"value": page number}
//   {"page": number, "call": "keyboard.press", "with": ["Tab"]}          -> {"value": what that gives}
//   {"page": number, "axe": true}   -> {"value": [what is not accessible]}
//   {"page": number, "tree": selector} -> {"value": what a screen reader finds there, in YAML}
//   {"page": number, "noise": true} -> {"value": {console, errors, requests, violations}}
//   {"page": number, "memory": true} -> {"value": {nodes, listeners}}, after collecting garbage
//   {"page": number, "close": true}
"use strict";

const fs = require("node:fs");
const readline = require("node:readline");
const {chromium} = require("playwright-core");

const TIMEOUT_MS = 30000;
const pages = [];
let browser = null;

async function open(options, clock, stalled, url) {
  const context = await browser.newContext(options);
  const noise = {console: [], errors: [], requests: []};
  context.setDefaultTimeout(TIMEOUT_MS);
  await context.addInitScript(() => {
    window.violations = [];
    document.addEventListener("securitypolicyviolation", event =>
      window.violations.push(`${event.violatedDirective} ${event.blockedURI} ${event.sample}`));
  });
  for (const pattern of stalled)
    await context.route(pattern, () => {}); // such a request gets no answer
  const page = await context.newPage();
  if (clock)
    await page.clock.install();
  page.on("console", message =>
    noise.console.push({type: message.type(), text: message.text(), url: message.location().url}));
  page.on("pageerror", error => noise.errors.push(String(error.stack ?? error)));
  context.on("request", request => noise.requests.push(request.url()));
  await page.goto(url);
  return pages.push({context, page, noise}) - 1;
}

// A method of the page, or of one of its parts: "click", "keyboard.press".
function call(page, name, values) {
  const path = name.split("."), method = path.pop();
  const owner = path.reduce((part, key) => part[key], page);
  return owner[method](...values);
}

async function axe(page) {
  await page.evaluate(fs.readFileSync(require.resolve("axe-core/axe.min.js"), "utf8"));
  const {violations} = await page.evaluate(() => axe.run({resultTypes: ["violations"]}));
  return violations.map(one => `${one.id}: ${one.help}: ${one.nodes.map(node => node.html).join(" | ")}`);
}

// DOM nodes and event listeners that are still referenced.
async function memory(context, page) {
  const session = await context.newCDPSession(page);
  for (let times = 0; times < 3; times++) // what one collection frees may hold more
    await session.send("HeapProfiler.collectGarbage");
  const {nodes, jsEventListeners} = await session.send("Memory.getDOMCounters");
  await session.detach();
  return {nodes, listeners: jsEventListeners};
}

async function answer(request) {
  if (request.open)
    return open(request.open, request.clock, request.stalled, request.url);
  const {context, page, noise} = pages[request.page];
  if (request.call)
    return call(page, request.call, request.with);
  if (request.axe)
    return axe(page);
  if (request.tree)
    return page.locator(request.tree).ariaSnapshot();
  if (request.noise)
    return {...noise, violations: await page.evaluate(() => window.violations)};
  if (request.memory)
    return memory(context, page);
  return context.close();
}

async function main() {
  browser = await chromium.launch({executablePath: process.argv[2], args: ["--no-sandbox"]});
  for await (const line of readline.createInterface({input: process.stdin})) {
    const reply = await answer(JSON.parse(line)).then(value => ({value}), error => ({error: String(error)}));
    process.stdout.write(JSON.stringify(reply, (_, value) => (value === undefined ? null : value)) + "\n");
  }
  await browser.close();
}

main();
