/* Freshness: how old the data is. */

const LATE_MS = 15000; // of lag count as late, if the server does not report whether it is caught up
const SILENT_MS = 10000; // without data from the server make the boards old

/* `lagMs` is by the clock of the server. From then on the clock of the browser counts: it may be wrong, but it
 * is precise over a short time. */
const freshness = {asOf: null, lagMs: null, caughtUp: null, receivedAt: null};

/* What the view keeps, as the server reported it; null until then, and on an old server. */
const kept = {periods: null, bestSellers: null, sales: null};

const keptPeriods = () => kept.periods ?? [];
const keepsBestSellers = () => kept.bestSellers ?? false;
const salesKept = () => kept.sales ?? "none";

function noteKept(reported) {
  const before = JSON.stringify(kept);
  for (const name of Object.keys(kept)) kept[name] = reported[name] ?? kept[name];
  if (JSON.stringify(kept) === before) return;
  if (isWall) arrangeScreens();
  followPeriods();
  followAside();
}

function noteFreshness({asOf: asOfText, time, caughtUp, ...reported}) {
  const asOf = asOfText ? Date.parse(asOfText) : null;
  freshness.asOf = asOf;
  freshness.lagMs = asOf === null ? null : Math.max(0, Date.parse(time) - asOf);
  freshness.caughtUp = caughtUp ?? (asOf !== null && freshness.lagMs <= LATE_MS);
  freshness.receivedAt = Date.now();
  if (freshness.caughtUp) noteProgress(null);
  noteKept(reported);
  showFreshness();
}

function ageMs() {
  return freshness.asOf === null ? null : freshness.lagMs + Math.max(0, Date.now() - freshness.receivedAt);
}

/* By the clock of the server; not a number while that is not known. */
const serverTime = () => (freshness.asOf === null ? NaN : freshness.asOf + ageMs());

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
  byId("strip").toggleAttribute("data-stale", stale);
  for (const board of Object.values(boards)) {
    board.section.toggleAttribute("data-stale", stale);
    hide(board.notice, !stale);
    if (stale) setText(board.notice, staleText());
    showEmptiness(board);
  }
}
