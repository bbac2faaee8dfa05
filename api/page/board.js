/* The page: two boards that follow the view, and a look at one product or contributor.
 *
 * Two things are told apart everywhere: how old the data is (`freshness`), and whether we are connected
 * (`connection`). What was shown stays when either goes bad, and says that it is old. Names are whatever
 * their owners chose: they become text and never markup. */

const ROLES = ["merchant", "photographer"];
const POLL_MS = 2000, POLL_FAILED_MS = 3000, TIMEOUT_MS = 5000;
const LATE_MS = 15000; // behind the stream, where the server does not say whether it is caught up
const SILENT_MS = 10000; // without a word of the server, what we have is no longer current
const QUIET_MS = 6000; // of a stream, which says something every second; then we ask ourselves
const RETRY_MS = 2000, RETRY_MOST_MS = 60000; // to open a stream again
const SPEAK_MS = 10000;
const DETAILS_MS = 3000;
const MOVE_MS = 180;

const number = new Intl.NumberFormat("en");
const clock = new Intl.DateTimeFormat("en", {timeStyle: "medium", hourCycle: "h23"});
const dayAndClock = new Intl.DateTimeFormat("en",
  {dateStyle: "medium", timeStyle: "medium", hourCycle: "h23"});
const stillness = matchMedia("(prefers-reduced-motion: reduce)");
const byId = id => document.getElementById(id);

/* ---- words --------------------------------------------------------------------------------------------- */

/* A time of day, with its date unless that is today's. */
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

/* ---- elements ------------------------------------------------------------------------------------------ */

function make(name, className, ...children) {
  const made = document.createElement(name);
  if (className) made.className = className;
  made.append(...children);
  return made;
}

/* Only what changed is touched, so that a selection and a screen reader's place stay. */
function setText(element, text) {
  if (element.textContent !== text) element.textContent = text;
}

function hide(element, isHidden) {
  if (element.hidden !== isHidden) element.hidden = isHidden;
}

/* For the eyes, and in words for the ears. */
function setSeenAndSpoken(element, seen, spoken) {
  if (element.dataset.spoken === spoken) return; // what is seen follows from it
  element.dataset.spoken = spoken;
  if (seen === spoken) return element.replaceChildren(seen);
  const sign = make("span", "", seen);
  sign.setAttribute("aria-hidden", "true");
  element.replaceChildren(sign, make("span", "spoken", spoken));
}

/* ---- freshness: how old the data is -------------------------------------------------------------------- */

/* `lagMs` is by the server's clock; since then our own counts on. Ours may be wrong, but not by much in
 * between. */
const freshness = {asOf: null, lagMs: null, caughtUp: null, heardAt: null};

function noteFreshness(asOfText, serverTime, caughtUp) {
  const asOf = asOfText ? Date.parse(asOfText) : null;
  freshness.asOf = asOf;
  freshness.lagMs = asOf === null ? null : Math.max(0, Date.parse(serverTime) - asOf);
  freshness.caughtUp = caughtUp ?? (asOf !== null && freshness.lagMs <= LATE_MS);
  freshness.heardAt = Date.now();
  showFreshness();
}

function ageMs() {
  return freshness.asOf === null ? null : freshness.lagMs + Math.max(0, Date.now() - freshness.heardAt);
}

