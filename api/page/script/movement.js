/* Movement: the places that a row gained or lost since the period before. Of all time: since the day began (or the
 * shortest period that is kept), as far as it can be known; without periods: since this page was opened. */

const BEFORE_ROWS = 100; // of a board, at most so many in one answer
const BEFORE_ASKED = 20; // rows that are asked for one by one, for each board and period
const BEFORE_RETRY_MS = 60000, BEFORE_OLD_MS = 300000;

const SINCE = {hour: "the hour before", day: "yesterday", week: "last week", month: "last month"};
const SINCE_PAST = {hour: "the hour before", day: "the day before", week: "the week before", month: "the month before"};
const SINCE_BEGIN = {hour: "the hour began", day: "the day began", week: "the week began", month: "the month began"};

/* Ranks before, of one board: `ranks` by id (null: not ranked then), `isWhole` if everybody else was not ranked. */
const placesBefore = {}; // by role

function newBefore(key, words) {
  return {key, words, ranks: new Map(), isWhole: false, asked: new Set(), begun: null,
    isLoaded: false, isFinal: false, isBusy: false, loadedAt: 0, triedAt: 0};
}

function makeBefore(role, key, words) {
  placesBefore[role] = newBefore(key, words);
  return placesBefore[role];
}

/* Late sales count for a period until it is final, so what is known of it grows old. */
const isOld = ({isLoaded, isFinal, loadedAt}) => isLoaded && !isFinal && Date.now() - loadedAt > BEFORE_OLD_MS;

const dayKind = () => DEFAULT_KINDS.find(kind => keptPeriods().includes(kind)) ?? null;

/* Called with each board that is shown, when it is known what the view keeps, and each minute. */
function followMovement({role, items, period}) {
  if (!periods.isKnown) return;
  if (period === null && !dayKind()) return rememberOpened(role, items);
  const known = placesNow(role, period), isDone = known.isLoaded && !isOld(known);
  const isMissing = items.some(item => placeBefore(role, item) === undefined), retryMs = isDone && period ? 0 : BEFORE_RETRY_MS;
  if ((isDone && !isMissing) || known.isBusy || Date.now() - known.triedAt < retryMs) return;
  Object.assign(known, {isBusy: true, triedAt: Date.now()});
  findPlaces(known, {role, items, period}).catch(() => {}).finally(() => { // what failed is tried again in a minute
    known.isBusy = false;
    if (placesBefore[role] === known) showMoves(role);
  });
}

/* What is old stays until it is known anew. */
async function findPlaces(known, {role, items, period}) {
  const {key, words, triedAt} = known, found = isOld(known) ? newBefore(key, words) : known;
  await (period ? findRanks(found, role, period.previous, items) : findBegin(found, role));
  if (found !== known && found.isLoaded) Object.assign(known, found, {isBusy: true, triedAt});
}

/* `begun`: the day since whose begin all time's rows are known to have moved. When it is over they are asked for anew. */
function placesNow(role, period) {
  const key = period?.id ?? `all ${dayKind()}`, known = placesBefore[role];
  const words = period ? (period.next === null ? SINCE : SINCE_PAST)[period.kind] : SINCE_BEGIN[dayKind()];
  if (known?.key !== key) return makeBefore(role, key, words);
  if (known.begun && periods.underWay[dayKind()]?.id > known.begun) return makeBefore(role, key, words);
  return Object.assign(known, {words}); // a period ends while it is shown
}

function rememberOpened(role, items) {
  if (placesBefore[role]?.key === "opened") return;
  const known = makeBefore(role, "opened", `this page was opened, ${timeText(Date.now())}`);
  known.isWhole = true;
  for (const item of items) known.ranks.set(itemId(item), item.rank);
}

/* The rank before; null if there was none, undefined if it is not known. */
function placeBefore(role, item) {
  const known = placesBefore[role], id = itemId(item);
  if (known?.ranks.has(id)) return known.ranks.get(id);
  return known?.isWhole ? null : undefined;
}

