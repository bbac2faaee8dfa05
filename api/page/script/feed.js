/* The feed: boards, freshness, sales and progress from the stream if it works; else boards and freshness by polling. */

const BOARD_ROWS = 10;
const POLL_MS = 2000, POLL_FAILED_MS = 3000, TIMEOUT_MS = 5000;
const SELLERS_MS = 5000; // between looks at the best sellers, or at a period by its name: neither is in the stream
const QUIET_MS = 6000; // without an event, of which there is one every second; then the page polls once
const PROGRESS_MS = 5000; // after the last event of it
const DEAD_MS = 45000; // without a byte: three heartbeats
const RETRY_MS = 2000, RETRY_MOST_MS = 60000, RETRY_AFTER_MOST_MS = 300000; // before the page opens a stream again

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
const feed = {period: null, isKept: true, shownAt: Date.now(), sideTimer: null, progressTimer: null};

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

function showAnswer({merchant, photographer, asOf, time}) {
  present(merchant);
  present(photographer);
  noteFreshness({asOf, time});
  feed.shownAt = Date.now();
}

/* The page polls whenever the stream sends nothing, so also before its first event. */
const poller = {abort: null, timer: null};

function startPolling(delayMs = 0) {
  if (poller.abort) return;
  poller.abort = new AbortController();
  poller.timer = setTimeout(poll, delayMs, poller.abort.signal);
}

function stopPolling() {
  poller.abort?.abort();
  poller.abort = null;
  clearTimeout(poller.timer);
}

function restartPolling() {
  stopPolling();
  startPolling();
}

async function poll(signal) {
  const {period} = feed, got = await fetchBoards(signal).catch(error => ({error}));
  if (signal.aborted) return;
  const isNone = isNoPeriod(got.error?.status), isUp = !got.error || isNone, isBack = isUp && connection.state === "disconnected";
  if (!got.error) showAnswer(got);
  setConnection(isUp ? "polling" : "disconnected");
  if (isBack) reopenSoon(); // the server is back: do not wait for the retry timer
  poller.timer = setTimeout(poll, got.error ? spread(POLL_FAILED_MS, got.error.retryMs) : POLL_MS, signal);
  if (isNone) periodNotKept(period);
}

/* A random delay, so that pages do not all return at once when the server does; at least what it asked for. */
function spread(ms, askedMs = 0) {
  const asked = Math.min(askedMs, RETRY_AFTER_MOST_MS);
  return Math.max(ms * (0.5 + Math.random()), asked * (1 + Math.random() / 4));
}

/* The boards that the stream built: what it changes next applies to them, and not to what was polled meanwhile. */
const stream = {abort: null, boards: {}, lastId: null, eventAt: 0, byteAt: 0, retryMs: RETRY_MS, retryTimer: null};

/* A period by its name, or one that is not kept, is not followed: the stream is that of all time then, for freshness
 * and sales. */
const streamPath = () => `live?changes=1${isNamed(feed.period) || !feed.isKept ? "" : periodQuery()}`;

async function openStream() {
  clearTimeout(stream.retryTimer);
  const abort = new AbortController();
  Object.assign(stream, {abort, eventAt: Date.now(), byteAt: Date.now()});
  const heard = events => !abort.signal.aborted && takeEvents(events, abort.signal);
  const ended = await readEvents(streamPath(), stream.lastId, abort.signal, heard).catch(error => error);
  if (stream.abort !== abort) return;
  if (isNoPeriod(ended?.status) && streamPath().includes("period")) leavePeriod();
  else loseStream(ended?.retryMs);
}

function leavePeriod() {
  feed.isKept = false;
  periodNotKept(feed.period);
  restartStream();
}

const EVENTS = {
  merchant: takeBoard,
  photographer: takeBoard,
  rows: takeRows,
  freshness: noteFreshness,
  sale: sale => showSale(sale),
  progress: noteProgress,
};

/* Without news of it for some seconds, nothing is catching up that this page hears of. */
function noteProgress(progress) {
  clearTimeout(feed.progressTimer);
  if (progress) feed.progressTimer = setTimeout(noteProgress, PROGRESS_MS, null);
  showProgress(progress);
}

function takeEvents(events, signal) {
  stream.byteAt = Date.now();
  for (const event of events) {
    takeEvent(event);
    if (signal.aborted) return; // what was shown led to another period
  }
}

