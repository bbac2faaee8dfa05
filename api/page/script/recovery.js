/* Recovery: a page that is left open finds back by itself. A stream that is silent is opened anew; after a reconnect the
 * page compares its files with the server's, and loads itself again when they changed; so it does when the server has
 * answers but the page showed none for minutes. */

const JUMP_MS = 30000; // between two looks: the machine slept
const STUCK_MS = 300000; // with nothing shown
const RELOAD_MS = 600000; // a page is at least so old when it loads itself again, so it never does so in a loop
const PAGE_FILES = [".", "board.css", "board.js"];

const recovery = {lookedAt: Date.now(), version: null, isDue: false, checkedAt: 0};

/* Called each second. */
function watchFeed() {
  const now = Date.now(), sleptMs = now - recovery.lookedAt;
  recovery.lookedAt = now;
  if (connection.state === "paused" || document.hidden) return;
  if (sleptMs > JUMP_MS) wakeUp();
  else watchStream(now);
  if (now - feed.shownAt > STUCK_MS && now - recovery.checkedAt > STUCK_MS) checkStuck(now);
  if (recovery.isDue && performance.now() > RELOAD_MS && !isOccupied()) reload();
}

/* What was connected before is likely lost, and timers stood still. */
function wakeUp() {
  disconnect();
  connect();
  checkVersion();
}

function watchStream(now) {
  if (!stream.abort || poller.abort) return;
  if (now - stream.byteAt > DEAD_MS) loseStream();
  else if (now - stream.eventAt > QUIET_MS) checkQuiet();
}

/* A reader has something open, or types. */
function isOccupied() {
  return document.querySelector("dialog[open]") !== null || document.activeElement.matches("input");
}

async function fetchVersion() {
  const tags = PAGE_FILES.map(async file => {
    const signal = AbortSignal.timeout(TIMEOUT_MS);
    const answer = await fetchOk(file, {method: "HEAD", cache: "no-store", signal});
    return answer.headers.get("ETag") ?? "";
  });
  return (await Promise.all(tags)).join(" ");
}

/* The first version is that of this page. */
async function checkVersion() {
  const version = await fetchVersion().catch(() => null);
  recovery.version ??= version;
  recovery.isDue = version !== null && version !== recovery.version;
}

/* Only when the server answers: else the browser would show its own page, for ever. */
async function checkStuck(now) {
  recovery.checkedAt = now;
  const answers = [fetchVersion(), fetchBoards(AbortSignal.timeout(TIMEOUT_MS))];
  recovery.isDue ||= await Promise.all(answers).then(() => true, () => false);
}

/* Only when the page answers at that moment; else it tries again later. */
async function reload() {
  recovery.isDue = false;
  if (await fetchVersion().catch(() => null)) return location.reload();
  setTimeout(() => { recovery.isDue = true; }, spread(RETRY_MOST_MS));
}
