// Leaves a page open at a busy shop, for hours of its clock, and prints what it holds at the end of each as a JSON line:
//
//     node days.js CHROMIUM ORIGIN PLACE HOURS HOUR      # ORIGIN: a service, whose page this is. PLACE: "?wall", "".
//                                                         # HOUR: its seconds, at least 600
//     {"port": of the shop}
//     {"hour": 1, "heap": bytes, "nodes": …, "listeners": …, "timers": …, "seconds": of real time, "connections": to /live}
//
// heap, nodes and listeners are what is still referenced after collecting garbage: medians of several moments.
"use strict";

const path = require("node:path");
const {chromium} = require("playwright-core");
const {BusyShop, filesOf} = require("./busy_shop.js");

// What runs often is compiled, more and more for hours: growth that ends, and that would hide a small one that does not.
const CODE = "--js-flags=--jitless --no-flush-bytecode";
const STEP_S = 5; // less than a page waits before it takes a stream for silent
const SEEN_STEPS = 20; // in one of so many the page is laid out and painted
const SAMPLES = 5, SAMPLE_S = 60;
const RECONNECT_S = 600, CATCH_UP_S = 1800, READ_S = 240; // between such moments
const [executablePath, origin, place, hours, hourS] = process.argv.slice(2);

async function memory(session) {
  for (let times = 0; times < 3; times++) // what one collection frees may hold more
    await session.send("HeapProfiler.collectGarbage");
  const {usedSize} = await session.send("Runtime.getHeapUsage");
  const {nodes, jsEventListeners} = await session.send("Memory.getDOMCounters");
  return {heap: usedSize, nodes, listeners: jsEventListeners};
}

function median(samples, name) {
  return samples.map(sample => sample[name]).sort((a, b) => a - b)[samples.length >> 1];
}

// Somebody looks at who leads, for some seconds.
const openLeader = page => page.evaluate(() => { location.hash = document.querySelector("#merchant tbody a")?.hash ?? ""; });
const closeDialog = page => page.evaluate(() => document.querySelector("#details").close());

const isTurn = (shop, every_s) => (shop.ms / 1000) % every_s < STEP_S;

async function step(page, shop, number) {
  const isLeft = isTurn(shop, RECONNECT_S), isRead = place !== "?wall" && isTurn(shop, READ_S);
  if (isRead) await openLeader(page);
  const text = shop.pass(STEP_S, !isTurn(shop, CATCH_UP_S));
  if (isLeft) shop.endStreams();
  await page.evaluate(values => pageClock.step(...values), [text, STEP_S * 1000, number % SEEN_STEPS === 0]);
  if (isRead) await closeDialog(page);
}

async function pass(page, shop, seconds) {
  for (let second = 0; second < seconds; second += STEP_S) await step(page, shop, second / STEP_S);
}

async function hour(page, shop, session) {
  const samples = [];
  await pass(page, shop, Number(hourS) - SAMPLES * SAMPLE_S);
  for (let number = 0; number < SAMPLES; number++) {
    await pass(page, shop, SAMPLE_S);
    samples.push(await memory(session));
  }
  return Object.fromEntries(["heap", "nodes", "listeners"].map(name => [name, median(samples, name)]));
}

async function follow(browser, shop, port) {
  const context = await browser.newContext({viewport: {width: 1920, height: 1080}, timezoneId: "UTC", locale: "en"});
  await context.addInitScript({path: path.join(__dirname, "page_clock.js")});
  const page = await context.newPage(), session = await context.newCDPSession(page), faults = [];
  page.on("pageerror", error => { faults.push(String(error.stack ?? error)); });
  await page.goto(`http://127.0.0.1:${port}/${place}`);
  for (let number = 1; number <= Number(hours); number++) {
    const begin = Date.now(), held = await hour(page, shop, session);
    const {timers, now} = await page.evaluate(() => pageClock.state());
    if (faults.length) throw new Error(faults[0]);
    if (now !== shop.ms) throw new Error("the page loaded itself again");
    const seconds = (Date.now() - begin) / 1000;
    console.log(JSON.stringify({hour: number, ...held, timers, seconds, connections: shop.connections}));
  }
}

async function main() {
  const shop = new BusyShop(await filesOf(origin)), port = await shop.listen();
  console.log(JSON.stringify({port}));
  const browser = await chromium.launch({executablePath, args: ["--no-sandbox", CODE]});
  await follow(browser, shop, port).finally(() => browser.close());
  shop.close();
}

main();