function isStale() {
  if (freshness.heardAt === null) return false;
  return !freshness.caughtUp || Date.now() - freshness.heardAt > SILENT_MS;
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

/* ---- boards -------------------------------------------------------------------------------------------- */

const boards = Object.fromEntries(ROLES.map(role => [role, findBoard(role)]));

function findBoard(role) {
  const section = byId(role), find = selector => section.querySelector(selector);
  return {
    role, section, table: find("table"), body: find("tbody"), notice: find(".notice"), empty: find(".empty"),
    items: null, // those shown, in order
    rows: new Map(), // by id
    opened: null, // items by id as the page was opened
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
  if (!opened) setSeenAndSpoken(row.move, "new", "new on the board");
  else if (ranks > 0) setSeenAndSpoken(row.move, `▲ ${ranks}`, `up ${ranks}`);
  else if (ranks < 0) setSeenAndSpoken(row.move, `▼ ${-ranks}`, `down ${-ranks}`);
  else setSeenAndSpoken(row.move, "", "not moved");
  const gain = opened ? item.score - opened.score : 0;
  setText(row.gain, gain > 0 ? `+${number.format(gain)}` : "");
}

function showRow(row, item, board, items) {
  const hasTwin = items.some(other => other.id !== item.id && other.name === item.name);
  row.tr.classList.toggle("first", item.rank === 1);
  const rank = rankText(item.rank, item.tied);
  setSeenAndSpoken(row.rank, rank, item.tied ? `${item.rank}, shared` : rank);
  setText(row.name, item.name);
  setText(row.twin, hasTwin ? ` ${item.userId}` : "");
  setText(row.score, number.format(item.score));
  row.bar.style.setProperty("--share", (item.score / Math.max(1, items[0].score)).toFixed(3));
  showMove(row, item, board.opened.get(item.id));
}

/* First, last, invert, play: a row that has moved slides from where it was. */
function slide(tops) {
  if (stillness.matches) return;
  for (const [row, top] of tops) {
    const by = top - row.tr.getBoundingClientRect().top, from = {transform: `translateY(${by}px)`};
    if (Math.abs(by) > 1)
      row.tr.animate([from, {transform: "none"}], {duration: MOVE_MS, easing: "ease-out"});
  }
}

/* Puts the rows in the order of the items. Moving an element takes the focus from it: it is given back. */
function arrange(board, items) {
  const focused = document.activeElement;
  const shown = new Set(items.map(item => board.rows.get(item.id)));
  const stayed = [...shown].filter(row => row.tr.isConnected);
  const tops = stayed.map(row => [row, row.tr.getBoundingClientRect().top]);
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
  speakOfBoard(board, items);
  board.items = items;
  showEmptiness(board);
}

/* ---- summary: for who listens, at most one sentence in ten seconds ------------------------------------- */

const spoken = {next: null, timer: null};

/* What matters more, or comes later, takes the place of what was not said yet. */
function speak(text, weight = 0) {
  if (!spoken.next || weight >= spoken.next.weight) spoken.next = {text, weight};
  if (!spoken.timer) sayNext();
}

function sayNext() {
  spoken.timer = null;
  if (!spoken.next) return;
  setText(byId("summary"), spoken.next.text);
  spoken.next = null;
  spoken.timer = setTimeout(sayNext, SPEAK_MS);
}

function speakOfBoard({role, items: before}, items) {
  if (!before || !items.length) return;
  const ranks = new Map(before.map(item => [item.id, item.rank])), first = items[0];
  const risen = items.filter(item => item.rank < (ranks.get(item.id) ?? Infinity));
  if (before[0]?.id !== first.id)
    speak(`${first.name} now leads the ${role}s with ${number.format(first.score)} sold.`, 1);
  else if (risen.length)
    speak(`${risen[0].name} is now ${rankWords(risen[0])} of the ${role}s.`);
}

/* ---- connection: the stream if it can be had, else polling --------------------------------------------- */

const connection = {state: "connecting", since: null};
const STATES = {
  connecting: () => "Connecting",
  live: () => "Live",
  polling: () => `Asking every ${POLL_MS / 1000} s`,
  disconnected: () => `Disconnected since ${timeText(connection.since)}`,
  paused: () => `Paused at ${timeText(connection.since)}`,
};

function setConnection(state) {
  if (connection.state === state) return;
  const isUp = state === "live" || state === "polling";
  if (state === "disconnected") speak("Disconnected. The boards no longer change.", 2);
  else if (connection.state === "disconnected" && isUp) speak("Connected again.", 2);
  Object.assign(connection, {state, since: Date.now()});
  byId("connection").dataset.state = state;
  setText(byId("connection-text"), STATES[state]());
}

/* Both boards, revalidated with the ETag that the browser keeps. */
async function ask(signal) {
  const ended = AbortSignal.any([signal, AbortSignal.timeout(TIMEOUT_MS)]);
  const answer = await fetch("scores?limit=10", {cache: "no-cache", signal: ended});
  if (!answer.ok) throw new Error(`status ${answer.status}`);
  const {merchant, photographer} = await answer.json();
  const asOf = answer.headers.get("View-As-Of") ?? merchant.asOf;
  return {merchant, photographer, asOf, time: answer.headers.get("Date")};
}

function showAll(got) {
  showBoard(got.merchant);
  showBoard(got.photographer);
  noteFreshness(got.asOf, got.time);
}

/* It polls whenever the stream is not heard, so also before it was heard first. */
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
  const got = await ask(signal).catch(() => null);
  if (signal.aborted) return;
  const isBack = got && connection.state === "disconnected";
  if (got) showAll(got);
  setConnection(got ? "polling" : "disconnected");
  if (isBack) reopenSoon(); // it is there again: no need to wait for the stream's own next try
  poller.timer = setTimeout(poll, got ? POLL_MS : POLL_FAILED_MS, signal);
}

const stream = {source: null, retryMs: RETRY_MS, retryTimer: null, quietTimer: null};

function openStream() {
  clearTimeout(stream.retryTimer);
  stream.source = new EventSource("live");
  for (const role of ROLES) stream.source.addEventListener(role, event => hear(event, showBoard));
  stream.source.addEventListener("freshness", event => hear(event, showTold));
  stream.source.onerror = loseStream; // a refusal and a break alike; the browser's own retries end with it
  awaitStream();
}

function showTold({asOf, time, caughtUp}) {
  noteFreshness(asOf, time, caughtUp);
}

function hear(event, show) {
  stopPolling();
  stream.retryMs = RETRY_MS;
  awaitStream();
  show(JSON.parse(event.data));
  setConnection("live");
}

function closeStream() {
  stream.source?.close();
  stream.source = null;
  clearTimeout(stream.quietTimer);
  clearTimeout(stream.retryTimer);
}

/* The delay is random, so that all pages do not come back at one moment after the server was away. */
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

function awaitStream() {
  clearTimeout(stream.quietTimer);
  stream.quietTimer = setTimeout(checkQuiet, QUIET_MS);
}

/* Nothing to say, nobody there, or something on the way that holds it back? If asking tells no more than the
 * stream did, the stream is good. */
async function checkQuiet() {
  const {source} = stream, {asOf, caughtUp} = freshness;
  const got = await ask(AbortSignal.timeout(TIMEOUT_MS)).catch(() => null);
  if (stream.source !== source) return;
  const isNews = got && got.asOf !== null && Date.parse(got.asOf) > (asOf ?? 0);
  if (!got) setConnection("disconnected");
  if (!got || isNews || connection.state !== "live") return loseStream();
  noteFreshness(got.asOf, got.time, caughtUp);
  awaitStream();
}

function connect() {
  startPolling();
  openStream();
}

function disconnect() {
  closeStream();
  stopPolling();
}

/* ---- details: one product or contributor, addressed by what follows the # ------------------------------ */

const details = {timer: null, shown: null};
const KINDS = {
  contributor: {title: "Contributor", load: loadContributor},
  product: {title: "Product", load: loadProduct},
};
const NO_PRODUCT = "There is no such product: nobody registered, photographed or bought it.";
const NO_CONTRIBUTOR = "There is no such contributor, or nothing of theirs was sold yet.";
const NOT_ASKABLE = "A browser cannot ask for this id. Ask with another client.";
const BOARDS = [...ROLES, "creator"]; // no contributors, whatever follows `scores/`
const NOT_ATTRIBUTED = "Its registration is older than the event log: its sales are credited to nobody.";
const NOT_READY = "Not there yet, but the view is still catching up with its stream.";
const NO_ANSWER = "No answer from the server.";

function place() {
  const [, kind, id] = location.hash.match(/^#\/(contributor|product)\/(.+)$/) ?? [];
  try {
    return kind && {kind, id: decodeURIComponent(id)};
  } catch {
    return null; // no valid escape
  }
}

/* A browser takes these for steps in a path, even escaped. */
const isStep = id => /^\.\.?$/.test(id);

/* The JSON of a 200, null of a 404 or of an id that can be nobody's. What may be otherwise in a moment is
 * thrown, with a `note` to show. */
async function askFor(path) {
  const answer = await fetch(path, {signal: AbortSignal.timeout(TIMEOUT_MS)});
  const json = await answer.json();
  if (answer.ok) return json;
  if ([400, 404, 414].includes(answer.status)) return null;
  throw {note: json.type?.endsWith("view-not-ready") ? NOT_READY : `The server cannot tell: ${json.title}.`};
}

function fact(title, large, ...more) {
  const rest = more.map(text => make("p", "more", text));
  return make("div", "fact", make("h3", "", title), make("p", "large", large), ...rest);
}

function personLink(person) {
  const link = make("a", "", person.name);
  link.href = `#/contributor/${encodeURIComponent(person.id)}`;
  return link;
}

function personFact(title, person, nobody) {
  if (!person) return fact(title, nobody);
  const sold = `${number.format(person.score)} sold of this product`;
  return fact(title, personLink(person), person.userId, sold);
}

async function loadProduct(id) {
  if (isStep(id)) return {title: id, note: NOT_ASKABLE, facts: []};
  const json = await askFor(`contributions/${encodeURIComponent(id)}`);
  if (!json) return {title: id, note: NO_PRODUCT, facts: []};
  const nobody = json.attributed ? "Nobody yet" : "Not known";
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
  const json = await askFor(`scores/${role}/${encodeURIComponent(id)}`);
  const sold = `${number.format(json?.score ?? score)} sold`;
  if (!json) return fact(title, sold);
  const rank = `Rank ${rankText(json.rank, false)}${json.tied ? ", shared" : ""}`;
  return fact(title, sold, rank, `Latest sale ${timeText(Date.parse(json.updated))}`);
}

async function loadContributor(id) {
  if (isStep(id) || BOARDS.includes(id)) return {title: "Unknown", note: NOT_ASKABLE, facts: []};
  const json = await askFor(`scores/${encodeURIComponent(id)}`);
  if (!json) return {title: "Unknown", note: NO_CONTRIBUTOR, facts: []};
  const facts = await Promise.all(ROLES.map(role => roleFact(role, id, json[role])));
  return {title: json.name, note: json.userId, facts};
}

/* Replaced only when it says something else; a link that had the focus keeps it. */
function showDetails({title, note, facts}) {
  const content = byId("details-content"), focused = content.contains(document.activeElement);
  setText(byId("details-title"), title);
  setText(byId("details-note"), note);
  if (content.textContent === facts.map(one => one.textContent).join("")) return;
  const {href} = document.activeElement;
  content.replaceChildren(...facts);
  if (focused) [...content.querySelectorAll("a")].find(link => link.href === href)?.focus();
}

/* What was shown stays when there is no answer. */
async function refreshDetails(hash, {kind, id}) {
  clearTimeout(details.timer);
  const got = await KINDS[kind].load(id).catch(error => ({note: error.note ?? NO_ANSWER}));
  if (details.shown !== hash) return; // somewhere else by now
  if (got.facts) showDetails(got);
  else setText(byId("details-note"), `${got.note} This page asks again.`);
  clearTimeout(details.timer); // of whoever asked for the same at the same time
  details.timer = setTimeout(refreshDetails, DETAILS_MS, hash, {kind, id});
}

function followHash() {
  const where = place(), dialog = byId("details");
  clearTimeout(details.timer);
  details.shown = where ? location.hash : null;
  if (!where) return dialog.open && dialog.close();
  setText(byId("details-kind"), KINDS[where.kind].title);
  setText(byId("details-title"), where.kind === "product" ? where.id : "\u2026");
  setText(byId("details-note"), "Looking it up.");
  byId("details-content").replaceChildren();
  if (!dialog.open) dialog.showModal();
  byId("details-title").focus();
  refreshDetails(location.hash, where);
}

/* The dialog tells later that it was closed: it may be open again by then, or a hashchange on its way. */
function leaveDetails() {
  if (byId("details").open || location.hash !== details.shown) return;
  history.pushState(null, "", location.pathname + location.search); // an empty # would scroll to the top
  followHash();
}

/* ---- start --------------------------------------------------------------------------------------------- */

function togglePause() {
  const isPaused = connection.state !== "paused";
  byId("pause").setAttribute("aria-pressed", isPaused);
  setText(byId("pause"), isPaused ? "Go on" : "Pause");
  if (isPaused) disconnect();
  setConnection(isPaused ? "paused" : "connecting");
  if (!isPaused) connect();
}

/* A page that nobody sees holds no connection: a browser has six for each server, a server has few too. */
function followVisibility() {
  if (connection.state === "paused") return;
  disconnect();
  if (document.hidden) return;
  setConnection("connecting");
  connect();
}

/* What is around the dialog counts as the dialog itself; what is in it, as one of its children. */
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
setText(byId("opened"), `Moves count since ${timeText(Date.now())}, when this page was opened.`);
setInterval(showFreshness, 1000);
followHash();
connect();
