/* Periods: which one the boards show, and the switch between them. */

const SWITCHES = [["all", "All time"], ["month", "Month"], ["week", "Week"], ["day", "Today"], ["hour", "This hour"]];
const DEFAULT_KINDS = ["day", "week", "month"]; // what people watch; all time hardly moves
const UNDECIDED_MS = 1500; // for the server to report what it keeps

/* `shown`: what the feed follows, null while the page does not know what the view keeps. `held`: boards that arrived
 * meanwhile. `underWay`: the current period of each kind, as far as answers said it. `around`: what is before and after the
 * one that the boards are of. */
const periods = {isKnown: false, shown: null, held: new Map(), underWay: {}, around: {}};

function shownPeriod() {
  return readPlace().period ?? DEFAULT_KINDS.find(kind => keptPeriods().includes(kind)) ?? "all";
}

/* "all", or the kind of a period that is named by its kind or its id. */
function kindOf(period) {
  if (!/^\d/.test(period)) return period;
  return period.includes("W") ? "week" : {7: "month", 10: "day", 13: "hour"}[period.length];
}

/* freshness.js calls it when what the view keeps is known, or changed. */
function followPeriods() {
  periods.isKnown = true;
  followPeriod();
  followMovements();
  renewLines();
  renewStrip();
  showTicker();
}

/* The page's place, or what the view keeps, is another one. */
function followPeriod() {
  showSwitches();
  hide(boards.product.section, !keepsBestSellers());
  if (!periods.isKnown && readPlace().period === null) return;
  const shown = shownPeriod();
  if (periods.shown === shown) return;
  periods.shown = shown;
  clearBoards();
  showPeriod(null);
  setFeedPeriod(shown);
  leadSales();
  renewStrip();
  for (const board of periods.held.values()) showBoard(board);
  periods.held.clear();
}

function decidePeriod() {
  if (!periods.isKnown) followPeriods();
}

/* Whether a board of this period is to be seen. */
function isShown(period) {
  if (periods.shown === null || periods.shown === "all") return periods.shown === "all" && period === null;
  return period !== null && (period.id === periods.shown || (period.kind === periods.shown && period.next === null));
}

function holdBoard(board) {
  if (periods.shown === null) periods.held.set(board.role, board);
}

/* The view does not keep the period of the URL. */
function periodNotKept(period) {
  if (period !== periods.shown) return;
  revealBoards();
  for (const board of Object.values(boards)) setText(board.empty, "This view does not keep that period.");
}

/* The switches. */

function showSwitches() {
  const kept = keptPeriods(), shown = shownPeriod(), kind = kindOf(shown);
  const switches = SWITCHES.filter(([one]) => one === "all" || kept.includes(one));
  byId("periods").dataset.state = !periods.isKnown ? "unknown" : kept.length || kind !== "all" ? "kept" : "none";
  const links = byId("period-kinds"), key = switches.map(([one]) => one).join();
  if (links.dataset.key !== key) {
    links.dataset.key = key;
    links.replaceChildren(...switches.map(makeSwitch));
  }
  for (const link of links.querySelectorAll("a")) {
    if (link.dataset.kind === shown) link.setAttribute("aria-current", "true"); // of a past one the title says which
    else link.removeAttribute("aria-current");
  }
}

function makeSwitch([kind, words]) {
  const link = make("a", "", words);
  link.href = placeHref({period: kind});
  link.dataset.kind = kind;
  return make("li", "", link);
}

/* The period of the boards, and the ways to the ones before and after it; null while it is not known. */
function showPeriod(period) {
  if (period?.next === null) noteUnderWay(period);
  setText(byId("period-title"), period ? periodTitle(period) : "");
  setText(byId("period-state"), period ? stateWords(period) : "");
  byId("period-state").dataset.final = period?.final === true;
  periods.around = {before: period?.previous, after: period?.next};
  leadAround();
}

/* When a period of its kind ended, what was asked for about that one is asked for anew. An answer may be older than what
 * is known. */
function noteUnderWay(period) {
  const {kind, id} = period, before = periods.underWay[kind];
  if (before?.id >= id) return;
  periods.underWay[kind] = period;
  if (!before) return;
  Object.assign(strip, {historyAt: 0, soldOf: null});
  renewStrip();
  followMovements();
}

/* Called each second, too: the period that a link leads to may end, and then it is no longer the one of today. */
function leadAround() {
  leadTo(byId("period-previous"), periods.around.before, "before");
  leadTo(byId("period-next"), periods.around.after, "after");
}

function leadTo(link, id, where) {
  link.dataset.away = !id;
  if (!id) return link.removeAttribute("href");
  const kind = kindOf(id), now = periods.underWay[kind], isNow = now?.id === id && serverTime() < Date.parse(now.end);
  link.href = placeHref({period: isNow ? kind : id});
  link.setAttribute("aria-label", `The ${kind} ${where}`);
}

/* A view of a file never knows whether a period is final. */
function stateWords({final, next}) {
  if (next === null) return "under way";
  if (final === null) return "over";
  return final ? "final" : "over, late sales still count";
}

/* Periods are of UTC, for every viewer. */
const TITLES = {
  hour: {dateStyle: "medium", timeStyle: "short"},
  day: {weekday: "short", day: "numeric", month: "short", year: "numeric"},
  month: {month: "long", year: "numeric"},
  week: {day: "numeric", month: "short", year: "numeric"},
};
const titleFormats = {};

function periodTitle({id, kind, start, end}) {
  const format = titleFormats[kind] ??= new Intl.DateTimeFormat(undefined, {...TITLES[kind], timeZone: "UTC"});
  const from = new Date(start);
  if (kind === "hour") return `${format.format(from)} UTC`;
  if (kind !== "week") return format.format(from);
  return `Week ${number.format(Number(id.slice(-2)))}, ${format.formatRange(from, new Date(end) - 1)}`;
}

/* What is said of a shown period in the middle of a sentence. */
function periodWords() {
  const words = {hour: " this hour", day: " today", week: " this week", month: " this month"};
  return words[periods.shown] ?? "";
}
