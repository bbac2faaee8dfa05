/* The page: two boards that follow the view, and the details of one product or contributor.
 *
 * It reports two things separately: how old the data is (`freshness`), and whether the page is connected
 * (`connection`). When either fails, the boards stay and are marked as old. Names are user data: they become
 * text, never markup. */

const ROLES = ["merchant", "photographer"];
const POLL_MS = 2000, POLL_FAILED_MS = 3000, TIMEOUT_MS = 5000;
const LATE_MS = 15000; // of lag count as late, if the server does not report whether it is caught up
const SILENT_MS = 10000; // without data from the server make the boards old
const QUIET_MS = 6000; // without an event, of which there is one every second; then the page polls once
const RETRY_MS = 2000, RETRY_MOST_MS = 60000; // before the page opens a stream again
const ANNOUNCE_MS = 10000;
const DETAILS_MS = 3000;
const MOVE_MS = 180;

const number = new Intl.NumberFormat("en");
const clock = new Intl.DateTimeFormat("en", {timeStyle: "medium", hourCycle: "h23"});
const dayAndClock = new Intl.DateTimeFormat("en",
  {dateStyle: "medium", timeStyle: "medium", hourCycle: "h23"});
const reducedMotion = matchMedia("(prefers-reduced-motion: reduce)");
const byId = id => document.getElementById(id);

/* Words. */

/* A time of day, with its date unless it is today. */
function timeText(ms) {
  const isToday = new Date(ms).toDateString() === new Date().toDateString();
  return (isToday ? clock : dayAndClock).format(ms);
}

function durationText(ms) {
  const s = Math.max(0, Math.round(ms / 1000));
  if (s < 120) return `${s} s`;
  if (s < 7200) return `${Math.floor(s / 60)} min`;
  return s < 172800 ? `${Math.floor(s / 3600)} h` : `${Math.floor(s / 86400)} days`;
}

function rankText(rank, tied) {
  return rank === null ? "beyond 1,000" : (tied ? "=" : "") + number.format(rank);
}

function rankWords({rank, tied}) {
  return `${tied ? "at shared rank" : "at rank"} ${rank}`;
}

/* A name may be null; the masked userId of its contributor never is. */
const nameOf = ({name, userId}) => name ?? userId;
const maskOf = ({name, userId}) => (name === null ? "" : userId);

/* Elements. */

function make(name, className, ...children) {
  const made = document.createElement(name);
  if (className) made.className = className;
  made.append(...children);
  return made;
}

/* Changes only what differs: a selection and the position of a screen reader stay. */
function setText(element, text) {
  if (element.textContent !== text) element.textContent = text;
}

function hide(element, isHidden) {
  if (element.hidden !== isHidden) element.hidden = isHidden;
}

/* `spoken` is the text for screen readers. */
function setTextAndSpeech(element, seen, spoken) {
  if (element.dataset.spoken === spoken) return; // `seen` depends on it
  element.dataset.spoken = spoken;
  if (seen === spoken) return element.replaceChildren(seen);
  const sign = make("span", "", seen);
  sign.setAttribute("aria-hidden", "true");
  element.replaceChildren(sign, make("span", "spoken", spoken));
}

/* Freshness: how old the data is. */

/* `lagMs` is by the clock of the server. From then on the clock of the browser counts: it may be wrong, but it
 * is precise over a short time. */
const freshness = {asOf: null, lagMs: null, caughtUp: null, receivedAt: null};

function noteFreshness(asOfText, serverTime, caughtUp) {
  const asOf = asOfText ? Date.parse(asOfText) : null;
  freshness.asOf = asOf;
  freshness.lagMs = asOf === null ? null : Math.max(0, Date.parse(serverTime) - asOf);
  freshness.caughtUp = caughtUp ?? (asOf !== null && freshness.lagMs <= LATE_MS);
  freshness.receivedAt = Date.now();
  showFreshness();
}

function ageMs() {
  return freshness.asOf === null ? null : freshness.lagMs + Math.max(0, Date.now() - freshness.receivedAt);
}

function isStale() {
  if (freshness.receivedAt === null) return false;
  return !freshness.caughtUp || Date.now() - freshness.receivedAt > SILENT_MS;
}

function staleText() {
  const age = ageMs();
  if (age === null) return "Not known yet how current this is: the view is still catching up.";
  return `Not current: as of ${timeText(freshness.asOf)}, ${durationText(age)} ago.`;
}