/* A period: the board of the one before, and who is not on its first page by their own rank. */
async function findRanks(known, role, previous, items) {
  if (!previous) return;
  if (!known.isLoaded) await loadBoardBefore(known, role, previous);
  const others = items.map(itemId).filter(id => !known.isWhole && !known.ranks.has(id) && !known.asked.has(id));
  for (const id of others.slice(0, BEFORE_ASKED - known.asked.size)) await findRank(known, role, previous, id);
}

async function loadBoardBefore(known, role, previous) {
  const board = await fetchJson(`scores/${role}?limit=${BEFORE_ROWS}&period=${previous}`);
  for (const item of board?.items ?? []) known.ranks.set(itemId(item), item.rank);
  noteLoaded(known, board?.next === null);
  known.isFinal = board?.period.final === true;
}

function noteLoaded(known, isWhole) {
  Object.assign(known, {isWhole, isLoaded: true, loadedAt: Date.now()});
}

/* Whoever sold nothing then has no rank; a rank that the server does not know yet stays unknown. */
async function findRank(known, role, previous, id) {
  known.asked.add(id);
  const one = await fetchJson(`scores/${role}/${encodeURIComponent(id)}?period=${previous}`);
  if (one && (one.rank !== null || one.score === 0)) known.ranks.set(id, one.rank);
}

/* All time: who had how much when the day began is what they have, less what they got today. Only the first hundred are
 * looked at: nobody outside had more than the hundredth has now, so a rank is known for who had more than that. Who is
 * not among the first hundred of today got at most what the last of them got. */
async function findBegin(known, role) {
  const path = `scores/${role}?limit=${BEFORE_ROWS}`, day = periods.underWay[dayKind()]?.id ?? dayKind();
  const [all, today] = await Promise.all([fetchJson(path), fetchJson(`${path}&period=${day}`)]);
  if (!all || !today) return;
  const gained = new Map(today.items.map(item => [itemId(item), item.score]));
  const bound = all.next === null ? 0 : all.items.at(-1).score, most = today.next === null ? 0 : today.items.at(-1).score;
  rankBegin(known, bound, all.items.map(item => {
    const gain = gained.get(itemId(item));
    return {id: itemId(item), low: item.score - (gain ?? most), high: item.score - (gain ?? 0)};
  }));
  noteLoaded(known, all.next === null && today.next === null);
  known.begun = today.period.id;
}

/* `begin`: the least and the most that each had. A rank is known if it is the same whatever they had. */
function rankBegin(known, bound, begin) {
  known.ranks.clear();
  for (const one of begin) {
    const others = begin.filter(other => other !== one), above = others.filter(({low}) => low > one.high).length;
    const isSure = one.low > bound && above === others.filter(({high}) => high > one.low).length;
    if (isSure) known.ranks.set(one.id, 1 + above);
    else if (bound === 0 && one.high <= 0) known.ranks.set(one.id, null);
  }
}

function renewMovements() {
  if (!document.hidden && isConnected()) followMovements();
}

function followMovements() {
  for (const {role, items, period} of Object.values(boards)) {
    if (items) followMovement({role, items, period});
    showMoves(role);
  }
}

function showMoves(role) {
  const board = boards[role];
  showSince(board);
  for (const item of board.items ?? []) showMove(board.rows.get(itemId(item)), item, role);
}

function showSince({role, since, items}) {
  const words = items?.length ? placesBefore[role]?.words : "";
  setText(since, words ? `Moves since ${words}` : "");
}

function showMove(row, item, role) {
  const place = placeBefore(role, item), up = place ? place - item.rank : 0;
  const state = place === undefined ? "unknown" : place === null ? "new" : up > 0 ? "up" : up < 0 ? "down" : "same";
  row.move.dataset.state = state;
  setTextAndSpeech(row.move, ...moveWords(state, number.format(Math.abs(up))));
}

/* What is seen, and what is said. */
function moveWords(state, places) {
  return {
    up: [`▲ ${places}`, `up ${places}`],
    down: [`▼ ${places}`, `down ${places}`],
    same: ["–", "not moved"],
    new: ["new", "new on the board"],
    unknown: ["", "move not known"],
  }[state];
}
