/* The feed: boards, freshness, sales and progress from the stream (stream.js) if it works; else boards and freshness by
 * polling (poller.js). What is in neither is looked at aside (aside.js). */

const BOARD_ROWS = 10;
const TIMEOUT_MS = 5000;
const RETRY_AFTER_MOST_MS = 300000;

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
  const isUp = state === "live" || state === "polling", wasDown = connection.state === "disconnected";
  if (state === "disconnected") announce("Disconnected. The boards no longer change.", 2);
  else if (wasDown && isUp) announce("Connected again.", 2);
  Object.assign(connection, {state, since: Date.now()});
  byId("connection").dataset.state = state;
  setText(byId("connection-text"), STATES[state]());
}

/* The period of the boards: null while it is not decided, "all", a kind for the one under way, or a period's name.
 * `isKept`: as far as is known, the view has it. `shownAt`: when the page last showed what the server sent. */
const feed = {period: null, isKept: true, shownAt: Date.now()};

const isNamed = period => /^\d/.test(period);
const isNoPeriod = status => status === 404 || status === 400; // not kept, or no such day

function periodQuery() {
  return feed.period === null || feed.period === "all" ? "" : `&period=${feed.period}`;
}

function setFeedPeriod(period) {
  if (feed.period === period) return;
  const before = periodQuery(), streamBefore = streamPath();
  Object.assign(feed, {period, isKept: true});
  if (periodQuery() !== before) forgetPresented();
  if (streamPath() !== streamBefore) changeStream();
  else if (!isNamed(period)) Object.values(stream.boards).forEach(present);
  if (poller.abort) restartPolling();
  followAside();
}

/* Both boards; the browser revalidates with their ETag. */
async function fetchBoards(signal) {
  const ended = AbortSignal.any([signal, AbortSignal.timeout(TIMEOUT_MS)]);
  const answer = await fetchOk(`scores?limit=${BOARD_ROWS}${periodQuery()}`, {cache: "no-cache", signal: ended});
  const {merchant, photographer} = await answer.json();
  const asOf = answer.headers.get("View-As-Of") ?? merchant.asOf;
  return {merchant, photographer, asOf, time: answer.headers.get("Date")};
}

/* A random delay, so that pages do not all return at once when the server does; at least what it asked for. */
function spread(ms, askedMs = 0) {
  const asked = Math.min(askedMs, RETRY_AFTER_MOST_MS);
  return Math.max(ms * (0.5 + Math.random()), asked * (1 + Math.random() / 4));
}

const isConnected = () => Boolean(stream.abort || poller.abort);

function connect() {
  feed.shownAt = Date.now(); // nothing could be shown meanwhile
  startPolling();
  openStream();
  followAside();
}

function disconnect() {
  closeStream();
  stopPolling();
  clearTimeout(aside.timer);
}