function showFreshness() {
  const stale = isStale(), age = ageMs(), through = byId("through");
  const behind = stale && age !== null ? `, ${durationText(age)} behind` : "";
  const known = age === null ? ": not known yet" : ` ${timeText(freshness.asOf)}${behind}`;
  setText(through, `Data through${known}`);
  through.classList.toggle("late", stale);
  for (const role of ROLES) {
    const board = boards[role];
    board.section.toggleAttribute("data-stale", stale);
    hide(board.notice, !stale);
    if (stale) setText(board.notice, staleText());
    showEmptiness(board);
  }
}

/* Boards. */

const boards = Object.fromEntries(ROLES.map(role => [role, findBoard(role)]));

function findBoard(role) {
  const section = byId(role), find = selector => section.querySelector(selector);
  return {
    role, section, table: find("table"), body: find("tbody"), notice: find(".notice"), empty: find(".empty"),
    items: null, // shown, in order
    rows: new Map(), // by id
    opened: null, // items by id when the page was opened
  };
}

function makeRow(item) {
  const row = {
    tr: make("tr"), rank: make("td", "rank"), link: make("a"), name: make("span"), twin: make("small"),
    bar: make("div"), move: make("td", "move"), score: make("span"), gain: make("span", "gain"),
  };
  row.link.href = `#/contributor/${encodeURIComponent(item.id)}`;
  row.link.append(row.name, row.twin);
  const bar = make("div", "bar", row.bar), name = make("th", "", row.link, bar);
  bar.setAttribute("aria-hidden", "true");
  name.scope = "row";
  row.tr.append(row.rank, name, row.move, make("td", "score", row.score, row.gain));
  return row;
}

function showMove(row, item, opened) {
  const ranks = opened ? opened.rank - item.rank : 0;
  row.move.classList.toggle("up", ranks > 0);
  row.move.classList.toggle("down", ranks < 0);
  if (!opened) setTextAndSpeech(row.move, "new", "new on the board");
  else if (ranks > 0) setTextAndSpeech(row.move, `▲ ${ranks}`, `up ${ranks}`);
  else if (ranks < 0) setTextAndSpeech(row.move, `▼ ${-ranks}`, `down ${-ranks}`);
  else setTextAndSpeech(row.move, "", "not moved");
  const gain = opened ? item.score - opened.score : 0;
  setText(row.gain, gain > 0 ? `+${number.format(gain)}` : "");
}

function showRow(row, item, board, items) {
  const hasTwin = item.name !== null && items.some(other => other.id !== item.id && other.name === item.name);
  row.tr.classList.toggle("first", item.rank === 1);
  const rank = rankText(item.rank, item.tied);
  setTextAndSpeech(row.rank, rank, item.tied ? `${item.rank}, shared` : rank);
  setText(row.name, nameOf(item));
  setText(row.twin, hasTwin ? ` ${item.userId}` : "");
  setText(row.score, number.format(item.score));
  row.bar.style.setProperty("--share", (item.score / Math.max(1, items[0].score)).toFixed(3));
  showMove(row, item, board.opened.get(item.id));
}

/* First, last, invert, play: a row that moved slides from its old place. */
function slide(tops) {
  if (reducedMotion.matches) return;
  for (const [row, top] of tops) {
    const by = top - row.tr.getBoundingClientRect().top, from = {transform: `translateY(${by}px)`};
    if (Math.abs(by) > 1)
      row.tr.animate([from, {transform: "none"}], {duration: MOVE_MS, easing: "ease-out"});
  }
}

/* Puts the rows in the order of the items. An element that moves loses the focus, so the focus is restored. */
function arrange(board, items) {
  const focused = document.activeElement;
  const shown = new Set(items.map(item => board.rows.get(item.id)));
  const kept = [...shown].filter(row => row.tr.isConnected);
  const tops = kept.map(row => [row, row.tr.getBoundingClientRect().top]);
  let at = board.body.firstElementChild;
  for (const row of shown) {
    if (row.tr === at) at = at.nextElementSibling;
    else board.body.insertBefore(row.tr, at);
  }
  for (const [id, row] of board.rows) {
    if (shown.has(row)) continue;
    row.tr.remove();
    board.rows.delete(id);
  }
  if (focused !== document.activeElement && focused.isConnected) focused.focus({preventScroll: true});
  slide(tops);
}

function showEmptiness(board) {
  const isEmpty = !board.items?.length;
  hide(board.table, isEmpty);
  hide(board.empty, !isEmpty);
  if (!isEmpty || board.items === null) return;
  setText(board.empty, isStale() ? "Nothing is counted yet."
    : "Nobody has sold anything yet. The first purchase appears here by itself.");
}