/* An event that cannot be shown is reported, and does not end the stream. */
function takeEvent({kind, id, data}) {
  stopPolling();
  stream.eventAt = Date.now();
  stream.retryMs = RETRY_MS;
  stream.lastId = id ?? stream.lastId;
  setConnection("live");
  try {
    EVENTS[kind]?.(JSON.parse(data));
    feed.shownAt = Date.now();
  } catch (error) {
    reportError(error);
  }
}

function takeBoard(board) {
  stream.boards[board.role] = board;
  if (!isNamed(feed.period)) present(board);
}

/* A change that does not fit: the page missed something, and starts whole. */
function takeRows(change) {
  const before = stream.boards[change.role], board = before && applyRows(before, change);
  if (board) takeBoard(board);
  else restartStream();
}

/* The board after a change (openapi.yaml, `BoardRows`), or null if the change is not one of this board. */
function applyRows(board, {rows, left, period, asOf}) {
  if ((board.period?.id ?? null) !== period) return null;
  const gone = new Set(left), moved = new Set(), placed = [];
  for (const {at, was = at, ...members} of rows) {
    const isNew = "id" in members, before = isNew ? {} : board.items[was];
    if (!before) return null;
    if (!isNew) moved.add(before);
    placed.push([at, {...before, ...members}]);
  }
  const items = board.items.filter(item => !gone.has(item.id) && !moved.has(item));
  for (const [at, item] of placed.sort(([a], [b]) => a - b)) {
    if (at > items.length) return null;
    items.splice(at, 0, item);
  }
  return new Set(items.map(item => item.id)).size === items.length ? {...board, items, asOf} : null;
}

function closeStream() {
  stream.abort?.abort();
  stream.abort = null;
  clearTimeout(stream.retryTimer);
}

function forgetStream() {
  Object.assign(stream, {boards: {}, lastId: null});
}

function restartStream() {
  closeStream();
  forgetStream();
  openStream();
}

/* To that of another period, now or when the page connects again: what the old one sent is no beginning of it. */
function changeStream() {
  if (stream.abort) restartStream();
  else forgetStream();
}

function loseStream(askedMs) {
  closeStream();
  startPolling(spread(500));
  stream.retryTimer = setTimeout(openAgain, spread(stream.retryMs, askedMs));
  stream.retryMs = Math.min(stream.retryMs * 2, RETRY_MOST_MS);
}

function openAgain() {
  openStream();
  checkVersion();
}

function reopenSoon() {
  if (stream.abort) return;
  clearTimeout(stream.retryTimer);
  stream.retryTimer = setTimeout(openAgain, spread(RETRY_MS / 2));
}

/* A quiet stream may have no news, no server, or a proxy that delays it. If a poll returns nothing newer than
 * the stream did, the stream works. */
async function checkQuiet() {
  const {abort} = stream, {asOf} = freshness;
  stream.eventAt = Date.now();
  const got = await fetchBoards(abort.signal).catch(() => null);
  if (stream.abort !== abort) return;
  const isNewer = got && got.asOf !== null && Date.parse(got.asOf) > (asOf ?? 0);
  if (!got) setConnection("disconnected");
  if (!got || isNewer || connection.state !== "live") return loseStream();
  noteFreshness({...got, caughtUp: freshness.caughtUp});
  feed.shownAt = Date.now();
}

/* Boards that the stream does not have: of a period by its name, until that is final; and the best sellers. A paused
 * page asks once, for the period that its reader chose. */
function followAside() {
  clearTimeout(feed.sideTimer);
  feed.sideTimer = setTimeout(lookAside);
}

async function fetchSellers(signal) {
  const answer = await fetchOk(`scores/product?limit=${BOARD_ROWS}${periodQuery()}`, {cache: "no-cache", signal});
  return [await answer.json()];
}

async function lookAside() {
  const {period} = feed, signal = AbortSignal.timeout(TIMEOUT_MS), wanted = [], isOnce = connection.state === "paused";
  if (isNamed(period) || isOnce) wanted.push(fetchBoards(signal).then(got => [got.merchant, got.photographer]));
  if (keepsBestSellers()) wanted.push(fetchSellers(signal));
  const got = await Promise.allSettled(wanted);
  if (feed.period !== period || !(isConnected() || isOnce)) return;
  clearTimeout(feed.sideTimer);
  const found = got.flatMap(one => one.value ?? []);
  found.forEach(present);
  if (isNamed(period) && isNoPeriod(got[0].reason?.status)) return periodNotKept(period);
  const isDone = got.every(one => one.value) && found.every(board => board.period?.final === true);
  if (!isDone && !isOnce) feed.sideTimer = setTimeout(lookAside, SELLERS_MS);
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
  clearTimeout(feed.sideTimer);
}
