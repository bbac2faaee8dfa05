/* The stream of boards, freshness, sales and progress, and when the page opens it again. */

const QUIET_MS = 6000; // without an event, of which there is one every second; then the page polls once
const DEAD_MS = 45000; // without a byte: three heartbeats
const RETRY_MS = 2000, RETRY_MOST_MS = 60000; // before the page opens a stream again

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