function showBoard({role, items}) {
  const board = boards[role];
  board.opened ??= new Map(items.map(item => [item.id, item]));
  for (const item of items) {
    if (!board.rows.has(item.id)) board.rows.set(item.id, makeRow(item));
    showRow(board.rows.get(item.id), item, board, items);
  }
  arrange(board, items);
  announceChanges(board, items);
  board.items = items;
  showEmptiness(board);
}

/* Announcements for screen readers: at most one sentence in ten seconds. */

const announcement = {next: null, timer: null};

/* A text of more or equal weight replaces one that was not announced yet. */
function announce(text, weight = 0) {
  if (!announcement.next || weight >= announcement.next.weight) announcement.next = {text, weight};
  if (!announcement.timer) announceNext();
}

function announceNext() {
  announcement.timer = null;
  if (!announcement.next) return;
  setText(byId("summary"), announcement.next.text);
  announcement.next = null;
  announcement.timer = setTimeout(announceNext, ANNOUNCE_MS);
}

function announceChanges({role, items: before}, items) {
  if (!before || !items.length) return;
  const ranks = new Map(before.map(item => [item.id, item.rank])), first = items[0];
  const risen = items.filter(item => item.rank < (ranks.get(item.id) ?? Infinity));
  if (before[0]?.id !== first.id)
    announce(`${nameOf(first)} now leads the ${role}s with ${number.format(first.score)} sold.`, 1);
  else if (risen.length)
    announce(`${nameOf(risen[0])} is now ${rankWords(risen[0])} of the ${role}s.`);
}

/* Connection: the stream if it works, else polling. */

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

/* Details of one product or contributor, addressed by the fragment of the URL. */

const details = {timer: null, shown: null};
const KINDS = {
  contributor: {title: "Contributor", load: loadContributor},
  product: {title: "Product", load: loadProduct},
};
const NO_PRODUCT = "There is no such product: nobody registered, photographed or bought it.";
const NO_CONTRIBUTOR = "There is no such contributor, or nothing of theirs was sold yet.";
const NOT_REQUESTABLE = "A browser cannot request this id. Use another client.";
const BOARDS = [...ROLES, "creator"]; // `scores/` and this word is a board, not a contributor
const NOT_ATTRIBUTED = "The registration is older than the event log, so nobody is credited with the sales.";
const NOT_READY = "Not found yet: the view is still catching up with its stream.";
const NO_ANSWER = "No answer from the server.";

