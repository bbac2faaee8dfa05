/* The dialog: one product or contributor, addressed by the fragment of the URL.
 *
 * A view is {kind, title, note, trouble, body, refresh}: `refresh` asks the server, calls setHead and changes the
 * elements of `body` in place, so nothing moves under the hand of a reader. It throws {note} where another
 * attempt may succeed; what was there stays. */

const DETAILS_MS = 3000;
const DETAILS_SOON_MS = 300; // until the page knows which periods the view keeps
const SLOW_MS = 60000; // between requests for what only changes with a score
const VIEWS_MOST = 8;

const details = {timer: null, hash: null, view: null};
const views = new Map(); // by fragment, the latest last: "back" shows a view as it was left
const MAKERS = {contributor: makeContributor, product: makeProduct};
const NOT_READY = "Not found yet: the view is still catching up with its stream.";
const NO_ANSWER = "No answer from the server.";

/* A browser resolves these as path steps, even escaped. */
const isStep = id => /^\.\.?$/.test(id);

/* The JSON of a 200; null for a 404 or an id that nobody can have. The browser revalidates with the ETag. */
async function fetchJson(path) {
  const answer = await fetch(path, {signal: AbortSignal.timeout(TIMEOUT_MS)}).catch(() => null);
  const json = await answer?.json().catch(() => null);
  if (!json) throw {note: NO_ANSWER};
  if (answer.ok) return Object.assign(json, {asOf: answer.headers.get("View-As-Of") ?? json.asOf}); // that of a 304 is newer
  if ([400, 404, 414].includes(answer.status)) return null;
  throw {note: json.code === "view-not-ready" ? NOT_READY : `The server has no answer: ${json.title}.`};
}

/* Whether to ask again for what changes with a score: after each change twice, since a cache first answers with what it
 * has; else once a minute. */
function isDue(part, key) {
  if (part.key !== key) Object.assign(part, {key, due: 2});
  return part.due > 0 || Date.now() - part.askedAt >= SLOW_MS;
}

function noteAsked(part) {
  Object.assign(part, {due: part.due - 1, askedAt: Date.now()});
}

/* User data, isolated: its direction changes nothing around it. */
function setName(element, text) {
  if (element.textContent !== text) element.replaceChildren(make("bdi", "", text));
}

/* What tells namesakes apart, without the name: in one text with it, a name from right to left would turn it round. */
function markOf({name, userId}) {
  const isBoth = name !== null && userId.startsWith(`${name} (`);
  return isBoth ? userId.slice(name.length + 1) : maskOf({name, userId});
}

function link(kind, id, text) {
  const made = make("a", "", make("bdi", "", text));
  made.href = openHref(kind, id);
  return made;
}

function makeFact(title) {
  const large = make("p", "large"), more = make("p", "more"), last = make("p", "more");
  return {element: make("div", "fact", make("h3", "", title), large, more, last), large, more, last};
}

function showHead({kind, title, note, trouble}) {
  setText(byId("details-kind"), kind);
  setName(byId("details-title"), title);
  setName(byId("details-note"), trouble || note);
}

/* What is known first is visible first. */
function setHead(view, title, note) {
  Object.assign(view, {title, note});
  if (details.view === view) showHead(view);
}

async function refreshView(view) {
  try {
    await view.refresh();
    view.trouble = "";
  } catch (error) {
    if (!error.note) reportError(error);
    view.trouble = `${error.note ?? NO_ANSWER} Trying again.`;
  }
}

async function refreshDetails(view) {
  clearTimeout(details.timer);
  if (view.isBusy) return; // who began goes on below
  view.isBusy = true;
  if (!document.hidden) await refreshView(view);
  view.isBusy = false;
  if (details.view !== view) return; // the reader is elsewhere by now
  showHead(view);
  clearTimeout(details.timer);
  const isEarly = !freshness.receivedAt && !view.trouble;
  details.timer = setTimeout(refreshDetails, isEarly ? DETAILS_SOON_MS : DETAILS_MS, view);
}

function viewAt(hash, {kind, id}) {
  const view = views.get(hash) ?? MAKERS[kind](id);
  views.delete(hash);
  views.set(hash, view);
  if (views.size > VIEWS_MOST) views.delete(views.keys().next().value);
  return view;
}

function leaveView() {
  const {view} = details, focused = document.activeElement;
  if (!view) return;
  view.scroll = byId("details").scrollTop;
  view.focused = view.body.contains(focused) ? focused : null;
}

/* A place in the history that was left by one of its links, and is returned to, looks as it did. */
function enterView(view) {
  const isBack = history.state?.left === true;
  const focused = isBack && view.focused?.isConnected ? view.focused : byId("details-title");
  focused.focus({preventScroll: true});
  byId("details").scrollTop = isBack ? view.scroll ?? 0 : 0;
}

function markLeft(event) {
  if (event.target.closest("a[href^='#']")) history.replaceState({left: true}, "");
}

function followHash() {
  const {open} = readPlace(), dialog = byId("details");
  clearTimeout(details.timer);
  leaveView();
  details.hash = open ? location.hash : null;
  details.view = open ? viewAt(location.hash, open) : null;
  if (!open) return dialog.open && dialog.close();
  byId("details-content").replaceChildren(details.view.body);
  showHead(details.view);
  if (!dialog.open) dialog.showModal();
  enterView(details.view);
  refreshDetails(details.view);
}

/* The close event is late: the dialog may be open again by then, or a hashchange is about to arrive. */
function leaveDetails() {
  if (byId("details").open || location.hash !== details.hash) return;
  const {period} = readPlace(), boards = period ? placeHref({period}) : "";
  history.pushState(null, "", location.pathname + location.search + boards); // an empty # would scroll to the top
  followHash();
  if (document.activeElement === document.body) byId("boards").focus({preventScroll: true});
}
