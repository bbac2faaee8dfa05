// Runs in a page before its own scripts: its clock stands still, and `pageClock.advance` moves it. Timers that are due fire
// in their order; before the next one the page gets all that it asked for, so hours take as long as their work.
"use strict";

(() => {
  const {fetch: realFetch, setTimeout: realTimeout, Date: RealDate, Response} = window, realJson = Response.prototype.json;
  const timers = new Map(), turns = new MessageChannel(), waiting = [];
  const STUCK_MS = 60000;
  let now = RealDate.UTC(2026, 10, 30, 10), numbers = 0, pending = 0, answered = null, live = null;

  window.Date = class extends RealDate {
    constructor(...parts) { super(...(parts.length ? parts : [now])); }
    static now() { return now; }
  };
  const begin = now;
  performance.now = () => now - begin;

  const add = (call, ms, values, every) => {
    timers.set(++numbers, {at: now + Math.max(1, Number(ms) || 0), call, values, every});
    return numbers;
  };
  window.setTimeout = (call, ms, ...values) => add(call, ms, values, 0);
  window.setInterval = (call, ms, ...values) => add(call, ms, values, ms);
  window.clearTimeout = window.clearInterval = number => timers.delete(number);
  AbortSignal.timeout = ms => {
    const ended = new AbortController();
    setTimeout(() => ended.abort(new DOMException("too late", "TimeoutError")), ms);
    return ended.signal;
  };

  // What the eye would follow takes no time.
  const animate = Element.prototype.animate;
  Element.prototype.animate = function(...how) {
    const run = animate.apply(this, how);
    run.finish();
    return run;
  };

  // Layout and paint are most of the work, and hold nothing of the page's scripts: `body` has them in some steps only.
  const look = new CSSStyleSheet();
  look.replaceSync("* { transition: none !important; animation: none !important; }");
  look.insertRule("body { display: none !important; }");
  document.adoptedStyleSheets.push(look);

  const counted = async promise => {
    pending++;
    try { return await promise; } finally { if (!--pending) answered?.(); }
  };
  window.fetch = (path, options = {}) => {
    if (String(path).startsWith("live")) live = options.signal;
    return counted(realFetch(path, options));
  };
  Response.prototype.json = function() { return counted(realJson.call(this)); };

  turns.port1.onmessage = () => waiting.shift()();
  const turn = () => new Promise(done => { waiting.push(done); turns.port2.postMessage(0); });

  async function until(condition, what) {
    for (const end = RealDate.now() + STUCK_MS; !condition(); await new Promise(done => realTimeout(done, 1)))
      if (RealDate.now() > end) throw new Error(`not within ${STUCK_MS} ms: ${what}`);
  }

  // All answers are there, and what they led to was asked for.
  async function settle() {
    for (await turn(); pending; await turn()) await new Promise(done => { answered = done; });
  }

  function soonest(end) {
    let found = null;
    for (const [number, timer] of timers)
      if (timer.at <= end && (!found || timer.at < found.timer.at)) found = {number, timer};
    return found;
  }

  async function advance(ms) {
    const end = now + ms;
    for (let due; (due = soonest(end)); await settle()) {
      const {number, timer} = due;
      now = Math.max(now, timer.at);
      if (timer.every) timer.at = now + timer.every;
      else timers.delete(number);
      try { timer.call(...timer.values); } catch (error) { reportError(error); }
    }
    now = end;
  }

  const isHeard = text => document.querySelector("#through").textContent.includes(text) || !live || live.aborted;
  window.pageClock = {
    // The page shows `text` in its freshness, if it follows a stream; then `ms` pass.
    async step(text, ms, isSeen) {
      look.cssRules[0].style.setProperty("display", isSeen ? "" : "none", "important");
      await settle();
      await until(() => isHeard(text), `freshness ${text}`);
      await advance(ms);
    },
    state: () => ({timers: timers.size, now}),
  };
})();
