/* Connection: the stream if it works, else polling. */

const POLL_MS = 2000, POLL_FAILED_MS = 3000, TIMEOUT_MS = 5000;
const QUIET_MS = 6000; // without an event, of which there is one every second; then the page polls once
const RETRY_MS = 2000, RETRY_MOST_MS = 60000; // before the page opens a stream again

const connection = {state: "connecting", since: null};
const STATES = {
  connecting: () => "Connecting",
  live: () => "Live",
  polling: () => `Updated every ${POLL_MS / 1000} s`,
  disconnected: () => `Disconnected since ${timeText(connection.since)}`,
  paused: () => `Paused at ${timeText(connection.since)}`,
};

function setConnection(state) {
  if (connection.state === state) return;
  const isUp = state === "live" || state === "polling";
  if (state === "disconnected") announce("Disconnected. The boards no longer change.", 2);
  else if (connection.state === "disconnected" && isUp) announce("Connected again.", 2);
  Object.assign(connection, {state, since: Date.now()});
  byId("connection").dataset.state = state;
  setText(byId("connection-text"), STATES[state]());
}

/* Both boards; the browser revalidates with their ETag. */
async function fetchBoards(signal) {
  const ended = AbortSignal.any([signal, AbortSignal.timeout(TIMEOUT_MS)]);
  const answer = await fetch("scores?limit=10", {cache: "no-cache", signal: ended});
  if (!answer.ok) throw new Error(`status ${answer.status}`);
  const {merchant, photographer} = await answer.json();
  const asOf = answer.headers.get("View-As-Of") ?? merchant.asOf;
  return {merchant, photographer, asOf, time: answer.headers.get("Date")};
}

function showAnswer(got) {
  showBoard(got.merchant);
  showBoard(got.photographer);
  noteFreshness(got.asOf, got.time);
}

/* The page polls whenever the stream sends nothing, so also before its first event. */
const poller = {abort: null, timer: null};

function startPolling() {
  if (poller.abort) return;
  poller.abort = new AbortController();
  poll(poller.abort.signal);
}

function stopPolling() {
  poller.abort?.abort();
  poller.abort = null;
  clearTimeout(poller.timer);
}

async function poll(signal) {
  const got = await fetchBoards(signal).catch(() => null);
  if (signal.aborted) return;
  const isBack = got && connection.state === "disconnected";
  if (got) showAnswer(got);
  setConnection(got ? "polling" : "disconnected");
  if (isBack) reopenSoon(); // the server is back: do not wait for the retry timer
  poller.timer = setTimeout(poll, got ? POLL_MS : POLL_FAILED_MS, signal);
}

const stream = {source: null, retryMs: RETRY_MS, retryTimer: null, quietTimer: null};

function openStream() {
  clearTimeout(stream.retryTimer);
  stream.source = new EventSource("live");
  for (const role of ROLES) stream.source.addEventListener(role, event => onEvent(event, showBoard));
  stream.source.addEventListener("freshness", event => onEvent(event, onFreshness));
  stream.source.onerror = loseStream; // refused or broken; this also ends the retries of the browser
  watchQuiet();
}

function onFreshness({asOf, time, caughtUp}) {
  noteFreshness(asOf, time, caughtUp);
}

function onEvent(event, show) {
  stopPolling();
  stream.retryMs = RETRY_MS;
  watchQuiet();
  show(JSON.parse(event.data));
  setConnection("live");
}

function closeStream() {
  stream.source?.close();
  stream.source = null;
  clearTimeout(stream.quietTimer);
  clearTimeout(stream.retryTimer);
}

/* The delay is random, so that pages do not all reconnect at once when the server is back. */
function loseStream() {
  closeStream();
  startPolling();
  stream.retryTimer = setTimeout(openStream, stream.retryMs * (0.5 + Math.random()));
  stream.retryMs = Math.min(stream.retryMs * 2, RETRY_MOST_MS);
}

function reopenSoon() {
  if (stream.source) return;
  clearTimeout(stream.retryTimer);
  stream.retryTimer = setTimeout(openStream, 1000 * Math.random());
}

function watchQuiet() {
  clearTimeout(stream.quietTimer);
  stream.quietTimer = setTimeout(checkQuiet, QUIET_MS);
}

/* A quiet stream may have no news, no server, or a proxy that delays it. If a poll returns nothing newer than
 * the stream did, the stream works. */
async function checkQuiet() {
  const {source} = stream, {asOf, caughtUp} = freshness;
  const got = await fetchBoards(AbortSignal.timeout(TIMEOUT_MS)).catch(() => null);
  if (stream.source !== source) return;
  const isNewer = got && got.asOf !== null && Date.parse(got.asOf) > (asOf ?? 0);
  if (!got) setConnection("disconnected");
  if (!got || isNewer || connection.state !== "live") return loseStream();
  noteFreshness(got.asOf, got.time, caughtUp);
  watchQuiet();
}

function connect() {
  startPolling();
  openStream();
}

function disconnect() {
  closeStream();
  stopPolling();
}