function place() {
  const [, kind, id] = location.hash.match(/^#\/(contributor|product)\/(.+)$/) ?? [];
  try {
    return kind && {kind, id: decodeURIComponent(id)};
  } catch {
    return null; // invalid percent-encoding
  }
}

/* A browser resolves these as path steps, even escaped. */
const isStep = id => /^\.\.?$/.test(id);

/* The JSON of a 200; null for a 404 or an id that nobody can have. Throws what may succeed later, with a `note`
 * to show. */
async function fetchJson(path) {
  const answer = await fetch(path, {signal: AbortSignal.timeout(TIMEOUT_MS)});
  const json = await answer.json();
  if (answer.ok) return json;
  if ([400, 404, 414].includes(answer.status)) return null;
  throw {note: json.code === "view-not-ready" ? NOT_READY : `The server has no answer: ${json.title}.`};
}

function fact(title, large, ...more) {
  const rest = more.filter(Boolean).map(text => make("p", "more", text));
  return make("div", "fact", make("h3", "", title), make("p", "large", large), ...rest);
}

function personLink(person) {
  const link = make("a", "", nameOf(person));
  link.href = `#/contributor/${encodeURIComponent(person.id)}`;
  return link;
}

function personFact(title, person, nobody) {
  if (!person) return fact(title, nobody);
  const sold = `${number.format(person.score)} sold of this product`;
  return fact(title, personLink(person), maskOf(person), sold);
}

async function loadProduct(id) {
  if (isStep(id)) return {title: id, note: NOT_REQUESTABLE, facts: []};
  const json = await fetchJson(`contributions/${encodeURIComponent(id)}`);
  if (!json) return {title: id, note: NO_PRODUCT, facts: []};
  const nobody = json.attributed ? "Nobody yet" : "Unknown";
  return {
    title: json.productId,
    note: json.attributed ? "" : NOT_ATTRIBUTED,
    facts: [
      fact("Sold", number.format(json.purchases)),
      personFact("Registered by", json.merchant, nobody),
      personFact("Photographed by", json.photographer, nobody),
      fact("First event", timeText(Date.parse(json.created))),
      fact("Latest event", timeText(Date.parse(json.updated))),
    ],
  };
}

async function roleFact(role, id, score) {
  const title = role === "merchant" ? "As a merchant" : "As a photographer";
  if (score === null) return fact(title, "Nothing sold yet");
  const json = await fetchJson(`scores/${role}/${encodeURIComponent(id)}`);
  const sold = `${number.format(json?.score ?? score)} sold`;
  if (!json) return fact(title, sold);
  const rank = `Rank ${rankText(json.rank, false)}${json.tied ? ", shared" : ""}`;
  return fact(title, sold, rank, `Latest sale ${timeText(Date.parse(json.updated))}`);
}

async function loadContributor(id) {
  if (isStep(id) || BOARDS.includes(id)) return {title: "Unknown", note: NOT_REQUESTABLE, facts: []};
  const json = await fetchJson(`scores/${encodeURIComponent(id)}`);
  if (!json) return {title: "Unknown", note: NO_CONTRIBUTOR, facts: []};
  const facts = await Promise.all(ROLES.map(role => roleFact(role, id, json[role])));
  return {title: nameOf(json), note: maskOf(json), facts};
}

/* Replaces the content only when its text changed; a link that had the focus keeps it. */
function showDetails({title, note, facts}) {
  const content = byId("details-content"), focused = content.contains(document.activeElement);
  setText(byId("details-title"), title);
  setText(byId("details-note"), note);
  if (content.textContent === facts.map(one => one.textContent).join("")) return;
  const {href} = document.activeElement;
  content.replaceChildren(...facts);
  if (focused) [...content.querySelectorAll("a")].find(link => link.href === href)?.focus();
}

/* Without an answer, the content stays. */
async function refreshDetails(hash, {kind, id}) {
  clearTimeout(details.timer);
  const got = await KINDS[kind].load(id).catch(error => ({note: error.note ?? NO_ANSWER}));
  if (details.shown !== hash) return; // the user is elsewhere by now
  if (got.facts) showDetails(got);
  else setText(byId("details-note"), `${got.note} Trying again.`);
  clearTimeout(details.timer); // of another refresh for the same hash
  details.timer = setTimeout(refreshDetails, DETAILS_MS, hash, {kind, id});
}

function followHash() {
  const where = place(), dialog = byId("details");
  clearTimeout(details.timer);
  details.shown = where ? location.hash : null;
  if (!where) return dialog.open && dialog.close();
  setText(byId("details-kind"), KINDS[where.kind].title);
  setText(byId("details-title"), where.kind === "product" ? where.id : "\u2026");
  setText(byId("details-note"), "Loading.");
  byId("details-content").replaceChildren();
  if (!dialog.open) dialog.showModal();
  byId("details-title").focus();
  refreshDetails(location.hash, where);
}

/* The close event is late: the dialog may be open again by then, or a hashchange is about to arrive. */
function leaveDetails() {
  if (byId("details").open || location.hash !== details.shown) return;
  history.pushState(null, "", location.pathname + location.search); // an empty # would scroll to the top
  followHash();
}

/* Start. */

function togglePause() {
  const isPaused = connection.state !== "paused";
  byId("pause").setAttribute("aria-pressed", isPaused);
  setText(byId("pause"), isPaused ? "Resume" : "Pause");
  if (isPaused) disconnect();
  setConnection(isPaused ? "paused" : "connecting");
  if (!isPaused) connect();
}

/* A hidden page holds no connection: a browser has only six per server, and the server has a limit too. */
function followVisibility() {
  if (connection.state === "paused") return;
  disconnect();
  if (document.hidden) return;
  setConnection("connecting");
  connect();
}

/* A click on the backdrop has the dialog as its target; a click inside has one of its children. */
function closeByBackdrop(event) {
  if (event.target === event.currentTarget) event.target.close();
}

function lookUp(event) {
  event.preventDefault();
  const id = new FormData(event.target).get("product").trim();
  if (id) location.hash = `#/product/${encodeURIComponent(id)}`;
}

byId("look-up").addEventListener("submit", lookUp);
byId("pause").addEventListener("click", togglePause);
byId("close").addEventListener("click", () => byId("details").close());
byId("details").addEventListener("close", leaveDetails); // by the button, by Esc
byId("details").addEventListener("click", closeByBackdrop);
addEventListener("hashchange", followHash);
document.addEventListener("visibilitychange", followVisibility);
setText(byId("opened"), `Moves since ${timeText(Date.now())}, when this page was opened.`);
setInterval(showFreshness, 1000);
followHash();
connect();
